"""When an operation can start, and what an order's completion costs.

Every function takes ``plant``: ``None`` compiles the fast version for plain chains (see `layout.is_plain`), a `Plant`
the version with precedence graphs, lags, set-ups, calendars, pinned operations and a reference plan.
"""

from typing import Any

from yuheng.engines.schedule.compiled import bare, inlined
from yuheng.engines.schedule.tardiness.layout import (
    AFTER,
    BEFORE,
    DONE,
    DUE,
    END,
    FAMILY,
    FLOW,
    LATE,
    MACHINE,
    MATRIX,
    OPEN,
    OPEN_END,
    PINNED,
    PRED,
    PREDS,
    PREDS_END,
    READY,
    SETUP,
    SPLITS,
    TARDY,
    TOLERANCE,
    WISHED,
    WISHED_MODE,
)
from yuheng.engines.schedule.tardiness.primitives import NEVER, Floats, Ints, first_start, work_end


@inlined
def arrival(nodes: Ints, ops: Ints, plant: Any, i: int) -> int:
    """Earliest start of ``i`` by its release and its predecessors."""
    at = nodes[i, READY]
    if plant is None:
        return max(at, nodes[nodes[i, PRED], END])
    for k in range(ops[i, PREDS], ops[i, PREDS_END]):
        at = max(at, nodes[plant.preds[k, 0], END] + plant.preds[k, 1])
    return at


@inlined
def setup_time(ops: Ints, plant: Any, machine: int, a: int, b: int) -> int:
    """Set-up on a machine from row ``a`` (an operation or the machine's head) to ``b``."""
    matrix = plant.machines[machine, MATRIX]
    if matrix < 0:
        return 0
    # Family -1 is the last row and column of the matrix.
    return plant.setup[matrix, ops[a, FAMILY], ops[b, FAMILY]]


@inlined
def machine_ready(ops: Ints, plant: Any, before: int, before_end: int, i: int, machine: int) -> int:
    """Earliest start of ``i`` by its machine when it follows ``before``, which ends at ``before_end``."""
    if plant is None:
        return before_end
    if machine < 0:
        return before_end
    work = setup_time(ops, plant, machine, before, i)
    if work == 0:
        return before_end
    first = plant.machines[machine, OPEN]
    if first < 0:
        return before_end + work
    return work_end(plant.open_times, first, plant.machines[machine, OPEN_END], before_end, work)


@bare
def _placed_by_rules(ops: Ints, plant: Any, i: int, machine: int, length: int, at: int) -> tuple[int, int]:
    pinned = ops[i, PINNED]
    if pinned >= 0:
        at = pinned
    if machine < 0 or plant.machines[machine, OPEN] < 0:
        return at, at + length
    first, behind = plant.machines[machine, OPEN], plant.machines[machine, OPEN_END]
    splits = ops[i, SPLITS] != 0
    if pinned < 0:
        at = first_start(plant.open_times, first, behind, at, length, splits)
    if at < NEVER and splits:
        return at, work_end(plant.open_times, first, behind, at, length)
    return at, at + length


@inlined
def placed(ops: Ints, plant: Any, i: int, machine: int, length: int, at: int) -> tuple[int, int]:
    """Start and end of ``i`` if nothing but the calendar hinders it from ``at`` on."""
    if plant is None:
        return at, at + length
    return _placed_by_rules(ops, plant, i, machine, length, at)


@inlined
def bound_of(nodes: Ints, ops: Ints, plant: Any, i: int) -> int:
    """Start that release, predecessors and machine ask of ``i`` where it is now; calendar and pin not yet."""
    before = nodes[i, BEFORE]
    return max(arrival(nodes, ops, plant, i), machine_ready(ops, plant, before, nodes[before, END], i, ops[i, MACHINE]))


@inlined
def completion_cost(orders: Floats, j: int, done: int) -> float:
    """Cost of order ``j`` if it is done at ``done``."""
    late = done - orders[j, DUE]
    cost = orders[j, FLOW] * done
    if late > 0:
        cost += orders[j, TARDY] * late + orders[j, LATE]
    return cost


@inlined
def shift_cost(ops: Ints, plant: Any, i: int, start: int) -> float:
    """Cost of starting ``i`` away from its published start."""
    rate = plant.costs[i, 0]
    if rate == 0.0:
        return 0.0
    beyond = abs(start - ops[i, WISHED]) - ops[i, TOLERANCE]
    return rate * beyond if beyond > 0 else 0.0


@bare
def mode_cost(ops: Ints, plant: Any, i: int, mode: int) -> float:
    """Cost of performing ``i`` in another mode than the published one."""
    rate = plant.costs[i, 1]
    return rate if rate != 0.0 and mode != ops[i, WISHED_MODE] else 0.0


@bare
def latest_completion(orders: Floats) -> float:
    """Completion of the last order."""
    last = 0.0
    for j in range(len(orders)):
        last = max(last, orders[j, DONE])
    return last


@bare
def setup_change(nodes: Ints, ops: Ints, plant: Any, void: int, i: int, before: int, machine: int) -> float:
    """Set-up cost of moving ``i`` right behind ``before`` on ``machine``, less what it saves where it is now."""
    if plant.weights[SETUP] == 0.0:
        return 0.0
    here = ops[i, MACHINE]
    a, b = nodes[i, BEFORE], nodes[i, AFTER]
    change = -setup_time(ops, plant, here, a, i)
    if b < void:
        change += setup_time(ops, plant, here, a, b) - setup_time(ops, plant, here, i, b)
    after = nodes[before, AFTER]
    if after == i:  # it goes back to where it is
        after = b
    change += setup_time(ops, plant, machine, before, i)
    if after < void:
        change += setup_time(ops, plant, machine, i, after) - setup_time(ops, plant, machine, before, after)
    return plant.weights[SETUP] * change
