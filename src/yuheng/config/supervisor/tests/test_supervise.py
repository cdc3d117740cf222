"""The life of an installation, with real engines and real processes."""

import asyncio
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import nats
import paho.mqtt.client as mqtt
import psutil
import psycopg
import pytest

from yuheng.bus import subjects
from yuheng.config.commands import status as status_command
from yuheng.config.supervisor.places import Places, passwords, same_process
from yuheng.config.supervisor.ports import free_port
from yuheng.config.supervisor.postgres import Postgres
from yuheng.config.supervisor.supervise import STOP_WITHIN_S

REDUCED = Path(__file__).with_name("reduced.py")
DEVICE = '{user: "laser", password: "pw", permissions: {publish: ["plant.laser.>"]}}\n'


class Plant:
    """A supervisor of a test, with the reduced table."""

    def __init__(self, data_dir: Path, *, mode: str = "usual", mqtt_port: int = 0) -> None:
        self.places = Places(data_dir)
        self.output = data_dir.with_name(f"{data_dir.name}-{time.monotonic_ns()}.out")
        with self.output.open("wb") as out:
            command = [sys.executable, str(REDUCED), str(data_dir), mode, str(mqtt_port)]
            clean = {k: v for k, v in os.environ.items() if not k.startswith(("YUHENG_", "DATABASE_", "NATS_"))}
            self.process = subprocess.Popen(command, stdout=out, stderr=out, env=clean, start_new_session=True)

    def said(self) -> str:
        return self.output.read_text()

    def status(self) -> dict:
        try:
            return json.loads(self.places.status_file.read_text())
        except (OSError, ValueError):
            return {"is_ready": False, "services": {}}

    def service(self, name: str) -> dict:
        return self.status()["services"].get(name, {})

    def until(self, condition, what: str, timeout_s: float = 40.0):
        deadline = time.monotonic() + timeout_s
        while not (found := condition()):
            assert time.monotonic() < deadline, f"waited for {what}: {self.said()} {self.status()}"
            time.sleep(0.03)
        return found

    def until_ready(self) -> "Plant":
        def is_ready() -> bool:
            assert self.process.poll() is None, self.said()
            return self.status()["is_ready"] and self.status_is_mine()

        self.until(is_ready, "the plant to be ready")
        return self

    def status_is_mine(self) -> bool:
        return self.status().get("started_at", 0) >= psutil.Process(self.process.pid).create_time() - 1

    def stop(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(timeout=60)


@pytest.fixture
def start(tmp_path):
    """Start plants, and leave none behind whatever the test does."""
    plants = []

    def begin(**options) -> Plant:
        plants.append(Plant(tmp_path / "data", **options))
        return plants[-1]

    yield begin
    for plant in plants:
        plant.process.kill()
        plant.process.wait()
        _end_children(plant.places)


def _end_children(places: Places) -> None:
    if places.children_file.exists():
        for entry in json.loads(places.children_file.read_text()).values():
            if process := same_process(entry):
                with suppress(psutil.NoSuchProcess):
                    process.kill()


def test_a_plant_starts_tells_where_it_is_and_stops_at_once_with_clients_attached(start, capsys):
    plant = start().until_ready()
    told = plant.status()
    assert {name: service["state"] for name, service in told["services"].items()} == dict.fromkeys(
        ("postgres", "nats", "dummy"), "ready"
    )
    assert f":{told['ports']['web']}/" in plant.said()
    secret = passwords(plant.places)
    assert secret.postgres not in json.dumps(told) + plant.said()

    database = psycopg.connect(Postgres(plant.places.data_dir, told["ports"]["pg"], secret.postgres).url())
    device = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id="us")
    device.username_pw_set("yuheng", secret.nats)
    device.connect("127.0.0.1", told["mqtt"]["port"])
    device.loop_start()

    assert plant.stop() == 0
    device.loop_stop()
    database.close()
    assert not [s for s in told["services"].values() if psutil.pid_exists(s["pid"])]
    assert "stopped in" in plant.said()
    assert {service["state"] for service in plant.status()["services"].values()} == {"stopped"}


def test_ctrl_c_stops_a_plant_with_a_process_that_does_not_listen(start):
    plant = start(mode="stubborn").until_ready()
    pid = plant.service("dummy")["pid"]
    assert plant.stop(signal.SIGINT) == 0
    assert STOP_WITHIN_S < 5
    assert not psutil.pid_exists(pid)


@pytest.mark.parametrize("name", ["dummy", "nats", "postgres"])
def test_a_killed_process_is_started_again_with_its_reason(start, name):
    plant = start().until_ready()
    before = plant.service(name)
    os.kill(before["pid"], signal.SIGKILL)
    after = plant.until(
        lambda: (s := plant.service(name))["restarts"] == 1 and s["state"] == "ready" and s, "a restart"
    )
    assert after["pid"] != before["pid"]
    assert after["last_exit"] == "signal 9 (SIGKILL)"
    assert "ended: signal 9 (SIGKILL); starting again" in plant.said()
    others = {"dummy", "nats", "postgres"} - {name}
    assert {plant.service(other)["restarts"] for other in others} == {0}


