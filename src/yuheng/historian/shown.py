"""What the screens were told, recorded: changes of units one by one, and once a minute the whole board of a site.

A moment is shown again from the newest whole board before it and the changes since: never more than a minute's worth.
What is recorded is durable with the commit that follows it. After a kill, what was told in the last moment before it
(at most one commit's time) is missing; every run begins with whole boards, so nothing wrong lives longer than that.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from yuheng.bus.messages import UnitLive

CHANGE_BYTES = 150
"""Memory of one recorded change; counted in the buffer's bound, whose policy is to hold the log."""


class Reason(IntEnum):
    """Why a whole board was recorded."""

    RHYTHM = 0
    START = 1  # of this run: nothing is known of the time since the board before
    CONFIGURATION = 2  # units came or went
    STOP = 3  # nothing is shown until the next START


class ShownChange(NamedTuple):
    """One unit as it was told at a moment."""

    site: int
    at_us: int
    run: int
    unit: UnitLive
    data_time_us: int


class ShownBoard(NamedTuple):
    """All units of a site at a moment."""

    site: int
    at_us: int
    run: int
    reason: Reason
    data_time_us: int
    units: Sequence[UnitLive]


@dataclass(slots=True)
class Shown:
    """What was told since the last commit."""

    changes: list[ShownChange] = field(default_factory=list)
    boards: list[ShownBoard] = field(default_factory=list)

    def is_empty(self) -> bool:
        """Return whether nothing was told."""
        return not (self.changes or self.boards)


def _moments(times_us: Sequence[int]) -> pa.Array:
    return pa.array(np.array(times_us, "datetime64[us]"), pa.timestamp("us", "UTC"))


def change_columns(changes: Sequence[ShownChange]) -> pa.Table:
    """Return changes as columns of the table ``shown``."""
    return pa.table(
        {
            "site": np.array([c.site for c in changes], np.uint32),
            "at": _moments([c.at_us for c in changes]),
            "unit": np.array([c.unit.work_unit_id for c in changes], np.uint32),
            "run": np.array([c.run for c in changes], np.uint64),
            "state": np.array([c.unit.state for c in changes], np.uint8),
            "cause": pa.array([c.unit.cause for c in changes], pa.string()),
            "since_us": np.array([c.unit.since_us for c in changes], np.int64),
            "seen_us": np.array([c.unit.seen_us for c in changes], np.int64),
            "data_time_us": np.array([c.data_time_us for c in changes], np.int64),
        }
    )


def board_columns(boards: Sequence[ShownBoard]) -> pa.Table:
    """Return whole boards as columns of the table ``boards``."""
    return pa.table(
        {
            "site": np.array([b.site for b in boards], np.uint32),
            "at": _moments([b.at_us for b in boards]),
            "run": np.array([b.run for b in boards], np.uint64),
            "reason": np.array([b.reason for b in boards], np.uint8),
            "data_time_us": np.array([b.data_time_us for b in boards], np.int64),
            "units": pa.array([[u.work_unit_id for u in b.units] for b in boards], pa.list_(pa.uint32())),
            "states": pa.array([[u.state for u in b.units] for b in boards], pa.list_(pa.uint8())),
            "causes": pa.array([[u.cause for u in b.units] for b in boards], pa.list_(pa.string())),
            "since_us": pa.array([[u.since_us for u in b.units] for b in boards], pa.list_(pa.int64())),
            "seen_us": pa.array([[u.seen_us for u in b.units] for b in boards], pa.list_(pa.int64())),
        }
    )
