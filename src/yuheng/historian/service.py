"""The historian as a process: starts, catches up, connects, keeps its rhythms, stops."""

from __future__ import annotations

import asyncio
import itertools
import json
import logging
import os
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TypeVar

import msgspec
import numpy as np
import psutil

from yuheng.bus import documents, subjects
from yuheng.bus.log_reader import LogReader, Tally
from yuheng.bus.messages import Health
from yuheng.bus.wire import Connection, WireError, header_value, keep_connected, type_raw
from yuheng.historian import reruns, retention, rollups, snapshot, spans
from yuheng.historian.alarm_telling import AlarmTeller
from yuheng.historian.answers import Answers
from yuheng.historian.committer import Committer, revisions
from yuheng.historian.freezing import Freezer
from yuheng.historian.job_signals import JobSignalTeller
from yuheng.historian.limits import DEFAULT_LIMITS, Limits
from yuheng.historian.live import Live
from yuheng.historian.pipeline import Pipeline
from yuheng.historian.rates import MinuteRates
from yuheng.historian.rederive import rederive
from yuheng.historian.routing import best_effort_subjects
from yuheng.historian.series import HELD_FOR_FORMULAS, read_stored
from yuheng.historian.shown import Reason
from yuheng.historian.store import Store, StoreFailure, concatenated, state_change_columns
from yuheng.historian.telling import flush_all

log = logging.getLogger(__name__)

Result = TypeVar("Result")


def clock_us() -> int:
    """Return the time of this machine in microseconds UTC."""
    return time.time_ns() // 1000


