"""What an order will be made of and how: frozen, told by its fingerprint. The document is what orders keep."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import msgspec

from yuheng.engineering.rules.faults import Fault, Faulty, _
from yuheng.engineering.rules.specs import Check, RecipeParameter, SignalRules, SkillNeed, ToolNeed
from yuheng.engineering.rules.words import LinkKind, SegmentKind, Source, Tracking

FORMAT = "yuheng/resolution-1"


@dataclass(frozen=True, slots=True)
class ResolvedAlternate:
    """What may be used instead of a line's component, and how much of it."""

    material_id: int
    code: str
    priority: int
    quantity: Decimal
    gross_quantity: Decimal
    unit: str
    tracking: Tracking


@dataclass(frozen=True, slots=True)
class ResolvedLine:
    """One part of the exploded product; see ``/work/h/orders-contract.md`` for what each quantity is of.

    Attributes
    ----------
    path
        Find numbers from the product down: ``10/20``.
    owner_path
        Path of the nearest ancestor that is made (phantoms are not): its work master uses the line. "" the product.
    quantity, gross_quantity
        For the whole order in ``unit``: without scrap, and with that of this line and all above it.
    quantity_per
        For one of the owner, without scrap.
    """

    path: str
    level: int
    find_number: str
    parent_path: str
    owner_path: str
    material_id: int
    code: str
    name_zh: str
    name_en: str
    revision: str
    source: Source
    tracking: Tracking
    quantity: Decimal
    quantity_per: Decimal
    scrap_ratio: Decimal
    gross_quantity: Decimal
    unit: str
    segment_code: str = ""
    position: str = ""
    note: str = ""
    bom_version_id: int | None = None
    bom_version_number: int | None = None
    work_master_version_id: int | None = None
    work_master_version_number: int | None = None
    alternates: tuple[ResolvedAlternate, ...] = ()


@dataclass(frozen=True, slots=True)
class SegmentAlternative:
    """A work unit that can do a segment, with its own times."""

    work_unit_id: int
    work_unit_code: str
    setup_s: float
    run_s: float
    preference: int

    @property
    def is_preferred(self) -> bool:
        """Return whether it is a first choice."""
        return self.preference <= 1


