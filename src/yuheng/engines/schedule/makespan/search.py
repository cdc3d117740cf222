"""Anytime search for the shortest plan: tabu search, a pool of good plans, and paths between them."""

import time
from collections.abc import Callable, Generator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from yuheng.engines.schedule.arrays import Arrays, compile_problem
from yuheng.engines.schedule.makespan import starts, tabu
from yuheng.engines.schedule.makespan.graph import load
from yuheng.engines.schedule.makespan.moves import BLOCK, CANDIDATES
from yuheng.engines.schedule.makespan.shop import INDEX, Ints, Times, compile_shop
from yuheng.engines.schedule.problem import Job, Machine, Mode, Operation, Precedence, Problem, chain

LARGE = 8000
"""Operations from which first plans take so long that few are made."""

Steps = Generator[None, None, "Member"]


@dataclass(frozen=True, slots=True)
class Settings:
    """What was tuned (on samples of families, see decision record 029).

    Parameters
    ----------
    pool, growth, pool_most
        Plans in the pool: so many at first, one more after each ``growth`` runs, at most ``pool_most``. A short search
        must go down quickly, a long one must not run dry.
    apart
        Two plans of the pool differ in more than ``n // apart`` modes and machine predecessors.
    patience
        Runs without a better plan after which a new pool is begun.
    quiet
        Moves without improvement that end a run of tabu search.
    tenure, spread
        A move is forbidden for ``tenure`` moves and up to ``spread`` more.
    window
        Longest way, in places, of an operation inside its block.
    near
        Places around the one that fits by time where an exchange is looked for; 0: none.
    greed
        Weight of work saved, in sixteenths of a tick of makespan for each tick of work.
    """

    pool: int = 4
    pool_most: int = 20
    growth: int = 12
    apart: int = 10
    patience: int = 50
    quiet: int = 8000
    tenure: int = 8
    spread: int = 8
    window: int = 8
    near: int = 3
    greed: int = 10


@dataclass(frozen=True, slots=True)
class Member:
    """A plan of the pool: makespan, modes, topological order, ranks by start, who is before whom on its machine."""

    span: int
    mode: Ints
    order: Ints
    rank: NDArray[np.int64]
    before: Ints


