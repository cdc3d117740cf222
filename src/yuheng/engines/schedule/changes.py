# mypy: disable-error-code="no-any-return"
"""What a step of `recreate` tries: another place in the order, another machine, another routing. Compiled."""

from __future__ import annotations

from typing import Any

import numpy as np

from yuheng.engines.schedule.bookings import (
    BEFORE,
    END,
    FIXED_START,
    GROUP,
    JOB,
    MODE,
    NODES,
    RELEASE,
    ROUTING,
    START,
    UNTIL,
    Table,
)
from yuheng.engines.schedule.compiled import bare
from yuheng.engines.schedule.slots import MOST_FINISH_START, OTHER, link_asks
from yuheng.engines.schedule.tables import (
    T_ACTIVE,
    T_DEM,
    T_ENDS,
    T_GRP,
    T_GRP_PTR,
    T_HINT,
    T_INN,
    T_INN_PTR,
    T_JOB_OPS,
    T_JOB_PTR,
    T_LATE,
    T_NODE,
    T_OP,
    T_OP_PTR,
    T_PLACE,
    T_PRIO,
    T_RNG,
    T_ROUTING_PTR,
    T_STATE,
    T_WAITS,
    T_WANT,
    grid,
    reals,
    row,
)

Flags = np.ndarray[Any, np.dtype[np.uint8]]


@bare
def draw(board: int, below: int) -> int:
    """Return a random number in [0, below); xorshift with its state in ``rng[0]``."""
    rng = row(board, T_RNG)
    x = rng[0]
    x ^= x << 13
    x ^= (x >> 7) & 0x01FFFFFFFFFFFFFF
    x ^= x << 17
    rng[0] = x
    return (x & 0x7FFFFFFFFFFFFFFF) % below


@bare
def _pivot(board: int, last: int) -> tuple[int, int]:  # noqa: C901  (one compiled loop; every call in it costs)
    """Walk back from operation ``last`` along what made it wait; (who waited, behind whom on its machine), or -1."""
    op = grid(board, T_OP)
    place = grid(board, T_PLACE)
    inn_ptr = row(board, T_INN_PTR)
    inn = grid(board, T_INN)
    x, found, behind, seen = last, -1, -1, 0
    for _step in range(200):
        waits, chosen = -1, -1
        ties = 0
        for q in range(inn_ptr[x], inn_ptr[x + 1]):
            a = inn[q, OTHER]
            if place[a, MODE] < 0 or inn[q, 1] >= MOST_FINISH_START:
                continue
            asked = link_asks(board, q, place[x, MODE])[0]
            if asked >= place[x, START]:
                ties += 1
                if draw(board, ties) == 0:
                    chosen = a
            elif waits < 0 or asked > waits:
                waits = asked
        y = place[x, BEFORE]
        while y >= 0 and place[y, START] == place[x, START]:
            y = place[y, BEFORE]
        if y >= 0 and op[x, FIXED_START] < 0 and op[y, FIXED_START] < 0 and chosen < 0:
            seen += 1
            if draw(board, seen) == 0:
                found, behind = x, y
        if chosen < 0:
            # It waits for its machine, or for people or tools: go on with whom it follows there.
            chosen = y
        elif y >= 0 and place[y, UNTIL] >= place[x, START] and draw(board, 2) == 0:
            chosen = y
        if chosen < 0 or place[x, START] <= op[x, RELEASE]:
            break
        x = chosen
    return found, behind


@bare
def copy_board(board: int, trial: int) -> None:
    """Copy one plan under construction over another."""
    place = grid(board, T_PLACE)
    ends = grid(board, T_ENDS)
    dem = grid(board, T_DEM)
    node = grid(board, T_NODE)
    hint = grid(board, T_HINT)
    state = row(board, T_STATE)
    waits = row(board, T_WAITS)
    active = row(board, T_ACTIVE)
    place2 = grid(trial, T_PLACE)
    ends2 = grid(trial, T_ENDS)
    dem2 = grid(trial, T_DEM)
    node2 = grid(trial, T_NODE)
    hint2 = grid(trial, T_HINT)
    state2 = row(trial, T_STATE)
    waits2 = row(trial, T_WAITS)
    active2 = row(trial, T_ACTIVE)
    _copy(place, place2, place.shape[0])
    _copy(ends, ends2, ends.shape[0])
    _copy(dem, dem2, dem.shape[0])
    _copy(hint, hint2, hint.shape[0])
    _copy(node, node2, state[NODES])
    for x in range(state.shape[0]):
        state2[x] = state[x]
    for x in range(waits.shape[0]):
        waits2[x] = waits[x]
    for x in range(active.shape[0]):
        active2[x] = active[x]


@bare
def _copy(table: Table, other: Table, rows: int) -> None:
    """Copy the first ``rows`` rows; a loop, as a slice brings the words for its errors with it."""
    for x in range(rows):
        for y in range(table.shape[1]):
            other[x, y] = table[x, y]


