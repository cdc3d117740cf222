"""Counting stages so that any past moment can be read quickly: signed changes, added up by spans of time.

Each change is added to five sums, of a quarter of an hour up to 32 days: a question reads the longest spans that fit
into what it asks about, so a year costs hardly more than a day.
A change carries how far behind its span's beginning it lies, so that not only counts at the ends of quarters are
exact but also what flowed in between (the integral of a count over time). Sums do not depend on their order: what is
added piece by piece equals what is counted anew. All numbers are whole: nothing is rounded twice. Plain Python.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from yuheng.performance.rules.stages import Interval, Stage

QUARTER = timedelta(minutes=15)
DAY = timedelta(days=1)
SPANS_S = (900, 3_600, 14_400, 86_400, 32 * 86_400)
"""Lengths of the spans that are summed, each a multiple of the one before, counted from the beginning of UTC's days."""
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
FIRST = datetime(1, 1, 1, tzinfo=UTC)
_MS = timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True)
class Place:
    """Where job orders lie: a work center, or, while nobody has decided, the class that can do them."""

    work_center_id: int | None
    equipment_class_id: int | None = None


@dataclass(frozen=True, slots=True)
class Cell:
    """What one sum is of: from ``at``, ``span_s`` long."""

    at: datetime
    span_s: int
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
        self.work_moment += sign * (work_ms * late_ms // 1000)

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
            for span_s in SPANS_S:
                start = floor_to(at, timedelta(seconds=span_s))
                late_ms = (at - start) // _MS if span_s != SPANS_S[-1] else 0  # those only say how many there were
                found[Cell(start, span_s, place, stage)].add(sign * times, work_ms, late_ms)
    return {cell: sums for cell, sums in found.items() if not sums.is_nothing()}


@dataclass(frozen=True, slots=True)
class Stretch:
    """Sums to be read: those of spans of ``span_s`` that begin from ``start`` on and before ``end``."""

    span_s: int
    start: datetime
    end: datetime


def stretches(edges: Sequence[datetime]) -> list[Stretch]:
    """Return which sums make up the time between edges, so that none reaches over an edge; few of them.

    Parameters
    ----------
    edges
        Rising; each begins a quarter of an hour of UTC.

    Examples
    --------
    >>> days = [datetime(2026, 11, day, 16, tzinfo=UTC) for day in (1, 2, 3)]
    >>> [(one.span_s, (one.end - one.start).total_seconds() / 3600) for one in stretches(days)]
    [(14400, 48.0)]
    """
    found: list[Stretch] = []
    for start, end in pairwise(edges):
        _divide(start, end, len(SPANS_S) - 2, found)
    return found


def before(moment: datetime) -> list[Stretch]:
    """Return which sums make up all the time before the beginning of a quarter of an hour."""
    start = floor_to(moment, timedelta(seconds=SPANS_S[-1]))
    found = [Stretch(SPANS_S[-1], FIRST, start)]
    _divide(start, moment, len(SPANS_S) - 2, found)
    return found


def _divide(start: datetime, end: datetime, rank: int, found: list[Stretch]) -> None:
    """Take the longest spans that lie between, then what is left on both sides with shorter ones."""
    if start >= end:
        return
    step = timedelta(seconds=SPANS_S[rank])
    first, last = start + (EPOCH - start) % step, floor_to(end, step)
    if first >= last:
        _divide(start, end, rank - 1, found)
        return
    _divide(start, first, rank - 1, found)
    if found and found[-1].span_s == SPANS_S[rank] and found[-1].end == first:
        found[-1] = Stretch(SPANS_S[rank], found[-1].start, last)
    else:
        found.append(Stretch(SPANS_S[rank], first, last))
    _divide(last, end, rank - 1, found)
