import time
from pathlib import Path

import pytest

from yuheng.bench.broker import running_broker
from yuheng.bench.mqtt import MqttRefused
from yuheng.bench.publisher import Orders, Publisher
from yuheng.bench.publishing import publish_in_step, publishing
from yuheng.bench.waiting import wait_until
from yuheng.bench.workload import JsonWorkload

pytestmark = pytest.mark.engines
START_MS = 1_790_000_000_000


@pytest.fixture(scope="module")
def broker(tmp_path_factory):
    with running_broker(tmp_path_factory.mktemp("nats")) as running:
        yield running


def orders_for(broker, **more) -> Orders:
    usual = {
        "host": broker.host,
        "port": broker.mqtt_port,
        "username": broker.username,
        "password": broker.password,
        "kind": "json",
        "seed": 1,
        "start_ms": START_MS,
        "seconds": 20.0,
    }
    return Orders(**(usual | more))


@pytest.mark.parametrize("kind", ["json", "single", "sparkplug"])
def test_everything_sent_is_acknowledged_when_it_says_done(broker, kind):
    with publishing(orders_for(broker, kind=kind, messages=3000)) as process:
        wait_until(lambda: process.done() is not None, what="3,000 messages", deadline_s=20)
        done = process.done()

    assert (done.sent, done.acked) == (3000, 3000)
    assert done.at > done.began_at
    assert done.cpu_s > 0


def test_it_ends_when_its_seconds_are_over(broker):
    with publishing(orders_for(broker, seconds=0.5, rate=100.0)) as process:
        wait_until(lambda: process.done() is not None, what="half a second", deadline_s=20)
        done = process.done()

    assert 0 < done.sent <= 60  # a rate of 100 a second
    assert done.sent == done.acked


def test_it_never_runs_further_ahead_of_what_is_committed_than_it_may(broker):
    with publishing(orders_for(broker, seconds=1.0, allowed=50)) as process:
        wait_until(lambda: bool(process.progress), what="a first line", deadline_s=20)
        wait_until(lambda: process.done() is not None, what="its end", deadline_s=20)
        assert process.done().sent == 50


def test_it_goes_on_as_the_commits_do(broker):
    committed = 0

    def commit_more() -> int:
        nonlocal committed
        committed += 100
        return committed

    with publishing(orders_for(broker, messages=2000, allowed=10)) as process:
        done = publish_in_step(process, commit_more, lead=10, pause=lambda: time.sleep(0.005))

    assert done.sent == 2000
    assert committed >= 1900


def test_a_wrong_password_is_a_sentence(broker):
    orders = orders_for(broker, password="wrong")
    with pytest.raises(MqttRefused):
        Publisher(orders, JsonWorkload(seed=1, start_ms=START_MS))


def test_a_publisher_that_dies_is_noticed(broker, capfd):
    with publishing(orders_for(broker, password="wrong")) as process, pytest.raises(RuntimeError, match="ended early"):
        wait_until(lambda: process.done() is not None, what="its end", deadline_s=20)
    assert "MqttRefused" in capfd.readouterr().err


def test_the_broker_leaves_nothing_running(tmp_path: Path):
    with running_broker(tmp_path) as broker:
        pid = broker.pid
        assert Path(f"/proc/{pid}").exists()
    assert not Path(f"/proc/{pid}").exists()
