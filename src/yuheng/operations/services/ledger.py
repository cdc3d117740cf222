"""Changing stock: one movement and the balances it changes, under lock, never below zero."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db.models import Q, Sum
from django.utils.translation import gettext as _

from yuheng.kernel.actor import Actor
from yuheng.kernel.errors import Conflict, InvalidInput, NotVisible
from yuheng.kernel.events import publish
from yuheng.kernel.models import Site
from yuheng.operations.events import StockChanged
from yuheng.operations.models import (
    MaterialLot,
    OperationsRequest,
    StockBalance,
    StockLocation,
    StockMovement,
)
from yuheng.operations.rules import LocationKind, LotKind, LotState, MovementKind
from yuheng.operations.rules.progress import ZERO
from yuheng.operations.services.refusals import not_in_stock

ANONYMOUS = "*"
"""Code of the one lot of a material that is not tracked."""
STEP = Decimal("0.000001")
MOST = Decimal(10) ** 13


def clean_quantity(value: Any, name: str = "quantity", *, least: Decimal = STEP) -> Decimal:
    """Return a quantity as it is stored: a finite number, at most six decimals.

    Raises
    ------
    InvalidInput
    """
    try:
        found = value if isinstance(value, Decimal) else Decimal(str(value))
        if not found.is_finite() or not least <= found <= MOST:
            raise InvalidInput(
                _("This quantity cannot be accepted."), {name: _("Give a number from %(least)s on.") % {"least": least}}
            )
        return found.quantize(STEP)
    except (ArithmeticError, ValueError) as error:
        raise InvalidInput(_("This quantity cannot be accepted."), {name: _("Give a number.")}) from error


def uri_of(site_id: int, material_code: str, code: str) -> str:
    """Return the natural key of a lot or instance: ``urn:<site>:<material>:<code>``. One query."""
    site = Site.objects.values_list("code", flat=True).get(pk=site_id)
    return f"urn:{site}:{material_code}:{code}"[:300]


def default_location(site_id: int, kind: LocationKind) -> StockLocation:
    """Return the site's first location of a kind; a site without one gets one. One query, or three."""
    found: StockLocation | None = (
        StockLocation.objects.filter(site_id=site_id, kind=kind.value, retired_at__isnull=True).order_by("pk").first()
    )
    if found is not None:
        return found
    names = {
        LocationKind.STORE: ("MAIN", "主仓库", "Main store"),
        LocationKind.OUTPUT: ("OUT", "成品区", "Finished goods"),
    }
    code, zh, en = names.get(kind, (kind.value.upper(), kind.value, kind.value))
    made: StockLocation = StockLocation.objects.get_or_create(
        site_id=site_id, code=code, defaults={"kind": kind.value, "name_zh": zh, "name_en": en}
    )[0]
    return made


def anonymous_lot(site_id: int, material_id: int, material_code: str, at: datetime) -> MaterialLot:
    """Return the one lot of an untracked material, made when it is not there."""
    found: MaterialLot = MaterialLot.objects.get_or_create(
        site_id=site_id,
        material_id=material_id,
        code=ANONYMOUS,
        defaults={
            "uri": uri_of(site_id, material_code, ANONYMOUS),
            "state": LotState.AVAILABLE.value,
            "created_at": at,
        },
    )[0]
    return found


def find_lot(*, site_id: int, text: str, prefer: Sequence[int] = ()) -> MaterialLot:
    """Return the lot that a scan means: its URI, or its code or serial; of several those of preferred materials.

    Raises
    ------
    NotVisible
        There is none.
    Conflict
        Several materials have a lot of this code.
    """
    said = text.strip()
    rows: list[MaterialLot] = list(
        MaterialLot.objects.filter(Q(uri=said) | Q(code=said), site_id=site_id).select_related("material")[:20]
    )
    if len(rows) > 1:
        rows = [row for row in rows if row.material_id in prefer] or rows
    if not rows:
        raise NotVisible(_("There is no lot or serial number %(code)s here. Receive it first.") % {"code": said[:80]})
    if len(rows) > 1:
        raise Conflict(
            _("Several materials have a lot %(code)s: %(materials)s. Scan the whole code.")
            % {"code": said[:80], "materials": ", ".join(row.material.code for row in rows[:5])}
        )
    return rows[0]


