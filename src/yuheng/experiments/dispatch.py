"""The experiment: the same worlds under common practice, planning alone, and the full loop; and what each part adds."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from yuheng.experiments import proof
from yuheng.experiments.floor import Floor, Policy
from yuheng.experiments.measures import FIGURES, figures
from yuheng.experiments.orders import Recipes, demands
from yuheng.experiments.parameters import Parameters, fingerprint
from yuheng.experiments.policies.planned import Planned
from yuheng.experiments.policies.practice import Practice
from yuheng.experiments.policies.rules import EDD, FIFO, Rules
from yuheng.experiments.statistics import interval, paired, ratio
from yuheng.simulation.products import Catalogue

PRACTICE, PLAN, LOOP, SLOW, FIFO_NOW, EDD_NOW = "practice", "plan", "loop", "loop-slow", "fifo", "edd"
POLICIES: Mapping[str, str] = {
    PRACTICE: "common practice: a plan a week by fixed lead times, first in first out, a meeting a shift",
    FIFO_NOW: "no plan: everything released at once, one queue for each kind of machine, first in first out",
    EDD_NOW: "no plan: the same with the earliest promise first",
    PLAN: "planning alone: finite capacity by the engine, followed until the next plan",
    SLOW: "the loop, told by people instead of signals",
    LOOP: "the full loop: signals, the first suggestion accepted",
}
FARTHEST = 12
"""A run that takes more than so many times the time in which orders come is cut off, and said to be."""
ADDS = (
    ("planning instead of practice", PLAN, PRACTICE),
    ("the loop, to planning", LOOP, PLAN),
    ("signals, to a loop told by people", LOOP, SLOW),
    ("a plan with the loop, to a rule without plan (first in first out)", LOOP, FIFO_NOW),
    ("a plan with the loop, to a rule without plan (earliest promise)", LOOP, EDD_NOW),
    ("all together", LOOP, PRACTICE),
)
"""What a part adds: (name, with it, without it)."""
CLAIMS = {"capacity": 0.32, "delivery_cycle": -0.60, "elevator_days": 6.0}
"""What the field says of itself."""


def policy_of(
    name: str, catalogue: Catalogue, parameters: Parameters, seed: int, *, effort: int | None = None
) -> Policy:
    """Return a fresh policy; ``effort``: see `Planned`. Raises KeyError for an unknown name."""
    made: dict[str, Callable[[], Policy]] = {
        PRACTICE: Practice,
        FIFO_NOW: lambda: Rules(FIFO),
        EDD_NOW: lambda: Rules(EDD),
        PLAN: lambda: Planned(catalogue, seed=seed, effort=effort),
        SLOW: lambda: Planned(catalogue, reacts_after_min=parameters.slow_min, seed=seed, effort=effort),
        LOOP: lambda: Planned(catalogue, reacts_after_min=parameters.loop_stop_min, seed=seed, effort=effort),
    }
    return made[name]()


def run_one(catalogue: Catalogue, recipes: Recipes, parameters: Parameters, name: str, seed: int) -> dict[str, Any]:
    """Run one world under one policy; the engine's checker is asked about everything that was done.

    Raises
    ------
    ValueError
        What was done breaks a rule of the floor, or something was never shipped: the model is wrong.
    """
    begun = time.process_time()
    policy = policy_of(name, catalogue, parameters, seed)
    floor = Floor(catalogue, parameters, demands(catalogue, recipes, parameters, seed), seed, policy)
    floor.run(FARTHEST * parameters.ends_min)
    cpu_s = time.process_time() - begun
    faults = proof.faults(catalogue, floor)
    if faults:
        raise ValueError(f"{name}, seed {seed}: {faults[0].sentence}")
    counted = policy.counted if isinstance(policy, Planned) else None
    found: dict[str, Any] = figures(floor, moved=counted.changed_machine if counted else 0, cpu_s=cpu_s)
    if counted is not None:
        found |= {"plans": counted.plans, "answers": counted.answers, "answers_waiting": counted.kept}
        found["failed"] = counted.failed + counted.refused
    return found


def compare(
    catalogue: Catalogue,
    parameters: Parameters,
    seeds: Sequence[int],
    names: Sequence[str] = tuple(POLICIES),
    say: Callable[[str], None] = lambda _text: None,
) -> dict[str, Any]:
    """Run every world under every policy and return what comes out, as one JSON object."""
    begun = time.process_time()
    recipes = Recipes(catalogue)
    rows: dict[str, list[dict[str, Any]]] = {name: [] for name in names}
    for seed in seeds:
        for name in names:
            found = run_one(catalogue, recipes, parameters, name, seed)
            rows[name].append(found)
            say(
                f"seed {seed:>4} {name:<10} {found['hours_mean']:6.1f} h  on time {found['on_time']:6.1%}  "
                f"late {found['weighted_late_min']:8.1f} weighted min  cpu {found['cpu_s']:6.1f} s"
            )
    return {
        "experiment": "dispatch",
        "plant": catalogue.plant.name,
        "fingerprint": fingerprint(parameters, catalogue),
        "seeds": list(seeds),
        "policies": {name: _summary(rows[name]) for name in names},
        "adds": [_added(what, rows[one], rows[other]) for what, one, other in ADDS if one in rows and other in rows],
        "claims": _claims(rows),
        "cpu_s": round(time.process_time() - begun, 1),
    }


def _column(rows: Sequence[Mapping[str, Any]], name: str) -> list[float]:
    return [float(row[name]) for row in rows]


def _summary(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {name: interval(_column(rows, name)).to_json() for name in FIGURES}
    for name in ("plans", "answers", "answers_waiting", "failed"):
        if name in rows[0]:
            found[name] = int(sum(_column(rows, name)))
    return found


def _added(what: str, ours: Sequence[Mapping[str, Any]], theirs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {"what": what}
    for name in FIGURES:
        if name == "cpu_s":
            continue
        one, other = _column(ours, name), _column(theirs, name)
        found[name] = {**paired(one, other).to_json(), "relative": round(ratio(one, other), 4)}
    return found


def _claims(rows: Mapping[str, Sequence[Mapping[str, Any]]]) -> dict[str, Any]:
    """Set what was measured beside what the field says; an elevator's days are the order-to-shipment time."""
    if LOOP not in rows or PRACTICE not in rows:
        return {}
    loop, practice = rows[LOOP], rows[PRACTICE]
    measured = {
        "capacity": ratio(_column(loop, "shipped_per_day"), _column(practice, "shipped_per_day")),
        "delivery_cycle": ratio(_column(loop, "hours_mean"), _column(practice, "hours_mean")),
        "elevator_days": interval(_column(loop, "hours_mean")).mean / 24.0,
    }
    return {name: {"claimed": CLAIMS[name], "measured": round(value, 4)} for name, value in measured.items()}
