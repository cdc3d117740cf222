"""``yuheng schedule solve|check|show|warm``: plan a file, prove a plan, look at it; needs no running plant."""

from __future__ import annotations

import argparse
import importlib
import json
import sys
from typing import Protocol, cast

from yuheng.config.schedule.words import LANGUAGES, filled, language_of, translator
from yuheng.engines.schedule.faults import ProblemError, gettext_noop
from yuheng.engines.schedule.readers import FORMATS

HELP = "Plan orders on machines with finite capacity, prove a plan, or look at one. Needs no running plant."
_MORE = gettext_noop("and %(count)s more faults.")
LONGEST_S = 7 * 24 * 3600.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """One subcommand each for solving, checking, showing and warming up."""
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="solve|check|show|warm")
    solve = verbs.add_parser("solve", help="make a plan", description="Make a plan for a problem.")
    _add_problem(solve)
    solve.add_argument(
        "--objective",
        metavar="TERMS",
        help="tardiness, makespan, flow, setup, nervousness, late: weighted (tardiness,setup:0.1) or in order "
        "(tardiness>makespan); default: tardiness for a plant, else makespan",
    )
    solve.add_argument("--time", type=_seconds, default=10.0, metavar="S", help="seconds to search (default 10)")
    solve.add_argument("--workers", type=_count, default=1, metavar="N", help="processes to search with (default 1)")
    solve.add_argument("--seed", type=int, default=0, help="seed of everything random (default 0)")
    solve.add_argument("--from", dest="start", metavar="PLAN", help="start from this plan, and stay near it")
    solve.add_argument("--output", metavar="FILE", help="write the JSON object to this file")
    _add_speech(solve)
    check = verbs.add_parser("check", help="prove a plan", description="Prove a plan, or say what it breaks.")
    _add_problem(check)
    check.add_argument("plan", metavar="PLAN", help="what solve printed, or a list of its rows")
    _add_speech(check)
    show = verbs.add_parser("show", help="a plan as a page", description="Write a plan as one HTML page (Gantt chart).")
    show.add_argument("plan", metavar="PLAN", help="what solve printed, or a list of its rows")
    show.add_argument("--problem", metavar="FILE", help="the problem: adds due dates, closed times, reasons")
    _add_format(show)
    show.add_argument("--output", metavar="FILE", help="where to write it (default: PLAN with .html)")
    _add_speech(show, json=False)
    warm = verbs.add_parser("warm", help="compile the engine", description="Compile the engine and keep it on disk.")
    warm.add_argument("--fresh", action="store_true", help="compile anew, whatever was kept")


def _add_problem(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE", help="the problem; may be gzipped; - is standard input")
    _add_format(parser)


def _add_format(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--format", choices=sorted(FORMATS), help="what the file is (default: by its ending)")
    parser.add_argument("--setups", action="store_true", help="apply a plant's setup_matrix_optional")


def _add_speech(parser: argparse.ArgumentParser, *, json: bool = True) -> None:
    if json:
        parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--lang", choices=LANGUAGES, help="language of sentences (default: the terminal's)")


def _seconds(text: str) -> float:
    number = float(text)
    if not 0 < number <= LONGEST_S:
        raise argparse.ArgumentTypeError(f"it must be above 0 and at most {LONGEST_S:.0f}")
    return number


def _count(text: str) -> int:
    number = int(text)
    if not 1 <= number <= 256:
        raise argparse.ArgumentTypeError("it must be 1 to 256")
    return number


VERBS = {
    "solve": "yuheng.config.schedule.solving",
    "check": "yuheng.config.schedule.checking",
    "show": "yuheng.config.schedule.showing",
    "warm": "yuheng.config.schedule.warming",
}
"""Loaded when called: checking a plan should not wait for a compiler."""


class Verb(Protocol):
    """What such a module offers."""

    def run(self, args: argparse.Namespace) -> int:
        """Do it; the result is the exit code."""


def run(args: argparse.Namespace) -> int:
    """Do it: 0 done (and feasible), 1 the plan breaks a constraint, 2 a file cannot be read or scheduled."""
    try:
        return cast(Verb, importlib.import_module(VERBS[args.verb])).run(args)
    except ProblemError as error:
        say = translator(language_of(getattr(args, "lang", None)))
        rows = [{"row": f.row, "field": f.field, "sentence": filled(say, f.message, f.values)} for f in error.faults]
        if getattr(args, "json", False):
            sys.stdout.write(json.dumps({"error": str(error), "faults": rows}, ensure_ascii=False) + "\n")
        for row in rows[:20]:
            sys.stderr.write(f"{row['row']}, {row['field']}: {row['sentence']}\n")
        if len(rows) > 20:
            sys.stderr.write(say(_MORE) % {"count": len(rows) - 20} + "\n")
        return 2
    except OSError as error:
        sys.stderr.write(f"{error.filename or 'file'}: {error.strerror or error}\n")
        return 2
