"""Each reading once, to the job that had the machine: clocks, counters, spans, sums. Idempotent: all of it follows
from rows that are there, so a crash between two steps costs nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db.models import Count, Max, Min, Q, Sum

from yuheng.kernel.moments import EPOCH
from yuheng.operations.models import JobCount, JobOrder, JobResponse, MachineSignal, UnitMeeting
from yuheng.operations.rules import ResponseKind
from yuheng.operations.rules.progress import ZERO
from yuheng.operations.rules.signals import (
    Event,
    How,
    MachineClock,
    Reading,
    SignalKind,
    Span,
    clock_of,
    job_at,
    pace_of,
    pieces_of,
    spans_of,
    steps,
)

MOST_FRESH = 5_000
MOST_ROWS = 20_000
CLOCK_EVENTS = 300
"""So many starts, pauses and ends of a unit are looked back upon: days of them."""
CONTEXT = 4
PACE_CYCLES = 50
KEPT_LAGS = 5
LAG_EVERY = timedelta(seconds=5)
SAME_OFFSET_S = 5.0
GOOD_ROLE = "good_count"
CLOCK_KINDS = [kind.value for kind in (
    ResponseKind.STARTED, ResponseKind.RESUMED, ResponseKind.PAUSED, ResponseKind.FINISHED, ResponseKind.ABORTED
)]  # fmt: skip
REPORT_KINDS = {ResponseKind.QUANTITY.value, ResponseKind.CORRECTION.value, ResponseKind.FINISHED.value}


@dataclass(frozen=True, slots=True)
class JobRules:
    """What the signals may do at a job order, from its frozen directive."""

    counts: bool = False
    count_symbol: str = ""
    pieces_per_cycle: float = 1.0
    starts: bool = False
    pauses: bool = False
    run_id_symbol: str = ""
    confirms: frozenset[str] = frozenset()

    @property
    def reports(self) -> bool:
        """Whether a signal reports pieces by itself; otherwise its count is a proposal to a person."""
        return self.counts and "quantity" not in self.confirms

    @property
    def listens(self) -> bool:
        """Whether the machine has anything to say to the job."""
        return self.counts or self.starts or self.pauses or bool(self.run_id_symbol)


def rules_of(directive: dict[str, Any]) -> JobRules:
    """Read the rules from a directive; what an old one does not have is off."""
    told = directive.get("signals") or {}
    return JobRules(
        bool(told.get("counts")),
        str(told.get("count_symbol", "")),
        float(told.get("pieces_per_cycle") or 1.0),
        bool(told.get("starts")),
        bool(told.get("pauses")),
        str(told.get("run_id_symbol", "")),
        frozenset(directive.get("confirms") or ()),
    )


@dataclass(slots=True)
class Met:
    """What attributing found: who had the machine, and whose sums changed; ``meeting`` as it is now."""

    meeting: UnitMeeting
    spans: list[Span]
    clock: MachineClock
    changed: set[int] = field(default_factory=set)
    spoken: set[int] = field(default_factory=set)  # jobs about which people, or we, said something since


def attribute(meeting: UnitMeeting, at: datetime) -> Met:
    """Take in the readings that are new, and look again at those that something new is known about.

    ``meeting`` is locked; the caller saves it. A few queries, and one to write a thousand rows.
    """
    fresh = list(
        MachineSignal.objects.filter(work_unit_id=meeting.work_unit_id, is_met=False).order_by(
            "arrived_at", "at", "seq"
        )[:MOST_FRESH]
    )
    clock, timed = _set_clock(meeting, fresh)
    again_from, spoken = _new_responses(meeting)
    spans = spans_of(_events(meeting.work_unit_id))
    met = Met(meeting, spans, clock, spoken=spoken)
    if not fresh and not timed and again_from is None:
        return met
    jobs = _jobs({span.job_order_id for span in spans})
    rows = {row.pk: row for row in [*fresh, *timed]}
    moved = _count(meeting.work_unit_id, rows, jobs)
    if again_from is not None:
        later = MachineSignal.objects.filter(
            work_unit_id=meeting.work_unit_id, kind=SignalKind.COUNT.value, happened_at__gte=again_from
        )
        moved |= {row.pk: row for row in later.order_by("happened_at")[:MOST_ROWS] if row.pk not in moved}
    _give(moved, spans, jobs, met)
    for row in rows.values():
        row.is_met = True
    everything = list((moved | {row.pk: row for row in rows.values() if row.pk not in moved}).values())
    MachineSignal.objects.bulk_update(
        everything,
        ["happened_at", "is_timed", "is_met", "began_at", "step", "count", "pieces", "job_order_id", "how"],
        batch_size=1000,
    )
    recount(met.changed, meeting)
    return met


# ---- the machine's clock --------------------------------------------------------------------------------------------


def _set_clock(meeting: UnitMeeting, fresh: Sequence[MachineSignal]) -> tuple[MachineClock, list[MachineSignal]]:
    """Judge the clock by the newest readings; return it, with older rows whose time is known only now."""
    seen = [(_moment(taken), _moment(arrived)) for taken, arrived in meeting.lags]
    for row in fresh:
        if len(seen) >= 2 and row.arrived_at - seen[-2][1] < LAG_EVERY:
            seen[-1] = (row.at, row.arrived_at)
        else:
            seen.append((row.at, row.arrived_at))
    seen = seen[-KEPT_LAGS:]
    clock = clock_of(seen)
    before = timedelta(seconds=meeting.offset_s)
    for row in fresh:
        lag = (row.arrived_at - row.at - before).total_seconds()
        is_as_before = bool(meeting.offset_s) and abs(lag) <= SAME_OFFSET_S
        row.happened_at = row.at + (before if is_as_before else clock.offset)
        row.is_timed = is_as_before or clock.is_known
    timed: list[MachineSignal] = []
    if clock.is_known and not meeting.is_clock_known:
        timed = list(
            MachineSignal.objects.filter(work_unit_id=meeting.work_unit_id, is_timed=False, is_met=True)[:MOST_ROWS]
        )
        for row in timed:
            row.happened_at, row.is_timed = row.at + clock.offset, True
    if fresh:
        meeting.lags = [[_us(taken), _us(arrived)] for taken, arrived in seen]
        meeting.is_clock_known = clock.is_known
        if clock.is_known:
            meeting.offset_s = clock.offset.total_seconds()
    elif not meeting.is_clock_known:
        clock = MachineClock(timedelta(seconds=meeting.offset_s), is_known=False)
    return clock, timed


def _us(at: datetime) -> int:
    return (at - EPOCH) // timedelta(microseconds=1)


def _moment(us: int) -> datetime:
    return EPOCH + timedelta(microseconds=us)


# ---- who had the machine --------------------------------------------------------------------------------------------


def _new_responses(meeting: UnitMeeting) -> tuple[datetime | None, set[int]]:
    """Return from when on pieces may be somebody else's, and which jobs were spoken of since we last looked."""
    rows = list(
        JobResponse.objects.filter(work_unit_id=meeting.work_unit_id, pk__gt=meeting.response_id)
        .order_by("pk")
        .values_list("pk", "job_order_id", "kind", "at")[:MOST_ROWS]
    )
    if not rows:
        return None, set()
    meeting.response_id = rows[-1][0]
    turning = [at for _pk, _job, kind, at in rows if kind in CLOCK_KINDS]
    return (min(turning) if turning else None), {job for _pk, job, _kind, _at in rows}


