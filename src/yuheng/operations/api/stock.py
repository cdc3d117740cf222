"""JSON edge: stock, lots, movements; skills, tools and reasons."""

from __future__ import annotations

from typing import Annotated, Any

from django.http import HttpRequest
from ninja import Field, Query, Router, Schema
from pydantic import AwareDatetime

from yuheng.operations.api.schemas import ActIn, Amount, Limit, OrderReasonIn, Quantity, Reason, now, page_of, schema_of
from yuheng.operations.selectors import floor as asked
from yuheng.operations.selectors import stock
from yuheng.operations.selectors.floor import QualificationRow, ReasonRow, SkillRow, ToolRow
from yuheng.operations.selectors.pages import Page
from yuheng.operations.selectors.stock import BalanceRow, LocationRow, LotDetail, LotRow, MovementRow
from yuheng.operations.services import floor
from yuheng.operations.services import stock as storekeeping
from yuheng.people.identity import actor_of

router = Router(tags=["stock"])
LocationOut = schema_of(LocationRow)
BalancePageOut = page_of(BalanceRow)
LotOut = schema_of(LotRow)
LotDetailOut = schema_of(LotDetail)
MovementPageOut = page_of(MovementRow)
ReasonOut = schema_of(ReasonRow)
SkillOut = schema_of(SkillRow)
QualificationOut = schema_of(QualificationRow)
ToolOut = schema_of(ToolRow)
Text = Annotated[str, Field(max_length=80)]
Name = Annotated[str, Field(min_length=1, max_length=200)]
Cursor = Annotated[str, Query(max_length=60)]


class LocationIn(Schema):
    """Where material lies."""

    site_id: int
    location_code: Text
    name_zh: Name
    name_en: Name
    kind: Annotated[str, Field(max_length=12)] = "store"
    work_unit_id: int | None = None


class ReceiptIn(ActIn):
    """Goods that came: a lot (a new one without a code), or one serial number for each piece."""

    site_id: int
    material_id: int
    quantity: Amount
    unit: Annotated[str, Field(max_length=40)] = ""
    location_id: int | None = None
    lot: Text = ""
    serials: Annotated[list[Text], Field(max_length=storekeeping.MOST_SERIALS)] = []
    supplier_id: int | None = None
    supplier_lot: Text = ""
    expires_at: AwareDatetime | None = None
    note: Annotated[str, Field(max_length=1000)] = ""


class MoveIn(ActIn):
    """From where, to where, how much."""

    from_location_id: int
    to_location_id: int
    quantity: Amount
    note: Annotated[str, Field(max_length=1000)] = ""


class IssueIn(ActIn):
    """To which request, how much; a reason for what its list does not ask for."""

    request_id: int
    quantity: Amount
    unit: Annotated[str, Field(max_length=40)] = ""
    requirement_id: int | None = None
    location_id: int | None = None
    reason: Annotated[str, Field(max_length=200)] = ""


class CountIn(ActIn):
    """How much really lies there, and why it differs."""

    location_id: int
    quantity: Quantity
    reason: Reason


class ScrapIn(ActIn):
    """How much is thrown away, and why."""

    location_id: int
    quantity: Amount
    reason: Reason


class SkillIn(Schema):
    """A skill."""

    site_id: int
    skill: Text
    name_zh: Name
    name_en: Name


class QualifyIn(Schema):
    """A person has a skill for a time."""

    site_id: int
    person_id: int
    skill: Text
    valid_from: AwareDatetime
    valid_until: AwareDatetime | None = None
    level: Annotated[int, Field(ge=1, le=9)] = 1


class ToolIn(Schema):
    """A tool, fixture or gauge; ``kind`` is what steps ask for."""

    site_id: int
    tool: Text
    kind: Text
    name_zh: Name
    name_en: Name
    serial: Text = ""
    calibration_due_at: AwareDatetime | None = None


class FloorReasonIn(Schema):
    """One of the plant's own reasons."""

    site_id: int
    kind: Annotated[str, Field(max_length=12)]
    reason: Text
    name_zh: Name
    name_en: Name


class IdOut(Schema):
    """What was written."""

    id: int


class IdsOut(Schema):
    """What was written; ``null``: nothing had to be."""

    ids: list[int]


@router.get("/stock/locations", response=list[LocationOut])  # type: ignore[valid-type]
def stock_locations(request: HttpRequest, site_id: int) -> list[LocationRow]:
    """Stock locations in use."""
    return stock.locations(actor=actor_of(request), site_id=site_id)


