"""Dead letters as the page and the API show them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _

from yuheng.kernel.actor import Actor
from yuheng.kernel.errors import NotVisible
from yuheng.telemetry.models import DeadLetterGroup, DeadLetterSample
from yuheng.telemetry.selectors.visible import of_visible_sites


@dataclass(frozen=True, slots=True)
class GroupRow:
    """Dead letters of one source, reason and topic or address; ``source`` is "" when no source claims the topic."""

    id: int
    site_id: int | None
    source_id: int | None
    source: str
    reason: str
    kind: str
    what: str
    detail: str
    count: int
    first_seen_at: datetime
    last_seen_at: datetime
    state: str
    replayed_count: int


@dataclass(frozen=True, slots=True)
class GroupPage:
    """One page of groups, how many there are, and how many letters they count."""

    total: int
    letters: int
    offset: int
    groups: list[GroupRow]


@dataclass(frozen=True, slots=True)
class SampleRow:
    """One kept letter; ``payload`` holds its first 64 KB, ``size`` is that of the whole."""

    id: int
    payload: bytes
    size: int
    topic: str
    arrived_at: datetime
    sequence: int
    detail: str


def dead_letter_groups(
    *,
    actor: Actor,
    site_id: int | None = None,
    source_id: int | None = None,
    reason: str = "",
    state: str = "",
    text: str = "",
    offset: int = 0,
    limit: int = 100,
) -> GroupPage:
    """Groups the actor sees, newest first. Three queries."""
    rows = of_visible_sites(DeadLetterGroup.objects.all(), actor)
    exact = {"site_id": site_id, "source_id": source_id, "reason": reason or None, "state": state or None}
    rows = rows.filter(**{name: value for name, value in exact.items() if value is not None})
    for word in text.split()[:8]:
        rows = rows.filter(what__icontains=word)
    counts = list(rows.order_by().values_list("count", flat=True))
    offset, limit = max(0, offset), min(max(1, limit), 500)
    page = rows.select_related("source").order_by("-last_seen_at", "-pk")[offset : offset + limit]
    return GroupPage(len(counts), sum(counts), offset, [_group_row(row) for row in page])


def dead_letter_group(*, actor: Actor, group_id: int) -> GroupRow:
    """One group. One query. Raises `NotVisible`."""
    rows = of_visible_sites(DeadLetterGroup.objects.filter(pk=group_id), actor).select_related("source")
    row = rows.first()
    if row is None:
        raise NotVisible(_("There is no such thing here."))
    return _group_row(row)


def dead_letter_samples(*, actor: Actor, group_id: int) -> list[SampleRow]:
    """The kept letters of a group, newest first. Two queries. Raises `NotVisible`."""
    dead_letter_group(actor=actor, group_id=group_id)
    rows = DeadLetterSample.objects.filter(group_id=group_id).order_by("-sequence", "-pk")
    return [
        SampleRow(row.pk, bytes(row.payload), row.size, row.topic, row.arrived_at, row.sequence, row.detail)
        for row in rows
    ]


def _group_row(row: Any) -> GroupRow:
    return GroupRow(
        id=row.pk,
        site_id=row.site_id,
        source_id=row.source_id,
        source=row.source.code if row.source is not None else "",
        reason=row.reason,
        kind=row.kind,
        what=row.what,
        detail=row.detail,
        count=row.count,
        first_seen_at=row.first_seen_at,
        last_seen_at=row.last_seen_at,
        state=row.state,
        replayed_count=row.replayed_count,
    )
