"""Delivery of events."""

from datetime import timedelta

import pytest
from django.db import transaction

from yuheng.equipment.events import EquipmentChanged
from yuheng.kernel.events import publish
from yuheng.kernel.models import OutboxEvent
from yuheng.kernel.outbox import MAX_ATTEMPTS, deliver_pending, poisoned_count, retry_poisoned
from yuheng.testing.builders import SHIFT_START, a_site, an_organisation

pytestmark = pytest.mark.django_db
KIND = "equipment.EquipmentChanged"


def an_event(object_id: int = 1) -> OutboxEvent:
    with transaction.atomic():
        return publish(EquipmentChanged(site_id=1, kind="area", object_id=object_id, change="created"), at=SHIFT_START)


def test_an_event_reaches_its_handlers_once_and_in_order():
    an_event(1), an_event(2)
    seen: list[int] = []

    delivered = deliver_pending({KIND: [lambda e: seen.append(e.payload["object_id"])]}, limit=10, at=SHIFT_START)

    assert (delivered, seen) == (2, [1, 2])
    assert deliver_pending({KIND: [lambda _e: pytest.fail("again")]}, limit=10, at=SHIFT_START) == 0


def test_an_event_nobody_wants_is_delivered():
    an_event()
    assert deliver_pending({}, limit=10, at=SHIFT_START) == 1


def test_a_call_takes_no_more_than_its_limit():
    for number in range(3):
        an_event(number)
    assert deliver_pending({}, limit=2, at=SHIFT_START) == 2


def test_a_failing_handler_leaves_no_trace_but_its_reason_and_is_tried_later():
    an_event()

    def fail(_event: OutboxEvent) -> None:
        an_organisation("half-done")
        raise ValueError("the bus is away")

    assert deliver_pending({KIND: [fail]}, limit=10, at=SHIFT_START) == 0
    event = OutboxEvent.objects.get()
    assert (event.attempts, event.last_error) == (1, "ValueError: the bus is away")
    assert event.delivered_at is None
    assert not type(a_site().organisation).objects.filter(code="half-done").exists()
    assert deliver_pending({KIND: [fail]}, limit=10, at=SHIFT_START) == 0
    assert OutboxEvent.objects.get().attempts == 1  # not due yet
    assert deliver_pending({}, limit=10, at=SHIFT_START + timedelta(seconds=2)) == 1


def test_a_failing_event_does_not_hold_up_those_behind_it():
    an_event(1), an_event(2)
    seen: list[int] = []

    def picky(event: OutboxEvent) -> None:
        if event.payload["object_id"] == 1:
            raise ValueError
        seen.append(event.payload["object_id"])

    assert deliver_pending({KIND: [picky]}, limit=10, at=SHIFT_START) == 1
    assert seen == [2]


def test_a_poisoned_event_is_given_up_visibly_and_can_be_tried_again():
    an_event()

    def fail(_event: OutboxEvent) -> None:
        raise ValueError("never")

    at = SHIFT_START
    for _attempt in range(MAX_ATTEMPTS):
        deliver_pending({KIND: [fail]}, limit=1, at=at)
        at += timedelta(minutes=10)

    assert poisoned_count() == 1
    assert deliver_pending({KIND: [fail]}, limit=1, at=at) == 0
    assert OutboxEvent.objects.get().attempts == MAX_ATTEMPTS
    assert retry_poisoned(at=at) == 1
    assert deliver_pending({}, limit=1, at=at) == 1


@pytest.mark.django_db(transaction=True)
def test_publishing_needs_the_transaction_that_makes_it_true():
    with pytest.raises(RuntimeError):
        publish(EquipmentChanged(site_id=1, kind="area", object_id=1, change="created"), at=SHIFT_START)
