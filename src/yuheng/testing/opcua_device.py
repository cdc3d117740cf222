"""OPC UA for tests: a server process at the end of a line that can be cut."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

from yuheng.config.supervisor.ports import free_port
from yuheng.testing.opcua_server import URI


class Line:
    """A TCP line to a port; it can be cut while both ends live, and mended."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self.port = free_port()

    async def mend(self) -> None:
        """Let connections through."""
        if self._server is None:
            self._server = await asyncio.start_server(self._connected, "127.0.0.1", self.port)

    async def cut(self) -> None:
        """Break all connections and refuse new ones."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for writer in self._writers:
            writer.transport.abort()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self._writers.add(writer)
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._target)
            self._writers.add(far_writer)
            try:
                async with asyncio.TaskGroup() as group:
                    group.create_task(_copy(reader, far_writer))
                    group.create_task(_copy(far_reader, writer))
            finally:
                far_writer.transport.abort()
                self._writers.discard(far_writer)
        except (OSError, asyncio.CancelledError, ExceptionGroup):
            pass
        finally:
            writer.transport.abort()
            self._writers.discard(writer)
            self._tasks.discard(task)


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    raise ConnectionResetError


class OpcUaServer:
    """A server process. ``options`` as `testing.opcua_server` takes them. It outlives the loop that started it."""

    def __init__(self, **options: Any) -> None:
        self.options = {"port": free_port(), **options}
        self.line = Line(self.options["port"])
        self._process: subprocess.Popen[bytes] | None = None
        self._turn = asyncio.Lock()

    @property
    def url(self) -> str:
        """Where clients connect: the near end of the line."""
        return f"opc.tcp://127.0.0.1:{self.line.port}"

    async def start(self) -> None:
        """Start the process and wait until it serves; mend the line."""
        await asyncio.to_thread(self.launch)
        await self.line.mend()

    def launch(self) -> None:
        """Start the process and wait until it serves."""
        command = [sys.executable, "-m", "yuheng.testing.opcua_server", json.dumps(self.options)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line.strip() == b'"ready"', f"The OPC UA server did not start: {line!r}"

    async def kill(self) -> None:
        """End the process at once, without a word to anybody."""
        await asyncio.to_thread(self.end)

    def end(self) -> None:
        """End the process at once."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout):
                assert pipe is not None
                with suppress(BrokenPipeError):
                    pipe.close()

    async def stop(self) -> None:
        """Cut the line and end the process."""
        await self.line.cut()
        await self.kill()

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[OpcUaServer]:
        """Lay a new line to a process that runs already; on exit it is cut, and what clients left is dropped."""
        self.line, self._turn = Line(self.options["port"]), asyncio.Lock()
        await self.line.mend()
        try:
            yield self
        finally:
            await self.line.cut()
            await self.do("end_subscriptions")

    async def do(self, what: str, **arguments: Any) -> Any:
        """Tell the server something and return its answer."""
        async with self._turn:
            answer = await asyncio.to_thread(self._ask, json.dumps({"do": what, **arguments}).encode() + b"\n")
        assert "error" not in answer, answer["error"]
        return answer["found"]

    def _ask(self, line: bytes) -> Any:
        process = self._process
        assert process is not None
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(line)
        process.stdin.flush()
        return json.loads(process.stdout.readline())


def address(name: str) -> str:
    """Return the address of a test server's node."""
    return f"nsu={URI};s={name}"


class FakeOpcUaDevice:
    """`connector_suite.FakeDevice` around a real server."""

    def __init__(self, server: OpcUaServer) -> None:
        self.server = server

    async def send(self, value: int, count: int = 1) -> None:
        """Write values to the node ``n``; the server queues each."""
        await self.server.do("write", name="n", values=[float(value + at) for at in range(count)])

    async def send_malformed(self) -> None:
        """Write what is no number in the sense of IEEE 754: it can be sent, and can be no value of a tag."""
        await self.server.do("write", name="n", values=[float("nan")])

    async def send_many_tags(self, count: int) -> None:
        """Have one value at each of so many nodes."""
        for start in range(0, count, 1000):
            await self.server.do("add", nodes={f"tag{at}": 1.5 for at in range(start, min(start + 1000, count))})

    async def read(self) -> Any:
        """Return what the server holds at the node ``n``."""
        return await self.server.do("read", name="n")

    async def go_away(self) -> None:
        """Cut the line; the server keeps the session and its queues."""
        await self.server.line.cut()

    async def come_back(self) -> None:
        """Mend the line."""
        await self.server.line.mend()
