"""Questions about sites, the equipment tree, the map, calendars and targets."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Count, Prefetch, Q
from django.utils.translation import gettext as _

from yuheng.equipment.models import (
    Area,
    AssetAssignment,
    CauseName,
    EquipmentClass,
    MapPlacement,
    PlantImport,
    Shift,
    ShiftCalendar,
    SiteTarget,
    WorkCenter,
    WorkUnit,
)
from yuheng.equipment.rules import AreaLayout, Rect, extent, lay_out
from yuheng.kernel import calendars
from yuheng.kernel.actor import Actor
from yuheng.kernel.errors import NotVisible
from yuheng.kernel.models import Site

VIEW = "equipment.view"


# ---- sites --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SiteRow:
    """A site as screens and other contexts know it."""

    id: int
    code: str
    name_zh: str
    name_en: str
    time_zone: str
    organisation_id: int


def visible_sites(*, actor: Actor) -> list[SiteRow]:
    """Sites where the actor holds any permission, oldest first. One query."""
    sites = Site.objects.all()
    ids = actor.site_ids()
    if ids is not None:
        sites = sites.filter(pk__in=ids)
    return [_site_row(site) for site in sites.order_by("id")]


def site(*, actor: Actor, site_id: int) -> SiteRow:
    """One site. One query. Raises `NotVisible`."""
    found = Site.objects.filter(pk=site_id).first() if actor.sees_site(site_id) else None
    if found is None:
        raise NotVisible(_("There is no such site here."))
    return _site_row(found)


def site_by_code(*, actor: Actor, code: str) -> SiteRow:
    """One site by its code. One query. Raises `NotVisible`."""
    found = Site.objects.filter(code=code).first()
    if found is None or not actor.sees_site(found.pk):
        raise NotVisible(_("There is no such site here."))
    return _site_row(found)


def _site_row(row: Site) -> SiteRow:
    return SiteRow(row.pk, row.code, row.name_zh, row.name_en, row.time_zone, row.organisation_id)


# ---- the plant map ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class AreaOnMap:
    """An area as the map draws it."""

    id: int
    code: str
    name_zh: str
    name_en: str
    rect: Rect


@dataclass(frozen=True, slots=True)
class UnitOnMap:
    """A work unit as the map draws it; ``class_code`` is "" without a class."""

    id: int
    code: str
    name_zh: str
    name_en: str
    class_code: str
    area_id: int
    work_center_id: int
    rect: Rect


@dataclass(frozen=True, slots=True)
class PlantMap:
    """Everything that stands still on the plant map; retired equipment is not on it. Sizes in map pixels."""

    site: SiteRow
    areas: tuple[AreaOnMap, ...]
    units: tuple[UnitOnMap, ...]
    width: float
    height: float


def plant_map(*, actor: Actor, site_id: int) -> PlantMap:
    """The map of a site, with a place for everything (`rules.lay_out` where nobody has placed it). Three queries."""
    actor.require(VIEW, site_id=site_id)
    of = site(actor=actor, site_id=site_id)
    areas = list(Area.objects.filter(site_id=site_id, retired_at__isnull=True).select_related("placement"))
    units = list(
        WorkUnit.objects.filter(site_id=site_id, retired_at__isnull=True)
        .select_related("placement", "equipment_class", "work_center")
        .order_by("work_center__position", "work_center_id", "position", "id")
    )
    by_area = {area.pk: [unit for unit in units if unit.work_center.area_id == area.pk] for area in areas}
    placed = lay_out([AreaLayout(_rect_of(area), tuple(_rect_of(unit) for unit in by_area[area.pk])) for area in areas])
    on_map = tuple(
        AreaOnMap(area.pk, area.code, area.name_zh, area.name_en, place.rect)
        for area, place in zip(areas, placed, strict=True)
    )
    stations = tuple(
        _unit_on_map(unit, area.pk, rect)
        for area, place in zip(areas, placed, strict=True)
        for unit, rect in zip(by_area[area.pk], place.units, strict=True)
    )
    width, height = extent([*(area.rect for area in on_map), *(unit.rect for unit in stations)])
    return PlantMap(of, on_map, stations, width, height)


def _rect_of(row: Area | WorkUnit) -> Rect | None:
    placement: MapPlacement | None = getattr(row, "placement", None)
    return Rect(placement.x, placement.y, placement.w, placement.h) if placement is not None else None


def _unit_on_map(unit: WorkUnit, area_id: int, rect: Rect) -> UnitOnMap:
    return UnitOnMap(
        id=unit.pk,
        code=unit.code,
        name_zh=unit.name_zh,
        name_en=unit.name_en,
        class_code=unit.equipment_class.code if unit.equipment_class else "",
        area_id=area_id,
        work_center_id=unit.work_center_id,
        rect=rect,
    )


# ---- the tree -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class TreeUnit:
    """A work unit in the tree."""

    id: int
    code: str
    name_zh: str
    name_en: str
    class_code: str
    serial: str  # of the asset that plays it now; "" without one
    is_retired: bool


@dataclass(frozen=True, slots=True)
class TreeCenter:
    """A work center in the tree."""

    id: int
    code: str
    name_zh: str
    name_en: str
    calendar_code: str
    is_retired: bool
    units: tuple[TreeUnit, ...]


@dataclass(frozen=True, slots=True)
class TreeArea:
    """An area in the tree."""

    id: int
    code: str
    name_zh: str
    name_en: str
    is_retired: bool
    centers: tuple[TreeCenter, ...]

    @property
    def unit_count(self) -> int:
        """How many work units it has, without retired ones."""
        return sum(not unit.is_retired for center in self.centers for unit in center.units)


@dataclass(frozen=True, slots=True)
class EquipmentTree:
    """ISA-95: site › area › work center › work unit."""

    site: SiteRow
    areas: tuple[TreeArea, ...]

    @property
    def unit_count(self) -> int:
        """How many work units the site has, without retired ones."""
        return sum(area.unit_count for area in self.areas)

    @property
    def center_count(self) -> int:
        """How many work centers the site has, without retired ones."""
        return sum(not center.is_retired for area in self.areas for center in area.centers)


def equipment_tree(*, actor: Actor, site_id: int, with_retired: bool = False) -> EquipmentTree:
    """The whole tree of a site. Five queries."""
    actor.require(VIEW, site_id=site_id)
    of = site(actor=actor, site_id=site_id)
    kept = Q() if with_retired else Q(retired_at__isnull=True)
    serials = dict(
        AssetAssignment.objects.filter(work_unit__site_id=site_id, to_at__isnull=True).values_list(
            "work_unit_id", "asset__serial"
        )
    )
    units = WorkUnit.objects.filter(kept).select_related("equipment_class")
    centers = WorkCenter.objects.filter(kept).select_related("calendar")
    areas = Area.objects.filter(kept, site_id=site_id).prefetch_related(
        Prefetch("work_centers", centers), Prefetch("work_centers__work_units", units)
    )
    return EquipmentTree(of, tuple(_tree_area(area, serials) for area in areas))


def _tree_area(area: Area, serials: dict[int, str]) -> TreeArea:
    centers = tuple(_tree_center(center, serials) for center in area.work_centers.all())
    return TreeArea(area.pk, area.code, area.name_zh, area.name_en, area.retired_at is not None, centers)


def _tree_center(center: WorkCenter, serials: dict[int, str]) -> TreeCenter:
    return TreeCenter(
        id=center.pk,
        code=center.code,
        name_zh=center.name_zh,
        name_en=center.name_en,
        calendar_code=center.calendar.code if center.calendar else "",
        is_retired=center.retired_at is not None,
        units=tuple(_tree_unit(unit, serials) for unit in center.work_units.all()),
    )


def _tree_unit(unit: WorkUnit, serials: dict[int, str]) -> TreeUnit:
    return TreeUnit(
        id=unit.pk,
        code=unit.code,
        name_zh=unit.name_zh,
        name_en=unit.name_en,
        class_code=unit.equipment_class.code if unit.equipment_class else "",
        serial=serials.get(unit.pk, ""),
        is_retired=unit.retired_at is not None,
    )


# ---- work units and classes ---------------------------------------------------------------------------------------


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


def work_unit_ids(*, site_id: int) -> dict[str, int]:
    """Code -> id of a site's work units, retired ones included; for importers of higher contexts. One query."""
    return dict(WorkUnit.objects.filter(site_id=site_id).values_list("code", "pk"))


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


