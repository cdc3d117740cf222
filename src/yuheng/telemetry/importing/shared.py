"""What the sections have in common."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from yuheng.equipment.importing import Action, PlannedRow, Section, Values
from yuheng.kernel.errors import InvalidInput

EDIT = "telemetry.edit"
CLASSES = "classes"
WORK_UNITS = "work_units"


def sentences(check: Callable[[], object]) -> str:
    """Return what a check of the services has to say, or nothing."""
    try:
        check()
    except InvalidInput as refusal:
        return " ".join(refusal.fields.values()) or str(refusal)
    return ""


def whole(section: Section, site_id: int, rows: Sequence[PlannedRow]) -> Iterator[tuple[PlannedRow, Values]]:
    """Pair each row with all of its values: a changed row's file gives some, the others stay."""
    existing = section.existing(site_id) if any(row.action is Action.CHANGE for row in rows) else {}
    for row in rows:
        yield row, {**existing.get(row.key, {}), **row.values}
