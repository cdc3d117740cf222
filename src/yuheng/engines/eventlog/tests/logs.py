"""Logs for tests: a small plant with known numbers, written in many ways."""

from __future__ import annotations

import csv
import gzip
import io
import json
import sqlite3
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from yuheng.engines.eventlog import Log, report

START = datetime(2026, 3, 2, 8, tzinfo=UTC)
NOW = datetime(2026, 6, 1, tzinfo=UTC)
STEPS = (("Saw", "SAW-1", 60), ("Turn", "CNC-1", 120), ("Check", "QC-1", 30))


@dataclass(frozen=True)
class Done:
    order: str
    operation: str
    machine: str
    operator: str
    start: datetime
    end: datetime
    quantity: int


def a_plant_s_work(orders: int = 6, quantity: int = 10) -> list[Done]:
    """Each order goes through three steps, four hours after the one before; so many seconds a piece."""
    found = []
    for number in range(orders):
        at = START + timedelta(hours=4 * number)
        for name, machine, each in STEPS:
            end = at + timedelta(seconds=each * quantity)
            found.append(Done(f"WO{number + 1:03}", name, machine, f"P{number % 2}", at, end, quantity))
            at = end + timedelta(minutes=5)
    return found


def as_csv(
    path: Path,
    done: list[Done],
    *,
    heading: str = "Order,Operation,Machine,Operator,Start,End,Qty,Good,Scrap",
    form: str = "%Y-%m-%d %H:%M:%S",
    delimiter: str = ",",
    encoding: str = "utf-8",
    more: tuple[list[object], ...] = (),
) -> Path:
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=delimiter)
    writer.writerow(heading.split(","))
    for one in done:
        times = (one.start.strftime(form), one.end.strftime(form))
        writer.writerow([one.order, one.operation, one.machine, one.operator, *times, one.quantity, one.quantity, 0])
    writer.writerows(more)
    path.write_bytes(text.getvalue().encode(encoding))
    return path


def as_xes(path: Path, done: list[Done], *, packed: bool = False, head: str = "") -> Path:
    parts = ['<?xml version="1.0" encoding="UTF-8"?>', head, '<log xmlns="http://www.xes-standard.org/">']
    for order in dict.fromkeys(one.order for one in done):
        parts.append(f'<trace><string key="concept:name" value="{order}"/>')
        for one in (one for one in done if one.order == order):
            for step, at in (("start", one.start), ("complete", one.end)):
                parts.append(
                    f'<event><string key="concept:name" value="{one.operation}"/>'
                    f'<string key="org:resource" value="{one.machine}"/>'
                    f'<string key="lifecycle:transition" value="{step}"/>'
                    f'<date key="time:timestamp" value="{at.isoformat()}"/></event>'
                )
        parts.append("</trace>")
    content = "\n".join([*parts, "</log>"]).encode()
    path.write_bytes(gzip.compress(content) if packed else content)
    return path


def as_ocel_json(path: Path, done: list[Done]) -> Path:
    objects = [{"id": name, "type": "Work Order", "attributes": []} for name in dict.fromkeys(d.order for d in done)]
    objects += [{"id": name, "type": "Machine"} for name in dict.fromkeys(d.machine for d in done)]
    events = [
        {
            "id": f"e{number}",
            "type": one.operation,
            "time": one.end.isoformat(),
            "attributes": [{"name": "quantity", "value": one.quantity}],
            "relationships": [
                {"objectId": one.order, "qualifier": "order"},
                {"objectId": one.machine, "qualifier": "on"},
            ],
        }
        for number, one in enumerate(done)
    ]
    whole = {"objectTypes": [{"name": "Work Order"}, {"name": "Machine"}], "eventTypes": [], "objects": objects}
    path.write_text(json.dumps({**whole, "events": events}))
    return path


def as_ocel_xml(path: Path, done: list[Done]) -> Path:
    parts = ['<?xml version="1.0"?><log><object-types><object-type name="Work Order"/></object-types><event-types/>']
    parts.append("<objects>")
    parts += [f'<object id="{name}" type="Work Order"/>' for name in dict.fromkeys(d.order for d in done)]
    parts += [f'<object id="{name}" type="Machine"/>' for name in dict.fromkeys(d.machine for d in done)]
    parts.append("</objects><events>")
    for number, one in enumerate(done):
        parts.append(
            f'<event id="e{number}" type="{one.operation}" time="{one.end.isoformat()}"><objects>'
            f'<relationship object-id="{one.order}" qualifier="o"/>'
            f'<relationship object-id="{one.machine}" qualifier="m"/></objects></event>'
        )
    path.write_text("".join([*parts, "</events></log>"]))
    return path


def as_ocel_sqlite(path: Path, done: list[Done]) -> Path:
    store = sqlite3.connect(path)
    store.executescript(
        "CREATE TABLE event (ocel_id TEXT, ocel_type TEXT); CREATE TABLE object (ocel_id TEXT, ocel_type TEXT);"
        "CREATE TABLE event_map_type (ocel_type TEXT, ocel_type_map TEXT);"
        "CREATE TABLE object_map_type (ocel_type TEXT, ocel_type_map TEXT);"
        "CREATE TABLE event_object (ocel_event_id TEXT, ocel_object_id TEXT, ocel_qualifier TEXT);"
        "CREATE TABLE object_object (ocel_source_id TEXT, ocel_target_id TEXT, ocel_qualifier TEXT);"
        'CREATE TABLE object_WorkOrder (ocel_id TEXT, ocel_time TEXT, "due date" TEXT);'
        "CREATE TABLE object_Machine (ocel_id TEXT);"
        "INSERT INTO object_map_type VALUES ('Work Order', 'WorkOrder'), ('Machine', 'Machine');"
    )
    for name in dict.fromkeys(one.operation for one in done):
        store.execute("INSERT INTO event_map_type VALUES (?, ?)", (name, name))
        store.execute(f'CREATE TABLE "event_{name}" (ocel_id TEXT, ocel_time TIMESTAMP)')
    for name in dict.fromkeys(one.order for one in done):
        store.execute("INSERT INTO object VALUES (?, 'Work Order')", (name,))
        store.execute("INSERT INTO object_WorkOrder VALUES (?, '1970-01-01', '2026-05-01')", (name,))
    for name in dict.fromkeys(one.machine for one in done):
        store.execute("INSERT INTO object VALUES (?, 'Machine')", (name,))
    for number, one in enumerate(done):
        store.execute("INSERT INTO event VALUES (?, ?)", (f"e{number}", one.operation))
        store.execute(f'INSERT INTO "event_{one.operation}" VALUES (?, ?)', (f"e{number}", one.end.isoformat()))
        store.executemany(
            "INSERT INTO event_object VALUES (?, ?, '')", [(f"e{number}", one.order), (f"e{number}", one.machine)]
        )
    store.commit()
    store.close()
    return path


def look(path: Path, **more: object) -> dict:
    """Return the report of a log."""
    zone = ZoneInfo(str(more.pop("zone", "UTC")))
    with Log(path, zone=zone, now=NOW, **more) as log:  # type: ignore[arg-type]
        return report(log)


def issues(told: dict) -> dict[str, int]:
    return {one["code"]: one["count"] for one in told["issues"]}
