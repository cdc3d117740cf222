"""The worker's part in notifications: plans what is due once a second, and delivers in threads of its own."""

from __future__ import annotations

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime

from yuheng.alarms.services.outgoing import (
    Outgoing,
    forget_messages,
    note_failed,
    note_sent,
    plan_messages,
    take_due,
)
from yuheng.config.worker.database import Database, DatabaseAway
from yuheng.config.worker.delivery import MailServer, NotDelivered, deliver

LOGGER = logging.getLogger(__name__)

LOOK_S = 1.0
FORGET_S = 3600.0
AT_ONCE = 4
"""Deliveries under way. What is due beyond them waits in the database, where it is counted and shown."""


class NotificationWork:
    """Runs for the life of the worker; needs no broker."""

    def __init__(self) -> None:
        self.database = Database()
        self.sent = 0
        self.failed = 0
        self._threads = ThreadPoolExecutor(AT_ONCE, "delivery")
        self.woken = asyncio.Event()  # set it to look at once

    async def run(self) -> None:
        """Plan and deliver for ever."""
        forgotten_at = 0.0
        loop = asyncio.get_running_loop()
        while True:
            try:
                await self.database.run(plan_messages, at=datetime.now(UTC))
                while waiting := await self.database.run(take_due, at=datetime.now(UTC), limit=AT_ONCE * 4):
                    await asyncio.gather(*(self._deliver(message) for message in waiting))
                if loop.time() - forgotten_at > FORGET_S:
                    await self.database.run(forget_messages, at=datetime.now(UTC))
                    forgotten_at = loop.time()
            except DatabaseAway:
                LOGGER.debug("Notifications wait for the database.")
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_S):
                    await self.woken.wait()
            self.woken.clear()

    async def _deliver(self, message: Outgoing) -> None:
        loop = asyncio.get_running_loop()
        try:
            await loop.run_in_executor(self._threads, deliver, message, MailServer.read())
        except NotDelivered as refusal:
            self.failed += 1
            await self.database.run(note_failed, message_id=message.id, error=str(refusal), at=datetime.now(UTC))
        except Exception as error:  # one message's fault must not stop the others
            LOGGER.exception("Notification %d could not be delivered.", message.id)
            self.failed += 1
            await self.database.run(
                note_failed, message_id=message.id, error=type(error).__name__, at=datetime.now(UTC)
            )
        else:
            self.sent += 1
            await self.database.run(note_sent, message_id=message.id, at=datetime.now(UTC))

    def close(self) -> None:
        """Let nothing more in; does not wait."""
        self.database.close()
        self._threads.shutdown(wait=False, cancel_futures=True)