@router.put("/stock/locations", response=IdOut)
def write_stock_location(request: HttpRequest, body: LocationIn) -> Any:
    """Create or change a stock location by its code."""
    return storekeeping.write_location(
        actor=actor_of(request), site_id=body.site_id, code=body.location_code, name_zh=body.name_zh,
        name_en=body.name_en, kind=body.kind, work_unit_id=body.work_unit_id, at=now(),
    )  # fmt: skip


@router.get("/stock", response=BalancePageOut)
def list_stock(
    request: HttpRequest, site_id: int, text: Annotated[str, Query(max_length=80)] = "",
    material_id: int | None = None, location_id: int | None = None, cursor: Cursor = "", limit: Limit = 50,
) -> Page[BalanceRow]:  # fmt: skip
    """What lies where."""
    return stock.stock_list(
        actor=actor_of(request), site_id=site_id, text=text, material_id=material_id, location_id=location_id,
        cursor=cursor, limit=limit,
    )  # fmt: skip


@router.get("/stock/movements", response=MovementPageOut)
def list_stock_movements(
    request: HttpRequest, site_id: int, lot_id: int | None = None, material_id: int | None = None,
    request_id: int | None = None, cursor: Cursor = "", limit: Limit = 50,
) -> Page[MovementRow]:  # fmt: skip
    """Changes of stock, newest first."""
    return stock.movements(
        actor=actor_of(request), site_id=site_id, lot_id=lot_id, material_id=material_id, request_id=request_id,
        cursor=cursor, limit=limit,
    )  # fmt: skip


@router.get("/lots/by-code", response=list[LotOut])  # type: ignore[valid-type]
def lots_by_code(request: HttpRequest, site_id: int, lot: Annotated[str, Query(max_length=300)]) -> list[LotRow]:
    """Lots and serial numbers that a scan may mean."""
    return stock.lot_by_code(actor=actor_of(request), site_id=site_id, code=lot)


@router.get("/lots/{int:lot_id}", response=LotDetailOut)
def get_lot(request: HttpRequest, lot_id: int) -> LotDetail:
    """One lot: where it lies, its mass balance, its movements."""
    return stock.lot_detail(actor=actor_of(request), lot_id=lot_id)


@router.post("/stock/receive", response=IdsOut)
def receive_goods(request: HttpRequest, body: ReceiptIn) -> dict[str, list[int]]:
    """Take goods in."""
    lots = storekeeping.receive(
        actor=actor_of(request), site_id=body.site_id, material_id=body.material_id, quantity=body.quantity,
        unit=body.unit, location_id=body.location_id, lot=body.lot, serials=body.serials,
        supplier_id=body.supplier_id, supplier_lot=body.supplier_lot, expires_at=body.expires_at, note=body.note,
        at=now(), act=body.act(),
    )  # fmt: skip
    return {"ids": [lot.pk for lot in lots]}


@router.post("/lots/{int:lot_id}/move", response=IdOut)
def move_stock(request: HttpRequest, lot_id: int, body: MoveIn) -> Any:
    """Carry material from one location to another."""
    return storekeeping.move_stock(
        actor=actor_of(request), lot_id=lot_id, from_location_id=body.from_location_id,
        to_location_id=body.to_location_id, quantity=body.quantity, note=body.note, at=now(), act=body.act(),
    )  # fmt: skip


@router.post("/lots/{int:lot_id}/issue", response=IdOut)
def issue_stock(request: HttpRequest, lot_id: int, body: IssueIn) -> Any:
    """Issue material from the store to a released request."""
    return storekeeping.issue(
        actor=actor_of(request), lot_id=lot_id, request_id=body.request_id, quantity=body.quantity, unit=body.unit,
        requirement_id=body.requirement_id, location_id=body.location_id, reason=body.reason, at=now(),
        act=body.act(),
    )  # fmt: skip


@router.post("/lots/{int:lot_id}/take-back", response=IdOut)
def return_stock(request: HttpRequest, lot_id: int, body: IssueIn) -> Any:
    """Take back what was issued to a request."""
    return storekeeping.return_to_stock(
        actor=actor_of(request), lot_id=lot_id, request_id=body.request_id, quantity=body.quantity, unit=body.unit,
        location_id=body.location_id, reason=body.reason, at=now(), act=body.act(),
    )  # fmt: skip


@router.post("/lots/{int:lot_id}/count", response=IdsOut)
def count_stock(request: HttpRequest, lot_id: int, body: CountIn) -> dict[str, list[int]]:
    """Say how much of a lot really lies somewhere."""
    row = storekeeping.count_stock(
        actor=actor_of(request), lot_id=lot_id, location_id=body.location_id, quantity=body.quantity,
        reason=body.reason, at=now(), act=body.act(),
    )  # fmt: skip
    return {"ids": [row.pk] if row is not None else []}


