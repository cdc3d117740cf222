# mypy: disable-error-code="no-any-return"
"""What a plan under construction has booked: time on machines, units of resources. Compiled.

Everything here works on a handful of ``int64`` tables (one row an operation, a mode, a machine ...) whose columns are
the constants below; `yuheng.engines.schedule.layout` makes them from a problem. Few, wide tables keep the calls short,
and each row in one or two cache lines.

Tables
------
``op[n, 10]``, ``mode[K, 2]``, ``mach[M, 8]``, ``cal[C, 3]`` (start, end, working ticks before), ``setup[X, F+1, F+1]``,
``dem[D, 3]`` (resource, amount, amount in use now), ``place[n, 6]``, ``ends[M, 2]`` (first and last operation of each
machine), ``node[P, 3]`` and ``hint[R, H]`` (resource profiles), ``state[8]``.

A resource profile is a linked list of (from, free units, next); the last lasts for ever. Lists grow in the middle, so a
table of hints, one for each slice of time, says where to begin looking.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from yuheng.engines.schedule.compiled import bare, kernel
from yuheng.engines.schedule.tables import (
    T_CAL,
    T_CAP,
    T_CAP_PTR,
    T_ENDS,
    T_HINT,
    T_KEEPS,
    T_MACH,
    T_NODE,
    T_OP,
    T_PLACE,
    T_SETUP,
    T_STATE,
    cube,
    grid,
    row,
)

INFINITE = 1 << 60
"""Later than any time: no room, no working time left."""

JOB, FAMILY, RELEASE, PAUSES, FIXED_START, FIXED_MODE, SIZE, STARTED, GROUP, ROUTING = range(10)
MACHINE, DURATION = range(2)
CAL_LO, CAL_HI, MATRIX, INITIAL, FREE_FROM, BATCH, BUFFER, WORKS = range(8)
START, END, MODE, BEFORE, AFTER, UNTIL = range(6)
"""Columns of ``place``: MODE is -1 while unplaced; UNTIL is when the machine is free again (a blocked part stays)."""
FIRST, LAST = range(2)
FROM, UNITS, FOLLOWING = range(3)
NODES, WIDTH, FULL, SETUPS, FAULT, FAULT_A, FAULT_B, COUNT = range(8)
"""Columns of ``state``: nodes in use, width of a hint's slice, whether the pool ran out, set-up ticks in all,
what went wrong (`FAULT` and the operations concerned), a counter for callers."""

Table = np.ndarray[Any, np.dtype[np.int64]]


@bare
def interval_at(board: int, lo: int, hi: int, t: int) -> int:
    """Index of the last interval of cal[lo:hi] that starts at or before ``t``; ``lo - 1`` if none does."""
    cal = grid(board, T_CAL)
    a, b = lo, hi
    while a < b:
        middle = (a + b) >> 1
        if cal[middle, 0] <= t:
            a = middle + 1
        else:
            b = middle
    return a - 1


@bare
def fit(board: int, lo: int, hi: int, t: int, work: int, pauses: int) -> tuple[int, int]:
    """Earliest (start, end) at or after ``t`` for ``work`` ticks on a calendar; ``lo < 0`` is always open.

    Both are `INFINITE` when the calendar ends before.
    """
    cal = grid(board, T_CAL)
    if lo < 0:
        return t, t + work
    k = interval_at(board, lo, hi, t)
    if k < lo or t >= cal[k, 1]:
        k += 1
        if k >= hi:
            return INFINITE, INFINITE
        t = cal[k, 0]
    if pauses == 0:
        while t + work > cal[k, 1]:
            k += 1
            if k >= hi:
                return INFINITE, INFINITE
            t = cal[k, 0]
        return t, t + work
    start = t
    while t + work > cal[k, 1]:
        work -= cal[k, 1] - t
        k += 1
        if k >= hi:
            return INFINITE, INFINITE
        t = cal[k, 0]
    return start, t + work


@bare
def advance(board: int, lo: int, hi: int, t: int, work: int) -> int:
    """When ``work`` ticks of working time after ``t`` are over; ``t`` itself for none."""
    if work <= 0:
        return t
    return fit(board, lo, hi, t, work, 1)[1]


@bare
def worked(board: int, lo: int, hi: int, t: int) -> int:
    """Working ticks before ``t`` (from the calendar's first interval on)."""
    cal = grid(board, T_CAL)
    if lo < 0:
        return t
    k = interval_at(board, lo, hi, t)
    if k < lo:
        return 0
    return cal[k, 2] + min(t, cal[k, 1]) - cal[k, 0]


@bare
def setup_between(board: int, m: int, before: int, after: int) -> int:
    """Set-up ticks on machine ``m`` from operation ``before`` (-1: the machine's first state) to ``after``."""
    op = grid(board, T_OP)
    mach = grid(board, T_MACH)
    setup = cube(board, T_SETUP)
    matrix = mach[m, MATRIX]
    if matrix < 0:
        return 0
    none = setup.shape[1] - 1
    a = mach[m, INITIAL] if before < 0 else op[before, FAMILY]
    b = op[after, FAMILY]
    return setup[matrix, none if a < 0 else a, none if b < 0 else b]


@bare
def node_at(board: int, r: int, t: int) -> int:
    """The profile node of resource ``r`` that holds at ``t``."""
    node = grid(board, T_NODE)
    hint = grid(board, T_HINT)
    state = row(board, T_STATE)
    slot = 0 if t < 0 else min(t // state[WIDTH], hint.shape[1] - 1)
    base = slot * state[WIDTH]
    k = hint[r, slot]
    back = slot
    while k < 0:
        back -= 1
        k = hint[r, back]
    hint[r, slot] = k
    following = node[k, FOLLOWING]
    while following >= 0 and node[following, FROM] <= t:
        k = following
        if node[k, FROM] <= base:
            hint[r, slot] = k
        following = node[k, FOLLOWING]
    return k


@bare
def _short_until(board: int, k: int, units: int, end: int) -> int:
    """From node ``k`` on: -1 if ``units`` are free until ``end``, else when the first shortage is over."""
    node = grid(board, T_NODE)
    while node[k, UNITS] >= units:
        k = node[k, FOLLOWING]
        if k < 0 or node[k, FROM] >= end:
            return -1
    while k >= 0 and node[k, UNITS] < units:
        k = node[k, FOLLOWING]
    return INFINITE if k < 0 else node[k, FROM]


@bare
def short_until(board: int, lo: int, hi: int, r: int, units: int, start: int, end: int, work: int) -> int:
    """-1 if ``units`` of ``r`` are free for an operation at [start, end), else when to try again.

    People who go home in the breaks (``keeps[r] == 0``) are needed only while the machine's calendar is open.
    """
    node = grid(board, T_NODE)
    keeps = row(board, T_KEEPS)
    cal = grid(board, T_CAL)
    if units <= 0 or start >= end:
        return -1
    k = node_at(board, r, start)
    if keeps[r] == 1 or lo < 0 or end - start == work:
        return _short_until(board, k, units, end)
    piece = interval_at(board, lo, hi, start)
    while piece < hi and cal[piece, 0] < end:
        a = max(start, cal[piece, 0])
        b = min(end, cal[piece, 1])
        if a < b:
            while node[k, FOLLOWING] >= 0 and node[node[k, FOLLOWING], FROM] <= a:
                k = node[k, FOLLOWING]
            over = _short_until(board, k, units, b)
            if over >= 0:
                return over
        piece += 1
    return -1


@bare
def _cut(board: int, r: int, t: int) -> int:
    """Make a node of ``r`` begin at ``t`` and return it."""
    node = grid(board, T_NODE)
    state = row(board, T_STATE)
    k = node_at(board, r, t)
    if node[k, FROM] == t:
        return k
    new = state[NODES]
    if new >= node.shape[0]:
        state[FULL] = 1
        return k
    state[NODES] = new + 1
    node[new, FROM] = t
    node[new, UNITS] = node[k, UNITS]
    node[new, FOLLOWING] = node[k, FOLLOWING]
    node[k, FOLLOWING] = new
    return new


@bare
def _take(board: int, r: int, units: int, start: int, end: int) -> None:
    node = grid(board, T_NODE)
    state = row(board, T_STATE)
    k = _cut(board, r, start)
    stop = _cut(board, r, end)
    if state[FULL] == 1:
        return
    while k != stop:
        node[k, UNITS] -= units
        k = node[k, FOLLOWING]


@bare
def take(board: int, lo: int, hi: int, r: int, units: int, start: int, end: int, work: int) -> None:
    """Take ``units`` of ``r`` for an operation at [start, end); negative gives them back. Mirrors `short_until`."""
    keeps = row(board, T_KEEPS)
    cal = grid(board, T_CAL)
    if units == 0 or start >= end:
        return
    if keeps[r] == 1 or lo < 0 or end - start == work:
        _take(board, r, units, start, end)
        return
    piece = interval_at(board, lo, hi, start)
    if piece < lo:
        piece = lo
    while piece < hi and cal[piece, 0] < end:
        a = max(start, cal[piece, 0])
        b = min(end, cal[piece, 1])
        if a < b:
            _take(board, r, units, a, b)
        piece += 1


@kernel
def reset(board: int, width: int) -> None:
    """Empty the profiles: ``cap[cap_ptr[r]:cap_ptr[r+1]]`` are (from, units) of resource ``r``, from -infinity on."""
    node = grid(board, T_NODE)
    hint = grid(board, T_HINT)
    state = row(board, T_STATE)
    cap_ptr = row(board, T_CAP_PTR)
    cap = grid(board, T_CAP)
    for x in range(state.shape[0]):
        state[x] = 0
    state[WIDTH] = max(1, width)
    for r in range(hint.shape[0]):
        for x in range(hint.shape[1]):
            hint[r, x] = -1
    used = 0
    for r in range(cap_ptr.shape[0] - 1):
        hint[r, 0] = used
        for q in range(cap_ptr[r], cap_ptr[r + 1]):
            node[used, FROM] = cap[q, 0] if q > cap_ptr[r] else -INFINITE
            node[used, UNITS] = cap[q, 1]
            node[used, FOLLOWING] = used + 1 if q + 1 < cap_ptr[r + 1] else -1
            used += 1
    state[NODES] = used


@bare
def link(board: int, m: int, i: int, before: int) -> None:
    """Put operation ``i`` on machine ``m`` directly after ``before`` (-1: first)."""
    place = grid(board, T_PLACE)
    ends = grid(board, T_ENDS)
    after = ends[m, FIRST] if before < 0 else place[before, AFTER]
    place[i, BEFORE] = before
    place[i, AFTER] = after
    if before < 0:
        ends[m, FIRST] = i
    else:
        place[before, AFTER] = i
    if after < 0:
        ends[m, LAST] = i
    else:
        place[after, BEFORE] = i


@bare
def unlink(board: int, m: int, i: int) -> None:
    """Take operation ``i`` off machine ``m``."""
    place = grid(board, T_PLACE)
    ends = grid(board, T_ENDS)
    before, after = place[i, BEFORE], place[i, AFTER]
    if before < 0:
        ends[m, FIRST] = after
    else:
        place[before, AFTER] = after
    if after < 0:
        ends[m, LAST] = before
    else:
        place[after, BEFORE] = before


@bare
def last_started(board: int, m: int, t: int) -> int:
    """The last operation on machine ``m`` that starts at or before ``t``; -1 if none does."""
    place = grid(board, T_PLACE)
    ends = grid(board, T_ENDS)
    x = ends[m, LAST]
    while x >= 0 and place[x, START] > t:
        x = place[x, BEFORE]
    return x
