"""One TCP connection to a Modbus server, through pymodbus: one question at a time, and every failure with its kind."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from enum import StrEnum
from typing import Any

from pymodbus.client import AsyncModbusTcpClient
from pymodbus.exceptions import ModbusException
from pymodbus.pdu import ModbusPDU

from yuheng.connectors.modbus.addresses import Table

logging.getLogger("pymodbus.logging").setLevel(logging.CRITICAL)  # we say ourselves what failed, once

_HEADER = 7
_LONGEST_FRAME = 254  # what the length field may say: unit, function and at most 252 bytes
_NEVER = 10**9  # pymodbus counts timeouts and closes; we decide that


class Failure(StrEnum):
    """Why a question has no answer; decides what is done about it."""

    TIMEOUT = "timeout"
    LOST = "lost"  # the connection
    MALFORMED = "malformed"  # what came is no answer to what was asked
    FUNCTION = "function"  # exception 1
    ADDRESS = "address"  # exception 2, and 3: some devices say so about a range that is partly not there
    DEVICE = "device"  # exceptions 4 and 8
    BUSY = "busy"  # exceptions 5 and 6
    GATEWAY = "gateway"  # exceptions 10 and 11: the unit behind a gateway
    OTHER = "other"


_EXCEPTIONS = {
    1: (Failure.FUNCTION, "illegal function (exception 1)"),
    2: (Failure.ADDRESS, "illegal data address (exception 2)"),
    3: (Failure.ADDRESS, "illegal data value (exception 3)"),
    4: (Failure.DEVICE, "device failure (exception 4)"),
    5: (Failure.BUSY, "acknowledged, not done yet (exception 5)"),
    6: (Failure.BUSY, "device busy (exception 6)"),
    7: (Failure.DEVICE, "not acknowledged (exception 7)"),
    8: (Failure.DEVICE, "memory parity error (exception 8)"),
    10: (Failure.GATEWAY, "gateway has no path to the unit (exception 10)"),
    11: (Failure.GATEWAY, "the unit behind the gateway does not answer (exception 11)"),
}


class AskFailed(Exception):
    """There is no answer; ``kind`` and the message say why. ``frame`` is what came instead, when something did."""

    def __init__(self, kind: Failure, sentence: str, frame: bytes = b"") -> None:
        super().__init__(sentence)
        self.kind = kind
        self.sentence = sentence
        self.frame = frame

    @property
    def is_exception_answer(self) -> bool:
        """Whether the device itself said no: then nothing was done."""
        return self.kind not in (Failure.TIMEOUT, Failure.LOST, Failure.MALFORMED)


class Link:
    """A connection. Made inside a running loop; `close` when done.

    Parameters
    ----------
    timeout_s
        For connecting, and for each answer.
    pause_s
        Least time between an answer and the next question, for devices that need it.
    count
        Told of ``stale_answers`` (another question's transaction) and ``malformed_frames``.
    """

    def __init__(self, host: str, port: int, *, timeout_s: float, pause_s: float, count: Callable[[str], None]) -> None:
        self.where = f"{host}:{port}"
        self._timeout_s = timeout_s
        self._pause_s = pause_s
        self._count = count
        self._lock = asyncio.Lock()
        self._is_asking = False
        self._quiet_until = 0.0
        self._timeouts = 0
        self._client = AsyncModbusTcpClient(
            host, port=port, timeout=timeout_s, retries=0, reconnect_delay=0, trace_connect=self._turned
        )
        self._client.ctx.max_until_disconnect = self._client.ctx.count_until_disconnect = _NEVER
        self._take = self._client.ctx.callback_data
        self._client.ctx.callback_data = self._received  # type: ignore[method-assign]

    @property
    def is_up(self) -> bool:
        """Whether there is a connection."""
        return bool(self._client.connected)

    async def connect(self) -> None:
        """Connect, unless connected.

        Raises
        ------
        AskFailed
            ``lost``, with the system's own reason.
        """
        if self.is_up:
            return
        context = self._client.ctx
        context.is_closing = False
        try:
            # pymodbus's own `connect` keeps the reason to itself.
            async with asyncio.timeout(self._timeout_s):
                await context.call_create()
        except TimeoutError as error:
            raise AskFailed(Failure.LOST, f"{self.where} does not answer within {self._timeout_s:g} s.") from error
        except OSError as error:
            raise AskFailed(Failure.LOST, f"{self.where} cannot be reached: {error.strerror or error}.") from error
        context.max_until_disconnect = context.count_until_disconnect = _NEVER
        self._timeouts = 0

    def close(self) -> None:
        """Close; may be connected again."""
        self._client.close()

    async def read(self, unit: int, table: Table, start: int, count: int) -> Sequence[int]:
        """Read registers, or bits as 0 and 1. Raises `AskFailed`."""
        answer = await self._ask(table.read_function, self._question(unit, table, start, count))
        found = answer.bits[:count] if table.is_bits else answer.registers
        if len(found) != count:
            self._count("malformed_frames")
            raise AskFailed(Failure.MALFORMED, f"{len(found)} values came where {count} were asked for")
        return [int(value) for value in found]

    def _question(self, unit: int, table: Table, start: int, count: int) -> Callable[[], Awaitable[ModbusPDU]]:
        client = self._client
        if table is Table.COIL:
            return lambda: client.read_coils(start, count=count, device_id=unit)
        if table is Table.DISCRETE:
            return lambda: client.read_discrete_inputs(start, count=count, device_id=unit)
        if table is Table.INPUT:
            return lambda: client.read_input_registers(start, count=count, device_id=unit)
        return lambda: client.read_holding_registers(start, count=count, device_id=unit)

    async def write_coil(self, unit: int, place: int, *, is_on: bool) -> None:
        """Write one coil (function 5). Raises `AskFailed`."""
        await self._ask(5, lambda: self._client.write_coil(place, is_on, device_id=unit))

    async def write_registers(self, unit: int, start: int, registers: Sequence[int], *, as_many: bool) -> None:
        """Write registers: one with function 6, unless ``as_many``; several with function 16. Raises `AskFailed`."""
        if len(registers) == 1 and not as_many:
            await self._ask(6, lambda: self._client.write_register(start, registers[0], device_id=unit))
        else:
            await self._ask(16, lambda: self._client.write_registers(start, list(registers), device_id=unit))

    async def mask_register(self, unit: int, place: int, and_mask: int, or_mask: int) -> None:
        """Set bits of a register at once (function 22). Raises `AskFailed`."""
        await self._ask(
            22,
            lambda: self._client.mask_write_register(address=place, and_mask=and_mask, or_mask=or_mask, device_id=unit),
        )

    async def _ask(self, function: int, question: Callable[[], Awaitable[ModbusPDU]]) -> Any:
        async with self._lock:
            if not self.is_up:
                raise AskFailed(Failure.LOST, f"{self.where} is not connected.")
            await self._wait_for_quiet()
            self._is_asking = True
            try:
                answer = await question()
            except AskFailed:
                self.close()
                raise
            except (ModbusException, OSError) as error:
                raise self._silent() from error
            finally:
                self._is_asking = False
                self._quiet_until = asyncio.get_running_loop().time() + self._pause_s
        self._timeouts = 0
        _end_if_cancelled()
        if answer.isError():
            code = int(answer.exception_code)
            raise AskFailed(*_EXCEPTIONS.get(code, (Failure.OTHER, f"exception {code}")))
        if answer.function_code != function:
            self._count("malformed_frames")
            raise AskFailed(Failure.MALFORMED, f"function {answer.function_code} came where {function} was asked for")
        return answer

    def _silent(self) -> AskFailed:
        """Return what a question without an answer means; a connection on which all is silent is given up."""
        if not self.is_up:
            return AskFailed(Failure.LOST, f"{self.where} closed the connection.")
        self._timeouts += 1
        if self._timeouts > 1:
            self.close()
        return AskFailed(Failure.TIMEOUT, f"no answer within {self._timeout_s:g} s")

    async def _wait_for_quiet(self) -> None:
        pause_s = self._quiet_until - asyncio.get_running_loop().time()
        if self._pause_s and pause_s > 0:
            await asyncio.sleep(pause_s)

    # ---- called by pymodbus ---------------------------------------------------------------------------------------

    def _turned(self, is_up: bool) -> None:
        """Connected or disconnected: whoever waits for an answer need not wait for its time to be over."""
        if not is_up:
            self._give_up(AskFailed(Failure.LOST, f"{self.where} closed the connection."))

    def _received(self, data: bytes, addr: Any = None) -> int:
        """Take bytes. Impossible frames are found out here: pymodbus would wait for more, or raise into the loop."""
        trouble = _what_is_wrong_with(data)
        if not trouble:
            try:
                used = self._take(data, addr)
            except Exception as error:  # whatever a decoder makes of hostile bytes
                trouble = str(error) or type(error).__name__
            else:
                if used and self._is_asking and not self._client.ctx.response_future.done():
                    self._count("stale_answers")
                return used
        self._count("malformed_frames")
        self._give_up(AskFailed(Failure.MALFORMED, f"what came is no Modbus answer: {trouble}", bytes(data)))
        return len(data)

    def _give_up(self, why: AskFailed) -> None:
        future = self._client.ctx.response_future
        if self._is_asking and not future.done():
            future.set_exception(why)


def _end_if_cancelled() -> None:
    """Python 3.11's ``wait_for``, inside pymodbus, forgets a cancellation that comes together with the answer."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


def _what_is_wrong_with(data: bytes) -> str:
    if len(data) < _HEADER:
        return ""
    if data[2:4] != b"\0\0":
        return f"protocol {int.from_bytes(data[2:4], 'big')} in its header"
    length = int.from_bytes(data[4:6], "big")
    return "" if 2 <= length <= _LONGEST_FRAME else f"length {length} in its header"
