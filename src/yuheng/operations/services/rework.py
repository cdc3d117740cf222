"""Pieces to be worked on again become a job order of their own, and what waited for the first waits for it, too."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

from django.utils.translation import gettext as _

from yuheng.kernel.errors import Conflict
from yuheng.operations.models import JobDependency, JobOrder
from yuheng.operations.rules import stored

USUAL_MOST = 3
"""Pieces are reworked so often when the work master does not say it."""


def make_rework(job: JobOrder, quantity: Decimal, *, reason: str, at: datetime) -> JobOrder:
    """Make the job order that works again on pieces of a job order; the pieces are there already.

    The work master's rework segment gives its directive, else the step is repeated.

    Raises
    ------
    Conflict
        The pieces were reworked as often as is allowed.
    """
    plan = job.directive.get("rework") or {}
    most = int(plan.get("most") or USUAL_MOST)
    first, times = _origin(job)
    if times >= most:
        raise Conflict(
            _("These pieces were reworked %(count)s times, which is all that is allowed. Report them as scrap.")
            % {"count": times}
        )
    directive = {**(plan.get("directive") or job.directive), "rework": {**plan, "most": most}}
    number = JobOrder.objects.filter(request_id=job.request_id, segment=job.segment, is_rework=True).count() + 1
    setup_s, run_s = float(directive.get("setup_s", 0.0)), _run_s(directive, quantity)
    place = stored(is_allowed=True, is_ready=True)
    made = JobOrder.objects.create(
        site_id=job.site_id,
        code=f"{first.code}-R{number}"[:100],
        request_id=job.request_id,
        segment=job.segment,
        name_zh=plan.get("name_zh") or job.name_zh,
        name_en=plan.get("name_en") or job.name_en,
        position=job.position,
        split=number,
        is_rework=True,
        is_last=job.is_last,
        rework_of=job,
        equipment_class_id=plan.get("equipment_class_id") or job.equipment_class_id,
        candidates=plan.get("candidates", job.candidates),
        shares_work_unit=job.shares_work_unit,
        quantity=quantity,
        unit=job.unit,
        state=place.state.value,
        substate=place.substate.value,
        rank=job.rank,
        due_at=job.due_at,
        planned_start=at,
        planned_end=at + timedelta(seconds=setup_s + run_s),
        setup_s=setup_s,
        run_s=run_s,
        directive=directive,
        hold_reason="",
        changed_at=at,
    )
    behind = JobDependency.objects.filter(before_id=job.pk).values_list("after_id", "kind", "quantity_per", "lag_s")
    JobDependency.objects.bulk_create(
        [
            JobDependency(before=made, after_id=after, kind=kind, quantity_per=per, lag_s=lag)
            for after, kind, per, lag in behind
        ]
    )
    return made


def _origin(job: JobOrder) -> tuple[JobOrder, int]:
    """Return the job order that the pieces come from, and how often they were reworked. One query each time."""
    times, current = 0, job
    while current.rework_of_id is not None:
        times += 1
        current = JobOrder.objects.only("pk", "code", "rework_of_id").get(pk=current.rework_of_id)
    return current, times


def _run_s(directive: dict[str, object], quantity: Decimal) -> float:
    run_s, per = float(str(directive.get("run_s", 0.0))), float(str(directive.get("run_quantity", 1) or 1))
    return run_s * float(quantity) / per
