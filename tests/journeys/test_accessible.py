"""axe finds nothing against WCAG 2.2 AA, on every page there is, in both themes and languages.

The pages are asked from Django and filled with the plant of the security walk: a new page is covered by being there.
"""

from __future__ import annotations

from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.test import Client
from playwright.sync_api import Page

from tests.journeys.conftest import RunningWeb
from tests.journeys.signing_in import sign_in
from tests.security.plant import SecretPlant, a_secret_plant
from tests.security.routes import all_routes
from yuheng.testing import builders

pytestmark = [pytest.mark.browser, pytest.mark.engines]

RULES = {"runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}}
PAGES = (
    "/sites/elevator1/",
    "/sites/elevator1/units",
    "/sites/elevator1/indicators/down",
    "/work-units/{unit}",
    "/work-units/0",
)


COLOURS = {"runOnly": {"type": "rule", "values": ["color-contrast", "link-in-text-block"]}}
"""What a theme can change; the rest of a page is the same in both."""


def violations(page: Page, rules: dict[str, Any] = RULES) -> list[str]:
    found = Axe().run(page, options=rules).response["violations"]
    return [f"{fault['id']}: {fault['nodes'][0]['html'][:160]}" for fault in found]


def every_page(client: Client, web: RunningWeb, plant: SecretPlant) -> list[str]:
    """Return the address of every page that an administrator gets, the ones above among them."""
    addresses = [address.format(unit=web.feed.by_code["H07"]) for address in PAGES]
    addresses += sorted({route.path(plant.values) for route in all_routes() if not route.pattern.startswith("/api/")})
    pages = []
    for address in addresses:
        answer = client.get(address)
        if answer.headers.get("Content-Type", "").startswith("text/html") and "location" not in answer.headers:
            whole = answer.content if not answer.streaming else b""
            pages += [address] if b"<html" in whole else []
    return pages


@pytest.mark.parametrize("language", ["zh-hans", "en"])
def test_axe_finds_nothing(page: Page, web: RunningWeb, language: str):
    plant = a_secret_plant()
    chief = builders.a_person("chief", role="administrator", everywhere=True)
    client = Client(raise_request_exception=False)
    client.force_login(chief)
    addresses = every_page(client, web, plant)
    assert {"/people", "/audit", "/dead-letters/", "/signals/tags", "/work-units/0"} <= set(addresses)
    sign_in(page, web.url, username="chief")
    page.context.add_cookies([{"name": "django_language", "value": language, "url": web.url}])
    faults = {}
    for address in addresses:
        page.goto(web.url + address, wait_until="load")
        assert page.locator("html").get_attribute("data-theme") == "light", address
        found = violations(page)
        page.evaluate("document.documentElement.dataset.theme = 'dark'")  # what the server writes for this theme
        if found := found + violations(page, COLOURS):
            faults[address] = found
    assert faults == {}


def test_axe_would_have_found_a_fault(page: Page, web: RunningWeb):
    sign_in(page, web.url)
    page.goto(web.url + "/")
    page.evaluate("document.querySelector('main').insertAdjacentHTML('beforeend', '<button></button><img src=x.png>')")
    assert any(fault.startswith(("button-name", "image-alt")) for fault in violations(page))
