"""What alarms are defined: on classes and on work units, and what holds for one unit after its own overrides."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from django.db.models import Count, Q, QuerySet

from yuheng.alarms.models import AlarmDefinition, AlarmOverride
from yuheng.alarms.selectors.visible import VIEW, of_visible_sites, one_visible
from yuheng.engines.alarms.vocabulary import Priority
from yuheng.equipment import selectors as equipment
from yuheng.kernel.actor import Actor

OVERRIDABLE = ("deadband", "on_delay_s", "off_delay_s", "priority", "is_enabled")


@dataclass(frozen=True, slots=True)
class DefinitionRow:
    """One definition. ``of_class`` is the class's code, or ``of_unit`` the work unit's; the other is empty."""

    id: int
    site_id: int
    equipment_class_id: int | None
    of_class: str
    work_unit_id: int | None
    of_unit: str
    code: str
    when: str
    parameters: dict[str, Any]
    value_symbol: str
    deadband: float
    on_delay_s: float
    off_delay_s: float
    chatter_window_s: float
    priority: Priority
    category: str
    is_latching: bool
    acknowledge_required: bool
    confirm_required: bool
    name_zh: str
    name_en: str
    message_zh: str
    message_en: str
    guidance_zh: str
    guidance_en: str
    consequence_zh: str
    consequence_en: str
    response_time_s: int | None
    suppress_states: tuple[str, ...]
    suppress_when: str
    suppress_outside_shifts: bool
    parent_code: str
    parent_work_unit_id: int | None
    parent_unit_code: str
    is_enabled: bool
    override_count: int = 0


@dataclass(frozen=True, slots=True)
class OverrideRow:
    """What one work unit does otherwise; None (or an absent parameter): as its class."""

    definition_id: int
    work_unit_id: int
    unit_code: str
    unit_name_zh: str
    unit_name_en: str
    parameters: dict[str, Any]
    deadband: float | None
    on_delay_s: float | None
    off_delay_s: float | None
    priority: Priority | None
    is_enabled: bool | None
    reason: str

    @property
    def overridden(self) -> frozenset[str]:
        """Names of the fields and parameters that are its own."""
        fields = {name for name in OVERRIDABLE if getattr(self, name) is not None}
        return frozenset(fields | {f"parameters.{name}" for name in self.parameters})


@dataclass(frozen=True, slots=True)
class EffectiveRow:
    """A definition as it holds for one work unit; ``overridden`` names what is the unit's own."""

    definition: DefinitionRow
    work_unit_id: int
    parameters: dict[str, Any]
    deadband: float
    on_delay_s: float
    off_delay_s: float
    priority: Priority
    is_enabled: bool
    overridden: frozenset[str] = field(default_factory=frozenset)


def definitions_of_class(*, actor: Actor, equipment_class_id: int) -> list[DefinitionRow]:
    """The alarms of an equipment class, most urgent first. Two queries. Raises `NotVisible`."""
    site_id = equipment.site_of_equipment_class(actor=actor, equipment_class_id=equipment_class_id)
    actor.require(VIEW, site_id=site_id)
    return [definition_row(row) for row in _in_use().filter(equipment_class_id=equipment_class_id)]


def definitions_of_site(*, actor: Actor, site_id: int, text: str = "") -> list[DefinitionRow]:
    """All alarms defined at a site, classes first. One query."""
    actor.require(VIEW, site_id=site_id)
    rows = _in_use().filter(site_id=site_id)
    if text:
        says = Q(code__icontains=text) | Q(name_zh__icontains=text) | Q(name_en__icontains=text)
        rows = rows.filter(says | Q(when__icontains=text))
    return [definition_row(row) for row in rows]


def definition(*, actor: Actor, definition_id: int) -> DefinitionRow:
    """One definition, a retired one too. One query. Raises `NotVisible`."""
    return definition_row(one_visible(_with_names(AlarmDefinition.objects.all()), actor, definition_id))


def overrides_of(*, actor: Actor, definition_id: int) -> list[OverrideRow]:
    """What single work units do otherwise, by unit. Two queries. Raises `NotVisible`."""
    one_visible(AlarmDefinition.objects.all(), actor, definition_id)
    rows = AlarmOverride.objects.filter(definition_id=definition_id).select_related("work_unit")
    return [override_row(row) for row in rows.order_by("work_unit__code")]


