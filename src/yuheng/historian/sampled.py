"""Samples of one tag as arrays. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from yuheng.engines.points import Quality


class Series(NamedTuple):
    """Samples of one tag in order of time, of one length; ``value`` is NaN where the quality is BAD."""

    time_us: npt.NDArray[np.int64]
    value: npt.NDArray[np.float64]
    quality: npt.NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.time_us)

    def between(self, start_us: int, end_us: int) -> Series:
        """Return the samples in ``[start, end)``."""
        low, high = np.searchsorted(self.time_us, [start_us, end_us])
        return Series(self.time_us[low:high], self.value[low:high], self.quality[low:high])

    def part(self, which: slice) -> Series:
        """Return some of the samples."""
        return Series(self.time_us[which], self.value[which], self.quality[which])

    def followed_by(self, later: Series) -> Series:
        """Return these samples and later ones."""
        return Series(
            np.concatenate([self.time_us, later.time_us]),
            np.concatenate([self.value, later.value]),
            np.concatenate([self.quality, later.quality]),
        )

    def good(self) -> Series:
        """Return the samples whose quality is not BAD."""
        keep = (self.quality < Quality.BAD) & ~np.isnan(self.value)
        return Series(self.time_us[keep], self.value[keep], self.quality[keep])


EMPTY = Series(np.empty(0, np.int64), np.empty(0), np.empty(0, np.uint8))


def statistics(series: Series, start_us: int, end_us: int) -> Mapping[str, float | int | None]:
    """Return min, max, avg (time-weighted, held from before), first, last, count of the good samples in a stretch.

    ``avg`` and ``first`` use the value that was held when the stretch began; without any value they are None.
    """
    inside = series.between(start_us, end_us).good()
    at = int(np.searchsorted(series.time_us, start_us))
    held = float(series.value[at - 1]) if at else float("nan")
    values = inside.value
    if not np.isnan(held):
        values = np.concatenate([[held], values])
    if not len(values):
        return {"min": None, "max": None, "avg": None, "first": None, "last": None, "count": 0}
    times = inside.time_us if np.isnan(held) else np.concatenate([[start_us], inside.time_us])
    spans = np.diff(np.concatenate([times, [end_us]])).astype(np.float64)
    total = float(spans.sum())
    average = float((values * spans).sum() / total) if total > 0 else float(values.mean())
    return {
        "min": float(values.min()),
        "max": float(values.max()),
        "avg": average,
        "first": float(values[0]),
        "last": float(values[-1]),
        "count": len(inside),
    }
