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
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import psycopg

from yuheng.bench.operations_lists import Cpu, ids_of, paths_of_api, paths_of_pages, walk
from yuheng.bench.plants import a_plant, a_unit_tree
from yuheng.bench.report import Reporter
from yuheng.bench.stack import Stack, running_stack
from yuheng.bench.visitor import Visitor

SUMMARY = "10,000 open requests with 150,000 job orders and 1 M responses: lists, a release of 600 lines, 50 terminals"
FILL = (
    "import django; django.setup(); from yuheng.operations import bulk; bulk.main(); "
    "from yuheng.performance.services.follow import catch_up_all; catch_up_all()"
)
HALLS = 10
BACKGROUND_S = 5.0
SLOWEST_S = 300.0
SLOWEST_LIST_S = 30.0
"""A list that takes longer is given up, and named."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Sizes."""
    parser.add_argument("--requests", type=int, default=10_000, help="open operations requests, 15 job orders each")
    parser.add_argument("--responses", type=int, default=1_000_000, help="job responses, about")
    parser.add_argument("--terminals", type=int, default=50, help="terminals that start and finish")
    parser.add_argument("--bom-lines", type=int, default=600, help="lines of the product that is released")
    parser.add_argument("--pause", type=float, default=10.0, help="mean seconds between two acts of a terminal")
    parser.add_argument(
        "--saturated", type=float, default=15.0, help="seconds of all terminals without any pause; 0: left out"
    )


def run(options: argparse.Namespace, reporter: Reporter) -> dict[str, Any]:
    """Fill an installation of our own, then measure over HTTP as browsers and terminals do.

    What could be measured is returned even when a part fails or somebody stops it; ``error`` then says what failed.
    """
    found: dict[str, Any] = {"start_p95_ms": None, "list_max_ms": None, "release_s": None}
    try:
        with running_stack(reporter) as stack:
            _measure(stack, options, reporter, found)
    except KeyboardInterrupt:
        found["error"] = "It was stopped before everything was measured."
    except Exception as error:  # whatever it was, the numbers that are there are printed
        found["error"] = f"{type(error).__name__}: {error}"[:2000]
    if "error" in found:
        reporter.step(f"not everything could be measured: {found['error']}")
    _show(found, options, reporter)
    return found


def _measure(stack: Stack, options: argparse.Namespace, reporter: Reporter, found: dict[str, Any]) -> None:
    """Measure one part after another; each puts its numbers into ``found`` as soon as it has them."""
    units = [f"T{number:03d}" for number in range(options.terminals)]
    tree = a_unit_tree({f"hall{n}": units[n::HALLS] for n in range(min(HALLS, len(units)))})
    stack.import_plant(a_plant(classes=tree["classes"], areas=tree["areas"], sources=[], tags=[], devices=[]))
    visitor = Visitor(stack.url, timeout_s=SLOWEST_S)
    visitor.sign_in(*stack.administrator())
    reporter.step(f"{options.requests:,} requests and about {options.responses:,} responses are made")
    made = _fill(stack, tree["classes"][0]["code"], options)
    found |= _counts(stack)
    found |= {"terminals": options.terminals, "bom_lines": options.bom_lines, "load": round(os.getloadavg()[0], 1)}
    cpu = Cpu(stack.pids()).seconds
    reporter.step(f"releases of {options.bom_lines} lines")
    found |= _releases(visitor, made["escalators"], cpu)
    floor = _Floor(stack, visitor, made["site_id"], options)
    idle = _background(cpu)
    found["background_cpu_ms_per_s"] = round(idle * 1000, 1)
    pace = options.terminals / options.pause if options.pause > 0 else 0.0
    reporter.step(
        f"{options.terminals} terminals, an act each {options.pause:g} s ({pace:.1f} acts/s), {options.seconds:.0f} s"
    )
    found |= {"pause_s": options.pause, "wanted_acts_per_s": round(pace, 1)}
    found |= floor.acts(cpu, idle, seconds=options.seconds, pause_s=options.pause)
    if options.saturated > 0:
        reporter.step(f"{options.terminals} terminals without a pause, {options.saturated:.0f} s")
        full = floor.acts(cpu, idle, seconds=options.saturated, pause_s=0.0)
        found |= {f"saturated_{name}": value for name, value in full.items()}
    reporter.step("lists")
    found |= _lists(stack, visitor, made, cpu, reporter)
    found["load_at_end"] = round(os.getloadavg()[0], 1)


