"""Pictures of machines: what is kept of them, and what never is."""

import base64
import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yuheng.equipment import pictures
from yuheng.kernel.errors import InvalidInput

HEAD = '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" viewBox="0 0 40 20">'


def svg(inner: str) -> str:
    return pictures.clean(f"{HEAD}{inner}</svg>".encode()).content.decode()


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width=2, height=1, *more: bytes) -> bytes:
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + b"".join(more) + chunk(b"IDAT", zlib.compress(b"\0" * 7)) + chunk(b"IEND", b"")


def test_a_plain_drawing_stays_as_it_is():
    drawing = '<g fill="#333"><rect width="10" height="5"/><text x="1">P 01</text></g>'
    found = pictures.clean(f"{HEAD}{drawing}</svg>".encode())
    assert (found.media_type, found.width, found.height) == ("image/svg+xml", 40, 20)
    assert b'<rect width="10" height="5"' in found.content
    assert b"P 01" in found.content


@pytest.mark.parametrize(
    "inner",
    [
        "<script>alert(1)</script>",
        '<rect onclick="alert(1)" width="1"/>',
        '<a href="javascript:alert(1)"><rect width="1"/></a>',
        '<use xlink:href="http://evil/x.svg#a"/>',
        '<image href="http://evil/x.png"/>',
        '<image href="data:image/svg+xml;base64,AAAA"/>',
        "<style>@import url(http://evil)</style>",
        '<rect style="fill:url(http://evil)"/>',
        '<rect fill="url(//evil)"/>',
        "<foreignObject><iframe src='http://evil'/></foreignObject>",
        '<animate attributeName="href" to="javascript:alert(1)"/>',
        '<set attributeName="onload" to="alert(1)"/>',
        '<h:script xmlns:h="http://www.w3.org/1999/xhtml">alert(1)</h:script>',
        "<?xml-stylesheet href='http://evil'?>",
    ],
)
def test_nothing_that_runs_or_loads_survives(inner):
    found = svg(inner)
    for word in ("script", "alert", "evil", "javascript", "iframe", "image", "onload", "import"):
        assert word not in found


def test_a_style_becomes_attributes_and_inner_references_stay():
    found = svg('<linearGradient id="g"/><rect style="fill:url(#g);stroke: red;foo:bar"/><use href="#g"/>')
    assert 'fill="url(#g)"' in found
    assert 'stroke="red"' in found
    assert "foo" not in found
    assert 'href="#g"' in found


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<html><body/></html>",
        b"\xff\xfe",
        b"GIF89a",
        b'<!DOCTYPE svg [<!ENTITY a "b">]><svg xmlns="http://www.w3.org/2000/svg">&a;</svg>',
        b'<svg xmlns="http://www.w3.org/2000/svg">',
        b"x" * (pictures.LARGEST_BYTES + 1),
        HEAD.encode() + b"<g>" * 60 + b"</g>" * 60 + b"</svg>",
        HEAD.encode() + b"<g/>" * 6000 + b"</svg>",
        b"\x89PNG\r\n\x1a\n",
        png()[:-5],
        png().replace(b"IDAT", b"IDAX"),
        png(5000, 1),
    ],
)
def test_what_is_no_picture_is_refused(content):
    with pytest.raises(InvalidInput):
        pictures.clean(content)


def test_an_export_with_the_public_document_type_is_taken():
    doctype = '<!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "http://www.w3.org/Graphics/SVG/1.1/DTD/svg11.dtd">'
    assert pictures.clean(f'<?xml version="1.0"?>{doctype}{HEAD}<path d="M0 0"/></svg>'.encode()).width == 40


def test_of_a_png_only_the_picture_is_kept():
    found = pictures.clean(png(2, 1, chunk(b"tEXt", b"Comment\0secret")) + b"<script>")
    assert (found.media_type, found.width, found.height) == ("image/png", 2, 1)
    assert found.content == png()


@given(st.binary(max_size=200))
def test_any_bytes_are_a_picture_or_refused(content):
    for given_ in (content, b"\x89PNG\r\n\x1a\n" + content, HEAD.encode() + content + b"</svg>"):
        try:
            found = pictures.clean(given_)
        except InvalidInput:
            continue
        assert pictures.clean(found.content) == found


def test_a_cleaned_picture_is_clean():
    for text in (
        "<text>a<tspan>b</tspan>c</text>",
        '<path d="M0 0L1 1" fill="url(#x) none"/>',
        "<title>a &lt; b</title>",
    ):
        first = pictures.clean(f"{HEAD}{text}</svg>".encode())
        assert pictures.clean(first.content) == first
    assert base64.b64encode(pictures.clean(png()).content) == base64.b64encode(png())
