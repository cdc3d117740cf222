"""Which work center holds the plant back: how much of its time it works, and how much waits before it. Plain Python."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

LEAST_UTILISATION = 0.5
"""A center that works less than half of its time does not hold anything back, whatever waits before it."""


@dataclass(frozen=True, slots=True)
class Load:
    """A work center over a time. ``available_s``: of its machines by their calendars; ``queue_s``: mean planned work
    that waited before it; ``machines``: how many it has.
    """

    busy_s: float
    available_s: float
    queue_s: float
    machines: int

    @property
    def utilisation(self) -> float | None:
        """Return the share of the available time in which it was set up or ran; None: nothing was available."""
        return self.busy_s / self.available_s if self.available_s > 0 else None

    @property
    def queue_h_per_machine(self) -> float:
        """Return how many hours of planned work waited for each of its machines, on average."""
        return self.queue_s / 3600.0 / max(1, self.machines)

    @property
    def score(self) -> float:
        """Return utilisation times queue: high only when it works nearly always *and* work waits before it."""
        share = self.utilisation
        return min(share, 1.5) * self.queue_h_per_machine if share is not None else 0.0


def name_bottleneck(loads: Sequence[Load]) -> int | None:
    """Return the position of the bottleneck, or None: nothing works more than half of its time with work waiting.

    Examples
    --------
    >>> name_bottleneck([Load(90, 100, 7200, 1), Load(40, 100, 90000, 1), Load(95, 100, 0, 1)])
    0
    """
    named = [
        (load.score, -index)
        for index, load in enumerate(loads)
        if (load.utilisation or 0.0) >= LEAST_UTILISATION and load.score > 0
    ]
    return -max(named)[1] if named else None
