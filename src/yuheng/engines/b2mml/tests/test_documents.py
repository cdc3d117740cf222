"""Reading and writing documents: what the tables allow comes through, all else is refused where it stands."""

from __future__ import annotations

import os
import tracemalloc
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from yuheng.engines.b2mml import Document, E, Misread, envelope, read, schemas, write
from yuheng.engines.b2mml.grammar import COMPLEX, NAMESPACE, NOUNS, ROOTS, SIMPLE, Complex, Kind
from yuheng.engines.b2mml.nodes import Node
from yuheng.engines.b2mml.reading import MOST_BYTES
from yuheng.engines.b2mml.texts import is_moment
from yuheng.engines.b2mml.writing import sayable

SCHEMAS = os.environ.get("B2MML_SCHEMAS", "")
XMLNS = f'xmlns="{NAMESPACE}"'
STEP = (
    "<SegmentRequirement><ID>1</ID><ProcessSegmentID>p</ProcessSegmentID><OperationsDefinitionID>d"
    "</OperationsDefinitionID><OperationsSegmentID>s</OperationsSegmentID></SegmentRequirement>"
)


def a_document(inside: str = STEP, head: str = "") -> bytes:
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n{head}<OperationsSchedule {XMLNS}><ID>S</ID>\n'
        f"<OperationsRequest><ID>R</ID>{inside}</OperationsRequest></OperationsSchedule>"
    ).encode()


def items(content: bytes, pieces: int = 1_000_000) -> list[Node]:
    return list(read([content[at : at + pieces] for at in range(0, len(content), pieces)], Document()))


def refusal(content: bytes) -> Misread:
    with pytest.raises(Misread) as found:
        items(content)
    return found.value


def test_every_type_of_the_tables_is_known_and_no_name_stands_twice_in_one():
    for name, kind in COMPLEX.items():
        names = [one for particle in kind.particles for one in particle.names]
        assert len(set(names)) == len(names), name
        for particle in kind.particles:
            assert particle.type_name in COMPLEX or particle.type_name in SIMPLE, (name, particle)


@pytest.mark.parametrize("pieces", [1, 7, 1_000_000])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "gb18030", "iso-8859-1"])
def test_a_document_is_read_in_its_encoding_and_in_any_pieces(pieces, encoding):
    name = "齿轮" if encoding != "iso-8859-1" else "Zähne"
    text = a_document(f"<Description>{name}</Description>{STEP}").decode().replace("UTF-8", encoding.upper())
    (node,) = items(text.encode(encoding), pieces)
    assert node.said("Description") == name
    assert (node.path, node.line) == ("/OperationsSchedule/OperationsRequest[1]", 3)


@pytest.mark.parametrize(
    ("inside", "path"),
    [
        (f"<Nonsense/>{STEP}", "/Nonsense"),
        (f"{STEP}<Priority>1</Priority>", "/Priority"),
        (f"<Priority>1</Priority><Priority>1</Priority>{STEP}", "/Priority[2]"),
        ("", ""),
        (f"<Priority>1e3</Priority>{STEP}", "/Priority"),
        (f"<StartTime>2026-13-01T00:00:00Z</StartTime>{STEP}", "/StartTime"),
        (f"<OperationsType> Production</OperationsType>{STEP}", "/OperationsType"),
        (f"<Description languageID='?'>x</Description>{STEP}", "/Description[1]/@languageID"),
        (STEP.replace("<ID>1</ID>", "<ID>1<ID>2</ID></ID>"), "/SegmentRequirement[1]/ID/ID"),
        (STEP.replace("</SegmentRequirement>", "<Duration>1h</Duration></SegmentRequirement>"),
         "/SegmentRequirement[1]/Duration"),
        (f"<Priority xmlns=''>1</Priority>{STEP}", "/Priority"),
    ],
)  # fmt: skip
def test_what_the_tables_do_not_allow_is_refused_where_it_stands(inside, path):
    fault = refusal(a_document(inside))
    assert fault.path == f"/OperationsSchedule/OperationsRequest[1]{path}"
    assert fault.line == 3


def test_a_plants_own_extensions_are_passed_over_and_named():
    own = "<x:Weight xmlns:x='http://www.mesa.org/xml/B2MML-AllExtensions'><x:a/></x:Weight>"
    document = Document()
    (node,) = read([a_document(STEP + own)], document)
    assert node.said("ID") == "R"
    assert document.extensions == {"/OperationsSchedule/OperationsRequest/Weight": 1}
    assert refusal(a_document(own + STEP)).path == "/OperationsSchedule/OperationsRequest[1]"


INNER = "<SegmentRequirementChild><ID/><ProcessSegmentID/><OperationsDefinitionID/><OperationsSegmentID/>"
DEEP = STEP.replace("</SegmentRequirement>", INNER * 100)
LAUGHS = "<!DOCTYPE x [<!ENTITY a 'ha'><!ENTITY b '&a;&a;&a;&a;&a;&a;&a;&a;'><!ENTITY c '&b;&b;&b;&b;'>]>"


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (a_document("<Description>&c;</Description>" + STEP, LAUGHS), "DOCTYPE"),
        (a_document(STEP, "<!DOCTYPE x SYSTEM 'file:///etc/passwd'>"), "DOCTYPE"),
        (a_document(STEP, "<!DOCTYPE x SYSTEM 'http://127.0.0.1:9/x.dtd'>"), "DOCTYPE"),
        (a_document("<Description>&undefined;</Description>" + STEP), "well-formed"),
        (a_document("<a>" * 100_000), "There is no element"),
        (a_document(DEEP), "nested deeper"),
        (b"", "empty"),
        (b"\x00\x01\x02", "well-formed"),
        (b"<?xml version='1.0' encoding='klingon'?><a/>", "encoding"),
        ("<?xml version='1.0' encoding='UTF-8'?><a>é</a>".encode("latin-1"), "not text"),
        (b"<OperationsSchedule xmlns='http://www.mesa.org/xml/B2MML-V0600'/>", "older B2MML"),
        (b"<OperationsSchedule/>", "not B2MML version 7"),
        (f"<ProcessRecipe {XMLNS}/>".encode(), "not exchanged here"),
        (a_document()[:-5], "well-formed"),
        (a_document() + b"<more/>", "well-formed"),
    ],
)  # fmt: skip
def test_a_hostile_or_broken_document_is_a_sentence(content, says):
    assert says in str(refusal(content))


