"""The whole corpus through the real doors of a running installation, and devices that behave badly at them.

After each batch a good message must become visible; each hostile payload must be among the dead letters with its
reason, or be taken as the corpus says. A payload is known again by its topic (MQTT) or its source (line protocol).
"""

from __future__ import annotations

import base64
import gzip
import http.client
import json
import os
import signal
import socket
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import suppress
from itertools import count
from urllib.parse import urlsplit

import msgspec
import paho.mqtt.client as paho
import pytest

from tests.hostile.corpus import TAGS, Hostile, corpus
from yuheng.bench import mqtt
from yuheng.bench.historian import HistorianRefused, tag_ids
from yuheng.bench.plants import a_plant, a_tag
from yuheng.bench.report import Reporter
from yuheng.bench.stack import Stack, running_stack
from yuheng.bench.visitor import Visitor
from yuheng.bench.waiting import wait_until
from yuheng.bus import subjects
from yuheng.bus.messages import LatestQuestion, RawQuestion, SampleBatch
from yuheng.bus.wire import header_value
from yuheng.engines.codec import Message
from yuheng.engines.codec.sparkplug_schema import DataType, Payload
from yuheng.engines.points import Refusal
from yuheng.historian.checks import EARLIEST_US

pytestmark = [pytest.mark.engines, pytest.mark.xdist_group("hostile")]

USER, PASSWORD = "hostile", "hostile-secret"
OWN_TOPICS = {"p/d/", "p//d", "/", "p/温度", "p/+", "p/#", "p/$SYS", "q/elsewhere", "p/d d", "p/\x00", ""}
"""Topics that are the hostile thing themselves; `STRANGE_TOPICS` has them."""
VISIBLE_WITHIN_S = 20.0
SOURCE, TOPIC, REASON = 0, 1, 2
"""Places in a key of `Site.letters`."""


def usable(connector: str) -> list[Hostile]:
    return [
        hostile
        for hostile in corpus()
        if hostile.connector == connector and hostile.topic not in OWN_TOPICS and len(hostile.topic) < 1_000
    ]


JSON_CASES = usable("mqtt_json")
SPARKPLUG_CASES = [h for h in usable("sparkplug_b") if h.topic.startswith("spBv1.0/G/") and h.topic.count("/") > 2]
WRONG_SPARKPLUG_TOPICS = [h for h in usable("sparkplug_b") if h not in SPARKPLUG_CASES]
LINE_CASES = usable("http")


def plant() -> dict[str, object]:
    own = {"json": ("mqtt_json", ["p/#"], {"topic_pattern": "p/{case}/{device}", "address": "{device}/{name}"})}
    own["edges"] = ("sparkplug_b", ["spBv1.0/#", "spAv1.0/#"], {})
    own["lines-good"] = ("http", [], {})
    own |= {f"lines-{number}": ("http", [], {}) for number, _ in enumerate(LINE_CASES)}
    tags = [a_tag(code, tag.address, tag.data_type) for code in own for tag in TAGS]
    tags += [a_tag("json", "good/n"), a_tag("edges", "good/n"), a_tag("lines-good", "good/n")]
    device = {
        "username": USER,
        "password": PASSWORD,
        "publish_topics": ["p/#", "spBv1.0/#", "spAv1.0/#", "nobody/#"],
        "subscribe_topics": ["spBv1.0/#"],
        "sources": list(own),
    }
    return a_plant(
        tag_classes=[{"code": "standard", "raw_days": 36_500, "minute_days": 36_500, "hour_days": 0}],
        sources=[
            {"code": code, "connector": connector, "topics": topics, "settings": settings}
            for code, (connector, topics, settings) in own.items()
        ],
        tags=tags,
        devices=[device],
    )


