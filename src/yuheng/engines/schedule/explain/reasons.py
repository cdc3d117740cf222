"""Why not earlier: for every start, the constraints that a start one tick earlier would break.

An operation keeps its machine and its place in the order on it. Where nothing holds it, the plan left a gap, and the
answer is the tick at which it could start.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from yuheng.engines.schedule.arrays import LINK_CODES
from yuheng.engines.schedule.explain.floor import Floor
from yuheng.engines.schedule.parts import Link, Status


class Cause(StrEnum):
    """What an operation waits for."""

    STARTED = "started"
    """It runs: its start is a fact."""
    FROZEN = "frozen"
    PINNED = "pinned"
    NOW = "now"
    ORDER_RELEASE = "order release"
    RELEASE = "release"
    MATERIAL = "material"
    PREDECESSOR = "predecessor"
    LAG = "lag"
    """The time that must lie after a predecessor: cooling, drying, transport."""
    TRANSFER = "transfer"
    """The transfer batches of a predecessor."""
    LONGEST_LAG = "longest lag"
    """A successor must not come too long after it."""
    MACHINE = "machine"
    SETUP = "set-up"
    MACHINE_AVAILABLE = "machine available"
    CALENDAR = "calendar"
    BREAK = "break"
    """It may not be interrupted, and earlier it would be."""
    RESOURCE = "resource"
    PEOPLE = "people"
    BATCH = "batch"
    BLOCKED = "blocked"
    """The part before waits on the machine for a place in a buffer."""
    GAP = "gap"
    """Nothing: the plan left time."""


@dataclass(frozen=True, slots=True)
class Reason:
    """One thing that an operation waits for.

    Parameters
    ----------
    cause
        What.
    until
        The tick before which it could not start because of it.
    behind
        Operations (indices) that are in the way.
    resource
        Index of the resource or pool of people, −1 for none.
    """

    cause: Cause
    until: int
    behind: tuple[int, ...] = ()
    resource: int = -1


@dataclass(frozen=True, slots=True)
class WhyNotEarlier:
    """The answer for one operation.

    Parameters
    ----------
    reasons
        All that a start one tick earlier would break, the most telling first; never empty. With a gap: the gap, then
        what would hold it at ``could_start``.
    could_start
        Earliest start in its place; the planned start, unless the plan left a gap.
    """

    operation: int
    start: int
    could_start: int
    reasons: tuple[Reason, ...]

    @property
    def is_gap(self) -> bool:
        """The plan left time before it."""
        return self.could_start < self.start


_FIXED = {Status.STARTED: Cause.STARTED, Status.FROZEN: Cause.FROZEN, Status.PINNED: Cause.PINNED}
_TELLING = {
    cause: rank
    for rank, cause in enumerate(
        (
            Cause.MATERIAL, Cause.PEOPLE, Cause.RESOURCE, Cause.BLOCKED, Cause.SETUP, Cause.MACHINE, Cause.LAG,
            Cause.TRANSFER, Cause.PREDECESSOR, Cause.RELEASE, Cause.ORDER_RELEASE, Cause.MACHINE_AVAILABLE,
            Cause.BREAK, Cause.CALENDAR, Cause.LONGEST_LAG, Cause.NOW, Cause.BATCH,
        )
    )
}  # fmt: skip


def why_not_earlier(floor: Floor, i: int) -> WhyNotEarlier:
    """Say why an operation of the plan does not start earlier.

    Raises
    ------
    ValueError
        The operation is absent: another routing was chosen.
    """
    if not floor.is_present(i):
        raise ValueError("the operation is not performed in this plan")
    start = floor.start[i]
    operation = floor.problem.operations[i]
    if operation.fixed_start is not None:
        return WhyNotEarlier(i, start, start, (Reason(_FIXED[operation.status], start),))
    batch = floor.batch_of(i)
    if any(floor.problem.operations[k].fixed_start is not None for k in batch):
        return WhyNotEarlier(i, start, start, (Reason(Cause.BATCH, start, _without(batch, i)),))
    if holding := _reasons_at(floor, batch, i, start):
        return WhyNotEarlier(i, start, start, holding)
    could = _earliest(floor, batch, i)
    return WhyNotEarlier(i, start, could, (Reason(Cause.GAP, could), *_reasons_at(floor, batch, i, could)))


def _without(batch: tuple[int, ...], i: int) -> tuple[int, ...]:
    return tuple(k for k in batch if k != i)


def _reasons_at(floor: Floor, batch: tuple[int, ...], i: int, start: int) -> tuple[Reason, ...]:
    """Everything that forbids the tick before ``start``; for a member of a batch, what forbids it to any member."""
    found: list[Reason] = []
    for k in batch:
        others = [*_dates(floor, k), *_links(floor, k)]
        binding = [reason for reason in others if reason.until >= start]
        if k == i:
            found += binding
        elif binding:
            found.append(Reason(Cause.BATCH, start, (k,)))
    found += [reason for reason in _machine(floor, batch, i) if reason.until >= start]
    found += _tick_before(floor, batch, i, start)
    return tuple(sorted(found, key=lambda reason: _TELLING[reason.cause]))


def _dates(floor: Floor, i: int) -> Iterator[Reason]:
    """Ticks before which it may not start, whatever else happens."""
    problem, operation = floor.problem, floor.problem.operations[i]
    yield Reason(Cause.NOW, problem.now)
    given = (
        (Cause.ORDER_RELEASE, problem.jobs[floor.job[i]].release),
        (Cause.RELEASE, operation.release),
        (Cause.MATERIAL, operation.material_at),
        (Cause.MACHINE_AVAILABLE, problem.machines[floor.machine[i]].available_from),
    )
    for cause, tick in given:
        if tick > problem.now:  # what lies in the past holds nothing any more
            yield Reason(cause, tick)


def _links(floor: Floor, i: int) -> Iterator[Reason]:
    """What it waits for in front of it, and the successors that may not come too long after it."""
    arrays = floor.arrays
    for link in range(int(arrays.link_ptr[i]), int(arrays.link_ptr[i + 1])):
        a, lag = int(arrays.link_pred[link]), int(arrays.link_lag[link])
        if not floor.is_present(a):
            continue
        kind = int(arrays.link_kind[link])
        if kind == LINK_CODES[Link.OVERLAP]:
            yield from _transfer(floor, link, a, i, lag)
            continue
        at = floor.end[a] if kind == LINK_CODES[Link.FINISH_START] else floor.start[a]
        yield Reason(Cause.LAG if lag else Cause.PREDECESSOR, at + lag, (a,))
    for k in range(int(arrays.after_ptr[i]), int(arrays.after_ptr[i + 1])):
        link, b = int(arrays.after_link[k]), int(arrays.after[k])
        most = int(arrays.link_max[link])
        if most < 0 or not floor.is_present(b):
            continue
        is_end = int(arrays.link_kind[link]) == LINK_CODES[Link.FINISH_START]
        # Earlier by a tick, the successor would come later than allowed: it starts as late as it may.
        if floor.start[b] - (floor.end[i] if is_end else floor.start[i]) >= most:
            yield Reason(Cause.LONGEST_LAG, floor.start[i], (b,))


def _transfer(floor: Floor, link: int, a: int, b: int, lag: int) -> Iterator[Reason]:
    arrays = floor.arrays
    transfer, quantity = int(arrays.link_transfer[link]), int(arrays.link_quantity[link])
    first = -(-int(arrays.mode_duration[floor.mode[a]]) * transfer // quantity)
    yield Reason(Cause.TRANSFER, floor.finish(floor.machine[a], floor.start[a], first) + lag, (a,))
    last = -(-int(arrays.mode_duration[floor.mode[b]]) * transfer // quantity)
    done = floor.finish(floor.machine[b], floor.end[a] + lag, last)
    # The earliest start whose end is not before the last batch is worked off.
    start, end = floor.start[b], floor.end[b]
    if end <= done or floor.finish(floor.machine[b], _before(floor, b, start), floor.work(b)) < done:
        yield Reason(Cause.TRANSFER, start, (a,))


def _before(floor: Floor, i: int, start: int) -> int:
    return max(0, start - 1)


def _machine(floor: Floor, batch: tuple[int, ...], i: int) -> Iterator[Reason]:
    """What the machine does before, and the set-up between."""
    m = floor.machine[i]
    before = floor.before_on_machine(i)
    free = max((floor.leave[k] for k in before), default=floor.problem.machines[m].available_from)
    needed = floor.setup_needed(before, batch[0])
    if needed:
        yield Reason(Cause.SETUP, floor.finish(m, free, needed), before)
    elif before:
        is_blocked = free > max(floor.end[k] for k in before)
        yield Reason(Cause.BLOCKED if is_blocked else Cause.MACHINE, free, before)


def _tick_before(floor: Floor, batch: tuple[int, ...], i: int, start: int) -> Iterator[Reason]:
    """Closed time, and resources that are short, on the tick before ``start``."""
    m, tick = floor.machine[i], start - 1
    if tick < 0:
        return
    if floor.closed(m, tick, start):
        yield Reason(Cause.CALENDAR, start)
        return
    work = floor.work(i)
    if not floor.pauses(i) and floor.finish(m, tick, work) > tick + work:
        yield Reason(Cause.BREAK, start)
    for r, units in floor.demands(i):
        usage = floor.usage(r)
        if usage.shortage([(tick, start)], units, batch) is not None:
            behind = tuple(k for k in usage.holders(tick) if k not in batch)
            is_people = r >= len(floor.problem.resources)
            yield Reason(Cause.PEOPLE if is_people else Cause.RESOURCE, start, behind, r)


def _earliest(floor: Floor, batch: tuple[int, ...], i: int) -> int:
    """Earliest start in its place: from tick to tick that could do, until nothing forbids it."""
    planned, m, work = floor.start[i], floor.machine[i], floor.work(i)
    reasons = [reason for k in batch for reason in (*_dates(floor, k), *_links(floor, k))]
    at = max(reason.until for reason in (*reasons, *_machine(floor, batch, i)))
    while at < planned:
        at = floor.next_open(m, at)
        end = floor.finish(m, at, work)
        if not floor.pauses(i) and end > at + work:
            at = floor.closed(m, at, end)[0][1]
            continue
        later = _shortage(floor, batch, i, at, end)
        if later is None:
            break
        at = later
    return min(_with_lags(floor, batch, at), planned)


def _shortage(floor: Floor, batch: tuple[int, ...], i: int, start: int, end: int) -> int | None:
    """Where some resource is short at [start, end): the next start worth trying; ``None``: nothing is short."""
    for r, units in floor.demands(i):
        usage = floor.usage(r)
        short = usage.shortage(floor.held(i, r, start, end), units, batch)
        if short is not None:
            change = usage.next_change(short)
            return floor.start[i] if change is None else max(change, start + 1)
    return None


def _with_lags(floor: Floor, batch: tuple[int, ...], at: int) -> int:
    """Not so early that a successor, where it stands, would come later than its longest lag."""
    arrays = floor.arrays
    for i in batch:
        for k in range(int(arrays.after_ptr[i]), int(arrays.after_ptr[i + 1])):
            link, b = int(arrays.after_link[k]), int(arrays.after[k])
            if arrays.link_max[link] >= 0 and floor.is_present(b):
                latest = floor.start[b] - int(arrays.link_max[link])
                if int(arrays.link_kind[link]) == LINK_CODES[Link.FINISH_START]:
                    while at < floor.start[i] and floor.finish(floor.machine[i], at, floor.work(i)) < latest:
                        at += 1
                else:
                    at = max(at, min(latest, floor.start[i]))
    return at
