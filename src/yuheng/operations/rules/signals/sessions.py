"""Whose piece it was: which job order had the machine at a moment, by when things happened. Plain Python."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from yuheng.operations.rules.progress import ResponseKind

TAIL = timedelta(seconds=10)
"""A piece that is counted so soon after the finish was on its way out when somebody pressed the button."""


@dataclass(frozen=True, slots=True)
class Event:
    """What of a job response says who had the machine."""

    job_order_id: int
    kind: ResponseKind
    at: datetime


@dataclass(frozen=True, slots=True)
class Span:
    """A job order had a machine from ``began`` to ``ended`` (None: still has), but for its ``rests``."""

    job_order_id: int
    began: datetime
    ended: datetime | None
    rests: tuple[tuple[datetime, datetime | None], ...] = ()

    def covers(self, at: datetime) -> bool:
        """Return whether a piece that was complete at a moment was made within it."""
        return self.began < at and (self.ended is None or at <= self.ended)

    def rests_at(self, at: datetime) -> bool:
        """Return whether the job was interrupted at a moment."""
        return any(low < at and (high is None or at <= high) for low, high in self.rests)

    def worked(self) -> list[tuple[datetime, datetime | None]]:
        """Return the stretches in which its clock ran."""
        found: list[tuple[datetime, datetime | None]] = []
        start: datetime | None = self.began
        for low, high in self.rests:
            if start is not None and low > start:
                found.append((start, low))
            start = high
        if start is not None and (self.ended is None or start < self.ended):
            found.append((start, self.ended))
        return found


class How(StrEnum):
    """How a piece belongs to a job order."""

    WORKING = "working"
    RESTING = "resting"  # it was interrupted, and nothing else ran
    TAIL = "tail"  # it had just been finished
    NOBODY = "nobody"
    SEVERAL = "several"  # several run there at once: nobody can say


@dataclass(frozen=True, slots=True)
class Whose:
    """The job order of a piece, and how it belongs to it."""

    job_order_id: int | None
    how: How


NOBODY = Whose(None, How.NOBODY)
_BEGINS = (ResponseKind.STARTED, ResponseKind.RESUMED)
_ENDS = (ResponseKind.FINISHED, ResponseKind.ABORTED)


def spans_of(events: Iterable[Event]) -> list[Span]:
    """Return who had a machine when, from the responses of its job orders, by the time at which they happened."""
    by_job: dict[int, list[Event]] = {}
    for event in events:
        by_job.setdefault(event.job_order_id, []).append(event)
    found: list[Span] = []
    for job, told in by_job.items():
        began: datetime | None = None
        rests: list[tuple[datetime, datetime | None]] = []
        for event in sorted(told, key=lambda one: one.at):
            if event.kind in _BEGINS:
                if began is None:
                    began, rests = event.at, []
                elif rests and rests[-1][1] is None:
                    rests[-1] = (rests[-1][0], event.at)
            elif event.kind is ResponseKind.PAUSED and began is not None:
                if not rests or rests[-1][1] is not None:
                    rests.append((event.at, None))
            elif event.kind in _ENDS and began is not None:
                closed = [(low, event.at if high is None else high) for low, high in rests]
                found.append(Span(job, began, event.at, tuple(closed)))
                began = None
        if began is not None:
            found.append(Span(job, began, None, tuple(rests)))
    return sorted(found, key=lambda span: span.began)


def job_at(spans: Sequence[Span], at: datetime) -> Whose:
    """Return whose piece it was that was complete at a moment.

    Examples
    --------
    >>> from datetime import UTC
    >>> t = datetime(2026, 11, 23, 8, tzinfo=UTC)
    >>> hour = timedelta(hours=1)
    >>> job_at([Span(7, t, t + hour)], t + hour / 2), job_at([Span(7, t, t + hour)], t - hour)
    (Whose(job_order_id=7, how=<How.WORKING: 'working'>), Whose(job_order_id=None, how=<How.NOBODY: 'nobody'>))
    """
    there = [span for span in spans if span.covers(at)]
    working = [span for span in there if not span.rests_at(at)]
    if len(working) == 1:
        return Whose(working[0].job_order_id, How.WORKING)
    if working:
        return Whose(None, How.SEVERAL)
    if there:
        return Whose(max(there, key=lambda span: span.began).job_order_id, How.RESTING)
    ended = [span for span in spans if span.ended is not None and span.ended < at <= span.ended + TAIL]
    if ended:
        return Whose(max(ended, key=lambda span: span.ended or span.began).job_order_id, How.TAIL)
    return NOBODY
