"""Structured values of types that only the server knows, decoded by the definitions it gives (Part 3, 8.48).

The library would make Python classes of them, process-wide and by namespace index: two servers whose types share a
number would get each other's. Here a definition belongs to one connection, and values become plain dicts.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from asyncua import ua
from asyncua.common.utils import Buffer
from asyncua.ua.ua_binary import (
    Primitives,
    extensionobject_from_binary,
    nodeid_from_binary,
    struct_from_binary,
    unpack_uatype,
    variant_from_binary,
)

MAX_DEPTH = 16
MAX_ELEMENTS = 1_000_000

_BUILT_IN_LAST = 25
_ENUMERATION = 29
_INT32 = 6

ReadDefinition = Callable[[ua.NodeId], Awaitable[Any]]
"""Returns the DataTypeDefinition of a data type; None when the server gives none."""
ReadSuper = Callable[[ua.NodeId], Awaitable[ua.NodeId | None]]
"""Returns what a data type is derived from."""


class NotDecodable(Exception):
    """The structure cannot be decoded by what the server says of it."""


@dataclass(frozen=True, slots=True)
class _Field:
    name: str
    is_optional: bool
    rank: int
    built_in: int  # 0: a structure
    data_type: ua.NodeId


@dataclass(frozen=True, slots=True)
class _Definition:
    kind: ua.StructureType
    fields: tuple[_Field, ...]


class Structures:
    """The structure definitions of one connection, read when they are first needed."""

    def __init__(self, read_definition: ReadDefinition, read_super: ReadSuper) -> None:
        self._read_definition = read_definition
        self._read_super = read_super
        self._by_type: dict[ua.NodeId, _Definition] = {}
        self._by_encoding: dict[ua.NodeId, ua.NodeId] = {}

    async def learn(self, data_type: ua.NodeId, depth: int = 0) -> bool:
        """Read the definition of a data type and of all it is made of; return whether it is a structure we can read."""
        if data_type in self._by_type:
            return True
        if depth > MAX_DEPTH:
            return False
        definition = await self._read_definition(data_type)
        if not isinstance(definition, ua.StructureDefinition):
            return False
        fields_ = []
        for field in definition.Fields or []:
            built_in = await self._built_in(field.DataType)
            fields_.append(
                _Field(str(field.Name), bool(field.IsOptional), int(field.ValueRank), built_in, field.DataType)
            )
        self._by_type[data_type] = _Definition(definition.StructureType, tuple(fields_))
        self._by_encoding[definition.DefaultEncodingId] = data_type
        for known in fields_:
            if not known.built_in and known.data_type != data_type:
                await self.learn(known.data_type, depth + 1)
        return True

    async def _built_in(self, data_type: ua.NodeId) -> int:
        """Return the number of the built-in type that a data type is encoded as; 0 for a structure."""
        current: ua.NodeId | None = data_type
        for _ in range(MAX_DEPTH):
            if current is None:
                return 0
            number = current.Identifier if current.NamespaceIndex == 0 else None
            if number == ua.ObjectIds.Structure:  # 22, which is also the built-in ExtensionObject
                return 0 if data_type != current else 22
            if number == _ENUMERATION:
                return _INT32
            if isinstance(number, int) and 0 < number <= _BUILT_IN_LAST:
                return number
            if number in (26, 27, 28):  # Number, Integer, UInteger: abstract, so encoded as a Variant
                return 24
            current = await self._read_super(current)
        return 0

    def decoded(self, value: Any) -> Any:
        """Return a value with every structure of a known type in it as a dict."""
        if isinstance(value, list):
            return [self.decoded(item) for item in value]
        if not isinstance(value, ua.ExtensionObject) or value.Body is None:
            return value
        data_type = self._by_encoding.get(value.TypeId)
        if data_type is None:
            return value
        return self._structure(self._by_type[data_type], Buffer(value.Body), 0)

    def _structure(self, definition: _Definition, data: Buffer, depth: int) -> dict[str, Any]:
        if depth > MAX_DEPTH:
            raise NotDecodable("its structures are nested too deeply")
        if definition.kind in (ua.StructureType.Union, ua.StructureType.UnionWithSubtypedValues):
            chosen = Primitives.UInt32.unpack(data)
            if not 0 < chosen <= len(definition.fields):
                return {}
            field = definition.fields[chosen - 1]
            return {field.name: self._field(field, data, depth)}
        mask = 0xFFFFFFFF
        if definition.kind == ua.StructureType.StructureWithOptionalFields:
            mask = Primitives.UInt32.unpack(data)
        found: dict[str, Any] = {}
        bit = 0
        for field in definition.fields:
            if field.is_optional and definition.kind == ua.StructureType.StructureWithOptionalFields:
                is_there = mask >> bit & 1
                bit += 1
                if not is_there:
                    found[field.name] = None
                    continue
            found[field.name] = self._field(field, data, depth)
        return found

    def _field(self, field: _Field, data: Buffer, depth: int) -> Any:
        if field.rank < 0:
            return self._one(field, data, depth)
        if field.rank > 1:  # a matrix: dimensions first (Part 6, 5.2.5)
            count = Primitives.Int32.unpack(data)
            for _ in range(max(count, 0)):
                Primitives.Int32.unpack(data)
        count = Primitives.Int32.unpack(data)
        if count > MAX_ELEMENTS or count > len(data):
            raise NotDecodable("it says that it is longer than it is")
        return [self._one(field, data, depth) for _ in range(max(count, 0))]

    def _one(self, field: _Field, data: Buffer, depth: int) -> Any:
        if field.built_in == 22:
            return self.decoded(extensionobject_from_binary(data))
        if field.built_in == 24:
            return self.decoded(variant_from_binary(data).Value)
        if field.built_in in (17, 18):
            return nodeid_from_binary(data)
        if field.built_in:
            return unpack_uatype(ua.VariantType(field.built_in), data)
        definition = self._by_type.get(field.data_type)
        if definition is not None:
            return self._structure(definition, data, depth + 1)
        standard = _standard_class(field.data_type)
        if standard is None:
            raise NotDecodable(f"the server does not say what its field {field.name} is")
        return struct_from_binary(standard, data)


def _standard_class(data_type: ua.NodeId) -> type | None:
    """Return the library's class of a type of the standard itself; None for a server's own."""
    if data_type.NamespaceIndex != 0:
        return None
    name = next((name for name, number in vars(ua.ObjectIds).items() if number == data_type.Identifier), "")
    found = getattr(ua, name, None) if name else None
    return found if isinstance(found, type) else None
