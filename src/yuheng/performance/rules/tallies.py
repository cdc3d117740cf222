"""Counting stages so that any past moment can be read quickly: signed changes, added up by quarters of an hour.

A change carries how far behind its quarter's beginning it lies, so that not only counts at the ends of quarters are
exact but also what flowed in between (the integral of a count over time). Sums do not depend on their order: what is
added piece by piece equals what is counted anew. All numbers are whole: nothing is rounded twice. Plain Python.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from yuheng.performance.rules.stages import Interval, Stage

QUARTER = timedelta(minutes=15)
DAY = timedelta(days=1)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MS = timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True)
class Place:
    """Where job orders lie: a work center, or, while nobody has decided, the class that can do them."""

    work_center_id: int | None
    equipment_class_id: int | None = None


@dataclass(frozen=True, slots=True)
class Cell:
    """What one sum is of: from ``at``, a quarter (or, ``is_day``, a day of UTC) long."""

    at: datetime
    is_day: bool
    place: Place
    stage: Stage


@dataclass(slots=True)
class Sums:
    """Changes within one cell: of job orders, of planned work, and both times how late they came (milliseconds)."""

    jobs: int = 0
    jobs_ms: int = 0
    work_ms: int = 0
    work_moment: int = 0

    def add(self, sign: int, work_ms: int, late_ms: int) -> None:
        """Add one job order that comes (1) or goes (-1)."""
        self.jobs += sign
        self.jobs_ms += sign * late_ms
        self.work_ms += sign * work_ms
        self.work_moment += sign * (work_ms // 1000) * late_ms

    def is_nothing(self) -> bool:
        """Return whether it changes nothing."""
        return not (self.jobs or self.jobs_ms or self.work_ms or self.work_moment)


@dataclass(frozen=True, slots=True)
class Stay:
    """An interval at its place."""

    interval: Interval
    place: Place


def floor_to(at: datetime, step: timedelta) -> datetime:
    """Return the beginning of the step that a moment lies in.

    Examples
    --------
    >>> floor_to(datetime(2026, 11, 23, 9, 44, 59, tzinfo=UTC), QUARTER).minute
    30
    """
    return at - (at - EPOCH) % step


Change = tuple[datetime, Place, Stage, int, int]


def changes(stays: Iterable[Stay], over_at: datetime | None, last: Place) -> Iterable[Change]:
    """Yield what a job order changes: moment, place, stage, who comes (1) or goes (-1), planned work in ms."""
    work_ms = 0
    for stay in stays:
        one = stay.interval
        work_ms = round(one.work_s * 1000)
        yield one.since, stay.place, one.stage, 1, work_ms
        if one.until is not None:
            yield one.until, stay.place, one.stage, -1, work_ms
    if over_at is not None:
        yield over_at, last, Stage.DONE, 1, work_ms


def difference(before: Iterable[Change], after: Iterable[Change]) -> dict[Cell, Sums]:
    """Return what must be added to the sums so that ``after`` is counted instead of ``before``."""
    counts: Counter[Change] = Counter()
    for change in after:
        counts[change] += 1
    for change in before:
        counts[change] -= 1
    found: dict[Cell, Sums] = defaultdict(Sums)
    for (at, place, stage, sign, work_ms), times in counts.items():
        if times:
            for is_day, step in ((False, QUARTER), (True, DAY)):
                start = floor_to(at, step)
                late_ms = (at - start) // _MS
                found[Cell(start, is_day, place, stage)].add(sign * times, work_ms, late_ms)
    return {cell: sums for cell, sums in found.items() if not sums.is_nothing()}
