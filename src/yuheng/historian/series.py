"""Samples of tags as arrays: what calculations in this process work on. In threads; may raise `StoreFailure`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa

from yuheng.engines.points import Quality
from yuheng.historian import queries
from yuheng.historian.sampled import EMPTY, Series
from yuheng.historian.store import Store

_TAGS = "tag IN {tags:Array(UInt32)}"
_SPAN = "time >= fromUnixTimestamp64Micro({start:Int64}, 'UTC') AND time < fromUnixTimestamp64Micro({end:Int64}, 'UTC')"


LOOK_BACK_US = 86_400_000_000
HELD_FOR_FORMULAS = 2
"""prev() and rate() need the sample before the one that is held."""


def read_series(
    store: Store, tags: Sequence[int], start_us: int, end_us: int, *, is_held: bool = True
) -> dict[int, Series]:
    """Return the numeric samples of tags in ``[start, end)``; calculated tags are calculated.

    ``is_held``: the newest sample before ``start`` comes first, with its own time, where there is one.
    """
    stored, calculated = store.calculations.split(tags)
    found = read_stored(store, stored, start_us, end_us, held=1 if is_held else 0)
    if calculated:

        def read(inputs: Sequence[int], low_us: int, high_us: int) -> Mapping[int, Series]:
            return read_stored(store, inputs, low_us, high_us, held=HELD_FOR_FORMULAS)

        for tag, series in store.calculations.series(calculated, start_us, end_us, read).items():
            found[tag] = series if is_held else series.between(start_us, end_us)
    return found


def read_stored(store: Store, tags: Sequence[int], start_us: int, end_us: int, *, held: int) -> dict[int, Series]:
    """Return the numeric samples of stored tags in ``[start, end)``, and up to ``held`` ones before (a day back)."""
    wanted = sorted(set(tags))
    if not wanted:
        return {}
    parameters = {"tags": wanted, "start": max(0, start_us), "end": end_us, "back": max(0, start_us - LOOK_BACK_US)}
    before = (
        f"""
        SELECT tag, toUnixTimestamp64Micro(time) AS t, seq, value, quality FROM samples FINAL
        WHERE {_TAGS} AND time >= fromUnixTimestamp64Micro({{back:Int64}}, 'UTC')
            AND time < fromUnixTimestamp64Micro({{start:Int64}}, 'UTC')
        ORDER BY tag, time DESC, seq DESC LIMIT {held} BY tag UNION ALL"""
        if held
        else ""
    )
    table = store.arrow(
        f"SELECT tag, t, value, quality FROM ({before} SELECT tag, toUnixTimestamp64Micro(time) AS t, seq, value, "
        f"quality FROM samples FINAL WHERE {_TAGS} AND {_SPAN}) ORDER BY tag, t, seq",
        parameters,
    )
    found = by_tag(table)
    if held:  # what was silent for longer than a day is looked for everywhere
        missing = [tag for tag in wanted if tag not in found or found[tag].time_us[0] >= start_us]
        for tag, series in _held_long(store, missing, start_us - LOOK_BACK_US).items():
            known = found.get(tag, EMPTY)
            found[tag] = series.followed_by(known)
    return {tag: found.get(tag, EMPTY) for tag in wanted}


def _held_long(store: Store, tags: Sequence[int], before_us: int) -> dict[int, Series]:
    if not tags:
        return {}
    table = queries.latest_at(store, tags, before_us - 1)
    columns = {"tag": table["tag"], "t": table["time"].cast(pa.int64()), "value": table["value"]}
    return by_tag(pa.table({**columns, "quality": table["quality"]}))


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
