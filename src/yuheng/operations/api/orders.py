"""JSON edge: parties, customer orders, operations requests, their progress; shortages."""

from __future__ import annotations

from typing import Annotated, Any

from django.http import HttpRequest
from ninja import Field, Query, Router, Schema
from pydantic import AwareDatetime

from yuheng.operations.api.schemas import Amount, Limit, OrderReasonIn, now, page_of, schema_of
from yuheng.operations.selectors import orders, progress, shortages
from yuheng.operations.selectors.orders import OrderFilter, OrderRow, PartyRow, RequestFilter, RequestRow
from yuheng.operations.selectors.pages import Page
from yuheng.operations.selectors.progress import Progress
from yuheng.operations.selectors.shortages import ShortageRow
from yuheng.operations.services import orders as writing
from yuheng.operations.services import requests as dispatching
from yuheng.operations.services.orders import LineSpec, OrderSpec, PartySpec, RequestSpec
from yuheng.operations.services.release import Released
from yuheng.people.identity import actor_of

router = Router(tags=["orders"])
PartyOut = schema_of(PartyRow)
OrderOut = schema_of(OrderRow)
OrderPageOut = page_of(OrderRow)
RequestOut = schema_of(RequestRow)
RequestPageOut = page_of(RequestRow)
ProgressOut = schema_of(Progress)
ShortagePageOut = page_of(ShortageRow)
ReleasedOut = schema_of(Released)
Code = Annotated[str, Field(max_length=80)]
Name = Annotated[str, Field(max_length=200)]
Priority = Annotated[int, Field(ge=1, le=999)]


class PartyIn(Schema):
    """A customer or supplier."""

    site_id: int
    party_code: Annotated[str, Field(min_length=1, max_length=80)]
    name_zh: Name
    name_en: Name
    gln: Annotated[str, Field(max_length=13)] = ""
    is_customer: bool = True
    is_supplier: bool = False


class OrderLineIn(Schema):
    """One product by its material code; ``unit`` "" is the material's own; ``options`` choose the variant."""

    material: Code
    quantity: Amount
    unit: Annotated[str, Field(max_length=40)] = ""
    options: dict[str, bool | int | float | str] = {}
    promised_at: AwareDatetime | None = None
    serial: Code = ""


class OrderIn(Schema):
    """A customer order; ``order_code`` "" takes the next number, ``customer`` is a party's code."""

    customer: Code
    promised_at: AwareDatetime
    lines: Annotated[list[OrderLineIn], Field(min_length=1, max_length=writing.MOST_LINES)]
    order_code: Code = ""
    priority: Priority = writing.USUAL_PRIORITY
    is_rush: bool = False
    reference: Code = ""
    note: Annotated[str, Field(max_length=1000)] = ""

    def spec(self) -> OrderSpec:
        """Return it as services take it."""
        lines = [
            LineSpec(one.material, one.quantity, one.unit, dict(one.options), one.promised_at, one.serial)
            for one in self.lines
        ]
        return OrderSpec(
            self.customer, self.promised_at, lines, self.order_code, self.priority, self.is_rush, self.reference,
            self.note,
        )  # fmt: skip


class NewOrderIn(OrderIn):
    """A customer order of a site."""

    site_id: int


class RequestIn(Schema):
    """A production order to stock."""

    site_id: int
    material: Code
    quantity: Amount
    due_at: AwareDatetime
    unit: Annotated[str, Field(max_length=40)] = ""
    options: dict[str, bool | int | float | str] = {}
    request_code: Code = ""
    priority: Priority = writing.USUAL_PRIORITY
    is_rush: bool = False
    serial: Code = ""


class PriorityIn(Schema):
    """1 is the most urgent; a rush order goes before all others."""

    priority: Priority
    is_rush: bool = False


class OrderQuery(Schema):
    """Which orders. ``state`` "": open ones by urgency; "all": every one, newest first."""

    site_id: int
    state: Annotated[str, Field(max_length=12)] = ""
    text: Annotated[str, Field(max_length=80)] = ""
    is_late: bool = False
    is_rush: bool = False
    cursor: Annotated[str, Field(max_length=60)] = ""
    limit: Limit = 50


