"""Production orders (operations requests): the list, one with its way, and the traveller that goes with it."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from yuheng.engineering import selectors as engineering
from yuheng.kernel.errors import Conflict, InvalidInput
from yuheng.operations.labels import REQUEST_STATE_LABELS
from yuheng.operations.rules import JobState
from yuheng.operations.selectors import jobs, orders, progress, stock
from yuheng.operations.selectors.orders import RequestFilter
from yuheng.operations.services import orders as order_verbs
from yuheng.operations.services import requests as verbs
from yuheng.operations.views.asking import asked_site, now, number, page, query_without, site_of
from yuheng.operations.views.orders import way_shown
from yuheng.people.identity import actor_of

TRAVELLER_JOBS = 100
"""Job orders of one traveller; an escalator's parts have travellers of their own."""


@require_GET
def request_list(request: HttpRequest) -> HttpResponse:
    """Production orders: open ones by urgency, or all, newest first."""
    actor, site = asked_site(request)
    at, state = now(), request.GET.get("state", "")
    narrowed = RequestFilter(
        state=state if state == "all" or state in {one.value for one in REQUEST_STATE_LABELS} else "",
        text=request.GET.get("q", "")[:80],
        material_id=number(request.GET, "material"),
        only_products=request.GET.get("parts") != "1",
        is_late=request.GET.get("late") == "1",
        is_rush=request.GET.get("rush") == "1",
    )
    found = orders.requests(
        actor=actor, site_id=site.id, now=at, narrowed=narrowed, cursor=request.GET.get("after", "")
    )
    may_enter = actor.may("orders.edit", site_id=site.id)
    context = {
        "rows": [(row, row.is_late(at)) for row in found.rows],
        "next_cursor": found.next_cursor,
        "narrowed": narrowed,
        "states": [(one.value, label) for one, label in REQUEST_STATE_LABELS.items()],
        "query": query_without(request, site, "after"),
        "products": engineering.search_materials(actor=actor, site_id=site.id, source="make", limit=500)
        if may_enter
        else [],
    }
    return page(request, "operations/requests.html", context, site)


@require_GET
def request_page(request: HttpRequest, request_id: int) -> HttpResponse:
    """One production order with everything below it."""
    actor, at = actor_of(request), now()
    row = orders.request_detail(actor=actor, request_id=request_id)
    way = progress.order_progress(actor=actor, now=at, request_id=request_id)
    _actor, site = site_of(request, row.site_id)
    lots = stock.lots_of_request(actor=actor, request_id=request_id, site_id=row.site_id)
    context = {"request_row": row, "is_late": row.is_late(at), "way": way_shown(way, at), "lots": lots}
    return page(request, "operations/request.html", context, site)


@require_GET
def traveller(request: HttpRequest, request_id: int) -> HttpResponse:
    """The sheet that goes with a production order, A4, with codes to scan."""
    actor = actor_of(request)
    row = orders.request_detail(actor=actor, request_id=request_id)
    found = jobs.dispatch_list(
        actor=actor,
        site_id=row.site_id,
        now=now(),
        narrowed=jobs.JobFilter(request_id=request_id, states=[state.value for state in JobState]),
        limit=TRAVELLER_JOBS,
    )
    steps = sorted(found.rows, key=lambda one: (one.position, one.id))
    details = jobs.job_details(actor=actor, job_order_ids=[one.id for one in steps])
    _actor, site = site_of(request, row.site_id)
    lots = stock.lots_of_request(actor=actor, request_id=request_id, site_id=row.site_id, limit=20)
    context = {"request_row": row, "details": details, "lots": lots, "printed_at": now()}
    return page(request, "operations/traveller.html", context, site)


@require_POST
def act(request: HttpRequest, request_id: int) -> HttpResponse:
    """Release, hold, let go, cancel, abort, close a production order, or change its urgency."""
    actor, at, given = actor_of(request), now(), request.POST
    orders.request_detail(actor=actor, request_id=request_id)  # before anything is said about the form
    action, reason = given.get("action", ""), given.get("reason", "")
    try:
        if action == "release":
            order_verbs.release_request(actor=actor, request_id=request_id, at=at)
        elif action == "let_go":
            verbs.let_go_request(actor=actor, request_id=request_id, at=at)
        elif action == "close":
            verbs.close_request(actor=actor, request_id=request_id, at=at)
        elif action == "priority":
            priority = number(given, "priority") or 0
            verbs.set_priority(
                actor=actor, request_id=request_id, priority=priority, is_rush=given.get("is_rush") == "on", at=at
            )
        elif action in _WITH_REASON:
            _WITH_REASON[action](actor=actor, request_id=request_id, reason=reason, at=at)
        else:
            raise InvalidInput(_("There is no such action."))
        messages.success(request, _("Done."))
    except (Conflict, InvalidInput) as refusal:
        messages.error(request, str(refusal))
    return redirect("operations:request", request_id=request_id)


_WITH_REASON = {"hold": verbs.hold_request, "cancel": verbs.cancel_request, "abort": verbs.abort_request}
