"""The one door of the engine: the best plan that can be found in the time given.

Rules make a plan at once; then the search that knows the problem's rules improves it until time, effort or improvement
ends; small problems are solved exactly. A plan given to start with is never made worse.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing.connection import wait

import numpy as np
import numpy.typing as npt

from yuheng.engines.schedule import tardiness
from yuheng.engines.schedule.arrays import Arrays, HorizonTooShort, compile_problem
from yuheng.engines.schedule.bound import bounds
from yuheng.engines.schedule.calendars import FOREVER
from yuheng.engines.schedule.check import check
from yuheng.engines.schedule.crew import LOOK_S, Crew
from yuheng.engines.schedule.decode import Board, NoPlan, by_order, choose_routings, new_board, urgency
from yuheng.engines.schedule.dispatch import first_plan
from yuheng.engines.schedule.exact import is_available, solve_exact
from yuheng.engines.schedule.faults import Fault, ProblemError, gettext_noop
from yuheng.engines.schedule.layout import lay_out
from yuheng.engines.schedule.objective import Objective
from yuheng.engines.schedule.plan import Plan, plan_of
from yuheng.engines.schedule.problem import Problem
from yuheng.engines.schedule.rules import sweep
from yuheng.engines.schedule.scoring import Scorer, scorer
from yuheng.engines.schedule.searching import COUNTED, Cancel, Found, Limits, costs_of, improve
from yuheng.engines.schedule.validate import name_of

__all__ = ["Cancel", "Improvement", "Solution", "solve"]

LOGGER = logging.getLogger(__name__)

type_ints = npt.NDArray[np.int64]

HORIZONS = 4
"""So many times the calendars are laid out four times as far before the engine gives up."""
EXACT = 150
"""Up to so many operations the exact solver has the last word."""
EXACT_S, EXACT_SHARE, EXACT_END_S = 2.0, 0.6, 0.15
"""It needs this long at least; searches have this share before it; what its end may take."""
RULES_SHARE = 0.2
"""Share of the time for rules."""
LEARN = 60_000
"""Operations a second that the learning rules manage; with less time only one rule is tried."""
_NO_TIME = gettext_noop("%(value)s is no time to search. Give seconds, more than 0.")
_NO_WORKERS = gettext_noop("%(value)s workers cannot search. Give at least 1.")
_NOT_SOUND = gettext_noop("no plan was found that keeps every rule. Free something that is fixed, or report this.")
KEPT = 6
"""So many plans before the best are remembered, besides the first."""
_NO_END = gettext_noop("the work does not end within %(covered)s ticks. Open the calendars for longer.")


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
    """The best plan so far, and what was told of it."""

    problem: Problem
    scorer: Scorer
    limits: Limits
    reference: Plan | None = None
    told: type_told | None = None
    terms: tuple[float, ...] | None = None
    plan: Plan | None = None
    bound: float | None = None
    mode: type_ints = field(default_factory=lambda: np.zeros(0, np.int64))
    before: list[tuple[Plan, type_ints]] = field(default_factory=list)
    improvements: list[Improvement] = field(default_factory=list)

    @property
    def value(self) -> float:
        """Objective value; infinite without a plan."""
        return float("inf") if self.terms is None else self.scorer.value(self.terms)

    def is_optimal(self) -> bool:
        """Whether nothing can be better: no term costs anything, or the bound is reached."""
        if self.terms is None:
            return False
        if len(self.terms) > 1 and self.scorer.objective.lexicographic:
            return not any(self.terms)
        return self.value <= 1e-9 or (self.bound is not None and self.value <= self.bound * (1 + 1e-12) + 1e-9)

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
        if self.plan is not None:
            self.before = [*self.before[:1], *self.before[1:][-KEPT:], (self.plan, self.mode)]
        self.terms, self.plan, self.mode = terms, plan, mode
        self.improvements.append(Improvement(self.limits.seconds, self.value))
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
    clock: Callable[[], float] = time.monotonic,
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
        ends the run, and nothing is left to the exact solver, which counts otherwise.
    clock
        What time is measured by; `time.process_time` for measurements on a busy machine.

    Raises
    ------
    ProblemError
        No plan was found, and why.
    """
    if not time_limit_s > 0:
        raise ProblemError([Fault("solve", "time", _NO_TIME, {"value": time_limit_s})])
    if workers < 1:
        raise ProblemError([Fault("solve", "workers", _NO_WORKERS, {"value": workers})])
    objective = objective or Objective()
    near_to = start if reference is None else reference
    with Limits(time_limit_s, effort, cancel, clock) as limits:
        arrays = compile_problem(problem)
        _load_kernels(arrays, objective, limits)
        for _attempt in range(HORIZONS):
            scores = scorer(problem, arrays, objective, near_to)
            best = Best(problem, scores, limits, near_to, on_improvement)
            try:
                finished_by = _search(best, start, limits, seed, workers)
            except HorizonTooShort:
                arrays = compile_problem(problem, covered=4 * arrays.covered)
                continue
            except NoPlan as error:
                finished_by = _last_resort(best, error, limits, seed)
            if best.plan is None:
                break
            if not _keep_sound(best, arrays):
                raise ProblemError([Fault("problem", "plan", _NOT_SOUND)])
            return Solution(best.plan, best.value, best.bound, limits.seconds, tuple(best.improvements), finished_by)
    raise ProblemError([Fault("problem", "calendars", _NO_END, {"covered": arrays.covered})])


