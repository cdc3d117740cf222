"""Makes what is pending durable, in the order that loses nothing: dead letters, births, samples, states, then the log.

One commit runs at a time while the next one fills up. When anything fails the commit is tried again until it
succeeds; meanwhile the pipeline fills, then holds the log. Nothing is acknowledged before it is safe.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import msgspec
import numpy as np

from yuheng.bus import subjects
from yuheng.bus.wire import Connection, WireError
from yuheng.historian import deadletters, snapshot
from yuheng.historian.limits import Limits
from yuheng.historian.pending import Pending
from yuheng.historian.pipeline import Pipeline
from yuheng.historian.rollups import type_keys
from yuheng.historian.shown import board_columns, change_columns
from yuheng.historian.store import (
    Store,
    StoreFailure,
    concatenated,
    sample_columns,
    state_change_columns,
    text_columns,
)
from yuheng.historian.units import Emission

log = logging.getLogger(__name__)

type_publish = tuple[str, bytes, bytes]
"""Subject, header, payload of something that JetStream must acknowledge."""


@dataclass(slots=True)
class CommitFacts:
    """For the health line."""

    commits: int = 0
    points: int = 0
    last_ms: float = 0.0
    last_points: int = 0
    retries: int = 0
    hold_reason: str = ""
    newest_commit_us: int = 0
    births_refused: int = 0


class Committer:
    """See the module's docstring."""

    def __init__(
        self,
        pipeline: Pipeline,
        store: Store,
        *,
        limits: Limits,
        clock_us: Callable[[], int],
        connection: Callable[[], Connection | None],
        after_commit: Callable[[], Awaitable[None]],
        at_swap: Callable[[], None] = lambda: None,
        before_ack: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self.facts = CommitFacts()
        self.points_since_snapshot = 0
        self._snapshot_s = 0  # the newest picture's watermark: what arrived before is not read again at a start
        self._old_minutes: type_keys = np.empty(0, np.int64)  # stored since, and had arrived before it
        self._note_version = 0  # of those of this commit; 0: it has none
        self._pipeline = pipeline
        self._store = store
        self._limits = limits
        self._clock_us = clock_us
        self._connection = connection
        self._after_commit = after_commit
        self._at_swap = at_swap  # called when all that was observed is in the commit that begins
        self._before_ack = before_ack  # returns when what the batch made others know is durable, too
        self._thread = ThreadPoolExecutor(1, "commit")
        self._stopping = False
        self._force = asyncio.Event()
        self._last_points = 0
        self.turn = asyncio.Lock()  # held while a commit or something that must not meet one runs

    def go_on_after(self, watermark_s: int, old_minutes: type_keys) -> None:
        """A picture was kept or loaded, and what was noted of old arrivals beside it. Not while a commit runs."""
        self._snapshot_s, self._old_minutes = watermark_s, old_minutes

    def stop(self) -> None:
        """Commit what is pending and end `run`."""
        self._stopping = True
        self._force.set()
        self._pipeline.wake.set()

    async def run(self) -> None:
        """Commit for ever, until `stop`."""
        pipeline = self._pipeline
        try:
            while True:
                await pipeline.wake.wait()
                await self._gather()
                pipeline.wake.clear()
                is_last = self._stopping  # told to stop during a commit: what came meanwhile is one more
                async with self.turn:
                    is_safe = await self.commit()
                if is_last or not is_safe:  # acknowledging anything after what is not safe would lose it
                    return
        finally:
            self._thread.shutdown(wait=True)

    async def _gather(self) -> None:
        """Wait until a commit is worth its cost: by time, sooner when much is waiting."""
        limits = self._limits
        begun = time.monotonic()
        while not self._stopping and not self._force.is_set():
            points = self._pipeline.pending.points
            is_busy = points > limits.busy_points or self._last_points > limits.busy_points
            left = begun + (limits.busy_commit_s if is_busy else limits.quiet_commit_s) - time.monotonic()
            if left <= 0 or points >= limits.commit_points or self._pipeline.is_held:
                return
            try:
                async with asyncio.timeout(min(left, 0.05 if is_busy else 0.25)):
                    await self._force.wait()
            except TimeoutError:
                continue

    async def commit(self) -> bool:
        """Make everything pending durable; return False only when stopping makes it hopeless."""
        pending = self._pipeline.swap()
        emission = self._pipeline.units.emit(self._clock_us())
        self._at_swap()
        self._gather_old(pending)
        if pending.is_empty() and not emission.rows:
            await self._after_commit()
            return True
        self._last_points = pending.points
        begun = time.perf_counter()
        if not await self._until_done(pending, emission):
            return False
        for reader, sequence in pending.reached.items():
            reader.acknowledge(sequence)
        facts = self.facts
        facts.commits += 1
        facts.points += pending.points + len(pending.texts)
        facts.last_ms = (time.perf_counter() - begun) * 1000
        facts.last_points = pending.points
        facts.newest_commit_us = self._clock_us()
        facts.hold_reason = ""
        self.points_since_snapshot += pending.points
        self._pipeline.committed()
        await self._after_commit()
        return True

    def _gather_old(self, pending: Pending) -> None:
        """Note what a start would not read: it arrived before the newest picture and is stored after it."""
        found = snapshot.minutes_of_old(pending, self._snapshot_s)
        self._note_version = self._pipeline.units.next_version(self._clock_us()) if len(found) else 0
        if len(found):
            self._old_minutes = np.union1d(self._old_minutes, found)
            if len(self._old_minutes) > self._limits.old_minutes:  # the note is written whole each time: end it soon
                self.points_since_snapshot = self._limits.snapshot_points

    async def _until_done(self, pending: Pending, emission: Emission) -> bool:
        """Try until everything is durable; return False only when told to stop while it cannot be."""
        delay = self._limits.retry_first_s
        letters: list[type_publish] = [*pending.dead]
        births = [(f"$KV.{subjects.BIRTHS_BUCKET}.{key}", b"", data) for key, data in pending.births.items()]
        facts = revisions(emission)
        notices: list[type_publish] = pending.notices
        is_stored = False
        while True:
            try:
                letters = await self.publish_all(letters)
                # A birth that finds no room is asked for again after a restart: no reason to hold everything else.
                self.facts.births_refused += len(await self.publish_all(births))
                births = []
                if not is_stored:
                    await self._in_thread(lambda: self._write(pending))
                    is_stored = True
                facts = await self.publish_all(facts)
                if self._before_ack is not None:
                    await self._before_ack()
                if not letters:  # whoever hears of a birth must find the letters that it explains
                    notices = await self.publish_all(notices)
                if not (letters or facts or notices):
                    # Last: these rows say what was told. Were they there first, a crash between would leave it untold.
                    await self._in_thread(lambda: self._write_changes(emission))
                    return True
                reason = "The message log does not take dead letters or state changes."
            except (StoreFailure, WireError, TimeoutError, OSError) as error:
                reason = str(error) or "The message log does not answer."
            if self._stopping:
                log.warning("Stopping with an unfinished commit (%s); the log still holds it.", reason)
                return False
            self._hold(reason)
            await asyncio.sleep(delay)
            delay = min(delay * 2, self._limits.retry_last_s)

    def _hold(self, reason: str) -> None:
        if reason != self.facts.hold_reason:
            log.warning("Holding the log: %s", reason)
        self.facts.hold_reason = reason
        self.facts.retries += 1

    async def _in_thread(self, work: Callable[[], None]) -> None:
        await asyncio.get_running_loop().run_in_executor(self._thread, work)

    def _write(self, pending: Pending) -> None:
        """Write columns; when it returns they are on disk. In the commit thread."""
        self.require_room()
        if pending.blocks:
            self._store.insert("samples", sample_columns(concatenated(pending.blocks)))
        if pending.texts:
            self._store.insert("text_samples", text_columns(pending.texts))
        if self._note_version:
            snapshot.note_old(self._store, self._old_minutes, self._snapshot_s, self._note_version)
        if pending.shown.changes:
            self._store.insert("shown", change_columns(pending.shown.changes))
        if pending.shown.boards:
            self._store.insert("boards", board_columns(pending.shown.boards))

    def _write_changes(self, emission: Emission) -> None:
        if emission.rows:
            self._store.insert("state_changes", state_change_columns(emission.rows))

    def require_room(self) -> None:
        """Raise `StoreFailure` before the disk is full: an engine that runs out of disk takes others with it."""
        free = self._store.free_bytes()
        if free < self._limits.reserve_bytes:
            raise StoreFailure(
                f"The disk of the history is almost full: {free // 1_000_000} MB free, "
                f"{self._limits.reserve_bytes // 1_000_000} MB must stay free. Free some space; nothing is lost."
            )

    async def publish_all(self, items: Sequence[type_publish]) -> list[type_publish]:
        """Publish to JetStream in windows and wait for the acknowledgements; return those it refused.

        Raises
        ------
        WireError, TimeoutError
            No connection, or no answer in time; publishing again is harmless.
        """
        refused: list[type_publish] = []
        for start in range(0, len(items), self._limits.publish_window):
            window = items[start : start + self._limits.publish_window]
            connection = self._connection()
            if connection is None:
                raise WireError("The message log cannot be reached.")
            async with asyncio.timeout(self._limits.publish_timeout_s):
                fit = [deadletters.fitting(item, connection.max_payload) for item in window]
                futures = [connection.request_later(s, data, header=header) for s, header, data in fit]
                answers = await asyncio.gather(*futures)
                await connection.drained()
            for item, (_header, answer) in zip(window, answers, strict=True):
                if not answer or b'"error"' in answer:
                    refused.append(item)
        return refused


def revisions(emission: Emission) -> list[type_publish]:
    """Return the revisions as events for the worker."""
    return [(subjects.state_event(r.work_unit_id), b"", msgspec.json.encode(r)) for r in emission.revisions]
