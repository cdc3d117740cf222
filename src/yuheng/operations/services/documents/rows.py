"""What a dry run says of a document, and how a refusal names the element."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from yuheng.engines.b2mml import Misread, Node
from yuheng.engines.b2mml.nodes import decimal_of
from yuheng.kernel.actor import Actor
from yuheng.kernel.errors import DomainError, InvalidInput
from yuheng.operations.rules.documents import unit_of
from yuheng.operations.services.imports import ImportAction

MOST_NOTES = 100


@dataclass(frozen=True, slots=True)
class DocumentRow:
    """One item of a document, where it stands, and what becomes of it."""

    kind: str
    key: str
    path: str
    line: int
    action: ImportAction
    reason: str = ""


@dataclass(frozen=True, slots=True)
class DocumentPlan:
    """What a document does; ``sha256`` is the fingerprint by which it is applied.

    ``unused``: what was read and is not used, by path without numbers, with how often.
    """

    root: str
    verb: str
    noun: str
    document_id: str
    sender: str
    rows: tuple[DocumentRow, ...]
    counts: dict[str, int]
    unused: dict[str, int]
    sha256: str

    @property
    def refused(self) -> tuple[DocumentRow, ...]:
        """Return the items that are refused."""
        return tuple(row for row in self.rows if row.action is ImportAction.REFUSE)

    @property
    def has_effect(self) -> bool:
        """Return whether applying it would write anything."""
        return bool(self.counts[ImportAction.ADD.value] + self.counts[ImportAction.CHANGE.value])


@dataclass(slots=True)
class Taking:
    """What taking a document needs everywhere: who, where, when; and what was found out."""

    actor: Actor
    site_id: int
    zone: ZoneInfo
    at: datetime
    verb: str
    rows: list[DocumentRow] = field(default_factory=list)
    used: set[int] = field(default_factory=set)
    unused: Counter[str] = field(default_factory=Counter)

    def tell(self, kind: str, key: str, node: Node, action: ImportAction, reason: str = "") -> None:
        """Say what becomes of an item."""
        self.rows.append(DocumentRow(kind, key[:200], node.path, node.line, action, reason))

    def attempt(self, kind: str, key: str, node: Node, act: Callable[[], ImportAction]) -> None:
        """Do something for an item, all of it or nothing, and say what became of it."""
        try:
            with transaction.atomic():
                action = act()
            self.tell(kind, key, node, action)
        except Misread as fault:
            where = fault.path or node.path
            self.rows.append(
                DocumentRow(kind, key[:200], where, fault.line or node.line, ImportAction.REFUSE, sentence_of(fault))
            )
        except DomainError as refusal:
            self.tell(kind, key, node, ImportAction.REFUSE, sentences(refusal))

    def leave_unused(self, node: Node, known: Mapping[str, object]) -> None:
        """Note the elements of an item that nobody asked for: ``known`` is a tree of the names that are used."""
        for child in node.children:
            inner = known.get(child.tag)
            if inner is None:
                self.note(child)
            elif isinstance(inner, Mapping):
                self.leave_unused(child, inner)

    def note(self, node: Node) -> None:
        """Note one element that is not used."""
        parts: list[str] = []
        one: Node | None = node
        while one is not None:
            parts.append(one.tag)
            one = one.parent
        path = "/" + "/".join(reversed(parts))
        if path in self.unused or len(self.unused) < MOST_NOTES:
            self.unused[path] += 1

    def moment(self, found: datetime | None) -> datetime | None:
        """Return a time; one without an offset is the site's."""
        return found if found is None or found.tzinfo is not None else found.replace(tzinfo=self.zone)

    def quantity(self, node: Node, own_unit: Callable[[], str] | None = None) -> tuple[Decimal, str]:
        """Return the one quantity of an element with its unit as UCUM, "" for none. Raises `Misread`."""
        found = node.all("Quantity")
        if len(found) != 1:
            raise (found[1] if found else node).wrong(gettext_noop("Give one quantity."))
        text = found[0].first("QuantityString")
        amount = decimal_of(text.text) if text is not None else None
        if amount is None:
            raise (text or found[0]).wrong(
                gettext_noop("'%(text)s' is no quantity."), text=text.text[:40] if text else ""
            )
        return amount, unit_of(found[0].said("UnitOfMeasure"))


def sentence_of(fault: Misread) -> str:
    """Return what is wrong in the reader's language, without where."""
    return _(fault.sentence) % fault.values if fault.values else _(fault.sentence)


def refusal_of(fault: Misread) -> InvalidInput:
    """Return the refusal of a document that cannot be read: the sentence, the element's path and line."""
    sentence = sentence_of(fault)
    if not fault.path:
        told = _("Line %(line)d: %(why)s") % {"line": fault.line, "why": sentence} if fault.line else sentence
        return InvalidInput(told)
    told = _("Line %(line)d, %(path)s: %(why)s") % {"line": fault.line, "path": fault.path, "why": sentence}
    return InvalidInput(told, {fault.path: sentence})


def sentences(refusal: DomainError) -> str:
    """Return all that a refusal says as one text."""
    fields = refusal.fields if isinstance(refusal, InvalidInput) else {}
    return " ".join(dict.fromkeys(fields.values())) or str(refusal)


def plan_of(
    taking: Taking, *, root: str, noun: str, document_id: str, sender: str, extensions: Mapping[str, int]
) -> DocumentPlan:
    """Return the plan from what was told."""
    told = [[row.kind, row.key, row.path, row.action.value, row.reason] for row in taking.rows]
    known = json.dumps([taking.site_id, root, told]).encode()
    unused = dict(sorted((taking.unused + Counter(extensions)).items()))
    return DocumentPlan(
        root=root,
        verb=taking.verb,
        noun=noun,
        document_id=document_id,
        sender=sender,
        rows=tuple(taking.rows),
        counts=counted(row.action for row in taking.rows),
        unused=unused,
        sha256=hashlib.sha256(known).hexdigest(),
    )


def counted(actions: Iterable[ImportAction]) -> dict[str, int]:
    """Return how many items each action has, all four."""
    found = Counter(action.value for action in actions)
    return {action.value: found[action.value] for action in ImportAction}
