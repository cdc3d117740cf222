"""How a tag says which value of a Modbus server it is: ``1:holding:100:float32:cdab``.

Two notations, told apart by their form and never guessed: a table word is followed by the number of the protocol, which
begins at 0; a number of five or six digits (``40101``) is Modicon's, which begins at 1 and carries its table.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

SPACE = 65_536
"""Registers, or bits, of one table."""

MAX_STRING_BYTES = 250
"""What one reply holds: 125 registers (Modbus Application Protocol 1.1b3, 6.3)."""


class Table(StrEnum):
    """The four tables (Modbus Application Protocol 1.1b3, 4.4)."""

    COIL = "coil"
    DISCRETE = "discrete"
    INPUT = "input"
    HOLDING = "holding"

    @property
    def is_bits(self) -> bool:
        """Whether an address is one bit; otherwise a register of 16."""
        return self in (Table.COIL, Table.DISCRETE)

    @property
    def can_be_written(self) -> bool:
        """Whether the protocol has a function that writes it."""
        return self in (Table.COIL, Table.HOLDING)

    @property
    def read_function(self) -> int:
        """Function code that reads it."""
        return _READ_FUNCTIONS[self]


_READ_FUNCTIONS = {Table.COIL: 1, Table.DISCRETE: 2, Table.HOLDING: 3, Table.INPUT: 4}
_MODICON = {"0": Table.COIL, "1": Table.DISCRETE, "3": Table.INPUT, "4": Table.HOLDING}
_MODICON_DIGIT = {table: digit for digit, table in _MODICON.items()}


class Order(StrEnum):
    """Order of bytes on the wire of a value whose most significant byte is A.

    Of 64 bits: ``abcd`` is ABCDEFGH, ``cdab`` GHEFCDAB (words turned round), ``badc`` BADCFEHG (bytes of each word
    turned round), ``dcba`` HGFEDCBA.
    """

    ABCD = "abcd"
    CDAB = "cdab"
    BADC = "badc"
    DCBA = "dcba"


WIDTHS = {
    "int16": 1,
    "uint16": 1,
    "int32": 2,
    "uint32": 2,
    "float32": 2,
    "int64": 4,
    "uint64": 4,
    "float64": 4,
}
"""Registers that a number takes."""

_STRING = re.compile(r"string(\d{1,3})", re.ASCII)
_PLACE = re.compile(r"(\d{1,6})(?:\.(\d{1,2})(?:-(\d{1,2}))?)?", re.ASCII)


class AddressRefused(ValueError):
    """The text is no Modbus address; the message is a sentence for the person who wrote it."""


@dataclass(frozen=True, slots=True)
class Address:
    """One value of one unit.

    Attributes
    ----------
    unit
        Unit identifier, 0 to 255.
    register
        Number as it is on the wire, from 0.
    kind
        ``bool``, a name of `WIDTHS`, or ``string``.
    first_bit, last_bit
        Bits of the register, 0 is the least significant; -1: the whole register.
    size
        Bytes of a string; 0 otherwise.
    """

    unit: int
    table: Table
    register: int
    kind: str
    order: Order = Order.ABCD
    first_bit: int = -1
    last_bit: int = -1
    size: int = 0

    @property
    def width(self) -> int:
        """Registers (or bits, of the tables of bits) that it takes."""
        if self.kind == "string":
            return (self.size + 1) // 2
        return WIDTHS.get(self.kind, 1)

    @property
    def is_bit_field(self) -> bool:
        """Whether it is a part of a register only."""
        return self.first_bit >= 0

    @property
    def data_type(self) -> str:
        """Data type of a tag without scaling: float, int, bool or text."""
        if self.kind == "string":
            return "text"
        if self.kind == "bool":
            return "bool"
        return "float" if self.kind.startswith("float") else "int"

    @property
    def modicon(self) -> str:
        """The register in Modicon's notation, six digits: ``400101``."""
        return f"{_MODICON_DIGIT[self.table]}{self.register + 1:05d}"

    def __str__(self) -> str:
        place = f"{self.unit}:{self.table.value}:{self.register}"
        if self.table.is_bits:
            return place
        if self.is_bit_field:
            return f"{place}.{self.first_bit}" + (f"-{self.last_bit}" if self.last_bit > self.first_bit else "")
        kind = f"string{self.size}" if self.kind == "string" else self.kind
        return f"{place}:{kind}" + ("" if self.order is Order.ABCD else f":{self.order.value}")


