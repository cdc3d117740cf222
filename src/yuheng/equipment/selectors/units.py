"""Work units, work centers, equipment classes, assets and causes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Count, Q
from django.utils.translation import gettext as _

from yuheng.equipment.models import (
    Area,
    AssetAssignment,
    CauseName,
    ClassPicture,
    EquipmentClass,
    WorkCenter,
    WorkUnit,
)
from yuheng.equipment.rules import Rect
from yuheng.equipment.selectors.access import VIEW
from yuheng.kernel.actor import Actor
from yuheng.kernel.errors import NotVisible


@dataclass(frozen=True, slots=True)
class AssetRow:
    """A physical asset's time on a work unit."""

    serial: str
    maker: str
    model: str
    built: int | None
    from_at: datetime
    to_at: datetime | None


@dataclass(frozen=True, slots=True)
class WorkUnitRow:
    """A work unit with its place in the tree."""

    id: int
    site_id: int
    code: str
    name_zh: str
    name_en: str
    class_id: int | None
    class_code: str
    class_name_zh: str
    class_name_en: str
    work_center_id: int
    work_center_code: str
    work_center_name_zh: str
    work_center_name_en: str
    area_id: int
    area_code: str
    area_name_zh: str
    area_name_en: str
    is_retired: bool


def work_unit(*, actor: Actor, work_unit_id: int) -> WorkUnitRow:
    """One work unit. One query. Raises `NotVisible`."""
    found = _units_visible_to(actor).filter(pk=work_unit_id).first()
    if found is None:
        raise NotVisible(_("There is no such work unit here."))
    actor.require(VIEW, site_id=found.site_id)
    return _unit_row(found)


def work_units(*, actor: Actor, site_id: int, with_retired: bool = False) -> list[WorkUnitRow]:
    """Every work unit of a site, by code. One query."""
    actor.require(VIEW, site_id=site_id)
    units = _units_visible_to(actor).filter(site_id=site_id).order_by("code")
    if not with_retired:
        units = units.filter(retired_at__isnull=True)
    return [_unit_row(unit) for unit in units]


@dataclass(frozen=True, slots=True)
class WorkCenterRow:
    """A work center with its area and its own calendar ("" without one)."""

    id: int
    site_id: int
    code: str
    name_zh: str
    name_en: str
    area_id: int
    area_code: str
    calendar_code: str
    is_retired: bool


def work_center(*, actor: Actor, work_center_id: int) -> WorkCenterRow:
    """One work center. One query. Raises `NotVisible`."""
    found = WorkCenter.objects.visible_to(actor).select_related("area", "calendar").filter(pk=work_center_id).first()
    if found is None:
        raise NotVisible(_("There is no such work center here."))
    actor.require(VIEW, site_id=found.site_id)
    return _center_row(found)


def _center_row(row: WorkCenter) -> WorkCenterRow:
    return WorkCenterRow(
        id=row.pk,
        site_id=row.site_id,
        code=row.code,
        name_zh=row.name_zh,
        name_en=row.name_en,
        area_id=row.area_id,
        area_code=row.area.code,
        calendar_code=row.calendar.code if row.calendar else "",
        is_retired=row.retired_at is not None,
    )


def work_unit_ids(*, site_id: int) -> dict[str, int]:
    """Code -> id of a site's work units, retired ones included; for importers of higher contexts. One query."""
    return dict(WorkUnit.objects.filter(site_id=site_id).values_list("code", "pk"))


def work_unit_ids_of_areas(area_ids: Iterable[int]) -> list[int]:
    """Ids of the work units that stand in these areas, retired ones included. One query."""
    return list(WorkUnit.objects.filter(work_center__area_id__in=set(area_ids)).values_list("pk", flat=True))


def work_unit_ids_said_with(*, site_id: int, text: str) -> list[int]:
    """Ids of the site's work units whose code or names contain a text. One query."""
    says = Q(code__icontains=text) | Q(name_zh__icontains=text) | Q(name_en__icontains=text)
    return list(WorkUnit.objects.filter(says, site_id=site_id).values_list("pk", flat=True))


