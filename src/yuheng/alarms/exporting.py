"""The journal as a file: CSV line by line, or a workbook."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from django.utils.translation import get_language
from django.utils.translation import gettext as _
from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell

from yuheng.alarms.labels import KIND_LABELS, PRIORITY_LABELS
from yuheng.alarms.selectors.journal import JournalRow

FORMULA = ("=", "+", "-", "@", "\t", "\r")


def header() -> list[str]:
    """Return the columns' names in the reader's language."""
    return [
        _("Time (UTC)"),
        _("Known at (UTC)"),
        _("What happened"),
        _("Priority"),
        _("Work unit"),
        _("Name"),
        _("Alarm"),
        _("Message"),
        _("Value"),
        _("Count"),
        _("Who"),
        _("Comment"),
    ]


def cells(row: JournalRow) -> list[str | int | datetime]:
    """Return one line in the reader's language. Texts that a spreadsheet would calculate are made plain."""
    is_chinese = (get_language() or "").startswith("zh")
    texts = [
        str(KIND_LABELS[row.kind]),
        str(PRIORITY_LABELS[row.priority]),
        row.unit_code,
        row.unit_name_zh if is_chinese else row.unit_name_en,
        row.name_zh if is_chinese else row.name_en,
        row.message_zh if is_chinese else row.message_en,
        row.value,
    ]
    said = [_plain(text) for text in texts]
    return [row.at, row.known_at, *said, row.count, _plain(row.actor_name), _plain(row.comment)]


def _plain(text: str) -> str:
    return f"'{text}" if text.startswith(FORMULA) else text


def csv_lines(rows: Iterable[JournalRow]) -> Iterator[bytes]:
    """Yield the file line by line; it begins with a byte-order mark, so that spreadsheets read it as UTF-8."""
    yield b"\xef\xbb\xbf" + _line(header())
    for row in rows:
        yield _line([one.isoformat() if isinstance(one, datetime) else one for one in cells(row)])


def _line(values: Iterable[str | int | datetime]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerow(values)
    return text.getvalue().encode()


def workbook(rows: Iterable[JournalRow]) -> bytes:
    """Return an XLSX file, written to disk row by row: the memory does not grow with their number."""
    book = Workbook(write_only=True)
    sheet = book.create_sheet(_("Alarm journal"))
    sheet.append(header())
    for row in rows:
        line = []
        for value in cells(row):
            cell = WriteOnlyCell(sheet, value.replace(tzinfo=None) if isinstance(value, datetime) else value)
            if isinstance(value, datetime):
                cell.number_format = "yyyy-mm-dd hh:mm:ss.000"
            line.append(cell)
        sheet.append(line)
    with TemporaryDirectory() as directory:
        path = Path(directory) / "journal.xlsx"
        book.save(path)
        return path.read_bytes()
