"""Who holds the event loop: judged by what a callback does itself, never by how long a busy machine let it wait.

A callback holds the loop when it

* calls what blocks by name: ``time.sleep``, ``connect`` on a blocking socket, a look-up of a host's name;
* computes: CPU time of the thread;
* waits for anything else (a lock, a pipe, a foreign library): the time it was neither computing nor *ready to run*.
  Linux counts the latter for each thread in ``/proc/thread-self/schedstat``; where there is none only the first two
  are judged.

Time in which a callback was ready and a neighbour had the processor is nobody's fault and counts for nothing.
"""

from __future__ import annotations

import asyncio
import os
import socket
import sys
import threading
import time
from asyncio import events
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

LONGEST_S = 0.5
"""What a callback may compute and wait by itself; ours take a hundredth of it, a blocking call takes longer."""

BLOCKS_BY_NAME = {"time.sleep", "socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr"}


@dataclass(frozen=True, slots=True)
class Spell:
    """What one callback took, in seconds.

    Attributes
    ----------
    wall_s
        From beginning to end.
    cpu_s
        CPU time of its thread.
    ready_s
        Ready to run, while others had the processor; None where the system does not count it.
    """

    wall_s: float
    cpu_s: float
    ready_s: float | None

    @property
    def held_s(self) -> float:
        """Seconds that the callback took by its own doing."""
        return self.cpu_s if self.ready_s is None else max(self.cpu_s, self.wall_s - self.ready_s)


@dataclass(slots=True)
class LoopWatch:
    """What was found while watching; ``calls`` blocked by their name, ``spells`` by their length."""

    calls: list[str] = field(default_factory=list)
    spells: list[str] = field(default_factory=list)
    running: events.Handle | None = None
    thread: int = 0


_watch: LoopWatch | None = None
_hooked = False


@contextmanager
def watching() -> Iterator[LoopWatch]:
    """Judge every callback of the running loop, but those of the task that asks."""
    global _watch
    _install_hook()
    mine, original = asyncio.current_task(), events.Handle._run
    watch = LoopWatch(thread=threading.get_ident())
    with _schedstat() as file:

        def run(handle: events.Handle) -> None:
            if getattr(handle._callback, "__self__", None) is mine or threading.get_ident() != watch.thread:  # type: ignore[attr-defined]
                return original(handle)
            watch.running = handle
            began = time.perf_counter(), time.thread_time(), _ready_s(file)
            try:
                return original(handle)
            finally:
                watch.running = None
                ready_s = _ready_s(file)
                waited = None if ready_s is None or began[2] is None else ready_s - began[2]
                spell = Spell(time.perf_counter() - began[0], time.thread_time() - began[1], waited)
                if spell.held_s > LONGEST_S:
                    watch.spells.append(f"{_named(handle)} held the loop for {spell.held_s:.2f} s.")

        def sleep(seconds: float) -> None:
            _hear("time.sleep", (seconds,))
            true_sleep(seconds)

        true_sleep = time.sleep
        _watch = watch
        events.Handle._run = run  # type: ignore[assignment, method-assign]
        time.sleep = sleep  # type: ignore[assignment]  # it tells the audit hook nothing before Python 3.13
        try:
            yield watch
        finally:
            time.sleep = true_sleep
            events.Handle._run = original  # type: ignore[method-assign]
            _watch = None


@contextmanager
def _schedstat() -> Iterator[int | None]:
    """Open the scheduler's figures of this thread, or None where there are none."""
    file = None
    with suppress(OSError):
        file = os.open("/proc/thread-self/schedstat", os.O_RDONLY)
    try:
        yield file
    finally:
        if file is not None:
            os.close(file)


def _ready_s(file: int | None) -> float | None:
    """Return how long this thread has been ready without a processor, in seconds, since it was born."""
    if file is None:
        return None
    figures = os.pread(file, 100, 0).split()  # on a processor (ns), ready (ns), times it got one
    return int(figures[1]) / 1e9 if len(figures) == 3 else None


def _named(handle: events.Handle) -> str:
    """Return the task or the function behind a callback."""
    owner = getattr(handle._callback, "__self__", None)  # type: ignore[attr-defined]
    return repr(owner if isinstance(owner, asyncio.Task) else handle)


def _install_hook() -> None:
    global _hooked
    if not _hooked:
        sys.addaudithook(_hear)
        _hooked = True


def _hear(event: str, arguments: tuple[Any, ...]) -> None:
    """Note a call that blocks by its name, made inside a watched callback."""
    watch = _watch
    if watch is None or watch.running is None or event not in BLOCKS_BY_NAME:
        return
    if threading.get_ident() == watch.thread and _blocks(event, arguments):
        watch.calls.append(f"{_named(watch.running)} called {event}, which blocks.")


def _blocks(event: str, arguments: tuple[Any, ...]) -> bool:
    if event == "time.sleep":
        return float(arguments[0]) > 0  # sleep(0) only lets other threads have their turn
    if event == "socket.connect":
        given: socket.socket = arguments[0]
        return given.type == socket.SOCK_STREAM and given.gettimeout() != 0
    if event == "socket.getaddrinfo":
        return not _is_number(arguments[0])
    return True


def _is_number(host: Any) -> bool:
    """Return whether this is an address already; then nobody is asked."""
    text = host.decode("ascii", "replace") if isinstance(host, bytes) else host
    for family in (socket.AF_INET, socket.AF_INET6):
        with suppress(OSError, TypeError):
            socket.inet_pton(family, text)
            return True
    return text is None
