"""A lean MQTT 3.1.1 publisher that loses nothing: QoS 1, a bounded window, and a held producer.

What it promises: whatever `Publisher.publish` accepted is sent again, in order, until the broker acknowledges it, over
lost connections and restarts of the broker. When too much waits, ``publish`` waits too: the producer is held, nothing
is dropped.

Why not paho: it takes a thread a connection and some 200 µs a QoS 1 message; this is one asyncio protocol.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, Generic, Protocol, TypeVar

from yuheng.bus.tls import local_mqtt

log = logging.getLogger(__name__)

Item = TypeVar("Item")

KEEP_ALIVE_S = 30
CONNECT_TIMEOUT_S = 5.0
ACKNOWLEDGE_TIMEOUT_S = 20.0
FIRST_RETRY_S, LAST_RETRY_S = 0.25, 5.0


class Packet(IntEnum):
    """Control packet types, MQTT 3.1.1 table 2.1."""

    CONNECT = 1
    CONNACK = 2
    PUBLISH = 3
    PUBACK = 4
    SUBSCRIBE = 8
    SUBACK = 9
    PINGREQ = 12
    PINGRESP = 13
    DISCONNECT = 14


class Refused(Exception):
    """The broker answered CONNECT with a refusal; the sentence says which."""


@dataclass(frozen=True, slots=True)
class Message:
    """A topic and a payload."""

    topic: str
    payload: bytes


class Encoding(Protocol[Item]):
    """Turns what the producer hands over into messages; it may depend on the session, as Sparkplug's does."""

    def will(self) -> Message | None:
        """Return the message the broker shall publish when this session dies; asked before each CONNECT."""
        ...

    def begin(self, unacknowledged: Sequence[Item]) -> list[Item]:
        """Return what a new session sends first; ``unacknowledged`` was sent in the last one without an answer."""
        ...

    def encode(self, item: Item) -> Message:
        """Return the message to send now; called once a sending, in the order of sending."""
        ...

    def end(self) -> Message | None:
        """Return the last words before a clean disconnect."""
        ...


class PlainEncoding:
    """Items are messages already; a new session sends again what the last one left open."""

    def will(self) -> Message | None:
        """Return nothing: nobody is told."""
        return None

    def begin(self, unacknowledged: Sequence[Message]) -> list[Message]:
        """Return the open messages, in order."""
        return list(unacknowledged)

    def encode(self, item: Message) -> Message:
        """Return the message itself."""
        return item

    def end(self) -> Message | None:
        """Return nothing."""
        return None


@dataclass(frozen=True, slots=True)
class Login:
    """Where the broker is, and who we are there."""

    host: str
    port: int
    username: str = ""
    password: str = field(default="", repr=False)
    client_id: str = ""


@dataclass(slots=True)
class Counts:
    """What a publisher has done; for health lines and tests."""

    accepted: int = 0
    acknowledged: int = 0
    sent: int = 0
    connections: int = 0
    last_error: str = ""


