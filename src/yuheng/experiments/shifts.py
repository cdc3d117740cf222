"""Open minutes of the demo plant's calendars: when work that begins now ends."""

from __future__ import annotations

from bisect import bisect_left
from datetime import time

from yuheng.kernel.calendars import Break, Calendar, Shift
from yuheng.simulation.layout import CalendarSpec

DAY = 1440


class OpenMinutes:
    """A calendar whose every day is the same; ``breaks`` as minutes of the day, sorted."""

    def __init__(self, breaks: list[tuple[int, int]], days: int) -> None:
        shut = {minute for start, end in breaks for minute in range(start, end)}
        day = [minute for minute in range(DAY) if minute not in shut]
        self._open = [DAY * k + minute for k in range(days) for minute in day]
        self._is_always = not shut

    def begin(self, now: int) -> int:
        """Return the first open minute from ``now`` on."""
        return now if self._is_always else self._open[bisect_left(self._open, now)]

    def end(self, now: int, work: int) -> int:
        """Return when ``work`` open minutes (at least 1) have passed."""
        return now + work if self._is_always else self._open[bisect_left(self._open, now) + work - 1] + 1

    def between(self, start: int, end: int) -> int:
        """Return the open minutes in [start, end)."""
        return end - start if self._is_always else bisect_left(self._open, end) - bisect_left(self._open, start)


def minutes_of(clock: str) -> int:
    """Return ``HH:MM`` as a minute of the day."""
    hours, minutes = clock.split(":")
    return int(hours) * 60 + int(minutes)


def open_minutes(spec: CalendarSpec, days: int) -> OpenMinutes:
    """Return a demo calendar's open minutes for so many days."""
    return OpenMinutes(sorted((minutes_of(a), minutes_of(b)) for a, b in spec.breaks), days)


def calendar_of(spec: CalendarSpec) -> Calendar:
    """Return the same calendar as planning reads it: two shifts, day and night."""

    def at(clock: str) -> time:
        return time.fromisoformat(clock)

    def shift(code: str, start: str, end: str, breaks: tuple[tuple[str, str], ...]) -> Shift:
        return Shift(code, at(start), at(end), breaks=tuple(Break(at(a), at(b)) for a, b in breaks))

    day, night = shift("day", "08:00", "20:00", spec.breaks[:2]), shift("night", "20:00", "08:00", spec.breaks[2:])
    return Calendar(spec.code, "UTC", (day, night))
