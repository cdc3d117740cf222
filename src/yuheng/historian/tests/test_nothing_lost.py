"""What must not be lost when something breaks at the worst moment: a decoder, the log, the process."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import replace

import msgspec
import numpy as np
import pytest

from yuheng.bus.log_reader import LogMessage
from yuheng.bus.messages import SampleBatch, StateRevision
from yuheng.bus.wire import WireError, encode_header, header_value
from yuheng.engines.points import Refusal, RefusedPoint
from yuheng.engines.states.vocabulary import UnitState
from yuheng.historian import deadletters, snapshot
from yuheng.historian.limits import DEFAULT_LIMITS
from yuheng.historian.pipeline import Pipeline
from yuheng.historian.service import Historian
from yuheng.historian.store import Store
from yuheng.historian.tests.processes import a_plant
from yuheng.historian.tests.test_committer import FakeReader

T0 = 1_795_000_000_000_000  # 2026-11-18T11:06:40Z
S = 1_000_000
LIMITS = replace(DEFAULT_LIMITS, gather_s=0.0, retry_first_s=0.01, retry_last_s=0.02, recompute_s=0.0)


class FakeConnection:
    """A log that takes what ``takes`` says, and remembers it."""

    max_payload = 1_000_000

    def __init__(self, takes: Callable[[str], bool] = lambda subject: True) -> None:
        self.takes = takes
        self.published: list[tuple[str, bytes, bytes]] = []
        self.closed = asyncio.Event()

    def request_later(self, subject: str, payload: bytes, *, header: bytes = b"") -> asyncio.Future:
        answer = asyncio.get_running_loop().create_future()
        if len(header) + len(payload) > self.max_payload:
            answer.set_exception(WireError("Maximum Payload Violation"))
        elif self.takes(subject):
            self.published.append((subject, header, payload))
            answer.set_result((b"", b'{"seq": 1}'))
        else:
            answer.set_result((b"", b'{"error": {"description": "no room"}}'))
        return answer

    def publish(self, subject: str, payload: bytes, **more: object) -> None:
        """Live messages: nobody listens."""

    async def drained(self) -> None:
        """Never full."""

    def revisions(self) -> list[StateRevision]:
        return [msgspec.json.decode(p, type=StateRevision) for s, _, p in self.published if s.startswith("yh.ev.")]


class Run:
    """A historian without a broker: messages are put in by hand, commits are made by hand."""

    def __init__(self, store: Store, connection: FakeConnection) -> None:
        self.now_us = T0
        self.reader = FakeReader()
        self.historian = Historian(nats_url="nats://nowhere", store=store, limits=LIMITS, now_us=lambda: self.now_us)
        self.historian.connection = connection
        self.pipeline = self.historian.pipeline
        self.pipeline.configure(a_plant(1))
        self.sequence = 0

    def arrive(self, time_us: int, **values: object) -> None:
        self.sequence += 1
        body = json.dumps({"ts": time_us // 1000, "values": values}).encode()
        self.pipeline.take(self.reader, [LogMessage(self.sequence, self.now_us, b"$MQTT.msgs.p.U0", b"", body)])
        self.pipeline.process()

    async def commit(self) -> None:
        assert await self.historian.committer.commit()

    def during_next_write(self, work: Callable[[], None]) -> None:
        """Do something on the loop while the next commit is being written."""
        committer = self.historian.committer
        original = committer._in_thread

        async def once(write: Callable[[], None]) -> None:
            committer._in_thread = original
            await original(write)
            work()

        committer._in_thread = once


def states(store: Store) -> list[tuple[int, int]]:
    """Return (seconds after T0, state) as stored."""
    rows = store.rows("SELECT toUnixTimestamp64Micro(start), state FROM state_changes FINAL ORDER BY start")
    return [((start - T0) // S, state) for start, state in rows]


# ---- one bad message ------------------------------------------------------------------------------------------------


async def test_a_decoder_that_fails_on_one_message_loses_neither_it_nor_its_neighbours(store: Store, monkeypatch):
    run = Run(store, FakeConnection())
    decoder = run.pipeline._sources[1].decoders[False]
    original = decoder.decode

    def broken(messages):
        if any(b"poison" in bytes(message.payload) for message in messages):
            raise RuntimeError("a defect")
        return original(messages)

    monkeypatch.setattr(decoder, "decode", broken)
    bodies = [b'{"count": 1}', b'{"poison": 1}', b'{"count": 3}']
    messages = [LogMessage(n, T0 + n, b"$MQTT.msgs.p.U0", b"", body) for n, body in enumerate(bodies, 1)]
    run.pipeline.take(run.reader, messages)
    run.pipeline.process()
    assert [(letter.payload, b"a defect" in letter.header) for letter in run.pipeline.pending.dead] == [
        (b'{"poison": 1}', True)
    ]
    await run.commit()
    assert store.rows("SELECT value FROM samples FINAL ORDER BY time") == [(1.0,), (3.0,)]
    assert run.reader.acknowledged == [3]


async def test_after_an_unexpected_error_nothing_is_acknowledged_any_more(store: Store, monkeypatch):
    run = Run(store, FakeConnection())

    def broken(*args):
        raise RuntimeError("a defect")

    monkeypatch.setattr(run.pipeline, "_absorb", broken)
    run.arrive(T0, count=1)
    monkeypatch.undo()
    assert run.pipeline.broken.is_set()
    run.arrive(T0 + S, count=2)  # must not acknowledge the one before it
    await run.commit()
    assert run.reader.acknowledged == []
    with pytest.raises(RuntimeError, match="broke"):
        await run.historian._until_broken()


async def test_a_reader_that_joins_while_the_log_is_held_is_held_too(store: Store):
    pipeline = Pipeline(clock_us=lambda: T0, publish=lambda s, d: None, limits=replace(LIMITS, buffer_points=2))
    pipeline.configure(a_plant(1))
    first, second = FakeReader(), FakeReader()
    body = b'{"ts": %d, "values": {"count": 1, "run": 1}}' % (T0 // 1000)
    for reader in (first, second):
        pipeline.take(reader, [LogMessage(1, T0, b"$MQTT.msgs.p.U0", b"", body)])
        pipeline.process()
    assert first.is_paused
    assert second.is_paused


# ---- dead letters ---------------------------------------------------------------------------------------------------


def a_point(address: str, value: float = 1.0) -> RefusedPoint:
    return RefusedPoint(address, T0, value, 0, 0, Refusal.FUTURE_TIME, "")


def letter_ids(*points: RefusedPoint) -> list[str | None]:
    letters = deadletters.of_points(1, points, topic="p/U0", arrived_us=T0, reference="S:1")
    return [header_value(letter.header, "Nats-Msg-Id") for letter in letters]


def test_letters_of_one_message_with_other_points_are_not_taken_for_one_another():
    assert letter_ids(a_point("a")) != letter_ids(a_point("b"))
    assert letter_ids(a_point("a")) != letter_ids(a_point("a"), a_point("b"))
    assert letter_ids(a_point("a")) == letter_ids(a_point("a"))


async def test_each_text_from_the_future_is_kept(store: Store):
    connection = FakeConnection()
    run = Run(store, connection)
    run.arrive(T0 + 3600 * S, program="one")
    run.arrive(T0 + 3600 * S, program="two")
    await run.commit()
    ids = {header_value(header, "Nats-Msg-Id") for subject, header, _ in connection.published if "future" in subject}
    letters = [p for subject, _, p in connection.published if "future" in subject]
    values = [v for p in letters for v in msgspec.msgpack.decode(p, type=SampleBatch).values]
    assert sorted(values) == ["one", "two"]
    assert len(ids) == 2


def test_points_with_long_addresses_are_spread_over_letters_that_the_log_takes():
    points = [a_point(f"{'x' * 60_000}/{number}") for number in range(500)]
    letters = deadletters.of_points(1, points, topic="p", arrived_us=T0, reference="S:1")
    assert max(len(letter.payload) for letter in letters) < 400_000
    kept = [a for letter in letters for a in msgspec.msgpack.decode(letter.payload, type=SampleBatch).addresses]
    assert kept == [point.address for point in points]


async def test_a_letter_larger_than_the_log_takes_is_cut_says_so_and_holds_nothing(store: Store):
    connection = FakeConnection()
    run = Run(store, connection)
    body = b"{" + b"x" * (connection.max_payload - 1)
    run.pipeline.take(run.reader, [LogMessage(1, T0, b"$MQTT.msgs.p.U0", b"", body)])
    run.pipeline.process()
    await asyncio.wait_for(run.commit(), 10)
    ((_, header, payload),) = [item for item in connection.published if item[0].startswith("yh.dead.")]
    assert len(header) + len(payload) == connection.max_payload
    assert header_value(header, "Yh-Cut") == "1000000 bytes came, the end was cut off"
    assert run.reader.acknowledged == [1]


def test_a_letter_that_fits_is_kept_byte_for_byte():
    letter = ("yh.dead.1.undecodable", encode_header({"A": "b"}), b"x" * 100)
    assert deadletters.fitting(letter, 1000) == letter


# ---- births ---------------------------------------------------------------------------------------------------------


async def test_a_birth_that_finds_no_room_is_counted_and_holds_nothing(store: Store):
    run = Run(store, FakeConnection(lambda subject: not subject.startswith("$KV.yh_births")))
    run.pipeline.pending.births["1.edge"] = b"birth"
    run.arrive(T0, count=1)
    await asyncio.wait_for(run.commit(), 10)
    assert run.historian.committer.facts.births_refused == 1
    assert run.reader.acknowledged == [1]


# ---- states ---------------------------------------------------------------------------------------------------------


async def test_a_change_of_state_is_stored_as_said_only_after_it_was_told(store: Store):
    connection = FakeConnection(lambda subject: False)
    run = Run(store, connection)
    run.arrive(T0, run=1)
    committing = asyncio.create_task(run.commit())
    async with asyncio.timeout(20):
        while run.historian.committer.facts.retries < 3:  # noqa: ASYNC110 - the committer has no event for this
            await asyncio.sleep(0.005)
    assert store.rows("SELECT count() FROM samples FINAL") == [(1,)]
    assert states(store) == []  # a crash here must tell it again
    connection.takes = lambda subject: True
    await asyncio.wait_for(committing, 10)
    assert [revision.work_unit_id for revision in connection.revisions()] == [1]
    assert len(states(store)) == 1


async def test_late_units_that_could_not_be_told_are_told_the_next_time(store: Store):
    connection = FakeConnection()
    run = Run(store, connection)
    run.arrive(T0, run=1)
    await run.commit()
    run.arrive(T0 + 20 * S, run=1)
    await run.commit()
    told = len(connection.revisions())
    rederive = run.historian._rederive
    run.historian._rederive = _nothing
    run.arrive(T0 + 10 * S, run=0)  # late
    await run.commit()
    connection.takes = lambda subject: not subject.startswith("yh.ev.")
    await rederive()
    assert len(connection.revisions()) == told
    connection.takes = lambda subject: True
    await rederive()
    assert len(connection.revisions()) == told + 1
    assert [start for start, _ in states(store)] == [0, 10, 20]


async def _nothing() -> None:
    return None


async def test_a_late_sample_of_the_next_commit_waits_for_it(store: Store):
    run = Run(store, FakeConnection())
    run.arrive(T0, run=1)
    run.arrive(T0 + 20 * S, run=1)
    run.during_next_write(lambda: run.arrive(T0 + 10 * S, run=0))
    await run.commit()
    await run.commit()
    assert [start for start, _ in states(store)] == [0, 10, 20]


async def test_a_change_observed_while_late_ones_are_derived_is_not_erased(store: Store):
    run = Run(store, FakeConnection())
    run.arrive(T0, run=1)
    run.arrive(T0 + 20 * S, run=1)
    await run.commit()
    run.arrive(T0 + 10 * S, run=0)  # late
    run.during_next_write(lambda: run.arrive(T0 + 30 * S, run=0))  # not stored when the late one is derived
    await run.commit()
    await run.commit()
    assert [start for start, _ in states(store)] == [0, 10, 20, 30]


# ---- snapshots ------------------------------------------------------------------------------------------------------


async def test_a_change_not_stored_when_the_snapshot_was_taken_is_not_missed_after_a_crash(store: Store):
    run = Run(store, FakeConnection())
    run.arrive(T0, run=0)
    await run.commit()
    run.historian._is_caught_up = True
    run.arrive(T0 + S, count=1)
    run.during_next_write(lambda: run.arrive(T0 + 2 * S, run=1))
    await run.historian._snapshot()
    # killed here: the last message was not acknowledged, and comes again
    again = Run(store, FakeConnection())
    await again.historian._catch_up()
    again.arrive(T0 + 2 * S, run=1)
    await again.commit()
    assert [start for start, _ in states(store)] == [0, 2]


async def test_minutes_owed_at_a_snapshot_are_still_owed_after_a_crash(store: Store):
    run = Run(store, FakeConnection())
    minute = T0 - T0 % (60 * S)
    run.now_us = minute + 2 * S
    run.arrive(minute + S, count=1)
    await run.commit()
    run.now_us = minute + 50 * S  # long after its arrival, before its minute has ended
    await run.historian._snapshot()
    again = Run(store, FakeConnection())
    again.now_us = minute + 70 * S
    await again.historian._catch_up()
    again.historian._is_caught_up = True
    await again.historian._roll_up()
    assert store.rows("SELECT count() FROM minutes FINAL") == [(1,)]


async def test_every_table_of_history_is_on_disk_when_an_insert_returns(store: Store):
    tables = dict(store.rows("SELECT name, engine_full FROM system.tables WHERE database = currentDatabase()"))
    kept = {name: engine for name, engine in tables.items() if "Replacing" in engine}
    assert {"samples", "minutes", "hours", "latest", "progress", "state_changes"} <= kept.keys()
    for name, engine in kept.items():
        assert "fsync_after_insert = 1" in engine, name
        assert "fsync_part_directory = 1" in engine, name


async def test_after_a_crash_it_is_known_how_far_the_data_went(store: Store):
    run = Run(store, FakeConnection())
    run.arrive(T0 - 7 * S, count=1)
    await run.commit()
    run.historian._is_caught_up = True
    await run.historian._snapshot()
    run.arrive(T0 - 2 * S, count=2)  # after the snapshot: read again from the columns
    await run.commit()
    again = Run(store, FakeConnection())
    assert again.historian.live.snapshot(1, []).data_time_us == 0
    await again.historian._catch_up()
    assert again.historian.live.snapshot(1, []).data_time_us == T0 - 2 * S
    assert again.pipeline.data_times() == {1: T0 - 2 * S}
    boards = store.rows("SELECT 1 FROM boards")  # nothing is committed yet
    assert boards == []
    assert [board.data_time_us for board in again.pipeline.pending.shown.boards] == [T0 - 2 * S]


async def test_a_replayed_letter_is_rolled_up_and_derived_although_it_arrived_before_the_snapshot(store: Store):
    run = Run(store, FakeConnection())
    minute = T0 - T0 % (60 * S)
    run.now_us = minute + 600 * S
    run.arrive(minute + 500 * S, run=1, count=5)
    await run.commit()
    run.historian._is_caught_up = True
    await run.historian._roll_up()
    await run.historian._snapshot()

    async def never() -> None:
        """It is killed before its turn."""

    run.historian._rederive = never
    run.now_us = minute + 120 * S  # a letter keeps the arrival of its first coming
    run.arrive(minute + S, run=0)
    run.now_us = minute + 610 * S
    assert await run.historian.committer.commit()
    run.now_us = minute + 130 * S
    run.arrive(minute + 61 * S, count=3)
    run.now_us = minute + 611 * S
    await run.commit()
    # killed here, before either was rolled up or the states were derived anew
    for _ in range(2):  # and killed again before anything of it was kept
        again = Run(store, FakeConnection())
        again.now_us = minute + 620 * S
        await again.historian._catch_up()
    assert states(store)[0] == ((minute + S - T0) // S, UnitState.IDLE)
    again.historian._is_caught_up = True
    await again.historian._roll_up()
    found = store.rows("SELECT toUnixTimestamp(bucket) * 1000000, count FROM minutes FINAL ORDER BY bucket, tag")
    assert found == [(minute, 1), (minute + 60 * S, 1), (minute + 480 * S, 1), (minute + 480 * S, 1)]
    await again.historian._snapshot()
    assert len(snapshot.load(store).old_minutes) == 0


def test_a_snapshot_of_an_earlier_release_owes_no_minutes():
    assert snapshot._minutes_of({"marks": {}, "hours": []}).dtype == np.int64


async def test_what_is_written_after_the_clock_was_set_back_counts(store: Store):
    minute = T0 - T0 % (60 * S)
    for began_us, count, run_is in ((minute, 1, 1), (minute - 7200 * S, 2, 0)):  # the second two hours before the first
        run = Run(store, FakeConnection())
        run.now_us = began_us
        await run.historian._catch_up()
        run.historian._is_caught_up = True
        run.now_us = minute + 2 * S  # what is read carries the log's time
        run.arrive(minute + count * S, count=count)
        run.arrive(minute + count * S, run=run_is)
        run.now_us = began_us
        await run.commit()
        due = run.pipeline.dirty.take
        run.pipeline.dirty.take = lambda _before_us, due=due: due(minute + 3600 * S)  # its minute has ended
        await run.historian._roll_up()
        await run.historian._snapshot()
    assert store.rows("SELECT count FROM minutes FINAL WHERE tag = 3") == [(2,)]
    assert store.rows("SELECT value FROM latest FINAL WHERE tag = 3") == [(2.0,)]
    found = snapshot.load(store)
    assert found.watermark_s < (minute - 7000 * S) // S
    assert [change.state for change in found.changes[1]] == [2, 3]
