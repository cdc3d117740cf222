"""Operations schedules: each request becomes a production order to stock, or a line of a customer order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from yuheng.engineering import selectors as engineering
from yuheng.engines.b2mml import Node
from yuheng.kernel.errors import Conflict, DomainError
from yuheng.operations.models import CustomerOrder, CustomerOrderLine, OperationsRequest, Party
from yuheng.operations.rules import LIVE_REQUESTS, RequestState
from yuheng.operations.rules.documents import HOLDS, PRODUCED, RELEASES, REQUEST_WORDS, Parameter, option_of
from yuheng.operations.services import forecasts, orders, requests
from yuheng.operations.services.documents.rows import Taking, sentences
from yuheng.operations.services.imports import ImportAction
from yuheng.operations.services.orders import USUAL_PRIORITY, LineSpec, OrderSpec, PartySpec, RequestSpec

ADD, CHANGE, LEAVE = ImportAction.ADD, ImportAction.CHANGE, ImportAction.LEAVE
KIND = "request"
OF_AN_ORDER = gettext_noop("Request %(code)s belongs to customer order %(order)s; name it in the parameter %(name)s.")

_PRODUCT = dict.fromkeys(("ID", "MaterialDefinitionID", "MaterialUse", "MaterialRequirementProperty", "MaterialLotID",
                          "Description"), "") | {"Quantity": ""}  # fmt: skip
_SEGMENT: dict[str, Any] = dict.fromkeys(
    ("ID", "Description", "LatestEndTime", "ProcessSegmentID", "OperationsDefinitionID", "OperationsSegmentID",
     "OperationsType", "SegmentParameter", "MaterialRequirement"), ""
)  # fmt: skip
_REQUEST: dict[str, Any] = dict.fromkeys(
    ("ID", "Description", "EndTime", "Priority", "RequestState", "OperationsType"), ""
) | {"SegmentRequirement": _SEGMENT}


@dataclass(frozen=True, slots=True)
class Wanted:
    """One operations request as the document gives it."""

    node: Node
    code: str
    material: str
    quantity: Decimal
    unit: str
    options: dict[str, Any]
    serial: str
    due_at: datetime
    priority: int | None
    state: str
    said: Mapping[str, str]

    @property
    def order_code(self) -> str:
        """Return the customer order that it is a line of, or ""."""
        order, customer = self.said.get(Parameter.ORDER, ""), self.said.get(Parameter.CUSTOMER, "")
        return order or (self.code if customer else "")

    def urgency(self, known: OperationsRequest | CustomerOrder | None) -> tuple[int, bool]:
        """Return priority and whether it is a rush; what the document does not say stays as it is."""
        priority = self.priority or (known.priority if known is not None else USUAL_PRIORITY)
        rush = self.said.get(Parameter.RUSH, "").lower()
        return priority, (rush in ("true", "1") if rush else known is not None and known.is_rush)


def take(taking: Taking, nodes: Sequence[Node]) -> None:
    """Enter, change, release, hold or cancel what a schedule says; each request or customer order whole or not."""
    groups: dict[str, list[Wanted]] = {}
    seen: dict[str, Node] = {}
    for node in nodes:
        code = node.said("ID")
        found: list[Wanted] = []

        def act(node: Node = node, code: str = code, found: list[Wanted] = found) -> ImportAction:
            found.append(_read(taking, node))
            if code in seen:
                raise node.wrong(
                    gettext_noop("The request stands in the document already, in line %(line)s."), line=seen[code].line
                )
            seen[code] = node
            return LEAVE

        before = len(taking.rows)
        taking.attempt(KIND, code, node, act)
        if taking.rows[-1].action is LEAVE:
            del taking.rows[before:]
            groups.setdefault(found[0].order_code or f"\n{code}", []).append(found[0])
    for order_code, group in groups.items():
        if order_code.startswith("\n"):
            one = group[0]
            taking.attempt(KIND, one.code, one.node, lambda one=one: _take_request(taking, one))  # type: ignore[misc]
        else:
            _take_group(taking, order_code, group)


def _take_group(taking: Taking, order_code: str, group: Sequence[Wanted]) -> None:
    """Take the lines of a customer order together: what is wrong with one is said there, and at the others that."""
    begin = len(taking.rows)
    taking.attempt(KIND, group[0].code, group[0].node, lambda: _take_order(taking, order_code, group))
    first = taking.rows[begin]
    for one in group[1:]:
        if first.action is ImportAction.REFUSE:
            reason = _("Order %(order)s is refused: %(why)s") % {"order": order_code, "why": first.reason}
            taking.tell(KIND, one.code, one.node, ImportAction.REFUSE, reason)
        else:
            taking.tell(KIND, one.code, one.node, first.action)


# ---- reading ---------------------------------------------------------------------------------------------------------


def _read(taking: Taking, node: Node) -> Wanted:
    code = node.identified()
    segments = [one for top in node.all("SegmentRequirement") for one in _segments(top)]
    said: dict[str, str] = {}
    for segment in segments:
        for parameter in segment.all("SegmentParameter"):
            name = parameter.said("ID")
            values = parameter.all("Value")
            if name not in set(Parameter) or not values:
                taking.note(parameter)
                continue
            text = values[0].said("ValueString")
            if said.setdefault(name, text) != text:
                raise parameter.wrong(gettext_noop("'%(name)s' is given twice, and differently."), name=name)
    product, quantity, unit = _product(taking, segments, node)
    if said.get(Parameter.RUSH, "true") not in ("true", "false", "1", "0"):
        raise node.wrong(gettext_noop("The parameter %(name)s is true or false."), name=Parameter.RUSH.value)
    taking.leave_unused(node, _REQUEST)
    return Wanted(
        node=node,
        code=code,
        material=product.said("MaterialDefinitionID"),
        quantity=quantity,
        unit=unit,
        options=_options(product),
        serial=said.get(Parameter.SERIAL, "") or product.said("MaterialLotID"),
        due_at=_due(taking, node, segments),
        priority=_priority(node),
        state="Cancelled" if taking.verb == "Cancel" else node.said("RequestState") or "Forecast",
        said=said,
    )


def _segments(segment: Node) -> list[Node]:
    return [segment, *(one for child in segment.all("SegmentRequirementChild") for one in _segments(child))]


def _product(taking: Taking, segments: Sequence[Node], node: Node) -> tuple[Node, Decimal, str]:
    found = [
        one for segment in segments for one in segment.all("MaterialRequirement") if one.said("MaterialUse") in PRODUCED
    ]
    for segment in segments:
        for one in segment.all("MaterialRequirement"):
            if one not in found:
                taking.note(one)
    if not found:
        raise node.wrong(gettext_noop("No MaterialRequirement says what is to be produced (MaterialUse 'Produced')."))
    first = found[0]
    if len(first.all("MaterialDefinitionID")) != 1 or not first.said("MaterialDefinitionID"):
        raise first.wrong(gettext_noop("Name one MaterialDefinitionID."))
    quantity, unit = taking.quantity(first)
    for other in found[1:]:
        if other.said("MaterialDefinitionID") != first.said("MaterialDefinitionID"):
            raise other.wrong(gettext_noop("A request produces one material; divide it into several requests."))
        if taking.quantity(other) != (quantity, unit):
            raise other.wrong(gettext_noop("The material to be produced is given twice, and differently."))
    return first, quantity, unit


def _options(product: Node) -> dict[str, Any]:
    options: dict[str, Any] = {}
    for one in product.all("MaterialRequirementProperty"):
        name = one.identified()
        values = one.all("Value")
        if len(values) != 1:
            raise one.wrong(gettext_noop("An option has one value."))
        text = values[0].first("ValueString")
        value = option_of(text.text if text is not None else "", values[0].said("DataType"))
        if value is None:
            raise (text or one).wrong(
                gettext_noop("'%(text)s' does not fit its data type."), text=(text or one).text[:40]
            )
        if name in options:
            raise one.wrong(gettext_noop("'%(name)s' is given twice, and differently."), name=name)
        options[name] = value
    return options


def _due(taking: Taking, node: Node, segments: Sequence[Node]) -> datetime:
    found = taking.moment(node.moment("EndTime"))
    if found is None:
        latest = [taking.moment(one.moment("LatestEndTime")) for one in segments]
        found = max((one for one in latest if one is not None), default=None)
    if found is None and node.parent is not None:
        found = taking.moment(node.parent.moment("EndTime"))
    if found is None:
        raise node.wrong(gettext_noop("Nothing says when it is due: give EndTime, or LatestEndTime of a segment."))
    return found


def _priority(node: Node) -> int | None:
    found = node.first("Priority")
    if found is None:
        return None
    value = Decimal(found.text.strip())
    if value != value.to_integral_value() or not 1 <= value <= 999:
        raise found.wrong(gettext_noop("A priority is a whole number from 1 (most urgent) to 999."))
    return int(value)


# ---- production orders to stock --------------------------------------------------------------------------------------


def _take_request(taking: Taking, one: Wanted) -> ImportAction:
    known = OperationsRequest.objects.filter(site_id=taking.site_id, code=one.code).defer("resolution").first()
    if known is None:
        line = CustomerOrderLine.objects.filter(order__site_id=taking.site_id, request_code=one.code).first()
        if line is not None:
            raise one.node.wrong(
                OF_AN_ORDER,
                code=one.code, order=line.order.code, name=Parameter.ORDER.value,
            )  # fmt: skip
        return _new_request(taking, one)
    if known.parent_id is not None or known.order_id is not None:
        sentence = (
            gettext_noop("Request %(code)s makes a part of another; only that one can be changed.")
            if known.parent_id is not None
            else gettext_noop(
                "Request %(code)s belongs to customer order %(order)s; name it in the parameter %(name)s."
            )
        )
        raise one.node.wrong(
            sentence, code=one.code, order=known.order.code if known.order else "", name=Parameter.ORDER.value
        )
    if one.state == "Cancelled":
        return _cancel_request(taking, known)
    changed = _change_request(taking, one, known)
    moved = _move_request(taking, one, known)
    return CHANGE if changed or moved else LEAVE


def _spec(one: Wanted, known: OperationsRequest | None) -> RequestSpec:
    priority, is_rush = one.urgency(known)
    return RequestSpec(
        material=one.material, quantity=one.quantity, due_at=one.due_at, unit=one.unit, options=one.options,
        code=one.code, priority=priority, is_rush=is_rush, serial=one.serial,
    )  # fmt: skip


def _new_request(taking: Taking, one: Wanted) -> ImportAction:
    if one.state == "Cancelled":
        return LEAVE
    _may_be_new(one)
    _named(taking, one)
    row = orders.enter_request(actor=taking.actor, site_id=taking.site_id, spec=_spec(one, None), at=taking.at)
    if one.state in RELEASES:
        orders.release_request(actor=taking.actor, request_id=row.pk, at=taking.at)
    return ADD


def _may_be_new(one: Wanted) -> None:
    if one.state not in RELEASES | {"Forecast"}:
        raise (one.node.first("RequestState") or one.node).wrong(
            gettext_noop("A request that is not known here cannot come as '%(state)s'; send Forecast or Released."),
            state=one.state,
        )


def _named(taking: Taking, one: Wanted) -> None:
    """Refuse an unknown product, or a unit that does not fit it, at its element."""
    material = engineering.material_ids_of(site_id=taking.site_id, codes=[one.material]).get(one.material)
    product = next(
        requirement
        for top in one.node.all("SegmentRequirement")
        for segment in _segments(top)
        for requirement in segment.all("MaterialRequirement")
        if requirement.said("MaterialUse") in PRODUCED
    )
    if material is None:
        place = product.first("MaterialDefinitionID") or product
        raise place.wrong(gettext_noop("There is no material %(code)s."), code=one.material[:60])
    quantity = product.first("Quantity") or product
    if one.quantity <= 0:
        raise (quantity.first("QuantityString") or quantity).wrong(gettext_noop("The quantity is more than nothing."))
    if one.unit:
        try:
            engineering.unit_factor(material_id=material, unit=one.unit)
        except DomainError as refusal:
            place = quantity.first("UnitOfMeasure") or quantity
            raise place.wrong("%(why)s", why=sentences(refusal)) from refusal


def _change_request(taking: Taking, one: Wanted, known: OperationsRequest) -> bool:
    spec = _spec(one, known)
    if forecasts.is_request_as(known, spec):
        return False
    _named(taking, one)
    forecasts.change_request(actor=taking.actor, request_id=known.pk, spec=spec, at=taking.at)
    return True


def _move_request(taking: Taking, one: Wanted, known: OperationsRequest) -> bool:
    """Bring a request to the state that the document gives, where that is the sender's to say."""
    if REQUEST_WORDS[RequestState(known.state)] == one.state:
        return False
    state = RequestState(known.state)
    if one.state in RELEASES and state is RequestState.FORECAST:
        orders.release_request(actor=taking.actor, request_id=known.pk, at=taking.at)
    elif one.state in RELEASES and state is RequestState.HELD:
        requests.let_go_request(actor=taking.actor, request_id=known.pk, at=taking.at)
    elif one.state in HOLDS and state in LIVE_REQUESTS - {RequestState.HELD}:
        reason = _("Held by a document of the ERP")
        requests.hold_request(actor=taking.actor, request_id=known.pk, reason=reason, at=taking.at)
    else:
        return False  # how far it is, the floor says
    return True


