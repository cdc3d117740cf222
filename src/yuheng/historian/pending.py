"""What stands between decoding and the commit: columns not durable yet, how far each log was read, what was counted."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from yuheng.engines.points import PointBlock, Refusal, TextPoint
from yuheng.historian.deadletters import DeadLetter
from yuheng.historian.shown import Shown

POINT_BYTES = 41
"""Size of one point in columns."""


class LogSource(Protocol):
    """What the pipeline needs of a reader: to hold it, to let it go, and to acknowledge."""

    stream: str
    pending: int

    def pause(self) -> None:
        """Ask for nothing more."""

    def resume(self) -> None:
        """Ask again."""

    def acknowledge(self, sequence: int) -> None:
        """Everything up to ``sequence`` is safe."""


@dataclass(slots=True)
class Pending:
    """What was decoded and is not durable yet."""

    blocks: list[PointBlock] = field(default_factory=list)
    texts: list[TextPoint] = field(default_factory=list)
    dead: list[DeadLetter] = field(default_factory=list)
    births: dict[str, bytes] = field(default_factory=dict)
    notices: list[tuple[str, bytes, bytes]] = field(default_factory=list)  # of births, behind the letters they explain
    reached: dict[LogSource, int] = field(default_factory=dict)
    shown: Shown = field(default_factory=Shown)  # what the screens were told meanwhile
    points: int = 0
    other_bytes: int = 0

    def is_empty(self) -> bool:
        """Return whether there is nothing to make durable and nothing to acknowledge."""
        told = not self.shown.is_empty()
        return not (self.points or self.texts or self.dead or self.births or self.notices or self.reached or told)

    @property
    def bytes(self) -> int:
        """Memory held."""
        return self.points * POINT_BYTES + self.other_bytes


@dataclass(slots=True)
class Counters:
    """What happened since the start; the health line makes rates of them."""

    messages: int = 0
    messages_by_source: dict[int, int] = field(default_factory=dict)
    points: int = 0
    refused: dict[str, int] = field(default_factory=dict)
    dropped_best_effort: int = 0
    deadband_skipped: int = 0
    rebirths: int = 0

    def refuse(self, reason: Refusal, count: int = 1) -> None:
        """Count refusals."""
        self.refused[reason.value] = self.refused.get(reason.value, 0) + count
