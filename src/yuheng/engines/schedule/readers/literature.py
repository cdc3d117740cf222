"""The text formats of the literature: job shop, flexible job shop, flexible assembly job shop. Durations are ticks.

Jobs, operations and machines are known by their numbers from 0, as in the files: an operation by its place in its job,
in the assembly format by its place in the file. Every job may start at 0 and has no due date. A duration of 0 is taken
as it stands, because a published instance (orb07) has one; `remarks` names it.
"""

from __future__ import annotations

from collections.abc import Sequence

from yuheng.engines.schedule.faults import Fault, ProblemError, gettext_noop
from yuheng.engines.schedule.problem import Job, Machine, Mode, Operation, Precedence, Problem, chain
from yuheng.engines.schedule.readers.numbers import Line, cut_off, number_lines
from yuheng.engines.schedule.validate import MOST_OPERATIONS, name_of

MOST_MACHINES = 100_000

_HEADER = gettext_noop("the first line must say %(wanted)s; it says %(found)s.")
_COUNT = gettext_noop("%(what)s: %(value)s is not possible. Give 1 to %(most)s.")
_ODD = gettext_noop("operation %(operation)s has a machine but no duration. Give pairs: machine duration.")
_SHORT_JOB = gettext_noop(
    "%(found)s operations where every job before has %(wanted)s. The file may have been cut off; complete the line."
)
_MACHINE = gettext_noop(
    "operation %(operation)s names machine %(machine)s; there are 0 to %(last)s. Count machines from 0."
)
_ENDS = gettext_noop("the line ends inside operation %(operation)s. It may have been cut off; complete it.")
_MORE = gettext_noop("%(count)s numbers too many. Say the right number of operations and alternatives.")
_TOO_MANY_LINES = gettext_noop("there are more lines than the first line says. Correct it.")
_ALTERNATIVES = gettext_noop("operation %(operation)s has %(count)s alternatives. Give at least one.")
_OPERATION = gettext_noop("operation %(operation)s does not exist; there are 0 to %(last)s.")
_ZERO = gettext_noop("0 ticks on machine %(machine)s; taken as it stands.")
_LINK = gettext_noop("a precedence is two operations (and a job); this line has %(count)s numbers.")