# ---- targets ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class TargetRow:
    """What the site aims at for an indicator; ``unit`` is a UCUM code."""

    indicator: str
    value: float
    unit: str


def site_targets(*, actor: Actor, site_id: int) -> dict[str, TargetRow]:
    """Targets of a site by indicator. One query."""
    actor.require(VIEW, site_id=site_id)
    rows = SiteTarget.objects.visible_to(actor).filter(site_id=site_id)
    return {row.indicator: TargetRow(row.indicator, row.value, row.unit) for row in rows}


# ---- calendars ----------------------------------------------------------------------------------------------------


def calendars_of_site(*, actor: Actor, site_id: int) -> list[calendars.Calendar]:
    """The site's shift calendars, by code. Four queries."""
    actor.require(VIEW, site_id=site_id)
    of = site(actor=actor, site_id=site_id)
    rows = _with_shifts(ShiftCalendar.objects.filter(site_id=site_id))
    return [_calendar(row, of.time_zone) for row in rows]


def calendar_for(*, actor: Actor, site_id: int, work_unit_id: int | None = None) -> calendars.Calendar | None:
    """The calendar that holds for a work unit, or for the site: unit, then center, then site; None without one.

    At most five queries. Raises `NotVisible`.
    """
    return calendars_for(actor=actor, site_id=site_id, work_unit_ids=[work_unit_id])[work_unit_id]


