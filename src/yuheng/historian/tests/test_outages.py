"""What happens to data while something changes or fails under traffic: nothing is lost, memory stays bounded."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from yuheng.bus import subjects
from yuheng.bus.messages import SampleBatch
from yuheng.bus.wire import Connection, connect, encode_header
from yuheng.historian.limits import DEFAULT_LIMITS
from yuheng.historian.service import Historian
from yuheng.historian.store import Store, StoreFailure
from yuheng.historian.tests.processes import HistorianProcess, a_plant, ask, prepare, publish_plant
from yuheng.testing.engines import RunningBroker

pytestmark = pytest.mark.engines

LIMITS = replace(
    DEFAULT_LIMITS,
    buffer_points=4_000,
    busy_commit_s=0.02,
    quiet_commit_s=0.02,
    retry_first_s=0.02,
    retry_last_s=0.05,
    rollup_s=0.2,
)
IN_FLIGHT = 2_500
"""Messages that two requests of the reader may still bring after it was told to hold."""


class FailingStore:
    """The store of the test's process; takes nothing while it is out."""

    def __init__(self, store: Store) -> None:
        self.is_out = False
        self.refusals = 0
        self._store = store

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def insert(self, table: str, columns: Any) -> None:
        if self.is_out:
            self.refusals += 1
            raise StoreFailure("The disk of the history does not answer.")
        self._store.insert(table, columns)

    def close(self) -> None:
        """The engine is the whole session's."""


async def send(connection: Connection, unit: str, numbers: range, start_ms: int) -> None:
    """Send count = number as messages of their own; all are in the log when it returns."""
    header = encode_header({subjects.HEADER_TOPIC: f"p/{unit}"})
    for at in range(0, len(numbers), 1000):
        answers = await asyncio.gather(
            *(
                connection.request_later(
                    subjects.ingest_raw(1),
                    json.dumps({"ts": start_ms + number, "values": {"count": number}}).encode(),
                    header=header,
                )
                for number in numbers[at : at + 1000]
            )
        )
        assert all(b'"seq"' in answer for _, answer in answers)


async def until(condition: Any, what: str, timeout_s: float = 40.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"Waited {timeout_s:.0f} s for {what}.")
        await asyncio.sleep(0.01)


def counts(store: Store, tag: int) -> list[int]:
    return [int(v) for (v,) in store.rows(f"SELECT value FROM samples FINAL WHERE tag = {tag} ORDER BY time")]


async def test_an_outage_of_the_store_holds_the_log_bounds_memory_and_loses_nothing(
    fresh_nats: RunningBroker, store: Store
):
    await prepare(fresh_nats, a_plant())
    failing = FailingStore(store)
    historian = Historian(nats_url=fresh_nats.url, store=failing, limits=LIMITS)  # type: ignore[arg-type]
    task = asyncio.create_task(historian.run())
    pipeline = historian.pipeline
    peak = 0
    connection = await connect(fresh_nats.url)
    start_ms = int(time.time() * 1000) - 60_000
    try:
        await send(connection, "U0", range(1, 501), start_ms)
        await until(lambda: len(counts(store, 3)) == 500, "the first samples")
        async with asyncio.timeout(40):  # rows are seen before the log hears of it
            while (await consumer(connection))["ack_floor"]["stream_seq"] < 500:  # noqa: ASYNC110 - no event to wait for
                await asyncio.sleep(0.02)
        failing.is_out = True
        for first in range(501, 20_001, 1500):
            await send(connection, "U0", range(first, min(first + 1500, 20_001)), start_ms)
            peak = max(peak, pipeline.pending.points)
        await until(lambda: pipeline.is_held and failing.refusals > 3, "the log to be held")
        assert "does not answer" in historian.health().facts["hold_reason"]
        assert [r.is_paused for r in historian.readers if r.stream == subjects.INGEST_STREAM] == [True]
        assert max(peak, pipeline.pending.points) <= LIMITS.buffer_points + IN_FLIGHT
        info = await consumer(connection)
        assert info["num_pending"] > 5_000  # the rest was not even asked for
        assert info["ack_floor"]["stream_seq"] == 500
        assert len(counts(store, 3)) == 500
        failing.is_out = False
        await until(lambda: len(counts(store, 3)) == 20_000, "catching up")
        assert counts(store, 3) == list(range(1, 20_001))
        await until(lambda: not pipeline.is_held and not historian.committer.facts.hold_reason, "the end of the hold")
        assert store.rows("SELECT count() FROM samples") == store.rows("SELECT count() FROM samples FINAL")
    finally:
        connection.close()
        historian.stop()
        await asyncio.wait_for(task, 15)


