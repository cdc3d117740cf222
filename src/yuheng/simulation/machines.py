"""What one machine does: takes a job, sets up, makes pieces, breaks down, waits, rests; and says what it is doing.

A machine decides what is next at the end of each thing it does (`Machine.proceed`). Nothing is interrupted except a
cycle, by a breakdown that was due within it; so the calendar holds one event a machine.
"""

from __future__ import annotations

import random
from enum import IntEnum
from typing import Protocol

from yuheng.engines.states.vocabulary import UnitState
from yuheng.simulation import catalogue
from yuheng.simulation.catalogue import Cause
from yuheng.simulation.engine import Action, EventCalendar, chance, lognormal, weibull
from yuheng.simulation.layout import UnitSpec
from yuheng.simulation.work import Job

FAILURE_SHAPE = 1.4  # of the Weibull time to failure: wear matters a little
REPAIR_SPREAD = 0.8
SETUP_SPREAD = 0.35
MAINTENANCE_EVERY_S = 30 * 3600.0  # of production
MAINTENANCE_S = 1800.0
SCRAPPED_BY_BREAKDOWN = 0.3  # chance that the piece in work does not survive


class Activity(IntEnum):
    """What the machine's sensors feel; finer than its state."""

    STANDING = 0  # fault or planned stop
    WAITING = 1
    SETUP = 2
    HANDLING = 3  # within a cycle: loading, unloading, positioning
    WORKING = 4


class Floor(Protocol):
    """What a machine sees of the plant around it."""

    def next_job(self, machine: Machine) -> Job | None:
        """Return the job to take now; None: stay in the queue of those who wait."""
        ...

    def deliver(self, machine: Machine, job: Job) -> bool:
        """Pass a finished job on; False when the next buffer is full."""
        ...

    def break_ends(self, machine: Machine) -> float | None:
        """Return the end of the break that is on now, in model time; None when there is none."""
        ...

    def setup_s(self, machine: Machine, family: str) -> float:
        """Return the mean time to fit the machine for another family."""
        ...

    def state_changed(self, machine: Machine) -> None:
        """Hear of a new state."""
        ...


