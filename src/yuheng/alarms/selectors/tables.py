"""What putting a whole table of alarms on a class would do, before anybody does it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from yuheng.alarms.models import AlarmOverride
from yuheng.alarms.selectors.definitions import DefinitionRow, OverrideRow, definitions_of_class, override_row
from yuheng.alarms.selectors.previews import FieldChange, changes_of
from yuheng.equipment import selectors as equipment
from yuheng.kernel.actor import Actor


@dataclass(frozen=True, slots=True)
class KeptValue:
    """A machine that keeps a value of its own where its class changes."""

    work_unit_id: int
    unit_code: str
    name: str
    own: object


@dataclass(frozen=True, slots=True)
class AlarmChange:
    """One alarm of the table: new, changed (``changes``) or as it was; who keeps what; names that no tag has."""

    spec: Any
    is_new: bool
    changes: list[FieldChange]
    kept: list[KeptValue]
    unknown: list[str]

    @property
    def is_changed(self) -> bool:
        """Whether an alarm that exists changes."""
        return bool(self.changes) and not self.is_new


@dataclass(frozen=True, slots=True)
class TablePreview:
    """The whole: alarms as they would be, those that would be retired, and the machines that they hold for."""

    alarms: list[AlarmChange]
    retired: list[DefinitionRow]
    machines: list[str]

    @property
    def new_count(self) -> int:
        """How many alarms are new."""
        return sum(one.is_new for one in self.alarms)

    @property
    def changed_count(self) -> int:
        """How many alarms change."""
        return sum(one.is_changed for one in self.alarms)

    @property
    def kept_machines(self) -> list[str]:
        """Codes of machines that keep something of their own where their class changes, sorted."""
        return sorted({kept.unit_code for one in self.alarms for kept in one.kept})

    @property
    def has_effect(self) -> bool:
        """Whether anything changes at all."""
        return bool(self.new_count or self.changed_count or self.retired)


def preview_table(
    *, actor: Actor, equipment_class_id: int, specs: Sequence[Any], unknown: Mapping[str, list[str]]
) -> TablePreview:
    """Say what making ``specs`` the alarms of a class would do. Nothing is stored. Five queries.

    Parameters
    ----------
    specs
        `services.definitions.DefinitionSpec`, each of its own code.
    unknown
        Names in the condition of each code that no tag has; told, not refused, since tags may come later.

    Raises
    ------
    PermissionRefused, NotVisible
    """
    rows = {row.code: row for row in definitions_of_class(actor=actor, equipment_class_id=equipment_class_id)}
    site_id = equipment.site_of_equipment_class(actor=actor, equipment_class_id=equipment_class_id)
    units = [u for u in equipment.work_units(actor=actor, site_id=site_id) if u.class_id == equipment_class_id]
    own = AlarmOverride.objects.filter(definition_id__in=[row.id for row in rows.values()]).select_related("work_unit")
    by_definition: dict[int, list[AlarmOverride]] = {}
    for override in own.order_by("work_unit__code"):
        by_definition.setdefault(override.definition_id, []).append(override)
    alarms = []
    for spec in specs:
        known = rows.get(spec.code)
        changes = changes_of(known, spec)
        names = {change.name for change in changes}
        kept = [
            KeptValue(row.work_unit_id, row.unit_code, name, _own_value(row, name))
            for row in map(override_row, by_definition.get(known.id, []) if known else [])
            for name in sorted(names & row.overridden)
        ]
        alarms.append(AlarmChange(spec, known is None, changes, kept, unknown.get(spec.code, [])))
    codes = {spec.code for spec in specs}
    return TablePreview(
        alarms=alarms,
        retired=[row for row in rows.values() if row.code not in codes],
        machines=[unit.code for unit in units],
    )


def _own_value(row: OverrideRow, name: str) -> object:
    if name.startswith("parameters."):
        return row.parameters[name.removeprefix("parameters.")]
    value: object = getattr(row, name)
    return value
