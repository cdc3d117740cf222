"""The dispatch board in a real browser: drag, keys alone, two dispatchers, ten thousand bars, the table twin."""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.journeys.conftest import RunningWeb
from tests.journeys.signing_in import sign_in
from tests.journeys.test_accessible import violations
from yuheng.operations.models import JobOrder
from yuheng.operations.selectors import jobs
from yuheng.operations.tests import plant as orders
from yuheng.scheduling.building.moving import How, Move
from yuheng.scheduling.models import Plan, SitePlanning
from yuheng.scheduling.services import moves
from yuheng.scheduling.tests.plant import Plant, a_busy_plant, stands
from yuheng.scheduling.tests.test_plans import published

pytestmark = [pytest.mark.browser, pytest.mark.engines]

STATE = """() => { const b = document.querySelector("y-board"); return {
  plan: b.data?.json.number, selected: b.scene.selected, hand: Boolean(b.scene.hand), impact: b.dataset.impact ?? "",
  bars: b.painter.counts.bars, stills: b.painter.counts.still, shown: b.data?.shown }; }"""
PLACE = """(id) => { const b = document.querySelector("y-board"); const i = b.data.place.get(id);
  b.select(i, true); const box = b.painter.box(b.data, b.view, i); const r = b.stage.getBoundingClientRect();
  return [r.left + box[0] + Math.min(12, box[2] / 2), r.top + box[1] + 8]; }"""


MOST_TABS = 90
HAND = """() => { const { scene, view, data } = document.querySelector("y-board");
  const { hand } = scene;
  return hand && [hand.id, data.units.code[hand.unit], hand.start, Math.round(view.x(hand.start))]; }"""
STARTS = """(id) => { const { data } = document.querySelector("y-board");
  return data.ms(data.start[data.place.get(id)]); }"""


class Dispatching:
    """A planned plant and a browser that looks at its board."""

    def __init__(self, page: Page, web: RunningWeb, count: int = 6) -> None:
        self.page, self.web = page, web
        self.now = datetime.now(UTC)
        self.plant: Plant = a_busy_plant(count, 60)
        JobOrder.objects.update(due_at=self.now + timedelta(hours=4))
        SitePlanning.objects.create(site=self.plant.site, frozen_min=0, stop_min=120, solve_s=1)
        self.plan = published(self.plant, self.now)
        sign_in(page, web.url)
        page.context.add_cookies([{"name": "django_language", "value": "en", "url": web.url}])

    def open(self, query: str = "") -> None:
        self.page.goto(f"{self.web.url}/dispatch/?site={self.plant.site.code}{query}")
        expect(self.page.locator("y-board")).to_have_attribute("data-plan", str(self.number))

    @property
    def number(self) -> int:
        return Plan.objects.get(is_published=True).number

    def state(self) -> dict[str, Any]:
        found: dict[str, Any] = self.page.evaluate(STATE)
        return found

    def last(self) -> int:
        """A job order late in the plan."""
        return Plan.objects.get(is_published=True).job_order_ids[-1]

    def wait_for(self, expression: str) -> None:
        """Poll: `Page.wait_for_function` evaluates text in the page, which its content policy forbids."""
        deadline = time.monotonic() + 60
        while not self.page.evaluate(expression):
            assert time.monotonic() < deadline, expression
            self.page.wait_for_timeout(50)

    def tab_to(self, selector: str) -> None:
        """Press Tab until what is meant has the focus, as somebody without a mouse does."""
        passed = []
        for _press in range(MOST_TABS):
            self.page.keyboard.press("Tab")
            passed.append(self.page.evaluate("document.activeElement?.outerHTML.slice(0, 60)"))
            if self.page.evaluate("(one) => document.activeElement?.matches(one) ?? false", selector):
                return
        raise AssertionError(f"{selector} cannot be reached by Tab: {passed}")

    def take_with_mouse(self, job: int, dx: int, dy: int = 0) -> None:
        x, y = self.page.evaluate(PLACE, job)
        self.page.mouse.move(x, y)
        self.page.mouse.down()
        self.page.mouse.move(x + 10, y, steps=2)
        self.page.mouse.move(x + dx, y + dy, steps=5)


