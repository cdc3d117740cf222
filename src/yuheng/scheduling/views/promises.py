"""Promise dates: ask what is possible, promise it; what an order is expected at and what changed that."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal, InvalidOperation
from typing import Any
from zoneinfo import ZoneInfo

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods

from yuheng.engineering import selectors as engineering
from yuheng.equipment.selectors import SiteRow
from yuheng.kernel.errors import Conflict, InvalidInput
from yuheng.operations.selectors import orders
from yuheng.operations.services.checks import options_of
from yuheng.operations.services.orders import LineSpec, OrderSpec
from yuheng.people.identity import actor_of
from yuheng.scheduling.rules.promises import OfferKind
from yuheng.scheduling.selectors import promises as told
from yuheng.scheduling.services import promises, words
from yuheng.scheduling.services.access import clock
from yuheng.scheduling.services.promises import Answer
from yuheng.scheduling.views.asking import asked_site, in_words, now, page, site_of, wall_time

ORDERS = "orders.edit"
HOUR = timedelta(hours=1)


def _offers(answer: Answer, site: SiteRow) -> list[dict[str, Any]]:
    """Offers in words; the date proposed is the next full hour, in the site's time."""
    with timezone.override(ZoneInfo(site.time_zone)):
        found = words.offers_told(answer.built, answer.offers, answer.wished_at)
        for one in found:
            one["propose"] = _full_hour(timezone.localtime(one["ends_at"]))
    return found


def _full_hour(moment: Any) -> Any:
    whole = moment.replace(minute=0, second=0, microsecond=0)
    return whole if whole == moment else whole + HOUR


@never_cache
@require_http_methods(["GET", "POST"])
def promise(request: HttpRequest) -> HttpResponse:
    """When could it be done? Asked for a product that nobody has ordered yet; entered with its promise in one."""
    actor, site = asked_site(request, ORDERS)
    given = request.POST if request.method == "POST" else request.GET
    context: dict[str, Any] = {
        "given": given,
        "products": engineering.search_materials(actor=actor, site_id=site.id, source="make", limit=500),
        "customers": [row for row in orders.parties(actor=actor, site_id=site.id, limit=500) if row.is_customer],
        "answer": None,
        "refusal": "",
    }
    status = 200
    if given.get("material"):
        try:
            line = _line(given)
            if request.method == "POST":
                return _enter(request, site, line)
            wished = wall_time(given["wished"], site.time_zone) if given.get("wished") else None
            answer = promises.ask(actor=actor, site_id=site.id, lines=[line], wished=wished, at=now())
            context |= {"answer": answer, "offers": _offers(answer, site)}
        except (Conflict, InvalidInput) as refusal:
            context["refusal"], status = in_words(refusal), 409
    return page(request, "scheduling/promise.html", context, site, status=status)


def _line(given: Any) -> LineSpec:
    try:
        quantity = Decimal(given.get("quantity", "").strip() or "0")
    except InvalidOperation:
        quantity = Decimal("NaN")
    if not quantity.is_finite() or quantity <= 0:
        raise InvalidInput(_("Give a quantity above 0."))
    return LineSpec(given["material"], quantity, options=options_of(given.get("options", "")))


def _enter(request: HttpRequest, site: SiteRow, line: LineSpec) -> HttpResponse:
    given = request.POST
    spec = OrderSpec(
        customer=given.get("customer", ""),
        promised_at=wall_time(given.get("promised", ""), site.time_zone),
        lines=[line],
    )
    kind = OfferKind(given["kind"]) if given.get("kind") in set(OfferKind) else OfferKind.BEHIND
    made = promises.enter_with_promise(actor=actor_of(request), site_id=site.id, spec=spec, kind=kind, at=now())
    messages.success(request, _("The order is entered with its promise. Release it when it shall be made."))
    return redirect("operations:order", order_id=made.order_id)


@never_cache
@require_http_methods(["GET", "POST"])
def order_outlook(request: HttpRequest, order_id: int) -> HttpResponse:
    """Promise and forecast of an order; a page of its own, and the panel of the order's page."""
    row = orders.order_detail(actor=actor_of(request), order_id=order_id)
    actor, site = site_of(request, row.site_id)
    may_promise = actor.may(ORDERS, site_id=site.id)
    context: dict[str, Any] = {"order": row, "may_promise": may_promise, "answer": None, "refusal": ""}
    status = 200
    try:
        if request.method == "POST":
            return _accept(request, site, order_id)
        if request.GET.get("ask") and may_promise:
            answer = promises.ask_for_order(actor=actor, order_id=order_id, at=now())
            context |= {"answer": answer, "offers": _offers(answer, site)}
    except (Conflict, InvalidInput) as refusal:
        context["refusal"], status = in_words(refusal), 409
    forecasts = told.forecasts_of(actor=actor, order_id=order_id)
    with timezone.override(ZoneInfo(site.time_zone)):
        context |= {
            "forecasts": [(one, words.forecast_cause(one.cause, one.values)) for one in forecasts],
            "forecast": forecasts[0] if forecasts else None,
            "promises": [(one, words.offer(one.kind)) for one in told.promises_of(actor=actor, order_id=order_id)],
        }
        if request.headers.get("X-Requested-With") == "fetch":
            return render(request, "scheduling/_outlook.html", {**context, "site": site, "is_panel": True})
    return page(request, "scheduling/outlook.html", context, site, status=status)


def _accept(request: HttpRequest, site: SiteRow, order_id: int) -> HttpResponse:
    actor, given = actor_of(request), request.POST
    actor.require(ORDERS, site_id=site.id)
    kind = OfferKind(given["kind"]) if given.get("kind") in set(OfferKind) else OfferKind.BEHIND
    made = promises.accept(
        actor=actor, order_id=order_id, kind=kind, promised_at=wall_time(given.get("promised", ""), site.time_zone),
        at=now(), reason=given.get("reason", ""),
    )  # fmt: skip
    with timezone.override(ZoneInfo(site.time_zone)):
        messages.success(request, _("Promised: %(time)s.") % {"time": clock(made.promised_at)})
    return redirect("operations:order", order_id=order_id)


@never_cache
@require_GET
def open_promises(request: HttpRequest) -> HttpResponse:
    """Orders whose forecast is behind their promise, the latest first."""
    actor, site = asked_site(request)
    rows = told.endangered(actor=actor, site_id=site.id)
    with timezone.override(ZoneInfo(site.time_zone)):
        shown = [(one, words.forecast_cause(one.forecast.cause, one.forecast.values)) for one in rows]
    return page(request, "scheduling/endangered.html", {"rows": shown}, site)
