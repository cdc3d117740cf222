"""Pages of a class: its template, what a change would do, the machines that follow it, making more of them."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from yuheng.equipment import selectors as equipment
from yuheng.equipment.importing import as_cell
from yuheng.kernel.actor import Actor
from yuheng.kernel.errors import Conflict, DomainError, InvalidInput
from yuheng.people.identity import actor_of
from yuheng.telemetry.selectors import signals, templates
from yuheng.telemetry.selectors.templates import ClassPage, Variable
from yuheng.telemetry.services.templates import editing, following, instances, taking
from yuheng.telemetry.services.templates.instances import Grid, MachinesSpec
from yuheng.telemetry.services.templates.specs import TagRow, TemplateSpec
from yuheng.telemetry.spoken_plans import problem_sentence
from yuheng.telemetry.views.columns import labels, template_columns

EDIT = "telemetry.edit"
SPARE_VARIABLES = 2
CHANGES_SHOWN = 300
TAGS_SHOWN = 3000


def _now() -> datetime:
    return datetime.now(UTC)


def _sentences(error: DomainError) -> list[str]:
    fields = getattr(error, "fields", None) or {}
    return [str(error), *[text for name, text in fields.items() if not name.startswith("tags.")][:10]]


def _context(actor: Actor, page: ClassPage, tab: str) -> dict[str, Any]:
    may_edit = actor.may(EDIT, site_id=page.kind.site_id)
    return {
        "page": page,
        "kind": page.kind,
        "tab": tab,
        "may_edit": may_edit,
        "may_make": may_edit and actor.may("equipment.edit", site_id=page.kind.site_id),
    }


# ---- the template -------------------------------------------------------------------------------------------------


@require_http_methods(["GET", "POST"])
def class_template(request: HttpRequest, equipment_class_id: int) -> HttpResponse:
    """Edit the template of a class: preview what changes in which machines, then apply exactly that."""
    actor = actor_of(request)
    page = templates.class_page(actor=actor, equipment_class_id=equipment_class_id)
    context = _context(actor, page, "template")
    template = page.template
    saved = {tag.key: {name: as_cell(value) for name, value in tag.values.items()} for tag in template.tags}
    rows: list[dict[str, Any]] = [{"id": key, "cells": cells} for key, cells in saved.items()]
    variables: tuple[Variable, ...] = template.variables
    version = template.version
    errors: list[str] = []
    cell_errors: dict[str, str] = {}
    preview: editing.TemplatePreview | None = None
    if request.method == "POST":
        try:
            spec, rows = _posted(request)
            variables = spec.variables
            version = _whole(request.POST.get("version", ""), template.version)
            if request.POST.get("action") == "apply":
                done = editing.save_template(
                    actor=actor,
                    equipment_class_id=equipment_class_id,
                    spec=spec,
                    version=version,
                    plan_sha256=request.POST.get("plan_sha256") or None,
                    at=_now(),
                )
                messages.success(request, _saved(done))
                return redirect("telemetry:class_template", equipment_class_id=equipment_class_id)
            preview = editing.preview_template(actor=actor, equipment_class_id=equipment_class_id, spec=spec)
            if version != template.version:
                raise Conflict(
                    _("Somebody else changed this template since you opened it. Open it anew to see their version.")
                )
        except InvalidInput as refusal:
            errors = _sentences(refusal)
            cell_errors = {k.removeprefix("tags."): v for k, v in refusal.fields.items() if k.startswith("tags.")}
        except Conflict as refusal:
            errors = _sentences(refusal)
    context |= {
        "grid": {
            "columns": template_columns(),
            "rows": [{**row, "first": saved.get(row["id"])} for row in rows],
            "errors": cell_errors,
            "may_edit": context["may_edit"],
            "may_add": context["may_edit"],
        },
        "variables": [*variables, *[Variable("")] * SPARE_VARIABLES],
        "version": version,
        "errors": errors,
        "preview": preview,
        "told": _told(preview) if preview is not None else None,
        "sources": signals.sources(actor=actor, site_id=page.kind.site_id),
    }
    return render(request, "telemetry/class_template.html", context, status=422 if errors else 200)


def _posted(request: HttpRequest) -> tuple[TemplateSpec, list[dict[str, Any]]]:
    try:
        sent = json.loads(request.POST.get("rows", "[]"))
        if not isinstance(sent, list):
            raise TypeError
        rows = [{"id": row.get("id"), "cells": dict(row["cells"])} for row in sent]
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise InvalidInput(_("The table did not arrive whole. Send it again.")) from error
    columns = [request.POST.getlist(name) for name in ("variable", "default", "note")]
    variables = tuple(
        Variable(name.strip(), default.strip(), note.strip())
        for name, default, note in zip(*columns, strict=False)
        if name.strip()
    )
    tags = tuple(TagRow(row["cells"], row["id"] if isinstance(row["id"], int) else None) for row in rows)
    return TemplateSpec(variables, tags), rows


def _whole(text: str, otherwise: int) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else otherwise


def _saved(done: editing.TemplatePreview) -> str:
    count = done.counts()
    if not done.has_effect:
        return _("Nothing was different.")
    if not count["machines"]:
        return _("Saved. No machine follows this template yet.")
    text = ngettext("Saved. %(count)d machine changed.", "Saved. %(count)d machines changed.", count["machines"])
    return text % {"count": count["machines"]}


def _told(preview: editing.TemplatePreview) -> dict[str, Any]:
    """Gather what a preview says: alike changes together, then machine by machine."""
    words = labels()
    alike: Counter[tuple[str, str, str, str]] = Counter()
    for plan in preview.machines:
        for change in plan.changes:
            shown = ("…", "…") if change.name == "address" else (as_cell(change.old), as_cell(change.new))
            alike[change.symbol, change.name, *shown] += 1
    machines = [
        {
            "machine": plan.machine,
            "changes": [(one, words.get(one.name, one.name)) for one in plan.changes[:CHANGES_SHOWN]],
            "kept": [(one, words.get(one.name, one.name)) for one in plan.kept[:CHANGES_SHOWN]],
            "added": [values for _key, values in plan.added],
            "taken": [v for _k, _i, v in plan.revived] + [v for _k, _i, v, _o in plan.linked],
            "retired": [tag.values for tag in plan.retired],
            "problems": [problem_sentence(one) for one in plan.problems],
        }
        for plan in preview.machines
        if plan.has_effect or plan.kept or plan.problems
    ]
    machines.sort(key=lambda one: (not one["problems"], not one["kept"]))
    return {
        "counts": preview.counts(),
        "sha256": preview.sha256(),
        "alike": [(symbol, words.get(name, name), old, new, n) for (symbol, name, old, new), n in alike.most_common()],
        "template": [(one, words.get(one.name, one.name)) for one in preview.template_changes],
        "machines": machines,
        "problems": [(one.machine, problem_sentence(one)) for one in preview.problems[:50]],
        "following": len(preview.machines),
        "kept": [
            (plan.machine.code, one, words.get(one.name, one.name)) for plan in preview.machines for one in plan.kept
        ][:CHANGES_SHOWN],
    }


# ---- machines -----------------------------------------------------------------------------------------------------


@require_GET
def class_machines(request: HttpRequest, equipment_class_id: int) -> HttpResponse:
    """List the machines that follow a template, their overrides, and those of the class that follow nothing."""
    actor = actor_of(request)
    page = templates.class_page(actor=actor, equipment_class_id=equipment_class_id)
    context = _context(actor, page, "machines")
    context["sources"] = signals.sources(actor=actor, site_id=page.kind.site_id)
    return render(request, "telemetry/class_machines.html", context)


@require_POST
def follow(request: HttpRequest, equipment_class_id: int) -> HttpResponse:
    """Bring units of the class under its template; their numbers are those in their codes."""
    actor = actor_of(request)
    page = templates.class_page(actor=actor, equipment_class_id=equipment_class_id)
    actor.require(EDIT, site_id=page.kind.site_id)
    wanted = set(request.POST.getlist("unit"))
    chosen = [unit for unit in page.others if str(unit.id) in wanted]
    try:
        if not chosen:
            raise InvalidInput(_("Choose machines first."))
        machines = [
            following.MachineSettings(unit.id, request.POST.get("source", ""), taking.number_in(unit.code))
            for unit in chosen
        ]
        written = following.follow_templates(actor=actor, site_id=page.kind.site_id, machines=machines, at=_now())
        text = ngettext("%(count)d machine follows now.", "%(count)d machines follow now.", len(chosen))
        tags = ngettext("%(count)d tag was written.", "%(count)d tags were written.", written)
        messages.success(request, f"{text % {'count': len(chosen)}} {tags % {'count': written}}")
    except (Conflict, InvalidInput) as refusal:
        messages.error(request, str(refusal))
    return redirect("telemetry:class_machines", equipment_class_id=equipment_class_id)


@require_POST
def take_template(request: HttpRequest, work_unit_id: int) -> HttpResponse:
    """Make the template of a class from one of its machines."""
    actor = actor_of(request)
    unit = equipment.work_unit(actor=actor, work_unit_id=work_unit_id)
    try:
        count = taking.template_from_machine(actor=actor, work_unit_id=work_unit_id, at=_now())
        text = ngettext("The template has %(count)d tag now.", "The template has %(count)d tags now.", count)
        messages.success(request, text % {"count": count})
    except (Conflict, InvalidInput) as refusal:
        messages.error(request, str(refusal))
    if unit.class_id is None:
        return redirect("telemetry:machine", work_unit_id=work_unit_id)
    return redirect("telemetry:class_template", equipment_class_id=unit.class_id)


@require_http_methods(["GET", "POST"])
def make_machines(request: HttpRequest, equipment_class_id: int) -> HttpResponse:
    """Make many like machines: a form, its dry run with every unit, tag and address, then exactly that."""
    actor = actor_of(request)
    page = templates.class_page(actor=actor, equipment_class_id=equipment_class_id)
    actor.require(EDIT, site_id=page.kind.site_id)
    actor.require("equipment.edit", site_id=page.kind.site_id)
    context = _context(actor, page, "machines")
    first = max((one.number for one in page.machines), default=0) + 1
    usual = {"code": "P{n:02d}", "first": str(first), "last": str(first + 9), "columns": "10"}
    given: Mapping[str, str] = request.POST or usual
    errors: list[str] = []
    wrong: dict[str, str] = {}
    plan: instances.MachinesPlan | None = None
    if request.method == "POST":
        try:
            spec = _machines_spec(request, page)
            if request.POST.get("action") == "apply":
                plan = instances.instantiate(
                    actor=actor,
                    equipment_class_id=equipment_class_id,
                    spec=spec,
                    plan_sha256=request.POST.get("plan_sha256", ""),
                    leave_out_refused=request.POST.get("leave_out_refused") == "1",
                    at=_now(),
                )
                count = plan.counts()
                text = _("%(units)d machines with %(tags)d tags were made.")
                tags = count["tags_added"] + count["tags_taken"]
                messages.success(request, text % {"units": count["units"], "tags": tags})
                return redirect("telemetry:class_machines", equipment_class_id=equipment_class_id)
            plan = instances.plan_instances(actor=actor, equipment_class_id=equipment_class_id, spec=spec)
        except (InvalidInput, Conflict) as refusal:
            errors = _sentences(refusal)
            wrong = getattr(refusal, "fields", {})
    tree = equipment.equipment_tree(actor=actor, site_id=page.kind.site_id)
    context |= {
        "given": given,
        "errors": errors,
        "wrong": wrong,
        "told": _told_machines(plan) if plan is not None else None,
        "centers": [(area, center) for area in tree.areas for center in area.centers],
        "sources": signals.sources(actor=actor, site_id=page.kind.site_id),
        "variables": [(one, given.get(f"variable.{one.name}", "")) for one in page.template.variables],
    }
    return render(request, "telemetry/make_machines.html", context, status=422 if errors else 200)


def _machines_spec(request: HttpRequest, page: ClassPage) -> MachinesSpec:
    sent = request.POST
    names = [one.name for one in page.template.variables]
    for name in ("work_center", "source"):
        if not _whole(sent.get(name, ""), 0):
            raise InvalidInput(
                _("Say where the machines stand and where their data comes from."), {name: _("Choose one.")}
            )
    return MachinesSpec(
        work_center_id=_whole(sent.get("work_center", ""), 0),
        source_id=_whole(sent.get("source", ""), 0),
        code=sent.get("code", "").strip(),
        name_zh=sent.get("name_zh", "").strip() or "{unit}",
        name_en=sent.get("name_en", "").strip() or "{unit}",
        first=_whole(sent.get("first", ""), 1),
        last=_whole(sent.get("last", ""), 0),
        variables={name: sent.get(f"variable.{name}", "").strip() for name in names},
        table=_table(sent.get("table", "")),
        grid=_grid(sent),
    )


def _table(text: str) -> list[dict[str, str]]:
    """Read a pasted table: tabs, commas or semicolons; the first row names the columns."""
    if not text.strip():
        return []
    first = text.strip("\n").split("\n", 1)[0]
    delimiter = max("\t,;", key=first.count)
    try:
        reader = csv.DictReader(io.StringIO(text.strip("\n")), delimiter=delimiter)
        rows = [
            {str(name).strip(): cell.strip() for name, cell in row.items() if name and isinstance(cell, str)}
            for row in reader
        ]
    except csv.Error as error:
        raise InvalidInput(_("The table cannot be read: %(why)s.") % {"why": error}) from error
    return [row for row in rows if any(row.values())]


def _grid(sent: Mapping[str, str]) -> Grid | None:
    if sent.get("placed") != "1":
        return None
    try:
        x, y = float(sent.get("x", "")), float(sent.get("y", ""))
    except ValueError as error:
        raise InvalidInput(_("The place of the first tile is two numbers of map pixels.")) from error
    if not (abs(x) <= 100_000 and abs(y) <= 100_000):
        raise InvalidInput(_("A place on the map is at most 100,000 pixels away."))
    return Grid(x, y, columns=min(max(_whole(sent.get("columns", ""), 10), 1), 100))


def _told_machines(plan: instances.MachinesPlan) -> dict[str, Any]:
    room = TAGS_SHOWN
    machines = []
    for unit, one in zip(plan.units, plan.plans, strict=True):
        added = [values for _key, values in one.added]
        taken = [values for _k, _i, values in one.revived] + [values for _k, _i, values, _o in one.linked]
        machines.append(
            {
                "unit": unit,
                "added": added[:room],
                "taken": taken[:room],
                "count": len(added) + len(taken),
                "problems": [problem_sentence(problem) for problem in one.problems],
            }
        )
        room = max(0, room - len(added) - len(taken))
    counts = plan.counts()
    return {
        "counts": counts,
        "makeable": counts["units"] - counts["machines_refused"],
        "sha256": plan.sha256(),
        "machines": machines,
    }
