"""Answers from the store, compared with plain Python on the same samples."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest

from yuheng.engines.points import PointBlock, TextPoint
from yuheng.historian import queries, rollups, snapshot
from yuheng.historian.rollups import DirtyMinutes
from yuheng.historian.spans import HOUR_US, MINUTE_US, NOTHING_OWED, Owed, plan
from yuheng.historian.store import Store, sample_columns, text_columns

T0 = 1_790_000_000_000_000 // HOUR_US * HOUR_US


def points(rows: list[tuple[int, int, float, int]]) -> PointBlock:
    """Rows of (tag, µs after T0, value, quality)."""
    tag, time, value, quality = zip(*rows, strict=True)
    count = len(rows)
    return PointBlock(
        np.array(tag, np.uint32),
        T0 + np.array(time, np.int64),
        np.array(value, np.float64),
        np.array(quality, np.uint8),
        np.zeros(count, np.uint64),
        np.full(count, T0, np.int64),
    )


def put(store: Store, block: PointBlock) -> None:
    store.insert("samples", sample_columns(block))


def a_walk(seed: int, *, hours: float = 3.0, tags: int = 3, bad: float = 0.1) -> list[tuple[int, int, float, int]]:
    """Uneven samples with holes and bad ones; unique times a tag."""
    rng = np.random.default_rng(seed)
    rows = []
    for tag in range(1, tags + 1):
        times = np.unique(rng.integers(0, int(hours * HOUR_US), 400))
        keep = (times // (7 * MINUTE_US)) % 3 != tag % 3  # holes of some minutes
        for time in times[keep].tolist():
            is_bad = rng.random() < bad
            rows.append((tag, time, math.nan if is_bad else round(float(rng.normal(20, 5)), 2), 0x80 if is_bad else 0))
    return rows


def expected_aggregate(rows, tag, start, end, bucket, *, back=24 * HOUR_US):
    """The definition, sample by sample: each good value holds until the next sample, at most to the bucket's end."""
    mine = sorted((t, v, q) for g, t, v, q in rows if g == tag and start - back <= t < end)
    inside = [r for r in mine if r[0] >= start]
    found = {}
    for slot in sorted({(T0 + t) // bucket for t, _, _ in inside}):
        low, high = max(slot * bucket - T0, start), min((slot + 1) * bucket - T0, end)
        good = [(t, v) for t, v, q in inside if low <= t < high and q < 128]
        everything = [r for r in inside if low <= r[0] < high]
        integral = covered = 0.0
        for (t, v, q), after in pairwise([*mine, (end, 0.0, 0)]):
            a, b = max(t, low), min(after[0], high)
            if b > a and q < 128:
                integral += v * (b - a) / 1e6
                covered += (b - a) / 1e6
        values = [v for _, v in good]
        found[slot * bucket] = (
            min(values, default=math.nan),
            max(values, default=math.nan),
            sum(values) / len(values) if values else math.nan,
            len(everything),
            integral / covered if covered else math.nan,
        )
    return found


def check_aggregate(table, rows, tags, start, end, bucket):
    got = {}
    for row in table.to_pylist():
        key = (row["tag"], round(row["bucket"].timestamp() * 1e6))
        got[key] = (row["min"], row["max"], row["avg"], row["count"], row["time_weighted_avg"])
    want = {}
    for tag in tags:
        want |= {(tag, k): v for k, v in expected_aggregate(rows, tag, start, end, bucket).items()}
    assert got.keys() == want.keys()
    for key, values in want.items():
        assert got[key] == pytest.approx(values, rel=1e-9, nan_ok=True), key


def roll_up(store: Store, block: PointBlock) -> None:
    dirty = DirtyMinutes()
    order = np.lexsort((block.time_us, block.tag))
    dirty.mark(block.tag[order], block.time_us[order])
    rollups.compute(store, dirty.take(2**62), width_us=MINUTE_US, job=1, version=1)
    dirty.done()
    rollups.compute(store, dirty.take_hours(2**62), width_us=HOUR_US, job=2, version=1)


@pytest.mark.parametrize("bucket", [20_000_000, MINUTE_US, 15 * MINUTE_US, HOUR_US])
def test_buckets_from_raw_samples_follow_the_definition(store: Store, bucket: int):
    rows = a_walk(1)
    put(store, points(rows))
    start, end = 3 * MINUTE_US + 17, 2 * HOUR_US + 40 * MINUTE_US + 5
    table = queries.aggregate(store, [1, 2, 3], T0 + start, T0 + end, bucket, owed=all_owed(-24 * HOUR_US, 3 * HOUR_US))
    check_aggregate(table, rows, [1, 2, 3], start, end, bucket)


@pytest.mark.parametrize("bucket", [MINUTE_US, 15 * MINUTE_US, HOUR_US])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_buckets_from_roll_ups_equal_the_definition(store: Store, bucket: int, seed: int):
    rows = a_walk(seed)
    put(store, points(rows))
    roll_up(store, points(rows))
    for start, end in [(0, 3 * HOUR_US), (HOUR_US, 2 * HOUR_US + 10 * MINUTE_US), (25 * MINUTE_US, 3 * HOUR_US)]:
        table = queries.aggregate(store, [1, 2, 3], T0 + start, T0 + end, bucket, owed=NOTHING_OWED)
        check_aggregate(table, rows, [1, 2, 3], start, end, bucket)


@pytest.mark.parametrize("seed", range(4))
def test_any_mixture_of_hours_minutes_and_raw_gives_the_same_buckets(store: Store, seed: int):
    """Where something is owed the roll-ups are wrong on purpose: reading them there would show."""
    rows = a_walk(5, hours=6.0)
    put(store, points(rows))
    roll_up(store, points(rows))
    rng = np.random.default_rng(seed)
    minutes = np.unique(rng.choice(360, rng.integers(1, 60), replace=False)) + T0 // MINUTE_US
    hours = np.unique(rng.choice(6, rng.integers(0, 3), replace=False)) + T0 // HOUR_US
    spoil(store, "minutes", 60, minutes)
    spoil(store, "hours", 3600, np.union1d(hours, minutes // 60))
    for start, end in [
        (30_000_001, 6 * HOUR_US - 1_000_003),
        (2 * HOUR_US, 5 * HOUR_US),
        (97 * MINUTE_US + 1, 5 * HOUR_US),
    ]:
        for bucket in (HOUR_US, 5 * MINUTE_US):
            owed = Owed(minutes, hours)
            table = queries.aggregate(store, [1, 2, 3], T0 + start, T0 + end, bucket, owed=owed)
            check_aggregate(table, rows, [1, 2, 3], start, end, bucket)


def test_scattered_debts_of_few_tags_are_read_in_few_stretches():
    """Each stretch is a condition in the question: two hundred of them took ten times longer than the whole day."""
    first = T0 // MINUTE_US
    owed = Owed(np.arange(first + 2, first + 1440, 5), np.unique(np.arange(first, first + 1440) // 60))
    end = T0 + 1440 * MINUTE_US
    one, many = (plan(T0, end, owed, use_hours=False, tags=tags) for tags in (1, 100))
    assert one.raw == [(T0 + 2 * MINUTE_US, T0 + 1438 * MINUTE_US)]
    assert one.minutes == [(T0, T0 + 2 * MINUTE_US), (T0 + 1438 * MINUTE_US, end)]
    assert len(many.raw) == 200
    far = Owed(np.array([first + 5, first + 300]), np.empty(0, np.int64))
    apart = plan(T0, end, far, use_hours=True, tags=1)
    assert [high - low for low, high in apart.raw] == [MINUTE_US, MINUTE_US]
    assert sum(high - low for low, high in [*apart.raw, *apart.minutes, *apart.hours]) == end - T0


def all_owed(start: int, end: int) -> Owed:
    low, high = T0 + start, T0 + end
    return Owed(np.arange(low // MINUTE_US, high // MINUTE_US + 1), np.arange(low // HOUR_US, high // HOUR_US + 1))


def spoil(store: Store, table: str, seconds: int, numbers: np.ndarray) -> None:
    store.command(
        f"INSERT INTO {table} SELECT tag, bucket, -1e6 AS min, 1e6 AS max, 1e9 AS sum, count, good_count, first, last, "
        "first_time, last_time, carry, 1e9 AS integral, covered, now64(6) + 1 "
        f"FROM {table} FINAL WHERE bucket IN {{buckets:Array(DateTime('UTC'))}}",
        {"buckets": [int(n) * seconds for n in numbers]},
    )


def test_recomputing_a_roll_up_after_late_samples_replaces_it(store: Store):
    rows = a_walk(7, tags=1)
    put(store, points(rows))
    roll_up(store, points(rows))
    late = [(1, 65 * MINUTE_US + k, 1000.0 + k, 0) for k in range(3)]
    put(store, points(late))
    roll_up(store, points(late))
    table = queries.aggregate(store, [1], T0, T0 + 3 * HOUR_US, HOUR_US, owed=NOTHING_OWED)
    check_aggregate(table, rows + late, [1], 0, 3 * HOUR_US, HOUR_US)


def test_a_redelivered_sample_is_one_row(store: Store):
    block = points([(1, 1000, 1.5, 0), (1, 2000, 2.5, 0)])
    put(store, block)
    put(store, block)
    table = queries.raw(store, [1], T0, T0 + 10_000, 100)
    assert table["value"].to_pylist() == [1.5, 2.5]


def test_raw_answers_numbers_and_texts_in_order_and_bad_numbers_as_no_value(store: Store):
    put(store, points([(1, 1000, 1.5, 0), (1, 3000, math.nan, 0x80)]))
    store.insert("text_samples", text_columns([TextPoint(2, T0 + 2000, "程序 7", 0, 4, T0)]))
    table = queries.raw(store, [2, 1], T0, T0 + 10_000, 100).to_pylist()
    assert [(r["tag"], r["value"], r["text"], r["quality"], r["seq"]) for r in table] == [
        (1, 1.5, None, 0, 0),
        (1, None, None, 0x80, 0),
        (2, None, "程序 7", 0, 4),
    ]


def test_a_pixel_keeps_the_peak(store: Store):
    rows = [(1, k * 1_000_000, 1.0, 0) for k in range(3600)]
    rows[1234] = (1, 1234 * 1_000_000, 99.0, 0)
    put(store, points(rows))
    table = queries.pixels(store, [1], T0, T0 + HOUR_US, 100).to_pylist()
    assert len(table) == 100
    assert max(r["max"] for r in table) == 99.0
    assert sum(r["count"] for r in table) == 3600
    assert table[0]["time"].timestamp() * 1e6 == T0


def test_a_counter_that_is_reset_goes_on_from_zero(store: Store):
    values = [5.0, 7.0, 9.0, 2.0, 4.0]  # 5 before the start: +2 +2, reset, +2 +2
    put(store, points([(1, k * 1_000_000, v, 0) for k, v in enumerate(values)]))
    table = queries.increase(store, [1], T0 + 500_000, T0 + 10_000_000).to_pylist()
    assert table == [{"tag": 1, "increase": 8.0}]


def test_the_latest_as_known_at_a_time_is_found_however_old_it_is(store: Store):
    put(store, points([(1, 0, 1.0, 0), (2, -2 * HOUR_US, 2.0, 0), (3, -40 * 24 * HOUR_US, 3.0, 0), (1, 5000, 9.0, 0)]))
    store.insert("text_samples", text_columns([TextPoint(4, T0 - 5, "A", 0, 0, T0)]))
    table = queries.latest_at(store, [1, 2, 3, 4, 5], T0 + 100).to_pylist()
    assert [(r["tag"], r["value"], r["text"]) for r in table] == [
        (1, 1.0, None),
        (2, 2.0, None),
        (3, 3.0, None),
        (4, None, "A"),
    ]


def test_the_moment_of_arrival_is_kept_to_the_millisecond_and_the_later_arrival_wins(store: Store):
    first, second = points([(1, 1000, 1.5, 0)]), points([(1, 1000, 2.5, 0)])
    first.arrived_us[:] = T0 + 7_003_900
    second.arrived_us[:] = T0 + 7_002_100  # arrived earlier in the same second, stored later
    put(store, first)
    put(store, second)
    [row] = queries.raw(store, [1], T0, T0 + 10_000, 100).to_pylist()
    assert row["value"] == 1.5
    assert round(row["arrived"].timestamp() * 1e3) == T0 // 1000 + 7_003
    store.command("OPTIMIZE TABLE samples FINAL")
    assert store.rows("SELECT value FROM samples") == [(1.5,)]
    watermark_s = (T0 + 7_000_000) // 1_000_000
    [(block, _)] = snapshot.since(store, watermark_s)
    assert block.arrived_us.tolist() == [T0 + 7_003_000]
    assert list(snapshot.since(store, watermark_s + 1)) == []


def test_what_arrived_since_comes_in_pieces_of_whole_seconds(store: Store, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(snapshot, "ROWS_A_PIECE", 25)
    block = points([(1, k * 1000, float(k), 0) for k in range(100)])
    block.arrived_us[:] = T0 + np.arange(100) * 100_000  # ten a second
    put(store, block)
    store.insert("text_samples", text_columns([TextPoint(2, T0 + 5, "A", 0, 0, T0 + 9_000_000)]))
    pieces = list(snapshot.since(store, T0 // 1_000_000))
    assert [len(block) for block, _ in pieces] == [20] * 5
    assert sorted(v for block, _ in pieces for v in block.value.tolist()) == [float(k) for k in range(100)]
    assert [len(texts) for _, texts in pieces] == [0, 0, 0, 0, 1]


@pytest.mark.parametrize("bucket", [1000, 7_000_000, 90_000_000, MINUTE_US, 7 * MINUTE_US, HOUR_US])
@pytest.mark.parametrize("span", [(0, HOUR_US), (7, 2 * HOUR_US - 3), (5, 900), (-9 * HOUR_US, -8 * HOUR_US)])
@pytest.mark.parametrize("content", ["nothing", "texts", "raw", "roll-ups"])
def test_every_way_of_putting_an_aggregate_together_is_answered(
    store: Store, bucket: int, span: tuple[int, int], content: str
):
    """Each combination unites other parts (raw, minutes, hours, what is carried in): the engine must find one type."""
    rows = a_walk(5, hours=2.0, tags=1)
    if content == "texts":
        texts = [TextPoint(1, T0 + 10, "on", 0, 0, T0), TextPoint(1, T0 + HOUR_US, "off", 0, 0, T0)]
        store.insert("text_samples", text_columns(texts))
    elif content != "nothing":
        put(store, points(rows))
    until = T0 + 2 * HOUR_US if content == "roll-ups" else 0
    if until:
        roll_up(store, points(rows))
    low, high = span
    table = queries.aggregate(
        store, [1], T0 + low, T0 + high, bucket, owed=NOTHING_OWED if until else all_owed(0, 2 * HOUR_US)
    ).to_pylist()
    wanted = expected_aggregate(rows, 1, low, high, bucket) if content in ("raw", "roll-ups") else {}
    assert len(table) == len(wanted)
    assert sum(row["count"] for row in table) == sum(low <= time < high for _, time, _, _ in rows) * bool(wanted)
