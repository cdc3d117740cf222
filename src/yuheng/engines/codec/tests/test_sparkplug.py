import math
import zlib

import pytest

from yuheng.engines.codec import (
    BirthExplains,
    KeepBirth,
    Message,
    RequestRebirth,
    TagSpec,
    birth_key,
    decoder_for,
    rebirth_command,
)
from yuheng.engines.codec.sparkplug_schema import DataType, Payload
from yuheng.engines.points import Quality, Refusal

NOW = 1_732_345_678_000_000
MS = NOW // 1000
TAGS = [
    TagSpec(1, "edge/L01/temp", "float"),
    TagSpec(2, "edge/L01/count", "int"),
    TagSpec(3, "edge/L01/run", "bool"),
    TagSpec(4, "edge/L01/program", "text"),
    TagSpec(5, "edge/load", "float"),
    TagSpec(6, "edge/L01/motor/speed", "int"),
]
BIRTH = {
    "temp": (1, DataType.DOUBLE, 20.5),
    "count": (2, DataType.INT32, 7),
    "run": (3, DataType.BOOLEAN, True),
    "program": (4, DataType.STRING, "P1"),
}
FIELDS = {
    DataType.DOUBLE: "double_value",
    DataType.FLOAT: "float_value",
    DataType.BOOLEAN: "boolean_value",
    DataType.STRING: "string_value",
    DataType.INT64: "long_value",
    DataType.UINT64: "long_value",
    DataType.DATETIME: "long_value",
}


def add(payload, value, datatype=None, *, name="", alias=None, timestamp=MS):
    metric = payload.metrics.add(name=name, datatype=datatype or 0)
    if alias is not None:
        metric.alias = alias
    if timestamp is not None:
        metric.timestamp = timestamp
    field = FIELDS.get(datatype, "int_value")
    if value is not None:
        setattr(metric, field, value & 0xFFFFFFFF if field == "int_value" else value)
    return metric


def message(kind, payload, *, device="", arrived_us=NOW, edge="edge"):
    topic = f"spBv1.0/G/{kind}/{edge}" + (f"/{device}" if device else "")
    return Message(topic, payload if isinstance(payload, bytes) else payload.SerializeToString(), arrived_us)


def nbirth(bd_seq=1, seq=0):
    payload = Payload(timestamp=MS, seq=seq)
    add(payload, bd_seq, DataType.UINT64, name="bdSeq")
    add(payload, False, DataType.BOOLEAN, name="Node Control/Rebirth")
    add(payload, 0.5, DataType.DOUBLE, name="load", alias=100)
    return message("NBIRTH", payload)


def dbirth(seq=1, metrics=BIRTH):
    payload = Payload(timestamp=MS, seq=seq)
    for name, (alias, datatype, value) in metrics.items():
        add(payload, value, datatype, name=name, alias=alias)
    return message("DBIRTH", payload, device="L01")


def ddata(values, seq=2, arrived_us=NOW, timestamp=MS + 1000):
    """values: alias -> (type, value)."""
    payload = Payload(timestamp=timestamp, seq=seq)
    for alias, (datatype, value) in values.items():
        add(payload, value, datatype, alias=alias, timestamp=timestamp).datatype = 0
    return message("DDATA", payload, device="L01", arrived_us=arrived_us)


def ndeath(bd_seq=1, arrived_us=NOW + 5):
    payload = Payload(timestamp=MS - 9999)
    add(payload, bd_seq, DataType.UINT64, name="bdSeq")
    return message("NDEATH", payload, arrived_us=arrived_us)


@pytest.fixture
def decoder():
    return decoder_for("sparkplug_b", {}, ["spBv1.0/#"], TAGS)


def rows(batch):
    points = batch.points
    return list(zip(points.tag.tolist(), points.time_us.tolist(), points.value.tolist(), strict=True))


