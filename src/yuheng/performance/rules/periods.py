"""Periods of the plant's own days, cut into buckets that begin on its clock. Plain Python."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from yuheng.kernel.calendars import to_utc
from yuheng.performance.rules.tallies import QUARTER, floor_to

LONGEST_DAYS = 366
USUAL_DAYS = 7
MOST_BUCKETS = 200
STEPS = (900, 3_600, 14_400, 43_200, 86_400, 604_800, 4 * 604_800)


@dataclass(frozen=True, slots=True)
class Period:
    """Whole days ``first`` to ``last`` of a time zone, up to the last full quarter of an hour.

    ``edges``: moments in UTC, the ends included; every clock of the world has them at quarters of an hour.
    ``closes``: the end of the last day.
    """

    first: date
    last: date
    zone: str
    start: datetime
    end: datetime
    closes: datetime
    edges: tuple[datetime, ...]
    step_s: int

    @property
    def days(self) -> int:
        """Return how many days it has."""
        return (self.last - self.first).days + 1


def period(first: date, last: date, zone: str, now: datetime, *, most: int = MOST_BUCKETS) -> Period:
    """Return a period cut into at most ``most`` buckets of 15 minutes, hours, days or weeks.

    What lies in the future is left out; buckets shorter than a day are a part of a day everywhere but on the two days
    on which clocks change, where they are as long as the clock makes them.

    Raises
    ------
    ValueError
        It ends before it begins, is too long, or has not begun.
    """
    if last < first or (last - first).days >= LONGEST_DAYS:
        raise ValueError("a period is 1 to 366 days long")
    here = ZoneInfo(zone)
    start = _midnight(first, here)
    if start >= now:
        raise ValueError("a period begins in the past")
    quarter = max(floor_to(now, QUARTER), start + QUARTER)
    closes = _midnight(last + timedelta(days=1), here)
    end = min(closes, quarter)
    days = (last - first).days + 1
    step_s = next(step for step in STEPS if days * 86_400 <= step * most)
    edges = [start]
    for at in _walls(first, last, step_s, here):
        if edges[-1] < at < end:
            edges.append(at)
    edges.append(end)
    return Period(first, last, zone, start, end, closes, tuple(edges), step_s)


def _walls(first: date, last: date, step_s: int, zone: ZoneInfo) -> list[datetime]:
    day, found = first, []
    while day <= last:
        if step_s >= 86_400:
            found.append(_midnight(day, zone))
            day += timedelta(days=step_s // 86_400)
            continue
        for second in range(0, 86_400, step_s):
            found.append(to_utc(day, time(second // 3_600, second % 3_600 // 60), zone))
        day += timedelta(days=1)
    return found


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return to_utc(day, time(), zone)


def day_of(at: datetime, zone: str) -> date:
    """Return the plant's day of a moment."""
    return at.astimezone(ZoneInfo(zone)).date()
