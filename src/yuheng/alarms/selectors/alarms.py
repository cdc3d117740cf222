"""Alarms as they are now: the headline list, what is grouped below a line, what is hidden, and counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from django.db.models import Count, Q, QuerySet

from yuheng.alarms.models import Alarm
from yuheng.alarms.selectors.visible import VIEW, of_visible_sites, one_visible
from yuheng.engines.alarms.machine import Shelving
from yuheng.engines.alarms.vocabulary import Priority
from yuheng.kernel.actor import Actor

CHATTERING_COUNT = 4
"""So often active within one episode: the input chatters."""
MAX_ROWS = 2_000


@dataclass(frozen=True, slots=True)
class AlarmRow:
    """One alarm now, ready for a screen. ``child_count``: alarms grouped under it. ``root_id`` None: a headline."""

    id: int
    site_id: int
    definition_id: int
    episode_id: int | None
    work_unit_id: int
    unit_code: str
    unit_name_zh: str
    unit_name_en: str
    area_id: int
    area_code: str
    area_name_zh: str
    area_name_en: str
    code: str
    category: str
    priority: Priority
    name_zh: str
    name_en: str
    message_zh: str
    message_en: str
    value: str
    count: int
    is_enabled: bool
    is_active: bool
    is_acked: bool
    is_confirmed: bool
    is_latched: bool
    is_uncertain: bool
    is_suppressed: bool
    is_design_suppressed: bool
    is_out_of_service: bool
    shelving: Shelving
    shelved_until: datetime | None
    retain: bool
    is_hidden: bool
    activated_at: datetime | None
    cleared_at: datetime | None
    known_at: datetime | None
    acked_at: datetime | None
    acked_by: str
    note: str
    root_id: int | None
    child_count: int

    @property
    def is_chattering(self) -> bool:
        """Whether the condition came back so often that the input must be looked at."""
        return self.count >= CHATTERING_COUNT

    @property
    def needs_acknowledging(self) -> bool:
        """Whether somebody has yet to acknowledge it."""
        return self.retain and not self.is_acked


class Shown(StrEnum):
    """Which alarms a list shows."""

    OPEN = "open"  # need somebody and are not hidden: the usual list
    UNACKED = "unacked"
    ACTIVE = "active"
    ACKED = "acked"  # still active, somebody knows
    CLEARED = "cleared"  # returned to normal, nobody has acknowledged
    HIDDEN = "hidden"  # shelved, suppressed or out of service
    ALL = "all"


@dataclass(frozen=True, slots=True)
class AlarmFilter:
    """What a list is narrowed to; empty means everything."""

    shown: Shown = Shown.OPEN
    priorities: Sequence[int] = ()
    area_ids: Sequence[int] = ()
    work_unit_ids: Sequence[int] = ()
    definition_ids: Sequence[int] = ()
    text: str = ""
    only_headlines: bool = True


@dataclass(frozen=True, slots=True)
class AlarmCounts:
    """How many alarms of a site need somebody. ``headlines`` and ``by_priority`` count lines of the headline list."""

    headlines: int = 0
    unacked: int = 0
    active: int = 0
    grouped: int = 0
    shelved: int = 0
    suppressed: int = 0
    out_of_service: int = 0
    by_priority: dict[int, int] = field(default_factory=dict)
    unacked_by_priority: dict[int, int] = field(default_factory=dict)


def alarm_list(
    *, actor: Actor, site_id: int, narrowed: AlarmFilter = AlarmFilter(), limit: int = MAX_ROWS
) -> list[AlarmRow]:
    """Alarms of a site: what nobody has acknowledged first, then by priority, newest first. One query.

    Raises
    ------
    PermissionRefused, NotVisible
    """
    actor.require(VIEW, site_id=site_id)
    rows = _narrowed(Alarm.objects.filter(site_id=site_id), narrowed)
    return [row_of(alarm) for alarm in for_rows(rows).order_by("is_acked", "priority", "-activated_at", "-id")[:limit]]


def alarm(*, actor: Actor, alarm_id: int) -> AlarmRow:
    """One alarm. One query. Raises `NotVisible`."""
    return row_of(one_visible(for_rows(Alarm.objects.all()), actor, alarm_id))


def children_of(*, actor: Actor, alarm_id: int, limit: int = MAX_ROWS) -> list[AlarmRow]:
    """Alarms grouped under one, most urgent first. Two queries. Raises `NotVisible`."""
    one_visible(Alarm.objects.all(), actor, alarm_id)
    rows = Alarm.objects.filter(root_id=alarm_id, retain=True)
    return [row_of(found) for found in for_rows(rows).order_by("priority", "-activated_at", "-id")[:limit]]


def alarms_of_unit(*, actor: Actor, work_unit_id: int) -> list[AlarmRow]:
    """Alarms of a work unit that need somebody or are hidden, most urgent first. One query."""
    rows = of_visible_sites(Alarm.objects.filter(work_unit_id=work_unit_id), actor).filter(
        Q(retain=True) | Q(is_hidden=True)
    )
    return [row_of(found) for found in for_rows(rows).order_by("is_acked", "priority", "-activated_at", "-id")]


def open_by_unit(*, actor: Actor, site_id: int) -> dict[int, tuple[int, int]]:
    """Work unit id -> (most urgent priority, number of open alarms), for the map. One query."""
    actor.require(VIEW, site_id=site_id)
    found: dict[int, tuple[int, int]] = {}
    rows = Alarm.objects.filter(site_id=site_id, retain=True, is_hidden=False)
    for unit_id, priority in rows.values_list("work_unit_id", "priority"):
        known = found.get(unit_id, (priority, 0))
        found[unit_id] = (min(known[0], priority), known[1] + 1)
    return found


def alarm_counts(*, actor: Actor, site_id: int) -> AlarmCounts:
    """How many alarms of a site need somebody, and how many are hidden. One query."""
    actor.require(VIEW, site_id=site_id)
    return counts_of_site(site_id)


def counts_of_site(site_id: int) -> AlarmCounts:
    """The same for the worker, which acts for nobody. One query."""
    shown = Q(retain=True, is_hidden=False)
    heads = shown & Q(root__isnull=True)
    rows = (
        Alarm.objects.filter(Q(retain=True) | Q(is_hidden=True), site_id=site_id)
        .order_by("priority")
        .values_list("priority")
        .annotate(
            heads=Count("pk", filter=heads),
            unacked=Count("pk", filter=heads & Q(is_acked=False)),
            active=Count("pk", filter=shown & Q(is_active=True)),
            grouped=Count("pk", filter=shown & Q(root__isnull=False)),
            shelved=Count("pk", filter=~Q(shelving=Shelving.UNSHELVED.value)),
            suppressed=Count("pk", filter=Q(is_suppressed=True) | Q(is_design_suppressed=True)),
            out=Count("pk", filter=Q(is_out_of_service=True)),
        )
    )
    found = list(rows)
    names = ("headlines", "unacked", "active", "grouped", "shelved", "suppressed", "out_of_service")
    return AlarmCounts(
        **{name: sum(row[place] for row in found) for place, name in enumerate(names, 1)},
        by_priority={row[0]: row[1] for row in found if row[1]},
        unacked_by_priority={row[0]: row[2] for row in found if row[2]},
    )


def _narrowed(rows: QuerySet[Alarm], narrowed: AlarmFilter) -> QuerySet[Alarm]:
    rows = rows.filter(_SHOWN[narrowed.shown])
    if narrowed.only_headlines and narrowed.shown not in (Shown.HIDDEN, Shown.ALL):
        rows = rows.filter(root__isnull=True)
    if narrowed.priorities:
        rows = rows.filter(priority__in=narrowed.priorities)
    if narrowed.area_ids:
        rows = rows.filter(work_unit__work_center__area_id__in=narrowed.area_ids)
    if narrowed.work_unit_ids:
        rows = rows.filter(work_unit_id__in=narrowed.work_unit_ids)
    if narrowed.definition_ids:
        rows = rows.filter(definition_id__in=narrowed.definition_ids)
    if narrowed.text:
        rows = rows.filter(said_with(narrowed.text) | Q(message_zh__icontains=narrowed.text))
    return rows


_SHOWN: dict[Shown, Q] = {
    Shown.OPEN: Q(retain=True, is_hidden=False),
    Shown.UNACKED: Q(retain=True, is_hidden=False, is_acked=False),
    Shown.ACTIVE: Q(retain=True, is_hidden=False, is_active=True),
    Shown.ACKED: Q(retain=True, is_hidden=False, is_active=True, is_acked=True),
    Shown.CLEARED: Q(retain=True, is_hidden=False, is_active=False),
    Shown.HIDDEN: Q(is_hidden=True),
    Shown.ALL: Q(retain=True) | Q(is_hidden=True) | Q(is_enabled=False),
}


def said_with(text: str) -> Q:
    """Return the condition that the words of an alarm's definition or work unit contain a text."""
    places = (
        "definition__code",
        "definition__name_zh",
        "definition__name_en",
        "work_unit__code",
        "work_unit__name_zh",
        "work_unit__name_en",
    )
    found = Q(message_en__icontains=text)
    for place in places:
        found |= Q(**{f"{place}__icontains": text})
    return found


