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
class DayException:
    """Local dates from ``first`` to ``last``, both included, on which other shifts *start* than usual.

    Attributes
    ----------
    works_as
        None: no shift starts (a holiday). An ISO weekday: those of that weekday start, e.g. 1 on a Saturday that is
        worked as a Monday.
    shift_codes
        Only these of them; empty: all of them.
    """

    first: date
    last: date
    works_as: int | None = None
    shift_codes: frozenset[str] = frozenset()
    name_zh: str = ""
    name_en: str = ""


@dataclass(frozen=True, slots=True)
class Calendar:
    """Shifts of one place. Shifts must not overlap; see `overlapping_shifts`. Of two exceptions the later one holds."""

    code: str
    time_zone: str
    shifts: tuple[Shift, ...]
    exceptions: tuple[DayException, ...] = ()

    def exception_on(self, day: date) -> DayException | None:
        """Return what is different on a local date, or None."""
        found = [one for one in self.exceptions if one.first <= day <= one.last]
        return max(found, key=lambda one: (one.first, -one.last.toordinal())) if found else None

    def shifts_on(self, day: date) -> tuple[Shift, ...]:
        """Return the shifts that start on a local date."""
        different = self.exception_on(day)
        if different is None:
            return tuple(shift for shift in self.shifts if day.isoweekday() in shift.weekdays)
        if different.works_as is None:
            return ()
        kept = different.shift_codes
        return tuple(
            shift for shift in self.shifts if different.works_as in shift.weekdays and (not kept or shift.code in kept)
        )


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
    """Yield the shifts that touch ``[start, end)`` (aware), by start time; whole, not cut at the range's ends.

    A shift that starts where the one before it still runs (an exception made a day's shifts meet a night shift) begins
    when that one ends, so that an instant belongs to one shift.
    """
    zone = ZoneInfo(calendar.time_zone)
    day = start.astimezone(zone).date() - 3 * ONE_DAY  # a 24-hour shift reaches two dates back; the one before cuts it
    last = end.astimezone(zone).date()
    free_from: datetime | None = None
    while day <= last:
        found = (_occurrence(shift, day, zone) for shift in calendar.shifts_on(day))
        for occurrence in sorted(found, key=lambda item: (item.start, item.end)):
            own = occurrence if free_from is None else _beginning(occurrence, free_from)
            if own.start >= own.end:
                continue
            free_from = own.end
            if own.start < end and own.end > start:
                yield own
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


def _beginning(occurrence: ShiftOccurrence, at: datetime) -> ShiftOccurrence:
    """Return the part of a shift from an instant on."""
    if occurrence.start >= at:
        return occurrence
    breaks = tuple((max(start, at), end) for start, end in occurrence.breaks if end > at)
    return ShiftOccurrence(occurrence.shift, occurrence.day, at, occurrence.end, breaks)


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
