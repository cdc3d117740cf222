"""Alarms judged on the way of a reading."""

from __future__ import annotations

import msgspec
import numpy as np

from yuheng.bus.documents import AlarmRule, AlarmVariant
from yuheng.engines.points import PointBlock, Quality
from yuheng.historian.pipeline import Pipeline
from yuheng.historian.tests.processes import a_plant

S = 1_000_000
T0 = 1_780_000_000 * S
RUN, FAULT, COUNT = 1, 2, 3


class Clock:
    def __init__(self) -> None:
        self.us = T0

    def __call__(self) -> int:
        return self.us


class Bench:
    """A pipeline with alarm rules on unit U0 (and U1), fed with points."""

    def __init__(self, *rules: AlarmRule) -> None:
        self.clock = Clock()
        self.pipeline = Pipeline(clock_us=self.clock, publish=lambda subject, data: None)
        self.version = 0
        self.configure(*rules)
        self.pipeline.alarms.begin(self.clock())

    def configure(self, *rules: AlarmRule) -> None:
        self.version += 1
        self.pipeline.configure(msgspec.structs.replace(a_plant(2, version=self.version), alarm_rules=rules))

    def feed(self, *points: tuple[float, int, float], quality: int = Quality.GOOD) -> list[tuple[str, float, int]]:
        """Feed (seconds, tag, value); return what was told: kind, seconds, count."""
        block = PointBlock(
            np.array([p[1] for p in points], np.uint32),
            np.array([T0 + int(p[0] * S) for p in points], np.int64),
            np.array([p[2] for p in points], np.float64),
            np.full(len(points), quality, np.uint8),
            np.zeros(len(points), np.uint64),
            np.array([T0 + int(p[0] * S) for p in points], np.int64),
        )
        self.clock.us = max(self.clock.us, T0 + int(max(p[0] for p in points) * S))
        self.pipeline._absorb(block, [])
        return self.told()

    def tick(self, seconds: float) -> list[tuple[str, float, int]]:
        self.clock.us = T0 + int(seconds * S)
        self.pipeline.units.tick(self.clock())
        self.pipeline.alarms.tick(self.clock())
        return self.told()

    def told(self) -> list[tuple[str, float, int]]:
        return [(f.kind, (f.time_us - T0) / S, f.count) for f in self.pipeline.alarms.take()]


def a_rule(when="count > high", **fields) -> AlarmRule:
    return AlarmRule(
        **{
            "id": 7,
            "work_unit_ids": (1,),
            "when": when,
            "parameters": {"high": 80.0},
            "value_symbol": "count",
            "chatter_window_s": 10.0,
            **fields,
        }
    )


def test_a_value_that_crosses_the_limit_is_told_with_its_value_and_only_then():
    bench = Bench(a_rule())
    bench.feed((0, RUN, 1.0), (0, COUNT, 10.0))
    assert bench.feed((1, COUNT, 70.0), (2, COUNT, 79.9)) == []
    bench.clock.us = T0 + 3 * S
    block = [(3.0, COUNT, 81.5), (4.0, COUNT, 95.0), (5.0, COUNT, 60.0)]
    assert bench.feed(*block) == [("activated", 3.0, 1), ("cleared", 5.0, 1)]
    bench.feed((30, COUNT, 81.5))
    (fact,) = bench.pipeline.alarms.take() or [None]
    assert fact is None


def test_the_fact_carries_what_was_judged():
    bench = Bench(a_rule())
    bench.feed((0, RUN, 1.0), (0, COUNT, 10.0))
    bench.clock.us = T0 + 3 * S
    bench.pipeline._absorb(
        PointBlock(
            np.array([COUNT], np.uint32),
            np.array([T0 + 3 * S], np.int64),
            np.array([81.5]),
            np.zeros(1, np.uint8),
            np.zeros(1, np.uint64),
            np.array([T0 + 3 * S], np.int64),
        ),
        [],
    )
    (fact,) = bench.pipeline.alarms.take()
    assert (fact.definition_id, fact.work_unit_id, fact.value, fact.values) == (
        7,
        1,
        81.5,
        {"count": 81.5, "state": "producing", "cause": ""},
    )


