"""The neighbourhood of a plan: which operation of a critical path could stand elsewhere, and what that would give.

Only operations of a critical path are worth moving. Three kinds of move are looked at:

* inside a critical block (a run of operations that wait for each other on one machine): an operation right behind the
  last or before the first one of its block, or as far as it may go (N6 of Balas and Vazacopoulos 1998),
* to another machine, at the best place of its sequence (the k-insertion of Mastrolilli and Gambardella 2000),
* to the place of an operation on another machine, which comes here: where machines are equally loaded, nothing else
  helps.

A move is offered when heads, tails or the topological order prove that it closes no cycle (an exchange: that neither
half of it does). Its value is estimated from the heads and tails as they are (Balas and Vazacopoulos): the longest
path through the moved segment. A move that saves work, by a faster machine, is valued a little better than its path:
on the plateaus of a loaded shop nothing else tells where to go.
"""

import numpy as np
from numpy.typing import NDArray

from yuheng.engines.schedule.compiled import bare, inlined
from yuheng.engines.schedule.makespan.graph import Longs, Nodes, Table

Blocks = NDArray[np.void]
Random = NDArray[np.uint64]


# A critical block: operation, duration, local number, head and tail without its machine, head or tail after a move.
BLOCK = np.dtype([(name, np.int32) for name in ("op", "p", "local", "ready", "behind", "part")], align=True)

# Estimates are compared in sixteenths of a tick, so that work saved or added can weigh a little.
FINE = 4
# What `_offer` keeps of the best free move, and behind `SPARE` of the best forbidden one: estimate, ties seen,
# operation, mode, place; for an exchange (-1: none) also the other operation, its mode and place.
CANDIDATES, SPARE = 16, 8


@inlined
def below(rng: Random, limit: int) -> int:
    """Draw from ``0 .. limit - 1`` (xorshift64*; the state is ``rng[0]``, never zero)."""
    x = rng[0]
    x ^= x >> np.uint64(12)
    x ^= x << np.uint64(25)
    x ^= x >> np.uint64(27)
    rng[0] = x
    high = (x * np.uint64(2685821657736338717)) >> np.uint64(33)
    value: int = (int(high) * limit) >> 31
    return value


@bare
def _offer(found: Longs, rng: Random, at: int, value: int, i: int, k: int, index: int) -> None:
    if value < found[at]:
        found[at] = value
        found[at + 1] = 1
    elif value == found[at]:
        found[at + 1] += 1
        if below(rng, found[at + 1]):
            return
    else:
        return
    found[at + 2] = i
    found[at + 3] = k
    found[at + 4] = index
    found[at + 5] = -1


@bare
def critical_path(
    node: Nodes,
    arc_ptr: Table,
    arc: Table,
    seq_ptr: Table,
    seq: Table,
    count: Table,
    n: int,
    rng: Random,
    span: int,
    path: Table,
) -> int:
    """Write one critical path, last operation first, into ``path``, drawn at random where there are several; return
    its length.
    """
    i = n
    ties = 0
    for m in range(count.shape[0]):
        c = count[m]
        if c:
            x = seq[seq_ptr[m] + c - 1]
            if node[x].head == span:
                ties += 1
                if ties == 1 or below(rng, ties) == 0:
                    i = x
    length = 0
    while i < n:
        path[length] = i
        length += 1
        start = node[i].head - node[i].p
        b = node[i].before
        by_machine = b < n and node[b].head == start
        j = node[i].pred
        by_job = j < n and node[j].head + node[i].pred_lag == start
        if not by_job and arc.shape[0]:
            for a in range(arc_ptr[0, i], arc_ptr[0, i + 1]):
                x = arc[a, 0]
                if node[x].head + arc[a, 1] == start:
                    j = x
                    by_job = True
                    break
        if by_machine and (not by_job or below(rng, 2)):
            i = b
        elif by_job:
            i = j
        else:
            i = n
    return length


@inlined
def _job_head(node: Nodes, arc_ptr: Table, arc: Table, i: int) -> int:
    x: int = node[node[i].pred].head + node[i].pred_lag
    if node[i].release > x:
        x = node[i].release
    if arc.shape[0]:
        for a in range(arc_ptr[0, i], arc_ptr[0, i + 1]):
            y = node[arc[a, 0]].head + arc[a, 1]
            if y > x:
                x = y
    return x


