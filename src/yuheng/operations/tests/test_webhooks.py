"""Webhooks of orders: who is told what, signed, tried again, given up in sight."""

from __future__ import annotations

from datetime import timedelta

import pytest

from yuheng.config.handlers import EVENTS_OF_ORDERS
from yuheng.kernel.models import OutboxEvent
from yuheng.operations.models import WebhookDelivery
from yuheng.operations.rules.webhooks import MAX_ATTEMPTS
from yuheng.operations.selectors import webhooks as asked
from yuheng.operations.services import webhooks
from yuheng.operations.tests.plant import AT, a_plant, a_released_order, a_simple_product

pytestmark = pytest.mark.django_db


@pytest.fixture
def plant():
    plant = a_plant()
    a_simple_product(plant)
    return plant


def hook(plant, **more):
    return webhooks.write_webhook(
        actor=plant.ben, site_id=plant.site_id, code=more.pop("code", "erp"), url="https://erp.example/", at=AT, **more
    )


def test_a_webhook_is_told_of_the_events_it_wants_once_each(plant):
    hook(plant, events_told=["OrderReleased"])
    hook(plant, code="all")
    a_released_order(plant, "GEAR", 2)
    events = list(OutboxEvent.objects.filter(kind__in=EVENTS_OF_ORDERS).order_by("pk"))
    for event in [*events, *events]:  # delivered at least once
        webhooks.queue_event(event)
    told = WebhookDelivery.objects.filter(webhook__code="erp")
    assert [row.event for row in told] == ["OrderReleased"]
    assert WebhookDelivery.objects.filter(webhook__code="all").count() == len(events)
    message = webhooks.take_due(at=AT)[0]
    assert {"id", "event", "event_id", "at", "data"} == set(message.payload)
    assert len(message.secret) > 20


def test_what_does_not_arrive_is_tried_again_and_given_up_in_sight(plant):
    row = webhooks.send_test(actor=plant.ben, webhook_id=hook(plant).pk, at=AT)
    at = AT
    for _ in range(MAX_ATTEMPTS):
        assert [message.id for message in webhooks.take_due(at=at)] == [row.pk]
        assert webhooks.take_due(at=at) == []
        webhooks.note_failed(delivery_id=row.pk, error="The webhook answers 500.", at=at)
        at += timedelta(minutes=20)
    (dead,) = asked.deliveries(actor=plant.ben, site_id=plant.site_id, state="dead").rows
    assert (dead.attempts, dead.last_error) == (MAX_ATTEMPTS, "The webhook answers 500.")
    assert webhooks.take_due(at=at) == []
    assert webhooks.retry_dead(actor=plant.ben, delivery_ids=[row.pk], at=at) == 1
    assert len(webhooks.take_due(at=at)) == 1
    webhooks.note_sent(delivery_id=row.pk, at=at)
    assert asked.deliveries(actor=plant.ben, site_id=plant.site_id).rows[0].state == "sent"
    assert webhooks.forget_deliveries(at=at + timedelta(days=40)) == 1
