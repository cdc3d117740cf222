"""What the site aims at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from yuheng.equipment.importing import fields as read
from yuheng.equipment.importing.fields import Field
from yuheng.equipment.importing.section import PlannedRow, Section, Values
from yuheng.equipment.models import (
    SiteTarget,
)
from yuheng.kernel import units
from yuheng.kernel.actor import Actor
from yuheng.kernel.errors import InvalidInput


class TargetSection(Section):
    """What the site aims at."""

    name = "targets"
    fields = (
        Field("indicator", read.code, is_key=True),
        Field("value", read.number()),
        Field("unit", read.filled_text(40), default="1"),
    )

    def existing(self, site_id: int) -> dict[str, Values]:
        """One query."""
        rows = SiteTarget.objects.filter(site_id=site_id)
        return {row.indicator: {"indicator": row.indicator, "value": row.value, "unit": row.unit} for row in rows}

    def check(self, values: Values, known: Mapping[str, frozenset[str]]) -> str:
        """The unit is a UCUM code."""
        try:
            units.parse(values["unit"])
        except InvalidInput as error:
            return str(error)
        return ""

    def apply(self, *, actor: Actor, site_id: int, rows: Sequence[PlannedRow], at: datetime) -> None:
        """Write."""
        for row in rows:
            own: Values = {name: row.values[name] for name in ("value", "unit") if name in row.values}
            SiteTarget.objects.update_or_create(site_id=site_id, indicator=row.key, defaults=own)
