"""Newest values of many tags at a past moment.

Columns lie by tag and then by time, so a moment costs one place in each column: about 0.3 ms a tag. Whoever drags along
the time asks for many moments that are near each other: for many tags a whole stretch is read once and kept.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from yuheng.bus.messages import ValueLive
from yuheng.engines.points import Quality
from yuheng.historian import queries
from yuheng.historian.spans import HOUR_US
from yuheng.historian.store import Store

type_i8 = npt.NDArray[np.int64]

DAY_US = 24 * HOUR_US
FEW_TAGS = 100
"""As many are read for each moment; more are read by stretch."""
STRETCH_US = 10 * 60 * 1_000_000
KEPT_STRETCHES = 3
KEPT_ROWS = 4_000_000
"""Rows of all kept stretches together (40 bytes each); the oldest is forgotten."""
_BACK_US = (60_000_000, HOUR_US, DAY_US, 8 * DAY_US, 64 * DAY_US)

_TAGS = "tag IN {tags:Array(UInt32)}"
_MOMENT = "fromUnixTimestamp64Micro({{{}:Int64}}, 'UTC')"
_SPAN = f"time >= {_MOMENT.format('start')} AND time < {_MOMENT.format('end')}"
_CAME = f"arrived > {_MOMENT.format('after')} AND arrived <= {_MOMENT.format('until')}"
_COLUMNS = "tag, toUnixTimestamp64Micro(time) AS t, seq, toUnixTimestamp64Milli(arrived) AS came, quality"


@dataclass(frozen=True, slots=True)
class _Rows:
    """Samples by (tag, time, sequence); texts are in ``text``, numbers in ``value``."""

    tag: npt.NDArray[np.uint32]
    time_us: type_i8
    came_ms: type_i8
    quality: npt.NDArray[np.uint8]
    value: npt.NDArray[np.float64]
    text: npt.NDArray[Any]

    def live(self, at: int) -> ValueLive:
        """Return a row as the live page knows it."""
        quality, value = int(self.quality[at]), float(self.value[at])
        shown: float | str | None = self.text[at] if self.text[at] is not None else value
        if quality >= Quality.BAD or (shown == value and np.isnan(value)):
            shown = None
        return ValueLive(int(self.tag[at]), int(self.time_us[at]), shown, quality)


def _rows_of(table: pa.Table) -> _Rows:
    return _Rows(
        np.asarray(table["tag"], np.uint32),
        np.asarray(table["t"], np.int64),
        np.asarray(table["came"], np.int64),
        np.asarray(table["quality"], np.uint8),
        np.asarray(table["value"], np.float64),
        np.array(table["text"].to_pylist(), object)
        if table["text"].null_count < table.num_rows
        else np.full(table.num_rows, None, object),
    )


class _Stretch:
    """All samples of some tags that arrived in a stretch, and the newest ones at its start."""

    def __init__(self, rows: _Rows, base: dict[int, ValueLive], tags: Sequence[int], from_us: int) -> None:
        self._base = base
        self._tags = np.array(sorted(tags), np.uint32)
        self._from_ms = from_us // 1000
        index = np.searchsorted(self._tags, rows.tag).astype(np.int64)
        came = np.maximum(rows.came_ms - self._from_ms, 0)
        self._span = int(came.max(initial=0)) + 2
        key = index * self._span + came
        order = np.argsort(key, kind="stable")
        self._key = key[order]
        # rows lie by (tag, time): the highest place so far is the newest of the tag so far
        self._newest = np.maximum.accumulate(order) if len(order) else order
        self._rows = rows

    def at(self, at_us: int) -> list[ValueLive]:
        """Return the newest value of each tag that had arrived by then."""
        index = np.arange(len(self._tags), dtype=np.int64)
        offset = min(max(at_us // 1000 - self._from_ms, 0), self._span - 1)
        place = np.searchsorted(self._key, index * self._span + offset, side="right") - 1
        first = np.searchsorted(self._key, index * self._span)
        found: list[ValueLive] = []
        for tag, has, row in zip(
            self._tags.tolist(),
            (place >= first).tolist(),
            (self._newest[np.maximum(place, 0)] if len(self._newest) else place).tolist(),
            strict=True,
        ):
            base = self._base.get(tag)
            value = self._rows.live(row) if has else base
            if value is not None:
                found.append(base if base is not None and base.time_us > value.time_us else value)
        return found


class PastValues:
    """Reads them, and keeps the stretches that were read last. For threads."""

    def __init__(self, store: Store) -> None:
        self.early_us = HOUR_US  # how far ahead of its arrival a value's own time is looked for
        self._store = store
        self._lock = threading.Lock()
        self._kept: OrderedDict[tuple[int, int, int], tuple[_Stretch, int]] = OrderedDict()

    def of_time(self, tags: Sequence[int], at_us: int) -> list[ValueLive]:
        """Return the newest value of each tag by its own time, as known now."""
        found = queries.latest_at(self._store, tags, at_us) if tags else None
        if found is None:
            return []
        times = np.asarray(found["time"].cast(pa.int64()), np.int64).tolist()
        rows = zip(
            *(found[name].to_pylist() for name in ("tag", "value", "text", "quality")),
            times,
            strict=True,
        )
        return [
            ValueLive(tag, time_us, None if quality >= Quality.BAD else text if text is not None else value, quality)
            for tag, value, text, quality, time_us in rows
        ]

    def arrived_by(self, tags: Sequence[int], at_us: int, *, is_past: bool) -> list[ValueLive]:
        """Return the newest value of each tag among those that had arrived by then.

        ``is_past``: nothing can arrive any more at that time, what is read may be kept.
        """
        if not tags:
            return []
        if len(tags) <= FEW_TAGS or not is_past:
            return self._newest(tags, at_us)
        from_us = at_us // STRETCH_US * STRETCH_US
        key = (from_us, len(tags), hash(tuple(tags)))
        with self._lock:
            kept = self._kept.get(key)
            if kept is not None:
                self._kept.move_to_end(key)
                return kept[0].at(at_us)
        base = {value.tag_id: value for value in self._newest(tags, from_us)}
        rows = self._came(tags, from_us, from_us + STRETCH_US)
        stretch = _Stretch(rows, base, tags, from_us)
        with self._lock:
            self._kept[key] = (stretch, len(rows.tag))
            while len(self._kept) > KEPT_STRETCHES or (
                len(self._kept) > 1 and sum(size for _, size in self._kept.values()) > KEPT_ROWS
            ):
                self._kept.popitem(last=False)
        return stretch.at(at_us)

    def steps(
        self, tags: Sequence[int], from_us: int, to_us: int, step_us: int, limit: int
    ) -> tuple[list[tuple[int, list[ValueLive]]], int]:
        """Return (moment, newest values that arrived in the step that ends there), and until when that is all."""
        if not tags or to_us <= from_us:
            return [], to_us
        rows = self._came(tags, from_us, to_us)
        step = np.maximum(rows.came_ms * 1000 - from_us - 1, 0) // step_us
        index = np.searchsorted(np.unique(rows.tag), rows.tag).astype(np.int64)
        order = np.lexsort((np.arange(len(step)), index, step))
        last = np.ones(len(order), np.bool_)
        last[:-1] = (step[order][1:] != step[order][:-1]) | (index[order][1:] != index[order][:-1])
        chosen = order[last]
        until_us = to_us
        if len(chosen) > limit:  # whole steps only, at least one
            cut = max(int(step[chosen[limit]]), int(step[chosen[0]]) + 1)
            until_us = min(to_us, from_us + cut * step_us)
            chosen = chosen[step[chosen] < cut]
        found: dict[int, list[ValueLive]] = {}
        for row in chosen.tolist():
            moment_us = min(from_us + (int(step[row]) + 1) * step_us, until_us)
            found.setdefault(moment_us, []).append(rows.live(row))
        return list(found.items()), until_us

    def _newest(self, tags: Sequence[int], at_us: int) -> list[ValueLive]:
        missing, end_us = sorted(set(tags)), at_us + self.early_us
        found: list[ValueLive] = []
        for back_us in (*_BACK_US, at_us):
            if not missing:
                break
            start_us = max(0, at_us - back_us)
            parameters = {"tags": missing, "start": start_us, "end": end_us, "after": 0, "until": at_us}
            rows = _rows_of(self._store.arrow(_union("ORDER BY tag, time DESC, seq DESC LIMIT 1 BY tag"), parameters))
            best = _newest_of_tag(rows)
            found += [rows.live(at) for at in best]
            missing = sorted(set(missing) - {int(rows.tag[at]) for at in best})
            end_us = start_us
        return found

    def _came(self, tags: Sequence[int], from_us: int, to_us: int) -> _Rows:
        """Return what arrived in ``(from, to]``, up to a week late, by (tag, time, sequence)."""
        parameters = {
            "tags": list(tags),
            "start": max(0, from_us - 7 * DAY_US),
            "end": to_us + self.early_us,
            "after": from_us,
            "until": to_us,
        }
        table = self._store.arrow(_union(""), parameters).sort_by(
            [("tag", "ascending"), ("t", "ascending"), ("seq", "ascending"), ("came", "ascending")]
        )
        return _rows_of(table)


def _union(ending: str) -> str:
    condition = f"WHERE {_TAGS} AND {_SPAN} AND {_CAME} {ending}"
    return f"""
        SELECT {_COLUMNS}, CAST(value, 'Nullable(Float64)') AS value, CAST(NULL, 'Nullable(String)') AS text
        FROM samples {condition}
        UNION ALL
        SELECT {_COLUMNS}, CAST(NULL, 'Nullable(Float64)') AS value, CAST(text, 'Nullable(String)') AS text
        FROM text_samples {condition}
    """


def _newest_of_tag(rows: _Rows) -> list[int]:
    """Return the place of the newest row of each tag; a tag has numbers or texts, or both after a change of type."""
    order = np.lexsort((rows.time_us, rows.tag))
    if not len(order):
        return []
    last = np.ones(len(order), np.bool_)
    last[:-1] = rows.tag[order][1:] != rows.tag[order][:-1]
    return [int(at) for at in order[last]]
