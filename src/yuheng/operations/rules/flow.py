"""How pieces flow from job order to job order: how many have arrived, and what a job order can still become.

Notes
-----
All job orders of one segment of one request (splits and rework included) feed together: a `Feed` group. What a job
order may work on is what arrived from every group, less what its siblings took.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import ROUND_FLOOR, Decimal

from yuheng.operations.rules.progress import ZERO

STEP = Decimal("0.000001")


@dataclass(frozen=True, slots=True)
class Feed:
    """One job order before another.

    Attributes
    ----------
    group
        Request and segment: feeds of one group add up, groups must all have arrived.
    good
        Good pieces reported so far.
    quantity_per
        How many of its pieces go into one piece of the job order behind.
    transfer_batch
        So many go on at once before all are done; None: all together, at the end.
    is_over
        It ended, was aborted or cancelled: nothing more comes.
    is_parallel
        A start-start link: the one behind may begin when this one has begun, and takes what there is.
    """

    group: tuple[int, str]
    good: Decimal
    quantity_per: Decimal = Decimal(1)
    transfer_batch: Decimal | None = None
    is_over: bool = False
    has_begun: bool = False
    is_parallel: bool = False


@dataclass(frozen=True, slots=True)
class Arrival:
    """What has come from the job orders before.

    Attributes
    ----------
    quantity
        Pieces (of the job order behind) that can be worked on; None: nothing is before it, all can.
    is_final
        Everything before is over: no more will come.
    may_begin
        Something is there, or comes while it runs.
    """

    quantity: Decimal | None
    is_final: bool
    may_begin: bool


def arrival(feeds: Iterable[Feed], *, taken: Decimal = ZERO, whole: bool = True) -> Arrival:
    """Return what a job order may work on.

    Parameters
    ----------
    taken
        What its siblings (splits of the same segment) have taken already.
    whole
        Pieces are counted, not weighed: half a piece has not arrived.
    """
    groups: dict[tuple[int, str], list[Feed]] = {}
    for feed in feeds:
        groups.setdefault(feed.group, []).append(feed)
    if not groups:
        return Arrival(None, True, True)
    least = min(_arrived(group) for group in groups.values())
    left = max(ZERO, least - taken)
    if whole:
        left = left.to_integral_value(ROUND_FLOOR)
    is_final = all(feed.is_over for group in groups.values() for feed in group)
    runs_beside = all(
        any(feed.has_begun or feed.is_over for feed in group)
        and all(feed.is_parallel or feed.is_over for feed in group)
        for group in groups.values()
    )
    return Arrival(left, is_final, left > 0 or (runs_beside and not is_final))


def _arrived(group: list[Feed]) -> Decimal:
    pieces = ZERO
    for feed in group:
        good = feed.good
        if not feed.is_over and not feed.is_parallel:
            batch = feed.transfer_batch
            good = (good // batch) * batch if batch else ZERO
        pieces += good / feed.quantity_per
    return pieces


def still_expected(quantity: Decimal, processed: Decimal, come: Arrival) -> Decimal:
    """Return how many pieces a job order still has to report before it is finished as planned.

    When nothing more will come, only what has arrived can be asked for.

    Examples
    --------
    >>> still_expected(Decimal(10), Decimal(4), Arrival(Decimal(9), True, True))
    Decimal('5')
    """
    wanted = quantity
    if come.quantity is not None and come.is_final:
        wanted = min(quantity, come.quantity)
    return max(ZERO, wanted - processed)


def most_to_report(quantity: Decimal, processed: Decimal, come: Arrival) -> Decimal:
    """Return how many more pieces can be reported now: not more than planned, nor than have arrived."""
    most = quantity if come.quantity is None else min(quantity, come.quantity)
    return max(ZERO, most - processed)


def find_cycle(edges: Iterable[tuple[int, int]]) -> list[int]:
    """Return the nodes of a cycle in a graph, or nothing: job orders that wait for each other could never start.

    Examples
    --------
    >>> find_cycle([(1, 2), (2, 3)]), sorted(set(find_cycle([(1, 2), (2, 3), (3, 1)])))
    ([], [1, 2, 3])
    """
    behind: dict[int, list[int]] = {}
    waits: dict[int, int] = {}
    for before, after in edges:
        behind.setdefault(before, []).append(after)
        waits[after] = waits.get(after, 0) + 1
        waits.setdefault(before, 0)
    free = [node for node, count in waits.items() if not count]
    seen = 0
    while free:
        node = free.pop()
        seen += 1
        for after in behind.get(node, ()):
            waits[after] -= 1
            if not waits[after]:
                free.append(after)
    if seen == len(waits):
        return []
    return sorted(node for node, count in waits.items() if count)


def shares(quantity: Decimal, wanted: Iterable[Decimal]) -> list[Decimal] | None:
    """Return the parts of a split when they are positive and add up to the quantity, else None.

    Examples
    --------
    >>> shares(Decimal(10), [Decimal(4), Decimal(6)]), shares(Decimal(10), [Decimal(4), Decimal(7)])
    ([Decimal('4'), Decimal('6')], None)
    """
    parts = list(wanted)
    return parts if len(parts) > 1 and all(part > 0 for part in parts) and sum(parts) == quantity else None
