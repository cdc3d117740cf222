"""Everything open at a site as the scheduling context needs it: five statements, whatever there is of it.

Rows come slim, straight from the database: at 10,000 open job orders the objects of Django would cost more than the
plan. Who may see is asked once, at the door.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

import orjson
from django.db import connection

from yuheng.kernel.actor import Actor
from yuheng.operations.rules import OPEN_STATES
from yuheng.operations.selectors.pages import VIEW

_OPEN = sorted(state.value for state in OPEN_STATES)

_JOBS = """
SELECT j.id, j.code, j.request_id, r.code, coalesce(r.root_id, r.id), coalesce(root.code, r.code), r.order_id,
       coalesce(o.code, ''), coalesce(p.name_zh, ''), coalesce(p.name_en, ''), r.material_id, j.segment, j.name_zh,
       j.name_en, j.state, j.substate, r.state = 'held', j.work_unit_id, j.candidates, j.equipment_class_id,
       j.is_subcontracted, j.shares_work_unit, j.quantity::float8, (j.good + j.scrap + j.rework)::float8,
       j.transfer_batch::float8, j.rank, j.due_at, j.planned_start, j.planned_end, j.actual_start, j.running_since,
       j.worked_s, j.setup_s, j.run_s,
       jsonb_build_array(j.directive->'run_quantity', j.directive->'run_s', j.directive->'batch_size',
           j.directive->'setup_family', j.directive->'skills', j.directive->'tools', j.directive->'alternatives')::text
FROM operations_joborder j
JOIN operations_operationsrequest r ON r.id = j.request_id
LEFT JOIN operations_operationsrequest root ON root.id = r.root_id
LEFT JOIN operations_customerorder o ON o.id = r.order_id
LEFT JOIN operations_party p ON p.id = o.customer_id
WHERE j.site_id = %(site)s AND j.state = ANY(%(open)s)
ORDER BY j.id
"""

_LINKS = """
SELECT d.before_id, d.after_id, d.kind, d.lag_s, d.quantity_per::float8, b.state = ANY(%(open)s), b.good::float8,
       b.actual_end, b.transfer_batch::float8, b.quantity::float8, b.request_id, b.segment
