"""What the demo plant costs when nobody does anything: CPU of one core and memory, process by process."""

from __future__ import annotations

import argparse
import time
from typing import Any

from yuheng.bench.processes import Meter, is_running
from yuheng.bench.report import Reporter
from yuheng.bench.stack import running_stack

PAST = "yuheng.config.demo_past"
GONE_S = 15.0
LONGEST_START_S = 600.0
SUMMARY = "CPU and memory of the running demo plant, process by process"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """How long it may calm down."""
    parser.add_argument("--settle", type=float, default=60.0, help="seconds before measuring (default 60)")


def _until_nothing_runs(pids: dict[str, int], module: str) -> None:
    """Wait until a process of the start has been gone for a while; it is not what the demo costs every day."""
    ends, gone_since = time.monotonic() + LONGEST_START_S, time.monotonic()
    while time.monotonic() < ends and time.monotonic() - gone_since < GONE_S:
        if is_running(pids.values(), module):
            gone_since = time.monotonic()
        time.sleep(1.0)


def run(options: argparse.Namespace, reporter: Reporter) -> dict[str, Any]:
    """Start the demo, wait until it is calm, measure."""
    with running_stack(reporter, is_demo=True) as stack:
        reporter.step("the demo's past is told")
        _until_nothing_runs(stack.pids(), PAST)
        reporter.step(f"the start's work calms down: {options.settle:.0f} s")
        time.sleep(options.settle)
        rows_before = stack.bus.statistics()["rows"]
        meter = Meter(stack.pids())
        meter.start()
        time.sleep(options.seconds)
        costs = meter.stop()
        points_per_s = (stack.bus.statistics()["rows"] - rows_before) / meter.elapsed_s
        plant = stack.bus.plant()
    cpu = {name: cost.cpu_s / meter.elapsed_s * 100 for name, cost in costs.items()}
    rows = [[name, cpu[name], cost.rss_mb, cost.pss_mb] for name, cost in costs.items()]
    total_rss, total_pss = sum(c.rss_mb for c in costs.values()), sum(c.pss_mb for c in costs.values())
    reporter.table(
        "The demo plant, idle",
        [["process", "CPU % of a core", "RSS MB", "PSS MB"], *rows, ["all", sum(cpu.values()), total_rss, total_pss]],
    )
    return {
        "cpu_percent": round(sum(cpu.values()), 2),
        "rss_mb": round(total_rss, 1),
        "pss_mb": round(total_pss, 1),
        "cpu_percent_by_process": {name: round(value, 2) for name, value in cpu.items()},
        "pss_mb_by_process": {name: round(cost.pss_mb, 1) for name, cost in costs.items()},
        "tags": 0 if plant is None else len(plant.tags),
        "points_per_s": round(points_per_s, 1),
    }
