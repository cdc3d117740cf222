"""Pages: materials, one material with its tabs, its classes and drawings."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from yuheng.engineering import selectors, services
from yuheng.engineering.labels import SOURCES, TRACKINGS
from yuheng.engineering.rules.faults import Faulty
from yuheng.engineering.rules.specs import MaterialSpec
from yuheng.engineering.rules.words import Source, Tracking
from yuheng.engineering.said import sentence_of
from yuheng.engineering.shown import file_response
from yuheng.engineering.tables import cells
from yuheng.engineering.views.asking import EDIT, asked_site, now, page
from yuheng.kernel.errors import Conflict, InvalidInput
from yuheng.people.identity import actor_of

PAGE = 50
TABS = ("overview", "boms", "work-masters", "where-used", "changes")


@require_GET
def products(request: HttpRequest) -> HttpResponse:
    """List materials; searched by code and name."""
    actor, site = asked_site(request)
    asked = {
        "text": request.GET.get("q", "").strip()[:100],
        "source": request.GET.get("source", "") if request.GET.get("source", "") in SOURCES else "",
        "class_code": request.GET.get("class", "")[:60],
        "with_retired": request.GET.get("retired") == "1",
    }
    after = request.GET.get("after", "")[:60]
    rows = selectors.search_materials(actor=actor, site_id=site.id, after=after, limit=PAGE + 1, **asked)  # type: ignore[arg-type]
    query = request.GET.copy()
    query["site"] = site.code
    if len(rows) > PAGE:
        query["after"] = rows[PAGE - 1].code
    context = {
        "rows": rows[:PAGE],
        "has_more": len(rows) > PAGE,
        "more_query": query.urlencode(),
        "count": selectors.count_materials(actor=actor, site_id=site.id, **asked),  # type: ignore[arg-type]
        "asked": asked,
        "sources": SOURCES,
        "classes": selectors.material_classes(actor=actor, site_id=site.id),
        "tab": "products",
    }
    return page(request, "engineering/products.html", context, site.id)


@require_http_methods(["GET", "POST"])
def new_material(request: HttpRequest) -> HttpResponse:
    """Add a material."""
    actor, site = asked_site(request, EDIT)
    given, wrong, status = dict(_BLANK), {}, 200
    if request.method == "POST":
        given = _given(request)
        try:
            row = services.create_material(actor=actor, site_id=site.id, spec=_spec(given), at=now())
        except InvalidInput as refusal:
            wrong, status = refusal.fields or {"": str(refusal)}, 422
        else:
            messages.success(request, _("%(code)s was added.") % {"code": row.code})
            return redirect("engineering:material", material_id=row.pk)
    return page(request, "engineering/material_form.html", _form(actor, site.id, given, wrong), site.id, status=status)


_BLANK = {
    "code": "", "name_zh": "", "name_en": "", "unit": "{piece}", "source": "buy", "tracking": "none", "class_code": "",
    "description": "", "conversions": "",
}  # fmt: skip


def _given(request: HttpRequest) -> dict[str, str]:
    return {name: request.POST.get(name, "").strip() for name in _BLANK}


def _spec(given: dict[str, str]) -> MaterialSpec:
    try:
        conversions = cells.read_conversions(given["conversions"])
    except Faulty as error:
        message = sentence_of(error.faults[0])
        raise InvalidInput(message, {"conversions": message}) from error
    source = Source(given["source"]) if given["source"] in SOURCES else Source.BUY
    tracking = Tracking(given["tracking"]) if given["tracking"] in TRACKINGS else Tracking.NONE
    own = {name: given[name] for name in ("code", "name_zh", "name_en", "unit", "class_code", "description")}
    return MaterialSpec(source=source, tracking=tracking, conversions=conversions, **own)


def _form(actor: object, site_id: int, given: dict[str, str], wrong: dict[str, str]) -> dict[str, object]:
    return {
        "given": given,
        "wrong": wrong,
        "sources": SOURCES,
        "trackings": TRACKINGS,
        "classes": selectors.material_classes(actor=actor, site_id=site_id),  # type: ignore[arg-type]
        "tab": "products",
    }


@require_http_methods(["GET", "POST"])
def edit_material(request: HttpRequest, material_id: int) -> HttpResponse:
    """Change a material, retire it, take it into use again."""
    actor = actor_of(request)
    row = selectors.material(actor=actor, material_id=material_id)
    actor.require(EDIT, site_id=row.site_id)
    given = {name: str(getattr(row, name)) for name in _BLANK if name != "conversions"}
    given |= {"source": row.source.value, "tracking": row.tracking.value}
    given["conversions"] = cells.write_conversions(row.conversions)
    wrong: dict[str, str] = {}
    if request.method == "POST":
        try:
            given = _act(request, row, given)
        except (InvalidInput, Conflict) as refusal:
            given = _given(request) if request.POST.get("action") == "save" else given
            wrong = getattr(refusal, "fields", None) or {"": str(refusal)}
        else:
            return redirect("engineering:material", material_id=row.id)
    context = _form(actor, row.site_id, {**given, "code": row.code}, wrong) | {"row": row}
    return page(request, "engineering/material_form.html", context, row.site_id, status=422 if wrong else 200)


def _act(request: HttpRequest, row: selectors.MaterialRow, given: dict[str, str]) -> dict[str, str]:
    actor, action = actor_of(request), request.POST.get("action")
    if action == "retire":
        services.retire_material(actor=actor, material_id=row.id, at=now())
    elif action == "restore":
        services.restore_material(actor=actor, material_id=row.id, at=now())
    else:
        given = _given(request) | {"code": row.code}
        services.edit_material(actor=actor, material_id=row.id, spec=_spec(given), at=now())
    messages.success(request, _("Saved."))
    return given


@require_GET
def material(request: HttpRequest, material_id: int) -> HttpResponse:
    """Show one material: what it is, its bills, its work masters, where it is used, its changes."""
    actor = actor_of(request)
    row = selectors.material(actor=actor, material_id=material_id)
    tab = request.GET.get("tab", "") if request.GET.get("tab") in TABS else "overview"
    versions = selectors.versions_of(actor=actor, material_id=material_id)
    context = {
        "row": row,
        "versions": versions,
        "shown": versions.boms if tab == "boms" else versions.work_masters,
        "inner": tab,
        "tab": "products",
        "sources": SOURCES,
        "trackings": TRACKINGS,
        "conversions": cells.write_conversions(row.conversions),
    }
    if tab == "overview":
        revisions = selectors.revisions_of(actor=actor, material_id=material_id)
        ids = [pk for revision in revisions for pk in revision.document_ids]
        names = selectors.document_names(actor=actor, site_id=row.site_id, ids=ids)
        context |= {"revisions": revisions, "documents": {one.id: one for one in names}}
    elif tab == "where-used":
        context["used"] = selectors.where_used(actor=actor, material_id=material_id)
    elif tab == "changes":
        context["changes"] = selectors.changes_of_material(actor=actor, site_id=row.site_id, material_id=material_id)
    return page(request, "engineering/material.html", context, row.site_id)


@require_POST
def revise(request: HttpRequest, material_id: int) -> HttpResponse:
    """Make a new revision, with a drawing when one was sent."""
    actor = actor_of(request)
    row = selectors.material(actor=actor, material_id=material_id)
    actor.require(EDIT, site_id=row.site_id)
    try:
        document_ids = [_kept(request, row.site_id)] if request.FILES.get("file") else []
        services.revise_material(
            actor=actor,
            material_id=material_id,
            code=request.POST.get("code", "").strip(),
            reason=request.POST.get("reason", "").strip(),
            document_ids=document_ids,
            at=now(),
        )
    except (InvalidInput, Conflict) as refusal:
        messages.error(request, str(refusal))
    else:
        messages.success(request, _("Saved."))
    return redirect("engineering:material", material_id=material_id)


def _kept(request: HttpRequest, site_id: int) -> int:
    sent = request.FILES.get("file")
    if sent is None:
        raise InvalidInput(_("Choose a file first."))
    if (sent.size or 0) > services.LARGEST_DOCUMENT:
        raise InvalidInput(_("The file is larger than 16 MB."))
    row = services.keep_document(
        actor=actor_of(request), site_id=site_id, name=sent.name or "", content=sent.read(), at=now()
    )
    return row.pk


@require_http_methods(["GET", "POST"])
def documents(request: HttpRequest, site_id: int) -> HttpResponse:
    """List the drawings of a plant; take a new one."""
    actor = actor_of(request)
    error = ""
    if request.method == "POST":
        actor.require(EDIT, site_id=site_id)
        try:
            pk = _kept(request, site_id)
        except InvalidInput as refusal:
            error = str(refusal)
        else:
            messages.success(request, _("Kept as #%(number)d.") % {"number": pk})
            return redirect("engineering:documents", site_id=site_id)
    rows = selectors.document_names(actor=actor, site_id=site_id)
    context = {"rows": rows, "error": error, "tab": "documents"}
    return page(request, "engineering/documents.html", context, site_id, status=422 if error else 200)


@require_GET
def document(request: HttpRequest, document_id: int) -> HttpResponse:
    """Give a kept file."""
    return file_response(selectors.document_file(actor=actor_of(request), document_id=document_id))


@require_http_methods(["GET", "POST"])
def classes(request: HttpRequest, site_id: int) -> HttpResponse:
    """List material classes; add or rename one."""
    actor = actor_of(request)
    error = ""
    if request.method == "POST":
        try:
            services.save_material_class(
                actor=actor,
                site_id=site_id,
                code=request.POST.get("code", "").strip(),
                name_zh=request.POST.get("name_zh", ""),
                name_en=request.POST.get("name_en", ""),
                at=now(),
            )
        except InvalidInput as refusal:
            error = str(refusal)
        else:
            messages.success(request, _("Saved."))
            return redirect("engineering:classes", site_id=site_id)
    rows = selectors.material_classes(actor=actor, site_id=site_id)
    context = {"rows": rows, "error": error, "tab": "classes"}
    return page(request, "engineering/classes.html", context, site_id, status=422 if error else 200)
