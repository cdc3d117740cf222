"""A rule tried on history says what the same rule would have said live."""

from __future__ import annotations

import random

import msgspec
import numpy as np

from yuheng.bus.documents import AlarmRule
from yuheng.engines.points import PointBlock
from yuheng.historian.alarm_preview import preview_alarm
from yuheng.historian.pipeline import Pipeline
from yuheng.historian.store import Store, sample_columns
from yuheng.historian.tests.processes import a_plant

S = 1_000_000
T0 = 1_780_000_000 * S
RUN, COUNT = 1, 3


def samples(seed: int) -> PointBlock:
    rng = random.Random(seed)
    rows = [(RUN, T0, 1.0)]
    value = 50.0
    for second in range(1800):
        value = min(100.0, max(0.0, value + rng.gauss(0, 4)))
        rows.append((COUNT, T0 + second * S, round(value, 1)))
    tag, time, value_ = zip(*rows, strict=True)
    size = len(rows)
    return PointBlock(
        np.array(tag, np.uint32),
        np.array(time, np.int64),
        np.array(value_, np.float64),
        np.zeros(size, np.uint8),
        np.zeros(size, np.uint64),
        np.array(time, np.int64),
    )


def test_history_and_life_agree(store: Store) -> None:
    block = samples(7)
    store.insert("samples", sample_columns(block))
    rule = AlarmRule(
        id=1,
        work_unit_ids=(1,),
        when="count > high and state == producing",
        parameters={"high": 70.0},
        deadband=3.0,
        on_delay_s=4.0,
        chatter_window_s=15.0,
    )
    plant = msgspec.structs.replace(a_plant(1), alarm_rules=(rule,))
    tried = preview_alarm(store, plant, rule, T0, T0 + 1800 * S)[1]

    pipeline = Pipeline(clock_us=lambda: T0 + 1800 * S, publish=lambda subject, data: None)
    pipeline.configure(plant)
    pipeline.alarms.begin(T0)
    for start in range(0, len(block), 100):
        part = PointBlock(*(getattr(block, f)[start : start + 100] for f in PointBlock.__dataclass_fields__))
        pipeline._absorb(part, [])
    pipeline.alarms.by_unit[1].advance(T0 + 1800 * S - 1)
    live = pipeline.alarms.take()
    starts = [fact.time_us for fact in live if fact.kind == "activated"]
    assert len(starts) > 3
    assert [start for start, _end, _count in tried] == starts
    ends = {fact.episode_us: fact.time_us for fact in live if fact.kind == "cleared"}
    assert [end for _start, end, _count in tried if end is not None] == list(ends.values())
