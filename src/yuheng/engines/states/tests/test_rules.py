"""The rule language: what it says, what it refuses, and that nothing makes it raise while the plant runs."""

from __future__ import annotations

from contextlib import suppress
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yuheng.engines.states.rules import RuleError, compile_rules
from yuheng.engines.states.vocabulary import UnitState

SYMBOLS = ("run", "mode", "fault", "program")


class R(NamedTuple):
    state: int
    when: str
    cause: str = ""


def holds(when: str, **values: float | str | None) -> bool:
    state, _ = compile_rules([R(UnitState.PRODUCING, when)], SYMBOLS).evaluate(values)
    return state == UnitState.PRODUCING


@pytest.mark.parametrize(
    ("when", "expected"),
    [
        ("run", True),
        ("not run", False),
        ("run == true", True),
        ("fault != 0", False),
        ("mode in (1, 2, 3)", True),
        ("mode not in (1, 2)", True),
        ("mode in (3)", True),
        ("program == 'A-7'", True),
        ("program in ('B', 'A-7')", True),
        ("1 < mode <= 3", True),
        ("mode * 2 - 1 == 5 and not fault", True),
        ("-mode == -3 or fault", True),
        ("mode / 0 > 1", False),
        ("program < 3", False),
        ("program + 1 == 2", False),
        ("'x' * 1000000000 == 'y'", False),
    ],
)
def test_conditions_mean_what_they_say(when: str, expected: bool):
    assert holds(when, run=1.0, mode=3.0, fault=0.0, program="A-7") is expected


def test_a_symbol_without_a_good_value_makes_its_condition_false_and_the_next_rule_is_tried():
    rules = compile_rules([R(5, "fault != 0 or run"), R(3, "not run")], SYMBOLS)
    assert rules.evaluate({"fault": None, "run": 0.0}) == (UnitState.IDLE, "")
    assert rules.evaluate({}) == (UnitState.UNKNOWN, "")


@pytest.mark.parametrize(
    ("cause", "text"), [("fault", "12"), ("'No wire'", "No wire"), ("program", "A"), ("mode", ""), ("", "")]
)
def test_the_cause_is_a_value_or_a_text(cause: str, text: str):
    rules = compile_rules([R(5, "fault != 0", cause)], SYMBOLS)
    assert rules.evaluate({"fault": 12.0, "program": "A"}) == (UnitState.DOWN, text)


@pytest.mark.parametrize(
    ("when", "sentence"),
    [
        ("run ==", "Rule 1, character"),
        (
            "speed > 1",
            "Rule 1, character 1: 'speed' is not a symbol of this class. Its symbols: fault, mode, program, run.",
        ),
        ("run and speed", "Rule 1, character 9: 'speed'"),
        ("__import__('os')", "Rule 1, character 1: only comparisons"),
        ("run.real", "Rule 1, character 1: only comparisons"),
        ("mode ** 99999999", "Rule 1, character 1: of the calculations only"),
        ("run is 1", "Rule 1, character 1: 'is' cannot be used here"),
        ("[x for x in (1,)]", "only comparisons"),
        ("lambda: 1", "only comparisons"),
        ("f'{run}'", "only comparisons"),
        ("", "Rule 1: the expression is empty."),
        ("1" * 400, "this number is too large"),
        ("not " * 100 + "run", "nested too deeply"),
        ("run " + "or run " * 500, "longer than 1000 characters"),
        ("\0", "Rule 1"),
        ("b'x' == 1", "only numbers, 'text', true and false"),
    ],
)
def test_what_is_outside_the_language_is_refused_with_its_place(when: str, sentence: str):
    with pytest.raises(RuleError) as refusal:
        compile_rules([R(2, when)], SYMBOLS)
    assert sentence in str(refusal.value)


def test_an_unknown_state_is_refused():
    with pytest.raises(RuleError, match="Rule 1: 99 is not a state"):
        compile_rules([R(99, "run")], SYMBOLS)


WORDS = [
    "run",
    "mode",
    "fault",
    "program",
    "and",
    "or",
    "not",
    "in",
    "(",
    ")",
    ",",
    "==",
    "!=",
    "<",
    ">=",
    "+",
    "-",
    "*",
    "/",
    "1",
    "0",
    "2.5",
    "'a'",
    "true",
    "false",
    "if",
    "else",
    "[",
    "]",
    ".",
    "**",
    "is",
    ":",
    "=",
    "x",
    "~",
    "lambda",
]
words = st.sampled_from([*WORDS, "\n"])
values = st.one_of(st.none(), st.floats(allow_nan=True), st.text(max_size=3))


@given(st.lists(words, max_size=12).map(" ".join), st.dictionaries(st.sampled_from(SYMBOLS), values))
def test_any_text_is_either_refused_in_a_sentence_or_evaluates(text: str, given_values: dict[str, float | str | None]):
    with suppress(RuleError):
        rules = compile_rules([R(2, text, text)], SYMBOLS)
        state, cause = rules.evaluate(given_values)
        assert state in UnitState
        assert isinstance(cause, str)


@given(st.text(max_size=60))
def test_any_characters_are_either_refused_or_evaluate(text: str):
    with suppress(RuleError):
        compile_rules([R(2, text)], SYMBOLS).evaluate({"run": 1.0})


def test_a_huge_text_as_a_cause_is_cut_and_marked():
    rules = compile_rules([R(5, "run", "mode")], ["run", "mode"])
    _, cause = rules.evaluate({"run": 1.0, "mode": "送" * 1_000_000})
    assert cause == "送" * 199 + "…"
    assert rules.evaluate({"run": 1.0, "mode": "x" * 200})[1] == "x" * 200
