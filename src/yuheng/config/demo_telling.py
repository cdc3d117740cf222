"""The past of one demo plant, told through the services of engineering and operations; see `demo_past`."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

from django.db import transaction

from yuheng.config.demo_products import Pace, define
from yuheng.equipment import selectors as equipment
from yuheng.kernel.actor import Actor, system_actor
from yuheng.kernel.errors import DomainError
from yuheng.operations.rules import Act
from yuheng.operations.selectors import jobs, orders, progress, shortages
from yuheng.operations.selectors.orders import OrderFilter
from yuheng.operations.selectors.rows import JobRow
from yuheng.operations.services import execute, materials, records, stock
from yuheng.operations.services import orders as ordering
from yuheng.operations.services.orders import LineSpec, OrderSpec, PartySpec
from yuheng.people.identity import actor_of_person
from yuheng.people.models import Person
from yuheng.simulation.engine import chance
from yuheng.simulation.making.crews import operators, shift_at
from yuheng.simulation.making.customers import Market, Order
from yuheng.simulation.making.deliveries import Delivery, first_delivery
from yuheng.simulation.making.past import Floor, Placed, Task
from yuheng.simulation.making.picking import answer, pick
from yuheng.simulation.products import Catalogue

log = logging.getLogger(__name__)

SEED = 1
DEFINED_BEFORE = timedelta(days=30)
FIRST_ORDERS = 3
"""After so many orders it is known what is needed, and the stores are filled."""

MOST_ORDERS = 500
CARRYING_S = 60.0


def tell(catalogue: Catalogue, *, now: datetime, pace: Pace) -> int:
    """Define what is missing of a plant's products, and tell its past unless it has one; return the orders told."""
    actor = system_actor("demo")
    site = equipment.site_by_code(actor=actor, code=catalogue.plant.site_code)
    began = now - timedelta(hours=catalogue.past_hours)
    define(actor=actor, site_id=site.id, catalogue=catalogue, seed=SEED, at=began - DEFINED_BEFORE, pace=pace)
    _write_parties(actor, site.id, catalogue, began)
    wanted = round(catalogue.orders_per_hour * catalogue.past_hours)
    there = len(orders.order_list(
        actor=actor, site_id=site.id, now=now, narrowed=OrderFilter("all", ""), limit=MOST_ORDERS
    ).rows)  # fmt: skip
    if there >= wanted:
        return 0
    past = Past(catalogue, site.id, now=now, began=began)
    for place in range(there, wanted):
        past.tell_order(place, pace)
        if place == FIRST_ORDERS - 1:
            past.fill_stores(wanted / FIRST_ORDERS, pace)
    past.fill_stores(1.5, pace, with_scarce=False)  # the first orders did not need everything
    log.info("The %s plant has a past: %d orders.", catalogue.plant.name, wanted - there)
    return wanted - there


def _write_parties(actor: Actor, site_id: int, catalogue: Catalogue, at: datetime) -> None:
    there = {row.code for row in orders.parties(actor=actor, site_id=site_id, text="", limit=500)}
    for one in catalogue.customers:
        if one.code not in there:
            spec = PartySpec(one.code, one.name_zh, one.name_en)
            ordering.write_party(actor=actor, site_id=site_id, spec=spec, at=at)
    for one in catalogue.suppliers:
        if one.code not in there:
            spec = PartySpec(one.code, one.name_zh, one.name_en, is_customer=False, is_supplier=True)
            ordering.write_party(actor=actor, site_id=site_id, spec=spec, at=at)


