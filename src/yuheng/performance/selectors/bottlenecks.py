"""Which work center holds a site back, over a period and in each part of it, with what says so."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from yuheng.equipment import selectors as equipment
from yuheng.kernel import calendars
from yuheng.kernel.actor import Actor
from yuheng.kernel.calendars import Calendar
from yuheng.operations.selectors.pages import VIEW
from yuheng.performance.rules.bottlenecks import Load, name_bottleneck
from yuheng.performance.rules.periods import Period
from yuheng.performance.rules.stages import IN_WORK
from yuheng.performance.rules.tallies import Place
from yuheng.performance.selectors.flow import QUEUED, PlaceName, Series, count, counted_twice, place_names, summed


@dataclass(frozen=True, slots=True)
class CenterLoad:
    """A work center over a period; ``times_worst``: in so many parts of the period it was the bottleneck."""

    place: PlaceName
    busy_h: float
    available_h: float
    utilisation: float | None
    mean_queue: float
    mean_queue_h: float
    queue_h_per_machine: float
    score: float
    times_worst: int
    utilisations: tuple[float | None, ...]
    queues_h: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Bottleneck:
    """Work centers, the worst first. ``named``: the one that holds the site back, None: none does.

    ``worst``: of each part of the period the key of its bottleneck, "" for none.
    """

    edges: tuple[datetime, ...]
    step_s: int
    named: CenterLoad | None
    centers: tuple[CenterLoad, ...]
    worst: tuple[str, ...]


def bottleneck(*, actor: Actor, site_id: int, period: Period) -> Bottleneck:
    """Return the bottleneck of a period. Eleven queries.

    Busy is the time in set-up and run; available the shifts of the machines' calendars without their breaks (all hours
    where there is no calendar); queue what could begin, in hours of planned work.

    Raises
    ------
    PermissionRefused
    """
    actor.require(VIEW, site_id=site_id)
    edges = period.edges
    counted, doubled = count(site_id=site_id, edges=edges), counted_twice(site_id=site_id, edges=edges)
    available = _available_s(actor, site_id, edges)
    places = {Place(center) for center in available}
    names = place_names(actor=actor, site_id=site_id, places=places)
    widths = [(b - a).total_seconds() for a, b in pairwise(edges)]
    loads: dict[Place, list[Load]] = {}
    queues: dict[Place, Series] = {}
    for place, name in names.items():
        busy, queue = summed(counted, IN_WORK, place), summed(counted, QUEUED, place)
        assert place.work_center_id is not None
        less = doubled.get(place.work_center_id, [0.0] * len(widths))
        loads[place] = [
            Load(max(0.0, jobs * width - more), there, work_s, name.machines)
            for jobs, width, more, there, work_s in zip(
                busy.mean_jobs, widths, less, available[place.work_center_id], queue.mean_work_s, strict=True
            )
        ]
        queues[place] = queue
    order = list(names)
    worst = [name_bottleneck([loads[place][index] for place in order]) for index in range(len(widths))]
    times = Counter(order[index] for index in worst if index is not None)
    whole = [_whole(loads[place], widths, names[place].machines) for place in order]
    named = name_bottleneck(whole)
    centers = [
        _center(names[place], total, loads[place], queues[place], widths, times[place])
        for place, total in zip(order, whole, strict=True)
    ]
    shown = tuple(sorted(centers, key=lambda one: (-one.score, one.place.code)))
    keys = tuple("" if index is None else names[order[index]].key for index in worst)
    return Bottleneck(edges, period.step_s, None if named is None else centers[named], shown, keys)


def _available_s(actor: Actor, site_id: int, edges: Sequence[datetime]) -> dict[int, list[float]]:
    """Work center -> seconds that its machines were to work, of each part. Seven queries."""
    units = equipment.work_units(actor=actor, site_id=site_id)
    of_unit = equipment.calendars_for(actor=actor, site_id=site_id, work_unit_ids=[unit.id for unit in units])
    known: dict[str, list[float]] = {}
    found: dict[int, list[float]] = defaultdict(lambda: [0.0] * (len(edges) - 1))
    for unit in units:
        calendar = of_unit[unit.id]
        key = calendar.code if calendar is not None else ""
        if key not in known:
            known[key] = _working(calendar, edges)
        found[unit.work_center_id] = [a + b for a, b in zip(found[unit.work_center_id], known[key], strict=True)]
    return dict(found)


def _working(calendar: Calendar | None, edges: Sequence[datetime]) -> list[float]:
    spans = pairwise(edges)
    if calendar is None:
        return [(end - start).total_seconds() for start, end in spans]
    return [calendars.working_s(calendar, start, end) for start, end in spans]


def _whole(loads: Sequence[Load], widths: Sequence[float], machines: int) -> Load:
    queue_s = sum(load.queue_s * width for load, width in zip(loads, widths, strict=True)) / sum(widths)
    return Load(sum(load.busy_s for load in loads), sum(load.available_s for load in loads), queue_s, machines)


def _center(
    name: PlaceName, total: Load, loads: Sequence[Load], queue: Series, widths: Sequence[float], times: int
) -> CenterLoad:
    mean = sum(one * width for one, width in zip(queue.mean_jobs, widths, strict=True)) / sum(widths)
    return CenterLoad(
        place=name,
        busy_h=total.busy_s / 3600,
        available_h=total.available_s / 3600,
        utilisation=total.utilisation,
        mean_queue=mean,
        mean_queue_h=total.queue_s / 3600,
        queue_h_per_machine=total.queue_h_per_machine,
        score=total.score,
        times_worst=times,
        utilisations=tuple(load.utilisation for load in loads),
        queues_h=tuple(load.queue_s / 3600 for load in loads),
    )
