"""Words of engineering in the reader's language."""

from __future__ import annotations

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

VERSION_STATES: dict[str, Promise] = {
    "draft": _("draft"),
    "released": _("released"),
    "superseded": _("superseded"),
    "obsolete": _("out of force"),
}
CHANGE_STATES: dict[str, Promise] = {
    "draft": _("draft"),
    "in_review": _("in review"),
    "approved": _("approved"),
    "implemented": _("implemented"),
    "rejected": _("rejected"),
}
SOURCES: dict[str, Promise] = {"make": _("made"), "buy": _("bought"), "phantom": _("phantom")}
TRACKINGS: dict[str, Promise] = {"none": _("not tracked"), "lot": _("by lot"), "serial": _("by serial number")}
SEGMENT_KINDS: dict[str, Promise] = {
    "produce": _("produce"),
    "inspect": _("inspect"),
    "move": _("move"),
    "subcontract": _("subcontract"),
    "rework": _("rework"),
}
VERSION_KINDS: dict[str, Promise] = {"bom": _("bill of material"), "work_master": _("work master")}
COMPARED_KINDS: dict[str, Promise] = {
    "line": _("line"),
    "segment": _("segment"),
    "link": _("link"),
    "option": _("option"),
    "version": _("version"),
}
IMPORT_PHASES: dict[str, Promise] = {
    "waiting": _("is being read"),
    "planned": _("dry run"),
    "applying": _("is being written"),
    "applied": _("written"),
    "failed": _("cannot be read"),
}
COLUMNS: dict[str, Promise] = {
    "find_number": _("Find number"),
    "component": _("Component"),
    "component_name": _("Name"),
    "quantity": _("Quantity"),
    "unit": _("Unit"),
    "condition": _("Only when"),
    "scrap": _("Scrap"),
    "scrap_ratio": _("Scrap"),
    "segment": _("Used at segment"),
    "alternates": _("Alternates"),
    "options": _("Its options"),
    "bindings": _("Its options"),
    "position": _("Position"),
    "note": _("Note"),
    "name": _("Name"),
    "kind": _("Kind"),
    "name_zh": _("Chinese name"),
    "name_en": _("English name"),
    "choices": _("Choices"),
    "default": _("Default"),
    "low": _("At least"),
    "high": _("At most"),
    "code": _("Code"),
    "class": _("Class"),
    "source": _("Source"),
    "tracking": _("Tracking"),
    "conversions": _("Other units"),
    "description": _("Description"),
    "equipment_class": _("Equipment class"),
    "setup_time": _("Set-up (s)"),
    "run_time": _("Run (s)"),
    "run_quantity": _("Run time is for"),
    "work_units": _("Work units"),
    "alternatives": _("Work units"),
    "after": _("After"),
    "rework": _("Rework to"),
    "setup_family": _("Set-up family"),
    "crew": _("Crew"),
    "crew_size": _("Crew"),
    "skills": _("Skills"),
    "tools": _("Tools"),
    "recipe": _("Parameters"),
    "checks": _("Checks"),
    "signals": _("Signals may"),
    "confirms": _("A person confirms"),
    "transfer_s": _("Transfer (s)"),
    "transfer_batch": _("Transfer batch"),
    "wait_s": _("Waiting (s)"),
    "batch_size": _("Batch size"),
    "yield": _("Yield"),
    "yield_ratio": _("Yield"),
    "subcontractor": _("Subcontractor"),
    "lead_time_s": _("Lead time (s)"),
    "documents": _("Documents"),
    "document_ids": _("Documents"),
    "instruction_zh": _("Instruction (Chinese)"),
    "instruction_en": _("Instruction (English)"),
    "base_quantity": _("For a quantity of"),
    "before": _("Before"),
    "lag_s": _("Lag (s)"),
    "most": _("At most"),
    "material": _("Material"),
}
"""Names of columns and fields, by what they are called in files."""
