"""The worker as its own process: ready file, PostgreSQL killed under it, little CPU when idle, a quick end."""

import os
import signal
import subprocess
import sys
import time

import psutil
import psycopg
import pytest

from yuheng.testing.engines import running_postgres

pytestmark = pytest.mark.engines

MOST_WAKINGS_PER_S = 300  # thirty to sixty when this was written


def until(condition, *, timeout_s=30.0):
    deadline = time.monotonic() + timeout_s
    while not (found := condition()):
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.05)
    return found


def has_delivered(url):
    try:
        with psycopg.connect(url, connect_timeout=2) as connection:
            row = connection.execute("SELECT count(*) FROM kernel_outboxevent WHERE delivered_at IS NULL").fetchone()
            return row[0] == 0
    except psycopg.OperationalError:
        return False


def put_event(url):
    with psycopg.connect(url) as connection:
        connection.execute(
            "INSERT INTO kernel_outboxevent (kind, payload, at, attempts, last_error)"
            " VALUES ('telemetry.TagsChanged', '{}', now(), 0, '')"
        )


def test_the_worker_survives_postgresql_and_stops_when_asked(tmp_path, fresh_nats):
    with running_postgres(tmp_path) as postgres:
        ready = tmp_path / "ready"
        environment = os.environ | {
            "DATABASE_URL": postgres.url,
            "NATS_URL": fresh_nats.url,
            "YUHENG_DATA_DIR": str(tmp_path / "data"),
            "YUHENG_READY_FILE": str(ready),
            "DJANGO_SETTINGS_MODULE": "yuheng.config.settings",
        }
        migrate = [sys.executable, "-m", "django", "migrate", "--verbosity", "0"]
        subprocess.run(migrate, env=environment, check=True, capture_output=True)
        set_up = (
            "import asyncio, sys; from yuheng.bus.setup import ensure_streams; "
            "asyncio.run(ensure_streams(sys.argv[1], sys.argv[2], int(sys.argv[3]), 'yuheng', sys.argv[4]))"
        )
        broker = [fresh_nats.url, fresh_nats.host, str(fresh_nats.mqtt_port), fresh_nats.broker.password]
        subprocess.run([sys.executable, "-c", set_up, *broker], env=environment, check=True)
        with (tmp_path / "worker.log").open("wb") as log:
            worker = subprocess.Popen(
                [sys.executable, "-m", "yuheng.config.worker"], env=environment, stdout=log, stderr=log
            )
        try:
            until(ready.exists)
            assert ready.read_text() == str(worker.pid)
            assert (tmp_path / "data" / "nats" / "devices.conf").exists()

            put_event(postgres.url)
            until(lambda: has_delivered(postgres.url))
            postgres.kill()
            until(lambda: b"PostgreSQL does not answer" in (tmp_path / "worker.log").read_bytes())
            postgres.start()
            put_event(postgres.url)
            until(lambda: has_delivered(postgres.url))
            assert worker.poll() is None
            assert _wakings_per_s(worker.pid) < MOST_WAKINGS_PER_S
        finally:
            worker.send_signal(signal.SIGTERM)
            assert worker.wait(timeout=30) == 0


def _wakings_per_s(pid):
    """How often the worker's loop wakes up while nothing happens; ``yuheng bench idle`` measures what that costs."""
    process = psutil.Process(pid)
    before, began = process.num_ctx_switches().voluntary, time.monotonic()
    until(lambda: time.monotonic() - began > 3.0)
    return (process.num_ctx_switches().voluntary - before) / (time.monotonic() - began)
