"""The Sparkplug B edge node: births, sequence, exceptions, deaths, rebirths, history."""

from yuheng.simulation.sparkplug import (
    HEARTBEAT_MS,
    REBIRTH,
    DeviceBirth,
    DeviceData,
    DeviceDeath,
    Metric,
    NodeBirth,
    SparkplugSpeaker,
    _fields,
    asks_for_rebirth,
    payload,
)
from yuheng.simulation.speakers import SAMPLES_A_MESSAGE, Sample


def read(message):
    """Read a payload back: (seq, [metric as {field number: value}])."""
    fields = list(_fields(message.payload))
    metrics = [dict(_fields(body)) for number, body in fields if number == 2]
    return dict(fields).get(3), metrics


def a_sample(at_ms=1_000, unit="J01", **values):
    return Sample(unit, at_ms, {"run": True, "load": 0.5, "program": "step", "count": 1} | values)


def a_speaker():
    asked = []
    return SparkplugSpeaker("Plant", "machining", asked.append), asked


def connected(speaker, unacknowledged=()):
    will = speaker.encoding.will()
    return will, [speaker.encoding.encode(item) for item in speaker.encoding.begin(list(unacknowledged))]


def test_will_and_birth_of_a_session_carry_the_same_number_and_the_next_session_the_next():
    speaker, _ = a_speaker()
    numbers = []
    for _ in range(3):
        will, births = connected(speaker)
        seq_of_will, (death,) = read(will)
        seq, metrics = read(births[0])
        named = {metric[1]: metric for metric in metrics}
        assert seq_of_will is None
        assert seq == 0
        assert death[11] == named[b"bdSeq"][11]
        assert named[REBIRTH.encode()][14] == 0
        numbers.append(death[11])
    assert numbers == [0, 1, 2]
    assert will.topic == "spBv1.0/Plant/NDEATH/machining"
    assert births[0].topic == "spBv1.0/Plant/NBIRTH/machining"


def test_a_device_is_born_with_names_and_then_reports_by_exception_with_aliases():
    speaker, _ = a_speaker()
    connected(speaker)

    (birth,) = speaker.say(a_sample(1_000))
    birth_message = speaker.encoding.encode(birth)
    (data,) = speaker.say(a_sample(2_000, load=0.6, count=2))
    data_message = speaker.encoding.encode(data)

    seq, metrics = read(birth_message)
    aliases = {metric[1].decode(): metric[2] for metric in metrics}
    assert birth_message.topic == "spBv1.0/Plant/DBIRTH/machining/J01"
    assert seq == 1
    assert set(aliases) == {"run", "load", "program", "count"}
    seq, metrics = read(data_message)
    assert data_message.topic == "spBv1.0/Plant/DDATA/machining/J01"
    assert seq == 2
    assert {metric[2] for metric in metrics} == {aliases["load"], aliases["count"]}
    assert all(1 not in metric for metric in metrics)


def test_aliases_are_unique_within_the_edge_node():
    speaker, _ = a_speaker()
    _, births = connected(speaker)
    messages = births + [
        speaker.encoding.encode(item) for unit in ("J01", "J02") for item in speaker.say(a_sample(unit=unit))
    ]
    aliases = [metric[2] for message in messages for metric in read(message)[1]]
    assert len(aliases) == len(set(aliases)) == 10


def test_the_sequence_runs_from_0_to_255_and_round():
    speaker, _ = a_speaker()
    _, births = connected(speaker)
    seqs = [read(births[0])[0]]
    for number in range(600):
        for item in speaker.say(a_sample(1_000 + number, count=number)):
            seqs.append(read(speaker.encoding.encode(item))[0])
    assert seqs == [number % 256 for number in range(len(seqs))]


def test_a_device_with_nothing_new_to_say_shows_that_it_lives_every_twenty_seconds():
    speaker, _ = a_speaker()
    speaker.say(a_sample(0))
    said_at = [at for at in range(1_000, 60_000, 1_000) if speaker.say(a_sample(at))]
    assert said_at == [HEARTBEAT_MS, 2 * HEARTBEAT_MS]


def test_a_silent_device_dies_and_is_born_again():
    speaker, _ = a_speaker()
    speaker.say(a_sample(0))
    assert speaker.fall_silent("J01", 1_000) == [DeviceDeath("J01", 1_000)]
    assert speaker.fall_silent("J01", 2_000) == []
    assert speaker.say(a_sample(3_000)) == [DeviceBirth("J01")]


def test_a_new_session_repeats_births_and_sends_open_data_again_as_history():
    speaker, _ = a_speaker()
    connected(speaker)
    speaker.say(a_sample(1_000))
    (data,) = speaker.say(a_sample(2_000, load=0.7))

    _, messages = connected(speaker, [NodeBirth(), DeviceBirth("J01"), data])

    assert [message.topic.split("/")[2] for message in messages] == ["NBIRTH", "DBIRTH", "DDATA"]
    assert [read(message)[0] for message in messages] == [0, 1, 2]
    ((metric,)) = read(messages[2])[1]
    assert metric[3] == 2_000
    assert metric[5] == 1  # is_historical


def test_a_host_can_ask_for_a_rebirth_and_nothing_else_moves_the_node():
    speaker, asked = a_speaker()
    speaker.say(a_sample())
    yes = payload([Metric(True, 1, name=REBIRTH)], at_ms=1, seq=None)
    no = payload([Metric(False, 1, name=REBIRTH)], at_ms=1, seq=None)

    for command in (no, b"", b"\xff\xff\xff", yes[:-1], payload([Metric(True, 1, name="Other")], at_ms=1, seq=None)):
        speaker.hear("spBv1.0/Plant/NCMD/machining", command)
        assert not asks_for_rebirth(command)
    assert asked == []

    speaker.hear("spBv1.0/Plant/DCMD/machining/J01", yes)
    assert asked == []
    speaker.hear("spBv1.0/Plant/NCMD/machining", yes)
    assert asked == [NodeBirth(), DeviceBirth("J01")]


def test_history_is_sent_after_the_birth_as_what_changed():
    speaker, _ = a_speaker()
    connected(speaker)
    samples = [a_sample(1_000 * step, count=step // 10) for step in range(1, 41)]

    birth, *data = speaker.recall(samples)

    assert birth == DeviceBirth("J01")
    assert all(isinstance(item, DeviceData) for item in data)
    changes = [change for item in data for change in item.changes]
    assert [(at, value) for at, name, value in changes if name == "count"] == [
        (1_000, 0), (10_000, 1), (20_000, 2), (30_000, 3), (40_000, 4),
    ]  # fmt: skip
    assert len(changes) == 4 + 4


def test_history_in_which_nothing_changes_says_nothing_more():
    speaker, _ = a_speaker()
    connected(speaker)
    samples = [a_sample(1_000 * step) for step in range(1, 4 * SAMPLES_A_MESSAGE)]

    items = speaker.recall(samples)

    assert [len(item.changes) for item in items if isinstance(item, DeviceData)] == [4]
    assert all(speaker.encoding.encode(item).payload for item in items)


def test_every_type_of_value_survives_the_wire():
    message = payload([Metric(value, 5, name="m") for value in (True, False, -3, 2**40, 1.5, "铣削")], at_ms=5, seq=7)
    metrics = [dict(_fields(body)) for number, body in _fields(message) if number == 2]
    assert [metric[4] for metric in metrics] == [11, 11, 4, 4, 10, 12]
    assert (metrics[0][14], metrics[1][14]) == (1, 0)
    assert metrics[2][11] == 2**64 - 3
    assert metrics[3][11] == 2**40
    assert metrics[5][15].decode() == "铣削"