FROM operations_jobdependency d
JOIN operations_joborder a ON a.id = d.after_id
JOIN operations_joborder b ON b.id = d.before_id
WHERE a.site_id = %(site)s AND a.state = ANY(%(open)s)
ORDER BY d.id
"""

_SHORT = """
WITH stock AS (
    SELECT b.material_id, sum(CASE WHEN l.state = 'available' AND (l.expires_at IS NULL OR l.expires_at > %(now)s)
                              THEN b.quantity ELSE 0 END) AS there
    FROM operations_stockbalance b JOIN operations_materiallot l ON l.id = b.lot_id
    WHERE b.site_id = %(site)s
    GROUP BY b.material_id
), need AS (
    SELECT job_order_id, material_id, quantity - issued AS open,
           sum(quantity - issued) OVER (PARTITION BY material_id ORDER BY needed_at, id) AS so_far
    FROM operations_materialrequirement
    WHERE site_id = %(site)s AND is_open AND supplied_by_id IS NULL
)
SELECT need.job_order_id, m.code
FROM need JOIN stock ON stock.material_id = need.material_id
JOIN engineering_materialdefinition m ON m.id = need.material_id
WHERE need.open > 0 AND need.so_far > stock.there AND need.job_order_id IS NOT NULL
ORDER BY need.job_order_id, m.code
"""
"""Only material that the plant keeps stock of: what was never received here is not counted as missing."""

_LEFT = """
WITH stock AS (
    SELECT b.material_id, sum(CASE WHEN l.state = 'available' AND (l.expires_at IS NULL OR l.expires_at > %(now)s)
                              THEN b.quantity ELSE 0 END) AS there
    FROM operations_stockbalance b JOIN operations_materiallot l ON l.id = b.lot_id
    WHERE b.site_id = %(site)s AND b.material_id = ANY(%(ids)s)
    GROUP BY b.material_id
), need AS (
    SELECT material_id, sum(quantity - issued) AS open
    FROM operations_materialrequirement
    WHERE site_id = %(site)s AND is_open AND supplied_by_id IS NULL AND material_id = ANY(%(ids)s)
    GROUP BY material_id
)
SELECT stock.material_id, m.code, (stock.there - coalesce(need.open, 0))::float8
FROM stock JOIN engineering_materialdefinition m ON m.id = stock.material_id
LEFT JOIN need ON need.material_id = stock.material_id
"""

_SET_UP = """
SELECT u.id, j.directive->>'setup_family'
FROM unnest(%(units)s::bigint[]) AS u(id)
CROSS JOIN LATERAL (
    SELECT job_order_id FROM operations_jobresponse WHERE work_unit_id = u.id ORDER BY id DESC LIMIT 1
) r
JOIN operations_joborder j ON j.id = r.job_order_id
WHERE j.directive->>'setup_family' <> ''
"""

_ABLE = """
SELECT q.person_id, s.code, max(q.level)
FROM operations_qualification q JOIN operations_skill s ON s.id = q.skill_id
WHERE q.site_id = %(site)s AND q.valid_from <= %(now)s AND (q.valid_until IS NULL OR q.valid_until > %(now)s)
GROUP BY q.person_id, s.code ORDER BY q.person_id, s.code
"""

_TOOLS = """
SELECT kind, count(*) FROM operations_tool
WHERE site_id = %(site)s AND retired_at IS NULL AND (calibration_due_at IS NULL OR calibration_due_at > %(now)s)
GROUP BY kind
"""


class OpenJob(NamedTuple):
    """An open job order. Quantities in pieces, times in seconds; ``step`` is what its directive says of the work."""

    id: int
    code: str
    request_id: int
    request_code: str
    root_id: int
    root_code: str
    order_id: int | None
    order_code: str
    customer_zh: str
    customer_en: str
    material_id: int
    segment: str
    name_zh: str
    name_en: str
    state: str
    substate: str
    is_request_held: bool
    work_unit_id: int | None
    candidates: Sequence[int]
    class_id: int | None
    is_subcontracted: bool
    shares_work_unit: bool
    quantity: float
    processed: float
    transfer_batch: float | None
    rank: int
    due_at: datetime
    planned_start: datetime
    planned_end: datetime
    actual_start: datetime | None
    running_since: datetime | None
    worked_s: float
    setup_s: float
    run_s: float
    step: StepOfJob


class StepOfJob(NamedTuple):
    """What is frozen in a job order's directive; None and empty where it says nothing. Shared by equal ones.

    ``alternatives``: work unit id -> (set-up s, run s); ``skills``: (skill, count, level); ``tools``: (kind, count).
    """

    run_quantity: float
    run_s: float | None
    batch_size: float | None
    family: str
    skills: tuple[tuple[str, int, int], ...]
    tools: tuple[tuple[str, int], ...]
    alternatives: dict[int, tuple[float, float]]


class OpenLink(NamedTuple):
    """An open job order waits for another one, which may be over."""

    before_id: int
    after_id: int
    kind: str
    lag_s: float
    quantity_per: float
    is_open: bool
    good: float
    ended_at: datetime | None
    transfer_batch: float | None
    quantity: float
    request_id: int
    segment: str


@dataclass(frozen=True, slots=True)
class OpenWork:
    """Open work of a site. ``short``: job order -> codes of material of which there is not enough in its turn."""

    jobs: list[OpenJob]
    links: list[OpenLink]
    short: dict[int, list[str]]
    families: dict[int, str]
    skills: dict[int, dict[str, int]]
    tools: dict[str, int]


NO_WORK = OpenWork([], [], {}, {}, {}, {})


def open_work(*, actor: Actor, site_id: int, work_unit_ids: Sequence[int], now: datetime) -> OpenWork:
    """Everything that is open, what it waits for, and who and what there is for it. Six statements.

    Raises
    ------
    PermissionRefused, NotVisible
    """
    actor.require(VIEW, site_id=site_id)
    asked: dict[str, Any] = {"site": site_id, "open": _OPEN, "now": now, "units": list(work_unit_ids)}
    steps: dict[str, StepOfJob] = {}

    def step(text: str) -> StepOfJob:
        known = steps.get(text)
        if known is None:
            known = steps[text] = _step(orjson.loads(text))
        return known

    with connection.cursor() as database:
        database.execute(_JOBS, asked)
        jobs = [OpenJob._make((*row[:-1], step(row[-1]))) for row in database.fetchall()]
        database.execute(_LINKS, asked)
        links = [OpenLink(*row) for row in database.fetchall()]
        database.execute(_SHORT, asked)
        short: dict[int, list[str]] = {}
        for job_id, code in database.fetchall():
            short.setdefault(job_id, []).append(code)
        database.execute(_SET_UP, asked)
        families = dict(database.fetchall())
        database.execute(_ABLE, asked)
        skills: dict[int, dict[str, int]] = {}
        for person_id, code, level in database.fetchall():
            skills.setdefault(person_id, {})[code] = level
        database.execute(_TOOLS, asked)
        tools = dict(database.fetchall())
    return OpenWork(jobs, links, short, families, skills, tools)


def _step(told: list[Any]) -> StepOfJob:
    run_quantity, run_s, batch_size, family, skills, tools, alternatives = told
    return StepOfJob(
        run_quantity=float(run_quantity or 1),
        run_s=None if run_s is None else float(run_s),
        batch_size=float(batch_size) if batch_size else None,
        family=family or "",
        skills=tuple((one["skill"], int(one["count"]), int(one["level"])) for one in skills or ()),
        tools=tuple((one["tool"], int(one["count"])) for one in tools or ()),
        alternatives={
            int(one["work_unit_id"]): (float(one["setup_s"]), float(one["run_s"])) for one in alternatives or ()
        },
    )


def step_of_directive(directive: Mapping[str, Any]) -> StepOfJob:
    """Return what a directive says of the work, as `open_work` reads it from the database."""
    names = ("run_quantity", "run_s", "batch_size", "setup_family", "skills", "tools", "alternatives")
    return _step([directive.get(name) for name in names])


def short_for(*, actor: Actor, site_id: int, needs: Mapping[int, float], now: datetime) -> dict[int, tuple[str, float]]:
    """Material -> its code and how much would be missing if so much were needed behind everything that is open.

    Only of material that the plant keeps stock of. One statement.
    """
    actor.require(VIEW, site_id=site_id)
    if not needs:
        return {}
    with connection.cursor() as database:
        database.execute(_LEFT, {"site": site_id, "now": now, "ids": list(needs)})
        rows = database.fetchall()
    return {
        material: (code, needs[material] - max(0.0, left)) for material, code, left in rows if needs[material] > left
    }


def changes_of(*, site_id: int) -> tuple[int, str]:
    """How many job orders are open and when one was changed last: equal answers, nothing to read anew. One query."""
    with connection.cursor() as database:
        database.execute(
            "SELECT count(*), coalesce(max(changed_at)::text, '') FROM operations_joborder"
            " WHERE site_id = %(site)s AND state = ANY(%(open)s)",
            {"site": site_id, "open": _OPEN},
        )
        count, last = database.fetchone()
    return count, last


def open_job_order_ids(*, site_id: int) -> set[int]:
    """Return which job orders of a site are open. One statement."""
    with connection.cursor() as database:
        database.execute(
            "SELECT id FROM operations_joborder WHERE site_id = %(site)s AND state = ANY(%(open)s)",
            {"site": site_id, "open": _OPEN},
        )
        return {row[0] for row in database.fetchall()}


class JobName(NamedTuple):
    """What a list says of a job order."""

    id: int
    code: str
    name_zh: str
    name_en: str
    state: str
    root_id: int
    order_id: int | None
    order_code: str
    customer_zh: str
    customer_en: str
    due_at: datetime
    is_rush: bool


def job_names(*, actor: Actor, site_id: int, job_order_ids: Sequence[int]) -> dict[int, JobName]:
    """Names of job orders of a site, those that are over included. One statement."""
    actor.require(VIEW, site_id=site_id)
    with connection.cursor() as database:
        database.execute(
            """
            SELECT j.id, j.code, j.name_zh, j.name_en, j.state, coalesce(r.root_id, r.id), r.order_id,
                   coalesce(o.code, r.code), coalesce(p.name_zh, ''), coalesce(p.name_en, ''), j.due_at, j.rank = 0
            FROM operations_joborder j
            JOIN operations_operationsrequest r ON r.id = j.request_id
            LEFT JOIN operations_customerorder o ON o.id = r.order_id
            LEFT JOIN operations_party p ON p.id = o.customer_id
            WHERE j.site_id = %(site)s AND j.id = ANY(%(ids)s)
            """,
            {"site": site_id, "ids": list(job_order_ids)},
        )
        rows = [JobName._make(row) for row in database.fetchall()]
    return {row.id: row for row in rows}


class ClosedRequest(NamedTuple):
    """A root request that is over. ``made_at`` None: it was given up."""

    id: int
    code: str
    order_code: str
    made_at: datetime | None


def closed_requests(*, actor: Actor, site_id: int, request_ids: Sequence[int]) -> dict[int, ClosedRequest]:
    """Those of some requests that are over: made, or given up. One statement."""
    actor.require(VIEW, site_id=site_id)
    with connection.cursor() as database:
        database.execute(
            """
            SELECT r.id, r.code, coalesce(o.code, ''),
                   CASE WHEN r.state IN ('cancelled', 'aborted') THEN NULL ELSE r.ended_at END
            FROM operations_operationsrequest r LEFT JOIN operations_customerorder o ON o.id = r.order_id
            WHERE r.site_id = %(site)s AND r.id = ANY(%(ids)s)
              AND (r.state IN ('cancelled', 'aborted') OR r.ended_at IS NOT NULL)
            ORDER BY r.id
            """,
            {"site": site_id, "ids": list(request_ids)},
        )
        rows = [ClosedRequest._make(row) for row in database.fetchall()]
    return {row.id: row for row in rows}
