"""The whole way with a real broker and real processes, some of them killed."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator
from pathlib import Path

import paho.mqtt.client as mqtt
import pytest

from yuheng.bus import subjects
from yuheng.bus.setup import ensure_streams
from yuheng.bus.wire import Connection, connect
from yuheng.engines.points import Refusal
from yuheng.historian.tests.processes import (
    HistorianProcess,
    a_plant,
    ask,
    credentials,
    prepare,
    publish_plant,
    wait_until,
)
from yuheng.testing.engines import RunningBroker

pytestmark = pytest.mark.engines


@pytest.fixture
def historian(fresh_nats: RunningBroker, tmp_path: Path) -> Iterator[HistorianProcess]:
    process = HistorianProcess(fresh_nats.url, tmp_path)
    yield process
    if process.is_alive():
        process.kill()


class NumberedPublisher:
    """Sends count = 1, 2, 3, ... over QoS 1 for a tag, and knows how many were acknowledged."""

    def __init__(self, broker: RunningBroker, unit: str, start_ms: int) -> None:
        self.acknowledged: set[int] = set()  # message ids; fewer than 65,536, so none comes twice
        self._unit = unit
        self._start_ms = start_ms
        self._client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id=f"pub-{unit}", clean_session=False)
        self._client.username_pw_set(*credentials(broker))
        self._client.max_inflight_messages_set(200)
        self._client.reconnect_delay_set(0.1, 0.3)
        self._client.on_publish = self._published
        self._client.connect(broker.host, broker.mqtt_port)
        self._client.loop_start()

    def _published(self, client, userdata, mid, reason, properties) -> None:
        self.acknowledged.add(mid)

    def send(self, number: int) -> None:
        values = {"count": number, "run": number // 50 % 2 == 0, "fault": 0}
        self._client.publish(f"p/{self._unit}", json.dumps({"ts": self._start_ms + number, "values": values}), qos=1)

    def wait_acknowledged(self, count: int) -> None:
        wait_until(lambda: len(self.acknowledged) >= count, f"{count} acknowledgements", 60)

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


async def stored_counts(connection: Connection, tag: int, start_ms: int) -> list[int]:
    table = await ask(
        connection, "raw", tags=[tag], start_us=start_ms * 1000, end_us=(start_ms + 10**6) * 1000, limit=500_000
    )
    return [int(value) for value in table["value"].to_pylist()]


async def until_stored(url: str, tag: int, start_ms: int, count: int) -> list[int]:
    """Ask until that many rows are there; the historian may be restarting."""
    connection = await connect(url)
    deadline = time.monotonic() + 40
    found: list[int] = []
    while len(found) < count and time.monotonic() < deadline:
        try:
            found = await stored_counts(connection, tag, start_ms)
        except (TimeoutError, AssertionError):
            found = []
        await asyncio.sleep(0.1)
    connection.close()
    return found


async def test_every_acknowledged_sample_is_one_row_although_reader_and_broker_are_killed(
    fresh_nats: RunningBroker, historian: HistorianProcess
):
    await prepare(fresh_nats, a_plant())
    historian.start()
    historian.wait_ready()
    start_ms = int(time.time() * 1000) - 60_000
    publisher = NumberedPublisher(fresh_nats, "U0", start_ms)
    total = 6000
    for number in range(1, total + 1):
        publisher.send(number)
        if number in (1500, 4500):
            publisher.wait_acknowledged(number - 300)
            historian.kill()
            historian.start()
        if number == 3000:
            publisher.wait_acknowledged(number - 300)
            await asyncio.to_thread(fresh_nats.restart)
    await asyncio.to_thread(publisher.wait_acknowledged, total)
    publisher.close()
    found = await until_stored(fresh_nats.url, 3, start_ms, total)
    assert found == list(range(1, total + 1))


async def test_a_restarted_historian_knows_newest_values_and_states(
    fresh_nats: RunningBroker, historian: HistorianProcess
):
    await prepare(fresh_nats, a_plant())
    historian.start()
    historian.wait_ready()
    start_ms = int(time.time() * 1000) - 5_000
    publisher = NumberedPublisher(fresh_nats, "U1", start_ms)
    for number in range(1, 201):
        publisher.send(number)
    publisher.wait_acknowledged(200)
    assert len(await until_stored(fresh_nats.url, 7, start_ms, 200)) == 200
    connection = await connect(fresh_nats.url)
    before = await ask(connection, "live", site_id=1)
    historian.kill()
    historian.start()
    historian.wait_ready()
    after = await ask(connection, "live", site_id=1)
    assert after["epoch"] != before["epoch"]
    assert (after["units"], after["values"]) == (before["units"], before["values"])
    state = next(unit for unit in after["units"] if unit[0] == 2)
    assert state[1:4] == [2, "", (start_ms + 200) * 1000]  # numbers 200.. run again
    publisher.close()
    connection.close()


async def test_it_stops_within_five_seconds_and_waits_for_its_configuration(
    fresh_nats: RunningBroker, historian: HistorianProcess
):
    user, password = credentials(fresh_nats)
    await ensure_streams(fresh_nats.url, fresh_nats.host, fresh_nats.mqtt_port, user, password)
    historian.start()
    historian.wait_ready()
    start_ms = int(time.time() * 1000)
    publisher = NumberedPublisher(fresh_nats, "U0", start_ms)
    publisher.send(1)
    publisher.wait_acknowledged(1)
    await publish_plant(fresh_nats, a_plant())
    assert await until_stored(fresh_nats.url, 3, start_ms, 1) == [1]
    publisher.close()
    await asyncio.to_thread(historian.stop)


async def test_what_cannot_be_used_is_a_dead_letter_with_its_reason(
    fresh_nats: RunningBroker, historian: HistorianProcess
):
    await prepare(fresh_nats, a_plant())
    historian.start()
    historian.wait_ready()
    connection = await connect(fresh_nats.url)
    now_ms = int(time.time() * 1000)
    bad = {
        b"{bad": "undecodable",
        json.dumps({"ts": 1000, "values": {"count": 1}}).encode(): "ancient_time",
        json.dumps({"ts": now_ms + 10**9, "values": {"count": 1}}).encode(): "future_time",
        json.dumps({"ts": now_ms, "values": {"nobody": 1}}).encode(): "unknown_tag",
    }
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2)
    client.username_pw_set(*credentials(fresh_nats))
    client.connect(fresh_nats.host, fresh_nats.mqtt_port)
    client.loop_start()
    for payload in bad:
        client.publish("p/U0", payload, qos=1).wait_for_publish(5)
    client.publish("nobody/claims/this", b"1", qos=1).wait_for_publish(5)
    client.disconnect()
    client.loop_stop()
    wanted = {subjects.dead(1, Refusal(reason)) for reason in bad.values()} | {"yh.dead.0.unknown_topic"}
    assert await until_dead(connection, wanted) == dict.fromkeys(wanted, 1)
    connection.close()


async def until_dead(connection: Connection, wanted: set[str]) -> dict[str, int]:
    deadline = time.monotonic() + 15
    found: dict[str, int] = {}
    while found.keys() != wanted and time.monotonic() < deadline:
        _, answer = await connection.request(
            f"$JS.API.STREAM.INFO.{subjects.DEAD_STREAM}", json.dumps({"subjects_filter": ">"}).encode()
        )
        found = json.loads(answer)["state"].get("subjects") or {}
        await asyncio.sleep(0.1)
    return found
