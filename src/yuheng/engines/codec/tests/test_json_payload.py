import json
import math

import pytest

from yuheng.engines.codec import Message, TagSpec, decoder_for
from yuheng.engines.points import Quality, Refusal

ARRIVED = 1_732_345_678_999_000
TS = 1_732_345_678_123
TAGS = [
    TagSpec(1, "L01/temp", "float", 0.1, 5.0),
    TagSpec(2, "L01/count", "int"),
    TagSpec(3, "L01/run", "bool"),
    TagSpec(4, "L01/program", "text"),
    TagSpec(5, "L01/motor/speed", "float"),
    TagSpec(6, "press", "float"),
]


def decode(*payloads, settings=None, topic="plant/L01", topics=("plant/#",), tags=TAGS):
    decoder = decoder_for("mqtt_json", settings or {}, topics, tags)
    raw = [p if isinstance(p, bytes) else json.dumps(p).encode() for p in payloads]
    return decoder.decode([Message(topic, payload, ARRIVED) for payload in raw])


def rows(batch):
    points = batch.points
    return list(zip(points.tag.tolist(), points.time_us.tolist(), points.value.tolist(), strict=True))


def reasons(batch):
    return [(point.address, point.reason) for _, point in batch.refused]


def test_the_usual_message_becomes_scaled_points_with_its_time():
    batch = decode({"ts": TS, "values": {"temp": 150, "count": 7, "run": True}})
    assert rows(batch) == [(1, TS * 1000, 20.0), (2, TS * 1000, 7.0), (3, TS * 1000, 1.0)]
    assert batch.points.arrived_us.tolist() == [ARRIVED] * 3
    assert batch.points.quality.tolist() == [0, 0, 0]
    assert (batch.texts, batch.refused, batch.refused_messages) == ([], [], [])


def test_without_a_time_the_arrival_is_the_time():
    assert rows(decode({"values": {"count": 1}})) == [(2, ARRIVED, 1.0)]
    assert rows(decode({"count": 1})) == [(2, ARRIVED, 1.0)]
    assert rows(decode({"ts": None, "values": {"count": 1}})) == [(2, ARRIVED, 1.0)]


@pytest.mark.parametrize(
    "payload",
    [
        {"count": 1, "ts": TS},
        {"count": 1, "timestamp": TS / 1000},
        [{"count": 1, "ts": TS}],
        [{"ts": TS, "values": {"count": 1}}],
        [{"tag": "count", "value": 1, "ts": TS}],
        {"name": "count", "value": 1, "ts": TS},
        {"ts": "2024-11-23T07:07:58.123Z", "values": {"count": 1}},
        {"ts": TS * 1000, "values": {"count": 1}},
        {"ts": TS * 1_000_000, "values": {"count": 1}},
        {"ts": str(TS), "values": {"count": 1}},
    ],
)
def test_every_understood_shape_gives_the_same_point(payload):
    assert rows(decode(payload)) == [(2, TS * 1000, 1.0)]


def test_a_bare_value_is_named_by_the_last_level_of_its_topic():
    assert rows(decode(b"7", topic="plant/L01/count")) == [(2, ARRIVED, 7.0)]
    assert rows(decode(b"true", topic="plant/L01/run")) == [(3, ARRIVED, 1.0)]
    assert decode(b'"P-7"', topic="plant/L01/program").texts[0].text == "P-7"
    assert rows(decode(b"7", topic="press", topics=["press"])) == [(6, ARRIVED, 7.0)]


def test_nested_objects_become_names_with_slashes():
    assert rows(decode({"values": {"motor": {"speed": 3}}})) == [(5, ARRIVED, 3.0)]


def test_null_is_a_point_of_bad_quality_without_value():
    batch = decode({"values": {"count": None, "run": True}})
    assert math.isnan(batch.points.value[0])
    assert batch.points.quality.tolist() == [Quality.BAD, Quality.GOOD]


