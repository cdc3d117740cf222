"""What waits for what, as the engine reads it; and how many pieces still come."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from yuheng.engines.schedule.parts import Link, Operation, Precedence, Status
from yuheng.operations.rules import LinkKind
from yuheng.operations.selectors.planning import OpenJob, OpenLink


def arrived(jobs: Mapping[int, OpenJob], links: Iterable[OpenLink]) -> dict[int, float]:
    """Job order -> pieces that have come, where everything before is over and less came than was planned.

    Parts of a split share what came: which of them gets how much is not known, so they keep their quantity.
    """
    into: dict[int, list[OpenLink]] = {}
    for link in links:
        into.setdefault(link.after_id, []).append(link)
    parts: dict[tuple[int, str], int] = {}
    for job in jobs.values():
        parts[job.request_id, job.segment] = parts.get((job.request_id, job.segment), 0) + 1
    found: dict[int, float] = {}
    for after, rows in into.items():
        behind = jobs.get(after)
        if behind is None or parts[behind.request_id, behind.segment] > 1 or any(row.is_open for row in rows):
            continue
        groups: dict[tuple[int, str], float] = {}
        for row in rows:
            key = (row.request_id, row.segment)
            groups[key] = groups.get(key, 0.0) + row.good / row.quantity_per
        least = math.floor(min(groups.values()) + 1e-9)
        if least < behind.quantity:
            found[after] = float(least)
    return found


def precedence(
    link: OpenLink,
    jobs: Mapping[int, OpenJob],
    operations: dict[int, Operation],
    tick: Callable[[datetime], int],
) -> Precedence | None:
    """Return a link between two operations; None where it is no link any more but a time that must have passed.

    A start-start link from what runs is such a time: when it began, and the lag.
    """
    before, after = operations[link.before_id], operations[link.after_id]
    lag = math.ceil(link.lag_s / 60 - 1e-9)
    if link.kind == LinkKind.START_START.value:
        began = jobs[link.before_id].actual_start
        if before.status is Status.STARTED and began is not None:
            wait_for(operations, link.after_id, tick(began + timedelta(seconds=link.lag_s)))
            return None
        return Precedence(before.key, after.key, min_lag=lag, kind=Link.START_START)
    job = jobs[link.before_id]
    left = math.ceil(job.quantity - job.processed - 1e-9)
    batch = math.ceil(link.transfer_batch or 0)
    if link.kind == LinkKind.FINISH_START.value and 0 < batch < left and lag == 0:
        return Precedence(before.key, after.key, kind=Link.OVERLAP, transfer=batch, quantity=left)
    return Precedence(before.key, after.key, min_lag=lag)


def wait_for(operations: dict[int, Operation], job_order_id: int, until: int) -> None:
    """Let an operation begin no earlier than a tick."""
    row = operations[job_order_id]
    if row.status is not Status.STARTED and until > row.release:
        operations[job_order_id] = replace(row, release=until)
