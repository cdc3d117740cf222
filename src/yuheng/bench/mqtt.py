"""MQTT 3.1.1 on the wire, as little as a measuring publisher needs: CONNECT, QoS 1 PUBLISH, PUBACK, PING.

A measuring device must cost less than what it measures: paho sends 4,000 to 6,500 QoS 1 messages a second, this
one several hundred thousand.

References
----------
MQTT Version 3.1.1, OASIS Standard, sections 2.2.3 (remaining length), 3.1 (CONNECT), 3.3 (PUBLISH), 3.4 (PUBACK).
"""

from __future__ import annotations

from dataclasses import dataclass

CONNACK = 0x20
PUBACK = 0x40
PINGRESP = 0xD0
PINGREQ_PACKET = b"\xc0\x00"
DISCONNECT_PACKET = b"\xe0\x00"
LAST_PACKET_ID = 65_535


class MqttRefused(ConnectionError):
    """The broker said no, or spoke something that is not MQTT 3.1.1."""


@dataclass(frozen=True, slots=True)
class Will:
    """What the broker publishes when the client vanishes."""

    topic: str
    payload: bytes


def remaining_length(size: int) -> bytes:
    """Return the length field: seven bits a byte, least significant first.

    Examples
    --------
    >>> remaining_length(127).hex(), remaining_length(128).hex(), remaining_length(2_097_152).hex()
    ('7f', '8001', '80808001')
    """
    out = bytearray()
    while True:
        size, low = divmod(size, 128)
        out.append(low | 0x80 if size else low)
        if not size:
            return bytes(out)


def _field(data: bytes) -> bytes:
    return len(data).to_bytes(2, "big") + data


def connect_packet(client_id: str, username: str, password: str, *, keep_alive_s: int, will: Will | None) -> bytes:
    """Return CONNECT with a clean session; a QoS 1 will when one is given."""
    flags = 0xC2  # user name, password, clean session
    body = _field(client_id.encode())
    if will is not None:
        flags |= 0x0C  # will flag, will QoS 1
        body += _field(will.topic.encode()) + _field(will.payload)
    body += _field(username.encode()) + _field(password.encode())
    variable = b"\x00\x04MQTT\x04" + bytes((flags,)) + keep_alive_s.to_bytes(2, "big")
    return b"\x10" + remaining_length(len(variable) + len(body)) + variable + body


def publish_packet(topic: bytes, payload: bytes, packet_id: int, *, again: bool = False) -> bytes:
    """Return a QoS 1 PUBLISH; ``again`` marks a resent one (DUP)."""
    size = 4 + len(topic) + len(payload)
    head = b"\x3a" if again else b"\x32"
    return b"".join(
        (head, remaining_length(size), len(topic).to_bytes(2, "big"), topic, packet_id.to_bytes(2, "big"), payload)
    )


def next_packet_id(packet_id: int) -> int:
    """Return the id after this one; 0 is not a packet id."""
    return 1 if packet_id == LAST_PACKET_ID else packet_id + 1


class PacketReader:
    """Cuts a byte stream into packets. Feed it what the socket gave; it keeps the unfinished rest."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[tuple[int, bytes]]:
        """Return the (type byte with flags cleared, body) of every packet that is complete now.

        Raises
        ------
        MqttRefused
            A length field longer than four bytes: this is not MQTT.
        """
        buffer = self._rest + data if self._rest else data
        packets: list[tuple[int, bytes]] = []
        at = 0
        while (head := self._head(buffer, at)) is not None:
            start, size = head
            if len(buffer) < start + size:
                break
            packets.append((buffer[at] & 0xF0, buffer[start : start + size]))
            at = start + size
        self._rest = buffer[at:]
        return packets

    @staticmethod
    def _head(buffer: bytes, at: int) -> tuple[int, int] | None:
        size = shift = 0
        for place in range(at + 1, min(at + 5, len(buffer))):
            size |= (buffer[place] & 0x7F) << shift
            shift += 7
            if not buffer[place] & 0x80:
                return place + 1, size
        if len(buffer) >= at + 5:
            raise MqttRefused("The broker sent a length field that MQTT does not know.")
        return None


def check_connack(body: bytes) -> None:
    """Raise `MqttRefused` with a sentence when CONNACK is not "accepted"."""
    reasons = {
        1: "it does not speak MQTT 3.1.1",
        2: "it does not like the client id",
        3: "it is not available",
        4: "user name or password is wrong",
        5: "this user may not connect",
    }
    if len(body) != 2 or body[1]:
        why = reasons.get(body[1] if len(body) == 2 else -1, "for a reason it did not give")
        raise MqttRefused(f"The broker refused the connection: {why}.")
