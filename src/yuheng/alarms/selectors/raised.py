"""The times that alarms were raised, as rows of pages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from django.db.models import F, Q

from yuheng.alarms.models import AlarmEpisode
from yuheng.alarms.selectors.visible import VIEW, of_visible_sites
from yuheng.engines.alarms.vocabulary import Priority
from yuheng.kernel.actor import Actor


@dataclass(frozen=True, slots=True)
class EpisodeRow:
    """One time that an alarm was raised; times that have not come are None. ``count``: how often it became active."""

    id: int
    priority: Priority
    activated_at: datetime
    cleared_at: datetime | None
    acked_at: datetime | None
    acked_by: str
    confirmed_at: datetime | None
    ended_at: datetime | None
    count: int
    value: str
    message_zh: str
    message_en: str
    was_hidden: bool

    @property
    def ack_s(self) -> float | None:
        """Seconds from being raised to being acknowledged."""
        return None if self.acked_at is None else max(0.0, (self.acked_at - self.activated_at).total_seconds())

    @property
    def active_s(self) -> float | None:
        """Seconds for which it was active; None while it still is."""
        return None if self.cleared_at is None else max(0.0, (self.cleared_at - self.activated_at).total_seconds())


def episodes_of(*, actor: Actor, alarm_id: int, limit: int = 50) -> list[EpisodeRow]:
    """The newest episodes of an alarm. One query; of an alarm that is not visible there are none."""
    rows = of_visible_sites(AlarmEpisode.objects.filter(alarm_id=alarm_id), actor)
    return [_episode(row) for row in rows.order_by("-activated_at", "-id")[:limit]]


def _episode(row: AlarmEpisode) -> EpisodeRow:
    return EpisodeRow(
        id=row.pk,
        priority=Priority(row.priority),
        activated_at=row.activated_at,
        cleared_at=row.cleared_at,
        acked_at=row.acked_at,
        acked_by=row.acked_by,
        confirmed_at=row.confirmed_at,
        ended_at=row.ended_at,
        count=row.count,
        value=row.value,
        message_zh=row.message_zh,
        message_en=row.message_en,
        was_hidden=row.was_hidden,
    )


class Announced(StrEnum):
    """Which episodes of a span: the rows behind the figures of the health page."""

    ALL = "all"  # announced: neither hidden nor grouped under another
    NEVER_ACKED = "never"  # announced, asked for it, and nobody acknowledged
    ACKED = "acked"
    GROUPED = "grouped"
    HIDDEN = "hidden"


@dataclass(frozen=True, slots=True)
class SpanEpisode:
    """An episode with whose it is."""

    alarm_id: int
    code: str
    name_zh: str
    name_en: str
    work_unit_id: int
    unit_code: str
    unit_name_zh: str
    unit_name_en: str
    episode: EpisodeRow


def episodes_raised(
    *,
    actor: Actor,
    site_id: int,
    start: datetime,
    end: datetime,
    which: Announced = Announced.ALL,
    priorities: Sequence[int] = (),
    limit: int = 500,
) -> list[SpanEpisode]:
    """Episodes raised in ``[start, end)``; those acknowledged latest first where that is asked, else newest first."""
    actor.require(VIEW, site_id=site_id)
    rows = AlarmEpisode.objects.filter(site_id=site_id, activated_at__gte=start, activated_at__lt=end)
    rows = rows.filter(_WHICH[which]).select_related("alarm__definition", "alarm__work_unit")
    if priorities:
        rows = rows.filter(priority__in=priorities)
    wait = F("acked_at") - F("activated_at")
    rows = rows.order_by(wait.desc()) if which is Announced.ACKED else rows.order_by("-activated_at", "-id")
    return [
        SpanEpisode(
            alarm_id=row.alarm_id,
            code=row.alarm.definition.code,
            name_zh=row.alarm.definition.name_zh,
            name_en=row.alarm.definition.name_en,
            work_unit_id=row.alarm.work_unit_id,
            unit_code=row.alarm.work_unit.code,
            unit_name_zh=row.alarm.work_unit.name_zh,
            unit_name_en=row.alarm.work_unit.name_en,
            episode=_episode(row),
        )
        for row in rows[:limit]
    ]


_SPOKEN = Q(was_hidden=False, root__isnull=True)
_WHICH: dict[Announced, Q] = {
    Announced.ALL: _SPOKEN,
    Announced.NEVER_ACKED: _SPOKEN & Q(acked_at__isnull=True, alarm__definition__acknowledge_required=True),
    Announced.ACKED: _SPOKEN & Q(acked_at__isnull=False),
    Announced.GROUPED: Q(was_hidden=False, root__isnull=False),
    Announced.HIDDEN: Q(was_hidden=True),
}
