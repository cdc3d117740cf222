"""The alarm rules of the configuration document, read from the tables in a fixed number of queries."""

from __future__ import annotations

import re

from yuheng.alarms.models import AlarmDefinition, AlarmOverride
from yuheng.alarms.services.checks import symbols_in
from yuheng.bus import documents
from yuheng.engines.states.vocabulary import UnitState
from yuheng.equipment import selectors as equipment


def alarm_rules() -> tuple[documents.AlarmRule, ...]:
    """Return every alarm definition in use, for every work unit that it holds for. Three queries."""
    units_of_class: dict[int, list[int]] = {}
    in_use: set[int] = set()
    for unit in equipment.configured_work_units():
        in_use.add(unit.id)
        if unit.class_id is not None:
            units_of_class.setdefault(unit.class_id, []).append(unit.id)
    overrides: dict[int, list[AlarmOverride]] = {}
    for row in AlarmOverride.objects.order_by("definition_id", "work_unit_id"):
        overrides.setdefault(row.definition_id, []).append(row)
    rules = []
    for of in AlarmDefinition.objects.filter(retired_at__isnull=True, is_enabled=True).order_by("pk"):
        if of.equipment_class_id is not None:
            units = units_of_class.get(of.equipment_class_id, [])
        else:
            units = [unit for unit in (of.work_unit_id,) if unit in in_use]
        rule = rule_of(of, units, overrides.get(of.pk, []))
        if rule.work_unit_ids:
            rules.append(rule)
    return tuple(rules)


def rule_of(of: AlarmDefinition, units: list[int], overrides: list[AlarmOverride]) -> documents.AlarmRule:
    """Return a definition as the historian judges it; units where it is switched off are left out."""
    off = {row.work_unit_id for row in overrides if row.is_enabled is False}
    return documents.AlarmRule(
        id=of.pk,
        work_unit_ids=tuple(sorted(unit for unit in units if unit not in off)),
        when=of.when,
        parameters=of.parameters,
        value_symbol=of.value_symbol or first_symbol(of.when, of.parameters),
        deadband=of.deadband,
        on_delay_s=of.on_delay_s,
        off_delay_s=of.off_delay_s,
        chatter_window_s=of.chatter_window_s,
        suppress_states=tuple(int(UnitState[word.upper()]) for word in of.suppress_states),
        suppress_when=of.suppress_when,
        variants=tuple(
            documents.AlarmVariant(row.work_unit_id, row.parameters, row.deadband, row.on_delay_s, row.off_delay_s)
            for row in overrides
            if row.is_enabled is not False
        ),
    )


def first_symbol(when: str, parameters: dict[str, float | str]) -> str:
    """Return the symbol that a condition names first; "" when it names none."""
    names = symbols_in(when, parameters)
    places = {name: found.start() for name in names if (found := re.search(rf"\b{name}\b", when))}
    return min(places, key=lambda name: places[name], default="")
