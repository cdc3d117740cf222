"""Signals and jobs meet: on a real database, a machine told by hand."""

from __future__ import annotations

import random
from datetime import timedelta
from decimal import Decimal

import pytest

from yuheng.engineering.rules import SignalRules
from yuheng.engineering.rules.specs import Check
from yuheng.engines.states.vocabulary import UnitState
from yuheng.kernel.errors import Conflict, InvalidInput, NotVisible, PermissionRefused
from yuheng.kernel.models import AuditRecord, OutboxEvent
from yuheng.operations.models import JobCount, JobException, JobOrder, JobResponse, MachineSignal
from yuheng.operations.rules import Act, ResponseKind, Told, derive
from yuheng.operations.services import execute
from yuheng.operations.services.signals import deciding
from yuheng.operations.services.signals.intake import units_to_look_at
from yuheng.operations.tests.plant import AT
from yuheng.operations.tests.signals import AUTOMATIC, COUNTS, Machine, a_counted_job, after
from yuheng.testing.builders import an_actor

pytestmark = pytest.mark.django_db
M = timedelta(minutes=1)


def start(plant, job, at=AT, **more):
    execute.start_job_order(
        actor=plant.ana, job_order_id=job.pk, work_unit_id=plant.units["C1"].pk, at=more.pop("record", at),
        act=Act(happened_at=at), **more,
    )  # fmt: skip


def finish(plant, job, at, **more):
    execute.finish_job_order(actor=plant.ana, job_order_id=job.pk, at=at, **more)


def exceptions(**narrowed):
    return {row.kind: row for row in JobException.objects.filter(**({"state": "open"} | narrowed))}


def told(job):
    """Responses of signals: (kind, minutes since the shift's start, good)."""
    rows = JobResponse.objects.filter(job_order=job, source="signal").order_by("pk")
    return [(row.kind, (row.at - AT) / M, int(row.good)) for row in rows]


# ---- counting -------------------------------------------------------------------------------------------------------


def test_cycles_become_pieces_at_most_once_a_minute_and_each_once():
    plant, job = a_counted_job(quantity=20)
    machine = Machine(plant)
    machine.tell((AT - M, 100.0))
    start(plant, job)
    for i in range(1, 13):
        machine.tell((after(seconds=20 * i), 100.0 + i))
        machine.tell((after(seconds=20 * i), 100.0 + i))  # delivered again
        machine.meet(after(seconds=20 * i + 0.5))
    job.refresh_from_db()
    count = JobCount.objects.get(job_order=job)
    assert (count.counted, count.cycles, job.good) == (12, 12, 10)
    assert [good for _kind, _at, good in told(job)] == [1, 3, 3, 3]
    machine.meet(after(minutes=20))
    job.refresh_from_db()
    assert (job.good, JobCount.objects.get(job_order=job).told) == (12, 12)
    assert count.pace_s == 20.0


def test_a_second_look_and_a_look_after_a_crash_change_nothing():
    plant, job = a_counted_job()
    machine = Machine(plant)
    machine.tell((AT, 0.0))
    start(plant, job)
    machine.tell((after(minutes=1), 1.0), (after(minutes=2), 2.0))
    machine.meet(after(minutes=2))
    before = JobResponse.objects.count()
    MachineSignal.objects.update(is_met=False)  # as if it had died before it was written down that they were met
    machine.meet(after(minutes=2, seconds=1))
    machine.meet(after(minutes=9))
    job.refresh_from_db()
    assert (job.good, JobResponse.objects.count()) == (2, before)


def test_pieces_per_cycle_resets_and_late_readings():
    plant, job = a_counted_job(SignalRules(counts=True, count_symbol="parts", pieces_per_cycle=2.0), quantity=40)
    machine = Machine(plant)
    machine.tell((AT, 7.0))
    start(plant, job)
    machine.tell((after(minutes=1), 8.0), (after(minutes=3), 0.0), (after(minutes=4), 1.0))
    machine.meet(after(minutes=4))
    assert JobCount.objects.get(job_order=job).counted == 4
    machine.tell((after(minutes=2), 9.0), arrived=after(minutes=5))  # before the reset, and told after it
    machine.meet(after(minutes=6))
    assert JobCount.objects.get(job_order=job).counted == 6


