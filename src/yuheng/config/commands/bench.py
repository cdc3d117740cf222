"""``yuheng bench NAME``: measure an installation of its own; the last line with ``--json`` is one JSON object."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import Any

from yuheng.bench import facts
from yuheng.bench.registry import BENCHES, load
from yuheng.bench.report import Reporter

HELP = "Measure ingest, latency, queries, and that nothing is lost; in a temporary directory, on free ports."
ALL = "all"
FAILURES = ("lost", "duplicated", "misplaced", "strange", "silent_devices", "missing", "error")
"""Fields that must be zero, or absent."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """One subcommand a bench, with its own options."""
    names = parser.add_subparsers(dest="name", required=True, metavar="NAME")
    for name, (_, full_s) in BENCHES.items():
        bench = load(name)
        summary = bench.SUMMARY.replace("%", "%%")  # argparse formats its texts
        sub = names.add_parser(name, help=summary, description=summary)
        _add_common(sub, f"how long to measure (a full run: {full_s:.0f} s)")
        bench.add_arguments(sub)
    every = names.add_parser(ALL, help="all of them, one after another", description="All benches, one after another.")
    _add_common(every, "how long each measures (each has its own full length)")


def _add_common(parser: argparse.ArgumentParser, seconds_help: str) -> None:
    parser.add_argument("--seconds", type=_positive, default=None, help=seconds_help)
    parser.add_argument("--seed", type=int, default=1, help="seed of everything random (default 1)")
    parser.add_argument("--json", action="store_true", help="print one JSON object as the last line")


def _positive(text: str) -> float:
    number = float(text)
    if number <= 0:
        raise argparse.ArgumentTypeError("it must be above zero")
    return number


def run(args: argparse.Namespace) -> int:
    """Run one bench, or all."""
    reporter = Reporter()
    if args.name != ALL:
        result = measure(args.name, args, reporter)
    else:
        result = {"bench": ALL, "results": {name: _measure_of_all(name, args, reporter) for name in BENCHES}}
    if args.json:
        reporter.result(result)
    return 0 if is_passed(result) else 1


def _measure_of_all(name: str, args: argparse.Namespace, reporter: Reporter) -> dict[str, Any]:
    words: Sequence[str] = [f"--seed={args.seed}", *([f"--seconds={args.seconds}"] if args.seconds else [])]
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    try:
        return measure(name, parser.parse_args([name, *words]), reporter)
    except Exception as error:  # the others can still be measured; this one is not "passed"
        sys.stderr.write(f"{name} could not be measured: {error}\n")
        return {"bench": name, "error": str(error)}


def measure(name: str, args: argparse.Namespace, reporter: Reporter) -> dict[str, Any]:
    """Run one bench and put what it was measured on before its numbers."""
    full_s = BENCHES[name][1]
    args.seconds = args.seconds or full_s
    known = facts.gather()
    numbers = load(name).run(args, reporter)
    return {
        "bench": name,
        "seconds": args.seconds,
        "short": args.seconds < full_s,
        "seed": args.seed,
        **numbers,
        "facts": known,
    }


def is_passed(result: dict[str, Any]) -> bool:
    """Return whether nothing was lost, duplicated or impossible to measure; speed is for the reader to judge."""
    if "results" in result:
        return all(is_passed(one) for one in result["results"].values())
    return not any(result.get(name) for name in FAILURES)
