"""JSON edge of equipment: sites, the tree, work units, calendars, export."""

from __future__ import annotations

from datetime import UTC, datetime

from django.http import HttpRequest, HttpResponse
from ninja import Query, Router, Schema
from pydantic import AwareDatetime

from yuheng.equipment import importing, selectors, services
from yuheng.kernel import calendars
from yuheng.people.identity import actor_of

router = Router(tags=["equipment"])


class SiteOut(Schema):
    """A site."""

    id: int
    code: str
    name_zh: str
    name_en: str
    time_zone: str


class TreeUnitOut(Schema):
    """A work unit in the tree."""

    id: int
    code: str
    name_zh: str
    name_en: str
    class_code: str
    serial: str
    is_retired: bool


class TreeCenterOut(Schema):
    """A work center in the tree."""

    id: int
    code: str
    name_zh: str
    name_en: str
    calendar_code: str
    is_retired: bool
    units: list[TreeUnitOut]


class TreeAreaOut(Schema):
    """An area in the tree."""

    id: int
    code: str
    name_zh: str
    name_en: str
    is_retired: bool
    centers: list[TreeCenterOut]


class TreeOut(Schema):
    """ISA-95: site › area › work center › work unit."""

    site: SiteOut
    areas: list[TreeAreaOut]


class WorkUnitOut(Schema):
    """A work unit with its place in the tree."""

    id: int
    site_id: int
    code: str
    name_zh: str
    name_en: str
    class_code: str
    work_center_code: str
    area_code: str
    is_retired: bool


class AssetOut(Schema):
    """A physical asset's time on a work unit."""

    serial: str
    maker: str
    model: str
    built: int | None
    from_at: datetime
    to_at: datetime | None


class WorkUnitDetailOut(WorkUnitOut):
    """A work unit with the assets that played it, newest first."""

    assets: list[AssetOut]


class ShiftOut(Schema):
    """A shift that runs, or ran, or will run; times in UTC."""

    calendar: str
    code: str
    name_zh: str
    name_en: str
    start: datetime
    end: datetime
    breaks: list[tuple[datetime, datetime]]
    working_s: float


class TargetOut(Schema):
    """What the site aims at for an indicator."""

    indicator: str
    value: float
    unit: str


class ShiftQuestion(Schema):
    """When, and for which work unit (without one: for the site)."""

    at: AwareDatetime | None = None
    work_unit_id: int | None = None


@router.get("/sites", response=list[SiteOut])
def sites(request: HttpRequest) -> list[selectors.SiteRow]:
    """List the sites you may see."""
    return selectors.visible_sites(actor=actor_of(request))


@router.get("/sites/{int:site_id}/equipment", response=TreeOut)
def equipment(request: HttpRequest, site_id: int, with_retired: bool = False) -> selectors.EquipmentTree:
    """Return the equipment tree of a site."""
    return selectors.equipment_tree(actor=actor_of(request), site_id=site_id, with_retired=with_retired)


@router.get("/sites/{int:site_id}/work-units", response=list[WorkUnitOut])
def work_units(request: HttpRequest, site_id: int, with_retired: bool = False) -> list[selectors.WorkUnitRow]:
    """List the work units of a site, by code."""
    return selectors.work_units(actor=actor_of(request), site_id=site_id, with_retired=with_retired)


@router.get("/work-units/{int:work_unit_id}", response=WorkUnitDetailOut)
def work_unit(request: HttpRequest, work_unit_id: int) -> dict[str, object]:
    """Return one work unit and the physical assets that played it."""
    actor = actor_of(request)
    row = selectors.work_unit(actor=actor, work_unit_id=work_unit_id)
    own = {name: getattr(row, name) for name in WorkUnitOut.model_fields}
    return {**own, "assets": selectors.assets_of(actor=actor, work_unit_id=work_unit_id)}


@router.get("/sites/{int:site_id}/shift", response=ShiftOut | None)
def shift(request: HttpRequest, site_id: int, asked: Query[ShiftQuestion]) -> ShiftOut | None:
    """Return the shift that runs at a moment (default: now); null outside all shifts or without a calendar."""
    calendar = selectors.calendar_for(actor=actor_of(request), site_id=site_id, work_unit_id=asked.work_unit_id)
    found = calendars.shift_at(calendar, asked.at or datetime.now(UTC)) if calendar else None
    if calendar is None or found is None:
        return None
    return ShiftOut(
        calendar=calendar.code,
        code=found.shift.code,
        name_zh=found.shift.name_zh,
        name_en=found.shift.name_en,
        start=found.start,
        end=found.end,
        breaks=list(found.breaks),
        working_s=found.working_s,
    )


@router.get("/sites/{int:site_id}/targets", response=list[TargetOut])
def targets(request: HttpRequest, site_id: int) -> list[selectors.TargetRow]:
    """List the targets of a site."""
    return list(selectors.site_targets(actor=actor_of(request), site_id=site_id).values())


@router.get("/sites/{int:site_id}/plant-file", response={200: None})
def plant_file(request: HttpRequest, site_id: int) -> HttpResponse:
    """Return the site as a plant file (YAML); importing it again changes nothing."""
    document = importing.export_document(actor=actor_of(request), sections=services.sections(), site_id=site_id)
    return HttpResponse(importing.write_plant_file(document), content_type="application/yaml")
