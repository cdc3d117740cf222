"""Builders of products: materials, bills of material, work masters; released in one call."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from yuheng.engineering import services
from yuheng.engineering.models import BomVersion, MaterialDefinition, WorkMasterVersion
from yuheng.engineering.rules import (
    BomSpec,
    EffectivitySpec,
    LineSpec,
    LinkSpec,
    MaterialSpec,
    ParameterSpec,
    SegmentSpec,
    Source,
    Tracking,
    WorkMasterSpec,
)
from yuheng.kernel.models import Site
from yuheng.testing.builders import SHIFT_START, SYSTEM, a_site, an_equipment_class

LONG_AGO = date(2020, 1, 1)


def a_material(
    code: str = "E-100",
    *,
    site: Site | None = None,
    source: str = "buy",
    unit: str = "{piece}",
    tracking: str = "none",
    conversions: dict[str, Decimal] | None = None,
) -> MaterialDefinition:
    """Return the material with this code, made when it is not there."""
    site = site or a_site()
    found: MaterialDefinition | None = MaterialDefinition.objects.filter(site=site, code=code).first()
    if found is not None:
        return found
    spec = MaterialSpec(
        code, f"{code} 件", f"Part {code}", unit, Source(source), Tracking(tracking), conversions=conversions or {}
    )
    return services.create_material(actor=SYSTEM, site_id=site.pk, spec=spec, at=SHIFT_START)


def a_line(find_number: str, component: MaterialDefinition | str, quantity: str = "1", **fields: Any) -> LineSpec:
    """Return a line of a bill; a text names a bought material that is made when it is not there."""
    part = a_material(component) if isinstance(component, str) else component
    return LineSpec(find_number, part.pk, quantity, **fields)


def a_bom(
    material: MaterialDefinition,
    *lines: LineSpec,
    parameters: Sequence[ParameterSpec] = (),
    release: bool = True,
    effectivity: EffectivitySpec | None = None,
    **fields: Any,
) -> BomVersion:
    """Return a new bill, in force since long ago unless told otherwise."""
    spec = BomSpec(tuple(lines), tuple(parameters), **fields)
    version = services.define_bom(actor=SYSTEM, material_id=material.pk, spec=spec, at=SHIFT_START)
    if release:
        effectivity = effectivity or EffectivitySpec(valid_from=LONG_AGO)
        version = services.release_bom(actor=SYSTEM, version_id=version.pk, effectivity=effectivity, at=SHIFT_START)
    return version


def a_segment(code: str = "10", run_s: float | str = 60, setup_s: float | str = 0, **fields: Any) -> SegmentSpec:
    """Return a segment of the usual equipment class."""
    fields.setdefault("equipment_class_id", an_equipment_class().pk)
    return SegmentSpec(code, f"{code} 工序", f"Step {code}", setup_time=str(setup_s), run_time=str(run_s), **fields)


def a_work_master(
    material: MaterialDefinition,
    *segments: SegmentSpec,
    links: Sequence[LinkSpec] | None = None,
    parameters: Sequence[ParameterSpec] = (),
    release: bool = True,
    effectivity: EffectivitySpec | None = None,
) -> WorkMasterVersion:
    """Return a new work master (one segment, when none is given), in force since long ago unless told otherwise."""
    steps = segments or (a_segment(),)
    spec = WorkMasterSpec(tuple(steps), None if links is None else tuple(links), tuple(parameters))
    version = services.define_work_master(actor=SYSTEM, material_id=material.pk, spec=spec, at=SHIFT_START)
    if release:
        effectivity = effectivity or EffectivitySpec(valid_from=LONG_AGO)
        version = services.release_work_master(
            actor=SYSTEM, version_id=version.pk, effectivity=effectivity, at=SHIFT_START
        )
    return version


def a_product(
    code: str = "P-1", *lines: LineSpec, site: Site | None = None, tracking: str = "none"
) -> MaterialDefinition:
    """Return a made material with a bill in force (of one bought part, when none is given) and a work master."""
    product = a_material(code, source="make", site=site, tracking=tracking)
    a_bom(product, *(lines or (a_line("10", "raw", "2"),)))
    a_work_master(product)
    return product


def moment(day: str) -> datetime:
    """Return noon of a day in UTC."""
    return datetime.fromisoformat(f"{day}T12:00:00").replace(tzinfo=UTC)