def read_jsp(data: str | bytes, name: str = "jsp") -> Problem:
    r"""Read a job shop: ``jobs machines``, then a line of ``machine duration`` pairs for every job.

    A job may visit a machine several times, and lines may differ in length.

    Raises
    ------
    ProblemError
        With the line and what to do about it.

    Examples
    --------
    >>> problem = read_jsp("2 2\n0 3 1 2\n1 4 0 1")
    >>> [(operation.job, operation.id, operation.modes[0].duration) for operation in problem.operations]
    [(0, 0, 3), (0, 1, 2), (1, 0, 4), (1, 1, 1)]
    """
    lines = number_lines(data, 2)
    jobs, machines = _header(lines[0], ("jobs", "machines"), (MOST_OPERATIONS, MOST_MACHINES))
    rows = _job_lines(lines, jobs)
    faults: list[Fault] = []
    operations: list[Operation] = []
    for job, line in enumerate(rows):
        values = line.values
        if len(values) % 2:
            faults.append(Fault(line.row, "duration", _ODD, {"operation": len(values) // 2}))
            continue
        for place in range(0, len(values), 2):
            faults += _machine_fault(line, place // 2, values[place], machines)
            operations.append(Operation(place // 2, job, (Mode(values[place], values[place + 1]),)))
    visits = [sorted(line.values[::2]) for line in rows]
    is_classical = len(rows) > 1 and all(row == list(range(machines)) for row in visits[:-1])
    if is_classical and len(visits[-1]) < machines and not faults:
        found = {"found": len(rows[-1].values) // 2, "wanted": machines}
        faults.append(Fault(rows[-1].row, "operations", _SHORT_JOB, found))
    return _problem(name, jobs, machines, operations, chain(operations), faults)


def read_fjsp(data: str | bytes, name: str = "fjsp") -> Problem:
    """Read a flexible job shop: ``jobs machines``; a job a line: number of operations, then k and k pairs each.

    Raises
    ------
    ProblemError
        With the line and what to do about it.
    """
    lines = number_lines(data, 2)
    jobs, machines = _header(lines[0], ("jobs", "machines"), (MOST_OPERATIONS, MOST_MACHINES))
    faults: list[Fault] = []
    operations: list[Operation] = []
    for job, line in enumerate(_job_lines(lines, jobs)):
        at = 1
        for place in range(line.values[0]):
            modes, at, fault = _modes(line, at, place, machines)
            if fault:
                faults += fault
                break
            operations.append(Operation(place, job, modes))
        else:
            if at < len(line.values):
                faults.append(Fault(line.row, "operations", _MORE, {"count": len(line.values) - at}))
    return _problem(name, jobs, machines, operations, chain(operations), faults)


def read_fajsp(data: str | bytes, name: str = "fajsp") -> Problem:
    """Read a flexible assembly job shop: ``operations precedences machines``, precedences, then operations.

    A precedence is ``before after``, a third number is their job; else what hangs together is one job. An operation is
    k and k pairs ``machine duration``.

    Raises
    ------
    ProblemError
        With the line and what to do about it.
    """
    lines = number_lines(data, 3)
    most = (MOST_OPERATIONS, 10 * MOST_OPERATIONS, MOST_MACHINES)
    count, links, machines = _header(lines[0], ("operations", "precedences", "machines"), most, least=(1, 0, 1))
    if len(lines) < 1 + links + count:
        missing = len(lines) - 1 - links
        raise cut_off(lines[-1], f"operation {missing}" if missing >= 0 else f"precedence {len(lines) - 1}")
    faults: list[Fault] = []
    if len(lines) > 1 + links + count:
        faults.append(Fault(lines[1 + links + count].row, "line", _TOO_MANY_LINES))
    pairs = [pair for line in lines[1 : 1 + links] for pair in _pair(line, count, faults)]
    job = _jobs_of(count, pairs)
    operations: list[Operation] = []
    for place, line in enumerate(lines[1 + links : 1 + links + count]):
        modes, at, fault = _modes(line, 0, place, machines)
        if not fault and at < len(line.values):
            fault = [Fault(line.row, "operations", _MORE, {"count": len(line.values) - at})]
        faults += fault
        operations.append(Operation(place, job[place], modes))
    found = tuple(dict.fromkeys(Precedence((job[a], a), (job[b], b)) for a, b, _job in pairs))
    return _problem(name, max(job, default=0) + 1, machines, operations, found, faults)


def remarks(problem: Problem) -> list[Fault]:
    """Return what is odd about a problem but no fault: operations that take no time."""
    return [
        Fault(name_of(operation.key), "duration", _ZERO, {"machine": mode.machine})
        for operation in problem.operations
        for mode in operation.modes
        if mode.duration == 0
    ]


def _header(line: Line, names: Sequence[str], most: Sequence[int], least: Sequence[int] | None = None) -> Sequence[int]:
    if len(line.values) < len(names):
        values = {"wanted": " ".join(names), "found": " ".join(map(str, line.values)) or "nothing"}
        raise ProblemError([Fault(line.row, "header", _HEADER, values)])
    low = least or [1] * len(names)
    faults = [
        Fault(line.row, name, _COUNT, {"what": name, "value": value, "most": limit})
        for name, value, limit, floor in zip(names, line.values, most, low, strict=False)
        if not floor <= value <= limit
    ]
    if faults:
        raise ProblemError(faults)
    return line.values


def _job_lines(lines: list[Line], jobs: int) -> list[Line]:
    if len(lines) - 1 < jobs:
        raise cut_off(lines[-1], f"job {len(lines) - 1}")
    if len(lines) - 1 > jobs:
        raise ProblemError([Fault(lines[jobs + 1].row, "line", _TOO_MANY_LINES)])
    return lines[1:]


def _modes(line: Line, at: int, place: int, machines: int) -> tuple[tuple[Mode, ...], int, list[Fault]]:
    """Read one operation from a position; returns its modes, the next position, and what is wrong."""
    values = line.values
    if at >= len(values):
        return (), at, [Fault(line.row, "operations", _ENDS, {"operation": place})]
    count = values[at]
    if count < 1:
        return (), at, [Fault(line.row, "machine", _ALTERNATIVES, {"operation": place, "count": count})]
    until = at + 1 + 2 * count
    if until > len(values):
        return (), at, [Fault(line.row, "machine", _ENDS, {"operation": place})]
    modes = tuple(Mode(values[k], values[k + 1]) for k in range(at + 1, until, 2))
    faults = [fault for mode in modes for fault in _machine_fault(line, place, int(mode.machine), machines)]
    return modes, until, faults


def _machine_fault(line: Line, operation: int, machine: int, machines: int) -> list[Fault]:
    if 0 <= machine < machines:
        return []
    values = {"operation": operation, "machine": machine, "last": machines - 1}
    return [Fault(line.row, "machine", _MACHINE, values)]


def _pair(line: Line, count: int, faults: list[Fault]) -> list[tuple[int, int, int]]:
    if len(line.values) not in (2, 3):
        faults.append(Fault(line.row, "precedence", _LINK, {"count": len(line.values)}))
        return []
    for operation in line.values[:2]:
        if not 0 <= operation < count:
            faults.append(Fault(line.row, "precedence", _OPERATION, {"operation": operation, "last": count - 1}))
            return []
    return [(line.values[0], line.values[1], line.values[2] if len(line.values) == 3 else -1)]


def _jobs_of(count: int, pairs: Sequence[tuple[int, int, int]]) -> list[int]:
    """Number the parts that hang together, by their first operation (union-find)."""
    root = list(range(count))

    def find(k: int) -> int:
        while root[k] != k:
            root[k] = root[root[k]]
            k = root[k]
        return k

    for a, b, _job in pairs:
        one, other = sorted((find(a), find(b)))
        root[other] = one
    number: dict[int, int] = {}
    return [number.setdefault(find(k), len(number)) for k in range(count)]


def _problem(
    name: str,
    jobs: int,
    machines: int,
    operations: Sequence[Operation],
    precedences: tuple[Precedence, ...],
    faults: list[Fault],
) -> Problem:
    if faults:
        raise ProblemError(faults)
    return Problem(
        name=name,
        machines=tuple(Machine(k) for k in range(machines)),
        jobs=tuple(Job(k) for k in range(jobs)),
        operations=tuple(operations),
        precedences=precedences,
        time_unit="tick",
        least_duration=0,
    )
