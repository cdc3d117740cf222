"""The edge devices: what they publish is exactly what Yuheng's own decoders understand of the configured tags."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time

import nats
import pytest

from yuheng.bus.subjects import subject_of_topic
from yuheng.engines.codec.batch import Message as Received
from yuheng.engines.codec.batch import TagSpec
from yuheng.engines.codec.json_payload import JsonDecoder
from yuheng.engines.codec.sparkplug import SparkplugDecoder
from yuheng.simulation.edges import Clock, make_edges, recall
from yuheng.simulation.elevator.plant import AREAS, ELEVATOR, plant_description
from yuheng.simulation.mqtt import Login
from yuheng.simulation.outages import Outages
from yuheng.simulation.tests.support import MONDAY_MORNING, a_plant

SHIFT_S = 8 * 3600
DEADLINE_S = 30.0


class NoOutages:
    """Everybody is heard."""

    def is_silent(self, work_unit):
        """Nobody is silent."""
        return False


class Collected:
    """A publisher that keeps what it was given, worded as it would be sent."""

    def __init__(self, encoding):
        self.items = []
        self._encoding = encoding

    async def publish(self, item):
        """Keep it."""
        self.items.append(item)

    def messages(self):
        """Return what a first session would send, births first."""
        self._encoding.will()
        return [self._encoding.encode(item) for item in [*self._encoding.begin([]), *self.items]]


class Plant:
    """Edges whose publishers collect, and decoders configured from the plant file."""

    def __init__(self, outages=None):
        self.model = a_plant(hours=8)
        self.edges = make_edges(self.model, outages or NoOutages(), seed=1)
        for edge in self.edges:
            edge.publisher = Collected(edge.speaker.encoding)
        described = plant_description(1)
        self.tags = dict(enumerate(described["tags"], start=1))
        self.decoders = {}
        for source in described["sources"]:
            specs = [
                TagSpec(number, tag["address"], tag["data_type"])
                for number, tag in self.tags.items()
                if tag["source"] == source["code"]
            ]
            kind = JsonDecoder if source["connector"] == "mqtt_json" else SparkplugDecoder
            self.decoders[source["code"]] = kind(source["settings"], source["topics"], specs)

    async def live(self, seconds):
        """Let every edge scan once a second."""
        start = self.model.now
        for second in range(1, seconds + 1):
            self.model.run_until(start + second)
            for edge in self.edges:
                at_ms = int((start + second) * 1000)
                await edge.publish(*edge.scan(start + second, at_ms), at_ms)

    def decoded(self):
        """Return {source: batch} of all that was published."""
        found = {}
        for edge, code in zip(self.edges, self.decoders, strict=True):
            received = [
                Received(message.topic, message.payload, int(self.model.now * 1e6))
                for message in edge.publisher.messages()
            ]
            found[code] = self.decoders[code].decode(received)
        return found


async def test_every_word_is_understood_and_every_tag_is_heard():
    plant = Plant()
    await plant.live(3)

    heard = set()
    for code, batch in plant.decoded().items():
        assert batch.refused_messages == [], code
        assert batch.refused == [], code
        heard |= set(batch.points.tag.tolist()) | {point.tag for point in batch.texts}
    assert heard == set(plant.tags)


async def test_the_last_value_that_arrives_is_the_one_the_sensor_said():
    plant = Plant()
    await plant.live(5)
    said = {}
    for edge in plant.edges:
        samples, _ = edge.scan(plant.model.now, int(plant.model.now * 1000))  # the same moment again: nothing moves
        said |= {(sample.work_unit, name): value for sample in samples for name, value in sample.values.items()}

    for batch in plant.decoded().values():
        newest = {}
        for tag, value in zip(batch.points.tag.tolist(), batch.points.value.tolist(), strict=True):
            newest[tag] = value
        for tag, value in newest.items():
            spec = plant.tags[tag]
            if spec["symbol"] in {"run", "mode", "fault_code", "good_count", "energy_kwh"}:
                assert value == float(said[spec["work_unit"], spec["symbol"]]), spec["address"]


async def test_history_goes_the_same_way_with_its_original_stamps():
    plant = Plant()
    start = plant.model.now
    count = await recall(plant.edges, plant.model, start=start, end=start + 600, step_s=10)

    assert count == 60 * 130
    for code, batch in plant.decoded().items():
        assert batch.refused_messages == [], code
        assert batch.refused == [], code
        assert batch.points.time_us.min() == int(start * 1e6)
        assert batch.points.time_us.max() == int((start + 590) * 1e6)


async def test_a_silent_machine_says_nothing_and_its_edge_device_says_so_where_the_protocol_can():
    class SilentUnit(NoOutages):
        units = frozenset()

        def is_silent(self, work_unit):
            return work_unit in self.units

    outages = SilentUnit()
    plant = Plant(outages)
    await plant.live(2)
    outages.units = {"L03", "J11"}
    before = {edge.area.code: len(edge.publisher.items) for edge in plant.edges}
    await plant.live(3)
    outages.units = frozenset()
    silent = {
        edge.area.code: edge.publisher.items[before[edge.area.code] :]
        for edge in plant.edges
        if edge.area.code in {"laser", "machining"}
    }
    await plant.live(1)

    assert not any(item.topic.endswith("/L03") for item in silent["laser"])
    assert [type(item).__name__ for item in silent["machining"] if item.device == "J11"] == ["DeviceDeath"]
    machining = next(edge for edge in plant.edges if edge.area.code == "machining")
    assert [type(item).__name__ for item in machining.publisher.items if item.device == "J11"][-1] == "DeviceBirth"
    assert all(batch.refused == [] and batch.refused_messages == [] for batch in plant.decoded().values())


def test_now_and_then_one_machine_falls_silent_for_some_minutes():
    plant = a_plant()
    outages = Outages(plant, seed=1)
    silent_minutes = []
    for minute in range(1, 12 * 60):
        plant.run_until(MONDAY_MORNING + minute * 60)
        silent_minutes.append([unit for unit in plant.machines if outages.is_silent(unit)])

    assert max(len(units) for units in silent_minutes) == 1
    share = sum(bool(units) for units in silent_minutes) / len(silent_minutes)
    assert 0.05 < share < 0.5
    assert len({unit for units in silent_minutes for unit in units}) > 5


def test_the_plant_can_live_faster_than_we_do():
    clock = Clock(wall_start=1_000.0, model_start=5_000.0, speed=60.0)
    assert (clock.model(1_000.0), clock.model(1_010.0)) == (5_000.0, 5_600.0)


def test_the_first_scans_are_spread_and_every_area_has_an_edge():
    edges = make_edges(a_plant(), NoOutages(), seed=1)
    assert [edge.area for edge in edges] == list(AREAS)
    assert sum(edge.area.size for edge in edges) == len(ELEVATOR.units())
    assert edges[0].connect(Login("127.0.0.1", 1)) is edges[0].publisher


@pytest.mark.engines
async def test_the_process_publishes_all_areas_within_its_credentials_and_ends_within_a_second(fresh_nats, tmp_path):
    passwords = {ELEVATOR.edge_username(area): f"secret-{area.code}" for area in AREAS}
    fresh_nats.set_devices("".join(_user(area, passwords[ELEVATOR.edge_username(area)]) for area in AREAS))
    run_dir = tmp_path / "data" / "run"
    run_dir.mkdir(parents=True)
    (run_dir / "demo-devices.json").write_text(json.dumps({"devices": passwords}))
    ready = tmp_path / "ready"
    heard: dict[str, int] = {}
    connection = await nats.connect(fresh_nats.url)

    async def hear(message):
        area = (
            message.subject.split(".")[1] if message.subject.startswith("elevator1.") else message.subject.split(".")[3]
        )
        heard[area] = heard.get(area, 0) + 1
        if ".NDEATH." in message.subject:
            heard["deaths"] = heard.get("deaths", 0) + 1

    await connection.subscribe("elevator1.>", cb=hear)
    await connection.subscribe("spBv1//0.Elevator1.>", cb=hear)
    process = subprocess.Popen(  # noqa: ASYNC220  it starts at once; what takes time is awaited below
        [sys.executable, "-m", "yuheng.simulation", "--history", "2"],
        env=os.environ
        | {
            "YUHENG_DATA_DIR": str(tmp_path / "data"),
            "YUHENG_MQTT_HOST": fresh_nats.host,
            "YUHENG_MQTT_PORT": str(fresh_nats.mqtt_port),
            "YUHENG_READY_FILE": str(ready),
        },
    )
    try:
        await _until(lambda: ready.exists() and ready.read_text() == str(process.pid))
        await _until(lambda: all(heard.get(area.code, 0) > 2 * area.size for area in AREAS))
        process.send_signal(signal.SIGTERM)
        await _until(lambda: process.poll() is not None)
        assert process.returncode == 0
        await _until(lambda: heard.get("deaths") == 3)
    finally:
        process.kill()
        process.wait()
        await connection.close()
    published_until = json.loads((run_dir / "simulation.json").read_text())["published_until"]
    assert abs(time.time() - published_until) < DEADLINE_S
    assert "violation" not in fresh_nats.log.read_text(errors="replace").lower()


async def _until(condition):
    async with asyncio.timeout(DEADLINE_S):
        while not condition():  # noqa: ASYNC110  the conditions are about another process
            await asyncio.sleep(0.01)


def _user(area, password):
    """One line of devices.conf; ``#`` also covers the level above it, which NATS's ``>`` does not."""
    subjects = [subject_of_topic(topic) for topic in ELEVATOR.publish_topics(area)]
    subjects += [subject.removesuffix(".>") for subject in subjects]
    permissions = f"{{publish: {json.dumps(subjects)}}}"
    return f'{{user: "{ELEVATOR.edge_username(area)}", password: "{password}", permissions: {permissions}}}\n'