def parse(text: str) -> Address:
    """Read an address.

    Raises
    ------
    AddressRefused
        It is none; the sentence says what is wrong.

    Examples
    --------
    >>> str(parse("1:40101:float32:CDAB"))
    '1:holding:100:float32:cdab'
    >>> str(parse("1:holding:40.3"))
    '1:holding:40.3'
    """
    parts = [part.strip() for part in text.strip().lower().split(":")]
    if len(parts) < 2:
        raise AddressRefused(
            f"'{text}' is no Modbus address: write unit:table:register, such as 1:holding:100:float32."
        )
    unit = read_unit(parts[0])
    if parts[1] in set(Table):
        if len(parts) < 3:
            raise AddressRefused(f"'{text}' has no register number: write {parts[0]}:{parts[1]}:100.")
        table, rest = Table(parts[1]), parts[3:]
        number, first, last = _place(parts[2])
    else:
        table, number, first, last = read_modicon(parts[1])
        rest = parts[2:]
    if len(rest) > 2:
        raise AddressRefused(f"'{text}' has more parts than unit, table, register, type and order.")
    return make(unit, table, number, first, last, *rest)


def make(
    unit: int, table: Table, register: int, first_bit: int = -1, last_bit: int = -1, kind: str = "", order: str = ""
) -> Address:
    """Put an address together from its parts and check that they go together. Raises `AddressRefused`."""
    if not 0 <= register < SPACE:
        raise AddressRefused(f"A table has the registers 0 to 65535; {register} is none of them.")
    read_order = _order(order)
    if table.is_bits:
        if kind not in ("", "bool") or first_bit >= 0 or read_order is not Order.ABCD:
            raise AddressRefused(f"An address of the table {table.value} is one bit: it has no type, bit or order.")
        return Address(unit, table, register, "bool")
    if first_bit >= 0:
        return _bit_field(unit, table, register, first_bit, last_bit, kind, read_order)
    if kind == "bool":
        raise AddressRefused("A bool of a register names its bit: 1:holding:40.3.")
    found = _STRING.fullmatch(kind)
    if found:
        size = int(found.group(1))
        if not 1 <= size <= MAX_STRING_BYTES:
            raise AddressRefused(f"A string has 1 to {MAX_STRING_BYTES} bytes, not {size}.")
        if read_order not in (Order.ABCD, Order.BADC):
            raise AddressRefused("A string has the order abcd, or badc when the bytes of each register are turned.")
        made = Address(unit, table, register, "string", read_order, size=size)
    elif (kind or "uint16") in WIDTHS:
        made = Address(unit, table, register, kind or "uint16", read_order)
    else:
        raise AddressRefused(f"'{kind}' is no type: use {', '.join(WIDTHS)}, string20 (with its bytes), or a bit.")
    if register + made.width > SPACE:
        raise AddressRefused(f"{made} reaches beyond register 65535.")
    return made


def _bit_field(unit: int, table: Table, register: int, first: int, last: int, kind: str, order: Order) -> Address:
    if not 0 <= first <= last <= 15:
        raise AddressRefused("The bits of a register are 0 (least significant) to 15: write 40.3 or 40.3-5.")
    if kind not in ("", "bool", "uint16") or (kind == "bool" and last > first):
        raise AddressRefused("A bit is a bool and a range of bits is a whole number: leave the type out.")
    if order is not Order.ABCD:
        raise AddressRefused("Bits are counted in the register as it is: leave the order out.")
    return Address(unit, table, register, "bool" if first == last else "uint16", Order.ABCD, first, last)


def read_unit(text: str) -> int:
    """Read a unit identifier. Raises `AddressRefused`."""
    if not (text.isascii() and text.isdigit() and len(text) <= 3 and int(text) <= 255):
        raise AddressRefused(f"'{text}' is no unit identifier: they are 0 to 255.")
    return int(text)


def read_modicon(text: str) -> tuple[Table, int, int, int]:
    """Read ``40101`` or ``400101``, with bits behind a dot; returns table, register from 0, first and last bit.

    Raises
    ------
    AddressRefused
        It has not five or six digits, or its first digit names no table.
    """
    found = _PLACE.fullmatch(text)
    digits = found.group(1) if found else ""
    if len(digits) not in (5, 6) or digits[0] not in _MODICON:
        raise AddressRefused(
            f"'{text}' is neither a table (coil, discrete, input, holding) nor a number of five or six digits "
            "that begins with 0, 1, 3 or 4, such as 40101."
        )
    number = int(digits[1:])
    if not 1 <= number <= SPACE:
        raise AddressRefused(f"'{text}' counts from 1 to 65536 behind its first digit.")
    _, first, last = _place("0" + text[len(digits) :])
    return _MODICON[digits[0]], number - 1, first, last


def _place(text: str) -> tuple[int, int, int]:
    found = _PLACE.fullmatch(text)
    if found is None:
        raise AddressRefused(f"'{text}' is no register: write a number, 40, or 40.3 for a bit, or 40.0-3 for bits.")
    first = -1 if found.group(2) is None else int(found.group(2))
    return int(found.group(1)), first, first if found.group(3) is None else int(found.group(3))


def _order(text: str) -> Order:
    word = {"": "abcd", "ab": "abcd", "ba": "badc"}.get(text, text)
    if word not in set(Order):
        raise AddressRefused(f"'{text}' is no order of bytes: use abcd, cdab, badc or dcba.")
    return Order(word)
