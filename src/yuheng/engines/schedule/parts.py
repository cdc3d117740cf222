"""What a scheduling problem is made of: operations, machines, calendars, resources. Immutable values.

Time is a whole number of ticks since the problem's origin (minutes for plants). An operation is known by the pair
(job, operation), as on a routing sheet: "order 4711, operation 30". Its position in ``Problem.operations`` is its index
in every array.

Definitions
-----------
1. Exactly one *mode* of every operation is performed: a machine and the working time it takes there.
2. A machine performs one operation at a time, except a *batch machine*, which performs operations of one family
   together up to its capacity. The members of a batch start and end together; it takes as long as its longest member,
   and needs of every resource what its most demanding member needs.
3. Work happens in the open time of the machine's calendar. An *interruptible* operation pauses where the calendar is
   closed; any other one must fit between two closed times. What a person fixed always pauses: it is not argued with.
4. Between two operations on a machine lies the *set-up* of the machine's matrix from family to family, in working time,
   directly after the earlier one at the earliest; it may be done before the later one's material is there. An operation
   without a family needs no set-up and leaves none behind.
5. A demand takes units of a resource, or people with a skill, from start to end. People, and resources with
   ``kept_over_breaks`` false, are free again while the machine's calendar is closed.
6. A machine with an *input buffer* takes only from there: between the end of an operation and the start of its
   successor on that machine the part is on the earlier machine, which it blocks, or holds one place of the buffer.
   Where the successor directly follows on the same machine, the part stays there; a set-up is done meanwhile.
7. Of a job with routings exactly one is performed; the operations of the others are absent, and so are their links.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

Id = int | str
OperationKey = tuple[Id, Id]
"""(job, operation)."""
Interval = tuple[int, int]
"""From (included) until (excluded), in ticks."""


class Status(StrEnum):
    """How free an operation is."""

    OPEN = "open"
    STARTED = "started"
    """Runs: machine and start are facts."""
    FROZEN = "frozen"
    """Inside the frozen zone: machine and start are kept."""
    PINNED = "pinned"
    """A person fixed its machine, its start, or both."""


class Link(StrEnum):
    """What a precedence relates."""

    FINISH_START = "finish-start"
    START_START = "start-start"
    OVERLAP = "overlap"
    """By transfer batch: the later one starts when the first batch is there and ends after the last one."""


@dataclass(frozen=True, slots=True)
class Mode:
    """One way to perform an operation: working ticks on a machine."""

    machine: Id
    duration: int


@dataclass(frozen=True, slots=True)
class Demand:
    """Units of a resource, or people with a skill, held from start to end."""

    resource: Id
    amount: int = 1


@dataclass(frozen=True, slots=True)
class Operation:
    """One step of a job.

    Parameters
    ----------
    id, job
        Together the key; ``id`` is unique inside its job.
    modes
        Alternatives; at most one a machine.
    family
        For set-ups and batches.
    size
        Units of a batch machine's capacity.
    interruptible
        Whether it pauses where the machine's calendar is closed.
    release, material_at
        Not before this tick; ``material`` names what is awaited.
    routing
        The routing of its job that it belongs to; ``None``: it belongs to all.
    fixed_machine, fixed_start
        Given for anything but `Status.OPEN`: both for STARTED and FROZEN, one or both for PINNED.
    """

    id: Id
    job: Id
    modes: tuple[Mode, ...]
    family: Id | None = None
    demands: tuple[Demand, ...] = ()
    size: int = 1
    interruptible: bool = True
    release: int = 0
    material_at: int = 0
    material: str = ""
    routing: Id | None = None
    status: Status = Status.OPEN
    fixed_machine: Id | None = None
    fixed_start: int | None = None

    @property
    def key(self) -> OperationKey:
        """(job, operation)."""
        return (self.job, self.id)

    @property
    def is_fixed(self) -> bool:
        """Machine and start are both given and are not the scheduler's to move."""
        return self.fixed_machine is not None and self.fixed_start is not None


@dataclass(frozen=True, slots=True)
class Precedence:
    """``after`` waits for ``before``; lags are elapsed ticks, closed time included.

    * FINISH_START: ``min_lag <= start(after) - end(before) <= max_lag``
    * START_START: ``min_lag <= start(after) - start(before) <= max_lag``
    * OVERLAP, with ``r = transfer / quantity``: ``after`` starts at least ``min_lag`` after ``before`` has worked
      ``ceil(r * its duration)``, and works at least ``ceil(r * own duration)`` from ``end(before) + min_lag`` on.
    """

    before: OperationKey
    after: OperationKey
    kind: Link = Link.FINISH_START
    min_lag: int = 0
    max_lag: int | None = None
    transfer: int = 0
    quantity: int = 0


@dataclass(frozen=True, slots=True)
class Job:
    """An order. ``due`` ``None``: nobody waits for it. ``weight``: cost of a tick late."""

    id: Id
    release: int = 0
    due: int | None = None
    weight: float = 1.0
    name: str = ""


@dataclass(frozen=True, slots=True)
class Machine:
    """A work unit.

    Parameters
    ----------
    calendar
        ``None``: always open.
    closures
        Maintenance, breakdowns: closed whatever the calendar says.
    available_from
        Not before this tick.
    setup_matrix, initial_family
        Which matrix holds, and what it is set up for at first.
    batch_capacity
        More than 1 makes it a batch machine.
    input_buffer
        Where parts wait for it; ``None``: there is room enough.
    """

    id: Id
    calendar: Id | None = None
    closures: tuple[Interval, ...] = ()
    available_from: int = 0
    setup_matrix: Id | None = None
    initial_family: Id | None = None
    batch_capacity: int = 1
    input_buffer: Id | None = None
    work_center: Id | None = None


@dataclass(frozen=True, slots=True)
class Calendar:
    """Open times. With a ``period`` the intervals lie in [0, period) and repeat from tick 0; else they are all.

    ``closures`` are closed (holidays), then ``extra`` is open (overtime) whatever the rest says.
    """

    id: Id
    intervals: tuple[Interval, ...]
    period: int | None = None
    closures: tuple[Interval, ...] = ()
    extra: tuple[Interval, ...] = ()


@dataclass(frozen=True, slots=True)
class Resource:
    """Something operations hold beside their machine: tools, fixtures, a pool of people.

    Capacity at a tick is ``capacity`` where its calendar is open, else 0, plus every change (from, until, difference)
    that covers the tick, and never below 0.
    """

    id: Id
    capacity: int
    calendar: Id | None = None
    changes: tuple[tuple[int, int, int], ...] = ()
    kept_over_breaks: bool = True


@dataclass(frozen=True, slots=True)
class Operator:
    """A person, there in the open time of a calendar. At any tick one person fills one demand of one skill."""

    id: Id
    skills: tuple[Id, ...]
    calendar: Id | None = None
    absences: tuple[Interval, ...] = ()


@dataclass(frozen=True, slots=True)
class SetupMatrix:
    """Working ticks of changing from one family (row) to another (column).

    ``initial``: from no family at all; ``None``: no time.
    """

    id: Id
    families: tuple[Id, ...]
    times: tuple[tuple[int, ...], ...]
    initial: tuple[int, ...] | None = None


@dataclass(frozen=True, slots=True)
class Buffer:
    """Places for parts that wait for a machine. 0 places: they wait on the machine before, and block it."""

    id: Id
    capacity: int
