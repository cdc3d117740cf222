"""The one door of the engine: the best plan that can be found in the time given.

Rules make a plan at once; then the search that knows the problem's rules improves it until time, effort or improvement
ends; small problems are solved exactly. A plan given to start with is never made worse.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from yuheng.engines.schedule.arrays import HorizonTooShort, compile_problem
from yuheng.engines.schedule.bound import bounds
from yuheng.engines.schedule.calendars import FOREVER
from yuheng.engines.schedule.check import check
from yuheng.engines.schedule.decode import Board, NoPlan, by_order, choose_routings, new_board, urgency
from yuheng.engines.schedule.faults import Fault, ProblemError, gettext_noop
from yuheng.engines.schedule.layout import lay_out
from yuheng.engines.schedule.makespan import MakespanSearch, supports
from yuheng.engines.schedule.objective import Objective
from yuheng.engines.schedule.plan import Plan, plan_of
from yuheng.engines.schedule.problem import Problem
from yuheng.engines.schedule.rules import sweep
from yuheng.engines.schedule.scoring import Scorer, scorer
from yuheng.engines.schedule.validate import name_of

type_ints = npt.NDArray[np.int64]

HORIZONS = 4
"""So many times the calendars are laid out four times as far before the engine gives up."""
_NO_TIME = gettext_noop("%(value)s is no time to search. Give seconds, more than 0.")
_NO_END = gettext_noop("the work does not end within %(covered)s ticks. Open the calendars for longer.")


class Cancel:
    """Ask a running `solve` to return what it has; it does within 50 ms. May be set from any thread."""

    def __init__(self) -> None:
        self.flag = np.zeros(1, np.uint8)

    def set(self) -> None:
        """Ask."""
        self.flag[0] = 1

    @property
    def is_set(self) -> bool:
        """Whether somebody asked."""
        return bool(self.flag[0])


@dataclass(frozen=True, slots=True)
class Improvement:
    """A better plan's value, and when it was found."""

    seconds: float
    objective_value: float


@dataclass(frozen=True, slots=True)
class Solution:
    """What `solve` found.

    Attributes
    ----------
    objective_value
        As `objective.evaluate` says: the weighted sum, or the first term.
    bound
        No plan is better than this; ``None``: unknown.
    seconds
        Wall time used.
    finished_by
        "optimal" (proven), "time", "effort", "cancelled", or "search" when nothing more was to be tried.
    """

    plan: Plan
    objective_value: float
    bound: float | None
    seconds: float
    improvements: tuple[Improvement, ...]
    finished_by: str


type_told = Callable[[Plan, float, float], None]
"""Called with a better plan, its objective value, and the seconds since the beginning."""


@dataclass(slots=True)
class Best:
    """The best plan so far, and what was told of it.

    Attributes
    ----------
    begun
        `time.monotonic` when `solve` was called.
    """

    problem: Problem
    scorer: Scorer
    begun: float
    told: type_told | None = None
    terms: tuple[float, ...] | None = None
    plan: Plan | None = None
    mode: type_ints = field(default_factory=lambda: np.zeros(0, np.int64))
    improvements: list[Improvement] = field(default_factory=list)

    @property
    def value(self) -> float:
        """Objective value; infinite without a plan."""
        return float("inf") if self.terms is None else self.scorer.value(self.terms)

    def seconds(self) -> float:
        """Wall time since the beginning."""
        return time.monotonic() - self.begun

    def offer(self, mode: type_ints, start: type_ints, leave: type_ints | None = None) -> bool:
        """Take a plan if it is the best; what reaches behind the horizon is not, unless there is no other yet."""
        try:
            plan = plan_of(self.scorer.arrays, mode, start, leave)
        except HorizonTooShort:
            if self.plan is None:
                raise
            return False
        return self.offer_plan(plan, mode)

    def offer_plan(self, plan: Plan, mode: type_ints) -> bool:
        """Take a complete plan if it is the best."""
        terms = self.scorer.terms(mode, plan.start, plan.end)
        if self.terms is not None and not self.scorer.is_better(terms, self.terms):
            return False
        self.terms, self.plan, self.mode = terms, plan, mode
        self.improvements.append(Improvement(self.seconds(), self.value))
        if self.told is not None:
            self.told(plan, self.value, self.improvements[-1].seconds)
        return True


