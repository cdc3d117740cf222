import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yuheng.simulation.engine import EventCalendar, chance, lognormal, weibull


@given(st.lists(st.floats(0, 1e6), max_size=50))
def test_events_happen_in_order_of_time_and_then_of_scheduling(times):
    calendar = EventCalendar(0.0)
    happened: list[tuple[float, int]] = []
    for number, time in enumerate(times):
        calendar.at(time, lambda number=number: happened.append((calendar.now, number)))

    assert calendar.run_until(1e6) == len(times)

    assert happened == sorted((time, number) for number, time in enumerate(times))
    assert calendar.now == 1e6


def test_an_event_may_schedule_another_within_the_same_run():
    calendar = EventCalendar(100.0)
    seen: list[float] = []
    calendar.after(1.0, lambda: calendar.after(1.0, lambda: seen.append(calendar.now)))

    calendar.run_until(102.0)

    assert seen == [102.0]


def test_a_cancelled_event_does_not_happen():
    calendar = EventCalendar(0.0)
    event = calendar.after(1.0, lambda: pytest.fail("it was cancelled"))
    event.cancel()

    assert calendar.run_until(2.0) == 0


def test_nothing_can_be_scheduled_in_the_past():
    calendar = EventCalendar(10.0)
    with pytest.raises(ValueError, match="in the past"):
        calendar.at(9.0, lambda: None)


def test_asking_for_an_earlier_time_changes_nothing():
    calendar = EventCalendar(10.0)
    calendar.run_until(5.0)
    assert calendar.now == 10.0


@pytest.mark.parametrize(("mean", "spread"), [(60.0, 0.1), (300.0, 0.35), (900.0, 0.8)])
def test_lognormal_has_the_mean_and_spread_asked_for(mean, spread):
    stream = chance(1, "lognormal")
    drawn = [lognormal(stream, mean, spread) for _ in range(20_000)]

    assert statistics.fmean(drawn) == pytest.approx(mean, rel=0.03)
    assert statistics.stdev(drawn) / statistics.fmean(drawn) == pytest.approx(spread, rel=0.08)


def test_weibull_has_the_mean_asked_for():
    stream = chance(1, "weibull")
    drawn = [weibull(stream, 3600.0, 1.4) for _ in range(20_000)]
    assert statistics.fmean(drawn) == pytest.approx(3600.0, rel=0.03)
