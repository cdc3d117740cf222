"""The exact solver: small problems to the proof, small windows of big ones. A scalpel, in a child process.

Optional: without OR-Tools `is_available` is false, every answer says "unavailable", and the rest of the engine works.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from yuheng.engines.schedule.arrays import Arrays, HorizonTooShort, compile_problem
from yuheng.engines.schedule.bound_paths import paths
from yuheng.engines.schedule.cpsat.process import ExactSolver, is_available
from yuheng.engines.schedule.cpsat.task import Found, Reference, Task, Timing
from yuheng.engines.schedule.objective import MACHINE_CHANGE_TICKS, Objective, evaluate, near
from yuheng.engines.schedule.plan import Plan, plan_of
from yuheng.engines.schedule.problem import Problem

__all__ = ["ExactResult", "ExactSolver", "is_available", "solve_exact"]


@dataclass(frozen=True, slots=True)
class ExactResult:
    """What the exact solver says about a problem.

    Parameters
    ----------
    status
        See `cpsat.process.Answer`; "optimal" is proven.
    plan, objective_value
        The best plan found and its value; ``None`` when none was found.
    bound
        No plan is better than this (of a lexicographic objective: in its first term); ``None``: unknown.
    reason
        Why there is no plan or no proof, as a sentence's part; empty otherwise.
    """

    status: str
    plan: Plan | None
    objective_value: float | None
    bound: float | None
    seconds: float
    reason: str = ""


def solve_exact(
    problem: Problem,
    objective: Objective,
    *,
    arrays: Arrays | None = None,
    start: Plan | None = None,
    reference: Plan | None = None,
    time_limit_s: float = 10.0,
    deterministic_time: float | None = None,
    workers: int = 1,
    memory_mb: int = 1024,
    seed: int = 0,
    is_cancelled: Callable[[], bool] | None = None,
    on_improvement: Callable[[Plan], None] | None = None,
    solver: ExactSolver | None = None,
) -> ExactResult:
    """Solve a problem to the proof if time allows.

    Parameters
    ----------
    start
        A plan to begin with; it also bounds how late anything can end.
    reference
        The published plan, for the nervousness term.
    time_limit_s
        Wall seconds, the child's start included. Held by a kill.
    deterministic_time
        The solver's unit of work: with one worker the answer then does not depend on the clock.
    solver
        A running child to use again.
    """
    arrays = compile_problem(problem) if arrays is None else arrays
    head, early, _tail, _job_tail = paths(arrays)
    task = Task(
        arrays,
        head,
        early,
        objective.terms,
        objective.lexicographic,
        None if start is None else Timing(start.start, start.end, start.modes(arrays)),
        None if reference is None else _reference(problem, reference),
        time_limit_s,
        deterministic_time,
        workers,
        memory_mb,
        seed,
        sum(job.release for job in problem.jobs),
    )

    def improved(found: Found) -> None:
        plan = _plan(arrays, found.timing)
        if plan is not None and on_improvement is not None:
            on_improvement(plan)

    if solver is None:
        with ExactSolver() as own:
            answer = own.solve(task, is_cancelled=is_cancelled, on_found=improved)
    else:
        answer = solver.solve(task, is_cancelled=is_cancelled, on_found=improved)
    plan = None if answer.timing is None else _plan(arrays, answer.timing)
    value = None if plan is None else evaluate(problem, objective, plan, reference)
    bound = answer.bound if answer.bound is None or value is None else min(answer.bound, value)
    return ExactResult(answer.status, plan, value, bound, answer.seconds, answer.reason)


def _plan(arrays: Arrays, timing: Timing) -> Plan | None:
    try:
        return plan_of(arrays, timing.mode, timing.start)
    except HorizonTooShort:
        return None


def _reference(problem: Problem, reference: Plan) -> Reference:
    weight = near(problem, reference)
    start = np.where(reference.is_present, reference.start, -1)
    return Reference(start, reference.machine, weight * MACHINE_CHANGE_TICKS, weight)
