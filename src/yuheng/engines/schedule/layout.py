"""The tables of the general decoder, made from `Arrays`: see `yuheng.engines.schedule.bookings` for their columns."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from yuheng.engines.schedule.arrays import Arrays
from yuheng.engines.schedule.bookings import Table
from yuheng.engines.schedule.slots import MOST_FINISH_START, MOST_START_START


@dataclass(frozen=True, slots=True)
class Layout:
    """What of the problem does not change while plans are made.

    Attributes
    ----------
    op, op_ptr, modes, mach, cal, setup, dem_ptr, keeps, cap_ptr, cap, inn_ptr, inn, out_ptr, out
        The tables of `bookings` and `slots`; resources are followed by buffers.
    dem
        (resource, amount, 0): to be copied for each plan, which notes in the third column what it holds.
    grp_ptr, grp
        Members of each group, in precedence order.
    fixed
        Operations whose machine and start are given, by start.
    slices, width
        How many slices of time a profile has hints for, and how many ticks each is.
    needs_serial
        Maximum lags or blocking: only serial generation keeps them.
    """

    arrays: Arrays
    op: Table
    op_ptr: Table
    modes: Table
    mach: Table
    cal: Table
    setup: Table
    dem_ptr: Table
    dem: Table
    keeps: Table
    cap_ptr: Table
    cap: Table
    inn_ptr: Table
    inn: Table
    out_ptr: Table
    out: Table
    grp_ptr: Table
    grp: Table
    fixed: Table
    slices: int
    width: int
    needs_serial: bool

    @property
    def groups(self) -> int:
        """Number of groups."""
        return len(self.grp_ptr) - 1


def lay_out(arrays: Arrays) -> Layout:
    """Make the tables. Linear in operations, modes and links."""
    n = arrays.n
    inn_ptr, inn, out_ptr, out = _links(arrays)
    fixed_mode = _fixed_modes(arrays)
    is_fixed = fixed_mode >= 0
    is_fixed &= arrays.fixed_start >= 0
    group = _groups(arrays, inn_ptr, inn, is_fixed)
    position = np.empty(n, np.int64)
    position[arrays.topo] = np.arange(n)
    grp = np.lexsort((position, group)).astype(np.int64)
    grp_ptr = np.zeros(int(group.max(initial=-1)) + 2, np.int64)
    np.cumsum(np.bincount(group, minlength=len(grp_ptr) - 1), out=grp_ptr[1:])
    op = np.column_stack(
        (
            arrays.job,
            arrays.family,
            arrays.release,
            arrays.interruptible,
            arrays.fixed_start,
            fixed_mode,
            arrays.op_size,
            arrays.is_started,
            group,
            arrays.routing_of_op,
        )
    ).astype(np.int64)
    cap_ptr, cap, keeps = _capacities(arrays)
    fixed = np.flatnonzero(is_fixed)
    shortest = arrays.mode_duration[arrays.op_ptr[:-1]]
    busy = int(shortest.sum()) // max(1, arrays.machines) * 3
    span = int(arrays.release.max(initial=0)) + busy + int(shortest.max(initial=1)) * 8
    slices = min(1 << 13, max(1 << 7, 4 * len(arrays.dem_res) // max(1, len(keeps))))
    return Layout(
        arrays=arrays,
        op=np.ascontiguousarray(op),
        op_ptr=arrays.op_ptr,
        modes=np.ascontiguousarray(np.column_stack((arrays.mode_machine, arrays.mode_duration))),
        mach=_machines(arrays),
        cal=np.ascontiguousarray(np.column_stack((arrays.cal_start, arrays.cal_end, arrays.cal_work))),
        setup=arrays.setup,
        dem_ptr=arrays.dem_ptr,
        dem=np.column_stack((arrays.dem_res, arrays.dem_amount, np.zeros_like(arrays.dem_res))).astype(np.int64),
        keeps=keeps,
        cap_ptr=cap_ptr,
        cap=cap,
        inn_ptr=inn_ptr,
        inn=inn,
        out_ptr=out_ptr,
        out=out,
        grp_ptr=grp_ptr,
        grp=grp,
        fixed=fixed[np.argsort(arrays.fixed_start[fixed], kind="stable")],
        slices=slices,
        width=max(1, span // slices),
        needs_serial=bool((arrays.link_max >= 0).any()) or arrays.has_buffers,
    )


def _fixed_modes(arrays: Arrays) -> Table:
    """Modes that are given; where only the start is, the shortest on a machine that is free of what else is fixed."""
    modes = arrays.fixed_mode.copy()
    open_machine = np.flatnonzero((arrays.fixed_start >= 0) & (modes < 0))
    if not len(open_machine):
        return modes
    busy: dict[int, list[tuple[int, int]]] = {}
    for i in np.flatnonzero((arrays.fixed_start >= 0) & (modes >= 0)).tolist():
        start, k = int(arrays.fixed_start[i]), int(modes[i])
        busy.setdefault(int(arrays.mode_machine[k]), []).append((start, start + int(arrays.mode_duration[k])))
    for i in open_machine[np.argsort(arrays.fixed_start[open_machine], kind="stable")].tolist():
        start = int(arrays.fixed_start[i])
        ranked = []
        for k in range(int(arrays.op_ptr[i]), int(arrays.op_ptr[i + 1])):
            end = start + int(arrays.mode_duration[k])
            others = busy.get(int(arrays.mode_machine[k]), [])
            ranked.append((sum(a < end and start < b for a, b in others), end, k))
        _collisions, end, modes[i] = min(ranked)
        busy.setdefault(int(arrays.mode_machine[modes[i]]), []).append((start, end))
    return modes


def _machines(arrays: Arrays) -> Table:
    known = arrays.cal_of_machine >= 0
    calendar = np.where(known, arrays.cal_of_machine, 0)
    low = np.where(known, arrays.cal_ptr[calendar], -1)
    high = np.where(known, arrays.cal_ptr[np.minimum(calendar + 1, len(arrays.cal_ptr) - 1)], -1)
    buffer = np.where(arrays.buffer_of_machine >= 0, arrays.buffer_of_machine + len(arrays.cap_ptr) - 1, -1)
    matrix = arrays.setup_of_machine if arrays.has_setups else np.full(arrays.machines, -1, np.int64)
    columns = (low, high, matrix, arrays.initial_family, arrays.machine_free, arrays.batch_capacity, buffer, low)
    return np.ascontiguousarray(np.column_stack(columns).astype(np.int64))


def _capacities(arrays: Arrays) -> tuple[Table, Table, Table]:
    """Resources, then buffers, whose places are there from the beginning."""
    count = len(arrays.buffer_capacity)
    steps = np.column_stack((arrays.cap_time, arrays.cap_value))
    places = np.column_stack((np.zeros(count, np.int64), arrays.buffer_capacity))
    ptr = np.concatenate((arrays.cap_ptr, len(steps) + 1 + np.arange(count)))
    keeps = np.concatenate((arrays.res_keeps.astype(np.int64), np.ones(count, np.int64)))
    return ptr.astype(np.int64), np.ascontiguousarray(np.concatenate((steps, places)).astype(np.int64)), keeps


def _links(arrays: Arrays) -> tuple[Table, Table, Table, Table]:
    """Links in both directions; a maximum lag is a link of its own."""
    n = arrays.n
    after = np.repeat(np.arange(n), np.diff(arrays.link_ptr))
    most = np.flatnonzero(arrays.link_max >= 0)
    most_kind = np.where(arrays.link_kind[most] == 0, MOST_FINISH_START, MOST_START_START)
    ones = np.ones(len(most), np.int64)
    rows = np.concatenate(
        (
            np.column_stack(
                (arrays.link_pred, arrays.link_kind, arrays.link_lag, arrays.link_transfer, arrays.link_quantity)
            ),
            np.column_stack((arrays.link_pred[most], most_kind, arrays.link_max[most], ones, ones)),
        )
    ).astype(np.int64)
    later = np.concatenate((after, after[most]))
    order = np.argsort(later, kind="stable")
    later, rows = later[order], rows[order]
    inn = np.ascontiguousarray(np.column_stack((rows, np.arange(len(rows)))))
    by_before = np.argsort(rows[:, 0], kind="stable")
    out = np.ascontiguousarray(np.column_stack((later[by_before], rows[by_before, 1:], by_before)))
    return _pointers(later, n), inn, _pointers(rows[:, 0], n), out


def _pointers(rows: Table, n: int) -> Table:
    ptr = np.zeros(n + 1, np.int64)
    np.cumsum(np.bincount(rows, minlength=n), out=ptr[1:])
    return ptr


def _groups(arrays: Arrays, inn_ptr: Table, inn: Table, is_fixed: npt.NDArray[np.bool_]) -> Table:
    """Group of each operation: what a maximum lag or a blocked machine ties together, without circles of groups."""
    n = arrays.n
    root = list(range(n))

    def find(i: int) -> int:
        while root[i] != i:
            root[i] = root[root[i]]
            i = root[i]
        return i

    tied = inn[:, 1] >= MOST_FINISH_START
    after = np.repeat(np.arange(n), np.diff(inn_ptr))
    if arrays.has_buffers:
        buffered = arrays.buffer_of_machine[arrays.mode_machine] >= 0
        waits = np.add.reduceat(buffered.astype(np.int64), arrays.op_ptr[:-1]) > 0
        tied |= (inn[:, 1] == 0) & waits[after]
    tied &= ~is_fixed[after] & ~is_fixed[inn[:, 0]]
    if not tied.any():
        return np.arange(n, dtype=np.int64)
    for a, b in zip(inn[tied, 0].tolist(), after[tied].tolist(), strict=True):
        root[find(a)] = find(b)
    label = np.unique([find(i) for i in range(n)], return_inverse=True)[1]
    return _without_circles(label, inn[:, 0], after).astype(np.int64)


def _without_circles(label: Table, before: Table, after: Table) -> Table:
    """Merge groups that wait for each other (strongly connected components; Tarjan 1972, without recursion)."""
    count = int(label.max()) + 1
    links: list[list[int]] = [[] for _group in range(count)]
    for a, b in zip(label[before].tolist(), label[after].tolist(), strict=True):
        if a != b:
            links[a].append(b)
    number, low, component = [-1] * count, [0] * count, [-1] * count
    stack: list[int] = []
    clock = components = 0
    for start in range(count):
        if number[start] >= 0:
            continue
        number[start] = low[start] = clock
        clock += 1
        stack.append(start)
        walk = [(start, iter(links[start]))]
        while walk:
            group, following = walk[-1]
            for other in following:
                if number[other] < 0:
                    number[other] = low[other] = clock
                    clock += 1
                    stack.append(other)
                    walk.append((other, iter(links[other])))
                    break
                if component[other] < 0:
                    low[group] = min(low[group], number[other])
            else:
                walk.pop()
                if walk:
                    low[walk[-1][0]] = min(low[walk[-1][0]], low[group])
                if low[group] == number[group]:
                    while component[group] < 0:
                        component[stack.pop()] = components
                    components += 1
    return np.array(component, np.int64)[label]
