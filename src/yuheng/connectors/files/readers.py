"""Readers of recordings: rows in file order, from CSV and Parquet, with nothing of a connector in them."""

from __future__ import annotations

import csv
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow.parquet as parquet

from yuheng.engines.codec.moments import time_reader

_TRUE = frozenset(("true", "t", "yes"))
_FALSE = frozenset(("false", "f", "no"))
_DELIMITERS = ",;\t|"
_SNIFF_BYTES = 8192


class Row(NamedTuple):
    """One row of a recording; ``trouble`` says why its time cannot be read (then there are no values)."""

    number: int  # 1 is the first row below the header; empty lines do not count
    time_us: int
    values: list[tuple[str, Any]]  # (address, value); empty cells and NaN, which is how tables say empty, are left out
    trouble: str = ""
    text: str = ""  # the row as it stood in the file, when there is trouble


@dataclass(frozen=True, slots=True)
class RecordingFormat:
    """How a recording is written. The settings of the ``files`` connector by the same names."""

    layout: str = "wide"
    delimiter: str = ""
    decimal: str = "."
    encoding: str = "utf-8-sig"
    time_column: str = ""
    time_format: str = "auto"
    time_zone: str = "UTC"
    name_column: str = "name"
    value_column: str = "value"
    columns: Mapping[str, str] = field(default_factory=dict)
    address_prefix: str = ""

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> RecordingFormat:
        """Pick the settings that are about the format."""
        return cls(**{name: settings[name] for name in cls.__dataclass_fields__ if name in settings})


class UnreadableRecording(Exception):
    """The file is no recording of this format; the message says why."""


def recordings_in(path: Path, pattern: str = "*.csv") -> list[Path]:
    """Return the file itself, or the files of a directory by name.

    Raises
    ------
    UnreadableRecording
        There is none.
    """
    if path.is_file():
        return [path]
    found = sorted(file for file in path.glob(pattern) if file.is_file()) if path.is_dir() else []
    if not found:
        raise UnreadableRecording(f"There is no file '{path}'." if not path.is_dir() else f"No {pattern} in '{path}'.")
    return found


def read_rows(path: Path, how: RecordingFormat) -> Iterator[Row]:
    """Read a recording row by row; ``.parquet`` by its suffix, everything else as CSV.

    Raises
    ------
    UnreadableRecording
        No such file, or not of this format. A single bad time is no reason: see `Row.trouble`.
    """
    try:
        if path.suffix.lower() in (".parquet", ".pq"):
            yield from _rows(_parquet_cells(path), how, path)
        else:
            yield from _rows(_csv_cells(path, how), how, path)
    except (OSError, UnicodeDecodeError, LookupError, csv.Error, ValueError) as error:
        raise UnreadableRecording(f"'{path.name}' cannot be read: {error}") from error


def read_chunks(path: Path, how: RecordingFormat, *, skip_rows: int = 0, size: int = 500) -> Iterator[list[Row]]:
    """Read a recording in lists of rows, after the first ``skip_rows``."""
    rows = islice(read_rows(path, how), skip_rows, None)
    while chunk := list(islice(rows, size)):
        yield chunk


def _csv_cells(path: Path, how: RecordingFormat) -> Iterator[Sequence[Any]]:
    with path.open(encoding=how.encoding, newline="") as file:
        delimiter = how.delimiter
        if not delimiter:
            delimiter = _sniffed(file.read(_SNIFF_BYTES))
            file.seek(0)
        yield from csv.reader(file, delimiter=delimiter)


def _sniffed(beginning: str) -> str:
    """Return the delimiter that stands most often in the header."""
    header = beginning.partition("\n")[0]
    return max(_DELIMITERS, key=header.count)


def _parquet_cells(path: Path) -> Iterator[Sequence[Any]]:
    with parquet.ParquetFile(path) as file:
        yield file.schema_arrow.names
        for batch in file.iter_batches(batch_size=1000):
            yield from zip(*(column.to_pylist() for column in batch.columns), strict=True)


def _rows(cells: Iterator[Sequence[Any]], how: RecordingFormat, path: Path) -> Iterator[Row]:
    header = [str(name).strip() for name in next(cells, [])]
    if not header:
        raise UnreadableRecording(f"'{path.name}' is empty.")
    time_place = _place(header, how.time_column, path) if how.time_column else 0
    read_time = time_reader(how.time_format, how.time_zone)
    values_of = _long(header, how, path) if how.layout == "long" else _wide(header, how, time_place, path)
    for number, row in enumerate((row for row in cells if row), start=1):
        try:
            time_us = read_time(_time_cell(row[time_place], how)) if time_place < len(row) else None
        except ValueError as error:
            yield Row(number, 0, [], str(error), _as_text(row))
            continue
        if time_us is None:
            yield Row(number, 0, [], "The row has no time.", _as_text(row))
        else:
            yield Row(number, time_us, values_of(row))


def _wide(
    header: list[str], how: RecordingFormat, time_place: int, path: Path
) -> Callable[[Sequence[Any]], list[tuple[str, Any]]]:
    if how.columns:
        places = [(_place(header, column, path), address) for column, address in how.columns.items()]
    else:
        places = [(place, name) for place, name in enumerate(header) if place != time_place and name]
    wanted = [(place, how.address_prefix + address) for place, address in places]

    def values_of(row: Sequence[Any]) -> list[tuple[str, Any]]:
        found = ((address, _value(row[place], how)) for place, address in wanted if place < len(row))
        return [(address, value) for address, value in found if value is not None]

    return values_of


def _long(header: list[str], how: RecordingFormat, path: Path) -> Callable[[Sequence[Any]], list[tuple[str, Any]]]:
    name_place = _place(header, how.name_column, path)
    value_place = _place(header, how.value_column, path)

    def values_of(row: Sequence[Any]) -> list[tuple[str, Any]]:
        if len(row) <= max(name_place, value_place):
            return []
        name = str(row[name_place]).strip()
        if how.columns and name not in how.columns:
            return []
        value = _value(row[value_place], how)
        return [] if value is None else [(how.address_prefix + how.columns.get(name, name), value)]

    return values_of


def _place(header: list[str], column: str, path: Path) -> int:
    if column not in header:
        raise UnreadableRecording(f"'{path.name}' has no column '{column}'; it has {', '.join(header[:20])}.")
    return header.index(column)


def _time_cell(cell: Any, how: RecordingFormat) -> Any:
    """Parquet gives times as datetimes and numbers; CSV gives text, of which numbers are read as numbers."""
    if hasattr(cell, "isoformat"):
        return cell.isoformat()
    if isinstance(cell, str) and how.time_format in ("s", "ms", "us", "ns"):
        text = cell.strip().replace(how.decimal, ".")
        return float(text) if "." in text or "e" in text.lower() else int(text)
    return cell.strip() if isinstance(cell, str) else cell


def _value(cell: Any, how: RecordingFormat) -> Any:
    if not isinstance(cell, str):
        if cell is None or isinstance(cell, bool | int):
            return cell
        return _unless_nan(cell) if isinstance(cell, float) else str(cell)
    text = cell.strip()
    if not text:
        return None
    plain = text.replace(how.decimal, ".") if how.decimal != "." else text
    try:
        return int(plain) if plain.lstrip("+-").isdecimal() else _unless_nan(float(plain))
    except ValueError:
        lowered = text.lower()
        return True if lowered in _TRUE else False if lowered in _FALSE else text


def _unless_nan(value: float) -> float | None:
    return None if math.isnan(value) else value


def _as_text(row: Sequence[Any]) -> str:
    return ",".join(str(cell) for cell in row)
