"""Commands to machines, and what sources could not have, as pages and the API show them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.utils.translation import gettext as _

from yuheng.kernel.actor import Actor
from yuheng.kernel.errors import NotVisible
from yuheng.telemetry.models import DataSource, MachineCommand, SourceGap, Tag, TagWriting
from yuheng.telemetry.selectors.visible import of_visible_sites, one_visible
from yuheng.telemetry.spoken import in_readers_words

MOST = 500
SHOWN_ADDRESSES = 20


@dataclass(frozen=True, slots=True)
class CommandRow:
    """One command; values in the tag's unit, ``sentence`` in the reader's words."""

    id: UUID
    site_id: int
    source_id: int
    source: str
    tag_id: int
    address: str
    name_zh: str
    name_en: str
    value: Any
    unit: str
    reason: str
    requested_by: str
    requested_at: datetime
    expires_at: datetime
    state: str
    sent_at: datetime | None
    ended_at: datetime | None
    sentence: str
    read_back: Any


def commands(
    *, actor: Actor, source_id: int | None = None, tag_id: int | None = None, limit: int = 50
) -> list[CommandRow]:
    """The newest commands of a source, of a tag, or of all the actor sees. One query."""
    rows = of_visible_sites(MachineCommand.objects.select_related("source", "tag"), actor)
    if source_id is not None:
        rows = rows.filter(source_id=source_id)
    if tag_id is not None:
        rows = rows.filter(tag_id=tag_id)
    return [_row(row) for row in rows.order_by("-requested_at", "pk")[: max(1, min(limit, MOST))]]


def command(*, actor: Actor, command_id: UUID) -> CommandRow:
    """One command. One query. Raises `NotVisible`."""
    found = (
        of_visible_sites(MachineCommand.objects.select_related("source", "tag"), actor).filter(pk=command_id).first()
    )
    if found is None:
        raise NotVisible(_("There is no such thing here."))
    return _row(found)


def _row(row: MachineCommand) -> CommandRow:
    return CommandRow(
        id=row.pk,
        site_id=row.site_id,
        source_id=row.source_id,
        source=row.source.code,
        tag_id=row.tag_id,
        address=row.address,
        name_zh=row.tag.name_zh,
        name_en=row.tag.name_en,
        value=row.value,
        unit=row.unit,
        reason=row.reason,
        requested_by=row.requested_by,
        requested_at=row.requested_at,
        expires_at=row.expires_at,
        state=row.state,
        sent_at=row.sent_at,
        ended_at=row.ended_at,
        sentence=in_readers_words(row.sentence),
        read_back=row.read_back,
    )


@dataclass(frozen=True, slots=True)
class WritingRow:
    """Whether and how a tag may be written; ``is_possible``: source, tag and connector are switched on for it."""

    tag_id: int
    site_id: int
    is_writable: bool
    is_source_open: bool
    low: float | None
    high: float | None
    allowed: list[Any]

    @property
    def is_possible(self) -> bool:
        """Whether a command would be taken."""
        return self.is_writable and self.is_source_open


def writing(*, actor: Actor, tag_id: int) -> WritingRow:
    """Whether a tag may be written. Two queries. Raises `NotVisible`."""
    tag = one_visible(Tag.objects.select_related("source"), actor, tag_id)
    row = TagWriting.objects.filter(pk=tag_id).first()
    return WritingRow(
        tag_id=tag.pk,
        site_id=tag.site_id,
        is_writable=row is not None,
        is_source_open=tag.source.allows_writes and tag.source.is_enabled,
        low=row.low if row else None,
        high=row.high if row else None,
        allowed=list(row.allowed) if row else [],
    )


def writable_tags(*, actor: Actor, work_unit_id: int) -> set[int]:
    """Tags of a work unit to which a command would be taken now. One query."""
    rows = of_visible_sites(Tag.objects.filter(work_unit_id=work_unit_id, retired_at__isnull=True), actor)
    open_ones = rows.filter(writing__isnull=False, source__allows_writes=True, source__is_enabled=True)
    return set(open_ones.values_list("pk", flat=True))


@dataclass(frozen=True, slots=True)
class GapRow:
    """Values that could not be had. ``tag_count`` 0: of all tags of the source; ``addresses``: the first ones."""

    id: UUID
    started_at: datetime | None
    ended_at: datetime
    sentence: str
    tag_count: int
    addresses: list[str]
    noted_at: datetime


def gaps(*, actor: Actor, source_id: int, limit: int = 50, addresses: int = SHOWN_ADDRESSES) -> list[GapRow]:
    """The newest gaps of a source. Two queries. Raises `NotVisible`."""
    one_visible(DataSource.objects.all(), actor, source_id)
    rows = of_visible_sites(SourceGap.objects.filter(source_id=source_id), actor)
    return [
        GapRow(
            id=row.pk,
            started_at=row.started_at,
            ended_at=row.ended_at,
            sentence=in_readers_words(row.sentence),
            tag_count=len(row.addresses),
            addresses=row.addresses[:addresses],
            noted_at=row.noted_at,
        )
        for row in rows.order_by("-noted_at", "-ended_at")[: max(1, min(limit, MOST))]
    ]
