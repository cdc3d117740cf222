# mypy: disable-error-code="no-any-return"
"""Serial schedule generation: one group of operations after the other, each as early as it fits.

A *group* is a set of operations that must be placed together, because a maximum lag ties them or a part may block the
machine it comes from; nearly always it is a single operation. A group that does not fit is taken out again, its
offending member's earliest start is raised, and it is tried anew; earliest starts only rise, so this ends.
"""

from __future__ import annotations

from yuheng.engines.schedule.bookings import (
    BATCH,
    CAL_HI,
    CAL_LO,
    DURATION,
    END,
    FAULT,
    FAULT_A,
    FAULT_B,
    FIXED_MODE,
    FIXED_START,
    FULL,
    GROUP,
    INFINITE,
    MACHINE,
    MODE,
    START,
    UNTIL,
    Table,
    advance,
    last_started,
    take,
)
from yuheng.engines.schedule.compiled import bare, kernel
from yuheng.engines.schedule.slots import (
    ATTEMPTS,
    KIND,
    LAG,
    MOST_FINISH_START,
    NO_SLOT,
    OTHER,
    TOO_FAR,
    TOO_LATE,
    TOO_LONG,
    earliest,
    link_asks,
    put,
    remove,
    settle,
    slot,
)
from yuheng.engines.schedule.tables import (
    T_ACTIVE,
    T_BIAS,
    T_BOUND,
    T_DEM,
    T_DEM_PTR,
    T_FIXED,
    T_GRP,
    T_GRP_PTR,
    T_INN,
    T_INN_PTR,
    T_KEYS,
    T_LAST,
    T_LEFT,
    T_MACH,
    T_MODES,
    T_OP,
    T_OP_PTR,
    T_OUT,
    T_OUT_PTR,
    T_PLACE,
    T_PRIO,
    T_STATE,
    T_TODO,
    T_VALUES,
    T_WANT,
    grid,
    row,
)

TICKS, BARRED = range(2)
"""Columns of ``bias``, by mode: ticks that count against it; whether it is out of the question for now."""
STUBBORN = 60
"""After so many attempts to move operations, a mode is barred instead."""


@bare
def push(keys: Table, values: Table, size: int, key: int, value: int) -> int:
    """Put (key, value) on a binary heap of ``size`` entries; return the new size. Equal keys: smaller value first."""
    i = size
    while i > 0:
        up = (i - 1) >> 1
        if keys[up] < key or (keys[up] == key and values[up] <= value):
            break
        keys[i], values[i] = keys[up], values[up]
        i = up
    keys[i], values[i] = key, value
    return size + 1


@bare
def pop(keys: Table, values: Table, size: int) -> int:
    """Move the least entry behind the end (``values[size - 1]``) and return the new size."""
    size -= 1
    key, value = keys[size], values[size]
    keys[size], values[size] = keys[0], values[0]
    i = 0
    while True:
        c = 2 * i + 1
        if c >= size:
            break
        if c + 1 < size and (keys[c + 1] < keys[c] or (keys[c + 1] == keys[c] and values[c + 1] < values[c])):
            c += 1
        if keys[c] > key or (keys[c] == key and values[c] >= value):
            break
        keys[i], values[i] = keys[c], values[c]
        i = c
    if size > 0:
        keys[i], values[i] = key, value
    return size


