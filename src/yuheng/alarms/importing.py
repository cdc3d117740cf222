"""What alarms add to plant files: alarms of classes, of single work units, and what units do otherwise.

In a plant file they stand with what they belong to: ``classes[].alarms``, ``work_units[].alarms`` and
``work_units[].alarm_overrides``. ``config.plant_file`` lists `SECTIONS` behind those of equipment and telemetry.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar

from django.db.models import QuerySet
from django.utils.translation import gettext as _

from yuheng.alarms.models import AlarmDefinition, AlarmOverride
from yuheng.alarms.services import definitions
from yuheng.alarms.services.checks import (
    LONGEST_DELAY_S,
    DefinitionSpec,
    OverrideSpec,
    check_definition,
)
from yuheng.engines.alarms.vocabulary import Category, Priority
from yuheng.engines.states.vocabulary import UnitState
from yuheng.equipment import selectors as equipment
from yuheng.equipment.importing import (
    Field,
    Misplaced,
    PlannedRow,
    RawRow,
    Section,
    Unreadable,
    Values,
    items,
)
from yuheng.equipment.importing import fields as read
from yuheng.kernel.actor import Actor
from yuheng.kernel.errors import InvalidInput

EDIT = "alarms.edit"
CLASSES, WORK_UNITS = "classes", "work_units"
PRIORITY_WORDS = tuple(priority.name.lower() for priority in Priority)
STATE_WORDS = frozenset(state.name.lower() for state in UnitState)
seconds = read.number(least=0.0, most=LONGEST_DELAY_S)


def _expression(longest: int) -> Any:
    """Read an expression; YAML reads ``when: true`` and ``when: run`` as it likes."""
    inner = read.text(longest)
    return lambda value: inner(str(value).lower() if isinstance(value, bool) else value)


def _states(value: Any) -> list[str]:
    found = read.texts(20)(value)
    if not set(found) <= STATE_WORDS:
        raise Unreadable(_("must be one of %(choices)s") % {"choices": ", ".join(sorted(STATE_WORDS))})
    return found


def _parameters(value: Any) -> dict[str, Any]:
    found = read.mapping(value)
    return {
        str(name): float(one) if isinstance(one, int) and not isinstance(one, bool) else one
        for name, one in found.items()
    }


ALARM_FIELDS = (
    Field("code", read.code, is_key=True),
    Field("when", _expression(500)),
    Field("parameters", _parameters, default={}),
    Field("priority", read.one_of(PRIORITY_WORDS), default="medium"),
    Field("name_zh", read.filled_text()),
    Field("name_en", read.filled_text()),
    Field("message_zh", read.text(1000), default=""),
    Field("message_en", read.text(1000), default=""),
    Field("guidance_zh", read.text(4000), default=""),
    Field("guidance_en", read.text(4000), default=""),
    Field("consequence_zh", read.text(4000), default=""),
    Field("consequence_en", read.text(4000), default=""),
    Field("category", read.one_of(tuple(Category)), default=Category.EQUIPMENT.value),
    Field("value_symbol", read.text(60), default=""),
    Field("deadband", read.number(least=0.0), default=0.0),
    Field("on_delay_s", seconds, default=0.0),
    Field("off_delay_s", seconds, default=0.0),
    Field("chatter_window_s", seconds, default=60.0),
    Field("is_latching", read.boolean, default=False),
    Field("acknowledge_required", read.boolean, default=True),
    Field("confirm_required", read.boolean, default=False),
    Field("response_time_s", read.optional(read.whole_number(least=0, most=86_400 * 30)), default=None),
    Field("suppress_states", _states, default=[]),
    Field("suppress_when", _expression(500), default=""),
    Field("suppress_outside_shifts", read.boolean, default=False),
    Field("parent", read.optional_code, default=""),
    Field("parent_work_unit", read.optional_code, default="", refers_to=WORK_UNITS),
    Field("is_enabled", read.boolean, default=True),
)


def _values_of(row: AlarmDefinition) -> Values:
    own = {
        "priority": Priority(row.priority).name.lower(),
        "parent": row.parent_code,
        "parent_work_unit": row.parent_work_unit.code if row.parent_work_unit else "",
    }
    return {one.name: own.get(one.name, getattr(row, one.name, None)) for one in ALARM_FIELDS}


def _spec(values: Mapping[str, Any], unit_ids: Mapping[str, int]) -> DefinitionSpec:
    given = {name: value for name, value in values.items() if name not in ("class", "work_unit")}
    return DefinitionSpec(
        priority=Priority[given.pop("priority").upper()],
        parent_code=given.pop("parent"),
        parent_work_unit_id=unit_ids.get(given.pop("parent_work_unit")),
        **given,
    )


class _AlarmSection(Section):
    """Alarms that hang below something with a code."""

    permission = EDIT
    owner: ClassVar[str]  # name of the field with the owner's code

    def rows(self, site_id: int) -> QuerySet[AlarmDefinition]:
        """Return the definitions of the site that hang below such owners."""
        raise NotImplementedError

    def owners(self, document: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield ``(where, object)`` of every owner in a plant file."""
        raise NotImplementedError

    def rows_of(self, document: Mapping[str, Any]) -> Iterator[RawRow]:
        """``[].alarms[]``."""
        for place, holder in self.owners(document):
            for where, alarm in items(holder, "alarms", place):
                given = dict(alarm)
                if "suppress" in given:  # the short way to write it
                    given["suppress_states"] = given.pop("suppress")
                yield RawRow(where, {**given, self.owner: holder.get("code", "")})

    def put_into(self, document: dict[str, Any], rows: Sequence[Values]) -> None:
        """Hang them below their owners, which sections before have written."""
        holders = {holder["code"]: holder for _where, holder in self.owners(document)}
        for row in rows:
            own = self.without_defaults(row)
            holder = holders.get(own.pop(self.owner))
            if holder is None:
                raise Misplaced(f"{self.owner}: {row[self.owner]}")
            holder.setdefault("alarms", []).append(own)

    def existing(self, site_id: int) -> dict[str, Values]:
        """Alarms in use by owner and code. One query."""
        found = {}
        for row in self.rows(site_id).select_related("equipment_class", "work_unit", "parent_work_unit"):
            holder = row.equipment_class or row.work_unit
            assert holder is not None
            values = {self.owner: holder.code, **_values_of(row)}
            found[self.key_of(values)] = values
        return found

    def check(self, values: Values, known: Mapping[str, frozenset[str]]) -> str:
        """Return why the alarm is refused."""
        stands_for = {values["parent_work_unit"]: 1} if values["parent_work_unit"] else {}
        try:
            check_definition(_spec(values, stands_for))
        except InvalidInput as refusal:
            return " ".join(refusal.fields.values()) or str(refusal)
        return ""

    def whole(self, site_id: int, rows: Sequence[PlannedRow]) -> Iterator[Values]:
        """Yield each row with all of its values: a changed row's file gives some, the others stay."""
        existing = self.existing(site_id)
        defaults = {one.name: one.default for one in self.fields}
        for row in rows:
            yield {**defaults, **existing.get(row.key, {}), **row.values}


