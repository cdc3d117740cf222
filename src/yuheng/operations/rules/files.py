"""What files of orders hold and how far they are. Plain Python."""

from __future__ import annotations

from enum import StrEnum


class FileKind(StrEnum):
    """What a file holds."""

    ORDERS = "orders"
    STOCK = "stock"
    LOG = "log"


class Phase(StrEnum):
    """How far a file is."""

    WAITING = "waiting"  # for its dry run, or in it
    HELD = "held"  # a command at its own terminal looks at it or writes it
    PLANNED = "planned"  # its dry run is there
    APPLYING = "applying"
    APPLIED = "applied"
    FAILED = "failed"  # it cannot be read; ``trouble`` says why
    CANCELLED = "cancelled"  # somebody stopped it: nothing of it was written, but for the batches of an event log


MOVING = frozenset({Phase.WAITING, Phase.APPLYING})
"""The worker is at it, or will be."""
KINDS = tuple(kind.value for kind in FileKind)
