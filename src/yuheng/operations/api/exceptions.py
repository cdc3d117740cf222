"""JSON edge: what machines counted, and where they and what people report disagree."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from django.http import HttpRequest
from ninja import Field, Query, Router, Schema
from pydantic import AwareDatetime

from yuheng.operations.api.schemas import Limit, now, page_of, schema_of
from yuheng.operations.rules.signals import ExceptionKind, ExceptionState
from yuheng.operations.selectors import counts, cycles, jobs
from yuheng.operations.selectors import exceptions as selectors
from yuheng.operations.selectors.counts import Count
from yuheng.operations.selectors.cycles import CycleRow, MeasuredJob
from yuheng.operations.selectors.exceptions import ExceptionFilter, ExceptionRow
from yuheng.operations.selectors.pages import Page
from yuheng.operations.services.signals import deciding
from yuheng.people.identity import actor_of

router = Router(tags=["operations"])
ExceptionOut = schema_of(ExceptionRow)
ExceptionPageOut = page_of(ExceptionRow)
CycleOut = schema_of(CycleRow)
MeasuredPageOut = page_of(MeasuredJob)
CountOut = schema_of(Count)
Note = Annotated[str, Field(max_length=1000)]


class ExceptionQuery(Schema):
    """Which exceptions; without ``state``: what is open. ``all``: whatever became of them."""

    site_id: int
    state: Annotated[str, Field(max_length=12)] = ""
    kind: ExceptionKind | None = None
    work_unit_id: int | None = None
    job_order_id: int | None = None
    order_id: int | None = None
    cursor: Annotated[str, Field(max_length=60)] = ""
    limit: Limit = 50


class ExceptionSpanQuery(Schema):
    """A time at a site, and perhaps one machine or one job order."""

    site_id: int
    start: AwareDatetime
    end: AwareDatetime
    work_unit_id: int | None = None
    job_order_id: int | None = None


class MeasuredQuery(Schema):
    """Which measured job orders."""

    site_id: int
    start: AwareDatetime
    end: AwareDatetime
    work_unit_id: int | None = None
    material_id: int | None = None
    cursor: Annotated[str, Field(max_length=60)] = ""
    limit: Limit = 50


class ExceptionNoteIn(Schema):
    """What it was."""

    note: Note = ""


class DecidedOut(Schema):
    """What became of an exception."""

    id: int
    state: str
    decided_by: str
    decided_at: datetime | None


@router.get("/job-exceptions", response=ExceptionPageOut)
def list_job_exceptions(request: HttpRequest, query: Query[ExceptionQuery]) -> Page[ExceptionRow]:
    """Where machines and reports disagree, newest first."""
    is_known = query.state in {"all", *(one.value for one in ExceptionState)}
    narrowed = ExceptionFilter(
        query.state if is_known else "", query.kind.value if query.kind else "", query.work_unit_id,
        query.job_order_id, query.order_id,
    )  # fmt: skip
    return selectors.exceptions(
        actor=actor_of(request), site_id=query.site_id, narrowed=narrowed, cursor=query.cursor, limit=query.limit
    )


@router.get("/job-exceptions/{int:exception_id}", response=ExceptionOut)
def get_job_exception(request: HttpRequest, exception_id: int) -> ExceptionRow:
    """One disagreement, with its evidence."""
    return selectors.exception(actor=actor_of(request), exception_id=exception_id)


@router.post("/job-exceptions/{int:exception_id}/accept", response=DecidedOut)
def accept_job_exception(request: HttpRequest, exception_id: int, body: ExceptionNoteIn) -> object:
    """The report stays as it is."""
    return deciding.accept_report(actor=actor_of(request), exception_id=exception_id, note=body.note, at=now())


@router.post("/job-exceptions/{int:exception_id}/correct", response=DecidedOut)
def correct_job_exception(request: HttpRequest, exception_id: int, body: ExceptionNoteIn) -> object:
    """Take the machine's count: the report is corrected by a new response."""
    return deciding.take_count(actor=actor_of(request), exception_id=exception_id, note=body.note, at=now())


@router.post("/job-exceptions/{int:exception_id}/explain", response=DecidedOut)
def explain_job_exception(request: HttpRequest, exception_id: int, body: ExceptionNoteIn) -> object:
    """Say what it was; nothing is changed."""
    return deciding.explain(actor=actor_of(request), exception_id=exception_id, note=body.note, at=now())


@router.get("/job-orders/{int:job_order_id}/count", response=CountOut | None)
def job_order_count(request: HttpRequest, job_order_id: int) -> Count | None:
    """What its machine counted for a job order; null when no machine did."""
    jobs.job_order(actor=actor_of(request), job_order_id=job_order_id)
    return counts.counts_of(job_order_ids=[job_order_id]).get(job_order_id)


@router.get("/machine-cycles", response=list[CycleOut])  # type: ignore[valid-type]
def machine_cycles(request: HttpRequest, query: Query[ExceptionSpanQuery], limit: Limit = 500) -> list[CycleRow]:
    """Cycles that machines counted for jobs, by machine and time."""
    return cycles.cycles(
        actor=actor_of(request), site_id=query.site_id, start=query.start, end=query.end,
        work_unit_ids=[query.work_unit_id] if query.work_unit_id is not None else (),
        job_order_ids=[query.job_order_id] if query.job_order_id is not None else (), limit=limit,
    )  # fmt: skip


@router.get("/measured-jobs", response=MeasuredPageOut)
def measured_jobs(request: HttpRequest, query: Query[MeasuredQuery]) -> Page[MeasuredJob]:
    """Planned against measured set-up and run time of job orders, newest first."""
    return cycles.measured_jobs(
        actor=actor_of(request), site_id=query.site_id, start=query.start, end=query.end,
        work_unit_ids=[query.work_unit_id] if query.work_unit_id is not None else (),
        material_ids=[query.material_id] if query.material_id is not None else (),
        cursor=query.cursor, limit=query.limit,
    )  # fmt: skip
