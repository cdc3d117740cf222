"""Bringing a kept plan to this second: what runs stays, what could not begin in time moves behind, nothing else."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from yuheng.engines.schedule.arrays import Arrays, compile_problem
from yuheng.engines.schedule.check import check
from yuheng.engines.schedule.objective import Objective, parse_objective
from yuheng.engines.schedule.plan import Plan
from yuheng.engines.schedule.problem import Problem
from yuheng.engines.schedule.repair import Replanner, Situation
from yuheng.engines.schedule.repair.replanning import DISPATCH, KEEP, WAIT
from yuheng.scheduling.building.built import Built, Rows

OBJECTIVE = "tardiness,setup:0.1,flow:0.05"
"""Lateness by weight first; then time in the plant, which keeps slack for what nobody foresees; then set-ups.

Ten minutes of set-up count as much as twenty minutes of one order.
"""


def objective() -> Objective:
    """Return what plans are judged by."""
    return parse_objective(OBJECTIVE)


@dataclass(frozen=True, slots=True)
class Carried:
    """A kept plan as it goes on from now, over the operations of ``problem``.

    ``kind``: how ("wait": in its order, nothing earlier). The checker has agreed.
    """

    situation: Situation
    plan: Plan
    kind: str

    @property
    def problem(self) -> Problem:
        """The problem of now, with frozen zone and stops."""
        return self.situation.problem


def carry(
    built: Built, published: Rows | None, rows: Rows | None = None, *, frozen_min: int | None = None
) -> Carried | None:
    """Return how a plan goes on from now; None when nothing feasible can be made of it.

    Parameters
    ----------
    published
        The published plan: its next starts are frozen.
    rows
        The plan to carry, the published one by default.
    """
    situation = built.situation(published, frozen_min=frozen_min)
    if rows is not None and rows is not published:
        reference = built.reference(rows)
        origin = np.where(reference.machine < 0, -1, np.arange(len(built.jobs)))
        situation = replace(situation, reference=reference, origin=origin)
    return carried(situation)


def replanner_of(situation: Situation) -> Replanner:
    """Return a re-planner whose calendars reach far enough behind everything that is planned.

    The engine lays them out for the work there is; a plan may leave a week free in between.
    """
    return Replanner(situation, objective(), arrays=far_enough(situation.problem, int(situation.reference.end.max())))


def far_enough(problem: Problem, until: int) -> Arrays:
    """Compile a problem so that everything may begin as late as at tick ``until``."""
    arrays = compile_problem(problem)
    wanted = arrays.covered + 2 * max(0, until)
    return arrays if until <= arrays.now else compile_problem(problem, covered=wanted)


def carried(situation: Situation) -> Carried | None:
    """Return the situation's reference as it goes on, in the gentlest way that is feasible."""
    replanner = replanner_of(situation)
    for kind in (WAIT, KEEP, DISPATCH):
        plan = replanner.at_once(kind)
        if plan is None:
            continue
        if not check(situation.problem, plan):
            return Carried(situation, plan, kind)
    return None
