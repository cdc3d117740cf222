"""A Sparkplug B edge node, written to the public specification (version 3.0) and independent of our own decoder.

The few protobuf fields it needs are written by hand: a demo that shared its definition with the decoder could not
notice that both are wrong.

Delivery departs from the letter of the specification in one point, on purpose: births and data are published with QoS 1
(the specification says 0), because only QoS 1 is stored before it is acknowledged.
"""

from __future__ import annotations

import struct
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from yuheng.simulation.mqtt import Encoding, Message
from yuheng.simulation.speakers import Sample

REBIRTH = "Node Control/Rebirth"
HEARTBEAT_MS = 20_000
"""A device that reports by exception and has nothing to report says so this often."""
SAMPLES_A_MESSAGE = 30


class DataType(IntEnum):
    """Sparkplug B data types that are used here."""

    INT64 = 4
    DOUBLE = 10
    BOOLEAN = 11
    STRING = 12


# ---- the payload ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric of a payload; a name in births, an alias alone in data."""

    value: bool | int | float | str
    at_ms: int
    name: str = ""
    alias: int | None = None
    is_historical: bool = False


def payload(metrics: Sequence[Metric], *, at_ms: int, seq: int | None) -> bytes:
    """Encode ``org.eclipse.tahu.protobuf.Payload``; ``seq`` None for a death, which has none."""
    body = bytearray(b"\x08" + _varint(at_ms))
    for metric in metrics:
        encoded = _metric(metric)
        body += b"\x12" + _varint(len(encoded)) + encoded
    if seq is not None:
        body += b"\x18" + _varint(seq)
    return bytes(body)


def _metric(metric: Metric) -> bytes:
    body = bytearray()
    if metric.name:
        name = metric.name.encode()
        body += b"\x0a" + _varint(len(name)) + name
    if metric.alias is not None:
        body += b"\x10" + _varint(metric.alias)
    body += b"\x18" + _varint(metric.at_ms)
    kind, encoded = _value(metric.value)
    body += b"\x20" + _varint(kind)
    if metric.is_historical:
        body += b"\x28\x01"
    return bytes(body + encoded)


def _value(value: bool | int | float | str) -> tuple[DataType, bytes]:
    if isinstance(value, bool):
        return DataType.BOOLEAN, b"\x70\x01" if value else b"\x70\x00"
    if isinstance(value, int):
        return DataType.INT64, b"\x58" + _varint(value & (2**64 - 1))
    if isinstance(value, float):
        return DataType.DOUBLE, b"\x69" + struct.pack("<d", value)
    text = value.encode()
    return DataType.STRING, b"\x7a" + _varint(len(text)) + text


def _varint(number: int) -> bytes:
    if number < 0x80:
        return bytes((number,))
    digits = bytearray()
    while number >= 0x80:
        digits.append(number & 0x7F | 0x80)
        number >>= 7
    digits.append(number)
    return bytes(digits)


def asks_for_rebirth(command: bytes) -> bool:
    """Return whether an NCMD payload sets ``Node Control/Rebirth`` to true; a malformed one does not."""
    try:
        metrics = [dict(_fields(body)) for number, body in _fields(command) if number == 2 and isinstance(body, bytes)]
    except ValueError:
        return False
    return any(metric.get(1) == REBIRTH.encode() and metric.get(14) == 1 for metric in metrics)