@bare
def propose(board: int) -> int:  # noqa: C901  (one compiled loop; every call in it costs)
    """Choose a change of the plan in ``place``: fills ``want`` and ``prio``, may change ``active``.

    Returns from when on it takes effect, -1 for none.
    """
    op = grid(board, T_OP)
    op_ptr = row(board, T_OP_PTR)
    place = grid(board, T_PLACE)
    grp_ptr = row(board, T_GRP_PTR)
    grp = row(board, T_GRP)
    want = row(board, T_WANT)
    prio = row(board, T_PRIO)
    routing_ptr = row(board, T_ROUTING_PTR)
    job_ptr = row(board, T_JOB_PTR)
    job_ops = row(board, T_JOB_OPS)
    late = reals(board, T_LATE)
    n, jobs, groups = op.shape[0], late.shape[0], grp_ptr.shape[0] - 1
    for i in range(n):
        want[i] = place[i, MODE]
    for g in range(groups):
        prio[g] = 1 << 62
        for y in range(grp_ptr[g], grp_ptr[g + 1]):
            if place[grp[y], MODE] >= 0:
                prio[g] = min(prio[g], 4 * place[grp[y], START] + 2)
    # An order in proportion to what it costs, now and then any.
    total = 0.0
    for j in range(jobs):
        total += late[j]
    j = draw(board, jobs)
    if total > 0.0 and draw(board, 10) > 0:
        at = total * (draw(board, 1 << 30) / (1 << 30))
        for other in range(jobs):
            at -= late[other]
            if at < 0.0:
                j = other
                break
    options = routing_ptr[j + 1] - routing_ptr[j]
    if options > 1 and draw(board, 8) == 0:
        return _reroute(board, j, options)
    end = -1
    for y in range(job_ptr[j], job_ptr[j + 1]):
        i = job_ops[y]
        if place[i, MODE] >= 0 and (end < 0 or place[i, END] > place[end, END]):
            end = i
    if end < 0:
        return -1
    x, y = _pivot(board, end)
    kind = draw(board, 10)
    if x < 0 or kind == 0:
        x = job_ops[job_ptr[j] + draw(board, job_ptr[j + 1] - job_ptr[j])]
        if place[x, MODE] < 0 or op[x, FIXED_START] >= 0:
            return -1
        y = place[x, BEFORE]
    count = op_ptr[x + 1] - op_ptr[x]
    if kind >= 6 and count > 1 and op[x, 5] < 0:
        other = op_ptr[x] + draw(board, count - 1)
        want[x] = other + 1 if other >= place[x, MODE] else other
        t0 = place[x, START]
        if y >= 0 and draw(board, 2) == 0:
            t0 = min(t0, max(place[y, START], _ready(board, x)))
        prio[op[x, GROUP]] = 4 * t0
        return t0
    if y < 0:
        return -1
    back = draw(board, 4) if draw(board, 3) == 0 else 0
    while back > 0 and place[y, BEFORE] >= 0 and op[place[y, BEFORE], FIXED_START] < 0:
        y = place[y, BEFORE]
        back -= 1
    t0 = place[y, START]
    if draw(board, 4) == 0:  # or let the one before wait
        prio[op[y, GROUP]] = 4 * place[x, START] + 3
    else:
        prio[op[x, GROUP]] = 4 * t0
    if draw(board, 4) == 0:
        for z in range(job_ptr[op[x, JOB]], job_ptr[op[x, JOB] + 1]):
            if place[job_ops[z], MODE] >= 0 and place[job_ops[z], START] >= t0:
                want[job_ops[z]] = -1
    return t0


@bare
def _ready(board: int, x: int) -> int:
    place = grid(board, T_PLACE)
    inn_ptr = row(board, T_INN_PTR)
    inn = grid(board, T_INN)
    op = grid(board, T_OP)
    ready = op[x, RELEASE]
    for q in range(inn_ptr[x], inn_ptr[x + 1]):
        if place[inn[q, OTHER], MODE] >= 0 and inn[q, 1] < MOST_FINISH_START:
            ready = max(ready, link_asks(board, q, place[x, MODE])[0])
    return ready


@bare
def _reroute(board: int, j: int, options: int) -> int:
    """Let order ``j`` take another of its routings; -1 when what it does now has begun."""
    op = grid(board, T_OP)
    place = grid(board, T_PLACE)
    active = row(board, T_ACTIVE)
    want = row(board, T_WANT)
    prio = row(board, T_PRIO)
    routing_ptr = row(board, T_ROUTING_PTR)
    job_ptr = row(board, T_JOB_PTR)
    job_ops = row(board, T_JOB_OPS)
    now, t0 = -1, -1
    for y in range(job_ptr[j], job_ptr[j + 1]):
        i = job_ops[y]
        if place[i, MODE] >= 0 and op[i, ROUTING] >= 0:
            now = op[i, ROUTING]
            if op[i, FIXED_START] >= 0:
                return -1
            if t0 < 0 or place[i, START] < t0:
                t0 = place[i, START]
    if now < 0:
        return -1
    other = routing_ptr[j] + draw(board, options - 1)
    if other >= now:
        other += 1
    for y in range(job_ptr[j], job_ptr[j + 1]):
        i = job_ops[y]
        if op[i, ROUTING] >= 0:
            active[i] = 1 if op[i, ROUTING] == other else 0
            if active[i] == 1:
                want[i] = -1
                prio[op[i, GROUP]] = 4 * t0
    return t0
