"""``/live``: the stream of one browser, as a bare ASGI application."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import parse_qs

from starlette.types import Receive, Scope, Send

from yuheng.web.live.hub import HEARTBEAT_S, Hub, TooMany, UnknownTopic
from yuheng.web.live.streams import Client


@dataclass(frozen=True, slots=True)
class Grant:
    """What a token allows: sites (None: all), until when (s since the epoch), whose alarms and orders are seen."""

    sites: frozenset[int] | None
    expires_at: float
    alarm_sites: frozenset[int] | None = frozenset()
    order_sites: frozenset[int] | None = frozenset()


class BadToken(ValueError):
    """The token is forged, broken or has expired."""


class LiveStream:
    """Answers ``GET /live?token=…&topics=site:1,unit:17``."""

    def __init__(self, hub: Hub, read_token: Callable[[str], Grant], headers: list[tuple[bytes, bytes]]) -> None:
        self._hub = hub
        self._read_token = read_token
        self._headers = headers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one stream until the browser leaves, the token expires or the server stops."""
        query = parse_qs(scope["query_string"].decode("latin-1"))
        topics = [name for value in query.get("topics", []) for name in value.split(",") if name]
        try:
            grant = self._read_token(query.get("token", [""])[0])
            client = self._hub.open(
                topics,
                sites=grant.sites,
                expires_at=grant.expires_at,
                alarm_sites=grant.alarm_sites,
                order_sites=grant.order_sites,
            )
        except BadToken as error:
            return await self._refuse(send, 401, str(error))
        except UnknownTopic as error:
            return await self._refuse(send, 404, f"There is no topic {error} for you.")
        except TooMany as error:
            return await self._refuse(send, 503, str(error))
        try:
            await self._serve(client, receive, send)
        finally:
            self._hub.leave(client)

    async def _serve(self, client: Client, receive: Receive, send: Send) -> None:
        headers = [
            (b"content-type", b"text/event-stream; charset=utf-8"),
            (b"cache-control", b"no-store"),
            (b"x-accel-buffering", b"no"),
            *self._headers,
        ]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"retry: 1000\n\n", "more_body": True})
        async with asyncio.TaskGroup() as group:
            watching = group.create_task(_close_when_gone(receive, client))
            while not client.is_closed:
                data = await client.next_bytes(HEARTBEAT_S)
                if data:
                    await send({"type": "http.response.body", "body": data, "more_body": True})
            watching.cancel()
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _refuse(self, send: Send, status: int, sentence: str) -> None:
        headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"cache-control", b"no-store"), *self._headers]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": sentence.encode()})


async def _close_when_gone(receive: Receive, client: Client) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    client.close()