def test_the_deadband_holds_the_alarm():
    bench = Bench(a_rule(deadband=2.0))
    bench.feed((0, COUNT, 10.0))
    assert bench.feed((1, COUNT, 81.0), (2, COUNT, 79.0), (3, COUNT, 78.5)) == [("activated", 1.0, 1)]
    assert bench.feed((4, COUNT, 77.9)) == [("cleared", 4.0, 1)]


def test_delays_count_in_the_time_of_the_source_and_pass_with_our_clock():
    bench = Bench(a_rule(on_delay_s=5.0))
    bench.feed((0, COUNT, 10.0))
    assert bench.feed((1, COUNT, 90.0), (4, COUNT, 10.0)) == []  # too short
    assert bench.feed((10, COUNT, 90.0)) == []
    assert bench.tick(14.0) == []
    assert bench.tick(15.5) == [("activated", 15.0, 1)]
    assert bench.feed((20, COUNT, 91.0), (21, COUNT, 10.0)) == [("cleared", 21.0, 1)]


def test_a_message_says_what_raised_it_even_when_that_is_over_by_the_time_it_is_told():
    bench = Bench(a_rule(on_delay_s=5.0))
    bench.feed((0, COUNT, 10.0))
    bench.clock.us = T0
    points = ((1, COUNT, 90.0), (3, COUNT, 95.0), (7, COUNT, 0.4))  # one batch: over before anything was told
    block = PointBlock(
        np.array([p[1] for p in points], np.uint32),
        np.array([T0 + p[0] * S for p in points], np.int64),
        np.array([p[2] for p in points], np.float64),
        np.full(3, Quality.GOOD, np.uint8),
        np.zeros(3, np.uint64),
        np.array([T0 + p[0] * S for p in points], np.int64),
    )
    bench.clock.us = T0 + 7 * S
    bench.pipeline._absorb(block, [])
    raised, cleared = bench.pipeline.alarms.take()
    assert (raised.kind, raised.time_us) == ("activated", T0 + 6 * S)
    assert raised.value in (90.0, 95.0)
    assert raised.values["count"] == raised.value
    assert (cleared.kind, cleared.value) == ("cleared", 0.4)


def test_a_state_can_be_a_condition():
    bench = Bench(a_rule("state == down and cause == '12'", on_delay_s=60.0, parameters={}))
    bench.feed((0, RUN, 1.0), (0, FAULT, 0.0))
    assert bench.feed((1, FAULT, 12.0)) == []
    told = []
    for second in range(2, 70):
        told += bench.feed((second, COUNT, float(second)))
        told += bench.tick(second + 0.1)
    assert told == [("activated", 61.0, 1)]
    assert bench.feed((70, FAULT, 0.0)) == [("cleared", 70.0, 1)]


def test_no_data_is_raised_after_its_delay_and_ends_when_data_comes():
    bench = Bench(a_rule("state == no_data", on_delay_s=120.0, parameters={}))
    bench.feed((0, RUN, 1.0), (0, FAULT, 0.0))
    told = [one for second in range(1, 400) for one in bench.tick(float(second))]
    assert [(kind, count) for kind, _at, count in told] == [("activated", 1)]
    assert told[0][1] == 150.0  # 30 s until the unit counts as silent
    assert bench.feed((400, RUN, 1.0)) == [("cleared", 400.0, 1)]


def test_readings_kept_by_a_device_and_sent_at_once_are_not_a_silence():
    bench = Bench(a_rule("state == no_data", on_delay_s=120.0, parameters={}))
    bench.clock.us = T0 + 3600 * S  # the device was away for an hour, and sends what it kept in large steps
    told = []
    for minute in range(0, 60, 10):
        told += bench.feed((minute * 60, RUN, 1.0), (minute * 60 + 1, FAULT, 0.0))
        told += bench.tick(3600 + minute / 10)
    told += bench.feed((3610, RUN, 1.0))
    for second in range(3610, 3660):
        told += bench.tick(float(second))  # silent for 50 s: no data, and not for long enough
    told += bench.feed((7200, RUN, 1.0))  # then a step of an hour again
    assert told == []


