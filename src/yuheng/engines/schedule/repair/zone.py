"""Which operations of the frozen zone can keep machine and start. Looks only at facts and at what is kept already."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from yuheng.engines.schedule.calendars import OpenTime, open_intervals
from yuheng.engines.schedule.kpis import setup_between
from yuheng.engines.schedule.parts import Id, Interval, Link, Operation, Precedence, Status
from yuheng.engines.schedule.people import pools
from yuheng.engines.schedule.plan import Plan
from yuheng.engines.schedule.problem import Problem
from yuheng.engines.schedule.repair.disturbances import Draft
from yuheng.engines.schedule.timeline import Capacities, compile_capacities

LITTLE_LATE = 60
"""Ticks: what starts so little after its plan keeps its turn on the machine."""


def placed(row: Operation, status: Status, machine: Id | None, start: int | None) -> Operation:
    """Return an operation with another status; `dataclasses.replace`, five times as quick."""
    return Operation(
        row.id, row.job, row.modes, row.family, row.demands, row.size, row.interruptible, row.release, row.material_at,
        row.material, row.routing, status, machine, start,
    )  # fmt: skip


class Zone:
    """The frozen zone of one moment.

    Parameters
    ----------
    rows
        Operations with the facts in them.
    reference
        The published plan over the same rows.
    origin
        Index of each row in ``problem``, −1: new.
    """

    def __init__(
        self,
        problem: Problem,
        draft: Draft,
        rows: Sequence[Operation],
        links: Sequence[Precedence],
        reference: Plan,
        origin: Sequence[int],
        now: int,
        frozen_ticks: int,
    ) -> None:
        self._origin = origin
        self._problem, self._draft, self._rows, self._now = problem, draft, rows, now
        self._machine: list[int] = reference.machine.tolist()
        self._start: list[int] = reference.start.tolist()
        self._end: list[int] = reference.end.tolist()
        self.until = now + frozen_ticks
        self._calendars = {row.id: row for row in draft.calendars}
        self._jobs = {job.id: job for job in draft.jobs}
        self._times: dict[int, OpenTime | None] = {}
        self._names = [machine.id for machine in draft.machines]
        self._into: dict[int, list[tuple[int, Precedence]]] = {}
        self.longest = max((mode.duration for row in rows for mode in row.modes), default=0)
        self._candidates = self._zone()
        self._overdue = self._late_already()
        self._index_links(links)
        self._most = _Most(draft, rows, self) if draft.resources or draft.operators else None
        self.frozen: list[int] = []
        self.delayed: list[int] = []
        self._decide()

    def final(self) -> tuple[Operation, ...]:
        """All operations with the zone's decisions in them."""
        rows = list(self._rows)
        for i in self.frozen:
            machine = self._problem.machines[self._machine[i]].id
            rows[i] = placed(rows[i], Status.FROZEN, machine, self._start[i])
        for i in self.delayed:
            if rows[i].status is Status.OPEN:
                machine = self._problem.machines[self._machine[i]].id
                rows[i] = placed(rows[i], Status.PINNED, machine, None)
        return tuple(rows)

    def _zone(self) -> list[int]:
        """Operations of the zone on machines that are not struck, by start."""
        struck = {self._problem.machine_index[machine] for machine in self._draft.struck}
        starts, machines = np.array(self._start), np.array(self._machine)
        inside = np.flatnonzero((starts >= self._now) & (starts < self.until) & (machines >= 0))
        inside = inside[np.lexsort((inside, starts[inside]))]
        return [i for i in inside.tolist() if self._machine[i] not in struck and self._is_free(self._rows[i])]

    def _late_already(self) -> list[int]:
        """What should have started before now and has not, by planned start."""
        rows = [
            i
            for i, row in enumerate(self._rows)
            if 0 <= self._start[i] < self._now and row.status is not Status.STARTED and self._is_free(row)
        ]
        able = [i for i in rows if any(self._names[self._machine[i]] == mode.machine for mode in self._rows[i].modes)]
        return sorted(able, key=lambda i: (self._start[i], i))

    def _is_free(self, row: Operation) -> bool:
        return row.status is Status.OPEN or (row.status is Status.PINNED and row.fixed_start is None)

    def _index_links(self, links: Sequence[Precedence]) -> None:
        same = len(self._rows) == len(self._problem.operations)
        index = self._problem.operation_index if same else {row.key: i for i, row in enumerate(self._rows)}
        wanted = {*self._candidates, *self._overdue}
        self._limited: list[tuple[int, int]] = []
        for link in links:
            b = index[link.after]
            if b in wanted:
                self._into.setdefault(b, []).append((index[link.before], link))
            if link.max_lag is not None:
                self._limited.append((index[link.before], b))

    def _decide(self) -> None:
        """Keep what can be kept; leave out what a later look forbids (batches, longest lags), and begin again."""
        excluded: set[int] = set()
        while True:
            self._keep(excluded)
            kept = set(self.frozen)
            # A started pair is settled; a kept one before a free one might have to wait longer than it may.
            more = {a for a, b in self._limited if a in kept and b not in kept}
            more |= {i for i in kept if any(k not in kept for k in self._batch(i))}
            if not more:
                break
            excluded |= more
        self.delayed = [i for i in self._candidates if i not in kept]

    def _batch(self, i: int) -> list[int]:
        m = self._machine[i]
        if self._draft.machines[m].batch_capacity == 1:
            return []
        return [k for k in self._candidates if self._machine[k] == m and self._start[k] == self._start[i]]

    def _keep(self, excluded: set[int]) -> None:
        self.frozen = []
        ends: dict[int, int] = {}
        last: dict[int, tuple[int, int, int]] = {}
        for i, row in enumerate(self._rows):
            if row.status is Status.STARTED and row.fixed_start is not None:
                m = self.machine_of(row)
                done = self._end[i] if self._is_as_planned(i, row) else self.end_of(row, m, row.fixed_start)
                ends[i] = done
                last[m] = max(last.get(m, (-1, -1, -1)), (done, row.fixed_start, i))
        if self._most is not None:
            self._most.begin({i: ends[i] for i in ends if ends[i] > self._now})
        expected = dict(ends)
        for i in self._overdue:
            self._expect(i, expected, last)
        for i in self._candidates:
            if i in excluded or not self._keeps(i, ends, last):
                self._expect(i, expected, last)
                continue
            expected[i] = ends[i]
            self.frozen.append(i)

    def _keeps(self, i: int, ends: dict[int, int], last: dict[int, tuple[int, int, int]]) -> bool:
        """Keep an operation if it can be kept."""
        if not self._can_keep(i, ends, last):
            return False
        m, start = self._machine[i], self._start[i]
        end = self.end_of(self._rows[i], m, start)
        if self._most is not None and not self._most.take(i, m, start, end):
            return False
        ends[i] = end
        last[m] = max(last.get(m, (-1, -1, -1)), (end, start, i))
        return True

    def _expect(self, i: int, expected: dict[int, int], last: dict[int, tuple[int, int, int]]) -> None:
        """Let an operation that is only a little late keep its turn: what follows on its machine then waits too.

        One whose start nobody knows, or that is far behind its plan, is overtaken by what can keep its start.
        """
        m, row = self._machine[i], self._rows[i]
        begins = max(self._now, row.release, row.material_at, self._jobs[row.job].release)
        for a, link in self._into.get(i, ()):
            if a not in expected:
                return
            if link.kind is Link.FINISH_START:
                begins = max(begins, expected[a] + link.min_lag)
        begins = max(begins, last[m][0] if m in last else 0)
        times = self.times(m)
        begins = begins if times is None else self.end_of_work(m, begins, 1) - 1
        if begins > max(self._start[i], self._now) + LITTLE_LATE:
            return
        expected[i] = self.end_of(row, m, begins)
        last[m] = max(last.get(m, (-1, -1, -1)), (expected[i], begins, i))

    def _is_as_planned(self, i: int, row: Operation) -> bool:
        """Over before now, where and when it was planned: nothing that happens now can have changed its end."""
        return (
            0 <= self._end[i] <= self._now
            and row.modes is self._problem.operations[self._origin[i]].modes
            and row.fixed_start == self._start[i]
            and row.fixed_machine == self._problem.machines[self._machine[i]].id
        )

    def _can_keep(self, i: int, ends: dict[int, int], last: dict[int, tuple[int, int, int]]) -> bool:
        row, m, start = self._rows[i], self._machine[i], self._start[i]
        machine = self._draft.machines[m]
        if row.fixed_machine not in (None, machine.id) or all(mode.machine != machine.id for mode in row.modes):
            return False
        if max(row.release, row.material_at, self._jobs[row.job].release, machine.available_from) > start:
            return False
        times = self.times(m)
        end = self.end_of(row, m, start)
        if times is not None and (
            not times.is_open(start) or (not row.interruptible and times.closed_inside(start, end))
        ):
            return False
        if any(not self._follows(a, link, i, ends) for a, link in self._into.get(i, ())):
            return False
        return m not in last or self._fits_behind(i, *last[m])

    def _follows(self, a: int, link: Precedence, i: int, ends: dict[int, int]) -> bool:
        """Whether what comes before is settled, and early enough."""
        if self._machine[a] < 0 and a not in ends:
            return self._rows[a].routing is not None  # of a routing that was not chosen; else it is new
        if a not in ends:
            return False
        before = self._rows[a]
        begun = before.fixed_start if before.fixed_start is not None else self._start[a]
        if link.kind is Link.OVERLAP:
            return ends[a] <= self._end[a] and begun <= self._start[a]
        given = self._start[i] - (ends[a] if link.kind is Link.FINISH_START else begun)
        return link.min_lag <= given and (link.max_lag is None or given <= link.max_lag)

    def _fits_behind(self, i: int, end: int, begun: int, other: int) -> bool:
        """Whether the machine is free, and set up, in time."""
        m, start = self._machine[i], self._start[i]
        machine = self._draft.machines[m]
        if machine.batch_capacity > 1 and begun == start:
            return True  # the batch of which the other one is a member
        if end > start:
            return False
        if machine.setup_matrix is None:
            return True
        matrix = next(row for row in self._problem.setup_matrices if row.id == machine.setup_matrix)
        place = {family: k for k, family in enumerate(matrix.families)}
        before, after = self._rows[other].family, self._rows[i].family
        needed = setup_between(matrix.times, matrix.initial, place, before, after)
        times = self.times(m)
        return needed <= (start - end if times is None else times.between(end, start))

    def machine_of(self, row: Operation) -> int:
        """Index of the machine on which an operation is fixed."""
        if row.fixed_machine is None:
            raise ValueError("the operation has no fixed machine")
        return self._problem.machine_index[row.fixed_machine]

    # --- times

    def times(self, m: int) -> OpenTime | None:
        """Open time of a machine with everything that happened; ``None``: always open."""
        if m not in self._times:
            machine = self._draft.machines[m]
            if machine.calendar is None and not machine.closures:
                self._times[m] = None
            else:
                calendar = None if machine.calendar is None else self._calendars[machine.calendar]
                period = 0 if calendar is None else calendar.period or 0
                latest = max([self.until, *(end for _start, end in machine.closures)])
                until = latest + 3 * (self.longest + period) + 1
                self._times[m] = OpenTime(open_intervals(calendar, machine.closures, until))
        return self._times[m]

    def end_of(self, row: Operation, m: int, start: int) -> int:
        """When an operation ends that starts on a machine at a tick."""
        machine = self._draft.machines[m].id
        work = next(mode.duration for mode in row.modes if mode.machine == machine)
        return self.end_of_work(m, start, work)

    def end_of_work(self, m: int, start: int, work: int) -> int:
        """When so much work on a machine is done."""
        times = self.times(m)
        if times is None:
            return start + work
        done = times.finish(start, work)
        return start + work if done is None else done

    def held(self, m: int, start: int, end: int) -> list[Interval]:
        """Open times of a machine inside [start, end)."""
        times = self.times(m)
        closed = [] if times is None else times.closed_inside(start, end)
        edges = [start, *(edge for interval in closed for edge in interval), end]
        return [(a, b) for a, b in zip(edges[::2], edges[1::2], strict=True) if a < b]