def test_a_huge_document_is_refused_before_it_fills_the_memory():
    def pieces():
        yield f"<OperationsSchedule {XMLNS}><ID>S</ID>".encode()
        for _number in range(200):
            yield b"<OperationsRequest><ID>" + b"x" * 900_000 + b"</ID>" + STEP.encode() + b"</OperationsRequest>"

    def length() -> int:
        return sum(len(node.said("ID")) for node in read(pieces(), Document()))

    tracemalloc.start()
    with pytest.raises(Misread, match="larger than 32 MB"):
        length()
    _now, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2 * MOST_BYTES  # of the 180 MB that were sent


@pytest.mark.parametrize(
    "said", ["2026-02-29T00:00:00Z", "2026-01-01", "2026-01-01T00:00:00+15:00", "2026-1-1T0:0:0Z", ""]
)
def test_a_time_that_is_none(said):
    assert not is_moment(said)


# ---- property: what the tables allow is read back as it was written ---------------------------------------------

TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=12)
SAID = {
    Kind.IDENTIFIER: TEXTS,
    Kind.TEXT: TEXTS,
    Kind.CODE: TEXTS,
    Kind.ANY: TEXTS,
    Kind.TOKEN: TEXTS,
    Kind.EXPRESSION: TEXTS,
    Kind.DATE_TIME: st.datetimes(timezones=st.just(UTC)).map(lambda at: at.isoformat()),
    Kind.DURATION: st.integers(0, 10**6).map(lambda s: f"PT{s}S"),
    Kind.NUMERIC: st.decimals(-1000, 1000, places=3).map(str),
}


@st.composite
def elements(draw, tag: str, type_name: str, depth: int = 0) -> E:
    content = COMPLEX.get(type_name) or SIMPLE[type_name]
    if not isinstance(content, Complex):
        if content.kind is Kind.OPAQUE:
            return E(tag)
        said = st.sampled_from(sorted(content.codes)) if content.kind is Kind.ENUM else SAID[content.kind]
        attributes = {"actionCode": "Add"} if content.kind is Kind.EXPRESSION else {}
        return E(tag, draw(said), attributes=attributes)
    parts = []
    for particle in content.particles:
        most = 0 if depth > 3 else min(particle.most, 2)
        for _number in range(draw(st.integers(particle.least, max(particle.least, most)))):
            name = draw(st.sampled_from(particle.names))
            parts.append(draw(elements(name, particle.type_name, depth + 1)))
    return E(
        tag,
        parts=parts,
        attributes={name: "Always" if name != "releaseID" else "0700" for name, _ in content.attributes},
    )


def told(node: Node) -> tuple:
    if node.children:
        return node.tag, tuple(told(child) for child in node.children)
    return node.tag, node.text, tuple(sorted(node.attributes.items()))


def asked(one: E) -> tuple:
    parts = [part for part in one.parts if part is not None]
    if parts:
        return one.tag, tuple(asked(part) for part in parts)
    return one.tag, sayable(one.text or ""), tuple(sorted(one.attributes.items()))


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data(), st.sampled_from(sorted({inner or (noun,) for noun, inner in NOUNS.items()})))
def test_any_item_that_the_tables_allow_is_read_back_as_it_was_written(data, names):
    tag = data.draw(st.sampled_from(names))
    noun = next(noun for noun, inner in NOUNS.items() if tag == noun or tag in inner)
    item = data.draw(elements(tag, tag))
    head = [] if noun == tag else [E("ID", "x")]
    body = item if noun == tag else E(noun, parts=[*head, item])
    at = datetime(2026, 11, 23, tzinfo=UTC)
    content = "".join(write(envelope("Show", noun, body, sender="a", document_id="b", at=at))).encode()
    document = Document()
    (node,) = read([content], document)
    assert told(node) == asked(item)
    assert (document.verb, document.noun) == ("Show", noun)
    if SCHEMAS:
        assert schemas.check(content, Path(SCHEMAS)) == []


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_a_damaged_document_is_read_or_refused_and_nothing_else(data):
    content = bytearray(a_document(f"<Priority>1</Priority><RequestState>Released</RequestState>{STEP}"))
    for _number in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(content) - 1))
        length = data.draw(st.integers(0, 20))
        content[at : at + length] = data.draw(st.binary(max_size=8))
    with suppress(Misread):
        items(bytes(content))


@pytest.mark.skipif(not SCHEMAS, reason="B2MML_SCHEMAS names no copy of MESA's schemas")
def test_the_public_schemas_know_every_root():
    for root in ROOTS:
        faults = schemas.check(f"<{root} {XMLNS} releaseID='1'/>".encode(), Path(SCHEMAS))
        assert not any("No matching global declaration" in sentence for _path, _line, sentence in faults), root
