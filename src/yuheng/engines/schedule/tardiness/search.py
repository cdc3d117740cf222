"""The search for plans of low weighted tardiness, flow, set-up, makespan and nervousness, as an object that goes on."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from yuheng.engines.schedule.arrays import Arrays, compile_problem
from yuheng.engines.schedule.calendars import FOREVER
from yuheng.engines.schedule.parts import Job, Machine, Mode, Operation
from yuheng.engines.schedule.problem import Problem, chain
from yuheng.engines.schedule.tardiness.anneal import (
    ACCEPTED,
    BEST,
    COST,
    EVALUATED,
    PROPOSED,
    TOUCHED,
    Search,
    anneal,
    total_cost,
)
from yuheng.engines.schedule.tardiness.decoding import decode, make_room, set_latest
from yuheng.engines.schedule.tardiness.layout import (
    AFTER,
    BEFORE,
    LENGTH,
    MACHINE,
    MODE,
    PINNED,
    START,
    Costs,
    Reference,
    Shop,
    is_plain,
    lay_out,
)

type_ints = npt.NDArray[np.int64]
type_plan = tuple[type_ints, type_ints]
"""Absolute mode index and start of every operation."""

SAMPLE = 1024
"""Operations drawn at once in proportion to what they promise."""

PROPOSALS = 4096
"""Proposals in one call of the kernel: about 4 ms for plain problems, at most 20 ms for full ones."""

MARGIN = 0.0
"""See `anneal.anneal`; a negative one would spare more evaluations and miss more moves worth making."""
REASSIGN = 0.6
AGE = 20
"""Accepted moves after which estimates are made anew."""
WINDOW = 3000
"""Operations worked on at a time where there are more than twice as many."""
HOT, COLD = 0.56, 0.1
"""First and last temperature, in the cost of a mean operation's length; the first for 1,000 proposals an operation."""
HOTTER = 0.35
"""Power of the proposals per operation by which the first temperature grows: long coolings may begin hotter."""
PLAIN_PACE, FULL_PACE = 800_000.0, 250_000.0
"""Proposals in a second to reckon with; only the first temperature depends on it."""
QUENCH, QUENCHED = 0.04, 0.7
"""Share of a budget for the cold beginning, and where in the cooling that begins."""
SPREAD, SPREAD_ANYWAY = 0.1, 0.02
"""Share of proposals anywhere, where a term of the costs has no place in the estimates."""

type_improved = Callable[[float, type_ints, type_ints], None]


class OrderContradiction(ValueError):
    """A starting plan orders operations on a machine against their precedences."""


def place(shop: Shop, arrays: Arrays, mode: type_ints, start: type_ints) -> None:
    """Put a plan into the tables: order on the machines by start, everything as early as that order lets it.

    Pinned operations keep their start, what would delay them goes behind them. How late pinned and frozen operations
    may be asked to start is then what this plan needs: a plan that begins with a fault can be searched, but no fault
    grows.
    """
    nodes, ops, n = shop.nodes, shop.ops, arrays.n
    void = len(nodes) - arrays.machines - 1
    ops[:n, MODE] = mode
    ops[:n, MACHINE] = shop.modes[mode, 0]
    nodes[:n, LENGTH] = shop.modes[mode, 1]
    pinned = ops[:n, PINNED]
    rank = np.empty(n, np.int64)
    rank[arrays.topo] = np.arange(n)
    sequence = np.lexsort((rank, np.where(pinned >= 0, pinned, start)))
    nodes[:, [BEFORE, AFTER]] = void
    by_machine = sequence[np.argsort(ops[sequence, MACHINE], kind="stable")]
    for mine in np.split(by_machine, np.flatnonzero(np.diff(ops[by_machine, MACHINE])) + 1):
        if not len(mine):
            continue
        chain = np.concatenate(([void + 1 + ops[mine[0], MACHINE]], mine, [void]))
        nodes[chain[1:-1], BEFORE] = chain[:-2]
        nodes[chain[:-1], AFTER] = chain[1:]
    bounds = np.zeros(void, np.int64)
    while True:
        if not decode(nodes, ops, shop.orders, shop.succs, shop.plant, void, bounds):
            raise OrderContradiction("The starting plan puts an operation before one that must precede it.")
        if shop.plant is None or not make_room(nodes, ops, shop.plant, void, bounds):
            break
    set_latest(ops, bounds)


