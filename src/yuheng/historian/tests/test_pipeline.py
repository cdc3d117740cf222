"""The pipeline without a broker: what it asks for, and under which message it files what it refuses."""

import json
import time

import msgspec

from yuheng.bus import documents, subjects
from yuheng.bus.log_reader import LogMessage
from yuheng.bus.messages import SampleBatch
from yuheng.engines.codec.sparkplug_schema import Payload
from yuheng.historian.pipeline import Pipeline


class Reader:
    stream = subjects.MQTT_STREAM
    pending = 0

    def pause(self):
        """Nothing to hold."""

    resume = pause


def a_pipeline(source, tags=()):
    told = []
    pipeline = Pipeline(clock_us=lambda: time.time_ns() // 1000, publish=lambda *message: told.append(message))
    pipeline.configure(documents.Plant(1, sources=(source,), tags=tags))
    return pipeline, told


def taken(pipeline, topic, *payloads):
    subject = (subjects.MQTT_PREFIX + subjects.subject_of_topic(topic)).encode()
    now_us = time.time_ns() // 1000
    messages = [LogMessage(n, now_us + n, subject, b"", payload) for n, payload in enumerate(payloads, start=1)]
    for message in messages:  # each a call of its own, decoded together
        pipeline._waiting.append((Reader(), [message]))
    pipeline.process()


def data(seq=1):
    payload = Payload(timestamp=time.time_ns() // 1_000_000, seq=seq)
    payload.metrics.add(alias=1, double_value=1.0)
    return payload.SerializeToString()


def test_at_an_external_broker_the_gateway_asks_for_the_rebirth():
    settings = {"broker": {"host": "far"}}
    pipeline, told = a_pipeline(documents.Source(7, 1, "far", "sparkplug_b", topics=("spBv1.0/#",), settings=settings))
    taken(pipeline, "spBv1.0/G/NDATA/edge", data(1), data(2))
    [(subject, body)] = told
    assert subject == "yh.cmd.7"
    assert json.loads(body) == {"kind": "rebirth", "group": "G", "edge_node": "edge"}


def test_at_the_own_broker_the_edge_node_hears_it_itself():
    pipeline, told = a_pipeline(documents.Source(7, 1, "near", "sparkplug_b", topics=("spBv1.0/#",)))
    taken(pipeline, "spBv1.0/G/NDATA/edge", data(1), data(2))
    assert [subject for subject, _ in told] == ["spBv1//0.G.NCMD.edge"]


def test_a_refused_time_is_filed_under_the_message_that_brought_it():
    tag = documents.Tag(id=1, source_id=7, address="n", data_type="float")
    pipeline, _ = a_pipeline(documents.Source(7, 1, "plc", "mqtt_json", topics=("p",)), (tag,))
    taken(pipeline, "p", b'{"n": 1}', b'{"ts": 0, "values": {"n": 2}}', b'{"ts": 4102444800, "values": {"n": 3}}')
    found = {
        letter.subject: (b"$MQTT_msgs:2" in letter.header, b"$MQTT_msgs:3" in letter.header, letter.payload)
        for letter in pipeline.pending.dead
    }
    assert {s: f[:2] for s, f in found.items()} == {
        "yh.dead.7.ancient_time": (True, False),
        "yh.dead.7.future_time": (False, True),
    }
    values = [msgspec.msgpack.decode(f[2], type=SampleBatch).values for _, f in sorted(found.items())]
    assert values == [[2.0], [3.0]]
