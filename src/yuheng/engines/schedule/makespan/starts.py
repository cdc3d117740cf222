"""First plans: list scheduling between non-delay and active schedules (Giffler and Thompson 1960), with rules or
noise.
"""

import numpy as np
from numpy.typing import NDArray

from yuheng.engines.schedule.compiled import kernel
from yuheng.engines.schedule.makespan.graph import Longs, Nodes, Table

Floats = NDArray[np.float64]


# Counters of a construction under way.
READY, DONE = 0, 1


@kernel
def remaining(node: Nodes, arc_ptr: Table, arc: Table, left: Longs, load: Longs, order: Table, least: Longs) -> None:
    """Fill, per operation, the longest (``left``) and the whole work (``load``) from it on, with shortest modes."""
    n = least.shape[0]
    for k in range(n - 1, -1, -1):
        i = order[k]
        x = 0
        y = 0
        s = node[i].succ
        if s < n:
            x = left[s] + node[i].succ_lag
            y = load[s]
        if arc.shape[0]:
            for a in range(arc_ptr[1, i], arc_ptr[1, i + 1]):
                s = arc[a, 0]
                if left[s] + arc[a, 1] > x:
                    x = left[s] + arc[a, 1]
                y += load[s]
        left[i] = x + least[i]
        load[i] = y + least[i]


@kernel
def construct(  # noqa: C901
    node: Nodes,
    arc_ptr: Table,
    arc: Table,
    mode_ptr: Table,
    mode_table: Table,
    state: Longs,
    ready: Table,
    at: Longs,
    waits: Table,
    free: Longs,
    weight: Floats,
    delay: float,
    mode: Table,
    end: Longs,
    order: Table,
    steps: int,
) -> bool:
    """Schedule up to ``steps`` more operations.

    At each step the ready operation that can end first gives a machine; among the ready ones that would choose that
    machine
    and could start early enough the one with the greatest ``weight`` is taken.

    Parameters
    ----------
    state
        ``[READY, DONE]``: how many operations are ready and how many scheduled; zero ``DONE`` with the ready ones
        filled in starts.
    ready, at, waits, free
        Ready operations, their earliest starts, unscheduled predecessors per operation, time from which each machine
        is free.
    delay
        0: non-delay (nothing waits for something better), 1: active schedules.

    Returns
    -------
    bool
        Whether all operations are scheduled: ``mode``, ``end`` and ``order`` (by the sequence of decisions) hold the
        plan.
    """
    n = mode.shape[0]
    for _ in range(steps):
        c = state[READY]
        if c == 0:
            return True
        first_end = 1 << 60
        first_start = 1 << 60
        machine = -1
        for a in range(c):
            i = ready[a]
            e = 1 << 60
            for k in range(mode_ptr[i], mode_ptr[i + 1]):
                m = mode_table[k, 0]
                s = max(at[i], free[m])
                if s + mode_table[k, 1] < e:
                    e = s + mode_table[k, 1]
                    mode[i] = k
            k = mode[i]
            m = mode_table[k, 0]
            s = max(at[i], free[m])
            if e < first_end:
                first_end = e
                machine = m
        for a in range(c):
            i = ready[a]
            if mode_table[mode[i], 0] == machine:
                s = max(at[i], free[machine])
                if s < first_start:
                    first_start = s
        limit = first_start + delay * max(first_end - 1 - first_start, 0)
        chosen = -1
        for a in range(c):
            i = ready[a]
            if (
                mode_table[mode[i], 0] == machine
                and max(at[i], free[machine]) <= limit
                and (chosen < 0 or weight[i] > weight[ready[chosen]])
            ):
                chosen = a
        i = ready[chosen]
        e = max(at[i], free[machine]) + mode_table[mode[i], 1]
        free[machine] = e
        end[i] = e
        order[state[DONE]] = i
        state[DONE] += 1
        c -= 1
        ready[chosen] = ready[c]
        s = node[i].succ
        if s < n:
            waits[s] -= 1
            at[s] = max(at[s], e + node[i].succ_lag)
            if waits[s] == 0:
                ready[c] = s
                c += 1
        if arc.shape[0]:
            for b in range(arc_ptr[1, i], arc_ptr[1, i + 1]):
                s = arc[b, 0]
                waits[s] -= 1
                at[s] = max(at[s], e + arc[b, 1])
                if waits[s] == 0:
                    ready[c] = s
                    c += 1
        state[READY] = c
    return bool(state[READY] == 0)
