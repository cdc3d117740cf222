import math

import pytest

from tests.hostile.corpus import TAGS, corpus
from tests.hostile.fuzz import FUZZERS, check_batch
from yuheng.engines.codec import decoder_for

CORPUS = corpus()
TOPICS = {"mqtt_json": ["p/#"], "sparkplug_b": ["spBv1.0/#"]}


def decoder(connector):
    return decoder_for(connector, {}, TOPICS.get(connector, []), TAGS)


def test_the_corpus_is_large_and_its_names_are_unique():
    assert len(CORPUS) >= 200
    assert len({hostile.name for hostile in CORPUS}) == len(CORPUS)


@pytest.mark.parametrize("hostile", CORPUS, ids=lambda hostile: hostile.name.encode("ascii", "replace").decode())
def test_a_hostile_payload_becomes_what_it_must(hostile):
    one = decoder(hostile.connector)
    if hostile.before:
        assert one.decode(list(hostile.before)).refused_messages == []
    batch = one.decode([hostile.message])
    check_batch(batch, 1)
    reasons = {point.reason for _, point in batch.refused} | {reason for _, reason, _ in batch.refused_messages}
    assert (reasons, len(batch.points) + len(batch.texts)) == (hostile.reasons, hostile.values)
    assert all(detail for _, _, detail in batch.refused_messages)
    if hostile.time_us is not None:
        assert set(batch.points.time_us.tolist()) == {hostile.time_us}


@pytest.mark.parametrize("connector", sorted({hostile.connector for hostile in CORPUS}))
def test_all_of_them_at_once_change_nothing_for_each(connector):
    mine = [hostile for hostile in CORPUS if hostile.connector == connector and not hostile.before]
    together = decoder(connector).decode([hostile.message for hostile in mine])
    check_batch(together, len(mine))
    assert len(together.points) + len(together.texts) >= sum(h.values for h in mine if connector != "sparkplug_b")
    told = {i for i, _ in together.refused} | {i for i, _, _ in together.refused_messages}
    silent = [hostile.name for i, hostile in enumerate(mine) if hostile.reasons and i not in told]
    assert [name for name in silent if connector != "sparkplug_b"] == []
    assert not any(math.isinf(value) for value in together.points.value)


@pytest.mark.parametrize("name", FUZZERS)
def test_a_second_of_fuzzing_finds_nothing(name):
    assert FUZZERS[name](seconds=1.0, seed=20261123) > 100
