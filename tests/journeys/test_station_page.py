"""A dispatcher opens one machine."""

from __future__ import annotations

import time

import pytest
from playwright.sync_api import Page, expect

from tests.journeys.conftest import RunningWeb
from tests.journeys.signing_in import sign_in
from yuheng.bus.messages import ValueLive
from yuheng.engines.states.vocabulary import UnitState

pytestmark = [pytest.mark.browser, pytest.mark.engines]


@pytest.fixture
def station(page: Page, web: RunningWeb) -> Page:
    """The page of H07, which is down."""
    sign_in(page, web.url)
    page.goto(f"{web.url}/work-units/{web.feed.by_code['H07']}")
    return page


def until_read(station: Page) -> None:
    """Wait until the intervals of the timeline have come."""
    deadline = time.monotonic() + 60
    while not station.evaluate("document.querySelector('y-lanes').lanes?.[0]?.intervals.length ?? 0"):
        assert time.monotonic() < deadline, "The timeline never got its intervals."
        station.wait_for_timeout(50)


def test_values_move_while_somebody_looks(station: Page, web: RunningWeb):
    tag = web.feed.by_code["H07"] * 10 + 1
    expect(station.locator("[data-state-word]")).to_have_text("停机")
    web.feed.say_values([ValueLive(tag, time.time_ns() // 1000, 12.34, 0)])
    expect(station.locator(f'tr[data-tag="{tag}"] [data-value]')).to_have_text("12.34")
    web.feed.say_values([ValueLive(tag, time.time_ns() // 1000, None, 0x80)])
    expect(station.locator(f'tr[data-tag="{tag}"] [data-quality]')).to_have_text("坏")


def test_the_head_follows_the_state(station: Page, web: RunningWeb):
    expect(station.locator("[data-state-cause]")).to_have_text("送丝故障")
    web.feed.change(("H07", UnitState.PRODUCING, ""))
    expect(station.locator("[data-state-word]")).to_have_text("生产")
    expect(station.locator("[data-state-cause]")).to_have_text("")


def test_a_trend_keeps_the_peak_of_one_sample(station: Page):
    expect(station.locator("y-trend[data-drawn] .u-over")).to_be_visible()
    highest = station.evaluate("Math.max(...document.querySelector('y-trend').plot.data[1].filter((y) => y !== null))")
    assert highest == 95.0
    top = station.evaluate("document.querySelector('y-trend').plot.scales['kW'].max")
    assert top >= 95.0


def test_a_hole_in_the_data_stays_a_hole(station: Page):
    expect(station.locator("y-trend[data-drawn] .u-over")).to_be_visible()
    holes = station.evaluate("document.querySelector('y-trend').plot.data[1].filter((y) => y === null).length")
    assert holes >= 1


def test_zooming_asks_again_and_keeps_the_range_in_the_address(station: Page):
    over = station.locator("y-trend[data-drawn] .u-over")
    expect(over).to_be_visible()
    box = over.bounding_box()
    with station.expect_request("**/trend?**"):
        station.mouse.move(box["x"] + 100, box["y"] + 50)
        station.mouse.down()
        station.mouse.move(box["x"] + 300, box["y"] + 60, steps=4)
        station.mouse.up()
    assert "from=" in station.url
    assert "to=" in station.url
    with station.expect_request("**/trend?**"):
        station.get_by_role("button", name="实时").click()
    assert "from=" not in station.url


def test_the_state_timeline_is_read_out_with_the_keyboard(station: Page):
    lanes = station.locator("y-lanes canvas")
    expect(lanes).to_be_visible()
    lanes.focus()
    until_read(station)
    station.keyboard.press("End")
    expect(station.locator(".lane-readout")).to_contain_text("现在")
    station.keyboard.press("ArrowLeft")
    expect(station.locator(".lane-readout")).not_to_contain_text("现在")


def test_the_timeline_shows_the_shift_and_a_day_on_request(station: Page):
    shown = "(() => { const lanes = document.querySelector('y-lanes'); return (lanes.end - lanes.start) / 3.6e9; })()"
    expect(station.locator("y-lanes [data-lanes=shift]")).to_have_attribute("aria-pressed", "true")
    until_read(station)
    assert station.evaluate(shown) <= 12.01
    station.locator("y-lanes").get_by_role("button", name="24 小时").click()
    assert station.evaluate(shown) == pytest.approx(24, abs=0.01)
    station.locator("y-lanes [data-lanes=in]").click()
    assert station.evaluate(shown) == pytest.approx(12, abs=0.01)
    expect(station.locator("y-lanes [data-lanes=shift]")).to_have_attribute("aria-pressed", "false")
