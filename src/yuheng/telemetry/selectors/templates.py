"""Templates of equipment classes and the machines that follow them, as services plan with them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from yuheng.equipment import selectors as equipment
from yuheng.kernel.actor import Actor
from yuheng.kernel.lookups import IsAnyOf
from yuheng.telemetry.models import ClassTemplate, Tag, TemplatedUnit, TemplateTag
from yuheng.telemetry.selectors.visible import VIEW
from yuheng.telemetry.tag_fields import FOLLOWED
from yuheng.telemetry.template_plans import Machine, PresentTag, WantedTag

TRAITS = tuple(name for name in FOLLOWED if name not in ("source", "tag_class"))
_COLUMNS = (*TRAITS, "source__code", "tag_class__code")
_NAMES = (*TRAITS, "source", "tag_class")


@dataclass(frozen=True, slots=True)
class Variable:
    """A free name in a class's patterns; ``default`` is a pattern of built-in names."""

    name: str
    default: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class LoadedTemplate:
    """A template as it is; ``version`` 0: nobody has made one yet."""

    class_id: int
    version: int
    variables: tuple[Variable, ...]
    tags: tuple[WantedTag, ...]

    @property
    def defaults(self) -> dict[str, str]:
        """Variable -> default; those without one are asked of each machine."""
        return defaults_of(self.variables)


def defaults_of(variables: Iterable[Variable]) -> dict[str, str]:
    """Variable -> default; those without one are asked of each machine."""
    return {one.name: one.default for one in variables if one.default}


def load_template(*, equipment_class_id: int) -> LoadedTemplate:
    """The template of a class. Two queries."""
    row = ClassTemplate.objects.filter(pk=equipment_class_id).first()
    if row is None:
        return LoadedTemplate(equipment_class_id, 0, (), ())
    return LoadedTemplate(row.pk, row.version, variables_of(row), wanted_tags(template_ids=[row.pk])[row.pk])


def variables_of(row: ClassTemplate) -> tuple[Variable, ...]:
    """The variables of a template."""
    return tuple(Variable(one["name"], one.get("default", ""), one.get("note", "")) for one in row.variables)


def wanted_tags(*, template_ids: Sequence[int]) -> dict[int, tuple[WantedTag, ...]]:
    """Template id -> its tags in order. One query."""
    found: dict[int, list[WantedTag]] = {pk: [] for pk in template_ids}
    rows = TemplateTag.objects.filter(template_id__in=template_ids).order_by("template_id", "ordinal", "pk")
    for row in rows.values_list("template_id", "pk", *_COLUMNS):
        values = dict(zip(_NAMES, row[2:], strict=True))
        values["source"] = values["source"] or ""
        found[row[0]].append(WantedTag(row[1], values))
    return {pk: tuple(tags) for pk, tags in found.items()}


def load_machines(
    *, template_id: int | None = None, work_unit_ids: Sequence[int] | None = None, with_retired: bool = False
) -> list[Machine]:
    """Machines that follow a template, by code, with all their tags. Two queries."""
    rows = TemplatedUnit.objects.order_by("work_unit__code")
    if not with_retired:
        rows = rows.filter(work_unit__retired_at__isnull=True)
    if template_id is not None:
        rows = rows.filter(template_id=template_id)
    if work_unit_ids is not None:
        rows = rows.filter(work_unit_id__in=work_unit_ids)
    columns = (
        "work_unit_id",
        "work_unit__code",
        "work_unit__work_center__code",
        "work_unit__work_center__area__code",
        "template__equipment_class__code",
        "source__code",
        "number",
        "variables",
    )
    found = list(rows.values_list(*columns))
    tags = present_tags_of(work_unit_ids=[row[0] for row in found])
    return [
        Machine(pk, code, source, scope(code, number, area, center, kind, source, variables), tags.get(pk, ()))
        for pk, code, center, area, kind, source, number, variables in found
    ]


@dataclass(frozen=True, slots=True)
class FollowedMachine:
    """A machine that follows a template. ``overrides``: symbol of the template -> field -> own value."""

    work_unit_id: int
    class_id: int
    code: str
    name_zh: str
    name_en: str
    source_id: int
    source: str
    number: int
    variables: Mapping[str, str]
    overrides: Mapping[str, Mapping[str, Any]]
    is_retired: bool

    @property
    def override_count(self) -> int:
        """How many fields are set by hand."""
        return sum(len(fields) for fields in self.overrides.values())