def check_usable(lot: MaterialLot, at: datetime) -> None:
    """Refuse a lot that is blocked, destroyed, not made yet or expired."""
    if lot.state == LotState.UNAVAILABLE.value:
        raise Conflict(
            _("Lot %(lot)s is blocked (%(why)s). Take another one.") % {"lot": lot.code, "why": lot.note or "–"}
        )
    if lot.state != LotState.AVAILABLE.value:
        raise Conflict(_("Lot %(lot)s is not available. Take another one.") % {"lot": lot.code})
    if lot.expires_at is not None and lot.expires_at <= at:
        raise Conflict(_("Lot %(lot)s expired. Take another one, and block this one.") % {"lot": lot.code})


def where_it_lies(lot: MaterialLot, quantity: Decimal, *, beside: int | None = None) -> StockLocation:
    """Return the location to take a lot from: beside the station, else the one with the most. One query.

    Raises
    ------
    Conflict
        It lies nowhere.
    """
    rows: list[StockBalance] = list(
        StockBalance.objects.filter(lot=lot, quantity__gt=0).select_related("location").order_by("-quantity", "pk")
    )
    near = [
        row for row in rows if beside is not None and row.location.work_unit_id == beside and row.quantity >= quantity
    ]
    for row in (*near, *rows):
        return row.location
    raise not_in_stock(lot.code, "–", ZERO, quantity, lot.material.unit)


def put_in(lot: MaterialLot, location: StockLocation, quantity: Decimal) -> None:
    """Add to a balance, made when it is not there. Three queries."""
    fresh = StockBalance(site_id=lot.site_id, lot=lot, location=location, material_id=lot.material_id, quantity=ZERO)
    StockBalance.objects.bulk_create([fresh], ignore_conflicts=True)
    row = StockBalance.objects.select_for_update(no_key=True).get(lot=lot, location=location)
    row.quantity += quantity
    row.save(update_fields=["quantity"])


def take_out(lot: MaterialLot, location: StockLocation, quantity: Decimal) -> None:
    """Take from a balance. Two queries. Raises `Conflict` when there is not as much."""
    row = StockBalance.objects.select_for_update(no_key=True).filter(lot=lot, location=location).first()
    there = row.quantity if row is not None else ZERO
    if row is None or there < quantity:
        raise not_in_stock(lot.code, location.code, there, quantity, lot.material.unit)
    row.quantity -= quantity
    row.save(update_fields=["quantity"])


def write_movement(
    lot: MaterialLot,
    kind: MovementKind,
    quantity: Decimal,
    *,
    actor: Actor,
    at: datetime,
    happened: datetime | None = None,
    from_location: StockLocation | None = None,
    to_location: StockLocation | None = None,
    **more: Any,
) -> StockMovement:
    """Change the balances and append the movement; tell others. The lot is locked first: whoever else waits there."""
    MaterialLot.objects.select_for_update(no_key=True).values_list("pk", flat=True).get(pk=lot.pk)
    if from_location is not None:
        take_out(lot, from_location, quantity)
    if to_location is not None:
        put_in(lot, to_location, quantity)
    row = StockMovement.objects.create(
        site_id=lot.site_id,
        lot=lot,
        material_id=lot.material_id,
        kind=kind.value,
        quantity=quantity,
        from_location=from_location,
        to_location=to_location,
        at=happened or at,
        recorded_at=at,
        actor_name=actor.name,
        person_id=actor.person_id,
        **more,
    )
    publish(
        StockChanged(
            site_id=lot.site_id, material_id=lot.material_id, lot_id=lot.pk, kind=kind.value, quantity=str(quantity)
        ),
        at=at,
    )
    return row


