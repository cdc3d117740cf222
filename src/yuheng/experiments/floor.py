"""A floor as a discrete-event model in whole minutes: stations with calendars that break down, job orders that wait.

It knows nothing of planning. A `Policy` decides which job orders may begin and what a free station takes; it sees what
people and signals would tell it and nothing that lies ahead. Fates belong to things: how long a job order really takes
to its number, when a machine fails and for how long to the machine's own stream, so that they are the same whoever
decides.
"""

from __future__ import annotations

import copy
import heapq
import math
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from yuheng.experiments.orders import Demand, Task
from yuheng.experiments.parameters import Parameters
from yuheng.experiments.shifts import OpenMinutes, open_minutes
from yuheng.simulation.catalogue import Cause
from yuheng.simulation.engine import chance, lognormal, weibull
from yuheng.simulation.layout import UnitSpec
from yuheng.simulation.products import Catalogue

NEVER = 1 << 40


class Event(StrEnum):
    """What can be due."""

    ORDER = "order"
    LAG = "lag"
    FINISH = "finish"
    FAIL = "fail"
    REPAIRED = "repaired"
    OPEN = "open"
    WAKE = "wake"


@dataclass(slots=True)
class Job:
    """A job order. ``work`` and ``setup`` are what it really takes; a policy may look at ``task`` only.

    ``waits``: so many job orders before it are not done; ``earliest``: lags of those that are.
    """

    id: int
    order: int
    task: Task
    work: int
    setup: int
    waits: int
    followers: list[tuple[int, int]] = field(default_factory=list)
    earliest: int = 0
    is_released: bool = False
    ready_at: int = -1
    machine: int = -1
    start: int = -1
    end: int = -1
    fitted: int = 0
    """Minutes of set-up that it had."""

    @property
    def is_ready(self) -> bool:
        """Whether a station may take it now."""
        return self.ready_at >= 0 and self.start < 0


@dataclass(slots=True)
class Order:
    """An order line on its way. ``planned_at``: when somebody first planned it."""

    demand: Demand
    jobs: range
    left: int
    begun_at: int = -1
    shipped_at: int = -1


@dataclass(slots=True)
class Stop:
    """A breakdown; ``cause`` is what the machine says, ``usual_min`` what such stops usually take (the median)."""

    machine: int
    start: int
    end: int
    cause: str
    usual_min: float


@dataclass(slots=True)
class Machine:
    """A station and what it does now. ``done`` minutes of its job were worked before ``since``."""

    index: int
    code: str
    kind: str
    calendar: OpenMinutes
    causes: tuple[Cause, ...]
    mean_life_min: float
    stream: random.Random
    life_left: int = 0
    job: int = 0
    family: str = ""
    total: int = 0
    done: int = 0
    since: int = 0
    token: int = 0
    stop: Stop | None = None
    busy_min: int = 0


class Policy(Protocol):
    """Who decides. Every method may call `Floor.release` and `Floor.wake_at`; none may look at what lies ahead."""

    def order_came(self, floor: Floor, order: Order) -> None:
        """A customer has ordered."""

    def became_ready(self, floor: Floor, job: Job) -> None:
        """A released job order can begin."""

    def choose(self, floor: Floor, machine: Machine) -> int:
        """Return the job order that a free station takes now; 0: none. It must be ready and of the machine's kind."""

    def stopped(self, floor: Floor, machine: Machine) -> None:
        """A machine has broken down: what its signal says."""

    def is_back(self, floor: Floor, machine: Machine) -> None:
        """A machine works again."""

    def woken(self, floor: Floor, why: str) -> None:
        """The moment that was asked for by `Floor.wake_at`."""


