"""``yuheng restore``: put a backup into an empty place."""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

from yuheng.config.backup.manifest import BackupRefused
from yuheng.config.backup.restoring import Targets, restore
from yuheng.config.commands.backup import add_passphrase, passphrase_of, say
from yuheng.config.supervisor.places import default_data_dir

HELP = "Put a backup into an empty data directory (and into engines of yours, when the environment names them)."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Offer source and place."""
    parser.add_argument("source", type=Path, metavar="SRC", help="a backup: the directory yuheng-<date>T<time>Z")
    parser.add_argument("--data-dir", type=Path, default=None, metavar="DIR", help="the empty place to restore into")
    add_passphrase(parser, "the passphrase the keys were sealed with")


def run(args: argparse.Namespace) -> int:
    """Restore: 0 done, 2 refused (and nothing was changed)."""
    data_dir = args.data_dir.expanduser().absolute() if args.data_dir else default_data_dir()
    store_url = os.environ.get("YUHENG_STORE_URL", "")
    targets = Targets(
        database_url=os.environ.get("DATABASE_URL", ""),
        nats_url=os.environ.get("NATS_URL", ""),
        store_url="" if store_url.startswith("chdb:") else store_url,
    )
    began = time.monotonic()
    try:
        restore(
            source=args.source.expanduser().absolute(),
            data_dir=data_dir,
            targets=targets,
            passphrase=passphrase_of(args),
            say=say,
        )
    except BackupRefused as error:
        sys.stderr.write(f"{error}\n")
        return 2
    say(f"restored   {data_dir} in {time.monotonic() - began:.1f} s. Start it with: yuheng up --data-dir {data_dir}")
    return 0
