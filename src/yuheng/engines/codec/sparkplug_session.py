"""Sparkplug B sessions: topics, edge nodes with their aliases, kept births, and the one command of a host."""

from __future__ import annotations

import re
import zlib
from operator import attrgetter
from typing import Any, NamedTuple

from yuheng.engines.codec.sparkplug_schema import DataType, Payload
from yuheng.engines.points import Refusal

NAMESPACE = "spBv1.0"
REBIRTH_METRIC = "Node Control/Rebirth"

_MAX_INFLATED = 16 * 1024 * 1024
_MESSAGE_TYPES = frozenset(("NBIRTH", "NDEATH", "DBIRTH", "DDEATH", "NDATA", "DDATA"))
_COMMANDS = frozenset(("NCMD", "DCMD"))


class Topic(NamedTuple):
    """The parts of a topic; ``device`` is empty for messages of the node itself."""

    group: str
    type: str
    edge: str
    device: str


class Known(NamedTuple):
    """A metric that a birth certificate has announced."""

    name: str
    device: str
    datatype: int


class DataPlan(NamedTuple):
    """What to do with a data message that has exactly these metrics."""

    start: int
    places: tuple[int, ...] | None  # numeric ones; None: all
    getters: tuple[tuple[str, attrgetter[Any], int], ...]  # field, its reader, bits when signed else 0
    field: str  # the one field that all of them use; "" when they differ
    others: tuple[int, ...]  # to be looked at one by one


class Node:
    """One edge node's session."""

    def __init__(self, group: str, edge: str) -> None:
        self.group = group
        self.edge = edge
        self.is_born = False
        self.bd_seq: int | None = None
        self.next_seq: int | None = None
        self.born_us = 0
        self.asked_us: int | None = None
        self.waiting: dict[str, int] = {}  # device ("": the node) -> arrival of the first data that need a birth
        self.devices: set[str] = set()
        self.aliases: dict[int, Known] = {}
        self.names: dict[tuple[str, str], Known] = {}
        self.plans: dict[tuple[Any, ...], DataPlan] = {}

    def forget(self, device: str | None) -> None:
        """Forget the metrics of a device; None: of the node and all its devices."""
        if device is None:
            self.aliases.clear()
            self.names.clear()
            self.devices.clear()
        else:
            self.aliases = {alias: known for alias, known in self.aliases.items() if known.device != device}
            self.names = {key: known for key, known in self.names.items() if key[0] != device}
            self.devices.discard(device)
        self.plans.clear()

    def learn(self, metric: Any, device: str) -> None:
        """Remember a metric of a birth certificate."""
        known = Known(metric.name, device, metric.datatype)
        self.names[device, metric.name] = known
        if metric.HasField("alias"):
            self.aliases[metric.alias] = known


class Refused(Exception):
    """The whole message is refused."""

    def __init__(self, reason: Refusal, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


def birth_key(group: str, edge_node: str, device: str = "") -> str:
    """Return the key under which a birth is kept: ``group.edge[.device]``, in characters that any bucket accepts.

    Examples
    --------
    >>> birth_key("Plant 1", "edge", "L01")
    'Plant=201.edge.L01'
    """
    return ".".join(_quoted(part) for part in ((group, edge_node, device) if device else (group, edge_node)))


def data_topic(group: str, edge_node: str, device: str) -> str:
    """Return the topic of the data of an edge node, or of one of its devices.

    Examples
    --------
    >>> data_topic("Plant", "edge", "L01"), data_topic("Plant", "edge", "")
    ('spBv1.0/Plant/DDATA/edge/L01', 'spBv1.0/Plant/NDATA/edge')
    """
    return f"{NAMESPACE}/{group}/DDATA/{edge_node}/{device}" if device else f"{NAMESPACE}/{group}/NDATA/{edge_node}"


def rebirth_command(group: str, edge_node: str, at_us: int | None = None) -> tuple[str, bytes]:
    """Return topic and payload that ask an edge node for its birth certificates (section 6.4.19)."""
    payload = Payload()
    if at_us is not None:
        payload.timestamp = at_us // 1000
    payload.metrics.add(name=REBIRTH_METRIC, datatype=DataType.BOOLEAN, boolean_value=True)
    data: bytes = payload.SerializeToString()
    return f"{NAMESPACE}/{group}/NCMD/{edge_node}", data


def _quoted(part: str) -> str:
    return "".join(
        char if char.isascii() and (char.isalnum() or char in "_-") else "".join(f"={b:02X}" for b in char.encode())
        for char in part
    )


def unquoted(part: str) -> str:
    """Undo the spelling of one part of a `birth_key`."""
    pieces = re.split(r"((?:=[0-9A-F]{2})+)", part)
    return "".join(
        bytes.fromhex(piece.replace("=", "")).decode("utf-8", "replace") if piece.startswith("=") else piece
        for piece in pieces
    )


def read_topic(topic: str) -> Topic | str:
    """Return the parts; "" for topics that carry no data; a sentence when it is no Sparkplug topic."""
    levels = topic.split("/")
    if levels[0] != NAMESPACE or len(levels) < 3:
        return f"'{topic}' is not a Sparkplug topic (spBv1.0/group/type/edge node[/device])."
    if levels[1] == "STATE" or levels[2] in _COMMANDS:
        return ""
    wanted = 5 if levels[2].startswith("D") else 4
    if levels[2] not in _MESSAGE_TYPES:
        return f"'{levels[2]}' is not a Sparkplug message type."
    if len(levels) != wanted or not all(levels):
        return f"A {levels[2]} topic has {wanted} levels, none of them empty."
    return Topic(levels[1], levels[2], levels[3], levels[4] if wanted == 5 else "")


def parsed(raw: bytes) -> Any:
    """Parse a payload, inflated when it is compressed.

    Raises
    ------
    google.protobuf.message.DecodeError, zlib.error
        It is no payload.
    Refused
        It inflates beyond the bound.
    """
    payload = Payload.FromString(raw)
    if payload.uuid != "SPBV1.0_COMPRESSED":
        return payload
    algorithm = next((m.string_value for m in payload.metrics if m.name == "algorithm"), "DEFLATE")
    inflater = zlib.decompressobj(31 if algorithm.upper() == "GZIP" else 15)
    inner = inflater.decompress(payload.body, _MAX_INFLATED)
    if inflater.unconsumed_tail:
        raise Refused(Refusal.TOO_LARGE, f"The message inflates to more than {_MAX_INFLATED} bytes.")
    return Payload.FromString(inner)
