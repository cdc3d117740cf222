"""What several sections have in common."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from yuheng.equipment.importing import fields as read
from yuheng.equipment.importing.fields import Field
from yuheng.equipment.importing.section import Action, PlannedRow, Values, items
from yuheng.kernel.models import SiteScopedModel

NAMES = (Field("name_zh", read.filled_text()), Field("name_en", read.filled_text()))
CODE = Field("code", read.code, is_key=True)


def split(rows: Sequence[PlannedRow]) -> tuple[list[PlannedRow], list[PlannedRow]]:
    """Return new rows and changed rows."""
    added = [row for row in rows if row.action is Action.ADD]
    return added, [row for row in rows if row.action is Action.CHANGE]


def by_code(model: type[SiteScopedModel], site_id: int) -> dict[str, Any]:
    """Return a site's rows of a model by their codes. One query."""
    return {row.code: row for row in model.objects.filter(site_id=site_id)}


def find(items_: Sequence[dict[str, Any]], code: str) -> dict[str, Any] | None:
    """Return the item of a plant file with this code."""
    return next((item for item in items_ if item.get("code") == code), None)


def named(row: Any) -> Values:
    """Return code and names of a row."""
    return {"code": row.code, "name_zh": row.name_zh, "name_en": row.name_en}


def units_in(document: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any], Mapping[str, Any]]]:
    """Yield ``(where, work center, work unit)`` of a plant file."""
    for area_place, area in items(document, "areas"):
        for center_place, center in items(area, "work_centers", area_place):
            for where, unit in items(center, "work_units", center_place):
                yield where, center, unit
