"""What every connector must do, as numbered checks, with fakes to run any connector in.

A test names its connector once, as a `Bench`, and runs `CHECKS` against it (see ``tests/conformance``)::

    @pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.name)
    async def test_conformance(check, my_bench):
        await check.run(my_bench)

Nothing here sleeps for a fixed time: every wait has a condition and a deadline, and the fake log can be held, which
is how an hour of outage is tried in a second.
"""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import msgspec
import psutil

from yuheng.bus.messages import SampleBatch
from yuheng.engines.codec import SAMPLES, Batch, Message, TagSpec, decoder_for
from yuheng.engines.points import Quality
from yuheng.gateway.connector import (
    CommandRefused,
    ConfigRefused,
    Connector,
    Gap,
    Manifest,
    PushHandler,
    SessionHealth,
    SourceIdentity,
    State,
    TagAddress,
    Tier,
    Value,
    check_config,
)
from yuheng.gateway.push import HttpDoor
from yuheng.testing.loop_watch import watching
from yuheng.testing.waiting import eventually

TURNS = 3
"""How often a session is watched before it is said to block the loop."""

CLOSES_WITHIN_S = 30.0
"""Far more than closing takes: on a busy machine, too, only what never closes is found."""

MANY_TAGS = 10_000


class FakeLog:
    """A durable log in memory: it can be held, and it remembers what it has acknowledged."""

    def __init__(self) -> None:
        self.raw: list[tuple[str, bytes, int]] = []
        self.samples: list[tuple[SampleBatch, int]] = []
        self._open = asyncio.Event()
        self._open.set()
        self.waiting = 0
        self.most_waiting = 0

    def hold(self) -> None:
        """Acknowledge nothing until `release`."""
        self._open.clear()

    def release(self) -> None:
        """Acknowledge again."""
        self._open.set()

    async def _turn(self) -> None:
        self.waiting += 1
        self.most_waiting = max(self.most_waiting, self.waiting)
        try:
            await self._open.wait()
        finally:
            self.waiting -= 1

    async def add_raw(self, topic: str, payload: bytes, arrived_us: int) -> None:
        """Keep a payload."""
        await self._turn()
        self.raw.append((topic, payload, arrived_us))

    async def add_samples(self, batch: SampleBatch, arrived_us: int) -> None:
        """Keep samples."""
        await self._turn()
        self.samples.append((batch, arrived_us))

    def __len__(self) -> int:
        return len(self.raw) + len(self.samples)


class FakeContext:
    """`gateway.connector.Context` around a `FakeLog`, with a clock that can be turned."""

    def __init__(self, source: SourceIdentity, state_dir: Path, log: FakeLog, door: HttpDoor | None = None) -> None:
        self.source = source
        self.state_dir = state_dir
        self.log = log
        self.health = SessionHealth()
        self.history: list[State] = []
        self.skew_us = 0
        self._door = door
        self.told_broker: list[tuple[str, bytes]] = []
        self.gaps: list[Gap] = []
        self.session: Any = None
        self._tags: tuple[TagAddress, ...] = ()
        self._tags_changed = asyncio.Event()

    async def emit_raw(self, topic: str, payload: bytes, *, arrived_us: int | None = None) -> None:
        """Keep a payload; see the port."""
        await self.log.add_raw(topic, payload, self.now_us() if arrived_us is None else arrived_us)
        self.count("kept")

    async def emit_samples(self, batch: SampleBatch) -> None:
        """Keep samples; see the port."""
        await self.log.add_samples(batch, self.now_us())
        self.count("kept")

    def set_health(self, state: State, sentence: str) -> None:
        """Remember what the session says."""
        self.health.state, self.health.sentence = state, sentence
        self.history.append(state)

    def count(self, name: str, by: int = 1) -> None:
        """Add to a counter."""
        self.health.counters[name] = self.health.counters.get(name, 0) + by

    def now_us(self) -> int:
        """Return the system's time, skewed."""
        return time.time_ns() // 1000 + self.skew_us

    def accept_pushes(self, handler: PushHandler) -> AbstractAsyncContextManager[None]:
        """Open the bench's HTTP door. Raises `ConfigRefused` when the bench has none."""
        if self._door is None:
            raise ConfigRefused("This bench has no HTTP door.")
        return self._door.opened(self.source, handler)

    async def tell_broker(self, topic: str, payload: bytes) -> None:
        """Remember what would be published."""
        self.told_broker.append((topic, payload))

    @property
    def tags(self) -> tuple[TagAddress, ...]:
        """The tags that `set_tags` gave."""
        return self._tags

    def set_tags(self, tags: tuple[TagAddress, ...]) -> None:
        """Give the source other tags, as a new configuration does."""
        self._tags = tags
        self._tags_changed.set()
        self._tags_changed = asyncio.Event()

    async def tags_after(self, known: tuple[TagAddress, ...]) -> tuple[TagAddress, ...]:
        """Wait for other tags; see the port."""
        while self._tags == known:
            await self._tags_changed.wait()
        return self._tags

    async def report_gap(self, gap: Gap) -> None:
        """Remember what could not be had."""
        self.gaps.append(gap)

    def set_fact(self, name: str, text: str) -> None:
        """Remember a fact about the machine."""
        self.health.facts[name] = text


