"""``yuheng migrate``: bring the database named by ``DATABASE_URL`` to this version."""

from __future__ import annotations

import argparse
import os
import sys
from datetime import UTC, datetime

import django
from django.core.management import call_command

from yuheng.config.environment import Environment

HELP = "Bring the database named by DATABASE_URL to this version. `yuheng up` does it by itself."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Offer a look without a change."""
    parser.add_argument("--plan", action="store_true", help="only say what would be done")


def run(args: argparse.Namespace) -> int:
    """Refuse a database of a newer program; copy one that is about to change; migrate: the same as `yuheng up` does."""
    if not os.environ.get("DATABASE_URL"):
        sys.stderr.write("Set DATABASE_URL to the database to migrate. The embedded one is migrated by `yuheng up`.\n")
        return 2
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "yuheng.config.settings")
    django.setup()
    from yuheng.config.supervisor.steps import prepare_migration  # noqa: PLC0415 - reads the settings

    environment = Environment.read()
    refusal, copy = prepare_migration(environment, at=datetime.now(UTC), is_copied=not args.plan)
    if refusal:
        sys.stderr.write(refusal + "\n")
        return 1
    if copy is not None:
        sys.stdout.write(f"The database as it was: {copy}\n")
    call_command("migrate", plan=args.plan)
    return 0
