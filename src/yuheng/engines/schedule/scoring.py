"""The value of what a search found, from flat arrays: what `objective.evaluate` says, a hundred times sooner."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from yuheng.engines.schedule.arrays import Arrays
from yuheng.engines.schedule.objective import MACHINE_CHANGE_TICKS, Objective, near
from yuheng.engines.schedule.plan import Plan
from yuheng.engines.schedule.problem import Problem

type_ints = npt.NDArray[np.int64]
type_floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Scorer:
    """Values plans by an objective.

    Attributes
    ----------
    job_release
        ``(jobs,)``: flow time counts from it.
    reference_mode, reference_start, near
        ``(n,)``: the published plan, −1 where it says nothing, and what a tick of moving an operation costs.
    """

    arrays: Arrays
    objective: Objective
    job_release: type_ints
    reference_start: type_ints
    reference_machine: type_ints
    near: type_floats

    def terms(self, mode: type_ints, start: type_ints, end: type_ints) -> tuple[float, ...]:
        """Return the value of every term, unweighted, in the objective's order."""
        arrays = self.arrays
        completion = self.job_release.copy()
        np.maximum.at(completion, arrays.job, end)
        late = np.maximum(completion - arrays.due, 0)
        return tuple(self._term(name, mode, start, end, completion, late) for name, _weight in self.objective.terms)

    def value(self, terms: tuple[float, ...]) -> float:
        """Return the weighted sum, or the first term when they are in order."""
        if self.objective.lexicographic:
            return terms[0]
        return float(sum(weight * x for (_name, weight), x in zip(self.objective.terms, terms, strict=True)))

    def is_better(self, terms: tuple[float, ...], than: tuple[float, ...]) -> bool:
        """Whether one plan's terms are strictly better than another's."""
        if self.objective.lexicographic:
            return terms < than
        return self.value(terms) < self.value(than) - 1e-9

    def _term(
        self, name: str, mode: type_ints, start: type_ints, end: type_ints, completion: type_ints, late: type_ints
    ) -> float:
        if name == "tardiness":
            return float((self.arrays.weight * late).sum())
        if name == "makespan":
            return float(end.max(initial=0))
        if name == "flow":
            return float((completion - self.job_release).sum())
        if name == "setup":
            return float(setup_ticks(self.arrays, mode, start))
        if name == "late":
            return float((late > 0).sum())
        both = (mode >= 0) & (self.reference_start >= 0)
        machine = self.arrays.mode_machine[mode]
        moved = np.abs(start - self.reference_start) + MACHINE_CHANGE_TICKS * (machine != self.reference_machine)
        return float((self.near * moved)[both].sum())


def scorer(problem: Problem, arrays: Arrays, objective: Objective, reference: Plan | None) -> Scorer:
    """Prepare to value plans; without a reference, nervousness is 0."""
    n = arrays.n
    return Scorer(
        arrays=arrays,
        objective=objective,
        job_release=np.array([job.release for job in problem.jobs], np.int64),
        reference_start=np.full(n, -1, np.int64) if reference is None else reference.start,
        reference_machine=np.full(n, -1, np.int64) if reference is None else reference.machine,
        near=np.zeros(n) if reference is None else near(problem, reference),
    )


def setup_ticks(arrays: Arrays, mode: type_ints, start: type_ints) -> int:
    """Return the set-up ticks of a plan; a batch has one."""
    if not arrays.has_setups:
        return 0
    machine = np.where(mode >= 0, arrays.mode_machine[mode], -1)
    rows = np.flatnonzero((machine >= 0) & (arrays.setup_of_machine[machine] >= 0))
    rows = rows[np.lexsort((start[rows], machine[rows]))]
    on = machine[rows]
    first = np.ones(len(rows), np.bool_)
    first[1:] = on[1:] != on[:-1]
    before = np.empty(len(rows), np.int64)
    before[1:] = arrays.family[rows[:-1]]
    before[first] = arrays.initial_family[on[first]]
    ticks = arrays.setup[arrays.setup_of_machine[on], before, arrays.family[rows]]
    same_batch = np.zeros(len(rows), np.bool_)
    same_batch[1:] = ~first[1:] & (arrays.batch_capacity[on[1:]] > 1) & (start[rows[1:]] == start[rows[:-1]])
    return int(ticks[~same_batch].sum())
