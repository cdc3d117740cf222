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
