"""Builders: a problem of a few words, and a plan that performs one operation after the other."""

import dataclasses

import numpy as np

from yuheng.engines.schedule.plan import Plan, plan_from_rows
from yuheng.engines.schedule.problem import Calendar, Job, Machine, Mode, Operation, Problem, chain

DAY = 1440
DAYTIME = Calendar("day", ((360, 600), (630, 840)), DAY)


def an_operation(name=1, job="A", modes=(("M", 10),), **rest):
    return Operation(name, job, tuple(Mode(*mode) for mode in modes), **rest)


def a_problem(*operations, machines=(Machine("M"), Machine("N")), jobs=None, links=None, **rest):
    operations = operations or (an_operation(1), an_operation(2, modes=(("N", 5),)))
    if jobs is None:
        jobs = tuple(Job(name) for name in dict.fromkeys(operation.job for operation in operations))
    links = chain(operations) if links is None else links
    return Problem("shop", tuple(machines), jobs, tuple(operations), tuple(links), **rest)


def rows(*entries):
    """(op, machine, start, end) of job A; a job may come first."""
    found = []
    for entry in entries:
        job, op, machine, start, end = entry if len(entry) == 5 else ("A", *entry)
        found.append({"job": job, "op": op, "machine": machine, "start": start, "end": end})
    return found


def a_plan(problem, *entries) -> Plan:
    return plan_from_rows(problem, rows(*entries))


def changed(plan: Plan, **columns) -> Plan:
    """Return the plan with single values replaced: ``start={3: 17}``."""
    replaced = {}
    for name, values in columns.items():
        column = np.array(getattr(plan, name))
        for k, value in values.items():
            column[k] = value
        replaced[name] = column
    return dataclasses.replace(plan, **replaced)
