"""Parties, customer orders and operations requests: entered, changed, released, held, cancelled, closed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from yuheng.engineering import selectors as engineering
from yuheng.kernel import audit
from yuheng.kernel.actor import Actor
from yuheng.kernel.errors import Conflict, InvalidInput
from yuheng.kernel.events import publish, publish_many
from yuheng.operations.events import OrderCancelled, OrderChanged, OrderEntered, OrderReleased, OrdersImported
from yuheng.operations.models import CustomerOrder, CustomerOrderLine, OperationsRequest, Party
from yuheng.operations.models.orders import CODE_LENGTH, NOTE_LENGTH
from yuheng.operations.rules import LIVE_REQUESTS, OrderState, RequestState, rank_of
from yuheng.operations.services import release as releasing
from yuheng.operations.services.access import ORDERS, locked, locked_request, next_number
from yuheng.operations.services.checks import (
    check_code,
    check_names,
    check_priority,
    clean_options,
    refuse,
)
from yuheng.operations.services.ledger import clean_quantity
from yuheng.operations.services.refusals import reason_needed
from yuheng.operations.services.release import Released

MOST_LINES = 1_000
USUAL_PRIORITY = 500
MOST_REMEMBERED = 50_000
"""Codes that `Named` remembers before it begins anew: an import of a million orders needs no more memory."""


@dataclass(frozen=True, slots=True)
class PartySpec:
    """A customer or supplier."""

    code: str
    name_zh: str
    name_en: str
    gln: str = ""
    is_customer: bool = True
    is_supplier: bool = False


@dataclass(frozen=True, slots=True)
class LineSpec:
    """One product: ``material`` is its code, ``unit`` "" its own; ``request_code``: number of its production order."""

    material: str
    quantity: Decimal
    unit: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    promised_at: datetime | None = None
    serial: str = ""
    request_code: str = ""


@dataclass(frozen=True, slots=True)
class OrderSpec:
    """A customer order: ``customer`` is a party's code, ``code`` "" the next number."""

    customer: str
    promised_at: datetime
    lines: Sequence[LineSpec]
    code: str = ""
    priority: int = USUAL_PRIORITY
    is_rush: bool = False
    reference: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class RequestSpec:
    """A production order without a customer: made to stock."""

    material: str
    quantity: Decimal
    due_at: datetime
    unit: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    code: str = ""
    priority: int = USUAL_PRIORITY
    is_rush: bool = False
    serial: str = ""


@transaction.atomic
def write_party(*, actor: Actor, site_id: int, spec: PartySpec, at: datetime) -> Party:
    """Create or change a party by its code; needs ``orders.edit``. Raises `PermissionRefused`, `InvalidInput`."""
    actor.require(ORDERS, site_id=site_id)
    wrong = check_code(spec.code) | check_names(spec.name_zh, spec.name_en)
    if spec.gln and not (spec.gln.isascii() and spec.gln.isdigit() and len(spec.gln) == 13):
        wrong["gln"] = _("A GLN has 13 digits.")
    if not (spec.is_customer or spec.is_supplier):
        wrong["is_customer"] = _("A party is a customer, a supplier or both.")
    refuse(_("The party cannot be accepted as it is."), wrong)
    row, _made = Party.objects.update_or_create(
        site_id=site_id,
        code=spec.code.strip(),
        defaults={
            "name_zh": spec.name_zh.strip(),
            "name_en": spec.name_en.strip(),
            "gln": spec.gln,
            "is_customer": spec.is_customer,
            "is_supplier": spec.is_supplier,
            "retired_at": None,
        },
    )
    audit.record(actor=actor, action="party.write", at=at, site_id=site_id, object_kind="party", object_id=row.code)
    return row


