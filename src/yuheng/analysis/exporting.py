"""Values as files: CSV, Excel and Parquet, written part by part, with units, time zone and names in two languages.

Two shapes: *raw* is one row a value; *aggregated* is one row a bucket with mean, least and most of each signal. What is
too much for a file is refused with a sentence before anything is written.
"""

from __future__ import annotations

import csv
import io
import math
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO, Any
from zoneinfo import ZoneInfo

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
from django.utils.translation import gettext as _

from yuheng.analysis.selectors import raw_rows
from yuheng.analysis.selectors.tags import TrendTag
from yuheng.kernel.actor import Actor
from yuheng.kernel.errors import InvalidInput
from yuheng.telemetry.rules import moment
from yuheng.telemetry.selectors import history

FORMATS = {
    "csv": ("text/csv; charset=utf-8", "csv"),
    "xlsx": ("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "xlsx"),
    "parquet": ("application/vnd.apache.parquet", "parquet"),
}
BUCKETS_US = {
    "1s": 1_000_000,
    "10s": 10_000_000,
    "1m": 60_000_000,
    "15m": 900_000_000,
    "1h": 3_600_000_000,
    "1d": 86_400_000_000,
}
MAX_ROWS = 5_000_000
MAX_SHEET_ROWS = 1_048_000
"""Excel has 1,048,576 rows; some are the heading's."""
MAX_SHEET_CELLS = 6_000_000
CHUNK = 256 * 1024
_US = pa.timestamp("us", "UTC")
_DANGEROUS = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True, slots=True)
class Export:
    """What is to be written; times ``[start_us, end_us)``, shown in ``zone``."""

    tags: tuple[TrendTag, ...]
    start_us: int
    end_us: int
    bucket_us: int | None
    zone: str
    site: str
    who: str
    at: datetime

    @property
    def name(self) -> str:
        """Name of the file without its ending."""
        start = moment(self.start_us).astimezone(ZoneInfo(self.zone))
        units = "-".join(dict.fromkeys(tag.work_unit for tag in self.tags if tag.work_unit))[:60]
        return f"yuheng-{units or 'values'}-{start:%Y%m%d-%H%M}".replace("/", "-")


Table = tuple[list[str], Iterator[list[Any]]]


def check_size(*, actor: Actor, export: Export, kind: str) -> None:
    """Refuse what does not fit the kind of file. Raises `InvalidInput` with what to do."""
    if kind not in FORMATS:
        raise InvalidInput(_("A file is csv, xlsx or parquet."), {"format": kind[:20]})
    if export.bucket_us is not None:
        rows = (export.end_us - export.start_us) // export.bucket_us + 2
        cells = rows * (1 + 3 * len(export.tags))
    else:
        rows = _raw_count(actor, export)
        cells = rows * 8
    most = MAX_SHEET_ROWS if kind == "xlsx" else MAX_ROWS
    if rows > most:
        sentence = _(
            "That would be %(rows)s rows; a file of this kind has at most %(most)s. Choose less time or means."
        )
        raise InvalidInput(sentence % {"rows": f"{rows:,}", "most": f"{most:,}"}, {"format": kind})
    if kind == "xlsx" and cells > MAX_SHEET_CELLS:
        sentence = _("That would be %(cells)s cells, too many for a spreadsheet. Choose CSV or Parquet, or less time.")
        raise InvalidInput(sentence % {"cells": f"{cells:,}"}, {"format": kind})


def _raw_count(actor: Actor, export: Export) -> int:
    """Count the stored values; of texts, as many as a file may have are looked for."""
    numbers = [tag.id for tag in export.tags if tag.is_number]
    total = 0
    if numbers:
        span = (export.start_us, export.end_us)
        total = sum(history.describe(actor=actor, tag_ids=numbers, spans_us=[span])["count"].to_pylist())
    for tag in export.tags:
        if not tag.is_number:
            found = history.raw(
                actor=actor, tag_ids=[tag.id], start_us=export.start_us, end_us=export.end_us, limit=500_000
            )
            total += len(found)
    return total


def write(*, actor: Actor, export: Export, kind: str) -> Iterator[bytes]:
    """Yield the file in parts. Call `check_size` first."""
    writers: dict[str, Callable[[Actor, Export], Iterator[bytes]]] = {
        "csv": _csv,
        "xlsx": _xlsx,
        "parquet": _parquet,
    }
    return writers[kind](actor, export)


# ---- headings -----------------------------------------------------------------------------------------------------


def _title(tag: TrendTag) -> str:
    """Return work unit, both names and unit: ``H07 功率 / Power [kW]``."""
    names = " / ".join(dict.fromkeys(name for name in (tag.name_zh, tag.name_en) if name)) or tag.name
    unit = f" [{tag.unit}]" if tag.unit else ""
    return f"{tag.work_unit} {names}{unit}".strip()


