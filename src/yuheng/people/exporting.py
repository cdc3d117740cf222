"""The audit trail as a file: CSV for programs, XLSX for people."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator
from datetime import tzinfo

from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.styles import Font

from yuheng.people.selectors import AuditRow

MOST_ROWS = {"csv": 100_000, "xlsx": 20_000}
"""Rows of one file, newest first. Whoever needs more asks for a span of time."""
TYPES = {"csv": "text/csv; charset=utf-8", "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"}
COLUMNS = ("at", "site", "who", "really", "action", "what", "object_kind", "object_id", "detail")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def cells(row: AuditRow, zone: tzinfo) -> list[str]:
    """Return a row as text; times as the site's clock showed them, with the offset."""
    return [
        row.at.astimezone(zone).isoformat(timespec="seconds"),
        row.site_code,
        row.actor_name,
        row.impersonator,
        row.action,
        row.what,
        row.object_kind,
        row.object_id,
        json.dumps(row.detail, ensure_ascii=False, sort_keys=True, default=str) if row.detail else "",
    ]


def as_csv(rows: Iterable[AuditRow], zone: tzinfo) -> bytes:
    """Return CSV in UTF-8 with a mark, so that Excel reads Chinese."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    writer.writerows([harmless(cell) for cell in cells(row, zone)] for row in rows)
    return b"\xef\xbb\xbf" + text.getvalue().encode()


def as_xlsx(rows: Iterable[AuditRow], zone: tzinfo, *, headings: Iterable[str]) -> bytes:
    """Return a workbook with one sheet."""
    book = Workbook(write_only=True)
    sheet = book.create_sheet("audit")
    sheet.freeze_panes = "A2"
    for letter, width in zip("ABCDEFGHI", (27, 12, 18, 14, 26, 32, 18, 14, 80), strict=True):
        sheet.column_dimensions[letter].width = width
    sheet.append(list(_bold(sheet, headings)))
    for row in rows:
        sheet.append([_printable(harmless(cell)) for cell in cells(row, zone)])
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def harmless(text: str) -> str:
    """Return a text that a spreadsheet does not take for a formula.

    Examples
    --------
    >>> harmless("=1+1"), harmless("laser")
    ("'=1+1", 'laser')
    """
    return f"'{text}" if text.startswith(_FORMULA) else text


def _printable(text: str) -> str:
    """Return a text without what a workbook cannot hold, and no longer than a cell."""
    return "".join(c for c in text if c >= " " or c in "\n\t")[:32_000]


def _bold(sheet: object, headings: Iterable[str]) -> Iterator[object]:
    for heading in headings:
        cell = WriteOnlyCell(sheet, value=heading)  # type: ignore[arg-type]
        cell.font = Font(bold=True)
        yield cell
