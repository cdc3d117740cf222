"""Verbs about the plant's equipment: create, rename, move, retire, place, install; imports. The only writers.

Every verb: permission (``equipment.edit`` at the site), lock, rule, write, publish `events.EquipmentChanged`, audit.
Nothing is deleted: history keeps pointing at what was retired.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, TypeVar
from zoneinfo import available_timezones

from django.conf import settings
from django.db import IntegrityError, models, transaction
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _

from yuheng.equipment import importing, selectors
from yuheng.equipment.events import EquipmentChanged
from yuheng.equipment.importing import Plan, Section
from yuheng.equipment.models import (
    Area,
    AssetAssignment,
    CauseName,
    EquipmentClass,
    MapPlacement,
    PhysicalAsset,
    PlantImport,
    ShiftCalendar,
    SiteTarget,
    WorkCenter,
    WorkUnit,
)
from yuheng.equipment.rules import Rect, is_code
from yuheng.kernel import audit, units
from yuheng.kernel.actor import Actor
from yuheng.kernel.errors import Conflict, InvalidInput, NotVisible
from yuheng.kernel.events import publish
from yuheng.kernel.models import Organisation, Site

EDIT = "equipment.edit"
UPLOADS_KEPT = timedelta(days=1)

TreeRow = TypeVar("TreeRow", Area, WorkCenter, WorkUnit)
_KINDS: dict[type[models.Model], str] = {
    Area: "area",
    WorkCenter: "work_center",
    WorkUnit: "work_unit",
    EquipmentClass: "equipment_class",
    ShiftCalendar: "calendar",
    PhysicalAsset: "asset",
}


# ---- sites --------------------------------------------------------------------------------------------------------


@transaction.atomic
def create_site(
    *,
    actor: Actor,
    organisation_code: str,
    code: str,
    name_zh: str,
    name_en: str,
    time_zone: str = "Asia/Shanghai",
    at: datetime,
) -> Site:
    """Add a plant to a firm; the firm is made when it is not there.

    Raises
    ------
    PermissionRefused
        The actor lacks ``site.admin`` for the whole installation.
    InvalidInput
        A code or the time zone is none, or the code is taken.
    """
    actor.require_everywhere("site.admin")
    _check_named(code, name_zh, name_en)
    if not is_code(organisation_code):
        raise InvalidInput(_("The organisation needs a code."), {"organisation": organisation_code})
    if time_zone not in available_timezones():
        message = _("'%(zone)s' is not a time zone such as Asia/Shanghai.") % {"zone": time_zone}
        raise InvalidInput(message, {"time_zone": message})
    firm, _made = Organisation.objects.get_or_create(
        code=organisation_code, defaults={"name_zh": organisation_code, "name_en": organisation_code}
    )
    site = _unique(
        lambda: Site.objects.create(organisation=firm, code=code, name_zh=name_zh, name_en=name_en, time_zone=time_zone)
    )
    _tell(actor, site.pk, "site", site.pk, "created", at, code=code)
    return site


# ---- the tree -----------------------------------------------------------------------------------------------------


@transaction.atomic
def create_area(*, actor: Actor, site_id: int, code: str, name_zh: str, name_en: str, at: datetime) -> Area:
    """Add an area after the others."""
    _lock_site(actor, site_id)
    _check_named(code, name_zh, name_en)
    position = Area.objects.filter(site_id=site_id).count()
    area = _unique(
        lambda: Area.objects.create(site_id=site_id, code=code, name_zh=name_zh, name_en=name_en, position=position)
    )
    _tell(actor, site_id, "area", area.pk, "created", at, code=code)
    return area


@transaction.atomic
def create_work_center(
    *, actor: Actor, area_id: int, code: str, name_zh: str, name_en: str, at: datetime
) -> WorkCenter:
    """Add a work center to an area."""
    area = _locked(Area, actor, area_id)
    _check_named(code, name_zh, name_en)
    _check_in_use(area)
    center = _unique(
        lambda: WorkCenter.objects.create(
            site_id=area.site_id,
            area=area,
            code=code,
            name_zh=name_zh,
            name_en=name_en,
            position=area.work_centers.count(),
        )
    )
    _tell(actor, area.site_id, "work_center", center.pk, "created", at, code=code)
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
    center: WorkCenter = _locked(WorkCenter, actor, work_center_id)
    _check_named(code, name_zh, name_en)
    _check_in_use(center)
    kind = _class_at(center.site_id, equipment_class_id)
    unit = _unique(
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
    _tell(actor, center.site_id, "work_unit", unit.pk, "created", at, code=code)
    return unit


@transaction.atomic
def rename_area(*, actor: Actor, area_id: int, name_zh: str, name_en: str, at: datetime) -> Area:
    """Change an area's names."""
    return _rename(Area, actor, area_id, name_zh, name_en, at)


