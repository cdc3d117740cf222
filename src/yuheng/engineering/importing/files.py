"""Files to rows, one at a time: CSV in UTF-8, UTF-16 or GB18030, and XLSX."""

from __future__ import annotations

import codecs
import csv
import tempfile
import zipfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

import openpyxl
from django.utils.translation import gettext as _
from openpyxl.utils.exceptions import InvalidFileException

from yuheng.kernel.errors import InvalidInput

MOST_ROWS = 2_000_000
LARGEST_FILE = 512 * 1024 * 1024
LARGEST_UNPACKED = 2 * 1024 * 1024 * 1024
LONGEST_CELL = 10_000

Pieces = Callable[[], Iterable[bytes]]


@dataclass(frozen=True, slots=True)
class RawRow:
    """A row as it stands in the file, by column; ``line`` is where a person finds it."""

    line: int
    cells: dict[str, str]


def read_rows(pieces: Pieces, file_name: str, columns: tuple[str, ...]) -> Iterator[RawRow]:
    """Yield the rows of a file.

    Parameters
    ----------
    pieces
        Gives the file from its beginning each time it is called: it is read twice, once to find its encoding.

    Raises
    ------
    InvalidInput
        It is no such file, its first row does not name known columns, or it has too many rows.
    """
    lines = _sheet(pieces) if file_name.lower().endswith((".xlsx", ".xlsm")) else _table(pieces)
    header: list[str] = []
    for count, (line, cells) in enumerate(lines):
        if not header:
            header = _checked_header([cell.strip() for cell in cells], columns)
            continue
        if count > MOST_ROWS:
            raise InvalidInput(_("The file has more than %(most)d rows. Split it.") % {"most": MOST_ROWS})
        row = {name: cell.strip() for name, cell in zip(header, cells, strict=False) if name}
        if any(row.values()):
            if any(cell.strip() for cell in cells[len(header) :]):
                raise InvalidInput(_("Row %(line)d has more cells than the first row.") % {"line": line})
            yield RawRow(line, row)
    if not header:
        raise InvalidInput(_("The file is empty; its first row must name the columns."))


def _checked_header(header: list[str], columns: tuple[str, ...]) -> list[str]:
    if twice := sorted({name for name in header if name and header.count(name) > 1}):
        raise InvalidInput(_("Columns stand twice: %(names)s.") % {"names": ", ".join(twice)})
    unknown = [name for name in header if name and name not in columns]
    if unknown or not any(header):
        near = get_close_matches(unknown[0], columns, n=1, cutoff=0.5) if unknown else []
        values = {"name": unknown[0] if unknown else "", "known": ", ".join(columns)}
        if near:
            raise InvalidInput(
                _("There is no column '%(name)s'; did you mean '%(near)s'?") % {"name": unknown[0], "near": near[0]}
            )
        raise InvalidInput(_("There is no column '%(name)s'. There are: %(known)s.") % values)
    return header


# ---- CSV ----------------------------------------------------------------------------------------------------------


def _table(pieces: Pieces) -> Iterator[tuple[int, list[str]]]:
    encoding = _encoding(pieces)
    text = _lines(pieces, encoding)
    first = next(text, "")
    delimiter = max(",;\t", key=first.count)
    reader = csv.reader(_again(first, text), delimiter=delimiter, strict=True)
    try:
        for cells in reader:
            yield reader.line_num, cells
    except csv.Error as error:
        raise InvalidInput(_("Row %(row)d is not CSV: %(why)s.") % {"row": reader.line_num, "why": error}) from error


def _again(first: str, rest: Iterator[str]) -> Iterator[str]:
    yield first
    yield from rest


def _encoding(pieces: Pieces) -> str:
    """Find the encoding that the whole file is in: a mark, else UTF-8, else GB18030."""
    start = next(iter(pieces()), b"")[:4]
    is_marked = start.startswith((b"\xff\xfe", b"\xfe\xff"))
    candidates = ["utf-16"] if is_marked else ["utf-8-sig", "gb18030"]
    for encoding in candidates:
        decoder = codecs.getincrementaldecoder(encoding)()
        try:
            has_nul = any("\x00" in decoder.decode(piece) for piece in pieces())
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            continue
        if not has_nul:
            return encoding
    raise InvalidInput(_("The file is not text in UTF-8 or GB18030."))


def _lines(pieces: Pieces, encoding: str) -> Iterator[str]:
    """Yield lines with their ends; a line longer than a table's could be is refused before it fills the memory."""
    decoder = codecs.getincrementaldecoder(encoding)()
    rest = ""
    for piece in pieces():
        *whole, rest = (rest + decoder.decode(piece)).split("\n")
        if len(rest) > 100 * LONGEST_CELL:
            raise InvalidInput(_("A row of the file is too long."))
        for line in whole:
            yield line + "\n"
    rest += decoder.decode(b"", final=True)
    if rest:
        yield rest


# ---- XLSX ---------------------------------------------------------------------------------------------------------


def _sheet(pieces: Pieces) -> Iterator[tuple[int, list[str]]]:
    with tempfile.TemporaryFile() as kept:
        for piece in pieces():
            kept.write(piece)
        try:
            with zipfile.ZipFile(kept) as archive:
                if sum(one.file_size for one in archive.infolist()) > LARGEST_UNPACKED:
                    raise InvalidInput(_("The file is too large once unpacked. Send it as CSV."))
            book = openpyxl.load_workbook(kept, read_only=True, data_only=True)
        except (zipfile.BadZipFile, InvalidFileException, KeyError, ValueError, OSError) as error:
            raise InvalidInput(_("The file is no XLSX workbook.")) from error
        try:
            for line, cells in enumerate(book.worksheets[0].iter_rows(values_only=True), start=1):
                yield line, [_cell(value) for value in cells]
        finally:
            book.close()


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:.15g}"
    return str(value)[:LONGEST_CELL]
