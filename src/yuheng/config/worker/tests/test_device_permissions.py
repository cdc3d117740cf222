"""What the rendered device list allows, tried with a real nats-server and a foreign MQTT client."""

import asyncio
import threading
import time

import paho.mqtt.client as mqtt
import pytest

from yuheng.bus.subjects import MQTT_PREFIX, subject_of_topic
from yuheng.bus.wire import WireError, connect
from yuheng.telemetry.services.configuration import render_devices
from yuheng.telemetry.services.devices import issue_device, revoke_device
from yuheng.testing.builders import SHIFT_START, SYSTEM, a_site

pytestmark = [pytest.mark.django_db, pytest.mark.engines]


def a_device(username, topics, subscribe=()):
    return issue_device(
        actor=SYSTEM,
        site_id=a_site().pk,
        username=username,
        publish_topics=topics,
        subscribe_topics=subscribe,
        source_ids=[],
        at=SHIFT_START,
    )


class Client:
    """A paho client that remembers what it was told."""

    def __init__(self, broker, username, password):
        self.received = []
        self.refused = []
        self.connected = threading.Event()
        self.failed = threading.Event()
        self.subscribed = threading.Event()
        self.granted = []
        self.client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id=f"test-{username}")
        self.client.username_pw_set(username, password)
        self.client.on_connect = self._on_connect
        self.client.on_message = lambda _c, _u, message: self.received.append((message.topic, message.payload))
        self.client.on_subscribe = self._on_subscribe
        self.client.connect(broker.host, broker.mqtt_port)
        self.client.loop_start()

    def _on_connect(self, _client, _data, _flags, reason, _properties):
        (self.failed if reason.is_failure else self.connected).set()

    def _on_subscribe(self, _client, _data, _mid, reasons, _properties):
        self.granted = [not reason.is_failure for reason in reasons]
        self.subscribed.set()

    def publish(self, topic, payload):
        self.client.publish(topic, payload, qos=1).wait_for_publish(5)

    def subscribe(self, topic):
        self.subscribed.clear()
        self.client.subscribe(topic, qos=1)
        assert self.subscribed.wait(5)
        return self.granted[0]

    def close(self):
        self.client.disconnect()
        self.client.loop_stop()


class Listener:
    """Hears every MQTT message the broker takes, as the internal user."""

    def __init__(self, broker):
        self.heard = []
        self.ready = threading.Event()
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self._run, args=(broker.url,), daemon=True)
        self.thread.start()
        assert self.ready.wait(10)

    def _run(self, url):
        async def listen():
            self.stop = asyncio.Event()
            connection = await connect(url)
            connection.subscribe(f"{MQTT_PREFIX}>", lambda items: self.heard.extend(items))
            await connection.flush()
            self.ready.set()
            await self.stop.wait()
            connection.close()

        self.loop.run_until_complete(listen())
        self.loop.close()

    def subjects(self):
        return [item[0].decode() for item in self.heard]

    def close(self):
        self.loop.call_soon_threadsafe(self.stop.set)
        self.thread.join(5)


def until(condition):
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.02)


def test_a_device_publishes_its_own_topics_and_no_others(fresh_nats):
    issued = a_device("edge-1", ["plant/edge-1/#", "odd/v1.0/+/x"])
    fresh_nats.set_devices(render_devices())
    device = Client(fresh_nats, "edge-1", issued.password)
    assert device.connected.wait(10)
    listener = Listener(fresh_nats)

    device.publish("plant/edge-2/temp", b"stolen")
    device.publish("yh/in/1/raw", b"stolen")
    device.publish("odd/v1.0/a/y", b"stolen")
    allowed = ["plant/edge-1/temp", "plant/edge-1", "odd/v1.0/a/x", "plant/edge-1/last"]
    for topic in allowed:
        device.publish(topic, b"own")

    last = MQTT_PREFIX + subject_of_topic("plant/edge-1/last")
    until(lambda: last in listener.subjects())
    assert listener.subjects() == [MQTT_PREFIX + subject_of_topic(topic) for topic in allowed]
    listener.close()
    device.close()


def test_a_device_hears_only_what_it_was_given(fresh_nats):
    hears = a_device("edge-1", ["plant/edge-1/#"], subscribe=["plant/edge-1/commands/#"])
    speaks = a_device("boss", ["plant/#"])
    fresh_nats.set_devices(render_devices())
    listening, speaking = Client(fresh_nats, "edge-1", hears.password), Client(fresh_nats, "boss", speaks.password)
    assert listening.connected.wait(10)
    assert speaking.connected.wait(10)

    assert listening.subscribe("plant/edge-1/commands/#")
    assert not listening.subscribe("#")
    assert not listening.subscribe("plant/edge-2/#")
    speaking.publish("plant/edge-2/secret", b"no")
    speaking.publish("plant/edge-1/commands/go", b"yes")

    until(lambda: listening.received)
    assert listening.received == [("plant/edge-1/commands/go", b"yes")]
    listening.close()
    speaking.close()


def test_a_sparkplug_node_hears_its_commands_and_the_state_of_the_host(fresh_nats):
    issued = a_device("edge-1", ["spBv1.0/Plant/+/edge-1/#"])
    fresh_nats.set_devices(render_devices())
    node = Client(fresh_nats, "edge-1", issued.password)
    assert node.connected.wait(10)
    for topic in ("spBv1.0/Plant/NCMD/edge-1/#", "spBv1.0/Plant/DCMD/edge-1/#", "spBv1.0/STATE/+", "STATE/host"):
        assert node.subscribe(topic), topic
    assert not node.subscribe("spBv1.0/Plant/NDATA/edge-2")
    node.close()


def test_a_revoked_device_and_a_wrong_password_do_not_get_in(fresh_nats):
    issued = a_device("edge-1", ["plant/edge-1/#"])
    fresh_nats.set_devices(render_devices())
    wrong = Client(fresh_nats, "edge-1", "not the password")
    assert wrong.failed.wait(10)
    wrong.close()

    revoke_device(actor=SYSTEM, device_id=issued.device.pk, at=SHIFT_START)
    fresh_nats.set_devices(render_devices())
    revoked = Client(fresh_nats, "edge-1", issued.password)
    assert revoked.failed.wait(10)
    revoked.close()


def test_a_devices_password_does_not_open_the_nats_port(fresh_nats):
    issued = a_device("edge-1", ["plant/edge-1/#"])
    fresh_nats.set_devices(render_devices())
    url = f"nats://edge-1:{issued.password}@127.0.0.1:{fresh_nats.broker.port}"
    with pytest.raises((WireError, OSError, TimeoutError)):
        asyncio.run(connect(url))