class Floor:
    """One plant, one world of chance, one policy.

    Parameters
    ----------
    demands
        Orders by the time at which they come.
    seed
        Of breakdowns.

    Notes
    -----
    Whatever happens in the same minute happens before any station looks for work in that minute.
    """

    def __init__(
        self, catalogue: Catalogue, parameters: Parameters, demands: Sequence[Demand], seed: int, policy: Policy
    ) -> None:
        self.parameters, self.policy = parameters, policy
        self.now = 0
        self.jobs: dict[int, Job] = {}
        self.open: dict[int, Job] = {}
        self.orders: dict[int, Order] = {}
        self.open_orders: dict[int, Order] = {}
        self.stops: list[Stop] = []
        self._demands = demands
        self._heap: list[tuple[int, int, Event, int, int, str]] = []
        self._count = 0
        self._opening: set[int] = set()
        days = (demands[-1].at if demands else 0) // 1440 + 40
        calendars = {one.code: open_minutes(one, days) for one in catalogue.plant.calendars}
        self.machines = [
            _machine(k, unit, calendars[unit.work_center.calendar], parameters, seed)
            for k, unit in enumerate(catalogue.plant.units())
        ]
        self.idle = {machine.index for machine in self.machines}
        for k, demand in enumerate(demands):
            self._push(demand.at, Event.ORDER, k)
        self.wake_at(0, "begin")

    # --- what policies may do and ask

    def release(self, job: Job) -> None:
        """Let a job order begin as soon as what it waits for is done."""
        if not job.is_released:
            job.is_released = True
            self._look(job)

    def wake_at(self, minute: int, why: str) -> None:
        """Call `Policy.woken` at a minute."""
        self._push(max(minute, self.now), Event.WAKE, 0, 0, why)

    def worked(self, machine: Machine) -> int:
        """Return the minutes that a machine has worked on its present job, set-up included."""
        if machine.stop is not None or not machine.job:
            return machine.done
        return machine.done + machine.calendar.between(machine.since, self.now)

    # --- running

    def run(self, until: int = NEVER) -> None:
        """Let everything up to and including a minute happen, or until all is shipped."""
        while self._heap and self._heap[0][0] <= until:
            self.now = self._heap[0][0]
            while self._heap and self._heap[0][0] == self.now:
                _at, _order, event, a, b, why = heapq.heappop(self._heap)
                self._happen(event, a, b, why)
            self._take_work()
            if not self.open_orders and not any(row[2] is Event.ORDER for row in self._heap):
                return

    def fork(self, policy: Policy, *, without_orders: bool = False) -> Floor:
        """Return the same floor at the same moment with the same fates, under another policy.

        ``without_orders``: nobody orders any more.
        """
        twin: Floor = object.__new__(Floor)
        twin.__dict__.update(self.__dict__)
        twin.policy = policy
        twin.open = {key: copy.copy(job) for key, job in self.open.items()}
        twin.jobs = {**self.jobs, **twin.open}
        twin.orders = {key: copy.copy(order) for key, order in self.orders.items()}
        twin.open_orders = {key: twin.orders[key] for key in self.open_orders}
        twin.machines = []
        for machine in self.machines:
            other = copy.copy(machine)
            other.stream = random.Random()
            other.stream.setstate(machine.stream.getstate())
            other.stop = copy.copy(machine.stop)
            twin.machines.append(other)
        twin.stops = list(self.stops)
        twin.idle, twin._opening = set(self.idle), set(self._opening)
        left_out = {Event.WAKE, Event.ORDER} if without_orders else {Event.WAKE}
        twin._heap = [row for row in self._heap if row[2] not in left_out]
        heapq.heapify(twin._heap)
        return twin

    def _push(self, at: int, event: Event, a: int = 0, b: int = 0, why: str = "") -> None:
        self._count += 1
        heapq.heappush(self._heap, (at, self._count, event, a, b, why))

    def _happen(self, event: Event, a: int, b: int, why: str) -> None:
        if event is Event.ORDER:
            self._order_comes(self._demands[a])
        elif event is Event.LAG:
            self._look(self.jobs[a])
        elif event is Event.WAKE:
            self.policy.woken(self, why)
        elif event is Event.OPEN:
            self._opening.discard(self.now)
        elif self.machines[a].token == b:
            machine = self.machines[a]
            if event is Event.FINISH:
                self._finish(machine)
            elif event is Event.FAIL:
                self._fail(machine)
            else:
                self._repaired(machine)

    def _order_comes(self, demand: Demand) -> None:
        first = len(self.jobs) + 1
        order = Order(demand, range(first, first + len(demand.tasks)), len(demand.tasks))
        for k, task in enumerate(demand.tasks):
            run, setup = demand.noise[k]
            work, fitting = max(1, round(task.run_min * run)), max(1, round(task.setup_min * setup))
            job = Job(first + k, demand.number, task, work, fitting, len(task.before))
            for before, lag in task.before:
                self.jobs[first + before].followers.append((job.id, lag))
            self.jobs[job.id] = self.open[job.id] = job
        self.orders[demand.number] = self.open_orders[demand.number] = order
        self.policy.order_came(self, order)

    def _look(self, job: Job) -> None:
        """Say that a job order is ready when it is."""
        if not job.is_released or job.waits or job.ready_at >= 0:
            return
        if job.earliest > self.now:
            self._push(job.earliest, Event.LAG, job.id)
            return
        job.ready_at = self.now
        self.policy.became_ready(self, job)

    # --- stations

    def _take_work(self) -> None:
        for k in sorted(self.idle):
            machine = self.machines[k]
            opens = machine.calendar.begin(self.now)
            if opens > self.now:
                if opens not in self._opening:
                    self._opening.add(opens)
                    self._push(opens, Event.OPEN)
                continue
            chosen = self.policy.choose(self, machine)
            if chosen:
                self._begin(machine, self.jobs[chosen])

    def _begin(self, machine: Machine, job: Job) -> None:
        if not job.is_ready or job.task.machine != machine.kind:
            raise ValueError(f"job order {job.id} cannot begin on {machine.code}")
        self.idle.discard(machine.index)
        job.machine, job.start = machine.index, self.now
        job.fitted = 0 if machine.family == job.task.family else job.setup
        machine.job, machine.family = job.id, job.task.family
        machine.total, machine.done = job.work + job.fitted, 0
        order = self.orders[job.order]
        order.begun_at = self.now if order.begun_at < 0 else order.begun_at
        self._go_on(machine)

    def _go_on(self, machine: Machine) -> None:
        machine.since = self.now
        machine.token += 1
        left = machine.total - machine.done
        if machine.life_left < left:
            self._push(machine.calendar.end(self.now, machine.life_left), Event.FAIL, machine.index, machine.token)
        else:
            self._push(machine.calendar.end(self.now, left), Event.FINISH, machine.index, machine.token)

    def _finish(self, machine: Machine) -> None:
        job = self.jobs[machine.job]
        machine.life_left = max(1, machine.life_left - (machine.total - machine.done))
        machine.busy_min += machine.total
        machine.job, machine.token = 0, machine.token + 1
        self.idle.add(machine.index)
        job.end = self.now
        del self.open[job.id]
        order = self.orders[job.order]
        order.left -= 1
        if not order.left:
            order.shipped_at = self.now
            del self.open_orders[job.order]
        for after, lag in job.followers:
            other = self.jobs[after]
            other.waits -= 1
            other.earliest = max(other.earliest, self.now + lag)
            self._look(other)

    def _fail(self, machine: Machine) -> None:
        machine.done += machine.life_left
        machine.token += 1
        cause = machine.stream.choices(machine.causes, [one.weight for one in machine.causes])[0]
        usual = cause.repair_s / 60.0
        spread = self.parameters.repair_spread
        repair = max(1, round(lognormal(machine.stream, usual, spread)))
        machine.life_left = _life(machine, self.parameters)
        median = usual / math.sqrt(1.0 + spread * spread)
        machine.stop = Stop(machine.index, self.now, self.now + repair, str(cause.code), median)
        self.stops.append(machine.stop)
        self._push(self.now + repair, Event.REPAIRED, machine.index, machine.token)
        self.policy.stopped(self, machine)

    def _repaired(self, machine: Machine) -> None:
        machine.stop = None
        self._go_on(machine)
        self.policy.is_back(self, machine)


def _machine(index: int, unit: UnitSpec, calendar: OpenMinutes, parameters: Parameters, seed: int) -> Machine:
    kind = unit.kind
    causes = tuple(one for one in kind.causes if one.repair_s >= parameters.least_stop_min * 60.0)
    share = sum(one.weight for one in causes) / sum(one.weight for one in kind.causes)
    longer = parameters.longer_stops
    stretched = tuple(
        Cause(one.code, one.name_zh, one.name_en, one.weight, one.repair_s * longer) for one in causes
    )  # fmt: skip
    mean = kind.mean_time_to_failure_s / 60.0 / share * longer if causes else float(NEVER)
    code = unit.code
    machine = Machine(index, code, kind.code, calendar, stretched, mean, chance(seed, f"experiment/failures/{code}"))
    # A plant is not born this morning: each machine is somewhere within its life.
    machine.life_left = max(1, round(_life(machine, parameters) * machine.stream.random()))
    return machine


def _life(machine: Machine, parameters: Parameters) -> int:
    if not machine.causes:
        return NEVER
    return max(1, round(weibull(machine.stream, machine.mean_life_min, parameters.failure_shape)))
