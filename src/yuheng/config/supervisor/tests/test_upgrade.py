"""Upgrades: every app's migrations go back and forth over rows, a copy is made before, a newer database is refused."""

import json
import os
import subprocess
import sys

import psycopg
import pytest

pytestmark = pytest.mark.engines

BACK_AND_FORTH = """
import django, json, sys
django.setup()
from datetime import UTC, datetime
from django.core.management import call_command
from django.db import connection
from django.db.migrations.loader import MigrationLoader
from yuheng.kernel import audit
from yuheng.kernel.actor import system_actor
from yuheng.people.services import ensure_first_administrator
ensure_first_administrator(at=datetime.now(UTC))
audit.record(actor=system_actor("x"), action="a.b", at=datetime.now(UTC), text="zeile 行")
done = {}
for app in ("people", "kernel", "equipment", "telemetry", "alarms", "analysis"):
    own = sorted(name for label, name in MigrationLoader(connection).disk_migrations if label == app)
    for name in reversed(own[:-1]):
        call_command("migrate", app, name, verbosity=0)
        call_command("migrate", verbosity=0)
        done.setdefault(app, []).append(name)
print(json.dumps(done))
"""


def run(words, url, data_dir):
    environment = os.environ | {
        "DATABASE_URL": url,
        "YUHENG_DATA_DIR": str(data_dir),
        "DJANGO_SETTINGS_MODULE": "yuheng.config.settings",
    }
    return subprocess.run([sys.executable, *words], env=environment, capture_output=True, text=True, check=False)


def test_every_migration_goes_back_and_forth_over_rows(migrated_database_url, tmp_path):
    done = run(["-W", "ignore", "-c", BACK_AND_FORTH], migrated_database_url, tmp_path)
    assert done.returncode == 0, done.stderr[-3000:]
    told = json.loads(done.stdout.splitlines()[-1])
    assert {"people", "kernel"} <= told.keys()
    with psycopg.connect(migrated_database_url) as session:
        assert session.execute("SELECT count(*) FROM kernel_auditrecord WHERE action = 'a.b'").fetchone() == (1,)
        assert session.execute("SELECT count(*) FROM people_person WHERE username = 'admin'").fetchone() == (1,)


def test_a_database_of_a_newer_program_is_refused_and_not_touched(migrated_database_url, tmp_path):
    with psycopg.connect(migrated_database_url) as session:
        session.execute("INSERT INTO django_migrations (app, name, applied) VALUES ('people', '9999_future', now())")
    done = run(["-m", "yuheng.config.supervisor.steps"], migrated_database_url, tmp_path)
    assert done.returncode == 1
    assert "made by a newer Yuheng: this one does not know people.9999_future" in done.stderr
    with psycopg.connect(migrated_database_url) as session:
        assert session.execute("SELECT count(*) FROM people_person").fetchone() == (0,)


def test_a_copy_is_made_before_migrating_and_only_then(migrated_database_url, tmp_path):
    back = "import django; django.setup(); from django.core.management import call_command as c; "
    steps = ["-m", "yuheng.config.supervisor.steps"]
    assert run(steps, migrated_database_url, tmp_path).returncode == 0
    assert not (tmp_path / "backups").exists()
    undone = run(["-c", back + "c('migrate', 'people', '0005', verbosity=0)"], migrated_database_url, tmp_path)
    assert undone.returncode == 0, undone.stderr
    assert run(steps, migrated_database_url, tmp_path).returncode == 0
    (copy,) = (tmp_path / "backups").iterdir()
    assert copy.name.startswith("before-migration-")
    assert copy.stat().st_size > 10_000
    assert copy.stat().st_mode & 0o077 == 0
