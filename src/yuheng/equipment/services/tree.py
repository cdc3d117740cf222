"""Areas, work centers and work units: create, rename, move, classify, retire."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from yuheng.equipment.models import (
    Area,
    AssetAssignment,
    MapPlacement,
    WorkCenter,
    WorkUnit,
)
from yuheng.equipment.rules import Rect
from yuheng.equipment.services.access import (
    check_in_use,
    check_named,
    check_rect,
    class_at,
    lock_site,
    locked,
    of_site,
    rename,
    replace_place,
    restore,
    retire,
    tell,
    unique,
)
from yuheng.equipment.services.calendars import assign_calendar
from yuheng.kernel.actor import Actor


@transaction.atomic
def create_area(*, actor: Actor, site_id: int, code: str, name_zh: str, name_en: str, at: datetime) -> Area:
    """Add an area after the others."""
    lock_site(actor, site_id)
    check_named(code, name_zh, name_en)
    position = Area.objects.filter(site_id=site_id).count()
    area = unique(
        lambda: Area.objects.create(site_id=site_id, code=code, name_zh=name_zh, name_en=name_en, position=position)
    )
    tell(actor, site_id, "area", area.pk, "created", at, code=code)
    return area


@transaction.atomic
def create_work_center(
    *, actor: Actor, area_id: int, code: str, name_zh: str, name_en: str, at: datetime
) -> WorkCenter:
    """Add a work center to an area."""
    area = locked(Area, actor, area_id)
    check_named(code, name_zh, name_en)
    check_in_use(area)
    center = unique(
        lambda: WorkCenter.objects.create(
            site_id=area.site_id,
            area=area,
            code=code,
            name_zh=name_zh,
            name_en=name_en,
            position=area.work_centers.count(),
        )
    )
    tell(actor, area.site_id, "work_center", center.pk, "created", at, code=code)
    return center


@transaction.atomic
def create_work_unit(
    *,
    actor: Actor,
    work_center_id: int,
    code: str,
    name_zh: str,
    name_en: str,
    equipment_class_id: int | None = None,
    at: datetime,
) -> WorkUnit:
    """Add a work unit to a work center."""
    center: WorkCenter = locked(WorkCenter, actor, work_center_id)
    check_named(code, name_zh, name_en)
    check_in_use(center)
    kind = class_at(center.site_id, equipment_class_id)
    unit = unique(
        lambda: WorkUnit.objects.create(
            site_id=center.site_id,
            work_center=center,
            equipment_class=kind,
            code=code,
            name_zh=name_zh,
            name_en=name_en,
            position=center.work_units.count(),
        )
    )
    tell(actor, center.site_id, "work_unit", unit.pk, "created", at, code=code)
    return unit


@transaction.atomic
def rename_area(*, actor: Actor, area_id: int, name_zh: str, name_en: str, at: datetime) -> Area:
    """Change an area's names."""
    return rename(Area, actor, area_id, name_zh, name_en, at)


@transaction.atomic
def rename_work_center(*, actor: Actor, work_center_id: int, name_zh: str, name_en: str, at: datetime) -> WorkCenter:
    """Change a work center's names."""
    return rename(WorkCenter, actor, work_center_id, name_zh, name_en, at)


@transaction.atomic
def rename_work_unit(*, actor: Actor, work_unit_id: int, name_zh: str, name_en: str, at: datetime) -> WorkUnit:
    """Change a work unit's names."""
    return rename(WorkUnit, actor, work_unit_id, name_zh, name_en, at)


@transaction.atomic
def move_work_center(*, actor: Actor, work_center_id: int, area_id: int, at: datetime) -> WorkCenter:
    """Put a work center into another area of its site."""
    center: WorkCenter = locked(WorkCenter, actor, work_center_id)
    area = of_site(Area, area_id, center.site_id)
    check_in_use(area)
    old, center.area = center.area_id, area
    center.position = area.work_centers.count()
    center.save(update_fields=["area", "position"])
    tell(actor, center.site_id, "work_center", center.pk, "moved", at, old_area=old, new_area=area.pk)
    return center


