"""A problem as a CP-SAT model. Only the child process imports this: it needs OR-Tools.

One start and one end an operation; a literal a mode. Machines are no-overlaps, or circuits where set-ups lie between;
resources are cumulatives. Calendars are kept by *working time*: a literal says in which open interval an operation
starts, another in which it ends, and then the open ticks before both are linear, whatever breaks lie between.

What cannot be said exactly raises `NotModelled`: a wrong proof is worse than none.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from ortools.sat.python import cp_model

from yuheng.engines.schedule.arrays import LINK_CODES
from yuheng.engines.schedule.calendars import FOREVER
from yuheng.engines.schedule.cpsat.batches import add_batches
from yuheng.engines.schedule.cpsat.calendar_time import WorkingTime
from yuheng.engines.schedule.cpsat.sequences import add_sequence
from yuheng.engines.schedule.cpsat.task import Ints, NotModelled, Task, Timing
from yuheng.engines.schedule.parts import Link

MOST_OPERATIONS = 600
SCALE = 1000
"""Weights are rounded down to thousandths, so that the bound stays one."""


class Model:
    """The model of one task, its variables, and how to read a plan from them."""

    def __init__(self, task: Task) -> None:
        arrays = task.arrays
        if arrays.n > MOST_OPERATIONS:
            raise NotModelled(f"{arrays.n} operations are more than {MOST_OPERATIONS}")
        if arrays.has_buffers:
            raise NotModelled("buffers that block")
        self.task, self.arrays, self.cp = task, arrays, cp_model.CpModel()
        self.head, self.early = task.head, task.early
        self.latest = _latest(task, self.early)
        self.chosen = _routing_literals(self)
        self.present: list[Any] = [self.chosen[r] if r >= 0 else 1 for r in arrays.routing_of_op.tolist()]
        self.start: list[Any] = []
        self.end: list[Any] = []
        self.size: list[Any] = []
        self.mode: dict[int, Any] = {}
        for i in range(arrays.n):
            self._operation(i)
        self.time = WorkingTime(self)
        self.setup_cost: list[tuple[Any, int]] = []
        self._durations()
        _links(self)
        for m in range(arrays.machines):
            self._machine(m)
        _resources(self)
        self.terms = [_term(self, name) for name, _weight in task.terms]

    def _operation(self, i: int) -> None:
        arrays, cp = self.arrays, self.cp
        fixed, first, last = int(arrays.fixed_start[i]), int(arrays.op_ptr[i]), int(arrays.op_ptr[i + 1])
        if arrays.fixed_mode[i] >= 0:
            first, last = int(arrays.fixed_mode[i]), int(arrays.fixed_mode[i]) + 1
        low, high = int(self.head[i]), max(int(self.latest[i]), int(self.early[i]))
        self.start.append(cp.new_constant(fixed) if fixed >= 0 else cp.new_int_var(low, high, f"s{i}"))
        self.end.append(cp.new_int_var(int(self.early[i]), high, f"e{i}"))
        self.size.append(cp.new_int_var(0, max(high - low, 1), f"d{i}"))
        cp.add(self.start[i] + self.size[i] == self.end[i])
        if last - first == 1 and arrays.routing_of_op[i] < 0:
            self.mode[first] = cp.new_constant(1)
            return
        for k in range(first, last):
            self.mode[k] = cp.new_bool_var(f"x{k}")
        cp.add(sum(self.mode[k] for k in range(first, last)) == self.present[i])

    def modes_of(self, i: int) -> list[int]:
        """Absolute modes of an operation that the model may choose."""
        return [k for k in range(int(self.arrays.op_ptr[i]), int(self.arrays.op_ptr[i + 1])) if k in self.mode]

    def on_machine(self, m: int) -> list[tuple[int, int]]:
        """Return (operation, mode) of everything that can run on a machine."""
        arrays = self.arrays
        owner = np.repeat(np.arange(arrays.n), np.diff(arrays.op_ptr))
        found = np.flatnonzero(arrays.mode_machine == m).tolist()
        return [(int(owner[k]), k) for k in found if k in self.mode]

    def _durations(self) -> None:
        """The end follows from start, mode and calendar; of a batch, from its longest member."""
        arrays = self.arrays
        for i in range(arrays.n):
            for k in self.modes_of(i):
                m = int(arrays.mode_machine[k])
                if arrays.batch_capacity[m] == 1:
                    self.time.takes(i, k, int(arrays.mode_duration[k]))

    def _machine(self, m: int) -> None:
        arrays = self.arrays
        rows = self.on_machine(m)
        free = int(arrays.machine_free[m])
        for i, k in rows:
            if arrays.fixed_start[i] < 0 and free > self.head[i]:
                self.cp.add(self.start[i] >= free).only_enforce_if(self.mode[k])
        if arrays.batch_capacity[m] > 1:
            if arrays.setup_of_machine[m] >= 0 and arrays.setup[arrays.setup_of_machine[m]].any():
                raise NotModelled("set-ups between batches")
            add_batches(self, m, rows)
            return
        self.cp.add_no_overlap(
            self.cp.new_optional_interval_var(self.start[i], self.size[i], self.end[i], self.mode[k], f"i{k}")
            for i, k in rows
            if not self._is_past(i, rows)
        )
        matrix = int(arrays.setup_of_machine[m])
        if matrix >= 0 and arrays.setup[matrix].any():
            add_sequence(self, m, rows)

    def _is_past(self, i: int, rows: list[tuple[int, int]]) -> bool:
        """Facts may overlap facts: only what is still open has to keep clear of them."""
        arrays = self.arrays
        if arrays.fixed_start[i] < 0 or arrays.fixed_mode[i] < 0:
            return False
        free = [other for other, _k in rows if arrays.fixed_start[other] < 0 or arrays.fixed_mode[other] < 0]
        return not free or int(self.early[i]) <= int(self.head[free].min())

    # --- plans

    def hint(self, timing: Timing) -> None:
        """Give the solver a complete plan to begin with."""
        cp, arrays = self.cp, self.arrays
        for i in range(arrays.n):
            if timing.mode[i] < 0:
                continue
            if arrays.fixed_start[i] < 0:
                cp.add_hint(self.start[i], int(timing.start[i]))
            cp.add_hint(self.end[i], int(timing.end[i]))
            cp.add_hint(self.size[i], int(timing.end[i] - timing.start[i]))
            if len(self.modes_of(i)) > 1:
                for k in self.modes_of(i):
                    cp.add_hint(self.mode[k], int(k == timing.mode[i]))
        for r in np.unique(arrays.routing_of_op[arrays.routing_of_op >= 0]).tolist():
            cp.add_hint(self.chosen[r], int((timing.mode[arrays.routing_of_op == r] >= 0).any()))
        self.time.hint(timing)

    def timing(self, value: Any) -> Timing:
        """Read a plan; ``value`` gives the value of a variable."""
        n = self.arrays.n
        start, end, mode = (np.full(n, -1, np.int64) for _column in range(3))
        for i in range(n):
            for k in self.modes_of(i):
                if value(self.mode[k]):
                    start[i], end[i], mode[i] = value(self.start[i]), value(self.end[i]), k
        return Timing(start, end, mode)

    def weighted(self) -> tuple[Any, float]:
        """Return the weighted sum of the terms as a whole-number expression, and what to divide it by."""
        weights = [weight for _name, weight in self.task.terms]
        whole = all(float(weight).is_integer() for weight in weights)
        scale = 1 if whole else SCALE
        total = sum(
            math.floor(weight * scale + 1e-9) * expression
            for weight, (expression, _scale) in zip(weights, self._same_scale(), strict=True)
        )
        return total, float(scale * self._term_scale())

    def _term_scale(self) -> int:
        return max(scale for _expression, scale in self.terms)

    def _same_scale(self) -> list[tuple[Any, int]]:
        most = self._term_scale()
        return [(expression * (most // scale), most) for expression, scale in self.terms]


def _latest(task: Task, early: Ints) -> Ints:
    """Latest end of each operation in a plan that is not worse than the hint; ``(n,)``."""
    arrays = task.arrays
    horizon = np.full(arrays.n, arrays.covered, np.int64)
    hint = task.hint
    if hint is None:
        return horizon
    names = dict(task.terms)
    ends = np.where(hint.mode >= 0, hint.end, 0)
    if list(names) == ["makespan"]:
        return np.minimum(horizon, int(ends.max()))
    if list(names) == ["tardiness"]:
        done = np.zeros(arrays.jobs, np.int64)
        np.maximum.at(done, arrays.job, ends)
        worst = float((arrays.weight * np.maximum(done - arrays.due, 0)).sum())
        slack = np.full(arrays.jobs, float(FOREVER))
        np.divide(worst, arrays.weight, out=slack, where=arrays.weight > 0)
        horizon = np.minimum(horizon, arrays.due[arrays.job] + np.minimum(slack, FOREVER)[arrays.job].astype(np.int64))
    # An optimal plan never needs more than everything one after the other behind the last release.
    return np.maximum(horizon, early)


def _routing_literals(model: Model) -> dict[int, Any]:
    arrays, chosen = model.arrays, dict[int, Any]()
    for j in range(arrays.jobs):
        options = range(int(arrays.routing_ptr[j]), int(arrays.routing_ptr[j + 1]))
        for r in options:
            chosen[r] = model.cp.new_bool_var(f"r{r}")
        if len(options):
            model.cp.add_exactly_one(chosen[r] for r in options)
    return chosen


def _links(model: Model) -> None:
    arrays = model.arrays
    for b in range(arrays.n):
        for link in range(int(arrays.link_ptr[b]), int(arrays.link_ptr[b + 1])):
            _link(model, link, int(arrays.link_pred[link]), b)


def _link(model: Model, link: int, a: int, b: int) -> None:
    arrays = model.arrays
    if arrays.is_started[b] or (arrays.fixed_start[b] >= 0 and arrays.fixed_start[a] >= 0):
        return  # facts are not argued with
    both = [model.present[i] for i in (a, b) if arrays.routing_of_op[i] >= 0]
    lag, most = int(arrays.link_lag[link]), int(arrays.link_max[link])

    def require(condition: Any) -> None:
        added = model.cp.add(condition)
        if both:
            added.only_enforce_if(both)

    kind = int(arrays.link_kind[link])
    if kind == LINK_CODES[Link.OVERLAP]:
        _overlap(model, link, a, b, require)
        return
    begin = model.end[a] if kind == LINK_CODES[Link.FINISH_START] else model.start[a]
    require(model.start[b] >= begin + lag)
    if most >= 0:
        require(model.start[b] <= begin + most)


def _overlap(model: Model, link: int, a: int, b: int, require: Any) -> None:
    arrays = model.arrays
    lag, transfer, quantity = (int(row[link]) for row in (arrays.link_lag, arrays.link_transfer, arrays.link_quantity))
    for i in (a, b):
        if any(arrays.cal_of_machine[arrays.mode_machine[k]] >= 0 for k in model.modes_of(i)):
            raise NotModelled("transfer batches on machines with a calendar")
        if any(arrays.batch_capacity[arrays.mode_machine[k]] > 1 for k in model.modes_of(i)):
            raise NotModelled("transfer batches on batch machines")

    def part(i: int) -> Any:
        return sum(-(-transfer * int(arrays.mode_duration[k]) // quantity) * model.mode[k] for k in model.modes_of(i))

    require(model.start[b] >= model.start[a] + part(a) + lag)
    require(model.end[b] >= model.end[a] + lag + part(b))


def _resources(model: Model) -> None:
    arrays = model.arrays
    users: dict[int, list[tuple[int, int]]] = {}
    for i in range(arrays.n):
        for d in range(int(arrays.dem_ptr[i]), int(arrays.dem_ptr[i + 1])):
            users.setdefault(int(arrays.dem_res[d]), []).append((i, int(arrays.dem_amount[d])))
    for r, demands in users.items():
        _resource(model, r, demands)


def _resource(model: Model, r: int, demands: list[tuple[int, int]]) -> None:
    arrays, cp = model.arrays, model.cp
    part = slice(int(arrays.cap_ptr[r]), int(arrays.cap_ptr[r + 1]))
    times, values = arrays.cap_time[part].tolist(), arrays.cap_value[part].tolist()
    calendars = {i: _calendars_of(model, i) for i, _amount in demands}
    pauses = not arrays.res_keeps[r] and any(arrays.interruptible[i] and calendars[i] != {-1} for i in calendars)
    shared = set().union(*calendars.values())
    closed = _closed(model, shared.pop()) if pauses and len(shared) == 1 else []
    facts = [i for i, _amount in demands if arrays.fixed_start[i] >= 0 and arrays.fixed_mode[i] >= 0]
    most = max(*values, sum(amount for i, amount in demands if i in facts), 1)
    intervals, amounts = list[Any](), list[int]()
    for i, amount in demands:
        if pauses and not closed:
            held = [piece for calendar in calendars[i] for piece in model.time.pieces(i, calendar)]
        else:
            name = f"q{r}_{i}"
            held = [cp.new_optional_interval_var(model.start[i], model.size[i], model.end[i], model.present[i], name)]
        intervals += held
        amounts += [amount] * len(held)
    for at, until, units in zip(times, [*times[1:], FOREVER], values, strict=True):
        for begin, end in _outside(at, min(until, arrays.covered), closed):
            taken = most - units
            if facts:
                taken = min(taken, most - _most_taken(model, demands, facts, begin, end))
            if taken > 0 and begin < end:
                intervals.append(cp.new_fixed_size_interval_var(begin, end - begin, f"c{r}_{begin}"))
                amounts.append(taken)
    cp.add_cumulative(intervals, amounts, most)


def _most_taken(model: Model, demands: list[tuple[int, int]], facts: list[int], begin: int, end: int) -> int:
    """Units that facts alone hold together in [begin, end), when that is more than there are: reality is waived."""
    rows = [(model.head[i], model.early[i], amount) for i, amount in demands if i in facts]
    ticks = {begin, *(int(s) for s, _e, _a in rows if begin <= s < end)}
    return max(sum(a for s, e, a in rows if s <= tick < e) for tick in ticks)


def _calendars_of(model: Model, i: int) -> set[int]:
    arrays = model.arrays
    return {int(arrays.cal_of_machine[arrays.mode_machine[k]]) for k in model.modes_of(i)}


def _closed(model: Model, code: int) -> list[tuple[int, int]]:
    """Closed times of the one calendar that all users keep: nobody is needed then, and nobody has to be there.

    Whatever spans a closed time runs before it too, so even then no more is held than there is.
    """
    arrays = model.arrays
    part = slice(int(arrays.cal_ptr[code]), int(arrays.cal_ptr[code + 1]))
    starts, ends = arrays.cal_start[part].tolist(), arrays.cal_end[part].tolist()
    return [(0, starts[0]), *zip(ends[:-1], starts[1:], strict=True)]


def _outside(begin: int, end: int, closed: list[tuple[int, int]]) -> list[tuple[int, int]]:
    pieces, at = [], begin
    for shut, opened in closed:
        if opened <= at or shut >= end:
            continue
        if shut > at:
            pieces.append((at, shut))
        at = max(at, opened)
    if at < end:
        pieces.append((at, end))
    return pieces


# --- objectives


def _term(model: Model, name: str) -> tuple[Any, int]:
    """Return a term as (whole-number expression, what to divide it by)."""
    if name == "makespan":
        return _last(model, range(model.arrays.n), "makespan"), 1
    if name == "setup":
        return sum(cost * literal for literal, cost in model.setup_cost), 1
    if name == "nervousness":
        return _nervousness(model), SCALE
    jobs = range(model.arrays.jobs)
    done = {j: _last(model, np.flatnonzero(model.arrays.job == j).tolist(), f"C{j}") for j in jobs}
    if name == "flow":
        return sum(done.values()) - model.task.releases, 1
    due = model.arrays.due.tolist()
    weights = model.arrays.weight if name == "tardiness" else np.ones(model.arrays.jobs)
    scale = 1 if all(float(w).is_integer() for w in weights) else SCALE
    total: Any = 0
    for j in jobs:
        if due[j] >= FOREVER or weights[j] <= 0:
            continue
        if name == "tardiness":
            late = model.cp.new_int_var(0, max(0, model.arrays.covered - due[j]), f"T{j}")
            model.cp.add(late >= done[j] - due[j])
        else:
            late = model.cp.new_bool_var(f"U{j}")
            model.cp.add(done[j] <= due[j]).only_enforce_if(~late)
        total = total + math.floor(weights[j] * scale + 1e-9) * late
    return total, scale


def _last(model: Model, operations: Any, name: str) -> Any:
    """Return a variable that is at least every end."""
    last = model.cp.new_int_var(0, int(model.arrays.covered), name)
    for i in operations:
        added = model.cp.add(last >= model.end[i])
        if model.arrays.routing_of_op[i] >= 0:
            added.only_enforce_if(model.present[i])
    return last


def _nervousness(model: Model) -> Any:
    reference, arrays = model.task.reference, model.arrays
    if reference is None:
        return 0
    total: Any = 0
    for i in range(arrays.n):
        tick, other = (math.floor(row[i] * SCALE) for row in (reference.tick_cost, reference.machine_cost))
        if reference.start[i] < 0 or (tick <= 0 and other <= 0):
            continue
        stay = [model.mode[k] for k in model.modes_of(i) if arrays.mode_machine[k] == reference.machine[i]]
        total = total + other * (model.present[i] - sum(stay))
        shift = model.cp.new_int_var(0, int(arrays.covered), f"n{i}")
        for sign in (1, -1):
            added = model.cp.add(shift >= sign * (model.start[i] - int(reference.start[i])))
            if arrays.routing_of_op[i] >= 0:
                added.only_enforce_if(model.present[i])
        total = total + tick * shift
    return total
