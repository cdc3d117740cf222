"""Shift calendars as the engine reads them: a week that repeats, and every day of the next weeks exactly.

The engine's calendars repeat; holidays, days worked as other days and changes of the clock do not. So the next weeks
are compared with the repeating week, and what differs is closed or opened by name of its minutes.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from functools import lru_cache

from yuheng.engines.schedule import problem as engine
from yuheng.engines.schedule.calendars import merged, without
from yuheng.kernel.calendars import Calendar, occurrences

WEEK = 7 * 24 * 60
EXACT_WEEKS = 10
"""So many weeks from the origin are exact; behind them every week is an ordinary one."""

MINUTE = timedelta(minutes=1)
Interval = tuple[int, int]


@lru_cache(maxsize=256)
def engine_calendar(code: str, calendar: Calendar, origin: datetime) -> engine.Calendar | None:
    """Return a calendar in minutes from ``origin`` (aware UTC); None when it never opens.

    An origin is a midnight, so an answer serves a whole day.
    """
    usual = replace(calendar, exceptions=())
    week = _open(usual, origin + EXACT_WEEKS * WEEK * MINUTE, WEEK)
    exact = _open(calendar, origin, EXACT_WEEKS * WEEK)
    if not week:
        return engine.Calendar(code, tuple(exact)) if exact else None
    repeated = merged((at + start, at + end) for at in range(0, EXACT_WEEKS * WEEK, WEEK) for start, end in week)
    return engine.Calendar(
        code,
        tuple(week),
        period=WEEK,
        closures=tuple(without(repeated, exact)),
        extra=tuple(without(exact, repeated)),
    )


def _open(calendar: Calendar, start: datetime, length: int) -> list[Interval]:
    """Open minutes of [start, start + length) as intervals from ``start`` on; a part of a minute counts as none."""
    end = start + length * MINUTE
    found: list[Interval] = []
    for shift in occurrences(calendar, start, end):
        first, last = _minute(shift.start - start), _minute(shift.end - start)
        pauses = [(_minute(a - start), _minute(b - start)) for a, b in shift.breaks]
        found += without([(max(0, first), min(length, last))], pauses) if max(0, first) < min(length, last) else []
    return merged(found)


def _minute(span: timedelta) -> int:
    return int(span.total_seconds() // 60)
