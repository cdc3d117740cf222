"""A lean NATS client for the hot path: big reads, a parser of about a microsecond a message.

`nats-py` spends about 30 microseconds a message, mostly on one task wake-up and one object each. Here a read from the
socket becomes one list of tuples a subscription and one call. Everything else (buckets, rare requests) may use nats-py.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import unquote, urlparse

CRLF = b"\r\n"
_HMSG, _MSG = b"HM"

type_raw = tuple[bytes, bytes, bytes, bytes]
"""One message off the wire: subject, reply, raw header block (empty without), payload."""

Handler = Callable[[list[type_raw]], None]


@dataclass(frozen=True, slots=True)
class Keepalive:
    """How a server that hangs with its socket open is found out: by turns in which nothing came from it.

    Turns are counted, not time: when our own loop was kept busy for longer, that is one turn of silence and not
    several, and what waits in the socket is read before the next one.
    """

    turn_s: float = 4.0
    silent_turns: int = 3  # the first of them asks (PING); the connection ends 12 to 16 s after the last word


class WireError(Exception):
    """The connection is gone or the server refused; the message says why."""


def header_value(header: bytes, name: str) -> str | None:
    r"""Return one header of a raw ``NATS/1.0`` block; None when it is absent.

    Examples
    --------
    >>> header_value(b"NATS/1.0\r\nYh-Topic: a/b\r\n\r\n", "Yh-Topic")
    'a/b'
    """
    key = b"\r\n" + name.encode() + b":"
    at = header.find(key)
    if at < 0:
        return None
    start = at + len(key)
    return header[start : header.find(CRLF, start)].decode("utf-8", "replace").strip()


def encode_header(values: dict[str, str]) -> bytes:
    """Return a raw header block; line breaks in values become spaces."""
    lines = "".join(f"{name}: {' '.join(text.split())}\r\n" for name, text in values.items())
    return f"NATS/1.0\r\n{lines}\r\n".encode()


class Connection(asyncio.Protocol):
    """One TCP connection to nats-server. Made by `connect`; when it is lost, make another one."""

    def __init__(self, credentials: dict[str, str], name: str) -> None:
        self.closed: asyncio.Event = asyncio.Event()
        self.reason = ""
        self.max_payload = 1_048_576
        self.errors = 0
        self._credentials = credentials
        self._name = name
        self._transport: asyncio.Transport | None = None
        self._chunks: list[bytes] = []
        self._waiting_bytes = 0
        self._need = 0
        self._handlers: dict[bytes, Handler] = {}
        self._batches: dict[bytes, list[type_raw]] = {}
        self._out: list[bytes] = []
        self._out_scheduled = False
        self._next_sid = 0
        self._ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._pongs: list[asyncio.Future[None]] = []
        self._can_write = asyncio.Event()
        self._can_write.set()
        self._inbox = f"_INBOX.{os.urandom(8).hex()}"
        self._replies: dict[bytes, asyncio.Future[tuple[bytes, bytes]]] = {}
        self._next_reply = 0
        self._is_heard = True
        self._silent_turns = 0
        self._turn: asyncio.TimerHandle | None = None

    # ---- asyncio.Protocol ---------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport; the server speaks first."""
        stream = cast(asyncio.Transport, transport)  # uvloop's is one without saying so
        stream.set_write_buffer_limits(high=8_000_000)
        self._transport = stream

    def connection_lost(self, exc: Exception | None) -> None:
        """Fail everything that waits."""
        self.reason = self.reason or (str(exc) if exc else "The server closed the connection.")
        self._transport = None
        if self._turn is not None:
            self._turn.cancel()
        self.closed.set()
        self._can_write.set()
        error = WireError(self.reason)
        waiting: list[asyncio.Future[Any]] = [self._ready, *self._pongs, *self._replies.values()]
        for future in waiting:
            if not future.done():
                future.set_exception(error)
                future.exception()  # somebody may no longer listen; that is fine
        self._replies.clear()
        self._pongs.clear()

    def pause_writing(self) -> None:
        """The socket is full; `drained` waits."""
        self._can_write.clear()

    def resume_writing(self) -> None:
        """The socket took it."""
        self._can_write.set()

    def data_received(self, data: bytes) -> None:
        """Parse every whole message; keep the rest until enough bytes came to finish the next one."""
        self._is_heard = True
        self._chunks.append(data)
        self._waiting_bytes += len(data)
        if self._waiting_bytes < self._need:
            return
        whole = data if len(self._chunks) == 1 else b"".join(self._chunks)
        try:
            used = self._parse(whole)
        except (ValueError, IndexError) as error:
            self.reason = f"The server sent something that is not the NATS protocol: {error}"
            self.close()
            return
        rest = whole[used:]
        self._chunks = [rest] if rest else []
        self._waiting_bytes = len(rest)
        self._deliver()

    def _parse(self, data: bytes) -> int:
        """Parse from the start; return how many bytes were used and set how many are needed to go on."""
        position, end = 0, len(data)
        find = data.find
        batches = self._batches
        while True:
            eol = find(CRLF, position)
            if eol < 0:
                self._need = end - position + 1
                return position
            kind = data[position]
            if kind == _HMSG:  # HMSG subject sid [reply] header-bytes total-bytes
                words = data[position + 5 : eol].split(b" ")
                start = eol + 2
                stop = start + int(words[-1])
                if stop + 2 > end:
                    self._need = stop + 2 - position
                    return position
                body = start + int(words[-2])
                reply = words[2] if len(words) == 5 else b""
                item = (words[0], reply, data[start:body], data[body:stop])
            elif kind == _MSG:  # MSG subject sid [reply] bytes
                words = data[position + 4 : eol].split(b" ")
                start = eol + 2
                stop = start + int(words[-1])
                if stop + 2 > end:
                    self._need = stop + 2 - position
                    return position
                item = (words[0], words[2] if len(words) == 4 else b"", b"", data[start:stop])
            else:
                self._control(data[position:eol])
                position = eol + 2
                continue
            sid = words[1]
            try:
                batches[sid].append(item)
            except KeyError:
                batches[sid] = [item]
            position = stop + 2

    def _deliver(self) -> None:
        if not self._batches:
            return
        batches, self._batches = self._batches, {}
        for sid, items in batches.items():
            handler = self._handlers.get(sid)
            if handler is not None:
                handler(items)

    def _control(self, line: bytes) -> None:
        """Answer PING, count PONG, read INFO, remember errors."""
        word = line[:4].upper()
        if word == b"PING":
            self._write(b"PONG\r\n")
        elif word == b"PONG":
            if self._pongs:
                future = self._pongs.pop(0)
                if not future.done():
                    future.set_result(None)
        elif word == b"INFO":
            info = json.loads(line[5:])
            self.max_payload = int(info.get("max_payload", self.max_payload))
            if not self._ready.done():
                self._greet()
        elif word == b"-ERR":
            self.errors += 1
            self.reason = line[5:].decode("utf-8", "replace").strip("' ")
        elif word[:3] != b"+OK":
            raise ValueError(line[:80])

    def _greet(self) -> None:
        options = {
            "verbose": False,
            "pedantic": False,
            "lang": "python-yuheng",
            "version": "1",
            "protocol": 1,
            "headers": True,
            "no_responders": True,
            "name": self._name,
            **self._credentials,
        }
        self._write(b"CONNECT " + json.dumps(options).encode() + b"\r\nPING\r\n")
        self._pongs.append(self._ready)

    # ---- writing ------------------------------------------------------------------------------------------------

    def _write(self, data: bytes) -> None:
        """Send at the end of this turn of the loop, together with whatever else is written in it."""
        self._out.append(data)
        if not self._out_scheduled:
            self._out_scheduled = True
            asyncio.get_running_loop().call_soon(self._flush_out)

    def _flush_out(self) -> None:
        self._out_scheduled = False
        out, self._out = self._out, []
        if self._transport is not None and out:
            self._transport.write(b"".join(out))

    async def ready(self) -> None:
        """Wait until the server accepted us; raises `WireError`."""
        await asyncio.shield(self._ready)
        self.subscribe(f"{self._inbox}.*", self._take_replies)

    async def drained(self) -> None:
        """Wait while the socket's write buffer is full; raises `WireError` when the connection is lost."""
        await self._can_write.wait()
        if self.closed.is_set():
            raise WireError(self.reason)

    async def flush(self, timeout_s: float = 5.0) -> None:
        """Wait until the server has read everything written so far."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._pongs.append(future)
        self._write(b"PING\r\n")
        async with asyncio.timeout(timeout_s):
            await asyncio.shield(future)

    def keep_alive(self, keepalive: Keepalive) -> None:
        """Ask the server for a sign of life when it is silent; end the connection when none comes."""
        self._turn = asyncio.get_running_loop().call_later(keepalive.turn_s, self._take_turn, keepalive)

    def _take_turn(self, keepalive: Keepalive) -> None:
        if self._transport is None:
            return
        self._silent_turns = 0 if self._is_heard else self._silent_turns + 1
        self._is_heard = False
        if self._silent_turns >= keepalive.silent_turns:
            silence_s = keepalive.silent_turns * keepalive.turn_s
            self.reason = f"The server has been silent for {silence_s:g} seconds."
            self._transport.abort()  # closing would wait until it takes what is still to be sent
            return
        if self._silent_turns == 1:
            future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._pongs.append(future)  # nobody waits for it, but answers come in order
            self._write(b"PING\r\n")
        self.keep_alive(keepalive)

    def close(self) -> None:
        """Send what is waiting and close."""
        self._flush_out()
        if self._transport is not None:
            self._transport.close()

    def subscribe(self, subject: str, handler: Handler, queue: str = "") -> bytes:
        """Call ``handler`` with every batch on the subject; return the subscription's id."""
        self._next_sid += 1
        sid = str(self._next_sid).encode()
        self._handlers[sid] = handler
        group = f" {queue}" if queue else ""
        self._write(f"SUB {subject}{group} ".encode() + sid + CRLF)
        return sid

    def unsubscribe(self, sid: bytes) -> None:
        """Stop a subscription."""
        self._handlers.pop(sid, None)
        self._write(b"UNSUB " + sid + CRLF)

    def publish(self, subject: str | bytes, payload: bytes, *, reply: str = "", header: bytes = b"") -> None:
        """Queue one message; it leaves at the end of this turn of the loop."""
        name = subject if isinstance(subject, bytes) else subject.encode()
        answer = f" {reply}".encode() if reply else b""
        if header:
            sizes = b" %d %d" % (len(header), len(header) + len(payload))
            self._write(b"HPUB " + name + answer + sizes + CRLF + header + payload + CRLF)
        else:
            self._write(b"PUB " + name + answer + b" %d" % len(payload) + CRLF + payload + CRLF)

    def request_later(
        self, subject: str, payload: bytes, *, header: bytes = b""
    ) -> asyncio.Future[tuple[bytes, bytes]]:
        """Send a request; the future becomes (header, payload) of the reply, or fails when the connection is lost."""
        future: asyncio.Future[tuple[bytes, bytes]] = asyncio.get_running_loop().create_future()
        if self.closed.is_set():
            future.set_exception(WireError(self.reason or "The connection is closed."))
            return future
        self._next_reply += 1
        token = str(self._next_reply)
        key = token.encode()
        self._replies[key] = future
        future.add_done_callback(lambda _: self._replies.pop(key, None))  # nobody may wait for a late answer
        self.publish(subject, payload, reply=f"{self._inbox}.{token}", header=header)
        return future

    async def request(
        self, subject: str, payload: bytes, *, header: bytes = b"", timeout_s: float = 5.0
    ) -> tuple[bytes, bytes]:
        """Ask and wait; return (header, payload). Raises `WireError` or `TimeoutError`."""
        future = self.request_later(subject, payload, header=header)
        async with asyncio.timeout(timeout_s):
            return await future

    def _take_replies(self, items: list[type_raw]) -> None:
        for subject, _reply, header, payload in items:
            future = self._replies.pop(subject[subject.rfind(b".") + 1 :], None)
            if future is not None and not future.done():
                future.set_result((header, payload))


