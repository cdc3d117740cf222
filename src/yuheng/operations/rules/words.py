"""Small vocabularies of the floor: reasons, calls for help, what a caller says about an act. Plain Python."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from yuheng.operations.rules.progress import Source

LONGEST_ACTION_ID = 64
LONGEST_NOTE = 1000
AHEAD = timedelta(minutes=2)
"""So far may a terminal's clock be ahead of ours."""
OLDEST_ACT = timedelta(days=90)
"""Older acts come by import, not from a terminal."""


class ReasonKind(StrEnum):
    """What a reason is given for."""

    PAUSE = "pause"
    SCRAP = "scrap"
    REWORK = "rework"
    HOLD = "hold"
    CANCEL = "cancel"
    COUNT = "count"
    CONSUME = "consume"
    SHORT = "short"


class HelpKind(StrEnum):
    """Who is called."""

    MATERIAL = "material"
    MAINTENANCE = "maintenance"
    QUALITY = "quality"
    LEAD = "lead"
    SAFETY = "safety"


class LinkKind(StrEnum):
    """Why one job order waits for another."""

    FINISH_START = "finish_start"
    START_START = "start_start"
    ASSEMBLY = "assembly"  # its pieces go into the other's
    REWORK = "rework"


@dataclass(frozen=True, slots=True)
class Act:
    """What a caller says about an act beside the act itself.

    Attributes
    ----------
    action_id
        The caller's own id: the same one twice is one act. "": none was given.
    happened_at
        When it happened, aware; None: when it is recorded. A terminal without a network tells it later.
    run_id
        The controller's own number of the run or cycle, when a signal tells it.
    work_unit_id
        The station that tells it; None: the job order's.
    """

    action_id: str = ""
    happened_at: datetime | None = None
    source: Source = Source.PERSON
    run_id: str = ""
    work_unit_id: int | None = None


USUAL_REASONS: dict[ReasonKind, tuple[str, ...]] = {
    ReasonKind.PAUSE: ("material", "machine", "tool", "quality", "break", "shift_change", "other_job", "other"),
    ReasonKind.SCRAP: ("dimension", "surface", "material", "set_up", "operator", "machine", "other"),
    ReasonKind.REWORK: ("dimension", "surface", "assembly", "missing_part", "other"),
    ReasonKind.HOLD: ("customer", "quality", "material", "engineering", "capacity", "other"),
    ReasonKind.CANCEL: ("customer", "duplicate", "engineering", "other"),
    ReasonKind.COUNT: ("count", "damage", "found", "booking_error", "other"),
    ReasonKind.CONSUME: ("scrap", "more_needed", "substitute", "other"),
    ReasonKind.SHORT: ("material", "scrap", "order_changed", "other"),
}
"""Reasons there are before a plant writes its own; their words are in `labels`."""
