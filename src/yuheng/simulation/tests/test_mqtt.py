"""The publisher: in order, bounded, and nothing accepted is lost."""

import asyncio
import json
from contextlib import asynccontextmanager

import nats
import pytest
from nats.js.api import AckPolicy, ConsumerConfig

from yuheng.simulation.mqtt import Login, Message, Packet, Publisher

DEADLINE_S = 30.0


class FakeBroker:
    """An MQTT broker that acknowledges when it is told to, and remembers everything."""

    def __init__(self) -> None:
        self.received: list[tuple[int, int, str, bytes]] = []  # (session, qos, topic, payload)
        self.wills: list[tuple[str, bytes] | None] = []
        self.subscribed: list[bytes] = []
        self.answers = True
        self.refuse_with = 0
        self._writers: list[asyncio.StreamWriter] = []
        self._owed: list[tuple[asyncio.StreamWriter, bytes]] = []

    async def start(self):
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self):
        self._server.close()
        self.drop_all()
        await self._server.wait_closed()

    def drop_all(self):
        self._owed.clear()
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()

    def pay(self):
        """Send the acknowledgements that were held back."""
        for writer, answer in self._owed:
            writer.write(answer)
        self._owed.clear()

    def tell_all(self, topic, payload):
        body = len(topic).to_bytes(2, "big") + topic.encode() + payload
        for writer in self._writers:
            writer.write(bytes([Packet.PUBLISH << 4, len(body)]) + body)

    async def _serve(self, reader, writer):
        session = len(self.wills)
        self._writers.append(writer)
        try:
            while True:
                head = (await reader.readexactly(1))[0]
                length = shift = 0
                while True:
                    digit = (await reader.readexactly(1))[0]
                    length |= (digit & 0x7F) << shift
                    shift += 7
                    if digit < 0x80:
                        break
                self._take(session, writer, head, await reader.readexactly(length))
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    def _take(self, session, writer, head, body):
        kind, qos = head >> 4, head >> 1 & 3
        if kind == Packet.CONNECT:
            self.wills.append(_will(body))
            writer.write(bytes([Packet.CONNACK << 4, 2, 0, self.refuse_with]))
        elif kind == Packet.SUBSCRIBE:
            self.subscribed.append(body[2:])
            writer.write(bytes([Packet.SUBACK << 4, 3]) + body[:2] + b"\0")
        elif kind == Packet.PUBLISH:
            end = 2 + int.from_bytes(body[:2], "big")
            number = body[end : end + 2] if qos else b""
            self.received.append((session, qos, body[2:end].decode(), body[end + len(number) :]))
            if qos:
                answer = bytes([Packet.PUBACK << 4, 2]) + number
                writer.write(answer) if self.answers else self._owed.append((writer, answer))
        elif kind == Packet.PINGREQ:
            writer.write(bytes([Packet.PINGRESP << 4, 0]))


def _will(body):
    if not body[7] & 0b100:
        return None
    place = 10
    texts = []
    for _ in range(3):  # client identifier, will topic, will payload
        length = int.from_bytes(body[place : place + 2], "big")
        texts.append(body[place + 2 : place + 2 + length])
        place += 2 + length
    return texts[1].decode(), texts[2]


async def until(condition):
    async with asyncio.timeout(DEADLINE_S):
        while not condition():  # noqa: ASYNC110  the conditions are about a broker, not about us
            await asyncio.sleep(0.005)


@asynccontextmanager
async def a_broker():
    broker = FakeBroker()
    await broker.start()
    try:
        yield broker
    finally:
        await broker.stop()


@asynccontextmanager
async def running(publisher):
    task = asyncio.create_task(publisher.run())
    try:
        yield publisher
    finally:
        await publisher.close()
        async with asyncio.timeout(DEADLINE_S):
            await task


async def test_messages_arrive_in_order_and_are_counted():
    async with a_broker() as broker, running(Publisher(Login("127.0.0.1", broker.port), window=7)) as publisher:
        for number in range(100):
            await publisher.publish(Message("a/b", b"%d" % number))
        async with asyncio.timeout(DEADLINE_S):
            await publisher.drain()

        assert [payload for _, _, _, payload in broker.received] == [b"%d" % number for number in range(100)]
        assert {qos for _, qos, _, _ in broker.received} == {1}
        assert (publisher.counts.accepted, publisher.counts.acknowledged, publisher.backlog) == (100, 100, 0)