@inlined
def _job_tail(node: Nodes, arc_ptr: Table, arc: Table, i: int) -> int:
    x: int = node[node[i].succ].tail + node[i].succ_lag
    if arc.shape[0]:
        for a in range(arc_ptr[1, i], arc_ptr[1, i + 1]):
            y = node[arc[a, 0]].tail + arc[a, 1]
            if y > x:
                x = y
    return x


@inlined
def _no_path(node: Nodes, a: int, b: int) -> bool:
    """Tell whether heads, tails or positions prove that no path leads from ``a`` to ``b``."""
    return a != b and (
        node[a].pos > node[b].pos or node[a].tail < node[a].p + node[b].tail or node[b].head - node[b].p < node[a].head
    )


@bare
def _may_follow(node: Nodes, arc_ptr: Table, arc: Table, n: int, i: int, b: int) -> bool:
    """Tell whether ``i`` may surely stand behind ``b`` on its machine."""
    s = node[i].succ
    if s < n and not _no_path(node, s, b):
        return False
    if arc.shape[0]:
        for a in range(arc_ptr[1, i], arc_ptr[1, i + 1]):
            if not _no_path(node, arc[a, 0], b):
                return False
    return True


@bare
def _may_precede(node: Nodes, arc_ptr: Table, arc: Table, n: int, i: int, b: int) -> bool:
    """Tell whether ``i`` may surely stand before ``b`` on its machine."""
    j = node[i].pred
    if j < n and not _no_path(node, b, j):
        return False
    if arc.shape[0]:
        for a in range(arc_ptr[0, i], arc_ptr[0, i + 1]):
            if not _no_path(node, b, arc[a, 0]):
                return False
    return True


@inlined
def _forward(
    node: Nodes,
    tabu: Table,
    width: int,
    mask: int,
    it: int,
    block: Blocks,
    a: int,
    b: int,
    found: Longs,
    rng: Random,
    best: int,
) -> None:
    """Value the operation at ``a`` of the block right behind the one at ``b``, ``a < b``, and offer it."""
    first = block[a]
    i = first.op
    limit = found[0] >> FINE
    h = node[node[i].before].head
    t = max(node[node[block[b].op].after].tail, first.behind) + first.p
    x = block[a + 1]
    # The block is tight: what its second operation gains is the most that its last one can gain.
    if max(h, x.ready) + x.p - node[x.op].head + node[block[b].op].head + t > limit:
        return
    for c in range(a + 1, b + 1):
        x = block[c]
        h = max(h, x.ready) + x.p
        x.part = h
    value = max(h, first.ready) + t
    for c in range(b, a, -1):
        if value > limit:
            return
        x = block[c]
        t = max(t, x.behind)
        value = max(value, x.part + t)
        t += x.p
    if value > limit:
        return
    at = 0
    if value >= best:
        again = 0
        for c in range(a + 1, b + 1):
            if tabu[(block[c].op * width + first.local) & mask] > it:
                again += 1
        if 2 * again > b - a:  # most of what it would turn round was turned the other way lately
            at = SPARE
    _offer(found, rng, at, value << FINE, i, node[i].mode, node[block[b].op].place)


@inlined
def _backward(
    node: Nodes,
    tabu: Table,
    width: int,
    mask: int,
    it: int,
    block: Blocks,
    a: int,
    b: int,
    found: Longs,
    rng: Random,
    best: int,
) -> None:
    """Value the operation at ``b`` of the block right before the one at ``a``, ``a < b``, and offer it."""
    last = block[b]
    i = last.op
    limit = found[0] >> FINE
    t = node[node[i].after].tail
    h = max(node[node[block[a].op].before].head, last.ready) + last.p
    x = block[b - 1]
    if max(t, x.behind) + x.p - node[x.op].tail + node[block[a].op].tail + h > limit:
        return
    for c in range(b - 1, a - 1, -1):
        x = block[c]
        t = max(t, x.behind) + x.p
        x.part = t
    value = max(t, last.behind) + h
    for c in range(a, b):
        if value > limit:
            return
        x = block[c]
        h = max(h, x.ready)
        value = max(value, h + x.part)
        h += x.p
    if value > limit:
        return
    at = 0
    if value >= best:
        again = 0
        for c in range(a, b):
            if tabu[(i * width + block[c].local) & mask] > it:
                again += 1
        if 2 * again > b - a:  # most of what it would turn round was turned the other way lately
            at = SPARE
    _offer(found, rng, at, value << FINE, i, node[i].mode, node[block[a].op].place)