def solve(
    problem: Problem,
    objective: Objective | None = None,
    time_limit_s: float = 10.0,
    *,
    workers: int = 1,
    seed: int = 0,
    start: Plan | None = None,
    reference: Plan | None = None,
    cancel: Cancel | None = None,
    on_improvement: type_told | None = None,
    effort: int | None = None,
) -> Solution:
    """Find the best plan in the time given.

    Parameters
    ----------
    objective
        Weighted tardiness by default.
    time_limit_s
        Wall time, held within 10 %; the first plan is made whatever it takes.
    workers
        Processes that search; 1 searches in this one.
    seed
        Equal seeds, effort and one worker give equal plans.
    start
        A plan to begin with; when it is feasible, nothing worse is returned.
    reference
        The published plan that nervousness is measured against; ``start`` by default.
    cancel
        Asks for what there is.
    on_improvement
        Told of each better plan, while `solve` runs.
    effort
        Units of search (proposals, moves, iterations: what the search counts) instead of time; ``time_limit_s`` still
        ends the run.

    Raises
    ------
    ProblemError
        No plan was found, and why.
    """
    begun = time.monotonic()
    if not time_limit_s > 0:
        raise ProblemError([Fault("solve", "time", _NO_TIME, {"value": time_limit_s})])
    objective = objective or Objective()
    limits = Limits(begun, begun + time_limit_s, effort, cancel or Cancel())
    arrays = compile_problem(problem)
    for _attempt in range(HORIZONS):
        best = Best(
            problem,
            scorer(problem, arrays, objective, start if reference is None else reference),
            begun,
            on_improvement,
        )
        try:
            finished_by, bound = _search(best, start, limits, seed)
        except HorizonTooShort:
            arrays = compile_problem(problem, covered=4 * arrays.covered)
            continue
        except NoPlan as error:
            raise ProblemError([_fault(problem, error)]) from error
        if best.plan is None:
            break
        return Solution(best.plan, best.value, bound, best.seconds(), tuple(best.improvements), finished_by)
    raise ProblemError([Fault("problem", "calendars", _NO_END, {"covered": arrays.covered})])


@dataclass(frozen=True, slots=True)
class Limits:
    """When a run ends. ``begun`` and ``deadline`` are `time.monotonic`."""

    begun: float
    deadline: float
    effort: int | None
    cancel: Cancel

    def left(self) -> float:
        """Seconds to the deadline."""
        return self.deadline - time.monotonic()

    def share(self, fraction: float) -> float:
        """Seconds until this fraction of the whole time is used."""
        return self.begun + fraction * (self.deadline - self.begun) - time.monotonic()

    @property
    def is_over(self) -> bool:
        """Whether time is up or somebody cancelled."""
        return self.cancel.is_set or self.left() <= 0


def _search(best: Best, start: Plan | None, limits: Limits, seed: int) -> tuple[str, float | None]:
    """Run one phase after the other; return what ended the run, and the bound."""
    arrays, objective = best.scorer.arrays, best.scorer.objective
    bound = bounds(arrays).of(objective.terms[:1] if objective.lexicographic else objective.terms)
    layout = lay_out(arrays)
    board = new_board(layout, choose_routings(arrays))
    _begin_with(best, board, start)
    for plan in sweep(board, urgency(layout), objective):
        best.offer(plan.mode, plan.start, plan.leave)
        if limits.is_over or limits.share(0.2) <= 0:
            break
    if _is_optimal(best, bound):
        return "optimal", bound
    if objective.terms == (("makespan", 1.0),) and supports(arrays):
        _shorten(best, limits, seed)
    if _is_optimal(best, bound):
        return "optimal", bound
    if limits.cancel.is_set:
        return "cancelled", bound
    return "time" if limits.left() <= 0 else "search", bound


def _begin_with(best: Best, board: Board, start: Plan | None) -> None:
    """Take a given plan: as it is if it is feasible, and as its order decodes."""
    if start is None:
        return
    arrays = best.scorer.arrays
    if not check(best.problem, start):
        best.offer_plan(start, start.modes(arrays))
    board.active[:] = np.where(arrays.routing_of_op >= 0, start.is_present, 1)
    try:
        by_order(board, np.where(start.is_present, start.start, FOREVER), start.modes(arrays), keep_order=True)
    except NoPlan:
        return
    best.offer(board.mode, board.start, board.leave)


def _shorten(best: Best, limits: Limits, seed: int) -> None:
    search = MakespanSearch(best.scorer.arrays, seed, None if best.plan is None else (best.mode, best.plan.start))
    search.run(
        limits.left(),
        limits.cancel.flag,
        lambda _makespan, mode, start: _offered(best, mode, start),
        moves=limits.effort,
    )


def _offered(best: Best, mode: type_ints, start: type_ints) -> None:
    best.offer(mode, start)


def _is_optimal(best: Best, bound: float | None) -> bool:
    if best.terms is None:
        return False
    if best.scorer.objective.lexicographic:
        return not any(best.terms)
    return best.value <= 1e-9 or (bound is not None and best.value <= bound + 1e-9)


def _fault(problem: Problem, error: NoPlan) -> Fault:
    names = {key: name_of(problem.operations[i].key) for key, i in (("a", error.a), ("b", error.b)) if i >= 0}
    return Fault(next(reversed(names.values()), "problem"), "plan", str(error), names)
