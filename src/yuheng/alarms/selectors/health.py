"""The health of the alarm system: rates, floods, the noisiest, chattering, stale, shelved, never acknowledged."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median

from django.db.models import Q

from yuheng.alarms.models import Alarm, AlarmEpisode
from yuheng.alarms.selectors.alarms import CHATTERING_COUNT, AlarmRow, for_rows, row_of
from yuheng.alarms.selectors.visible import VIEW
from yuheng.engines.alarms import health
from yuheng.engines.alarms.health import Rates
from yuheng.engines.alarms.machine import Shelving
from yuheng.engines.alarms.vocabulary import GUIDE_RATIO, Priority
from yuheng.kernel.actor import Actor

TOP = 10
MAX_EPISODES = 200_000


@dataclass(frozen=True, slots=True)
class NoisyAlarm:
    """One alarm of a span: how often it was raised, how often its condition became active, its share of all."""

    alarm_id: int
    definition_id: int
    code: str
    name_zh: str
    name_en: str
    work_unit_id: int
    unit_code: str
    unit_name_zh: str
    unit_name_en: str
    priority: Priority
    episodes: int
    activations: int
    ratio: float


@dataclass(frozen=True, slots=True)
class AlarmHealth:
    """Everything the alarm-health page shows of ``[start, end)``.

    ``rates`` counts what was announced: neither hidden nor grouped under another. ``ack_median_s`` and ``ack_p95_s``
    are None when nobody acknowledged anything. ``stale`` have been active for more than 24 hours at ``end``.
    ``never_acked`` counts episodes of the span that asked for it and that nobody acknowledged.
    """

    start: datetime
    end: datetime
    rates: Rates
    announced: int
    grouped: int
    hidden: int
    top: list[NoisyAlarm]
    top_ratio: float
    chattering: list[NoisyAlarm]
    stale: list[AlarmRow]
    shelved: list[AlarmRow]
    suppressed: list[AlarmRow]
    out_of_service: list[AlarmRow]
    never_acked: int
    ack_median_s: float | None
    ack_p95_s: float | None
    by_priority: dict[int, int]
    guide_ratio: dict[str, float]


def alarm_health(*, actor: Actor, site_id: int, start: datetime, end: datetime) -> AlarmHealth:
    """Measure the alarm system of a site against ISA-18.2 and EEMUA 191. Five queries."""
    actor.require(VIEW, site_id=site_id)
    spoken = list(
        AlarmEpisode.objects.filter(site_id=site_id, activated_at__gte=start, activated_at__lt=end)
        .order_by("activated_at")
        .values_list(
            "alarm_id", "priority", "activated_at", "known_at", "acked_at", "count", "root_id", "was_hidden", "ended_at"
        )[:MAX_EPISODES]
    )
    announced = [row for row in spoken if not row[7] and row[6] is None]
    waits = sorted(max(0.0, (acked - known).total_seconds()) for _a, _p, _t, known, acked, *_ in announced if acked)
    noisy = _noisy(spoken)
    top = noisy[:TOP]
    hidden = [row_of(row) for row in for_rows(Alarm.objects.filter(site_id=site_id, is_hidden=True))]
    stale_before = end - timedelta(seconds=health.STALE_AFTER_S)
    stale = for_rows(
        Alarm.objects.filter(Q(is_active=True), site_id=site_id, retain=True, activated_at__lt=stale_before)
    ).order_by("activated_at")
    needs = set(
        Alarm.objects.filter(site_id=site_id, definition__acknowledge_required=True).values_list("pk", flat=True)
    )
    return AlarmHealth(
        start=start,
        end=end,
        rates=health.rates([row[2].timestamp() for row in announced], start.timestamp(), end.timestamp()),
        announced=len(announced),
        grouped=sum(row[6] is not None and not row[7] for row in spoken),
        hidden=sum(row[7] for row in spoken),
        top=top,
        top_ratio=sum(row.ratio for row in top),
        chattering=[row for row in noisy if row.activations >= row.episodes + CHATTERING_COUNT - 1],
        stale=[row_of(row) for row in stale],
        shelved=[row for row in hidden if row.shelving is not Shelving.UNSHELVED],
        suppressed=[row for row in hidden if row.is_suppressed or row.is_design_suppressed],
        out_of_service=[row for row in hidden if row.is_out_of_service],
        never_acked=sum(row[4] is None and row[0] in needs for row in announced),
        ack_median_s=median(waits) if waits else None,
        ack_p95_s=waits[min(len(waits) - 1, int(0.95 * len(waits)))] if waits else None,
        by_priority=dict(Counter(row[1] for row in announced)),
        guide_ratio=dict(GUIDE_RATIO),
    )


def _noisy(
    spoken: list[tuple[int, int, datetime, datetime, datetime | None, int, int | None, bool, datetime | None]],
) -> list[NoisyAlarm]:
    """Return every alarm that spoke, the noisiest first. One query."""
    episodes: dict[int, int] = defaultdict(int)
    activations: dict[int, int] = defaultdict(int)
    for row in spoken:
        episodes[row[0]] += 1
        activations[row[0]] += row[5]
    order = sorted(episodes, key=lambda alarm_id: (-episodes[alarm_id], -activations[alarm_id], alarm_id))
    chattering = [a for a in order if activations[a] >= episodes[a] + CHATTERING_COUNT - 1]
    wanted = list(dict.fromkeys([*order[:TOP], *chattering[:50]]))
    alarms = Alarm.objects.select_related("definition", "work_unit").in_bulk(wanted)
    total = max(1, len(spoken))
    return [
        NoisyAlarm(
            alarm_id=pk,
            definition_id=found.definition_id,
            code=found.definition.code,
            name_zh=found.definition.name_zh,
            name_en=found.definition.name_en,
            work_unit_id=found.work_unit_id,
            unit_code=found.work_unit.code,
            unit_name_zh=found.work_unit.name_zh,
            unit_name_en=found.work_unit.name_en,
            priority=Priority(found.priority),
            episodes=episodes[pk],
            activations=activations[pk],
            ratio=episodes[pk] / total,
        )
        for pk, found in ((pk, alarms[pk]) for pk in wanted)
    ]
