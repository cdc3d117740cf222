"""A session at an external broker."""

from types import SimpleNamespace

import pytest

from yuheng.gateway.mqtt_client import MqttError
from yuheng.gateway.mqtt_source import ExternalSession
from yuheng.gateway.tests.test_mqtt_client import a_server


class SilentContext:
    """What a session asks of its source, without a gateway."""

    def __init__(self):
        self.source = SimpleNamespace(code="line", topics=("a/b",))
        self.sentences = []

    def set_health(self, state, sentence):
        self.sentences.append(sentence)

    def count(self, name, by=1):
        pass


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (b"", "The broker closed the connection."),
        (b"\x90\x03\x00\x01\x80", "The broker refuses a topic filter; check the rights of this user."),
    ],
)
async def test_the_end_of_a_session_is_the_brokers_sentence_and_no_group(answer, sentence):
    async def talk(reader, writer):
        await reader.read(100)
        writer.write(b"\x20\x02\x00\x00" + answer)
        await reader.read(100)

    context = SilentContext()
    async with a_server(talk) as port:
        session = ExternalSession({"host": "127.0.0.1", "port": port}, context)
        with pytest.raises(MqttError) as ended:
            await session.run()
    assert str(ended.value) == sentence
    assert "Subscribed" in context.sentences[-1]
