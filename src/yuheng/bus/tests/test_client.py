"""The synchronous client against a real nats-server."""

import threading
import time

import pytest

from yuheng.bus.client import BusAway, BusClient, BusRefused
from yuheng.testing.historian import FakeHistorian

pytestmark = pytest.mark.engines


@pytest.fixture
def client(nats_server):
    client = BusClient(nats_server.url)
    yield client
    client.close()


def test_many_threads_may_ask_at_once(nats_server, client):
    with FakeHistorian(nats_server.url, {"echo": lambda payload: payload}):
        answers: dict[int, bytes] = {}

        def ask(number):
            answers[number] = client.request("yh.q.echo", str(number).encode()).payload

        threads = [threading.Thread(target=ask, args=(number,)) for number in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert answers == {number: str(number).encode() for number in range(20)}


def test_a_refusal_is_told_in_the_answerers_words(nats_server, client):
    def refuse(_payload):
        raise ValueError("Ask for fewer tags.")

    with FakeHistorian(nats_server.url, {"no": refuse}), pytest.raises(BusRefused, match="Ask for fewer tags"):
        client.request("yh.q.no")


def test_when_nobody_listens_the_client_says_so_at_once(client):
    began = time.monotonic()
    with pytest.raises(BusAway):
        client.request("yh.q.nobody", timeout_s=60)
    assert time.monotonic() - began < 30  # it was told so, it did not wait


def test_when_the_broker_is_away_the_client_says_so_and_finds_it_again(fresh_nats):
    client = BusClient(fresh_nats.url)
    with FakeHistorian(fresh_nats.url, {"echo": lambda payload: payload}):
        assert client.request("yh.q.echo", b"1").payload == b"1"
        fresh_nats.kill()
        with pytest.raises(BusAway):
            client.request("yh.q.echo", b"2", timeout_s=1)
        fresh_nats.start()
        deadline = time.monotonic() + 30
        while True:
            try:
                assert client.request("yh.q.echo", b"3", timeout_s=1).payload == b"3"
                break
            except BusAway:
                assert time.monotonic() < deadline
    client.close()
