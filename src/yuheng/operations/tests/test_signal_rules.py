"""Counting, clocks, spans and stops, by themselves."""

from __future__ import annotations

import random
from datetime import timedelta

import pytest

from yuheng.engines.states.vocabulary import UnitState
from yuheng.operations.rules import ResponseKind
from yuheng.operations.rules.signals import (
    Event,
    How,
    OnClock,
    Reading,
    Span,
    StepKind,
    Stretch,
    VerbKind,
    clock_of,
    clock_verbs,
    job_at,
    late_stops,
    spans_of,
    steps,
    stopped_s,
)
from yuheng.testing.builders import SHIFT_START as T

S = timedelta(seconds=1)


def counted(*values, every=30, cycle_s=None):
    readings = [Reading(T + i * every * S, float(value)) for i, value in enumerate(values)]
    return steps(readings, cycle_s=cycle_s)


@pytest.mark.parametrize(
    ("values", "total", "cycle_s"),
    [
        ((7, 8, 9, 10), 3, None),
        ((7, 7, 8, 8), 1, None),  # the same again is nothing
        ((7, 8, 0, 1, 2), 3, None),  # set to zero
        ((7, 8, 0, 1, 2), 3, 30.0),
        ((65534, 65535, 0, 1), 3, None),  # 16 bits
        ((2**32 - 1, 0, 1), 2, 30.0),
        ((9998, 9999, 0, 1), 3, 30.0),  # a decimal totaliser
        ((1233, 0, 1234, 1235), 2, 30.0),  # a wrong value for a moment
        ((1233, 0, 1234, 1235), 2, None),
        ((10, 11, 500_000, 12), 2, 30.0),  # a wrong one upwards
        ((10, 11, 500_000, 500_001), 2, 30.0),  # it stays there: the jump itself is no piece
        ((905, 904, 905), 0, 30.0),  # a wrong value for a moment, by one
        ((900, 899, 901), 1, 30.0),
        ((900, 860, 861), 1, 300.0),  # corrected by hand at the machine
    ],
)
def test_a_counter_is_read_as_a_person_would_read_it(values, total, cycle_s):
    assert sum(step.count for step in counted(*values, cycle_s=cycle_s)) == total


def test_what_is_impossible_is_named():
    assert [step.kind for step in counted(900, 700, 701, cycle_s=3600.0)][1] is StepKind.FELL
    assert [step.kind for step in counted(1, 900_000, 900_001, cycle_s=30.0)][1] is StepKind.JUMPED


