"""A problem with the way back from its indices to job orders, machines and moments."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from yuheng.engines.schedule.parts import OperationKey, Status
from yuheng.engines.schedule.plan import Plan
from yuheng.engines.schedule.problem import Problem
from yuheng.engines.schedule.repair import Actual, MachineDown, MachineSlow, Situation, situate
from yuheng.operations.selectors.planning import OpenJob
from yuheng.scheduling.building.facts import PlantFacts
from yuheng.scheduling.building.levers import Levers
from yuheng.scheduling.building.notices import LEFT_OUT, Notice
from yuheng.scheduling.rules import Estimate

Ints = npt.NDArray[np.int64]
MINUTE = timedelta(minutes=1)
OUTSIDE = 0
"""In a plan's column of work units: made outside, at a supplier."""


@dataclass(frozen=True)
class Rows:
    """A plan as it is kept: one entry a job order, by start. Times in minutes since ``origin``.

    ``work_unit_ids`` has `OUTSIDE` for what a supplier does.
    """

    origin: datetime
    job_order_ids: list[int]
    work_unit_ids: list[int]
    setup_starts: list[int]
    starts: list[int]
    ends: list[int]

    def moment(self, minute: int) -> datetime:
        """Return the moment of a minute."""
        return self.origin + minute * MINUTE

    @cached_property
    def place(self) -> dict[int, int]:
        """Job order -> its place in the columns."""
        return {job: k for k, job in enumerate(self.job_order_ids)}


@dataclass(frozen=True, slots=True)
class Roots:
    """Root requests in the order in which the operations name them.

    Attributes
    ----------
    first
        The first open job order of each.
    place
        Of each operation the index of its root request in ``first``.
    partly
        Root requests with a job order that is not planned.
    """

    first: tuple[OpenJob, ...]
    place: Ints
    partly: frozenset[int]


