"""The language of calculated tags: against a plain interpreter, with units, and against everything that is not it."""

from __future__ import annotations

import math
import random
import string

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from yuheng.engines.formulas.calculation import Input, calculate, moments, over_time
from yuheng.engines.formulas.language import Call, FormulaError, Name, Node, Number, Power, parse
from yuheng.engines.formulas.measuring import check
from yuheng.engines.points import Quality
from yuheng.kernel.units import parse as parse_unit

S = 1_000_000
NAN = float("nan")


def an_input(*rows: tuple[int, float]) -> Input:
    times = np.array([t * S for t, _ in rows], np.int64)
    values = np.array([v for _, v in rows])
    return Input(times, values, np.where(np.isnan(values), 0x80, 0).astype(np.uint8))


def value_of(text: str, **values: float) -> float:
    inputs = {name: an_input((0, value)) for name, value in values.items()}
    found, quality = calculate(parse(text).tree, inputs, np.array([0], np.int64))
    assert (quality[0] >= Quality.BAD) == math.isnan(found[0])
    return float(found[0])


@pytest.mark.parametrize(
    ("text", "values", "expected"),
    [
        ("a + b * 2", {"a": 1, "b": 3}, 7),
        ("(a - b) / 4", {"a": 9, "b": 1}, 2),
        ("a / b", {"a": 9, "b": 0}, NAN),
        ("a ** 2 + a ** -1", {"a": 2}, 4.5),
        ("-a", {"a": 2}, -2),
        ("1 < a <= 3 and not b", {"a": 3, "b": 0}, 1),
        ("a == 1 or b", {"a": NAN, "b": 1}, 1),
        ("a == 1 and b", {"a": NAN, "b": 1}, NAN),
        ("a if b > 0 else 7", {"a": 3, "b": 0}, 7),
        ("a if b > 0 else 7", {"a": 3, "b": NAN}, NAN),
        ("min(a, b, 2) + max(a, b)", {"a": 5, "b": 3}, 7),
        ("clip(a, 0, 10)", {"a": 12}, 10),
        ("sqrt(a)", {"a": -1}, NAN),
        ("log(a) + exp(a) * 0 + abs(-a) + round(a * 1.4)", {"a": 1}, 2),
        ("exp(a)", {"a": 1e9}, NAN),
        ("a * true + false", {"a": 4}, 4),
    ],
)
def test_it_calculates_and_what_cannot_be_calculated_is_no_value(text: str, values: dict, expected: float):
    found = value_of(text, **values)
    assert found == pytest.approx(expected, nan_ok=True)


def test_inputs_hold_until_their_next_sample_and_results_stand_at_every_sample():
    inputs = {"a": an_input((0, 1), (10, 2)), "b": an_input((5, 10), (10, 20), (12, NAN))}
    at = moments(inputs, 0, 100 * S)
    assert (at // S).tolist() == [0, 5, 10, 12]
    found, quality = calculate(parse("a + b").tree, inputs, at)
    assert found.tolist()[1:3] == [11, 22]
    assert quality.tolist() == [0x80, 0, 0, 0x80]


def test_the_past_of_a_tag_is_its_own_samples():
    inputs = {"a": an_input((0, 1), (10, 5), (20, 5)), "b": an_input((3, 0), (13, 0))}
    at = moments(inputs, 0, 100 * S)
    assert calculate(parse("prev(a)").tree, inputs, at)[0].tolist()[2:] == [1, 1, 5]
    assert calculate(parse("delta(a)").tree, inputs, at)[0].tolist()[2:] == [4, 4, 0]
    assert calculate(parse("rate(a, '1m')").tree, inputs, at)[0].tolist()[2:] == [24, 24, 0]


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 60))
def test_windows_equal_a_plain_loop(seed: int, span: int):
    rng = random.Random(seed)
    times = sorted(rng.sample(range(300), rng.randint(1, 60)))
    values = [NAN if rng.random() < 0.15 else rng.uniform(-5, 5) for _ in times]
    at = np.array(times, np.int64) * S
    for name in ("avg", "min", "max"):
        found = over_time(name, at, np.array(values), span * S)
        for index, now in enumerate(times):
            held = [i for i in range(index + 1) if i == index or times[i + 1] > now - span]
            good = [i for i in held if not math.isnan(values[i])]
            if name != "avg":
                expected = (min if name == "min" else max)((values[i] for i in good), default=NAN)
            else:
                lasts = {i: times[i + 1] - max(times[i], now - span) if i < index else 0 for i in good}
                time = sum(lasts.values())
                expected = sum(values[i] * lasts[i] for i in good) / time if time else values[index]
            assert found[index] == pytest.approx(expected, nan_ok=True, abs=1e-9)