@transaction.atomic
def enter_order(*, actor: Actor, site_id: int, spec: OrderSpec, at: datetime) -> CustomerOrder:
    """Enter a customer order; nothing is made of it before it is released. Needs ``orders.edit``.

    Raises
    ------
    PermissionRefused, NotVisible
    InvalidInput
        Each field that cannot be accepted, with why.
    Conflict
        There is an order with this code.
    """
    actor.require(ORDERS, site_id=site_id)
    customer, lines = check_order(site_id, spec)
    code = spec.code.strip() or f"SO{next_number(site_id=site_id, kind='order'):06d}"
    if CustomerOrder.objects.filter(site_id=site_id, code=code).exists():
        raise Conflict(
            _("There is an order %(code)s already. Change that one, or give another number.") % {"code": code}
        )
    order = _row(site_id, code, spec, customer, at)
    order.save()
    _write_lines(order, lines)
    publish(OrderEntered(site_id=site_id, order_id=order.pk, code=order.code), at=at)
    _audit(order, "enter", actor=actor, at=at, lines=len(lines), customer=customer.code)
    return order


@transaction.atomic
def enter_orders(
    *, actor: Actor, site_id: int, orders: Sequence[tuple[OrderSpec, Checked]], tells_each: bool, at: datetime
) -> None:
    """Enter many orders whose numbers are free, as `check_order` found them. Six statements, however many there are.

    ``tells_each``: those who listen are told of each order; else of all of them at once (`OrdersImported`).

    Raises
    ------
    PermissionRefused
    Conflict
        Somebody entered one of them meanwhile.
    """
    actor.require(ORDERS, site_id=site_id)
    try:
        with transaction.atomic():
            made = CustomerOrder.objects.bulk_create(
                [_row(site_id, spec.code.strip(), spec, checked[0], at) for spec, checked in orders]
            )
    except IntegrityError as error:
        raise Conflict(_("Something changed since the dry run. Look at the new dry run and apply that.")) from error
    CustomerOrderLine.objects.bulk_create(
        [CustomerOrderLine(order=row, **line) for row, (_spec, (_customer, lines)) in zip(made, orders, strict=True)
         for line in lines],
        batch_size=5_000,
    )  # fmt: skip
    if tells_each:
        publish_many([OrderEntered(site_id=site_id, order_id=row.pk, code=row.code) for row in made], at=at)
    else:
        publish(OrdersImported(site_id=site_id, order_ids=tuple(row.pk for row in made)), at=at)
    audit.record_many(
        actor=actor, action="order.enter", at=at, site_id=site_id, object_kind="order",
        objects={row.code: {"lines": len(checked[1]), "customer": checked[0].code}
                 for row, (_spec, checked) in zip(made, orders, strict=True)},
    )  # fmt: skip


@transaction.atomic
def change_order(*, actor: Actor, order_id: int, spec: OrderSpec, at: datetime) -> CustomerOrder:
    """Change an order. Once released only promise, priority, reference and note can change: what is made is frozen.

    Raises
    ------
    PermissionRefused, NotVisible, InvalidInput, Conflict
    """
    order = locked(CustomerOrder, actor=actor, pk=order_id, permission=ORDERS)
    if order.state not in (OrderState.ENTERED.value, OrderState.RELEASED.value):
        raise Conflict(_("Order %(order)s is over and cannot be changed.") % {"order": order.code})
    customer, lines = check_order(order.site_id, spec)
    is_entered = order.state == OrderState.ENTERED.value
    if not is_entered and (customer.pk != order.customer_id or not _are_the_same(order, lines)):
        raise Conflict(
            _(
                "Order %(order)s is released: its products are frozen. Cancel it, or enter the "
                "difference as a new order."
            )
            % {"order": order.code}
        )
    before = {"promised_at": order.promised_at.isoformat(), "priority": order.priority, "is_rush": order.is_rush}
    order.customer, order.promised_at, order.priority = customer, spec.promised_at, spec.priority
    order.is_rush, order.rank = spec.is_rush, rank_of(spec.priority, is_rush=spec.is_rush)
    order.reference, order.note = spec.reference.strip()[:CODE_LENGTH], spec.note.strip()[:NOTE_LENGTH]
    order.changed_at = at
    order.save()
    if is_entered:
        order.lines.all().delete()
        _write_lines(order, lines)
    else:
        _carry_over(order, lines)
    publish(OrderChanged(site_id=order.site_id, order_id=order.pk, code=order.code), at=at)
    _audit(order, "change", actor=actor, at=at, before=before)
    return order


