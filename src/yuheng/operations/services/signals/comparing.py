"""What disagrees between a machine and what was booked becomes an exception: told once, growing, clearing itself."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db.models import Q

from yuheng.engines.states.vocabulary import UnitState
from yuheng.equipment import selectors as equipment
from yuheng.kernel.events import publish
from yuheng.operations.events import JobExceptionDecided, JobExceptionFound
from yuheng.operations.models import JobCount, JobException, JobOrder, MachineSignal, UnitMeeting
from yuheng.operations.rules import OPEN_STATES, JobState
from yuheng.operations.rules.progress import ZERO
from yuheng.operations.rules.signals import ExceptionKind, ExceptionState, How, SignalKind, Span, StepKind, Stretch
from yuheng.operations.rules.signals.stops import stops_of
from yuheng.operations.services.signals.acting import Acted
from yuheng.operations.services.signals.attributing import Met, rules_of
from yuheng.operations.services.signals.starting import Run

COMPARED_AFTER = timedelta(seconds=30)
"""After the finish the machine's last readings still arrive."""
NO_JOB_AFTER = timedelta(minutes=2)
SAME_RUN = timedelta(minutes=15)
"""Pieces without a job that lie closer together are one occurrence."""
RUN_AFTER = timedelta(seconds=30)
LONG_STOP = timedelta(minutes=15)
RESTS_AFTER = timedelta(seconds=60)
LOOKED_BACK = timedelta(days=2)


@dataclass(frozen=True, slots=True)
class Found:
    """One disagreement as it is now."""

    kind: ExceptionKind
    key: str
    began_at: datetime
    job_order_id: int | None = None
    ended_at: datetime | None = None
    tag_id: int | None = None
    counted: Decimal | None = None
    reported: Decimal | None = None
    evidence: Mapping[str, Any] | None = None


def compare(
    meeting: UnitMeeting,
    met: Met,
    acted: Acted,
    run: Run | None,
    stretches: Sequence[Stretch],
    at: datetime,
) -> None:
    """Find what disagrees at a work unit, tell what is new, and clear what is not true any more."""
    found = [
        *_uncounted(meeting, met, at, acted),
        *_wrong_run(meeting, run, at, acted),
        *_stopped(meeting, stretches, at, acted),
        *_clock(meeting, met, at),
        *_jumps(meeting, at),
        *_refused(acted, at),
    ]
    told, cleared = _compared(meeting, at, acted)
    _write(meeting, [*found, *told], at)
    _clear(meeting, {one.key for one in found}, cleared, acted, at)


# ---- counted and reported -------------------------------------------------------------------------------------------


def _compared(meeting: UnitMeeting, at: datetime, acted: Acted) -> tuple[list[Found], list[int]]:
    """Compare what was counted for jobs that are over with what was reported; return also those that agree."""
    rows = list(
        JobCount.objects.filter(work_unit_id=meeting.work_unit_id, is_compared=False)
        .exclude(job_order__state__in=[JobState.RUNNING.value, JobState.INTERRUPTED.value])
        .select_related("job_order")[:100]
    )
    found, agree = [], []
    for row in rows:
        job = row.job_order
        ended = job.actual_end
        if ended is None:
            continue
        if at < ended + COMPARED_AFTER:
            acted.look_at.append(ended + COMPARED_AFTER)
            continue
        if job.state == JobState.ENDED.value and rules_of(job.directive).counts and not agrees(row, job):
            found.append(_count_differs(row, job))
        else:
            agree.append(job.pk)
        row.is_compared = True
    JobCount.objects.bulk_update(rows, ["is_compared"])
    return found, agree


def agrees(count: JobCount, job: JobOrder) -> bool:
    """Return whether a machine's count and what people reported can both be true.

    A counter of good pieces is compared with these; one of all cycles with all pieces, or, where the machine throws
    scrap out before it counts, with anything between.
    """
    least = job.good
    most = job.good if count.is_good_only else job.good + job.scrap + job.rework
    return bool(least <= count.counted <= most)


def _count_differs(count: JobCount, job: JobOrder) -> Found:
    reported = job.good if count.is_good_only else job.good + job.scrap + job.rework
    return Found(
        ExceptionKind.COUNT_DIFFERS,
        f"count:{job.pk}",
        job.actual_start or count.first_at or job.changed_at,
        job.pk,
        job.actual_end,
        count.tag_id or None,
        count.counted,
        reported,
        {"good": str(job.good), "scrap": str(job.scrap), "rework": str(job.rework), "cycles": count.cycles,
         "told": str(count.told), "is_good_only": count.is_good_only},
    )  # fmt: skip


