"""When alarms of some work units were active: bands of a timeline."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Q

from yuheng.alarms.models import AlarmEpisode
from yuheng.alarms.selectors.visible import of_visible_sites
from yuheng.kernel.actor import Actor

MAX_EPISODES = 5_000


@dataclass(frozen=True, slots=True)
class EpisodeSpan:
    """An alarm of a work unit was active from ``start`` until ``end`` (None: still is)."""

    work_unit_id: int
    code: str
    priority: int
    message_zh: str
    message_en: str
    start: datetime
    end: datetime | None


def episodes_between(
    *, actor: Actor, work_unit_ids: Collection[int], start: datetime, end: datetime, limit: int = MAX_EPISODES
) -> list[EpisodeSpan]:
    """Episodes that touch [start, end), by work unit and time; hidden ones are left out. One query."""
    rows = of_visible_sites(AlarmEpisode.objects.all(), actor).filter(
        Q(cleared_at__isnull=True) | Q(cleared_at__gt=start),
        alarm__work_unit_id__in=work_unit_ids,
        activated_at__lt=end,
        was_hidden=False,
    )
    columns = rows.order_by("alarm__work_unit_id", "activated_at").values_list(
        "alarm__work_unit_id",
        "alarm__definition__code",
        "priority",
        "message_zh",
        "message_en",
        "activated_at",
        "cleared_at",
    )
    return [EpisodeSpan(*values) for values in columns[:limit]]
