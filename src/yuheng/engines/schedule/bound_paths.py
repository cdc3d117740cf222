"""Heads and tails: how early an operation can start, and how much must follow it, machines forgotten. Compiled."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from yuheng.engines.schedule.arrays import Arrays
from yuheng.engines.schedule.compiled import bare, kernel

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

FINISH_START, START_START, OVERLAP = 0, 1, 2


def paths(arrays: Arrays) -> tuple[Ints, Ints, Ints, Ints]:
    """Return earliest start, earliest end, tail to the end of everything and to the end of the own job; ``(n,)`` each.

    A tail counts elapsed ticks after the operation's end that no plan can avoid.
    """
    head, early = _heads(
        arrays.topo, arrays.op_ptr, arrays.mode_machine, arrays.mode_duration, arrays.fixed_start, arrays.fixed_mode,
        arrays.release, arrays.interruptible, arrays.machine_free, arrays.cal_of_machine, arrays.cal_ptr,
        arrays.cal_start, arrays.cal_end, arrays.link_ptr, arrays.link_pred, arrays.link_kind, arrays.link_lag,
        arrays.link_transfer, arrays.link_quantity, arrays.job, arrays.routing_of_op, arrays.routing_ptr,
    )  # fmt: skip
    tail, job_tail = _tails(
        arrays.topo, arrays.op_ptr, arrays.mode_duration, arrays.fixed_start, arrays.fixed_mode, early,
        arrays.after_ptr, arrays.after, arrays.after_link, arrays.link_kind, arrays.link_lag, arrays.link_transfer,
        arrays.link_quantity, arrays.job, arrays.routing_of_op,
    )  # fmt: skip
    return head, early, tail, job_tail


def job_completions(arrays: Arrays, early: Ints) -> Ints:
    """Return the earliest completion of each job, the quickest of its routings; ``(jobs,)``."""
    done = np.zeros(arrays.jobs, np.int64)
    always = arrays.routing_of_op < 0
    np.maximum.at(done, arrays.job[always], early[always])
    routings = int(arrays.routing_ptr[-1])
    if routings:
        by_routing = np.zeros(routings, np.int64)
        np.maximum.at(by_routing, arrays.routing_of_op[~always], early[~always])
        has = np.flatnonzero(np.diff(arrays.routing_ptr) > 0)
        done[has] = np.maximum(done[has], np.minimum.reduceat(by_routing, arrays.routing_ptr[:-1][has]))
    return done


@bare
def _finish(t: int, work: int, pauses: bool, lo: int, hi: int, cal_start: Ints, cal_end: Ints) -> tuple[int, int]:
    """Earliest start and end of ``work`` from ``t`` on, on the open intervals lo..hi (none: always open)."""
    if lo == hi:
        return t, t + work
    a, b = lo, hi
    while a < b:
        middle = (a + b) >> 1
        if cal_end[middle] <= t:
            a = middle + 1
        else:
            b = middle
    t = max(t, cal_start[a])
    if not pauses:
        while t + work > cal_end[a]:
            a += 1
            t = cal_start[a]
        return t, t + work
    start = t
    while t + work > cal_end[a]:
        work -= cal_end[a] - t
        a += 1
        t = cal_start[a]
    return start, t + work


@bare
def _least(i: int, op_ptr: Ints, mode_duration: Ints, fixed_mode: Ints) -> int:
    """Least working ticks of an operation."""
    if fixed_mode[i] >= 0:
        return int(mode_duration[fixed_mode[i]])
    least = int(mode_duration[op_ptr[i]])
    for k in range(op_ptr[i] + 1, op_ptr[i + 1]):
        least = min(least, int(mode_duration[k]))
    return least


@bare
def _soonest(
    i: int, ready: int, op_ptr: Ints, mode_machine: Ints, mode_duration: Ints, fixed_start: Ints, fixed_mode: Ints,
    interruptible: Bools, machine_free: Ints, cal_of_machine: Ints, cal_ptr: Ints, cal_start: Ints, cal_end: Ints,
) -> tuple[int, int]:  # fmt: skip
    """Earliest start on any machine, and earliest end on any machine."""
    first, last = op_ptr[i], op_ptr[i + 1]
    if fixed_mode[i] >= 0:
        first, last = fixed_mode[i], fixed_mode[i] + 1
    best_start, best_end = -1, -1
    for k in range(first, last):
        m = mode_machine[k]
        c = cal_of_machine[m]
        lo = cal_ptr[c] if c >= 0 else 0
        hi = cal_ptr[c + 1] if c >= 0 else 0
        t = ready if fixed_start[i] >= 0 else max(ready, machine_free[m])
        s, e = _finish(t, mode_duration[k], interruptible[i], lo, hi, cal_start, cal_end)
        if best_end < 0 or e < best_end:
            best_end = e
        if best_start < 0 or s < best_start:
            best_start = s
    return best_start, best_end


@bare
def _quickest(by_routing: Ints, lo: int, hi: int) -> int:
    """Least of the routings' times, and forget them."""
    quickest = by_routing[lo]
    for r in range(lo, hi):
        quickest = min(quickest, by_routing[r])
        by_routing[r] = 0
    return int(quickest)