class ClassAlarmSection(_AlarmSection):
    """Alarms of equipment classes: they hold for every work unit of the class."""

    name = "alarms"
    owner = "class"
    fields = (Field("class", read.code, is_key=True, refers_to=CLASSES), *ALARM_FIELDS)

    @property
    def document_key(self) -> str:
        """They stand with the classes."""
        return CLASSES

    def rows(self, site_id: int) -> QuerySet[AlarmDefinition]:
        """Those of classes."""
        rows = AlarmDefinition.objects.filter(site_id=site_id, retired_at=None, equipment_class__isnull=False)
        return rows.order_by("equipment_class__code", "pk")

    def owners(self, document: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
        """``classes[]``."""
        for where, item in items(document, CLASSES):
            yield where, dict(item) if not isinstance(item, dict) else item

    def apply(self, *, actor: Actor, site_id: int, rows: Sequence[PlannedRow], at: datetime) -> None:
        """Define them."""
        class_ids = equipment.equipment_class_ids(site_id=site_id)
        unit_ids = equipment.work_unit_ids(site_id=site_id)
        alarms = [(class_ids[v["class"]], None, _spec(v, unit_ids)) for v in self.whole(site_id, rows)]
        definitions.define_many(actor=actor, site_id=site_id, alarms=alarms, at=at)


def _units(document: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for place, area in items(document, "areas"):
        for inner, center in items(area, "work_centers", place):
            for where, unit in items(center, WORK_UNITS, inner):
                yield where, dict(unit) if not isinstance(unit, dict) else unit


class UnitAlarmSection(_AlarmSection):
    """Alarms of single work units."""

    name = "unit_alarms"
    owner = "work_unit"
    fields = (Field("work_unit", read.code, is_key=True, refers_to=WORK_UNITS), *ALARM_FIELDS)

    @property
    def document_key(self) -> str:
        """They stand with the work units."""
        return "areas"

    def rows(self, site_id: int) -> QuerySet[AlarmDefinition]:
        """Those of work units."""
        rows = AlarmDefinition.objects.filter(site_id=site_id, retired_at=None, work_unit__isnull=False)
        return rows.order_by("work_unit__code", "pk")

    def owners(self, document: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
        """``areas[].work_centers[].work_units[]``."""
        return _units(document)

    def apply(self, *, actor: Actor, site_id: int, rows: Sequence[PlannedRow], at: datetime) -> None:
        """Define them."""
        unit_ids = equipment.work_unit_ids(site_id=site_id)
        alarms = [(None, unit_ids[v["work_unit"]], _spec(v, unit_ids)) for v in self.whole(site_id, rows)]
        definitions.define_many(actor=actor, site_id=site_id, alarms=alarms, at=at)


class AlarmOverrideSection(Section):
    """What work units do otherwise than the alarms of their class."""

    name = "alarm_overrides"
    permission = EDIT
    fields = (
        Field("work_unit", read.code, is_key=True, refers_to=WORK_UNITS),
        Field("alarm", read.code, is_key=True),
        Field("parameters", _parameters, default={}),
        Field("deadband", read.optional(read.number(least=0.0)), default=None),
        Field("on_delay_s", read.optional(seconds), default=None),
        Field("off_delay_s", read.optional(seconds), default=None),
        Field("priority", read.optional(read.one_of(PRIORITY_WORDS)), default=None),
        Field("is_enabled", read.optional(read.boolean), default=None),
        Field("reason", read.text(400), default=""),
    )

    @property
    def document_key(self) -> str:
        """They stand with the work units."""
        return "areas"

    def rows_of(self, document: Mapping[str, Any]) -> Iterator[RawRow]:
        """``areas[].work_centers[].work_units[].alarm_overrides[]``."""
        for place, unit in _units(document):
            for where, own in items(unit, "alarm_overrides", place):
                yield RawRow(where, {**own, "work_unit": unit.get("code", "")})

    def put_into(self, document: dict[str, Any], rows: Sequence[Values]) -> None:
        """Hang them below the work units."""
        units = {unit["code"]: unit for _where, unit in _units(document)}
        for row in rows:
            own = self.without_defaults(row)
            unit = units.get(own.pop("work_unit"))
            if unit is None:
                raise Misplaced(f"{WORK_UNITS}: {row['work_unit']}")
            unit.setdefault("alarm_overrides", []).append(own)

    def existing(self, site_id: int) -> dict[str, Values]:
        """Overrides by work unit and alarm. One query."""
        rows = AlarmOverride.objects.filter(site_id=site_id, definition__retired_at=None)
        found = {}
        for row in rows.select_related("definition", "work_unit").order_by("work_unit__code", "definition__code"):
            values = {
                "work_unit": row.work_unit.code,
                "alarm": row.definition.code,
                "parameters": row.parameters,
                "deadband": row.deadband,
                "on_delay_s": row.on_delay_s,
                "off_delay_s": row.off_delay_s,
                "priority": None if row.priority is None else Priority(row.priority).name.lower(),
                "is_enabled": row.is_enabled,
                "reason": row.reason,
            }
            found[self.key_of(values)] = values
        return found

    def apply(self, *, actor: Actor, site_id: int, rows: Sequence[PlannedRow], at: datetime) -> None:
        """Set them, each on the alarm of its unit's class."""
        existing = self.existing(site_id)
        defaults = {one.name: one.default for one in self.fields}
        units = {unit.code: unit for unit in equipment.work_units(actor=actor, site_id=site_id, with_retired=True)}
        ours = AlarmDefinition.objects.filter(site_id=site_id, retired_at=None, equipment_class__isnull=False)
        by_class = {(row.equipment_class_id, row.code): row.pk for row in ours}
        for row in rows:
            values = {**defaults, **existing.get(row.key, {}), **row.values}
            unit = units[values.pop("work_unit")]
            definition_id = by_class.get((unit.class_id, values["alarm"]))
            if definition_id is None:
                raise InvalidInput(
                    _("The class of %(unit)s has no alarm %(alarm)s.") % {"unit": unit.code, "alarm": values["alarm"]}
                )
            del values["alarm"]
            priority = values.pop("priority")
            definitions.override(
                actor=actor,
                definition_id=definition_id,
                work_unit_id=unit.id,
                at=at,
                spec=OverrideSpec(**values, priority=None if priority is None else Priority[priority.upper()]),
            )


SECTIONS: tuple[Section, ...] = (ClassAlarmSection(), UnitAlarmSection(), AlarmOverrideSection())
"""In the order in which they must be applied."""
