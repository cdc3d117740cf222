"""Writing to machines: interlocks, at most once, one at a time for each source, and what became of it as a fact.

A command is never repeated. One that came twice is answered as the first time and not carried out again; one whose fate
is not known is reported so.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from typing import Any

import msgspec

from yuheng.bus.messages import CommandOutcome, CommandTaken, WriteCommand
from yuheng.gateway.connector import CommandRefused, ReadBack, Value

logger = logging.getLogger(__name__)

WAITING_MOST = 100
"""Commands that may wait for one source. Policy: *refuse the newest*, with a sentence."""
REMEMBERED = 10_000
"""Ids of commands kept to recognise one that comes twice. Policy: *forget the oldest*, long expired by then."""
REPORT_WITHIN_S = 1.0
"""How long a gateway that ends waits to tell what became of a command under way."""

Write = Callable[[str, Value], Awaitable[ReadBack]]
Report = Callable[[int, CommandOutcome], Coroutine[Any, Any, None]]


class CommandDesk:
    """Takes commands, carries them out in order, and reports. ``find_write`` checks the interlocks of now."""

    def __init__(self, find_write: Callable[[int, str], Write], report: Report, now_us: Callable[[], int]) -> None:
        """Set up.

        Parameters
        ----------
        find_write
            Called with source id and address when the command's turn has come; returns how to write there, or raises
            `CommandRefused` when source or tag are not switched on for writing, or nothing is connected.
        report
            Keeps an outcome durably; waits while the log cannot take it.
        """
        self._find_write = find_write
        self._report = report
        self._now_us = now_us
        self._queues: dict[int, asyncio.Queue[WriteCommand]] = {}
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._seen: OrderedDict[str, CommandTaken] = OrderedDict()
        self._reports: set[asyncio.Task[None]] = set()
        self.counts = {"taken": 0, "refused": 0, "confirmed": 0, "timed_out": 0, "unknown": 0}

    def take(self, source_id: int, command: WriteCommand) -> CommandTaken:
        """Answer at once whether it will be tried; then an outcome follows in any case."""
        known = self._seen.get(command.id)
        if known is not None:
            return known
        answer = self._admit(source_id, command)
        self._seen[command.id] = answer
        while len(self._seen) > REMEMBERED:
            self._seen.popitem(last=False)
        self.counts["taken" if answer.is_taken else "refused"] += 1
        return answer

    def _admit(self, source_id: int, command: WriteCommand) -> CommandTaken:
        if self._now_us() > command.expires_us:
            return CommandTaken(False, "The command came after its time and was not carried out.")
        try:
            self._find_write(source_id, command.address)
        except CommandRefused as refused:
            return CommandTaken(False, str(refused))
        queue = self._queues.setdefault(source_id, asyncio.Queue(WAITING_MOST))
        if queue.full():
            return CommandTaken(False, "Too many commands wait for this source. Try again in a moment.")
        queue.put_nowait(command)
        if source_id not in self._tasks:
            self._tasks[source_id] = asyncio.get_running_loop().create_task(
                self._work_off(source_id, queue), name=f"commands of source {source_id}"
            )
        return CommandTaken(True)

    async def _work_off(self, source_id: int, queue: asyncio.Queue[WriteCommand]) -> None:
        """Carry out what waits, in order; the task lives only while there is something."""
        try:
            while not queue.empty():
                command = queue.get_nowait()
                self._tell(source_id, await self._carry_out(source_id, command))
        finally:
            self._tasks.pop(source_id, None)

    async def _carry_out(self, source_id: int, command: WriteCommand) -> CommandOutcome:
        if self._now_us() > command.expires_us:
            return self._outcome(command, "refused", "The command's time was over before its turn came.")
        try:
            write = self._find_write(source_id, command.address)
            async with asyncio.timeout(command.timeout_s):
                back = await write(command.address, command.value)
        except CommandRefused as refused:
            return self._outcome(command, "refused", str(refused))
        except TimeoutError:
            sentence = f"The machine did not answer within {command.timeout_s:g} s. It may have carried it out."
            return self._outcome(command, "timed_out", sentence)
        except asyncio.CancelledError:
            self._tell(source_id, self._outcome(command, "unknown", "The gateway ended while it was being written."))
            raise
        except Exception as error:
            logger.debug("command %s", command.id, exc_info=error)
            reason = str(error).rstrip(".") or type(error).__name__
            sentence = f"The connection failed while it was being written: {reason}. It may have been carried out."
            return self._outcome(command, "unknown", sentence)
        if back.is_confirmed:
            return self._outcome(command, "confirmed", back.sentence or "Read back as written.", back.value)
        sentence = back.sentence or "The machine took it, but does not show the value."
        return self._outcome(command, "timed_out", sentence, back.value)

    def _outcome(
        self, command: WriteCommand, state: str, sentence: str, read_back: Value | None = None
    ) -> CommandOutcome:
        self.counts[state] += 1
        return CommandOutcome(command.id, state, sentence, self._now_us(), read_back)

    def _tell(self, source_id: int, outcome: CommandOutcome) -> None:
        """Report beside the work: a log that is away must not keep the next command from its machine."""
        task = asyncio.get_running_loop().create_task(self._report(source_id, outcome))
        self._reports.add(task)
        task.add_done_callback(self._reports.discard)

    async def stop(self) -> None:
        """End what is under way, reported as unknown as far as the log takes it now."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._reports:
            await asyncio.wait(self._reports, timeout=REPORT_WITHIN_S)
        for report in self._reports:
            report.cancel()


def read_write_command(payload: bytes) -> WriteCommand | None:
    """Return the write command in a message; None when it is another command, or none."""
    with suppress(msgspec.DecodeError, UnicodeDecodeError):
        return msgspec.json.decode(payload, type=WriteCommand)
    return None
