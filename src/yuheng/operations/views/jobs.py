"""Job orders: the dispatch list, the queue of a station, one job with its append-only responses."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from yuheng.equipment import selectors as equipment
from yuheng.kernel.errors import Conflict, InvalidInput
from yuheng.operations.drawing import timeline
from yuheng.operations.exception_words import exceptions_shown
from yuheng.operations.labels import JOB_STATE_LABELS, RESPONSE_LABELS
from yuheng.operations.rules import JobState, ReasonKind, ResponseKind
from yuheng.operations.selectors import counts, floor, jobs, running, wip
from yuheng.operations.selectors.exceptions import ExceptionFilter
from yuheng.operations.selectors.jobs import JobFilter, ResponseFilter
from yuheng.operations.services import dispatch
from yuheng.operations.services import help as help_verbs
from yuheng.operations.views.asking import asked_site, now, number, page, query_without, site_of
from yuheng.operations.views.orders import quantity_of
from yuheng.people.identity import actor_of

MOST_CHOSEN = 200


@require_GET
def job_list(request: HttpRequest) -> HttpResponse:
    """The dispatch list: what is to be done at a site, most urgent first."""
    actor, site = asked_site(request)
    at, state = now(), request.GET.get("state", "")
    unit, center, kind = (number(request.GET, name) for name in ("unit", "center", "class"))
    narrowed = JobFilter(
        states=[state] if state in {one.value for one in JobState} else (),
        work_unit_ids=[unit] if unit is not None else (),
        work_center_ids=[center] if center is not None else (),
        equipment_class_ids=[kind] if kind is not None else (),
        request_id=number(request.GET, "request"),
        order_id=number(request.GET, "order"),
        text=request.GET.get("q", "")[:80],
        is_late=request.GET.get("late") == "1",
        is_rush=request.GET.get("rush") == "1",
        is_held=request.GET.get("held") == "1",
        is_unassigned=request.GET.get("unassigned") == "1",
    )
    found = jobs.dispatch_list(
        actor=actor, site_id=site.id, now=at, narrowed=narrowed, cursor=request.GET.get("after", "")
    )
    context = {
        "rows": [(row, row.is_late(at)) for row in found.rows],
        "next_cursor": found.next_cursor,
        "narrowed": narrowed,
        "state": state,
        "states": [(one.value, label) for one, label in JOB_STATE_LABELS.items()],
        "query": query_without(request, site, "after"),
        "units": equipment.work_units(actor=actor, site_id=site.id),
        "wip": wip.wip(actor=actor, site_id=site.id),
        "hold_reasons": floor.reasons(actor=actor, site_id=site.id, kind=ReasonKind.HOLD.value),
        "calls": floor.open_help(actor=actor, site_id=site.id),
    }
    return page(request, "operations/jobs.html", context, site)


@require_GET
def station_queue(request: HttpRequest, work_unit_id: int) -> HttpResponse:
    """What one station does now and next."""
    actor, at = actor_of(request), now()
    unit = equipment.work_unit(actor=actor, work_unit_id=work_unit_id)
    rows = jobs.station_queue(actor=actor, work_unit_id=work_unit_id, now=at)
    _actor, site = site_of(request, unit.site_id)
    context = {
        "unit": unit,
        "rows": [(row, row.is_late(at)) for row in rows],
        "current": running.running_jobs(actor=actor, work_unit_ids=[work_unit_id], now=at).get(work_unit_id),
        "calls": floor.open_help(actor=actor, site_id=unit.site_id, work_unit_id=work_unit_id),
        "exceptions": exceptions_shown(actor, unit.site_id, ExceptionFilter(work_unit_id=work_unit_id)),
        "latest": jobs.responses(
            actor=actor, site_id=unit.site_id, narrowed=ResponseFilter(work_unit_id=work_unit_id), limit=20
        ).rows,
    }
    return page(request, "operations/station_queue.html", context, site)


@require_GET
def job(request: HttpRequest, job_order_id: int) -> HttpResponse:
    """One job order: what it needs, what was said about it, word by word."""
    actor, at = actor_of(request), now()
    detail = jobs.job_detail(actor=actor, job_order_id=job_order_id)
    row = detail.job
    _actor, site = site_of(request, row.site_id)
    context = {
        "detail": detail,
        "job": row,
        "is_late": row.is_late(at),
        "drawn": timeline([row], at),
        "count": counts.counts_of(job_order_ids=[row.id]).get(row.id),
        "exceptions": exceptions_shown(actor, row.site_id, ExceptionFilter(job_order_id=row.id)),
        "checks": [(one, detail.checks_done.get(one["code"])) for one in detail.directive.get("checks", [])],
        "responses": [(one, RESPONSE_LABELS[ResponseKind(one.kind)]) for one in detail.responses],
        "units": equipment.work_units(actor=actor, site_id=row.site_id),
        "hold_reasons": floor.reasons(actor=actor, site_id=row.site_id, kind=ReasonKind.HOLD.value),
        "cancel_reasons": floor.reasons(actor=actor, site_id=row.site_id, kind=ReasonKind.CANCEL.value),
    }
    return page(request, "operations/job.html", context, site)


@require_POST
def act_on_job(request: HttpRequest, job_order_id: int) -> HttpResponse:
    """What a dispatcher does to one job order."""
    jobs.job_order(actor=actor_of(request), job_order_id=job_order_id)  # before anything is said about the form
    try:
        _act(request, [job_order_id])
        messages.success(request, _("Done."))
    except (Conflict, InvalidInput) as refusal:
        messages.error(request, " ".join(dict.fromkeys([str(refusal), *getattr(refusal, "fields", {}).values()])))
    return redirect("operations:job", job_order_id=job_order_id)


@require_POST
def act_on_jobs(request: HttpRequest) -> HttpResponse:
    """What a dispatcher does to several job orders at once: all of it or nothing."""
    _actor, site = asked_site(request, "operations.dispatch")
    chosen = [int(one) for one in request.POST.getlist("job") if one.isdigit()][:MOST_CHOSEN]
    try:
        if not chosen:
            raise InvalidInput(_("Choose job orders first."))
        _act(request, chosen)
        messages.success(request, _("Done."))
    except (Conflict, InvalidInput) as refusal:
        messages.error(request, str(refusal))
    answer = redirect("operations:jobs")
    answer["Location"] += f"?site={site.code}"
    return answer


def _act(request: HttpRequest, chosen: list[int]) -> None:
    actor, at, given = actor_of(request), now(), request.POST
    action, reason = given.get("action", ""), given.get("reason", "")
    if action == "assign":
        unit = number(given, "unit")
        dispatch.assign_job_orders(actor=actor, assignments=dict.fromkeys(chosen, unit), at=at)
    elif action == "hold":
        dispatch.hold_job_orders(actor=actor, job_order_ids=chosen, reason=reason, at=at)
    elif action == "let_go":
        dispatch.let_go_job_orders(actor=actor, job_order_ids=chosen, at=at)
    elif action == "cancel":
        dispatch.cancel_job_orders(actor=actor, job_order_ids=chosen, reason=reason, at=at)
    elif action == "split" and len(chosen) == 1:
        off = quantity_of(given, "quantity")
        whole = jobs.job_order(actor=actor, job_order_id=chosen[0]).quantity
        dispatch.split_job_order(actor=actor, job_order_id=chosen[0], quantities=[whole - off, off], at=at)
    elif action == "rework" and len(chosen) == 1:
        quantity = quantity_of(given, "quantity")
        dispatch.add_rework(actor=actor, job_order_id=chosen[0], quantity=quantity, reason=reason, at=at)
    elif action == "abort" and len(chosen) == 1:
        dispatch.abort_job_order(actor=actor, job_order_id=chosen[0], reason=reason, at=at)
    else:
        raise InvalidInput(_("There is no such action."))


@require_POST
def act_on_help(request: HttpRequest, help_id: int) -> HttpResponse:
    """Say that one comes, or that it is over."""
    actor, at = actor_of(request), now()
    try:
        if request.POST.get("action") == "end":
            row = help_verbs.end_help(actor=actor, help_id=help_id, at=at, note=request.POST.get("note", ""))
        else:
            row = help_verbs.answer_help(actor=actor, help_id=help_id, at=at)
        messages.success(request, _("Done."))
    except Conflict as refusal:
        messages.error(request, str(refusal))
        return redirect("operations:jobs")
    return redirect("operations:station_queue", work_unit_id=row.work_unit_id)
