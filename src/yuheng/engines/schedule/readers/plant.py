"""The plant as JSON: the public benchmark's format and, by further keys, everything a problem can say.

The keys are described for people in ``docs/integrators/plant-json.md``. An order is a job.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from yuheng.engines.schedule.faults import Fault, ProblemError, gettext_noop
from yuheng.engines.schedule.problem import (
    Buffer,
    Calendar,
    Demand,
    Id,
    Job,
    Link,
    Machine,
    Mode,
    Operation,
    Operator,
    Precedence,
    Problem,
    Resource,
    SetupMatrix,
    Status,
    chain,
)
from yuheng.engines.schedule.readers.fields import (
    Row,
    Unfit,
    ident,
    is_whole,
    items,
    number,
    one_of,
    shown,
    text,
    truth,
    tuples_of,
    whole,
)
from yuheng.engines.schedule.readers.numbers import text_of
from yuheng.engines.schedule.validate import MOST_OPERATIONS

MOST_MACHINES = 100_000
SHARED_MATRIX = "setup_matrix"
"""Id of the matrix that a plant gives for all its machines at once."""

_NOT_JSON = gettext_noop("the file is not JSON: %(why)s. It may have been cut off.")
_TWICE = gettext_noop("the key is there twice. Keep one.")
_BROKEN = gettext_noop("the key holds half a character. Write it whole.")
_DEEP = gettext_noop("the file is nested too deeply.")
_NO_NUMBER = gettext_noop("%(value)s is not a number.")
_COUNT = gettext_noop("%(value)s machines are not possible. Give 1 to %(most)s, or a list.")
_FAMILIES = gettext_noop("%(found)s families for %(wanted)s operations. Give one each.")

_INTERVALS = tuples_of(tuples_of(whole, 2))
_IDS = tuples_of(ident)
_KEY = tuples_of(ident, 2)
_MACHINE = {
    "id": (ident, ...),
    "calendar": (ident, None),
    "closures": (_INTERVALS, None),
    "available_from": (whole, None),
    "setup_matrix": (ident, None),
    "initial_family": (ident, None),
    "batch_capacity": (whole, None),
    "input_buffer": (ident, None),
    "work_center": (ident, None),
}
_CALENDAR = {
    "id": (ident, ...),
    "intervals": (_INTERVALS, ...),
    "period": (whole, None),
    "closures": (_INTERVALS, None),
    "extra": (_INTERVALS, None),
}
_RESOURCE = {
    "id": (ident, ...),
    "capacity": (whole, ...),
    "calendar": (ident, None),
    "changes": (tuples_of(tuples_of(whole, 3)), None),
    "kept_over_breaks": (truth, None),
}
_OPERATOR = {
    "id": (ident, ...),
    "skills": (_IDS, ...),
    "calendar": (ident, None),
    "absences": (_INTERVALS, None),
}
_MATRIX = {
    "id": (ident, ...),
    "families": (_IDS, ...),
    "times": (tuples_of(tuples_of(whole)), ...),
    "initial": (tuples_of(whole), None),
}
_BUFFER = {"id": (ident, ...), "capacity": (whole, ...)}
_PRECEDENCE = {
    "before": (_KEY, ...),
    "after": (_KEY, ...),
    "kind": (one_of(Link, [link.value for link in Link]), None),
    "min_lag": (whole, None),
    "max_lag": (whole, None),
    "transfer": (whole, None),
    "quantity": (whole, None),
}
_ORDER = {"release": (whole, None), "due": (whole, None), "weight": (number, None), "name": (text, None)}
_OPERATION = {
    "family": (ident, None),
    "size": (whole, None),
    "interruptible": (truth, None),
    "release": (whole, None),
    "material_at": (whole, None),
    "material": (text, None),
    "routing": (ident, None),
    "status": (one_of(Status, [status.value for status in Status]), None),
    "fixed_machine": (ident, None),
    "fixed_start": (whole, None),
}
_TOP = dict.fromkeys(
    (
        *("name", "time_unit", "origin", "now", "machines", "work_centres", "orders", "chain", "precedences"),
        *("calendars", "resources", "operators", "setup_matrix", "setup_matrices", "setup_matrix_optional", "buffers"),
        *("note", "least_duration"),
    )
)


def read_plant(data: str | bytes, name: str = "plant", *, use_setups: bool = False) -> Problem:
    """Read a plant.

    Parameters
    ----------
    name
        Used where the file gives none.
    use_setups
        Apply ``setup_matrix_optional`` of the public benchmark to all machines.

    Raises
    ------
    ProblemError
        With the row and field of everything that cannot be read or scheduled.
    """
    faults: list[Fault] = []
    try:
        return _Plant(_parsed(data), faults).problem(name, use_setups)
    except Unfit:
        raise ProblemError(faults) from None


def _parsed(data: str | bytes) -> object:
    try:
        return json.loads(text_of(data), object_pairs_hook=_once, parse_constant=_no_number)
    except ProblemError:
        raise
    except RecursionError as error:
        raise ProblemError([Fault("file", "text", _DEEP)]) from error
    except ValueError as error:
        raise ProblemError([Fault("file", "text", _NOT_JSON, {"why": error})]) from error


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _value in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ProblemError([Fault("file", shown(twice)[1:-1], _TWICE)])
    broken = [key for key in found if not key.isascii() and not is_whole(key)]
    if broken:
        raise ProblemError([Fault("file", shown(broken[0])[1:-1], _BROKEN)])
    return found


def _no_number(word: str) -> float:
    raise ProblemError([Fault("file", "number", _NO_NUMBER, {"value": word})])


class _Plant:
    """One file being read."""

    def __init__(self, value: object, faults: list[Fault]) -> None:
        self.faults = faults
        self.top = Row("plant", value, faults)
        self.top.known(_TOP)

    def problem(self, name: str, use_setups: bool) -> Problem:
        top = self.top
        matrices = self.rows("setup_matrices", "set-up matrix", _MATRIX, SetupMatrix)
        shared = self.shared_matrix(use_setups)
        machines = self.machines(shared is not None)
        jobs, operations = self.orders()
        links = self.rows("precedences", "precedence", _PRECEDENCE, Precedence)
        is_chain = top.get("chain", truth, True)
        parts: dict[str, Any] = {
            "setup_matrices": (*((shared,) if shared else ()), *matrices),
            "calendars": self.rows("calendars", "calendar", _CALENDAR, Calendar),
            "resources": self.rows("resources", "resource", _RESOURCE, Resource),
            "operators": self.rows("operators", "operator", _OPERATOR, Operator),
            "buffers": self.rows("buffers", "buffer", _BUFFER, Buffer),
        }
        named: dict[str, Any] = {
            "name": top.get("name", text, name),
            "time_unit": top.get("time_unit", text, "minute"),
            "origin": top.get("origin", text, ""),
            "now": top.get("now", whole, 0),
            "least_duration": top.get("least_duration", whole, 1),
        }
        if self.faults:
            raise Unfit
        linked = (*(chain(operations) if is_chain else ()), *links)
        return Problem(machines=machines, jobs=jobs, operations=operations, precedences=linked, **parts, **named)

    def rows(self, field: str, kind: str, readers: Mapping[str, Any], make: Any) -> tuple[Any, ...]:
        """Read a list of objects; one that does not fit leaves its fault and is left out."""
        found = []
        for place, value in enumerate(self.top.get(field, items, [])):
            try:
                row = Row(f"{kind} {_called(value, place)}", value, self.faults)
                found.append(make(**row.all(readers)))
            except Unfit:
                continue
        return tuple(found)

    def shared_matrix(self, use_setups: bool) -> SetupMatrix | None:
        """The matrix that holds for every machine: families are its row numbers."""
        field = "setup_matrix"
        if use_setups and self.top.value.get(field) is None:
            field = "setup_matrix_optional"
        elif self.top.value.get(field) is None:
            return None
        times = self.top.get(field, tuples_of(tuples_of(whole)))
        return SetupMatrix(SHARED_MATRIX, tuple(range(len(times))), times)

    def machines(self, is_shared: bool) -> tuple[Machine, ...]:
        given = self.top.get("machines", lambda _row, _field, value: value)
        default: dict[str, Any] = {"setup_matrix": SHARED_MATRIX} if is_shared else {}
        centers = self.centers()
        if isinstance(given, int) and not isinstance(given, bool):
            if not 1 <= given <= MOST_MACHINES:
                self.faults.append(Fault("plant", "machines", _COUNT, {"value": given, "most": MOST_MACHINES}))
                raise Unfit
            return tuple(Machine(k, work_center=centers.get(k), **default) for k in range(given))
        found = []
        for place, value in enumerate(items(self.top, "machines", given)):
            if isinstance(value, (int, str)) and not isinstance(value, bool):
                found.append(Machine(value, work_center=centers.get(value), **default))
                continue
            try:
                row = Row(f"machine {_called(value, place)}", value, self.faults)
                read = {**default, **row.all(_MACHINE)}
                read.setdefault("work_center", centers.get(read["id"]))
                found.append(Machine(**read))
            except Unfit:
                continue
        return tuple(found)

    def centers(self) -> dict[Id, Id]:
        """Machine to the number of its work centre."""
        rows = self.top.get("work_centres", tuples_of(_IDS), ())
        return {machine: center for center, machines in enumerate(rows) for machine in machines}

    def orders(self) -> tuple[tuple[Job, ...], tuple[Operation, ...]]:
        jobs: list[Job] = []
        operations: list[Operation] = []
        for place, value in enumerate(self.top.get("orders", items)):
            try:
                row = Row(f"job {_called(value, place)}", value, self.faults)
                row.known({**_ORDER, "id": 0, "ops": 0, "family": 0})
                job = row.get("id", ident, place)
                given = {key: (reader, default) for key, (reader, default) in _ORDER.items()}
                read = {
                    key: row.get(key, reader) for key, (reader, _d) in given.items() if row.value.get(key) is not None
                }
                jobs.append(Job(job, **read))
                operations += self.operations(row, job)
            except Unfit:
                continue
            if len(operations) > MOST_OPERATIONS:
                break
        return tuple(jobs), tuple(operations)

    def operations(self, order: Row, job: Id) -> list[Operation]:
        rows = order.get("ops", items)
        families = order.get("family", items, None)
        if families is not None and len(families) != len(rows):
            values = {"found": len(families), "wanted": len(rows)}
            self.faults.append(Fault(order.name, "family", _FAMILIES, values))
            raise Unfit
        found = []
        for place, value in enumerate(rows):
            family = None if families is None or families[place] is None else ident(order, "family", families[place])
            try:
                found.append(self.operation(job, place, value, family))
            except Unfit:
                continue
        return found

    def operation(self, job: Id, place: int, value: object, family: Id | None) -> Operation:
        if isinstance(value, list):
            modes = self.quick_modes(value)
            if modes is not None:
                return Operation(place, job, modes, family)
            row = Row(f"job {job}, operation {place}", {"modes": value}, self.faults)
        else:
            row = Row(f"job {job}, operation {_called(value, place)}", value, self.faults)
        readers = {**_OPERATION, "id": (ident, None), "modes": (_modes, ...), "demands": (_demands, None)}
        read = row.all(readers)
        read.setdefault("family", family)
        return Operation(job=job, **{"id": place, **read})

    @staticmethod
    def quick_modes(value: list[Any]) -> tuple[Mode, ...] | None:
        """Pairs of whole numbers, as nearly all are; `None` when something needs a closer look."""
        for pair in value:
            if type(pair) is not list or len(pair) != 2 or type(pair[1]) is not int or type(pair[0]) not in (int, str):
                return None
            if type(pair[0]) is str and not is_whole(pair[0]):
                return None
        return tuple([Mode(machine, duration) for machine, duration in value])


def _called(value: object, place: int) -> object:
    """The row's own id where it has a usable one, else its place from 0."""
    own = value.get("id") if isinstance(value, Mapping) else None
    if isinstance(own, str) and not is_whole(own):
        return place
    return own if isinstance(own, (int, str)) else place


def _modes(row: Row, field: str, value: Any) -> tuple[Mode, ...]:
    modes = []
    for pair in items(row, field, value):
        if not isinstance(pair, list) or len(pair) != 2:
            row.refuse("machine", pair, gettext_noop("a pair [machine, duration]"))
        modes.append(Mode(ident(row, "machine", pair[0]), whole(row, "duration", pair[1])))
    return tuple(modes)


def _demands(row: Row, field: str, value: Any) -> tuple[Demand, ...]:
    """Pairs [resource or skill, amount]; a bare id needs one."""
    demands = []
    for entry in items(row, field, value):
        if not isinstance(entry, list):
            demands.append(Demand(ident(row, field, entry)))
            continue
        if len(entry) != 2:
            row.refuse(field, entry, gettext_noop("a pair [resource or skill, amount]"))
        demands.append(Demand(ident(row, field, entry[0]), whole(row, field, entry[1])))
    return tuple(demands)
