"""Reads a durable log in order, without holes, over the lean connection of `wire`.

Loss rules:

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
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple

from yuheng.bus.wire import Connection, WireError, header_value, type_raw

FIRST_WINDOW = 2
WINDOW_BYTES = 32_000_000
"""Messages fetched by sequence at once, about; nats-server keeps 128 MB for us, in which they are a third larger."""


class LogMessage(NamedTuple):
    """One stored message."""

    sequence: int
    arrived_us: int
    subject: bytes
    header: bytes
    payload: bytes


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
        if self._stash is not None:  # a hole is being fetched: what waits behind it must not grow meanwhile
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
        """A request ended early: what it still owed will not come.

        A consumer or stream that is gone ends the session: one made anew counts from the beginning, and its messages
        would pass for ones already seen.
        """
        status = header[9 : header.find(b"\r")]
        if status.startswith(b"503") or status.startswith(b"409 Consumer Deleted"):
            self._give_up(f"The reader {self._durable} of {self.stream} is gone from the server.")
            return
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
            self._give_up(f"Could not fetch messages {first}..{last} of {self.stream} again: {error}")
            return
        self.last = max(self.last, last)
        waiting, self._stash = self._stash or [], None
        self._order(waiting)
        self._top_up()

    def _give_up(self, reason: str) -> None:
        self._streaming = False
        self._connection.reason = reason
        self._connection.close()

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
        """Fetch ``[first, last]`` in windows of pipelined requests, in order; skip holes in one step.

        A window is as wide as the largest message of the one before allows: many large answers at once are more than
        the server keeps for a client that reads, and it would cut us off again and again.
        """
        at = first
        width = FIRST_WINDOW
        while at <= last:
            window = range(at, min(at + width, last + 1))
            found = [m for m in await asyncio.gather(*(self._fetch(s) for s in window)) if m is not None]
            largest = max((len(message.payload) for message in found), default=0)
            width = max(1, min(2 * width, self._limits.fetch_window, WINDOW_BYTES // (largest + 1)))
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