def names_of_work_units(ids: Iterable[int]) -> dict[int, tuple[str, str, str]]:
    """Work unit id -> (code, Chinese name, English name), for those that exist. One query."""
    rows = WorkUnit.objects.filter(pk__in=set(ids)).values_list("pk", "code", "name_zh", "name_en")
    return {pk: (code, zh, en) for pk, code, zh, en in rows}


def site_of_work_units(ids: Iterable[int]) -> dict[int, int]:
    """Work unit id -> site id, for those that exist. One query."""
    return dict(WorkUnit.objects.filter(pk__in=set(ids)).values_list("pk", "site_id"))


def assets_of(*, actor: Actor, work_unit_id: int) -> list[AssetRow]:
    """Which physical assets played a work unit, newest first. Two queries. Raises `NotVisible`."""
    work_unit(actor=actor, work_unit_id=work_unit_id)
    rows = AssetAssignment.objects.filter(work_unit_id=work_unit_id).select_related("asset")
    return [
        AssetRow(row.asset.serial, row.asset.maker, row.asset.model, row.asset.built, row.from_at, row.to_at)
        for row in rows
    ]


def _units_visible_to(actor: Actor) -> Any:
    return WorkUnit.objects.visible_to(actor).select_related("equipment_class", "work_center__area")


def _unit_row(unit: WorkUnit) -> WorkUnitRow:
    kind, center, area = unit.equipment_class, unit.work_center, unit.work_center.area
    return WorkUnitRow(
        id=unit.pk,
        site_id=unit.site_id,
        code=unit.code,
        name_zh=unit.name_zh,
        name_en=unit.name_en,
        class_id=kind.pk if kind else None,
        class_code=kind.code if kind else "",
        class_name_zh=kind.name_zh if kind else "",
        class_name_en=kind.name_en if kind else "",
        work_center_id=center.pk,
        work_center_code=center.code,
        work_center_name_zh=center.name_zh,
        work_center_name_en=center.name_en,
        area_id=area.pk,
        area_code=area.code,
        area_name_zh=area.name_zh,
        area_name_en=area.name_en,
        is_retired=unit.retired_at is not None,
    )


@dataclass(frozen=True, slots=True)
class ConfiguredUnit:
    """A work unit as the configuration document needs it: every site, no names."""

    id: int
    site_id: int
    code: str
    class_id: int | None
    class_code: str


def configured_work_units() -> list[ConfiguredUnit]:
    """Every work unit in use, of every site; for the worker that writes the configuration document. One query."""
    rows = WorkUnit.objects.filter(retired_at__isnull=True).values_list(
        "pk", "site_id", "code", "equipment_class_id", "equipment_class__code"
    )
    return [ConfiguredUnit(pk, site_id, code, kind, kind_code or "") for pk, site_id, code, kind, kind_code in rows]


@dataclass(frozen=True, slots=True)
class EquipmentClassRow:
    """An equipment class and how many work units in use are of it."""

    id: int
    site_id: int
    code: str
    name_zh: str
    name_en: str
    unit_count: int


def equipment_classes(*, actor: Actor, site_id: int) -> list[EquipmentClassRow]:
    """The classes of a site, by code. One query."""
    actor.require(VIEW, site_id=site_id)
    in_use = Count("work_units", filter=Q(work_units__retired_at__isnull=True))
    rows = EquipmentClass.objects.visible_to(actor).filter(site_id=site_id).annotate(unit_count=in_use)
    return [EquipmentClassRow(row.pk, row.site_id, row.code, row.name_zh, row.name_en, row.unit_count) for row in rows]


def equipment_class(*, actor: Actor, equipment_class_id: int) -> EquipmentClassRow:
    """One class. One query. Raises `NotVisible`."""
    in_use = Count("work_units", filter=Q(work_units__retired_at__isnull=True))
    row = EquipmentClass.objects.visible_to(actor).filter(pk=equipment_class_id).annotate(unit_count=in_use).first()
    if row is None:
        raise NotVisible(_("There is no such equipment class here."))
    return EquipmentClassRow(row.pk, row.site_id, row.code, row.name_zh, row.name_en, row.unit_count)


def equipment_class_ids(*, site_id: int) -> dict[str, int]:
    """Code -> id of a site's equipment classes; for importers of higher contexts. One query."""
    return dict(EquipmentClass.objects.filter(site_id=site_id).values_list("code", "pk"))


