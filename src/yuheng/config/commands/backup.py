"""``yuheng backup``: copy a running installation; ``yuheng backup verify`` checks a copy."""

from __future__ import annotations

import argparse
import os
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from yuheng.config.backup import manifest
from yuheng.config.backup.manifest import BackupRefused
from yuheng.config.backup.restoring import verify
from yuheng.config.backup.taking import take
from yuheng.config.running import NothingRuns, Running, find_running
from yuheng.upkeep import backups

HELP = "Copy everything of a running installation into DEST; `yuheng backup verify PATH` checks a copy."
DEFAULT_KEEP = 7


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Offer the place, how many to keep, and a passphrase."""
    parser.add_argument("dest", nargs="*", metavar="DEST", help="where backups are kept (default: <data>/backups)")
    parser.add_argument("--data-dir", type=Path, default=None, metavar="DIR", help="the data directory of `yuheng up`")
    parser.add_argument(
        "--keep", type=int, default=DEFAULT_KEEP, metavar="N", help="keep the newest N (default: %(default)s; 0: all)"
    )
    add_passphrase(parser, "seal the keys in the backup with the passphrase in this file")


def add_passphrase(parser: argparse.ArgumentParser, text: str) -> None:
    """Offer a passphrase by file: on the command line everybody on the machine could read it."""
    parser.add_argument("--passphrase-file", type=Path, default=None, metavar="FILE", help=text)


def passphrase_of(args: argparse.Namespace) -> str:
    """Return the passphrase, or an empty text. Raises `BackupRefused`."""
    if args.passphrase_file is None:
        return ""
    try:
        text = str(args.passphrase_file.read_text(encoding="utf-8")).strip()
    except OSError as error:
        raise BackupRefused(f"The passphrase cannot be read from {args.passphrase_file} ({error.strerror}).") from error
    if len(text) < 12:
        raise BackupRefused("A passphrase has at least 12 characters.")
    return text


def say(line: str) -> None:
    """Print one line."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def run(args: argparse.Namespace) -> int:
    """Take or verify: 0 done, 2 refused, 3 nothing runs."""
    try:
        if args.dest and args.dest[0] == "verify":
            return _verify(args.dest[1:])
        if len(args.dest) > 1:
            raise BackupRefused("Name one place: yuheng backup DEST.")
        running = find_running(args.data_dir)
        place = Path(args.dest[0]).expanduser().absolute() if args.dest else running.places.data_dir / "backups"
        take_and_note(running, place, keep=args.keep, passphrase=passphrase_of(args))
    except NothingRuns as error:
        sys.stderr.write(f"{error}\nA stopped installation is backed up by copying its directory.\n")
        return 3
    except BackupRefused as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


def take_and_note(running: Running, place: Path, *, keep: int, passphrase: str) -> Path:
    """Take a backup, remember it, and write it into the audit trail. Raises `BackupRefused`."""
    data_dir, began, at = running.places.data_dir, time.monotonic(), datetime.now(UTC)
    environment = os.environ | running.environment
    try:
        taken = take(
            data_dir=data_dir,
            database_url=environment["DATABASE_URL"],
            nats_url=environment["NATS_URL"],
            store_url=environment.get("YUHENG_STORE_URL") or f"chdb://{data_dir / 'columns'}",
            place=place,
            keep=keep,
            passphrase=passphrase,
            say=say,
        )
    except BackupRefused as error:
        attempt = backups.Attempt(at.isoformat(), str(place), round(time.monotonic() - began, 1), error=str(error))
        backups.note(data_dir, attempt)
        raise
    size = manifest.read(taken).size
    seconds = round(time.monotonic() - began, 1)
    backups.note(data_dir, backups.Attempt(at.isoformat(), str(taken), seconds, size))
    _audit(running, taken, size, at)
    say(f"taken      {taken} ({size / 1e6:,.1f} MB in {seconds} s)")
    return taken


def _audit(running: Running, taken: Path, size: int, at: datetime) -> None:
    running.set_up_django()
    from yuheng.kernel import audit  # noqa: PLC0415 - models need django.setup()
    from yuheng.kernel.actor import system_actor  # noqa: PLC0415

    audit.record(
        actor=system_actor("backup"), action="system.backup_taken", at=at, place=str(taken), megabytes=size // 1_000_000
    )


def _verify(paths: list[str]) -> int:
    if len(paths) != 1:
        raise BackupRefused("Name one backup: yuheng backup verify PATH.")
    source = Path(paths[0]).expanduser().absolute()
    about = verify(source)
    say(f"backup     {source.name}, Yuheng {about.version}, made {about.made_at}, keys {about.keys}")
    say(f"files      {len(about.files):,}, {about.size / 1e6:,.1f} MB, every checksum agrees")
    rows = sum(int(table["rows"]) for table in about.relational.values())
    say(f"database   {len(about.relational)} tables, {rows:,} rows")
    say(f"columns    {len(about.columns)} tables, {sum(about.columns.values()):,} rows")
    messages = sum(int(stream["state"]["messages"]) for stream in about.streams.values())
    say(f"log        {len(about.streams)} streams, {messages:,} messages")
    return 0
