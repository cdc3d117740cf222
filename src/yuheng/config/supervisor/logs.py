"""A child's output: into a rotated file, its last lines remembered, each line shown to whoever asked."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from pathlib import Path

MAX_BYTES = 10 * 1024 * 1024
KEPT_FILES = 5
_CHUNK = 64 * 1024
_LINE_LIMIT = 4096


class RotatedLog:
    """``<name>.log`` and its ``KEPT_FILES`` predecessors ``.1`` ... ``.5``; the oldest is dropped."""

    def __init__(self, path: Path, *, max_bytes: int = MAX_BYTES, kept: int = KEPT_FILES) -> None:
        self.path, self.max_bytes, self.kept = path, max_bytes, kept
        self._file = path.open("ab", buffering=0)
        self._size = path.stat().st_size

    def write(self, data: bytes) -> None:
        """Append; what cannot be written is let go.

        A full disk must neither end us nor stop the reading: a child whose output nobody reads stands still.
        """
        try:
            if self._file.closed or self._size + len(data) > self.max_bytes:
                self._rotate()
            self._file.write(data)
            self._size += len(data)
        except OSError:
            return

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _rotate(self) -> None:
        self._file.close()
        if not self.path.exists():  # an earlier rotation came only this far
            self._file, self._size = self.path.open("ab", buffering=0), 0
            return
        for number in range(self.kept - 1, 0, -1):
            older = self.path.with_name(f"{self.path.name}.{number}")
            if older.exists():
                older.replace(self.path.with_name(f"{self.path.name}.{number + 1}"))
        self.path.replace(self.path.with_name(f"{self.path.name}.1"))
        self._file, self._size = self.path.open("ab", buffering=0), 0


class Tail:
    """Reads one child's output to its end."""

    def __init__(self, log: RotatedLog, *, on_line: Callable[[str], None] | None = None) -> None:
        self.log = log
        self.on_line = on_line
        self.lines: deque[str] = deque(maxlen=20)
        self._rest = b""

    async def read(self, stream: asyncio.StreamReader) -> None:
        """Copy until the child closes its output."""
        while data := await stream.read(_CHUNK):
            self.log.write(data)
            *whole, self._rest = (self._rest + data).split(b"\n")
            self._rest = self._rest[-_LINE_LIMIT:]
            for line in whole:
                self._take(line)
        if self._rest:
            self._take(self._rest)
            self._rest = b""

    def last(self, count: int = 3) -> str:
        """Return the last lines, for the reason of an exit."""
        return " | ".join(list(self.lines)[-count:])

    def _take(self, line: bytes) -> None:
        text = line[:_LINE_LIMIT].decode("utf-8", "replace").rstrip()
        if not text:
            return
        self.lines.append(text)
        if self.on_line is not None:
            self.on_line(text)
