"""Every built-in connector against the suite, over real servers."""

import asyncio
import hashlib
from contextlib import asynccontextmanager, contextmanager
from importlib.metadata import entry_points
from pathlib import Path

import pytest
import uvicorn

from yuheng.bus.documents import Device
from yuheng.config.supervisor.broker import Broker
from yuheng.config.supervisor.ports import free_port
from yuheng.gateway.connector import GROUP, Tier, find_connectors, find_manifests
from yuheng.gateway.process import _Server
from yuheng.gateway.push import HttpDoor
from yuheng.testing.connector_suite import CHECKS, Bench, checks_of, tier_reached
from yuheng.testing.engines import RunningBroker
from yuheng.testing.fake_devices import FakeHttpClient, FakeMqttJson, FakeRecorder, FakeSparkplugNode
from yuheng.testing.fake_modbus import FakeModbus
from yuheng.testing.opcua_device import FakeOpcUaDevice, OpcUaServer, address
from yuheng.testing.waiting import eventually

pytestmark = pytest.mark.engines

ROOT = Path(__file__).parents[2]
USERS = '{user: "bench", password: "secret"}'


def broker_settings(server):
    return {
        "host": server.host,
        "port": server.mqtt_port,
        "username": "bench",
        "password": "secret",
        "keep_alive_s": 2,
    }


class ExternalBroker(Broker):
    """Somebody else's nats-server. It redelivers after ``ack_wait`` only, so that is made short."""

    def _render(self):
        return super()._render().replace('ack_wait: "30s"', 'ack_wait: "1s"')


@contextmanager
def external_broker(directory):
    broker = ExternalBroker(
        directory / "nats", port=free_port(), mqtt_port=free_port(), monitor_port=free_port(), password="internal"
    )
    server = RunningBroker(broker, devices=USERS)
    try:
        server.start()
        yield server
    finally:
        server.stop()


@asynccontextmanager
async def mqtt_bench(connector, tmp_path):
    with external_broker(tmp_path / "external") as server:
        yield Bench(
            connector=connector,
            config={"broker": broker_settings(server)},
            device=FakeMqttJson(server, "bench", "secret"),
            state_dir=tmp_path,
            address="m/n",
            many_addresses="m/t{}".format,
            bad_config={"broker": {"port": 1}, "adress": "x"},
            topics=("plant/#",),
        )


@asynccontextmanager
async def sparkplug_bench(connector, tmp_path):
    with external_broker(tmp_path / "external") as server:
        yield Bench(
            connector=connector,
            config={"broker": broker_settings(server)},
            device=FakeSparkplugNode(server, "bench", "secret"),
            state_dir=tmp_path,
            address="edge/n",
            many_addresses="edge/t{}".format,
            bad_config={"has_group_in_address": "perhaps"},
            topics=("spBv1.0/#",),
        )


@asynccontextmanager
async def http_bench(connector, tmp_path):
    door = HttpDoor(lambda: "")
    door.set_devices([Device("bench", hashlib.sha256(b"secret").hexdigest(), (7,), ())], ["bench"])
    config = uvicorn.Config(door, host="127.0.0.1", port=0, lifespan="off", log_config=None, access_log=False)
    server = _Server(config)
    serving = asyncio.get_running_loop().create_task(server.serve())
    await eventually(lambda: server.started)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield Bench(
            connector=connector,
            config={},
            device=FakeHttpClient(lambda: port, "bench", "secret"),
            state_dir=tmp_path,
            address="m/n",
            many_addresses="m/t{}".format,
            bad_config={"time_format": "moon"},
            sees_disconnect=False,
            door=door,
        )
    finally:
        server.should_exit = True
        await serving


@asynccontextmanager
async def files_bench(connector, tmp_path):
    directory = tmp_path / "recordings"
    directory.mkdir()
    yield Bench(
        connector=connector,
        config={"path": str(directory), "stamps": "as_recorded", "follow": True},
        device=FakeRecorder(directory),
        state_dir=tmp_path,
        many_addresses="t{}".format,
        bad_config={"path": "x", "speed": 0},
    )


@asynccontextmanager
async def modbus_bench(connector, tmp_path):
    device = FakeModbus()
    await device.come_back()
    try:
        yield Bench(
            connector=connector,
            config={
                "host": "127.0.0.1",
                "port": device.server.port,
                "every_s": 2,
                "rates": [{"every_s": 0.001, "addresses": ["1"]}],
                "timeout_s": 2,
            },
            device=device,
            state_dir=tmp_path,
            address=device.ADDRESS,
            many_addresses=device.many,
            bad_config={"host": "127.0.0.1", "port": 70000, "adress": "x"},
        )
    finally:
        await device.go_away()


@pytest.fixture(scope="module")
def opcua_server():
    """One server process for all checks: it takes seconds to start."""
    server = OpcUaServer(nodes={"n": 0.0})
    server.launch()
    yield server
    server.end()


@asynccontextmanager
async def opcua_bench(connector, tmp_path, server):
    async with server.connected():
        await server.do("write", name="n", values=[0.0])
        yield Bench(
            connector=connector,
            config={"url": server.url, "publishing_interval_ms": 50, "queue_size": 5000},
            device=FakeOpcUaDevice(server),
            state_dir=tmp_path,
            address=address("n"),
            search="n",
            many_addresses=lambda at: address(f"tag{at}"),
            bad_config={"url": "http://localhost", "sampling": 1},
        )


BENCHES = {
    "mqtt_json": mqtt_bench,
    "sparkplug_b": sparkplug_bench,
    "http": http_bench,
    "files": files_bench,
    "modbus": modbus_bench,
    "opcua": opcua_bench,
}
SERVERS = {"opcua": "opcua_server"}
CASES = [(name, check) for name in BENCHES for check in checks_of(find_manifests()[name])]


@pytest.mark.parametrize(("name", "check"), CASES, ids=lambda each: each if isinstance(each, str) else each.name)
async def test_a_built_in_connector_conforms(name, check, tmp_path, request):
    connector = find_connectors()[name].load()()
    server = (request.getfixturevalue(SERVERS[name]),) if name in SERVERS else ()
    async with BENCHES[name](connector, tmp_path, *server) as bench:
        await check.run(bench)


def test_every_installed_connector_is_in_the_suite():
    assert set(find_connectors()) == set(BENCHES)


@pytest.mark.parametrize("name", BENCHES)
def test_the_declared_tier_is_the_one_that_all_checks_give(name):
    manifest = find_manifests()[name]
    has_docs = (ROOT / "docs" / manifest.docs).is_file()
    passed = {check.number for check in checks_of(manifest)}
    assert tier_reached(passed, has_docs=has_docs, has_owner=bool(manifest.owner)) == manifest.tier


def test_a_missing_check_costs_the_tier():
    gold = {check.number for check in CHECKS}
    silver = gold - {11, 12}
    assert tier_reached(gold, has_docs=True, has_owner=True) == Tier.GOLD
    assert tier_reached(gold - {12}, has_docs=True, has_owner=True) == Tier.SILVER
    assert tier_reached(silver - {7}, has_docs=True, has_owner=True) == Tier.BRONZE
    assert tier_reached(silver - {1}, has_docs=True, has_owner=True) is None
    assert tier_reached(silver, has_docs=False, has_owner=True) is None


def test_two_packages_must_not_provide_the_same_connector(monkeypatch):
    twice = [*entry_points(group=GROUP), *entry_points(group=GROUP)]
    monkeypatch.setattr("yuheng.gateway.connector.entry_points", lambda group: twice)
    with pytest.raises(RuntimeError, match="Two installed packages"):
        find_connectors()
