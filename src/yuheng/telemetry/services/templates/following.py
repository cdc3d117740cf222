"""Letting work units that are there follow the template of their class, many at once, with what they override."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from yuheng.equipment import selectors as equipment
from yuheng.kernel import audit
from yuheng.kernel.actor import Actor
from yuheng.kernel.errors import Conflict, InvalidInput
from yuheng.kernel.events import publish
from yuheng.telemetry.events import TagsChanged
from yuheng.telemetry.models import Tag, TemplatedUnit
from yuheng.telemetry.selectors import templates as stored
from yuheng.telemetry.services import tag_edits
from yuheng.telemetry.services.access import EDIT
from yuheng.telemetry.services.templates.editing import locked_template, plan_machines, refuse_problems
from yuheng.telemetry.services.templates.machines import back_to_template
from yuheng.telemetry.services.templates.writing import Ids, write_plans
from yuheng.telemetry.tag_fields import EDITABLE
from yuheng.telemetry.template_plans import Machine, MachinePlan, Problem


@dataclass(frozen=True, slots=True)
class MachineSettings:
    """How a work unit follows the template of its class. ``overrides``: symbol -> field -> own value; None: as is."""

    work_unit_id: int
    source: str
    number: int = 0
    variables: Mapping[str, str] = field(default_factory=dict)
    overrides: Mapping[str, Mapping[str, Any]] | None = None


def plan_following(*, actor: Actor, site_id: int, machines: Sequence[MachineSettings]) -> list[MachinePlan]:
    """Say what would happen to the tags of these work units; nothing is written. Five queries a class.

    Raises
    ------
    NotVisible, PermissionRefused
    InvalidInput
        A unit is not of the site or has no class.
    """
    actor.require(EDIT, site_id=site_id)
    plans: list[MachinePlan] = []
    for class_id, pairs in _by_class(actor, site_id, machines).items():
        template = stored.load_template(equipment_class_id=class_id)
        known = {one.name for one in template.variables}
        tags = stored.present_tags_of(work_unit_ids=[unit.id for unit, _one in pairs])
        prepared = [
            Machine(
                unit.id,
                unit.code,
                one.source,
                stored.scope(
                    unit.code,
                    one.number,
                    unit.area_code,
                    unit.work_center_code,
                    unit.class_code,
                    one.source,
                    one.variables,
                ),
                tags.get(unit.id, ()),
            )
            for unit, one in pairs
        ]
        found = plan_machines(site_id=site_id, machines=prepared, wanted=template.tags, variables=template.variables)
        for plan, (_unit, one) in zip(found, pairs, strict=True):
            strange = sorted(set(one.variables) - known)
            plan.problems[:0] = [Problem(plan.machine.code, "unknown_variable", (name,)) for name in strange]
        plans += found
    return plans


@transaction.atomic
def follow_templates(*, actor: Actor, site_id: int, machines: Sequence[MachineSettings], at: datetime) -> int:
    """Let work units follow the templates of their classes; returns how many tags were written. All or none.

    Raises
    ------
    NotVisible, PermissionRefused, InvalidInput
    Conflict
        A unit's class has no template, an address or symbol is taken, or a pattern cannot be filled in.
    """
    actor.require(EDIT, site_id=site_id)
    by_class = _by_class(actor, site_id, machines)
    for class_id, pairs in by_class.items():
        if locked_template(class_id).version == 0:
            raise Conflict(_("The class %(code)s has no template yet.") % {"code": pairs[0][0].class_code})
    ids = Ids(site_id)
    unknown = sorted({one.source for one in machines} - set(ids.sources))
    if unknown:
        raise InvalidInput(_("There is no data source called %(one)s at this site.") % {"one": unknown[0]})
    plans = plan_following(actor=actor, site_id=site_id, machines=machines)
    refuse_problems([problem for plan in plans for problem in plan.problems])
    TemplatedUnit.objects.bulk_create(
        [
            TemplatedUnit(
                work_unit_id=unit.id,
                site_id=site_id,
                template_id=class_id,
                source_id=ids.sources[one.source],
                number=one.number,
                variables=dict(one.variables),
            )
            for class_id, pairs in by_class.items()
            for unit, one in pairs
        ],
        update_conflicts=True,
        unique_fields=["work_unit"],
        update_fields=["template", "source", "number", "variables"],
    )
    keys = {tag.key: tag.key for tags in stored.wanted_tags(template_ids=list(by_class)).values() for tag in tags}
    units = {plan.machine.code: plan.machine.id for plan in plans}
    written = write_plans(plans=plans, unit_ids=units, template_ids=keys, ids=ids, at=at)
    _override(actor, [one for one in machines if one.overrides is not None], at)
    publish(TagsChanged(site_id=site_id, count=written), at=at)
    audit.record(
        actor=actor,
        action="template.machine_set",
        at=at,
        site_id=site_id,
        object_kind="work_unit",
        count=len(machines),
        units=sorted(units)[:100],
        tags=written,
    )
    return written


def _by_class(
    actor: Actor, site_id: int, machines: Sequence[MachineSettings]
) -> dict[int, list[tuple[equipment.WorkUnitRow, MachineSettings]]]:
    units = {unit.id: unit for unit in equipment.work_units(actor=actor, site_id=site_id, with_retired=True)}
    found: dict[int, list[tuple[equipment.WorkUnitRow, MachineSettings]]] = {}
    for one in machines:
        unit = units.get(one.work_unit_id)
        if unit is None:
            raise InvalidInput(_("There is no such work unit at this site."))
        if unit.class_id is None:
            raise InvalidInput(_("The work unit %(code)s has no equipment class.") % {"code": unit.code})
        found.setdefault(unit.class_id, []).append((unit, one))
    return found


def _override(actor: Actor, machines: Sequence[MachineSettings], at: datetime) -> None:
    """Set what each machine overrides, and give up what it overrides no longer."""
    wanted = {one.work_unit_id: one.overrides or {} for one in machines}
    rows = Tag.objects.filter(work_unit_id__in=wanted, template_tag__isnull=False, retired_at__isnull=True)
    editable = {one.name for one in EDITABLE}
    edits: list[tag_edits.TagEdit] = []
    for row in rows.select_related("template_tag", "tag_class", "work_unit", "source"):
        symbol = row.template_tag.symbol if row.template_tag is not None else ""
        own = wanted[row.work_unit_id or 0].get(symbol, {})
        gone = [name for name in row.overrides if name not in own]
        if gone:
            back_to_template(actor=actor, tag_ids=[row.pk], names=gone, at=at)
        cells = {name: value for name, value in own.items() if name in editable}
        if any(tag_edits.shown(row, name) != value for name, value in cells.items()):
            edits.append(tag_edits.TagEdit(row.pk, cells))
    if edits:
        tag_edits.edit_tags(actor=actor, edits=edits, at=at)