# ---- pieces that are nobody's ---------------------------------------------------------------------------------------


def _uncounted(meeting: UnitMeeting, met: Met, at: datetime, acted: Acted) -> list[Found]:
    """Find pieces that were made without a job, after one had been finished, or while it rested."""
    if not met.spans and not _is_used(meeting):
        return []
    rows = list(
        MachineSignal.objects.filter(
            work_unit_id=meeting.work_unit_id, kind=SignalKind.COUNT.value, count__gt=0, is_timed=True,
            happened_at__gte=at - LOOKED_BACK, how__in=[How.NOBODY.value, How.RESTING.value],
        )
        .order_by("happened_at")
        .values_list("pk", "how", "job_order_id", "happened_at", "arrived_at", "pieces", "value", "tag_id", "began_at")
    )  # fmt: skip
    found: list[Found] = []
    for group in _together(rows):
        known_for = at - min(row[4] for row in group)
        if known_for < NO_JOB_AFTER:
            acted.look_at.append(min(row[4] for row in group) + NO_JOB_AFTER)
            continue
        one = _nobodys(meeting, met, group)
        if one is not None:
            found.append(one)
    return found


def _is_used(meeting: UnitMeeting) -> bool:
    """Return whether job orders are meant for a unit at all: a plant may count without booking. Two queries."""
    found = equipment.units_that_work(site_id=meeting.site_id, ids=[meeting.work_unit_id]).get(meeting.work_unit_id)
    mine = Q(work_unit_id=meeting.work_unit_id) | Q(candidates__contains=[meeting.work_unit_id])
    if found is not None and found[1] is not None:
        mine |= Q(work_unit__isnull=True, equipment_class_id=found[1])
    states = [state.value for state in OPEN_STATES]
    return bool(JobOrder.objects.filter(mine, site_id=meeting.site_id, state__in=states).exists())


def _together(rows: Sequence[tuple[Any, ...]]) -> Iterable[list[tuple[Any, ...]]]:
    """Yield rows that belong to one occurrence: of one kind and job, not far apart."""
    group: list[tuple[Any, ...]] = []
    for row in rows:
        if group and (row[1:3] != group[-1][1:3] or row[3] - group[-1][3] > SAME_RUN):
            yield group
            group = []
        group.append(row)
    if group:
        yield group


def _nobodys(meeting: UnitMeeting, met: Met, group: Sequence[tuple[Any, ...]]) -> Found | None:
    first, last = group[0], group[-1]
    pieces = sum((row[5] for row in group), ZERO)
    evidence = {"rows": len(group), "first_value": first[6], "last_value": last[6], "run_id": meeting.run_id}
    if first[1] == How.RESTING.value:
        paused = _rests_since(met.spans, first[2], first[3])
        if paused is None or last[3] - paused < RESTS_AFTER or len(group) < 2:
            return None  # the piece that was in the machine
        key, kind, job_id = f"resting:{first[0]}", ExceptionKind.RESTING, first[2]
    else:
        before = [
            span for span in met.spans if span.ended is not None and span.ended <= first[3] <= span.ended + SAME_RUN
        ]
        job_id = max(before, key=lambda span: span.ended or span.began).job_order_id if before else None
        kind = ExceptionKind.AFTER_FINISH if before else ExceptionKind.NO_JOB
        key = f"nobody:{first[0]}"
    return Found(kind, key, first[8] or first[3], job_id, last[3], first[7], pieces, None, evidence)


def _rests_since(spans: Sequence[Span], job_order_id: int, at: datetime) -> datetime | None:
    rests = [
        low
        for span in spans
        if span.job_order_id == job_order_id
        for low, high in span.rests
        if low < at and (high is None or at <= high)
    ]
    return max(rests) if rests else None


# ---- runs, stops, clocks, counters ----------------------------------------------------------------------------------