def _new_search(shop: Shop, arrays: Arrays, seed: int) -> Search:
    rows, jobs = len(shop.nodes), arrays.jobs
    void = rows - arrays.machines - 1
    steps = np.array([0.3, 1.0, 2.5, 6.0]) * max(1.0, float(arrays.mode_duration.mean()))
    log_rows = 8 * rows + 64
    return Search(
        shifts=np.zeros((rows, 8)),
        steps=np.maximum(np.round(steps), [1.0, 2.0, 3.0, 4.0]),
        order=np.argsort(shop.nodes[:void, START], kind="stable"),
        promise=np.zeros(rows),
        sample=np.zeros(max(SAMPLE, 2 * void), np.int64),
        listed=np.zeros(arrays.machines + 1, np.int64),
        places=np.zeros(16, np.int64),
        lists=np.zeros(rows, np.int64),
        heap=np.zeros(rows + 8, np.int64),
        waiting=np.zeros(rows, np.bool_),
        log=np.zeros((log_rows, 3), np.int64),
        order_log=np.zeros((jobs + 1, 2), np.int64),
        orders_seen=np.zeros(jobs, np.bool_),
        sizes=np.zeros(2, np.int64),
        spans=np.zeros(2, np.int64),
        changed=np.zeros(rows, np.int64),
        is_changed=np.zeros(rows, np.bool_),
        best_start=shop.nodes[:, START].copy(),
        best_mode=shop.ops[:, MODE].copy(),
        rng=np.array([(seed * 0x9E3779B97F4A7C15 + 0xD1B54A32D192ED03) % (1 << 64) | 1], np.uint64),
        amounts=np.zeros(2),
        counts=np.zeros(8, np.int64),
    )


def _progress(done: float) -> float:
    """Place in the cooling, 0 hot to 1 cold, at a share of the budget: a short cold beginning, so that there soon is
    a better plan whatever happens, then all of it.
    """
    return QUENCHED + (1.0 - QUENCHED) * done / QUENCH if done < QUENCH else (done - QUENCH) / (1.0 - QUENCH)


def _unit(arrays: Arrays, costs: Costs, reference: Reference | None) -> float:
    """Cost of shifting one operation by its mean duration: what temperatures are measured in."""
    if not arrays.n:
        return 1.0
    length = max(1.0, float(arrays.mode_duration.mean()))
    weighed = arrays.weight[arrays.due < FOREVER]
    rates = [costs.tardiness * float(weighed.mean()) if len(weighed) else 0.0, costs.flow, costs.makespan, costs.setup]
    if reference is not None:
        rates.append(float(reference.shift_cost.mean()))
    return max(length * max(rates), costs.late, 1e-6)


@dataclass(frozen=True, slots=True)
class Effort:
    """How much a search has done."""

    proposals: int
    evaluated: int
    accepted: int
    touched: int


def supports(arrays: Arrays) -> bool:
    """Whether the search and the rules of `dispatch` know all of a problem's rules.

    They take a machine as free from its last operation on: not so where one that runs already ends before that.
    """
    if arrays.needs_general:
        return False
    fixed = np.flatnonzero((arrays.fixed_start >= 0) & (arrays.fixed_mode >= 0))
    mode = arrays.fixed_mode[fixed]
    until = arrays.fixed_start[fixed] + arrays.mode_duration[mode]
    return not bool((until < arrays.machine_free[arrays.mode_machine[mode]]).any())


