"""One station with its people, its tablet and its machine: what a person does there, from a job's start to its end.

A station decides by itself what is to be done next (`Station.due`, cheap, asked every second) and does it
(`Station.act`, over HTTP). The machine belongs to the model; the person starts it, looks at it, and reports.
"""

from __future__ import annotations

import logging
import random
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from yuheng.engines.states.vocabulary import UnitState
from yuheng.simulation import catalogue as machines
from yuheng.simulation.engine import chance
from yuheng.simulation.machines import Machine
from yuheng.simulation.making.crews import Operator
from yuheng.simulation.making.doors import Json, Tablet
from yuheng.simulation.making.picking import answer, measured, open_checks, pick
from yuheng.simulation.model import Plant
from yuheng.simulation.products import Catalogue, Trade
from yuheng.simulation.work import Job, StartedJobs

log = logging.getLogger(__name__)

REPORTS_A_JOB = 4
LOOKS_AGAIN_S = 90.0
"""How long a person does something else after looking for work in vain."""

MENDED_WITHIN_S = 240.0
"""A fault that takes longer is a pause with its reason, and a call for maintenance."""

CALLS_AGAIN_S = 2700.0
LONGEST_SESSION_S = 13 * 3600.0
"""Who has not signed out by then is signed out by the terminal itself."""

WRONG_AT_FIRST = 0.03
OFFLINE_EVERY_S, OFFLINE_S = 4 * 3600.0, (40.0, 90.0)
LARGE_LOT, SURPLUS = 20, 0.02
"""From so many pieces on a few are made in addition, so that some may be lost."""


@dataclass(slots=True)
class Work:
    """The job order that a station is at.

    Attributes
    ----------
    job
        What the machine makes of it.
    to_make
        Pieces that were open when it was begun here.
    base
        Good pieces that had been reported before.
    told, told_bad
        What has been reported from here.
    """

    id: int
    code: str
    request: str
    job: Job
    to_make: int
    base: int
    is_set_up_told: bool = False
    told: int = 0
    told_bad: int = 0
    done_at: float = 0.0
    pause: str = ""
    due_at: float = 0.0


class Surplus:
    """How many pieces of each part may still be lost before something is missing in the end."""

    def __init__(self) -> None:
        self._left: dict[str, int] = {}

    def take(self, request: str, quantity: float) -> bool:
        """Return whether one piece may be thrown away; else it has to be mended."""
        left = self._left.setdefault(request, int(quantity * SURPLUS) if quantity >= LARGE_LOT else 0)
        if left <= 0:
            return False
        self._left[request] = left - 1
        return True


@dataclass(slots=True)
class Hall:
    """What the stations of one plant share.

    Attributes
    ----------
    claimed
        Job orders that somebody is about to start.
    rows
        Job orders that can be started, as the dispatch list has them, by id.
    who
        (station, shift) -> who works there, and what their badge says, as a fingerprint.
    """

    plant: Plant
    work: StartedJobs
    catalogue: Catalogue
    shift: Callable[[float], str]
    who: Mapping[tuple[str, str], tuple[Operator, str]]
    seed: int
    surplus: Surplus = field(default_factory=Surplus)
    claimed: set[int] = field(default_factory=set)
    rows: dict[int, Json] = field(default_factory=dict)


