"""Streams, consumers and buckets: made before any device may connect, so that nothing is lost from the start.

`$MQTT_msgs` belongs to nats-server and appears with the first MQTT client; its retention is *interest*, so a
message is kept only while a consumer wants it. Hence the order: one harmless MQTT CONNECT, then the durable
consumer, then devices.
"""

from __future__ import annotations

import asyncio
import json
import ssl
from dataclasses import dataclass
from typing import Any

from yuheng.bus import subjects
from yuheng.bus.wire import Connection, WireError, connect

GIB = 1024**3


@dataclass(frozen=True, slots=True)
class StreamLimits:
    """Bounds of the streams. Overflow: all refuse new (producers hold), but dead letters drop the oldest.

    Together they must stay below what nats-server may store. One stream without a bound would fill all of it, and then
    the server refuses every stream: the historian could keep no dead letter and tell no change of state, hence
    acknowledge nothing, and what is full would stay full for ever.
    """

    ingest_bytes: int = 4 * GIB
    dead_bytes: int = 2 * GIB
    events_bytes: int = 1 * GIB
    alarms_bytes: int = 512 * 1024**2
    births_bytes: int = 0  # 0, here and below: no bound of its own
    mqtt_bytes: int = 0  # MQTT messages that the historian has not taken yet
    mqtt_state_bytes: int = 0  # each of MQTT's own small streams: sessions, retained messages, QoS 2
    max_ack_pending: int = 500_000
    ack_wait_s: float = 600.0  # recovery after a restart is explicit, so redelivery is only a last resort


async def ensure_streams(
    nats_url: str,
    mqtt_host: str,
    mqtt_port: int,
    mqtt_user: str,
    mqtt_password: str,
    limits: StreamLimits = StreamLimits(),
    mqtt_tls: ssl.SSLContext | None = None,
) -> None:
    """Make or update everything; safe to call at every start. ``mqtt_tls``: how to reach an MQTT door with TLS.

    Raises
    ------
    WireError
        nats-server refuses; the sentence says what.
    OSError, TimeoutError
        nats-server or its MQTT door cannot be reached.
    """
    connection = await connect(nats_url, name="yuheng-setup")
    try:
        for stream in _streams(limits):
            await _ensure_stream(connection, stream)
        await greet_mqtt(mqtt_host, mqtt_port, mqtt_user, mqtt_password, tls=mqtt_tls)
        await _wait_for_stream(connection, subjects.MQTT_STREAM)
        await _bound(connection, subjects.MQTT_STREAM, limits.mqtt_bytes)
        for name in subjects.MQTT_STATE_STREAMS:
            await _bound(connection, name, limits.mqtt_state_bytes)
        await _ensure_consumer(
            connection,
            subjects.MQTT_STREAM,
            {**_log_consumer(limits), "filter_subject": f"{subjects.MQTT_PREFIX}>"},
        )
        await _ensure_consumer(connection, subjects.INGEST_STREAM, _log_consumer(limits))
        for stream_name in (subjects.EVENTS_STREAM, subjects.ALARMS_STREAM, subjects.DEAD_STREAM):
            await _ensure_consumer(connection, stream_name, _worker_consumer())
    finally:
        connection.close()


def _streams(limits: StreamLimits) -> list[dict[str, Any]]:
    common = {"storage": "file", "num_replicas": 1, "max_consumers": -1, "max_msgs": -1, "max_age": 0}
    bucket = {
        **common,
        "retention": "limits",
        "discard": "new",
        "max_msgs_per_subject": 1,
        "allow_rollup_hdrs": True,
        "deny_delete": True,
        "allow_direct": True,
    }
    return [
        {
            **common,
            "name": subjects.INGEST_STREAM,
            "subjects": ["yh.in.>"],
            "retention": "interest",  # a work queue would refuse ack-all
            "discard": "new",
            "max_bytes": limits.ingest_bytes,
        },
        {
            **common,
            "name": subjects.DEAD_STREAM,
            "subjects": ["yh.dead.>"],
            "retention": "limits",
            "discard": "old",
            "max_bytes": limits.dead_bytes,
            "allow_direct": True,
        },
        {
            **common,
            "name": subjects.EVENTS_STREAM,
            "subjects": ["yh.ev.>"],
            "retention": "interest",  # a work queue would refuse ack-all
            "discard": "new",
            "max_bytes": limits.events_bytes,
        },
        {
            **common,
            "name": subjects.ALARMS_STREAM,
            "subjects": ["yh.alarm.>"],
            "retention": "interest",
            "discard": "new",
            "max_bytes": limits.alarms_bytes,
        },
        *(
            {**bucket, "name": f"KV_{name}", "subjects": [f"$KV.{name}.>"], "max_bytes": size or -1}
            for name, size in ((subjects.CONFIG_BUCKET, 0), (subjects.BIRTHS_BUCKET, limits.births_bytes))
        ),
    ]