def _cancel_request(taking: Taking, known: OperationsRequest) -> ImportAction:
    if known.state in (RequestState.CANCELLED.value, RequestState.CLOSED.value):
        return LEAVE
    reason = _("Cancelled by a document of the ERP")
    requests.cancel_request(actor=taking.actor, request_id=known.pk, reason=reason, at=taking.at)
    return CHANGE


# ---- customer orders -------------------------------------------------------------------------------------------------


def _take_order(taking: Taking, order_code: str, group: Sequence[Wanted]) -> ImportAction:
    known = CustomerOrder.objects.filter(site_id=taking.site_id, code=order_code).first()
    states = {one.state for one in group}
    if len(states) > 1:
        raise group[0].node.wrong(
            gettext_noop("The requests of customer order %(order)s are in different states: %(states)s."),
            order=order_code,
            states=", ".join(sorted(states)),
        )
    if "Cancelled" in states:
        return _cancel_order(taking, known, order_code, group)
    for one in group:
        _named(taking, one)
    spec = _order_spec(taking, order_code, group, known)
    _free_codes(taking, group, known)
    if known is None:
        for one in group:
            _may_be_new(one)
        known = orders.enter_order(actor=taking.actor, site_id=taking.site_id, spec=spec, at=taking.at)
        action = ADD
    elif orders.is_as(known, spec):
        action = LEAVE
    else:
        orders.change_order(actor=taking.actor, order_id=known.pk, spec=spec, at=taking.at)
        action = CHANGE
    if states <= RELEASES and known.state == "entered":
        orders.release_order(actor=taking.actor, order_id=known.pk, at=taking.at)
        return action if action is ADD else CHANGE
    held = [_move_line(taking, one) for one in group] if action is not ADD else []
    return CHANGE if any(held) and action is LEAVE else action


