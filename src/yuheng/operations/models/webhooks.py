"""Who outside is told of orders: webhooks and what became of each message."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from yuheng.kernel.models import SiteScopedModel
from yuheng.operations.models.orders import CODE_LENGTH
from yuheng.operations.rules.webhooks import DeliveryState


class OrderWebhook(SiteScopedModel):
    """An address that is told of events. ``events``: their names; empty: all. ``secret`` is never shown."""

    code = models.CharField(max_length=CODE_LENGTH)
    url = models.CharField(max_length=500)
    secret = models.CharField(max_length=200)
    events = models.JSONField(default=list)
    is_enabled = models.BooleanField(default=True)
    changed_at = models.DateTimeField()

    class Meta:
        ordering = ["code"]
        constraints = [
            models.UniqueConstraint(fields=["site", "code"], name="order_webhook_code_once_per_site"),
            models.CheckConstraint(condition=~Q(url=""), name="order_webhook_has_an_address"),
        ]

    def __str__(self) -> str:
        return self.code


class WebhookDelivery(SiteScopedModel):
    """One event to one webhook, and what became of it. ``event_id`` is the outbox row's: the receiver's idempotence."""

    webhook = models.ForeignKey(OrderWebhook, on_delete=models.CASCADE, related_name="deliveries")
    event = models.CharField(max_length=80)
    event_id = models.BigIntegerField()
    payload = models.JSONField(default=dict)
    state = models.CharField(
        max_length=8, choices=[(s.value, s.name) for s in DeliveryState], default=DeliveryState.WAITING.value
    )
    attempts = models.PositiveSmallIntegerField(default=0)
    made_at = models.DateTimeField()
    next_at = models.DateTimeField()
    sent_at = models.DateTimeField(null=True, blank=True)
    last_error = models.CharField(max_length=400, blank=True, default="")

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["webhook", "event_id"], name="one_delivery_per_webhook_and_event"),
        ]
        indexes = [
            models.Index(fields=["next_at"], condition=Q(state="waiting"), name="order_webhook_waiting"),
            models.Index(fields=["site", "-id"], name="order_webhook_of_site"),
        ]

    def __str__(self) -> str:
        return f"{self.webhook_id} <- {self.event}: {self.state}"
