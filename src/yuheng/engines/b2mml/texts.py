"""Check the text and attributes of an element against what its type allows."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime

from yuheng.engines.b2mml.faults import Misread, _
from yuheng.engines.b2mml.grammar import Kind, Simple
from yuheng.engines.b2mml.nodes import Node, decimal_of, moment_of

_MOMENT = re.compile(
    r"\s*[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?(Z|[+-][0-9]{2}:[0-9]{2})?\s*", re.ASCII
)
_DURATION = re.compile(
    r"\s*-?P(?=[0-9T])([0-9]+Y)?([0-9]+M)?([0-9]+D)?(T(?=[0-9])([0-9]+H)?([0-9]+M)?([0-9]+(\.[0-9]+)?S)?)?\s*",
    re.ASCII,
)
_LANGUAGE = re.compile(r"\s*[A-Za-z]{1,8}(-[A-Za-z0-9]{1,8})*\s*", re.ASCII)
_PART = re.compile(r"([0-9]+(?:\.[0-9]+)?)([YMDHS])", re.ASCII)
_SECONDS = {"Y": 365 * 86400.0, "D": 86400.0, "H": 3600.0, "S": 1.0}


def check_text(node: Node, simple: Simple) -> None:
    """Raise `Misread` when an element does not say what its type allows."""
    kind, text = simple.kind, node.text
    if kind is Kind.ENUM:
        # The schemas compare after spaces of any kind became plain ones, and take none away.
        if re.sub(r"[\t\n\r]", " ", text) not in simple.codes:
            known = ", ".join(sorted(simple.codes)) if len(simple.codes) < 20 else "…"
            raise node.wrong(
                _("'%(text)s' is not one of the words that may stand here: %(known)s."), text=short(text), known=known
            )
    elif kind is Kind.DATE_TIME:
        if not is_moment(text):
            raise node.wrong(_("'%(text)s' is no time such as 2026-12-20T08:00:00+08:00."), text=short(text))
    elif kind is Kind.DURATION:
        if _DURATION.fullmatch(text) is None:
            raise node.wrong(_("'%(text)s' is no duration such as PT1H30M."), text=short(text))
    elif kind is Kind.NUMERIC and decimal_of(text) is None:
        raise node.wrong(_("'%(text)s' is no number."), text=short(text))


def check_attributes(node: Node, allowed: frozenset[str], attributes: Mapping[str, str]) -> None:
    """Raise `Misread` for an attribute that the type does not have, or one that says what it may not."""
    for name, value in attributes.items():
        if name not in allowed:
            raise Misread(
                _("There is no attribute '%(name)s' here."), f"{node.path}/@{name}", node.line, name=short(name)
            )
        if name == "languageID" and _LANGUAGE.fullmatch(value) is None:
            raise Misread(
                _("'%(text)s' is no language such as zh or en-US."), f"{node.path}/@{name}", node.line,
                text=short(value),
            )  # fmt: skip


def is_moment(text: str) -> bool:
    """Return whether a text is an ``xsd:dateTime`` of our era."""
    if _MOMENT.fullmatch(text) is None:
        return False
    try:
        found: datetime = moment_of(text)
    except ValueError:
        return False
    offset = found.utcoffset()
    return offset is None or abs(offset.total_seconds()) <= 14 * 3600


def seconds_of(text: str) -> float | None:
    """Return a duration in seconds; None for months, of which nobody knows how long they are.

    Examples
    --------
    >>> seconds_of("PT1H30M"), seconds_of("-P1DT0.5S"), seconds_of("P1M")
    (5400.0, -86400.5, None)
    """
    days, _t, clock = text.strip().lstrip("-").removeprefix("P").partition("T")
    if "M" in days:
        return None
    total = sum(float(amount) * _SECONDS[unit] for amount, unit in _PART.findall(days))
    total += sum(float(amount) * (60.0 if unit == "M" else _SECONDS[unit]) for amount, unit in _PART.findall(clock))
    return -total if text.strip().startswith("-") else total


def short(text: str) -> str:
    """Return the beginning of a text, on one line."""
    plain = " ".join(text.split())
    return plain if len(plain) <= 60 else f"{plain[:59]}…"
