"""Orders on the floor: ten thousand open requests, their lists, a large release, fifty terminals."""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime
from typing import Any

import numpy as np
import psycopg

from yuheng.bench.plants import a_plant, a_unit_tree
from yuheng.bench.report import Reporter
from yuheng.bench.stack import Stack, running_stack
from yuheng.bench.visitor import Visitor

SUMMARY = "10,000 open requests with 150,000 job orders and 1 M responses: lists, a release of 600 lines, 50 terminals"
FILL = (
    "import django; django.setup(); from yuheng.operations import bulk; bulk.main(); "
    "from yuheng.performance.services.follow import catch_up_all; catch_up_all()"
)
ASKED = 7
"""Times each list is asked for; the median counts."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Sizes."""
    parser.add_argument("--requests", type=int, default=10_000, help="open operations requests, 15 job orders each")
    parser.add_argument("--responses", type=int, default=1_000_000, help="job responses, about")
    parser.add_argument("--terminals", type=int, default=50, help="terminals that start and finish")
    parser.add_argument("--bom-lines", type=int, default=600, help="lines of the product that is released")
    parser.add_argument("--pause", type=float, default=2.0, help="mean seconds between two acts of a terminal")


def run(options: argparse.Namespace, reporter: Reporter) -> dict[str, Any]:
    """Fill an installation of our own, then measure over HTTP as browsers and terminals do."""
    with running_stack(reporter) as stack:
        units = [f"T{number:03d}" for number in range(options.terminals)]
        tree = a_unit_tree({"hall": units})
        stack.import_plant(a_plant(classes=tree["classes"], areas=tree["areas"], sources=[], tags=[], devices=[]))
        visitor = Visitor(stack.url)
        visitor.sign_in(*stack.administrator())
        reporter.step(f"{options.requests:,} requests and about {options.responses:,} responses are made")
        made = _fill(stack, tree["classes"][0]["code"], options)
        counts = _counts(stack)
        reporter.step("lists")
        lists = _lists(visitor, made["site_id"], made["order_id"], _first_unit(stack, made["site_id"]))
        reporter.step("flow")
        flow = _flow(visitor, made["site_id"])
        reporter.step("releases")
        released = [_timed(visitor, f"/api/v1/orders/{order_id}/release", {}) for order_id in made["escalators"]]
        reporter.step(f"{options.terminals} terminals for {options.seconds:.0f} s")
        starts, finishes, refused = _terminals(stack, visitor, made["site_id"], options)
    start_p95, finish_p95 = _p95(starts), _p95(finishes)
    slowest = max(lists, key=lambda name: lists[name])
    reporter.table(
        "Operations",
        [
            ["requests", counts["requests"]],
            ["job orders", counts["job_orders"]],
            ["responses", counts["responses"]],
            ["slowest list ms", lists[slowest]],
            ["which", slowest],
            ["slowest page of flow ms", max(flow.values())],
            [f"release of {options.bom_lines} lines s", float(np.median(released))],
            ["start p95 ms", start_p95],
            ["finish p95 ms", finish_p95],
            ["acts", len(starts) + len(finishes)],
        ],
    )
    return {
        **counts,
        "start_p95_ms": start_p95,
        "finish_p95_ms": finish_p95,
        "start_p50_ms": _p50(starts),
        "acts": len(starts) + len(finishes),
        "refused": refused,
        "list_max_ms": lists[slowest],
        "list_ms": lists,
        "flow_ms": flow,
        "release_s": round(float(np.median(released)), 3),
        "release_s_each": [round(one, 3) for one in released],
        "terminals": options.terminals,
        "bom_lines": options.bom_lines,
    }


def _database_url(stack: Stack) -> str:
    password = json.loads((stack.data_dir / "secrets.json").read_text())["postgres"]
    port = next((stack.data_dir / "postgres").rglob("postmaster.pid")).read_text().splitlines()[3]
    return f"postgresql://yuheng:{password}@127.0.0.1:{port}/yuheng"


