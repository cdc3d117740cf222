"""Work in progress at any past moment and over any time: sums of tallies, and the job orders behind each number."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import numpy as np
from django.db import connection
from django.db.models import Q

from yuheng.equipment import selectors as equipment
from yuheng.kernel.actor import Actor
from yuheng.operations.selectors import history
from yuheng.operations.selectors.pages import VIEW, Page, clamp
from yuheng.operations.selectors.rows import JobRow
from yuheng.performance.models import JobStage
from yuheng.performance.rules.periods import Period
from yuheng.performance.rules.stages import Stage
from yuheng.performance.rules.tallies import Place, Stretch, before, stretches
from yuheng.performance.selectors.paging import cursor_of, later_than

IN_PROGRESS = tuple(stage for stage in Stage if stage is not Stage.DONE)
QUEUED = (Stage.QUEUE, Stage.MATERIAL)
STOPPED = (Stage.STOP, Stage.HOLD)
WORKED = (Stage.SETUP, Stage.PROCESS, Stage.OUTSIDE)


@dataclass(slots=True)
class Series:
    """One sum over time: at each edge, and the mean between two edges. ``work_s``: planned seconds."""

    jobs: list[int]
    work_s: list[float]
    mean_jobs: list[float]
    mean_work_s: list[float]


@dataclass(slots=True)
class Counted:
    """Job orders by place and stage at edges, as arrays: whole numbers, so sums of them are exact.

    ``jobs``, ``work_ms`` have shape (keys, edges), ``whole_s`` and ``whole_work_s`` (keys, edges - 1): job orders and
    their work, each times how long they were there between two edges.
    """

    keys: list[tuple[Place, Stage]]
    widths: np.ndarray
    jobs: np.ndarray
    work_ms: np.ndarray
    whole_s: np.ndarray
    whole_work_s: np.ndarray

    def places(self) -> set[Place]:
        """Return where there was anything."""
        return {place for place, _stage in self.keys}


_BEFORE = """
SELECT t.work_center_id, t.equipment_class_id, t.stage, sum(t.jobs)::bigint, sum(t.work_ms)::bigint
FROM unnest(%s::int[], %s::timestamptz[], %s::timestamptz[]) AS r(span_s, lo, hi)
JOIN performance_flowtally t ON t.site_id = %s AND t.span_s = r.span_s AND t.at >= r.lo AND t.at < r.hi
GROUP BY 1, 2, 3
"""
_WITHIN = """
SELECT bucket, work_center_id, equipment_class_id, stage, sum(jobs)::bigint, sum(jobs * late_s)::bigint,
       sum(jobs_ms)::bigint, sum(work_ms)::bigint, sum(work_ms * late_s)::float8, sum(work_moment)::float8
