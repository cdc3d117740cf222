"""More than 200 payloads that no decoder may stumble over, each with what must become of it.

`corpus` makes them; nothing is stored in files. Times outside a tolerance (1970, 2100) decode: it is the historian
that quarantines them, for only it knows the tolerance.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import NamedTuple

import msgspec

from yuheng.bus.messages import SampleBatch
from yuheng.engines.codec import SAMPLES, Message, TagSpec
from yuheng.engines.codec.sparkplug_schema import DataType, Payload
from yuheng.engines.points import Refusal

ARRIVED_US = 1_732_345_678_000_000
MS = ARRIVED_US // 1000

TAGS = [
    TagSpec(1, "d/temp", "float"),
    TagSpec(2, "d/count", "int"),
    TagSpec(3, "d/run", "bool"),
    TagSpec(4, "d/program", "text"),
    TagSpec(5, "edge/temp", "float"),
    TagSpec(6, "edge/count", "int"),
    TagSpec(7, "edge/program", "text"),
]
R = Refusal


class Hostile(NamedTuple):
    """One message, what comes before it, and what must become of it."""

    name: str
    connector: str
    topic: str
    payload: bytes
    reasons: frozenset[Refusal]  # of the message and of its points; empty: taken without complaint
    values: int  # points and texts that are taken
    time_us: int | None = None  # of every point that is taken, when it matters
    before: tuple[Message, ...] = ()

    @property
    def message(self) -> Message:
        """As the decoder sees it."""
        return Message(self.topic, self.payload, ARRIVED_US)


def corpus() -> list[Hostile]:
    """Return all of them; names are unique."""
    return [*_json(), *_json_times(), *_json_shapes(), *_topics(), *_sparkplug(), *_lines(), *_samples()]


def _j(name, payload, *reasons, values=0, topic="p/d", time_us=None) -> Hostile:
    data = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return Hostile(f"json {name}", "mqtt_json", topic, data, frozenset(reasons), values, time_us)


def _json() -> Iterator[Hostile]:
    whole = b'{"ts":1732345678123,"values":{"temp":1.5,"run":true}}'
    for size in range(len(whole)):
        yield _j(f"cut at {size}", whole[:size], R.UNDECODABLE)
    yield _j("whole", whole, values=2, time_us=1_732_345_678_123_000)
    wrong = {
        "temp": ["hot", "", "1.5", True, False, [], [1], "NaN"],
        "count": [1.5, -0.1, "7", True, [7], 1e-9],
        "run": [2, -1, 0.5, "true", [True]],
        "program": [1, 1.5, True, ["P"]],
    }
    for name, values in wrong.items():
        for value in values:
            yield _j(f"{name} is {value!r}", {"values": {name: value}}, R.WRONG_TYPE)
    yield _j("text where an object of values is", b'{"values": {"temp": {"temp": 1}}}', R.UNKNOWN_TAG)
    for token in (b"NaN", b"Infinity", b"-Infinity", b"1e999", b"-1e999"):
        text = b'{"values": {"temp": %b, "count": 3}}' % token
        yield _j(f"token {token.decode()}", text, R.NOT_FINITE, values=1)
    for number in (2**53 + 1, -(2**53) - 1, 2**63, 2**64 - 1, 2**64, -(2**63) - 1, 10**30, -(10**30), 10**400):
        for tag in ("temp", "count"):
            yield _j(f"{tag} of {len(str(number))} digits, {number < 0}, {number % 7}", {tag: number}, R.NOT_EXACT)
    yield _j("whole number of 5000 digits", b'{"temp": %b}' % (b"9" * 5000), R.UNDECODABLE)
    yield _j("2 to the 53", {"count": 2**53}, values=1)
    yield _j("minus zero", b'{"temp": -0}', values=1)
    yield _j("denormal", b'{"temp": 5e-324}', values=1)
    yield _j("largest float", b'{"temp": 1.7976931348623157e308}', values=1)
    for depth in (20, 500, 1_100, 100_000):
        reason = R.UNKNOWN_TAG if depth < 1024 else R.UNDECODABLE
        yield _j(f"objects {depth} deep", b'{"a":' * depth + b"1" + b"}" * depth, reason)
        reason = R.WRONG_SHAPE if depth < 1024 else R.UNDECODABLE
        yield _j(f"lists {depth} deep", b"[" * depth + b"]" * depth, reason)
    for name, data in {
        "a lone byte": b"\xff",
        "an overlong slash": b'{"temp": "\xc0\xaf"}',
        "a cut character": '{"program": "温'.encode()[:-1] + b'"}',
        "a UTF-8 surrogate": b'{"program": "\xed\xa0\x80"}',
        "beyond unicode": b'{"program": "\xf5\x80\x80\x80"}',
        "latin-1": '{"program": "Grüße"}'.encode("latin-1"),
        "GB18030": '{"program": "送丝故障"}'.encode("gb18030"),
        "UTF-16": '{"temp": 1}'.encode("utf-16"),
        "UTF-16 without a mark": '{"temp": 1}'.encode("utf-16-le"),
        "a lone escaped surrogate": b'{"program": "\\ud800"}',
        "NUL bytes": b"\x00\x00\x00\x00",
        "a control character in text": b'{"program": "a\x01b"}',
        "gzip": b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03",
        "HTML": b"<html></html>",
        "CSV": b"temp,1.5",
        "plain words": b"hello world",
        "single quotes": b"{'temp': 1}",
        "a comment": b'{"temp": 1} // ok',
        "a trailing comma": b'{"temp": 1,}',
        "two documents": b'{"temp": 1}{"temp": 2}',
        "white space only": b" \r\n\t",
        "a leading zero": b'{"temp": 01}',
        "hexadecimal": b'{"temp": 0x1F}',
        "a missing value": b'{"temp": }',
    }.items():
        yield _j(name, data, R.UNDECODABLE)
    yield _j("a byte order mark", b'\xef\xbb\xbf{"temp": 1}', values=1)
    yield _j("CR LF everywhere", b'{\r\n"temp":\r\n1}\r\n', values=1)
    yield _j("emoji and Chinese", {"program": "送丝 🤖"}, values=1)
    yield _j("an escaped NUL", {"program": "a\0b"}, values=1)
    yield _j("the same key twice", b'{"temp": 1, "temp": 2}', values=1)
    yield _j("the same key twice, wrong last", b'{"temp": 1, "temp": "x"}', R.WRONG_TYPE)
    yield _j("10 MB", b'{"program": "' + b"x" * 10_000_000 + b'"}', R.TOO_LARGE)
    yield _j("one byte too large", b'{"temp": 1' + b" " * (1024 * 1024 - 10) + b"}", R.TOO_LARGE)
    yield _j("just small enough", b'{"temp": 1' + b" " * (1024 * 1024 - 11) + b"}", values=1)
    yield _j("50,000 unknown names", {f"k{i}": i for i in range(50_000)}, R.UNKNOWN_TAG)
    for key in ("", " ", "a/b", "a.b", "温度", "#", "+", "k" * 100_000, "__class__", "{name}", "\n"):
        yield _j(f"key {key[:8]!r} ({len(key)})", {key: 1}, R.UNKNOWN_TAG)


def _json_times() -> Iterator[Hostile]:
    century = 4_102_444_800  # 2100-01-01
    good = {
        0: 0,
        1: 1_000_000,
        -1: -1_000_000,
        0.5: 500_000,
        century: century * 10**6,
        century * 1000: century * 10**6,
        century * 10**6: century * 10**6,
        century * 10**9: century * 10**6,
        "1970-01-01T00:00:00Z": 0,
        "2100-01-01": century * 10**6,
        "2100-01-01T08:00:00+08:00": century * 10**6,
        "2024-02-29 12:00": 1_709_208_000_000_000,
        "0001-01-01T00:00:00Z": -62_135_596_800_000_000,
    }
    for ts, time_us in good.items():
        yield _j(f"time {ts!r}", {"ts": ts, "values": {"temp": 1}}, values=1, time_us=time_us)
    bad = ["yesterday", "", "2024-02-30", "2024-13-01T00:00:00Z", "9" * 100, True, [], {}, [1], 1e300, -1e300, 10**40]
    for ts in bad:
        yield _j(f"time {str(ts)[:20]!r} {type(ts).__name__}", {"ts": ts, "values": {"temp": 1}}, R.WRONG_SHAPE)
    yield _j("time NaN", b'{"ts": NaN, "values": {"temp": 1}}', R.WRONG_SHAPE)
    yield _j("time null", {"ts": None, "values": {"temp": 1}}, values=1, time_us=ARRIVED_US)
    for seq in (-1, 2**64, 1.5, "1", True, []):
        yield _j(f"sequence {seq!r}", {"seq": seq, "values": {"temp": 1}}, R.WRONG_SHAPE)
    yield _j("largest sequence", {"seq": 2**64 - 1, "values": {"temp": 1}}, values=1)
    for quality in ("excellent", -1, 2**32, 1.5, []):
        yield _j(f"quality {quality!r}", {"quality": quality, "values": {"temp": 1}}, R.WRONG_SHAPE)


def _json_shapes() -> Iterator[Hostile]:
    for shape in (None, [], {}, [1], [[]], [[{"temp": 1}]], [{"temp": 1}, 2], [None], {"ts": 1}):
        yield _j(f"shape {shape!r}", shape, R.WRONG_SHAPE)
    yield _j("values is a number", {"values": 3}, R.UNKNOWN_TAG)
    yield _j("values is a list", {"values": [1]}, R.UNKNOWN_TAG)
    yield _j("a name without a value", [{"name": "temp"}], R.UNKNOWN_TAG)
    yield _j("a name that is a number", [{"name": 3, "value": 1}], R.UNKNOWN_TAG)
    yield _j("null is no value, and that is a point", {"temp": None}, values=1)


def _topics() -> Iterator[Hostile]:
    for topic in (
        "p/d/",
        "p//d",
        "/",
        "x" * 60_000,
        "p/温度",
        "p/+",
        "p/#",
        "p/$SYS",
        "q/elsewhere",
        "p/d d",
        "p/\x00",
    ):
        yield _j(f"topic {topic[:10]!r}", {"temp": 1}, R.UNKNOWN_TAG, topic=topic)
    yield _j("a bare value on an empty topic", b"1", R.WRONG_SHAPE, topic="")
    yield _j("a bare value on a topic that ends in a slash", b"1", R.WRONG_SHAPE, topic="p/d/")
    for topic in ("spBv1.0", "spBv1.0/G/NDATA", "spBv1.0/G/NDATA/e/d", "spBv1.0/G/DDATA/e", "spBv1.0//NDATA/e"):
        yield _s(f"topic {topic}", b"\x08\x01", R.WRONG_SHAPE, topic=topic)
    for topic in ("spAv1.0/G/NDATA/e", "spBv1.0/G/NOISE/e", "spBv1.0/G/ndata/e", "", "spBv1.0/G/DBIRTH/e/"):
        yield _s(f"topic {topic}", b"\x08\x01", R.WRONG_SHAPE, topic=topic)


def _birth() -> Payload:
    payload = Payload(timestamp=MS, seq=0)
    payload.metrics.add(name="bdSeq", datatype=DataType.UINT64, long_value=1)
    payload.metrics.add(name="temp", alias=1, datatype=DataType.DOUBLE, double_value=1.5)
    payload.metrics.add(name="count", alias=2, datatype=DataType.INT32, int_value=7)
    return payload


BIRTH = Message("spBv1.0/G/NBIRTH/edge", _birth().SerializeToString(), ARRIVED_US)


def _s(name, payload, *reasons, values=0, topic="spBv1.0/G/NDATA/edge", before=(BIRTH,), time_us=None) -> Hostile:
    data = payload if isinstance(payload, bytes) else payload.SerializeToString()
    return Hostile(f"sparkplug {name}", "sparkplug_b", topic, data, frozenset(reasons), values, time_us, tuple(before))


def _field_ends(data: bytes) -> dict[int, int]:
    """Map the end of each top-level field of a payload to its field number: a cut there is a shorter payload."""
    ends, at = {}, 0
    while at < len(data):
        key, at = _varint(data, at)
        size, at = _varint(data, at)
        at += size if key & 7 == 2 else 0
        ends[at] = key >> 3
    return ends


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value, shift = 0, 0
    while True:
        value |= (data[at] & 0x7F) << shift
        at += 1
        if not data[at - 1] & 0x80:
            return value, at
        shift += 7


def _data(**fields) -> Payload:
    payload = Payload(timestamp=MS, seq=1)
    payload.metrics.add(**fields)
    return payload


def _sparkplug() -> Iterator[Hostile]:
    whole = _birth().SerializeToString()
    ends = _field_ends(whole)
    metrics = 0
    for size in range(len(whole)):
        metrics += ends.get(size) == 2
        taken = max(0, metrics - 1) if size in ends else 0  # the first metric is bdSeq
        reasons = () if size in ends else (R.UNDECODABLE,)
        yield _s(f"birth cut at {size}", whole[:size], *reasons, values=taken, topic=BIRTH.topic, before=())
    yield _s("data before a birth", _data(alias=1, double_value=1), R.NOT_BORN, before=())
    device = "spBv1.0/G/DDATA/edge/d"
    yield _s("data of a device that was not born", _data(alias=1, double_value=1), R.NOT_BORN, topic=device)
    yield _s("an unknown alias", _data(alias=99, double_value=1), R.UNKNOWN_ALIAS)
    yield _s("the largest alias", _data(alias=2**64 - 1, double_value=1), R.UNKNOWN_ALIAS)
    yield _s("neither name nor alias", _data(double_value=1.0), R.UNKNOWN_ALIAS)
    yield _s("an unknown name", _data(name="other", datatype=10, double_value=1.0), R.UNKNOWN_TAG)
    for value in (float("nan"), float("inf"), float("-inf")):
        yield _s(f"double {value}", _data(alias=1, double_value=value), R.NOT_FINITE)
        yield _s(f"float {value}", _data(alias=1, float_value=value), R.NOT_FINITE)
    yield _s("text for a number", _data(alias=1, string_value="hot"), R.WRONG_TYPE)
    yield _s("true for a number", _data(alias=1, boolean_value=True), R.WRONG_TYPE)
    yield _s("a fraction for a whole number", _data(alias=2, double_value=1.5), R.WRONG_TYPE)
    yield _s("bytes", _data(alias=1, bytes_value=b"\x00\xff"), R.WRONG_TYPE)
    yield _s("a data set", _data(alias=1, dataset_value=b"\x08\x03"), R.WRONG_TYPE)
    yield _s("an extension", _data(alias=1, extension_value=b""), R.WRONG_TYPE)
    yield _s("a whole number beyond 2^53", _data(alias=1, long_value=2**60), R.NOT_EXACT)
    yield _s("no value at all", _data(alias=1), R.WRONG_SHAPE)
    yield _s("null", _data(alias=1, is_null=True), values=1)
    yield _s("zero", _data(alias=1, double_value=0.0), values=1)
    yield _s("no metrics", Payload(timestamp=MS, seq=1))
    yield _s("a metric from 1970", _data(alias=1, timestamp=0, double_value=1), values=1, time_us=0)
    century = 4_102_444_800_000
    data = _data(alias=1, timestamp=century, double_value=1)
    yield _s("a metric from 2100", data, values=1, time_us=century * 1000)
    yield _s("a metric from the end of time", _data(alias=1, timestamp=2**64 - 1, double_value=1), R.WRONG_SHAPE)
    late = Payload(timestamp=2**63, seq=1)
    late.metrics.add(alias=1, double_value=1)
    yield _s("a payload from the end of time", late, R.WRONG_SHAPE)
    yield _s("the largest sequence", Payload(timestamp=MS, seq=2**64 - 1))
    for name, data in {
        "nothing": b"",
        "JSON": b'{"temp": 1}',
        "zeroes": bytes(50),
        "ones": b"\xff" * 50,
        "a name that is not UTF-8": b"\x12\x04\x0a\x02\xff\xfe",
        "an endless varint": b"\x08" + b"\xff" * 11,
        "a length beyond the end": b"\x12\xff\xff\xff\xff\x07",
        "a group without an end": b"\x0b",
    }.items():
        yield _s(name, data, R.UNDECODABLE)
    yield _s("fields nobody knows", b"\xf8\x07\x01")
    yield _s("10 MB", b"\x2a" + b"\x80\xad\xe2\x04" + bytes(10_000_000), R.TOO_LARGE)
    old = Payload(timestamp=MS)
    old.metrics.add(name="bdSeq", datatype=DataType.UINT64, long_value=77)
    yield _s("a death of another session", old, R.STALE_DEATH, topic="spBv1.0/G/NDEATH/edge")
    reborn = Payload(timestamp=MS, seq=0)
    reborn.metrics.add(name="count", alias=1, datatype=DataType.INT32, int_value=1)
    again = Message(BIRTH.topic, reborn.SerializeToString(), ARRIVED_US)
    yield _s("an alias used for another metric", _data(alias=1, int_value=5), values=1, before=(BIRTH, again))
    yield _s("an alias of the session before", _data(alias=2, int_value=5), R.UNKNOWN_ALIAS, before=(BIRTH, again))
    for depth, reason in ((20, R.WRONG_SHAPE), (60, R.UNDECODABLE)):
        nest = Payload(timestamp=MS, seq=0)
        metric = nest.metrics.add(name="t", datatype=DataType.TEMPLATE)
        for _ in range(depth):
            metric = metric.template_value.metrics.add(name="t", datatype=DataType.TEMPLATE)
        metric.int_value = 1
        yield _s(f"templates {depth} deep", nest, reason, topic=BIRTH.topic, before=())
    twice = Payload(timestamp=MS, seq=1)
    twice.metrics.add(alias=1, double_value=1)
    twice.metrics.add(alias=1, double_value=2)
    yield _s("one alias twice in a message", twice, values=2)
    nameless = Payload(timestamp=MS, seq=0)
    nameless.metrics.add(alias=5, datatype=DataType.DOUBLE, double_value=1)
    yield _s("a birth without names", nameless, R.WRONG_SHAPE, topic=BIRTH.topic, before=())


def _l(name, payload, *reasons, values=0, topic="write", time_us=None) -> Hostile:
    data = payload if isinstance(payload, bytes) else payload.encode()
    return Hostile(f"lines {name}", "http", topic, data, frozenset(reasons), values, time_us)


def _lines() -> Iterator[Hostile]:
    for line in ("d", "d ", "d temp", "d temp=", "d temp=1 x", "d,t temp=1", 'd program="x', "d temp=1 1 1", "=", ","):
        yield _l(f"{line!r}", line, R.UNDECODABLE)
    for line in (
        "d temp=0x1F",
        "d temp=1,5x",
        "d temp=1e",
        "d temp=--1",
        "d count=1ii",
        'd program="a" b',
        "d temp=1,",
    ):
        yield _l(f"{line!r}", line, R.UNDECODABLE)
    for token in ("NaN", "inf", "-Infinity", "1e999"):
        yield _l(f"token {token}", f"d temp={token}", R.NOT_FINITE)
    yield _l("a huge whole number", "d count=9007199254740993i", R.NOT_EXACT)
    yield _l("a fraction for a whole number", "d count=1.5", R.WRONG_TYPE)
    yield _l("text for a number", 'd temp="hot"', R.WRONG_TYPE)
    yield _l("an unknown field", "d other=1", R.UNKNOWN_TAG)
    yield _l("nothing", b"", R.WRONG_SHAPE)
    yield _l("only comments", "# a\n#b\n", R.WRONG_SHAPE)
    yield _l("not UTF-8", b"d temp=\xff", R.UNDECODABLE)
    yield _l("a byte order mark and CR LF", b"\xef\xbb\xbfd temp=1\r\nd count=2i\r\n", values=2)
    yield _l("one bad line among good ones", "d temp=1\nd temp=\nd temp=3", R.UNDECODABLE, values=2)
    yield _l("1970", "d temp=1 0", values=1, time_us=0)
    yield _l("2100", "d temp=1 4102444800", values=1, topic="write?precision=s", time_us=4_102_444_800_000_000)
    yield _l("the end of time", "d temp=1 9223372036854775807", R.UNDECODABLE, topic="write?precision=h")
    yield _l("10 MB", b"d temp=1\n" * 1_200_000, R.TOO_LARGE)
    yield _l("a text of many lines", 'd program="a\nb\nc"', values=1)


def _samples() -> Iterator[Hostile]:
    whole = msgspec.msgpack.encode(SampleBatch(["d/temp"], [ARRIVED_US], [1.5], [0]))
    for size in range(0, len(whole), 3):
        yield Hostile(f"samples cut at {size}", SAMPLES, "", whole[:size], frozenset((R.UNDECODABLE,)), 0)
    short = msgspec.msgpack.encode(SampleBatch(["d/temp"], [], [1.5], [0]))
    yield Hostile("samples of two lengths", SAMPLES, "", short, frozenset((R.WRONG_SHAPE,)), 0)
