"""Keeping one session per source alive: opened, watched, opened anew after a failure, closed when it changes."""

from __future__ import annotations

import asyncio
import json
import logging
import random
import re
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any, cast

import msgspec

from yuheng.bus import subjects
from yuheng.bus.documents import Source
from yuheng.bus.messages import BrowseQuestion, SampleBatch, SourceGap
from yuheng.gateway.commands import Write
from yuheng.gateway.connector import (
    BrowsePage,
    BrowsingSession,
    CommandRefused,
    ConfigRefused,
    Gap,
    Kind,
    Manifest,
    PushHandler,
    Session,
    SessionHealth,
    SourceIdentity,
    State,
    TagAddress,
    WritingSession,
    check_config,
)
from yuheng.gateway.log import DurableLog
from yuheng.gateway.push import HttpDoor

logger = logging.getLogger(__name__)

CLOSE_S = 1.5
"""How long a session may take to close."""

_PAUSE_FIRST_S, _PAUSE_MOST_S = 0.25, 30.0
_GAP_ADDRESSES = 1000  # of at most 400 characters each: below the log's largest message
_HEALTHY_S = 30.0  # a session that lived this long starts its pauses anew


def _system_us() -> int:
    return time.time_ns() // 1000


class SourceContext:
    """`connector.Context` of one source."""

    def __init__(
        self,
        source: Source,
        log: DurableLog,
        door: HttpDoor,
        state_dir: Path,
        clock: Callable[[], int] = _system_us,
    ) -> None:
        self.source = SourceIdentity(source.id, source.code, source.topics)
        self.health = SessionHealth()
        self._log = log
        self._door = door
        self._clock = clock
        self._state_dir = state_dir / f"source-{source.id}"
        self._tags: tuple[TagAddress, ...] = ()
        self._tags_changed = asyncio.Event()

    @property
    def state_dir(self) -> Path:
        """A directory of this source's own."""
        self._state_dir.mkdir(parents=True, exist_ok=True)
        return self._state_dir

    async def emit_raw(self, topic: str, payload: bytes, *, arrived_us: int | None = None) -> None:
        """Keep an undecoded payload; see `connector.Context`."""
        headers = {
            subjects.HEADER_TOPIC: topic,
            subjects.HEADER_ARRIVED_US: str(self._clock() if arrived_us is None else arrived_us),
        }
        await self._log.append(subjects.ingest_raw(self.source.id), payload, headers)
        self._kept(len(payload))

    async def emit_samples(self, batch: SampleBatch) -> None:
        """Keep values read by address; see `connector.Context`."""
        headers = {subjects.HEADER_ARRIVED_US: str(self._clock())}
        payload = msgspec.msgpack.encode(batch)
        await self._log.append(subjects.ingest_points(self.source.id), payload, headers)
        self._kept(len(payload))
        self.count("points", len(batch.addresses))

    def _kept(self, size: int) -> None:
        self.count("kept")
        self.count("bytes", size)

    def set_health(self, state: State, sentence: str) -> None:
        """Say how the session is."""
        if state is not self.health.state:
            self.health.since_us = self._clock()
            level = logging.WARNING if state in (State.FAILED, State.DEGRADED) else logging.INFO
            logger.log(level, "%s: %s: %s", self.source.code, state.value, sentence)
        self.health.state, self.health.sentence = state, sentence

    def count(self, name: str, by: int = 1) -> None:
        """Add to a counter."""
        counters = self.health.counters
        counters[name] = counters.get(name, 0) + by

    def now_us(self) -> int:
        """Return microseconds since 1970 UTC."""
        return self._clock()

    def accept_pushes(self, handler: PushHandler) -> AbstractAsyncContextManager[None]:
        """Open the HTTP door for this source."""
        return self._door.opened(self.source, handler)

    async def tell_broker(self, topic: str, payload: bytes) -> None:
        """Publish to the built-in broker, as QoS 0."""
        await self._log.publish(subjects.subject_of_topic(topic), payload)

    @property
    def tags(self) -> tuple[TagAddress, ...]:
        """The tags of the source; see `connector.Context`."""
        return self._tags

    def set_tags(self, tags: tuple[TagAddress, ...]) -> None:
        """Give the source its tags, and wake whoever waits for other ones."""
        if tags != self._tags:
            self._tags = tags
            self._tags_changed.set()
            self._tags_changed = asyncio.Event()

    async def tags_after(self, known: tuple[TagAddress, ...]) -> tuple[TagAddress, ...]:
        """Return the tags when they are not ``known``; see `connector.Context`."""
        while self._tags == known:
            await self._tags_changed.wait()
        return self._tags

    async def report_gap(self, gap: Gap) -> None:
        """Keep durably what could not be had; see `connector.Context`."""
        for some in _parts(gap.addresses):
            fact = SourceGap(
                id=str(uuid.uuid4()),
                source_id=self.source.id,
                start_us=gap.start_us,
                end_us=gap.end_us,
                sentence=gap.sentence,
                addresses=list(some),
                noted_us=self._clock(),
            )
            await self._log.append(subjects.gap_event(self.source.id), msgspec.json.encode(fact), {})
        self.count("gaps")

    def set_fact(self, name: str, text: str) -> None:
        """Show something about the machine; see `connector.Context`."""
        if text:
            self.health.facts[name] = text
        else:
            self.health.facts.pop(name, None)


