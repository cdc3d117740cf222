"""Keeps one process alive: start, readiness, end, back-off, start again."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from yuheng.config.supervisor.errors import CannotStart, StartFailed
from yuheng.config.supervisor.logs import RotatedLog, Tail
from yuheng.config.supervisor.service import Service, ServiceState, ServiceStatus, describe_exit

FIRST_PAUSE_S = 0.2
LONGEST_PAUSE_S = 30.0
HEALTHY_AFTER_S = 60.0
STILL_STARTING_EVERY_S = 15.0
_POLL_S = 0.05


class Keeper:
    """Runs one service until `stop`.

    Parameters
    ----------
    say
        Prints one plain line to the console.
    changed
        Called after every change of `status`.
    """

    def __init__(
        self, service: Service, *, logs: Path, say: Callable[[str], None], changed: Callable[[], None]
    ) -> None:
        self.service = service
        self.status = ServiceStatus()
        self.ready = asyncio.Event()
        self._tail = Tail(RotatedLog(logs / f"{service.name}.log"), on_line=service.on_line)
        self._say, self._changed = say, changed
        self._process: asyncio.subprocess.Process | None = None
        self._stopping = asyncio.Event()
        self._pause_s = FIRST_PAUSE_S
        self._task: asyncio.Task[None] | None = None

    def start(self) -> asyncio.Task[None]:
        """Begin; the task ends after `stop`, or with the error of a first start that cannot succeed."""
        self._task = asyncio.create_task(self._keep(), name=f"keep {self.service.name}")
        return self._task

    async def first_ready(self, *, attempts: int = 3) -> None:
        """Wait until it serves for the first time.

        Raises
        ------
        StartFailed
            It ended that many times before it served.
        """
        waiting = asyncio.create_task(self.ready.wait())
        try:
            while not self.ready.is_set():
                if self._task is not None and self._task.done():
                    self._task.result()
                    raise StartFailed(f"{self.service.name} was stopped while starting.")
                if self.status.restarts >= attempts:
                    raise StartFailed(self._why_not())
                await asyncio.wait({waiting}, timeout=_POLL_S)
        finally:
            waiting.cancel()

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the process itself, if it runs."""
        if self._process is not None and self._process.returncode is None:
            with suppress(ProcessLookupError):
                self._process.send_signal(number)

    def ask_to_stop(self) -> None:
        """Send the service's stop signal and start no more."""
        self._stopping.set()
        self.signal(self.service.stop_signal)

    def kill(self) -> None:
        """End the process and everything it started. Once it has ended its pid may be somebody else's."""
        if self._process is not None and self._process.returncode is None:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)

    async def stopped(self) -> None:
        """Wait until it has ended after `ask_to_stop`."""
        if self._task is not None:
            await asyncio.wait({self._task})

    async def _keep(self) -> None:
        try:
            while not self._stopping.is_set():
                await self._run_once()
                if not self._stopping.is_set():
                    await self._pause()
        finally:
            self.ready.clear()
            self._set(ServiceState.STOPPED, pid=None)
            self._tail.log.close()

    async def _run_once(self) -> None:
        started = time.monotonic()
        try:
            if self.service.prepare is not None:
                await asyncio.to_thread(self.service.prepare)
            self._process = await self._spawn()
        except (OSError, StartFailed) as error:
            self.status.last_exit, self.status.reason = "did not start", str(error)
            return
        reading = asyncio.create_task(self._tail.read(_output(self._process)))
        ending = asyncio.create_task(self._process.wait())
        self._set(ServiceState.STARTING, pid=self._process.pid)
        if self._stopping.is_set():  # asked to stop while it was being started
            self.signal(self.service.stop_signal)
        late = await self._become_ready(ending, started)
        code = await ending
        with suppress(TimeoutError):  # a grandchild may keep the pipe open
            await asyncio.wait_for(reading, timeout=1.0)
        self.ready.clear()
        self._pause_s = FIRST_PAUSE_S if time.monotonic() - started > HEALTHY_AFTER_S else self._pause_s
        self.status.last_exit = late or describe_exit(code)
        self.status.reason = self._tail.last() or None

    async def _spawn(self) -> asyncio.subprocess.Process:
        self._tail.lines.clear()
        return await asyncio.create_subprocess_exec(
            *self.service.command,
            env=dict(self.service.environment),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C in the terminal is for us; we decide the order of stopping
            preexec_fn=self.service.child_setup(),
        )

    async def _become_ready(self, ending: asyncio.Task[int], started: float) -> str:
        """Poll until ready or ended; return a text when it had to be killed for being late."""
        pid = self.status.pid or 0
        told = started
        while not ending.done():
            if await asyncio.to_thread(self.service.is_ready, pid):
                again = "again " if self.status.restarts else ""
                self._set(ServiceState.READY, pid=pid)
                self.ready.set()
                self._say(f"{self.service.name:<11} ready {again}in {time.monotonic() - started:.1f} s")
                return ""
            if time.monotonic() - started > self.service.start_timeout_s:
                self.kill()
                return f"killed: not ready after {self.service.start_timeout_s:.0f} s"
            if time.monotonic() - told > STILL_STARTING_EVERY_S:
                told = time.monotonic()
                self._say(f"{self.service.name:<11} still starting after {told - started:.0f} s: {self._tail.last(1)}")
            await asyncio.wait({ending}, timeout=_POLL_S)
        return ""

    async def _pause(self) -> None:
        self.status.restarts += 1
        self._set(ServiceState.WAITING, pid=None)
        self._say(f"{self.service.name:<11} ended: {self.status.last_exit}; starting again in {self._pause_s:.1f} s")
        with suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), timeout=self._pause_s)
        self._pause_s = min(LONGEST_PAUSE_S, self._pause_s * 2)

    def _set(self, state: ServiceState, *, pid: int | None) -> None:
        self.status.state, self.status.pid, self.status.since = state, pid, time.time()
        self._changed()

    def _why_not(self) -> str:
        reason = f" Its last words: {self.status.reason}" if self.status.reason else ""
        return f"{self.service.name} does not start ({self.status.last_exit}).{reason} See {self._tail.log.path}."


def _output(process: asyncio.subprocess.Process) -> asyncio.StreamReader:
    if process.stdout is None:
        raise CannotStart("A child without an output pipe cannot be watched.")
    return process.stdout
