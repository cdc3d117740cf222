"""From one moment of a plant to a problem of the scheduling engine, and back."""

from yuheng.scheduling.building.build import build
from yuheng.scheduling.building.built import OUTSIDE, Built, Rows, outside
from yuheng.scheduling.building.facts import STANDS, Away, PlantFacts, Slow, Standing, UnitFact
from yuheng.scheduling.building.levers import (
    NONE,
    Back,
    Down,
    Levers,
    OpenLonger,
    lasting,
    read_levers,
    together,
    write_levers,
)
from yuheng.scheduling.building.notices import LEFT_OUT, MESSAGES, Notice

__all__ = [
    "LEFT_OUT",
    "MESSAGES",
    "NONE",
    "OUTSIDE",
    "STANDS",
    "Away",
    "Back",
    "Built",
    "Down",
    "Levers",
    "Notice",
    "OpenLonger",
    "PlantFacts",
    "Rows",
    "Slow",
    "Standing",
    "UnitFact",
    "build",
    "lasting",
    "outside",
    "read_levers",
    "together",
    "write_levers",
]
