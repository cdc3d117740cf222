"""Key figures of a plan, straight from problem and plan."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from yuheng.engines.schedule.calendars import OpenTime, open_intervals
from yuheng.engines.schedule.plan import Plan
from yuheng.engines.schedule.problem import Id, Problem

MOVED_TICKS = 15
"""A start that moves by more than this counts as moved: a quarter of an hour where a tick is a minute."""


@dataclass(frozen=True, slots=True)
class Measures:
    """What objectives are made of, in ticks.

    Attributes
    ----------
    completion
        ``(jobs,)`` int64: end of each job's last operation.
    tardiness
        ``(jobs,)`` int64: ticks past the due date, 0 when in time.
    weighted_tardiness
        Σ weight × tardiness.
    flow
        Σ completion − release.
    setup
        Working ticks of all set-ups; a batch has one.
    """

    completion: npt.NDArray[np.int64]
    tardiness: npt.NDArray[np.int64]
    weighted_tardiness: float
    late_jobs: int
    makespan: int
    flow: int
    setup: int
    setups: int


@dataclass(frozen=True, slots=True)
class Moves:
    """A plan against a reference plan: over operations that both perform and that are not fixed.

    ``moved`` counts starts that differ by more than `MOVED_TICKS`; ``next_shift`` those of them that the reference
    starts within the horizon asked for, of ``in_next_shift`` operations.
    """

    operations: int
    changed_machine: int
    moved: int
    mean_shift: float
    in_next_shift: int
    next_shift: int


@dataclass(frozen=True, slots=True)
class Kpis:
    """Everything a planner compares plans by. ``utilisation`` is work by open time until the makespan, 0 to 1."""

    weighted_tardiness: float
    tardiness: int
    late_jobs: int
    jobs: int
    makespan: int
    flow: int
    setup: int
    setups: int
    utilisation: dict[Id, float]
    moves: Moves | None


def measures(problem: Problem, plan: Plan) -> Measures:
    """Measure a plan. A job without operations in the plan completes at its release. Linear in operations."""
    jobs = problem.jobs
    job = np.array([problem.job_index[operation.job] for operation in problem.operations], np.int64)
    release = np.array([row.release for row in jobs], np.int64)
    completion = release.copy()
    np.maximum.at(completion, job, plan.end)
    due = np.array([np.iinfo(np.int64).max >> 1 if row.due is None else row.due for row in jobs], np.int64)
    weight = np.array([row.weight for row in jobs], np.float64)
    tardiness = np.maximum(completion - due, 0)
    setup, setups = setup_work(problem, plan)
    return Measures(
        completion,
        tardiness,
        float((weight * tardiness).sum()),
        int((tardiness > 0).sum()),
        int(plan.end.max(initial=0)),
        int((completion - release).sum()),
        setup,
        setups,
    )


def setup_work(problem: Problem, plan: Plan) -> tuple[int, int]:
    """Return the set-up ticks of a plan by the matrices, and how many set-ups there are."""
    matrices = {matrix.id: matrix for matrix in problem.setup_matrices}
    if not matrices:
        return 0, 0
    place = {key: {family: k for k, family in enumerate(row.families)} for key, row in matrices.items()}
    total = count = 0
    last: dict[int, tuple[Id | None, int]] = {}
    for k in np.argsort(plan.start, kind="stable").tolist():
        m = int(plan.machine[k])
        if m < 0 or problem.machines[m].setup_matrix is None:
            continue
        machine, family = problem.machines[m], problem.operations[k].family
        before, at = last.get(m, (machine.initial_family, -1))
        last[m] = (family, int(plan.start[k]))
        if family is None or (machine.batch_capacity > 1 and at == plan.start[k]):
            continue
        matrix = matrices[machine.setup_matrix or ""]
        needed = setup_between(matrix.times, matrix.initial, place[matrix.id], before, family)
        total, count = total + needed, count + (needed > 0)
    return total, count


def setup_between(
    times: tuple[tuple[int, ...], ...],
    initial: tuple[int, ...] | None,
    place: dict[Id, int],
    before: Id | None,
    after: Id | None,
) -> int:
    """Return the set-up from one family to another; families that the matrix does not name need none."""
    to = place.get(after) if after is not None else None
    if to is None:
        return 0
    if before is None:
        return 0 if initial is None else initial[to]
    come_from = place.get(before)
    return 0 if come_from is None else times[come_from][to]


def kpis(problem: Problem, plan: Plan, reference: Plan | None = None, next_shift: int = 480) -> Kpis:
    """Return the key figures of a plan; ``next_shift`` in ticks from ``problem.now`` on."""
    found = measures(problem, plan)
    return Kpis(
        found.weighted_tardiness,
        int(found.tardiness.sum()),
        found.late_jobs,
        len(problem.jobs),
        found.makespan,
        found.flow,
        found.setup,
        found.setups,
        utilisation(problem, plan),
        None if reference is None else moves(problem, plan, reference, next_shift),
    )


def utilisation(problem: Problem, plan: Plan) -> dict[Id, float]:
    """Return work (without set-ups) by open time from ``now`` to the makespan, per machine."""
    until = int(plan.end.max(initial=0))
    calendars = {calendar.id: calendar for calendar in problem.calendars}
    busy: dict[int, list[tuple[int, int]]] = {}
    for m, start, end in zip(plan.machine.tolist(), plan.start.tolist(), plan.end.tolist(), strict=True):
        if m >= 0:
            busy.setdefault(m, []).append((start, end))
    share: dict[Id, float] = {}
    for k, machine in enumerate(problem.machines):
        calendar = None if machine.calendar is None else calendars[machine.calendar]
        open_time = OpenTime(open_intervals(calendar, machine.closures, until))
        there = open_time.between(min(problem.now, until), until)
        worked = sum(open_time.between(max(start, problem.now), end) for start, end in set(busy.get(k, ())) if end > 0)
        share[machine.id] = min(1.0, worked / there) if there else 0.0
    return share


def moves(problem: Problem, plan: Plan, reference: Plan, next_shift: int = 480) -> Moves:
    """Compare a plan with a reference plan of the same problem."""
    fixed = np.array([operation.is_fixed for operation in problem.operations], np.bool_)
    both = plan.is_present & reference.is_present & ~fixed
    shift = np.abs(plan.start - reference.start)
    moved = both & (shift > MOVED_TICKS)
    soon = both & (reference.start < problem.now + next_shift)
    return Moves(
        int(both.sum()),
        int((both & (plan.machine != reference.machine)).sum()),
        int(moved.sum()),
        float(shift[both].mean()) if both.any() else 0.0,
        int(soon.sum()),
        int((moved & soon).sum()),
    )
