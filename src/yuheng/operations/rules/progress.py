"""What follows from job responses: quantities, state, time worked; columns are copies of it. Plain Python."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from yuheng.operations.rules.jobs import JobState

ZERO = Decimal(0)


class ResponseKind(StrEnum):
    """What a job response tells."""

    STARTED = "started"
    SET_UP = "set_up"  # set-up is done, the run begins
    PAUSED = "paused"
    RESUMED = "resumed"
    QUANTITY = "quantity"
    FINISHED = "finished"
    CONSUMED = "consumed"
    RETURNED = "returned"
    CHECK = "check"
    PARAMETERS = "parameters"
    HELP = "help"
    CREW = "crew"
    NOTE = "note"
    CORRECTION = "correction"
    ABORTED = "aborted"


class Source(StrEnum):
    """Who told it."""

    PERSON = "person"
    SIGNAL = "signal"
    IMPORT = "import"


@dataclass(frozen=True, slots=True)
class Told:
    """What of a job response counts for progress; quantities of corrections may be negative.

    ``clock_s``: seconds to be added to the time worked (below zero: a stop of the machine that came to be known late).
    """

    kind: ResponseKind
    at: datetime
    good: Decimal = ZERO
    scrap: Decimal = ZERO
    rework: Decimal = ZERO
    clock_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a job order stands, from its responses alone. ``state`` None: nothing was done yet."""

    state: JobState | None
    good: Decimal
    scrap: Decimal
    rework: Decimal
    actual_start: datetime | None
    actual_end: datetime | None
    worked_s: float


def derive(told: Iterable[Told]) -> Progress:
    """Return the progress of one job order from its responses, in the order in which they were recorded."""
    state: JobState | None = None
    good = scrap = rework = ZERO
    start = end = since = None
    worked = 0.0
    for one in told:
        good, scrap, rework = good + one.good, scrap + one.scrap, rework + one.rework
        worked += one.clock_s
        if one.kind in (ResponseKind.STARTED, ResponseKind.RESUMED):
            state, since = JobState.RUNNING, one.at
            start = start or one.at
        elif one.kind in _STOPS:
            worked += _seconds(since, one.at)
            since, state = None, _STOPS[one.kind]
            end = one.at if state is not JobState.INTERRUPTED else None
    return Progress(state, good, scrap, rework, start, end, worked)


_STOPS = {
    ResponseKind.PAUSED: JobState.INTERRUPTED,
    ResponseKind.FINISHED: JobState.ENDED,
    ResponseKind.ABORTED: JobState.ABORTED,
}


def worked_until(since: datetime | None, at: datetime) -> float:
    """Return the seconds of work between a start and a stop; never negative: clocks of terminals differ."""
    return _seconds(since, at)


def _seconds(since: datetime | None, at: datetime) -> float:
    return max(0.0, (at - since).total_seconds()) if since is not None else 0.0


def share_done(done_s: float, planned_s: float) -> float:
    """Return the part of the planned work that is done, 0 to 1.

    Examples
    --------
    >>> share_done(30.0, 120.0), share_done(5.0, 0.0)
    (0.25, 0.0)
    """
    return min(1.0, done_s / planned_s) if planned_s > 0 else 0.0
