"""Defining alarms on classes and work units, and letting single units differ."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from yuheng.alarms.events import AlarmDefinitionsChanged
from yuheng.alarms.models import Alarm, AlarmDefinition, AlarmOverride
from yuheng.alarms.services.access import EDIT, locked
from yuheng.alarms.services.checks import (
    MAX_DEFINITIONS,
    DefinitionSpec,
    OverrideSpec,
    check_definition,
    check_override,
)
from yuheng.engines.alarms.vocabulary import Priority
from yuheng.equipment import selectors as equipment
from yuheng.kernel import audit
from yuheng.kernel.actor import Actor
from yuheng.kernel.errors import Conflict, InvalidInput, NotVisible
from yuheng.kernel.events import publish

__all__ = [
    "DefinitionSpec",
    "OverrideSpec",
    "check_definition",
    "clear_override",
    "define",
    "define_all",
    "define_many",
    "override",
    "retire",
    "spec_of",
]


def spec_of(row: AlarmDefinition) -> DefinitionSpec:
    """Return a definition as a spec: the start of a change."""
    names = [name for name in DefinitionSpec.__dataclass_fields__ if name not in ("priority", "suppress_states")]
    return DefinitionSpec(
        priority=Priority(row.priority),
        suppress_states=tuple(row.suppress_states),
        **{name: getattr(row, name) for name in names},
    )


@transaction.atomic
def define(
    *,
    actor: Actor,
    spec: DefinitionSpec,
    at: datetime,
    equipment_class_id: int | None = None,
    work_unit_id: int | None = None,
) -> AlarmDefinition:
    """Create or change the alarm with this code, of a class or of one work unit; needs ``alarms.edit`` there.

    Raises
    ------
    PermissionRefused, NotVisible
    InvalidInput
        ``fields`` names what cannot be accepted and why.
    """
    site_id = _site_of(actor, equipment_class_id, work_unit_id)
    actor.require(EDIT, site_id=site_id)
    check_definition(spec)
    _check_parent(actor, site_id, spec)
    row = _write(site_id, equipment_class_id, work_unit_id, spec, at)
    _tell(actor, site_id, "alarm.define", at, row.pk, [spec])
    return row


@transaction.atomic
def define_all(
    *,
    actor: Actor,
    specs: Sequence[DefinitionSpec],
    at: datetime,
    equipment_class_id: int,
    is_still: Callable[[Mapping[str, DefinitionSpec]], bool] | None = None,
) -> list[AlarmDefinition]:
    """Make these the alarms of a class: those with other codes are retired. Raises as `define`.

    Parameters
    ----------
    is_still
        Asked, under lock, with the definitions by code as they are now; when it says no, `Conflict` is raised.
    """
    site_id = _site_of(actor, equipment_class_id, None)
    actor.require(EDIT, site_id=site_id)
    if is_still is not None:
        now = AlarmDefinition.objects.select_for_update(of=("self",)).filter(
            equipment_class_id=equipment_class_id, retired_at__isnull=True
        )
        if not is_still({row.code: spec_of(row) for row in now}):
            raise Conflict(_("Somebody else changed these alarms since you looked. Look at the changes again."))
    codes = [spec.code for spec in specs]
    if len(set(codes)) < len(codes):
        raise InvalidInput(_("Two alarms of the class have the same code."), {"code": ", ".join(codes)[:400]})
    if len(specs) > MAX_DEFINITIONS:
        raise InvalidInput(_("A class has at most %(count)s alarms.") % {"count": MAX_DEFINITIONS})
    for spec in specs:
        check_definition(spec)
        _check_parent(actor, site_id, spec)
    rows = [_write(site_id, equipment_class_id, None, spec, at) for spec in specs]
    gone = AlarmDefinition.objects.filter(equipment_class_id=equipment_class_id, retired_at__isnull=True)
    gone.exclude(code__in=codes).update(retired_at=at, changed_at=at)
    _tell(actor, site_id, "alarm.define_all", at, equipment_class_id, specs)
    return rows


@transaction.atomic
def define_many(
    *, actor: Actor, site_id: int, alarms: Sequence[tuple[int | None, int | None, DefinitionSpec]], at: datetime
) -> None:
    """Create or change alarms of many classes and work units of a site at once: (class id, work unit id, spec).

    Raises as `define`. For importers: one event and one line of the audit trail for all.
    """
    actor.require(EDIT, site_id=site_id)
    for equipment_class_id, work_unit_id, spec in alarms:
        check_definition(spec)
        _check_parent(actor, site_id, spec)
        _write(site_id, equipment_class_id, work_unit_id, spec, at)
    if alarms:
        _tell(actor, site_id, "alarm.define_many", at, site_id, [spec for _class, _unit, spec in alarms])


@transaction.atomic
def retire(*, actor: Actor, definition_id: int, at: datetime) -> None:
    """Take an alarm out of use. Its journal stays; an alarm that is active is cleared by the historian's next word.

    Raises
    ------
    PermissionRefused, NotVisible
    """
    row = locked(AlarmDefinition, actor=actor, pk=definition_id)
    if row.retired_at is None:
        row.retired_at = row.changed_at = at
        row.save(update_fields=["retired_at", "changed_at"])
        _tell(actor, row.site_id, "alarm.retire", at, row.pk, [])


@transaction.atomic
def override(*, actor: Actor, definition_id: int, work_unit_id: int, at: datetime, spec: OverrideSpec) -> AlarmOverride:
    """Let one work unit differ from its class's definition. Replaces an earlier override.

    Raises
    ------
    PermissionRefused, NotVisible
    InvalidInput
        The definition is not of the unit's class, or a value cannot be accepted.
    """
    of = locked(AlarmDefinition, actor=actor, pk=definition_id)
    unit = equipment.work_unit(actor=actor, work_unit_id=work_unit_id)
    if of.equipment_class_id is None or unit.class_id != of.equipment_class_id:
        raise InvalidInput(_("The alarm is not one of this work unit's class."), {"work_unit_id": unit.code})
    check_override(spec_of(of), spec)
    row, _made = AlarmOverride.objects.update_or_create(
        definition=of,
        work_unit_id=work_unit_id,
        defaults={**asdict(spec), "parameters": dict(spec.parameters), "site_id": of.site_id, "changed_at": at},
    )
    _set_priority(of, [work_unit_id], spec.priority or Priority(of.priority))
    _tell(actor, of.site_id, "alarm.override", at, of.pk, [], work_unit=unit.code, **_plain(asdict(spec)))
    return row


@transaction.atomic
def clear_override(*, actor: Actor, definition_id: int, work_unit_id: int, at: datetime) -> None:
    """Let a work unit follow its class again. Raises `PermissionRefused`, `NotVisible`."""
    of = locked(AlarmDefinition, actor=actor, pk=definition_id)
    found, _by_model = AlarmOverride.objects.filter(definition=of, work_unit_id=work_unit_id).delete()
    if not found:
        raise NotVisible(_("There is no such thing here."))
    _set_priority(of, [work_unit_id], Priority(of.priority))
    _tell(actor, of.site_id, "alarm.clear_override", at, of.pk, [], work_unit_id=work_unit_id)


def _site_of(actor: Actor, equipment_class_id: int | None, work_unit_id: int | None) -> int:
    if (equipment_class_id is None) is (work_unit_id is None):
        raise InvalidInput(_("Name either an equipment class or a work unit."))
    if equipment_class_id is not None:
        return equipment.site_of_equipment_class(actor=actor, equipment_class_id=equipment_class_id)
    assert work_unit_id is not None
    return equipment.work_unit(actor=actor, work_unit_id=work_unit_id).site_id


def _check_parent(actor: Actor, site_id: int, spec: DefinitionSpec) -> None:
    if spec.parent_work_unit_id is None:
        return
    if equipment.site_of_work_units([spec.parent_work_unit_id]).get(spec.parent_work_unit_id) != site_id:
        raise NotVisible(_("There is no such work unit here."))


def _write(
    site_id: int, equipment_class_id: int | None, work_unit_id: int | None, spec: DefinitionSpec, at: datetime
) -> AlarmDefinition:
    values = {**asdict(spec), "parameters": dict(spec.parameters), "suppress_states": list(spec.suppress_states)}
    for name in ("when", "suppress_when", "name_zh", "name_en", "message_zh", "message_en"):
        values[name] = values[name].strip()
    row: AlarmDefinition
    row, is_new = AlarmDefinition.objects.select_for_update().get_or_create(
        equipment_class_id=equipment_class_id,
        work_unit_id=work_unit_id,
        code=spec.code,
        retired_at=None,
        defaults={**values, "site_id": site_id, "changed_at": at},
    )
    changed = {name for name, value in values.items() if getattr(row, name) != value}
    if not is_new and changed:
        for name in changed:
            setattr(row, name, values[name])
        row.changed_at = at
        row.save()
        if "priority" in changed:
            own = row.overrides.filter(priority__isnull=False).values_list("work_unit_id", flat=True)
            Alarm.objects.filter(definition=row).exclude(work_unit_id__in=own).update(priority=row.priority)
    return row


def _set_priority(of: AlarmDefinition, work_unit_ids: Sequence[int], priority: Priority) -> None:
    Alarm.objects.filter(definition=of, work_unit_id__in=work_unit_ids).update(priority=priority)


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value not in (None, "", {}, [], ())}


def _tell(
    actor: Actor, site_id: int, action: str, at: datetime, pk: int, specs: Sequence[DefinitionSpec], **detail: Any
) -> None:
    publish(AlarmDefinitionsChanged(site_id=site_id), at=at)
    alarms = [
        {"code": s.code, "when": s.when, "parameters": dict(s.parameters), "priority": s.priority.name.lower()}
        for s in specs
    ]
    if alarms:
        detail["alarms"] = alarms
    kinds = {"alarm.define_all": "equipment_class", "alarm.define_many": "site"}
    kind = kinds.get(action, "alarm_definition")
    audit.record(actor=actor, action=action, at=at, site_id=site_id, object_kind=kind, object_id=pk, **detail)
