"""Live states: any batching and any order of arrival end with the intervals of the sorted whole."""

from __future__ import annotations

import random

import numpy as np
import pytest

from yuheng.bus.documents import Plant
from yuheng.engines.points import PointBlock, TextPoint
from yuheng.engines.states.intervals import Change, Event, derive
from yuheng.historian.pipeline import Pipeline
from yuheng.historian.rederive import read_changes, rederive
from yuheng.historian.store import Store, chosen, sample_columns, state_change_columns, text_columns
from yuheng.historian.tests.processes import a_plant
from yuheng.historian.units import compiled_rules

S = 1_000_000
T0 = 1_795_000_000 * S
RUN, FAULT, COUNT, PROGRAM = 1, 2, 3, 4


def a_pipeline(plant: Plant, now_us: int = T0 + 10_000 * S) -> Pipeline:
    pipeline = Pipeline(clock_us=lambda: now_us, publish=lambda subject, data: None)
    pipeline.configure(plant)
    return pipeline


def block_of(rows: list[tuple[int, int, float, int]]) -> PointBlock:
    """Rows of (tag, µs, value, quality)."""
    tag, time, value, quality = zip(*rows, strict=True)
    count = len(rows)
    return PointBlock(
        np.array(tag, np.uint32),
        np.array(time, np.int64),
        np.array(value, np.float64),
        np.array(quality, np.uint8),
        np.zeros(count, np.uint64),
        np.array(time, np.int64),
    )


def a_shift(seed: int) -> list[tuple[int, int, float, int]]:
    """Half an hour of one unit: run and fault change now and then, count every second, silences, bad qualities."""
    rng = random.Random(seed)
    rows = []
    run, fault = 1.0, 0.0
    second = 0
    while second < 1800:
        if rng.random() < 0.01:
            second += rng.randint(20, 90)  # sometimes longer than the timeout of 30 s
        if rng.random() < 0.03:
            run = 1.0 - run
        if rng.random() < 0.02:
            fault = rng.choice([0.0, 0.0, 7.0, 12.0])
        time = T0 + second * S
        rows.append((RUN, time, run, 0x80 if rng.random() < 0.01 else 0))
        rows.append((FAULT, time + 1000, fault, 0))
        if rng.random() < 0.5:
            rows.append((COUNT, time + 2000, float(second), 0))
        second += 1
    return rows


def expected(plant: Plant, rows: list[tuple[int, int, float, int]]) -> list[Change]:
    rules, _ = compiled_rules(plant, plant.work_units[0])
    names = {RUN: "run", FAULT: "fault", COUNT: ""}
    events = [Event(t, names[tag], None if quality else value) for tag, t, value, quality in sorted(rows, key=_by_time)]
    return derive(rules, 30 * S, events)


def _by_time(row: tuple[int, int, float, int]) -> int:
    return row[1]


def feed(pipeline: Pipeline, block: PointBlock, texts: list[TextPoint] | None = None) -> None:
    points, slots = pipeline.ordered(block)
    pipeline.observe(points, slots, texts or [])


@pytest.mark.parametrize("seed", range(8))
def test_live_batches_of_any_size_give_the_intervals_of_the_whole(seed: int):
    plant = a_plant(1)
    rows = sorted(a_shift(seed), key=_by_time)
    pipeline = a_pipeline(plant)
    rng = random.Random(seed)
    at = 0
    while at < len(rows):
        size = rng.choice([1, 2, 3, 50, 400])
        feed(pipeline, block_of(rows[at : at + size]))
        at += size
    assert pipeline.units.late == {}
    assert pipeline.units.by_id[1].derivation.changes == expected(plant, rows)


