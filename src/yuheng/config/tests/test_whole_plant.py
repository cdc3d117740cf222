"""``yuheng up --demo`` as a visitor starts it: everything comes up, the plant moves, a killed process comes back."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from contextlib import suppress
from pathlib import Path

import msgspec
import psutil
import psycopg
import pytest

from yuheng.bus import messages, subjects
from yuheng.bus.wire import connect
from yuheng.config.supervisor.places import Places, passwords, same_process
from yuheng.config.supervisor.postgres import Postgres

pytestmark = pytest.mark.engines

ANY_FREE = [word for option in ("web", "gateway", "mqtt") for word in (f"--{option}-port", "0")]


class Demo:
    """A running demo, its addresses, and questions to it."""

    def __init__(self, data_dir: Path) -> None:
        self.places = Places(data_dir)
        self.output = data_dir.with_name("demo.out")
        clean = {k: v for k, v in os.environ.items() if not k.startswith(("YUHENG_", "DATABASE_", "NATS_"))}
        command = [
            sys.executable,
            "-m",
            "yuheng.config.cli",
            "up",
            "--demo",
            "--no-browser",
            "--data-dir",
            str(data_dir),
        ]
        with self.output.open("wb") as out:
            self.process = subprocess.Popen([*command, *ANY_FREE], env=clean, stdout=out, stderr=out)

    def status(self) -> dict:
        try:
            return json.loads(self.places.status_file.read_text())
        except (OSError, ValueError):
            return {"is_ready": False, "services": {}}

    def until(self, condition, what: str, timeout_s: float = 90.0):
        deadline = time.monotonic() + timeout_s
        while not (found := condition()):
            assert self.process.poll() is None, self.output.read_text()
            assert time.monotonic() < deadline, f"waited for {what}: {self.output.read_text()}"
            time.sleep(0.05)
        return found

    def site_id(self) -> int:
        postgres = Postgres(self.places.data_dir, self.status()["ports"]["pg"], passwords(self.places).postgres)
        with psycopg.connect(postgres.url()) as session:
            return session.execute("SELECT id FROM kernel_site").fetchone()[0]

    async def live(self, site_id: int) -> messages.LiveSnapshot:
        port = self.status()["nats"]["port"]
        connection = await connect(f"nats://yuheng:{passwords(self.places).nats}@127.0.0.1:{port}")
        try:
            question = msgspec.json.encode(messages.LiveQuestion(site_id=site_id))
            _, answer = await connection.request(subjects.question("live"), question, timeout_s=10)
        finally:
            connection.close()
        return msgspec.json.decode(answer, type=messages.LiveSnapshot)

    async def is_live_since(self, site_id: int, moment_us: int) -> bool:
        with suppress(OSError, TimeoutError, msgspec.ValidationError, msgspec.DecodeError):
            return (await self.live(site_id)).data_time_us > moment_us
        return False


@pytest.fixture
def demo(tmp_path):
    demo = Demo(tmp_path / "data")
    yield demo
    demo.process.kill()
    demo.process.wait()
    if demo.places.children_file.exists():
        for entry in json.loads(demo.places.children_file.read_text()).values():
            if process := same_process(entry):
                with suppress(psutil.NoSuchProcess):
                    process.kill()


async def until_live(demo: Demo, site_id: int, moment_us: int) -> None:
    deadline = time.monotonic() + 60
    while not await demo.is_live_since(site_id, moment_us):
        assert time.monotonic() < deadline, "no new readings reached the historian"


async def test_the_demo_comes_up_moves_survives_kills_and_stops(demo):
    demo.until(lambda: demo.status()["is_ready"], "the demo to be ready")
    told = demo.status()
    assert {service["state"] for service in told["services"].values()} == {"ready"}
    assert [person["username"] for person in told["demo"]["people"]]
    assert _answers(told["url"])

    site_id = demo.site_id()
    await until_live(demo, site_id, time.time_ns() // 1000)
    units = (await demo.live(site_id)).units
    assert len(units) >= 100
    assert len({unit.state for unit in units}) > 1

    for name in ("historian", "gateway", "web", "worker", "nats", "postgres"):
        os.kill(demo.status()["services"][name]["pid"], signal.SIGKILL)
    for name in ("historian", "gateway", "web", "worker", "nats", "postgres"):
        demo.until(lambda name=name: _is_back(demo.status()["services"][name]), f"{name} to come back")
    await until_live(demo, site_id, time.time_ns() // 1000)

    demo.process.send_signal(signal.SIGTERM)
    assert demo.process.wait(timeout=60) == 0


def _answers(url: str) -> bool:
    with urllib.request.urlopen(url, timeout=20) as page:
        return page.status == 200


def _is_back(service: dict) -> bool:
    return service["state"] == "ready" and service["restarts"] >= 1