@transaction.atomic
def rename_work_center(*, actor: Actor, work_center_id: int, name_zh: str, name_en: str, at: datetime) -> WorkCenter:
    """Change a work center's names."""
    return _rename(WorkCenter, actor, work_center_id, name_zh, name_en, at)


@transaction.atomic
def rename_work_unit(*, actor: Actor, work_unit_id: int, name_zh: str, name_en: str, at: datetime) -> WorkUnit:
    """Change a work unit's names."""
    return _rename(WorkUnit, actor, work_unit_id, name_zh, name_en, at)


@transaction.atomic
def move_work_center(*, actor: Actor, work_center_id: int, area_id: int, at: datetime) -> WorkCenter:
    """Put a work center into another area of its site."""
    center: WorkCenter = _locked(WorkCenter, actor, work_center_id)
    area = _of_site(Area, area_id, center.site_id)
    _check_in_use(area)
    old, center.area = center.area_id, area
    center.position = area.work_centers.count()
    center.save(update_fields=["area", "position"])
    _tell(actor, center.site_id, "work_center", center.pk, "moved", at, old_area=old, new_area=area.pk)
    return center


@transaction.atomic
def move_work_unit(*, actor: Actor, work_unit_id: int, work_center_id: int, at: datetime) -> WorkUnit:
    """Put a work unit into another work center of its site; its place on the map is decided anew."""
    unit: WorkUnit = _locked(WorkUnit, actor, work_unit_id)
    center = _of_site(WorkCenter, work_center_id, unit.site_id)
    _check_in_use(center)
    old, unit.work_center = unit.work_center_id, center
    unit.position = center.work_units.count()
    unit.save(update_fields=["work_center", "position"])
    MapPlacement.objects.filter(work_unit=unit).delete()
    _tell(actor, unit.site_id, "work_unit", unit.pk, "moved", at, old_work_center=old, new_work_center=center.pk)
    return unit


@transaction.atomic
def classify_work_unit(*, actor: Actor, work_unit_id: int, equipment_class_id: int | None, at: datetime) -> WorkUnit:
    """Say of which equipment class a work unit is, or of none."""
    unit: WorkUnit = _locked(WorkUnit, actor, work_unit_id)
    unit.equipment_class = _class_at(unit.site_id, equipment_class_id)
    unit.save(update_fields=["equipment_class"])
    _tell(actor, unit.site_id, "work_unit", unit.pk, "classified", at, equipment_class=equipment_class_id)
    return unit


@transaction.atomic
def retire_area(*, actor: Actor, area_id: int, at: datetime) -> Area:
    """Take an area out of use; it must have no work center in use."""
    return _retire(Area, actor, area_id, at, lambda area: area.work_centers.filter(retired_at__isnull=True).exists())


@transaction.atomic
def retire_work_center(*, actor: Actor, work_center_id: int, at: datetime) -> WorkCenter:
    """Take a work center out of use; it must have no work unit in use."""
    return _retire(
        WorkCenter, actor, work_center_id, at, lambda center: center.work_units.filter(retired_at__isnull=True).exists()
    )


@transaction.atomic
def retire_work_unit(*, actor: Actor, work_unit_id: int, at: datetime) -> WorkUnit:
    """Take a work unit out of use; the asset that played it is free again. Its history stays."""
    unit = _retire(WorkUnit, actor, work_unit_id, at, lambda _unit: False)
    AssetAssignment.objects.filter(work_unit=unit, to_at__isnull=True).update(to_at=at)
    return unit


