"""The answers of `queries` for tags of both kinds: stored ones by the store, calculated ones in arrays.

Calculated values over a long time are calculated from averages a minute or an hour; then the answer's metadata has
`messages.RESOLUTION`. Formulas that look at single samples (``prev``, ``delta``) are never calculated from averages.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from msgspec.structs import replace

from yuheng.bus.documents import Plant, Tag
from yuheng.bus.messages import RESOLUTION, FormulaQuestion
from yuheng.engines.formulas.language import FormulaError
from yuheng.engines.points import Quality
from yuheng.historian import descriptions, queries
from yuheng.historian.calculations import Calculations, compiled
from yuheng.historian.sampled import EMPTY, Series
from yuheng.historian.series import HELD_FOR_FORMULAS, by_tag, read_series, read_stored
from yuheng.historian.spans import HOUR_US, MINUTE_US, Owed
from yuheng.historian.store import Store

DAY_US = 24 * HOUR_US
EXACT_US = 3 * DAY_US
"""Up to here calculated values come from every sample, beyond from averages a minute."""
MINUTES_US = 120 * DAY_US
"""Beyond this from averages an hour."""
LONGEST_BY_SAMPLES_US = 31 * DAY_US
MAX_CALCULATED = 200
"""Calculated tags in one question."""

OwedOf = Callable[[Sequence[int], int, int], Owed]


class TooLong(ValueError):
    """The question would take too long; the sentence says what to ask instead."""


def _both(store: Store, tags: Sequence[int]) -> tuple[list[int], list[int]]:
    stored, calculated = store.calculations.split(tags)
    if len(calculated) > MAX_CALCULATED:
        raise TooLong(f"More than {MAX_CALCULATED} calculated tags were asked for.")
    return stored, calculated


def _joined(table: pa.Table, parts: Sequence[pa.Table], order: Sequence[str], resolution_us: int) -> pa.Table:
    """Return the rows of stored and of calculated tags in one order."""
    same = [part.select(table.column_names).cast(table.schema) for part in parts]
    joined = pa.concat_tables([table, *same]).sort_by([(name, "ascending") for name in order])
    return joined.replace_schema_metadata({RESOLUTION: str(resolution_us)}) if resolution_us else joined


def _moments(times_us: npt.NDArray[np.int64]) -> pa.Array:
    return pa.array(np.ascontiguousarray(times_us).view("datetime64[us]"), pa.timestamp("us", "UTC"))


# ---- as they are ----------------------------------------------------------------------------------------------------


def raw(store: Store, tags: Sequence[int], start_us: int, end_us: int, limit: int) -> pa.Table:
    """Return what `queries.raw` does; calculated values stand at every sample of their inputs."""
    stored, calculated = _both(store, tags)
    table = queries.raw(store, stored, start_us, end_us, limit)
    if not calculated:
        return table
    parts = []
    for tag in calculated:
        room = limit
        for low_us, high_us in _days(start_us, end_us):
            series = read_series(store, [tag], low_us, high_us, is_held=False)[tag]
            parts.append(_raw_rows(tag, series.part(slice(0, room))))
            room -= len(series)
            if room <= 0:
                break
    return _joined(table, parts, ("tag", "time", "seq"), 0).slice(0, limit)


def _raw_rows(tag: int, series: Series) -> pa.Table:
    size = len(series)
    return pa.table(
        {
            "tag": np.full(size, tag, np.uint32),
            "time": _moments(series.time_us),
            "seq": np.zeros(size, np.uint64),
            "value": pa.array(series.value, from_pandas=True),
            "text": pa.nulls(size, pa.string()),
            "quality": series.quality,
            "arrived": _moments(series.time_us),
        }
    )


def _days(start_us: int, end_us: int) -> Iterator[tuple[int, int]]:
    while start_us < end_us:
        yield start_us, min(start_us + DAY_US, end_us)
        start_us += DAY_US


def latest_at(store: Store, tags: Sequence[int], at_us: int) -> pa.Table:
    """Return what `queries.latest_at` does."""
    stored, calculated = _both(store, tags)
    table = queries.latest_at(store, stored, at_us)
    if not calculated:
        return table
    found = read_series(store, calculated, at_us, at_us + 1)
    parts = [
        _raw_rows(tag, series.part(slice(-1, None))).drop_columns(["seq"])
        for tag, series in found.items()
        if len(series)
    ]
    return _joined(table, parts, ("tag",), 0)


# ---- in few rows ----------------------------------------------------------------------------------------------------


def pixels(store: Store, tags: Sequence[int], start_us: int, end_us: int, width: int, *, owed: OwedOf) -> pa.Table:
    """Return what `queries.pixels` does."""
    stored, calculated = _both(store, tags)
    table = queries.pixels(store, stored, start_us, end_us, width)
    if not calculated:
        return table
    step_us = max(1, -(-(end_us - start_us) // max(1, width)))
    known, resolution_us = _over(store, calculated, start_us, end_us, owed)
    parts = [_pixel_rows(tag, series, start_us, end_us, step_us) for tag, series in known.items()]
    return _joined(table, parts, ("tag", "time"), resolution_us)


def _pixel_rows(tag: int, series: Series, start_us: int, end_us: int, step_us: int) -> pa.Table:
    good = series.between(start_us, end_us).good()
    pixel = (good.time_us - start_us) // step_us
    first, last = _groups(pixel)
    return pa.table(
        {
            "tag": np.full(len(first), tag, np.uint32),
            "time": _moments(start_us + pixel[first] * step_us),
            "min": _reduced(np.minimum, good.value, first),
            "max": _reduced(np.maximum, good.value, first),
            "first": good.value[first],
            "last": good.value[last],
            "count": (last - first + 1).astype(np.uint64),
        }
    )


def tried(store: Store, plant: Plant, q: FormulaQuestion) -> pa.Table:
    """Return the pixels of a formula that no tag has yet, at most a day of them. Raises `FormulaError`."""
    if q.end_us - q.start_us > DAY_US:
        raise TooLong("A formula is tried on at most a day.")
    trial = Tag(0, 0, "", "float", unit=q.unit, formula=q.formula, inputs=q.inputs)
    calculations = compiled(replace(plant, tags=(*(tag for tag in plant.tags if tag.id), trial)))
    if 0 not in calculations.by_id:
        raise FormulaError(next((c.removeprefix(": ") for c in calculations.complaints if c[:1] == ":"), "?"))

    def read(inputs: Sequence[int], low_us: int, high_us: int) -> Mapping[int, Series]:
        return read_stored(store, inputs, low_us, high_us, held=HELD_FOR_FORMULAS)

    series = calculations.series([0], q.start_us, q.end_us, read)[0]
    step_us = max(1, -(-(q.end_us - q.start_us) // max(1, min(q.width, 5_000))))
    return _pixel_rows(0, series, q.start_us, q.end_us, step_us)


def aggregate(
    store: Store, tags: Sequence[int], start_us: int, end_us: int, bucket_us: int, *, owed: OwedOf
) -> pa.Table:
    """Return what `queries.aggregate` does."""
    stored, calculated = _both(store, tags)
    # asked for no tag it would still cost its way through the tables
    debts = owed(stored, start_us - queries.LOOK_BACK_US - HOUR_US, end_us)
    table = queries.aggregate(store, stored, start_us, end_us, bucket_us, owed=debts)
    if not calculated:
        return table
    known, resolution_us = _over(store, calculated, start_us, end_us, owed)
    parts = [_buckets(tag, series, start_us, end_us, bucket_us) for tag, series in known.items()]
    return _joined(table, parts, ("tag", "bucket"), resolution_us)


def _buckets(tag: int, series: Series, start_us: int, end_us: int, bucket_us: int) -> pa.Table:
    inside = series.between(start_us, end_us)
    number = inside.time_us // bucket_us
    first, last = _groups(number)
    good = ~np.isnan(inside.value)
    total = _reduced(np.add, np.where(good, inside.value, 0.0), first)
    count = _reduced(np.add, good.astype(np.int64), first)
    integral, covered = _held_integral(series, number[first], start_us, end_us, bucket_us)
    with np.errstate(all="ignore"):
        average = np.where(count > 0, total / count, np.nan)
        weighted = np.where(covered > 0, integral / covered, np.nan)
    index = np.arange(len(good))
    first_good = _reduced(np.minimum, np.where(good, index, len(good)), first)
    last_good = _reduced(np.maximum, np.where(good, index, -1), first)
    padded = np.append(inside.value, np.nan)
    return pa.table(
        {
            "tag": np.full(len(first), tag, np.uint32),
            "bucket": _moments(number[first] * bucket_us),
            "min": _reduced(np.fmin, inside.value, first),
            "max": _reduced(np.fmax, inside.value, first),
            "avg": average,
            "count": (last - first + 1).astype(np.uint64),
            "first": padded[first_good] if len(first) else np.empty(0),
            "last": padded[last_good] if len(first) else np.empty(0),
            "time_weighted_avg": weighted,
            "good_count": count.astype(np.uint64),
            "covered_s": covered / 1e6,
        }
    )


def _held_integral(
    series: Series, numbers: npt.NDArray[np.int64], start_us: int, end_us: int, bucket_us: int
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return value times µs and µs with a value, of each bucket, with every value held to the next sample."""
    lasts = np.diff(np.append(series.time_us, max(end_us, int(series.time_us.max(initial=0))))).astype(np.float64)
    good = ~np.isnan(series.value)
    area = np.concatenate([[0.0], np.cumsum(np.where(good, series.value, 0.0) * lasts)])
    covered = np.concatenate([[0.0], np.cumsum(good * lasts)])

    def until(at_us: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        place = np.searchsorted(series.time_us, at_us, side="right") - 1
        inner = np.maximum(place, 0)
        beyond = np.where(place >= 0, at_us - series.time_us[inner], 0).astype(np.float64)
        held = np.where(good[inner], series.value[inner], 0.0)
        return area[inner] + held * beyond, covered[inner] + good[inner] * beyond

    if not len(numbers):
        return np.empty(0), np.empty(0)
    low = until(np.maximum(numbers * bucket_us, start_us))
    high = until(np.minimum((numbers + 1) * bucket_us, end_us))
    return high[0] - low[0], high[1] - low[1]


def increase(store: Store, tags: Sequence[int], start_us: int, end_us: int, *, owed: OwedOf) -> pa.Table:
    """Return what `queries.increase` does."""
    stored, calculated = _both(store, tags)
    table = queries.increase(store, stored, start_us, end_us)
    if not calculated:
        return table
    # an hour more: counting begins at the newest good value before the start
    known, resolution_us = _over(store, calculated, start_us - HOUR_US, end_us, owed)
    parts = []
    for tag, series in known.items():
        good = series.good()
        values = good.value[max(0, int(np.searchsorted(good.time_us, start_us)) - 1) :]
        if len(series.between(start_us, end_us)):
            steps = np.diff(values)
            grown = float(np.where(steps >= 0, steps, values[1:]).sum())
            parts.append(pa.table({"tag": np.array([tag], np.uint32), "increase": [grown]}))
    return _joined(table, parts, ("tag",), resolution_us)


def describe(
    store: Store,
    tags: Sequence[int],
    starts_us: Sequence[int],
    ends_us: Sequence[int],
    *,
    low: float | None = None,
    high: float | None = None,
    owed: OwedOf,
) -> pa.Table:
    """Return what `descriptions.describe` does."""
    stored, calculated = _both(store, tags)
    table = descriptions.DESCRIPTIONS.empty_table()
    if stored:
        found = descriptions.describe(store, stored, starts_us, ends_us, low=low, high=high)
        table = found.select(table.column_names).cast(table.schema)
    if not calculated:
        return table
    known, resolution_us = _over(store, calculated, min(starts_us), max(ends_us), owed)
    rows = [
        row
        for tag, series in known.items()
        for row in descriptions.described(tag, series, starts_us, ends_us, low=low, high=high)
    ]
    return _joined(table, [pa.Table.from_pylist(rows, schema=table.schema)], ("tag", "span"), resolution_us)


def histogram(store: Store, tag: int, start_us: int, end_us: int, bins: int, *, owed: OwedOf) -> pa.Table:
    """Return what `descriptions.histogram` does."""
    _, calculated = _both(store, [tag])
    if not calculated:
        return descriptions.histogram(store, tag, start_us, end_us, bins)
    known, resolution_us = _over(store, calculated, start_us, end_us, owed)
    rows = descriptions.counted(known[tag].between(start_us, end_us), bins)
    return _joined(pa.Table.from_pylist(rows, schema=descriptions.CLASSES), [], ("low",), resolution_us)


def _groups(keys: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return the first and last place of each run of equal keys."""
    if not len(keys):
        return np.empty(0, np.int64), np.empty(0, np.int64)
    edges = np.flatnonzero(keys[1:] != keys[:-1]) + 1
    return np.concatenate([[0], edges]), np.concatenate([edges - 1, [len(keys) - 1]])


Number = TypeVar("Number", np.float64, np.int64)


def _reduced(by: np.ufunc, values: npt.NDArray[Number], first: npt.NDArray[np.int64]) -> npt.NDArray[Number]:
    if not len(first):
        return values[:0]
    found: npt.NDArray[Number] = by.reduceat(values, first)
    return found


# ---- over a long time -----------------------------------------------------------------------------------------------


def _over(
    store: Store, tags: Sequence[int], start_us: int, end_us: int, owed: OwedOf
) -> tuple[Mapping[int, Series], int]:
    """Return calculated tags over a stretch with what was held before, and the resolution (0: every sample)."""
    calculations = store.calculations
    span_us = end_us - start_us
    if span_us <= EXACT_US:
        return read_series(store, tags, start_us, end_us), 0
    if any(one.looks_at_samples for one in calculations.needed(tags)[1]):
        if span_us > LONGEST_BY_SAMPLES_US:
            raise TooLong("A formula with prev() or delta() needs every sample: ask for at most 31 days at a time.")
        return _in_days(store, calculations, tags, start_us, end_us), 0
    bucket_us = MINUTE_US if span_us <= MINUTES_US else HOUR_US

    def averages(inputs: Sequence[int], low_us: int, high_us: int) -> Mapping[int, Series]:
        low_us = low_us // bucket_us * bucket_us
        debts = owed(inputs, low_us - queries.LOOK_BACK_US - HOUR_US, high_us)
        table = queries.aggregate(store, inputs, low_us, high_us, bucket_us, owed=debts)
        value = np.where(
            np.isnan(_floats(table["time_weighted_avg"])), _floats(table["avg"]), _floats(table["time_weighted_avg"])
        )
        found = by_tag(
            pa.table(
                {
                    "tag": table["tag"],
                    "t": table["bucket"].cast(pa.int64()),
                    "value": value,
                    "quality": np.where(np.isnan(value), int(Quality.BAD), 0).astype(np.uint8),
                }
            )
        )
        held = read_stored(store, inputs, low_us, low_us, held=1)
        return {tag: held.get(tag, EMPTY).followed_by(found.get(tag, EMPTY)) for tag in inputs}

    return calculations.series(tags, start_us, end_us, averages), bucket_us


def _in_days(
    store: Store, calculations: Calculations, tags: Sequence[int], start_us: int, end_us: int
) -> dict[int, Series]:
    """Return every value, calculated day by day: of the inputs only one day is held at a time."""
    parts: dict[int, list[Series]] = {tag: [] for tag in tags}
    for low_us, high_us in _days(start_us, end_us):
        for tag, series in read_series(store, tags, low_us, high_us, is_held=low_us == start_us).items():
            parts[tag].append(series)
    return {
        tag: Series(
            np.concatenate([one.time_us for one in found]),
            np.concatenate([one.value for one in found]),
            np.concatenate([one.quality for one in found]),
        )
        for tag, found in parts.items()
    }


def _floats(column: pa.ChunkedArray) -> npt.NDArray[np.float64]:
    return np.asarray(column.to_numpy(zero_copy_only=False), np.float64)
