"""What it costs, roughly, to shift one operation: the filter that spares most exact evaluations.

For every operation a row of ``shifts`` holds what the plan loses if it starts later by each of four steps, and what it
saves if it starts earlier by them. One pass backwards through the plan fills it: an operation passes a delay on to the
successors that wait for it more than for anything else, less the slack between. A delay that reaches an operation on
two ways is counted once per way, a delay along the way that does not bind is not counted; measured on plants of 3,000
operations, nine of ten moves that are worth making pass a filter at one temperature above the estimate.
"""

from typing import Any

from yuheng.engines.schedule.compiled import bare, inlined
from yuheng.engines.schedule.tardiness.layout import (
    AFTER,
    BEFORE,
    DONE,
    END,
    ENDS,
    JOB,
    LENGTH,
    MACHINE,
    MAKESPAN,
    MOVABLE,
    PRED,
    PREDS,
    PREDS_END,
    READY,
    SHORTEST,
    START,
    SUCC,
    SUCCS,
    SUCCS_END,
)
from yuheng.engines.schedule.tardiness.primitives import NEVER, Floats, Ints
from yuheng.engines.schedule.tardiness.timing import (
    arrival,
    completion_cost,
    machine_ready,
    placed,
    setup_time,
    shift_cost,
)

STEPS = 4


@inlined
def interpolated(shifts: Floats, i: int, at: int, steps: Floats, d: float) -> float:
    """Read a row at shift ``d`` > 0, linear between the steps and beyond the last; ``at`` is 0 (later) or 4."""
    if d <= steps[0]:
        return shifts[i, at] * d / steps[0]
    if d <= steps[1]:
        k = 0
    elif d <= steps[2]:
        k = 1
    else:
        k = 2
    low = shifts[i, at + k]
    return low + (shifts[i, at + k + 1] - low) * (d - steps[k]) / (steps[k + 1] - steps[k])


@inlined
def shifted(shifts: Floats, steps: Floats, i: int, d: int) -> float:
    """Estimated cost of starting ``i`` later by ``d`` (earlier if negative)."""
    if d > 0:
        return interpolated(shifts, i, 0, steps, float(d))
    if d < 0:
        return -interpolated(shifts, i, STEPS, steps, float(-d))
    return 0.0


@inlined
def bound_otherwise(nodes: Ints, ops: Ints, plant: Any, i: int, source: int, by_machine: bool) -> int:
    """Earliest start of ``i`` without the arc from ``source`` (its machine's if ``by_machine``); calendars left out."""
    at = nodes[i, READY]
    if plant is None:
        end = nodes[nodes[i, PRED], END] if by_machine else nodes[nodes[i, BEFORE], END]
        return end if end > at else at
    for k in range(ops[i, PREDS], ops[i, PREDS_END]):
        other = plant.preds[k, 0]
        if by_machine or other != source:
            at = max(at, nodes[other, END] + plant.preds[k, 1])
    if not by_machine:
        before = nodes[i, BEFORE]
        end = nodes[before, END]
        if ops[i, MACHINE] >= 0:
            end += setup_time(ops, plant, ops[i, MACHINE], before, i)
        at = max(at, end)
    return at


@inlined
def _pass_on(
    nodes: Ints, ops: Ints, plant: Any, shifts: Floats, steps: Floats, i: int, to: int, reach: int, by_machine: bool
) -> None:
    """Add to the row of ``i`` what its shift does to ``to``, which it lets start from ``reach`` on."""
    otherwise = bound_otherwise(nodes, ops, plant, to, i, by_machine)
    if reach < otherwise:
        return
    slack = nodes[to, START] - reach
    for k in range(STEPS):
        d = steps[k] - slack
        if d > 0:
            shifts[i, k] += interpolated(shifts, to, 0, steps, d)
    room = reach - otherwise
    if room > 0 and (slack == 0 or plant is not None):
        for k in range(STEPS, 2 * STEPS):
            shifts[i, k] += interpolated(shifts, to, STEPS, steps, min(steps[k - STEPS], float(room)))


