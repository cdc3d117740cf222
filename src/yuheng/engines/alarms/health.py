"""How healthy an alarm system is: rates and floods from the times at which alarms were announced. Pure.

References
----------
ANSI/ISA-18.2-2016 clause 16 and IEC 62682: annunciated alarms per 10 minutes and operator (about 1 is acceptable, 2
manageable), peak, share of the time in flood (below 1 %), the ten most frequent alarms (below 1 to 5 % of all),
chattering and fleeting alarms (none), stale alarms (below 5 a day), distribution of priorities (5 / 15 / 80 %).
EEMUA 191 gives the same. A flood begins with more than 10 alarms in 10 minutes and ends below 5.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

BUCKET_S = 600
FLOOD_BEGINS_ABOVE = 10
FLOOD_ENDS_BELOW = 5
ACCEPTABLE_PER_BUCKET = 1.0
MANAGEABLE_PER_BUCKET = 2.0
STALE_AFTER_S = 24 * 3600.0
FLOOD_TARGET_RATIO = 0.01


@dataclass(frozen=True, slots=True)
class Rates:
    """Alarms per 10 minutes of a span.

    Attributes
    ----------
    counts
        Announced alarms in each whole or begun 10 minutes since the start.
    is_flood
        Whether those 10 minutes belong to a flood.
    """

    counts: tuple[int, ...]
    is_flood: tuple[bool, ...]

    @property
    def average(self) -> float:
        """Alarms per 10 minutes."""
        return float(np.mean(self.counts)) if self.counts else 0.0

    @property
    def peak(self) -> int:
        """Most alarms in 10 minutes."""
        return max(self.counts, default=0)

    @property
    def flood_ratio(self) -> float:
        """Share of the time in flood, 0 to 1."""
        return float(np.mean(self.is_flood)) if self.is_flood else 0.0


def rates(times_s: Sequence[float] | npt.NDArray[np.float64], start_s: float, end_s: float) -> Rates:
    """Count alarms per 10 minutes of ``[start_s, end_s)`` and find the floods.

    Parameters
    ----------
    times_s
        When alarms were announced, in any order, seconds.

    Examples
    --------
    >>> found = rates([0.0] * 11 + [600.0] * 6 + [1200.0] * 4, 0.0, 2400.0)
    >>> found.counts, found.is_flood, found.flood_ratio
    ((11, 6, 4, 0), (True, True, False, False), 0.5)
    """
    size = max(0, int(-(-(end_s - start_s) // BUCKET_S)))
    given = np.asarray(times_s, np.float64)
    given = given[(given >= start_s) & (given < end_s)]
    counts = np.bincount(((given - start_s) // BUCKET_S).astype(np.int64), minlength=size)[:size]
    floods, in_flood = [], False
    for count in counts.tolist():
        in_flood = count > FLOOD_BEGINS_ABOVE or (in_flood and count >= FLOOD_ENDS_BELOW)
        floods.append(in_flood)
    return Rates(tuple(counts.tolist()), tuple(floods))
