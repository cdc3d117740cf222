import asyncio
import base64
import gzip
import hashlib
import json
import os
import signal
import subprocess
import sys
from contextlib import asynccontextmanager

import msgspec
import pytest

from yuheng.bus import documents, subjects, wire
from yuheng.bus.messages import SampleBatch
from yuheng.bus.setup import ensure_streams
from yuheng.gateway.process import Gateway, GatewaySettings
from yuheng.testing.waiting import eventually

pytestmark = pytest.mark.engines

PASSWORD = "correct horse"
SOURCES = (
    documents.Source(1, 1, "press", "http"),
    documents.Source(2, 1, "oven", "http"),
    documents.Source(3, 1, "edge", "sparkplug_b", topics=("spBv1.0/#",)),
)


def a_device(name="dev", source_ids=(1,)):
    return documents.Device(name, hashlib.sha256(PASSWORD.encode()).hexdigest(), source_ids, ())


def a_plant(version=1, sources=SOURCES, devices=None):
    return documents.Plant(version, sources=sources, devices=devices or (a_device(), a_device("both", (1, 2))))


async def make_streams(broker):
    await ensure_streams(broker.url, broker.host, broker.mqtt_port, "yuheng", broker.broker.password)


async def configure(broker, plant):
    connection = await wire.connect(broker.url)
    try:
        subject = f"$KV.{subjects.CONFIG_BUCKET}.{subjects.CONFIG_KEY}"
        _, answer = await connection.request(subject, documents.encode(plant))
        assert b'"seq"' in answer, answer
    finally:
        connection.close()


async def stored(broker):
    """Everything in YH_INGEST: (subject, topic, payload)."""
    connection = await wire.connect(broker.url)
    found = []
    try:
        sequence = 0
        while True:
            question = json.dumps({"seq": sequence + 1, "next_by_subj": ">"}).encode()
            _, answer = await connection.request(f"$JS.API.STREAM.MSG.GET.{subjects.INGEST_STREAM}", question)
            message = json.loads(answer).get("message")
            if message is None:
                return found
            sequence = message["seq"]
            header = base64.b64decode(message.get("hdrs", ""))
            payload = base64.b64decode(message.get("data", ""))
            found.append((message["subject"], wire.header_value(header, subjects.HEADER_TOPIC), payload))
    finally:
        connection.close()


@asynccontextmanager
async def running_gateway(broker, tmp_path, plant=None):
    await make_streams(broker)
    await configure(broker, plant or a_plant())
    gateway = Gateway(GatewaySettings(broker.url, "127.0.0.1", 0, tmp_path / "gateway", str(tmp_path / "ready")))
    running = asyncio.get_running_loop().create_task(gateway.run())
    try:
        await eventually(lambda: running.done() or gateway.facts()["configuration"]["version"] == 1)
        await eventually(lambda: all(s["state"] == "connected" for s in gateway.sessions.health().values()))
        yield gateway
    finally:
        gateway.stop()
        async with asyncio.timeout(30):
            await running