class MakespanSearch:
    """Search that can be run, stopped and run on; it only ever gets better.

    Parameters
    ----------
    arrays
        The problem; `supports` must hold.
    seed
        Start of its own random numbers: equal seeds make equal searches, move by move.
    start
        A plan to begin with: absolute mode index and start per operation.
    """

    def __init__(
        self,
        arrays: Arrays,
        seed: int = 0,
        start: tuple[NDArray[Any], NDArray[Any]] | None = None,
        settings: Settings | None = None,
    ) -> None:
        self.settings = settings or Settings()
        self._c = compile_shop(arrays)
        c = self._c
        n = c.n
        self.bound = c.bound + c.origin
        self.moves = 0
        self.span = -1
        self._mode = np.zeros(c.n, INDEX)
        self._keep = np.zeros(c.n, INDEX)
        self._node = c.node.copy()
        self._seq = np.zeros(len(c.original_mode) + 1, INDEX)
        self._count = np.zeros(c.machines, INDEX)
        self._order = np.zeros(n, INDEX)
        self._rng = np.array([(seed * 0x9E3779B97F4A7C15 + 0x2545F4914F6CDD1D) % 2**64 or 1], np.uint64)
        self._random = np.random.default_rng([seed, 29])
        width = int(c.node["local"][:n].max(initial=0)) + 1
        size = 1
        while size < min(n * width, 1 << 16):
            size *= 2
        self._tabu = np.zeros(size, np.int32)
        self._tabu_mode = np.zeros(len(c.original_mode), np.int64)
        self._ctl = np.zeros(tabu.CONTROLS, np.int64)
        self._ctl[tabu.TENURE] = self.settings.tenure
        self._ctl[tabu.SPREAD] = self.settings.spread
        self._ctl[tabu.WINDOW] = self.settings.window
        self._ctl[tabu.GREED] = self.settings.greed
        self._ctl[tabu.NEAR] = self.settings.near
        self._ctl[tabu.WIDTH] = width
        self._ctl[tabu.FLEXIBLE] = int(c.flexible)
        self._best_mode = np.zeros(n, INDEX)
        self._best_order = np.zeros(n, INDEX)
        self._path = np.zeros(n, INDEX)
        self._work = np.zeros(n, INDEX)
        self._block = np.zeros(n, BLOCK)
        self._found = np.zeros(CANDIDATES, np.int64)
        self._chunk = max(1, min(64, 400000 // (n + 1)))
        self._limit: int | None = None
        self._given = start
        self._steps = self._search()
        self.finished = False
        self._optimal = False

    # ---- running

    def run(
        self,
        cpu_seconds: float,
        stop: NDArray[np.uint8] | None = None,
        on_improvement: Callable[[int, NDArray[Any], NDArray[Any]], None] | None = None,
        *,
        moves: int | None = None,
    ) -> tuple[int, NDArray[np.int64], NDArray[np.int64]]:
        """Search on.

        Parameters
        ----------
        cpu_seconds
            Time of this process to use.
        stop
            One byte; the search returns within about 20 ms after it becomes non-zero.
        on_improvement
            Called with ``(makespan, mode, start)`` for every better plan.
        moves
            Greatest number of moves, for runs that must be equal whatever the clock says.

        Returns
        -------
        tuple
            Makespan, absolute mode index and start of every operation.
        """
        end = time.process_time() + cpu_seconds
        self._limit = None if moves is None else self.moves + moves
        seen = self.span
        while not self.finished:
            try:
                next(self._steps)
            except StopIteration:
                self.finished = True
            if self.span != seen:
                seen = self.span
                if on_improvement is not None:
                    on_improvement(*self.result())
            if self.span >= 0 and (
                time.process_time() >= end
                or (stop is not None and stop[0])
                or (self._limit is not None and self.moves >= self._limit)
            ):
                break
        return self.result()

    def result(self) -> tuple[int, NDArray[np.int64], NDArray[np.int64]]:
        """Return the best plan so far: makespan, absolute mode index and start of every operation."""
        mode, order = self._mode, self._keep
        node, seq, count, own = self._c.node.copy(), self._seq.copy(), self._count.copy(), self._order.copy()
        c = self._c
        load(node, c.arc_ptr, c.arc, c.seq_ptr, seq, count, own, c.mode_table, mode, order)
        start = node["head"][: c.n].astype(np.int64) - c.mode_table[mode, 1] + c.origin
        return self.span + c.origin, c.original_mode[mode].astype(np.int64), start

    # ---- the search, written as one that never ends

    def _search(self) -> Generator[None, None, None]:
        pool: list[Member] = []
        s = self.settings
        first: list[tuple[Ints, Ints]] = []
        if self._given is not None:
            first.append(self._from_plan(*self._given))
            self._take(self._load(*first[0]), *first[0])
            yield
        yield from self._starts(first)
        if self._done():
            return
        for mode, order in first[: s.pool // 2]:
            pool.append((yield from self._improve(mode, order)))
            if self._done():
                return
        champions: list[Member] = []
        runs = still = 0
        while True:
            size = min(s.pool + runs // s.growth, s.pool_most)
            if len(pool) < min(size, s.pool) or (len(pool) < size and runs % 3 == 0) or len(pool) < 2:
                mode, order = yield from self._construct(self._random_weight(), float(self._random.random()))
            else:
                a, b = self._random.choice(len(pool), 2, replace=False)
                mode, order = self._between(pool[a], pool[b], 0.3 + 0.4 * self._random.random())
            top = pool[0].span if pool else -1
            pool.append((yield from self._improve(mode, order)))
            if self._done():
                return
            runs += 1
            pool.sort(key=lambda m: m.span)
            self._thin(pool, size)
            still = still + 1 if pool[0].span == top else 0
            if still >= s.patience:
                # Dry: begin anew, and every third time with what the others came to.
                champions.append(pool[0])
                pool = sorted(champions, key=lambda m: m.span) if len(champions) % 3 == 2 else []
                self._thin(pool, s.pool)
                runs = still = 0

    def _done(self) -> bool:
        return self._optimal or 0 <= self.span <= self._c.bound

    def _thin(self, pool: list[Member], size: int) -> None:
        """Drop those that are too near to a better one, then the worst beyond the size of the pool."""
        kept: list[Member] = []
        for m in pool:
            if len(kept) < size and all(self._distance(m, o) > self._c.n // self.settings.apart for o in kept):
                kept.append(m)
        pool[:] = kept

    def _distance(self, a: Member, b: Member) -> int:
        return int(np.count_nonzero(a.mode != b.mode)) + int(np.count_nonzero(a.before != b.before))

    def _before(self, mode: Ints, order: Ints) -> Ints:
        """Return the operation before each one on its machine (-1: none)."""
        machine = self._c.mode_table[mode[order], 0]
        by = np.argsort(machine, kind="stable")
        sequence, machine = order[by], machine[by]
        before = np.full(self._c.n, -1, INDEX)
        same = machine[1:] == machine[:-1]
        before[sequence[1:][same]] = sequence[:-1][same]
        return before

    def _between(self, a: Member, b: Member, share: float) -> tuple[Ints, Ints]:
        key = (1 - share) * a.rank + share * b.rank
        mode = np.where(self._random.random(self._c.n) < share, b.mode, a.mode).astype(INDEX)
        return mode, np.argsort(key, kind="stable").astype(INDEX)

    def _improve(self, mode: Ints, order: Ints) -> Steps:
        c = self._c
        span = self._load(mode, order)
        self._ctl[[tabu.IT, tabu.QUIET]] = 0
        self._ctl[[tabu.SPAN, tabu.BEST]] = span
        self._best_mode[:], self._best_order[:] = mode, order
        self._tabu[:] = 0
        self._tabu_mode[:] = 0
        while True:
            moves = self._chunk
            if self._limit is not None:
                moves = max(1, min(moves, self._limit - self.moves))
            before, clock = int(self._ctl[tabu.IT]), time.process_time()
            status = tabu.run(
                self._node, c.arc_ptr, c.arc, c.seq_ptr, self._seq, self._count, self._order, c.mode_ptr, c.mode_table,
                c.mode_on, self._ctl, self._tabu, self._tabu_mode, self._best_mode, self._best_order, self._path,
                self._work, self._block, self._found, self._rng, moves, self.settings.quiet, c.bound,
            )  # fmt: skip
            made = int(self._ctl[tabu.IT]) - before
            self.moves += made
            took = time.process_time() - clock
            if made == moves:
                self._chunk = max(1, min(1 << 20, int(self._chunk * min(2.0, 0.01 / max(took, 1e-6)))))
            if self.span < 0 or self._ctl[tabu.BEST] < self.span:
                self._take(int(self._ctl[tabu.BEST]), self._best_mode, self._best_order)
            yield
            if status == tabu.OPTIMAL:
                self._optimal = True
            if status != tabu.RUNNING:
                break
        best_mode, best_order = self._best_mode.copy(), self._best_order.copy()
        self._load(best_mode, best_order)
        by_start = best_order[np.argsort(self._starts_of(best_mode)[best_order], kind="stable")]
        rank = np.empty(c.n, np.int64)
        rank[by_start] = np.arange(c.n)
        return Member(int(self._ctl[tabu.BEST]), best_mode, by_start, rank, self._before(best_mode, by_start))

    def _load(self, mode: Ints, order: Ints) -> int:
        c = self._c
        return int(
            load(
                self._node, c.arc_ptr, c.arc, c.seq_ptr, self._seq, self._count, self._order, c.mode_table, mode, order
            )
        )

    def _starts_of(self, mode: Ints) -> Times:
        head: Times = self._node["head"][: self._c.n].astype(np.int64)
        start: Times = head - self._c.mode_table[mode, 1]
        return start

    def _take(self, span: int, mode: Ints, order: Ints) -> None:
        self.span = span
        self._mode = mode.copy()
        self._keep = order.copy()

    # ---- first plans

    def _random_weight(self) -> NDArray[np.float64]:
        r = self._random
        w = self._longest * (1 - r.random()) + self._behind * r.random() * 0.5
        return w * (1 + 0.3 * r.random() * r.standard_normal(self._c.n))

    def _starts(self, first: list[tuple[Ints, Ints]]) -> Generator[None, None, None]:
        c = self._c
        left, load = np.zeros(c.n, np.int64), np.zeros(c.n, np.int64)
        starts.remaining(c.node, c.arc_ptr, c.arc, left, load, c.order, c.least)
        self._longest, self._behind = left.astype(np.float64), load.astype(np.float64)
        found: list[tuple[int, int, Ints, Ints]] = []
        for weight in (self._longest, self._behind, -c.least.astype(np.float64)):
            for delay in (0.0, 0.5, 1.0) if c.n < LARGE else (0.0,):
                mode, order = yield from self._construct(weight, delay)
                found.append((self._last_end, len(found), mode, order))
        found.sort(key=lambda f: f[:2])
        first += [(mode, order) for _, _, mode, order in found]

    def _construct(self, weight: NDArray[np.float64], delay: float) -> Generator[None, None, tuple[Ints, Ints]]:
        c = self._c
        n = c.n
        waits = (c.node["pred"][:n] < n).astype(INDEX) + np.diff(c.arc_ptr[0])
        ready = np.zeros(n, INDEX)
        first = np.flatnonzero(waits == 0)
        ready[: len(first)] = first
        state = np.array([len(first), 0])
        at, free = c.node["release"][:n].astype(np.int64), c.machine_free.astype(np.int64)
        mode, order, end = np.zeros(n, INDEX), np.zeros(n, INDEX), np.zeros(n, np.int64)
        steps = max(1, 300000 // (len(c.original_mode) * len(first) // n + 1))
        while not starts.construct(
            c.node, c.arc_ptr, c.arc, c.mode_ptr, c.mode_table, state, ready, at, waits, free, weight, delay, mode, end,
            order, steps,
        ):  # fmt: skip
            yield
        self._last_end = int(end.max())
        if self.span < 0 or self._last_end < self.span:
            self._take(self._last_end, mode, order)
        yield
        return mode, order

    def _from_plan(self, mode: NDArray[Any], start: NDArray[Any]) -> tuple[Ints, Ints]:
        own = self._c.mode_of[np.asarray(mode)]
        base = self._c.order
        return own.astype(INDEX), base[np.argsort(np.asarray(start)[base], kind="stable")]


def warm() -> None:
    """Compile the kernels (or read them from numba's cache on disk), by searching a problem of a few operations."""
    durations = ((3, 5), (4, 2), (6, 3), (2, 7), (5, 4), (3, 3))
    operations = tuple(
        Operation(id=k % 2, job=k // 2, modes=(Mode(0, first), Mode(1, second)))
        for k, (first, second) in enumerate(durations)
    )
    links = (*chain(operations), Precedence((0, 0), (2, 1)))
    problem = Problem("warm", (Machine(0), Machine(1)), tuple(Job(j) for j in range(3)), operations, links)
    search = MakespanSearch(compile_problem(problem))
    search._c = replace(search._c, bound=0)  # so that the search begins although the first plan is the best
    search.run(60.0, moves=50)
