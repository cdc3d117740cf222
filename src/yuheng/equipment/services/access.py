"""What every verb begins and ends with: permission and lock, codes and names, telling and auditing."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, TypeVar

from django.db import IntegrityError, models, transaction
from django.utils.translation import gettext as _

from yuheng.equipment.events import EquipmentChanged
from yuheng.equipment.models import (
    Area,
    EquipmentClass,
    MapPlacement,
    PhysicalAsset,
    ShiftCalendar,
    WorkCenter,
    WorkUnit,
)
from yuheng.equipment.rules import Rect, is_code
from yuheng.kernel import audit
from yuheng.kernel.actor import Actor
from yuheng.kernel.errors import Conflict, InvalidInput, NotVisible
from yuheng.kernel.events import publish
from yuheng.kernel.models import Site

EDIT = "equipment.edit"
FARTHEST = 100_000.0

TreeRow = TypeVar("TreeRow", Area, WorkCenter, WorkUnit)
KINDS: dict[type[models.Model], str] = {
    Area: "area",
    WorkCenter: "work_center",
    WorkUnit: "work_unit",
    EquipmentClass: "equipment_class",
    ShiftCalendar: "calendar",
    PhysicalAsset: "asset",
}


def lock_site(actor: Actor, site_id: int) -> Site:
    """Lock a site the actor may change."""
    actor.require(EDIT, site_id=site_id)
    site = Site.objects.select_for_update().filter(pk=site_id).first()
    if site is None:
        raise NotVisible(_("There is no such site here."))
    return site


def locked(model: Any, actor: Actor, pk: int) -> Any:
    """Find and lock a row the actor may change."""
    row = model.objects.visible_to(actor).select_for_update().filter(pk=pk).first()
    if row is None:
        raise NotVisible(_("There is no such thing here."))
    actor.require(EDIT, site_id=row.site_id)
    return row


def of_site(model: Any, pk: int, site_id: int) -> Any:
    """Find a row of the site, or say that there is none."""
    row = model.objects.filter(pk=pk, site_id=site_id).first()
    if row is None:
        raise NotVisible(_("There is no such thing here."))
    return row


def class_at(site_id: int, equipment_class_id: int | None) -> EquipmentClass | None:
    """Find the class, or None for none."""
    return None if equipment_class_id is None else of_site(EquipmentClass, equipment_class_id, site_id)


def rename(model: type[TreeRow], actor: Actor, pk: int, name_zh: str, name_en: str, at: datetime) -> TreeRow:
    """Change the names of a row."""
    row: TreeRow = locked(model, actor, pk)
    check_named(row.code, name_zh, name_en)
    old = [row.name_zh, row.name_en]
    row.name_zh, row.name_en = name_zh, name_en
    row.save(update_fields=["name_zh", "name_en"])
    tell(actor, row.site_id, KINDS[model], row.pk, "renamed", at, old=old, new=[name_zh, name_en])
    return row


def retire(
    model: type[TreeRow], actor: Actor, pk: int, at: datetime, is_still_used: Callable[[TreeRow], bool]
) -> TreeRow:
    """Take a row out of use unless something of it is used."""
    row: TreeRow = locked(model, actor, pk)
    if row.retired_at is not None:
        return row
    if is_still_used(row):
        raise Conflict(_("'%(code)s' still has equipment in use; retire or move that first.") % {"code": row.code})
    row.retired_at = at
    row.save(update_fields=["retired_at"])
    tell(actor, row.site_id, KINDS[model], row.pk, "retired", at, code=row.code)
    return row


def place(actor: Actor, site_id: int, owner: dict[str, Any], owner_id: int, rect: Rect, at: datetime) -> MapPlacement:
    """Draw it there."""
    check_rect(rect)
    placement, _made = MapPlacement.objects.update_or_create(
        **owner, defaults={"x": rect.x, "y": rect.y, "w": rect.w, "h": rect.h}
    )
    tell(actor, site_id, "placement", owner_id, "placed", at, of=next(iter(owner)))
    return placement


def replace_place(
    actor: Actor, site_id: int, owner: dict[str, Any], owner_id: int, rect: Rect | None, at: datetime
) -> None:
    """Draw it there, or wherever there is room; nothing is told when that is so already."""
    present = MapPlacement.objects.filter(**owner).first()
    if rect is None:
        if present is not None:
            present.delete()
            tell(actor, site_id, "placement", owner_id, "removed", at, of=next(iter(owner)))
    elif present is None or Rect(present.x, present.y, present.w, present.h) != rect:
        place(actor, site_id, owner, owner_id, rect, at)


def check_rect(rect: Rect) -> None:
    """Raise `InvalidInput` unless it has a size and is somewhere near the map."""
    if not (rect.w > 0 and rect.h > 0):
        raise InvalidInput(_("A place on the map is wider and higher than 0."))
    if not all(abs(number) <= FARTHEST for number in (rect.x, rect.y, rect.w, rect.h)):
        raise InvalidInput(_("A place on the map is at most 100,000 pixels away."))


def restore(model: type[TreeRow], actor: Actor, pk: int, at: datetime) -> TreeRow:
    """Take a retired row into use again."""
    row: TreeRow = locked(model, actor, pk)
    if row.retired_at is not None:
        row.retired_at = None
        row.save(update_fields=["retired_at"])
        tell(actor, row.site_id, KINDS[model], row.pk, "restored", at)
    return row


def check_named(code: str, name_zh: str, name_en: str) -> None:
    """Raise `InvalidInput` unless code and names are such."""
    if not is_code(code):
        message = _("A code has letters, digits and . _ - only, at most 40.")
        raise InvalidInput(message, {"code": message})
    if not name_zh.strip() or not name_en.strip():
        message = _("Give the name in both languages.")
        raise InvalidInput(message, {"name_zh": message})


def check_in_use(row: Area | WorkCenter | WorkUnit) -> None:
    """Raise `Conflict` when it is retired."""
    if row.retired_at is not None:
        raise Conflict(_("'%(code)s' is retired.") % {"code": row.code})


_Made = TypeVar("_Made")


def unique(create: Callable[[], _Made]) -> _Made:
    """Create a row; a taken code becomes a sentence (the savepoint keeps the transaction usable)."""
    try:
        with transaction.atomic():
            return create()
    except IntegrityError as error:
        message = _("This code is taken at the site.")
        raise InvalidInput(message, {"code": message}) from error


def tell(actor: Actor, site_id: int, kind: str, object_id: int, change: str, at: datetime, **detail: Any) -> None:
    """Tell the others, and write the audit trail."""
    publish(EquipmentChanged(site_id=site_id, kind=kind, object_id=object_id, change=change), at=at)
    audit.record(
        actor=actor,
        action=f"equipment.{kind}_{change}",
        at=at,
        site_id=site_id,
        object_kind=kind,
        object_id=object_id,
        **detail,
    )
