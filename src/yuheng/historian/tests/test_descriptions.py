"""Statistics and histograms, compared with plain Python on the same samples."""

from __future__ import annotations

import math
import statistics
from itertools import pairwise

import numpy as np
import pytest

from yuheng.historian.descriptions import describe, histogram
from yuheng.historian.spans import HOUR_US
from yuheng.historian.tests.test_queries import T0, a_walk, points, put


def expected(rows, tag, start, end, *, low, high):
    mine = sorted((t, v, q) for g, t, v, q in rows if g == tag)
    inside = [(t, v, q) for t, v, q in mine if start <= t < end]
    good = [v for _, v, q in inside if q < 128]
    covered = integral = above = below = 0.0
    for (t, v, q), after in pairwise([*mine, (math.inf, 0.0, 0)]):
        hold = (min(after[0], end) - max(t, start)) / 1e6
        if hold > 0 and q < 128:
            covered, integral = covered + hold, integral + v * hold
            above += hold if v > high else 0.0
            below += hold if v < low else 0.0
    return {
        "count": len(inside),
        "good_count": len(good),
        "min": min(good),
        "max": max(good),
        "mean": statistics.fmean(good),
        "std": statistics.stdev(good),
        "first": good[0],
        "last": good[-1],
        "covered_s": covered,
        "integral": integral,
        "above_s": above,
        "below_s": below,
    } | {"percentiles": np.percentile(good, [5, 25, 50, 75, 95]).tolist()}


@pytest.mark.parametrize("seed", range(4))
def test_every_span_is_described_as_its_definition_says(store, seed):
    rows = a_walk(seed)
    put(store, points(rows))
    spans = [(0, 3 * HOUR_US), (HOUR_US // 3, HOUR_US), (HOUR_US // 2, 2 * HOUR_US)]  # they may overlap
    spans = spans[: 1 if seed == 3 else 3]
    starts, ends = [T0 + a for a, _ in spans], [T0 + b for _, b in spans]
    table = describe(store, [1, 2], starts, ends, low=16, high=24).to_pylist()
    assert [(row["tag"], row["span"]) for row in table] == [(tag, n) for tag in (1, 2) for n in range(len(spans))]
    for row in table:
        wanted = expected(rows, row["tag"], *spans[row["span"]], low=16, high=24)
        assert {name: row[name] for name in wanted} == {
            name: pytest.approx(value, rel=1e-9) for name, value in wanted.items()
        }
        assert min(v for g, t, v, q in rows if g == row["tag"] and T0 + t == row["min_us"]) == row["min"]


def test_a_value_that_held_before_counts_in_time_but_not_as_a_sample(store):
    put(store, points([(1, 0, 10.0, 0), (1, 30_000_000, 20.0, 0)]))
    row = describe(store, [1], [T0 + 10_000_000], [T0 + 40_000_000]).to_pylist()[0]
    assert (row["count"], row["covered_s"], row["integral"]) == (1, 30.0, 10.0 * 20 + 20.0 * 10)


def test_without_samples_there_is_nothing_to_describe(store):
    put(store, points([(1, 0, 10.0, 0)]))
    assert describe(store, [2], [T0], [T0 + HOUR_US]).num_rows == 0


def test_a_histogram_counts_every_good_value_once(store):
    rows = a_walk(5)
    put(store, points(rows))
    table = histogram(store, 1, T0, T0 + 3 * HOUR_US, 12).to_pylist()
    good = [v for g, _, v, q in rows if g == 1 and q < 128]
    assert sum(row["count"] for row in table) == len(good)
    assert table[0]["low"] == min(good)
    assert table[-1]["high"] == pytest.approx(max(good))
    for row in table[:-1]:
        inside = sum(row["low"] <= v < row["high"] for v in good)
        assert abs(inside - row["count"]) <= 1  # a value on the border


def test_a_constant_has_one_class(store):
    put(store, points([(1, n, 5.0, 0) for n in range(10)]))
    assert histogram(store, 1, T0, T0 + 100, 12)["count"].to_pylist() == [10]
