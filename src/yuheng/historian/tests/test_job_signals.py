"""What of a reading is told to jobs: changes, late ones, the first after a start; never what is bad."""

from __future__ import annotations

import msgspec
import numpy as np

from yuheng.bus import documents
from yuheng.engines.points import PointBlock, Quality, TextPoint
from yuheng.historian.pipeline import Pipeline
from yuheng.historian.tests.processes import a_plant

S = 1_000_000
T0 = 1_780_000_000 * S
RUN, COUNT, PROGRAM = 1, 3, 4


class Bench:
    def __init__(self, *symbols: tuple[str, str]) -> None:
        self.pipeline = Pipeline(clock_us=lambda: T0, publish=lambda subject, data: None)
        told = tuple(documents.JobSymbol(1, symbol, kind) for symbol, kind in symbols)
        self.pipeline.configure(msgspec.structs.replace(a_plant(2), job_symbols=told))

    def feed(self, *points: tuple[float, int, float], quality: int = Quality.GOOD, texts=()) -> list:
        block = PointBlock(
            np.array([p[1] for p in points], np.uint32),
            np.array([T0 + int(p[0] * S) for p in points], np.int64),
            np.array([p[2] for p in points], np.float64),
            np.full(len(points), quality, np.uint8),
            np.zeros(len(points), np.uint64),
            np.array([T0 + int(p[0] * S) + 5 for p in points], np.int64),
        )
        self.pipeline._absorb(block, list(texts))
        return [
            (one.work_unit_id, series.symbol, [(t - T0) / S for t in series.times_us], series.values)
            for one in self.pipeline.job_signals.take()
            for series in one.series
        ]


def test_a_counter_is_told_when_it_changes_and_only_if_jobs_listen():
    bench = Bench(("count", "count"))
    assert bench.feed((1, COUNT, 5.0), (2, COUNT, 5.0), (3, COUNT, 6.0), (3, RUN, 1.0)) == [
        (1, "count", [1.0, 3.0], [5.0, 6.0])
    ]
    assert bench.feed((4, COUNT, 6.0)) == []
    assert Bench().feed((1, COUNT, 5.0)) == []


def test_what_comes_late_is_always_told_and_what_is_bad_never():
    bench = Bench(("count", "count"))
    bench.feed((5, COUNT, 7.0))
    assert bench.feed((4, COUNT, 7.0)) == [(1, "count", [4.0], [7.0])]
    assert bench.feed((6, COUNT, 99.0), quality=Quality.BAD) == []
    assert bench.feed((7, COUNT, float("nan"))) == []


def test_the_first_reading_after_a_start_is_told_again_and_a_run_is_text():
    assert Bench(("count", "count")).feed((5, COUNT, 7.0)) == Bench(("count", "count")).feed((5, COUNT, 7.0))
    bench = Bench(("program", "run_id"))
    text = TextPoint(PROGRAM, T0 + S, "JO-7", 0, 0, T0 + S)
    assert bench.feed(texts=[text]) == [(1, "program", [1.0], ["JO-7"])]
    assert bench.feed(texts=[TextPoint(PROGRAM, T0 + 2 * S, "JO-7", 0, 0, T0 + 2 * S)]) == []
