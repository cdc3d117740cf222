"""Job orders as a dispatch board draws them, and what tells whether any has changed. Slim rows, one statement."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from django.db import connection

from yuheng.kernel.actor import Actor
from yuheng.operations.rules import OPEN_STATES
from yuheng.operations.selectors.pages import VIEW

_OPEN = sorted(state.value for state in OPEN_STATES)

_JOBS = """
SELECT j.id, j.code, j.segment, j.name_zh, j.name_en, j.state, j.substate = 'suspended' OR r.state = 'held'
           OR j.state = 'not_allowed_to_start',
       coalesce(r.root_id, r.id), r.order_id, coalesce(o.code, root.code, r.code), coalesce(p.name_zh, ''),
       coalesce(p.name_en, ''), j.due_at, j.rank = 0, j.work_unit_id, j.candidates, j.equipment_class_id,
       j.is_subcontracted, j.planned_start, j.planned_end, j.actual_start, j.actual_end, j.setup_s + j.run_s
FROM operations_joborder j
JOIN operations_operationsrequest r ON r.id = j.request_id
LEFT JOIN operations_operationsrequest root ON root.id = r.root_id
LEFT JOIN operations_customerorder o ON o.id = r.order_id
LEFT JOIN operations_party p ON p.id = o.customer_id
WHERE j.site_id = %(site)s AND (j.state = ANY(%(open)s) OR j.id = ANY(%(ids)s))
ORDER BY j.id
"""
_LINKS = """
SELECT d.before_id, d.after_id
FROM operations_jobdependency d
JOIN operations_joborder a ON a.id = d.after_id
JOIN operations_operationsrequest r ON r.id = a.request_id
WHERE a.site_id = %(site)s AND coalesce(r.root_id, r.id) = %(root)s
ORDER BY d.id
"""


class PlannedJob(NamedTuple):
    """One bar of a board. ``work_s``: set-up and run of the whole quantity; ``is_held``: by a person or its request."""

    id: int
    code: str
    segment: str
    name_zh: str
    name_en: str
    state: str
    is_held: bool
    root_id: int
    order_id: int | None
    order_code: str
    customer_zh: str
    customer_en: str
    due_at: datetime
    is_rush: bool
    work_unit_id: int | None
    candidates: Sequence[int]
    class_id: int | None
    is_subcontracted: bool
    planned_start: datetime
    planned_end: datetime
    actual_start: datetime | None
    actual_end: datetime | None
    work_s: float


def planned_jobs(*, actor: Actor, site_id: int, job_order_ids: Sequence[int]) -> list[PlannedJob]:
    """Every open job order of a site, and those named, over or not. One statement."""
    actor.require(VIEW, site_id=site_id)
    with connection.cursor() as database:
        database.execute(_JOBS, {"site": site_id, "open": _OPEN, "ids": list(job_order_ids)})
        return [PlannedJob._make(row) for row in database.fetchall()]


def links_of_root(*, actor: Actor, site_id: int, root_id: int) -> list[tuple[int, int]]:
    """Return (before, after) of all job orders of one product with everything in it. One statement."""
    actor.require(VIEW, site_id=site_id)
    with connection.cursor() as database:
        database.execute(_LINKS, {"site": site_id, "root": root_id})
        return [(before, after) for before, after in database.fetchall()]


def stamp(*, actor: Actor, site_id: int) -> str:
    """Return a text that differs when anything of the site's open job orders has changed. One statement."""
    actor.require(VIEW, site_id=site_id)
    with connection.cursor() as database:
        database.execute(
            "SELECT count(*), max(changed_at) FROM operations_joborder WHERE site_id = %s AND state = ANY(%s)",
            [site_id, _OPEN],
        )
        count, latest = database.fetchone()
    return f"{count}.{0 if latest is None else int(latest.timestamp() * 1e6)}"
