"""Equipment classes and what their cause codes mean."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from yuheng.equipment.importing import fields as read
from yuheng.equipment.importing.fields import Field
from yuheng.equipment.importing.section import PlannedRow, RawRow, Section, Values, items
from yuheng.equipment.importing.sections.shared import CODE, NAMES, by_code, find, named, split
from yuheng.equipment.models import (
    CauseName,
    EquipmentClass,
)
from yuheng.kernel.actor import Actor


class EquipmentClassSection(Section):
    """Equipment classes; their state rules are telemetry's, their causes the next section's."""

    name = "classes"
    fields = (CODE, *NAMES)
    passed_over = frozenset({"causes", "states", "no_data_after_s"})

    def existing(self, site_id: int) -> dict[str, Values]:
        """One query."""
        return {row.code: named(row) for row in EquipmentClass.objects.filter(site_id=site_id)}

    def apply(self, *, actor: Actor, site_id: int, rows: Sequence[PlannedRow], at: datetime) -> None:
        """Write."""
        added, changed = split(rows)
        EquipmentClass.objects.bulk_create([EquipmentClass(site_id=site_id, **row.values) for row in added])
        for row in changed:
            EquipmentClass.objects.filter(site_id=site_id, code=row.key).update(**row.values)


class CauseSection(Section):
    """What the cause codes of a class mean."""

    name = "causes"
    fields = (
        Field("class", read.code, is_key=True, refers_to="classes"),
        Field("code", read.filled_text(40), is_key=True),
        *NAMES,
    )

    @property
    def document_key(self) -> str:
        """Nested in classes."""
        return "classes"

    def rows_of(self, document: Mapping[str, Any]) -> Iterator[RawRow]:
        """``classes[].causes[]``."""
        for place, kind in items(document, "classes"):
            for where, cause in items(kind, "causes", place):
                yield RawRow(where, {**cause, "class": kind.get("code", "")})

    def put_into(self, document: dict[str, Any], rows: Sequence[Values]) -> None:
        """Hang them into their classes."""
        for row in rows:
            kind = find(document["classes"], row["class"])
            if kind is not None:
                own = {name: value for name, value in row.items() if name != "class"}
                kind.setdefault("causes", []).append(own)

    def existing(self, site_id: int) -> dict[str, Values]:
        """One query."""
        rows = CauseName.objects.filter(equipment_class__site_id=site_id).select_related("equipment_class")
        values = [{"class": row.equipment_class.code, **named(row)} for row in rows.order_by("equipment_class", "id")]
        return {self.key_of(one): one for one in values}

    def apply(self, *, actor: Actor, site_id: int, rows: Sequence[PlannedRow], at: datetime) -> None:
        """Write."""
        kinds = by_code(EquipmentClass, site_id)
        for row in rows:
            names: Values = {name: row.values[name] for name in ("name_zh", "name_en") if name in row.values}
            CauseName.objects.update_or_create(
                equipment_class=kinds[row.values["class"]], code=row.values["code"], defaults=names
            )
