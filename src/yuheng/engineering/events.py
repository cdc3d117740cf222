"""What engineering tells others: facts, in the past tense."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class MaterialChanged:
    """A material was created, edited, revised, retired or restored; ``material_id`` None: many, by an import."""

    site_id: int
    material_id: int | None
    change: str


@dataclass(frozen=True, slots=True)
class VersionReleased:
    """A version (``kind`` ``bom`` or ``work_master``) holds from now on, as its effectivity says."""

    site_id: int
    kind: str
    material_id: int
    version_id: int
    number: int


@dataclass(frozen=True, slots=True)
class VersionSuperseded:
    """A version was replaced; what is in hand keeps it."""

    site_id: int
    kind: str
    material_id: int
    version_id: int
    number: int


@dataclass(frozen=True, slots=True)
class VersionRetired:
    """A version must not be used any more."""

    site_id: int
    kind: str
    material_id: int
    version_id: int
    number: int


@dataclass(frozen=True, slots=True)
class ChangeImplemented:
    """An engineering change is in force: its versions were released, those before them superseded."""

    site_id: int
    change_id: int
    code: str
    effective_from: str