@transaction.atomic
def restore_work_unit(*, actor: Actor, work_unit_id: int, at: datetime) -> WorkUnit:
    """Take a retired work unit into use again."""
    unit: WorkUnit = _locked(WorkUnit, actor, work_unit_id)
    _check_in_use(unit.work_center)
    unit.retired_at = None
    unit.save(update_fields=["retired_at"])
    _tell(actor, unit.site_id, "work_unit", unit.pk, "restored", at)
    return unit


# ---- map, classes, assets, calendars, targets ---------------------------------------------------------------------


@transaction.atomic
def place_area(*, actor: Actor, area_id: int, rect: Rect, at: datetime) -> MapPlacement:
    """Draw an area at this place."""
    area = _locked(Area, actor, area_id)
    return _place(actor, area.site_id, {"area": area}, area.pk, rect, at)


@transaction.atomic
def place_work_unit(*, actor: Actor, work_unit_id: int, rect: Rect, at: datetime) -> MapPlacement:
    """Draw a work unit at this place."""
    unit: WorkUnit = _locked(WorkUnit, actor, work_unit_id)
    return _place(actor, unit.site_id, {"work_unit": unit}, unit.pk, rect, at)


@transaction.atomic
def create_equipment_class(
    *, actor: Actor, site_id: int, code: str, name_zh: str, name_en: str, at: datetime
) -> EquipmentClass:
    """Add an equipment class to a site."""
    _lock_site(actor, site_id)
    _check_named(code, name_zh, name_en)
    kind = _unique(lambda: EquipmentClass.objects.create(site_id=site_id, code=code, name_zh=name_zh, name_en=name_en))
    _tell(actor, site_id, "equipment_class", kind.pk, "created", at, code=code)
    return kind


@transaction.atomic
def name_cause(
    *, actor: Actor, equipment_class_id: int, code: str, name_zh: str, name_en: str, at: datetime
) -> CauseName:
    """Say what a cause code of a class means."""
    kind = _locked(EquipmentClass, actor, equipment_class_id)
    if not code.strip() or not name_zh.strip() or not name_en.strip():
        raise InvalidInput(_("A cause has a code and a name in both languages."))
    cause, _made = CauseName.objects.update_or_create(
        equipment_class=kind, code=code.strip(), defaults={"name_zh": name_zh.strip(), "name_en": name_en.strip()}
    )
    _tell(actor, kind.site_id, "equipment_class", kind.pk, "cause_named", at, code=code)
    return cause


@transaction.atomic
def install_asset(
    *,
    actor: Actor,
    work_unit_id: int,
    serial: str,
    maker: str = "",
    model: str = "",
    built: int | None = None,
    at: datetime,
) -> AssetAssignment:
    """From now on this physical asset plays the work unit; it leaves any other, and the former one leaves this.

    Raises
    ------
    InvalidInput
        No serial number.
    """
    unit: WorkUnit = _locked(WorkUnit, actor, work_unit_id)
    _check_in_use(unit)
    if not serial.strip():
        message = _("A physical asset has a serial number.")
        raise InvalidInput(message, {"serial": message})
    asset, _made = PhysicalAsset.objects.update_or_create(
        site_id=unit.site_id, serial=serial.strip(), defaults={"maker": maker, "model": model, "built": built}
    )
    open_rows = AssetAssignment.objects.filter(to_at__isnull=True)
    present = open_rows.filter(asset=asset, work_unit=unit).first()
    if present is not None:
        return present
    (open_rows.filter(asset=asset) | open_rows.filter(work_unit=unit)).update(to_at=at)
    assignment = AssetAssignment.objects.create(asset=asset, work_unit=unit, from_at=at)
    _tell(actor, unit.site_id, "asset", asset.pk, "installed", at, work_unit=unit.code, serial=asset.serial)
    return assignment