class FakeDevice(Protocol):
    """The machine at the other end: it speaks the real protocol, to the real connector."""

    async def send(self, value: int, count: int = 1) -> None:
        """Send ``value``, ``value + 1``, ... for the address `Bench.address`; return when *they are acknowledged*.

        A device whose protocol acknowledges nothing returns when they are on their way.
        """
        ...

    async def send_malformed(self) -> None:
        """Send something that cannot be decoded."""
        ...

    async def send_many_tags(self, count: int) -> None:
        """Send one value for each of ``count`` addresses."""
        ...

    async def go_away(self) -> None:
        """Break the connection, or end the server, as abruptly as it gets."""
        ...

    async def come_back(self) -> None:
        """Be there again, with everything that a real one keeps."""
        ...


@dataclass
class Bench:
    """One connector with its fake device and configuration."""

    connector: Connector
    config: Mapping[str, Any]
    device: FakeDevice
    state_dir: Path
    address: str = "n"
    many_addresses: Callable[[int], str] = "tag{}".format
    bad_config: Mapping[str, Any] = field(default_factory=lambda: {"no such setting": 1})
    topics: tuple[str, ...] = ()
    search: str = ""  # a text that finds the address; "": the address itself
    sees_disconnect: bool = True  # False: whoever pushes may be silent without being away
    door: HttpDoor | None = None  # the real HTTP door, for connectors that are pushed to

    def context(self, log: FakeLog) -> FakeContext:
        """Return a context for one life of the gateway."""
        context = FakeContext(SourceIdentity(7, "bench", self.topics), self.state_dir, log, self.door)
        if self.connector.manifest.needs_tags:
            context.set_tags((TagAddress(self.address, "float", is_writable=True),))
        return context

    def decode(self, log: FakeLog) -> Batch:
        """Decode everything in the log, as the historian will."""
        tags = [TagSpec(1, self.address, "float")]
        tags += [TagSpec(10 + i, self.many_addresses(i), "float") for i in range(MANY_TAGS)]
        name = self.connector.manifest.name
        if log.samples:
            raw = [Message("", msgspec.msgpack.encode(batch), arrived_us) for batch, arrived_us in log.samples]
            return decoder_for(SAMPLES, {}, (), tags).decode(raw)
        messages = [Message(topic, payload, arrived_us) for topic, payload, arrived_us in log.raw]
        return decoder_for(name, self.config, self.topics, tags).decode(messages)

    def values(self, log: FakeLog) -> set[int]:
        """Return the numbers of the address that have been kept."""
        points = self.decode(log).points
        kept = points.value[(points.tag == 1) & (points.quality == Quality.GOOD)]
        return {int(value) for value in kept.tolist()}


