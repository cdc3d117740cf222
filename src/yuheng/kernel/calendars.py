"""Shift calendars: which shift an instant belongs to, in a site's time zone, across midnight and clock changes.

Pure functions on dataclasses; the rows behind them belong to ``equipment``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

ONE_DAY = timedelta(days=1)
ONE_SECOND = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Break:
    """A pause in local time; one that begins before its shift's start of day is after midnight."""

    start: time
    end: time


@dataclass(frozen=True, slots=True)
class Shift:
    """A shift in local time.

    Attributes
    ----------
    end
        At or before ``start`` means the next day; equal to ``start`` means 24 hours.
    weekdays
        ISO weekdays (1 Monday … 7 Sunday) on which the shift *starts*.
    """

    code: str
    start: time
    end: time
    weekdays: frozenset[int] = frozenset(range(1, 8))
    breaks: tuple[Break, ...] = ()
    name_zh: str = ""
    name_en: str = ""


@dataclass(frozen=True, slots=True)
class Calendar:
    """Shifts of one place. Shifts must not overlap; see `overlapping_shifts`."""

    code: str
    time_zone: str
    shifts: tuple[Shift, ...]


@dataclass(frozen=True, slots=True)
class ShiftOccurrence:
    """One shift on one day: ``[start, end)`` in UTC, its pauses likewise; ``day`` is the local date it started on."""

    shift: Shift
    day: date
    start: datetime
    end: datetime
    breaks: tuple[tuple[datetime, datetime], ...]

    @property
    def working_s(self) -> float:
        """Seconds without the breaks."""
        pauses = sum(((end - start).total_seconds() for start, end in self.breaks), 0.0)
        return (self.end - self.start).total_seconds() - pauses


def to_utc(day: date, at: time, zone: ZoneInfo) -> datetime:
    """Return the instant at which the wall clock shows this time.

    A time that occurs twice (clocks go back) means the first; one that never occurs (clocks go forward) means the
    moment of the change. So later wall times never map to earlier instants, and adjoining shifts never overlap.
    """
    local = datetime.combine(day, at)
    before = local.replace(tzinfo=zone, fold=0).astimezone(UTC)
    if before.astimezone(zone).replace(tzinfo=None) == local:
        return before
    after = local.replace(tzinfo=zone, fold=1).astimezone(UTC)
    return _moment_of_change(after, before, zone)


def shift_at(calendar: Calendar, instant: datetime) -> ShiftOccurrence | None:
    """Return the shift that runs at an aware instant, or None outside all shifts (planned stop)."""
    for occurrence in occurrences(calendar, instant, instant + timedelta(microseconds=1)):
        return occurrence
    return None


def occurrences(calendar: Calendar, start: datetime, end: datetime) -> Iterator[ShiftOccurrence]:
    """Yield the shifts that touch ``[start, end)`` (aware), by start time; whole, not cut at the range's ends."""
    zone = ZoneInfo(calendar.time_zone)
    day = start.astimezone(zone).date() - 2 * ONE_DAY  # a 24-hour shift can reach two dates back
    last = end.astimezone(zone).date()
    while day <= last:
        found = (_occurrence(shift, day, zone) for shift in calendar.shifts if day.isoweekday() in shift.weekdays)
        for occurrence in sorted(found, key=lambda item: (item.start, item.end)):
            if occurrence.start < occurrence.end and occurrence.start < end and occurrence.end > start:
                yield occurrence
        day += ONE_DAY


def working_s(calendar: Calendar, start: datetime, end: datetime) -> float:
    """Planned working time in ``[start, end)`` in seconds: shifts without their breaks, cut at the range's ends.

    References
    ----------
    ISO 22400-2: the basis of planned busy time (PBT), before planned down time is taken off.
    """
    total_s = 0.0
    for occurrence in occurrences(calendar, start, end):
        total_s += _overlap_s(occurrence.start, occurrence.end, start, end)
        total_s -= sum(_overlap_s(pause_start, pause_end, start, end) for pause_start, pause_end in occurrence.breaks)
    return total_s


def overlapping_shifts(shifts: tuple[Shift, ...]) -> tuple[str, str] | None:
    """Return the codes of two shifts that would run at the same time in some week, or None."""
    minutes_a_week = 7 * 24 * 60
    taken: dict[int, str] = {}
    for shift in shifts:
        length = _length_minutes(shift)
        for weekday in shift.weekdays:
            first = (weekday - 1) * 24 * 60 + _minutes(shift.start)
            for minute in range(first, first + length):
                other = taken.setdefault(minute % minutes_a_week, shift.code)
                if other != shift.code:
                    return other, shift.code
    return None


def _occurrence(shift: Shift, day: date, zone: ZoneInfo) -> ShiftOccurrence:
    end_day = day if shift.end > shift.start else day + ONE_DAY
    start, end = to_utc(day, shift.start, zone), to_utc(end_day, shift.end, zone)
    pauses = (_pause(pause, shift, day, zone) for pause in shift.breaks)
    breaks = tuple(
        (max(pause_start, start), min(pause_end, end))
        for pause_start, pause_end in sorted(pauses)
        if min(pause_end, end) > max(pause_start, start)
    )
    return ShiftOccurrence(shift, day, start, end, breaks)


def _pause(pause: Break, shift: Shift, day: date, zone: ZoneInfo) -> tuple[datetime, datetime]:
    start_day = day if pause.start >= shift.start else day + ONE_DAY
    end_day = start_day if pause.end > pause.start else start_day + ONE_DAY
    return to_utc(start_day, pause.start, zone), to_utc(end_day, pause.end, zone)


def _moment_of_change(low: datetime, high: datetime, zone: ZoneInfo) -> datetime:
    """Find the clock change between two instants to the second."""
    offset = low.astimezone(zone).utcoffset()
    while high - low > ONE_SECOND:
        middle = low + timedelta(seconds=(high - low) // ONE_SECOND // 2)
        if middle.astimezone(zone).utcoffset() == offset:
            low = middle
        else:
            high = middle
    return high


def _overlap_s(start: datetime, end: datetime, from_: datetime, to: datetime) -> float:
    return max((min(end, to) - max(start, from_)).total_seconds(), 0.0)


def _minutes(at: time) -> int:
    return at.hour * 60 + at.minute


def _length_minutes(shift: Shift) -> int:
    return (_minutes(shift.end) - _minutes(shift.start)) % (24 * 60) or 24 * 60
