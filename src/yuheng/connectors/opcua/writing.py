"""Writing one value to a node, once, and reading it back.

Reference: OPC UA Part 4, 5.10.4 (Write). A server may refuse a value together with a status or a time, so only the
value is written.
"""

from __future__ import annotations

import asyncio
import math
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from asyncua import ua

from yuheng.connectors.opcua.addresses import AddressWrong, parse_address
from yuheng.connectors.opcua.link import Link
from yuheng.connectors.opcua.types import TypeReader
from yuheng.connectors.opcua.values import NoSuchPart, name_of_status, part_at, plain
from yuheng.gateway.connector import CommandRefused, ReadBack, Value, is_same_value

SHOWS_WITHIN_S = 3.0
"""How long a machine may take to show a value that it took."""
_PAUSE_S = 0.1

_RANGES = {
    ua.VariantType.SByte: (-(2**7), 2**7 - 1),
    ua.VariantType.Byte: (0, 2**8 - 1),
    ua.VariantType.Int16: (-(2**15), 2**15 - 1),
    ua.VariantType.UInt16: (0, 2**16 - 1),
    ua.VariantType.Int32: (-(2**31), 2**31 - 1),
    ua.VariantType.UInt32: (0, 2**32 - 1),
    ua.VariantType.Int64: (-(2**63), 2**63 - 1),
    ua.VariantType.UInt64: (0, 2**64 - 1),
}
_FLOAT_MOST = 3.4028234663852886e38
_NOT_KNOWN = (
    "BadTimeout",
    "BadUnexpectedError",
    "BadInternalError",
    "BadCommunicationError",
    "BadNoCommunication",
    "BadDeviceFailure",
    "BadShutdown",
    "BadRequestCancelledByClient",
    "BadRequestInterrupted",
)
"""The server may have written it, or its device may."""


class FateUnknown(Exception):
    """The server answered, but not whether it was written."""


@dataclass(frozen=True, slots=True)
class _Target:
    node: ua.NodeId
    variant_type: ua.VariantType
    elements: tuple[int, ...]
    whole: list[Any] | None = None  # the array as it is, for a server that knows no index ranges


async def write_value(link: Link, types: TypeReader, address: str, value: Value) -> ReadBack:
    """Write a value and read it back until it shows, or three seconds are over.

    Raises
    ------
    CommandRefused
        Certainly not written: the address, the type or the range is wrong, or the server said no.
    FateUnknown, OSError, TimeoutError
        Nobody knows.
    """
    try:
        target = await _target(link, types, address)
    except ua.UaStatusCodeError as error:  # nothing has been written yet
        raise CommandRefused(
            f"The server does not say what can be written there: {name_of_status(error.code)}."
        ) from error
    except (OSError, TimeoutError) as error:
        raise CommandRefused("The server did not answer before anything was written.") from error
    fitting = fitted(value, target.variant_type)
    await _write(link, target, fitting)
    return await _read_back(link, target, plain(fitting))


async def _target(link: Link, types: TypeReader, address: str) -> _Target:
    try:
        parsed = parse_address(address)
    except AddressWrong as wrong:
        raise CommandRefused(str(wrong)) from None
    elements = tuple(step for step in parsed.steps if isinstance(step, int))
    if len(elements) != len(parsed.steps):
        raise CommandRefused("A field of a structure cannot be written by itself.")
    node = types.find(parsed.node)
    if node is None:
        raise CommandRefused("The server has no such namespace now.")
    attributes = (ua.AttributeIds.DataType, ua.AttributeIds.UserAccessLevel, ua.AttributeIds.Value)
    data_type, access, current = [(await link.read([node], attribute))[0] for attribute in attributes]
    if not data_type.StatusCode.is_good():
        raise CommandRefused(f"The server has no such node: {name_of_status(data_type.StatusCode.value)}.")
    level = access.Value.Value if access.StatusCode.is_good() and access.Value is not None else 0xFF
    if not int(level) & ua.AccessLevel.CurrentWrite.mask:
        raise CommandRefused("The server does not let our user write to this node.")
    held = current.Value if current.StatusCode.is_good() else None
    if held is not None and isinstance(held.Value, list) != bool(elements):
        raise CommandRefused(
            "The value is an array: name an element, such as [0]." if not elements else "The value is no array."
        )
    variant_type = await _variant_type(types, data_type.Value.Value, held)
    if elements and not await _knows_index_ranges(link, node, elements):
        return _Target(node, variant_type, elements, _whole_array(held, elements))
    return _Target(node, variant_type, elements)


async def _knows_index_ranges(link: Link, node: ua.NodeId, elements: tuple[int, ...]) -> bool:
    """Return whether the server gives one element when it is asked for one; some ignore the range, in writing too."""
    one = ua.ReadValueId(NodeId=node, AttributeId=ua.AttributeIds.Value, IndexRange=_range(elements))
    params = ua.ReadParameters(NodesToRead=[one], TimestampsToReturn=ua.TimestampsToReturn.Neither)
    (found,) = await link.session.read(params)
    shown = found.Value.Value if found.StatusCode.is_good() and found.Value is not None else None
    while isinstance(shown, list) and len(shown) == 1:
        shown = shown[0]
    return shown is not None and not isinstance(shown, list)