class Historian:
    """Wires the parts. `run` returns after `stop` (or raises what made it impossible to start)."""

    def __init__(
        self,
        *,
        nats_url: str,
        store: Store,
        ready_file: Path | None = None,
        limits: Limits = DEFAULT_LIMITS,
        now_us: Callable[[], int] = clock_us,
        on_forgotten: Callable[[dict[str, int]], None] = lambda _: None,
    ) -> None:
        self.limits = limits
        self.store = store
        self.connection: Connection | None = None
        self.connection_trouble = "Not connected to the message log yet."
        self.pipeline = Pipeline(clock_us=now_us, publish=self._publish, limits=limits)
        self.live = Live(
            self.pipeline, epoch=os.urandom(8).hex(), clock_us=now_us, publish=self._publish, limits=limits
        )
        self.answers = Answers(self.pipeline, self.live, store, limits)
        self.committer = Committer(
            self.pipeline,
            store,
            limits=limits,
            clock_us=now_us,
            connection=lambda: self.connection,
            after_commit=self._after_commit,
            at_swap=self._at_swap,
            before_ack=lambda: flush_all(self.teller, self.signal_teller),
        )
        self.teller = AlarmTeller(self.pipeline.alarms, publish_all=self.committer.publish_all, clock_us=now_us)
        self.signal_teller = JobSignalTeller(self.pipeline.job_signals, publish_all=self.committer.publish_all)
        self.pipeline.on_live = self._live_changed
        self.readers: list[LogReader] = []
        self._nats_url = nats_url
        self._on_forgotten = on_forgotten
        self._ready_file = ready_file
        self._now_us = now_us
        self._stop = asyncio.Event()
        self._tallies = {subjects.MQTT_STREAM: Tally(), subjects.INGEST_STREAM: Tally()}
        self._best_effort_sids: dict[str, bytes] = {}
        self._core_owner: dict[bytes, str] = {}
        self._rederived_at = 0.0
        self.reruns = reruns.Reruns()
        self._late: dict[int, tuple[int, int]] = {}  # unit -> oldest late sample, newest sample; all of them committed
        self._wants_picture = False
        self._picture: snapshot.Picture | None = None
        self._snapshot_at = time.monotonic()
        self._retention_at = time.monotonic() + limits.retention_first_s
        self._rates = (time.monotonic(), 0, 0)
        self._source_rates = MinuteRates()
        self._job = 0
        self._statistics: dict[str, float] = {}
        self._is_caught_up = False
        self._process = psutil.Process()
        self._background = ThreadPoolExecutor(1, "background")

    def stop(self) -> None:
        """Ask `run` to end: what is decoded is committed, the rest stays in the log."""
        self._stop.set()

    async def run(self) -> None:
        """Run until `stop`."""
        await self._in_background(self.store.migrate)
        tasks = [
            asyncio.create_task(keep_connected(self._nats_url, self._session, name="historian", on_lost=self._lost)),
            asyncio.create_task(self.committer.run()),
            asyncio.create_task(self._every(self.limits.values_s, self._tick)),
            asyncio.create_task(self._every(self.limits.watched_values_s, self._watched_tick)),
            asyncio.create_task(self._every(self.limits.health_s, self._health)),
            asyncio.create_task(self._every(self.limits.rollup_s, self._maintain)),
            asyncio.create_task(self._every(self.limits.board_s, self._record_boards)),
            asyncio.create_task(self._every(self.limits.rerun_s, self._rerun)),
            asyncio.create_task(self._until_broken()),
            asyncio.create_task(self.teller.run()),
            asyncio.create_task(self.signal_teller.run()),
        ]
        stopping = asyncio.create_task(self._stop.wait())
        try:
            await asyncio.wait([*tasks, stopping], return_when=asyncio.FIRST_COMPLETED)
            for task in tasks:
                if task.done() and not stopping.done():
                    task.result()
        finally:
            await self._shut_down(tasks, stopping)

    async def _shut_down(self, tasks: list[asyncio.Task[None]], stopping: asyncio.Task[bool]) -> None:
        for reader in self.readers:
            reader.pause()
        self.pipeline.process()
        self.live.record_boards(Reason.STOP)
        self.committer.stop()
        with suppress(Exception):  # a failed last commit stays in the log
            await asyncio.wait_for(asyncio.shield(tasks[1]), 3.0)
        if self._is_caught_up:
            with suppress(Exception):
                await asyncio.wait_for(self._snapshot(), 1.5)
        for task in [*tasks, stopping]:
            task.cancel()
        await asyncio.gather(*tasks, stopping, return_exceptions=True)
        self.answers.close()
        if self.connection is not None:
            self.connection.close()
        # A long calculation may still run in the store; what must be durable is, so nobody waits for it.
        self._background.shutdown(wait=False, cancel_futures=True)
        await asyncio.wait([asyncio.get_running_loop().run_in_executor(None, self.store.close)], timeout=1.0)

    # ---- one session with the log -----------------------------------------------------------------------------------

    async def _session(self, connection: Connection) -> None:
        """Connect -> configuration -> catch up -> recover -> stream."""
        self._best_effort_sids = {}
        await self._load_births(connection)
        # first the subscription: a document published between would be missed the other way round
        connection.subscribe(f"$KV.{subjects.CONFIG_BUCKET}.{subjects.CONFIG_KEY}", self._take_plant)
        await self._load_plant(connection)
        self.connection = connection
        if self.pipeline.plant is None:
            self._ready()
            await self._wait_for_plant(connection)
        if not self._is_caught_up:
            await self._catch_up()
        self.connection_trouble = ""
        self.answers.subscribe(connection)
        Freezer(self.store, self.committer.turn).subscribe(connection)
        self._subscribe_best_effort()
        self._ready()
        for reader in self.readers:
            self.pipeline.forget(reader)
        self.readers = [
            LogReader(connection, stream, subjects.HISTORIAN_DURABLE, self.pipeline.take, tally=tally)
            for stream, tally in self._tallies.items()
        ]
        for reader in self.readers:
            await reader.start()
        log.info("Reading the log.")

    async def _until_broken(self) -> None:
        """End the process when a batch could not be worked on: the log holds it, and nothing was acknowledged."""
        await self.pipeline.broken.wait()
        raise RuntimeError("The pipeline broke; see the log above.")

    def _lost(self, reason: str) -> None:
        if reason != self.connection_trouble:
            log.warning("Connection to the message log: %s", reason)
        self.connection_trouble = reason
        self.connection = None

    def _publish(self, subject: str, data: bytes) -> None:
        """Publish something live: nobody waits for it, and without a connection nobody could hear it."""
        if self.connection is not None:
            self.connection.publish(subject, data)

    async def _load_plant(self, connection: Connection) -> None:
        data = await _bucket_value(connection, subjects.CONFIG_BUCKET, subjects.CONFIG_KEY)
        if data:
            self._configure(data)

    async def _wait_for_plant(self, connection: Connection) -> None:
        """Without a configuration every message would be a dead letter: wait, the log holds them."""
        log.info("Waiting for the configuration document.")
        self.connection_trouble = "Waiting for the configuration document."
        while self.pipeline.plant is None and not connection.closed.is_set():
            with suppress(TimeoutError):
                async with asyncio.timeout(0.1):
                    await connection.closed.wait()
        if connection.closed.is_set():
            raise WireError(connection.reason)

    def _take_plant(self, items: list[type_raw]) -> None:
        self._configure(items[-1][3])

    def _configure(self, data: bytes) -> None:
        try:
            plant = documents.decode(data)
        except msgspec.MsgspecError as error:
            log.error("The configuration document cannot be read (%s); the one before stays in force.", error)
            return
        try:
            is_newer = self.pipeline.configure(plant)
        except Exception:
            # Whatever is in a document must not end the process, again and again.
            log.exception("Configuration %d cannot be used; the one before stays in force.", plant.version)
            return
        if is_newer:
            self.store.calculations = self.pipeline.calculating.calculations
            log.info("Configuration %d: %d sources, %d tags.", plant.version, len(plant.sources), len(plant.tags))
            self.live.record_boards(Reason.CONFIGURATION)
            if self._is_caught_up:
                self.teller.tell_truth()
            self._subscribe_best_effort()
            for sentence in self.pipeline.complaints():
                log.warning("%s", sentence)

    async def _load_births(self, connection: Connection) -> None:
        """Read all Sparkplug births, so that aliases mean something from the first message on."""
        stream = f"KV_{subjects.BIRTHS_BUCKET}"
        sequence = 1
        while True:
            body = json.dumps({"seq": sequence, "next_by_subj": f"$KV.{subjects.BIRTHS_BUCKET}.>"}).encode()
            header, payload = await connection.request(f"$JS.API.DIRECT.GET.{stream}", body)
            place = header_value(header, "Nats-Sequence")
            if place is None:
                return
            key = (header_value(header, "Nats-Subject") or "").removeprefix(f"$KV.{subjects.BIRTHS_BUCKET}.")
            if header_value(header, "KV-Operation") is None and payload:
                self.pipeline.births[key] = payload
            sequence = int(place) + 1

    def _subscribe_best_effort(self) -> None:
        """Follow the topics of the configuration with core subscriptions (QoS 0)."""
        connection, plant = self.connection, self.pipeline.plant
        if connection is None or plant is None:
            return
        wanted = best_effort_subjects(plant)
        for gone in self._best_effort_sids.keys() - set(wanted):
            connection.unsubscribe(self._best_effort_sids.pop(gone))
        for subject in wanted:
            if subject not in self._best_effort_sids:
                self._best_effort_sids[subject] = connection.subscribe(subject, self.pipeline.take_best_effort)

    # ---- catching up ------------------------------------------------------------------------------------------------

    async def _catch_up(self) -> None:
        """Bring newest values, states and roll-up debts to where the store is."""
        found = await self._in_background(lambda: snapshot.load(self.store))
        snapshot.restore(self.pipeline, found, self._now_us())
        self.committer.go_on_after(found.watermark_s, found.old_minutes)
        old, since = snapshot.again(self.store, found.old_minutes), snapshot.since(self.store, found.watermark_s)
        pieces = itertools.chain(old, since)
        while (piece := await self._in_background(lambda: next(pieces, None))) is not None:
            points, slots = self.pipeline.ordered(piece[0])
            calculated = self.pipeline.observe(points, slots, piece[1])
            if calculated is not None:
                points, slots = self.pipeline.ordered(concatenated([points, calculated]))
            self.pipeline.alarms.absorb(points, slots, piece[1], self._now_us())
        self.pipeline.read_data_times()
        self._is_caught_up = True
        await self._seed_calculations()
        await self._in_background(lambda: self.reruns.load(self.store))
        self.live.begin(self.pipeline.units.next_version(self._now_us()))
        async with self.committer.turn:
            self._note_late()
            await self._rederive()

        self.pipeline.alarms.begin(self._now_us())
        self.teller.tell_truth()

    async def _snapshot(self) -> None:
        """Keep newest values and marks of what is stored, for a quick next start. Not while late units wait."""
        async with self.committer.turn:
            self._wants_picture = True
            if not await self.committer.commit():
                return
            if self._late:
                await self._rederive()
            picture, self._picture = self._picture, None
            if picture is None or self._late:
                return
            version = self.pipeline.units.next_version(self._now_us())
            await self._in_background(lambda: snapshot.save(self.store, picture, version))
            self.committer.go_on_after(picture.watermark_s, np.empty(0, np.int64))
        self._snapshot_at = time.monotonic()
        self.committer.points_since_snapshot = 0

    def _watermark_s(self) -> int:
        """Return a time of arrival before which everything is committed and rolled up, with a margin."""
        now_s = self._now_us() // 1_000_000
        return self.pipeline.oldest_unstored_s(now_s) - 5

    # ---- late samples -----------------------------------------------------------------------------------------------

    def _at_swap(self) -> None:
        """Everything observed until now is in the commit that begins; what comes later is not."""
        self._note_late()
        if self._wants_picture:
            self._wants_picture = False
            self._picture = snapshot.take(self.pipeline, self._watermark_s())

    def _note_late(self) -> None:
        """Gather the late units whose samples are stored, or are about to be: those of the next commit must wait."""
        for unit_id, (since_us, until_us) in self.pipeline.units.take_late().items():
            known = self._late.get(unit_id, (since_us, until_us))
            self._late[unit_id] = (min(since_us, known[0]), max(until_us, known[1]))

    async def _after_commit(self) -> None:
        if self._late and time.monotonic() - self._rederived_at >= self.limits.recompute_s:
            await self._rederive()

    async def _rederive(self) -> None:
        """Derive units with late samples anew, from committed data; tell the differences."""
        self._rederived_at = time.monotonic()
        units, plant = self.pipeline.units, self.pipeline.plant
        late = {unit_id: span for unit_id, span in self._late.items() if unit_id in units.by_id}
        if not late or plant is None:
            self._late = {}
            return
        try:
            version = units.next_version(self._now_us())
            emission, anew = await self._in_background(lambda: rederive(self.store, plant, late, version))
            left = await self.committer.publish_all(revisions(emission))
            if left:
                raise WireError("The message log does not take state changes.")
            if emission.rows:  # after the telling: see `Committer`
                await self._in_background(
                    lambda: self.store.insert("state_changes", state_change_columns(emission.rows))
                )
        except (StoreFailure, WireError, TimeoutError) as error:
            log.warning("States of %d units could not be derived anew (%s); trying again.", len(late), error)
            return
        self._late = {}
        for unit in anew:
            units.replace(unit.unit_id, unit.changes, unit.until_us)
        self.live.states()

    # ---- rhythms ----------------------------------------------------------------------------------------------------

    async def _every(self, period_s: float, work: Callable[[], Awaitable[None]]) -> None:
        while True:
            await asyncio.sleep(period_s)
            await work()

    async def _tick(self) -> None:
        now_us = self._now_us()
        if not self.connection_trouble:  # while the log cannot be reached, silence says nothing about machines
            self.pipeline.units.tick(now_us)
            self.live.states()
            self._let_alarms_pass(now_us)
        if self.pipeline.units.touched or self._late:
            self.pipeline.wake.set()
        self.live.values()
        for reader in self.readers:
            reader.check(asyncio.get_running_loop().time())

    async def _rerun(self) -> None:
        """Derive one unit's past anew, when that is asked for; what fails is tried again at the next turn."""
        plant, units = self.pipeline.plant, self.pipeline.units
        if not self._is_caught_up or plant is None or self.connection_trouble:
            return
        try:
            for job in self.reruns.take(plant):
                await self._in_background(partial(reruns.save, self.store, job, units.next_version(self._now_us())))
            job_left = self.reruns.next()
            if job_left is None:
                return
            unit = next((unit for unit in plant.work_units if unit.id == job_left.left[0]), None)
            if unit is not None:
                await self._rerun_unit(reruns.Rerun.begun(plant, unit, job_left.from_us), plant.version)
            del job_left.left[0]
            await self._in_background(partial(reruns.save, self.store, job_left, units.next_version(self._now_us())))
        except (StoreFailure, WireError, TimeoutError) as error:
            log.warning("Past states could not be derived anew (%s); trying again.", error)

    async def _rerun_unit(self, rerun: reruns.Rerun, version: int) -> None:
        for until_us in rerun.days(self._now_us()):
            await self._in_background(partial(rerun.go_on, self.store, until_us))
        async with self.committer.turn:  # the rest, when nothing is being committed beside it
            if not await self.committer.commit():
                return
            known = self.pipeline.units.by_id.get(rerun.unit.id)
            newest_us = self.pipeline.units.newest_us(known) + 1 if known is not None else 0
            if newest_us <= rerun.from_us:
                return  # nothing was heard since
            if newest_us > rerun.reached_us:
                await self._in_background(partial(rerun.go_on, self.store, newest_us))
            rerun.reached_us = newest_us
            number = self.pipeline.units.next_version(self._now_us())
            emission, anew = await self._in_background(partial(rerun.result, self.store, number))
            if await self.committer.publish_all(revisions(emission)):
                raise WireError("The message log does not take state changes.")
            if emission.rows:
                await self._in_background(
                    lambda: self.store.insert("state_changes", state_change_columns(emission.rows))
                )
            if self.pipeline.plant is not None and self.pipeline.plant.version == version:
                self.pipeline.units.replace(anew.unit_id, anew.changes, anew.until_us)
        self.live.states()

    async def _record_boards(self) -> None:
        self.live.record_boards(Reason.RHYTHM)

    async def _watched_tick(self) -> None:
        self.live.watched_values()
        if not self.connection_trouble:
            self._let_alarms_pass(self._now_us())

    def _let_alarms_pass(self, now_us: int) -> None:
        self.pipeline.alarms.tick(now_us)
        self.teller.note()

    def _live_changed(self) -> None:
        """Tell what a batch changed, without waiting for its commit."""
        self.live.states()
        self.teller.note()
        self.signal_teller.note()

    async def _maintain(self) -> None:
        """Roll-ups, snapshot, retention: one after another, never beside each other."""
        if not self._is_caught_up:
            return
        try:
            await self._seed_calculations()
            await self._roll_up()
            due = time.monotonic() - self._snapshot_at >= self.limits.snapshot_s
            if due or self.committer.points_since_snapshot >= self.limits.snapshot_points:
                await self._snapshot()
            self._statistics = await self._in_background(self.store.statistics)
            await self._forget()
        except StoreFailure as error:
            log.warning("Roll-ups and snapshots wait: %s", error)

    async def _seed_calculations(self) -> None:
        """Give formulas that look back the past of their inputs: what was heard since the start is not enough."""
        calculating = self.pipeline.calculating
        if calculating.is_seeded:
            return
        wanted = calculating.to_seed()
        now_us, reach_us = self._now_us(), max(wanted.values(), default=0)
        past = await self._in_background(
            lambda: read_stored(self.store, list(wanted), now_us - reach_us, now_us, held=HELD_FOR_FORMULAS)
        )
        calculating.seed(past)

    async def _roll_up(self) -> None:
        dirty = self.pipeline.dirty
        before_us = self._now_us() - int(self.limits.rollup_grace_s * 1e6)
        async with self.committer.turn:  # no commit is under way
            points, dirty.marked_points = dirty.marked_points, 0
            minutes = dirty.take(before_us)
            for block in self.pipeline.pending.blocks:
                dirty.mark(block.tag, block.time_us)  # not in the store yet: still owed afterwards
        if len(minutes):
            chunk = rollups.chunk_of(len(minutes), points)
            if not await self._compute(minutes, spans.MINUTE_US, chunk, dirty.give_back):
                return
            dirty.done()
        hours = dirty.take_hours(before_us)
        if len(hours) and await self._compute(hours, spans.HOUR_US, rollups.CHUNK, dirty.give_back_hours):
            dirty.done_hours()

    async def _compute(self, keys: rollups.type_keys, width_us: int, chunk: int, give_back: Callable[[], None]) -> bool:
        """Compute buckets in the maintenance thread; what fails or is cut short is owed again."""
        self._job += 1
        job, version = self._job, self.pipeline.units.next_version(self._now_us())

        def work() -> bool:
            snapshot.note_version(self.store, version)
            return rollups.compute(
                self.store,
                keys,
                width_us=width_us,
                job=job,
                version=version,
                chunk=chunk,
                should_stop=self._stop.is_set,
            )

        is_done = False
        try:
            is_done = await self._in_background(work)
        finally:
            if not is_done:
                give_back()
        return is_done

    async def _in_background(self, work: Callable[[], Result]) -> Result:
        return await asyncio.get_running_loop().run_in_executor(self._background, work)

    async def _forget(self) -> None:
        """Apply the retention of tag classes, once a day and after a start."""
        plant = self.pipeline.plant
        if plant is None or time.monotonic() < self._retention_at:
            return
        self._on_forgotten(await self._in_background(lambda: retention.forget(self.store, plant, self._now_us())))
        self._retention_at = time.monotonic() + self.limits.retention_s

    async def _health(self) -> None:
        self._publish(subjects.live_health("historian"), msgspec.json.encode(self.health()))

    def health(self) -> Health:
        """Return the health line: rates since the last one, depths, drops, and why the log is held if it is."""
        then, points, messages = self._rates
        now = time.monotonic()
        counters, facts = self.pipeline.counters, self.committer.facts
        self._rates = (now, counters.points, counters.messages)
        span = max(now - then, 1e-3)
        try:
            free = self.store.free_bytes()
        except (StoreFailure, OSError):
            free = -1
        return Health(
            "historian",
            self._now_us(),
            {
                "alarms_active": self.pipeline.alarms.active_count,
                "alarm_facts_told": self.teller.told,
                "alarm_facts_waiting": self.teller.waiting,
                "job_signals_told": self.signal_teller.told,
                "job_signals_waiting": self.signal_teller.waiting,
                "points_per_s": round((counters.points - points) / span, 1),
                "messages_per_s": round((counters.messages - messages) / span, 1),
                "points": counters.points,
                "messages": counters.messages,
                "source_messages_per_min": {
                    str(source): rate
                    for source, rate in self._source_rates.per_minute(counters.messages_by_source, now).items()
                },
                "lag_messages": sum(reader.pending for reader in self.readers),
                "buffer_fill": round(self.pipeline.fill_ratio, 4),
                "is_held": self.pipeline.is_held,
                "hold_reason": facts.hold_reason,
                "commits": facts.commits,
                "commit_ms": round(facts.last_ms, 1),
                "commit_points": facts.last_points,
                "newest_commit_us": facts.newest_commit_us,
                "births_refused": facts.births_refused,
                "dropped_qos0": counters.dropped_best_effort,
                "deadband_skipped": counters.deadband_skipped,
                "refused": dict(counters.refused),
                "recovered": sum(t.recovered for t in self._tallies.values()),
                "refetched": sum(t.refetched for t in self._tallies.values()),
                "missing": sum(t.missing for t in self._tallies.values()),
                "questions_refused": self.answers.refused,
                "rederiving": self.reruns.facts(),
                "store_bytes": self._statistics.get("total_bytes", 0),
                "bytes_per_point": round(self._statistics.get("bytes_per_point", 0.0), 3),
                "disk_free_bytes": free,
                "rss_bytes": self._process.memory_info().rss,
                "data_time_us": {str(source): at for source, at in self.pipeline.data_times().items()},
                "trouble": self.connection_trouble,
                "complaints": self.pipeline.complaints()[:20],
                "config_version": self.pipeline.plant.version if self.pipeline.plant else 0,
            },
        )

    def _ready(self) -> None:
        if self._ready_file is not None:
            self._ready_file.write_text(str(os.getpid()))


async def _bucket_value(connection: Connection, bucket: str, key: str) -> bytes:
    """Return the newest value of a key; empty when there is none."""
    header, payload = await connection.request(f"$JS.API.DIRECT.GET.KV_{bucket}.$KV.{bucket}.{key}", b"")
    return payload if header_value(header, "Nats-Sequence") is not None else b""