_LOADED: set[tuple[str, str]] = set()
"""Kinds of problems and objectives whose kernels this process has."""


def _load_kernels(arrays: Arrays, objective: Objective, limits: Limits) -> None:
    """Load what a search of this kind runs, or compile it, once a process: on nobody's time."""
    from yuheng.engines.schedule.warm import kind_of, load  # noqa: PLC0415  (it plans by means of this module)

    kind, aim = kind_of(arrays), "makespan" if objective.terms[0][0] == "makespan" else "tardiness"
    wanted = [(kind, aim)]
    if kind == "plain" and objective.terms != (("tardiness", 1.0),):
        wanted.append(("timed", "tardiness"))  # terms that the search of plain problems does not know
    began = limits.clock()
    for key in wanted:
        if key not in _LOADED:
            _LOADED.add(key)
            load(*key)
    limits.forgive(limits.clock() - began)


def _search(best: Best, start: Plan | None, limits: Limits, seed: int, workers: int) -> str:
    """Run one phase after the other; return what ended the run."""
    _first_plans(best, start, limits)
    if best.is_optimal():
        return "optimal"
    arrays = best.scorer.arrays
    is_small = (
        arrays.n <= EXACT and limits.effort is None and limits.deadline - limits.begun >= EXACT_S and is_available()
    )
    share = 1.0 if not is_small else EXACT_SHARE if arrays.n > EXACT // 2 else EXACT_SHARE / 2
    if limits.phase(share) and _improve(best, seed, limits, workers):
        best.bound = best.value
        return "optimal"
    if best.is_optimal():
        return "optimal"
    if is_small and limits.phase(1.0) and limits.left >= 0.5 and _prove(best, limits, seed):
        return "optimal"
    if limits.cancel.is_set:
        return "cancelled"
    if limits.left <= 0:
        return "time"
    return "search" if limits.effort is None else "effort"


def _first_plans(best: Best, start: Plan | None, limits: Limits) -> None:
    """Take the plan given, then what rules make."""
    arrays, objective = best.scorer.arrays, best.scorer.objective
    best.bound = bounds(arrays).of(objective.terms[:1] if objective.lexicographic else objective.terms)
    layout = lay_out(arrays)
    board = new_board(layout, choose_routings(arrays))
    if start is not None:
        _begin_with(best, board, start)
        board.active[:] = choose_routings(arrays)
    known = urgency(layout)
    is_plain = tardiness.supports(arrays)
    is_counted = limits.effort is not None or arrays.n <= COUNTED
    limits.phase(1.0 if is_counted else RULES_SHARE)  # so few are done soon, and are all tried whatever the clock says
    for plan in sweep(board, known, objective):
        best.offer(plan.mode, plan.start, plan.leave)
        if is_plain or limits.stop[0] or best.is_optimal():
            break
    if is_plain and not limits.stop[0] and not best.is_optimal() and arrays.n <= LEARN * limits.phase_left:
        made = first_plan(arrays, costs_of(objective), stop=limits.stop)
        best.offer(made.mode, made.start)


def _begin_with(best: Best, board: Board, start: Plan) -> None:
    """Take a given plan: as it is if it is feasible, and as its order decodes."""
    arrays = best.scorer.arrays
    if not check(best.problem, start):
        best.offer_plan(start, start.modes(arrays))
    board.active[:] = np.where(arrays.routing_of_op >= 0, start.is_present, 1)
    order = np.where(start.is_present, start.start, FOREVER)
    for keep_order in (True, False):
        try:
            by_order(board, order, start.modes(arrays), keep_order=keep_order)
        except NoPlan:
            continue
        best.offer(board.mode, board.start, board.leave)
        return


