"""Statistics of spans of time and histograms, from raw samples; exact over millions of points.

Called in a thread of its own client; may raise `StoreFailure`. Times in microseconds UTC, values in the tag's unit.
"""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from yuheng.historian.queries import LOOK_BACK_US
from yuheng.historian.store import Store

_SPAN = "time >= fromUnixTimestamp64Micro({start:Int64}, 'UTC') AND time < fromUnixTimestamp64Micro({end:Int64}, 'UTC')"
_US = "toUnixTimestamp64Micro(time)"

# Every sample holds from its own time to the next one's; a span sees the part of that within itself. So the value that
# held when the span began counts in all that is weighted by time, and in nothing that counts samples.
_DESCRIBE = f"""
    SELECT {{tag:UInt32}} AS tag, toUInt32(span - 1) AS span, countIf(inside) AS count,
        countIf(inside AND good) AS good_count,
        minIf(value, inside AND good) AS min, maxIf(value, inside AND good) AS max,
        avgIf(value, inside AND good) AS mean, stddevSampIf(value, inside AND good) AS std,
        quantilesExactInclusiveIf(0.05, 0.25, 0.5, 0.75, 0.95)(value, inside AND good) AS percentiles,
        argMinIf(value, (t, seq), inside AND good) AS first, argMaxIf(value, (t, seq), inside AND good) AS last,
        argMinIf(t, (value, t), inside AND good) AS min_us, argMaxIf(t, (value, -t), inside AND good) AS max_us,
        sumIf(hold_s, good) AS covered_s, sumIf(value * hold_s, good) AS integral,
        sumIf(hold_s, good AND value > {{high:Float64}}) AS above_s,
        sumIf(hold_s, good AND value < {{low:Float64}}) AS below_s
    FROM (
        SELECT t, seq, value, good, span, t >= span_start AS inside,
            (least(after, span_end) - greatest(t, span_start)) / 1e6 AS hold_s
        FROM (
            SELECT t, seq, value, good, {{spread}},
                leadInFrame(t, 1, {{end:Int64}}) OVER (ORDER BY t, seq
                    ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) AS after
            FROM (
                SELECT {_US} AS t, seq, value, quality < 128 AS good FROM samples FINAL
                WHERE tag = {{tag:UInt32}} AND {_SPAN}
                UNION ALL
                SELECT t, seq, value, good FROM (
                    SELECT {_US} AS t, seq, value, quality < 128 AS good FROM samples FINAL
                    WHERE tag = {{tag:UInt32}} AND {_SPAN.replace("start:", "before:").replace("end:", "start:")}
                    ORDER BY t DESC, seq DESC LIMIT 1
                )
            )
        )
    ) GROUP BY span ORDER BY span
"""


_MANY = """{starts:Array(Int64)} AS starts, {ends:Array(Int64)} AS ends,
                arrayJoin(arrayFilter(i -> t < ends[i] AND (after > starts[i] OR t >= starts[i]),
                    arrayEnumerate(starts))) AS span, starts[span] AS span_start, ends[span] AS span_end"""
_ONE = "1 AS span, {start:Int64} AS span_start, {end:Int64} AS span_end"
"""One span needs no look at each sample for which it is in: that is three times faster."""


def describe(
    store: Store,
    tags: Sequence[int],
    starts_us: Sequence[int],
    ends_us: Sequence[int],
    *,
    low: float | None = None,
    high: float | None = None,
) -> pa.Table:
    """Describe each tag in each span ``[starts_us[i], ends_us[i])``.

    Returns
    -------
    pa.Table
        tag, span (index), count, good_count, min, max, mean, std, percentiles (5, 25, 50, 75, 95 %), first, last,
        min_us, max_us (when), covered_s (time with a good value), integral (value · s), above_s, below_s. Spans with
        neither a sample nor a value that held are left out. What needs a good sample is not a number without one.

    Notes
    -----
    One query a tag; the time in which no good value holds counts for nothing.
    """
    start, end = min(starts_us), max(ends_us)
    span = {"start": start, "end": end, "before": start - LOOK_BACK_US}
    limits = {"low": float("-inf") if low is None else low, "high": float("inf") if high is None else high}
    sql = _DESCRIBE.replace("{spread}", _ONE if len(starts_us) == 1 else _MANY)
    parts = [
        store.arrow(sql, {"tag": tag, "starts": list(starts_us), "ends": list(ends_us), **span, **limits})
        for tag in tags
    ]
    return pa.concat_tables(parts)


def histogram(store: Store, tag: int, start_us: int, end_us: int, bins: int) -> pa.Table:
    """Return low, high, count of so many equal classes between the smallest and the largest good value."""
    sql = f"""
        WITH (SELECT min(value) FROM samples WHERE tag = {{tag:UInt32}} AND {_SPAN} AND quality < 128) AS least_value,
             (SELECT max(value) FROM samples WHERE tag = {{tag:UInt32}} AND {_SPAN} AND quality < 128) AS most_value,
             if(most_value > least_value, (most_value - least_value) / {{bins:UInt16}}, 1) AS width
        SELECT least_value + class * width AS low, low + width AS high, count() AS count FROM (
            SELECT least(toInt64(floor((value - least_value) / width)), {{bins:UInt16}} - 1) AS class
            FROM samples FINAL WHERE tag = {{tag:UInt32}} AND {_SPAN} AND quality < 128
        ) GROUP BY class ORDER BY class
    """
    return store.arrow(sql, {"tag": tag, "start": start_us, "end": end_us, "bins": bins})