class _Runner:
    """Runs a session the way the gateway does: opened anew, at once, whenever it ends with an error."""

    def __init__(self, bench: Bench, context: FakeContext) -> None:
        self.bench = bench
        self.context = context
        self.errors: list[str] = []
        self.is_stopping = False

    async def run(self) -> None:
        while True:
            try:
                async with self.bench.connector.open(self.bench.config, self.context) as session:
                    self.context.session = session
                    await session.run()
                return
            except ConfigRefused:
                raise
            except Exception as error:
                if self.is_stopping:  # a TaskGroup may forget that it was cancelled; see `gateway.sessions`
                    raise asyncio.CancelledError from error
                self.errors.append(str(error))
                self.context.set_health(State.FAILED, str(error) or type(error).__name__)
                await asyncio.sleep(0.02)


@asynccontextmanager
async def running(bench: Bench, log: FakeLog) -> AsyncIterator[FakeContext]:
    """Run the connector; on exit it must close by itself."""
    context = bench.context(log)
    runner = _Runner(bench, context)
    task = asyncio.get_running_loop().create_task(runner.run(), name="connector under test")
    try:
        await eventually(lambda: task.done() or State.CONNECTED in context.history)
        yield context
    finally:
        runner.is_stopping = True
        task.cancel()
        done, _ = await asyncio.wait((task,), timeout=CLOSES_WITHIN_S)
        assert done, "The session does not close."
        if not task.cancelled() and (error := task.exception()) is not None:
            raise error


# ---- the checks -----------------------------------------------------------------------------------------------


async def starts(bench: Bench) -> None:
    """A value sent is a value kept, and the health says connected."""
    log = FakeLog()
    async with running(bench, log) as context:
        await bench.device.send(1)
        await eventually(lambda: 1 in bench.values(log))
        assert context.health.sentence


async def refuses_a_bad_config(bench: Bench) -> None:
    """A wrong setting is refused with a sentence that names it, before anything is opened."""
    sentence = ""
    try:
        check_config(bench.connector.manifest, bench.bad_config)
    except ConfigRefused as refused:
        sentence = str(refused)
    assert any(name in sentence for name in bench.bad_config), sentence or "The schema accepts a wrong setting."


async def survives_a_disconnect(bench: Bench) -> None:
    """The device goes away and comes back: health tells the truth, later values arrive, nothing is lost."""
    log = FakeLog()
    async with running(bench, log) as context:
        await bench.device.send(1, 5)
        await eventually(lambda: bench.values(log) >= set(range(1, 6)))
        await bench.device.go_away()
        if bench.sees_disconnect:
            await eventually(lambda: context.health.state is not State.CONNECTED)
        await bench.device.come_back()
        await eventually(lambda: context.health.state is State.CONNECTED)
        await bench.device.send(6, 5)
        await eventually(lambda: bench.values(log) >= set(range(1, 11)))


async def survives_a_restart(bench: Bench) -> None:
    """The gateway is killed while values wait for the log: what was not acknowledged comes again."""
    log = FakeLog()
    async with running(bench, log):
        await bench.device.send(1, 5)
        await eventually(lambda: bench.values(log) >= set(range(1, 6)))
        log.hold()
        sending = asyncio.get_running_loop().create_task(_send_or_give_up(bench, 6, 5))
        await eventually(lambda: log.waiting > 0 or sending.done())
    log.release()
    async with running(bench, log):
        acknowledged = await sending
        if not acknowledged:
            await bench.device.send(6, 5)
        await eventually(lambda: bench.values(log) >= set(range(1, 11)))


async def _send_or_give_up(bench: Bench, first: int, count: int) -> bool:
    """Send as a device does that keeps what was not acknowledged; return whether it was."""
    try:
        await bench.device.send(first, count)
    except (OSError, asyncio.CancelledError):
        return False
    return True


