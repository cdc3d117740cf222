"""What a bill of material and a work master consist of, as people write it: the content of a version."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from itertools import pairwise

from yuheng.engineering.rules.words import Basis, CheckKind, LinkKind, SegmentKind, Source, Tracking
from yuheng.engines.formulas.expressions import Kind


@dataclass(frozen=True, slots=True)
class MaterialSpec:
    """A material definition. ``conversions``: other unit -> so many of ``unit``."""

    code: str
    name_zh: str
    name_en: str
    unit: str = "{piece}"
    source: Source = Source.BUY
    tracking: Tracking = Tracking.NONE
    class_code: str = ""
    description: str = ""
    conversions: dict[str, Decimal] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ParameterSpec:
    """An option of a product that formulas use. ``default`` as text: ``4500``, ``glass``, ``true``; "" for none."""

    name: str
    kind: Kind = Kind.NUMBER
    name_zh: str = ""
    name_en: str = ""
    unit: str = "1"
    choices: tuple[str, ...] = ()
    default: str = ""
    low: Decimal | None = None
    high: Decimal | None = None


@dataclass(frozen=True, slots=True)
class AlternateSpec:
    """What may be used instead; ``ratio`` of it (in its own unit) for one of the component (in its own)."""

    material_id: int
    priority: int = 1
    ratio: Decimal = Decimal(1)


@dataclass(frozen=True, slots=True)
class LineSpec:
    """One line of a bill of material.

    ``quantity`` is a formula in ``unit`` ("" the component's own) for ``BomSpec.base_quantity``; ``scrap_ratio`` the
    share that is lost (0 ≤ … < 1); ``segment`` where it is used ("" the first); ``bindings`` gives options of the
    component as formulas over those of this bill.
    """

    find_number: str
    material_id: int
    quantity: str = "1"
    unit: str = ""
    condition: str = ""
    scrap_ratio: Decimal = Decimal(0)
    segment: str = ""
    position: str = ""
    note: str = ""
    bindings: dict[str, str] = field(default_factory=dict)
    alternates: tuple[AlternateSpec, ...] = ()


@dataclass(frozen=True, slots=True)
class BomSpec:
    """The content of a bill of material."""

    lines: tuple[LineSpec, ...] = ()
    parameters: tuple[ParameterSpec, ...] = ()
    base_quantity: Decimal = Decimal(1)
    note: str = ""
    revision_id: int | None = None


@dataclass(frozen=True, slots=True)
class SkillNeed:
    """So many people who have a skill, at least at a level."""

    skill: str
    count: int = 1
    level: int = 1


@dataclass(frozen=True, slots=True)
class ToolNeed:
    """So many of a tool."""

    tool: str
    count: int = 1


@dataclass(frozen=True, slots=True)
class RecipeParameter:
    """A set point with its limits; ``tag_symbol`` is the signal that shows it ("" for none)."""

    code: str
    name_zh: str = ""
    name_en: str = ""
    unit: str = "1"
    target: float | None = None
    low: float | None = None
    high: float | None = None
    tag_symbol: str = ""


@dataclass(frozen=True, slots=True)
class Check:
    """Something to be looked at, measured or confirmed. ``every`` n-th piece; 0: once a job."""

    code: str
    kind: CheckKind = CheckKind.VISUAL
    name_zh: str = ""
    name_en: str = ""
    unit: str = "1"
    low: float | None = None
    target: float | None = None
    high: float | None = None
    every: int = 1
    is_mandatory: bool = True
    document_ids: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class SignalRules:
    """What the machine's signals may do by themselves at a segment.

    ``counts``: ``count_symbol`` rising by one reports ``pieces_per_cycle`` pieces; ``starts`` and ``pauses``: the
    machine's state starts and pauses the clock of a job; ``run_id_symbol`` carries the controller's own run number.
    """

    counts: bool = False
    count_symbol: str = ""
    pieces_per_cycle: float = 1.0
    starts: bool = False
    pauses: bool = False
    run_id_symbol: str = ""


@dataclass(frozen=True, slots=True)
class AlternativeSpec:
    """A work unit that can do a segment; times as formulas ("" the segment's)."""

    work_unit_id: int
    setup_time: str = ""
    run_time: str = ""
    preference: int = 1


@dataclass(frozen=True, slots=True)
class SegmentSpec:
    """One step of a work master.

    ``setup_time`` and ``run_time`` are formulas that give seconds (``quantity(2, 'min')`` is 120); the run time is for
    ``run_quantity`` pieces, or for a whole batch where ``batch_size`` is given. ``transfer_s`` carries pieces to the
    next segment, in lots of ``transfer_batch`` when that is given; ``wait_s`` passes without a machine (cooling).
    """

    code: str
    name_zh: str = ""
    name_en: str = ""
    kind: SegmentKind = SegmentKind.PRODUCE
    equipment_class_id: int | None = None
    condition: str = ""
    setup_time: str = "0"
    run_time: str = "0"
    run_quantity: Decimal = Decimal(1)
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
    recipe: tuple[RecipeParameter, ...] = ()
    checks: tuple[Check, ...] = ()
    signals: SignalRules = field(default_factory=SignalRules)
    confirms: tuple[str, ...] = ("start", "quantity", "finish")
    document_ids: tuple[int, ...] = ()
    alternatives: tuple[AlternativeSpec, ...] = ()


@dataclass(frozen=True, slots=True)
class LinkSpec:
    """``after`` follows ``before`` (codes of segments). ``most``: how often a rework link may be gone."""

    before: str
    after: str
    kind: LinkKind = LinkKind.FINISH_START
    lag_s: float = 0.0
    most: int | None = None


@dataclass(frozen=True, slots=True)
class WorkMasterSpec:
    """The content of a work master. ``links`` None: one segment after the other, as they stand."""

    segments: tuple[SegmentSpec, ...] = ()
    links: tuple[LinkSpec, ...] | None = None
    parameters: tuple[ParameterSpec, ...] = ()
    note: str = ""

    def whole_links(self) -> tuple[LinkSpec, ...]:
        """Return the links, made from the order of the segments where none are given."""
        if self.links is not None:
            return self.links
        line = [one.code for one in self.segments if one.kind is not SegmentKind.REWORK]
        return tuple(LinkSpec(before, after) for before, after in pairwise(line))


@dataclass(frozen=True, slots=True)
class EffectivitySpec:
    """What a version holds for: days from ``valid_from`` until before ``valid_to``, serial numbers, or one order."""

    basis: Basis = Basis.DATE
    valid_from: date | None = None
    valid_to: date | None = None
    serial_prefix: str = ""
    serial_first: int | None = None
    serial_last: int | None = None
    order_code: str = ""


@dataclass(frozen=True, slots=True)
class ChangeSpec:
    """What an engineering change order says; the versions are added afterwards."""

    title: str
    reason: str
    effective_from: date
    disposition_stock: str = ""
    disposition_wip: str = ""
    disposition_field: str = ""
    code: str = ""
