"""What one finished job order took, on the same footing as its standard. Plain Python."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from yuheng.performance.rules.stages import Stage, Timeline


class Told(StrEnum):
    """Who told the times: people at terminals, the machines' signals, both, or a log that was imported."""

    PERSON = "person"
    SIGNAL = "signal"
    MIXED = "mixed"
    IMPORT = "import"


@dataclass(frozen=True, slots=True)
class Measured:
    """Seconds of set-up (None: not told apart from the run) and of one run, as the standard counts it."""

    setup_s: float | None
    run_s: float
    pauses: int
    paused_s: float


def who_told(sources: Iterable[str]) -> Told:
    """Return who told the times of a job order.

    Examples
    --------
    >>> who_told({"person"}).value, who_told({"person", "signal"}).value
    ('person', 'mixed')
    """
    found = set(sources)
    if len(found) == 1:
        return Told(found.pop())
    return Told.MIXED if found else Told.PERSON


def runs_of(pieces: float, run_quantity: float, batch_size: float | None) -> float:
    """Return how many times the standard's run was done for so many pieces: whole batches where it works in batches.

    Examples
    --------
    >>> runs_of(25, 10, None), runs_of(25, 1, 10)
    (2.5, 3)
    """
    return math.ceil(pieces / batch_size) if batch_size else pieces / run_quantity


def measure(
    life: Timeline, *, pieces: float, runs: float, planned_setup_s: float, shares_unit: bool
) -> Measured | None:
    """Return what a finished job order took; None when it says nothing of a standard.

    Notes
    -----
    Pauses, holds and waits for material are no work. When nobody told the end of the set-up, the planned set-up is
    taken off, at most all but a tenth of the work. Shared machines (ovens) count as they are: the time of a batch.
    """
    if life.outcome != "ended" or pieces <= 0 or runs <= 0:
        return None
    has_set_up = any(one.stage is Stage.SETUP for one in life.intervals)
    setup_s = life.seconds(Stage.SETUP) if has_set_up else None
    run_s = life.seconds(Stage.PROCESS)
    if setup_s is None and planned_setup_s > 0 and not shares_unit:
        run_s = max(run_s - planned_setup_s, run_s / 10.0)
    if run_s <= 0:
        return None
    begun = next((one.since for one in life.intervals if one.stage in (Stage.SETUP, Stage.PROCESS)), None)
    paused = sum(
        (one.until - one.since).total_seconds()
        for one in life.intervals
        if one.stage in (Stage.STOP, Stage.MATERIAL, Stage.HOLD) and one.until and begun and one.since >= begun
    )
    return Measured(setup_s, run_s / runs, life.pauses, paused)
