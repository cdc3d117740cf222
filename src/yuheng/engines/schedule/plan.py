"""A plan: which machine, from when, until when, for every operation of a problem. Immutable."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from yuheng.engines.schedule.arrays import Arrays, HorizonTooShort
from yuheng.engines.schedule.faults import Fault, ProblemError, gettext_noop
from yuheng.engines.schedule.problem import Id, OperationKey, Problem
from yuheng.engines.schedule.validate import name_of

type_ints = npt.NDArray[np.int64]

_NO_ROWS = gettext_noop("the plan has no list of rows. Give a JSON list, or an object with a list named plan.")
_NO_JSON = gettext_noop("the plan is not JSON: %(why)s.")
_ROW = gettext_noop("a row must name job, op, machine, start and end; %(missing)s is missing or not of its kind.")
_UNKNOWN = gettext_noop("%(value)s is not in the problem. Plan and problem belong to different files.")
_TWICE = gettext_noop("%(value)s is planned twice. Keep one row.")


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """Where and when every operation is performed.

    Attributes
    ----------
    machine, start, end
        ``(n,)`` int64 by operation index; −1 where an operation is absent (another routing was chosen).
    setup_start
        When the set-up before it begins; ``start`` where there is none. A whole batch shares one.
    leave
        When it leaves its machine; later than ``end`` where it waits for a place in a buffer.
    """

    machine: type_ints
    start: type_ints
    end: type_ints
    setup_start: type_ints
    leave: type_ints

    @property
    def is_present(self) -> npt.NDArray[np.bool_]:
        """``(n,)``: performed at all."""
        return self.machine >= 0

    def modes(self, arrays: Arrays) -> type_ints:
        """Return the absolute mode of every operation, −1 where absent: what warm starts and kernels take."""
        owner = np.repeat(np.arange(arrays.n), np.diff(arrays.op_ptr))
        chosen = np.flatnonzero(arrays.mode_machine == self.machine[owner])
        modes = np.full(arrays.n, -1, np.int64)
        modes[owner[chosen]] = chosen
        return modes

    def rows(self, problem: Problem) -> list[dict[str, Any]]:
        """Return one row for every operation that is performed, by start: ``job, op, machine, start, end``.

        ``setup_start`` and ``leave`` follow where they say something.
        """
        rows = []
        for k in np.lexsort((self.machine, self.start)).tolist():
            if self.machine[k] < 0:
                continue
            operation = problem.operations[k]
            row: dict[str, Any] = {
                "job": operation.job,
                "op": operation.id,
                "machine": problem.machines[self.machine[k]].id,
                "start": int(self.start[k]),
                "end": int(self.end[k]),
            }
            if self.setup_start[k] < self.start[k]:
                row["setup_start"] = int(self.setup_start[k])
            if self.leave[k] > self.end[k]:
                row["leave"] = int(self.leave[k])
            rows.append(row)
        return rows

    def to_json(self, problem: Problem) -> str:
        """Return the plan as JSON, one object with the problem's name and the rows."""
        return json.dumps({"problem": problem.name, "plan": self.rows(problem)}, ensure_ascii=False)


def plan_from_json(problem: Problem, text: str | bytes) -> Plan:
    """Read a plan: a list of rows, or an object with a list named ``plan`` (what ``yuheng schedule solve`` prints).

    Operations without a row are absent; whether they may be is for the checker to say.

    Raises
    ------
    ProblemError
        Rows that cannot be read, name what is not in the problem, or come twice.
    """
    try:
        read = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ProblemError([Fault("plan", "text", _NO_JSON, {"why": error})]) from error
    if isinstance(read, Mapping):
        read = read.get("plan")
        if isinstance(read, Mapping):
            read = read.get("plan")
    if not isinstance(read, list):
        raise ProblemError([Fault("plan", "plan", _NO_ROWS)])
    return plan_from_rows(problem, read)


def plan_from_rows(problem: Problem, rows: Sequence[object]) -> Plan:
    """Build a plan from rows as `Plan.rows` gives them. Raises `ProblemError` like `plan_from_json`."""
    n = len(problem.operations)
    machine, start, end = (np.full(n, -1, np.int64) for _column in range(3))
    setup_start, leave = np.full(n, -1, np.int64), np.full(n, -1, np.int64)
    faults: list[Fault] = []
    for number, row in enumerate(rows, start=1):
        fault = _row_fault(problem, number, row)
        if fault is not None or not isinstance(row, Mapping):
            faults += [fault] if fault is not None else []
            continue
        k = problem.operation_index[row["job"], row["op"]]
        if machine[k] >= 0:
            faults.append(Fault(f"row {number}", "op", _TWICE, {"value": name_of((row["job"], row["op"]))}))
            continue
        machine[k], start[k], end[k] = problem.machine_index[row["machine"]], row["start"], row["end"]
        setup_start[k] = row.get("setup_start", row["start"])
        leave[k] = row.get("leave", row["end"])
    if faults:
        raise ProblemError(faults)
    return Plan(machine, start, end, setup_start, leave)