class RequestQuery(OrderQuery):
    """Which requests; ``with_parts``: also those of parts made for a product."""

    with_parts: bool = False
    material_id: int | None = None


@router.get("/parties", response=list[PartyOut])  # type: ignore[valid-type]
def list_parties(
    request: HttpRequest, site_id: int, text: Annotated[str, Query(max_length=80)] = "", limit: Limit = 50
) -> list[PartyRow]:
    """Customers and suppliers."""
    return orders.parties(actor=actor_of(request), site_id=site_id, text=text, limit=limit)


@router.put("/parties", response=PartyOut)
def write_party(request: HttpRequest, body: PartyIn) -> Any:
    """Create or change a customer or supplier by its code."""
    spec = PartySpec(body.party_code, body.name_zh, body.name_en, body.gln, body.is_customer, body.is_supplier)
    return writing.write_party(actor=actor_of(request), site_id=body.site_id, spec=spec, at=now())


@router.get("/orders", response=OrderPageOut)
def list_orders(request: HttpRequest, query: Query[OrderQuery]) -> Page[OrderRow]:
    """Customer orders, page by page."""
    narrowed = OrderFilter(query.state, query.text, is_late=query.is_late, is_rush=query.is_rush)
    return orders.order_list(
        actor=actor_of(request), site_id=query.site_id, now=now(), narrowed=narrowed, cursor=query.cursor,
        limit=query.limit,
    )  # fmt: skip


@router.post("/orders", response=OrderOut)
def enter_order(request: HttpRequest, body: NewOrderIn) -> OrderRow:
    """Enter a customer order; nothing is made before it is released."""
    row = writing.enter_order(actor=actor_of(request), site_id=body.site_id, spec=body.spec(), at=now())
    return orders.order_detail(actor=actor_of(request), order_id=row.pk)


@router.get("/orders/{int:order_id}", response=OrderOut)
def get_order(request: HttpRequest, order_id: int) -> OrderRow:
    """One order with its lines."""
    return orders.order_detail(actor=actor_of(request), order_id=order_id)


@router.put("/orders/{int:order_id}", response=OrderOut)
def change_order(request: HttpRequest, order_id: int, body: OrderIn) -> OrderRow:
    """Change an order; once released, only promise, priority, reference and note."""
    writing.change_order(actor=actor_of(request), order_id=order_id, spec=body.spec(), at=now())
    return orders.order_detail(actor=actor_of(request), order_id=order_id)


@router.post("/orders/{int:order_id}/release", response=ReleasedOut)
def release_order(request: HttpRequest, order_id: int) -> Released:
    """Release an order: versions are frozen, job orders and material lists made; all of it or nothing."""
    return writing.release_order(actor=actor_of(request), order_id=order_id, at=now())


@router.post("/orders/{int:order_id}/cancel", response=OrderOut)
def cancel_order(request: HttpRequest, order_id: int, body: OrderReasonIn) -> OrderRow:
    """Cancel an order of which nothing has begun."""
    writing.cancel_order(actor=actor_of(request), order_id=order_id, reason=body.reason, at=now())
    return orders.order_detail(actor=actor_of(request), order_id=order_id)


@router.get("/orders/{int:order_id}/progress", response=ProgressOut)
def order_progress(request: HttpRequest, order_id: int) -> Progress:
    """The way of an order through the plant: steps, actual against planned, where every piece is."""
    return progress.order_progress(actor=actor_of(request), order_id=order_id, now=now())


@router.get("/requests", response=RequestPageOut)
def list_requests(request: HttpRequest, query: Query[RequestQuery]) -> Page[RequestRow]:
    """Operations requests (production orders), page by page."""
    narrowed = RequestFilter(
        query.state, query.text, query.material_id, only_products=not query.with_parts, is_late=query.is_late,
        is_rush=query.is_rush,
    )  # fmt: skip
    return orders.requests(
        actor=actor_of(request), site_id=query.site_id, now=now(), narrowed=narrowed, cursor=query.cursor,
        limit=query.limit,
    )  # fmt: skip


