"""Something stands: whom it hits when nothing is done, and what else could be done, ranked."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from yuheng.engines.schedule.check import check
from yuheng.engines.schedule.plan import Plan
from yuheng.engines.schedule.problem import Problem
from yuheng.engines.schedule.repair import Alternative, Situation, alternatives
from yuheng.engines.schedule.repair.replanning import KEEP, WAIT
from yuheng.scheduling.building.built import Built, Rows
from yuheng.scheduling.building.carrying import replanner_of
from yuheng.scheduling.building.levers import Levers, OpenLonger, together
from yuheng.scheduling.building.measuring import OrderEnd, order_ends

MOST_CHOICES = 4
LATER_TICKS = 5
"""A job order that starts so many minutes later is hit."""


@dataclass(frozen=True, slots=True)
class Choice:
    """One way to go on. ``built`` has the levers that it pulls, such as overtime."""

    kind: str
    values: Mapping[str, str]
    built: Built
    problem: Problem
    plan: Plan


@dataclass(frozen=True, slots=True)
class Answer:
    """What stands does to the published plan, and what can be done.

    Attributes
    ----------
    waiting
        The published plan as it goes on when nothing is done; None when it cannot.
    hit
        Orders that end later than without the stop and are late then: (with it, minutes late without it).
    jobs_hit
        Job orders that start later.
    choices
        Different plans, the best first; each feasible for the checker.
    """

    waiting: Plan | None
    hit: tuple[tuple[OrderEnd, int], ...]
    jobs_hit: int
    choices: tuple[Choice, ...]


def answer(built: Built, published: Rows, calm: Built, *, cpu_seconds: float, roots: Collection[int] = ()) -> Answer:
    """Return what to do about what happened.

    Parameters
    ----------
    calm
        The same moment without what is asked about; what else is wrong is so in both worlds that are compared.
    roots
        Root requests that are hit however late they were before: orders that have become urgent.
    cpu_seconds
        For the search of all choices together; the first ones are there at once.
    """
    situation = built.situation(published)
    replanner = replanner_of(situation)
    waiting = replanner.at_once(WAIT) or replanner.at_once(KEEP)
    undisturbed = None if calm.problem is None else _waited(calm.situation(published))
    hit, jobs_hit = _hit(built, calm, undisturbed, waiting, roots)
    made = [_choice(built, situation, one) for one in alternatives(replanner, MOST_CHOICES, cpu_seconds=cpu_seconds)]
    return Answer(waiting, hit, jobs_hit, tuple(one for one in made if not check(one.problem, one.plan)))


def _waited(situation: Situation) -> Plan | None:
    replanner = replanner_of(situation)
    return replanner.at_once(WAIT) or replanner.at_once(KEEP)


def _hit(
    built: Built, calm: Built, before: Plan | None, after: Plan | None, roots: Collection[int]
) -> tuple[tuple[tuple[OrderEnd, int], ...], int]:
    if before is None or after is None:
        return (), 0
    was, now = order_ends(calm, before), order_ends(built, after)
    late_before = {root: 0 if root in roots or root not in was else was[root].late_min for root in now}
    rows = [(one, late_before[root]) for root, one in now.items() if one.late_min > late_before[root]]
    rows.sort(key=lambda row: (-(row[0].late_min - row[1]) * row[0].weight, row[0].root_id))
    return tuple(rows), _later(built, calm, before, after)


def _later(built: Built, calm: Built, before: Plan, after: Plan) -> int:
    """How many job orders start later, whichever of the two worlds plans more of them."""
    places = [calm.index_of_job.get(job.id, -1) for job in built.jobs]
    known = np.array(places, np.int64)
    was = np.where(known >= 0, before.start[known], -1) if len(before.start) else np.full(len(places), -1)
    both = (after.start[: len(places)] >= 0) & (was >= 0)
    return int(np.count_nonzero(both & (after.start[: len(places)] - was >= LATER_TICKS)))


def _choice(built: Built, situation: Situation, found: Alternative) -> Choice:
    values: dict[str, str] = dict(found.values)
    if found.kind != "overtime":
        return Choice(found.kind, values, built, found.situation.problem, found.plan)
    levers = _overtime_of(built, situation.problem, found.situation.problem)
    units = sorted({unit for one in levers.open_longer for unit in one.work_unit_ids})
    values["machine"] = ", ".join(built.unit_code.get(unit, str(unit)) for unit in units)
    longer = replace(built, levers=together(built.levers, levers))
    return Choice(found.kind, values, longer, found.situation.problem, found.plan)


def _overtime_of(built: Built, before: Problem, after: Problem) -> Levers:
    """Return the extra open times that one problem has and the other has not."""
    known: dict[Any, Any] = {row.id: row for row in before.calendars}
    longer: dict[Any, Any] = {row.id: row for row in after.calendars}
    found = []
    for was, now in zip(before.machines, after.machines, strict=True):
        if now.calendar is None or was.calendar is None or not isinstance(now.id, int):
            continue
        extra = set(longer[now.calendar].extra) - set(known[was.calendar].extra)
        found += [OpenLonger((now.id,), built.moment(start), built.moment(end)) for start, end in sorted(extra)]
    return Levers(open_longer=tuple(found))
