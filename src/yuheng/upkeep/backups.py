"""What was backed up when: ``<data>/backup-history.json``, the newest attempts, for the health page and the doctor."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from yuheng.upkeep.files import replace

KEPT = 60


@dataclass(frozen=True, slots=True)
class Attempt:
    """One backup, taken or not. ``error`` is empty when it was taken; ``at`` is ISO 8601 in UTC."""

    at: str
    place: str
    seconds: float
    size_bytes: int = 0
    error: str = ""


def attempts(data_dir: Path) -> list[Attempt]:
    """Return the known attempts, oldest first."""
    try:
        rows = json.loads((data_dir / "backup-history.json").read_text(encoding="utf-8"))
        return [Attempt(**row) for row in rows]
    except (OSError, ValueError, TypeError):
        return []


def note(data_dir: Path, attempt: Attempt) -> None:
    """Add one."""
    rows = [asdict(row) for row in (*attempts(data_dir), attempt)][-KEPT:]
    replace(data_dir / "backup-history.json", json.dumps(rows, ensure_ascii=False, indent=1).encode())


def newest_good(data_dir: Path) -> Attempt | None:
    """Return the newest backup that was taken, or None."""
    return next((row for row in reversed(attempts(data_dir)) if not row.error), None)


def age_s(attempt: Attempt | None, now: datetime) -> float | None:
    """Return how long ago a backup was taken, seconds; None for none."""
    return (now - datetime.fromisoformat(attempt.at)).total_seconds() if attempt else None
