"""Forgetting what is old: bounded tables, with the bounds named here."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import transaction

from yuheng.kernel.models import OutboxEvent
from yuheng.telemetry.models import DeadLetterGroup, WorkUnitState
from yuheng.telemetry.rules import DeadLetterState

KEEP_STATES = timedelta(days=3650)
KEEP_SETTLED_GROUPS = timedelta(days=30)
KEEP_SILENT_GROUPS = timedelta(days=365)
KEEP_DELIVERED_EVENTS = timedelta(days=7)


@transaction.atomic
def forget_old(*, at: datetime) -> dict[str, int]:
    """Delete what is beyond its time; return how many rows of what.

    Open dead letters are kept for a year after the last one came: the stream that holds the messages is bounded too.
    """
    groups = DeadLetterGroup.objects.filter(state__in=[DeadLetterState.RESOLVED, DeadLetterState.REPLAYED])
    forgotten = {
        "states": WorkUnitState.objects.filter(ended_at__lt=at - KEEP_STATES),
        "settled_groups": groups.filter(last_seen_at__lt=at - KEEP_SETTLED_GROUPS),
        "silent_groups": DeadLetterGroup.objects.filter(last_seen_at__lt=at - KEEP_SILENT_GROUPS),
        "events": OutboxEvent.objects.filter(delivered_at__lt=at - KEEP_DELIVERED_EVENTS),
    }
    return {name: rows.delete()[0] for name, rows in forgotten.items()}
