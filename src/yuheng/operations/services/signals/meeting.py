"""One look at a work unit: whose pieces they are, what signals may do about it, and what disagrees.

Three steps, each in transactions of its own, each following from rows alone: killed between two of them, the next look
goes on where this one ended. Nothing is counted in memory.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime, timedelta

from django.db import transaction

from yuheng.kernel.errors import DomainError
from yuheng.operations.models import JobOrder, UnitMeeting
from yuheng.operations.rules.signals import Stretch
from yuheng.operations.rules.signals.stops import LEAST_IDLE, LEAST_STOP
from yuheng.operations.services.signals import starting
from yuheng.operations.services.signals.acting import ACTOR, Acted, act_on_jobs, tell_count
from yuheng.operations.services.signals.attributing import Met, attribute, reset_comparison, rules_of
from yuheng.operations.services.signals.comparing import compare
from yuheng.telemetry.selectors.states import states_between

STATES_BACK = timedelta(hours=12)
ROUNDS = 4
"""A job that ends lets the next one start: after so many of these the next look goes on."""
TRY_AGAIN = timedelta(seconds=30)
"""What a rule refused may be allowed meanwhile."""
KEPT = ("lags", "is_clock_known", "offset_s", "response_id")
"""What attributing writes down of a unit."""


def meet(*, work_unit_id: int, at: datetime) -> bool:
    """Let the signals of a work unit meet its jobs, as of now. Idempotent. Returns whether anything of a job changed.

    Raises
    ------
    OperationalError
        The database is away, or two of us waited for each other: call it again.
    """
    changed, done, idle = False, set[tuple[int, str]](), set[tuple[int, str]]()
    for _round in range(ROUNDS):
        met = _attribute(work_unit_id, at)
        if met is None:
            return False
        meeting, changed = met.meeting, changed or bool(met.changed)
        stretches = _states(meeting, at)
        acted = act_on_jobs(meeting, met.spans, stretches, at)
        run = _read_run(meeting)
        begun = starting.start_what_runs(meeting, run, met.spans, stretches, at)
        acted.refused += begun.refused
        done |= acted.done | begun.done
        idle |= acted.idle
        acted.done, acted.idle = done, idle - done
        changed = changed or bool(done)
        if not (acted.moved or begun.moved):
            break
    assert met is not None
    _compare(work_unit_id, met, acted, run, stretches, at)
    return changed


@transaction.atomic
def _attribute(work_unit_id: int, at: datetime) -> Met | None:
    meeting = _locked(work_unit_id)
    if meeting is None:
        return None
    before = _kept(meeting)
    met = attribute(meeting, at)
    if met.spoken:
        reset_comparison(met.spoken)
    if _kept(meeting) != before:
        meeting.save(update_fields=KEPT)
    return met


def _kept(meeting: UnitMeeting) -> list[object]:
    return [getattr(meeting, name) for name in KEPT]


def _read_run(meeting: UnitMeeting) -> starting.Run | None:
    """Read the controller's run; only another one is written down, under the lock."""
    known = meeting.run_id
    run = starting.read_run(meeting)
    if meeting.run_id == known:
        return run
    with transaction.atomic():
        locked = _locked(meeting.work_unit_id)
        if locked is None:
            return None
        run = starting.read_run(locked)
        locked.save(update_fields=["run_id", "run_since"])
        meeting.run_id, meeting.run_since = locked.run_id, locked.run_since
    return run


@transaction.atomic
def _compare(
    work_unit_id: int, met: Met, acted: Acted, run: starting.Run | None, stretches: list[Stretch], at: datetime
) -> None:
    meeting = _locked(work_unit_id)
    if meeting is None:
        return
    compare(meeting, met, acted, run, stretches, at)
    due = [*acted.look_at, *(one.start + least for one in stretches[-1:] for least in (LEAST_STOP, LEAST_IDLE))]
    later = [one for one in due if one > at]
    if acted.refused:
        later.append(at + TRY_AGAIN)
    meeting.met_at = at
    if meeting.look_at is None or meeting.look_at <= at:  # not what came while we looked
        meeting.look_at = min(later) if later else None
    meeting.save(update_fields=["met_at", "look_at"])


def _locked(work_unit_id: int) -> UnitMeeting | None:
    rows = UnitMeeting.objects.select_for_update(of=("self",), no_key=True)
    found: UnitMeeting | None = rows.filter(work_unit_id=work_unit_id).first()
    return found


def _states(meeting: UnitMeeting, at: datetime) -> list[Stretch]:
    """Return the unit's states of the last hours, by our clock. One query."""
    offset = timedelta(seconds=meeting.offset_s)
    start, end = at - STATES_BACK - offset, at + timedelta(minutes=15)
    rows = states_between(actor=ACTOR, start=start, end=end, work_unit_ids=[meeting.work_unit_id])
    return [
        Stretch(row.state, row.cause, row.started_at + offset, None if row.ended_at is None else row.ended_at + offset)
        for row in rows
    ]


def put_off(*, work_unit_id: int, until: datetime) -> None:
    """Look at a unit later: a fault of ours there must not be met again and again. One query."""
    UnitMeeting.objects.filter(work_unit_id=work_unit_id).update(look_at=until)


def report_now(*, job_order_id: int, at: datetime) -> None:
    """Report what a machine counted for a job, whatever the rhythm: somebody is about to finish it.

    What a rule refuses is not said here: whoever finishes hears of it.
    """
    directive = JobOrder.objects.filter(pk=job_order_id).values_list("directive", flat=True).first()
    if directive is None or not rules_of(directive).reports:
        return
    with suppress(DomainError), transaction.atomic():
        tell_count(job_order_id, at, Acted(), is_last=True)
