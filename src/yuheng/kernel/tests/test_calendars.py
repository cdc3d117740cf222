"""Shift calendars."""

from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yuheng.kernel.calendars import (
    Break,
    Calendar,
    DayException,
    Shift,
    occurrences,
    overlapping_shifts,
    shift_at,
    to_utc,
    working_s,
)

DAY = Shift("day", time(8), time(20), breaks=(Break(time(12), time(12, 30)),))
NIGHT = Shift("night", time(20), time(8), breaks=(Break(time(0), time(0, 30)),))
SHANGHAI = Calendar("two-shift", "Asia/Shanghai", (DAY, NIGHT))
BERLIN = Calendar("two-shift", "Europe/Berlin", (DAY, NIGHT))
MOMENTS = st.datetimes(datetime(2024, 1, 1), datetime(2028, 1, 1))  # noqa: DTZ001 - wall times
ZONES = ("Asia/Shanghai", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata")


def test_a_morning_belongs_to_the_day_shift():
    found = shift_at(SHANGHAI, datetime(2026, 11, 23, 1, tzinfo=UTC))  # 09:00 in Shanghai
    assert found is not None
    assert found.shift.code == "day"
    assert (found.start, found.end) == (
        datetime(2026, 11, 23, 0, tzinfo=UTC),
        datetime(2026, 11, 23, 12, tzinfo=UTC),
    )
    assert found.working_s == 11.5 * 3600


def test_after_midnight_is_still_last_nights_shift_and_its_break_is_after_midnight():
    found = shift_at(SHANGHAI, datetime(2026, 11, 22, 18, tzinfo=UTC))  # 02:00 on the 23rd
    assert found is not None
    assert (found.shift.code, found.day) == ("night", date(2026, 11, 22))
    assert found.breaks == ((datetime(2026, 11, 22, 16, tzinfo=UTC), datetime(2026, 11, 22, 16, 30, tzinfo=UTC)),)


def test_the_end_of_a_shift_belongs_to_the_next_one():
    found = shift_at(SHANGHAI, datetime(2026, 11, 23, 12, tzinfo=UTC))
    assert found is not None
    assert found.shift.code == "night"


def test_sunday_is_free_where_nobody_works_on_sundays():
    weekdays = Calendar("week", "Asia/Shanghai", (Shift("day", time(8), time(17), frozenset(range(1, 7))),))
    assert shift_at(weekdays, datetime(2026, 11, 22, 2, tzinfo=UTC)) is None


def test_a_shift_of_24_hours_covers_the_day():
    whole = Calendar("whole", "Asia/Shanghai", (Shift("all", time(6), time(6)),))
    found = shift_at(whole, datetime(2026, 11, 22, 21, 59, tzinfo=UTC))
    assert found is not None
    assert found.end - found.start == timedelta(hours=24)


def test_the_night_the_clocks_go_back_is_an_hour_longer():
    found = shift_at(BERLIN, datetime(2026, 10, 25, 1, tzinfo=UTC))
    assert found is not None
    assert found.end - found.start == timedelta(hours=13)


def test_the_night_the_clocks_go_forward_is_an_hour_shorter():
    found = shift_at(BERLIN, datetime(2026, 3, 29, 0, tzinfo=UTC))
    assert found is not None
    assert found.end - found.start == timedelta(hours=11)


def test_a_time_that_never_occurs_is_the_moment_of_the_change():
    assert to_utc(date(2026, 3, 29), time(2, 30), ZoneInfo("Europe/Berlin")) == datetime(2026, 3, 29, 1, tzinfo=UTC)


def test_a_time_that_occurs_twice_is_the_first():
    assert to_utc(date(2026, 10, 25), time(2, 30), ZoneInfo("Europe/Berlin")) == datetime(
        2026, 10, 25, 0, 30, tzinfo=UTC
    )


@given(
    st.sampled_from(ZONES),
    MOMENTS,
    st.integers(0, 23 * 60),
)
def test_wall_times_that_follow_each_other_never_go_back(zone_name, moment, minutes):
    zone = ZoneInfo(zone_name)
    later = moment + timedelta(minutes=minutes)
    one, other = (to_utc(at.date(), at.time(), zone) for at in (moment, later))
    assert one <= other


@given(st.sampled_from(ZONES), MOMENTS)
def test_round_the_clock_shifts_leave_no_gap_and_never_overlap(zone_name, moment):
    calendar = Calendar("c", zone_name, (Shift("a", time(2, 15), time(14)), Shift("b", time(14), time(2, 15))))
    instant = moment.replace(tzinfo=UTC)
    found = list(occurrences(calendar, instant, instant + timedelta(days=3)))
    assert found[0].start <= instant < found[0].end
    assert all(one.end == other.start for one, other in pairwise(found))


@given(st.sampled_from(ZONES), MOMENTS)
def test_the_shift_found_contains_the_instant(zone_name, moment):
    calendar = Calendar("c", zone_name, (DAY, NIGHT))
    instant = moment.replace(tzinfo=UTC)
    found = shift_at(calendar, instant)
    assert found is not None
    assert found.start <= instant < found.end


@given(MOMENTS, st.integers(1, 5000), st.integers(1, 5000))
def test_working_time_adds_up(moment, one, other):
    start = moment.replace(tzinfo=UTC)
    middle, end = start + timedelta(minutes=one), start + timedelta(minutes=one + other)
    whole = working_s(SHANGHAI, start, end)
    assert whole == pytest.approx(working_s(SHANGHAI, start, middle) + working_s(SHANGHAI, middle, end))


def test_a_day_has_its_shifts_without_the_breaks():
    start = datetime(2026, 11, 23, 0, tzinfo=UTC)
    assert working_s(SHANGHAI, start, start + timedelta(days=1)) == 23 * 3600


def test_overlapping_shifts_are_found_across_the_week_end():
    assert overlapping_shifts((DAY, NIGHT)) is None
    assert overlapping_shifts((DAY, Shift("late", time(19), time(23)))) == ("day", "late")
    sunday = Shift("sunday", time(22), time(6), frozenset({7}))
    assert overlapping_shifts((sunday, Shift("early", time(5), time(9), frozenset({1})))) is not None


def holidays():
    """National Day week is closed; the Saturday after it is worked as a Wednesday, day shift only."""
    closed = DayException(date(2026, 10, 1), date(2026, 10, 7), name_en="National Day")
    worked = DayException(date(2026, 10, 10), date(2026, 10, 10), 3, frozenset({"day"}))
    shifts = (
        Shift("day", time(8), time(20), frozenset({1, 2, 3, 4, 5})),
        Shift("night", time(20), time(8), frozenset({1, 2, 3, 4, 5})),
    )
    return Calendar("two", "Asia/Shanghai", shifts, (closed, worked))


def at(day, hour):
    return datetime(2026, 10, day, hour, tzinfo=ZoneInfo("Asia/Shanghai"))


def test_nobody_works_on_a_holiday_and_the_night_before_it_is_worked_to_its_end():
    eve = datetime(2026, 10, 1, 7, tzinfo=ZoneInfo("Asia/Shanghai"))  # the night shift of 30 September
    assert shift_at(holidays(), eve).day == date(2026, 9, 30)
    assert shift_at(holidays(), at(1, 9)) is None
    assert shift_at(holidays(), at(7, 21)) is None
    assert shift_at(holidays(), at(8, 9)).shift.code == "day"
    assert working_s(holidays(), at(1, 8), at(8, 0)) == 0.0


def test_a_saturday_can_be_worked_as_a_weekday_with_some_of_its_shifts():
    assert shift_at(holidays(), at(10, 9)).shift.code == "day"
    assert shift_at(holidays(), at(10, 21)) is None
    assert shift_at(holidays(), at(11, 9)) is None


def test_of_two_exceptions_on_a_day_the_one_that_begins_later_holds():
    long = DayException(date(2026, 10, 1), date(2026, 10, 7))
    inside = DayException(date(2026, 10, 3), date(2026, 10, 3), works_as=1)
    calendar = Calendar("c", "UTC", (Shift("day", time(8), time(16)),), (inside, long))
    assert calendar.exception_on(date(2026, 10, 3)) is inside
    assert calendar.shifts_on(date(2026, 10, 4)) == ()


def test_shifts_that_an_exception_lets_meet_do_not_run_at_the_same_time():
    shifts = (
        Shift("week", time(6), time(6), frozenset({1, 2, 3, 4, 5})),  # 24 hours
        Shift("late", time(0), time(12), frozenset({6})),
    )
    friday_as_saturday = DayException(date(2026, 10, 9), date(2026, 10, 9), works_as=6)
    calendar = Calendar("c", "UTC", shifts, (friday_as_saturday,))
    start = datetime(2026, 10, 8, 6, tzinfo=UTC)
    found = list(occurrences(calendar, start, start + timedelta(days=1, hours=6)))
    assert [(one.shift.code, one.start.hour) for one in found] == [("week", 6), ("late", 6)]
