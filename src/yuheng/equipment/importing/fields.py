"""Fields of importable rows: each reads a cell of a CSV file or a value of a plant file into one clean value."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import time
from typing import Any

from django.utils.translation import gettext as _

from yuheng.equipment.rules import is_code

REQUIRED: Any = object()
"""Default of a field that a new row must have."""

LIST_SEPARATOR = ";"


class Unreadable(ValueError):
    """A value is not what its field needs; the message says what it needs."""


@dataclass(frozen=True, slots=True)
class Field:
    """One column.

    Attributes
    ----------
    read
        Turns text or a YAML value into the clean value; raises `Unreadable`.
    default
        Of a new row that does not give it; `REQUIRED` when it must. A row that exists keeps what it has.
    is_key
        Part of what identifies the row.
    refers_to
        Name of the section whose key the value (or each of its values) must be; "" and None name nothing.
    """

    name: str
    read: Callable[[Any], Any]
    default: Any = REQUIRED
    is_key: bool = False
    refers_to: str = ""


def text(longest: int = 120) -> Callable[[Any], str]:
    """Read text of at most so many characters; numbers are taken as their digits."""

    def read(value: Any) -> str:
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise Unreadable(_("must be text"))
        found = str(value).strip()
        if len(found) > longest:
            raise Unreadable(_("is longer than %(longest)d characters") % {"longest": longest})
        if any(ord(char) < 32 for char in found):
            raise Unreadable(_("has control characters"))
        return found

    return read


def filled_text(longest: int = 120) -> Callable[[Any], str]:
    """Read text that may not be empty."""
    inner = text(longest)

    def read(value: Any) -> str:
        found = inner(value)
        if not found:
            raise Unreadable(_("must not be empty"))
        return found

    return read


def code(value: Any) -> str:
    """Read a code: letters, digits, CJK characters, then also ``. _ -``; at most 40."""
    found = filled_text(40)(value)
    if not is_code(found):
        raise Unreadable(_("may have letters, digits and . _ - only"))
    return found


def optional_code(value: Any) -> str:
    """Read a code, or nothing."""
    return "" if value in ("", None) else code(value)


def number(*, least: float = -math.inf, most: float = math.inf, above: float = -math.inf) -> Callable[[Any], float]:
    """Read a finite number within limits."""

    def read(value: Any) -> float:
        try:
            if isinstance(value, str) and "_" in value:  # Python reads 1_000; nobody else does
                raise ValueError(value)
            found = float(value)
        except (TypeError, ValueError):
            raise Unreadable(_("must be a number")) from None
        if isinstance(value, bool) or not math.isfinite(found):
            raise Unreadable(_("must be a number"))
        if not least <= found <= most or found <= above:
            raise Unreadable(_("is outside what is allowed"))
        return found

    return read


def whole_number(*, least: int, most: int) -> Callable[[Any], int]:
    """Read a whole number within limits."""

    def read(value: Any) -> int:
        found = number(least=least, most=most)(value)
        if found != int(found):
            raise Unreadable(_("must be a whole number"))
        return int(found)

    return read


def optional(read: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Allow nothing: None."""
    return lambda value: None if value in ("", None) else read(value)


_TRUE, _FALSE = {"true", "yes", "1", "y", "on", "是"}, {"false", "no", "0", "n", "off", "否"}


def boolean(value: Any) -> bool:
    """Read yes or no."""
    word = str(value).strip().lower()
    if word in _TRUE:
        return True
    if word in _FALSE:
        return False
    raise Unreadable(_("must be true or false"))


def one_of(choices: Iterable[str]) -> Callable[[Any], str]:
    """Read one of the words."""
    known = tuple(choices)

    def read(value: Any) -> str:
        if value not in known:
            raise Unreadable(_("must be one of %(choices)s") % {"choices": ", ".join(known)})
        return str(value)

    return read


def texts(longest: int = 400) -> Callable[[Any], list[str]]:
    """Read a list of texts; in CSV separated by ``;``."""
    inner = text(longest)

    def read(value: Any) -> list[str]:
        parts = value.split(LIST_SEPARATOR) if isinstance(value, str) else value
        if not isinstance(parts, list):
            raise Unreadable(_("must be a list"))
        return [found for part in parts if (found := inner(part))]

    return read


def mapping(value: Any) -> dict[str, Any]:
    """Read an object; in CSV written as JSON."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            raise Unreadable(_("must be a JSON object")) from None
    if not isinstance(value, dict):
        raise Unreadable(_("must be an object"))
    return value


def time_of_day(value: Any) -> str:
    """Read ``HH:MM``. YAML 1.1 reads an unquoted 12:30 as the number 750: minutes, taken as such."""
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 24 * 60:
        return f"{value // 60:02d}:{value % 60:02d}"
    try:
        found = time.fromisoformat(str(value).strip().zfill(5))
    except ValueError:
        raise Unreadable(_("must be a time such as 08:00")) from None
    if found.second or found.microsecond or found.tzinfo:
        raise Unreadable(_("must be a time such as 08:00"))
    return f"{found:%H:%M}"


def as_cell(value: Any) -> str:
    """Write a clean value into a CSV cell, so that the field's ``read`` gives it back."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:.15g}" if float(f"{value:.15g}") == value else repr(value)
    if isinstance(value, list) and all(isinstance(part, str) for part in value):
        return LIST_SEPARATOR.join(value)
    if isinstance(value, list | dict):
        return json.dumps(value, ensure_ascii=False)
    return str(value)
