"""Questions about stock: what lies where, one lot with its mass balance, movements, locations."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db.models import Case, CharField, F, Q, Sum, Value, When
from django.utils.translation import gettext as _

from yuheng.engineering import selectors as engineering
from yuheng.kernel.actor import Actor
from yuheng.kernel.errors import NotVisible
from yuheng.operations.models import MaterialLot, StockBalance, StockLocation, StockMovement
from yuheng.operations.rules import LocationKind, LotKind, LotState, MassBalance, MovementKind, mass_balance
from yuheng.operations.rules.progress import ZERO
from yuheng.operations.selectors.pages import PAGE, VIEW, Page, clamp, newest, older_than, one_visible

MOST_NAMED = 1_000


@dataclass(frozen=True, slots=True)
class LocationRow:
    """A stock location."""

    id: int
    code: str
    name_zh: str
    name_en: str
    kind: LocationKind
    work_unit_id: int | None
    work_unit_code: str


@dataclass(frozen=True, slots=True)
class BalanceRow:
    """So much of a lot lies at a location."""

    id: int
    lot_id: int
    lot_code: str
    lot_kind: LotKind
    lot_state: LotState
    expires_at: datetime | None
    material_id: int
    material_code: str
    material_zh: str
    material_en: str
    unit: str
    location_id: int
    location_code: str
    location_zh: str
    location_en: str
    quantity: Decimal


@dataclass(frozen=True, slots=True)
class LotRow:
    """One lot or serialised instance."""

    id: int
    site_id: int
    kind: LotKind
    code: str
    uri: str
    material_id: int
    material_code: str
    material_zh: str
    material_en: str
    unit: str
    revision: str
    state: LotState
    supplier_zh: str
    supplier_en: str
    supplier_lot: str
    request_id: int | None
    request_code: str
    made_at: datetime | None
    expires_at: datetime | None
    created_at: datetime
    note: str


@dataclass(frozen=True, slots=True)
class MovementRow:
    """One change of stock."""

    id: int
    lot_id: int
    lot_code: str
    material_id: int
    material_code: str
    unit: str
    kind: MovementKind
    quantity: Decimal
    from_code: str
    to_code: str
    job_code: str
    request_code: str
    reason: str
    note: str
    at: datetime
    recorded_at: datetime
    actor_name: str


@dataclass(frozen=True, slots=True)
class LotDetail:
    """A lot with where it lies, its mass balance and its newest movements."""

    lot: LotRow
    balances: tuple[BalanceRow, ...]
    mass: MassBalance
    movements: tuple[MovementRow, ...]


@dataclass(frozen=True, slots=True)
class OnHandRow:
    """A material's stock in all."""

    material_id: int
    material_code: str
    material_zh: str
    material_en: str
    unit: str
    available: Decimal
    blocked: Decimal


_BALANCE = (
    "pk", "lot_id", "lot__code", "lot__kind", "lot__state", "lot__expires_at", "material_id", "material__code",
    "material__name_zh", "material__name_en", "material__unit", "location_id", "location__code", "location__name_zh",
    "location__name_en", "quantity",
)  # fmt: skip
_LOT = (
    "pk", "site_id", "kind", "code", "uri", "material_id", "material__code", "material__name_zh", "material__name_en",
    "material__unit", "revision", "state", "supplier__name_zh", "supplier__name_en", "supplier_lot", "request_id",
    "request__code", "made_at", "expires_at", "created_at", "note",
)  # fmt: skip
_MOVEMENT = (
    "pk", "lot_id", "lot__code", "material_id", "material__code", "material__unit", "kind", "quantity",
    "from_location__code", "to_location__code", "job_order__code", "request__code", "reason", "note", "at",
    "recorded_at", "actor_name",
)  # fmt: skip


def locations(*, actor: Actor, site_id: int) -> list[LocationRow]:
    """Stock locations in use, by code. One query."""
    actor.require(VIEW, site_id=site_id)
    columns = ("pk", "code", "name_zh", "name_en", "kind", "work_unit_id", "work_unit__code")
    rows = StockLocation.objects.filter(site_id=site_id, retired_at__isnull=True).order_by("code")
    return [
        LocationRow(pk, code, zh, en, LocationKind(kind), unit_id, unit or "")
        for pk, code, zh, en, kind, unit_id, unit in rows.values_list(*columns)
    ]


def location_ids(*, site_id: int) -> dict[str, int]:
    """Code -> id of locations in use; for importers. One query."""
    return dict(StockLocation.objects.filter(site_id=site_id, retired_at__isnull=True).values_list("code", "pk"))


def stock_list(
    *,
    actor: Actor,
    site_id: int,
    text: str = "",
    material_id: int | None = None,
    location_id: int | None = None,
    cursor: str = "",
    limit: int = PAGE,
) -> Page[BalanceRow]:
    """What lies where, newest lots first. One query; two with a text. Raises `PermissionRefused`, `InvalidInput`."""
    actor.require(VIEW, site_id=site_id)
    rows = StockBalance.objects.filter(older_than(cursor), site_id=site_id, quantity__gt=0)
    if material_id is not None:
        rows = rows.filter(material_id=material_id)
    if location_id is not None:
        rows = rows.filter(location_id=location_id)
    if text.strip():
        said = text.strip()[:80]
        lots = MaterialLot.objects.filter(site_id=site_id, code__istartswith=said).values_list("pk", flat=True)
        found = engineering.search_materials(actor=actor, site_id=site_id, text=said, limit=MOST_NAMED)
        rows = rows.filter(
            Q(lot_id__in=list(lots[:MOST_NAMED])) | Q(material_id__in=[material.id for material in found])
        )
    return newest(rows.order_by("-pk").values_list(*_BALANCE), _balance, limit=limit)