@transaction.atomic
def promise_order(*, actor: Actor, order_id: int, promised_at: datetime, reason: str, at: datetime) -> CustomerOrder:
    """Promise another date; lines with a date of their own keep it, what is released follows. Needs ``orders.edit``.

    Raises
    ------
    PermissionRefused, NotVisible, InvalidInput
    Conflict
        The order is over.
    """
    order = locked(CustomerOrder, actor=actor, pk=order_id, permission=ORDERS)
    if order.state not in (OrderState.ENTERED.value, OrderState.RELEASED.value):
        raise Conflict(_("Order %(order)s is over and cannot be changed.") % {"order": order.code})
    if promised_at.tzinfo is None:
        message = _("Give the time with its offset.")
        raise InvalidInput(message, {"promised_at": message})
    before = order.promised_at.isoformat()
    order.promised_at, order.changed_at = promised_at, at
    order.save(update_fields=["promised_at", "changed_at"])
    live = [state.value for state in (*LIVE_REQUESTS, RequestState.FORECAST)]
    requests = OperationsRequest.objects.filter(order_id=order.pk, state__in=live, line__promised_at__isnull=True)
    releasing.reorder(requests, order.priority, is_rush=order.is_rush, due_at=promised_at)
    publish(OrderChanged(site_id=order.site_id, order_id=order.pk, code=order.code), at=at)
    _audit(order, "promise", actor=actor, at=at, before=before, promised_at=promised_at.isoformat(), reason=reason)
    return order


def is_as(order: CustomerOrder, spec: OrderSpec, checked: Checked | None = None) -> bool:
    """Return whether an order is as a specification says; for importers. Raises `InvalidInput`. Six queries.

    ``checked``: the answer of `check_order`, when somebody has it.
    """
    customer, lines = checked or check_order(order.site_id, spec)
    now = (order.customer_id, order.promised_at, order.priority, order.is_rush, order.reference, order.note)
    wanted = (customer.pk, spec.promised_at, spec.priority, spec.is_rush, spec.reference.strip(), spec.note.strip())
    promises = [line["promised_at"] for line in lines]
    return now == wanted and _are_the_same(order, lines) and promises == [row.promised_at for row in order.lines.all()]


@transaction.atomic
def cancel_order(*, actor: Actor, order_id: int, reason: str, at: datetime) -> CustomerOrder:
    """Cancel an order that is not being made yet, with its requests.

    Raises
    ------
    PermissionRefused, NotVisible, InvalidInput
    Conflict
        Work on it has begun: its requests have to be aborted, each with a reason.
    """
    order = locked(CustomerOrder, actor=actor, pk=order_id, permission=ORDERS)
    if not reason.strip():
        raise reason_needed()
    if order.state not in (OrderState.ENTERED.value, OrderState.RELEASED.value):
        raise Conflict(_("Order %(order)s is over and cannot be changed.") % {"order": order.code})
    requests = OperationsRequest.objects.filter(order_id=order.pk)
    if requests.filter(started_at__isnull=False).exists():
        raise Conflict(_("Work on order %(order)s has begun. Abort its requests first.") % {"order": order.code})
    releasing.cancel_all(requests, reason=reason.strip(), at=at)
    order.state, order.changed_at = OrderState.CANCELLED.value, at
    order.save(update_fields=["state", "changed_at"])
    publish(
        OrderCancelled(site_id=order.site_id, order_id=order.pk, code=order.code, reason=reason.strip()[:200]), at=at
    )
    _audit(order, "cancel", actor=actor, at=at, reason=reason.strip())
    return order


