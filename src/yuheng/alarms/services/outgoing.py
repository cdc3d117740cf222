"""Messages on their way: which are due, what they say, and what became of them. The worker sends between."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import F
from django.utils import translation
from django.utils.translation import gettext as _

from yuheng.alarms.labels import PRIORITY_LABELS
from yuheng.alarms.models import AlarmEpisode, NotificationChannel, NotificationMessage, NotificationRule
from yuheng.alarms.rules import MAX_ATTEMPTS, MessageState, retry_delay_s
from yuheng.alarms.services.plan import ACTOR
from yuheng.engines.alarms.vocabulary import Priority
from yuheng.equipment import selectors as equipment
from yuheng.kernel.calendars import Calendar, shift_at

LOOK_BACK = timedelta(days=7, hours=1)
MAX_WAITING = 5_000
"""Messages of a site that may wait. Policy beyond that: further ones are written down as dropped, and shown."""
BATCH = 50
LANGUAGES = {"zh": "zh-hans", "en": "en"}


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One message as whoever delivers it needs it."""

    id: int
    kind: str
    url: str
    secret: str
    recipient: str
    subject: str
    body: str
    payload: dict[str, Any]


def plan_messages(*, at: datetime) -> int:
    """Write down every message that is due now and was not written before; return how many.

    An episode is told of while it is open, unacknowledged, shown and heads its group: one message for a root, none for
    what is grouped under it, none while it is shelved or suppressed.
    """
    rules = list(NotificationRule.objects.filter(is_enabled=True))
    if not rules:
        return 0
    made = 0
    for site_id in sorted({rule.site_id for rule in rules}):
        made += _plan_site(site_id, [rule for rule in rules if rule.site_id == site_id], at)
    return made


@transaction.atomic
def _plan_site(site_id: int, rules: Sequence[NotificationRule], at: datetime) -> int:
    episodes = _waiting_episodes(site_id, at)
    if not episodes:
        return 0
    channels = {row.code: row for row in NotificationChannel.objects.filter(site_id=site_id, is_enabled=True)}
    units = {episode.alarm.work_unit_id for episode in episodes}
    calendars = equipment.calendars_for(actor=ACTOR, site_id=site_id, work_unit_ids=[None, *sorted(units)])
    written = set(
        NotificationMessage.objects.filter(episode__in=episodes, is_test=False).values_list(
            "rule_id", "step", "episode_id", "recipient"
        )
    )
    room = MAX_WAITING - NotificationMessage.objects.filter(site_id=site_id, state=MessageState.WAITING.value).count()
    rows: list[NotificationMessage] = []
    for episode in episodes:
        for rule in rules:
            if _concerns(rule, episode):
                rows += _due(rule, episode, channels, calendars.get(episode.alarm.work_unit_id), written, at)
    for number, row in enumerate(rows):
        if number >= room:
            row.state, row.last_error = MessageState.DROPPED.value, "Too many messages wait."
    NotificationMessage.objects.bulk_create(rows, ignore_conflicts=True)
    return len(rows)


def _waiting_episodes(site_id: int, at: datetime) -> list[AlarmEpisode]:
    return list(
        AlarmEpisode.objects.filter(
            site_id=site_id,
            ended_at__isnull=True,
            acked_at__isnull=True,
            root__isnull=True,
            known_at__gte=at - LOOK_BACK,
            alarm__episode_id=F("pk"),
            alarm__is_active=True,
            alarm__is_hidden=False,
            alarm__root__isnull=True,
        )
        .select_related("alarm__definition", "alarm__work_unit__work_center__area")
        .order_by("priority", "pk")[:MAX_WAITING]
    )


def _concerns(rule: NotificationRule, episode: AlarmEpisode) -> bool:
    alarm = episode.alarm
    tests = (
        (rule.priorities, alarm.priority),
        (rule.area_ids, alarm.work_unit.work_center.area_id),
        (rule.equipment_class_ids, alarm.work_unit.equipment_class_id),
        (rule.categories, alarm.definition.category),
    )
    return all(not wanted or value in wanted for wanted, value in tests)


def _due(
    rule: NotificationRule,
    episode: AlarmEpisode,
    channels: dict[str, NotificationChannel],
    calendar: Calendar | None,
    written: set[tuple[int | None, int, int | None, str]],
    at: datetime,
) -> Iterable[NotificationMessage]:
    for number, step in enumerate(rule.steps):
        channel = channels.get(step["channel"])
        if channel is None or episode.known_at + timedelta(minutes=step["after_min"]) > at:
            continue
        for recipient in recipients_of(step, channel, calendar, at):
            if (rule.pk, number, episode.pk, recipient) in written:
                continue
            language = step.get("language", "zh")
            subject, body = texts_of(episode, language, number)
            yield NotificationMessage(
                site_id=rule.site_id,
                rule=rule,
                channel=channel,
                episode=episode,
                step=number,
                recipient=recipient,
                language=language,
                subject=subject,
                body=body,
                next_at=at,
                made_at=at,
            )