class Past:
    """Customers who ordered, and a floor that worked, from ``began`` to ``now``."""

    def __init__(self, catalogue: Catalogue, site_id: int, *, now: datetime, began: datetime) -> None:
        self._catalogue = catalogue
        self._site_id = site_id
        self._now, self._began = now, began
        self._system = system_actor("demo")
        self._stream = chance(SEED, f"{catalogue.plant.name}/past")
        self._market = Market(catalogue, seed=SEED, name="past")
        self._units = {row.code: row.id for row in equipment.work_units(actor=self._system, site_id=site_id)}
        self._classes = {key: code for code, key in equipment.equipment_class_ids(site_id=site_id).items()}
        self._of_class: dict[str, tuple[str, ...]] = {}
        for unit in catalogue.plant.units():
            self._of_class[unit.kind.code] = (*self._of_class.get(unit.kind.code, ()), unit.code)
        self._floor = Floor(list(self._units), began.timestamp(), self._stream)
        self._people = self._crew()
        self._clerk = self._actors([f"{catalogue.plant.organisation[0]}-erp"])[0]
        self._zone = ZoneInfo(catalogue.plant.time_zone)

    def tell_order(self, place: int, pace: Pace) -> None:
        """Tell one order: entered, released, and as much of it as was done until now."""
        entered = self._began + timedelta(hours=place / self._catalogue.orders_per_hour - 0.3)
        released = min(self._now, entered + timedelta(minutes=self._stream.uniform(4, 18)))
        with transaction.atomic():
            order = ordering.enter_order(
                actor=self._clerk, site_id=self._site_id, spec=_spec(self._market.order(entered)), at=entered
            )
            ordering.release_order(actor=self._clerk, order_id=order.pk, at=released)
        pace()
        found = progress.order_progress(actor=self._system, order_id=order.pk, now=self._now)
        rows = {row.id: row for row in found.jobs}
        before: dict[int, list[int]] = {}
        for link in found.links:
            before.setdefault(link.after, []).append(link.before)
        tasks = [
            Task(
                row.id, self._candidates(row), row.setup_s + row.run_s,
                tuple((one, CARRYING_S) for one in before.get(row.id, ())),
            )
            for row in found.jobs
        ]  # fmt: skip
        good: dict[int, Decimal] = {}
        for placed in self._floor.place(tasks, released.timestamp() + 120):
            if placed.start >= self._now.timestamp() - 5:
                break
            try:
                with transaction.atomic():
                    self._work(rows[placed.id], placed, good)
            except DomainError as refusal:
                log.info("%s was not done: %s", rows[placed.id].code, refusal)
                break
            pace()

    def fill_stores(self, factor: float, pace: Pace, *, with_scarce: bool = True) -> None:
        """Receive ``factor`` times what is short now: of scarce things less than that, or nothing."""
        bought = {one.code: one for one in self._catalogue.bought}
        suppliers = [
            row.id for row in orders.parties(actor=self._system, site_id=self._site_id, text="", limit=500)
            if row.is_supplier
        ]  # fmt: skip
        cursor = ""
        while True:
            page = shortages.shortages(
                actor=self._system, site_id=self._site_id, now=self._now, cursor=cursor, limit=500
            )
            for row in page.rows:
                one = bought.get(row.material_code)
                if one is not None and (with_scarce or not one.is_scarce):
                    wanted = float(row.short) * factor
                    for delivery in first_delivery(one, wanted, self._stream, at=self._began):
                        self._receive(row.material_id, delivery, self._stream.choice(suppliers))
                        pace()
            if not (cursor := page.next_cursor):
                return

    # ---- inside --------------------------------------------------------------------------------------------------

    def _receive(self, material_id: int, delivery: Delivery, supplier_id: int) -> None:
        stock.receive(
            actor=self._clerk, site_id=self._site_id, material_id=material_id, quantity=Decimal(str(delivery.quantity)),
            at=self._began, serials=delivery.serials, supplier_id=supplier_id, supplier_lot=delivery.supplier_lot,
            expires_at=delivery.expires_at,
        )  # fmt: skip

    def _candidates(self, row: JobRow) -> tuple[str, ...]:
        return self._of_class[self._classes[row.equipment_class_id or 0]]

    def _crew(self) -> dict[tuple[str, str], Actor]:
        """Return (station, shift) -> who works there."""
        crew = operators(self._catalogue)
        known = {actor.name: actor for actor in self._actors([one.username for one in crew])}
        return {(station, one.shift): known[one.username] for one in crew for station in one.stations}

    def _actors(self, usernames: list[str]) -> list[Actor]:
        people = Person.objects.with_grants().filter(username__in=usernames)
        return [actor_of_person(person) for person in people]

    def _work(self, row: JobRow, placed: Placed, good: dict[int, Decimal]) -> None:
        """Let the person of that shift do a job order, or as much of it as was done until now."""
        start, end = _moment(placed.start), _moment(placed.end)
        who = self._people[placed.unit, shift_at(start.astimezone(self._zone).hour)]
        told: dict[str, Any] = {"actor": who, "job_order_id": row.id}
        execute.start_job_order(**told, work_unit_id=self._units[placed.unit], at=start, act=_act(start))
        detail = jobs.job_details(actor=self._system, job_order_ids=[row.id])[0]
        set_up = start + timedelta(seconds=min(row.setup_s, (placed.end - placed.start) * 0.4))
        if set_up < self._now:
            execute.set_up_done(**told, at=set_up, act=_act(set_up))
        for one in pick([_line(line) for line in detail.requirements], only_tracked=True).picks:
            materials.consume_material(
                **told, lot=one.lot, quantity=Decimal(str(one.quantity)), requirement_id=one.requirement,
                at=min(set_up, self._now), act=_act(min(set_up, self._now)),
            )  # fmt: skip
        if end >= self._now:
            self._report_part(row, placed, told, detail.job.arrived)
            return
        last = end - timedelta(seconds=20)
        for check in detail.directive.get("checks", ()):
            passed = answer(check, self._stream.random())
            records.record_check(**told, at=last, act=_act(last), **passed)
        quantity = row.quantity if detail.job.arrived is None else min(row.quantity, detail.job.arrived)
        scrap = self._scrap_of(row, quantity, good)
        why = "dimension" if scrap else ""
        execute.finish_job_order(
            **told, at=end, good=quantity - scrap, scrap=scrap, act=_act(end), reason=why
        )  # fmt: skip

    def _report_part(self, row: JobRow, placed: Placed, told: Mapping[str, Any], arrived: Decimal | None) -> None:
        """Report what was made of a job that runs still, where people say how many."""
        if self._catalogue.trade(self._classes[row.equipment_class_id or 0]).is_counting:
            return
        run_s = max(placed.end - placed.start - row.setup_s, 1.0)
        share = (self._now.timestamp() - placed.start - row.setup_s) / run_s
        most = row.quantity if arrived is None else min(row.quantity, arrived)
        made = math.floor(float(most) * max(0.0, min(share, 1.0)))
        if 0 < made < most:
            at = self._now - timedelta(seconds=30)
            execute.report_quantities(**told, good=Decimal(made), at=at, act=_act(at))

    def _scrap_of(self, row: JobRow, quantity: Decimal, good: dict[int, Decimal]) -> Decimal:
        """Return how many pieces of a job were lost: at most what its part has too many, once a part."""
        if quantity < 20 or row.request_id in good or row.is_last or self._stream.random() > 0.25:
            return Decimal(0)
        good[row.request_id] = Decimal(1)
        return Decimal(1)


def _spec(order: Order) -> OrderSpec:
    lines = [LineSpec(one.material, Decimal(one.quantity), options=one.options) for one in order.lines]
    return OrderSpec(
        order.customer, order.promised_at, lines, priority=order.priority, is_rush=order.is_rush,
        reference=order.reference, note=order.note,
    )  # fmt: skip


def _line(row: Any) -> dict[str, Any]:
    return {
        "id": row.id, "material_code": row.material_code, "tracking": row.tracking, "needed": float(row.needed),
        "consumed": float(row.consumed),
        "lots": [{"uri": lot.uri, "quantity": float(lot.quantity)} for lot in row.lots],
    }  # fmt: skip


def _act(at: datetime) -> Act:
    return Act(action_id=str(uuid4()), happened_at=at)


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