FROM (
    SELECT width_bucket(t.at, %s::timestamptz[]) AS bucket, t.work_center_id, t.equipment_class_id, t.stage, t.jobs,
           extract(epoch FROM t.at - %s)::bigint AS late_s, t.jobs_ms, t.work_ms, t.work_moment
    FROM unnest(%s::int[], %s::timestamptz[], %s::timestamptz[]) AS r(span_s, lo, hi)
    JOIN performance_flowtally t ON t.site_id = %s AND t.span_s = r.span_s AND t.at >= r.lo AND t.at < r.hi
) AS one
GROUP BY 1, 2, 3, 4
"""


def count(*, site_id: int, edges: Sequence[datetime]) -> Counted:
    """Count a site's job orders by place and stage at edges that begin quarters of an hour. Two queries.

    A change at the very moment of an edge is counted after it. What is read are the longest sums that fit between two
    edges (`rules.tallies.stretches`): their number does not grow with the job orders.
    """
    with connection.cursor() as cursor:
        cursor.execute(_BEFORE, [*_columns(before(edges[0])), site_id])
        first = {(Place(one[0], one[1]), Stage(one[2])): one[3:] for one in cursor.fetchall()}
        cursor.execute(_WITHIN, [list(edges), edges[0], *_columns(stretches(edges)), site_id])
        rows = cursor.fetchall()
    ranks = {key: rank for rank, key in enumerate(first)}
    for _bucket, center, kind, stage, *_sums in rows:
        ranks.setdefault((Place(center, kind), Stage(stage)), len(ranks))
    told = np.zeros((6, len(ranks), len(edges) - 1))
    for bucket, center, kind, stage, *sums in rows:
        told[:, ranks[Place(center, kind), Stage(stage)], bucket - 1] = sums
    begins = np.array([first.get(key, (0, 0)) for key in ranks], dtype=float).reshape(len(ranks), 2)
    return _counted(list(ranks), edges, begins, told)


def _columns(parts: Sequence[Stretch]) -> list[list[Any]]:
    return [[one.span_s for one in parts], [one.start for one in parts], [one.end for one in parts]]


def _counted(
    keys: list[tuple[Place, Stage]], edges: Sequence[datetime], begins: np.ndarray, told: np.ndarray
) -> Counted:
    """Add changes up: counts at edges, and how long each was there in between.

    ``told``: of each bucket the changes of job orders, those times the seconds since the first edge, those times
    milliseconds within their span, and the same three of work in milliseconds.
    """
    since = np.array([(edge - edges[0]).total_seconds() for edge in edges])
    widths, ends = np.diff(since), since[1:]
    jobs = np.concatenate([begins[:, :1], begins[:, :1] + np.cumsum(told[0], axis=1)], axis=1)
    work = np.concatenate([begins[:, 1:], begins[:, 1:] + np.cumsum(told[3], axis=1)], axis=1)
    whole = jobs[:, :-1] * widths + told[0] * ends - told[1] - told[2] / 1000
    whole_work = (work[:, :-1] * widths + told[3] * ends - told[4] - told[5]) / 1000
    return Counted(keys, widths, jobs, work, np.maximum(whole, 0.0), np.maximum(whole_work, 0.0))


def summed(counted: Counted, stages: Iterable[Stage], place: Place | None = None) -> Series:
    """Return the sum over stages, at one place or at all."""
    wanted = frozenset(stages)
    rows = [n for n, (where, stage) in enumerate(counted.keys) if stage in wanted and place in (None, where)]
    return Series(
        [round(one) for one in counted.jobs[rows].sum(axis=0).tolist()],
        (counted.work_ms[rows].sum(axis=0) / 1000).tolist(),
        (counted.whole_s[rows].sum(axis=0) / counted.widths).tolist(),
        (counted.whole_work_s[rows].sum(axis=0) / counted.widths).tolist(),
    )


# ---- names of places -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class PlaceName:
    """A place with its words; ``is_open``: nobody has decided at which work center."""

    key: str
    work_center_id: int | None
    equipment_class_id: int | None
    code: str
    name_zh: str
    name_en: str
    is_open: bool
    machines: int


def place_key(place: Place) -> str:
    """Return a place as addresses name it: ``c12``, ``k3``, ``-``."""
    if place.work_center_id is not None:
        return f"c{place.work_center_id}"
    return f"k{place.equipment_class_id}" if place.equipment_class_id is not None else "-"


def place_of(key: str) -> Place | None:
    """Return the place that an address names; None: it names none."""
    if key == "-":
        return Place(None)
    digits = key[1:]
    if not (digits.isascii() and digits.isdigit() and len(digits) < 18):
        return None
    return {"c": Place(int(digits)), "k": Place(None, int(digits))}.get(key[:1])


def place_names(*, actor: Actor, site_id: int, places: Iterable[Place]) -> dict[Place, PlaceName]:
    """Words of places, the work centers first, by code. Two queries."""
    units = equipment.work_units(actor=actor, site_id=site_id, with_retired=True)
    kinds = {one.id: one for one in equipment.equipment_classes(actor=actor, site_id=site_id)}
    centers = {one.work_center_id: one for one in units}
    machines: dict[int, int] = {}
    for unit in units:
        machines[unit.work_center_id] = machines.get(unit.work_center_id, 0) + (not unit.is_retired)
    found = []
    for place in places:
        if place.work_center_id is not None:
            unit = centers[place.work_center_id]
            words = (unit.work_center_code, unit.work_center_name_zh, unit.work_center_name_en)
        else:
            kind = kinds.get(place.equipment_class_id or 0)
            words = (kind.code, kind.name_zh, kind.name_en) if kind is not None else ("", "", "")
        is_open = place.work_center_id is None
        name = PlaceName(
            place_key(place), place.work_center_id, place.equipment_class_id, *words, is_open,
            machines.get(place.work_center_id or 0, 0),
        )  # fmt: skip
        found.append((is_open, name.code, place, name))
    return {place: name for _open, _code, place, name in sorted(found, key=lambda one: one[:2])}


# ---- over time -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class PlaceFlow:
    """One place over a period. ``now_*``: at its end. Hours are planned work."""

    place: PlaceName
    now_jobs: int
    now_queue: int
    now_queue_h: float
    mean_queue: float
    mean_queue_h: float
    most_queue: int
    most_at: datetime
    done: int
    queue: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class WipOverTime:
    """Work in progress of a site (or of one place) at the edges of a period, by groups of stages."""

    edges: tuple[datetime, ...]
    step_s: int
    waiting: tuple[int, ...]
    queued: tuple[int, ...]
    worked: tuple[int, ...]
    stopped: tuple[int, ...]
    mean: float
    places: tuple[PlaceFlow, ...]
    behind: int


def wip_over_time(*, actor: Actor, site_id: int, period: Period, place: Place | None = None) -> WipOverTime:
    """Return how much lay where in a period. Five queries.

    Raises
    ------
    PermissionRefused
    """
    actor.require(VIEW, site_id=site_id)
    edges = period.edges
    counted = count(site_id=site_id, edges=edges)
    names = place_names(actor=actor, site_id=site_id, places=counted.places())
    groups = [tuple(summed(counted, stages, place).jobs) for stages in ((Stage.WAIT,), QUEUED, WORKED, STOPPED)]
    rows = [_place_flow(counted, where, name, edges) for where, name in names.items()]
    mean = summed(counted, IN_PROGRESS, place).mean_jobs
    made: list[Any] = [edges, period.step_s, *groups, _over_time(mean, edges), tuple(rows), history.untaken()]
    return WipOverTime(*made)


def _place_flow(counted: Counted, place: Place, name: PlaceName, edges: Sequence[datetime]) -> PlaceFlow:
    size = len(edges)
    queue = summed(counted, QUEUED, place)
    whole = summed(counted, [stage for stage in IN_PROGRESS if stage is not Stage.WAIT], place)
    done = summed(counted, (Stage.DONE,), place).jobs
    most = max(range(size), key=lambda index: queue.jobs[index])
    return PlaceFlow(
        name, whole.jobs[-1], queue.jobs[-1], queue.work_s[-1] / 3600, _over_time(queue.mean_jobs, edges),
        _over_time(queue.mean_work_s, edges) / 3600, queue.jobs[most], edges[most], done[-1] - done[0],
        tuple(queue.jobs),
    )  # fmt: skip


def _over_time(means: Sequence[float], edges: Sequence[datetime]) -> float:
    """Return the mean over a whole period from the means of its buckets."""
    widths = [(b - a).total_seconds() for a, b in pairwise(edges)]
    return sum(m * w for m, w in zip(means, widths, strict=True)) / sum(widths)


@dataclass(frozen=True, slots=True)
class CumulativeFlow:
    """Cumulative counts since the start of a period: what is over, and above it what lies in each group of stages.

    ``released``: all that had been released by each edge, less what was over before the period.
    """

    edges: tuple[datetime, ...]
    step_s: int
    done: tuple[int, ...]
    stopped: tuple[int, ...]
    worked: tuple[int, ...]
    queued: tuple[int, ...]
    waiting: tuple[int, ...]
    released: tuple[int, ...]
    lead_s: float | None
    throughput_per_day: float


def cumulative_flow(*, actor: Actor, site_id: int, period: Period, place: Place | None = None) -> CumulativeFlow:
    """Return the cumulative flow of a period. Two queries.

    ``lead_s`` is Little's law: mean work in progress over throughput, None when nothing was finished.

    Raises
    ------
    PermissionRefused
    """
    actor.require(VIEW, site_id=site_id)
    edges = period.edges
    counted = count(site_id=site_id, edges=edges)
    parts = [summed(counted, stages, place) for stages in ((Stage.DONE,), STOPPED, WORKED, QUEUED, (Stage.WAIT,))]
    done = [one - parts[0].jobs[0] for one in parts[0].jobs]
    bands = [done, *(one.jobs for one in parts[1:])]
    released = [sum(column) for column in zip(*bands, strict=True)]
    mean = sum(_over_time(one.mean_jobs, edges) for one in parts[1:])
    days = (edges[-1] - edges[0]).total_seconds() / 86_400
    rate = done[-1] / days
    little = mean / rate * 86_400 if rate > 0 else None
    made: list[Any] = [edges, period.step_s, *(tuple(one) for one in bands), tuple(released), little, rate]
    return CumulativeFlow(*made)


# ---- the job orders behind a number ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class StageRow:
    """A job order's stay in a stage; ``job`` is how it stands now."""

    id: int
    stage: Stage
    place_key: str
    since: datetime
    until: datetime | None
    work_s: float
    reason: str
    job: JobRow


