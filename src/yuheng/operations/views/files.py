"""Pages: files of orders, stock and a plant's past; dry runs, progress, refused rows."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods

from yuheng.kernel.actor import Actor
from yuheng.kernel.errors import Conflict, InvalidInput, PermissionRefused
from yuheng.operations.labels import FILE_KIND_LABELS, FILE_PHASE_LABELS, IMPORT_ACTION_LABELS
from yuheng.operations.rules.files import FileKind
from yuheng.operations.selectors import files as shown
from yuheng.operations.selectors.files import FileState
from yuheng.operations.services import files
from yuheng.operations.services.files.reading import COLUMNS
from yuheng.operations.views.asking import asked_site, now, page, site_of
from yuheng.people.identity import actor_of

PIECE = 1024 * 1024
ROUTINGS_SHOWN = 20


@require_http_methods(["GET", "POST"])
def file_list(request: HttpRequest) -> HttpResponse:
    """Take a file and go to its dry run; list those that were given."""
    actor, site = asked_site(request)
    kinds = shown.may_give(actor, site.id)
    if not kinds:
        raise PermissionRefused(_("You may not give files of orders or stock here."))
    error, fields = "", {}
    if request.method == "POST":
        sent = request.FILES.get("file")
        try:
            if sent is None:
                raise InvalidInput(_("Choose a file first."))
            row = files.give_file(
                actor=actor, site_id=site.id, kind=request.POST.get("kind", ""), file_name=sent.name or "orders.csv",
                pieces=sent.chunks(PIECE), wish=_wish(request), at=now(),
            )  # fmt: skip
            return redirect("operations:file", order_file_id=row.pk)
        except InvalidInput as refusal:
            error, fields = str(refusal), refusal.fields
    context = {
        "rows": [_words(row) for row in shown.order_files(actor=actor, site_id=site.id)],
        "kinds": [(kind.value, FILE_KIND_LABELS[kind]) for kind in kinds],
        "columns": [(FILE_KIND_LABELS[FileKind(kind)], names) for kind, names in COLUMNS.items()],
        "given": request.POST,
        "error": error,
        "fields": fields,
    }
    return page(request, "operations/files.html", context, site, status=422 if error else 200)


def _wish(request: HttpRequest) -> dict[str, Any]:
    """Return what the form says of an event log; ``what=column`` a line."""
    columns = {}
    for line in request.POST.get("columns", "").replace("；", ";").replace(";", "\n").splitlines():
        role, sign, column = line.partition("=")
        if line.strip() and not sign:
            message = _("Columns are written as what=column.")
            raise InvalidInput(message, {"columns": message})
        if line.strip():
            columns[role.strip().lower()] = column.strip()
    return {
        "columns": columns,
        "zone": request.POST.get("zone", "").strip(),
        "dates": request.POST.get("dates", ""),
        "with_people": request.POST.get("without_people") != "on",
    }


def _words(row: FileState) -> tuple[FileState, Any, Any]:
    return row, FILE_KIND_LABELS[FileKind(row.kind)], FILE_PHASE_LABELS[row.phase]


@require_http_methods(["GET", "POST"])
def order_file(request: HttpRequest, order_file_id: int) -> HttpResponse:
    """Show what a file would do, or how far it is; do it, leave it, or try its refused rows again."""
    actor = actor_of(request)
    state = shown.order_file(actor=actor, file_id=order_file_id)
    _actor, site = site_of(request, state.site_id)
    trouble = ""
    if request.method == "POST":
        try:
            return redirect("operations:file", order_file_id=_act(request, actor, state))
        except Conflict as refusal:
            trouble = str(refusal)
        state = shown.order_file(actor=actor, file_id=order_file_id)
    action = request.GET.get("action", "") if request.GET.get("action", "") in IMPORT_ACTION_LABELS else ""
    rows = shown.file_rows(actor=actor, file_id=state.id, action=action)
    context = {
        "state": state,
        "kind": FILE_KIND_LABELS[FileKind(state.kind)],
        "phase": FILE_PHASE_LABELS[state.phase],
        "rows": [(row, IMPORT_ACTION_LABELS[row.action]) for row in rows],
        "tabs": [(name, word, state.counts.get(name, 0)) for name, word in IMPORT_ACTION_LABELS.items()],
        "action": action,
        "trouble": trouble or state.trouble,
        "is_log": state.kind == FileKind.LOG,
        "routings": state.report.get("routings", [])[:ROUTINGS_SHOWN],
        "names": ("rows", "orders", "operations", "job_orders", "machines", "persons", "materials", "rejected"),
    }
    return page(request, "operations/file.html", context, site, status=422 if trouble else 200)


def _act(request: HttpRequest, actor: Actor, state: FileState) -> int:
    """Do what the button says; return the file to go to. Raises `Conflict`."""
    act = request.POST.get("act", "apply")
    if act == "cancel":
        files.cancel_file(actor=actor, file_id=state.id, at=now())
    elif act == "replay":
        return int(files.try_refused_again(actor=actor, file_id=state.id, at=now()).pk)
    else:
        files.apply_file(
            actor=actor, file_id=state.id, plan_sha256=request.POST.get("plan_sha256", ""),
            leave_out_refused=request.POST.get("leave_out_refused") == "1", at=now(),
        )  # fmt: skip
    return state.id


@require_GET
def progress(request: HttpRequest, order_file_id: int) -> JsonResponse:
    """Say how far a file is; asked once a second by its page."""
    state = shown.order_file(actor=actor_of(request), file_id=order_file_id)
    return JsonResponse({"is_moving": state.is_moving, "done": state.rows_done, "total": state.rows_total})


@require_GET
def refused(request: HttpRequest, order_file_id: int) -> StreamingHttpResponse:
    """Download the refused rows of a file."""
    name, pieces = shown.refused_file(actor=actor_of(request), file_id=order_file_id)
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "X-Content-Type-Options": "nosniff"}
    return StreamingHttpResponse(pieces, content_type="text/csv; charset=utf-8", headers=headers)