class Site:
    """The installation with the hostile plant, and what is known of it from outside."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.port = stack.mqtt_port
        self.http = urlsplit(stack.gateway_url)
        self.visitor = Visitor(stack.url)
        self.visitor.sign_in(*stack.administrator())
        document = stack.bus.plant()
        self.codes = {source.id: source.code for source in document.sources}
        self.good = {code: tag_ids(document, code)["good/n"] for code in ("json", "edges", "lines-good")}
        self._numbers = count(1)

    # ---- sending ----------------------------------------------------------------------------------------------------

    def publish(self, messages: list[tuple[str, bytes]]) -> None:
        """QoS 1 through a client of its own; every one is acknowledged."""
        client = a_client(self.port)
        try:
            tokens = [client.publish(topic, payload, qos=1) for topic, payload in messages]
            for token in tokens:
                token.wait_for_publish(30)
                assert token.is_published()
        finally:
            client.disconnect()
            client.loop_stop()

    def post(self, path: str, body: bytes, headers: dict[str, str] | None = None) -> int:
        connection = http.client.HTTPConnection(self.http.hostname, self.http.port, timeout=30)
        login = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        try:
            connection.request("POST", path, body, {"Authorization": f"Basic {login}", **(headers or {})})
            return connection.getresponse().status
        except (BrokenPipeError, ConnectionResetError):
            return 413  # the door closed while ten megabytes were still under way
        finally:
            connection.close()

    def good_message_becomes_visible(self, code: str) -> None:
        number = next(self._numbers)
        if code == "json":
            self.publish([("p/0/good", json.dumps({"n": number}).encode())])
        elif code == "edges":
            birth = Payload(timestamp=time.time_ns() // 1_000_000, seq=0)
            birth.metrics.add(name="n", datatype=DataType.INT32, int_value=number)
            self.publish([("spBv1.0/Good/NBIRTH/good", birth.SerializeToString())])
        else:
            assert self.post("/write?db=lines-good", b"good n=%d" % number) == 204
        question = LatestQuestion(tags=[self.good[code]])
        wait_until(
            lambda: number in self.stack.bus.table("latest", question).column("value").to_pylist(),
            what=f"the good message of {code} behind the hostile ones",
            deadline_s=VISIBLE_WITHIN_S,
        )

    # ---- what is kept -----------------------------------------------------------------------------------------------

    def letters(self) -> Counter[tuple[str, str, str, str]]:
        """Count everything in YH_DEAD: (source code, topic, reason, address or "" for a whole message)."""
        found: Counter[tuple[str, str, str, str]] = Counter()
        bus, sequence = self.stack.bus, 1
        while True:
            question = json.dumps({"seq": sequence, "next_by_subj": "yh.dead.>"}).encode()
            header, payload = bus._wait(bus._ask(f"$JS.API.DIRECT.GET.{subjects.DEAD_STREAM}", question))
            place = header_value(header, "Nats-Sequence")
            if place is None:
                return found
            sequence = int(place) + 1
            _, _, source, reason = (header_value(header, "Nats-Subject") or "").split(".")
            key = (self.codes.get(int(source), ""), header_value(header, subjects.HEADER_TOPIC) or "", reason)
            if header_value(header, subjects.HEADER_KIND) == subjects.KIND_POINTS:
                found.update((*key, address) for address in msgspec.msgpack.decode(payload, type=SampleBatch).addresses)
            else:
                found[*key, ""] += 1

    def page(self) -> dict[tuple[str, str, str], int]:
        """Return what the dead-letter page counts: (source code, reason, topic or address) -> letters."""
        counted: dict[tuple[str, str, str], int] = {}
        offset, total = 0, 1
        while offset < total:
            page = self.visitor.json(f"/api/v1/dead-letters?limit=500&offset={offset}")
            offset, total = offset + 500, page["total"]
            for group in page["groups"]:
                key = (self.codes.get(group["source_id"] or 0, ""), group["reason"], group["what"])
                counted[key] = counted.get(key, 0) + group["count"]
        return counted

    def keeps(self, cases: dict[str, Hostile], *, place: int) -> None:
        """Wait until each payload is kept with exactly its reasons, or taken without complaint."""
        letters: dict[str, set[str]] = {}

        def wrong() -> dict[str, tuple[str, set[str], set[str]]]:
            return {
                key: (hostile.name, letters.get(key, set()), expected(hostile))
                for key, hostile in cases.items()
                if letters.get(key, set()) != expected(hostile)
            }

        def is_as_expected() -> bool:
            letters.clear()
            letters.update(reasons_by(self.letters(), place))
            return not wrong()

        with suppress(TimeoutError):  # the assertion says more
            wait_until(is_as_expected, what="the dead letters", deadline_s=VISIBLE_WITHIN_S, pause_s=0.3)
        assert wrong() == {}

    def health_is_good(self) -> bool:
        status = self.stack.status()
        return bool(status["is_ready"]) and all(not s.get("restarts") for s in status["services"].values())


def a_client(port: int, **options: object) -> paho.Client:
    client = paho.Client(paho.CallbackAPIVersion.VERSION2, **options)
    client.username_pw_set(USER, PASSWORD)
    client.connect("127.0.0.1", port)
    client.loop_start()
    return client


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with running_stack(Reporter()) as stack:
        stack.import_plant(plant())
        site = Site(stack)
        yield site
        site.visitor.close()


def expected(hostile: Hostile, *, time_us: int | None = None) -> set[str]:
    """Return the reasons the page must show: the decoder's, and the historian's for impossible times."""
    reasons = {reason.value for reason in hostile.reasons}
    at = hostile.time_us if time_us is None else time_us
    if hostile.values and at is not None and at < EARLIEST_US:
        reasons.add(Refusal.ANCIENT_TIME.value)
    if hostile.values and at is not None and at > time.time() * 1e6 + 600e6:
        reasons.add(Refusal.FUTURE_TIME.value)
    return reasons


def reasons_by(letters: Counter[tuple[str, str, str, str]], place: int) -> dict[str, set[str]]:
    found: dict[str, set[str]] = defaultdict(set)
    for key in letters:
        found[key[place]].add(key[REASON])
    return found


def test_hostile_json_over_mqtt_is_kept_with_its_reason_or_taken(site: Site):
    for start in range(0, len(JSON_CASES), 60):
        batch = list(enumerate(JSON_CASES))[start : start + 60]
        site.publish([(f"p/{number}/d", hostile.payload) for number, hostile in batch])
        site.good_message_becomes_visible("json")
    site.keeps({f"p/{number}/d": hostile for number, hostile in enumerate(JSON_CASES)}, place=TOPIC)
    assert len(JSON_CASES) > 200


def test_hostile_sparkplug_over_mqtt_is_kept_with_its_reason_or_taken(site: Site):
    def of_case(number: int, message: Message | Hostile) -> tuple[str, bytes]:
        return message.topic.replace("spBv1.0/G/", f"spBv1.0/G{number}/"), bytes(message.payload)

    for start in range(0, len(SPARKPLUG_CASES), 60):
        batch = list(enumerate(SPARKPLUG_CASES))[start : start + 60]
        site.publish([of_case(n, message) for n, hostile in batch for message in (*hostile.before, hostile)])
        site.good_message_becomes_visible("edges")
    site.publish([(h.topic, h.payload) for h in WRONG_SPARKPLUG_TOPICS])
    site.good_message_becomes_visible("edges")
    topics = {of_case(n, h)[0]: h for n, h in enumerate(SPARKPLUG_CASES)} | {h.topic: h for h in WRONG_SPARKPLUG_TOPICS}
    site.keeps(topics, place=TOPIC)
    assert len(topics) > 100


def test_hostile_line_protocol_is_answered_and_kept_with_its_reason_or_taken(site: Site):
    answers = {}
    for number, hostile in enumerate(LINE_CASES):
        path, _, query = hostile.topic.partition("?")
        answers[number] = site.post(f"/{path}?db=lines-{number}&{query}", hostile.payload)
    site.good_message_becomes_visible("lines-good")
    told = {hostile.name: (answers[number], wanted_answer(hostile)) for number, hostile in enumerate(LINE_CASES)}
    assert {name: pair for name, pair in told.items() if pair[0] != pair[1]} == {}
    # What is answered 413 the sender has still, and was told.
    kept = {f"lines-{number}": h for number, h in enumerate(LINE_CASES) if answers[number] != 413}
    site.keeps(kept, place=SOURCE)


def wanted_answer(hostile: Hostile) -> int:
    if Refusal.TOO_LARGE in hostile.reasons:
        return 413
    return 400 if hostile.reasons & {Refusal.UNDECODABLE, Refusal.WRONG_SHAPE} else 204


STRANGE_TOPICS = {
    "p/1/d/": "kept",
    "p//d": "kept",
    "p/温度/d/x": "kept",
    "p/$SYS": "kept",
    "p/1.5/a.b": "kept",
    "nobody/claims/this": "kept",
    "nobody/" + "x" * 1_500: "kept",
    "p/" + "/".join("abcdefghij" * 6): "kept",
    "/": "refused",
    "//": "refused",
    "$SYS/broker": "refused",
    "$MQTT/msgs/x": "refused",
    "$JS/API/STREAM/DELETE/YH_DEAD": "refused",
    "yh/live/values/1": "refused",
    "q/elsewhere": "refused",
    "p/d d": "closed",
    "p/+": "closed",
    "p/#": "closed",
    "p/\x00": "closed",
}


def raw_publish(port: int, topic: bytes, payload: bytes = b'{"zz": 1}') -> str:
    """Publish past every client library; return "acknowledged" or "closed"."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(mqtt.connect_packet("", USER, PASSWORD, keep_alive_s=0, will=None))
        connection.sendall(mqtt.publish_packet(topic, payload, 7))
        reader = mqtt.PacketReader()
        try:
            while data := connection.recv(65_536):
                if any(kind == mqtt.PUBACK for kind, _ in reader.feed(data)):
                    return "acknowledged"
        except ConnectionResetError:
            pass
        return "closed"


