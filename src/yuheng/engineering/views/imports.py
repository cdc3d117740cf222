"""Pages: files of products, their dry runs and progress; export."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods

from yuheng.engineering import importing, selectors
from yuheng.engineering.views.asking import EDIT, VIEW, now, page
from yuheng.kernel.errors import Conflict, InvalidInput, NotVisible
from yuheng.people.identity import actor_of

PIECE = 1024 * 1024


@require_http_methods(["GET", "POST"])
def upload(request: HttpRequest, site_id: int) -> HttpResponse:
    """Take a file and go to its dry run; list those that were taken."""
    actor = actor_of(request)
    actor.require(EDIT, site_id=site_id)
    error = ""
    if request.method == "POST":
        sent = request.FILES.get("file")
        try:
            if sent is None:
                raise InvalidInput(_("Choose a file first."))
            row = importing.upload(
                actor=actor,
                site_id=site_id,
                kind=request.POST.get("kind", ""),
                file_name=sent.name or "products.csv",
                pieces=sent.chunks(PIECE),
                at=now(),
            )
        except InvalidInput as refusal:
            error = str(refusal)
        else:
            return redirect("engineering:dry_run", product_import_id=row.pk)
    context = {
        "rows": selectors.product_imports(actor=actor, site_id=site_id),
        "kinds": importing.KINDS,
        "columns": importing.COLUMNS,
        "error": error,
        "tab": "import",
    }
    return page(request, "engineering/import.html", context, site_id, status=422 if error else 200)


@require_http_methods(["GET", "POST"])
def dry_run(request: HttpRequest, product_import_id: int) -> HttpResponse:
    """Show what a file would do, or how far it is; do it."""
    actor = actor_of(request)
    state = selectors.product_import(actor=actor, import_id=product_import_id)
    trouble = ""
    if request.method == "POST":
        try:
            importing.apply_planned(
                actor=actor,
                import_id=state.id,
                plan_sha256=request.POST.get("plan_sha256", ""),
                leave_out_refused=request.POST.get("leave_out_refused") == "1",
                at=now(),
            )
        except Conflict as refusal:
            trouble = str(refusal)
        else:
            return redirect("engineering:dry_run", product_import_id=state.id)
        state = selectors.product_import(actor=actor, import_id=product_import_id)
    action = request.GET.get("action", "") if request.GET.get("action", "") in _words() else ""
    context: dict[str, Any] = {
        "state": state,
        "rows": selectors.import_rows(actor=actor, import_id=state.id, action=action),
        "tabs": [(value, word, state.counts.get(value, 0)) for value, word in _words().items() if value],
        "action": action,
        "words": _words(),
        "trouble": trouble,
        "tab": "import",
    }
    return page(request, "engineering/dry_run.html", context, state.site_id, status=422 if trouble else 200)


def _words() -> dict[str, str]:
    return {"": _("All"), "add": _("Add"), "change": _("Change"), "unchanged": _("Unchanged"), "refuse": _("Refuse")}


@require_GET
def progress(request: HttpRequest, product_import_id: int) -> JsonResponse:
    """Say how far a file is; asked once a second by its page."""
    state = selectors.product_import(actor=actor_of(request), import_id=product_import_id)
    return JsonResponse({"is_moving": state.is_moving, "done": state.rows_done, "total": state.rows_total})


@require_GET
def export(request: HttpRequest, site_id: int, file_kind: str) -> StreamingHttpResponse:
    """Download all materials, or the newest bills or routings; importing the file again changes nothing."""
    actor_of(request).require(VIEW, site_id=site_id)
    if file_kind not in importing.KINDS:
        raise NotVisible(_("There is no such thing here."))
    lines = (line.encode() for line in importing.csv_lines(file_kind, site_id))
    headers = {"Content-Disposition": f'attachment; filename="{file_kind}.csv"'}
    return StreamingHttpResponse(lines, content_type="text/csv; charset=utf-8", headers=headers)
