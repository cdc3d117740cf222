"""Why an order is late: its time from release to completion, tick by tick, and what each tick went into.

The story follows the order backwards from its last operation, always to the predecessor that was ready last. Nothing is
lost or counted twice: the segments follow one another from the order's release to its completion, so their sum is the
order's whole time, and what exceeds the time allowed is the lateness.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from yuheng.engines.schedule.arrays import LINK_CODES
from yuheng.engines.schedule.calendars import FOREVER
from yuheng.engines.schedule.explain.floor import Floor
from yuheng.engines.schedule.parts import Link


class Share(StrEnum):
    """What a stretch of an order's time goes into."""

    WORK = "work"
    BREAK = "break"
    """Closed time in the middle of its work."""
    CLOSED = "closed"
    """The machine is closed, and the order waits."""
    MACHINE = "machine"
    """The machine works for other orders."""
    SETUP = "set-up"
    DOWN = "not available"
    """The machine is not there yet."""
    PEOPLE = "people"
    RESOURCE = "resource"
    OTHER_ORDER = "other order"
    """A part that another order makes."""
    LAG = "lag"
    MATERIAL = "material"
    RELEASE = "release"
    """Released only now: an operation of its own, or work that may not start before now."""
    FIXED = "fixed"
    """A person or the frozen zone keeps its start."""
    GAP = "gap"
    """Nothing holds it: the plan gives the time away."""


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of an order's time.

    Parameters
    ----------
    start, end
        Ticks.
    operation
        Index of the operation that works or waits.
    machine
        Index of its machine.
    orders
        Indices of the jobs in the way.
    resource
        Index of the resource or pool, −1 for none.
    """

    share: Share
    start: int
    end: int
    operation: int
    machine: int
    orders: tuple[int, ...] = ()
    resource: int = -1

    @property
    def ticks(self) -> int:
        """How long."""
        return self.end - self.start


@dataclass(frozen=True, slots=True)
class Wait:
    """All waiting of one kind for one thing, with the orders in the way, the longest in the way first."""

    share: Share
    ticks: int
    machine: int = -1
    resource: int = -1
    orders: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Story:
    """Where an order's time goes.

    ``release + sum of the segments = completion``; ``late = completion - due``, not above 0 when it is in time.
    """

    job: int
    release: int
    due: int
    completion: int
    segments: tuple[Segment, ...]

    @property
    def late(self) -> int:
        """Ticks past the due date; negative: early."""
        return self.completion - self.due

    @property
    def allowed(self) -> int:
        """Ticks between release and due date."""
        return self.due - self.release

    def of(self, share: Share) -> int:
        """Ticks that went into one kind of thing."""
        return sum(segment.ticks for segment in self.segments if segment.share is share)

    def waits(self) -> list[Wait]:
        """Return the waiting by cause and place, the longest first. Their sum, with the work, is the whole time."""
        totals: dict[tuple[Share, int, int], int] = {}
        behind: dict[tuple[Share, int, int], dict[int, int]] = {}
        for segment in self.segments:
            if segment.share is Share.WORK:
                continue
            is_place = segment.share in {Share.MACHINE, Share.SETUP, Share.CLOSED, Share.DOWN, Share.BREAK}
            key = (segment.share, segment.machine if is_place else -1, segment.resource)
            totals[key] = totals.get(key, 0) + segment.ticks
            for order in segment.orders:
                row = behind.setdefault(key, {})
                row[order] = row.get(order, 0) + segment.ticks
        waits = [
            Wait(key[0], ticks, key[1], key[2], tuple(sorted(behind.get(key, {}), key=lambda j: -behind[key][j])))
            for key, ticks in totals.items()
        ]
        return sorted(waits, key=lambda wait: -wait.ticks)


def late_orders(floor: Floor) -> list[int]:
    """Return the jobs that end after their due date, the costliest first."""
    cost: dict[int, float] = {}
    for j, job in enumerate(floor.problem.jobs):
        if job.due is not None:
            late = _completion(floor, j) - job.due
            if late > 0:
                cost[j] = late * job.weight
    return sorted(cost, key=lambda j: -cost[j])


def story(floor: Floor, j: int) -> Story:
    """Tell where the time of job ``j`` goes."""
    job = floor.problem.jobs[j]
    segments: list[Segment] = []
    i: int | None = _last(floor, j)
    upto = _completion(floor, j)
    begun = min([job.release, *(floor.start[k] for k in floor.operations_of_job[j])])
    while i is not None and upto > begun:
        start = max(floor.start[i], begun)
        segments += reversed(list(_worked(floor, i, start, min(floor.end[i], upto))))
        ready, before, waits = _ready(floor, i, begun)
        segments += reversed(list(_waited(floor, i, min(ready, start), start)))
        segments += reversed([_cut(segment, begun, min(ready, start)) for segment in waits])
        upto = max(begun, min([ready, start, *(segment.start for segment in waits)]))
        i = before
    told = tuple(segment for segment in reversed(segments) if segment.ticks > 0)
    return Story(j, begun, FOREVER if job.due is None else job.due, _completion(floor, j), told)


def _completion(floor: Floor, j: int) -> int:
    return max((floor.end[i] for i in floor.operations_of_job[j]), default=floor.problem.jobs[j].release)


def _last(floor: Floor, j: int) -> int | None:
    return max(floor.operations_of_job[j], key=lambda i: (floor.end[i], floor.start[i]), default=None)


def _cut(segment: Segment, low: int, high: int) -> Segment:
    start, end = max(segment.start, low), min(segment.end, high)
    return Segment(
        segment.share, start, max(start, end), segment.operation, segment.machine, segment.orders, segment.resource
    )


def _worked(floor: Floor, i: int, start: int, end: int) -> Iterator[Segment]:
    """Work, and the breaks in it."""
    at, m = start, floor.machine[i]
    for closed, opened in floor.closed(m, start, end):
        yield Segment(Share.WORK, at, closed, i, m)
        yield Segment(Share.BREAK, closed, opened, i, m)
        at = opened
    yield Segment(Share.WORK, at, end, i, m)


def _ready(floor: Floor, i: int, begun: int) -> tuple[int, int | None, list[Segment]]:
    """Return when an operation could have started but for machines and resources, the operation of its own job before
    it, and what lay between the two.
    """
    arrays, m, j = floor.arrays, floor.machine[i], floor.job[i]
    own: tuple[int, int | None] = (begun, None)
    marks: list[tuple[int, Share, tuple[int, ...]]] = []
    for link in range(int(arrays.link_ptr[i]), int(arrays.link_ptr[i + 1])):
        a = int(arrays.link_pred[link])
        if not floor.is_present(a):
            continue
        is_end = int(arrays.link_kind[link]) == LINK_CODES[Link.FINISH_START]
        # A start-start or a transfer batch counts from the predecessor's start, or as far as it overlaps.
        at = floor.end[a] if is_end else min(floor.end[a], floor.start[i])
        if floor.job[a] == j:
            own = max(own, (at, a), key=lambda row: (row[0], row[1] is not None))
            marks.append((at + int(arrays.link_lag[link]), Share.LAG, ()))
        else:
            marks.append((at + int(arrays.link_lag[link]), Share.OTHER_ORDER, (floor.job[a],)))
    operation, problem = floor.problem.operations[i], floor.problem
    marks.append((operation.material_at, Share.MATERIAL, ()))
    marks.append((max(operation.release, problem.jobs[j].release), Share.RELEASE, ()))
    if operation.fixed_start is None:
        marks.append((problem.now, Share.RELEASE, ()))
    at, waits = own[0], list[Segment]()
    for until, share, orders in sorted(marks, key=lambda row: row[0]):
        until = min(until, floor.start[i])
        if until > at:
            waits.append(Segment(share, at, until, i, m, orders))
            at = until
    return at, own[1], waits


def _waited(floor: Floor, i: int, ready: int, start: int) -> Iterator[Segment]:
    """What the operation waits for between being ready and its start, in order of time."""
    m, at = floor.machine[i], ready
    if floor.problem.operations[i].fixed_start is not None:
        yield Segment(Share.FIXED, ready, start, i, m)
        return
    for begin, end, segment in _busy(floor, i, ready, start):
        yield from _idle(floor, i, at, begin)
        yield Segment(segment.share, max(at, begin), end, i, m, segment.orders)
        at = max(at, end)
    yield from _idle(floor, i, at, start)


def _busy(floor: Floor, i: int, ready: int, start: int) -> Iterable[tuple[int, int, Segment]]:
    """What the machine does meanwhile: other operations, their set-ups, its own set-up."""
    m, rows = floor.machine[i], list[tuple[int, int, Segment]]()
    free = floor.problem.machines[m].available_from
    if free > ready:
        rows.append((ready, min(free, start), Segment(Share.DOWN, 0, 0, i, m)))
    batch = floor.batch_of(i)
    for k in floor.busy_between(m, ready, start, batch):
        own = k in batch
        begin, end = floor.setup_start[k], start if own else floor.leave[k]
        if own and floor.setup_start[k] >= floor.start[k]:
            continue
        if end > ready and begin < start:
            share = Share.SETUP if own else Share.MACHINE
            orders = () if own else (floor.job[k],)
            rows.append((max(begin, ready), min(end, start), Segment(share, 0, 0, i, m, orders)))
    rows.sort(key=lambda row: (row[0], row[1]))
    at = ready
    for begin, end, segment in rows:
        if end > at:
            yield max(begin, at), end, segment
            at = end


def _idle(floor: Floor, i: int, start: int, end: int) -> Iterator[Segment]:
    """Time in which the machine stands: closed, or somebody or something is missing, or for no reason."""
    m, at = floor.machine[i], start
    for closed, opened in floor.closed(m, start, end):
        yield from _missing(floor, i, at, closed)
        yield Segment(Share.CLOSED, closed, opened, i, m)
        at = opened
    yield from _missing(floor, i, at, end)


def _missing(floor: Floor, i: int, start: int, end: int) -> Iterator[Segment]:
    """Stretches in which a resource is short; the rest is a gap."""
    m, at, batch = floor.machine[i], start, floor.batch_of(i)
    while at < end:
        change, found = end, Segment(Share.GAP, at, end, i, m)
        for r, units in floor.demands(i):
            usage = floor.usage(r)
            following = usage.next_step(at)
            change = min(change, end if following is None else following)
            if found.share is Share.GAP and usage.shortage([(at, at + 1)], units, batch) is not None:
                share = Share.PEOPLE if r >= len(floor.problem.resources) else Share.RESOURCE
                orders = tuple(dict.fromkeys(floor.job[k] for k in usage.holders(at) if k not in batch))
                found = Segment(share, at, end, i, m, orders, r)
        yield Segment(found.share, at, change, i, m, found.orders, found.resource)
        at = change
