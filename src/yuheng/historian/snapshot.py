"""Newest values and marks of states, kept once a minute: a start reads them and what arrived since, not all history."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from yuheng.engines.points import PointBlock, TextPoint
from yuheng.engines.states.intervals import Change
from yuheng.historian.pending import Pending
from yuheng.historian.pipeline import Pipeline
from yuheng.historian.rollups import type_keys
from yuheng.historian.spans import MINUTE_US
from yuheng.historian.store import Store

ROWS_A_PIECE = 500_000
MINUTES_A_PIECE = 2_000
_OLD = "old arrivals"


@dataclass(slots=True)
class Picture:
    """What is kept."""

    watermark_s: int = 0  # everything that arrived before is in it
    latest: pa.Table | None = None
    marks: dict[str, list[int]] = field(default_factory=dict)
    changes: dict[int, list[Change]] = field(default_factory=dict)
    owed_hours: list[int] = field(default_factory=list)
    owed_minutes: npt.NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    alarms: list[list[int]] = field(default_factory=list)
    version: int = 0  # the highest that the store may hold, of anything
    old_minutes: type_keys = field(default_factory=lambda: np.empty(0, np.int64))
    """Minutes with samples that were stored after the picture, and had arrived before it: see `note_old`."""


def take(pipeline: Pipeline, watermark_s: int) -> Picture:
    """Copy the present, on the loop. Save it only once everything observed until now is stored.

    Values that are not stored yet would be known after a restart, and then come again without changing anything: the
    change of state that they made would be missed.
    """
    latest, tags = pipeline.latest, pipeline.tags
    slots = np.flatnonzero(latest.time_us > 0)
    table = pa.table(
        {
            "tag": tags.tag_ids[slots],
            "time": pa.array(latest.time_us[slots].view("datetime64[us]"), pa.timestamp("us", "UTC")),
            "seq": latest.seq[slots],
            "value": latest.value[slots],
            "text": pa.array([latest.texts.get(slot) for slot in slots.tolist()], pa.string()),
            "quality": latest.quality[slots],
            "arrived": pa.array(latest.arrived_us[slots].view("datetime64[us]"), pa.timestamp("us", "UTC")),
        }
    )
    return Picture(
        watermark_s,
        table,
        pipeline.units.marks(),
        {},
        pipeline.dirty.hours.tolist(),
        pipeline.dirty.minutes,
        pipeline.alarms.marks(),
    )


def save(store: Store, picture: Picture, version: int) -> None:
    """Write the values first, then the marks that say they are there. In a thread."""
    assert picture.latest is not None
    size = picture.latest.num_rows
    store.insert("latest", picture.latest.append_column("version", pa.array(np.full(size, version, np.uint64))))
    minutes = _packed(picture.owed_minutes)
    detail = json.dumps(
        {"marks": picture.marks, "hours": picture.owed_hours, "minutes": minutes, "alarms": picture.alarms}
    )
    _note(store, "snapshot", version, watermark_s=picture.watermark_s, detail=detail)


def note_version(store: Store, version: int) -> None:
    """Remember a version before rows have it that are too many to look for the highest. In a thread."""
    _note(store, "roll-up", version)


def minutes_of_old(pending: Pending, watermark_s: int) -> type_keys:
    """Return the minutes of what arrived before a picture and is stored after it, as `rollups.type_keys`.

    What is replayed out of the dead letters keeps the arrival of its first coming, so a start would not read it.
    """
    before_us = watermark_s * 1_000_000
    parts = [np.empty(0, np.int64)]
    for block in pending.blocks:
        is_old = block.arrived_us < before_us
        if is_old.any():
            parts.append((block.time_us[is_old] // MINUTE_US << 32) | block.tag[is_old])
    texts = [text.time_us // MINUTE_US << 32 | text.tag for text in pending.texts if text.arrived_us < before_us]
    return np.unique(np.concatenate([*parts, np.array(texts, np.int64)]))


def note_old(store: Store, minutes: type_keys, watermark_s: int, version: int) -> None:
    """Remember all such minutes since the picture of that watermark; the next picture makes them void. In a thread."""
    _note(store, _OLD, version, watermark_s=watermark_s, detail=_packed(minutes))


def _note(store: Store, name: str, version: int, *, watermark_s: int = 0, detail: str = "") -> None:
    row = {
        "name": pa.array([name], pa.string()),
        "at": pa.array(np.array([watermark_s * 1_000_000], "datetime64[us]"), pa.timestamp("us", "UTC")),
        "detail": pa.array([detail], pa.string()),
        "version": np.array([version], np.uint64),
    }
    store.insert("progress", pa.table(row))


def load(store: Store) -> Picture:
    """Read the newest picture and the newest changes of each unit; an empty one when there is none. In a thread."""
    rows = store.rows("SELECT toUnixTimestamp(at), detail FROM progress FINAL WHERE name = 'snapshot'")
    changes: dict[int, list[Change]] = {}
    for unit, start_us, state, cause in store.rows(
        "SELECT unit, toUnixTimestamp64Micro(start), state, cause FROM state_changes FINAL "
        "ORDER BY unit, start DESC LIMIT 50 BY unit"
    ):
        changes.setdefault(unit, []).insert(0, Change(start_us, state, cause))
    version = max(
        int(store.rows(f"SELECT max(version) FROM {table}")[0][0]) for table in ("progress", "latest", "state_changes")
    )
    if not rows:
        return Picture(changes=changes, version=version)
    detail = json.loads(rows[0][1])
    old = store.rows(f"SELECT toUnixTimestamp(at), detail FROM progress FINAL WHERE name = '{_OLD}'")
    latest = store.arrow("SELECT tag, time, seq, value, text, quality, arrived FROM latest FINAL")
    return Picture(
        int(rows[0][0]),
        latest,
        detail["marks"],
        changes,
        detail["hours"],
        _minutes_of(detail),
        detail.get("alarms", []),
        version,
        _unpacked(old[0][1]) if old and old[0][0] == rows[0][0] else np.empty(0, np.int64),
    )


def restore(pipeline: Pipeline, picture: Picture, now_us: int) -> None:
    """Put the picture into an empty pipeline that has its configuration."""
    table = picture.latest
    if table is not None and table.num_rows:
        slots = pipeline.tags.slots(np.asarray(table["tag"], np.uint32))
        known = slots >= 0
        slots = slots[known]
        latest = pipeline.latest
        latest.time_us[slots] = _micros(table["time"])[known]
        latest.seq[slots] = np.asarray(table["seq"], np.uint64)[known]
        latest.value[slots] = np.asarray(table["value"], np.float64)[known]
        latest.quality[slots] = np.asarray(table["quality"], np.uint8)[known]
        latest.arrived_us[slots] = _micros(table["arrived"])[known]
        for slot, text in zip(slots.tolist(), table["text"].filter(pa.array(known)).to_pylist(), strict=True):
            if text is not None:
                latest.texts[slot] = text
    pipeline.units.go_on_after(picture.version)
    pipeline.units.restore(picture.marks, picture.changes, now_us)
    pipeline.alarms.restore(picture.alarms)
    pipeline.dirty.owe_hours(np.array(picture.owed_hours, np.int64))
    pipeline.dirty.owe_minutes(picture.owed_minutes)


def _minutes_of(detail: dict[str, Any]) -> type_keys:
    return _unpacked(detail["minutes"]) if "minutes" in detail else np.empty(0, np.int64)


def _packed(minutes: type_keys) -> str:
    return base64.b64encode(zlib.compress(minutes.tobytes(), 1)).decode()


def _unpacked(text: str) -> type_keys:
    return np.frombuffer(zlib.decompress(base64.b64decode(text)), np.int64)


def _micros(column: pa.ChunkedArray) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return np.asarray(column.cast(pa.int64()), np.int64)


def since(store: Store, watermark_s: int) -> Iterator[tuple[PointBlock, list[TextPoint]]]:
    """Yield what arrived since, in pieces by arrival, each in order of time. Ask for each piece in a thread.

    A piece is whole seconds of arrival, about `ROWS_A_PIECE` rows: how much there is does not decide how much memory
    a start needs. What is late within a later piece is late as it was when it came.
    """
    for start_s, end_s in _pieces(store, watermark_s):
        span = {"start": start_s, "end": end_s}
        yield _points(store, _ARRIVED, span), _texts(store, _ARRIVED, span)


def again(store: Store, minutes: type_keys) -> Iterator[tuple[PointBlock, list[TextPoint]]]:
    """Yield all samples of minutes (sorted), in pieces, each in order of time. Ask for each piece in a thread."""
    for start in range(0, len(minutes), MINUTES_A_PIECE):
        part = minutes[start : start + MINUTES_A_PIECE]
        asked = {
            "tags": np.unique(part & 0xFFFFFFFF).tolist(),
            "start": int(part[0] >> 32) * MINUTE_US,
            "end": int((part[-1] >> 32) + 1) * MINUTE_US,
            "minutes": part.tolist(),
        }
        yield _points(store, _MINUTES, asked), _texts(store, _MINUTES, asked)


_ARRIVED = (
    "{table}.arrived >= toDateTime64({{start:Int64}}, 3, 'UTC') "
    "AND {table}.arrived < toDateTime64({{end:Int64}}, 3, 'UTC')"
)
_MINUTES = (
    "tag IN {{tags:Array(UInt32)}} AND {table}.time >= fromUnixTimestamp64Micro({{start:Int64}}, 'UTC') "
    "AND {table}.time < fromUnixTimestamp64Micro({{end:Int64}}, 'UTC') "
    f"AND intDiv(toUnixTimestamp64Micro({{table}}.time), {MINUTE_US}) * 4294967296 + tag "
    "IN {{minutes:Array(Int64)}}"
)


def _pieces(store: Store, watermark_s: int) -> list[tuple[int, int]]:
    """Return stretches of seconds of arrival that hold about `ROWS_A_PIECE` rows each."""
    seconds = store.rows(
        "SELECT second, count() FROM ("
        "SELECT toUnixTimestamp(arrived) AS second FROM samples WHERE arrived >= toDateTime64({since:Int64}, 3, 'UTC') "
        "UNION ALL "
        "SELECT toUnixTimestamp(arrived) FROM text_samples WHERE arrived >= toDateTime64({since:Int64}, 3, 'UTC')"
        ") GROUP BY second ORDER BY second",
        {"since": watermark_s},
    )
    pieces: list[tuple[int, int]] = []
    held = 0
    for second, count in seconds:
        if pieces and held + count <= ROWS_A_PIECE:
            pieces[-1] = (pieces[-1][0], second + 1)
            held += count
        else:
            pieces.append((second, second + 1))
            held = count
    return pieces


def _points(store: Store, condition: str, asked: dict[str, Any]) -> PointBlock:
    rows = store.arrow(
        "SELECT tag, toUnixTimestamp64Micro(time) AS t, value, quality, seq, toUnixTimestamp64Milli(arrived) AS came "
        f"FROM samples FINAL WHERE {condition.format(table='samples')} ORDER BY time",
        asked,
    )
    return PointBlock(
        np.asarray(rows["tag"], np.uint32),
        np.asarray(rows["t"], np.int64),
        np.asarray(rows["value"], np.float64),
        np.asarray(rows["quality"], np.uint8),
        np.asarray(rows["seq"], np.uint64),
        np.asarray(rows["came"], np.int64) * 1000,
    )


def _texts(store: Store, condition: str, asked: dict[str, Any]) -> list[TextPoint]:
    rows = store.rows(
        "SELECT tag, toUnixTimestamp64Micro(time) AS t, text, quality, seq, toUnixTimestamp64Milli(arrived) "
        f"FROM text_samples FINAL WHERE {condition.format(table='text_samples')} ORDER BY time",
        asked,
    )
    return [TextPoint(tag, t, text, quality, seq, came * 1000) for tag, t, text, quality, seq, came in rows]