def _whole_array(held: ua.Variant | None, elements: tuple[int, ...]) -> list[Any]:
    found = None if held is None else held.Value
    if len(elements) != 1 or not isinstance(found, list) or elements[0] >= len(found):
        raise CommandRefused("The server does not let this element be written.")
    return list(found)


def _range(elements: tuple[int, ...]) -> str:
    return ",".join(map(str, elements))


async def _variant_type(types: TypeReader, data_type: ua.NodeId, held: ua.Variant | None) -> ua.VariantType:
    number = await types.built_in(data_type)
    if number == ua.ObjectIds.Enumeration:
        return ua.VariantType.Int32
    if number and number <= 25 and number != ua.VariantType.Variant.value:
        return ua.VariantType(number)
    if held is not None and held.Value is not None:  # an abstract type: as it is now
        return held.VariantType
    raise CommandRefused("The server does not say which type the node takes.")


def fitted(value: Value, variant_type: ua.VariantType) -> Any:
    """Return the value as the exact type of the node. Raises `CommandRefused` when it does not fit."""
    if variant_type == ua.VariantType.Boolean:
        if value in (0, 1):
            return bool(value)
        raise CommandRefused("The node takes true or false only.")
    if variant_type in _RANGES:
        return _whole(value, variant_type)
    if variant_type in (ua.VariantType.Float, ua.VariantType.Double):
        if isinstance(value, str) or not math.isfinite(value):
            raise CommandRefused("The node takes a number.")
        if variant_type == ua.VariantType.Float and abs(value) > _FLOAT_MOST:
            raise CommandRefused("The number is too large for the node.")
        return float(value)
    if not isinstance(value, str):
        raise CommandRefused(f"The node takes a {variant_type.name}, not a number.")
    if variant_type == ua.VariantType.String:
        return value
    if variant_type == ua.VariantType.LocalizedText:
        return ua.LocalizedText(value)
    if variant_type == ua.VariantType.DateTime:
        return _moment(value)
    raise CommandRefused(f"Values of the type {variant_type.name} cannot be written.")


def _whole(value: Value, variant_type: ua.VariantType) -> int:
    if isinstance(value, str) or not math.isfinite(value):
        raise CommandRefused("The node takes a whole number.")
    number = round(value)
    if abs(number - value) > 1e-6 * max(1.0, abs(value)):  # a scaled tag divides: 21.5 / 0.1 is not quite 215
        raise CommandRefused(f"The node takes whole numbers; {value:g} is none.")
    low, high = _RANGES[variant_type]
    if not low <= number <= high:
        raise CommandRefused(f"The node takes {low} to {high}.")
    return number


def _moment(text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise CommandRefused("The node takes a time, such as 2026-01-31T08:00:00Z.") from None
    return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)


async def _write(link: Link, target: _Target, fitting: Any) -> None:
    held = fitting
    if target.whole is not None:
        held = [*target.whole]
        held[target.elements[0]] = fitting
    elif target.elements:
        held = [fitting]
    index_range = _range(target.elements) if target.elements and target.whole is None else None
    value = ua.DataValue(Value=ua.Variant(held, target.variant_type), StatusCode=None)
    one = ua.WriteValue(NodeId=target.node, AttributeId=ua.AttributeIds.Value, IndexRange=index_range, Value=value)
    try:
        (status,) = await link.session.write(ua.WriteParameters(NodesToWrite=[one]))
    except ua.UaStatusCodeError as error:
        status = ua.StatusCode(error.code)
    name = name_of_status(status.value)
    if status.is_bad():
        if name in _NOT_KNOWN:
            raise FateUnknown(f"the server says {name}")
        raise CommandRefused(f"The server refused: {name}.")


async def _read_back(link: Link, target: _Target, written: Value | None) -> ReadBack:
    loop = asyncio.get_running_loop()
    deadline = loop.time() + SHOWS_WITHIN_S
    while True:
        (found,) = await link.read([target.node])
        shown: Value | None = None
        if found.StatusCode.is_good() and found.Value is not None:
            try:
                shown = plain(part_at(found.Value.Value, target.elements))
            except NoSuchPart:
                shown = None
        if written is not None and is_same_value(written, shown):
            return ReadBack(shown, is_confirmed=True)
        if loop.time() > deadline:
            if not found.StatusCode.is_good():
                name = name_of_status(found.StatusCode.value)
                return ReadBack(None, False, f"The server took it, but it cannot be read: {name}.")
            return ReadBack(shown, False, "The server took it, but the node does not show it.")
        await asyncio.sleep(_PAUSE_S)
