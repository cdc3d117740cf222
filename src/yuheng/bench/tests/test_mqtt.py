import pytest
from hypothesis import given
from hypothesis import strategies as st

from yuheng.bench import mqtt


@given(st.lists(st.binary(max_size=300), min_size=1, max_size=8), st.integers(1, 50))
def test_packets_survive_any_cut_of_the_stream(payloads, piece):
    stream = b"".join(mqtt.publish_packet(b"a/b", payload, 7) for payload in payloads)
    reader = mqtt.PacketReader()

    packets = [packet for at in range(0, len(stream), piece) for packet in reader.feed(stream[at : at + piece])]

    assert [body for _, body in packets] == [b"\x00\x03a/b\x00\x07" + payload for payload in payloads]
    assert {kind for kind, _ in packets} == {0x30}


def test_a_length_of_more_than_four_bytes_is_refused():
    with pytest.raises(mqtt.MqttRefused):
        mqtt.PacketReader().feed(b"\x30\xff\xff\xff\xff\xff")


def test_packet_ids_skip_zero():
    assert mqtt.next_packet_id(mqtt.LAST_PACKET_ID) == 1


def test_a_refusal_is_a_sentence():
    with pytest.raises(mqtt.MqttRefused, match="user name or password is wrong"):
        mqtt.check_connack(b"\x00\x04")
    mqtt.check_connack(b"\x00\x00")


def test_a_resent_packet_is_marked():
    first, again = (mqtt.publish_packet(b"t", b"x", 1, again=again) for again in (False, True))
    assert (first[0], again[0]) == (0x32, 0x3A)
    assert first[1:] == again[1:]
