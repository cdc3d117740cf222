"""Tables: materials, versions of bills of material and work masters, their effectivity, changes, imports."""

from yuheng.engineering.models.changes import AffectedVersion, EngineeringChangeOrder
from yuheng.engineering.models.documents import Document
from yuheng.engineering.models.imports import ImportedRow, ImportPiece, ProductImport
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
    "ImportPiece",
    "ImportedRow",
    "MaterialClass",
    "MaterialDefinition",
    "MaterialRevision",
    "MaterialUnit",
    "ProductImport",
    "SegmentAlternative",
    "SegmentLink",
    "Version",
    "WorkMasterVersion",
    "WorkSegment",
]
