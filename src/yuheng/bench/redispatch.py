"""From a machine's "I am down" over MQTT to ranked suggestions painted in a real browser, on the command centre."""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import numpy as np
import psycopg

from yuheng.bench.browser import open_page
from yuheng.bench.latency import connected
from yuheng.bench.operations import database_url
from yuheng.bench.plants import a_credential, a_plant, a_tag, a_unit_tree
from yuheng.bench.report import Reporter
from yuheng.bench.stack import Stack, running_stack
from yuheng.bench.visitor import Visitor
from yuheng.bench.waiting import wait_until

if TYPE_CHECKING:
    from playwright.sync_api import Page

SUMMARY = "from machine-down over MQTT to ranked suggestions in a real browser; 1,000 open job orders, 100 machines"
SOURCE = "bench-machines"
CLASSES = 10
FILL = "import django; django.setup(); from yuheng.scheduling import bulk; bulk.main()"
SEEN_DEADLINE_S = 20.0
SHORTEST_PAUSE_S, LONGEST_PAUSE_S = 0.3, 1.3
"""Between a repair and the next breakdown, at random: a fixed beat would always meet the same moment of the planner."""
WATCH = """
() => {
  const place = document.querySelector("[data-danger]");
  window.yuhengSuggested = {};
  const note = () => {
    for (const line of place.querySelectorAll("li[data-disturbance]")) {
      const isAnswered = line.querySelector(".button") || line.closest("details.harmless");
      if (!isAnswered || line.dataset.disturbance in window.yuhengSuggested) continue;
      const key = line.dataset.disturbance;
      window.yuhengSuggested[key] = null;
      requestAnimationFrame(() => {
        window.yuhengSuggested[key] = [line.dataset.unit, performance.timeOrigin + performance.now()];
      });
    }
  };
  new MutationObserver(note).observe(place, {childList: true, subtree: true});
  note();
}
"""
SEEN = "(unit) => Object.values(window.yuhengSuggested).filter((one) => one && one[0] === unit).map((one) => one[1])"
GONE = "(unit) => !document.querySelector(`[data-danger] li[data-unit='${unit}']`)"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Sizes."""
    parser.add_argument("--operations", type=int, default=1_000, help="open job orders")
    parser.add_argument("--machines", type=int, default=100, help="machines, in 10 classes")
    parser.add_argument("--breakdowns", type=int, default=60, help="machines that break down, one after another")


def run(options: argparse.Namespace, reporter: Reporter) -> dict[str, Any]:
    """Fill an installation of our own, publish a plan, break machines and watch the command centre."""
    credential = a_credential("bench-device")
    with running_stack(reporter) as stack:
        codes = [f"M{number:03d}" for number in range(options.machines)]
        stack.import_plant(plant_of(credential, codes))
        visitor = Visitor(stack.url)
        visitor.sign_in(*stack.administrator())
        reporter.step(f"{options.operations:,} job orders are made")
        site_id = fill(stack, options)
        reporter.step("the first plan is made and published")
        publish_s, count = first_plan(visitor, site_id)
        with connected(stack, credential) as device:
            for code in codes:
                device.say(code, '"run": true, "fault": false')
            reporter.step(f"{options.breakdowns} breakdowns")
            with open_page(visitor, "/") as page:
                page.wait_for_selector("[data-danger]", state="attached", timeout=30_000)
                page.evaluate(WATCH)
                page.wait_for_timeout(3_000)
                seen, unseen = _break_down(stack, page, device, codes, options)
        parts = _parts(stack, list(seen.values()))
    times = [one["ms"] for one in seen.values()]
    p50, p95 = (round(float(value), 1) for value in np.percentile(times, [50, 95])) if times else (None, None)
    reporter.table(
        "From machine-down to suggestions in the browser",
        [["p50 ms", p50], ["p95 ms", p95], ["n", len(times)], ["unseen", unseen], *map(list, parts.items())],
    )
    return {
        "p50_ms": p50,
        "p95_ms": p95,
        "max_ms": round(max(times), 1) if times else None,
        "n": len(times),
        "unseen": unseen,
        "open_operations": count,
        "machines": options.machines,
        "parts_p50_ms": parts,
        "publish_first_s": publish_s,
    }


def plant_of(credential: Any, codes: list[str]) -> dict[str, Any]:
    """Return a plant file of machines in `CLASSES` classes; each says whether it runs and whether it is down."""
    areas: dict[str, list[str]] = {f"a{k}": codes[k::CLASSES] for k in range(CLASSES)}
    tree = a_unit_tree(areas)
    states = [
        {"state": "down", "when": "fault"},
        {"state": "producing", "when": "run and not fault"},
        {"state": "idle", "when": "not run and not fault"},
    ]
    tree["classes"] = [
        {"code": f"c{k}", "name_zh": f"c{k}", "name_en": f"c{k}", "no_data_after_s": 86_400, "states": states}
        for k in range(CLASSES)
    ]
    for k, area in enumerate(tree["areas"]):
        for center in area["work_centers"]:
            for unit in center["work_units"]:
                unit["class"] = f"c{k}"
    tags = [
        a_tag(SOURCE, f"{code}/{name}", "bool", work_unit=code, symbol=name)
        for code in codes
        for name in ("run", "fault")
    ]
    device = {
        "username": credential.username, "password": credential.password, "publish_topics": ["bench/machines/#"],
        "subscribe_topics": [], "sources": [SOURCE],
    }  # fmt: skip
    source = {"code": SOURCE, "connector": "mqtt_json", "topics": ["bench/machines/#"], "settings": {}}
    return a_plant(classes=tree["classes"], areas=tree["areas"], sources=[source], tags=tags, devices=[device])


def fill(stack: Stack, options: argparse.Namespace) -> int:
    """Make ``options.operations`` open job orders over the classes; return the site."""
    wanted = {"operations": options.operations, "seed": options.seed, "classes": [f"c{k}" for k in range(CLASSES)]}
    environment = {
        **os.environ,
        "DATABASE_URL": database_url(stack),
        "YUHENG_DATA_DIR": str(stack.data_dir),
        "DJANGO_SETTINGS_MODULE": "yuheng.config.settings",
    }
    done = subprocess.run(
        [sys.executable, "-c", FILL, json.dumps(wanted)], env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"The database could not be filled: {done.stderr[-2000:]}")
    return int(json.loads(done.stdout.strip().splitlines()[-1])["site_id"])


def first_plan(visitor: Visitor, site_id: int) -> tuple[float, int]:
    """Have a plan made and publish it; return the seconds that publishing took, and its job orders."""
    asked = json.loads(visitor.post("/api/v1/scenarios", {"site_id": site_id, "name": "bench", "seconds": 10}))

    def is_made() -> bool:
        row = visitor.json(f"/api/v1/scenarios/{asked['id']}")
        if row["state"] in ("failed", "cancelled"):
            raise RuntimeError(f"There is no plan: {row['message']}")
        return bool(row["state"] == "done")

    wait_until(is_made, what="the first plan to be made", deadline_s=300, pause_s=0.5)
    row = visitor.json(f"/api/v1/scenarios/{asked['id']}")
    began = time.perf_counter()
    plan = json.loads(visitor.post(f"/api/v1/plans/{row['plan_id']}/publish", {"expected": 0, "reason": "bench"}))
    return round(time.perf_counter() - began, 2), int(plan["job_count"])


def _break_down(
    stack: Stack, page: Page, device: connected, codes: list[str], options: argparse.Namespace
) -> tuple[dict[int, dict[str, Any]], int]:
    plant = stack.bus.plant()
    assert plant is not None
    ids = {unit.code: unit.id for unit in plant.work_units}
    chance = random.Random(options.seed)
    seen: dict[int, dict[str, Any]] = {}
    unseen = 0
    for number in range(options.breakdowns):
        code = chance.choice(codes)
        unit = str(ids[code])
        page.evaluate("() => { window.yuhengSuggested = {}; }")
        at = device.say(code, '"fault": true')
        painted = _wait(page, SEEN, unit)
        if painted:
            seen[number] = {"ms": painted[0] - at, "at": at, "painted": painted[0], "unit": int(unit)}
        else:
            unseen += 1
        device.say(code, '"fault": false')
        _wait(page, GONE, unit)
        time.sleep(chance.uniform(SHORTEST_PAUSE_S, LONGEST_PAUSE_S))
    return seen, unseen


def _wait(page: Page, question: str, unit: str) -> Any:
    deadline = time.monotonic() + SEEN_DEADLINE_S
    while time.monotonic() < deadline:
        if found := page.evaluate(question, unit):
            return found
        time.sleep(0.05)  # the page has noted the moment itself; we only come to read it
    return None


def _parts(stack: Stack, seen: list[dict[str, Any]]) -> dict[str, float]:
    """Medians of where the time goes: to the planner, its parts, and from its answer to the painted page."""
    found: dict[str, list[float]] = {}
    with psycopg.connect(database_url(stack), autocommit=True) as database:
        rows = database.execute(
            "SELECT work_unit_id, extract(epoch FROM noticed_at) * 1000, details->'took_ms'"
            " FROM scheduling_disturbance WHERE answered_at IS NOT NULL ORDER BY id"
        ).fetchall()
    for one in seen:
        row = next(
            (row for row in rows if row[0] == one["unit"] and one["at"] <= float(row[1]) <= one["painted"]), None
        )
        if row is None or not row[2]:
            continue
        inside = sum(row[2].values())
        found.setdefault("signal_to_planner", []).append(float(row[1]) - one["at"])
        for name, took in row[2].items():
            found.setdefault(f"planner_{name}", []).append(took)
        found.setdefault("write_and_browser", []).append(one["painted"] - float(row[1]) - inside)
    return {name: round(float(np.median(values)), 1) for name, values in found.items()}
