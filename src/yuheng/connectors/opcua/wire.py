"""Reading what comes by the thousand straight from the bytes: notifications and history.

The library decodes each value into several objects, about 40 µs a value; a queue of 10,000 nodes emptied after an
outage would hold the gateway's loop for seconds. Here plain scalars, which is nearly everything, cost about 1 µs, and
the loop gets its turn between portions. What is not plain is handed to the library's own decoder.

References: OPC UA Part 6, 5.2 (binary encoding); Part 4, 7.25 (NotificationMessage), 5.10.3 (HistoryRead).
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from asyncua import ua
from asyncua.common.utils import Buffer
from asyncua.ua.ua_binary import nodeid_from_binary, struct_from_binary, variant_from_binary

PORTION = 2000
"""Values decoded before the loop gets its turn."""

_TICKS_1970 = 116_444_736_000_000_000  # 100 ns since 1601
_U32, _I32, _I64, _U16 = struct.Struct("<I"), struct.Struct("<i"), struct.Struct("<q"), struct.Struct("<H")
_SCALARS = {
    1: struct.Struct("<?"),
    2: struct.Struct("<b"),
    3: struct.Struct("<B"),
    4: struct.Struct("<h"),
    5: struct.Struct("<H"),
    6: struct.Struct("<i"),
    7: struct.Struct("<I"),
    8: struct.Struct("<q"),
    9: struct.Struct("<Q"),
    10: struct.Struct("<f"),
    11: struct.Struct("<d"),
}
_STRING = 12


class Reading(NamedTuple):
    """One value as it came. Times in ticks of 100 ns since 1601; 0: not given."""

    handle: int
    value: Any  # plain Python, or what the library makes of it
    status: int
    source_ticks: int
    server_ticks: int


class Malformed(Exception):
    """The bytes are not what the protocol says; the message says where."""


def us_of(ticks: int) -> int:
    """Return ticks of 100 ns since 1601 as microseconds since 1970."""
    return (ticks - _TICKS_1970) // 10


def ticks_of(us: int) -> int:
    """Return microseconds since 1970 as ticks of 100 ns since 1601."""
    return us * 10 + _TICKS_1970


@dataclass(slots=True)
class Notification:
    """One NotificationMessage, its data changes not decoded yet."""

    sequence: int
    published_us: int
    data_changes: list[bytes] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)

    @property
    def is_keep_alive(self) -> bool:
        """A keep-alive carries the number of the *next* message and no data (Part 4, 5.13.1.1)."""
        return not self.data_changes and not self.statuses

    async def readings(self) -> list[Reading]:
        """Decode the data changes; raises `Malformed`."""
        found: list[Reading] = []
        for body in self.data_changes:
            for count, reading in enumerate(_data_change(body), 1):
                found.append(reading)
                if count % PORTION == 0:
                    await asyncio.sleep(0)
        return found


@dataclass(slots=True)
class Published:
    """One PublishResponse."""

    service_result: int
    subscription_id: int = 0
    available: tuple[int, ...] = ()
    has_more: bool = False
    notification: Notification | None = None


def read_publish_response(body: Buffer) -> Published:
    """Read a PublishResponse, or the ServiceFault that came instead. Raises `Malformed`."""
    try:
        type_id = nodeid_from_binary(body)
        header = struct_from_binary(ua.ResponseHeader, body)
        if type_id.Identifier != ua.ObjectIds.PublishResponse_Encoding_DefaultBinary:
            return Published(int(header.ServiceResult.value) or ua.StatusCodes.BadUnexpectedError)
        data, pos = bytes(body), 0
        (subscription_id,) = _U32.unpack_from(data, pos)
        available, pos = _u32_array(data, pos + 4)
        has_more = data[pos] != 0
        notification, _ = _notification(data, pos + 1)
    except (struct.error, IndexError, ValueError, ua.UaError) as error:
        raise Malformed(f"A notification of the server cannot be read: {error}") from error
    return Published(int(header.ServiceResult.value), subscription_id, available, has_more, notification)


def read_republish_response(body: Buffer) -> Notification:
    """Read a RepublishResponse. Raises `Malformed`, or `ua.UaStatusCodeError` when the server has it no more."""
    try:
        nodeid_from_binary(body)
        header = struct_from_binary(ua.ResponseHeader, body)
        header.ServiceResult.check()
        notification, _ = _notification(bytes(body), 0)
    except (struct.error, IndexError, ValueError) as error:
        raise Malformed(f"A notification of the server cannot be read: {error}") from error
    return notification


class History(NamedTuple):
    """What the server has of one node: status code, how to go on (empty: all there), values in order of time."""

    status: int
    continuation: bytes
    readings: list[Reading]


async def read_history_response(body: Buffer) -> list[History]:
    """Read a HistoryReadResponse; handles in the readings are positions. Raises `Malformed`, `UaStatusCodeError`."""
    try:
        nodeid_from_binary(body)
        header = struct_from_binary(ua.ResponseHeader, body)
        header.ServiceResult.check()
        data = bytes(body)
        (count,) = _I32.unpack_from(data, 0)
        pos, found = 4, []
        for position in range(max(count, 0)):
            (status,) = _U32.unpack_from(data, pos)
            continuation, pos = _bytes(data, pos + 4)
            values, pos = _extension_body(data, pos)
            readings = []
            if values is not None and len(values[1]) >= 4:
                for number, reading in enumerate(_data_values(values[1], position), 1):
                    readings.append(reading)
                    if number % PORTION == 0:
                        await asyncio.sleep(0)
            found.append(History(status, continuation, readings))
    except (struct.error, IndexError, ValueError) as error:
        raise Malformed(f"The server's history cannot be read: {error}") from error
    return found


def _notification(data: bytes, pos: int) -> tuple[Notification, int]:
    (sequence,) = _U32.unpack_from(data, pos)
    (ticks,) = _I64.unpack_from(data, pos + 4)
    (count,) = _I32.unpack_from(data, pos + 12)
    pos += 16
    message = Notification(sequence, us_of(ticks) if ticks > 0 else 0)
    for _ in range(max(count, 0)):
        part, pos = _extension_body(data, pos)
        if part is None:
            continue
        type_id, body = part
        if type_id == ua.ObjectIds.DataChangeNotification_Encoding_DefaultBinary:
            message.data_changes.append(body)
        elif type_id == ua.ObjectIds.StatusChangeNotification_Encoding_DefaultBinary:
            message.statuses.append(_U32.unpack_from(body, 0)[0])
    return message, pos


def _data_change(body: bytes) -> Iterator[Reading]:
    try:
        (count,) = _I32.unpack_from(body, 0)
        pos = 4
        for _ in range(max(count, 0)):
            (handle,) = _U32.unpack_from(body, pos)
            reading, pos = _data_value(body, pos + 4, handle)
            yield reading
    except (struct.error, IndexError, ValueError, ua.UaError) as error:
        raise Malformed(f"A value of the server cannot be read: {error}") from error


def _data_values(body: bytes, handle: int) -> Iterator[Reading]:
    (count,) = _I32.unpack_from(body, 0)
    pos = 4
    for _ in range(max(count, 0)):
        reading, pos = _data_value(body, pos, handle)
        yield reading


def _data_value(data: bytes, pos: int, handle: int) -> tuple[Reading, int]:
    mask = data[pos]
    pos += 1
    value, status, source, server = None, 0, 0, 0
    if mask & 0x01:
        value, pos = _variant(data, pos)
    if mask & 0x02:
        (status,) = _U32.unpack_from(data, pos)
        pos += 4
    if mask & 0x04:
        (source,) = _I64.unpack_from(data, pos)
        pos += 8
    if mask & 0x10:
        pos += 2  # picoseconds: finer than what is stored
    if mask & 0x08:
        (server,) = _I64.unpack_from(data, pos)
        pos += 8
    if mask & 0x20:
        pos += 2
    return Reading(handle, value, status, source, server), pos


def _variant(data: bytes, pos: int) -> tuple[Any, int]:
    kind = data[pos]
    scalar = _SCALARS.get(kind)
    if scalar is not None:
        return scalar.unpack_from(data, pos + 1)[0], pos + 1 + scalar.size
    if kind == _STRING:
        raw, pos = _bytes(data, pos + 1)
        return raw.decode("utf-8", errors="replace"), pos
    buffer = Buffer(data, pos)
    value = variant_from_binary(buffer).Value
    return value, buffer.cur_pos


def _extension_body(data: bytes, pos: int) -> tuple[tuple[int, bytes] | None, int]:
    """Return type and body of an ExtensionObject (None when it has none), and where the next thing begins."""
    buffer = Buffer(data, pos)
    type_id = nodeid_from_binary(buffer)
    pos = buffer.cur_pos
    has_body = data[pos] & 0x01
    pos += 1
    if not has_body:
        return None, pos
    (size,) = _I32.unpack_from(data, pos)
    pos += 4
    if size < 0:
        return None, pos
    if pos + size > len(data):
        raise ValueError("a body is longer than its message")
    number = type_id.Identifier if type_id.NamespaceIndex == 0 and isinstance(type_id.Identifier, int) else -1
    return (number, data[pos : pos + size]), pos + size


def _u32_array(data: bytes, pos: int) -> tuple[tuple[int, ...], int]:
    (count,) = _I32.unpack_from(data, pos)
    if count <= 0:
        return (), pos + 4
    return struct.unpack_from(f"<{count}I", data, pos + 4), pos + 4 + 4 * count


def _bytes(data: bytes, pos: int) -> tuple[bytes, int]:
    (size,) = _I32.unpack_from(data, pos)
    pos += 4
    if size <= 0:
        return b"", pos
    if pos + size > len(data):
        raise ValueError("a text is longer than its message")
    return data[pos : pos + size], pos + size
