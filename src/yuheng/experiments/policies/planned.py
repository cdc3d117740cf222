"""Plans by the engine, followed at the stations; with the loop, changed by what production's own code suggests."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

from yuheng.engines.schedule.check import check
from yuheng.engines.schedule.decode import NoPlan
from yuheng.engines.schedule.faults import ProblemError
from yuheng.engines.schedule.solve import solve
from yuheng.experiments.floor import Floor, Job, Machine, Order, Stop
from yuheng.experiments.parameters import BEGINS
from yuheng.experiments.telling import Teller, moment
from yuheng.operations.rules.turns import turn
from yuheng.scheduling.building import Built, Rows, build
from yuheng.scheduling.building.answering import Answer, Choice, answer
from yuheng.scheduling.building.carrying import carry, objective
from yuheng.scheduling.building.placing import place_new
from yuheng.simulation.products import Catalogue

PLAN, LOOK, HEARD, PLACE = "plan", "look", "heard", "place"
LONGEST_S = 600.0


@dataclass(frozen=True, slots=True)
class Place:
    """Where a plan has a job order: machine (its index) and minute of its start."""

    machine: int
    start: int


@dataclass(slots=True)
class Counted:
    """What planning did and cost."""

    plans: int = 0
    placed: int = 0
    answers: int = 0
    kept: int = 0
    failed: int = 0
    refused: int = 0
    changed_machine: int = 0
    moved: int = 0
    cpu_s: float = 0.0


class Planned:
    """A plan every so often; stations follow it.

    Parameters
    ----------
    reacts_after_min
        With the loop: a stop is answered when it has lasted so long; None: nobody reacts before the next plan.
    effort
        Search by so much effort instead of CPU time: equal seeds then give equal plans.
    """

    def __init__(
        self, catalogue: Catalogue, *, reacts_after_min: int | None = None, seed: int = 0, effort: int | None = None
    ) -> None:
        self.rows: Rows | None = None
        self.counted = Counted()
        self._catalogue, self._reacts_after, self._seed = catalogue, reacts_after_min, seed
        self._effort = effort
        self._teller: Teller | None = None
        self._places: dict[int, Place] = {}
        self._ready: dict[str, dict[int, Job]] = {}
        self._heard: dict[int, Stop] = {}
        self._last_answer = -(1 << 20)
        self._looks_at = self._places_at = -1

    # --- what the floor says

    def order_came(self, floor: Floor, order: Order) -> None:
        """Release it: until a plan places it, every station that can do a step of it sees it.

        With the loop a rush order is told at once; all others wait for the next plan or answer.
        """
        for job_id in order.jobs:
            floor.release(floor.jobs[job_id])
        if self.rows is None:
            return
        if self._reacts_after is not None and order.demand.is_rush:
            self._look_soon(floor)
        if self._places_at < floor.now:
            self._places_at = floor.now + floor.parameters.place_min
            floor.wake_at(self._places_at, PLACE)

    def became_ready(self, floor: Floor, job: Job) -> None:
        """It may begin: stations see it in their lists."""
        self._ready.setdefault(job.task.machine, {})[job.id] = job

    def choose(self, floor: Floor, machine: Machine) -> int:
        """Return the job order whose turn it is by the rule that sorts production's station lists."""
        ready = self._ready.get(machine.kind)
        if not ready:
            return 0
        now, best, chosen = moment(floor.now), None, 0
        for job in ready.values():
            place = self._places.get(job.id)
            demand = floor.orders[job.order].demand
            key = turn(
                job_id=job.id,
                rank=demand.rank,
                due_at=moment(demand.due),
                planned_start=None if place is None else moment(place.start),
                work_unit_id=None if place is None else place.machine,
                here=machine.index,
                now=now,
                waits_behind=place is not None and _is_taken(floor.machines[place.machine]),
            )
            if key is not None and (best is None or key < best):
                best, chosen = key, job.id
        ready.pop(chosen, None)
        return chosen

    def stopped(self, floor: Floor, machine: Machine) -> None:
        """With the loop: hear of it when it has lasted long enough."""
        if self._reacts_after is not None:
            floor.wake_at(floor.now + self._reacts_after, f"{HEARD} {machine.index}")

    def is_back(self, floor: Floor, machine: Machine) -> None:
        """What was heard of it is over."""
        self._heard.pop(machine.index, None)

    def woken(self, floor: Floor, why: str) -> None:
        """Plan, or answer."""
        if why in ("begin", PLAN):
            self.plan(floor)
            floor.wake_at(floor.now + floor.parameters.plan_min, PLAN)
        elif why.startswith(HEARD):
            machine = floor.machines[int(why.removeprefix(HEARD))]
            heard_since = floor.now - (self._reacts_after or 0)
            if machine.stop is not None and machine.stop.start <= heard_since and machine.index not in self._heard:
                self._heard[machine.index] = machine.stop
                self._look_soon(floor)
        elif why == LOOK and floor.now == self._looks_at:
            self.react(floor)
        elif why == PLACE and floor.now == self._places_at:
            self.place(floor)

    def _look_soon(self, floor: Floor) -> None:
        due = max(floor.now, self._last_answer + floor.parameters.loop_least_min)
        if self._looks_at < floor.now or due < self._looks_at:
            self._looks_at = due
            floor.wake_at(due, LOOK)

    # --- deciding

    def plan(self, floor: Floor) -> None:
        """Plan everything that is open, from the plan there is, as the planner does for whoever asks."""
        begun = time.process_time()
        # Whoever plans sees what stands.
        standing = tuple(one for one in floor.machines if one.stop is not None)
        built = self.built(floor, standing)
        if built.problem is not None:
            before = carry(built, self.rows) if self.rows else None
            situation = before.situation if before else built.situation(self.rows)
            kept = before.plan if before else None
            try:
                found = solve(
                    situation.problem,
                    objective(),
                    floor.parameters.plan_cpu_s if self._effort is None else LONGEST_S,
                    seed=self._seed,
                    start=kept,
                    reference=kept,
                    clock=time.process_time,
                    effort=self._effort,
                )
            except (NoPlan, ProblemError):
                self.counted.failed += 1
            else:
                if check(situation.problem, found.plan):
                    self.counted.refused += 1
                else:
                    self.counted.plans += 1
                    self.follow(floor, built.rows(situation.problem, found.plan))
        self._heard = {one.index: one.stop for one in standing if one.stop is not None}
        self._last_answer = floor.now
        self.counted.cpu_s += time.process_time() - begun

    def place(self, floor: Floor) -> None:
        """Give new orders their places round what is planned, as the planner does by itself; nobody else is moved."""
        begun = time.process_time()
        known = set(self.rows.job_order_ids) if self.rows else set()
        if any(job not in known for job in floor.open):
            built = self.built(floor, self._standing(floor))
            found = place_new(built, self.rows) if built.problem is not None and self.rows else None
            if found is None:
                self.counted.failed += 1
            else:
                self.counted.placed += 1
                self.follow(floor, built.rows(found.problem, found.plan))
        self.counted.cpu_s += time.process_time() - begun

    def _standing(self, floor: Floor) -> tuple[Machine, ...]:
        """Machines that are known to stand."""
        return tuple(floor.machines[k] for k in sorted(self._heard) if floor.machines[k].stop is not None)

    def react(self, floor: Floor) -> None:
        """Ask production's code what to do, and take its first suggestion."""
        begun = time.process_time()
        self._last_answer = floor.now
        built, found = self.asked(floor)
        chosen = None if found is None else first_of(found)
        if chosen is None:
            self.counted.failed += 1
        else:
            self.counted.answers += 1
            self.accept(floor, built, chosen)
        self.counted.cpu_s += time.process_time() - begun

    def asked(self, floor: Floor) -> tuple[Built, Answer | None]:
        """Return the problem of now and what production's code answers about the machines that stand."""
        built = self.built(floor, self._standing(floor))
        if built.problem is None or self.rows is None:
            return built, None
        calm = replace(built, standing={})
        try:
            return built, answer(built, self.rows, calm, cpu_seconds=floor.parameters.answer_cpu_s)
        except (NoPlan, ProblemError):
            return built, None

    def accept(self, floor: Floor, built: Built, choice: Choice) -> None:
        """Follow a suggestion from now on."""
        self.counted.kept += choice.kind == "wait"
        self.follow(floor, choice.built.rows(choice.problem, choice.plan), is_answer=True)

    def built(self, floor: Floor, standing: tuple[Machine, ...]) -> Built:
        """Return the engine's problem of this moment, built by production's code."""
        if self._teller is None:
            self._teller = Teller(self._catalogue, floor)
        return build(self._teller.facts(floor, standing))

    def follow(self, floor: Floor, rows: Rows, *, is_answer: bool = False) -> None:
        """Publish a plan: from now on stations go by it."""
        before = self._places
        self.rows, self._places = rows, {}
        shift = int((rows.origin - BEGINS).total_seconds() // 60)
        for job_id, unit, start in zip(rows.job_order_ids, rows.work_unit_ids, rows.starts, strict=True):
            if floor.jobs[job_id].start >= 0:
                continue
            place = self._places[job_id] = Place(unit - 1, start + shift)
            if is_answer and (was := before.get(job_id)) is not None:
                self.counted.changed_machine += was.machine != place.machine
                self.counted.moved += abs(was.start - place.start) > 15

    def fork(self, *, reacts: bool) -> Planned:
        """Return a twin that follows the same plan; without ``reacts`` it keeps it whatever happens."""
        twin = Planned(self._catalogue, reacts_after_min=self._reacts_after if reacts else None, seed=self._seed)
        twin.rows, twin._teller = self.rows, self._teller
        twin._places = dict(self._places)
        twin._ready = {kind: {job: jobs[job] for job in jobs} for kind, jobs in self._ready.items()}
        twin._heard = dict(self._heard)
        twin._last_answer = self._last_answer
        return twin


def _is_taken(machine: Machine) -> bool:
    """Whether a station is at a job order, or stands."""
    return bool(machine.job) or machine.stop is not None


def first_of(found: Answer) -> Choice | None:
    """Return the first suggestion that costs no extra shift: what those cost is not counted here."""
    return next((one for one in found.choices if one.kind != "overtime"), None)
