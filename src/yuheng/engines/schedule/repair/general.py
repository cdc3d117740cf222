"""Re-planning where only the general decoder knows all rules: resources, people, batches, buffers, routings."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import cached_property

import numpy as np
import numpy.typing as npt

from yuheng.engines.schedule.arrays import Arrays, HorizonTooShort
from yuheng.engines.schedule.decode import Board, NoPlan, by_order, by_rule, choose_routings, new_board, urgency
from yuheng.engines.schedule.layout import Layout, lay_out
from yuheng.engines.schedule.plan import Plan, plan_of
from yuheng.engines.schedule.repair.weighing import Weighing

Ints = npt.NDArray[np.int64]


class GeneralShop:
    """Decodes orders and dispatches with every rule of a problem."""

    def __init__(self, arrays: Arrays) -> None:
        self._arrays = arrays

    @cached_property
    def _layout(self) -> Layout:
        return lay_out(self._arrays)

    def kept(self, mode: Ints, start: Ints, *, keep_order: bool = False) -> Plan:
        """Place operations in the order of ``start`` on their machines, each as early as it fits.

        ``keep_order``: none overtakes another on a machine, even where a gap is left.
        """
        board = new_board(self._layout, self._active(mode))
        by_order(board, start, mode, keep_order=keep_order)
        return self._plan(board)

    def rerouted(self, mode: Ints, start: Ints, ticks: int) -> Plan:
        """Place operations in the order of ``start``, elsewhere where they end more than ``ticks`` earlier."""
        arrays = self._arrays
        owner = np.repeat(np.arange(arrays.n), np.diff(arrays.op_ptr))
        known = mode[owner]
        bias = np.where((known >= 0) & (known != np.arange(len(owner))), ticks, 0)
        want = np.where(arrays.fixed_mode >= 0, arrays.fixed_mode, -1)
        board = new_board(self._layout, self._active(mode))
        by_order(board, start, want, bias=bias)
        return self._plan(board)

    def dispatched(self) -> Plan:
        """Decide everything anew by a rule."""
        board = new_board(self._layout, choose_routings(self._arrays))
        by_rule(board, urgency(self._layout))
        return self._plan(board)

    def improve(
        self,
        plan: Plan,
        weighing: Weighing,
        cpu_seconds: float,
        seed: int,
        stop: npt.NDArray[np.uint8] | None,
        found: Callable[[Plan], bool],
        tries: int | None = None,
    ) -> None:
        """Climb: let some late orders go first, here and there another machine; keep what is better.

        ``found`` is told of every better plan and says whether it takes it. ``tries`` counts instead of the clock.
        """
        arrays, g, begun = self._arrays, np.random.default_rng(seed), time.process_time()
        order, mode, best, made = plan.start.copy(), plan.modes(arrays), weighing.cost(plan), 0
        late = self._lateness(plan)
        span = max(1, int(plan.end.max(initial=1)) - arrays.now)
        while stop is None or not stop[0]:
            if time.process_time() - begun >= cpu_seconds or (tries is not None and made >= tries):
                return
            made += 1
            keys = order.copy()
            chance = late + (0.05 * late.sum() + 1e-9) / len(late)
            for j in g.choice(len(late), size=int(g.integers(1, 4)), p=chance / chance.sum()).tolist():
                keys[arrays.job == j] -= int(g.exponential(0.1 * span))
            home = np.where(g.random(arrays.n) < 0.9, mode, weighing.mode)
            try:
                trial = self.rerouted(np.where(mode >= 0, home, -1), keys, int(g.choice([0, 15, 60, 240, 960])))
            except (NoPlan, HorizonTooShort):
                continue
            cost = weighing.cost(trial)
            if cost < best - 1e-9 and found(trial):
                best, order, mode = cost, trial.start.copy(), trial.modes(arrays)
                late = self._lateness(trial)

    def _lateness(self, plan: Plan) -> npt.NDArray[np.float64]:
        """Weighted ticks late of every order."""
        arrays = self._arrays
        done = np.zeros(arrays.jobs, np.int64)
        np.maximum.at(done, arrays.job, plan.end)
        late: npt.NDArray[np.float64] = arrays.weight * np.maximum(done - arrays.due, 0)
        return late

    def _active(self, mode: Ints) -> Ints:
        """Operations of the routings that the assignment performs."""
        return (mode >= 0).astype(np.int64) if self._arrays.has_routings else np.ones(self._arrays.n, np.int64)

    def _plan(self, board: Board) -> Plan:
        return plan_of(self._arrays, board.mode, board.start, board.leave)
