"""The hub with a fake broker: snapshots, changes, permission, bounds."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable

import msgspec
import pytest

from yuheng.bus.documents import Plant, Source, Tag, WorkUnit
from yuheng.bus.messages import DispatchLive, LiveSnapshot, LiveStates, LiveValues, UnitLive, ValueLive
from yuheng.web.live.hub import Hub, UnknownTopic
from yuheng.web.live.streams import QUEUE_FRAMES, Client

FOR_EVER = time.time() + 3600
PLANT = Plant(
    1,
    sources=(Source(1, 1, "a", "mqtt_json"), Source(2, 2, "b", "mqtt_json")),
    tags=(Tag(10, 1, "x", "float", 7), Tag(11, 1, "y", "float", 7), Tag(20, 2, "z", "float", 8)),
    work_units=(WorkUnit(7, 1, "L01", "", {"x": 10}), WorkUnit(8, 2, "M01", "", {})),
)


class FakeBus:
    def __init__(self) -> None:
        self.is_connected = True
        self.handlers: dict[str, Callable[[str, bytes], None]] = {}
        self.watched: list[list[int]] = []
        self.asked = 0
        self.seq = 0
        self.answers = True
        self.units = {7: UnitLive(7, 2, "", 5, 6)}
        self.values: dict[int, ValueLive] = {}
        self.plant_handler: Callable[[Plant], None] | None = None

    def on_loss(self, handler: Callable[[], None]) -> None:
        self.lose = handler

    async def listen(self, subject: str, handler: Callable[[str, bytes], None]) -> None:
        self.handlers[subject] = handler

    async def ask(self, subject: str, body: bytes, timeout_s: float) -> bytes:
        self.asked += 1
        if not self.answers:
            raise TimeoutError
        snapshot = LiveSnapshot("e", self.seq, 1, list(self.units.values()), list(self.values.values()), 9)
        return msgspec.json.encode(snapshot)

    async def tell(self, subject: str, body: bytes) -> None:
        self.watched.append(json.loads(body)["tags"])

    async def follow_plant(self, handler: Callable[[Plant], None]) -> None:
        self.plant_handler = handler
        handler(PLANT)
        await asyncio.Event().wait()

    def change(self, unit: int, state: int, *, seq: int | None = None) -> None:
        self.seq = seq if seq is not None else self.seq + 1
        self.units[unit] = UnitLive(unit, state, "", 5, 6)
        body = msgspec.json.encode(LiveStates("e", self.seq, 1, [self.units[unit]]))
        self.handlers["yh.live.state.*"]("yh.live.state.1", body)

    def measure(self, tag: int, value: float) -> None:
        self.values[tag] = ValueLive(tag, time.time_ns() // 1000, value, 0)
        body = msgspec.json.encode(LiveValues(1, [self.values[tag]], 99, []))
        self.handlers["yh.live.values.*"]("yh.live.values.1", body)


@pytest.fixture
def bus() -> FakeBus:
    return FakeBus()


@pytest.fixture
async def hub(bus: FakeBus) -> AsyncIterator[Hub]:
    hub = Hub(bus)
    task = asyncio.create_task(hub.run())
    async with asyncio.timeout(30):
        while bus.plant_handler is None:  # noqa: ASYNC110
            await asyncio.sleep(0)
    yield hub
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def events_until(client: Client, found: Callable[[dict], bool]) -> list[dict]:
    """Read the stream until an event satisfies the condition; all events so far."""
    events: list[dict] = []
    async with asyncio.timeout(30):
        while True:
            for block in (await client.next_bytes(5)).decode().strip().split("\n\n"):
                fields = dict(line.split(": ", 1) for line in block.splitlines() if ": " in line)
                if "data" in fields:
                    events.append({"kind": fields["event"], "id": fields["id"], **json.loads(fields["data"])})
                    if found(events[-1]):
                        return events


def has_unit(state: int) -> Callable[[dict], bool]:
    return lambda event: any(unit[1] == state for unit in event.get("units", []))


async def test_a_reader_gets_a_snapshot_and_then_the_changes(hub: Hub, bus: FakeBus):
    client = hub.open(["site:1"], sites=None, expires_at=FOR_EVER)
    first = await events_until(client, has_unit(2))
    bus.change(7, 5)
    then = await events_until(client, has_unit(5))
    assert first[0]["kind"] == "snapshot"
    assert then[-1]["kind"] == "delta"
    assert then[-1]["id"] == "e-1"
    assert then[-1]["data_us"] == 9


async def test_a_lost_change_is_made_good_by_a_snapshot(hub: Hub, bus: FakeBus):
    client = hub.open(["site:1"], sites=None, expires_at=FOR_EVER)
    await events_until(client, has_unit(2))
    asked = bus.asked
    bus.units[7] = UnitLive(7, 4, "", 5, 6)
    bus.change(7, 4, seq=3)  # 1 and 2 never came
    await events_until(client, has_unit(4))
    assert bus.asked > asked


async def test_all_clients_get_the_same_bytes(hub: Hub, bus: FakeBus):
    clients = [hub.open(["site:1"], sites=None, expires_at=FOR_EVER) for _ in range(3)]
    for client in clients:
        await events_until(client, has_unit(2))
    bus.change(7, 5)
    got = [await client.next_bytes(5) for client in clients]
    assert got[0] == got[1] == got[2]
    assert got[0] is not None


async def test_an_opened_unit_is_watched_at_once_and_its_values_come(hub: Hub, bus: FakeBus):
    client = hub.open(["unit:7"], sites=frozenset({1}), expires_at=FOR_EVER)
    await client.next_bytes(5)
    async with asyncio.timeout(1):  # far below the rhythm of the reminders
        while not bus.watched:  # noqa: ASYNC110
            await asyncio.sleep(0)
    bus.measure(10, 3.5)
    events = await events_until(client, lambda event: bool(event["values"]))
    assert bus.watched == [[10, 11]]
    assert events[-1]["values"][0][0:3:2] == [10, 3.5]


async def test_a_reader_who_leaves_stops_the_watching(hub: Hub, bus: FakeBus):
    client = hub.open(["unit:7"], sites=None, expires_at=FOR_EVER)
    hub.leave(client)
    await hub._watch()
    assert bus.watched == []
    assert hub.client_count == 0


@pytest.mark.parametrize(
    "topic", ["site:2", "unit:8", "tags:20", "tags:10.20", "unit:99", "tags:99", "site:x", "", "all"]
)
async def test_what_is_not_yours_does_not_exist(hub: Hub, topic: str):
    with pytest.raises(UnknownTopic):
        hub.open([topic], sites=frozenset({1}), expires_at=FOR_EVER)


async def test_a_browser_that_does_not_read_gets_a_fresh_snapshot_instead_of_an_endless_queue(hub: Hub, bus: FakeBus):
    client = hub.open(["site:1"], sites=None, expires_at=FOR_EVER)
    await events_until(client, has_unit(2))
    for _ in range(QUEUE_FRAMES + 1):
        client.push(b"event: delta\ndata: {}\n\n")
    assert client.dropped == QUEUE_FRAMES + 1
    assert b"event: snapshot" in await client.next_bytes(5)


async def test_without_a_historian_the_stream_says_so(hub: Hub, bus: FakeBus):
    bus.answers = False
    client = hub.open(["site:1"], sites=None, expires_at=FOR_EVER)
    events = await events_until(client, lambda event: event["topic"] == "site:1")
    assert events[-1]["trouble"] == "no_historian"
    bus.answers = True
    await events_until(client, lambda event: event["trouble"] == "" and event["units"] != [])


async def test_a_stream_ends_when_its_token_does(hub: Hub):
    client = hub.open(["site:1"], sites=None, expires_at=time.time() - 1)
    await hub._push_slow()
    assert client.is_closed


async def test_unreadable_messages_are_counted_and_do_no_harm(hub: Hub, bus: FakeBus):
    client = hub.open(["site:1"], sites=None, expires_at=FOR_EVER)
    await events_until(client, has_unit(2))
    bus.handlers["yh.live.state.*"]("yh.live.state.1", b"{")
    bus.handlers["yh.live.values.*"]("yh.live.values.1", b"\xff")
    bus.handlers["yh.live.values.*"]("yh.live.values.strange", b"{}")
    bus.change(7, 5)
    await events_until(client, has_unit(5))
    assert hub.unreadable == 2


async def test_after_a_broken_connection_boards_are_asked_for_anew(hub: Hub, bus: FakeBus):
    client = hub.open(["site:1"], sites=None, expires_at=FOR_EVER)
    await events_until(client, has_unit(2))
    bus.units[7] = UnitLive(7, 6, "", 5, 6)  # changed while nobody listened
    bus.lose()
    await events_until(client, has_unit(6))


async def test_a_stopping_server_ends_every_stream(hub: Hub):
    client = hub.open(["site:1"], sites=None, expires_at=FOR_EVER)
    hub.close()
    assert client.is_closed


async def test_an_opened_unit_is_told_that_its_source_was_heard_though_nothing_changed(hub: Hub, bus: FakeBus):
    client = hub.open(["unit:7"], sites=None, expires_at=FOR_EVER)
    await events_until(client, lambda event: event.get("heard") == {"1": 6})
    body = msgspec.json.encode(LiveValues(1, [], 99, [(7, 12_345)]))
    bus.handlers["yh.live.values.*"]("yh.live.values.1", body)
    events = await events_until(client, lambda event: event.get("heard") == {"1": 12_345})
    assert events[-1]["values"] == []


async def test_a_historian_that_fell_silent_is_named(hub: Hub, bus: FakeBus, monkeypatch):
    client = hub.open(["site:1"], sites=None, expires_at=FOR_EVER)
    bus.handlers["yh.live.health.historian"]("yh.live.health.historian", b"{}")
    assert (await events_until(client, has_unit(2)))[-1]["trouble"] == ""
    monkeypatch.setattr("yuheng.web.live.hub.HISTORIAN_SILENT_S", 0.0)
    await events_until(client, lambda event: event.get("trouble") == "no_historian")


async def test_who_listens_to_dispatching_hears_of_their_site_alone(hub: Hub, bus: FakeBus):
    tell = bus.handlers["yh.live.dispatch.*"]
    client = hub.open(["dispatch:1"], sites=None, expires_at=FOR_EVER, order_sites=None)
    first = await events_until(client, lambda event: event.get("topic") == "dispatch:1")
    assert (first[-1]["kind"], first[-1]["at_us"]) == ("snapshot", 0)
    tell("yh.live.dispatch.2", msgspec.json.encode(DispatchLive(2, 5, 40)))
    tell("yh.live.dispatch.1", b"not a message")
    tell("yh.live.dispatch.1", msgspec.json.encode(DispatchLive(1, 6, 41)))
    told = await events_until(client, lambda event: event["kind"] == "delta")
    assert [(event["topic"], event["at_us"], event["plan_id"]) for event in told] == [("dispatch:1", 6, 41)]
