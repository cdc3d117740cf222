"""From the bus to the browsers: boards kept current, topics fanned out. One task group, no orphan tasks."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from typing import Protocol

import msgspec

from yuheng.bus import subjects
from yuheng.bus.documents import Plant
from yuheng.bus.messages import (
    AlarmsQuestion,
    DispatchLive,
    LiveAlarms,
    LiveJobs,
    LiveQuestion,
    LiveSnapshot,
    LiveStates,
    LiveValues,
    UnitLive,
    ValueLive,
)
from yuheng.web.freshness import heard_by_source
from yuheng.web.live.alarms import AlarmBoard, AlarmsTopic
from yuheng.web.live.board import Board
from yuheng.web.live.dispatch import DispatchTopic
from yuheng.web.live.jobs import JobsTopic
from yuheng.web.live.streams import Client, SiteFrame, Topic, ValuesFrame, frame

COALESCE_S = 0.02  # state changes that come together leave together; far below what an eye sees
SENDS_PER_S = 800  # with many browsers, the pause between two pushes grows so that the hub stays below this
FAST_S = 0.1  # values of an opened unit
SLOW_S = 1.0  # age of the data, values of single tags
WATCH_S = 5.0  # how often the historian hears that somebody looks; it forgets after WATCH_TTL_S
WATCH_TTL_S = 15
HEARTBEAT_S = 15.0
SNAPSHOT_TIMEOUT_S = 5.0
RETRY_S = 1.0
AUDIT_S = 60.0  # a fresh snapshot now and then, so that no error of any kind lives longer than a minute
HISTORIAN_SILENT_S = 3.0  # it says how it is once a second
MAX_CLIENTS = 1000
MAX_TOPICS = 32
MAX_TAGS = 200
STORM_LINES = 20
STORM_PAUSE_S = 0.25

Handler = Callable[[str, bytes], None]


class LiveBus(Protocol):
    """The few things the hub asks of the broker. `nats_bus.NatsBus` is the real one."""

    @property
    def is_connected(self) -> bool:
        """Whether the broker is there now."""

    async def listen(self, subject: str, handler: Handler) -> None:
        """Call the handler with (subject, body) for each message, in order."""

    async def ask(self, subject: str, body: bytes, timeout_s: float) -> bytes:
        """Return the answer; raises `TimeoutError` or `ConnectionError`."""

    async def tell(self, subject: str, body: bytes) -> None:
        """Publish, fire and forget."""

    async def follow_plant(self, handler: Callable[[Plant], None]) -> None:
        """Call the handler with the configuration document, now and whenever it changes. Returns never."""

    def on_loss(self, handler: Callable[[], None]) -> None:
        """Call the handler when messages may have been lost."""


class UnknownTopic(LookupError):
    """No such topic, or not one of the reader's sites: the two look the same on purpose."""


class TooMany(RuntimeError):
    """The hub is full; try later."""


class SiteTopic(Topic):
    """States of all units of a site."""

    def __init__(self, site_id: int, trouble: Callable[[Board], str]) -> None:
        super().__init__(f"site:{site_id}")
        self.site_id = site_id
        self.board = Board()
        self.shown: dict[int, UnitLive] = {}
        self._trouble = trouble

    @property
    def _event_id(self) -> str:
        return f"{self.board.epoch}-{self.board.seq}"

    def _frame(self, event: str, units: list[UnitLive]) -> bytes:
        trouble = self._trouble(self.board)
        return frame(event, SiteFrame(self.name, _now_us(), self.board.data_time_us, trouble, units), self._event_id)

    def snapshot(self) -> bytes:
        """Return all units."""
        return self._frame("snapshot", list(self.board.units.values()))

    def push_changes(self) -> None:
        """Send the units that changed since the last push; a unit that disappeared needs a snapshot."""
        if self.shown.keys() - self.board.units.keys():
            for client in self.clients:
                client.refresh()
        changed = self.board.changed_units(self.shown)
        self.shown = dict(self.board.units)
        if changed and self.clients:
            self.send(self._frame("delta", changed))

    def push_age(self) -> None:
        """Send how old the data is, so that no browser has to guess."""
        if self.clients:
            self.send(self._frame("delta", []))