@pytest.mark.parametrize("topic", STRANGE_TOPICS, ids=lambda topic: ascii(topic[:24]))
def test_a_strange_topic_is_kept_or_refused_in_sight(site: Site, topic: str):
    outcome = STRANGE_TOPICS[topic]
    heard = raw_publish(site.port, topic.encode())
    assert heard == ("closed" if outcome == "closed" else "acknowledged")
    site.good_message_becomes_visible("json")
    if outcome != "closed":
        wait_until(
            lambda: (
                any(what.startswith(topic[:300]) for _, _, what in site.page())
                or any(key[1] == topic for key in site.letters())
            ),
            what=f"{topic[:40]!r} among the dead letters",
            deadline_s=VISIBLE_WITHIN_S,
        )


@pytest.mark.parametrize("topic", [b"p/\xff\xfe/d", b"p/\xc0\xaf", b"p/\xed\xa0\x80", b"", b"x" * 65_000])
def test_a_topic_that_is_no_text_harms_nobody(site: Site, topic: bytes):
    raw_publish(site.port, topic)
    site.good_message_becomes_visible("json")
    assert site.health_is_good()


def test_packets_that_are_no_mqtt_and_clients_that_vanish_harm_nobody(site: Site):
    hello = mqtt.connect_packet("", USER, PASSWORD, keep_alive_s=1, will=None)
    half_open = []
    for words in (
        b"",
        b"\x10",
        hello[:9],
        hello,
        hello + b"\x32\xff\xff\xff\x7f",
        b"GET / HTTP/1.1\r\n\r\n",
        bytes(5_000),
    ):
        for _ in range(10):
            connection = socket.create_connection(("127.0.0.1", site.port), timeout=10)
            connection.sendall(words)
            half_open.append(connection)
    site.good_message_becomes_visible("json")
    for connection in half_open:
        connection.close()
    site.good_message_becomes_visible("json")