def _raw_heading(export: Export) -> list[str]:
    return [
        f"时间 / Time ({export.zone})",
        "设备 / Work unit",
        "信号 / Signal",
        "名称 / Name",
        "数值 / Value",
        "单位 / Unit (UCUM)",
        "质量 / Quality",
        f"到达 / Arrived ({export.zone})",
    ]


def _wide_heading(export: Export) -> list[str]:
    found = [f"时间 / Time ({export.zone})"]
    for tag in export.tags:
        if tag.is_number:
            found += [f"{_title(tag)} {word}" for word in ("平均 / mean", "最小 / least", "最大 / most")]
    return found


def facts(export: Export) -> list[tuple[str, str]]:
    """Return what a reader of the file must know, in both languages."""
    zone = ZoneInfo(export.zone)
    bucket = "原始值 / raw values" if export.bucket_us is None else f"{export.bucket_us / 1e6:g} s"
    return [
        ("工厂 / Site", export.site),
        ("时区 / Time zone", export.zone),
        ("从 / From", moment(export.start_us).astimezone(zone).isoformat()),
        ("到 / To", moment(export.end_us).astimezone(zone).isoformat()),
        ("汇总 / Each row", bucket),
        ("导出 / Exported", f"{export.at.astimezone(zone).isoformat(timespec='seconds')} · {export.who}"),
        *((f"信号 / Signal {number}", f"{_title(tag)} · {tag.address}") for number, tag in enumerate(export.tags, 1)),
    ]


# ---- rows ---------------------------------------------------------------------------------------------------------


def _rows(actor: Actor, export: Export) -> Table:
    if export.bucket_us is None:
        return _raw_heading(export), _raw_rows(actor, export)
    return _wide_heading(export), _wide_rows(actor, export)


def _raw_rows(actor: Actor, export: Export) -> Iterator[list[Any]]:
    zone = ZoneInfo(export.zone)
    left = MAX_ROWS
    for tag in export.tags:
        names = " / ".join(dict.fromkeys(name for name in (tag.name_zh, tag.name_en) if name)) or tag.name
        for table in raw_rows.raw_tables(actor=actor, tag=tag, start_us=export.start_us, end_us=export.end_us):
            columns = (table[name].cast(_US).cast(pa.int64()).to_pylist() for name in ("time", "arrived"))
            others = (table[name].to_pylist() for name in ("value", "text", "quality"))
            for time_us, arrived_us, value, text, quality in zip(*columns, *others, strict=True):
                shown = text if text is not None else None if value is None else tag.show(value)
                time, arrived = (moment(us).astimezone(zone) for us in (time_us, arrived_us))
                yield [time, tag.work_unit, tag.symbol or tag.address, names, shown, tag.unit_code, quality, arrived]
            left -= len(table)
            if left <= 0:
                return


