"""The storekeeper's verbs: locations, receipt, move, issue, return, count, block. Need ``materials.move``.

The same action id twice is one act. Quantities are in the material's own unit unless ``unit`` says otherwise.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from yuheng.engineering import selectors as engineering
from yuheng.kernel import audit
from yuheng.kernel.actor import Actor
from yuheng.kernel.errors import Conflict, InvalidInput, NotVisible
from yuheng.operations.models import (
    MaterialLot,
    MaterialRequirement,
    OperationsRequest,
    Party,
    StockBalance,
    StockLocation,
    StockMovement,
)
from yuheng.operations.rules import LIVE_REQUESTS, Act, LocationKind, LotKind, LotState, MovementKind, RequestState
from yuheng.operations.rules.progress import ZERO
from yuheng.operations.services import ledger
from yuheng.operations.services.access import MOVE, locked, locked_request, next_number
from yuheng.operations.services.checks import check_code, check_names, refuse
from yuheng.operations.services.facts import when
from yuheng.operations.services.materials import in_own_unit, location_of, note_issue
from yuheng.operations.services.refusals import action_used_otherwise, number, reason_needed

MOST_SERIALS = 10_000


@transaction.atomic
def write_location(
    *,
    actor: Actor,
    site_id: int,
    code: str,
    name_zh: str,
    name_en: str,
    at: datetime,
    kind: str = LocationKind.STORE.value,
    work_unit_id: int | None = None,
) -> StockLocation:
    """Create or change a stock location by its code. Raises `PermissionRefused`, `InvalidInput`."""
    actor.require(MOVE, site_id=site_id)
    wrong = check_code(code) | check_names(name_zh, name_en)
    if kind not in {one.value for one in LocationKind}:
        wrong["kind"] = ", ".join(one.value for one in LocationKind)
    refuse(_("The location cannot be accepted as it is."), wrong)
    row, _made = StockLocation.objects.update_or_create(
        site_id=site_id,
        code=code.strip(),
        defaults={
            "name_zh": name_zh.strip(), "name_en": name_en.strip(), "kind": kind, "work_unit_id": work_unit_id,
            "retired_at": None,
        },
    )  # fmt: skip
    audit.record(
        actor=actor, action="stock.location", at=at, site_id=site_id, object_kind="location", object_id=row.code
    )
    return row


@transaction.atomic
def receive(
    *,
    actor: Actor,
    site_id: int,
    material_id: int,
    quantity: Decimal | int,
    at: datetime,
    location_id: int | None = None,
    lot: str = "",
    serials: Sequence[str] = (),
    supplier_id: int | None = None,
    supplier_lot: str = "",
    unit: str = "",
    expires_at: datetime | None = None,
    note: str = "",
    act: Act = Act(),
) -> list[MaterialLot]:
    """Take goods in: into a lot (a new one without a code), or as serialised instances, one piece each.

    Raises
    ------
    PermissionRefused, NotVisible
    InvalidInput
        Serial numbers are missing for what is tracked by them, or are there twice.
    Conflict
        A serial number is in stock already.
    """
    actor.require(MOVE, site_id=site_id)
    happened = when(act, at)
    if known := _same_act(site_id, act, MovementKind.RECEIPT):
        return known
    material = engineering.material(actor=actor, material_id=material_id)
    if material.site_id != site_id:
        raise NotVisible(_("There is no such material here."))
    amount = ledger.clean_quantity(quantity)
    if unit and unit != material.unit:
        amount = ledger.clean_quantity(amount * engineering.unit_factor(material_id=material_id, unit=unit))
    place = _place(site_id, location_id)
    if supplier_id is not None and not Party.objects.filter(pk=supplier_id, site_id=site_id, is_supplier=True).exists():
        raise NotVisible(_("There is no such supplier here."))
    origin = {"supplier_id": supplier_id, "supplier_lot": supplier_lot.strip()[:80], "expires_at": expires_at}
    if str(material.tracking) == "serial":
        lots = _received_instances(material, amount, serials, origin, at=at)
        parts = [(one, Decimal(1)) for one in lots]
    else:
        if serials:
            raise InvalidInput(
                _("%(material)s is not tracked by serial numbers.") % {"material": material.code},
                {"serials": _("Leave the serial numbers out.")},
            )
        code = ledger.ANONYMOUS if str(material.tracking) == "none" and not lot.strip() else lot.strip()
        parts = [(_received_lot(material, code, origin, at=at), amount)]
    for one, part in parts:
        ledger.write_movement(
            one, MovementKind.RECEIPT, part, actor=actor, at=at, happened=happened, to_location=place,
            action_id=act.action_id, note=note.strip()[:1000],
        )  # fmt: skip
    _audit(
        "receive", actor=actor, at=at, site_id=site_id, lot=parts[0][0], material=material.code, location=place.code,
        quantity=number(amount),
    )  # fmt: skip
    return [one for one, _part in parts]


def _received_lot(material: Any, code: str, origin: dict[str, Any], *, at: datetime) -> MaterialLot:
    named = code or f"L{next_number(site_id=material.site_id, kind='lot'):08d}"
    if named != ledger.ANONYMOUS:
        refuse(_("The lot cannot be accepted as it is."), check_code(named, "lot"))
    row, made = MaterialLot.objects.get_or_create(
        site_id=material.site_id,
        material_id=material.id,
        code=named,
        defaults={
            "uri": ledger.uri_of(material.site_id, material.code, named), "state": LotState.AVAILABLE.value,
            "revision": str(getattr(material, "revision", ""))[:40], "created_at": at, "made_at": at, **origin,
        },
    )  # fmt: skip
    if not made and row.state != LotState.AVAILABLE.value:
        raise Conflict(_("Lot %(lot)s is blocked or not ours to receive.") % {"lot": row.code})
    return row


def _received_instances(
    material: Any, amount: Decimal, serials: Sequence[str], origin: dict[str, Any], *, at: datetime
) -> list[MaterialLot]:
    numbers = [one.strip() for one in serials if one.strip()]
    if len(set(numbers)) != len(numbers):
        raise InvalidInput(_("A serial number is there twice."), {"serials": _("Each once.")})
    if len(numbers) != amount or len(numbers) > MOST_SERIALS:
        raise InvalidInput(
            _("%(material)s is tracked by serial numbers: give one for each piece.") % {"material": material.code},
            {"serials": _("As many as the quantity.")},
        )
    for one in numbers:
        refuse(_("The serial number cannot be accepted as it is."), check_code(one, "serials"))
    known = MaterialLot.objects.filter(site_id=material.site_id, material_id=material.id, code__in=numbers)
    if taken := known.values_list("code", flat=True).first():
        raise Conflict(
            _("Serial number %(serial)s of %(material)s is known already; it can be returned or counted.")
            % {"serial": taken, "material": material.code}
        )
    base = ledger.uri_of(material.site_id, material.code, "")
    return MaterialLot.objects.bulk_create(
        [
            MaterialLot(
                site_id=material.site_id, material_id=material.id, kind=LotKind.INSTANCE.value, code=one,
                uri=f"{base}{one}"[:300], state=LotState.AVAILABLE.value, created_at=at, made_at=at, **origin,
            )
            for one in numbers
        ]
    )  # fmt: skip


@transaction.atomic
def move_stock(
    *,
    actor: Actor,
    lot_id: int,
    from_location_id: int,
    to_location_id: int,
    quantity: Decimal | int,
    at: datetime,
    unit: str = "",
    note: str = "",
    act: Act = Act(),
) -> StockMovement:
    """Carry material from one location to another. Raises as `issue`."""
    lot = _lot(actor, lot_id)
    happened = when(act, at)
    if known := _same_movement(lot, act, MovementKind.MOVE):
        return known
    if from_location_id == to_location_id:
        raise InvalidInput(_("It lies there already."), {"to_location_id": _("Choose another location.")})
    amount = in_own_unit(lot, quantity, unit)
    here, there = location_of(lot.site_id, from_location_id), location_of(lot.site_id, to_location_id)
    row = ledger.write_movement(
        lot, MovementKind.MOVE, amount, actor=actor, at=at, happened=happened, from_location=here, to_location=there,
        action_id=act.action_id, note=note.strip()[:1000],
    )  # fmt: skip
    _audit("move", actor=actor, at=at, site_id=lot.site_id, lot=lot, quantity=number(amount), to=there.code)
    return row


@transaction.atomic
def issue(
    *,
    actor: Actor,
    lot_id: int,
    request_id: int,
    quantity: Decimal | int,
    at: datetime,
    requirement_id: int | None = None,
    location_id: int | None = None,
    unit: str = "",
    reason: str = "",
    act: Act = Act(),
) -> StockMovement:
    """Issue material from the store to a released request: it counts for the request's list.

    Raises
    ------
    PermissionRefused, NotVisible, InvalidInput
    Conflict
        There is less, the lot is blocked, or the request does not need it (then give a reason).
    """
    request = _live_request(actor, request_id)
    lot = _lot(actor, lot_id)
    happened = when(act, at)
    if known := _same_movement(lot, act, MovementKind.ISSUE):
        return known
    ledger.check_usable(lot, at)
    amount = in_own_unit(lot, quantity, unit)
    line = _line(request, lot, requirement_id)
    if line is None and not reason.strip():
        raise Conflict(
            _("Request %(request)s does not need %(material)s. Take the right one, or say why.")
            % {"request": request.code, "material": lot.material.code}
        )
    if line is not None and line.issued + amount > line.quantity and not reason.strip():
        raise Conflict(
            _("Request %(request)s needs %(left)s more of %(material)s. Issue that, or say why it is more.")
            % {
                "request": request.code,
                "left": number(max(ZERO, line.quantity - line.issued)),
                "material": lot.material.code,
            }
        )
    place = location_of(lot.site_id, location_id) if location_id is not None else ledger.where_it_lies(lot, amount)
    row = ledger.write_movement(
        lot, MovementKind.ISSUE, amount, actor=actor, at=at, happened=happened, from_location=place, request=request,
        requirement=line, job_order_id=line.job_order_id if line else None, action_id=act.action_id,
        reason=reason.strip()[:80],
    )  # fmt: skip
    if line is not None:
        note_issue(line, amount)
    _audit("issue", actor=actor, at=at, site_id=lot.site_id, lot=lot, quantity=number(amount), request=request.code)
    return row


@transaction.atomic
def return_to_stock(
    *,
    actor: Actor,
    lot_id: int,
    request_id: int,
    quantity: Decimal | int,
    at: datetime,
    location_id: int | None = None,
    unit: str = "",
    reason: str = "",
    act: Act = Act(),
) -> StockMovement:
    """Take back what was issued to a request. Raises as `issue`; `Conflict` for more than was issued."""
    request = locked_request(actor=actor, request_id=request_id, permission=MOVE)
    lot = _lot(actor, lot_id)
    happened = when(act, at)
    if known := _same_movement(lot, act, MovementKind.RETURN):
        return known
    amount = in_own_unit(lot, quantity, unit)
    rows = StockMovement.objects.filter(request_id=request.pk, lot_id=lot.pk)
    out = sum((one.quantity for one in rows.filter(kind=MovementKind.ISSUE.value)), ZERO)
    back = sum((one.quantity for one in rows.filter(kind=MovementKind.RETURN.value)), ZERO)
    if amount > out - back:
        raise Conflict(
            _("%(out)s of lot %(lot)s were issued to %(request)s; more than that cannot come back.")
            % {"out": number(out - back), "lot": lot.code, "request": request.code}
        )
    line = _line(request, lot, None)
    row = ledger.write_movement(
        lot, MovementKind.RETURN, amount, actor=actor, at=at, happened=happened,
        to_location=_place(lot.site_id, location_id), request=request,
        requirement=line, job_order_id=line.job_order_id if line else None, action_id=act.action_id,
        reason=reason.strip()[:80],
    )  # fmt: skip
    if line is not None:
        note_issue(line, -amount)
    _audit("return", actor=actor, at=at, site_id=lot.site_id, lot=lot, quantity=number(amount), request=request.code)
    return row


@transaction.atomic
def count_stock(
    *,
    actor: Actor,
    lot_id: int,
    location_id: int,
    quantity: Decimal | int,
    reason: str,
    at: datetime,
    act: Act = Act(),
) -> StockMovement | None:
    """Say how much of a lot really lies somewhere; the difference is a movement with a reason. None: it was right.

    Raises
    ------
    PermissionRefused, NotVisible, InvalidInput
    """
    lot = _lot(actor, lot_id)
    happened = when(act, at)
    if known := _same_movement(lot, act, MovementKind.COUNT):
        return known
    if not reason.strip():
        raise reason_needed()
    amount = ledger.clean_quantity(quantity, least=ZERO)
    place = location_of(lot.site_id, location_id)
    balance = StockBalance.objects.select_for_update(no_key=True).filter(lot=lot, location=place).first()
    difference = amount - (balance.quantity if balance is not None else ZERO)
    _audit(
        "count", actor=actor, at=at, site_id=lot.site_id, lot=lot, quantity=number(amount),
        difference=number(difference),        reason=reason.strip(),
    )  # fmt: skip
    if not difference:
        return None
    there = {"to_location": place} if difference > 0 else {"from_location": place}
    return ledger.write_movement(
        lot, MovementKind.COUNT, abs(difference), actor=actor, at=at, happened=happened, action_id=act.action_id,
        reason=reason.strip()[:80], **there,
    )  # fmt: skip


@transaction.atomic
def scrap_stock(
    *, actor: Actor, lot_id: int, location_id: int, quantity: Decimal | int, reason: str, at: datetime, act: Act = Act()
) -> StockMovement:
    """Throw material away, with a reason. Raises as `issue`."""
    lot = _lot(actor, lot_id)
    happened = when(act, at)
    if known := _same_movement(lot, act, MovementKind.SCRAP):
        return known
    if not reason.strip():
        raise reason_needed()
    amount = in_own_unit(lot, quantity, "")
    row = ledger.write_movement(
        lot, MovementKind.SCRAP, amount, actor=actor, at=at, happened=happened, action_id=act.action_id,
        from_location=location_of(lot.site_id, location_id), reason=reason.strip()[:80],
    )  # fmt: skip
    _audit("scrap", actor=actor, at=at, site_id=lot.site_id, lot=lot, quantity=number(amount), reason=reason.strip())
    return row


@transaction.atomic
def block_lot(*, actor: Actor, lot_id: int, reason: str, at: datetime, is_blocked: bool = True) -> MaterialLot:
    """Block a lot so that nobody uses it, or let it go again; with a reason. Raises as `issue`."""
    lot = _lot(actor, lot_id)
    if not reason.strip():
        raise reason_needed()
    wanted = (LotState.AVAILABLE, LotState.UNAVAILABLE) if is_blocked else (LotState.UNAVAILABLE, LotState.AVAILABLE)
    if lot.state != wanted[0].value:
        raise Conflict(_("This is not possible in the state of lot %(lot)s.") % {"lot": lot.code})
    lot.state, lot.note = wanted[1].value, reason.strip()[:1000]
    lot.save(update_fields=["state", "note"])
    _audit(
        "block" if is_blocked else "unblock", actor=actor, at=at, site_id=lot.site_id, lot=lot, reason=reason.strip()
    )
    return lot


# ---- what they share -------------------------------------------------------------------------------------------------


def _lot(actor: Actor, lot_id: int) -> MaterialLot:
    return locked(MaterialLot, actor=actor, pk=lot_id, permission=MOVE)


def _place(site_id: int, location_id: int | None) -> StockLocation:
    if location_id is not None:
        return location_of(site_id, location_id)
    return ledger.default_location(site_id, LocationKind.STORE)


def _live_request(actor: Actor, request_id: int) -> OperationsRequest:
    request = locked_request(actor=actor, request_id=request_id, permission=MOVE)
    if RequestState(request.state) not in LIVE_REQUESTS:
        raise Conflict(_("Request %(request)s is not released, or is over.") % {"request": request.code})
    return request


def _line(request: OperationsRequest, lot: MaterialLot, requirement_id: int | None) -> MaterialRequirement | None:
    rows: list[MaterialRequirement] = list(
        MaterialRequirement.objects.filter(request_id=request.pk, material_id=lot.material_id).order_by("pk")
    )
    if requirement_id is not None:
        line = next((row for row in rows if row.pk == requirement_id), None)
        if line is None:
            raise NotVisible(_("There is no such line in the list of material."))
        return line
    return next((row for row in rows if row.issued < row.quantity), rows[0] if rows else None)


def _same_movement(lot: MaterialLot, act: Act, kind: MovementKind) -> StockMovement | None:
    if not act.action_id:
        return None
    known = StockMovement.objects.filter(site_id=lot.site_id, action_id=act.action_id).first()
    if known is not None and (known.lot_id != lot.pk or known.kind != kind.value):
        raise action_used_otherwise(act.action_id)
    return known


def _same_act(site_id: int, act: Act, kind: MovementKind) -> list[MaterialLot]:
    if not act.action_id:
        return []
    rows = list(StockMovement.objects.filter(site_id=site_id, action_id=act.action_id).select_related("lot"))
    if any(row.kind != kind.value for row in rows):
        raise action_used_otherwise(act.action_id)
    return [row.lot for row in rows]


def _audit(action: str, *, actor: Actor, at: datetime, site_id: int, lot: MaterialLot, **detail: Any) -> None:
    audit.record(
        actor=actor, action=f"stock.{action}", at=at, site_id=site_id, object_kind="lot", object_id=lot.code, **detail
    )
