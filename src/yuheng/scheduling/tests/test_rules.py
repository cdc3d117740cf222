"""Estimates, calendars, nights: rules without a plant."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from yuheng.engines.schedule.calendars import open_intervals
from yuheng.kernel.calendars import Break, Calendar, DayException, Shift
from yuheng.scheduling.building.calendars import WEEK, engine_calendar
from yuheng.scheduling.models import Scenario, SitePlanning
from yuheng.scheduling.rules import Basis, back_at
from yuheng.scheduling.services import nightly
from yuheng.testing.builders import SYSTEM, a_site

NOW = datetime(2026, 11, 23, 8, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def back(since_min, usual=None, said=None, cause="E1"):
    return back_at(
        work_unit_id=1, cause=cause, since=NOW - since_min * MINUTE, now=NOW, usual=usual or {}, default_s=3600,
        said=said,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("found", "end", "basis"),
    [
        (back(10), 50, Basis.DEFAULT),
        (back(10, {(1, ""): 1200.0}), 10, Basis.MACHINE),
        (back(10, {(1, ""): 1200.0, (1, "E1"): 2400.0}), 30, Basis.CAUSE),
        (back(120, {(1, ""): 1200.0}), 30, Basis.MACHINE),  # it has outlasted what is usual: a quarter more
        (back(-60), 60, Basis.DEFAULT),  # a machine whose clock is an hour ahead
        (back(10, said=NOW + 5 * MINUTE), 5, Basis.SAID),
        (back(10, said=NOW - MINUTE), 50, Basis.DEFAULT),  # what was said has not come true
    ],
)
def test_when_a_machine_is_back(found, end, basis):
    assert (found.end, found.basis) == (NOW + end * MINUTE, basis)


def a_week(*exceptions, zone="Asia/Shanghai"):
    shift = Shift("d", time(8), time(16), frozenset({1, 2, 3, 4, 5}), (Break(time(12), time(13)),))
    return Calendar("day", zone, (shift,), tuple(exceptions))


def minutes_open(calendar, origin, first, last):
    found = engine_calendar("c", calendar, origin)
    span = [int((one - origin) / MINUTE) for one in (first, last)]
    return sum(min(b, span[1]) - max(a, span[0]) for a, b in open_intervals(found, (), span[1]) if b > span[0])


def test_holidays_are_closed_and_days_worked_as_others_open():
    origin = datetime(2026, 11, 22, tzinfo=UTC)
    holiday = DayException(date(2026, 11, 25), date(2026, 11, 25))
    saturday = DayException(date(2026, 11, 28), date(2026, 11, 28), works_as=1)
    week = (origin, origin + timedelta(days=7))
    assert minutes_open(a_week(), origin, *week) == 5 * 420
    assert minutes_open(a_week(holiday), origin, *week) == 4 * 420
    assert minutes_open(a_week(holiday, saturday), origin, *week) == 5 * 420


def test_clocks_that_change_move_the_shift_and_weeks_far_ahead_are_ordinary():
    origin = datetime(2026, 10, 19, tzinfo=UTC)
    calendar = engine_calendar("c", a_week(zone="Europe/Berlin"), origin)
    opened = open_intervals(calendar, (), 3 * WEEK)
    assert opened[0][0] == 6 * 60  # eight o'clock in summer
    assert next(start for start, _end in opened if start >= WEEK) == WEEK + 7 * 60  # and in winter
    assert calendar.period == WEEK


def test_a_calendar_that_never_opens_is_none():
    nobody = Calendar("none", "UTC", ())
    assert engine_calendar("c", nobody, datetime(2026, 11, 22, tzinfo=UTC)) is None


@pytest.mark.django_db
def test_the_plan_of_the_night_is_asked_for_once_a_night():
    site = a_site()
    SitePlanning.objects.create(site=site, nightly_at=time(22, 30))
    evening = datetime(2026, 11, 23, 14, 29, tzinfo=UTC)  # 22:29 at the plant
    ask = lambda at: nightly.ask_what_is_due(actor=SYSTEM, now=at, zone_of=ZoneInfo)  # noqa: E731
    assert ask(evening) == []
    assert len(ask(evening + MINUTE)) == 1
    assert ask(evening + 2 * MINUTE) == []
    assert Scenario.objects.get().asked_by == "test"
    assert len(ask(evening + timedelta(days=1, minutes=5))) == 1
