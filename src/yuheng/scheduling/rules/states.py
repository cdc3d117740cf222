"""States of what-ifs and suggestions, and how much an order counts."""

from __future__ import annotations

from enum import StrEnum


class PlanKind(StrEnum):
    """How a plan came to be."""

    SOLVED = "solved"
    MOVED = "moved"
    SUGGESTED = "suggested"
    RESTORED = "restored"
    PLACED = "placed"  # by itself: new work behind what was planned, nothing moved


class ScenarioState(StrEnum):
    """A what-if, from being asked for to its plan."""

    WAITING = "waiting"
    SOLVING = "solving"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"
    PUBLISHED = "published"


class SuggestionState(StrEnum):
    """What became of a suggestion."""

    OPEN = "open"
    ACCEPTED = "accepted"
    EXPIRED = "expired"
    PASSED = "passed"  # another one of its disturbance was accepted


UNDER_WAY = frozenset({ScenarioState.WAITING, ScenarioState.SOLVING})
RUSH_WEIGHT = 8.0


def weight_of(rank: int) -> float:
    """Return how much a minute of lateness of an order counts, from its rank (0: rush, else priority 1 to 999).

    Examples
    --------
    >>> weight_of(500), weight_of(0), round(weight_of(1), 2), round(weight_of(999), 2)
    (1.0, 8.0, 3.99, 0.25)
    """
    return RUSH_WEIGHT if rank == 0 else float(4.0 ** ((500 - rank) / 500))
