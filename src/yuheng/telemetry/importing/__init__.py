"""What telemetry adds to plant files: signals, states of classes, templates of classes, machines that follow them.

``config.plant_file`` lists `SECTIONS` behind those of equipment.
"""

from __future__ import annotations

from yuheng.equipment.importing import Section
from yuheng.telemetry.importing.registers import RegisterSection
from yuheng.telemetry.importing.signals import (
    ClassStateSection,
    DeviceSection,
    SourceSection,
    TagClassSection,
    TagSection,
)
from yuheng.telemetry.importing.templates import MachineSection, TemplateSection

SECTIONS: tuple[Section, ...] = (
    TagClassSection(),
    SourceSection(),
    TagSection(),
    DeviceSection(),
    ClassStateSection(),
    TemplateSection(),
    MachineSection(),
    RegisterSection(),
)
"""In the order in which they must be applied."""

__all__ = [
    "SECTIONS",
    "ClassStateSection",
    "DeviceSection",
    "MachineSection",
    "RegisterSection",
    "SourceSection",
    "TagClassSection",
    "TagSection",
    "TemplateSection",
]
