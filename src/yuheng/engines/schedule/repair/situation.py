"""From a published plan, a moment and what happened to the problem that is to be solved now.

What has started is a fact. What would start in the frozen zone keeps its machine and its start, except

* on a struck machine (down, slow), where everything may be decided anew, and
* what cannot keep it: because something before it is late, its machine or its people are taken, or material is missing.
  It keeps its machine.

Everything else is open.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from yuheng.engines.schedule.calendars import OpenTime
from yuheng.engines.schedule.parts import Id, Mode, Operation, OperationKey, Status
from yuheng.engines.schedule.plan import Plan
from yuheng.engines.schedule.problem import Problem
from yuheng.engines.schedule.repair.disturbances import Disturbance, Draft, MachineDown, PersonAbsent, drafted
from yuheng.engines.schedule.repair.zone import Zone, placed
from yuheng.engines.schedule.timeline import compile_calendars

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Actual:
    """What really happened to an operation. ``end`` ``None``: it runs."""

    machine: Id
    start: int
    end: int | None = None


@dataclass(frozen=True, slots=True)
class Situation:
    """The problem of this moment.

    Attributes
    ----------
    problem
        With facts, frozen zone and disturbances inside; ``problem.now`` is the moment.
    reference
        The published plan over the operations of ``problem``; absent (−1) where it is new.
    origin
        ``(n,)``: index in the published plan's problem, −1 for what is new.
    struck
        Machines where the frozen zone does not hold.
    frozen
        Operations (indices) that keep machine and start; ``delayed``: those of the zone that cannot.
    """

    problem: Problem
    reference: Plan
    origin: Ints
    struck: frozenset[Id]
    frozen: tuple[int, ...]
    delayed: tuple[int, ...]


def situate(
    problem: Problem,
    published: Plan,
    now: int,
    disturbances: Iterable[Disturbance] = (),
    *,
    frozen_ticks: int = 240,
    actuals: Mapping[OperationKey, Actual] | None = None,
) -> Situation:
    """Return the problem after disturbances at ``now``.

    Parameters
    ----------
    published
        A plan of ``problem``.
    actuals
        Everything that has started, from the floor; what is not in it has not started. ``None``: nobody knows, so
        whatever the plan starts before ``now`` is taken to have gone as planned.
    frozen_ticks
        How far ahead machine and start are kept.

    Raises
    ------
    ProblemError
        A disturbance names what does not exist, or makes the problem impossible.
    """
    happened = tuple(disturbances)
    draft = drafted(problem, happened)
    history = _History(problem, published, now, draft, actuals)
    operations = [history.now_known(k, operation) for k, operation in enumerate(draft.operations)]
    kept = [k for k, operation in enumerate(operations) if operation is not None]
    rows = tuple(operation for operation in operations if operation is not None)
    alive = {operation.job for operation in rows}
    links = tuple(draft.precedences)
    if len(rows) < len(operations):
        keys = {operation.key for operation in rows}
        links = tuple(link for link in links if link.before in keys and link.after in keys)
    n = len(problem.operations)
    origin = np.array([k if k < n else -1 for k in kept], np.int64)
    reference = _carried(published, origin)
    zone = Zone(problem, draft, rows, links, reference, origin.tolist(), now, frozen_ticks)
    rows_of: dict[str, Any] = {
        "machines": tuple(draft.machines),
        "jobs": tuple(job for job in draft.jobs if job.id in alive),
        "operations": zone.final(),
        "precedences": links,
        "resources": tuple(draft.resources),
        "operators": tuple(draft.operators),
        "calendars": tuple(draft.calendars),
        "now": now,
    }
    is_sound = actuals is None and all(isinstance(row, MachineDown | PersonAbsent) for row in happened)
    changed = _unchecked(problem, rows_of) if is_sound else replace(problem, **rows_of)
    struck = frozenset(draft.struck)
    return Situation(changed, reference, origin, struck, tuple(zone.frozen), tuple(zone.delayed))


def _unchecked(problem: Problem, rows_of: dict[str, Any]) -> Problem:
    """Return a valid problem with facts and closed times added, without validating it again.

    Neither can make a valid problem invalid: what started stood in a plan, and what is closed opens again. At 30,000
    operations the validation would take a third of the time that a re-plan has.
    """
    changed: Problem = object.__new__(Problem)
    for field in fields(Problem):
        object.__setattr__(changed, field.name, rows_of.get(field.name, getattr(problem, field.name)))
    return changed


def disturb(
    problem: Problem, published: Plan, now: int, disturbance: Disturbance, *, frozen_ticks: int = 240
) -> Problem:
    """Return the problem after one disturbance; see `situate`."""
    return situate(problem, published, now, (disturbance,), frozen_ticks=frozen_ticks).problem


def _carried(published: Plan, origin: Ints) -> Plan:
    """The published plan over the new problem's operations."""
    there = origin >= 0

    def column(values: Ints) -> Ints:
        return np.where(there, values[np.where(there, origin, 0)], -1)

    return Plan(
        column(published.machine),
        column(published.start),
        column(published.end),
        column(published.setup_start),
        column(published.leave),
    )


