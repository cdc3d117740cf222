"""``yuheng experiment dispatch|advice``: what the dispatch loop is worth, on a fast model of the demo plant's floor."""

from __future__ import annotations

import argparse
import json
import os
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import django

if TYPE_CHECKING:
    from yuheng.experiments.parameters import Parameters

HELP = "Measure what planning and the dispatch loop are worth, on a fast model of the demo plant. Needs no plant."
DISPATCH, ADVICE = "dispatch", "advice"
NAMES = ("practice", "fifo", "edd", "plan", "loop-slow", "loop")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """One subcommand an experiment."""
    kinds = parser.add_subparsers(dest="kind", required=True, metavar="dispatch|advice")
    dispatch = kinds.add_parser(
        DISPATCH, help="practice, planning, and the loop", description="The same worlds under several policies."
    )
    _add_common(dispatch)
    dispatch.add_argument("--seeds", type=_count, default=20, metavar="N", help="so many worlds (default 20)")
    dispatch.add_argument("--policies", nargs="+", choices=NAMES, default=list(NAMES), help="only these")
    advice = kinds.add_parser(
        ADVICE, help="is the first suggestion good", description="From the same breakdown: follow advice, wait, FIFO."
    )
    _add_common(advice)
    advice.add_argument("--breakdowns", type=_count, default=200, metavar="N", help="so many (default 200)")


def _add_common(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--first-seed", type=int, default=1, metavar="N", help="the first seed (default 1)")
    parser.add_argument("--longer-stops", type=_positive, metavar="X", help="breakdowns X times as long and as rare")
    parser.add_argument("--orders-per-hour", type=_positive, metavar="X", help="customers' orders (see the parameters)")
    parser.add_argument("--json", action="store_true", help="print one JSON object as the last line")


def _count(text: str) -> int:
    number = int(text)
    if not 1 <= number <= 10_000:
        raise argparse.ArgumentTypeError("it must be 1 to 10,000")
    return number


def _positive(text: str) -> float:
    number = float(text)
    if not 0 < number <= 1000:
        raise argparse.ArgumentTypeError("it must be above 0 and at most 1000")
    return number


def run(args: argparse.Namespace) -> int:
    """Run one experiment: 0 done, 1 the advice was worse than it may be."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "yuheng.config.settings")
    django.setup()
    # The facts that planning reads are described where the tables are.
    from yuheng.experiments import advice, dispatch  # noqa: PLC0415 - models need django.setup()
    from yuheng.experiments.parameters import Parameters  # noqa: PLC0415 - models need django.setup()
    from yuheng.simulation.elevator.products import ELEVATOR_PRODUCTS  # noqa: PLC0415 - only when it is asked for

    parameters = _changed(Parameters(), args)
    found: dict[str, Any]
    if args.kind == DISPATCH:
        seeds = range(args.first_seed, args.first_seed + args.seeds)
        found = dispatch.compare(ELEVATOR_PRODUCTS, parameters, seeds, args.policies, _say)
    else:
        found = advice.judge(ELEVATOR_PRODUCTS, parameters, args.breakdowns, args.first_seed, _say)
    _say(f"fingerprint of the parameters: {found['fingerprint']}")
    if args.json:
        sys.stdout.write(json.dumps(found, ensure_ascii=False) + "\n")
    else:
        sys.stdout.write(json.dumps(found, ensure_ascii=False, indent=2) + "\n")
    return 0 if found.get("is_honest", True) else 1


def _changed(parameters: Parameters, args: argparse.Namespace) -> Parameters:
    if args.longer_stops is not None:
        parameters = replace(parameters, longer_stops=args.longer_stops)
    if args.orders_per_hour is not None:
        parameters = replace(parameters, orders_per_hour=args.orders_per_hour)
    return parameters


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")
    sys.stderr.flush()
