"""A machine that tells what it does, for tests: readings and states as the historian would tell them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from yuheng.bus.messages import Interval, JobSeries, JobSignals, StateRevision
from yuheng.engineering.rules import SignalRules
from yuheng.engines.states.vocabulary import UnitState
from yuheng.kernel.moments import EPOCH
from yuheng.operations.models import JobOrder
from yuheng.operations.services.signals.intake import look_soon, note_signals
from yuheng.operations.services.signals.meeting import meet
from yuheng.operations.tests.plant import AT, Plant, a_plant, a_released_order, a_segment, a_simple_product
from yuheng.telemetry.services.state_intervals import apply_state_revisions

AUTOMATIC = SignalRules(counts=True, count_symbol="parts", starts=True, pauses=True, run_id_symbol="run_id")
COUNTS = SignalRules(counts=True, count_symbol="parts")


def us(at: Any) -> int:
    return (at - EPOCH) // timedelta(microseconds=1)


def after(**given: float) -> Any:
    return AT + timedelta(**given)


def a_counted_job(
    rules: SignalRules = COUNTS, confirms: tuple[str, ...] = ("start", "finish"), quantity: int = 10, **more: Any
) -> tuple[Plant, JobOrder]:
    """Return a plant with a released order of GEAR: its first step is listened to, the second is not."""
    plant = a_plant()
    first = a_segment(plant, "10", signals=rules, confirms=confirms, **more)
    a_simple_product(plant, "GEAR", first, a_segment(plant, "20"))
    order = a_released_order(plant, "GEAR", quantity)
    job = JobOrder.objects.get(request__order=order, segment="10")
    return plant, job


class Machine:
    """A machine of a plant. ``tell`` is what the historian would put into the log; nothing is looked at by itself."""

    def __init__(self, plant: Plant, code: str = "C1", *, role: str = "") -> None:
        self.unit_id = plant.units[code].pk
        self.role = role
        self.spans: list[list[Any]] = []

    def tell(self, *readings: tuple[Any, float | str], arrived: Any = None, symbol: str = "parts") -> None:
        kind = "run_id" if symbol == "run_id" else "count"
        series = JobSeries(
            1, symbol, kind, self.role, [us(at) for at, _value in readings], [0] * len(readings),
            [value for _at, value in readings], [us(arrived or at) for at, _value in readings],
        )  # fmt: skip
        note_signals(facts=[JobSignals(self.unit_id, [series])], at=arrived or readings[-1][0])

    def is_(self, state: UnitState, at: Any, cause: str = "") -> None:
        """The machine is in a state from now on."""
        if self.spans:
            self.spans[-1][3] = us(at)
        self.spans.append([int(state), cause, us(at), None])
        revision = StateRevision(self.unit_id, self.spans[0][2], [Interval(*span) for span in self.spans])
        apply_state_revisions([revision])
        look_soon(work_unit_ids=[self.unit_id], at=at)

    def meet(self, at: Any) -> None:
        meet(work_unit_id=self.unit_id, at=at)
