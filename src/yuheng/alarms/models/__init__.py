"""Tables of alarms, by noun."""

from __future__ import annotations

from yuheng.alarms.models.alarms import Alarm, AlarmEpisode, AlarmJournal
from yuheng.alarms.models.definitions import AlarmDefinition, AlarmOverride
from yuheng.alarms.models.notifications import NotificationChannel, NotificationMessage, NotificationRule

__all__ = [
    "Alarm",
    "AlarmDefinition",
    "AlarmEpisode",
    "AlarmJournal",
    "AlarmOverride",
    "NotificationChannel",
    "NotificationMessage",
    "NotificationRule",
]
