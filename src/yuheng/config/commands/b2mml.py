"""``yuheng b2mml import PATH`` and ``export PATH``: documents of other systems, in and out."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.utils import translation

from yuheng.config.commands.import_plant import CANNOT, FAILED, NOT_RUNNING, connect
from yuheng.config.running import NothingRuns
from yuheng.engines import b2mml
from yuheng.engines.b2mml import Misread, schemas

if TYPE_CHECKING:
    from yuheng.operations.services.documents import DocumentPlan

HELP = "Take B2MML version 7 documents in, write them out, hold them against the public schemas."
KINDS = ("schedule", "performance", "material", "equipment")
PIECE = 1024 * 1024


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Import, export, check."""
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="import|export|check")
    taken = verbs.add_parser("import", help="do what a document says: all of it, or nothing")
    taken.add_argument("path", type=Path, help="a B2MML document (.xml)")
    taken.add_argument("--dry-run", action="store_true", help="say what would happen; write nothing")
    written = verbs.add_parser("export", help="write a document, or all four kinds into a directory")
    written.add_argument("path", type=Path, help="a file, '-' for the screen, or a directory for all kinds")
    written.add_argument(
        "--kind", choices=KINDS, default="", help="what to write (default: by the file's name, else schedule)"
    )
    written.add_argument("--request", action="append", default=[], metavar="NUMBER", help="only this production order")
    written.add_argument("--order", action="append", default=[], metavar="NUMBER", help="only this customer order")
    written.add_argument("--since", type=_moment, default=None, metavar="TIME", help="what was told since then")
    written.add_argument("--bare", action="store_true", help="without the envelope of a transaction (Show…)")
    checked = verbs.add_parser("check", help="read a document and say what is wrong; needs no running plant")
    checked.add_argument("path", type=Path, help="a B2MML document (.xml)")
    for one in (taken, written, checked):
        one.add_argument(
            "--schemas",
            type=Path,
            default=None,
            metavar="DIR",
            help="hold the document against your copy of MESA's schemas, too",
        )
        one.add_argument("--json", action="store_true", help="print one JSON object")
    for one in (taken, written):
        one.add_argument("--site", default="", metavar="CODE", help="the site (default: the only one)")
        one.add_argument("--data-dir", type=Path, default=None, metavar="DIR", help="the data directory of `yuheng up`")


def _moment(text: str) -> datetime:
    found = datetime.fromisoformat(text)
    return found if found.tzinfo is not None else found.astimezone()


def run(args: argparse.Namespace) -> int:
    """Import, export or check."""
    if args.verb == "check":
        return _check(args)
    if args.verb == "import" and not args.path.is_file():
        return _failed(args, CANNOT, f"{args.path} cannot be read: there is no such file.")
    try:
        connect(args.data_dir)
    except NothingRuns as error:
        return _failed(args, NOT_RUNNING, str(error))
    with translation.override("en"):  # as everything that the command says
        return _import(args) if args.verb == "import" else _export(args)


# ---- in --------------------------------------------------------------------------------------------------------------


