"""From lists of Python values to NumPy columns: the part that all decoders share.

A decoder appends *groups*: so many values, for the tags that lie one after another in the plan table. One
conversion at the end of the whole list of messages makes the columns, scales them and finds the few that are
not what their tag says.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from yuheng.engines.codec.batch import Batch, Message, TagSpec, empty_points
from yuheng.engines.points import MAX_EXACT_INTEGER, PointBlock, Quality, Refusal, RefusedPoint, TextPoint

FLOAT, INT, BOOL, TEXT = range(4)
KINDS = {"float": FLOAT, "int": INT, "bool": BOOL, "text": TEXT}
_KIND_NAMES = ("a number", "a whole number", "true or false", "text")
_LONG_INTEGER = re.compile(rb"(?<![\d.eE])-?\d{19,}(?![\d.eE])")
NAN = float("nan")


class TagTable:
    """The tags of a source, by address, and the plan table: which tag each value of a group belongs to."""

    def __init__(self, tags: Sequence[TagSpec]) -> None:
        for tag in tags:
            if tag.data_type not in KINDS:
                raise ValueError(f"The tag {tag.address} has the unknown data type '{tag.data_type}'.")
        self.specs = list(tags)
        self.kinds = [KINDS[tag.data_type] for tag in tags]
        self.row_of = {tag.address: row for row, tag in enumerate(tags)}
        self._id = np.array([tag.id for tag in tags], np.uint32)
        self._kind = np.array(self.kinds, np.uint8)
        self._scale = np.array([tag.scale for tag in tags], np.float64)
        self._offset = np.array([tag.offset for tag in tags], np.float64)
        self._is_scaled = any(tag.scale != 1 or tag.offset != 0 for tag in tags)
        self._is_all_float = all(kind in (FLOAT, TEXT) for kind in self.kinds)
        self._plan: list[int] = []
        self._plan_array: npt.NDArray[np.int64] = np.empty(0, np.int64)
        self.forget_plans()

    @property
    def plan_size(self) -> int:
        """How many places the plan table has."""
        return len(self._plan)

    def forget_plans(self) -> None:
        """Shrink the plan table to one place a tag: place ``row`` is tag ``row``. Not while groups are open."""
        self._plan = list(range(len(self.specs)))

    def add_plan(self, rows: Sequence[int]) -> int:
        """Append the tags of a group and return where they begin."""
        start = len(self._plan)
        self._plan.extend(rows)
        return start

    def rows_at(self, index: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Map places of the plan table to rows of the tag table."""
        if len(self._plan_array) != len(self._plan):
            self._plan_array = np.array(self._plan, np.int64)
        rows: npt.NDArray[np.int64] = self._plan_array[index]
        return rows

    def ids(self, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.uint32]:
        """Return the tag ids of rows."""
        ids: npt.NDArray[np.uint32] = self._id[rows]
        return ids

    def scaled(self, values: npt.NDArray[np.float64], rows: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
        """Apply scale and offset."""
        if not self._is_scaled:
            return values
        with np.errstate(over="ignore", invalid="ignore"):
            scaled: npt.NDArray[np.float64] = values * self._scale[rows] + self._offset[rows]
        return scaled

    def misfits(self, values: npt.NDArray[np.float64], rows: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_] | None:
        """Mark raw values that are not whole for an int tag, or neither 0 nor 1 for a bool tag; None: no such tags."""
        if self._is_all_float:
            return None
        kinds = self._kind[rows]
        with np.errstate(invalid="ignore"):  # a signalling NaN complains about being looked at
            wrong: npt.NDArray[np.bool_] = (kinds == INT) & (np.trunc(values) != values)
            wrong |= (kinds == BOOL) & (values != 0) & (values != 1)
        return wrong & ~np.isnan(values)


def exact_trouble(value: Any, kind: int) -> tuple[Refusal, str] | None:
    """Say why a decoded value may not become a value of a tag of this kind; None when it may.

    ``None`` (no value) is always allowed: it becomes a point of BAD quality.
    """
    if value is None:
        return None
    if kind == TEXT:
        return None if isinstance(value, str) else (Refusal.WRONG_TYPE, f"{_kind_of(value)} where the tag is text.")
    if isinstance(value, bool):
        return None if kind == BOOL else (Refusal.WRONG_TYPE, f"true or false where the tag is {_KIND_NAMES[kind]}.")
    if isinstance(value, int):
        if abs(value) > MAX_EXACT_INTEGER:
            return Refusal.NOT_EXACT, "A whole number beyond 2^53 cannot be kept exactly."
    elif not isinstance(value, float):
        return Refusal.WRONG_TYPE, f"{_kind_of(value)} where the tag is {_KIND_NAMES[kind]}."
    elif not np.isfinite(value):
        return Refusal.NOT_FINITE, "NaN or infinity is not a value."
    if kind == INT and value != int(value):
        return Refusal.WRONG_TYPE, "A fraction where the tag is a whole number."
    if kind == BOOL and value not in (0, 1):
        return Refusal.WRONG_TYPE, "A number other than 0 and 1 where the tag is true or false."
    return None


def _kind_of(value: Any) -> str:
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, int | float):
        return "a number"
    if isinstance(value, str):
        return "text"
    return "a list" if isinstance(value, list | tuple) else "an object" if isinstance(value, dict) else "bytes"


