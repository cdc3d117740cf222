"""A value that did not change is a present one while somebody would have told of a change."""

from __future__ import annotations

from yuheng.engines.points import Quality
from yuheng.web.freshness import FOREVER_US, heard_by_source, is_current, is_silent

NOW = 10_000_000_000
SECOND = 1_000_000
PLAIN, SPARKPLUG = 1, 2
CONNECTORS = {PLAIN: "mqtt_json", SPARKPLUG: "sparkplug_b"}


def test_an_unchanged_value_is_current_while_its_unit_speaks():
    four_minutes_ago = NOW - 240 * SECOND
    heard = heard_by_source([(PLAIN, four_minutes_ago), (PLAIN, NOW - SECOND)], CONNECTORS, 0)[PLAIN]
    assert is_current(Quality.GOOD, four_minutes_ago, heard, 60.0, NOW)


def test_when_nothing_of_the_unit_is_heard_its_values_are_doubtful():
    heard = heard_by_source([(PLAIN, NOW - 61 * SECOND)], CONNECTORS, 0)[PLAIN]
    assert is_silent(heard, 60.0, NOW)
    assert not is_current(Quality.GOOD, NOW - 61 * SECOND, heard, 60.0, NOW)


def test_values_within_the_deadband_count_as_heard():
    assert heard_by_source([(PLAIN, 5)], CONNECTORS, NOW)[PLAIN] == NOW


def test_of_two_sources_the_living_one_does_not_vouch_for_the_dead_one():
    other = 3
    heard = heard_by_source([(PLAIN, NOW), (other, 5)], CONNECTORS, NOW)
    assert not is_silent(heard[PLAIN], 60.0, NOW)
    assert is_silent(heard[other], 60.0, NOW)


def test_a_sparkplug_value_holds_until_its_death_says_otherwise():
    heard = heard_by_source([(SPARKPLUG, 5)], CONNECTORS, 0)[SPARKPLUG]
    assert heard == FOREVER_US
    assert is_current(Quality.GOOD, 5, heard, 1.0, NOW)
    assert not is_current(Quality.BAD, 5, heard, 1.0, NOW)


def test_what_was_never_heard_or_is_uncertain_is_not_current():
    assert not is_current(Quality.GOOD, 0, NOW, 60.0, NOW)
    assert not is_current(Quality.UNCERTAIN, NOW, NOW, 60.0, NOW)