def for_rows(rows: QuerySet[Alarm]) -> QuerySet[Alarm]:
    """Return the rows with everything that `row_of` reads."""
    related = rows.select_related("definition", "work_unit__work_center__area")
    return related.annotate(child_count=Count("children", filter=Q(children__retain=True, children__is_hidden=False)))


def row_of(alarm: Alarm) -> AlarmRow:
    """Return an alarm with its relations loaded as a row."""
    unit, of = alarm.work_unit, alarm.definition
    area = unit.work_center.area
    return AlarmRow(
        id=alarm.pk,
        site_id=alarm.site_id,
        definition_id=of.pk,
        episode_id=alarm.episode_id,
        work_unit_id=unit.pk,
        unit_code=unit.code,
        unit_name_zh=unit.name_zh,
        unit_name_en=unit.name_en,
        area_id=area.pk,
        area_code=area.code,
        area_name_zh=area.name_zh,
        area_name_en=area.name_en,
        code=of.code,
        category=of.category,
        priority=Priority(alarm.priority),
        name_zh=of.name_zh,
        name_en=of.name_en,
        message_zh=alarm.message_zh or of.name_zh,
        message_en=alarm.message_en or of.name_en,
        value=alarm.value,
        count=alarm.count,
        is_enabled=alarm.is_enabled,
        is_active=alarm.is_active,
        is_acked=alarm.is_acked,
        is_confirmed=alarm.is_confirmed,
        is_latched=alarm.is_latched,
        is_uncertain=alarm.is_uncertain,
        is_suppressed=alarm.is_suppressed,
        is_design_suppressed=alarm.is_design_suppressed,
        is_out_of_service=alarm.is_out_of_service,
        shelving=Shelving(alarm.shelving),
        shelved_until=alarm.shelved_until,
        retain=alarm.retain,
        is_hidden=alarm.is_hidden,
        activated_at=alarm.activated_at,
        cleared_at=alarm.cleared_at,
        known_at=alarm.known_at,
        acked_at=alarm.acked_at,
        acked_by=alarm.acked_by,
        note=alarm.note,
        root_id=alarm.root_id,
        child_count=getattr(alarm, "child_count", 0),
    )