def _show(found: dict[str, Any], options: argparse.Namespace, reporter: Reporter) -> None:
    reporter.table(
        "Operations",
        [
            ["requests", found.get("requests")],
            ["job orders", found.get("job_orders")],
            ["responses", found.get("responses")],
            ["slowest list ms", found.get("list_max_ms")],
            ["which", found.get("slowest_list")],
            ["most CPU of a list ms", found.get("list_max_cpu_ms")],
            ["which", found.get("hungriest_list")],
            [f"release of {options.bom_lines} lines s", found.get("release_s")],
            ["start p95 ms", found.get("start_p95_ms")],
            ["finish p95 ms", found.get("finish_p95_ms")],
            ["acts a second, asked for", found.get("wanted_acts_per_s")],
            ["acts a second, done", found.get("acts_per_s")],
            ["acts", found.get("acts")],
            ["CPU of an act ms", found.get("act_cpu_ms")],
            ["without pauses: acts a second", found.get("saturated_acts_per_s")],
            ["without pauses: start p95 ms", found.get("saturated_start_p95_ms")],
            ["without pauses: CPU of an act ms", found.get("saturated_act_cpu_ms")],
        ],
    )


def _releases(visitor: Visitor, order_ids: list[int], cpu: Callable[[], float]) -> dict[str, Any]:
    took, used = [], cpu()
    for order_id in order_ids:
        took.append(_timed(visitor, f"/api/v1/orders/{order_id}/release", {}))
    return {
        "release_s": round(float(np.median(took)), 3),
        "release_s_each": [round(one, 3) for one in took],
        "release_cpu_s": round((cpu() - used) / max(1, len(took)), 3),
    }


def _background(cpu: Callable[[], float]) -> float:
    """Return the CPU seconds a second that web and database use while nobody asks for anything."""
    used, began = cpu(), time.monotonic()
    time.sleep(BACKGROUND_S)
    return (cpu() - used) / (time.monotonic() - began)


def _lists(
    stack: Stack, visitor: Visitor, made: dict[str, Any], cpu: Callable[[], float], reporter: Reporter
) -> dict[str, Any]:
    """Walk every list over the API and every page, and return how long each took."""
    ids = ids_of(database_url(stack), made["site_id"]) | {"order_id": str(made["order_id"])}
    document = visitor.json("/api/v1/openapi.json")
    of_api, left = paths_of_api(document, ids)
    paths = of_api | _narrowed(visitor, made["site_id"]) | paths_of_pages(ids, made["site"], datetime.now(UTC).date())
    walker = Visitor(stack.url, timeout_s=SLOWEST_LIST_S)
    walker._jar = visitor._jar
    walked = walk(walker, paths, cpu)
    walked.not_asked |= left
    for name, why in walked.not_asked.items():
        reporter.step(f"not asked: {name}: {why}")
    if not walked.wall_ms:
        return {"not_asked": walked.not_asked}
    hungriest = max(walked.cpu_ms, key=lambda name: walked.cpu_ms[name])
    return {
        "list_max_ms": walked.wall_ms[walked.slowest()],
        "slowest_list": walked.slowest(),
        "list_max_cpu_ms": walked.cpu_ms[hungriest],
        "hungriest_list": hungriest,
        "lists": len(walked.wall_ms),
        "list_ms": walked.wall_ms,
        "list_cpu_ms": walked.cpu_ms,
        "not_asked": walked.not_asked,
    }


def _narrowed(visitor: Visitor, site_id: int) -> dict[str, str]:
    """Return lists of the API with filters, and pages far down."""
    site = f"site_id={site_id}"
    middle = json.loads(visitor.get(f"/api/v1/job-orders?{site}&limit=500"))["next_cursor"]
    month = f"{site}&first={datetime.now(UTC).date() - timedelta(days=29)}"
    return {
        "orders, every one": f"/api/v1/orders?{site}&state=all",
        "orders, text": f"/api/v1/orders?{site}&text=BSO77",
        "requests, text": f"/api/v1/requests?{site}&text=product",
        "requests, no such text": f"/api/v1/requests?{site}&text=nowhere",
        "dispatch list, later page": f"/api/v1/job-orders?{site}&cursor={middle}",
        "dispatch list, late": f"/api/v1/job-orders?{site}&is_late=true",
        "dispatch list, rush": f"/api/v1/job-orders?{site}&is_rush=true",
        "dispatch list, text": f"/api/v1/job-orders?{site}&text=BSO77",
        "dispatch list, customer": f"/api/v1/job-orders?{site}&text=bench",
        "dispatch list, no such text": f"/api/v1/job-orders?{site}&text=nowhere",
        "dispatch list, running": f"/api/v1/job-orders?{site}&states=running",
        "work in progress, 30 days": f"/api/v1/flow/work-in-progress?{month}",
        "cumulative flow, 30 days": f"/api/v1/flow/cumulative?{month}",
        "bottleneck, 30 days": f"/api/v1/flow/bottleneck?{month}",
        "lead times, 30 days": f"/api/v1/flow/lead-times?{month}",
        "measured times, 30 days": f"/api/v1/measured-times?{month}",
        "queued now": f"/api/v1/flow/job-orders?{site}&group=queued",
        "done in 30 days": f"/api/v1/flow/job-orders?{month}&group=done",
    }