@transaction.atomic
def assign_calendar(
    *,
    actor: Actor,
    site_id: int,
    calendar_code: str | None,
    work_center_id: int | None = None,
    work_unit_id: int | None = None,
    at: datetime,
) -> None:
    """Use a calendar for a work unit, else for a work center, else for the site; None: the next wider one holds."""
    _lock_site(actor, site_id)
    calendar = None
    if calendar_code is not None:
        calendar = ShiftCalendar.objects.filter(site_id=site_id, code=calendar_code).first()
        if calendar is None:
            raise InvalidInput(_("There is no such shift calendar."), {"calendar": calendar_code})
    if work_unit_id is not None:
        WorkUnit.objects.filter(pk=_of_site(WorkUnit, work_unit_id, site_id).pk).update(calendar=calendar)
    elif work_center_id is not None:
        WorkCenter.objects.filter(pk=_of_site(WorkCenter, work_center_id, site_id).pk).update(calendar=calendar)
    else:
        ShiftCalendar.objects.filter(site_id=site_id).update(is_site_default=False)
        if calendar is not None:
            ShiftCalendar.objects.filter(pk=calendar.pk).update(is_site_default=True)
    detail = {"calendar": calendar_code, "work_center": work_center_id, "work_unit": work_unit_id}
    _tell(actor, site_id, "calendar", calendar.pk if calendar else 0, "assigned", at, **detail)


@transaction.atomic
def set_site_target(
    *, actor: Actor, site_id: int, indicator: str, value: float, unit: str = "1", at: datetime
) -> SiteTarget:
    """Say what the site aims at for an indicator."""
    _lock_site(actor, site_id)
    if not is_code(indicator):
        raise InvalidInput(_("An indicator has a code such as producing_ratio."), {"indicator": indicator})
    units.parse(unit)
    target, _made = SiteTarget.objects.update_or_create(
        site_id=site_id, indicator=indicator, defaults={"value": value, "unit": unit}
    )
    _tell(actor, site_id, "target", target.pk, "set", at, indicator=indicator, value=value, unit=unit)
    return target


# ---- import -------------------------------------------------------------------------------------------------------


def sections() -> tuple[Section, ...]:
    """Everything that can be imported, in order; higher contexts' rows included (``config.plant_file``)."""
    found: tuple[Section, ...] = import_string(settings.PLANT_FILE_SECTIONS)
    return found


@transaction.atomic
def upload_plant(
    *, actor: Actor, site_id: int, file_name: str, content: bytes, kind: str = "", at: datetime
) -> tuple[PlantImport, Plan]:
    """Keep an uploaded file and say what it would do; nothing else is written.

    Parameters
    ----------
    kind
        What a CSV file holds; "" to find out (a YAML or JSON file is a plant file).

    Raises
    ------
    PermissionRefused, NotVisible, InvalidInput
    """
    actor.require(EDIT, site_id=site_id)
    if importing.is_csv(file_name) and not kind:
        kind = importing.kind_of_csv(content, sections=sections(), file_name=file_name)
    parsed = importing.parse(content, kind=kind, sections=sections())
    plan = importing.make_plan(actor=actor, parsed=parsed, sections=sections(), site_id=site_id)
    PlantImport.objects.filter(applied_at__isnull=True, created_at__lt=at - UPLOADS_KEPT).delete()
    upload = PlantImport.objects.create(
        site_id=site_id,
        person_name=actor.name,
        file_name=file_name[:200],
        content=content,
        kind=kind,
        plan_sha256=plan.sha256(),
        created_at=at,
        counts=plan.counts(),
    )
    return upload, plan


def plan_of_upload(*, actor: Actor, import_id: int) -> tuple[PlantImport, Plan]:
    """Say again what an uploaded file would do, as the plant is now.

    Raises
    ------
    Conflict
        It was applied already.
    """
    upload = selectors.plant_import(actor=actor, import_id=import_id)
    if upload.applied_at is not None:
        raise Conflict(_("This file was applied already. Upload it again to see what it would do now."))
    parsed = importing.parse(bytes(upload.content), kind=upload.kind, sections=sections())
    return upload, importing.make_plan(actor=actor, parsed=parsed, sections=sections(), site_id=upload.site_id)


@transaction.atomic
def apply_upload(
    *, actor: Actor, import_id: int, plan_sha256: str, leave_out_refused: bool = False, at: datetime
) -> Plan:
    """Do what the dry run with this fingerprint said.

    Raises
    ------
    Conflict
        The plant changed since, the file was applied already, or rows are refused and were not left out.
    """
    upload = selectors.plant_import(actor=actor, import_id=import_id)
    Site.objects.select_for_update().get(pk=upload.site_id)
    upload.refresh_from_db()
    if upload.applied_at is not None:
        raise Conflict(_("This file was applied already. Upload it again to see what it would do now."))
    plan = importing.apply_plan(
        actor=actor,
        parsed=importing.parse(bytes(upload.content), kind=upload.kind, sections=sections()),
        sections=sections(),
        site_id=upload.site_id,
        plan_sha256=plan_sha256,
        at=at,
        leave_out_refused=leave_out_refused,
    )
    upload.content, upload.applied_at, upload.counts = b"", at, plan.counts()
    upload.save(update_fields=["content", "applied_at", "counts"])
    return plan