def _fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Yield (field number, value) of a protobuf message; fixed-width fields come as bytes.

    Raises
    ------
    ValueError
        The bytes are not a protobuf message.
    """
    place = 0
    while place < len(data):
        key, place = _read_varint(data, place)
        number, wire_type = key >> 3, key & 7
        if wire_type == 0:
            value, place = _read_varint(data, place)
            yield number, value
            continue
        if wire_type == 2:
            length, place = _read_varint(data, place)
        elif wire_type in (1, 5):
            length = 8 if wire_type == 1 else 4
        else:
            raise ValueError(f"wire type {wire_type}")
        if place + length > len(data):
            raise ValueError("cut short")
        yield number, data[place : place + length]
        place += length


def _read_varint(data: bytes, place: int) -> tuple[int, int]:
    number = 0
    for digit in range(10):
        if place >= len(data):
            raise ValueError("cut short")
        byte = data[place]
        place += 1
        number |= (byte & 0x7F) << (7 * digit)
        if byte < 0x80:
            return number, place
    raise ValueError("a number of more than ten bytes")


# ---- the node -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class NodeBirth:
    """To be sent: NBIRTH."""


@dataclass(frozen=True, slots=True)
class DeviceBirth:
    """To be sent: DBIRTH with the latest values known when it is sent."""

    device: str


@dataclass(frozen=True, slots=True)
class DeviceDeath:
    """To be sent: DDEATH."""

    device: str
    at_ms: int


@dataclass(frozen=True, slots=True)
class DeviceData:
    """To be sent: DDATA, (time, name, value) of what changed."""

    device: str
    changes: tuple[tuple[int, str, Any], ...]


Item = NodeBirth | DeviceBirth | DeviceDeath | DeviceData


class SparkplugSpeaker:
    """An edge node with a device for each machine: births, report by exception, deaths, rebirths.

    Parameters
    ----------
    group, node
        Sparkplug group and edge node.
    publish
        Takes the items of a rebirth that a host asked for.
    """

    def __init__(self, group: str, node: str, publish: Callable[[Item], None]) -> None:
        self.encoding: Encoding[Any] = _Session(self, group, node)
        self._publish = publish
        self.node_aliases = {"bdSeq": 0, REBIRTH: 1}
        self.latest: dict[str, Sample] = {}
        self.born: dict[str, None] = {}  # devices in order of birth
        self._aliases: dict[tuple[str, str], int] = {}
        self._said_at: dict[str, int] = {}

    def alias(self, device: str, name: str) -> int:
        """Return the alias of a metric: unique within the edge node, for as long as this process lives."""
        return self._aliases.setdefault((device, name), len(self._aliases) + len(self.node_aliases))

    def say(self, sample: Sample) -> list[Item]:
        """Return DDATA with what changed, DBIRTH for a device that is not born, or nothing."""
        device = sample.work_unit
        before = self.latest.get(device)
        self.latest[device] = sample
        if device not in self.born or before is None:
            return [self._give_birth(sample)]
        changed = [
            (sample.at_ms, name, value) for name, value in sample.values.items() if before.values.get(name) != value
        ]
        if not changed:
            if sample.at_ms - self._said_at[device] < HEARTBEAT_MS:
                return []
            changed = [(sample.at_ms, "run", sample.values["run"])]
        self._said_at[device] = sample.at_ms
        return [DeviceData(device, tuple(changed))]

    def fall_silent(self, work_unit: str, at_ms: int) -> list[Item]:
        """Return DDEATH."""
        if work_unit not in self.born:
            return []
        del self.born[work_unit]
        return [DeviceDeath(work_unit, at_ms)]

    def recall(self, samples: Sequence[Sample]) -> list[Item]:
        """Return historical DDATA of what changed, after the birth that makes its aliases known."""
        if not samples:
            return []
        device = samples[-1].work_unit
        self.latest[device] = samples[-1]
        items: list[Item] = [self._give_birth(samples[-1])]
        before: dict[str, Any] = {}
        for start in range(0, len(samples), SAMPLES_A_MESSAGE):
            changes = []
            for sample in samples[start : start + SAMPLES_A_MESSAGE]:
                changes += [
                    (sample.at_ms, name, value) for name, value in sample.values.items() if before.get(name) != value
                ]
                before = sample.values
            if changes:  # nothing changed in all of it, e.g. outside the shifts: nothing to say
                items.append(DeviceData(device, tuple(changes)))
        return items

    def hear(self, topic: str, command: bytes) -> None:
        """Obey a command: a rebirth repeats every birth."""
        if "/NCMD/" in topic and asks_for_rebirth(command):
            for item in self.births():
                self._publish(item)

    def births(self) -> list[Item]:
        """Return the births of the node and of all its living devices."""
        return [NodeBirth(), *(DeviceBirth(device) for device in self.born)]

    def _give_birth(self, sample: Sample) -> DeviceBirth:
        self.born[sample.work_unit] = None
        self._said_at[sample.work_unit] = sample.at_ms
        return DeviceBirth(sample.work_unit)


class _Session:
    """Encodes items in the order they are sent: it owns the sequence numbers."""

    def __init__(self, speaker: SparkplugSpeaker, group: str, node: str) -> None:
        self._speaker = speaker
        self._prefix = f"spBv1.0/{group}"
        self._node = node
        self._session_number = -1  # bdSeq: will and birth of one session carry the same
        self._seq = 0
        self._born_at_ms = 0

    def will(self) -> Message:
        self._session_number = (self._session_number + 1) % 256
        return self._node_death()

    def end(self) -> Message:
        return self._node_death()  # the broker keeps the will to itself after a clean disconnect

    def begin(self, unacknowledged: Sequence[Item]) -> list[Item]:
        """Return the births, then the data that the last session left open; old births are replaced by the new ones."""
        data = [item for item in unacknowledged if isinstance(item, DeviceData)]
        return [*self._speaker.births(), *data]

    def encode(self, item: Item) -> Message:
        if isinstance(item, NodeBirth):
            return self._node_birth()
        if isinstance(item, DeviceBirth):
            return self._device_birth(item.device)
        if isinstance(item, DeviceDeath):
            return self._message("DDEATH", item.device, [], item.at_ms)
        alias = self._speaker.alias
        metrics = [
            Metric(value, at_ms, alias=alias(item.device, name), is_historical=at_ms < self._born_at_ms)
            for at_ms, name, value in item.changes
        ]
        return self._message("DDATA", item.device, metrics, item.changes[-1][0])

    def _node_birth(self) -> Message:
        self._seq = -1
        self._born_at_ms = now_ms = int(time.time() * 1000)
        aliases = self._speaker.node_aliases
        metrics = [
            Metric(self._session_number, now_ms, name="bdSeq", alias=aliases["bdSeq"]),
            Metric(False, now_ms, name=REBIRTH, alias=aliases[REBIRTH]),
        ]
        return self._message("NBIRTH", "", metrics, now_ms)

    def _device_birth(self, device: str) -> Message:
        sample = self._speaker.latest[device]
        metrics = [
            Metric(value, sample.at_ms, name=name, alias=self._speaker.alias(device, name))
            for name, value in sample.values.items()
        ]
        return self._message("DBIRTH", device, metrics, sample.at_ms)

    def _node_death(self) -> Message:
        now_ms = int(time.time() * 1000)
        metrics = [Metric(self._session_number, now_ms, name="bdSeq")]
        return Message(f"{self._prefix}/NDEATH/{self._node}", payload(metrics, at_ms=now_ms, seq=None))

    def _message(self, kind: str, device: str, metrics: list[Metric], at_ms: int) -> Message:
        self._seq = (self._seq + 1) % 256
        topic = f"{self._prefix}/{kind}/{self._node}" + (f"/{device}" if device else "")
        return Message(topic, payload(metrics, at_ms=at_ms, seq=self._seq))
