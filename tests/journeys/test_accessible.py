"""axe finds nothing against WCAG 2.2 AA, on every page there is, in both themes and languages.

The pages are asked from Django and filled with the plant of the security walk: a new page is covered by being there.
"""

from __future__ import annotations

import pytest
from django.test import Client
from playwright.sync_api import Page

from tests.journeys.axe import COLOURS, WORDS, violations
from tests.journeys.conftest import RunningWeb
from tests.journeys.signing_in import sign_in
from tests.security.plant import SecretPlant, a_secret_plant
from tests.security.routes import all_routes
from yuheng.testing import builders

pytestmark = [pytest.mark.browser, pytest.mark.engines]

PAGES = (
    "/sites/elevator1/",
    "/sites/elevator1/units",
    "/sites/elevator1/indicators/down",
    "/work-units/{unit}",
    "/work-units/0",
)

PARTS = 4
"""So many turns a language takes, for test processes to share; every part goes through the whole plant's addresses."""


def every_address(web: RunningWeb, plant: SecretPlant) -> list[str]:
    """Return every address outside the API, the ones above among them."""
    addresses = {address.format(unit=web.feed.by_code["H07"]) for address in PAGES}
    addresses |= {route.path(plant.values) for route in all_routes() if not route.pattern.startswith("/api/")}
    return sorted(addresses)


def pages_among(addresses: list[str], client: Client) -> list[str]:
    """Return those at which an administrator gets a page."""
    pages = []
    for address in addresses:
        answer = client.get(address)
        if answer.headers.get("Content-Type", "").startswith("text/html") and "location" not in answer.headers:
            whole = answer.content if not answer.streaming else b""
            pages += [address] if b"<html" in whole else []
    return pages


@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("language", ["zh-hans", "en"])
def test_axe_finds_nothing(page: Page, web: RunningWeb, language: str, part: int):
    """Everything in Chinese, and the colours once more in the dark theme; in English what words can change."""
    plant = a_secret_plant()
    chief = builders.a_person("chief", role="administrator", everywhere=True)
    client = Client(raise_request_exception=False)
    client.force_login(chief)
    mine = every_address(web, plant)[part::PARTS]
    addresses = pages_among(mine, client)
    assert {"/people", "/audit", "/dead-letters/", "/signals/tags", "/work-units/0"} & set(mine) <= set(addresses)
    assert addresses
    sign_in(page, web.url, username="chief")
    page.context.add_cookies([{"name": "django_language", "value": language, "url": web.url}])
    faults = {}
    for address in addresses:
        page.goto(web.url + address, wait_until="load")
        assert page.locator("html").get_attribute("data-theme") == "light", address
        if language == "en":
            found = violations(page, WORDS)
        else:
            found = violations(page)
            page.evaluate("document.documentElement.dataset.theme = 'dark'")  # what the server writes for this theme
            found += violations(page, COLOURS)
        if found:
            faults[address] = found
    assert faults == {}


def test_axe_would_have_found_a_fault(page: Page, web: RunningWeb):
    sign_in(page, web.url)
    page.goto(web.url + "/")
    page.evaluate("document.querySelector('main').insertAdjacentHTML('beforeend', '<button></button><img src=x.png>')")
    assert any(fault.startswith(("button-name", "image-alt")) for fault in violations(page))
