"""The scripts we compare ourselves with: what a good engineer writes in an afternoon.

``python -m yuheng.bench.peers KIND SETTINGS``: a paho subscriber (QoS 1) hands payloads to a writer thread,
which parses JSON and writes batches; it prints the number of committed messages after each batch. The writer takes
whatever waits, up to `BATCH_MESSAGES`, so it commits at once when idle and in large batches when busy: the sizes
at which these stores were fastest on our machine.
"""

from __future__ import annotations

import http.client
import json
import queue
import struct
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Protocol

import msgspec
import numpy as np
import paho.mqtt.client as paho
import psycopg
from paho.mqtt.enums import CallbackAPIVersion

BATCH_MESSAGES = {"influx": 100, "influx_fields": 100, "pg_copy": 500, "pg_copy_packed": 500}
QUEUE_MESSAGES = 20_000
"""Full: the network thread waits, so TCP holds the broker."""

POSTGRES_EPOCH_US = int(datetime(2000, 1, 1, tzinfo=UTC).timestamp()) * 1_000_000
COPY_HEADER = b"PGCOPY\n\xff\r\n\x00" + struct.pack(">ii", 0, 0)
COPY_END = struct.pack(">h", -1)
COPY_ROW = np.dtype(
    [
        ("fields", ">i2"),
        ("tag_size", ">i4"),
        ("tag", ">i4"),
        ("time_size", ">i4"),
        ("time", ">i8"),
        ("value_size", ">i4"),
        ("value", ">f8"),
        ("quality_size", ">i4"),
        ("quality", ">i2"),
    ]
)
"""One row of PostgreSQL's binary COPY format: (tag int4, time timestamptz, value float8, quality int2)."""

TABLE = """
CREATE TABLE point (tag int4 NOT NULL, time timestamptz NOT NULL, value float8 NOT NULL, quality int2 NOT NULL);
CREATE INDEX point_time ON point USING brin (time);
"""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Where the broker and the store are."""

    mqtt_port: int
    username: str
    password: str
    store: str  # "host:port" of InfluxDB, connection string of PostgreSQL


class Store(Protocol):
    """Writes parsed messages durably."""

    def write(self, messages: list[tuple[str, dict[str, Any]]]) -> None:
        """Return once the messages, (topic, JSON object) each, are committed."""
        ...


class InfluxStore:
    """Line protocol to InfluxDB 1.x, one line a point: a series a tag, as the client libraries' guides show."""

    def __init__(self, settings: Settings) -> None:
        self._connection = http.client.HTTPConnection(settings.store, timeout=60)
        self._post("/query?q=CREATE+DATABASE+bench", b"")

    def _post(self, path: str, body: bytes) -> None:
        self._connection.request("POST", path, body)
        response = self._connection.getresponse()
        answer = response.read()
        if response.status >= 300:
            raise RuntimeError(f"InfluxDB answered {response.status}: {answer[:200]!r}")

    def lines(self, topic: str, message: dict[str, Any]) -> list[str]:
        """Return the lines of one message."""
        stamp = message["ts"]
        device = topic.rsplit("/", 1)[1]
        return [
            f"point,device={device},tag={name} value={float(value)} {stamp}"
            for name, value in message["values"].items()
        ]

    def write(self, messages: list[tuple[str, dict[str, Any]]]) -> None:
        """Post one batch."""
        lines: list[str] = []
        for topic, message in messages:
            lines += self.lines(topic, message)
        self._post("/write?db=bench&precision=ms", "\n".join(lines).encode())


class InfluxFieldsStore(InfluxStore):
    """The same with one line a message, its values as fields of one series: less for InfluxDB to parse."""

    def lines(self, topic: str, message: dict[str, Any]) -> list[str]:
        """Return one line."""
        fields = ",".join(f"{name}={float(value)}" for name, value in message["values"].items())
        return [f"{topic.rsplit('/', 1)[1]} {fields} {message['ts']}"]


