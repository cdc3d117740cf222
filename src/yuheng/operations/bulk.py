"""Fills a database with a plant's orders in bulk, for measurements; `bench.operations` runs it in a process of its own.

Products, one order and its release go through the services; the rest are copies of that order made by SQL, each at
another step, so that ten thousand open requests are there in seconds. Prints one JSON object. Never run it on a plant.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.apps import apps
from django.db import connection, transaction

from yuheng.engineering import services as engineering
from yuheng.engineering.rules.specs import BomSpec, MaterialSpec, SegmentSpec, WorkMasterSpec
from yuheng.engineering.rules.specs import LineSpec as BomLine
from yuheng.engineering.rules.words import Source, Tracking
from yuheng.equipment import selectors as equipment
from yuheng.kernel.actor import system_actor
from yuheng.operations.services import orders, stock
from yuheng.operations.services.orders import LineSpec, OrderSpec, PartySpec

SEGMENTS = 15
PARTS = 5
MADE = 20
DAYS = 60
"""The history goes back so far."""
NAMES = ("压测", "Bench")


def main() -> None:
    """Fill the database that the environment names; the sizes are the first argument, as JSON."""
    wanted = {"requests": 10_000, "responses": 1_000_000, "bom_lines": 600, "escalators": 5}
    sys.stdout.write(json.dumps(fill({**wanted, **json.loads(sys.argv[1])})) + "\n")


def fill(wanted: dict[str, Any]) -> dict[str, Any]:
    """Make everything; return ids that a bench needs."""
    actor, at = system_actor("bench"), datetime.now(UTC)
    site = equipment.visible_sites(actor=actor)[0]
    classes = equipment.equipment_class_ids(site_id=site.id)
    class_id = classes[wanted["class"]]
    with transaction.atomic():
        order_id = _template(actor, site.id, class_id, at)
        escalators = _escalators(actor, site.id, class_id, wanted, at)
    _copies(order_id, wanted, at)
    return {"site_id": site.id, "site": site.code, "order_id": order_id, "escalators": escalators}


def _template(actor: Any, site_id: int, class_id: int, at: datetime) -> int:
    """Enter and release one order of a product of fifteen steps and five parts."""
    parts = [_material(actor, site_id, f"BP{number}", Source.BUY, Tracking.LOT, at) for number in range(PARTS)]
    product = _material(actor, site_id, "BPRODUCT", Source.MAKE, Tracking.LOT, at)
    _bom(actor, product, [(f"{10 * (n + 1)}", part, "1") for n, part in enumerate(parts)], at)
    _work_master(actor, product, class_id, SEGMENTS, at)
    for part in parts:
        stock.receive(actor=actor, site_id=site_id, material_id=part, quantity=Decimal(1000), lot="BL1", at=at)
    orders.write_party(actor=actor, site_id=site_id, spec=PartySpec("BCUST", *NAMES), at=at)
    spec = OrderSpec("BCUST", at + timedelta(days=30), [LineSpec("BPRODUCT", Decimal(10))], code="BSO")
    order = orders.enter_order(actor=actor, site_id=site_id, spec=spec, at=at)
    orders.release_order(actor=actor, order_id=order.pk, at=at)
    return int(order.pk)


def _escalators(actor: Any, site_id: int, class_id: int, wanted: dict[str, Any], at: datetime) -> list[int]:
    """Enter orders of a product of two levels with so many lines, to be released by the bench."""
    each = max(1, (wanted["bom_lines"] - MADE) // (MADE + 1))
    bought = [_material(actor, site_id, f"BE{number}", Source.BUY, Tracking.NONE, at) for number in range(each)]
    below = [(f"{10 * (n + 1)}", part, "2") for n, part in enumerate(bought)]
    lines = list(below)
    for number in range(MADE):
        made = _material(actor, site_id, f"BM{number}", Source.MAKE, Tracking.LOT, at)
        _bom(actor, made, below, at)
        _work_master(actor, made, class_id, 4, at)
        lines.append((f"{1000 + 10 * number}", made, "1"))
    escalator = _material(actor, site_id, "BESCALATOR", Source.MAKE, Tracking.SERIAL, at)
    _bom(actor, escalator, lines, at)
    _work_master(actor, escalator, class_id, 10, at)
    spec = OrderSpec("BCUST", at + timedelta(days=60), [LineSpec("BESCALATOR", Decimal(1))])
    return [
        int(orders.enter_order(actor=actor, site_id=site_id, spec=spec, at=at).pk) for _ in range(wanted["escalators"])
    ]


def _material(actor: Any, site_id: int, code: str, source: Any, tracking: Any, at: datetime) -> int:
    spec = MaterialSpec(code, f"{NAMES[0]} {code}", f"{NAMES[1]} {code}", source=source, tracking=tracking)
    return int(engineering.create_material(actor=actor, site_id=site_id, spec=spec, at=at).pk)


def _bom(actor: Any, material_id: int, lines: list[tuple[str, int, str]], at: datetime) -> None:
    spec = BomSpec(lines=tuple(BomLine(*line) for line in lines))
    draft = engineering.define_bom(actor=actor, material_id=material_id, spec=spec, at=at)
    engineering.release_bom(actor=actor, version_id=draft.pk, at=at)


def _work_master(actor: Any, material_id: int, class_id: int, count: int, at: datetime) -> None:
    segments = tuple(
        SegmentSpec(f"{10 * (n + 1)}", NAMES[0], NAMES[1], equipment_class_id=class_id, setup_time="300", run_time="60")
        for n in range(count)
    )
    draft = engineering.define_work_master(
        actor=actor, material_id=material_id, spec=WorkMasterSpec(segments=segments), at=at
    )
    engineering.release_work_master(actor=actor, version_id=draft.pk, at=at)


def _copies(order_id: int, wanted: dict[str, Any], at: datetime) -> None:
    """Copy the order with everything below it; the i-th copy has ``i mod 15`` steps behind it.

    Copies were released one after another over the last `DAYS`, and each step took its hours on one of the machines, so
    that what is counted over time has as much to count as a plant's own history.
    """
    copies = wanted["requests"] - 1
    with connection.cursor() as database, transaction.atomic():
        database.execute(
            "SELECT pk.id, pk.line_id FROM operations_operationsrequest pk WHERE order_id = %s", [order_id]
        )
        request_id, line_id = database.fetchone()
        told = {"order": order_id, "line": line_id, "request": request_id, "n": copies, "at": at}
        told |= {"days": DAYS}
        told |= {"each": max(1, -(-wanted["responses"] // max(1, copies * SEGMENTS // 2)))}
        for statement in _statements():
            database.execute(statement, told)
    with connection.cursor() as database:
        for table in (
            "customerorder",
            "customerorderline",
            "operationsrequest",
            "joborder",
            "jobdependency",
            "jobresponse",
        ):
            database.execute(f"ANALYZE operations_{table}")
        database.execute("ANALYZE operations_materialrequirement")


def _columns(table: str, given: dict[str, str], skip: tuple[str, ...] = ("id",)) -> tuple[str, str]:
    """Return column names and what stands for them when a row of ``t`` is copied."""
    model = next(one for one in apps.get_app_config("operations").get_models() if one._meta.db_table == table)
    names = [str(one.column) for one in model._meta.concrete_fields if one.column not in skip and not one.generated]
    return ", ".join(names), ", ".join(given.get(name, f"t.{name}") for name in names)


def _statements() -> Iterator[str]:
    """Yield the copying statements in their order."""
    day, minute = "interval '1 day'", "interval '1 minute'"
    names, values = _columns(
        "operations_customerorder",
        {"code": "'BSO' || i", "promised_at": f"t.promised_at + (i %% 60 - 20) * {day}",
         "rank": "CASE WHEN i %% 50 = 0 THEN 0 ELSE 100 + i %% 800 END", "is_rush": "i %% 50 = 0"},
    )  # fmt: skip
    yield (
        "CREATE TEMP TABLE o ON COMMIT DROP AS SELECT i, nextval('operations_customerorder_id_seq') AS order_id, "
        "nextval('operations_customerorderline_id_seq') AS line_id, "
        "nextval('operations_operationsrequest_id_seq') AS request_id, "
        # the last five days are left for the steps of the youngest ones
        f"%(at)s::timestamptz - (5 + (%(days)s - 5) * ((i * 7919) %% 10007) / 10007.0) * {day} AS released_at "
        "FROM generate_series(1, %(n)s) i"
    )
    yield (
        f"INSERT INTO operations_customerorder (id, {names}) "
        f"SELECT o.order_id, {values} FROM operations_customerorder t, o WHERE t.id = %(order)s"
    )
    names, values = _columns("operations_customerorderline", {"order_id": "o.order_id"})
    yield (
        f"INSERT INTO operations_customerorderline (id, {names}) "
        f"SELECT o.line_id, {values} FROM operations_customerorderline t, o WHERE t.id = %(line)s"
    )
    names, values = _columns(
        "operations_operationsrequest",
        {"code": "t.code || '.' || i", "order_id": "o.order_id", "line_id": "o.line_id",
         "due_at": f"t.due_at + (i %% 60 - 20) * {day}", "is_rush": "i %% 50 = 0", "resolution": "NULL",
         "rank": "CASE WHEN i %% 50 = 0 THEN 0 ELSE 100 + i %% 800 END", "jobs_over": "i %% 15",
         "state": "CASE WHEN i %% 15 = 0 THEN 'released' ELSE 'running' END", "released_at": "o.released_at",
         "entered_at": "o.released_at",
         "started_at": f"CASE WHEN i %% 15 = 0 THEN NULL ELSE o.released_at + 200 * {minute} END",
         "done_s": "t.planned_s * (i %% 15) / 15"},
    )  # fmt: skip
    yield (
        f"INSERT INTO operations_operationsrequest (id, {names}) "
        f"SELECT o.request_id, {values} FROM operations_operationsrequest t, o WHERE t.id = %(request)s"
    )
    yield (
        "CREATE TEMP TABLE j ON COMMIT DROP AS SELECT o.i, o.request_id, t.id AS old_id, t.position, "
        "nextval('operations_joborder_id_seq') AS id, o.released_at, "
        # a step of some hours, begun some hours after the one before: minutes after the release, all below five days
        "200 + 400 * t.position + (o.i * 31 + t.position * 17) %% 150 AS begun, "
        "30 + (o.i * 13 + t.position * 7) %% 170 AS long, "
        "u.units FROM o, operations_joborder t, (SELECT array_agg(w.id ORDER BY w.id) AS units "
        "FROM equipment_workunit w JOIN operations_operationsrequest r ON r.site_id = w.site_id "
        "WHERE r.id = %(request)s) u WHERE t.request_id = %(request)s"
    )
    start, end = f"j.released_at + j.begun * {minute}", f"j.released_at + (j.begun + j.long) * {minute}"
    unit = "j.units[1 + (j.i * 7 + j.position * 11) %% array_length(j.units, 1)]"
    is_over = "j.position < j.i %% 15"
    names, values = _columns(
        "operations_joborder",
        {"code": "t.code || '.' || j.i", "request_id": "j.request_id",
         "state": f"CASE WHEN {is_over} THEN 'ended' ELSE t.state END",
         "substate": f"CASE WHEN {is_over} THEN 'completed' WHEN j.position = j.i %% 15 THEN 'ready' "
         "ELSE 'waiting' END",
         "good": f"CASE WHEN {is_over} THEN t.quantity ELSE 0 END",
         "actual_start": f"CASE WHEN {is_over} THEN {start} ELSE NULL END",
         "actual_end": f"CASE WHEN {is_over} THEN {end} ELSE NULL END",
         "work_unit_id": f"CASE WHEN {is_over} THEN {unit} ELSE NULL END",
         "changed_at": f"CASE WHEN {is_over} THEN {end} ELSE j.released_at END",
         "due_at": f"t.due_at + (j.i %% 60 - 20) * {day}",
         "rank": "CASE WHEN j.i %% 50 = 0 THEN 0 ELSE 100 + j.i %% 800 END"},
    )  # fmt: skip
    yield (
        f"INSERT INTO operations_joborder (id, {names}) "
        f"SELECT j.id, {values} FROM operations_joborder t JOIN j ON j.old_id = t.id"
    )
    names, values = _columns("operations_jobdependency", {"before_id": "b.id", "after_id": "a.id"})
    yield "CREATE INDEX ON j (i, old_id)"
    yield (
        f"INSERT INTO operations_jobdependency ({names}) SELECT {values} FROM operations_jobdependency t "
        "JOIN j b ON b.old_id = t.before_id JOIN j a ON a.old_id = t.after_id AND a.i = b.i"
    )
    names, values = _columns(
        "operations_materialrequirement",
        {"request_id": "j.request_id", "job_order_id": "j.id",
         "needed_at": f"t.needed_at + (j.i %% 60 - 20) * {day}"},
    )  # fmt: skip
    yield (
        f"INSERT INTO operations_materialrequirement ({names}) SELECT {values} "
        "FROM operations_materialrequirement t JOIN j ON j.old_id = t.job_order_id WHERE t.request_id = %(request)s"
    )
    yield (
        "INSERT INTO operations_jobresponse (site_id, job_order_id, request_id, kind, action_id, at, recorded_at, "
        "source, run_id, work_unit_id, actor_kind, actor_name, person_id, impersonator, good, "
        "scrap, rework, reason, "
        "note, quantity, data) SELECT t.site_id, j.id, j.request_id, 'quantity', '', "
        f"{end}, {end}, 'person', '', {unit}, 'person', 'bench', NULL, '', t.quantity / %(each)s, 0, 0, '', '', 0, "
        "'{}' "
        f"FROM j JOIN operations_joborder t ON t.id = j.old_id, generate_series(1, %(each)s) WHERE {is_over}"
    )
