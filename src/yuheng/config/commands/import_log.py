"""``yuheng import-log PATH``: a plant's event log becomes equipment, people, products, routings, orders and reports.

Without ``--apply`` it only looks, and needs neither a running installation nor a database.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from yuheng.config.schedule.words import LANGUAGES, filled, language_of, translator
from yuheng.engines.eventlog import DateOrder, Log, LogError, report

HELP = "Read a plant's event log (CSV, XLSX, XES, OCEL 2.0): a quality report; with --apply orders and routings too."
FAILED, CANNOT, NOT_RUNNING = 1, 2, 3
USUAL_ZONE = "Asia/Shanghai"
SHOWN = 15


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """File, what its columns mean, and whether to write."""
    parser.add_argument("path", type=Path, help="the log: .csv, .xlsx, .xes, OCEL 2.0 (.json, .xml, .sqlite), also .gz")
    parser.add_argument("--json", action="store_true", help="print the report as one JSON object")
    parser.add_argument(
        "--map",
        action="append",
        default=[],
        metavar="WHAT=COLUMN",
        help="which column is what: order, operation, step, machine, operator, start, end, time, duration, lifecycle, "
        "quantity, good, scrap, rework, material, customer, due; WHAT= alone: the log has none. For OCEL, "
        "order=TYPE names the type of objects that are the orders",
    )
    parser.add_argument(
        "--zone", metavar="ZONE", help=f"where times without an offset hang (default: {USUAL_ZONE}, or the site's)"
    )
    parser.add_argument(
        "--dates", choices=[one.value for one in DateOrder], help="how dates such as 03/04/2026 are read"
    )
    parser.add_argument(
        "--rejected", type=Path, metavar="FILE", help="where rejected rows go (default: beside the log)"
    )
    parser.add_argument("--lang", choices=LANGUAGES, help="language of sentences (default: the terminal's)")
    parser.add_argument("--dry-run", action="store_true", help="only look; this is what happens without --apply")
    parser.add_argument("--apply", action="store_true", help="write it into the running installation")
    parser.add_argument(
        "--site", default="", metavar="CODE", help="the site to write to (default: the only one; made when missing)"
    )
    parser.add_argument("--without-people", action="store_true", help="write no persons; reports keep the names")
    parser.add_argument("--data-dir", type=Path, default=None, metavar="DIR", help="the data directory of `yuheng up`")


def run(args: argparse.Namespace) -> int:
    """Look, report, and write when asked: 0 done, 1 could not be written, 2 cannot be read, 3 nothing runs."""
    say = translator(language_of(args.lang))
    if args.apply and args.dry_run:
        return _refused(args, "Give --apply or --dry-run, not both.", CANNOT)
    try:
        given = _mapping(args.map)
        zone = ZoneInfo(args.zone or USUAL_ZONE)
    except ValueError as error:
        return _refused(args, str(error), CANNOT)
    except (ZoneInfoNotFoundError, OSError):
        return _refused(args, f"There is no time zone {args.zone!r}; write one such as Europe/Berlin.", CANNOT)
    if args.apply:
        # Imported here: it reads Django's models, and looking needs none.
        from yuheng.config.log_writing import apply_log  # noqa: PLC0415

        return apply_log(args, lambda site_zone: look(args, given, zone if args.zone else ZoneInfo(site_zone), say))
    log = look(args, given, zone, say)
    if isinstance(log, int):
        return log
    with log:
        told = tell(args, log, say)
        write_out(args, told, say)
    return 0


def look(args: argparse.Namespace, given: dict[str, str], zone: ZoneInfo, say: Callable[[str], str]) -> Log | int:
    """Read the log, or say why not and return the exit code."""
    order_type = ""
    try:
        try:
            return _log(args, given, zone, order_type)
        except LogError:
            if "order" not in given:
                raise
            order_type = given.pop("order")  # the type of objects of an object-centric log
            try:
                return _log(args, given, zone, order_type)
            finally:
                given["order"] = order_type
    except LogError as error:
        return _refused(args, filled(say, error.message, error.values), CANNOT)
    except OSError as error:
        return _refused(args, f"{args.path}: {error.strerror or error}", CANNOT)


def _log(args: argparse.Namespace, given: dict[str, str], zone: ZoneInfo, order_type: str) -> Log:
    return Log(
        args.path,
        given=given,
        zone=zone,
        dates=DateOrder(args.dates) if args.dates else None,
        order_type=order_type,
        now=datetime.now(UTC),
        progress=progress_of(args),
    )


def progress_of(args: argparse.Namespace) -> Callable[[str, int], None]:
    """Return what tells how far it is: on a terminal, in one line."""
    if not sys.stderr.isatty():
        return lambda _what, _done: None

    def tell(what: str, done: int) -> None:
        sys.stderr.write(f"\r{done:,} {what}".ljust(40))
        sys.stderr.flush()

    return tell


def tell(args: argparse.Namespace, log: Log, say: Callable[[str], str]) -> dict[str, Any]:
    """Return the report, with rejected rows written to their file."""
    told = report(log, say)
    told["rejected_file"] = None
    if told["rejected"]:
        target = args.rejected or args.path.with_name(f"{args.path.name}.rejected.csv")
        try:
            log.write_refused(target)
            told["rejected_file"] = str(target)
        except OSError as error:
            sys.stderr.write(f"Rejected rows could not be written to {target}: {error.strerror}.\n")
    return told


def write_out(args: argparse.Namespace, told: dict[str, Any], say: Callable[[str], str]) -> None:
    """Print the report, for a program or a person."""
    if sys.stderr.isatty():
        sys.stderr.write("\r".ljust(42) + "\r")
    if args.json:
        sys.stdout.write(json.dumps(told, ensure_ascii=False, default=str) + "\n")
        return
    write = sys.stdout.write
    write(f"{told['file']}: {told['format']} {told['encoding']}, {told['first']} … {told['last']}\n")
    write("  " + ", ".join(f"{role} = {name}" for role, name in told["columns"].items()) + "\n")
    if told["unused_columns"]:
        write("  not used: " + ", ".join(told["unused_columns"]) + "\n")
    names = ("rows", "orders", "operations", "job_orders", "machines", "persons", "materials", "rejected")
    write("  " + ", ".join(f"{told[name]:,} {name.replace('_', ' ')}" for name in names) + "\n")
    for issue in told["issues"]:
        rows = ", ".join(str(row["row"]) for row in issue["rows"] if "row" in row)
        write(
            f"{issue['weight']:<9} {issue['count']:>8,}  {issue['sentence']}" + (f" ({rows} …)" if rows else "") + "\n"
        )
    for one in told["routings"][:SHOWN]:
        way = " → ".join(f"{step['operation']} {step['median_s']:.0f}s" for step in one["segments"])
        write(f"{one['material']} ({one['orders']:,} orders, {one['variants']:,} paths): {way}\n")
    if told["rejected_file"]:
        write(f"Rejected rows: {told['rejected_file']}\n")
    if not args.apply:
        write("Nothing was written. `--apply` writes it into the running installation.\n")


def _mapping(words: list[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for word in words:
        role, has_value, column = word.partition("=")
        if not has_value:
            raise ValueError(f"--map {word}: write WHAT=COLUMN.")
        found[role.strip().lower()] = column.strip()
    return found


def _refused(args: argparse.Namespace, sentence: str, code: int) -> int:
    if args.json:
        issue = {"code": "unreadable", "weight": "rejected", "count": 1, "sentence": sentence, "rows": []}
        nothing = dict.fromkeys(("orders", "operations", "resources", "rejected"), 0)
        sys.stdout.write(json.dumps({"error": sentence, **nothing, "issues": [issue]}, ensure_ascii=False) + "\n")
    sys.stderr.write(sentence + "\n")
    return code
