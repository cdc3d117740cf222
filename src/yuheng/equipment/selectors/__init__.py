"""Questions about sites, the equipment tree, the map, calendars and targets."""

from yuheng.equipment.selectors.calendars import (
    calendar_for,
    calendars_for,
    calendars_of_site,
)
from yuheng.equipment.selectors.imports import (
    plant_import,
)
from yuheng.equipment.selectors.plant_map import (
    AreaOnMap,
    PlantMap,
    UnitOnMap,
    plant_map,
)
from yuheng.equipment.selectors.sites import (
    SiteRow,
    site,
    site_by_code,
    visible_sites,
)
from yuheng.equipment.selectors.targets import (
    TargetRow,
    site_targets,
)
from yuheng.equipment.selectors.tree import (
    EquipmentTree,
    TreeArea,
    TreeCenter,
    TreeUnit,
    equipment_tree,
)
from yuheng.equipment.selectors.units import (
    AssetRow,
    ConfiguredUnit,
    EquipmentClassRow,
    Name,
    WorkCenterRow,
    WorkUnitRow,
    assets_of,
    cause_names,
    configured_work_units,
    equipment_class,
    equipment_class_ids,
    equipment_classes,
    names_of_work_units,
    site_of_equipment_class,
    site_of_work_units,
    work_center,
    work_unit,
    work_unit_ids,
    work_unit_ids_of_areas,
    work_unit_ids_said_with,
    work_units,
)

__all__ = [
    "AreaOnMap",
    "AssetRow",
    "ConfiguredUnit",
    "EquipmentClassRow",
    "EquipmentTree",
    "Name",
    "PlantMap",
    "SiteRow",
    "TargetRow",
    "TreeArea",
    "TreeCenter",
    "TreeUnit",
    "UnitOnMap",
    "WorkCenterRow",
    "WorkUnitRow",
    "assets_of",
    "calendar_for",
    "calendars_for",
    "calendars_of_site",
    "cause_names",
    "configured_work_units",
    "equipment_class",
    "equipment_class_ids",
    "equipment_classes",
    "equipment_tree",
    "names_of_work_units",
    "plant_import",
    "plant_map",
    "site",
    "site_by_code",
    "site_of_equipment_class",
    "site_of_work_units",
    "site_targets",
    "visible_sites",
    "work_center",
    "work_unit",
    "work_unit_ids",
    "work_unit_ids_of_areas",
    "work_unit_ids_said_with",
    "work_units",
]
