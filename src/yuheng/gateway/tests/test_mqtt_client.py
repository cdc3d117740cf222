import asyncio
from contextlib import asynccontextmanager, suppress

import pytest

from yuheng.gateway.mqtt_client import BrokerAddress, MqttClient, MqttError


@asynccontextmanager
async def a_server(talk):
    """A server that says what a test wants; yields its port. It ends when every conversation has."""
    talks = []

    async def converse(reader, writer):
        talks.append(asyncio.current_task())
        await talk(reader, writer)
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()

    server = await asyncio.start_server(converse, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        async with asyncio.timeout(30):
            await asyncio.gather(*talks)


def an_address(port, **more):
    return BrokerAddress("127.0.0.1", "tester", port, **more)


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (b"\x20\x02\x00\x04", "user name or password is wrong"),
        (b"\x20\x02\x00\x63", "code 99"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "does not answer as an MQTT broker"),
        (b"", "does not answer as an MQTT broker"),
        (b"\x20\xff\xff\xff\xff\xff", "not MQTT"),
    ],
)
async def test_a_refusal_is_a_sentence(answer, sentence):
    async def talk(reader, writer):
        await reader.read(100)
        writer.write(answer)

    async with a_server(talk) as port:
        with pytest.raises(MqttError, match=sentence):
            await MqttClient.connect(an_address(port), timeout_s=30)


async def test_a_silent_server_is_given_up():
    async def talk(reader, writer):
        await reader.read()

    async with a_server(talk) as port:
        with pytest.raises(MqttError, match="does not answer"):
            await MqttClient.connect(an_address(port), timeout_s=0.1)


async def test_messages_come_one_by_one_and_are_acknowledged_only_when_told():
    seen = []

    async def talk(reader, writer):
        await reader.readexactly(2 + 10 + 2 + len("tester"))
        writer.write(b"\x20\x02\x00\x00")
        await reader.readexactly(2 + 2 + 3 + 3)
        writer.write(b"\x90\x03\x00\x01\x01" + b"\x32\x06\x00\x01a\x00\x07x" + b"\x30\x04\x00\x01by")
        seen.append(await reader.readexactly(4))

    async with a_server(talk) as port:
        client = await MqttClient.connect(an_address(port))
        client.subscribe(["a/b"])
        first, second = await client.receive(), await client.receive()
        assert (first.topic, first.payload, first.packet_id) == ("a", b"x", 7)
        assert (second.topic, second.payload, second.packet_id) == ("b", b"y", 0)
        assert seen == []
        client.acknowledge(first.packet_id)
        with pytest.raises(MqttError, match="closed"):
            await client.receive()
        assert seen == [b"\x40\x02\x00\x07"]
        await client.close()


async def test_a_refused_filter_is_said():
    async def talk(reader, writer):
        await reader.read(100)
        writer.write(b"\x20\x02\x00\x00\x90\x03\x00\x01\x80")
        await reader.read()

    async with a_server(talk) as port:
        client = await MqttClient.connect(an_address(port))
        client.subscribe(["#"])
        with pytest.raises(MqttError, match="refuses a topic filter"):
            await client.receive()
        await client.close()


def test_an_address_does_not_show_its_password():
    assert "secret" not in repr(an_address(1, username="u", password="secret"))
