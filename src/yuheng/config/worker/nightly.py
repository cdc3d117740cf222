"""A backup every night, and samples of the disk: what the worker does when nobody is there."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from datetime import time as clock_time
from pathlib import Path

from yuheng.upkeep import backups, growth
from yuheng.upkeep.backups import Attempt

LOGGER = logging.getLogger(__name__)

LOOK_EVERY_S = 60.0
AGAIN_AFTER = timedelta(hours=1)
"""After a backup that failed."""


@dataclass(frozen=True, slots=True)
class Nightly:
    """Where, when (local time of the machine) and how many."""

    place: str
    at: clock_time
    keep: int

    @classmethod
    def read(cls) -> Nightly | None:
        """Read the environment; None when nobody asked for backups."""
        place = os.environ.get("YUHENG_BACKUP_DIR", "")
        if not place:
            return None
        at = clock_time.fromisoformat(os.environ.get("YUHENG_BACKUP_AT") or "02:30")
        return cls(place, at, int(os.environ.get("YUHENG_BACKUP_KEEP") or "7"))


def is_due(at: clock_time, attempts: list[Attempt], now: datetime) -> bool:
    """Return whether a backup is to be taken now; ``now`` in the machine's time zone.

    One is due when none was taken since the last time of day that it should have been: a machine that was off at night
    takes it when it is on again. One that failed is tried again after an hour.

    Examples
    --------
    >>> now = datetime(2026, 3, 2, 3, 0, tzinfo=UTC)
    >>> is_due(clock_time(2, 30), [], now)
    True
    >>> is_due(clock_time(2, 30), [Attempt("2026-03-02T02:31:00+00:00", "/b", 1.0)], now)
    False
    """
    today = now.replace(hour=at.hour, minute=at.minute, second=0, microsecond=0)
    due = today if today <= now else today - timedelta(days=1)
    if any(not one.error and datetime.fromisoformat(one.at) >= due for one in attempts):
        return False
    failed = [datetime.fromisoformat(one.at) for one in attempts if one.error]
    return not failed or now - failed[-1] >= AGAIN_AFTER


async def keep_watch(
    data_dir: Path,
    nightly: Nightly | None,
    *,
    now: Callable[[], datetime] = lambda: datetime.now(UTC).astimezone(),
    every_s: float = LOOK_EVERY_S,
) -> None:
    """Look every minute, for ever."""
    while True:
        with suppress(OSError):  # a full disk is told by others
            growth.note(data_dir, at=time.time())
        if nightly is not None and is_due(nightly.at, backups.attempts(data_dir), now()):
            await take_backup(data_dir, nightly)
        await asyncio.sleep(every_s)


async def take_backup(data_dir: Path, nightly: Nightly) -> int:
    """Run ``yuheng backup`` in a process of its own, at a low priority; return its exit code."""
    words = ["backup", nightly.place, "--data-dir", str(data_dir), "--keep", str(nightly.keep)]
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "yuheng.config.cli",
        *words,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        preexec_fn=lambda: os.nice(10),
    )
    try:
        said, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.terminate()
    lines = said.decode("utf-8", "replace").strip().splitlines()
    level = logging.INFO if process.returncode == 0 else logging.ERROR
    LOGGER.log(level, "The nightly backup: %s", lines[-1] if lines else f"exit code {process.returncode}")
    return int(process.returncode or 0)
