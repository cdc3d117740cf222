"""Is the advice honest: from the same breakdown, following the first suggestion, waiting, and first in first out.

Each branch goes on from the same state with the same fates: nobody orders any more, nobody decides again, and what is
open is worked off. So a branch shows what its decision was worth, and nothing else.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from yuheng.experiments.floor import Floor, Policy
from yuheng.experiments.measures import weighted_late_min
from yuheng.experiments.orders import Recipes, demands
from yuheng.experiments.parameters import BEGINS, Parameters, fingerprint
from yuheng.experiments.policies.planned import Planned, first_of
from yuheng.experiments.policies.rules import FIFO, Rules
from yuheng.experiments.statistics import quantile
from yuheng.scheduling.building import Rows
from yuheng.scheduling.building.answering import Choice
from yuheng.scheduling.building.measuring import order_ends
from yuheng.simulation.products import Catalogue

HONEST = 0.9
"""So large a share of the first suggestions must be no worse than waiting, and no worse than first in first out."""
TOLERANCE = 0.02
"""Worse by no more than this share of the lateness, or an order's minute, is the chance of the floor and not advice."""
FARTHEST = 20


@dataclass(frozen=True, slots=True)
class Case:
    """One breakdown: weighted minutes of lateness that followed from each decision.

    ``predicted`` is what the suggestion promised; ``end_errors``: realised less predicted end of every order, minutes.
    """

    seed: int
    at: int
    kind: str
    machines: int
    open_orders: int
    predicted: float
    advised: float
    waiting: float
    fifo: float
    end_errors: tuple[int, ...]

    def is_no_worse(self, other: float) -> bool:
        """Return whether following was no worse than another branch."""
        return self.advised <= other + max(1.0, TOLERANCE * other)


