"""From a job order's log to the stages of its life: without a gap, without an overlap. Plain Python.

The log is read in the order in which things *happened*: a terminal that was offline tells late, and what it tells takes
its place. Whatever is read later gives the same stages, so a job order can be read again at any time.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum


class Stage(StrEnum):
    """Where a job order is. All but `DONE` are work in progress."""

    WAIT = "wait"  # for the steps before it
    QUEUE = "queue"  # it could begin
    MATERIAL = "material"  # what it needs has not come, or it was paused for it
    HOLD = "hold"
    SETUP = "setup"
    PROCESS = "process"
    STOP = "stop"  # paused
    OUTSIDE = "outside"  # at a supplier
    DONE = "done"


IN_WORK = frozenset({Stage.SETUP, Stage.PROCESS})
LEAD_STAGES = (
    Stage.PROCESS, Stage.SETUP, Stage.QUEUE, Stage.MATERIAL, Stage.STOP, Stage.HOLD, Stage.OUTSIDE,
)  # fmt: skip
"""Parts of a lead time, in the order in which they are shown; nothing waits for itself, so `WAIT` is none of them."""
MATERIAL_REASONS = frozenset({"material", "shortage", "missing_part"})
"""Reasons of pauses and holds that mean: material is missing."""
BEFORE = frozenset({"waiting", "ready", "held"})
OVER = frozenset({"ended", "aborted", "cancelled"})
_PLACES = {"waiting": Stage.WAIT, "ready": Stage.QUEUE}


@dataclass(frozen=True, slots=True)
class Fact:
    """What the log says of a job order from a moment on. ``what``: words of `operations.rules.MoveKind`."""

    what: str
    at: datetime
    work_unit_id: int | None = None
    work_s: float = 0.0
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Interval:
    """A stage from ``since`` to ``until`` (None: still). ``work_s``: planned work of the job order meanwhile."""

    stage: Stage
    since: datetime
    until: datetime | None
    work_unit_id: int | None = None
    work_s: float = 0.0
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Timeline:
    """The life of a job order. ``outcome``: ended, aborted, cancelled, or "" while it is open."""

    intervals: tuple[Interval, ...]
    made_at: datetime
    over_at: datetime | None
    outcome: str
    pauses: int

    def seconds(self, *stages: Stage) -> float:
        """Return how long it was in these stages, without what is still going on."""
        return sum(
            (one.until - one.since).total_seconds()
            for one in self.intervals
            if one.stage in stages and one.until is not None
        )


def timeline(
    facts: Sequence[Fact], *, came: Iterable[datetime] = (), is_outside: bool = False, has_set_up: bool | None = None
) -> Timeline:
    """Return the stages of one job order.

    Parameters
    ----------
    facts
        Its log in the order in which it was written; not empty.
    came
        When the bought lots that it used had come: a queue before the last of them that came before the start was a
        wait for material.
    is_outside
        A supplier does it.
    has_set_up
        Whether somebody told the end of the set-up; None: look for it in the log. Without it set-up and run cannot be
        told apart, and all is run.

    Notes
    -----
    What happened is sorted by its time. Places before the start count until the first start; after the end nothing
    counts. What happened before the job order was made moves its making back: its clock was the terminal's.
    """
    told = sorted(enumerate(facts), key=lambda one: (one[1].at, one[0]))
    if has_set_up is None:
        has_set_up = any(fact.what == "set_up" for fact in facts)
    state = _State(is_outside=is_outside, has_set_up=has_set_up)
    made_at = told[0][1].at
    first = facts[0]
    state.go(_first_stage(first), first, made_at)
    for index, fact in told:
        if index or fact.at > made_at:
            state.take(fact)
        if state.outcome:
            break
    return Timeline(_with_material(state, came), made_at, state.over_at, state.outcome, state.pauses)


def _first_stage(first: Fact) -> Stage:
    return _of_hold(first.reason) if first.what == "held" else _PLACES.get(first.what, Stage.QUEUE)


def _of_hold(reason: str) -> Stage:
    return Stage.MATERIAL if reason in MATERIAL_REASONS else Stage.HOLD


class _State:
    """Reads one log; keeps what has become certain in ``done``."""

    def __init__(self, *, is_outside: bool, has_set_up: bool) -> None:
        self.done: list[Interval] = []
        self.open: Interval | None = None
        self.has_begun = False
        self.is_set_up = not has_set_up
        self.outcome = ""
        self.over_at: datetime | None = None
        self.pauses = 0
        self._is_outside = is_outside

    def take(self, fact: Fact) -> None:
        if fact.what in BEFORE:
            if not self.has_begun:
                self.go(_first_stage(fact), fact, fact.at)
        elif fact.what in OVER:
            self.close(fact.at)
            self.outcome, self.over_at = fact.what, fact.at
        elif fact.what == "started":
            if not self.has_begun:
                self.has_begun = True
                self.go(self._working(), fact, fact.at)
        elif self.has_begun:
            self._take_begun(fact)

    def _take_begun(self, fact: Fact) -> None:
        assert self.open is not None
        if fact.what == "set_up":
            self.is_set_up = True
            if self.open.stage is Stage.SETUP:
                self.go(self._working(), fact, fact.at)
        elif fact.what == "resumed":
            self.go(self._working(), fact, fact.at)
        elif fact.what == "paused":
            self.pauses += self.open.stage in IN_WORK or self.open.stage is Stage.OUTSIDE
            material = fact.reason in MATERIAL_REASONS
            self.go(Stage.MATERIAL if material else Stage.STOP, fact, fact.at)
        elif fact.what == "suspended":
            self.go(_of_hold(fact.reason), fact, fact.at)
        elif fact.what == "changed":
            self.go(self.open.stage, replace(fact, reason=self.open.reason), fact.at)

    def _working(self) -> Stage:
        if self._is_outside:
            return Stage.OUTSIDE
        return Stage.PROCESS if self.is_set_up else Stage.SETUP

    def go(self, stage: Stage, fact: Fact, at: datetime) -> None:
        """Enter a stage; where nothing changes, nothing is written."""
        reason = fact.reason if stage in (Stage.STOP, Stage.HOLD, Stage.MATERIAL) else ""
        wanted = Interval(stage, at, None, fact.work_unit_id, fact.work_s, reason)
        if self.open is not None and replace(wanted, since=self.open.since) == self.open:
            return
        self.close(at)
        self.open = wanted

    def close(self, at: datetime) -> None:
        if self.open is not None and at > self.open.since:
            self.done.append(replace(self.open, until=at))
        self.open = None


def _with_material(state: _State, came: Iterable[datetime]) -> tuple[Interval, ...]:
    """Return the intervals, with the part of the queue that was a wait for material named so."""
    whole = [*state.done, *([state.open] if state.open is not None else [])]
    start = next((one.since for one in whole if one.stage in IN_WORK or one.stage is Stage.OUTSIDE), None)
    arrivals = [at for at in came if start is not None and at <= start]
    if start is None or not arrivals:
        return tuple(whole)
    last, found = max(arrivals), []
    for one in whole:
        until = one.until
        if one.stage is not Stage.QUEUE or until is None or until > start or one.since >= last:
            found.append(one)
        elif until <= last:
            found.append(replace(one, stage=Stage.MATERIAL))
        else:
            found.append(replace(one, stage=Stage.MATERIAL, until=last))
            found.append(replace(one, since=last))
    return tuple(found)
