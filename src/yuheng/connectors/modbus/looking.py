"""Looking into a device from a page: the configured map with its values now, and addresses on trial."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from yuheng.connectors.modbus.addresses import WIDTHS, Address, AddressRefused, Order, Table, make, parse
from yuheng.connectors.modbus.blocks import Block, Limits, Point, plan_blocks
from yuheng.connectors.modbus.link import AskFailed, Link
from yuheng.connectors.modbus.polls import read_points
from yuheng.connectors.modbus.values import NoValue, decode
from yuheng.gateway.connector import BrowsePage, CommandRefused, Node, TagAddress

TRY = "try"
"""Node below which addresses are read that need not belong to a tag: they are given as the search text."""

_LINES = 100
_MOST_TRIED = 32


async def look(
    link: Link,
    tags: Mapping[str, TagAddress],
    limits: Limits,
    node: str,
    cursor: str,
    search: str,
    *,
    encoding: str,
) -> BrowsePage:
    """Answer `connector.BrowsingSession.browse`.

    The top lists the units that have tags; a unit (``unit:1``) lists its addresses with their values, read now.
    `TRY` reads the addresses in ``search``; a register without a type is shown as everything that it could be.

    Raises
    ------
    CommandRefused
    """
    if node == TRY:
        return BrowsePage(await _tried(link, search, limits, encoding))
    points, _wrong = read_points(tags)
    if search:
        wanted = [point for point in points if search.lower() in point.text.lower()]
    elif node:
        wanted = [point for point in points if f"unit:{point.address.unit}" == node]
    else:
        return BrowsePage([_unit(number, points) for number in sorted({point.address.unit for point in points})])
    wanted.sort(key=lambda point: (point.address.unit, point.address.table.value, point.address.register, point.text))
    start = int(cursor) if cursor.isascii() and cursor.isdigit() else 0
    some = wanted[start : start + _LINES]
    values = await _values(link, some, limits, encoding)
    nodes = [
        Node(
            node=point.text,
            name=point.text,
            address=point.text,
            data_type=point.address.data_type,
            description=values[point.text][1],
            value=values[point.text][0],
            is_writable=point.address.table.can_be_written,
        )
        for point in some
    ]
    return BrowsePage(nodes, str(start + _LINES) if start + _LINES < len(wanted) else "")


def _unit(number: int, points: Iterable[Point]) -> Node:
    count = sum(point.address.unit == number for point in points)
    return Node(node=f"unit:{number}", name=f"Unit {number}", description=str(count), has_children=True)


async def _tried(link: Link, text: str, limits: Limits, encoding: str) -> list[Node]:
    words = text.replace(",", " ").replace(";", " ").split()
    if not words:
        raise CommandRefused("Give the addresses to read, such as 1:holding:100:float32.")
    if len(words) > _MOST_TRIED:
        raise CommandRefused(f"At most {_MOST_TRIED} addresses at once.")
    nodes: list[Node] = []
    for word in words:
        try:
            address = parse(word)
        except AddressRefused as refusal:
            nodes.append(Node(node=word, name=word, description=str(refusal)))
            continue
        found = [Point(str(one), one) for one in readings_of(address, is_open=_is_without_type(word, address))]
        values = await _values(link, found, limits, encoding)
        if len(found) > 1 and len({values[point.text] for point in found}) == 1:  # all fail alike: say it once
            nodes.append(Node(node=word, name=word, description=values[found[0].text][1]))
            continue
        nodes += [
            Node(
                node=point.text,
                name=point.text,
                address=point.text,
                data_type=point.address.data_type,
                value=values[point.text][0],
                description=values[point.text][1],
                is_writable=point.address.table.can_be_written,
            )
            for point in found
        ]
    return nodes


def _is_without_type(word: str, address: Address) -> bool:
    return not address.table.is_bits and not address.is_bit_field and not any(kind in word for kind in _KINDS)


_KINDS = (*WIDTHS, "string")


def readings_of(address: Address, *, is_open: bool) -> list[Address]:
    """Return the address, or when its type is open everything of 16 and 32 bits that its registers could be."""
    if not is_open:
        return [address]
    found = [make(address.unit, address.table, address.register, kind=kind) for kind in ("uint16", "int16")]
    for kind in ("float32", "int32", "uint32"):
        for order in Order:
            try:
                found.append(make(address.unit, address.table, address.register, kind=kind, order=order.value))
            except AddressRefused:  # the last register of the table has no second one
                continue
    return found


async def _values(link: Link, points: Sequence[Point], limits: Limits, encoding: str) -> dict[str, tuple[str, str]]:
    """Read points now; returns text -> (value as text, why there is none)."""
    found: dict[str, tuple[str, str]] = {}
    fitting = [point for point in points if point.address.width <= limits.most(point.address.table)]
    queue = plan_blocks(fitting, limits)
    silent: dict[int, str] = {}
    while queue:
        block = queue.pop()
        if block.unit in silent:
            found |= {point.text: ("", silent[block.unit]) for point in block.points}
            continue
        try:
            registers = await link.read(block.unit, block.table, block.start, block.count)
        except AskFailed as failure:
            if failure.is_exception_answer and block.can_be_split:
                queue.extend(block.halves())
                continue
            if not failure.is_exception_answer:
                silent[block.unit] = failure.sentence
            found |= {point.text: ("", failure.sentence) for point in block.points}
        else:
            found |= {point.text: _shown(block, point, registers, encoding) for point in block.points}
    return {point.text: found.get(point.text, ("", "too wide for one request")) for point in points}


def _shown(block: Block, point: Point, registers: Sequence[int], encoding: str) -> tuple[str, str]:
    own = block.part(point, registers)
    raw = "" if block.table in (Table.COIL, Table.DISCRETE) else " ".join(f"{register:04X}" for register in own)
    try:
        value = decode(point.address, own, encoding=encoding)
    except NoValue as reason:
        return "", f"{reason} ({raw})" if raw else str(reason)
    if isinstance(value, bool):
        return "1" if value else "0", raw
    return f"{value:.7g}" if isinstance(value, float) else str(value), raw
