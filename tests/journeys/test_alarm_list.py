"""The alarm list in a browser: what is raised appears, keys acknowledge it, nothing moves under the finger."""

from __future__ import annotations

import itertools
import re
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from playwright.sync_api import Page, expect

from tests.journeys.conftest import RunningWeb
from tests.journeys.signing_in import sign_in
from yuheng.alarms.models import Alarm, AlarmDefinition, AlarmJournal
from yuheng.alarms.rules import microseconds
from yuheng.alarms.selectors.live import live_counts, live_headlines
from yuheng.alarms.services.checks import DefinitionSpec
from yuheng.alarms.services.definitions import define
from yuheng.alarms.services.facts import apply_facts
from yuheng.bus.messages import AlarmTransition, LiveAlarms
from yuheng.engines.alarms.vocabulary import Priority
from yuheng.testing import builders

pytestmark = [pytest.mark.browser, pytest.mark.engines]
SEQUENCE = itertools.count(1)
ROWS = "tbody[data-rows] tr.alarm"


def a_definition(code: str, priority: Priority = Priority.HIGH, parent: str = "") -> AlarmDefinition:
    spec = DefinitionSpec(
        code=code,
        when="temperature > 80",
        name_zh=f"{code} 温度高",
        name_en=f"{code} hot",
        message_zh=f"{code}：{{unit}} {{value}}",
        message_en=f"{code}: {{unit}} {{value}}",
        guidance_en="Open the valve",
        guidance_zh="打开阀门",
        priority=priority,
        parent_code=parent,
    )
    kind = builders.an_equipment_class("station")
    return define(actor=builders.SYSTEM, spec=spec, at=datetime.now(UTC), equipment_class_id=kind.pk)


def say(web: RunningWeb, definition: AlarmDefinition, unit: str, kind: str = "activated") -> Alarm:
    """Let the condition of a unit change, and tell it as the worker does."""
    at = datetime.now(UTC)
    unit_id = web.feed.by_code[unit]
    known = Alarm.objects.filter(definition=definition, work_unit_id=unit_id).first()
    began = known.activated_at if known is not None and kind == "cleared" else at
    fact = AlarmTransition(
        definition.pk, unit_id, kind, microseconds(at), microseconds(at), microseconds(began), value=81.2
    )
    apply_facts([fact], at=at)
    tell(web)
    return Alarm.objects.get(definition=definition, work_unit_id=unit_id)


def tell(web: RunningWeb) -> None:
    """Say what the headline list is now."""
    site_id = web.feed.site_id
    before = {row.alarm_id: row for row in web.feed.alarms.alarms} if web.feed.alarms else {}
    rows = live_headlines(site_id)
    named = {row.alarm_id for row in rows}
    gone = [msgspec.structs.replace(row, is_shown=False) for key, row in before.items() if key not in named]
    web.feed.say_alarms(
        LiveAlarms(web.feed.epoch, next(SEQUENCE), microseconds(datetime.now(UTC)), live_counts(site_id), rows), gone
    )


def open_list(page: Page, web: RunningWeb, query: str = "") -> None:
    sign_in(page, web.url)
    page.context.add_cookies([{"name": "django_language", "value": "en", "url": web.url}])
    page.goto(f"{web.url}/alarms/{query}")
    expect(page.locator(".is-live-list")).to_be_visible()


def stand_still(page: Page) -> None:
    """Stop the page's clock: however slow we are, no time passes in it. What the leap woke may reconnect first."""
    page.clock.pause_at(datetime.now(UTC) + timedelta(minutes=10))
    page.clock.run_for(5000)