@pytest.mark.parametrize("seed", range(4))
def test_random_deliveries_add_up_to_the_pieces_of_each_job(seed):
    chance = random.Random(seed)
    plant, job = a_counted_job(quantity=500)
    machine = Machine(plant)
    machine.tell((AT - M, 40.0))
    start(plant, job)
    value, at, readings = 40.0, AT, []
    true = 0
    for _ in range(60):
        at += chance.uniform(5, 40) * timedelta(seconds=1)
        if chance.random() < 0.06:
            value = 0.0
        else:
            value, true = value + 1, true + 1
        readings.append((at, value))
    waiting, now = [*readings, *chance.sample(readings, 20)], at
    chance.shuffle(waiting)
    while waiting:
        part = [waiting.pop() for _ in range(min(len(waiting), chance.randrange(1, 12)))]
        now += 61 * timedelta(seconds=1)
        for one in part:
            machine.tell(one, arrived=one[0] + timedelta(seconds=1))
        machine.meet(now)
    machine.meet(now + 2 * M)
    job.refresh_from_db()
    assert (JobCount.objects.get(job_order=job).counted, job.good) == (true, true)
    assert sum(row.good for row in JobResponse.objects.filter(job_order=job)) == true


def test_scrap_that_a_person_reports_is_not_counted_again_by_the_machine():
    plant, job = a_counted_job()
    machine = Machine(plant)
    machine.tell((AT, 0.0))
    start(plant, job)
    machine.tell((after(minutes=1), 3.0))
    machine.meet(after(minutes=1))
    execute.report_quantities(actor=plant.ana, job_order_id=job.pk, scrap=1, reason="surface", at=after(minutes=1.5))
    machine.tell((after(minutes=3), 6.0))
    machine.meet(after(minutes=3))
    job.refresh_from_db()
    assert (job.good, job.scrap) == (5, 1)


def test_a_counter_of_good_pieces_leaves_scrap_out():
    plant, job = a_counted_job()
    machine = Machine(plant, role="good_count")
    machine.tell((AT, 0.0))
    start(plant, job)
    execute.report_quantities(actor=plant.ana, job_order_id=job.pk, scrap=1, reason="surface", at=after(minutes=1))
    machine.tell((after(minutes=3), 6.0))
    machine.meet(after(minutes=3))
    job.refresh_from_db()
    assert (job.good, job.scrap) == (6, 1)


def test_what_a_person_confirms_is_only_proposed():
    plant, job = a_counted_job(confirms=("start", "quantity", "finish"))
    machine = Machine(plant)
    machine.tell((AT, 0.0))
    start(plant, job)
    machine.tell((after(minutes=3), 6.0))
    machine.meet(after(minutes=3))
    job.refresh_from_db()
    assert (job.good, JobCount.objects.get(job_order=job).counted, told(job)) == (0, 6, [])


def test_a_job_that_nobody_must_finish_is_finished_with_its_last_piece():
    plant, job = a_counted_job(confirms=("start",), quantity=3)
    machine = Machine(plant)
    machine.tell((AT, 0.0))
    start(plant, job)
    machine.tell((after(minutes=3), 3.0))
    machine.meet(after(minutes=3))
    job.refresh_from_db()
    assert (job.state, job.good) == ("ended", 3)


def test_checks_that_must_be_done_keep_a_signal_from_finishing_and_that_is_told():
    plant, job = a_counted_job(confirms=("start",), quantity=3, checks=(Check("C", name_zh="查", name_en="Look"),))
    machine = Machine(plant)
    machine.tell((AT, 0.0))
    start(plant, job)
    machine.tell((after(minutes=3), 3.0))
    machine.meet(after(minutes=3))
    job.refresh_from_db()
    assert (job.state, job.good) == ("running", 3)
    assert exceptions()["cannot_do"].evidence["verb"] == "finish"


