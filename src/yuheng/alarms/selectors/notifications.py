"""Who is told of alarms, and what became of the messages. Secrets are never among the answers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from yuheng.alarms.models import NotificationChannel, NotificationMessage, NotificationRule
from yuheng.alarms.rules import ChannelKind, MessageState
from yuheng.kernel.actor import Actor

EDIT = "alarms.edit"


@dataclass(frozen=True, slots=True)
class ChannelRow:
    """A way out; ``has_secret``: webhook bodies are signed."""

    id: int
    site_id: int
    code: str
    kind: ChannelKind
    url: str
    has_secret: bool
    is_enabled: bool


@dataclass(frozen=True, slots=True)
class NotificationRuleRow:
    """Which alarms are told to whom; see `models.NotificationRule` for the steps."""

    id: int
    site_id: int
    code: str
    name_zh: str
    name_en: str
    is_enabled: bool
    priorities: list[int]
    area_ids: list[int]
    equipment_class_ids: list[int]
    categories: list[str]
    steps: list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class MessageRow:
    """One message and what became of it."""

    id: int
    rule_code: str
    channel_code: str
    channel_kind: ChannelKind
    episode_id: int | None
    alarm_id: int | None
    step: int
    recipient: str
    subject: str
    body: str
    state: MessageState
    attempts: int
    next_at: datetime
    made_at: datetime
    sent_at: datetime | None
    last_error: str
    is_test: bool


def channels(*, actor: Actor, site_id: int) -> list[ChannelRow]:
    """The site's ways out, by code. One query."""
    actor.require(EDIT, site_id=site_id)
    return [
        ChannelRow(row.pk, row.site_id, row.code, ChannelKind(row.kind), row.url, bool(row.secret), row.is_enabled)
        for row in NotificationChannel.objects.filter(site_id=site_id)
    ]


def rules(*, actor: Actor, site_id: int) -> list[NotificationRuleRow]:
    """The site's notification rules, by code. One query."""
    actor.require(EDIT, site_id=site_id)
    return [
        NotificationRuleRow(
            row.pk,
            row.site_id,
            row.code,
            row.name_zh,
            row.name_en,
            row.is_enabled,
            row.priorities,
            row.area_ids,
            row.equipment_class_ids,
            row.categories,
            row.steps,
        )
        for row in NotificationRule.objects.filter(site_id=site_id)
    ]


def messages(*, actor: Actor, site_id: int, state: str = "", limit: int = 200) -> list[MessageRow]:
    """The newest messages, perhaps only those of a state. One query."""
    actor.require(EDIT, site_id=site_id)
    rows = NotificationMessage.objects.filter(site_id=site_id).select_related("rule", "channel", "episode")
    if state:
        rows = rows.filter(state=state)
    return [
        MessageRow(
            id=row.pk,
            rule_code=row.rule.code if row.rule else "",
            channel_code=row.channel.code,
            channel_kind=ChannelKind(row.channel.kind),
            episode_id=row.episode_id,
            alarm_id=row.episode.alarm_id if row.episode else None,
            step=row.step,
            recipient=row.recipient,
            subject=row.subject,
            body=row.body,
            state=MessageState(row.state),
            attempts=row.attempts,
            next_at=row.next_at,
            made_at=row.made_at,
            sent_at=row.sent_at,
            last_error=row.last_error,
            is_test=row.is_test,
        )
        for row in rows.order_by("-id")[:limit]
    ]
