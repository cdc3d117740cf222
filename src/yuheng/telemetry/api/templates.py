"""Templates of equipment classes, the machines that follow them, and cells of tags, as JSON."""

from __future__ import annotations

from typing import Annotated, Any

from django.http import HttpRequest
from ninja import Field, Router, Schema

from yuheng.equipment import selectors as equipment
from yuheng.people.identity import actor_of
from yuheng.telemetry.api.arguments import now
from yuheng.telemetry.selectors import templates as stored
from yuheng.telemetry.selectors.templates import Variable
from yuheng.telemetry.selectors.visible import VIEW
from yuheng.telemetry.services import tag_edits
from yuheng.telemetry.services.templates import editing, instances, machines
from yuheng.telemetry.services.templates.instances import Grid, MachinesSpec
from yuheng.telemetry.services.templates.specs import TagRow, TemplateSpec
from yuheng.telemetry.spoken_plans import problem_sentence

router = Router(tags=["telemetry"])

Cell = str | float | bool | None


class VariableIO(Schema):
    """A free name in a class's patterns; ``default`` is a pattern of built-in names."""

    name: Annotated[str, Field(max_length=40)]
    default: Annotated[str, Field(max_length=400)] = ""
    note: Annotated[str, Field(max_length=200)] = ""


class TemplateTagOut(Schema):
    """A tag of a template with all of its fields."""

    id: int
    cells: dict[str, Any]


class TemplateOut(Schema):
    """The template of a class; ``version`` 0: nobody has made one."""

    equipment_class_id: int
    version: int
    variables: list[VariableIO]
    tags: list[TemplateTagOut]


class TemplateTagIn(Schema):
    """A tag of a template: ``id`` of the one that is changed (else its symbol says which), and its fields."""

    id: int | None = None
    cells: dict[str, Cell]


class TemplateIn(Schema):
    """What a template is to be. ``version``: the one that was changed; ``plan_sha256``: of the dry run seen."""

    variables: Annotated[list[VariableIO], Field(max_length=30)] = []
    tags: Annotated[list[TemplateTagIn], Field(max_length=1000)]
    version: int | None = None
    plan_sha256: str | None = None
    dry_run: bool = False


class TemplateFieldChangeOut(Schema):
    """A field of a machine's tag that changes, or (``is_kept``) stays as set by hand though the template differs."""

    tag_id: int
    symbol: str
    field: str
    old: Any
    new: Any
    is_kept: bool


class MachineChangeOut(Schema):
    """What happens to one machine."""

    code: str
    changes: list[TemplateFieldChangeOut]
    added: list[str]
    linked: list[str]
    retired: list[str]
    problems: list[str]


class TemplatePlanOut(Schema):
    """What a template changes; with ``dry_run`` it would."""

    version: int
    plan_sha256: str
    counts: dict[str, int]
    machines: list[MachineChangeOut]


class PlaceIn(Schema):
    """Where machines are drawn: corner of the first tile in map pixels, so many to a row."""

    x: Annotated[float, Field(ge=-100_000, le=100_000)]
    y: Annotated[float, Field(ge=-100_000, le=100_000)]
    columns: Annotated[int, Field(ge=1, le=100)] = 10


class MachinesIn(Schema):
    """Like machines to make: by numbers, or a row of ``table`` each (n, code, name_zh, name_en, source, variables)."""

    work_center_id: int
    source_id: int
    code: Annotated[str, Field(max_length=200)] = "P{n:02d}"
    name_zh: Annotated[str, Field(max_length=200)] = "{unit}"
    name_en: Annotated[str, Field(max_length=200)] = "{unit}"
    first: Annotated[int, Field(ge=0, le=999_999)] = 1
    last: Annotated[int, Field(ge=0, le=999_999)] = 1
    variables: dict[str, str] = {}
    table: Annotated[list[dict[str, str]], Field(max_length=500)] = []
    place: PlaceIn | None = None
    plan_sha256: str | None = None
    leave_out_refused: bool = False
    dry_run: bool = False


class NewMachineOut(Schema):
    """A machine that is made, with the address of each tag by its symbol."""

    code: str
    name_zh: str
    name_en: str
    is_new: bool
    addresses: dict[str, str]
    problems: list[str]


class MachinesPlanOut(Schema):
    """The machines that are made; with ``dry_run`` that would be."""

    plan_sha256: str
    counts: dict[str, int]
    machines: list[NewMachineOut]


class TagEditIn(Schema):
    """Changed cells of a tag; ``seen``: what was there before, so that nobody's newer value is written over."""

    tag_id: int
    cells: Annotated[dict[str, Cell], Field(min_length=1)]
    seen: dict[str, Cell] = {}


class TagEditsIn(Schema):
    """Cells of tags to change: all of them or none."""

    edits: Annotated[list[TagEditIn], Field(min_length=1, max_length=tag_edits.MOST_TAGS)]


class EditedOut(Schema):
    """How many tags changed, and how many had the values already."""

    changed: int
    unchanged: int


class BackIn(Schema):
    """Tags that are to follow their template again, in these fields (none named: in all)."""

    tag_ids: Annotated[list[int], Field(min_length=1, max_length=1000)]
    fields: list[str] = []