def _fill(stack: Stack, kind: str, options: argparse.Namespace) -> dict[str, Any]:
    """Let a process of the installation fill its database."""
    wanted = {
        "requests": options.requests,
        "responses": options.responses,
        "bom_lines": options.bom_lines,
        "class": kind,
    }
    environment = {
        **os.environ,
        "DATABASE_URL": _database_url(stack),
        "YUHENG_DATA_DIR": str(stack.data_dir),
        "DJANGO_SETTINGS_MODULE": "yuheng.config.settings",
    }
    done = subprocess.run(
        [sys.executable, "-c", FILL, json.dumps(wanted)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"The database could not be filled: {done.stderr[-2000:]}")
    found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


def _counts(stack: Stack) -> dict[str, int]:
    tables = {"requests": "operationsrequest", "job_orders": "joborder", "responses": "jobresponse"}
    with psycopg.connect(_database_url(stack), autocommit=True) as database:
        database.execute("VACUUM ANALYZE")
        found = {}
        for name, table in tables.items():
            row = database.execute(f"SELECT count(*) FROM operations_{table}").fetchone()
            found[name] = int(row[0]) if row else 0
    return found


def _first_unit(stack: Stack, site_id: int) -> int:
    with psycopg.connect(_database_url(stack), autocommit=True) as database:
        row = database.execute(
            "SELECT id FROM equipment_workunit WHERE site_id = %s ORDER BY id LIMIT 1", [site_id]
        ).fetchone()
    return int(row[0]) if row else 0


def _lists(visitor: Visitor, site_id: int, order_id: int, unit_id: int) -> dict[str, float]:
    """Return the median milliseconds of each list and page of the API, the transport included."""
    site = f"site_id={site_id}"
    middle = json.loads(visitor.get(f"/api/v1/job-orders?{site}&limit=500"))["next_cursor"]
    paths = {
        "orders": f"/api/v1/orders?{site}",
        "orders, every one": f"/api/v1/orders?{site}&state=all",
        "orders, text": f"/api/v1/orders?{site}&text=BSO77",
        "requests": f"/api/v1/requests?{site}",
        "requests, text": f"/api/v1/requests?{site}&text=product",
        "requests, no such text": f"/api/v1/requests?{site}&text=nowhere",
        "dispatch list": f"/api/v1/job-orders?{site}",
        "dispatch list, later page": f"/api/v1/job-orders?{site}&cursor={middle}",
        "dispatch list, late": f"/api/v1/job-orders?{site}&is_late=true",
        "dispatch list, rush": f"/api/v1/job-orders?{site}&is_rush=true",
        "dispatch list, text": f"/api/v1/job-orders?{site}&text=BSO77",
        "dispatch list, customer": f"/api/v1/job-orders?{site}&text=bench",
        "dispatch list, no such text": f"/api/v1/job-orders?{site}&text=nowhere",
        "dispatch list, running": f"/api/v1/job-orders?{site}&states=running",
        "station queue": f"/api/v1/work-units/{unit_id}/queue",
        "work in progress": f"/api/v1/work-in-progress?{site}",
        "shortages": f"/api/v1/shortages?{site}",
        "responses": f"/api/v1/job-responses?{site}",
        "stock": f"/api/v1/stock?{site}",
        "movements": f"/api/v1/stock/movements?{site}",
        "order progress": f"/api/v1/orders/{order_id}/progress",
    }
    return _medians(visitor, paths)


def _flow(visitor: Visitor, site_id: int) -> dict[str, float]:
    """Return the median milliseconds of each question about flow, the transport included."""
    site = f"site_id={site_id}"
    return _medians(
        visitor,
        {
            "work in progress over time": f"/api/v1/flow/work-in-progress?{site}",
            "cumulative flow": f"/api/v1/flow/cumulative?{site}",
            "bottleneck": f"/api/v1/flow/bottleneck?{site}",
            "queued now": f"/api/v1/flow/job-orders?{site}&group=queued",
            "lead times": f"/api/v1/flow/lead-times?{site}",
            "lead times of products": f"/api/v1/flow/lead-times/products?{site}",
            "measured times": f"/api/v1/measured-times?{site}",
        },
    )


def _medians(visitor: Visitor, paths: dict[str, str]) -> dict[str, float]:
    found = {}
    for name, path in paths.items():
        took = []
        for _ in range(ASKED):
            began = time.perf_counter()
            visitor.get(path)
            took.append((time.perf_counter() - began) * 1000)
        found[name] = round(float(np.median(took)), 1)
    return found


def _timed(visitor: Visitor, path: str, body: dict[str, Any]) -> float:
    began = time.perf_counter()
    visitor.post(path, body)
    return time.perf_counter() - began


def _terminals(
    stack: Stack, visitor: Visitor, site_id: int, options: argparse.Namespace
) -> tuple[list[float], list[float], int]:
    """Let each terminal start and finish jobs on its own station, with a pause between two acts."""
    with psycopg.connect(_database_url(stack), autocommit=True) as database:
        units = [
            row[0]
            for row in database.execute(
                "SELECT id FROM equipment_workunit WHERE site_id = %s ORDER BY id LIMIT %s",
                [site_id, options.terminals],
            )
        ]
        jobs = [
            (row[0], float(row[1]))
            for row in database.execute(
                "SELECT id, quantity FROM operations_joborder WHERE site_id = %s AND state = 'allowed_to_start' "
                "AND substate = 'ready' AND work_unit_id IS NULL ORDER BY rank, due_at, id LIMIT 20000",
                [site_id],
            )
        ]
    starts: list[float] = []
    finishes: list[float] = []
    refused = [0]
    until = time.monotonic() + options.seconds

    def work(number: int) -> None:
        chance = random.Random(options.seed * 1000 + number)
        terminal = Visitor(stack.url)
        terminal._jar = visitor._jar
        time.sleep(chance.uniform(0, options.pause))
        for job_id, quantity in jobs[number :: len(units)]:
            if time.monotonic() > until:
                break
            try:
                body = {"work_unit_id": units[number], "action_id": f"b{job_id}s", "happened_at": _now()}
                starts.append(_timed(terminal, f"/api/v1/job-orders/{job_id}/start", body) * 1000)
                time.sleep(chance.uniform(0.5, 1.5) * options.pause)
                body = {"good": quantity, "action_id": f"b{job_id}f", "happened_at": _now()}
                finishes.append(_timed(terminal, f"/api/v1/job-orders/{job_id}/finish", body) * 1000)
            except RuntimeError as refusal:
                refused[0] += 1
                sys.stderr.write(f"{refusal}\n")
            time.sleep(chance.uniform(0.5, 1.5) * options.pause)
        terminal.close()

    threads = [threading.Thread(target=work, args=(number,), daemon=True) for number in range(len(units))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=options.seconds + 60)
    return starts, finishes, refused[0]


def _now() -> str:
    return datetime.now(UTC).isoformat()


def _p95(values: list[float]) -> float | None:
    return round(float(np.percentile(values, 95)), 1) if values else None


def _p50(values: list[float]) -> float | None:
    return round(float(np.percentile(values, 50)), 1) if values else None