def followed_machines(
    *, site_id: int, equipment_class_id: int | None = None, work_unit_id: int | None = None
) -> list[FollowedMachine]:
    """Machines that follow templates, by code. Two queries."""
    rows = TemplatedUnit.objects.filter(site_id=site_id).select_related("work_unit", "source")
    tags = Tag.objects.filter(site_id=site_id, template_tag__isnull=False).exclude(overrides=[])
    if equipment_class_id is not None:
        rows = rows.filter(template_id=equipment_class_id)
        tags = tags.filter(template_tag__template_id=equipment_class_id)
    if work_unit_id is not None:
        rows, tags = rows.filter(work_unit_id=work_unit_id), tags.filter(work_unit_id=work_unit_id)
    own: dict[int, dict[str, dict[str, Any]]] = {}
    columns = ("work_unit_id", "template_tag__symbol", "overrides", *_COLUMNS)
    for unit_id, symbol, names, *values in tags.order_by("template_tag__symbol").values_list(*columns):
        whole = dict(zip(_NAMES, values, strict=True))
        own.setdefault(unit_id, {})[symbol] = {name: whole[name] for name in sorted(names)}
    return [
        FollowedMachine(
            work_unit_id=row.pk,
            class_id=row.template_id,
            code=row.work_unit.code,
            name_zh=row.work_unit.name_zh,
            name_en=row.work_unit.name_en,
            source_id=row.source_id,
            source=row.source.code,
            number=row.number,
            variables=row.variables,
            overrides=own.get(row.pk, {}),
            is_retired=row.work_unit.retired_at is not None,
        )
        for row in rows.order_by("work_unit__code")
    ]


def scope(
    unit: str, number: int, area: str, center: str, kind: str, source: str, variables: Mapping[str, str]
) -> dict[str, str | int]:
    """What fills the patterns of a machine; its variables never hide a built-in name."""
    own: dict[str, str | int] = {
        "unit": unit,
        "n": number,
        "area": area,
        "center": center,
        "class": kind,
        "source": source,
    }
    return {**variables, **own}


def present_tags_of(*, work_unit_ids: Sequence[int]) -> dict[int, tuple[PresentTag, ...]]:
    """Work unit id -> its tags, retired ones included. One query."""
    found: dict[int, list[PresentTag]] = {}
    for tag in _present(Tag.objects.filter(IsAnyOf("work_unit_id", work_unit_ids))):
        found.setdefault(tag.work_unit_id or 0, []).append(tag)
    return {pk: tuple(tags) for pk, tags in found.items()}


def tags_at(*, site_id: int, places: Iterable[tuple[str, str]]) -> dict[tuple[str, str], PresentTag]:
    """(source code, address) -> the tag that is there, retired or not. One query."""
    wanted = set(places)
    rows = Tag.objects.filter(
        site_id=site_id, source__code__in={source for source, _a in wanted}, address__in={a for _s, a in wanted}
    )
    found = {(tag.values["source"], tag.values["address"]): tag for tag in _present(rows)}
    return {place: tag for place, tag in found.items() if place in wanted}


def _present(rows: Any) -> Iterable[PresentTag]:
    columns = ("pk", "template_tag_id", "overrides", "retired_at", "work_unit_id", *_COLUMNS)
    for row in rows.order_by("pk").values_list(*columns):
        pk, key, overrides, retired_at, unit_id, *values = row
        yield PresentTag(
            pk, dict(zip(_NAMES, values, strict=True)), key, frozenset(overrides), retired_at is not None, unit_id
        )


# ---- pages --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ClassPage:
    """A class, its template, the machines that follow it, and those of the class that follow nothing."""

    kind: equipment.EquipmentClassRow
    template: LoadedTemplate
    machines: list[FollowedMachine]
    others: list[equipment.WorkUnitRow]
    has_picture: bool


def class_page(*, actor: Actor, equipment_class_id: int) -> ClassPage:
    """Everything about the template of a class. Seven queries. Raises `NotVisible`, `PermissionRefused`."""
    kind = equipment.equipment_class(actor=actor, equipment_class_id=equipment_class_id)
    actor.require(VIEW, site_id=kind.site_id)
    machines = followed_machines(site_id=kind.site_id, equipment_class_id=kind.id)
    followed = {one.work_unit_id for one in machines}
    units = equipment.work_units(actor=actor, site_id=kind.site_id)
    others = [unit for unit in units if unit.class_id == kind.id and unit.id not in followed]
    picture = equipment.class_picture(actor=actor, equipment_class_id=kind.id)
    return ClassPage(kind, load_template(equipment_class_id=kind.id), machines, others, picture is not None)


@dataclass(frozen=True, slots=True)
class MachinePage:
    """A work unit with how it follows the template of its class; ``follows`` None: it does not."""

    unit: equipment.WorkUnitRow
    template: LoadedTemplate
    follows: FollowedMachine | None


def machine_page(*, actor: Actor, work_unit_id: int) -> MachinePage:
    """How a work unit follows its template. Five queries. Raises `NotVisible`, `PermissionRefused`."""
    unit = equipment.work_unit(actor=actor, work_unit_id=work_unit_id)
    actor.require(VIEW, site_id=unit.site_id)
    found = followed_machines(site_id=unit.site_id, work_unit_id=unit.id)
    class_id = found[0].class_id if found else unit.class_id
    return MachinePage(unit, load_template(equipment_class_id=class_id or 0), found[0] if found else None)
