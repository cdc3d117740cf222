"""What must not be lost between a stream and the tables."""

from __future__ import annotations

import tracemalloc
from collections.abc import Sequence

import pytest
from django.db.utils import DataError, InternalError, ProgrammingError

from yuheng.bus.log_reader import LogMessage
from yuheng.bus.setup import ensure_streams
from yuheng.bus.subjects import DEAD_STREAM, HEADER_KIND, KIND_POINTS, WORKER_DURABLE
from yuheng.bus.wire import Connection, WireError, connect, encode_header
from yuheng.config.worker.database import Database, DatabaseAway
from yuheng.config.worker.dead_store import DeadStore
from yuheng.config.worker.intake import (
    BATCH_BYTES,
    Counts,
    Intake,
    Point,
    _take_in_what_can_be,
    batch_of,
    letters_of,
    take_in_dead,
)
from yuheng.testing.engines import RunningBroker

MESSAGES = [LogMessage(n, n, b"yh.ev.state.1", b"", b"%d" % n) for n in range(1, 6)]


def failing_on(bad: int, error: Exception):
    def take_in(messages: Sequence[LogMessage]) -> int:
        if any(message.sequence == bad for message in messages):
            raise error
        return len(messages)

    return take_in


@pytest.mark.django_db
def test_one_message_that_the_tables_refuse_does_not_hold_the_others():
    assert _take_in_what_can_be("S", MESSAGES, failing_on(3, DataError("out of range"))) == 4
    assert _take_in_what_can_be("S", MESSAGES, failing_on(3, ValueError("no number"))) == 4


@pytest.mark.django_db
@pytest.mark.parametrize("error", [InternalError("read-only transaction"), ProgrammingError("no such table")])
def test_what_is_wrong_with_the_database_is_never_held_against_the_messages(error: Exception):
    with pytest.raises(type(error)):
        _take_in_what_can_be("S", MESSAGES, failing_on(3, error))


async def test_a_read_only_database_is_one_that_is_away():
    def write() -> None:
        raise InternalError("cannot execute INSERT in a read-only transaction")

    database = Database()
    with pytest.raises(DatabaseAway, match="read-only"):
        await database.run(write)
    database.close()


@pytest.mark.engines
async def test_a_reader_that_fails_ends_the_session_instead_of_looking_like_a_silent_log(fresh_nats: RunningBroker):
    password = fresh_nats.broker.password
    await ensure_streams(fresh_nats.url, fresh_nats.host, fresh_nats.mqtt_port, "yuheng", password)
    connection = await connect(fresh_nats.url)
    await connection.request(f"$JS.API.CONSUMER.DELETE.{DEAD_STREAM}.{WORKER_DURABLE}", b"")
    intake = Intake(connection, DEAD_STREAM, take_in_dead, Database(), Counts())
    with pytest.raises(ExceptionGroup) as raised:
        await intake.run()
    assert raised.group_contains(WireError, match="No durable consumer")
    connection.close()


async def batches_of(sizes: Sequence[int]) -> list[list[int]]:
    intake = Intake(Connection({}, "test"), DEAD_STREAM, take_in_dead, Database(), Counts())
    messages = [LogMessage(n, n, b"yh.dead.1.x", b"", bytes(size)) for n, size in enumerate(sizes, 1)]
    intake._deliver(intake._reader, messages)
    found = []
    while intake._waiting:
        found.append([message.sequence for message in intake._next_batch()])
    assert intake._counts.waiting == intake._counts.waiting_bytes == 0
    return found


async def test_a_batch_is_bounded_in_bytes_and_a_larger_message_goes_alone():
    half = BATCH_BYTES // 2
    assert await batches_of([half, half, half, BATCH_BYTES * 4, 1, 1]) == [[1, 2], [3], [4], [5, 6]]


def test_a_batch_of_refused_points_takes_no_more_than_fifty_megabytes():
    points = [
        Point(address=f"laser/L{n:02}/sensor_{n}", time_us=1_795_000_000_000_000 + n, value=n / 7, quality=192, seq=n)
        for n in range(5_000)
    ]
    header, payload = encode_header({HEADER_KIND: KIND_POINTS}), batch_of(points)
    many = [LogMessage(n, n, b"yh.dead.1.x", header, payload) for n in range(BATCH_BYTES // len(payload))]
    tracemalloc.start()
    letters = [letter for message in many for letter in letters_of(message)]
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(letters) == len(many) * 5_000
    assert most < 50_000_000, f"{most / 1e6:.0f} MB for {len(letters)} letters"


def test_letters_that_left_for_want_of_room_are_counted_and_those_replayed_are_not():
    def info(last: int, held: int) -> dict[str, dict[str, int]]:
        return {"state": {"bytes": 90, "last_seq": last, "messages": held}, "config": {"max_bytes": 100}}

    store = DeadStore()
    store.look(info(50, 40), was_replaying=False)  # what left before we started
    store.look(info(60, 50), was_replaying=False)
    assert store.discarded == 0
    store.look(info(70, 50), was_replaying=False)
    assert (store.discarded, store.stored_bytes, store.bound_bytes) == (10, 90, 100)
    store.look(info(70, 30), was_replaying=True)
    store.look(info(73, 30), was_replaying=False)
    assert store.discarded == 13
    store.look(info(0, 0), was_replaying=False)  # made again
    assert store.discarded == 13
