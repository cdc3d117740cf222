"""The floor and the office of one demo plant, kept going: asks Yuheng what there is to do, and lets people do it."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from yuheng.simulation.making.crews import Operator, badge_of, operators, shift_at, token_of
from yuheng.simulation.making.doors import DoorClosed, Json, Refused, Tablet, Web
from yuheng.simulation.making.office import Office
from yuheng.simulation.making.stations import Hall, Station
from yuheng.simulation.model import Plant
from yuheng.simulation.products import Catalogue
from yuheng.simulation.work import StartedJobs

log = logging.getLogger(__name__)

TURN_S = 1.0
LOOK_EVERY_S, SYNC_EVERY_S, BUY_EVERY_S, HELP_EVERY_S = 15.0, 45.0, 60.0, 45.0
STARTS_A_LOOK = 6
AT_ONCE = 2
"""Requests at the same time: people act one after the other, and the computer is shared."""

MOST_LISTED = 400
WAITS_AFTER_CLOSED_S = 5.0


@dataclass(frozen=True, slots=True)
class Keys:
    """What the installer has left for the simulated people; see `config.demo_floor.FloorKeys`."""

    site_id: int
    secret: str
    token: str
    units: dict[str, int]
    classes: dict[str, int]


class Shop:
    """Everybody who works in one demo plant.

    Parameters
    ----------
    plant, work
        The model, and how a started job reaches a machine.
    keys
        Badges, tablets and the token follow from these.
    """

    def __init__(
        self, plant: Plant, work: StartedJobs, catalogue: Catalogue, keys: Keys, web: Web, *, seed: int
    ) -> None:
        self._plant = plant
        self._catalogue = catalogue
        self._keys = keys
        self._web = web
        self._zone = ZoneInfo(catalogue.plant.time_zone)
        self.hall = Hall(plant, work, catalogue, self._shift, _who(catalogue, keys.secret), seed)
        self.stations = {
            code: Station(self.hall, machine, Tablet(web, token_of(keys.secret, code)))
            for code, machine in plant.machines.items()
        }
        self.office = Office(web, catalogue, keys.site_id, seed=seed)
        self._codes = {key: code for code, key in keys.classes.items()}
        self._acting: set[str] = set()
        self._gate = asyncio.Semaphore(AT_ONCE)
        self._due = {self._sync: 0.0, self._look: 3.0, self._sell: 20.0, self._buy: 10.0, self._help: 30.0}
        self._every = {
            self._sync: SYNC_EVERY_S, self._look: LOOK_EVERY_S, self._sell: 20.0, self._buy: BUY_EVERY_S,
            self._help: HELP_EVERY_S,
        }  # fmt: skip

    def take_over(self) -> None:
        """Let people start what is made from now on; what the machines made before was nobody's."""
        self.hall.work.open()
        self._plant.empty()

    async def run(self) -> None:
        """Work for ever; when Yuheng does not answer, wait."""
        async with asyncio.TaskGroup() as group:
            begun = time.time()
            self._due = {chore: begun + after for chore, after in self._due.items()}
            while True:
                await asyncio.sleep(TURN_S)
                self.turn(time.time(), group)

    def turn(self, now: float, group: asyncio.TaskGroup) -> None:
        """Let everybody do what is due now."""
        for code, station in self.stations.items():
            if code not in self._acting and (verb := station.due(now)):
                self._let(group, code, station.act(verb, now))
        for chore, due in self._due.items():
            name = chore.__name__
            if now >= due and name not in self._acting:
                self._due[chore] = now + self._every[chore]
                self._let(group, name, chore(now))

    def _let(self, group: asyncio.TaskGroup, name: str, doing: Awaitable[object]) -> None:
        self._acting.add(name)
        group.create_task(self._do(name, doing))

    async def _do(self, name: str, doing: Awaitable[object]) -> None:
        try:
            if name in self.stations:
                async with self._gate:
                    await doing
            else:
                await doing
        except DoorClosed as error:
            log.info("%s waits: %s", name, error)
            await asyncio.sleep(WAITS_AFTER_CLOSED_S)
        except Refused as error:
            log.info("%s was refused: %s", name, error)
        finally:
            self._acting.discard(name)

    # ---- chores ----------------------------------------------------------------------------------------------------

    async def _sync(self, now: float) -> None:
        """Go on where Yuheng says that somebody is at work, and nobody of ours is."""
        for row in await self._jobs(states="running,interrupted"):
            station = self.stations.get(row["work_unit_code"])
            if station is None or station.work is not None or station.code in self._acting or not _can_go_on(row):
                continue
            self._acting.add(station.code)
            await self._do(station.code, station.go_on(row, now))

    async def _look(self, now: float) -> None:
        """Let those who look for work find some, where there is any."""
        if not self.hall.work.is_open:
            return
        free = [one for one in self.stations.values() if one.code not in self._acting and one.wants_work(now)]
        if not free:
            return
        ready: dict[str, int] = {}
        for row in await self._jobs(states="allowed_to_start", substates="ready,loaded"):
            if row["id"] not in self.hall.claimed:
                self.hall.rows[row["id"]] = row
                kind = self._codes.get(row["equipment_class_id"], "")
                ready[kind] = ready.get(kind, 0) + 1
        started = 0
        for station in free:
            kind = station.machine.kind.code
            if ready.get(kind, 0) > 0 and started < STARTS_A_LOOK:
                ready[kind] -= 1
                started += 1
                self._acting.add(station.code)
                await self._do(station.code, station.begin(now))

    async def _sell(self, now: float) -> None:
        if self.hall.work.is_open:
            await self.office.sell(now)

    async def _buy(self, now: float) -> None:
        if self.hall.work.is_open:
            await self.office.buy(now)

    async def _help(self, now: float) -> None:
        await self.office.help(now)

    # ---- inside ----------------------------------------------------------------------------------------------------

    async def _jobs(self, **narrowed: str) -> list[Json]:
        page = await self._web.ask("/job-orders", site_id=self._keys.site_id, limit=MOST_LISTED, **narrowed)
        rows: list[Json] = page["rows"]
        for row in rows:
            since = row["actual_start"]
            row["actual_start_s"] = datetime.fromisoformat(since).timestamp() if since else 0.0
        return rows

    def _shift(self, now: float) -> str:
        return shift_at(datetime.fromtimestamp(now, self._zone).hour)


Chore = Callable[[float], Awaitable[None]]


def _can_go_on(row: Json) -> bool:
    """Whether there is something to do for a job that is begun: a paused one may wait for pieces, or be on hold."""
    if row["substate"] == "suspended":
        return False
    if row["state"] == "running" or row["arrived"] is None or row["is_final"]:
        return True
    return bool(row["arrived"] - row["good"] - row["scrap"] - row["rework"] >= 1)


def _who(catalogue: Catalogue, secret: str) -> dict[tuple[str, str], tuple[Operator, str]]:
    """Return (station, shift) -> who works there, and the fingerprint of their badge, as a terminal makes it."""
    return {
        (station, one.shift): (one, hashlib.sha256(badge_of(secret, one).encode()).hexdigest())
        for one in operators(catalogue)
        for station in one.stations
    }
