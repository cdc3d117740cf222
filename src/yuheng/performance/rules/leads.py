"""Where the lead time of an order went: back along what it waited for, from its end to its release. Plain Python.

The last job order to end is followed back to the moment at which it could begin; there the one before it that came last
takes over, and so on to the release. What that path went through is what the lead time consists of: its parts touch
each other, so their sum is the lead time, to the microsecond, whatever ran beside it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from yuheng.performance.rules.stages import LEAD_STAGES, Interval, Stage


@dataclass(frozen=True, slots=True)
class Life:
    """What a job order went through. ``before``: ids of what it waited for (its source, of rework and splits)."""

    id: int
    made_at: datetime
    over_at: datetime | None
    intervals: tuple[Interval, ...]
    before: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of the path: the job order it belongs to, the stage, from when to when."""

    job_order_id: int
    stage: Stage
    since: datetime
    until: datetime
    reason: str = ""


def path(lives: Mapping[int, Life], last: int, start: datetime) -> list[Piece]:
    """Return the path from ``start`` to the end of the job order ``last``, in the order of time.

    Parameters
    ----------
    lives
        Job orders of the order and of the parts made for it, by id; ``last`` is over.
    start
        The release.

    Notes
    -----
    Between the end of one step and the moment at which the next could begin nothing is recorded (transport, cooling, a
    report that came late): it counts as queue of the next. Each job order is on the path once at most.
    """
    end = lives[last].over_at
    assert end is not None, "only what is over has a lead time"
    found: list[Piece] = []
    seen: set[int] = set()
    current: int | None = last
    cursor = end
    while current is not None and cursor > start:
        seen.add(current)
        life = lives[current]
        ready = max(start, min(cursor, _could_begin(life, cursor)))
        found += reversed(_pieces(life, ready, cursor))
        cursor = ready
        behind, current = current, _came_last(life, lives, cursor, seen)
        if current is not None:
            over = lives[current].over_at
            arrived = max(start, min(cursor, over)) if over is not None else cursor
            if arrived < cursor:
                found.append(Piece(behind, Stage.QUEUE, arrived, cursor))
                cursor = arrived
        elif cursor > start:
            found.append(Piece(behind, Stage.QUEUE, start, cursor))
            cursor = start
    return list(reversed(found))


def breakdown(pieces: Sequence[Piece]) -> dict[Stage, int]:
    """Return the microseconds of each part of a lead time; their sum is the path's length."""
    found = dict.fromkeys(LEAD_STAGES, 0)
    for piece in pieces:
        length = piece.until - piece.since
        found[piece.stage] += (length.days * 86_400 + length.seconds) * 1_000_000 + length.microseconds
    return found


def _could_begin(life: Life, by: datetime) -> datetime:
    """Return since when it had nothing to wait for but itself."""
    ready = life.made_at
    for one in life.intervals:
        if one.stage is Stage.WAIT and one.since < by:
            ready = one.until if one.until is not None else by
    return ready


def _pieces(life: Life, since: datetime, until: datetime) -> list[Piece]:
    """Return a job order's stages between two moments, without a gap."""
    found: list[Piece] = []
    cursor = since
    for one in life.intervals:
        begin, end = max(one.since, since), until if one.until is None else min(one.until, until)
        if end <= begin:
            continue
        if begin > cursor:
            found.append(Piece(life.id, Stage.QUEUE, cursor, begin))
        stage = Stage.QUEUE if one.stage is Stage.WAIT else one.stage
        found.append(Piece(life.id, stage, begin, end, one.reason))
        cursor = end
    if cursor < until:
        found.append(Piece(life.id, Stage.QUEUE, cursor, until))
    return found


def _came_last(life: Life, lives: Mapping[int, Life], by: datetime, seen: set[int]) -> int | None:
    """Return what it waited for longest: still going on at that moment, or over last."""
    known = [lives[pk] for pk in life.before if pk in lives and pk not in seen and lives[pk].made_at < by]
    if not known:
        return None
    return max(known, key=lambda one: (one.over_at is None or one.over_at >= by, one.over_at or by, one.id)).id
