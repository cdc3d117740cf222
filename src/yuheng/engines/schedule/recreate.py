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
    BEFORE,
    END,
    FIXED_START,
    FULL,
    GROUP,
    JOB,
    MACHINE,
    MODE,
    NODES,
    RELEASE,
    ROUTING,
    SETUPS,
    START,
    UNTIL,
    Table,
)
from yuheng.engines.schedule.dispatching import Reals
from yuheng.engines.schedule.serial import place_group, pop, push
from yuheng.engines.schedule.slots import MOST_FINISH_START, OTHER, link_asks, remove

Flags = np.ndarray[Any, np.dtype[np.uint8]]

TARDINESS, MAKESPAN, FLOW, SETUP, LATE, NERVOUSNESS = range(6)
"""Columns of ``weights``."""
STALE = 40
"""After so many rounds of the memory without a better plan, worse ones are accepted again."""
GIVEN_UP = 99
"""Not a fault: the change costs too much, or somebody wants an answer."""


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