def test_bombs_and_slow_bodies_at_the_http_door_hold_up_nobody(site: Site):
    bomb = gzip.compress(bytes(200_000_000), 9)
    assert site.post("/push/lines-good/x", bomb, {"Content-Encoding": "gzip"}) == 413
    twice = {"Content-Encoding": "gzip"}
    assert site.post("/push/lines-good/x", gzip.compress(gzip.compress(b"{}")), twice) == 400
    assert site.post("/push/lines-good/x", gzip.compress(b'{"n": 1}')[:-6], twice) == 400
    assert site.post("/push/lines-good/x", b"not gzip at all", twice) == 400
    assert site.post("/push/lines-good/x", b"x", {"Content-Encoding": "br"}) == 415
    login = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    head = f"POST /push/lines-good/x HTTP/1.1\r\nHost: x\r\nAuthorization: Basic {login}\r\n"
    openings = (b"", b"POST /pu", head.encode(), f"{head}Content-Length: 1000\r\n\r\n".encode() + b"{")
    slow = []
    for opening in openings:
        for _ in range(50):
            connection = socket.create_connection((site.http.hostname, site.http.port), timeout=10)
            connection.sendall(opening)
            slow.append(connection)
    site.good_message_becomes_visible("lines-good")
    for connection in slow:
        connection.close()
    site.good_message_becomes_visible("lines-good")


def test_the_page_counts_every_letter_and_nothing_fell_over(site: Site):
    def as_the_page_counts() -> dict[tuple[str, str, str], int]:
        wanted: dict[tuple[str, str, str], int] = {}
        for (code, topic, reason, address), number in site.letters().items():
            what = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in address or topic)
            key = (code, reason, what[:400])
            wanted[key] = wanted.get(key, 0) + number
        return wanted

    def differences() -> dict[tuple[str, str, str], tuple[int, int]]:
        kept, page = as_the_page_counts(), site.page()
        return {
            key: (kept.get(key, 0), page.get(key, 0))
            for key in kept.keys() | page.keys()
            if kept.get(key) != page.get(key)
        }

    wait_until(lambda: not few(differences()), what="the page to count every letter", deadline_s=VISIBLE_WITHIN_S)
    assert site.health_is_good()


def few(differences: dict[tuple[str, str, str], tuple[int, int]]) -> dict[tuple[str, str, str], tuple[int, int]]:
    """Leave out what shares the group of the others: 50,000 unknown names do not get a group each."""
    return {key: told for key, told in differences.items() if key[1] != Refusal.UNKNOWN_TAG.value}


