"""What equipment itself imports: calendars, classes with causes and pictures, the tree, assets, targets."""

from __future__ import annotations

from yuheng.equipment.importing.section import Section
from yuheng.equipment.importing.sections.assets import AssetSection
from yuheng.equipment.importing.sections.classes import CauseSection, EquipmentClassSection, PictureSection
from yuheng.equipment.importing.sections.shifts import CalendarSection
from yuheng.equipment.importing.sections.targets import TargetSection
from yuheng.equipment.importing.sections.tree import AreaSection, WorkCenterSection, WorkUnitSection

SECTIONS: tuple[Section, ...] = (
    CalendarSection(),
    EquipmentClassSection(),
    CauseSection(),
    PictureSection(),
    AreaSection(),
    WorkCenterSection(),
    WorkUnitSection(),
    AssetSection(),
    TargetSection(),
)
"""In the order in which they are applied: what is referred to comes first."""
