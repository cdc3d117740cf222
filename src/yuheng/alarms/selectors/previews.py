"""What a change of a definition would do, before anybody makes it: to which units, and what history would have said."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from datetime import datetime, timedelta
from typing import Any

import msgspec
from django.utils.translation import gettext as _

from yuheng.alarms.models import Alarm, AlarmEpisode
from yuheng.alarms.rules import microseconds
from yuheng.alarms.selectors.definitions import (
    DefinitionRow,
    OverrideRow,
    definitions_of_class,
    definitions_of_unit,
    overrides_of,
)
from yuheng.alarms.selectors.visible import VIEW
from yuheng.bus import documents
from yuheng.bus.messages import AlarmPreview, AlarmPreviewQuestion
from yuheng.engines.states.vocabulary import UnitState
from yuheng.equipment import selectors as equipment
from yuheng.kernel.actor import Actor
from yuheng.kernel.errors import InvalidInput
from yuheng.telemetry.selectors.history import HistorianAway, ask

ANSWER_WITHIN_S = 30.0
LONGEST = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One field of a definition before and after; parameters are fields of their own (``parameters.high``)."""

    name: str
    old: Any
    new: Any


@dataclass(frozen=True, slots=True)
class UnitPreview:
    """What the change does on one work unit.

    ``overridden``: fields of the change that the unit keeps for itself, so that they do not change there.
    ``episodes_before`` and ``episodes_after``: how often the alarm was raised in the span, and would have been; None
    when history could not be asked.
    """

    work_unit_id: int
    unit_code: str
    unit_name_zh: str
    unit_name_en: str
    overridden: frozenset[str]
    is_changed: bool
    is_active_now: bool
    episodes_before: int
    episodes_after: int | None
    spans_after: list[tuple[int, int | None]] = field(default_factory=list)  # microseconds UTC


@dataclass(frozen=True, slots=True)
class DefinitionPreview:
    """The whole: what changes, where, and whether history could be asked (``note`` says why not)."""

    is_new: bool
    changes: list[FieldChange]
    units: list[UnitPreview]
    start: datetime
    end: datetime
    has_history: bool
    note: str

    @property
    def unit_count(self) -> int:
        """How many work units change."""
        return sum(unit.is_changed for unit in self.units)


def preview_definition_change(
    *,
    actor: Actor,
    spec: Any,
    at: datetime,
    equipment_class_id: int | None = None,
    work_unit_id: int | None = None,
    hours: float = 24.0,
) -> DefinitionPreview:
    """Say what defining ``spec`` on a class or a work unit would do. Nothing is stored.

    Parameters
    ----------
    spec
        A `services.definitions.DefinitionSpec`; compared with the definition that has its code now, if there is one.
    hours
        How much history the new condition is tried on, at most a week.

    Raises
    ------
    PermissionRefused, NotVisible
    InvalidInput
        The span has no length, or the historian cannot understand the condition.
    """
    units, known = _subjects(actor, spec.code, equipment_class_id, work_unit_id)
    end, length = at, timedelta(hours=hours)
    if not timedelta(0) < length <= LONGEST:
        raise InvalidInput(_("History is tried for at most a week."), {"hours": str(hours)})
    start = end - length
    changes = changes_of(known, spec)
    own = {row.work_unit_id: row for row in overrides_of(actor=actor, definition_id=known.id)} if known else {}
    spans, note = _tried(spec, [unit.id for unit in units], own, start, end)
    before: dict[int, int] = {}
    active: set[int] = set()
    if known is not None:
        raised = AlarmEpisode.objects.filter(alarm__definition_id=known.id, activated_at__gte=start)
        for unit_id in raised.values_list("alarm__work_unit_id", flat=True):
            before[unit_id] = before.get(unit_id, 0) + 1
        active = set(
            Alarm.objects.filter(definition_id=known.id, is_active=True).values_list("work_unit_id", flat=True)
        )
    changed = frozenset(change.name for change in changes)
    return DefinitionPreview(
        is_new=known is None,
        changes=changes,
        units=[
            UnitPreview(
                work_unit_id=unit.id,
                unit_code=unit.code,
                unit_name_zh=unit.name_zh,
                unit_name_en=unit.name_en,
                overridden=changed & own[unit.id].overridden if unit.id in own else frozenset(),
                is_changed=bool(changed - (own[unit.id].overridden if unit.id in own else frozenset())),
                is_active_now=unit.id in active,
                episodes_before=before.get(unit.id, 0),
                episodes_after=None if spans is None else len(spans.get(unit.id, [])),
                spans_after=[] if spans is None else [(begin, stop) for begin, stop, _n in spans.get(unit.id, [])],
            )
            for unit in units
        ],
        start=start,
        end=end,
        has_history=spans is not None,
        note=note,
    )


