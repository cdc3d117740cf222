"""JSON edge: job orders as questions, and what the dispatcher does with them."""

from __future__ import annotations

from typing import Annotated

from django.http import HttpRequest
from ninja import Field, Query, Router, Schema
from pydantic import AwareDatetime

from yuheng.operations.api.schemas import Amount, Limit, OrderReasonIn, Reason, now, page_of, schema_of
from yuheng.operations.selectors import jobs, running, wip
from yuheng.operations.selectors.jobs import JobDetail, JobFilter, ResponseFilter, ResponseRow
from yuheng.operations.selectors.pages import Page
from yuheng.operations.selectors.rows import JobRow
from yuheng.operations.selectors.running import RunningJob
from yuheng.operations.selectors.wip import WipRow
from yuheng.operations.services import dispatch
from yuheng.operations.services.facts import Done
from yuheng.people.identity import actor_of

router = Router(tags=["operations"])
JobOut = schema_of(JobRow)
JobPageOut = page_of(JobRow)
JobDetailOut = schema_of(JobDetail)
ResponsePageOut = page_of(ResponseRow)
RunningOut = schema_of(RunningJob)
WipOut = schema_of(WipRow)
DoneOut = schema_of(Done)
Words = Annotated[str, Field(max_length=400)]


class JobQuery(Schema):
    """Which job orders; lists are written with commas. Without ``states``: what is open."""

    site_id: int
    states: Words = ""
    substates: Words = ""
    work_unit_ids: Words = ""
    work_center_ids: Words = ""
    request_id: int | None = None
    order_id: int | None = None
    text: Annotated[str, Field(max_length=80)] = ""
    is_late: bool = False
    is_rush: bool = False
    is_held: bool = False
    is_unassigned: bool = False
    cursor: Annotated[str, Field(max_length=60)] = ""
    limit: Limit = 50


class JobIds(Schema):
    """Job orders."""

    job_order_ids: Annotated[list[int], Field(min_length=1, max_length=dispatch.MOST_AT_ONCE)]


class HoldIn(JobIds):
    """Job orders, and why."""

    reason: Reason


class AssignmentIn(Schema):
    """A job order to a work unit (null: to nobody), perhaps with planned times."""

    job_order_id: int
    work_unit_id: int | None = None
    planned_start: AwareDatetime | None = None
    planned_end: AwareDatetime | None = None


class AssignIn(Schema):
    """Assignments; all or none."""

    assignments: Annotated[list[AssignmentIn], Field(min_length=1, max_length=dispatch.MOST_AT_ONCE)]


class SplitIn(Schema):
    """The parts' quantities, together the job's own; a work unit for each, or none."""

    quantities: Annotated[list[Amount], Field(max_length=dispatch.MOST_PARTS)]
    units: Annotated[list[int | None], Field(max_length=dispatch.MOST_PARTS)] = []


class ReworkIn(Schema):
    """How many good pieces have to be worked on again, and why."""

    quantity: Amount
    reason: Reason


class SupplierIn(Schema):
    """To whom it is sent."""

    supplier_id: int


class ChangedOut(Schema):
    """How many were changed."""

    changed: int


class SplitOut(Schema):
    """Ids of all parts, the job order's own first."""

    job_order_ids: list[int]


class ResponseQuery(Schema):
    """Which job responses."""

    site_id: int
    job_order_id: int | None = None
    request_id: int | None = None
    work_unit_id: int | None = None
    kinds: Words = ""
    cursor: Annotated[str, Field(max_length=60)] = ""
    limit: Limit = 50


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]


def _ids(text: str) -> list[int]:
    return [int(word) for word in _words(text) if word.isascii() and word.isdigit() and len(word) < 19]


@router.get("/job-orders", response=JobPageOut)
def list_job_orders(request: HttpRequest, query: Query[JobQuery]) -> Page[JobRow]:
    """The dispatch list: job orders by urgency, page by page."""
    narrowed = JobFilter(
        states=_words(query.states), substates=_words(query.substates), work_unit_ids=_ids(query.work_unit_ids),
        work_center_ids=_ids(query.work_center_ids), request_id=query.request_id, order_id=query.order_id,
        text=query.text, is_late=query.is_late, is_rush=query.is_rush, is_held=query.is_held,
        is_unassigned=query.is_unassigned,
    )  # fmt: skip
    return jobs.dispatch_list(
        actor=actor_of(request), site_id=query.site_id, now=now(), narrowed=narrowed, cursor=query.cursor,
        limit=query.limit,
    )  # fmt: skip


@router.get("/job-orders/by-code", response=JobOut)
def job_order_by_code(request: HttpRequest, site_id: int, job_code: Annotated[str, Query(max_length=120)]) -> JobRow:
    """The job order that a scanned traveller means."""
    return jobs.job_by_code(actor=actor_of(request), site_id=site_id, code=job_code)


@router.get("/job-orders/{int:job_order_id}", response=JobDetailOut)
def get_job_order(request: HttpRequest, job_order_id: int) -> JobDetail:
    """One job order with its directive, material, neighbours and responses."""
    return jobs.job_detail(actor=actor_of(request), job_order_id=job_order_id)


