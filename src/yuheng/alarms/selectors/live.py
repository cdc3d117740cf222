"""Alarms as the live stream carries them; for the worker, which acts for nobody."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict
from datetime import datetime
from typing import Any

from django.db.models import Count

from yuheng.alarms.models import Alarm
from yuheng.alarms.rules import microseconds, packed
from yuheng.alarms.selectors.alarms import counts_of_site
from yuheng.bus.messages import AlarmCountsLive, AlarmLive
from yuheng.engines.alarms.machine import AlarmState, Shelving

HEADLINES = 1_000
"""Lines that a screen may show; more are counted, the most urgent are shown."""

_COLUMNS = (
    "pk",
    "work_unit_id",
    "definition_id",
    "priority",
    "activated_at",
    "cleared_at",
    "count",
    "acked_by",
    "value",
    "message_zh",
    "message_en",
    "changed_at",
    "root_id",
    "retain",
    "is_hidden",
    "is_enabled",
    "is_active",
    "is_acked",
    "is_confirmed",
    "is_latched",
    "is_uncertain",
    "is_suppressed",
    "is_design_suppressed",
    "is_out_of_service",
    "shelving",
    "definition__name_zh",
    "definition__name_en",
)


def live_counts(site_id: int) -> AlarmCountsLive:
    """How many alarms of a site need somebody. One query."""
    return AlarmCountsLive(**asdict(counts_of_site(site_id)))


def live_headlines(site_id: int) -> list[AlarmLive]:
    """The lines of the headline list, most urgent first, at most `HEADLINES`. Two queries."""
    rows = Alarm.objects.filter(site_id=site_id, retain=True, is_hidden=False, root__isnull=True)
    return _live(rows.order_by("is_acked", "priority", "-activated_at", "-id")[:HEADLINES], site_id)


def live_alarms(site_id: int, alarm_ids: Collection[int]) -> list[AlarmLive]:
    """These alarms, and the roots of their groups, whose lines say how many are below. Three queries."""
    roots = Alarm.objects.filter(pk__in=alarm_ids, root__isnull=False).values_list("root_id", flat=True)
    wanted = {*alarm_ids, *(pk for pk in roots if pk is not None)}
    return _live(Alarm.objects.filter(pk__in=wanted, site_id=site_id), site_id)


def _live(rows: object, site_id: int) -> list[AlarmLive]:
    assert hasattr(rows, "values_list")
    grouped = Alarm.objects.filter(root__isnull=False, site_id=site_id, retain=True, is_hidden=False)
    below = dict(grouped.order_by("root_id").values_list("root_id").annotate(Count("pk")))
    return [_row(columns, below) for columns in rows.values_list(*_COLUMNS)]


def _row(columns: tuple[Any, ...], below: dict[int, int]) -> AlarmLive:
    of: dict[str, Any] = dict(zip(_COLUMNS, columns, strict=True))
    pk = of["pk"]
    flags = {name: bool(of[name]) for name in _COLUMNS[15:24]}
    state = AlarmState(**flags, shelving=Shelving(str(of["shelving"])))
    root = of["root_id"]
    return AlarmLive(
        alarm_id=pk,
        work_unit_id=of["work_unit_id"],
        definition_id=of["definition_id"],
        priority=of["priority"],
        bits=packed(state),
        activated_us=_us(of["activated_at"]),
        cleared_us=_us(of["cleared_at"]),
        count=of["count"],
        child_count=below.get(pk, 0),
        acked_by=str(of["acked_by"]),
        value=str(of["value"]),
        message_zh=str(of["message_zh"] or of["definition__name_zh"]),
        message_en=str(of["message_en"] or of["definition__name_en"]),
        changed_us=_us(of["changed_at"]),
        root_id=root if isinstance(root, int) else 0,
        is_shown=bool(of["retain"]) and not of["is_hidden"],
    )


def _us(at: object) -> int:
    return microseconds(at) if isinstance(at, datetime) else 0
