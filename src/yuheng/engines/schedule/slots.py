# mypy: disable-error-code="no-any-return"
"""Put operations where they fit, take them out again: the moves from which every plan with special features is made.

A *slot* is a place for an operation on a machine: after whom, from when to when. The tables are those of
`yuheng.engines.schedule.bookings`; ``inn[E, 6]`` and ``out[E, 6]`` are the links by their later and by their
earlier operation, with ``inn_ptr`` and ``out_ptr``: other end, kind, lag, transfer batch, of quantity, ``inn`` row.
"""

from __future__ import annotations

from yuheng.engines.schedule.bookings import (
    AFTER,
    BATCH,
    BEFORE,
    BUFFER,
    CAL_HI,
    CAL_LO,
    DURATION,
    END,
    FAMILY,
    FAULT,
    FAULT_A,
    FAULT_B,
    FIRST,
    FIXED_START,
    FREE_FROM,
    GROUP,
    INFINITE,
    MACHINE,
    MATRIX,
    MODE,
    PAUSES,
    RELEASE,
    SETUPS,
    SIZE,
    START,
    UNTIL,
    advance,
    fit,
    last_started,
    link,
    setup_between,
    short_until,
    take,
    unlink,
)
from yuheng.engines.schedule.compiled import bare
from yuheng.engines.schedule.tables import (
    T_BOUND,
    T_DEM,
    T_DEM_PTR,
    T_ENDS,
    T_INN,
    T_INN_PTR,
    T_KEEPS,
    T_MACH,
    T_MODES,
    T_OP,
    T_OUT,
    T_OUT_PTR,
    T_PLACE,
    T_STATE,
    T_WAITS,
    grid,
    row,
)

FINISH_START, START_START, OVERLAP, MOST_FINISH_START, MOST_START_START = range(5)
"""Kinds of links; the last two are maximum lags."""
OTHER, KIND, LAG, TRANSFER, QUANTITY, LINK = range(6)


NO_SLOT, TOO_FAR, TOO_LATE, TOO_LONG = 1, 2, 3, 4
"""Faults: nowhere in the calendars and resources; a maximum lag that cannot be kept; a fixed successor that would have
to wait; a group that found no room after many attempts."""
ATTEMPTS = 400


