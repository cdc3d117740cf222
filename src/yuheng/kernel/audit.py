"""Writing the audit trail."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from yuheng.kernel.actor import Actor
from yuheng.kernel.models import AuditRecord


def record(
    *,
    actor: Actor,
    action: str,
    at: datetime,
    site_id: int | None = None,
    object_kind: str = "",
    object_id: int | str = "",
    **detail: Any,
) -> AuditRecord:
    """Append one audit row inside the caller's transaction. ``detail`` must be JSON and hold no secret."""
    row = _row(actor, action, at, site_id, object_kind, object_id, detail)
    row.save(force_insert=True)
    return row


def record_many(
    *,
    actor: Actor,
    action: str,
    at: datetime,
    site_id: int | None,
    object_kind: str,
    objects: Mapping[str, Mapping[str, Any]],
) -> None:
    """Append a row for each of many objects (by what names it, with its detail) in one statement."""
    AuditRecord.objects.bulk_create(
        [_row(actor, action, at, site_id, object_kind, name, dict(detail)) for name, detail in objects.items()]
    )


def _row(
    actor: Actor,
    action: str,
    at: datetime,
    site_id: int | None,
    object_kind: str,
    object_id: int | str,
    detail: dict[str, Any],
) -> AuditRecord:
    return AuditRecord(
        at=at,
        site_id=site_id,
        actor_kind=actor.kind,
        actor_name=actor.name,
        person_id=actor.person_id,
        impersonator=actor.impersonator,
        action=action,
        object_kind=object_kind,
        object_id=str(object_id),
        detail=detail,
    )