@bare
def _part(transfer: int, quantity: int, least: int) -> int:
    """Ticks for one transfer batch."""
    return -((-transfer * least) // quantity)


@kernel
def _heads(
    topo: Ints, op_ptr: Ints, mode_machine: Ints, mode_duration: Ints, fixed_start: Ints, fixed_mode: Ints,
    release: Ints, interruptible: Bools, machine_free: Ints, cal_of_machine: Ints, cal_ptr: Ints, cal_start: Ints,
    cal_end: Ints, link_ptr: Ints, link_pred: Ints, link_kind: Ints, link_lag: Ints, link_transfer: Ints,
    link_quantity: Ints, job: Ints, routing_of_op: Ints, routing_ptr: Ints,
) -> tuple[Ints, Ints]:  # fmt: skip
    n = len(topo)
    head, early = np.zeros(n, np.int64), np.zeros(n, np.int64)
    by_routing = np.zeros(max(1, routing_ptr[-1]), np.int64)
    for i in topo:
        ready, done = release[i], 0
        own = routing_of_op[i]
        branches = False
        for k in range(link_ptr[i], link_ptr[i + 1]):
            a = link_pred[k]
            if link_kind[k] == FINISH_START:
                at = early[a] + link_lag[k]
            elif link_kind[k] == START_START:
                at = head[a] + link_lag[k]
            else:
                least = _least(a, op_ptr, mode_duration, fixed_mode)
                at = head[a] + _part(link_transfer[k], link_quantity[k], least) + link_lag[k]
            if routing_of_op[a] >= 0 and routing_of_op[a] != own:
                # The link holds only if that routing is chosen: the quickest routing of that job is certain.
                if job[a] == job[i]:
                    by_routing[routing_of_op[a]] = max(by_routing[routing_of_op[a]], at)
                    branches = True
                continue
            ready = max(ready, at)
            if link_kind[k] == OVERLAP:
                least = _least(i, op_ptr, mode_duration, fixed_mode)
                done = max(done, early[a] + link_lag[k] + _part(link_transfer[k], link_quantity[k], least))
        if branches:
            ready = max(ready, _quickest(by_routing, routing_ptr[job[i]], routing_ptr[job[i] + 1]))
        if fixed_start[i] >= 0:
            ready = fixed_start[i]
        best_start, best_end = _soonest(
            i, ready, op_ptr, mode_machine, mode_duration, fixed_start, fixed_mode, interruptible, machine_free,
            cal_of_machine, cal_ptr, cal_start, cal_end,
        )  # fmt: skip
        head[i] = ready if fixed_start[i] >= 0 else best_start
        early[i] = max(best_end, done)
    return head, early


@kernel
def _tails(
    topo: Ints, op_ptr: Ints, mode_duration: Ints, fixed_start: Ints, fixed_mode: Ints, early: Ints, after_ptr: Ints,
    after: Ints, after_link: Ints, link_kind: Ints, link_lag: Ints, link_transfer: Ints, link_quantity: Ints,
    job: Ints, routing_of_op: Ints,
) -> tuple[Ints, Ints]:  # fmt: skip
    n = len(topo)
    tail, job_tail = np.zeros(n, np.int64), np.zeros(n, np.int64)
    for x in range(n - 1, -1, -1):
        a = topo[x]
        for k in range(after_ptr[a], after_ptr[a + 1]):
            b, link = after[k], after_link[k]
            if link_kind[link] == START_START or fixed_start[b] >= 0:
                continue
            if routing_of_op[b] >= 0 and routing_of_op[b] != routing_of_op[a]:
                continue
            least = _least(b, op_ptr, mode_duration, fixed_mode)
            if link_kind[link] == OVERLAP:
                least = _part(link_transfer[link], link_quantity[link], least)
            tail[a] = max(tail[a], link_lag[link] + least + tail[b])
            if job[b] == job[a]:
                job_tail[a] = max(job_tail[a], link_lag[link] + least + job_tail[b])
    return tail, job_tail
