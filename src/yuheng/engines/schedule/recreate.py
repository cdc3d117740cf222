# mypy: disable-error-code="no-any-return"
"""Local search for problems with every rule: change the order or a machine somewhere, decode anew from there on.

A step picks an order that costs something, walks back along what made it wait, and moves one operation before the one
it waited for, to another machine, or its order to another routing. Everything that starts from that moment on is taken
out and put in again, in the old order but for the change, so that all of it moves to where it fits. The decoding is
given up as soon as what is certain to be late costs more than would be accepted (late acceptance).

References
----------
Burke, E., Bykov, Y. (2017). The late acceptance hill-climbing heuristic. European Journal of Operational Research 258.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from yuheng.engines.schedule.bookings import (
    END,
    FIXED_START,
    FULL,
    GROUP,
    JOB,
    MACHINE,
    MODE,
    SETUPS,
    START,
    Table,
)
from yuheng.engines.schedule.changes import copy_board, draw, propose
from yuheng.engines.schedule.dispatching import Reals
from yuheng.engines.schedule.serial import place_group, pop, push
from yuheng.engines.schedule.slots import OTHER, remove

Flags = np.ndarray[Any, np.dtype[np.uint8]]

TARDINESS, MAKESPAN, FLOW, SETUP, LATE, NERVOUSNESS = range(6)
"""Columns of ``weights``."""
STALE = 40
"""After so many rounds of the memory without a better plan, worse ones are accepted again."""
GIVEN_UP = 99
"""Not a fault: the change costs too much, or somebody wants an answer."""


@njit(cache=True)
def cost_of(
    op: Table,
    modes: Table,
    place: Table,
    state: Table,
    due: Table,
    weight: Reals,
    job_release: Table,
    weights: Reals,
    wish: Table,
    near: Reals,
    done: Table,
    late: Reals,
) -> float:
    """Value of a complete plan; fills ``done`` (completions) and ``late`` (what each order costs) by job."""
    jobs = due.shape[0]
    done[:] = job_release
    nervous = 0.0
    span = 0
    for i in range(op.shape[0]):
        if place[i, MODE] < 0:
            continue
        j = op[i, JOB]
        done[j] = max(done[j], place[i, END])
        span = max(span, place[i, END])
        if near[i] > 0.0:
            moved = abs(place[i, START] - wish[i, 0])
            if modes[place[i, MODE], MACHINE] != wish[i, 1]:
                moved += wish[i, 2]
            nervous += near[i] * moved
    total = weights[MAKESPAN] * span + weights[SETUP] * state[SETUPS] + weights[NERVOUSNESS] * nervous
    for j in range(jobs):
        late[j] = 0.0
        if done[j] > due[j]:
            late[j] = weights[TARDINESS] * weight[j] * (done[j] - due[j]) + weights[LATE]
        total += late[j]
        late[j] += weights[FLOW] * (done[j] - job_release[j])
        total += weights[FLOW] * (done[j] - job_release[j])
        if weights[MAKESPAN] > 0.0 and done[j] == span:
            late[j] += weights[MAKESPAN] * span
    return total


@njit(cache=True)
def _sure(end: int, j: int, due: Table, weight: Reals, weights: Reals, job_release: Table) -> float:
    """What order ``j`` costs at least when it is not done before ``end``."""
    cost = weights[FLOW] * max(0, end - job_release[j])
    if end > due[j]:
        cost += weights[TARDINESS] * weight[j] * (end - due[j]) + weights[LATE]
    return cost


@njit(cache=True, nogil=True)
def refill(  # noqa: C901  (one compiled loop; every call in it costs)
    op: Table,
    op_ptr: Table,
    modes: Table,
    mach: Table,
    cal: Table,
    setup: Table,
    place: Table,
    ends: Table,
    dem_ptr: Table,
    dem: Table,
    node: Table,
    hint: Table,
    state: Table,
    keeps: Table,
    inn_ptr: Table,
    inn: Table,
    out_ptr: Table,
    out: Table,
    grp_ptr: Table,
    grp: Table,
    active: Table,
    want: Table,
    bias: Table,
    last: Table,
    waits: Table,
    bound: Table,
    left: Table,
    keys: Table,
    values: Table,
    prio: Table,
    todo: Table,
    t0: int,
    limit: float,
    due: Table,
    weight: Reals,
    job_release: Table,
    weights: Reals,
    tail: Table,
    sure: Reals,
    stop: Flags,
) -> int:
    """Take out everything that starts at or after ``t0``, and put it in again by ``prio`` (of groups).

    Returns 0, a fault, or `GIVEN_UP` when the plan is certain to cost more than ``limit`` or ``stop`` is set.
    """
    groups = grp_ptr.shape[0] - 1
    is_whole = False
    while not is_whole:  # a group is taken out as a whole
        is_whole = True
        for g in range(groups):
            if grp_ptr[g + 1] - grp_ptr[g] == 1:
                continue
            first, beyond = t0, -1
            for y in range(grp_ptr[g], grp_ptr[g + 1]):
                i = grp[y]
                if place[i, MODE] >= 0 and op[i, FIXED_START] < 0:
                    first = min(first, place[i, START])
                    beyond = max(beyond, place[i, START])
            if first < t0 <= beyond:
                t0 = first
                is_whole = False
    sure[:] = 0.0
    total = 0.0
    for i in range(op.shape[0]):
        if place[i, MODE] < 0:
            continue
        if place[i, START] >= t0 and not (op[i, FIXED_START] >= 0 and op[i, 5] >= 0):
            continue
        j = op[i, JOB]
        cost = _sure(place[i, END] + (tail[i] if place[i, END] > t0 else 0), j, due, weight, weights, job_release)
        if cost > sure[j]:
            total += cost - sure[j]
            sure[j] = cost
    count = 0
    for g in range(groups):
        is_out = False
        for y in range(grp_ptr[g], grp_ptr[g + 1]):
            i = grp[y]
            if op[i, FIXED_START] >= 0 and op[i, 5] >= 0:
                continue
            if place[i, MODE] >= 0 and place[i, START] >= t0:
                remove(
                    op,
                    modes,
                    mach,
                    cal,
                    setup,
                    place,
                    ends,
                    dem_ptr,
                    dem,
                    node,
                    hint,
                    state,
                    keeps,
                    inn_ptr,
                    inn,
                    waits,
                    i,
                )
            if place[i, MODE] < 0 and active[i] == 1:
                is_out = True
        if is_out:
            todo[count] = g
            count += 1
    if state[FULL] == 1:
        return GIVEN_UP
    size = 0
    for x in range(count):
        g = todo[x]
        left[g] = 0
        for y in range(grp_ptr[g], grp_ptr[g + 1]):
            i = grp[y]
            if active[i] == 0:
                continue
            for q in range(inn_ptr[i], inn_ptr[i + 1]):
                a = inn[q, OTHER]
                if op[a, GROUP] != g and active[a] == 1 and place[a, MODE] < 0:
                    left[g] += 1
        if left[g] == 0:
            size = push(keys, values, size, prio[g], g)
    steps = 0
    while size > 0:
        size = pop(keys, values, size)
        g = values[size]
        fault = place_group(
            op,
            op_ptr,
            modes,
            mach,
            cal,
            setup,
            place,
            ends,
            dem_ptr,
            dem,
            node,
            hint,
            state,
            keeps,
            inn_ptr,
            inn,
            out_ptr,
            out,
            grp_ptr,
            grp,
            active,
            want,
            bias,
            last,
            waits,
            bound,
            g,
            0,
        )
        if fault != 0:
            return fault
        steps += 1
        if steps & 127 == 0 and stop[0] != 0:
            return GIVEN_UP
        for y in range(grp_ptr[g], grp_ptr[g + 1]):
            i = grp[y]
            if active[i] == 0:
                continue
            j = op[i, JOB]
            cost = _sure(place[i, END] + tail[i], j, due, weight, weights, job_release)
            if cost > sure[j]:
                total += cost - sure[j]
                sure[j] = cost
            for p in range(out_ptr[i], out_ptr[i + 1]):
                b = out[p, OTHER]
                h = op[b, GROUP]
                if h != g and active[b] == 1 and place[b, MODE] < 0:
                    left[h] -= 1
                    if left[h] == 0:
                        size = push(keys, values, size, prio[h], h)
        if total > limit:
            return GIVEN_UP
    return 0


@njit(cache=True, nogil=True)
def climb(
    op: Table,
    op_ptr: Table,
    modes: Table,
    mach: Table,
    cal: Table,
    setup: Table,
    dem_ptr: Table,
    keeps: Table,
    inn_ptr: Table,
    inn: Table,
    out_ptr: Table,
    out: Table,
    grp_ptr: Table,
    grp: Table,
    routing_ptr: Table,
    job_ptr: Table,
    job_ops: Table,
    due: Table,
    weight: Reals,
    job_release: Table,
    weights: Reals,
    wish: Table,
    near: Reals,
    tail: Table,
    place: Table,
    ends: Table,
    dem: Table,
    node: Table,
    hint: Table,
    state: Table,
    waits: Table,
    active: Table,
    place2: Table,
    ends2: Table,
    dem2: Table,
    node2: Table,
    hint2: Table,
    state2: Table,
    waits2: Table,
    active2: Table,
    want: Table,
    bias: Table,
    last: Table,
    bound: Table,
    left: Table,
    keys: Table,
    values: Table,
    prio: Table,
    todo: Table,
    best: Table,
    best_waits: Table,
    done: Table,
    late: Reals,
    sure: Reals,
    history: Reals,
    costs: Reals,
    rng: Table,
    counts: Table,
    stop: Flags,
    steps: int,
) -> int:
    """Take ``steps`` steps from the plan in ``place``; ``best`` keeps the best plan met.

    ``costs`` are those of the present and of the best plan; ``counts`` are steps done, plans decoded in full, accepted,
    improvements, and the step of the last one. Returns 1 when the profiles ran out of room.
    """
    for _step in range(steps):
        if stop[0] != 0 or costs[1] <= 0.0:
            return 0
        counts[0] += 1
        copy_board(
            place,
            ends,
            dem,
            node,
            hint,
            state,
            waits,
            active,
            place2,
            ends2,
            dem2,
            node2,
            hint2,
            state2,
            waits2,
            active2,
        )
        t0 = propose(
            op,
            op_ptr,
            modes,
            mach,
            cal,
            place2,
            inn_ptr,
            inn,
            grp_ptr,
            grp,
            active2,
            want,
            prio,
            routing_ptr,
            job_ptr,
            job_ops,
            late,
            rng,
        )
        if t0 < 0:
            continue
        spot = counts[0] % history.shape[0]
        limit = max(history[spot], costs[0])
        fault = refill(
            op,
            op_ptr,
            modes,
            mach,
            cal,
            setup,
            place2,
            ends2,
            dem_ptr,
            dem2,
            node2,
            hint2,
            state2,
            keeps,
            inn_ptr,
            inn,
            out_ptr,
            out,
            grp_ptr,
            grp,
            active2,
            want,
            bias,
            last,
            waits2,
            bound,
            left,
            keys,
            values,
            prio,
            todo,
            t0,
            limit,
            due,
            weight,
            job_release,
            weights,
            tail,
            sure,
            stop,
        )
        if state2[FULL] == 1:
            return 1
        if fault == 0:
            counts[1] += 1
            cost = cost_of(op, modes, place2, state2, due, weight, job_release, weights, wish, near, done, sure)
            if cost <= limit:
                counts[2] += 1
                copy_board(
                    place2,
                    ends2,
                    dem2,
                    node2,
                    hint2,
                    state2,
                    waits2,
                    active2,
                    place,
                    ends,
                    dem,
                    node,
                    hint,
                    state,
                    waits,
                    active,
                )
                costs[0] = cost
                late[:] = sure
                if cost < costs[1] - 1e-9:
                    counts[3] += 1
                    counts[4] = counts[0]
                    costs[1] = cost
                    best[:, :] = place2[:, :3]
                    best_waits[:] = waits2
        history[spot] = min(history[spot], costs[0])
        if counts[0] - counts[4] > STALE * history.shape[0]:  # nothing for long: let it get worse for a while
            counts[4] = counts[0]
            slack = costs[1] * (0.005 + 0.1 * draw(rng, 1000) / 1000.0)
            history[:] = costs[1] + slack
    return 0