@inlined
def _own_costs(
    nodes: Ints, ops: Ints, orders: Floats, plant: Any, shifts: Floats, steps: Floats, i: int, spans: Ints
) -> None:
    """Begin the row of ``i`` with what its own shift costs: its order's completion and its published start."""
    for k in range(2 * STEPS):
        shifts[i, k] = 0.0
    j = ops[i, JOB]
    if ops[i, ENDS] != 0:
        done = orders[j, DONE]
        now = completion_cost(orders, j, done)
        for k in range(STEPS):
            step = steps[k]
            shifts[i, k] += completion_cost(orders, j, done + step) - now
            shifts[i, STEPS + k] += now - completion_cost(orders, j, done - step)
        if plant is not None and plant.weights[MAKESPAN] > 0.0:
            last, second = spans[0], spans[1]
            for k in range(STEPS):
                shifts[i, k] += plant.weights[MAKESPAN] * max(0.0, done + steps[k] - last)
                if done == last:
                    shifts[i, STEPS + k] += plant.weights[MAKESPAN] * min(steps[k], float(last - second))
    if plant is not None and plant.costs[i, 0] > 0.0:
        start = nodes[i, START]
        now = shift_cost(ops, plant, i, start)
        for k in range(STEPS):
            step = steps[k]
            shifts[i, k] += shift_cost(ops, plant, i, start + step) - now
            shifts[i, STEPS + k] += now - shift_cost(ops, plant, i, start - step)


@bare
def _two_latest(orders: Floats, spans: Ints) -> None:
    """Completion of the last order and of the last but one."""
    spans[0] = 0
    spans[1] = 0
    for j in range(len(orders)):
        done = orders[j, DONE]
        if done > spans[0]:
            spans[1] = spans[0]
            spans[0] = done
        elif done > spans[1]:
            spans[1] = done


@bare
def sort_by_start(nodes: Ints, order: Ints, low: int, high: int) -> None:
    """Restore the order by start between two places; little is out of order, so insertion is fast."""
    for a in range(low + 1, high):
        i = order[a]
        key = nodes[i, START]
        b = a - 1
        while b >= low and nodes[order[b], START] > key:
            order[b + 1] = order[b]
            b -= 1
        order[b + 1] = i


@inlined
def refresh(
    nodes: Ints,
    ops: Ints,
    orders: Floats,
    plant: Any,
    void: int,
    shifts: Floats,
    steps: Floats,
    order: Ints,
    low: int,
    high: int,
    promise: Floats,
    spans: Ints,
) -> float:
    """Recompute the rows of the operations ``order[low:high]`` and what each could gain by starting at its arrival.

    Returns
    -------
    float
        Sum of ``promise`` over them.
    """
    sort_by_start(nodes, order, low, high)
    if plant is not None:
        _two_latest(orders, spans)
    total = 0.0
    for a in range(high - 1, low - 1, -1):
        i = order[a]
        _own_costs(nodes, ops, orders, plant, shifts, steps, i, spans)
        end = nodes[i, END]
        if plant is None:
            to = nodes[i, SUCC]
            if to < void:
                _pass_on(nodes, ops, plant, shifts, steps, i, to, end, False)
        else:
            for k in range(ops[i, SUCCS], ops[i, SUCCS_END]):
                _pass_on(nodes, ops, plant, shifts, steps, i, plant.succs[k, 0], end + plant.succs[k, 1], False)
        to = nodes[i, AFTER]
        if to < void:
            reach = end
            if plant is not None:
                reach += setup_time(ops, plant, ops[i, MACHINE], i, to)
            _pass_on(nodes, ops, plant, shifts, steps, i, to, reach, True)
        gain = 0.0
        if ops[i, MOVABLE] != 0:
            # It may start as early as it arrives, and be done sooner on a quicker machine.
            room = nodes[i, START] - arrival(nodes, ops, plant, i) + nodes[i, LENGTH] - ops[i, SHORTEST]
            if room > 0:
                gain = max(0.0, interpolated(shifts, i, STEPS, steps, float(room)))
        promise[i] = gain
        total += gain
    return total


@inlined
def passed_to_order(
    nodes: Ints, ops: Ints, orders: Floats, plant: Any, shifts: Floats, steps: Floats, i: int, end: int
) -> float:
    """Estimated cost of ``i`` ending at ``end`` for what follows it in its order, its machine apart."""
    j = ops[i, JOB]
    if plant is None:
        to = nodes[i, SUCC]
        if ops[i, ENDS] != 0:
            return completion_cost(orders, j, end) - completion_cost(orders, j, orders[j, DONE])
        at = max(end, nodes[to, READY])
        before = nodes[nodes[to, BEFORE], END]
        return shifted(shifts, steps, to, max(at, before) - nodes[to, START])
    cost = 0.0
    if ops[i, ENDS] != 0:
        cost = completion_cost(orders, j, end) - completion_cost(orders, j, orders[j, DONE])
    for k in range(ops[i, SUCCS], ops[i, SUCCS_END]):
        to = plant.succs[k, 0]
        reach = end + plant.succs[k, 1]
        old = nodes[i, END] + plant.succs[k, 1]
        cost += _arc_change(nodes, shifts, steps, to, old, reach, bound_otherwise(nodes, ops, plant, to, i, False))
    return cost


