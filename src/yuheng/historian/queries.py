"""The answers as SQL: raw, aggregated, one row a pixel, increase of counters, as known at a time. Arrow tables out.

Every method runs in a thread of its own client and may raise `StoreFailure`. Times in microseconds UTC.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from yuheng.historian.rollups import ARRAYS, IN_ORDER, PLACE
from yuheng.historian.spans import HOUR_US, MINUTE_US, Owed, plan, type_spans
from yuheng.historian.store import Store

_TAGS = "tag IN {tags:Array(UInt32)}"
_SPAN = "time >= fromUnixTimestamp64Micro({start:Int64}, 'UTC') AND time < fromUnixTimestamp64Micro({end:Int64}, 'UTC')"
_PLACE_BEFORE = PLACE.replace("(time)", "(samples.time)")  # `time` is an alias there
_US = "toUnixTimestamp64Micro(time)"
_MOMENT = "fromUnixTimestamp64Micro({}, 'UTC')"


def raw(store: Store, tags: Sequence[int], start_us: int, end_us: int, limit: int) -> pa.Table:
    """Return tag, time, seq, value, text, quality, arrived, by tag, time and sequence."""
    sql = f"""
        SELECT tag, time, seq, value, text, quality, toDateTime64(arrived, 6, 'UTC') AS arrived FROM (
            SELECT tag, time, seq, if(quality >= 128 AND isNaN(value), NULL, value) AS value,
                CAST(NULL, 'Nullable(String)') AS text, quality, arrived
            FROM samples FINAL WHERE {_TAGS} AND {_SPAN} ORDER BY tag, time, seq LIMIT {{limit:UInt64}}
            UNION ALL
            SELECT tag, time, seq, CAST(NULL, 'Nullable(Float64)') AS value, CAST(text, 'Nullable(String)') AS text,
                quality, arrived
            FROM text_samples FINAL WHERE {_TAGS} AND {_SPAN} ORDER BY tag, time, seq LIMIT {{limit:UInt64}}
        ) ORDER BY tag, time, seq LIMIT {{limit:UInt64}}
    """
    return store.arrow(sql, {"tags": list(tags), "start": start_us, "end": end_us, "limit": limit})


def pixels(store: Store, tags: Sequence[int], start_us: int, end_us: int, width: int) -> pa.Table:
    """Return tag, time, min, max, first, last, count: one row a pixel with good data, so that peaks survive.

    ``time`` is the beginning of the pixel.
    """
    step = max(1, -(-(end_us - start_us) // max(1, width)))
    sql = f"""
        SELECT tag, fromUnixTimestamp64Micro({{start:Int64}} + pixel * {{step:Int64}}, 'UTC') AS time,
            min(value) AS min, max(value) AS max, argMin(value, place) AS first, argMax(value, place) AS last,
            count() AS count
        FROM (
            SELECT tag, {PLACE} AS place, value, intDiv({_US} - {{start:Int64}}, {{step:Int64}}) AS pixel
            FROM samples FINAL WHERE {_TAGS} AND {_SPAN} AND quality < 128
        ) GROUP BY tag, pixel ORDER BY tag, pixel SETTINGS max_threads = {{threads:UInt8}}
    """
    threads = 1 if len(tags) == 1 else 2  # one tag is read faster than threads are started
    span = {"start": start_us, "end": end_us, "step": step}
    return store.arrow(sql, {"tags": list(tags), "threads": threads, **span})


def increase(store: Store, tags: Sequence[int], start_us: int, end_us: int) -> pa.Table:
    """Return tag, increase: growth of counters over [start, end); a fall is a reset, counted from zero.

    The newest value before ``start`` is where counting begins, when there is one.
    """
    sql = f"""
        SELECT tag, sum(if(value >= before, value - before, value)) AS increase FROM (
            SELECT tag, time, value,
                lagInFrame(value, 1, value) OVER (PARTITION BY tag ORDER BY time, seq
                    ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS before
            FROM (
                SELECT tag, time, seq, value FROM samples FINAL WHERE {_TAGS} AND {_SPAN} AND quality < 128
                UNION ALL
                SELECT tag, max(samples.time) AS time, 0 AS seq, argMax(value, {_PLACE_BEFORE}) AS value
                FROM samples FINAL WHERE {_TAGS} AND quality < 128
                    AND samples.time < fromUnixTimestamp64Micro({{start:Int64}}, 'UTC')
                    AND samples.time >= fromUnixTimestamp64Micro({{before:Int64}}, 'UTC')
                GROUP BY tag
            )
        ) GROUP BY tag ORDER BY tag
    """
    day_before = start_us - 24 * HOUR_US
    return store.arrow(sql, {"tags": list(tags), "start": start_us, "end": end_us, "before": day_before})


def latest_at(store: Store, tags: Sequence[int], at_us: int) -> pa.Table:
    """Return tag, time, value, quality, arrived, text: the newest sample at or before ``at_us``, by tag.

    Looked for an hour back, then a day, then everywhere: most tags are found in the first step.
    """
    found: list[pa.Table] = []
    missing, end_us = sorted(set(tags)), at_us + 1
    for back_us in (HOUR_US, 24 * HOUR_US, None):
        if not missing:
            break
        start_us = at_us - back_us if back_us else 0
        part = _newest(store, missing, start_us, end_us)
        found.append(part)
        missing = sorted(set(missing) - set(part["tag"].to_pylist()))
        end_us = start_us
    return pa.concat_tables(found).sort_by("tag") if found else _newest(store, [], 0, 1)


def _newest(store: Store, tags: Sequence[int], start_us: int, end_us: int) -> pa.Table:
    sql = f"""
        SELECT tag, time, value, quality, toDateTime64(arrived, 6, 'UTC') AS arrived, text FROM (
            SELECT tag, time, seq, CAST(value, 'Nullable(Float64)') AS value, quality, arrived,
                CAST(NULL, 'Nullable(String)') AS text
            FROM samples WHERE {_TAGS} AND {_SPAN} ORDER BY tag, time DESC, seq DESC, arrived DESC LIMIT 1 BY tag
            UNION ALL
            SELECT tag, time, seq, CAST(NULL, 'Nullable(Float64)') AS value, quality, arrived,
                CAST(text, 'Nullable(String)') AS text
            FROM text_samples WHERE {_TAGS} AND {_SPAN} ORDER BY tag, time DESC, seq DESC, arrived DESC LIMIT 1 BY tag
        ) ORDER BY tag, time DESC, seq DESC LIMIT 1 BY tag
    """
    return store.arrow(sql, {"tags": list(tags), "start": start_us, "end": end_us})


LOOK_BACK_US = 24 * HOUR_US
"""How far a value is looked for that still held when the first bucket began."""
NEAR_US = 5 * MINUTE_US
"""Samples that near before the start are read together with those after it: they lie in the same granules."""


def aggregate(store: Store, tags: Sequence[int], start_us: int, end_us: int, bucket_us: int, *, owed: Owed) -> pa.Table:
    """Return tag, bucket, min, max, avg, count, first, last, time_weighted_avg, good_count.

    Buckets are aligned to 1970 (UTC); the first and last hold only what lies in [start, end). Hours and minutes are
    used where they are whole and nothing is ``owed``, raw samples for the rest, each where the bucket allows. The
    time-weighted average carries each good value to the next sample, over the borders of buckets too; a BAD sample
    ends carrying.
    """
    by_minute = bucket_us % MINUTE_US == 0
    by_hour = bucket_us % HOUR_US == 0
    inside = plan(start_us, end_us, owed, use_minutes=by_minute, use_hours=by_hour, tags=len(tags))
    before = plan((start_us - LOOK_BACK_US) // HOUR_US * HOUR_US, start_us, owed, tags=len(tags))
    near = [span for span in before.raw if span[0] >= start_us - NEAR_US]
    parts = [
        *_rolled("hours", 3600, before.hours + inside.hours),
        *_rolled("minutes", 60, before.minutes + inside.minutes),
        *_sampled(near + inside.raw, MINUTE_US if by_minute else bucket_us, start_us),
        *_last_sample(before.raw[: len(before.raw) - len(near)]),
    ]
    parameters = {"tags": list(tags), "start": start_us, "end": end_us, "bucket": bucket_us}
    return store.arrow(_AGGREGATE.format(parts=" UNION ALL ".join(parts)), parameters)


def _in_spans(column: str, spans: type_spans) -> str:
    """Return the condition that a time lies in one of some stretches."""
    return " OR ".join(
        f"({column} >= {_MOMENT.format(low)} AND {column} < {_MOMENT.format(high)})" for low, high in spans
    )


def _rolled(table: str, seconds: int, spans: type_spans) -> list[str]:
    """Return the rows of a roll-up table, each with the end of its own bucket; nothing for no stretches."""
    if not spans:
        return []
    return [
        f"""
        SELECT tag, toInt64(toUnixTimestamp(bucket)) * 1000000 AS row_start, row_start + {seconds}000000 AS row_end,
            min, max, sum, toUInt64(count) AS count, toUInt64(good_count) AS good_count, first, last,
            toUnixTimestamp64Micro(first_time) AS first_us, carry, integral, covered
        FROM {table} FINAL WHERE {_TAGS} AND ({_in_spans("bucket", spans)})
        """
    ]


def _sampled(spans: type_spans, width_us: int, start_us: int) -> list[str]:
    """Return raw samples as rows of ``width_us`` that begin and end with a sample: the gap after carries the last.

    No row has samples from both sides of ``start_us``.
    """
    if not spans:
        return []
    slot = f"intDiv({_US}, {width_us}) * 2 + ({_US} >= {start_us})"
    arrays = ARRAYS.format(slot=slot, condition=f"{_TAGS} AND ({_in_spans('time', spans)})")
    return [
        f"""
        SELECT tag, ts[1] AS row_start, ts[-1] AS row_end, arrayMin(good) AS min, arrayMax(good) AS max,
            arraySum(good) AS sum, length(ts) AS count, length(good) AS good_count, good[1] AS first, good[-1] AS last,
            row_start AS first_us, if(gs[-1], vs[-1], nan) AS carry,
            arraySum((v, t, after, g) -> if(g, v * (after - t), 0), vs, ts, after, gs) / 1e6 AS integral,
            arraySum((t, after, g) -> if(g, after - t, 0), ts, after, gs) / 1e6 AS covered
        FROM (SELECT *, arrayPushBack(arrayPopFront(ts), ts[-1]) AS after FROM ({arrays}))
        """
    ]


def _last_sample(spans: type_spans) -> list[str]:
    """Return the newest sample of each tag in some stretches, as a row that only carries."""
    if not spans:
        return []
    return [
        f"""
        SELECT tag, max({_US}) AS row_start, row_start AS row_end, 0. AS min, 0. AS max, 0. AS sum,
            toUInt64(0) AS count, toUInt64(0) AS good_count, 0. AS first, 0. AS last, row_start AS first_us,
            argMax(if(quality < 128, value, nan), {PLACE}) AS carry, 0. AS integral, 0. AS covered
        FROM samples FINAL WHERE {_TAGS} AND ({_in_spans("time", spans)}) GROUP BY tag
        """
    ]


# `gap` is the time after a row in which its last value is carried: to the next row, but not beyond its own bucket;
# `head` is the time before the first row of a bucket in which the value of the row before is carried.
_AGGREGATE = (
    """
    SELECT tag, fromUnixTimestamp64Micro(slot * {{bucket:Int64}}, 'UTC') AS bucket,
        if(sum(r.good_count) = 0, nan, minIf(r.min, r.good_count > 0)) AS min,
        if(sum(r.good_count) = 0, nan, maxIf(r.max, r.good_count > 0)) AS max,
        if(sum(r.good_count) = 0, nan, sum(r.sum) / sum(r.good_count)) AS avg, sum(r.count) AS count,
        if(sum(r.good_count) = 0, nan, argMinIf(r.first, r.row_start, r.good_count > 0)) AS first,
        if(sum(r.good_count) = 0, nan, argMaxIf(r.last, r.row_start, r.good_count > 0)) AS last,
        if(covered_s > 0, (sum(r.integral) + sum(if(isNaN(r.carry), 0, r.carry * gap))
            + sum(if(isNaN(carried), 0, carried * head))) / covered_s, nan) AS time_weighted_avg,
        sum(r.good_count) AS good_count,
        sum(r.covered) + sum(if(isNaN(r.carry), 0, gap)) + sum(if(isNaN(carried), 0, head)) AS covered_s
    FROM (
        SELECT *, if(row_start < {{start:Int64}}, toInt64(-1), intDiv(row_start, {{bucket:Int64}})) AS slot,
            least((slot + 1) * {{bucket:Int64}}, {{end:Int64}}) AS slot_end,
            greatest(slot * {{bucket:Int64}}, {{start:Int64}}) AS slot_start,
            leadInFrame(first_us, 1, {{end:Int64}}) OVER w AS next_us,
            lagInFrame(carry, 1, nan) OVER w AS before,
            lagInFrame(slot, 1, toInt64(-2)) OVER w AS slot_before,
            greatest(0, least(next_us, slot_end) - row_end) / 1e6 AS gap,
            if(slot_before != slot, before, nan) AS carried,
            if(slot_before != slot, greatest(0, first_us - slot_start), 0) / 1e6 AS head
        FROM (
            {parts}
        )
        WINDOW w AS (PARTITION BY tag ORDER BY row_start, row_end
            ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING)
    ) AS r WHERE r.row_start >= {{start:Int64}} GROUP BY tag, slot ORDER BY tag, slot
"""
    + IN_ORDER
)


def drop_column(table: pa.Table, name: str) -> pa.Table:
    """Return a table without one column."""
    return table.drop_columns([name]) if name in table.column_names else table


def ipc(table: pa.Table) -> bytes:
    """Return a table as an Arrow IPC stream."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue())


def latest_table(columns: dict[str, np.ndarray[tuple[int], np.dtype[Any]]], texts: list[str | None]) -> pa.Table:
    """Return newest values, kept in memory, in the shape of `latest_at`."""
    value = pa.array(columns["value"], from_pandas=True)
    return pa.table(
        {
            "tag": columns["tag"],
            "time": pa.array(columns["time_us"].view("datetime64[us]"), pa.timestamp("us", "UTC")),
            "value": value,
            "quality": columns["quality"],
            "arrived": pa.array(columns["arrived_us"].view("datetime64[us]"), pa.timestamp("us", "UTC")),
            "text": pa.array(texts, pa.string()),
        }
    )
