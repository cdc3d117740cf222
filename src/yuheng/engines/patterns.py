"""Patterns with placeholders: ``ns=2;s=Line{line}.{unit}.Temp``, ``P{n:02d}``, ``{n*100+40001}``.

A placeholder is a name, perhaps with whole-number arithmetic (``*``, ``+``, ``-``; ``*`` binds first), perhaps with
the width and kind of a whole number as in Python (``:03d``, ``:x``, ``:04X``). ``{{`` and ``}}`` stand for braces.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

MOST_CHARACTERS = 1000
MOST_PLACEHOLDERS = 20

_PLACEHOLDER = re.compile(r"(?P<name>[A-Za-z_]\w*)(?P<sums>(?:\s*[*+-]\s*\d{1,9})*)\s*(?::(?P<format>0?\d{0,2}[dxX]))?")
_STEP = re.compile(r"([*+-])\s*(\d+)")
_NUMBER = re.compile(r"[+-]?\d{1,18}")


class PatternError(ValueError):
    """A pattern cannot be read or filled in.

    Attributes
    ----------
    reason
        ``brace`` (one stands alone), ``placeholder`` (not in the language), ``unknown`` (nothing has that name),
        ``number`` (arithmetic or a number's format on what is no whole number), ``long`` (too long, too many).
    what
        The piece of the pattern that is wrong.
    """

    def __init__(self, reason: str, what: str) -> None:
        super().__init__(f"{reason}: {what}")
        self.reason = reason
        self.what = what


@dataclass(frozen=True, slots=True)
class Placeholder:
    """A name with what is done to its value; ``steps`` are ``(sign, number)``."""

    text: str
    name: str
    steps: tuple[tuple[str, int], ...]
    number_format: str


Parts = tuple[str | Placeholder, ...]


@lru_cache(maxsize=4096)
def parse(pattern: str) -> Parts:
    """Read a pattern into texts and placeholders.

    Raises
    ------
    PatternError
    """
    if len(pattern) > MOST_CHARACTERS:
        raise PatternError("long", pattern[:40])
    parts: list[str | Placeholder] = []
    text, at = "", 0
    while at < len(pattern):
        char = pattern[at]
        if char in "{}" and pattern[at : at + 2] == char * 2:
            text, at = text + char, at + 2
        elif char == "}":
            raise PatternError("brace", pattern[max(0, at - 10) : at + 1])
        elif char == "{":
            end = pattern.find("}", at)
            if end < 0:
                raise PatternError("brace", pattern[at : at + 20])
            parts += [text, _placeholder(pattern[at + 1 : end])]
            text, at = "", end + 1
        else:
            text, at = text + char, at + 1
    parts.append(text)
    if sum(isinstance(part, Placeholder) for part in parts) > MOST_PLACEHOLDERS:
        raise PatternError("long", pattern[:40])
    return tuple(part for part in parts if part != "")


def names_in(pattern: str) -> frozenset[str]:
    """Return the names that a pattern asks for. Raises `PatternError`."""
    return frozenset(part.name for part in parse(pattern) if isinstance(part, Placeholder))


def fill(pattern: str, values: Mapping[str, str | int]) -> str:
    """Put values in place of the placeholders.

    Raises
    ------
    PatternError

    Examples
    --------
    >>> fill("ns=2;s=Line{line}.{unit}.Temp", {"line": "A", "unit": "P07"})
    'ns=2;s=LineA.P07.Temp'
    >>> fill("P{n:02d}", {"n": 7}), fill("{n*10+40001}", {"n": 3}), fill("{{{n}}}", {"n": 1})
    ('P07', '40031', '{1}')
    """
    return "".join(part if isinstance(part, str) else _value(part, values) for part in parse(pattern))


def _placeholder(text: str) -> Placeholder:
    found = _PLACEHOLDER.fullmatch(text.strip())
    if found is None:
        raise PatternError("placeholder", f"{{{text}}}")
    steps = tuple((sign, int(number)) for sign, number in _STEP.findall(found["sums"]))
    return Placeholder(f"{{{text}}}", found["name"], steps, found["format"] or "")


def _value(part: Placeholder, values: Mapping[str, str | int]) -> str:
    if part.name not in values:
        raise PatternError("unknown", part.name)
    value = values[part.name]
    if not part.steps and not part.number_format:
        return str(value)
    if isinstance(value, str):
        if _NUMBER.fullmatch(value.strip()) is None:
            raise PatternError("number", part.text)
        value = int(value)
    return format(_computed(value, part.steps), part.number_format or "d")


def _computed(value: int, steps: tuple[tuple[str, int], ...]) -> int:
    """``n + 2 * 3`` is n + 6: products first, then sums from the left."""
    terms = [value]
    for sign, number in steps:
        if sign == "*":
            terms[-1] *= number
        else:
            terms.append(number if sign == "+" else -number)
    return sum(terms)