class _Most:
    """What facts and kept operations hold of tools and people."""

    def __init__(self, draft: Draft, rows: Sequence[Operation], zone: Zone) -> None:
        self._rows, self._zone = rows, zone
        groups = pools(draft.operators) if draft.operators else ()
        self._draws: dict[Id, list[int]] = {row.id: [k] for k, row in enumerate(draft.resources)}
        for k, pool in enumerate(groups, start=len(draft.resources)):
            for skill in pool.skills:
                self._draws.setdefault(skill, []).append(k)
        self._keeps = [*(row.kept_over_breaks for row in draft.resources), *(False for _pool in groups)]
        covered = zone.until + 3 * zone.longest + 1
        covered = max([covered, *(end for row in draft.resources for _start, end, _by in row.changes)])
        self._capacity: Capacities = compile_capacities(
            draft.resources, groups, draft.operators, draft.calendars, covered
        )
        self._held: dict[int, list[tuple[int, int, int]]] = {}

    def begin(self, running: dict[int, int]) -> None:
        """Forget everything but what runs: operation → end."""
        self._held = {}
        for i, end in running.items():
            row = self._rows[i]
            m = self._zone.machine_of(row)
            for r, units in self._demands(row):
                for a, b in self._pieces(r, m, row.fixed_start or 0, end):
                    self._held.setdefault(r, []).append((a, b, units))

    def take(self, i: int, m: int, start: int, end: int) -> bool:
        """Hold what an operation needs, if it is there; of a batch every member is counted, which only errs safely."""
        wanted = [
            (r, a, b, units) for r, units in self._demands(self._rows[i]) for a, b in self._pieces(r, m, start, end)
        ]
        if any(not self._is_there(r, a, b, units) for r, a, b, units in wanted):
            return False
        for r, a, b, units in wanted:
            self._held.setdefault(r, []).append((a, b, units))
        return True

    def _demands(self, row: Operation) -> list[tuple[int, int]]:
        needed: dict[int, int] = {}
        for demand in row.demands:
            for r in self._draws[demand.resource]:
                needed[r] = needed.get(r, 0) + demand.amount
        return list(needed.items())

    def _pieces(self, r: int, m: int, start: int, end: int) -> list[Interval]:
        return [(start, end)] if self._keeps[r] else self._zone.held(m, start, end)

    def _is_there(self, r: int, start: int, end: int, units: int) -> bool:
        part = slice(int(self._capacity.ptr[r]), int(self._capacity.ptr[r + 1]))
        times, values = self._capacity.time[part], self._capacity.value[part]
        held = self._held.get(r, [])
        ticks = {start, *(a for a, _b, _units in held if start < a < end)}
        ticks |= set(times[(times > start) & (times < end)].tolist())
        for tick in ticks:
            used = sum(taken for a, b, taken in held if a <= tick < b)
            there = int(values[max(int(np.searchsorted(times, tick, side="right")) - 1, 0)])
            if used + units > there:
                return False
        return True
