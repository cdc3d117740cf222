"""Whose turn it is at a station. One rule for the station's list, its terminal, and models of a floor.

A plan is an order, not a clock: the next job of the list that can begin goes first, also before its planned start. What
should have begun elsewhere long ago and has not may be begun by any station that can do it: otherwise it waits behind a
breakdown or a job that takes longer, while the machine beside it stands empty.
"""

from __future__ import annotations

from datetime import datetime, timedelta

OVERDUE = timedelta(minutes=10)
"""A job that has not begun so long after its planned start may be begun at another station that can do it."""

RUSH_RANK = 0
type_turn = tuple[int, int, datetime, int]


def is_overdue(planned_start: datetime, now: datetime) -> bool:
    """Whether a job should have begun so long ago that other stations are asked first."""
    return now - planned_start >= OVERDUE


def may_go_elsewhere(planned_start: datetime | None, now: datetime, *, waits_behind: bool) -> bool:
    """Whether another station than the planned one may begin a job that can begin.

    Not when a person and no plan has chosen the station.
    """
    return planned_start is not None and (waits_behind or is_overdue(planned_start, now))


def turn(
    *,
    job_id: int,
    rank: int,
    due_at: datetime,
    planned_start: datetime | None,
    work_unit_id: int | None,
    here: int,
    now: datetime,
    waits_behind: bool = False,
) -> type_turn | None:
    """Return by what jobs that can begin are sorted at a station, the smallest first; None: it is not this station's.

    Parameters
    ----------
    work_unit_id, here
        Where the job is planned (None: nowhere), and the station that asks.
    planned_start
        By the published plan; None: no plan has placed it.
    waits_behind
        The other station where it is planned is at another job, or stands.

    Notes
    -----
    Rush jobs first: a plan that just keeps their date leaves nothing for what goes wrong. Then what the plan has for
    this station by now; what is overdue elsewhere; what comes later here; what no plan knows, by rank and date; last
    what waits elsewhere behind another job.

    Examples
    --------
    >>> from datetime import UTC
    >>> nine, ten = datetime(2026, 3, 2, 9, tzinfo=UTC), datetime(2026, 3, 2, 10, tzinfo=UTC)
    >>> def at_one(unit, start):
    ...     return turn(job_id=7, rank=500, due_at=ten, planned_start=start, work_unit_id=unit, here=1, now=ten)
    >>> [at_one(unit, start)[0] for unit, start in ((1, nine), (2, nine), (1, ten + (ten - nine)), (None, None))]
    [1, 2, 3, 4]
    >>> at_one(2, ten) is None
    True
    >>> may_go_elsewhere(ten, nine, waits_behind=True), may_go_elsewhere(None, ten, waits_behind=True)
    (True, False)
    """
    is_elsewhere = work_unit_id not in (None, here)
    if is_elsewhere and not may_go_elsewhere(planned_start, now, waits_behind=waits_behind):
        return None
    if rank == RUSH_RANK:
        group = 0
    elif planned_start is None:
        return 4, rank, due_at, job_id
    elif is_elsewhere:
        group = 2 if is_overdue(planned_start, now) else 5
    else:
        group = 1 if planned_start <= now else 3
    return group, 0, planned_start or due_at, job_id
