"""Everything that stands still on the plant map."""

from __future__ import annotations

from dataclasses import dataclass

from yuheng.equipment.models import (
    Area,
    MapPlacement,
    WorkUnit,
)
from yuheng.equipment.rules import AreaLayout, Rect, extent, lay_out
from yuheng.equipment.selectors.access import VIEW
from yuheng.equipment.selectors.sites import SiteRow, site
from yuheng.kernel.actor import Actor


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