# ---- shared by the verbs ------------------------------------------------------------------------------------------


def _lock_site(actor: Actor, site_id: int) -> Site:
    actor.require(EDIT, site_id=site_id)
    site = Site.objects.select_for_update().filter(pk=site_id).first()
    if site is None:
        raise NotVisible(_("There is no such site here."))
    return site


def _locked(model: Any, actor: Actor, pk: int) -> Any:
    """Find and lock a row the actor may change."""
    row = model.objects.visible_to(actor).select_for_update().filter(pk=pk).first()
    if row is None:
        raise NotVisible(_("There is no such thing here."))
    actor.require(EDIT, site_id=row.site_id)
    return row


def _of_site(model: Any, pk: int, site_id: int) -> Any:
    row = model.objects.filter(pk=pk, site_id=site_id).first()
    if row is None:
        raise NotVisible(_("There is no such thing here."))
    return row


def _class_at(site_id: int, equipment_class_id: int | None) -> EquipmentClass | None:
    return None if equipment_class_id is None else _of_site(EquipmentClass, equipment_class_id, site_id)


def _rename(model: type[TreeRow], actor: Actor, pk: int, name_zh: str, name_en: str, at: datetime) -> TreeRow:
    row: TreeRow = _locked(model, actor, pk)
    _check_named(row.code, name_zh, name_en)
    old = [row.name_zh, row.name_en]
    row.name_zh, row.name_en = name_zh, name_en
    row.save(update_fields=["name_zh", "name_en"])
    _tell(actor, row.site_id, _KINDS[model], row.pk, "renamed", at, old=old, new=[name_zh, name_en])
    return row


def _retire(
    model: type[TreeRow], actor: Actor, pk: int, at: datetime, is_still_used: Callable[[TreeRow], bool]
) -> TreeRow:
    row: TreeRow = _locked(model, actor, pk)
    if row.retired_at is not None:
        return row
    if is_still_used(row):
        raise Conflict(_("'%(code)s' still has equipment in use; retire or move that first.") % {"code": row.code})
    row.retired_at = at
    row.save(update_fields=["retired_at"])
    _tell(actor, row.site_id, _KINDS[model], row.pk, "retired", at, code=row.code)
    return row


def _place(actor: Actor, site_id: int, owner: dict[str, Any], owner_id: int, rect: Rect, at: datetime) -> MapPlacement:
    if rect.w <= 0 or rect.h <= 0:
        raise InvalidInput(_("A place on the map is wider and higher than 0."))
    placement, _made = MapPlacement.objects.update_or_create(
        **owner, defaults={"x": rect.x, "y": rect.y, "w": rect.w, "h": rect.h}
    )
    _tell(actor, site_id, "placement", owner_id, "placed", at, of=next(iter(owner)))
    return placement


def _check_named(code: str, name_zh: str, name_en: str) -> None:
    if not is_code(code):
        message = _("A code has letters, digits and . _ - only, at most 40.")
        raise InvalidInput(message, {"code": message})
    if not name_zh.strip() or not name_en.strip():
        message = _("Give the name in both languages.")
        raise InvalidInput(message, {"name_zh": message})


def _check_in_use(row: Area | WorkCenter | WorkUnit) -> None:
    if row.retired_at is not None:
        raise Conflict(_("'%(code)s' is retired.") % {"code": row.code})


_Made = TypeVar("_Made")


def _unique(create: Callable[[], _Made]) -> _Made:
    """Create a row; a taken code becomes a sentence (the savepoint keeps the transaction usable)."""
    try:
        with transaction.atomic():
            return create()
    except IntegrityError as error:
        message = _("This code is taken at the site.")
        raise InvalidInput(message, {"code": message}) from error


def _tell(actor: Actor, site_id: int, kind: str, object_id: int, change: str, at: datetime, **detail: Any) -> None:
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
