"""The journal: everything that happened to alarms, newest first, page by page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _

from yuheng.alarms.models import AlarmDefinition, AlarmJournal
from yuheng.alarms.rules import microseconds, moment
from yuheng.alarms.selectors.visible import VIEW, of_visible_sites
from yuheng.engines.alarms.vocabulary import JournalKind, Priority
from yuheng.equipment import selectors as equipment
from yuheng.kernel.actor import Actor
from yuheng.kernel.errors import InvalidInput

PAGE = 50
MAX_PAGE = 500
MAX_EXPORT = 200_000
EXPORT_PIECE = 2_000


@dataclass(frozen=True, slots=True)
class JournalFilter:
    """What the journal is narrowed to; None and empty mean everything. Times are of the event, ``end`` exclusive."""

    start: datetime | None = None
    end: datetime | None = None
    priorities: Sequence[int] = ()
    area_ids: Sequence[int] = ()
    work_unit_ids: Sequence[int] = ()
    kinds: Sequence[str] = ()
    text: str = ""
    who: str = ""
    alarm_id: int | None = None
    episode_id: int | None = None


@dataclass(frozen=True, slots=True)
class JournalRow:
    """One line. ``actor_name`` is empty for what the evaluation told."""

    id: int
    alarm_id: int
    episode_id: int | None
    definition_id: int
    code: str
    name_zh: str
    name_en: str
    work_unit_id: int
    unit_code: str
    unit_name_zh: str
    unit_name_en: str
    kind: JournalKind
    priority: Priority
    at: datetime
    known_at: datetime
    actor_name: str
    comment: str
    value: str
    count: int
    message_zh: str
    message_en: str


@dataclass(frozen=True, slots=True)
class JournalPage:
    """One page; ``next_cursor`` is "" on the last."""

    rows: list[JournalRow]
    next_cursor: str


_COLUMNS = (
    "pk",
    "alarm_id",
    "episode_id",
    "definition_id",
    "definition__code",
    "definition__name_zh",
    "definition__name_en",
    "work_unit_id",
    "work_unit__code",
    "work_unit__name_zh",
    "work_unit__name_en",
    "kind",
    "priority",
    "at",
    "known_at",
    "actor_name",
    "comment",
    "value",
    "count",
    "message_zh",
    "message_en",
)


def journal_page(
    *, actor: Actor, site_id: int, narrowed: JournalFilter = JournalFilter(), cursor: str = "", limit: int = PAGE
) -> JournalPage:
    """One page of the journal, newest first. One query; three with a text.

    Parameters
    ----------
    cursor
        ``next_cursor`` of the page before; "" for the first.

    Raises
    ------
    PermissionRefused, NotVisible
    InvalidInput
        The cursor is none.
    """
    actor.require(VIEW, site_id=site_id)
    limit = min(max(1, limit), MAX_PAGE)
    rows = _before(_narrowed(site_id, narrowed), cursor)
    found = [_row(columns) for columns in rows.order_by("-at", "-id").values_list(*_COLUMNS)[: limit + 1]]
    last = found[limit - 1] if len(found) > limit else None
    return JournalPage(found[:limit], "" if last is None else f"{microseconds(last.at)}.{last.id}")


def journal_of_alarm(*, actor: Actor, alarm_id: int, limit: int = 200) -> list[JournalRow]:
    """The newest lines of one alarm. One query; of an alarm that is not visible there are none."""
    rows = of_visible_sites(AlarmJournal.objects.filter(alarm_id=alarm_id), actor)
    return [_row(columns) for columns in rows.order_by("-known_at", "-id").values_list(*_COLUMNS)[:limit]]


def journal_export(
    *, actor: Actor, site_id: int, narrowed: JournalFilter = JournalFilter(), limit: int = MAX_EXPORT
) -> Iterator[JournalRow]:
    """All lines, newest first, at most `MAX_EXPORT`, read in pieces: the memory does not grow with their number."""
    actor.require(VIEW, site_id=site_id)
    return _exported(site_id, narrowed, limit)


def _exported(site_id: int, narrowed: JournalFilter, limit: int) -> Iterator[JournalRow]:
    rows, cursor, left = _narrowed(site_id, narrowed), "", limit
    while left > 0:
        piece = list(_before(rows, cursor).order_by("-at", "-id").values_list(*_COLUMNS)[: min(left, EXPORT_PIECE)])
        yield from map(_row, piece)
        if len(piece) < EXPORT_PIECE:
            return
        left -= len(piece)
        cursor = f"{microseconds(piece[-1][13])}.{piece[-1][0]}"


def _row(columns: tuple[Any, ...]) -> JournalRow:
    row: tuple[Any, ...] = (*columns[:11], JournalKind(columns[11]), Priority(columns[12]), *columns[13:])
    return JournalRow(*row)


def _narrowed(site_id: int, narrowed: JournalFilter) -> QuerySet[AlarmJournal]:
    rows: QuerySet[AlarmJournal] = AlarmJournal.objects.filter(site_id=site_id)
    given = {
        "at__gte": narrowed.start,
        "at__lt": narrowed.end,
        "alarm_id": narrowed.alarm_id,
        "episode_id": narrowed.episode_id,
        "priority__in": list(narrowed.priorities) or None,
        "kind__in": list(narrowed.kinds) or None,
        "work_unit_id__in": list(narrowed.work_unit_ids) or None,
        "actor_name__icontains": narrowed.who or None,
    }
    rows = rows.filter(**{name: value for name, value in given.items() if value is not None})
    if narrowed.area_ids:
        rows = rows.filter(work_unit_id__in=equipment.work_unit_ids_of_areas(narrowed.area_ids))
    return rows.filter(_says(site_id, narrowed.text)) if narrowed.text else rows


def _says(site_id: int, text: str) -> Q:
    """Return the condition that a line says a text.

    The few definitions and units that say it are found first: their numbers are compared, not a text on every line.
    """
    words = Q(code__icontains=text) | Q(name_zh__icontains=text) | Q(name_en__icontains=text)
    words |= Q(message_zh__icontains=text) | Q(message_en__icontains=text)
    definitions = list(AlarmDefinition.objects.filter(words, site_id=site_id).values_list("pk", flat=True))
    units = equipment.work_unit_ids_said_with(site_id=site_id, text=text)
    return (
        Q(definition_id__in=definitions)
        | Q(work_unit_id__in=units)
        | Q(comment__icontains=text)
        | Q(actor_name__icontains=text)
        | Q(value__icontains=text)
    )


def _before(rows: QuerySet[AlarmJournal], cursor: str) -> QuerySet[AlarmJournal]:
    if not cursor:
        return rows
    at_us, _dot, key = cursor.partition(".")
    if not (at_us.isascii() and at_us.isdigit() and key.isascii() and key.isdigit() and len(cursor) < 40):
        raise InvalidInput(_("This is not the place of a page."), {"cursor": cursor[:40]})
    try:
        at = moment(int(at_us))
    except OverflowError as error:
        raise InvalidInput(_("This is not the place of a page."), {"cursor": cursor[:40]}) from error
    return rows.filter(Q(at__lt=at) | Q(at=at, id__lt=int(key)))
