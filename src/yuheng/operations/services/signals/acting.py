"""What signals do to job orders by themselves, as far as their work masters let them: count, start, pause, finish.

Each act goes through the floor's own verbs, in a transaction of its own, with an action id of its own. A rule that says
no is never worked around: it becomes an exception that people see.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import ROUND_FLOOR, Decimal

from django.db import transaction

from yuheng.engines.states.vocabulary import UnitState
from yuheng.kernel.actor import system_actor
from yuheng.kernel.errors import DomainError
from yuheng.operations.models import JobCount, JobOrder, JobResponse, UnitMeeting
from yuheng.operations.rules import Act, JobState, JobSubstate, ResponseKind, Source, most_to_report
from yuheng.operations.rules.progress import ZERO
from yuheng.operations.rules.signals import OnClock, Span, Stretch, Verb, VerbKind, clock_verbs, late_stops
from yuheng.operations.services import execute, records
from yuheng.operations.services.access import EXECUTE, locked_job
from yuheng.operations.services.facts import note_audit, repeated, respond
from yuheng.operations.services.flow import arrival_of, counts_pieces, processed
from yuheng.operations.services.signals.attributing import JobRules, rules_of

ACTOR = system_actor("signals")
TELL_EVERY = timedelta(seconds=60)
"""At most so often a machine reports pieces of a job; the count itself is shown at once."""
BEGUN = [JobState.RUNNING.value, JobState.INTERRUPTED.value]
_READ = ("pk", "directive", "state", "substate", "running_since", "code", "quantity", "good", "scrap", "rework")
MACHINE = "machine:"
"""A reason that a machine gives begins with this; the state's name follows."""


@dataclass(slots=True)
class Acted:
    """What was tried: what a rule refused (job, verb, sentence), what worked, what had no occasion; when to look."""

    refused: list[tuple[int, str, str]] = field(default_factory=list)
    done: set[tuple[int, str]] = field(default_factory=set)
    idle: set[tuple[int, str]] = field(default_factory=set)
    look_at: list[datetime] = field(default_factory=list)
    moved: bool = False  # a job began, paused, went on or ended: whose pieces they are is to be looked at again


def act_on_jobs(meeting: UnitMeeting, spans: Sequence[Span], stretches: Sequence[Stretch], at: datetime) -> Acted:
    """Do what signals may do to the job orders that have begun at a work unit."""
    acted = Acted()
    rows = JobOrder.objects.filter(work_unit_id=meeting.work_unit_id, state__in=BEGUN).order_by("pk")
    jobs = [(job, rules_of(job.directive)) for job in rows.only(*_READ)]
    reporting = [job.pk for job, rules in jobs if rules.reports]
    counts = {row.job_order_id: row for row in JobCount.objects.filter(job_order_id__in=reporting)} if reporting else {}
    for job, rules in jobs:
        if rules.pauses:
            _mind_clock(job, rules, meeting, spans, stretches, at, acted)
        if not rules.reports:
            continue
        count = counts.get(job.pk)
        if count is not None and (_is_more(job, count) or _is_less(job, count)):
            attempt(acted, job.pk, "report", lambda job=job: tell_count(job.pk, at, acted))
        else:
            acted.idle.add((job.pk, "report"))
        if "finish" in rules.confirms:
            continue
        if count is not None and (_is_more(job, count) or processed(job) >= job.quantity):
            attempt(acted, job.pk, "finish", lambda job=job: _finish(job.pk, at, acted))
        else:
            acted.idle.add((job.pk, "finish"))
    return acted


def _is_more(job: JobOrder, count: JobCount) -> bool:
    """Return whether the machine counted more than is reported."""
    return bool(count.counted > _reported(job, count))


def _is_less(job: JobOrder, count: JobCount) -> bool:
    """Return whether signals reported more than the machine made, as is known now."""
    return bool(count.told > count.counted and _reported(job, count) > count.counted)


def _reported(job: JobOrder, count: JobCount) -> Decimal:
    return job.good if count.is_good_only else processed(job)


