"""What stands where in a plan: machines, resources and open time as the explanations ask for them."""

from __future__ import annotations

from bisect import bisect_right
from functools import cached_property

import numpy as np
import numpy.typing as npt

from yuheng.engines.schedule.arrays import Arrays, compile_problem
from yuheng.engines.schedule.calendars import OpenTime
from yuheng.engines.schedule.parts import Interval
from yuheng.engines.schedule.plan import Plan
from yuheng.engines.schedule.problem import Problem

Ints = npt.NDArray[np.int64]


class Floor:
    """A problem and a plan of it, indexed for questions."""

    def __init__(self, problem: Problem, plan: Plan, arrays: Arrays | None = None) -> None:
        self.problem, self.plan = problem, plan
        self.arrays = compile_problem(problem) if arrays is None else arrays
        self.start: list[int] = plan.start.tolist()
        self.end: list[int] = plan.end.tolist()
        self.machine: list[int] = plan.machine.tolist()
        self.setup_start: list[int] = plan.setup_start.tolist()
        self.leave: list[int] = plan.leave.tolist()
        self.job: list[int] = self.arrays.job.tolist()
        self.mode: list[int] = plan.modes(self.arrays).tolist()
        self._times: dict[int, OpenTime] = {}
        self._usage: dict[int, _Usage] = {}

    def is_present(self, i: int) -> bool:
        """Whether the operation is performed at all."""
        return self.machine[i] >= 0

    @cached_property
    def operations_of_job(self) -> list[list[int]]:
        """Present operations of each job."""
        rows: list[list[int]] = [[] for _job in self.problem.jobs]
        for i, j in enumerate(self.job):
            if self.machine[i] >= 0:
                rows[j].append(i)
        return rows

    @cached_property
    def on_machine(self) -> list[list[int]]:
        """Operations of each machine in their order."""
        rows: list[list[int]] = [[] for _machine in self.problem.machines]
        for i in np.lexsort((self.plan.end, self.plan.start)).tolist():
            if self.machine[i] >= 0:
                rows[self.machine[i]].append(i)
        return rows

    @cached_property
    def _place(self) -> dict[int, int]:
        return {i: k for rows in self.on_machine for k, i in enumerate(rows)}

    def before_on_machine(self, i: int) -> tuple[int, ...]:
        """Return what the machine performs directly before: an operation, all members of a batch, or nothing."""
        rows, k = self.on_machine[self.machine[i]], self._place[i] - 1
        while k >= 0 and self.is_batch(i) and self.start[rows[k]] == self.start[i]:
            k -= 1
        if k < 0:
            return ()
        first = k
        while self.is_batch(i) and first > 0 and self.start[rows[first - 1]] == self.start[rows[k]]:
            first -= 1
        return tuple(rows[first : k + 1])

    @cached_property
    def _ends(self) -> list[list[int]]:
        """Of each machine, the latest leave up to and including every place: ascending."""
        rows = []
        for held in self.on_machine:
            latest, ends = 0, list[int]()
            for i in held:
                latest = max(latest, self.leave[i])
                ends.append(latest)
            rows.append(ends)
        return rows

    def busy_between(self, m: int, since: int, until: int, batch: tuple[int, ...]) -> list[int]:
        """Return what a machine performs from ``since`` on that starts before ``until``, and the batch itself."""
        rows = self.on_machine[m]
        found = []
        for k in rows[bisect_right(self._ends[m], since) :]:
            if self.start[k] >= until and k not in batch:
                break
            found.append(k)
        return found

    def batch_of(self, i: int) -> tuple[int, ...]:
        """Return the members of the batch, itself included."""
        if not self.is_batch(i):
            return (i,)
        rows, k = self.on_machine[self.machine[i]], self._place[i]
        low, high = k, k
        while low > 0 and self.start[rows[low - 1]] == self.start[i]:
            low -= 1
        while high + 1 < len(rows) and self.start[rows[high + 1]] == self.start[i]:
            high += 1
        return tuple(rows[low : high + 1])

    def is_batch(self, i: int) -> bool:
        """Whether it is performed on a batch machine."""
        return bool(self.arrays.batch_capacity[self.machine[i]] > 1)

    def setup_needed(self, before: tuple[int, ...], i: int) -> int:
        """Set-up ticks from what was before to an operation, on its machine."""
        arrays, m = self.arrays, self.machine[i]
        matrix, family = int(arrays.setup_of_machine[m]), int(arrays.family[i])
        if matrix < 0 or family < 0:
            return 0
        come_from = arrays.family[before[0]] if before else arrays.initial_family[m]
        return int(arrays.setup[matrix, come_from, family])

    # --- open time

    def times(self, m: int) -> OpenTime | None:
        """Open time of a machine; ``None``: always open."""
        code = int(self.arrays.cal_of_machine[m])
        if code < 0:
            return None
        if code not in self._times:
            part = slice(int(self.arrays.cal_ptr[code]), int(self.arrays.cal_ptr[code + 1]))
            rows = zip(self.arrays.cal_start[part].tolist(), self.arrays.cal_end[part].tolist(), strict=True)
            self._times[code] = OpenTime(list(rows))
        return self._times[code]

    def finish(self, m: int, start: int, work: int) -> int:
        """When work on a machine is done."""
        times = self.times(m)
        done = start + work if times is None else times.finish(start, work)
        return self.arrays.covered if done is None else done

    def next_open(self, m: int, tick: int) -> int:
        """The first open tick at or after a tick."""
        return self.finish(m, tick, 1) - 1

    def closed(self, m: int, start: int, end: int) -> list[Interval]:
        """Closed times of a machine inside [start, end)."""
        times = self.times(m)
        return [] if times is None or start >= end else times.closed_inside(start, end)

    def work(self, i: int) -> int:
        """Working ticks of an operation as planned; in a batch, those of the longest member."""
        return max(int(self.arrays.mode_duration[self.mode[k]]) for k in self.batch_of(i))

    def pauses(self, i: int) -> bool:
        """Whether it may be interrupted by closed time; of a batch, whether all may."""
        return all(bool(self.arrays.interruptible[k]) for k in self.batch_of(i))

    # --- resources

    def demands(self, i: int) -> list[tuple[int, int]]:
        """Resources (index) and units that an operation takes; in a batch, the most that a member takes."""
        arrays, most = self.arrays, dict[int, int]()
        for k in self.batch_of(i):
            for d in range(int(arrays.dem_ptr[k]), int(arrays.dem_ptr[k + 1])):
                r = int(arrays.dem_res[d])
                most[r] = max(most.get(r, 0), int(arrays.dem_amount[d]))
        return list(most.items())

    def held(self, i: int, r: int, start: int, end: int) -> list[Interval]:
        """When an operation at [start, end) holds a resource: without the breaks where people go home."""
        closed = [] if self.arrays.res_keeps[r] else self.closed(self.machine[i], start, end)
        edges = [start, *(edge for interval in closed for edge in interval), end]
        return [(a, b) for a, b in zip(edges[::2], edges[1::2], strict=True) if a < b]

    def usage(self, r: int) -> _Usage:
        """Who holds a resource when, and how much of it there is."""
        if r not in self._usage:
            self._usage[r] = _Usage(self, r)
        return self._usage[r]

    @cached_property
    def users(self) -> dict[int, list[tuple[int, int]]]:
        """Present operations (of a batch, its first member) and units, by resource."""
        found: dict[int, list[tuple[int, int]]] = {}
        for i in np.flatnonzero(np.diff(self.arrays.dem_ptr)).tolist():
            if self.machine[i] < 0:
                continue
            batch = self.batch_of(i)
            asked = [k for k in batch if self.arrays.dem_ptr[k] < self.arrays.dem_ptr[k + 1]]
            if i == asked[0]:
                for r, units in self.demands(i):
                    found.setdefault(r, []).append((i, units))
        return found


