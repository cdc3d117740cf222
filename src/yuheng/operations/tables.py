"""Reading tables that people send: CSV in the encodings of spreadsheets, or XLSX; the first row names the columns."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from zipfile import BadZipFile

from django.utils.translation import gettext as _
from openpyxl import load_workbook
from openpyxl.utils.exceptions import InvalidFileException

from yuheng.equipment.importing.files import decode
from yuheng.kernel.errors import InvalidInput

LARGEST_FILE = 32 * 1024 * 1024
MOST_ROWS = 200_000
LONGEST_CELL = 2_000


@dataclass(frozen=True, slots=True)
class TableRow:
    """One row: its number as people count (the heading is 1), and its cells that say something."""

    line: int
    cells: dict[str, str]

    def get(self, name: str) -> str:
        """Return a cell; "" when it is empty or not there."""
        return self.cells.get(name, "")


def read_table(content: bytes, *, columns: frozenset[str], required: frozenset[str]) -> list[TableRow]:
    """Return the rows of a CSV or XLSX file.

    Raises
    ------
    InvalidInput
        It is too large, neither CSV nor XLSX, or its heading lacks or does not know columns: the message says which.
    """
    if len(content) > LARGEST_FILE:
        raise InvalidInput(_("The file is larger than 32 MB. Split it."))
    rows = _xlsx(content) if content.startswith(b"PK\x03\x04") else _csv(content)
    first = next(rows, None)
    heading = [str(cell).strip() for cell in first[1]] if first is not None else []
    _check_heading(heading, columns, required)
    found: list[TableRow] = []
    for line, cells in rows:
        named = {name: text for name, cell in zip(heading, cells, strict=False) if name and (text := _text(cell, line))}
        if named:
            found.append(TableRow(line, named))
        if len(found) > MOST_ROWS:
            raise InvalidInput(
                _("The file has more than 200,000 rows. Give it on the page of files: a larger one is read there.")
            )
    return found


def _check_heading(heading: list[str], columns: frozenset[str], required: frozenset[str]) -> None:
    given = {name for name in heading if name}
    if not given:
        raise InvalidInput(_("The file is empty; its first row must name the columns."))
    if unknown := sorted(given - columns):
        raise InvalidInput(
            _("These columns are unknown: %(names)s. Known: %(known)s.")
            % {"names": ", ".join(unknown)[:200], "known": ", ".join(sorted(columns))}
        )
    if missing := sorted(required - given):
        raise InvalidInput(_("These columns are missing: %(names)s.") % {"names": ", ".join(missing)})
    if len(given) != len([name for name in heading if name]):
        raise InvalidInput(_("A column stands twice in the first row."))


def _text(cell: Any, line: int) -> str:
    if cell is None:
        return ""
    if isinstance(cell, datetime | date):
        return cell.isoformat()
    if isinstance(cell, float) and cell.is_integer():
        cell = int(cell)
    text = str(cell).strip()
    if len(text) > LONGEST_CELL:
        raise InvalidInput(_("A cell of row %(row)d is longer than 2,000 characters.") % {"row": line})
    return text


def _csv(content: bytes) -> Iterator[tuple[int, list[Any]]]:
    text = decode(content)
    first = text.split("\n", 1)[0]
    delimiter = max(",;\t", key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise InvalidInput(
                _("Row %(row)d is not CSV: %(why)s.") % {"row": reader.line_num, "why": error}
            ) from error
        yield reader.line_num, list(cells)


def _xlsx(content: bytes) -> Iterator[tuple[int, list[Any]]]:
    try:
        book = load_workbook(io.BytesIO(content), read_only=True, data_only=True)
        sheet = book.worksheets[0]
        for number, cells in enumerate(sheet.iter_rows(values_only=True), start=1):
            yield number, list(cells)
    except (BadZipFile, InvalidFileException, KeyError, ValueError, IndexError, EOFError) as error:
        raise InvalidInput(_("The file is no XLSX workbook that can be read.")) from error
