"""Deliveries of events to webhooks: states and when to try again. Plain Python."""

from __future__ import annotations

from enum import StrEnum

MAX_ATTEMPTS = 8
FIRST_RETRY_S, LONGEST_RETRY_S = 5.0, 900.0


class DeliveryState(StrEnum):
    """What became of a delivery."""

    WAITING = "waiting"
    SENT = "sent"
    DEAD = "dead"  # given up after `MAX_ATTEMPTS`; shown, and can be tried again
    DROPPED = "dropped"  # too many waited


def retry_delay_s(attempts: int) -> float:
    """Seconds before the next attempt, doubling from 5 s to 15 min.

    Examples
    --------
    >>> [retry_delay_s(n) for n in (1, 2, 3, 20)]
    [5.0, 10.0, 20.0, 900.0]
    """
    return float(min(FIRST_RETRY_S * 2.0 ** min(attempts - 1, 20), LONGEST_RETRY_S))
