"""Pictures of machines, cleaned before they are kept: SVG by a list of what is allowed, PNG by its own chunks.

A cleaned SVG has no script, no style that could load anything, no reference out of itself and no text the parser did
not understand; a cleaned PNG has only the chunks that make the picture.

References
----------
SVG 2 (W3C Candidate Recommendation 2018), PNG (Third Edition, W3C 2025), section 11.
"""

from __future__ import annotations

import hashlib
import re
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from xml.etree import ElementTree as etree

from django.utils.translation import gettext as _

from yuheng.kernel.errors import InvalidInput

LARGEST_BYTES = 512 * 1024
LARGEST_SIDE = 4096
MOST_ELEMENTS = 5000
DEEPEST = 40

_SVG = "http://www.w3.org/2000/svg"
_XLINK = "http://www.w3.org/1999/xlink"
_ELEMENTS = frozenset(
    """
    svg g defs symbol use title desc path rect circle ellipse line polyline polygon text tspan
    linearGradient radialGradient stop clipPath mask pattern marker
    """.split()  # noqa: SIM905 - forty words are read as words
)
_ATTRIBUTES = frozenset(
    """
    id x y x1 y1 x2 y2 cx cy r rx ry fx fy d dx dy width height points viewBox preserveAspectRatio
    transform fill fill-opacity fill-rule stroke stroke-width stroke-opacity stroke-linecap stroke-
    linejoin stroke-miterlimit stroke-dasharray stroke-dashoffset opacity clip-path clip-rule mask
    marker-start marker-mid marker-end offset stop-color stop-opacity gradientUnits gradientTransform
    spreadMethod patternUnits patternTransform patternContentUnits clipPathUnits maskUnits
    maskContentUnits markerWidth markerHeight markerUnits orient refX refY font-family font-size font-
    weight font-style text-anchor dominant-baseline letter-spacing textLength display visibility color
    vector-effect role href
    """.split()  # noqa: SIM905 - forty words are read as words
)
_INNER_URL = re.compile(r"""\s*url\(\s*(['"]?)#[A-Za-z_][\w.-]*\1\s*\)\s*(?:none|#[0-9a-fA-F]{3,8}|[a-zA-Z]+)?\s*""")
_LENGTH = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(?:px)?\s*")
_PNG = b"\x89PNG\r\n\x1a\n"
_PNG_CHUNKS = frozenset({b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"gAMA", b"cHRM", b"sRGB"})
_PNG_DEPTHS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}


@dataclass(frozen=True, slots=True)
class Picture:
    """A cleaned picture; its size in pixels."""

    media_type: str
    content: bytes
    width: int
    height: int

    @property
    def sha256(self) -> str:
        """What tells it from others."""
        return hashlib.sha256(self.content).hexdigest()


def clean(content: bytes) -> Picture:
    """Return the picture without anything that is not picture.

    Raises
    ------
    InvalidInput
        It is too large, neither SVG nor PNG, or broken.
    """
    if len(content) > LARGEST_BYTES:
        raise InvalidInput(_("A picture has at most 512 KB."))
    return _clean_png(content) if content.startswith(_PNG) else _clean_svg(content)


# ---- SVG ----------------------------------------------------------------------------------------------------------


def _clean_svg(content: bytes) -> Picture:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InvalidInput(_("The picture is neither SVG (in UTF-8) nor PNG.")) from None
    if "<!DOCTYPE" in text.upper() or "<!ENTITY" in text.upper():
        # exports of drawing programs have a harmless one; entities behind it can be anything
        text = re.sub(r"<!DOCTYPE\s+svg\s+PUBLIC\s+\"[^\"\[<>]*\"\s*\"[^\"\[<>]*\"\s*>", "", text, count=1)
    if "<!DOCTYPE" in text.upper() or "<!ENTITY" in text.upper():
        raise InvalidInput(_("An SVG with a document type of its own is not taken; export it as plain SVG."))
    try:
        root = etree.fromstring(text)
    except (etree.ParseError, ValueError, RecursionError):
        raise InvalidInput(_("The picture is neither SVG (in UTF-8) nor PNG.")) from None
    if root.tag != f"{{{_SVG}}}svg":
        raise InvalidInput(_("The picture is neither SVG (in UTF-8) nor PNG."))
    if sum(1 for _one in root.iter()) > MOST_ELEMENTS:
        raise InvalidInput(_("An SVG has at most %(count)d elements.") % {"count": MOST_ELEMENTS})
    cleaned = _element(root, 0)
    width, height = _size(cleaned)
    cleaned.set("viewBox", cleaned.get("viewBox") or f"0 0 {width:g} {height:g}")
    cleaned.set("xmlns", _SVG)
    return Picture("image/svg+xml", etree.tostring(cleaned, encoding="utf-8"), round(width), round(height))


