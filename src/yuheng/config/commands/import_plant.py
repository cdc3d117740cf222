"""``yuheng import PATH``: read a plant from YAML, JSON or CSV; with ``--dry-run`` say only what it would do."""

from __future__ import annotations

import argparse
import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import django
from django.utils import translation

from yuheng.config.running import NothingRuns, find_running

if TYPE_CHECKING:
    from yuheng.equipment.importing import Plan, PlannedRow

HELP = "Read a plant from YAML, JSON or CSV, with a dry run that lists every row and why."
FAILED, CANNOT, NOT_RUNNING = 1, 2, 3


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """File, site, and how carefully."""
    parser.add_argument("path", type=Path, help="a plant file (.yaml, .json) or a CSV file of one kind")
    parser.add_argument("--dry-run", action="store_true", help="list every row and what would happen; write nothing")
    parser.add_argument("--site", default="", metavar="CODE", help="the site (default: the one the file names)")
    parser.add_argument("--kind", default="", help="what a CSV file holds (default: by its name and columns)")
    parser.add_argument(
        "--leave-out-refused", action="store_true", help="write the good rows although some are refused"
    )
    parser.add_argument("--all", action="store_true", help="list unchanged rows, too")
    parser.add_argument("--data-dir", type=Path, default=None, metavar="DIR", help="the data directory of `yuheng up`")


def run(args: argparse.Namespace) -> int:
    """Plan, list, and apply unless it is a dry run."""
    try:
        content = args.path.read_bytes()
    except OSError as error:
        return _say(f"{args.path} cannot be read: {error.strerror}.", CANNOT)
    try:
        connect(args.data_dir)
    except NothingRuns as error:
        return _say(str(error), NOT_RUNNING)
    with translation.override("en"):  # as everything that the command says
        return _import(args, content)


def connect(data_dir: Path | None) -> None:
    """Reach the database: the one named by ``DATABASE_URL``, else that of the running installation."""
    if data_dir is None and os.environ.get("DATABASE_URL"):
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "yuheng.config.settings")
        django.setup()
    else:
        find_running(data_dir).set_up_django()


def _import(args: argparse.Namespace, content: bytes) -> int:
    # Imported here: everything below reads Django's models.
    from yuheng.config.plant_file import SECTIONS  # noqa: PLC0415
    from yuheng.equipment import importing, selectors  # noqa: PLC0415
    from yuheng.equipment.importing import Action  # noqa: PLC0415
    from yuheng.kernel.actor import system_actor  # noqa: PLC0415
    from yuheng.kernel.errors import DomainError  # noqa: PLC0415

    actor = system_actor("yuheng import")
    try:
        kind = args.kind
        if not kind and importing.is_csv(args.path.name):
            kind = importing.kind_of_csv(content, sections=SECTIONS, file_name=args.path.name)
        parsed = importing.parse(content, kind=kind, sections=SECTIONS)
        site_id = selectors.site_by_code(actor=actor, code=args.site).id if args.site else None
        plan = importing.make_plan(actor=actor, parsed=parsed, sections=SECTIONS, site_id=site_id)
        _list(plan, with_unchanged=args.all)
        if args.dry_run:
            return FAILED if plan.count(Action.REFUSE) else 0
        importing.apply_plan(
            actor=actor,
            parsed=parsed,
            sections=SECTIONS,
            site_id=site_id,
            plan_sha256=plan.sha256(),
            at=datetime.now(UTC),
            leave_out_refused=args.leave_out_refused,
        )
    except DomainError as error:
        return _say(str(error), FAILED)
    sys.stdout.write("Written.\n" if plan.has_effect else "Nothing to write.\n")
    _list_unknown_passwords(plan)
    return 0


def _list_unknown_passwords(plan: Plan) -> None:
    """Name the devices that got a password which is in no file and was shown to nobody."""
    names = [row.key for row in plan.rows if gets_unknown_password(row)]
    if names:
        sys.stdout.write("Devices with a password that nobody knows (`yuheng device rotate NAME` shows a new one):\n")
        sys.stdout.writelines(f"  {name}\n" for name in names)


def gets_unknown_password(row: PlannedRow) -> bool:
    """Return whether a row issues a device without a password of its own."""
    return row.section == "devices" and row.action.value == "add" and row.values.get("password") is None


def _list(plan: Plan, *, with_unchanged: bool) -> None:
    for row in plan.rows:
        if row.action.value == "unchanged" and not with_unchanged:
            continue
        why = row.reason or ", ".join(f"{name}: {old!s} -> {new!s}" for name, (old, new) in row.changes.items())
        sys.stdout.write(f"{row.action.value:<10}{row.section:<15}{row.key}  ({row.where})  {why}".rstrip() + "\n")
    counts = ", ".join(f"{count} {what}" for what, count in plan.counts().items())
    sys.stdout.write(f"{plan.site_code}: {counts}\n")


def _say(sentence: str, code: int) -> int:
    sys.stderr.write(sentence + "\n")
    return code