class TardinessSearch:
    """Simulated annealing on the orders of the machines, with estimates in front of every exact evaluation.

    Parameters
    ----------
    arrays
        A problem without the rules of `Arrays.needs_general`; precedence graphs, lags, set-ups, calendars and fixed
        operations are understood.
    costs
        What to minimise; terms of 0 cost nothing to carry.
    seed
        The same seed and the same calls give the same plans, if `run` is limited by proposals.
    start
        Absolute mode index and start of each operation; only the order on the machines is taken from it.
    reference
        A published plan to stay near to.
    """

    def __init__(
        self,
        arrays: Arrays,
        costs: Costs,
        seed: int,
        start: type_plan,
        reference: Reference | None = None,
    ) -> None:
        self.arrays = arrays
        self.shop = lay_out(arrays, costs, reference, not is_plain(arrays, costs, reference))
        self._void = len(self.shop.nodes) - arrays.machines - 1
        place(self.shop, arrays, start[0], start[1])
        self.search = _new_search(self.shop, arrays, seed)
        self._offset = self._flow_offset(costs)
        self.search.amounts[[COST, BEST]] = self.exact_value()
        self._unit = _unit(arrays, costs, reference)
        self._hot, self._cold = HOT * self._unit, COLD * self._unit
        self._spread = SPREAD if costs.setup or costs.makespan or costs.late or reference is not None else SPREAD_ANYWAY
        self._chunk = PROPOSALS if self.shop.plant is None else PROPOSALS // 4
        self._windows = 0
        self._draw = np.random.default_rng(seed)
        self._is_least_zero = not (costs.flow or costs.makespan)
        self.finished = self._done()
        """Nothing is left to gain."""

    def exact_value(self) -> float:
        """Cost of the current (not the best) plan, from nothing; equals what the increments add up to."""
        shop = self.shop
        return float(total_cost(shop.nodes, shop.ops, shop.orders, shop.plant, self._void))

    def _done(self) -> bool:
        """Whether no plan can cost less; all terms but flow and makespan can come to nothing."""
        return self.arrays.n == 0 or (self._is_least_zero and self.search.amounts[BEST] <= 1e-9)

    def decode_again(self) -> None:
        """Time the current plan from nothing: proves increments in tests, changes nothing."""
        shop = self.shop
        decode(shop.nodes, shop.ops, shop.orders, shop.succs, shop.plant, self._void, np.zeros(self._void, np.int64))

    def _flow_offset(self, costs: Costs) -> float:
        """Completions are counted from time 0 inside, flow times from the releases."""
        if not costs.flow:
            return 0.0
        first = np.full(self.arrays.jobs, np.iinfo(np.int64).max)
        np.minimum.at(first, self.arrays.job, self.arrays.release)
        return costs.flow * float(first[np.unique(self.arrays.job)].sum())

    @property
    def value(self) -> float:
        """Cost of the best plan so far."""
        return float(self.search.amounts[BEST]) - self._offset

    @property
    def plan(self) -> type_plan:
        """Absolute mode index and start of every operation in the best plan so far."""
        n = self.arrays.n
        return self.search.best_mode[:n].copy(), self.search.best_start[:n].copy()

    @property
    def effort(self) -> Effort:
        """What was done so far."""
        counts = self.search.counts
        return Effort(int(counts[PROPOSED]), int(counts[EVALUATED]), int(counts[ACCEPTED]), int(counts[TOUCHED]))

    def run(
        self,
        cpu_seconds: float,
        stop: npt.NDArray[np.uint8] | None = None,
        on_improvement: type_improved | None = None,
        *,
        proposals: int | None = None,
        part: tuple[float, float] = (0.0, 1.0),
    ) -> tuple[float, type_ints, type_ints]:
        """Cool from hot to cold within a budget; call again to warm up from the best plan and cool again.

        Parameters
        ----------
        cpu_seconds
            CPU time of this process to use. Give the whole budget in one call: the slower the cooling the better the
            plan, many short calls are many hasty coolings. Or say with ``part`` which part of one cooling this call is.
        stop
            One byte; the search returns within 20 ms after it becomes non-zero.
        on_improvement
            Called with value, mode and start, at most once per call of the kernel.
        proposals
            Cool by the number of proposals instead of the clock: equal seeds then give equal plans. The clock still
            ends the call.
        part
            Begin and end of this call in the cooling, 0 hot to 1 cold.

        Returns
        -------
        tuple
            Value, absolute mode index and start of every operation of the best plan so far.
        """
        begin, made, seen = time.process_time(), 0, self.value
        pace = PLAIN_PACE if self.shop.plant is None else FULL_PACE
        expected = (pace * cpu_seconds if proposals is None else proposals) / max(1e-3, part[1] - part[0])
        self._hot = self._unit * HOT * (max(1.0, expected / max(1, self.arrays.n)) / 1000.0) ** HOTTER
        while not self.finished:
            gone = (time.process_time() - begin) / cpu_seconds if cpu_seconds > 0 else 1.0
            done = gone if proposals is None else made / proposals
            if done >= 1.0 or gone >= 1.0 or (stop is not None and stop[0]):
                break
            size = self._chunk if proposals is None else min(self._chunk, proposals - made)
            self._step(size, _progress(part[0] + done * (part[1] - part[0])))
            made += size
            if on_improvement is not None and self.value < seen:
                on_improvement(self.value, *self.plan)
            seen = min(seen, self.value)
        return (self.value, *self.plan)

    def _window(self) -> tuple[int, int, int]:
        """Part of the plan for the next call, drawn by what it promises: large plans are improved piece by piece.

        The memory that a piece needs stays in the cache, and its estimates are soon made anew.
        """
        n = self._void
        if n <= 2 * WINDOW:
            return 0, n, n
        reached = np.cumsum(self.search.promise[self.search.order])
        if self._windows % 16 == 0 or reached[-1] <= 0.0:  # all estimates anew, in order to know where to look
            self._windows += 1
            return 0, n, n
        self._windows += 1
        middle = int(np.searchsorted(reached, self._draw.random() * reached[-1]))
        low = min(max(0, middle - WINDOW // 2), n - WINDOW)
        return low, low + WINDOW, min(n, low + 3 * WINDOW)

    def _step(self, proposals: int, progress: float) -> None:
        """Make proposals at the temperature that belongs to a point of the cooling."""
        shop = self.shop
        temperature = self._hot * (self._cold / self._hot) ** progress
        low, high, behind = self._window()
        anneal(
            shop.nodes,
            shop.ops,
            shop.orders,
            shop.modes,
            shop.plant,
            self._void,
            self.search,
            proposals,
            temperature,
            MARGIN,
            REASSIGN,
            low,
            high,
            behind,
            AGE * max(1, (high - low) // WINDOW),
            self._spread,
        )
        self.finished = self._done()


def warm() -> None:
    """Compile the kernels, or read them from numba's cache on disk, by searching a problem of a few operations."""
    durations = ((3, 5), (4, 2), (6, 3), (2, 7), (5, 4), (3, 3))
    operations = tuple(
        Operation(id=k % 2, job=k // 2, modes=(Mode(0, first), Mode(1, second)))
        for k, (first, second) in enumerate(durations)
    )
    jobs = tuple(Job(j, due=4) for j in range(3))
    arrays = compile_problem(Problem("warm", (Machine(0), Machine(1)), jobs, operations, chain(operations)))
    mode, start = arrays.op_ptr[:-1].copy(), np.zeros(arrays.n, np.int64)
    start[arrays.topo] = np.arange(arrays.n)
    zeros = np.zeros(arrays.n)
    reference = Reference(mode, start, zeros, zeros, np.zeros(arrays.n, np.int64))
    for published in (None, reference):
        TardinessSearch(arrays, Costs(), 0, (mode, start), published).run(60.0, proposals=64)
