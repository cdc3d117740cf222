"""How long a piece takes, from the cycles that a machine counted. Plain Python."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

MIN_CYCLES = 3
"""Fewer say nothing yet: the standard holds."""


def pace_of(seconds: Sequence[float]) -> float | None:
    """Return the usual seconds a piece: the median, which one long stop does not move; None before three cycles.

    Examples
    --------
    >>> pace_of([30.0, 31.0]), pace_of([30.0, 31.0, 400.0])
    (None, 31.0)
    """
    return float(median(seconds)) if len(seconds) >= MIN_CYCLES else None


def quantile(values: Sequence[float], share: float) -> float | None:
    """Return the value below which a share of the values lies, between neighbours in proportion.

    Examples
    --------
    >>> quantile([10.0, 20.0, 30.0], 0.5), quantile([10.0, 20.0], 0.25), quantile([], 0.5)
    (20.0, 12.5, None)
    """
    if not values:
        return None
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)
