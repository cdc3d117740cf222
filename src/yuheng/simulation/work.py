"""What flows through a plant, and the three doors through which others take part in it.

Orders, materials and dispatch come from elsewhere; a plant asks for them through `WorkSource` and tells what
happens through `Observer`. `StartedJobs` gives a machine what a person has started there; `RandomOrders` is the
endless customer of a plant that nobody else feeds, and of every plant in the silent hours before it begins to live.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from yuheng.engines.states.vocabulary import UnitState
from yuheng.simulation.engine import chance


@dataclass(slots=True)
class Job:
    """A lot that travels as one: so many pieces of one product family, and the work centers they pass.

    ``released == good + scrapped`` holds at every moment; ``good`` shrinks when a piece is rejected.

    Attributes
    ----------
    made
        Good pieces finished at the present step.
    cycle_s
        Mean time of a piece; 0: what the class of machine takes usually.
    run_id
        What the controller shows as its run while it makes this.
    is_flawless
        No piece of it is rejected: pieces that are worked on again, and what is mended rather than thrown away.
    is_over
        It has left the plant.
    """

    code: str
    family: str
    route: tuple[str, ...]  # codes of work centers, in order
    released: int  # pieces
    step: int = 0
    good: int = field(init=False)
    scrapped: int = 0
    made: int = 0
    cycle_s: float = 0.0
    run_id: str = ""
    is_flawless: bool = False
    is_over: bool = False

    def __post_init__(self) -> None:
        self.good = self.released

    @property
    def work_center(self) -> str:
        """Where it is, or waits to be worked on."""
        return self.route[self.step]

    @property
    def is_at_last_step(self) -> bool:
        """Whether it leaves the plant after this work center."""
        return self.step == len(self.route) - 1


class WorkSource(Protocol):
    """Where work comes from, and who decides which work unit does what."""

    def release(self, work_center: str, now: float) -> Job | None:
        """Return a new job that begins at this work center, or None when there is none now."""
        ...

    def next_job(self, work_unit: str, waiting: Sequence[Job], fitted_family: str, now: float) -> Job | None:
        """Choose which of the waiting jobs (oldest first) the free work unit takes; None: it waits."""
        ...


class Observer(Protocol):
    """Hears what happens, at the moment it happens in the model. It must not change the model."""

    def on_state(self, work_unit: str, state: UnitState, cause: str, at: float) -> None:
        """A work unit entered a state."""
        ...

    def on_job_done(self, job: Job, work_unit: str, at: float) -> None:
        """A work unit finished its step of a job; ``job.step`` is still that step."""
        ...


class RandomOrders:
    """Endless orders of random families and sizes; a free work unit prefers what needs no set-up.

    Parameters
    ----------
    routes
        Product family -> work centers in order.
    mix
        Product family -> share of the lots ordered; shares add up to 1.
    pieces_per_hour
        Mean rate of the orders, which come at random moments (a Poisson stream of lots).
    start
        Model time at which the first customer may come.
    lot_pieces
        Smallest and largest lot.

    Notes
    -----
    When the plant is too slow, at most `BOOK_LIMIT` lots wait in the book of a first work center; further customers go
    elsewhere and are counted in ``turned_away``.
    """

    BOOK_LIMIT = 12

    def __init__(
        self,
        routes: Mapping[str, tuple[str, ...]],
        mix: Mapping[str, float],
        pieces_per_hour: float,
        seed: int,
        start: float,
        *,
        lot_pieces: tuple[int, int] = (4, 16),
    ) -> None:
        self._lot_pieces = lot_pieces
        self.turned_away = 0
        self._routes = routes
        self._families = list(mix)
        self._shares = list(mix.values())
        self._stream: random.Random = chance(seed, "orders")
        self._lots_per_s = pieces_per_hour / (sum(lot_pieces) / 2) / 3600
        self._next_order_at = start
        self._number = 0
        self._book: dict[str, deque[Job]] = {}
        self._assigned: dict[str, str] = {}  # job code -> work unit

    def release(self, work_center: str, now: float) -> Job | None:
        """Return the oldest ordered lot that begins at this work center."""
        while self._next_order_at <= now:
            self._take_order()
            self._next_order_at += self._stream.expovariate(self._lots_per_s)
        book = self._book.get(work_center)
        return book.popleft() if book else None

    def next_job(self, work_unit: str, waiting: Sequence[Job], fitted_family: str, now: float) -> Job | None:
        """Take what was assigned to this work unit, else the fitted family among the oldest eight, else the oldest."""
        mine = [job for job in waiting if self._assigned.get(job.code, work_unit) == work_unit]
        for job in mine:
            if self._assigned.pop(job.code, "") == work_unit:
                return job
        same = (job for job in mine[:8] if job.family == fitted_family)
        return next(same, mine[0] if mine else None)

    def assign(self, job_code: str, work_unit: str) -> None:
        """Let only this work unit take the job at its next step: a dispatcher decided so."""
        self._assigned[job_code] = work_unit

    def _take_order(self) -> None:
        family = self._stream.choices(self._families, self._shares)[0]
        pieces = self._stream.randint(*self._lot_pieces)
        route = self._routes[family]
        book = self._book.setdefault(route[0], deque())
        if len(book) >= self.BOOK_LIMIT:
            self.turned_away += 1
            return
        self._number += 1
        book.append(Job(f"LOT-{self._number:06d}", family, route, pieces))


class StartedJobs:
    """Work that people start: a machine takes the job that was started there, and nothing else.

    Parameters
    ----------
    before
        Feeds the plant until people take over (`open`): the silent hours in which it is run in.
    """

    def __init__(self, before: WorkSource) -> None:
        self._before: WorkSource | None = before
        self._started: dict[str, str] = {}  # job code -> work unit

    @property
    def is_open(self) -> bool:
        """Whether people have taken over."""
        return self._before is None

    def open(self) -> None:
        """Let people take over: from now on nothing comes by itself."""
        self._before = None

    def start(self, job_code: str, work_unit: str) -> None:
        """Note where a job was started; it is admitted to the plant afterwards."""
        self._started[job_code] = work_unit

    def release(self, work_center: str, now: float) -> Job | None:
        """Return what comes by itself before people have taken over, then nothing."""
        return self._before.release(work_center, now) if self._before is not None else None

    def next_job(self, work_unit: str, waiting: Sequence[Job], fitted_family: str, now: float) -> Job | None:
        """Take what was started at this work unit."""
        if self._before is not None:
            return self._before.next_job(work_unit, waiting, fitted_family, now)
        for job in waiting:
            if self._started.get(job.code) == work_unit:
                del self._started[job.code]
                return job
        return None
