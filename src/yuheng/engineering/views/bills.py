"""Pages: bills of material as a table that is edited like a spreadsheet."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from yuheng.engineering import selectors, services
from yuheng.engineering.labels import COMPARED_KINDS
from yuheng.engineering.rules.effectivity import spoken
from yuheng.engineering.rules.faults import Faulty
from yuheng.engineering.rules.specs import BomSpec, LineSpec, ParameterSpec
from yuheng.engineering.rules.words import VersionKind
from yuheng.engineering.said import sentence_of
from yuheng.engineering.tables import cells, rows
from yuheng.engineering.views.asking import (
    EDIT,
    VIEW,
    crumbs,
    grid_columns,
    in_language,
    is_empty,
    now,
    page,
    sent_effectivity,
    sent_rows,
    sentence,
)
from yuheng.engines.formulas.expressions import Kind
from yuheng.kernel.errors import Conflict, InvalidInput
from yuheng.people.identity import actor_of

LINE_GRID = ("find_number", "component", "component_name", *rows.LINE_COLUMNS[2:])
OPTION_KINDS = {"kind": {"kind": "choice", "choices": [kind.value for kind in Kind], "default": "number"}}
MOST_OFFERED = 500
ABOUT_LINES: dict[str, dict[str, Any]] = {
    "component_name": {"locked": True, "wide": True},
    "quantity": {"wide": True, "default": "1"},
    "condition": {"wide": True},
}


@require_POST
def new_bom(request: HttpRequest, material_id: int) -> HttpResponse:
    """Make a draft: a copy of the newest version, or an empty one."""
    actor = actor_of(request)
    row = selectors.material(actor=actor, material_id=material_id)
    actor.require(EDIT, site_id=row.site_id)
    versions = selectors.versions_of(actor=actor, material_id=material_id).boms
    try:
        if versions:
            made = services.copy_bom(actor=actor, version_id=versions[0].id, at=now())
        else:
            made = services.define_bom(actor=actor, material_id=material_id, spec=BomSpec(), at=now())
    except (InvalidInput, Conflict) as refusal:
        messages.error(request, str(refusal))
        return redirect("engineering:material", material_id=material_id)
    return redirect("engineering:bom", bom_id=made.pk)


@require_http_methods(["GET", "POST"])
def bom(request: HttpRequest, bom_id: int) -> HttpResponse:
    """Show a bill; edit a draft; release, copy, discard or retire it."""
    actor = actor_of(request)
    found = selectors.bom_version(actor=actor, version_id=bom_id)
    codes = {pk: part.code for pk, part in found.parts.items()}
    names = {part.code: in_language(part.name_zh, part.name_en) for part in found.parts.values()}
    lines = [
        rows.write_line(one, codes) | {"component_name": names.get(codes[one.material_id], "")}
        for one in found.spec.lines
    ]
    options = [rows.write_option(one) for one in found.spec.parameters]
    line_errors: dict[str, str] = {}
    option_errors: dict[str, str] = {}
    trouble, given = "", {"note": found.spec.note, "base_quantity": cells.plain(found.spec.base_quantity)}
    if request.method == "POST":
        actor.require(
            EDIT if request.POST.get("action") in ("save", "copy", "discard") else VIEW, site_id=found.version.site_id
        )
        try:
            answer = _act(request, found, line_errors, option_errors)
        except (InvalidInput, Conflict) as refusal:
            trouble = sentence(refusal)
            if request.POST.get("action") == "save":
                lines, options = sent_or_none(request, "lines"), sent_or_none(request, "options")
                given = {name: request.POST.get(name, "") for name in given}
                place_errors(refusal, lines, "find_number", line_errors)
        else:
            return answer
    context = _context(request, found, lines, options, line_errors, option_errors)
    context |= {"trouble": trouble, "given": given}
    return page(request, "engineering/bom.html", context, found.version.site_id, status=422 if trouble else 200)


def sent_or_none(request: HttpRequest, name: str) -> list[dict[str, str]]:
    """Return the rows that a grid sent; none when they are no table."""
    try:
        return sent_rows(request, name)
    except InvalidInput:
        return []


def place_errors(refusal: Exception, shown: list[dict[str, str]], column: str, errors: dict[str, str]) -> None:
    """Put what is wrong with a line where the line stands."""
    fields = getattr(refusal, "fields", None) or {}
    for at, row in enumerate(shown):
        text = fields.get(row.get(column, "").strip())
        if text:
            errors.setdefault(f"{at}.{column}", text)


def _act(
    request: HttpRequest, found: selectors.BomVersionRow, line_errors: dict[str, str], option_errors: dict[str, str]
) -> HttpResponse:
    actor, action, pk = actor_of(request), request.POST.get("action", ""), found.version.id
    if action == "save":
        spec = _content(request, found, line_errors, option_errors)
        edition = request.POST.get("edition", "")
        services.replace_bom(
            actor=actor, version_id=pk, spec=spec, edition=int(edition) if edition.isdigit() else None, at=now()
        )
        messages.success(request, _("Saved."))
    elif action == "release":
        services.release_bom(actor=actor, version_id=pk, effectivity=sent_effectivity(request), at=now())
        messages.success(request, _("Released. It never changes from now on."))
    elif action == "copy":
        pk = services.copy_bom(actor=actor, version_id=pk, at=now()).pk
    elif action == "retire":
        reason = request.POST.get("reason", "")
        services.retire_version(actor=actor, kind=VersionKind.BOM, version_id=pk, reason=reason, at=now())
        messages.success(request, _("Out of force."))
    elif action == "discard":
        services.discard_bom(actor=actor, version_id=pk, at=now())
        return redirect(f"/products/{found.version.material_id}?tab=boms")
    return redirect("engineering:bom", bom_id=pk)


def read_options(sent: Sequence[dict[str, str]], errors: dict[str, str]) -> tuple[ParameterSpec, ...]:
    """Read the grid of options; what cannot be read goes into ``errors`` by cell."""
    specs: list[ParameterSpec] = []
    for at, row in enumerate(sent):
        if is_empty(row, but=("kind",)):
            continue
        try:
            specs.append(rows.read_option(row))
        except rows.CellFaults as error:
            errors |= {f"{at}.{column}": sentence_of(fault) for column, fault in error.cells.items()}
    return tuple(specs)


def _content(
    request: HttpRequest, found: selectors.BomVersionRow, line_errors: dict[str, str], option_errors: dict[str, str]
) -> BomSpec:
    sent = sent_rows(request, "lines")
    options = read_options(sent_rows(request, "options"), option_errors)
    codes = {row.get("component", "").strip() for row in sent}
    codes |= {part.split()[0] for row in sent for part in cells.parts(row.get("alternates", ""))}
    ids = selectors.material_ids_of(site_id=found.version.site_id, codes=codes)
    lines: list[LineSpec] = []
    for at, row in enumerate(sent):
        if is_empty(row, but=("component_name", "quantity")):
            continue
        try:
            lines.append(rows.read_line(row, ids))
        except rows.CellFaults as error:
            line_errors |= {f"{at}.{column}": sentence_of(fault) for column, fault in error.cells.items()}
    if line_errors or option_errors:
        raise InvalidInput(_("Some cells cannot be accepted."))
    try:
        base = cells.number(request.POST.get("base_quantity", "1") or "1")
    except Faulty as error:
        raise InvalidInput(sentence_of(error.faults[0])) from error
    note = request.POST.get("note", "").strip()
    return BomSpec(tuple(lines), options, base, note, found.spec.revision_id)


def grid(
    columns: list[dict[str, Any]],
    shown: Sequence[dict[str, str]],
    saved: Sequence[dict[str, str]],
    errors: dict[str, str],
    may_edit: bool,
) -> dict[str, Any]:
    """Return what ``<y-grid>`` needs."""
    first = [*saved, *([None] * len(shown))]
    listed = [{"id": at if first[at] else None, "cells": row, "first": first[at]} for at, row in enumerate(shown)]
    return {"columns": columns, "rows": listed, "errors": errors, "may_edit": may_edit, "may_add": may_edit}


def _context(
    request: HttpRequest,
    found: selectors.BomVersionRow,
    lines: list[dict[str, str]],
    options: list[dict[str, str]],
    line_errors: dict[str, str],
    option_errors: dict[str, str],
) -> dict[str, Any]:
    actor = actor_of(request)
    row = selectors.material(actor=actor, material_id=found.version.material_id)
    codes = {pk: part.code for pk, part in found.parts.items()}
    may_edit = actor.may(EDIT, site_id=row.site_id) and found.version.is_draft
    others = selectors.versions_of(actor=actor, material_id=row.id).boms
    parts = selectors.search_materials(actor=actor, site_id=row.site_id, limit=MOST_OFFERED) if may_edit else []
    offered = [[one.code, f"{one.code} {in_language(one.name_zh, one.name_en)}"] for one in parts if one.id != row.id]
    columns = grid_columns(LINE_GRID, ABOUT_LINES | {"component": {"suggest": offered}})
    saved_lines = [rows.write_line(one, codes) for one in found.spec.lines]
    saved_lines = [
        one | {"component_name": shown.get("component_name", "")}
        for one, shown in zip(saved_lines, [*lines, *({} for _one in saved_lines)], strict=False)
    ]
    return {
        "row": row,
        "version": found.version,
        "held": [spoken(one) for one in found.version.effectivities],
        "crumbs": crumbs(row, VersionKind.BOM),
        "lines": grid(
            columns,
            lines,
            saved_lines,
            line_errors,
            may_edit,
        ),
        "options": grid(
            grid_columns(rows.OPTION_COLUMNS, OPTION_KINDS),
            options,
            [rows.write_option(one) for one in found.spec.parameters],
            option_errors,
            may_edit,
        ),
        "line_count": len(found.spec.lines),
        "others": [one for one in others if one.id != found.version.id],
        "is_editable": may_edit,
        "tab": "products",
    }


@require_GET
def compare(request: HttpRequest, bom_id: int, other_id: int) -> HttpResponse:
    """Show two bills next to each other: what was added, removed, changed."""
    actor = actor_of(request)
    before = selectors.bom_version(actor=actor, version_id=bom_id)
    after = selectors.bom_version(actor=actor, version_id=other_id)
    found = selectors.compare_boms(actor=actor, before_id=bom_id, after_id=other_id)
    row = selectors.material(actor=actor, material_id=after.version.material_id)
    context = {
        "row": row,
        "before": before.version,
        "after": after.version,
        "found": found,
        "kinds": COMPARED_KINDS,
        "crumbs": crumbs(row, VersionKind.BOM),
        "tab": "products",
    }
    return page(request, "engineering/compare.html", context, row.site_id)
