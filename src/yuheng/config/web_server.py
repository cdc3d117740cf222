"""The web process: static files, live streams and Django's pages and API in one asyncio server.

``/static/*`` and ``/live`` never touch Django's request handling; a slow page blocks neither.
"""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, cast

import django
import uvicorn
from asgiref.sync import sync_to_async
from django.core.handlers.asgi import ASGIHandler
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Mount, Route
from starlette.types import ASGIApp

from yuheng.bus.tls import ServerContext, TlsFiles, tls_files
from yuheng.config.environment import Environment
from yuheng.config.tls_door import HttpsOnly, TlsDoor
from yuheng.web.live.hub import Hub
from yuheng.web.live.nats_bus import NatsBus
from yuheng.web.live.stream import LiveStream
from yuheng.web.live_token import read_token
from yuheng.web.security import ASGI_HEADERS
from yuheng.web.static_server import static

GRACE_S = 2
"""How long requests under way may take after SIGTERM; streams are closed at once."""


class Pages(ASGIHandler):
    """Django's pages and API, from the first middleware to the view in one call on one thread.

    Django's own handler hands a request from the loop to a thread and back at every middleware; ours and every view
    are plain functions, so that is some twenty changes of thread a request, each of which waits for the processor.
    """

    def load_middleware(self, is_async: bool = False) -> None:
        """Build the chain of plain functions, whatever Django's handler asks for."""
        super().load_middleware(is_async=False)

    async def get_response_async(self, request: HttpRequest) -> HttpResponseBase:
        """Answer on the request's thread."""
        return await sync_to_async(self.get_response, thread_sensitive=True)(request)


def make_application(hub: Hub, run_hub: Callable[[], Any], pages: ASGIApp) -> Starlette:
    """Return the ASGI application; ``run_hub()`` is a coroutine that lives as long as the server."""

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        task = asyncio.create_task(run_hub(), name="live hub")
        task.add_done_callback(_stop_when_broken)
        yield
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task

    async def healthz(request: Request) -> JSONResponse:
        facts = {"status": "ok", "live_clients": hub.client_count}
        return JSONResponse(facts, headers={k.decode(): v.decode() for k, v in ASGI_HEADERS})

    return Starlette(
        lifespan=lifespan,
        routes=[
            Mount("/static", app=static),
            Route("/live", LiveStream(hub, read_token, ASGI_HEADERS), methods=["GET"]),
            Route("/healthz", healthz),
            Mount("/", app=pages),
        ],
    )


def _stop_when_broken(task: asyncio.Task[None]) -> None:
    """A hub that died of a fault must not leave pages without life: stop, the supervisor starts us again."""
    if not task.cancelled() and task.exception() is not None:
        task.get_loop().call_exception_handler({"message": "The live hub stopped.", "exception": task.exception()})
        os._exit(1)


def _say_ready() -> None:
    """Tell the supervisor, when there is one."""
    if ready_file := os.environ.get("YUHENG_READY_FILE", ""):
        Path(ready_file).write_text(str(os.getpid()))


class WebServer(uvicorn.Server):
    """Uvicorn that says when it is ready, and lets go of endless streams when it is asked to stop."""

    def __init__(
        self, config: uvicorn.Config, hub: Hub, when_ready: Callable[[], None], tls: TlsFiles | None = None
    ) -> None:
        super().__init__(config)
        self._hub = hub
        self._when_ready = when_ready
        self._tls = tls
        self._door: TlsDoor | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Open the port, then say so."""
        if self._tls is None:
            await super().startup(sockets)
        else:
            await super().startup(sockets=[])  # the server starts without a socket of its own; the door hands over
            host, port = self.config.host, self.config.port
            family = socket.AF_INET6 if ":" in host else socket.AF_INET
            listening = socket.create_server((host, port), family=family, backlog=self.config.backlog)
            self._door = TlsDoor(listening, ServerContext(self._tls), self._make_protocol)
            self._door.open()
        if self.started:
            await asyncio.to_thread(self._when_ready)

    def _make_protocol(self) -> asyncio.Protocol:
        """Return what `uvicorn.Server.startup` would make for a connection."""
        made: asyncio.Protocol = self.config.http_protocol_class(  # type: ignore[call-arg]
            config=self.config, server_state=self.server_state, app_state=self.lifespan.state
        )
        return made

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Close the streams first: they would never end by themselves."""
        if self._door is not None:
            self._door.close()
        self._hub.close()
        await super().shutdown(sockets)


def serve(environment: Environment) -> int:
    """Run until SIGTERM; return the exit code."""
    bus = NatsBus(environment.nats_url or "nats://127.0.0.1:4222")
    hub = Hub(bus)

    async def run_hub() -> None:
        try:
            await bus.connect()
            await hub.run()
        finally:
            await bus.close()

    tls = tls_files()
    application: ASGIApp = make_application(hub, run_hub, cast(ASGIApp, Pages()))
    config = uvicorn.Config(
        HttpsOnly(application, port=environment.web_port) if tls else application,
        host=environment.web_host,
        port=environment.web_port,
        loop="uvloop" if sys.platform != "win32" else "asyncio",
        http="httptools",
        ws="none",
        lifespan="on",
        access_log=False,
        log_level="warning",
        server_header=False,
        timeout_graceful_shutdown=GRACE_S,
    )
    server = WebServer(config, hub, _say_ready, tls)
    server.run()
    return 0 if server.started else 1


def main() -> int:
    """Start the web process: ``python -m yuheng.config.web_server``."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "yuheng.config.settings")
    django.setup()
    return serve(Environment.read())


if __name__ == "__main__":
    sys.exit(main())