def attempt(acted: Acted, job_id: int, verb: str, work: object) -> None:
    """Do one thing in a transaction of its own; a rule's no is kept with its sentence."""
    assert callable(work)
    try:
        with transaction.atomic():
            work()
    except DomainError as error:
        acted.refused.append((job_id, verb, str(error)))
    else:
        acted.done.add((job_id, verb))


# ---- the job's clock ------------------------------------------------------------------------------------------------


def _mind_clock(
    job: JobOrder,
    rules: JobRules,
    meeting: UnitMeeting,
    spans: Sequence[Span],
    stretches: Sequence[Stretch],
    at: datetime,
    acted: Acted,
) -> None:
    clock, seen = _clock_of(job, rules, stretches)
    if clock is None:
        return
    for verb in clock_verbs(clock, seen, at):
        attempt(acted, job.pk, verb.kind.value, lambda verb=verb: _move_clock(job, verb, at))
        if (job.pk, verb.kind.value) not in acted.done:
            return
        acted.moved = True
    span = next((one for one in reversed(spans) if one.job_order_id == job.pk), None)
    if span is None:
        return
    for late in late_stops(span, clock, stretches, at):
        seconds = (late.end - late.start).total_seconds()
        cause = f"{MACHINE}{UnitState(late.state).name.lower()} {late.cause}".strip()
        attempt(
            acted, job.pk, "clock",
            lambda late=late, seconds=seconds, cause=cause: correct_clock(job.pk, late.start, seconds, cause, at),
        )  # fmt: skip


def _clock_of(job: JobOrder, rules: JobRules, stretches: Sequence[Stretch]) -> tuple[OnClock | None, Sequence[Stretch]]:
    """Return where the job's clock stands, and the states that matter to it."""
    if job.state == JobState.RUNNING.value:
        return (OnClock(True, job.running_since) if job.running_since else None), stretches
    last = (
        JobResponse.objects.filter(job_order_id=job.pk, kind=ResponseKind.PAUSED.value)
        .order_by("-pk")
        .values_list("source", "at")
        .first()
    )
    if last is None or job.substate == JobSubstate.SUSPENDED.value:
        return None, stretches
    source, since = last
    if source == Source.SIGNAL.value:
        return OnClock(False, since, may_resume=True), stretches
    if not rules.starts or "start" in rules.confirms:
        return None, stretches
    # A person paused it while the machine ran out: only a beginning after that lets it go on.
    return OnClock(False, since, may_resume=True), [one for one in stretches if one.start > since]


def _move_clock(job: JobOrder, verb: Verb, at: datetime) -> None:
    moment = int(verb.at.timestamp() * 1e6)
    act = Act(f"sig-{job.pk}-{verb.kind.value}-{moment}", min(verb.at, at), Source.SIGNAL)
    if verb.kind is VerbKind.PAUSE:
        reason = f"{MACHINE}{UnitState(verb.state).name.lower()}"
        execute.pause_job_order(actor=ACTOR, job_order_id=job.pk, reason=reason, note=verb.cause[:400], at=at, act=act)
    else:
        execute.resume_job_order(actor=ACTOR, job_order_id=job.pk, at=at, act=act)


def correct_clock(job_order_id: int, start: datetime, seconds: float, cause: str, at: datetime) -> None:
    """Take time off a job's clock that came to be known as a stop when the clock had gone on. Once for each start."""
    job = locked_job(actor=ACTOR, job_order_id=job_order_id, permission=EXECUTE)
    act = Act(f"sig-{job.pk}-late-{int(start.timestamp() * 1e6)}", min(start, at), Source.SIGNAL)
    if repeated(job, act, ResponseKind.NOTE) is not None:
        return
    taken = min(seconds, job.worked_s)
    if taken <= 0:
        return
    job.worked_s -= taken
    job.save(update_fields=["worked_s"])
    respond(
        job, ResponseKind.NOTE, actor=ACTOR, at=at, happened=min(start, at), act=act, note=cause[:400],
        data={"clock_s": -taken},
    )  # fmt: skip
    note_audit(job, "clock", actor=ACTOR, at=at, seconds=-taken, reason=cause[:80])


