"""What must not be lost between a stream and the tables."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from django.db.utils import DataError, InternalError, ProgrammingError

from yuheng.bus.log_reader import LogMessage
from yuheng.bus.setup import ensure_streams
from yuheng.bus.subjects import DEAD_STREAM, WORKER_DURABLE
from yuheng.bus.wire import WireError, connect
from yuheng.config.worker.database import Database, DatabaseAway
from yuheng.config.worker.intake import Counts, Intake, _take_in_what_can_be, take_in_dead
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