def database_url(stack: Stack) -> str:
    """Return the address of an installation's database; never printed."""
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
        "DATABASE_URL": database_url(stack),
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
    with psycopg.connect(database_url(stack), autocommit=True) as database:
        database.execute("VACUUM ANALYZE")
        found = {}
        for name, table in tables.items():
            row = database.execute(f"SELECT count(*) FROM operations_{table}").fetchone()
            found[name] = int(row[0]) if row else 0
    return found


def _timed(visitor: Visitor, path: str, body: dict[str, Any]) -> float:
    began = time.perf_counter()
    visitor.post(path, body)
    return time.perf_counter() - began


class _Floor:
    """Terminals, each at its own station with job orders of its own; what was done is not done again."""

    def __init__(self, stack: Stack, visitor: Visitor, site_id: int, options: argparse.Namespace) -> None:
        self._url, self._jar, self._seed = stack.url, visitor._jar, options.seed
        with psycopg.connect(database_url(stack), autocommit=True) as database:
            self._units = [
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
        self._jobs = [iter(jobs[number :: len(self._units)]) for number in range(len(self._units))]

    def acts(self, cpu: Callable[[], float], idle: float, *, seconds: float, pause_s: float) -> dict[str, Any]:
        """Let every terminal start and finish job orders, with a pause of 0.5 to 1.5 times the mean after each act.

        ``act_cpu_ms``: CPU of web and database an act, without what they use while nobody asks; a terminal that waits
        for its answer asks for nothing else, so without pauses the latency is the queue of a full machine.
        """
        starts: list[float] = []
        finishes: list[float] = []
        refused = [0]
        used, began = cpu(), time.monotonic()
        until = began + seconds

        def rest(chance: random.Random) -> None:
            """Rest the whole pause: were it cut at the end, all who have begun would finish in the same moment."""
            time.sleep(chance.uniform(0.5, 1.5) * pause_s)

        def work(number: int) -> None:
            chance = random.Random(self._seed * 1000 + number)
            terminal = Visitor(self._url)
            terminal._jar = self._jar
            time.sleep(chance.uniform(0, pause_s))
            for job_id, quantity in self._jobs[number]:
                try:
                    body = {"work_unit_id": self._units[number], "action_id": f"b{job_id}s", "happened_at": _now()}
                    starts.append(_timed(terminal, f"/api/v1/job-orders/{job_id}/start", body) * 1000)
                    rest(chance)
                    body = {"good": quantity, "action_id": f"b{job_id}f", "happened_at": _now()}
                    finishes.append(_timed(terminal, f"/api/v1/job-orders/{job_id}/finish", body) * 1000)
                except RuntimeError as refusal:
                    refused[0] += 1
                    sys.stderr.write(f"{refusal}\n")
                rest(chance)
                if time.monotonic() >= until:
                    break
            terminal.close()

        threads = [threading.Thread(target=work, args=(one,), daemon=True) for one in range(len(self._units))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(timeout=seconds + 60 + 3 * pause_s)
        took, count = time.monotonic() - began, len(starts) + len(finishes)
        return {
            "start_p95_ms": _p95(starts),
            "finish_p95_ms": _p95(finishes),
            "start_p50_ms": _p50(starts),
            "finish_p50_ms": _p50(finishes),
            "acts": count,
            "acts_per_s": round(count / took, 1),
            "act_cpu_ms": round(max(0.0, cpu() - used - idle * took) / count * 1000, 1) if count else None,
            "refused": refused[0],
        }


def _now() -> str:
    return datetime.now(UTC).isoformat()


def _p95(values: list[float]) -> float | None:
    return round(float(np.percentile(values, 95)), 1) if values else None


def _p50(values: list[float]) -> float | None:
    return round(float(np.percentile(values, 50)), 1) if values else None
