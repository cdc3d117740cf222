"""Means, paired differences and their intervals over seeds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

_T95 = (
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131, 2.120,
    2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045,
)  # fmt: skip
"""Student's t, two-sided 95 %, for 1 to 29 degrees of freedom."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean with its 95 % confidence interval (Student's t); without width where there is one value only."""

    mean: float
    low: float
    high: float

    def to_json(self) -> dict[str, float]:
        """Return it rounded, for people."""
        return {"mean": round(self.mean, 3), "low": round(self.low, 3), "high": round(self.high, 3)}


def interval(values: Sequence[float]) -> Interval:
    """Return the mean of independent values with its interval. Raises ValueError when there is none.

    Examples
    --------
    >>> interval([1.0, 2.0, 3.0]).to_json()
    {'mean': 2.0, 'low': -0.484, 'high': 4.484}
    """
    n = len(values)
    if not n:
        raise ValueError("no values")
    mean = math.fsum(values) / n
    if n == 1:
        return Interval(mean, mean, mean)
    deviation = math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (n - 1))
    half = (_T95[n - 2] if n - 2 < len(_T95) else 1.96) * deviation / math.sqrt(n)
    return Interval(mean, mean - half, mean + half)


def paired(ours: Sequence[float], theirs: Sequence[float]) -> Interval:
    """Return the interval of the difference, seed by seed: common random numbers make it narrow."""
    return interval([a - b for a, b in zip(ours, theirs, strict=True)])


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """Return by which share the mean of one differs from the other's: −0.6 is 60 % less; 0 where theirs is 0."""
    base = math.fsum(theirs)
    return math.fsum(ours) / base - 1.0 if base else 0.0


def quantile(values: Sequence[float], share: float) -> float:
    """Return the value that so large a share does not exceed (the nearest rank). Raises ValueError when there is none.

    Examples
    --------
    >>> quantile([4, 1, 3, 2], 0.5)
    2
    """
    if not values:
        raise ValueError("no values")
    ranked = sorted(values)
    return ranked[max(0, math.ceil(share * len(ranked)) - 1)]
