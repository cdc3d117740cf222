"""Event-driven dispatching: whenever a machine is free and open, the most urgent operation waiting there goes on it."""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from yuheng.engines.schedule.compiled import bare, inlined, kernel
from yuheng.engines.schedule.tardiness.primitives import (
    INDEX_BITS,
    INDEX_MASK,
    NEVER,
    Bools,
    Floats,
    Ints,
    drop_first,
    first_start,
    push,
    work_end,
)

type_ints = npt.NDArray[np.int64]

ATC, EDD, WSPT, SLACK, FIFO, MWKR, SPT, GIVEN = range(8)


class Floor(NamedTuple):
    """What dispatching reads: see `arrays.Arrays`; ``open_times`` start, end, work before; ``fixed`` by machine."""

    op_ptr: type_ints
    mode_machine: type_ints
    mode_duration: type_ints
    pred_ptr: type_ints
    succ_ptr: type_ints
    succ: type_ints
    succ_lag: type_ints
    release: type_ints
    due: npt.NDArray[np.float64]
    weight: npt.NDArray[np.float64]
    family: type_ints
    setup_of_machine: type_ints
    setup: type_ints
    initial_family: type_ints
    machine_free: type_ints
    open_first: type_ints
    open_behind: type_ints
    open_times: type_ints
    splits: npt.NDArray[np.bool_]
    fixed_start: type_ints
    fixed_mode: type_ints
    fixed_ptr: type_ints
    fixed: type_ints
    queue_ptr: type_ints


class Desk(NamedTuple):
    """Working memory and result of dispatching, reused over the passes of a sweep."""

    start: type_ints
    end: type_ints
    mode: type_ints
    waits: type_ints
    ready: type_ints
    queue: type_ints
    queued: type_ints
    busy: type_ints
    last: type_ints
    next_fixed: type_ints
    heap: type_ints


@inlined
def _setup(f: Floor, machine: int, family: int, i: int) -> int:
    matrix = f.setup_of_machine[machine]
    return 0 if matrix < 0 else f.setup[matrix, family, f.family[i]]


@bare
def _fit(f: Floor, machine: int, i: int, length: int, at: int, setup: int) -> tuple[int, int]:
    """Earliest start at ``at`` or later on an otherwise empty machine with a set-up before it, and the end."""
    first = f.open_first[machine]
    if first < 0:
        return at + setup, at + setup + length
    behind = f.open_behind[machine]
    begin = work_end(f.open_times, first, behind, at, setup)
    begin = first_start(f.open_times, first, behind, begin, length, f.splits[i])
    if begin >= NEVER:
        return NEVER, NEVER
    if f.splits[i]:
        return begin, work_end(f.open_times, first, behind, begin, length)
    return begin, begin + length


@inlined
def _urgency(
    rule: int,
    t: Any,
    p: float,
    setup: int,
    due: float,
    weight: float,
    tail: float,
    given: float,
    pace: float,
    setup_pace: float,
) -> float:
    """Index of an operation, smaller goes first."""
    if rule == ATC:
        slack = due - t - p - tail
        value = -(weight / max(p, 1e-6))
        if slack > 0.0:
            value *= np.exp(-slack / pace)
        if setup > 0:
            value *= np.exp(-setup / setup_pace)
        return value
    if rule == EDD:
        return due
    if rule == WSPT:
        return p / max(weight, 1e-9)
    if rule == SLACK:
        return due - tail
    if rule == SPT:
        return p
    if rule == MWKR:
        return -tail
    return given


@inlined
def _release_after(
    succ_ptr: Ints,
    succ: Ints,
    succ_lag: Ints,
    fixed_start: Ints,
    ready: Ints,
    waits: Ints,
    heap: Ints,
    size: int,
    i: int,
    end: int,
) -> int:
    """Tell the successors of ``i`` that it ends; those that wait for nothing else become events."""
    for k in range(succ_ptr[i], succ_ptr[i + 1]):
        to = succ[k]
        ready[to] = max(ready[to], end + succ_lag[k])
        waits[to] -= 1
        if waits[to] == 0 and fixed_start[to] < 0:
            size = push(heap, size, (ready[to] << INDEX_BITS) | to)
    return size


