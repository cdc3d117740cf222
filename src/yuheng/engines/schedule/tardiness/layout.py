"""How a problem and a plan lie in memory for the tardiness search.

Everything that one step of a propagation reads of an operation lies in one cache line (``nodes``); what is read less
often in a second table (``ops``). Rows behind the operations are sentinels, so that the kernels need no case for
"no predecessor" or "first on its machine":

* rows ``0..n-1``: operations; rows ``n..N-1``: joins, operations without machine and length that end an order whose
  last operations are several;
* row ``N``: the void; its end is before everything, its start behind everything;
* rows ``N+1..N+machines``: heads of the machines; their end is the machine's first free tick.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from yuheng.engines.schedule.arrays import Arrays
from yuheng.engines.schedule.tardiness.primitives import NEVER

type_ints = npt.NDArray[np.int64]
type_floats = npt.NDArray[np.float64]

# Columns of nodes.
START, END, LENGTH, READY, BEFORE, AFTER, PRED, SUCC = range(8)
"""Start, end, duration, release; neighbours on the machine; the only predecessor and successor of a chain."""

# Columns of ops.
(
    JOB,
    MODE,
    MACHINE,
    MODES,
    MODES_END,
    FAMILY,
    PINNED,
    LATEST,
    PREDS,
    PREDS_END,
    SUCCS,
    SUCCS_END,
    WISHED,
    WISHED_MODE,
    TOLERANCE,
    TAIL,
    MOVABLE,
    ENDS,
    SPLITS,
    SHORTEST,
) = range(20)

# Columns of the machine table.
OPEN, OPEN_END, MATRIX = range(3)
"""Open intervals and set-up matrix, −1: none."""

# Columns of orders: times and costs in one table of floats, which hold ticks exactly.
DUE, DONE, LAST, TARDY, FLOW, LATE = range(6)

# Places in the vector of weights that belong to no single operation.
MAKESPAN, SETUP = range(2)


class Plant(NamedTuple):
    """What only the full kernels read; the fast ones get ``None`` in its place.

    ``preds`` and ``succs``: neighbour and lag; ``machines``: see the column names; ``open_times``: start, end, work
    before; ``setup[matrix, from, to]``; ``costs`` of each row: per tick of shift beyond the tolerance, and of another
    mode than the wished one; ``weights``: see above.
    """

    preds: type_ints
    succs: type_ints
    machines: type_ints
    open_times: type_ints
    setup: type_ints
    costs: type_floats
    weights: type_floats


class Shop(NamedTuple):
    """All that the kernels read and move: see the column names above. ``modes``: machine and duration of each mode."""

    nodes: type_ints
    ops: type_ints
    orders: type_floats
    modes: type_ints
    succs: type_ints
    plant: Plant | None


@dataclass(frozen=True, slots=True)
class Costs:
    """What a plan costs: the sum of all terms.

    Attributes
    ----------
    tardiness
        Per tick that an order is late, times the order's weight.
    flow
        Per tick from an order's release to its completion.
    late
        Per late order.
    makespan
        Per tick until everything is done.
    setup
        Per tick of set-up.
    """

    tardiness: float = 1.0
    flow: float = 0.0
    late: float = 0.0
    makespan: float = 0.0
    setup: float = 0.0


@dataclass(frozen=True, slots=True)
class Reference:
    """A published plan to stay near to, and what leaving it costs, each ``(n,)``.

    Attributes
    ----------
    mode
        Absolute mode index, −1: no wish.
    start
        Published start, −1: no wish.
    machine_cost
        Cost of any other mode than the published one.
    shift_cost
        Cost per tick by which the start differs by more than ``tolerance``; weigh it by nearness to now.
    tolerance
        Ticks of shift that nobody minds.
    """

    mode: type_ints
    start: type_ints
    machine_cost: type_floats
    shift_cost: type_floats
    tolerance: type_ints


def is_plain(arrays: Arrays, costs: Costs, reference: Reference | None) -> bool:
    """Whether the fast kernels know all of this: chains without lags, set-ups, calendars or fixed operations."""
    return not (
        arrays.has_calendars
        or arrays.has_setups
        or arrays.has_fixed
        or reference is not None
        or costs.late
        or costs.makespan
        or costs.setup
        or arrays.pred_lag.any()
        or (np.diff(arrays.pred_ptr) > 1).any()
        or (np.diff(arrays.succ_ptr) > 1).any()
        or (arrays.job[arrays.pred] != np.repeat(arrays.job, np.diff(arrays.pred_ptr))).any()
        or np.count_nonzero(arrays.is_job_end) != len(np.unique(arrays.job))
    )


def joins_of(arrays: Arrays) -> list[tuple[int, type_ints]]:
    """Orders whose last operations are several, each with those."""
    ends = np.flatnonzero(arrays.is_job_end)
    ends = ends[np.argsort(arrays.job[ends], kind="stable")]
    jobs, firsts = np.unique(arrays.job[ends], return_index=True)
    groups = np.split(ends, firsts[1:]) if len(ends) else []
    return [(int(job), group) for job, group in zip(jobs, groups, strict=True) if len(group) > 1]


def lay_out(arrays: Arrays, costs: Costs, reference: Reference | None, full: bool) -> Shop:
    """Build the tables for a problem; the plan is put in afterwards (see `place`)."""
    n, joins = arrays.n, joins_of(arrays)
    count = n + len(joins)
    void = count
    rows = count + 1 + arrays.machines
    nodes = np.zeros((rows, 8), np.int64)
    nodes[:, [BEFORE, AFTER, PRED, SUCC]] = void
    nodes[:n, READY] = np.where(arrays.fixed_start >= 0, 0, arrays.release)
    nodes[void, [START, END]] = NEVER, -NEVER
    nodes[void + 1 :, START] = -NEVER
    nodes[void + 1 :, END] = arrays.machine_free
    ops = np.zeros((rows, 20), np.int64)
    ops[:n, JOB] = arrays.job
    ops[:, MODE] = -1
    ops[:, MACHINE] = -1
    ops[:n, MODES], ops[:n, MODES_END] = arrays.op_ptr[:-1], arrays.op_ptr[1:]
    ops[:, FAMILY] = -1
    ops[:n, FAMILY] = arrays.family
    ops[void + 1 :, FAMILY] = arrays.initial_family
    ops[:, PINNED] = -1
    ops[:n, PINNED] = arrays.fixed_start
    ops[:, LATEST] = NEVER
    ops[:n, MOVABLE] = ~(arrays.is_frozen | (arrays.fixed_start >= 0))
    chosen = arrays.fixed_mode >= 0
    ops[:n, MODES][chosen] = arrays.fixed_mode[chosen]
    ops[:n, MODES_END][chosen] = arrays.fixed_mode[chosen] + 1
    ops[:n, SPLITS] = arrays.interruptible
    _connect(arrays, joins, nodes, ops)
    preds, succs = _arcs(arrays, joins, ops)
    machines = np.full((arrays.machines, 3), -1, np.int64)
    has = arrays.cal_of_machine >= 0
    machines[has, OPEN] = arrays.cal_ptr[arrays.cal_of_machine[has]]
    machines[has, OPEN_END] = arrays.cal_ptr[arrays.cal_of_machine[has] + 1]
    machines[:, MATRIX] = arrays.setup_of_machine
    orders = np.zeros((arrays.jobs, 6))
    orders[:, DUE] = arrays.due
    orders[:, LAST] = void
    ends = np.flatnonzero(arrays.is_job_end)
    orders[arrays.job[ends], LAST] = ends
    for k, (job, _ends) in enumerate(joins):
        orders[job, LAST] = n + k
    orders[:, TARDY] = arrays.weight * costs.tardiness
    orders[:, FLOW] = costs.flow
    orders[:, LATE] = costs.late
    ops[orders[:, LAST].astype(np.int64), ENDS] = 1
    row_costs = np.zeros((rows, 2))
    ops[:, WISHED] = -1
    ops[:, WISHED_MODE] = -1
    if reference is not None:
        ops[:n, WISHED], ops[:n, WISHED_MODE] = reference.start, reference.mode
        ops[:n, TOLERANCE] = reference.tolerance
        row_costs[:n, 0] = np.where(reference.start >= 0, reference.shift_cost, 0.0)
        row_costs[:n, 1] = np.where(reference.mode >= 0, reference.machine_cost, 0.0)
    modes = np.stack((arrays.mode_machine, arrays.mode_duration), axis=1)
    _tails(arrays, ops, succs, modes)
    plant = None
    if full:
        open_times = np.stack((arrays.cal_start, arrays.cal_end, arrays.cal_work), axis=1)
        plant = Plant(
            preds,
            succs,
            machines,
            np.ascontiguousarray(open_times),
            np.array(arrays.setup, np.int64),
            row_costs,
            np.array([costs.makespan, costs.setup]),
        )
    return Shop(nodes, ops, orders, np.ascontiguousarray(modes), succs, plant)


def _connect(arrays: Arrays, joins: list[tuple[int, type_ints]], nodes: type_ints, ops: type_ints) -> None:
    """Neighbours in a chain, and the rows that join an order's ends."""
    one = np.diff(arrays.pred_ptr) == 1
    nodes[: arrays.n, PRED][one] = arrays.pred[arrays.pred_ptr[:-1][one]]
    one = np.diff(arrays.succ_ptr) == 1
    nodes[: arrays.n, SUCC][one] = arrays.succ[arrays.succ_ptr[:-1][one]]
    for k, (job, _ends) in enumerate(joins):
        ops[arrays.n + k, JOB] = job


