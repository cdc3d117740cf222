"""Opening files: packed or not, of whatever kind, without trusting their names."""

from __future__ import annotations

import gzip
import io
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from yuheng.engines.eventlog.faults import LogError, gettext_noop

LARGEST_UNPACKED = 8 * 1024**3
PIECE = 1 << 20


class _Bounded(io.RawIOBase):
    """A stream that refuses to give more than so many bytes: a small file may unpack to a full disk."""

    def __init__(self, inner: IO[bytes] | gzip.GzipFile, most: int) -> None:
        self.inner, self.left = inner, most

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        try:
            data = self.inner.read(len(buffer))
        except (EOFError, OSError, zipfile.BadZipFile) as error:
            raise LogError(gettext_noop("The packed file is not whole. Export it again.")) from error
        self.left -= len(data)
        if self.left < 0:
            raise LogError(gettext_noop("The file is larger than 8 GB once unpacked. Split it."))
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        if not self.closed:
            self.inner.close()
        super().close()


@contextmanager
def opened(path: Path) -> Iterator[io.BufferedReader]:
    """Open a file for reading from its beginning, unpacked.

    Raises
    ------
    LogError
        It unpacks to too much, or not at all.
    """
    with path.open("rb") as plain:
        start = plain.read(4)
        plain.seek(0)
        if start[:2] == b"\x1f\x8b":
            with gzip.GzipFile(fileobj=plain) as unpacked:
                yield io.BufferedReader(_Bounded(unpacked, LARGEST_UNPACKED), PIECE)
        elif start == b"PK\x03\x04" and (member := _only_member(plain)) is not None:
            with zipfile.ZipFile(plain) as archive, archive.open(member) as unpacked:
                yield io.BufferedReader(_Bounded(unpacked, LARGEST_UNPACKED), PIECE)
        else:
            plain.seek(0)
            yield plain


def _only_member(plain: IO[bytes]) -> str | None:
    """Return the one file in an archive; None for a workbook, which is an archive too."""
    try:
        with zipfile.ZipFile(plain) as archive:
            names = [one.filename for one in archive.infolist() if not one.is_dir()]
    except zipfile.BadZipFile as error:
        raise LogError(gettext_noop("The packed file is not whole. Export it again.")) from error
    plain.seek(0)
    if "[Content_Types].xml" in names:
        return None
    if len(names) != 1:
        raise LogError(gettext_noop("The archive holds several files. Give one of them."))
    return names[0]


def kind_of(path: Path) -> str:
    """Return what a file is: csv, xlsx, xes, json, ocel-xml or ocel-sqlite.

    Raises
    ------
    LogError
        It is empty, or something else.
    """
    with opened(path) as file:
        start = file.read(65_536)
    if not start:
        raise LogError(gettext_noop("The file is empty."))
    if start.startswith(b"PK\x03\x04"):
        return "xlsx"
    if start.startswith(b"SQLite format 3\x00"):
        return "ocel-sqlite"
    if start.startswith(b"\xd0\xcf\x11\xe0"):
        raise LogError(gettext_noop("This is an old Excel file (.xls). Save it as .xlsx or CSV."))
    if start.startswith(b"%PDF") or start.startswith(b"\x7fELF") or start.startswith(b"\x89PNG"):
        raise LogError(gettext_noop("This is no event log. Give CSV, XLSX, XES or OCEL 2.0 (JSON, XML, SQLite)."))
    text = _shown(start).lstrip("\ufeff \t\r\n")
    if text.startswith("<"):
        return "ocel-xml" if "<object-types" in text or "<event-types" in text else "xes"
    if text.startswith(("{", "[{", "[ ", "[\n", "[\r")) or text == "[]":
        return "json"
    return "csv"


def _shown(start: bytes) -> str:
    if start.startswith((b"\xff\xfe", b"\xfe\xff")):
        return start.decode("utf-16", errors="replace")
    return start.decode("utf-8", errors="replace")