@bare
def block_moves(  # noqa: C901
    node: Nodes,
    arc_ptr: Table,
    arc: Table,
    n: int,
    tabu: Table,
    width: int,
    mask: int,
    it: int,
    best: int,
    path: Table,
    length: int,
    window: int,
    block: Blocks,
    found: Longs,
    rng: Random,
) -> None:
    """Offer the moves inside all blocks of the critical path.

    Parameters
    ----------
    window
        Longest way, in places, that an operation is moved inside a block.
    block
        Working memory: ``n`` records of type ``BLOCK``.
    """
    z = length - 1
    while z > 0:
        if node[path[z - 1]].before != path[z]:
            z -= 1
            continue
        size = 0
        while True:
            i = path[z]
            x = block[size]
            x.op = i
            x.p = node[i].p
            x.local = node[i].local
            x.ready = _job_head(node, arc_ptr, arc, i)
            x.behind = _job_tail(node, arc_ptr, arc, i)
            size += 1
            z -= 1
            if z < 0 or node[path[z]].before != i:
                break
        last = size - 1
        # In the first block an order that begins otherwise gains nothing, in the last one an order that ends otherwise.
        if z >= 0:
            for a in range(max(0, last - window), last):
                b = last
                while b > a and not _may_follow(node, arc_ptr, arc, n, block[a].op, block[b].op):
                    b -= 1
                if b > a:
                    _forward(node, tabu, width, mask, it, block, a, b, found, rng, best)
        i = block[0].op
        if node[i].before < n or node[i].head - node[i].p > node[node[i].before].head:
            for b in range(1, min(size, window + 1)):
                a = 0
                while a < b and not _may_precede(node, arc_ptr, arc, n, block[b].op, block[a].op):
                    a += 1
                # The swap with the last one was offered from the other side.
                if a < b and not (b == last and a == b - 1 and z >= 0):
                    _backward(node, tabu, width, mask, it, block, a, b, found, rng, best)


@bare
def machine_moves(  # noqa: C901
    node: Nodes,
    arc_ptr: Table,
    arc: Table,
    seq_ptr: Table,
    seq: Table,
    count: Table,
    mode_ptr: Table,
    mode_table: Table,
    n: int,
    greed: int,
    tabu_mode: Longs,
    it: int,
    best: int,
    path: Table,
    length: int,
    found: Longs,
    rng: Random,
) -> None:
    """Offer every critical operation its other modes, each at the best place of that machine's sequence."""
    for z in range(length):
        i = path[z]
        first, end = mode_ptr[i], mode_ptr[i + 1]
        if end - first < 2:
            continue
        ready = _job_head(node, arc_ptr, arc, i)
        jt = _job_tail(node, arc_ptr, arc, i)
        here = node[i].machine
        for k in range(first, end):
            m = mode_table[k, 0]
            if k == node[i].mode or m == here:
                continue
            p = mode_table[k, 1]
            work = greed * (p - node[i].p)
            if ((ready + p + jt) << FINE) + work > found[0]:
                continue
            forbidden = tabu_mode[k] > it
            base = seq_ptr[m]
            c = count[m]
            jh = max(ready, node[n + 1 + m].head)
            # late = first one that ends after i could start; hung = number of those with a longer tail than i's
            # successors
            low, high = 0, c
            while low < high:
                mid = (low + high) >> 1
                if node[seq[base + mid]].head > jh:
                    high = mid
                else:
                    low = mid + 1
            late = low
            low, high = 0, c
            while low < high:
                mid = (low + high) >> 1
                if node[seq[base + mid]].tail > jt:
                    low = mid + 1
                else:
                    high = mid
            hung = low
            if hung <= late:
                index = hung
                if late > hung:
                    index += below(rng, late - hung + 1)
                value = jh + p + jt
                at = SPARE if forbidden and value >= best else 0
                _offer(found, rng, at, (value << FINE) + work, i, k, index)
                continue
            for index in range(late, hung + 1):
                h = jh
                t = jt
                if index > 0:
                    x = node[seq[base + index - 1]].head
                    if x > h:
                        h = x
                if index < c:
                    x = node[seq[base + index]].tail
                    if x > t:
                        t = x
                value = h + p + t
                at = SPARE if forbidden and value >= best else 0
                _offer(found, rng, at, (value << FINE) + work, i, k, index)


