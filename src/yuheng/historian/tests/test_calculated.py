"""Calculated tags behave like any tag: every answer equals that of a stored tag with the same values."""

from __future__ import annotations

import random

import numpy as np
import pytest
from msgspec.structs import replace

from yuheng.bus.documents import Plant, StateRule, Tag
from yuheng.bus.messages import RESOLUTION
from yuheng.historian import any_tags, queries
from yuheng.historian.calculations import compiled
from yuheng.historian.rederive import read_changes, rederive
from yuheng.historian.series import read_series
from yuheng.historian.spans import NOTHING_OWED
from yuheng.historian.store import Store, sample_columns, state_change_columns
from yuheng.historian.tests.processes import a_plant
from yuheng.historian.tests.test_units import a_pipeline, block_of, feed

S = 1_000_000
T0 = 1_795_000_020 * S
RUN, FAULT, COUNT = 1, 2, 3
SUM, TWICE, SMOOTH, GROWTH, STORED = 101, 102, 103, 104, 901
FORMULAS = {
    SUM: ("count + 10 * run", {"count": COUNT, "run": RUN}),
    TWICE: ("sum * 2", {"sum": SUM}),
    SMOOTH: ("avg(count, '30s') / run", {"count": COUNT, "run": RUN}),
    GROWTH: ("delta(count) - prev(run)", {"count": COUNT, "run": RUN}),
}


def nothing_owed(*_asked: object) -> object:
    return NOTHING_OWED


def a_calculating_plant(**symbols: int) -> Plant:
    """One unit with the formulas above; ``symbols`` put some of them under names of its rules."""
    plant = a_plant(1)
    tags = [
        Tag(tag, 1, f"calculated/{tag}", "float", unit="1", formula=formula, inputs=inputs)
        for tag, (formula, inputs) in FORMULAS.items()
    ]
    unit = replace(plant.work_units[0], symbols=plant.work_units[0].symbols | symbols)
    return replace(plant, tags=(*plant.tags, *tags), work_units=(unit,))


def some_rows(seed: int, seconds: int) -> list[tuple[int, int, float, int]]:
    rng = random.Random(seed)
    rows = []
    for second in range(seconds):
        if rng.random() < 0.9:
            rows.append((COUNT, T0 + second * S + rng.randrange(S), rng.uniform(-5, 5), 0x80 * (rng.random() < 0.03)))
        if rng.random() < 0.1:
            rows.append((RUN, T0 + second * S + rng.randrange(S), float(rng.random() < 0.7), 0))
    return rows


def prepared(store: Store, plant: Plant) -> None:
    store.calculations = compiled(plant)
    assert store.calculations.complaints == []


@pytest.fixture(autouse=True)
def _calculates_nothing_afterwards(store: Store):
    before = store.calculations
    yield
    store.calculations = before


def plain(rows: list[tuple[int, int, float, int]]) -> list[tuple[int, float]]:
    """``count + 10 * run`` by a loop over the sorted samples; NaN without a value."""
    held: dict[int, float] = {}
    found: dict[int, float] = {}
    for tag, at, value, quality in sorted(rows, key=lambda row: row[1]):
        held[tag] = float("nan") if quality >= 0x80 else value
        found[at] = held.get(COUNT, float("nan")) + 10 * held.get(RUN, float("nan"))
    return sorted(found.items())


def stored_twin(store: Store, tag: int, start: int, end: int) -> None:
    """Store what a calculated tag gives as samples of an ordinary one."""
    series = read_series(store, [tag], start, end, is_held=False)[tag]
    rows = [
        (STORED, t, v, q)
        for t, v, q in zip(series.time_us.tolist(), series.value.tolist(), series.quality.tolist(), strict=True)
    ]
    store.insert("samples", sample_columns(block_of(rows)))


