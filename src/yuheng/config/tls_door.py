"""One port for HTTPS and for whoever comes without it: the first byte tells which, and plain HTTP is sent on.

A TLS client begins with a handshake record (0x16); no HTTP request does. So a person who types the address without
``https://`` is led to the right one, and a tablet that does not trust us yet can fetch the authority.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, MutableMapping
from contextlib import suppress
from typing import Any

from starlette.responses import PlainTextResponse, RedirectResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from yuheng.bus.tls import ServerContext

_HANDSHAKE = b"\x16"
FIRST_BYTE_WITHIN_S = 20.0
HANDSHAKE_WITHIN_S = 20.0
WAITING = 512
"""Connections that have not said a byte. Policy when there are more: close the newest."""
OPEN_PLAINLY = ("/ca", "/ca.crt", "/static/")
"""What plain HTTP gets: the authority to trust, and what its page needs. Nothing else, and no cookie."""


class TlsDoor:
    """Listens on a socket and gives each connection to a protocol of the web server."""

    def __init__(
        self, listening: socket.socket, context: ServerContext, make_protocol: Callable[[], asyncio.Protocol]
    ) -> None:
        self._socket = listening
        self._context = context
        self._make_protocol = make_protocol
        self._tasks: set[asyncio.Task[None]] = set()
        self._accepting: asyncio.Task[None] | None = None

    def open(self) -> None:
        """Begin to accept."""
        self._socket.setblocking(False)
        self._accepting = asyncio.get_running_loop().create_task(self._accept(), name="TLS door")

    def close(self) -> None:
        """Accept no more; connections under way belong to the server."""
        if self._accepting is not None:
            self._accepting.cancel()
        for task in self._tasks:
            task.cancel()
        self._socket.close()

    async def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                connection, _ = await loop.sock_accept(self._socket)
            except OSError:  # too many open files, or a client that left at once
                await asyncio.sleep(0.05)
                continue
            if len(self._tasks) >= WAITING:
                connection.close()
                continue
            task = loop.create_task(self._greet(connection))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _greet(self, connection: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        try:
            connection.setblocking(False)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            async with asyncio.timeout(FIRST_BYTE_WITHIN_S):
                first = await _peek(connection)
            if first == _HANDSHAKE:
                self._context.follow()
                await loop.connect_accepted_socket(
                    self._make_protocol,
                    connection,
                    ssl=self._context.context,
                    ssl_handshake_timeout=HANDSHAKE_WITHIN_S,
                )
            elif first:
                await loop.connect_accepted_socket(self._make_protocol, connection)
            else:
                connection.close()
        except (OSError, TimeoutError):  # ssl.SSLError is an OSError: whoever does not trust us hangs up
            connection.close()
        except BaseException:
            connection.close()
            raise


async def _peek(connection: socket.socket) -> bytes:
    """Return the first byte without taking it; empty when the other side has closed."""
    loop = asyncio.get_running_loop()
    while True:
        with suppress(BlockingIOError):
            return connection.recv(1, socket.MSG_PEEK)
        readable: asyncio.Future[None] = loop.create_future()
        loop.add_reader(connection, _done, readable)
        try:
            await readable
        finally:
            loop.remove_reader(connection)


def _done(readable: asyncio.Future[None]) -> None:
    if not readable.done():
        readable.set_result(None)


class HttpsOnly:
    """Sends plain HTTP to the same address with HTTPS, except for `OPEN_PLAINLY`."""

    def __init__(self, app: ASGIApp, *, port: int) -> None:
        self._app = app
        self._port = port

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve, or send on."""
        if scope["type"] != "http" or scope.get("scheme") == "https" or _is_open(scope):
            await self._app(scope, receive, send)
            return
        host = next((value for name, value in scope["headers"] if name == b"host"), b"").decode("latin-1")
        if scope["method"] not in {"GET", "HEAD"}:
            # Sent on, it would be sent again, and what it says was readable on the way already.
            refusal = PlainTextResponse("This installation is reached with https:// only.\n", status_code=403)
            await refusal(scope, receive, send)
            return
        query = f"?{scope['query_string'].decode('latin-1')}" if scope.get("query_string") else ""
        target = f"https://{host or f'localhost:{self._port}'}{scope.get('raw_path', b'/').decode('latin-1')}{query}"
        await RedirectResponse(target, status_code=308)(scope, receive, send)


def _is_open(scope: MutableMapping[str, Any]) -> bool:
    path = str(scope["path"])
    return scope["method"] in {"GET", "HEAD"} and any(
        path == one or (one.endswith("/") and path.startswith(one)) for one in OPEN_PLAINLY
    )