@dataclass(frozen=True)
class Built:
    """A problem of the engine; ``problem`` is None when there is nothing to plan.

    Attributes
    ----------
    jobs
        The open job order of each operation, in the order of the operations.
    standing
        Machines that stand now -> when they are expected back; they are disturbances, not part of ``problem``.
    slow
        Machines that take so many times as long as planned; disturbances, too.
    """

    facts: PlantFacts
    levers: Levers
    origin: datetime
    now: int
    problem: Problem | None
    jobs: tuple[OpenJob, ...]
    notices: tuple[Notice, ...]
    standing: dict[int, Estimate]
    slow: Mapping[int, float] = field(default_factory=dict)

    def tick(self, moment: datetime) -> int:
        """Return the minute in which a moment lies."""
        return int((moment - self.origin).total_seconds() // 60)

    def moment(self, tick: int) -> datetime:
        """Return the moment at which a minute begins."""
        return self.origin + int(tick) * MINUTE

    @cached_property
    def index_of_job(self) -> dict[int, int]:
        """Job order -> index of its operation."""
        return {job.id: k for k, job in enumerate(self.jobs)}

    @cached_property
    def unit_code(self) -> dict[int, str]:
        """Work unit -> code."""
        return {unit.id: unit.code for unit in self.facts.units}

    @cached_property
    def roots(self) -> Roots:
        """The root requests of the operations; asked for each plan that is compared, so kept."""
        first: dict[int, OpenJob] = {}
        place: dict[int, int] = {}
        for job in self.jobs:
            if job.root_id not in first:
                place[job.root_id] = len(first)
                first[job.root_id] = job
        partly: set[int] = set()
        if any(notice.code in LEFT_OUT for notice in self.notices):
            planned = {job.id for job in self.jobs}
            partly = {job.root_id for job in self.facts.work.jobs if job.id not in planned}
        places = np.array([place[job.root_id] for job in self.jobs], np.int64)
        return Roots(tuple(first.values()), places, frozenset(partly))

    def whole(self) -> Problem:
        """Return the problem. Raises ValueError when there is nothing to plan."""
        if self.problem is None:
            raise ValueError("there is nothing to plan")
        return self.problem

    def reference(self, rows: Rows | None) -> Plan:
        """Return a kept plan over this problem's operations; -1 for what it does not know.

        What runs is where it runs, whatever was planned.
        """
        problem = self.whole()
        n = len(problem.operations)
        machine, start, end, setup = (np.full(n, -1, np.int64) for _column in range(4))
        if rows is not None:
            shift = self.tick(rows.origin)
            machine_of = problem.machine_index
            columns = zip(
                rows.job_order_ids, rows.work_unit_ids, rows.setup_starts, rows.starts, rows.ends, strict=True
            )
            for job_id, unit, begins, first, last in columns:
                k = self.index_of_job.get(job_id)
                if k is None:
                    continue
                m = machine_of.get(unit if unit != OUTSIDE else outside(job_id))
                if m is None or not any(mode.machine == problem.machines[m].id for mode in problem.operations[k].modes):
                    continue
                machine[k], start[k], end[k], setup[k] = m, max(0, first + shift), max(1, last + shift), begins + shift
            setup = np.where(machine >= 0, np.maximum(setup, 0), setup)
        for k, operation in enumerate(problem.operations):
            if operation.status is Status.STARTED and operation.fixed_start is not None:
                machine[k] = problem.machine_index[operation.fixed_machine or ""]
                start[k] = setup[k] = operation.fixed_start
                end[k] = start[k] + operation.modes[0].duration
        return Plan(machine, start, end, setup, end.copy())

    def actuals(self) -> dict[OperationKey, Actual]:
        """Return what runs now; everything else has not begun."""
        return {
            row.key: Actual(row.fixed_machine, row.fixed_start)
            for row in self.whole().operations
            if row.status is Status.STARTED and row.fixed_machine is not None and row.fixed_start is not None
        }

    def downs(self) -> list[MachineDown]:
        """Return the machines of the problem that stand, as disturbances."""
        known = self.whole().machine_index
        return [
            MachineDown(unit, self.now, max(self.now + 1, self.tick(one.end)))
            for unit, one in sorted(self.standing.items())
            if unit in known
        ]

    def slows(self) -> list[MachineSlow]:
        """Return the machines of the problem that are slow, as disturbances."""
        known = self.whole().machine_index
        return [MachineSlow(unit, factor) for unit, factor in sorted(self.slow.items()) if unit in known]

    def situation(
        self, rows: Rows | None, *, frozen_min: int | None = None, disturbances: tuple[Any, ...] = ()
    ) -> Situation:
        """Return this moment with a kept plan as what was published, and what stands.

        Operations that the plan does not know are new ones.
        """
        frozen = self.facts.policy.frozen_min if frozen_min is None else frozen_min
        reference = self.reference(rows)
        found = situate(
            self.whole(),
            reference,
            self.now,
            (*self.downs(), *self.slows(), *disturbances),
            frozen_ticks=max(0, frozen),
            actuals=self.actuals(),
        )
        origin = np.where(found.reference.machine < 0, -1, found.origin)
        return replace(found, origin=origin)

    def rows(self, problem: Problem, plan: Plan) -> Rows:
        """Return a plan of this problem, or of a situation of it, as it is kept."""
        order = np.lexsort((plan.machine, plan.start))
        order = order[plan.machine[order] >= 0]
        ids = [problem.operations[k].id for k in order.tolist()]
        units = [machine.id if isinstance(machine.id, int) else OUTSIDE for machine in problem.machines]
        return Rows(
            self.origin,
            [int(job_id) for job_id in ids],
            [units[m] for m in plan.machine[order].tolist()],
            plan.setup_start[order].tolist(),
            plan.start[order].tolist(),
            plan.end[order].tolist(),
        )


def outside(job_order_id: int) -> str:
    """Return the id of the machine that stands for the supplier of one job order."""
    return f"outside {job_order_id}"
