"""The operator's terminal in a real browser: registered, worked at, without a server for an hour, put right again."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.journeys.axe import violations
from tests.journeys.conftest import RunningWeb
from tests.journeys.signing_in import sign_in
from yuheng.operations.models import JobOrder, JobResponse
from yuheng.operations.rules import Act, JobState, Source
from yuheng.operations.services import execute
from yuheng.operations.services.planned import give_places
from yuheng.operations.terminal.models import StationDevice, TerminalAction
from yuheng.operations.terminal.services import devices
from yuheng.operations.tests import plant as floor
from yuheng.people import services as people
from yuheng.testing import builders
from yuheng.testing.builders import an_actor

pytestmark = [pytest.mark.browser, pytest.mark.engines]

TABLET: Any = {"width": 1280, "height": 800}
TARGET = 88
SYNC_MS = 60_000
START_THE_SECOND = """() => {
  const terminal = document.querySelector("y-terminal");
  return terminal.act("start", terminal.state.jobs.find((job) => job.order_code === "SO2"), { crew: [] });
}"""


def now() -> datetime:
    return datetime.now(UTC)


class Station:
    """A tablet at C1 with jobs to do, and what the tests do to it."""

    def __init__(self, page: Page, web: RunningWeb) -> None:
        self.page, self.web = page, web
        self.plant = floor.a_plant()
        floor.a_simple_product(self.plant)
        floor.in_stock(self.plant, "STEEL", 5000, "ST-1")
        floor.a_released_order(self.plant, "GEAR", 400)
        floor.a_released_order(self.plant, "GEAR", 20, code="SO2")
        for who, card in (("ana", "CARD-0001"), ("ben", "CARD-0002")):
            people.issue_badge(actor=an_actor("lin"), person_id=builders.a_person(who).pk, code=card, at=now())
        self.device, self.code = devices.register_device(
            actor=an_actor("lin"), site_id=self.plant.site_id, name="C1-1", at=now()
        )
        self.terminal = page.locator("y-terminal")
        page.set_viewport_size(TABLET)
        page.goto(web.url + "/terminal/")

    def register(self) -> None:
        self.page.fill("#yt-code", self.code)
        self.page.keyboard.press("Enter")
        self.page.fill("#yt-find", "C1")
        self.page.locator(".choices button").first.click()
        expect(self.page.locator("main.sign-in")).to_be_visible()

    def scan(self, code: str) -> None:
        """All keys in one go, as a scanner has them: over a loaded machine's wire they would come in pieces."""
        self.page.evaluate(
            """(keys) => {
              for (const key of keys) {
                const init = { key, code: key === "Enter" ? key : "", bubbles: true, cancelable: true, composed: true };
                document.activeElement.dispatchEvent(new KeyboardEvent("keydown", init));
                document.activeElement.dispatchEvent(new KeyboardEvent("keyup", init));
              }
            }""",
            [*code, "Enter"],
        )

    def badge(self, card: str, name: str) -> None:
        self.scan(card)
        expect(self.page.locator(".who")).to_have_text(name)

    def verb(self, name: str) -> None:
        self.page.locator(f"[data-verb={name}]").click()

    def choose(self, position: int = 0) -> None:
        self.page.locator("dialog[open] .choices button").nth(position).click()

    def report(self, count: int) -> None:
        """So many single good pieces, as fast as the tablet can write them down."""
        self.page.evaluate(
            """async (n) => {
              const terminal = document.querySelector("y-terminal");
              for (let i = 0; i < n; i++) await terminal.act("report", terminal.currentJob(), { good: "1" });
            }""",
            count,
        )

    def synced(self) -> None:
        self.page.evaluate("() => { document.querySelector('y-terminal').sync.now(); }")
        expect(self.terminal).to_have_attribute("data-kept", "0", timeout=SYNC_MS)
        expect(self.terminal).to_have_attribute("data-net", "online")

    def jobs(self) -> list[JobOrder]:
        """The first steps of both orders: what C1 may do."""
        return list(JobOrder.objects.filter(segment="10").order_by("id"))


@pytest.fixture
def station(page: Page, web: RunningWeb) -> Station:
    return Station(page, web)


