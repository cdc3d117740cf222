"""When which block is read, and what is known of it and of its unit. Pure: the clock comes in."""

from __future__ import annotations

import heapq
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from yuheng.connectors.modbus.addresses import Address, AddressRefused, Table, parse
from yuheng.connectors.modbus.blocks import Block, Limits, Point, plan_blocks

RETRY_BAD_S = 60.0
"""How often a register is asked for again that the device says it does not have."""

_PROBE_FIRST_S, _PROBE_MOST_S = 1.0, 30.0


@dataclass(eq=False, slots=True)
class Unit:
    """A unit behind the connection; ``silent_for`` says why it is left alone for a while, "" while it answers."""

    number: int
    polls: list[Poll] = field(default_factory=list)
    silent_for: str = ""
    pause_s: float = _PROBE_FIRST_S

    def fall_silent(self, why: str) -> float:
        """Note that it does not answer; return after how many seconds to try again (1, 2, ... 30)."""
        if self.silent_for:
            self.pause_s = min(self.pause_s * 2, _PROBE_MOST_S)
        else:
            self.pause_s = _PROBE_FIRST_S
        self.silent_for = why
        return self.pause_s


@dataclass(eq=False, slots=True)
class Poll:
    """One block and its rhythm.

    Attributes
    ----------
    due
        Loop time of the next read.
    last_ok_us
        Source time of the last values; 0: none yet.
    trouble
        Why its tags are bad now; "".
    is_told
        Whether the bad quality has been sent.
    is_hopeless
        The device says that it has no such thing: asking often is no use.
    ticket
        Its place in an agenda; -1: in none.
    """

    block: Block
    unit: Unit
    every_s: float
    due: float
    last_ok_us: int = 0
    trouble: str = ""
    is_told: bool = False
    is_hopeless: bool = False
    failures: int = 0
    ticket: int = -1

    def next_due(self, now: float) -> float:
        """Return when to read again; what was missed is not made up for."""
        return max(self.due + (max(self.every_s, RETRY_BAD_S) if self.is_hopeless else self.every_s), now)


class Agenda:
    """Polls by the time they are due. A poll stands in one agenda, once: adding it anew moves it."""

    _tickets = count()

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Poll]] = []

    def add(self, poll: Poll, due: float) -> None:
        """Put a poll in for a time, taking it out of wherever it stood."""
        poll.due, poll.ticket = due, next(self._tickets)
        heapq.heappush(self._heap, (due, poll.ticket, poll))

    def next_due(self) -> float | None:
        """Return when the first is due; None when there is none."""
        while self._heap and self._heap[0][2].ticket != self._heap[0][1]:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def take(self, now: float) -> Poll | None:
        """Take out the first that is due by now."""
        due = self.next_due()
        if due is None or due > now:
            return None
        poll = heapq.heappop(self._heap)[2]
        poll.ticket = -1
        return poll

    def drop(self, poll: Poll) -> None:
        """Take a poll out of wherever it stands."""
        poll.ticket = -1


# ---- rates ------------------------------------------------------------------------------------------------------

_RANGE = re.compile(r"(\d{1,3})(?::(coil|discrete|input|holding)(?::(\d{1,5})(?:-(\d{1,5}))?)?)?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Rate:
    """Some registers are read at a rhythm of their own: ``1``, ``1:input``, ``1:holding:100-199``."""

    every_s: float
    unit: int
    table: Table | None = None
    first: int = 0
    last: int = 65_535

    def covers(self, address: Address) -> bool:
        """Whether an address is among them."""
        return (
            address.unit == self.unit
            and self.table in (None, address.table)
            and self.first <= address.register <= self.last
        )


def read_rates(rates: Iterable[Mapping[str, Any]]) -> list[Rate]:
    """Read the setting ``rates``: a list of ``{"every_s": 10, "addresses": ["1:holding:100-199"]}``.

    Raises
    ------
    AddressRefused
        A range is none.
    """
    found: list[Rate] = []
    for rate in rates:
        for text in rate["addresses"]:
            parts = _RANGE.fullmatch(str(text).strip().lower())
            if parts is None or int(parts[1]) > 255:
                raise AddressRefused(f"'{text}' is no range: write 1, 1:input, 1:holding:100 or 1:holding:100-199.")
            table = Table(parts[2]) if parts[2] else None
            first = int(parts[3]) if parts[3] else 0
            last = int(parts[4]) if parts[4] else (first if parts[3] else 65_535)
            found.append(Rate(float(rate["every_s"]), int(parts[1]), table, first, last))
    return found


def write_rates(addresses: Mapping[str, float], *, usual_s: float) -> list[dict[str, Any]]:
    """Return the setting ``rates`` that gives each address its rhythm; neighbours are written as one range.

    Parameters
    ----------
    addresses
        Address -> seconds; those with ``usual_s`` need no entry, but end a range.
    """
    places = sorted(((parse(text), every_s) for text, every_s in addresses.items()), key=lambda one: _order(one[0]))
    by_rhythm: dict[float, list[str]] = {}
    for run, every_s in _runs(places):
        if every_s != usual_s:
            first, last = run[0], max(address.register for address in run)
            name = f"{first.unit}:{first.table.value}:{first.register}"
            by_rhythm.setdefault(every_s, []).append(name + (f"-{last}" if last > first.register else ""))
    return [{"every_s": every_s, "addresses": names} for every_s, names in sorted(by_rhythm.items())]


def _runs(places: Sequence[tuple[Address, float]]) -> Iterator[tuple[list[Address], float]]:
    run: list[Address] = []
    rhythm = 0.0
    for address, every_s in places:
        if run and (every_s != rhythm or _order(address)[:2] != _order(run[0])[:2]):
            yield run, rhythm
            run = []
        run.append(address)
        rhythm = every_s
    if run:
        yield run, rhythm


def _order(address: Address) -> tuple[int, str, int]:
    return address.unit, address.table.value, address.register


# ---- the plan ---------------------------------------------------------------------------------------------------


def read_points(texts: Iterable[str]) -> tuple[list[Point], dict[str, str]]:
    """Read the addresses of tags; returns those understood, and what is wrong with the others."""
    points: list[Point] = []
    wrong: dict[str, str] = {}
    for text in texts:
        try:
            points.append(Point(text, parse(text)))
        except AddressRefused as refusal:
            wrong[text] = str(refusal)
    return points, wrong


def plan_polls(
    points: Iterable[Point], limits: Limits, *, usual_s: float, rates: Sequence[Rate], now: float
) -> tuple[dict[int, Unit], dict[str, str]]:
    """Return the units with their polls, due now, and what is wrong with the points that fit no request."""
    by_rhythm: dict[float, list[Point]] = {}
    wrong: dict[str, str] = {}
    for point in points:
        if point.address.width > limits.most(point.address.table):
            wrong[point.text] = (
                f"It takes {point.address.width} registers; the source allows {limits.registers} in one request."
            )
            continue
        every_s = next((rate.every_s for rate in rates if rate.covers(point.address)), usual_s)
        by_rhythm.setdefault(every_s, []).append(point)
    units: dict[int, Unit] = {}
    for every_s, some in sorted(by_rhythm.items()):
        for block in plan_blocks(some, limits):
            unit = units.setdefault(block.unit, Unit(block.unit))
            unit.polls.append(Poll(block, unit, every_s, now))
    return units, wrong
