"""Lanes of machines, drawn on the server: where each bar lies. Plain numbers for templates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from yuheng.scheduling.selectors.board import Board, BoardRow

WIDTH = 1600.0
NAME_W = 110.0
LANE_H, HEAD_H, BAR_H = 26.0, 22.0, 18.0
LEAST = 2.0
NAMED = 46.0
"""Bars that are wider show what they are; the others say so when they are pointed at or focused."""


@dataclass(frozen=True, slots=True)
class Bar:
    """A job order from ``x``, ``w`` wide; its set-up before it from ``setup_x`` on."""

    row: BoardRow
    x: float
    w: float
    setup_x: float
    setup_w: float
    label: str
    room: int

    @property
    def text_x(self) -> float:
        """Where its name begins."""
        return self.x + 3.0


@dataclass(frozen=True, slots=True)
class Lane:
    """A machine. ``stop``: where it stands until it is expected back (None: it does not)."""

    unit: str
    y: float
    bars: tuple[Bar, ...]
    stop: tuple[float, float] | None


@dataclass(frozen=True, slots=True)
class Tick:
    """An hour on the line of time."""

    x: float
    at: datetime
    is_day: bool


@dataclass(frozen=True, slots=True)
class Lanes:
    """The whole drawing, in its own units."""

    lanes: tuple[Lane, ...]
    ticks: tuple[Tick, ...]
    now_x: float
    frozen_w: float
    width: float
    height: float


def lanes(
    found: Board, start: datetime, end: datetime, now: datetime, *, frozen_min: int, stops: Mapping[str, datetime]
) -> Lanes:
    """Lay a window of the plan on lanes, one a machine, by code.

    Parameters
    ----------
    stops
        Machine -> when it is expected back, for those that stand.
    """
    whole = (end - start).total_seconds()

    def x(at: datetime) -> float:
        inside = min(max((at - start).total_seconds() / whole, 0.0), 1.0)
        return round(NAME_W + inside * (WIDTH - NAME_W), 1)

    by_unit: dict[str, list[Bar]] = {unit: [] for unit in sorted({*found.units, *stops})}
    for row in found.rows:
        if row.unit_code not in by_unit:
            continue
        left, right, setup = x(row.start), x(row.end), x(row.setup_start)
        width = max(LEAST, right - left)
        label = row.order_code if width > NAMED else ""
        by_unit[row.unit_code].append(
            Bar(row, left, round(width, 1), setup, round(left - setup, 1), label, max(2, int(width / 8)))
        )
    rows = tuple(
        Lane(unit, HEAD_H + k * LANE_H, tuple(bars), _stop(stops.get(unit), now, x))
        for k, (unit, bars) in enumerate(by_unit.items())
    )
    return Lanes(
        rows,
        tuple(_ticks(start, end, x)),
        x(now),
        round(x(now + timedelta(minutes=frozen_min)) - x(now), 1),
        WIDTH,
        HEAD_H + len(rows) * LANE_H + 4,
    )


def _stop(until: datetime | None, now: datetime, x: object) -> tuple[float, float] | None:
    if until is None or not callable(x):
        return None
    left, right = x(now), x(max(until, now))
    return (left, round(max(LEAST, right - left), 1))


def _ticks(start: datetime, end: datetime, x: object) -> list[Tick]:
    assert callable(x)
    hours = (end - start).total_seconds() / 3600
    step = next(step for step in (1, 2, 4, 6, 12, 24, 48) if hours / step <= 16 or step == 48)
    at = start.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
    while at.hour % min(step, 24):
        at += timedelta(hours=1)
    found = []
    while at < end:
        found.append(Tick(x(at), at, at.hour == 0))
        at += timedelta(hours=step)
    return found
