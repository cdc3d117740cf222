"""axe-core in a page: what it finds against WCAG 2.2 AA."""

from __future__ import annotations

from typing import Any

from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Page

LEVELS = {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}
OF_COLOUR = ("color-contrast", "link-in-text-block")

RULES: dict[str, Any] = {"runOnly": LEVELS}
COLOURS: dict[str, Any] = {"runOnly": {"type": "rule", "values": [*OF_COLOUR]}}
"""What a theme can change; the rest of a page is the same in both."""
WORDS: dict[str, Any] = {"runOnly": LEVELS, "rules": {name: {"enabled": False} for name in OF_COLOUR}}
"""What a language can change; colours are the same in all."""

_RUN = """
async (options) => {
  const found = await axe.run(document, {resultTypes: ["violations"], ...options});
  return found.violations.map((fault) => `${fault.id}: ${fault.nodes[0].html.slice(0, 160)}`);
}
"""


def violations(page: Page, rules: dict[str, Any] = RULES) -> list[str]:
    """Return what axe finds: the rule and the first element that breaks it."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE_SCRIPT)
    found: list[str] = page.evaluate(_RUN, rules)
    return found
