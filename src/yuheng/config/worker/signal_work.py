"""The worker's part where signals and jobs meet: looks at each work unit that is due, in a thread of its own.

What is due stands in the database (`operations.UnitMeeting.look_at`): a worker that was killed goes on with it.
"""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import msgspec

from yuheng.bus.messages import JobLive, LiveJobs
from yuheng.bus.subjects import live_jobs as live_jobs_subject
from yuheng.bus.wire import Connection
from yuheng.config.worker.database import Database, DatabaseAway
from yuheng.equipment.selectors import site_of_work_units
from yuheng.kernel.actor import system_actor
from yuheng.operations.selectors.running import live_jobs
from yuheng.operations.services.signals.intake import forget_signals, units_to_look_at
from yuheng.operations.services.signals.meeting import meet, put_off

LOGGER = logging.getLogger(__name__)

ACTOR = system_actor("worker")
LOOK_S = 1.0
COALESCE_S = 0.1
FORGET_S = 3600.0
AFTER_FAULT = timedelta(seconds=30)


class SignalWork:
    """`run` for the life of the worker, without a broker; `session` for the life of one connection."""

    def __init__(self) -> None:
        self.database = Database()
        self.telling = Database()
        self.told = 0
        self._changed: set[int] = set()
        self._has_changed = asyncio.Event()
        self._loop = asyncio.get_running_loop()
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
            if await self.database.run(meet, work_unit_id=work_unit_id, at=at):
                self._note(work_unit_id)
            self.looks += 1
        except DatabaseAway:
            raise
        except Exception:
            self.faults += 1
            LOGGER.exception("Signals of work unit %d could not meet its jobs.", work_unit_id)
            await self.database.run(put_off, work_unit_id=work_unit_id, until=at + AFTER_FAULT)

    # ---- screens ----------------------------------------------------------------------------------------------------

    def jobs_moved(self, work_unit_id: int) -> None:
        """Somebody did something to the job of a unit: look, and tell the screens. From any thread."""
        self._loop.call_soon_threadsafe(self._moved, work_unit_id)

    def _moved(self, work_unit_id: int) -> None:
        self.woken.set()
        self._note(work_unit_id)

    def _note(self, work_unit_id: int) -> None:
        self._changed.add(work_unit_id)
        self._has_changed.set()

    async def session(self, connection: Connection) -> None:
        """Tell every screen what work units make, as it changes, until the connection is lost."""
        while True:
            await self._has_changed.wait()
            await asyncio.sleep(COALESCE_S)
            self._has_changed.clear()
            changed, self._changed = self._changed, set()
            try:
                by_site = await self.telling.run(_read, changed)
            except DatabaseAway:
                self._changed |= changed
                self._has_changed.set()
                await asyncio.sleep(LOOK_S)
                continue
            for site_id, jobs in by_site.items():
                message = LiveJobs(time.time_ns() // 1000, jobs)
                connection.publish(live_jobs_subject(site_id), msgspec.json.encode(message))
                self.told += len(jobs)

    def close(self) -> None:
        """Let nothing more in; does not wait."""
        self.database.close()
        self.telling.close()


def _read(work_unit_ids: set[int]) -> dict[int, list[JobLive]]:
    """Return site -> what its changed units make."""
    sites = site_of_work_units(work_unit_ids)
    found: dict[int, list[JobLive]] = {}
    for job in live_jobs(actor=ACTOR, work_unit_ids=sites, now=datetime.now(UTC)):
        found.setdefault(sites[job.work_unit_id], []).append(job)
    return found