# ---- clocks and offline people --------------------------------------------------------------------------------------


def test_a_machine_whose_clock_is_an_hour_slow_counts_for_the_right_job():
    plant, job = a_counted_job(quantity=100)
    machine = Machine(plant)
    hour = timedelta(hours=1)
    start(plant, job)
    for i in range(8):
        at = after(seconds=15 * i + 5)
        machine.tell((at - hour, float(i)), arrived=at)
        machine.meet(at + timedelta(seconds=1))
    row = exceptions()["clock"]
    assert row.evidence["offset_s"] == 3600.0
    assert JobCount.objects.get(job_order=job).counted == 7
    machine.tell((after(minutes=3), 8.0))  # somebody set it
    machine.meet(after(minutes=4))
    assert exceptions(state="cleared")["clock"].pk == row.pk


def test_a_start_that_a_terminal_tells_late_takes_the_pieces_that_were_nobodys():
    plant, job = a_counted_job(quantity=100)
    machine = Machine(plant)
    machine.tell((AT, 0.0))
    for i in range(1, 6):
        machine.tell((after(minutes=i), float(i)))
        machine.meet(after(minutes=i))
    assert exceptions()["no_job"].counted == 5
    start(plant, job, at=after(minutes=1.5), record=after(minutes=20))  # it had no network
    machine.meet(after(minutes=20, seconds=1))
    job.refresh_from_db()
    assert job.good == 4
    assert exceptions()["no_job"].counted == 1


# ---- the job's clock, starts ----------------------------------------------------------------------------------------


def test_a_unit_rests_a_second_between_two_looks_and_then_sees_all_that_came():
    plant, job = a_counted_job(COUNTS)
    machine = Machine(plant)
    start(plant, job)
    machine.tell((after(seconds=9), 0.0), arrived=after(seconds=9))
    machine.meet(after(seconds=10))
    machine.tell((after(seconds=10), 1.0), arrived=after(seconds=10))
    assert units_to_look_at(at=after(seconds=10, milliseconds=900)) == []
    machine.tell((after(seconds=10, milliseconds=500), 2.0), arrived=after(seconds=10, milliseconds=500))
    assert units_to_look_at(at=after(seconds=11)) == [machine.unit_id]
    machine.meet(after(seconds=11))
    assert units_to_look_at(at=after(seconds=12, milliseconds=100)) == []
    assert MachineSignal.objects.filter(is_met=False).count() == 0


def test_states_pause_and_resume_the_clock_by_event_time():
    plant, job = a_counted_job(SignalRules(pauses=True))
    machine = Machine(plant)
    machine.is_(UnitState.PRODUCING, AT)
    start(plant, job)
    machine.is_(UnitState.DOWN, after(minutes=10), "E17")
    machine.meet(after(minutes=10, seconds=5))
    job.refresh_from_db()
    assert job.state == "running"  # five seconds are no stop
    assert units_to_look_at(at=after(minutes=10, seconds=31)) == [machine.unit_id]
    machine.meet(after(minutes=10, seconds=31))
    job.refresh_from_db()
    last = JobResponse.objects.filter(job_order=job).order_by("-pk")[0]
    assert (job.state, last.kind, last.reason, last.note) == ("interrupted", "paused", "machine:down", "E17")
    assert last.at == after(minutes=10)
    machine.is_(UnitState.PRODUCING, after(minutes=15))
    machine.meet(after(minutes=15, seconds=1))
    job.refresh_from_db()
    assert (job.state, job.worked_s, job.running_since, job.operator) == ("running", 600.0, after(minutes=15), "ana")


