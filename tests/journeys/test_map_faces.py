"""A big plant's tiles are painted on a canvas: the picture is the same as the SVG's, and the links are still there."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, Route, expect

from tests.journeys.conftest import RunningWeb
from tests.journeys.feed import now_us
from tests.journeys.signing_in import sign_in
from yuheng.bench.browser import pixels_that_differ
from yuheng.engines.states.vocabulary import UnitState

pytestmark = [pytest.mark.browser, pytest.mark.engines]


def open_map(page: Page, web: RunningWeb, faces: str, theme: str = "light") -> None:
    """Open the command centre with the map drawn one way, and let three machines change."""
    sign_in(page, web.url)
    page.context.add_cookies([{"name": "yh_theme", "value": theme, "url": web.url}])

    def choose(route: Route) -> None:
        answer = route.fetch()
        body = answer.text().replace("<y-live-map ", f'<y-live-map data-faces="{faces}" ')
        route.fulfill(response=answer, body=body)

    page.unroute_all()
    page.route("**/sites/elevator1/", choose)
    page.goto(web.url + "/sites/elevator1/")  # a route does not see what a redirect leads to
    web.feed.say_values([])
    web.feed.change(("L03", UnitState.DOWN, "12"), ("L04", UnitState.NO_DATA, ""), ("L05", UnitState.IDLE, ""))
    expect(page.locator(".tile", has_text="L03")).to_have_class("tile is-down")
    expect(page.locator(".tile-faces")).to_have_count(1 if faces == "canvas" else 0)
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")


def picture(page: Page) -> bytes:
    """Take the map's picture without its durations, which go on between two pictures."""
    page.evaluate(
        """() => {
            const map = document.querySelector("y-live-map");
            for (const tile of map.order) tile.texts[3].data = "";
            map.faces?.moved();
            return new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
        }"""
    )
    return page.locator(".map-scroll").screenshot()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_canvas_shows_what_the_drawing_shows(page: Page, web: RunningWeb, theme: str):
    open_map(page, web, "svg", theme)
    drawn = picture(page)
    open_map(page, web, "canvas", theme)
    painted = picture(page)
    assert pixels_that_differ(page, drawn, painted) < 0.002
    page.evaluate("() => { const { pen, canvas } = document.querySelector('y-live-map').faces;"
                  " pen.resetTransform(); pen.clearRect(0, 0, canvas.width, canvas.height); }")  # fmt: skip
    blank = page.locator(".map-scroll").screenshot()
    assert pixels_that_differ(page, drawn, blank) > 0.02  # the comparison would have seen missing faces


def test_one_changed_tile_leaves_the_others_as_they_were(page: Page, web: RunningWeb):
    open_map(page, web, "canvas")
    before = picture(page)
    web.feed.change(("L03", UnitState.PRODUCING, ""))
    expect(page.locator(".tile", has_text="L03")).to_have_class("tile is-producing")
    after = picture(page)
    changed = pixels_that_differ(page, before, after)
    assert 0.0005 < changed < 0.02  # about one tile of 130, and the head line of its area


def test_tiles_on_the_canvas_are_links_with_names(page: Page, web: RunningWeb):
    open_map(page, web, "canvas")
    page.get_by_role("link", name="L03").hover()
    page.locator('.tile[tabindex="0"]').focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_contain_text("L02")


def test_zoom_moves_the_faces_with_the_drawing(page: Page, web: RunningWeb):
    def shot() -> bytes:
        page.get_by_role("button", name="放大").click()
        page.locator(".map-tools").last.hover()
        return picture(page)

    open_map(page, web, "svg")
    drawn = shot()
    open_map(page, web, "canvas")
    assert pixels_that_differ(page, drawn, shot()) < 0.004


@pytest.mark.parametrize("faces", ["svg", "canvas"])
def test_a_state_of_the_past_can_be_shown_and_left(page: Page, web: RunningWeb, faces: str):
    open_map(page, web, faces)
    unit = web.feed.by_code["L01"]
    at_us = now_us() - 3_600_000_000
    page.evaluate(
        f"() => document.querySelector('y-live-map').showAt([[{unit}, 5, '12', {at_us - 600_000_000}]], {at_us})"
    )
    expect(page.locator(".tile.is-down")).to_have_count(1)
    expect(page.locator(".tile.is-no_data")).to_have_count(129)
    assert page.locator(f'.tile[data-unit="{unit}"] .tile-since').text_content() == "10 分"
    web.feed.change(("L02", UnitState.SETUP, ""))  # the stream goes on below the replay
    web.feed.say_values([])
    page.wait_for_function(f"() => document.querySelector('y-live-map').known.get({web.feed.by_code['L02']})[1] === 4")
    expect(page.locator(".tile.is-no_data")).to_have_count(129)
    page.evaluate("() => document.querySelector('y-live-map').showLive()")
    expect(page.locator(".tile", has_text="L02")).to_have_class("tile is-setup")
    expect(page.locator(".tile", has_text="L01")).to_have_class("tile is-producing")
    expect(page.locator(".tile", has_text="L03")).to_have_class("tile is-down")