def jobs_then(
    *,
    actor: Actor,
    site_id: int,
    stages: Sequence[Stage],
    start: datetime,
    end: datetime | None = None,
    place: Place | None = None,
    work_unit_id: int | None = None,
    cursor: str = "",
    limit: int = 50,
) -> Page[StageRow]:
    """Return the stays in some stages at a moment (just before it), or, with ``end``, at any time from it until then.

    Oldest first. Of `Stage.DONE`: what was over by then, with ``end`` what became so in between. Four queries.

    Raises
    ------
    PermissionRefused, InvalidInput
    """
    actor.require(VIEW, site_id=site_id)
    rows = JobStage.objects.filter(site_id=site_id, stage__in=[stage.value for stage in stages])
    if end is None:
        rows = rows.filter(Q(until__isnull=True) | Q(until__gte=start), since__lt=start)
    elif Stage.DONE in stages:
        rows = rows.filter(since__gte=start, since__lt=end)
    else:
        rows = rows.filter(Q(until__isnull=True) | Q(until__gt=start), since__lt=end)
    if place is not None:
        rows = rows.filter(work_center_id=place.work_center_id)
        if place.work_center_id is None:
            rows = rows.filter(equipment_class_id=place.equipment_class_id)
    if work_unit_id is not None:
        rows = rows.filter(work_unit_id=work_unit_id)
    length = clamp(limit)
    values = list(
        rows.filter(later_than(cursor, "since")).order_by("since", "pk").values_list(
            "pk", "stage", "work_center_id", "equipment_class_id", "since", "until", "work_s", "reason", "job_order_id"
        )[: length + 1]
    )  # fmt: skip
    jobs = history.job_rows(actor=actor, site_id=site_id, job_order_ids=[one[-1] for one in values[:length]])
    by_id = {one.id: one for one in jobs}
    found = [
        StageRow(pk, Stage(stage), place_key(Place(center, kind)), since, until, work_s, reason, by_id[job])
        for pk, stage, center, kind, since, until, work_s, reason, job in values[:length]
    ]
    last = found[-1] if len(values) > length else None
    return Page(found, "" if last is None else cursor_of(last.since, last.id))