def _improve(best: Best, seed: int, limits: Limits, workers: int) -> bool:
    """Search from the best plan, alone or with others; True when the result is optimal."""
    plan = best.plan
    assert plan is not None
    given = Found(best.mode, plan.start)
    if workers == 1:
        return improve(best.scorer, given, seed, limits, best.offer, lambda: None)
    with Crew(workers, best.scorer, given, plan.leave, seed, limits) as crew:
        shown = best.value

        def look() -> Found | None:
            nonlocal shown
            before = best.value
            for mode, start, leave in crew.news():
                best.offer(mode, start, leave)
            if best.value < shown and best.plan is not None:
                shown = best.value
                crew.show(best.terms or (), best.mode, best.plan.start, best.plan.leave)
            return Found(best.mode, best.plan.start) if best.value < before and best.plan is not None else None

        is_optimal = improve(best.scorer, given, seed, limits, best.offer, look)
        if not is_optimal:
            while limits.effort is None and not limits.stop[0] and any(p.is_alive() for p in crew.processes):
                wait([process.sentinel for process in crew.processes], timeout=LOOK_S)
                look()
        crew.ask()
        for process in crew.processes:
            process.join(0.3)
        look()
    return is_optimal


def _keep_sound(best: Best, arrays: Arrays) -> bool:
    """Let the independent checker have the last word: a plan that breaks a rule gives way to the best that breaks none.

    False when there is none among the latest, the first, and what their orders decode to.
    """
    assert best.plan is not None
    if not check(best.problem, best.plan):
        return True
    LOGGER.error("a plan of %s broke a rule and was dropped", best.problem.name)
    wrong, mode = best.plan, best.mode
    ranked: list[tuple[Plan, type_ints]] = list(reversed(best.before))
    layout = lay_out(arrays)
    board = new_board(layout, np.where(arrays.routing_of_op >= 0, wrong.is_present, 1))
    for want, keep_order in ((mode, True), (None, False)):
        try:
            by_order(board, np.where(wrong.is_present, wrong.start, FOREVER), want, keep_order=keep_order)
            ranked.append((plan_of(arrays, board.mode, board.start, board.leave), board.mode))
        except (NoPlan, HorizonTooShort):
            continue
    for plan, modes in ranked:
        if not check(best.problem, plan):
            best.terms = None
            best.offer_plan(plan, modes)
            return True
    return False


def _prove(best: Best, limits: Limits, seed: int) -> bool:
    """Let the exact solver prove the plan optimal, or better it; True when proven."""
    result = solve_exact(
        best.problem,
        best.scorer.objective,
        arrays=best.scorer.arrays,
        start=best.plan,
        reference=best.reference,
        time_limit_s=max(0.1, limits.left - EXACT_END_S),
        seed=seed,
        is_cancelled=lambda: bool(limits.stop[0]),
        on_improvement=lambda plan: _take_checked(best, plan),
    )
    if result.plan is not None:
        _take_checked(best, result.plan)
    if result.bound is not None:
        best.bound = result.bound if best.bound is None else max(best.bound, result.bound)
    return result.status == "optimal" and best.is_optimal()


def _take_checked(best: Best, plan: Plan) -> None:
    """Take what another solver found, if the checker agrees."""
    terms = best.scorer.terms(plan.modes(best.scorer.arrays), plan.start, plan.end)
    if (best.terms is None or best.scorer.is_better(terms, best.terms)) and not check(best.problem, plan):
        best.offer_plan(plan, plan.modes(best.scorer.arrays))


def _last_resort(best: Best, error: NoPlan, limits: Limits, seed: int) -> str:
    """Where no rule finds a plan, the exact solver may; else what hindered the rules is said."""
    if best.terms is not None:
        return "search"
    if best.scorer.arrays.n <= EXACT * 2 and is_available():
        limits.phase(1.0)
        _prove(best, limits, seed)
    if best.plan is None:
        raise ProblemError([_fault(best.problem, error)]) from error
    return "optimal" if best.is_optimal() else "time"


def _fault(problem: Problem, error: NoPlan) -> Fault:
    names = {key: name_of(problem.operations[i].key) for key, i in (("a", error.a), ("b", error.b)) if i >= 0}
    return Fault(next(reversed(names.values()), "problem"), "plan", str(error), names)
