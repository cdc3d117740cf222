"""What a cumulative counter says: how many it counted from each reading to the next. Plain Python.

A reading adds nothing that another one has added: the steps of the readings in order of their time add up, whatever
order they were delivered in, and a reading put in between afterwards changes only its neighbours.

Notes
-----
A counter that falls was set to zero, wrapped around, gave a wrong value for a moment, or was corrected by hand. Which
one it was is decided by what could have been made in the time: ``cycle_s`` seconds a count, and generously more, since
standards are wrong and the first pieces after a pause come together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

WIDTHS = (2**16, 2**31, 2**32, 10**4, 10**5, 10**6, 10**7, 10**8, 10**9)
"""Where counters wrap: 16 and 32 bits, and decimal totalisers."""
AT_ONCE = 100.0
FASTER = 100.0
"""So many at once, and so many times as fast as planned, are believed. Beyond it is a wrong value, not a machine."""
NEAR_WIDTH = 10.0
RETURNS_FROM = 20.0


class StepKind(StrEnum):
    """How a reading follows the one before."""

    FIRST = "first"  # nothing before it is known: it says where the counter stands
    ROSE = "rose"
    RESET = "reset"
    WRAPPED = "wrapped"
    RETURNED = "returned"  # the one before was a wrong value for a moment
    JUMPED = "jumped"  # more than is possible: not counted
    FELL = "fell"  # back, but not to the beginning: not counted


@dataclass(frozen=True, slots=True)
class Reading:
    """A counter's value, and when, by the machine's clock."""

    at: datetime
    value: float


@dataclass(frozen=True, slots=True)
class Step:
    """How many counts a reading adds; below zero only where it takes back what a wrong value added."""

    count: float
    kind: StepKind


def steps(readings: Sequence[Reading], *, cycle_s: float | None = None) -> list[Step]:
    """Return what each reading adds, in order of time. The first one adds nothing.

    Parameters
    ----------
    readings
        In order of time, good ones only.
    cycle_s
        Planned seconds a count; None when nobody knows: then everything is possible.

    Examples
    --------
    >>> from datetime import UTC, timedelta
    >>> t = datetime(2026, 11, 23, tzinfo=UTC)
    >>> [s.count for s in steps([Reading(t + timedelta(minutes=i), v) for i, v in enumerate((5.0, 6.0, 8.0, 0.0))])]
    [0.0, 1.0, 2.0, 0.0]
    """
    found: list[Step] = []
    for place, now in enumerate(readings):
        if place == 0:
            found.append(Step(0.0, StepKind.FIRST))
            continue
        before = readings[place - 1]
        if found[-1].kind in (StepKind.RESET, StepKind.FELL, StepKind.JUMPED) and place >= 2:
            back = _returned(readings[place - 2], before, now, found[-1], cycle_s)
            if back is not None:
                found.append(back)
                continue
        found.append(_step(before, now, cycle_s))
    return found


def _step(before: Reading, now: Reading, cycle_s: float | None) -> Step:
    most = _possible(before, now, cycle_s)
    change = now.value - before.value
    if change >= 0:
        return Step(change, StepKind.ROSE) if change <= most else Step(0.0, StepKind.JUMPED)
    if (around := _wrapped(before, now, cycle_s)) is not None:
        return Step(around, StepKind.WRAPPED)
    if 0 <= now.value <= most:
        return Step(now.value, StepKind.RESET)
    return Step(0.0, StepKind.FELL)


def _returned(first: Reading, odd: Reading, now: Reading, odd_step: Step, cycle_s: float | None) -> Step | None:
    """Return the step when the reading before was wrong for a moment: the counter is where it had been, or a bit on."""
    change = now.value - first.value
    is_near = change >= 0 and change <= _possible(first, now, cycle_s)
    if not is_near:
        return None
    if odd_step.kind is StepKind.RESET:
        was_there = first.value >= RETURNS_FROM and change <= max(3.0, first.value / 20)
        if not was_there and now.value - odd.value <= _possible(odd, now, cycle_s):
            return None  # it can have counted up again from zero
    elif odd_step.kind is StepKind.JUMPED and now.value >= odd.value:
        return None  # it stays where it jumped to
    return Step(change - odd_step.count, StepKind.RETURNED)


def _possible(before: Reading, now: Reading, cycle_s: float | None) -> float:
    """Return how many counts at most lie between two readings."""
    if not cycle_s or cycle_s <= 0:
        return float("inf")
    return AT_ONCE + FASTER * max(0.0, (now.at - before.at).total_seconds()) / cycle_s


def _wrapped(before: Reading, now: Reading, cycle_s: float | None) -> float | None:
    """Return the counts across the end of the counter's width, when it was that near to one."""
    near = NEAR_WIDTH
    if cycle_s and cycle_s > 0:
        near = max(3.0, 3.0 * max(0.0, (now.at - before.at).total_seconds()) / cycle_s)
    for width in WIDTHS:
        around = width - before.value + now.value
        if before.value < width and now.value >= 0 and around <= near:
            return around
    return None


def pieces_of(count: float, pieces_per_cycle: float) -> Decimal:
    """Return counts as pieces, to the millionth.

    Examples
    --------
    >>> pieces_of(3, 2), pieces_of(1, 0.1)
    (Decimal('6'), Decimal('0.1'))
    """
    return Decimal(repr(round(count * pieces_per_cycle, 6))).normalize() + 0