async def connect(
    url: str, *, name: str = "yuheng", timeout_s: float = 5.0, keepalive: Keepalive = Keepalive()
) -> Connection:
    """Connect to ``nats://[user:password@]host:port`` (or ``nats://token@host:port``).

    A server that falls silent later, with its socket open, ends the connection: see `Keepalive`.

    Raises
    ------
    WireError, OSError, TimeoutError
        Refused, unreachable, or silent for ``timeout_s``.
    """
    parts = urlparse(url if "://" in url else f"nats://{url}")
    credentials: dict[str, str] = {}
    if parts.password is not None:
        credentials = {"user": unquote(parts.username or ""), "pass": unquote(parts.password)}
    elif parts.username:
        credentials = {"auth_token": unquote(parts.username)}
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(timeout_s):
        _, connection = await loop.create_connection(
            lambda: Connection(credentials, name), parts.hostname or "127.0.0.1", parts.port or 4222
        )
        try:
            await connection.ready()
        except BaseException:  # cancelled too: nobody else holds it, and its socket would stay open
            connection.close()
            raise
    connection.keep_alive(keepalive)
    return connection


Connected = Callable[[Connection], Awaitable[None]]


async def keep_connected(url: str, use: Connected, *, name: str, on_lost: Callable[[str], None]) -> None:
    """Connect, run ``use`` once, wait until the connection is lost, begin again; back-off 50 ms to 2 s. For ever."""
    delay = 0.05
    while True:
        connection: Connection | None = None
        try:
            connection = await connect(url, name=name)
            await use(connection)
            delay = 0.05
            await connection.closed.wait()
            on_lost(connection.reason)
        except (WireError, OSError, TimeoutError) as error:
            on_lost(str(error) or type(error).__name__)
        finally:
            if connection is not None:
                connection.close()
        await asyncio.sleep(delay)
        delay = min(delay * 2, 2.0)
