"""Read a document a piece at a time, holding it against the tables as it comes; nothing outside it is ever opened.

Memory is bounded by `MOST_BYTES` and `MOST_ELEMENTS`, whatever is sent; what comes behind them is not read.
A document type declaration is refused outright: entities, external ones and their expansion cannot occur.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable, Iterable, Iterator
from difflib import get_close_matches
from typing import Any
from xml.parsers import expat

from yuheng.engines.b2mml.faults import Misread, _
from yuheng.engines.b2mml.grammar import (
    BARE,
    COMPLEX,
    EXTENSIONS,
    NAMESPACE,
    NOUNS,
    ROOTS,
    SIMPLE,
    VERBS,
    Complex,
    Kind,
    Particle,
    Simple,
)
from yuheng.engines.b2mml.nodes import Node
from yuheng.engines.b2mml.texts import check_attributes, check_text, short

MOST_BYTES = 32 * 1024 * 1024
MOST_DEEP = 64
MOST_ITEMS = 200_000
MOST_IN_ITEM = 20_000
MOST_ELEMENTS = 600_000
MOST_TEXT = 1_000_000
MOST_ATTRIBUTES = 64
PIECE = 65_536
_XSI = "http://www.w3.org/2001/XMLSchema-instance"
_HINTS = frozenset({f"{_XSI} schemaLocation", f"{_XSI} noNamespaceSchemaLocation"})
_OLD = re.compile(r"http://www\.(wbf|mesa)\.org/xml/(B2MML|b2mml)-?[vV]0[1-6].*")
_DECLARED = re.compile(rb"<\?xml[^>]{0,200}?encoding\s*=\s*[\"']([A-Za-z0-9._-]{1,40})[\"']")
_MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))


class Document:
    """What was found out about a document while its items were read: complete when they are all read.

    Attributes
    ----------
    root, verb, noun
        The root element, and what it is made of: ``ProcessOperationsSchedule``, ``Process``, ``OperationsSchedule``.
    nodes
        The elements around the items (head of the document), by name: ``ApplicationArea``, ``OperationsSchedule``.
    extensions
        How many elements of extensions (or opaque areas) were passed over, by path without numbers.
    """

    def __init__(self) -> None:
        self.root = ""
        self.verb = ""
        self.noun = ""
        self.nodes: dict[str, Node] = {}
        self.extensions: dict[str, int] = {}
        self.items = 0


class _Frame:
    """An open element and how far its content has come."""

    __slots__ = ("at", "content", "count", "counts", "is_item", "node")

    def __init__(self, node: Node, content: Complex | Simple, *, is_item: bool) -> None:
        self.node = node
        self.content = content
        self.at = 0  # the particle that may come next
        self.count = 0  # how often it has come
        self.counts: dict[str, int] = {}
        self.is_item = is_item


class _Reader:
    """Turns what the parser tells into checked nodes."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.frames: list[_Frame] = []
        self.done: list[Node] = []
        self.inside = 0  # so deep in something that is passed over
        self.in_item = 0
        self.elements = 0
        self.text_length = 0
        self.items: tuple[str, ...] = ()
        parser = expat.ParserCreate(encoding="utf-8", namespace_separator=" ")
        parser.buffer_text = True
        parser.SetParamEntityParsing(expat.XML_PARAM_ENTITY_PARSING_NEVER)
        parser.StartDoctypeDeclHandler = self.doctype
        parser.StartElementHandler = self.start
        parser.EndElementHandler = self.end
        parser.CharacterDataHandler = self.text
        self.parser = parser

    # ---- what the parser tells --------------------------------------------------------------------------------------

    def doctype(self, *_found: Any) -> None:
        raise Misread(
            _("A document type declaration (DOCTYPE) is not accepted. Send the document without it."),
            "",
            self.parser.CurrentLineNumber,
        )

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if self.inside:
            self.inside += 1
            if self.inside + len(self.frames) > MOST_DEEP:
                raise self.too_deep()
            return
        namespace, _space, tag = name.rpartition(" ")
        if not self.frames:
            self.root(namespace, tag, attributes)
            return
        if len(self.frames) >= MOST_DEEP:
            raise self.too_deep()
        frame = self.frames[-1]
        self.elements += 1
        if self.elements > MOST_ELEMENTS:
            raise self.child(frame, tag).wrong(_("The document has more than 600,000 elements. Split it."))
        if namespace != NAMESPACE:
            self.foreign(frame, namespace, tag)
            return
        if isinstance(frame.content, Simple):
            raise self.misplaced(frame, tag)
        particle = self.place(frame, frame.content, tag)
        node = self.node(tag, frame, many=particle.most > 1)
        is_item = self.begins_item(tag, frame)
        if is_item or self.in_item:
            self.count(node, is_item=is_item)
        self.open(node, particle.type_name, attributes, is_nillable=particle.is_nillable, is_item=is_item)

    def begins_item(self, tag: str, frame: _Frame) -> bool:
        """Return whether an element is an item: inside the noun, or the noun itself when it has none in it."""
        if self.in_item:
            return False
        return (tag in self.items and frame.node.tag == self.document.noun) or (
            not self.items and tag == self.document.noun
        )

    def count(self, node: Node, *, is_item: bool) -> None:
        """Count items and what is in one of them, up to their bounds."""
        if is_item:
            self.document.items += 1
            if self.document.items > MOST_ITEMS:
                raise node.wrong(_("The document has more than 200,000 items. Split it."))
        self.in_item += 1
        if self.in_item > MOST_IN_ITEM:
            raise node.wrong(_("One item of the document has more than 20,000 elements. Split it."))

    def text(self, text: str) -> None:
        if self.inside or not self.frames:
            return
        frame = self.frames[-1]
        if isinstance(frame.content, Complex):
            if text.strip():
                raise frame.node.wrong(_("There is text '%(text)s' where only elements may stand."), text=short(text))
            return
        self.text_length += len(text)
        if self.text_length > MOST_TEXT:
            raise frame.node.wrong(_("The text is longer than 1,000,000 characters."))
        frame.node.text += text

    def end(self, _name: str) -> None:
        if self.inside:
            self.inside -= 1
            return
        frame = self.frames.pop()
        node = frame.node
        if isinstance(frame.content, Complex):
            if not node.is_nil:
                self.complete(frame, frame.content)
        elif not node.is_nil:
            check_text(node, frame.content)
        if node.is_nil and (node.children or node.text.strip()):
            raise node.wrong(_("The element says that it is nil, and is not empty."))
        if frame.is_item:
            self.in_item = 0
            self.done.append(node)

    # ---- elements ---------------------------------------------------------------------------------------------------

    def root(self, namespace: str, tag: str, attributes: dict[str, str]) -> None:
        line = self.parser.CurrentLineNumber
        if namespace != NAMESPACE:
            if _OLD.fullmatch(namespace):
                raise Misread(
                    _("The document is of an older B2MML (%(namespace)s). Version 7 has the namespace %(ours)s."),
                    f"/{tag}", line, namespace=short(namespace), ours=NAMESPACE,
                )  # fmt: skip
            raise Misread(
                _("The document is not B2MML version 7: its namespace is '%(namespace)s' instead of %(ours)s."),
                f"/{tag}", line, namespace=short(namespace), ours=NAMESPACE,
            )  # fmt: skip
        if tag not in ROOTS:
            raise Misread(
                _("A document '%(tag)s' is not exchanged here. Known: %(known)s; also with a verb before, as Process…"),
                f"/{tag}", line, tag=short(tag), known=", ".join(BARE),
            )  # fmt: skip
        document = self.document
        document.root = tag
        document.verb, document.noun = ROOTS[tag]
        self.items = NOUNS.get(document.noun, ()) if document.noun in NOUNS else ()
        node = Node(tag, None, line, 1, many=False)
        is_item = not document.verb and not self.items
        if is_item:
            document.items = self.in_item = 1
        self.open(node, tag, attributes, is_nillable=False, is_item=is_item)

    def node(self, tag: str, frame: _Frame, *, many: bool) -> Node:
        number = frame.counts.get(tag, 0) + 1
        frame.counts[tag] = number
        node = Node(tag, frame.node, self.parser.CurrentLineNumber, number, many=many)
        if not self.begins_item(tag, frame):  # items are handed out, not kept
            children = frame.node.children
            if isinstance(children, tuple):
                frame.node.children = [node]
            else:
                children.append(node)
        if not self.in_item:
            self.document.nodes[tag] = node
        return node

    def open(self, node: Node, type_name: str, attributes: dict[str, str], *, is_nillable: bool, is_item: bool) -> None:
        if len(attributes) > MOST_ATTRIBUTES:
            raise node.wrong(_("The element has too many attributes."))
        own = {name: value for name, value in attributes.items() if name not in _HINTS}
        nil = own.pop(f"{_XSI} nil", None)
        if nil is not None:
            if not is_nillable or nil.strip() not in ("true", "false", "1", "0"):
                raise Misread(_("The element may not be nil."), f"{node.path}/@nil", node.line)
            node.is_nil = nil.strip() in ("true", "1")
        content: Complex | Simple = COMPLEX[type_name] if type_name in COMPLEX else SIMPLE[type_name]
        if isinstance(content, Simple) and content.kind is Kind.OPAQUE:
            self.pass_over(node.path)
            node.is_nil = True
            self.inside = 1
            return
        self.attributes(node, content, own)
        node.attributes = own
        self.text_length = 0
        self.frames.append(_Frame(node, content, is_item=is_item))

    def attributes(self, node: Node, content: Complex | Simple, own: dict[str, str]) -> None:
        if isinstance(content, Simple):
            check_attributes(node, content.attributes, own)
            if content.kind is Kind.EXPRESSION and "actionCode" not in own:
                raise node.wrong(_("The attribute '%(name)s' is missing."), name="actionCode")
            return
        check_attributes(node, frozenset(name for name, _needed in content.attributes), own)
        for name, is_needed in content.attributes:
            if is_needed and name not in own:
                raise node.wrong(_("The attribute '%(name)s' is missing."), name=name)
        for name in ("acknowledgeCode", "responseCode"):
            if own.get(name, "Always") not in ("Always", "OnError"):
                raise Misread(
                    _("'%(text)s' is not one of the words that may stand here: %(known)s."),
                    f"{node.path}/@{name}",
                    node.line,
                    text=short(own[name]),
                    known="Always, OnError",
                )

    def place(self, frame: _Frame, content: Complex, tag: str) -> Particle:
        """Return where an element stands in its parent, or say why it may not stand here."""
        at, count = frame.at, frame.count
        while at < len(content.particles):
            particle = content.particles[at]
            if tag in particle.names:
                if count >= particle.most:
                    raise self.child(frame, tag).wrong(_("'%(tag)s' may stand here only once."), tag=tag)
                frame.at, frame.count = at, count + 1
                return particle
            if count < particle.least:
                break
            at, count = at + 1, 0
        raise self.misplaced(frame, tag)

    def misplaced(self, frame: _Frame, tag: str) -> Misread:
        """Say what is wrong with an element that may not stand where it does."""
        here = self.child(frame, tag)
        if isinstance(frame.content, Simple):
            return here.wrong(
                _("No element may stand in '%(parent)s'; found '%(tag)s'."), parent=frame.node.tag, tag=short(tag)
            )
        names = [name for particle in frame.content.particles for name in particle.names]
        if tag in names:
            missing = self.missing(frame, frame.content)
            if missing:
                return here.wrong(_("Before '%(tag)s' the element '%(missing)s' is missing."), tag=tag, missing=missing)
            return here.wrong(_("'%(tag)s' stands too late; the order is: %(names)s."), tag=tag, names=", ".join(names))
        near = get_close_matches(tag, names, n=1, cutoff=0.6)
        if near:
            return here.wrong(
                _("There is no element '%(tag)s' here; did you mean '%(near)s'?"), tag=short(tag), near=near[0]
            )
        return here.wrong(_("There is no element '%(tag)s' in '%(parent)s'."), tag=short(tag), parent=frame.node.tag)

    def missing(self, frame: _Frame, content: Complex) -> str:
        """Return the name of the required element that has not come yet, or ""."""
        at, count = frame.at, frame.count
        if at < len(content.particles) and count < content.particles[at].least:
            return " | ".join(content.particles[at].names)
        for particle in content.particles[at + 1 :]:
            if particle.least:
                return " | ".join(particle.names)
        return ""

    def complete(self, frame: _Frame, content: Complex) -> None:
        if missing := self.missing(frame, content):
            raise frame.node.wrong(_("The element '%(missing)s' is missing."), missing=missing)

    def foreign(self, frame: _Frame, namespace: str, tag: str) -> None:
        """Pass over a plant's own extension; refuse everything else that is not B2MML."""
        if namespace != EXTENSIONS or isinstance(frame.content, Simple):
            node = self.child(frame, tag)
            raise node.wrong(
                _("'%(tag)s' is not of B2MML version 7: its namespace is '%(namespace)s'."), tag=short(tag),
                namespace=short(namespace),
            )  # fmt: skip
        self.complete(frame, frame.content)  # extensions stand behind everything else
        frame.at = len(frame.content.particles)
        frame.count = 0
        self.pass_over(f"{frame.node.path}/{tag}")
        self.inside = 1

    def child(self, frame: _Frame, tag: str) -> Node:
        """Return an element that is not taken, to say where it stands."""
        number = frame.counts.get(tag, 0) + 1
        content = frame.content
        many = number > 1 or (
            isinstance(content, Complex) and any(tag in one.names and one.most > 1 for one in content.particles)
        )
        return Node(short(tag), frame.node, self.parser.CurrentLineNumber, number, many=many)

    def pass_over(self, path: str) -> None:
        plain = re.sub(r"\[[0-9]+\]", "", path)
        if plain in self.document.extensions or len(self.document.extensions) < 100:
            self.document.extensions[plain] = self.document.extensions.get(plain, 0) + 1

    def too_deep(self) -> Misread:
        return Misread(
            _("The document is nested deeper than 64 elements."),
            self.frames[-1].node.path,
            self.parser.CurrentLineNumber,
        )


