"""From registers to values and back. Pure; what cannot be a value says why."""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence

from yuheng.connectors.modbus.addresses import Address, Order

_FORMATS = {
    "int16": "h",
    "uint16": "H",
    "int32": "i",
    "uint32": "I",
    "int64": "q",
    "uint64": "Q",
    "float32": "f",
    "float64": "d",
}


class NoValue(Exception):
    """The registers hold no value of the address's type, or the value does not fit it; the message says why."""


def decode(address: Address, registers: Sequence[int], *, encoding: str = "utf-8") -> float | int | bool | str:
    """Read the value of an address from its registers.

    Parameters
    ----------
    registers
        The address's own, `Address.width` of them, each 0 to 65535; or one bit of a table of bits.
    encoding
        Of strings.

    Raises
    ------
    NoValue
        NaN or infinity (how many devices say that a sensor is missing), or text that is not in ``encoding``.
    """
    if address.table.is_bits:
        return bool(registers[0])
    if address.is_bit_field:
        field = (registers[0] >> address.first_bit) & _mask(address)
        return bool(field) if address.kind == "bool" else field
    data = _ordered(struct.pack(f">{len(registers)}H", *registers), address.order)
    if address.kind == "string":
        return _text(data[: address.size], encoding)
    value: float | int = struct.unpack(">" + _FORMATS[address.kind], data)[0]
    if isinstance(value, float) and not math.isfinite(value):
        raise NoValue("the device gives no number (NaN or infinity)")
    return value


def encode(address: Address, value: object, *, encoding: str = "utf-8") -> list[int]:
    """Return the registers (or the bit) that hold a value; of a bit field the field itself, see `merged`.

    Raises
    ------
    NoValue
        The value is of another type or does not fit.
    """
    if address.kind == "bool":
        if value not in (0, 1):
            raise NoValue(f"{value!r} is neither on nor off")
        return [int(bool(value))]
    if address.kind == "string":
        return _registers_of_text(address, value, encoding)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise NoValue(f"{value!r} is not a number")
    number = value if address.kind.startswith("float") else _whole(value)
    if address.is_bit_field:
        if not 0 <= number <= _mask(address):
            raise NoValue(f"{number} does not fit {address.last_bit - address.first_bit + 1} bits")
        return [int(number)]
    if isinstance(number, float) and not math.isfinite(number):
        raise NoValue("NaN and infinity cannot be written")
    try:
        data = struct.pack(">" + _FORMATS[address.kind], number)
    except (struct.error, OverflowError) as error:
        raise NoValue(f"{number} does not fit {address.kind}") from error
    data = _ordered(data, address.order)
    return list(struct.unpack(f">{len(data) // 2}H", data))


def masks(address: Address, field: int) -> tuple[int, int]:
    """Return the AND and OR masks that set a bit field: ``(register & and) | or`` (function 22)."""
    inside = _mask(address) << address.first_bit
    return 0xFFFF & ~inside, (field << address.first_bit) & inside


def merged(address: Address, register: int, field: int) -> int:
    """Return the register with its bit field replaced."""
    keep, put = masks(address, field)
    return (register & keep) | put


def is_same(address: Address, written: Sequence[int], read: Sequence[int]) -> bool:
    """Return whether what was read back is what was written, in the registers themselves."""
    if address.is_bit_field:
        return (read[0] >> address.first_bit) & _mask(address) == written[0]
    return list(written) == [int(register) for register in read]


def _mask(address: Address) -> int:
    return (1 << (address.last_bit - address.first_bit + 1)) - 1


def _whole(value: float) -> int:
    if isinstance(value, float) and (not math.isfinite(value) or value != int(value)):
        raise NoValue(f"{value} is not a whole number")
    return int(value)


def _ordered(data: bytes, order: Order) -> bytes:
    """Turn bytes round; doing it twice gives them back."""
    if order is Order.ABCD:
        return data
    if order is Order.DCBA:
        return data[::-1]
    words = [data[place : place + 2] for place in range(0, len(data), 2)]
    if order is Order.BADC:
        return b"".join(word[::-1] for word in words)
    return b"".join(reversed(words))


def _text(data: bytes, encoding: str) -> str:
    try:
        return data.partition(b"\0")[0].decode(encoding).rstrip()
    except UnicodeDecodeError as error:
        raise NoValue(f"the text is not {encoding}") from error


def _registers_of_text(address: Address, value: object, encoding: str) -> list[int]:
    if not isinstance(value, str):
        raise NoValue(f"{value!r} is not text")
    try:
        data = value.encode(encoding)
    except UnicodeEncodeError as error:
        raise NoValue(f"the text cannot be written in {encoding}") from error
    if len(data) > address.size:
        raise NoValue(f"the text takes {len(data)} bytes, the address has {address.size}")
    data = _ordered(data.ljust(address.width * 2, b"\0"), address.order)
    return list(struct.unpack(f">{address.width}H", data))