class Columns:
    """Collects groups of one `decode` call. The lists are public: hot loops bind their ``append``."""

    __slots__ = (
        "arrived_us",
        "batch",
        "counts",
        "is_careful",
        "messages",
        "own_times",
        "qualities",
        "seqs",
        "sources",
        "starts",
        "table",
        "times_us",
        "values",
    )

    def __init__(self, table: TagTable, sources: Sequence[Message]) -> None:
        self.table = table
        self.sources = sources
        self.batch = Batch(points=empty_points())
        self.is_careful = False  # the message at hand needs a look at each value
        self.starts: list[int] = []
        self.counts: list[int] = []
        self.messages: list[int] = []
        self.times_us: list[int] = []
        self.arrived_us: list[int] = []
        self.seqs: list[int] = []
        self.qualities: list[int] = []
        self.values: list[Any] = []
        self.own_times: list[tuple[int, list[int]]] = []  # (group, a time for each of its values)

    def arrived_at(self, message: int) -> int:
        """Return when the durable log took the message, microseconds."""
        return self.sources[message].arrived_us

    def add_group(
        self, message: int, start: int, values: Sequence[Any], time_us: int, seq: int, quality: int, arrived_us: int
    ) -> None:
        """Append values for the tags at ``start`` of the plan table; only int, float and bool may be in it."""
        self.messages.append(message)
        self.starts.append(start)
        self.counts.append(len(values))
        self.times_us.append(time_us)
        self.seqs.append(seq)
        self.qualities.append(quality)
        self.arrived_us.append(arrived_us)
        self.values.extend(values)

    def add_value(
        self, message: int, address: str, value: Any, time_us: int, seq: int, quality: int, arrived_us: int
    ) -> None:
        """Append one value of any type by address: as a point, a text, or refused with its reason."""
        row = self.table.row_of.get(address)
        if row is None:
            self.refuse(message, address, time_us, value, quality, seq, Refusal.UNKNOWN_TAG)
            return
        kind = self.table.kinds[row]
        trouble = exact_trouble(value, kind)
        if trouble is not None:
            self.refuse(message, address, time_us, value, quality, seq, *trouble)
        elif kind == TEXT:
            self.add_text(row, value, time_us, seq, quality, arrived_us)
        elif value is None:
            self.add_group(message, row, (NAN,), time_us, seq, Quality.BAD, arrived_us)
        else:
            self.add_group(message, row, (value,), time_us, seq, quality, arrived_us)

    def add_text(self, row: int, text: str | None, time_us: int, seq: int, quality: int, arrived_us: int) -> None:
        """Append a value of a text tag; None is no value."""
        if text is None:
            text, quality = "", Quality.BAD
        self.batch.texts.append(TextPoint(self.table.specs[row].id, time_us, text, quality, seq, arrived_us))

    def refuse(
        self,
        message: int,
        address: str,
        time_us: int,
        value: Any,
        quality: int,
        seq: int,
        reason: Refusal,
        detail: str = "",
    ) -> None:
        """Keep a point that cannot be used; an integer beyond 64 bits is kept as hexadecimal text."""
        if isinstance(value, int) and not -(2**63) <= value < 2**64:
            value = hex(value)
        point = RefusedPoint(address, time_us, value, quality, seq, reason, detail)
        self.batch.refused.append((message, point))

    def refuse_message(self, message: int, reason: Refusal, detail: str) -> None:
        """Keep a message of which nothing can be used."""
        self.batch.refused_messages.append((message, reason, detail))

    def finish(self) -> Batch:
        """Make the columns."""
        if self.values:
            self.batch.points = self._points()
        return self.batch

    def _points(self) -> PointBlock:
        counts = np.array(self.counts, np.int64)
        ends = np.cumsum(counts)
        total = int(ends[-1])
        index = np.repeat(np.array(self.starts, np.int64) - (ends - counts), counts) + np.arange(total)
        rows = self.table.rows_at(index)
        raw = np.frombuffer(array("d", self.values))
        times_us = np.repeat(np.array(self.times_us, np.int64), counts)
        for group, own in self.own_times:
            times_us[ends[group] - counts[group] : ends[group]] = own
        block = PointBlock(
            tag=self.table.ids(rows),
            time_us=times_us,
            value=self.table.scaled(raw, rows),
            quality=np.repeat(np.array(self.qualities, np.uint8), counts),
            seq=np.repeat(np.array(self.seqs, np.uint64), counts),
            arrived_us=np.repeat(np.array(self.arrived_us, np.int64), counts),
        )
        doubtful = self._doubtful(block, raw, rows)
        return block if doubtful is None else self._without_wrong(block, doubtful, rows, counts)

    def _doubtful(
        self, block: PointBlock, raw: npt.NDArray[np.float64], rows: npt.NDArray[np.int64]
    ) -> npt.NDArray[np.bool_] | None:
        """Mark values that may not be kept as they are; almost always there are none."""
        with np.errstate(invalid="ignore"):
            doubtful = ~np.isfinite(block.value) | (np.abs(raw) >= MAX_EXACT_INTEGER)
        misfits = self.table.misfits(raw, rows)
        if misfits is not None:
            doubtful |= misfits
        return doubtful if doubtful.any() else None

    def _without_wrong(
        self,
        block: PointBlock,
        doubtful: npt.NDArray[np.bool_],
        rows: npt.NDArray[np.int64],
        counts: npt.NDArray[np.int64],
    ) -> PointBlock:
        keep = np.ones(len(doubtful), np.bool_)
        owner = np.repeat(np.array(self.messages, np.int64), counts)
        for place in np.flatnonzero(doubtful).tolist():
            message, row = int(owner[place]), int(rows[place])
            value, quality = self.values[place], int(block.quality[place])
            if value != value and quality >= Quality.BAD:  # NaN put here on purpose: no value
                continue
            trouble = self._trouble(message, value, float(block.value[place]), row)
            if trouble is None:
                continue
            keep[place] = False
            address, time_us = self.table.specs[row].address, int(block.time_us[place])
            self.refuse(message, address, time_us, value, quality, int(block.seq[place]), *trouble)
        return PointBlock(
            block.tag[keep],
            block.time_us[keep],
            block.value[keep],
            block.quality[keep],
            block.seq[keep],
            block.arrived_us[keep],
        )

    def _trouble(self, message: int, value: Any, scaled: float, row: int) -> tuple[Refusal, str] | None:
        if isinstance(value, float) and abs(value) >= 2**63 and self._is_long_integer(message, value):
            return Refusal.NOT_EXACT, "A whole number beyond 2^53 cannot be kept exactly."
        trouble = exact_trouble(value, self.table.kinds[row])
        if trouble is None and not np.isfinite(scaled):
            return Refusal.NOT_FINITE, "Scaling makes the value infinite."
        return trouble

    def _is_long_integer(self, message: int, value: float) -> bool:
        """Tell an integer beyond 64 bits, which the JSON parser hands over as a float, from a real float."""
        return any(float(token) == value for token in _LONG_INTEGER.findall(self.sources[message].payload))
