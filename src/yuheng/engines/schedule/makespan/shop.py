"""From the arrays of a problem to what the makespan kernels work on, and back."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from yuheng.engines.schedule.arrays import Arrays
from yuheng.engines.schedule.makespan.graph import NODE, Nodes

Ints = NDArray[np.int32]
Times = NDArray[np.int64]
INDEX = np.int32

LARGEST = 1 << 30
LARGE_TABLE = 1 << 22


def supports(arrays: Arrays) -> bool:
    """Tell whether the makespan search can plan this problem.

    It knows alternatives, any acyclic precedence with shortest lags, releases, machines that are free later, and
    operations bound to one of their machines; no calendars, set-ups, resources, fixed starts, batches, buffers or
    routings.
    """
    return not (
        arrays.has_calendars
        or arrays.has_setups
        or arrays.needs_general
        or bool((arrays.fixed_start >= 0).any())
        or _latest(arrays) >= LARGEST
    )


def _latest(arrays: Arrays) -> int:
    """Return a time, from the first release on, by which everything is done even if done one after the other."""
    if not arrays.n:
        return 0
    begin = max(int(arrays.release.max()), int(arrays.machine_free.max())) - int(arrays.release.min())
    return begin + int(np.maximum.reduceat(arrays.mode_duration, arrays.op_ptr[:-1]).sum()) + int(arrays.pred_lag.sum())


def _first_and_more(
    n: int, ptr: Times, to: Times, lag: Times
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Split CSR arcs into the first one of every operation (``n``: none), its lag, and pointer and table of the
    others.
    """
    count = np.diff(ptr)
    some = count > 0
    first, first_lag = np.full(n, n), np.zeros(n, np.int64)
    first[some] = to[ptr[:-1][some]]
    first_lag[some] = lag[ptr[:-1][some]]
    other = np.ones(len(to), bool)
    other[ptr[:-1][some]] = False
    more_ptr = np.concatenate(([0], np.cumsum(np.maximum(count - 1, 0))))
    return first, first_lag, more_ptr, np.stack((to[other], lag[other]), axis=1)


@dataclass(frozen=True, slots=True)
class Shop:
    """A problem ready for the kernels.

    Attributes
    ----------
    node
        Node table of an empty plan, shape ``(n + 1 + machines, COLUMNS)``: see `graph`.
    arc_ptr, arc
        Second and further predecessors (row 0) and successors (row 1) of each operation: CSR into ``(node, lag)`` rows.
    mode_ptr, mode_table
        Ways of doing each operation: CSR into ``(machine, duration)`` rows.
    mode_on
        Mode of each operation on each machine (-1: none), shape ``(n, machines)``; empty where that would be large.
    seq_ptr
        Where the sequence of each machine begins in the array of sequences.
    original_mode, mode_of
        For each mode its absolute index in the problem, and the reverse (-1: excluded, the operation is fixed to
        another one).
    order
        A topological order of the operations.
    least
        Shortest duration of each operation.
    origin
        The first release: the kernels count from there.
    bound
        A makespan, from `origin` on, that no plan can beat (simple bound).
    """

    node: Nodes
    arc_ptr: Ints
    arc: Ints
    mode_ptr: Ints
    mode_table: Ints
    mode_on: Ints
    seq_ptr: Ints
    original_mode: Ints
    mode_of: Ints
    order: Ints
    least: Times
    origin: int
    bound: int

    @property
    def n(self) -> int:
        """Number of operations."""
        return len(self.least)

    @property
    def machines(self) -> int:
        """Number of machines."""
        return len(self.seq_ptr) - 1

    @property
    def flexible(self) -> bool:
        """Whether any operation has a choice of modes."""
        return len(self.original_mode) > self.n

    @property
    def machine_free(self) -> Ints:
        """Time from which each machine is free."""
        free: Ints = self.node["head"][self.n + 1 : -1]
        return free


