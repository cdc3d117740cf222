"""What the worker does about alarms: takes facts in, lets time pass, and tells every screen what changed.

It has a thread for the database of its own: an alarm never waits behind thousands of states or dead letters.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import msgspec
from django.db import transaction

from yuheng.alarms.selectors.live import live_alarms, live_counts, live_headlines
from yuheng.alarms.services.clock import tick
from yuheng.alarms.services.facts import apply_facts
from yuheng.bus.log_reader import LogMessage
from yuheng.bus.messages import AlarmCountsLive, AlarmLive, AlarmsActive, AlarmsQuestion, AlarmTransition, LiveAlarms
from yuheng.bus.subjects import ALARMS_ACTIVE, ALARMS_STREAM, question
from yuheng.bus.subjects import live_alarms as live_subject
from yuheng.bus.wire import Connection, encode_header, type_raw
from yuheng.config.worker.database import Database, DatabaseAway
from yuheng.config.worker.intake import Counts, Intake

LOGGER = logging.getLogger(__name__)

TICK_S = 1.0
MAX_TOLD_AT_ONCE = 2_000
ERROR_HEADER = encode_header({"Yh-Error": "1"})


class AlarmWork:
    """Alarms for the life of the worker; `session` for the life of one connection."""

    def __init__(self) -> None:
        self.database = Database()
        self.facts = Counts()
        self.told = 0
        self.epoch = os.urandom(8).hex()
        self._seq: dict[int, int] = {}
        self._changed: dict[int, set[int]] = {}
        self._has_changed = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._turn = asyncio.Lock()
        self._asked: set[asyncio.Task[None]] = set()

    def changed(self, by_site: Mapping[int, set[int]]) -> None:
        """Tell the screens about these alarms soon. From any thread."""
        if by_site:
            self._loop.call_soon_threadsafe(self._note, {site: set(pks) for site, pks in by_site.items()})

    def _note(self, by_site: dict[int, set[int]]) -> None:
        for site, pks in by_site.items():
            self._changed.setdefault(site, set()).update(pks)
        self._has_changed.set()

    async def session(self, connection: Connection) -> None:
        """Do everything that needs the broker until the connection is lost."""
        intake = Intake(connection, ALARMS_STREAM, self._take_in, self.database, self.facts)
        connection.subscribe(question("alarms"), lambda items: self._take_questions(connection, items))
        async with asyncio.TaskGroup() as group:
            group.create_task(intake.run())
            group.create_task(self._tell_changes(connection))

    async def keep_time(self) -> None:
        """Let shelvings end, groups be let go and plans begin and end, for ever."""
        while True:
            try:
                applied = await self.database.run(tick, at=datetime.now(UTC))
                self.changed(applied.changed)
            except DatabaseAway:
                LOGGER.debug("The clock of alarms waits for the database.")
            await asyncio.sleep(TICK_S)

    # ---- in the database's thread ----------------------------------------------------------------------------------

    def _take_in(self, messages: Sequence[LogMessage]) -> int:
        facts: list[AlarmTransition | AlarmsActive] = []
        for message in messages:
            try:
                if message.subject == ALARMS_ACTIVE.encode():
                    facts.append(msgspec.json.decode(message.payload, type=AlarmsActive))
                else:
                    facts.append(msgspec.json.decode(message.payload, type=AlarmTransition))
            except msgspec.DecodeError as error:
                LOGGER.warning("Message %d of %s is no fact: %s", message.sequence, ALARMS_STREAM, error)
        applied = apply_facts(facts, at=datetime.now(UTC))
        if applied.changed:
            transaction.on_commit(lambda: self.changed(applied.changed))
        return applied.usable

    # ---- screens -----------------------------------------------------------------------------------------------------

    async def _tell_changes(self, connection: Connection) -> None:
        """Publish what changed, committed, as it is in the database now."""
        while True:
            await self._has_changed.wait()
            self._has_changed.clear()
            changed, self._changed = self._changed, {}
            for site, pks in changed.items():
                try:
                    async with self._turn:
                        await self._tell_site(connection, site, sorted(pks))
                except DatabaseAway:
                    self._note({site: pks})
                    await asyncio.sleep(0.5)

    async def _tell_site(self, connection: Connection, site: int, pks: Sequence[int]) -> None:
        counts, rows = await self.database.run(_read, site, pks)
        for start in range(0, max(1, len(rows)), MAX_TOLD_AT_ONCE):
            seq = self._seq[site] = self._seq.get(site, 0) + 1
            part = rows[start : start + MAX_TOLD_AT_ONCE]
            message = LiveAlarms(self.epoch, seq, time.time_ns() // 1000, counts, part)
            connection.publish(live_subject(site), msgspec.json.encode(message))
            self.told += 1

    def _take_questions(self, connection: Connection, items: list[type_raw]) -> None:
        for _subject, reply, _header, payload in items:
            task = self._loop.create_task(self._answer(connection, reply, payload))
            self._asked.add(task)
            task.add_done_callback(self._asked.discard)

    async def _answer(self, connection: Connection, reply: bytes, payload: bytes) -> None:
        try:
            site = msgspec.json.decode(payload, type=AlarmsQuestion).site_id
            async with self._turn:
                counts, rows = await self.database.run(_read_all, site)
                answer = LiveAlarms(self.epoch, self._seq.get(site, 0), time.time_ns() // 1000, counts, rows)
        except (msgspec.DecodeError, DatabaseAway) as error:
            connection.publish(reply, str(error).encode(), header=ERROR_HEADER)
            return
        connection.publish(reply, msgspec.json.encode(answer))


def _read(site: int, pks: Sequence[int]) -> tuple[AlarmCountsLive, list[AlarmLive]]:
    return live_counts(site), live_alarms(site, pks)


def _read_all(site: int) -> tuple[AlarmCountsLive, list[AlarmLive]]:
    return live_counts(site), live_headlines(site)
