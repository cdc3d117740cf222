"""How a bench speaks: a table for people, and as the last line one JSON object for machines."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterable, Sequence
from typing import Any, TextIO


class Reporter:
    """Writes progress to one stream (standard error) and results to another (standard output)."""

    def __init__(self, out: TextIO | None = None, progress: TextIO | None = None) -> None:
        self._out = out or sys.stdout
        self._progress = progress or sys.stderr
        self._began = time.monotonic()

    def step(self, sentence: str) -> None:
        """Say what happens now."""
        self._progress.write(f"[{time.monotonic() - self._began:6.1f} s] {sentence}\n")
        self._progress.flush()

    def table(self, title: str, rows: Iterable[Sequence[object]]) -> None:
        """Print rows in aligned columns: the first to the left, the others to the right."""
        cells = [[text(cell) for cell in row] for row in rows]
        widths = [max(len(row[column]) for row in cells) for column in range(max(map(len, cells)))] if cells else []
        self._out.write(f"\n{title}\n{'-' * max(len(title), sum(widths) + 2 * max(len(widths) - 1, 0))}\n")
        for row in cells:
            first, *others = row
            line = [first.ljust(widths[0])]
            line += [cell.rjust(width) for cell, width in zip(others, widths[1:], strict=False)]
            self._out.write("  ".join(line).rstrip() + "\n")
        self._out.flush()

    def result(self, result: dict[str, Any]) -> None:
        """Print the JSON object on a line of its own."""
        self._out.write(json.dumps(result, ensure_ascii=False) + "\n")
        self._out.flush()


def text(value: object) -> str:
    """Return a cell: thousands separated, three significant digits below a hundred, a dash for None."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
    return str(value)
