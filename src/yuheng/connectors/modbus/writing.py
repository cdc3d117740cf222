"""Writing one value to a Modbus server and reading it back."""

from __future__ import annotations

import asyncio

from yuheng.connectors.modbus.addresses import Address, AddressRefused, Table, parse
from yuheng.connectors.modbus.link import AskFailed, Failure, Link
from yuheng.connectors.modbus.values import NoValue, decode, encode, is_same, masks, merged
from yuheng.gateway.connector import CommandRefused, ReadBack, Value

_LOOK_FOR_S = 3.0
_LOOK_EVERY_S = 0.2


async def write_value(
    link: Link, text: str, value: Value, *, encoding: str, as_many: bool, merges_bits: bool
) -> ReadBack:
    """Write a value once and read the registers until they hold it, for at most three seconds.

    Parameters
    ----------
    as_many
        Write single registers with function 16, for devices without function 6.
    merges_bits
        Where a device lacks function 22: read the register, put the bits in and write it. What the device changes in
        between is lost, so this must be asked for.

    Raises
    ------
    CommandRefused
        Certainly not written.
    AskFailed
        Nobody knows whether it was written.
    """
    address = _writable(text)
    try:
        wanted = encode(address, _fitting(address, value), encoding=encoding)
    except NoValue as reason:
        raise CommandRefused(f"{text}: {reason}.") from reason
    if not link.is_up:
        raise CommandRefused("The device is not connected now.")
    try:
        await _send(link, address, wanted, as_many=as_many, merges_bits=merges_bits)
    except AskFailed as failure:
        if failure.is_exception_answer:
            raise CommandRefused(f"The device refuses it: {failure.sentence}.") from failure
        raise
    return await _read_back(link, address, wanted, encoding)


def _writable(text: str) -> Address:
    try:
        address = parse(text)
    except AddressRefused as refusal:
        raise CommandRefused(str(refusal)) from refusal
    if not address.table.can_be_written:
        raise CommandRefused(f"The table {address.table.value} can only be read.")
    return address


def _fitting(address: Address, value: Value) -> Value:
    """A scaled tag asks for 12.000000000000002 where the register holds whole numbers: that is 12."""
    if isinstance(value, float) and not address.kind.startswith("float") and abs(value - round(value)) < 1e-6:
        return round(value)
    return value


async def _send(link: Link, address: Address, wanted: list[int], *, as_many: bool, merges_bits: bool) -> None:
    if address.table is Table.COIL:
        await link.write_coil(address.unit, address.register, is_on=bool(wanted[0]))
    elif address.is_bit_field:
        await _send_bits(link, address, wanted[0], as_many=as_many, merges_bits=merges_bits)
    else:
        await link.write_registers(address.unit, address.register, wanted, as_many=as_many)


async def _send_bits(link: Link, address: Address, field: int, *, as_many: bool, merges_bits: bool) -> None:
    try:
        await link.mask_register(address.unit, address.register, *masks(address, field))
    except AskFailed as failure:
        if failure.kind is not Failure.FUNCTION:
            raise
        if not merges_bits:
            raise CommandRefused(
                "The device cannot set single bits (function 22). Allow 'Merge bits' at the source, "
                "if nothing else changes this register."
            ) from failure
        before = await link.read(address.unit, address.table, address.register, 1)
        after = [merged(address, before[0], field)]
        await link.write_registers(address.unit, address.register, after, as_many=as_many)


async def _read_back(link: Link, address: Address, wanted: list[int], encoding: str) -> ReadBack:
    loop = asyncio.get_running_loop()
    until = loop.time() + _LOOK_FOR_S
    while True:
        found: Value | None = None
        try:
            read = await link.read(address.unit, address.table, address.register, address.width)
        except AskFailed as failure:
            sentence = f"Written, but it could not be read back: {failure.sentence}."
        else:
            try:
                found = decode(address, read, encoding=encoding)
            except NoValue as reason:
                sentence = f"Written, but {reason}."
            else:
                if is_same(address, wanted, read):
                    return ReadBack(found, is_confirmed=True)
                sentence = f"The device took it, but shows {found}."
        if loop.time() >= until or not link.is_up:
            return ReadBack(found, is_confirmed=False, sentence=sentence)
        await asyncio.sleep(_LOOK_EVERY_S)