def _subjects(
    actor: Actor, code: str, equipment_class_id: int | None, work_unit_id: int | None
) -> tuple[list[equipment.WorkUnitRow], DefinitionRow | None]:
    """Return the units that the definition would hold for, and the one that has this code now."""
    if (equipment_class_id is None) is (work_unit_id is None):
        raise InvalidInput(_("Name either an equipment class or a work unit."))
    if equipment_class_id is not None:
        site_id = equipment.site_of_equipment_class(actor=actor, equipment_class_id=equipment_class_id)
        actor.require(VIEW, site_id=site_id)
        units = [u for u in equipment.work_units(actor=actor, site_id=site_id) if u.class_id == equipment_class_id]
        rows = definitions_of_class(actor=actor, equipment_class_id=equipment_class_id)
        return units, next((row for row in rows if row.code == code), None)
    assert work_unit_id is not None
    unit = equipment.work_unit(actor=actor, work_unit_id=work_unit_id)
    actor.require(VIEW, site_id=unit.site_id)
    own = (row.definition for row in definitions_of_unit(actor=actor, work_unit_id=unit.id))
    return [unit], next((row for row in own if row.code == code and row.work_unit_id == unit.id), None)


def changes_of(known: DefinitionRow | None, spec: Any) -> list[FieldChange]:
    """Return what a spec changes in a definition; of a new one, what it says beyond the blank."""
    assert is_dataclass(spec)
    changes = []
    for one in fields(spec):
        new, old = getattr(spec, one.name), None if known is None else getattr(known, one.name)
        if one.name == "parameters":
            before: Mapping[str, Any] = old or {}
            changes += [
                FieldChange(f"parameters.{name}", before.get(name), new.get(name))
                for name in sorted({*before, *new})
                if before.get(name) != new.get(name)
            ]
        elif one.name == "suppress_states":
            if tuple(new) != (old or ()):
                changes.append(FieldChange(one.name, old, tuple(new)))
        elif new != old and not (known is None and new in ("", None, False, 0.0)):
            changes.append(FieldChange(one.name, old, new))
    return changes


def _tried(
    spec: Any, unit_ids: list[int], own: Mapping[int, OverrideRow], start: datetime, end: datetime
) -> tuple[dict[int, list[tuple[int, int | None, int]]] | None, str]:
    """Ask the historian what the rule would have raised; None and the reason when it cannot say."""
    variants = tuple(
        documents.AlarmVariant(unit, row.parameters, row.deadband, row.on_delay_s, row.off_delay_s)
        for unit, row in own.items()
    )
    rule = documents.AlarmRule(
        id=0,
        work_unit_ids=tuple(unit_ids),
        when=spec.when,
        parameters=dict(spec.parameters),
        deadband=spec.deadband,
        on_delay_s=spec.on_delay_s,
        off_delay_s=spec.off_delay_s,
        chatter_window_s=spec.chatter_window_s,
        suppress_states=tuple(int(UnitState[word.upper()]) for word in spec.suppress_states),
        suppress_when=spec.suppress_when,
        variants=variants,
    )
    if not unit_ids:
        return {}, ""
    question = AlarmPreviewQuestion(msgspec.to_builtins(rule), microseconds(start), microseconds(end))
    try:
        answer = ask("yh.q.alarm_preview", msgspec.json.encode(question), timeout_s=ANSWER_WITHIN_S)
        return msgspec.json.decode(answer, type=AlarmPreview).episodes, ""
    except HistorianAway as away:
        return None, str(away)
    except msgspec.DecodeError:
        return None, _("The historian gave an answer of another release; restart it.")
