"""A Sparkplug B node written to the public specification, for measuring: it shares no code with our decoder.

Payload fields: timestamp 1, metrics 2, seq 3. Metric fields: name 1, alias 2, timestamp 3, datatype 4, int_value 10,
long_value 11, double_value 13, boolean_value 14.

References
----------
Sparkplug Specification 3.0.0, sections 6.4.1 (protobuf schema) and 6.4.16 (data types).
"""

from __future__ import annotations

import struct
from collections.abc import Iterable

DATATYPES = {"int": 4, "bool": 11, "float": 10}  # Int64, Boolean, Double
UINT64 = 8
STAMP_PLACE = b"\x18\xff\xfe\xfd\xfc\xfb\x7f"
"""Stands for a metric's time stamp (six bytes until the year 2109) in a body computed in advance."""


def varint(number: int) -> bytes:
    """Return a protobuf variable-length integer.

    Examples
    --------
    >>> varint(300).hex()
    'ac02'
    """
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def _text(field: int, text: str) -> bytes:
    data = text.encode()
    return varint(field << 3 | 2) + varint(len(data)) + data


def _value(data_type: str, value: float) -> bytes:
    if data_type == "bool":
        return b"\x70" + varint(int(value))
    if data_type == "int":
        return b"\x58" + varint(int(value))
    return b"\x69" + struct.pack("<d", value)


def _metric(fields: bytes) -> bytes:
    return b"\x12" + varint(len(fields)) + fields


def node_birth(stamp_ms: int, *, bd_seq: int) -> bytes:
    """Return NBIRTH with the two metrics that every node has, sequence 0."""
    stamp = b"\x18" + varint(stamp_ms)
    session = _text(1, "bdSeq") + stamp + b"\x20" + varint(UINT64) + b"\x58" + varint(bd_seq)
    rebirth = _text(1, "Node Control/Rebirth") + stamp + b"\x20\x0b\x70\x00"
    return b"\x08" + varint(stamp_ms) + _metric(session) + _metric(rebirth) + b"\x18\x00"


def node_death(*, bd_seq: int) -> bytes:
    """Return NDEATH, the node's will."""
    return _metric(_text(1, "bdSeq") + b"\x20" + varint(UINT64) + b"\x58" + varint(bd_seq))


def device_birth(stamp_ms: int, metrics: Iterable[tuple[int, str, str]], *, seq: int) -> bytes:
    """Return DBIRTH of (alias, name, data type) metrics, each with value 0."""
    stamp = b"\x18" + varint(stamp_ms)
    parts = [b"\x08" + varint(stamp_ms)]
    for alias, name, data_type in metrics:
        head = _text(1, name) + b"\x10" + varint(alias) + stamp
        parts.append(_metric(head + b"\x20" + varint(DATATYPES[data_type]) + _value(data_type, 0)))
    return b"".join(parts) + b"\x18" + varint(seq)


def data_body(metrics: Iterable[tuple[int, str, float]]) -> bytes:
    """Return the metrics of a DDATA, (alias, data type, value) each, with `STAMP_PLACE` for every time stamp."""
    return b"".join(
        _metric(b"\x10" + varint(alias) + STAMP_PLACE + b"\x20" + varint(DATATYPES[kind]) + _value(kind, value))
        for alias, kind, value in metrics
    )


def data(stamp_ms: int, body: bytes, *, seq: int) -> bytes:
    """Return DDATA: a body of `data_body` with its time stamp and sequence (0 to 255)."""
    stamp = varint(stamp_ms)
    return b"\x08" + stamp + body.replace(STAMP_PLACE, b"\x18" + stamp) + b"\x18" + varint(seq)