def test_a_stop_that_comes_late_is_taken_off_the_clock_once_and_progress_still_follows_from_responses():
    plant, job = a_counted_job(SignalRules(pauses=True))
    machine = Machine(plant)
    machine.is_(UnitState.PRODUCING, AT)
    start(plant, job)
    execute.pause_job_order(actor=plant.ana, job_order_id=job.pk, reason="break", at=after(minutes=30))
    execute.resume_job_order(actor=plant.ana, job_order_id=job.pk, at=after(minutes=40))
    machine.is_(UnitState.DOWN, after(minutes=5))
    machine.is_(UnitState.PRODUCING, after(minutes=9))
    for second in (0, 1):
        machine.meet(after(minutes=41, seconds=second))
    job.refresh_from_db()
    assert job.worked_s == (30 - 4) * 60
    rows = JobResponse.objects.filter(job_order=job).order_by("pk")
    found = derive(
        Told(ResponseKind(row.kind), row.at, row.good, row.scrap, row.rework, row.data.get("clock_s", 0.0))
        for row in rows
    )
    assert found.worked_s == job.worked_s


def test_the_controllers_run_starts_its_job_and_an_unknown_run_is_an_exception_not_a_guess():
    plant, job = a_counted_job(AUTOMATIC, confirms=("finish",))
    machine = Machine(plant)
    machine.is_(UnitState.PRODUCING, AT)
    machine.tell((AT, "NOBODY-77"), symbol="run_id")
    machine.meet(after(seconds=40))
    job.refresh_from_db()
    assert job.state == "allowed_to_start"
    assert exceptions()["unknown_run"].evidence["run_id"] == "NOBODY-77"
    machine.tell((after(minutes=2), job.code), symbol="run_id")
    machine.meet(after(minutes=2, seconds=1))
    job.refresh_from_db()
    assert (job.state, job.work_unit_id, job.actual_start) == ("running", machine.unit_id, after(minutes=2))
    assert JobResponse.objects.get(job_order=job, kind="started").run_id == job.code
    machine.tell((after(minutes=5), JobOrder.objects.get(segment="20").code), symbol="run_id")
    machine.meet(after(minutes=6))
    assert exceptions()["other_run"].job_order_id == job.pk


def test_where_a_person_confirms_the_start_the_run_only_loads_the_job():
    plant, job = a_counted_job(AUTOMATIC, confirms=("start", "finish"))
    machine = Machine(plant)
    machine.is_(UnitState.PRODUCING, AT)
    machine.tell((AT, job.request.code), symbol="run_id")
    machine.meet(after(minutes=1))
    job.refresh_from_db()
    assert (job.state, job.substate) == ("allowed_to_start", "loaded")


def test_a_job_that_a_rule_does_not_let_start_is_an_exception_that_clears_when_it_could():
    plant, _first = a_counted_job()
    second = JobOrder.objects.get(segment="20")
    second.directive["signals"] = {"starts": True, "counts": True, "count_symbol": "parts"}
    second.directive["confirms"] = []
    second.directive["tools"] = [{"tool": "T1", "count": 1}]
    second.state, second.substate, second.work_unit_id = "allowed_to_start", "ready", plant.units["C1"].pk
    second.save()
    machine = Machine(plant)
    machine.is_(UnitState.PRODUCING, AT)
    machine.meet(after(minutes=1))
    assert "T1" in exceptions()["cannot_do"].evidence["sentence"]
    second.directive["tools"] = []
    second.save()
    machine.meet(after(minutes=2))
    second.refresh_from_db()
    assert (second.state, exceptions()) == ("running", {})


# ---- disagreements and what people decide ---------------------------------------------------------------------------


def a_difference():
    """A job of ten reported good of which the machine counted eight."""
    plant, job = a_counted_job(confirms=("start", "quantity", "finish"))
    machine = Machine(plant)
    machine.tell((AT, 0.0))
    start(plant, job)
    machine.tell((after(minutes=8), 8.0))
    machine.meet(after(minutes=8))
    finish(plant, job, after(minutes=10), good=10)
    machine.meet(after(minutes=10, seconds=10))
    assert not exceptions()  # the last readings are still on their way
    machine.meet(after(minutes=11))
    return plant, job, machine, exceptions()["count_differs"]


