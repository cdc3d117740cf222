"""Every address of the web process and every operation of the API, found by asking Django and the API itself."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from django.urls import URLPattern, URLResolver, get_resolver

from yuheng.config.api import api

_PARAMETER = re.compile(r"<(?:\w+:)?(\w+)>")


@dataclass(frozen=True, slots=True)
class Route:
    """One address: ``/work-units/<int:work_unit_id>`` and its name, ``web:station``."""

    pattern: str
    name: str

    @property
    def parameters(self) -> list[str]:
        """Names of the parts that vary."""
        return _PARAMETER.findall(self.pattern)

    def path(self, values: Mapping[str, Any]) -> str:
        """The address with its parts filled in."""
        return _PARAMETER.sub(lambda found: str(values[found[1]]), self.pattern)


def all_routes() -> list[Route]:
    """Every route, the API's included, whatever context made it."""
    return sorted(_walk(get_resolver().url_patterns, "/", ""), key=lambda route: route.pattern)


def _walk(patterns: list[URLPattern | URLResolver], prefix: str, namespace: str) -> Iterator[Route]:
    for pattern in patterns:
        address = prefix + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            inner = f"{namespace}{pattern.namespace}:" if pattern.namespace else namespace
            yield from _walk(pattern.url_patterns, address, inner)
        else:
            yield Route(address, f"{namespace}{pattern.name or ''}")


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation of the API with what it takes."""

    method: str
    path: str
    parameters: tuple[dict[str, Any], ...]
    body: dict[str, Any] | None

    def address(self, values: Mapping[str, Any]) -> str:
        """Its path with its parts filled in."""
        return re.sub(r"{(\w+)}", lambda found: str(values[found[1]]), self.path)

    def query(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """A query that names the plant's things wherever it can."""
        return {
            one["name"]: values.get(one["name"], _example(one.get("schema", {}), values))
            for one in self.parameters
            if one["in"] == "query" and (one["name"] in values or one.get("required"))
        }

    def content(self, values: Mapping[str, Any]) -> Any:
        """A body that names the plant's things wherever it can."""
        return None if self.body is None else _example(self.body, values)


@cache
def _description() -> Mapping[str, Any]:
    """The API's description of itself; making it takes most of a second."""
    return api.get_openapi_schema()


def all_operations() -> list[Operation]:
    """Every operation in the API's own description."""
    schema = _description()
    found = []
    for path, operations in schema["paths"].items():
        for method, operation in operations.items():
            body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
            found.append(Operation(method.upper(), path, tuple(operation.get("parameters", ())), body))
    return found


def _example(schema: Mapping[str, Any], values: Mapping[str, Any]) -> Any:
    """Return something the schema accepts; properties named like the plant's things get those."""
    schema = _resolved(schema)
    kind = schema.get("type")
    if kind == "object":
        return {
            name: values[name] if name in values and not _lists_objects(inner) else _example(inner, values)
            for name, inner in schema.get("properties", {}).items()
        }
    if kind == "array":
        return [_example(schema.get("items", {}), values)]
    if "enum" in schema:
        return schema["enum"][0]
    if "const" in schema:
        return schema["const"]
    if kind in {"integer", "number"}:
        return schema.get("default", schema.get("minimum", 1))
    if kind == "boolean":
        return schema.get("default", True)
    if schema.get("format") == "date-time":
        return "2026-11-23T00:00:00Z"
    if schema.get("format") == "date":
        return "2026-11-23"
    return schema.get("default", "x") or "x"


def _lists_objects(schema: Mapping[str, Any]) -> bool:
    """Return whether a property is a list of objects: the plant's values are ids."""
    found = _resolved(schema)
    return found.get("type") == "array" and _resolved(found.get("items", {})).get("type") == "object"


def _resolved(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    if "$ref" in schema:
        return _resolved(_description()["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]])
    for choice in ("anyOf", "oneOf", "allOf"):
        if choice in schema:
            return _resolved(schema[choice][0])
    return schema
