"""Patterns: what they say, and what is wrong with those that cannot be read."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yuheng.engines.patterns import PatternError, fill, names_in

MACHINE = {"unit": "P07", "n": 7, "line": "12", "area": "press"}


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("nsu=urn:fab;s=Line{line}.{unit}.Temp", "nsu=urn:fab;s=Line12.P07.Temp"),
        ("P{n:02d}", "P07"),
        ("{n:d}/{n:x}/{n:03X}", "7/7/007"),
        ("{n*100+40001}", "40701"),
        ("{n - 1:03d}", "006"),
        ("{n+2*3}", "13"),
        ("{line+1}", "13"),
        ("{{{unit}}}", "{P07}"),
        ("no placeholder", "no placeholder"),
        ("", ""),
    ],
)
def test_a_pattern_is_filled_in(pattern, said):
    assert fill(pattern, MACHINE) == said


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [
        ("{unit", "brace"),
        ("unit}", "brace"),
        ("{}", "placeholder"),
        ("{unit.__class__}", "placeholder"),
        ("{unit!r}", "placeholder"),
        ("{n:>9999999d}", "placeholder"),
        ("{0}", "placeholder"),
        ("{no_such}", "unknown"),
        ("{unit:02d}", "number"),
        ("{area+1}", "number"),
        ("x" * 1001, "long"),
        ("{n}" * 21, "long"),
    ],
)
def test_a_wrong_pattern_says_what_is_wrong(pattern, reason):
    with pytest.raises(PatternError) as error:
        fill(pattern, MACHINE)
    assert error.value.reason == reason


def test_the_names_of_a_pattern_are_known_without_values():
    assert names_in("{line}.{unit}.{n:02d}.{unit}") == {"line", "unit", "n"}


@given(st.text(alphabet="{}ab:n+-*0123d ", max_size=40))
def test_any_text_is_filled_in_or_refused(pattern):
    with suppress(PatternError):
        assert isinstance(fill(pattern, {"a": "x", "b": 3, "n": 1}), str)


@given(st.text(max_size=60))
def test_doubled_braces_give_any_text_back(text):
    assert fill(text.replace("{", "{{").replace("}", "}}"), {}) == text
