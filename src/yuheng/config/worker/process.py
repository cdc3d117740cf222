"""The worker process: one loop for the database's outbox, one session a connection to the broker.

PostgreSQL or nats-server may be killed and come back at any moment: nothing here gives up, nothing is acknowledged
before it is committed, and what was asked for is read from the database again after every start.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
from django.db import connection as django_connection

from yuheng.bus.log_reader import LogMessage
from yuheng.bus.messages import Health
from yuheng.bus.subjects import DEAD_STREAM, EVENTS_STREAM, live_health
from yuheng.bus.wire import Connection, WireError, connect, type_raw
from yuheng.config.environment import Environment
from yuheng.config.handlers import handlers_of_worker
from yuheng.config.worker.alarm_work import AlarmWork
from yuheng.config.worker.commanding import send_what_waits
from yuheng.config.worker.database import Database, DatabaseAway
from yuheng.config.worker.dead_store import DeadStore
from yuheng.config.worker.flow_work import FlowWork
from yuheng.config.worker.intake import (
    SIGNAL_SUBJECT,
    STATE_SUBJECT,
    Counts,
    Intake,
    take_in_dead,
    take_in_events,
)
from yuheng.config.worker.jetstream import call
from yuheng.config.worker.nightly import Nightly, keep_watch
from yuheng.config.worker.notifying import NotificationWork
from yuheng.config.worker.order_webhooks import OrderWebhookWork
from yuheng.config.worker.publishing import publish_configuration
from yuheng.config.worker.replaying import replay_what_waits
from yuheng.config.worker.signal_work import SignalWork
from yuheng.engineering import importing as product_files
from yuheng.engines.points import Refusal
from yuheng.kernel.actor import system_actor
from yuheng.kernel.outbox import deliver_pending
from yuheng.operations.services import files as order_files
from yuheng.telemetry.services.dead_letters import is_replay_waiting, make_tags_by_themselves
from yuheng.telemetry.services.retention import forget_old
from yuheng.upkeep import forgetting

LOGGER = logging.getLogger(__name__)

ACTOR = system_actor("worker")
OUTBOX_POLL_S = 0.25
DEBOUNCE_S = 0.15
"""A burst of changes becomes one document; a single change is out well within 300 ms."""
BACK_OFF_S = (0.05, 2.0)
DEAD_STORE_EVERY_S = 5.0
OWN_TAGS_EVERY_S = 1.0
RETENTION_EVERY_S = 3600.0
HISTORIAN_KNOWS_WITHIN_S = 3.0
"""It says which version it uses once a second."""
STOP_WITHIN_S = 1.5
COMMANDS_EVERY_S = 5.0
COMMANDS_AGAIN_S = 0.5
IMPORTS_EVERY_S = 1.0


class Worker:
    """Everything the process keeps in memory; what matters is in the database."""

    def __init__(self, environment: Environment, *, ready_file: str = "") -> None:
        self.database = Database()
        self.imports = Database()
        self.order_files = Database()
        self.alarms = AlarmWork()
        self.notifications = NotificationWork()
        self.order_webhooks = OrderWebhookWork()
        self.signals = SignalWork()
        self.flow = FlowWork()
        self.events = Counts()
        self.dead = Counts()
        self.delivered = 0
        self.replayed = 0
        self.own_tags = 0
        self.version = 0
        self.last_error = ""
        self.dead_store = DeadStore()
        self._is_replaying = False
        self._has_replayed = False
        self._environment = environment
        self._ready_file = ready_file
        self._configuration_changed = asyncio.Event()
        self._replay_requested = asyncio.Event()
        self._command_requested = asyncio.Event()
        self._unknown_tags = asyncio.Event()
        self._publishing = asyncio.Lock()
        self._historian_version = 0
        self._historian_spoke = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._handlers = handlers_of_worker(
            configuration_changed=lambda: self._wake(self._configuration_changed),
            replay_requested=lambda: self._wake(self._replay_requested),
            alarms_changed=self.alarms.changed,
            command_requested=lambda: self._wake(self._command_requested),
            notifications_changed=lambda: self._wake(self.notifications.woken),
            deliveries_waiting=lambda: self._wake(self.order_webhooks.woken),
            jobs_moved=self.signals.jobs_moved,
        )

    async def run(self, stop: asyncio.Event) -> None:
        """Work until asked to stop, then end within two seconds."""
        tasks = [
            asyncio.create_task(self._deliver_outbox(), name="outbox"),
            asyncio.create_task(self._speak_with_broker(), name="broker"),
            asyncio.create_task(self._make_own_tags(), name="own tags"),
            asyncio.create_task(self._keep_house(), name="retention"),
            asyncio.create_task(keep_watch(self._environment.data_dir, Nightly.read()), name="nightly"),
            asyncio.create_task(self.alarms.keep_time(), name="clock of alarms"),
            asyncio.create_task(self.notifications.run(), name="notifications"),
            asyncio.create_task(self.order_webhooks.run(), name="webhooks of orders"),
            asyncio.create_task(self.signals.run(), name="signals and jobs"),
            asyncio.create_task(self.flow.run(), name="flow"),
            asyncio.create_task(self._import_products(), name="imports of products"),
            asyncio.create_task(self._take_order_files(), name="files of orders"),
        ]
        stopping = asyncio.create_task(stop.wait(), name="stop")
        done, _ = await asyncio.wait([stopping, *tasks], return_when=asyncio.FIRST_COMPLETED)
        for task in (stopping, *tasks):
            task.cancel()
        with suppress(TimeoutError):
            async with asyncio.timeout(STOP_WITHIN_S):
                await asyncio.gather(*tasks, return_exceptions=True)
        self.database.close()
        self.alarms.database.close()
        self.notifications.close()
        self.order_webhooks.close()
        self.signals.close()
        self.flow.close()
        self.imports.close()
        self.order_files.close()
        for task in done - {stopping}:
            task.result()  # one of the loops ended by itself: that is a fault, and it is raised here

    def _wake(self, event: asyncio.Event) -> None:
        """Set an event from the database's thread."""
        self._loop.call_soon_threadsafe(event.set)

    # ---- database only ----------------------------------------------------------------------------------------------

    async def _deliver_outbox(self) -> None:
        """Look for events several times a second: the look is one statement on an index that is empty when idle."""
        while True:
            try:
                if await self.database.run(_is_something_due):
                    self.delivered += await self.database.run(
                        deliver_pending, self._handlers, limit=500, at=datetime.now(UTC)
                    )
                    continue
                await asyncio.sleep(OUTBOX_POLL_S)
            except DatabaseAway as error:
                self.last_error = str(error)
                await asyncio.sleep(0.5)

    async def _make_own_tags(self) -> None:
        """For sources that may make their own tags: soon after an unknown address came, at most once a second."""
        self._unknown_tags.set()  # there may be some from before the start
        while True:
            await self._unknown_tags.wait()
            self._unknown_tags.clear()
            try:
                made = await self.database.run(make_tags_by_themselves, actor=ACTOR, at=datetime.now(UTC))
                self.own_tags += made
                if made:
                    self._unknown_tags.set()
            except DatabaseAway:
                self._unknown_tags.set()
            await asyncio.sleep(OWN_TAGS_EVERY_S)

    async def _keep_house(self) -> None:
        while True:
            with suppress(DatabaseAway):
                at = datetime.now(UTC)
                removed = await self.database.run(forget_old, at=at)
                with suppress(OSError):  # a full disk is told by others
                    forgetting.note(self._environment.data_dir, "worker", at=at.isoformat(), removed=removed)
            await asyncio.sleep(RETENTION_EVERY_S)

    async def _import_products(self) -> None:
        """Files of products that are too large for a person to wait: one after another, in a thread of their own.

        What was interrupted is begun again: an application is one transaction, a dry run writes nothing else.
        """
        while True:
            with suppress(DatabaseAway):
                while await self.imports.run(product_files.work_once, at=datetime.now(UTC)):
                    pass
            await asyncio.sleep(IMPORTS_EVERY_S)

    async def _take_order_files(self) -> None:
        """Large files of orders, stock and logs: one after another, in a thread of their own.

        What was interrupted is begun again; see `operations.services.files.work_once`.
        """
        while True:
            with suppress(DatabaseAway):
                while await self.order_files.run(order_files.work_once, at=datetime.now(UTC)):
                    pass
            await asyncio.sleep(IMPORTS_EVERY_S)

    # ---- broker ---------------------------------------------------------------------------------------------------

    async def _speak_with_broker(self) -> None:
        """One session after another, for ever."""
        delay = BACK_OFF_S[0]
        was_lost = False
        while True:
            began = time.monotonic()
            try:
                connection = await connect(self._environment.nats_url, name="yuheng-worker")
                if was_lost:
                    LOGGER.info("nats-server answers again.")
                was_lost = False
                try:
                    await self._session(connection)
                finally:
                    connection.close()
            except* (WireError, OSError, TimeoutError) as group:
                self.last_error = str(group.exceptions[0]) or type(group.exceptions[0]).__name__
                if not was_lost:
                    LOGGER.warning("The session with nats-server ended: %s", self.last_error)
                was_lost = True
            delay = BACK_OFF_S[0] if time.monotonic() - began > 5.0 else min(delay * 2, BACK_OFF_S[1])
            await asyncio.sleep(delay)

    async def _session(self, connection: Connection) -> None:
        """Do everything that needs the broker until the connection is lost; the first failure ends all of it."""
        events = Intake(connection, EVENTS_STREAM, take_in_events, self.database, self.events, self._events_taken)
        dead = Intake(connection, DEAD_STREAM, take_in_dead, self.database, self.dead, self._dead_taken)
        connection.subscribe(live_health("historian"), self._hear_historian)
        async with asyncio.TaskGroup() as group:
            group.create_task(_until_lost(connection))
            group.create_task(self._publish_changes(connection))
            group.create_task(self._replay(connection))
            group.create_task(self._send_commands(connection))
            group.create_task(self._say_how_we_are(connection))
            group.create_task(self._watch_dead_store(connection))
            group.create_task(events.run())
            group.create_task(dead.run())
            group.create_task(self.alarms.session(connection))
            group.create_task(self.signals.session(connection))

    async def _publish_changes(self, connection: Connection) -> None:
        """Publish once at the beginning, then after each change."""
        self._configuration_changed.set()
        while True:
            await self._configuration_changed.wait()
            if self.version:
                await asyncio.sleep(DEBOUNCE_S)
            self._configuration_changed.clear()
            try:
                await self._publish(connection)
            except DatabaseAway:
                self._configuration_changed.set()
                await asyncio.sleep(0.5)
                continue
            self._say_ready()

    async def _publish(self, connection: Connection) -> None:
        async with self._publishing:
            published = await publish_configuration(connection, self.database, self._environment.data_dir)
            self.version = published.version

    async def _until_historian_knows(self, connection: Connection) -> None:
        """Wait until the historian reads with today's configuration: else it would refuse what is replayed again.

        One that is away does not hold us up: it reads the configuration before it reads the log.
        """
        await self._publish(connection)
        with suppress(TimeoutError):
            async with asyncio.timeout(HISTORIAN_KNOWS_WITHIN_S):
                while self._historian_version < self.version:
                    self._historian_spoke.clear()
                    await self._historian_spoke.wait()

    def _hear_historian(self, items: list[type_raw]) -> None:
        with suppress(msgspec.DecodeError, KeyError, TypeError, ValueError):
            self._historian_version = int(msgspec.json.decode(items[-1][3], type=Health).facts["config_version"])
            self._historian_spoke.set()

    async def _send_commands(self, connection: Connection) -> None:
        """Soon after a command is requested, and now and then for what waits for a gateway or for an outcome."""
        pause_s = 0.0
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(pause_s or COMMANDS_EVERY_S):
                    await self._command_requested.wait()
            self._command_requested.clear()
            try:
                is_waiting = await send_what_waits(connection, self.database)
            except DatabaseAway:
                is_waiting = True
            pause_s = COMMANDS_AGAIN_S if is_waiting else 0.0

    async def _replay(self, connection: Connection) -> None:
        self._replay_requested.set()  # a replay may have been under way when we were killed
        while True:
            await self._replay_requested.wait()
            self._replay_requested.clear()
            try:
                if await self.database.run(is_replay_waiting):
                    await self._until_historian_knows(connection)
                    self._is_replaying = self._has_replayed = True
                    try:
                        self.replayed += await replay_what_waits(connection, self.database)
                    finally:
                        self._is_replaying = False
                    self._unknown_tags.set()  # a letter may have come, or come back, while we were at it
            except DatabaseAway:
                self._replay_requested.set()
                await asyncio.sleep(0.5)

    async def _say_how_we_are(self, connection: Connection) -> None:
        while True:
            health = Health("worker", int(time.time() * 1e6), self.facts())
            connection.publish(live_health("worker"), msgspec.json.encode(health))
            await asyncio.sleep(1.0)

    async def _watch_dead_store(self, connection: Connection) -> None:
        while True:
            with suppress(WireError, TimeoutError):  # only a look: whether the session goes on is for others to say
                info = await call(connection, f"STREAM.INFO.{DEAD_STREAM}")
                if "error" not in info:
                    self.dead_store.look(info, was_replaying=self._has_replayed)
                    self._has_replayed = self._is_replaying
            await asyncio.sleep(DEAD_STORE_EVERY_S)

    def _dead_taken(self, messages: Sequence[LogMessage]) -> None:
        mark = f".{Refusal.UNKNOWN_TAG.value}".encode()
        if any(message.subject.endswith(mark) for message in messages):
            self._unknown_tags.set()

    def _events_taken(self, messages: Sequence[LogMessage]) -> None:
        if any(message.subject.startswith((SIGNAL_SUBJECT, STATE_SUBJECT)) for message in messages):
            self.signals.woken.set()

    # ---- about ourselves --------------------------------------------------------------------------------------------

    def facts(self) -> dict[str, Any]:
        """Return what the health line says: totals since the start, and what waits now."""
        return {
            "configuration_version": self.version,
            "database": self.database.is_there,
            "outbox_delivered": self.delivered,
            "events_taken_in": self.events.messages,
            "events_unusable": self.events.unusable,
            "events_waiting": self.events.waiting,
            "dead_letters_taken_in": self.dead.messages,
            "dead_letters_unusable": self.dead.unusable,
            "dead_letters_waiting": self.dead.waiting,
            "dead_letters_discarded": self.dead_store.discarded,
            "dead_letters_bytes": self.dead_store.stored_bytes,
            "dead_letters_bound_bytes": self.dead_store.bound_bytes,
            "alarm_facts_taken_in": self.alarms.facts.messages,
            "alarm_facts_waiting": self.alarms.facts.waiting,
            "alarms_told": self.alarms.told,
            "notifications_sent": self.notifications.sent,
            "notifications_failed": self.notifications.failed,
            "webhooks_sent": self.order_webhooks.sent,
            "webhooks_failed": self.order_webhooks.failed,
            "signal_looks": self.signals.looks,
            "signal_faults": self.signals.faults,
            "job_orders_followed": self.flow.followed,
            "replayed": self.replayed,
            "own_tags": self.own_tags,
            "last_error": self.last_error,
        }

    def _say_ready(self) -> None:
        if self._ready_file and not Path(self._ready_file).exists():
            Path(self._ready_file).write_text(str(os.getpid()))


async def _until_lost(connection: Connection) -> None:
    await connection.closed.wait()
    raise WireError(connection.reason or "The connection was lost.")


def _is_something_due() -> bool:
    with django_connection.cursor() as cursor:
        cursor.execute(
            "SELECT EXISTS (SELECT 1 FROM kernel_outboxevent WHERE delivered_at IS NULL AND poisoned_at IS NULL"
            " AND (retry_at IS NULL OR retry_at <= now()))"
        )
        return bool(cursor.fetchone()[0])


async def serve(environment: Environment, *, ready_file: str = "") -> None:
    """Run the worker until SIGTERM or SIGINT."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await Worker(environment, ready_file=ready_file).run(stop)
