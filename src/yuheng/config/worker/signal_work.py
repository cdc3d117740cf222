"""The worker's part where signals and jobs meet: looks at each work unit that is due, in a thread of its own.

What is due stands in the database (`operations.UnitMeeting.look_at`): a worker that was killed goes on with it.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from datetime import UTC, datetime, timedelta

from yuheng.config.worker.database import Database, DatabaseAway
from yuheng.operations.services.signals.intake import forget_signals, units_to_look_at
from yuheng.operations.services.signals.meeting import meet, put_off

LOGGER = logging.getLogger(__name__)

LOOK_S = 1.0
FORGET_S = 3600.0
AFTER_FAULT = timedelta(seconds=30)


class SignalWork:
    """Runs for the life of the worker; needs no broker. ``changed`` hears of the work units whose jobs changed."""

    def __init__(self) -> None:
        self.database = Database()
        self.woken = asyncio.Event()  # set it to look at once
        self.looks = 0
        self.faults = 0

    async def run(self) -> None:
        """Look for ever."""
        forgotten_at = 0.0
        loop = asyncio.get_running_loop()
        while True:
            try:
                while due := await self.database.run(units_to_look_at, at=datetime.now(UTC)):
                    for work_unit_id in due:
                        await self._look(work_unit_id)
                if loop.time() - forgotten_at > FORGET_S:
                    await self.database.run(forget_signals, at=datetime.now(UTC))
                    forgotten_at = loop.time()
            except DatabaseAway:
                LOGGER.debug("Signals and jobs wait for the database.")
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_S):
                    await self.woken.wait()
            self.woken.clear()

    async def _look(self, work_unit_id: int) -> None:
        """Look at one unit; a fault of ours there is said, and must not stop the others."""
        at = datetime.now(UTC)
        try:
            await self.database.run(meet, work_unit_id=work_unit_id, at=at)
            self.looks += 1
        except DatabaseAway:
            raise
        except Exception:
            self.faults += 1
            LOGGER.exception("Signals of work unit %d could not meet its jobs.", work_unit_id)
            await self.database.run(put_off, work_unit_id=work_unit_id, until=at + AFTER_FAULT)

    def close(self) -> None:
        """Let nothing more in; does not wait."""
        self.database.close()
