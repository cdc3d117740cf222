"""Small charts made on the server: histogram, scatter, Pareto. They print, need no script, have text beside them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from yuheng.analysis.selectors.statistics import HistogramBar
from yuheng.analysis.selectors.stops import ParetoBar

WIDTH, HEIGHT = 560.0, 180.0


@dataclass(frozen=True, slots=True)
class Box:
    """A bar of a drawing, in its own units; ``text`` says what it is."""

    x: str
    y: str
    width: str
    height: str
    text: str


@dataclass(frozen=True, slots=True)
class Cloud:
    """Dots of a scatter drawing and the ends of its axes."""

    dots: tuple[tuple[str, str], ...]
    low_x: float
    high_x: float
    low_y: float
    high_y: float


def draw_histogram(bars: Sequence[HistogramBar]) -> list[Box]:
    """Return bars as high as their counts."""
    most = max((bar.count for bar in bars), default=0)
    if not most:
        return []
    step = WIDTH / len(bars)
    return [
        Box(
            f"{number * step:.2f}",
            f"{HEIGHT * (1 - bar.count / most):.2f}",
            f"{max(1.0, step - 1):.2f}",
            f"{HEIGHT * bar.count / most:.2f}",
            f"{bar.low:.6g} – {bar.high:.6g}: {bar.count:,}",
        )
        for number, bar in enumerate(bars)
    ]


def draw_scatter(pairs: Sequence[tuple[float, float]]) -> Cloud | None:
    """Return a dot for each pair; None without any."""
    if not pairs:
        return None
    xs, ys = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    low_x, high_x, low_y, high_y = min(xs), max(xs), min(ys), max(ys)
    dots = tuple(
        (f"{WIDTH * _share(x, low_x, high_x):.1f}", f"{2 * HEIGHT * (1 - _share(y, low_y, high_y)):.1f}")
        for x, y in pairs
    )
    return Cloud(tuple(dict.fromkeys(dots)), low_x, high_x, low_y, high_y)


def _share(value: float, low: float, high: float) -> float:
    return 0.5 if high == low else (value - low) / (high - low)


PARETO_ROW = 30.0
PARETO_NAME = 200.0
PARETO_WIDTH = 760.0
MOST_BARS = 24


@dataclass(frozen=True, slots=True)
class ParetoRow:
    """One bar of the Pareto drawing with where its words stand."""

    bar: ParetoBar
    y: str
    text_y: str
    width: str
    end_x: str
    percent_x: str
    share: str


@dataclass(frozen=True, slots=True)
class ParetoDrawing:
    """The rows, most lost first, and the line of their sums."""

    rows: tuple[ParetoRow, ...]
    line: str
    height: int
    width: int = 1000


def draw_pareto(bars: Sequence[ParetoBar]) -> ParetoDrawing:
    """Return bars as long as what they cost; lying, so that names in two languages can be read."""
    most = max((bar.lost_s for bar in bars), default=0.0) or 1.0
    rows, points = [], []
    for number, bar in enumerate(bars[:MOST_BARS]):
        y = number * PARETO_ROW
        width = (PARETO_WIDTH - PARETO_NAME) * bar.lost_s / most
        x = PARETO_NAME + (PARETO_WIDTH - PARETO_NAME) * bar.cumulated
        points.append(f"{x:.1f},{y + PARETO_ROW / 2:.1f}")
        rows.append(
            ParetoRow(
                bar,
                f"{y + 4:.1f}",
                f"{y + 20:.1f}",
                f"{max(1.0, width):.1f}",
                f"{PARETO_NAME - 8:.0f}",
                f"{PARETO_WIDTH + 10:.0f}",
                f"{100 * bar.cumulated:.0f} %",
            )
        )
    return ParetoDrawing(tuple(rows), " ".join(points), int(len(rows) * PARETO_ROW + 6))
