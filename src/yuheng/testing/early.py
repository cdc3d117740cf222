"""Loaded by pytest with ``-p`` before anything else: places and addresses are set before Django reads its settings.

Each test process (each xdist worker) has its own directory and its own PostgreSQL address. Nothing is started here:
the fixtures of `yuheng.testing.engines` start a server when a test needs it.
"""

from __future__ import annotations

import os
import secrets
import shutil
import sys
import tempfile
from pathlib import Path

import pytest

from yuheng.config.supervisor.ports import free_port
from yuheng.config.supervisor.postgres import Postgres

DIRECTORY = Path(tempfile.mkdtemp(prefix="yuheng-tests-"))
POSTGRES = Postgres(DIRECTORY / "postgres", port=free_port(), password=secrets.token_hex(16), is_durable=False)

for _name in [name for name in os.environ if name.startswith("YUHENG_") or name in {"DATABASE_URL", "NATS_URL"}]:
    del os.environ[_name]
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # tests start hundreds of processes: each would compile every module
sys.dont_write_bytecode = False
os.environ["YUHENG_DATA_DIR"] = str(DIRECTORY / "data")
os.environ["DATABASE_URL"] = POSTGRES.url()
os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"  # browser tests drive Playwright's loop and the database in one thread


@pytest.hookimpl(trylast=True)
def pytest_unconfigure() -> None:
    """Leave nothing behind."""
    shutil.rmtree(DIRECTORY, ignore_errors=True)
