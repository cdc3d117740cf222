"""Acknowledged only when safe; held while the store cannot take; bounded meanwhile."""

from __future__ import annotations

import asyncio
import json
import threading
from dataclasses import replace

import pytest
from msgspec.structs import replace as with_

from yuheng.bus import subjects
from yuheng.bus.log_reader import LogMessage
from yuheng.historian.committer import Committer
from yuheng.historian.limits import DEFAULT_LIMITS
from yuheng.historian.pipeline import Pipeline
from yuheng.historian.store import Store, StoreFailure
from yuheng.historian.tests.processes import a_plant

T0 = 1_795_000_000_000_000
LIMITS = replace(
    DEFAULT_LIMITS, gather_s=0.0, quiet_commit_s=0.01, busy_commit_s=0.01, retry_first_s=0.01, retry_last_s=0.02
)


class FakeReader:
    """A log that counts."""

    stream = subjects.MQTT_STREAM
    pending = 0

    def __init__(self) -> None:
        self.acknowledged: list[int] = []
        self.is_paused = False

    def pause(self) -> None:
        self.is_paused = True

    def resume(self) -> None:
        self.is_paused = False

    def acknowledge(self, sequence: int) -> None:
        self.acknowledged.append(sequence)


class Rig:
    def __init__(self, store: Store, free: list[int], **limits: int) -> None:
        self.free = free
        self.reader = FakeReader()
        store._free_bytes = lambda: free[0]
        bounds = replace(LIMITS, **limits)
        self.pipeline = Pipeline(clock_us=lambda: T0, publish=lambda subject, data: None, limits=bounds)
        self.pipeline.configure(replace_rules(a_plant(1)))
        self.committer = Committer(
            self.pipeline,
            store,
            limits=bounds,
            clock_us=lambda: T0,
            connection=lambda: None,
            after_commit=nothing,
        )
        self.sequence = 0

    def arrive(self, count: int) -> None:
        messages = []
        for _ in range(count):
            self.sequence += 1
            body = json.dumps({"ts": T0 // 1000 - 60_000 + self.sequence, "values": {"count": self.sequence}}).encode()
            messages.append(LogMessage(self.sequence, T0, b"$MQTT.msgs.p.U0", b"", body))
        self.pipeline.take(self.reader, messages)
        self.pipeline.process()


def replace_rules(plant):
    """Without work units, so that no state needs the broker."""
    return with_(plant, work_units=(), rule_sets={})


async def nothing() -> None:
    return None


async def until(condition, timeout_s: float = 30.0) -> None:
    async with asyncio.timeout(timeout_s):
        while not condition():  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0.005)


@pytest.fixture
def rig_store(store: Store):
    yield store
    store._free_bytes = None


async def test_the_log_is_acknowledged_after_the_commit_and_not_before(rig_store: Store):
    rig = Rig(rig_store, [10**12])
    rig.arrive(10)
    assert rig.reader.acknowledged == []
    task = asyncio.create_task(rig.committer.run())
    await until(lambda: rig.reader.acknowledged == [10])
    assert rig_store.rows("SELECT count() FROM samples FINAL") == [(10,)]
    rig.committer.stop()
    await task


async def test_a_full_disk_holds_the_log_says_why_and_goes_on_when_there_is_room(rig_store: Store):
    rig = Rig(rig_store, [1_000_000], buffer_points=50)
    task = asyncio.create_task(rig.committer.run())
    rig.arrive(10)
    await until(lambda: rig.committer.facts.hold_reason != "")
    assert "almost full: 1 MB free" in rig.committer.facts.hold_reason
    rig.arrive(60)  # fills the buffer while the first commit is held
    assert rig.reader.is_paused
    assert rig.reader.acknowledged == []
    rig.free[0] = 10**12
    await until(lambda: bool(rig.reader.acknowledged) and rig.reader.acknowledged[-1] == 70)
    assert not rig.reader.is_paused
    assert rig.committer.facts.hold_reason == ""
    assert rig_store.rows("SELECT count(), uniqExact(value) FROM samples FINAL") == [(70, 70)]
    rig.committer.stop()
    await task


async def test_dead_letters_that_the_log_does_not_take_hold_the_acknowledgement(rig_store: Store):
    rig = Rig(rig_store, [10**12])
    rig.pipeline.take(rig.reader, [LogMessage(1, T0, b"$MQTT.msgs.p.U0", b"", b"{bad")])
    rig.pipeline.process()
    task = asyncio.create_task(rig.committer.run())
    await until(lambda: rig.committer.facts.retries > 2)
    assert rig.reader.acknowledged == []
    assert "cannot be reached" in rig.committer.facts.hold_reason
    rig.committer.stop()
    await task


async def test_what_came_during_the_commit_in_which_it_is_told_to_stop_is_committed_too(
    rig_store: Store, monkeypatch: pytest.MonkeyPatch
):
    rig = Rig(rig_store, [10**12])
    is_writing, may_write = threading.Event(), threading.Event()
    insert = rig_store.insert

    def slow_insert(table, columns):
        is_writing.set()
        assert may_write.wait(30)
        insert(table, columns)

    monkeypatch.setattr(rig_store, "insert", slow_insert)
    rig.arrive(10)
    task = asyncio.create_task(rig.committer.run())
    await until(is_writing.is_set)
    rig.arrive(5)
    rig.committer.stop()
    may_write.set()
    await task
    assert rig.reader.acknowledged == [10, 15]
    assert rig_store.rows("SELECT count() FROM samples FINAL") == [(15,)]


async def test_after_a_commit_that_stopping_made_hopeless_nothing_later_is_acknowledged(
    rig_store: Store, monkeypatch: pytest.MonkeyPatch
):
    rig = Rig(rig_store, [10**12])
    insert = rig_store.insert

    def refuse_the_first(table, columns):
        if columns.num_rows == 10:
            raise StoreFailure("Not these.")
        insert(table, columns)

    monkeypatch.setattr(rig_store, "insert", refuse_the_first)
    rig.arrive(10)
    task = asyncio.create_task(rig.committer.run())
    await until(lambda: rig.committer.facts.hold_reason != "")
    rig.arrive(5)
    rig.committer.stop()
    await task
    assert rig.reader.acknowledged == []


def test_best_effort_messages_beyond_the_bound_are_dropped_oldest_first_and_counted(rig_store: Store):
    async def run() -> None:
        rig = Rig(rig_store, [10**12], best_effort_messages=5, buffer_points=1)
        rig.arrive(2)  # full: held
        items = [(b"p.U0", b"", b"NATS/1.0\r\nNmqtt-Pub:0\r\n\r\n", b'{"count": %d}' % n) for n in range(8)]
        rig.pipeline.take_best_effort(items)
        assert rig.pipeline.counters.dropped_best_effort == 3
        promised = [(b"p.U0", b"", b"NATS/1.0\r\nNmqtt-Pub:1\r\n\r\n", b'{"count": 1}')]
        rig.pipeline.take_best_effort(promised)
        assert rig.pipeline.counters.dropped_best_effort == 3  # it comes through the log
        rig.pipeline.process()

    asyncio.run(run())
