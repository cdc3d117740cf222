"""Telling the worker about alarms."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

import msgspec

from yuheng.bus import subjects
from yuheng.historian.alarms import Alarms
from yuheng.historian.telling import Teller, type_publish

_json = msgspec.json.Encoder()


class AlarmTeller(Teller):
    """Publishes facts about alarms to ``YH_ALARMS``."""

    def __init__(
        self,
        alarms: Alarms,
        *,
        publish_all: Callable[[Sequence[type_publish]], Awaitable[list[type_publish]]],
        clock_us: Callable[[], int],
    ) -> None:
        super().__init__("alarms", publish_all=publish_all)
        self._alarms = alarms
        self._clock_us = clock_us

    def note(self) -> None:
        """Take over what the alarms have to say; called after every batch and tick."""
        self.put([(subjects.alarm_event(fact.work_unit_id), b"", _json.encode(fact)) for fact in self._alarms.take()])

    def tell_truth(self) -> None:
        """Say which alarms are active, behind everything told before: after a start and a new configuration."""
        self.note()
        self.put([(subjects.ALARMS_ACTIVE, b"", _json.encode(self._alarms.active(self._clock_us())))])
