"""What alarms tell others: facts, in the past tense."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class AlarmDefinitionsChanged:
    """Alarm definitions or overrides of a site were created, changed or retired."""

    site_id: int


@dataclass(frozen=True, slots=True)
class AlarmsChanged:
    """People did something to alarms; the worker tells every screen."""

    site_id: int
    alarm_ids: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class NotificationsChanged:
    """Channels or rules were changed, or messages wait: the worker looks at once."""

    site_id: int
