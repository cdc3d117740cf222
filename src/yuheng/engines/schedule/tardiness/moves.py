"""Propose a move, make it with all its consequences, and take it back."""

from typing import Any

from yuheng.engines.schedule.compiled import bare, inlined
from yuheng.engines.schedule.tardiness.layout import (
    AFTER,
    BEFORE,
    DONE,
    END,
    ENDS,
    JOB,
    LAST,
    LATEST,
    LENGTH,
    MACHINE,
    PRED,
    PREDS,
    PREDS_END,
    START,
    SUCC,
    SUCCS,
    SUCCS_END,
    TAIL,
)
from yuheng.engines.schedule.tardiness.primitives import (
    INDEX_BITS,
    INDEX_MASK,
    NEVER,
    Bools,
    Floats,
    Ints,
    drop_first,
    push,
)
from yuheng.engines.schedule.tardiness.timing import (
    arrival,
    bound_of,
    completion_cost,
    placed,
    shift_cost,
)

DEPTH = 4
"""Places considered further forward on its own machine."""
LATER, EARLIER = 2, 2
"""Places considered behind and before the first possible one on another machine."""


@inlined
def latest_pred_start(nodes: Ints, ops: Ints, plant: Any, void: int, i: int) -> int:
    """Latest start among the predecessors of ``i``: what ends behind it cannot lead to them."""
    if plant is None:
        before = nodes[i, PRED]
        return nodes[before, START] if before != void else -NEVER
    latest = -NEVER
    for k in range(ops[i, PREDS], ops[i, PREDS_END]):
        latest = max(latest, nodes[plant.preds[k, 0], START])
    return latest


@inlined
def earliest_succ_end(nodes: Ints, ops: Ints, plant: Any, void: int, i: int) -> int:
    """Earliest end among the successors of ``i``: what starts before it cannot come after them."""
    if plant is None:
        to = nodes[i, SUCC]
        return nodes[to, END] if to != void else NEVER
    earliest = NEVER
    for k in range(ops[i, SUCCS], ops[i, SUCCS_END]):
        earliest = min(earliest, nodes[plant.succs[k, 0], END])
    return earliest


@inlined
def is_succ(nodes: Ints, ops: Ints, plant: Any, i: int, x: int) -> bool:
    """Whether ``x`` is a direct successor of ``i``."""
    if plant is None:
        return nodes[i, SUCC] == x
    for k in range(ops[i, SUCCS], ops[i, SUCCS_END]):  # noqa: SIM110 (numba compiles loops, not generators)
        if plant.succs[k, 0] == x:
            return True
    return False


@inlined
def may_fall_behind(nodes: Ints, ops: Ints, plant: Any, x: int, i: int, guard: int) -> bool:
    """Whether ``i`` may be put before ``x``: nothing leads from ``x`` to a predecessor of ``i``.

    A path would make ``x`` end by the start of that predecessor, so an end behind ``guard``, the latest of those
    starts, excludes it. Sufficient, not necessary.
    """
    if nodes[x, END] <= guard:
        return False
    if plant is None:
        return nodes[i, PRED] != x
    for k in range(ops[i, PREDS], ops[i, PREDS_END]):  # noqa: SIM110
        if plant.preds[k, 0] == x:
            return False
    return True


@inlined
def earlier_places(nodes: Ints, ops: Ints, plant: Any, void: int, i: int, places: Ints) -> int:
    """Rows that ``i`` could follow further forward on its own machine, nearest first; returns how many."""
    guard = latest_pred_start(nodes, ops, plant, void, i)
    x = nodes[i, BEFORE]
    count = 0
    while count < DEPTH and x < void and may_fall_behind(nodes, ops, plant, x, i, guard):
        places[count] = nodes[x, BEFORE]
        count += 1
        if nodes[places[count - 1], END] != nodes[x, START]:
            break
        x = places[count - 1]
    return count


