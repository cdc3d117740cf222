"""Placing work in a plan around what is there: what is known keeps its place, what is new takes what is left."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from yuheng.engines.schedule.arrays import HorizonTooShort, compile_problem
from yuheng.engines.schedule.check import check
from yuheng.engines.schedule.decode import NoPlan, by_order, choose_routings, new_board
from yuheng.engines.schedule.layout import lay_out
from yuheng.engines.schedule.plan import Plan, plan_of
from yuheng.engines.schedule.problem import Problem
from yuheng.scheduling.building.build import build
from yuheng.scheduling.building.built import Built, Rows
from yuheng.scheduling.building.carrying import Carried, carry, far_enough
from yuheng.scheduling.building.facts import PlantFacts

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
LAST = 1 << 44
"""Later in order than anything planned."""
ATTEMPTS = 3


class Placing:
    """One moment's problem with what is planned in its indices, and plans of it.

    Parameters
    ----------
    base
        The published plan as it goes on, over what it knows; None: nothing is planned.
    turn
        ``(n,)``: in which turn what is not planned is placed, the lowest first.
    is_new
        ``(n,)``: what may be placed anywhere. Everything else begins no earlier than planned.
    """

    def __init__(
        self, built: Built, published: Rows | None, base: Carried | None, turn: Ints, is_new: Bools | None = None
    ) -> None:
        self.built, self.turn = built, turn
        self.problem: Problem = built.situation(published).problem
        self.start, self.unit = np.full(len(built.jobs), -1, np.int64), np.full(len(built.jobs), -1, np.int64)
        self.end = np.full(len(built.jobs), -1, np.int64)
        if base is not None:
            self._take_over(base)
        self.is_new = self.start < 0 if is_new is None else is_new
        self.arrays = far_enough(self.problem, int(self.start.max(initial=0)))
        self.want = self._modes()

    def _take_over(self, base: Carried) -> None:
        """Starts and machines of what is planned, in this problem's indices."""
        machine_of = self.problem.machine_index
        plan, problem = base.plan, base.problem
        for j, operation in enumerate(problem.operations):
            k = self.built.index_of_job.get(int(operation.id))
            if k is not None and plan.machine[j] >= 0:
                self.start[k], self.end[k] = plan.start[j], plan.end[j]
                self.unit[k] = machine_of.get(problem.machines[int(plan.machine[j])].id, -1)
        self.start[self.unit < 0] = -1

    def _modes(self) -> Ints:
        arrays = self.arrays
        owner = np.repeat(np.arange(arrays.n), np.diff(arrays.op_ptr))
        chosen = np.flatnonzero(arrays.mode_machine == self.unit[owner])
        modes = np.full(arrays.n, -1, np.int64)
        modes[owner[chosen]] = chosen
        return modes

    def behind(self) -> Plan | None:
        """Return the plan in which nothing known moves, or as little as can be; None: nothing feasible is found."""
        order = np.where(self.start >= 0, self.start, LAST + self.turn * LAST + self.steps())
        for keep_order in (False, True):  # a gap may be too narrow for the set-up behind it: then at the end
            plan = self.placed(order, keep_order=keep_order)
            if plan is not None and not self._moved(plan) and not check(self.problem, plan):
                return plan
        plan = self.placed(order, keep_order=False)
        return None if plan is None or check(self.problem, plan) else plan

    def without(self, plan: Plan) -> Plan:
        """Return a plan with what is known where it was, and nothing else."""
        known = self.start >= 0
        start, end = np.where(known, self.start, -1), np.where(known, self.end, -1)
        setup = np.where(known & (plan.start == self.start), plan.setup_start, start)
        return Plan(np.where(known, self.unit, -1), start, end, setup, end.copy())

    def placed(self, order: Ints, *, keep_order: bool, known: Ints | None = None) -> Plan | None:
        """Return the plan of an order in which nothing known begins before ``known``. None: there is none."""
        known = self.start if known is None else known
        free = (self.arrays.fixed_start < 0) & ~self.is_new
        release = np.where(free, np.maximum(self.arrays.release, known), self.arrays.release)
        arrays = replace(self.arrays, release=release)
        for _attempt in range(ATTEMPTS):
            try:
                board = new_board(lay_out(arrays), choose_routings(arrays))
                by_order(board, order, self.want, keep_order=keep_order)
                return plan_of(arrays, board.mode, board.start, board.leave)
            except NoPlan:
                return None
            except HorizonTooShort:
                arrays = replace(compile_problem(self.problem, covered=4 * arrays.covered), release=release)
        return None

    def steps(self) -> Ints:
        """Each operation's place in the order of what waits for what."""
        rank = np.empty(self.arrays.n, np.int64)
        rank[self.arrays.topo] = np.arange(self.arrays.n)
        return rank

    def _moved(self, plan: Plan) -> bool:
        known = self.start >= 0
        return bool(np.any(known & ((plan.start != self.start) | (plan.machine != self.unit))))


@dataclass(frozen=True, slots=True)
class Placed:
    """A plan that holds with new work in it, over ``problem``; ``before``: how it goes on without it.

    ``job_order_ids``: what is planned now and was not.
    """

    problem: Problem
    plan: Plan
    before: Plan
    job_order_ids: tuple[int, ...]


def place_new(built: Built, published: Rows) -> Placed | None:
    """Give work that the published plan does not know its place behind what it knows, the most urgent first.

    Returns
    -------
    Placed or None
        None: nothing is new, or the plan that holds cannot go on.

    Notes
    -----
    Where new work comes before known work (a rework step), known work moves behind it; nothing else does.
    """
    if built.problem is None:
        return None
    known = _only(built.facts, set(published.place))
    base_of = build(known, built.levers)
    base = carry(base_of, published) if base_of.problem is not None else None
    if base_of.problem is not None and base is None:
        return None
    urgency = sorted({(job.rank, job.due_at, job.root_id) for job in built.jobs})
    turn_of = {root: place for place, (_rank, _due, root) in reversed(list(enumerate(urgency)))}
    turn = np.array([turn_of[job.root_id] for job in built.jobs], np.int64)
    placing = Placing(built, published, base, turn)
    plan = placing.behind()
    if plan is None:
        return None
    new = np.flatnonzero(placing.is_new & (plan.machine >= 0))
    if not len(new):
        return None
    return Placed(placing.problem, plan, placing.without(plan), tuple(built.jobs[k].id for k in new.tolist()))


def _only(facts: PlantFacts, known: set[int]) -> PlantFacts:
    work = facts.work
    jobs = [job for job in work.jobs if job.id in known]
    links = [row for row in work.links if row.after_id in known and (not row.is_open or row.before_id in known)]
    return replace(facts, work=replace(work, jobs=jobs, links=links))
