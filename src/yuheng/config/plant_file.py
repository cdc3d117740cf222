"""The sections of a plant file, in the order in which they are applied; each context lists its own."""

from __future__ import annotations

from yuheng.alarms.importing import SECTIONS as ALARM_SECTIONS
from yuheng.analysis.importing import SECTIONS as ANALYSIS_SECTIONS
from yuheng.equipment.importing import Section
from yuheng.equipment.importing.sections import SECTIONS as EQUIPMENT_SECTIONS
from yuheng.telemetry.importing import SECTIONS as TELEMETRY_SECTIONS

SECTIONS: tuple[Section, ...] = (
    *EQUIPMENT_SECTIONS,
    *TELEMETRY_SECTIONS,
    *ALARM_SECTIONS,
    *ANALYSIS_SECTIONS,
)