def produce(
    request: OperationsRequest,
    quantity: Decimal,
    *,
    serials: Sequence[str],
    actor: Actor,
    at: datetime,
    happened: datetime,
    **more: Any,
) -> list[MaterialLot]:
    """Put good pieces of a request's last step into stock: its lot, its next serial numbers, or the untracked lot.

    Raises
    ------
    Conflict
        A serial number is not this request's, or is made already.
    """
    if quantity <= 0:
        return []
    location = default_location(request.site_id, LocationKind.OUTPUT)
    lots = list(
        MaterialLot.objects.select_for_update(of=("self",), no_key=True)
        .filter(request_id=request.pk)
        .select_related("material")
        .order_by("pk")
    )
    if not lots:
        lot = anonymous_lot(request.site_id, request.material_id, request.material.code, at)
        parts = [(lot, quantity)]
    elif lots[0].kind == LotKind.LOT.value:
        parts = [(lots[0], quantity)]
    else:
        parts = [(lot, Decimal(1)) for lot in _instances(lots, quantity, serials)]
    for lot, part in parts:
        if lot.state == LotState.IN_PROGRESS.value:
            lot.state, lot.made_at = LotState.AVAILABLE.value, happened
            lot.save(update_fields=["state", "made_at"])
        write_movement(
            lot, MovementKind.PRODUCE, part, actor=actor, at=at, happened=happened, to_location=location,
            request=request, **more,
        )  # fmt: skip
    return [lot for lot, _part in parts]


def _instances(lots: Sequence[MaterialLot], quantity: Decimal, serials: Sequence[str]) -> list[MaterialLot]:
    waiting = {lot.code: lot for lot in lots if lot.state == LotState.IN_PROGRESS.value}
    wanted = [serial.strip().rsplit(":", 1)[-1] for serial in serials]
    if wrong := [serial for serial in wanted if serial not in waiting]:
        raise Conflict(
            _("Serial number %(serial)s is not open for this order: it belongs to another one, or is made already.")
            % {"serial": wrong[0][:80]}
        )
    if len(set(wanted)) > quantity:
        raise Conflict(_("More serial numbers than good pieces were given."))
    rest = [lot for code, lot in waiting.items() if code not in wanted]
    chosen = [waiting[serial] for serial in dict.fromkeys(wanted)] + rest
    return chosen[: int(quantity)]


def unmake(request: OperationsRequest, quantity: Decimal, *, actor: Actor, at: datetime, **more: Any) -> None:
    """Take pieces out of stock again that were reported good by mistake.

    Raises
    ------
    Conflict
        They are not in stock any more.
    """
    left = quantity
    rows = (
        StockBalance.objects.filter(quantity__gt=0)
        .filter(Q(lot__request_id=request.pk) | Q(lot__code=ANONYMOUS, lot__material_id=request.material_id))
        .select_related("lot__material", "location")
        .order_by("-lot_id")
    )
    for row in rows:
        part = min(left, row.quantity)
        if part > 0:
            write_movement(
                row.lot,
                MovementKind.COUNT,
                part,
                actor=actor,
                at=at,
                from_location=row.location,
                request=request,
                **more,
            )
            left -= part
    if left > 0:
        raise Conflict(_("The pieces are not in stock any more: return or count them first."))


def net_use(job_order_id: int, lot_id: int) -> Decimal:
    """Return how much of a lot a job order used and did not give back. One query."""
    sums = dict(
        StockMovement.objects.filter(
            job_order_id=job_order_id, lot_id=lot_id, kind__in=[MovementKind.ISSUE.value, MovementKind.RETURN.value]
        )
        .order_by()
        .values_list("kind")
        .annotate(sum=Sum("quantity"))
    )
    used: Decimal = sums.get(MovementKind.ISSUE.value, ZERO) - sums.get(MovementKind.RETURN.value, ZERO)
    return used