def test_an_alarm_appears_is_acknowledged_by_keyboard_returns_and_is_in_the_journal(page: Page, web: RunningWeb):
    hot = a_definition("hot")
    open_list(page, web)
    expect(page.locator(ROWS)).to_have_count(0)

    alarm = say(web, hot, "H07")
    row = page.locator(f'{ROWS}[data-alarm="{alarm.pk}"]')
    expect(row).to_contain_text("hot: H07 81.2")
    expect(row).to_contain_text("Active, not acknowledged")
    expect(page.locator("[data-nav-alarms] b")).to_have_text("1")

    page.keyboard.press("j")
    expect(row).to_be_focused()
    expect(page.locator("[data-guide]")).to_contain_text("Open the valve")
    page.keyboard.press("a")
    expect(page.locator("[data-outcome]")).to_contain_text("1 done.")
    alarm.refresh_from_db()
    assert (alarm.is_acked, alarm.acked_by) == (True, "ben")
    tell(web)
    expect(row).to_contain_text("Active, acknowledged")
    expect(row).to_contain_text("by ben")
    expect(row).to_be_focused()

    page.keyboard.press("Shift")  # somebody is there
    say(web, hot, "H07", "cleared")
    expect(row).to_have_class(re.compile(r"\bis-gone\b"))  # it stays under the finger
    page.locator("h1").click()
    page.keyboard.press("n")
    expect(page.locator(ROWS)).to_have_count(0)
    page.goto(f"{web.url}/alarms/journal")
    for said in ("Raised", "Acknowledged", "Returned to normal"):
        expect(page.locator("tbody")).to_contain_text(said)


def test_nothing_moves_while_somebody_chooses_and_what_came_is_counted(page: Page, web: RunningWeb):
    low, high = a_definition("low", Priority.LOW), a_definition("high", Priority.CRITICAL)
    first = say(web, low, "H07")
    open_list(page, web)
    row = page.locator(f'{ROWS}[data-alarm="{first.pk}"]')
    row.hover()
    place = row.bounding_box()
    say(web, high, "P02")
    held = page.locator("[data-held]")
    for turn in range(1000):  # the hand stays at work for as long as it takes
        if held.is_visible():
            break
        row.hover(position={"x": 20 + turn % 2, "y": 5})
    expect(held).to_have_text("1 new: show")
    assert page.locator(ROWS).count() == 1
    moved = row.bounding_box()
    assert place is not None
    assert moved is not None
    assert abs(moved["x"] - place["x"]) < 1
    held.click()
    expect(page.locator(ROWS)).to_have_count(2)
    expect(page.locator(ROWS).first).to_contain_text("high: P02")


def test_shelving_asks_for_a_reason_and_the_focus_comes_back(page: Page, web: RunningWeb):
    alarm = say(web, a_definition("hot"), "H07")
    open_list(page, web)
    page.keyboard.press("j")
    page.keyboard.press("s")
    expect(page.locator("#alarm-ask")).to_be_visible()
    page.keyboard.press("Enter")
    expect(page.locator("[data-ask-error]")).to_have_text("Say why.")
    page.keyboard.type("sensor is being changed")
    page.keyboard.press("Enter")
    expect(page.locator("[data-outcome]")).to_contain_text("1 done.")
    expect(page.locator(f'{ROWS}[data-alarm="{alarm.pk}"]')).to_be_focused()
    alarm.refresh_from_db()
    assert (alarm.shelving, alarm.note) == ("timed", "sensor is being changed")


def test_what_is_grouped_opens_below_its_cause_and_all_are_acknowledged_after_a_question(page: Page, web: RunningWeb):
    root, child = a_definition("root", Priority.CRITICAL), a_definition("child", parent="root")
    say(web, root, "H07")
    say(web, child, "H07")
    open_list(page, web)
    expect(page.locator(ROWS)).to_have_count(1)
    page.keyboard.press("j")
    page.keyboard.press("e")
    expect(page.locator(ROWS)).to_have_count(2)
    expect(page.locator(ROWS).nth(1)).to_contain_text("child: H07")
    page.keyboard.press("Shift+A")
    expect(page.locator("#alarm-ask-title")).to_have_text("Acknowledge all 1 shown alarms?")
    page.keyboard.press("Enter")
    expect(page.locator("[data-outcome]")).to_contain_text("2 done.")
    assert AlarmJournal.objects.filter(kind="acknowledged").count() == 2


