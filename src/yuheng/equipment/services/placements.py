"""Where areas and work units are drawn on the plant map."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from yuheng.equipment.models import (
    Area,
    MapPlacement,
    WorkUnit,
)
from yuheng.equipment.rules import Rect
from yuheng.equipment.services.access import check_rect, lock_site, locked, place, tell
from yuheng.kernel.actor import Actor
from yuheng.kernel.errors import InvalidInput, NotVisible

MOST_MOVES = 5000


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


@dataclass(frozen=True, slots=True)
class Move:
    """A new place of an area, or else of a work unit."""

    is_area: bool
    id: int
    rect: Rect


@transaction.atomic
def place_many(*, actor: Actor, site_id: int, moves: Sequence[Move], at: datetime) -> None:
    """Draw many areas and work units of a site at other places: all or none.

    Raises
    ------
    PermissionRefused, NotVisible, InvalidInput
    """
    lock_site(actor, site_id)
    if not moves or len(moves) > MOST_MOVES:
        raise InvalidInput(_("Move between 1 and %(count)d things at once.") % {"count": MOST_MOVES})
    for kind, model in ((True, Area), (False, WorkUnit)):
        wanted = {move.id: move.rect for move in moves if move.is_area is kind}
        if model.objects.filter(site_id=site_id, pk__in=wanted).count() != len(wanted):
            raise NotVisible(_("There is no such thing here."))
        for rect in wanted.values():
            check_rect(rect)
        name = "area" if kind else "work_unit"
        MapPlacement.objects.bulk_create(
            [MapPlacement(**{f"{name}_id": pk}, x=r.x, y=r.y, w=r.w, h=r.h) for pk, r in wanted.items()],
            update_conflicts=True,
            unique_fields=[name],
            update_fields=["x", "y", "w", "h"],
        )
    tell(actor, site_id, "placement", site_id, "placed", at, count=len(moves))
