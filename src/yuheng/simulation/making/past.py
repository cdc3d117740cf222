"""What a plant did before the visitor came: when each job order of an order began and ended, and where.

Orders are served in their turn; a job order begins when everything before it is done and the work unit that is free
first takes it. So nothing overlaps, queues are real, and at the end every work unit is in the middle of something.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Task:
    """A job order to be placed: ``before`` are the ids of those it waits for, with the time that passes between."""

    id: int
    units: tuple[str, ...]  # where it may run
    duration_s: float
    before: tuple[tuple[int, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Placed:
    """When and where a job order ran; ``end`` may lie in the future: then it runs still."""

    id: int
    unit: str
    start: float
    end: float


class Floor:
    """When each work unit is free again.

    Parameters
    ----------
    units
        Codes of all work units.
    opens
        When they were free first, seconds since 1970.
    stream
        Of chance: how long a job really took against the plan, and how long a unit stood before.
    """

    def __init__(self, units: Sequence[str], opens: float, stream: random.Random) -> None:
        self._stream = stream
        self._free = {unit: opens + stream.uniform(0, 1800) for unit in units}

    def place(self, tasks: Sequence[Task], begins: float) -> list[Placed]:
        """Return when each task runs if the order is released at ``begins``; before those that wait for it.

        Raises
        ------
        ValueError
            The tasks wait for each other.
        """
        done: dict[int, Placed] = {}
        waiting = list(tasks)
        while waiting:
            ready = [task for task in waiting if all(before in done for before, _lag in task.before)]
            if not ready:
                raise ValueError("These job orders wait for each other.")
            for task in ready:
                done[task.id] = self._place(task, begins, done)
            waiting = [task for task in waiting if task.id not in done]
        return sorted(done.values(), key=lambda one: one.start)

    def _place(self, task: Task, begins: float, done: Mapping[int, Placed]) -> Placed:
        earliest = max([begins, *(done[before].end + lag for before, lag in task.before)])
        unit = min(task.units, key=lambda one: (max(self._free[one], earliest), -self._free[one], one))
        start = max(self._free[unit], earliest) + self._stream.uniform(30, 240)
        end = start + task.duration_s * self._stream.uniform(0.9, 1.25)
        self._free[unit] = end
        return Placed(task.id, unit, start, end)
