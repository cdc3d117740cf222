"""Several processes that search the same problem with other seeds and show each other their best plans.

Arrays and plans lie in one block of shared memory. Each process writes only its own slot, whose version
is odd meanwhile: readers come back later. A worker ends when it is asked, when time is up, and when its parent is gone;
a worker that dies takes nothing with it.
"""

from __future__ import annotations

import multiprocessing
import os
import threading
import time
from dataclasses import dataclass, fields, replace
from multiprocessing.context import SpawnProcess
from multiprocessing.shared_memory import SharedMemory
from typing import Any

import numpy as np
import numpy.typing as npt

from yuheng.engines.schedule.arrays import ARRAY_NAMES, Arrays, HorizonTooShort
from yuheng.engines.schedule.plan import plan_of
from yuheng.engines.schedule.scoring import Scorer
from yuheng.engines.schedule.searching import Cancel, Found, Limits, improve

type_ints = npt.NDArray[np.int64]

LOOK_S = 0.02
"""How often a worker looks whether it is to end, and whether its parent lives."""
PATIENCE_S = 1.0
"""How long a worker may take to end before it is killed."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where an array lies in the block."""

    offset: int
    shape: tuple[int, ...]
    dtype: str


@dataclass(frozen=True, slots=True)
class Block:
    """The shared block's name, what is where, and how many slots for plans it has."""

    name: str
    places: dict[str, Place]
    slots: int

    def view(self, memory: SharedMemory, name: str) -> npt.NDArray[Any]:
        """Return an array that lives in the block."""
        place = self.places[name]
        return np.ndarray(place.shape, np.dtype(place.dtype), memory.buf, place.offset)


def _layout(arrays: Arrays, slots: int) -> tuple[dict[str, Place], int]:
    wanted = {name: getattr(arrays, name) for name in ARRAY_NAMES}
    shapes: dict[str, tuple[tuple[int, ...], str]] = {
        name: (array.shape, array.dtype.str) for name, array in wanted.items()
    }
    shapes["version"] = ((slots,), "<i8")
    shapes["value"] = ((slots, 8), "<f8")
    shapes["plans"] = ((slots, 3, arrays.n), "<i8")
    shapes["stop"] = ((1,), "|u1")
    places, at = {}, 0
    for name, (shape, dtype) in shapes.items():
        places[name] = Place(at, shape, dtype)
        at += (int(np.prod(shape)) * np.dtype(dtype).itemsize + 63) // 64 * 64
    return places, at


class Slots:
    """The plans in the block, seen from one process."""

    def __init__(self, block: Block, memory: SharedMemory) -> None:
        self.version = block.view(memory, "version")
        self.value = block.view(memory, "value")
        self.plans = block.view(memory, "plans")
        self._seen = [0] * block.slots

    def write(self, slot: int, terms: tuple[float, ...], mode: type_ints, start: type_ints, leave: type_ints) -> None:
        """Show a plan."""
        self.version[slot] += 1
        self.value[slot, : len(terms)] = terms
        self.plans[slot, 0], self.plans[slot, 1], self.plans[slot, 2] = mode, start, leave
        self.version[slot] += 1

    def read(self, slot: int) -> tuple[type_ints, type_ints, type_ints] | None:
        """Return (mode, start, leave) if there is something new that is not just being written."""
        version = int(self.version[slot])
        if version % 2 or version == self._seen[slot]:
            return None
        mode, start, leave = (row.copy() for row in self.plans[slot])
        if int(self.version[slot]) != version:
            return None
        self._seen[slot] = version
        return mode, start, leave


