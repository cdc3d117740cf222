"""The loop of the search: propose, estimate, propagate, accept or take back; a call makes so many proposals."""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from yuheng.engines.schedule.compiled import bare, inlined, kernel
from yuheng.engines.schedule.tardiness.estimates import moved, refresh, sort_by_start
from yuheng.engines.schedule.tardiness.layout import (
    AFTER,
    BEFORE,
    DONE,
    END,
    LENGTH,
    MACHINE,
    MAKESPAN,
    MODE,
    MODES,
    MODES_END,
    MOVABLE,
    SETUP,
    START,
)
from yuheng.engines.schedule.tardiness.moves import (
    earlier_places,
    other_places,
    propagate,
    relink,
    settle,
    take_back,
)
from yuheng.engines.schedule.tardiness.primitives import Bools, Floats, Ints, Seeds, uniform
from yuheng.engines.schedule.tardiness.timing import (
    arrival,
    completion_cost,
    latest_completion,
    mode_cost,
    setup_change,
    setup_time,
    shift_cost,
)

# Places in Search.amounts and Search.counts.
COST, BEST = range(2)
DRAWN, AGE, CHANGED, PROPOSED, EVALUATED, ACCEPTED, TOUCHED, REFRESHED = range(8)


class Search(NamedTuple):
    """Everything that one search changes besides the plan itself; built by `search.TardinessSearch`."""

    shifts: npt.NDArray[np.float64]
    steps: npt.NDArray[np.float64]
    order: npt.NDArray[np.int64]
    promise: npt.NDArray[np.float64]
    sample: npt.NDArray[np.int64]
    listed: npt.NDArray[np.int64]
    places: npt.NDArray[np.int64]
    lists: npt.NDArray[np.int64]
    heap: npt.NDArray[np.int64]
    waiting: npt.NDArray[np.bool_]
    log: npt.NDArray[np.int64]
    order_log: npt.NDArray[np.int64]
    orders_seen: npt.NDArray[np.bool_]
    sizes: npt.NDArray[np.int64]
    spans: npt.NDArray[np.int64]
    changed: npt.NDArray[np.int64]
    is_changed: npt.NDArray[np.bool_]
    best_start: npt.NDArray[np.int64]
    best_mode: npt.NDArray[np.int64]
    rng: npt.NDArray[np.uint64]
    amounts: npt.NDArray[np.float64]
    counts: npt.NDArray[np.int64]


@kernel
def total_cost(nodes: Ints, ops: Ints, orders: Floats, plant: Any, void: int) -> float:
    """Cost of the plan from nothing."""
    cost = 0.0
    for j in range(len(orders)):
        cost += completion_cost(orders, j, orders[j, DONE])
    if plant is not None:
        if plant.weights[MAKESPAN] > 0.0:
            cost += plant.weights[MAKESPAN] * latest_completion(orders)
        for i in range(void):
            cost += shift_cost(ops, plant, i, nodes[i, START]) + mode_cost(ops, plant, i, ops[i, MODE])
            machine = ops[i, MACHINE]
            if plant.weights[SETUP] > 0.0 and machine >= 0:
                cost += plant.weights[SETUP] * setup_time(ops, plant, machine, nodes[i, BEFORE], i)
    return cost


@bare
def list_machines(nodes: Ints, ops: Ints, order: Ints, listed: Ints, lists: Ints) -> None:
    """Sort all operations by start and list those of each machine: where `moves.first_from` begins to look."""
    sort_by_start(nodes, order, 0, len(order))
    for m in range(len(listed)):
        listed[m] = 0
    for i in order:
        if ops[i, MACHINE] >= 0:
            listed[ops[i, MACHINE] + 1] += 1
    for m in range(len(listed) - 1):
        listed[m + 1] += listed[m]
    for k in range(len(order) - 1, -1, -1):  # backwards, filling each machine's list from its end
        m = ops[order[k], MACHINE]
        if m >= 0:
            listed[m + 1] -= 1
            lists[listed[m + 1]] = order[k]
    # The places of m now begin at listed[m + 1]; shift them back and restore the end.
    count = 0
    for k in range(len(order)):
        count += 1 if ops[order[k], MACHINE] >= 0 else 0
    for m in range(len(listed) - 1):
        listed[m] = listed[m + 1]
    listed[len(listed) - 1] = count


