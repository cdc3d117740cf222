"""One rule set for moving a job order, whoever asks: drag, keyboard, table, suggestion or program. Decides nothing.

* *insert*: it goes to its machine as soon as it can from the wanted time on; whatever comes after moves behind it, and
  what follows these. Nothing starts earlier than it was planned.
* *slot*: it goes into the first gap from the wanted time on in which nothing else has to move.
* *infinite*: it goes exactly there, whatever is there; what that breaks is named. Such a plan is looked at, and not
  published unless nothing is broken.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

import numpy as np
import numpy.typing as npt

from yuheng.engines.schedule.arrays import Arrays, HorizonTooShort
from yuheng.engines.schedule.check import Violation, check
from yuheng.engines.schedule.decode import NoPlan
from yuheng.engines.schedule.parts import Link, Operation, Status
from yuheng.engines.schedule.plan import Plan, plan_of
from yuheng.engines.schedule.problem import Problem
from yuheng.engines.schedule.repair.general import GeneralShop
from yuheng.scheduling.building.built import Built, Rows, outside
from yuheng.scheduling.building.carrying import Carried, carry, far_enough

Ints = npt.NDArray[np.int64]
LAST = 1 << 44
"""Later in order than anything planned."""


class How(StrEnum):
    """What may make room."""

    INSERT = "insert"
    SLOT = "slot"
    INFINITE = "infinite"


@dataclass(frozen=True, slots=True)
class Move:
    """A job order to a work unit (None: where it is planned), at ``start`` or as soon after it as is possible."""

    job_order_id: int
    start: datetime
    work_unit_id: int | None = None
    how: How = How.INSERT


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why not: a code of `services.words`, with ids and moments to be named there."""

    code: str
    values: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Moved:
    """What a move leads to.

    Attributes
    ----------
    before
        The published plan as it goes on from now.
    plan
        None when ``refusal`` says why there is none.
    violations
        What the checker says: only of infinite moves.
    """

    problem: Problem
    before: Plan
    plan: Plan | None
    index: int
    refusal: Refusal | None = None
    violations: tuple[Violation, ...] = ()

    @property
    def is_feasible(self) -> bool:
        """Return whether it may be published."""
        return self.plan is not None and self.refusal is None and not self.violations


@dataclass(frozen=True, slots=True)
class Base:
    """The published plan as it goes on from a moment, ready for moves to be tried on it, one after another.

    ``arrays`` reach everything that begins by tick ``until``.
    """

    built: Built
    carried: Carried
    arrays: Arrays
    until: int


def base_of(built: Built, published: Rows) -> Base | None:
    """Bring the published plan to the moment of ``built``; None when it cannot go on at all."""
    found = carry(built, published)
    if found is None:
        return None
    until = int(found.plan.end.max())
    return Base(built, found, far_enough(found.problem, until), until)


def place(built: Built, published: Rows, move: Move) -> Moved | None:
    """Try a move on the published plan as it goes on from now; None when that plan cannot go on at all."""
    base = base_of(built, published)
    return None if base is None else place_on(base, move)


def place_on(base: Base, move: Move) -> Moved:
    """Try a move on a plan that was brought to its moment before. Changes nothing of it."""
    built, problem, before = base.built, base.carried.problem, base.carried.plan
    k = built.index_of_job.get(move.job_order_id, -1)

    def no(code: str, **values: Any) -> Moved:
        return Moved(problem, before, None, k, Refusal(code, {"job": move.job_order_id, **values}))

    if k < 0:
        return no("not_planned")
    row = problem.operations[k]
    machine = _wanted_machine(problem, row, before, k, move)
    refused = _may_not(problem, row, before, k, machine, move)
    if refused is not None:
        return no(*refused[:1], **refused[1])
    wanted = max(problem.now, built.tick(move.start))
    arrays = base.arrays if wanted <= base.until else far_enough(problem, wanted)
    mode = _mode_on(arrays, problem, k, machine)
    try:
        if move.how is How.INFINITE:
            return _exactly(problem, arrays, before, k, mode, wanted)
        if move.how is How.SLOT:
            plan = _into_gap(arrays, before, k, mode, wanted)
            others = np.flatnonzero((plan.start != before.start) | (plan.machine != before.machine))
            hit = others[others != k]
            if len(hit):
                first = int(hit[np.argmin(before.start[hit])])
                return no("no_slot", other=int(problem.operations[first].id), at=int(before.start[first]))
        else:
            plan = _inserted(problem, arrays, before, k, mode, wanted)
    except (NoPlan, HorizonTooShort):
        return no("no_room")
    violations = tuple(check(problem, plan))
    if violations:
        return Moved(problem, before, None, k, Refusal("no_room", {"job": move.job_order_id}), violations)
    return Moved(problem, before, plan, k)


