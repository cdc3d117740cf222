"""The lean reader: parsing in any pieces, order without holes, recovery, holding."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator

import pytest

from yuheng.bus.log_reader import LogMessage, LogReader, PullLimits
from yuheng.bus.wire import Connection, Keepalive, WireError, connect, header_value
from yuheng.testing.engines import RunningBroker

STREAM = {"name": "T", "subjects": ["t.>"], "storage": "file", "retention": "interest"}
CONSUMER = {
    "stream_name": "T",
    "config": {"durable_name": "r", "ack_policy": "all", "ack_wait": int(600e9), "max_ack_pending": 100_000},
}


async def parsed(pieces: list[bytes]) -> list[tuple[bytes, bytes, bytes, bytes]]:
    connection = Connection({}, "test")
    found: list[tuple[bytes, bytes, bytes, bytes]] = []
    connection._handlers[b"7"] = found.extend
    for piece in pieces:
        connection.data_received(piece)
    return found


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64, 10_000])
async def test_messages_are_the_same_however_the_stream_is_cut(size: int):
    header = b"NATS/1.0\r\nA: b\r\n\r\n"
    stream = b"MSG a.b 7 5\r\nhello\r\nPING\r\nHMSG c 7 reply %d %d\r\n" % (len(header), len(header) + 4)
    stream += header + b"\r\n\r\n" + b"\r\nMSG d 7 r2 0\r\n\r\n"
    pieces = [stream[at : at + size] for at in range(0, len(stream), size)]
    assert await parsed(pieces) == [
        (b"a.b", b"", b"", b"hello"),
        (b"c", b"reply", header, b"\r\n\r\n"),
        (b"d", b"r2", b"", b""),
    ]
    assert header_value(header, "A") == "b"


class Links:
    """The connections of one test to its broker."""

    def __init__(self, broker: RunningBroker) -> None:
        self.broker = broker
        self._open: list[Connection] = []

    async def connect(self, keepalive: Keepalive = Keepalive()) -> Connection:
        self._open.append(await connect(self.broker.url, keepalive=keepalive))
        return self._open[-1]

    async def close(self) -> None:
        """Close them all, and wait for it: a transport lets go of its socket in a later round of the loop."""
        for connection in self._open:
            connection.close()
            await asyncio.wait_for(connection.closed.wait(), 10)


@pytest.fixture
async def links(fresh_nats: RunningBroker) -> AsyncIterator[Links]:
    """Closed when the test failed, too: a socket left open would fail whatever test comes next."""
    links = Links(fresh_nats)
    try:
        yield links
    finally:
        await links.close()


async def prepared(links: Links) -> Connection:
    connection = await links.connect()
    for operation, body in (("STREAM.CREATE.T", STREAM), ("CONSUMER.DURABLE.CREATE.T.r", CONSUMER)):
        _, answer = await connection.request(f"$JS.API.{operation}", json.dumps(body).encode())
        assert "error" not in json.loads(answer)
    return connection


async def send(connection: Connection, first: int, last: int) -> None:
    futures = [connection.request_later("t.x", str(number).encode()) for number in range(first, last + 1)]
    await asyncio.gather(*futures)


async def until_empty(connection: Connection) -> None:
    """Interest retention forgets acknowledged messages, a moment later."""
    left = None
    async with asyncio.timeout(10):
        while left != 0:
            _, info = await connection.request("$JS.API.STREAM.INFO.T", b"")
            left = json.loads(info)["state"]["messages"]


async def until(condition, timeout_s: float = 30.0) -> None:
    async with asyncio.timeout(timeout_s):
        while not condition():  # noqa: ASYNC110 - the reader under test has no event for this
            await asyncio.sleep(0.01)


async def read(links: Links, limits: PullLimits = PullLimits(batch=50)) -> tuple[LogReader, list[LogMessage]]:
    found: list[LogMessage] = []
    connection = await links.connect()
    reader = LogReader(connection, "T", "r", lambda _, messages: found.extend(messages), limits)
    await reader.start()
    return reader, found


def numbers(messages: list[LogMessage]) -> list[int]:
    return [int(message.payload) for message in messages]


@pytest.mark.engines
async def test_what_was_delivered_but_not_acknowledged_comes_first_after_a_restart(links: Links):
    connection = await prepared(links)
    await send(connection, 1, 500)
    reader, found = await read(links)
    await until(lambda: len(found) == 500)
    reader.acknowledge(200)
    await reader._connection.flush()
    reader._connection.close()
    await send(connection, 501, 600)
    reader, again = await read(links)
    await until(lambda: len(again) >= 400)
    assert numbers(again) == list(range(201, 601))
    assert reader.tally.recovered == 300
    arrived = {message.sequence: message.arrived_us for message in found}
    assert all(arrived[m.sequence] == m.arrived_us for m in again if m.sequence in arrived)
    reader.acknowledge(600)
    await until_empty(connection)


@pytest.mark.engines
async def test_a_killed_broker_loses_nothing_that_it_acknowledged(links: Links):
    """What the reader did not acknowledge comes again, all of it; of what it did, some may.

    nats-server forgets messages up to an acknowledged one newest first, and notes later how far it was acknowledged: a
    kill in between leaves the oldest of them, which are read once more (who reads knows them by their sequence).
    """
    connection = await prepared(links)
    await send(connection, 1, 300)
    reader, found = await read(links)
    await until(lambda: len(found) == 300)
    reader.acknowledge(100)
    await reader._connection.flush()
    await asyncio.to_thread(links.broker.restart)
    await asyncio.wait_for(reader._connection.closed.wait(), 5)
    with pytest.raises(WireError):
        await connection.request("t.x", b"0")
    connection = await links.connect()
    await send(connection, 301, 400)
    reader, again = await read(links)
    await until(lambda: again and again[-1].sequence == 400)
    once_more = [number for number in numbers(again) if number <= 100]
    assert once_more == sorted(set(once_more))
    assert numbers(again) == [*once_more, *range(101, 401)]
    assert [message.sequence for message in again] == numbers(again)


@pytest.mark.engines
async def test_a_hole_in_the_sequence_is_fetched_before_what_follows(links: Links):
    connection = await prepared(links)
    reader, found = await read(links)
    take = reader._take

    def lossy(items):  # the network never loses a message; a defect might
        take([item for item in items if not item[3].endswith(b"7")])

    reader._connection._handlers = {
        sid: lossy if handler == take else handler for sid, handler in reader._connection._handlers.items()
    }
    await send(connection, 1, 99)
    await until(lambda: len(found) == 99)
    assert numbers(found) == list(range(1, 100))
    assert reader.tally.refetched == 10


@pytest.mark.engines
async def test_a_paused_reader_leaves_the_rest_in_the_log(links: Links):
    connection = await prepared(links)
    reader, found = await read(links)
    reader.pause()
    await send(connection, 1, 1000)
    await until(lambda: len(found) >= 50)
    await reader._connection.flush()
    assert len(found) <= 100  # two requests of 50 were open
    reader.resume()
    await until(lambda: len(found) == 1000)
    assert numbers(found) == list(range(1, 1001))


async def test_nobody_there_is_an_error_at_once():
    with pytest.raises(OSError):
        await connect("nats://127.0.0.1:1", timeout_s=2)


async def test_a_reader_whose_consumer_is_deleted_ends_the_session_instead_of_falling_silent(links: Links):
    sender = await prepared(links)
    reader, found = await read(links)
    await send(sender, 1, 5)
    await until(lambda: len(found) == 5)
    await sender.request("$JS.API.CONSUMER.DELETE.T.r", b"")
    await asyncio.wait_for(reader._connection.closed.wait(), 10)
    assert "gone from the server" in reader._connection.reason


async def test_while_a_hole_is_fetched_nothing_more_is_asked_for(links: Links):
    sender = await prepared(links)
    reader, found = await read(links, PullLimits(batch=10))
    reader._stash = []  # a hole is being fetched
    await send(sender, 1, 200)
    await until(lambda: len(reader._stash or []) >= 10)
    await sender.flush()
    await reader._connection.flush()
    assert len(reader._stash) <= 20  # what was asked for before
    waiting, reader._stash = reader._stash, None
    reader._order(waiting)
    reader._top_up()
    await until(lambda: len(found) == 200)
    assert numbers(found) == list(range(1, 201))


async def test_large_messages_are_recovered_a_few_at_a_time():
    under_way, most = 0, 0

    async def fetch(sequence: int, *, or_next: bool = False) -> LogMessage:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0)
        under_way -= 1
        return LogMessage(sequence, 0, b"t", b"", bytes(10_000_000))

    found: list[int] = []
    reader = LogReader(Connection({}, "test"), "T", "r", lambda _, messages: None)
    reader._fetch = fetch
    await reader._fetch_range(1, 40, lambda messages: found.extend(m.sequence for m in messages))
    assert found == list(range(1, 41))
    assert most <= 4


async def test_a_request_that_nobody_waits_for_any_more_is_forgotten(links: Links):
    connection = await links.connect()
    silent = await links.connect()
    silent.subscribe("silence", lambda items: None)
    await silent.flush()
    with pytest.raises(TimeoutError):
        await connection.request("silence", b"", timeout_s=0.05)
    await asyncio.sleep(0)
    assert connection._replies == {}


@pytest.mark.engines
async def test_a_server_that_hangs_with_its_socket_open_ends_the_connection_and_is_found_again(links: Links):
    connection = await links.connect(keepalive=Keepalive(turn_s=0.1))
    os.kill(links.broker.pid, signal.SIGSTOP)
    try:
        waiting = connection.request_later("silence", b"x" * 20_000_000)  # more than the socket takes
        await asyncio.wait_for(connection.closed.wait(), 10)
        assert "silent for" in connection.reason
        with pytest.raises(WireError, match="silent for"):
            await waiting
    finally:
        os.kill(links.broker.pid, signal.SIGCONT)
    again = await links.connect()
    await again.flush()


@pytest.mark.engines
async def test_a_server_that_has_nothing_to_say_is_asked_and_stays_connected(links: Links):
    connection = await links.connect(keepalive=Keepalive(turn_s=0.02, silent_turns=10))
    asked: list[int] = []
    write = connection._write
    connection._write = lambda data: (asked.append(1), write(data))[1] if data == b"PING\r\n" else write(data)
    await until(lambda: len(asked) >= 15)
    assert not connection.closed.is_set()
    await connection.flush()