class Crew:
    """The other workers of a run. Use as a context: leaving it ends them all."""

    def __init__(self, workers: int, scorer: Scorer, given: Found, leave: type_ints, seed: int, limits: Limits) -> None:
        places, size = _layout(scorer.arrays, workers)
        self._memory = SharedMemory(create=True, size=max(1, size))
        self.block = Block(self._memory.name, places, workers)
        for name in ARRAY_NAMES:
            self.block.view(self._memory, name)[...] = getattr(scorer.arrays, name)
        self.block.view(self._memory, "version")[:] = 0
        self._stop = self.block.view(self._memory, "stop")
        self._stop[:] = 0
        self._slots: Slots | None = Slots(self.block, self._memory)
        self._slots.write(0, (), given.mode, given.start, leave)
        self.processes: list[SpawnProcess] = []
        context = multiprocessing.get_context("spawn")
        plain = {f.name: getattr(scorer.arrays, f.name) for f in fields(Arrays) if f.name not in ARRAY_NAMES}
        bare = replace(scorer, arrays=None)  # type: ignore[arg-type]  # (the worker puts its own view there)
        until = time.time() + limits.left
        for k in range(1, workers):
            process = context.Process(
                target=_work,
                args=(self.block, plain, bare, k, seed, until, limits.effort, os.getpid()),
                name=f"schedule-worker-{k}",
                daemon=True,
            )
            try:
                process.start()
            except (OSError, AssertionError):  # no more processes allowed here: go on with those there are
                break
            self.processes.append(process)

    def __enter__(self) -> Crew:
        """Begin."""
        return self

    def __exit__(self, *_error: object) -> None:
        """End every worker, however it takes it, and free the memory."""
        self._stop[0] = 1
        end = time.monotonic() + PATIENCE_S
        for process in self.processes:
            process.join(max(0.0, end - time.monotonic()))
            if process.is_alive():
                process.kill()
                process.join()
            process.close()
        self.processes = []
        self._slots = None
        del self._stop
        self._memory.close()
        self._memory.unlink()

    def ask(self) -> None:
        """Ask the workers to end."""
        self._stop[0] = 1

    def news(self) -> list[tuple[type_ints, type_ints, type_ints]]:
        """Return what workers have shown since the last time."""
        if self._slots is None:
            return []
        found = (self._slots.read(k) for k in range(1, self.block.slots))
        return [plan for plan in found if plan is not None]

    def show(self, terms: tuple[float, ...], mode: type_ints, start: type_ints, leave: type_ints) -> None:
        """Show the best plan to the workers."""
        if self._slots is not None:
            self._slots.write(0, terms, mode, start, leave)


def _work(
    block: Block,
    plain: dict[str, Any],
    bare: Scorer,
    slot: int,
    seed: int,
    until: float,
    effort: int | None,
    parent: int,
) -> None:
    """Search until asked to end: the whole life of a worker."""
    memory = SharedMemory(name=block.name)
    views: dict[str, Any] = {name: block.view(memory, name) for name in ARRAY_NAMES}
    arrays = Arrays(**plain, **views)
    scorer = replace(bare, arrays=arrays)
    slots = Slots(block, memory)
    stop = block.view(memory, "stop")
    cancel = Cancel()
    threading.Thread(target=_watch_parent, args=(parent, stop, cancel), daemon=True).start()
    given = slots.read(0)
    if given is None:
        return
    best: list[tuple[float, ...]] = []

    def found(mode: type_ints, start: type_ints, leave: type_ints | None) -> None:
        try:
            plan = plan_of(arrays, mode, start, leave)
        except HorizonTooShort:
            return
        terms = scorer.terms(mode, plan.start, plan.end)
        if not best or scorer.is_better(terms, best[0]):
            best[:] = [terms]
            slots.write(slot, terms, mode, plan.start, plan.leave)

    def look() -> Found | None:
        shown = slots.read(0)
        if shown is None:
            return None
        plan = plan_of(arrays, shown[0], shown[1], shown[2])
        terms = scorer.terms(shown[0], plan.start, plan.end)
        if best and not scorer.is_better(terms, best[0]):
            return None
        return Found(shown[0], shown[1])

    with Limits(until - time.time(), effort, cancel) as limits:
        improve(scorer, Found(given[0], given[1]), seed * 1000 + slot, limits, found, look)


def _watch_parent(parent: int, stop: npt.NDArray[np.uint8], cancel: Cancel) -> None:
    """Cancel when asked; end at once when the parent is gone, as nobody is left to take a result."""
    while os.getppid() == parent:
        if stop[0]:
            cancel.set()
        time.sleep(LOOK_S)
    os._exit(1)
