"""Write a problem as plant JSON, so that reading it again gives the same problem."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable
from typing import Any

from yuheng.engines.schedule.problem import Id, Operation, Problem, chain


def write_plant(problem: Problem) -> str:
    r"""Return plant JSON with every key that is not its default.

    Reading it back gives an equal problem, with operations sorted by their jobs.

    Examples
    --------
    >>> from yuheng.engines.schedule.problem import Job, Machine, Mode
    >>> from yuheng.engines.schedule.readers import read_plant
    >>> turn = Operation(10, "A", (Mode("lathe", 30),))
    >>> problem = Problem("shop", (Machine("lathe"),), (Job("A"),), (turn,))
    >>> read_plant(write_plant(problem)) == problem
    True
    """
    by_job: dict[Id, list[Operation]] = {job.id: [] for job in problem.jobs}
    for operation in problem.operations:
        by_job[operation.job].append(operation)
    ordered = [operation for operations in by_job.values() for operation in operations]
    links = chain(ordered)
    is_chain = problem.precedences[: len(links)] == links
    explicit = problem.precedences[len(links) :] if is_chain else problem.precedences
    document: dict[str, Any] = {
        "name": problem.name,
        "time_unit": problem.time_unit,
        **({"origin": problem.origin} if problem.origin else {}),
        **({"now": problem.now} if problem.now else {}),
        **({"least_duration": problem.least_duration} if problem.least_duration != 1 else {}),
        "machines": [_stated(machine) for machine in problem.machines],
        "chain": is_chain,
        "orders": [
            {**_stated(job), "ops": [_operation(operation, place) for place, operation in enumerate(by_job[job.id])]}
            for job in problem.jobs
        ],
    }
    rows: dict[str, Iterable[Any]] = {
        "precedences": explicit,
        "calendars": problem.calendars,
        "resources": problem.resources,
        "operators": problem.operators,
        "setup_matrices": problem.setup_matrices,
        "buffers": problem.buffers,
    }
    document |= {key: [_stated(row) for row in values] for key, values in rows.items() if values}
    return json.dumps(document, ensure_ascii=False)


def _stated(row: Any) -> dict[str, Any]:
    """Return the fields that differ from their defaults."""
    return {
        field.name: getattr(row, field.name)
        for field in dataclasses.fields(row)
        if field.default is dataclasses.MISSING or getattr(row, field.name) != field.default
    }


def _operation(operation: Operation, place: int) -> Any:
    stated = _stated(operation)
    del stated["job"]
    modes = [[mode.machine, mode.duration] for mode in operation.modes]
    if operation.id == place and type(operation.id) is int:
        del stated["id"]
    if list(stated) == ["modes"]:
        return modes
    if operation.demands:
        stated["demands"] = [[demand.resource, demand.amount] for demand in operation.demands]
    return {**stated, "modes": modes}
