"""What a tag's address says: which node, by the URI of its namespace, and which part of its value.

::

    nsu=urn:factory:press;s=Press.Temperature          a node, as OPC UA Part 6, 5.3.1.11 writes it
    nsu=urn:factory:press;s=Recipe#Speed.Actual        a field of a structure
    nsu=urn:factory:press;i=1042#[3]                   an element of an array, from 0; [1][2] of a matrix
    i=2256                                             a node of the standard itself
    ns=2;s=Press.Temperature                           by index: works, but servers renumber namespaces

The URI is what is stable: an index is the server's own business, and may be another after its next start. Only the
text behind the last ``#`` is a part; a ``#`` of the node's own identifier is written ``%23``.
"""

from __future__ import annotations

import base64
import re
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

Step = int | str
Identifier = int | str | bytes | uuid.UUID

_PART = re.compile(r"(?:\[\d{1,9}\]|\.?[^\[\].#]+)+\Z")
_STEP = re.compile(r"\[(\d+)\]|\.?([^\[\].#]+)")
_NODE = re.compile(r"(?:nsu=(?P<uri>[^;]+);|ns=(?P<index>\d{1,5});)?(?P<kind>[isgb])=(?P<identifier>.+)\Z", re.DOTALL)
_HASH = re.compile(r"%((?:25)*23)")


class AddressWrong(ValueError):
    """The text is no address; the message is a sentence for the person who wrote it."""


@dataclass(frozen=True, slots=True)
class NodeName:
    """A node, by namespace URI (or index, when that is all that was given) and identifier."""

    identifier: Identifier
    uri: str = ""
    index: int = 0  # only when ``uri`` is empty

    def __str__(self) -> str:
        where = f"nsu={_escaped_uri(self.uri)};" if self.uri else (f"ns={self.index};" if self.index else "")
        if isinstance(self.identifier, bytes):
            return f"{where}b={base64.b64encode(self.identifier).decode()}"
        if isinstance(self.identifier, uuid.UUID):
            return f"{where}g={self.identifier}"
        if isinstance(self.identifier, int):
            return f"{where}i={self.identifier}"
        return f"{where}s={_escaped_hash(self.identifier)}"


@dataclass(frozen=True, slots=True)
class Address:
    """A node and the way to a part of its value; no steps: the value itself."""

    node: NodeName
    steps: tuple[Step, ...] = ()

    def __str__(self) -> str:
        return str(self.node) + (f"#{part_of(self.steps)}" if self.steps else "")


def part_of(steps: Sequence[Step]) -> str:
    """Write the way to a part of a value.

    Examples
    --------
    >>> part_of(("Axes", 2, "Position"))
    'Axes[2].Position'
    """
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps)
    return text.removeprefix(".")


def parse_address(text: str) -> Address:
    """Read an address.

    Raises
    ------
    AddressWrong

    Examples
    --------
    >>> parse_address("nsu=urn:a;s=Recipe#Axes[2].Position").steps
    ('Axes', 2, 'Position')
    >>> str(parse_address("ns=2;i=7").node)
    'ns=2;i=7'
    """
    node_text, hash_, part = text.rpartition("#")
    if not hash_:
        return Address(parse_node(text))
    if not _PART.match(part):
        raise AddressWrong(f"In {text!r}, what follows the '#' is neither a field nor an element such as [3].")
    steps: list[Step] = []
    for element, field in _STEP.findall(part):
        steps.append(int(element) if element else field)
    return Address(parse_node(node_text), tuple(steps))


def parse_node(text: str) -> NodeName:
    """Read the node of an address. Raises `AddressWrong`."""
    found = _NODE.match(text)
    if found is None:
        raise AddressWrong(f"{text!r} is no address of a node: write nsu=<namespace>;s=<identifier>.")
    uri = _plain_uri(found["uri"]) if found["uri"] else ""
    index = int(found["index"] or 0)
    if index > 0xFFFF:
        raise AddressWrong(f"{text!r}: a namespace index is at most 65535.")
    return NodeName(_identifier(text, found["kind"], found["identifier"]), uri, index)


def _identifier(text: str, kind: str, written: str) -> Identifier:
    try:
        if kind == "i":
            number = int(written) if written.isascii() and written.isdigit() else -1
            if not 0 <= number <= 0xFFFFFFFF:
                raise ValueError("not a number from 0 to 4294967295")
            return number
        if kind == "g":
            return uuid.UUID(written)
        if kind == "b":
            return base64.b64decode(written, validate=True)
    except ValueError as error:
        raise AddressWrong(f"{text!r} has an identifier that cannot be read: {error}.") from None
    return _plain_hash(written)


def index_of(node: NodeName, namespaces: Sequence[str]) -> int | None:
    """Return the index of the node's namespace at a server that has these; None when it has not."""
    if not node.uri:
        return node.index if node.index < len(namespaces) else None
    try:
        return namespaces.index(node.uri)
    except ValueError:
        return None


def by_node(addresses: Mapping[str, Address]) -> dict[str, list[str]]:
    """Group addresses by the text of their node: several may want parts of one value."""
    found: dict[str, list[str]] = {}
    for text, address in addresses.items():
        found.setdefault(str(address.node), []).append(text)
    return found


def _escaped_uri(uri: str) -> str:
    """As Part 6, 5.3.1.11: in a namespace URI, ';' and '%' are written as %3B and %25; and our '#'."""
    return uri.replace("%", "%25").replace(";", "%3B").replace("#", "%23")


def _plain_uri(text: str) -> str:
    return text.replace("%23", "#").replace("%3B", ";").replace("%3b", ";").replace("%25", "%")


def _escaped_hash(identifier: str) -> str:
    return _HASH.sub(r"%25\1", identifier).replace("#", "%23")


def _plain_hash(text: str) -> str:
    return _HASH.sub(lambda found: "#" if found[1] == "23" else f"%{found[1][2:]}", text)