# ---- a shared machine counts once ------------------------------------------------------------------------------------


def counted_twice(*, site_id: int, edges: Sequence[datetime]) -> dict[int, list[float]]:
    """Work center -> seconds of each bucket in which machines that take several at once were counted more than once.

    One query; only of ovens and benches.
    """
    rows = JobStage.objects.filter(
        Q(until__isnull=True) | Q(until__gt=edges[0]), site_id=site_id, is_shared=True,
        stage__in=[Stage.SETUP.value, Stage.PROCESS.value], since__lt=edges[-1],
        work_center__isnull=False, work_unit__isnull=False,
    )  # fmt: skip
    by_unit: dict[tuple[int, int], list[tuple[datetime, datetime]]] = {}
    for center, unit, since, until in rows.order_by("since").values_list(
        "work_center_id", "work_unit_id", "since", "until"
    ):
        by_unit.setdefault((center, unit), []).append((since, until or edges[-1]))
    found: dict[int, list[float]] = {}
    for (center, _unit), spans in by_unit.items():
        sums = found.setdefault(center, [0.0] * (len(edges) - 1))
        for index in range(len(edges) - 1):
            sums[index] += _overlapped_s(spans, edges[index], edges[index + 1])
    return found


def _overlapped_s(spans: Sequence[tuple[datetime, datetime]], start: datetime, end: datetime) -> float:
    """Return the sum of spans within a bucket less their union; spans sorted by their beginning."""
    doubled, reached = timedelta(), start
    for since, until in spans:
        begin, stop = max(since, start), min(until, end)
        if stop > begin:
            doubled += max(timedelta(), min(stop, reached) - begin)
            reached = max(reached, stop)
    return doubled.total_seconds()
