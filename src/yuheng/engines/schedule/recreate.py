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
)
from yuheng.engines.schedule.changes import copy_board, draw, propose
from yuheng.engines.schedule.compiled import bare, kernel
from yuheng.engines.schedule.dispatching import Reals
from yuheng.engines.schedule.serial import place_group, pop, push
from yuheng.engines.schedule.slots import OTHER, remove
from yuheng.engines.schedule.tables import (
    T_ACTIVE,
    T_BEST,
    T_BEST_WAITS,
    T_COSTS,
    T_COUNTS,
    T_DONE,
    T_DUE,
    T_GRP,
    T_GRP_PTR,
    T_HISTORY,
    T_INN,
    T_INN_PTR,
    T_JOB_RELEASE,
    T_KEYS,
    T_LATE,
    T_LEFT,
    T_MODES,
    T_NEAR,
    T_OP,
    T_OUT,
    T_OUT_PTR,
    T_PLACE,
    T_PRIO,
    T_STATE,
    T_SURE,
    T_TAIL,
    T_TODO,
    T_VALUES,
    T_WAITS,
    T_WEIGHT,
    T_WEIGHTS,
    T_WISH,
    grid,
    reals,
    row,
)

Flags = np.ndarray[Any, np.dtype[np.uint8]]

TARDINESS, MAKESPAN, FLOW, SETUP, LATE, NERVOUSNESS = range(6)
"""Columns of ``weights``."""
STALE = 40
"""After so many rounds of the memory without a better plan, worse ones are accepted again."""
GIVEN_UP = 99
"""Not a fault: the change costs too much, or somebody wants an answer."""


@kernel
def cost_of(board: int, late: Reals) -> float:
    """Value of a complete plan; fills ``done`` (completions) and ``late`` (what each order costs) by job."""
    op = grid(board, T_OP)
    modes = grid(board, T_MODES)
    place = grid(board, T_PLACE)
    state = row(board, T_STATE)
    due = row(board, T_DUE)
    weight = reals(board, T_WEIGHT)
    job_release = row(board, T_JOB_RELEASE)
    weights = reals(board, T_WEIGHTS)
    wish = grid(board, T_WISH)
    near = reals(board, T_NEAR)
    done = row(board, T_DONE)
    jobs = due.shape[0]
    for j in range(jobs):
        done[j] = job_release[j]
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


@bare
def _sure(board: int, end: int, j: int) -> float:
    """What order ``j`` costs at least when it is not done before ``end``."""
    due = row(board, T_DUE)
    weight = reals(board, T_WEIGHT)
    weights = reals(board, T_WEIGHTS)
    job_release = row(board, T_JOB_RELEASE)
    cost = weights[FLOW] * max(0, end - job_release[j])
    if end > due[j]:
        cost += weights[TARDINESS] * weight[j] * (end - due[j]) + weights[LATE]
    return cost


@bare
def refill(board: int, t0: int, limit: float, stop: Flags) -> int:  # noqa: C901  (one compiled loop; every call in it costs)
    """Take out everything that starts at or after ``t0``, and put it in again by ``prio`` (of groups).

    Returns 0, a fault, or `GIVEN_UP` when the plan is certain to cost more than ``limit`` or ``stop`` is set.
    """
    op = grid(board, T_OP)
    place = grid(board, T_PLACE)
    state = row(board, T_STATE)
    inn_ptr = row(board, T_INN_PTR)
    inn = grid(board, T_INN)
    out_ptr = row(board, T_OUT_PTR)
    out = grid(board, T_OUT)
    grp_ptr = row(board, T_GRP_PTR)
    grp = row(board, T_GRP)
    active = row(board, T_ACTIVE)
    left = row(board, T_LEFT)
    keys = row(board, T_KEYS)
    values = row(board, T_VALUES)
    prio = row(board, T_PRIO)
    todo = row(board, T_TODO)
    tail = row(board, T_TAIL)
    sure = reals(board, T_SURE)
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
    for j in range(sure.shape[0]):
        sure[j] = 0.0
    total = 0.0
    for i in range(op.shape[0]):
        if place[i, MODE] < 0:
            continue
        if place[i, START] >= t0 and not (op[i, FIXED_START] >= 0 and op[i, 5] >= 0):
            continue
        j = op[i, JOB]
        cost = _sure(board, place[i, END] + (tail[i] if place[i, END] > t0 else 0), j)
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
                remove(board, i)
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
        fault = place_group(board, g, 0)
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
            cost = _sure(board, place[i, END] + tail[i], j)
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


@kernel
def climb(board: int, trial: int, stop: Flags, steps: int) -> int:  # noqa: C901  (one compiled loop)
    """Take ``steps`` steps from the plan in ``place``; ``best`` keeps the best plan met.

    ``costs`` are those of the present and of the best plan; ``counts`` are steps done, plans decoded in full, accepted,
    improvements, and the step of the last one. Returns 1 when the profiles ran out of room.
    """
    place2 = grid(trial, T_PLACE)
    state2 = row(trial, T_STATE)
    waits2 = row(trial, T_WAITS)
    best = grid(board, T_BEST)
    best_waits = row(board, T_BEST_WAITS)
    late = reals(board, T_LATE)
    sure = reals(board, T_SURE)
    history = reals(board, T_HISTORY)
    costs = reals(board, T_COSTS)
    counts = row(board, T_COUNTS)
    for _step in range(steps):
        if stop[0] != 0 or costs[1] <= 0.0:
            return 0
        counts[0] += 1
        copy_board(board, trial)
        t0 = propose(trial)
        if t0 < 0:
            continue
        spot = counts[0] % history.shape[0]
        limit = max(history[spot], costs[0])
        fault = refill(trial, t0, limit, stop)
        if state2[FULL] == 1:
            return 1
        if fault == 0:
            counts[1] += 1
            cost = cost_of(trial, sure)
            if cost <= limit:
                counts[2] += 1
                copy_board(trial, board)
                costs[0] = cost
                for j in range(late.shape[0]):
                    late[j] = sure[j]
                if cost < costs[1] - 1e-9:
                    counts[3] += 1
                    counts[4] = counts[0]
                    costs[1] = cost
                    for i in range(best.shape[0]):
                        for x in range(3):
                            best[i, x] = place2[i, x]
                    for q in range(best_waits.shape[0]):
                        best_waits[q] = waits2[q]
        history[spot] = min(history[spot], costs[0])
        if counts[0] - counts[4] > STALE * history.shape[0]:  # nothing for long: let it get worse for a while
            counts[4] = counts[0]
            slack = costs[1] * (0.005 + 0.1 * draw(board, 1000) / 1000.0)
            for x in range(history.shape[0]):
                history[x] = costs[1] + slack
    return 0