def site_of_equipment_class(*, actor: Actor, equipment_class_id: int) -> int:
    """The site of a class. One query. Raises `NotVisible`."""
    return equipment_class(actor=actor, equipment_class_id=equipment_class_id).site_id


@dataclass(frozen=True, slots=True)
class Name:
    """A name in both languages."""

    zh: str
    en: str


def cause_names(*, actor: Actor, site_id: int) -> dict[tuple[int, str], Name]:
    """What the cause codes of a site mean: (class id, code) -> name. One query."""
    actor.require(VIEW, site_id=site_id)
    rows = CauseName.objects.filter(equipment_class__site_id=site_id)
    return {
        (class_id, code): Name(zh, en)
        for class_id, code, zh, en in rows.values_list("equipment_class_id", "code", "name_zh", "name_en")
    }


# ---- what forms show ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class PictureRow:
    """What machines of a class look like."""

    media_type: str
    content: bytes
    sha256: str
    width: int
    height: int


def class_picture(*, actor: Actor, equipment_class_id: int) -> PictureRow | None:
    """The picture of a class, or None. Two queries. Raises `NotVisible`."""
    kind = equipment_class(actor=actor, equipment_class_id=equipment_class_id)
    actor.require(VIEW, site_id=kind.site_id)
    row = ClassPicture.objects.filter(pk=kind.id).first()
    if row is None:
        return None
    return PictureRow(row.media_type, bytes(row.content), row.sha256, row.width, row.height)


@dataclass(frozen=True, slots=True)
class CauseRow:
    """What a cause code of a class means."""

    code: str
    name_zh: str
    name_en: str


def causes_of_class(*, actor: Actor, equipment_class_id: int) -> list[CauseRow]:
    """The named causes of a class. Two queries. Raises `NotVisible`."""
    kind = equipment_class(actor=actor, equipment_class_id=equipment_class_id)
    rows = CauseName.objects.filter(equipment_class_id=kind.id).values_list("code", "name_zh", "name_en")
    return [CauseRow(*row) for row in rows]


@dataclass(frozen=True, slots=True)
class EditedRow:
    """An area, work center or work unit as its form shows it; what a kind does not have is None or ""."""

    id: int
    site_id: int
    code: str
    name_zh: str
    name_en: str
    parent_id: int | None
    class_id: int | None
    calendar_code: str
    rect: Rect | None
    is_retired: bool


def edited(*, actor: Actor, kind: str, pk: int) -> EditedRow:
    """One row of the tree for its form; ``kind``: ``area``, ``work_center`` or ``work_unit``. One query.

    Raises `NotVisible`, `PermissionRefused`.
    """
    model: Any = {"area": Area, "work_center": WorkCenter, "work_unit": WorkUnit}[kind]
    joins = {"area": ("placement",), "work_center": ("calendar",), "work_unit": ("calendar", "placement")}[kind]
    row = model.objects.visible_to(actor).select_related(*joins).filter(pk=pk).first()
    if row is None:
        raise NotVisible(_("There is no such thing here."))
    actor.require(VIEW, site_id=row.site_id)
    place = getattr(row, "placement", None)
    calendar = getattr(row, "calendar", None)
    return EditedRow(
        id=row.pk,
        site_id=row.site_id,
        code=row.code,
        name_zh=row.name_zh,
        name_en=row.name_en,
        parent_id={"area": None, "work_center": getattr(row, "area_id", None)}.get(
            kind, getattr(row, "work_center_id", None)
        ),
        class_id=getattr(row, "equipment_class_id", None),
        calendar_code=calendar.code if calendar is not None else "",
        rect=Rect(place.x, place.y, place.w, place.h) if place is not None else None,
        is_retired=row.retired_at is not None,
    )


def units_that_work(*, site_id: int, ids: Iterable[int]) -> dict[int, tuple[str, int | None]]:
    """Id -> (code, class id) of those work units of a site that are in use; for higher contexts. One query."""
    rows = WorkUnit.objects.filter(site_id=site_id, pk__in=set(ids), retired_at__isnull=True)
    return {pk: (code, kind) for pk, code, kind in rows.values_list("pk", "code", "equipment_class_id")}