def _parts(addresses: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """Cut a list of addresses so that each part fits one message of the log."""
    yield addresses[:_GAP_ADDRESSES]
    for start in range(_GAP_ADDRESSES, len(addresses), _GAP_ADDRESSES):
        yield addresses[start : start + _GAP_ADDRESSES]


class SessionKeeper:
    """Runs one session of one source for as long as its configuration stays the same."""

    def __init__(self, source: Source, point: EntryPoint | None, context: SourceContext) -> None:
        self.source = source
        self.context = context
        self._point = point
        self._session: Session | None = None
        self._manifest: Manifest | None = None
        self._is_stopping = False
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin. `stop` ends it."""
        self._task = asyncio.get_running_loop().create_task(self._run(), name=f"session {self.source.code}")

    async def stop(self) -> None:
        """Close the session; a session that does not close in time is left behind and said so."""
        if self._task is None:
            return
        self._is_stopping = True
        self._task.cancel()
        _, late = await asyncio.wait((self._task,), timeout=CLOSE_S)
        if late:
            logger.error("%s: the session does not close.", self.source.code)
        self.context.set_health(State.STOPPED, "Stopped.")

    async def _run(self) -> None:
        """Open again and again; policy between: pauses from 0.25 s doubling to 30 s, with jitter."""
        pause_s = _PAUSE_FIRST_S
        while True:
            started = asyncio.get_running_loop().time()
            try:
                await self._run_once()
                self.context.set_health(State.STOPPED, self.context.health.sentence)
                return
            except ConfigRefused as refused:
                self.context.set_health(State.FAILED, str(refused))
                return  # only a new configuration can help
            except Exception as error:
                # A TaskGroup whose child fails in the moment in which its parent is cancelled forgets the cancellation
                # (until Python 3.13): a session that is to end would be opened anew, for ever.
                if self._is_stopping:
                    raise asyncio.CancelledError from error
                sentence = str(error) or type(error).__name__
                self.context.set_health(State.FAILED, sentence)
                logger.debug("%s: session ended", self.source.code, exc_info=error)
            if asyncio.get_running_loop().time() - started > _HEALTHY_S:
                pause_s = _PAUSE_FIRST_S
            await asyncio.sleep(pause_s * random.uniform(0.75, 1.25))
            pause_s = min(pause_s * 2, _PAUSE_MOST_S)
            self.context.health.restarts += 1

    async def _run_once(self) -> None:
        if self._point is None:
            raise ConfigRefused(f"The connector '{self.source.connector}' is not installed.")
        connector = self._point.load()()
        check_config(connector.manifest, self.source.settings)
        self._manifest = connector.manifest
        self.context.set_health(State.CONNECTING, "Opening.")
        async with connector.open(self.source.settings, self.context) as session:
            self._session = session
            try:
                await session.run()
            finally:
                self._session = None

    async def carry_out(self, command: Mapping[str, Any]) -> str:
        """Hand a command to the open session. Raises `CommandRefused`."""
        if self._session is None:
            raise CommandRefused("The source is not connected now.")
        return await self._session.carry_out(command)

    def find_write(self, address: str) -> Write:
        """Return how to write to the open session, when everybody has allowed it. Raises `CommandRefused`."""
        if not self.source.allows_writes:
            raise CommandRefused("Writing is not allowed at this source.")
        tag = next((tag for tag in self.context.tags if tag.address == address), None)
        if tag is None:
            raise CommandRefused("The gateway knows no such tag of this source.")
        if not tag.is_writable:
            raise CommandRefused("Writing is not allowed to this tag.")
        if self._manifest is not None and not self._manifest.can_write:
            raise CommandRefused("This kind of source cannot be written to.")
        if self._session is None:
            raise CommandRefused("The source is not connected now.")
        return cast(WritingSession, self._session).write

    async def browse(self, question: BrowseQuestion) -> BrowsePage:
        """List what the machine has. Raises `CommandRefused`."""
        if self._session is None:
            raise CommandRefused("The source is not connected now.")
        if self._manifest is None or not self._manifest.can_browse:
            raise CommandRefused("This kind of source cannot be browsed.")
        session = cast(BrowsingSession, self._session)
        return await session.browse(question.node, question.cursor, question.search)


class Sessions:
    """All sessions of the gateway, following the configuration."""

    def __init__(self, make_context: Callable[[Source], SourceContext], connectors: Mapping[str, EntryPoint]) -> None:
        self._make_context = make_context
        self._connectors = connectors
        self._keepers: dict[int, SessionKeeper] = {}
        self._needing: dict[str, bool] = {}

    async def follow(
        self, sources: tuple[Source, ...], addresses: Mapping[int, tuple[TagAddress, ...]] | None = None
    ) -> None:
        """Stop what is gone or changed, start what is new; leave everything else alone.

        New tags, and whether writing is allowed, reach an open session without opening it anew.
        """
        wanted = {source.id: source for source in sources if source.is_enabled}
        ended = [id_ for id_, keeper in self._keepers.items() if not _is_same_session(keeper.source, wanted.get(id_))]
        await asyncio.gather(*(self._keepers.pop(id_).stop() for id_ in ended))
        for id_, source in wanted.items():
            keeper = self._keepers.get(id_)
            if keeper is None:
                keeper = SessionKeeper(source, self._connectors.get(source.connector), self._make_context(source))
                self._keepers[id_] = keeper
                keeper.context.set_tags((addresses or {}).get(id_, ()))
                keeper.start()
            else:
                keeper.source = source
                keeper.context.set_tags((addresses or {}).get(id_, ()))

    def needs_tags(self, connector: str) -> bool:
        """Return whether sessions of a connector must know the tags of their source."""
        known = self._needing.get(connector)
        if known is None:
            manifest = self._manifest(connector)
            known = manifest is not None and (manifest.needs_tags or manifest.can_write)
            self._needing[connector] = known
        return known

    def is_pushed_to(self, source: Source) -> bool:
        """Return whether a source's sessions open the HTTP door."""
        manifest = self._manifest(source.connector)
        return manifest is not None and Kind.PUSH in manifest.kinds

    def _manifest(self, connector: str) -> Manifest | None:
        point = self._connectors.get(connector)
        if point is None:
            return None
        manifest: Manifest = point.load().manifest
        return manifest

    async def stop(self) -> None:
        """Close all."""
        await self.follow(())

    def health(self) -> dict[str, dict[str, Any]]:
        """Return what each session says of itself, by source code (with ``@site`` where two sites share one)."""
        found: dict[str, dict[str, Any]] = {}
        for keeper in self._keepers.values():
            code, health = keeper.source.code, keeper.context.health
            found[f"{code}@{keeper.source.site_id}" if code in found else code] = {
                "source_id": keeper.source.id,
                "connector": keeper.source.connector,
                "state": health.state.value,
                "sentence": health.sentence,
                "since_us": health.since_us,
                "restarts": health.restarts,
                "facts": dict(health.facts),
                **health.counters,
            }
        return found

    def find_write(self, source_id: int, address: str) -> Write:
        """Return how to write to a tag now. Raises `CommandRefused`."""
        return self._keeper(source_id).find_write(address)

    async def browse(self, source_id: int, question: BrowseQuestion) -> BrowsePage:
        """List what the machine behind a source has. Raises `CommandRefused`."""
        return await self._keeper(source_id).browse(question)

    def _keeper(self, source_id: int) -> SessionKeeper:
        keeper = self._keepers.get(source_id)
        if keeper is None:
            raise CommandRefused("The source does not run in this gateway.")
        return keeper

    async def carry_out(self, source_id: int, payload: bytes) -> str:
        """Carry out a command from the bus; return a sentence. Raises `CommandRefused`."""
        keeper = self._keeper(source_id)
        try:
            command = json.loads(payload)
        except ValueError as error:
            raise CommandRefused("The command is not JSON.") from error
        if not isinstance(command, dict):
            raise CommandRefused("The command is not an object.")
        return await keeper.carry_out(command)


def _is_same_session(one: Source, other: Source | None) -> bool:
    """Return whether an open session serves both configurations."""
    return other is not None and msgspec.structs.replace(other, allows_writes=one.allows_writes) == one


def source_of_command(subject: bytes) -> int | None:
    """Return the source id of ``yh.cmd.<source id>`` and ``yh.browse.<source id>``."""
    found = re.fullmatch(rb"yh\.(?:cmd|browse)\.(\d+)", subject)
    return int(found.group(1)) if found else None
