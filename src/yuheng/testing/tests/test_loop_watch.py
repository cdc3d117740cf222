"""Check 5 of the connector suite finds whoever blocks, and nobody else, however busy the machine is."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from yuheng.bus.messages import SampleBatch
from yuheng.engines.points import Quality
from yuheng.gateway.connector import Kind, Manifest, State
from yuheng.testing.connector_suite import Bench, never_blocks_the_loop
from yuheng.testing.loop_watch import LONGEST_S, Spell, watching


class Machine:
    """Has a queue of values."""

    def __init__(self) -> None:
        self.values: asyncio.Queue[int] = asyncio.Queue()

    async def send(self, value: int, count: int = 1) -> None:
        for number in range(value, value + count):
            self.values.put_nowait(number)


class Reader:
    """A session that does something between taking a value and keeping it."""

    def __init__(self, machine: Machine, context: Any, between: Callable[[int], None]) -> None:
        self.machine, self.context, self.between = machine, context, between

    async def run(self) -> None:
        self.context.set_health(State.CONNECTED, "Reading.")
        while True:
            value = await self.machine.values.get()
            self.between(value)
            batch = SampleBatch(["n"], [self.context.now_us()], [float(value)], [int(Quality.GOOD)])
            await self.context.emit_samples(batch)


class Connector:
    manifest = Manifest("queue", "队列", "Queue", "1", {"type": "object"}, frozenset(Kind))

    def __init__(self, machine: Machine, between: Callable[[int], None]) -> None:
        self.machine, self.between = machine, between

    @asynccontextmanager
    async def open(self, config: Mapping[str, Any], context: Any) -> AsyncIterator[Reader]:
        yield Reader(self.machine, context, self.between)


async def judge(between: Callable[[int], None], tmp_path: Path) -> None:
    machine = Machine()
    await never_blocks_the_loop(Bench(Connector(machine, between), {}, machine, tmp_path))  # type: ignore[arg-type]


def computes(seconds: float) -> None:
    began = time.thread_time()
    while time.thread_time() - began < seconds:
        pass


def now_and_then(act: Callable[[], object]) -> Callable[[int], None]:
    return lambda value: act() if value % 200 == 100 else None


async def test_who_waits_for_nothing_passes(tmp_path):
    await judge(lambda value: None, tmp_path)


async def test_a_sleep_is_found_however_short(tmp_path):
    with pytest.raises(AssertionError, match=r"time\.sleep, which blocks"):
        await judge(now_and_then(lambda: time.sleep(0.001)), tmp_path)


async def test_a_blocking_connection_is_found_however_fast(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as server:

        def ask() -> None:
            with socket.create_connection(server.getsockname()):
                pass

        with pytest.raises(AssertionError, match=r"socket\.connect, which blocks"):
            await judge(now_and_then(ask), tmp_path)


async def test_asking_for_the_address_of_a_host_is_found(tmp_path):
    with pytest.raises(AssertionError, match=r"socket\.getaddrinfo, which blocks"):
        await judge(now_and_then(lambda: socket.getaddrinfo("localhost", 1)), tmp_path)


async def test_computing_is_found(tmp_path):
    with pytest.raises(AssertionError, match="held the loop"):
        await judge(now_and_then(lambda: computes(LONGEST_S * 1.1)), tmp_path)


@pytest.mark.skipif(not Path("/proc/thread-self/schedstat").exists(), reason="the system does not count it")
async def test_waiting_without_a_name_is_found(tmp_path):
    with pytest.raises(AssertionError, match="held the loop"):
        await judge(now_and_then(lambda: threading.Event().wait(LONGEST_S * 1.5)), tmp_path)


async def test_what_happens_once_is_a_hiccup(tmp_path):
    hiccups = iter([LONGEST_S * 1.1])
    await judge(now_and_then(lambda: computes(next(hiccups, 0.0))), tmp_path)


async def test_what_threads_do_is_nobodys_business(tmp_path):
    with watching() as watch:
        await asyncio.gather(asyncio.to_thread(time.sleep, 0.001), asyncio.to_thread(computes, LONGEST_S * 1.1))
    assert (watch.calls, watch.spells) == ([], [])


@contextmanager
def on_one_processor_with(neighbours: int) -> Iterator[None]:
    """Let this thread share one processor with programs that never rest."""
    mine = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(mine)})
    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(neighbours)]
    try:
        yield
    finally:
        for one in busy:
            one.kill()
            one.wait()
        os.sched_setaffinity(0, mine)


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="the system does not let us choose")
async def test_neighbours_that_take_the_processor_are_not_held_against_anybody():
    began = time.perf_counter()

    async def works() -> float:
        computes(LONGEST_S / 3)
        return time.perf_counter() - began

    with on_one_processor_with(5), watching() as watch:
        began = time.perf_counter()
        took = await asyncio.create_task(works())
    assert took > LONGEST_S, "The neighbours did not take the processor, so nothing is shown."
    assert watch.spells == []


def test_what_counts_is_what_a_callback_did_itself():
    assert Spell(wall_s=9.0, cpu_s=0.1, ready_s=8.8).held_s == pytest.approx(0.2)
    assert Spell(wall_s=9.0, cpu_s=0.1, ready_s=None).held_s == 0.1
    assert Spell(wall_s=0.1, cpu_s=0.1, ready_s=0.2).held_s == 0.1  # the clocks do not tick together
