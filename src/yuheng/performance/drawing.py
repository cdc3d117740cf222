"""Charts of flow as plain numbers for templates: bands over time, small lines, bars of parts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

WIDTH, HEIGHT = 1000.0, 260.0
LEFT, RIGHT, TOP, BOTTOM = 46.0, 8.0, 8.0, 22.0
MOST_TICKS = 10


@dataclass(frozen=True, slots=True)
class Band:
    """One band: its key and the closed path of its area."""

    key: str
    path: str


@dataclass(frozen=True, slots=True)
class Tick:
    """A label at a place of an axis."""

    at: float
    label: str


@dataclass(frozen=True, slots=True)
class Spot:
    """A place that can be pressed: the edge's number, its left end and width."""

    index: int
    x: float
    w: float


@dataclass(frozen=True, slots=True)
class Chart:
    """Bands from the bottom up with axes; ``spots`` lie over it."""

    bands: tuple[Band, ...]
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    spots: tuple[Spot, ...]
    width: float = WIDTH
    height: float = HEIGHT
    left: float = LEFT
    right: float = WIDTH - RIGHT
    top: float = TOP
    floor: float = HEIGHT - BOTTOM


def stacked(edges: Sequence[datetime], bands: Mapping[str, Sequence[int]], zone: str) -> Chart:
    """Stack bands over time, the first at the bottom."""
    start, end = edges[0], edges[-1]
    whole = (end - start).total_seconds()
    xs = [LEFT + (at - start).total_seconds() / whole * (WIDTH - LEFT - RIGHT) for at in edges]
    totals = [sum(column) for column in zip(*bands.values(), strict=True)]
    most, steps = nice(max(totals, default=0))

    def y(value: float) -> float:
        return HEIGHT - BOTTOM - value / most * (HEIGHT - TOP - BOTTOM)

    below, found = [0] * len(edges), []
    for key, values in bands.items():
        above = [one + more for one, more in zip(below, values, strict=True)]
        forth = " ".join(f"{x:.1f} {y(value):.1f}" for x, value in zip(xs, above, strict=True))
        back = " ".join(f"{x:.1f} {y(value):.1f}" for x, value in reversed(list(zip(xs, below, strict=True))))
        found.append(Band(key, f"M{forth} L{back}Z"))
        below = above
    y_ticks = tuple(Tick(round(y(value), 1), f"{value:,}") for value in range(0, most + 1, steps))
    return Chart(tuple(found), _x_ticks(edges, xs, zone), y_ticks, _spots(xs))


def nice(most: int) -> tuple[int, int]:
    """Return a round number not below ``most`` and the step of its axis.

    Examples
    --------
    >>> nice(0), nice(7), nice(87), nice(1234)
    ((4, 1), (8, 2), (100, 25), (2000, 500))
    """
    step = 1
    while True:
        for factor in (1, 2, 2.5, 5):
            size = step * factor
            if size == int(size) and size * 4 >= most:
                return int(size) * 4, int(size)
        step *= 10


def _x_ticks(edges: Sequence[datetime], xs: Sequence[float], zone: str) -> tuple[Tick, ...]:
    here = [at.astimezone(ZoneInfo(zone)) for at in edges]
    is_long = edges[-1] - edges[0] > timedelta(days=2)
    marked = [index for index, at in enumerate(here) if not is_long or (at.hour, at.minute) == (0, 0)]
    every = -(-len(marked) // MOST_TICKS)
    style = "%m-%d" if is_long else "%H:%M"
    return tuple(Tick(round(xs[index], 1), here[index].strftime(style)) for index in marked[::every])


def _spots(xs: Sequence[float]) -> tuple[Spot, ...]:
    middles = [xs[0], *((a + b) / 2 for a, b in pairwise(xs)), xs[-1]]
    return tuple(
        Spot(index, round(middles[index], 1), round(max(middles[index + 1] - middles[index], 0.5), 1))
        for index in range(len(xs))
    )


def line(values: Sequence[float], *, width: float = 160.0, height: float = 26.0) -> str:
    """Return the path of a small line, its lowest value at the bottom.

    Examples
    --------
    >>> line([0, 2], width=10, height=10)
    'M0 9L10 1'
    """
    most = max([*values, 1e-9])
    step = width / max(1, len(values) - 1)
    points = [f"{index * step:g} {height - 1 - value / most * (height - 2):g}" for index, value in enumerate(values)]
    return "M" + "L".join(points)


@dataclass(frozen=True, slots=True)
class Share:
    """A part of a bar: its key, where it begins and how wide it is, in percent."""

    key: str
    x: float
    w: float
    value: float


def shares(parts: Mapping[str, float], whole: float | None = None) -> list[Share]:
    """Lay parts beside each other; what is nothing is left out.

    Examples
    --------
    >>> [(one.key, one.x, one.w) for one in shares({"a": 1.0, "b": 0.0, "c": 3.0})]
    [('a', 0.0, 25.0), ('c', 25.0, 75.0)]
    """
    total = whole if whole is not None else sum(parts.values())
    found, x = [], 0.0
    for key, value in parts.items():
        width = value / total * 100 if total > 0 else 0.0
        if width > 0:
            found.append(Share(key, round(x, 2), round(width, 2), value))
        x += width
    return found
