"""Robust statistics of measured times: the middle, the spread, how sure, and who stands apart. Plain Python.

Nothing is thrown away and nothing averaged: the median hardly moves with a few wild values, and these are named.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

FAR = 3.5
"""A value whose logarithm is so many robust standard deviations from the median stands apart."""
LEAST_SPREAD = 0.02
"""Relative: closer together no clock of a floor can tell times, so nothing is apart by less than `FAR` of it."""
LEAST_FOR_OUTLIERS = 5
SURE = 0.95
_TO_SIGMA = 1.4826


@dataclass(frozen=True, slots=True)
class Spread:
    """Of ``n`` values: median, 10th and 90th percentile, ``low`` to ``high`` an interval that has the true median.

    ``low`` and ``high`` are None when there are too few values for the confidence ``SURE``. ``outliers``: positions of
    the values that stand apart.
    """

    n: int
    median: float
    p10: float
    p90: float
    low: float | None
    high: float | None
    outliers: tuple[int, ...]


def quantile(ordered: Sequence[float], share: float) -> float:
    """Return a quantile of sorted values, between two of them in proportion (the usual definition, type 7).

    Examples
    --------
    >>> quantile([1.0, 2.0, 3.0, 4.0], 0.5), quantile([5.0], 0.9)
    (2.5, 5.0)
    """
    place = share * (len(ordered) - 1)
    below = math.floor(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)


def spread(values: Sequence[float]) -> Spread | None:
    """Return the spread of values above zero; None without any."""
    if not values:
        return None
    ordered = sorted(values)
    ranks = median_interval(len(ordered))
    low, high = (ordered[ranks[0]], ordered[ranks[1]]) if ranks is not None else (None, None)
    middle, p10, p90 = (quantile(ordered, share) for share in (0.5, 0.1, 0.9))
    return Spread(len(ordered), middle, p10, p90, low, high, outliers(values))


def median_interval(n: int) -> tuple[int, int] | None:
    """Return the positions of the sorted values between which the median lies with the confidence `SURE`.

    Exact for any distribution: the number of values below the median is binomial with one half.

    References
    ----------
    Conover (1999). Practical nonparametric statistics, 3.2. Fewer than six values never suffice.

    Examples
    --------
    >>> median_interval(5), median_interval(6), median_interval(20)
    (None, (0, 5), (5, 14))
    """
    tail, below, found = (1.0 - SURE) / 2.0, 0.0, None
    for rank in range(n // 2):
        below += math.exp(math.lgamma(n + 1) - math.lgamma(rank + 1) - math.lgamma(n - rank + 1) - n * math.log(2.0))
        if below > tail:
            break
        found = (rank, n - 1 - rank)
    return found


def outliers(values: Sequence[float]) -> tuple[int, ...]:
    """Return the positions of values that stand apart, by the median of absolute deviations of their logarithms.

    Times are spread by factors, not by differences: twice as long and half as long are equally far.

    References
    ----------
    Iglewicz and Hoaglin (1993). How to detect and handle outliers, the modified z-score.

    Examples
    --------
    >>> outliers([10.0, 10.2, 9.9, 10.1, 30.0, 10.0])
    (4,)
    """
    if len(values) < LEAST_FOR_OUTLIERS:
        return ()
    logs = [math.log(max(value, 1e-9)) for value in values]
    middle = quantile(sorted(logs), 0.5)
    deviation = quantile(sorted(abs(one - middle) for one in logs), 0.5)
    most = FAR * max(_TO_SIGMA * deviation, LEAST_SPREAD)
    return tuple(index for index, one in enumerate(logs) if abs(one - middle) > most)
