"""A synchronous door to the broker for threads (Django's views): ask, publish, publish durably.

One background thread runs one event loop with one connection of `bus.wire`; it reconnects for ever. Requests made while
the connection is away fail at once, so that a page can say so instead of hanging.
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Coroutine, Mapping, Sequence
from concurrent.futures import TimeoutError as FutureTimeout
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec

from yuheng.bus.messages import Failure
from yuheng.bus.wire import Connection, WireError, connect, encode_header, header_value, type_raw

ERROR_HEADER = "Yh-Error"
CONNECT_WITHIN_S = 2.0
BACK_OFF_S = (0.05, 2.0)
MAX_WAITING = 256
"""Requests under way at once. Policy beyond that: refuse, because whoever asks is already being kept waiting."""

Result = TypeVar("Result")


class BusError(Exception):
    """The broker, or who should answer on it, did not do what was asked; the message says what happened."""


class BusAway(BusError):
    """Nobody is there to answer: the broker or the process behind the subject is away, or too slow. Try again."""


class BusRefused(BusError):
    """Somebody answered, and said no; the message is that answer's."""


class BusBusy(BusRefused):
    """Too much is asked at the same time; the same question can be answered in a moment."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back: the raw ``NATS/1.0`` header block (empty without) and the body."""

    header: bytes
    payload: bytes

    def value(self, name: str) -> str | None:
        """Return one header; None when it is absent."""
        return header_value(self.header, name)


class BusClient:
    """Thread-safe; connects when it is first used. ``close`` ends the thread."""

    def __init__(self, url: str | Callable[[], str], *, name: str = "yuheng-web", listen: Sequence[str] = ()) -> None:
        """Listen to the subjects from the first use on; only the newest message of each is kept."""
        self._listen = tuple(listen)
        self._url = url
        self._name = name
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._connection: Connection | None = None
        self._connected: asyncio.Event | None = None
        self._waiting = 0
        self._reason = "not connected yet"
        self._newest: dict[str, bytes] = {}

    def request(
        self, subject: str, payload: bytes = b"", *, headers: Mapping[str, str] | None = None, timeout_s: float = 5.0
    ) -> Reply:
        """Ask and wait for one reply.

        Raises
        ------
        BusAway
            The broker is away, nobody listens on the subject, or nobody answered within ``timeout_s`` seconds.
        BusRefused
            The reply carries ``Yh-Error``.
        """
        reply = self._run(self._ask(subject, payload, headers, timeout_s), timeout_s)
        if header_value(reply.header, ERROR_HEADER) is not None:
            raise _refusal(reply.payload)
        return reply

    def publish_durable(
        self, subject: str, payload: bytes, *, headers: Mapping[str, str] | None = None, timeout_s: float = 5.0
    ) -> int:
        """Publish and wait until a stream has stored it; return its sequence there.

        Raises
        ------
        BusAway
            The broker is away, or no stream takes the subject.
        BusRefused
            The stream refuses, because it is full for one.
        """
        reply = self._run(self._ask(subject, payload, headers, timeout_s), timeout_s)
        answer: dict[str, Any] = json.loads(reply.payload or b"{}")
        if "error" in answer:
            raise BusRefused(str(answer["error"].get("description", "The stream refused the message.")))
        return int(answer.get("seq", 0))

    def publish(self, subject: str, payload: bytes) -> None:
        """Publish without waiting for anybody to take it. Raises `BusAway` when the broker is away."""
        self._run(self._say(subject, payload), CONNECT_WITHIN_S)

    def newest(self) -> dict[str, bytes]:
        """Return the newest message of each subject heard so far, of those this client listens to."""
        self._running_loop()
        return dict(self._newest)

    def close(self) -> None:
        """Leave the broker and end the thread."""
        with self._lock:
            loop, thread = self._loop, self._thread
            self._loop = self._thread = None
        if loop is not None and thread is not None:
            loop.call_soon_threadsafe(loop.stop)
            thread.join(timeout=5)

    # ---- in the caller's thread ---------------------------------------------------------------------------------

    def _run(self, work: Coroutine[Any, Any, Result], timeout_s: float) -> Result:
        loop = self._running_loop()
        if self._waiting >= MAX_WAITING:
            work.close()
            raise BusAway(f"{MAX_WAITING} requests are already waiting for an answer.")
        future = asyncio.run_coroutine_threadsafe(work, loop)
        try:
            return future.result(timeout_s + CONNECT_WITHIN_S + 1.0)
        except (FutureTimeout, TimeoutError) as error:
            future.cancel()
            raise BusAway(f"Nobody answered within {timeout_s:g} s.") from error
        except (WireError, OSError) as error:
            raise BusAway(str(error) or "The broker is away.") from error

    def _running_loop(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                self._connected = asyncio.Event()
                self._thread = threading.Thread(target=self._live, args=(self._loop,), name="bus", daemon=True)
                self._thread.start()
            return self._loop

    # ---- in the background thread -------------------------------------------------------------------------------

    def _live(self, loop: asyncio.AbstractEventLoop) -> None:
        asyncio.set_event_loop(loop)
        keeping = loop.create_task(self._keep_connected())
        try:
            loop.run_forever()
        finally:
            keeping.cancel()
            with suppress(asyncio.CancelledError):
                loop.run_until_complete(keeping)
            loop.close()

    async def _keep_connected(self) -> None:
        delay = BACK_OFF_S[0]
        assert self._connected is not None
        while True:
            try:
                url = self._url if isinstance(self._url, str) else self._url()
                self._connection = await connect(url, name=self._name)
                for subject in self._listen:
                    self._connection.subscribe(subject, self._hear)
                self._connected.set()
                delay = BACK_OFF_S[0]
                await self._connection.closed.wait()
                self._reason = self._connection.reason or "The connection was lost."
            except (WireError, OSError, TimeoutError) as error:
                self._reason = str(error) or type(error).__name__
            finally:
                self._connected.clear()
                if self._connection is not None:
                    self._connection.close()
                    self._connection = None
            await asyncio.sleep(delay)
            delay = min(delay * 2, BACK_OFF_S[1])

    def _hear(self, items: list[type_raw]) -> None:
        for subject, _reply, _header, payload in items:
            self._newest[subject.decode(errors="replace")] = payload

    async def _there(self) -> Connection:
        """Return the connection; waits for it a moment, because a restarted broker is back soon."""
        assert self._connected is not None
        try:
            async with asyncio.timeout(CONNECT_WITHIN_S):
                await self._connected.wait()
        except TimeoutError:
            raise BusAway(f"The broker is away: {self._reason}") from None
        if self._connection is None:
            raise BusAway(f"The broker is away: {self._reason}")
        return self._connection

    async def _ask(self, subject: str, payload: bytes, headers: Mapping[str, str] | None, timeout_s: float) -> Reply:
        self._waiting += 1
        try:
            connection = await self._there()
            header = encode_header(dict(headers)) if headers else b""
            came, body = await connection.request(subject, payload, header=header, timeout_s=timeout_s)
        finally:
            self._waiting -= 1
        if came.startswith(b"NATS/1.0 503"):
            raise BusAway("Nobody is there to answer.")
        return Reply(came, body)

    async def _say(self, subject: str, payload: bytes) -> None:
        (await self._there()).publish(subject, payload)


def _refusal(payload: bytes) -> BusRefused:
    with suppress(msgspec.DecodeError):
        failure = msgspec.json.decode(payload, type=Failure)
        return BusBusy(failure.error) if failure.is_busy else BusRefused(failure.error)
    return BusRefused(payload[:500].decode(errors="replace"))
