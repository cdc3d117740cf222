"""The top bar: what a dispatcher watches lies open, what arranges the plant lies under one menu, in one line."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.journeys.conftest import RunningWeb
from tests.journeys.signing_in import sign_in

pytestmark = [pytest.mark.browser, pytest.mark.engines]


def test_the_bar_is_one_line_and_its_menu_opens_and_closes_by_keyboard(page: Page, web: RunningWeb):
    sign_in(page, web.url)
    page.set_viewport_size({"width": 1920, "height": 1080})
    page.goto(web.url + "/equipment")
    main = page.get_by_role("navigation").first
    tops = main.locator(":scope > *").evaluate_all(
        "all => all.map((one) => Math.round(one.getBoundingClientRect().top))"
    )
    assert len(tops) >= 6
    assert max(tops) - min(tops) < 12, "the bar wraps"
    menu, here = main.locator("details.menu"), main.locator("[aria-current=page]")
    expect(here).to_have_attribute("href", "/equipment")
    expect(here).to_be_hidden()
    menu.locator("summary").focus()
    page.keyboard.press("Enter")
    expect(here).to_be_visible()
    page.keyboard.press("Tab")
    page.keyboard.press("Escape")
    expect(here).to_be_hidden()
    expect(menu.locator("summary")).to_be_focused()
    menu.locator("summary").click()
    page.mouse.click(900, 700)
    expect(here).to_be_hidden()
