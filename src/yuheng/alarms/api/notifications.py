"""JSON edge: who is told of alarms, and what became of the messages."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any, Literal

from django.http import HttpRequest
from ninja import Field, Router, Schema, Status

from yuheng.alarms.api.arguments import now, word
from yuheng.alarms.rules import ChannelKind
from yuheng.alarms.selectors import notifications
from yuheng.alarms.services import notifications as services
from yuheng.engines.alarms.vocabulary import Priority
from yuheng.people.identity import actor_of

router = Router(tags=["alarms"])


class ChannelIn(Schema):
    """A way out. A webhook without ``secret`` keeps the one it has, or gets one."""

    kind: Literal["mail", "webhook"]
    url: str = ""
    secret: str | None = None
    is_enabled: bool = True


class ChannelOut(Schema):
    """A way out; its secret is not told again."""

    id: int
    site_id: int
    code: str
    kind: str
    url: str
    has_secret: bool
    is_enabled: bool


class WrittenChannelOut(Schema):
    """The secret is told when a webhook is written, and never again."""

    id: int
    code: str
    secret: str


class RecipientIn(Schema):
    """Mail addresses for one shift; without a shift, for all."""

    shift: str = ""
    to: Annotated[list[str], Field(max_length=100)]


class StepIn(Schema):
    """What happens how many minutes after the alarm, if nobody has acknowledged it by then."""

    after_min: Annotated[float, Field(ge=0, le=10080)] = 0
    channel: str
    language: Literal["zh", "en"] = "zh"
    recipients: list[RecipientIn] = []


class NotificationRuleIn(Schema):
    """Which alarms are told to whom; empty lists mean all."""

    name_zh: str
    name_en: str
    steps: Annotated[list[StepIn], Field(min_length=1, max_length=10)]
    priorities: list[Literal["critical", "high", "medium", "low"]] = []
    area_ids: list[int] = []
    equipment_class_ids: list[int] = []
    categories: list[Literal["safety", "quality", "process", "equipment", "utility", "communication"]] = []
    is_enabled: bool = True


class NotificationRuleOut(NotificationRuleIn):
    """A rule; one that was left without steps tells nobody, and can still be seen."""

    steps: list[StepIn]

    id: int
    site_id: int
    code: str


class MessageOut(Schema):
    """One message and what became of it."""

    id: int
    rule_code: str
    channel_code: str
    channel_kind: str
    episode_id: int | None
    alarm_id: int | None
    step: int
    recipient: str
    subject: str
    body: str
    state: str
    attempts: int
    next_at: datetime
    made_at: datetime
    sent_at: datetime | None
    last_error: str
    is_test: bool


class TestIn(Schema):
    """To whom; a webhook needs nobody."""

    recipient: str = ""


class MessageIdsIn(Schema):
    """Which messages."""

    message_ids: Annotated[list[int], Field(min_length=1, max_length=1000)]


class NotificationCountOut(Schema):
    """How many."""

    count: int


@router.get("/notification-channels", response=list[ChannelOut])
def list_channels(request: HttpRequest, site_id: int) -> list[dict[str, Any]]:
    """List a site's ways out."""
    return [asdict(row) for row in notifications.channels(actor=actor_of(request), site_id=site_id)]


@router.put("/notification-channels/{int:site_id}/{code}", response=WrittenChannelOut)
def write_channel(request: HttpRequest, site_id: int, code: str, body: ChannelIn) -> dict[str, Any]:
    """Create or change a way out."""
    row = services.write_channel(
        actor=actor_of(request),
        site_id=site_id,
        code=code,
        kind=ChannelKind(body.kind),
        url=body.url,
        secret=body.secret,
        is_enabled=body.is_enabled,
        at=now(),
    )
    return {"id": row.pk, "code": row.code, "secret": row.secret}


@router.delete("/notification-channels/{int:channel_id}", response={204: None})
def remove_channel(request: HttpRequest, channel_id: int) -> Status[None]:
    """Remove a way out with its messages."""
    services.remove_channel(actor=actor_of(request), channel_id=channel_id, at=now())
    return Status(204, None)


@router.post("/notification-channels/{int:channel_id}/test", response=NotificationCountOut)
def send_test(request: HttpRequest, channel_id: int, body: TestIn) -> dict[str, int]:
    """Send a test message; what became of it is in the log within seconds."""
    services.send_test(actor=actor_of(request), channel_id=channel_id, recipient=body.recipient, at=now())
    return {"count": 1}


@router.get("/notification-rules", response=list[NotificationRuleOut])
def list_rules(request: HttpRequest, site_id: int) -> list[dict[str, Any]]:
    """List a site's notification rules."""
    rows = notifications.rules(actor=actor_of(request), site_id=site_id)
    return [{**asdict(row), "priorities": [word(priority) for priority in row.priorities]} for row in rows]


@router.put("/notification-rules/{int:site_id}/{code}", response=NotificationCountOut)
def write_rule(request: HttpRequest, site_id: int, code: str, body: NotificationRuleIn) -> dict[str, int]:
    """Create or change a rule."""
    given = body.model_dump()
    services.write_rule(
        actor=actor_of(request),
        site_id=site_id,
        code=code,
        at=now(),
        **{**given, "priorities": [Priority[name.upper()].value for name in body.priorities]},
    )
    return {"count": 1}


@router.delete("/notification-rules/{int:rule_id}", response={204: None})
def remove_rule(request: HttpRequest, rule_id: int) -> Status[None]:
    """Remove a rule; what it sent stays in the log."""
    services.remove_rule(actor=actor_of(request), rule_id=rule_id, at=now())
    return Status(204, None)


@router.get("/notifications", response=list[MessageOut])
def list_messages(
    request: HttpRequest, site_id: int, state: str = "", limit: Annotated[int, Field(ge=1, le=1000)] = 200
) -> list[dict[str, Any]]:
    """List the newest messages, perhaps only those ``waiting``, ``sent``, ``dead`` or ``dropped``."""
    rows = notifications.messages(actor=actor_of(request), site_id=site_id, state=state, limit=limit)
    return [asdict(row) for row in rows]


@router.post("/notifications/retry", response=NotificationCountOut)
def retry(request: HttpRequest, body: MessageIdsIn) -> dict[str, int]:
    """Try messages again that were given up."""
    return {"count": services.retry_dead(actor=actor_of(request), message_ids=body.message_ids, at=now())}
