"""The floor as planning reads it: the same facts that production asks the database for, and nothing that lies ahead."""

from __future__ import annotations

from datetime import datetime, timedelta

from yuheng.experiments.floor import Floor, Job, Machine
from yuheng.experiments.parameters import BEGINS
from yuheng.experiments.shifts import calendar_of
from yuheng.kernel.calendars import Calendar
from yuheng.operations.rules import JobState, JobSubstate, LinkKind
from yuheng.operations.selectors.planning import OpenJob, OpenLink, OpenWork, StepOfJob
from yuheng.scheduling.building import PlantFacts, Standing, UnitFact
from yuheng.scheduling.rules import Policy
from yuheng.simulation.products import Catalogue


class Teller:
    """Turns a floor at a moment into `PlantFacts`."""

    def __init__(self, catalogue: Catalogue, floor: Floor) -> None:
        specs = {one.code: calendar_of(one) for one in catalogue.plant.calendars}
        self._class_id = {code: k for k, code in enumerate(catalogue.plant.classes, start=1)}
        self._steps: dict[tuple[int, str, str], StepOfJob] = {}
        units = catalogue.plant.units()
        calendars: list[Calendar] = [specs[unit.work_center.calendar] for unit in units]
        self.units = tuple(
            UnitFact(
                unit_id(machine), machine.code, self._class_id[machine.kind], self._class_id[machine.kind], calendar
            )
            for machine, calendar in zip(floor.machines, calendars, strict=True)
        )
        self._usual = {
            (unit_id(machine), ""): 60.0 * sum(one.repair_s / 60.0 * one.weight for one in machine.causes)
            / max(1e-9, sum(one.weight for one in machine.causes))
            for machine in floor.machines if machine.causes
        }  # fmt: skip

    def facts(self, floor: Floor, heard: tuple[Machine, ...] = ()) -> PlantFacts:
        """Return the moment; ``heard``: machines that are known to stand."""
        parameters = floor.parameters
        standing = tuple(
            Standing(unit_id(one), one.stop.cause, moment(one.stop.start)) for one in heard if one.stop is not None
        )
        usual = dict(self._usual)
        usual |= {(unit_id(one), one.stop.cause): one.stop.usual_min * 60.0 for one in heard if one.stop is not None}
        families = {unit_id(one): one.family for one in floor.machines if one.family}
        jobs = [self._job(floor, job) for job in floor.open.values()]
        work = OpenWork(jobs, self._links(floor), {}, families, {}, {})
        policy = Policy(frozen_min=parameters.frozen_min, stop_min=parameters.assumed_stop_min)
        return PlantFacts(1, moment(floor.now), self.units, work, policy, standing, usual)

    def _job(self, floor: Floor, job: Job) -> OpenJob:
        task, demand = job.task, floor.orders[job.order].demand
        state, substate, unit, processed, worked = JobState.ALLOWED_TO_START, JobSubstate.READY, None, 0, 0
        if job.start >= 0:
            machine = floor.machines[job.machine]
            state, unit = JobState.RUNNING, unit_id(machine)
            worked = floor.worked(machine)
            if machine.stop is not None:
                state = JobState.INTERRUPTED
            processed = min(task.quantity, int(task.quantity * max(0, worked - job.fitted) / job.work))
        due = moment(demand.due)
        step = self._step(task.quantity, task.family, task.run_min)
        began = moment(job.start) if job.start >= 0 else None
        return OpenJob(
            job.id, f"J{job.id}", job.order * 1000 + task.lot, f"R{job.order}-{task.path}", job.order,
            f"R{job.order}", job.order, f"SO{job.order}", "", "", 0, task.code, "", "", state.value,
            substate.value if job.start < 0 else "", False, unit, (), self._class_id[task.machine], False, False,
            float(task.quantity), float(processed), None, demand.rank, due, due, due, began, None,
            worked * 60.0, task.setup_min * 60.0, task.run_min * 60.0, step,
        )  # fmt: skip

    def _step(self, quantity: int, family: str, run_min: float) -> StepOfJob:
        key = (quantity, family, f"{run_min:.6f}")
        if key not in self._steps:
            self._steps[key] = StepOfJob(1.0, run_min * 60.0 / quantity, None, family, (), (), {})
        return self._steps[key]

    def _links(self, floor: Floor) -> list[OpenLink]:
        found = []
        for job in floor.open.values():
            if job.start >= 0:
                continue
            first = floor.orders[job.order].jobs.start
            for before_place, lag in job.task.before:
                before = floor.jobs[first + before_place]
                is_open = before.end < 0
                if not is_open and before.end + lag <= floor.now:
                    continue
                ended = None if is_open else moment(before.end)
                found.append(
                    OpenLink(
                        before.id, job.id, LinkKind.FINISH_START.value, lag * 60.0, 1.0, is_open,
                        0.0 if is_open else float(before.task.quantity), ended, None, float(before.task.quantity),
                        before.order * 1000 + before.task.lot, before.task.code,
                    )
                )  # fmt: skip
        return found


def unit_id(machine: Machine) -> int:
    """Return the key that planning has for a machine."""
    return machine.index + 1


def moment(minute: int) -> datetime:
    """Return a minute of the model as a moment."""
    return BEGINS + timedelta(minutes=minute)