def test_raw_values_stand_at_every_sample_of_the_inputs(store: Store):
    rows = some_rows(1, 600)
    store.insert("samples", sample_columns(block_of(rows)))
    prepared(store, a_calculating_plant())
    table = any_tags.raw(store, [SUM, COUNT], T0, T0 + 600 * S, 100_000)
    found = [
        (int(row["time"].timestamp() * 1e6 + 0.5), row["value"], row["quality"])
        for row in table.to_pylist()
        if row["tag"] == SUM
    ]
    expected = plain(rows)
    assert [at for at, _, _ in found] == [at for at, _ in expected]
    for (_, value, quality), (_, wanted) in zip(found, expected, strict=True):
        assert (value is None) == (quality >= 0x80) == np.isnan(wanted)
        assert value is None or value == pytest.approx(wanted)
    assert table.filter(np.asarray(table["tag"]) == COUNT).num_rows == sum(row[0] == COUNT for row in rows)
    assert any_tags.raw(store, [SUM], T0, T0 + 600 * S, 7).num_rows == 7


@pytest.mark.parametrize("tag", [SUM, TWICE, SMOOTH, GROWTH])
def test_every_answer_is_that_of_a_stored_tag_with_the_same_values(store: Store, tag: int):
    store.insert("samples", sample_columns(block_of(some_rows(2, 3000))))
    prepared(store, a_calculating_plant())
    stored_twin(store, tag, T0 - 3600 * S, T0 + 3000 * S)
    start, end = T0 + 500 * S + 123, T0 + 2800 * S + 77

    def same(calculated, stored) -> None:
        assert calculated.column_names == stored.column_names
        for name in stored.column_names:
            if name != "tag":
                one, other = calculated[name].to_pylist(), stored[name].to_pylist()
                if name in ("time", "bucket", "text") or "count" in name:
                    assert one == other, name
                else:
                    one, other = ([float("nan") if v is None else v for v in column] for column in (one, other))
                    assert one == pytest.approx(other, nan_ok=True, rel=1e-6, abs=1e-9), name

    same(
        any_tags.pixels(store, [tag], start, end, 70, owed=nothing_owed),
        queries.pixels(store, [STORED], start, end, 70),
    )
    for bucket in (7 * S, 60 * S, 600 * S):
        same(
            any_tags.aggregate(store, [tag], start, end, bucket, owed=nothing_owed),
            queries.aggregate(store, [STORED], start, end, bucket, owed=_all_owed(start, end)),
        )
    same(any_tags.increase(store, [tag], start, end, owed=nothing_owed), queries.increase(store, [STORED], start, end))
    for at in (start, T0 + 1000 * S, end):
        calculated, stored = any_tags.latest_at(store, [tag], at), queries.latest_at(store, [STORED], at)
        same(calculated.drop_columns(["arrived"]), stored.drop_columns(["arrived"]))


@pytest.mark.parametrize("tag", [SUM, TWICE, SMOOTH, GROWTH])
def test_statistics_and_histograms_are_those_of_a_stored_tag_with_the_same_values(store: Store, tag: int):
    store.insert("samples", sample_columns(block_of(some_rows(3, 3000))))
    prepared(store, a_calculating_plant())
    stored_twin(store, tag, T0 - 3600 * S, T0 + 3000 * S)
    starts = [T0 + 500 * S + 123, T0 + 700 * S, T0 + 2900 * S, T0 + 5000 * S]
    ends = [T0 + 2800 * S + 77, T0 + 900 * S, T0 + 2900 * S + 1, T0 + 5010 * S]
    asked = {"low": -1.0, "high": 6.0, "owed": nothing_owed}
    calculated = any_tags.describe(store, [tag], starts, ends, **asked).to_pylist()
    stored = any_tags.describe(store, [STORED], starts, ends, **asked).to_pylist()
    assert [row["span"] for row in stored] == [0, 1, 2, 3]
    assert len(calculated) == len(stored)
    for one, other in zip(calculated, stored, strict=True):
        needs_good = ("min", "max", "mean", "std", "percentiles", "first", "last")
        for name in other.keys() - {"tag"} - (set(needs_good) if not other["good_count"] else set()):
            assert one[name] == pytest.approx(other[name], nan_ok=True, rel=1e-6, abs=1e-9), name
    both = any_tags.describe(store, [tag, COUNT, STORED], starts, ends, **asked)
    assert both["tag"].to_pylist() == sorted([tag, COUNT, STORED] * 4)
    bars = any_tags.histogram(store, tag, starts[0], ends[0], 12, owed=nothing_owed).to_pylist()
    wanted = any_tags.histogram(store, STORED, starts[0], ends[0], 12, owed=nothing_owed).to_pylist()
    assert sum(bar["count"] for bar in bars) == stored[0]["good_count"] > 100
    assert [bar["count"] for bar in bars] == [bar["count"] for bar in wanted]
    assert [bar["low"] for bar in bars] == pytest.approx([bar["low"] for bar in wanted], rel=1e-6, abs=1e-9)
    assert any_tags.histogram(store, tag, T0 - 99 * S, T0 - 98 * S, 12, owed=nothing_owed).num_rows == 0


