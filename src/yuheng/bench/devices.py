"""Devices that keep their word: they number their samples, and send each again until it is acknowledged.

A sample sent again has the same number, time stamp and sequence, as a good device does it. A device whose window of
unacknowledged samples is full makes no new ones: it holds, it does not drop.
"""

from __future__ import annotations

import asyncio
import base64
import http.client
import itertools
import json
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Protocol

from yuheng.bench import mqtt
from yuheng.bench.ledger import Ledger
from yuheng.bench.plants import Credential

WINDOW = 200
"""Unacknowledged samples a device keeps; full: it holds."""

RETRY_S = 0.2
ANSWER_DEADLINE_S = 10.0
HTTP_BATCH = 5

Clock = Callable[[], int]


def wall_clock_ms() -> int:
    """Return milliseconds since 1970."""
    return time.time_ns() // 1_000_000


class Device(Protocol):
    """Something that samples until told to stop, and then sees to it that what it has is acknowledged."""

    ledger: Ledger

    async def run(self, stop: asyncio.Event) -> None:
        """Sample, send, resend; return once stopped and everything is acknowledged."""
        ...


def payload_of(number: int, time_ms: int) -> bytes:
    """Return a sample as JSON: its number is its value and its sequence."""
    return b'{"ts":%d,"seq":%d,"values":{"number":%d}}' % (time_ms, number, number)


@dataclass(slots=True)
class Sampler:
    """Makes numbered samples at a rate, and knows which are open."""

    ledger: Ledger
    rate: float
    clock_ms: Clock = wall_clock_ms
    open: dict[int, int] = field(default_factory=dict)  # number -> ms
    _numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(1))
    _next_at: float = field(default_factory=time.monotonic)

    def due(self) -> list[int]:
        """Make the samples whose time has come, up to the window; return their numbers."""
        made = []
        now = time.monotonic()
        while self._next_at <= now and len(self.open) < WINDOW:
            number, stamp = next(self._numbers), self.clock_ms()
            self.ledger.sent[number] = stamp * 1000
            self.open[number] = stamp
            made.append(number)
            self._next_at += 1 / self.rate
        self._next_at = max(self._next_at, now - 1)  # after a long hold, do not catch up what was never sampled
        return made

    def acknowledge(self, number: int) -> None:
        """The other side has promised to keep it."""
        if self.open.pop(number, None) is not None:
            self.ledger.acked.add(number)


class MqttDevice:
    """QoS 1 over MQTT 3.1.1, with reconnect and resending (DUP)."""

    def __init__(self, sampler: Sampler, credential: Credential, *, port: int, topic: str) -> None:
        self.ledger = sampler.ledger
        self.connections = 0
        self._sampler = sampler
        self._credential = credential
        self._port = port
        self._topic = topic.encode()

    async def run(self, stop: asyncio.Event) -> None:
        """Live through as many connections as it takes."""
        while not (stop.is_set() and not self._sampler.open):
            with suppress(OSError, TimeoutError, asyncio.IncompleteReadError, mqtt.MqttRefused):
                await self._one_connection(stop)
            if not (stop.is_set() and not self._sampler.open):
                await asyncio.sleep(RETRY_S)

    async def _one_connection(self, stop: asyncio.Event) -> None:
        async with asyncio.timeout(ANSWER_DEADLINE_S):
            reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        try:
            packets = mqtt.PacketReader()
            client_id = f"bench-{self._topic.decode().replace('/', '-')}"
            login = (self._credential.username, self._credential.password)
            writer.write(mqtt.connect_packet(client_id, *login, keep_alive_s=30, will=None))
            async with asyncio.timeout(ANSWER_DEADLINE_S):
                _, body = await _first_packet(reader, packets)
            mqtt.check_connack(body)
            self.connections += 1
            await self._converse(reader, writer, packets, stop)
        finally:
            writer.close()

    async def _converse(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        packets: mqtt.PacketReader,
        stop: asyncio.Event,
    ) -> None:
        flying: dict[int, int] = {}  # packet id -> sample number
        packet_ids = itertools.cycle(range(1, mqtt.LAST_PACKET_ID + 1))

        def send(number: int, *, again: bool) -> None:
            if writer.is_closing():
                raise ConnectionResetError("The broker closed the connection.")
            packet_id = next(packet_ids)
            flying[packet_id] = number
            payload = payload_of(number, self._sampler.open[number])
            writer.write(mqtt.publish_packet(self._topic, payload, packet_id, again=again))

        for number in list(self._sampler.open):
            send(number, again=True)
        listening = asyncio.create_task(self._listen(reader, packets, flying))
        try:
            while not listening.done():
                if stop.is_set() and not self._sampler.open:
                    return
                if not stop.is_set():
                    for number in self._sampler.due():
                        send(number, again=False)
                await writer.drain()
                await asyncio.sleep(0.01)
            listening.result()
        finally:
            listening.cancel()
            with suppress(asyncio.CancelledError, OSError, asyncio.IncompleteReadError, mqtt.MqttRefused, TimeoutError):
                await listening

    async def _listen(self, reader: asyncio.StreamReader, packets: mqtt.PacketReader, flying: dict[int, int]) -> None:
        while True:
            async with asyncio.timeout(ANSWER_DEADLINE_S):  # samples flow all the time: silence means it is dead
                data = await reader.read(65536)
            if not data:
                raise ConnectionResetError("The broker closed the connection.")
            for kind, body in packets.feed(data):
                if kind == mqtt.PUBACK:
                    number = flying.pop(int.from_bytes(body[:2], "big"), None)
                    if number is not None:
                        self._sampler.acknowledge(number)