@router.get("/work-units/{int:work_unit_id}/queue", response=list[JobOut])  # type: ignore[valid-type]
def station_queue(request: HttpRequest, work_unit_id: int, limit: Limit = 50) -> list[JobRow]:
    """What a station runs, and what it may run next."""
    return jobs.station_queue(actor=actor_of(request), work_unit_id=work_unit_id, now=now(), limit=limit)


@router.get("/running-jobs", response=list[RunningOut])  # type: ignore[valid-type]
def running_jobs(request: HttpRequest, work_unit_ids: Annotated[str, Query(max_length=20000)]) -> list[RunningJob]:
    """What work units run now, for whom, until when; ids separated by commas."""
    found = running.running_jobs(actor=actor_of(request), work_unit_ids=_ids(work_unit_ids), now=now())
    return list(found.values())


@router.get("/job-responses", response=ResponsePageOut)
def list_job_responses(request: HttpRequest, query: Query[ResponseQuery]) -> Page[ResponseRow]:
    """What came back from the floor, newest first."""
    narrowed = ResponseFilter(query.job_order_id, query.request_id, query.work_unit_id, _words(query.kinds))
    return jobs.responses(
        actor=actor_of(request), site_id=query.site_id, narrowed=narrowed, cursor=query.cursor, limit=query.limit
    )


@router.get("/work-in-progress", response=list[WipOut])  # type: ignore[valid-type]
def work_in_progress(request: HttpRequest, site_id: int) -> list[WipRow]:
    """Open job orders by work center: how many wait, run, are interrupted, and their planned hours."""
    return wip.wip(actor=actor_of(request), site_id=site_id)


@router.post("/job-orders/assign", response=ChangedOut)
def assign_job_orders(request: HttpRequest, body: AssignIn) -> dict[str, int]:
    """Give job orders that have not begun to work units; all or none."""
    planned = {
        one.job_order_id: (one.planned_start, one.planned_end)
        for one in body.assignments
        if one.planned_start is not None and one.planned_end is not None
    }
    changed = dispatch.assign_job_orders(
        actor=actor_of(request), assignments={one.job_order_id: one.work_unit_id for one in body.assignments},
        planned=planned, at=now(),
    )  # fmt: skip
    return {"changed": changed}


@router.post("/job-orders/hold", response=ChangedOut)
def hold_job_orders(request: HttpRequest, body: HoldIn) -> dict[str, int]:
    """Put job orders on hold, with a reason; running ones are suspended."""
    return {
        "changed": dispatch.hold_job_orders(
            actor=actor_of(request), job_order_ids=body.job_order_ids, reason=body.reason, at=now()
        )
    }


@router.post("/job-orders/let-go", response=ChangedOut)
def let_go_job_orders(request: HttpRequest, body: JobIds) -> dict[str, int]:
    """Take job orders off hold."""
    return {"changed": dispatch.let_go_job_orders(actor=actor_of(request), job_order_ids=body.job_order_ids, at=now())}


@router.post("/job-orders/cancel", response=ChangedOut)
def cancel_job_orders(request: HttpRequest, body: HoldIn) -> dict[str, int]:
    """Take job orders off the list that have not begun."""
    return {
        "changed": dispatch.cancel_job_orders(
            actor=actor_of(request), job_order_ids=body.job_order_ids, reason=body.reason, at=now()
        )
    }


@router.post("/job-orders/{int:job_order_id}/split", response=SplitOut)
def split_job_order(request: HttpRequest, job_order_id: int, body: SplitIn) -> dict[str, list[int]]:
    """Divide a job order over parallel machines."""
    return {
        "job_order_ids": dispatch.split_job_order(
            actor=actor_of(request), job_order_id=job_order_id, quantities=body.quantities, work_unit_ids=body.units,
            at=now(),
        )
    }  # fmt: skip


@router.post("/job-orders/{int:job_order_id}/abort", response=DoneOut)
def abort_job_order(request: HttpRequest, job_order_id: int, body: OrderReasonIn) -> Done:
    """Give a job order up; what it has reported stays."""
    return dispatch.abort_job_order(actor=actor_of(request), job_order_id=job_order_id, reason=body.reason, at=now())


@router.post("/job-orders/{int:job_order_id}/rework", response=JobOut)
def add_rework(request: HttpRequest, job_order_id: int, body: ReworkIn) -> JobRow:
    """Have good pieces of a step worked on again; answers with the job order made for them."""
    made = dispatch.add_rework(
        actor=actor_of(request), job_order_id=job_order_id, quantity=body.quantity, reason=body.reason, at=now()
    )
    return jobs.job_order(actor=actor_of(request), job_order_id=made.pk)


@router.post("/job-orders/{int:job_order_id}/send-out", response=JobOut)
def send_job_order_out(request: HttpRequest, job_order_id: int, body: SupplierIn) -> JobRow:
    """Give a step to a supplier."""
    dispatch.send_out(actor=actor_of(request), job_order_id=job_order_id, supplier_id=body.supplier_id, at=now())
    return jobs.job_order(actor=actor_of(request), job_order_id=job_order_id)
