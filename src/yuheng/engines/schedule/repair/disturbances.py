"""What happens on a floor: the events after which a published plan no longer holds, applied to a problem.

Each disturbance changes the problem's rows and says which machines are struck. Times are ticks; what is named must
exist, else `ProblemError` says what does not.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from yuheng.engines.schedule.calendars import FOREVER
from yuheng.engines.schedule.faults import Fault, ProblemError, gettext_noop
from yuheng.engines.schedule.parts import (
    Calendar,
    Id,
    Interval,
    Job,
    Machine,
    Mode,
    Operation,
    OperationKey,
    Operator,
    Precedence,
    Resource,
)
from yuheng.engines.schedule.problem import Problem
from yuheng.engines.schedule.validate import name_of

_UNKNOWN = gettext_noop("%(value)r does not exist. Correct the name.")
_FACTOR = gettext_noop("%(value)r is no factor. Give a number from 0.05 to 100; 2 means twice as slow.")
_WORK = gettext_noop("%(value)r is no working time. Give whole ticks, at least 1.")
_NO_TIME = gettext_noop("%(start)s to %(end)s is no time. The end must be after the start.")
_NO_CALENDAR = gettext_noop("is always open: an extra shift adds nothing. Choose a machine with a calendar.")


@dataclass(slots=True)
class Draft:
    """A problem's rows while disturbances change them.

    ``struck``: machines whose operations need not keep machine and start, even in the frozen zone.
    """

    problem: Problem
    machines: list[Machine]
    jobs: list[Job]
    operations: list[Operation]
    precedences: list[Precedence]
    resources: list[Resource]
    operators: list[Operator]
    calendars: list[Calendar]
    struck: set[Id] = field(default_factory=set)
    remaining: dict[OperationKey, float] = field(default_factory=dict)
    """Running operations: factor on the work that is left."""
    cancelled: set[Id] = field(default_factory=set)
    """Jobs of which nothing more is begun."""

    @classmethod
    def of(cls, problem: Problem) -> Draft:
        """Begin with the problem as it is."""
        return cls(
            problem,
            list(problem.machines),
            list(problem.jobs),
            list(problem.operations),
            list(problem.precedences),
            list(problem.resources),
            list(problem.operators),
            list(problem.calendars),
        )

    def machine(self, machine: Id) -> int:
        """Index of a machine; `ProblemError` if there is none of that name."""
        return self._index(self.problem.machine_index, machine, "machine", machine)

    def job(self, job: Id) -> int:
        """Index of a job."""
        return self._index(self.problem.job_index, job, "job", job)

    def operation(self, key: OperationKey) -> int:
        """Index of an operation."""
        return self._index(self.problem.operation_index, key, "operation", name_of(key))

    @staticmethod
    def _index(known: Mapping[Any, int], key: object, field_name: str, shown: object) -> int:
        if key not in known:
            raise refused(field_name, _UNKNOWN, value=shown)
        return known[key]


def refused(field_name: str, message: str, **values: object) -> ProblemError:
    """One fault of a disturbance."""
    return ProblemError([Fault("disturbance", field_name, message, values)])


def _interval(start: int, end: int) -> Interval:
    if not 0 <= start < end <= FOREVER:
        raise refused("time", _NO_TIME, start=start, end=end)
    return (start, end)


@dataclass(frozen=True, slots=True)
class MachineDown:
    """A machine stands from ``start`` until ``end`` (expected). What runs on it waits and goes on afterwards."""

    machine: Id
    start: int
    end: int

    def apply(self, draft: Draft) -> None:
        """Close the machine."""
        m = draft.machine(self.machine)
        closed = (*draft.machines[m].closures, _interval(self.start, self.end))
        draft.machines[m] = replace(draft.machines[m], closures=closed)
        draft.struck.add(self.machine)


@dataclass(frozen=True, slots=True)
class MachineSlow:
    """A machine needs ``factor`` times as long, for everything that it has not finished."""

    machine: Id
    factor: float

    def apply(self, draft: Draft) -> None:
        """Stretch the machine's working times; of what runs, the part that is left."""
        if not 0.05 <= self.factor <= 100:
            raise refused("factor", _FACTOR, value=self.factor)
        draft.machine(self.machine)
        for i, operation in enumerate(draft.operations):
            if all(mode.machine != self.machine for mode in operation.modes):
                continue
            draft.remaining[operation.key] = self.factor
            modes = tuple(
                Mode(mode.machine, _stretched(mode.duration, self.factor)) if mode.machine == self.machine else mode
                for mode in operation.modes
            )
            draft.operations[i] = replace(operation, modes=modes)
        draft.struck.add(self.machine)


def _stretched(duration: int, factor: float) -> int:
    return max(1, math.ceil(duration * factor))


@dataclass(frozen=True, slots=True)
class WorkChanged:
    """An operation takes ``work`` working ticks in all where it is planned: longer, or finished early."""

    operation: OperationKey
    work: int

    def apply(self, draft: Draft) -> None:
        """Set the working time in every mode in proportion; of a started operation only its own counts."""
        if self.work < 1:
            raise refused("work", _WORK, value=self.work)
        i = draft.operation(self.operation)
        draft.operations[i] = replace(
            draft.operations[i], modes=tuple(Mode(mode.machine, self.work) for mode in draft.operations[i].modes)
        )


