"""Pages: work masters as a table of segments, with the graph drawn."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from yuheng.engineering import selectors, services
from yuheng.engineering.drawing import draw
from yuheng.engineering.labels import COMPARED_KINDS
from yuheng.engineering.rules.effectivity import spoken
from yuheng.engineering.rules.specs import WorkMasterSpec
from yuheng.engineering.rules.words import SegmentKind, VersionKind
from yuheng.engineering.said import sentence_of
from yuheng.engineering.tables import rows
from yuheng.engineering.views.asking import (
    EDIT,
    VIEW,
    crumbs,
    grid_columns,
    is_empty,
    now,
    page,
    sent_effectivity,
    sent_rows,
    sentence,
)
from yuheng.engineering.views.bills import OPTION_KINDS, grid, place_errors, read_options, sent_or_none
from yuheng.kernel.errors import Conflict, InvalidInput
from yuheng.people.identity import actor_of

ABOUT: dict[str, dict[str, Any]] = {
    "kind": {"kind": "choice", "choices": [kind.value for kind in SegmentKind], "default": "produce"},
    **{name: {"wide": True} for name in ("setup_time", "run_time", "work_units", "recipe", "checks")},
}


@require_POST
def new_work_master(request: HttpRequest, material_id: int) -> HttpResponse:
    """Make a draft: a copy of the newest version, or an empty one."""
    actor = actor_of(request)
    row = selectors.material(actor=actor, material_id=material_id)
    actor.require(EDIT, site_id=row.site_id)
    versions = selectors.versions_of(actor=actor, material_id=material_id).work_masters
    try:
        if versions:
            made = services.copy_work_master(actor=actor, version_id=versions[0].id, at=now())
        else:
            spec = WorkMasterSpec()
            made = services.define_work_master(actor=actor, material_id=material_id, spec=spec, at=now())
    except (InvalidInput, Conflict) as refusal:
        messages.error(request, str(refusal))
        return redirect("engineering:material", material_id=material_id)
    return redirect("engineering:work_master", work_master_id=made.pk)


@require_http_methods(["GET", "POST"])
def work_master(request: HttpRequest, work_master_id: int) -> HttpResponse:
    """Show a work master and its graph; edit a draft; release, copy, discard or retire it."""
    actor = actor_of(request)
    found = selectors.work_master_version(actor=actor, version_id=work_master_id)
    saved = _written(found)
    segments = saved
    options = [rows.write_option(one) for one in found.spec.parameters]
    segment_errors: dict[str, str] = {}
    option_errors: dict[str, str] = {}
    trouble, note = "", found.spec.note
    if request.method == "POST":
        action = request.POST.get("action")
        actor.require(EDIT if action in ("save", "copy", "discard") else VIEW, site_id=found.version.site_id)
        try:
            return _act(request, found, segment_errors, option_errors)
        except (InvalidInput, Conflict) as refusal:
            trouble = sentence(refusal)
            if action == "save":
                segments, options = sent_or_none(request, "segments"), sent_or_none(request, "options")
                note = request.POST.get("note", "")
                place_errors(refusal, segments, "code", segment_errors)
    may_edit = actor.may(EDIT, site_id=found.version.site_id) and found.version.is_draft
    row = selectors.material(actor=actor, material_id=found.version.material_id)
    others = selectors.versions_of(actor=actor, material_id=row.id).work_masters
    saved_options = [rows.write_option(one) for one in found.spec.parameters]
    context = {
        "row": row,
        "version": found.version,
        "held": [spoken(one) for one in found.version.effectivities],
        "crumbs": crumbs(row, VersionKind.WORK_MASTER),
        "segments": grid(_columns(found, may_edit), segments, saved, segment_errors, may_edit),
        "options": grid(
            grid_columns(rows.OPTION_COLUMNS, OPTION_KINDS), options, saved_options, option_errors, may_edit
        ),
        "drawing": draw(found.spec, found.places.classes) if found.spec.segments else None,
        "segment_count": len(found.spec.segments),
        "others": [one for one in others if one.id != found.version.id],
        "is_editable": may_edit,
        "trouble": trouble,
        "note": note,
        "tab": "products",
    }
    return page(request, "engineering/work_master.html", context, row.site_id, status=422 if trouble else 200)


def _columns(found: selectors.WorkMasterRow, may_edit: bool) -> list[dict[str, Any]]:
    """Return the grid's columns; whoever may write is offered the plant's equipment classes."""
    classes = [[code, code] for code in sorted(found.places.classes.values())] if may_edit else []
    return grid_columns(rows.SEGMENT_COLUMNS, ABOUT | {"equipment_class": {"suggest": classes}})


def _known(found: selectors.WorkMasterRow) -> rows.Equipment:
    return rows.Equipment(
        {code: pk for pk, code in found.places.classes.items()}, {code: pk for pk, code in found.places.units.items()}
    )


def _written(found: selectors.WorkMasterRow) -> list[dict[str, str]]:
    links = found.spec.whole_links()
    return [rows.write_segment(one, links, _known(found)) for one in found.spec.segments]


def _act(
    request: HttpRequest, found: selectors.WorkMasterRow, segment_errors: dict[str, str], option_errors: dict[str, str]
) -> HttpResponse:
    actor, action, pk = actor_of(request), request.POST.get("action", ""), found.version.id
    if action == "save":
        spec = _content(request, found, segment_errors, option_errors)
        edition = request.POST.get("edition", "")
        services.replace_work_master(
            actor=actor, version_id=pk, spec=spec, edition=int(edition) if edition.isdigit() else None, at=now()
        )
        messages.success(request, _("Saved."))
    elif action == "release":
        services.release_work_master(actor=actor, version_id=pk, effectivity=sent_effectivity(request), at=now())
        messages.success(request, _("Released. It never changes from now on."))
    elif action == "copy":
        pk = services.copy_work_master(actor=actor, version_id=pk, at=now()).pk
    elif action == "retire":
        reason = request.POST.get("reason", "")
        services.retire_version(actor=actor, kind=VersionKind.WORK_MASTER, version_id=pk, reason=reason, at=now())
        messages.success(request, _("Out of force."))
    elif action == "discard":
        services.discard_work_master(actor=actor, version_id=pk, at=now())
        return redirect(f"/products/{found.version.material_id}?tab=work-masters")
    return redirect("engineering:work_master", work_master_id=pk)


def _content(
    request: HttpRequest, found: selectors.WorkMasterRow, segment_errors: dict[str, str], option_errors: dict[str, str]
) -> WorkMasterSpec:
    options = read_options(sent_rows(request, "options"), option_errors)
    read: list[rows.SegmentRow] = []
    for at, row in enumerate(sent_rows(request, "segments")):
        if is_empty(row, but=("kind",)):
            continue
        try:
            read.append(rows.read_segment(row, _known(found)))
        except rows.CellFaults as error:
            segment_errors |= {f"{at}.{column}": sentence_of(fault) for column, fault in error.cells.items()}
    if segment_errors or option_errors:
        raise InvalidInput(_("Some cells cannot be accepted."))
    return rows.work_master_of(read, options, request.POST.get("note", "").strip())


@require_GET
def compare(request: HttpRequest, work_master_id: int, other_id: int) -> HttpResponse:
    """Show two work masters next to each other: what was added, removed, changed."""
    actor = actor_of(request)
    before = selectors.work_master_version(actor=actor, version_id=work_master_id)
    after = selectors.work_master_version(actor=actor, version_id=other_id)
    found = selectors.compare_work_masters(actor=actor, before_id=work_master_id, after_id=other_id)
    row = selectors.material(actor=actor, material_id=after.version.material_id)
    context = {
        "row": row,
        "before": before.version,
        "after": after.version,
        "found": found,
        "kinds": COMPARED_KINDS,
        "crumbs": crumbs(row, VersionKind.WORK_MASTER),
        "tab": "products",
    }
    return page(request, "engineering/compare.html", context, row.site_id)