def _move_line(taking: Taking, one: Wanted) -> bool:
    row = OperationsRequest.objects.filter(site_id=taking.site_id, code=one.code).defer("resolution").first()
    if row is None or row.state == RequestState.FORECAST.value:
        return False
    return _move_request(taking, one, row)


def _order_spec(taking: Taking, order_code: str, group: Sequence[Wanted], known: CustomerOrder | None) -> OrderSpec:
    ranked = sorted(group, key=lambda one: _line_number(one))
    said: dict[str, str] = {}
    for one in ranked:
        for name in (Parameter.CUSTOMER, Parameter.CUSTOMER_NAME, Parameter.REFERENCE, Parameter.PROMISE,
                     Parameter.NOTE, Parameter.RUSH):  # fmt: skip
            if name in one.said and said.setdefault(name, one.said[name]) != one.said[name]:
                raise one.node.wrong(
                    gettext_noop("The requests of customer order %(order)s differ in %(name)s."),
                    order=order_code,
                    name=name.value,
                )
    if len({one.priority for one in ranked}) > 1:
        raise ranked[0].node.wrong(
            gettext_noop("The requests of customer order %(order)s differ in %(name)s."),
            order=order_code,
            name="Priority",
        )
    customer = said.get(Parameter.CUSTOMER, "") or (known.customer.code if known is not None else "")
    if not customer:
        raise ranked[0].node.wrong(
            gettext_noop("The customer is missing: give the parameter %(name)s."), name=Parameter.CUSTOMER.value
        )
    _make_customer(taking, customer, said.get(Parameter.CUSTOMER_NAME, ""))
    last = max(one.due_at for one in ranked)
    priority, is_rush = ranked[0].urgency(known)
    promised = _promise(taking, ranked[0], said.get(Parameter.PROMISE, "")) or last
    return OrderSpec(
        customer=customer,
        promised_at=promised,
        code=order_code,
        priority=priority,
        is_rush=is_rush,
        reference=said.get(Parameter.REFERENCE, known.reference if known is not None else ""),
        note=said.get(Parameter.NOTE, known.note if known is not None else ""),
        lines=[
            LineSpec(
                material=one.material, quantity=one.quantity, unit=one.unit, options=one.options, serial=one.serial,
                promised_at=None if one.due_at == promised else one.due_at,
                request_code="" if one.code == f"{order_code}-{place}" else one.code,
            )
            for place, one in enumerate(ranked, start=1)
        ],
    )  # fmt: skip