class TagsTopic(Topic):
    """Latest values of some tags: of one opened unit (fast) or of a trend (slow)."""

    def __init__(
        self,
        name: str,
        site_id: int,
        tags: frozenset[int],
        board: Board,
        *,
        is_fast: bool,
        heard: Callable[[], dict[int, int]],
    ) -> None:
        super().__init__(name)
        self.site_id = site_id
        self._heard = heard
        self.tags = tags
        self.is_fast = is_fast
        self._board = board
        self._changed: dict[int, ValueLive] = {}

    def take(self, value: ValueLive) -> None:
        """Remember a changed value until the next push; only the newest of a tag is kept."""
        self._changed[value.tag_id] = value

    def snapshot(self) -> bytes:
        """Return the latest value of every tag that has one."""
        values = [self._board.values[tag] for tag in sorted(self.tags) if tag in self._board.values]
        return self._frame("snapshot", values)

    def push_changes(self) -> None:
        """Send values that changed since the last push."""
        if self._changed and self.clients:
            self.send(self._frame("delta", list(self._changed.values())))
        self._changed.clear()

    def push_heard(self) -> None:
        """Send who was heard, though nothing changed: an unchanged value of a device that speaks is a present one."""
        if self.clients:
            self.send(self._frame("delta", []))

    def _frame(self, event: str, values: list[ValueLive]) -> bytes:
        heard = {str(source): until_us for source, until_us in self._heard().items()}
        now_us = _now_us()
        return frame(event, ValuesFrame(self.name, now_us, values, heard), f"v-{now_us}")


