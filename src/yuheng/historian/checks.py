"""Times that cannot be right, and the deadband. Pure."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from yuheng.engines.points import PointBlock, Refusal
from yuheng.historian.routing import TagTable

EARLIEST_US = 946_684_800_000_000
"""2000-01-01T00:00:00Z: no plant signal is older; an earlier stamp is a clock that was never set."""


def refused_times(
    times_us: npt.NDArray[np.int64],
    slots: npt.NDArray[np.int32],
    tags: TagTable,
    *,
    now_us: int,
    future_us: int,
) -> list[tuple[npt.NDArray[np.bool_], Refusal]]:
    """Return masks of points whose source time cannot be accepted, with the reason; usually an empty list.

    Parameters
    ----------
    times_us, slots
        Shape ``(n,)``.
    now_us
        The clock of this machine.
    future_us
        How far ahead of it a source's clock may run.
    """
    if not len(times_us):
        return []
    latest_allowed = now_us + future_us
    earliest_any = max(EARLIEST_US, now_us - tags.shortest_retention_us)
    if int(times_us.max()) <= latest_allowed and int(times_us.min()) >= earliest_any:
        return []
    found = []
    future = times_us > latest_allowed
    if future.any():
        found.append((future, Refusal.FUTURE_TIME))
    oldest = np.maximum(EARLIEST_US, now_us - tags.retention_us[slots])
    ancient = times_us < oldest
    if ancient.any():
        found.append((ancient, Refusal.ANCIENT_TIME))
    return found


class Deadband:
    """Skips values that moved less than their tag's deadband; only tags with a deadband above 0 are touched.

    A value is kept when it is the first, moved by the deadband or more, changed quality, came late, or when half of
    the tag's stale time has passed: a deadband must never make a living signal look dead.
    """

    def __init__(self) -> None:
        self._kept: dict[int, tuple[int, float, int]] = {}  # slot -> time, value, quality of the newest kept

    def kept(self, block: PointBlock, slots: npt.NDArray[np.int32], tags: TagTable) -> npt.NDArray[np.bool_] | None:
        """Return a mask of the points to keep; None keeps all. Points of a tag must be in time order."""
        if not tags.has_deadbands:
            return None
        concerned = np.flatnonzero(tags.deadband[slots] > 0)
        if not len(concerned):
            return None
        keep = np.ones(len(slots), np.bool_)
        rows = zip(
            concerned.tolist(),
            slots[concerned].tolist(),
            block.time_us[concerned].tolist(),
            block.value[concerned].tolist(),
            block.quality[concerned].tolist(),
            tags.deadband[slots[concerned]].tolist(),
            (tags.stale_us[slots[concerned]] // 2).tolist(),
            strict=True,
        )
        for index, slot, time_us, value, quality, band, silence_us in rows:
            before = self._kept.get(slot)
            if before is not None and time_us >= before[0]:
                is_close = abs(value - before[1]) < band and quality == before[2]
                if is_close and time_us - before[0] < silence_us:
                    keep[index] = False
                    continue
            if before is None or time_us >= before[0]:
                self._kept[slot] = (time_us, value, quality)
        return keep
