"""Random numbers, a small heap and calendar arithmetic for the compiled search; nothing here allocates."""

import numpy as np
import numpy.typing as npt

from yuheng.engines.schedule.compiled import bare, inlined

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Seeds = npt.NDArray[np.uint64]

NEVER = 1 << 60
"""Later than every tick; used as the end of what is impossible."""

INDEX_BITS = 20
INDEX_MASK = (1 << INDEX_BITS) - 1
"""A heap key is ``start << INDEX_BITS | operation``: one comparison orders by start, ties by index."""


@inlined
def uniform(rng: Seeds) -> float:
    """Draw from [0, 1) with xorshift64*; ``rng`` is ``uint64 (1,)`` and must not be zero."""
    x = rng[0]
    x ^= x >> np.uint64(12)
    x ^= x << np.uint64(25)
    x ^= x >> np.uint64(27)
    rng[0] = x
    return np.float64((x * np.uint64(2685821657736338717)) >> np.uint64(11)) * (1.0 / 9007199254740992.0)


@inlined
def push(heap: Ints, size: int, key: int) -> int:
    """Add a key to a binary heap; returns its new size."""
    i = size
    while i > 0:
        p = (i - 1) >> 1
        if heap[p] <= key:
            break
        heap[i] = heap[p]
        i = p
    heap[i] = key
    return size + 1


@inlined
def drop_first(heap: Ints, size: int) -> int:
    """Remove ``heap[0]``; returns the new size."""
    size -= 1
    key = heap[size]
    i = 0
    while True:
        c = 2 * i + 1
        if c >= size:
            break
        if c + 1 < size and heap[c + 1] < heap[c]:
            c += 1
        if heap[c] >= key:
            break
        heap[i] = heap[c]
        i = c
    heap[i] = key
    return size


@bare
def interval_at(open_times: Ints, first: int, behind: int, tick: int) -> int:
    """Index of the first open interval ending after ``tick``, ``behind`` if none; rows: start, end, work before."""
    low, high = first, behind
    while low < high:
        mid = (low + high) >> 1
        if open_times[mid, 1] > tick:
            high = mid
        else:
            low = mid + 1
    return low


@bare
def work_end(open_times: Ints, first: int, behind: int, tick: int, work: int) -> int:
    """Moment at which ``work`` ticks of open time, begun at ``tick`` or later, are done; no work is done at once."""
    if work <= 0:
        return tick
    i = interval_at(open_times, first, behind, tick)
    if i >= behind:
        return NEVER
    begin = max(tick, open_times[i, 0])
    wanted = open_times[i, 2] + (begin - open_times[i, 0]) + work
    if begin + work <= open_times[i, 1]:
        return begin + work
    low, high = i, behind
    while high - low > 1:  # the last interval with less than the wanted work before it
        mid = (low + high) >> 1
        if open_times[mid, 2] < wanted:
            low = mid
        else:
            high = mid
    end = open_times[low, 0] + wanted - open_times[low, 2]
    return end if end <= open_times[low, 1] else NEVER


@bare
def first_start(open_times: Ints, first: int, behind: int, tick: int, work: int, interruptible: bool) -> int:
    """Earliest start at ``tick`` or later: in open time, and whole in one interval unless interruptible."""
    i = interval_at(open_times, first, behind, tick)
    if i >= behind:
        return NEVER
    start = max(tick, open_times[i, 0])
    if interruptible:
        return start
    while start + work > open_times[i, 1]:
        i += 1
        if i >= behind:
            return NEVER
        start = open_times[i, 0]
    return start
