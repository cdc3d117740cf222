"""One machine and its template; and the grid in which hundreds of tags are edited."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.middleware.csrf import get_token
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from yuheng.equipment import selectors as equipment
from yuheng.equipment.importing import as_cell, write_csv
from yuheng.kernel.errors import Conflict, DomainError, InvalidInput
from yuheng.people.identity import actor_of
from yuheng.telemetry import tag_edits_json
from yuheng.telemetry.importing import TagSection
from yuheng.telemetry.rules import DataType
from yuheng.telemetry.selectors import signals, templates
from yuheng.telemetry.services import tag_edits
from yuheng.telemetry.services.templates import following, machines
from yuheng.telemetry.spoken_plans import problem_sentence
from yuheng.telemetry.tag_fields import EDITABLE
from yuheng.telemetry.views.columns import labels, tag_columns

EDIT = "telemetry.edit"
ROWS_A_PAGE = 200
MOST_EXPORTED = 100_000


def _now() -> datetime:
    return datetime.now(UTC)


def _whole(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None


# ---- one machine --------------------------------------------------------------------------------------------------


@require_http_methods(["GET", "POST"])
def machine(request: HttpRequest, work_unit_id: int) -> HttpResponse:
    """Show how a machine follows its template: what fills its patterns, its tags, what is set by hand."""
    actor = actor_of(request)
    page = templates.machine_page(actor=actor, work_unit_id=work_unit_id)
    may_edit = actor.may(EDIT, site_id=page.unit.site_id)
    given: Mapping[str, Any] = request.POST
    errors: list[str] = []
    plan = None
    if request.method == "POST":
        settings = following.MachineSettings(
            work_unit_id=work_unit_id,
            source=request.POST.get("source", ""),
            number=_whole(request.POST.get("number", "")) or 0,
            variables={
                one.name: text
                for one in page.template.variables
                if (text := request.POST.get(f"variable.{one.name}", "").strip())
            },
        )
        site_id, settled = page.unit.site_id, [settings]
        try:
            if request.POST.get("action") == "apply":
                following.follow_templates(actor=actor, site_id=site_id, machines=settled, at=_now())
                messages.success(request, _("Saved. The tags of this machine follow."))
                return redirect("telemetry:machine", work_unit_id=work_unit_id)
            plan = following.plan_following(actor=actor, site_id=site_id, machines=settled)[0]
        except (InvalidInput, Conflict) as refusal:
            errors = [str(refusal)]
    values = page.follows.variables if page.follows is not None else {}
    words = labels()
    context = {
        "page": page,
        "unit": page.unit,
        "may_edit": may_edit,
        "errors": errors,
        "plan": plan,
        "changes": [(one, words.get(one.name, one.name)) for one in plan.changes] if plan is not None else [],
        "problems": [problem_sentence(one) for one in plan.problems] if plan is not None else [],
        "source": given.get("source") or (page.follows.source if page.follows is not None else ""),
        "number": given.get("number") or (page.follows.number if page.follows is not None else 0),
        "variables": [
            (one, given.get(f"variable.{one.name}", values.get(one.name, ""))) for one in page.template.variables
        ],
        "tags": [
            (tag, [(name, words.get(name, name)) for name in tag.overrides])
            for tag in sorted(
                signals.tags_of_work_unit(actor=actor, work_unit_id=work_unit_id), key=lambda tag: not tag.overrides
            )
        ],
        "sources": signals.sources(actor=actor, site_id=page.unit.site_id),
    }
    return render(request, "telemetry/machine.html", context, status=422 if errors else 200)


@require_POST
def back_to_template(request: HttpRequest, work_unit_id: int) -> HttpResponse:
    """Give a field of a tag, a tag, or the whole machine back to the template."""
    actor = actor_of(request)
    actor.require(EDIT, site_id=equipment.work_unit(actor=actor, work_unit_id=work_unit_id).site_id)
    tags = signals.tags_of_work_unit(actor=actor, work_unit_id=work_unit_id)
    wanted, name = _whole(request.POST.get("tag", "")), request.POST.get("field", "")
    pks = [tag.id for tag in tags if tag.overrides and wanted in (None, tag.id)]
    try:
        count = machines.back_to_template(actor=actor, tag_ids=pks, names=[name] if name else None, at=_now())
        text = ngettext(
            "%(count)d tag follows its template again.", "%(count)d tags follow their template again.", count
        )
        messages.success(request, text % {"count": count})
    except Conflict as refusal:
        messages.error(request, str(refusal))
    return redirect("telemetry:machine", work_unit_id=work_unit_id)


@require_POST
def release(request: HttpRequest, work_unit_id: int) -> HttpResponse:
    """Let a machine follow its template no longer."""
    machines.release_machine(actor=actor_of(request), work_unit_id=work_unit_id, at=_now())
    messages.success(request, _("This machine follows its template no longer; its tags stay as they are."))
    return redirect("telemetry:machine", work_unit_id=work_unit_id)


# ---- many tags ----------------------------------------------------------------------------------------------------


def _filter(request: HttpRequest) -> signals.TagFilter:
    given = request.GET
    return signals.TagFilter(
        site_id=_whole(given.get("site", "")),
        source_id=_whole(given.get("source", "")),
        work_unit_id=_whole(given.get("work_unit", "")),
        equipment_class_id=_whole(given.get("class", "")),
        text=given.get("q", "")[:200],
        data_type=given.get("data_type") if given.get("data_type") in set(DataType) else None,
        is_overridden=given.get("overridden") == "1",
    )


@require_GET
def tag_grid(request: HttpRequest) -> HttpResponse:
    """Edit hundreds of tags in a grid; set one field of all that the filter keeps."""
    actor = actor_of(request)
    wanted = _filter(request)
    number = max(1, _whole(request.GET.get("page", "")) or 1)
    page = signals.tags(actor=actor, wanted=wanted, offset=(number - 1) * ROWS_A_PAGE, limit=ROWS_A_PAGE)
    sites = [site for site in equipment.visible_sites(actor=actor) if actor.may("equipment.view", site_id=site.id)]
    query = request.GET.copy()
    query.pop("page", None)
    may_edit = actor.may(EDIT)
    words = labels()
    context = {
        "page": page,
        "pages": Paginator(range(page.total), ROWS_A_PAGE).get_page(number),
        "query": query.urlencode(),
        "wanted": wanted,
        "grid": {
            "columns": tag_columns(),
            "rows": [_row(tag) for tag in page.tags],
            "may_edit": may_edit,
        },
        "may_edit": may_edit,
        "sources": signals.sources(actor=actor),
        "sites": sites,
        "classes": [c for site in sites for c in equipment.equipment_classes(actor=actor, site_id=site.id)],
        "data_types": [str(one) for one in DataType],
        "settable": [(one.name, words.get(one.name, one.name)) for one in EDITABLE if one.name not in _OWN_TO_EACH],
        "csrf": get_token(request),
    }
    return render(request, "telemetry/tag_grid.html", context)


_OWN_TO_EACH = ("address", "symbol")


def _row(tag: signals.TagRow) -> dict[str, Any]:
    cells = {one.name: as_cell(getattr(tag, one.name)) for one in EDITABLE}
    return {"id": tag.id, "cells": {"source": tag.source, **cells}, "marks": list(tag.overrides)}


@require_POST
def tag_cells(request: HttpRequest) -> HttpResponse:
    """Take the changed cells of the grid: all of them or none, with what is wrong in each."""
    actor = actor_of(request)
    actor.require(EDIT)
    try:
        edits = tag_edits_json.read(request.body)
        done = tag_edits.edit_tags(actor=actor, edits=edits, at=_now())
    except DomainError as refusal:
        status = 409 if isinstance(refusal, Conflict) else 422 if isinstance(refusal, InvalidInput) else 403
        return JsonResponse({"detail": str(refusal), "fields": getattr(refusal, "fields", {})}, status=status)
    text = ngettext("Saved: %(count)d tag changed.", "Saved: %(count)d tags changed.", done.changed)
    pks = tuple(edit.tag_id for edit in edits)
    marks = {
        tag.id: list(tag.overrides)
        for start in range(0, len(pks), signals.MAX_PAGE)
        for tag in signals.tags(
            actor=actor,
            wanted=signals.TagFilter(tag_ids=pks[start : start + signals.MAX_PAGE]),
            limit=signals.MAX_PAGE,
        ).tags
    }
    return JsonResponse({"detail": text % {"count": done.changed}, "marks": marks})


@require_POST
def set_field(request: HttpRequest) -> HttpResponse:
    """Set one field of every tag that the filter keeps."""
    actor = actor_of(request)
    actor.require(EDIT)
    try:
        done = tag_edits.set_field(
            actor=actor,
            wanted=_filter(request),
            name=request.POST.get("field", ""),
            cell=request.POST.get("value", ""),
            count=_whole(request.POST.get("count", "")) or 0,
            at=_now(),
        )
        text = ngettext("Saved: %(count)d tag changed.", "Saved: %(count)d tags changed.", done.changed)
        messages.success(request, text % {"count": done.changed})
    except InvalidInput as refusal:
        first = next(iter(refusal.fields.values()), "")
        messages.error(request, f"{refusal} {first}".strip())
    except Conflict as refusal:
        messages.error(request, str(refusal))
    return redirect(f"{request.path.rsplit('/', 1)[0]}/grid?{request.GET.urlencode()}")


@require_GET
def export_tags(request: HttpRequest) -> HttpResponse:
    """Save what the filter keeps as CSV (UTF-8 with a mark); edited, it goes back through the import's dry run."""
    actor = actor_of(request)
    section = TagSection()
    names = [field.name for field in section.fields]
    rows: list[dict[str, Any]] = []
    while len(rows) < MOST_EXPORTED:
        page = signals.tags(actor=actor, wanted=_filter(request), offset=len(rows), limit=signals.MAX_PAGE)
        rows += [{name: getattr(tag, name) for name in names} for tag in page.tags]
        if len(rows) >= page.total or not page.tags:
            break
    disposition = 'attachment; filename="tags.csv"'
    return HttpResponse(
        write_csv(section, rows), content_type="text/csv; charset=utf-8", headers={"Content-Disposition": disposition}
    )