@bare
def first_from(nodes: Ints, ops: Ints, void: int, listed: Ints, lists: Ints, machine: int, tick: int) -> int:
    """Row on a machine behind which the first operation starting at ``tick`` or later stands.

    The list of the machine is stale: it says about where; the links tell the rest.
    """
    low, high = listed[machine], listed[machine + 1]
    begin = low
    while low < high:
        mid = (low + high) >> 1
        if nodes[lists[mid], START] < tick:
            low = mid + 1
        else:
            high = mid
    before = void + 1 + machine
    low -= 1
    while low >= begin:
        if ops[lists[low], MACHINE] == machine and nodes[lists[low], START] < tick:
            before = lists[low]
            break
        low -= 1
    x = nodes[before, AFTER]
    while x < void and nodes[x, START] < tick:
        before = x
        x = nodes[x, AFTER]
    return before


@bare
def other_places(
    nodes: Ints,
    ops: Ints,
    plant: Any,
    void: int,
    listed: Ints,
    lists: Ints,
    i: int,
    machine: int,
    places: Ints,
) -> int:
    """Rows that ``i`` could follow on another machine, near the moment at which it could start there; how many."""
    before = first_from(nodes, ops, void, listed, lists, machine, arrival(nodes, ops, plant, i))
    places[0] = before
    count = 1
    limit = earliest_succ_end(nodes, ops, plant, void, i)
    x = nodes[before, AFTER]
    while count <= LATER and x < void and nodes[x, START] < limit and not is_succ(nodes, ops, plant, i, x):
        places[count] = x
        count += 1
        x = nodes[x, AFTER]
    guard = latest_pred_start(nodes, ops, plant, void, i)
    most = count + EARLIER
    while count < most and before < void and may_fall_behind(nodes, ops, plant, before, i, guard):
        before = nodes[before, BEFORE]
        places[count] = before
        count += 1
    return count


@inlined
def relink(nodes: Ints, i: int, before: int) -> None:
    """Take ``i`` out of its machine's order and put it right behind ``before``."""
    a, b = nodes[i, BEFORE], nodes[i, AFTER]
    nodes[a, AFTER] = b
    nodes[b, BEFORE] = a
    x = nodes[before, AFTER]
    nodes[before, AFTER] = i
    nodes[i, BEFORE] = before
    nodes[i, AFTER] = x
    nodes[x, BEFORE] = i


@inlined
def _wait(heap: Ints, size: int, waiting: Bools, i: int, at: int) -> int:
    """Note that ``i`` must be timed again."""
    if waiting[i]:
        return size
    waiting[i] = True
    return push(heap, size, (at << INDEX_BITS) | i)


@inlined
def _note_order(
    orders: Floats, j: int, done: int, order_log: Ints, orders_seen: Bools, logged: int
) -> tuple[float, int]:
    """Log the first change of an order's completion in this move; returns the change of cost and the new log size."""
    if not orders_seen[j]:
        orders_seen[j] = True
        order_log[logged, 0] = j
        order_log[logged, 1] = orders[j, DONE]
        logged += 1
    change = completion_cost(orders, j, done) - completion_cost(orders, j, orders[j, DONE])
    orders[j, DONE] = done
    return change, logged


@inlined
def _order_change(
    ops: Ints, orders: Floats, x: int, end: int, old_end: int, order_log: Ints, orders_seen: Bools, logged: int
) -> tuple[float, int]:
    """Cost of a new end of ``x`` for its order: exact at its last operation, a lower bound before."""
    j = ops[x, JOB]
    if ops[x, ENDS] != 0:
        return _note_order(orders, j, end, order_log, orders_seen, logged)
    if end > old_end:
        least = end + ops[x, TAIL]
        if least > orders[j, DONE]:
            return _note_order(orders, j, least, order_log, orders_seen, logged)
    return 0.0, logged