def calendars_for(
    *, actor: Actor, site_id: int, work_unit_ids: Sequence[int | None]
) -> dict[int | None, calendars.Calendar | None]:
    """The nearest calendar of many work units of a site at once (None: of the site). At most five queries."""
    actor.require(VIEW, site_id=site_id)
    of = site(actor=actor, site_id=site_id)
    rows = list(_with_shifts(ShiftCalendar.objects.filter(site_id=site_id)))
    known = {row.pk: _calendar(row, of.time_zone) for row in rows}
    usual = next((known[row.pk] for row in rows if row.is_site_default), None)
    wanted = [unit_id for unit_id in work_unit_ids if unit_id is not None]
    found: dict[int | None, calendars.Calendar | None] = {None: usual}
    for pk, own, centers in WorkUnit.objects.filter(pk__in=wanted, site_id=site_id).values_list(
        "pk", "calendar_id", "work_center__calendar_id"
    ):
        found[pk] = known.get(own) or known.get(centers) or usual
    if any(unit_id not in found for unit_id in wanted):
        raise NotVisible(_("There is no such work unit here."))
    return found


def _with_shifts(rows: Any) -> Any:
    return rows.order_by("code").prefetch_related(Prefetch("shifts", Shift.objects.prefetch_related("breaks")))


def _calendar(row: ShiftCalendar, time_zone: str) -> calendars.Calendar:
    shifts = tuple(
        calendars.Shift(
            code=shift.code,
            start=shift.start,
            end=shift.end,
            weekdays=frozenset(shift.weekdays),
            breaks=tuple(calendars.Break(pause.start, pause.end) for pause in shift.breaks.all()),
            name_zh=shift.name_zh,
            name_en=shift.name_en,
        )
        for shift in row.shifts.all()
    )
    return calendars.Calendar(row.code, time_zone, shifts)


# ---- imports ------------------------------------------------------------------------------------------------------


def plant_import(*, actor: Actor, import_id: int) -> PlantImport:
    """An uploaded file that waits for its dry run to be accepted. One query. Raises `NotVisible`."""
    found: PlantImport | None = PlantImport.objects.visible_to(actor).filter(pk=import_id).first()
    if found is None:
        raise NotVisible(_("There is no such import here."))
    actor.require("equipment.edit", site_id=found.site_id)
    return found