def _pieces(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while piece := file.read(PIECE):
            yield piece


def _import(args: argparse.Namespace) -> int:
    # Imported here: everything below reads Django's models.
    from yuheng.kernel.actor import system_actor  # noqa: PLC0415
    from yuheng.kernel.errors import DomainError, InvalidInput  # noqa: PLC0415
    from yuheng.operations.services import documents  # noqa: PLC0415

    actor, now = system_actor("yuheng b2mml"), datetime.now(UTC)
    site_id = _site_id(args)
    if site_id is None:
        return CANNOT
    try:
        if args.schemas is not None and (wrong := _held_against(args.path, args.schemas)):
            return _failed(args, FAILED, "The public schemas refuse the document.", wrong)
        plan = documents.plan_document(actor=actor, site_id=site_id, pieces=_pieces(args.path), at=now)
        if not args.dry_run:
            content = args.path.read_bytes()  # not larger than what was just read
            with suppress(documents.DocumentRefused):  # kept with its reason; told below
                documents.receive_document(
                    actor=actor, site_id=site_id, content=content, at=datetime.now(UTC), plan_sha256=plan.sha256
                )
    except Misread as fault:
        return _failed(args, FAILED, str(fault), [(fault.path, fault.line, str(fault))])
    except DomainError as refusal:
        fields = refusal.fields if isinstance(refusal, InvalidInput) else {}
        if isinstance(refusal, InvalidInput) and not args.dry_run and args.path.stat().st_size <= b2mml.MOST_BYTES:
            documents.keep(actor=actor, site_id=site_id, content=args.path.read_bytes(), refusal=refusal, at=now)
        return _failed(args, FAILED, str(refusal), [(path, _line(str(refusal)), why) for path, why in fields.items()])
    except OSError as error:
        return _failed(args, CANNOT, f"{args.path} cannot be read: {error.strerror}.")
    return _tell(args, plan)


def _line(sentence: str) -> int:
    digits = sentence.removeprefix("Line ").partition(",")[0]
    return int(digits) if digits.isdigit() else 0


def _tell(args: argparse.Namespace, plan: DocumentPlan) -> int:
    is_applied = not args.dry_run and not plan.refused
    issues = [{"path": row.path, "line": row.line, "sentence": row.reason} for row in plan.refused]
    if args.json:
        rows = [
            {"kind": row.kind, "key": row.key, "path": row.path, "line": row.line, "action": row.action.value,
             "reason": row.reason}
            for row in plan.rows
        ]  # fmt: skip
        _print({
            "ok": not plan.refused, "applied": is_applied, "root": plan.root, "id": plan.document_id,
            "sender": plan.sender, "counts": plan.counts, "rows": rows, "unused": plan.unused, "issues": issues,
        })  # fmt: skip
    else:
        for row in plan.rows:
            why = f"  line {row.line}, {row.path}: {row.reason}" if row.reason else ""
            sys.stdout.write(f"{row.action.value:<8}{row.kind:<12}{row.key}{why}\n")
        for path, count in plan.unused.items():
            sys.stdout.write(f"not used {path} ({count})\n")
        counts = ", ".join(f"{count} {what}" for what, count in plan.counts.items())
        sys.stdout.write(f"{plan.root}: {counts}\n")
        if plan.refused:
            sys.stderr.write("Nothing was written: correct what is refused.\n")
        elif is_applied:
            sys.stdout.write("Written.\n" if plan.has_effect else "Nothing to write.\n")
    return FAILED if plan.refused else 0


# ---- out -------------------------------------------------------------------------------------------------------------


def _export(args: argparse.Namespace) -> int:
    site_id = _site_id(args)
    if site_id is None:
        return CANNOT
    is_folder = args.path.is_dir() or (not args.kind and not args.path.suffix and str(args.path) != "-")
    kinds = list(KINDS) if is_folder and not args.kind else [args.kind or _kind_of(args.path)]
    done: list[dict[str, Any]] = []
    for kind in kinds:
        path = args.path / f"{kind}.xml" if is_folder else args.path
        code = _export_one(args, site_id, kind, path, done, is_alone=len(kinds) == 1)
        if code:
            return code
    if args.json:
        _print({"ok": True, "documents": done, "issues": []})
    elif str(args.path) != "-":
        for one in done:
            note = f"  {one['note']}" if one["note"] else ""
            sys.stdout.write(f"{one['kind']:<12}{one['path'] or '–'}{note}\n")
    return 0


def _export_one(
    args: argparse.Namespace, site_id: int, kind: str, path: Path, done: list[dict[str, Any]], *, is_alone: bool
) -> int:
    # Imported here: everything below reads Django's models.
    from yuheng.kernel.actor import system_actor  # noqa: PLC0415
    from yuheng.kernel.errors import Conflict, DomainError  # noqa: PLC0415
    from yuheng.operations.selectors import documents  # noqa: PLC0415
    from yuheng.operations.selectors.documents import DocumentKind, Wish  # noqa: PLC0415

    actor, now = system_actor("yuheng b2mml"), datetime.now(UTC)
    wish = Wish(DocumentKind(kind), args.request, args.order, args.since, not args.bare)
    note = ""
    try:
        root = documents.document(actor=actor, site_id=site_id, wish=wish, now=now)
        size = _write(path, b2mml.write(root))
        if args.schemas is not None and str(path) != "-":
            if wrong := _held_against(path, args.schemas):
                return _failed(args, FAILED, f"The public schemas refuse {path}.", wrong)
            note = "valid against the public schemas"
    except (DomainError, Misread) as refusal:
        if is_alone or not isinstance(refusal, Conflict):
            return _failed(args, FAILED, str(refusal))
        done.append({"kind": kind, "path": "", "bytes": 0, "note": str(refusal)})
        return 0
    except OSError as error:
        return _failed(args, CANNOT, f"{path} cannot be written: {error.strerror}.")
    done.append({"kind": kind, "path": str(path), "bytes": size, "note": note})
    return 0


def _kind_of(path: Path) -> str:
    return next((kind for kind in KINDS if kind in path.name.lower()), "schedule")


def _write(path: Path, parts: Iterator[str]) -> int:
    """Write beside, then take the place: a file is whole or as it was."""
    if str(path) == "-":
        return sum(sys.stdout.write(part) for part in parts)
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.part")
    size = 0
    try:
        with beside.open("wb") as file:
            for part in parts:
                size += file.write(part.encode())
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
    return size


# ---- check -----------------------------------------------------------------------------------------------------------


def _check(args: argparse.Namespace) -> int:
    document = b2mml.Document()
    try:
        items = sum(1 for _item in b2mml.read(_pieces(args.path), document))
        wrong = _held_against(args.path, args.schemas) if args.schemas is not None else []
    except Misread as fault:
        return _failed(args, FAILED, str(fault), [(fault.path, fault.line, str(fault))])
    except OSError as error:
        return _failed(args, CANNOT, f"{args.path} cannot be read: {error.strerror}.")
    if wrong:
        return _failed(args, FAILED, "The public schemas refuse the document.", wrong)
    if args.json:
        _print({"ok": True, "root": document.root, "items": items, "unused": document.extensions, "issues": []})
    else:
        also = ", also against the public schemas" if args.schemas is not None else ""
        sys.stdout.write(f"{document.root}: {items} items, nothing wrong{also}.\n")
    return 0


def _held_against(path: Path, folder: Path) -> list[tuple[str, int, str]]:
    return schemas.check(path.read_bytes(), folder)


# ---- what they share -------------------------------------------------------------------------------------------------


def _site_id(args: argparse.Namespace) -> int | None:
    from yuheng.equipment import selectors  # noqa: PLC0415
    from yuheng.kernel.actor import system_actor  # noqa: PLC0415

    sites = {site.code: site for site in selectors.visible_sites(actor=system_actor("yuheng b2mml"))}
    code = args.site or (next(iter(sites)) if len(sites) == 1 else "")
    if code not in sites:
        _failed(args, CANNOT, f"Say which site with --site: {', '.join(sites) or 'there is none yet'}.")
        return None
    return int(sites[code].id)


def _failed(
    args: argparse.Namespace, code: int, sentence: str, issues: list[tuple[str, int, str]] | None = None
) -> int:
    told = [{"path": path, "line": line, "sentence": why} for path, line, why in issues or []]
    if args.json:
        _print({"ok": False, "applied": False, "error": sentence, "issues": told or [
            {"path": "", "line": 0, "sentence": sentence}
        ]})  # fmt: skip
    else:
        sys.stderr.write(f"{sentence}\n")
        for one in told:
            if str(one["sentence"]) not in sentence:
                sys.stderr.write(f"  line {one['line']}, {one['path']}: {one['sentence']}\n")
    return code


def _print(found: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(found, ensure_ascii=False, indent=1) + "\n")
