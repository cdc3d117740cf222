"""Open time of machines and people as plain interval lists, for the validator, the compiler and the checker."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence

from yuheng.engines.schedule.faults import Fault, ProblemError, gettext_noop
from yuheng.engines.schedule.parts import Calendar, Interval

FOREVER = 1 << 42
"""Later than anything: a tick that no plan reaches (139,000 years in seconds)."""


MOST_SHIFTS = 500_000
"""Open times of a repeated calendar that are laid out one by one: three centuries of three shifts with breaks."""
_TOO_FAR = gettext_noop(
    "is repeated too often until %(until)s, which the problem names or its work needs. Name nearer times."
)


def merged(intervals: Iterable[Interval]) -> list[Interval]:
    """Sort intervals and join those that touch or overlap.

    Examples
    --------
    >>> merged([(5, 8), (0, 3), (3, 4), (7, 9)])
    [(0, 4), (5, 9)]
    """
    joined: list[Interval] = []
    for start, end in sorted(intervals):
        if end <= start:
            continue
        if joined and start <= joined[-1][1]:
            if end > joined[-1][1]:
                joined[-1] = (joined[-1][0], end)
        else:
            joined.append((start, end))
    return joined


def without(intervals: Sequence[Interval], removed: Iterable[Interval]) -> list[Interval]:
    """Cut closed times out of merged intervals.

    Examples
    --------
    >>> without([(0, 10), (20, 30)], [(5, 22), (25, 26)])
    [(0, 5), (22, 25), (26, 30)]
    """
    left: list[Interval] = []
    cuts = merged(removed)
    k = 0
    for start, end in intervals:
        while k < len(cuts) and cuts[k][1] <= start:
            k += 1
        at, i = start, k
        while i < len(cuts) and cuts[i][0] < end:
            if cuts[i][0] > at:
                left.append((at, cuts[i][0]))
            at = max(at, cuts[i][1])
            i += 1
        if at < end:
            left.append((at, end))
    return left


def refuse_too_far(calendar: Calendar, until: int) -> None:
    """Raise `ProblemError` where a repeated calendar has too many open times before ``until``."""
    if calendar.period is not None and until // calendar.period * len(calendar.intervals) > MOST_SHIFTS:
        raise ProblemError([Fault(f"calendar {calendar.id}", "period", _TOO_FAR, {"until": until})])


def open_intervals(calendar: Calendar | None, closures: Iterable[Interval], until: int) -> list[Interval]:
    """Return the open times in [0, until) of a calendar (``None``: always open) less the closures, in order."""
    if calendar is None:
        return without([(0, until)], closures)
    base: list[Interval]
    if calendar.period is None:
        base = merged((start, min(end, until)) for start, end in calendar.intervals if start < until)
    else:
        week = merged(calendar.intervals)
        refuse_too_far(calendar, until)
        base = merged(
            (at + start, min(at + end, until))
            for at in range(0, until, calendar.period)
            for start, end in week
            if at + start < until
        )
    if calendar.closures:
        base = without(base, calendar.closures)
    if calendar.extra:
        base = merged([*base, *((start, min(end, until)) for start, end in calendar.extra if start < until)])
    closed = list(closures)
    return without(base, closed) if closed else base


class OpenTime:
    """Arithmetic on open times: work between two ticks, and when an amount of work is done.

    Parameters
    ----------
    intervals
        Sorted, disjoint, not touching.
    """

    def __init__(self, intervals: Sequence[Interval]) -> None:
        self.intervals = intervals
        self._starts = [start for start, _end in intervals]
        self._done = [0]
        for start, end in intervals:
            self._done.append(self._done[-1] + end - start)

    def worked(self, tick: int) -> int:
        """Open ticks before ``tick``."""
        k = bisect_right(self._starts, tick) - 1
        if k < 0:
            return 0
        start, end = self.intervals[k]
        return self._done[k] + min(tick, end) - start

    def between(self, start: int, end: int) -> int:
        """Open ticks in [start, end)."""
        return self.worked(end) - self.worked(start)

    def is_open(self, tick: int) -> bool:
        """Whether the tick that begins here is open."""
        k = bisect_right(self._starts, tick) - 1
        return k >= 0 and tick < self.intervals[k][1]

    def finish(self, start: int, work: int) -> int | None:
        """Return when ``work`` open ticks from ``start`` on are done; ``None``: never. No work is done at once."""
        if work <= 0:
            return start
        wanted = self.worked(start) + work
        k = bisect_right(self._done, wanted - 1) - 1
        if k >= len(self.intervals):
            return None
        return self.intervals[k][0] + wanted - self._done[k]

    def closed_inside(self, start: int, end: int) -> list[Interval]:
        """Return the closed times inside [start, end)."""
        first = max(0, bisect_right(self._starts, start) - 1)
        inside = self.intervals[first : bisect_right(self._starts, end)]
        if len(inside) == 1 and inside[0][0] <= start and end <= inside[0][1]:
            return []
        return without([(start, end)], inside)