# ---- units

UNITS = {
    "power": "kW", "watts": "W", "hours": "h", "t1": "Cel", "t2": "Cel", "tf": "[degF]", "tk": "K", "p": "bar",
    "pa": "Pa", "count": "{piece}", "pct": "%", "energy": "kW.h", "flow": "m3/h", "run": "1", "len": "mm",
}  # fmt: skip


def unit_of(text: str, wanted: str = "") -> str:
    return check(parse(text), UNITS, parse_unit, wanted=wanted).unit


def measured(text: str, wanted: str = "", **values: float) -> float:
    tree = check(parse(text), UNITS, parse_unit, wanted=wanted).tree
    inputs = {name: an_input((0, value)) for name, value in values.items()}
    return float(calculate(tree, inputs, np.array([0], np.int64))[0][0])


@pytest.mark.parametrize(
    ("text", "unit"),
    [
        ("power * hours", "kW.h"),
        ("energy / hours", "kW"),
        ("flow * hours", "m3"),
        ("power + watts", "kW"),
        ("power / watts", "1"),
        ("t1 - t2", "Cel"),
        ("(t1 + t2) / 2", "Cel"),
        ("rate(energy, '1h')", "kW"),
        ("rate(count, '1h')", "{piece}/h"),
        ("len ** 2", "mm2"),
        ("sqrt(len * len)", "mm"),
        ("power if run else 0", "kW"),
        ("power > 5", "1"),
        ("power * run", "kW"),
        ("avg(power, '10m')", "kW"),
        ("energy / count", "kW.h/{piece}"),
        ("pct * power", "%.kW"),
        ("power + quantity(5, 'W')", "kW"),
        ("number(power, 'W') + 3", "1"),
    ],
)
def test_units_are_derived(text: str, unit: str):
    assert unit_of(text) == unit


