"""A dispatcher looks at the plant."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.journeys.conftest import RunningWeb
from tests.journeys.signing_in import sign_in
from yuheng.engines.states.vocabulary import UnitState

pytestmark = [pytest.mark.browser, pytest.mark.engines]


def test_a_tile_changes_when_its_machine_stops(page: Page, web: RunningWeb):
    sign_in(page, web.url)
    page.goto(web.url + "/")
    tile = page.locator(".tile", has_text="L03")
    expect(tile).to_have_class("tile is-producing")
    web.feed.change(("L03", UnitState.DOWN, "12"))
    expect(tile).to_have_class("tile is-down")
    expect(tile).to_contain_text("送丝故障")
    expect(page.locator(".attention")).to_contain_text("L03")
