"""Questions about the audit trail: pages by key, however long the trail, and everything at once for a file.

Every filter but the text is an index of its own that ends in the key. The text is looked up by the beginnings of its
words (Chinese: by its characters) in a full-text index, and the rows found are then compared with what was typed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection
from django.db.models import BooleanField, Q
from django.db.models.expressions import RawSQL
from django.utils.translation import gettext as _

from yuheng.kernel.actor import Actor
from yuheng.kernel.models import AuditRecord, Site
from yuheng.people.labels import ACTION_LABELS, action_label, actions_said_with

PAGE_LENGTH = 50
LONGEST_OPEN_DETAIL = 160
"""Characters of detail shown without a click."""
LONGEST_TEXT = 80
MOST_WORDS = 8
_CHINESE = re.compile(r"([\u3400-\u9fff])")
_NO_WORD = re.compile(r"[\W_]+")


@dataclass(frozen=True, slots=True)
class AuditRow:
    """One line of the audit trail."""

    id: int
    at: datetime
    site_code: str
    actor_name: str
    impersonator: str
    action: str
    object_kind: str
    object_id: str
    detail: Mapping[str, Any]

    @property
    def what(self) -> str:
        """Return the action in the reader's language."""
        return action_label(self.action)

    @property
    def facts(self) -> list[tuple[str, str]]:
        """Return the detail as (key, value) to read: lists joined, objects as ``key value``; empty ones left out."""
        told = ((name, _in_line(value)) for name, value in self.detail.items())
        return [(name, text) for name, text in told if text]

    @property
    def is_long(self) -> bool:
        """Return whether the detail would push the other rows off the page."""
        return sum(len(name) + len(text) for name, text in self.facts) > LONGEST_OPEN_DETAIL


def _in_line(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_in_line(item)}" for name, item in value.items())
    if isinstance(value, list):
        return ", ".join(_in_line(item) for item in value)
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    return str(value)


@dataclass(frozen=True, slots=True)
class AuditPage:
    """Newest first; ``older_than`` is the cursor of the next page, None on the last one."""

    rows: tuple[AuditRow, ...]
    older_than: int | None


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """What to look for; empty fields match everything."""

    who: str = ""
    action: str = ""
    object_kind: str = ""
    object_id: str = ""
    text: str = ""
    site_id: int | None = None
    from_at: datetime | None = None
    to_at: datetime | None = None


def audit_trail(*, actor: Actor, wanted: AuditFilter, older_than: int | None = None) -> AuditPage:
    """Who did what at the sites where the actor may see it; what belongs to no site needs the permission everywhere.

    One query, and up to two short ones for names. Paging goes by id, so rows written meanwhile neither repeat nor hide
    others.
    """
    rows = _matching(actor, wanted)
    if older_than is not None:
        rows = rows.filter(pk__lt=older_than)
    found = list(rows[: PAGE_LENGTH + 1])
    shown = tuple(_audit_row(row) for row in found[:PAGE_LENGTH])
    return AuditPage(shown, shown[-1].id if len(found) > PAGE_LENGTH else None)


def audit_rows(*, actor: Actor, wanted: AuditFilter, most: int) -> Iterator[AuditRow]:
    """Return the newest ``most`` rows that match, for a file; read in pieces.

    What the actor may not see is refused now, not when the first row is read.
    """
    return _in_pieces(_matching(actor, wanted), most)


def _in_pieces(rows: Any, most: int) -> Iterator[AuditRow]:
    before, left = None, most
    while left > 0:
        piece = list((rows if before is None else rows.filter(pk__lt=before))[: min(left, 2_000)])
        yield from (_audit_row(row) for row in piece)
        if len(piece) < min(left, 2_000):
            return
        before, left = piece[-1].pk, left - len(piece)


def audit_sites(*, actor: Actor) -> list[tuple[int, str, str]]:
    """Return the sites (id, Chinese name, English name) whose trail the actor may read. One query."""
    sites = actor.site_ids_with("audit.view")
    rows = Site.objects.all() if sites is None else Site.objects.filter(pk__in=sites)
    return list(rows.values_list("pk", "name_zh", "name_en"))


def audit_kinds() -> list[str]:
    """Return the kinds of objects in the trail: the index is asked for each next one, never the rows."""
    return [kind for kind in _distinct("object_kind") if kind]


