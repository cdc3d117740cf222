"""The disjunctive graph of one plan: order on machines, topological order, heads and tails, one move at a time.

Rows ``0..n-1`` of the node table are operations. Row ``n`` is an empty neighbour (no predecessor or successor in the
routing, no successor on the machine) and row ``n + 1 + m`` is the time from which machine ``m`` is free. With these
empty rows the kernels need no test for "has no neighbour". A row is sixteen 32-bit numbers: one cache line.

Two numbers are kept per node, both *including* its duration ``p``:

* ``HEAD``: earliest end = ``max(release, head of predecessors + lag, head of the one before it on the machine) + p``,
* ``TAIL``: time from its start to the end of the plan, computed in the same way backwards.

The longest path through a node is ``head + tail - p``; it is critical where that equals the makespan.

A move changes only what hangs on it: the topological order is repaired inside the window between the old and the new
place (Pearce and Kelly 2007), which also detects a cycle, and heads and tails are recomputed only where a neighbour
changed.
"""

import numpy as np
from numpy.typing import NDArray

from yuheng.engines.schedule.compiled import bare, inlined, kernel

_COLUMNS = (
    "head", "tail", "p", "before", "after", "pred", "pred_lag", "succ", "succ_lag", "release",
    "pos", "place", "machine", "mode", "flag", "local",
)  # fmt: skip
NODE = np.dtype([(name, np.int32) for name in _COLUMNS], align=True)

Nodes = NDArray[np.void]
Table = NDArray[np.int32]
Longs = NDArray[np.int64]


@inlined
def new_head(node: Nodes, arc_ptr: Table, arc: Table, i: int) -> int:
    """Compute the head of ``i`` from its neighbours."""
    x = node[i].release
    y = node[node[i].pred].head + node[i].pred_lag
    if y > x:
        x = y
    y = node[node[i].before].head
    if y > x:
        x = y
    if arc.shape[0]:
        for a in range(arc_ptr[0, i], arc_ptr[0, i + 1]):
            y = node[arc[a, 0]].head + arc[a, 1]
            if y > x:
                x = y
    value: int = x + node[i].p
    return value


@inlined
def new_tail(node: Nodes, arc_ptr: Table, arc: Table, i: int) -> int:
    """Compute the tail of ``i`` from its neighbours."""
    x = node[node[i].succ].tail + node[i].succ_lag
    y = node[node[i].after].tail
    if y > x:
        x = y
    if arc.shape[0]:
        for a in range(arc_ptr[1, i], arc_ptr[1, i + 1]):
            y = node[arc[a, 0]].tail + arc[a, 1]
            if y > x:
                x = y
    value: int = x + node[i].p
    return value


@inlined
def makespan(node: Nodes, seq_ptr: Table, seq: Table, count: Table) -> int:
    """Return the latest end over the last operations of all machines."""
    x = 0
    for m in range(count.shape[0]):
        c = count[m]
        if c:
            y = node[seq[seq_ptr[m] + c - 1]].head
            if y > x:
                x = y
    return x


@kernel
def load(
    node: Nodes,
    arc_ptr: Table,
    arc: Table,
    seq_ptr: Table,
    seq: Table,
    count: Table,
    order: Table,
    mode_table: Table,
    mode: Table,
    new_order: Table,
) -> int:
    """Set the graph to a plan given as modes and a topological order; return its makespan."""
    n = mode.shape[0]
    for m in range(count.shape[0]):
        count[m] = 0
    for k in range(n):
        i = new_order[k]
        order[k] = i
        m = mode_table[mode[i], 0]
        c = count[m]
        count[m] = c + 1
        seq[seq_ptr[m] + c] = i
        node[i].pos = k
        node[i].mode = mode[i]
        node[i].machine = m
        node[i].p = mode_table[mode[i], 1]
        node[i].place = c
        node[i].after = n
        if c == 0:
            node[i].before = n + 1 + m
        else:
            x = seq[seq_ptr[m] + c - 1]
            node[i].before = x
            node[x].after = i
    for k in range(n):
        i = order[k]
        node[i].head = new_head(node, arc_ptr, arc, i)
    for k in range(n - 1, -1, -1):
        i = order[k]
        node[i].tail = new_tail(node, arc_ptr, arc, i)
    return makespan(node, seq_ptr, seq, count)


