"""Statistics of spans of time and histograms, from raw samples; exact over millions of points.

Called in a thread of its own client; may raise `StoreFailure`. Times in microseconds UTC, values in the tag's unit.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from yuheng.historian.queries import LOOK_BACK_US
from yuheng.historian.sampled import Series
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


# ---- calculated tags: the same numbers from arrays -------------------------------------------------------------------

DESCRIPTIONS = pa.schema(
    [
        ("tag", pa.uint32()),
        ("span", pa.uint32()),
        ("count", pa.uint64()),
        ("good_count", pa.uint64()),
        *((name, pa.float64()) for name in ("min", "max", "mean", "std")),
        ("percentiles", pa.list_(pa.float64())),
        *((name, pa.float64()) for name in ("first", "last")),
        *((name, pa.int64()) for name in ("min_us", "max_us")),
        *((name, pa.float64()) for name in ("covered_s", "integral", "above_s", "below_s")),
    ]
)
CLASSES = pa.schema([("low", pa.float64()), ("high", pa.float64()), ("count", pa.uint64())])


def described(
    tag: int,
    series: Series,
    starts_us: Sequence[int],
    ends_us: Sequence[int],
    *,
    low: float | None = None,
    high: float | None = None,
) -> list[dict[str, object]]:
    """Return the rows of `describe` for one tag; the series begins with the value that held before, if there is one.

    A value held for longer than a day before the first span counts for nothing, as in `describe`.
    """
    series = series.between(min(starts_us) - LOOK_BACK_US, max(ends_us))
    after_us = np.append(series.time_us[1:], max(ends_us))
    rows = (
        _description(tag, number, series, after_us, span, (low, high))
        for number, span in enumerate(zip(starts_us, ends_us, strict=True))
    )
    return [row for row in rows if row is not None]


def _description(
    tag: int,
    number: int,
    series: Series,
    after_us: np.ndarray[tuple[int], np.dtype[np.int64]],
    span: tuple[int, int],
    limits: tuple[float | None, float | None],
) -> dict[str, object] | None:
    start_us, end_us = span
    touches = (series.time_us < end_us) & ((after_us > start_us) | (series.time_us >= start_us))
    if not touches.any():
        return None
    time_us, value = series.time_us[touches], series.value[touches]
    hold_s = (np.minimum(after_us[touches], end_us) - np.maximum(time_us, start_us)) / 1e6
    inside, good = time_us >= start_us, ~np.isnan(value)
    held, seconds = value[good], hold_s[good]
    own, own_us = value[inside & good], time_us[inside & good]
    low, high = limits
    nan = float("nan")
    return {
        "tag": tag,
        "span": number,
        "count": int(inside.sum()),
        "good_count": len(own),
        "min": float(own.min()) if len(own) else nan,
        "max": float(own.max()) if len(own) else nan,
        "mean": float(own.mean()) if len(own) else nan,
        "std": float(own.std(ddof=1)) if len(own) > 1 else nan,
        "percentiles": np.percentile(own, [5, 25, 50, 75, 95]).tolist() if len(own) else [nan] * 5,
        "first": float(own[0]) if len(own) else nan,
        "last": float(own[-1]) if len(own) else nan,
        "min_us": int(own_us[own.argmin()]) if len(own) else 0,
        "max_us": int(own_us[own.argmax()]) if len(own) else 0,
        "covered_s": float(seconds.sum()),
        "integral": float((held * seconds).sum()),
        "above_s": float(seconds[held > high].sum()) if high is not None else 0.0,
        "below_s": float(seconds[held < low].sum()) if low is not None else 0.0,
    }


def counted(series: Series, bins: int) -> list[dict[str, object]]:
    """Return the rows of `histogram` of the good values."""
    value = series.good().value
    if not len(value):
        return []
    least, most = float(value.min()), float(value.max())
    width = (most - least) / bins if most > least else 1.0
    classes, counts = np.unique(
        np.minimum(np.floor((value - least) / width).astype(np.int64), bins - 1), return_counts=True
    )
    return [
        {"low": least + number * width, "high": least + (number + 1) * width, "count": count}
        for number, count in zip(classes.tolist(), counts.tolist(), strict=True)
    ]
