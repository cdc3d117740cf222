"""Samples of tags as arrays: what calculations in this process work on. In threads; may raise `StoreFailure`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from yuheng.engines.points import Quality
from yuheng.historian import queries
from yuheng.historian.store import Store

_TAGS = "tag IN {tags:Array(UInt32)}"
_SPAN = "time >= fromUnixTimestamp64Micro({start:Int64}, 'UTC') AND time < fromUnixTimestamp64Micro({end:Int64}, 'UTC')"


class Series(NamedTuple):
    """Samples of one tag in order of time, of one length; ``value`` is NaN where the quality is BAD."""

    time_us: npt.NDArray[np.int64]
    value: npt.NDArray[np.float64]
    quality: npt.NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.time_us)

    def between(self, start_us: int, end_us: int) -> Series:
        """Return the samples in ``[start, end)``."""
        low, high = np.searchsorted(self.time_us, [start_us, end_us])
        return Series(self.time_us[low:high], self.value[low:high], self.quality[low:high])

    def good(self) -> Series:
        """Return the samples whose quality is not BAD."""
        keep = (self.quality < Quality.BAD) & ~np.isnan(self.value)
        return Series(self.time_us[keep], self.value[keep], self.quality[keep])


EMPTY = Series(np.empty(0, np.int64), np.empty(0), np.empty(0, np.uint8))


def read_series(
    store: Store, tags: Sequence[int], start_us: int, end_us: int, *, is_held: bool = True
) -> dict[int, Series]:
    """Return the numeric samples of tags in ``[start, end)``.

    ``is_held``: the newest sample before ``start`` comes first, with its own time, where there is one.
    """
    wanted = sorted(set(tags))
    if not wanted:
        return {}
    table = store.arrow(
        f"SELECT tag, toUnixTimestamp64Micro(time) AS t, value, quality FROM samples FINAL "
        f"WHERE {_TAGS} AND {_SPAN} ORDER BY tag, time, seq",
        {"tags": wanted, "start": start_us, "end": end_us},
    )
    found = by_tag(table)
    if is_held:
        before = queries.latest_at(store, wanted, start_us - 1)
        times = np.asarray(before["time"].cast(pa.int64()), np.int64)
        values = np.asarray(before["value"].to_numpy(zero_copy_only=False), np.float64)
        for tag, time_us, value, quality in zip(
            before["tag"].to_pylist(), times.tolist(), values.tolist(), before["quality"].to_pylist(), strict=True
        ):
            known = found.get(tag, EMPTY)
            held = np.nan if quality >= Quality.BAD else value
            found[tag] = Series(
                np.concatenate([[time_us], known.time_us]).astype(np.int64),
                np.concatenate([[held], known.value]),
                np.concatenate([[quality], known.quality]).astype(np.uint8),
            )
    return {tag: found.get(tag, EMPTY) for tag in wanted}


def by_tag(table: pa.Table) -> dict[int, Series]:
    """Return a table of tag, t, value, quality, sorted by tag and time, as series."""
    tag = np.asarray(table["tag"], np.uint32)
    time_us = np.asarray(table["t"], np.int64)
    value = np.array(table["value"].to_numpy(zero_copy_only=False), np.float64)
    quality = np.asarray(table["quality"], np.uint8)
    value[quality >= Quality.BAD] = np.nan
    edges = np.concatenate([[0], np.flatnonzero(tag[1:] != tag[:-1]) + 1, [len(tag)]]) if len(tag) else np.zeros(1, int)
    return {
        int(tag[low]): Series(time_us[low:high], value[low:high], quality[low:high])
        for low, high in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True)
    }


def statistics(series: Series, start_us: int, end_us: int) -> Mapping[str, float | int | None]:
    """Return min, max, avg (time-weighted, held from before), first, last, count of the good samples in a stretch.

    ``avg`` and ``first`` use the value that was held when the stretch began; without any value they are None.
    """
    inside = series.between(start_us, end_us).good()
    at = int(np.searchsorted(series.time_us, start_us))
    held = float(series.value[at - 1]) if at else float("nan")
    values = inside.value
    if not np.isnan(held):
        values = np.concatenate([[held], values])
    if not len(values):
        return {"min": None, "max": None, "avg": None, "first": None, "last": None, "count": 0}
    times = inside.time_us if np.isnan(held) else np.concatenate([[start_us], inside.time_us])
    spans = np.diff(np.concatenate([times, [end_us]])).astype(np.float64)
    total = float(spans.sum())
    average = float((values * spans).sum() / total) if total > 0 else float(values.mean())
    return {
        "min": float(values.min()),
        "max": float(values.max()),
        "avg": average,
        "first": float(values[0]),
        "last": float(values[-1]),
        "count": len(inside),
    }