@bare
def _begin(f: Floor, d: Desk) -> int:
    """Empty the desk, put fixed operations on it, and note the first events; returns the heap's size."""
    n = len(f.release)
    machines = len(f.machine_free)
    size = 0
    for i in range(n):
        d.start[i] = -1
        d.mode[i] = -1
        d.waits[i] = f.pred_ptr[i + 1] - f.pred_ptr[i]
        d.ready[i] = f.release[i]
    for m in range(machines):
        d.queued[m] = 0
        d.busy[m] = f.machine_free[m]
        d.last[m] = f.initial_family[m]
        d.next_fixed[m] = f.fixed_ptr[m]
        size = push(d.heap, size, (d.busy[m] << INDEX_BITS) | (n + m))
    for i in range(n):
        if d.waits[i] == 0 and f.fixed_start[i] < 0:
            size = push(d.heap, size, (d.ready[i] << INDEX_BITS) | i)
    for k in range(len(f.fixed)):
        i = f.fixed[k]
        mode = f.fixed_mode[i]
        m = f.mode_machine[mode]
        d.start[i] = f.fixed_start[i]
        d.mode[i] = mode
        d.end[i] = f.fixed_start[i] + f.mode_duration[mode]
        if f.splits[i] and f.open_first[m] >= 0:
            work = f.mode_duration[mode]
            d.end[i] = work_end(f.open_times, f.open_first[m], f.open_behind[m], f.fixed_start[i], work)
        size = push(d.heap, size, (d.end[i] << INDEX_BITS) | (n + m))
    for k in range(len(f.fixed)):
        i = f.fixed[k]
        size = _release_after(
            f.succ_ptr, f.succ, f.succ_lag, f.fixed_start, d.ready, d.waits, d.heap, size, i, d.end[i]
        )
    return size


@bare
def _pass_fixed(f: Floor, d: Desk, machine: int, t: int) -> None:
    """Let fixed operations that have begun by ``t`` occupy their machine."""
    while d.next_fixed[machine] < f.fixed_ptr[machine + 1]:
        i = f.fixed[d.next_fixed[machine]]
        if d.start[i] > t:
            return
        d.busy[machine] = max(d.busy[machine], d.end[i])
        d.last[machine] = f.family[i]
        d.next_fixed[machine] += 1


@bare
def _window_end(f: Floor, d: Desk, machine: int, i: int) -> int:
    """Latest end of ``i`` on a machine before its next fixed operation and that one's set-up."""
    k = d.next_fixed[machine]
    if k >= f.fixed_ptr[machine + 1]:
        return NEVER
    x = f.fixed[k]
    return d.start[x] - _setup(f, machine, f.family[i], x)


@inlined
def _discard_taken(queue: Ints, base: int, count: int, width: int, start: Ints) -> int:
    """Drop from a queue what another machine has taken; returns its new length."""
    x = 0
    while x < count:
        if start[queue[base + x + width]] >= 0:
            count -= 1
            queue[base + x] = queue[base + count]
            queue[base + x + width] = queue[base + count + width]
        else:
            x += 1
    return count


@bare
def _choose(
    queue: Ints,
    base: int,
    count: int,
    mode_duration: Ints,
    due: Floats,
    weight: Floats,
    tail: Floats,
    given: Floats,
    family: Ints,
    setup: Ints,
    matrix: int,
    last: int,
    t: int,
    rule: int,
    pace: float,
    setup_pace: float,
) -> int:
    """Most urgent operation in the queue of an always open machine: place, −1 if it is empty."""
    width = len(mode_duration)
    best, value = -1, np.inf
    for x in range(base, base + count):
        i = queue[x + width]
        work = 0 if matrix < 0 else setup[matrix, last, family[i]]
        p = float(mode_duration[queue[x]])
        index = _urgency(rule, t, p, work, due[i], weight[i], tail[i], given[i], pace, setup_pace)
        if index < value:
            value = index
            best = x - base
    return best


@bare
def _choose_fitting(
    f: Floor, d: Desk, machine: int, t: int, rule: int, tail: Floats, given: Floats, pace: float, setup_pace: float
) -> tuple[int, int]:
    """As `_choose`, of what fits into the shift and before the next fixed operation; and when to look again."""
    best, value, again = -1, np.inf, NEVER
    base, width = f.queue_ptr[machine], len(f.mode_machine)
    for x in range(base, base + d.queued[machine]):
        mode, i = d.queue[x], d.queue[x + width]
        length = f.mode_duration[mode]
        setup = _setup(f, machine, d.last[machine], i)
        start, end = _fit(f, machine, i, length, t, setup)
        if end > _window_end(f, d, machine, i):
            continue
        if setup == 0 and start > t:  # closed, or too long for what is left of the shift
            again = min(again, start)
            continue
        index = _urgency(rule, t, float(length), setup, f.due[i], f.weight[i], tail[i], given[i], pace, setup_pace)
        if index < value:
            value = index
            best = x - base
    return best, again


@inlined
def _time_on(
    mode_machine: Ints,
    mode_duration: Ints,
    setup_of_machine: Ints,
    setup: Ints,
    family: Ints,
    last: Ints,
    i: int,
    mode: int,
) -> int:
    """Set-up and duration of ``i`` on the machine of a mode as it stands."""
    m = mode_machine[mode]
    matrix = setup_of_machine[m]
    return mode_duration[mode] + (0 if matrix < 0 else setup[matrix, last[m], family[i]])


