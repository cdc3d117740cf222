"""Stock: what lies where, one lot with its mass balance, what is short and when."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from yuheng.engineering import selectors as engineering
from yuheng.kernel.errors import Conflict, InvalidInput
from yuheng.operations.labels import MOVEMENT_LABELS
from yuheng.operations.selectors import shortages, stock
from yuheng.operations.services import stock as verbs
from yuheng.operations.views.asking import asked_site, now, number, page, query_without, site_of
from yuheng.operations.views.orders import quantity_of
from yuheng.people.identity import actor_of

MOVE = "materials.move"


@require_GET
def stock_list(request: HttpRequest) -> HttpResponse:
    """What lies where, newest lots first."""
    actor, site = asked_site(request)
    text, location_id = request.GET.get("q", "")[:80], number(request.GET, "location")
    found = stock.stock_list(
        actor=actor,
        site_id=site.id,
        text=text,
        material_id=number(request.GET, "material"),
        location_id=location_id,
        cursor=request.GET.get("after", ""),
    )
    may_move = actor.may(MOVE, site_id=site.id)
    context = {
        "rows": found.rows,
        "next_cursor": found.next_cursor,
        "text": text,
        "location_id": location_id,
        "locations": stock.locations(actor=actor, site_id=site.id),
        "materials": engineering.search_materials(actor=actor, site_id=site.id, limit=500) if may_move else [],
        "query": query_without(request, site, "after"),
    }
    return page(request, "operations/stock.html", context, site)


@require_POST
def receive(request: HttpRequest) -> HttpResponse:
    """Take material into stock."""
    actor, site = asked_site(request, MOVE)
    given = request.POST
    try:
        material = engineering.material_by_code(actor=actor, site_id=site.id, code=given.get("material", "").strip())
        verbs.receive(
            actor=actor,
            site_id=site.id,
            material_id=material.id,
            quantity=quantity_of(given, "quantity"),
            location_id=number(given, "location"),
            lot=given.get("lot", "").strip(),
            serials=given.get("serials", "").split(),
            at=now(),
        )
        messages.success(request, _("Received."))
    except (Conflict, InvalidInput) as refusal:
        messages.error(request, " ".join(dict.fromkeys([str(refusal), *getattr(refusal, "fields", {}).values()])))
    return redirect("operations:stock")


@require_GET
def lot(request: HttpRequest, lot_id: int) -> HttpResponse:
    """One lot: where it lies, what came in and went out."""
    actor = actor_of(request)
    detail = stock.lot_detail(actor=actor, lot_id=lot_id)
    _actor, site = site_of(request, detail.lot.site_id)
    context = {
        "detail": detail,
        "lot": detail.lot,
        "movements": [(row, MOVEMENT_LABELS[row.kind]) for row in detail.movements],
        "locations": stock.locations(actor=actor, site_id=detail.lot.site_id),
    }
    return page(request, "operations/lot.html", context, site)


@require_POST
def act_on_lot(request: HttpRequest, lot_id: int) -> HttpResponse:
    """Count, move or block a lot."""
    actor, at, given = actor_of(request), now(), request.POST
    stock.lot_detail(actor=actor, lot_id=lot_id, limit=1)  # before anything is said about the form
    action, reason = given.get("action", ""), given.get("reason", "")
    place = number(given, "location")
    try:
        if action == "count" and place is not None:
            verbs.count_stock(
                actor=actor, lot_id=lot_id, location_id=place, quantity=quantity_of(given, "quantity"),
                reason=reason, at=at,
            )  # fmt: skip
        elif action == "move" and place is not None and (origin := number(given, "from")) is not None:
            verbs.move_stock(
                actor=actor, lot_id=lot_id, from_location_id=origin, to_location_id=place,
                quantity=quantity_of(given, "quantity"), at=at,
            )  # fmt: skip
        elif action in {"block", "unblock"}:
            verbs.block_lot(actor=actor, lot_id=lot_id, reason=reason, at=at, is_blocked=action == "block")
        else:
            raise InvalidInput(_("There is no such action."))
        messages.success(request, _("Done."))
    except (Conflict, InvalidInput) as refusal:
        messages.error(request, " ".join(dict.fromkeys([str(refusal), *getattr(refusal, "fields", {}).values()])))
    return redirect("operations:lot", lot_id=lot_id)


@require_GET
def shortage_list(request: HttpRequest) -> HttpResponse:
    """Materials that run out, with when and what they stop."""
    actor, site = asked_site(request)
    found = shortages.shortages(actor=actor, site_id=site.id, now=now(), cursor=request.GET.get("after", ""))
    context = {
        "rows": found.rows,
        "next_cursor": found.next_cursor,
        "query": query_without(request, site, "after"),
    }
    return page(request, "operations/shortages.html", context, site)