@bare
def fill_sample(
    order: Ints, low: int, high: int, promise: Floats, total: float, spread: float, sample: Ints, rng: Seeds
) -> None:
    """Draw operations in proportion to what they promise, by one pass with even steps."""
    # Where nothing promises anything, something may still help: estimates see one operation at a time.
    base = spread * total / (high - low) if total > 0.0 else 1.0
    step = (total + base * (high - low)) / len(sample)
    at = uniform(rng) * step
    reached = 0.0
    k = 0
    for a in range(low, high):
        reached += promise[order[a]] + base
        while at < reached and k < len(sample):
            sample[k] = order[a]
            k += 1
            at += step
    while k < len(sample):
        sample[k] = order[high - 1]
        k += 1


@inlined
def next_drawn(sample: Ints, counts: Ints, rng: Seeds) -> int:
    """Take one from the sample, without putting back."""
    drawn = counts[DRAWN]
    k = drawn + int(uniform(rng) * (len(sample) - drawn))
    i = sample[k]
    sample[k] = sample[drawn]
    sample[drawn] = i
    counts[DRAWN] = drawn + 1
    return i


@inlined
def propose(
    nodes: Ints,
    ops: Ints,
    modes: Ints,
    plant: Any,
    void: int,
    listed: Ints,
    lists: Ints,
    places: Ints,
    i: int,
    reassign: float,
    rng: Seeds,
) -> tuple[int, int]:
    """Choose a mode for ``i`` and note the rows that it could follow; returns how many and the mode."""
    mode = ops[i, MODE]
    if ops[i, MOVABLE] == 0:
        return 0, mode
    count = ops[i, MODES_END] - ops[i, MODES]
    if count > 1 and uniform(rng) < reassign:
        mode = ops[i, MODES] + int(uniform(rng) * count)
        if modes[mode, 0] == ops[i, MACHINE]:
            return 0, mode
        return other_places(nodes, ops, plant, void, listed, lists, i, modes[mode, 0], places), mode
    if nodes[i, START] <= arrival(nodes, ops, plant, i):
        return 0, mode
    return earlier_places(nodes, ops, plant, void, i, places), mode


@inlined
def _mark(changed: Ints, is_changed: Bools, count: int, i: int) -> int:
    if is_changed[i]:
        return count
    is_changed[i] = True
    changed[count] = i
    return count + 1


@bare
def keep(
    nodes: Ints,
    ops: Ints,
    i: int,
    log: Ints,
    logged: int,
    changed: Ints,
    is_changed: Bools,
    best_start: Ints,
    best_mode: Ints,
    amounts: Floats,
    counts: Ints,
) -> None:
    """After an accepted move: remember what differs from the best plan, or that this is the best one."""
    count = _mark(changed, is_changed, counts[CHANGED], i)
    for k in range(logged):
        count = _mark(changed, is_changed, count, log[k, 0])
    if amounts[COST] < amounts[BEST] - 1e-9:
        amounts[BEST] = amounts[COST]
        for k in range(count):
            x = changed[k]
            best_start[x] = nodes[x, START]
            best_mode[x] = ops[x, MODE]
            is_changed[x] = False
        count = 0
    counts[CHANGED] = count


@inlined
def set_mode(nodes: Ints, ops: Ints, modes: Ints, i: int, mode: int) -> None:
    """Give ``i`` a mode; its times follow by `propagate`."""
    ops[i, MODE] = mode
    ops[i, MACHINE] = modes[mode, 0]
    nodes[i, LENGTH] = modes[mode, 1]


@inlined
def sure_change(nodes: Ints, ops: Ints, plant: Any, void: int, i: int, before: int, machine: int, mode: int) -> float:
    """What a move costs whatever the times become: set-ups and another machine than the published one."""
    if plant is None:
        return 0.0
    change = setup_change(nodes, ops, plant, void, i, before, machine)
    return change + mode_cost(ops, plant, i, mode) - mode_cost(ops, plant, i, ops[i, MODE])