async def stamps_with_its_own_clock_only_arrivals(bench: Bench) -> None:
    """A clock two hours off changes arrival times, never the times that the device gave."""
    log = FakeLog()
    async with running(bench, log) as context:
        context.skew_us = 7_200_000_000
        await bench.device.send(1)
        await eventually(lambda: 1 in bench.values(log))
        points = bench.decode(log).points
        arrived = int(points.arrived_us[points.tag == 1][-1])
        assert abs(arrived - context.now_us()) < 60_000_000


async def survives_a_flood(bench: Bench) -> None:
    """While the log is slow the producer is held: bounded memory, no loss, no crash."""
    log = FakeLog()
    async with running(bench, log):
        log.hold()
        flood = asyncio.get_running_loop().create_task(bench.device.send(1, 2000))
        await eventually(lambda: log.waiting > 0 or flood.done())
        log.release()
        async with asyncio.timeout(60):
            await flood
        await eventually(lambda: bench.values(log) >= set(range(1, 2001)), timeout_s=60, pause_s=0.5)
        assert log.most_waiting <= 1024, f"{log.most_waiting} messages waited at once."


async def survives_malformed_payloads(bench: Bench) -> None:
    """What cannot be decoded is kept whole, and the next value arrives as if nothing had been."""
    log = FakeLog()
    async with running(bench, log):
        await bench.device.send_malformed()
        await bench.device.send(1)
        await eventually(lambda: 1 in bench.values(log))
        batch = bench.decode(log)
        assert batch.refused or batch.refused_messages or log.raw, "What was malformed is nowhere to be seen."


async def carries_ten_thousand_tags(bench: Bench) -> None:
    """Ten thousand addresses, all there."""
    log = FakeLog()
    async with running(bench, log) as context:
        await bench.device.send_many_tags(MANY_TAGS)
        if bench.connector.manifest.needs_tags:  # tags are made while the session is open
            many = [TagAddress(bench.many_addresses(at), "float") for at in range(MANY_TAGS)]
            context.set_tags((*context.tags, *many))
        await eventually(
            lambda: len(set(bench.decode(log).points.tag.tolist()) - {1}) == MANY_TAGS, timeout_s=60, pause_s=0.2
        )


async def never_blocks_the_loop(bench: Bench) -> None:
    """No callback calls what blocks, computes long or waits long: see `yuheng.testing.loop_watch`.

    Three times, each in a session of its own: who blocks does so each time, a hiccup of the machine comes once.
    """
    for turn in range(TURNS):
        with watching() as watch:
            await _takes_two_hundred(bench, 1 + 200 * turn)
        assert not watch.calls, watch.calls[0]
        if not watch.spells:
            return
    raise AssertionError(watch.spells[0])


async def _takes_two_hundred(bench: Bench, first: int) -> None:
    log = FakeLog()
    async with running(bench, log):
        await bench.device.send(first, 200)
        await eventually(lambda: bench.values(log) >= set(range(first, first + 200)), timeout_s=60)


async def leaves_nothing_open(bench: Bench) -> None:
    """After closing: no task, no socket, no open file is left."""
    log = FakeLog()
    async with running(bench, log):
        await bench.device.send(1)
        await eventually(lambda: 1 in bench.values(log))
        await bench.device.go_away()
    gc.collect()
    before_tasks, before_sockets = set(asyncio.all_tasks()), _sockets()
    await bench.device.come_back()
    async with running(bench, log):
        await bench.device.send(2)
        await eventually(lambda: 2 in bench.values(log))
    await bench.device.go_away()
    await eventually(lambda: asyncio.all_tasks() <= before_tasks and _sockets() <= before_sockets)


async def lists_what_there_is(bench: Bench) -> None:
    """The machine's addresses can be browsed and searched, page by page, and the bench's own is among them."""
    log = FakeLog()
    async with running(bench, log) as context:
        await bench.device.send(1)
        await eventually(lambda: 1 in bench.values(log))
        found = await context.session.browse(search=bench.search or bench.address)
        assert bench.address in {node.address for node in found.nodes}, "The address is not found."
        waiting, seen = [""], set()
        while waiting and bench.address not in seen:
            seen |= await _listed(context.session, waiting.pop(0), waiting)
        assert bench.address in seen, "Going from folder to folder does not lead to the address."


