"""A plant with work to plan: cutters C1, C2, an assembler A1, orders of gears and lifts."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from typing import Any

from yuheng.engines.states.vocabulary import UnitState
from yuheng.equipment.models import Shift, ShiftBreak, ShiftCalendar
from yuheng.operations.models import JobOrder
from yuheng.operations.tests import plant as orders
from yuheng.operations.tests.plant import AT, Plant
from yuheng.scheduling.building import Built, Levers, build
from yuheng.scheduling.selectors.plant import plant_facts
from yuheng.telemetry.models import WorkUnitState
from yuheng.testing.builders import SYSTEM

__all__ = ["AT", "Plant", "a_busy_plant", "a_calendar", "built_of", "stands"]


def a_busy_plant(count: int = 4, quantity: int = 10) -> Plant:
    """So many orders of a gear of two cuts; nothing is in stock and nothing is kept in stock."""
    plant = orders.a_plant()
    orders.a_simple_product(plant)
    for number in range(count):
        orders.a_released_order(plant, "GEAR", quantity, code=f"SO{number + 1}")
    return plant


def a_calendar(plant: Plant, code: str = "day", *, start: time = time(8), end: time = time(16)) -> ShiftCalendar:
    """The site's calendar: Monday to Friday, one shift with a break at noon, local time."""
    row = ShiftCalendar.objects.create(site=plant.site, code=code, name_zh=code, name_en=code, is_site_default=True)
    shift = Shift.objects.create(
        calendar=row, code="d", name_zh="d", name_en="d", start=start, end=end, weekdays=[1, 2, 3, 4, 5]
    )
    ShiftBreak.objects.create(shift=shift, start=time(12), end=time(13))
    return row


def built_of(plant: Plant, at: datetime = AT, levers: Levers | None = None) -> Built:
    """The problem of a moment."""
    facts = plant_facts(actor=SYSTEM, site_id=plant.site_id, now=at)
    return build(facts) if levers is None else build(facts, levers)


def stands(plant: Plant, unit: str, since: datetime, until: datetime | None = None, cause: str = "") -> Any:
    """A machine that stands."""
    return WorkUnitState.objects.create(
        site=plant.site,
        work_unit=plant.units[unit],
        state=UnitState.DOWN,
        cause=cause,
        started_at=since,
        ended_at=until,
    )


def job(plant: Plant, code: str) -> JobOrder:
    """One job order by code."""
    return JobOrder.objects.get(site=plant.site, code=code)


HOUR = timedelta(hours=1)
