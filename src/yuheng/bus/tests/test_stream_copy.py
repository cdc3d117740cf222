"""A stream copied to another broker: same messages, same numbers, same positions of its readers."""

import json

import pytest

from yuheng.bus.stream_copy import load_stream, save_stream, stream_names
from yuheng.bus.wire import WireError, connect
from yuheng.config.supervisor.broker import Broker
from yuheng.config.supervisor.ports import free_port
from yuheng.testing.engines import RunningBroker

pytestmark = pytest.mark.engines


async def call(connection, operation, body=None):
    _, answer = await connection.request(f"$JS.API.{operation}", json.dumps(body or {}).encode())
    return json.loads(answer)


@pytest.fixture
def other_nats(tmp_path):
    ports = [free_port() for _ in range(3)]
    broker = RunningBroker(Broker(tmp_path / "other", *ports, password="nother"))
    broker.start()
    yield broker
    broker.stop()


async def a_half_read_stream(connection, size=2_000):
    config = {"name": "HALF", "subjects": ["half.>"], "storage": "file", "retention": "interest"}
    await call(connection, "STREAM.CREATE.HALF", config)
    reader = {"durable_name": "reader", "ack_policy": "all", "deliver_policy": "all"}
    await call(connection, "CONSUMER.DURABLE.CREATE.HALF.reader", {"stream_name": "HALF", "config": reader})
    for number in range(size):
        await connection.request(f"half.{number % 7}", b"%d " % number * 50)
    delivered = []
    connection.subscribe("taken", delivered.extend)
    connection.publish("$JS.API.CONSUMER.MSG.NEXT.HALF.reader", b'{"batch": 300}', reply="taken")
    await connection.flush()
    while len(delivered) < 300:
        await connection.flush()
    connection.publish(delivered[199][1].decode(), b"+ACK")
    await connection.flush()


async def test_a_reader_goes_on_where_the_copy_was_made(nats_server, other_nats, tmp_path):
    path = tmp_path / "half.snapshot"
    source = await connect(nats_server.url)
    try:
        await a_half_read_stream(source)
        about = json.loads(json.dumps(await save_stream(source, "HALF", path)))
    finally:
        await call(source, "STREAM.DELETE.HALF")
        source.close()
    target = await connect(other_nats.url)
    try:
        state = await load_stream(target, "HALF", path, about)
        assert (state["messages"], state["first_seq"], state["last_seq"]) == (1_800, 201, 2_000)
        assert (await call(target, "STREAM.INFO.HALF"))["created"] == state["created"] != about["created"]
        reader = await call(target, "CONSUMER.INFO.HALF.reader")
        assert reader["ack_floor"]["stream_seq"] == 200
        message = (await call(target, "STREAM.MSG.GET.HALF", {"seq": 201}))["message"]
        assert message["subject"] == f"half.{200 % 7}"
        assert "HALF" in await stream_names(target)
        with pytest.raises(WireError):
            await load_stream(target, "HALF", path, about)
    finally:
        target.close()


async def test_a_stream_that_is_not_there_cannot_be_copied(nats_server, tmp_path):
    connection = await connect(nats_server.url)
    try:
        with pytest.raises(WireError, match="not found"):
            await save_stream(connection, "NOWHERE", tmp_path / "x")
    finally:
        connection.close()
