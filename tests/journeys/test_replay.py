"""A dispatcher looks back: what the map shows of a moment is what it showed then."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.journeys.conftest import RunningWeb
from tests.journeys.feed import now_us
from tests.journeys.signing_in import sign_in
from yuheng.engines.states.vocabulary import UnitState

pytestmark = [pytest.mark.browser, pytest.mark.engines]

TILES = """() => document.querySelector("y-live-map").order
    .map((tile) => [tile.name, tile.shown, tile.texts[1].data])"""
GO = "(us) => document.querySelector('y-replay').go(us / 1000)"


@pytest.fixture
def plant(page: Page, web: RunningWeb) -> Page:
    sign_in(page, web.url)
    page.goto(web.url + "/")
    expect(page.locator(".tile", has_text="L03")).to_have_class("tile is-producing")
    return page


def stop(plant: Page, web: RunningWeb, code: str, state: UnitState, word: str) -> tuple[int, list]:
    """Change a machine, wait until the live page shows it; return when that was, and all that is drawn."""
    web.feed.change((code, state, ""))
    expect(plant.locator(".tile", has_text=code)).to_have_class(re.compile(word))
    return now_us(), plant.evaluate(TILES)


def shown_at(plant: Page, at_us: int) -> list:
    plant.evaluate(GO, at_us)
    expect(plant.locator("y-replay")).to_have_attribute("data-shown-us", str(at_us))
    return plant.evaluate(TILES)


def test_the_map_of_a_moment_is_the_map_that_was_shown_then(plant: Page, web: RunningWeb):
    seen = [
        stop(plant, web, "L03", UnitState.DOWN, "is-down"),
        stop(plant, web, "Z05", UnitState.NO_DATA, "is-no_data"),
        stop(plant, web, "L03", UnitState.PRODUCING, "is-producing"),
    ]
    for at_us, tiles in [*seen, *reversed(seen)]:
        assert shown_at(plant, at_us) == tiles
    expect(plant.locator(".past-banner")).to_be_visible()
    web.feed.change(("B01", UnitState.DOWN, ""))  # now goes on, and is not shown
    expect(plant.locator("[data-live=online]")).to_have_text("129/130")  # as it was at the first moment
    assert plant.evaluate(TILES) == seen[0][1]
    plant.locator("[data-replay=now]").first.click()
    expect(plant.locator(".tile", has_text="B01")).to_have_class("tile is-down")
    expect(plant.locator(".past-banner")).to_be_hidden()
    assert "at=" not in plant.url


def test_playing_folds_what_was_told_and_ends_in_the_present(plant: Page, web: RunningWeb):
    plant.keyboard.press("r")
    expect(plant.get_by_role("slider")).to_be_focused()
    began_us = now_us()
    stop(plant, web, "L03", UnitState.DOWN, "is-down")
    shown_at(plant, began_us)
    expect(plant.locator(".tile", has_text="L03")).to_have_class("tile is-producing")
    plant.locator("[data-replay=speed]").select_option("5")
    plant.locator("[data-replay=play]").click()
    expect(plant.locator(".tile", has_text="L03")).to_have_class("tile is-down")
    expect(plant.locator(".past-banner")).to_be_hidden()  # it caught up with now


def test_a_link_shows_a_colleague_the_same_moment_and_keeps_it(plant: Page, web: RunningWeb):
    at_us, tiles = stop(plant, web, "L03", UnitState.DOWN, "is-down")
    stop(plant, web, "L03", UnitState.PRODUCING, "is-producing")
    plant.goto(f"{plant.url.split('?')[0]}?at={at_us}")
    expect(plant.locator(".past-banner")).to_be_visible()
    expect(plant.locator("y-replay")).to_have_attribute("data-shown-us", str(at_us))
    assert plant.evaluate(TILES) == tiles
    plant.locator(".tile", has_text="L03").click()
    expect(plant).to_have_url(re.compile(rf"/work-units/\d+\?at={at_us}"))
    expect(plant.locator(".past-banner")).to_be_visible()


def test_a_moment_that_has_not_come_or_is_none_is_refused_in_a_sentence(plant: Page):
    for wrong in ("2999-01-01T00:00:00", "yesterday", "-5"):
        answer = plant.request.get(f"{plant.url}?at={wrong}")
        assert answer.status == 422
