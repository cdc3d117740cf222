"""States of customer orders and operations requests, in B2MML's words. Plain Python."""

from __future__ import annotations

from enum import StrEnum


class RequestState(StrEnum):
    """State of an operations request (production order)."""

    FORECAST = "forecast"  # entered, not released
    RELEASED = "released"
    RUNNING = "running"
    HELD = "held"
    COMPLETED = "completed"
    ABORTED = "aborted"
    CANCELLED = "cancelled"
    CLOSED = "closed"


class OrderState(StrEnum):
    """State of a customer order."""

    ENTERED = "entered"
    RELEASED = "released"
    COMPLETED = "completed"
    CANCELLED = "cancelled"


_S = RequestState
REQUEST_MOVES: dict[RequestState, frozenset[RequestState]] = {
    _S.FORECAST: frozenset({_S.RELEASED, _S.CANCELLED}),
    _S.RELEASED: frozenset({_S.RUNNING, _S.HELD, _S.CANCELLED, _S.ABORTED, _S.COMPLETED}),
    _S.RUNNING: frozenset({_S.HELD, _S.COMPLETED, _S.ABORTED}),
    _S.HELD: frozenset({_S.RELEASED, _S.RUNNING, _S.CANCELLED, _S.ABORTED, _S.COMPLETED}),
    _S.COMPLETED: frozenset({_S.CLOSED, _S.RUNNING}),  # back to running when rework is added afterwards
    _S.ABORTED: frozenset({_S.CLOSED}),
    _S.CANCELLED: frozenset({_S.CLOSED}),
    _S.CLOSED: frozenset(),
}
OPEN_REQUESTS = frozenset({_S.FORECAST, _S.RELEASED, _S.RUNNING, _S.HELD})
LIVE_REQUESTS = frozenset({_S.RELEASED, _S.RUNNING, _S.HELD})


def may_move(before: RequestState, to: RequestState) -> bool:
    """Return whether a request may go from one state to another.

    Examples
    --------
    >>> may_move(RequestState.FORECAST, RequestState.RELEASED), may_move(RequestState.CLOSED, RequestState.RUNNING)
    (True, False)
    """
    return to in REQUEST_MOVES[before]


def rank_of(priority: int, *, is_rush: bool) -> int:
    """Return what queues are ordered by: rush orders before every priority.

    Examples
    --------
    >>> rank_of(500, is_rush=False), rank_of(500, is_rush=True)
    (500, 0)
    """
    return 0 if is_rush else priority
