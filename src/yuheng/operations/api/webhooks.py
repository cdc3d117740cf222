"""JSON edge: webhooks of orders and what became of their messages."""

from __future__ import annotations

from typing import Annotated, Any

from django.http import HttpRequest
from ninja import Field, Query, Router, Schema, Status

from yuheng.operations.api.schemas import Limit, now, page_of, schema_of
from yuheng.operations.selectors import webhooks as asked
from yuheng.operations.selectors.pages import Page
from yuheng.operations.selectors.webhooks import DeliveryRow, WebhookRow
from yuheng.operations.services import webhooks
from yuheng.people.identity import actor_of

router = Router(tags=["orders"])
WebhookOut = schema_of(WebhookRow)
DeliveryPageOut = page_of(DeliveryRow)


class WebhookIn(Schema):
    """An address that is told of events (none named: all). Without ``secret`` one is kept, or made."""

    site_id: int
    webhook: Annotated[str, Field(min_length=1, max_length=80)]
    url: Annotated[str, Field(max_length=500)]
    events: Annotated[list[Annotated[str, Field(max_length=80)]], Field(max_length=100)] = []
    secret: Annotated[str, Field(max_length=200)] | None = None
    is_enabled: bool = True


class WebhookWrittenOut(Schema):
    """The webhook; ``secret`` only here, and only when it was made now."""

    id: int
    secret: str


class RetryIn(Schema):
    """Messages that were given up."""

    delivery_ids: Annotated[list[int], Field(min_length=1, max_length=1000)]


class RetriedOut(Schema):
    """How many are tried again."""

    retried: int


@router.get("/order-webhooks", response=list[WebhookOut])  # type: ignore[valid-type]
def order_webhooks(request: HttpRequest, site_id: int) -> list[WebhookRow]:
    """The site's webhooks; never their secrets."""
    return asked.webhooks(actor=actor_of(request), site_id=site_id)


@router.put("/order-webhooks", response=WebhookWrittenOut)
def write_order_webhook(request: HttpRequest, body: WebhookIn) -> dict[str, Any]:
    """Create or change a webhook by its code."""
    known = {row.code for row in asked.webhooks(actor=actor_of(request), site_id=body.site_id)}
    row = webhooks.write_webhook(
        actor=actor_of(request), site_id=body.site_id, code=body.webhook, url=body.url, events_told=body.events,
        secret=body.secret, is_enabled=body.is_enabled, at=now(),
    )  # fmt: skip
    is_made = body.secret is None and body.webhook.strip() not in known
    return {"id": row.pk, "secret": row.secret if is_made else ""}


@router.delete("/order-webhooks/{int:webhook_id}", response={204: None})
def remove_order_webhook(request: HttpRequest, webhook_id: int) -> Status[None]:
    """Remove a webhook with its messages."""
    webhooks.remove_webhook(actor=actor_of(request), webhook_id=webhook_id, at=now())
    return Status(204, None)


@router.post("/order-webhooks/{int:webhook_id}/test", response={204: None})
def try_order_webhook(request: HttpRequest, webhook_id: int) -> Status[None]:
    """Send a test message; what became of it is among the deliveries within seconds."""
    webhooks.send_test(actor=actor_of(request), webhook_id=webhook_id, at=now())
    return Status(204, None)


@router.get("/order-deliveries", response=DeliveryPageOut)
def order_deliveries(
    request: HttpRequest, site_id: int, state: Annotated[str, Query(max_length=8)] = "",
    cursor: Annotated[str, Query(max_length=60)] = "", limit: Limit = 50,
) -> Page[DeliveryRow]:  # fmt: skip
    """Messages to webhooks, newest first; ``dead`` are those given up."""
    return asked.deliveries(actor=actor_of(request), site_id=site_id, state=state, cursor=cursor, limit=limit)


@router.post("/order-deliveries/retry", response=RetriedOut)
def retry_order_deliveries(request: HttpRequest, body: RetryIn) -> dict[str, int]:
    """Try messages again that were given up."""
    return {"retried": webhooks.retry_dead(actor=actor_of(request), delivery_ids=body.delivery_ids, at=now())}