@bare
def relink(
    node: Nodes, seq_ptr: Table, seq: Table, count: Table, mode_table: Table, n: int, i: int, k: int, index: int
) -> None:
    """Take ``i`` out of its machine and put it, in mode ``k``, at ``index`` of the sequence without it."""
    m = node[i].machine
    w = mode_table[k, 0]
    base = seq_ptr[m]
    a = node[i].place
    x = node[i].before
    y = node[i].after
    if x < n:
        node[x].after = y
    if y < n:
        node[y].before = x
    if w == m:
        for b in range(a, index):
            z = seq[base + b + 1]
            seq[base + b] = z
            node[z].place = b
        for b in range(a, index, -1):
            z = seq[base + b - 1]
            seq[base + b] = z
            node[z].place = b
        c = count[m]
    else:
        c = count[m] - 1
        for b in range(a, c):
            z = seq[base + b + 1]
            seq[base + b] = z
            node[z].place = b
        count[m] = c
        base = seq_ptr[w]
        c = count[w]
        for b in range(c, index, -1):
            z = seq[base + b - 1]
            seq[base + b] = z
            node[z].place = b
        c += 1
        count[w] = c
    seq[base + index] = i
    node[i].place = index
    node[i].machine = w
    node[i].mode = k
    node[i].p = mode_table[k, 1]
    x = n + 1 + w
    if index > 0:
        x = seq[base + index - 1]
        node[x].after = i
    y = n
    if index < c - 1:
        y = seq[base + index + 1]
        node[y].before = i
    node[i].before = x
    node[i].after = y


@inlined
def _follows(node: Nodes, arc_ptr: Table, arc: Table, i: int) -> bool:
    """Tell whether a routing or machine predecessor of ``i`` is marked."""
    if node[node[i].pred].flag | node[node[i].before].flag:
        return True
    if arc.shape[0]:
        for a in range(arc_ptr[0, i], arc_ptr[0, i + 1]):
            if node[arc[a, 0]].flag:
                return True
    return False


@inlined
def _leads(node: Nodes, arc_ptr: Table, arc: Table, i: int) -> bool:
    """Tell whether a routing or machine successor of ``i`` is marked."""
    if node[node[i].succ].flag | node[node[i].after].flag:
        return True
    if arc.shape[0]:
        for a in range(arc_ptr[1, i], arc_ptr[1, i + 1]):
            if node[arc[a, 0]].flag:
                return True
    return False


@bare
def reorder(node: Nodes, arc_ptr: Table, arc: Table, order: Table, buffer: Table, n: int, i: int) -> bool:  # noqa: C901
    """Repair the topological order around ``i`` after `relink`; return whether there is one (no cycle)."""
    x = node[i].before
    y = node[i].after
    a = node[i].pos
    if x < n and node[x].pos > a:
        last = node[x].pos
        node[i].flag = 1
        buffer[0] = i
        c = 1
        for b in range(a + 1, last + 1):
            z = order[b]
            if _follows(node, arc_ptr, arc, z):
                node[z].flag = 1
                buffer[c] = z
                c += 1
        good: bool = node[x].flag == 0
        if good:
            to = a
            for b in range(a + 1, last + 1):
                z = order[b]
                if node[z].flag == 0:
                    order[to] = z
                    node[z].pos = to
                    to += 1
            for b in range(c):
                z = buffer[b]
                order[to + b] = z
                node[z].pos = to + b
        for b in range(c):
            node[buffer[b]].flag = 0
        return good
    if y < n and node[y].pos < a:
        first = node[y].pos
        node[i].flag = 1
        buffer[0] = i
        c = 1
        for b in range(a - 1, first - 1, -1):
            z = order[b]
            if _leads(node, arc_ptr, arc, z):
                node[z].flag = 1
                buffer[c] = z
                c += 1
        good = node[y].flag == 0
        if good:
            to = a
            for b in range(a - 1, first - 1, -1):
                z = order[b]
                if node[z].flag == 0:
                    order[to] = z
                    node[z].pos = to
                    to -= 1
            for b in range(c):
                z = buffer[b]
                order[to - b] = z
                node[z].pos = to - b
        for b in range(c):
            node[buffer[b]].flag = 0
        return good
    return True