class Watched(Planned):
    """The full loop, that looks at every answer from three sides before it takes the first suggestion."""

    def __init__(self, catalogue: Catalogue, parameters: Parameters, seed: int, wanted: int) -> None:
        super().__init__(catalogue, reacts_after_min=parameters.loop_stop_min, seed=seed)
        self.cases: list[Case] = []
        self._wanted = wanted

    def react(self, floor: Floor) -> None:
        """Judge the first suggestion, then take it."""
        self._last_answer = floor.now
        built, found = self.asked(floor)
        chosen = None if found is None else first_of(found)
        if found is None or chosen is None:
            self.counted.failed += 1
            return
        standing = sum(floor.machines[k].stop is not None for k in self._heard)
        if standing and found.waiting is not None and floor.now >= floor.parameters.warm_up_min and self.is_wanting:
            situation = built.situation(self.rows)
            waiting = built.rows(situation.problem, found.waiting)
            self.cases.append(self._judged(floor, chosen, waiting, standing))
        self.counted.answers += 1
        self.accept(floor, built, chosen)

    @property
    def is_wanting(self) -> bool:
        """Return whether more breakdowns are wanted."""
        return len(self.cases) < self._wanted

    def _judged(self, floor: Floor, chosen: Choice, waiting: Rows, standing: int) -> Case:
        advised = self._branch(floor, chosen.built.rows(chosen.problem, chosen.plan))
        waited = self._branch(floor, waiting)
        rules = Rules(FIFO)
        twin = floor.fork(rules, without_orders=True)
        rules.take_over(twin)
        fifo = _worked_off(twin)
        ends = order_ends(chosen.built, chosen.plan)
        errors = tuple(
            advised.orders[root].shipped_at - int((one.ends_at - BEGINS).total_seconds() // 60)
            for root, one in ends.items()
        )
        return Case(
            self._seed, floor.now, chosen.kind, standing, len(floor.open_orders),
            round(sum(one.late_min * one.weight for one in ends.values()), 1),
            _late(floor, advised), _late(floor, waited), _late(floor, fifo), errors,
        )  # fmt: skip

    def _branch(self, floor: Floor, rows: Rows) -> Floor:
        policy = self.fork(reacts=False)
        twin = floor.fork(_Still(policy), without_orders=True)
        policy.follow(twin, rows)
        return _worked_off(twin)


class _Still:
    """Follows a plan; whatever happens, nobody decides again."""

    def __init__(self, planned: Planned) -> None:
        self.order_came, self.became_ready, self.choose = planned.order_came, planned.became_ready, planned.choose
        self.stopped, self.is_back = planned.stopped, planned.is_back

    def woken(self, floor: Floor, why: str) -> None:
        """Nothing."""


def _worked_off(floor: Floor) -> Floor:
    floor.run(FARTHEST * floor.parameters.ends_min)
    if floor.open_orders:
        raise ValueError(f"{len(floor.open_orders)} orders were never shipped")
    return floor


def _late(before: Floor, after: Floor) -> float:
    """Weighted minutes of lateness of the orders that were open."""
    return round(weighted_late_min([after.orders[number] for number in before.open_orders]), 1)


def judge(
    catalogue: Catalogue,
    parameters: Parameters,
    breakdowns: int,
    first_seed: int,
    say: Callable[[str], None] = lambda _text: None,
) -> dict[str, Any]:
    """Judge so many first suggestions, over as many worlds as that takes; return one JSON object."""
    begun = time.process_time()
    recipes = Recipes(catalogue)
    cases: list[Case] = []
    seed = first_seed
    while len(cases) < breakdowns:
        policy = Watched(catalogue, parameters, seed, breakdowns - len(cases))
        judged: Policy = policy
        floor = Floor(catalogue, parameters, demands(catalogue, recipes, parameters, seed), seed, judged)
        while policy.is_wanting and floor.now < parameters.ends_min:
            floor.run(floor.now + 60)
        if not policy.cases:
            raise ValueError(f"no breakdown was answered in seed {seed}")
        cases += policy.cases
        say(f"seed {seed:>4}: {len(policy.cases)} breakdowns, {len(cases)} in all")
        seed += 1
    return summary(cases) | {
        "fingerprint": fingerprint(parameters, catalogue),
        "plant": catalogue.plant.name,
        "seeds": list(range(first_seed, seed)),
        "cpu_s": round(time.process_time() - begun, 1),
        "cases": [asdict(case) | {"end_errors": quantile(case.end_errors, 0.5)} for case in cases],
    }


def summary(cases: list[Case]) -> dict[str, Any]:
    """Return the shares that check 5 of the issue asks for, and how well lateness was foretold."""
    n = len(cases)
    than_waiting = sum(case.is_no_worse(case.waiting) for case in cases) / n
    than_fifo = sum(case.is_no_worse(case.fifo) for case in cases) / n
    both = sum(case.is_no_worse(case.waiting) and case.is_no_worse(case.fifo) for case in cases) / n
    errors = [error for case in cases for error in case.end_errors]
    kinds: dict[str, int] = {}
    for case in cases:
        kinds[case.kind] = kinds.get(case.kind, 0) + 1
    return {
        "experiment": "advice",
        "breakdowns": n,
        "no_worse_than_waiting": round(than_waiting, 4),
        "no_worse_than_fifo": round(than_fifo, 4),
        "no_worse_than_both": round(both, 4),
        "is_honest": min(than_waiting, than_fifo) >= HONEST,
        "kinds": kinds,
        "mean_late": {
            "advised": round(sum(case.advised for case in cases) / n, 1),
            "waiting": round(sum(case.waiting for case in cases) / n, 1),
            "fifo": round(sum(case.fifo for case in cases) / n, 1),
            "predicted": round(sum(case.predicted for case in cases) / n, 1),
        },
        "late_error_median": quantile([abs(case.advised - case.predicted) for case in cases], 0.5),
        "end_error_min_median": quantile(errors, 0.5),
        "end_error_min_median_abs": quantile([abs(error) for error in errors], 0.5),
    }
