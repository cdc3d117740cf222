"""What goes into a decoder and what comes out of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

import numpy as np

from yuheng.engines.points import PointBlock, Refusal, RefusedPoint, TextPoint

MAX_PAYLOAD_BYTES = 1024 * 1024
"""Default limit of one message; larger ones are refused whole. The setting ``max_payload_bytes`` changes it."""


class TagSpec(NamedTuple):
    """What a decoder must know of a tag: ``value = raw * scale + offset``."""

    id: int
    address: str
    data_type: str = "float"  # float | int | bool | text
    scale: float = 1.0
    offset: float = 0.0


class Message(NamedTuple):
    """One undecoded message; ``arrived_us`` is the moment at which the durable log took it."""

    topic: str
    payload: bytes | memoryview
    arrived_us: int


class RequestRebirth(NamedTuple):
    """Ask a Sparkplug edge node for a new birth certificate; see `sparkplug.rebirth_command`."""

    group: str
    edge_node: str


class KeepBirth(NamedTuple):
    """Store a Sparkplug birth certificate under ``key``; an empty payload means: forget it.

    The key holds only characters that a NATS key-value bucket accepts.
    """

    key: str
    payload: bytes


class BirthExplains(NamedTuple):
    """A Sparkplug birth has come that data were refused for: they can be understood now, so send them again.

    ``topic`` is that of the refused data (`Refusal.NOT_BORN` or `Refusal.UNKNOWN_ALIAS`), which arrived in
    ``[since_us, until_us)``: never before the death of an earlier session, whose aliases may have meant other metrics.
    """

    topic: str
    since_us: int
    until_us: int


@dataclass(slots=True)
class Batch:
    """What a list of messages became.

    Attributes
    ----------
    points
        In the order of the messages; scaled.
    texts
        Values of text tags.
    refused
        (index of the message, the point that could not be used).
    refused_messages
        (index of the message, reason, sentence): nothing in the message could be used.
    actions
        What the caller should do besides storing; only Sparkplug has any.
    """

    points: PointBlock
    texts: list[TextPoint] = field(default_factory=list)
    refused: list[tuple[int, RefusedPoint]] = field(default_factory=list)
    refused_messages: list[tuple[int, Refusal, str]] = field(default_factory=list)
    actions: list[RequestRebirth | KeepBirth | BirthExplains] = field(default_factory=list)


class Decoder(Protocol):
    """Turns the messages of one data source into points. One instance a source; keeps caches and sessions."""

    def decode(self, messages: Sequence[Message]) -> Batch:
        """Decode in order. Never raises: whatever cannot be used is in the batch with its reason."""
        ...

    def restore(self, births: Mapping[str, bytes]) -> None:
        """Take up sessions kept by `KeepBirth` in an earlier life. Keys and payloads as they were given."""
        ...


def empty_points() -> PointBlock:
    """Return a block of no points."""
    return PointBlock(
        tag=np.empty(0, np.uint32),
        time_us=np.empty(0, np.int64),
        value=np.empty(0, np.float64),
        quality=np.empty(0, np.uint8),
        seq=np.empty(0, np.uint64),
        arrived_us=np.empty(0, np.int64),
    )


def concatenated(blocks: Sequence[PointBlock]) -> PointBlock:
    """Return one block of all points, in order. At least one block."""
    return PointBlock(
        tag=np.concatenate([block.tag for block in blocks]),
        time_us=np.concatenate([block.time_us for block in blocks]),
        value=np.concatenate([block.value for block in blocks]),
        quality=np.concatenate([block.quality for block in blocks]),
        seq=np.concatenate([block.seq for block in blocks]),
        arrived_us=np.concatenate([block.arrived_us for block in blocks]),
    )