def audit_actions() -> list[tuple[str, str]]:
    """Return (code, words) of the actions that are known, by their words."""
    return sorted(((code, action_label(code)) for code in ACTION_LABELS), key=lambda one: one[1])


def _matching(actor: Actor, wanted: AuditFilter) -> Any:
    actor.require("audit.view", site_id=wanted.site_id)
    rows = AuditRecord.objects.select_related("site").order_by("-id")
    sites = actor.site_ids_with("audit.view")
    if wanted.site_id is not None:
        rows = rows.filter(site_id=wanted.site_id)
    elif sites is not None:
        rows = rows.filter(site_id__in=sites)
    if wanted.who:
        text = wanted.who[:LONGEST_TEXT].casefold()
        names = [name for name in _distinct("actor_name") if text in name.casefold()]
        really = [name for name in _distinct("impersonator") if name and text in name.casefold()]
        rows = rows.filter(Q(actor_name__in=names) | Q(impersonator__in=really) if really else Q(actor_name__in=names))
    if wanted.action:
        text = wanted.action[:LONGEST_TEXT]
        codes = [code for code in _distinct("action") if text.casefold() in code.casefold()]
        rows = rows.filter(action__in={*codes, *actions_said_with(text)})
    if wanted.object_kind:
        rows = rows.filter(object_kind=wanted.object_kind[:LONGEST_TEXT])
    if wanted.object_id:
        rows = rows.filter(object_id=wanted.object_id[:LONGEST_TEXT])
    if wanted.from_at is not None:
        rows = rows.filter(at__gte=wanted.from_at)
    if wanted.to_at is not None:
        rows = rows.filter(at__lt=wanted.to_at)
    return _with_text(rows, wanted.text[:LONGEST_TEXT])


def _with_text(rows: Any, text: str) -> Any:
    typed = text.split()
    words = [word for part in typed for word in words_of(part)][:MOST_WORDS]
    if not words:
        return rows if not typed else rows.none()
    query = " & ".join(word if _CHINESE.match(word) else f"{word}:*" for word in words)
    rows = rows.filter(RawSQL(f"{WORDS} @@ to_tsquery('simple', %s)", (query,), BooleanField()))
    for part in typed:
        rows = rows.filter(RawSQL(f"strpos({HAYSTACK}, lower(%s)) > 0", (part,), BooleanField()))
    return rows


COLUMNS = "actor_name, impersonator, action, object_kind, object_id, detail"
HAYSTACK = "kernel_audit_text({})".format(", ".join(f"kernel_auditrecord.{name}" for name in COLUMNS.split(", ")))
WORDS = f"kernel_audit_words({HAYSTACK})"
"""As in the migration that made the index: spelled otherwise, the index would not be used."""


def words_of(text: str) -> list[str]:
    """Return what the index knows of a text: words in small letters, Chinese character by character.

    Examples
    --------
    >>> words_of("Laser-json 激光")
    ['laser', 'json', '激', '光']
    """
    return [word for word in _NO_WORD.sub(" ", _CHINESE.sub(r" \1 ", text.lower())).split() if word]


def _distinct(column: str) -> list[str]:
    """Return the different values of an indexed column: one look into the index for each, however many rows."""
    query = f"""
        WITH RECURSIVE found AS (
            (SELECT {column} AS value FROM kernel_auditrecord ORDER BY {column} LIMIT 1)
            UNION ALL
            SELECT (SELECT {column} FROM kernel_auditrecord WHERE {column} > found.value ORDER BY {column} LIMIT 1)
            FROM found WHERE found.value IS NOT NULL
        ) SELECT value FROM found WHERE value IS NOT NULL LIMIT 5000
    """
    with connection.cursor() as cursor:
        cursor.execute(query)
        return [str(row[0]) for row in cursor.fetchall()]


def _audit_row(row: AuditRecord) -> AuditRow:
    return AuditRow(
        id=row.pk,
        at=row.at,
        site_code=row.site.code if row.site else "",
        actor_name=row.actor_name,
        impersonator=row.impersonator,
        action=row.action,
        object_kind=row.object_kind,
        object_id=row.object_id,
        detail=row.detail,
    )
