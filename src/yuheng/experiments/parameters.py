"""What is fixed before anything is compared. Every number of the experiment that is not the demo plant's own is here.

``docs/experiments/dispatch.md`` says why each is what it is. The fingerprint covers these numbers and the demo plant's
tables, and is printed with every result: two results with the same fingerprint are of the same plant.
"""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

import orjson

from yuheng.simulation.products import Catalogue

BEGINS = datetime(2026, 3, 2, tzinfo=UTC)
"""Minute 0: a Monday. The model's plant keeps its clock in UTC; it has no summer time."""


@dataclass(frozen=True, slots=True)
class Parameters:
    """One experiment; minutes and shares unless said.

    Attributes
    ----------
    warm_up_min, measured_min
        Orders that come in the warm-up fill the floor and are not counted; those of the measured time are, until the
        last of them is shipped.
    orders_per_hour
        Customers' orders, a Poisson stream.
    allowance
        A promise is between so many times the order's own longest way through the plant (its critical path, nobody in
        front of it) from the moment it is given; ``rush_allowance`` for rush orders.
    spread
        Coefficient of variation of the work of a job order against its standard time (lognormal), and of set-ups.
    least_stop_min
        Stops whose usual length is shorter are what an operator clears alone: they are part of ``spread``. The others
        are breakdowns; failures are as many as the demo plant's, in its own proportions.
    longer_stops
        Repairs take so many times as long and failures are so many times as rare: the same share of time is lost.
    repair_spread
        Coefficient of variation of a repair against the usual one for its cause: so wrong are expected ends.
    meeting_min
        Between two shift meetings, where practice reacts.
    plan_min
        Between two plans of the engine.
    place_min
        New orders get their places in the plan at most so often; production does it within seconds.
    practice_plan_min
        Between two plans of common practice, for ordinary orders.
    practice_queue
        Fixed lead times: each step is given so many times its own work, of which the most is waiting.
    loop_least_min
        Between two answers of the loop: a dispatcher who has just accepted one is left alone for so long.
    loop_stop_min
        A stop is told to the loop when it has lasted so long.
    slow_min
        The same where nobody is told by a signal: until somebody has noticed and typed it in.
    plan_cpu_s, answer_cpu_s
        CPU seconds of search for a whole plan, and for all suggestions of one answer together.
    frozen_min, assumed_stop_min
        As the settings of a site.
    """

    warm_up_min: int = 720
    measured_min: int = 720
    orders_per_hour: float = 5.0
    allowance: tuple[float, float] = (1.6, 3.2)
    rush_allowance: tuple[float, float] = (1.1, 1.4)
    spread: float = 0.2
    setup_spread: float = 0.35
    least_stop_min: float = 10.0
    longer_stops: float = 1.0
    repair_spread: float = 0.8
    failure_shape: float = 1.4
    meeting_min: int = 60
    plan_min: int = 120
    place_min: int = 30
    practice_plan_min: int = 840
    practice_queue: float = 1.5
    loop_least_min: int = 30
    loop_stop_min: int = 5
    slow_min: int = 30
    plan_cpu_s: float = 0.5
    answer_cpu_s: float = 0.1
    frozen_min: int = 30
    assumed_stop_min: int = 30

    @property
    def ends_min(self) -> int:
        """From here on no order comes any more."""
        return self.warm_up_min + self.measured_min


def fingerprint(parameters: Parameters, catalogue: Catalogue) -> str:
    """Return a SHA-256 over the parameters and everything of the demo plant that the model uses."""
    plant = catalogue.plant
    told = {
        "parameters": asdict(parameters),
        "units": [(unit.code, unit.kind.code, unit.work_center.calendar) for unit in plant.units()],
        "classes": {
            code: (
                kind.setup_s,
                kind.mean_time_to_failure_s,
                [(cause.code, cause.weight, cause.repair_s) for cause in kind.causes],
            )
            for code, kind in plant.classes.items()
        },
        "calendars": [(one.code, one.breaks) for one in plant.calendars],
        "made": [asdict(one) for one in catalogue.made],
        "wishes": [asdict(one) for one in catalogue.wishes],
    }
    return hashlib.sha256(orjson.dumps(told, option=orjson.OPT_SORT_KEYS)).hexdigest()
