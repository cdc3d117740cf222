"""A rebirth at somebody else's broker: asked for on ``yh.cmd.<source>``, heard by the edge node as NCMD."""

import json
import threading
from contextlib import contextmanager

import paho.mqtt.client as paho
import pytest

from yuheng.bus import documents, subjects, wire
from yuheng.config.supervisor.broker import Broker
from yuheng.config.supervisor.ports import free_port
from yuheng.engines.codec.sparkplug_schema import Payload
from yuheng.gateway.tests.test_process import a_plant, running_gateway
from yuheng.testing.engines import RunningBroker
from yuheng.testing.waiting import eventually

pytestmark = pytest.mark.engines


@contextmanager
def external_broker(directory):
    broker = Broker(directory, port=free_port(), mqtt_port=free_port(), monitor_port=free_port(), password="internal")
    server = RunningBroker(broker, devices='{user: "node", password: "secret"}')
    try:
        server.start()
        yield server
    finally:
        server.stop()


@contextmanager
def edge_node(server, commands):
    client = paho.Client(paho.CallbackAPIVersion.VERSION2)
    client.username_pw_set("node", "secret")
    listening = threading.Event()
    client.on_message = lambda _client, _data, message: commands.append((message.topic, bytes(message.payload)))
    client.on_subscribe = lambda *_: listening.set()
    client.on_connect = lambda client, *_: client.subscribe("spBv1.0/G/NCMD/edge", 1)
    client.connect(server.host, server.mqtt_port)
    client.loop_start()
    try:
        assert listening.wait(10)
        yield
    finally:
        client.disconnect()
        client.loop_stop()


async def test_a_rebirth_is_asked_for_at_the_external_broker(fresh_nats, tmp_path):
    with external_broker(tmp_path / "external") as server:
        broker = {"host": server.host, "port": server.mqtt_port, "username": "node", "password": "secret"}
        source = documents.Source(9, 1, "far", "sparkplug_b", topics=("spBv1.0/#",), settings={"broker": broker})
        commands = []
        with edge_node(server, commands):
            async with running_gateway(fresh_nats, tmp_path, a_plant(sources=(source,))):
                connection = await wire.connect(fresh_nats.url)
                body = json.dumps({"kind": "rebirth", "group": "G", "edge_node": "edge"}).encode()

                def ask_again() -> bool:  # a command is not stored: it reaches a session that already listens
                    connection.publish(subjects.command(9), body)
                    return bool(commands)

                await eventually(ask_again, timeout_s=30.0)
                connection.close()
    topic, payload = commands[0]
    (metric,) = Payload.FromString(payload).metrics
    assert topic == "spBv1.0/G/NCMD/edge"
    assert (metric.name, metric.boolean_value) == ("Node Control/Rebirth", True)