@inlined
def _spread(
    nodes: Ints, ops: Ints, plant: Any, void: int, x: int, end: int, old_end: int, heap: Ints, size: int, waiting: Bools
) -> int:
    """Note what must be timed again because ``x`` now ends at ``end``."""
    if plant is None:
        to = nodes[x, SUCC]
        if to < void and (end > nodes[to, START] or (end < old_end and old_end == nodes[to, START])):
            size = _wait(heap, size, waiting, to, nodes[to, START])
        to = nodes[x, AFTER]
        if to < void and (end > nodes[to, START] or (end < old_end and old_end == nodes[to, START])):
            size = _wait(heap, size, waiting, to, nodes[to, START])
        return size
    for k in range(ops[x, SUCCS], ops[x, SUCCS_END]):
        to = plant.succs[k, 0]
        if end < old_end or end + plant.succs[k, 1] > nodes[to, START]:
            size = _wait(heap, size, waiting, to, nodes[to, START])
    to = nodes[x, AFTER]
    if to < void:
        size = _wait(heap, size, waiting, to, nodes[to, START])
    return size


@inlined
def propagate(
    nodes: Ints,
    ops: Ints,
    orders: Floats,
    plant: Any,
    void: int,
    i: int,
    left: int,
    at: int,
    heap: Ints,
    waiting: Bools,
    log: Ints,
    order_log: Ints,
    orders_seen: Bools,
    sizes: Ints,
    limit: float,
) -> tuple[bool, float]:
    """Time everything that the move of ``i`` reaches, in the order of starts; stop once the cost passes ``limit``.

    Parameters
    ----------
    left
        What followed ``i`` where it was.
    at
        About when ``i`` starts now: it goes first.
    log, order_log
        Old values, for `take_back`; how many is in ``sizes``.

    Returns
    -------
    tuple of bool and float
        Whether it went to its end within the limit, and the change of what shifted starts cost.
    """
    logged, orders_logged = sizes[0], sizes[1]
    cost = 0.0
    shifted = 0.0
    size = _wait(heap, 0, waiting, i, at)
    if left < void:
        size = _wait(heap, size, waiting, left, nodes[left, START])
    right = nodes[i, AFTER]
    if right < void:
        size = _wait(heap, size, waiting, right, max(nodes[right, START], at))
    within = True
    while size > 0:
        x = heap[0] & INDEX_MASK
        size = drop_first(heap, size)
        waiting[x] = False
        bound = bound_of(nodes, ops, plant, x)
        start, end = placed(ops, plant, x, ops[x, MACHINE], nodes[x, LENGTH], bound)
        old_start, old_end = nodes[x, START], nodes[x, END]
        if plant is not None and (bound > ops[x, LATEST] or end >= NEVER):
            within = False
            break
        if start == old_start and end == old_end:
            continue
        if logged >= len(log):
            within = False
            break
        log[logged, 0] = x
        log[logged, 1] = old_start
        log[logged, 2] = old_end
        logged += 1
        nodes[x, START] = start
        nodes[x, END] = end
        if plant is not None:
            shifted += shift_cost(ops, plant, x, start) - shift_cost(ops, plant, x, old_start)
        change, orders_logged = _order_change(ops, orders, x, end, old_end, order_log, orders_seen, orders_logged)
        cost += change
        if cost + shifted > limit:
            within = False
            break
        size = _spread(nodes, ops, plant, void, x, end, old_end, heap, size, waiting)
    for k in range(size):
        waiting[heap[k] & INDEX_MASK] = False
    sizes[0], sizes[1] = logged, orders_logged
    return within, shifted


@bare
def settle(nodes: Ints, orders: Floats, order_log: Ints, orders_seen: Bools, logged: int) -> float:
    """Give the touched orders their exact completion; returns the exact change of their cost."""
    cost = 0.0
    for k in range(logged):
        j = order_log[k, 0]
        done = nodes[int(orders[j, LAST]), END]
        cost += completion_cost(orders, j, done) - completion_cost(orders, j, order_log[k, 1])
        orders[j, DONE] = done
        orders_seen[j] = False
    return cost


@bare
def take_back(nodes: Ints, orders: Floats, log: Ints, order_log: Ints, orders_seen: Bools, sizes: Ints) -> None:
    """Undo the times of a move."""
    for k in range(sizes[1]):
        j = order_log[k, 0]
        orders[j, DONE] = order_log[k, 1]
        orders_seen[j] = False
    for k in range(sizes[0] - 1, -1, -1):
        i = log[k, 0]
        nodes[i, START] = log[k, 1]
        nodes[i, END] = log[k, 2]
