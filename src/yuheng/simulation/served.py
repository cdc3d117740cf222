"""Areas whose machines are servers: OPC UA and Modbus TCP. Yuheng connects to them, as it does to real ones."""

from __future__ import annotations

import asyncio
import importlib
import logging
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Protocol

from yuheng.simulation.edges import LATE_S, SCAN_EVERY_S, AreaReader, Clock
from yuheng.simulation.layout import OPC_UA, AreaSpec, PlantSpec
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
    # Large libraries: a plant that needs neither carries neither.
    name = "yuheng.simulation.opcua" if area.speaks == OPC_UA else "yuheng.simulation.modbus_area"
    server: MachineServer = importlib.import_module(name).make_server(plant, area, port)
    return server


def utc(at_ms: int) -> datetime:
    """Return a moment in milliseconds since 1970 as OPC UA wants it."""
    return datetime.fromtimestamp(at_ms / 1000, UTC)