@kernel
def dispatch(  # noqa: C901 (taken apart, the tuples would be handed over at every step)
    f: Floor, d: Desk, touched: Bools, rule: int, tail: Floats, given: Floats, pace: float, setup_pace: float
) -> None:
    """Dispatch everything; start, end and mode are left on the desk.

    Parameters
    ----------
    touched
        ``bool (machines,)`` scratch: machines with news at the present tick.
    rule
        One of the constants above; `GIVEN` uses ``given``, small goes first.
    tail
        Time still expected between an operation's end and its order's completion, float64.
    pace, setup_pace
        ATC's look-ahead in ticks: slack, and set-up, at which urgency falls to 1/e.

    Notes
    -----
    The tuples are taken apart at the top: handing them to a function costs more than most functions do.
    """
    size = _begin(f, d)
    n, width, machines = len(f.release), len(f.mode_machine), len(touched)
    op_ptr, mode_machine, mode_duration, queue_ptr = f.op_ptr, f.mode_machine, f.mode_duration, f.queue_ptr
    succ_ptr, succ, succ_lag, fixed_start, fixed_mode = f.succ_ptr, f.succ, f.succ_lag, f.fixed_start, f.fixed_mode
    due, weight, family, setup, matrices = f.due, f.weight, f.family, f.setup, f.setup_of_machine
    fixed_ptr, open_first = f.fixed_ptr, f.open_first
    start, end, chosen, waits, ready = d.start, d.end, d.mode, d.waits, d.ready
    queue, queued, busy, last, heap, next_fixed = d.queue, d.queued, d.busy, d.last, d.heap, d.next_fixed
    while size > 0:
        t = heap[0] >> INDEX_BITS
        while size > 0 and heap[0] >> INDEX_BITS == t:
            x = heap[0] & INDEX_MASK
            size = drop_first(heap, size)
            if x >= n:
                touched[x - n] = True
                continue
            low, high = op_ptr[x], op_ptr[x + 1]
            if fixed_mode[x] >= 0:
                low, high = fixed_mode[x], fixed_mode[x] + 1
            for k in range(low, high):
                m = mode_machine[k]
                place = queue_ptr[m] + queued[m]
                queue[place] = k
                queue[place + width] = x
                queued[m] += 1
                touched[m] = True
        for machine in range(machines):
            if not touched[machine]:
                continue
            touched[machine] = False
            base = queue_ptr[machine]
            easy = open_first[machine] < 0 and next_fixed[machine] >= fixed_ptr[machine + 1]
            if not easy:
                _pass_fixed(f, d, machine, t)
            while busy[machine] <= t:
                queued[machine] = _discard_taken(queue, base, queued[machine], width, start)
                if queued[machine] == 0:
                    break
                again = NEVER
                if easy:
                    best = _choose(
                        queue,
                        base,
                        queued[machine],
                        mode_duration,
                        due,
                        weight,
                        tail,
                        given,
                        family,
                        setup,
                        matrices[machine],
                        last[machine],
                        t,
                        rule,
                        pace,
                        setup_pace,
                    )
                else:
                    best, again = _choose_fitting(f, d, machine, t, rule, tail, given, pace, setup_pace)
                if best < 0:
                    if again < NEVER:
                        size = push(heap, size, (again << INDEX_BITS) | (n + machine))
                    break
                mode = queue[base + best]
                i = queue[base + best + width]
                # Another machine may be idle, too, and sooner done with it.
                took = _time_on(mode_machine, mode_duration, matrices, setup, family, last, i, mode)
                for k in range(op_ptr[i], op_ptr[i + 1]):
                    m = mode_machine[k]
                    if busy[m] > t or open_first[m] >= 0 or next_fixed[m] < fixed_ptr[m + 1] or fixed_mode[i] >= 0:
                        continue
                    other = _time_on(mode_machine, mode_duration, matrices, setup, family, last, i, k)
                    if other < took:
                        mode = k
                        took = other
                m = mode_machine[mode]
                if open_first[m] < 0:
                    end[i] = t + took
                    start[i] = end[i] - mode_duration[mode]
                else:
                    work = took - mode_duration[mode]
                    start[i], end[i] = _fit(f, m, i, mode_duration[mode], t, work)
                chosen[i] = mode
                busy[m] = end[i]
                last[m] = family[i]
                size = push(heap, size, (end[i] << INDEX_BITS) | (n + m))
                size = _release_after(succ_ptr, succ, succ_lag, fixed_start, ready, waits, heap, size, i, end[i])