def test_births_announce_metrics_and_carry_values(decoder):
    batch = decoder.decode([nbirth(), dbirth()])
    assert rows(batch) == [(5, NOW, 0.5), (1, NOW, 20.5), (2, NOW, 7.0), (3, NOW, 1.0)]
    assert [text.text for text in batch.texts] == ["P1"]
    assert (batch.refused, batch.refused_messages) == ([], [])
    assert [action.key for action in batch.actions] == ["G.edge", "G.edge.L01"]


def test_data_by_alias_take_the_type_from_the_birth(decoder):
    batch = decoder.decode([nbirth(), dbirth(), ddata({1: (DataType.DOUBLE, 3.25), 2: (DataType.INT32, -5)})])
    assert rows(batch)[-2:] == [(1, NOW + 1_000_000, 3.25), (2, NOW + 1_000_000, -5.0)]


def test_data_by_name_need_no_alias(decoder):
    payload = Payload(timestamp=MS, seq=2)
    add(payload, 9.0, DataType.DOUBLE, name="temp")
    batch = decoder.decode([nbirth(), dbirth(), message("DDATA", payload, device="L01")])
    assert rows(batch)[-1] == (1, NOW, 9.0)


def test_zero_is_a_value_and_nothing_is_not(decoder):
    payload = Payload(timestamp=MS, seq=3)
    add(payload, None, alias=1)
    batch = decoder.decode(
        [nbirth(), dbirth(), ddata({1: (DataType.DOUBLE, 0.0)}), message("DDATA", payload, device="L01")]
    )
    assert rows(batch)[-1] == (1, NOW + 1_000_000, 0.0)
    assert [(point.address, point.reason) for _, point in batch.refused] == [("edge/L01/temp", Refusal.WRONG_SHAPE)]


def test_null_and_the_quality_property_become_qualities(decoder):
    payload = Payload(timestamp=MS, seq=2)
    add(payload, None, alias=1).is_null = True
    stale = add(payload, 4, DataType.INT32, alias=2)
    stale.properties.keys.append("Quality")
    stale.properties.values.add(type=3, int_value=500)
    batch = decoder.decode([nbirth(), dbirth(), message("DDATA", payload, device="L01")])
    assert math.isnan(batch.points.value[-2])
    assert batch.points.quality.tolist()[-2:] == [Quality.BAD, Quality.UNCERTAIN]


def test_metric_time_comes_before_payload_time_before_arrival(decoder):
    payload = Payload(seq=2)
    add(payload, 1.0, DataType.DOUBLE, alias=1, timestamp=None)
    add(payload, 1, DataType.INT32, alias=2, timestamp=MS - 5)
    batch = decoder.decode([nbirth(), dbirth(), message("DDATA", payload, device="L01", arrived_us=NOW + 77)])
    assert rows(batch)[-2:] == [(1, NOW + 77, 1.0), (2, NOW - 5000, 1.0)]


@pytest.mark.parametrize(
    ("datatype", "field", "raw", "value"),
    [
        (DataType.INT8, "int_value", 0xFF, -1),
        (DataType.INT8, "int_value", 0xFFFFFF80, -128),
        (DataType.INT16, "int_value", 0xFFFF, -1),
        (DataType.INT32, "int_value", 0x80000000, -(2**31)),
        (DataType.INT64, "long_value", 2**64 - 1, -1),
        (DataType.UINT8, "int_value", 255, 255),
        (DataType.UINT16, "int_value", 65535, 65535),
        (DataType.UINT32, "int_value", 2**32 - 1, 2**32 - 1),
        (DataType.UINT32, "long_value", 2**32 - 1, 2**32 - 1),
        (DataType.UINT64, "long_value", 2**53, 2**53),
        (DataType.DATETIME, "long_value", MS, MS),
    ],
)
def test_whole_number_types_are_read_with_their_sign(decoder, datatype, field, raw, value):
    births = {"count": (2, datatype, 1)}
    payload = Payload(timestamp=MS, seq=2)
    setattr(payload.metrics.add(alias=2), field, raw)
    batch = decoder.decode([nbirth(), dbirth(metrics=births), message("DDATA", payload, device="L01")])
    assert rows(batch)[-1][2] == value


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_not_finite_values_are_refused_alone(decoder, value):
    data = ddata({1: (DataType.DOUBLE, value), 2: (DataType.INT32, 1)})
    batch = decoder.decode([nbirth(), dbirth(), data])
    assert [(point.address, point.reason) for _, point in batch.refused] == [("edge/L01/temp", Refusal.NOT_FINITE)]
    assert rows(batch)[-1] == (2, NOW + 1_000_000, 1.0)


