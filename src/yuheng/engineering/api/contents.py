"""Shapes that several parts of the edge share. Unknown fields are refused: a typo must not be a default."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from ninja import Schema
from pydantic import AwareDatetime, ConfigDict

from yuheng.engineering.rules import specs
from yuheng.engineering.rules.specs import EffectivitySpec
from yuheng.engineering.rules.words import Basis, VersionKind, VersionState

for _spec in (
    specs.MaterialSpec,
    specs.ParameterSpec,
    specs.AlternateSpec,
    specs.LineSpec,
    specs.BomSpec,
    specs.SkillNeed,
    specs.ToolNeed,
    specs.RecipeParameter,
    specs.Check,
    specs.SignalRules,
    specs.AlternativeSpec,
    specs.SegmentSpec,
    specs.LinkSpec,
    specs.WorkMasterSpec,
    specs.EffectivitySpec,
    specs.ChangeSpec,
):
    _spec.__pydantic_config__ = ConfigDict(extra="forbid")  # type: ignore[union-attr]

OptionValue = bool | int | float | str | dict[str, str | float]


class EffectivityOut(Schema):
    """What a version holds for: days (``valid_to`` not included), serial numbers, or one order."""

    basis: Basis
    valid_from: date | None
    valid_to: date | None
    serial_prefix: str
    serial_first: int | None
    serial_last: int | None
    order_code: str


class VersionOut(Schema):
    """A version of a bill of material or work master, without its content."""

    id: int
    kind: VersionKind
    site_id: int
    material_id: int
    number: int
    state: VersionState
    note: str
    edition: int
    created_at: datetime
    created_by: str
    released_at: datetime | None
    released_by: str
    content_sha256: str
    effectivities: list[EffectivityOut]


class ReleaseIn(Schema):
    """For what the version holds; without it, from today on."""

    effectivity: EffectivitySpec | None = None
    at: AwareDatetime | None = None


class RetireIn(Schema):
    """Why the version must not be used any more."""

    reason: str


class ContentFieldChangeOut(Schema):
    """One field of something that stands in both versions."""

    field: str
    before: str
    after: str


class ComparedOut(Schema):
    """A line, segment, link or option."""

    kind: str
    key: str
    label: str
    changes: list[ContentFieldChangeOut]


class ComparisonOut(Schema):
    """What one version has, and the other has not."""

    added: list[ComparedOut]
    removed: list[ComparedOut]
    changed: list[ComparedOut]


class MadeOut(Schema):
    """What was made, by its id."""

    id: int
    number: int | None = None
    edition: int | None = None
    code: str | None = None


class LineOut(Schema):
    """One line of an exploded product; quantities as text, for the whole order in ``unit``."""

    path: str
    level: int
    find_number: str
    owner_path: str
    material_id: int
    code: str
    name_zh: str
    name_en: str
    revision: str
    source: str
    tracking: str
    quantity: Decimal
    quantity_per: Decimal
    scrap_ratio: Decimal
    gross_quantity: Decimal
    unit: str
    segment_code: str
    bom_version_number: int | None
    work_master_version_number: int | None


class AskedOut(Schema):
    """A frozen product: the document and its fingerprint."""

    sha256: str
    document: dict[str, Any]


def now(at: datetime | None = None) -> datetime:
    """Return the moment that was given, or this one."""
    return at or datetime.now(UTC)