def _events(work_unit_id: int) -> list[Event]:
    rows = (
        JobResponse.objects.filter(work_unit_id=work_unit_id, kind__in=CLOCK_KINDS)
        .order_by("-pk")
        .values_list("job_order_id", "kind", "at")[:CLOCK_EVENTS]
    )
    return [Event(job, ResponseKind(kind), at) for job, kind, at in reversed(list(rows))]


@dataclass(frozen=True, slots=True)
class _Job:
    rules: JobRules
    cycle_s: float | None  # planned, a count of the machine


def _jobs(ids: Iterable[int]) -> dict[int, _Job]:
    found = {}
    rows = JobOrder.objects.filter(pk__in=list(ids)).values_list("pk", "directive", "run_s", "quantity")
    for pk, directive, run_s, quantity in rows:
        rules = rules_of(directive)
        a_piece = run_s / float(quantity) if quantity > 0 else 0.0
        found[pk] = _Job(rules, a_piece * rules.pieces_per_cycle if a_piece > 0 else None)
    return found


# ---- counting -------------------------------------------------------------------------------------------------------


def _count(work_unit_id: int, rows: dict[int, MachineSignal], jobs: dict[int, _Job]) -> dict[int, MachineSignal]:
    """Count from the oldest new reading of each counter on; return every row that this concerns."""
    oldest: dict[str, datetime] = {}
    for row in rows.values():
        if row.kind == SignalKind.COUNT.value:
            oldest[row.symbol] = min(row.at, oldest.get(row.symbol, row.at))
    known = [job.cycle_s for job in jobs.values() if job.rules.counts and job.cycle_s]
    cycle_s = min(known) if known else None
    moved: dict[int, MachineSignal] = {}
    for symbol, since in oldest.items():
        mine = MachineSignal.objects.filter(work_unit_id=work_unit_id, symbol=symbol, kind=SignalKind.COUNT.value)
        context = list(mine.filter(at__lt=since, is_met=True).order_by("-at", "-seq")[:CONTEXT])[::-1]
        stretch = [rows.get(row.pk, row) for row in mine.filter(at__gte=since).order_by("at", "seq")[:MOST_ROWS]]
        stretch = [row for row in stretch if row.is_met or row.pk in rows]
        whole = [*context, *stretch]
        counted = steps([Reading(row.at, row.value or 0.0) for row in whole], cycle_s=cycle_s)
        for place in range(len(context), len(whole)):
            row, step = whole[place], counted[place]
            before = whole[place - 1] if place else None
            began = before.happened_at if before is not None else None
            if row.pk in rows or (row.count, row.step, row.began_at) != (step.count, step.kind.value, began):
                row.count, row.step, row.began_at = step.count, step.kind.value, began
                moved[row.pk] = row
    return moved


