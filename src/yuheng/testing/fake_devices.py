"""Fake devices for the conformance suite: each speaks its real protocol."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Protocol

from yuheng.engines.codec.sparkplug_schema import DataType, Payload

_WAIT_S = 10.0


class Broker(Protocol):
    """A real MQTT broker that can be killed and started again (`testing.engines.RunningBroker` is one)."""

    @property
    def host(self) -> str:
        """Where its MQTT door is."""
        ...

    @property
    def mqtt_port(self) -> int:
        """Port of the MQTT door."""
        ...

    def kill(self) -> None:
        """End it without warning."""
        ...

    def start(self) -> None:
        """Start it on the same store and port."""
        ...


class MqttPublisher:
    """Publishes with QoS 1 and returns when all are acknowledged. MQTT 3.1.1, nothing but what that needs."""

    def __init__(self, broker: Broker, username: str, password: str) -> None:
        self._broker = broker
        self._credentials = (username, password)

    async def publish(self, messages: Iterable[tuple[str, bytes]]) -> None:
        """Connect, publish, wait for every PUBACK, disconnect. Raises `OSError` when the broker is away."""
        reader, writer = await asyncio.open_connection(self._broker.host, self._broker.mqtt_port)
        try:
            async with asyncio.timeout(_WAIT_S):
                writer.write(_packet(0x10, self._greeting()))
                answer = await reader.readexactly(4)
                if answer[3]:
                    raise ConnectionRefusedError(f"The broker refuses with code {answer[3]}.")
                sent = 0
                for number, (topic, payload) in enumerate(messages):
                    writer.write(_packet(0x32, _text(topic) + (number % 65535 + 1).to_bytes(2, "big") + payload))
                    sent += 1
                await reader.readexactly(4 * sent)  # PUBACKs, four bytes each
                writer.write(b"\xe0\x00")
                await writer.drain()
        except asyncio.IncompleteReadError as error:
            raise ConnectionResetError("The broker went away.") from error
        finally:
            writer.close()

    def _greeting(self) -> bytes:
        username, password = self._credentials
        return _text("MQTT") + b"\x04\xc2\x00\x00" + _text("fake-device") + _text(username) + _text(password)


def _text(text: str) -> bytes:
    data = text.encode()
    return len(data).to_bytes(2, "big") + data


def _packet(head: int, body: bytes) -> bytes:
    size, length = len(body), bytearray()
    while True:
        size, low = divmod(size, 128)
        length.append(low | (0x80 if size else 0))
        if not size:
            return bytes([head]) + bytes(length) + body


class _MqttDevice:
    def __init__(self, broker: Broker, username: str, password: str) -> None:
        self._broker = broker
        self._publisher = MqttPublisher(broker, username, password)

    async def go_away(self) -> None:
        """Kill the broker."""
        await asyncio.to_thread(self._broker.kill)

    async def come_back(self) -> None:
        """Start it again with everything it has stored."""
        await asyncio.to_thread(self._broker.start)


class FakeMqttJson(_MqttDevice):
    """A machine that publishes JSON; values of ``n`` under ``m/n``."""

    async def send(self, value: int, count: int = 1) -> None:
        """Publish one message a value."""
        await self._publisher.publish(("plant/m", b'{"n": %d}' % n) for n in range(value, value + count))

    async def send_malformed(self) -> None:
        """Publish half an object."""
        await self._publisher.publish([("plant/m", b'{"n": ')])

    async def send_many_tags(self, count: int) -> None:
        """Publish all addresses in one message."""
        await self._publisher.publish([("plant/m", json.dumps({f"t{i}": i for i in range(count)}).encode())])


class FakeSparkplugNode(_MqttDevice):
    """An edge node that publishes births and data; metric ``n`` with alias 1."""

    def __init__(self, broker: Broker, username: str, password: str) -> None:
        super().__init__(broker, username, password)
        self._seq = 0
        self._stamp_ms = 1_732_345_678_000

    def _next(self) -> Payload:
        payload = Payload(seq=self._seq, timestamp=self._stamp_ms)
        self._seq = (self._seq + 1) % 256
        self._stamp_ms += 1
        return payload

    def _birth(self) -> tuple[str, bytes]:
        self._seq = 0
        payload = self._next()
        payload.metrics.add(name="bdSeq", datatype=DataType.UINT64, long_value=1)
        payload.metrics.add(name="n", alias=1, datatype=DataType.DOUBLE, is_null=True)
        return "spBv1.0/G/NBIRTH/edge", payload.SerializeToString()

    async def send(self, value: int, count: int = 1) -> None:
        """Publish a birth and one data message a value."""

        def messages() -> Iterable[tuple[str, bytes]]:
            yield self._birth()
            for n in range(value, value + count):
                payload = self._next()
                payload.metrics.add(alias=1, double_value=n)
                yield "spBv1.0/G/NDATA/edge", payload.SerializeToString()

        await self._publisher.publish(messages())

    async def send_malformed(self) -> None:
        """Publish a truncated payload."""
        await self._publisher.publish([("spBv1.0/G/NDATA/edge", b"\x08\x96\x01\x12\x7f")])

    async def send_many_tags(self, count: int) -> None:
        """Publish a birth with all metrics."""
        topic, _ = self._birth()
        self._seq = 0
        payload = self._next()
        for i in range(count):
            payload.metrics.add(name=f"t{i}", alias=10 + i, datatype=DataType.INT32, int_value=i)
        await self._publisher.publish([(topic, payload.SerializeToString())])


class FakeHttpClient:
    """A script that posts JSON over real HTTP and sends again what was not taken."""

    def __init__(self, port: Callable[[], int], username: str, password: str) -> None:
        self._port = port
        token = base64.b64encode(f"{username}:{password}".encode()).decode()
        self._head = f"POST /push/bench/m HTTP/1.1\r\nHost: x\r\nAuthorization: Basic {token}\r\n"
        self._is_away = False

    async def send(self, value: int, count: int = 1) -> None:
        """Post one body a hundred values; raises `ConnectionError` for one that was not taken."""
        for start in range(value, value + count, 100):
            numbers = range(start, min(start + 100, value + count))
            status = await self._post(json.dumps([{"n": n, "seq": n} for n in numbers]).encode())
            if status != 204:
                raise ConnectionRefusedError(f"The door answers {status}.")

    async def send_malformed(self) -> None:
        """Post half an object; the answer must be 400."""
        status = await self._post(b'{"n": ')
        if status != 400:
            raise AssertionError(f"A body that can never be read is answered {status}.")

    async def send_many_tags(self, count: int) -> None:
        """Post all addresses in one body."""
        await self._post(json.dumps({f"t{i}": i for i in range(count)}).encode())

    async def go_away(self) -> None:
        """Fall silent in the middle of a request."""
        _, writer = await asyncio.open_connection("127.0.0.1", self._port())
        writer.write(f"{self._head}Content-Length: 1000\r\n\r\nhalf".encode())
        await writer.drain()
        writer.transport.abort()

    async def come_back(self) -> None:
        """Nothing to do: every request is a new one."""

    async def _post(self, body: bytes) -> int:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port())
        try:
            head = f"{self._head}Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
            writer.write(head.encode() + body)
            async with asyncio.timeout(_WAIT_S):
                answer = await reader.read()
        finally:
            writer.close()
        if not answer:
            raise ConnectionResetError("The door closed without an answer.")
        return int(answer.split()[1])


class FakeRecorder:
    """A test bench that drops recordings into a directory, whole, by renaming them."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._number = 0

    async def send(self, value: int, count: int = 1) -> None:
        """Drop one file with a row a value."""
        rows = "".join(f"{1_732_345_678_000 + n},{n}\n" for n in range(value, value + count))
        await asyncio.to_thread(self._drop, "time,n\n" + rows)

    async def send_malformed(self) -> None:
        """Drop a file with a time that cannot be read."""
        await asyncio.to_thread(self._drop, "time,n\nyesterday,0\n")

    async def send_many_tags(self, count: int) -> None:
        """Drop a file with one row and many columns."""
        header = ",".join(f"t{i}" for i in range(count))
        values = ",".join(map(str, range(count)))
        await asyncio.to_thread(self._drop, f"time,{header}\n1732345678000,{values}\n")

    async def go_away(self) -> None:
        """Take the directory away, as a network share does."""
        await asyncio.to_thread(self._directory.rename, self._directory.with_suffix(".away"))

    async def come_back(self) -> None:
        """Mount it again."""
        await asyncio.to_thread(self._directory.with_suffix(".away").rename, self._directory)

    def _drop(self, text: str) -> None:
        self._number += 1
        fresh = self._directory / f"{self._number:06d}.new"
        fresh.write_text(text, encoding="utf-8")
        fresh.rename(fresh.with_suffix(".csv"))
