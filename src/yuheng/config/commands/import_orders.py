"""``yuheng import-orders PATH``: customer orders or stock from CSV or XLSX; a dry run unless ``--apply``."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.utils import translation

from yuheng.config.commands.import_plant import CANNOT, FAILED, NOT_RUNNING, connect
from yuheng.config.running import NothingRuns

if TYPE_CHECKING:
    from yuheng.operations.selectors.files import FileState

HELP = "Read customer orders or stock from CSV or XLSX: a dry run; with --apply they are written."
PIECE = 1024 * 1024
SHOWN = 20


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """File, what it holds, and whether to write."""
    parser.add_argument("path", type=Path, help="a CSV or XLSX file whose first row names the columns")
    parser.add_argument("--kind", choices=("orders", "stock"), default="orders", help="what it holds (default: orders)")
    parser.add_argument("--apply", action="store_true", help="write what the dry run said")
    parser.add_argument(
        "--leave-out-refused", action="store_true", help="write the good rows although some are refused"
    )
    parser.add_argument(
        "--rejected", type=Path, default=None, metavar="FILE", help="where refused rows go (default: beside the file)"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--site", default="", metavar="CODE", help="the site (default: the only one)")
    parser.add_argument("--data-dir", type=Path, default=None, metavar="DIR", help="the data directory of `yuheng up`")


def run(args: argparse.Namespace) -> int:
    """Look, tell, and write when asked: 0 done, 1 refused, 2 cannot be read, 3 nothing runs."""
    if not args.path.is_file():
        return _failed(args, f"{args.path} cannot be read: there is no such file.", CANNOT)
    try:
        connect(args.data_dir)
    except NothingRuns as error:
        return _failed(args, str(error), NOT_RUNNING)
    with translation.override("en"):  # as everything that the command says
        return _import(args)


def _import(args: argparse.Namespace) -> int:
    # Imported here: everything below reads Django's models.
    from yuheng.equipment import selectors  # noqa: PLC0415
    from yuheng.kernel.actor import system_actor  # noqa: PLC0415
    from yuheng.kernel.errors import DomainError  # noqa: PLC0415
    from yuheng.operations.selectors import files as shown  # noqa: PLC0415
    from yuheng.operations.services import files  # noqa: PLC0415

    actor = system_actor("yuheng import-orders")
    sites = {site.code: site.id for site in selectors.visible_sites(actor=actor)}
    code = args.site or (next(iter(sites)) if len(sites) == 1 else "")
    if code not in sites:
        return _failed(args, f"Say which site with --site: {', '.join(sites) or 'there is none yet'}.", CANNOT)
    tell = _progress(args)
    try:
        state = files.run_here(
            actor=actor, site_id=sites[code], kind=args.kind, file_name=args.path.name, pieces=_pieces(args.path),
            at=datetime.now(UTC), tell=tell,
        )  # fmt: skip
        refused = _keep_refused(args, actor, state.pk) if state.refused_rows else None
        if args.apply and state.phase == "planned" and (args.leave_out_refused or not state.refused_rows):
            state = files.apply_here(
                actor=actor, file_id=state.pk, leave_out_refused=args.leave_out_refused, at=datetime.now(UTC), tell=tell
            )
    except KeyboardInterrupt:
        return _failed(args, "Stopped: nothing of the file was written.", FAILED)
    except DomainError as error:
        return _failed(args, str(error), FAILED)
    except OSError as error:
        return _failed(args, f"{error.filename or args.path}: {error.strerror}.", CANNOT)
    found = shown.order_file(actor=actor, file_id=state.pk)
    rows = shown.file_rows(actor=actor, file_id=state.pk, action="refuse")
    issues = [{"row": row.line, "key": row.key, "sentence": row.reason} for row in rows]
    return _tell(args, found, issues, refused)


def _pieces(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while piece := file.read(PIECE):
            yield piece


def _keep_refused(args: argparse.Namespace, actor: Any, file_id: int) -> str:
    from yuheng.operations.selectors import files as shown  # noqa: PLC0415

    target = args.rejected or args.path.with_name(f"{args.path.name}.rejected.csv")
    _name, pieces = shown.refused_file(actor=actor, file_id=file_id)
    with target.open("wb") as file:
        for piece in pieces:
            file.write(piece)
    return str(target)


def _progress(args: argparse.Namespace) -> Callable[[int, int | None], None]:
    """Return what tells how far it is: on a terminal, in one line."""
    if args.json or not sys.stderr.isatty():
        return lambda _done, _total: None

    def tell(done: int, total: int | None) -> None:
        sys.stderr.write(f"\r{done:,} rows{f' of {total:,}' if total else ''}".ljust(40))
        sys.stderr.flush()

    return tell


def _tell(args: argparse.Namespace, state: FileState, issues: list[dict[str, Any]], refused: str | None) -> int:
    is_written = state.phase == "applied"
    if sys.stderr.isatty():
        sys.stderr.write("\r".ljust(42) + "\r")
    if args.json:
        found = {
            "ok": is_written or (state.phase == "planned" and not state.refused_rows and not state.trouble),
            "phase": state.phase, "applied": is_written, "rows": state.rows_total, "counts": state.counts,
            "rejected": state.refused_rows, "rejected_file": refused, "trouble": state.trouble, "issues": issues,
        }  # fmt: skip
        sys.stdout.write(json.dumps(found, ensure_ascii=False) + "\n")
    else:
        for issue in issues[:SHOWN]:
            sys.stdout.write(f"row {issue['row']}: {issue['key']}: {issue['sentence']}\n")
        counts = ", ".join(f"{count:,} {what}" for what, count in state.counts.items() if count)
        sys.stdout.write(f"{state.rows_total or 0:,} rows: {counts or 'nothing'}\n")
        if refused:
            sys.stdout.write(f"{state.refused_rows:,} refused rows: {refused}\n")
        sys.stdout.write("Written.\n" if is_written else "Nothing was written. `--apply` writes it.\n")
    if state.trouble:
        sys.stderr.write(f"{state.trouble}\n")
    if is_written:
        return 0
    return CANNOT if state.phase == "failed" else FAILED if state.refused_rows or state.trouble else 0


def _failed(args: argparse.Namespace, sentence: str, code: int) -> int:
    if args.json:
        sys.stdout.write(json.dumps({"ok": False, "error": sentence}, ensure_ascii=False) + "\n")
    sys.stderr.write(sentence + "\n")
    return code
