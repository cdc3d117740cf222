"""Questions about customer orders and operations requests."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db.models import Count, Q, Sum
from django.utils.translation import gettext as _

from yuheng.kernel.actor import Actor
from yuheng.kernel.errors import NotVisible
from yuheng.operations.models import CustomerOrder, CustomerOrderLine, OperationsRequest, Party
from yuheng.operations.rules import OPEN_REQUESTS, OrderState, RequestState, share_done
from yuheng.operations.selectors.pages import PAGE, VIEW, Page, clamp, older_than, urgent_after, urgent_cursor

_OPEN_ORDERS = [OrderState.ENTERED.value, OrderState.RELEASED.value]
_OPEN = sorted(state.value for state in OPEN_REQUESTS)


@dataclass(frozen=True, slots=True)
class PartyRow:
    """A customer or supplier."""

    id: int
    code: str
    name_zh: str
    name_en: str
    gln: str
    is_customer: bool
    is_supplier: bool


@dataclass(frozen=True, slots=True)
class LineRow:
    """One product of an order."""

    id: int
    order_id: int
    position: int
    material_id: int
    material_code: str
    material_zh: str
    material_en: str
    quantity: Decimal
    unit: str
    options: dict[str, Any]
    serial: str
    promised_at: datetime | None
    is_cancelled: bool


@dataclass(frozen=True, slots=True)
class OrderRow:
    """One customer order. ``share``: planned work that is done, 0 to 1; ``lines`` at most the first three."""

    id: int
    site_id: int
    code: str
    customer_id: int
    customer_code: str
    customer_zh: str
    customer_en: str
    reference: str
    promised_at: datetime
    priority: int
    is_rush: bool
    rank: int
    state: OrderState
    note: str
    entered_at: datetime
    changed_at: datetime
    lines: tuple[LineRow, ...] = ()
    line_count: int = 0
    job_count: int = 0
    jobs_over: int = 0
    share: float = 0.0
    planned_end: datetime | None = None

    def is_late(self, now: datetime) -> bool:
        """Return whether it is open past its promise, or planned to be."""
        is_open = self.state in (OrderState.ENTERED, OrderState.RELEASED)
        return is_open and (
            self.promised_at < now or (self.planned_end is not None and self.planned_end > self.promised_at)
        )


@dataclass(frozen=True, slots=True)
class RequestRow:
    """One operations request."""

    id: int
    site_id: int
    code: str
    order_id: int | None
    order_code: str
    customer_zh: str
    customer_en: str
    parent_id: int | None
    path: str
    level: int
    material_id: int
    material_code: str
    material_zh: str
    material_en: str
    quantity: Decimal
    unit: str
    good: Decimal
    scrap: Decimal
    priority: int
    is_rush: bool
    rank: int
    due_at: datetime
    state: RequestState
    hold_reason: str
    bom_version_id: int | None
    work_master_version_id: int | None
    entered_at: datetime
    released_at: datetime | None
    planned_start: datetime | None
    planned_end: datetime | None
    started_at: datetime | None
    ended_at: datetime | None
    job_count: int
    jobs_over: int
    planned_s: float
    done_s: float

    @property
    def share(self) -> float:
        """Return the planned work that is done, 0 to 1."""
        return (
            1.0
            if self.state in (RequestState.COMPLETED, RequestState.CLOSED)
            else share_done(self.done_s, self.planned_s)
        )

    def is_late(self, now: datetime) -> bool:
        """Return whether it is open past its date."""
        return self.state in OPEN_REQUESTS and self.due_at < now


_ORDER = (
    "pk", "site_id", "code", "customer_id", "customer__code", "customer__name_zh", "customer__name_en", "reference",
    "promised_at", "priority", "is_rush", "rank", "state", "note", "entered_at", "changed_at",
)  # fmt: skip
_LINE = (
    "pk", "order_id", "position", "material_id", "material__code", "material__name_zh", "material__name_en",
    "quantity", "unit", "options", "serial", "promised_at", "is_cancelled",
)  # fmt: skip
REQUEST = (
    "pk", "site_id", "code", "order_id", "order__code", "order__customer__name_zh", "order__customer__name_en",
    "parent_id", "path", "level", "material_id", "material__code", "material__name_zh", "material__name_en",
    "quantity", "unit", "good", "scrap", "priority", "is_rush", "rank", "due_at", "state", "hold_reason",
    "bom_version_id", "work_master_version_id", "entered_at", "released_at", "planned_start", "planned_end",
    "started_at", "ended_at", "job_count", "jobs_over", "planned_s", "done_s",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class OrderFilter:
    """What the list of orders is narrowed to. ``state`` "": open ones by urgency; "all": every one, newest first."""

    state: str = ""
    text: str = ""
    customer_id: int | None = None
    is_late: bool = False
    is_rush: bool = False


def parties(*, actor: Actor, site_id: int, text: str = "", limit: int = PAGE) -> list[PartyRow]:
    """Customers and suppliers, by code. One query."""
    actor.require(VIEW, site_id=site_id)
    rows = Party.objects.filter(site_id=site_id, retired_at__isnull=True)
    if text.strip():
        said = text.strip()[:80]
        rows = rows.filter(Q(code__icontains=said) | Q(name_zh__icontains=said) | Q(name_en__icontains=said))
    columns = ("pk", "code", "name_zh", "name_en", "gln", "is_customer", "is_supplier")
    return [PartyRow(*one) for one in rows.values_list(*columns)[: clamp(limit)]]


def party_ids(*, site_id: int) -> dict[str, int]:
    """Code -> id; for importers. One query."""
    return dict(Party.objects.filter(site_id=site_id).values_list("code", "pk"))


def order_list(
    *,
    actor: Actor,
    site_id: int,
    now: datetime,
    narrowed: OrderFilter = OrderFilter(),
    cursor: str = "",
    limit: int = PAGE,
) -> Page[OrderRow]:
    """Customer orders: open ones by urgency, else newest first. Four queries.

    Raises
    ------
    PermissionRefused, NotVisible, InvalidInput
    """
    actor.require(VIEW, site_id=site_id)
    length = clamp(limit)
    rows = CustomerOrder.objects.filter(site_id=site_id)
    is_open = not narrowed.state
    if is_open:
        rows = rows.filter(state__in=_OPEN_ORDERS).filter(urgent_after(cursor, "promised_at"))
        rows = rows.order_by("rank", "promised_at", "pk")
    else:
        rows = rows.filter(older_than(cursor)).order_by("-pk")
        rows = rows if narrowed.state == "all" else rows.filter(state=narrowed.state)
    if narrowed.customer_id is not None:
        rows = rows.filter(customer_id=narrowed.customer_id)
    if narrowed.is_late:
        rows = rows.filter(promised_at__lt=now, state__in=_OPEN_ORDERS)
    if narrowed.is_rush:
        rows = rows.filter(rank=0)
    if narrowed.text.strip():
        rows = rows.filter(_order_says(narrowed.text))
    found = [_order(one) for one in rows.values_list(*_ORDER)[: length + 1]]
    last = found[length - 1] if len(found) > length else None
    next_cursor = ""
    if last is not None:
        next_cursor = urgent_cursor(last.rank, last.promised_at, last.id) if is_open else str(last.id)
    return Page(_with_progress(found[:length], most_lines=3), next_cursor)


def _order_says(text: str) -> Q:
    said = text.strip()[:80]
    says = Q(code__icontains=said) | Q(reference__icontains=said) | Q(customer__code__icontains=said)
    return says | Q(customer__name_zh__icontains=said) | Q(customer__name_en__icontains=said)


def order_detail(*, actor: Actor, order_id: int) -> OrderRow:
    """One order with all its lines. Four queries. Raises `NotVisible`, `PermissionRefused`."""
    values = CustomerOrder.objects.visible_to(actor).filter(pk=order_id).values_list(*_ORDER).first()
    if values is None:
        actor.require(VIEW)
        raise NotVisible(_("There is no such order here."))
    row = _order(values)
    actor.require(VIEW, site_id=row.site_id)
    return _with_progress([row], most_lines=10_000)[0]


def _order(values: tuple[Any, ...]) -> OrderRow:
    row: tuple[Any, ...] = (*values[:12], OrderState(values[12]), *values[13:])
    return OrderRow(*row)


def _with_progress(rows: list[OrderRow], *, most_lines: int) -> list[OrderRow]:
    ids = [row.id for row in rows]
    lines: dict[int, list[LineRow]] = {}
    for one in CustomerOrderLine.objects.filter(order_id__in=ids).order_by("position").values_list(*_LINE):
        lines.setdefault(one[1], []).append(LineRow(*one))
    sums = {
        one[0]: one[1:]
        for one in OperationsRequest.objects.filter(order_id__in=ids)
        .order_by()
        .values_list("order_id")
        .annotate(Sum("job_count"), Sum("jobs_over"), Sum("planned_s"), Sum("done_s"), Count("pk"))
    }
    ends: dict[int, datetime] = {}
    for order_id, end in OperationsRequest.objects.filter(order_id__in=ids, parent__isnull=True).values_list(
        "order_id", "planned_end"
    ):
        if end is not None:
            ends[order_id] = max(end, ends.get(order_id, end))
    found = []
    for row in rows:
        jobs, over, planned, done, _count = sums.get(row.id, (0, 0, 0.0, 0.0, 0))
        own = lines.get(row.id, [])
        share = 1.0 if row.state is OrderState.COMPLETED else share_done(done or 0.0, planned or 0.0)
        more = {
            "lines": tuple(own[:most_lines]), "line_count": len(own), "job_count": jobs or 0, "jobs_over": over or 0,
            "share": share, "planned_end": ends.get(row.id),
        }  # fmt: skip
        found.append(_replaced(row, more))
    return found


def _replaced(row: OrderRow, more: dict[str, Any]) -> OrderRow:
    return OrderRow(**{name: more.get(name, getattr(row, name)) for name in OrderRow.__dataclass_fields__})


@dataclass(frozen=True, slots=True)
class RequestFilter:
    """What the list of requests is narrowed to. ``state`` "": open ones by urgency; "all": every one, newest first."""

    state: str = ""
    text: str = ""
    material_id: int | None = None
    only_products: bool = True  # not the parts that are made for them
    is_late: bool = False
    is_rush: bool = False


def requests(
    *,
    actor: Actor,
    site_id: int,
    now: datetime,
    narrowed: RequestFilter = RequestFilter(),
    cursor: str = "",
    limit: int = PAGE,
) -> Page[RequestRow]:
    """Operations requests: open ones by urgency, else newest first. One query. Raises as `order_list`."""
    actor.require(VIEW, site_id=site_id)
    length = clamp(limit)
    rows = OperationsRequest.objects.filter(site_id=site_id)
    is_open = not narrowed.state
    if is_open:
        rows = rows.filter(state__in=_OPEN).filter(urgent_after(cursor, "due_at")).order_by("rank", "due_at", "pk")
    else:
        rows = rows.filter(older_than(cursor)).order_by("-pk")
        rows = rows if narrowed.state == "all" else rows.filter(state=narrowed.state)
    given: dict[str, Any] = {
        "material_id": narrowed.material_id,
        "parent__isnull": True if narrowed.only_products else None,
        "due_at__lt": now if narrowed.is_late else None,
        "rank": 0 if narrowed.is_rush else None,
    }
    rows = rows.filter(**{name: value for name, value in given.items() if value is not None})
    if narrowed.text.strip():
        said = narrowed.text.strip()[:80]
        says = Q(code__icontains=said) | Q(material__code__icontains=said) | Q(material__name_zh__icontains=said)
        says |= Q(material__name_en__icontains=said) | Q(order__customer__name_zh__icontains=said)
        rows = rows.filter(says | Q(order__customer__name_en__icontains=said))
    found = [request_row(one) for one in rows.values_list(*REQUEST)[: length + 1]]
    last = found[length - 1] if len(found) > length else None
    next_cursor = ""
    if last is not None:
        next_cursor = urgent_cursor(last.rank, last.due_at, last.id) if is_open else str(last.id)
    return Page(found[:length], next_cursor)


def requests_of_order(*, actor: Actor, order_id: int) -> list[RequestRow]:
    """Requests of an order with those of its parts, in the order of their making. Two queries. Raises `NotVisible`."""
    order = order_detail(actor=actor, order_id=order_id)
    actor.require(VIEW, site_id=order.site_id)
    rows = OperationsRequest.objects.filter(order_id=order_id).order_by("pk")
    return [request_row(one) for one in rows.values_list(*REQUEST)]


def request_detail(*, actor: Actor, request_id: int) -> RequestRow:
    """One request. One query. Raises `NotVisible`, `PermissionRefused`."""
    values = OperationsRequest.objects.visible_to(actor).filter(pk=request_id).values_list(*REQUEST).first()
    if values is None:
        actor.require(VIEW)
        raise NotVisible(_("There is no such operations request here."))
    row = request_row(values)
    actor.require(VIEW, site_id=row.site_id)
    return row


def request_by_code(*, actor: Actor, site_id: int, code: str) -> RequestRow:
    """The request that a scanned traveller means. One query. Raises `NotVisible`."""
    actor.require(VIEW, site_id=site_id)
    values = OperationsRequest.objects.filter(site_id=site_id, code=code.strip()).values_list(*REQUEST).first()
    if values is None:
        raise NotVisible(_("There is no such operations request here."))
    return request_row(values)


def frozen_resolution(*, actor: Actor, request_id: int) -> dict[str, Any] | None:
    """What engineering answered at release, whole, of the request's product; None before. Two queries."""
    row = request_detail(actor=actor, request_id=request_id)
    found = OperationsRequest.objects.filter(pk=row.id).values_list("resolution", "root__resolution").first()
    return None if found is None else found[0] or found[1]


def request_row(values: tuple[Any, ...]) -> RequestRow:
    """Return a row from `REQUEST`."""
    clean = list(values)
    for place in (4, 5, 6):
        clean[place] = clean[place] or ""
    clean[22] = RequestState(clean[22])
    return RequestRow(*clean)
