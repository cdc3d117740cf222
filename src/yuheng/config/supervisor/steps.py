"""Steps of a start that need Django: run in a child of their own, so that the supervisor stays small.

``python -m yuheng.config.supervisor.steps`` migrates, makes the first administrator and, in demo mode, installs the
demo plant. Its last line is one JSON object: ``{"administrator": null or {"username", "password"}}``.
"""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from pathlib import Path

import django
from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from yuheng.config.backup import relational
from yuheng.config.environment import Environment

ADMINISTRATOR = "admin"


KEPT_DUMPS = 3


def prepare_migration(environment: Environment, *, at: datetime, is_copied: bool = True) -> tuple[str, Path | None]:
    """Refuse a database of a newer program; copy one that is about to be migrated.

    Returns the refusal or "", and the copy or None where none was needed (``is_copied`` False: wanted).

    The copy is ``<data>/backups/before-migration-<time>.dump``; ``pg_restore`` reads it. The newest three are kept.
    """
    executor = MigrationExecutor(connection)
    loader = executor.loader
    known = loader.disk_migrations or {}
    ours = {app for app, _ in known}
    unknown = sorted(
        f"{app}.{name}" for app, name in loader.applied_migrations if app in ours and (app, name) not in known
    )
    if unknown:
        refusal = (
            f"The database was made by a newer Yuheng: this one does not know {', '.join(unknown[:3])}. "
            "Start the newer version, or restore a backup made by this one."
        )
        return refusal, None
    if is_copied and loader.applied_migrations and executor.migration_plan(loader.graph.leaf_nodes()):
        place = environment.data_dir / "backups"
        place.mkdir(parents=True, exist_ok=True, mode=0o700)
        target = place / f"before-migration-{at:%Y%m%dT%H%M%SZ}.dump"
        part = target.with_suffix(".part")
        relational.dump(environment.database_url, part)
        part.chmod(0o600)
        part.replace(target)
        for old in sorted(place.glob("before-migration-*.dump"))[:-KEPT_DUMPS]:
            old.unlink()
        return "", target
    return "", None


def main() -> int:
    """Run the steps."""
    django.setup()
    refusal, _ = prepare_migration(Environment.read(), at=datetime.now(UTC))
    if refusal:
        sys.stderr.write(refusal + "\n")
        return 1
    call_command("migrate", verbosity=0, interactive=False)
    from yuheng.people.services import ensure_first_administrator  # noqa: PLC0415 - models need django.setup()

    password = ensure_first_administrator(at=datetime.now(UTC))
    if Environment.read().is_demo:
        from yuheng.config.demo import install  # noqa: PLC0415 - models need django.setup()

        install()
    administrator = {"username": ADMINISTRATOR, "password": password} if password else None
    sys.stdout.write(json.dumps({"administrator": administrator}) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
