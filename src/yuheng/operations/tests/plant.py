"""A small plant for tests: a product of two levels, its machines, stock, and an order."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from yuheng.engineering import services as engineering
from yuheng.engineering.rules.specs import BomSpec, LineSpec, LinkSpec, MaterialSpec, SegmentSpec, WorkMasterSpec
from yuheng.engineering.rules.words import Source, Tracking
from yuheng.operations.models import CustomerOrder, JobOrder, OperationsRequest
from yuheng.operations.services import orders, stock
from yuheng.operations.services.orders import LineSpec as OrderLine
from yuheng.operations.services.orders import OrderSpec, PartySpec
from yuheng.testing.builders import SHIFT_START, SYSTEM, a_site, a_work_unit, an_actor, an_equipment_class

AT = SHIFT_START
DUE = AT + timedelta(days=10)


@dataclass
class Plant:
    """What tests name."""

    site: Any
    units: dict[str, Any] = field(default_factory=dict)
    materials: dict[str, Any] = field(default_factory=dict)
    ana: Any = None
    ben: Any = None

    @property
    def site_id(self) -> int:
        return self.site.pk

    def job(self, code: str) -> JobOrder:
        return JobOrder.objects.get(site=self.site, code=code)


def a_material(
    plant: Plant, code: str, *, source: Source = Source.BUY, tracking: Tracking = Tracking.NONE, unit: str = "{piece}"
) -> Any:
    row = engineering.create_material(
        actor=SYSTEM,
        site_id=plant.site_id,
        spec=MaterialSpec(code, f"{code} 料", f"{code} material", unit=unit, source=source, tracking=tracking),
        at=AT,
    )
    plant.materials[code] = row
    return row


def a_bom(plant: Plant, code: str, *lines: LineSpec) -> Any:
    draft = engineering.define_bom(
        actor=SYSTEM, material_id=plant.materials[code].pk, spec=BomSpec(lines=tuple(lines)), at=AT
    )
    return engineering.release_bom(actor=SYSTEM, version_id=draft.pk, at=AT)


def a_work_master(plant: Plant, code: str, *segments: SegmentSpec, links: tuple[LinkSpec, ...] | None = None) -> Any:
    spec = WorkMasterSpec(segments=tuple(segments), links=links)
    draft = engineering.define_work_master(actor=SYSTEM, material_id=plant.materials[code].pk, spec=spec, at=AT)
    return engineering.release_work_master(actor=SYSTEM, version_id=draft.pk, at=AT)


def a_segment(plant: Plant, code: str, kind: str = "cutter", **more: Any) -> SegmentSpec:
    klass = an_equipment_class(kind, site=plant.site)
    base = SegmentSpec(code, f"工序{code}", f"Step {code}", equipment_class_id=klass.pk, setup_time="60", run_time="30")
    return replace(base, **more)


def a_plant() -> Plant:
    """Machines: C1, C2 cut, A1 assembles. No product yet."""
    plant = Plant(a_site())
    plant.ana, plant.ben = an_actor("ana"), an_actor("ben")
    for code, kind in (("C1", "cutter"), ("C2", "cutter"), ("A1", "assembler")):
        plant.units[code] = a_work_unit(
            code, site=plant.site, equipment_class=an_equipment_class(kind, site=plant.site)
        )
    return plant


def a_simple_product(plant: Plant, code: str = "GEAR", *segments: SegmentSpec, tracking: Any = Tracking.LOT) -> Any:
    """A product of one bought material, 2 kg a piece, made in two steps unless others are given."""
    product = a_material(plant, code, source=Source.MAKE, tracking=tracking)
    if "STEEL" not in plant.materials:
        a_material(plant, "STEEL", tracking=Tracking.LOT, unit="kg")
    a_bom(plant, code, LineSpec("10", plant.materials["STEEL"].pk, "2"))
    a_work_master(plant, code, *(segments or (a_segment(plant, "10"), a_segment(plant, "20"))))
    return product


def a_two_level_product(plant: Plant) -> Any:
    """LIFT: of two FRAMEs (made of 3 kg STEEL each) and four BOLTs; frames are cut, the lift is assembled."""
    a_material(plant, "STEEL", tracking=Tracking.LOT, unit="kg")
    a_material(plant, "BOLT")
    a_material(plant, "FRAME", source=Source.MAKE, tracking=Tracking.LOT)
    lift = a_material(plant, "LIFT", source=Source.MAKE, tracking=Tracking.SERIAL)
    a_bom(plant, "FRAME", LineSpec("10", plant.materials["STEEL"].pk, "3"))
    a_work_master(plant, "FRAME", a_segment(plant, "10"), a_segment(plant, "20"))
    a_bom(
        plant,
        "LIFT",
        LineSpec("10", plant.materials["FRAME"].pk, "2", segment="10"),
        LineSpec("20", plant.materials["BOLT"].pk, "4", segment="20"),
    )
    a_work_master(plant, "LIFT", a_segment(plant, "10", "assembler"), a_segment(plant, "20", "assembler"))
    return lift


def a_customer(plant: Plant, code: str = "HUA") -> Any:
    return orders.write_party(
        actor=plant.ben, site_id=plant.site_id, spec=PartySpec(code, "华客户", "Customer Hua"), at=AT
    )


def an_order(plant: Plant, product: str, quantity: int = 10, *, code: str = "SO1", **more: Any) -> CustomerOrder:
    a_customer(plant)
    spec = OrderSpec(customer="HUA", promised_at=DUE, code=code, lines=[OrderLine(product, Decimal(quantity))], **more)
    return orders.enter_order(actor=plant.ben, site_id=plant.site_id, spec=spec, at=AT)


def a_released_order(plant: Plant, product: str, quantity: int = 10, **more: Any) -> CustomerOrder:
    order = an_order(plant, product, quantity, **more)
    orders.release_order(actor=plant.ben, order_id=order.pk, at=AT)
    return order


def in_stock(plant: Plant, material: str, quantity: int, lot: str = "") -> Any:
    return stock.receive(
        actor=plant.ana,
        site_id=plant.site_id,
        material_id=plant.materials[material].pk,
        quantity=Decimal(quantity),
        lot=lot,
        at=AT,
    )[0]


def request_of(order: CustomerOrder) -> OperationsRequest:
    return OperationsRequest.objects.get(order=order, parent__isnull=True)


TODAY = date(2026, 11, 23)