class Publisher(Generic[Item]):
    """Sends items to a broker and keeps each until it is acknowledged.

    Parameters
    ----------
    login
        Broker and credential.
    encoding
        How items become messages. Default: items are `Message`.
    window
        How many messages may be on the way unacknowledged.
    capacity
        How many accepted items may wait or be on the way; ``publish`` waits beyond. Named policy: hold the producer.
    subscribe, on_message
        Filters to listen to (QoS 0), and who is told.

    Examples
    --------
    ::

        async with asyncio.TaskGroup() as group:
            publisher = Publisher(Login("127.0.0.1", 1883, "edge", "secret"))
            group.create_task(publisher.run())
            await publisher.publish(Message("a/b", b"1"))
            await publisher.drain()
            await publisher.close()
    """

    def __init__(
        self,
        login: Login,
        encoding: Encoding[Item] | None = None,
        *,
        window: int = 64,
        capacity: int = 1_000,
        subscribe: Sequence[str] = (),
        on_message: Callable[[str, bytes], None] | None = None,
    ) -> None:
        self.counts = Counts()
        self._login = login
        self._encoding: Encoding[Any] = encoding or PlainEncoding()
        self._window = window
        self._capacity = capacity
        self._subscribe = tuple(subscribe)
        self._on_message = on_message
        self._waiting: deque[Item] = deque()
        self._unacknowledged: dict[int, Item] = {}  # packet identifier -> item; insertion order is sending order
        self._next_identifier = 0
        self._connection: _Connection | None = None
        self._changed = asyncio.Event()
        self._is_closing = False

    @property
    def is_connected(self) -> bool:
        """Whether a session is up now."""
        return self._connection is not None

    @property
    def backlog(self) -> int:
        """How many accepted items the broker has not acknowledged."""
        return len(self._waiting) + len(self._unacknowledged)

    async def publish(self, item: Item) -> None:
        """Accept an item; waits while the backlog is full."""
        while self.backlog >= self._capacity:
            self._changed.clear()
            await self._changed.wait()
        self.publish_nowait(item)

    def publish_nowait(self, item: Item) -> None:
        """Accept an item even beyond the capacity: for the few that must not wait, such as an answer to a command."""
        self.counts.accepted += 1
        self._waiting.append(item)
        self._send_what_fits()

    async def drain(self) -> None:
        """Wait until everything accepted is acknowledged."""
        while self.backlog:
            self._changed.clear()
            await self._changed.wait()

    async def close(self) -> None:
        """Say the last words and disconnect; unacknowledged items are given up. Ends `run`."""
        self._is_closing = True
        connection = self._connection
        if connection is not None:
            farewell = self._encoding.end()
            if farewell is not None:
                connection.write(_publish_packet(farewell, 0, qos=0))
            connection.write(bytes([Packet.DISCONNECT << 4, 0]))
            connection.close()
        self._changed.set()

    async def run(self) -> None:
        """Connect, and connect again whenever the connection is lost, until `close`."""
        retry_s = FIRST_RETRY_S
        while not self._is_closing:
            try:
                await self._session()
                retry_s = FIRST_RETRY_S
            except (OSError, TimeoutError, Refused) as error:
                self._note(error)
            if not self._is_closing:
                await asyncio.sleep(retry_s * random.uniform(0.75, 1.25))  # not all devices at once
                retry_s = min(retry_s * 2, LAST_RETRY_S)

    # ---- one session ---------------------------------------------------------------------------------------------

    async def _session(self) -> None:
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(CONNECT_TIMEOUT_S):
            _, connection = await loop.create_connection(
                lambda: _Connection(self._heard, self._send_what_fits),
                self._login.host,
                self._login.port,
                ssl=local_mqtt(),
            )
            connection.write(_connect_packet(self._login, self._encoding.will()))
            try:
                await connection.accepted
            except BaseException:
                connection.close()
                raise
        self._start_sending(connection)
        try:
            await self._keep_alive(connection)
        finally:
            connection.close()
            self._connection = None
            self._changed.set()

    def _start_sending(self, connection: _Connection) -> None:
        self.counts.connections += 1
        self.counts.last_error = ""
        if self._subscribe:
            connection.write(_subscribe_packet(self._identifier(), self._subscribe))
        first = self._encoding.begin(list(self._unacknowledged.values()))
        self._unacknowledged.clear()
        self._waiting.extendleft(reversed(first))
        self._connection = connection
        self._send_what_fits()

    async def _keep_alive(self, connection: _Connection) -> None:
        """Return when the connection is lost; close it when the broker has fallen silent."""
        heard = -1
        silent_s = 0.0
        step_s = 5.0
        while not connection.lost.done():
            await asyncio.wait({connection.lost}, timeout=step_s)
            silent_s = 0.0 if connection.heard != heard else silent_s + step_s
            heard = connection.heard
            if silent_s >= ACKNOWLEDGE_TIMEOUT_S + step_s:
                self._note(TimeoutError(f"The broker has said nothing for {silent_s:.0f} s."))
                return
            if silent_s >= step_s and not connection.lost.done():
                connection.write(bytes([Packet.PINGREQ << 4, 0]))

    def _send_what_fits(self) -> None:
        connection = self._connection
        if connection is None:
            return
        while self._waiting and len(self._unacknowledged) < self._window and connection.is_writable:
            item = self._waiting.popleft()
            identifier = self._identifier()
            self._unacknowledged[identifier] = item
            connection.write(_publish_packet(self._encoding.encode(item), identifier, qos=1))
            self.counts.sent += 1

    def _heard(self, kind: int, flags: int, body: memoryview) -> None:
        if kind == Packet.PUBACK:
            if self._unacknowledged.pop(int.from_bytes(body[:2], "big"), None) is not None:
                self.counts.acknowledged += 1
            self._send_what_fits()
            self._changed.set()
        elif kind == Packet.PUBLISH and self._on_message is not None:
            length = int.from_bytes(body[:2], "big")
            topic = bytes(body[2 : 2 + length]).decode()
            payload = body[2 + length + (2 if flags & 0b0110 else 0) :]
            self._on_message(topic, bytes(payload))

    def _identifier(self) -> int:
        """Return the next packet identifier that is free: 1..65535."""
        while True:
            self._next_identifier = self._next_identifier % 0xFFFF + 1
            if self._next_identifier not in self._unacknowledged:
                return self._next_identifier

    def _note(self, error: BaseException) -> None:
        sentence = str(error) or type(error).__name__
        if sentence != self.counts.last_error:
            log.warning(
                "%s: the broker at %s:%s: %s", self._login.username, self._login.host, self._login.port, sentence
            )
        self.counts.last_error = sentence


