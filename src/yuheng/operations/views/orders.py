"""Customer orders: the list, one order with its way through the plant, entering and releasing by forms."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from yuheng.engineering import selectors as engineering
from yuheng.equipment.selectors import SiteRow
from yuheng.kernel.actor import Actor
from yuheng.kernel.errors import Conflict, InvalidInput
from yuheng.operations.drawing import route_graph, timeline
from yuheng.operations.exception_words import exceptions_shown
from yuheng.operations.labels import ORDER_STATE_LABELS
from yuheng.operations.option_words import choices_for_form, options_said
from yuheng.operations.selectors import orders, progress
from yuheng.operations.selectors.exceptions import ExceptionFilter
from yuheng.operations.selectors.orders import OrderFilter, RequestRow
from yuheng.operations.selectors.progress import Progress
from yuheng.operations.services import orders as verbs
from yuheng.operations.services.checks import options_of
from yuheng.operations.services.orders import LineSpec, OrderSpec, PartySpec, RequestSpec
from yuheng.operations.views.asking import asked_site, now, number, page, query_without, site_of, wall_moment
from yuheng.people.identity import actor_of

EDIT = "orders.edit"
NEW_LINES = 5
"""Lines that the form of a new order offers; more come by import or API."""


@require_GET
def order_list(request: HttpRequest) -> HttpResponse:
    """Customer orders: open ones by urgency, or all, newest first."""
    actor, site = asked_site(request)
    at = now()
    narrowed = OrderFilter(
        state=_known_state(request.GET.get("state", "")),
        text=request.GET.get("q", "")[:80],
        is_late=request.GET.get("late") == "1",
        is_rush=request.GET.get("rush") == "1",
    )
    found = orders.order_list(
        actor=actor, site_id=site.id, now=at, narrowed=narrowed, cursor=request.GET.get("after", "")
    )
    context = {
        "rows": [(row, row.is_late(at)) for row in found.rows],
        "next_cursor": found.next_cursor,
        "narrowed": narrowed,
        "states": [(state.value, label) for state, label in ORDER_STATE_LABELS.items()],
        "query": query_without(request, site, "after"),
    }
    return page(request, "operations/orders.html", context, site)


def _known_state(text: str) -> str:
    return text if text == "all" or text in {state.value for state in ORDER_STATE_LABELS} else ""


@require_GET
def order(request: HttpRequest, order_id: int) -> HttpResponse:
    """One order: promise, lines, and where every piece is."""
    actor, at = actor_of(request), now()
    row = orders.order_detail(actor=actor, order_id=order_id)
    way = progress.order_progress(actor=actor, now=at, order_id=order_id)
    _actor, site = site_of(request, row.site_id)
    known = engineering.options_of(material_ids={line.material_id for line in row.lines if line.options})
    context = {
        "order": row,
        "lines": [(line, options_said(line.material_id, line.options, known)) for line in row.lines],
        "is_late": row.is_late(at),
        "way": way_shown(way, at),
        "exceptions": exceptions_shown(actor, row.site_id, ExceptionFilter(order_id=order_id)),
    }
    return page(request, "operations/order.html", context, site)


@dataclass(frozen=True, slots=True)
class RequestShown:
    """A production order with its steps, as the page draws them."""

    row: RequestRow
    is_late: bool
    steps: list[dict[str, Any]]
    materials: list[Any]


def way_shown(way: Progress, at: datetime) -> dict[str, Any]:
    """Return the way of an order: each request with its steps on one common line of time."""
    drawn = timeline(way.jobs, at)
    pieces = {one.job_order_id: one for one in way.pieces}
    codes = {job.id: job.code for job in way.jobs}
    before: dict[int, list[tuple[int, str]]] = {}
    for link in way.links:
        before.setdefault(link.after, []).append((link.before, codes.get(link.before, "")))
    requests = [
        RequestShown(
            row=row,
            is_late=row.is_late(at),
            steps=[
                {
                    "job": job,
                    "step": drawn.steps[job.id] if drawn else None,
                    "pieces": pieces.get(job.id),
                    "waits": way.waits.get(job.id, ""),
                    "before": before.get(job.id, []),
                }
                for job in way.jobs
                if job.request_id == row.id
            ],
            materials=way.requirements.get(row.id, []),
        )
        for row in way.requests
    ]
    graph = route_graph(way.jobs, [(link.before, link.after) for link in way.links])
    return {"requests": requests, "drawn": drawn, "graph": graph}


# ---- entering and releasing ---------------------------------------------------------------------------------------


@require_http_methods(["GET", "POST"])
def new_order(request: HttpRequest) -> HttpResponse:
    """Enter an order."""
    actor, site = asked_site(request, EDIT)
    if request.method == "POST":
        try:
            made = verbs.enter_order(actor=actor, site_id=site.id, spec=_spec(request, site), at=now())
            messages.success(
                request, _("Order %(code)s is entered. Release it when it shall be made.") % {"code": made.code}
            )
            return redirect("operations:order", order_id=made.pk)
        except InvalidInput as refusal:
            return _order_form(request, actor, site, refusal)
    return _order_form(request, actor, site, None)


def _order_form(request: HttpRequest, actor: Actor, site: SiteRow, refusal: InvalidInput | None) -> HttpResponse:
    given = request.POST if request.method == "POST" else request.GET
    products = engineering.search_materials(actor=actor, site_id=site.id, source="make", limit=500)
    context = {
        "given": given,
        "refusal": str(refusal) if refusal else "",
        "wrong": refusal.fields if refusal else {},
        "customers": [row for row in orders.parties(actor=actor, site_id=site.id, limit=500) if row.is_customer],
        "products": products,
        "choices": choices_for_form(material_codes={one.id: one.code for one in products}),
        "lines": [
            {
                "n": n,
                "material": given.get(f"material_{n}", ""),
                "quantity": given.get(f"quantity_{n}", ""),
                "options": given.get(f"options_{n}", ""),
                "serial": given.get(f"serial_{n}", ""),
            }
            for n in range(1, NEW_LINES + 1)
        ],
    }
    return page(request, "operations/new_order.html", context, site, status=422 if refusal else 200)


def _spec(request: HttpRequest, site: SiteRow) -> OrderSpec:
    given = request.POST
    promised = wall_moment(given.get("promised_at", ""), site.time_zone)
    if promised is None:
        message = _("Say until when it is promised.")
        raise InvalidInput(message, {"promised_at": message})
    lines = [
        LineSpec(
            material=given.get(f"material_{n}", ""),
            quantity=quantity_of(given, f"quantity_{n}"),
            options=options_of(given.get(f"options_{n}", "")),
            serial=given.get(f"serial_{n}", ""),
        )
        for n in range(1, NEW_LINES + 1)
        if given.get(f"material_{n}", "").strip()
    ]
    spec = OrderSpec(
        customer=given.get("customer", ""),
        promised_at=promised,
        lines=lines,
        code=given.get("code", "").strip(),
        is_rush=given.get("is_rush") == "on",
        reference=given.get("reference", ""),
        note=given.get("note", ""),
    )
    priority = number(given, "priority")
    return spec if priority is None else replace(spec, priority=priority)


def quantity_of(given: Mapping[str, Any], name: str) -> Decimal:
    """Return a quantity of a form. Raises `InvalidInput` naming the field."""
    try:
        found = Decimal(str(given.get(name, "")).strip() or "0")
    except InvalidOperation:
        found = Decimal("NaN")
    if not found.is_finite():
        message = _("This is no number.")
        raise InvalidInput(message, {name: message})
    return found


@require_POST
def release_order(request: HttpRequest, order_id: int) -> HttpResponse:
    """Release an order: versions are resolved and frozen, job orders made."""
    orders.order_detail(actor=actor_of(request), order_id=order_id)  # before anything is said about the form
    try:
        made = verbs.release_order(actor=actor_of(request), order_id=order_id, at=now())
        jobs = ngettext("%(n)d job order was made.", "%(n)d job orders were made.", made.job_orders)
        messages.success(request, _("Released.") + " " + jobs % {"n": made.job_orders})
    except (Conflict, InvalidInput) as refusal:
        messages.error(request, str(refusal))
    return redirect("operations:order", order_id=order_id)


@require_POST
def cancel_order(request: HttpRequest, order_id: int) -> HttpResponse:
    """Cancel an order with what is not begun of it."""
    orders.order_detail(actor=actor_of(request), order_id=order_id)  # before anything is said about the form
    try:
        reason = request.POST.get("reason", "")
        verbs.cancel_order(actor=actor_of(request), order_id=order_id, reason=reason, at=now())
        messages.success(request, _("The order is cancelled."))
    except (Conflict, InvalidInput) as refusal:
        messages.error(request, str(refusal))
    return redirect("operations:order", order_id=order_id)


@require_POST
def write_customer(request: HttpRequest) -> HttpResponse:
    """Write a customer, from the form of a new order."""
    actor, site = asked_site(request, EDIT)
    given = request.POST
    spec = PartySpec(
        code=given.get("code", "").strip(), name_zh=given.get("name_zh", ""), name_en=given.get("name_en", "")
    )
    try:
        verbs.write_party(actor=actor, site_id=site.id, spec=spec, at=now())
        messages.success(request, _("The customer is written."))
    except InvalidInput as refusal:
        messages.error(request, " ".join([str(refusal), *refusal.fields.values()]))
    answer = redirect("operations:new_order")
    answer["Location"] += "?" + urlencode({"site": site.code, "customer": spec.code})
    return answer


@require_POST
def enter_request(request: HttpRequest) -> HttpResponse:
    """Enter a production order for stock."""
    actor, site = asked_site(request, EDIT)
    given = request.POST
    try:
        due = wall_moment(given.get("due_at", ""), site.time_zone)
        if due is None:
            raise InvalidInput(_("Say until when it is needed."))
        spec = RequestSpec(
            material=given.get("material", "").strip(), quantity=quantity_of(given, "quantity"), due_at=due
        )
        made = verbs.enter_request(actor=actor, site_id=site.id, spec=spec, at=now())
    except (Conflict, InvalidInput) as refusal:
        fields = getattr(refusal, "fields", {})
        messages.error(request, " ".join(dict.fromkeys([str(refusal), *fields.values()])))
        return redirect("operations:requests")
    messages.success(request, _("Production order %(code)s is entered.") % {"code": made.code})
    return redirect("operations:request", request_id=made.pk)