@router.post("/lots/{int:lot_id}/scrap", response=IdOut)
def scrap_stock(request: HttpRequest, lot_id: int, body: ScrapIn) -> Any:
    """Throw material away."""
    return storekeeping.scrap_stock(
        actor=actor_of(request), lot_id=lot_id, location_id=body.location_id, quantity=body.quantity,
        reason=body.reason, at=now(), act=body.act(),
    )  # fmt: skip


@router.post("/lots/{int:lot_id}/block", response=IdOut)
def block_lot(request: HttpRequest, lot_id: int, body: OrderReasonIn) -> Any:
    """Block a lot so that nobody uses it."""
    return storekeeping.block_lot(actor=actor_of(request), lot_id=lot_id, reason=body.reason, at=now())


@router.post("/lots/{int:lot_id}/unblock", response=IdOut)
def unblock_lot(request: HttpRequest, lot_id: int, body: OrderReasonIn) -> Any:
    """Let a blocked lot go again."""
    return storekeeping.block_lot(
        actor=actor_of(request), lot_id=lot_id, reason=body.reason, at=now(), is_blocked=False
    )


@router.get("/floor/reasons", response=list[ReasonOut])  # type: ignore[valid-type]
def floor_reasons(
    request: HttpRequest, site_id: int, kind: Annotated[str, Query(max_length=12)] = ""
) -> list[ReasonRow]:
    """Reasons to choose: for pauses, scrap, rework, holds, counts."""
    return asked.reasons(actor=actor_of(request), site_id=site_id, kind=kind)


@router.put("/floor/reasons", response=IdOut)
def write_floor_reason(request: HttpRequest, body: FloorReasonIn) -> Any:
    """Create or rename one of the plant's own reasons."""
    return floor.write_reason(
        actor=actor_of(request), site_id=body.site_id, kind=body.kind, code=body.reason, name_zh=body.name_zh,
        name_en=body.name_en, at=now(),
    )  # fmt: skip


@router.get("/floor/skills", response=list[SkillOut])  # type: ignore[valid-type]
def floor_skills(request: HttpRequest, site_id: int) -> list[SkillRow]:
    """The site's skills."""
    return asked.skills(actor=actor_of(request), site_id=site_id)


@router.put("/floor/skills", response=IdOut)
def write_skill(request: HttpRequest, body: SkillIn) -> Any:
    """Create or rename a skill by its code."""
    return floor.write_skill(
        actor=actor_of(request), site_id=body.site_id, code=body.skill, name_zh=body.name_zh, name_en=body.name_en,
        at=now(),
    )  # fmt: skip


@router.get("/floor/qualifications", response=list[QualificationOut])  # type: ignore[valid-type]
def list_qualifications(
    request: HttpRequest, site_id: int, person_id: int | None = None, skill: Annotated[str, Query(max_length=80)] = ""
) -> list[QualificationRow]:
    """Who has which skill, until when."""
    return asked.qualifications(actor=actor_of(request), site_id=site_id, person_id=person_id, skill=skill)


@router.post("/floor/qualifications", response=IdOut)
def qualify_person(request: HttpRequest, body: QualifyIn) -> Any:
    """Say that a person has a skill."""
    return floor.qualify(
        actor=actor_of(request), site_id=body.site_id, person_id=body.person_id, skill=body.skill,
        valid_from=body.valid_from, valid_until=body.valid_until, level=body.level, at=now(),
    )  # fmt: skip


@router.post("/floor/qualifications/{int:qualification_id}/withdraw", response=IdOut)
def withdraw_qualification(request: HttpRequest, qualification_id: int) -> Any:
    """End a qualification now."""
    return floor.withdraw_qualification(actor=actor_of(request), qualification_id=qualification_id, at=now())


@router.get("/floor/tools", response=list[ToolOut])  # type: ignore[valid-type]
def floor_tools(request: HttpRequest, site_id: int, kind: Annotated[str, Query(max_length=80)] = "") -> list[ToolRow]:
    """Tools, and where they are in use."""
    return asked.tools(actor=actor_of(request), site_id=site_id, kind=kind)


@router.put("/floor/tools", response=IdOut)
def write_tool(request: HttpRequest, body: ToolIn) -> Any:
    """Create or change a tool by its code."""
    return floor.write_tool(
        actor=actor_of(request), site_id=body.site_id, code=body.tool, kind=body.kind, name_zh=body.name_zh,
        name_en=body.name_en, serial=body.serial, calibration_due_at=body.calibration_due_at, at=now(),
    )  # fmt: skip
