"""Webhooks of orders: who is told, and the messages on their way. The worker sends between; see `config.worker`."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from django.db import transaction
from django.utils.translation import gettext as _

from yuheng.kernel import audit
from yuheng.kernel.actor import Actor
from yuheng.kernel.errors import NotVisible
from yuheng.kernel.events import publish
from yuheng.kernel.models import OutboxEvent
from yuheng.operations import events
from yuheng.operations.events import DeliveriesWaiting
from yuheng.operations.models import OrderWebhook, WebhookDelivery
from yuheng.operations.rules.webhooks import MAX_ATTEMPTS, DeliveryState, retry_delay_s
from yuheng.operations.services.access import ORDERS, locked
from yuheng.operations.services.checks import check_code, refuse

MAX_WAITING = 10_000
"""Messages of a site that may wait. Policy beyond that: further ones are written down as dropped, and shown."""
BATCH = 50
TOLD = tuple(
    name
    for name, kind in vars(events).items()
    if isinstance(kind, type) and hasattr(kind, "__dataclass_fields__") and kind is not DeliveriesWaiting
)
"""Names of the events that can be told."""


@dataclass(frozen=True, slots=True)
class WebhookMessage:
    """One message to be sent."""

    id: int
    url: str
    secret: str
    payload: dict[str, Any]


@transaction.atomic
def write_webhook(
    *,
    actor: Actor,
    site_id: int,
    code: str,
    url: str,
    at: datetime,
    events_told: Sequence[str] = (),
    secret: str | None = None,
    is_enabled: bool = True,
) -> OrderWebhook:
    """Create or change a webhook by its code; ``secret`` None keeps the one there is, or makes one.

    Raises
    ------
    PermissionRefused, InvalidInput
    """
    actor.require(ORDERS, site_id=site_id)
    wrong = check_code(code)
    if not _is_web_address(url):
        wrong["url"] = _("A webhook needs an address that begins with http:// or https://.")
    if secret is not None and not 8 <= len(secret) <= 200:
        wrong["secret"] = _("A secret has between 8 and 200 characters.")
    if unknown := sorted(set(events_told) - set(TOLD)):
        wrong["events"] = _("There is no event %(names)s.") % {"names": ", ".join(unknown)[:200]}
    refuse(_("The webhook cannot be accepted as it is."), wrong)
    row = OrderWebhook.objects.select_for_update(no_key=True).filter(site_id=site_id, code=code.strip()).first()
    row = row or OrderWebhook(site_id=site_id, code=code.strip())
    row.url, row.events, row.is_enabled, row.changed_at = url, sorted(set(events_told)), is_enabled, at
    row.secret = secret or row.secret or secrets.token_urlsafe(32)
    row.save()
    _audit(row, "write", actor=actor, at=at, url=url, is_enabled=is_enabled)
    return row


@transaction.atomic
def remove_webhook(*, actor: Actor, webhook_id: int, at: datetime) -> None:
    """Remove a webhook with its messages. Raises `PermissionRefused`, `NotVisible`."""
    row = locked(OrderWebhook, actor=actor, pk=webhook_id, permission=ORDERS)
    _audit(row, "remove", actor=actor, at=at)
    row.delete()


@transaction.atomic
def send_test(*, actor: Actor, webhook_id: int, at: datetime) -> WebhookDelivery:
    """Queue a test message; what became of it is in the log within seconds.

    Raises `PermissionRefused`, `NotVisible`.
    """
    row = locked(OrderWebhook, actor=actor, pk=webhook_id, permission=ORDERS)
    event = publish(DeliveriesWaiting(site_id=row.site_id), at=at)
    made = WebhookDelivery.objects.create(
        site_id=row.site_id, webhook=row, event="Test", event_id=event.pk, payload={"site_id": row.site_id},
        made_at=at, next_at=at,
    )  # fmt: skip
    _audit(row, "test", actor=actor, at=at)
    return made


@transaction.atomic
def retry_dead(*, actor: Actor, delivery_ids: Sequence[int], at: datetime) -> int:
    """Try messages again that were given up; return how many. Raises `PermissionRefused`, `NotVisible`."""
    actor.require(ORDERS)
    rows = WebhookDelivery.objects.visible_to(actor).filter(pk__in=list(delivery_ids), state=DeliveryState.DEAD.value)
    sites = sorted(set(rows.values_list("site_id", flat=True)))
    if not sites:
        raise NotVisible(_("There is no such thing here."))
    for site_id in sites:
        actor.require(ORDERS, site_id=site_id)
    count = rows.update(state=DeliveryState.WAITING.value, attempts=0, next_at=at)
    for site_id in sites:
        publish(DeliveriesWaiting(site_id=site_id), at=at)
        audit.record(actor=actor, action="webhook.retry", at=at, site_id=site_id, object_kind="webhook", count=count)
    return int(count)


# ---- on the way; for the worker -------------------------------------------------------------------------------------


def queue_event(event: OutboxEvent) -> int:
    """Write a message for every webhook that wants an event; return how many. Idempotent. At most three queries."""
    name, site_id = event.kind.partition(".")[2], event.payload.get("site_id")
    hooks = [
        hook
        for hook in OrderWebhook.objects.filter(site_id=site_id, is_enabled=True)
        if not hook.events or name in hook.events
    ]
    if not hooks:
        return 0
    waiting = WebhookDelivery.objects.filter(site_id=site_id, state=DeliveryState.WAITING.value).count()
    state = DeliveryState.WAITING if waiting < MAX_WAITING else DeliveryState.DROPPED
    WebhookDelivery.objects.bulk_create(
        [
            WebhookDelivery(
                site_id=site_id, webhook=hook, event=name, event_id=event.pk, payload=event.payload,
                state=state.value, made_at=event.at, next_at=event.at,
            )
            for hook in hooks
        ],
        ignore_conflicts=True,
    )  # fmt: skip
    return len(hooks)


@transaction.atomic
def take_due(*, at: datetime, limit: int = BATCH) -> list[WebhookMessage]:
    """Take messages that are due, and put them off so that a crash makes them due again later, not lost."""
    rows = list(
        WebhookDelivery.objects.select_for_update(of=("self",), skip_locked=True)
        .filter(state=DeliveryState.WAITING.value, next_at__lte=at)
        .select_related("webhook")
        .order_by("next_at", "pk")[:limit]
    )
    for row in rows:
        row.attempts += 1
        row.next_at = at + timedelta(seconds=retry_delay_s(row.attempts))
    WebhookDelivery.objects.bulk_update(rows, ["attempts", "next_at"])
    return [
        WebhookMessage(
            row.pk,
            row.webhook.url,
            row.webhook.secret,
            {
                "id": row.pk,
                "event": row.event,
                "event_id": row.event_id,
                "at": row.made_at.isoformat(),
                "data": row.payload,
            },
        )
        for row in rows
    ]


def note_sent(*, delivery_id: int, at: datetime) -> None:
    """Write down that a message arrived."""
    WebhookDelivery.objects.filter(pk=delivery_id).update(state=DeliveryState.SENT.value, sent_at=at, last_error="")


def note_failed(*, delivery_id: int, error: str, at: datetime) -> None:
    """Write down why a message did not arrive; after `MAX_ATTEMPTS` it is given up, and shown as such."""
    row = WebhookDelivery.objects.filter(pk=delivery_id).first()
    if row is None:
        return
    row.last_error = error[:400]
    if row.attempts >= MAX_ATTEMPTS:
        row.state = DeliveryState.DEAD.value
    else:
        row.next_at = at + timedelta(seconds=retry_delay_s(row.attempts))
    row.save(update_fields=["last_error", "state", "next_at"])


def forget_deliveries(*, at: datetime, days: int = 30) -> int:
    """Delete sent and dropped messages older than so many days; return how many."""
    old = WebhookDelivery.objects.filter(made_at__lt=at - timedelta(days=days))
    return int(old.filter(state__in=[DeliveryState.SENT.value, DeliveryState.DROPPED.value]).delete()[0])


def _is_web_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname) and len(url) <= 500 and url.isascii()


def _audit(row: OrderWebhook, action: str, *, actor: Actor, at: datetime, **detail: Any) -> None:
    audit.record(
        actor=actor, action=f"webhook.{action}", at=at, site_id=row.site_id, object_kind="webhook", object_id=row.code,
        **detail,
    )  # fmt: skip
