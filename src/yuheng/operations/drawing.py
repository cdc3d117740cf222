"""Planned against actual, drawn: where each step lies on a common line of time. Plain numbers for templates."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from yuheng.operations.selectors.rows import JobRow

WIDTH = 1000.0
"""Of the drawing, in its own units; it is stretched to the column."""

LEAST = 3.0
"""A bar that is shorter could not be seen."""

MARGIN = 0.02


@dataclass(frozen=True, slots=True)
class Bar:
    """From ``x``, ``w`` wide; units of `WIDTH`."""

    x: float
    w: float


@dataclass(frozen=True, slots=True)
class Step:
    """One job order with its two bars; ``actual`` is None before it has begun."""

    planned: Bar
    actual: Bar | None
    is_late: bool


@dataclass(frozen=True, slots=True)
class Timeline:
    """What all steps share: the ends, and where now is (None outside)."""

    start: datetime
    end: datetime
    now_x: float | None
    steps: dict[int, Step]


def timeline(jobs: Sequence[JobRow], now: datetime) -> Timeline | None:
    """Lay job orders on a line of time from the first beginning to the last end; None without any."""
    if not jobs:
        return None
    moments = list(_moments(jobs, now))
    start, end = min(moments), max(moments)
    span = max(end - start, timedelta(minutes=1))
    start, end = start - span * MARGIN, end + span * MARGIN
    whole = (end - start).total_seconds()

    def x(at: datetime) -> float:
        return (at - start).total_seconds() / whole * WIDTH

    def bar(first: datetime, last: datetime) -> Bar:
        return Bar(round(x(first), 1), round(max(x(last) - x(first), LEAST), 1))

    steps = {
        job.id: Step(
            planned=bar(job.planned_start, job.planned_end),
            actual=bar(job.actual_start, job.actual_end or now) if job.actual_start else None,
            is_late=(job.actual_end or now) > job.planned_end
            and (job.actual_end is None or job.actual_start is not None),
        )
        for job in jobs
    }
    return Timeline(start, end, round(x(now), 1) if start <= now <= end else None, steps)


def _moments(jobs: Iterable[JobRow], now: datetime) -> Iterable[datetime]:
    for job in jobs:
        yield job.planned_start
        yield job.planned_end
        if job.actual_start:
            yield job.actual_start
            yield job.actual_end or now


# ---- the route as a graph -----------------------------------------------------------------------------------------

NODE_W, NODE_H, GAP_X, GAP_Y, EDGE = 186.0, 62.0, 42.0, 14.0, 8.0
MOST_NODES = 80
"""A picture of more could not be read; the tables say the same."""


@dataclass(frozen=True, slots=True)
class Node:
    """One job order at its place."""

    job: JobRow
    x: float
    y: float
    done_w: float


@dataclass(frozen=True, slots=True)
class RouteGraph:
    """Steps from left to right in the order in which they can happen; ``edges`` are SVG paths."""

    nodes: list[Node]
    edges: list[str]
    width: float
    height: float


def route_graph(jobs: Sequence[JobRow], links: Iterable[tuple[int, int]]) -> RouteGraph | None:
    """Place job orders by what waits for what; None without any, or with too many to be read.

    Parameters
    ----------
    links
        ``(before, after)``, ids of job orders; no circle (release refuses one).
    """
    if not 1 < len(jobs) <= MOST_NODES:
        return None
    before: dict[int, list[int]] = {job.id: [] for job in jobs}
    for first, then in links:
        if first in before and then in before:
            before[then].append(first)
    column = _columns(before)
    taken: dict[int, int] = {}
    places: dict[int, tuple[float, float]] = {}
    for job in jobs:
        row = taken.get(column[job.id], 0)
        taken[column[job.id]] = row + 1
        places[job.id] = (EDGE + column[job.id] * (NODE_W + GAP_X), EDGE + row * (NODE_H + GAP_Y))
    nodes = [Node(job, *places[job.id], round(NODE_W * min(1.0, float(job.good / job.quantity)), 1)) for job in jobs]
    edges = [_edge(places[first], places[then]) for then, ids in before.items() for first in ids]
    width = (max(column.values()) + 1) * (NODE_W + GAP_X) - GAP_X + 2 * EDGE
    return RouteGraph(nodes, edges, width, max(taken.values()) * (NODE_H + GAP_Y) - GAP_Y + 2 * EDGE)


def _columns(before: dict[int, list[int]]) -> dict[int, int]:
    """Return how many steps lie before each, along the longest way."""
    column = dict.fromkeys(before, 0)
    for _round in before:
        moved = False
        for one, ids in before.items():
            wanted = max((column[first] + 1 for first in ids), default=0)
            if wanted > column[one]:
                column[one], moved = wanted, True
        if not moved:
            break
    return column


def _edge(start: tuple[float, float], end: tuple[float, float]) -> str:
    x1, y1, x2, y2 = start[0] + NODE_W, start[1] + NODE_H / 2, end[0], end[1] + NODE_H / 2
    middle = (x1 + x2) / 2
    return f"M{x1:g} {y1:g}C{middle:g} {y1:g} {middle:g} {y2:g} {x2:g} {y2:g}"