@pytest.mark.parametrize(
    ("text", "values", "wanted", "expected"),
    [
        ("power + watts", {"power": 1, "watts": 500}, "", 1.5),
        ("power + watts", {"power": 1, "watts": 500}, "W", 1500),
        ("max(power, watts)", {"power": 1, "watts": 5000}, "", 5),
        ("watts > power", {"power": 1, "watts": 500}, "", 0),
        ("t1 - tf", {"t1": 30, "tf": 68}, "", 10),
        ("t1 - tf", {"t1": 30, "tf": 68}, "K", 10),
        ("(t1 + t2) / 2", {"t1": 20, "t2": 30}, "", 25),
        ("(t1 + t2) / 2", {"t1": 20, "t2": 30}, "K", 298.15),
        ("t1 + 5", {"t1": 20}, "", 25),
        ("t1 + quantity(9, '[degF]')", {"t1": 20}, "", None),
        ("tk", {"tk": 300}, "Cel", 26.85),
        ("t1 > tk", {"t1": 20, "tk": 280}, "", 1),
        ("p + pa", {"p": 1, "pa": 50_000}, "", 1.5),
        ("power * hours", {"power": 2, "hours": 3}, "kJ", 21_600),
        ("pct * power", {"pct": 50, "power": 4}, "kW", 2),
        ("power / watts", {"power": 1, "watts": 500}, "", 2),
        ("1 - pct", {"pct": 20}, "", None),
        ("5", {}, "", None),
        ("number(power, 'W') / 2", {"power": 1}, "", 500),
    ],
)
def test_values_are_converted_where_units_differ(text: str, values: dict, wanted: str, expected: float | None):
    if text == "5":
        with pytest.raises(FormulaError, match="names no tag"):
            parse(text)
    elif expected is not None:
        assert measured(text, wanted, **values) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("p + t1", "'Cel' cannot be added to 'bar': they measure different things."),
        ("power > p", "cannot be compared with"),
        ("t1 * t2", "has no fixed zero"),
        ("1 / t1", "has no fixed zero"),
        ("exp(power)", "needs a value without a unit, not 'kW'"),
        ("sqrt(power)", "has no square root"),
        ("power if power else 1", "needs a value without a unit"),
        ("power if run else p", "they measure different things"),
        ("(t1 - t2) > t1", "one is a temperature, the other a difference"),
        ("power + quantity(2, 'xyz')", "not a UCUM unit"),
        ("power + nothing", "There is no tag 'nothing'"),
    ],
)
def test_units_that_do_not_fit_are_refused_with_a_sentence(text: str, sentence: str):
    with pytest.raises(FormulaError, match=sentence):
        unit_of(text)


def test_a_wanted_unit_that_cannot_be_reached_is_refused():
    with pytest.raises(FormulaError, match=r"The formula gives 'kW.h', which cannot be converted to 'Cel'"):
        unit_of("power * hours", "Cel")


# ---- hostile


@pytest.mark.parametrize(
    "text",
    [
        "", " ", "1", "a +", "a; b", "__import__('os')", "a.b.c", "(lambda: a)()", "[a]", "{a: 1}",
        "a[0]", "f'{a}'", "a if b", "a := 1", "*a", "a ** b", "a ** 99", "a ** 2.5", "10 ** 400 * a", "1e999 * a",
        "avg(a)", "avg(a, 'x')", "avg(a, '9999d')", "min(a)", "rate(a)", "clip(a, 1)", "tag(a)", "tag()", "open(a)",
        "max(*a)", "round(a, b)", "a is b", "a in (1, 2)", "'text'", "a + 'text'", "a @ b", "a // b", "a % b", "~a",
        "-" * 500 + "a", "+".join(["a"] * 600), "a" * 2000, "await a", "yield a", "...",
        "a\x00b", "9" * 900 + "* a", "quantity(a)", "number(a, b)", "avg(a, '0s')",
    ],
)  # fmt: skip
def test_what_is_not_the_language_is_refused_with_a_sentence(text: str):
    with pytest.raises(FormulaError):
        check(parse(text), dict.fromkeys(parse(text).names, "kW"), parse_unit)


def test_a_power_of_tags_needs_no_more_than_the_language():
    formula = parse("tag('weird name!') + L01.power")
    assert formula.names == ("L01.power", "weird name!")


_TOKENS = st.sampled_from(
    ["a", "b", "L1.c", "1", "2.5", "0", "+", "-", "*", "/", "**", "(", ")", ",", "and", "or", "not", "if", "else", "<",
     ">", "==", "min", "max", "avg", "prev", "delta", "rate", "clip", "sqrt", "log", "'10m'", "'1s'", "tag", "'x'",
     "true", "number", "quantity", "'kW'", " ", "[", "]", ".", ":", "lambda", "\n", "\\", "#", "é", "\u0000"]
)  # fmt: skip


