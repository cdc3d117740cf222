"""How full the disk becomes: samples of the free space, kept a month, and when it would be gone.

The forecast is a least-squares line through the samples of the last two weeks. Merges and deletions make the free
space a saw; a line through a day or more does not follow its teeth.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from yuheng.upkeep.files import replace

FILE = "disk-history.json"
EVERY_S = 900
KEPT_S = 31 * 86_400
LOOKED_AT_S = 14 * 86_400
SHORTEST_S = 6 * 3600
"""From less than six hours nothing is concluded."""


@dataclass(frozen=True, slots=True)
class Sample:
    """Free bytes of the data's disk at a moment, seconds since 1970."""

    at: int
    free: int


def samples(data_dir: Path) -> list[Sample]:
    """Return what is known, oldest first."""
    try:
        return [Sample(int(at), int(free)) for at, free in json.loads((data_dir / FILE).read_text(encoding="utf-8"))]
    except (OSError, ValueError, TypeError):
        return []


def note(data_dir: Path, *, at: float) -> None:
    """Add a sample of now, unless the last one is younger than a quarter of an hour."""
    known = samples(data_dir)
    if known and 0 <= at - known[-1].at < EVERY_S:
        return
    rows = [(one.at, one.free) for one in known if at - KEPT_S <= one.at <= at]
    rows.append((int(at), shutil.disk_usage(data_dir).free))
    replace(data_dir / FILE, json.dumps(rows).encode())


def days_until_full(known: Sequence[Sample], *, at: float, reserve: int) -> float | None:
    """Return days until only ``reserve`` bytes are free; None when it does not fill, or too little is known.

    Examples
    --------
    >>> hourly = [Sample(hour * 3600, 100_000 - 100 * hour) for hour in range(48)]
    >>> round(days_until_full(hourly, at=47 * 3600, reserve=0), 2)
    39.71
    >>> days_until_full(hourly[:3], at=2 * 3600, reserve=0) is None
    True
    """
    recent = [one for one in known if at - LOOKED_AT_S <= one.at <= at]
    if len(recent) < 4 or recent[-1].at - recent[0].at < SHORTEST_S:
        return None
    middle_at = sum(one.at for one in recent) / len(recent)
    middle_free = sum(one.free for one in recent) / len(recent)
    spread = sum((one.at - middle_at) ** 2 for one in recent)
    slope = sum((one.at - middle_at) * (one.free - middle_free) for one in recent) / spread
    if slope >= 0:
        return None
    left = (recent[-1].free - reserve) / -slope - (at - recent[-1].at)
    return max(left, 0.0) / 86_400