def _row_fault(problem: Problem, number: int, row: object) -> Fault | None:
    where = f"row {number}"
    if not isinstance(row, Mapping):
        return Fault(where, "row", _ROW, {"missing": "everything"})
    for name in ("job", "op", "machine"):
        if not isinstance(row.get(name), (int, str)) or isinstance(row.get(name), bool):
            return Fault(where, name, _ROW, {"missing": name})
    for name in ("start", "end", "setup_start", "leave"):
        value = row.get(name, 0 if name in ("setup_start", "leave") else None)
        if type(value) is not int or abs(value) > 1 << 50:
            return Fault(where, name, _ROW, {"missing": name})
    key: OperationKey = (row["job"], row["op"])
    if key not in problem.operation_index:
        return Fault(where, "op", _UNKNOWN, {"value": name_of(key)})
    machine: Id = row["machine"]
    if machine not in problem.machine_index:
        return Fault(where, "machine", _UNKNOWN, {"value": f"machine {machine}"})
    return None


def plan_of(arrays: Arrays, mode: type_ints, start: type_ints, leave: type_ints | None = None) -> Plan:
    """Complete what a search found (absolute modes and starts, −1: absent) to a plan.

    Ends, set-ups and batches follow from modes and starts. A start in closed time is moved to the next open tick, which
    changes no end.

    Raises
    ------
    HorizonTooShort
        Something ends behind `Arrays.covered`.
    """
    present = mode >= 0
    machine = np.where(present, arrays.mode_machine[mode], -1)
    work = np.where(present, arrays.mode_duration[mode], 0)
    work = _batch_work(arrays, machine, start, work)
    calendar = np.where(present, arrays.cal_of_machine[machine], -1)
    start, end = np.where(present, start, -1), np.where(present, start + work, -1)
    setup = _setup_before(arrays, machine, start)
    setup_start = start - setup
    free = arrays.fixed_start < 0
    for code in range(len(arrays.cal_ptr) - 1):
        here = np.flatnonzero(calendar == code)
        begins = _next_open(arrays, code, start[here])
        start[here] = np.where(free[here], begins, start[here])
        done = _worked(arrays, code, begins)
        end[here] = _tick_after(arrays, code, done + work[here])
        back = _tick_at(arrays, code, np.maximum(done - setup[here], 0))
        setup_start[here] = np.where(setup[here] > 0, np.minimum(back, start[here]), start[here])
    timed = len(arrays.cal_start) > 0 or len(arrays.cap_time) > 0
    if timed and len(end) and end.max() > arrays.covered:
        raise HorizonTooShort(f"the plan ends at {end.max()}, behind the horizon of {arrays.covered}")
    return Plan(machine, start, end, setup_start, end.copy() if leave is None else np.maximum(leave, end))


def _batch_work(arrays: Arrays, machine: type_ints, start: type_ints, work: type_ints) -> type_ints:
    """Every member of a batch works as long as the longest one."""
    if not arrays.has_batches:
        return work
    batched = np.flatnonzero((machine >= 0) & (arrays.batch_capacity[machine] > 1))
    _groups, group = np.unique(np.stack((machine[batched], start[batched])), axis=1, return_inverse=True)
    longest = np.zeros(len(batched), np.int64)
    np.maximum.at(longest, group.ravel(), work[batched])
    work = work.copy()
    work[batched] = longest[group.ravel()]
    return work


def _setup_before(arrays: Arrays, machine: type_ints, start: type_ints) -> type_ints:
    """Set-up ticks before every operation, from the one before it on its machine."""
    setup = np.zeros(arrays.n, np.int64)
    if not arrays.has_setups:
        return setup
    order = np.lexsort((start, machine))
    order = order[machine[order] >= 0]
    machines, starts, family = machine[order], start[order], arrays.family[order]
    first = np.ones(len(order), bool)
    first[1:] = machines[1:] != machines[:-1]
    together = np.zeros(len(order), bool)  # a member of the batch that the one before it began
    batched = arrays.batch_capacity[machines] > 1
    together[1:] = ~first[1:] & batched[1:] & (starts[1:] == starts[:-1])
    before = np.empty(len(order), np.int64)
    before[1:] = family[:-1]
    before[first] = arrays.initial_family[machines[first]]
    matrix = arrays.setup_of_machine[machines]
    needed = np.where(matrix >= 0, arrays.setup[matrix, before, family], 0)
    leader = np.maximum.accumulate(np.where(together, 0, np.arange(len(order))))
    needed = needed[leader]
    needed[family < 0] = 0
    setup[order] = needed
    return setup


def _slice(arrays: Arrays, code: int) -> tuple[type_ints, type_ints, type_ints]:
    part = slice(int(arrays.cal_ptr[code]), int(arrays.cal_ptr[code + 1]))
    return arrays.cal_start[part], arrays.cal_end[part], arrays.cal_work[part]


def _next_open(arrays: Arrays, code: int, ticks: type_ints) -> type_ints:
    starts, ends, _work = _slice(arrays, code)
    return np.maximum(ticks, starts[np.searchsorted(ends, ticks, side="right")])


def _worked(arrays: Arrays, code: int, ticks: type_ints) -> type_ints:
    """Open ticks before ticks that are themselves open."""
    starts, _ends, work = _slice(arrays, code)
    k = np.searchsorted(starts, ticks, side="right") - 1
    return work[k] + ticks - starts[k]


def _tick_after(arrays: Arrays, code: int, worked: type_ints) -> type_ints:
    """When so much open time (at least 1) is over."""
    starts, _ends, work = _slice(arrays, code)
    k = np.searchsorted(work, worked - 1, side="right") - 1
    return starts[k] + worked - work[k]


def _tick_at(arrays: Arrays, code: int, worked: type_ints) -> type_ints:
    """The open tick before which so much open time lies."""
    starts, _ends, work = _slice(arrays, code)
    k = np.searchsorted(work, worked, side="right") - 1
    return starts[k] + worked - work[k]
