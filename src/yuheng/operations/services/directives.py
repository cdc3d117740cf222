"""ISA-95's work directive: a frozen segment as JSON, on each job order that is made of it."""

from __future__ import annotations

from dataclasses import asdict, is_dataclass
from decimal import Decimal
from enum import Enum
from typing import Any

KEPT = (
    "kind",
    "setup_s",
    "run_s",
    "run_quantity",
    "transfer_s",
    "wait_s",
    "batch_size",
    "setup_family",
    "crew_size",
    "skills",
    "tools",
    "parameters",
    "checks",
    "document_ids",
    "instruction_zh",
    "instruction_en",
    "yield_ratio",
    "signals",
    "confirms",
    "subcontractor",
    "lead_time_s",
    "alternatives",
)


def directive_of(segment: Any) -> dict[str, Any]:
    """Return what the floor must know of a resolved segment; sizes that say nothing are left out."""
    found = {name: plain(getattr(segment, name)) for name in KEPT}
    return {name: value for name, value in found.items() if value not in (None, "", [], {})}


def rework_plan(routing: Any, code: str) -> dict[str, Any]:
    """Return how pieces of a segment are reworked by the work master, or nothing: then the segment is repeated."""
    links = routing.rework_of(code)
    if not links:
        return {}
    link = links[0]
    segment = routing.segment(link.after)
    return {
        "segment": segment.code,
        "most": link.most,
        "name_zh": segment.name_zh,
        "name_en": segment.name_en,
        "equipment_class_id": segment.equipment_class_id,
        "candidates": [one.work_unit_id for one in segment.alternatives],
        "directive": directive_of(segment),
    }


def plain(value: Any) -> Any:
    """Return a value as JSON has it: numbers exact as text where they are decimal."""
    if is_dataclass(value) and not isinstance(value, type):
        return {name: plain(one) for name, one in asdict(value).items()}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() and abs(value) < 10**15 else float(value)
    if isinstance(value, frozenset | set):
        return sorted(plain(one) for one in value)
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    if isinstance(value, dict):
        return {str(name): plain(one) for name, one in value.items()}
    return value
