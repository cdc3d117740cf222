"""A running plant is backed up, lost, restored: everything is there, and its devices go on by themselves."""

import asyncio
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import psutil
import psycopg
import pytest

from yuheng.bench.chaos import HTTP_SOURCE, MQTT_SOURCE, chaos_plant, log_position, read_samples, tag_ids
from yuheng.bench.devices import HttpDevice, MqttDevice, Sampler
from yuheng.bench.historian import Bus
from yuheng.bench.ledger import Ledger, judge
from yuheng.bench.plants import a_credential
from yuheng.bus import subjects
from yuheng.config.backup import manifest
from yuheng.config.supervisor.places import Places, passwords
from yuheng.config.supervisor.ports import free_port
from yuheng.config.supervisor.postgres import Postgres
from yuheng.upkeep import backups

pytestmark = pytest.mark.engines

COMMAND = [sys.executable, "-m", "yuheng.config.cli"]


class Plant:
    """``yuheng up`` on fixed ports, so that devices find it again."""

    def __init__(self, data_dir: Path) -> None:
        self.places = Places(data_dir)
        self.ports = {name: free_port() for name in ("web", "gateway", "mqtt")}
        self.output = data_dir.with_name("up.out")
        self.process: subprocess.Popen | None = None
        self.environment = {
            k: v for k, v in os.environ.items() if not k.startswith(("YUHENG_", "DATABASE_", "NATS_", "DJANGO_"))
        }

    def start(self) -> None:
        words = [word for name, port in self.ports.items() for word in (f"--{name}-port", str(port))]
        with self.output.open("ab") as out:
            self.process = subprocess.Popen(
                [*COMMAND, "up", "--no-browser", "--data-dir", str(self.places.data_dir), *words],
                env=self.environment,
                stdout=out,
                stderr=out,
                start_new_session=True,
            )
        deadline = time.monotonic() + 120
        while not self.status().get("is_ready"):
            assert self.process.poll() is None, self.output.read_text()
            assert time.monotonic() < deadline, self.output.read_text()
            time.sleep(0.1)

    def status(self) -> dict:
        try:
            found = json.loads(self.places.status_file.read_text())
        except (OSError, ValueError):
            return {}
        is_mine = self.process and found["started_at"] >= psutil.Process(self.process.pid).create_time() - 1
        return found if is_mine else {}

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(30)

    def run(self, *words: str) -> subprocess.CompletedProcess:
        return subprocess.run([*COMMAND, *words], env=self.environment, capture_output=True, text=True, check=False)

    def bus(self) -> Bus:
        return Bus(f"nats://yuheng:{passwords(self.places).nats}@127.0.0.1:{self.status()['nats']['port']}")

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.ports['web']}"


@pytest.fixture
def plant(tmp_path):
    plant = Plant(tmp_path / "data")
    yield plant
    plant.stop()


def until_drained(bus: Bus) -> None:
    deadline = time.monotonic() + 60
    while True:
        positions = [log_position(bus, stream) for stream in (subjects.MQTT_STREAM, subjects.INGEST_STREAM)]
        if all(newest == committed for newest, committed in positions):
            return
        assert time.monotonic() < deadline, positions
        time.sleep(0.1)


def can_sign_in(url: str, username: str, password: str) -> bool:
    with httpx.Client(base_url=url, follow_redirects=False) as browser:
        page = browser.get("/sign-in")
        token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page.text)[1]
        form = {"username": username, "password": password, "csrfmiddlewaretoken": token}
        return browser.post("/sign-in", data=form).status_code == 302


def remembered(plant: Plant, stream: str) -> str | None:
    """When the stream was made whose position the worker remembers."""
    port, secret = plant.status()["ports"]["pg"], passwords(plant.places).postgres
    with psycopg.connect(Postgres(plant.places.data_dir / "postgres", port, secret).url()) as session:
        row = session.execute(
            "SELECT stream_made_at FROM telemetry_logposition WHERE stream = %s", (stream,)
        ).fetchone()
    return row and row[0]


