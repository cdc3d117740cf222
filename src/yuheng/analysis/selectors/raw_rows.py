"""Stored values as they came, page by page, by time and sequence."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

import pyarrow as pa
import pyarrow.compute as pc
from django.utils.translation import gettext as _

from yuheng.analysis.selectors.tags import TrendTag
from yuheng.kernel.actor import Actor
from yuheng.kernel.errors import InvalidInput
from yuheng.telemetry.rules import moment
from yuheng.telemetry.selectors import history

PAGE = 200
EXPORT_PAGE = 100_000


@dataclass(frozen=True, slots=True)
class RawRow:
    """One stored value; ``value`` in the shown unit, None when quality is bad and nothing is known."""

    time: datetime
    time_us: int
    seq: int
    value: float | str | None
    quality: int
    arrived: datetime
    delay_s: float


@dataclass(frozen=True, slots=True)
class RawPage:
    """Rows by time; ``after`` names the place behind the last one ("": there are no more)."""

    rows: tuple[RawRow, ...]
    after: str


def raw_page(*, actor: Actor, tag: TrendTag, start_us: int, end_us: int, after: str = "", limit: int = PAGE) -> RawPage:
    """Return a page of a tag's values in [start_us, end_us) behind the place ``after`` (``time_us.seq``)."""
    place = _place(after)
    since_us = start_us if place is None else max(start_us, place[0])
    table = history.raw(actor=actor, tag_ids=[tag.id], start_us=since_us, end_us=end_us, limit=limit + 1 + PAGE)
    rows = [row for row in _rows(table, tag) if place is None or (row.time_us, row.seq) > place]
    shown = rows[:limit]
    has_more = len(rows) > limit
    return RawPage(tuple(shown), f"{shown[-1].time_us}.{shown[-1].seq}" if has_more else "")


def raw_tables(*, actor: Actor, tag: TrendTag, start_us: int, end_us: int) -> Iterator[pa.Table]:
    """Yield all of a tag's values in parts of at most `EXPORT_PAGE` rows: time, seq, value, text, quality, arrived."""
    since_us, skip = start_us, None
    while True:
        table = history.raw(actor=actor, tag_ids=[tag.id], start_us=since_us, end_us=end_us, limit=EXPORT_PAGE)
        is_last = len(table) < EXPORT_PAGE
        if skip is not None and len(table):
            times = table["time"].cast(pa.timestamp("us", "UTC")).cast(pa.int64())
            is_new = pc.or_(pc.greater(times, skip[0]), pc.greater(table["seq"], skip[1]))
            table = table.filter(is_new)
        if len(table):
            yield table
            skip = (_us(table["time"][-1]), int(table["seq"][-1].as_py()))
            since_us = skip[0]
        if is_last or not len(table):
            return


def _us(value: pa.Scalar) -> int:
    return int(value.cast(pa.timestamp("us", "UTC")).value)


def _place(after: str) -> tuple[int, int] | None:
    if not after:
        return None
    if not re.fullmatch(r"\d{1,18}\.\d{1,20}", after):
        raise InvalidInput(_("This place in the table does not exist."), {"after": after[:40]})
    time_us, seq = after.split(".")
    return int(time_us), int(seq)


def _rows(table: pa.Table, tag: TrendTag) -> Iterator[RawRow]:
    times = table["time"].cast(pa.timestamp("us", "UTC")).cast(pa.int64()).to_pylist()
    arrivals = table["arrived"].cast(pa.timestamp("us", "UTC")).cast(pa.int64()).to_pylist()
    columns = (table[name].to_pylist() for name in ("seq", "value", "text", "quality"))
    for time_us, arrived_us, seq, value, text, quality in zip(times, arrivals, *columns, strict=True):
        shown = text if text is not None else None if value is None else tag.show(value)
        delay_s = (arrived_us - time_us) / 1e6
        yield RawRow(moment(time_us), time_us, seq, shown, quality, moment(arrived_us), delay_s)
