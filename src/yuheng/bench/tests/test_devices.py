import asyncio
import http.server
import json
import threading
from contextlib import asynccontextmanager, contextmanager

from yuheng.bench import devices, mqtt
from yuheng.bench.devices import HttpDevice, MqttDevice, Sampler
from yuheng.bench.ledger import Ledger, StoredSample, judge
from yuheng.bench.plants import Credential
from yuheng.bench.waiting import wait_until

CREDENTIAL = Credential("device", "secret")
DEADLINE_S = 20


class ForgetfulBroker:
    """Stores every PUBLISH; acknowledges, or hangs up, as told for each message it has ever received."""

    def __init__(self, hang_up_at: set[int]) -> None:
        self.received: list[tuple[bool, dict]] = []  # (was it marked as sent again, sample)
        self._hang_up_at = hang_up_at
        self.port = 0

    async def serve(self, reader, writer):
        packets = mqtt.PacketReader()
        try:
            while data := await reader.read(65536):
                first_byte = data[0]
                for kind, body in packets.feed(data):
                    if kind == 0x10:
                        writer.write(b"\x20\x02\x00\x00")
                    elif kind == 0x30 and not self._take(body, first_byte, writer):
                        return
        finally:
            writer.close()

    def _take(self, body, first_byte, writer) -> bool:
        size = int.from_bytes(body[:2], "big")
        packet_id, payload = body[2 + size : 4 + size], body[4 + size :]
        self.received.append((bool(first_byte & 0x08), json.loads(payload)))
        if len(self.received) in self._hang_up_at:
            return False  # stored, and the acknowledgement is lost
        writer.write(b"\x40\x02" + packet_id)
        return True

    def rows(self) -> list[StoredSample]:
        unique = {(s["ts"], s["seq"], s["values"]["number"]) for _, s in self.received}
        return [StoredSample(number, stamp * 1000, seq) for stamp, seq, number in unique]


@asynccontextmanager
async def running(broker):
    server = await asyncio.start_server(broker.serve, "127.0.0.1", 0)
    broker.port = server.sockets[0].getsockname()[1]
    try:
        yield broker
    finally:
        server.close()


async def run_until(device, condition):
    stop = asyncio.Event()
    async with asyncio.timeout(DEADLINE_S):
        task = asyncio.create_task(device.run(stop))
        while not condition():  # noqa: ASYNC110 - what is waited for happens on the other side of a socket
            await asyncio.sleep(0.01)
        stop.set()
        await task


async def test_an_mqtt_device_sends_again_what_was_not_acknowledged_with_the_same_stamp():
    async with running(ForgetfulBroker(hang_up_at={5, 20, 21})) as broker:
        device = MqttDevice(Sampler(Ledger("x"), 200.0), CREDENTIAL, port=broker.port, topic="bench/x")
        await run_until(device, lambda: device.connections >= 4 and len(broker.received) > 60)

    numbers = [sample["values"]["number"] for _, sample in broker.received]
    assert len(numbers) > len(set(numbers))  # something really was sent twice
    verdict = judge(device.ledger, broker.rows())
    assert (verdict.lost, verdict.duplicated, verdict.misplaced) == (0, 0, 0)
    assert verdict.acked == verdict.sent == len(set(numbers))


async def test_a_broker_that_acknowledges_without_storing_is_found_out():
    async with running(ForgetfulBroker(hang_up_at=set())) as broker:
        device = MqttDevice(Sampler(Ledger("x"), 200.0), CREDENTIAL, port=broker.port, topic="bench/x")
        await run_until(device, lambda: len(broker.received) > 20)
        del broker.received[10]

    assert judge(device.ledger, broker.rows()).lost == 1


class FlakyGateway(http.server.BaseHTTPRequestHandler):
    """Stores every sample; answers every third request with 503 and hangs up on every fifth."""

    samples: list[dict]
    logins: set[str]
    requests = 0

    def do_POST(self):
        cls = type(self)
        cls.requests += 1
        body = self.rfile.read(int(self.headers["Content-Length"]))
        cls.samples += json.loads(body)
        cls.logins.add(self.headers["Authorization"])
        if cls.requests % 5 == 0:
            self.close_connection = True
            return
        self.send_response(503 if cls.requests % 3 == 0 else 204)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args):
        pass


@contextmanager
def flaky_gateway():
    handler = type("Handler", (FlakyGateway,), {"samples": [], "logins": set(), "protocol_version": "HTTP/1.1"})
    server = http.server.HTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_port, handler
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


async def test_an_http_device_posts_a_batch_again_until_it_is_taken(monkeypatch):
    monkeypatch.setattr(devices, "RETRY_S", 0.01)
    with flaky_gateway() as (port, handler):
        device = HttpDevice(Sampler(Ledger("x"), 200.0), CREDENTIAL, url=f"http://127.0.0.1:{port}/push/x")
        await run_until(device, lambda: handler.requests > 12)

    rows = {(s["ts"], s["seq"], s["values"]["number"]) for s in handler.samples}
    verdict = judge(device.ledger, [StoredSample(number, ts * 1000, seq) for ts, seq, number in rows])
    assert (verdict.lost, verdict.duplicated, verdict.misplaced) == (0, 0, 0)
    assert verdict.acked == verdict.sent > 0
    assert device.refusals[503] >= 1
    assert len(handler.samples) > len(rows)  # batches really were sent twice
    assert len(handler.logins) == 1


def test_a_device_holds_instead_of_dropping_when_nothing_is_acknowledged():
    sampler = Sampler(Ledger("x"), 1e6)

    made = []
    wait_until(lambda: bool(made.extend(sampler.due())) or len(made) >= 200, what="200 samples", deadline_s=5)

    assert sampler.due() == []
    assert len(made) == len(sampler.open) == len(sampler.ledger.sent) == 200
    assert sampler.ledger.acked == set()
    sampler.acknowledge(made[0])
    assert len(sampler.due()) == 1