def test_sequence_and_quality_of_the_message_hold_for_its_points():
    batch = decode({"ts": TS, "seq": 9, "quality": "uncertain", "values": {"count": 1}})
    assert (batch.points.seq.tolist(), batch.points.quality.tolist()) == ([9], [Quality.UNCERTAIN])
    assert decode({"quality": 0x80000000, "values": {"count": 1}}).points.quality.tolist() == [Quality.BAD]
    da = decode({"quality": 192, "values": {"count": 1}}, settings={"quality_codes": "opc_da"})
    assert da.points.quality.tolist() == [Quality.GOOD]


@pytest.mark.parametrize(
    ("values", "address", "reason"),
    [
        ({"nothing": 1}, "L01/nothing", Refusal.UNKNOWN_TAG),
        ({"temp": "hot"}, "L01/temp", Refusal.WRONG_TYPE),
        ({"temp": True}, "L01/temp", Refusal.WRONG_TYPE),
        ({"temp": [1]}, "L01/temp", Refusal.WRONG_TYPE),
        ({"count": 1.5}, "L01/count", Refusal.WRONG_TYPE),
        ({"run": 2}, "L01/run", Refusal.WRONG_TYPE),
        ({"program": 2}, "L01/program", Refusal.WRONG_TYPE),
        ({"temp": math.nan}, "L01/temp", Refusal.NOT_FINITE),
        ({"temp": math.inf}, "L01/temp", Refusal.NOT_FINITE),
        ({"count": 2**53 + 1}, "L01/count", Refusal.NOT_EXACT),
        ({"count": -(2**53) - 1}, "L01/count", Refusal.NOT_EXACT),
        ({"count": 2**70}, "L01/count", Refusal.NOT_EXACT),
        ({"temp": 10**400}, "L01/temp", Refusal.NOT_EXACT),
    ],
)
def test_a_wrong_value_is_refused_alone_and_its_neighbours_stay(values, address, reason):
    batch = decode({"ts": TS, "values": {**values, "press": 1}}, {"ts": TS, "values": {"count": 5}})
    assert set(reasons(batch)) == {(address, reason), ("L01/press", Refusal.UNKNOWN_TAG)}
    assert rows(batch) == [(2, TS * 1000, 5.0)]


def test_an_infinite_number_in_a_message_does_not_cost_the_good_ones():
    batch = decode(b'{"values": {"temp": NaN, "count": 3, "run": true}}')
    assert [(tag, value) for tag, _, value in rows(batch)] == [(2, 3.0), (3, 1.0)]
    assert reasons(batch) == [("L01/temp", Refusal.NOT_FINITE)]


def test_exactly_two_to_the_53_and_large_floats_are_kept():
    batch = decode({"values": {"count": 2**53}}, {"values": {"temp": 1e20}})
    assert [value for _, _, value in rows(batch)] == [2.0**53, 1e20 * 0.1 + 5]


def test_a_value_that_scaling_makes_infinite_is_refused():
    tags = [TagSpec(1, "L01/temp", "float", 1e300)]
    assert reasons(decode({"values": {"temp": 1e300}}, tags=tags)) == [("L01/temp", Refusal.NOT_FINITE)]


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"", Refusal.UNDECODABLE),
        (b"{", Refusal.UNDECODABLE),
        (b"\xff\xfe", Refusal.UNDECODABLE),
        ("温度".encode("gb18030"), Refusal.UNDECODABLE),
        (b'"\\ud800"', Refusal.UNDECODABLE),
        (b"[" * 100_000, Refusal.UNDECODABLE),
        (b"null", Refusal.WRONG_SHAPE),
        (b"[]", Refusal.WRONG_SHAPE),
        (b"{}", Refusal.WRONG_SHAPE),
        (b"[1, 2]", Refusal.WRONG_SHAPE),
        (b'{"ts": "yesterday", "values": {"count": 1}}', Refusal.WRONG_SHAPE),
        (b'{"ts": 1e300, "values": {"count": 1}}', Refusal.WRONG_SHAPE),
        (b'{"seq": -1, "values": {"count": 1}}', Refusal.WRONG_SHAPE),
        (b" " * (1024 * 1024 + 1), Refusal.TOO_LARGE),
    ],
)
def test_a_message_of_no_use_is_refused_whole_with_its_reason(payload, reason):
    batch = decode(payload, {"values": {"count": 1}})
    assert [(index, found) for index, found, _ in batch.refused_messages] == [(0, reason)]
    assert batch.refused_messages[0][2]
    assert rows(batch) == [(2, ARRIVED, 1.0)]


