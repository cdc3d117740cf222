"""Now and then the connection of one machine drops: its edge device hears nothing from it, so nobody does."""

from __future__ import annotations

from yuheng.simulation.engine import chance
from yuheng.simulation.model import Plant

BETWEEN_S = 900.0
SHORTEST_S, LONGEST_S = 90.0, 300.0


class Outages:
    """Chooses who falls silent, when, and for how long. The machine itself works on.

    Parameters
    ----------
    plant
        Whose machines they are; the outages live in its calendar.
    seed
        Of this stream of chance.
    """

    def __init__(self, plant: Plant, *, seed: int) -> None:
        self._plant = plant
        self._stream = chance(seed, "outages")
        self._silent_until: dict[str, float] = {}
        plant.calendar.after(self._stream.expovariate(1 / BETWEEN_S), self._begin)

    def is_silent(self, work_unit: str) -> bool:
        """Whether nothing comes from the machine now."""
        return self._plant.now < self._silent_until.get(work_unit, 0.0)

    def _begin(self) -> None:
        unit = self._stream.choice(list(self._plant.machines))
        self._silent_until = {unit: self._plant.now + self._stream.uniform(SHORTEST_S, LONGEST_S)}
        self._plant.calendar.after(self._stream.expovariate(1 / BETWEEN_S), self._begin)