def compile_shop(arrays: Arrays) -> Shop:
    """Turn the arrays of a problem into those of the makespan kernels.

    Raises
    ------
    ValueError
        The precedence has a cycle, or the times could exceed 32 bits.
    """
    n, machines = int(arrays.n), int(arrays.machines)
    op = np.repeat(np.arange(n), np.diff(arrays.op_ptr))
    fixed = np.asarray(arrays.fixed_mode)
    allowed = (fixed[op] < 0) | (fixed[op] == np.arange(len(op)))
    original = np.flatnonzero(allowed).astype(INDEX)
    mode_of = np.full(len(op), -1, INDEX)
    mode_of[original] = np.arange(len(original))
    table = np.stack((np.asarray(arrays.mode_machine)[original], np.asarray(arrays.mode_duration)[original]), axis=1)
    mode_ptr = np.concatenate(([0], np.cumsum(np.bincount(op[original], minlength=n))))
    origin = int(arrays.release.min(initial=0) if n == 0 else arrays.release.min())
    release = arrays.release - origin
    free = np.maximum(arrays.machine_free - origin, 0)
    if _latest(arrays) >= LARGEST:
        raise ValueError("times too large for 32 bits")
    node = np.zeros(n + 2 + machines, NODE)
    pred, pred_lag, pred_ptr, preds = _first_and_more(
        n, *(np.asarray(a) for a in (arrays.pred_ptr, arrays.pred, arrays.pred_lag))
    )
    succ, succ_lag, succ_ptr, succs = _first_and_more(
        n, *(np.asarray(a) for a in (arrays.succ_ptr, arrays.succ, arrays.succ_lag))
    )
    op_node = node[:n]
    op_node["pred"], op_node["pred_lag"], op_node["succ"], op_node["succ_lag"] = pred, pred_lag, succ, succ_lag
    op_node["pred"][pred == n] = n + 1 + machines
    op_node["release"] = release
    node["head"][n + 1 : n + 1 + machines] = free
    node["pos"][n], node["pos"][n + 1 :] = -1, n
    seq_ptr = np.concatenate(([0], np.cumsum(np.bincount(table[:, 0], minlength=machines))))
    op_node["local"] = np.arange(n)
    if len(original) == n:  # one mode each: a number within the machine is enough, and keeps the tabu table small
        by_machine = np.argsort(table[:, 0], kind="stable")
        op_node["local"][by_machine] = np.arange(n) - seq_ptr[table[by_machine, 0]]
    order = arrays.topo.astype(INDEX)
    arc_ptr = np.stack((pred_ptr, succ_ptr + len(preds))).astype(INDEX)
    arc = np.concatenate((preds, succs)).astype(INDEX)
    least = np.minimum.reduceat(table[:, 1], mode_ptr[:-1]).astype(np.int64)
    bound = simple_bound(arrays, release, free, table, mode_ptr, least)
    return Shop(
        node,
        arc_ptr,
        arc,
        mode_ptr.astype(INDEX),
        table.astype(INDEX),
        _modes_on(n, machines, op[original], table[:, 0]),
        seq_ptr.astype(INDEX),
        original,
        mode_of,
        order,
        least,
        origin,
        bound,
    )


def _modes_on(n: int, machines: int, op: NDArray[Any], machine: NDArray[Any]) -> Ints:
    if len(op) == n or n * machines > LARGE_TABLE:
        return np.zeros((0, 0), INDEX)
    modes = np.full((n, machines), -1, INDEX)
    modes[op, machine] = np.arange(len(op))
    return modes


def simple_bound(
    arrays: Arrays, release: Times, free: Times, table: NDArray[Any], mode_ptr: NDArray[Any], least: Times
) -> int:
    """Return the greatest of: longest routing, and for each set of machines the work that only they can do, shared
    equally.

    Heads before and tails behind that work are added (the smallest of each).
    """
    n = len(least)
    order = arrays.topo.tolist()
    start = np.maximum(release, np.minimum.reduceat(free[table[:, 0]], mode_ptr[:-1])).tolist()
    tail = [0] * n
    work = least.tolist()
    ptr, succ, lag = (np.asarray(a).tolist() for a in (arrays.succ_ptr, arrays.succ, arrays.succ_lag))
    for i in order:
        for a in range(ptr[i], ptr[i + 1]):
            start[succ[a]] = max(start[succ[a]], start[i] + work[i] + lag[a])
    for i in reversed(order):
        tail[i] = max((tail[succ[a]] + work[succ[a]] + lag[a] for a in range(ptr[i], ptr[i + 1])), default=0)
    bound = max((start[i] + work[i] + tail[i] for i in range(n)), default=0)
    groups: dict[tuple[int, ...], list[int]] = {}
    machine, modes = table[:, 0].tolist(), mode_ptr.tolist()
    for i in range(n):
        groups.setdefault(tuple(sorted(machine[modes[i] : modes[i + 1]])), []).append(i)
    sets = [*groups.items(), (tuple(set(machine)), list(range(n)))]
    for machines, ops in sets:
        # Each machine of the set begins its share not before the smallest head, or before it is free, and leaves the
        # smallest tail.
        first = np.maximum(free[list(machines)], min(start[i] for i in ops))
        share = -(-(int(first.sum()) + sum(work[i] for i in ops)) // len(machines))
        bound = max(bound, share + min(tail[i] for i in ops))
    return bound