def test_integers_beyond_2_to_the_53_are_refused(decoder):
    births = {"count": (2, DataType.UINT64, 1)}
    batch = decoder.decode([nbirth(), dbirth(metrics=births), ddata({2: (DataType.UINT64, 2**53 + 1)})])
    assert batch.refused[0][1].reason == Refusal.NOT_EXACT


def test_bytes_datasets_and_files_are_refused_visibly(decoder):
    payload = Payload(timestamp=MS, seq=1)
    payload.metrics.add(name="temp", datatype=DataType.BYTES, bytes_value=b"\x01\x02")
    payload.metrics.add(name="table", datatype=DataType.DATASET, dataset_value=b"\x08\x01")
    batch = decoder.decode([nbirth(), message("DBIRTH", payload, device="L01")])
    assert [point.reason for _, point in batch.refused] == [Refusal.WRONG_TYPE] * 2
    assert batch.refused[0][1].value == "0102"


def test_members_of_a_template_become_tags_below_its_name(decoder):
    payload = Payload(timestamp=MS, seq=1)
    template = payload.metrics.add(name="motor", alias=9, datatype=DataType.TEMPLATE).template_value
    template.metrics.add(name="speed", datatype=DataType.INT16, int_value=0xFFFF)
    batch = decoder.decode([nbirth(), message("DBIRTH", payload, device="L01")])
    assert rows(batch)[-1] == (6, NOW, -1.0)


def test_data_before_a_birth_are_kept_whole_and_a_rebirth_is_requested_once(decoder):
    data = ddata({1: (DataType.DOUBLE, 1.0)})
    batch = decoder.decode([data, data])
    assert [(index, reason) for index, reason, _ in batch.refused_messages] == [
        (0, Refusal.NOT_BORN),
        (1, Refusal.NOT_BORN),
    ]
    assert batch.actions == [RequestRebirth("G", "edge")]
    replayed = decoder.decode([nbirth(), dbirth(), data])
    assert rows(replayed)[-1] == (1, NOW + 1_000_000, 1.0)


def test_an_unknown_alias_keeps_the_message_and_the_known_metrics(decoder):
    data = ddata({1: (DataType.DOUBLE, 1.0), 77: (DataType.DOUBLE, 2.0)})
    batch = decoder.decode([nbirth(), dbirth(), data])
    assert [(index, reason) for index, reason, _ in batch.refused_messages] == [(2, Refusal.UNKNOWN_ALIAS)]
    assert rows(batch)[-1] == (1, NOW + 1_000_000, 1.0)
    assert RequestRebirth("G", "edge") in batch.actions


def test_a_gap_in_the_sequence_costs_no_data_and_asks_for_a_rebirth(decoder):
    batch = decoder.decode([nbirth(), dbirth(), ddata({1: (DataType.DOUBLE, 1.0)}, seq=4)])
    assert rows(batch)[-1] == (1, NOW + 1_000_000, 1.0)
    assert RequestRebirth("G", "edge") in batch.actions
    assert decoder.gaps == 1
    after = decoder.decode([ddata({1: (DataType.DOUBLE, 2.0)}, seq=5)])
    assert (after.actions, decoder.gaps) == ([], 1)


def test_the_sequence_wraps_at_255_without_a_gap(decoder):
    messages = [nbirth(), dbirth()] + [ddata({1: (DataType.DOUBLE, 1.0)}, seq=seq % 256) for seq in range(2, 600)]
    batch = decoder.decode(messages)
    assert decoder.gaps == 0
    assert not any(isinstance(action, RequestRebirth) for action in batch.actions)