@router.get("/equipment-classes/{int:equipment_class_id}/template", response=TemplateOut)
def get_template(request: HttpRequest, equipment_class_id: int) -> dict[str, Any]:
    """Show the template of a class."""
    page = stored.class_page(actor=actor_of(request), equipment_class_id=equipment_class_id)
    return {
        "equipment_class_id": page.kind.id,
        "version": page.template.version,
        "variables": page.template.variables,
        "tags": [{"id": tag.key, "cells": tag.values} for tag in page.template.tags],
    }


@router.put("/equipment-classes/{int:equipment_class_id}/template", response=TemplatePlanOut)
def save_template(request: HttpRequest, equipment_class_id: int, body: TemplateIn) -> dict[str, Any]:
    """Write the template of a class and what it changes in its machines: all or nothing; or say what it would."""
    actor = actor_of(request)
    spec = TemplateSpec(
        tuple(Variable(one.name, one.default, one.note) for one in body.variables),
        tuple(TagRow(tag.cells, tag.id) for tag in body.tags),
    )
    if body.dry_run:
        plan = editing.preview_template(actor=actor, equipment_class_id=equipment_class_id, spec=spec)
    else:
        plan = editing.save_template(
            actor=actor,
            equipment_class_id=equipment_class_id,
            spec=spec,
            version=body.version,
            plan_sha256=body.plan_sha256,
            at=now(),
        )
    return {
        "version": plan.version,
        "plan_sha256": plan.sha256(),
        "counts": plan.counts(),
        "machines": [_machine_change(one) for one in plan.machines if one.has_effect or one.kept or one.problems],
    }


def _machine_change(plan: Any) -> dict[str, Any]:
    changes = [
        {"tag_id": c.tag_id, "symbol": c.symbol, "field": c.name, "old": c.old, "new": c.new, "is_kept": False}
        for c in plan.changes
    ]
    kept = [
        {"tag_id": k.tag_id, "symbol": k.symbol, "field": k.name, "old": k.own, "new": k.template, "is_kept": True}
        for k in plan.kept
    ]
    return {
        "code": plan.machine.code,
        "changes": changes + kept,
        "added": [values["symbol"] for _key, values in plan.added],
        "linked": [v["symbol"] for _k, _i, v in plan.revived] + [v["symbol"] for _k, _i, v, _o in plan.linked],
        "retired": [str(tag.values["symbol"]) for tag in plan.retired],
        "problems": [problem_sentence(one) for one in plan.problems],
    }


@router.post("/equipment-classes/{int:equipment_class_id}/machines", response=MachinesPlanOut)
def make_machines(request: HttpRequest, equipment_class_id: int, body: MachinesIn) -> dict[str, Any]:
    """Make like machines of a class with their tags: all or none; or say what would be made."""
    actor = actor_of(request)
    given = body.model_dump(exclude={"place", "plan_sha256", "leave_out_refused", "dry_run"})
    grid = Grid(body.place.x, body.place.y, columns=body.place.columns) if body.place is not None else None
    spec = MachinesSpec(**given, grid=grid)
    if body.dry_run:
        plan = instances.plan_instances(actor=actor, equipment_class_id=equipment_class_id, spec=spec)
    else:
        plan = instances.instantiate(
            actor=actor,
            equipment_class_id=equipment_class_id,
            spec=spec,
            plan_sha256=body.plan_sha256,
            leave_out_refused=body.leave_out_refused,
            at=now(),
        )
    return {
        "plan_sha256": plan.sha256(),
        "counts": plan.counts(),
        "machines": [
            {
                "code": unit.code,
                "name_zh": unit.name_zh,
                "name_en": unit.name_en,
                "is_new": unit.id == 0,
                "addresses": {values["symbol"]: values["address"] for _key, values in one.added},
                "problems": [problem_sentence(problem) for problem in one.problems],
            }
            for unit, one in zip(plan.units, plan.plans, strict=True)
        ],
    }


@router.post("/tags/cells", response=EditedOut)
def edit_tags(request: HttpRequest, body: TagEditsIn) -> tag_edits.Edited:
    """Change cells of tags: all of them or none; what is wrong is named by ``<tag id>.<field>``."""
    edits = [tag_edits.TagEdit(one.tag_id, one.cells, one.seen) for one in body.edits]
    return tag_edits.edit_tags(actor=actor_of(request), edits=edits, at=now())


@router.post("/tags/back-to-template", response=EditedOut)
def back_to_template(request: HttpRequest, body: BackIn) -> tag_edits.Edited:
    """Give tags what their template says again."""
    names = body.fields or None
    changed = machines.back_to_template(actor=actor_of(request), tag_ids=body.tag_ids, names=names, at=now())
    return tag_edits.Edited(changed, len(set(body.tag_ids)) - changed)


class MachineOut(Schema):
    """A machine that follows a template. ``overrides``: symbol -> field -> its own value."""

    work_unit_id: int
    code: str
    source: str
    number: int
    variables: dict[str, str]
    overrides: dict[str, dict[str, Any]]


@router.get("/equipment-classes/{int:equipment_class_id}/machines", response=list[MachineOut])
def list_machines(request: HttpRequest, equipment_class_id: int) -> list[stored.FollowedMachine]:
    """List the machines that follow the template of a class."""
    actor = actor_of(request)
    kind = equipment.equipment_class(actor=actor, equipment_class_id=equipment_class_id)
    actor.require(VIEW, site_id=kind.site_id)
    return stored.followed_machines(site_id=kind.site_id, equipment_class_id=kind.id)
