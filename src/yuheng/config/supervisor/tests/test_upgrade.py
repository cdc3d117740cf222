"""Upgrades: every app's migrations go back and forth over rows, a copy is made before, a newer database is refused."""

import json
import os
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

pytestmark = pytest.mark.engines
WITHOUT_ROWS = {
    "analysis_explanation",
    "analysis_savedview",
    "people_apitoken",
    "telemetry_machinecommand",
    "telemetry_sourcegap",
}
"""Their check constraints refuse a plain row; every other table of ours has rows to go back and forth with."""
SOURCE = Path(__file__).parents[3]

BACK_AND_FORTH = Path(__file__).with_name("back_and_forth.py")


def run(words, url, data_dir):
    environment = os.environ | {
        "DATABASE_URL": url,
        "YUHENG_DATA_DIR": str(data_dir),
        "DJANGO_SETTINGS_MODULE": "yuheng.config.settings",
    }
    return subprocess.run([sys.executable, *words], env=environment, capture_output=True, text=True, check=False)


def test_every_migration_goes_back_and_forth_over_rows(migrated_database_url, tmp_path):
    done = run(["-W", "ignore", str(BACK_AND_FORTH)], migrated_database_url, tmp_path)
    assert done.returncode == 0, done.stderr[-3000:]
    told = json.loads(done.stdout.splitlines()[-1])
    assert not told["wrong"]
    files = {
        path.stem
        for path in SOURCE.glob("*/migrations/[0-9]*.py")
        if path.parts[-3]
        not in {
            "engineering",
            "operations",
            "performance",
            "scheduling",
        }  # without rows here; undone and made again as a whole
    }
    assert {name.split(".")[1] for name in told["walked"]} == files - {"0001_initial"}
    empty = {table for table, rows in told["rows"].items() if not rows}
    assert empty <= WITHOUT_ROWS
    with psycopg.connect(migrated_database_url) as session:
        assert session.execute("SELECT count(*) FROM kernel_auditrecord WHERE action = 'a.b'").fetchone() == (1,)
        assert session.execute("SELECT count(*) FROM people_person WHERE username = 'admin'").fetchone() == (1,)


UP = ["-m", "yuheng.config.supervisor.steps"]
BY_HAND = ["-m", "yuheng.config.cli", "migrate"]


@pytest.mark.parametrize("way", [UP, BY_HAND, [*BY_HAND, "--plan"]], ids=["up", "by hand", "plan"])
def test_a_database_of_a_newer_program_is_refused_and_not_touched(way, migrated_database_url, tmp_path):
    with psycopg.connect(migrated_database_url) as session:
        session.execute("INSERT INTO django_migrations (app, name, applied) VALUES ('people', '9999_future', now())")
    done = run(way, migrated_database_url, tmp_path)
    assert done.returncode == 1
    assert "made by a newer Yuheng: this one does not know people.9999_future" in done.stderr
    with psycopg.connect(migrated_database_url) as session:
        assert session.execute("SELECT count(*) FROM people_person").fetchone() == (0,)


def test_a_copy_is_made_before_migrating_and_only_then(migrated_database_url, tmp_path):
    undo = "import django; django.setup(); from django.core.management import call_command as c; "
    undo += "c('migrate', 'people', '0005', verbosity=0)"
    assert run(UP, migrated_database_url, tmp_path).returncode == 0
    assert not (tmp_path / "backups").exists()
    for number, way in enumerate((UP, BY_HAND), start=1):
        undone = run(["-c", undo], migrated_database_url, tmp_path)
        assert undone.returncode == 0, undone.stderr
        if way is BY_HAND:
            assert run([*BY_HAND, "--plan"], migrated_database_url, tmp_path).returncode == 0
            assert len(list((tmp_path / "backups").iterdir())) == 1  # looking makes none
        done = run(way, migrated_database_url, tmp_path)
        assert done.returncode == 0, done.stderr
        copies = sorted((tmp_path / "backups").iterdir())
        assert len(copies) == number
        assert (str(copies[-1]) in done.stdout) is (way is BY_HAND)
    for copy in copies:
        assert copy.name.startswith("before-migration-")
        assert copy.stat().st_size > 10_000
        assert copy.stat().st_mode & 0o077 == 0