def on_hand(*, actor: Actor, site_id: int, material_ids: list[int]) -> list[OnHandRow]:
    """Stock of materials in all, by code. One query."""
    actor.require(VIEW, site_id=site_id)
    usable = Q(lot__state=LotState.AVAILABLE.value)
    rows = (
        StockBalance.objects.filter(site_id=site_id, material_id__in=material_ids, quantity__gt=0)
        .order_by("material__code")
        .values_list("material_id", "material__code", "material__name_zh", "material__name_en", "material__unit")
        .annotate(free=Sum("quantity", filter=usable, default=ZERO), rest=Sum("quantity", filter=~usable, default=ZERO))
    )
    return [OnHandRow(*one) for one in rows]


def lot_by_code(*, actor: Actor, site_id: int, code: str) -> list[LotRow]:
    """Lots and instances that a scan may mean: by URI, code or serial number. One query."""
    actor.require(VIEW, site_id=site_id)
    said = code.strip()
    rows = MaterialLot.objects.filter(Q(uri=said) | Q(code=said), site_id=site_id).order_by("pk")
    return [_lot(one) for one in rows.values_list(*_LOT)[:20]]


def lot_detail(*, actor: Actor, lot_id: int, limit: int = PAGE) -> LotDetail:
    """One lot. Four queries. Raises `NotVisible`, `PermissionRefused`."""
    values = MaterialLot.objects.visible_to(actor).filter(pk=lot_id).values_list(*_LOT).first()
    if values is None:
        actor.require(VIEW)
        raise NotVisible(_("There is no such lot here."))
    lot = _lot(values)
    actor.require(VIEW, site_id=lot.site_id)
    balances = [
        _balance(one) for one in StockBalance.objects.filter(lot_id=lot.id, quantity__gt=0).values_list(*_BALANCE)
    ]
    rows = StockMovement.objects.filter(lot_id=lot.id).order_by("-pk")
    moves = [_movement(one) for one in rows.values_list(*_MOVEMENT)[: clamp(limit)]]
    return LotDetail(lot, tuple(balances), _mass(lot.id, sum((one.quantity for one in balances), ZERO)), tuple(moves))


def lot_balance(*, actor: Actor, lot_id: int) -> MassBalance:
    """Everything that came into a lot and went out of it. Three queries. Raises `NotVisible`."""
    lot = one_visible(MaterialLot.objects, actor, pk=lot_id)
    total = StockBalance.objects.filter(lot_id=lot.pk).aggregate(sum=Sum("quantity"))["sum"] or ZERO
    return _mass(lot.pk, total)


def _mass(lot_id: int, total: Decimal) -> MassBalance:
    came_in = Case(When(from_location__isnull=True, then=Value("in")), default=Value("out"), output_field=CharField())
    rows = (
        StockMovement.objects.filter(lot_id=lot_id)
        .exclude(kind=MovementKind.MOVE.value)
        .order_by()
        .annotate(side=came_in)
        .values_list("kind", "side")
        .annotate(sum=Sum(F("quantity")))
    )
    return mass_balance({(MovementKind(kind), side == "in"): quantity for kind, side, quantity in rows}, total)


def movements(
    *,
    actor: Actor,
    site_id: int,
    lot_id: int | None = None,
    material_id: int | None = None,
    request_id: int | None = None,
    cursor: str = "",
    limit: int = PAGE,
) -> Page[MovementRow]:
    """Changes of stock, newest first. One query. Raises `PermissionRefused`, `InvalidInput`."""
    actor.require(VIEW, site_id=site_id)
    given = {"lot_id": lot_id, "material_id": material_id, "request_id": request_id}
    rows = StockMovement.objects.filter(older_than(cursor), site_id=site_id)
    rows = rows.filter(**{name: value for name, value in given.items() if value is not None})
    return newest(rows.order_by("-pk").values_list(*_MOVEMENT), _movement, limit=limit)


def lots_of_request(*, actor: Actor, request_id: int, site_id: int, limit: int = 500) -> list[LotRow]:
    """What a request makes: its lot or its serial numbers, for labels. One query."""
    actor.require(VIEW, site_id=site_id)
    rows = MaterialLot.objects.filter(site_id=site_id, request_id=request_id).order_by("pk")
    return [_lot(one) for one in rows.values_list(*_LOT)[:limit]]


def _balance(values: tuple[Any, ...]) -> BalanceRow:
    row: tuple[Any, ...] = (*values[:3], LotKind(values[3]), LotState(values[4]), *values[5:])
    return BalanceRow(*row)


def _lot(values: tuple[Any, ...]) -> LotRow:
    clean = list(values)
    clean[2], clean[11] = LotKind(clean[2]), LotState(clean[11])
    for place in (12, 13, 16):
        clean[place] = clean[place] or ""
    return LotRow(*clean)


def _movement(values: tuple[Any, ...]) -> MovementRow:
    clean = list(values)
    clean[6] = MovementKind(clean[6])
    for place in (8, 9, 10, 11):
        clean[place] = clean[place] or ""
    return MovementRow(*clean)