@inlined
def update_heads(node: Nodes, arc_ptr: Table, arc: Table, order: Table, n: int, i: int, y: int) -> None:
    """Recompute heads forwards from ``i``, from the one now behind it and from ``y``, the one behind its old place.

    Every node up to the last one that hangs on a change is computed: cheaper than asking each whether it must be.
    """
    k = last = node[i].pos
    z = node[i].after
    if y < n:
        k = min(k, node[y].pos)
        last = max(last, node[y].pos)
    if z < n:
        k = min(k, node[z].pos)
        last = max(last, node[z].pos)
    while k <= last:
        x = node[order[k]]
        k += 1
        h = max(max(x.release, node[x.pred].head + x.pred_lag), node[x.before].head)
        to = max(node[x.succ].pos, node[x.after].pos)
        if arc.shape[0]:
            z = order[k - 1]
            for a in range(arc_ptr[0, z], arc_ptr[0, z + 1]):
                h = max(h, node[arc[a, 0]].head + arc[a, 1])
            for a in range(arc_ptr[1, z], arc_ptr[1, z + 1]):
                to = max(to, node[arc[a, 0]].pos)
        h += x.p
        last = max(last, to) if h != x.head else last
        x.head = h


@inlined
def update_tails(node: Nodes, arc_ptr: Table, arc: Table, order: Table, n: int, i: int, old: int) -> None:
    """Recompute tails backwards from ``i``, from the one now before it and from ``old``, the one before its old
    place.
    """
    k = last = node[i].pos
    z = node[i].before
    if old < n:
        k = max(k, node[old].pos)
        last = min(last, node[old].pos)
    if z < n:
        k = max(k, node[z].pos)
        last = min(last, node[z].pos)
    while k >= last:
        x = node[order[k]]
        k -= 1
        h = max(node[x.succ].tail + x.succ_lag, node[x.after].tail)
        to = min(node[x.pred].pos, node[x.before].pos)
        if arc.shape[0]:
            z = order[k + 1]
            for a in range(arc_ptr[1, z], arc_ptr[1, z + 1]):
                h = max(h, node[arc[a, 0]].tail + arc[a, 1])
            for a in range(arc_ptr[0, z], arc_ptr[0, z + 1]):
                to = min(to, node[arc[a, 0]].pos)
        h += x.p
        last = min(last, to) if h != x.tail else last
        x.tail = h


@bare
def apply(
    node: Nodes,
    arc_ptr: Table,
    arc: Table,
    seq_ptr: Table,
    seq: Table,
    count: Table,
    order: Table,
    mode_table: Table,
    buffer: Table,
    i: int,
    k: int,
    index: int,
) -> bool:
    """Move operation ``i`` to mode ``k`` and place ``index`` of that machine's sequence without ``i``.

    Return False, with the graph unchanged, when that would close a cycle.
    """
    n = order.shape[0]
    x = node[i].before
    y = node[i].after
    old_mode = node[i].mode
    old_place = node[i].place
    relink(node, seq_ptr, seq, count, mode_table, n, i, k, index)
    if not reorder(node, arc_ptr, arc, order, buffer, n, i):
        relink(node, seq_ptr, seq, count, mode_table, n, i, old_mode, old_place)
        return False
    update_heads(node, arc_ptr, arc, order, n, i, y)
    update_tails(node, arc_ptr, arc, order, n, i, x)
    return True
