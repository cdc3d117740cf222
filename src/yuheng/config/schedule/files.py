"""Open problems and plans: plain or gzipped files, or standard input."""

from __future__ import annotations

import gzip
import io
import sys
import zlib
from pathlib import Path

from yuheng.engines.schedule.faults import Fault, ProblemError, gettext_noop
from yuheng.engines.schedule.problem import Problem
from yuheng.engines.schedule.readers import FORMATS, read_plant
from yuheng.engines.schedule.readers.numbers import MOST_BYTES

GZIP = b"\x1f\x8b"
ENDINGS = {".json": "plant", ".jsp": "jsp", ".jss": "jsp", ".fjs": "fjsp", ".fjsp": "fjsp", ".fajsp": "fajsp"}

_CANNOT_READ = gettext_noop("cannot be read: %(why)s. Check name and permission.")
_NOT_GZIP = gettext_noop("is gzipped but damaged: %(why)s. It may have been cut off.")
_TOO_LARGE = gettext_noop("is larger than %(most)s bytes unpacked.")
_WHICH = gettext_noop("does not tell its format by its ending. Say --format jsp, fjsp, fajsp or plant.")


def read_bytes(path: str) -> bytes:
    """Read a file (``-``: standard input), unpacked. Raises `ProblemError` with the file's name."""
    try:
        packed = sys.stdin.buffer.read() if path == "-" else Path(path).read_bytes()
    except OSError as error:
        raise _fault(path, _CANNOT_READ, why=error.strerror or error) from error
    if not packed.startswith(GZIP):
        return packed
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(packed)) as stream:
            unpacked = stream.read(MOST_BYTES + 1)  # a small file can unpack to a huge one
    except (OSError, EOFError, zlib.error) as error:
        raise _fault(path, _NOT_GZIP, why=error) from error
    if len(unpacked) > MOST_BYTES:
        raise _fault(path, _TOO_LARGE, most=MOST_BYTES)
    return unpacked


def format_of(path: str, given: str | None) -> str:
    """Return the format asked for, or the one the file's ending says. Raises `ProblemError`."""
    if given:
        return given
    endings = [ending.lower() for ending in Path(path).suffixes if ending.lower() != ".gz"]
    if endings and endings[-1] in ENDINGS:
        return ENDINGS[endings[-1]]
    raise _fault(path, _WHICH)


def read_problem(path: str, given: str | None, *, use_setups: bool = False) -> tuple[Problem, str]:
    """Read a problem; returns it with the name of its format. Raises `ProblemError`."""
    kind = format_of(path, given)
    data = read_bytes(path)
    name = "stdin" if path == "-" else Path(path).name.removesuffix(".gz").rpartition(".")[0] or Path(path).name
    if kind == "plant":
        return read_plant(data, name, use_setups=use_setups), kind
    return FORMATS[kind](data, name), kind


def _fault(path: str, message: str, **values: object) -> ProblemError:
    return ProblemError([Fault(path, "file", message, values)])
