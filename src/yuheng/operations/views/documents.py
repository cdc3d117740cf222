"""Pages: documents of other systems (B2MML), their dry runs, what became of each; export."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods

from yuheng.engines.b2mml import MOST_BYTES, write
from yuheng.kernel.errors import Conflict, DomainError, InvalidInput, NotVisible, PermissionRefused
from yuheng.operations.labels import IMPORT_ACTION_LABELS, ITEM_LABELS, OUTCOME_LABELS
from yuheng.operations.rules.documents import Outcome
from yuheng.operations.selectors import documents as out
from yuheng.operations.selectors import exchanged
from yuheng.operations.selectors.documents import DocumentKind, Wish
from yuheng.operations.services import documents
from yuheng.operations.services.documents import DocumentPlan, DocumentRow
from yuheng.operations.views.asking import asked_site, now, page, site_of
from yuheng.people.identity import actor_of
from yuheng.people.rules import Permission

MOST_SHOWN = 200
TAKES = (
    Permission.ORDERS_EDIT,
    Permission.OPERATIONS_EXECUTE,
    Permission.ENGINEERING_EDIT,
    Permission.MATERIALS_MOVE,
    Permission.EQUIPMENT_EDIT,
)
"""Who has one of them may send the documents that need it."""


@require_http_methods(["GET", "POST"])
def document_list(request: HttpRequest) -> HttpResponse:
    """Take a document and go to its dry run; list those that came; write documents."""
    actor, site = asked_site(request)
    error, fields = "", {}
    if request.method == "POST":
        sent = request.FILES.get("file")
        try:
            if sent is None:
                raise InvalidInput(_("Choose a file first."))
            if (sent.size or 0) > MOST_BYTES:
                raise InvalidInput(_("The document is larger than 32 MB. Split it."))
            row = documents.upload_document(actor=actor, site_id=site.id, content=sent.read(), at=now())
            return redirect("operations:document", exchanged_id=row.pk)
        except InvalidInput as refusal:
            error, fields = str(refusal), refusal.fields
    rows = exchanged.exchanged(actor=actor, site_id=site.id)
    context = {
        "rows": [(row, OUTCOME_LABELS[Outcome(row.outcome)]) for row in rows],
        "kinds": [(kind.value, noun) for kind, noun in out.NOUN_OF.items()],
        "may_take": any(actor.may(permission, site_id=site.id) for permission in TAKES),
        "error": error,
        "fields": fields,
    }
    return page(request, "operations/documents.html", context, site, status=422 if error else 200)


@require_http_methods(["GET", "POST"])
def document(request: HttpRequest, exchanged_id: int) -> HttpResponse:
    """Show what an uploaded document would do, and do it; or what became of one."""
    actor = actor_of(request)
    site_id, row = exchanged.exchanged_document(actor=actor, document_id=exchanged_id)
    _actor, site = site_of(request, site_id)
    trouble = ""
    if request.method == "POST":
        try:
            plan = documents.apply_upload(
                actor=actor, document_id=row.id, plan_sha256=request.POST.get("plan_sha256", ""), at=now()
            )
            changed = plan.counts["add"] + plan.counts["change"]
            messages.success(request, _("Applied: %(count)d items were added or changed.") % {"count": changed})
            return redirect("operations:document", exchanged_id=row.id)
        except Conflict as refusal:
            trouble = str(refusal)
        _site_id, row = exchanged.exchanged_document(actor=actor, document_id=exchanged_id)
    found: DocumentPlan | None = None
    if row.outcome == Outcome.WAITING.value:
        try:
            found = documents.plan_of_upload(actor=actor, document_id=row.id, at=now())
        except PermissionRefused:
            raise
        except DomainError as refusal:  # the plant changed: what could be read cannot be any more
            trouble = trouble or str(refusal)
    context = {
        "row": row,
        "outcome": OUTCOME_LABELS[Outcome(row.outcome)],
        "counts": [(IMPORT_ACTION_LABELS[name], count) for name, count in row.counts.items()],
        "plan": found,
        "items": _shown(found),
        "hidden": max(0, len(found.rows) - MOST_SHOWN) if found else 0,
        "trouble": trouble,
    }
    return page(request, "operations/document.html", context, site, status=422 if trouble else 200)


def _shown(plan: DocumentPlan | None) -> list[tuple[DocumentRow, object, object]]:
    """Return the first items with their words: refused ones first, so that nobody has to look for them."""
    rows = () if plan is None else (*plan.refused, *(row for row in plan.rows if row not in set(plan.refused)))
    return [
        (row, ITEM_LABELS.get(row.kind, row.kind), IMPORT_ACTION_LABELS[row.action.value]) for row in rows[:MOST_SHOWN]
    ]


@require_GET
def content(request: HttpRequest, exchanged_id: int) -> HttpResponse:
    """Download what is kept of a document that was refused or waits."""
    name, kept = exchanged.exchanged_content(actor=actor_of(request), document_id=exchanged_id)
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "X-Content-Type-Options": "nosniff"}
    return HttpResponse(kept, content_type="application/xml", headers=headers)


@require_GET
def export(request: HttpRequest, document_kind: str) -> HttpResponseBase:
    """Download a document."""
    actor, site = asked_site(request)
    if document_kind not in set(DocumentKind):
        raise NotVisible(_("There is no such thing here."))
    try:
        root = out.document(actor=actor, site_id=site.id, wish=Wish(DocumentKind(document_kind)), now=now())
    except Conflict as refusal:
        messages.error(request, str(refusal))
        return redirect("operations:documents")
    headers = {"Content-Disposition": f'attachment; filename="{site.code}-{document_kind}.xml"'}
    pieces = (part.encode() for part in out.in_pieces(write(root)))
    return StreamingHttpResponse(pieces, content_type="application/xml", headers=headers)