def _wrong_run(meeting: UnitMeeting, run: Run | None, at: datetime, acted: Acted) -> list[Found]:
    """Find a run of the controller that is no job of ours, or another one than is booked."""
    if run is None:
        return []
    running = list(
        JobOrder.objects.filter(
            work_unit_id=meeting.work_unit_id, state__in=[JobState.RUNNING.value, JobState.INTERRUPTED.value]
        ).values_list("pk", "state")
    )
    if run.job_order_id is not None and run.job_order_id in {pk for pk, _state in running}:
        return []
    booked = [pk for pk, state in running if state == JobState.RUNNING.value]
    is_unknown = run.job_order_id is None or run.why == "over"
    if not is_unknown and not booked:
        return []  # not begun yet: whoever starts it is not late; `CANNOT_DO` says when a rule is against it
    if at < run.since + RUN_AFTER:
        acted.look_at.append(run.since + RUN_AFTER)
        return []
    kind = ExceptionKind.UNKNOWN_RUN if is_unknown else ExceptionKind.OTHER_RUN
    key = f"run:{meeting.work_unit_id}:{int(run.since.timestamp() * 1e3)}"
    evidence = {"run_id": run.run_id, "why": run.why, "other_job_id": run.job_order_id}
    return [Found(kind, key, run.since, booked[0] if booked else run.job_order_id, evidence=evidence)]


def _stopped(meeting: UnitMeeting, stretches: Sequence[Stretch], at: datetime, acted: Acted) -> list[Found]:
    """Find jobs whose clock runs while their machine has stood for long."""
    stop = next((one for one in reversed(stops_of(stretches, at)) if one.end is None), None)
    if stop is None:
        return []
    found = []
    rows = JobOrder.objects.filter(work_unit_id=meeting.work_unit_id, state=JobState.RUNNING.value)
    for job in rows.only("pk", "directive", "running_since"):
        if job.running_since is None or not rules_of(job.directive).listens:
            continue
        since = max(stop.start, job.running_since)
        if at < since + LONG_STOP:
            acted.look_at.append(since + LONG_STOP)
            continue
        evidence = {"state": UnitState(stop.state).name.lower(), "cause": stop.cause}
        key = f"stopped:{job.pk}:{int(since.timestamp() * 1e3)}"
        found.append(Found(ExceptionKind.STOPPED, key, since, job.pk, evidence=evidence))
    return found


def _clock(meeting: UnitMeeting, met: Met, at: datetime) -> list[Found]:
    if not met.clock.is_wrong:
        return []
    known = JobException.objects.filter(
        work_unit_id=meeting.work_unit_id, kind=ExceptionKind.CLOCK.value, state=ExceptionState.OPEN.value
    )
    key = known.values_list("key", flat=True).first() or f"clock:{meeting.work_unit_id}:{int(at.timestamp())}"
    evidence = {"offset_s": round(met.clock.offset.total_seconds(), 1)}
    return [Found(ExceptionKind.CLOCK, key, known.values_list("began_at", flat=True).first() or at, evidence=evidence)]


def _jumps(meeting: UnitMeeting, at: datetime) -> list[Found]:
    rows = MachineSignal.objects.filter(
        work_unit_id=meeting.work_unit_id, step__in=[StepKind.JUMPED.value, StepKind.FELL.value],
        happened_at__gte=at - LOOKED_BACK,
    ).order_by("-happened_at")[:20]  # fmt: skip
    found = []
    for row in rows:
        before = (
            MachineSignal.objects.filter(work_unit_id=row.work_unit_id, symbol=row.symbol, at__lt=row.at)
            .order_by("-at", "-seq")
            .values_list("value", flat=True)
            .first()
        )
        evidence = {"first_value": before, "last_value": row.value, "symbol": row.symbol}
        began = row.began_at or row.happened_at
        found.append(
            Found(ExceptionKind.JUMP, f"jump:{row.pk}", began, row.job_order_id, row.happened_at, row.tag_id,
                  evidence=evidence)
        )  # fmt: skip
    return found


def _refused(acted: Acted, at: datetime) -> list[Found]:
    return [
        Found(
            ExceptionKind.CANNOT_DO, f"cannot:{job_id}:{verb}", at, job_id,
            evidence={"verb": verb, "sentence": sentence[:400]},
        )
        for job_id, verb, sentence in acted.refused
    ]  # fmt: skip


# ---- writing --------------------------------------------------------------------------------------------------------