async def _first_packet(reader: asyncio.StreamReader, packets: mqtt.PacketReader) -> tuple[int, bytes]:
    while True:
        data = await reader.read(65536)
        if not data:
            raise ConnectionResetError("The broker closed the connection.")
        if found := packets.feed(data):
            return found[0]


class HttpDevice:
    """Posts small JSON batches; a batch is acknowledged by a 2xx answer, anything else means: send it again."""

    def __init__(self, sampler: Sampler, credential: Credential, *, url: str) -> None:
        self.ledger = sampler.ledger
        self.refusals: dict[int, int] = {}  # HTTP status -> how often
        self._sampler = sampler
        scheme, _, rest = url.partition("://")
        host, _, path = rest.partition("/")
        if scheme != "http":
            raise ValueError(f"A bench speaks plain HTTP on loopback, not {scheme}.")
        self._host, self._path = host, f"/{path}"
        login = base64.b64encode(f"{credential.username}:{credential.password}".encode()).decode()
        self._headers = {"Content-Type": "application/json", "Authorization": f"Basic {login}"}
        self._connection: http.client.HTTPConnection | None = None

    async def run(self, stop: asyncio.Event) -> None:
        """Post until stopped and everything is acknowledged."""
        while not (stop.is_set() and not self._sampler.open):
            if not stop.is_set():
                self._sampler.due()
            batch = list(itertools.islice(self._sampler.open.items(), HTTP_BATCH))
            is_taken = bool(batch) and await asyncio.to_thread(self._post, batch)
            if is_taken:
                for number, _stamp in batch:
                    self._sampler.acknowledge(number)
            else:
                await asyncio.sleep(RETRY_S if batch else 0.01)
        if self._connection is not None:
            self._connection.close()

    def _post(self, batch: list[tuple[int, int]]) -> bool:
        body = json.dumps([{"ts": stamp, "seq": number, "values": {"number": number}} for number, stamp in batch])
        try:
            if self._connection is None:
                self._connection = http.client.HTTPConnection(self._host, timeout=ANSWER_DEADLINE_S)
            self._connection.request("POST", self._path, body, self._headers)
            answer = self._connection.getresponse()
            answer.read()
        except (OSError, http.client.HTTPException):
            if self._connection is not None:
                self._connection.close()
            self._connection = None
            return False
        if answer.status >= 300:
            self.refusals[answer.status] = self.refusals.get(answer.status, 0) + 1
            return False
        return True
