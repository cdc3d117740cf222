"""JSON edge: calculated tags. As values they are tags like all others."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Any

from django.http import HttpRequest
from ninja import Field, Router, Schema

from yuheng.people.identity import actor_of
from yuheng.telemetry.api.arguments import now
from yuheng.telemetry.rules import microseconds
from yuheng.telemetry.selectors import formulas
from yuheng.telemetry.services.formulas import write_calculated_tag

router = Router(tags=["telemetry"])


class CalculatedOut(Schema):
    """A calculated tag; ``label`` is how formulas of the site can call it."""

    id: int
    label: str
    address: str
    work_unit_id: int | None
    symbol: str
    name_zh: str
    name_en: str
    data_type: str
    unit: str
    formula: str


class CalculatedIn(Schema):
    """What a calculated tag is to be; ``unit`` empty: the formula's. ``tag_id``: change this one."""

    site_id: int
    formula: Annotated[str, Field(min_length=1, max_length=1000)]
    tag_id: int | None = None
    address: Annotated[str, Field(max_length=400)] = ""
    work_unit_id: int | None = None
    symbol: Annotated[str, Field(max_length=60)] = ""
    name_zh: Annotated[str, Field(max_length=120)] = ""
    name_en: Annotated[str, Field(max_length=120)] = ""
    unit: Annotated[str, Field(max_length=24)] = ""
    role: Annotated[str, Field(max_length=40)] = ""


class TryIn(Schema):
    """A formula to be tried on the last minutes."""

    site_id: int
    formula: Annotated[str, Field(min_length=1, max_length=1000)]
    work_unit_id: int | None = None
    unit: Annotated[str, Field(max_length=24)] = ""
    minutes: Annotated[int, Field(ge=1, le=1440)] = 60


class TriedOut(Schema):
    """The unit of a formula, the tags in it, and its values: one row a pixel."""

    unit: str
    inputs: dict[str, int]
    times: list[datetime]
    min: list[float]
    max: list[float]


@router.get("/calculated-tags", response=list[CalculatedOut])
def list_calculated_tags(request: HttpRequest, site_id: int) -> list[formulas.NamedTag]:
    """List the calculated tags of a site."""
    return formulas.calculated_tags(actor=actor_of(request), site_id=site_id)


@router.post("/calculated-tags", response=CalculatedOut)
def write_calculated(request: HttpRequest, body: CalculatedIn) -> formulas.NamedTag:
    """Create a calculated tag, or change the one named by ``tag_id``."""
    row = write_calculated_tag(actor=actor_of(request), at=now(), **body.model_dump())
    return formulas.names_of_site(body.site_id).by_id[row.pk]


@router.post("/calculated-tags/try", response=TriedOut)
def try_formula(request: HttpRequest, body: TryIn) -> dict[str, Any]:
    """Try a formula on the last minutes. Nothing is stored."""
    until = now()
    found, table = formulas.preview(
        actor=actor_of(request),
        site_id=body.site_id,
        formula=body.formula,
        work_unit_id=body.work_unit_id,
        unit=body.unit,
        start_us=microseconds(until - timedelta(minutes=body.minutes)),
        end_us=microseconds(until),
    )
    return {
        "unit": found.unit,
        "inputs": {name: tag.id for name, tag in found.inputs.items()},
        "times": table["time"].to_pylist(),
        "min": table["min"].to_pylist(),
        "max": table["max"].to_pylist(),
    }
