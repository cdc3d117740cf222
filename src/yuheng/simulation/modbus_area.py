"""Machines of an area behind one Modbus gateway."""

from __future__ import annotations

import struct
from typing import Any

from yuheng.simulation.catalogue import COMMON_TAGS
from yuheng.simulation.layout import FIRST_CHANNEL, AreaSpec, PlantSpec, UnitSpec, register_of, units_of
from yuheng.simulation.modbus import INPUT, ModbusServer, UnitMemory
from yuheng.simulation.speakers import Sample


def make_server(plant: PlantSpec, area: AreaSpec, port: int) -> ModbusArea:
    """Return the server of an area."""
    return ModbusArea(area, port)


class ModbusArea:
    """Machines as units 1, 2, ... of one Modbus gateway; a silent one is answered for with exception 11."""

    def __init__(self, area: AreaSpec, port: int) -> None:
        self._units = {unit.code: unit for unit in units_of(area)}
        self._memories = {code: _memory(unit) for code, unit in self._units.items()}
        self._places = {code: _places(unit) for code, unit in self._units.items()}
        self.server = ModbusServer({}, port=port)

    async def prepare(self) -> None:
        """Nothing to prepare: registers come to be when they are set."""

    async def start(self) -> None:
        """Listen."""
        await self.server.start()

    async def show(self, samples: list[Sample], fallen: list[str]) -> None:
        """Put what the machines say into their registers."""
        for code in fallen:
            self.server.units.pop(self._units[code].number, None)
        for sample in samples:
            memory, places = self._memories[sample.work_unit], self._places[sample.work_unit]
            for symbol, value in sample.values.items():
                table, start, kind = places[symbol]
                memory.put(table, start, _registers(kind, value))
            self.server.units[self._units[sample.work_unit].number] = memory

    async def stop(self) -> None:
        """Close the port."""
        await self.server.stop()


def _memory(unit: UnitSpec) -> UnitMemory:
    """Return the registers of a machine, without holes, as most controllers have them: one request reads all."""
    memory = UnitMemory()
    memory.put(INPUT, 0, [0] * (FIRST_CHANNEL + 2 * len(unit.kind.channels)))
    return memory


_Place = tuple[str, int, str]


def _places(unit: UnitSpec) -> dict[str, _Place]:
    """Symbol -> table, first register, type (with the order behind a colon)."""
    symbols = [tag.symbol for tag in COMMON_TAGS] + [channel.symbol for channel in unit.kind.channels]
    found: dict[str, _Place] = {}
    for symbol in symbols:
        table, register, *kind = register_of(unit.kind, symbol).split(":")
        found[symbol] = (table, int(register), kind[0] if kind else "bool")
    return found


def _registers(kind: str, value: Any) -> list[int]:
    """Word a value as the controllers of this plant do: floats low word first, everything else high word first."""
    if kind == "bool":
        return [int(value)]
    if kind == "uint16":
        return [int(value) & 0xFFFF]
    if kind == "uint32":
        return [int(value) >> 16 & 0xFFFF, int(value) & 0xFFFF]
    if kind == "float32":
        high, low = struct.unpack(">HH", struct.pack(">f", value))
        return [low, high]
    size = int(kind.removeprefix("string"))
    data = str(value).encode()[:size].ljust(size, b"\0")
    return list(struct.unpack(f">{size // 2}H", data))
