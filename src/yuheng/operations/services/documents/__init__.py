"""Documents of other systems (B2MML version 7): a dry run, then exactly that, all of it or nothing; kept when refused.

The dry run *is* the import, rolled back: what it says is what happens.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from yuheng.engines import b2mml
from yuheng.engines.b2mml import Document, Misread, Node
from yuheng.engines.b2mml.reading import verbs_that_enter
from yuheng.kernel import audit
from yuheng.kernel.actor import Actor
from yuheng.kernel.errors import Conflict, DomainError, InvalidInput, NotVisible
from yuheng.kernel.models import Site
from yuheng.operations.models import ExchangedDocument
from yuheng.operations.rules.documents import KEPT_BYTES, KEPT_DOCUMENTS, Outcome
from yuheng.operations.services.access import EXECUTE, MOVE, ORDERS
from yuheng.operations.services.documents import equipment, materials, performances, schedules
from yuheng.operations.services.documents.rows import (
    DocumentPlan,
    DocumentRow,
    Taking,
    plan_of,
    refusal_of,
)
from yuheng.operations.services.imports import ImportAction

__all__ = [
    "DocumentPlan",
    "DocumentRefused",
    "DocumentRow",
    "apply_document",
    "apply_upload",
    "plan_document",
    "plan_of_upload",
    "receive_document",
    "upload_document",
]

UPLOADS_KEPT = timedelta(days=1)

ENGINEERING_EDIT = "engineering.edit"
EQUIPMENT_EDIT = "equipment.edit"
Items = dict[str, list[Node]]
Take = Callable[[Taking, Items], None]


def _take_schedule(taking: Taking, items: Items) -> None:
    schedules.take(taking, items.get("OperationsRequest", []))


def _take_performance(taking: Taking, items: Items) -> None:
    performances.take(taking, items.get("OperationsResponse", []))


def _take_materials(taking: Taking, items: Items) -> None:
    materials.take_classes(taking, items.get("MaterialClass", []))
    materials.take_definitions(taking, items.get("MaterialDefinition", []))
    materials.take_lots(taking, items.get("MaterialLot", []))
    for node in items.get("MaterialSubLot", []):
        taking.tell("sublot", node.said("ID"), node, ImportAction.REFUSE, _("Sublots are not kept here; send lots."))


def _take_equipment(taking: Taking, items: Items) -> None:
    equipment.take(taking, items.get("Equipment", []), items.get("EquipmentClass", []))


_TAKES: dict[str, tuple[Take, str]] = {
    "OperationsSchedule": (_take_schedule, ORDERS),
    "OperationsRequest": (_take_schedule, ORDERS),
    "OperationsPerformance": (_take_performance, EXECUTE),
    "OperationsResponse": (_take_performance, EXECUTE),
    "MaterialInformation": (_take_materials, ENGINEERING_EDIT),
    "MaterialClass": (_take_materials, ENGINEERING_EDIT),
    "MaterialDefinition": (_take_materials, ENGINEERING_EDIT),
    "MaterialLot": (_take_materials, MOVE),
    "EquipmentInformation": (_take_equipment, EQUIPMENT_EDIT),
    "Equipment": (_take_equipment, EQUIPMENT_EDIT),
    "EquipmentClass": (_take_equipment, EQUIPMENT_EDIT),
}
"""Noun -> what takes it, and what the actor needs for it; lots inside material information need to move stock, too."""


class DocumentRefused(Conflict):
    """Items of a document are refused; ``row`` is the first of them."""

    def __init__(self, row: DocumentRow, message: str) -> None:
        super().__init__(message)
        self.row = row


def plan_document(*, actor: Actor, site_id: int, pieces: Iterable[bytes], at: datetime) -> DocumentPlan:
    """Say what a document would do; nothing is written.

    Raises
    ------
    PermissionRefused, NotVisible
    InvalidInput
        It cannot be read: the sentence names the element's path and line, ``fields`` has the path.
    """
    with transaction.atomic():
        plan = _carry_out(actor, site_id, pieces, at)
        transaction.set_rollback(True)
    return plan


@transaction.atomic
def apply_document(
    *, actor: Actor, site_id: int, pieces: Iterable[bytes], at: datetime, plan_sha256: str = ""
) -> DocumentPlan:
    """Do what a document says, all of it or nothing.

    Parameters
    ----------
    plan_sha256
        Fingerprint of the dry run that was looked at; "": nobody looked, it is applied when nothing is refused.

    Raises
    ------
    PermissionRefused, NotVisible, InvalidInput
    Conflict
        Something changed since the dry run, or an item is refused.
    """
    if not actor.sees_site(site_id):
        raise NotVisible(_("There is no such site here."))
    Site.objects.select_for_update(no_key=True).filter(pk=site_id).first()
    plan = _carry_out(actor, site_id, pieces, at)
    if plan_sha256 and plan.sha256 != plan_sha256:
        raise Conflict(_("Something changed since the dry run. Look at the new dry run and apply that."))
    if plan.refused:
        first = plan.refused[0]
        raise DocumentRefused(
            first,
            _("%(count)d items are refused and nothing was written. The first: line %(line)d, %(path)s: %(why)s")
            % {"count": len(plan.refused), "line": first.line, "path": first.path, "why": first.reason},
        )
    audit.record(
        actor=actor, action="document.applied", at=at, site_id=site_id, object_kind="document",
        object_id=plan.document_id, root=plan.root, counts=plan.counts,
    )  # fmt: skip
    return plan


def receive_document(
    *, actor: Actor, site_id: int, content: bytes, at: datetime, plan_sha256: str = ""
) -> DocumentPlan:
    """Apply a document and keep what became of it; one that is refused is kept with where and why. Raises as `apply`.

    The refusal is kept in a transaction of its own: so do not call this inside one.
    """
    try:
        plan = apply_document(actor=actor, site_id=site_id, pieces=[content], at=at, plan_sha256=plan_sha256)
    except (InvalidInput, Conflict) as refusal:
        keep(actor=actor, site_id=site_id, content=content, refusal=refusal, at=at)
        raise
    _keep(actor, site_id, content, plan, at)
    return plan


@transaction.atomic
def keep(*, actor: Actor, site_id: int, content: bytes, refusal: DomainError, at: datetime) -> ExchangedDocument:
    """Keep a document that was refused, so that people see it; up to a size, and so many of a site."""
    path, line = "", 0
    document = Document()
    try:
        for _item in b2mml.read([content], document):
            pass
    except Misread as fault:
        path, line = fault.path, fault.line
    if isinstance(refusal, DocumentRefused):
        path, line = refusal.row.path, refusal.row.line
    root = document.root
    row: ExchangedDocument = ExchangedDocument.objects.create(
        site_id=site_id,
        at=at,
        actor_name=actor.name,
        root=root[:80],
        document_id=_document_id(document)[:80],
        sender=_sender(document)[:80],
        sha256=hashlib.sha256(content).hexdigest(),
        size_bytes=len(content),
        outcome=Outcome.REFUSED.value,
        reason=str(refusal)[:1000],
        path=path[:1000],
        line=line,
        content=content[:KEPT_BYTES],
    )
    audit.record(
        actor=actor, action="document.refused", at=at, site_id=site_id, object_kind="document", object_id=row.pk,
        root=root, reason=str(refusal)[:400],
    )  # fmt: skip
    _forget(site_id)
    return row


def _keep(
    actor: Actor, site_id: int, content: bytes, plan: DocumentPlan, at: datetime, outcome: Outcome = Outcome.APPLIED
) -> ExchangedDocument:
    row: ExchangedDocument = ExchangedDocument.objects.create(
        site_id=site_id,
        at=at,
        actor_name=actor.name,
        root=plan.root[:80],
        document_id=plan.document_id[:80],
        sender=plan.sender[:80],
        sha256=hashlib.sha256(content).hexdigest(),
        size_bytes=len(content),
        outcome=outcome.value,
        counts=plan.counts,
        content=content if outcome is Outcome.WAITING else b"",
    )
    _forget(site_id)
    return row


def _forget(site_id: int) -> None:
    """Let the oldest go."""
    newest = ExchangedDocument.objects.filter(site_id=site_id).order_by("-pk").values_list("pk", flat=True)
    last = newest[KEPT_DOCUMENTS - 1 : KEPT_DOCUMENTS].first()
    if last is not None:
        ExchangedDocument.objects.filter(site_id=site_id, pk__lt=last).delete()


# ---- uploaded by a person --------------------------------------------------------------------------------------------


def upload_document(*, actor: Actor, site_id: int, content: bytes, at: datetime) -> ExchangedDocument:
    """Keep a document for its dry run to be looked at; one that cannot be read is kept as refused.

    Raises
    ------
    PermissionRefused, NotVisible
    InvalidInput
        It cannot be read. It is kept all the same: so do not call this inside a transaction.
    """
    try:
        plan = plan_document(actor=actor, site_id=site_id, pieces=[content], at=at)
    except InvalidInput as refusal:
        keep(actor=actor, site_id=site_id, content=content, refusal=refusal, at=at)
        raise
    waiting = ExchangedDocument.objects.filter(site_id=site_id, outcome=Outcome.WAITING.value)
    with transaction.atomic():
        waiting.filter(at__lt=at - UPLOADS_KEPT).delete()
        return _keep(actor, site_id, content, plan, at, Outcome.WAITING)


def plan_of_upload(*, actor: Actor, document_id: int, at: datetime) -> DocumentPlan:
    """Say again what an uploaded document would do, as everything is now. Raises as `plan_document`, `Conflict`."""
    row = _waiting(actor, document_id)
    return plan_document(actor=actor, site_id=row.site_id, pieces=[bytes(row.content)], at=at)


@transaction.atomic
def apply_upload(*, actor: Actor, document_id: int, plan_sha256: str, at: datetime) -> DocumentPlan:
    """Do what the dry run of an uploaded document said, all of it or nothing. Raises as `apply_document`."""
    row = _waiting(actor, document_id, is_locked=True)
    plan = apply_document(actor=actor, site_id=row.site_id, pieces=[bytes(row.content)], at=at, plan_sha256=plan_sha256)
    row.content, row.outcome, row.counts, row.at = b"", Outcome.APPLIED.value, plan.counts, at
    row.save(update_fields=["content", "outcome", "counts", "at"])
    return plan


def _waiting(actor: Actor, document_id: int, *, is_locked: bool = False) -> ExchangedDocument:
    rows = ExchangedDocument.objects.visible_to(actor).filter(pk=document_id)
    row: ExchangedDocument | None = (rows.select_for_update(of=("self",)) if is_locked else rows).first()
    if row is None:
        raise NotVisible(_("There is no such document here."))
    if row.outcome != Outcome.WAITING.value:
        raise Conflict(_("This document was applied already, or refused. Upload it again."))
    return row


# ---- carrying out ----------------------------------------------------------------------------------------------------


def _carry_out(actor: Actor, site_id: int, pieces: Iterable[bytes], at: datetime) -> DocumentPlan:
    if not actor.sees_site(site_id):
        raise NotVisible(_("There is no such site here."))
    if not any(actor.may(permission, site_id=site_id) for _take, permission in _TAKES.values()):
        actor.require(ORDERS, site_id=site_id)
    zone = ZoneInfo(Site.objects.values_list("time_zone", flat=True).get(pk=site_id))
    document = Document()
    items: Items = {}
    try:
        for node in b2mml.read(pieces, document):
            items.setdefault(node.tag, []).append(node)
        _check_verb(document)
    except Misread as fault:
        raise refusal_of(fault) from fault
    take, permission = _TAKES[document.noun]
    actor.require(permission, site_id=site_id)
    if "MaterialLot" in items:
        actor.require(MOVE, site_id=site_id)
    taking = Taking(actor, site_id, zone, at, document.verb)
    take(taking, items)
    return plan_of(
        taking, root=document.root, noun=document.noun, document_id=_document_id(document), sender=_sender(document),
        extensions=document.extensions,
    )  # fmt: skip


def _check_verb(document: Document) -> None:
    """Refuse what asks or answers, and what would delete. Raises `Misread`."""
    verb = document.nodes.get(document.verb)
    if document.verb not in verbs_that_enter():
        raise Misread(
            gettext_noop(
                "A document with the verb %(verb)s asks or answers: nothing is taken from it. Known: %(known)s."
            ),
            f"/{document.root}", 1, verb=document.verb, known=", ".join(verbs_that_enter()[1:]),
        )  # fmt: skip
    if document.verb == "Cancel" and document.noun != "OperationsSchedule":
        raise Misread(
            gettext_noop("Only an operations schedule can be cancelled by a document."), f"/{document.root}", 1
        )
    for expression in () if verb is None else _expressions(verb):
        code = expression.attributes["actionCode"]
        if code == "Delete":
            raise expression.wrong(gettext_noop("Nothing is deleted by a document; send CancelOperationsSchedule."))


def _expressions(verb: Node) -> Sequence[Node]:
    return [one for one in verb.walk() if one.tag == "ActionExpression"]


def _document_id(document: Document) -> str:
    area, noun = document.nodes.get("ApplicationArea"), document.nodes.get(document.noun)
    own = area.said("BODID") if area is not None else ""
    return own or (noun.said("ID") if noun is not None else "")


def _sender(document: Document) -> str:
    area = document.nodes.get("ApplicationArea")
    sender = area.first("Sender") if area is not None else None
    return "" if sender is None else sender.said("LogicalID") or sender.said("ComponentID")
