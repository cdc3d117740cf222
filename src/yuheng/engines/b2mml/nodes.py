"""An element that was read, with what stands in it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from decimal import Decimal

from yuheng.engines.b2mml.faults import Misread, _


class Node:
    """One element. ``text`` is what it says when it has no elements; ``number`` its place among those of its name."""

    __slots__ = ("attributes", "children", "is_nil", "line", "many", "number", "parent", "tag", "text")

    def __init__(self, tag: str, parent: Node | None, line: int, number: int, *, many: bool) -> None:
        self.tag = tag
        self.parent = parent
        self.line = line
        self.number = number
        self.many = many
        self.text = ""
        self.is_nil = False
        self.attributes: Mapping[str, str] = {}
        self.children: list[Node] | tuple[Node, ...] = ()

    @property
    def path(self) -> str:
        """Return where it stands: ``/OperationsSchedule/OperationsRequest[3]/Priority``."""
        parts: list[str] = []
        node: Node | None = self
        while node is not None:
            parts.append(f"{node.tag}[{node.number}]" if node.many else node.tag)
            node = node.parent
        return "/" + "/".join(reversed(parts))

    def all(self, tag: str) -> list[Node]:
        """Return its elements of a name that say something."""
        return [one for one in self.children if one.tag == tag and not one.is_nil]

    def first(self, tag: str) -> Node | None:
        """Return its first element of a name that says something."""
        return next(iter(self.all(tag)), None)

    def said(self, tag: str) -> str:
        """Return what its first element of a name says, without spaces around; "" for none."""
        found = self.first(tag)
        return "" if found is None else found.text.strip()

    def walk(self) -> Iterator[Node]:
        """Yield the element and everything in it."""
        yield self
        for one in self.children:
            yield from one.walk()

    def moment(self, tag: str) -> datetime | None:
        """Return a time; without an offset when the document gives none."""
        found = self.first(tag)
        return None if found is None else moment_of(found.text)

    def wrong(self, sentence: str, /, **values: object) -> Misread:
        """Return what is wrong with it."""
        return Misread(sentence, self.path, self.line, **values)

    def identified(self) -> str:
        """Return its ID. Raises `Misread` when that is empty."""
        found = self.said("ID")
        if not found:
            raise (self.first("ID") or self).wrong(_("The identifier is empty."))
        return found


def moment_of(text: str) -> datetime:
    """Read an ``xsd:dateTime`` that was checked. Fractions beyond microseconds are cut off."""
    whole, dot, rest = text.strip().partition(".")
    if dot:
        digits = len(rest) - len(rest.lstrip("0123456789"))
        whole = f"{whole}.{rest[:digits][:6]:0<6}{rest[digits:]}"
    return datetime.fromisoformat(whole)


def decimal_of(text: str) -> Decimal | None:
    """Read a decimal number in plain writing; None when it is none.

    Examples
    --------
    >>> decimal_of(" 12.50 "), decimal_of("1e3"), decimal_of("+.5")
    (Decimal('12.50'), None, Decimal('0.5'))
    """
    plain = text.strip()
    digits = plain.removeprefix("-") if plain.startswith("-") else plain.removeprefix("+")
    left, _dot, right = digits.partition(".")
    if not (left + right) or not (left + right).isascii() or not (left + right).isdigit() or len(digits) > 60:
        return None
    return Decimal(plain)