async def consumer(connection: Connection) -> dict[str, Any]:
    subject = f"$JS.API.CONSUMER.INFO.{subjects.INGEST_STREAM}.{subjects.HISTORIAN_DURABLE}"
    _, answer = await connection.request(subject, b"")
    return json.loads(answer)


async def test_a_plant_changed_under_traffic_loses_no_message_and_takes_effect_from_one_message_on(
    fresh_nats: RunningBroker, store: Store
):
    await prepare(fresh_nats, a_plant(1))
    historian = Historian(nats_url=fresh_nats.url, store=FailingStore(store), limits=LIMITS)  # type: ignore[arg-type]
    task = asyncio.create_task(historian.run())
    connection = await connect(fresh_nats.url)
    start_ms = int(time.time() * 1000) - 60_000
    total = 4_000
    try:
        await until(lambda: bool(historian.readers), "the historian to read")
        for first in range(1, total + 1, 100):
            numbers = range(first, first + 100)
            await asyncio.gather(send(connection, "U0", numbers, start_ms), send(connection, "U1", numbers, start_ms))
            if first == total // 2 + 1:  # U1 becomes known while its messages are under way
                await until(lambda: len(counts(store, 3)) > 0, "the traffic to be stored")
                await publish_plant(fresh_nats, a_plant(2, version=2))
        await until(lambda: len(counts(store, 3)) == total, "all of U0")
        await until(lambda: counts(store, 7)[-1:] == [total], "the newest of U1")
        assert counts(store, 3) == list(range(1, total + 1))
        known = counts(store, 7)
        dead = await dead_letters(connection)
        assert known == list(range(known[0], total + 1))
        assert total // 4 < known[0] <= total
        assert len(dead) == known[0] - 1
        assert sorted(dead) == list(range(1, known[0]))
    finally:
        connection.close()
        historian.stop()
        await asyncio.wait_for(task, 15)


async def dead_letters(connection: Connection) -> list[int]:
    """Return the times of the points in dead letters, as the numbers that were sent."""
    _, answer = await connection.request(f"$JS.API.STREAM.INFO.{subjects.DEAD_STREAM}", b"")
    state = json.loads(answer)["state"]
    found = []
    for sequence in range(state["first_seq"], state["last_seq"] + 1):
        _, answer = await connection.request(
            f"$JS.API.STREAM.MSG.GET.{subjects.DEAD_STREAM}", json.dumps({"seq": sequence}).encode()
        )
        stored = json.loads(answer)["message"]
        assert stored["subject"] == "yh.dead.1.unknown_tag"
        batch = msgspec.msgpack.decode(base64.b64decode(stored["data"]), type=SampleBatch)
        assert batch.addresses == ["U1/count"]
        found += batch.values
    return found


@pytest.fixture
def process(fresh_nats: RunningBroker, tmp_path: Path) -> Iterator[HistorianProcess]:
    process = HistorianProcess(fresh_nats.url, tmp_path)
    yield process
    if process.is_alive():
        process.kill()


async def test_it_stops_within_five_seconds_in_the_middle_of_a_backlog_and_goes_on_where_it_was(
    fresh_nats: RunningBroker, process: HistorianProcess
):
    await prepare(fresh_nats, a_plant())
    connection = await connect(fresh_nats.url)
    start_ms = int(time.time() * 1000) - 3_600_000
    messages, each = 2_000, 100
    header = encode_header({subjects.HEADER_TOPIC: "p/U0"})
    for at in range(0, messages, 500):
        bodies = (
            [{"ts": start_ms + number, "values": {"count": number}} for number in range(m * each, (m + 1) * each)]
            for m in range(at, at + 500)
        )
        await asyncio.gather(
            *(connection.request_later(subjects.ingest_raw(1), json.dumps(b).encode(), header=header) for b in bodies)
        )
    process.start()
    await asyncio.to_thread(process.wait_ready)
    await asyncio.to_thread(process.stop)
    process.start()
    await asyncio.to_thread(process.wait_ready)
    question = {"tags": [3], "start_us": start_ms * 1000, "end_us": (start_ms + 10**6) * 1000, "limit": 500_000}
    deadline = time.monotonic() + 40
    stored: list[float] = []
    while len(stored) < messages * each and time.monotonic() < deadline:
        stored = (await ask(connection, "raw", **question))["value"].to_pylist()
    assert stored == list(range(messages * each))
    connection.close()