@pytest.fixture
def board(page: Page, web: RunningWeb) -> Dispatching:
    return Dispatching(page, web)


def test_a_bar_is_dragged_the_impact_is_said_before_release_and_undone(board: Dispatching):
    board.open()
    job, before = board.last(), board.number
    board.take_with_mouse(job, 150)
    expect(board.page.locator("y-board")).to_have_attribute("data-impact", "yes")
    expect(board.page.locator("[data-figures] tr").first).to_contain_text("Late orders")
    assert board.number == before  # nothing is published while it is in hand
    board.page.keyboard.press("Escape")
    board.page.mouse.up()
    assert not board.state()["hand"]
    assert board.number == before
    board.take_with_mouse(job, 150)
    board.page.mouse.up()
    expect(board.page.locator("[data-said]")).to_contain_text("is moved")
    expect(board.page.locator("y-board")).to_have_attribute("data-plan", str(before + 1))
    moved = JobOrder.objects.get(pk=job)
    assert moved.planned_start > board.now + timedelta(minutes=20)
    board.page.locator("[data-act=undo]").click()
    expect(board.page.locator("y-board")).to_have_attribute("data-plan", str(before + 2))
    assert Plan.objects.get(is_published=True).kind == "restored"


def test_a_job_is_moved_by_keys_alone_and_a_machine_that_cannot_is_refused_in_words(board: Dispatching):
    board.open("&lanes=all")  # the assembler has no work: its lane would be folded
    before = board.number
    board.page.locator("[data-stage]").focus()
    board.page.keyboard.press("ArrowDown")
    assert board.state()["selected"] >= 0
    board.page.keyboard.press("End")
    for _step in range(3):
        board.page.keyboard.press("ArrowRight")
    board.page.keyboard.press("m")
    assert board.state()["hand"]
    board.page.keyboard.press("ArrowDown")  # the other machine that can
    for _step in range(4):
        board.page.keyboard.press("Shift+ArrowRight")
    expect(board.page.locator("y-board")).to_have_attribute("data-impact", "yes")
    board.page.keyboard.press("Enter")
    expect(board.page.locator("y-board")).to_have_attribute("data-plan", str(before + 1))
    job = board.last()
    dy = 2 * board.page.evaluate("document.querySelector('y-board').view.row_height")
    board.take_with_mouse(job, 30, -dy if JobOrder.objects.get(pk=job).work_unit.code == "C2" else -dy // 2)
    expect(board.page.locator("y-board")).to_have_attribute("data-impact", "no")
    expect(board.page.locator("[data-quick]")).to_contain_text("cannot do")
    board.page.keyboard.press("Escape")
    board.page.mouse.up()


def test_two_dispatchers_at_once_the_hand_is_not_disturbed_and_the_second_is_told(board: Dispatching):
    board.open()
    last_two = Plan.objects.get(is_published=True).job_order_ids[-2:]
    before = board.number
    board.take_with_mouse(last_two[1], 160)
    start = datetime.now(UTC) + timedelta(hours=9)
    moves.move(
        actor=board.plant.ben, site_id=board.plant.site_id, command=Move(last_two[0], start, None, How.INSERT),
        expected=before, at=datetime.now(UTC),
    )  # fmt: skip
    board.page.evaluate("document.querySelector('y-board').load()")
    assert board.state()["hand"]
    assert board.state()["plan"] == before
    board.page.mouse.up()
    expect(board.page.locator("[data-refused]")).to_contain_text("ben published plan")
    expect(board.page.locator("y-board")).to_have_attribute("data-plan", str(before + 1))


def test_a_rush_order_is_released_and_dispatched_with_keys_alone(board: Dispatching):
    """From the order to the floor: release, to the board, the first gap, what it leads to, dropped; no mouse."""
    page, before = board.page, board.number
    order = orders.an_order(board.plant, "GEAR", 10, code="RUSH", is_rush=True)
    page.goto(f"{board.web.url}/orders/{order.pk}")
    board.tab_to("form[action$='/release'] button")
    page.keyboard.press("Enter")
    page.wait_for_selector("a[href*='order=RUSH']")
    board.tab_to("a[href*='/dispatch/'][href*='order=RUSH']")
    page.keyboard.press("Enter")
    expect(page.locator("y-board")).to_have_attribute("data-plan", str(before))
    expect(page.locator(".waiting-job")).to_have_count(2)
    first, second = JobOrder.objects.get(code="RUSH-1-10"), JobOrder.objects.get(code="RUSH-1-20")
    board.tab_to(".waiting-job")
    expect(page.locator(".waiting-job:focus")).to_have_attribute("data-job", str(first.pk))
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.matches('[data-stage]')")
    for how in ("slot", "insert"):  # both ways are looked at before one is taken
        expect(page.locator("y-board")).to_have_attribute("data-impact", "yes")
        expect(page.locator("[data-figures] tr").first).to_contain_text("Late orders")
        page.evaluate("document.querySelector('y-board').dataset.impact = ''")
        page.keyboard.press("g")
        assert page.locator("[data-how]").input_value() == how
    expect(page.locator("y-board")).to_have_attribute("data-impact", "yes")
    assert violations(page) == []
    assert board.number == before  # nothing is published while it is in hand
    page.keyboard.press("Enter")
    expect(page.locator("[data-said]")).to_contain_text("is moved")
    expect(page.locator(".waiting-job")).to_have_count(0)  # what follows it has its place behind it
    assert board.number == before + 1
    first.refresh_from_db()
    second.refresh_from_db()
    assert first.work_unit is not None
    assert first.placed_at is not None
    assert second.planned_start >= first.planned_end
    queue = jobs.station_queue(actor=board.plant.ana, work_unit_id=first.work_unit_id, now=datetime.now(UTC))
    assert first.pk in {row.id for row in queue}


def test_what_others_publish_waits_under_the_hand_on_a_board_of_ten_times_the_size(page: Page, web: RunningWeb):
    board = Dispatching(page, web, count=60)
    board.open()
    chosen = Plan.objects.get(is_published=True).job_order_ids
    assert board.state()["shown"] == len(chosen) == 120
    board.take_with_mouse(chosen[40], 120)
    held, stills, seen = page.evaluate(HAND), board.state()["stills"], board.number
    for number, job in enumerate(chosen[-3:]):
        start = datetime.now(UTC) + timedelta(hours=60 + number)
        moves.move(
            actor=board.plant.ben, site_id=board.plant.site_id, command=Move(job, start, None, How.INSERT),
            expected=seen + number, at=datetime.now(UTC),
        )  # fmt: skip
        plan = Plan.objects.get(is_published=True)
        board.web.feed.say_dispatch(plan.pk, board.plant.site_id)
    board.wait_for(f"document.querySelector('y-board').fresh?.number === {board.number}")
    assert page.evaluate(HAND) == held
    assert board.state()["stills"] == stills  # nothing was painted anew below the hand
    assert board.state()["plan"] == seen
    page.keyboard.press("Escape")
    page.mouse.up()
    expect(page.locator("y-board")).to_have_attribute("data-plan", str(board.number))
    lost = JobOrder.objects.get(pk=chosen[40])
    laid = page.evaluate(STARTS, lost.pk)
    assert laid == lost.planned_start.timestamp() * 1000


def test_the_queue_of_a_station_follows_a_plan_that_is_published_while_one_looks(board: Dispatching):
    plan = Plan.objects.get(is_published=True)
    job, was = plan.job_order_ids[-1], plan.work_unit_ids[-1]
    to = next(unit for code, unit in board.plant.units.items() if code != "A1" and unit.pk != was)
    page = board.page
    page.add_init_script(  # only what is told makes this page ask again
        "{ const later = window.setTimeout; window.setTimeout = (f, ms, ...a) => ms > 9000 ? 0 : later(f, ms, ...a); }"
    )
    page.goto(f"{board.web.url}/work-units/{to.pk}/queue")
    rows = page.locator("#queue-part tbody tr")
    expect(rows).not_to_have_count(0)
    expect(page.locator(f"#queue-part tr[data-job='{job}']")).to_have_count(0)
    start = datetime.now(UTC) + timedelta(minutes=30)
    moves.move(
        actor=board.plant.ben, site_id=board.plant.site_id, command=Move(job, start, to.pk, How.INSERT),
        expected=plan.number, at=datetime.now(UTC),
    )  # fmt: skip
    holds = Plan.objects.get(is_published=True)

    def heard() -> bool:  # said until the page listens: what was said before that, nobody heard
        board.web.feed.say_dispatch(holds.pk, board.plant.site_id)
        return bool(page.locator(f"#queue-part tr[data-job='{job}']").count())

    deadline = time.monotonic() + 60
    while not heard() and time.monotonic() < deadline:
        page.wait_for_timeout(100)
    expect(page.locator(f"#queue-part tr[data-job='{job}']")).to_have_count(1)
    ids = [int(one) for one in rows.evaluate_all("(all) => all.map((one) => one.dataset.job)")]
    on = dict(zip(holds.job_order_ids, holds.starts, strict=True))
    there = JobOrder.objects.filter(work_unit=to).values_list("pk", "substate")
    assert ids == [pk for pk, _state in sorted(there, key=lambda one: (one[1] != "ready", on[one[0]]))]


def test_the_table_says_the_same_with_every_action_and_filters_live_in_the_address(board: Dispatching):
    board.open("&order=SO1")
    assert board.state()["shown"] == JobOrder.objects.filter(request__order__code="SO1").count()
    board.page.goto(f"{board.web.url}/dispatch/?site={board.plant.site.code}&view=table&order=SO1&hours=200")
    rows = board.page.locator("tbody tr", has=board.page.locator("a", has_text="Move"))
    assert rows.count() == board.page.locator("tbody tr", has_text="SO1").count() > 0


def test_ten_thousand_bars_are_drawn_only_where_one_looks(board: Dispatching):
    board.open()
    told = board.page.evaluate(
        """async () => {
          const b = document.querySelector("y-board");
          const json = structuredClone(b.data.json);
          const base = json.jobs; const lanes = 200;
          for (const key of Object.keys(base)) base[key] = [];
          json.units = { id: [], code: [], name: [], center: [], calendar: [] };
          for (let u = 0; u < lanes; u++) {
            const unit = { id: u + 1, code: `M${u}`, name: "", center: "c", calendar: -1 };
            for (const [key, value] of Object.entries(unit)) json.units[key].push(value);
          }
          for (let k = 0; k < 10000; k++) {
            const at = Math.floor(k / lanes) * 200 + 60;
            const place = { lane: k % lanes, setup: at, start: at + 10, end: at + 180, order: 0, work: 170 };
            const values = { id: k + 1, code: `J${k}`, name: 0, flags: 0, able: 0, ...place };
            for (const [key, value] of Object.entries(values)) base[key].push(value);
          }
          json.stops = []; b.tag = null; clearInterval(b.timers[0]);
          b.take(json);
          await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
          const still = b.painter.counts.still;
          for (let k = 0; k < 20; k++) b.ask("moving");
          await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
          const { counts } = b.painter;
          const rows = b.view.lastRow() - b.view.firstRow() + 1;
          return { bars: counts.bars, shown: b.data.shown, painted: counts.still - still, rows };
        }"""
    )
    assert told["shown"] == 10_000
    assert told["painted"] == 0  # moving repaints nothing that stands still
    assert 0 < told["bars"] <= told["rows"] * 12


@pytest.mark.parametrize("language", ["zh-hans", "en"])
def test_the_board_can_be_read_by_everybody(board: Dispatching, language: str):
    stands(board.plant, "C1", board.now, cause="12")
    board.page.context.add_cookies([{"name": "django_language", "value": language, "url": board.web.url}])
    shots = os.environ.get("BOARD_SHOTS", "")
    for width, height, theme in ((1920, 1080, "light"), (1920, 1080, "dark"), (1100, 800, "light")):
        board.page.set_viewport_size({"width": width, "height": height})
        board.open()
        board.page.evaluate(f"document.documentElement.dataset.theme = '{theme}'")
        board.page.evaluate(PLACE, board.last())
        assert violations(board.page) == []
        if shots:
            board.wait_for("Boolean(document.querySelector('[data-about] li'))")
            board.page.screenshot(path=f"{shots}/board-{language}-{theme}-{width}.png")
