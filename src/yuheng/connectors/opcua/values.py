"""From OPC UA values to ours: quality, parts of arrays and structures, texts for what is no number.

References: OPC UA Part 4, 7.39 (StatusCode); Part 6, 5.2.2 (built-in types).
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from datetime import UTC, date, datetime
from enum import Enum
from typing import Any
from uuid import UUID

from asyncua import ua

from yuheng.connectors.opcua.addresses import Step
from yuheng.engines.points import Quality
from yuheng.gateway.connector import Value

_OVERFLOW = 0x0480
"""InfoType *DataValue* and InfoBit *Overflow*: values before this one were dropped from the queue."""


def quality_of(status: int) -> Quality:
    """Return our quality of a StatusCode; the reserved severity counts as bad (Part 4, 7.39.1)."""
    severity = status >> 30
    if severity == 0:
        return Quality.GOOD
    return Quality.UNCERTAIN if severity == 1 else Quality.BAD


def has_overflowed(status: int) -> bool:
    """Return whether the server says that it dropped values of this queue before this value."""
    return status & _OVERFLOW == _OVERFLOW


class NoSuchPart(Exception):
    """The value has not the element or field that an address names."""


def part_at(value: Any, steps: Sequence[Step]) -> Any:
    """Follow the way to a part. Raises `NoSuchPart`.

    Examples
    --------
    >>> part_at({"Axes": [{"Position": 1.5}]}, ("Axes", 0, "Position"))
    1.5
    """
    for step in steps:
        if isinstance(step, int):
            if not isinstance(value, list | tuple) or step >= len(value):
                raise NoSuchPart(f"it has no element [{step}]")
            value = value[step]
        else:
            value = _field(value, step)
    return value


def _field(value: Any, name: str) -> Any:
    if isinstance(value, Mapping):
        if name not in value:
            raise NoSuchPart(f"it has no field {name}")
        return value[name]
    if is_dataclass(value) and name in {field.name for field in fields(value)}:
        return getattr(value, name)
    raise NoSuchPart(f"it has no field {name}")


def plain(value: Any) -> Value | None:
    """Return one value as a number, a truth value or a text; what is composed becomes JSON.

    Examples
    --------
    >>> plain([1, 2]), plain(None), plain(True)
    ('[1,2]', None, True)
    """
    if value is None or (isinstance(value, bool | int | float | str) and not isinstance(value, Enum)):
        return value
    found = simple(value)
    return (
        found
        if isinstance(found, bool | int | float | str)
        else json.dumps(found, ensure_ascii=False, separators=(",", ":"))
    )


def simple(value: Any) -> Any:
    """Return a value made of dicts, lists, numbers and texts only."""
    if isinstance(value, Enum):
        return value.value
    if value is None or isinstance(value, bool | int | float | str):
        return value
    for kinds, convert in _CONVERSIONS:
        if isinstance(value, kinds):
            return convert(value)
    if is_dataclass(value):
        return {field.name: simple(getattr(value, field.name)) for field in fields(value) if field.name != "Encoding"}
    return str(value)


def _moment(value: datetime) -> str:
    return (value if value.tzinfo else value.replace(tzinfo=UTC)).isoformat()


_CONVERSIONS: tuple[tuple[Any, Callable[[Any], Any]], ...] = (
    (ua.LocalizedText, lambda value: value.Text or ""),
    (ua.QualifiedName, lambda value: value.Name or ""),
    (ua.NodeId, lambda value: value.to_string()),
    (ua.StatusCode, lambda value: value.name),
    (ua.Variant, lambda value: simple(value.Value)),
    (ua.DataValue, lambda value: None if value.Value is None else simple(value.Value.Value)),
    (bytes, lambda value: base64.b64encode(value).decode()),
    (datetime, _moment),
    (UUID | date, str),
    (Mapping, lambda value: {str(name): simple(item) for name, item in value.items()}),
    (list | tuple, lambda value: [simple(item) for item in value]),
)


def name_of_status(status: int) -> str:
    """Return the standard's name of a status code, such as ``BadNodeIdUnknown``."""
    return str(ua.StatusCode(ua.UInt32(status)).name)
