"""A lean NATS client for the hot path: big reads, a parser of about a microsecond a message, a pull reader of a stream.

`nats-py` spends about 30 microseconds a message, mostly on one task wake-up and one object each. Here a read from the
socket becomes one list of tuples a subscription and one call. Everything else (buckets, rare requests) may use nats-py.

Loss rules of `LogReader`:

1. A session is *connect, recover, stream*. After a restart nats-server delivers new messages before it redelivers old
   unacknowledged ones, and acknowledging a new one with ack-all would acknowledge the old ones unseen. So what was
   delivered but not acknowledged is fetched by sequence first.
2. Messages are handed on in stream order without a hole. A hole is fetched by sequence; what is gone is counted.
3. When the receiver is full (`pause`), nothing more is asked for: the log holds it. Policy: *hold the log*.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple, cast
from urllib.parse import unquote, urlparse

CRLF = b"\r\n"
_HMSG, _MSG = b"HM"

type_raw = tuple[bytes, bytes, bytes, bytes]
"""One message off the wire: subject, reply, raw header block (empty without), payload."""

Handler = Callable[[list[type_raw]], None]


class WireError(Exception):
    """The connection is gone or the server refused; the message says why."""


class LogMessage(NamedTuple):
    """One stored message."""

    sequence: int
    arrived_us: int
    subject: bytes
    header: bytes
    payload: bytes


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
        self._replies[token.encode()] = future
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


async def connect(url: str, *, name: str = "yuheng", timeout_s: float = 5.0) -> Connection:
    """Connect to ``nats://[user:password@]host:port`` (or ``nats://token@host:port``).

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
        await connection.ready()
    return connection


@dataclass(frozen=True, slots=True)
class PullLimits:
    """How much is asked for at a time: at most two requests are open, so twice this may still arrive after `pause`."""

    batch: int = 1000
    max_bytes: int = 24_000_000  # above nats-server's max_payload (16 MB), or a large message would never fit
    expires_s: float = 30.0
    fetch_window: int = 256


@dataclass(slots=True)
class Tally:
    """What a reader saw since it was made."""

    messages: int = 0
    bytes: int = 0
    redelivered: int = 0  # skipped: already handed on in this session
    recovered: int = 0  # fetched by sequence after a restart
    refetched: int = 0  # fetched by sequence because of a hole
    missing: int = 0  # no longer in the stream


Deliver = Callable[["LogReader", list[LogMessage]], None]


