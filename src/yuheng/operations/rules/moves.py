"""Words of the log of job orders: what became of one, and when. Plain Python."""

from __future__ import annotations

from enum import StrEnum


class MoveKind(StrEnum):
    """What a row of the log says of a job order from then on."""

    WAITING = "waiting"  # what comes before it is not done
    READY = "ready"
    HELD = "held"  # the dispatcher's hold, before the start
    STARTED = "started"
    SET_UP = "set_up"  # the run begins
    PAUSED = "paused"
    SUSPENDED = "suspended"  # the dispatcher's hold, after the start
    RESUMED = "resumed"
    CHANGED = "changed"  # another work unit or another quantity, while it runs
    ENDED = "ended"
    ABORTED = "aborted"
    CANCELLED = "cancelled"
