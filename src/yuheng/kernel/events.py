"""Publishing to the outbox: the only way a context tells those above it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, is_dataclass
from datetime import datetime
from typing import Any

from django.db import connection

from yuheng.kernel.models import OutboxEvent


def publish_many(events: Sequence[Any], *, at: datetime) -> None:
    """Store many events, in their order, in one statement. Raises as `publish`."""
    OutboxEvent.objects.bulk_create([_row(event, at) for event in events])


def publish(event: Any, *, at: datetime) -> OutboxEvent:
    """Store a frozen dataclass as an outbox row, inside the caller's transaction.

    Raises
    ------
    RuntimeError
        There is no transaction: the fact and its announcement must become true together.
    """
    row = _row(event, at)
    row.save(force_insert=True)
    return row


def _row(event: Any, at: datetime) -> OutboxEvent:
    if not connection.in_atomic_block:
        raise RuntimeError("publish() needs the transaction that makes the event true.")
    if not is_dataclass(event) or isinstance(event, type):
        raise TypeError("An event is an instance of a frozen dataclass.")
    kind = f"{type(event).__module__.split('.')[1]}.{type(event).__name__}"
    return OutboxEvent(kind=kind, payload=asdict(event), at=at)