def test_a_tablet_is_registered_and_a_job_is_made_at_it(station: Station):
    station.register()
    assert StationDevice.objects.get().work_unit.code == "C1"
    station.badge("CARD-0001", "安娜")
    station.verb("start")
    expect(station.page.locator("[data-verb=finish]")).to_be_visible()
    station.verb("set_up")
    expect(station.page.locator("[data-verb=set_up]")).to_have_count(0)
    station.verb("pause")
    station.choose()
    station.verb("resume")
    station.scan("ST-1")
    station.page.locator("dialog[open] button.primary").click()
    station.verb("pieces")
    station.page.keyboard.type("12", delay=150)
    station.page.locator("dialog[open] button.primary").click()
    expect(station.page.locator(".count b").first).to_have_text("12 / 400")
    station.synced()
    job = JobOrder.objects.get(state=JobState.RUNNING)
    assert (job.good, job.work_unit.code, job.operator) == (12, "C1", "ana")
    kinds = list(JobResponse.objects.filter(job_order=job).order_by("id").values_list("kind", flat=True))
    assert kinds[:4] == ["started", "set_up", "paused", "resumed"]
    assert set(kinds[4:]) >= {"consumed", "quantity"}
    assert set(TerminalAction.objects.values_list("outcome", flat=True)) == {"applied"}


def test_another_plan_is_heard_at_once_and_said_and_what_a_person_chose_stays(station: Station):
    page = station.page
    station.register()
    station.badge("CARD-0001", "安娜")
    first, second = station.jobs()
    expect(page.locator("#yt-job")).to_be_visible()
    deadline = time.monotonic() + 60  # the page's content policy forbids what `wait_for_function` does
    while not page.evaluate("document.querySelector('y-terminal').sync.told?.readyState === 1"):
        assert time.monotonic() < deadline
        page.wait_for_timeout(50)
    # from here on the tablet asks only when it is told
    page.evaluate("() => { const { sync } = document.querySelector('y-terminal'); clearTimeout(sync.timer); }")
    unit = station.plant.units["C1"].pk

    def plans(number: int, order: tuple[JobOrder, JobOrder]) -> None:
        start = now() + timedelta(hours=1)
        give_places(
            actor=an_actor("ben"),
            site_id=station.plant.site_id,
            units={job.pk: unit for job in order},
            times={job.pk: (start + timedelta(hours=n), start + timedelta(hours=n + 1)) for n, job in enumerate(order)},
            at=now(),
        )
        station.web.feed.say_dispatch(number, station.plant.site_id)

    plans(7, (second, first))
    expect(page.locator(".scan p")).to_contain_text("SO2 / 10")
    expect(page.locator(".job-panel .mute").first).to_contain_text("SO2")
    expect(page.locator(f"[data-key='next:{first.pk}']")).to_be_visible()
    page.locator(f"[data-key='next:{first.pk}']").click()
    expect(page.locator(".job-panel .mute").first).to_contain_text("SO1")
    page.evaluate("() => { const { sync } = document.querySelector('y-terminal'); clearTimeout(sync.timer); }")
    plans(8, (first, second))
    expect(page.locator(".scan p")).to_contain_text("SO1 / 10")
    expect(page.locator(".job-panel .mute").first).to_contain_text("SO1")


def test_without_the_server_for_an_hour(station: Station):
    """The third judgement: server killed, 200 actions, page reloaded, server back, another terminal having moved on."""
    page, web = station.page, station.web
    station.register()
    station.badge("CARD-0001", "安娜")
    expect(station.terminal).to_have_attribute("data-offline-ready", "true")
    station.synced()
    first, second = station.jobs()
    web.stop()

    station.verb("start")
    expect(page.locator("[data-verb=finish]")).to_be_visible()
    station.report(98)
    page.reload()
    expect(page.locator(".count b").first).to_have_text(f"98 / {first.quantity.normalize():f}")
    station.badge("CARD-0002", "本")  # shift change without a network; the running job goes on
    station.verb("pause")
    station.choose()
    page.locator(f"[data-key='next:{second.pk}']").click()
    page.evaluate(START_THE_SECOND)
    station.report(97)
    expect(station.terminal).to_have_attribute("data-net", "offline")
    waiting = int(station.terminal.get_attribute("data-waiting") or 0)
    assert waiting >= 200

    ana = an_actor("ana")
    other = station.plant.units["C2"].pk  # meanwhile another station takes the second job
    execute.start_job_order(actor=ana, job_order_id=second.pk, work_unit_id=other, at=now())
    execute.report_quantities(actor=ana, job_order_id=second.pk, good=3, at=now())

    again = RunningWeb(web.feed, int(web.url.rsplit(":", 1)[1]))
    again.start()
    try:
        station.synced()
        rows = list(TerminalAction.objects.order_by("id"))
        assert [row.sequence for row in rows] == list(range(1, len(rows) + 1))
        assert len(rows) == waiting + 1  # and Ana's sign-in, which was sent before
        assert len({row.action_id for row in rows}) == len(rows)
        first.refresh_from_db()
        second.refresh_from_db()
        assert (first.good, first.state) == (98, "interrupted")
        assert (second.good, second.work_unit_id) == (3, other)
        happened = list(JobResponse.objects.filter(job_order=first).order_by("id").values_list("at", flat=True))
        assert happened == sorted(happened)
        of_second = [row for row in rows if row.job_order_id == second.pk]
        assert [row.outcome for row in of_second][:2] == ["conflict", "held"]
        assert {row.outcome for row in of_second[1:]} == {"held"}
        assert {row.outcome for row in rows if row.job_order_id != second.pk} == {"applied"}
        page.locator("[data-key=net]").click()
        listed = page.locator("[data-conflicts] li")
        expect(listed).to_have_count(len(of_second))
        expect(listed.first).to_contain_text(of_second[0].sentence)
        page.keyboard.press("Escape")
        _a_supervisor_decides(page, again, of_second)
    finally:
        again.stop()


