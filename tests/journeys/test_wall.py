"""A page on the wall: scaled to the screen, going through its pages, coming back by itself."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.journeys.conftest import RunningWeb
from tests.journeys.signing_in import sign_in

pytestmark = [pytest.mark.browser, pytest.mark.engines]


@pytest.mark.parametrize(
    ("width", "height", "drawn"), [(1280, 720, 1280), (3840, 2160, 3840), (1920, 540, 1920)], ids=["720p", "4K", "32:9"]
)
def test_a_wall_fills_the_screen_whatever_its_size(page: Page, web: RunningWeb, width: int, height: int, drawn: int):
    sign_in(page, web.url)
    page.set_viewport_size({"width": width, "height": height})
    page.goto(web.url + "/sites/elevator1/?wall=1")
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    expect(page.get_by_role("navigation")).to_have_count(0)
    box = page.locator("body").bounding_box()
    assert (round(box["width"]), round(box["height"])) == (drawn, height)
    assert page.locator(".attention-panel").bounding_box()["x"] > page.locator("y-live-map").bounding_box()["x"]
    expect(page.locator("[data-live=age]")).to_be_visible()


def test_a_wall_goes_through_its_pages_and_stays_a_wall(page: Page, web: RunningWeb):
    sign_in(page, web.url)
    page.goto(web.url + "/sites/elevator1/?wall=1&cycle=map,alarms&every=5")
    expect(page).to_have_url(re.compile(r"/alarms/\?.*wall=1"), timeout=15_000)
    expect(page).to_have_url(re.compile(r"/sites/elevator1/\?.*wall=1"), timeout=15_000)


def test_a_wall_whose_server_went_away_says_so_and_keeps_its_page(page: Page, web: RunningWeb):
    sign_in(page, web.url)
    page.clock.install()
    page.goto(web.url + "/sites/elevator1/?wall=1&cycle=map,alarms&every=30")
    page.route("**/*", lambda route: route.abort())
    page.clock.run_for(31_000)
    expect(page.locator(".wall-trouble")).to_be_visible()
    assert "/sites/elevator1/" in page.url
    page.unroute("**/*")
    page.clock.run_for(31_000)
    expect(page.locator(".wall-trouble")).to_have_count(0)