async def post(port, path, body, headers=None, user="dev", password=PASSWORD):
    """One request over a socket of its own; returns status, headers, body."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    lines = [f"POST {path} HTTP/1.1", "Host: x", f"Content-Length: {len(body)}", "Connection: close"]
    if user is not None:
        lines.append("Authorization: Basic " + base64.b64encode(f"{user}:{password}".encode()).decode())
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
    try:
        async with asyncio.timeout(30):
            answer = await reader.read()
    finally:
        writer.close()
    head, _, content = answer.partition(b"\r\n\r\n")
    found = dict(line.split(": ", 1) for line in head.decode().lower().split("\r\n")[1:])
    return int(head.split()[1]), found, content.decode()


async def test_a_json_body_is_in_the_log_when_the_answer_is_204(fresh_nats, tmp_path):
    async with running_gateway(fresh_nats, tmp_path) as gateway:
        status, _, _ = await post(gateway.port, "/push/press/L01", b'{"temp": 1.5}')
        assert status == 204
        assert await stored(fresh_nats) == [("yh.in.1.raw", "push/L01", b'{"temp": 1.5}')]


async def test_influx_clients_write_line_protocol_in_both_versions(fresh_nats, tmp_path):
    async with running_gateway(fresh_nats, tmp_path) as gateway:
        first = await post(gateway.port, "/write?db=press&precision=ms", b"oven temp=1 17")
        token = {"Authorization": f"Token dev:{PASSWORD}", "Content-Encoding": "gzip"}
        body = gzip.compress(b"oven temp=2 18")
        second = await post(gateway.port, "/api/v2/write?bucket=anything&org=x", body, token, user=None)
        by_query = await post(gateway.port, f"/write?u=dev&p={PASSWORD.replace(' ', '%20')}", b"o t=3", user=None)
        assert [answer[0] for answer in (first, second, by_query)] == [204, 204, 204]
        assert [row[1:] for row in await stored(fresh_nats)] == [
            ("write?precision=ms", b"oven temp=1 17"),
            ("write", b"oven temp=2 18"),
            ("write", b"o t=3"),
        ]


async def test_a_body_that_can_never_be_read_is_answered_400_and_kept(fresh_nats, tmp_path):
    async with running_gateway(fresh_nats, tmp_path) as gateway:
        json_answer = await post(gateway.port, "/push/press", b'{"temp": ')
        line_answer = await post(gateway.port, "/write", b"oven temp=\n")
        assert (json_answer[0], line_answer[0]) == (400, 400)
        assert "dead letters" in json.loads(json_answer[2])["message"]
        assert "Line 1" in line_answer[2]
        assert len(await stored(fresh_nats)) == 2


async def test_the_door_refuses_with_the_right_status(fresh_nats, tmp_path):
    async with running_gateway(fresh_nats, tmp_path) as gateway:
        port = gateway.port
        bomb = gzip.compress(bytes(40_000_000))
        statuses = {
            "no credential": (await post(port, "/push/press", b"1", user=None))[0],
            "wrong password": (await post(port, "/push/press", b"1", password="guess"))[0],
            "unknown device": (await post(port, "/push/press", b"1", user="nobody"))[0],
            "another's source": (await post(port, "/push/oven", b"{}"))[0],
            "unknown source": (await post(port, "/push/nowhere", b"{}"))[0],
            "unknown path": (await post(port, "/", b"{}"))[0],
            "ambiguous": (await post(port, "/write", b"a b=1", user="both"))[0],
            "bomb": (await post(port, "/push/press", bomb, {"Content-Encoding": "gzip"}))[0],
            "cut gzip": (await post(port, "/push/press", bomb[:100], {"Content-Encoding": "gzip"}))[0],
            "unknown encoding": (await post(port, "/push/press", b"1", {"Content-Encoding": "br"}))[0],
            "too large": (await post(port, "/push/press", b"1" * 2_000_000))[0],
        }
        assert statuses == {
            "no credential": 401,
            "wrong password": 401,
            "unknown device": 401,
            "another's source": 403,
            "unknown source": 404,
            "unknown path": 404,
            "ambiguous": 404,
            "bomb": 413,
            "cut gzip": 400,
            "unknown encoding": 415,
            "too large": 413,
        }
        assert await stored(fresh_nats) == []


async def test_guessing_passwords_is_stopped_without_locking_out_others(fresh_nats, tmp_path):
    async with running_gateway(fresh_nats, tmp_path) as gateway:
        seen = [(await post(gateway.port, "/push/press", b"1", password="guess"))[0] for _ in range(21)]
        assert seen == [401] * 20 + [429]
        assert (await post(gateway.port, "/push/press/a", b"1", user="both"))[0] == 204


async def test_while_the_log_is_away_senders_are_told_to_come_again(fresh_nats, tmp_path):
    async with running_gateway(fresh_nats, tmp_path) as gateway:
        fresh_nats.kill()
        await eventually(lambda: not gateway.log.is_up)
        status, headers, text = await post(gateway.port, "/push/press/a", b"1")
        assert (status, headers["retry-after"]) == (503, "2")
        assert "log" in text
        fresh_nats.start()
        await eventually(lambda: gateway.log.is_up, timeout_s=10)
        assert (await post(gateway.port, "/push/press/a", b"2"))[0] == 204


async def test_samples_wait_for_the_log_and_are_kept_when_it_is_back(fresh_nats, tmp_path):
    async with running_gateway(fresh_nats, tmp_path) as gateway:
        context = gateway._make_context(SOURCES[0])
        fresh_nats.kill()
        await eventually(lambda: not gateway.log.is_up)
        batch = SampleBatch(["a"], [1], [2.0], [0])
        waiting = asyncio.get_running_loop().create_task(context.emit_samples(batch))
        await eventually(lambda: gateway.log.in_flight == 1)
        assert not waiting.done()
        fresh_nats.start()
        async with asyncio.timeout(30):
            await waiting
        (row,) = await stored(fresh_nats)
        assert row[0] == "yh.in.1.points"
        assert msgspec.msgpack.decode(row[2], type=SampleBatch) == batch


async def test_a_disabled_source_closes_its_door_and_a_new_one_opens(fresh_nats, tmp_path):
    async with running_gateway(fresh_nats, tmp_path) as gateway:
        changed = (
            documents.Source(1, 1, "press", "http", is_enabled=False),
            documents.Source(2, 1, "oven", "http", settings={"address": "no name"}),
            documents.Source(9, 1, "saw", "http", settings={"speed": 3}),
        )
        await configure(fresh_nats, a_plant(2, changed, (a_device("dev", (1, 2, 9)),)))
        await eventually(lambda: set(gateway.sessions.health()) == {"oven", "saw"})
        assert (await post(gateway.port, "/push/press/a", b"1"))[0] == 404
        await eventually(lambda: gateway.sessions.health()["saw"]["state"] == "failed")
        assert "speed" in gateway.sessions.health()["saw"]["sentence"]


async def test_a_rebirth_command_reaches_the_edge_node_over_mqtt(fresh_nats, tmp_path):
    async with running_gateway(fresh_nats, tmp_path):
        connection = await wire.connect(fresh_nats.url)
        seen = []
        connection.subscribe("spBv1//0.G.NCMD.E", seen.extend)
        await connection.flush()
        connection.publish("yh.cmd.3", json.dumps({"kind": "rebirth", "group": "G", "edge_node": "E"}).encode())
        await eventually(lambda: seen)
        connection.close()
        assert b"Node Control/Rebirth" in seen[0][3]


async def test_the_process_says_when_it_is_ready_and_ends_on_sigterm(fresh_nats, tmp_path):
    await make_streams(fresh_nats)
    ready = tmp_path / "ready"
    environment = os.environ | {
        "NATS_URL": fresh_nats.url,
        "YUHENG_GATEWAY_PORT": "0",
        "YUHENG_DATA_DIR": str(tmp_path),
        "YUHENG_READY_FILE": str(ready),
    }
    command = [sys.executable, "-m", "yuheng.gateway"]
    process = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)  # noqa: ASYNC220
    try:
        await eventually(ready.exists, timeout_s=60)
        assert ready.read_text() == str(process.pid)
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=30) == 0
    finally:
        process.kill()
        process.wait()
