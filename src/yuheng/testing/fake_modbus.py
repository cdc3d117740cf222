"""A Modbus device for the conformance suite: a real server whose registers hold what is "sent"."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence

from pymodbus.constants import ExcCodes

from yuheng.simulation.modbus import HOLDING, ModbusServer, UnitMemory

WAIT_S = 20.0


class _OneByOne(UnitMemory):
    """Unit 1: holding register 0 shows one value after another.

    A polled device is told nothing of acknowledgement; that its register is asked for again says that the value
    before was taken, for a connector keeps what it has read before it reads on. A new connection finds the register as
    it was.
    """

    def __init__(self) -> None:
        super().__init__()
        self.put(HOLDING, 0, [0])
        self.waiting: deque[int] = deque()
        self.is_shown = False
        self.asked = asyncio.Event()

    async def read(self, function: int, start: int, count: int) -> list[int] | ExcCodes:
        if function == 3 and start == 0:
            if self.is_shown and self.waiting:
                self.waiting.popleft()
                self.is_shown = False
            if self.waiting:
                self.put(HOLDING, 0, [self.waiting[0]])
                self.is_shown = True
            self.asked.set()
        return await super().read(function, start, count)


class FakeModbus:
    """Speaks Modbus TCP on a port of its own. Addresses: `ADDRESS`, and `many` for ten thousand more."""

    ADDRESS = "1:holding:0"

    def __init__(self) -> None:
        self.memory = _OneByOne()
        self.others = UnitMemory()
        self.others.put(HOLDING, 0, [0] * 10_000)
        self.is_spoiling = False
        self.spoiled = asyncio.Event()
        self.server = ModbusServer(
            {1: self.memory, 2: self.others}, trace_packet=self._packet, trace_connect=self._connected
        )

    @staticmethod
    def many(number: int) -> str:
        """Address of one of ten thousand registers."""
        return f"2:holding:{number}"

    def _packet(self, is_sending: bool, data: bytes) -> bytes:
        if is_sending and self.is_spoiling:
            self.is_spoiling = False
            self.spoiled.set()
            return b"\x00\x01GET / HTTP/1.1\r\n"
        return data

    def _connected(self, is_up: bool) -> None:
        if is_up:
            self.memory.is_shown = False

    async def send(self, value: int, count: int = 1) -> None:
        """Show values one after another; return when the last was taken. Raises `OSError` when nobody asks."""
        self.memory.waiting.extend(range(value, value + count))
        try:
            async with asyncio.timeout(WAIT_S):
                while self.memory.waiting:
                    self.memory.asked.clear()
                    await self.memory.asked.wait()
        except TimeoutError as error:
            raise ConnectionResetError("Nobody asks for the value.") from error

    async def send_malformed(self) -> None:
        """Answer the next question with what is no Modbus."""
        self.is_spoiling = True
        self.spoiled.clear()
        async with asyncio.timeout(WAIT_S):
            await self.spoiled.wait()

    async def send_many_tags(self, count: int) -> None:
        """Change all the other registers."""
        self.others.put(HOLDING, 0, self._some(count))

    @staticmethod
    def _some(count: int) -> Sequence[int]:
        return [number % 1000 + 1 for number in range(count)]

    async def read(self) -> int:
        """Return what the register at `ADDRESS` holds."""
        return self.memory.tables[HOLDING][0]

    async def go_away(self) -> None:
        """End the server and every connection."""
        await self.server.stop()

    async def come_back(self) -> None:
        """Listen on the same port, with the registers as they were."""
        await self.server.start()