@pytest.mark.parametrize("seed", range(60))
def test_whatever_comes_in_whatever_order_the_steps_add_up_to_the_pieces(seed):
    """Every piece is counted once: resets, wraps, doubles and late deliveries included."""
    chance = random.Random(seed)
    value, true, readings, at = float(chance.randrange(0, 500)), 0, [], T
    width = chance.choice([None, None, 65536])
    if width:
        value = float(width - chance.randrange(5, 60))
    readings.append(Reading(at, value))
    for _ in range(chance.randrange(20, 200)):
        at += chance.uniform(5, 90) * S
        if value < 9_000 and chance.random() < 0.04:
            value = 0.0
        else:
            value, true = value + 1, true + 1
            if width and value >= width:
                value -= width
        readings.append(Reading(at, value))
    delivered = readings[1:] + chance.sample(readings, len(readings) // 3)
    chance.shuffle(delivered)
    known = {(readings[0].at): readings[0]}
    for reading in delivered:
        known[reading.at] = reading  # the key makes doubles one
    in_order = [known[key] for key in sorted(known)]
    for cycle_s in (None, 30.0):
        assert sum(step.count for step in steps(in_order, cycle_s=cycle_s)) == true


# ---- clocks ---------------------------------------------------------------------------------------------------------


def test_a_clock_an_hour_slow_is_found_after_five_readings_and_a_buffer_is_no_slow_clock():
    hour = timedelta(hours=1)
    slow = [(T + i * 10 * S, T + hour + i * 10 * S + 0.3 * i * S) for i in range(5)]
    assert not clock_of(slow[:4]).is_known
    assert clock_of(slow).is_wrong
    assert clock_of(slow).offset == hour
    buffered = [(T + i * 10 * S, T + hour + i * 0.1 * S) for i in range(5)]
    assert not clock_of(buffered).is_known
    assert clock_of([*buffered, (T + hour, T + hour + S)]).offset == timedelta(0)


def test_a_clock_that_is_ahead_needs_no_second_look():
    ahead = clock_of([(T + timedelta(minutes=5), T)])
    assert ahead.is_wrong
    assert ahead.offset == -timedelta(minutes=5)


# ---- whose piece ----------------------------------------------------------------------------------------------------


def test_pieces_belong_to_the_job_that_had_the_machine_when_they_were_complete():
    m = timedelta(minutes=1)
    kinds = ResponseKind
    spans = spans_of(
        [
            Event(1, kinds.STARTED, T),
            Event(1, kinds.PAUSED, T + 10 * m),
            Event(2, kinds.STARTED, T + 11 * m),
            Event(2, kinds.FINISHED, T + 20 * m),
            Event(1, kinds.RESUMED, T + 21 * m),
            Event(1, kinds.FINISHED, T + 30 * m),
        ]
    )
    found = [job_at(spans, T + minutes * m) for minutes in (0, 5, 10.5, 15, 25, 30.1, 40)]
    assert [(one.job_order_id, one.how) for one in found] == [
        (None, How.NOBODY),
        (1, How.WORKING),
        (1, How.RESTING),
        (2, How.WORKING),
        (1, How.WORKING),
        (1, How.TAIL),
        (None, How.NOBODY),
    ]
    assert job_at([Span(1, T, None), Span(2, T, None)], T + m).how is How.SEVERAL


# ---- states and the job's clock -------------------------------------------------------------------------------------

P, D, IDLE, NO = (int(one) for one in (UnitState.PRODUCING, UnitState.DOWN, UnitState.IDLE, UnitState.NO_DATA))


def stretches(*told):
    """(state, minutes) in order; the last one lasts."""
    found, at = [], T
    for place, (state, minutes) in enumerate(told):
        end = at + timedelta(minutes=minutes)
        found.append(Stretch(state, "", at, None if place == len(told) - 1 else end))
        at = end
    return found


def test_a_fault_stops_the_clock_when_it_began_and_production_lets_it_go_on():
    m = timedelta(minutes=1)
    told = stretches((P, 10), (D, 3), (IDLE, 1), (P, 5), (IDLE, 2), (P, 1))
    verbs = clock_verbs(OnClock(True, T), told, T + 30 * m)
    assert [(verb.kind, verb.at) for verb in verbs] == [(VerbKind.PAUSE, T + 10 * m), (VerbKind.RESUME, T + 14 * m)]


def test_short_stops_and_silence_change_nothing():
    m = timedelta(minutes=1)
    told = stretches((P, 10), (D, 0.4), (P, 5), (NO, 20), (P, 5))
    assert clock_verbs(OnClock(True, T), told, T + 50 * m) == []


def test_a_stop_that_becomes_known_late_is_taken_off_what_was_worked():
    m = timedelta(minutes=1)
    told = stretches((P, 10), (D, 5), (P, 60))
    span = Span(1, T, None, ((T + 30 * m, T + 35 * m),))
    late = late_stops(span, OnClock(True, T + 35 * m), told, T + 60 * m)
    assert [(one.start, one.end) for one in late] == [(T + 10 * m, T + 15 * m)]
    assert clock_verbs(OnClock(True, T + 35 * m), told, T + 60 * m) == []
    assert stopped_s(told, T, T + 12 * m, T + 60 * m) == 120.0
