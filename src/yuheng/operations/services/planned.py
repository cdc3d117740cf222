"""What a plan gives job orders, machines and times, in a few statements however many they are: ``operations.dispatch``.

A first plan gives ten thousand job orders machine and times at once. As objects, each would carry its directive through
Python and be written by a statement that costs more than the plan.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db import connection, transaction
from django.utils.translation import gettext as _

from yuheng.equipment import selectors as equipment
from yuheng.kernel import audit
from yuheng.kernel.actor import Actor
from yuheng.kernel.errors import Conflict, InvalidInput, NotVisible
from yuheng.kernel.events import publish
from yuheng.operations.events import JobOrdersChanged
from yuheng.operations.rules import BEFORE_START
from yuheng.operations.services.access import DISPATCH

MOST_TOLD = 1000
"""Ids in the one event; who needs more asks for the plan."""
_BEFORE = sorted(state.value for state in BEFORE_START)
_UNTOLD = """
SELECT j.id FROM operations_joborder j
WHERE j.site_id = %(site)s AND j.state = ANY(%(before)s) AND (j.placed_at IS NULL) = (j.id = ANY(%(placed)s))
"""
_LOCK_REQUESTS = """
SELECT r.id FROM operations_operationsrequest r
WHERE r.id IN (SELECT j.request_id FROM operations_joborder j WHERE j.site_id = %(site)s AND j.id = ANY(%(ids)s))
ORDER BY r.id FOR NO KEY UPDATE
"""
_LOCK = """
SELECT j.id, j.code, j.state = ANY(%(before)s), j.work_unit_id, j.candidates, j.equipment_class_id, j.segment
FROM operations_joborder j
WHERE j.site_id = %(site)s AND j.id = ANY(%(ids)s) ORDER BY j.id FOR NO KEY UPDATE
"""
_WRITE = """
UPDATE operations_joborder j
SET work_unit_id = coalesce(t.unit, j.work_unit_id), planned_start = t.begins, planned_end = t.ends,
    placed_at = %(at)s, changed_at = %(at)s
FROM unnest(%(ids)s::bigint[], %(units)s::bigint[], %(starts)s::timestamptz[], %(ends)s::timestamptz[])
     AS t(id, unit, begins, ends)
WHERE j.id = t.id
"""
_TELL = """
UPDATE operations_joborder j
SET placed_at = CASE WHEN j.id = ANY(%(placed)s) THEN %(at)s::timestamptz END, changed_at = %(at)s
WHERE j.id = ANY(%(untold)s) AND j.state = ANY(%(before)s)
"""


@transaction.atomic
def give_places(
    *,
    actor: Actor,
    site_id: int,
    units: Mapping[int, int],
    times: Mapping[int, tuple[datetime, datetime]],
    at: datetime,
    placed: Collection[int] | None = None,
) -> int:
    """Give job orders of one site that have not begun planned times, and work units where the plan moves them.

    One event and one line of the audit for all of them. At most seven statements.

    Parameters
    ----------
    units
        Job order -> work unit, for those that change it; all of them are in ``times``.
    placed
        All that the plan has a place for, changed or not: queues follow the plan in these alone, and others lose the
        place that a former plan gave them. None: those in ``times``, and others keep theirs.

    Returns
    -------
    int
        How many got other times.

    Raises
    ------
    PermissionRefused, NotVisible, InvalidInput
    Conflict
        One has begun, or cannot run on its work unit; then none is changed.
    """
    actor.require(DISPATCH, site_id=site_id)
    for begins, ends in times.values():
        if begins.tzinfo is None or ends.tzinfo is None or ends < begins:
            raise InvalidInput(_("A planned end is after its start; both need an offset."))
    known = equipment.units_that_work(site_id=site_id, ids=units.values())
    asked: dict[str, Any] = {"site": site_id, "before": _BEFORE, "placed": sorted(placed or ()), "at": at}
    with connection.cursor() as database:
        untold: set[int] = set()
        if placed is not None:
            database.execute(_UNTOLD, asked)
            untold = {row[0] for row in database.fetchall()} - set(times)
        ids = sorted({*times, *untold})
        if not ids:
            return 0
        asked |= {"ids": ids, "untold": sorted(untold)}
        database.execute(_LOCK_REQUESTS, asked)
        database.execute(_LOCK, asked)
        rows = database.fetchall()
        if len(rows) != len(ids):
            raise NotVisible(_("There is no such job order here."))
        _check(rows, set(times), units, known)
        given = sorted(times)
        columns: dict[str, Any] = {
            "at": at,
            "ids": given,
            "units": [units.get(job_id) for job_id in given],
            "starts": [times[job_id][0] for job_id in given],
            "ends": [times[job_id][1] for job_id in given],
        }
        if given:
            database.execute(_WRITE, columns)
        if untold:
            database.execute(_TELL, asked)
    publish(JobOrdersChanged(site_id=site_id, job_order_ids=tuple(ids)[:MOST_TOLD], change="assigned"), at=at)
    audit.record(
        actor=actor, action="job_order.assigned", at=at, site_id=site_id, object_kind="job_order",
        object_id=rows[0][1] if len(rows) == 1 else "", job_orders=[row[1] for row in rows[:50]], count=len(rows),
        units=sorted(set(units.values()))[:50],
    )  # fmt: skip
    return len(times)


def _check(
    rows: Sequence[tuple[Any, ...]], told: Collection[int], units: Mapping[int, int], known: Mapping[int, Any]
) -> None:
    """Refuse when one of those that are told has begun, or cannot run where it shall."""
    for job_id, code, is_open, unit_id, candidates, class_id, segment in rows:
        if job_id not in told:
            continue
        if not is_open:
            raise Conflict(_("Job %(job)s has begun meanwhile. Look at the plan again.") % {"job": code})
        wanted = units.get(job_id)
        if wanted is None or wanted == unit_id:
            continue
        if wanted not in known:
            raise Conflict(_("There is no such station here."))
        if wanted not in candidates if candidates else class_id not in (None, known[wanted][1]):
            raise Conflict(
                _("%(unit)s is not one of the machines on which step %(segment)s may run. Choose another one.")
                % {"unit": known[wanted][0], "segment": segment}
            )
