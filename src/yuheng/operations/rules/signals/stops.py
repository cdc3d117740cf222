"""What the machine's states do to a job's clock: when it stops, when it goes on. Plain Python; by event time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from yuheng.engines.states.vocabulary import UnitState
from yuheng.operations.rules.signals.sessions import Span

LEAST_STOP = timedelta(seconds=30)
LEAST_IDLE = timedelta(minutes=5)
"""Between two pieces a machine is idle, too; people load it, measure, deburr: the job goes on."""
_STANDS = (UnitState.DOWN, UnitState.PLANNED_STOP)
_WORKS = (UnitState.PRODUCING, UnitState.SETUP)
MOST_VERBS = 50


@dataclass(frozen=True, slots=True)
class Stretch:
    """A machine was in a state from ``start`` to ``end`` (None: still is)."""

    state: int
    cause: str
    start: datetime
    end: datetime | None


@dataclass(frozen=True, slots=True)
class Stop:
    """A machine stood from ``start`` until it worked again (``end`` None: it still stands)."""

    state: int
    cause: str
    start: datetime
    end: datetime | None


class VerbKind(StrEnum):
    """What a signal does to a job's clock."""

    PAUSE = "pause"
    RESUME = "resume"


@dataclass(frozen=True, slots=True)
class Verb:
    """Pause or resume, when it happened, and the state with its cause."""

    kind: VerbKind
    at: datetime
    state: int
    cause: str = ""


@dataclass(frozen=True, slots=True)
class OnClock:
    """Where a job's clock stands: since when it runs, or rests; ``may_resume``: a signal may let it go on."""

    is_running: bool
    since: datetime
    may_resume: bool = False


@dataclass(frozen=True, slots=True)
class Late:
    """A stop that became known when the job's clock had gone on: its time was not worked."""

    start: datetime
    end: datetime
    state: int
    cause: str


def stops_of(stretches: Sequence[Stretch], now: datetime) -> list[Stop]:
    """Return the stops that count, in order: a fault or a planned stop of 30 s, or idleness of five minutes.

    One lasts until the machine produces or is set up again; without data nobody knows, so it lasts on.
    """
    found: list[Stop] = []
    begun: Stretch | None = None
    for one in stretches:
        if one.state in _WORKS:
            if begun is not None:
                found += _long_enough(begun, one.start, now)
            begun = None
        elif begun is None and (one.state in _STANDS or _is_idle(one, now)):
            begun = one
    if begun is not None:
        found += _long_enough(begun, None, now)
    return found


def _is_idle(one: Stretch, now: datetime) -> bool:
    return one.state == UnitState.IDLE and (one.end or now) - one.start >= LEAST_IDLE


def _long_enough(begun: Stretch, end: datetime | None, now: datetime) -> list[Stop]:
    return [Stop(begun.state, begun.cause, begun.start, end)] if (end or now) - begun.start >= LEAST_STOP else []


def clock_verbs(clock: OnClock, stretches: Sequence[Stretch], now: datetime) -> list[Verb]:
    """Return what is to be done to a job's clock now, in order.

    A stop that began before the clock last started is none of its business: who started it saw the machine stand.
    """
    found: list[Verb] = []
    stops = stops_of(stretches, now)
    is_running, since, may_resume = clock.is_running, clock.since, clock.may_resume
    while len(found) < MOST_VERBS:
        if is_running:
            stop = next((one for one in stops if one.start >= since), None)
            if stop is None:
                break
            found.append(Verb(VerbKind.PAUSE, stop.start, stop.state, stop.cause))
            is_running, since, may_resume = False, stop.start, True
        elif may_resume:
            start = produces_since(stretches, since)
            if start is None:
                break
            found.append(Verb(VerbKind.RESUME, start, int(UnitState.PRODUCING)))
            is_running, since = True, start
        else:
            break
    return found


def produces_since(stretches: Sequence[Stretch], since: datetime) -> datetime | None:
    """Return when the machine first worked (produced, or was set up) after a moment; None when it did not."""
    for one in stretches:
        if one.state in _WORKS and (one.end is None or one.end > since):
            return max(one.start, since)
    return None


def late_stops(span: Span, clock: OnClock, stretches: Sequence[Stretch], now: datetime) -> list[Late]:
    """Return stops inside what counts as worked, before the clock last moved: they came to be known too late."""
    found = []
    for stop in stops_of(stretches, now):
        if stop.end is None:
            continue
        for low, high in span.worked():
            end = high if high is not None else clock.since
            if low < stop.start and stop.start < min(end, clock.since) and stop.end <= clock.since:
                found.append(Late(stop.start, min(stop.end, end), stop.state, stop.cause))
    return found


def stopped_s(stretches: Sequence[Stretch], start: datetime, end: datetime, now: datetime) -> float:
    """Return the seconds within ``[start, end)`` in which the machine stood."""
    total = 0.0
    for stop in stops_of(stretches, now):
        low, high = max(stop.start, start), min(stop.end or now, end)
        total += max(0.0, (high - low).total_seconds())
    return total