@bare
def _through(node: Nodes, arc_ptr: Table, arc: Table, i: int, p: int, before: int, after: int) -> int:
    """Return the longest path through ``i`` if it took ``p`` between these two on a machine."""
    h = max(_job_head(node, arc_ptr, arc, i), node[before].head)
    value: int = h + p + max(_job_tail(node, arc_ptr, arc, i), node[after].tail)
    return value


@bare
def exchanges(  # noqa: C901
    node: Nodes,
    arc_ptr: Table,
    arc: Table,
    seq_ptr: Table,
    seq: Table,
    count: Table,
    mode_ptr: Table,
    mode_table: Table,
    mode_on: Table,
    n: int,
    greed: int,
    tabu_mode: Longs,
    it: int,
    best: int,
    path: Table,
    length: int,
    near: int,
    found: Longs,
    rng: Random,
) -> None:
    """Offer critical operations the place of one on another machine, which takes theirs.

    Where machines are equally loaded no operation can simply go elsewhere; two can change places.

    Parameters
    ----------
    mode_on
        Mode of each operation on each machine (-1: none), shape ``(n, machines)``; empty where that would be large.
    near
        How many places around the one that fits by time are looked at.
    """
    for z in range(length):
        i = path[z]
        first, end = mode_ptr[i], mode_ptr[i + 1]
        if end - first < 2:
            continue
        here = node[i].machine
        ready = _job_head(node, arc_ptr, arc, i)
        behind = _job_tail(node, arc_ptr, arc, i)
        for k in range(first, end):
            m = mode_table[k, 0]
            if m == here or tabu_mode[k] > it:
                continue
            p = mode_table[k, 1]
            base = seq_ptr[m]
            low, high = 0, count[m]
            while low < high:
                mid = (low + high) >> 1
                if node[seq[base + mid]].head > ready:
                    high = mid
                else:
                    low = mid + 1
            for index in range(max(0, low - near), min(count[m], low + near)):
                x = seq[base + index]
                h = max(ready, node[node[x].before].head)
                value = h + p + max(behind, node[node[x].after].tail)
                saved = node[i].p + node[x].p - p
                if (value << FINE) - greed * saved > found[0]:
                    continue
                other = -1
                if mode_on.shape[0]:
                    other = mode_on[x, here]
                else:
                    for b in range(mode_ptr[x], mode_ptr[x + 1]):
                        if mode_table[b, 0] == here:
                            other = b
                            break
                if other < 0 or tabu_mode[other] > it:
                    continue
                q = mode_table[other, 1]
                work = greed * (q - saved)
                if (value << FINE) + work > found[0]:
                    continue
                value = max(value, _through(node, arc_ptr, arc, x, q, node[i].before, node[i].after))
                value = (value << FINE) + work
                if value > found[0]:
                    continue
                if value == found[0]:
                    found[1] += 1
                    if below(rng, found[1]):
                        continue
                if (
                    (node[x].before < n and not _may_follow(node, arc_ptr, arc, n, i, node[x].before))
                    or (node[x].after < n and not _may_precede(node, arc_ptr, arc, n, i, node[x].after))
                    or (node[i].before < n and not _may_follow(node, arc_ptr, arc, n, x, node[i].before))
                    or (node[i].after < n and not _may_precede(node, arc_ptr, arc, n, x, node[i].after))
                ):
                    continue
                if value < found[0]:
                    found[0] = value
                    found[1] = 1
                found[2] = i
                found[3] = k
                found[4] = index
                found[5] = x
                found[6] = other
                found[7] = node[i].place


__all__ = ["BLOCK", "CANDIDATES", "SPARE", "below", "block_moves", "critical_path", "exchanges", "machine_moves"]