@settings(max_examples=400, deadline=None)
@given(st.one_of(st.lists(_TOKENS, max_size=30).map(" ".join), st.text(string.printable, max_size=80), st.text()))
def test_any_text_is_a_formula_or_a_sentence_and_a_formula_never_raises(text: str):
    try:
        formula = parse(text)
        tree = check(formula, dict.fromkeys(formula.names, "kW"), parse_unit).tree
    except FormulaError:
        return
    rng = np.random.default_rng(1)
    inputs = {
        name: Input(np.arange(5) * S, rng.choice([0.0, -1.0, 1e300, NAN, 7.5], 5), np.zeros(5, np.uint8))
        for name in formula.names
    }
    value, quality = calculate(tree, inputs, np.arange(5) * S)
    assert len(value) == len(quality) == 5
    assert not np.isinf(value).any()


# ---- against a plain interpreter

_LEAVES = st.one_of(
    st.sampled_from([Name("a"), Name("b")]), st.integers(-5, 5).map(lambda number: Number(float(number)))
)
_TREES = st.recursive(
    _LEAVES,
    lambda inner: st.one_of(
        st.tuples(st.sampled_from(["+", "-", "*", "/", "<", ">=", "==", "and", "or", "min", "max"]), inner, inner).map(
            lambda t: Call(t[0], t[1:])
        ),
        st.tuples(st.sampled_from(["neg", "not", "abs", "sqrt", "log"]), inner).map(lambda t: Call(t[0], t[1:])),
        st.tuples(inner, inner, inner).map(lambda t: Call("if", t)),
        inner.map(lambda node: Power(node, 2)),
    ),
    max_leaves=12,
)


def plainly(node: Node, values: dict[str, float]) -> float | None:
    """The same meaning, one number at a time; None is no value."""
    if isinstance(node, Number):
        return node.value
    if isinstance(node, Name):
        return values[node.name]
    if isinstance(node, Power):
        inner = plainly(node.operand, values)
        return None if inner is None else _checked(lambda: inner**2)
    assert isinstance(node, Call)
    parts = [plainly(inner, values) for inner in node.operands]
    if node.name in ("and", "or"):
        decided = 0.0 if node.name == "and" else 1.0
        truths = [None if part is None else float(part != 0) for part in parts]
        return decided if decided in truths else None if None in truths else 1.0 - decided
    if node.name == "if":
        return None if parts[0] is None else parts[1] if parts[0] != 0 else parts[2]
    if None in parts:
        return None
    one, other = parts[0], parts[-1]
    return _checked(
        {
            "+": lambda: one + other, "-": lambda: one - other, "*": lambda: one * other, "/": lambda: one / other,
            "<": lambda: float(one < other), ">=": lambda: float(one >= other), "==": lambda: float(one == other),
            "min": lambda: min(one, other), "max": lambda: max(one, other), "neg": lambda: -one,
            "not": lambda: float(one == 0), "abs": lambda: abs(one), "sqrt": lambda: math.sqrt(one),
            "log": lambda: math.log(one),
        }[node.name]
    )  # fmt: skip


def _checked(work) -> float | None:
    try:
        found = work()
    except (ZeroDivisionError, ValueError, OverflowError):
        return None
    return found if math.isfinite(found) else None


@settings(max_examples=300, deadline=None)
@given(_TREES, st.lists(st.tuples(*[st.one_of(st.none(), st.integers(-4, 4)) for _ in "ab"]), min_size=1, max_size=6))
def test_columns_mean_what_single_numbers_mean(tree: Node, rows: list):
    at = np.arange(len(rows)) * S
    inputs = {
        name: Input(
            at,
            np.array([NAN if row[place] is None else float(row[place]) for row in rows]),
            np.zeros(len(at), np.uint8),
        )
        for place, name in enumerate("ab")
    }
    found, _quality = calculate(tree, inputs, at)
    for row, value in zip(rows, found.tolist(), strict=True):
        expected = plainly(tree, {n: None if v is None else float(v) for n, v in zip("ab", row, strict=True)})
        assert value == pytest.approx(NAN if expected is None else expected, nan_ok=True, rel=1e-9)