# ---- Sparkplug sessions that begin badly; the last ones, for they kill -----------------------------------------------


class EdgeNode:
    """A node written to the specification, on paho: born when a host asks, reports by alias."""

    def __init__(self, port: int, group: str) -> None:
        self._group = group
        self._seq = -1
        self.births = 0
        self._client = paho.Client(paho.CallbackAPIVersion.VERSION2)
        self._client.username_pw_set(USER, PASSWORD)
        self._client.on_connect = lambda client, *_: client.subscribe(f"spBv1.0/{group}/NCMD/good", 1)
        self.listening = threading.Event()
        self._client.on_subscribe = lambda *_: self.listening.set()
        self._client.on_message = self._commanded
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        assert self.listening.wait(10)

    def _commanded(self, client: object, userdata: object, message: paho.MQTTMessage) -> None:
        asked = Payload.FromString(message.payload).metrics[0]
        assert (asked.name, asked.boolean_value) == ("Node Control/Rebirth", True)
        self.bear()

    def bear(self) -> None:
        self._seq = -1
        birth = self._payload()
        birth.metrics.add(name="bdSeq", datatype=DataType.UINT64, long_value=0)
        birth.metrics.add(name="n", alias=5, datatype=DataType.INT32, int_value=0)
        self._client.publish(f"spBv1.0/{self._group}/NBIRTH/good", birth.SerializeToString(), qos=1)
        self.births += 1

    def report(self, value: int) -> None:
        data = self._payload()
        data.metrics.add(alias=5, int_value=value)
        self._client.publish(f"spBv1.0/{self._group}/NDATA/good", data.SerializeToString(), qos=1).wait_for_publish(10)

    def _payload(self) -> Payload:
        self._seq = (self._seq + 1) % 256
        return Payload(timestamp=time.time_ns() // 1_000_000, seq=self._seq)

    def leave(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


def history_of(site: Site, since_us: int) -> list[float]:
    """Return the stored values of the nodes' tag that are not births; none while the historian is away."""
    question = RawQuestion(tags=[site.good["edges"]], start_us=since_us, end_us=time.time_ns() // 1000 + 10**9)
    try:
        values = site.stack.bus.table("raw", question).column("value").to_pylist()
    except HistorianRefused:
        return []
    return [value for value in values if value]


def test_data_sent_before_a_birth_come_back_by_themselves_exactly_once(site: Site):
    since_us = time.time_ns() // 1000
    node = EdgeNode(site.port, "Unborn")
    for value in (1_001, 1_002, 1_003):
        node.report(value)
        time.sleep(0.002)  # each has a millisecond of its own
    wait_until(
        lambda: sorted(history_of(site, since_us)) == [1_001, 1_002, 1_003],
        what="the data that were sent before the birth",
        deadline_s=VISIBLE_WITHIN_S,
    )
    node.leave()
    assert node.births == 1
    topic = "spBv1.0/Unborn/NDATA/good"
    wait_until(
        lambda: not any(key[TOPIC] == topic for key in site.letters()),
        what="the dead letters to be taken off",
        deadline_s=VISIBLE_WITHIN_S,
    )
    (group,) = site.visitor.json(f"/api/v1/dead-letters?text={topic}")["groups"]
    assert (group["reason"], group["count"], group["replayed_count"]) == ("not_born", 3, 3)
    wait_until(
        lambda: site.visitor.json(f"/api/v1/dead-letters?text={topic}")["groups"][0]["state"] == "replayed",
        what="the page to say that they were replayed",
        deadline_s=VISIBLE_WITHIN_S,
    )


def test_aliases_survive_the_death_of_the_historian(site: Site):
    since_us = time.time_ns() // 1000
    node = EdgeNode(site.port, "Steady")
    node.bear()
    node.report(2_001)
    wait_until(lambda: history_of(site, since_us) == [2_001], what="the first value", deadline_s=VISIBLE_WITHIN_S)
    before = site.stack.pids()["historian"]
    os.kill(before, signal.SIGKILL)
    node.report(2_002)
    wait_until(
        lambda: site.stack.pids().get("historian", before) != before and site.stack.is_ready(),
        what="the historian to be back",
        deadline_s=60,
    )
    node.report(2_003)
    wait_until(lambda: history_of(site, since_us) == [2_001, 2_002, 2_003], what="the values after it", deadline_s=30)
    node.leave()
    assert node.births == 1
    assert not any(key[TOPIC] == "spBv1.0/Steady/NDATA/good" for key in site.letters())