# ---- pieces ---------------------------------------------------------------------------------------------------------


def tell_count(job_order_id: int, at: datetime, acted: Acted, *, is_last: bool = False) -> None:
    """Bring what is reported up to what the machine counted, as far as the job and what has arrived allow.

    ``is_last``: now, whatever the rhythm. Inside a transaction. Raises `DomainError`.
    """
    job = locked_job(actor=ACTOR, job_order_id=job_order_id, permission=EXECUTE)
    count = JobCount.objects.select_for_update(of=("self",)).filter(job_order_id=job.pk).first()
    if count is None or job.state not in BEGUN or job.substate == JobSubstate.SUSPENDED.value:
        return
    if _is_less(job, count):
        _take_back(job, count, at)
        return
    most = most_to_report(job.quantity, processed(job), arrival_of(job))
    pieces = min(count.counted - _reported(job, count), most)
    if counts_pieces(job.unit):
        pieces = pieces.to_integral_value(ROUND_FLOOR)
    if pieces <= 0:
        return
    if not is_last and not _is_worth_telling(job, count, pieces, at):
        acted.look_at.append((count.told_at or at) + TELL_EVERY)
        return
    happened = min(count.last_at or at, at)
    act = Act(f"sig-{job.pk}-{count.told_times + 1}", happened, Source.SIGNAL, _run_id(count), count.work_unit_id)
    execute.report_quantities(actor=ACTOR, job_order_id=job.pk, good=pieces, at=at, act=act)
    count.told, count.told_times, count.told_at = count.told + pieces, count.told_times + 1, at
    count.save(update_fields=["told", "told_times", "told_at"])


def _run_id(count: JobCount) -> str:
    rows = UnitMeeting.objects.filter(work_unit_id=count.work_unit_id).values_list("run_id", flat=True)
    return rows.first() or ""


def _is_worth_telling(job: JobOrder, count: JobCount, pieces: Decimal, at: datetime) -> bool:
    """Return whether somebody waits for these pieces, or it is time: a response each piece would be millions."""
    if count.told_at is None or at - count.told_at >= TELL_EVERY:
        return True
    if job.state != JobState.RUNNING.value or processed(job) + pieces >= job.quantity:
        return True
    batch = job.transfer_batch
    return batch is not None and (job.good + pieces) // batch > job.good // batch


def _take_back(job: JobOrder, count: JobCount, at: datetime) -> None:
    """Signals reported more than the machine made, as is known now: correct their last report."""
    last = JobResponse.objects.filter(
        job_order_id=job.pk, kind=ResponseKind.QUANTITY.value, source=Source.SIGNAL.value
    ).order_by("-pk")
    response_id = last.values_list("pk", flat=True).first()
    if response_id is None:
        return
    change = -min(count.told - count.counted, _reported(job, count) - count.counted, job.good)
    if change >= 0:
        return
    act = Act(f"sig-{job.pk}-{count.told_times + 1}", None, Source.SIGNAL)
    records.correct_response(
        actor=ACTOR, response_id=response_id, good=change, reason=f"{MACHINE}count", at=at, act=act
    )
    count.told, count.told_times = count.told + change, count.told_times + 1
    count.save(update_fields=["told", "told_times"])


def _finish(job_order_id: int, at: datetime, acted: Acted) -> None:
    """Finish a job order of which every piece is reported, when nobody has to say so."""
    job = locked_job(actor=ACTOR, job_order_id=job_order_id, permission=EXECUTE)
    count = JobCount.objects.filter(job_order_id=job.pk).first()
    if count is None or job.state not in BEGUN or job.substate == JobSubstate.SUSPENDED.value:
        return
    if processed(job) < job.quantity or job.good <= ZERO:
        return
    happened = max(min(count.last_at or at, at), job.running_since or job.actual_start or at)
    act = Act(f"sig-{job.pk}-finish", min(happened, at), Source.SIGNAL)
    execute.finish_job_order(actor=ACTOR, job_order_id=job.pk, at=at, act=act)
    acted.moved = True
