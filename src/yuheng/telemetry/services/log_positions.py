"""How far a stream was taken in; changed in the transaction that takes it in."""

from __future__ import annotations

from yuheng.telemetry.models import LogPosition


def position_of(*, stream: str, made_at: str) -> int:
    """Return the last sequence taken in, locked; 0 for a stream not seen, or made anew since."""
    row = LogPosition.objects.select_for_update().filter(pk=stream).first()
    return row.sequence if row is not None and row.stream_made_at == made_at else 0


def advance(*, stream: str, made_at: str, sequence: int) -> None:
    """Record that everything up to the sequence is written."""
    LogPosition.objects.update_or_create(stream=stream, defaults={"stream_made_at": made_at, "sequence": sequence})
