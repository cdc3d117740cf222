"""Delivering what contexts published: at least once, in order, with failures visible."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q

from yuheng.kernel.models import OutboxEvent

LOGGER = logging.getLogger(__name__)

Handler = Callable[[OutboxEvent], None]
"""What reacts to an event. Idempotent: it may see the same event again. Its writes share the event's transaction."""

MAX_ATTEMPTS = 8
FIRST_DELAY_S = 1.0
LONGEST_DELAY_S = 300.0


def deliver_pending(handlers: Mapping[str, Sequence[Handler]], *, limit: int, at: datetime) -> int:
    """Deliver events that are due, oldest first, each in its own transaction.

    Parameters
    ----------
    handlers
        Event kind (``"equipment.EquipmentChanged"``) -> those who react. A kind nobody wants counts as delivered.
    limit
        At most so many events are taken in this call.
    at
        Now, aware UTC. Decides which retries are due.

    Returns
    -------
    int
        Events delivered. Failed ones are not counted: they keep ``attempts`` and ``last_error``, wait (doubling from
        1 s to 5 min), and after ``MAX_ATTEMPTS`` are marked ``poisoned_at``.

    Notes
    -----
    Several workers may call this at once: an event is claimed with ``FOR UPDATE SKIP LOCKED``. A failing event does
    not stop those behind it, so a handler must not rely on the order of events of different objects.
    """
    delivered = 0
    for _ in range(limit):
        outcome = _deliver_next(handlers, at)
        if outcome is None:
            break
        delivered += outcome
    return delivered


def poisoned_count() -> int:
    """How many events were given up. One query."""
    return OutboxEvent.objects.filter(poisoned_at__isnull=False, delivered_at__isnull=True).count()


def retry_poisoned(*, at: datetime) -> int:
    """Give every poisoned event a fresh set of attempts; return how many there were."""
    return OutboxEvent.objects.filter(poisoned_at__isnull=False, delivered_at__isnull=True).update(
        poisoned_at=None, attempts=0, retry_at=at
    )


@transaction.atomic
def _deliver_next(handlers: Mapping[str, Sequence[Handler]], at: datetime) -> int | None:
    """Deliver one event: 1 when it went well, 0 when it failed, None when nothing is due."""
    event = (
        OutboxEvent.objects.select_for_update(skip_locked=True)
        .filter(delivered_at__isnull=True, poisoned_at__isnull=True)
        .filter(Q(retry_at__isnull=True) | Q(retry_at__lte=at))
        .order_by("id")
        .first()
    )
    if event is None:
        return None
    try:
        with transaction.atomic():
            for handler in handlers.get(event.kind, ()):
                handler(event)
    except Exception as error:  # a handler's bug must not stop the events behind it
        LOGGER.exception("Event %s could not be delivered.", event)
        _record_failure(event, error, at)
        return 0
    event.delivered_at = at
    event.attempts += 1
    event.save(update_fields=["delivered_at", "attempts"])
    return 1


def _record_failure(event: OutboxEvent, error: Exception, at: datetime) -> None:
    event.attempts += 1
    event.last_error = f"{type(error).__name__}: {error}"[:2000]
    delay_s = min(FIRST_DELAY_S * 2 ** (event.attempts - 1), LONGEST_DELAY_S)
    event.retry_at = at + timedelta(seconds=delay_s)
    if event.attempts >= MAX_ATTEMPTS:
        event.poisoned_at = at
    event.save(update_fields=["attempts", "last_error", "retry_at", "poisoned_at"])