@bare
def link_asks(board: int, q: int, k: int) -> tuple[int, int]:
    """Earliest start and least end that link ``q`` (its earlier end is placed) asks of its later end in mode ``k``."""
    modes = grid(board, T_MODES)
    mach = grid(board, T_MACH)
    place = grid(board, T_PLACE)
    inn = grid(board, T_INN)
    a = inn[q, OTHER]
    kind = inn[q, KIND]
    if kind == FINISH_START:
        return place[a, END] + inn[q, LAG], 0
    if kind == START_START:
        return place[a, START] + inn[q, LAG], 0
    if kind != OVERLAP:
        return 0, 0
    there = place[a, MODE]
    m = modes[there, MACHINE]
    first = -((-modes[there, DURATION] * inn[q, TRANSFER]) // inn[q, QUANTITY])
    start = advance(board, mach[m, CAL_LO], mach[m, CAL_HI], place[a, START], first) + inn[q, LAG]
    here = modes[k, MACHINE]
    rest = -((-modes[k, DURATION] * inn[q, TRANSFER]) // inn[q, QUANTITY])
    return start, advance(board, mach[here, CAL_LO], mach[here, CAL_HI], place[a, END] + inn[q, LAG], rest)


@bare
def earliest(board: int, i: int, k: int) -> tuple[int, int]:
    """Earliest start of operation ``i``, and least end, that its placed predecessors allow in mode ``k``."""
    op = grid(board, T_OP)
    place = grid(board, T_PLACE)
    inn_ptr = row(board, T_INN_PTR)
    inn = grid(board, T_INN)
    start = op[i, RELEASE]
    end = 0
    for q in range(inn_ptr[i], inn_ptr[i + 1]):
        if place[inn[q, OTHER], MODE] >= 0:
            s, e = link_asks(board, q, k)
            start = max(start, s)
            end = max(end, e)
    return start, end


@bare
def fits(board: int, i: int, k: int, t: int, least_end: int, stop: int) -> tuple[int, int]:
    """Earliest (start, end) at or after ``t`` by the machine's calendar and the resources, machine's work aside.

    Gives up with `INFINITE` once the start is at or after ``stop``.
    """
    op = grid(board, T_OP)
    modes = grid(board, T_MODES)
    mach = grid(board, T_MACH)
    dem_ptr = row(board, T_DEM_PTR)
    dem = grid(board, T_DEM)
    m = modes[k, MACHINE]
    lo, hi = mach[m, CAL_LO], mach[m, CAL_HI]
    work = modes[k, DURATION]
    while t < stop:
        start, end = fit(board, lo, hi, t, work, op[i, PAUSES])
        if end >= INFINITE or start >= stop:
            break
        if end < least_end:
            t = start + max(1, least_end - end) if lo < 0 or end - start == work else start + 1
            continue
        again = -1
        for d in range(dem_ptr[i], dem_ptr[i + 1]):
            again = short_until(board, lo, hi, dem[d, 0], dem[d, 1], start, end, work)
            if again >= 0:
                break
        if again < 0:
            return start, end
        t = max(again, start + 1)
    return INFINITE, INFINITE


@bare
def joins(board: int, i: int, k: int, x: int, t: int, least_end: int) -> bool:
    """Whether ``i`` can join the batch whose last member is ``x``."""
    op = grid(board, T_OP)
    modes = grid(board, T_MODES)
    mach = grid(board, T_MACH)
    place = grid(board, T_PLACE)
    dem_ptr = row(board, T_DEM_PTR)
    dem = grid(board, T_DEM)
    m = modes[k, MACHINE]
    start, end = place[x, START], place[x, END]
    if start < t or end < least_end or op[x, FAMILY] != op[i, FAMILY] or op[i, PAUSES] != op[x, PAUSES]:
        return False
    if op[x, FIXED_START] >= 0:
        return False
    size = op[i, SIZE]
    longest = 0
    y = x
    while y >= 0 and place[y, START] == start:
        size += op[y, SIZE]
        longest = max(longest, modes[place[y, MODE], DURATION])
        y = place[y, BEFORE]
    if size > mach[m, BATCH] or modes[k, DURATION] > longest:
        return False
    for d in range(dem_ptr[i], dem_ptr[i + 1]):
        more = more_units(board, i, x, d)
        if more > 0 and short_until(board, mach[m, CAL_LO], mach[m, CAL_HI], dem[d, 0], more, start, end, longest) >= 0:
            return False
    return True


@bare
def more_units(board: int, i: int, x: int, d: int) -> int:
    """Units of demand ``d`` of ``i`` that the batch whose last member is ``x`` does not hold yet.

    A batch needs of every resource what its most demanding member needs. Pools of people overlap, so a different list
    of demands is added whole there: never too little.
    """
    place = grid(board, T_PLACE)
    dem_ptr = row(board, T_DEM_PTR)
    dem = grid(board, T_DEM)
    keeps = row(board, T_KEEPS)
    same = dem_ptr[i + 1] - dem_ptr[i] == dem_ptr[x + 1] - dem_ptr[x]
    if same:
        for e in range(dem_ptr[i + 1] - dem_ptr[i]):
            if dem[dem_ptr[i] + e, 0] != dem[dem_ptr[x] + e, 0] or dem[dem_ptr[i] + e, 1] != dem[dem_ptr[x] + e, 1]:
                same = False
    if same:
        return 0
    r, units = dem[d, 0], dem[d, 1]
    if keeps[r] == 0:
        return units
    start = place[x, START]
    while x >= 0 and place[x, START] == start:
        for e in range(dem_ptr[x], dem_ptr[x + 1]):
            if dem[e, 0] == r:
                units -= dem[e, 2]
        x = place[x, BEFORE]
    return max(0, units)


@bare
def slot(board: int, i: int, k: int, t: int, least_end: int, after: int, stop: int) -> tuple[int, int, int]:  # noqa: C901  (one compiled loop; every call in it costs)
    """Earliest (start, end, after whom) for operation ``i`` in mode ``k`` at or after ``t``; `INFINITE` if none.

    ``after`` >= 0 looks only behind that operation. A start at or after ``stop`` is of no interest. A fixed start is
    taken as it is, or not at all.
    """
    op = grid(board, T_OP)
    modes = grid(board, T_MODES)
    mach = grid(board, T_MACH)
    place = grid(board, T_PLACE)
    ends = grid(board, T_ENDS)
    m = modes[k, MACHINE]
    lo, hi = mach[m, CAL_LO], mach[m, CAL_HI]
    batches = mach[m, BATCH] > 1
    if batches and op[i, SIZE] > mach[m, BATCH]:
        return INFINITE, INFINITE, -1
    fixed = op[i, FIXED_START]
    if fixed >= 0:
        if t > fixed:
            return INFINITE, INFINITE, -1
        t = fixed
        stop = min(stop, fixed + 1)
    else:  # what runs already may end before its machine is free for others
        t = max(t, mach[m, FREE_FROM])
    x = last_started(board, m, t)
    if after >= 0 and (x < 0 or place[x, START] < place[after, START]):
        x = after
    while True:
        if batches and x >= 0:  # the last of its batch: who joins is counted with all of them
            while place[x, AFTER] >= 0 and place[place[x, AFTER], START] == place[x, START]:
                x = place[x, AFTER]
        if batches and x >= 0 and joins(board, i, k, x, t, least_end):
            if place[x, START] >= stop:
                return INFINITE, INFINITE, -1
            return place[x, START], place[x, END], x
        y = ends[m, FIRST] if x < 0 else place[x, AFTER]
        limit = INFINITE if y < 0 else place[y, START]
        free = mach[m, FREE_FROM] if x < 0 else place[x, UNTIL]
        if batches and x >= 0:
            z = place[x, BEFORE]
            while z >= 0 and place[z, START] == place[x, START]:
                free = max(free, place[z, UNTIL])
                z = place[z, BEFORE]
        if mach[m, MATRIX] >= 0:
            free = advance(board, lo, hi, free, setup_between(board, m, x, i))
        if free >= stop:
            return INFINITE, INFINITE, -1
        if free < limit:
            start, end = fits(board, i, k, max(t, free), least_end, min(stop, limit))
            if end <= limit and end < INFINITE:
                if y < 0 or mach[m, MATRIX] < 0:
                    return start, end, x
                change = setup_between(board, m, i, y)
                if change == 0 or advance(board, lo, hi, end, change) <= limit:
                    return start, end, x
        if y < 0:
            return INFINITE, INFINITE, -1
        x = y


@bare
def put(board: int, i: int, k: int, start: int, end: int, after: int) -> None:
    """Place operation ``i`` in mode ``k`` at [start, end) behind ``after``; check nothing."""
    modes = grid(board, T_MODES)
    mach = grid(board, T_MACH)
    place = grid(board, T_PLACE)
    dem_ptr = row(board, T_DEM_PTR)
    dem = grid(board, T_DEM)
    state = row(board, T_STATE)
    m = modes[k, MACHINE]
    joins = mach[m, BATCH] > 1 and after >= 0 and place[after, START] == start
    for d in range(dem_ptr[i], dem_ptr[i + 1]):
        units = dem[d, 1]
        if joins:
            units = more_units(board, i, after, d)
        dem[d, 2] = units
        take(board, mach[m, CAL_LO], mach[m, CAL_HI], dem[d, 0], units, start, end, modes[k, DURATION])
    place[i, START] = start
    place[i, END] = end
    place[i, UNTIL] = end
    place[i, MODE] = k
    link(board, m, i, after)
    if mach[m, MATRIX] >= 0:
        state[SETUPS] += _setup_change(board, m, i)


@bare
def _setup_change(board: int, m: int, i: int) -> int:
    """Set-up ticks on machine ``m`` with ``i`` less those without."""
    place = grid(board, T_PLACE)
    before, after = place[i, BEFORE], place[i, AFTER]
    change = setup_between(board, m, before, i)
    if after >= 0:
        change += setup_between(board, m, i, after) - setup_between(board, m, before, after)
    return change


@bare
def remove(board: int, i: int) -> None:
    """Take operation ``i`` out, with the buffer places its predecessors' parts hold for it. Its successors go first."""
    modes = grid(board, T_MODES)
    mach = grid(board, T_MACH)
    place = grid(board, T_PLACE)
    dem_ptr = row(board, T_DEM_PTR)
    dem = grid(board, T_DEM)
    state = row(board, T_STATE)
    inn_ptr = row(board, T_INN_PTR)
    inn = grid(board, T_INN)
    waits = row(board, T_WAITS)
    k = place[i, MODE]
    m = modes[k, MACHINE]
    for q in range(inn_ptr[i], inn_ptr[i + 1]):
        if waits[q] > 0:
            a = inn[q, OTHER]
            take(board, -1, -1, mach[m, BUFFER], -1, place[a, END], place[i, START], 0)
        if waits[q] != 0:
            place[inn[q, OTHER], UNTIL] = place[inn[q, OTHER], END]
        waits[q] = 0
    if mach[m, MATRIX] >= 0:
        state[SETUPS] -= _setup_change(board, m, i)
    for d in range(dem_ptr[i], dem_ptr[i + 1]):
        take(
            board,
            mach[m, CAL_LO],
            mach[m, CAL_HI],
            dem[d, 0],
            -dem[d, 2],
            place[i, START],
            place[i, END],
            modes[k, DURATION],
        )
        dem[d, 2] = 0
    unlink(board, m, i)
    place[i, MODE] = -1


@bare
def settle(board: int, i: int) -> int:  # noqa: C901  (one compiled loop; every call in it costs)
    """Check what operation ``i``, just placed, asks of others: maximum lags, where parts wait for it, fixed successors.

    ``out[:, LINK]`` is the same link's row in ``inn``. Returns 0 when all is well, 1 when a member of its group must
    move (``bound`` says from when on), 2 when none can (``state[FAULT]`` and the operations concerned).
    """
    op = grid(board, T_OP)
    modes = grid(board, T_MODES)
    mach = grid(board, T_MACH)
    place = grid(board, T_PLACE)
    state = row(board, T_STATE)
    inn_ptr = row(board, T_INN_PTR)
    inn = grid(board, T_INN)
    out_ptr = row(board, T_OUT_PTR)
    out = grid(board, T_OUT)
    waits = row(board, T_WAITS)
    bound = row(board, T_BOUND)
    m = modes[place[i, MODE], MACHINE]
    start = place[i, START]
    for q in range(inn_ptr[i], inn_ptr[i + 1]):
        a = inn[q, OTHER]
        if place[a, MODE] < 0:
            continue
        kind = inn[q, KIND]
        if kind >= MOST_FINISH_START:
            since = place[a, END] if kind == MOST_FINISH_START else place[a, START]
            if start > since + inn[q, LAG]:
                if op[a, FIXED_START] >= 0 or op[a, GROUP] != op[i, GROUP]:
                    state[FAULT], state[FAULT_A], state[FAULT_B] = TOO_FAR, a, i
                    return 2
                bound[a] = place[a, START] + max(1, start - since - inn[q, LAG])
                state[FAULT_A], state[FAULT_B] = a, i
                return 1
        elif kind == FINISH_START and mach[m, BUFFER] >= 0 and place[a, END] < start:
            there = modes[place[a, MODE], MACHINE]
            y = place[a, AFTER]
            while mach[there, BATCH] > 1 and y >= 0 and place[y, START] == place[a, START]:
                y = place[y, AFTER]
            change = setup_between(board, there, a, y) if y >= 0 else 0
            if short_until(board, -1, -1, mach[m, BUFFER], 1, place[a, END], start, 0) < 0:
                take(board, -1, -1, mach[m, BUFFER], 1, place[a, END], start, 0)
                waits[q] = 1
                continue
            if y == i and change > 0:  # the part stays where it is while the machine is set up for it
                place[a, UNTIL] = max(place[a, UNTIL], start)
                waits[q] = -2
                continue
            lo, hi = mach[there, CAL_LO], mach[there, CAL_HI]
            if y >= 0 and y != i and advance(board, lo, hi, start, change) > place[y, START]:
                state[FAULT], state[FAULT_A], state[FAULT_B] = TOO_LONG, a, i
                if op[a, FIXED_START] >= 0 or op[a, GROUP] != op[i, GROUP]:
                    return 2
                bound[a] = max(place[a, START] + 1, place[y, START])
                return 1
            place[a, UNTIL] = max(place[a, UNTIL], start)
            waits[q] = -1
    for p in range(out_ptr[i], out_ptr[i + 1]):
        b = out[p, OTHER]
        if place[b, MODE] < 0:
            continue
        kind = out[p, KIND]
        if kind >= MOST_FINISH_START:
            since = place[i, END] if kind == MOST_FINISH_START else start
            late = place[b, START] - since - out[p, LAG]
            if late > 0:
                bound[i] = start + late
                state[FAULT_A], state[FAULT_B] = i, b
                return 1
            continue
        s, e = link_asks(board, out[p, LINK], place[b, MODE])
        if s > place[b, START] or e > place[b, END]:
            state[FAULT], state[FAULT_A], state[FAULT_B] = TOO_LATE, i, b
            return 2
    return 0