class LogReader:
    """Reads one durable ack-all pull consumer in stream order, without holes, for the life of one connection.

    ``deliver(reader, messages)`` is called on the loop; it must not block long. When everything up to a sequence is
    safe, call `acknowledge`.
    """

    def __init__(
        self,
        connection: Connection,
        stream: str,
        durable: str,
        deliver: Deliver,
        limits: PullLimits = PullLimits(),
        tally: Tally | None = None,
    ) -> None:
        self.stream = stream
        self.tally = tally or Tally()
        self.pending = 0  # messages in the stream that were not delivered yet, as of the newest delivery
        self.last = 0  # newest sequence handed on
        self._connection = connection
        self._durable = durable
        self._deliver = deliver
        self._limits = limits
        self._paused = False
        self._streaming = False
        self._outstanding = 0
        self._asked_at = 0.0
        self._inbox = f"_YHPULL.{os.urandom(8).hex()}"
        self._replies: dict[int, bytes] = {}
        self._acknowledged = 0
        self._stash: list[tuple[LogMessage, bytes]] | None = None
        self._gap_task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Recover what was delivered but not acknowledged, then stream. Raises `WireError` or `TimeoutError`."""
        info = await self._consumer_info()
        floor, delivered = info["ack_floor"], info["delivered"]
        first, last = int(floor["stream_seq"]) + 1, int(delivered["stream_seq"])
        self.pending = int(info.get("num_pending", 0))
        self.last = first - 1
        reply = f"$JS.ACK.{self.stream}.{self._durable}.1.{last}.{delivered['consumer_seq']}.0.0".encode()
        await self._fetch_range(first, last, self._recovered)
        if last >= first:
            self._replies[last] = reply
        self.last = max(self.last, last)
        self._connection.subscribe(self._inbox, self._take)
        self._streaming = True
        self._top_up()

    def pause(self) -> None:
        """Ask for nothing more; what is already under way (two requests at most) still arrives."""
        self._paused = True

    def resume(self) -> None:
        """Ask again."""
        if self._paused:
            self._paused = False
            self._top_up()

    @property
    def is_paused(self) -> bool:
        """Whether the log is being held."""
        return self._paused

    def acknowledge(self, sequence: int) -> None:
        """Everything up to ``sequence`` is safe: tell the server, at the newest reply address not beyond it."""
        best = max((known for known in self._replies if known <= sequence), default=0)
        if best == 0 or self._connection.closed.is_set():
            return
        self._connection.publish(self._replies[best], b"+ACK")
        self._acknowledged = best
        self._replies = {known: reply for known, reply in self._replies.items() if known > best}

    def check(self, now: float) -> None:
        """Ask again when requests were lost; call it once a second with the loop's time."""
        if self._streaming and now - self._asked_at > self._limits.expires_s + 2:
            self._outstanding = 0
            self._top_up()

    async def close(self) -> None:
        """Stop; the connection stays."""
        self._streaming = False
        if self._gap_task is not None:
            self._gap_task.cancel()
            with suppress(asyncio.CancelledError, Exception):
                await self._gap_task

    # ---- pulling ------------------------------------------------------------------------------------------------

    def _top_up(self) -> None:
        """Keep one request ahead, so that the server never waits for us."""
        if self._paused or not self._streaming or self._connection.closed.is_set():
            return
        while self._outstanding <= self._limits.batch // 2:
            body = {
                "batch": self._limits.batch,
                "max_bytes": self._limits.max_bytes,
                "expires": int(self._limits.expires_s * 1e9),
            }
            subject = f"$JS.API.CONSUMER.MSG.NEXT.{self.stream}.{self._durable}"
            self._connection.publish(subject, json.dumps(body).encode(), reply=self._inbox)
            self._outstanding += self._limits.batch
            self._asked_at = asyncio.get_running_loop().time()

    def _take(self, items: list[type_raw]) -> None:
        """Sort a read into messages and statuses; hand the messages on in order."""
        fresh: list[tuple[LogMessage, bytes]] = []
        for subject, reply, header, payload in items:
            if not reply:
                self._take_status(header)
                continue
            words = reply.split(b".")
            # $JS.ACK.stream.consumer.delivered.sequence.consumer_seq.time.pending; with a domain: two more before
            # the stream's name, and possibly a token after
            at = 5 if len(words) == 9 else 7
            message = LogMessage(int(words[at]), int(words[at + 2]) // 1000, subject, header, payload)
            self.pending = int(words[at + 3])
            self._outstanding -= 1
            fresh.append((message, reply))
        if fresh:
            self._order(fresh)
        self._top_up()

    def _take_status(self, header: bytes) -> None:
        """A request ended early: what it still owed will not come."""
        left = header_value(header, "Nats-Pending-Messages")
        if left is not None:
            self._outstanding = max(0, self._outstanding - int(left))
        elif header[9:12] in (b"404", b"408", b"409"):
            self._outstanding = max(0, self._outstanding - self._limits.batch)

    def _order(self, fresh: list[tuple[LogMessage, bytes]]) -> None:
        """Hand on what continues the sequence; skip what was seen; fetch holes."""
        if self._stash is not None:
            self._stash.extend(fresh)
            return
        ready: list[LogMessage] = []
        last = self.last
        reply = b""
        for index, (message, address) in enumerate(fresh):
            sequence = message.sequence
            if sequence == last + 1:
                ready.append(message)
                last, reply = sequence, address
            elif sequence <= last:
                self.tally.redelivered += 1
            else:
                self._stash = fresh[index:]
                self._gap_task = asyncio.get_running_loop().create_task(self._fill_gap(last + 1, sequence - 1))
                break
        self._hand_on(ready, reply)

    def _hand_on(self, messages: list[LogMessage], reply: bytes) -> None:
        if not messages:
            return
        self.last = messages[-1].sequence
        self.tally.messages += len(messages)
        self.tally.bytes += sum(len(message.payload) for message in messages)
        if reply:
            self._replies[self.last] = reply
        self._deliver(self, messages)

    async def _fill_gap(self, first: int, last: int) -> None:
        """Fetch a hole, then go on with what waited behind it."""
        try:
            await self._fetch_range(first, last, self._refetched)
        except (WireError, TimeoutError) as error:
            # Without the hole nothing behind it may be handed on: give up the session, the next one recovers it.
            self._connection.reason = f"Could not fetch messages {first}..{last} of {self.stream} again: {error}"
            self._connection.close()
            return
        self.last = max(self.last, last)
        waiting, self._stash = self._stash or [], None
        self._order(waiting)
        self._top_up()

    def _recovered(self, messages: list[LogMessage]) -> None:
        self.tally.recovered += len(messages)
        self._hand_on(messages, b"")

    def _refetched(self, messages: list[LogMessage]) -> None:
        self.tally.refetched += len(messages)
        self._hand_on(messages, b"")

    # ---- fetching by sequence -------------------------------------------------------------------------------------

    async def _consumer_info(self) -> dict[str, Any]:
        _, payload = await self._connection.request(f"$JS.API.CONSUMER.INFO.{self.stream}.{self._durable}", b"")
        info: dict[str, Any] = json.loads(payload or b"{}")
        if "error" in info or "delivered" not in info:
            why = info.get("error", {}).get("description", "JetStream does not answer")
            raise WireError(f"No durable consumer {self._durable} on {self.stream}: {why}.")
        return info

    async def _fetch_range(self, first: int, last: int, take: Callable[[list[LogMessage]], None]) -> None:
        """Fetch ``[first, last]`` in windows of pipelined requests, in order; skip holes in one step."""
        at = first
        while at <= last:
            window = range(at, min(at + self._limits.fetch_window, last + 1))
            found = [m for m in await asyncio.gather(*(self._fetch(s) for s in window)) if m is not None]
            self.tally.missing += len(window) - len(found)
            if found:
                take(found)
            at = window.stop
            if not found and at <= last:
                following = await self._fetch(at, or_next=True)
                skip_to = last + 1 if following is None else min(following.sequence, last + 1)
                self.tally.missing += skip_to - at
                at = skip_to
            await self._wait_while_paused()

    async def _wait_while_paused(self) -> None:
        while self._paused and not self._connection.closed.is_set():
            with suppress(TimeoutError):
                async with asyncio.timeout(0.05):
                    await self._connection.closed.wait()
        if self._connection.closed.is_set():
            raise WireError(self._connection.reason)

    async def _fetch(self, sequence: int, *, or_next: bool = False) -> LogMessage | None:
        question: dict[str, Any] = {"seq": sequence}
        if or_next:
            question["next_by_subj"] = ">"
        _, payload = await self._connection.request(
            f"$JS.API.STREAM.MSG.GET.{self.stream}", json.dumps(question).encode(), timeout_s=20.0
        )
        answer = json.loads(payload or b"{}")
        if "error" in answer or "message" not in answer:
            if answer.get("error", {}).get("code") == 404:
                return None
            raise WireError(f"{self.stream} does not give message {sequence}: {answer.get('error', 'no answer')}")
        stored = answer["message"]
        return LogMessage(
            int(stored["seq"]),
            _rfc3339_us(stored["time"]),
            stored["subject"].encode(),
            base64.b64decode(stored.get("hdrs", "")),
            base64.b64decode(stored.get("data", "")),
        )


def _rfc3339_us(text: str) -> int:
    """Return microseconds since 1970 of nats-server's UTC time stamps, truncated like the ones in reply subjects.

    Examples
    --------
    >>> _rfc3339_us("2026-11-23T09:25:01.123456789Z")
    1795425901123456
    >>> _rfc3339_us("2026-11-23T09:25:01Z")
    1795425901000000
    """
    whole, _, fraction = text.rstrip("Z").partition(".")
    seconds = int(datetime.fromisoformat(whole).replace(tzinfo=UTC).timestamp())
    return seconds * 1_000_000 + int((fraction + "000000")[:6])


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
