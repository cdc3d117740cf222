"""How room is made for something new, and what changes a forecast."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum

TELL = timedelta(minutes=15)
"""A forecast that moves by less is the same forecast."""


class OfferKind(StrEnum):
    """How room is made for what is new."""

    BEHIND = "behind"  # nothing that is planned moves
    FITTED = "fitted"  # before as much of it as the wished date needs
    FIRST = "first"  # as soon as it can


class ForecastCause(StrEnum):
    """Why an order is expected at another time than before."""

    FIRST = "first"
    PLAN = "plan"
    BREAKDOWN = "breakdown"
    BACK = "back"
    HOLD = "hold"
    RELEASED = "released"  # a hold ended
    SHORTAGE = "shortage"
    ARRIVED = "arrived"  # material is there
    PROGRESS = "progress"
    PROMISE = "promise"  # another date is promised
    LEFT_OUT = "left_out"


def is_news(before: datetime | None, after: datetime | None) -> bool:
    """Return whether a forecast is another one.

    Examples
    --------
    >>> noon = datetime(2026, 11, 23, 12)
    >>> is_news(noon, noon + timedelta(minutes=5)), is_news(noon, noon + timedelta(hours=1)), is_news(noon, None)
    (False, True, True)
    """
    if before is None or after is None:
        return before is not after
    return abs(after - before) >= TELL