@transaction.atomic
def release_order(*, actor: Actor, order_id: int, at: datetime) -> Released:
    """Release every line that is not released yet: versions are frozen, job orders and material lists made.

    All of it or nothing. Needs ``orders.edit``, and ``engineering.view`` to resolve.

    Raises
    ------
    PermissionRefused, NotVisible
    Conflict
        Nothing is left to release, or engineering has no version in force, a routing in a circle…: its sentence.
    """
    order = locked(CustomerOrder, actor=actor, pk=order_id, permission=ORDERS)
    if order.state not in (OrderState.ENTERED.value, OrderState.RELEASED.value):
        raise Conflict(_("Order %(order)s is over and cannot be released.") % {"order": order.code})
    lines = [
        line
        for line in order.lines.filter(is_cancelled=False)
        if not line.requests.filter(parent__isnull=True).exists()
    ]
    if not lines:
        raise Conflict(_("Everything of order %(order)s is released already.") % {"order": order.code})
    made = [_release_line(order, line, actor=actor, at=at) for line in lines]
    order.state, order.changed_at = OrderState.RELEASED.value, at
    order.save(update_fields=["state", "changed_at"])
    ids = tuple(pk for one in made for pk in one.request_ids)
    publish(OrderReleased(site_id=order.site_id, order_id=order.pk, code=order.code, request_ids=ids[:1000]), at=at)
    total = Released(ids, sum(one.job_orders for one in made), sum(one.requirements for one in made))
    _audit(order, "release", actor=actor, at=at, requests=len(ids), job_orders=total.job_orders)
    return total


def _release_line(order: CustomerOrder, line: CustomerOrderLine, *, actor: Actor, at: datetime) -> Released:
    request = OperationsRequest(
        site_id=order.site_id,
        code=line.request_code or f"{order.code}-{line.position}"[:80],
        line=line,
        order=order,
        material_id=line.material_id,
        quantity=line.quantity,
        unit=line.unit,
        options=line.options,
        serial=line.serial,
        priority=order.priority,
        is_rush=order.is_rush,
        rank=order.rank,
        due_at=line.promised_at or order.promised_at,
        entered_at=at,
    )
    return releasing.release(request, actor=actor, at=at)


@transaction.atomic
def enter_request(*, actor: Actor, site_id: int, spec: RequestSpec, at: datetime) -> OperationsRequest:
    """Enter a production order to stock; it is a forecast until it is released. Raises as `enter_order`."""
    actor.require(ORDERS, site_id=site_id)
    wrong = check_priority(spec.priority) | (check_code(spec.code) if spec.code.strip() else {})
    if spec.due_at.tzinfo is None:
        wrong["due_at"] = _("Give the time with its offset.")
    material = engineering.material_ids(site_id=site_id).get(spec.material.strip())
    if material is None:
        wrong["material"] = _("There is no material %(code)s.") % {"code": spec.material[:60]}
    options = clean_options(spec.options, "options", wrong)
    refuse(_("The request cannot be accepted as it is."), wrong)
    assert material is not None
    code = spec.code.strip() or f"MO{next_number(site_id=site_id, kind='request'):06d}"
    if OperationsRequest.objects.filter(site_id=site_id, code=code).exists():
        raise Conflict(_("There is a request %(code)s already. Give another number.") % {"code": code})
    quantity, unit = own_quantity(site_id, material, spec.quantity, spec.unit)
    row = OperationsRequest.objects.create(
        site_id=site_id,
        code=code,
        material_id=material,
        quantity=quantity,
        unit=unit,
        options=options,
        serial=spec.serial.strip()[:CODE_LENGTH],
        priority=spec.priority,
        is_rush=spec.is_rush,
        rank=rank_of(spec.priority, is_rush=spec.is_rush),
        due_at=spec.due_at,
        entered_at=at,
    )
    audit.record(actor=actor, action="request.enter", at=at, site_id=site_id, object_kind="request", object_id=row.code)
    return row