class _Usage:
    """One resource in time."""

    def __init__(self, floor: Floor, r: int) -> None:
        rows = [
            (a, b, units, i)
            for i, units in floor.users.get(r, ())
            for a, b in floor.held(i, r, floor.start[i], floor.end[i])
        ]
        self.since, self.until, self.units, self.who = np.array(rows, np.int64).reshape(-1, 4).T
        part = slice(int(floor.arrays.cap_ptr[r]), int(floor.arrays.cap_ptr[r + 1]))
        self.times, self.capacity = floor.arrays.cap_time[part], floor.arrays.cap_value[part]

    def holders(self, tick: int) -> list[int]:
        """Operations that hold it at a tick."""
        return [int(i) for i in self.who[(self.since <= tick) & (tick < self.until)]]

    def shortage(self, pieces: list[Interval], units: int, without: tuple[int, ...]) -> int | None:
        """Return the first tick in the pieces at which fewer than ``units`` are left by the others; ``None``: never."""
        others = ~np.isin(self.who, without)
        since, until, taken = self.since[others], self.until[others], self.units[others]
        for a, b in pieces:
            ticks: set[int] = {a, *since[(a < since) & (since < b)].tolist()}
            ticks |= set(self.times[(a < self.times) & (self.times < b)].tolist())
            for tick in sorted(ticks):
                used = int(taken[(since <= tick) & (tick < until)].sum())
                if used + units > self.at(tick):
                    return tick
        return None

    def at(self, tick: int) -> int:
        """Units that there are at a tick."""
        return int(self.capacity[max(int(np.searchsorted(self.times, tick, side="right")) - 1, 0)])

    def next_step(self, tick: int) -> int | None:
        """The next tick at which anything changes."""
        later = [int(row[row > tick].min(initial=1 << 62)) for row in (self.since, self.until, self.times)]
        return None if min(later) == 1 << 62 else min(later)

    def next_change(self, tick: int) -> int | None:
        """The next tick after which more may be free."""
        later = [int(row[row > tick].min(initial=1 << 62)) for row in (self.until, self.times)]
        return None if min(later) == 1 << 62 else min(later)
