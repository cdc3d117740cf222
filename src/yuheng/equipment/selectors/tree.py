"""The equipment tree of a site."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import Prefetch, Q

from yuheng.equipment.models import (
    Area,
    AssetAssignment,
    WorkCenter,
    WorkUnit,
)
from yuheng.equipment.selectors.access import VIEW
from yuheng.equipment.selectors.sites import SiteRow, site
from yuheng.kernel.actor import Actor


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
