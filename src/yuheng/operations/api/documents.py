"""JSON and XML edge: B2MML documents in, with a dry run; out; and what became of those that came."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.utils.translation import gettext as _
from ninja import Field, Query, Router, Schema

from yuheng.engines.b2mml import write
from yuheng.kernel.errors import InvalidInput
from yuheng.operations.api.schemas import now, schema_of
from yuheng.operations.selectors import documents as out
from yuheng.operations.selectors.documents import DocumentKind, Wish
from yuheng.operations.selectors.exchanged import ExchangedRow, exchanged, exchanged_content
from yuheng.operations.services import documents
from yuheng.operations.services.documents import DocumentPlan
from yuheng.people.identity import actor_of

router = Router(tags=["b2mml"])
DocumentPlanOut = schema_of(DocumentPlan)
ExchangedOut = schema_of(ExchangedRow)
XML = "application/xml"
_BODY: dict[str, Any] = {
    "requestBody": {"required": True, "content": {XML: {"schema": {"type": "string", "format": "binary"}}}}
}
_ANSWER: dict[str, Any] = {
    "responses": {200: {"description": "The document", "content": {XML: {"schema": {"type": "string"}}}}}
}


class WishQuestion(Schema):
    """What is to be told: of these requests or customer orders (comma between several), or all that is open."""

    site_id: int
    request: str = ""
    order: str = ""
    changed_since: datetime | None = None
    envelope: bool = True


class DocumentsQuestion(Schema):
    """Whose documents."""

    site_id: int
    limit: Annotated[int, Field(ge=1, le=500)] = 50


def _content(request: HttpRequest) -> bytes:
    try:
        return request.body
    except RequestDataTooBig as error:
        raise InvalidInput(_("The document is larger than 32 MB. Split it.")) from error


@router.post("/b2mml/plans", response=DocumentPlanOut, openapi_extra=_BODY)
def plan_document(request: HttpRequest, site_id: int) -> DocumentPlan:
    """Say what a B2MML document would do, item by item with the element's path and line; nothing is written."""
    return documents.plan_document(actor=actor_of(request), site_id=site_id, pieces=[_content(request)], at=now())


@router.post("/b2mml/documents", response=DocumentPlanOut, openapi_extra=_BODY)
def apply_document(request: HttpRequest, site_id: int, plan_sha256: str = "") -> DocumentPlan:
    """Do what a B2MML document says, all of it or nothing; with ``plan_sha256`` exactly what that dry run said."""
    return documents.receive_document(
        actor=actor_of(request), site_id=site_id, content=_content(request), plan_sha256=plan_sha256, at=now()
    )


@router.get("/b2mml/documents", response=list[ExchangedOut])  # type: ignore[valid-type]
def exchanged_documents(request: HttpRequest, question: Query[DocumentsQuestion]) -> list[ExchangedRow]:
    """Documents that came, newest first: applied, or refused with path, line and sentence."""
    return exchanged(actor=actor_of(request), site_id=question.site_id, limit=question.limit)


@router.get("/b2mml/documents/{int:exchanged_id}/content", openapi_extra=_ANSWER)
def kept_content(request: HttpRequest, exchanged_id: int) -> HttpResponse:
    """Return what is kept of a document that was refused."""
    name, content = exchanged_content(actor=actor_of(request), document_id=exchanged_id)
    return attachment(name, content)


@router.get("/b2mml/schedule", openapi_extra=_ANSWER)
def schedule_document(request: HttpRequest, question: Query[WishQuestion]) -> HttpResponseBase:
    """OperationsSchedule: what is to be made, with the steps of what is released."""
    return _document(request, DocumentKind.SCHEDULE, question)


@router.get("/b2mml/performance", openapi_extra=_ANSWER)
def performance_document(request: HttpRequest, question: Query[WishQuestion]) -> HttpResponseBase:
    """OperationsPerformance: actual times, quantities, people, machines, material."""
    return _document(request, DocumentKind.PERFORMANCE, question)


@router.get("/b2mml/material", openapi_extra=_ANSWER)
def material_document(request: HttpRequest, site_id: int, envelope: bool = True) -> HttpResponseBase:
    """MaterialInformation: classes, definitions, lots on hand."""
    return _document(request, DocumentKind.MATERIAL, WishQuestion(site_id=site_id, envelope=envelope))


@router.get("/b2mml/equipment", openapi_extra=_ANSWER)
def equipment_document(request: HttpRequest, site_id: int, envelope: bool = True) -> HttpResponseBase:
    """EquipmentInformation: the equipment tree and its classes."""
    return _document(request, DocumentKind.EQUIPMENT, WishQuestion(site_id=site_id, envelope=envelope))


def _document(request: HttpRequest, kind: DocumentKind, question: WishQuestion) -> HttpResponseBase:
    since = question.changed_since
    if since is not None and since.tzinfo is None:
        raise InvalidInput(_("Give the time with its offset."), {"changed_since": _("Give the time with its offset.")})
    wish = Wish(kind, _named(question.request), _named(question.order), since, question.envelope)
    root = out.document(actor=actor_of(request), site_id=question.site_id, wish=wish, now=now())
    return StreamingHttpResponse((part.encode() for part in out.in_pieces(write(root))), content_type=XML)


def _named(text: str) -> tuple[str, ...]:
    return tuple(one.strip() for one in text.split(",") if one.strip())


def attachment(name: str, content: bytes) -> HttpResponse:
    """Return a file to be kept, never shown."""
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "X-Content-Type-Options": "nosniff"}
    return HttpResponse(content, content_type=XML, headers=headers)
