"""What can happen to a published plan. Plain Python."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from yuheng.scheduling.rules.estimates import Estimate


class DisturbanceKind(StrEnum):
    """What happened."""

    DOWN = "down"  # a machine stands
    SLOW = "slow"  # what runs on it takes longer than planned
    MATERIAL = "material"  # material for planned job orders is missing
    HOLD = "hold"  # a planned job order is on hold
    ABSENT = "absent"  # a person is away
    RUSH = "rush"  # an order has become a rush order, or came as one
    CANCELLED = "cancelled"  # an order in the plan is not wanted any more


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something after which the published plan does not hold.

    Attributes
    ----------
    about
        Of what, within the kind: two looks at the same trouble name it the same.
    until
        When it is expected to be over, and where that comes from.
    details
        For people: codes, never ids alone.
    work_unit_id
        Where; None: nowhere in particular.
    job_ids, root_ids
        Job orders and root requests that it is about.
    absence_id
        The absence, for ``ABSENT``.
    """

    kind: DisturbanceKind
    about: str
    since: datetime
    until: Estimate
    cause: str = ""
    work_unit_id: int | None = None
    details: Mapping[str, Any] = field(default_factory=dict)
    job_ids: frozenset[int] = frozenset()
    root_ids: frozenset[int] = frozenset()
    absence_id: int | None = None


def about_unit(work_unit_id: int) -> str:
    """Return how a trouble of a machine is named."""
    return f"unit {work_unit_id}"


SLOW_FROM = 1.5
"""A machine that needs so many times its planned time is slow …"""
SLOW_UNTIL = 1.1
"""… and stays so until it needs no more than this: else a machine at the edge would come and go."""
SLOW_LEAST_S = 1200.0
"""When the job order ends later by less than this, going on at this pace, it is no reason to plan anew."""
LEAST_PIECES = 3
MOST_FACTOR = 10.0


def slowness(
    *, worked_s: float, stood_s: float, setup_s: float, run_s: float, quantity: float, processed: float, is_known: bool
) -> float | None:
    """Return how many times its planned time a running job order takes; None when it is not slow, or nothing is known.

    Parameters
    ----------
    worked_s, stood_s
        Seconds since it began without pauses, and of these the ones in which its machine stood or waited: neither is
        slowness.
    setup_s, run_s
        Planned, of the whole quantity.
    processed
        Pieces so far. One more may be almost done.
    is_known
        It was slow when looked at last.

    Examples
    --------
    >>> slowness(worked_s=6000, stood_s=0, setup_s=0, run_s=6000, quantity=100, processed=49, is_known=False)
    2.0
    >>> slowness(worked_s=6000, stood_s=3000, setup_s=0, run_s=6000, quantity=100, processed=49, is_known=False)
    """
    if processed < LEAST_PIECES or quantity <= 0 or run_s <= 0:
        return None
    took = worked_s - stood_s - setup_s
    planned = run_s * min(quantity, processed + 1) / quantity
    factor = took / planned
    if is_known:
        return min(MOST_FACTOR, factor) if factor >= SLOW_UNTIL else None
    ends_later_s = took - planned + (run_s - planned) * (factor - 1)
    return min(MOST_FACTOR, factor) if factor >= SLOW_FROM and ends_later_s >= SLOW_LEAST_S else None
