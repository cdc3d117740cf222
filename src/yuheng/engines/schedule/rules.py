"""Plans by rules: which to try for an objective, the most promising first."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from yuheng.engines.schedule.bookings import Table
from yuheng.engines.schedule.decode import AHEAD, Board, NoPlan, Urgency, after_fixed, by_order, by_rule
from yuheng.engines.schedule.layout import Layout
from yuheng.engines.schedule.objective import Objective

LOOK_AHEAD = (2.0, 1.0, 4.0, 0.5, 3.0, 1.5, 6.0, 10.0)
SETUP_WEIGHTS = (0.5, 0.2, 1.0, 0.1)


def rules_for(objective: Objective, *, has_setups: bool) -> list[tuple[str, float, float]]:
    """Return (rule, look-ahead, set-up look-ahead) in the order in which they are worth trying."""
    first = objective.terms[0][0]
    weights = SETUP_WEIGHTS if has_setups else SETUP_WEIGHTS[:1]
    urgent = [("atc", k, s) for s in weights for k in LOOK_AHEAD]
    plain = [(rule, 2.0, 0.5) for rule in ("mwkr", "wspt", "odd", "edd", "spt", "fifo")]
    if first == "makespan":
        return [plain[0], urgent[0], *plain[1:], *urgent[1:]]
    if first == "flow":
        return [plain[1], urgent[0], *plain[2:], *urgent[1:]]
    return [urgent[0], plain[2], *urgent[1:], plain[0], plain[3]]


def sweep(board: Board, known: Urgency, objective: Objective) -> Iterator[Board]:
    """Dispatch by one rule after the other; the board holds each plan while it is yielded.

    Raises
    ------
    NoPlan
        When no rule, nor an order by due dates, finds a plan: what hindered the first.
    """
    first: NoPlan | None = None
    is_any = False
    for rule, look_ahead, setups in rules_for(objective, has_setups=board.layout.arrays.has_setups):
        try:
            by_rule(board, known, rule, look_ahead, setups)
        except NoPlan as error:
            first = first or error
            continue
        is_any = True
        yield board
    if not is_any:
        for order, keep_order in _last_orders(board.layout, known):
            try:
                by_order(board, order, keep_order=keep_order)
            except NoPlan:
                continue
            yield board
            return
        if first is not None:
            raise first


def _last_orders(layout: Layout, known: Urgency) -> Iterator[tuple[Table, bool]]:
    """Orders for problems that no rule serves, and whether gaps stay open: at last one job after the other."""
    arrays = layout.arrays
    first = after_fixed(layout)
    rank = np.empty(arrays.n, np.int64)
    rank[arrays.topo] = np.arange(arrays.n)
    earliest = np.full(arrays.jobs, AHEAD, np.int64)
    np.minimum.at(earliest, arrays.job, known.due)
    turn = np.empty(arrays.jobs, np.int64)
    turn[np.lexsort((np.arange(arrays.jobs), earliest))] = np.arange(arrays.jobs)
    job_after_job = turn[arrays.job] * arrays.n + rank
    for order in (known.due, -known.tail, arrays.release, job_after_job, arrays.job * arrays.n + rank):
        for keep_order in (False, True):
            if first.any():
                yield np.where(first, order - AHEAD, order), keep_order
            yield order, keep_order
