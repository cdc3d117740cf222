"""Telling the worker about alarms: at once, in order, and before the samples they come from are acknowledged."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence

import msgspec

from yuheng.bus import subjects
from yuheng.bus.wire import WireError
from yuheng.historian.alarms import Alarms

log = logging.getLogger(__name__)

type_publish = tuple[str, bytes, bytes]
RETRY_S = 0.2

_json = msgspec.json.Encoder()


class AlarmTeller:
    """Publishes facts to ``YH_ALARMS``. What waits is bounded by the log being held: a commit waits for `flush`."""

    def __init__(
        self,
        alarms: Alarms,
        *,
        publish_all: Callable[[Sequence[type_publish]], Awaitable[list[type_publish]]],
        clock_us: Callable[[], int],
    ) -> None:
        self._alarms = alarms
        self._publish_all = publish_all
        self._clock_us = clock_us
        self._queue: list[type_publish] = []
        self._spoken = asyncio.Event()
        self._turn = asyncio.Lock()
        self.told = 0

    @property
    def waiting(self) -> int:
        """Facts that the worker's stream has not taken yet."""
        return len(self._queue)

    def note(self) -> None:
        """Take over what the alarms have to say; called after every batch and tick."""
        facts = self._alarms.take()
        if facts:
            self._queue += [(subjects.alarm_event(fact.work_unit_id), b"", _json.encode(fact)) for fact in facts]
            self._spoken.set()

    def tell_truth(self) -> None:
        """Say which alarms are active, behind everything told before: after a start and a new configuration."""
        self.note()
        truth = self._alarms.active(self._clock_us())
        self._queue.append((subjects.ALARMS_ACTIVE, b"", _json.encode(truth)))
        self._spoken.set()

    async def flush(self) -> None:
        """Return when everything noted until now is stored.

        Raises
        ------
        WireError, TimeoutError
            It is not; it stays in the queue, and telling it again is harmless.
        """
        async with self._turn:
            while self._queue:
                batch, self._queue = self._queue, []
                left: Sequence[type_publish] = batch
                try:
                    left = await self._publish_all(batch)
                finally:
                    if left:  # from the first that was refused on, so that their order stays
                        first = batch.index(left[0])
                        self._queue = [*batch[first:], *self._queue]
                self.told += len(batch) - len(left)
                if left:
                    raise WireError("The message log does not take facts about alarms.")

    async def run(self) -> None:
        """Publish as soon as there is something, for ever."""
        while True:
            await self._spoken.wait()
            self._spoken.clear()
            try:
                await self.flush()
            except (WireError, TimeoutError, OSError) as error:
                log.warning("Alarms wait: %s", error)
                self._spoken.set()
                await asyncio.sleep(RETRY_S)
