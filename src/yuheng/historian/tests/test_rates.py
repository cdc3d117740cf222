"""Messages a minute."""

from __future__ import annotations

from yuheng.historian.rates import MinuteRates


def test_the_first_look_knows_no_rate():
    assert MinuteRates().per_minute({1: 5}, 10.0) == {}


def test_a_rate_is_that_of_the_last_minute_only():
    rates = MinuteRates()
    for second in range(121):  # two a second for a minute, then silence
        found = rates.per_minute({1: 2 * min(second, 60)}, float(second))
        if second == 60:
            assert found == {1: 120.0}
    assert found == {1: 0.0}


def test_what_is_kept_does_not_grow():
    rates = MinuteRates()
    for second in range(1000):
        rates.per_minute({1: second}, second * 0.5)
    assert len(rates._past) <= 62
