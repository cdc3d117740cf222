"""Addresses: what is written is what is read, whatever is in it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yuheng.connectors.opcua.addresses import Address, AddressWrong, NodeName, index_of, parse_address

IDENTIFIERS = st.one_of(
    st.integers(0, 0xFFFFFFFF),
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=60),
    st.text("%#253", min_size=1),
    st.binary(min_size=1, max_size=20),
    st.uuids(),
)
URIS = st.text("abc:/;%#.23B", min_size=1)
FIELDS = st.text(st.characters(exclude_characters="[].#", exclude_categories=["Cs"]), min_size=1, max_size=20)


@given(IDENTIFIERS, URIS, st.lists(st.one_of(st.integers(0, 999), FIELDS), max_size=4))
def test_an_address_is_read_as_it_was_written(identifier, uri, steps):
    address = Address(NodeName(identifier, uri), tuple(steps))
    assert parse_address(str(address)) == address


@pytest.mark.parametrize(
    "text",
    ["", "s=", "i=x", "i=-1", "i=4294967296", "g=1", "b=!!", "ns=70000;i=1", "q=1", "nsu=a;s=b#[x]", "nsu=a;s=b#"],
)
def test_what_is_no_address_says_so(text):
    with pytest.raises(AddressWrong):
        parse_address(text)


def test_identifiers_of_controllers_need_no_escape():
    node = parse_address('ns=3;s="DB 1"."Axes"[3].Position').node
    assert node.identifier == '"DB 1"."Axes"[3].Position'


def test_a_namespace_is_found_by_its_uri():
    namespaces = ["http://opcfoundation.org/UA/", "urn:a", "urn:b"]
    assert index_of(NodeName("x", "urn:b"), namespaces) == 2
    assert index_of(NodeName("x", "urn:c"), namespaces) is None
    assert index_of(NodeName(85), namespaces) == 0
    assert index_of(NodeName("x", index=9), namespaces) is None
