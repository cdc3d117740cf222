"""The hub's view of the broker, over nats-py."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import msgspec
import nats
from nats.aio.client import Client as NatsClient
from nats.aio.msg import Msg
from nats.errors import ConnectionClosedError, Error, NoRespondersError, OutboundBufferLimitError
from nats.errors import TimeoutError as NatsTimeout

from yuheng.bus import documents, subjects
from yuheng.bus.documents import Plant

PENDING_BYTES = 64 * 2**20
"""Messages waiting for the hub. Overflow policy: nats-py drops, tells us, and we take fresh snapshots."""
RETRY_S = 1.0


class NatsBus:
    """Connects, and stays connected for as long as the web process lives."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._nats = NatsClient()
        self._losses: list[Callable[[], None]] = []
        self._connections = 0

    @property
    def is_connected(self) -> bool:
        """Whether the broker is there now."""
        return bool(self._nats.is_connected)

    async def connect(self) -> None:
        """Wait for the broker; afterwards reconnection is automatic and endless."""
        while not self._nats.is_connected:
            try:
                self._nats = await nats.connect(
                    self._url,
                    name="yuheng web live hub",
                    allow_reconnect=True,
                    max_reconnect_attempts=-1,
                    reconnect_time_wait=0.5,
                    reconnected_cb=self._reconnected,
                    error_cb=self._error,
                )
            except (OSError, Error, TimeoutError):
                await asyncio.sleep(RETRY_S)

    async def close(self) -> None:
        """Leave the broker."""
        await self._nats.close()

    def on_loss(self, handler: Callable[[], None]) -> None:
        """Call the handler after a reconnection and when messages were dropped."""
        self._losses.append(handler)

    async def listen(self, subject: str, handler: Callable[[str, bytes], None]) -> None:
        """Subscribe; messages of one subject arrive in order."""

        async def deliver(message: Msg) -> None:
            handler(message.subject, message.data)

        await self._nats.subscribe(subject, cb=deliver, pending_bytes_limit=PENDING_BYTES)

    async def ask(self, subject: str, body: bytes, timeout_s: float) -> bytes:
        """Ask the historian; a refusal and silence are both `ConnectionError` or `TimeoutError`."""
        try:
            answer = await self._nats.request(subject, body, timeout=timeout_s)
        except (NatsTimeout, TimeoutError):
            raise TimeoutError(f"Nobody answered {subject} within {timeout_s} s.") from None
        except (NoRespondersError, ConnectionClosedError, OutboundBufferLimitError, Error) as error:
            raise ConnectionError(str(error)) from error
        if answer.headers and "Yh-Error" in answer.headers:
            raise ConnectionError(answer.data.decode(errors="replace"))
        return bytes(answer.data)

    async def tell(self, subject: str, body: bytes) -> None:
        """Publish, fire and forget: the next telling follows in seconds."""
        try:
            await self._nats.publish(subject, body)
        except (Error, OSError):
            return

    async def follow_plant(self, handler: Callable[[Plant], None]) -> None:
        """Watch the configuration document. Begins anew after a broken connection, and until the bucket exists."""
        while True:
            try:
                bucket = await self._nats.jetstream().key_value(subjects.CONFIG_BUCKET)
                watcher: Any = await bucket.watch(subjects.CONFIG_KEY)
                connection = self._connections
                while connection == self._connections:
                    with suppress(NatsTimeout):
                        self._take_plant(await watcher.updates(timeout=RETRY_S), handler)
                await watcher.stop()
            except (Error, OSError, TimeoutError):
                await asyncio.sleep(RETRY_S)

    @staticmethod
    def _take_plant(entry: Any, handler: Callable[[Plant], None]) -> None:
        if entry is None or not entry.value:
            return
        try:
            plant = documents.decode(entry.value)
        except msgspec.MsgspecError:
            return  # the worker publishes whole, checked documents; keep the one we have
        handler(plant)

    async def _reconnected(self) -> None:
        self._connections += 1
        self._lost()

    def _lost(self) -> None:
        for handler in self._losses:
            handler()

    async def _error(self, error: Exception) -> None:
        """Slow consumer, or a broken connection: either way something may be missing."""
        self._lost()