async def _listed(session: Any, folder: str, waiting: list[str]) -> set[str]:
    """Return the addresses of all pages of a folder, and note the folders in it."""
    found, cursor = set(), ""
    while True:
        page = await session.browse(folder, cursor)
        found |= {node.address for node in page.nodes if node.address}
        waiting += [node.node for node in page.nodes if node.has_children and not node.address]
        cursor = page.cursor
        if not cursor:
            return found


async def writes_and_reads_back(bench: Bench) -> None:
    """A value written is a value the machine shows; what certainly is not written says so and changes nothing."""
    log = FakeLog()
    async with running(bench, log) as context:
        await bench.device.send(1)
        await eventually(lambda: 1 in bench.values(log))
        back = await context.session.write(bench.address, 42.0)
        assert back.is_confirmed, back.sentence
        assert await _shown_by(bench.device) == 42
        for address, value in ((f"{bench.address}-is-not-there", 43.0), (bench.address, "no number")):
            assert await _is_refused(context.session, address, value), f"Writing {value!r} to {address} is not refused."
        assert await _shown_by(bench.device) == 42


async def _is_refused(session: Any, address: str, value: Value) -> bool:
    try:
        await session.write(address, value)
    except CommandRefused as refused:
        return bool(str(refused))
    return False


async def _shown_by(device: Any) -> Any:
    return await device.read()


def _sockets() -> int:
    """Return how many connections and files this process has open."""
    process = psutil.Process()
    return len(process.net_connections(kind="inet")) + len(process.open_files())


@dataclass(frozen=True, slots=True)
class Check:
    """One numbered check and the tier that needs it."""

    number: int
    tier: Tier
    run: Callable[[Bench], Awaitable[None]]
    is_wanted: Callable[[Manifest], bool] = lambda _: True

    @property
    def name(self) -> str:
        """Readable in test output and in the documentation."""
        return f"{self.number:02d} {self.run.__name__.replace('_', ' ')}"


CHECKS = (
    Check(1, Tier.BRONZE, starts),
    Check(2, Tier.BRONZE, refuses_a_bad_config),
    Check(3, Tier.BRONZE, survives_malformed_payloads),
    Check(4, Tier.BRONZE, carries_ten_thousand_tags),
    Check(5, Tier.BRONZE, never_blocks_the_loop),
    Check(6, Tier.BRONZE, leaves_nothing_open),
    Check(7, Tier.SILVER, survives_a_disconnect),
    Check(8, Tier.SILVER, survives_a_restart),
    Check(9, Tier.SILVER, survives_a_flood),
    Check(10, Tier.SILVER, stamps_with_its_own_clock_only_arrivals),
    Check(11, Tier.GOLD, lists_what_there_is, lambda manifest: manifest.can_browse),
    Check(12, Tier.GOLD, writes_and_reads_back, lambda manifest: manifest.can_write),
)


def checks_of(manifest: Manifest) -> tuple[Check, ...]:
    """Return the checks that a connector has to pass: all, but those of what it does not claim to do."""
    return tuple(check for check in CHECKS if check.is_wanted(manifest))


def tier_reached(passed: set[int], *, has_docs: bool, has_owner: bool) -> Tier | None:
    """Return the tier that these checks give; None when not even bronze."""
    numbers = {tier: {check.number for check in CHECKS if check.tier is tier} for tier in Tier}
    silver = numbers[Tier.BRONZE] | numbers[Tier.SILVER]
    if not numbers[Tier.BRONZE] <= passed or not has_docs:
        return None
    if not silver <= passed or not has_owner:
        return Tier.BRONZE
    return Tier.GOLD if numbers[Tier.GOLD] <= passed else Tier.SILVER