def test_what_is_replayed_from_before_the_birth_makes_no_gap(decoder):
    decoder.decode([nbirth(), dbirth()])
    batch = decoder.decode([ddata({1: (DataType.DOUBLE, 1.0)}, seq=200, arrived_us=NOW - 50)])
    assert (len(batch.points), batch.actions) == (1, [])


def test_a_death_makes_every_tag_bad_at_its_arrival_and_ends_the_session(decoder):
    batch = decoder.decode([nbirth(), dbirth(), ndeath()])
    bad = [(tag, time) for tag, time, value in rows(batch) if math.isnan(value)]
    assert bad == [(tag, NOW + 5) for tag in (1, 2, 3, 5, 6)]
    assert batch.points.quality.tolist()[-5:] == [Quality.BAD] * 5
    assert batch.texts[-1].quality == Quality.BAD
    after = decoder.decode([ddata({1: (DataType.DOUBLE, 1.0)})])
    assert after.refused_messages[0][1] == Refusal.NOT_BORN


def test_a_death_of_an_older_session_is_refused(decoder):
    batch = decoder.decode([nbirth(bd_seq=2), dbirth(), ndeath(bd_seq=1)])
    assert [reason for _, reason, _ in batch.refused_messages] == [Refusal.STALE_DEATH]
    assert not any(math.isnan(value) for _, _, value in rows(batch))


def test_a_dead_device_leaves_its_node_alive(decoder):
    death = message("DDEATH", Payload(timestamp=MS + 7, seq=2), device="L01")
    batch = decoder.decode([nbirth(), dbirth(), death])
    assert {tag for tag, time, value in rows(batch) if math.isnan(value) and time == NOW + 7000} == {1, 2, 3, 6}
    assert KeepBirth("G.edge.L01", b"") in batch.actions
    assert decoder.decode([ddata({1: (DataType.DOUBLE, 1.0)}, seq=3)]).refused_messages[0][1] == Refusal.NOT_BORN


def test_a_rebirth_may_give_an_alias_to_another_metric(decoder):
    reused = {"count": (1, DataType.INT32, 8)}
    messages = [nbirth(), dbirth(), ddata({1: (DataType.DOUBLE, 1.5)}), nbirth(2), dbirth(metrics=reused)]
    batch = decoder.decode([*messages, ddata({1: (DataType.INT32, 9)})])
    assert rows(batch)[-1] == (2, NOW + 1_000_000, 9.0)
    assert batch.refused == []


def test_sessions_survive_a_restart_by_their_kept_births(decoder):
    kept = {a.key: a.payload for a in decoder.decode([nbirth(), dbirth()]).actions if isinstance(a, KeepBirth)}
    fresh = decoder_for("sparkplug_b", {}, [], TAGS)
    fresh.restore({**kept, "broken": b"x", birth_key("G", "other"): b"\xff"})
    batch = fresh.decode([ddata({1: (DataType.DOUBLE, 4.0)}, seq=99), ndeath()])
    assert rows(batch)[0] == (1, NOW + 1_000_000, 4.0)
    assert (fresh.gaps, batch.refused_messages) == (0, [])


def test_a_new_node_birth_forgets_the_devices_of_the_old_one(decoder):
    decoder.decode([nbirth(), dbirth()])
    batch = decoder.decode([nbirth(2), ddata({1: (DataType.DOUBLE, 1.0)}, seq=1)])
    assert KeepBirth("G.edge.L01", b"") in batch.actions
    assert batch.refused_messages[0][1] == Refusal.NOT_BORN


def test_hosts_talk_too_and_that_is_no_data(decoder):
    rebirth = Message(*rebirth_command("G", "edge", NOW), NOW)
    state = Message("spBv1.0/STATE/host", b'{"online": true}', NOW)
    batch = decoder.decode([rebirth, state])
    assert (len(batch.points), batch.refused, batch.refused_messages) == (0, [], [])


