"""The gateway's end of the durable log: append, wait for the acknowledgement, hold while there is none."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

from yuheng.bus import wire
from yuheng.bus.wire import Connection, WireError
from yuheng.gateway.connector import PayloadRefused

_RETRY_FIRST_S, _RETRY_MOST_S = 0.05, 2.0
_HEADER_ROOM = 4096  # of nats-server's max_payload, which counts headers too, for those of a later dead letter


class LogUnavailable(Exception):
    """The log did not take it in the time given; nothing is known about whether it will. Send it again later."""


@dataclass(frozen=True, slots=True)
class LogLimits:
    """How much may be under way at once. Policy beyond: *hold the producer* (the caller waits its turn)."""

    messages: int = 1024
    bytes: int = 64 * 1024 * 1024
    ack_timeout_s: float = 5.0


class DurableLog:
    """Appends to JetStream over one connection that is made again whenever it is lost."""

    def __init__(self, url: str, limits: LogLimits = LogLimits()) -> None:
        self._url = url
        self._limits = limits
        self._connection: Connection | None = None
        self._is_up = asyncio.Event()
        self._places = _Places(limits.messages, limits.bytes)
        self.reason = "Not connected yet."  # why the log cannot be written to; "" when it can
        self.appended = 0
        self.retried = 0
        self._watchers: list[wire.Connected] = []

    def on_connect(self, use: wire.Connected) -> None:
        """Call this with every new connection, before anything is appended over it."""
        self._watchers.append(use)

    async def run(self) -> None:
        """Keep connected, for ever."""
        await wire.keep_connected(self._url, self._connected, name="yuheng-gateway", on_lost=self._lost)

    async def _connected(self, connection: Connection) -> None:
        for use in self._watchers:
            await use(connection)
        self._connection = connection
        self.reason = ""
        self._is_up.set()

    def _lost(self, reason: str) -> None:
        self._connection = None
        self._is_up.clear()
        self.reason = f"The log cannot be reached: {reason}"

    async def wait_until_up(self) -> None:
        """Wait for a connection."""
        await self._is_up.wait()

    @property
    def is_up(self) -> bool:
        """Whether the last append, and the connection, were fine."""
        return not self.reason

    @property
    def why_closed(self) -> str:
        """Why nothing more should be brought now; "" when it is worth trying.

        After a refusal somebody must try again to find out that there is room: while nobody does, the door is open.
        """
        return self.reason if self._connection is None or self.in_flight else ""

    @property
    def in_flight(self) -> int:
        """Appends that wait for their acknowledgement, or for their turn."""
        return self._places.taken + self._places.waiting

    async def append(
        self, subject: str, payload: bytes, headers: Mapping[str, str], *, timeout_s: float | None = None
    ) -> None:
        """Return when the log has it; try again until then, or until ``timeout_s`` is over.

        Appending twice after a lost acknowledgement is harmless: the message carries its own arrival time.

        Raises
        ------
        LogUnavailable
            ``timeout_s`` is over.
        PayloadRefused
            It is larger than the log takes.
        """
        try:
            async with asyncio.timeout(timeout_s):
                async with self._places.hold(len(payload)):
                    await self._append(subject, payload, wire.encode_header(dict(headers)))
        except TimeoutError as error:
            raise LogUnavailable(self.reason or "The log is too slow at the moment.") from error
        self.appended += 1

    async def _append(self, subject: str, payload: bytes, header: bytes) -> None:
        pause_s = _RETRY_FIRST_S
        while True:
            await self._is_up.wait()
            connection = self._connection
            if connection is None:
                continue
            if len(payload) + len(header) + _HEADER_ROOM > connection.max_payload:
                raise PayloadRefused(f"{len(payload)} bytes are more than the log takes in one message.")
            trouble = await self._try(connection, subject, payload, header)
            if not trouble:
                self.reason = ""
                return
            self.retried += 1
            if self._connection is connection and not connection.closed.is_set():
                self.reason = trouble
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 2, _RETRY_MOST_S)

    async def _try(self, connection: Connection, subject: str, payload: bytes, header: bytes) -> str:
        """Append once; return "" or why the log has not taken it."""
        try:
            await connection.drained()
            timeout_s = self._limits.ack_timeout_s
            _, answer = await connection.request(subject, payload, header=header, timeout_s=timeout_s)
        except WireError as error:
            return f"The log cannot be reached: {error}"
        except TimeoutError:
            return "The log does not acknowledge."
        with suppress(ValueError):
            found = json.loads(answer)
            if isinstance(found, dict) and "error" in found:  # first: a refusal has a "seq" too, 0
                return f"The log does not take it: {found['error'].get('description', 'no reason given')}."
            if isinstance(found, dict) and found.get("seq"):
                return ""
        return "The log is not set up yet."

    async def publish(self, subject: str, payload: bytes) -> None:
        """Publish without acknowledgement; silently not at all while the connection is lost."""
        if self._connection is not None:
            self._connection.publish(subject, payload)


class _Places:
    """A bound on number and bytes at once, first come, first served.

    One message larger than all bytes may go alone.
    """

    def __init__(self, messages: int, size: int) -> None:
        self._messages = messages
        self._bytes = size
        self._free_messages = messages
        self._free_bytes = size
        self._queue: deque[tuple[int, asyncio.Future[None]]] = deque()

    @property
    def taken(self) -> int:
        return self._messages - self._free_messages

    @property
    def waiting(self) -> int:
        return len(self._queue)

    def hold(self, size: int) -> _Hold:
        return _Hold(self, min(size, self._bytes))

    async def take(self, size: int) -> None:
        if not self._queue and self._has(size):
            self._give(size)
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queue.append((size, turn))
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.release(size)
            else:
                self._queue.remove((size, turn))
                self._wake()
            raise

    def release(self, size: int) -> None:
        self._free_messages += 1
        self._free_bytes += size
        self._wake()

    def _wake(self) -> None:
        while self._queue and self._has(self._queue[0][0]):
            size, turn = self._queue.popleft()
            if turn.done():  # cancelled in this turn of the loop
                self._queue.appendleft((size, turn))
                return
            self._give(size)
            turn.set_result(None)

    def _has(self, size: int) -> bool:
        return self._free_messages > 0 and self._free_bytes >= size

    def _give(self, size: int) -> None:
        self._free_messages -= 1
        self._free_bytes -= size


class _Hold:
    def __init__(self, places: _Places, size: int) -> None:
        self._places = places
        self._size = size

    async def __aenter__(self) -> None:
        await self._places.take(self._size)

    async def __aexit__(self, *error: object) -> None:
        self._places.release(self._size)