@bare
def place_group(board: int, g: int, keep_order: int) -> int:  # noqa: C901  (one compiled loop; every call in it costs)
    """Place the members of group ``g``; return 0, or the fault that ``state`` tells about.

    ``want[i] >= 0`` is the only mode allowed. ``bias[k, TICKS]`` count against mode ``k`` when modes are compared.
    """
    op = grid(board, T_OP)
    op_ptr = row(board, T_OP_PTR)
    modes = grid(board, T_MODES)
    place = grid(board, T_PLACE)
    state = row(board, T_STATE)
    grp_ptr = row(board, T_GRP_PTR)
    grp = row(board, T_GRP)
    active = row(board, T_ACTIVE)
    want = row(board, T_WANT)
    bias = grid(board, T_BIAS)
    last = row(board, T_LAST)
    bound = row(board, T_BOUND)
    for x in range(grp_ptr[g], grp_ptr[g + 1]):
        bound[grp[x]] = 0
        for k in range(op_ptr[grp[x]], op_ptr[grp[x] + 1]):
            bias[k, BARRED] = 0
    verdict = 0
    for attempt in range(ATTEMPTS):
        done = grp_ptr[g]
        again = False
        while done < grp_ptr[g + 1]:
            i = grp[done]
            if active[i] == 0 or place[i, MODE] >= 0:
                done += 1
                continue
            first, beyond = op_ptr[i], op_ptr[i + 1]
            one = op[i, FIXED_MODE] if op[i, FIXED_MODE] >= 0 else want[i]
            if one >= 0:
                first, beyond = one, one + 1
            best, best_end, start, end, after = -1, INFINITE, 0, 0, -1
            for k in range(first, beyond):
                if bias[k, BARRED] == 1:
                    continue
                t, least_end = earliest(board, i, k)
                behind = last[modes[k, MACHINE]] if keep_order else -1
                stop = best_end - bias[k, TICKS] - modes[k, DURATION]
                a, b, x = slot(board, i, k, max(t, bound[i]), least_end, behind, stop)
                if b < INFINITE and b + bias[k, TICKS] < best_end:
                    best, best_end, start, end, after = k, b + bias[k, TICKS], a, b, x
            if best < 0:
                if verdict == 0:
                    state[FAULT], state[FAULT_A], state[FAULT_B] = NO_SLOT, i, -1
                return state[FAULT]
            put(board, i, best, start, end, after)
            if state[FULL] == 1:
                return NO_SLOT
            done += 1
            verdict = settle(board, i)
            if verdict == 2 and not _bar(board, i):
                return state[FAULT]
            if verdict > 0:
                if attempt % STUBBORN == STUBBORN - 1 and _bar(board, i):
                    for x in range(grp_ptr[g], grp_ptr[g + 1]):
                        bound[grp[x]] = 0
                again = True
                break
        if not again:
            for x in range(grp_ptr[g], grp_ptr[g + 1]):
                i = grp[x]
                if place[i, MODE] >= 0:
                    m = modes[place[i, MODE], MACHINE]
                    if last[m] < 0 or place[last[m], START] <= place[i, START]:
                        last[m] = i
            return 0
        while done > grp_ptr[g]:
            done -= 1
            i = grp[done]
            if active[i] == 1 and place[i, MODE] >= 0 and not (op[i, FIXED_START] >= 0 and op[i, FIXED_MODE] >= 0):
                remove(board, i)
    state[FAULT] = TOO_LONG
    return TOO_LONG


@bare
def _bar(board: int, i: int) -> bool:
    """Bar the mode that ``i`` has, or that of the operation it was at odds with; False if neither has another one."""
    op = grid(board, T_OP)
    op_ptr = row(board, T_OP_PTR)
    place = grid(board, T_PLACE)
    bias = grid(board, T_BIAS)
    state = row(board, T_STATE)
    for x in range(2):
        j = i if x == 0 else state[FAULT_A]
        if j < 0 or place[j, MODE] < 0 or op[j, FIXED_MODE] >= 0 or op[j, GROUP] != op[i, GROUP]:
            continue
        left = 0
        for k in range(op_ptr[j], op_ptr[j + 1]):
            left += 1 - bias[k, BARRED]
        if left > 1:
            bias[place[j, MODE], BARRED] = 1
            return True
    return False


