"""Tables as files: CSV with a byte-order mark, or a workbook. No text becomes a formula there."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from openpyxl import Workbook

FORMULA = ("=", "+", "-", "@", "\t", "\r")
TYPES = {
    "csv": "text/csv; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}


@dataclass(frozen=True, slots=True)
class Table:
    """Column names and rows; moments are written in ``zone`` with their offset."""

    name: str
    header: Sequence[str]
    rows: Iterable[Sequence[Any]]
    zone: str


def as_file(table: Table, kind: str) -> bytes:
    """Return the table as a file of one of `TYPES`."""
    lines = [list(table.header), *([_cell(one, table.zone) for one in row] for row in table.rows)]
    if kind == "csv":
        text = io.StringIO()
        csv.writer(text).writerows(lines)
        return b"\xef\xbb\xbf" + text.getvalue().encode()
    book = Workbook(write_only=True)
    sheet = book.create_sheet(table.name[:31])
    for cells in lines:
        sheet.append(cells)
    content = io.BytesIO()
    book.save(content)
    return content.getvalue()


def _cell(value: Any, zone: str) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(ZoneInfo(zone)).isoformat(timespec="seconds")
    if isinstance(value, float):
        return round(value, 6)
    if value is None or isinstance(value, int):
        return value
    text = str(value)
    return f"'{text}" if text.startswith(FORMULA) else text
