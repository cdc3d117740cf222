"""Streams keep out of each other's way: what is full must not stop what empties it."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import paho.mqtt.client as mqtt

from yuheng.bus import setup, subjects
from yuheng.bus.setup import StreamLimits, ensure_streams, hold_producers
from yuheng.bus.wire import connect
from yuheng.testing.engines import RunningBroker

MB = 1_000_000
LIMITS = StreamLimits(
    ingest_bytes=8 * MB,
    dead_bytes=4 * MB,
    events_bytes=2 * MB,
    alarms_bytes=1 * MB,
    births_bytes=1 * MB,
    mqtt_bytes=20 * MB,
    mqtt_state_bytes=1 * MB,
)


async def prepared(broker: RunningBroker) -> None:
    broker.stop()
    broker.broker = replace(broker.broker, max_store_bytes=40 * MB)
    broker.start()
    await ensure(broker)


async def ensure(broker: RunningBroker) -> None:
    await ensure_streams(broker.url, broker.host, broker.mqtt_port, "yuheng", broker.broker.password, LIMITS)


def acknowledged(broker: RunningBroker, count: int, *, is_retained: bool = False) -> int:
    """Publish megabytes with QoS 1 on topics of their own until one is not acknowledged; return how many were."""
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id="filler")
    client.username_pw_set("yuheng", broker.broker.password)
    client.connect(broker.host, broker.mqtt_port)
    client.loop_start()
    try:
        for number in range(count):
            message = client.publish(f"plant/{number}", b"x" * MB, qos=1, retain=is_retained)
            try:
                message.wait_for_publish(2.0)
            except (RuntimeError, ValueError):
                return number
            if not message.is_published():
                return number
        return count
    finally:
        client.loop_stop()
        client.disconnect()


async def state_of(broker: RunningBroker, stream: str) -> dict[str, int]:
    connection = await connect(broker.url)
    try:
        return (await setup._call(connection, f"STREAM.INFO.{stream}"))["state"]
    finally:
        connection.close()


async def refused_subjects(broker: RunningBroker, *asked: str) -> list[str]:
    connection = await connect(broker.url)
    try:
        answers = [await connection.request(subject, b"x" * 100) for subject in asked]
    finally:
        connection.close()
    return [subject for subject, (_, answer) in zip(asked, answers, strict=True) if b'"error"' in answer]


INTERNAL = ("yh.dead.0.undecodable", "yh.ev.state.1", "$KV.yh_births.1.a", "$KV.yh_config.plant", "yh.in.1.raw")


async def test_a_log_full_of_mqtt_messages_leaves_room_for_what_the_historian_must_say(fresh_nats: RunningBroker):
    await prepared(fresh_nats)
    taken = await asyncio.to_thread(acknowledged, fresh_nats, 60)
    assert 10 <= taken < 20
    assert (await state_of(fresh_nats, subjects.MQTT_STREAM))["messages"] == taken
    assert await refused_subjects(fresh_nats, *INTERNAL) == []


async def test_retained_messages_cannot_fill_the_log_either(fresh_nats: RunningBroker):
    await prepared(fresh_nats)
    await asyncio.to_thread(acknowledged, fresh_nats, 10, is_retained=True)
    assert (await state_of(fresh_nats, "$MQTT_rmsgs"))["bytes"] <= MB
    assert await refused_subjects(fresh_nats, *INTERNAL) == []


async def test_held_producers_lose_nothing_and_go_on_when_there_is_room(fresh_nats: RunningBroker):
    await prepared(fresh_nats)
    assert await asyncio.to_thread(acknowledged, fresh_nats, 3) == 3
    await hold_producers(fresh_nats.url)
    assert await asyncio.to_thread(acknowledged, fresh_nats, 3) == 0
    assert await refused_subjects(fresh_nats, *INTERNAL) == ["yh.in.1.raw"]
    assert (await state_of(fresh_nats, subjects.MQTT_STREAM))["messages"] == 3
    await ensure(fresh_nats)
    assert await asyncio.to_thread(acknowledged, fresh_nats, 3) == 3
    assert (await state_of(fresh_nats, subjects.MQTT_STREAM))["messages"] == 6
