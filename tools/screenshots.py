"""Save the pictures of the documentation from a running demo: pages × languages × themes × screens.

    yuheng up --demo &            in one shell
    python tools/screenshots.py   in another; writes docs/images/<page>-<zh|en>-<light|dark>-<wall|tablet>.png

It signs in as the demo's dispatcher with one click, like any visitor, and waits until tiles move.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
from pathlib import Path

from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from yuheng.testing.engines import find_chromium

IMAGES = Path(__file__).resolve().parent.parent / "docs" / "images"
SCREENS = {"wall": (1920, 1080), "tablet": (1180, 820)}
LANGUAGES = {"zh": "zh-hans", "en": "en"}
THEMES = ("light", "dark")
SETTLE_MS = 2500


def demo_url() -> str:
    """Return the address of the running demo, as ``yuheng status --json`` says."""
    answer = subprocess.run(
        [sys.executable, "-m", "yuheng.config.cli", "status", "--json"], capture_output=True, text=True
    )
    try:
        url = json.loads(answer.stdout.strip().splitlines()[-1])["url"]
    except (IndexError, KeyError, json.JSONDecodeError):
        raise SystemExit("No demo is running here. Start one: yuheng up --demo") from None
    return str(url).rstrip("/")


def sign_in(page: Page, url: str) -> None:
    """Become the first person whom the demo offers."""
    page.goto(f"{url}/sign-in")
    page.locator('form[action*="sign-in/as"] button').first.click()
    page.wait_for_url(re.compile(r"/sites/[^/]+/$"))


def pages(page: Page, url: str) -> dict[str, str]:
    """Return name -> address of what is worth a picture; the station is one that somebody should look at."""
    site = page.url
    needy = page.locator(".attention a[href^='/work-units/']").first
    station = needy if needy.count() else page.locator("a.tile").first
    return {
        "command-centre": site,
        "station": f"{url}{station.get_attribute('href')}",
        "units": f"{site}units",
        "equipment": f"{url}/equipment",
        "signals": f"{url}/signals/",
        "dead-letters": f"{url}/dead-letters/",
        "dispatch": f"{url}/dispatch/",
        "orders": f"{url}/orders/",
    }


def take(context: BrowserContext, url: str, addresses: dict[str, str], names: list[str]) -> None:
    """Save every page in every language, theme and screen."""
    page = context.new_page()
    for language, code in LANGUAGES.items():
        for theme in THEMES:
            context.add_cookies(
                [
                    {"name": "django_language", "value": code, "url": url},
                    {"name": "yh_theme", "value": theme, "url": url},
                ]
            )
            for screen, (width, height) in SCREENS.items():
                page.set_viewport_size({"width": width, "height": height})
                for name in names or addresses:
                    page.goto(addresses[name])
                    page.wait_for_timeout(SETTLE_MS)
                    page.screenshot(path=IMAGES / f"{name}-{language}-{theme}-{screen}.png")
                    print(f"{name} {language} {theme} {screen}")


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="pages; all when none is named")
    parser.add_argument("--url", help="address of the demo; otherwise asked of yuheng status")
    options = parser.parse_args()
    url = (options.url or demo_url()).rstrip("/")
    IMAGES.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser: Browser = playwright.chromium.launch(executable_path=find_chromium() or None, args=["--no-sandbox"])
        context = browser.new_context(locale="zh-CN")
        first = context.new_page()
        sign_in(first, url)
        addresses = pages(first, url)
        first.close()
        take(context, url, addresses, options.names)
        browser.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
