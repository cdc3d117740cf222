"""Checks of what is typed: codes, names, priorities, options. Each returns field -> why."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext as _

from yuheng.kernel.errors import InvalidInput

CODE = re.compile(r"[A-Za-z0-9\u3400-\u9fff][A-Za-z0-9\u3400-\u9fff._/-]{0,79}")
MOST_OPTIONS = 200


def check_code(code: str, name: str = "code") -> dict[str, str]:
    """Letters, digits, Chinese characters, then also ``. _ / -``; at most 80."""
    return {} if CODE.fullmatch(code.strip()) else {name: _("A code has letters, digits and . _ / - only, at most 80.")}


def check_names(zh: str, en: str) -> dict[str, str]:
    """Both, at most 200 characters."""
    return {
        name: _("A name is needed in both languages, at most 200 characters.")
        for name, text in (("name_zh", zh), ("name_en", en))
        if not 0 < len(text.strip()) <= 200
    }


def check_priority(priority: int) -> dict[str, str]:
    """1, the most urgent, to 999."""
    is_fine = isinstance(priority, int) and not isinstance(priority, bool) and 1 <= priority <= 999
    return {} if is_fine else {"priority": _("A priority is a whole number from 1 (most urgent) to 999.")}


def clean_options(options: Mapping[str, Any], where: str, wrong: dict[str, str]) -> dict[str, Any]:
    """Return options of a product as JSON has them; what is neither text, number nor yes/no goes into ``wrong``."""
    found: dict[str, Any] = {}
    if len(options) > MOST_OPTIONS:
        wrong[where] = _("At most %(count)s options.") % {"count": MOST_OPTIONS}
        return found
    for name, value in options.items():
        if isinstance(value, Decimal):
            value = int(value) if value == value.to_integral_value() else float(value)
        is_fine = isinstance(value, str | bool | int) or (isinstance(value, float) and math.isfinite(value))
        if not is_fine or len(str(name)) > 80 or len(str(value)) > 200:
            wrong[f"{where}.{name}"[:120]] = _("An option is a text, a number, or yes or no.")
        else:
            found[str(name)] = value
    return found


def refuse(message: str, wrong: Mapping[str, str]) -> None:
    """Raise `InvalidInput` when something is wrong."""
    if wrong:
        raise InvalidInput(message, dict(wrong))


def options_of(text: str) -> dict[str, Any]:
    """Read options as a form writes them: ``colour=red, width=1000``; numbers and yes/no are told from words.

    Raises
    ------
    InvalidInput
        A part without "=".
    """
    found: dict[str, Any] = {}
    for part in filter(None, (one.strip() for one in text.replace("\n", ",").replace("，", ",").split(","))):
        name, sign, value = part.partition("=")
        if not sign or not name.strip():
            message = _("Write options as name=value, separated by commas.")
            raise InvalidInput(message, {"options": message})
        found[name.strip()] = _option(value.strip())
    return found


def _option(value: str) -> str | bool | int | float:
    if value.lower() in {"true", "yes", "是"}:
        return True
    if value.lower() in {"false", "no", "否"}:
        return False
    for kind in (int, float):
        try:
            return kind(value)
        except ValueError:
            continue
    return value