@router.post("/requests", response=RequestOut)
def enter_request(request: HttpRequest, body: RequestIn) -> RequestRow:
    """Enter a production order to stock."""
    spec = RequestSpec(
        body.material, body.quantity, body.due_at, body.unit, dict(body.options), body.request_code, body.priority,
        body.is_rush, body.serial,
    )  # fmt: skip
    row = writing.enter_request(actor=actor_of(request), site_id=body.site_id, spec=spec, at=now())
    return orders.request_detail(actor=actor_of(request), request_id=row.pk)


@router.get("/requests/{int:request_id}", response=RequestOut)
def get_request(request: HttpRequest, request_id: int) -> RequestRow:
    """One operations request."""
    return orders.request_detail(actor=actor_of(request), request_id=request_id)


@router.get("/requests/{int:request_id}/progress", response=ProgressOut)
def request_progress(request: HttpRequest, request_id: int) -> Progress:
    """The way of one request, with everything below it, through the plant."""
    return progress.order_progress(actor=actor_of(request), request_id=request_id, now=now())


@router.get("/requests/{int:request_id}/resolution", response=dict[str, Any])
def request_resolution(request: HttpRequest, request_id: int) -> dict[str, Any]:
    """The frozen bill of material and work masters, as engineering resolved them; empty before the release."""
    return orders.frozen_resolution(actor=actor_of(request), request_id=request_id) or {}


@router.post("/requests/{int:request_id}/release", response=ReleasedOut)
def release_request(request: HttpRequest, request_id: int) -> Released:
    """Release a production order to stock."""
    return writing.release_request(actor=actor_of(request), request_id=request_id, at=now())


@router.post("/requests/{int:request_id}/hold", response=RequestOut)
def hold_request(request: HttpRequest, request_id: int, body: OrderReasonIn) -> RequestRow:
    """Put a request with all its open job orders on hold."""
    dispatching.hold_request(actor=actor_of(request), request_id=request_id, reason=body.reason, at=now())
    return orders.request_detail(actor=actor_of(request), request_id=request_id)


@router.post("/requests/{int:request_id}/let-go", response=RequestOut)
def let_go_request(request: HttpRequest, request_id: int) -> RequestRow:
    """Take a request with its job orders off hold."""
    dispatching.let_go_request(actor=actor_of(request), request_id=request_id, at=now())
    return orders.request_detail(actor=actor_of(request), request_id=request_id)


@router.post("/requests/{int:request_id}/cancel", response=RequestOut)
def cancel_request(request: HttpRequest, request_id: int, body: OrderReasonIn) -> RequestRow:
    """Cancel a request of which nothing has begun, with what is below it."""
    dispatching.cancel_request(actor=actor_of(request), request_id=request_id, reason=body.reason, at=now())
    return orders.request_detail(actor=actor_of(request), request_id=request_id)


@router.post("/requests/{int:request_id}/abort", response=RequestOut)
def abort_request(request: HttpRequest, request_id: int, body: OrderReasonIn) -> RequestRow:
    """Give up a request that has begun, with what is below it."""
    dispatching.abort_request(actor=actor_of(request), request_id=request_id, reason=body.reason, at=now())
    return orders.request_detail(actor=actor_of(request), request_id=request_id)


@router.post("/requests/{int:request_id}/close", response=RequestOut)
def close_request(request: HttpRequest, request_id: int) -> RequestRow:
    """Close a request that is over."""
    dispatching.close_request(actor=actor_of(request), request_id=request_id, at=now())
    return orders.request_detail(actor=actor_of(request), request_id=request_id)


@router.post("/requests/{int:request_id}/priority", response=RequestOut)
def set_request_priority(request: HttpRequest, request_id: int, body: PriorityIn) -> RequestRow:
    """Give a request and its open job orders another priority."""
    dispatching.set_priority(
        actor=actor_of(request), request_id=request_id, priority=body.priority, is_rush=body.is_rush, at=now()
    )
    return orders.request_detail(actor=actor_of(request), request_id=request_id)


@router.get("/shortages", response=ShortagePageOut)
def list_shortages(
    request: HttpRequest, site_id: int, cursor: Annotated[str, Query(max_length=60)] = "", limit: Limit = 50
) -> Page[ShortageRow]:
    """Material that runs out: how much, when, and which requests it stops."""
    return shortages.shortages(actor=actor_of(request), site_id=site_id, now=now(), cursor=cursor, limit=limit)
