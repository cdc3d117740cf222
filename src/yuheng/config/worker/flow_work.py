"""The worker's part in flow: follows what operations' log says new, a thousand pieces of news at a time."""

from __future__ import annotations

import asyncio
import logging

from yuheng.config.worker.database import Database, DatabaseAway
from yuheng.performance.services.follow import catch_up

LOGGER = logging.getLogger(__name__)

LOOK_S = 1.0


class FlowWork:
    """Runs for the life of the worker; needs no broker. What waits for it lies in the database, counted and shown."""

    def __init__(self) -> None:
        self.database = Database()
        self.followed = 0

    async def run(self) -> None:
        """Follow for ever."""
        while True:
            try:
                while read := await self.database.run(catch_up):
                    self.followed += read
                    await asyncio.sleep(0)
            except DatabaseAway:
                LOGGER.debug("Flow waits for the database.")
            await asyncio.sleep(LOOK_S)

    def close(self) -> None:
        """Let nothing more in; does not wait."""
        self.database.close()
