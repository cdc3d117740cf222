import json

import numpy as np
import pytest

from yuheng.bench.workload import (
    POINTS_A_MESSAGE,
    SCAN_MS,
    TAG_COUNT,
    HistoryWorkload,
    JsonWorkload,
    SingleWorkload,
    SparkplugWorkload,
    WideWorkload,
    pool_values,
)
from yuheng.engines.codec.sparkplug_schema import Payload

START_MS = 1_790_000_000_000


@pytest.fixture(scope="module")
def json_workload() -> JsonWorkload:
    return JsonWorkload(seed=1, start_ms=START_MS)


def test_values_are_walks_counters_and_booleans():
    values = pool_values(seed=3, scans=50, tags=100)

    assert values.shape == (50, 100)
    assert set(np.unique(values[:, 9::10])) <= {0.0, 1.0}
    assert (np.diff(values[:, 8::10], axis=0) >= 0).all()
    assert np.allclose(values[:, 0], np.round(values[:, 0], 2))


def test_ten_messages_carry_every_tag_once_under_one_stamp(json_workload):
    seen = {}
    for index in range(10, 20):
        topic, payload = json_workload.message(index)
        message = json.loads(payload)
        assert message["ts"] == START_MS + SCAN_MS
        seen |= {
            f"{topic.decode().removeprefix('bench/json/')}/{name}": value for name, value in message["values"].items()
        }

    assert sorted(seen) == sorted(tag.address for tag in json_workload.tags)
    assert {type(seen[tag.address]).__name__ for tag in json_workload.tags if tag.data_type == "bool"} == {"bool"}


def test_no_two_messages_of_a_topic_share_a_stamp(json_workload):
    stamps = {(topic, json.loads(payload)["ts"]) for topic, payload in map(json_workload.message, range(0, 40_000, 7))}
    assert len(stamps) == len(range(0, 40_000, 7))


def test_the_same_seed_gives_the_same_messages(json_workload):
    again = JsonWorkload(seed=1, start_ms=START_MS)
    other = JsonWorkload(seed=2, start_ms=START_MS)
    assert again.message(4321) == json_workload.message(4321)
    assert other.message(4321) != json_workload.message(4321)


def test_single_messages_go_round_the_tags():
    workload = SingleWorkload(seed=1, start_ms=START_MS)
    topics = {workload.message(index)[0] for index in range(TAG_COUNT)}
    assert len(topics) == TAG_COUNT
    assert json.loads(workload.message(TAG_COUNT)[1])["ts"] == START_MS + SCAN_MS


@pytest.mark.parametrize(("workload", "tags"), [(HistoryWorkload, 100), (WideWorkload, 10_000)])
def test_other_sizes_fill_their_tags_too(workload, tags):
    made = workload(seed=1, start_ms=START_MS)
    names = {name for i in range(tags // POINTS_A_MESSAGE) for name in json.loads(made.message(i)[1])["values"]}
    assert len(names) == len(made.tags) == tags


def test_sparkplug_messages_are_read_by_the_decoders_schema():
    workload = SparkplugWorkload(seed=1, start_ms=START_MS)
    births = [Payload.FromString(payload) for _, payload in workload.births()]
    data = Payload.FromString(workload.message(25)[1])

    assert [birth.seq for birth in births] == list(range(11))
    assert {metric.name for metric in births[0].metrics} == {"bdSeq", "Node Control/Rebirth"}
    assert len(births[1].metrics) == len(data.metrics) == POINTS_A_MESSAGE
    assert data.timestamp == START_MS + 2 * SCAN_MS
    assert {metric.timestamp for metric in data.metrics} == {data.timestamp}


def test_sparkplug_values_are_those_of_the_json_messages(json_workload):
    workload = SparkplugWorkload(seed=1, start_ms=START_MS)
    values = json.loads(json_workload.message(25)[1])["values"]
    for metric in Payload.FromString(workload.message(25)[1]).metrics:
        kind = metric.WhichOneof("value")
        assert getattr(metric, kind) == values[f"t{metric.alias:04d}"]


def test_the_sparkplug_sequence_continues_after_the_births_and_wraps():
    workload = SparkplugWorkload(seed=1, start_ms=START_MS)
    sequence = [Payload.FromString(workload.message(index)[1]).seq for index in (0, 244, 245)]
    assert sequence == [11, 255, 0]
