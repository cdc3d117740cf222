"""Templates of classes and the machines that follow them, in plant files and CSV.

In a plant file both stand where they belong: ``classes[].tags`` and ``classes[].variables``; ``work_units[]`` with
``tag_source``, ``number``, ``variables`` and ``overrides``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any, cast

from django.utils.translation import gettext as _

from yuheng.equipment import selectors as equipment
from yuheng.equipment.importing import Field, Misplaced, PlannedRow, RawRow, Section, Unreadable, Values, items
from yuheng.equipment.importing import fields as read
from yuheng.kernel.actor import Actor
from yuheng.telemetry.importing.shared import CLASSES, EDIT, WORK_UNITS, sentences, whole
from yuheng.telemetry.models import ClassTemplate
from yuheng.telemetry.selectors import templates as stored
from yuheng.telemetry.selectors.templates import LoadedTemplate, Variable
from yuheng.telemetry.services.templates import following
from yuheng.telemetry.services.templates.editing import save_template
from yuheng.telemetry.services.templates.specs import KnownCodes, TagRow, TemplateSpec, read_template
from yuheng.telemetry.tag_fields import EDITABLE, STANDARD, TEMPLATE_FIELDS, read_cells

_NAMES = tuple(field.name for field in TEMPLATE_FIELDS)
_DEFAULTS = {field.name: field.default for field in TEMPLATE_FIELDS}


def _tags(value: Any) -> list[Values]:
    """Read the tags of a class: complete rows, in their order."""
    if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
        raise Unreadable(_("must be a list of tags"))
    found: list[Values] = []
    for number, cells in enumerate(value, 1):
        values, wrong = read_cells(TEMPLATE_FIELDS, cells)
        missing = [name for name in ("symbol", "address", "data_type") if not cells.get(name)]
        if missing or wrong:
            name = missing[0] if missing else next(iter(wrong))
            why = wrong.get(name, _("must not be empty"))
            where = {"number": number, "name": name, "why": why}
            raise Unreadable(_("has a tag that cannot be accepted: number %(number)d, %(name)s %(why)s") % where)
        defaults = {name: default for name, default in _DEFAULTS.items() if isinstance(default, str | float)}
        found.append({**defaults, **values})
    return found


def _variables(value: Any) -> list[dict[str, str]]:
    """Read variables: ``[{name, default, note}]``, or ``{name: default}``."""
    if isinstance(value, dict):
        value = [{"name": name, "default": default} for name, default in value.items()]
    if not isinstance(value, list) or not all(
        isinstance(one, dict) and "name" in one and set(one) <= {"name", "default", "note"} for one in value
    ):
        raise Unreadable(_("must be a list of variables with name and perhaps default and note"))
    return [
        {"name": read.text(40)(one["name"])}
        | {name: read.text(400)(one[name]) for name in ("default", "note") if one.get(name) not in (None, "")}
        for one in value
    ]


class TemplateSection(Section):
    """Tags and variables of equipment classes. In CSV one line a tag, or a variable."""

    name = "templates"
    permission = EDIT
    fields = (
        Field("class", read.code, is_key=True, refers_to=CLASSES),
        Field("variables", _variables, default=[]),
        Field("tags", _tags, default=[]),
    )

    @property
    def document_key(self) -> str:
        """They stand with the classes."""
        return CLASSES

    @property
    def columns(self) -> tuple[str, ...]:
        """One line a variable or a tag."""
        return ("class", "variable", "default", "note", *_NAMES)

    def rows_of(self, document: Mapping[str, Any]) -> Iterator[RawRow]:
        """Take from each class what is ours; a class that says nothing keeps its template."""
        for where, item in items(document, CLASSES):
            ours = {name: item[name] for name in ("variables", "tags") if name in item}
            if ours:
                yield RawRow(where, {"class": item.get("code", ""), **ours})

    def put_into(self, document: dict[str, Any], rows: Sequence[Values]) -> None:
        """Add them to the classes that a section before has written."""
        classes = {item["code"]: item for item in document.get(CLASSES, [])}
        for row in rows:
            item = classes.get(row["class"])
            if item is None:
                raise Misplaced(f"{CLASSES}: {row['class']}")
            if row["variables"]:
                item["variables"] = row["variables"]
            item["tags"] = [_short(tag) for tag in row["tags"]]

    def from_csv(self, rows: Sequence[RawRow]) -> Sequence[RawRow]:
        """Gather the lines of each class."""
        gathered: dict[str, RawRow] = {}
        for row in rows:
            code = str(row.values.get("class", "")).strip()
            first = gathered.setdefault(code, RawRow(row.where, {"class": code, "variables": [], "tags": []}))
            if "variable" in row.values:
                given = {name: row.values[name] for name in ("default", "note") if name in row.values}
                cast("list[Any]", first.values["variables"]).append({"name": row.values["variable"], **given})
            tag = {name: value for name, value in row.values.items() if name not in ("class", "variable", "note")}
            tag.pop("default", None)
            if tag:
                cast("list[Any]", first.values["tags"]).append(tag)
        return list(gathered.values())

    def to_csv(self, values: Values) -> Iterator[dict[str, str]]:
        """Variables first, then tags."""
        for one in values["variables"]:
            line = {"variable": one["name"], "default": one.get("default", ""), "note": one.get("note", "")}
            yield {"class": values["class"], **line}
        for tag in values["tags"]:
            yield {"class": values["class"], **{name: read.as_cell(value) for name, value in tag.items()}}

    def existing(self, site_id: int) -> dict[str, Values]:
        """Templates of the site by class. Two queries."""
        rows = list(
            ClassTemplate.objects.filter(equipment_class__site_id=site_id, version__gt=0)
            .select_related("equipment_class")
            .order_by("equipment_class__code")
        )
        tags = stored.wanted_tags(template_ids=[row.pk for row in rows])
        return {
            row.equipment_class.code: {
                "class": row.equipment_class.code,
                "variables": [
                    {name: text for name, text in asdict(one).items() if text} for one in stored.variables_of(row)
                ],
                "tags": [dict(tag.values) for tag in tags[row.pk]],
            }
            for row in rows
        }

    def check(self, values: Values, known: Mapping[str, frozenset[str]]) -> str:
        """Return what is wrong with the template."""
        codes = KnownCodes(
            known.get("sources", frozenset()), frozenset({STANDARD, *known.get("tag_classes", frozenset())})
        )
        nothing = LoadedTemplate(0, 0, (), ())
        return sentences(lambda: read_template(known=codes, spec=_spec(values), present=nothing))

    def apply(self, *, actor: Actor, site_id: int, rows: Sequence[PlannedRow], at: datetime) -> None:
        """Write each template, and what it changes in the machines that follow it."""
        ids = equipment.equipment_class_ids(site_id=site_id)
        for row, values in whole(self, site_id, rows):
            save_template(actor=actor, equipment_class_id=ids[row.key], spec=_spec(values), at=at)


def _spec(values: Values) -> TemplateSpec:
    variables = tuple(Variable(one["name"], one.get("default", ""), one.get("note", "")) for one in values["variables"])
    return TemplateSpec(variables, tuple(TagRow(tag) for tag in values["tags"]))


def _short(tag: Mapping[str, Any]) -> Values:
    """Leave out what a reader fills in anyway; ``symbol`` stays."""
    return {name: tag[name] for name in _NAMES if name == "symbol" or tag[name] != _DEFAULTS[name]}


# ---- machines -----------------------------------------------------------------------------------------------------


def _texts(value: Any) -> dict[str, str]:
    """Read ``{variable: text}``."""
    return {read.filled_text(40)(name): read.text(400)(text) for name, text in sorted(read.mapping(value).items())}


def _overrides(value: Any) -> dict[str, dict[str, Any]]:
    """Read ``{symbol: {field: value}}``."""
    found: dict[str, dict[str, Any]] = {}
    for symbol, cells in sorted(read.mapping(value).items()):
        values, wrong = read_cells((*EDITABLE, _SOURCE), read.mapping(cells))
        if wrong:
            name, why = next(iter(wrong.items()))
            raise Unreadable(
                _("has an override that cannot be accepted: %(symbol)s.%(name)s %(why)s")
                % {"symbol": symbol, "name": name, "why": why}
            )
        if values:
            found[str(symbol)] = dict(sorted(values.items()))
    return found


_SOURCE = Field("source", read.text(60), default="")


class MachineSection(Section):
    """Work units that follow the template of their class, and what they override of it."""

    name = "machines"
    permission = EDIT
    fields = (
        Field("work_unit", read.code, is_key=True, refers_to=WORK_UNITS),
        Field("tag_source", read.filled_text(60), refers_to="sources"),
        Field("number", read.whole_number(least=0, most=999_999), default=0),
        Field("variables", _texts, default={}),
        Field("overrides", _overrides, default={}),
    )
    own = ("tag_source", "number", "variables", "overrides")

    @property
    def document_key(self) -> str:
        """They stand with the work units."""
        return "areas"

    def rows_of(self, document: Mapping[str, Any]) -> Iterator[RawRow]:
        """Take from each work unit what is ours."""
        for place, area in items(document, "areas"):
            for inner, center in items(area, "work_centers", place):
                for where, unit in items(center, WORK_UNITS, inner):
                    ours = {name: unit[name] for name in self.own if name in unit}
                    if ours:
                        yield RawRow(where, {"work_unit": unit.get("code", ""), **ours})

    def put_into(self, document: dict[str, Any], rows: Sequence[Values]) -> None:
        """Add them to the units that a section before has written."""
        units = {
            unit["code"]: unit
            for area in document.get("areas", ())
            for center in area.get("work_centers", ())
            for unit in center.get(WORK_UNITS, ())
        }
        for row in rows:
            own = self.without_defaults(row)
            unit = units.get(own.pop("work_unit"))
            if unit is None:
                raise Misplaced(f"{WORK_UNITS}: {row['work_unit']}")
            unit.update(own)

    def existing(self, site_id: int) -> dict[str, Values]:
        """Machines of the site by code. Two queries."""
        return {
            one.code: {
                "work_unit": one.code,
                "tag_source": one.source,
                "number": one.number,
                "variables": dict(sorted(one.variables.items())),
                "overrides": one.overrides,
            }
            for one in stored.followed_machines(site_id=site_id)
        }

    def apply(self, *, actor: Actor, site_id: int, rows: Sequence[PlannedRow], at: datetime) -> None:
        """Let them follow, class by class, then set what they override."""
        ids = equipment.work_unit_ids(site_id=site_id)
        machines = [
            following.MachineSettings(
                work_unit_id=ids[row.key],
                source=values["tag_source"],
                number=values["number"],
                variables=values["variables"],
                overrides=values["overrides"],
            )
            for row, values in whole(self, site_id, rows)
        ]
        following.follow_templates(actor=actor, site_id=site_id, machines=machines, at=at)