class PostgresStore:
    """psycopg's binary COPY, row by row, into a narrow table; one transaction a batch."""

    def __init__(self, settings: Settings) -> None:
        self.connection = psycopg.connect(settings.store, autocommit=True)
        self.connection.execute(TABLE)
        self.tags: dict[str, int] = {}

    def write(self, messages: list[tuple[str, dict[str, Any]]]) -> None:
        """Copy one batch."""
        numbers = self.tags
        with self.connection.cursor() as cursor, cursor.copy("COPY point FROM STDIN (FORMAT binary)") as copy:
            copy.set_types(["int4", "timestamptz", "float8", "int2"])
            for _topic, message in messages:
                time = datetime.fromtimestamp(message["ts"] / 1000, UTC)
                for name, value in message["values"].items():
                    copy.write_row((numbers.setdefault(name, len(numbers)), time, float(value), 0))


class PostgresPackedStore(PostgresStore):
    """The same, its rows packed by NumPy: what an expert writes after profiling."""

    def write(self, messages: list[tuple[str, dict[str, Any]]]) -> None:
        """Copy one batch."""
        tags: list[int] = []
        times: list[int] = []
        values: list[float] = []
        numbers = self.tags
        for _topic, message in messages:
            for name, value in message["values"].items():
                tags.append(numbers.setdefault(name, len(numbers)))
                values.append(value)
            times += [message["ts"] * 1000 - POSTGRES_EPOCH_US] * len(message["values"])
        rows = np.zeros(len(tags), COPY_ROW)
        rows["fields"], rows["tag_size"], rows["time_size"] = 4, 4, 8
        rows["value_size"], rows["quality_size"] = 8, 2
        rows["tag"], rows["time"], rows["value"] = tags, times, values
        with self.connection.cursor() as cursor, cursor.copy("COPY point FROM STDIN (FORMAT binary)") as copy:
            copy.write(COPY_HEADER)
            copy.write(rows.tobytes())
            copy.write(COPY_END)


STORES: dict[str, Callable[[Settings], Store]] = {
    "influx": InfluxStore,
    "influx_fields": InfluxFieldsStore,
    "pg_copy": PostgresStore,
    "pg_copy_packed": PostgresPackedStore,
}


def subscribe(settings: Settings, waiting: queue.Queue[tuple[str, bytes]], on_ready: Callable[[], None]) -> paho.Client:
    """Start paho's network thread; every message goes into the queue."""
    client = paho.Client(CallbackAPIVersion.VERSION2, client_id="bench-peer", clean_session=False)
    client.username_pw_set(settings.username, settings.password)

    def on_connect(connected: paho.Client, *_: object) -> None:
        connected.subscribe("bench/#", qos=1)

    def on_subscribe(*_: object) -> None:
        on_ready()

    def on_message(_client: paho.Client, _data: object, message: paho.MQTTMessage) -> None:
        waiting.put((message.topic, bytes(message.payload)))

    client.on_connect, client.on_subscribe, client.on_message = on_connect, on_subscribe, on_message
    client.connect("127.0.0.1", settings.mqtt_port)
    client.loop_start()
    return client


def write_for_ever(store: Store, waiting: queue.Queue[tuple[str, bytes]], batch_messages: int) -> None:
    """Write batch after batch and print the number of messages committed so far."""
    committed = 0
    while True:
        raw = [waiting.get()]
        while len(raw) < batch_messages and not waiting.empty():
            raw.append(waiting.get())
        store.write([(topic, json.loads(payload)) for topic, payload in raw])
        committed += len(raw)
        sys.stdout.write(f"{committed}\n")
        sys.stdout.flush()


def main() -> None:
    """Subscribe and write until killed."""
    kind, settings = sys.argv[1], msgspec.json.decode(sys.argv[2], type=Settings)
    waiting: queue.Queue[tuple[str, bytes]] = queue.Queue(QUEUE_MESSAGES)
    store = STORES[kind](settings)
    subscribed = threading.Event()
    client = subscribe(settings, waiting, subscribed.set)
    if not subscribed.wait(10):
        raise TimeoutError("The broker did not confirm the subscription.")
    sys.stdout.write("0\n")
    sys.stdout.flush()
    try:
        write_for_ever(store, waiting, BATCH_MESSAGES[kind])
    finally:
        client.loop_stop()


if __name__ == "__main__":
    main()
