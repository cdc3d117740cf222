"""Which benches there are. A new one is one module and one line here."""

from __future__ import annotations

import argparse
import importlib
from typing import Any, Protocol, cast

from yuheng.bench.report import Reporter

BENCHES: dict[str, tuple[str, float]] = {
    # name: (module, seconds of a full run)
    "ingest": ("yuheng.bench.ingest", 60.0),
    "latency": ("yuheng.bench.latency", 60.0),
    "query": ("yuheng.bench.query", 60.0),
    "chaos": ("yuheng.bench.chaos", 300.0),
    "idle": ("yuheng.bench.idle", 60.0),
    "page": ("yuheng.bench.page", 30.0),
    "alarms": ("yuheng.bench.alarms", 30.0),
    "storage": ("yuheng.bench.storage", 60.0),
    "schedule": ("yuheng.bench.schedule", 30.0),
    "redispatch": ("yuheng.bench.redispatch", 60.0),
    "board": ("yuheng.bench.board", 60.0),
    "operations": ("yuheng.bench.operations", 60.0),
}


class Bench(Protocol):
    """What a module of this package offers to be a bench."""

    SUMMARY: str

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Add its own arguments; ``--seconds``, ``--seed`` and ``--json`` are already there."""

    def run(self, options: argparse.Namespace, reporter: Reporter) -> dict[str, Any]:
        """Measure, print a table, return plain JSON values."""


def load(name: str) -> Bench:
    """Import a bench."""
    return cast(Bench, importlib.import_module(BENCHES[name][0]))
