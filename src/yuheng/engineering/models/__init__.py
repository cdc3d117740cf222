"""Tables: materials, versions of bills of material and work masters, their effectivity, changes."""

from yuheng.engineering.models.changes import AffectedVersion, EngineeringChangeOrder
from yuheng.engineering.models.documents import Document
from yuheng.engineering.models.materials import (
    MaterialClass,
    MaterialDefinition,
    MaterialRevision,
    MaterialUnit,
)
from yuheng.engineering.models.versions import BomAlternate, BomLine, BomVersion, Effectivity, Version
from yuheng.engineering.models.work_masters import SegmentAlternative, SegmentLink, WorkMasterVersion, WorkSegment

__all__ = [
    "AffectedVersion",
    "BomAlternate",
    "BomLine",
    "BomVersion",
    "Document",
    "Effectivity",
    "EngineeringChangeOrder",
    "MaterialClass",
    "MaterialDefinition",
    "MaterialRevision",
    "MaterialUnit",
    "SegmentAlternative",
    "SegmentLink",
    "Version",
    "WorkMasterVersion",
    "WorkSegment",
]
