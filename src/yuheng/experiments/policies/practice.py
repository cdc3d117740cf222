"""Common practice: plans at fixed times by due date and fixed lead times; first in, first out; shift meetings."""

from __future__ import annotations

from yuheng.experiments.floor import Floor, Job, Machine, Order

PLAN, MEETING, RELEASE = "plan", "meeting", "release"


class Practice:
    """Orders wait for the next plan (rush orders for the next meeting) and are released by fixed lead times.

    What is released goes, when it can begin, to the station of its kind with the least work in front of it that does
    not stand. There it is worked on in the order of arrival, rush orders first. What waits at a station that breaks
    down afterwards waits until the next shift meeting, where the queues are laid out anew.
    """

    def __init__(self) -> None:
        self._unplanned: list[Order] = []
        self._queues: dict[int, list[int]] = {}
        self._of_kind: dict[str, list[Machine]] = {}

    def order_came(self, floor: Floor, order: Order) -> None:
        """Keep it for the next plan."""
        self._unplanned.append(order)

    def became_ready(self, floor: Floor, job: Job) -> None:
        """Carry it to a station."""
        there = self._stations(floor, job.task.machine)
        able = [one for one in there if one.stop is None] or there
        best = min(able, key=lambda one: (self._load(floor, one), one.index))
        self._enqueue(floor, best, job)

    def choose(self, floor: Floor, machine: Machine) -> int:
        """Return the first of the station's own queue."""
        queue = self._queues.get(machine.index)
        return queue.pop(0) if queue else 0

    def stopped(self, floor: Floor, machine: Machine) -> None:
        """Nobody does anything before the meeting."""

    def is_back(self, floor: Floor, machine: Machine) -> None:
        """It goes on."""

    def woken(self, floor: Floor, why: str) -> None:
        """Plan, meet, or release what is due."""
        parameters = floor.parameters
        if why in ("begin", PLAN):
            self._plan(floor, self._unplanned)
            self._unplanned = []
            floor.wake_at(floor.now + parameters.practice_plan_min, PLAN)
        if why in ("begin", MEETING):
            self._plan(floor, [order for order in self._unplanned if order.demand.is_rush])
            self._unplanned = [order for order in self._unplanned if not order.demand.is_rush]
            self._lay_out(floor)
            floor.wake_at(floor.now + parameters.meeting_min, MEETING)
        if why.startswith(RELEASE):
            floor.release(floor.jobs[int(why.removeprefix(RELEASE))])

    def _plan(self, floor: Floor, orders: list[Order]) -> None:
        """Count back from the promise: each step has so many times its own work."""
        times = floor.parameters.practice_queue
        for order in orders:
            first = order.jobs.start
            tasks = order.demand.tasks
            latest = [order.demand.due] * len(tasks)
            for k in range(len(tasks) - 1, -1, -1):
                begin = latest[k] - int(times * (tasks[k].setup_min + tasks[k].run_min))
                for before, lag in tasks[k].before:
                    latest[before] = min(latest[before], begin - lag)
                if begin <= floor.now:
                    floor.release(floor.jobs[first + k])
                else:
                    floor.wake_at(begin, f"{RELEASE}{first + k}")

    def _lay_out(self, floor: Floor) -> None:
        waiting = [floor.jobs[job] for queue in self._queues.values() for job in queue]
        self._queues = {}
        for job in sorted(waiting, key=lambda one: (one.ready_at, one.id)):
            self.became_ready(floor, job)

    def _enqueue(self, floor: Floor, machine: Machine, job: Job) -> None:
        queue = self._queues.setdefault(machine.index, [])
        if not floor.orders[job.order].demand.is_rush:
            queue.append(job.id)
            return
        rush = sum(floor.orders[floor.jobs[one].order].demand.is_rush for one in queue)
        queue.insert(rush, job.id)

    def _load(self, floor: Floor, machine: Machine) -> float:
        """Standard minutes in front of a station."""
        waiting = sum(floor.jobs[job].task.run_min for job in self._queues.get(machine.index, ()))
        running = floor.jobs[machine.job].task.run_min - floor.worked(machine) if machine.job else 0.0
        return waiting + max(0.0, running)

    def _stations(self, floor: Floor, kind: str) -> list[Machine]:
        if kind not in self._of_kind:
            self._of_kind[kind] = [one for one in floor.machines if one.kind == kind]
        return self._of_kind[kind]
