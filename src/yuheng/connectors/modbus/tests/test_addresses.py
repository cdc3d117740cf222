"""Addresses: both notations, and sentences for what is none."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yuheng.connectors.modbus.addresses import AddressRefused, Table, parse


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("1:holding:100:float32:cdab", "1:holding:100:float32:cdab"),
        (" 1 : Holding : 100 : FLOAT32 : CDAB ", "1:holding:100:float32:cdab"),
        ("1:holding:100", "1:holding:100:uint16"),
        ("1:40101:float32", "1:holding:100:float32"),
        ("1:400101:float32", "1:holding:100:float32"),
        ("1:40001", "1:holding:0:uint16"),
        ("1:465536", "1:holding:65535:uint16"),
        ("1:30001:int16", "1:input:0:int16"),
        ("1:10001", "1:discrete:0"),
        ("1:00001", "1:coil:0"),
        ("0:coil:65535", "0:coil:65535"),
        ("1:holding:40.3", "1:holding:40.3"),
        ("1:40041.3", "1:holding:40.3"),
        ("1:holding:40.0-3", "1:holding:40.0-3"),
        ("1:holding:40.0-3:uint16", "1:holding:40.0-3"),
        ("2:input:10:string15", "2:input:10:string15"),
        ("2:input:10:string15:badc", "2:input:10:string15:badc"),
        ("1:holding:5:uint16:ba", "1:holding:5:uint16:badc"),
        ("1:holding:40101", "1:holding:40101:uint16"),
    ],
)
def test_an_address_is_read_and_written_in_one_way(text, canonical):
    assert str(parse(text)) == canonical
    assert str(parse(canonical)) == canonical


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "unit:table:register"),
        ("holding:100", "no unit identifier"),
        ("256:holding:1", "0 to 255"),
        ("1:holding", "no register number"),
        ("1:101", "five or six digits"),
        ("1:20001", "begins with 0, 1, 3 or 4"),
        ("1:40000", "counts from 1"),
        ("1:465537", "counts from 1 to 65536"),
        ("1:holding:65536", "0 to 65535"),
        ("1:holding:65535:float32", "beyond register 65535"),
        ("1:holding:1.16", "0 (least significant) to 15"),
        ("1:holding:1.5-3", "0 (least significant) to 15"),
        ("1:holding:1:bool", "names its bit"),
        ("1:holding:1.3:float32", "leave the type out"),
        ("1:holding:1.3:bool:cdab", "leave the order out"),
        ("1:coil:1:uint16", "is one bit"),
        ("1:coil:1.2", "is one bit"),
        ("1:holding:1:real", "is no type"),
        ("1:holding:1:float32:abdc", "is no order"),
        ("1:holding:1:string0", "1 to 250 bytes"),
        ("1:holding:1:string10:cdab", "abcd, or badc"),
        ("1:holding:1:float32:cdab:x", "more parts"),
        ("1:holding:-1", "is no register"),
        ("1:holding:１", "is no register"),
    ],
)
def test_what_is_no_address_says_why(text, says):
    with pytest.raises(AddressRefused) as refused:
        parse(text)
    assert says in str(refused.value)


@given(st.text(max_size=60))
def test_any_text_is_an_address_or_refused_with_a_sentence(text):
    sentence, address = "", None
    try:
        address = parse(text)
    except AddressRefused as refusal:
        sentence = str(refusal)
    if address is None:
        assert sentence
    else:
        assert parse(str(address)) == address
        assert address.register + address.width <= 65_536


@given(st.integers(0, 65_535), st.sampled_from(list(Table)))
def test_modicons_number_is_one_more_behind_its_digit(register, table):
    assert parse(f"7:{parse(f'7:{table}:{register}').modicon}") == parse(f"7:{table}:{register}")
