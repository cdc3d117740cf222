"""From readings of nodes to samples of addresses, kept durably before anything is acknowledged."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from typing import Any

from yuheng.bus.messages import SampleBatch
from yuheng.connectors.opcua.addresses import Address, Step
from yuheng.connectors.opcua.memory import Memory
from yuheng.connectors.opcua.structures import NotDecodable, Structures
from yuheng.connectors.opcua.values import NoSuchPart, part_at, plain, quality_of
from yuheng.connectors.opcua.wire import PORTION, Reading, us_of
from yuheng.engines.points import Quality
from yuheng.gateway.connector import Context

BATCH = 20_000
"""Values in one message to the log: some 2 MB of its 16."""

_PLAIN = (bool, int, float, str)
_GOOD, _BAD = int(Quality.GOOD), int(Quality.BAD)


class Delivery:
    """Knows which addresses want which part of which node."""

    def __init__(self, context: Context, memory: Memory, structures: Structures, timestamps: str) -> None:
        self._context = context
        self._memory = memory
        self._structures = structures
        self._timestamps = timestamps
        self._wanted: dict[int, list[tuple[str, tuple[Step, ...]]]] = {}
        self.missing: dict[str, str] = {}
        """Addresses whose part is not in the value, and why."""

    def want(self, handle: int, addresses: Iterable[tuple[str, Address]]) -> None:
        """Deliver these addresses from a node, and no others."""
        self._wanted[handle] = [(text, address.steps) for text, address in addresses]

    def forget(self, handle: int) -> None:
        """Deliver nothing from a node any more."""
        self._wanted.pop(handle, None)

    def wants(self, handle: int) -> bool:
        """Return whether any address wants a node."""
        return handle in self._wanted

    def addresses_of(self, handle: int) -> list[str]:
        """Return the addresses that want something of a node."""
        return [text for text, _ in self._wanted.get(handle, ())]

    def ticks_of(self, reading: Reading) -> int:
        """Return the time of a value by the clock that was chosen; 0 when it has none."""
        if self._timestamps == "server":
            return reading.server_ticks or reading.source_ticks
        return 0 if self._timestamps == "arrival" else reading.source_ticks or reading.server_ticks

    async def deliver(self, readings: Sequence[Reading]) -> None:
        """Return when all of them are kept. Remembers the newest of each node."""
        for start in range(0, len(readings), BATCH):
            some = readings[start : start + BATCH]
            batch = await self._batch(some)
            if batch.addresses:
                await self._context.emit_samples(batch)
            for reading in some:
                self._memory.saw(reading.handle, reading.source_ticks or reading.server_ticks)

    async def say_bad(self, addresses: Iterable[str]) -> None:
        """Tell that these addresses have no value now."""
        now_us = self._context.now_us()
        found = list(addresses)
        for start in range(0, len(found), BATCH):
            some = found[start : start + BATCH]
            count = len(some)
            await self._context.emit_samples(SampleBatch(some, [now_us] * count, [None] * count, [_BAD] * count))

    async def _batch(self, readings: Sequence[Reading]) -> SampleBatch:
        addresses: list[str] = []
        times: list[int] = []
        values: list[Any] = []
        qualities: list[int] = []
        seqs: list[int] = []
        now_us = self._context.now_us()
        for count, reading in enumerate(readings, 1):
            ticks = self.ticks_of(reading)
            time_us, seq = (us_of(ticks), ticks % 10) if ticks > 0 else (now_us, 0)
            for address, steps in self._wanted.get(reading.handle, ()):
                value, quality = self._value(address, steps, reading)
                addresses.append(address)
                times.append(time_us)
                values.append(value)
                qualities.append(quality)
                seqs.append(seq)
            if count % PORTION == 0:
                await asyncio.sleep(0)
        return SampleBatch(addresses, times, values, qualities, seqs)

    def _value(self, address: str, steps: tuple[Step, ...], reading: Reading) -> tuple[Any, int]:
        quality = _GOOD if reading.status == 0 else int(quality_of(reading.status))
        if quality == _BAD:
            return None, _BAD
        value = reading.value
        if not steps and type(value) in _PLAIN:
            return value, quality
        try:
            found = plain(part_at(self._structures.decoded(value), steps))
        except (NoSuchPart, NotDecodable) as reason:
            self.missing[address] = str(reason)
            self._context.count("values_without_the_part")
            return None, _BAD
        except Exception as error:  # a structure of a foreign server: its bytes must not end the session
            self.missing[address] = f"it cannot be decoded ({type(error).__name__})"
            self._context.count("values_not_decodable")
            return None, _BAD
        self.missing.pop(address, None)
        return found, quality if found is not None else _BAD