class _History:
    """What is already a fact at ``now``."""

    def __init__(
        self, problem: Problem, published: Plan, now: int, draft: Draft, actuals: Mapping[OperationKey, Actual] | None
    ) -> None:
        told = actuals or {}
        self._problem, self._now, self._draft, self._told = problem, now, draft, told
        self._is_assumed = actuals is None
        self._machine, self._start = published.machine.tolist(), published.start.tolist()
        self._end = published.end.tolist()
        until = max([now, *self._end, *(actual.end or 0 for actual in told.values())]) + 1
        times = compile_calendars(problem.machines, problem.calendars, until)
        self._open: list[OpenTime | None] = [None] * len(problem.machines)
        for m, code in enumerate(times.of_machine.tolist()):
            if code >= 0:
                part = slice(int(times.ptr[code]), int(times.ptr[code + 1]))
                self._open[m] = OpenTime(list(zip(times.start[part].tolist(), times.end[part].tolist(), strict=True)))

    def now_known(self, k: int, operation: Operation) -> Operation | None:
        """Return an operation as it stands now; ``None``: it is not done any more."""
        actual = self._told.get(operation.key)
        planned = self._start[k] if k < len(self._start) else -1
        start = planned if actual is None else actual.start
        if actual is None and not self._is_assumed:
            start = -1
        if start < 0 or start >= self._now:
            return self._not_started(operation)
        machine = self._problem.machines[self._machine[k]].id if actual is None else actual.machine
        row = placed(operation, Status.STARTED, machine, start)
        return self._with_work(k, row, machine, start, None if actual is None else actual.end)

    def _not_started(self, operation: Operation) -> Operation | None:
        if operation.job in self._draft.cancelled:
            return None
        if operation.status in (Status.STARTED, Status.FROZEN):
            # An earlier plan fixed it; whether it still is, the zone of this moment says.
            return placed(operation, Status.OPEN, None, None)
        return operation

    def _with_work(self, k: int, row: Operation, machine: Id, start: int, end: int | None) -> Operation:
        """Set the working time to what it really took, or will take."""
        if end is not None:
            work = self._worked(machine, start, end)
        elif row.key in self._draft.remaining:
            known = next(mode.duration for mode in self._problem.operations[k].modes if mode.machine == machine)
            left = max(0, known - self._worked(machine, start, min(self._now, self._end[k])))
            work = known - left + math.ceil(left * self._draft.remaining[row.key])
        else:
            return row
        modes = tuple(Mode(machine, max(1, work)) if mode.machine == machine else mode for mode in row.modes)
        return replace(row, modes=modes)

    def _worked(self, machine: Id, start: int, end: int) -> int:
        times = self._open[self._problem.machine_index[machine]]
        return end - start if times is None else times.between(start, end)
