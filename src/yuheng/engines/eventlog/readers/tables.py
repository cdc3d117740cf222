"""Tables: CSV in the encodings and dialects of spreadsheets and ERP exports, and XLSX."""

from __future__ import annotations

import codecs
import csv
import io
import zipfile
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import openpyxl
from openpyxl.utils.exceptions import InvalidFileException

from yuheng.engines.eventlog.faults import LogError, gettext_noop
from yuheng.engines.eventlog.readers.bytes import PIECE, opened
from yuheng.engines.eventlog.readers.source import Row, Source
from yuheng.engines.eventlog.roles import meanings

LONGEST_CELL = 2_000
LONGEST_LINE = 1_000_000
MOST_COLUMNS = 1_000
HEADING_WITHIN = 20
"""A heading stands within so many rows: exports put a title and a date above it."""
LARGEST_UNPACKED = 4 * 1024**3

Line = tuple[int, Sequence[object]]


def read_csv(path: Path, _scratch: Path, _order_type: str) -> Source:
    """Read text with separators. Raises `LogError`."""
    encoding = _encoding(path)
    with opened(path) as file:
        text = io.TextIOWrapper(file, encoding=encoding, errors="replace", newline="")
        sample = list(islice(_bounded(text), 50))
    delimiter = _delimiter(sample)
    broken: dict[int, str] = {}

    def lines() -> Iterator[Line]:
        with opened(path) as file:
            text = io.TextIOWrapper(file, encoding=encoding, errors="replace", newline="")
            reader = csv.reader(_bounded(text), delimiter=delimiter)
            while True:
                line = reader.line_num + 1
                try:
                    cells = next(reader)
                except StopIteration:
                    return
                except csv.Error as error:
                    broken[line] = str(error)
                    continue
                yield line, cells

    return _table(lines, "csv", encoding, broken)


def _bounded(text: Any) -> Iterator[str]:
    while line := text.readline(LONGEST_LINE):
        if len(line) >= LONGEST_LINE:
            raise LogError(gettext_noop("A row of the file is too long: it is no table."))
        yield line.replace("\x00", "")


def _encoding(path: Path) -> str:
    """Find the encoding that the whole file is in: a mark, else UTF-8, else GB18030, else Western European."""
    with opened(path) as file:
        start = file.read(4_096)
    if start.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    if start.count(b"\x00") > len(start) // 4:  # UTF-16 without a mark
        return "utf-16-le" if start[1:2] == b"\x00" else "utf-16-be"
    for encoding in ("utf-8-sig", "gb18030"):
        decoder = codecs.getincrementaldecoder(encoding)()
        try:
            with opened(path) as file:
                while piece := file.read(PIECE):
                    decoder.decode(piece)
                decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            continue
        return encoding
    return "cp1252" if start.isascii() or _looks_western(start) else "gb18030"


def _looks_western(start: bytes) -> bool:
    return sum(byte >= 0x80 for byte in start) * 20 < len(start)


def _delimiter(sample: list[str]) -> str:
    """Return what separates cells: what stands equally often in most rows, and not just once by chance."""
    best, score = ",", 0.0
    for one in ",;\t|":
        counts = [len(row) for row in csv.reader(sample, delimiter=one) if row] if sample else []
        wide = [count for count in counts if count > 1]
        if wide:
            usual = max(set(wide), key=wide.count)
            found = wide.count(usual) / len(counts) * min(usual, 8)
            if found > score:
                best, score = one, found
    return best


def read_xlsx(path: Path, _scratch: Path, _order_type: str) -> Source:
    """Read the sheet of a workbook that looks most like a log. Raises `LogError`."""
    try:
        with zipfile.ZipFile(path) as archive:
            if sum(one.file_size for one in archive.infolist()) > LARGEST_UNPACKED:
                raise LogError(gettext_noop("The workbook is too large once unpacked. Save it as CSV."))
        book = openpyxl.load_workbook(path, read_only=True, data_only=True)
    except (zipfile.BadZipFile, InvalidFileException, KeyError, ValueError, OSError, SyntaxError) as error:
        raise LogError(gettext_noop("The file is no XLSX workbook that can be read.")) from error
    names = [sheet.title for sheet in book.worksheets]
    scores = {name: _score(list(islice(book[name].iter_rows(values_only=True), HEADING_WITHIN))) for name in names}
    book.close()
    if not names:
        raise LogError(gettext_noop("The workbook has no sheet."))
    name = max(names, key=lambda one: scores[one])

    def lines() -> Iterator[Line]:
        again = openpyxl.load_workbook(path, read_only=True, data_only=True)
        try:
            yield from enumerate(again[name].iter_rows(values_only=True), start=1)
        finally:
            again.close()

    return _table(lines, "xlsx", "", {})


def _score(rows: list[Any]) -> float:
    return max((_fitness(cells) for cells in rows), default=0.0)


def _fitness(cells: Sequence[object]) -> float:
    """Return how much a row looks like a heading: known names, and texts that differ."""
    texts = [str(cell).strip() for cell in cells if cell is not None and str(cell).strip()]
    if len(texts) < 2 or len(set(texts)) < len(texts) * 0.8:
        return 0.0
    known = sum(bool(meanings(text)) for text in texts)
    plain = sum(not any(mark.isdigit() for mark in text) for text in texts)
    return known * 10 + plain / len(texts)


def _table(lines: Any, kind: str, encoding: str, broken: dict[int, str]) -> Source:
    """Find the heading, and give the rows below it by column."""
    first = [(line, cells) for line, cells in islice(lines(), HEADING_WITHIN) if any(_text(one) for one in cells)]
    if not first:
        raise LogError(gettext_noop("The file is empty."))
    where, heading = max(first, key=lambda one: (_fitness(one[1]), -one[0]))
    if _fitness(heading) < 1.0:  # nothing known, texts hardly: the first row that has most cells
        where, heading = max(first, key=lambda one: (len([c for c in one[1] if _text(c)]), -one[0]))
    if len(heading) > MOST_COLUMNS:
        raise LogError(gettext_noop("The file has more than 1,000 columns: it is no event log."))
    columns = _named([_text(cell) for cell in heading])
    width = len(columns)

    def rows() -> Iterator[Row]:
        for line, cells in lines():
            if line <= where:
                continue
            values = [_cell(cell) for cell in cells]
            if not any(value != "" for value in values):
                continue
            if len(values) > width and any(value != "" for value in values[width:]):
                broken[line] = "; ".join(str(value) for value in values)[:LONGEST_CELL]
                continue
            yield line, dict(zip(columns, values, strict=False))

    return Source(kind, encoding, columns, rows, broken)


def _named(heading: list[str]) -> list[str]:
    found: list[str] = []
    for number, name in enumerate(heading, start=1):
        own = name or f"column {number}"
        found.append(own if own not in found else f"{own} ({number})")
    return found


def _text(cell: object) -> str:
    return "" if cell is None else str(cell).strip()


def _cell(cell: object) -> object:
    if cell is None:
        return ""
    if isinstance(cell, str):
        return cell.strip()[:LONGEST_CELL]
    return cell