@pytest.mark.parametrize(
    "topic",
    ["spBv1.0/G/XDATA/edge", "spBv1.0/G/NDATA", "spBv1.0/G/DDATA/edge", "other/G/NDATA/e", "spBv1.0/G/NDATA//x"],
)
def test_a_topic_that_is_not_sparkplugs_is_refused_with_a_sentence(decoder, topic):
    (refused,) = decoder.decode([Message(topic, b"\x08\x01", NOW)]).refused_messages
    assert refused[1] == Refusal.WRONG_SHAPE
    assert refused[2].endswith(".") or "(" in refused[2]


def test_compressed_payloads_are_inflated_within_bounds(decoder):
    inner = Payload()
    inner.ParseFromString(dbirth().payload)
    outer = Payload(uuid="SPBV1.0_COMPRESSED", body=zlib.compress(inner.SerializeToString()))
    assert len(decoder.decode([nbirth(), message("DBIRTH", outer, device="L01")]).points) == 4
    bomb = Payload(uuid="SPBV1.0_COMPRESSED", body=zlib.compress(bytes(30_000_000)))
    assert decoder.decode([message("NDATA", bomb)]).refused_messages[0][1] == Refusal.TOO_LARGE


def test_the_group_enters_the_address_when_the_setting_says_so():
    decoder = decoder_for("sparkplug_b", {"has_group_in_address": True}, [], [TagSpec(1, "G/edge/load", "float")])
    assert rows(decoder.decode([nbirth()])) == [(1, NOW, 0.5)]


def later(message, by_us):
    return message._replace(arrived_us=NOW + by_us)


def explained(batch):
    return [action for action in batch.actions if isinstance(action, BirthExplains)]


def test_a_birth_tells_which_refused_data_can_be_understood_now(decoder):
    data = ddata({1: (DataType.DOUBLE, 1.0)})
    assert explained(decoder.decode([data, later(data, 5)])) == []
    assert explained(decoder.decode([later(nbirth(), 10)])) == []
    told = explained(decoder.decode([later(dbirth(), 20)]))
    assert told == [BirthExplains("spBv1.0/G/DDATA/edge/L01", NOW, NOW + 20)]
    assert explained(decoder.decode([later(nbirth(), 30), later(dbirth(), 40)])) == []
    again = decoder.decode([data])
    assert (len(again.points), again.refused_messages, again.actions) == (1, [], [])


def test_data_of_a_session_that_died_are_not_explained_by_the_next_birth(decoder):
    data = ddata({1: (DataType.DOUBLE, 1.0)})
    decoder.decode([data, later(ndeath(), 5), later(data, 10)])
    told = explained(decoder.decode([later(nbirth(), 20), later(dbirth(), 30)]))
    assert told == [BirthExplains("spBv1.0/G/DDATA/edge/L01", NOW + 10, NOW + 30)]


def test_replayed_data_that_the_birth_does_not_explain_ask_for_no_other(decoder):
    unknown = ddata({99: (DataType.DOUBLE, 1.0)})
    decoder.decode([later(nbirth(), -20), later(dbirth(), -10), unknown, later(nbirth(), 10), later(dbirth(), 20)])
    batch = decoder.decode([unknown])
    assert [reason for _, reason, _ in batch.refused_messages] == [Refusal.UNKNOWN_ALIAS]
    assert batch.actions == []
    assert explained(decoder.decode([later(nbirth(), 30), later(dbirth(), 40)])) == []


def test_sessions_go_on_when_the_tags_change(decoder):
    decoder.decode([nbirth(), dbirth(), ddata({1: (DataType.DOUBLE, 1.0)})])
    successor = decoder_for("sparkplug_b", {}, [], [TagSpec(9, "edge/L01/temp", "float")])
    successor.take_over(decoder)
    batch = successor.decode([ddata({1: (DataType.DOUBLE, 4.0)}, seq=5)])
    assert rows(batch) == [(9, NOW + 1_000_000, 4.0)]
    assert successor.gaps == 1
