"""The worker's part in webhooks of orders: sends what is due, in threads of its own, and notes what became of it."""

from __future__ import annotations

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime

from yuheng.config.worker.database import Database, DatabaseAway
from yuheng.config.worker.delivery import NotDelivered, post
from yuheng.operations.services.webhooks import (
    WebhookMessage,
    forget_deliveries,
    note_failed,
    note_sent,
    take_due,
)

LOGGER = logging.getLogger(__name__)

LOOK_S = 2.0
FORGET_S = 3600.0
AT_ONCE = 4
"""Deliveries under way. What is due beyond them waits in the database, where it is counted and shown."""


class OrderWebhookWork:
    """Runs for the life of the worker; needs no broker."""

    def __init__(self) -> None:
        self.database = Database()
        self.sent = 0
        self.failed = 0
        self._threads = ThreadPoolExecutor(AT_ONCE, "webhook")
        self.woken = asyncio.Event()  # set it to look at once

    async def run(self) -> None:
        """Deliver for ever."""
        forgotten_at = 0.0
        loop = asyncio.get_running_loop()
        while True:
            try:
                while waiting := await self.database.run(take_due, at=datetime.now(UTC), limit=AT_ONCE * 4):
                    await asyncio.gather(*(self._deliver(message) for message in waiting))
                if loop.time() - forgotten_at > FORGET_S:
                    await self.database.run(forget_deliveries, at=datetime.now(UTC))
                    forgotten_at = loop.time()
            except DatabaseAway:
                LOGGER.debug("Webhooks of orders wait for the database.")
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_S):
                    await self.woken.wait()
            self.woken.clear()

    async def _deliver(self, message: WebhookMessage) -> None:
        loop = asyncio.get_running_loop()
        try:
            await loop.run_in_executor(self._threads, post, message.id, message.url, message.secret, message.payload)
        except Exception as error:  # one message's fault must not stop the others
            if not isinstance(error, NotDelivered):
                LOGGER.exception("Message %d to a webhook could not be delivered.", message.id)
            self.failed += 1
            why = str(error) if isinstance(error, NotDelivered) else type(error).__name__
            await self.database.run(note_failed, delivery_id=message.id, error=why, at=datetime.now(UTC))
        else:
            self.sent += 1
            await self.database.run(note_sent, delivery_id=message.id, at=datetime.now(UTC))

    def close(self) -> None:
        """Let nothing more in; does not wait."""
        self.database.close()
        self._threads.shutdown(wait=False, cancel_futures=True)
