"""A real, headless Chromium, signed in, with a stop-watch in its page."""

from __future__ import annotations

import base64
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from yuheng.bench.visitor import Visitor

if TYPE_CHECKING:
    from playwright.sync_api import CDPSession, Page

try:
    from playwright.sync_api import sync_playwright
except ImportError:  # part of the "dev" extra; the other benches do without
    sync_playwright = None  # type: ignore[assignment]

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
WATCH = """
(selector) => {
  const node = document.querySelector(selector);
  window.yuhengChanges = [];
  const observer = new MutationObserver(() => {
    const changed = performance.timeOrigin + performance.now();
    requestAnimationFrame(() => {
      const painted = performance.timeOrigin + performance.now();
      window.yuhengChanges.push([changed, painted, node.getAttribute("class"), node.textContent]);
    });
  });
  observer.observe(node, {attributes: true, childList: true, characterData: true, subtree: true});
}
"""
"""Notes when an element changed, and when the frame with that change was about to be painted; Unix milliseconds."""

COMPARE = """
async ([first, second, least]) => {
  const pixels = async (text) => {
    const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
    const picture = await createImageBitmap(new Blob([bytes], {type: "image/png"}));
    const pen = new OffscreenCanvas(picture.width, picture.height).getContext("2d");
    pen.drawImage(picture, 0, 0);
    return pen.getImageData(0, 0, picture.width, picture.height);
  };
  const [a, b] = [await pixels(first), await pixels(second)];
  if (a.width !== b.width || a.height !== b.height) return 1;
  let differ = 0;
  for (let i = 0; i < a.data.length; i += 4) {
    const far = Math.max(...[0, 1, 2].map((k) => Math.abs(a.data[i + k] - b.data[i + k])));
    differ += far > least;
  }
  return differ / (a.width * a.height);
}
"""


def find_chromium() -> str | None:
    """Return the path of a Chromium, or None to let Playwright use its own build."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


@contextmanager
def open_page(visitor: Visitor, path: str) -> Iterator[Page]:
    """Open a page as the visitor in a browser of our own.

    Raises
    ------
    RuntimeError
        There is no Playwright or no Chromium.
    """
    if sync_playwright is None:
        raise RuntimeError("This bench needs a browser: install the 'dev' extra (`make setup`) and Chromium.")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=ARGUMENTS)
        try:
            context = browser.new_context(locale="zh-CN", viewport={"width": 1680, "height": 980})
            context.add_cookies(visitor.cookies())  # type: ignore[arg-type]
            page = context.new_page()
            page.goto(visitor.url + path)
            yield page
        finally:
            browser.close()


def pixels_that_differ(page: Page, first: bytes, second: bytes, *, least: int = 64) -> float:
    """Return the share of pixels that differ by more than ``least`` of 255 in any colour; 1 for pictures of two sizes.

    Parameters
    ----------
    first, second
        Pictures as PNG.
    """
    texts = [base64.b64encode(picture).decode() for picture in (first, second)]
    return float(page.evaluate(COMPARE, [*texts, least]))


class MainThread:
    """CPU time of the page's main thread, from the DevTools protocol (``threadTicks``: CPU time, not wall time)."""

    def __init__(self, page: Page) -> None:
        self._session: CDPSession = page.context.new_cdp_session(page)
        self._session.send("Performance.enable", {"timeDomain": "threadTicks"})

    def busy_ms(self) -> dict[str, float]:
        """Return milliseconds spent so far: all tasks, and of these scripts, layout and style."""
        answer: dict[str, Any] = self._session.send("Performance.getMetrics")
        values = {entry["name"]: float(entry["value"]) * 1000 for entry in answer["metrics"]}
        names = {"tasks": "TaskDuration", "script": "ScriptDuration", "layout": "LayoutDuration"}
        return {short: values[name] for short, name in names.items()} | {"style": values["RecalcStyleDuration"]}