@kernel
def anneal(
    nodes: Ints,
    ops: Ints,
    orders: Floats,
    modes: Ints,
    plant: Any,
    void: int,
    s: Search,
    proposals: int,
    temperature: float,
    margin: float,
    reassign: float,
    low: int,
    high: int,
    behind: int,
    age: int,
    spread: float,
) -> None:
    """Make proposals at one temperature.

    Parameters
    ----------
    s
        The `Search`.
    margin
        In temperatures: how far an estimate may lie above what is allowed, and how far the partial cost of a
        propagation, since what is timed later may still save something.
    reassign
        Share of proposals that go to another machine.
    low, high
        Part of the plan to work on, as places in the order by start.
    behind
        Up to which place the estimates are made anew at first: a window needs those of what follows it.
    age
        Accepted moves after which the estimates are made anew.
    spread
        Share of proposals given to operations that promise nothing; for costs that estimates do not see.
    """
    shifts, steps, order, promise, sample = s.shifts, s.steps, s.order, s.promise, s.sample
    listed, lists, places, heap, waiting, log = s.listed, s.lists, s.places, s.heap, s.waiting, s.log
    order_log, orders_seen, sizes, spans = s.order_log, s.orders_seen, s.sizes, s.spans
    rng, amounts, counts = s.rng, s.amounts, s.counts
    changed, is_changed, best_start, best_mode = s.changed, s.is_changed, s.best_start, s.best_mode
    list_machines(nodes, ops, order, listed, lists)
    if behind > high:
        refresh(nodes, ops, orders, plant, void, shifts, steps, order, high, behind, promise, spans)
    counts[DRAWN] = len(sample)
    has_span = plant is not None and plant.weights[MAKESPAN] > 0.0
    slack = margin * temperature
    for _ in range(proposals):
        if counts[AGE] >= age or counts[DRAWN] >= len(sample):
            counts[AGE] = 0
            counts[DRAWN] = 0
            counts[REFRESHED] += 1
            total = refresh(nodes, ops, orders, plant, void, shifts, steps, order, low, high, promise, spans)
            fill_sample(order, low, high, promise, total, spread, sample, rng)
        i = next_drawn(sample, counts, rng)
        found, mode = propose(nodes, ops, modes, plant, void, listed, lists, places, i, reassign, rng)
        counts[PROPOSED] += 1
        machine = modes[mode, 0]
        before, best, estimate, allowed, sure = -1, slack, 0.0, 0.0, 0.0
        for k in range(found):
            # Each place with its own threshold: the one that seems to stay below it by most is tried.
            limit = -temperature * np.log(uniform(rng) + 1e-300)
            fixed = sure_change(nodes, ops, plant, void, i, places[k], machine, mode)
            guess = fixed + moved(nodes, ops, orders, plant, void, shifts, steps, i, places[k], machine, modes[mode, 1])
            if guess - limit <= best:
                best = guess - limit
                before, estimate, allowed, sure = places[k], guess, limit, fixed
        if before < 0:
            continue
        counts[EVALUATED] += 1
        old_mode, old_before, left = ops[i, MODE], nodes[i, BEFORE], nodes[i, AFTER]
        span = latest_completion(orders) if has_span else 0.0
        limit = allowed - sure + slack + max(0.0, -estimate)
        sizes[0] = 0
        sizes[1] = 0
        relink(nodes, i, before)
        set_mode(nodes, ops, modes, i, mode)
        at = max(arrival(nodes, ops, plant, i), nodes[before, END])
        within, cost = propagate(
            nodes, ops, orders, plant, void, i, left, at, heap, waiting, log, order_log, orders_seen, sizes, limit
        )
        counts[TOUCHED] += sizes[0]
        if within:
            cost += sure + settle(nodes, orders, order_log, orders_seen, sizes[1])
            if has_span:
                cost += plant.weights[MAKESPAN] * (latest_completion(orders) - span)
            if cost <= allowed:
                amounts[COST] += cost
                counts[AGE] += 1
                counts[ACCEPTED] += 1
                keep(nodes, ops, i, log, sizes[0], changed, is_changed, best_start, best_mode, amounts, counts)
                continue
        take_back(nodes, orders, log, order_log, orders_seen, sizes)
        relink(nodes, i, old_before)
        set_mode(nodes, ops, modes, i, old_mode)
