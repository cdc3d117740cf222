"""The independent checker: is this plan feasible? Constraint by constraint, straight from problem and plan.

It shares nothing with the engines but the problem's types: no compiled arrays, no decoder. What only concerns
operations that a person fixed is not held against a plan: nobody can move them. Nor is a predecessor that is missing
for an operation that runs already.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from itertools import pairwise

from yuheng.engines.schedule.calendars import OpenTime, open_intervals
from yuheng.engines.schedule.faults import gettext_noop
from yuheng.engines.schedule.kpis import setup_between
from yuheng.engines.schedule.manned import Crew
from yuheng.engines.schedule.parts import Id, Interval, Link, Machine, Operation, OperationKey, Precedence, SetupMatrix
from yuheng.engines.schedule.plan import Plan
from yuheng.engines.schedule.problem import Problem, is_settled
from yuheng.engines.schedule.validate import name_of

_MISSING = gettext_noop("is not planned")
_TWO_ROUTINGS = gettext_noop("is planned although routing %(chosen)s of its job was chosen")
_NOT_ELIGIBLE = gettext_noop("is on machine %(machine)s, which is none of its alternatives")
_TOO_EARLY = gettext_noop("starts at %(start)s, before %(bound)s (%(why)s)")
_WRONG_END = gettext_noop("ends at %(end)s; with %(work)s ticks of work from %(start)s it ends at %(due)s")
_CLOSED = gettext_noop("starts at %(start)s, when machine %(machine)s is closed")
_BROKEN = gettext_noop("is interrupted from %(closed)s to %(opens)s on machine %(machine)s and may not be")
_SAME_TIME = gettext_noop("starts at %(start)s on machine %(machine)s, which %(other)s holds until %(until)s")
_NO_SETUP = gettext_noop("has %(given)s ticks for a set-up of %(needed)s on machine %(machine)s after %(other)s")
_SETUP_EARLY = gettext_noop("is set up from %(setup)s on machine %(machine)s, which %(other)s holds until %(until)s")
_SETUP_SHORT = gettext_noop("is set up from %(setup)s to %(start)s: %(given)s ticks of the %(needed)s needed")
_LEAVES = gettext_noop("leaves its machine at %(leave)s, before its end at %(end)s")
_LAG = gettext_noop("starts at %(start)s, %(given)s ticks after %(event)s of %(other)s; at least %(needed)s are needed")
_MAX_LAG = gettext_noop(
    "starts at %(start)s, %(given)s ticks after %(event)s of %(other)s; at most %(allowed)s are allowed"
)
_OVERLAP_START = gettext_noop("starts at %(start)s, before the first transfer batch of %(other)s at %(bound)s")
_OVERLAP_END = gettext_noop("ends at %(end)s, before the last transfer batch of %(other)s is done at %(bound)s")
_CAPACITY = gettext_noop("%(resource)s: %(used)s in use at %(at)s, of %(capacity)s")
_PEOPLE = gettext_noop("people at %(at)s: %(needed)s needed (%(skills)s), and those present cannot fill this")
_FAMILIES = gettext_noop("shares a batch at %(start)s on machine %(machine)s with family %(family)s of %(other)s")
_FULL = gettext_noop("is in a batch of size %(size)s at %(start)s on machine %(machine)s, which holds %(capacity)s")
_BUFFER = gettext_noop("buffer %(buffer)s holds %(held)s parts at %(at)s and has %(capacity)s places")
_TWO_PLACES = gettext_noop("is still on its machine until %(leave)s when %(other)s starts at %(start)s")
_FIXED_MACHINE = gettext_noop("is fixed to machine %(fixed)s and planned on %(machine)s")
_FIXED_START = gettext_noop("is fixed to start at %(fixed)s and planned at %(start)s")


@dataclasses.dataclass(frozen=True, slots=True)
class Violation:
    """One broken constraint.

    Parameters
    ----------
    kind
        missing, routing, machine, start, duration, calendar, overlap, setup, precedence, lag, transfer, resource,
        people, batch, buffer or fixed.
    operation
        The operation that breaks it (job, operation).
    message, values
        English msgid with ``%(name)s`` placeholders, and what they stand for.
    """

    kind: str
    operation: OperationKey
    message: str
    values: Mapping[str, object]

    @property
    def sentence(self) -> str:
        """The violation in English."""
        return f"{name_of(self.operation)} {self.message % self.values}."


def check(problem: Problem, plan: Plan) -> list[Violation]:
    """Return every violation of a plan; an empty list proves it feasible.

    Notes
    -----
    O(n log n) in operations, and in the number of shifts until the end of the plan.
    """
    return list(_Checker(problem, plan).violations())


class _Checker:
    """One run of the checker; holds what several constraints look at."""

    def __init__(self, problem: Problem, plan: Plan) -> None:
        self.problem = problem
        self.machine: list[int] = plan.machine.tolist()
        self.start: list[int] = plan.start.tolist()
        self.end: list[int] = plan.end.tolist()
        self.setup_start: list[int] = plan.setup_start.tolist()
        self.leave: list[int] = plan.leave.tolist()
        self.present = [k for k, m in enumerate(self.machine) if m >= 0]
        self.until = max((*self.end, *self.leave, *self.start), default=0) + 1
        self.open_times = self._open_times()
        self.asked: dict[Id, dict[int, int]] = {}
        """By resource or skill: units that each operation holds of it."""
        for k in self.present:
            for demand in problem.operations[k].demands:
                rows = self.asked.setdefault(demand.resource, {})
                rows[k] = rows.get(k, 0) + demand.amount
        self.matrices: dict[Id | None, tuple[SetupMatrix, dict[Id, int]]] = {
            row.id: (row, {name: k for k, name in enumerate(row.families)}) for row in problem.setup_matrices
        }
        self.on_machine: dict[int, list[int]] = {}
        for k in sorted(self.present, key=lambda k: (self.start[k], self.end[k])):
            self.on_machine.setdefault(self.machine[k], []).append(k)

    def violations(self) -> Iterator[Violation]:
        yield from self.presence()
        for k in self.present:
            yield from self.one(k)
        for m, held in self.on_machine.items():
            if self.problem.machines[m].batch_capacity > 1:
                yield from self.batches(m, held)
            yield from self.machine_rows(m, held)
        for link in self.problem.precedences:
            yield from self.precedence(link)
        yield from self.resources()
        yield from self.people()
        yield from self.buffers()

    # --- one operation

    def presence(self) -> Iterator[Violation]:
        """Exactly one routing of every job, whole, and everything that belongs to all routings."""
        chosen: dict[Id, Id] = {}
        for k in self.present:
            operation = self.problem.operations[k]
            if operation.routing is None:
                continue
            first = chosen.setdefault(operation.job, operation.routing)
            if first != operation.routing:
                yield Violation("routing", operation.key, _TWO_ROUTINGS, {"chosen": first})
        options: dict[Id, Id] = {}
        for operation in self.problem.operations:
            if operation.routing is not None:
                options.setdefault(operation.job, operation.routing)
        for k, operation in enumerate(self.problem.operations):
            wanted = operation.routing is None or operation.routing == chosen.get(
                operation.job, options.get(operation.job)
            )
            if wanted and self.machine[k] < 0:
                yield Violation("missing", operation.key, _MISSING, {})

    def one(self, k: int) -> Iterator[Violation]:
        """Eligible, not too early, as long as its work, in open time, where it was fixed."""
        operation, machine = self.problem.operations[k], self.problem.machines[self.machine[k]]
        start, end = self.start[k], self.end[k]
        if operation.fixed_machine is not None and operation.fixed_machine != machine.id:
            values = {"fixed": operation.fixed_machine, "machine": machine.id}
            yield Violation("fixed", operation.key, _FIXED_MACHINE, values)
        if operation.fixed_start is not None and operation.fixed_start != start:
            yield Violation("fixed", operation.key, _FIXED_START, {"fixed": operation.fixed_start, "start": start})
        work = self.work(k)
        if work is None:
            yield Violation("machine", operation.key, _NOT_ELIGIBLE, {"machine": machine.id})
            return
        if operation.fixed_start is None:
            yield from self.not_too_early(operation, machine, start)
        if self.leave[k] < end:
            yield Violation("duration", operation.key, _LEAVES, {"leave": self.leave[k], "end": end})
        if machine.batch_capacity == 1:
            yield from self.work_time(k, work, operation.interruptible)

    def not_too_early(self, operation: Operation, machine: Machine, start: int) -> Iterator[Violation]:
        job = self.problem.jobs[self.problem.job_index[operation.job]]
        if start >= max(
            job.release, operation.release, operation.material_at, self.problem.now, machine.available_from
        ):
            return
        bounds = (
            (gettext_noop("the job's release"), job.release),
            (gettext_noop("its release"), operation.release),
            (gettext_noop("its material"), operation.material_at),
            (gettext_noop("now"), self.problem.now),
            (gettext_noop("the machine is free"), machine.available_from),
        )
        for why, bound in bounds:
            if start < bound:
                values = {"start": start, "bound": bound, "why": why}
                yield Violation("start", operation.key, _TOO_EARLY, values)

    def work_time(self, k: int, work: int, interruptible: bool) -> Iterator[Violation]:
        operation, machine = self.problem.operations[k], self.problem.machines[self.machine[k]]
        start, end = self.start[k], self.end[k]
        times = self.open_times[self.machine[k]]
        done = start + work if times is None else times.finish(start, work)
        if done != end:
            due: object = "no time" if done is None else done
            values = {"start": start, "end": end, "work": work, "due": due}
            yield Violation("duration", operation.key, _WRONG_END, values)
        if times is None or operation.fixed_start is not None:
            return
        if not times.is_open(start):
            yield Violation("calendar", operation.key, _CLOSED, {"start": start, "machine": machine.id})
        elif not interruptible and (closed := times.closed_inside(start, end)):
            values = {"closed": closed[0][0], "opens": closed[0][1], "machine": machine.id}
            yield Violation("calendar", operation.key, _BROKEN, values)

    # --- one machine

    def machine_rows(self, m: int, held: list[int]) -> Iterator[Violation]:
        """One at a time (or one batch), and the set-up between."""
        machine = self.problem.machines[m]
        rows = held if machine.batch_capacity == 1 else self.leaders(held)
        first = rows[0]
        if self.problem.operations[first].fixed_start is None:
            yield from self.setup(m, None, first, machine.available_from)
        for a, b in pairwise(rows):
            one, other = self.problem.operations[a], self.problem.operations[b]
            held_until = max(self.leave[k] for k in self.together(a, m, held))
            if self.start[b] < held_until:
                values = {
                    "start": self.start[b],
                    "machine": machine.id,
                    "other": name_of(one.key),
                    "until": held_until,
                }
                yield Violation("overlap", other.key, _SAME_TIME, values)
            elif one.fixed_start is None or other.fixed_start is None:
                yield from self.setup(m, a, b, held_until)

    def setup(self, m: int, before: int | None, after: int, free: int) -> Iterator[Violation]:
        """Enough working time between two operations, and the stated set-up inside it."""
        machine, operation = self.problem.machines[m], self.problem.operations[after]
        needed = self.setup_needed(machine, before, operation)
        setup_start = min(self.setup_start[after], self.start[after])
        if not needed and setup_start >= min(free, self.start[after]):
            return
        other = "the first moment" if before is None else name_of(self.problem.operations[before].key)
        given = self.open_between(m, free, self.start[after])
        stated = self.open_between(m, setup_start, self.start[after])
        values = {"machine": machine.id, "needed": needed, "other": other}
        if needed and given < needed:
            yield Violation("setup", operation.key, _NO_SETUP, {**values, "given": given})
        elif setup_start < free and setup_start < self.start[after]:
            yield Violation("setup", operation.key, _SETUP_EARLY, {**values, "setup": setup_start, "until": free})
        elif stated < needed:
            shown = {**values, "setup": setup_start, "start": self.start[after], "given": stated}
            yield Violation("setup", operation.key, _SETUP_SHORT, shown)

    def setup_needed(self, machine: Machine, before: int | None, operation: Operation) -> int:
        if machine.setup_matrix not in self.matrices:
            return 0
        matrix, place = self.matrices[machine.setup_matrix]
        family = machine.initial_family if before is None else self.problem.operations[before].family
        return setup_between(matrix.times, matrix.initial, place, family, operation.family)

    def batches(self, m: int, held: list[int]) -> Iterator[Violation]:
        """Members start and end together, are of one family, and fit."""
        machine = self.problem.machines[m]
        for leader in self.leaders(held):
            members = self.together(leader, m, held)
            first = self.problem.operations[leader]
            size = sum(self.problem.operations[k].size for k in members)
            values = {"start": self.start[leader], "machine": machine.id}
            if size > machine.batch_capacity:
                yield Violation("batch", first.key, _FULL, {**values, "size": size, "capacity": machine.batch_capacity})
            for k in members[1:]:
                other = self.problem.operations[k]
                if other.family != first.family:
                    shown = {**values, "family": first.family, "other": name_of(first.key)}
                    yield Violation("batch", other.key, _FAMILIES, shown)
            work = max((self.work(k) or 0 for k in members), default=0)
            rows = [self.problem.operations[k] for k in members]
            pauses = all(row.interruptible or row.fixed_start is not None for row in rows)
            for k in members:
                yield from self.work_time(k, work, pauses)

    def leaders(self, held: list[int]) -> list[int]:
        """The first member of every batch, in order of time."""
        return [k for i, k in enumerate(held) if i == 0 or self.start[k] != self.start[held[i - 1]]]

    def together(self, k: int, m: int, held: list[int]) -> list[int]:
        """The operations that start with this one on a batch machine; else itself."""
        if self.problem.machines[m].batch_capacity == 1:
            return [k]
        found = self._batch_members.get(m)
        if found is None:
            found = {}
            for member in held:
                found.setdefault(self.start[member], []).append(member)
            self._batch_members[m] = found
        return found[self.start[k]]

    # --- between operations

    def precedence(self, link: Precedence) -> Iterator[Violation]:
        a, b = self.problem.operation_index[link.before], self.problem.operation_index[link.after]
        if self.machine[a] < 0 or self.machine[b] < 0:
            return
        if is_settled(self.problem.operations[a], self.problem.operations[b]):
            return
        if link.kind is Link.OVERLAP:
            yield from self.overlap(link, a, b)
            return
        is_end = link.kind is Link.FINISH_START
        given = self.start[b] - (self.end[a] if is_end else self.start[a])
        if link.min_lag <= given and (link.max_lag is None or given <= link.max_lag):
            return
        event = gettext_noop("the end") if is_end else gettext_noop("the start")
        values = {"start": self.start[b], "given": given, "event": event, "other": name_of(link.before)}
        if given < link.min_lag:
            yield Violation("precedence", link.after, _LAG, {**values, "needed": link.min_lag})
        elif link.max_lag is not None and given > link.max_lag:
            yield Violation("lag", link.after, _MAX_LAG, {**values, "allowed": link.max_lag})

    def overlap(self, link: Precedence, a: int, b: int) -> Iterator[Violation]:
        """The first transfer batch must be there at the start, and the last one be worked off after it came."""
        before, after = self.work(a), self.work(b)
        if before is None or after is None:
            return
        other = name_of(link.before)
        first = self.finish(a, self.start[a], -(-before * link.transfer // link.quantity))
        if first is None or self.start[b] < first + link.min_lag:
            values = {"start": self.start[b], "other": other, "bound": first}
            yield Violation("transfer", link.after, _OVERLAP_START, values)
        last = self.finish(b, self.end[a] + link.min_lag, -(-after * link.transfer // link.quantity))
        if last is None or self.end[b] < last:
            yield Violation("transfer", link.after, _OVERLAP_END, {"end": self.end[b], "other": other, "bound": last})

    # --- what operations hold beside their machine

    def resources(self) -> Iterator[Violation]:
        keeps = {row.id: row.kept_over_breaks for row in self.problem.resources}
        calendars = {row.id: row for row in self.problem.calendars}
        for resource in self.problem.resources:
            holds = self.holds(resource.id, keeps[resource.id])
            if not holds:
                continue
            calendar = None if resource.calendar is None else calendars[resource.calendar]
            there = open_intervals(calendar, (), self.until)
            steps = [
                (at, by) for start, end in there for at, by in ((start, resource.capacity), (end, -resource.capacity))
            ]
            steps += [(at, by) for start, end, more in resource.changes for at, by in ((start, more), (end, -more))]
            yield from self.sweep(resource.id, holds, steps)

    def holds(self, resource: Id, is_kept: bool) -> list[tuple[int, int, int, int]]:
        """(from, until, units, operation) of all that holds a resource; a batch counts its largest member once."""
        rows: list[tuple[int, int, int, int]] = []
        largest: dict[tuple[int, int], tuple[int, int]] = {}
        for k, units in self.asked.get(resource, {}).items():
            m = self.machine[k]
            if self.problem.machines[m].batch_capacity > 1:
                batch = (m, self.start[k])
                largest[batch] = max(largest.get(batch, (0, k)), (units, k))
            else:
                rows += self.held_times(k, units, is_kept)
        for units, k in largest.values():
            rows += self.held_times(k, units, is_kept)
        return rows

    def held_times(self, k: int, units: int, is_kept: bool) -> list[tuple[int, int, int, int]]:
        times = self.open_times[self.machine[k]]
        start, end = self.start[k], self.end[k]
        if is_kept or times is None:
            return [(start, end, units, k)]
        closed = times.closed_inside(start, end)
        edges = [start, *(edge for interval in closed for edge in interval), end]
        return [(a, b, units, k) for a, b in zip(edges[::2], edges[1::2], strict=True) if a < b]

    def sweep(
        self, resource: Id, holds: list[tuple[int, int, int, int]], steps: list[tuple[int, int]]
    ) -> Iterator[Violation]:
        """Compare what is held with what is there, wherever either changes; tell the worst of each stretch once."""
        events: list[tuple[int, int, int, int]] = [(at, by, 0, -1) for at, by in steps]
        for start, end, units, k in holds:
            events += [(start, 0, units, k), (end, 0, -units, k)]
        events.sort(key=lambda row: row[0])
        level = used = 0
        active: dict[int, int] = {}
        told = False
        for i, (at, by, units, k) in enumerate(events):
            level, used = level + by, used + units
            if k >= 0:
                active[k] = active.get(k, 0) + units
                if not active[k]:
                    del active[k]
            if i + 1 < len(events) and events[i + 1][0] == at:
                continue
            free = [k for k in active if self.problem.operations[k].fixed_start is None]
            if used > max(level, 0) and free:
                if not told:
                    values = {"resource": resource, "used": used, "at": at, "capacity": max(level, 0)}
                    yield Violation("resource", self.problem.operations[free[-1]].key, _CAPACITY, values)
                told = True
            else:
                told = False

    def people(self) -> Iterator[Violation]:
        """At every tick a matching of people and demands exists (augmenting paths, Kuhn 1955).

        What already began may ask for more people than there are: that is a fact, and takes nobody from the others'
        skills. So the question is whether what is free finds its people beside as many fixed demands as ever can.
        """
        if not self.problem.operators:
            return
        asked = [skill for skill in self.problem.skills if skill in self.asked]
        crew = Crew(asked, [person.skills for person in self.problem.operators])
        needs: list[tuple[int, int, int, int]] = []
        for s, skill in enumerate(asked):
            for start, end, units, k in self.holds(skill, is_kept=False):
                needs += [(start, s, units, k), (end, s, -units, k)]
        calendars = {row.id: row for row in self.problem.calendars}
        shifts: list[tuple[int, int, int]] = []
        for p, person in enumerate(self.problem.operators):
            if crew.kind[p] < 0:
                continue
            calendar = None if person.calendar is None else calendars[person.calendar]
            for start, end in open_intervals(calendar, person.absences, self.until):
                shifts += [(start, crew.kind[p], 1), (end, crew.kind[p], -1)]
        yield from self._people_sweep(crew, sorted(needs), sorted(shifts))

    def _people_sweep(
        self, crew: Crew, needs: list[tuple[int, int, int, int]], shifts: list[tuple[int, int, int]]
    ) -> Iterator[Violation]:
        """Go through time, from one change of what is asked for or who is there to the next."""
        active: dict[tuple[int, int], int] = {}
        operations = self.problem.operations
        told = was_short = False
        next_need = next_shift = 0
        while next_need < len(needs):
            at = needs[next_need][0]
            more = False
            if next_shift < len(shifts) and shifts[next_shift][0] <= at:
                at, more = shifts[next_shift][0], bool(active)
            while next_shift < len(shifts) and shifts[next_shift][0] == at:
                crew.there[shifts[next_shift][1]] += shifts[next_shift][2]
                next_shift += 1
            while next_need < len(needs) and needs[next_need][0] == at:
                _at, s, units, k = needs[next_need]
                crew.needs[s] += units
                left = active.get((k, s), 0) + units
                if left:
                    active[k, s] = left
                else:
                    del active[k, s]
                more |= units > 0
                next_need += 1
            if not more and not was_short:
                continue  # less is asked of the same people
            wanted = sum(crew.needs)
            filled = crew.filled(crew.needs)
            was_short = filled < wanted
            if not was_short:
                told = False
                continue
            fixed = list(crew.needs)
            free: list[int] = []
            for (k, s), units in active.items():
                if operations[k].fixed_start is None:
                    fixed[s] -= units
                    free.append(k)
            is_short = filled < crew.filled(fixed) + wanted - sum(fixed)
            if is_short and free and not told:
                short = sorted(f"{crew.skills[s]} {units}" for s, units in enumerate(crew.needs) if units)
                values = {"at": at, "needed": wanted, "skills": ", ".join(short)}
                yield Violation("people", operations[free[-1]].key, _PEOPLE, values)
            told = is_short and bool(free)

    def buffers(self) -> Iterator[Violation]:
        """Parts between two machines are on the first one or in the second one's buffer."""
        held: dict[Id, list[tuple[int, int, int]]] = {}
        capacity = {buffer.id: buffer.capacity for buffer in self.problem.buffers}
        stays = (
            {pair for held_there in self.on_machine.values() for pair in pairwise(held_there)} if capacity else set()
        )
        for link in self.problem.precedences if capacity else ():
            a, b = self.problem.operation_index[link.before], self.problem.operation_index[link.after]
            if link.kind is not Link.FINISH_START or self.machine[a] < 0 or self.machine[b] < 0:
                continue
            buffer = self.problem.machines[self.machine[b]].input_buffer
            if buffer is None or (a, b) in stays:
                continue
            if self.leave[a] > self.start[b]:
                values = {"leave": self.leave[a], "other": name_of(link.after), "start": self.start[b]}
                yield Violation("buffer", link.before, _TWO_PLACES, values)
            elif self.leave[a] < self.start[b]:
                held.setdefault(buffer, []).extend(((self.leave[a], 1, a), (self.start[b], -1, a)))
        for buffer, events in held.items():
            level = 0
            for at, by, a in sorted(events):
                level += by
                if by > 0 and level > capacity[buffer] and self.problem.operations[a].fixed_start is None:
                    values = {"buffer": buffer, "held": level, "at": at, "capacity": capacity[buffer]}
                    yield Violation("buffer", self.problem.operations[a].key, _BUFFER, values)

    # --- times

    def work(self, k: int) -> int | None:
        machine = self.problem.machines[self.machine[k]].id
        return next((mode.duration for mode in self.problem.operations[k].modes if mode.machine == machine), None)

    def finish(self, k: int, start: int, work: int) -> int | None:
        times = self.open_times[self.machine[k]]
        return start + work if times is None else times.finish(start, work)

    def open_between(self, m: int, start: int, end: int) -> int:
        times = self.open_times[m]
        return end - start if times is None else times.between(start, end)

    def _open_times(self) -> list[OpenTime | None]:
        """Open time of every machine, `None` where it never closes; long enough to say when late work would end."""
        self._batch_members: dict[int, dict[int, list[int]]] = {}
        calendars = {calendar.id: calendar for calendar in self.problem.calendars}
        longest = max((mode.duration for op in self.problem.operations for mode in op.modes), default=0)
        known: dict[tuple[Id | None, tuple[Interval, ...]], OpenTime | None] = {(None, ()): None}
        found: list[OpenTime | None] = []
        for machine in self.problem.machines:
            key = (machine.calendar, machine.closures)
            if key not in known:
                calendar = None if machine.calendar is None else calendars[machine.calendar]
                period = 0 if calendar is None else calendar.period or 0
                until = self.until + 2 * (longest + period) + 1
                known[key] = OpenTime(open_intervals(calendar, machine.closures, until))
            found.append(known[key])
        return found
