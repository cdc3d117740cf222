"""What a re-plan costs: the objective, plus what it takes people to leave the published plan.

The slider ``stability`` in [0, 1] says how much that is: 0 forgets the published plan, 1 keeps every machine and every
order on it. Between, the price rises with ``stability / (1 - stability)``: an operation on another machine costs as
much lateness of an average order as a part of an average operation's work; a start in the next shift that moves by more
than a quarter of an hour costs by the tick, less the farther away it is.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from yuheng.engines.schedule.arrays import Arrays
from yuheng.engines.schedule.kpis import MOVED_TICKS
from yuheng.engines.schedule.objective import Objective
from yuheng.engines.schedule.plan import Plan
from yuheng.engines.schedule.repair.situation import Situation
from yuheng.engines.schedule.tardiness.layout import Costs, Reference

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

MACHINE_SHARE = 0.6
"""Price of another machine at the slider's middle: this share of an average operation, late in an average order."""
TICK_SHARE = 0.18
"""Price of a tick's move now, at the slider's middle, in ticks of lateness of an average order."""
FAR_TICKS = 960
"""Starts this far ahead may move at no cost: people have not prepared for them."""
KEEP_ALL = 0.999
"""From here on the slider means: keep everything."""


@dataclass(frozen=True, slots=True)
class Weighing:
    """Prices for one situation and one position of the slider.

    Attributes
    ----------
    mode, start
        ``(n,)``: published absolute mode and start, −1 for what is new.
    machine_cost, tick_cost
        ``(n,)``: of another machine, and per tick beyond `MOVED_TICKS`; 0 for what is fixed or new.
    unit
        Cost of a tick of lateness of an average open order.
    """

    arrays: Arrays
    costs: Costs
    mode: Ints
    start: Ints
    machine_cost: Floats
    tick_cost: Floats
    unit: float

    def reference(self) -> Reference | None:
        """What `TardinessSearch` takes; ``None`` where nothing is kept."""
        if not (self.machine_cost.any() or self.tick_cost.any()):
            return None
        tolerance = np.full(self.arrays.n, MOVED_TICKS, np.int64)
        return Reference(self.mode, self.start, self.machine_cost, self.tick_cost, tolerance)

    def cost(self, plan: Plan) -> float:
        """Objective and price of leaving the published plan, together."""
        return self.objective(plan) + self.nervousness(plan)

    def nervousness(self, plan: Plan) -> float:
        """Price of leaving the published plan."""
        known = (self.mode >= 0) & plan.is_present
        published = np.where(known, self.arrays.mode_machine[self.mode], -1)
        shift = np.maximum(np.abs(plan.start - self.start) - MOVED_TICKS, 0)
        price = self.machine_cost * (plan.machine != published) + self.tick_cost * shift
        return float(price[known].sum())

    def objective(self, plan: Plan) -> float:
        """The weighted sum of the objective's terms, from the arrays."""
        arrays, costs = self.arrays, self.costs
        done = np.zeros(arrays.jobs, np.int64)
        np.maximum.at(done, arrays.job, plan.end)
        late = np.maximum(done - arrays.due, 0)
        total = costs.tardiness * float((arrays.weight * late).sum()) + costs.late * int((late > 0).sum())
        total += costs.flow * float(done.sum()) + costs.makespan * float(plan.end.max(initial=0))
        if costs.setup:
            total += costs.setup * float((plan.start - plan.setup_start)[plan.is_present].sum())
        return total


def costs_of(objective: Objective) -> Costs:
    """The objective as the searches take it; nervousness is the slider's matter."""
    return Costs(
        tardiness=objective.weight("tardiness"),
        flow=objective.weight("flow"),
        late=objective.weight("late"),
        makespan=objective.weight("makespan"),
        setup=objective.weight("setup"),
    )


def weigh(situation: Situation, arrays: Arrays, objective: Objective, stability: float) -> Weighing:
    """Return the prices of a situation at one position of the slider, 0 to 1.

    Raises
    ------
    ValueError
        ``stability`` outside of [0, 1].
    """
    if not 0.0 <= stability <= 1.0:
        raise ValueError(f"stability {stability} is not between 0 and 1")
    reference = situation.reference
    mode = reference.modes(arrays)
    pressure = stability / max(1.0 - stability, 1e-3)
    costs = costs_of(objective)
    # The mean over the operations that are open: weights of orders that are done play no part.
    open_rows = (arrays.fixed_start < 0) & (mode >= 0)
    weight = float(arrays.weight[arrays.job[open_rows]].mean()) if open_rows.any() else 1.0
    unit = weight * max(costs.tardiness, 1e-9) if costs.tardiness or not costs.makespan else costs.makespan
    work = float(arrays.mode_duration.mean())
    ahead = np.maximum(reference.start - arrays.now, 0)
    near = np.clip(1.0 - ahead / FAR_TICKS, 0.0, 1.0)
    machine_cost = np.where(open_rows, pressure * MACHINE_SHARE * unit * work, 0.0)
    tick_cost = np.where(open_rows, pressure * TICK_SHARE * unit * near, 0.0)
    return Weighing(arrays, costs, mode, np.where(mode >= 0, reference.start, -1), machine_cost, tick_cost, unit)