@dataclass(frozen=True, slots=True)
class ResolvedSegment:
    """One step with its times in seconds for these options; see `rules.specs.SegmentSpec`."""

    code: str
    name_zh: str
    name_en: str
    kind: SegmentKind
    equipment_class_id: int | None
    equipment_class_code: str
    setup_s: float
    run_s: float
    run_quantity: Decimal
    transfer_s: float = 0.0
    wait_s: float = 0.0
    transfer_batch: Decimal | None = None
    batch_size: Decimal | None = None
    setup_family: str = ""
    crew_size: int = 1
    yield_ratio: Decimal = Decimal(1)
    subcontractor: str = ""
    lead_time_s: float | None = None
    instruction_zh: str = ""
    instruction_en: str = ""
    skills: tuple[SkillNeed, ...] = ()
    tools: tuple[ToolNeed, ...] = ()
    parameters: tuple[RecipeParameter, ...] = ()
    checks: tuple[Check, ...] = ()
    signals: SignalRules = field(default_factory=SignalRules)
    confirms: tuple[str, ...] = ()
    document_ids: tuple[int, ...] = ()
    alternatives: tuple[SegmentAlternative, ...] = ()

    def duration_s(self, quantity: Decimal, work_unit_id: int | None = None) -> float:
        """Return the run time of a quantity, without set-up: whole batches where it works in batches."""
        own = next((one.run_s for one in self.alternatives if one.work_unit_id == work_unit_id), self.run_s)
        if self.batch_size is not None:
            batches = -(-quantity // self.batch_size)
            return own * float(batches)
        return own * float(quantity / self.run_quantity)


@dataclass(frozen=True, slots=True)
class ResolvedLink:
    """``after`` follows ``before``."""

    before: str
    after: str
    kind: LinkKind = LinkKind.FINISH_START
    lag_s: float = 0.0
    most: int | None = None


@dataclass(frozen=True, slots=True)
class ResolvedRouting:
    """How the product (path "") or a made part is made: segments, their links, an order in which they can run."""

    path: str
    material_id: int
    code: str
    quantity: Decimal
    unit: str
    work_master_version_id: int
    number: int
    segments: tuple[ResolvedSegment, ...]
    links: tuple[ResolvedLink, ...]
    order: tuple[str, ...]

    def segment(self, code: str) -> ResolvedSegment:
        """Return a segment by its code. Raises `KeyError`."""
        for one in self.segments:
            if one.code == code:
                return one
        raise KeyError(code)

    @property
    def first(self) -> str:
        """Code of the segment that can run first."""
        return self.order[0]

    @property
    def last(self) -> str:
        """Code of the segment that runs last."""
        return self.order[-1]

    def _regular(self) -> list[ResolvedLink]:
        known = set(self.order)
        return [
            one for one in self.links if one.kind is not LinkKind.REWORK and one.before in known and one.after in known
        ]

    def predecessors(self, code: str) -> tuple[ResolvedLink, ...]:
        """Return the links that lead to a segment; rework apart."""
        return tuple(one for one in self._regular() if one.after == code)

    def successors(self, code: str) -> tuple[ResolvedLink, ...]:
        """Return the links that leave a segment; rework apart."""
        return tuple(one for one in self._regular() if one.before == code)

    def rework_of(self, code: str) -> tuple[ResolvedLink, ...]:
        """Return where pieces go that fail at a segment."""
        return tuple(one for one in self.links if one.before == code and one.kind is LinkKind.REWORK)

    def returns_of(self, code: str) -> tuple[ResolvedLink, ...]:
        """Return where pieces go from a rework segment."""
        known = set(self.order)
        return tuple(
            one for one in self.links if one.before == code and one.kind is not LinkKind.REWORK and code not in known
        )


@dataclass(frozen=True, slots=True)
class Resolution:
    """A product for one order, whole. ``resolved_at`` is not part of the fingerprint."""

    site_id: int
    material_id: int
    material_code: str
    name_zh: str
    name_en: str
    revision: str
    unit: str
    tracking: Tracking
    on: date
    serial: str
    order_code: str
    options: dict[str, str]
    quantity: Decimal
    bom_version_id: int | None
    bom_version_number: int | None
    work_master_version_id: int
    work_master_version_number: int
    lines: tuple[ResolvedLine, ...]
    routings: tuple[ResolvedRouting, ...]
    format: str = FORMAT
    resolved_at: datetime | None = field(default=None, compare=False)

    @property
    def document(self) -> dict[str, Any]:
        """Everything as JSON: quantities as text, times as numbers."""
        found: dict[str, Any] = msgspec.to_builtins(self, str_keys=True)
        del found["resolved_at"]
        return found

    @property
    def sha256(self) -> str:
        """Fingerprint of the document."""
        return fingerprint(self.document)

    def routing(self, path: str = "") -> ResolvedRouting:
        """Return how the product, or the made part at a path, is made. Raises `KeyError`."""
        for one in self.routings:
            if one.path == path:
                return one
        raise KeyError(path)

    def lines_of(self, owner_path: str) -> tuple[ResolvedLine, ...]:
        """Return what is used to make the product ("") or the made part at a path; phantoms are dissolved."""
        return tuple(one for one in self.lines if one.owner_path == owner_path and one.source is not Source.PHANTOM)


def canonical_json(document: Mapping[str, Any]) -> bytes:
    """Return the one way of writing a document: sorted keys, no spaces, UTF-8."""
    return json.dumps(document, sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()


def fingerprint(document: Mapping[str, Any]) -> str:
    """Return the SHA-256 of the canonical JSON, in hexadecimal."""
    return hashlib.sha256(canonical_json(document)).hexdigest()


def from_document(document: Mapping[str, Any]) -> Resolution:
    """Read a kept document.

    Raises
    ------
    Faulty
        It is not such a document.
    """
    try:
        found = msgspec.convert(dict(document), Resolution)
    except msgspec.ValidationError as error:
        raise Faulty(Fault(_("The frozen product cannot be read: %(why)s"), "", {"why": str(error)})) from error
    if found.format != FORMAT:
        raise Faulty(Fault(_("The frozen product cannot be read: %(why)s"), "", {"why": found.format}))
    return found


def plain(value: Decimal) -> Decimal:
    """Return the number to nine places, as it is written in documents: without trailing zeros or exponent.

    Examples
    --------
    >>> plain(Decimal("1.500")), plain(Decimal("1E+3")), plain(Decimal(1) / 3)
    (Decimal('1.5'), Decimal('1000'), Decimal('0.333333333'))
    """
    rounded = value.quantize(Decimal("0.000000001")).normalize()
    exponent = rounded.as_tuple().exponent
    return rounded.quantize(Decimal(1)) if isinstance(exponent, int) and exponent > 0 else rounded