@dataclass(frozen=True, slots=True)
class Scrapped:
    """What an operation made is scrap: it must be done again, before all that follows. ``again``: id of the new one."""

    operation: OperationKey
    again: Id | None = None

    def apply(self, draft: Draft) -> None:
        """Add the repetition and hang the successors behind it."""
        old = draft.operations[draft.operation(self.operation)]
        number = f"{old.id}/2" if self.again is None else self.again
        repeated = replace(old, id=number, status=type(old.status).OPEN, fixed_machine=None, fixed_start=None)
        draft.operations.append(repeated)
        followers = [link for link in draft.precedences if link.before == old.key]
        draft.precedences += [replace(link, before=repeated.key) for link in followers]
        draft.precedences.append(Precedence(old.key, repeated.key))


@dataclass(frozen=True, slots=True)
class RushJob:
    """A new order comes in."""

    job: Job
    operations: tuple[Operation, ...]
    precedences: tuple[Precedence, ...] = ()

    def apply(self, draft: Draft) -> None:
        """Add the order; `ProblemError` comes from the problem when a row is wrong."""
        draft.jobs.append(self.job)
        draft.operations += self.operations
        draft.precedences += self.precedences


@dataclass(frozen=True, slots=True)
class JobCancelled:
    """Nobody wants an order any more. What was started is finished, nothing else of it is."""

    job: Id

    def apply(self, draft: Draft) -> None:
        """Forget its due date; `situate` drops what is not started."""
        j = draft.job(self.job)
        draft.jobs[j] = replace(draft.jobs[j], due=None)
        draft.cancelled.add(self.job)


@dataclass(frozen=True, slots=True)
class DueMoved:
    """An order is due at another time, or of another weight."""

    job: Id
    due: int | None
    weight: float | None = None

    def apply(self, draft: Draft) -> None:
        """Change the order."""
        j = draft.job(self.job)
        weight = draft.jobs[j].weight if self.weight is None else self.weight
        release = draft.jobs[j].release if self.due is None else min(draft.jobs[j].release, self.due)
        draft.jobs[j] = replace(draft.jobs[j], due=self.due, weight=weight, release=release)


@dataclass(frozen=True, slots=True)
class MaterialLate:
    """Material for an operation is there only at ``at``."""

    operation: OperationKey
    at: int
    material: str = ""

    def apply(self, draft: Draft) -> None:
        """Hold the operation until then."""
        i = draft.operation(self.operation)
        old = draft.operations[i]
        draft.operations[i] = replace(old, material_at=self.at, material=self.material or old.material)


@dataclass(frozen=True, slots=True)
class PersonAbsent:
    """A person is away."""

    operator: Id
    start: int
    end: int

    def apply(self, draft: Draft) -> None:
        """Note the absence."""
        known = {person.id: k for k, person in enumerate(draft.operators)}
        if self.operator not in known:
            raise refused("operator", _UNKNOWN, value=self.operator)
        person = draft.operators[known[self.operator]]
        absences = (*person.absences, _interval(self.start, self.end))
        draft.operators[known[self.operator]] = replace(person, absences=absences)


@dataclass(frozen=True, slots=True)
class ResourceChanged:
    """There is more or less of a tool or a pool for a time."""

    resource: Id
    start: int
    end: int
    difference: int

    def apply(self, draft: Draft) -> None:
        """Note the change."""
        known = {resource.id: k for k, resource in enumerate(draft.resources)}
        if self.resource not in known:
            raise refused("resource", _UNKNOWN, value=self.resource)
        row = draft.resources[known[self.resource]]
        changes = (*row.changes, (*_interval(self.start, self.end), self.difference))
        draft.resources[known[self.resource]] = replace(row, changes=changes)


@dataclass(frozen=True, slots=True)
class ExtraShift:
    """Machines (and people) work from ``start`` until ``end`` although their calendars are closed.

    ``operators`` ``None``: everybody whose calendar one of the machines keeps.
    """

    machines: tuple[Id, ...]
    start: int
    end: int
    operators: tuple[Id, ...] | None = None

    def apply(self, draft: Draft) -> None:
        """Give them a calendar that is open then."""
        extra = _interval(self.start, self.end)
        opened: dict[Id, Id] = {}
        for machine in self.machines:
            m = draft.machine(machine)
            calendar = draft.machines[m].calendar
            if calendar is None:
                raise refused(f"machine {machine}", _NO_CALENDAR)
            opened.setdefault(calendar, self._opened(draft, calendar, extra))
            draft.machines[m] = replace(draft.machines[m], calendar=opened[calendar])
        for k, person in enumerate(draft.operators):
            comes = person.calendar in opened if self.operators is None else person.id in self.operators
            if comes and person.calendar is not None:
                opened.setdefault(person.calendar, self._opened(draft, person.calendar, extra))
                draft.operators[k] = replace(person, calendar=opened[person.calendar])
        for k, row in enumerate(draft.resources):
            if row.calendar in opened and self.operators is None:
                draft.resources[k] = replace(row, calendar=opened[row.calendar])

    @staticmethod
    def _opened(draft: Draft, calendar: Id, extra: Interval) -> Id:
        old = next(row for row in draft.calendars if row.id == calendar)
        name = f"{calendar} + {extra[0]}-{extra[1]}"
        if all(row.id != name for row in draft.calendars):
            draft.calendars.append(replace(old, id=name, extra=(*old.extra, extra)))
        return name


Disturbance = (
    MachineDown
    | MachineSlow
    | WorkChanged
    | Scrapped
    | RushJob
    | JobCancelled
    | DueMoved
    | MaterialLate
    | PersonAbsent
    | ResourceChanged
    | ExtraShift
)


def drafted(problem: Problem, disturbances: Iterable[Disturbance]) -> Draft:
    """Apply disturbances to a problem's rows, one after the other."""
    draft = Draft.of(problem)
    for disturbance in disturbances:
        disturbance.apply(draft)
    return draft
