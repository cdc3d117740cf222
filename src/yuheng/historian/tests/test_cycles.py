"""Cycles found in history, against a plain loop over the samples; curves laid over each other."""

from __future__ import annotations

import random

import msgspec
import numpy as np
import pytest

from yuheng.bus.messages import CyclesQuestion, OverlayQuestion
from yuheng.historian.cycles import cycles, overlay
from yuheng.historian.store import Store, sample_columns, state_change_columns
from yuheng.historian.tests.processes import a_plant
from yuheng.historian.tests.test_units import block_of

S = 1_000_000
T0 = 1_795_000_000 * S
RUN, FAULT, COUNT = 1, 2, 3
DAY = 86_400 * S


def a_plant_that_counts():
    plant = a_plant(1)
    tags = [msgspec.structs.replace(tag, role="good_count" if tag.id == COUNT else "") for tag in plant.tags]
    return msgspec.structs.replace(plant, tags=tuple(tags))


def stored(store: Store, rows: list[tuple[int, int, float, int]]) -> None:
    store.insert("samples", sample_columns(block_of(rows)))


def test_a_condition_gives_the_stretches_in_which_it_holds(store: Store):
    rng = random.Random(1)
    rows, expected, run, since = [], [], 0.0, 0
    for second in range(0, 4 * 86_400, 60):
        now = T0 + second * S
        if rng.random() < 0.1:
            run = 1.0 - run
            if run:
                since = now
            else:
                expected.append((since, now))
        rows.append((RUN, now, run, 0))
        rows.append((COUNT, now + S, float(second), 0))
    stored(store, rows)
    end = T0 + 4 * DAY
    plant = a_plant_that_counts()
    answer = cycles(store, plant, CyclesQuestion(T0 - S, end, work_unit_id=1, condition="run"))
    whole = [(c.start_us, c.end_us) for c in answer.cycles if c.is_whole]
    assert whole == expected
    assert (answer.more, answer.from_us) == (False, T0 - S)
    newest = cycles(store, plant, CyclesQuestion(T0 - S, end, work_unit_id=1, condition="run", last=20, tags=[COUNT]))
    assert [(c.start_us, c.end_us) for c in newest.cycles] == expected[-20:]
    for cycle in newest.cycles:
        [found] = cycle.statistics
        inside = [v for tag, t, v, _q in rows if tag == COUNT and cycle.start_us <= t < cycle.end_us]
        before = max((t, v) for tag, t, v, _q in rows if tag == COUNT and t < cycle.start_us)[1]
        assert (found.min, found.max, found.first, found.last, found.count) == (
            before,
            max(inside),
            before,
            inside[-1],
            len(inside),
        )
    alone = cycles(store, plant, CyclesQuestion(T0 - S, end, tag=RUN, condition="value > 0.5", last=3))
    assert [(c.start_us, c.end_us) for c in alone.cycles] == expected[-3:]
    short = cycles(store, plant, CyclesQuestion(T0 - S, end, work_unit_id=1, condition="run", max_s=300))
    assert [(c.start_us, c.end_us) for c in short.cycles if c.is_whole] == [
        s for s in expected if s[1] - s[0] <= 300 * S
    ]


def test_silence_of_the_unit_ends_a_cycle(store: Store):
    stored(store, [(RUN, T0, 1.0, 0), (RUN, T0 + 1000 * S, 0.0, 0)])
    store.insert(
        "state_changes",
        state_change_columns([(1, T0, 2, "", 1, 0), (1, T0 + 30 * S, 0, "", 1, 0), (1, T0 + 1000 * S, 3, "", 1, 0)]),
    )
    answer = cycles(store, a_plant(1), CyclesQuestion(T0 - S, T0 + 2000 * S, work_unit_id=1, condition="run"))
    assert [(c.start_us, c.end_us) for c in answer.cycles] == [(T0, T0 + 30 * S)]


def test_counts_give_cycles_and_unless_leaves_out_the_bad_ones(store: Store):
    rows = [(COUNT, T0 + 60 * n * S, float(n), 0) for n in range(50)]
    rows += [(FAULT, T0, 0.0, 0), (FAULT, T0 + 605 * S, 7.0, 0), (FAULT, T0 + 610 * S, 0.0, 0)]
    stored(store, rows)
    plant = a_plant_that_counts()
    asked = CyclesQuestion(T0, T0 + 3000 * S, work_unit_id=1, unless="fault != 0")
    found = [(c.start_us - T0) // (60 * S) for c in cycles(store, plant, asked).cycles if c.is_whole]
    assert found == [n for n in range(1, 49) if n != 10]
    last = cycles(store, plant, CyclesQuestion(T0, T0 + 3000 * S, work_unit_id=1, last=5, min_s=59, max_s=61))
    assert [(c.start_us - T0) // (60 * S) for c in last.cycles] == [44, 45, 46, 47, 48]


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        ({}, "Say of which work unit or tag"),
        ({"work_unit_id": 9, "condition": "run"}, "no such work unit"),
        ({"work_unit_id": 1, "condition": "runn"}, "is not a symbol"),
        ({"work_unit_id": 1, "condition": "true"}, "names no symbol"),
        ({"work_unit_id": 1}, "no tag with the role of a counter"),
    ],
)
def test_a_question_that_means_nothing_is_refused_with_a_sentence(store: Store, asked: dict, sentence: str):
    with pytest.raises(ValueError, match=sentence):
        cycles(store, a_plant(1), CyclesQuestion(T0, T0 + S, **asked))


def test_curves_are_laid_over_each_other_and_keep_their_peaks(store: Store):
    rng = np.random.default_rng(2)
    values = rng.normal(size=3000)
    stored(store, [(COUNT, T0 + n * S, float(v), 0) for n, v in enumerate(values)])
    intervals = [(T0 + low * S, T0 + high * S) for low, high in ((100, 700), (1500, 1800), (2500, 3100))]
    table = overlay(store, OverlayQuestion([COUNT], intervals, width=100))
    step = 6 * S
    for at, (low, high) in enumerate(intervals):
        rows = [row for row in table.to_pylist() if row["cycle"] == at]
        assert {row["offset"] % step for row in rows} == {0}
        inside = values[(low - T0) // S : (high - T0) // S]
        assert max(row["max"] for row in rows) == inside.max()
        assert min(row["min"] for row in rows) == inside.min()
        assert sum(row["count"] for row in rows) == len(inside)
        assert rows[0]["first"] == inside[0]
    late = overlay(store, OverlayQuestion([COUNT], [(T0 + 3100 * S, T0 + 3200 * S)])).to_pylist()
    assert [(row["offset"], row["first"], row["count"]) for row in late] == [(0, values[-1], 0)]
