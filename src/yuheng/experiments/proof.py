"""The realised history of a floor as a plan of the engine, so that its independent checker can be asked about it."""

from __future__ import annotations

import numpy as np

from yuheng.engines.schedule.check import Violation, check
from yuheng.engines.schedule.parts import Calendar, Demand, Job, Machine, Mode, Operation, Precedence, Resource
from yuheng.engines.schedule.plan import Plan
from yuheng.engines.schedule.problem import Problem
from yuheng.experiments.floor import Floor
from yuheng.experiments.shifts import DAY, minutes_of
from yuheng.simulation.products import Catalogue


def history(catalogue: Catalogue, floor: Floor) -> tuple[Problem, Plan]:
    """Return what was done as a problem and its plan.

    A job order's working time is what it really took, set-up included; breakdowns are closed times of their machines;
    of each trade there are as many people as stations, and a job order needs one.
    """
    breaks = {
        one.code: sorted((minutes_of(a), minutes_of(b)) for a, b in one.breaks) for one in catalogue.plant.calendars
    }
    calendars = tuple(
        Calendar(code, ((0, DAY),), period=DAY, closures=_every_day(rows, floor.now)) for code, rows in breaks.items()
    )
    closures: dict[int, list[tuple[int, int]]] = {}
    for stop in floor.stops:
        closures.setdefault(stop.machine, []).append((stop.start, stop.end))
    of_unit = {unit.code: unit.work_center.calendar for unit in catalogue.plant.units()}
    machines = tuple(
        Machine(
            one.index, calendar=of_unit[one.code] if breaks[of_unit[one.code]] else None,
            closures=tuple(closures.get(one.index, ())),
        )
        for one in floor.machines
    )  # fmt: skip
    done = [job for job in floor.jobs.values() if job.end >= 0]
    operations = tuple(
        Operation(
            job.id, job.order, (Mode(job.machine, job.work + job.fitted),), demands=(Demand(job.task.machine),),
            release=floor.orders[job.order].demand.at,
        )
        for job in done
    )  # fmt: skip
    known = {job.id for job in done}
    links = []
    for job in done:
        first = floor.orders[job.order].jobs.start
        for before, lag in job.task.before:
            if first + before not in known:
                raise ValueError(f"job order {job.id} is done before {first + before}")
            links.append(Precedence((job.order, first + before), (job.order, job.id), min_lag=lag))
    people: dict[str, int] = {}
    for one in floor.machines:
        people[one.kind] = people.get(one.kind, 0) + 1
    demands = {job.order: floor.orders[job.order].demand for job in done}
    problem = Problem(
        name="history",
        machines=machines,
        jobs=tuple(Job(number, due=max(demand.due, demand.at + 1)) for number, demand in demands.items()),
        operations=operations,
        precedences=tuple(links),
        resources=tuple(Resource(kind, count) for kind, count in people.items()),
        calendars=calendars,
    )
    start, end, machine = (
        np.array([getattr(job, name) for job in done], np.int64) for name in ("start", "end", "machine")
    )
    return problem, Plan(machine, start, end, start.copy(), end.copy())


def faults(catalogue: Catalogue, floor: Floor) -> list[Violation]:
    """Return what the checker finds wrong with what was done; nothing."""
    problem, plan = history(catalogue, floor)
    return check(problem, plan)


def _every_day(breaks: list[tuple[int, int]], until: int) -> tuple[tuple[int, int], ...]:
    return tuple((DAY * day + a, DAY * day + b) for day in range(until // DAY + 2) for a, b in breaks)
