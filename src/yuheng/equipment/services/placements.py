"""Where areas and work units are drawn on the plant map."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from yuheng.equipment.models import (
    Area,
    MapPlacement,
    WorkUnit,
)
from yuheng.equipment.rules import Rect
from yuheng.equipment.services.access import (
    locked,
    place,
)
from yuheng.kernel.actor import Actor


@transaction.atomic
def place_area(*, actor: Actor, area_id: int, rect: Rect, at: datetime) -> MapPlacement:
    """Draw an area at this place."""
    area = locked(Area, actor, area_id)
    return place(actor, area.site_id, {"area": area}, area.pk, rect, at)


@transaction.atomic
def place_work_unit(*, actor: Actor, work_unit_id: int, rect: Rect, at: datetime) -> MapPlacement:
    """Draw a work unit at this place."""
    unit: WorkUnit = locked(WorkUnit, actor, work_unit_id)
    return place(actor, unit.site_id, {"work_unit": unit}, unit.pk, rect, at)