@transaction.atomic
def move_work_unit(*, actor: Actor, work_unit_id: int, work_center_id: int, at: datetime) -> WorkUnit:
    """Put a work unit into another work center of its site; its place on the map is decided anew."""
    unit: WorkUnit = locked(WorkUnit, actor, work_unit_id)
    center = of_site(WorkCenter, work_center_id, unit.site_id)
    check_in_use(center)
    old, unit.work_center = unit.work_center_id, center
    unit.position = center.work_units.count()
    unit.save(update_fields=["work_center", "position"])
    MapPlacement.objects.filter(work_unit=unit).delete()
    tell(actor, unit.site_id, "work_unit", unit.pk, "moved", at, old_work_center=old, new_work_center=center.pk)
    return unit


@transaction.atomic
def classify_work_unit(*, actor: Actor, work_unit_id: int, equipment_class_id: int | None, at: datetime) -> WorkUnit:
    """Say of which equipment class a work unit is, or of none."""
    unit: WorkUnit = locked(WorkUnit, actor, work_unit_id)
    unit.equipment_class = class_at(unit.site_id, equipment_class_id)
    unit.save(update_fields=["equipment_class"])
    tell(actor, unit.site_id, "work_unit", unit.pk, "classified", at, equipment_class=equipment_class_id)
    return unit


@transaction.atomic
def retire_area(*, actor: Actor, area_id: int, at: datetime) -> Area:
    """Take an area out of use; it must have no work center in use."""
    return retire(Area, actor, area_id, at, lambda area: area.work_centers.filter(retired_at__isnull=True).exists())


@transaction.atomic
def retire_work_center(*, actor: Actor, work_center_id: int, at: datetime) -> WorkCenter:
    """Take a work center out of use; it must have no work unit in use."""
    return retire(
        WorkCenter, actor, work_center_id, at, lambda center: center.work_units.filter(retired_at__isnull=True).exists()
    )


@transaction.atomic
def retire_work_unit(*, actor: Actor, work_unit_id: int, at: datetime) -> WorkUnit:
    """Take a work unit out of use; the asset that played it is free again. Its history stays."""
    unit = retire(WorkUnit, actor, work_unit_id, at, lambda _unit: False)
    AssetAssignment.objects.filter(work_unit=unit, to_at__isnull=True).update(to_at=at)
    return unit


@transaction.atomic
def restore_work_unit(*, actor: Actor, work_unit_id: int, at: datetime) -> WorkUnit:
    """Take a retired work unit into use again."""
    unit: WorkUnit = locked(WorkUnit, actor, work_unit_id)
    check_in_use(unit.work_center)
    unit.retired_at = None
    unit.save(update_fields=["retired_at"])
    tell(actor, unit.site_id, "work_unit", unit.pk, "restored", at)
    return unit


@dataclass(frozen=True, slots=True)
class NewUnit:
    """A work unit that is to be made; ``rect`` None: drawn wherever there is room."""

    code: str
    name_zh: str
    name_en: str
    rect: Rect | None = None


@transaction.atomic
def create_work_units(
    *, actor: Actor, work_center_id: int, equipment_class_id: int | None, units: Sequence[NewUnit], at: datetime
) -> dict[str, int]:
    """Add many work units of one class to a work center, with their places; returns code -> id. Few queries.

    Raises
    ------
    PermissionRefused, NotVisible
    InvalidInput
        A code or name is none, or a code is taken.
    """
    center: WorkCenter = locked(WorkCenter, actor, work_center_id)
    check_in_use(center)
    kind = class_at(center.site_id, equipment_class_id)
    for unit in units:
        check_named(unit.code, unit.name_zh, unit.name_en)
        if unit.rect is not None:
            check_rect(unit.rect)
    first = center.work_units.count()
    rows = unique(
        lambda: WorkUnit.objects.bulk_create(
            [
                WorkUnit(
                    site_id=center.site_id,
                    work_center=center,
                    equipment_class=kind,
                    code=unit.code,
                    name_zh=unit.name_zh,
                    name_en=unit.name_en,
                    position=first + index,
                )
                for index, unit in enumerate(units)
            ]
        )
    )
    MapPlacement.objects.bulk_create(
        [
            MapPlacement(work_unit=row, x=unit.rect.x, y=unit.rect.y, w=unit.rect.w, h=unit.rect.h)
            for row, unit in zip(rows, units, strict=True)
            if unit.rect is not None
        ]
    )
    if rows:
        codes = [unit.code for unit in units[:100]]
        tell(actor, center.site_id, "work_center", center.pk, "units_created", at, count=len(rows), codes=codes)
    return {row.code: row.pk for row in rows}