def _all_owed(start: int, end: int):
    minutes = np.arange((start - 25 * 3600 * S) // (60 * S), end // (60 * S) + 1)
    return type(NOTHING_OWED)(minutes, np.unique(minutes // 60))


def test_a_long_time_comes_from_averages_and_says_so(store: Store):
    day = 86_400 * S
    start = T0 // day * day
    rows = [(COUNT, start + n * 600 * S, float(n % 7), 0) for n in range(6 * 144)] + [(RUN, start, 1.0, 0)]
    store.insert("samples", sample_columns(block_of(rows)))
    prepared(store, a_calculating_plant())

    def everything_owed(_tags: object, low: int, high: int):
        return _all_owed(low, high)

    table = any_tags.pixels(store, [TWICE], start, start + 6 * day, 400, owed=everything_owed)
    assert table.schema.metadata[RESOLUTION] == b"60000000"
    assert max(table["max"].to_pylist()) == pytest.approx((6 + 10) * 2)
    exact = any_tags.increase(store, [GROWTH], start, start + 6 * day, owed=everything_owed)
    assert RESOLUTION not in (exact.schema.metadata or {})
    with pytest.raises(any_tags.TooLong, match="at most 31 days"):
        any_tags.pixels(store, [GROWTH], start, start + 60 * day, 400, owed=everything_owed)


@pytest.mark.parametrize("seed", range(3))
def test_what_is_shown_live_is_what_history_says_afterwards(store: Store, seed: int):
    rows = sorted(some_rows(seed, 900), key=lambda row: row[1])
    plant = a_calculating_plant(sum=SUM, smooth=SMOOTH, growth=GROWTH)
    rules = (StateRule(2, "sum > 10"), StateRule(3, "sum <= 10"))
    plant = replace(plant, rule_sets={"cutter": rules})
    prepared(store, plant)
    pipeline = a_pipeline(plant)
    rng = random.Random(seed)
    at = 0
    while at < len(rows):
        size = rng.choice([1, 2, 5, 100])
        feed(pipeline, block_of(rows[at : at + size]))
        at += size
    store.insert("samples", sample_columns(block_of(rows)))
    assert pipeline.units.late == {}
    end = rows[-1][1]
    for tag in FORMULAS:
        slot = pipeline.tags.slot(tag)
        [newest] = any_tags.latest_at(store, [tag], end).to_pylist()
        shown = float(pipeline.latest.value[slot])
        assert int(newest["time"].timestamp() * 1e6 + 0.5) == int(pipeline.latest.time_us[slot])
        assert (newest["value"] is None) == np.isnan(shown)
        assert newest["value"] is None or newest["value"] == pytest.approx(shown)
    emission, _ = rederive(store, plant, {1: (T0, end)}, 1)
    store.insert("state_changes", state_change_columns(emission.rows))
    derived = pipeline.units.by_id[1].derivation.changes
    assert read_changes(store, [1], T0)[1] == derived
    assert len(derived) > 10


def test_a_formula_that_cannot_be_used_is_a_complaint_and_stops_nothing():
    plant = a_calculating_plant()
    tags = {tag.id: tag for tag in plant.tags}
    tags[SUM] = replace(tags[SUM], formula="count + nothing")
    tags[TWICE] = replace(tags[TWICE], formula="growth + twice", inputs={"growth": GROWTH, "twice": TWICE})
    found = compiled(replace(plant, tags=tuple(tags.values())))
    assert sorted(found.by_id) == [SMOOTH, GROWTH]
    assert "There is no tag 'nothing'" in found.complaints[0]
    assert "needs its own value" in found.complaints[1]