def _wanted_machine(problem: Problem, row: Operation, before: Plan, k: int, move: Move) -> Any:
    if move.work_unit_id is None:
        return problem.machines[int(before.machine[k])].id
    if row.modes[0].machine == outside(int(row.id)):
        return row.modes[0].machine
    return move.work_unit_id


def _may_not(
    problem: Problem, row: Operation, before: Plan, k: int, machine: Any, move: Move
) -> tuple[str, dict[str, Any]] | None:
    """Capability and freeze, before anything is computed; time and capacity come out of placing it."""
    if row.status is Status.STARTED:
        return "runs", {"machine": row.fixed_machine}
    able = [mode.machine for mode in row.modes]
    if machine not in able:
        return "not_able", {"machine": machine, "able": able}
    if row.status is Status.FROZEN:
        return "frozen", {"at": int(before.start[k])}
    if row.status is Status.PINNED and row.fixed_machine not in (None, machine):
        return "pinned", {"machine": row.fixed_machine}
    return None


def _mode_on(arrays: Arrays, problem: Problem, k: int, machine: Any) -> int:
    modes = range(int(arrays.op_ptr[k]), int(arrays.op_ptr[k + 1]))
    index = problem.machine_index[machine]
    return next(mode for mode in modes if arrays.mode_machine[mode] == index)


def _no_earlier(arrays: Arrays, before: Plan, k: int, wanted: int) -> Arrays:
    """Nothing starts before it was planned, the one that is moved not before the wanted time."""
    free = arrays.fixed_start < 0
    release = np.where(free, np.maximum(arrays.release, before.start), arrays.release)
    release[k] = max(int(arrays.release[k]), wanted)
    return replace(arrays, release=release)


def _inserted(problem: Problem, arrays: Arrays, before: Plan, k: int, mode: int, wanted: int) -> Plan:
    """Place in the planned order, the moved one in front of what starts when it can, or later."""
    modes = before.modes(arrays)
    modes[k] = mode
    soonest = max(wanted, int(arrays.release[k]), _after_what_it_waits_for(problem, before, k))
    order = 2 * before.start
    order[k] = 2 * soonest - 1
    return GeneralShop(_no_earlier(arrays, before, k, soonest)).kept(modes, order, keep_order=True)


def _after_what_it_waits_for(problem: Problem, before: Plan, k: int) -> int:
    key, soonest = problem.operations[k].key, 0
    for link in problem.precedences:
        if link.after != key:
            continue
        a = problem.operation_index[link.before]
        at = before.end[a] if link.kind is Link.FINISH_START else before.start[a]
        soonest = max(soonest, int(at) + link.min_lag)
    return soonest


def _into_gap(arrays: Arrays, before: Plan, k: int, mode: int, wanted: int) -> Plan:
    modes = before.modes(arrays)
    modes[k] = mode
    order = before.start.copy()
    order[k] = LAST
    return GeneralShop(_no_earlier(arrays, before, k, wanted)).kept(modes, order)


def _exactly(problem: Problem, arrays: Arrays, before: Plan, k: int, mode: int, wanted: int) -> Moved:
    modes, start = before.modes(arrays), before.start.copy()
    modes[k], start[k] = mode, wanted
    plan = plan_of(arrays, modes, start)
    return Moved(problem, before, plan, k, None, tuple(check(problem, plan)))
