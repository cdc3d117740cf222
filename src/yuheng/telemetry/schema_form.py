"""A connector's JSON Schema as fields of a form, and what was posted as settings."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from yuheng.kernel.errors import InvalidInput
from yuheng.telemetry.source_settings import MASK

PREFIX = "setting-"
LONG_TEXT = 1000
"""A text that may be longer is written in a box of several lines."""


@dataclass(frozen=True, slots=True)
class FormField:
    """One setting. ``kind``: choice, switch, number, password, lines, text, json."""

    name: str
    label: str
    hint: str
    kind: str
    value: str
    is_required: bool
    choices: tuple[str, ...] = ()
    step: str = "any"

    @property
    def key(self) -> str:
        """The name of its input."""
        return PREFIX + self.name


def fields_of(schema: Mapping[str, Any], settings: Mapping[str, Any], *, is_chinese: bool) -> list[FormField]:
    """Return the fields of a schema with the values that are set, or their defaults."""
    required = schema.get("required", [])
    found = []
    for name, setting in schema.get("properties", {}).items():
        kind = _kind(setting)
        value = settings.get(name, setting.get("default", ""))
        title = setting.get("x-title-zh") if is_chinese else None
        hint = setting.get("x-description-zh") if is_chinese else None
        found.append(
            FormField(
                name=name,
                label=str(title or setting.get("title", name)),
                hint=str(hint or setting.get("description", "")),
                kind=kind,
                value=_text(kind, value),
                is_required=name in required,
                choices=tuple(map(str, setting.get("enum", ()))),
                step="1" if setting.get("type") == "integer" else "any",
            )
        )
    return found


def posted_settings(schema: Mapping[str, Any], posted: Mapping[str, str]) -> dict[str, Any]:
    """Return the settings of a posted form; what is empty, or as its default, is left out.

    Raises
    ------
    InvalidInput
        A number is none, or a JSON field is not JSON.
    """
    found: dict[str, Any] = {}
    for name, setting in schema.get("properties", {}).items():
        text = posted.get(PREFIX + name, "").strip()
        kind = _kind(setting)
        if kind == "switch":
            value: Any = PREFIX + name in posted
        elif not text:
            continue
        else:
            value = _value(kind, setting, text, name)
        if value != setting.get("default"):
            found[name] = value
    return found


def _kind(setting: Mapping[str, Any]) -> str:
    kind = setting.get("type")
    if setting.get("format") == "password":
        return "password"
    if "enum" in setting:
        return "choice"
    if kind in ("object", "array"):
        return "json"
    if kind == "string":
        return "lines" if setting.get("maxLength", 0) > LONG_TEXT else "text"
    return {"boolean": "switch", "integer": "number", "number": "number"}.get(str(kind), "json")


def _text(kind: str, value: Any) -> str:
    if kind == "json":
        return "" if value in ("", [], {}) else json.dumps(value, ensure_ascii=False)
    if kind == "password":
        return MASK if value else ""
    return str(value)


def _value(kind: str, setting: Mapping[str, Any], text: str, name: str) -> Any:
    try:
        if kind == "number":
            return int(text) if setting.get("type") == "integer" else float(text)
        return json.loads(text) if kind == "json" else text
    except ValueError:
        sentence = _("%(name)s is not written as it should be.") % {"name": setting.get("title", name)}
        raise InvalidInput(sentence, {f"settings.{name}": sentence}) from None
