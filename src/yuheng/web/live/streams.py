"""Browsers and what they listen to: topics encode once, and hand the same bytes to every client."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable

import msgspec

from yuheng.bus.messages import UnitLive, ValueLive

QUEUE_FRAMES = 64
"""Frames waiting for one browser. Overflow policy: drop them all and send a fresh snapshot instead."""

_encoder = msgspec.json.Encoder()


class SiteFrame(msgspec.Struct, frozen=True):
    """States of a site. ``now_us`` is this server's clock, ``data_us`` the newest source time received."""

    topic: str
    now_us: int
    data_us: int
    trouble: str  # "", "no_broker" or "no_historian": why nothing newer comes
    units: list[UnitLive] = []


class ValuesFrame(msgspec.Struct, frozen=True):
    """Latest values of a few tags.

    ``heard``: source id -> until when it is known to be there, see `yuheng.web.freshness`; only for an opened unit.
    """

    topic: str
    now_us: int
    values: list[ValueLive]
    heard: dict[str, int] = {}


def frame(event: str, body: SiteFrame | ValuesFrame, event_id: str) -> bytes:
    """Return one server-sent event."""
    return encoded(event, body, event_id)


def encoded(event: str, body: msgspec.Struct, event_id: str) -> bytes:
    """Return one server-sent event with any body."""
    return b"id: %s\nevent: %s\ndata: %s\n\n" % (event_id.encode(), event.encode(), _encoder.encode(body))


class Client:
    """One browser's stream. Bounded: a browser that does not read gets a fresh snapshot when it does."""

    def __init__(self, topics: Iterable[Topic], *, expires_at: float) -> None:
        self.topics = tuple(topics)
        self.expires_at = expires_at
        self.dropped = 0
        self.is_closed = False
        self.needs_snapshot = True
        self._frames: deque[bytes] = deque()
        self._woken = asyncio.Event()
        self._woken.set()

    def push(self, data: bytes) -> None:
        """Queue a frame; on overflow forget the queue and ask for a snapshot."""
        if self.needs_snapshot:
            return  # the snapshot that is about to be made holds it
        if len(self._frames) >= QUEUE_FRAMES:
            self.dropped += len(self._frames) + 1
            self.refresh()
            return
        self._frames.append(data)
        self._woken.set()

    def refresh(self) -> None:
        """Replace what waits by a fresh snapshot."""
        self._frames.clear()
        self.needs_snapshot = True
        self._woken.set()

    def close(self) -> None:
        """End the stream."""
        self.is_closed = True
        self._woken.set()

    async def next_bytes(self, heartbeat_s: float) -> bytes:
        """Return what to send next, everything waiting at once; a comment when nothing happens for a while."""
        try:
            async with asyncio.timeout(heartbeat_s):
                await self._woken.wait()
        except TimeoutError:
            return b": alive\n\n"
        self._woken.clear()
        if self.needs_snapshot:
            self.needs_snapshot = False
            return b"".join(topic.snapshot() for topic in self.topics)
        data = b"".join(self._frames)
        self._frames.clear()
        return data


class Topic:
    """Something browsers listen to. Subclasses say what a snapshot and a change are."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.clients: set[Client] = set()

    def snapshot(self) -> bytes:
        """Return the whole as one event."""
        raise NotImplementedError

    def send(self, data: bytes) -> None:
        """Hand the same bytes to every client."""
        for client in self.clients:
            client.push(data)
