"""Search for problems with rules that the fast searches do not know: people, tools, ovens, buffers, lags, routings.

First dispatching is repeated with other urgencies: orders that were late become more urgent, with some noise. Then
`recreate` changes the best plan step by step. Both decode with `decode`, so every plan keeps every rule.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from yuheng.engines.schedule.bookings import END, MODE, NODES, START
from yuheng.engines.schedule.calendars import FOREVER
from yuheng.engines.schedule.decode import (
    Board,
    NoPlan,
    Urgency,
    by_base,
    by_order,
    leave_of,
    new_board,
    priorities,
)
from yuheng.engines.schedule.objective import MACHINE_CHANGE_TICKS, TERMS
from yuheng.engines.schedule.recreate import MAKESPAN, TARDINESS, climb, cost_of
from yuheng.engines.schedule.scoring import Scorer

type_ints = npt.NDArray[np.int64]
type_found = Callable[[type_ints, type_ints, type_ints], object]
"""Told of (mode, start, leave) of a better plan."""

TERM_COLUMNS = {"tardiness": 0, "makespan": 1, "flow": 2, "setup": 3, "late": 4, "nervousness": 5}
SLICE_S = 0.02
"""About how long the kernel runs before the clock is looked at."""


class RebuildSearch:
    """Search that can be run, stopped and run on; it only ever gets better.

    Parameters
    ----------
    board
        Holds a plan; becomes the search's own.
    known
        Due dates and tails of the problem.
    scorer
        What a plan is worth.
    seed
        Equal seeds and steps give equal plans.
    """

    def __init__(self, board: Board, known: Urgency, scorer: Scorer, seed: int) -> None:
        layout, arrays = board.layout, board.layout.arrays
        n, jobs, groups = arrays.n, arrays.jobs, layout.groups
        self.board, self.known, self.scorer = board, known, scorer
        self.trial = new_board(layout, board.active.copy(), len(board.node))
        self._random = np.random.default_rng([seed, 17])
        order = np.argsort(arrays.job, kind="stable")
        self._job_ops = order.astype(np.int64)
        self._job_ptr = np.zeros(jobs + 1, np.int64)
        np.cumsum(np.bincount(arrays.job, minlength=jobs), out=self._job_ptr[1:])
        self._weights = np.zeros(6)
        for name in TERMS:
            self._weights[TERM_COLUMNS[name]] = scorer.objective.weight(name)
        self._wish = np.column_stack(
            (scorer.reference_start, scorer.reference_machine, np.full(n, MACHINE_CHANGE_TICKS, np.int64))
        )
        self._near = np.where(scorer.reference_start >= 0, scorer.near, 0.0)
        self._want, self._bias = np.zeros(n, np.int64), np.zeros((len(layout.modes), 2), np.int64)
        self._prio, self._todo = np.zeros(groups, np.int64), np.zeros(groups, np.int64)
        self._best = board.place[:, :3].copy()
        self._done, self._late, self._sure = np.zeros(jobs, np.int64), np.zeros(jobs), np.zeros(jobs)
        self._costs, self._counts = np.zeros(2), np.zeros(5, np.int64)
        self._rng = np.array([int(self._random.integers(1, 1 << 62))], np.int64)
        self._history = np.zeros(_memory(n))
        self._boost = np.zeros(jobs)
        self._best_boost = self._boost.copy()
        self._chunk = 1
        self._best_waits = board.waits.copy()
        self._room = 16 * len(board.node)
        self._costs[:] = self._value(board, self._late)
        self._history[:] = self._costs[0]

    @property
    def steps(self) -> int:
        """Steps done so far."""
        return int(self._counts[0])

    @property
    def is_perfect(self) -> bool:
        """Whether the best plan costs nothing."""
        return bool(self._costs[1] <= 0.0)

    def _value(self, board: Board, late: npt.NDArray[np.float64]) -> float:
        return float(cost_of(self._address(board), late))

    def _address(self, board: Board) -> int:
        """Return where kernels find what belongs to a board and what belongs to the search."""
        arrays = board.layout.arrays
        return board.address(
            routing_ptr=arrays.routing_ptr, job_ptr=self._job_ptr, job_ops=self._job_ops, due=arrays.due,
            weight=arrays.weight, job_release=self.scorer.job_release, weights=self._weights, wish=self._wish,
            near=self._near, tail=self.known.tail, want=self._want, bias=self._bias, prio=self._prio, todo=self._todo,
            best=self._best, best_waits=self._best_waits, done=self._done, late=self._late, sure=self._sure,
            history=self._history, costs=self._costs, rng=self._rng, counts=self._counts,
        )  # fmt: skip

    def dispatch(self, tries: int, seconds: float, stop: npt.NDArray[np.uint8], found: type_found) -> int:
        """Dispatch ``tries`` times with urgencies that learn; return how many times."""
        if self._weights[MAKESPAN] > self._weights[TARDINESS]:
            base, by_slack = priorities(self.board.layout, self.known, "mwkr")[0].copy(), 0.0
            scale = float(base.std()) or 1.0
        else:
            base, by_slack = priorities(self.board.layout, self.known, "atc")[0], 1.0 / self.known.mean_work
            scale = 1.0
        arrays = self.board.layout.arrays
        owner = np.repeat(arrays.job, np.diff(arrays.op_ptr))
        end = time.perf_counter() + seconds
        late = np.zeros(arrays.jobs)
        spare = self.trial
        done = 0
        for done in range(1, tries + 1):
            if stop[0] or self.is_perfect or time.perf_counter() >= end:
                return done - 1
            look_ahead = float(self._random.uniform(0.7, 6.0))
            boost = self._best_boost + self._random.normal(0.0, 0.25 + 0.5 * self._random.random(), arrays.jobs)
            spare.active[:] = self.board.active
            try:
                by_base(
                    spare,
                    self.known,
                    base + scale * boost[owner],
                    by_slack / look_ahead,
                    1.0 / (self._random.uniform(0.1, 1.0) * self.known.mean_setup),
                )
            except NoPlan:
                continue
            cost = self._value(spare, late)
            if cost < self._costs[1] - 1e-9:
                self._best_boost = boost
                self._adopt(spare, cost, late)
                found(spare.mode, spare.start, spare.leave)
            elif late.any():
                self._best_boost += 0.02 * (late / late.max()) - 0.02 * (late / late.max()).mean()
        return done

    def try_order(self, order: type_ints, want: type_ints, found: type_found) -> bool:
        """Decode an order (see `decode.by_order`) and go on from it if it is better."""
        spare, late = self.trial, np.zeros(len(self._late))
        spare.active[:] = self.board.active
        try:
            by_order(spare, np.where(order >= 0, order, FOREVER), want)
        except NoPlan:
            return False
        cost = self._value(spare, late)
        if cost >= self._costs[1] - 1e-9:
            return False
        self._adopt(spare, cost, late)
        found(spare.mode, spare.start, spare.leave)
        return True

    def _adopt(self, other: Board, cost: float, late: npt.NDArray[np.float64]) -> None:
        """Go on from another board's plan."""
        self.board, self.trial = other, self.board
        self._costs[:] = cost
        self._late[:] = late
        self._history[:] = cost
        self._best[:, :] = other.place[:, :3]
        self._best_waits[:] = other.waits
        if len(self.trial.node) < len(self.board.node):
            self.trial.node = np.empty_like(self.board.node)

    def run(self, seconds: float, stop: npt.NDArray[np.uint8], found: type_found, steps: int | None = None) -> int:
        """Search on for so many seconds or steps; return the number of steps done."""
        end = time.perf_counter() + seconds
        begin = self.steps
        while not self.is_perfect and not stop[0]:
            # Profiles are made wider between two calls: by count always after the same step, whatever a step takes.
            left = self._chunk if steps is None else min(1, steps - (self.steps - begin))
            if left <= 0 or time.perf_counter() >= end:
                break
            before, began = self._costs[1], time.perf_counter()
            board, trial = self.board, self.trial
            if board.state[NODES] > 0.8 * len(board.node):
                self._widen()
                board, trial = self.board, self.trial
            is_full = climb(self._address(board), self._address(trial), stop, left)
            if is_full:
                self._widen()
            used = time.perf_counter() - began
            self._chunk = max(1, min(4096, int(left * SLICE_S / used) if used > 0 else 2 * left, 2 * self._chunk))
            if self._costs[1] < before - 1e-9:
                found(*self.best())
        return self.steps - begin

    def best(self) -> tuple[type_ints, type_ints, type_ints]:
        """Return (mode, start, leave) of the best plan."""
        mode = self._best[:, MODE].copy()
        start = np.where(mode >= 0, self._best[:, 0], -1)
        end = np.where(mode >= 0, self._best[:, END], -1)
        return mode, start, leave_of(self.board.layout, start, end, self._best_waits)

    def _widen(self) -> None:
        """Make room in the profiles: twice as much; when that is a lot already, decode the present plan afresh."""
        if len(self.board.node) > self._room:
            place = self.board.place
            order = np.where(place[:, MODE] >= 0, place[:, START], FOREVER)
            try:
                by_order(self.board, order, place[:, MODE].copy())
            except NoPlan:
                by_order(self.board, np.where(self._best[:, MODE] >= 0, self._best[:, START], FOREVER))
            self._costs[0] = self._value(self.board, self._late)
            return
        for board in (self.board, self.trial):
            more = np.empty((2 * len(board.node), 3), np.int64)
            more[: len(board.node)] = board.node
            board.node = more


def _memory(operations: int) -> int:
    """How many past costs late acceptance compares with: fewer where a step takes long."""
    return 200 if operations <= 150 else 60 if operations <= 1000 else 20