def test_the_filters_hold_for_what_comes_live(page: Page, web: RunningWeb):
    low, high = a_definition("low", Priority.LOW), a_definition("high", Priority.CRITICAL)
    open_list(page, web, "?priority=1")
    say(web, low, "H07")
    say(web, high, "P02")
    expect(page.locator(ROWS)).to_have_count(1)
    expect(page.locator(ROWS)).to_contain_text("high: P02")


def test_keys_are_silent_while_somebody_writes_and_when_switched_off(page: Page, web: RunningWeb):
    alarm = say(web, a_definition("hot"), "H07")
    open_list(page, web)
    page.locator("[data-find]").fill("")
    page.keyboard.type("ja")
    expect(page.locator("[data-find]")).to_have_value("ja")
    page.locator("[data-help]").click()
    page.locator("[data-keys]").uncheck()
    page.keyboard.press("Escape")
    page.locator("h1").click()
    page.keyboard.press("j")
    page.keyboard.press("a")
    alarm.refresh_from_db()
    assert not alarm.is_acked


COUNT_WORK = """
() => {
  const body = document.querySelector("tbody[data-rows]");
  [...body.rows].forEach((row, at) => { row.markedAs = at; });
  window.work = {pictures: 0, texts: 0, moves: 0};
  new MutationObserver((list) => {
    window.work.pictures += 1;
    window.work.moves += list.filter((one) => one.target === body).length;
    window.work.texts += list.filter((one) => one.target !== body && one.type === "childList").length;
  }).observe(body, {childList: true, characterData: true, subtree: true});
}
"""
MARKED = "() => [...document.querySelectorAll('tbody[data-rows] tr')].filter((row) => 'markedAs' in row).length"


def test_a_storm_is_painted_once_a_pause_and_only_what_changed(page: Page, web: RunningWeb):
    """A thousand changes are one picture after the pause: in it three texts a row are written and no row moves.

    The texts: how often, how many below it, how long. What it costs is measured by ``yuheng bench alarms``.
    """
    say(web, a_definition("hot"), "H07")
    one, counts = live_headlines(web.feed.site_id)[0], live_counts(web.feed.site_id)
    units = list(web.feed.by_code.values())
    rows = [
        msgspec.structs.replace(
            one, alarm_id=1000 + n, work_unit_id=units[n], priority=1 + n % 4, count=9, child_count=1
        )
        for n in range(50)
    ]

    def told(number: int) -> None:
        web.feed.say_alarms(
            LiveAlarms(
                web.feed.epoch,
                next(SEQUENCE),
                microseconds(datetime.now(UTC)),
                msgspec.structs.replace(counts, unacked=number),
                [msgspec.structs.replace(row, count=row.count + number, child_count=1 + number) for row in rows],
            )
        )

    page.clock.install()
    told(0)
    open_list(page, web)
    expect(page.locator(ROWS)).to_have_count(50)
    stand_still(page)
    page.evaluate(COUNT_WORK)
    heard = page.locator("[data-count=unacked]").first
    for number in range(1, 21):
        told(number)
        expect(heard).to_have_text(str(number))
    page.clock.run_for(299)
    assert page.evaluate("() => window.work.pictures") <= 1  # the first change was shown at once
    pauses = 0
    while "21" not in page.locator(ROWS).first.inner_text():  # counts may come before the lines that they count
        assert (pauses := pauses + 1) < 100
        page.clock.run_for(300)
    work = page.evaluate("() => window.work")
    assert work["pictures"] <= 1 + pauses
    assert work["texts"] <= 3 * 50 * work["pictures"]
    assert work["moves"] == 0
    assert page.evaluate(MARKED) == 50
