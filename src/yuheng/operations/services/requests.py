"""The dispatcher's verbs on whole operations requests: hold, let go, cancel, abort, close, priority."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from yuheng.kernel import audit
from yuheng.kernel.actor import Actor
from yuheng.kernel.errors import Conflict
from yuheng.kernel.events import publish
from yuheng.operations.events import RequestChanged
from yuheng.operations.models import JobOrder, OperationsRequest
from yuheng.operations.rules import OPEN_STATES, JobState, JobSubstate, RequestState, may_move
from yuheng.operations.services import release
from yuheng.operations.services.access import DISPATCH, locked_request
from yuheng.operations.services.checks import check_priority, refuse
from yuheng.operations.services.dispatch import abort_one, hold_one, let_go_one, propagate_ready
from yuheng.operations.services.flow import close_requirements, complete_order, propagate, refresh_request
from yuheng.operations.services.refusals import reason_needed

_OPEN = sorted(state.value for state in OPEN_STATES)


@transaction.atomic
def hold_request(*, actor: Actor, request_id: int, reason: str, at: datetime) -> OperationsRequest:
    """Put a request with all its open job orders on hold.

    Raises `PermissionRefused`, `NotVisible`, `InvalidInput`, `Conflict`.
    """
    request = _request(actor, request_id, RequestState.HELD)
    if not reason.strip():
        raise reason_needed()
    for job in _open_jobs(request):
        if job.state != JobState.NOT_ALLOWED_TO_START.value and job.substate != JobSubstate.SUSPENDED.value:
            hold_one(job, reason=reason.strip(), actor=actor, at=at)
    request.state, request.hold_reason = RequestState.HELD.value, reason.strip()[:1000]
    request.save(update_fields=["state", "hold_reason"])
    return _tell(request, "held", actor=actor, at=at, reason=reason.strip())


@transaction.atomic
def let_go_request(*, actor: Actor, request_id: int, at: datetime) -> OperationsRequest:
    """Take a request with its job orders off hold. Raises as `hold_request`."""
    request = locked_request(actor=actor, request_id=request_id, permission=DISPATCH)
    if request.state != RequestState.HELD.value:
        raise Conflict(_("Request %(request)s is not on hold.") % {"request": request.code})
    jobs = _open_jobs(request)
    for job in jobs:
        if job.state == JobState.NOT_ALLOWED_TO_START.value or job.substate == JobSubstate.SUSPENDED.value:
            let_go_one(job, at=at)
    request.state = (RequestState.RUNNING if request.started_at else RequestState.RELEASED).value
    request.hold_reason = ""
    request.save(update_fields=["state", "hold_reason"])
    propagate_ready(jobs, at=at)
    return _tell(request, "let_go", actor=actor, at=at)


@transaction.atomic
def cancel_request(*, actor: Actor, request_id: int, reason: str, at: datetime) -> OperationsRequest:
    """Cancel a request of which nothing has begun, with the requests below it. Raises as `hold_request`."""
    request = _request(actor, request_id, RequestState.CANCELLED)
    if not reason.strip():
        raise reason_needed()
    family = _family(request)
    if family.filter(started_at__isnull=False).exists():
        raise Conflict(_("Work on request %(request)s has begun; abort it instead.") % {"request": request.code})
    release.cancel_all(family, reason=reason.strip(), at=at)
    request.refresh_from_db(fields=["state", "hold_reason", "ended_at", "jobs_over", "planned_s", "done_s"])
    if request.order_id is not None and request.parent_id is None:
        complete_order(request.order_id, at=at)
    return _tell(request, "cancelled", actor=actor, at=at, reason=reason.strip())


@transaction.atomic
def abort_request(*, actor: Actor, request_id: int, reason: str, at: datetime) -> OperationsRequest:
    """Give up a request that has begun, with the open job orders of it and of what is below it.

    Raises as `hold_request`.
    """
    request = _request(actor, request_id, RequestState.ABORTED)
    if not reason.strip():
        raise reason_needed()
    rows = list(
        _family(request).filter(state__in=["released", "running", "held"]).select_for_update(of=("self",), no_key=True)
    )
    for row in rows:
        row.state, row.hold_reason, row.ended_at = RequestState.ABORTED.value, reason.strip()[:1000], at
        row.save(update_fields=["state", "hold_reason", "ended_at"])
        jobs = _open_jobs(row)
        for job in jobs:
            abort_one(job, reason=reason.strip(), actor=actor, at=at)
        propagate(jobs, at=at)
        refresh_request(row, at=at)
    close_requirements([row.pk for row in rows])
    request.refresh_from_db(fields=["state", "hold_reason", "ended_at"])
    if request.order_id is not None and request.parent_id is None:
        complete_order(request.order_id, at=at)
    return _tell(request, "aborted", actor=actor, at=at, reason=reason.strip())


@transaction.atomic
def close_request(*, actor: Actor, request_id: int, at: datetime) -> OperationsRequest:
    """Close a request that is over: nothing about it is changed any more (the standard's Clear).

    Raises as `hold_request`.
    """
    request = _request(actor, request_id, RequestState.CLOSED)
    done = JobOrder.objects.filter(request_id=request.pk, state=JobState.ENDED.value)
    done.update(substate=JobSubstate.CLOSED.value, changed_at=at)
    request.state = RequestState.CLOSED.value
    request.save(update_fields=["state"])
    return _tell(request, "closed", actor=actor, at=at)


@transaction.atomic
def set_priority(
    *, actor: Actor, request_id: int, priority: int, at: datetime, is_rush: bool = False
) -> OperationsRequest:
    """Give a request, what is below it, and their open job orders another priority. Raises as `hold_request`."""
    request = locked_request(actor=actor, request_id=request_id, permission=DISPATCH)
    refuse(_("The priority cannot be accepted."), check_priority(priority))
    before = {"priority": request.priority, "is_rush": request.is_rush}
    release.reorder(_family(request), priority, is_rush=is_rush)
    request.refresh_from_db(fields=["priority", "is_rush", "rank"])
    return _tell(request, "priority", actor=actor, at=at, before=before, priority=priority, is_rush=is_rush)


def _request(actor: Actor, request_id: int, to: RequestState) -> OperationsRequest:
    request = locked_request(actor=actor, request_id=request_id, permission=DISPATCH)
    if not may_move(RequestState(request.state), to):
        raise Conflict(
            _("This is not possible: request %(request)s is %(state)s.")
            % {"request": request.code, "state": request.state}
        )
    return request


def _family(request: OperationsRequest) -> Any:
    """Return the request and everything below it: parts are made for it alone."""
    if request.parent_id is None:
        found = OperationsRequest.objects.filter(pk=request.pk) | OperationsRequest.objects.filter(root_id=request.pk)
    else:
        below = OperationsRequest.objects.filter(root_id=request.root_id, path__startswith=f"{request.path}/")
        found = OperationsRequest.objects.filter(pk=request.pk) | below
    return found.defer("resolution").order_by("-level", "pk")


def _open_jobs(request: OperationsRequest) -> list[JobOrder]:
    rows = (
        JobOrder.objects.filter(request_id=request.pk, state__in=_OPEN)
        .select_for_update(of=("self",), no_key=True)
        .order_by("pk")
    )
    jobs = list(rows)
    for job in jobs:
        job.request = request
    return jobs


def _tell(request: OperationsRequest, change: str, *, actor: Actor, at: datetime, **detail: Any) -> OperationsRequest:
    publish(RequestChanged(site_id=request.site_id, request_id=request.pk, code=request.code, change=change), at=at)
    audit.record(
        actor=actor, action=f"request.{change}", at=at, site_id=request.site_id, object_kind="request",
        object_id=request.code, **detail,
    )  # fmt: skip
    return request
