"""Orders and stock from files: a dry run that says what each row would do, then exactly that, in one transaction.

The dry run *is* the import, rolled back: what it says is what happens.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, time
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from zoneinfo import ZoneInfo

from django.db import transaction
from django.utils.translation import gettext as _

from yuheng.engineering import selectors as engineering
from yuheng.kernel import audit
from yuheng.kernel.actor import Actor
from yuheng.kernel.errors import Conflict, DomainError, InvalidInput
from yuheng.kernel.models import Site
from yuheng.operations.models import CustomerOrder, Party, StockLocation, StockMovement
from yuheng.operations.rules import Act
from yuheng.operations.services import orders, stock
from yuheng.operations.services.access import MOVE, ORDERS
from yuheng.operations.services.orders import USUAL_PRIORITY, LineSpec, OrderSpec, PartySpec
from yuheng.operations.tables import TableRow, read_table

ORDER_COLUMNS = frozenset(
    {
        "order", "customer", "customer_name", "promised_at", "priority", "is_rush", "reference", "note", "material",
        "quantity", "unit", "serial", "options",
    }
)  # fmt: skip

STOCK_COLUMNS = frozenset({"material", "lot", "quantity", "unit", "location", "serial", "expires_at", "note"})
_YES = {"1", "true", "yes", "y", "是"}


class ImportKind(StrEnum):
    """What a file holds."""

    ORDERS = "orders"
    STOCK = "stock"


class ImportAction(StrEnum):
    """What becomes of a row."""

    ADD = "add"
    CHANGE = "change"
    LEAVE = "leave"
    REFUSE = "refuse"


@dataclass(frozen=True, slots=True)
class ImportRow:
    """One order, or one receipt: where it stands in the file, what becomes of it, and why not."""

    line: int
    key: str
    action: ImportAction
    reason: str


@dataclass(frozen=True, slots=True)
class ImportPlan:
    """What a file does; ``sha256`` is the fingerprint by which it is applied."""

    rows: tuple[ImportRow, ...]
    counts: dict[str, int]
    sha256: str


def plan_import(*, actor: Actor, site_id: int, kind: ImportKind, content: bytes, at: datetime) -> ImportPlan:
    """Say what a file would do; nothing is written.

    Raises
    ------
    PermissionRefused, NotVisible
    InvalidInput
        The file cannot be read.
    """
    with transaction.atomic():
        plan = _carry_out(actor, site_id, kind, content, at)
        transaction.set_rollback(True)
    return plan


@transaction.atomic
def apply_import(
    *,
    actor: Actor,
    site_id: int,
    kind: ImportKind,
    content: bytes,
    plan_sha256: str,
    at: datetime,
    leave_out_refused: bool = False,
) -> ImportPlan:
    """Do exactly what the dry run with this fingerprint said.

    Raises
    ------
    PermissionRefused, NotVisible, InvalidInput
    Conflict
        Something changed since, or rows are refused and leaving them out was not asked for.
    """
    Site.objects.select_for_update(no_key=True).filter(pk=site_id).first()
    plan = _carry_out(actor, site_id, kind, content, at)
    if plan.sha256 != plan_sha256:
        raise Conflict(_("Something changed since the dry run. Look at the new dry run and apply that."))
    if plan.counts[ImportAction.REFUSE.value] and not leave_out_refused:
        raise Conflict(_("Some rows are refused. Correct the file, or choose to leave those rows out."))
    audit.record(
        actor=actor, action="orders.imported", at=at, site_id=site_id, object_kind=kind.value, counts=plan.counts
    )
    return plan


def _carry_out(actor: Actor, site_id: int, kind: ImportKind, content: bytes, at: datetime) -> ImportPlan:
    actor.require(ORDERS if kind is ImportKind.ORDERS else MOVE, site_id=site_id)
    zone = ZoneInfo(Site.objects.values_list("time_zone", flat=True).get(pk=site_id))
    if kind is ImportKind.ORDERS:
        rows = read_table(
            content, columns=ORDER_COLUMNS, required=frozenset({"order", "customer", "material", "quantity"})
        )
        done = list(_orders(actor, site_id, rows, zone, at))
    else:
        rows = read_table(content, columns=STOCK_COLUMNS, required=frozenset({"material", "quantity"}))
        done = list(_receipts(actor, site_id, rows, zone, hashlib.sha256(content).hexdigest()[:32], at))
    counted = Counter(row.action.value for row in done)
    told = [[row.line, row.key, row.action.value, row.reason] for row in done]
    fingerprint = hashlib.sha256(json.dumps([site_id, kind.value, told]).encode()).hexdigest()
    return ImportPlan(tuple(done), {action.value: counted[action.value] for action in ImportAction}, fingerprint)


# ---- orders ----------------------------------------------------------------------------------------------------------


def _orders(actor: Actor, site_id: int, rows: Sequence[TableRow], zone: ZoneInfo, at: datetime) -> Iterator[ImportRow]:
    by_order: dict[str, list[TableRow]] = {}
    for row in rows:
        by_order.setdefault(row.get("order"), []).append(row)
    for code, lines in by_order.items():
        try:
            with transaction.atomic():
                action = _write_order(actor, site_id, code, lines, zone, at)
            yield ImportRow(lines[0].line, code, action, "")
        except DomainError as refusal:
            yield ImportRow(lines[0].line, code, ImportAction.REFUSE, _sentences(refusal))


def _write_order(
    actor: Actor, site_id: int, code: str, lines: Sequence[TableRow], zone: ZoneInfo, at: datetime
) -> ImportAction:
    first = lines[0]
    if not code:
        raise InvalidInput(_("The order's number is missing."))
    _make_customer(actor, site_id, first, at)
    promised = next((row.get("promised_at") for row in lines if row.get("promised_at")), "")
    spec = OrderSpec(
        code=code,
        customer=first.get("customer"),
        promised_at=_moment(promised, zone),
        priority=_whole(first.get("priority") or str(USUAL_PRIORITY)),
        is_rush=first.get("is_rush").lower() in _YES,
        reference=first.get("reference"),
        note=first.get("note"),
        lines=[
            LineSpec(
                row.get("material"),
                _decimal(row),
                row.get("unit"),
                _options(row.get("options")),
                None,
                row.get("serial"),
            )
            for row in lines
        ],
    )
    known = CustomerOrder.objects.filter(site_id=site_id, code=code).first()
    if known is None:
        orders.enter_order(actor=actor, site_id=site_id, spec=spec, at=at)
        return ImportAction.ADD
    if orders.is_as(known, spec):
        return ImportAction.LEAVE
    orders.change_order(actor=actor, order_id=known.pk, spec=spec, at=at)
    return ImportAction.CHANGE


def _line(row: TableRow) -> LineSpec:
    options = _options(row.get("options"))
    return LineSpec(row.get("material"), _decimal(row), row.get("unit"), options, None, row.get("serial"))


def _make_customer(actor: Actor, site_id: int, row: TableRow, at: datetime) -> None:
    """Enter a customer that the file names, when there is none with this code."""
    code, name = row.get("customer"), row.get("customer_name")
    if name and not Party.objects.filter(site_id=site_id, code=code).exists():
        orders.write_party(actor=actor, site_id=site_id, spec=PartySpec(code, name, name), at=at)


def _options(text: str) -> dict[str, str | bool | int | float]:
    found: dict[str, str | bool | int | float] = {}
    for part in text.replace("；", ";").split(";"):
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


# ---- stock -----------------------------------------------------------------------------------------------------------


def _receipts(
    actor: Actor, site_id: int, rows: Sequence[TableRow], zone: ZoneInfo, file_key: str, at: datetime
) -> Iterator[ImportRow]:
    materials = engineering.material_ids(site_id=site_id)
    places = dict(StockLocation.objects.filter(site_id=site_id, retired_at=None).values_list("code", "pk"))
    known = set(
        StockMovement.objects.filter(site_id=site_id, action_id__startswith=f"{file_key}:").values_list(
            "action_id", flat=True
        )
    )
    for row in rows:
        key, action_id = (
            f"{row.get('material')} {row.get('lot') or row.get('serial')}".strip(),
            f"{file_key}:{row.line}",
        )
        if action_id in known:
            yield ImportRow(row.line, key, ImportAction.LEAVE, "")
            continue
        try:
            with transaction.atomic():
                _receive(actor, site_id, row, materials, places, zone, action_id, at)
            yield ImportRow(row.line, key, ImportAction.ADD, "")
        except DomainError as refusal:
            yield ImportRow(row.line, key, ImportAction.REFUSE, _sentences(refusal))


def _receive(
    actor: Actor,
    site_id: int,
    row: TableRow,
    materials: dict[str, int],
    places: dict[str, int],
    zone: ZoneInfo,
    action_id: str,
    at: datetime,
) -> None:
    material_id = materials.get(row.get("material"))
    if material_id is None:
        raise InvalidInput(_("There is no material %(code)s.") % {"code": row.get("material")[:60]})
    place = row.get("location")
    if place and place not in places:
        raise InvalidInput(_("There is no stock location %(code)s.") % {"code": place[:60]})
    expires = row.get("expires_at")
    stock.receive(
        actor=actor,
        site_id=site_id,
        material_id=material_id,
        quantity=_decimal(row),
        unit=row.get("unit"),
        lot=row.get("lot"),
        serials=[row.get("serial")] if row.get("serial") else (),
        location_id=places.get(place),
        expires_at=_moment(expires, zone) if expires else None,
        note=row.get("note"),
        at=at,
        act=Act(action_id=action_id),
    )


# ---- cells -----------------------------------------------------------------------------------------------------------


def _sentences(refusal: DomainError) -> str:
    fields = refusal.fields if isinstance(refusal, InvalidInput) else {}
    return " ".join(dict.fromkeys(fields.values())) or str(refusal)


def _decimal(row: TableRow) -> Decimal:
    try:
        found = Decimal(row.get("quantity").replace("_", "x"))
    except InvalidOperation as error:
        raise InvalidInput(_("'%(text)s' is no quantity.") % {"text": row.get("quantity")[:40]}) from error
    if not found.is_finite():
        raise InvalidInput(_("'%(text)s' is no quantity.") % {"text": row.get("quantity")[:40]})
    return found


def _whole(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise InvalidInput(_("A priority is a whole number from 1 (most urgent) to 999."))
    return int(text)


def _moment(text: str, zone: ZoneInfo) -> datetime:
    """Read a date (the end of that day at the site) or a time; without an offset it is the site's."""
    try:
        found = datetime.fromisoformat(text.replace("/", "-"))
    except ValueError as error:
        raise InvalidInput(_("Write dates as 2026-12-20 or 2026-12-20T08:00.")) from error
    if len(text) <= 10:
        found = datetime.combine(found.date(), time(23, 59, 59))
    return found if found.tzinfo is not None else found.replace(tzinfo=zone)
