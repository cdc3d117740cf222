"""Words of alarms: priorities, categories, what is told and what a journal line can say."""

from __future__ import annotations

from enum import IntEnum, StrEnum


class Priority(IntEnum):
    """How urgent a response is; 1 is the most urgent. Of all alarms about 5 / 15 / 80 % (ISA-18.2, EEMUA 191).

    The lowest 80 % are medium and low together.
    """

    CRITICAL = 1
    HIGH = 2
    MEDIUM = 3
    LOW = 4


SEVERITY: dict[Priority, int] = {
    Priority.CRITICAL: 900,
    Priority.HIGH: 700,
    Priority.MEDIUM: 500,
    Priority.LOW: 200,
}
"""OPC UA Part 9 severity (1 to 1000) of each priority, for a bridge."""

GUIDE_RATIO: dict[str, float] = {"critical": 0.05, "high": 0.15, "medium_and_low": 0.80}
"""Shares of annunciated alarms by priority that ISA-18.2 and EEMUA 191 recommend."""


class Category(StrEnum):
    """What an alarm is about. The value is stored and translated."""

    SAFETY = "safety"
    QUALITY = "quality"
    PROCESS = "process"
    EQUIPMENT = "equipment"
    UTILITY = "utility"
    COMMUNICATION = "communication"


class FactKind(StrEnum):
    """What the evaluation tells about a condition (`bus.messages.AlarmTransition`)."""

    ACTIVATED = "activated"
    CLEARED = "cleared"
    REPEATED = "repeated"  # active again within the chatter window: the same episode, its count rises
    CHATTERING = "chattering"  # told now and then while an input chatters: only the count rises
    UNCERTAIN = "uncertain"  # no good value to judge by: the condition keeps what it was
    CERTAIN = "certain"
    SUPPRESSED = "suppressed"  # by design: a state or condition that the definition names
    UNSUPPRESSED = "unsuppressed"


class JournalKind(StrEnum):
    """What a line of the journal says. The value is stored and translated."""

    ACTIVATED = "activated"
    CLEARED = "cleared"
    REPEATED = "repeated"
    CHATTERING = "chattering"
    UNCERTAIN = "uncertain"
    CERTAIN = "certain"
    ACKNOWLEDGED = "acknowledged"
    CONFIRMED = "confirmed"
    COMMENTED = "commented"
    SHELVED = "shelved"
    UNSHELVED = "unshelved"
    SUPPRESSED = "suppressed"
    UNSUPPRESSED = "unsuppressed"
    OUT_OF_SERVICE = "out_of_service"
    IN_SERVICE = "in_service"
    RESET = "reset"
    DISABLED = "disabled"
    ENABLED = "enabled"
    GROUPED = "grouped"
    UNGROUPED = "ungrouped"
