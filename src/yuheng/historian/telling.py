"""Telling the worker durably: at once, in order, and before the samples that it comes from are acknowledged."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence

from yuheng.bus.wire import WireError

log = logging.getLogger(__name__)

type_publish = tuple[str, bytes, bytes]
RETRY_S = 0.2


class Teller:
    """Publishes facts to a stream. What waits is bounded by the log being held: a commit waits for `flush`."""

    def __init__(
        self, about: str, *, publish_all: Callable[[Sequence[type_publish]], Awaitable[list[type_publish]]]
    ) -> None:
        self._about = about
        self._publish_all = publish_all
        self._queue: list[type_publish] = []
        self._spoken = asyncio.Event()
        self._turn = asyncio.Lock()
        self.told = 0

    @property
    def waiting(self) -> int:
        """Facts that the worker's stream has not taken yet."""
        return len(self._queue)

    def put(self, facts: Sequence[type_publish]) -> None:
        """Tell these soon."""
        if facts:
            self._queue += facts
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
                    raise WireError(f"The message log does not take facts about {self._about}.")

    async def run(self) -> None:
        """Publish as soon as there is something, for ever."""
        while True:
            await self._spoken.wait()
            self._spoken.clear()
            try:
                await self.flush()
            except (WireError, TimeoutError, OSError) as error:
                log.warning("Facts about %s wait: %s", self._about, error)
                self._spoken.set()
                await asyncio.sleep(RETRY_S)


async def flush_all(*tellers: Teller) -> None:
    """Return when everything that these tellers noted is stored. Raises as `Teller.flush`."""
    for teller in tellers:
        await teller.flush()