def definitions_of_unit(*, actor: Actor, work_unit_id: int) -> list[EffectiveRow]:
    """What alarms one work unit has, and how they hold there. Three queries. Raises `NotVisible`."""
    unit = equipment.work_unit(actor=actor, work_unit_id=work_unit_id)
    actor.require(VIEW, site_id=unit.site_id)
    whose = Q(work_unit_id=work_unit_id)
    if unit.class_id is not None:
        whose |= Q(equipment_class_id=unit.class_id)
    own = {row.definition_id: override_row(row) for row in _overrides_of_unit(actor, work_unit_id)}
    return [effective(definition_row(row), work_unit_id, own.get(row.pk)) for row in _in_use().filter(whose)]


def effective(of: DefinitionRow, work_unit_id: int, own: OverrideRow | None) -> EffectiveRow:
    """Apply a unit's override to its definition."""

    def chosen(name: str) -> Any:
        value = None if own is None else getattr(own, name)
        return getattr(of, name) if value is None else value

    return EffectiveRow(
        definition=of,
        work_unit_id=work_unit_id,
        parameters={**of.parameters, **(own.parameters if own is not None else {})},
        deadband=chosen("deadband"),
        on_delay_s=chosen("on_delay_s"),
        off_delay_s=chosen("off_delay_s"),
        priority=chosen("priority"),
        is_enabled=of.is_enabled and chosen("is_enabled"),
        overridden=frozenset() if own is None else own.overridden,
    )


def _overrides_of_unit(actor: Actor, work_unit_id: int) -> Any:
    rows = AlarmOverride.objects.filter(work_unit_id=work_unit_id).select_related("work_unit")
    return of_visible_sites(rows, actor)


def _in_use() -> QuerySet[AlarmDefinition]:
    return _with_names(AlarmDefinition.objects.filter(retired_at__isnull=True))


def _with_names(rows: QuerySet[AlarmDefinition]) -> QuerySet[AlarmDefinition]:
    related = rows.select_related("equipment_class", "work_unit", "parent_work_unit")
    return related.annotate(override_count=Count("overrides")).order_by(
        "equipment_class__code", "work_unit__code", "priority", "code"
    )


_SAME = (
    "code",
    "when",
    "parameters",
    "value_symbol",
    "deadband",
    "on_delay_s",
    "off_delay_s",
    "chatter_window_s",
    "category",
    "is_latching",
    "acknowledge_required",
    "confirm_required",
    "name_zh",
    "name_en",
    "message_zh",
    "message_en",
    "guidance_zh",
    "guidance_en",
    "consequence_zh",
    "consequence_en",
    "response_time_s",
    "suppress_when",
    "suppress_outside_shifts",
    "parent_code",
    "parent_work_unit_id",
    "is_enabled",
)


def definition_row(row: AlarmDefinition) -> DefinitionRow:
    """Return a definition with its names loaded as a row."""
    return DefinitionRow(
        id=row.pk,
        site_id=row.site_id,
        equipment_class_id=row.equipment_class_id,
        of_class=row.equipment_class.code if row.equipment_class else "",
        work_unit_id=row.work_unit_id,
        of_unit=row.work_unit.code if row.work_unit else "",
        priority=Priority(row.priority),
        suppress_states=tuple(row.suppress_states),
        parent_unit_code=row.parent_work_unit.code if row.parent_work_unit else "",
        override_count=getattr(row, "override_count", 0),
        **{name: getattr(row, name) for name in _SAME},
    )


def override_row(row: AlarmOverride) -> OverrideRow:
    """Return an override with its unit loaded as a row."""
    return OverrideRow(
        definition_id=row.definition_id,
        work_unit_id=row.work_unit_id,
        unit_code=row.work_unit.code,
        unit_name_zh=row.work_unit.name_zh,
        unit_name_en=row.work_unit.name_en,
        parameters=row.parameters,
        deadband=row.deadband,
        on_delay_s=row.on_delay_s,
        off_delay_s=row.off_delay_s,
        priority=None if row.priority is None else Priority(row.priority),
        is_enabled=row.is_enabled,
        reason=row.reason,
    )