def _a_supervisor_decides(page: Page, web: RunningWeb, rows: list[TerminalAction]) -> None:
    sign_in(page, web.url)
    page.goto(web.url + "/terminals/conflicts")
    line = page.locator(f"#report-{rows[0].pk}")
    expect(line).to_contain_text(rows[0].sentence)
    line.locator("input[name=reason]").fill("C2 made it.")
    line.locator("button.danger").click()
    expect(page.locator(f"#report-{rows[0].pk}")).to_have_count(0)
    rows[0].refresh_from_db()
    assert (rows[0].outcome, rows[0].settled_by, rows[0].discard_reason) == ("discarded", "ben", "C2 made it.")
    second = JobOrder.objects.get(pk=rows[0].job_order_id)
    assert (
        second.good
        == Decimal(3) + TerminalAction.objects.filter(job_order_id=second.pk, outcome="applied", kind="report").count()
    )


def test_a_number_and_a_pin_sign_in_and_a_wrong_one_is_told(station: Station):
    number = people.set_pin(actor=an_actor("ana"), person_id=builders.a_person("ana").pk, pin="4827", at=now())
    station.register()
    page = station.page
    page.keyboard.type(number, delay=150)
    expect(page.locator("[data-field=number] b")).to_have_text(number)
    page.evaluate("() => document.querySelector('y-terminal').sync.now()")  # an exchange while somebody types
    expect(page.locator("[data-field=number] b")).to_have_text(number)
    page.locator("[data-field=pin]").click()
    page.keyboard.type("4826", delay=150)
    page.locator("main .primary").click()
    expect(page.locator(".outcome")).to_contain_text("▲")
    page.keyboard.type(number, delay=150)
    page.locator("[data-field=pin]").click()
    for digit in "4827":
        page.locator(f"main [data-pad='{digit}']").click()
    page.locator("main .primary").click()
    expect(page.locator(".who")).to_have_text("安娜")


def test_a_store_that_was_rolled_back_loses_and_doubles_nothing(station: Station):
    station.register()
    station.badge("CARD-0001", "安娜")
    station.verb("start")
    expect(station.page.locator("[data-verb=finish]")).to_be_visible()
    station.report(5)
    station.synced()
    station.page.evaluate(
        """async () => {
          const { store } = document.querySelector("y-terminal");
          const stream = await store.stream();
          await store.setFact("stream", { id: stream.id, next: stream.next - 3 }); // as after a power cut
        }"""
    )
    station.report(2)
    station.synced()
    expect(station.terminal).to_have_attribute("data-waiting", "0", timeout=SYNC_MS)
    deadline = time.monotonic() + SYNC_MS / 1000  # what was counted anew goes with the next exchange
    while JobOrder.objects.get(state=JobState.RUNNING).good != 7 and time.monotonic() < deadline:
        station.page.wait_for_timeout(50)
    assert JobOrder.objects.get(state=JobState.RUNNING).good == 7
    assert set(TerminalAction.objects.values_list("outcome", flat=True)) == {"applied"}


