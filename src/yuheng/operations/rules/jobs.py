"""States of a job order and the commands between them: OPC 10031-4 (ISA-95 Job Control), version 2. Plain Python.

Two traps of that standard: its method ``Start`` means *may start* (`Command.START`); the beginning of the work is
`Command.BEGIN`, which the standard calls an internal transition. And ``Cancel`` takes a job order off the list: we keep
the row, in a state of our own beside the standard's six.

References
----------
OPC 10031-4, ISA95JobOrderReceiverObjectType (13 transitions), ISA95PrepareStateMachineType,
ISA95InterruptedStateMachineType, ISA95EndedStateMachineType; words of requests: B2MML v7, ``RequestState``.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class JobState(StrEnum):
    """State of a job order."""

    NOT_ALLOWED_TO_START = "not_allowed_to_start"
    ALLOWED_TO_START = "allowed_to_start"
    RUNNING = "running"
    INTERRUPTED = "interrupted"
    ENDED = "ended"
    ABORTED = "aborted"
    CANCELLED = "cancelled"  # the standard's Cancel removes it; we keep what was taken off the list


class JobSubstate(StrEnum):
    """Substate: of both states before the start, of an interruption, of the end."""

    NONE = ""
    WAITING = "waiting"  # what must be true before it can run is not
    READY = "ready"
    LOADED = "loaded"  # its program is in the machine
    HELD = "held"  # stopped by a constraint: the operator's pause
    SUSPENDED = "suspended"  # stopped by a decision: the dispatcher's hold
    COMPLETED = "completed"
    CLOSED = "closed"


class Command(StrEnum):
    """What changes a state. In brackets of the table: the methods of OPC 10031-4; the others are its internal ones."""

    STORE = "store"
    STORE_AND_START = "store_and_start"
    START = "start"
    REVOKE_START = "revoke_start"
    UPDATE = "update"
    PREPARE = "prepare"
    UNPREPARE = "unprepare"
    LOAD = "load"
    UNLOAD = "unload"
    BEGIN = "begin"
    INTERRUPT = "interrupt"
    PAUSE = "pause"
    RESUME = "resume"
    STOP = "stop"
    ABORT = "abort"
    CANCEL = "cancel"
    CLEAR = "clear"


@dataclass(frozen=True, slots=True)
class Place:
    """A state with its substate."""

    state: JobState
    substate: JobSubstate = JobSubstate.NONE


@dataclass(frozen=True, slots=True)
class Transition:
    """One line of the published table."""

    before: Place
    command: Command
    after: Place


class IllegalTransition(Exception):
    """The command does not exist in this state."""

    def __init__(self, place: Place, command: Command) -> None:
        super().__init__(f"{command.value} is not possible in {place.state.value} {place.substate.value}".strip())
        self.place = place
        self.command = command


_NOT, _ALLOWED = JobState.NOT_ALLOWED_TO_START, JobState.ALLOWED_TO_START
_PREPARED = (JobSubstate.WAITING, JobSubstate.READY, JobSubstate.LOADED)
RUNNING = Place(JobState.RUNNING)
HELD = Place(JobState.INTERRUPTED, JobSubstate.HELD)
SUSPENDED = Place(JobState.INTERRUPTED, JobSubstate.SUSPENDED)
COMPLETED = Place(JobState.ENDED, JobSubstate.COMPLETED)
CLOSED = Place(JobState.ENDED, JobSubstate.CLOSED)
ABORTED = Place(JobState.ABORTED)
CANCELLED = Place(JobState.CANCELLED)


def _table() -> frozenset[Transition]:
    found: list[Transition] = []
    for state in (_NOT, _ALLOWED):
        for substate in _PREPARED:
            here = Place(state, substate)
            found += [
                Transition(here, Command.UPDATE, here),
                Transition(here, Command.ABORT, ABORTED),
                Transition(here, Command.CANCEL, CANCELLED),
            ]
        waiting, ready, loaded = (Place(state, substate) for substate in _PREPARED)
        found += [
            Transition(waiting, Command.PREPARE, ready),
            Transition(ready, Command.UNPREPARE, waiting),
            Transition(ready, Command.LOAD, loaded),
            Transition(loaded, Command.UNLOAD, ready),
            Transition(loaded, Command.UNPREPARE, waiting),
        ]
    for substate in _PREPARED:
        found += [
            Transition(Place(_NOT, substate), Command.START, Place(_ALLOWED, substate)),
            Transition(Place(_ALLOWED, substate), Command.REVOKE_START, Place(_NOT, substate)),
        ]
    found += [
        Transition(Place(_ALLOWED, JobSubstate.READY), Command.BEGIN, RUNNING),
        Transition(Place(_ALLOWED, JobSubstate.LOADED), Command.BEGIN, RUNNING),
        Transition(RUNNING, Command.INTERRUPT, HELD),
        Transition(RUNNING, Command.PAUSE, SUSPENDED),
        Transition(HELD, Command.PAUSE, SUSPENDED),
        Transition(SUSPENDED, Command.RESUME, HELD),
        Transition(HELD, Command.RESUME, RUNNING),
        Transition(RUNNING, Command.STOP, COMPLETED),
        Transition(HELD, Command.STOP, COMPLETED),
        Transition(RUNNING, Command.ABORT, ABORTED),
        Transition(HELD, Command.ABORT, ABORTED),
        Transition(SUSPENDED, Command.ABORT, ABORTED),
        Transition(COMPLETED, Command.CLEAR, CLOSED),
    ]
    return frozenset(found)


TRANSITIONS = _table()
"""Exactly what can happen; `docs/users/orders.md` prints it."""

_AFTER = {(one.before, one.command): one.after for one in TRANSITIONS}

OPEN_STATES = frozenset({_NOT, _ALLOWED, JobState.RUNNING, JobState.INTERRUPTED})
BEFORE_START = frozenset({_NOT, _ALLOWED})
BEGUN = frozenset({JobState.RUNNING, JobState.INTERRUPTED})
OVER = frozenset({JobState.ENDED, JobState.ABORTED, JobState.CANCELLED})


def after(place: Place, command: Command) -> Place:
    """Return where a command leads. Raises `IllegalTransition`.

    Examples
    --------
    >>> after(Place(JobState.RUNNING), Command.STOP).substate
    <JobSubstate.COMPLETED: 'completed'>
    """
    try:
        return _AFTER[place, command]
    except KeyError:
        raise IllegalTransition(place, command) from None


def stored(*, is_allowed: bool, is_ready: bool) -> Place:
    """Return where a new job order stands: the standard's Store, or StoreAndStart when it ``is_allowed``."""
    substate = JobSubstate.READY if is_ready else JobSubstate.WAITING
    return Place(_ALLOWED if is_allowed else _NOT, substate)


_WORDS = {
    _NOT: "Released",
    JobState.RUNNING: "Running",
    JobState.ABORTED: "Aborted",
    JobState.CANCELLED: "Cancelled",
}
_WORDS_OF_SUBSTATES = {
    JobSubstate.WAITING: "Waiting",
    JobSubstate.READY: "Ready",
    JobSubstate.LOADED: "Ready",
    JobSubstate.HELD: "Held",
    JobSubstate.SUSPENDED: "Suspended",
    JobSubstate.COMPLETED: "Completed",
    JobSubstate.CLOSED: "Closed",
}


def word(state: str, substate: str) -> str:
    """Return B2MML's word for a place.

    Examples
    --------
    >>> word("allowed_to_start", "ready"), word("not_allowed_to_start", "ready"), word("interrupted", "held")
    ('Ready', 'Released', 'Held')
    """
    return _WORDS.get(JobState(state)) or _WORDS_OF_SUBSTATES[JobSubstate(substate)]
