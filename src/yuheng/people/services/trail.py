"""Verbs about the audit trail itself: it is only ever read, and who took a copy is part of it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from yuheng.kernel import audit
from yuheng.kernel.actor import Actor


def note_audit_export(*, actor: Actor, kind: str, wanted: Mapping[str, str], at: datetime) -> None:
    """Record that somebody took a copy of the trail, and which part of it."""
    actor.require("audit.view")
    said = {name: value[:200] for name, value in wanted.items() if value}
    audit.record(actor=actor, action="people.audit_exported", at=at, kind=kind, filter=said)