_REFUSALS = {
    1: "speaks another version of MQTT",
    2: "refuses the client identifier",
    3: "is not available now",
    4: "says that user name or password is wrong",
    5: "says that this user may not connect",
}


class _Connection(asyncio.Protocol):
    """One TCP connection: cuts the byte stream into packets, and minds back-pressure."""

    def __init__(self, heard: Callable[[int, int, memoryview], None], writable: Callable[[], None]) -> None:
        loop = asyncio.get_running_loop()
        self.accepted: asyncio.Future[None] = loop.create_future()
        self.lost: asyncio.Future[None] = loop.create_future()
        self.is_writable = True
        self.heard = 0  # packets
        self._tell = heard
        self._tell_writable = writable
        self._transport: asyncio.Transport | None = None
        self._buffer = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def connection_lost(self, error: Exception | None) -> None:
        if not self.accepted.done():
            self.accepted.set_exception(ConnectionResetError("closed the connection"))
        if not self.lost.done():
            self.lost.set_result(None)
        self.is_writable = False

    def pause_writing(self) -> None:
        self.is_writable = False

    def resume_writing(self) -> None:
        self.is_writable = True
        self._tell_writable()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while (packet := _first_packet(self._buffer)) is not None:
            head, start, end = packet
            body = memoryview(bytes(self._buffer[start:end]))
            del self._buffer[:end]
            self.heard += 1
            if head >> 4 == Packet.CONNACK:
                self._answered(body[1])
            else:
                self._tell(head >> 4, head & 0x0F, body)

    def _answered(self, code: int) -> None:
        if self.accepted.done():
            return
        if code == 0:
            self.accepted.set_result(None)
        else:
            self.accepted.set_exception(Refused(_REFUSALS.get(code, f"refuses with code {code}")))

    def write(self, data: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()


def _first_packet(buffer: bytearray) -> tuple[int, int, int] | None:
    """Return (first byte, start of body, end) of the first whole packet in the buffer; None when it is not all there.

    The length is a base-128 number of up to four bytes, low digits first (MQTT 3.1.1, 2.2.3).
    """
    length = 0
    for digit in range(4):
        place = 1 + digit
        if place >= len(buffer):
            return None
        length |= (buffer[place] & 0x7F) << (7 * digit)
        if buffer[place] < 0x80:
            start = place + 1
            return None if len(buffer) < start + length else (buffer[0], start, start + length)
    raise ConnectionResetError("sent a packet whose length is malformed")


def _packet(head: int, body: bytes) -> bytes:
    length = len(body)
    digits = bytearray()
    while True:
        length, digit = divmod(length, 128)
        digits.append(digit | (0x80 if length else 0))
        if not length:
            return bytes([head]) + bytes(digits) + body


def _text(value: str) -> bytes:
    data = value.encode()
    return len(data).to_bytes(2, "big") + data


def _connect_packet(login: Login, will: Message | None) -> bytes:
    flags = 0b10  # clean session: we keep what is open ourselves
    tail = _text(login.client_id or f"{login.username}-{random.randrange(16**8):08x}")
    if will is not None:
        flags |= 0b0000_1100  # a will, QoS 1
        tail += _text(will.topic) + len(will.payload).to_bytes(2, "big") + will.payload
    if login.username:
        flags |= 0b1100_0000
        tail += _text(login.username) + _text(login.password)
    return _packet(Packet.CONNECT << 4, _text("MQTT") + bytes([4, flags]) + KEEP_ALIVE_S.to_bytes(2, "big") + tail)


def _publish_packet(message: Message, identifier: int, *, qos: int) -> bytes:
    number = identifier.to_bytes(2, "big") if qos else b""
    return _packet(Packet.PUBLISH << 4 | qos << 1, _text(message.topic) + number + message.payload)


def _subscribe_packet(identifier: int, filters: Sequence[str]) -> bytes:
    body = identifier.to_bytes(2, "big") + b"".join(_text(name) + b"\0" for name in filters)
    return _packet(Packet.SUBSCRIBE << 4 | 0b10, body)
