"""Writing the audit trail."""

from __future__ import annotations

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
    return AuditRecord.objects.create(
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