def test_a_byte_order_mark_and_windows_line_ends_do_no_harm():
    assert rows(decode(b'\xef\xbb\xbf{"values":\r\n{"count": 1}}\r\n')) == [(2, ARRIVED, 1.0)]


def test_gb18030_devices_are_read_when_the_setting_says_so():
    payload = '{"values": {"program": "联通 送丝"}}'.encode("gb18030")
    assert decode(payload, settings={"encoding": "gb18030"}).texts[0].text == "联通 送丝"


def test_paths_reach_into_foreign_documents():
    settings = {"time_path": "meta.t", "time_format": "s", "values_path": "data", "seq_path": "meta.n"}
    batch = decode({"meta": {"t": 100, "n": 4}, "data": {"count": 1}}, settings=settings)
    assert (rows(batch), batch.points.seq.tolist()) == ([(2, 100_000_000, 1.0)], [4])
    listed = {"list_path": "d", "name_path": "id", "value_path": "v", "time_path": "t"}
    batch = decode({"t": TS, "d": [{"id": "count", "v": 1}, {"id": "run", "v": 0, "t": TS + 1}]}, settings=listed)
    assert rows(batch) == [(2, TS * 1000, 1.0), (3, TS * 1000 + 1000, 0.0)]


def test_topic_patterns_and_address_templates_say_where_a_value_belongs():
    tags = [TagSpec(1, "weld.W1.current", "float"), TagSpec(2, "weld/W1/current", "float")]
    settings = {"topic_pattern": "p/{area}/{unit}", "address": "{area}.{unit}.{name}"}
    assert rows(decode({"current": 3}, settings=settings, topic="p/weld/W1", tags=tags)) == [(1, ARRIVED, 3.0)]
    assert rows(decode(b"3", settings=settings, topic="p/weld/W1/current", tags=tags)) == [(1, ARRIVED, 3.0)]
    default = {"topic_pattern": "p/{area}/{unit}"}
    assert rows(decode({"current": 3}, settings=default, topic="p/weld/W1", tags=tags)) == [(2, ARRIVED, 3.0)]
    named = {"topic_pattern": "p/{area}/{unit}/{name}"}
    batch = decode({"value": 3, "ts": TS}, settings=named, topic="p/weld/W1/current", tags=tags)
    assert rows(batch) == [(2, TS * 1000, 3.0)]
    odd = decode({"current": 3}, settings=settings, topic="elsewhere", tags=tags)
    assert odd.refused_messages[0][1] == Refusal.WRONG_SHAPE


@pytest.mark.parametrize(
    "settings",
    [{"address": "fixed"}, {"time_format": "moon"}, {"time_zone": "Mars/Base"}, {"topic_pattern": "{a}/{a}"}],
)
def test_settings_that_cannot_work_are_refused_with_a_sentence(settings):
    with pytest.raises(ValueError, match=r"[.]$"):
        decoder_for("mqtt_json", settings, [], TAGS)


def test_times_without_a_zone_are_in_the_zone_of_the_source():
    batch = decode({"ts": "2024-11-23 15:07:58.123", "values": {"count": 1}}, settings={"time_zone": "Asia/Shanghai"})
    assert rows(batch) == [(2, TS * 1000, 1.0)]


def test_points_stand_in_the_order_of_the_messages_also_past_unusual_ones():
    batch = decode({"values": {"count": 1}}, b'{"values": {"count": 2, "temp": NaN}}', {"values": {"count": 3}})
    assert [value for _, _, value in rows(batch)] == [1.0, 2.0, 3.0]
    assert batch.refused[0][0] == 1


def test_the_duplicate_key_that_comes_last_wins():
    assert rows(decode(b'{"values": {"count": 1, "count": 2}}')) == [(2, ARRIVED, 2.0)]
