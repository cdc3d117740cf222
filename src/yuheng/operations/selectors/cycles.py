"""Cycles that machines counted, and how long set-up and pieces took: planned against measured."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db.models import F, Q

from yuheng.kernel.actor import Actor
from yuheng.operations.models import JobCount, JobResponse, MachineSignal, UnitMeeting
from yuheng.operations.rules import ResponseKind
from yuheng.operations.rules.signals import MIN_CYCLES, SignalKind, Stretch, quantile, stops_of
from yuheng.operations.rules.signals.stops import Stop
from yuheng.operations.selectors.pages import VIEW, Page, clamp, older_than
from yuheng.telemetry.selectors.states import states_between

MOST_CYCLES = 50_000
CYCLES_OF_A_JOB = 2_000
MARGIN = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class CycleRow:
    """A machine made ``pieces`` of a job order from ``began_at`` to ``ended_at``, and stood ``stopped_s`` of it.

    ``is_first``: of its job; set-up is in it.
    """

    id: int
    work_unit_id: int
    job_order_id: int
    began_at: datetime
    ended_at: datetime
    pieces: Decimal
    stopped_s: float
    is_first: bool

    @property
    def run_s(self) -> float:
        """Return the seconds a piece, without stops."""
        return max(0.0, (self.ended_at - self.began_at).total_seconds() - self.stopped_s) / float(self.pieces)


@dataclass(frozen=True, slots=True)
class MeasuredJob:
    """One job order as its machine measured it, against the plan. Times of the run are seconds a piece.

    ``measured_setup_s``: from the job's beginning to that of its first cycle, pauses left out, or to when somebody said
    that the set-up was done. None of the measured times is there before there is something to measure.
    """

    id: int
    job_order_id: int
    code: str
    request_id: int
    work_master_version_id: int | None
    material_id: int
    material_code: str
    segment: str
    segment_zh: str
    segment_en: str
    work_unit_id: int
    work_unit_code: str
    quantity: Decimal
    pieces: Decimal
    cycles: int
    started_at: datetime | None
    ended_at: datetime | None
    planned_setup_s: float
    planned_run_s: float
    measured_setup_s: float | None
    run_median_s: float | None
    run_low_s: float | None
    run_high_s: float | None


def cycles(
    *,
    actor: Actor,
    site_id: int,
    start: datetime,
    end: datetime,
    work_unit_ids: Collection[int] = (),
    job_order_ids: Collection[int] = (),
    limit: int = MOST_CYCLES,
) -> list[CycleRow]:
    """Cycles of jobs that ended in ``[start, end)``, by unit and time; at most ``limit``. Four queries.

    Raises `PermissionRefused`, `NotVisible`.
    """
    actor.require(VIEW, site_id=site_id)
    rows = MachineSignal.objects.filter(
        site_id=site_id, kind=SignalKind.COUNT.value, job_order__isnull=False, happened_at__gte=start,
        happened_at__lt=end,
    )  # fmt: skip
    if work_unit_ids:
        rows = rows.filter(work_unit_id__in=list(work_unit_ids))
    if job_order_ids:
        rows = rows.filter(job_order_id__in=list(job_order_ids))
    return _cycle_rows(actor, rows.order_by("work_unit_id", "happened_at"), limit)


def _cycle_rows(actor: Actor, rows: Any, limit: int) -> list[CycleRow]:
    rows = rows.filter(count__gt=0, pieces__gt=0, began_at__isnull=False, began_at__lt=F("happened_at"))
    values = list(
        rows.values_list("pk", "work_unit_id", "job_order_id", "began_at", "happened_at", "pieces")[
            : min(max(1, limit), MOST_CYCLES)
        ]
    )
    if not values:
        return []
    firsts = dict(
        JobCount.objects.filter(job_order_id__in={row[2] for row in values}).values_list("job_order_id", "first_at")
    )
    stops = _stops(actor, {row[1] for row in values}, min(row[3] for row in values), max(row[4] for row in values))
    return [
        CycleRow(pk, unit, job, began, ended, pieces, _stopped(stops.get(unit, ()), began, ended),
                 is_first=firsts.get(job) == ended)
        for pk, unit, job, began, ended, pieces in values
    ]  # fmt: skip


def _stops(actor: Actor, unit_ids: Iterable[int], start: datetime, end: datetime) -> dict[int, list[Stop]]:
    """Work unit -> its stops by our clock. Two queries."""
    wanted = sorted(set(unit_ids))
    offsets = dict(UnitMeeting.objects.filter(work_unit_id__in=wanted).values_list("work_unit_id", "offset_s"))
    found: dict[int, list[Stretch]] = {}
    for row in states_between(actor=actor, start=start - MARGIN, end=end + MARGIN, work_unit_ids=wanted):
        offset = timedelta(seconds=offsets.get(row.work_unit_id, 0.0))
        stretch = Stretch(row.state, row.cause, row.started_at + offset, row.ended_at and row.ended_at + offset)
        found.setdefault(row.work_unit_id, []).append(stretch)
    return {unit: stops_of(stretches, end) for unit, stretches in found.items()}


def _stopped(stops: Sequence[Stop], start: datetime, end: datetime) -> float:
    return sum(
        max(0.0, (min(stop.end or end, end) - max(stop.start, start)).total_seconds())
        for stop in stops
        if stop.start < end and (stop.end is None or stop.end > start)
    )


def measured_jobs(
    *,
    actor: Actor,
    site_id: int,
    start: datetime,
    end: datetime,
    work_unit_ids: Collection[int] = (),
    material_ids: Collection[int] = (),
    cursor: str = "",
    limit: int = 200,
) -> Page[MeasuredJob]:
    """Job orders of which a machine counted pieces in ``[start, end)``, newest first. Six queries.

    Raises `PermissionRefused`, `NotVisible`, `InvalidInput`.
    """
    actor.require(VIEW, site_id=site_id)
    narrowed = Q(site_id=site_id, last_at__gte=start, last_at__lt=end, cycles__gt=0)
    if work_unit_ids:
        narrowed &= Q(work_unit_id__in=list(work_unit_ids))
    if material_ids:
        narrowed &= Q(job_order__request__material_id__in=list(material_ids))
    length = clamp(limit)
    found = list(
        JobCount.objects.filter(narrowed & older_than(cursor))
        .select_related("job_order", "work_unit")
        .order_by("-pk")
        .values_list(*_MEASURED)[: length + 1]
    )
    rows = found[:length]
    ids = [row[1] for row in rows]
    runs = _runs(actor, ids)
    setups = _setups(ids)
    made = [_measured(row, runs.get(row[1], []), setups.get(row[1])) for row in rows]
    return Page(made, str(rows[-1][0]) if len(found) > length else "")


_MEASURED = (
    "pk", "job_order_id", "job_order__code", "job_order__request_id", "job_order__request__work_master_version_id",
    "job_order__request__material_id", "job_order__request__material__code", "job_order__segment",
    "job_order__name_zh", "job_order__name_en", "work_unit_id", "work_unit__code", "job_order__quantity", "counted",
    "cycles", "job_order__actual_start", "job_order__actual_end", "job_order__setup_s", "job_order__run_s", "first_at",
)  # fmt: skip


def _runs(actor: Actor, job_order_ids: Sequence[int]) -> dict[int, list[CycleRow]]:
    rows = MachineSignal.objects.filter(job_order_id__in=job_order_ids, kind=SignalKind.COUNT.value)
    found: dict[int, list[CycleRow]] = {}
    for row in _cycle_rows(actor, rows.order_by("work_unit_id", "happened_at"), MOST_CYCLES):
        found.setdefault(row.job_order_id, []).append(row)
    return found


def _setups(job_order_ids: Sequence[int]) -> Mapping[int, list[tuple[str, datetime]]]:
    """Job order -> its starts, pauses and the end of its set-up, in order. One query."""
    kinds = [ResponseKind.STARTED, ResponseKind.SET_UP, ResponseKind.PAUSED, ResponseKind.RESUMED]
    found: dict[int, list[tuple[str, datetime]]] = {}
    rows = JobResponse.objects.filter(job_order_id__in=job_order_ids, kind__in=[kind.value for kind in kinds])
    for job, kind, at in rows.order_by("job_order_id", "at").values_list("job_order_id", "kind", "at"):
        found.setdefault(job, []).append((kind, at))
    return found


def _measured(row: tuple[Any, ...], of_job: list[CycleRow], events: list[tuple[str, datetime]] | None) -> MeasuredJob:
    shown: list[Any] = list(row[:-3])
    setup_s, run_s, first_at = row[-3:]
    paces = [cycle.run_s for cycle in of_job if not cycle.is_first]
    is_enough = len(paces) >= MIN_CYCLES
    median = quantile(paces, 0.5) if is_enough else None
    quantity = float(shown[12])
    first = next((cycle for cycle in of_job if cycle.is_first), None)
    pieces = float(first.pieces) if first is not None else 1.0
    begins = first_at - timedelta(seconds=median * pieces) if median is not None and first_at is not None else None
    shown += [setup_s, run_s / quantity if quantity > 0 else 0.0, _setup_s(events or [], begins), median]
    shown += [quantile(paces, share) if is_enough else None for share in (0.1, 0.9)]
    return MeasuredJob(*shown)


def _setup_s(events: Sequence[tuple[str, datetime]], first_cycle: datetime | None) -> float | None:
    """Return the seconds of set-up that were worked: to when it was told to be done, else to the first cycle."""
    told = next((at for kind, at in events if kind == ResponseKind.SET_UP.value), None)
    until = told or first_cycle
    if until is None:
        return None
    total, since = 0.0, None
    for kind, at in events:
        if at >= until:
            break
        if kind in (ResponseKind.STARTED.value, ResponseKind.RESUMED.value):
            since = since or at
        elif kind == ResponseKind.PAUSED.value and since is not None:
            total, since = total + (at - since).total_seconds(), None
    return total + (max(0.0, (until - since).total_seconds()) if since is not None else 0.0)
