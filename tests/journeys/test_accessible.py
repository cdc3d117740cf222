"""axe finds nothing against WCAG 2.2 AA, on every page of the web context, in both themes and languages."""

from __future__ import annotations

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from tests.journeys.conftest import RunningWeb
from tests.journeys.signing_in import sign_in

pytestmark = [pytest.mark.browser, pytest.mark.engines]

RULES = {"runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}}
PAGES = (
    "/sites/elevator1/",
    "/sites/elevator1/units",
    "/sites/elevator1/indicators/down",
    "/work-units/{unit}",
    "/work-units/0",
)


def violations(page: Page) -> list[str]:
    found = Axe().run(page, options=RULES).response["violations"]
    return [f"{fault['id']}: {fault['nodes'][0]['html'][:160]}" for fault in found]


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("language", ["zh-hans", "en"])
def test_axe_finds_nothing(page: Page, web: RunningWeb, language: str, theme: str):
    sign_in(page, web.url)
    page.context.add_cookies(
        [
            {"name": "django_language", "value": language, "url": web.url},
            {"name": "yh_theme", "value": theme, "url": web.url},
        ]
    )
    faults = {}
    for address in PAGES:
        page.goto(web.url + address.format(unit=web.feed.by_code["H07"]))
        page.wait_for_load_state("load")
        if found := violations(page):
            faults[address] = found
    assert faults == {}


def test_axe_would_have_found_a_fault(page: Page, web: RunningWeb):
    sign_in(page, web.url)
    page.goto(web.url + "/")
    page.evaluate("document.querySelector('main').insertAdjacentHTML('beforeend', '<button></button><img src=x.png>')")
    assert any(fault.startswith(("button-name", "image-alt")) for fault in violations(page))
