"""``yuheng migrate``: bring the database named by ``DATABASE_URL`` to this version."""

from __future__ import annotations

import argparse
import os
import sys

import django
from django.core.management import call_command

HELP = "Bring the database named by DATABASE_URL to this version. `yuheng up` does it by itself."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Offer a look without a change."""
    parser.add_argument("--plan", action="store_true", help="only say what would be done")


def run(args: argparse.Namespace) -> int:
    """Migrate."""
    if not os.environ.get("DATABASE_URL"):
        sys.stderr.write("Set DATABASE_URL to the database to migrate. The embedded one is migrated by `yuheng up`.\n")
        return 2
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "yuheng.config.settings")
    django.setup()
    call_command("migrate", plan=args.plan)
    return 0
