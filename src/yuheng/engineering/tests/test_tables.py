"""What a table writes, it reads back as it was; what it cannot read is named by its cell."""

from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yuheng.engineering.rules import (
    AlternateSpec,
    AlternativeSpec,
    Check,
    CheckKind,
    LineSpec,
    LinkKind,
    LinkSpec,
    MaterialSpec,
    ParameterSpec,
    RecipeParameter,
    SegmentSpec,
    SignalRules,
    SkillNeed,
    Source,
    ToolNeed,
    Tracking,
)
from yuheng.engineering.rules.comparing import compare_boms
from yuheng.engineering.rules.graphs import find_cycle, topological_order
from yuheng.engineering.rules.specs import BomSpec
from yuheng.engineering.tables import cells, rows
from yuheng.engines.formulas.expressions import Kind

WORDS = st.from_regex(r"[a-z][a-z0-9_]{0,8}", fullmatch=True).filter(
    lambda word: word not in ("every", "optional", "visual", "measured", "confirm", "ss", "start", "pause")
)
NUMBERS = st.integers(-999, 999).map(float) | st.sampled_from([0.5, 1.25, 1e-3])
LIMITS = st.tuples(st.none() | NUMBERS, st.none() | NUMBERS)
UNITS = st.sampled_from(["1", "N.m", "Cel", "m/min", "{piece}", "%"])


@given(st.lists(st.builds(SkillNeed, WORDS, st.integers(1, 9), st.integers(1, 9)), max_size=4))
def test_skills(needs):
    assert list(cells.read_skills(cells.write_skills(needs))) == needs


@given(st.lists(st.builds(ToolNeed, WORDS, st.integers(1, 9)), max_size=4))
def test_tools(needs):
    assert list(cells.read_tools(cells.write_tools(needs))) == needs


@given(
    st.lists(
        st.builds(
            lambda code, zh, unit, target, limits, symbol: RecipeParameter(
                code, zh, zh, unit, target, *limits, symbol
            ),
            WORDS, st.sampled_from(["", "炉温 a"]), UNITS, st.none() | NUMBERS, LIMITS, st.just("") | WORDS,
        ),
        max_size=3,
    )
)  # fmt: skip
def test_recipes(items):
    assert list(cells.read_recipe(cells.write_recipe(items))) == items


@given(
    st.lists(
        st.builds(
            lambda code, kind, zh, unit, target, limits, every, must, ids: Check(
                code, kind, zh, zh, unit, limits[0], target, limits[1], every, must, tuple(ids)
            ),
            WORDS, st.sampled_from(CheckKind), st.sampled_from(["", "力矩"]), UNITS, st.none() | NUMBERS, LIMITS,
            st.integers(0, 99), st.booleans(), st.lists(st.integers(1, 99), max_size=2),
        ),
        max_size=3,
    )
)  # fmt: skip
def test_checks(items):
    assert list(cells.read_checks(cells.write_checks(items))) == items


@given(st.booleans(), WORDS, st.sampled_from([1.0, 2.0, 0.5]), st.booleans(), st.booleans(), st.just("") | WORDS)
def test_signals(counts, symbol, size, starts, pauses, run):
    one = SignalRules(counts, symbol if counts else "", size if counts else 1.0, starts, pauses, run)
    assert cells.read_signals(cells.write_signals(one)) == one


def test_a_whole_segment_with_its_links():
    known = rows.Equipment({"press": 1}, {"L01": 7, "L02": 8})
    spec = SegmentSpec(
        "40", "压", "Press", equipment_class_id=1, setup_time="60", run_time="quantity(2, 'min')",
        run_quantity=Decimal("2.5"), transfer_s=30.0, wait_s=5.5, transfer_batch=Decimal(10), batch_size=Decimal(4),
        setup_family="red", crew_size=2, yield_ratio=Decimal("0.98"), confirms=(), document_ids=(3, 7),
        alternatives=(AlternativeSpec(7), AlternativeSpec(8, "", "95", 2)),
    )  # fmt: skip
    links = [
        LinkSpec("10", "40"),
        LinkSpec("20", "40", LinkKind.START_START, 60.0),
        LinkSpec("40", "45", LinkKind.REWORK, most=2),
    ]
    back = rows.read_segment(rows.write_segment(spec, links, known), known)
    assert back.spec == spec
    assert [*back.after, *back.rework] == links


def test_a_whole_line_option_and_material():
    line = LineSpec(
        "10", 1, "2 * rise", "m", "glass", Decimal("0.03"), "20", "left", "note", {"width": "rise / 2"},
        (AlternateSpec(2, 1, Decimal(2)), AlternateSpec(3, 5)),
    )  # fmt: skip
    codes = {1: "A", 2: "B", 3: "C"}
    assert rows.read_line(rows.write_line(line, codes), {code: pk for pk, code in codes.items()}) == line
    option = ParameterSpec("c", Kind.CHOICE, "色", "Colour", choices=("red", "blue"), default="red")
    assert rows.read_option(rows.write_option(option)) == option
    material = MaterialSpec("A", "甲", "A", "kg", Source.MAKE, Tracking.LOT, "steel", "x", {"m": Decimal("2.5")})
    assert rows.read_material(rows.write_material(material)) == material


@pytest.mark.parametrize(
    ("row", "column"),
    [
        ({"find_number": "10", "component": "X"}, "component"),
        ({"find_number": "", "component": "A"}, "find_number"),
        ({"find_number": "10", "component": "A", "scrap": "lots"}, "scrap"),
        ({"find_number": "10", "component": "A", "alternates": "B 2"}, "alternates"),
        ({"find_number": "10", "component": "A", "options": "width"}, "options"),
    ],
)
def test_a_cell_that_cannot_be_read_is_named(row, column):
    with pytest.raises(rows.CellFaults) as refusal:
        rows.read_line(row, {"A": 1, "B": 2})
    assert list(refusal.value.cells) == [column]


@given(st.dictionaries(st.integers(0, 8), st.lists(st.integers(0, 8), max_size=3), max_size=9))
def test_either_there_is_an_order_or_a_circle_that_is_one(edges):
    nodes = sorted({*edges, *(n for below in edges.values() for n in below)})
    cycle, order = find_cycle(edges), topological_order(nodes, edges)
    if cycle:
        assert cycle[0] == cycle[-1]
        assert all(after in edges[before] for before, after in pairwise(cycle))
        assert len(order) < len(nodes)
    else:
        assert sorted(order) == nodes
        assert all(order.index(a) < order.index(b) for a, below in edges.items() for b in below)


LINES = st.dictionaries(st.integers(1, 6).map(str), st.tuples(st.integers(1, 3), st.integers(1, 3)), max_size=6)


@given(LINES, LINES)
def test_a_comparison_tells_exactly_the_difference(before, after):
    def spec(lines):
        return BomSpec(tuple(LineSpec(n, m, str(q), position=n) for n, (m, q) in lines.items()))

    found = compare_boms(spec(before), spec(after), {1: "A", 2: "B", 3: "C"})
    assert {one.key for one in found.added} == set(after) - set(before)
    assert {one.key for one in found.removed} == set(before) - set(after)
    assert {one.key for one in found.changed} == {n for n in set(before) & set(after) if before[n] != after[n]}
