"""A small MQTT 3.1.1 client for subscribing without loss: it acknowledges only when told to.

Written for one purpose, because a client that acknowledges by itself would lose what the durable log has not
taken yet. Asyncio streams, no threads, one coroutine reading.

References
----------
MQTT Version 3.1.1, OASIS Standard (2014): packet layouts in chapter 3, ordering in 4.6.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

MAX_PACKET_BYTES = 32 * 1024 * 1024
_CONNECT, _CONNACK, _PUBLISH, _PUBACK = 1, 2, 3, 4
_SUBSCRIBE, _SUBACK, _PINGREQ, _PINGRESP, _DISCONNECT = 8, 9, 12, 13, 14
_REFUSALS = {
    1: "it does not speak MQTT 3.1.1",
    2: "it does not accept the client id",
    3: "it is not available",
    4: "user name or password is wrong",
    5: "this user may not connect",
}


class MqttError(Exception):
    """The connection cannot be made or is lost; the message says why."""


class Received(NamedTuple):
    """One PUBLISH; ``packet_id`` 0 needs no acknowledgement."""

    topic: str
    payload: bytes
    packet_id: int
    is_retained: bool


@dataclass(frozen=True, slots=True)
class BrokerAddress:
    """Where the broker is and who we are there."""

    host: str
    client_id: str
    port: int = 1883
    username: str = ""
    password: str = ""
    tls: bool = False
    tls_ca_file: str = ""
    keep_alive_s: int = 30

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any], default_client_id: str) -> BrokerAddress:
        """Read the ``broker`` setting."""
        return cls(**{"client_id": default_client_id, **settings})

    def __repr__(self) -> str:
        """Without the password: addresses get into logs."""
        return f"{self.host}:{self.port} as {self.client_id}"


class MqttClient:
    """One connection. Made by `connect`; when it is lost, make another one: the broker keeps the session."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, keep_alive_s: int) -> None:
        self._reader = reader
        self._writer = writer
        self._keep_alive_s = keep_alive_s
        self._next_id = 0
        self._is_silent = False

    @classmethod
    async def connect(cls, address: BrokerAddress, *, timeout_s: float = 10.0) -> MqttClient:
        """Connect with a persistent session (clean session off).

        Raises
        ------
        MqttError
            Unreachable, refused, or silent for ``timeout_s``.
        """
        try:
            async with asyncio.timeout(timeout_s):
                reader, writer = await asyncio.open_connection(address.host, address.port, ssl=_tls(address))
                client = cls(reader, writer, address.keep_alive_s)
                try:
                    await client._greet(address)
                except BaseException:
                    writer.close()
                    raise
                return client
        except TimeoutError as error:
            raise MqttError(f"The broker {address.host}:{address.port} does not answer.") from error
        except asyncio.IncompleteReadError as error:
            raise MqttError(f"{address.host}:{address.port} does not answer as an MQTT broker.") from error
        except OSError as error:
            raise MqttError(f"The broker {address.host}:{address.port} cannot be reached: {error}") from error

    async def _greet(self, address: BrokerAddress) -> None:
        flags = (0x80 if address.username else 0) | (0x40 if address.password else 0)
        body = _text("MQTT") + bytes([4, flags]) + address.keep_alive_s.to_bytes(2, "big") + _text(address.client_id)
        if address.username:
            body += _text(address.username)
        if address.password:
            body += _text(address.password)
        self._send(_CONNECT << 4, body)
        head, answer = await self._packet()
        if head >> 4 != _CONNACK or len(answer) != 2:
            raise MqttError("The server does not answer as an MQTT broker.")
        if answer[1]:
            raise MqttError(f"The broker refuses: {_REFUSALS.get(answer[1], f'code {answer[1]}')}.")

    def subscribe(self, filters: Sequence[str]) -> None:
        """Ask for these filters with QoS 1; a refusal shows as an `MqttError` from `receive`."""
        body = b"".join(_text(topic) + b"\x01" for topic in filters)
        self._send(_SUBSCRIBE << 4 | 2, self._packet_id() + body)

    async def receive(self) -> Received:
        """Wait for the next message. Raises `MqttError` when the connection is lost."""
        while True:
            try:
                head, body = await self._packet()
            except (OSError, asyncio.IncompleteReadError) as error:
                raise MqttError("The broker closed the connection.") from error
            self._is_silent = False
            kind = head >> 4
            if kind == _PUBLISH:
                return _published(head, body)
            if kind == _SUBACK and 0x80 in body[2:]:
                raise MqttError("The broker refuses a topic filter; check the rights of this user.")

    async def keep_alive(self) -> None:
        """Ask with PINGREQ in silence, give the connection up when even that brings nothing; run it as a task."""
        while True:
            self._is_silent = True
            await asyncio.sleep(self._keep_alive_s * 0.45)
            if not self._is_silent:
                continue
            self._send(_PINGREQ << 4, b"")
            await asyncio.sleep(self._keep_alive_s * 0.45)
            if self._is_silent:
                self._writer.transport.abort()
                raise MqttError("The broker is silent.")

    async def _packet(self) -> tuple[int, bytes]:
        head = (await self._reader.readexactly(1))[0]
        size, shift = 0, 0
        while True:
            byte = (await self._reader.readexactly(1))[0]
            size |= (byte & 0x7F) << shift
            if not byte & 0x80:
                break
            shift += 7
            if shift > 21:
                raise MqttError("The broker sends something that is not MQTT.")
        if size > MAX_PACKET_BYTES:
            raise MqttError(f"The broker sends a packet of {size} bytes; the limit is {MAX_PACKET_BYTES}.")
        return head, await self._reader.readexactly(size)

    def acknowledge(self, packet_id: int) -> None:
        """Send PUBACK: the broker may forget the message. In the order of receipt."""
        if packet_id:
            self._send(_PUBACK << 4, packet_id.to_bytes(2, "big"))

    def publish(self, topic: str, payload: bytes) -> None:
        """Publish with QoS 0."""
        self._send(_PUBLISH << 4, _text(topic) + payload)

    async def close(self) -> None:
        """Disconnect politely; the broker keeps the session."""
        try:
            self._send(_DISCONNECT << 4, b"")
            self._writer.close()
            async with asyncio.timeout(1):
                await self._writer.wait_closed()
        except (OSError, TimeoutError):
            self._writer.transport.abort()

    def _send(self, head: int, body: bytes) -> None:
        self._writer.write(bytes([head]) + _remaining_length(len(body)) + body)

    def _packet_id(self) -> bytes:
        self._next_id = self._next_id % 65535 + 1
        return self._next_id.to_bytes(2, "big")


def _published(head: int, body: bytes) -> Received:
    size = int.from_bytes(body[:2], "big")
    end = 2 + size
    topic = body[2:end].decode("utf-8", "replace")
    packet_id = 0
    if head & 0x06:
        packet_id, end = int.from_bytes(body[end : end + 2], "big"), end + 2
    return Received(topic, body[end:], packet_id, bool(head & 0x01))


def _text(text: str) -> bytes:
    data = text.encode()
    return len(data).to_bytes(2, "big") + data


def _remaining_length(size: int) -> bytes:
    out = bytearray()
    while True:
        size, low = divmod(size, 128)
        out.append(low | (0x80 if size else 0))
        if not size:
            return bytes(out)


def _tls(address: BrokerAddress) -> ssl.SSLContext | None:
    return ssl.create_default_context(cafile=address.tls_ca_file or None) if address.tls else None
