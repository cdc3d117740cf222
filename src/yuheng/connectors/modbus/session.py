"""Polling a Modbus server: what its tags name is read block by block, each at its rhythm, for ever.

Values are kept in the log before the same registers are asked for again, so nothing that was read waits in memory. A
polled device keeps nothing while it is not asked: what could not be had is said exactly, as one point of bad quality
where the values end, and as a gap with its reason once they come again.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

from yuheng.bus.messages import SampleBatch
from yuheng.connectors.modbus.addresses import AddressRefused
from yuheng.connectors.modbus.blocks import Limits
from yuheng.connectors.modbus.link import AskFailed, Failure, Link
from yuheng.connectors.modbus.looking import look
from yuheng.connectors.modbus.polls import Agenda, Poll, Unit, plan_polls, read_points, read_rates
from yuheng.connectors.modbus.values import NoValue, decode
from yuheng.connectors.modbus.writing import write_value
from yuheng.engines.points import Quality
from yuheng.gateway.connector import (
    BrowsePage,
    CommandRefused,
    ConfigRefused,
    Context,
    Gap,
    PayloadRefused,
    ReadBack,
    State,
    TagAddress,
    Value,
)

_VALUES_AT_ONCE = 2000
_FACTS = 20
_PAUSE_FIRST_S, _PAUSE_MOST_S = 0.25, 10.0
_REMEMBER_EVERY_S = 5.0
_KEEP_FRAME_EVERY_S = 10.0  # of malformed ones: a broken device must not fill the dead letters
_SPARE_LINK_IDLE_S = 30.0
_TELL_GAPS_S = 5.0  # at the latest, where polls leave no rest


@asynccontextmanager
async def open_session(config: Mapping[str, Any], context: Context) -> AsyncIterator[ModbusSession]:
    """Make a session and close its connections behind it. Raises `ConfigRefused`."""
    session = ModbusSession(config, context)
    try:
        yield session
    finally:
        session.close()


class ModbusSession:
    """One server, with the units behind it."""

    def __init__(self, config: Mapping[str, Any], context: Context) -> None:
        self._context = context
        self._limits = Limits(
            registers=int(config.get("max_registers", 125)),
            bits=int(config.get("max_bits", 2000)),
            gap=int(config.get("gap_registers", 8)),
        )
        self._every_s = float(config.get("every_s", 1.0))
        self._retries = int(config.get("retries", 1))
        self._encoding = str(config.get("string_encoding", "utf-8"))
        self._writes_as_many = bool(config.get("writes_as_many", False))
        self._merges_bits = bool(config.get("merges_bits", False))
        self._timeout_s = float(config.get("timeout_s", 1.0))
        try:
            self._rates = read_rates(config.get("rates", ()))
        except AddressRefused as refusal:
            raise ConfigRefused(str(refusal)) from refusal
        given = (str(config["host"]), int(config.get("port", 502)))
        pause_s = float(config.get("pause_ms", 0)) / 1000
        self._link = Link(*given, timeout_s=self._timeout_s, pause_s=pause_s, count=context.count)
        self._spare = Link(*given, timeout_s=self._timeout_s, pause_s=pause_s, count=context.count)
        self._has_spare = int(config.get("connections", 2)) > 1
        self._units: dict[int, Unit] = {}
        self._wrong: dict[str, str] = {}  # addresses that cannot be read at all, and why
        self._no_value: dict[str, str] = {}  # addresses whose registers hold no value now
        self._agenda, self._probes = Agenda(), Agenda()
        self._wake, self._wake_spare = asyncio.Event(), asyncio.Event()
        self._out: tuple[list[str], list[int], list[Any], list[int]] = ([], [], [], [])
        self._unsent: set[Poll] = set()
        self._gaps: dict[str, tuple[int, int, list[str]]] = {}
        self._is_news = True
        self._told_facts: set[str] = set()
        self._lost_in_a_row = 0
        self._was_connected = False
        self._frame_kept_at = -_KEEP_FRAME_EVERY_S
        self._before_us = 0  # when values came last, in an earlier life
        self._last_ok_us = 0
        self._held = ""  # why polls are late
        self._gap_since = 0.0

    def close(self) -> None:
        """Close the connections."""
        self._link.close()
        self._spare.close()

    async def run(self) -> None:
        """Poll until cancelled."""
        self._before_us = await asyncio.to_thread(self._remembered)
        self._plan(self._context.tags)
        async with asyncio.TaskGroup() as group:
            group.create_task(self._follow_tags())
            group.create_task(self._poll())
            group.create_task(self._remember())
            if self._has_spare:
                group.create_task(self._probe())

    # ---- the plan ---------------------------------------------------------------------------------------------

    async def _follow_tags(self) -> None:
        known = self._context.tags
        while True:
            known = await self._context.tags_after(known)
            self._plan(known)

    def _plan(self, tags: Sequence[TagAddress]) -> None:
        """Make the polls anew; what was read a moment ago is known to have been."""
        points, self._wrong = read_points(tag.address for tag in tags)
        ok_us = {point.text: poll.last_ok_us for poll in self._polls() for point in poll.block.points}
        for poll in self._polls():
            self._agenda.drop(poll)
        now = self._now()
        self._units, too_wide = plan_polls(points, self._limits, usual_s=self._every_s, rates=self._rates, now=now)
        self._wrong |= too_wide
        self._no_value = {}
        for poll in self._polls():
            poll.last_ok_us = min((ok_us.get(point.text, 0) for point in poll.block.points), default=0)
            self._agenda.add(poll, now)
        for text in self._wrong:
            self._put(text, self._context.now_us(), None, Quality.BAD)
        self._is_news = True
        self._wake.set()

    def _polls(self) -> list[Poll]:
        return [poll for unit in self._units.values() for poll in unit.polls]

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()

    # ---- the two connections ----------------------------------------------------------------------------------

    async def _poll(self) -> None:
        """Read what is due over the first connection; probe silent units, too, when there is no second one."""
        while True:
            if not self._link.is_up:
                await self._connect()
            now = self._now()
            poll = self._agenda.take(now)
            if poll is None and not self._has_spare:
                poll = self._probes.take(now)
            if poll is None:
                await self._flush(is_idle=True)
                await self._until_due(self._wake, self._agenda, None if self._has_spare else self._probes)
                continue
            if poll in self._unsent or len(self._out[0]) >= _VALUES_AT_ONCE:
                await self._flush()
            await self._read(self._link, poll)

    async def _probe(self) -> None:
        """Ask silent units over a second connection, so that waiting for them holds up nobody."""
        idle_since = self._now()
        while True:
            poll = self._probes.take(self._now())
            if poll is None:
                await self._flush()
                if self._spare.is_up and self._now() - idle_since > _SPARE_LINK_IDLE_S:
                    self._spare.close()
                await self._until_due(self._wake_spare, self._probes, None)
                continue
            idle_since = self._now()
            try:
                await self._spare.connect()
            except AskFailed:
                if self._link.is_up:  # the device takes one connection only
                    self._has_spare = False
                    self._probes.add(poll, self._now())
                    self._wake.set()
                    return
                self._probes.add(poll, self._now() + poll.unit.pause_s)
                continue
            await self._read(self._spare, poll)

    async def _until_due(self, wake: asyncio.Event, first: Agenda, second: Agenda | None) -> None:
        dues = [due for agenda in (first, second) if agenda is not None and (due := agenda.next_due()) is not None]
        with suppress(TimeoutError):
            async with asyncio.timeout_at(min([*dues, self._now() + _SPARE_LINK_IDLE_S])):
                await wake.wait()
        wake.clear()

    async def _connect(self) -> None:
        """Connect, for as long as it takes: 0.25 s between attempts, doubling to 10 s."""
        pause_s = _PAUSE_FIRST_S
        if self._lost_in_a_row > 1:  # it takes the connection, but no question
            await self._away("The device closes the connection instead of answering.")
            await asyncio.sleep(min(_PAUSE_FIRST_S * 2**self._lost_in_a_row, _PAUSE_MOST_S))
        while True:
            try:
                await self._link.connect()
            except AskFailed as failure:
                await self._away(failure.sentence)
                await asyncio.sleep(pause_s * random.uniform(0.75, 1.25))
                pause_s = min(pause_s * 2, _PAUSE_MOST_S)
                continue
            break
        if self._was_connected:
            self._context.count("reconnects")
        self._was_connected = True
        now = self._now()
        for poll in self._polls():
            if not poll.unit.silent_for:
                self._agenda.add(poll, min(poll.due, now))
        self._is_news = True
        if not self._polls():
            await self._flush()

    async def _away(self, sentence: str) -> None:
        """Nothing can be read: say so once for each tag, and in the health."""
        for poll in self._polls():
            self._bad(poll, sentence)
        await self._flush()
        self._context.set_health(State.FAILED, sentence)

    # ---- one read ---------------------------------------------------------------------------------------------

    async def _read(self, link: Link, poll: Poll) -> None:
        block = poll.block
        self._context.count("requests")
        try:
            values = await link.read(block.unit, block.table, block.start, block.count)
        except AskFailed as failure:
            await self._failed(link, poll, failure)
        else:
            self._lost_in_a_row = 0
            self._good(poll, values)

    def _good(self, poll: Poll, values: Sequence[int]) -> None:
        now_us = self._context.now_us()
        self._note_gap(poll, now_us)
        for point in poll.block.points:
            try:
                value = decode(point.address, poll.block.part(point, values), encoding=self._encoding)
            except NoValue as reason:
                self._put(point.text, now_us, None, Quality.BAD)
                if self._no_value.get(point.text) != str(reason):
                    self._no_value[point.text] = str(reason)
                    self._is_news = True
            else:
                self._put(point.text, now_us, value, Quality.GOOD)
                if self._no_value and self._no_value.pop(point.text, ""):
                    self._is_news = True
        self._unsent.add(poll)
        if poll.trouble:
            self._is_news = True
        poll.trouble, poll.is_told, poll.is_hopeless, poll.failures = "", False, False, 0
        poll.last_ok_us = self._last_ok_us = now_us
        now = self._now()
        if poll.unit.silent_for:
            poll.unit.silent_for = ""
            for other in poll.unit.polls:
                self._agenda.add(other, now)
            self._wake.set()
        self._agenda.add(poll, poll.next_due(now))

    async def _failed(self, link: Link, poll: Poll, failure: AskFailed) -> None:
        self._context.count(f"failed_{failure.kind.value}")
        poll.failures += 1
        is_last_try = poll.failures > self._retries
        now = self._now()
        if failure.kind in (Failure.LOST, Failure.MALFORMED):
            await self._broken(link, poll, failure)
            self._again(poll, now)
        elif failure.kind in (Failure.TIMEOUT, Failure.GATEWAY):
            if is_last_try or poll.unit.silent_for:
                self._silent(poll, failure.sentence)
            else:
                self._again(poll, now)
        elif failure.kind is Failure.ADDRESS and poll.block.can_be_split:
            self._split(poll)
        elif failure.kind in (Failure.DEVICE, Failure.BUSY):
            if is_last_try:
                self._bad(poll, failure.sentence)
                if failure.kind is Failure.DEVICE and poll.block.can_be_split:
                    self._split(poll)
                    return
            self._agenda.add(poll, poll.next_due(now) if is_last_try else now + min(0.2, self._every_s))
        else:
            poll.is_hopeless = True
            self._bad(poll, failure.sentence)
            self._agenda.add(poll, poll.next_due(now))

    def _again(self, poll: Poll, now: float) -> None:
        """Try the same soon: a silent unit stays with the probes."""
        if poll.unit.silent_for:
            self._probes.add(poll, now + poll.unit.pause_s)
            self._wake_spare.set()
        else:
            self._agenda.add(poll, now)

    async def _broken(self, link: Link, poll: Poll, failure: AskFailed) -> None:
        """The stream of answers cannot be trusted, or has ended: begin a new connection."""
        link.close()
        self._lost_in_a_row += 1
        if poll.failures > self._retries:
            self._bad(poll, failure.sentence)
        if failure.frame and self._now() - self._frame_kept_at >= _KEEP_FRAME_EVERY_S:
            self._frame_kept_at = self._now()
            with suppress(PayloadRefused):
                await self._context.emit_raw(f"modbus/{poll.block}", failure.frame)

    def _silent(self, poll: Poll, sentence: str) -> None:
        """A unit does not answer: leave it alone for a while; its tags are bad, the others go on."""
        unit = poll.unit
        pause_s = unit.fall_silent(sentence)
        for other in unit.polls:
            self._bad(other, f"unit {unit.number}: {sentence}")
            self._agenda.drop(other)
        self._probes.add(poll, self._now() + pause_s)
        self._wake_spare.set()

    def _split(self, poll: Poll) -> None:
        """Some register of the block is not there: find out which, by halves."""
        self._context.count("narrowed")
        self._agenda.drop(poll)
        polls = poll.unit.polls
        place = polls.index(poll)
        now = self._now()
        polls[place : place + 1] = [
            Poll(half, poll.unit, poll.every_s, now, poll.last_ok_us, poll.trouble, poll.is_told)
            for half in poll.block.halves()
        ]
        for half in polls[place : place + 2]:
            self._agenda.add(half, now)

    def _bad(self, poll: Poll, why: str) -> None:
        """Say once, from the moment at which values are missing, that a block's tags have none, and remember why."""
        if poll.trouble != why:
            poll.trouble = why
            self._is_news = True
        if poll.is_told:
            return
        poll.is_told = True
        late_us = max(0, round((self._now() - poll.due) * 1e6))
        missed_us = max(self._context.now_us() - late_us, poll.last_ok_us + 1)
        for point in poll.block.points:
            self._put(point.text, missed_us, None, Quality.BAD)

    # ---- what could not be had --------------------------------------------------------------------------------

    def _note_gap(self, poll: Poll, now_us: int) -> None:
        start_us, why = poll.last_ok_us, poll.trouble
        if not start_us and self._before_us:
            start_us, why = (
                self._before_us,
                why or "The gateway did not ask: it was not running, or the source was off.",
            )
            ended_us = start_us + round((_REMEMBER_EVERY_S + 1) * 1e6)
            if ended_us < now_us and not poll.is_told:
                for point in poll.block.points:
                    self._put(point.text, ended_us, None, Quality.BAD)
        bearable_us = 1e6 * (2 * poll.every_s + (_REMEMBER_EVERY_S + 1 if start_us == self._before_us else 1))
        if not start_us or (now_us - start_us < bearable_us and not poll.is_told):
            return
        why = why or self._held or "The device answers too slowly for this rhythm."
        if not self._gaps:
            self._gap_since = self._now()
        first, last, addresses = self._gaps.setdefault(why, (start_us, now_us, []))
        addresses.extend(point.text for point in poll.block.points)
        self._gaps[why] = (min(first, start_us), max(last, now_us), addresses)

    async def _tell_gaps(self) -> None:
        gaps, self._gaps = self._gaps, {}
        everything = sum(len(poll.block.points) for poll in self._polls())
        for why, (start_us, end_us, addresses) in gaps.items():
            some = tuple(dict.fromkeys(addresses))
            await self._context.report_gap(Gap(start_us, end_us, why, () if len(some) >= everything else some))

    # ---- out to the log ---------------------------------------------------------------------------------------

    def _put(self, address: str, time_us: int, value: Any, quality: Quality) -> None:
        addresses, times_us, values, qualities = self._out
        addresses.append(address)
        times_us.append(time_us)
        values.append(value)
        qualities.append(int(quality))

    async def _flush(self, *, is_idle: bool = False) -> None:
        """Keep what was read; waits while the log cannot take it, and nothing is read meanwhile.

        Gaps are told when all blocks that were due have been read, so that one outage is one gap.
        """
        began = self._now()
        if self._out[0]:
            addresses, times_us, values, qualities = self._out
            self._out = ([], [], [], [])
            self._unsent = set()
            await self._context.emit_samples(SampleBatch(addresses, times_us, values, qualities))
        took_s = self._now() - began
        if took_s > 1:
            self._held = "The log could not take values; the device was not asked meanwhile."
        elif self._held and not self._gaps:
            self._held = ""
        if self._gaps and (is_idle or began - self._gap_since > _TELL_GAPS_S):
            await self._tell_gaps()
        if self._is_news and self._link.is_up:
            self._tell()

    def problems(self) -> dict[str, str]:
        """Return why each address that has no good value has none."""
        found = dict(self._wrong)
        found |= {point.text: poll.trouble for poll in self._polls() if poll.trouble for point in poll.block.points}
        return found | self._no_value

    def _tell(self) -> None:
        """Say in one sentence how it is; the first addresses in trouble stand beside it, each with its reason."""
        polls = self._polls()
        if any(not poll.last_ok_us and not poll.trouble for poll in polls):
            return  # the first round is not over
        self._is_news = False
        problems = self.problems()
        facts = dict(list(problems.items())[:_FACTS])
        for name in self._told_facts - set(facts):
            self._context.set_fact(name, "")
        for name, reason in facts.items():
            self._context.set_fact(name, reason)
        self._told_facts = set(facts)
        total = sum(len(poll.block.points) for poll in polls) + len(self._wrong)
        if not total:
            self._context.set_health(State.CONNECTED, f"Connected to {self._link.where}. No tag has an address yet.")
        elif not problems:
            sentence = f"{total} addresses of {self._link.where} in {len(polls)} requests."
            self._context.set_health(State.CONNECTED, sentence)
        else:
            address, reason = next(iter(problems.items()))
            sentence = f"{len(problems)} of {total} addresses have no value: {address}: {reason.rstrip('.')}."
            self._context.set_health(State.DEGRADED, sentence)

    # ---- where we were ----------------------------------------------------------------------------------------

    async def _remember(self) -> None:
        """Keep, every few seconds, when values came last: an outage of ours has a beginning, too."""
        kept_us = 0
        while True:
            await asyncio.sleep(_REMEMBER_EVERY_S)
            if self._last_ok_us > kept_us:
                kept_us = self._last_ok_us
                await asyncio.to_thread(self._write_position, kept_us)

    def _write_position(self, time_us: int) -> None:
        path = self._context.state_dir / "position.json"
        scratch = path.with_suffix(".new")
        scratch.write_text(json.dumps({"last_us": time_us}), encoding="ascii")
        scratch.replace(path)

    def _remembered(self) -> int:
        with suppress(OSError, ValueError, KeyError, TypeError):
            found = json.loads((self._context.state_dir / "position.json").read_text(encoding="ascii"))
            return int(found["last_us"])
        return 0

    # ---- what others ask --------------------------------------------------------------------------------------

    async def write(self, address: str, value: Value) -> ReadBack:
        """Write one value once and read it back; see `connector.WritingSession`."""
        return await write_value(
            self._link,
            address,
            value,
            encoding=self._encoding,
            as_many=self._writes_as_many,
            merges_bits=self._merges_bits,
        )

    async def browse(self, node: str = "", cursor: str = "", search: str = "") -> BrowsePage:
        """List the configured map with its values now, or try addresses; see `looking`."""
        tags = {tag.address: tag for tag in self._context.tags}
        return await look(self._link, tags, self._limits, node, cursor, search, encoding=self._encoding)

    async def carry_out(self, command: Mapping[str, Any]) -> str:
        """Know one command: ``{"kind": "retry"}`` asks again, now, for everything that is bad."""
        if command.get("kind") != "retry":
            raise CommandRefused(f"Modbus sources know the command 'retry', not '{command.get('kind')}'.")
        now = self._now()
        bad = [poll for poll in self._polls() if poll.trouble]
        for poll in bad:
            (self._probes if poll.unit.silent_for else self._agenda).add(poll, now)
        self._wake.set()
        self._wake_spare.set()
        return f"Asking again for {len(bad)} blocks of registers."
