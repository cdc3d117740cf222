"""The Sparkplug B payload as protobuf messages, written from the specification's field numbers (section 6.4.1).

Built from a table at import, so that neither a compiler nor generated files are needed; the parser is
protobuf's own (upb). ``proto3`` on purpose: strings are checked for UTF-8 while parsing.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

_PACKAGE = "yuheng.sparkplug"
_Field = descriptor_pb2.FieldDescriptorProto
_TYPES = {
    "uint32": _Field.TYPE_UINT32,
    "uint64": _Field.TYPE_UINT64,
    "float": _Field.TYPE_FLOAT,
    "double": _Field.TYPE_DOUBLE,
    "bool": _Field.TYPE_BOOL,
    "string": _Field.TYPE_STRING,
    "bytes": _Field.TYPE_BYTES,
}

# message -> (number, modifier, type, name); "one" puts the field into the oneof `value`.
_SCHEMA: dict[str, list[tuple[int, str, str, str]]] = {
    "PropertyValue": [
        (1, "", "uint32", "type"),
        (2, "", "bool", "is_null"),
        (3, "one", "uint32", "int_value"),
        (4, "one", "uint64", "long_value"),
        (5, "one", "float", "float_value"),
        (6, "one", "double", "double_value"),
        (7, "one", "bool", "boolean_value"),
        (8, "one", "string", "string_value"),
    ],
    "PropertySet": [(1, "many", "string", "keys"), (2, "many", "PropertyValue", "values")],
    "Template": [
        (1, "", "string", "version"),
        (2, "many", "Metric", "metrics"),
        (4, "", "string", "template_ref"),
        (5, "", "bool", "is_definition"),
    ],
    "Metric": [
        (1, "", "string", "name"),
        (2, "maybe", "uint64", "alias"),
        (3, "maybe", "uint64", "timestamp"),
        (4, "", "uint32", "datatype"),
        (5, "", "bool", "is_historical"),
        (6, "", "bool", "is_transient"),
        (7, "", "bool", "is_null"),
        (9, "maybe", "PropertySet", "properties"),
        (10, "one", "uint32", "int_value"),
        (11, "one", "uint64", "long_value"),
        (12, "one", "float", "float_value"),
        (13, "one", "double", "double_value"),
        (14, "one", "bool", "boolean_value"),
        (15, "one", "string", "string_value"),
        (16, "one", "bytes", "bytes_value"),
        (17, "one", "bytes", "dataset_value"),  # kept closed: a table cannot become a value of a tag
        (18, "one", "Template", "template_value"),
        (19, "one", "bytes", "extension_value"),
    ],
    "Payload": [
        (1, "maybe", "uint64", "timestamp"),
        (2, "many", "Metric", "metrics"),
        (3, "maybe", "uint64", "seq"),
        (4, "", "string", "uuid"),
        (5, "", "bytes", "body"),
    ],
}


class DataType(IntEnum):
    """Metric data types (specification, section 6.4.16)."""

    UNKNOWN = 0
    INT8 = 1
    INT16 = 2
    INT32 = 3
    INT64 = 4
    UINT8 = 5
    UINT16 = 6
    UINT32 = 7
    UINT64 = 8
    FLOAT = 9
    DOUBLE = 10
    BOOLEAN = 11
    STRING = 12
    DATETIME = 13
    TEXT = 14
    UUID = 15
    DATASET = 16
    BYTES = 17
    FILE = 18
    TEMPLATE = 19


def _add_field(message: Any, number: int, modifier: str, type_name: str, name: str) -> None:
    field = message.field.add(name=name, number=number, label=_Field.LABEL_OPTIONAL)
    if modifier == "many":
        field.label = _Field.LABEL_REPEATED
    if type_name in _TYPES:
        field.type = _TYPES[type_name]
    else:
        field.type = _Field.TYPE_MESSAGE
        field.type_name = f".{_PACKAGE}.{type_name}"
    if modifier == "one":
        field.oneof_index = 0


def _add_presence(message: Any, name: str) -> None:
    """Make a scalar tell 0 from absent; synthetic oneofs come after the real one."""
    message.oneof_decl.add(name=f"_{name}")
    field = next(field for field in message.field if field.name == name)
    field.proto3_optional = True
    field.oneof_index = len(message.oneof_decl) - 1


def _build() -> dict[str, Any]:
    file = descriptor_pb2.FileDescriptorProto(name="yuheng/sparkplug_b.proto", package=_PACKAGE, syntax="proto3")
    for message_name, fields in _SCHEMA.items():
        message = file.message_type.add(name=message_name)
        if any(modifier == "one" for _, modifier, _, _ in fields):
            message.oneof_decl.add(name="value")
        for number, modifier, type_name, name in fields:
            _add_field(message, number, modifier, type_name, name)
        for _, modifier, _, name in fields:
            if modifier == "maybe":
                _add_presence(message, name)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.{name}")) for name in _SCHEMA}


_CLASSES = _build()
Payload: Any = _CLASSES["Payload"]
Metric: Any = _CLASSES["Metric"]
Template: Any = _CLASSES["Template"]
PropertySet: Any = _CLASSES["PropertySet"]
PropertyValue: Any = _CLASSES["PropertyValue"]
