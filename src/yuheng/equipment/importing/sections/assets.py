"""Physical assets and which work unit each plays."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from yuheng.equipment.importing import fields as read
from yuheng.equipment.importing.fields import Field
from yuheng.equipment.importing.section import Action, PlannedRow, RawRow, Section, Values
from yuheng.equipment.importing.sections.shared import split, units_in
from yuheng.equipment.models import (
    AssetAssignment,
    PhysicalAsset,
    WorkUnit,
)
from yuheng.kernel.actor import Actor


class AssetSection(Section):
    """Physical assets; ``work_unit`` is the one an asset plays now. Moving one closes the old assignment."""

    name = "assets"
    fields = (
        Field("serial", read.filled_text(80), is_key=True),
        Field("maker", read.text(), default=""),
        Field("model", read.text(), default=""),
        Field("built", read.optional(read.whole_number(least=1800, most=2200)), default=None),
        Field("work_unit", read.optional_code, default="", refers_to="work_units"),
    )

    @property
    def document_key(self) -> str:
        """Nested in areas; those that play no unit stand at the top level."""
        return "assets"

    def rows_of(self, document: Mapping[str, Any]) -> Iterator[RawRow]:
        """``work_units[].asset``, and a top-level list."""
        for where, _center, unit in units_in(document):
            asset = unit.get("asset")
            if isinstance(asset, dict):
                yield RawRow(f"{where}.asset", {**asset, "work_unit": unit.get("code", "")})
            elif asset is not None:
                yield RawRow(f"{where}.asset", {"asset": asset})
        yield from super().rows_of(document)

    def put_into(self, document: dict[str, Any], rows: Sequence[Values]) -> None:
        """Hang them into the units they play."""
        found = {str(unit["code"]): unit for _where, _center, unit in units_in(document)}
        for row in rows:
            own = self.without_defaults(row)
            unit = found.get(own.pop("work_unit", ""))
            if unit is not None:
                unit["asset"] = own  # type: ignore[index]
            else:
                document.setdefault("assets", []).append(own)

    def existing(self, site_id: int) -> dict[str, Values]:
        """Two queries."""
        playing = dict(
            AssetAssignment.objects.filter(asset__site_id=site_id, to_at__isnull=True).values_list(
                "asset_id", "work_unit__code"
            )
        )
        return {
            row.serial: {
                "serial": row.serial,
                "maker": row.maker,
                "model": row.model,
                "built": row.built,
                "work_unit": playing.get(row.pk, ""),
            }
            for row in PhysicalAsset.objects.filter(site_id=site_id)
        }

    def apply(self, *, actor: Actor, site_id: int, rows: Sequence[PlannedRow], at: datetime) -> None:
        """Write assets, then who plays what: all leave before any comes, so that two may swap."""
        added, changed = split(rows)
        own = ("serial", "maker", "model", "built")
        PhysicalAsset.objects.bulk_create(
            [PhysicalAsset(site_id=site_id, **{name: row.values[name] for name in own}) for row in added]
        )
        known = {row.serial: row for row in PhysicalAsset.objects.filter(site_id=site_id)}
        for row in changed:
            for name in own:
                if name in row.values:
                    setattr(known[row.key], name, row.values[name])
        PhysicalAsset.objects.bulk_update([known[row.key] for row in changed], ["maker", "model", "built"])
        self._assign(site_id, rows, known, at)

    def _assign(
        self, site_id: int, rows: Sequence[PlannedRow], known: Mapping[str, PhysicalAsset], at: datetime
    ) -> None:
        ids = dict(WorkUnit.objects.filter(site_id=site_id).values_list("code", "pk"))
        moved = {
            known[row.key].pk: ids.get(row.values["work_unit"])
            for row in rows
            if (row.action is Action.ADD and row.values["work_unit"]) or "work_unit" in row.changes
        }
        arriving = [unit_id for unit_id in moved.values() if unit_id is not None]
        still = AssetAssignment.objects.filter(to_at__isnull=True)
        (still.filter(asset_id__in=moved) | still.filter(work_unit_id__in=arriving)).update(to_at=at)
        AssetAssignment.objects.bulk_create(
            [
                AssetAssignment(asset_id=asset_id, work_unit_id=unit_id, from_at=at)
                for asset_id, unit_id in moved.items()
                if unit_id is not None
            ]
        )