@transaction.atomic
def release_request(*, actor: Actor, request_id: int, at: datetime) -> Released:
    """Release a production order to stock. Raises as `release_order`."""
    request = locked_request(actor=actor, request_id=request_id, permission=ORDERS)
    made = releasing.release(request, actor=actor, at=at)
    audit.record(
        actor=actor, action="request.release", at=at, site_id=request.site_id, object_kind="request",
        object_id=request.code, job_orders=made.job_orders,
    )  # fmt: skip
    return made


# ---- what they share -------------------------------------------------------------------------------------------------


Checked = tuple[Party, list[dict[str, Any]]]


class Named:
    """What orders name: customers and materials by their codes, looked up many at once and remembered for a while."""

    def __init__(self, site_id: int) -> None:
        self.site_id = site_id
        self.customers: dict[str, Party] = {}
        self._materials: dict[str, int] = {}
        self._units: dict[int, str] = {}
        self._factors: dict[tuple[int, str], Decimal] = {}
        self._asked: set[str] = set()

    def look_up(self, specs: Iterable[OrderSpec]) -> None:
        """Look up what specifications name and nobody has looked up yet. At most three queries."""
        if len(self._asked) + len(self.customers) > MOST_REMEMBERED:
            for remembered in (self.customers, self._materials, self._units, self._factors, self._asked):
                remembered.clear()
        known = list(specs)
        if customers := {one.customer.strip() for one in known} - self.customers.keys():
            rows = Party.objects.filter(site_id=self.site_id, code__in=customers, retired_at__isnull=True)
            self.customers |= {row.code: row for row in rows}
        if codes := {line.material.strip() for one in known for line in one.lines[:MOST_LINES]} - self._asked:
            found = engineering.material_ids_of(site_id=self.site_id, codes=codes)
            self._asked |= codes
            self._materials |= found
            names = engineering.material_names(found.values())
            self._units |= {material: name.unit for material, name in names.items()}

    def customer(self, code: str) -> Party | None:
        """Return a customer; None: there is none, or it only supplies."""
        found = self.customers.get(code.strip())
        return found if found is not None and found.is_customer else None

    def material(self, code: str) -> int | None:
        """Return a material's id."""
        return self._materials.get(code.strip())

    def quantity(self, material_id: int, quantity: Decimal, unit: str) -> tuple[Decimal, str]:
        """Return a quantity in the material's own unit. Raises `InvalidInput`."""
        own, amount = self._units[material_id], clean_quantity(quantity)
        if unit and unit != own:
            key = (material_id, unit)
            if key not in self._factors:
                self._factors[key] = engineering.unit_factor(material_id=material_id, unit=unit)
            amount = clean_quantity(amount * self._factors[key])
        return amount, own


