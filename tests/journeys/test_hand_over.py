"""One shift tells the next."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.journeys.conftest import RunningWeb
from tests.journeys.signing_in import sign_in

pytestmark = [pytest.mark.browser, pytest.mark.engines]


def test_a_dispatcher_writes_signs_and_looks_at_the_shift_before(page: Page, web: RunningWeb):
    sign_in(page, web.url)
    page.goto(web.url + "/sites/elevator1/hand-over")
    expect(page.locator("tbody th a", has_text="H07").first).to_be_visible()  # what is down is open
    page.locator("#note-text").fill("H07 送丝不稳，备件在路上")
    page.locator("#notes button.primary").click()
    expect(page.locator(".notes")).to_contain_text("备件在路上")
    page.locator("button[value=giving]").click()
    expect(page.locator(".signatures strong")).to_have_text("ben")
    page.locator("button[value=taking]").click()
    expect(page.locator(".error-summary")).to_be_visible()  # nobody takes over from himself
    page.locator("a[rel=prev]").click()
    expect(page).to_have_url(re.compile(r"shift=\d+"))
    expect(page.locator(".notes")).to_have_count(0)
    expect(page.locator(".bullet").first).to_be_visible()