def _give(rows: dict[int, MachineSignal], spans: Sequence[Span], jobs: dict[int, _Job], met: Met) -> None:
    """Give each row to the job that had the machine, in that job's pieces."""
    for row in rows.values():
        whose = job_at(spans, row.happened_at)
        job = jobs.get(whose.job_order_id or 0)
        is_its_counter = job is None or (job.rules.counts and job.rules.count_symbol == row.symbol)
        owner = whose.job_order_id if is_its_counter else None
        how = whose.how.value if is_its_counter else How.SEVERAL.value
        pieces = pieces_of(row.count, job.rules.pieces_per_cycle if job and is_its_counter else 1.0)
        if row.job_order_id is not None:
            met.changed.add(row.job_order_id)
        if owner is not None:
            met.changed.add(owner)
        row.job_order_id, row.how, row.pieces = owner, how, pieces


def recount(job_order_ids: Iterable[int], meeting: UnitMeeting) -> None:
    """Bring the sums of job orders up to date from their rows. Three queries each."""
    for job_id in sorted(set(job_order_ids)):
        mine = MachineSignal.objects.filter(job_order_id=job_id, kind=SignalKind.COUNT.value)
        sums = mine.aggregate(
            pieces=Sum("pieces"),
            cycles=Count("pk", filter=Q(count__gt=0)),
            first=Min("happened_at", filter=Q(count__gt=0)),
            last=Max("happened_at", filter=Q(count__gt=0)),
        )
        newest = mine.order_by("-at").values_list("tag_id", "role").first()
        counted = max(ZERO, sums["pieces"] or ZERO)
        row, _made = JobCount.objects.get_or_create(
            job_order_id=job_id, defaults={"site_id": meeting.site_id, "work_unit_id": meeting.work_unit_id}
        )
        if row.counted != counted:
            row.is_compared = False
        row.counted, row.cycles, row.first_at, row.last_at = counted, sums["cycles"], sums["first"], sums["last"]
        row.pace_s, row.work_unit_id = _pace(mine), meeting.work_unit_id
        if newest is not None:
            row.tag_id, row.is_good_only = newest[0], newest[1] == GOOD_ROLE
        row.save()


def _pace(mine: Any) -> float | None:
    """Return the usual seconds a piece of the last cycles; the first holds the set-up, so it says nothing."""
    rows = mine.filter(count__gt=0, pieces__gt=0, began_at__isnull=False).order_by("-at")
    found = [
        ((happened - began).total_seconds() / float(pieces))
        for began, happened, pieces in rows.values_list("began_at", "happened_at", "pieces")[: PACE_CYCLES + 1]
    ]
    if len(found) <= PACE_CYCLES:
        found = found[:-1]  # the oldest of all
    return pace_of(found)


def pieces_between(work_unit_id: int, start: datetime, end: datetime) -> Decimal:
    """Return what a machine counted for no job in a time. One query."""
    rows = MachineSignal.objects.filter(
        work_unit_id=work_unit_id, kind=SignalKind.COUNT.value, job_order__isnull=True, happened_at__gte=start,
        happened_at__lte=end,
    )  # fmt: skip
    total: Decimal | None = rows.aggregate(sum=Sum("pieces"))["sum"]
    return total or ZERO


def reset_comparison(job_order_ids: Iterable[int]) -> None:
    """Somebody said something about these jobs: what was counted is to be compared with it again. One query."""
    JobCount.objects.filter(job_order_id__in=list(job_order_ids), is_compared=True).update(is_compared=False)