@transaction.atomic
def classify_work_units(
    *, actor: Actor, work_unit_ids: Sequence[int], equipment_class_id: int | None, at: datetime
) -> None:
    """Say of many work units of which class they are; those that are so already stay as they are."""
    for pk in WorkUnit.objects.filter(pk__in=work_unit_ids).values_list("pk", flat=True):
        unit: WorkUnit = locked(WorkUnit, actor, pk)
        if unit.equipment_class_id != equipment_class_id:
            classify_work_unit(actor=actor, work_unit_id=pk, equipment_class_id=equipment_class_id, at=at)


@transaction.atomic
def edit_area(*, actor: Actor, area_id: int, name_zh: str, name_en: str, rect: Rect | None, at: datetime) -> Area:
    """Change everything a form of an area shows; ``rect`` None: drawn wherever there is room."""
    area: Area = locked(Area, actor, area_id)
    if (area.name_zh, area.name_en) != (name_zh, name_en):
        area = rename_area(actor=actor, area_id=area_id, name_zh=name_zh, name_en=name_en, at=at)
    replace_place(actor, area.site_id, {"area": area}, area.pk, rect, at)
    return area


@transaction.atomic
def edit_work_center(
    *,
    actor: Actor,
    work_center_id: int,
    name_zh: str,
    name_en: str,
    area_id: int,
    calendar_code: str | None,
    at: datetime,
) -> WorkCenter:
    """Change everything a form of a work center shows."""
    center: WorkCenter = locked(WorkCenter, actor, work_center_id)
    if (center.name_zh, center.name_en) != (name_zh, name_en):
        rename_work_center(actor=actor, work_center_id=work_center_id, name_zh=name_zh, name_en=name_en, at=at)
    if center.area_id != area_id:
        move_work_center(actor=actor, work_center_id=work_center_id, area_id=area_id, at=at)
    if (center.calendar.code if center.calendar else None) != calendar_code:
        assign_calendar(
            actor=actor, site_id=center.site_id, calendar_code=calendar_code, work_center_id=center.pk, at=at
        )
    center.refresh_from_db()
    return center


@transaction.atomic
def edit_work_unit(
    *,
    actor: Actor,
    work_unit_id: int,
    name_zh: str,
    name_en: str,
    work_center_id: int,
    equipment_class_id: int | None,
    calendar_code: str | None,
    rect: Rect | None,
    at: datetime,
) -> WorkUnit:
    """Change everything a form of a work unit shows; ``rect`` None: drawn wherever there is room."""
    unit: WorkUnit = locked(WorkUnit, actor, work_unit_id)
    if (unit.name_zh, unit.name_en) != (name_zh, name_en):
        rename_work_unit(actor=actor, work_unit_id=work_unit_id, name_zh=name_zh, name_en=name_en, at=at)
    if unit.work_center_id != work_center_id:
        move_work_unit(actor=actor, work_unit_id=work_unit_id, work_center_id=work_center_id, at=at)
    if unit.equipment_class_id != equipment_class_id:
        classify_work_unit(actor=actor, work_unit_id=work_unit_id, equipment_class_id=equipment_class_id, at=at)
    if (unit.calendar.code if unit.calendar else None) != calendar_code:
        assign_calendar(actor=actor, site_id=unit.site_id, calendar_code=calendar_code, work_unit_id=unit.pk, at=at)
    replace_place(actor, unit.site_id, {"work_unit": unit}, unit.pk, rect, at)
    unit.refresh_from_db()
    return unit


@transaction.atomic
def restore_area(*, actor: Actor, area_id: int, at: datetime) -> Area:
    """Take a retired area into use again."""
    return restore(Area, actor, area_id, at)


@transaction.atomic
def restore_work_center(*, actor: Actor, work_center_id: int, at: datetime) -> WorkCenter:
    """Take a retired work center into use again; its area must be in use."""
    center: WorkCenter = locked(WorkCenter, actor, work_center_id)
    check_in_use(center.area)
    return restore(WorkCenter, actor, work_center_id, at)
