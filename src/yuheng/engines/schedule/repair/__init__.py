"""After a disturbance: a valid plan at once, a better one soon, and different ones to choose from.

The way through: `situate` turns a published plan, a moment and what happened into the problem of this moment;
`Replanner` makes plans for it at a position of the slider between stability and lateness; `alternatives` and `pareto`
make several to choose from. `repair` is all of it in one call.
"""

from yuheng.engines.schedule.repair.choices import Alternative, Point, alternatives, are_different, pareto
from yuheng.engines.schedule.repair.consequences import Consequences, OrderLate, StationTouched, consequences
from yuheng.engines.schedule.repair.disturbances import (
    Disturbance,
    DueMoved,
    ExtraShift,
    JobCancelled,
    MachineDown,
    MachineSlow,
    MaterialLate,
    PersonAbsent,
    ResourceChanged,
    RushJob,
    Scrapped,
    WorkChanged,
)
from yuheng.engines.schedule.repair.replanning import Proposal, Replanner, repair
from yuheng.engines.schedule.repair.situation import Actual, Situation, disturb, situate

__all__ = [
    "Actual",
    "Alternative",
    "Consequences",
    "Disturbance",
    "DueMoved",
    "ExtraShift",
    "JobCancelled",
    "MachineDown",
    "MachineSlow",
    "MaterialLate",
    "OrderLate",
    "PersonAbsent",
    "Point",
    "Proposal",
    "Replanner",
    "ResourceChanged",
    "RushJob",
    "Scrapped",
    "Situation",
    "StationTouched",
    "WorkChanged",
    "alternatives",
    "are_different",
    "consequences",
    "disturb",
    "pareto",
    "repair",
    "situate",
]
