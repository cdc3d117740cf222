"""Who outside is told of orders, and what became of the messages. Secrets are never among the answers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from yuheng.kernel.actor import Actor
from yuheng.operations.models import OrderWebhook, WebhookDelivery
from yuheng.operations.rules.webhooks import DeliveryState
from yuheng.operations.selectors.pages import PAGE, Page, newest, older_than

EDIT = "orders.edit"


@dataclass(frozen=True, slots=True)
class WebhookRow:
    """A webhook; ``events`` empty: it is told of all."""

    id: int
    site_id: int
    code: str
    url: str
    events: list[str]
    is_enabled: bool


@dataclass(frozen=True, slots=True)
class DeliveryRow:
    """One message and what became of it."""

    id: int
    webhook_code: str
    event: str
    event_id: int
    payload: dict[str, Any]
    state: DeliveryState
    attempts: int
    made_at: datetime
    next_at: datetime
    sent_at: datetime | None
    last_error: str


def webhooks(*, actor: Actor, site_id: int) -> list[WebhookRow]:
    """The site's webhooks, by code. One query."""
    actor.require(EDIT, site_id=site_id)
    rows = OrderWebhook.objects.filter(site_id=site_id).order_by("code")
    return [WebhookRow(row.pk, row.site_id, row.code, row.url, row.events, row.is_enabled) for row in rows]


def deliveries(
    *, actor: Actor, site_id: int, state: str = "", cursor: str = "", limit: int = PAGE
) -> Page[DeliveryRow]:
    """The newest messages, perhaps only those of a state: ``dead`` are the ones given up. One query."""
    actor.require(EDIT, site_id=site_id)
    rows = WebhookDelivery.objects.filter(older_than(cursor), site_id=site_id)
    if state:
        rows = rows.filter(state=state)
    columns = (
        "pk", "webhook__code", "event", "event_id", "payload", "state", "attempts", "made_at", "next_at", "sent_at",
        "last_error",
    )  # fmt: skip

    def made(values: tuple[Any, ...]) -> DeliveryRow:
        row: tuple[Any, ...] = (*values[:5], DeliveryState(values[5]), *values[6:])
        return DeliveryRow(*row)

    return newest(rows.order_by("-pk").values_list(*columns), made, limit=limit)