def counted_dead(plant: Plant) -> int:
    port, secret = plant.status()["ports"]["pg"], passwords(plant.places).postgres
    with psycopg.connect(Postgres(plant.places.data_dir / "postgres", port, secret).url()) as session:
        return session.execute("SELECT coalesce(sum(count), 0) FROM telemetry_deadlettergroup").fetchone()[0]


def made_at(bus: Bus, stream: str) -> str:
    return bus.jetstream(f"STREAM.INFO.{stream}")["created"]


async def live_until(condition, what: str) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, what
        await asyncio.sleep(0.05)


async def test_what_was_acknowledged_before_the_backup_is_there_after_a_restore_and_devices_go_on(plant, tmp_path):
    plant.start()
    admin = re.search(r"Admin\s+(\S+) / (\S+)", plant.output.read_text()).groups()
    credential = a_credential("edge-1")
    description = tmp_path / "plant.json"
    description.write_text(json.dumps(chaos_plant(credential)))
    imported = plant.run("import", str(description), "--data-dir", str(plant.places.data_dir))
    assert imported.returncode == 0, imported.stderr

    ledgers = [Ledger("m0/number"), Ledger("h0/number")]
    devices = [
        MqttDevice(Sampler(ledgers[0], 60), credential, port=plant.ports["mqtt"], topic="bench/chaos/m0"),
        HttpDevice(
            Sampler(ledgers[1], 30),
            credential,
            url=f"http://127.0.0.1:{plant.ports['gateway']}/push/{HTTP_SOURCE}/h0",
        ),
    ]
    stranger = MqttDevice(Sampler(Ledger("m9/number"), 5), credential, port=plant.ports["mqtt"], topic="bench/chaos/m9")
    devices.append(stranger)  # its tag is not known: what it says becomes dead letters
    stop = asyncio.Event()
    lives = [asyncio.create_task(device.run(stop)) for device in devices]
    try:
        await live_until(lambda: all(len(one.acked) > 100 for one in ledgers), "the devices to be heard")

        promised = [set(one.acked) for one in ledgers]
        taken = await asyncio.to_thread(plant.run, "backup", str(tmp_path / "backups"), "--data-dir", plant_dir(plant))
        assert taken.returncode == 0, taken.stderr
        backup = manifest.backups_in(tmp_path / "backups")[0]
        assert plant.run("backup", "verify", str(backup)).returncode == 0
        assert backups.newest_good(plant.places.data_dir).place == str(backup)
        assert plant.status()["is_ready"]

        await asyncio.to_thread(plant.stop)
        shutil.rmtree(plant.places.data_dir)
        before_restart = [set(one.acked) for one in ledgers]
        restored = await asyncio.to_thread(plant.run, "restore", str(backup), "--data-dir", plant_dir(plant))
        assert restored.returncode == 0, restored.stderr
        await asyncio.to_thread(plant.start)
        await live_until(
            lambda: all(len(one.acked - then) > 100 for one, then in zip(ledgers, before_restart, strict=True)),
            "the devices to be heard again",
        )
    finally:
        stop.set()
        await asyncio.wait(lives, timeout=20)
        for life in lives:
            life.cancel()
        await asyncio.gather(*lives, return_exceptions=True)

    bus = plant.bus()
    try:
        await asyncio.to_thread(until_drained, bus)
        known = bus.plant()
        ids = {**tag_ids(known, MQTT_SOURCE), **tag_ids(known, HTTP_SOURCE)}
        for ledger, kept, then in zip(ledgers, promised, before_restart, strict=True):
            rows = read_samples(bus, ids[ledger.tag])
            found = {row.number for row in rows}
            assert kept <= found, "acknowledged before the backup, and not restored"
            assert ledger.acked - then <= found, "acknowledged after the restore, and lost"
            verdict = judge(ledger, rows)
            assert (verdict.duplicated, verdict.misplaced, verdict.strange) == (0, 0, 0)
        assert remembered(plant, subjects.DEAD_STREAM) == made_at(bus, subjects.DEAD_STREAM)
        assert counted_dead(plant) <= len(stranger.ledger.sent), "dead letters are counted once"
    finally:
        bus.close()
    assert can_sign_in(plant.url, *admin)
    assert not can_sign_in(plant.url, admin[0], "another password")


def plant_dir(plant: Plant) -> str:
    return str(plant.places.data_dir)
