"""Write documents. Order and names are the tables'; reading back what was written is part of every test."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from xml.sax.saxutils import escape, quoteattr

from yuheng.engines.b2mml.grammar import COMPLEX, NAMESPACE, RELEASE

# What XML 1.0 cannot say even escaped: control characters, halves of pairs, the two that are no characters.
_UNSAYABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


@dataclass(frozen=True, slots=True)
class E:
    """An element to be written: with ``text``, or with ``parts`` in it; None among them is left out.

    ``parts`` may be an iterator: what is large is made while it is written, once.
    """

    tag: str
    text: str | None = None
    parts: Iterable[E | None] = ()
    attributes: Mapping[str, str] = field(default_factory=dict)


def identifier(tag: str, value: str, scheme: str = "") -> E:
    """Return an identifier; ``scheme`` says whose numbers these are."""
    return E(tag, " ".join(value.split()), attributes={"schemeName": scheme} if scheme else {})


def text(tag: str, value: str, language: str = "") -> E:
    """Return a text, perhaps in a language."""
    return E(tag, value, attributes={"languageID": language} if language else {})


def texts(tag: str, zh: str, en: str) -> list[E]:
    """Return a Chinese and an English text; one when they are the same."""
    if zh == en:
        return [text(tag, zh)] if zh else []
    return [text(tag, value, language) for value, language in ((zh, "zh"), (en, "en")) if value]


def moment(tag: str, value: datetime | None) -> E | None:
    """Return a time in UTC, or nothing."""
    if value is None:
        return None
    return E(
        tag,
        value.astimezone(UTC)
        .isoformat(timespec="microseconds" if value.microsecond else "seconds")
        .replace("+00:00", "Z"),
    )


def plain(value: Decimal | float) -> str:
    """Write a number without exponent and trailing zeros.

    Examples
    --------
    >>> plain(Decimal("12.500")), plain(Decimal("1E+3")), plain(0.0)
    ('12.5', '1000', '0')
    """
    number = value if isinstance(value, Decimal) else Decimal(repr(value))
    written = f"{number:f}"
    return (written.rstrip("0").rstrip(".") or "0") if "." in written else written


def quantity(value: Decimal | float, unit: str, *, tag: str = "Quantity", key: str = "") -> E:
    """Return a quantity with its unit (UCUM)."""
    return E(tag, parts=[
        E("QuantityString", plain(value)), E("DataType", "decimal"), E("UnitOfMeasure", unit) if unit else None,
        identifier("Key", key) if key else None,
    ])  # fmt: skip


def value(said: str, data_type: str, unit: str = "", *, tag: str = "Value") -> E:
    """Return a value of a parameter or property."""
    return E(tag, parts=[
        E("ValueString", said), E("DataType", data_type), E("UnitOfMeasure", unit) if unit else None,
    ])  # fmt: skip


def named_value(tag: str, name: str, said: str, data_type: str = "string", unit: str = "") -> E:
    """Return a parameter, property or datum: ID and value, in the order that its type has."""
    return E(tag, parts=[identifier("ID", name), value(said, data_type, unit)])


def envelope(verb: str, noun: str, body: E, *, sender: str, document_id: str, at: datetime) -> E:
    """Return a transaction with one noun in it: ``Show`` answers and publishes, ``Process`` asks to carry out."""
    area = E("ApplicationArea", parts=[
        E("Sender", parts=[identifier("LogicalID", sender)]), moment("CreationDateTime", at),
        identifier("BODID", document_id),
    ])  # fmt: skip
    return E(f"{verb}{noun}", parts=[area, E("DataArea", parts=[E(verb), body])], attributes={"releaseID": RELEASE})


def write(root: E) -> Iterator[str]:
    """Yield a document, element by element."""
    yield '<?xml version="1.0" encoding="UTF-8"?>\n'
    yield from _element(root, "", f' xmlns="{NAMESPACE}"')


def _element(one: E, indent: str, head: str = "") -> Iterator[str]:
    attributes = "".join(f" {name}={quoteattr(sayable(value))}" for name, value in one.attributes.items())
    start = f"{indent}<{one.tag}{head}{attributes}"
    if one.text is not None:
        yield f"{start}>{escape(sayable(one.text))}</{one.tag}>\n" if one.text else f"{start}/>\n"
        return
    is_empty = True
    for part in one.parts:
        if part is not None:
            if is_empty:
                yield f"{start}>\n"
                is_empty = False
            yield from _element(part, indent + "  ")
    yield f"{start}/>\n" if is_empty else f"{indent}</{one.tag}>\n"


def sayable(said: str) -> str:
    """Return a text with what XML cannot say replaced; a carriage return becomes a line feed as in every XML file."""
    return _UNSAYABLE.sub("\ufffd", said).replace("\r\n", "\n").replace("\r", "\n")


def in_order(tag: str, parts: Iterable[E | None]) -> list[E]:
    """Return elements in the order of their parent's type."""
    rank = {name: place for place, one in enumerate(COMPLEX[tag].particles) for name in one.names}
    return sorted((part for part in parts if part is not None), key=lambda part: rank[part.tag])
