"""Re-planning where only the general decoder knows all rules: resources, people, batches, buffers, routings."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

import numpy as np
import numpy.typing as npt

from yuheng.engines.schedule.arrays import Arrays
from yuheng.engines.schedule.decode import Board, by_order, by_rule, choose_routings, new_board, urgency
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
        found: Callable[[Plan | None], None],
    ) -> None:
        """Search; tell every better plan."""

    def _active(self, mode: Ints) -> Ints:
        """Operations of the routings that the assignment performs."""
        return (mode >= 0).astype(np.int64) if self._arrays.has_routings else np.ones(self._arrays.n, np.int64)

    def _plan(self, board: Board) -> Plan:
        return plan_of(self._arrays, board.mode, board.start, board.leave)