def test_a_bad_value_makes_an_active_alarm_uncertain_and_never_clears_it():
    bench = Bench(a_rule())
    bench.feed((0, RUN, 1.0), (0, COUNT, 90.0))
    bench.told()
    assert bench.feed((1, COUNT, float("nan")), quality=Quality.BAD) == [("uncertain", 1.0, 1)]
    assert bench.feed((2, COUNT, 91.0)) == [("certain", 2.0, 1)]
    assert bench.tick(40.0) == [("uncertain", 32.0, 1)]  # 30 s of silence: no data
    assert bench.feed((50, COUNT, 10.0)) == [("certain", 50.0, 1), ("cleared", 50.0, 1)]


def test_a_chattering_input_is_one_alarm_with_a_count():
    bench = Bench(a_rule())
    bench.feed((0, COUNT, 10.0))
    told = bench.feed(*[(1 + i * 0.1, COUNT, 90.0 if i % 2 else 10.0) for i in range(2000)])
    kinds = [kind for kind, _t, _n in told]
    assert kinds.count("activated") == 1
    assert len(told) < 40
    assert told[-1][0] != "cleared"
    bench.feed((230, COUNT, 10.0))
    assert bench.tick(241.0) == [("cleared", 240.0, 1000)]


def test_suppression_by_state_is_told_with_the_alarm_and_when_it_changes():
    bench = Bench(a_rule(suppress_states=(5,)))
    bench.feed((0, RUN, 1.0), (0, FAULT, 3.0))
    bench.feed((1, COUNT, 90.0))
    assert bench.pipeline.alarms.by_unit[1].alarms[7].is_suppressed
    assert bench.feed((2, FAULT, 0.0)) == [("unsuppressed", 2.0, 1)]
    assert bench.feed((3, FAULT, 4.0)) == [("suppressed", 3.0, 1)]


def test_another_limit_holds_at_once_and_units_may_have_their_own():
    bench = Bench(a_rule(work_unit_ids=(1, 2)))
    bench.feed((0, COUNT, 70.0), (0, COUNT + 4, 70.0))
    variant = AlarmVariant(2, {"high": 75.0})
    bench.configure(a_rule(work_unit_ids=(1, 2), parameters={"high": 60.0}, variants=(variant,)))
    assert bench.told() == [("activated", 0.0, 1)]
    assert bench.feed((1, COUNT + 4, 76.0)) == [("activated", 1.0, 1)]
    bench.configure(a_rule(work_unit_ids=(2,), parameters={"high": 60.0}, variants=(variant,)))
    assert [key[:2] for key in bench.pipeline.alarms.active(0).active] == [(7, 2)]


def test_a_restart_goes_on_where_it_was():
    rule = a_rule(on_delay_s=5.0)
    bench = Bench(rule)
    bench.feed((0, COUNT, 10.0), (1, COUNT, 90.0))
    marks, newest = bench.pipeline.alarms.marks(), bench.pipeline.units.marks()

    again = Bench()
    again.configure(rule)
    slots = again.pipeline.tags.slots(np.array([COUNT], np.uint32))
    again.pipeline.latest.value[slots], again.pipeline.latest.time_us[slots] = 90.0, T0 + S
    again.pipeline.units.restore(newest, {1: bench.pipeline.units.by_id[1].derivation.changes}, T0 + 2 * S)
    again.pipeline.alarms.restore(marks)
    again.told()
    again.pipeline.alarms.is_looking = True
    assert again.feed((7, COUNT, 95.0)) + again.tick(7.1) == [("activated", 6.0, 1)]


def test_a_broken_condition_is_a_complaint_and_harms_no_other():
    bench = Bench(a_rule("nonsense > 1", id=1), a_rule(id=2))
    assert any("nonsense" in complaint for complaint in bench.pipeline.complaints())
    bench.feed((0, COUNT, 10.0))
    assert bench.feed((1, COUNT, 90.0)) == [("activated", 1.0, 1)]
