"""The elevator plant at work."""

from __future__ import annotations

from collections.abc import Iterable

from yuheng.simulation.elevator.plant import ELEVATOR
from yuheng.simulation.model import Plant
from yuheng.simulation.work import Observer, WorkSource


class ElevatorPlant(Plant):
    """130 machines at work; see `model.Plant`."""

    def __init__(
        self, *, seed: int, start: float, work: WorkSource | None = None, observers: Iterable[Observer] = ()
    ) -> None:
        super().__init__(ELEVATOR, seed=seed, start=start, work=work, observers=observers)
