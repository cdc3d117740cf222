"""Delays, deadband, chatter and doubt: any batching of the same samples tells the same facts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yuheng.engines.alarms.conditions import Fact, Signal, Timing, compile_alarm, constants, relaxed
from yuheng.engines.alarms.evaluation import Heard, Judgement, UnitAlarms, limits_of
from yuheng.engines.alarms.vocabulary import FactKind
from yuheng.engines.states.rules import RuleError

S = 1_000_000


def facts_of(samples, timing, *, steps=()):
    """Feed (seconds, holds); let the clock look at the moments in ``steps``, too."""
    signal, facts = Signal(timing), []
    moments = sorted(
        [(t * S, 0, holds) for t, holds in samples] + [(t * S, 1, None) for t in steps], key=lambda m: m[:2]
    )
    for at_us, is_tick, holds in moments:
        signal.advance(at_us, facts)
        if not is_tick:
            signal.take(at_us, holds, facts)
    signal.advance(10**6 * S, facts)
    return facts


SAMPLES = st.lists(
    st.tuples(st.integers(1, 200), st.sampled_from([True, False, True, False, None])),
    max_size=40,
    unique_by=lambda s: s[0],
).map(sorted)
TIMINGS = st.builds(
    lambda on, off, chatter: Timing(on * S, off * S, chatter * S),
    st.integers(0, 8),
    st.integers(0, 8),
    st.integers(0, 30),
)


@given(SAMPLES, TIMINGS, st.lists(st.integers(1, 250), max_size=30))
def test_when_the_clock_looks_changes_nothing(samples, timing, steps):
    assert facts_of(samples, timing) == facts_of(samples, timing, steps=steps)


@given(SAMPLES, TIMINGS)
def test_facts_are_in_order_and_make_sense(samples, timing):
    facts = facts_of(samples, timing)
    assert [fact.time_us for fact in facts] == sorted(fact.time_us for fact in facts)
    is_active, episode, count = False, 0, 0
    for fact in facts:
        if fact.kind is FactKind.ACTIVATED:
            assert not is_active
            assert fact.episode_us == fact.time_us > episode
            is_active, episode, count = True, fact.episode_us, 1
        elif fact.kind is FactKind.REPEATED:
            assert not is_active
            assert (fact.episode_us, fact.count) == (episode, count + 1)
            is_active, count = True, fact.count
        elif fact.kind is FactKind.CHATTERING:
            assert is_active
            assert fact.count > count
            count = fact.count
        elif fact.kind is FactKind.CLEARED:
            assert is_active
            assert fact.count >= count
            is_active, count = False, fact.count
        else:
            assert is_active


@given(SAMPLES, TIMINGS, st.integers(0, 40))
def test_a_restart_in_between_changes_nothing(samples, timing, cut):
    whole, facts = facts_of(samples, timing), []
    first, second = Signal(timing), Signal(timing)
    for number, (at, holds) in enumerate(samples):
        signal = first if number < cut else second
        if number == cut:
            second.restore(first.marks())
        signal.advance(at * S, facts)
        signal.take(at * S, holds, facts)
    if len(samples) <= cut:
        second.restore(first.marks())
    second.advance(10**6 * S, facts)
    assert facts == whole


def test_the_number_of_facts_of_a_chattering_input_does_not_grow_with_its_speed():
    def chatter(period_ms):
        signal, facts = Signal(Timing(0, 0, 5 * S)), []
        for step in range(0, 120_000, period_ms):
            at_us = 1000 + step * 1000
            signal.advance(at_us, facts)
            signal.take(at_us, step // period_ms % 2 == 0, facts)
        return facts

    slow, fast = chatter(1000), chatter(10)
    assert len(fast) <= len(slow) + 2 < 25
    assert [fact.kind for fact in fast].count(FactKind.ACTIVATED) == 1


def test_a_delay_that_is_interrupted_begins_anew():
    timing = Timing(5 * S, 0, 0)
    assert facts_of([(1, True), (4, False), (6, True), (20, False)], timing) == [
        Fact(FactKind.ACTIVATED, 11 * S, 11 * S, 1),
        Fact(FactKind.CLEARED, 20 * S, 11 * S, 1),
    ]


@pytest.mark.parametrize(
    "when", ["import os", "__import__('os')", "a.b > 1", "a[0] > 1", "(lambda: 1)()", "a > ", "a := 1"]
)
def test_everything_outside_the_language_is_refused(when):
    with pytest.raises(RuleError):
        compile_alarm(when, ["a"], {}, 1.0)


def test_a_state_word_can_be_hidden_by_a_tag_of_its_name():
    hot = compile_alarm("down > 3 and unit_state == idle", ["down"], {})
    values = {**constants(["down"], {}), "down": 4.0, "unit_state": "idle"}
    assert hot.raise_when.holds(values) is True


CONDITIONS = [
    ("a > high", 0.0),
    ("a > high or b < 2", 1.5),
    ("not a > high and b <= 5", 0.5),
    ("1 < a < high", 0.25),
    ("a + b > high", 1.0),
    ("a in (1, 2, 3) and not b", 0.0),
    ("a > b", 1.0),
    ("a == 3 and state != idle", 0.0),
]


@given(
    st.sampled_from(CONDITIONS),
    st.lists(
        st.tuples(st.sampled_from("ab"), st.sampled_from([-1.0, 0.0, 1.0, 1.25, 2.0, 3.0, 4.0, 5.5, 7.0, None])),
        max_size=30,
    ),
)
def test_values_that_cross_no_limit_need_not_be_judged(condition, changes):
    """The same facts come out when only values that cross a limit are looked at."""
    when, deadband = condition
    judgement = Judgement.make(
        definition_id=1,
        when=when,
        symbols=["a", "b"],
        parameters={"high": 4.0},
        deadband=deadband,
        timing=Timing(0, 0, 0),
    )
    limits = limits_of(judgement, [when, relaxed(when, deadband)] if deadband else [when])

    def run(heard):
        unit = UnitAlarms(1)
        unit.judge_by([judgement])
        told = unit.hear([Heard(1, state=2), *heard])
        return [(one.kind, one.time_us, one.count) for one in told]

    def place(symbol, value):
        numbers = limits.get(symbol, set())  # of a symbol that no condition names no value matters
        if value is None or numbers is None:
            return value
        return sum(value > n for n in numbers) + sum(value >= n for n in numbers), None

    every = [Heard(2 + i, symbol, value) for i, (symbol, value) in enumerate(changes)]
    chosen, before = [], {}
    for one in every:
        where = place(one.symbol, one.value)
        if one.symbol not in before or before[one.symbol] != where:
            chosen.append(one)
        before[one.symbol] = where
    assert run(chosen) == run(every)