class Machine:
    """One work unit.

    Attributes
    ----------
    state, cause
        What it is doing and why; ``cause`` is the code that its signals show, as text, or "".
    cycle_start, cycle_end
        Of the piece in work, in model time; meaningless unless the state is PRODUCING.
    """

    def __init__(self, spec: UnitSpec, calendar: EventCalendar, floor: Floor, seed: int) -> None:
        self.spec = spec
        self.kind = spec.kind
        self.state = UnitState.IDLE
        self.cause = str(catalogue.WAIT_STARVED)
        self.since = calendar.now
        self.job: Job | None = None
        self.fitted_family = ""
        self.good_count = 0
        self.reject_count = 0
        self.cycle_time_s = 0.0
        self.cycle_start = calendar.now
        self.cycle_end = calendar.now
        self._pieces_left = 0
        self._cycle_left_s = 0.0  # of a piece that a breakdown interrupted
        self._calendar = calendar
        self._floor = floor
        self._stream: random.Random = chance(seed, spec.code)
        self._life_s = weibull(self._stream, self.kind.mean_time_to_failure_s, FAILURE_SHAPE)
        # A plant is not born this morning: each machine is somewhere within its life.
        self._life_left_s = self._life_s * self._stream.random()
        self._maintenance_left_s = MAINTENANCE_EVERY_S * self._stream.random()

    # ---- what others may ask -------------------------------------------------------------------------------------

    @property
    def is_waiting(self) -> bool:
        """Whether it stands for lack of a job or of room, and nothing is scheduled for it."""
        return self.state is UnitState.IDLE

    @property
    def wear(self) -> float:
        """How much of its life to the next breakdown is used, from 0 to 1."""
        left = self._life_left_s
        if self.state is UnitState.PRODUCING:
            left -= self._calendar.now - self.cycle_start
        return min(1.0, max(0.0, 1.0 - left / self._life_s))

    def activity(self, now: float) -> Activity:
        """Return what its sensors feel at ``now``."""
        if self.state is UnitState.PRODUCING:
            done = (now - self.cycle_start) / max(self.cycle_end - self.cycle_start, 1e-9)
            idle_share = (1 - self.kind.work_share) / 2  # loading at the start, unloading at the end
            return Activity.WORKING if idle_share <= done <= 1 - idle_share else Activity.HANDLING
        if self.state is UnitState.SETUP:
            return Activity.SETUP
        return Activity.WAITING if self.state is UnitState.IDLE else Activity.STANDING

    @property
    def run_id(self) -> str:
        """The run that the controller shows; "" while it has none."""
        return self.job.run_id if self.job is not None else ""

    def take_over(self, job: Job) -> Job | None:
        """Go on with this job instead of the present one, as it is: fitted, in the middle of a piece; return the other.

        For a plant that has been run in: what it makes turns out to be somebody's order.
        """
        before, self.job = self.job, job
        self._pieces_left = max(job.good - job.made, 0)
        self.fitted_family = job.family
        if self.is_waiting:
            self.proceed()
        return before

    def let_go(self) -> None:
        """Make nothing more of the present job than the piece in work."""
        self._pieces_left = 1 if self.state is UnitState.PRODUCING or self._cycle_left_s > 0 else 0
        if self.job is not None and self.is_waiting:
            self.proceed()

    def reset_counters(self) -> None:
        """Start counting from zero, as when a shift's counters are cleared."""
        self.good_count = 0
        self.reject_count = 0

    # ---- what it does --------------------------------------------------------------------------------------------

    def proceed(self) -> None:
        """Decide what comes next: rest, maintenance, a piece, a set-up, delivery, or a new job."""
        break_ends = self._floor.break_ends(self)
        if break_ends is not None:
            self._stop_as_planned(catalogue.STOP_BREAK, break_ends - self._calendar.now)
        elif self._maintenance_left_s <= 0 and self.job is None:
            self._maintenance_left_s = MAINTENANCE_EVERY_S
            self._stop_as_planned(catalogue.STOP_MAINTENANCE, lognormal(self._stream, MAINTENANCE_S, 0.3))
        elif self._cycle_left_s > 0:
            self._make_piece(self._cycle_left_s)
        elif self._pieces_left > 0:
            self._make_piece(self._draw_cycle())
        elif self.job is not None:
            self._deliver(self.job)
        else:
            self._take_job()

    def _stop_as_planned(self, code: int, duration_s: float) -> None:
        self._enter(UnitState.PLANNED_STOP, str(code))
        self._later(duration_s, self.proceed)

    def _take_job(self) -> None:
        job = self._floor.next_job(self)
        if job is None:
            self._enter(UnitState.IDLE, str(catalogue.WAIT_STARVED))
            return
        self.job = job
        self._pieces_left = max(job.good - job.made, 0)
        if job.family == self.fitted_family:
            self.proceed()
            return
        setup_s = lognormal(self._stream, self._floor.setup_s(self, job.family), SETUP_SPREAD)
        self.fitted_family = job.family
        self._enter(UnitState.SETUP, "")
        self._later(setup_s, self.proceed)

    def _draw_cycle(self) -> float:
        mean = (self.job.cycle_s if self.job is not None else 0.0) or self.kind.cycle_s
        self.cycle_time_s = lognormal(self._stream, mean, self.kind.cycle_spread)
        return self.cycle_time_s

    def _make_piece(self, duration_s: float) -> None:
        self.cycle_start = self._calendar.now
        self.cycle_end = self.cycle_start + duration_s
        self._enter(UnitState.PRODUCING, "")
        if self._life_left_s < duration_s:
            self._later(self._life_left_s, self._break_down)
        else:
            self._later(duration_s, self._finish_piece)

    def _finish_piece(self) -> None:
        self._age()
        self._cycle_left_s = 0.0
        self._count_piece(is_good=self._stream.random() >= self.kind.reject_ratio)
        self.proceed()

    def _count_piece(self, *, is_good: bool) -> None:
        assert self.job is not None
        self._pieces_left -= 1
        if is_good or self.job.is_flawless:
            self.good_count += 1
            self.job.made += 1
        else:
            self.reject_count += 1
            self.job.good -= 1
            self.job.scrapped += 1

    def _break_down(self) -> None:
        self._age()
        self._cycle_left_s = self.cycle_end - self._calendar.now
        is_flawless = self.job is not None and self.job.is_flawless
        if self._stream.random() < SCRAPPED_BY_BREAKDOWN and not is_flawless:
            self._cycle_left_s = 0.0
            self._count_piece(is_good=False)
        self._life_s = weibull(self._stream, self.kind.mean_time_to_failure_s, FAILURE_SHAPE)
        self._life_left_s = self._life_s
        cause = self._draw_cause()
        self._enter(UnitState.DOWN, str(cause.code))
        self._later(lognormal(self._stream, cause.repair_s, REPAIR_SPREAD), self.proceed)

    def _draw_cause(self) -> Cause:
        causes = self.kind.causes
        return self._stream.choices(causes, [cause.weight for cause in causes])[0]

    def _age(self) -> None:
        produced_s = self._calendar.now - self.cycle_start
        self._life_left_s -= produced_s
        self._maintenance_left_s -= produced_s

    def _deliver(self, job: Job) -> None:
        if self._floor.deliver(self, job):
            self.job = None
            self.proceed()
        else:
            self._enter(UnitState.IDLE, str(catalogue.WAIT_BLOCKED))

    # ---- small print ---------------------------------------------------------------------------------------------

    def _enter(self, state: UnitState, cause: str) -> None:
        if (state, cause) == (self.state, self.cause):
            return
        self.state, self.cause, self.since = state, cause, self._calendar.now
        self._floor.state_changed(self)

    def _later(self, delay_s: float, action: Action) -> None:
        self._calendar.after(delay_s, action)
