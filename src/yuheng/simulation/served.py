"""Areas whose machines are servers: OPC UA and Modbus TCP. Yuheng connects to them, as it does to real ones."""

from __future__ import annotations

import asyncio
import importlib
import logging
import struct
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Protocol

from yuheng.simulation.catalogue import COMMON_TAGS
from yuheng.simulation.edges import LATE_S, SCAN_EVERY_S, AreaReader, Clock
from yuheng.simulation.layout import OPC_UA, AreaSpec, PlantSpec, UnitSpec, register_of, units_of
from yuheng.simulation.modbus import ModbusServer, UnitMemory
from yuheng.simulation.model import Plant
from yuheng.simulation.outages import Outages
from yuheng.simulation.speakers import Sample

log = logging.getLogger(__name__)


class MachineServer(Protocol):
    """A server that shows what the machines of an area say."""

    async def prepare(self) -> None:
        """Make the address space, so that `show` has where to put values before anybody can read them."""
        ...

    async def start(self) -> None:
        """Listen. Raises `OSError` when the port is taken."""
        ...

    async def show(self, samples: list[Sample], fallen: list[str]) -> None:
        """Show new values; whoever is fallen cannot be read until it says something again."""
        ...

    async def stop(self) -> None:
        """Close the port and every connection."""
        ...


class ServedArea:
    """One area: its sensors, and the server that shows them."""

    def __init__(self, area: AreaSpec, plant: Plant, outages: Outages, *, seed: int, port: int) -> None:
        self.area = area
        self._plant = plant
        self._reader = AreaReader(area, plant, outages, seed=seed)
        self.server: MachineServer = _server(plant.spec, area, port)

    async def scan(self, model_time: float, at_ms: int) -> None:
        """Read every machine and show it. The plant must have lived until ``model_time``."""
        await self.server.show(*self._reader.scan(model_time, at_ms))

    async def run(self, clock: Clock, first_scan_at: float) -> None:
        """Scan for ever, once a second from ``first_scan_at`` (wall clock) on."""
        due = first_scan_at
        while True:
            wait_s = due - time.time()
            if wait_s > 0:
                await asyncio.sleep(wait_s)
            elif wait_s < -LATE_S:  # the computer slept
                due = time.time()
            model_time = clock.model(due)
            self._plant.run_until(model_time)
            await self.scan(model_time, int(due * 1000))
            due += SCAN_EVERY_S


def make_served(plant: Plant, outages: Outages, ports: Mapping[str, int], *, seed: int) -> list[ServedArea]:
    """Return every area whose machines are servers; ``ports`` by area code, 0 or missing: any free one."""
    return [
        ServedArea(area, plant, outages, seed=seed, port=ports.get(area.code, 0)) for area in plant.spec.served_areas()
    ]


def _server(plant: PlantSpec, area: AreaSpec, port: int) -> MachineServer:
    if area.speaks == OPC_UA:
        # A large library: a plant without OPC UA need not carry it.
        server: MachineServer = importlib.import_module("yuheng.simulation.opcua").OpcUaArea(plant, area, port)
        return server
    return ModbusArea(area, port)


# ---- Modbus: a gateway of the area, its machines the units behind it ----------------------------------------------


class ModbusArea:
    """Machines as units 1, 2, ... of one Modbus gateway; a silent one is answered for with exception 11."""

    def __init__(self, area: AreaSpec, port: int) -> None:
        self._units = {unit.code: unit for unit in units_of(area)}
        self._memories = {code: UnitMemory() for code in self._units}
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


def utc(at_ms: int) -> datetime:
    """Return a moment in milliseconds since 1970 as OPC UA wants it."""
    return datetime.fromtimestamp(at_ms / 1000, UTC)
