"""A real, headless Chromium, signed in, with a stop-watch in its page."""

from __future__ import annotations

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
