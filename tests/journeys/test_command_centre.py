"""A dispatcher looks at the plant."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.journeys.conftest import RunningWeb
from tests.journeys.feed import now_us
from tests.journeys.signing_in import sign_in
from yuheng.engines.states.vocabulary import UnitState
from yuheng.web.map_drawing import two_lines

pytestmark = [pytest.mark.browser, pytest.mark.engines]


@pytest.fixture
def plant(page: Page, web: RunningWeb) -> Page:
    """The command centre, opened by Ben."""
    sign_in(page, web.url)
    page.goto(web.url + "/")
    return page


def test_a_tile_changes_when_its_machine_stops(plant: Page, web: RunningWeb):
    tile = plant.locator(".tile", has_text="L03")
    expect(tile).to_have_class("tile is-producing")
    web.feed.change(("L03", UnitState.DOWN, "12"))
    expect(tile).to_have_class("tile is-down")
    expect(tile).to_contain_text("送丝故障")
    expect(plant.locator(".area[data-area] .area-counts", has_text="停机 1").first).to_be_visible()
    expect(plant.locator(".attention")).to_contain_text("L03")


def test_long_words_break_in_the_browser_as_on_the_server(plant: Page, web: RunningWeb):
    cause = "Oven temperature far too high"  # not in the class: shown as it is
    web.feed.change(("L03", UnitState.DOWN, cause))
    tile = plant.locator(".tile", has_text="L03")
    expect(tile).to_have_class("tile is-down is-long")
    width = tile.evaluate("(node) => node.querySelector('rect').width.baseVal.value")
    shown = (tile.locator(".tile-what").text_content(), tile.locator(".tile-more").text_content())
    assert shown == two_lines(cause, width)
    expect(tile.locator("title")).to_have_text(re.compile(cause))


def test_a_machine_that_falls_silent_is_never_shown_as_running(plant: Page, web: RunningWeb):
    web.feed.change(("L03", UnitState.NO_DATA, ""))
    tile = plant.locator(".tile", has_text="L03")
    expect(tile).to_have_class("tile is-no_data")
    expect(tile).to_contain_text("?")
    expect(plant.locator("[data-live=online]")).to_have_text("128/130")


def test_old_data_greys_the_map_and_says_so(plant: Page, web: RunningWeb):
    web.feed.say_values([])
    expect(plant.locator(".map-warning")).to_be_hidden()
    web.feed.data_time_us = now_us() - 20_000_000
    plant.reload()
    expect(plant.locator("y-live-map")).to_have_class("is-stale")
    expect(plant.locator(".map-warning")).to_contain_text("工厂没有新数据")


def test_after_a_minute_without_data_every_tile_is_a_question(plant: Page, web: RunningWeb):
    web.feed.data_time_us = now_us() - 90_000_000
    plant.reload()
    expect(plant.locator(".tile.is-producing")).to_have_count(0)
    expect(plant.locator(".tile.is-no_data")).to_have_count(130)
    web.feed.say_values([])
    expect(plant.locator(".tile.is-no_data")).to_have_count(1)


def test_when_the_server_goes_the_page_says_so(plant: Page, web: RunningWeb):
    web.feed.say_values([])
    expect(plant.locator("[data-live=age]")).to_contain_text("秒")
    web.stop()  # with a stream attached
    assert not web.is_running
    expect(plant.locator(".map-warning")).to_contain_text("与服务器的连接已断")


def test_language_and_theme_stay_chosen(plant: Page, web: RunningWeb):
    expect(plant.locator("html")).to_have_attribute("lang", "zh-Hans")
    plant.get_by_role("button", name="English").click()
    expect(plant.locator("html")).to_have_attribute("lang", "en")
    expect(plant.get_by_role("heading", name="Needs a person")).to_be_visible()
    plant.get_by_role("button", name="Dark").click()
    expect(plant.locator("html")).to_have_attribute("data-theme", "dark")
    plant.get_by_role("button", name="Large text").click()
    plant.goto(web.url + "/")
    expect(plant.locator("html")).to_have_attribute("data-theme", "dark")
    expect(plant.locator("html")).to_have_attribute("data-text", "large")
    web.feed.change(("L03", UnitState.DOWN, "12"))
    expect(plant.locator(".tile", has_text="L03")).to_contain_text("Wire")


def test_the_keyboard_goes_over_the_map_and_opens_a_station(plant: Page):
    first = plant.locator('.tile[tabindex="0"]')
    expect(first).to_have_count(1)
    first.focus()
    plant.keyboard.press("ArrowRight")
    expect(plant.locator(":focus .tile-code")).to_contain_text("L02")
    plant.keyboard.press("ArrowDown")
    expect(plant.locator(":focus .tile-code")).to_contain_text("L08")
    plant.keyboard.press("Enter")
    expect(plant.get_by_role("heading", level=1)).to_contain_text("L08")


def test_a_figure_opens_the_rows_behind_it(plant: Page):
    plant.locator("a.bullet", has_text="停机工位").click()
    dialog = plant.get_by_role("dialog")
    expect(dialog).to_contain_text("送丝故障")
    expect(dialog.get_by_role("link", name="H07")).to_be_visible()


def test_three_tabs_share_one_stream_and_a_closed_leader_is_replaced(plant: Page, web: RunningWeb):
    others = [plant.context.new_page() for _ in range(2)]
    for tab in others:
        tab.goto(web.url + "/")
    web.feed.change(("L03", UnitState.DOWN, "12"))
    for tab in (plant, *others):
        expect(tab.locator(".tile", has_text="L03")).to_have_class("tile is-down")
    assert web.hub.client_count == 1
    plant.goto("about:blank")
    web.feed.change(("L03", UnitState.PRODUCING, ""))
    for tab in others:
        expect(tab.locator(".tile", has_text="L03")).to_have_class("tile is-producing")


def test_zooming_in_and_back_to_the_whole_plant(plant: Page):
    svg = plant.locator(".plant-map")
    whole = svg.get_attribute("viewBox")
    plant.get_by_role("button", name="放大").click()
    assert svg.get_attribute("viewBox") != whole
    plant.get_by_role("button", name="显示全厂").click()
    assert [float(v) for v in svg.get_attribute("viewBox").split()] == [float(v) for v in whole.split()]


def test_without_scripts_the_plant_is_a_whole_page(page: Page, web: RunningWeb):
    context = page.context.browser.new_context(java_script_enabled=False, locale="zh-CN")
    plain = context.new_page()
    sign_in(plain, web.url)
    plain.goto(web.url + "/")
    expect(plain.locator(".tile", has_text="H07")).to_contain_text("送丝故障")
    expect(plain.locator(".attention li").first).to_contain_text("H07")
    context.close()


def test_the_same_plant_is_there_as_a_table(plant: Page):
    plant.get_by_role("link", name="全部工位").click()
    row = plant.get_by_role("row", name="H07")
    expect(row).to_contain_text("停机")
    expect(plant.locator("tbody tr")).to_have_count(130)
