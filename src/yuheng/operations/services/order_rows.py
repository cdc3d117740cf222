"""Rows of a file as customer orders: many orders at a time, with a number of queries that does not grow with them.

The rows of an order stand together here; whoever reads the file has brought them together.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, time
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from zoneinfo import ZoneInfo

from django.db import transaction
from django.utils.translation import gettext as _

from yuheng.kernel.actor import Actor
from yuheng.kernel.errors import Conflict, DomainError, InvalidInput
from yuheng.operations.models import CustomerOrder
from yuheng.operations.services import orders
from yuheng.operations.services.orders import MOST_LINES, USUAL_PRIORITY, Checked, LineSpec, Named, OrderSpec, PartySpec
from yuheng.operations.tables import TableRow

_YES = {"1", "true", "yes", "y", "是"}
_OF_THE_ORDER = ("customer", "customer_name", "priority", "is_rush", "reference", "note")
"""Cells that say the same in each row of an order, or nothing."""


class ImportAction(StrEnum):
    """What becomes of a row."""

    ADD = "add"
    CHANGE = "change"
    LEAVE = "leave"
    REFUSE = "refuse"


@dataclass(frozen=True, slots=True)
class Group:
    """The rows of one order, in the order of the file; ``is_cut``: it has more than an order may have."""

    code: str
    rows: Sequence[TableRow]
    is_cut: bool = False


@dataclass(frozen=True, slots=True)
class Taken:
    """What becomes of an order; ``reason`` when it is refused."""

    group: Group
    action: ImportAction
    reason: str = ""


class OrderTaker:
    """Takes orders in, some hundred at a time.

    Parameters
    ----------
    is_writing
        False: new orders are only looked at. What changes is changed in any case, so a dry run belongs into a
        transaction that is rolled back.
    tells_each
        Those who listen are told of each new order.
    """

    def __init__(
        self, *, actor: Actor, site_id: int, zone: ZoneInfo, at: datetime, is_writing: bool, tells_each: bool
    ) -> None:
        self._actor = actor
        self._site_id = site_id
        self._zone = zone
        self._at = at
        self._is_writing = is_writing
        self._tells_each = tells_each
        self._named = Named(site_id)

    def take(self, groups: Iterable[Group]) -> list[Taken]:
        """Return what becomes of each, in their order. About ten statements, and some for each order that changes."""
        read = [(group, self._read(group)) for group in groups]
        self._named.look_up(spec for _group, spec in read if isinstance(spec, OrderSpec))
        codes = [group.code for group, spec in read if isinstance(spec, OrderSpec)]
        rows = CustomerOrder.objects.filter(site_id=self._site_id, code__in=codes).prefetch_related("lines")
        known = {row.code: row for row in rows}
        new: list[tuple[OrderSpec, Checked]] = []
        taken = []
        for group, spec in read:
            if not isinstance(spec, OrderSpec):
                taken.append(Taken(group, ImportAction.REFUSE, spec))
                continue
            try:
                taken.append(Taken(group, self._take(group, spec, known.get(group.code), new)))
            except DomainError as refusal:
                taken.append(Taken(group, ImportAction.REFUSE, sentences(refusal)))
        if new and self._is_writing:
            orders.enter_orders(
                actor=self._actor, site_id=self._site_id, orders=new, tells_each=self._tells_each, at=self._at
            )
        return taken

    def _read(self, group: Group) -> OrderSpec | str:
        try:
            return order_of(group, self._zone)
        except InvalidInput as refusal:
            return sentences(refusal)

    def _take(
        self, group: Group, spec: OrderSpec, known: CustomerOrder | None, new: list[tuple[OrderSpec, Checked]]
    ) -> ImportAction:
        name = _cell(group.rows, "customer_name")
        if not name or spec.customer in self._named.customers:
            return self._enter(spec, known, new)
        try:
            with transaction.atomic():  # a customer who is new comes with the order that names them first, or not
                party = PartySpec(spec.customer, name, name)
                self._named.customers[spec.customer] = orders.write_party(
                    actor=self._actor, site_id=self._site_id, spec=party, at=self._at
                )
                return self._enter(spec, known, new)
        except DomainError:
            self._named.customers.pop(spec.customer, None)
            raise

    def _enter(
        self, spec: OrderSpec, known: CustomerOrder | None, new: list[tuple[OrderSpec, Checked]]
    ) -> ImportAction:
        checked = orders.check_order(self._site_id, spec, self._named)
        if known is None:
            new.append((spec, checked))
            return ImportAction.ADD
        if orders.is_as(known, spec, checked):
            return ImportAction.LEAVE
        orders.change_order(actor=self._actor, order_id=known.pk, spec=spec, at=self._at)
        return ImportAction.CHANGE


def order_of(group: Group, zone: ZoneInfo) -> OrderSpec:
    """Return the order that rows describe. Raises `InvalidInput`: a sentence for the person who wrote the file."""
    rows, code = group.rows, group.code
    if not code:
        raise InvalidInput(_("The order's number is missing."))
    if group.is_cut or len(rows) > MOST_LINES:
        raise InvalidInput(_("An order has between 1 and %(count)s lines.") % {"count": MOST_LINES})
    _refuse_differences(rows)
    _refuse_repetitions(rows)
    promises = [_moment(text, zone) if (text := row.get("promised_at")) else None for row in rows]
    promised = max((one for one in promises if one is not None), default=None)
    if promised is None:
        raise InvalidInput(_("Say until when it is promised."))
    return OrderSpec(
        code=code,
        customer=_cell(rows, "customer"),
        promised_at=promised,
        priority=_whole(_cell(rows, "priority") or str(USUAL_PRIORITY)),
        is_rush=_cell(rows, "is_rush").lower() in _YES,
        reference=_cell(rows, "reference"),
        note=_cell(rows, "note"),
        lines=[
            LineSpec(
                material=row.get("material"),
                quantity=decimal(row),
                unit=row.get("unit"),
                options=_options(row.get("options")),
                promised_at=None if promise in (None, promised) else promise,
                serial=row.get("serial"),
            )
            for row, promise in zip(rows, promises, strict=True)
        ],
    )


def _cell(rows: Sequence[TableRow], name: str) -> str:
    """Return what the first row says that says anything."""
    return next((text for row in rows if (text := row.get(name))), "")


def _refuse_differences(rows: Sequence[TableRow]) -> None:
    for name in _OF_THE_ORDER:
        said = {text: row.line for row in rows if (text := row.get(name))}
        if len(said) > 1:
            (one, line), (other, later) = list(said.items())[:2]
            raise InvalidInput(
                _("Rows %(row)d and %(later)d of this order differ in %(name)s: '%(one)s' and '%(other)s'.")
                % {"row": line, "later": later, "name": name, "one": one[:40], "other": other[:40]}
            )


def _refuse_repetitions(rows: Sequence[TableRow]) -> None:
    """Refuse a row that stands twice: nobody can know whether twice the quantity was meant."""
    seen: dict[tuple[tuple[str, str], ...], int] = {}
    for row in rows if len(rows) > 1 else ():
        cells = tuple(sorted((name, text) for name, text in row.cells.items() if text))
        if (first := seen.setdefault(cells, row.line)) != row.line:
            raise InvalidInput(
                _("Row %(later)d repeats row %(row)d. Take one out, or add the quantities up in one row.")
                % {"later": row.line, "row": first}
            )


# ---- cells -----------------------------------------------------------------------------------------------------------


def sentences(refusal: DomainError) -> str:
    """Return why something was refused, in one line."""
    fields = refusal.fields if isinstance(refusal, InvalidInput) else {}
    return " ".join(dict.fromkeys(fields.values())) or str(refusal)


def decimal(row: TableRow) -> Decimal:
    """Return the quantity of a row. Raises `InvalidInput`."""
    try:
        found = Decimal(row.get("quantity").replace("_", "x"))
    except InvalidOperation as error:
        raise InvalidInput(_("'%(text)s' is no quantity.") % {"text": row.get("quantity")[:40]}) from error
    if not found.is_finite():
        raise InvalidInput(_("'%(text)s' is no quantity.") % {"text": row.get("quantity")[:40]})
    return found


def moment(text: str, zone: ZoneInfo) -> datetime:
    """Read a date (the end of that day at the site) or a time; without an offset it is the site's.

    Raises
    ------
    InvalidInput
    """
    return _moment(text, zone)


def _moment(text: str, zone: ZoneInfo) -> datetime:
    day = text.replace("/", "-").removesuffix(" 00:00:00")  # as a workbook keeps a date
    try:
        found = datetime.fromisoformat(day)
    except ValueError as error:
        raise InvalidInput(_("Write dates as 2026-12-20 or 2026-12-20T08:00.")) from error
    if len(day) <= 10:
        found = datetime.combine(found.date(), time(23, 59, 59))
    return found if found.tzinfo is not None else found.replace(tzinfo=zone)


def _whole(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise InvalidInput(_("A priority is a whole number from 1 (most urgent) to 999."))
    return int(text)


def _options(text: str) -> dict[str, str | bool | int | float]:
    found: dict[str, str | bool | int | float] = {}
    for part in text.replace("；", ";").split(";") if text else ():
        name, has_value, value = part.partition("=")
        if not part.strip():
            continue
        if not has_value or not name.strip():
            raise InvalidInput(_("Options are written as name=value; name=value."))
        found[name.strip()] = _value(value.strip())
    return found


def _value(text: str) -> str | bool | int | float:
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    try:
        return int(text)
    except ValueError:
        try:
            number = float(text)
        except ValueError:
            return text
        return number if number - number == 0.0 else text


def changed_since() -> Conflict:
    """Return the refusal of an application whose dry run said something else."""
    return Conflict(_("Something changed since the dry run. Look at the new dry run and apply that."))
