# mypy: disable-error-code="no-any-return"
"""What a step of `recreate` tries: another place in the order, another machine, another routing. Compiled."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

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
from yuheng.engines.schedule.dispatching import Reals
from yuheng.engines.schedule.slots import MOST_FINISH_START, OTHER, link_asks

Flags = np.ndarray[Any, np.dtype[np.uint8]]


@njit(cache=True)
def draw(rng: Table, below: int) -> int:
    """Return a random number in [0, below); xorshift with its state in ``rng[0]``."""
    x = rng[0]
    x ^= x << 13
    x ^= (x >> 7) & 0x01FFFFFFFFFFFFFF
    x ^= x << 17
    rng[0] = x
    return (x & 0x7FFFFFFFFFFFFFFF) % below


@njit(cache=True)
def _pivot(  # noqa: C901  (one compiled loop; every call in it costs)
    op: Table,
    modes: Table,
    mach: Table,
    cal: Table,
    place: Table,
    inn_ptr: Table,
    inn: Table,
    rng: Table,
    last: int,
) -> tuple[int, int]:
    """Walk back from operation ``last`` along what made it wait; (who waited, behind whom on its machine), or -1."""
    x, found, behind, seen = last, -1, -1, 0
    for _step in range(200):
        waits, chosen = -1, -1
        ties = 0
        for q in range(inn_ptr[x], inn_ptr[x + 1]):
            a = inn[q, OTHER]
            if place[a, MODE] < 0 or inn[q, 1] >= MOST_FINISH_START:
                continue
            asked = link_asks(modes, mach, cal, place, inn, q, place[x, MODE])[0]
            if asked >= place[x, START]:
                ties += 1
                if draw(rng, ties) == 0:
                    chosen = a
            elif waits < 0 or asked > waits:
                waits = asked
        y = place[x, BEFORE]
        while y >= 0 and place[y, START] == place[x, START]:
            y = place[y, BEFORE]
        if y >= 0 and op[x, FIXED_START] < 0 and op[y, FIXED_START] < 0 and chosen < 0:
            seen += 1
            if draw(rng, seen) == 0:
                found, behind = x, y
        if chosen < 0:
            # It waits for its machine, or for people or tools: go on with whom it follows there.
            chosen = y
        elif y >= 0 and place[y, UNTIL] >= place[x, START] and draw(rng, 2) == 0:
            chosen = y
        if chosen < 0 or place[x, START] <= op[x, RELEASE]:
            break
        x = chosen
    return found, behind


@njit(cache=True)
def copy_board(
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
) -> None:
    """Copy one plan under construction over another."""
    place2[:, :] = place
    ends2[:, :] = ends
    dem2[:, :] = dem
    hint2[:, :] = hint
    state2[:] = state
    waits2[:] = waits
    active2[:] = active
    node2[: state[NODES], :] = node[: state[NODES], :]


@njit(cache=True)
def propose(  # noqa: C901  (one compiled loop; every call in it costs)
    op: Table,
    op_ptr: Table,
    modes: Table,
    mach: Table,
    cal: Table,
    place: Table,
    inn_ptr: Table,
    inn: Table,
    grp_ptr: Table,
    grp: Table,
    active: Table,
    want: Table,
    prio: Table,
    routing_ptr: Table,
    job_ptr: Table,
    job_ops: Table,
    late: Reals,
    rng: Table,
) -> int:
    """Choose a change of the plan in ``place``: fills ``want`` and ``prio``, may change ``active``.

    Returns from when on it takes effect, -1 for none.
    """
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
    j = draw(rng, jobs)
    if total > 0.0 and draw(rng, 10) > 0:
        at = total * (draw(rng, 1 << 30) / (1 << 30))
        for other in range(jobs):
            at -= late[other]
            if at < 0.0:
                j = other
                break
    options = routing_ptr[j + 1] - routing_ptr[j]
    if options > 1 and draw(rng, 8) == 0:
        return _reroute(op, place, active, want, prio, routing_ptr, job_ptr, job_ops, rng, j, options)
    end = -1
    for y in range(job_ptr[j], job_ptr[j + 1]):
        i = job_ops[y]
        if place[i, MODE] >= 0 and (end < 0 or place[i, END] > place[end, END]):
            end = i
    if end < 0:
        return -1
    x, y = _pivot(op, modes, mach, cal, place, inn_ptr, inn, rng, end)
    kind = draw(rng, 10)
    if x < 0 or kind == 0:
        x = job_ops[job_ptr[j] + draw(rng, job_ptr[j + 1] - job_ptr[j])]
        if place[x, MODE] < 0 or op[x, FIXED_START] >= 0:
            return -1
        y = place[x, BEFORE]
    count = op_ptr[x + 1] - op_ptr[x]
    if kind >= 6 and count > 1 and op[x, 5] < 0:
        other = op_ptr[x] + draw(rng, count - 1)
        want[x] = other + 1 if other >= place[x, MODE] else other
        t0 = place[x, START]
        if y >= 0 and draw(rng, 2) == 0:
            t0 = min(t0, max(place[y, START], _ready(modes, mach, cal, place, inn_ptr, inn, op, x)))
        prio[op[x, GROUP]] = 4 * t0
        return t0
    if y < 0:
        return -1
    back = draw(rng, 4) if draw(rng, 3) == 0 else 0
    while back > 0 and place[y, BEFORE] >= 0 and op[place[y, BEFORE], FIXED_START] < 0:
        y = place[y, BEFORE]
        back -= 1
    t0 = place[y, START]
    if draw(rng, 4) == 0:  # or let the one before wait
        prio[op[y, GROUP]] = 4 * place[x, START] + 3
    else:
        prio[op[x, GROUP]] = 4 * t0
    if draw(rng, 4) == 0:
        for z in range(job_ptr[op[x, JOB]], job_ptr[op[x, JOB] + 1]):
            if place[job_ops[z], MODE] >= 0 and place[job_ops[z], START] >= t0:
                want[job_ops[z]] = -1
    return t0


@njit(cache=True)
def _ready(modes: Table, mach: Table, cal: Table, place: Table, inn_ptr: Table, inn: Table, op: Table, x: int) -> int:
    ready = op[x, RELEASE]
    for q in range(inn_ptr[x], inn_ptr[x + 1]):
        if place[inn[q, OTHER], MODE] >= 0 and inn[q, 1] < MOST_FINISH_START:
            ready = max(ready, link_asks(modes, mach, cal, place, inn, q, place[x, MODE])[0])
    return ready


@njit(cache=True)
def _reroute(
    op: Table,
    place: Table,
    active: Table,
    want: Table,
    prio: Table,
    routing_ptr: Table,
    job_ptr: Table,
    job_ops: Table,
    rng: Table,
    j: int,
    options: int,
) -> int:
    """Let order ``j`` take another of its routings; -1 when what it does now has begun."""
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
    other = routing_ptr[j] + draw(rng, options - 1)
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