def _wide_rows(actor: Actor, export: Export) -> Iterator[list[Any]]:
    assert export.bucket_us is not None
    zone = ZoneInfo(export.zone)
    numbers = [tag for tag in export.tags if tag.is_number]
    if not numbers:
        return
    step = max(export.bucket_us, 20_000 * export.bucket_us)
    places = {tag.id: index for index, tag in enumerate(numbers)}
    for low in range(export.start_us // export.bucket_us * export.bucket_us, export.end_us, step):
        start_us, end_us = max(low, export.start_us), min(low + step, export.end_us)
        table = history.aggregate(
            actor=actor, tag_ids=list(places), start_us=start_us, end_us=end_us, bucket_us=export.bucket_us
        )
        found: dict[int, list[Any]] = {}
        buckets = table["bucket"].cast(_US).cast(pa.int64()).to_pylist()
        columns = (table[name].to_pylist() for name in ("tag", "avg", "min", "max"))
        for bucket, tag_id, mean, least, most in zip(buckets, *columns, strict=True):
            row = found.setdefault(bucket, [None] * (3 * len(numbers)))
            tag = numbers[places[tag_id]]
            values = [tag.show(v) if v is not None and math.isfinite(v) else None for v in (mean, least, most)]
            if tag.factor < 0:
                values[1], values[2] = values[2], values[1]
            row[3 * places[tag_id] : 3 * places[tag_id] + 3] = values
        for bucket in sorted(found):
            yield [moment(bucket).astimezone(zone), *found[bucket]]


def _safe(value: Any) -> Any:
    """Return text that no spreadsheet takes for a formula."""
    return f"'{value}" if isinstance(value, str) and value.startswith(_DANGEROUS) else value


# ---- files --------------------------------------------------------------------------------------------------------


def _csv(actor: Actor, export: Export) -> Iterator[bytes]:
    """UTF-8 with a mark, so that spreadsheets read Chinese; times as ISO 8601 with their offset."""
    heading, rows = _rows(actor, export)
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    out.write("\ufeff")
    writer.writerow(heading)
    for row in rows:
        writer.writerow([cell.isoformat() if isinstance(cell, datetime) else _safe(cell) for cell in row])
        if out.tell() >= CHUNK:
            yield out.getvalue().encode()
            out.seek(0)
            out.truncate()
    yield out.getvalue().encode()


def _xlsx(actor: Actor, export: Export) -> Iterator[bytes]:
    """One sheet of values, one that says what they are. Spreadsheets know no zones: times are the site's wall clock."""
    heading, rows = _rows(actor, export)
    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet("数据 Data")
    sheet.freeze_panes = "B2"
    sheet.append(heading)
    for row in rows:
        sheet.append([_naive(cell) if isinstance(cell, datetime) else _safe(cell) for cell in row])
    about = book.create_sheet("说明 About")
    for fact in facts(export):
        about.append([_safe(part) for part in fact])
    with tempfile.TemporaryDirectory(prefix="yuheng-export-") as place:
        path = Path(place) / "export.xlsx"
        book.save(path)
        with path.open("rb") as file:
            yield from _chunks(file)


def _naive(at: datetime) -> datetime:
    """Return wall time to the millisecond: what a spreadsheet can hold."""
    return at.replace(tzinfo=None, microsecond=at.microsecond // 1000 * 1000)


def _parquet(actor: Actor, export: Export) -> Iterator[bytes]:
    """Columns with their types; times in UTC, and what they are in the file's metadata."""
    metadata = {key.encode(): value.encode() for key, value in facts(export)}
    with tempfile.TemporaryDirectory(prefix="yuheng-export-") as place:
        path = Path(place) / "export.parquet"
        writer: pq.ParquetWriter | None = None
        for table in _tables(actor, export):
            shaped = table.replace_schema_metadata(metadata)
            writer = writer or pq.ParquetWriter(path, shaped.schema, compression="zstd")
            writer.write_table(shaped)
        if writer is None:
            pq.write_table(_empty(export).replace_schema_metadata(metadata), path)
        else:
            writer.close()
        with path.open("rb") as file:
            yield from _chunks(file)


def _tables(actor: Actor, export: Export) -> Iterator[pa.Table]:
    if export.bucket_us is not None:
        yield from _wide_tables(actor, export)
        return
    for tag in export.tags:
        for table in raw_rows.raw_tables(actor=actor, tag=tag, start_us=export.start_us, end_us=export.end_us):
            values = table["value"].cast(pa.float64())
            if tag.factor != 1.0 or tag.offset != 0.0:
                values = pa.chunked_array([pa.array(values.to_numpy() * tag.factor + tag.offset, from_pandas=True)])
            yield pa.table(
                {
                    "time": table["time"].cast(_US),
                    "work_unit": _constant(tag.work_unit, table),
                    "signal": _constant(tag.symbol or tag.address, table),
                    "name_zh": _constant(tag.name_zh, table),
                    "name_en": _constant(tag.name_en, table),
                    "value": values,
                    "text": table["text"].cast(pa.string()),
                    "unit": _constant(tag.unit_code, table),
                    "quality": table["quality"].cast(pa.uint8()),
                    "arrived": table["arrived"].cast(_US),
                }
            )


def _constant(text: str, table: pa.Table) -> pa.Array:
    return pa.array([text]).dictionary_encode().take(pa.array([0] * len(table))).cast(pa.string())


def _wide_tables(actor: Actor, export: Export) -> Iterator[pa.Table]:
    heading = ["time", *_wide_heading(export)[1:]]
    kinds = [_US, *[pa.float64()] * (len(heading) - 1)]
    batch: list[list[Any]] = []
    for row in _wide_rows(actor, export):
        batch.append(row)
        if len(batch) >= raw_rows.EXPORT_PAGE:
            yield _columns(heading, kinds, batch)
            batch = []
    if batch:
        yield _columns(heading, kinds, batch)


def _columns(heading: Sequence[str], kinds: Sequence[pa.DataType], rows: Sequence[Sequence[Any]]) -> pa.Table:
    columns = [pa.array([row[i] for row in rows], kind) for i, kind in enumerate(kinds)]
    return pa.table(columns, names=list(heading))


def _empty(export: Export) -> pa.Table:
    names = ["time", "value"] if export.bucket_us is None else ["time", *_wide_heading(export)[1:]]
    return _columns(names, [_US, *[pa.float64()] * (len(names) - 1)], [])


def _chunks(file: IO[bytes]) -> Iterator[bytes]:
    while part := file.read(CHUNK):
        yield part
