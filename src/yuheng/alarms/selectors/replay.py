"""The alarms as they were shown at a moment: folded from the journal, exactly."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

from django.db.models import OuterRef, Subquery

from yuheng.alarms.models import Alarm, AlarmJournal
from yuheng.alarms.rules import moment, unpacked
from yuheng.alarms.selectors.alarms import AlarmRow, row_of
from yuheng.alarms.selectors.visible import VIEW
from yuheng.engines.alarms.vocabulary import Priority
from yuheng.kernel.actor import Actor


def active_at(*, actor: Actor, site_id: int, at: datetime, with_hidden: bool = False) -> list[AlarmRow]:
    """Alarms of a site that needed somebody at a moment, as they were shown then, in the order of `alarm_list`.

    What was known here at ``at`` decides, not what happened by then at the source: a fact that came later was not
    shown. Two queries.
    """
    actor.require(VIEW, site_id=site_id)
    newest = AlarmJournal.objects.filter(alarm=OuterRef("pk"), known_at__lte=at).order_by("-known_at", "-id")
    alarms = (
        Alarm.objects.filter(site_id=site_id)
        .annotate(line_id=Subquery(newest.values("pk")[:1]))
        .filter(line_id__isnull=False)
        .select_related("definition", "work_unit__work_center__area")
    )
    by_line = {row.line_id: row for row in alarms}
    lines = AlarmJournal.objects.filter(pk__in=list(by_line)).only(
        "pk", "after", "priority", "message_zh", "message_en"
    )
    rows = [_as_then(row_of(by_line[line.pk]), line) for line in lines]
    children: dict[int, int] = {}
    for row in rows:
        if row.root_id is not None and row.retain and not row.is_hidden:
            children[row.root_id] = children.get(row.root_id, 0) + 1
    shown = [
        replace(row, child_count=children.get(row.id, 0))
        for row in rows
        if (row.retain and not row.is_hidden) or (with_hidden and row.is_hidden)
    ]
    return sorted(shown, key=_order)


def _order(row: AlarmRow) -> tuple[Any, ...]:
    since = row.activated_at.timestamp() if row.activated_at else 0.0
    return (row.is_acked, row.priority, -since, -row.id)


def _as_then(row: AlarmRow, line: AlarmJournal) -> AlarmRow:
    """Put what the line says in place of what is true now."""
    after = line.after
    state = unpacked(after["state"], after.get("shelved_until_us"))
    return replace(
        row,
        priority=Priority(line.priority),
        episode_id=after.get("episode"),
        message_zh=line.message_zh or row.name_zh,
        message_en=line.message_en or row.name_en,
        value=after.get("value", ""),
        count=after.get("count", 0),
        is_enabled=state.is_enabled,
        is_active=state.is_active,
        is_acked=state.is_acked,
        is_confirmed=state.is_confirmed,
        is_latched=state.is_latched,
        is_uncertain=state.is_uncertain,
        is_suppressed=state.is_suppressed,
        is_design_suppressed=state.is_design_suppressed,
        is_out_of_service=state.is_out_of_service,
        shelving=state.shelving,
        shelved_until=_moment(after.get("shelved_until_us")),
        retain=state.retain,
        is_hidden=state.is_hidden,
        activated_at=_moment(after.get("activated_us")),
        cleared_at=_moment(after.get("cleared_us")),
        known_at=_moment(after.get("known_us")),
        acked_at=_moment(after.get("acked_us")),
        acked_by=after.get("acked_by", ""),
        note=after.get("note", ""),
        root_id=after.get("root"),
    )


def _moment(us: int | None) -> datetime | None:
    return None if us is None else moment(us)
