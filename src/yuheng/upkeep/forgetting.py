"""What was removed when: ``<data>/forgotten-<process>.json``, the newest runs of retention, for the health page.

One file a process, so that nobody writes over another's lines. A run that removed nothing replaces the one before it
that removed nothing either: what was removed stays known for long, and the file stays small.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from yuheng.upkeep.files import replace

KEPT = 60
PROCESSES = ("historian", "worker")


@dataclass(frozen=True, slots=True)
class Run:
    """One run: rows ``removed`` by kind, only kinds that lost some; ``at`` is ISO 8601 in UTC."""

    at: str
    process: str
    removed: dict[str, int] = field(default_factory=dict)


def runs(data_dir: Path, process: str) -> list[Run]:
    """Return the known runs of a process, oldest first."""
    try:
        rows = json.loads(_file(data_dir, process).read_text(encoding="utf-8"))
        return [Run(str(row["at"]), process, {str(k): int(n) for k, n in row["removed"].items()}) for row in rows]
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return []


def note(data_dir: Path, process: str, *, at: str, removed: Mapping[str, int]) -> None:
    """Add a run. Raises `OSError` when the file cannot be written."""
    known = runs(data_dir, process)
    if known and not known[-1].removed:
        known.pop()
    known.append(Run(at, process, {kind: rows for kind, rows in removed.items() if rows}))
    replace(_file(data_dir, process), json.dumps([asdict(run) for run in known[-KEPT:]]).encode())


def newest(data_dir: Path) -> list[Run]:
    """Return the runs of every process, newest first."""
    return sorted((run for name in PROCESSES for run in runs(data_dir, name)), key=lambda run: run.at, reverse=True)


def _file(data_dir: Path, process: str) -> Path:
    return data_dir / f"forgotten-{process}.json"
