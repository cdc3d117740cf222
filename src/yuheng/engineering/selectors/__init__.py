"""Questions about materials, versions, products for orders, and changes."""

from yuheng.engineering.selectors.materials import (
    ClassRow,
    MaterialName,
    MaterialRow,
    RevisionRow,
    count_materials,
    material,
    material_by_code,
    material_classes,
    material_ids,
    material_ids_of,
    material_names,
    revisions_of,
    search_materials,
    unit_factor,
)
from yuheng.engineering.selectors.resolving import (
    EffectiveVersions,
    effective_versions,
    explode,
    resolution_from_document,
    resolve,
)

__all__ = [
    "ClassRow",
    "EffectiveVersions",
    "MaterialName",
    "MaterialRow",
    "RevisionRow",
    "count_materials",
    "effective_versions",
    "explode",
    "material",
    "material_by_code",
    "material_classes",
    "material_ids",
    "material_ids_of",
    "material_names",
    "resolution_from_document",
    "resolve",
    "revisions_of",
    "search_materials",
    "unit_factor",
]
