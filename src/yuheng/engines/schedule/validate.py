"""Find every fault of a problem before anything is scheduled. Rows are named as the planner named them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from yuheng.engines.schedule.calendars import FOREVER, merged, open_intervals
from yuheng.engines.schedule.faults import Fault, gettext_noop
from yuheng.engines.schedule.parts import Calendar, Id, Interval, Link, Machine, Operation, OperationKey, Status
from yuheng.engines.schedule.people import pools

if TYPE_CHECKING:
    from yuheng.engines.schedule.problem import Problem

LONGEST = 1_000_000_000
"""No duration, lag, release or due date above this many ticks: 1,900 years in minutes, 31 in seconds."""
MOST_OPERATIONS = 1_000_000
ENOUGH = 1000
"""Stop looking after this many faults: whoever mixed up two columns does not read the rest."""

_WHOLE = gettext_noop("%(value)r is not a whole number. Give whole ticks.")
_NEGATIVE = gettext_noop("%(value)s is negative. Give 0 or more.")
_TOO_SMALL = gettext_noop("%(value)s is too small. Give at least %(least)s.")
_TOO_LARGE = gettext_noop("%(value)s is too large; the most is %(most)s. Check the unit.")
_UNKNOWN = gettext_noop("%(value)r does not exist. Add it, or correct the name.")
_TWICE = gettext_noop("%(value)r is there twice. Give each its own id.")
_DURATION = gettext_noop("%(value)s ticks on machine %(machine)s. Give a duration of at least 1.")
_NO_MACHINE = gettext_noop("there is no eligible machine. Give at least one [machine, duration].")
_MACHINE_TWICE = gettext_noop("machine %(machine)s is an alternative twice. Keep one duration for it.")
_DUE = gettext_noop("%(due)s is before the release at %(release)s. Correct one of them.")
_WEIGHT = gettext_noop("%(value)r is not a weight. Give a number from 0 to %(most)s.")
_EMPTY_JOB = gettext_noop("the job has no operations. Add one, or leave the job out.")
_CYCLE = gettext_noop("the precedences go in a circle: %(path)s. Remove one of them.")
_SELF = gettext_noop("an operation cannot wait for itself. Remove this precedence.")
_LAGS = gettext_noop("the longest lag %(most)s is shorter than the shortest %(least)s. Exchange them.")
_TRANSFER = gettext_noop("%(transfer)s of %(quantity)s is no transfer batch. Give 1 up to the whole quantity.")
_INTERVAL = gettext_noop("%(start)s to %(end)s is no time. The end must be after the start, and neither negative.")
_OVERLAPPING = gettext_noop("the open times overlap at %(start)s. Join them.")
_PERIOD = gettext_noop("open time until %(end)s does not fit a period of %(period)s.")
_CLOSED = gettext_noop("the calendar has no working time. Open it somewhere.")
_NEVER_FITS = gettext_noop(
    "takes %(duration)s ticks without a break on machine %(machine)s, whose longest open time is %(longest)s. "
    "Allow interruptions or lengthen the open time."
)
_NEVER_OPEN = gettext_noop(
    "takes %(duration)s ticks on machine %(machine)s, which has only %(open)s open. Extend its calendar."
)
_DEMAND = gettext_noop("needs %(amount)s of %(resource)s, of which there are never more than %(most)s.")
_SIZE = gettext_noop("size %(size)s is more than any eligible machine holds. Split it or raise a capacity.")
_MATRIX = gettext_noop("the matrix must have %(rows)s rows and %(rows)s columns of whole numbers of 0 or more.")
_BOTH_FIXED = gettext_noop("%(status)s needs both a machine and a start.")
_ONE_FIXED = gettext_noop("a pinned operation needs a machine or a start.")
_NOT_FIXED = gettext_noop("an open operation has no fixed machine or start. Pin it, or leave them out.")
_NOT_ELIGIBLE = gettext_noop("fixed to machine %(machine)s, which is none of its alternatives.")
_TOGETHER = gettext_noop(
    "is fixed on machine %(machine)s at %(start)s, while %(other)s is fixed there. Free one of them."
)
_ID = gettext_noop("%(value)r is not an id. Give a text or a whole number.")
_NONE = gettext_noop("there is none. Add at least one.")
_TOO_MANY = gettext_noop("%(value)s are more than the most, %(most)s. Schedule a shorter horizon.")
_ROUTED = gettext_noop("is part of routing %(routing)s, the other end of routing %(other)s: only one is performed.")
_GROUPS = gettext_noop("the skills of the people overlap in too many ways. Give fewer skills to each.")


def name_of(key: OperationKey) -> str:
    """Name an operation as every message does.

    Examples
    --------
    >>> name_of(("4711", 30))
    'job 4711, operation 30'
    """
    return f"job {key[0]}, operation {key[1]}"


def faults_of(problem: Problem) -> list[Fault]:
    """Return every fault of a problem; what needs sound ids is looked at only when they are."""
    found: list[Fault] = []
    for step in (_ids, _values, _references, _calendars):
        _collect(found, step(problem))
    if found:
        return found
    for step in (_fits, _demands, _fixed, _routings, _circles):
        _collect(found, step(problem))
    return found


def _collect(found: list[Fault], more: Iterable[Fault]) -> None:
    for fault in more:
        if len(found) >= ENOUGH:
            return
        found.append(fault)


# --- each row by itself


def _ids(problem: Problem) -> Iterator[Fault]:
    if not problem.machines:
        yield Fault("problem", "machines", _NONE)
    if not problem.operations and not problem.jobs:
        yield Fault("problem", "operations", _NONE)
    if len(problem.operations) > MOST_OPERATIONS:
        yield Fault("problem", "operations", _TOO_MANY, {"value": len(problem.operations), "most": MOST_OPERATIONS})
    rows: tuple[tuple[str, Sequence[Id]], ...] = (
        ("machine", [row.id for row in problem.machines]),
        ("job", [row.id for row in problem.jobs]),
        ("resource", [*(row.id for row in problem.resources), *problem.skills]),
        ("operator", [row.id for row in problem.operators]),
        ("calendar", [row.id for row in problem.calendars]),
        ("set-up matrix", [row.id for row in problem.setup_matrices]),
        ("buffer", [row.id for row in problem.buffers]),
    )
    for kind, ids in rows:
        yield from _unique(kind, ids)
    by_job: dict[Id, set[str]] = {}
    for operation in problem.operations:
        if not _is_id(operation.id) or not _is_id(operation.job):
            yield Fault(name_of(operation.key), "id", _ID, {"value": operation.key})
            continue
        ids_there = by_job.setdefault(operation.job, set())
        text = str(operation.id)
        if text in ids_there:
            yield Fault(name_of(operation.key), "id", _TWICE, {"value": operation.id})
        ids_there.add(text)
    for job in problem.jobs:
        if job.id not in by_job:
            yield Fault(f"job {job.id}", "operations", _EMPTY_JOB)


def _unique(kind: str, ids: Sequence[Id]) -> Iterator[Fault]:
    seen: set[str] = set()
    for value in ids:
        if not _is_id(value):
            yield Fault(f"{kind} {value}", "id", _ID, {"value": value})
        elif str(value) in seen:  # 7 and "7" are one id on paper
            yield Fault(f"{kind} {value}", "id", _TWICE, {"value": value})
        seen.add(str(value))


def _is_id(value: object) -> bool:
    return isinstance(value, (int, str)) and not isinstance(value, bool) and value != ""


def _whole(row: str, field: str, value: object, least: int = 0) -> Iterator[Fault]:
    if not isinstance(value, int) or isinstance(value, bool):
        yield Fault(row, field, _WHOLE, {"value": value})
    elif value < least:
        if least == 0:
            yield Fault(row, field, _NEGATIVE, {"value": value})
        else:
            yield Fault(row, field, _TOO_SMALL, {"value": value, "least": least})
    elif value > LONGEST:
        yield Fault(row, field, _TOO_LARGE, {"value": value, "most": LONGEST})


def _values(problem: Problem) -> Iterator[Fault]:
    yield from _whole("problem", "now", problem.now)
    yield from _whole("problem", "least_duration", problem.least_duration)
    for job in problem.jobs:
        yield from _job_values(f"job {job.id}", job.release, job.due, job.weight)
    for operation in problem.operations:
        yield from _operation_values(operation, problem.least_duration)
    for link in problem.precedences:
        yield from _link_values(problem, link.before, link.after, link.kind, link.min_lag, link.max_lag)
        if link.kind is Link.OVERLAP and not 0 < link.transfer <= link.quantity:
            values = {"transfer": link.transfer, "quantity": link.quantity}
            yield Fault(name_of(link.after), "transfer", _TRANSFER, values)
    for machine in problem.machines:
        row = f"machine {machine.id}"
        yield from _whole(row, "available_from", machine.available_from)
        yield from _whole(row, "batch_capacity", machine.batch_capacity, 1)
        yield from _intervals(row, "closures", machine.closures)
    yield from _resource_values(problem)


def _job_values(row: str, release: int, due: int | None, weight: float) -> Iterator[Fault]:
    yield from _whole(row, "release", release)
    if due is not None:
        wrong = list(_whole(row, "due", due))
        yield from wrong
        if not wrong and isinstance(release, int) and due < release:
            yield Fault(row, "due", _DUE, {"due": due, "release": release})
    if isinstance(weight, bool) or not isinstance(weight, (int, float)) or not 0 <= weight <= LONGEST:
        yield Fault(row, "weight", _WEIGHT, {"value": weight, "most": LONGEST})


def _operation_values(operation: Operation, least: int) -> Iterator[Fault]:
    row = None
    if not operation.modes:
        yield Fault(name_of(operation.key), "machine", _NO_MACHINE)
    machines = set()
    for mode in operation.modes:
        duration = mode.duration
        if type(duration) is not int or not least <= duration <= LONGEST:
            row = name_of(operation.key)
            if type(duration) is int and duration < least:
                yield Fault(row, "duration", _DURATION, {"value": duration, "machine": mode.machine})
            else:
                yield from _whole(row, "duration", duration)
        if mode.machine in machines:
            yield Fault(name_of(operation.key), "machine", _MACHINE_TWICE, {"machine": mode.machine})
        machines.add(mode.machine)
    if operation.size != 1 or operation.release or operation.material_at:
        row = name_of(operation.key)
        yield from _whole(row, "size", operation.size, 1)
        yield from _whole(row, "release", operation.release)
        yield from _whole(row, "material_at", operation.material_at)
    for demand in operation.demands:
        yield from _whole(name_of(operation.key), "demand", demand.amount, 1)
    if operation.status is not Status.OPEN or operation.fixed_machine is not None or operation.fixed_start is not None:
        yield from _status(operation)


def _status(operation: Operation) -> Iterator[Fault]:
    row, given = name_of(operation.key), (operation.fixed_machine is not None, operation.fixed_start is not None)
    if operation.fixed_start is not None:
        yield from _whole(row, "start", operation.fixed_start)
    if operation.status is Status.OPEN:
        yield Fault(row, "status", _NOT_FIXED)
    elif operation.status is Status.PINNED:
        if not any(given):
            yield Fault(row, "status", _ONE_FIXED)
    elif not all(given):
        yield Fault(row, "status", _BOTH_FIXED, {"status": operation.status.value})
    if operation.fixed_machine is not None and operation.fixed_machine not in {m.machine for m in operation.modes}:
        yield Fault(row, "machine", _NOT_ELIGIBLE, {"machine": operation.fixed_machine})


def _link_values(
    problem: Problem, before: OperationKey, after: OperationKey, kind: Link, least: int, most: int | None
) -> Iterator[Fault]:
    if before in problem.operation_index and after in problem.operation_index and not least and most is None:
        if before == after:
            yield Fault(name_of(after), "precedence", _SELF)
        return
    row = name_of(after)
    for key in (before, after):
        if key not in problem.operation_index:
            yield Fault(row, "precedence", _UNKNOWN, {"value": name_of(key)})
    if before == after:
        yield Fault(row, "precedence", _SELF)
    wrong = list(_whole(row, "min_lag", least))
    if most is not None:
        wrong += list(_whole(row, "max_lag", most))
        if not wrong and most < least:
            wrong.append(Fault(row, "max_lag", _LAGS, {"most": most, "least": least}))
    yield from wrong


def _resource_values(problem: Problem) -> Iterator[Fault]:
    for resource in problem.resources:
        row = f"resource {resource.id}"
        yield from _whole(row, "capacity", resource.capacity)
        yield from _intervals(row, "changes", [(start, end) for start, end, _difference in resource.changes])
    for person in problem.operators:
        yield from _intervals(f"operator {person.id}", "absences", person.absences)
    for buffer in problem.buffers:
        yield from _whole(f"buffer {buffer.id}", "capacity", buffer.capacity)
    for matrix in problem.setup_matrices:
        row, width = f"set-up matrix {matrix.id}", len(matrix.families)
        yield from _unique(f"{row}, family", matrix.families)
        rows = [*matrix.times, *([] if matrix.initial is None else [matrix.initial])]
        sound = len(matrix.times) == width and all(len(times) == width for times in rows)
        if not sound or any(type(t) is not int or not 0 <= t <= LONGEST for times in rows for t in times):
            yield Fault(row, "times", _MATRIX, {"rows": width})
    try:
        pools(problem.operators)
    except OverflowError:
        yield Fault("operators", "skills", _GROUPS)


def _intervals(row: str, field: str, intervals: Sequence[Interval]) -> Iterator[Fault]:
    for start, end in intervals:
        if type(start) is not int or type(end) is not int or not 0 <= start < end <= FOREVER:
            yield Fault(row, field, _INTERVAL, {"start": start, "end": end})


# --- rows that name other rows


def _references(problem: Problem) -> Iterator[Fault]:
    calendars = {calendar.id for calendar in problem.calendars}
    matrices = {matrix.id for matrix in problem.setup_matrices}
    buffers = {buffer.id for buffer in problem.buffers}
    resources = {*(resource.id for resource in problem.resources), *problem.skills}
    for machine in problem.machines:
        row = f"machine {machine.id}"
        yield from _known(row, "calendar", machine.calendar, calendars)
        yield from _known(row, "setup_matrix", machine.setup_matrix, matrices)
        yield from _known(row, "input_buffer", machine.input_buffer, buffers)
    for resource in problem.resources:
        yield from _known(f"resource {resource.id}", "calendar", resource.calendar, calendars)
    for person in problem.operators:
        yield from _known(f"operator {person.id}", "calendar", person.calendar, calendars)
        if not person.skills:
            yield Fault(f"operator {person.id}", "skills", _NONE)
    for operation in problem.operations:
        if operation.job not in problem.job_index:
            yield Fault(name_of(operation.key), "job", _UNKNOWN, {"value": operation.job})
        for mode in operation.modes:
            if mode.machine not in problem.machine_index:
                yield Fault(name_of(operation.key), "machine", _UNKNOWN, {"value": mode.machine})
        for demand in operation.demands:
            yield from _known(name_of(operation.key), "demand", demand.resource, resources)


def _known(row: str, field: str, value: Id | None, known: set[Id]) -> Iterator[Fault]:
    if value is not None and value not in known:
        yield Fault(row, field, _UNKNOWN, {"value": value})


def _calendars(problem: Problem) -> Iterator[Fault]:
    for calendar in problem.calendars:
        row = f"calendar {calendar.id}"
        wrong = [
            *_intervals(row, "intervals", calendar.intervals),
            *_intervals(row, "closures", calendar.closures),
            *_intervals(row, "extra", calendar.extra),
        ]
        if calendar.period is not None:
            wrong += _whole(row, "period", calendar.period, 1)
            wrong += [
                Fault(row, "intervals", _PERIOD, {"end": end, "period": calendar.period})
                for _start, end in calendar.intervals
                if not wrong and end > calendar.period
            ]
        yield from wrong
        if wrong:
            continue
        ordered = sorted(calendar.intervals)
        for (_s, end), (start, _e) in pairwise(ordered):
            if start < end:
                yield Fault(row, "intervals", _OVERLAPPING, {"start": start})
        nothing = not ordered and not calendar.extra
        if nothing or (calendar.period is None and not open_intervals(calendar, (), FOREVER)):
            yield Fault(row, "intervals", _CLOSED)


def _fits(problem: Problem) -> Iterator[Fault]:
    """Every operation has a machine that is open long enough; an operation that may not pause, in one piece."""
    limits = _longest_and_total(problem)
    if not limits:
        return
    for operation in problem.operations:
        best: Fault | None = None
        for mode in operation.modes:
            longest, total = limits.get(mode.machine, (FOREVER, FOREVER))
            if mode.duration > total:
                values = {"duration": mode.duration, "machine": mode.machine, "open": total}
                best = Fault(name_of(operation.key), "duration", _NEVER_OPEN, values)
            elif mode.duration > longest and not operation.interruptible and operation.fixed_start is None:
                values = {"duration": mode.duration, "machine": mode.machine, "longest": longest}
                best = Fault(name_of(operation.key), "duration", _NEVER_FITS, values)
            else:
                best = None
                break
        if best is not None:
            yield best


def _longest_and_total(problem: Problem) -> dict[Id, tuple[int, int]]:
    """Per machine with a calendar: longest open time, and all of it (`FOREVER` when it repeats)."""
    calendars = {calendar.id: calendar for calendar in problem.calendars}
    known: dict[tuple[Id | None, tuple[Interval, ...]], tuple[int, int]] = {}
    limits: dict[Id, tuple[int, int]] = {}
    for machine in problem.machines:
        if machine.calendar is None:
            continue
        key = (machine.calendar, machine.closures)
        if key not in known:
            known[key] = _open_limits(calendars[machine.calendar], machine)
        limits[machine.id] = known[key]
    return limits


def _open_limits(calendar: Calendar, machine: Machine) -> tuple[int, int]:
    if calendar.period is None:
        times = open_intervals(calendar, machine.closures, FOREVER)
        return max((end - start for start, end in times), default=0), sum(end - start for start, end in times)
    week = merged(calendar.intervals)
    if not week:
        times = merged(calendar.extra)
        return max(end - start for start, end in times), sum(end - start for start, end in times)
    if week == [(0, calendar.period)]:
        return FOREVER, FOREVER
    # Twice the pattern, so that an open time across its border counts whole.
    twice = merged([*week, *((start + calendar.period, end + calendar.period) for start, end in week)])
    extra = max((end - start for start, end in calendar.extra), default=0)
    return max(extra, *(end - start for start, end in twice)), FOREVER


def _demands(problem: Problem) -> Iterator[Fault]:
    most = {row.id: row.capacity + _most_added(row.changes) for row in problem.resources}
    for skill in problem.skills:
        most[skill] = sum(skill in person.skills for person in problem.operators)
    for operation in problem.operations:
        for demand in operation.demands:
            if demand.amount > most[demand.resource]:
                values = {"amount": demand.amount, "resource": demand.resource, "most": most[demand.resource]}
                yield Fault(name_of(operation.key), "demand", _DEMAND, values)
    capacity = {machine.id: machine.batch_capacity for machine in problem.machines}
    for operation in problem.operations:
        if operation.size > 1:
            # On a machine that does not batch, one operation is one part, whatever its size.
            held = [capacity[mode.machine] for mode in operation.modes]
            if all(1 < units < operation.size for units in held):
                yield Fault(name_of(operation.key), "size", _SIZE, {"size": operation.size})


def _most_added(changes: Sequence[tuple[int, int, int]]) -> int:
    steps = sorted([(start, more) for start, _end, more in changes] + [(end, -more) for _start, end, more in changes])
    level = best = 0
    for _at, step in steps:
        level += step
        best = max(best, level)
    return best


def _fixed(problem: Problem) -> Iterator[Fault]:
    """What runs or is frozen cannot share a machine, unless in a batch."""
    rows: dict[Id, list[tuple[int, int, Operation]]] = {}
    for operation in problem.operations:
        if operation.fixed_machine is not None and operation.fixed_start is not None:
            duration = next(mode.duration for mode in operation.modes if mode.machine == operation.fixed_machine)
            start = operation.fixed_start
            rows.setdefault(operation.fixed_machine, []).append((start, start + duration, operation))
    batches = {machine.id for machine in problem.machines if machine.batch_capacity > 1}
    for machine, held in rows.items():
        if machine in batches:
            continue
        held.sort(key=lambda row: (row[0], row[1]))
        for (_start, end, earlier), (start, _end, later) in pairwise(held):
            if start < end:
                values = {"machine": machine, "start": start, "other": name_of(earlier.key)}
                yield Fault(name_of(later.key), "start", _TOGETHER, values)


def _routings(problem: Problem) -> Iterator[Fault]:
    routing = {op.key: op.routing for op in problem.operations if op.routing is not None}
    if not routing:
        return
    for link in problem.precedences:
        one, other = routing.get(link.before), routing.get(link.after)
        if link.before[0] == link.after[0] and one is not None and other is not None and one != other:
            yield Fault(name_of(link.after), "routing", _ROUTED, {"routing": other, "other": one})


def _circles(problem: Problem) -> Iterator[Fault]:
    """Name one circle of the precedence graph, if there is any; iterative, so that depth does not matter."""
    after: list[list[int]] = [[] for _operation in problem.operations]
    waits = [0] * len(after)
    index = problem.operation_index
    for link in problem.precedences:
        before, later = index[link.before], index[link.after]
        after[before].append(later)
        waits[later] += 1
    ready = [k for k, count in enumerate(waits) if count == 0]
    left = len(waits)
    while ready:
        k = ready.pop()
        left -= 1
        for later in after[k]:
            waits[later] -= 1
            if waits[later] == 0:
                ready.append(later)
    if left:
        path = " → ".join(name_of(problem.operations[k].key) for k in _circle(after, waits))
        first = next(k for k, count in enumerate(waits) if count)
        yield Fault(name_of(problem.operations[first].key), "precedence", _CYCLE, {"path": path})


def _circle(after: list[list[int]], waits: list[int]) -> list[int]:
    """Walk backwards among what still waits until an operation comes again."""
    before: dict[int, int] = {}
    for k, laters in enumerate(after):
        if waits[k]:
            for later in laters:
                if waits[later]:
                    before.setdefault(later, k)
    k = next(iter(before))
    seen: dict[int, int] = {}
    walk: list[int] = []
    while k not in seen:
        seen[k] = len(walk)
        walk.append(k)
        k = before[k]
    circle = [*walk[seen[k] :], k][::-1]
    return circle if len(circle) <= 12 else [*circle[:6], *circle[-6:]]
