"""The published plan as a person looks at it: rows of a window of time with names, states and lateness."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from yuheng.equipment import selectors as equipment
from yuheng.kernel.actor import Actor
from yuheng.operations.rules import OVER, JobState
from yuheng.operations.selectors import planning
from yuheng.scheduling.building import OUTSIDE
from yuheng.scheduling.models import Plan
from yuheng.scheduling.selectors.plans import VIEW, rows_of_plan

MOST_ROWS = 3_000


@dataclass(frozen=True, slots=True)
class BoardRow:
    """A job order in the published plan. ``late_min``: by how much its whole order is late in this plan."""

    job_order_id: int
    code: str
    name_zh: str
    name_en: str
    state: JobState
    work_unit_id: int
    unit_code: str
    setup_start: datetime
    start: datetime
    end: datetime
    order_id: int | None
    order_code: str
    customer_zh: str
    customer_en: str
    due_at: datetime
    late_min: int
    is_rush: bool
    is_frozen: bool

    @property
    def is_running(self) -> bool:
        """Return whether it runs."""
        return self.state is JobState.RUNNING


@dataclass(frozen=True, slots=True)
class Board:
    """What a window shows; ``count`` is how many job orders the plan has in all that are not over."""

    number: int
    units: tuple[str, ...]
    rows: tuple[BoardRow, ...]
    count: int


def board(
    *, actor: Actor, site_id: int, start: datetime, end: datetime, now: datetime, frozen_min: int
) -> Board | None:
    """Job orders of the published plan that touch [start, end) and are not over; None without one. Four queries."""
    actor.require(VIEW, site_id=site_id)
    plan = Plan.objects.filter(site_id=site_id, is_published=True).first()
    if plan is None:
        return None
    rows = rows_of_plan(plan)
    ends = dict(zip(plan.completed_ids, plan.completed_ends, strict=True))
    units = {row.id: row.code for row in equipment.work_units(actor=actor, site_id=site_id)}
    inside = [
        k
        for k in range(len(rows.job_order_ids))
        if rows.moment(rows.ends[k]) > start and rows.moment(rows.setup_starts[k]) < end
    ][:MOST_ROWS]
    names = planning.job_names(actor=actor, site_id=site_id, job_order_ids=rows.job_order_ids)
    is_open = {pk for pk, name in names.items() if JobState(name.state) not in OVER}
    frozen = now + timedelta(minutes=frozen_min)
    found = []
    for k in inside:
        name = names.get(rows.job_order_ids[k])
        if name is None or name.id not in is_open:
            continue
        unit = rows.work_unit_ids[k]
        done = ends.get(name.root_id)
        late = 0 if done is None else int((rows.moment(done) - name.due_at).total_seconds() // 60)
        found.append(
            BoardRow(
                name.id,
                name.code,
                name.name_zh,
                name.name_en,
                JobState(name.state),
                unit,
                "" if unit == OUTSIDE else units.get(unit, "–"),
                rows.moment(rows.setup_starts[k]),
                rows.moment(rows.starts[k]),
                rows.moment(rows.ends[k]),
                name.order_id,
                name.order_code,
                name.customer_zh,
                name.customer_en,
                name.due_at,
                max(0, late),
                name.is_rush,
                rows.moment(rows.starts[k]) < frozen,
            )
        )
    used = sorted({row.unit_code for row in found if row.unit_code})
    return Board(plan.number, tuple(used), tuple(found), len(is_open))
