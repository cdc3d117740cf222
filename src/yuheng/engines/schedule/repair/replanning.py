"""Plans for a situation: several at once, and better ones for as long as there is time.

At once: *wait* (everything as published, only later), *keep* (the published order on the published machines, gaps
closed), *reroute* (the published order, on another machine where that gains more than it costs), *dispatch* (everything
decided anew by a rule). The best by objective and price of change goes out first; the
search then begins from it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from yuheng.engines.schedule.arrays import Arrays, HorizonTooShort, compile_problem
from yuheng.engines.schedule.bound_paths import paths
from yuheng.engines.schedule.check import check
from yuheng.engines.schedule.decode import NoPlan, choose_routings
from yuheng.engines.schedule.dispatch.rules import Dispatcher, Rule
from yuheng.engines.schedule.objective import Objective
from yuheng.engines.schedule.parts import OperationKey
from yuheng.engines.schedule.plan import Plan, plan_of
from yuheng.engines.schedule.problem import Problem
from yuheng.engines.schedule.repair.disturbances import Disturbance
from yuheng.engines.schedule.repair.general import GeneralShop
from yuheng.engines.schedule.repair.situation import Actual, Situation, situate
from yuheng.engines.schedule.repair.weighing import KEEP_ALL, Weighing, weigh
from yuheng.engines.schedule.tardiness.layout import Reference
from yuheng.engines.schedule.tardiness.search import OrderContradiction, TardinessSearch

Ints = npt.NDArray[np.int64]
type_order = tuple[Ints, Ints]
"""Absolute mode and start of every operation: an assignment and an order."""

WAIT, KEEP, REROUTE, DISPATCH, SEARCH = "wait", "keep", "reroute", "dispatch", "search"
CHANGES = 0.09
"""Share of the open operations that may change machine at the slider's middle; less the nearer it is to keeping all."""
BIASES = 64
ENOUGH = 0.85
"""A rerouting that uses this share of the changes allowed is near enough: the next one costs a whole decoding."""
DETOURS = (3.0, 8.0)
"""How many times its price another machine must gain, in a rerouting: a plan's first order knows little of its gain."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """A plan for a situation.

    Parameters
    ----------
    kind
        "wait", "keep", "reroute", "dispatch" or "search": how it was made.
    objective, nervousness
        The objective's value, and the price of leaving the published plan; ``cost`` is their sum.
    """

    kind: str
    plan: Plan
    objective: float
    nervousness: float

    @property
    def cost(self) -> float:
        """By which plans are compared at this position of the slider."""
        return self.objective + self.nervousness


def _rounded(ticks: float) -> int:
    """To eights: positions of the slider that lie near share their reroutings."""
    return 8 * round(ticks / 8)


class Replanner:
    """Makes plans for one situation. Compiles it once; every call begins where the last one ended.

    Parameters
    ----------
    arrays
        Of ``situation.problem``, if they are there already.
    """

    def __init__(
        self, situation: Situation, objective: Objective | None = None, *, arrays: Arrays | None = None, seed: int = 0
    ) -> None:
        self.situation, self.seed = situation, seed
        self.objective = objective or Objective()
        self.arrays = compile_problem(situation.problem) if arrays is None else arrays
        self._shop = GeneralShop(self.arrays)
        self._made: dict[str, Plan | None] = {}
        self._sound: dict[str, bool] = {}
        self._published = self._order()

    def weigh(self, stability: float) -> Weighing:
        """Prices at one position of the slider."""
        return weigh(self.situation, self.arrays, self.objective, stability)

    # --- at once

    def first(self, stability: float = 0.5) -> Proposal:
        """Return the best of the plans that are there at once.

        Raises
        ------
        NoPlan
            What is fixed leaves no room for a feasible plan; the sentence says which operations.
        """
        weighing = self.weigh(stability)
        kinds = [WAIT, KEEP] if stability >= KEEP_ALL else [WAIT, KEEP, DISPATCH, *self._detours(weighing)]
        made = [(kind, self.judged_by(kind, plan, weighing)) for kind in kinds if (plan := self._decoded(kind))]
        made.sort(key=lambda row: row[1].cost)
        for kind, proposal in made:
            if self._is_sound(kind, proposal.plan):
                return proposal
        raise NoPlan(0, -1, -1)

    def _is_sound(self, kind: str, plan: Plan) -> bool:
        """Whether a plan made at once may be shown: where the general decoder made it, the checker is asked, once."""
        if kind not in self._sound:
            self._sound[kind] = not self.arrays.needs_general or self._is_feasible(plan)
        return self._sound[kind]

    def _is_feasible(self, plan: Plan) -> bool:
        """Whether the checker agrees; asked where facts may hold more than there is, as when people are away."""
        return not check(self.situation.problem, plan)

    def _detours(self, weighing: Weighing) -> list[str]:
        """Reroutings worth trying: another machine for a gain of about its price, or of some of it."""
        price = float(weighing.machine_cost.max(initial=0.0)) / max(weighing.unit, 1e-9)
        return [f"{REROUTE} {ticks}" for ticks in dict.fromkeys(_rounded(price * share) for share in DETOURS)]

    def budgeted(self, stability: float) -> Proposal | None:
        """Return the rerouting that uses the changes this position of the slider allows, the most of them.

        A search finds better plans from here than from one with fewer changes: it removes a late order's worst waits,
        but hardly ever finds the chain of changes that makes room elsewhere. ``None``: no rerouting stays within.
        """
        weighing = self.weigh(stability)
        open_rows, published = weighing.machine_cost > 0, self.situation.reference.machine
        allowed = CHANGES * min(1.0, (1.0 - stability) / stability if stability else 1.0) * int(open_rows.sum())
        best: tuple[str, Plan] | None = None
        low, high = 0, 8 * BIASES
        tries = [int(kind.removeprefix(REROUTE)) for kind in self._detours(weighing)]  # they are there already
        while high - low > 8:
            ticks = next((ticks for ticks in tries if low < ticks < high), (low + high) // 16 * 8)
            kind = f"{REROUTE} {ticks}"
            plan = self._decoded(kind)
            changed = plan is not None and np.count_nonzero(open_rows & (plan.machine != published))
            if plan is None or changed > allowed:
                low = ticks
                continue
            high, best = ticks, (kind, plan)
            if changed >= ENOUGH * allowed:
                break
        if best is None or not self._is_sound(*best):
            return None
        return self.judged_by(REROUTE, best[1], weighing)

    def at_once(self, kind: str) -> Plan | None:
        """Return the plan of one kind; ``None`` where there is none, as when an order contradicts what is fixed."""
        plan = self._decoded(kind)
        return plan if plan is not None and self._is_sound(kind, plan) else None

    def _decoded(self, kind: str) -> Plan | None:
        """Return the plan of one kind, whether it keeps every rule or not."""
        if kind not in self._made:
            try:
                self._made[kind] = self._make(kind)
            except (NoPlan, OrderContradiction, HorizonTooShort):
                self._made[kind] = None
        return self._made[kind]

    def _make(self, kind: str) -> Plan:
        if kind == DISPATCH:
            return self._dispatched()
        mode, start = self._published
        if kind == KEEP:
            return self._shop.kept(mode, start)
        if kind.startswith(REROUTE):
            return self._shop.rerouted(mode, start, int(kind.removeprefix(REROUTE)))
        # Nothing starts earlier than published: people and material come as planned.
        fixed, planned = self.arrays.fixed_start >= 0, self.situation.reference.start
        later = np.where(fixed, self.arrays.release, np.maximum(self.arrays.release, planned))
        return GeneralShop(replace(self.arrays, release=later)).kept(mode, start, keep_order=True)

    def _dispatched(self) -> Plan:
        if self.arrays.needs_general:
            return self._shop.dispatched()
        dispatcher = Dispatcher(self.arrays, self.weigh(0.0).costs)
        made = dispatcher.by_rule(Rule.ATC)
        return plan_of(self.arrays, made.mode, made.start)

    def _order(self) -> type_order:
        """The published assignment and order; what is new goes where a dispatch of everything would put it.

        Each on its quickest machine would pile all that is new on the first of equal ones.
        """
        arrays, reference = self.arrays, self.situation.reference
        mode, start = reference.modes(arrays), reference.start.copy()
        new = np.flatnonzero((mode < 0) & (self.situation.origin < 0))
        if arrays.has_routings:
            new = new[choose_routings(arrays)[new] == 1]
        if len(new):
            head, _early, _tail, _job_tail = paths(arrays)
            start[new] = head[new]
            for i in new.tolist():
                modes = np.arange(arrays.op_ptr[i], arrays.op_ptr[i + 1])
                if arrays.fixed_mode[i] >= 0:
                    modes = arrays.fixed_mode[i : i + 1]
                mode[i] = modes[np.argmin(arrays.mode_duration[modes])]
            dispatched = self._decoded(DISPATCH)
            if dispatched is not None:
                there = new[dispatched.machine[new] >= 0]
                mode[there], start[there] = dispatched.modes(arrays)[there], dispatched.start[there]
        fixed = (arrays.fixed_mode >= 0) & (mode >= 0)
        mode[fixed] = arrays.fixed_mode[fixed]
        return mode, np.where(arrays.fixed_start >= 0, arrays.fixed_start, start)

    # --- better

    def improve(
        self,
        proposal: Proposal,
        stability: float,
        cpu_seconds: float,
        *,
        stop: npt.NDArray[np.uint8] | None = None,
        on_improvement: Callable[[Proposal], None] | None = None,
        proposals: int | None = None,
    ) -> Proposal:
        """Search from a plan; never returns a worse one.

        Parameters
        ----------
        cpu_seconds
            CPU time of this process.
        stop
            One byte: the search ends within 50 ms after it becomes non-zero.
        proposals
            Count the search's moves instead of the clock: the same call then gives the same plan.
        """
        weighing = self.weigh(stability)
        best = self.judged_by(proposal.kind, proposal.plan, weighing)
        if stability >= KEEP_ALL or cpu_seconds <= 0:
            return best

        def found(plan: Plan | None) -> bool:
            nonlocal best
            made = None if plan is None else self.judged_by(SEARCH, plan, weighing)
            if made is None or made.cost >= best.cost - 1e-9:
                return False
            if not self._is_feasible(made.plan):
                return False
            best = made
            if on_improvement is not None:
                on_improvement(made)
            return True

        if self.arrays.needs_general:
            self._shop.improve(best.plan, weighing, cpu_seconds, self.seed, stop, found, proposals)
            return best
        mode = best.plan.modes(self.arrays)
        reference: Reference | None = weighing.reference()
        search = TardinessSearch(self.arrays, weighing.costs, self.seed, (mode, best.plan.start), reference)
        _value, mode, start = search.run(cpu_seconds, stop, proposals=proposals)
        found(self._plan(mode, start))
        return best

    def _plan(self, mode: Ints, start: Ints) -> Plan | None:
        try:
            return plan_of(self.arrays, mode, start)
        except HorizonTooShort:
            return None

    def judged(self, kind: str, plan: Plan, stability: float) -> Proposal:
        """A plan with its price at one position of the slider."""
        return self.judged_by(kind, plan, self.weigh(stability))

    def judged_by(self, kind: str, plan: Plan, weighing: Weighing) -> Proposal:
        """A plan with its price."""
        return Proposal(kind, plan, weighing.objective(plan), weighing.nervousness(plan))

    def repair(
        self,
        stability: float = 0.5,
        cpu_seconds: float = 0.0,
        *,
        stop: npt.NDArray[np.uint8] | None = None,
        on_improvement: Callable[[Proposal], None] | None = None,
    ) -> Proposal:
        """Return a valid plan at once, then a better one within the CPU time given.

        ``on_improvement`` gets the first plan too, before the search begins.
        """
        begun = time.process_time()
        first = self.first(stability)
        if on_improvement is not None:
            on_improvement(first)
        return self.search(first, stability, cpu_seconds - (time.process_time() - begun), stop, on_improvement)

    def search(
        self,
        first: Proposal,
        stability: float,
        cpu_seconds: float,
        stop: npt.NDArray[np.uint8] | None = None,
        on_improvement: Callable[[Proposal], None] | None = None,
    ) -> Proposal:
        """Search from where it pays most; never returns a worse plan than ``first``."""
        if cpu_seconds <= 0 or stability >= KEEP_ALL:
            return first
        begun = time.process_time()
        start = self.budgeted(stability) if stability > 0.0 else None
        left = cpu_seconds - (time.process_time() - begun)
        made = self.improve(start or first, stability, left, stop=stop, on_improvement=on_improvement)
        return min(made, first, key=lambda proposal: proposal.cost)


def repair(
    problem: Problem,
    published: Plan,
    now: int,
    disturbances: Iterable[Disturbance] = (),
    *,
    objective: Objective | None = None,
    stability: float = 0.5,
    frozen_ticks: int = 240,
    cpu_seconds: float = 0.0,
    actuals: Mapping[OperationKey, Actual] | None = None,
    seed: int = 0,
    stop: npt.NDArray[np.uint8] | None = None,
    on_improvement: Callable[[Proposal], None] | None = None,
) -> tuple[Situation, Proposal]:
    """Return the problem of this moment and a plan for it: at once, or better after ``cpu_seconds``.

    See `situate` for what is a fact and what is frozen, `weighing` for the slider. The plan is over the operations of
    the returned situation's problem; ``on_improvement`` gets the first plan before the search begins.

    Raises
    ------
    ProblemError
        A disturbance names what does not exist.
    NoPlan
        What is fixed leaves no room for a feasible plan.
    """
    situation = situate(problem, published, now, disturbances, frozen_ticks=frozen_ticks, actuals=actuals)
    replanner = Replanner(situation, objective, seed=seed)
    return situation, replanner.repair(stability, cpu_seconds, stop=stop, on_improvement=on_improvement)
