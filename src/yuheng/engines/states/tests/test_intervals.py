"""Exact intervals: the definition itself, any batching, the prefilter."""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from yuheng.engines.states.intervals import Change, Derivation, Event, derive, events_of, merged
from yuheng.engines.states.rules import RuleSet, compile_rules
from yuheng.engines.states.vocabulary import UnitState

S = 1_000_000
TIMEOUT = 10 * S


class R(NamedTuple):
    state: int
    when: str
    cause: str = ""


NAMES = ("run", "fault", "")


def the_rules() -> RuleSet:
    rules = [R(UnitState.DOWN, "fault != 0", "fault"), R(UnitState.PRODUCING, "run"), R(UnitState.IDLE, "not run")]
    return compile_rules(rules, ("run", "fault"))


def by_definition(events: list[Event], at: int) -> tuple[int, str]:
    """The state at a moment, straight from the module's definition."""
    values: dict[str, float | str | None] = {}
    seen = None
    for event in events:
        if event.time_us > at:
            break
        if event.symbol:
            values[event.symbol] = event.value
        if event.value is not None:
            seen = event.time_us
    if seen is None or at >= seen + TIMEOUT or (values and all(v is None for v in values.values())):
        return UnitState.NO_DATA, ""
    return the_rules().evaluate(values)


def at(changes: list[Change], moment: int) -> tuple[int, str]:
    found = [change for change in changes if change.start_us <= moment]
    return (found[-1].state, found[-1].cause) if found else (UnitState.NO_DATA, "")


event_lists = st.lists(
    st.tuples(
        st.integers(1, 120),
        st.sampled_from(NAMES),
        st.one_of(st.none(), st.sampled_from([0.0, 1.0, 7.0])),
    ),
    max_size=40,
).map(lambda rows: [Event(t * S, s, v) for t, s, v in sorted(rows, key=lambda row: row[0])])


def test_silence_is_no_data_from_the_timeout_on_and_ends_with_the_next_sample():
    events = [Event(1 * S, "run", 1.0), Event(5 * S, "run", 1.0), Event(40 * S, "run", 1.0)]
    assert derive(the_rules(), TIMEOUT, events) == [
        Change(1 * S, UnitState.PRODUCING, ""),
        Change(15 * S, UnitState.NO_DATA, ""),
        Change(40 * S, UnitState.PRODUCING, ""),
    ]


def test_a_sign_of_life_of_another_signal_keeps_the_state():
    events = [Event(1 * S, "run", 1.0), *(Event(t * S, "", 1.0) for t in range(5, 60, 5))]
    assert derive(the_rules(), TIMEOUT, events, until_us=60 * S) == [Change(1 * S, UnitState.PRODUCING, "")]


def test_a_fault_has_its_cause_and_another_fault_is_another_interval():
    events = [Event(t * S, "fault", v) for t, v in [(1, 0.0), (2, 12.0), (3, 12.0), (4, 13.0), (5, 0.0)]]
    assert [(c.state, c.cause) for c in derive(the_rules(), TIMEOUT, events)] == [
        (UnitState.UNKNOWN, ""),
        (UnitState.DOWN, "12"),
        (UnitState.DOWN, "13"),
        (UnitState.UNKNOWN, ""),
    ]


def test_all_signals_bad_is_no_data_at_once():
    events = [Event(1 * S, "run", 1.0), Event(2 * S, "run", None)]
    assert derive(the_rules(), TIMEOUT, events)[-1] == Change(2 * S, UnitState.NO_DATA, "")


def test_no_data_said_by_the_clock_is_taken_back_by_a_sample_that_was_only_slow():
    derivation = Derivation(the_rules(), TIMEOUT)
    derivation.advance([Event(1 * S, "run", 1.0)])
    derivation.tick(30 * S)
    assert derivation.changes[-1] == Change(11 * S, UnitState.NO_DATA, "")
    derivation.advance([Event(9 * S, "run", 1.0)])
    assert derivation.changes == [Change(1 * S, UnitState.PRODUCING, "")]


@given(event_lists)
def test_the_derivation_agrees_with_the_definition_at_every_moment(events: list[Event]):
    changes = derive(the_rules(), TIMEOUT, events, until_us=200 * S)
    assert changes == merged(changes)
    for moment in range(0, 200 * S, S // 2):
        assert at(changes, moment) == by_definition(events, moment)


@given(event_lists, st.lists(st.integers(0, 40), max_size=6), st.booleans())
def test_any_batching_gives_the_same_intervals(events: list[Event], cuts: list[int], with_ticks: bool):
    derivation = Derivation(the_rules(), TIMEOUT)
    places = sorted({0, len(events), *(cut for cut in cuts if cut < len(events))})
    for start, stop in pairwise(places):
        derivation.advance(events[start:stop])
        if with_ticks:
            derivation.tick(derivation.newest_us + 15 * S)
    derivation.tick(300 * S)
    assert derivation.changes == derive(the_rules(), TIMEOUT, events, until_us=300 * S)


@given(event_lists)
def test_the_prefilter_changes_nothing(events: list[Event]):
    symbols = np.array([NAMES.index(event.symbol) for event in events], np.int64)
    kept = events_of(
        np.array([event.time_us for event in events], np.int64),
        symbols,
        np.array([event.value if event.value is not None else np.nan for event in events], np.float64),
        np.array([event.value is None for event in events], np.bool_),
        NAMES,
        timeout_us=TIMEOUT,
    )
    assert derive(the_rules(), TIMEOUT, kept, until_us=300 * S) == derive(
        the_rules(), TIMEOUT, events, until_us=300 * S
    )


def test_a_quiet_day_is_a_handful_of_events():
    count = 86_400
    kept = events_of(
        np.arange(count, dtype=np.int64) * S,
        np.zeros(count, np.int64),
        np.ones(count),
        np.zeros(count, np.bool_),
        ("run",),
        timeout_us=TIMEOUT,
    )
    assert len(kept) == 2