def _line_number(one: Wanted) -> int:
    text = one.said.get(Parameter.ORDER_LINE, "")
    if text and not (text.isascii() and text.isdigit() and len(text) < 7):
        raise one.node.wrong(gettext_noop("The parameter %(name)s is a whole number."), name=Parameter.ORDER_LINE.value)
    return int(text) if text else 1_000_000


def _promise(taking: Taking, one: Wanted, text: str) -> datetime | None:
    if not text:
        return None
    try:
        return taking.moment(datetime.fromisoformat(text))
    except ValueError as error:
        raise one.node.wrong(
            gettext_noop("'%(text)s' is no time such as 2026-12-20T08:00:00+08:00."), text=text[:40]
        ) from error


def _make_customer(taking: Taking, code: str, name: str) -> None:
    if name and not Party.objects.filter(site_id=taking.site_id, code=code).exists():
        spec = PartySpec(code, name, name)
        orders.write_party(actor=taking.actor, site_id=taking.site_id, spec=spec, at=taking.at)


def _free_codes(taking: Taking, group: Sequence[Wanted], known: CustomerOrder | None) -> None:
    """Refuse a number that another production order has."""
    codes = {one.code: one for one in group}
    mine = known.pk if known is not None else None
    taken = OperationsRequest.objects.filter(site_id=taking.site_id, code__in=codes).exclude(
        order_id__isnull=False, order_id=mine
    )
    lines = CustomerOrderLine.objects.filter(order__site_id=taking.site_id, request_code__in=codes).exclude(
        order_id=mine
    )
    found = [*taken.values_list("code", flat=True)[:1], *lines.values_list("request_code", flat=True)[:1]]
    if found:
        one = codes[found[0]]
        raise (one.node.first("ID") or one.node).wrong(
            gettext_noop("The number %(code)s is another production order's."), code=one.code
        )


def _cancel_order(
    taking: Taking, known: CustomerOrder | None, order_code: str, group: Sequence[Wanted]
) -> ImportAction:
    if known is None:
        return LEAVE
    rows = list(OperationsRequest.objects.filter(order_id=known.pk, parent__isnull=True).defer("resolution"))
    reason = _("Cancelled by a document of the ERP")
    named = {one.code for one in group}
    mine = [row for row in rows if row.code in named]
    count = known.lines.filter(is_cancelled=False).count()
    if known.state == "cancelled" or (mine and all(row.state == RequestState.CANCELLED.value for row in mine)):
        return LEAVE
    if len(group) >= count:
        orders.cancel_order(actor=taking.actor, order_id=known.pk, reason=reason, at=taking.at)
        return CHANGE
    if len(mine) < len(group):
        raise Conflict(
            _("Order %(order)s is not released: cancel it whole, or send it without those lines.")
            % {"order": order_code}
        )
    actions = [_cancel_request(taking, row) for row in mine]
    return CHANGE if CHANGE in actions else LEAVE
