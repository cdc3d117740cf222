"""Registers to values and back, in every type and order."""

import math
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yuheng.connectors.modbus.addresses import WIDTHS, Order, parse
from yuheng.connectors.modbus.values import NoValue, decode, encode, is_same, masks, merged

PI = struct.unpack(">HH", struct.pack(">f", 3.14))  # 0x4048, 0xF5C3


@pytest.mark.parametrize(
    ("order", "registers"),
    [("abcd", [0x4048, 0xF5C3]), ("cdab", [0xF5C3, 0x4048]), ("badc", [0x4840, 0xC3F5]), ("dcba", [0xC3F5, 0x4840])],
)
def test_the_four_orders_of_a_float(order, registers):
    assert decode(parse(f"1:holding:0:float32:{order}"), registers) == pytest.approx(3.14)


@pytest.mark.parametrize(
    ("order", "registers"),
    [
        ("abcd", [0x0102, 0x0304, 0x0506, 0x0708]),
        ("cdab", [0x0708, 0x0506, 0x0304, 0x0102]),
        ("badc", [0x0201, 0x0403, 0x0605, 0x0807]),
        ("dcba", [0x0807, 0x0605, 0x0403, 0x0201]),
    ],
)
def test_the_four_orders_of_64_bits(order, registers):
    assert decode(parse(f"1:holding:0:uint64:{order}"), registers) == 0x0102030405060708


def test_signs_bits_and_texts():
    assert decode(parse("1:holding:0:int16"), [0xFFFF]) == -1
    assert decode(parse("1:holding:0:uint16"), [0xFFFF]) == 65535
    assert decode(parse("1:holding:0:uint16:badc"), [0x0100]) == 1
    assert decode(parse("1:holding:0.3"), [0b1000]) is True
    assert decode(parse("1:holding:0.2"), [0b1000]) is False
    assert decode(parse("1:holding:0.2-5"), [0b101000]) == 0b1010
    assert decode(parse("1:coil:0"), [1]) is True
    assert decode(parse("1:holding:0:string5"), [0x4142, 0x4344, 0x4546]) == "ABCDE"
    assert decode(parse("1:holding:0:string6"), [0x4142, 0x4300, 0x5858]) == "ABC"
    assert decode(parse("1:holding:0:string4:badc"), [0x4241, 0x4443]) == "ABCD"
    assert decode(parse("1:holding:0:string4"), [0xD3F1, 0xBAE2], encoding="gb18030") == "玉衡"


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_no_number_is_no_value(number):
    registers = list(struct.unpack(">HH", struct.pack(">f", number)))
    with pytest.raises(NoValue, match="NaN or infinity"):
        decode(parse("1:holding:0:float32"), registers)


def test_text_in_another_encoding_is_no_value():
    with pytest.raises(NoValue, match="not utf-8"):
        decode(parse("1:holding:0:string2"), [0xD3F1])


@pytest.mark.parametrize(
    ("address", "value", "says"),
    [
        ("1:holding:0:int16", 32768, "does not fit int16"),
        ("1:holding:0:uint16", -1, "does not fit uint16"),
        ("1:holding:0:uint16", 1.5, "not a whole number"),
        ("1:holding:0:uint16", math.inf, "not a whole number"),
        ("1:holding:0:float32", 1e39, "does not fit float32"),
        ("1:holding:0:float32", math.nan, "cannot be written"),
        ("1:holding:0:float32", "1", "not a number"),
        ("1:holding:0:float32", True, "not a number"),
        ("1:holding:0.3", 2, "neither on nor off"),
        ("1:holding:0.0-2", 8, "does not fit 3 bits"),
        ("1:coil:0", "on", "neither on nor off"),
        ("1:holding:0:string2", "abc", "takes 3 bytes"),
        ("1:holding:0:string2", 5, "not text"),
    ],
)
def test_what_does_not_fit_is_not_written(address, value, says):
    with pytest.raises(NoValue, match=says):
        encode(parse(address), value)


@given(st.sampled_from(sorted(WIDTHS)), st.sampled_from(list(Order)), st.data())
def test_what_is_written_is_what_is_read(kind, order, data):
    address = parse(f"1:holding:0:{kind}:{order}")
    bits = 16 * address.width
    if kind.startswith("float"):
        value = data.draw(st.floats(allow_nan=False, allow_infinity=False, width=bits))
    elif kind.startswith("u"):
        value = data.draw(st.integers(0, 2**bits - 1))
    else:
        value = data.draw(st.integers(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1))
    registers = encode(address, value)
    assert len(registers) == address.width
    assert decode(address, registers) == value
    assert is_same(address, registers, registers)


@given(st.integers(0, 0xFFFF), st.integers(0, 15), st.integers(0, 15), st.data())
def test_a_bit_field_changes_nothing_beside_it(register, one, other, data):
    first, last = sorted((one, other))
    address = parse(f"1:holding:0.{first}-{last}" if last > first else f"1:holding:0.{first}")
    field = data.draw(st.integers(0, 2 ** (last - first + 1) - 1))
    after = merged(address, register, field)
    keep, put = masks(address, field)
    assert after == (register & keep) | put
    assert int(decode(address, [after])) == field
    assert after & ~(((1 << (last - first + 1)) - 1) << first) == register & keep


@given(st.sampled_from([*WIDTHS, "string7"]), st.sampled_from(["abcd", "badc"]), st.data())
def test_any_registers_are_a_value_or_none(kind, order, data):
    address = parse(f"1:holding:0:{kind}:{order}")
    registers = data.draw(st.lists(st.integers(0, 0xFFFF), min_size=address.width, max_size=address.width))
    value, why = None, ""
    try:
        value = decode(address, registers)
    except NoValue as reason:
        why = str(reason)
    assert why or isinstance(value, int | float | str)
