"""Settings of data sources as people may see them: passwords go in and never come out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from yuheng.bus.documents import CALCULATED
from yuheng.gateway.connector import Maps, find_connectors

MASK = "••••••"
"""Stands for a password that is set. Written back, it keeps the password as it is."""


@cache
def settings_schema(connector: str) -> dict[str, Any] | None:
    """Return the JSON Schema of a connector's settings; None when no such connector is installed."""
    if connector == CALCULATED:
        return {"type": "object", "properties": {}, "additionalProperties": False}
    point = find_connectors().get(connector)
    return None if point is None else dict(point.load().manifest.config_schema)


@cache
def maps_of(connector: str) -> Maps | None:
    """Return how a connector reads tables of signals; None when it has no such tables, or is not installed."""
    point = find_connectors().get(connector)
    maps: Maps | None = None if point is None else point.load().manifest.maps
    return maps


def masked(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings with `MASK` for each password."""
    return {name: _masked(name, value) for name, value in settings.items()}


def _masked(name: str, value: Any) -> Any:
    if name in password_names() and value:
        return MASK
    if isinstance(value, Mapping):
        return masked(value)
    return [_masked("", item) for item in value] if isinstance(value, list) else value


def with_kept_passwords(given: Mapping[str, Any], stored: Mapping[str, Any]) -> dict[str, Any]:
    """Return what was given, with the stored passwords where it has `MASK`; left out where none is stored."""
    found: dict[str, Any] = {}
    for name, value in given.items():
        before = stored.get(name)
        if name in password_names() and value == MASK:
            if before:
                found[name] = before
        elif isinstance(value, Mapping):
            found[name] = with_kept_passwords(value, before if isinstance(before, Mapping) else {})
        else:
            found[name] = value
    return found


@cache
def password_names() -> frozenset[str]:
    """Return the names of all settings of installed connectors whose schema says ``"format": "password"``."""
    return frozenset(name for code in find_connectors() for name in _passwords_of(settings_schema(code)))


def _passwords_of(schema: Any) -> Iterator[str]:
    if isinstance(schema, Mapping):
        for name, value in schema.items():
            if isinstance(value, Mapping) and value.get("format") == "password":
                yield str(name)
            yield from _passwords_of(value)
    elif isinstance(schema, list):
        for item in schema:
            yield from _passwords_of(item)