def check_order(site_id: int, spec: OrderSpec, named: Named | None = None) -> Checked:
    """Return the customer and clean lines, or refuse with everything that is wrong at once.

    Three queries and two for each unit that is not the material's own; none for what ``named`` has looked up.
    """
    wrong = check_priority(spec.priority) | (check_code(spec.code) if spec.code.strip() else {})
    if spec.promised_at.tzinfo is None:
        wrong["promised_at"] = _("Give the time with its offset.")
    if named is None:
        named = Named(site_id)
        named.look_up([spec])
    customer = named.customer(spec.customer)
    if customer is None:
        wrong["customer"] = _("There is no customer %(code)s. Enter the customer first.") % {"code": spec.customer[:60]}
    if not 0 < len(spec.lines) <= MOST_LINES:
        wrong["lines"] = _("An order has between 1 and %(count)s lines.") % {"count": MOST_LINES}
    lines = []
    for number, line in enumerate(spec.lines[:MOST_LINES], start=1):
        where = f"lines.{number - 1}"
        material = named.material(line.material)
        if material is None:
            wrong[f"{where}.material"] = _("There is no material %(code)s.") % {"code": line.material[:60]}
            continue
        try:
            quantity, unit = named.quantity(material, line.quantity, line.unit)
        except InvalidInput as refusal:
            wrong[f"{where}.quantity"] = " ".join(refusal.fields.values()) or str(refusal)
            continue
        lines.append(
            {
                "position": number,
                "material_id": material,
                "quantity": quantity,
                "unit": unit,
                "options": clean_options(line.options, f"{where}.options", wrong),
                "serial": line.serial.strip()[:CODE_LENGTH],
                "promised_at": line.promised_at,
                "request_code": line.request_code.strip(),
            }
        )
        if line.request_code and (unfit := check_code(line.request_code)):
            wrong[f"{where}.request_code"] = next(iter(unfit.values()))
    refuse(_("The order cannot be accepted as it is."), wrong)
    assert customer is not None
    return customer, lines


def _row(site_id: int, code: str, spec: OrderSpec, customer: Party, at: datetime) -> CustomerOrder:
    return CustomerOrder(
        site_id=site_id,
        code=code,
        customer=customer,
        reference=spec.reference.strip()[:CODE_LENGTH],
        promised_at=spec.promised_at,
        priority=spec.priority,
        is_rush=spec.is_rush,
        rank=rank_of(spec.priority, is_rush=spec.is_rush),
        note=spec.note.strip()[:NOTE_LENGTH],
        entered_at=at,
        changed_at=at,
    )


def own_quantity(site_id: int, material_id: int, quantity: Decimal, unit: str) -> tuple[Decimal, str]:
    """Return a quantity in the material's own unit."""
    own = engineering.material_names([material_id])[material_id].unit
    amount = clean_quantity(quantity)
    if unit and unit != own:
        amount = clean_quantity(amount * engineering.unit_factor(material_id=material_id, unit=unit))
    return amount, own


def _write_lines(order: CustomerOrder, lines: Sequence[Mapping[str, Any]]) -> None:
    CustomerOrderLine.objects.bulk_create([CustomerOrderLine(order=order, **line) for line in lines])


def _are_the_same(order: CustomerOrder, lines: Sequence[Mapping[str, Any]]) -> bool:
    names = ("position", "material_id", "quantity", "unit", "options", "serial", "request_code")
    known = [tuple(getattr(row, name) for name in names) for row in order.lines.all()]
    return known == [tuple(line[name] for name in names) for line in lines]


def _carry_over(order: CustomerOrder, lines: Sequence[Mapping[str, Any]]) -> None:
    """Let what is still open follow the order's new promise (a line's own comes first) and priority."""
    own = {line["position"]: line["promised_at"] for line in lines}
    live = [state.value for state in LIVE_REQUESTS]
    requests = OperationsRequest.objects.filter(order_id=order.pk, state__in=[*live, RequestState.FORECAST.value])
    by_date: dict[datetime, list[int]] = {}
    for row in order.lines.all():
        if row.promised_at != own.get(row.position):
            row.promised_at = own.get(row.position)
            row.save(update_fields=["promised_at"])
        by_date.setdefault(row.promised_at or order.promised_at, []).append(row.pk)
    for due_at, line_ids in by_date.items():
        releasing.reorder(requests.filter(line_id__in=line_ids), order.priority, is_rush=order.is_rush, due_at=due_at)


def _audit(order: CustomerOrder, action: str, *, actor: Actor, at: datetime, **detail: Any) -> None:
    audit.record(
        actor=actor, action=f"order.{action}", at=at, site_id=order.site_id, object_kind="order",
        object_id=order.code, **detail,
    )  # fmt: skip