@inlined
def _arc_change(nodes: Ints, shifts: Floats, steps: Floats, to: int, old: int, new: int, otherwise: int) -> float:
    """Estimated cost when one bound of ``to`` goes from ``old`` to ``new``: closed times count as slack."""
    was = max(old, otherwise)
    now = max(new, otherwise)
    slack = nodes[to, START] - was
    d = now - was
    if d > 0:
        d -= slack
        if d <= 0:
            return 0.0
    return shifted(shifts, steps, to, d)


@inlined
def _own_change(nodes: Ints, ops: Ints, plant: Any, i: int, start: int) -> float:
    """Exact change of what the published start of ``i`` asks for."""
    if plant is None:
        return 0.0
    return shift_cost(ops, plant, i, start) - shift_cost(ops, plant, i, nodes[i, START])


@inlined
def _next_on_machine(
    nodes: Ints,
    ops: Ints,
    plant: Any,
    shifts: Floats,
    steps: Floats,
    to: int,
    before: int,
    before_end: int,
    old_end: int,
    machine: int,
) -> float:
    """Estimated cost for ``to``, the first operation behind a changed stretch of a machine."""
    ready = machine_ready(ops, plant, before, before_end, to, machine)
    if plant is None:
        at = max(ready, bound_otherwise(nodes, ops, plant, to, before, True))
        return shifted(shifts, steps, to, at - nodes[to, START])
    now_before = nodes[to, BEFORE]
    old = machine_ready(ops, plant, now_before, old_end, to, machine)
    return _arc_change(nodes, shifts, steps, to, old, ready, bound_otherwise(nodes, ops, plant, to, now_before, True))


@inlined
def moved(
    nodes: Ints,
    ops: Ints,
    orders: Floats,
    plant: Any,
    void: int,
    shifts: Floats,
    steps: Floats,
    i: int,
    before: int,
    machine: int,
    length: int,
) -> float:
    """Estimated cost of moving ``i`` right behind ``before``: exact where operations are passed over, then the rows.

    ``before`` is earlier than ``i`` on its own machine, or anywhere on another machine.
    """
    ready = machine_ready(ops, plant, before, nodes[before, END], i, machine)
    at = arrival(nodes, ops, plant, i)
    if ready > at:
        at = ready
    start, end = placed(ops, plant, i, machine, length, at)
    if end >= NEVER:
        return 1e300
    cost = passed_to_order(nodes, ops, orders, plant, shifts, steps, i, end) + _own_change(nodes, ops, plant, i, start)
    after = nodes[i, AFTER]
    x = nodes[before, AFTER]
    last, last_end = i, end
    if ops[i, MACHINE] == machine:
        while x != i:
            at = arrival(nodes, ops, plant, x)
            ready = machine_ready(ops, plant, last, last_end, x, machine)
            if ready > at:
                at = ready
            start, last_end = placed(ops, plant, x, machine, nodes[x, LENGTH], at)
            if last_end >= NEVER:
                return 1e300
            if last_end != nodes[x, END]:
                cost += passed_to_order(nodes, ops, orders, plant, shifts, steps, x, last_end) + _own_change(
                    nodes, ops, plant, x, start
                )
            last = x
            x = nodes[x, AFTER]
        if after < void:
            cost += _next_on_machine(nodes, ops, plant, shifts, steps, after, last, last_end, nodes[i, END], machine)
    else:
        if x < void:
            cost += _next_on_machine(nodes, ops, plant, shifts, steps, x, i, end, nodes[before, END], machine)
        if after < void:
            prior = nodes[i, BEFORE]
            here = ops[i, MACHINE]
            cost += _next_on_machine(
                nodes, ops, plant, shifts, steps, after, prior, nodes[prior, END], nodes[i, END], here
            )
    return cost
