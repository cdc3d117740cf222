"""The engine's problem of this second: open job orders, what they wait for, who and what there is for them.

What cannot be planned is named and left out, with what waits for it; what is not known is assumed and named. Linear in
job orders; a tick is a minute.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from yuheng.engines.schedule.faults import Fault, ProblemError
from yuheng.engines.schedule.parts import Calendar, Job, Machine, Mode, Operation, SetupMatrix, Status
from yuheng.engines.schedule.problem import Problem
from yuheng.operations.rules import JobState
from yuheng.operations.selectors.planning import OpenJob
from yuheng.scheduling.building.built import Built, outside
from yuheng.scheduling.building.calendars import engine_calendar
from yuheng.scheduling.building.facts import PlantFacts, UnitFact
from yuheng.scheduling.building.held import Held
from yuheng.scheduling.building.levers import NONE, Levers
from yuheng.scheduling.building.links import arrived, precedence, wait_for
from yuheng.scheduling.building.notices import Notice
from yuheng.scheduling.building.troubles import is_held
from yuheng.scheduling.rules import Estimate, back_at, weight_of

SETUPS = "set-ups"
ATTEMPTS = 6
"""So often operations that the engine refuses are taken out and the rest is tried again."""
_OPERATION = re.compile(r"^job .*, operation (\d+)$")
_STARTED = frozenset({JobState.RUNNING.value})
_BEGUN = frozenset({JobState.RUNNING.value, JobState.INTERRUPTED.value})


def build(facts: PlantFacts, levers: Levers = NONE) -> Built:
    """Return the problem of a moment, with every assumption as a notice.

    Notes
    -----
    The origin is the last midnight (UTC) but one, so that what runs has begun after it; running job orders count from
    the minute before now, with the work that is left.
    """
    return _Builder(facts, levers).built()


def minutes(seconds: float) -> int:
    """Return whole minutes, rounded up, at least 1: a step that takes no time could be anywhere."""
    return max(1, math.ceil(seconds / 60 - 1e-9))


class _Builder:
    def __init__(self, facts: PlantFacts, levers: Levers) -> None:
        self.facts, self.levers = facts, levers
        midnight = facts.now.replace(hour=0, minute=0, second=0, microsecond=0)
        self.origin = midnight - timedelta(days=1)
        self.now = int((facts.now - self.origin).total_seconds() // 60)
        self.notices: list[Notice] = []
        self.units: dict[int, UnitFact] = {unit.id: unit for unit in facts.units}
        self.by_class: dict[int, list[int]] = {}
        for unit in facts.units:
            if unit.class_id is not None:
                self.by_class.setdefault(unit.class_id, []).append(unit.id)
        self.standing = {
            one.work_unit_id: back_at(
                work_unit_id=one.work_unit_id,
                cause=one.cause,
                since=one.since,
                now=facts.now,
                usual=facts.usual,
                default_s=facts.policy.stop_min * 60.0,
                said=one.said,
            )
            for one in facts.standing
            if one.work_unit_id in self.units
        }
        for lever in levers.back:
            if lever.work_unit_id in self.standing:
                self.standing[lever.work_unit_id] = Estimate(
                    max(lever.at, facts.now), self.standing[lever.work_unit_id].basis
                )
        self.ovens: dict[int, float] = {}
        self.families = {job.step.family for job in facts.work.jobs if job.step.family}
        self.setups: dict[tuple[int, ...], list[int]] = {}

    def tick(self, moment: datetime) -> int:
        """Minutes since the origin, rounded down."""
        return int((moment - self.origin).total_seconds() // 60)

    # --- the whole

    def built(self) -> Built:
        """Build, and take out what the engine refuses, until the rest is a problem."""
        jobs = {job.id: job for job in self.facts.work.jobs}
        self.here = arrived(jobs, self.facts.work.links)
        self.held = Held(self.facts.work, self.notices, self.facts.absences, self.tick)
        places = {job.id: self._where(job) for job in jobs.values()}
        self._find_ovens(jobs, places)
        operations = {}
        for job in jobs.values():
            operation = self._operation(job, places[job.id])
            if operation is not None:
                operations[job.id] = operation
        operations = self.held.fitted(operations)
        self._leave_out_followers(jobs, operations)
        for link in self.facts.work.links:
            if not link.is_open and link.lag_s > 0 and link.ended_at is not None and link.after_id in operations:
                wait_for(operations, link.after_id, self.tick(link.ended_at + timedelta(seconds=link.lag_s)) + 1)
        problem = None
        for _attempt in range(ATTEMPTS):
            if not operations:
                break
            try:
                problem = self._problem(jobs, operations)
                break
            except ProblemError as error:
                self._take_out(jobs, operations, error.faults)
        kept = () if problem is None else tuple(jobs[int(row.id)] for row in problem.operations)
        self._say_what_stands()
        slow = {unit: one.factor for unit, one in self.facts.slow.items() if unit in self.units}
        for unit, factor in sorted(slow.items()):
            told = {"unit": self.units[unit].code, "percent": round(100 * (factor - 1))}
            self.notices.append(Notice("slow", told, 0, unit))
        notices = tuple(self.notices)
        return Built(self.facts, self.levers, self.origin, self.now, problem, kept, notices, self.standing, slow)

    def _problem(self, jobs: dict[int, OpenJob], operations: dict[int, Operation]) -> Problem:
        links = []
        for link in self.facts.work.links:
            if link.before_id in operations and link.after_id in operations:
                links.append(precedence(link, jobs, operations, self.tick))
        self.setups = self._setups(jobs, operations)
        machines, calendars = self._machines(operations.values())
        return Problem(
            name=f"site {self.facts.site_id}",
            machines=machines,
            jobs=self._orders(jobs, operations),
            operations=tuple(operations.values()),
            precedences=tuple(link for link in links if link is not None),
            resources=self.held.resources,
            operators=self.held.operators,
            setup_matrices=self._matrices(),
            calendars=calendars,
            time_unit="minute",
            origin=self.origin.isoformat(),
            now=self.now,
        )

    def _orders(self, jobs: dict[int, OpenJob], operations: dict[int, Operation]) -> tuple[Job, ...]:
        found: dict[int, Job] = {}
        for job_id in operations:
            job = jobs[job_id]
            if job.root_id not in found:
                rank = 0 if job.root_id in self.levers.rush else job.rank
                due = max(0, self.tick(job.due_at))
                found[job.root_id] = Job(job.root_id, due=due, weight=weight_of(rank), name=job.root_code)
        return tuple(found.values())

    # --- one job order

    def _is_outside(self, job: OpenJob) -> bool:
        return job.is_subcontracted or job.id in (self.levers.subcontracted or {})

    def _where(self, job: OpenJob) -> list[int]:
        """Work units that can do a job order; where it has begun, only that one."""
        if self._is_outside(job):
            return []
        if job.state in _BEGUN and job.work_unit_id is not None:
            return [job.work_unit_id] if job.work_unit_id in self.units else []
        if job.candidates:
            return [unit for unit in job.candidates if unit in self.units]
        if job.class_id is not None:
            return self.by_class.get(job.class_id, [])
        return [job.work_unit_id] if job.work_unit_id in self.units else []

    def _find_ovens(self, jobs: dict[int, OpenJob], places: dict[int, list[int]]) -> None:
        for job in jobs.values():
            if job.shares_work_unit and (size := job.step.batch_size) and size > 1:
                for unit in places[job.id]:
                    self.ovens[unit] = max(self.ovens.get(unit, 1.0), size)

    def _operation(self, job: OpenJob, where: list[int]) -> Operation | None:
        left = max(0.0, min(job.quantity, self.here.get(job.id, job.quantity)) - job.processed)
        release, material_at, material = self._not_before(job)
        if self._is_outside(job):
            modes: tuple[Mode, ...] = (Mode(outside(job.id), self._minutes_outside(job)),)
        elif not where:
            self.notices.append(Notice("no_machine", {"job": job.code}, job.id))
            return None
        elif job.state in _BEGUN:
            modes = (Mode(where[0], minutes(self._rest_s(job, left))),)
        else:
            modes = tuple(Mode(unit, self._minutes_on(job, unit, left)) for unit in where)
        status, machine, start = Status.OPEN, None, None
        if job.state in _STARTED:
            status, machine, start = Status.STARTED, modes[0].machine, self.now - 1
            modes = (Mode(modes[0].machine, modes[0].duration + 1),)
        elif job.state in _BEGUN:
            status, machine = Status.PINNED, modes[0].machine
        family = job.step.family or None
        if any(unit in self.ovens for unit in where):
            family = family or f"{job.material_id}:{job.segment}"
        return Operation(
            id=job.id,
            job=job.root_id,
            modes=modes,
            family=family,
            demands=self.held.demands(job),
            size=self._size(job, where, left),
            release=release,
            material_at=material_at,
            material=material,
            status=status,
            fixed_machine=machine,
            fixed_start=start,
        )

    def _not_before(self, job: OpenJob) -> tuple[int, int, str]:
        """Ticks before which it cannot begin: holds and lags of what is over, material; and which material."""
        release = material_at = 0
        codes: list[str] = []
        policy = self.facts.policy
        if job.state not in _STARTED and is_held(job):
            begin = self.facts.now + timedelta(hours=policy.hold_h)
            release = self.tick(begin)
            self.notices.append(Notice("on_hold", {"job": job.code, "from": begin.isoformat()}, job.id))
        if job.state not in _BEGUN and (codes := self.facts.work.short.get(job.id, [])):
            begin = self.facts.now + timedelta(hours=policy.material_h)
            material_at = self.tick(begin)
            told = {"job": job.code, "materials": ", ".join(codes[:5]), "from": begin.isoformat()}
            self.notices.append(Notice("material_short", told, job.id))
        return release, material_at, ", ".join(codes[:5])

    def _minutes_outside(self, job: OpenJob) -> int:
        hours = (self.levers.subcontracted or {}).get(job.id)
        seconds = job.run_s if hours is None else hours * 3600.0
        if job.actual_start is not None and hours is None:
            seconds = max(60.0, seconds - (self.facts.now - job.actual_start).total_seconds())
        return minutes(seconds)

    def _minutes_on(self, job: OpenJob, unit: int, left: float) -> int:
        """Set-up (unless a matrix says it) and run of what is left, in the unit's own times."""
        setup_s, run_s = job.step.alternatives.get(unit, (job.setup_s, job.step.run_s))
        if run_s is None:
            run = job.run_s * (left / job.quantity if job.quantity else 1.0)
        elif job.step.batch_size:
            run = run_s * math.ceil(left / job.step.batch_size - 1e-9)
        else:
            run = run_s * left / job.step.run_quantity
        return minutes(run + (0.0 if job.step.family else setup_s))

    def _rest_s(self, job: OpenJob, left: float) -> float:
        """Seconds of work that is left of a job order that has begun: by its pieces, before the first by its time."""
        worked = job.worked_s
        if job.running_since is not None:
            worked += max(0.0, (self.facts.now - job.running_since).total_seconds())
        if job.processed <= 0.0:
            return max(0.0, job.setup_s + job.run_s - worked)
        return job.run_s * (left / job.quantity if job.quantity else 0.0)

    def _size(self, job: OpenJob, where: list[int], left: float) -> int:
        """Places that it takes of an oven, in units of the largest one's places."""
        holds = [self.ovens[unit] for unit in where if unit in self.ovens]
        if not holds:
            return 1
        own = job.step.batch_size or min(holds)
        return max(1, math.floor(min(holds) * min(1.0, max(left, 1.0) / own) + 1e-9))

    # --- machines

    def _machines(self, operations: Iterable[Operation]) -> tuple[tuple[Machine, ...], tuple[Calendar, ...]]:
        used = dict.fromkeys(mode.machine for row in operations for mode in row.modes)
        calendars: dict[str, Calendar] = {}
        machines: list[Machine] = []
        without = 0
        longer = self._longer()
        matrix_of = {unit: f"{SETUPS} {k}" for k, units in enumerate(self.setups.values()) for unit in units}
        closed: dict[int, list[tuple[int, int]]] = {}
        for lever in self.levers.down:
            span = (max(0, self.tick(lever.start)), self.tick(lever.end))
            if span[0] < span[1]:
                closed.setdefault(lever.work_unit_id, []).append(span)
        for machine in used:
            unit = self.units.get(machine) if isinstance(machine, int) else None
            if unit is None:
                machines.append(Machine(machine))
                continue
            calendar = self._calendar(unit, longer.get(unit.id, ()), calendars)
            without += unit.calendar is None
            machines.append(
                Machine(
                    unit.id,
                    calendar=None if calendar is None else calendar.id,
                    closures=tuple(sorted(closed.get(unit.id, ()))),
                    setup_matrix=matrix_of.get(unit.id) if unit.id not in self.ovens else None,
                    initial_family=self._set_up_for(unit.id),
                    batch_capacity=max(1, math.floor(self.ovens.get(unit.id, 1.0))),
                    work_center=unit.work_center_id,
                )
            )
        if without:
            self._once(Notice("no_calendar", {"count": without}))
        return tuple(machines), tuple(calendars.values())

    def _longer(self) -> dict[int, tuple[tuple[int, int], ...]]:
        found: dict[int, tuple[tuple[int, int], ...]] = {}
        for lever in self.levers.open_longer:
            span = (max(0, self.tick(lever.start)), self.tick(lever.end))
            if span[0] < span[1]:
                for unit in lever.work_unit_ids:
                    found[unit] = (*found.get(unit, ()), span)
        return found

    def _calendar(
        self, unit: UnitFact, longer: tuple[tuple[int, int], ...], known: dict[str, Calendar]
    ) -> Calendar | None:
        if unit.calendar is None:
            return None
        code = unit.calendar.code
        found = known.get(code) or engine_calendar(code, unit.calendar, self.origin)
        if found is None:
            self._once(Notice("never_open", {"calendar": code}))
            return None
        if not longer:
            known[code] = found
            return found
        code = f"{code} +{unit.id}"
        extra = tuple(sorted((*found.extra, *longer)))
        known[code] = Calendar(code, found.intervals, found.period, found.closures, extra)
        return known[code]

    def _set_up_for(self, unit: int) -> str | None:
        family = self.facts.work.families.get(unit)
        is_set_up = any(unit in units for units in self.setups.values())
        return family if is_set_up and family in self.families and unit not in self.ovens else None

    def _setups(self, jobs: dict[int, OpenJob], operations: dict[int, Operation]) -> dict[tuple[int, ...], list[int]]:
        """Minutes to change to each family -> work units where it takes so long: what their own job orders say."""
        if not self.families:
            return {}
        place = {family: k for k, family in enumerate(sorted(self.families))}
        longest: dict[int, list[int]] = {}
        for job_id, row in operations.items():
            job = jobs[job_id]
            if not job.step.family:
                continue
            minutes_ = math.ceil(job.setup_s / 60 - 1e-9)
            for mode in row.modes:
                if isinstance(mode.machine, int):
                    times = longest.setdefault(mode.machine, [0] * len(place))
                    times[place[job.step.family]] = max(times[place[job.step.family]], minutes_)
        found: dict[tuple[int, ...], list[int]] = {}
        for unit, times in longest.items():
            found.setdefault(tuple(times), []).append(unit)
        return found

    def _matrices(self) -> tuple[SetupMatrix, ...]:
        """One matrix for each sort of machine: a change to a family takes its time there, staying in it nothing."""
        names = tuple(sorted(self.families))
        count = range(len(names))
        return tuple(
            SetupMatrix(f"{SETUPS} {k}", names, tuple(tuple(0 if f == g else to[g] for g in count) for f in count), to)
            for k, to in enumerate(self.setups)
        )

    # --- what cannot be planned

    def _leave_out_followers(self, jobs: dict[int, OpenJob], operations: dict[int, Operation]) -> None:
        """Take out what waits for something that is open and not planned."""
        behind: dict[int, list[int]] = {}
        for link in self.facts.work.links:
            if link.is_open:
                behind.setdefault(link.before_id, []).append(link.after_id)
        gone = [job_id for job_id in jobs if job_id not in operations]
        while gone:
            before = gone.pop()
            for after in behind.get(before, ()):
                row = operations.get(after)
                if row is None or row.status is Status.STARTED:
                    continue
                del operations[after]
                told = {"job": jobs[after].code, "before": jobs[before].code}
                self.notices.append(Notice("waits_for", told, after))
                gone.append(after)

    def _take_out(self, jobs: dict[int, OpenJob], operations: dict[int, Operation], faults: Iterable[Fault]) -> None:
        """Take out the operations that the engine names; when it names none, nothing can be planned."""
        named = 0
        for fault in faults:
            match = _OPERATION.match(fault.row)
            job_id = int(match.group(1)) if match else 0
            if job_id in operations:
                del operations[job_id]
                why = str(fault.message) % {name: _plain(value) for name, value in fault.values.items()}
                self.notices.append(Notice("no_times", {"job": jobs[job_id].code, "why": why}, job_id))
                named += 1
        if not named:
            first = next(iter(faults))
            for job_id in list(operations):
                self.notices.append(Notice("no_times", {"job": jobs[job_id].code, "why": first.sentence}, job_id))
            operations.clear()
        self._leave_out_followers(jobs, operations)

    def _say_what_stands(self) -> None:
        for unit, estimate in sorted(self.standing.items()):
            told = {
                "unit": self.units[unit].code,
                "until": estimate.end.isoformat(),
                "basis": estimate.basis.value,
            }
            self.notices.append(Notice("stands", told, 0, unit))

    def _once(self, notice: Notice) -> None:
        if notice not in self.notices:
            self.notices.append(notice)


def _plain(value: Any) -> Any:
    return value if isinstance(value, int | float | str) else str(value)