def test_a_report_that_is_not_the_count_is_told_with_its_evidence():
    _plant, job, machine, row = a_difference()
    assert (row.counted, row.reported, row.job_order_id, row.tag_id) == (8, 10, job.pk, 1)
    assert (row.began_at, row.ended_at) == (AT, after(minutes=10))
    assert OutboxEvent.objects.filter(kind="operations.JobExceptionFound").count() == 1
    machine.meet(after(minutes=12))
    assert JobException.objects.count() == 1


def test_the_count_can_be_taken_the_report_kept_or_explained_once():
    plant, job, machine, row = a_difference()
    deciding.take_count(actor=plant.ben, exception_id=row.pk, at=after(minutes=12))
    job.refresh_from_db()
    row.refresh_from_db()
    assert (job.good, row.state, row.decided_by) == (8, "corrected", "ben")
    assert AuditRecord.objects.filter(action="job_exception.correct").exists()
    machine.meet(after(minutes=13))
    row.refresh_from_db()
    assert row.state == "corrected"
    for verb in (deciding.accept_report, deciding.take_count):
        with pytest.raises(Conflict):
            verb(actor=plant.ben, exception_id=row.pk, at=after(minutes=14))


def test_deciding_is_the_dispatchers_and_a_refusal_leaves_nothing():
    plant, _job, _machine, row = a_difference()
    before = AuditRecord.objects.count()
    with pytest.raises(PermissionRefused):
        deciding.accept_report(actor=plant.ana, exception_id=row.pk, at=after(minutes=12))
    with pytest.raises(NotVisible):
        deciding.accept_report(actor=an_actor("dora"), exception_id=row.pk, at=after(minutes=12))
    with pytest.raises(InvalidInput):
        deciding.explain(actor=plant.ben, exception_id=row.pk, note=" ", at=after(minutes=12))
    row.refresh_from_db()
    assert (row.state, AuditRecord.objects.count()) == ("open", before)
    deciding.explain(actor=plant.ben, exception_id=row.pk, note="Two set-up pieces", at=after(minutes=12))
    row.refresh_from_db()
    assert (row.state, row.note) == ("explained", "Two set-up pieces")


def test_a_machine_that_goes_on_after_the_finish_is_told_with_the_pieces():
    _plant, job, machine, _row = a_difference()
    machine.tell((after(minutes=12), 9.0), (after(minutes=13), 10.0))
    machine.meet(after(minutes=16))
    row = exceptions()["after_finish"]
    assert (row.counted, row.job_order_id) == (2, job.pk)


def test_a_machine_that_goes_on_while_its_job_rests_is_told():
    plant, job = a_counted_job(confirms=("start", "quantity", "finish"))
    machine = Machine(plant)
    machine.tell((AT, 0.0))
    start(plant, job)
    execute.pause_job_order(actor=plant.ana, job_order_id=job.pk, reason="break", at=after(minutes=1))
    machine.tell((after(minutes=3), 1.0), (after(minutes=4), 2.0))
    machine.meet(after(minutes=8))
    assert exceptions()["resting"].counted == 2
    assert JobCount.objects.get(job_order=job).counted == 2  # they are the job's all the same


def test_a_clock_that_runs_while_the_machine_stands_is_told():
    plant, job = a_counted_job(COUNTS)
    machine = Machine(plant)
    machine.is_(UnitState.PRODUCING, AT)
    start(plant, job)
    machine.is_(UnitState.DOWN, after(minutes=5), "E1")
    machine.meet(after(minutes=10))
    assert not exceptions()
    machine.meet(after(minutes=21))
    assert exceptions()["stopped"].evidence == {"state": "down", "cause": "E1"}


def test_manual_stations_and_machines_without_signals_know_nothing_of_all_this():
    plant, job = a_counted_job(SignalRules())
    start(plant, job)
    finish(plant, job, after(minutes=30), good=10)
    Machine(plant).is_(UnitState.DOWN, after(minutes=1))
    Machine(plant).meet(after(hours=2))
    job.refresh_from_db()
    assert (job.state, JobException.objects.count(), JobCount.objects.count()) == ("ended", 0, 0)
    assert job.good == Decimal(10)
