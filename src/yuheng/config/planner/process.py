"""The planner process: hears state changes, answers breakdowns with suggestions, tells the screens.

What it hears only makes it look at once; what is true in the database decides, and it looks once a second anyway. So a
broker that is away costs a second, and a planner that was killed goes on where it was.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
import time
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from yuheng.bus.messages import DispatchLive, Health, LiveStates
from yuheng.bus.subjects import live_dispatch, live_health
from yuheng.bus.wire import Connection, WireError, connect, type_raw
from yuheng.config.environment import Environment
from yuheng.config.worker.database import Database, DatabaseAway
from yuheng.engines.schedule.warm import warm
from yuheng.kernel.actor import system_actor
from yuheng.scheduling.building import STANDS, Standing
from yuheng.scheduling.services import forecasts, nightly, placing, watching
from yuheng.scheduling.services.loop import Looked

LOGGER = logging.getLogger(__name__)

ACTOR = system_actor("planner")
LOOK_S = 1.0
WAITS_S = 0.5
NIGHTLY_S = 30.0
FIRST_PLAN_S = 3.0
ALIVE_S = 5.0
FORECAST_LOOK_S = 5.0
FORECAST_S = 60.0
FORECAST_SHARE = 0.03
"""At most this share of the time goes into forecasts, however many orders there are."""
BACK_OFF_S = (0.05, 2.0)
STOP_WITHIN_S = 1.5
TOLD_S = 15.0
"""What was heard counts so long beside what the database says: the worker writes it within moments."""
MOST_HEARD = 10_000
"""Work units whose stop is remembered so; what is beyond is found in the database."""


class Planner:
    """Everything the process keeps in memory; what matters is in the database."""

    def __init__(self, environment: Environment, *, ready_file: str = "") -> None:
        self.database = Database()
        self.waits = Database()
        self.notes = Database()
        self.answered = 0
        self.last_ms = 0.0
        self.last_error = ""
        self._environment, self._ready_file = environment, ready_file
        self._heard: dict[int, dict[int, tuple[float, Standing]]] = {}
        self._is_warm = False
        self._warm_up: asyncio.Task[None] | None = None
        self._watches: dict[int, watching.Watch] = {}
        self.last_parts: dict[str, float] = {}
        self._has_heard = asyncio.Event()
        self._decoder = msgspec.json.Decoder(LiveStates)
        self._connection: Connection | None = None
        self._child: asyncio.subprocess.Process | None = None

    async def run(self, stop: asyncio.Event) -> None:
        """Plan until asked to stop, then end within two seconds."""
        tasks = [
            asyncio.create_task(self._answer(), name="answers"),
            asyncio.create_task(self._speak_with_broker(), name="broker"),
            asyncio.create_task(self._let_solve(), name="solver"),
            asyncio.create_task(self._plan_at_night(), name="nights"),
            asyncio.create_task(self._plan_first(), name="first plans"),
            asyncio.create_task(self._note_forecasts(), name="forecasts"),
        ]
        stopping = asyncio.create_task(stop.wait(), name="stop")
        done, _ = await asyncio.wait([stopping, *tasks], return_when=asyncio.FIRST_COMPLETED)
        for task in (stopping, *tasks):
            task.cancel()
        if self._child is not None and self._child.returncode is None:
            self._child.terminate()
        with suppress(TimeoutError):
            async with asyncio.timeout(STOP_WITHIN_S):
                await asyncio.gather(*tasks, return_exceptions=True)
                if self._child is not None:
                    await self._child.wait()
        if self._child is not None and self._child.returncode is None:
            self._child.kill()
        self.database.close()
        self.waits.close()
        self.notes.close()
        for task in done - {stopping}:
            task.result()  # one of the loops ended by itself: that is a fault, and it is raised here

    # ---- breakdowns -------------------------------------------------------------------------------------------------

    async def _answer(self) -> None:
        """Look at every planned site when something was heard, and once a second."""
        self._say_ready()
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_S):
                    await self._has_heard.wait()
            is_urgent = self._has_heard.is_set()
            self._has_heard.clear()
            try:
                sites = await self.database.run(watching.published_plans)
                if sites and not self._is_warm:  # a plant that does not plan pays nothing
                    await asyncio.shield(self._warming())
                for site_id, plan_id in sites.items():
                    watch = self._watches.setdefault(site_id, watching.Watch(site_id))
                    if watch.plan_id != plan_id:
                        watch.plan_id = plan_id
                        self._tell(watch)
                    await self._look(watch, is_urgent=is_urgent)
            except DatabaseAway as error:
                self.last_error = str(error)
                await asyncio.sleep(0.5)

    def _warming(self) -> asyncio.Task[None]:
        """The engine is being made ready; begun as soon as a first plan is asked for, not when it is published."""
        if self._warm_up is None:
            self._warm_up = asyncio.create_task(self._warm(), name="warming")
        return self._warm_up

    async def _warm(self) -> None:
        await asyncio.get_running_loop().run_in_executor(None, warm)
        self._is_warm = True

    async def _look(self, watch: watching.Watch, *, is_urgent: bool) -> None:
        began, site_id = time.perf_counter(), watch.site_id
        heard = self._heard.get(site_id, {})
        for unit in [unit for unit, (at, _one) in heard.items() if time.monotonic() - at > TOLD_S]:
            del heard[unit]
        try:
            found: Looked = await self.database.run(
                watching.look_at,
                actor=ACTOR,
                watch=watch,
                at=datetime.now(UTC),
                told=tuple(one for _at, one in heard.values()),
                is_urgent=is_urgent,
            )
            trouble = ""
        except DatabaseAway:
            raise
        except Exception as error:  # one site's fault must not stop the others; the next look tries again
            LOGGER.exception("Site %d could not be looked at.", site_id)
            self.last_error = trouble = f"{type(error).__name__}: {error}"
            found = Looked(site_id)
        if trouble or time.monotonic() - watch.said_at >= ALIVE_S:
            watch.said_at = time.monotonic()
            await self.database.run(watching.say_alive, site_id=site_id, at=datetime.now(UTC), trouble=trouble)
        if found.has_news:
            self.last_parts = dict(found.took_ms)
            self.last_ms = round((time.perf_counter() - began) * 1000, 1)
            self.answered += len(found.answered)
            self._tell(watch)

    def _tell(self, watch: watching.Watch) -> None:
        """Let every screen ask again; what is told here is only that there is something."""
        if self._connection is not None:
            body = DispatchLive(watch.site_id, time.time_ns() // 1000, watch.plan_id)
            self._connection.publish(live_dispatch(watch.site_id), msgspec.json.encode(body))

    def _hear(self, items: list[type_raw]) -> None:
        for subject, _reply, _header, payload in items:
            with suppress(msgspec.DecodeError, ValueError):
                self._note(int(subject.rsplit(b".", 1)[1]), self._decoder.decode(payload))

    def _note(self, site_id: int, message: LiveStates) -> None:
        heard = self._heard.setdefault(site_id, {})
        for unit in message.units:
            if unit.state in STANDS and len(heard) < MOST_HEARD:
                since = datetime.fromtimestamp(unit.since_us / 1e6, UTC)
                heard[unit.work_unit_id] = (time.monotonic(), Standing(unit.work_unit_id, unit.cause, since))
                self._has_heard.set()
            elif unit.state not in STANDS:  # that it works again, the database says soon enough
                heard.pop(unit.work_unit_id, None)

    # ---- plans that somebody asked for ------------------------------------------------------------------------------

    async def _let_solve(self) -> None:
        """Start the child when something waits and none is there. It goes by itself when nothing waits."""
        while True:
            with suppress(DatabaseAway):
                if await self.waits.run(nightly.is_waiting, at=datetime.now(UTC)):
                    self._warming()
                    await self._start_child()
            await asyncio.sleep(WAITS_S)

    async def _start_child(self) -> None:
        if self._child is not None and self._child.returncode is None:
            return
        self._child = await asyncio.create_subprocess_exec(sys.executable, "-m", "yuheng.config.planner", "--solve")

    async def _plan_at_night(self) -> None:
        """Ask for the plan of the night where a site wants one."""
        while True:
            with suppress(DatabaseAway):
                await self.waits.run(nightly.ask_what_is_due, actor=ACTOR, now=datetime.now(UTC), zone_of=ZoneInfo)
            await asyncio.sleep(NIGHTLY_S)

    async def _plan_first(self) -> None:
        """Make the first plan where a site wants one; give new work its place in plans that hold."""
        tried: dict[int, frozenset[int]] = {}
        while True:
            try:
                await self.waits.run(watching.make_first_plans, actor=ACTOR, at=datetime.now(UTC))
                await self.waits.run(placing.place_new_work, actor=ACTOR, at=datetime.now(UTC), tried=tried)
            except DatabaseAway:
                pass
            except Exception as error:  # said on the health page; the answers to breakdowns go on
                LOGGER.exception("The first plan could not be made.")
                self.last_error = f"{type(error).__name__}: {error}"
            await asyncio.sleep(FIRST_PLAN_S)

    async def _note_forecasts(self) -> None:
        """Note what orders are expected at: soon after another plan holds, else now and then; breakdowns go first."""
        noted: dict[int, tuple[int, float]] = {}
        while True:
            await asyncio.sleep(FORECAST_LOOK_S)
            if self._has_heard.is_set() or not self._is_warm:
                continue
            with suppress(DatabaseAway):
                for site_id, plan_id in (await self.notes.run(forecasts.planned_sites)).items():
                    known, due = noted.get(site_id, (0, 0.0))
                    if known == plan_id and time.monotonic() < due:
                        continue
                    took = await self._note_site(site_id)
                    noted[site_id] = (plan_id, time.monotonic() + max(FORECAST_S, took / FORECAST_SHARE))

    async def _note_site(self, site_id: int) -> float:
        began = time.perf_counter()
        try:
            await self.notes.run(forecasts.note_forecasts, actor=ACTOR, site_id=site_id, at=datetime.now(UTC))
        except DatabaseAway:
            raise
        except Exception as error:  # one site's fault must not stop the others; the next look tries again
            LOGGER.exception("Forecasts of site %d could not be noted.", site_id)
            self.last_error = f"{type(error).__name__}: {error}"
        return time.perf_counter() - began

    # ---- broker -----------------------------------------------------------------------------------------------------

    async def _speak_with_broker(self) -> None:
        """One session after another, for ever."""
        delay = BACK_OFF_S[0]
        while True:
            began = time.monotonic()
            try:
                connection = await connect(self._environment.nats_url, name="yuheng-planner")
                try:
                    connection.subscribe("yh.live.state.*", self._hear)
                    self._connection = connection
                    async with asyncio.TaskGroup() as group:
                        group.create_task(_until_lost(connection))
                        group.create_task(self._say_how_we_are(connection))
                finally:
                    self._connection = None
                    connection.close()
            except* (WireError, OSError, TimeoutError) as group_of:
                self.last_error = str(group_of.exceptions[0]) or type(group_of.exceptions[0]).__name__
            delay = BACK_OFF_S[0] if time.monotonic() - began > 5.0 else min(delay * 2, BACK_OFF_S[1])
            await asyncio.sleep(delay)

    async def _say_how_we_are(self, connection: Connection) -> None:
        while True:
            health = Health("planner", int(time.time() * 1e6), self.facts())
            connection.publish(live_health("planner"), msgspec.json.encode(health))
            await asyncio.sleep(1.0)

    def facts(self) -> dict[str, Any]:
        """Return what the health line says."""
        return {
            "database": self.database.is_there,
            "answered": self.answered,
            "last_answer_ms": self.last_ms,
            "last_answer_parts_ms": self.last_parts,
            "is_solving": self._child is not None and self._child.returncode is None,
            "last_error": self.last_error,
        }

    def _say_ready(self) -> None:
        if self._ready_file and not Path(self._ready_file).exists():
            Path(self._ready_file).write_text(str(os.getpid()))


async def _until_lost(connection: Connection) -> None:
    await connection.closed.wait()
    raise WireError(connection.reason or "The connection was lost.")


async def serve(environment: Environment, *, ready_file: str = "") -> None:
    """Run the planner until SIGTERM or SIGINT."""
    stop = asyncio.Event()
    running = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        running.add_signal_handler(number, stop.set)
    await Planner(environment, ready_file=ready_file).run(stop)
