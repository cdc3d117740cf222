"""Which registers are read together: neighbours in one request, within what the device allows. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from yuheng.connectors.modbus.addresses import Address, AddressRefused, Table


@dataclass(frozen=True, slots=True)
class Point:
    """One tag's address: as it is written, and as it is understood."""

    text: str
    address: Address


@dataclass(frozen=True, slots=True)
class Limits:
    """What one request may ask for.

    Attributes
    ----------
    registers, bits
        Most of them in one request; the protocol allows 125 and 2000.
    gap
        Most registers that nobody asked for and are read all the same, to save a request; of bits 16 times as many.
    """

    registers: int = 125
    bits: int = 2000
    gap: int = 8

    def most(self, table: Table) -> int:
        """Most registers or bits of one request to a table."""
        return self.bits if table.is_bits else self.registers

    def widest_gap(self, table: Table) -> int:
        """Most registers or bits between two addresses of one request."""
        return self.gap * 16 if table.is_bits else self.gap


@dataclass(frozen=True, slots=True)
class Block:
    """One request: ``count`` registers (or bits) of a unit's table from ``start``, and whose they are."""

    unit: int
    table: Table
    start: int
    count: int
    points: tuple[Point, ...]

    def part(self, point: Point, values: Sequence[int]) -> Sequence[int]:
        """Return a point's own registers out of the block's."""
        first = point.address.register - self.start
        return values[first : first + point.address.width]

    def halves(self) -> tuple[Block, Block]:
        """Split between points that share no register; a block of one register group gives itself twice empty.

        Raises
        ------
        ValueError
            It cannot be split: all points overlap one another.
        """
        seams = self._seams()
        if not seams:
            raise ValueError("One group of registers cannot be split.")
        middle = min(seams, key=lambda place: abs(place * 2 - len(self.points)))
        return _block(self.points[:middle]), _block(self.points[middle:])

    @property
    def can_be_split(self) -> bool:
        """Whether there are two points without a common register."""
        return bool(self._seams())

    def _seams(self) -> list[int]:
        found, reach = [], -1
        for place, point in enumerate(self.points):
            if place and point.address.register >= reach:
                found.append(place)
            reach = max(reach, point.address.register + point.address.width)
        return found

    def __str__(self) -> str:
        last = self.start + self.count - 1
        return f"{self.unit}:{self.table.value}:{self.start}" + (f"-{last}" if last > self.start else "")


def _block(points: Sequence[Point]) -> Block:
    """Return the request that reads points, sorted by register, of one unit and table."""
    first = points[0].address
    end = max(point.address.register + point.address.width for point in points)
    return Block(first.unit, first.table, first.register, end - first.register, tuple(points))


def plan_blocks(points: Iterable[Point], limits: Limits) -> list[Block]:
    """Merge points into few requests.

    Returns
    -------
    list of Block
        By unit, table and register. Each point is in exactly one.

    Raises
    ------
    AddressRefused
        A point is wider than one request may be.
    """
    blocks: list[Block] = []
    run: list[Point] = []
    end = 0
    for point in sorted(points, key=_place):
        address = point.address
        if address.width > limits.most(address.table):
            raise AddressRefused(
                f"{point.text} takes {address.width} registers; the source allows {limits.registers} in one request."
            )
        reach = max(end, address.register + address.width)
        if run and not (
            (address.unit, address.table) == (run[0].address.unit, run[0].address.table)
            and address.register - end <= limits.widest_gap(address.table)
            and reach - run[0].address.register <= limits.most(address.table)
        ):
            blocks.append(_block(run))
            run, reach = [], address.register + address.width
        run.append(point)
        end = reach
    if run:
        blocks.append(_block(run))
    return blocks


def _place(point: Point) -> tuple[int, str, int, int, str]:
    address = point.address
    return address.unit, address.table.value, address.register, address.width, point.text
