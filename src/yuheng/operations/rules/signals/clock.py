"""How far a machine's clock is off, from when its readings were taken and when they arrived. Plain Python.

Notes
-----
A reading that arrives late was either buffered on the way, or its clock is slow. What was buffered comes in a heap and
catches up; a slow clock is late by the same each time. A reading from the future has no other reason than its clock.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

TIMELY = timedelta(seconds=60)
"""Nobody minds a clock that is off by less; the way to us takes some of it."""
UNNOTICED = timedelta(seconds=5)
KEPT = 5
"""Readings that must be late by the same, before a clock is called slow."""
LEAST_SPAN = timedelta(seconds=20)
SAME_WITHIN = timedelta(seconds=5)


@dataclass(frozen=True, slots=True)
class MachineClock:
    """``offset`` is to be added to the machine's times; not ``is_known``: late, and nobody can say yet why."""

    offset: timedelta
    is_known: bool

    @property
    def is_wrong(self) -> bool:
        """Whether somebody should set the clock."""
        return self.is_known and abs(self.offset) > TIMELY


def clock_of(seen: Sequence[tuple[datetime, datetime]]) -> MachineClock:
    """Return how the clock stands after some readings (time at the machine, arrival), the newest arrival last.

    Examples
    --------
    >>> from datetime import UTC
    >>> t = datetime(2026, 11, 23, 8, tzinfo=UTC)
    >>> hour = timedelta(hours=1)
    >>> clock_of([(t, t + timedelta(seconds=1))])
    MachineClock(offset=datetime.timedelta(0), is_known=True)
    >>> slow = [(t + i * timedelta(seconds=10), t + hour + i * timedelta(seconds=10)) for i in range(5)]
    >>> clock_of(slow).offset == hour, clock_of(slow[:1]).is_known
    (True, False)
    """
    if not seen:
        return MachineClock(timedelta(0), True)
    lags = [arrived - taken for taken, arrived in seen]
    newest = lags[-1]
    if newest <= TIMELY:
        is_fine = newest >= -UNNOTICED
        return MachineClock(timedelta(0) if is_fine else newest, True)
    recent = list(seen)[-KEPT:]
    late = [arrived - taken for taken, arrived in recent]
    span = recent[-1][1] - recent[0][1]
    is_steady = max(late) - min(late) <= SAME_WITHIN and span >= LEAST_SPAN
    if len(recent) == KEPT and is_steady:
        return MachineClock(min(late), True)
    return MachineClock(timedelta(0), False)