@pytest.mark.parametrize("seed", range(4))
def test_samples_in_any_order_end_with_the_intervals_of_the_sorted_whole(store: Store, seed: int):
    plant = a_plant(1)
    rows = a_shift(seed)
    pipeline = a_pipeline(plant)
    shuffled = sorted(rows, key=_by_time)
    rng = random.Random(seed)
    for at in range(0, len(shuffled), 300):  # whole stretches change places, and samples within them
        part = shuffled[at : at + 300]
        rng.shuffle(part)
        shuffled[at : at + 300] = part
    chunks = [shuffled[at : at + 150] for at in range(0, len(shuffled), 150)]
    rng.shuffle(chunks)
    version = 1
    for chunk in chunks:
        block = block_of(chunk)
        feed(pipeline, block)
        store.insert("samples", sample_columns(block))
        emission = pipeline.units.emit(T0 + version)
        store.insert("state_changes", state_change_columns(emission.rows)) if emission.rows else None
        version = pipeline.units.next_version(T0)
        late = pipeline.units.take_late()
        if late:
            emission, anew = rederive(store, plant, late, version)
            store.insert("state_changes", state_change_columns(emission.rows)) if emission.rows else None
            for unit in anew:
                pipeline.units.replace(unit.unit_id, unit.changes, unit.until_us)
    emission = pipeline.units.emit(T0)
    assert emission.rows == []
    assert read_changes(store, [1], T0)[1] == expected(plant, rows)
    assert pipeline.units.by_id[1].derivation.changes[-1] == expected(plant, rows)[-1]


def test_a_text_can_name_a_state(store: Store):
    plant = a_plant(1)
    pipeline = a_pipeline(plant)
    feed(pipeline, block_of([(RUN, T0, 1.0, 0)]), [TextPoint(PROGRAM, T0 + 1, "A", 0, 0, T0)])
    assert pipeline.units.by_id[1].derivation.state == 2
    slot = pipeline.tags.slot(PROGRAM)
    assert pipeline.latest.texts[slot] == "A"
    store.insert("text_samples", text_columns([TextPoint(PROGRAM, T0 + 1, "A", 0, 0, T0)]))


def test_a_revision_tells_the_end_of_the_interval_before():
    plant = a_plant(1)
    pipeline = a_pipeline(plant)
    feed(pipeline, block_of([(RUN, T0, 1.0, 0), (FAULT, T0, 0.0, 0)]))
    pipeline.units.emit(T0)
    feed(pipeline, block_of([(FAULT, T0 + 5 * S, 12.0, 0)]))
    [revision] = pipeline.units.emit(T0).revisions
    assert revision.from_us == T0
    assert [(i.state, i.cause, i.start_us, i.end_us) for i in revision.intervals] == [
        (2, "", T0, T0 + 5 * S),
        (5, "12", T0 + 5 * S, None),
    ]
    assert pipeline.units.emit(T0).revisions == []


def test_silence_by_our_clock_is_no_data_and_a_slow_sample_takes_it_back():
    plant = a_plant(1)
    now = [T0]
    pipeline = Pipeline(clock_us=lambda: now[0], publish=lambda subject, data: None)
    pipeline.configure(plant)
    feed(pipeline, block_of([(RUN, T0, 1.0, 0)]))
    pipeline.units.tick(T0 + 29 * S)
    assert pipeline.units.by_id[1].derivation.state == 2
    pipeline.units.tick(T0 + 31 * S)
    assert pipeline.units.by_id[1].derivation.changes[-1] == Change(T0 + 30 * S, 0, "")
    now[0] = T0 + 32 * S
    feed(pipeline, block_of([(RUN, T0 + 20 * S, 1.0, 0)]))
    assert pipeline.units.by_id[1].derivation.changes == [Change(T0, 2, "")]


def test_a_late_sample_never_replaces_a_newer_value():
    pipeline = a_pipeline(a_plant(1))
    feed(pipeline, block_of([(COUNT, T0 + 5, 5.0, 0)]))
    feed(pipeline, block_of([(COUNT, T0 + 3, 3.0, 0), (COUNT, T0 + 4, 4.0, 0)]))
    slot = pipeline.tags.slot(COUNT)
    assert (pipeline.latest.time_us[slot], pipeline.latest.value[slot]) == (T0 + 5, 5.0)
    assert len(chosen(block_of([(COUNT, T0, 1.0, 0)]), slice(0, 0))) == 0