def test_a_process_that_cannot_start_ends_the_start_with_its_own_words(start):
    plant = start(mode="broken")
    assert plant.process.wait(timeout=60) == 1
    assert "dummy does not start (exit code 1)" in plant.said()
    assert "the dummy has no reason to live" in plant.said()
    assert {service["state"] for service in plant.status()["services"].values()} == {"stopped"}


def test_what_a_killed_supervisor_left_running_is_stopped_by_the_next(start):
    first = start(mode="stubborn").until_ready()
    left = first.service("dummy")["pid"]
    database = first.service("postgres")["pid"]
    first.process.kill()
    first.process.wait()
    first.until(lambda: not psutil.pid_exists(database), "the database to notice that its parent died")
    assert psutil.pid_exists(left)

    second = start().until_ready()
    assert f"was left running (pid {left}) by a supervisor that was killed" in second.said()
    assert not psutil.pid_exists(left)
    assert second.stop() == 0


def test_a_second_supervisor_on_the_same_data_is_told_who_has_it(start):
    first = start().until_ready()
    second = start()
    assert second.process.wait(timeout=20) == 2
    assert f"is in use by pid {first.process.pid}" in second.said()
    assert first.process.poll() is None


def test_a_taken_port_is_named_with_its_holder_and_the_option_that_helps(start):
    with socket.create_server(("127.0.0.1", free_port())) as taken:
        plant = start(mqtt_port=taken.getsockname()[1])
        assert plant.process.wait(timeout=20) == 2
        said = plant.said()
    assert f"Port {taken_port(said)} is taken by pid {os.getpid()}" in said
    assert "--mqtt-port" in said
    assert "Traceback" not in said


def taken_port(said: str) -> str:
    return said.split("Port ")[1].split(" ")[0]


def test_the_status_command_knows_the_living_from_the_dead(start, capsys):
    plant = start().until_ready()
    data_dir = str(plant.places.data_dir)
    assert _status(data_dir) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["supervisor"]["pid"] == plant.process.pid
    assert told["mqtt"]["port"] == told["ports"]["mqtt"]
    plant.stop()
    assert _status(data_dir) == 3
    assert json.loads(capsys.readouterr().out)["services"] == {}


def _status(data_dir: str) -> int:
    parser = status_command.argparse.ArgumentParser()
    status_command.add_arguments(parser)
    return status_command.run(parser.parse_args(["--json", "--data-dir", data_dir]))


async def test_devices_are_let_in_when_their_file_changes_and_refused_publishes_are_told(start):
    plant = start().until_ready()
    told = plant.status()
    (plant.places.data_dir / "nats" / "devices.conf").write_text(DEVICE)
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id="laser")
    client.username_pw_set("laser", "pw")
    client.connect("127.0.0.1", told["mqtt"]["port"])
    client.loop_start()
    plant.until(client.is_connected, "the device to be let in")
    client.publish("plant/laser/x", b"mine", qos=1).wait_for_publish(10)
    client.publish("plant/welding/x", b"not mine", qos=1).wait_for_publish(10)
    plant.until(lambda: plant.status()["refused_publishes"]["total"] == 1, "the refusal to be counted")
    client.disconnect()
    client.loop_stop()

    session = await nats.connect(f"nats://yuheng:{passwords(plant.places).nats}@127.0.0.1:{told['nats']['port']}")
    js = session.jetstream()
    letter = await _first_dead_letter(js)
    assert letter.headers[subjects.HEADER_TOPIC] == "plant/welding/x"
    assert "no permission for the client laser" in letter.headers[subjects.HEADER_DETAIL]
    assert (await js.stream_info(subjects.MQTT_STREAM)).state.messages == 1
    await session.close()


async def _first_dead_letter(js):
    reader = await js.pull_subscribe_bind(subjects.WORKER_DURABLE, subjects.DEAD_STREAM)
    return (await reader.fetch(1, timeout=10))[0]


def test_a_broker_whose_store_was_lost_keeps_messages_and_lets_devices_in_again(start):
    plant = start().until_ready()
    (plant.places.data_dir / "nats" / "devices.conf").write_text(DEVICE)
    before = plant.service("nats")["pid"]
    os.kill(before, signal.SIGSTOP)  # or it writes files into the directory that is being removed
    shutil.rmtree(plant.places.data_dir / "nats" / "jetstream")
    os.kill(before, signal.SIGKILL)
    plant.until(lambda: plant.service("nats").get("pid") not in (None, before), "the broker to be started again")

    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id="laser")
    client.username_pw_set("laser", "pw")
    client.reconnect_delay_set(1, 1)
    client.connect_async("127.0.0.1", plant.status()["mqtt"]["port"])
    client.loop_start()
    plant.until(client.is_connected, "the device to be let in again")
    client.publish("plant/laser/x", b"kept", qos=1).wait_for_publish(10)
    client.disconnect()
    client.loop_stop()
    assert asyncio.run(_kept(plant)) == 1


async def _kept(plant: Plant) -> int:
    port = plant.status()["nats"]["port"]
    session = await nats.connect(f"nats://yuheng:{passwords(plant.places).nats}@127.0.0.1:{port}")
    try:
        info = await session.jetstream().consumer_info(subjects.MQTT_STREAM, subjects.HISTORIAN_DURABLE)
    finally:
        await session.close()
    return info.num_pending