def read(pieces: Iterable[bytes], document: Document, *, most_bytes: int = MOST_BYTES) -> Iterator[Node]:
    """Yield the items of a document, each checked whole: requests, responses, materials, lots, classes, equipment.

    Parameters
    ----------
    pieces
        The document in pieces of any size, from its beginning.
    document
        Filled with what is known of the document; its head is there before the first item.

    Raises
    ------
    Misread
        It is not well-formed, has a DOCTYPE, is too large or too deep, or holds something that B2MML version 7 does
        not have there. Items before that place were yielded: a caller that must not act on half a document collects
        them first.
    """
    reader = _Reader(document)
    for text, is_last in _decoded(pieces, most_bytes):
        try:
            reader.parser.Parse(text.encode("utf-8", "surrogatepass"), is_last)
        except expat.ExpatError as error:
            where = reader.frames[-1].node.path if reader.frames else ""
            raise Misread(
                _("The document is not well-formed XML: %(why)s."), where, error.lineno,
                why=expat.errors.messages.get(error.code, "?") if hasattr(expat.errors, "messages") else str(error),
            ) from error  # fmt: skip
        ready, reader.done = reader.done, []
        yield from ready


def _decoded(pieces: Iterable[bytes], most_bytes: int) -> Iterator[tuple[str, bool]]:
    """Yield the document as text, in the encoding that it names; Chinese ones, too."""
    decoder: Callable[..., str] | None = None
    head, size = b"", 0
    for piece in pieces:
        for begin in range(0, len(piece), PIECE):
            part = piece[begin : begin + PIECE]
            size += len(part)
            if size > most_bytes:
                raise Misread(_("The document is larger than %(most)s MB. Split it."), most=most_bytes // (1024 * 1024))
            if decoder is None:
                head += part
                if len(head) < 1024:
                    continue
                decoder, part = _decoder_of(head), head
            yield _decode(decoder, part, is_last=False), False
    if decoder is None:
        if not head.strip():
            raise Misread(_("The document is empty."))
        decoder = _decoder_of(head)
        yield _decode(decoder, head, is_last=False), False
    yield _decode(decoder, b"", is_last=True), True


def _decoder_of(head: bytes) -> Callable[..., str]:
    name = next((name for mark, name in _MARKS if head.startswith(mark)), "")
    if not name:
        if head[:4] in (b"<\x00?\x00", b"\x00<\x00?"):
            name = "utf-16-le" if head[0:1] == b"<" else "utf-16-be"
        else:
            declared = _DECLARED.match(head.lstrip())
            name = declared.group(1).decode() if declared else "utf-8"
            name = {"gbk": "gb18030", "gb2312": "gb18030"}.get(name.lower(), name)
    try:
        made = codecs.getincrementaldecoder(name)()
        if not isinstance(made.decode(b""), str):
            raise LookupError
    except (LookupError, TypeError) as error:
        raise Misread(_("The encoding '%(name)s' is not known. Send UTF-8."), "", 1, name=short(name)) from error
    return made.decode


def _decode(decoder: Callable[..., str], part: bytes, *, is_last: bool) -> str:
    try:
        return decoder(part, is_last)
    except UnicodeError as error:
        raise Misread(
            _("The document is not text in the encoding that it names (%(why)s)."), why=str(error)[:80]
        ) from error


def verbs_that_enter() -> tuple[str, ...]:
    """Return the verbs of documents from which something is taken: the others ask or answer."""
    return ("", *(verb for verb in VERBS if verb in ("Process", "Change", "Sync", "Show", "Cancel")))
