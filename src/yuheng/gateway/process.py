"""The gateway process: configuration in, sessions running, HTTP door open, a line about its health each second."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import uvicorn

from yuheng.bus import subjects
from yuheng.bus.documents import Source
from yuheng.bus.messages import CommandOutcome, Health
from yuheng.bus.tls import ServerContext, tls_files
from yuheng.bus.wire import Connection, type_raw
from yuheng.gateway.browsing import BrowseAnswers
from yuheng.gateway.commands import CommandDesk, read_write_command
from yuheng.gateway.configuration import ConfigurationWatch, GatewayPlant
from yuheng.gateway.connector import CommandRefused, find_connectors
from yuheng.gateway.log import DurableLog
from yuheng.gateway.push import HttpDoor
from yuheng.gateway.sessions import Sessions, SourceContext, source_of_command

logger = logging.getLogger(__name__)

PROCESS = "gateway"


@dataclass(frozen=True, slots=True)
class GatewaySettings:
    """Addresses and places, from the environment (``config/environment.py`` lists the variables)."""

    nats_url: str
    host: str
    port: int
    data_dir: Path
    ready_file: str = ""

    @classmethod
    def read(cls) -> GatewaySettings:
        """Read the environment; loopback unless told otherwise."""
        return cls(
            nats_url=os.environ.get("NATS_URL") or "nats://127.0.0.1:4222",
            host=os.environ.get("YUHENG_HOST", "127.0.0.1"),
            port=int(os.environ.get("YUHENG_GATEWAY_PORT", "8080")),
            data_dir=Path(os.environ.get("YUHENG_DATA_DIR", "var")).absolute() / "gateway",
            ready_file=os.environ.get("YUHENG_READY_FILE", ""),
        )


class _Server(uvicorn.Server):
    """uvicorn without its own signal handlers: the process has one."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class Gateway:
    """Everything that runs in the process. `run` ends after `stop`."""

    def __init__(self, settings: GatewaySettings) -> None:
        self._settings = settings
        self.log = DurableLog(settings.nats_url)
        self.door = HttpDoor(lambda: self.log.why_closed)
        self.sessions = Sessions(self._make_context, find_connectors())
        self.desk = CommandDesk(self.sessions.find_write, self._report, _now_us)
        self.answers = BrowseAnswers(self.sessions.browse)
        self._watch = ConfigurationWatch(self._configure, self.sessions.needs_tags)
        self._plants: asyncio.Queue[GatewayPlant] = asyncio.Queue(1)  # policy: newest only
        self._commands: asyncio.Queue[tuple[int, bytes]] = asyncio.Queue(1000)  # policy: drop the newest, counted
        self._dropped_commands = 0
        self._stopping = asyncio.Event()
        files = tls_files()
        self._tls = ServerContext(files) if files is not None else None
        self._server = self._make_server()
        self.port = settings.port

    def _make_server(self) -> _Server:
        config = uvicorn.Config(
            self.door,
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=1,
            limit_concurrency=2000,
            h11_max_incomplete_event_size=64 * 1024,
        )
        config.load()
        if self._tls is not None:
            config.ssl = self._tls.context
        return _Server(config)

    def stop(self) -> None:
        """Ask the process to end; at most two seconds."""
        self._stopping.set()

    async def run(self) -> None:
        """Run until `stop`. Raises `OSError` when the port is taken."""
        door_socket = socket.create_server((self._settings.host, self._settings.port), backlog=512, reuse_port=False)
        self.port = door_socket.getsockname()[1]
        self.log.on_connect(self._watch.follow)
        self.log.on_connect(self._listen)
        async with asyncio.TaskGroup() as group:
            serving = group.create_task(self._server.serve([door_socket]))
            tasks = [
                group.create_task(work)
                for work in (self.log.run(), self._follow(), self._carry_out(), self._tell_health(), self._say_ready())
            ]
            await self._stopping.wait()
            self._server.should_exit = True
            await self.desk.stop()
            await self.sessions.stop()
            await serving
            for task in tasks:
                task.cancel()
        door_socket.close()

    # ---- configuration and commands -------------------------------------------------------------------------

    def _make_context(self, source: Source) -> SourceContext:
        return SourceContext(source, self.log, self.door, self._settings.data_dir)

    def _configure(self, plant: GatewayPlant) -> None:
        if self._plants.full():
            self._plants.get_nowait()
        self._plants.put_nowait(plant)

    async def _follow(self) -> None:
        while True:
            plant = await self._plants.get()
            pushed = (
                source.code for source in plant.sources if source.is_enabled and self.sessions.is_pushed_to(source)
            )
            self.door.set_devices(plant.devices, (source.code for source in plant.sources), pushed)
            await self.sessions.follow(plant.sources, plant.addresses)
            logger.info("configuration %d: %d sources", plant.version, len(plant.sources))

    async def _listen(self, connection: Connection) -> None:
        connection.subscribe("yh.cmd.*", lambda items: self._commanded(connection, items))
        connection.subscribe("yh.browse.*", lambda items: self.answers.asked(connection, items))

    def _commanded(self, connection: Connection, items: list[type_raw]) -> None:
        for subject, reply, _, payload in items:
            source_id = source_of_command(subject)
            if source_id is None:
                continue
            write = read_write_command(payload)
            if write is not None:
                answer = self.desk.take(source_id, write)
                if reply:
                    connection.publish(reply, msgspec.json.encode(answer))
            elif self._commands.full():
                self._dropped_commands += 1
            else:
                self._commands.put_nowait((source_id, payload))

    async def _carry_out(self) -> None:
        while True:
            source_id, payload = await self._commands.get()
            try:
                logger.info("source %d: %s", source_id, await self.sessions.carry_out(source_id, payload))
            except CommandRefused as refused:
                logger.warning("source %d: command refused: %s", source_id, refused)
            except Exception:
                logger.exception("source %d: command failed", source_id)

    async def _report(self, source_id: int, outcome: CommandOutcome) -> None:
        """Keep what became of a command; logged without its value, which may be nobody's business."""
        logger.info("source %d: command %s: %s: %s", source_id, outcome.id, outcome.state, outcome.sentence)
        await self.log.append(subjects.command_event(source_id), msgspec.json.encode(outcome), {})

    # ---- health ---------------------------------------------------------------------------------------------

    def facts(self) -> dict[str, Any]:
        """Return what the health line says; see ``docs/connectors/index.md``."""
        return {
            "log": {
                "is_up": self.log.is_up,
                "reason": self.log.reason,
                "appended": self.log.appended,
                "retried": self.log.retried,
                "in_flight": self.log.in_flight,
            },
            "http": {"port": self.port, "taken": self.door.taken, "refused": dict(self.door.refused)},
            "configuration": {"version": self._watch.version, "complaint": self._watch.complaint},
            "commands": {"dropped": self._dropped_commands, **self.desk.counts},
            "sessions": self.sessions.health(),
        }

    async def _tell_health(self) -> None:
        while True:
            if self._tls is not None:
                self._tls.follow()
            health = Health(PROCESS, _now_us(), self.facts())
            await self.log.publish(subjects.live_health(PROCESS), msgspec.json.encode(health))
            await asyncio.sleep(1)

    async def _say_ready(self) -> None:
        """Write the pid once the log has been reached for the first time; the door's socket is open by then."""
        await self.log.wait_until_up()
        if self._settings.ready_file:
            _write_pid(self._settings.ready_file)


def _now_us() -> int:
    return time.time_ns() // 1000


def _write_pid(path: str) -> None:
    Path(path).write_text(str(os.getpid()), encoding="ascii")


async def serve(settings: GatewaySettings) -> None:
    """Run a gateway until SIGTERM or SIGINT."""
    gateway = Gateway(settings)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        with suppress(NotImplementedError):
            loop.add_signal_handler(number, gateway.stop)
    await gateway.run()
