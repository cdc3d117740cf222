"""What a good plan is: terms with weights, or in order of importance."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from yuheng.engines.schedule.faults import Fault, ProblemError, gettext_noop
from yuheng.engines.schedule.kpis import Measures, measures
from yuheng.engines.schedule.plan import Plan
from yuheng.engines.schedule.problem import Problem

TERMS = ("tardiness", "makespan", "flow", "setup", "nervousness", "late")
"""Weighted tardiness, end of the last operation, Σ (completion − release), set-up ticks, see `near`, late jobs."""

MACHINE_CHANGE_TICKS = 60
"""Another machine is as unwelcome as a start moved by so many ticks: somebody carries the part and the papers."""
NEAR_TICKS = 480
"""What is this far away may move at half the cost: one shift."""

_NO_TERM = gettext_noop("%(value)r is no objective. Use one or more of %(known)s, as in tardiness,setup:0.1.")
_NO_WEIGHT = gettext_noop("%(value)r is no weight. Give a positive number, as in setup:0.1.")
_MIXED = gettext_noop("weights and order cannot be mixed. Use tardiness,setup:0.1 or tardiness>setup.")


@dataclass(frozen=True, slots=True)
class Objective:
    """Terms to minimise: their weighted sum, or one after the other (``lexicographic``; weights are then 1).

    Examples
    --------
    >>> Objective().terms
    (('tardiness', 1.0),)
    """

    terms: tuple[tuple[str, float], ...] = (("tardiness", 1.0),)
    lexicographic: bool = False

    def weight(self, name: str) -> float:
        """Return a term's weight in the sum, 0 when it is not a term.

        In lexicographic order each term weighs a ten-thousandth of the one before: what a search that knows only sums
        is told. Plans are compared by `evaluate`, which is exact.
        """
        for rank, (term, weight) in enumerate(self.terms):
            if term == name:
                return 1e-4**rank if self.lexicographic else weight
        return 0.0

    def __str__(self) -> str:
        if self.lexicographic:
            return ">".join(term for term, _weight in self.terms)
        return ",".join(term if weight == 1 else f"{term}:{weight:g}" for term, weight in self.terms)


def parse_objective(text: str) -> Objective:
    """Read an objective: ``tardiness``, ``tardiness,setup:0.1`` (a sum) or ``tardiness>makespan`` (in order).

    Raises
    ------
    ProblemError
        An unknown term, or a weight that is not a positive number.

    Examples
    --------
    >>> parse_objective("tardiness,setup:0.1").terms
    (('tardiness', 1.0), ('setup', 0.1))
    >>> str(parse_objective("late > tardiness > makespan"))
    'late>tardiness>makespan'
    """
    is_ordered = ">" in text
    if is_ordered and ("," in text or ":" in text):
        raise ProblemError([Fault("objective", "terms", _MIXED)])
    terms: dict[str, float] = {}
    for part in text.split(">" if is_ordered else ","):
        name, _colon, given = part.strip().partition(":")
        if name not in TERMS or name in terms:
            raise ProblemError([Fault("objective", "terms", _NO_TERM, {"value": name, "known": ", ".join(TERMS)})])
        try:
            weight = float(given) if given else 1.0
        except ValueError:
            weight = -1.0
        if not 0 < weight < 1e12:
            raise ProblemError([Fault("objective", name, _NO_WEIGHT, {"value": given})])
        terms[name] = weight
    return Objective(tuple(terms.items()), is_ordered)


def near(problem: Problem, reference: Plan) -> npt.NDArray[np.float64]:
    """Return ``(n,)`` how much moving each operation away from the reference plan counts per tick.

    1 for what starts now, a half after `NEAR_TICKS`, falling towards 0; 0 for what the reference does not have and for
    what cannot move. *Nervousness* is the sum over all operations of
    ``near * (|start - reference start| + MACHINE_CHANGE_TICKS if the machine changed)``.
    """
    ahead = np.maximum(reference.start - problem.now, 0)
    weights = 1.0 / (1.0 + ahead / NEAR_TICKS)
    fixed = np.array([operation.is_fixed for operation in problem.operations], np.bool_)
    return np.where(reference.is_present & ~fixed, weights, 0.0)


def nervousness(problem: Problem, plan: Plan, reference: Plan) -> float:
    """Return how much a plan moves against the reference; see `near`."""
    moved = np.abs(plan.start - reference.start) + MACHINE_CHANGE_TICKS * (plan.machine != reference.machine)
    both = plan.is_present & reference.is_present
    return float((near(problem, reference) * moved)[both].sum())


def evaluate(problem: Problem, objective: Objective, plan: Plan, reference: Plan | None = None) -> float:
    """Return the weighted sum of the terms, or the first term when they are in order. Smaller is better."""
    values = evaluate_terms(problem, objective, plan, reference)
    if objective.lexicographic:
        return values[0]
    return float(sum(weight * value for (_term, weight), value in zip(objective.terms, values, strict=True)))


def evaluate_terms(
    problem: Problem, objective: Objective, plan: Plan, reference: Plan | None = None
) -> tuple[float, ...]:
    """Return the value of every term, unweighted, in the objective's order. Nervousness without a reference is 0."""
    found = measures(problem, plan)
    return tuple(_value(problem, term, found, plan, reference) for term, _weight in objective.terms)


def is_better(problem: Problem, objective: Objective, plan: Plan, than: Plan, reference: Plan | None = None) -> bool:
    """Whether a plan is strictly better, term by term when the terms are in order."""
    if objective.lexicographic:
        return evaluate_terms(problem, objective, plan, reference) < evaluate_terms(problem, objective, than, reference)
    return evaluate(problem, objective, plan, reference) < evaluate(problem, objective, than, reference)


def _value(problem: Problem, term: str, found: Measures, plan: Plan, reference: Plan | None) -> float:
    if term == "nervousness":
        return 0.0 if reference is None else nervousness(problem, plan, reference)
    return {
        "tardiness": found.weighted_tardiness,
        "makespan": float(found.makespan),
        "flow": float(found.flow),
        "setup": float(found.setup),
        "late": float(found.late_jobs),
    }[term]