async def test_the_producer_is_held_while_the_broker_does_not_acknowledge_and_resumes():
    async with a_broker() as broker:
        broker.answers = False
        async with running(Publisher(Login("127.0.0.1", broker.port), window=4, capacity=10)) as publisher:
            produced = []

            async def produce():
                for number in range(50):
                    await publisher.publish(Message("t", b"%d" % number))
                    produced.append(number)

            producer = asyncio.create_task(produce())
            await until(lambda: len(broker.received) == 4)
            await until(lambda: len(produced) == 10)
            held, _ = await asyncio.wait({producer}, timeout=0.2)

            assert not held
            assert (publisher.backlog, len(produced), len(broker.received)) == (10, 10, 4)

            broker.answers = True
            broker.pay()
            async with asyncio.timeout(DEADLINE_S):
                await producer
                await publisher.drain()
            assert [int(payload) for _, _, _, payload in broker.received] == list(range(50))


async def test_what_was_not_acknowledged_is_sent_again_first_in_the_next_session():
    async with a_broker() as broker:
        broker.answers = False
        async with running(Publisher(Login("127.0.0.1", broker.port), window=3)) as publisher:
            for number in range(6):
                await publisher.publish(Message("t", b"%d" % number))
            await until(lambda: len(broker.received) == 3)
            broker.answers = True
            broker.drop_all()
            async with asyncio.timeout(DEADLINE_S):
                await publisher.drain()

        assert [int(payload) for session, _, _, payload in broker.received if session == 0] == [0, 1, 2]
        assert [int(payload) for session, _, _, payload in broker.received if session == 1] == [0, 1, 2, 3, 4, 5]


async def test_a_refusal_is_a_sentence_and_is_tried_again():
    async with a_broker() as broker:
        broker.refuse_with = 4
        async with running(Publisher(Login("127.0.0.1", broker.port, "edge", "wrong"))) as publisher:
            await until(lambda: bool(publisher.counts.last_error))
            assert publisher.counts.last_error == "says that user name or password is wrong"
            assert "wrong'" not in repr(Login("h", 1, "edge", "wrong'"))
            broker.refuse_with = 0
            await publisher.publish(Message("t", b"x"))
            async with asyncio.timeout(DEADLINE_S):
                await publisher.drain()


async def test_a_large_payload_and_a_command_pass():
    heard = []
    async with a_broker() as broker:
        login = Login("127.0.0.1", broker.port)
        listening = Publisher(login, subscribe=["c/#"], on_message=lambda topic, body: heard.append((topic, body)))
        async with running(listening) as publisher:
            await publisher.publish(Message("t", b"x" * 3_000_000))
            async with asyncio.timeout(DEADLINE_S):
                await publisher.drain()
            broker.tell_all("c/1", b"do it")
            await until(lambda: bool(heard))

        assert len(broker.received[0][3]) == 3_000_000
        assert heard == [("c/1", b"do it")]
        assert broker.subscribed == [b"\0\3c/#\0"]


async def test_closing_ends_the_run_within_a_moment_even_without_a_broker():
    publisher: Publisher[Message] = Publisher(Login("127.0.0.1", 1))
    task = asyncio.create_task(publisher.run())
    await until(lambda: bool(publisher.counts.last_error))
    await publisher.close()
    async with asyncio.timeout(30):
        await task


@pytest.mark.engines
async def test_nothing_accepted_is_lost_while_a_real_broker_is_killed_again_and_again(fresh_nats):
    """Numbered messages, three times kill -9; what the durable log holds afterwards is every number."""
    total = 3_000
    fresh_nats.set_devices('{user: "numbers", password: "secret", permissions: {publish: ["numbers.>"]}}')
    login = Login(fresh_nats.host, fresh_nats.mqtt_port, "numbers", "secret")
    async with running(Publisher(login, window=50, capacity=100)) as publisher:
        await until(lambda: publisher.is_connected)
        await _make_consumer(fresh_nats.url)

        async def produce():
            for number in range(total):
                await publisher.publish(Message("numbers/x", b"%d" % number))

        producer = asyncio.create_task(produce())
        for mark in (600, 1_400, 2_200):
            await until(lambda mark=mark: publisher.counts.acknowledged >= mark)
            await asyncio.to_thread(fresh_nats.restart)
        async with asyncio.timeout(60):
            await producer
            await publisher.drain()

        assert publisher.counts.connections >= 4
        assert await _stored_numbers(fresh_nats.url) == set(range(total))


async def _make_consumer(url):
    connection = await nats.connect(url)
    config = ConsumerConfig(durable_name="reader", filter_subject="$MQTT.msgs.>", ack_policy=AckPolicy.ALL)
    await connection.jetstream().add_consumer("$MQTT_msgs", config)
    await connection.close()


async def _stored_numbers(url):
    connection = await nats.connect(url)
    stream = connection.jetstream()
    numbers = set()
    state = (await stream.stream_info("$MQTT_msgs")).state
    consumer = await stream.pull_subscribe_bind("reader", "$MQTT_msgs")
    while len(numbers) < state.messages:
        try:
            batch = await consumer.fetch(500, timeout=2)
        except TimeoutError:
            break
        numbers |= {json.loads(message.data) for message in batch}
        await batch[-1].ack()
    await connection.close()
    return numbers
