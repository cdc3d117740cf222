"""From an order on the machines to times, from nothing: at the beginning of a search and to prove its increments."""

from typing import Any

import numpy as np

from yuheng.engines.schedule.compiled import inlined, kernel
from yuheng.engines.schedule.tardiness.layout import (
    AFTER,
    BEFORE,
    DONE,
    END,
    LAST,
    LATEST,
    LENGTH,
    MACHINE,
    MODE,
    MOVABLE,
    PINNED,
    PREDS,
    PREDS_END,
    START,
    SUCCS,
    SUCCS_END,
)
from yuheng.engines.schedule.tardiness.moves import latest_pred_start, may_fall_behind, relink
from yuheng.engines.schedule.tardiness.primitives import Floats, Ints
from yuheng.engines.schedule.tardiness.timing import arrival, bound_of, placed


@inlined
def _release(to: int, waits: Ints, queue: Ints, tail: int) -> int:
    waits[to] -= 1
    if waits[to] == 0:
        queue[tail] = to
        return tail + 1
    return tail


@kernel
def decode(nodes: Ints, ops: Ints, orders: Floats, succs: Ints, plant: Any, void: int, bounds: Ints) -> bool:
    """Time every operation as early as the orders on the machines allow; ``bounds`` gets the unpinned starts.

    Returns
    -------
    bool
        False if the orders on the machines contradict the precedences.
    """
    waits = np.zeros(void, np.int64)
    queue = np.empty(void, np.int64)
    tail = 0
    for i in range(void):
        waits[i] = ops[i, PREDS_END] - ops[i, PREDS] + (1 if nodes[i, BEFORE] < void else 0)
        if waits[i] == 0:
            queue[tail] = i
            tail += 1
    head = 0
    while head < tail:
        i = queue[head]
        head += 1
        bounds[i] = bound_of(nodes, ops, plant, i)
        nodes[i, START], nodes[i, END] = placed(ops, plant, i, ops[i, MACHINE], nodes[i, LENGTH], bounds[i])
        for k in range(ops[i, SUCCS], ops[i, SUCCS_END]):
            tail = _release(succs[k, 0], waits, queue, tail)
        to = nodes[i, AFTER]
        if to < void:
            tail = _release(to, waits, queue, tail)
    for j in range(len(orders)):
        orders[j, DONE] = max(0, nodes[int(orders[j, LAST]), END])
    return tail == void


@kernel
def make_room(nodes: Ints, ops: Ints, plant: Any, void: int, bounds: Ints) -> int:
    """Put operations that would delay a pinned one behind it; returns how many."""
    moved = 0
    for i in range(void):
        if ops[i, PINNED] < 0 or bounds[i] <= ops[i, PINNED]:
            continue
        before = nodes[i, BEFORE]
        if before >= void or ops[before, MOVABLE] == 0 or arrival(nodes, ops, plant, i) > ops[i, PINNED]:
            continue
        if may_fall_behind(nodes, ops, plant, before, i, latest_pred_start(nodes, ops, plant, void, i)):
            relink(nodes, before, i)
            moved += 1
    return moved


@kernel
def set_latest(ops: Ints, bounds: Ints) -> None:
    """Bound the starts of pinned and frozen operations by what this plan needs."""
    for i in range(len(bounds)):
        if ops[i, PINNED] >= 0:
            ops[i, LATEST] = max(ops[i, PINNED], bounds[i])
        elif ops[i, MOVABLE] == 0 and ops[i, MODE] >= 0:  # frozen; a join has no mode
            ops[i, LATEST] = bounds[i]