def recipients_of(
    step: dict[str, Any], channel: NotificationChannel, calendar: Calendar | None, at: datetime
) -> list[str]:
    """Return who is to be told: those without a shift, and those of the shift that runs now; a webhook is one itself.

    When no shift runs, and nobody stands without one, everybody of the step is told: an alarm must reach somebody.
    """
    if channel.kind == "webhook":
        return [channel.url[:320]]
    shift = None if calendar is None else shift_at(calendar, at)
    running = "" if shift is None else shift.shift.code
    chosen = [one for one in step["recipients"] if one["shift"] in ("", running)]
    if not any(one["to"] for one in chosen):
        chosen = step["recipients"]
    return list(dict.fromkeys(address for one in chosen for address in one["to"]))


def texts_of(episode: AlarmEpisode, language: str, step: int) -> tuple[str, str]:
    """Return subject and body in a language."""
    alarm, of = episode.alarm, episode.alarm.definition
    unit = alarm.work_unit
    is_chinese = language != "en"
    with translation.override(LANGUAGES.get(language, "zh-hans")):
        name = of.name_zh if is_chinese else of.name_en
        message = (episode.message_zh if is_chinese else episode.message_en) or name
        guidance = of.guidance_zh if is_chinese else of.guidance_en
        unit_name = unit.name_zh if is_chinese else unit.name_en
        area = unit.work_center.area
        lines = [
            message,
            "",
            _("Work unit: %(code)s %(name)s") % {"code": unit.code, "name": unit_name},
            _("Area: %(name)s") % {"name": area.name_zh if is_chinese else area.name_en},
            _("Priority: %(priority)s") % {"priority": PRIORITY_LABELS[Priority(alarm.priority)]},
            _("Since: %(time)s UTC") % {"time": episode.activated_at.strftime("%Y-%m-%d %H:%M:%S")},
        ]
        if guidance:
            lines += ["", _("What to do: %(guidance)s") % {"guidance": guidance}]
        if step:
            lines += ["", _("Nobody has acknowledged it yet.")]
        priority = str(PRIORITY_LABELS[Priority(alarm.priority)])
        return f"[{priority}] {unit.code} {name}"[:300], "\n".join(lines)


# ---- on the way ------------------------------------------------------------------------------------------------------


@transaction.atomic
def take_due(*, at: datetime, limit: int = BATCH) -> list[Outgoing]:
    """Take messages that are due, and put them off so that a crash makes them due again later, not lost."""
    rows = list(
        NotificationMessage.objects.select_for_update(of=("self",), skip_locked=True)
        .filter(state=MessageState.WAITING.value, next_at__lte=at)
        .select_related("channel", "episode__alarm__definition", "episode__alarm__work_unit")
        .order_by("next_at")[:limit]
    )
    for row in rows:
        row.attempts += 1
        row.next_at = at + timedelta(seconds=retry_delay_s(row.attempts))
    NotificationMessage.objects.bulk_update(rows, ["attempts", "next_at"])
    return [_outgoing(row) for row in rows]


def _outgoing(row: NotificationMessage) -> Outgoing:
    channel = row.channel
    return Outgoing(
        row.pk, channel.kind, channel.url, channel.secret, row.recipient, row.subject, row.body, _payload(row)
    )


def _payload(row: NotificationMessage) -> dict[str, Any]:
    """Return what a webhook is told, as JSON."""
    told: dict[str, Any] = {
        "id": row.pk,
        "kind": "test" if row.is_test else "alarm",
        "subject": row.subject,
        "text": row.body,
        "step": row.step,
        "made_at": row.made_at.isoformat(),
    }
    if row.episode is not None:
        alarm, of, unit = row.episode.alarm, row.episode.alarm.definition, row.episode.alarm.work_unit
        told["alarm"] = {
            "id": alarm.pk,
            "episode_id": row.episode_id,
            "code": of.code,
            "priority": Priority(alarm.priority).name.lower(),
            "category": of.category,
            "work_unit": unit.code,
            "name_zh": of.name_zh,
            "name_en": of.name_en,
            "message_zh": row.episode.message_zh,
            "message_en": row.episode.message_en,
            "value": row.episode.value,
            "activated_at": row.episode.activated_at.isoformat(),
        }
    return told


def note_sent(*, message_id: int, at: datetime) -> None:
    """Write down that a message arrived."""
    NotificationMessage.objects.filter(pk=message_id).update(state=MessageState.SENT.value, sent_at=at, last_error="")


def note_failed(*, message_id: int, error: str, at: datetime) -> None:
    """Write down why a message did not arrive; after `MAX_ATTEMPTS` it is given up, and shown as such."""
    row = NotificationMessage.objects.filter(pk=message_id).first()
    if row is None:
        return
    row.last_error = error[:400]
    if row.attempts >= MAX_ATTEMPTS:
        row.state = MessageState.DEAD.value
    else:
        row.next_at = at + timedelta(seconds=retry_delay_s(row.attempts))
    row.save(update_fields=["last_error", "state", "next_at"])


def forget_messages(*, at: datetime, days: int = 90) -> int:
    """Delete delivered and dropped messages older than so many days; return how many."""
    old = NotificationMessage.objects.filter(made_at__lt=at - timedelta(days=days))
    return old.filter(state__in=[MessageState.SENT.value, MessageState.DROPPED.value]).delete()[0]