def test_a_number_that_waits_to_be_let_go_is_not_given_twice(station: Station):
    """The counter is rolled back while answered actions are still in the queue: the picture came before the crash."""
    station.register()
    station.badge("CARD-0001", "安娜")
    station.verb("start")
    expect(station.page.locator("[data-verb=finish]")).to_be_visible()
    station.synced()
    kept = station.page.evaluate(
        """async () => {
          const terminal = document.querySelector("y-terminal");
          const { store, sync } = terminal;
          sync.fetchPicture = async () => {}; // the picture that would let go of them does not come
          for (let i = 0; i < 3; i++) await terminal.act("report", terminal.currentJob(), { good: "1" });
          await sync.now();
          while ((await store.queue()).some((one) => !one.outcome)) await sync.now();
          const { id, next } = await store.stream();
          await store.setFact("stream", { id, next: next - 2 });
          delete sync.fetchPicture;
          await terminal.act("report", terminal.currentJob(), { good: "1" });
          return (await store.queue()).map((one) => one.sequence);
        }"""
    )
    assert len(set(kept)) == len(kept)
    station.synced()
    assert JobOrder.objects.get(state=JobState.RUNNING).good == 4
    assert set(TerminalAction.objects.values_list("outcome", flat=True)) == {"applied"}


def test_what_cannot_be_written_down_did_not_happen_and_says_so(station: Station):
    station.register()
    station.badge("CARD-0001", "安娜")
    station.synced()
    station.page.evaluate(
        """() => {
          const { store } = document.querySelector("y-terminal");
          store.append = async () => { throw new DOMException("full", "QuotaExceededError"); };
        }"""
    )
    station.verb("start")
    expect(station.page.locator(".scan .is-bad")).to_contain_text("▲")
    expect(station.page.locator("[data-verb=start]")).to_be_visible()
    station.page.evaluate("() => { delete document.querySelector('y-terminal').store.append; }")
    station.verb("start")
    expect(station.page.locator("[data-verb=finish]")).to_be_visible()
    station.synced()
    assert JobOrder.objects.filter(state=JobState.RUNNING).count() == 1


def test_what_the_machine_did_by_itself_is_told(station: Station):
    station.register()
    station.badge("CARD-0001", "安娜")
    station.synced()
    job = station.jobs()[0]
    act = Act(source=Source.SIGNAL)
    unit = station.plant.units["C1"].pk
    execute.start_job_order(actor=an_actor("ana"), job_order_id=job.pk, work_unit_id=unit, at=now(), act=act)
    station.synced()
    expect(station.page.locator("[data-machine]")).to_contain_text(job.code)
    expect(station.page.locator(".scan p")).to_contain_text(job.code)
    execute.pause_job_order(actor=an_actor("ana"), job_order_id=job.pk, reason="machine:down", at=now(), act=act)
    station.synced()
    expect(station.page.locator("[data-machine]")).not_to_contain_text("machine:down")


def test_a_revoked_tablet_is_turned_away_and_keeps_what_it_has(station: Station):
    station.register()
    station.badge("CARD-0001", "安娜")
    station.synced()
    devices.revoke_device(actor=an_actor("lin"), device_id=station.device.pk, at=now())
    station.verb("start")
    expect(station.terminal).to_have_attribute("data-waiting", "1")
    station.page.locator("[data-key=net]").click()
    expect(station.page.locator("dialog[open] [data-waiting] li")).to_have_count(1)
    expect(station.page.locator("dialog[open] .lead").first).not_to_have_text("")
    assert not JobOrder.objects.filter(state=JobState.RUNNING).exists()


def test_every_target_fits_a_glove_and_axe_finds_nothing(station: Station):
    station.register()
    page = station.page
    faults: dict[str, Any] = {}

    def look(name: str) -> None:
        small = page.evaluate(
            """(least) => [...document.querySelectorAll("button, a.button, input")]
              .filter((one) => one.checkVisibility())
              .map((one) => [one.textContent.slice(0, 30), one.getBoundingClientRect()])
              .filter(([, box]) => box.width < least - 0.5 || box.height < least - 0.5)
              .map(([text, box]) => `${text}: ${box.width} x ${box.height}`)""",
            TARGET,
        )
        found = violations(page)
        page.evaluate("document.documentElement.dataset.theme = 'dark'")
        found += violations(page)
        page.evaluate("document.documentElement.dataset.theme = 'light'")
        if small or found:
            faults[name] = (small, found)

    look("sign-in")
    station.badge("CARD-0001", "安娜")
    look("job")
    page.locator("[data-key=language]").click()
    expect(page.locator("html")).to_have_attribute("lang", "en")
    look("job in English")
    station.verb("start")
    for verb in ("pause", "pieces", "finish", "help"):
        station.verb(verb)
        expect(page.locator("dialog[open]")).to_be_visible()
        look(verb)
        page.keyboard.press("Escape")
    for key in ("person", "net", "camera"):
        page.locator(f"[data-key={key}]").click()
        expect(page.locator("dialog[open]")).to_be_visible()
        look(key)
        page.keyboard.press("Escape")
    assert faults == {}
