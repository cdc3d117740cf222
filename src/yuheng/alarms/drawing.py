"""The chart of alarms per 10 minutes, in map pixels: plain numbers that a template writes as SVG."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from yuheng.engines.alarms.health import BUCKET_S

WIDTH, HEIGHT = 1000.0, 160.0
MAX_BARS = 432
"""More than so many 10 minutes are drawn as the worst of several: a peak stays visible."""


@dataclass(frozen=True, slots=True)
class Bar:
    """One column: its rectangle, how many alarms in its worst 10 minutes, whether it belongs to a flood."""

    x: str
    y: str
    width: str
    height: str
    count: int
    is_flood: bool
    start: datetime
    end: datetime


def bars_of(counts: Sequence[int], is_flood: Sequence[bool], start: datetime, end: datetime) -> list[Bar]:
    """Return the columns of a chart.

    Examples
    --------
    >>> from datetime import UTC
    >>> at = datetime(2026, 11, 23, tzinfo=UTC)
    >>> [(bar.x, bar.y, bar.height) for bar in bars_of([0, 20], [False, True], at, at + timedelta(minutes=20))]
    [('0.0', '160.0', '0.0'), ('500.0', '0.0', '160.0')]
    """
    step = max(1, -(-len(counts) // MAX_BARS))
    places = range(0, len(counts), step)
    top = scale_top(counts)
    width = WIDTH / max(1, len(places))
    found = []
    for i, place in enumerate(places):
        count = max(counts[place : place + step])
        height = HEIGHT * count / top
        begin = start + timedelta(seconds=place * BUCKET_S)
        found.append(
            Bar(
                x=f"{i * width:.1f}",
                y=f"{HEIGHT - height:.1f}",
                width=f"{max(0.6, width - (1.0 if width > 3 else 0.2)):.1f}",
                height=f"{height:.1f}",
                count=count,
                is_flood=any(is_flood[place : place + step]),
                start=begin,
                end=min(end, begin + timedelta(seconds=step * BUCKET_S)),
            )
        )
    return found


def scale_top(counts: Sequence[int]) -> int:
    """Return the upper end of the chart's scale: the line of 10 is always seen."""
    return max(12, *counts, 0) if counts else 12


def level(count: float, counts: Sequence[int]) -> str:
    """Return the height in the chart of a number of alarms."""
    return f"{HEIGHT - HEIGHT * count / scale_top(counts):.1f}"
