"""The scheduling engine: makespan, weighted tardiness, first plan and re-plan, with PyJobShop beside it.

One core, CPU seconds of this process, compilation excluded, every plan through the independent checker. A full run
measures what its numbers are named after (5 and 30 CPU seconds a makespan instance, 1 and 10 a plant). ``--seconds``
below 30 shortens them all alike, and the result then says ``"short": true``.
"""

from __future__ import annotations

import argparse
import importlib
from pathlib import Path
from typing import Any

from yuheng.bench.report import Reporter

SUMMARY = "makespan gaps and tardiness of the scheduling engine, first plan and re-plan, PyJobShop beside it"

DATA = Path("..") / "shared" / "data" / "scheduling"
PUBLIC = ("mk02", "mk05", "la31_rdata", "ft10", "ta21", "ta41", "dmu45", "bel01")
PARTS = ("makespan", "tardiness", "first", "replan")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What to measure."""
    parser.add_argument("--data", type=Path, default=DATA, help="folder of the literature's instances")
    parser.add_argument("--instances", default=",".join(PUBLIC), help="their names, comma between")
    parser.add_argument("--plants", type=int, default=4, metavar="N", help="plant seeds for tardiness, from --seed on")
    parser.add_argument("--orders", type=int, default=200, help="orders of 15 operations each (default 200)")
    parser.add_argument("--no-peer", action="store_true", help="leave PyJobShop out")
    parser.add_argument("--only", choices=PARTS, help="one part of it")


def run(options: argparse.Namespace, reporter: Reporter) -> dict[str, Any]:
    """Measure; the engine and its compiler are loaded only now, for ``yuheng bench --help`` needs neither."""
    measured: dict[str, Any] = importlib.import_module("yuheng.bench.schedule_runs").run(options, reporter)
    return measured