def _write(meeting: UnitMeeting, found: Sequence[Found], at: datetime) -> None:
    """Tell what is new, let what is open grow; what somebody decided stays decided."""
    known = {
        row.key: row for row in JobException.objects.filter(site_id=meeting.site_id, key__in=[one.key for one in found])
    }
    for one in found:
        row = known.get(one.key)
        if row is None:
            _open(meeting, one, at)
        elif row.state == ExceptionState.OPEN.value or row.state == ExceptionState.CLEARED.value:
            _renew(row, one, at)


def _open(meeting: UnitMeeting, one: Found, at: datetime) -> None:
    row = JobException.objects.create(
        site_id=meeting.site_id, key=one.key, kind=one.kind.value, work_unit_id=meeting.work_unit_id,
        job_order_id=one.job_order_id, tag_id=one.tag_id, began_at=one.began_at, ended_at=one.ended_at, found_at=at,
        changed_at=at, counted=one.counted, reported=one.reported, evidence=dict(one.evidence or {}),
    )  # fmt: skip
    publish(
        JobExceptionFound(
            site_id=row.site_id, exception_id=row.pk, kind=row.kind, work_unit_id=row.work_unit_id,
            job_order_id=row.job_order_id,
        ),
        at=at,
    )  # fmt: skip


def _renew(row: JobException, one: Found, at: datetime) -> None:
    told = (one.kind.value, one.job_order_id, one.ended_at, one.counted, one.reported, dict(one.evidence or {}))
    before = (row.kind, row.job_order_id, row.ended_at, row.counted, row.reported, row.evidence)
    if told == before and row.state == ExceptionState.OPEN.value:
        return
    row.kind, row.job_order_id, row.ended_at, row.counted, row.reported, row.evidence = told
    row.state, row.changed_at, row.decided_at, row.decided_by = ExceptionState.OPEN.value, at, None, ""
    row.save()


_MAY_CLEAR = (
    ExceptionKind.NO_JOB, ExceptionKind.AFTER_FINISH, ExceptionKind.RESTING, ExceptionKind.OTHER_RUN,
    ExceptionKind.UNKNOWN_RUN, ExceptionKind.CLOCK, ExceptionKind.STOPPED,
)  # fmt: skip


def _clear(meeting: UnitMeeting, keys: set[str], agreeing: Sequence[int], acted: Acted, at: datetime) -> None:
    """Clear what is not true any more. What did happen, and is over, stays open until somebody has seen it."""
    rows = JobException.objects.filter(work_unit_id=meeting.work_unit_id, state=ExceptionState.OPEN.value)
    for row in rows:
        kind = ExceptionKind(row.kind)
        if kind is ExceptionKind.COUNT_DIFFERS:
            is_over = row.job_order_id in agreeing
        elif kind is ExceptionKind.CANNOT_DO:
            is_over = row.key not in keys and _worked(row, acted)
        else:
            is_over = kind in _MAY_CLEAR and row.key not in keys and row.began_at >= at - LOOKED_BACK
        if is_over and kind in (ExceptionKind.STOPPED, ExceptionKind.OTHER_RUN, ExceptionKind.UNKNOWN_RUN):
            if row.ended_at is None:
                row.ended_at, row.changed_at = at, at
                row.save(update_fields=["ended_at", "changed_at"])
            continue
        if is_over:
            settle(row, ExceptionState.CLEARED, by="signals", at=at)


def _worked(row: JobException, acted: Acted) -> bool:
    """Return whether what was refused has been done since, or is not asked for any more."""
    verb = row.evidence.get("verb", "")
    if (row.job_order_id, verb) in acted.done | acted.idle:
        return True
    state = JobOrder.objects.filter(pk=row.job_order_id or 0).values_list("state", flat=True).first()
    return state in (JobState.ENDED.value, JobState.ABORTED.value, JobState.CANCELLED.value)


def settle(row: JobException, state: ExceptionState, *, by: str, at: datetime, note: str = "") -> None:
    """Write down what became of a disagreement, and tell others."""
    row.state, row.decided_at, row.decided_by, row.changed_at = state.value, at, by[:150], at
    row.note = note.strip()[:1000] or row.note
    row.save(update_fields=["state", "decided_at", "decided_by", "changed_at", "note"])
    publish(
        JobExceptionDecided(
            site_id=row.site_id, exception_id=row.pk, kind=row.kind, state=row.state, work_unit_id=row.work_unit_id,
            job_order_id=row.job_order_id,
        ),
        at=at,
    )  # fmt: skip
