"""Every list of orders, products, flow, stock and planning: which addresses they have, and how long each takes."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import psutil
import psycopg

from yuheng.bench.visitor import Visitor

ASKED = 5
"""Times each list is asked for after one that warms up; the median counts."""
TAGS = frozenset({"orders", "operations", "engineering", "stock", "performance", "scheduling", "b2mml"})
LEFT_OUT = re.compile(r"/(stream|events|content|export|refused)\b|\.csv|^/api/v1/b2mml/")
"""Streams do not end, and files are not lists."""
PLACEHOLDER = re.compile(r"\{(\w+)\}")


@dataclass(slots=True)
class Walked:
    """Milliseconds of each list (the transport included), CPU of it, and what was not asked."""

    wall_ms: dict[str, float] = field(default_factory=dict)
    cpu_ms: dict[str, float] = field(default_factory=dict)
    not_asked: dict[str, str] = field(default_factory=dict)

    def slowest(self) -> str:
        """Return the name of the slowest list."""
        return max(self.wall_ms, key=lambda name: self.wall_ms[name])


class Cpu:
    """CPU seconds of the processes that answer: web and database with all its children."""

    def __init__(self, pids: Mapping[str, int]) -> None:
        self._roots = [psutil.Process(pids[name]) for name in ("web", "postgres") if name in pids]

    def seconds(self) -> float:
        """Return what they have used since they began; a backend that has ended is forgotten."""
        total = 0.0
        for root in self._roots:
            for one in (root, *root.children(recursive=True)):
                try:
                    used = one.cpu_times()
                except psutil.NoSuchProcess:
                    continue
                total += used.user + used.system
        return total


def walk(visitor: Visitor, paths: Mapping[str, str], cpu: Callable[[], float], *, asked: int = ASKED) -> Walked:
    """Ask for each list several times; a refusal is written down, and the others are still asked."""
    found = Walked()
    for name, path in paths.items():
        took = []
        try:
            visitor.get(path)
            used = cpu()
            for _ in range(asked):
                began = time.perf_counter()
                visitor.get(path)
                took.append((time.perf_counter() - began) * 1000)
        except (RuntimeError, OSError) as error:
            found.not_asked[name] = str(error)[:200]
            continue
        found.wall_ms[name] = round(float(np.median(took)), 1)
        found.cpu_ms[name] = round((cpu() - used) / asked * 1000, 1)
    return found


def ids_of(database_url: str, site_id: int) -> dict[str, str]:
    """Return a value for each name that addresses use: the newest row of its table at the site."""
    tables = {
        "work_unit_id": "equipment_workunit", "equipment_id": "equipment_workunit",
        "material_id": "engineering_materialdefinition", "lot_id": "operations_materiallot",
        "job_order_id": "operations_joborder", "request_id": "operations_operationsrequest",
        "order_id": "operations_customerorder",
    }  # fmt: skip
    versions = {"bom_id": "bomversion", "work_master_id": "workmasterversion"}
    now = datetime.now(UTC)
    span = {"start": now - timedelta(days=1), "end": now}
    found = {name: at.strftime("%Y-%m-%dT%H:%M:%SZ") for name, at in span.items()}
    found |= {"site_id": str(site_id), "kind": "schedule", "document_kind": "schedule", "segment": "10", "step": "10"}
    with psycopg.connect(database_url, autocommit=True) as database:
        for name, table in tables.items():
            row = database.execute(f"SELECT max(id) FROM {table} WHERE site_id = %s", [site_id]).fetchone()
            if row and row[0] is not None:
                found[name] = str(row[0])
        for name, table in versions.items():
            row = database.execute(f"SELECT max(id) FROM engineering_{table}").fetchone()
            if row and row[0] is not None:
                found[name] = found["version_id"] = str(row[0])
        code = database.execute("SELECT code FROM operations_joborder WHERE id = %s", [found["job_order_id"]])
        found["job_code"] = str((code.fetchone() or ("",))[0])
        code = database.execute("SELECT code FROM operations_materiallot WHERE site_id = %s LIMIT 1", [site_id])
        found["lot"] = str((code.fetchone() or ("",))[0])
        row = database.execute("SELECT work_master_version_id FROM performance_jobtime LIMIT 1").fetchone()
        if row and row[0] is not None:
            found["work_master_version_id"] = str(row[0])
        row = database.execute("SELECT min(material_id) FROM performance_jobtime").fetchone()
        if row and row[0] is not None:
            found["timed_material_id"] = str(row[0])
    found["work_unit_ids"] = found.get("work_unit_id", "0")
    return found


def paths_of_api(document: Mapping[str, Any], ids: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    """Return every GET of the API that concerns orders, with its values filled in, and what could not be filled."""
    paths: dict[str, str] = {}
    left: dict[str, str] = {}
    for path, verbs in document["paths"].items():
        one = verbs.get("get")
        if one is None or not TAGS & set(one.get("tags", ())) or LEFT_OUT.search(path):
            continue
        wanted = [given for given in one.get("parameters", ()) if given.get("required")]
        if missing := sorted({given["name"] for given in wanted} - ids.keys()):
            left[path] = f"no value for {', '.join(missing)}"
            continue
        query = "&".join(
            f"{given['name']}={ids[given['name']]}"
            for given in one.get("parameters", ())
            if given["in"] == "query" and (given.get("required") or given["name"] == "site_id")
        )
        address = PLACEHOLDER.sub(lambda found: ids[found[1]], path)
        paths[f"API {path}"] = f"{address}?{query}" if query else address
    return paths, left


def paths_of_pages(ids: Mapping[str, str], site_code: str, today: date) -> dict[str, str]:
    """Return the pages that list something, with the periods and filters that people choose."""
    site = f"site={site_code}"
    pages = {
        "orders": f"/orders/?{site}", "every order": f"/orders/?{site}&state=all",
        "late orders": f"/orders/?{site}&late=1",
        "orders with a text": f"/orders/?{site}&q=BSO77", "orders with no such text": f"/orders/?{site}&q=nowhere",
        "an order": f"/orders/{ids['order_id']}", "new order": f"/orders/new?{site}",
        "exceptions": f"/orders/exceptions?{site}", "documents": f"/orders/documents?{site}",
        "files of orders": f"/orders/files?{site}",
        "production": f"/production/?{site}", "production, all": f"/production/?{site}&state=all",
        "production with a text": f"/production/?{site}&q=product",
        "a production order": f"/production/{ids['request_id']}",
        "traveller": f"/production/{ids['request_id']}/traveller",
        "jobs": f"/jobs/?{site}", "late jobs": f"/jobs/?{site}&late=1", "jobs with a text": f"/jobs/?{site}&q=bench",
        "a job": f"/jobs/{ids['job_order_id']}", "queue of a station": f"/work-units/{ids['work_unit_id']}/queue",
        "stock": f"/stock/?{site}", "shortages": f"/stock/shortages?{site}", "a lot": f"/stock/lots/{ids['lot_id']}",
        "terminals": f"/terminals/?{site}", "conflicts of terminals": f"/terminals/conflicts?{site}",
        "dispatch": f"/dispatch/?{site}", "products": f"/products?{site}",
        "a product": f"/products/{ids['material_id']}",
        "changes of products": f"/products/changes?{site}",
        "classes of products": f"/products/sites/{ids['site_id']}/classes",
        "documents of products": f"/products/sites/{ids['site_id']}/documents",
        "a bill of material": f"/products/boms/{ids['bom_id']}",
        "a routing": f"/products/work-masters/{ids['work_master_id']}",
    }  # fmt: skip
    for days in (7, 30, 90, 365):
        asked = f"{site}&from={today - timedelta(days=days - 1)}&to={today}"
        for page in ("", "cumulative", "bottleneck", "lead-times", "times"):
            pages[f"flow {page or 'work in progress'}, {days} days"] = f"/flow/{page}?{asked}"
    for group in ("queued", "worked", "stopped", "waiting", "done"):
        pages[f"flow, {group} job orders"] = f"/flow/jobs?{site}&group={group}"
    return {f"page {name}": path for name, path in pages.items()}