def _arcs(arrays: Arrays, joins: list[tuple[int, type_ints]], ops: type_ints) -> tuple[type_ints, type_ints]:
    """Precedences both ways, the joins' included; sets the columns that point into them."""
    n = arrays.n
    before = [arrays.pred, *(ends for _job, ends in joins)]
    after = [np.repeat(np.arange(n), np.diff(arrays.pred_ptr))]
    after += [np.full(len(ends), n + k) for k, (_job, ends) in enumerate(joins)]
    sources, targets = np.concatenate(before), np.concatenate(after)
    lags = np.concatenate((arrays.pred_lag, np.zeros(len(sources) - len(arrays.pred), np.int64)))
    count = n + len(joins)
    tables = []
    for mine, other, first, last in ((targets, sources, PREDS, PREDS_END), (sources, targets, SUCCS, SUCCS_END)):
        order = np.argsort(mine, kind="stable")
        ends = np.cumsum(np.bincount(mine, minlength=count))
        ops[:count, last] = ends
        ops[1:count, first] = ends[:-1]
        tables.append(np.ascontiguousarray(np.stack((other[order], lags[order]), axis=1)))
    return tables[0], tables[1]


def _tails(arrays: Arrays, ops: type_ints, succs: type_ints, modes: type_ints) -> None:
    """Least time from an operation's end to its order's completion: a bound that aborts hopeless moves early."""
    shortest = np.minimum.reduceat(modes[:, 1], arrays.op_ptr[:-1]) if arrays.n else np.zeros(0, np.int64)
    ops[: arrays.n, SHORTEST] = shortest
    tail = [0] * len(ops)
    first, last, job = ops[:, SUCCS].tolist(), ops[:, SUCCS_END].tolist(), ops[:, JOB].tolist()
    shorts, arcs = shortest.tolist(), succs.tolist()
    for i in reversed(arrays.topo.tolist()):
        longest = 0
        for other, lag in arcs[first[i] : last[i]]:
            if other < arrays.n and job[other] == job[i]:
                longest = max(longest, lag + shorts[other] + tail[other])
        tail[i] = longest
    ops[:, TAIL] = tail