def _log_consumer(limits: StreamLimits) -> dict[str, Any]:
    return {
        "durable_name": subjects.HISTORIAN_DURABLE,
        "ack_policy": "all",
        "ack_wait": int(limits.ack_wait_s * 1e9),
        "max_ack_pending": limits.max_ack_pending,
        "deliver_policy": "all",
        "replay_policy": "instant",
    }


def _worker_consumer() -> dict[str, Any]:
    return {
        "durable_name": subjects.WORKER_DURABLE,
        "ack_policy": "all",  # the worker reads with `bus.log_reader.LogReader` and keeps its position in PostgreSQL
        "ack_wait": int(600e9),
        "max_ack_pending": 10_000,
        "deliver_policy": "all",
        "replay_policy": "instant",
    }


async def _call(connection: Connection, operation: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    payload = json.dumps(body).encode() if body is not None else b""
    _, answer = await connection.request(f"$JS.API.{operation}", payload, timeout_s=10.0)
    return json.loads(answer) if answer else {"error": {"code": 503, "description": "JetStream is not enabled"}}


async def _ensure_stream(connection: Connection, config: dict[str, Any]) -> None:
    name = config["name"]
    answer = await _call(connection, f"STREAM.INFO.{name}")
    operation = "CREATE" if "error" in answer else "UPDATE"
    answer = await _call(connection, f"STREAM.{operation}.{name}", config)
    if "error" in answer:
        raise WireError(f"The stream {name} cannot be made: {answer['error'].get('description')}.")


async def hold_producers(nats_url: str) -> None:
    """Let the logs of samples take nothing more, so that devices keep what they have; nothing stored is dropped.

    `ensure_streams` lets them go on. Raises `WireError`, `OSError` or `TimeoutError`.
    """
    connection = await connect(nats_url, name="yuheng-setup")
    try:
        for name in (subjects.MQTT_STREAM, subjects.INGEST_STREAM):
            await _bound(connection, name, 1)
    finally:
        connection.close()


async def _bound(connection: Connection, name: str, size: int) -> None:
    """Bound a stream that is there to ``size`` bytes, beyond which it refuses; 0 leaves it as it is."""
    config = (await _call(connection, f"STREAM.INFO.{name}")).get("config")
    if not size or config is None or (config["max_bytes"], config["discard"]) == (size, "new"):
        return
    answer = await _call(connection, f"STREAM.UPDATE.{name}", {**config, "max_bytes": size, "discard": "new"})
    if "error" in answer:
        raise WireError(f"The stream {name} cannot be bounded: {answer['error'].get('description')}.")


async def _ensure_consumer(connection: Connection, stream: str, config: dict[str, Any]) -> None:
    body = {"stream_name": stream, "config": config}
    answer = await _call(connection, f"CONSUMER.DURABLE.CREATE.{stream}.{config['durable_name']}", body)
    if "error" in answer:
        raise WireError(f"The reader of {stream} cannot be made: {answer['error'].get('description')}.")


async def _wait_for_stream(connection: Connection, stream: str, timeout_s: float = 10.0) -> None:
    async with asyncio.timeout(timeout_s):
        # polled, because the server tells nobody when it has made the stream
        while "error" in await _call(connection, f"STREAM.INFO.{stream}"):  # noqa: ASYNC110
            await asyncio.sleep(0.02)


def _mqtt_text(text: str) -> bytes:
    data = text.encode()
    return len(data).to_bytes(2, "big") + data


async def greet_mqtt(
    host: str, port: int, user: str, password: str, timeout_s: float = 10.0, *, tls: ssl.SSLContext | None = None
) -> None:
    """Connect and disconnect one MQTT 3.1.1 client: nats-server then makes its own MQTT streams.

    Raises
    ------
    WireError
        The broker refused the connection (wrong user or password).
    """
    flags = 0x02 | (0xC0 if user else 0)
    body = _mqtt_text("MQTT") + bytes([4, flags]) + (30).to_bytes(2, "big") + _mqtt_text("yuheng-setup")
    if user:
        body += _mqtt_text(user) + _mqtt_text(password)
    async with asyncio.timeout(timeout_s):
        reader, writer = await asyncio.open_connection(host, port, ssl=tls)
        try:
            writer.write(b"\x10" + _remaining_length(len(body)) + body)
            answer = await reader.readexactly(4)
            if answer[0] != 0x20 or answer[3] != 0:
                raise WireError(f"The MQTT door refuses the user {user!r} (CONNACK code {answer[3]}).")
            writer.write(b"\xe0\x00")
            await writer.drain()
        except asyncio.IncompleteReadError as error:
            raise WireError("The MQTT door closed the connection without an answer.") from error
        finally:
            writer.close()


def _remaining_length(size: int) -> bytes:
    """MQTT's variable length: seven bits a byte, the top bit says that more follow."""
    out = bytearray()
    while True:
        size, low = divmod(size, 128)
        out.append(low | (0x80 if size else 0))
        if not size:
            return bytes(out)