@kernel
def fill(board: int, count: int, keep_order: int) -> int:  # noqa: C901  (one compiled loop; every call in it costs)
    """Place the groups ``todo[:count]``, each after those it waits for, the least ``prio`` (by group) first.

    Returns 0, or the fault that ``state`` tells about; what was placed by then stays.
    """
    op = grid(board, T_OP)
    place = grid(board, T_PLACE)
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
    while size > 0:
        size = pop(keys, values, size)
        g = values[size]
        fault = place_group(board, g, keep_order)
        if fault != 0:
            return fault
        for y in range(grp_ptr[g], grp_ptr[g + 1]):
            i = grp[y]
            if active[i] == 0 or (op[i, FIXED_START] >= 0 and op[i, FIXED_MODE] >= 0):
                continue  # what was placed from the beginning was not waited for
            for p in range(out_ptr[i], out_ptr[i + 1]):
                b = out[p, OTHER]
                h = op[b, GROUP]
                if h != g and active[b] == 1 and place[b, MODE] < 0:
                    left[h] -= 1
                    if left[h] == 0:
                        size = push(keys, values, size, prio[h], h)
    return 0


@kernel
def put_fixed(board: int, linked: int) -> None:
    """Place the operations whose machine and start are given (``fixed``, by start), whatever collides.

    With ``linked`` 0 they are not yet in the machines' lists: dispatching adds them as it passes.
    """
    op = grid(board, T_OP)
    modes = grid(board, T_MODES)
    mach = grid(board, T_MACH)
    place = grid(board, T_PLACE)
    dem_ptr = row(board, T_DEM_PTR)
    dem = grid(board, T_DEM)
    fixed = row(board, T_FIXED)
    active = row(board, T_ACTIVE)
    for x in range(fixed.shape[0]):
        i = fixed[x]
        if active[i] == 0:
            continue
        k, start = op[i, FIXED_MODE], op[i, FIXED_START]
        m = modes[k, MACHINE]
        work = modes[k, DURATION]
        if mach[m, BATCH] > 1:  # its batch takes as long as the longest
            y = x
            while y > 0 and op[fixed[y - 1], FIXED_START] == start:
                y -= 1
            while y < fixed.shape[0] and op[fixed[y], FIXED_START] == start:
                if modes[op[fixed[y], FIXED_MODE], MACHINE] == m and active[fixed[y]] == 1:
                    work = max(work, modes[op[fixed[y], FIXED_MODE], DURATION])
                y += 1
        end = advance(board, mach[m, CAL_LO], mach[m, CAL_HI], start, work)
        if linked == 1:
            before = last_started(board, m, start)
            put(board, i, k, start, end, before)
            if before >= 0:
                place[i, UNTIL] = max(place[i, UNTIL], place[before, UNTIL])
            continue
        place[i, START], place[i, END], place[i, UNTIL], place[i, MODE] = start, end, end, k
        for d in range(dem_ptr[i], dem_ptr[i + 1]):
            dem[d, 2] = dem[d, 1]
            take(board, mach[m, CAL_LO], mach[m, CAL_HI], dem[d, 0], dem[d, 1], start, end, modes[k, DURATION])


@kernel
def is_kept(board: int) -> bool:
    """Whether every link holds, fixed operations and maximum lags included; else ``state`` tells which does not."""
    place = grid(board, T_PLACE)
    inn_ptr = row(board, T_INN_PTR)
    inn = grid(board, T_INN)
    state = row(board, T_STATE)
    for i in range(place.shape[0]):
        if place[i, MODE] < 0:
            continue
        for q in range(inn_ptr[i], inn_ptr[i + 1]):
            a = inn[q, OTHER]
            if place[a, MODE] < 0:
                continue
            kind = inn[q, KIND]
            if kind >= MOST_FINISH_START:
                since = place[a, END] if kind == MOST_FINISH_START else place[a, START]
                if place[i, START] > since + inn[q, LAG]:
                    state[FAULT], state[FAULT_A], state[FAULT_B] = TOO_FAR, a, i
                    return False
                continue
            start, end = link_asks(board, q, place[i, MODE])
            if place[i, START] < start or place[i, END] < end:
                state[FAULT], state[FAULT_A], state[FAULT_B] = TOO_LATE, a, i
                return False
    return True
