"""The demo plants there are, by the name that ``yuheng up --demo NAME`` takes."""

from __future__ import annotations

from yuheng.simulation.appliance.plant import APPLIANCE
from yuheng.simulation.elevator.plant import ELEVATOR
from yuheng.simulation.layout import PlantSpec

PLANTS: dict[str, PlantSpec] = {plant.name: plant for plant in (ELEVATOR, APPLIANCE)}

CHOICES: dict[str, tuple[str, ...]] = {**{name: (name,) for name in PLANTS}, "both": tuple(PLANTS)}
"""What can be asked for -> which plants that is."""