class Station:
    """One station."""

    def __init__(self, hall: Hall, machine: Machine, tablet: Tablet) -> None:
        self.hall = hall
        self.machine = machine
        self.code = machine.spec.code
        self.tablet = tablet
        self.trade: Trade = hall.catalogue.trade(machine.kind.code)
        self.work: Work | None = None
        self.refused = 0
        self._stream: random.Random = chance(hall.seed, f"station/{self.code}")
        self._session, self._shift, self._signed_at = "", "", 0.0
        self._look_at = 0.0
        self._call_at = 0.0
        self._offline_at = self._stream.expovariate(1 / OFFLINE_EVERY_S)
        self._online_at = 0.0
        self._began = 0.0

    # ---- what is to be done ----------------------------------------------------------------------------------------

    @property
    def is_free(self) -> bool:
        """Whether somebody could begin something here."""
        return self.work is None and self.machine.job is None and self.machine.is_waiting

    def wants_work(self, now: float) -> bool:
        """Whether somebody here looks for the next job."""
        return self.is_free and now >= self._look_at

    def due(self, now: float) -> str:
        """Return what is to be done here now: the name of a verb of `act`, or nothing."""
        self._lose_or_find_the_network(now)
        if self.work is None:
            return ""
        if now < self.work.due_at:
            return ""
        if self._shift != self.hall.shift(now - self._stream_of_shift):
            return "relieve"
        return self._due_of(self.work, now)

    @property
    def _stream_of_shift(self) -> float:
        """Not everybody comes on the minute: up to ten minutes, always the same at one station."""
        return float(sum(self.code.encode()) * 37 % 600)

    def _due_of(self, work: Work, now: float) -> str:
        state = self.machine.state
        if work.job.is_over:
            if not work.done_at:
                work.done_at = now + self._stream.uniform(8, 35)
            return "finish" if now >= work.done_at and not self.tablet.is_offline else ""
        if not self.trade.is_counting and (verb := self._due_of_state(work, state, now)):
            return verb
        if work.pause:
            return ""
        if not work.is_set_up_told and state is UnitState.PRODUCING:
            return "set_up"
        if work.job.scrapped > work.told_bad:
            return "reject"
        if self.trade.is_counting or work.to_make < 2:
            return ""
        step = max(1, work.to_make // REPORTS_A_JOB)
        return "report" if min(work.job.made, work.to_make) - work.told >= step else ""

    def _due_of_state(self, work: Work, state: UnitState, now: float) -> str:
        """Pause and resume where no signal does it."""
        stands_s = self.hall.plant.now - self.machine.since
        if work.pause:
            return "resume" if state in (UnitState.PRODUCING, UnitState.SETUP) else ""
        if state is UnitState.DOWN and stands_s > MENDED_WITHIN_S:
            return "pause"
        is_break = state is UnitState.PLANNED_STOP and self.machine.cause == str(machines.STOP_BREAK)
        return "pause" if is_break and stands_s > 20 else ""

    def _lose_or_find_the_network(self, now: float) -> None:
        if self._began == 0.0:
            self._began = now
        if self.tablet.is_offline:
            if now >= self._online_at:
                self.tablet.is_offline = False
                self._offline_at = now - self._began + self._stream.expovariate(1 / OFFLINE_EVERY_S)
        elif self.work is not None and now - self._began >= self._offline_at:
            self.tablet.is_offline = True
            self._online_at = now + self._stream.uniform(*OFFLINE_S)

    # ---- doing it --------------------------------------------------------------------------------------------------

    async def act(self, verb: str, now: float) -> None:
        """Do what is due. Raises `DoorClosed` when Yuheng does not answer; it is done later then."""
        work = self.work
        if work is None:
            return
        self._sign_in(now)
        if verb == "finish":
            await self._finish(work, now)
            return
        getattr(self, f"_{verb}")(work, now)
        await self._sent()

    async def begin(self, now: float) -> bool:
        """Look for a job on the tablet and start it; return whether one was begun."""
        self._look_at = now + LOOKS_AGAIN_S * self._stream.uniform(0.7, 1.3)
        picture = await self.tablet.picture()
        is_busy = any(job["state"] == "running" and job["isHere"] for job in picture["jobs"])
        chosen = None if is_busy else self._choose(picture["jobs"], now)
        if chosen is None or not self.is_free:
            await self._sent()
            return False
        self.hall.claimed.add(chosen["id"])
        self._use_session(picture, now)
        self._sign_in(now)
        started = self.tablet.note("start", self._session, now, chosen["id"], crew=[])
        answers = await self.tablet.send()
        if answers.get(started) != "":
            self.refused += 1
            log.info("%s could not start %s: %s", self.code, chosen["code"], answers.get(started))
            return False
        self.work = self._take(chosen)
        self.hall.work.start(self.work.job.code, self.code)
        self.hall.plant.admit(self.work.job)
        for one in pick(chosen["materials"]).picks:
            self.tablet.note(
                "consume", self._session, now, chosen["id"], lot=one.lot, quantity=one.quantity,
                requirement=one.requirement,
            )  # fmt: skip
        if chosen["parameters"]:
            values = {one["code"]: measured(one, self._stream.random()) for one in chosen["parameters"]}
            self.tablet.note("parameters", self._session, now, chosen["id"], values=values)
        await self._sent()
        return True

    async def go_on(self, row: Json, now: float) -> None:
        """Go on with a job order that Yuheng says is begun here: after a start of the demo, or of somebody else."""
        picture = await self.tablet.picture()
        chosen = next((one for one in picture["jobs"] if one["id"] == row["id"]), None)
        if chosen is None or self.work is not None:
            return
        if any(one["job_code"] == chosen["code"] for one in picture["conflicts"]):
            return  # a supervisor decides first: whatever is reported now would only wait behind it
        self.hall.rows[row["id"]] = row
        self._use_session(picture, now)
        self._sign_in(now)
        work = self._take(chosen)
        if row["arrived"] is not None and row["arrived"] - row["good"] - row["scrap"] - row["rework"] < 1:
            work.job.is_over = True  # nothing came any more: it only has to be finished
            work.pause = "before" if row["state"] == "interrupted" else ""
            work.to_make, self.work = 0, work
            return
        if row["good"] == 0 and row["scrap"] == 0 and row.get("actual_start_s"):  # it is at it since then
            ran_s = now - row["actual_start_s"] - row["setup_s"]
            work.job.made = max(0, min(work.job.released - 1, int(ran_s / max(work.job.cycle_s, 1.0))))
        work.is_set_up_told = True
        work.pause = "before" if row["state"] == "interrupted" else ""
        self.work = work
        self.hall.plant.take_over(self.code, work.job)
        await self._sent()

    def _choose(self, jobs: list[Json], now: float) -> Json | None:
        """Return the job to start: a rushed one, one that needs no set-up, or the first, if its material is there."""
        able = []
        for job in jobs:
            if (
                job["state"] != "allowed_to_start"
                or not job["isHere"]
                or job["missing"]
                or job["id"] in self.hall.claimed
            ):
                continue
            if job["id"] not in self.hall.rows or job["remaining"] < 1:
                continue
            if short := pick(job["materials"]).short:
                self._call("material", now, job["id"], short[0])
                continue
            able.append(job)
        rushed = [job for job in able if job["is_rush"]]
        fitted = [job for job in able[:4] if self._family(job) == self.machine.fitted_family]
        return next(iter((*rushed, *fitted, *able)), None)

    def _family(self, job: Json) -> str:
        made = self.hall.catalogue.by_code().get(job["material_code"])
        return made.family if made is not None else ""

    def _take(self, job: Json) -> Work:
        """Return what the station and its machine have to do of a job."""
        row = self.hall.rows[job["id"]]
        arrived = row["quantity"] if row.get("arrived") is None else min(row["quantity"], row["arrived"])
        to_make = max(1, round(arrived - job["good"] - job["scrap"] - job["rework"]))
        product = self.hall.catalogue.by_code().get(job["material_code"])
        is_single = product is not None and product.is_product
        model_job = Job(
            code=job["code"],
            family=self._family(job) or self.machine.fitted_family,
            route=(self.machine.spec.work_center.code,),
            released=to_make,
            cycle_s=row["run_s"] / max(row["quantity"], 1) * self._stream.uniform(0.92, 1.1),
            run_id=job["code"],
            is_flawless=job["is_rework"]
            or (is_single and self._stream.random() > 0.25)
            or to_make < 4 <= row["quantity"],
        )
        return Work(
            id=job["id"], code=job["code"], request=job["request_code"], job=model_job, to_make=to_make,
            base=round(job["good"]),
        )  # fmt: skip

    # ---- verbs -----------------------------------------------------------------------------------------------------

    def _set_up(self, work: Work, now: float) -> None:
        work.is_set_up_told = True
        self.tablet.note("set_up", self._session, now, work.id)

    def _report(self, work: Work, now: float) -> None:
        good = min(work.job.made, work.to_make) - work.told
        work.told += good
        self.tablet.note("report", self._session, now, work.id, good=good, scrap=0, rework=0, reason="", note="")

    def _reject(self, work: Work, now: float) -> None:
        work.told_bad += 1
        is_lost = self.hall.surplus.take(work.request, work.to_make)
        counts = {"good": 0, "scrap": int(is_lost), "rework": int(not is_lost)}
        reason = self._stream.choice(("dimension", "surface"))
        self.tablet.note("report", self._session, now, work.id, **counts, reason=reason, note="")

    def _pause(self, work: Work, now: float) -> None:
        is_down = self.machine.state is UnitState.DOWN
        work.pause = "machine" if is_down else "break"
        self.tablet.note("pause", self._session, now, work.id, reason=work.pause, note="")
        if is_down:
            self._call("maintenance", now, work.id, self.machine.cause)

    def _resume(self, work: Work, now: float) -> None:
        work.pause = ""
        self.tablet.note("resume", self._session, now, work.id)

    def _relieve(self, work: Work, now: float) -> None:
        """Change of shift: who leaves signs out, who comes signs in and goes on."""
        self._sign_in(now)
        self.tablet.note("crew", self._session, now, work.id, crew=[])

    def _call(self, kind: str, now: float, job: int, note: str) -> None:
        if now < self._call_at or not self._session:
            return
        self._call_at = now + CALLS_AGAIN_S
        self.tablet.note("help", self._session, now, job, kind=kind, note=note)

    async def _finish(self, work: Work, now: float) -> None:
        """Report what is left, answer the checks, and finish."""
        work.due_at = now + 30  # when this does not go through, it is tried again
        picture = await self.tablet.picture()
        job = next((one for one in picture["jobs"] if one["id"] == work.id), None)
        if job is None or job["state"] not in ("running", "interrupted"):
            self._forget()
            return
        if work.pause or job["state"] == "interrupted":
            self._resume(work, now)
        bad = work.job.scrapped - work.told_bad
        for _piece in range(bad):
            self._reject(work, now)
        for check in open_checks(job["checks"]):
            if check["kind"] == "measured" and self._stream.random() < WRONG_AT_FIRST and check.get("high") is not None:
                self.tablet.note(
                    "check", self._session, now, work.id, check=check["code"], value=check["high"] * 1.2 + 1
                )
            self.tablet.note("check", self._session, now, work.id, **answer(check, self._stream.random()))
        good = max(0, min(work.base + min(work.job.made, work.to_make) - round(job["good"]), round(job["remaining"])))
        if round(job["remaining"]) - good - bad >= 1 and await self._waits_for_more(work, job, good, now):
            return
        finished = self.tablet.note(
            "finish", self._session, now, work.id, good=good, scrap=0, rework=0, is_short=False, reason="", note=""
        )
        answers = await self.tablet.send()
        if answers.get(finished) != "":
            self.refused += 1
            log.info("%s could not finish %s: %s", self.code, work.code, answers.get(finished))
        self._forget()

    async def _waits_for_more(self, work: Work, job: Json, good: int, now: float) -> bool:
        """Go on with pieces that have come meanwhile; where more will come later, report and put the job aside."""
        await self._sent()
        row = (await self.tablet.web.ask(f"/job-orders/{work.id}"))["job"]
        come = row["quantity"] if row["arrived"] is None else min(row["quantity"], row["arrived"])
        processed = row["good"] + row["scrap"] + row["rework"]
        more = round(come - processed) - good
        if more < 1 and row["is_final"]:
            return False
        if good > 0:
            self.tablet.note("report", self._session, now, work.id, good=good, scrap=0, rework=0, reason="", note="")
        if more >= 1:
            self.hall.rows[work.id] = row | {"good": row["good"] + good}
            self.work = self._take(job | {"good": row["good"] + good, "scrap": row["scrap"], "rework": row["rework"]})
            self.work.is_set_up_told = True
            self.hall.work.start(self.work.job.code, self.code)
            self.hall.plant.admit(self.work.job)
        else:
            self.tablet.note("pause", self._session, now, work.id, reason="material", note="")
            self._forget()
        await self._sent()
        return True

    def _forget(self) -> None:
        if self.work is not None:
            self.hall.claimed.discard(self.work.id)
            self.hall.rows.pop(self.work.id, None)
        self.work = None
        self._look_at = 0.0

    # ---- signing in ------------------------------------------------------------------------------------------------

    def _use_session(self, picture: Json, now: float) -> None:
        """Go on as who is signed in at the tablet already, when they are of this shift."""
        if self._session:
            return
        shift = self.hall.shift(now - self._stream_of_shift)
        operator, _badge = self.hall.who[self.code, shift]
        for one in picture["people"]:
            if one["name_en"] == operator.name_en and one["expires_ms"] > (now + 3600) * 1000:
                self._session, self._shift, self._signed_at = one["session"], shift, now

    def _sign_in(self, now: float) -> None:
        """Scan the badge of who works here in this shift, unless they are signed in."""
        shift = self.hall.shift(now - self._stream_of_shift)
        if self._session and self._shift == shift:
            return
        if self._session and now - self._signed_at < LONGEST_SESSION_S:
            self.tablet.note("sign_out", self._session, now)
        _operator, badge = self.hall.who[self.code, shift]
        self._session, self._shift, self._signed_at = str(uuid.uuid4()), shift, now
        self.tablet.note("sign_in", self._session, now, badge=badge)

    async def _sent(self) -> None:
        for sentence in (await self.tablet.send()).values():
            if sentence:
                self.refused += 1
                log.info("%s was refused: %s", self.code, sentence)
