"""A scheduling problem: what is to be made, by what, within which rules. Immutable, and valid once it exists.

The rules themselves are in `yuheng.engines.schedule.parts`, whose names are all found here too.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from yuheng.engines.schedule.faults import Fault, ProblemError
from yuheng.engines.schedule.parts import (
    Buffer,
    Calendar,
    Demand,
    Id,
    Interval,
    Job,
    Link,
    Machine,
    Mode,
    Operation,
    OperationKey,
    Operator,
    Precedence,
    Resource,
    SetupMatrix,
    Status,
)
from yuheng.engines.schedule.validate import faults_of

__all__ = [
    "Buffer",
    "Calendar",
    "Demand",
    "Fault",
    "Id",
    "Interval",
    "Job",
    "Link",
    "Machine",
    "Mode",
    "Operation",
    "OperationKey",
    "Operator",
    "Precedence",
    "Problem",
    "ProblemError",
    "Resource",
    "SetupMatrix",
    "Status",
    "chain",
    "is_settled",
]


@dataclass(frozen=True, slots=True)
class Problem:
    """Everything the engine knows. Raises `ProblemError` with every fault when it is made.

    Parameters
    ----------
    time_unit, origin
        What a tick is ("minute"), and the ISO 8601 moment of tick 0 (may be empty).
    now
        Nothing that is still open starts before this tick.
    least_duration
        0 lets operations take no time, as one instance of the literature has it.
    """

    name: str
    machines: tuple[Machine, ...]
    jobs: tuple[Job, ...]
    operations: tuple[Operation, ...]
    precedences: tuple[Precedence, ...] = ()
    resources: tuple[Resource, ...] = ()
    operators: tuple[Operator, ...] = ()
    setup_matrices: tuple[SetupMatrix, ...] = ()
    calendars: tuple[Calendar, ...] = ()
    buffers: tuple[Buffer, ...] = ()
    time_unit: str = "minute"
    origin: str = ""
    now: int = 0
    least_duration: int = 1
    machine_index: dict[Id, int] = field(init=False, repr=False, compare=False)
    job_index: dict[Id, int] = field(init=False, repr=False, compare=False)
    operation_index: dict[OperationKey, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "machine_index", {machine.id: k for k, machine in enumerate(self.machines)})
        object.__setattr__(self, "job_index", {job.id: k for k, job in enumerate(self.jobs)})
        object.__setattr__(self, "operation_index", {(op.job, op.id): k for k, op in enumerate(self.operations)})
        faults = faults_of(self)
        if faults:
            raise ProblemError(faults)

    @property
    def families(self) -> tuple[Id, ...]:
        """Every family that is named, in the order of the arrays' codes."""
        named: dict[Id, None] = {}
        for matrix in self.setup_matrices:
            named.update(dict.fromkeys(matrix.families))
        for operation in self.operations:
            if operation.family is not None:
                named[operation.family] = None
        for machine in self.machines:
            if machine.initial_family is not None:
                named[machine.initial_family] = None
        return tuple(named)

    @property
    def skills(self) -> tuple[Id, ...]:
        """Every skill that somebody has, in the order of the operators."""
        return tuple(dict.fromkeys(skill for person in self.operators for skill in person.skills))


def is_settled(before: Operation, after: Operation) -> bool:
    """Whether a precedence is out of the scheduler's hands: its end runs already, or both ends are fixed."""
    return after.status is Status.STARTED or (before.fixed_start is not None and after.fixed_start is not None)


def chain(operations: Iterable[Operation]) -> tuple[Precedence, ...]:
    """Return the precedences that make each job's operations follow one another in the order given.

    Operations of different routings of a job are not linked with each other; what belongs to all routings comes before
    or after each of them.
    """
    found: dict[tuple[OperationKey, OperationKey], None] = {}
    tails: dict[Id, dict[Id | None, OperationKey]] = {}
    for operation in operations:
        ends = tails.setdefault(operation.job, {})
        if operation.routing is None:
            for tail in ends.values():
                found[tail, operation.key] = None
            ends.clear()
            ends[None] = operation.key
            continue
        tail_of = ends.get(operation.routing, ends.get(None))
        if tail_of is not None:
            found[tail_of, operation.key] = None
        ends[operation.routing] = operation.key
    return tuple(Precedence(before, after) for before, after in found)