class Hub:
    """Keeps a board for each site that somebody looks at, and tells the browsers what changes."""

    def __init__(self, bus: LiveBus) -> None:
        self._bus = bus
        self._sites: dict[int, SiteTopic] = {}
        self._alarms: dict[int, AlarmsTopic] = {}
        self._alarms_dirty = asyncio.Event()
        self._jobs: dict[int, JobsTopic] = {}
        self._dispatch: dict[int, DispatchTopic] = {}
        self._tag_topics: dict[str, TagsTopic] = {}
        self._by_tag: dict[int, list[TagsTopic]] = {}
        self._site_of_unit: dict[int, int] = {}
        self._tags_of_unit: dict[int, frozenset[int]] = {}
        self._site_of_tag: dict[int, int] = {}
        self._source_of_tag: dict[int, int] = {}
        self._connectors: dict[int, str] = {}
        self._historian_at: float | None = None  # monotonic; None: not heard yet
        self._clients: set[Client] = set()
        self._dirty = asyncio.Event()
        self._wanted = asyncio.Event()
        self._opened = asyncio.Event()  # somebody looks at a unit nobody looked at before
        self._states = msgspec.json.Decoder(LiveStates)
        self._values = msgspec.json.Decoder(LiveValues)
        self._live_alarms = msgspec.json.Decoder(LiveAlarms)
        self._live_jobs = msgspec.json.Decoder(LiveJobs)
        self._live_dispatch = msgspec.json.Decoder(DispatchLive)
        self._is_closed = False
        self.unreadable = 0

    # ---- browsers ------------------------------------------------------------------------------------------------

    def open(
        self,
        names: list[str],
        *,
        sites: frozenset[int] | None,
        expires_at: float,
        alarm_sites: frozenset[int] | None = frozenset(),
        order_sites: frozenset[int] | None = frozenset(),
    ) -> Client:
        """Start a stream.

        Parameters
        ----------
        names
            ``site:1``, ``unit:17``, ``tags:3.5.8``, ``alarms:1``, ``jobs:1``, ``dispatch:1``.
        sites
            Sites the reader may see; None: all. ``alarm_sites``, ``order_sites``: those whose
            alarms, and jobs, they may see.
        expires_at
            When the stream ends, seconds since the epoch (the reader then shows a fresh token).

        Raises
        ------
        UnknownTopic, TooMany
        """
        if self._is_closed or len(self._clients) >= MAX_CLIENTS:
            raise TooMany("This server has as many live readers as it takes; try again in a minute.")
        if not names or len(names) > MAX_TOPICS:
            raise UnknownTopic(f"Name between 1 and {MAX_TOPICS} topics.")
        topics = [self._topic(name, sites, alarm_sites, order_sites) for name in dict.fromkeys(names)]
        client = Client(topics, expires_at=expires_at)
        for topic in topics:
            topic.clients.add(client)
        self._clients.add(client)
        self._wanted.set()
        return client

    def leave(self, client: Client) -> None:
        """Forget a stream, and the topics only it listened to. Boards stay: the next reader finds them current."""
        self._clients.discard(client)
        for topic in client.topics:
            topic.clients.discard(client)
            if isinstance(topic, TagsTopic) and not topic.clients:
                self._tag_topics.pop(topic.name, None)
                for tag in topic.tags:
                    self._by_tag[tag] = [other for other in self._by_tag.get(tag, []) if other is not topic]

    def close(self) -> None:
        """End every stream: the server is stopping."""
        self._is_closed = True
        for client in self._clients:
            client.close()

    @property
    def client_count(self) -> int:
        """How many browsers listen."""
        return len(self._clients)

    def _topic(
        self,
        name: str,
        sites: frozenset[int] | None,
        alarm_sites: frozenset[int] | None,
        order_sites: frozenset[int] | None,
    ) -> Topic:
        kind, _, rest = name.partition(":")
        try:
            numbers = [int(word) for word in rest.split(".")]
        except ValueError:
            raise UnknownTopic(name) from None
        if kind == "alarms" and len(numbers) == 1:
            self._check_visible(name, {numbers[0]}, alarm_sites)
            return self._alarms.setdefault(numbers[0], AlarmsTopic(numbers[0], self._alarm_trouble))
        if kind == "jobs" and len(numbers) == 1:
            self._check_visible(name, {numbers[0]}, order_sites)
            return self._jobs.setdefault(numbers[0], JobsTopic(numbers[0]))
        if kind == "dispatch" and len(numbers) == 1:
            self._check_visible(name, {numbers[0]}, order_sites)
            return self._dispatch.setdefault(numbers[0], DispatchTopic(numbers[0]))
        if kind == "site" and len(numbers) == 1:
            site_id = numbers[0]
            self._check_visible(name, {site_id}, sites)
            return self._site(site_id)
        if kind == "unit" and len(numbers) == 1 and numbers[0] in self._site_of_unit:
            site_id = self._site_of_unit[numbers[0]]
            tags = self._tags_of_unit.get(numbers[0], frozenset())
        elif kind == "tags" and 0 < len(numbers) <= MAX_TAGS and all(tag in self._site_of_tag for tag in numbers):
            tags = frozenset(numbers)
            owners = {self._site_of_tag[tag] for tag in tags}
            if len(owners) != 1:
                raise UnknownTopic(name)
            site_id = owners.pop()
        else:
            raise UnknownTopic(name)
        self._check_visible(name, {site_id}, sites)
        return self._tag_topic(name, site_id, tags, is_fast=kind == "unit")

    def _check_visible(self, name: str, wanted: set[int], sites: frozenset[int] | None) -> None:
        if sites is not None and not wanted <= sites:
            raise UnknownTopic(name)

    def _site(self, site_id: int) -> SiteTopic:
        if site_id not in self._sites:
            self._sites[site_id] = SiteTopic(site_id, self._trouble)
        return self._sites[site_id]

    def _tag_topic(self, name: str, site_id: int, tags: frozenset[int], *, is_fast: bool) -> TagsTopic:
        topic = self._tag_topics.get(name)
        if topic is None:
            board = self._site(site_id).board
            unit_id = int(name.partition(":")[2]) if is_fast else None
            topic = TagsTopic(
                name, site_id, tags, board, is_fast=is_fast, heard=lambda: self._heard_sources(board, unit_id)
            )
            self._tag_topics[name] = topic
            for tag in tags:
                self._by_tag.setdefault(tag, []).append(topic)
            if is_fast:
                self._opened.set()
        return topic

    def _heard_sources(self, board: Board, unit_id: int | None) -> dict[int, int]:
        """Return until when each source of an opened unit is known to be there."""
        if unit_id is None:
            return {}
        unit = board.units.get(unit_id)
        times = []
        for tag in self._tags_of_unit.get(unit_id, ()):
            source = self._source_of_tag.get(tag)
            if source is not None:
                times.append((source, board.values[tag].time_us if tag in board.values else 0))
        return heard_by_source(times, self._connectors, unit.seen_us if unit else 0)

    def _trouble(self, board: Board) -> str:
        if not self._bus.is_connected:
            return "no_broker"
        is_silent = self._historian_at is not None and time.monotonic() - self._historian_at > HISTORIAN_SILENT_S
        return "no_historian" if board.needs_snapshot or is_silent else ""

    def _alarm_trouble(self, board: AlarmBoard) -> str:
        if not self._bus.is_connected:
            return "no_broker"
        return "no_worker" if board.needs_snapshot else ""

    # ---- bus -----------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Serve until cancelled."""
        self._bus.on_loss(self._distrust)
        await self._bus.listen("yh.live.state.*", self._on_states)
        await self._bus.listen("yh.live.values.*", self._on_values)
        await self._bus.listen("yh.live.alarms.*", self._on_alarms)
        await self._bus.listen("yh.live.jobs.*", self._on_jobs)
        await self._bus.listen("yh.live.dispatch.*", self._on_dispatch)
        await self._bus.listen(subjects.live_health("historian"), self._on_health)
        async with asyncio.TaskGroup() as group:
            group.create_task(self._bus.follow_plant(self._on_plant))
            group.create_task(self._fetch_snapshots())
            group.create_task(self._push_states())
            group.create_task(self._push_alarms())
            group.create_task(_every(FAST_S, self._push_fast))
            group.create_task(_every(SLOW_S, self._push_slow))
            group.create_task(self._keep_watching())
            group.create_task(_every(AUDIT_S, self._audit))

    def _on_states(self, subject: str, body: bytes) -> None:
        site = self._sites.get(_site_id(subject))
        if site is None:
            return
        try:
            site.board.apply_states(self._states.decode(body))
        except msgspec.MsgspecError:
            self.unreadable += 1
            site.board.distrust()
        self._wanted.set() if site.board.needs_snapshot else self._dirty.set()

    def _on_values(self, subject: str, body: bytes) -> None:
        site = self._sites.get(_site_id(subject))
        if site is None:
            return
        try:
            changed = site.board.apply_values(self._values.decode(body))
        except msgspec.MsgspecError:
            self.unreadable += 1
            return
        if self._by_tag:
            for value in changed:
                for topic in self._by_tag.get(value.tag_id, ()):
                    topic.take(value)

    def _on_jobs(self, subject: str, body: bytes) -> None:
        topic = self._jobs.get(_site_id(subject))
        if topic is None:
            return
        try:
            topic.apply(self._live_jobs.decode(body))
        except msgspec.MsgspecError:
            self.unreadable += 1

    def _on_dispatch(self, subject: str, body: bytes) -> None:
        topic = self._dispatch.get(_site_id(subject))
        if topic is None:
            return
        try:
            topic.apply(self._live_dispatch.decode(body))
        except msgspec.MsgspecError:
            self.unreadable += 1

    def _on_alarms(self, subject: str, body: bytes) -> None:
        topic = self._alarms.get(_site_id(subject))
        if topic is None:
            return
        try:
            topic.board.apply(self._live_alarms.decode(body))
        except msgspec.MsgspecError:
            self.unreadable += 1
            topic.board.distrust()
        self._wanted.set() if topic.board.needs_snapshot else self._alarms_dirty.set()

    def _on_health(self, _subject: str, _body: bytes) -> None:
        self._historian_at = time.monotonic()

    def _on_plant(self, plant: Plant) -> None:
        """Learn which tags a unit has, and whose they are. A unit whose tags changed is followed anew."""
        site_of_source = {source.id: source.site_id for source in plant.sources}
        tags_of_unit: dict[int, set[int]] = {unit.id: set(unit.symbols.values()) for unit in plant.work_units}
        for tag in plant.tags:
            if tag.work_unit_id is not None:
                tags_of_unit.setdefault(tag.work_unit_id, set()).add(tag.id)
        self._site_of_unit = {unit.id: unit.site_id for unit in plant.work_units}
        self._site_of_tag = {
            tag.id: site_of_source[tag.source_id] for tag in plant.tags if tag.source_id in site_of_source
        }
        self._source_of_tag = {tag.id: tag.source_id for tag in plant.tags}
        self._connectors = {source.id: source.connector for source in plant.sources}
        self._tags_of_unit = {unit: frozenset(tags) for unit, tags in tags_of_unit.items()}
        for topic in self._tag_topics.values():
            kind, _, number = topic.name.partition(":")
            if kind == "unit" and self._tags_of_unit.get(int(number)) != topic.tags:
                for client in topic.clients:
                    client.close()  # the browser comes back at once and gets the new tags

    def _distrust(self) -> None:
        for site in self._sites.values():
            site.board.distrust()
        for topic in self._alarms.values():
            topic.board.distrust()
        self._wanted.set()

    async def _audit(self) -> None:
        self._distrust()

    async def _fetch_snapshots(self) -> None:
        """Ask for a snapshot of each board that needs one, again and again until it has it."""
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            for site in list(self._sites.values()):
                if site.board.needs_snapshot:
                    await self._fetch_snapshot(site)
            for topic in list(self._alarms.values()):
                if topic.board.needs_snapshot:
                    await self._fetch_alarms(topic)
            if any(site.board.needs_snapshot for site in self._sites.values()) or any(
                topic.board.needs_snapshot for topic in self._alarms.values()
            ):
                await asyncio.sleep(RETRY_S)
                self._wanted.set()

    async def _fetch_snapshot(self, site: SiteTopic) -> None:
        question = msgspec.json.encode(LiveQuestion(site.site_id))
        losses = site.board.losses
        try:
            answer = await self._bus.ask(subjects.question("live"), question, SNAPSHOT_TIMEOUT_S)
            snapshot = msgspec.json.decode(answer, type=LiveSnapshot)
        except (TimeoutError, ConnectionError, msgspec.MsgspecError):
            return
        before = dict(site.board.values)
        site.board.apply_snapshot(snapshot, asked_at_loss=losses)
        for tag, topics in self._by_tag.items():
            value = site.board.values.get(tag)
            if value is not None and before.get(tag) != value:
                for topic in topics:
                    topic.take(value)
        self._dirty.set()

    async def _fetch_alarms(self, topic: AlarmsTopic) -> None:
        losses = topic.board.losses
        try:
            question = msgspec.json.encode(AlarmsQuestion(topic.site_id))
            answer = await self._bus.ask(subjects.question("alarms"), question, SNAPSHOT_TIMEOUT_S)
            topic.board.apply_snapshot(self._live_alarms.decode(answer), asked_at_loss=losses)
        except (TimeoutError, ConnectionError, msgspec.MsgspecError):
            return
        self._alarms_dirty.set()

    # ---- pushing ---------------------------------------------------------------------------------------------------

    async def _push_states(self) -> None:
        while True:
            await self._dirty.wait()
            await asyncio.sleep(COALESCE_S)
            self._dirty.clear()
            for site in self._sites.values():
                site.push_changes()
            await asyncio.sleep(max(0.0, len(self._clients) / SENDS_PER_S - COALESCE_S))

    async def _push_alarms(self) -> None:
        """Send changed lines at once; after many of them pause, so that a storm does not keep browsers busy."""
        while True:
            await self._alarms_dirty.wait()
            await asyncio.sleep(COALESCE_S)
            self._alarms_dirty.clear()
            lines = sum(topic.push_changes() for topic in self._alarms.values())
            await asyncio.sleep(STORM_PAUSE_S if lines > STORM_LINES else 0)

    async def _push_fast(self) -> None:
        for jobs in self._jobs.values():
            jobs.push_changes()
        for topic in list(self._tag_topics.values()):
            if topic.is_fast:
                topic.push_changes()

    async def _push_slow(self) -> None:
        for topic in list(self._tag_topics.values()):
            if topic.is_fast:
                topic.push_heard()
            else:
                topic.push_changes()
        for site in self._sites.values():
            site.push_age()
        for alarms in self._alarms.values():
            alarms.push_age()
        now = time.time()
        for client in list(self._clients):
            if client.expires_at <= now:
                client.close()

    async def _keep_watching(self) -> None:
        """Tell the historian at once who looks closely, and again and again while somebody does."""
        while True:
            await self._watch()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(WATCH_S):
                    await self._opened.wait()
            self._opened.clear()

    async def _watch(self) -> None:
        tags = sorted(set().union(*(topic.tags for topic in self._tag_topics.values() if topic.is_fast)))
        if tags and self._bus.is_connected:
            await self._bus.tell(subjects.WATCH, msgspec.json.encode({"tags": tags, "ttl_s": WATCH_TTL_S}))


async def _every(period_s: float, action: Callable[[], Awaitable[None]]) -> None:
    while True:
        await asyncio.sleep(period_s)
        await action()


def _site_id(subject: str) -> int:
    try:
        return int(subject.rsplit(".", 1)[1])
    except ValueError:
        return -1


def _now_us() -> int:
    return time.time_ns() // 1000
