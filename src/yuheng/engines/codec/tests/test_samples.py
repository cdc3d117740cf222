import math

import msgspec

from yuheng.bus.messages import SampleBatch
from yuheng.engines.codec import SAMPLES, Message, TagSpec, decoder_for
from yuheng.engines.points import Quality, Refusal

TAGS = [TagSpec(1, "a", "float", 2.0), TagSpec(2, "b", "text"), TagSpec(3, "c", "int")]


def decode(*payloads):
    raw = [p if isinstance(p, bytes) else msgspec.msgpack.encode(p) for p in payloads]
    return decoder_for(SAMPLES, {}, [], TAGS).decode([Message("", payload, 77) for payload in raw])


def test_a_batch_of_samples_becomes_points_and_texts():
    batch = decode(SampleBatch(["a", "b", "a"], [1, 2, 3], [1.5, "x", None], [0, 0x40, 0x80], [7, 8, 9]))
    assert batch.points.tag.tolist() == [1, 1]
    assert batch.points.value[0] == 3.0
    assert math.isnan(batch.points.value[1])
    assert batch.points.seq.tolist() == [7, 9]
    assert batch.points.quality.tolist() == [0, Quality.BAD]
    assert (batch.texts[0].text, batch.texts[0].quality) == ("x", 0x40)


def test_unknown_and_wrong_values_are_refused_with_their_address():
    batch = decode(SampleBatch(["z", "c", "a"], [1, 2, 2**63 - 1], [1, 1.5, 1], [0, 0, 0]))
    found = [(point.address, point.reason) for _, point in batch.refused]
    assert found == [("z", Refusal.UNKNOWN_TAG), ("c", Refusal.WRONG_TYPE), ("a", Refusal.WRONG_SHAPE)]


def test_what_is_no_batch_is_refused_whole():
    batch = decode(b"\xc1", SampleBatch(["a"], [], [1], [0]), b"")
    reasons = [reason for _, reason, _ in batch.refused_messages]
    assert reasons == [Refusal.UNDECODABLE, Refusal.WRONG_SHAPE, Refusal.UNDECODABLE]


def test_any_connector_of_somebody_else_sends_samples():
    decoder = decoder_for("opcua", {}, [], TAGS)
    payload = msgspec.msgpack.encode(SampleBatch(["c"], [1], [5], [0]))
    assert decoder.decode([Message("", payload, 1)]).points.value.tolist() == [5.0]
