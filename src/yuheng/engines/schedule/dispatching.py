"""Event-driven dispatching: whenever a machine is free, it takes the most urgent operation that can start.

One pass over time makes a whole plan, with calendars, set-ups, resources, transfer batches, batch machines and
operations that are fixed. Maximum lags and blocking need serial generation, which takes this plan as its order.

A candidate's urgency is ``base[mode] - max(0, due - end) * by_slack - set-up * by_setup``: with the logarithm of weight
over duration as base it is the order of the apparent tardiness cost with set-ups (ATCS); with no ``by_slack``, any
static priority.

References
----------
Vepsalainen, A., Morton, T. (1987). Priority rules for job shops with weighted tardiness costs. Management Science 33.
Lee, Y., Bhaskaran, K., Pinedo, M. (1997). A heuristic to minimize the total weighted tardiness with sequence-dependent
setups. IIE Transactions 29.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from yuheng.engines.schedule.bookings import (
    BATCH,
    CAL_HI,
    CAL_LO,
    DURATION,
    END,
    FAMILY,
    FIXED_MODE,
    FREE_FROM,
    FROM,
    FULL,
    INFINITE,
    MACHINE,
    MATRIX,
    MODE,
    PAUSES,
    RELEASE,
    SETUPS,
    SIZE,
    START,
    UNITS,
    Table,
    advance,
    fit,
    interval_at,
    link,
    node_at,
    setup_between,
    short_until,
)
from yuheng.engines.schedule.compiled import bare, helper, kernel
from yuheng.engines.schedule.serial import pop, push
from yuheng.engines.schedule.slots import (
    KIND,
    LAG,
    LINK,
    MOST_FINISH_START,
    OTHER,
    OVERLAP,
    earliest,
    joins,
    link_asks,
    put,
)
from yuheng.engines.schedule.tables import (
    T_ACTIVE,
    T_CAL,
    T_DEM,
    T_DEM_PTR,
    T_FIX,
    T_FIX_PTR,
    T_HINT,
    T_INN,
    T_INN_PTR,
    T_MACH,
    T_MODES,
    T_NODE,
    T_OP,
    T_OP_PTR,
    T_OUT,
    T_OUT_PTR,
    T_PLACE,
    T_SETUP,
    T_STATE,
    T_WANT,
    cube,
    grid,
    row,
)

Reals = np.ndarray[Any, np.dtype[np.float64]]


@bare
def _window(
    board: int, i: int, k: int, t: int, free: int, last: int, limit: int, following: int, least_end: int
) -> tuple[int, int, int, int]:
    """When ``i`` can start in mode ``k``: (start, end, set-up ticks, whether it is its turn now).

    ``free`` is since when the machine waits, after operation ``last``; ``following`` is fixed there at ``limit``.
    """
    op = grid(board, T_OP)
    modes = grid(board, T_MODES)
    mach = grid(board, T_MACH)
    m = modes[k, MACHINE]
    lo, hi = mach[m, CAL_LO], mach[m, CAL_HI]
    change = 0
    ready = t
    if mach[m, MATRIX] >= 0:
        change = setup_between(board, m, last, i)
        if change > 0:
            ready = max(t, advance(board, lo, hi, free, change))
    work = modes[k, DURATION]
    start, end = fit(board, lo, hi, ready, work, op[i, PAUSES])
    now = 1
    if start > ready and op[i, PAUSES] == 0 and fit(board, lo, hi, ready, 0, 1)[0] < start:
        now = 0
    while end < least_end:
        start, end = fit(board, lo, hi, start + max(1, (least_end - end) if lo < 0 else 1), work, op[i, PAUSES])
        now = 0 if start > t else now
    if following >= 0:
        back = setup_between(board, m, i, following) if mach[m, MATRIX] >= 0 else 0
        if advance(board, lo, hi, end, back) > limit:
            return INFINITE, INFINITE, change, 0
    return start, end, change, now


@bare
def _resources_until(board: int, i: int, k: int, start: int, end: int, short: Table) -> int:
    """-1 if all that ``i`` needs is there, else when to look again; what is short at the start is noted."""
    dem_ptr = row(board, T_DEM_PTR)
    dem = grid(board, T_DEM)
    node = grid(board, T_NODE)
    modes = grid(board, T_MODES)
    mach = grid(board, T_MACH)
    m = modes[k, MACHINE]
    for d in range(dem_ptr[i], dem_ptr[i + 1]):
        r, units = dem[d, 0], dem[d, 1]
        again = short_until(board, mach[m, CAL_LO], mach[m, CAL_HI], r, units, start, end, modes[k, DURATION])
        if again >= 0:
            at = node_at(board, r, start)
            if node[at, UNITS] < units:
                short[r, 0], short[r, 1], short[r, 2] = node[at, FROM], again, units
            return again
    return -1


@kernel
def dispatch(board: int, due: Table, base: Reals, by_slack: float, by_setup: float) -> int:  # noqa: C901  (one compiled loop; every call in it costs)
    """Fill ``place`` (fixed operations are in it already); return how many operations stay unplaced.

    ``fix[fix_ptr[m]:fix_ptr[m + 1]]`` are the operations fixed on machine ``m``, by start; ``want[i] >= 0`` is the only
    mode allowed.
    """
    op = grid(board, T_OP)
    op_ptr = row(board, T_OP_PTR)
    modes = grid(board, T_MODES)
    mach = grid(board, T_MACH)
    cal = grid(board, T_CAL)
    setup = cube(board, T_SETUP)
    dem_ptr = row(board, T_DEM_PTR)
    dem = grid(board, T_DEM)
    hint = grid(board, T_HINT)
    state = row(board, T_STATE)
    inn_ptr = row(board, T_INN_PTR)
    inn = grid(board, T_INN)
    out_ptr = row(board, T_OUT_PTR)
    out = grid(board, T_OUT)
    active = row(board, T_ACTIVE)
    place = grid(board, T_PLACE)
    fix_ptr = row(board, T_FIX_PTR)
    fix = row(board, T_FIX)
    want = row(board, T_WANT)
    n, machines = op.shape[0], mach.shape[0]
    room = np.zeros(machines + 1, np.int64)
    for k in range(modes.shape[0]):
        room[modes[k, MACHINE] + 1] += 1
    for m in range(machines):
        room[m + 1] += room[m]
    queue = np.empty(modes.shape[0], np.int64)  # operations
    by = np.empty(modes.shape[0], np.int64)  # their modes here
    starts, finishes, changes = np.empty(n, np.int64), np.empty(n, np.int64), np.empty(n, np.int64)
    length, seen = np.zeros(machines, np.int64), np.zeros(machines, np.int64)
    of_family = np.zeros((setup.shape[1], 4), np.int64)  # stamp, set-up, start, until when the machine is open
    short = np.zeros((hint.shape[0], 3), np.int64)  # from, until: fewer units than these are free
    stamp = 0
    free, last, wake = mach[:, FREE_FROM].copy(), np.full(machines, -1, np.int64), np.zeros(machines, np.int64)
    next_fixed = fix_ptr.copy()
    waiting, ready = np.zeros(n, np.int64), op[:, RELEASE].copy()
    overlaps = np.zeros(n, np.bool_)
    members, member_modes = np.empty(n, np.int64), np.empty(n, np.int64)
    turn, in_turn = np.empty(machines, np.int64), np.zeros(machines, np.bool_)
    keys, values = np.empty(4 * (n + machines) + 64, np.int64), np.empty(4 * (n + machines) + 64, np.int64)
    size = left = 0
    for i in range(n):
        if active[i] == 0:
            continue
        for q in range(inn_ptr[i], inn_ptr[i + 1]):
            a = inn[q, OTHER]
            overlaps[i] |= inn[q, KIND] == OVERLAP
            if active[a] == 0 or inn[q, KIND] >= MOST_FINISH_START:
                continue
            if place[a, MODE] < 0:
                waiting[i] += 1
            else:
                ready[i] = max(ready[i], link_asks(board, q, op_ptr[i])[0])
        if place[i, MODE] < 0:
            left += 1
            if waiting[i] == 0:
                size = push(keys, values, size, ready[i], i)
    for m in range(machines):
        size = push(keys, values, size, free[m], n + m)
        for x in range(fix_ptr[m], fix_ptr[m + 1]):
            if size + 2 * machines < keys.shape[0]:
                size = push(keys, values, size, place[fix[x], START], n + m)
    while size > 0 and left > 0:
        t = keys[0]
        turns = 0
        while size > 0 and keys[0] == t:
            size = pop(keys, values, size)
            v = values[size]
            if v >= n:
                if not in_turn[v - n]:
                    in_turn[v - n] = True
                    turn[turns] = v - n
                    turns += 1
                continue
            only = op[v, FIXED_MODE] if op[v, FIXED_MODE] >= 0 else want[v]
            for k in range(op_ptr[v], op_ptr[v + 1]):
                m = modes[k, MACHINE]
                if (only >= 0 and k != only) or (mach[m, BATCH] > 1 and op[v, SIZE] > mach[m, BATCH]):
                    continue
                queue[room[m] + length[m]] = v
                by[room[m] + length[m]] = k
                length[m] += 1
                if not in_turn[m]:
                    in_turn[m] = True
                    turn[turns] = m
                    turns += 1
        for y in range(turns):
            m = turn[y]
            in_turn[m] = False
            lo, hi = mach[m, CAL_LO], mach[m, CAL_HI]
            while True:
                while next_fixed[m] < fix_ptr[m + 1] and place[fix[next_fixed[m]], START] <= t:
                    f = fix[next_fixed[m]]
                    if mach[m, MATRIX] >= 0:
                        state[SETUPS] += setup_between(board, m, last[m], f)
                    link(board, m, f, last[m])
                    last[m] = f
                    free[m] = max(free[m], place[f, END])
                    next_fixed[m] += 1
                    wake[m] = 0
                    size = push(keys, values, size, free[m], n + m)
                if free[m] > t:
                    break
                if lo >= 0:
                    opens = fit(board, lo, hi, t, 0, 1)[0]
                    if opens > t:
                        if wake[m] != opens:
                            wake[m] = opens
                            size = push(keys, values, size, opens, n + m)
                        break
                following = fix[next_fixed[m]] if next_fixed[m] < fix_ptr[m + 1] else -1
                limit = place[following, START] if following >= 0 else INFINITE
                # Drop what other machines took, keep the order, and see when the rest could start. All of a family
                # can start at the same tick. What came before could not start until ``wake``.
                kept = seen[m] if t < wake[m] else 0
                soonest = later = INFINITE
                if t < wake[m]:
                    later = wake[m]
                old = kept
                stamp += 1
                for x in range(kept, length[m]):
                    i, k = queue[room[m] + x], by[room[m] + x]
                    if place[i, MODE] >= 0:
                        continue
                    queue[room[m] + kept], by[room[m] + kept] = i, k
                    kept += 1
                    f = op[i, FAMILY]
                    work = modes[k, DURATION]
                    if of_family[f, 0] != stamp:
                        change = setup_between(board, m, last[m], i) if mach[m, MATRIX] >= 0 else 0
                        s = max(t, advance(board, lo, hi, free[m], change)) if change > 0 else t
                        until = INFINITE
                        if lo >= 0:
                            s = fit(board, lo, hi, s, 0, 1)[0]
                            until = cal[interval_at(board, lo, hi, s), 1]
                        of_family[f, 0], of_family[f, 1], of_family[f, 2], of_family[f, 3] = stamp, change, s, until
                    change, s = of_family[f, 1], of_family[f, 2]
                    d = dem_ptr[i]
                    if d < dem_ptr[i + 1]:
                        r = dem[d, 0]
                        if short[r, 0] <= s < short[r, 1] and dem[d, 1] >= short[r, 2]:
                            starts[kept - 1] = -1
                            later = min(later, max(short[r, 1], t + 1))
                            continue
                    e = s + work
                    now = 1
                    if e > of_family[f, 3] or following >= 0 or overlaps[i]:
                        least_end = earliest(board, i, k)[1] if overlaps[i] else 0
                        s, e, change, now = _window(board, i, k, t, free[m], last[m], limit, following, least_end)
                    starts[kept - 1], finishes[kept - 1], changes[kept - 1] = s, e, change
                    if now == 1:
                        soonest = min(soonest, e)
                    else:
                        starts[kept - 1] = -1
                        later = min(later, s)
                length[m] = kept
                best, best_value = -1, -np.inf
                for x in range(old, kept):
                    if starts[x] < 0 or starts[x] >= max(soonest, t + 1):
                        continue
                    i, k = queue[room[m] + x], by[room[m] + x]
                    value = base[k] - max(0, due[i] - finishes[x]) * by_slack - changes[x] * by_setup
                    if value > best_value:
                        d = dem_ptr[i]
                        r = dem[d, 0] if d < dem_ptr[i + 1] else 0
                        if d < dem_ptr[i + 1] and short[r, 0] <= starts[x] < short[r, 1] and dem[d, 1] >= short[r, 2]:
                            later = min(later, max(short[r, 1], t + 1))
                            continue
                        again = _resources_until(board, i, k, starts[x], finishes[x], short)
                        if again < 0:
                            best, best_value = x, value
                        else:
                            later = min(later, max(again, t + 1))
                if best < 0:
                    for x in range(old, kept):
                        if starts[x] >= max(soonest, t + 1):
                            later = min(later, starts[x])
                    seen[m] = kept
                    if later < INFINITE and wake[m] != later:
                        wake[m] = later
                        size = push(keys, values, size, later, n + m)
                    break
                i, k, s, e = queue[room[m] + best], by[room[m] + best], starts[best], finishes[best]
                there = m
                if mach[m, BATCH] <= 1:
                    for k2 in range(op_ptr[i], op_ptr[i + 1]):
                        m2 = modes[k2, MACHINE]
                        if m2 == m or free[m2] > t or (want[i] >= 0 and want[i] != k2) or op[i, FIXED_MODE] >= 0:
                            continue
                        if mach[m2, BATCH] > 1:
                            continue
                        f2 = fix[next_fixed[m2]] if next_fixed[m2] < fix_ptr[m2 + 1] else -1
                        limit2 = place[f2, START] if f2 >= 0 else INFINITE
                        least_end = earliest(board, i, k2)[1] if overlaps[i] else 0
                        s2, e2, _c, now = _window(board, i, k2, t, free[m2], last[m2], limit2, f2, least_end)
                        if now == 1 and e2 < e and limit2 > t and _resources_until(board, i, k2, s2, e2, short) < 0:
                            there, k, s, e = m2, k2, s2, e2
                members[0], member_modes[0] = i, k
                count = 1
                if mach[m, BATCH] > 1:
                    e, count = _batch(
                        board,
                        queue[room[m] : room[m] + kept],
                        by[room[m] : room[m] + kept],
                        finishes,
                        due,
                        base,
                        by_slack,
                        overlaps,
                        best,
                        s,
                        e,
                        limit,
                        following,
                        members,
                        member_modes,
                    )
                    # Who joins is looked at below; the first one, and the most urgent one in a longer batch, here.
                    if count > 1 and (
                        _resources_until(board, i, k, s, e, short) >= 0
                        or _resources_until(board, members[0], member_modes[0], s, e, short) >= 0
                    ):
                        members[0], member_modes[0] = i, k
                        e, count = finishes[best], 1
                for x in range(count):
                    b, kb = members[x], member_modes[x]
                    if x > 0 and not joins(board, b, kb, last[there], s, 0):
                        continue
                    put(board, b, kb, s, e, last[there])
                    last[there] = b
                    left -= 1
                    for p in range(out_ptr[b], out_ptr[b + 1]):
                        c = out[p, OTHER]
                        if active[c] == 0 or out[p, KIND] >= MOST_FINISH_START:
                            continue
                        waiting[c] -= 1
                        ready[c] = max(ready[c], link_asks(board, out[p, LINK], op_ptr[c])[0])
                        if waiting[c] == 0 and place[c, MODE] < 0:
                            size = push(keys, values, size, max(ready[c], t), c)
                free[there] = e
                wake[there] = 0
                if size + 2 * machines + 16 > keys.shape[0]:
                    keys, values = np.concatenate((keys, keys)), np.concatenate((values, values))
                size = push(keys, values, size, e, n + there)
                if state[FULL] == 1:
                    return left
    for m in range(machines):
        for x in range(next_fixed[m], fix_ptr[m + 1]):
            if mach[m, MATRIX] >= 0:
                state[SETUPS] += setup_between(board, m, last[m], fix[x])
            link(board, m, fix[x], last[m])
            last[m] = fix[x]
    return left


@helper
def _batch(
    board: int,
    queue: Table,
    by: Table,
    finishes: Table,
    due: Table,
    base: Reals,
    by_slack: float,
    overlaps: np.ndarray[Any, np.dtype[np.bool_]],
    best: int,
    start: int,
    end: int,
    limit: int,
    following: int,
    members: Table,
    member_modes: Table,
) -> tuple[int, int]:
    """Choose whom the most urgent operation takes along in its batch, urgent ones first; return (end, members).

    The longest member sits first, as who joins must not last longer.
    """
    op = grid(board, T_OP)
    modes = grid(board, T_MODES)
    mach = grid(board, T_MACH)
    i, k = queue[best], by[best]
    m = modes[k, MACHINE]
    lo, hi = mach[m, CAL_LO], mach[m, CAL_HI]
    longest = modes[k, DURATION]
    units = op[i, SIZE]
    count = 1
    taken = np.zeros(len(queue), np.bool_)
    taken[best] = True
    while units < mach[m, BATCH]:
        found, found_value = -1, -np.inf
        for x in range(len(queue)):
            c = queue[x]
            if taken[x] or op[c, FAMILY] != op[i, FAMILY] or op[c, PAUSES] != op[i, PAUSES] or overlaps[c]:
                continue
            if units + op[c, SIZE] > mach[m, BATCH]:
                continue
            value = base[by[x]] - max(0, due[c] - finishes[x]) * by_slack
            if value > found_value:
                found, found_value = x, value
        if found < 0:
            break
        taken[found] = True
        c, kc = queue[found], by[found]
        if modes[kc, DURATION] > longest:
            s, e = fit(board, lo, hi, start, modes[kc, DURATION], op[i, PAUSES])
            back = setup_between(board, m, i, following) if following >= 0 else 0
            if s != start or (following >= 0 and advance(board, lo, hi, e, back) > limit):
                continue
            longest, end = modes[kc, DURATION], e
            members[count], member_modes[count] = members[0], member_modes[0]
            members[0], member_modes[0] = c, kc
        else:
            members[count], member_modes[count] = c, kc
        units += op[c, SIZE]
        count += 1
    return end, count


@kernel
def hand_back(topo: Table, out_ptr: Table, out: Table, work: Table, due: Table) -> tuple[Table, Table]:
    """Latest ends that keep the due dates, and the longest chain behind each operation, by shortest ``work``."""
    latest, tail = due.copy(), np.zeros(len(topo), np.int64)
    for x in range(len(topo) - 1, -1, -1):
        i = topo[x]
        for p in range(out_ptr[i], out_ptr[i + 1]):
            b, kind = out[p, OTHER], out[p, KIND]
            if kind >= MOST_FINISH_START:
                continue
            between = out[p, LAG] + work[b]
            if kind != 0:
                between -= work[i]
            latest[i] = min(latest[i], latest[b] - between)
            tail[i] = max(tail[i], between + tail[b])
    return latest, tail
