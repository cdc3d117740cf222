"""A real Modbus TCP server over registers in memory, through pymodbus: machines of the demo plant, and of tests."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any

from pymodbus.constants import ExcCodes
from pymodbus.exceptions import NoSuchIdException
from pymodbus.server import ModbusTcpServer

logging.getLogger("pymodbus.logging").setLevel(logging.CRITICAL)  # a client that asks for nonsense gets its answer

COILS, DISCRETE, INPUT, HOLDING = "coil", "discrete", "input", "holding"
_TABLES = {1: COILS, 5: COILS, 15: COILS, 2: DISCRETE, 4: INPUT, 3: HOLDING, 6: HOLDING, 16: HOLDING, 22: HOLDING}

OnWrite = Callable[[str, int, Sequence[int]], None]
"""Told of a write by a client: table, first register (or coil), values."""


class UnitMemory:
    """The four tables of one unit; a register that nobody has set is an illegal address."""

    def __init__(self, on_write: OnWrite | None = None) -> None:
        self.tables: dict[str, dict[int, int]] = {COILS: {}, DISCRETE: {}, INPUT: {}, HOLDING: {}}
        self.read_only: set[tuple[str, int]] = set()
        self._on_write = on_write

    def put(self, table: str, start: int, values: Sequence[int]) -> None:
        """Set registers (0 to 65535) or bits (0 and 1) from ``start``."""
        place = self.tables[table]
        for offset, value in enumerate(values):
            place[start + offset] = value

    async def read(self, function: int, start: int, count: int) -> list[int] | ExcCodes:
        """Answer a client."""
        place = self.tables[_TABLES[function]]
        try:
            return [place[register] for register in range(start, start + count)]
        except KeyError:
            return ExcCodes.ILLEGAL_ADDRESS

    async def write(self, function: int, start: int, values: Sequence[int]) -> ExcCodes | None:
        """Take what a client writes: all of it or nothing."""
        table = _TABLES[function]
        place = self.tables[table]
        registers = range(start, start + len(values))
        if any(register not in place or (table, register) in self.read_only for register in registers):
            return ExcCodes.ILLEGAL_ADDRESS
        self.put(table, start, [int(value) for value in values])
        if self._on_write is not None:
            self._on_write(table, start, [int(value) for value in values])
        return None


class _Memory:
    """What pymodbus asks and tells, by unit."""

    def __init__(self, units: dict[int, UnitMemory]) -> None:
        self.units = units

    def _unit(self, number: int) -> UnitMemory:
        if number not in self.units:
            raise NoSuchIdException(f"unit {number}")
        return self.units[number]

    def device_ids(self) -> list[int]:
        return list(self.units)

    async def async_getValues(
        self, device_id: int, func_code: int, address: int, count: int = 1
    ) -> list[int] | ExcCodes:
        return await self._unit(device_id).read(func_code, address, count)

    async def async_setValues(
        self, device_id: int, func_code: int, address: int, values: Sequence[int]
    ) -> ExcCodes | None:
        return await self._unit(device_id).write(func_code, address, values)


class ModbusServer:
    """A server for some units on one port, as a machine's controller or a gateway to several is.

    Parameters
    ----------
    units
        Unit identifier -> memory; may grow while the server runs.
    port
        0: a free one, known after `start`.
    keeps_silent
        A unit that does not exist is not answered at all; otherwise with exception 11, as gateways do.
    hooks
        pymodbus's ``trace_packet``, ``trace_pdu`` and ``trace_connect``, for tests.
    """

    def __init__(
        self,
        units: dict[int, UnitMemory],
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        keeps_silent: bool = False,
        **hooks: Any,
    ) -> None:
        self.units = units
        self.host, self.port = host, port
        self._keeps_silent = keeps_silent
        self._hooks = hooks
        self._server: ModbusTcpServer | None = None

    async def start(self) -> None:
        """Listen. Raises `OSError` when the port is taken."""
        server = ModbusTcpServer(
            [], address=(self.host, self.port), ignore_missing_devices=self._keeps_silent, **self._hooks
        )
        server.context = _Memory(self.units)  # type: ignore[assignment]
        if not await server.listen():
            raise OSError(f"The Modbus server cannot listen on {self.host}:{self.port}.")
        listening: Any = server.transport
        self.port = listening.sockets[0].getsockname()[1]
        self._server = server

    async def stop(self) -> None:
        """Close the port and every connection."""
        server, self._server = self._server, None
        if server is not None:
            await server.shutdown()  # type: ignore[no-untyped-call]
