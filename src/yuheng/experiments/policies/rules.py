"""Rules at the stations: no plan, one queue for each kind of machine, a free station takes the first."""

from __future__ import annotations

import heapq

from yuheng.experiments.floor import Floor, Job, Machine, Order

FIFO, EDD = "fifo", "edd"


class Rules:
    """Everything is released when it is ordered; ``rule``: the longest waiting or the earliest promise goes first.

    Rush orders go before all others. A breakdown needs no reaction: the queue is everybody's.
    """

    def __init__(self, rule: str) -> None:
        self.rule = rule
        self._queues: dict[str, list[tuple[int, int, int]]] = {}

    def order_came(self, floor: Floor, order: Order) -> None:
        """Release it."""
        for job in order.jobs:
            floor.release(floor.jobs[job])

    def became_ready(self, floor: Floor, job: Job) -> None:
        """Put it into the queue of its kind of machine."""
        demand = floor.orders[job.order].demand
        key = demand.due if self.rule == EDD else job.ready_at
        heapq.heappush(self._queues.setdefault(job.task.machine, []), (0 if demand.is_rush else 1, key, job.id))

    def choose(self, floor: Floor, machine: Machine) -> int:
        """Return the first of the queue."""
        queue = self._queues.get(machine.kind)
        return heapq.heappop(queue)[2] if queue else 0

    def stopped(self, floor: Floor, machine: Machine) -> None:
        """Nothing to do."""

    def is_back(self, floor: Floor, machine: Machine) -> None:
        """Nothing to do."""

    def woken(self, floor: Floor, why: str) -> None:
        """Nothing to do."""

    def take_over(self, floor: Floor) -> None:
        """Go on with a floor that somebody else has run until now."""
        for job in floor.open.values():
            if job.is_ready:
                self.became_ready(floor, job)
        for order in floor.open_orders.values():
            self.order_came(floor, order)
