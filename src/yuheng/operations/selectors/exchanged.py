"""Documents that came from other systems, and what became of each."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db.models.functions import Length
from django.utils.translation import gettext as _

from yuheng.kernel.actor import Actor
from yuheng.kernel.errors import NotVisible
from yuheng.operations.models import ExchangedDocument
from yuheng.operations.selectors.pages import VIEW


@dataclass(frozen=True, slots=True)
class ExchangedRow:
    """A document that came, and what became of it."""

    id: int
    at: datetime
    actor_name: str
    root: str
    document_id: str
    sender: str
    sha256: str
    size_bytes: int
    outcome: str
    reason: str
    path: str
    line: int
    counts: dict[str, int]
    kept_bytes: int


_ROW = (
    "pk", "at", "actor_name", "root", "document_id", "sender", "sha256", "size_bytes", "outcome", "reason", "path",
    "line", "counts", "kept_bytes",
)  # fmt: skip


def exchanged(*, actor: Actor, site_id: int, limit: int = 50) -> list[ExchangedRow]:
    """Documents that came, newest first. One query. Raises `PermissionRefused`, `NotVisible`."""
    actor.require(VIEW, site_id=site_id)
    rows = ExchangedDocument.objects.filter(site_id=site_id).annotate(kept_bytes=Length("content")).order_by("-pk")
    return [ExchangedRow(*row) for row in rows.values_list(*_ROW)[:limit]]


def exchanged_document(*, actor: Actor, document_id: int) -> tuple[int, ExchangedRow]:
    """One document with its site. One query. Raises `NotVisible`, `PermissionRefused`."""
    rows = ExchangedDocument.objects.visible_to(actor).filter(pk=document_id).annotate(kept_bytes=Length("content"))
    values = rows.values_list("site_id", *_ROW).first()
    if values is None:
        raise NotVisible(_("There is no such document here."))
    actor.require(VIEW, site_id=values[0])
    return values[0], ExchangedRow(*values[1:])


def exchanged_content(*, actor: Actor, document_id: int) -> tuple[str, bytes]:
    """Name and kept beginning of a document that was refused. Raises `NotVisible`."""
    row = ExchangedDocument.objects.visible_to(actor).filter(pk=document_id).first()
    if row is None or not row.content:
        raise NotVisible(_("There is no such document here."))
    actor.require(VIEW, site_id=row.site_id)
    return f"{row.root or 'document'}-{row.pk}.xml", bytes(row.content)