def _element(source: etree.Element, depth: int) -> etree.Element:
    """Copy an element with what is allowed of it; the copy's names have no namespace."""
    if depth > DEEPEST:
        raise InvalidInput(_("The SVG is nested too deeply."))
    made = etree.Element(str(source.tag).removeprefix(f"{{{_SVG}}}"))
    for name, value in source.attrib.items():
        plain = name.removeprefix(f"{{{_XLINK}}}")
        if plain in _ATTRIBUTES and _is_harmless(plain, value):
            made.set(plain, value)
    for name, value in _declarations(source.get("style", "")):
        if name in _ATTRIBUTES and name != "href" and _is_harmless(name, value):
            made.set(name, value)
    if made.tag in {"text", "tspan", "title", "desc"}:
        made.text = source.text
    for child in source:
        if isinstance(child.tag, str) and child.tag.removeprefix(f"{{{_SVG}}}") in _ELEMENTS:
            copy = _element(child, depth + 1)
            if made.tag in {"text", "tspan"}:
                copy.tail = child.tail
            made.append(copy)
    return made


def _declarations(style: str) -> Iterator[tuple[str, str]]:
    """Read a style attribute into presentation attributes: the policy of our pages allows no inline style."""
    for part in style.split(";"):
        name, colon, value = part.partition(":")
        if colon:
            yield name.strip(), value.strip()


def _is_harmless(name: str, value: str) -> bool:
    if name == "href":
        return re.fullmatch(r"\s*#[A-Za-z_][\w.-]*\s*", value) is not None
    folded = value.lower()
    if "url(" in folded:
        return _INNER_URL.fullmatch(value) is not None
    return not any(word in folded for word in ("javascript:", "data:", "expression(", "import", "\\", "<"))


def _size(root: etree.Element) -> tuple[float, float]:
    sides = [_LENGTH.fullmatch(root.get(name, "")) for name in ("width", "height")]
    if sides[0] is not None and sides[1] is not None:
        width, height = float(sides[0][1]), float(sides[1][1])
    else:
        try:
            box = [float(part) for part in re.split(r"[\s,]+", root.get("viewBox", "").strip())]
        except ValueError:
            box = []
        width, height = (box[2], box[3]) if len(box) == 4 else (300.0, 150.0)
    if not (0 < width <= 1e6 and 0 < height <= 1e6):
        raise InvalidInput(_("The picture has no size."))
    scale = min(1.0, LARGEST_SIDE / max(width, height))
    return max(width * scale, 1.0), max(height * scale, 1.0)


# ---- PNG ----------------------------------------------------------------------------------------------------------


def _clean_png(content: bytes) -> Picture:
    kept = [_PNG]
    width = height = 0
    has_data = False
    for kind, data in _chunks(content):
        if kind == b"IHDR":
            width, height, depth, colour, *rest = struct.unpack(">IIBBBBB", data)
            if depth not in _PNG_DEPTHS.get(colour, ()) or rest[0] or rest[1] or rest[2] > 1:
                raise InvalidInput(_("The PNG is broken."))
            if not (0 < width <= LARGEST_SIDE and 0 < height <= LARGEST_SIDE):
                raise InvalidInput(_("A picture is at most %(side)d pixels wide and high.") % {"side": LARGEST_SIDE})
        has_data = has_data or kind == b"IDAT"
        if kind in _PNG_CHUNKS:
            kept.append(struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)))
    if not has_data:
        raise InvalidInput(_("The PNG is broken."))
    return Picture("image/png", b"".join(kept), width, height)


def _chunks(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield (kind, data) up to the end of the picture; what follows is left out.

    Raises
    ------
    InvalidInput
        A chunk is cut off, its sum is wrong, the head is not first, or the end is missing.
    """
    at, is_first = len(_PNG), True
    while at + 12 <= len(content):
        (length,) = struct.unpack_from(">I", content, at)
        kind = content[at + 4 : at + 8]
        data = content[at + 8 : at + 8 + length]
        sums = content[at + 8 + length : at + 12 + length]
        is_head = kind == b"IHDR" and length == 13
        if len(sums) != 4 or struct.unpack(">I", sums)[0] != zlib.crc32(kind + data) or is_first != is_head:
            break
        yield kind, data
        if kind == b"IEND":
            return
        at, is_first = at + 12 + length, False
    raise InvalidInput(_("The PNG is broken."))
