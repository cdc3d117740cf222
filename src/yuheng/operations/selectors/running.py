"""What each machine works on now: for tiles of the map and station pages."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db.models import Count, OuterRef, Subquery

from yuheng.bus.messages import JobLive
from yuheng.kernel.actor import Actor
from yuheng.operations.models import JobException, JobOrder
from yuheng.operations.rules import JobState
from yuheng.operations.rules.progress import ZERO
from yuheng.operations.rules.signals import ExceptionState
from yuheng.operations.selectors.pages import VIEW


@dataclass(frozen=True, slots=True)
class RunningJob:
    """What a work unit runs or has interrupted, for whom, how far, until when.

    ``counted``: what its machine counted, None when no machine does; ``is_proposal``: a person reports the pieces.
    ``made``: good pieces as far as is known now: what was reported, and what was counted beyond it. ``pace_s``: the
    measured seconds a piece, from three cycles on; then the expected end follows it, else the plan.
    """

    work_unit_id: int
    job_order_id: int
    code: str
    request_id: int
    request_code: str
    order_id: int | None
    order_code: str
    customer_zh: str
    customer_en: str
    material_code: str
    material_zh: str
    material_en: str
    segment_zh: str
    segment_en: str
    state: JobState
    quantity: Decimal
    good: Decimal
    scrap: Decimal
    unit: str
    started_at: datetime | None
    operator: str
    operator_zh: str
    operator_en: str
    due_at: datetime
    expected_end: datetime
    is_late: bool
    is_rush: bool
    counted: Decimal | None = None
    made: Decimal = ZERO
    pace_s: float | None = None
    is_proposal: bool = False
    open_exceptions: int = 0


_COLUMNS = (
    "work_unit_id", "pk", "code", "request_id", "request__code", "request__order_id", "request__order__code",
    "request__order__customer__name_zh", "request__order__customer__name_en", "request__material__code",
    "request__material__name_zh", "request__material__name_en", "name_zh", "name_en", "state", "quantity", "good",
    "scrap", "unit", "actual_start", "operator", "operator_zh", "operator_en", "due_at",
)  # fmt: skip


_COUNTED = ("count__counted", "count__pace_s", "count__is_good_only", "directive__confirms", "troubles")


def running_jobs(*, actor: Actor, work_unit_ids: Iterable[int], now: datetime) -> dict[int, RunningJob]:
    """Work unit -> what it runs, or has interrupted last. One query; units that run nothing are left out.

    Raises
    ------
    PermissionRefused
    """
    actor.require(VIEW)
    sites = actor.site_ids_with(VIEW)
    rows = JobOrder.objects.filter(
        work_unit_id__in=list(work_unit_ids), state__in=[JobState.RUNNING.value, JobState.INTERRUPTED.value]
    )
    if sites is not None:
        rows = rows.filter(site_id__in=sites)
    found: dict[int, RunningJob] = {}
    mine = JobException.objects.filter(work_unit_id=OuterRef("work_unit_id"), state=ExceptionState.OPEN.value)
    how_many = mine.order_by().values("work_unit_id").annotate(n=Count("pk")).values("n")
    values = (
        rows.order_by("state", "changed_at")
        .annotate(troubles=Subquery(how_many))
        .values_list(*_COLUMNS, "setup_s", "run_s", "worked_s", "running_since", "rework", "rank", *_COUNTED)
    )
    for one in values:  # interrupted before running, oldest first: the last one stays
        *shown, setup_s, run_s, worked_s, since, rework, rank, counted, pace_s, is_good_only, confirms, troubles = one
        for place in (6, 7, 8):
            shown[place] = shown[place] or ""
        shown[14] = JobState(shown[14])
        quantity, good, scrap = shown[15:18]
        lost = ZERO if is_good_only else scrap + rework
        made = good if counted is None else max(good, min(counted, quantity) - lost)
        done = float((made + scrap + rework) / quantity) if quantity > ZERO else 0.0
        pace_run_s = run_s if pace_s is None else pace_s * float(quantity)
        end = expected_end(setup_s, pace_run_s, worked_s, since, done, now)
        values_of_row: list[Any] = [*shown, end, end > shown[23], rank == 0, counted, made, pace_s]
        values_of_row += ["quantity" in (confirms or ()), troubles or 0]
        found[shown[0]] = RunningJob(*values_of_row)
    return found


def expected_end(
    setup_s: float, run_s: float, worked_s: float, since: datetime | None, done: float, now: datetime
) -> datetime:
    """Return when a job order will be over: the pieces that are left at the planned pace, or the planned rest.

    Before the first piece the planned time less what was worked; it never lies in the past.
    """
    worked = worked_s + (max(0.0, (now - since).total_seconds()) if since is not None else 0.0)
    rest = setup_s + run_s - worked if done <= 0.0 else run_s * (1.0 - done)
    return now + timedelta(seconds=max(0.0, rest))


def live_jobs(*, actor: Actor, work_unit_ids: Iterable[int], now: datetime) -> list[JobLive]:
    """What screens are told of some work units; one that runs nothing has job order 0. One query."""
    wanted = sorted(set(work_unit_ids))
    running = running_jobs(actor=actor, work_unit_ids=wanted, now=now)
    return [_live(unit_id, running.get(unit_id)) for unit_id in wanted]


def _live(work_unit_id: int, job: RunningJob | None) -> JobLive:
    if job is None:
        return JobLive(work_unit_id, 0, "", 0.0, 0.0, 0.0, 0, False, 0)
    return JobLive(
        work_unit_id,
        job.job_order_id,
        job.state.value,
        float(job.made),
        float(job.scrap),
        float(job.quantity),
        int(job.expected_end.timestamp() * 1e6),
        job.is_late,
        job.open_exceptions,
    )
