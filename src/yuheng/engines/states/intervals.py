"""From samples to exact, merged state intervals: one derivation for live data, previews and late data.

Definition
----------
Let the *samples* of a work unit be those of all its symbols, in the order of source time.

1. A sample is *good* when its quality is not BAD. ``seen(t)`` is the newest good sample at or before ``t``.
2. At ``t`` the unit has NO_DATA when there is no ``seen(t)``, when ``t >= seen(t) + timeout``, or when every symbol
   that the rules name and that was heard is BAD. Otherwise the rules name the state from the newest value of each
   symbol at or before ``t``.
3. Neighbouring equal states with equal causes are one interval. All samples of one moment count together.

So NO_DATA begins exactly ``timeout`` after the last good sample, and ends with the next one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from yuheng.engines.states.rules import RuleSet
from yuheng.engines.states.vocabulary import UnitState


class Change(NamedTuple):
    """From ``start_us`` on, until the next change."""

    start_us: int
    state: int
    cause: str


class Event(NamedTuple):
    """One sample as the derivation sees it. ``symbol`` empty: only a sign of life. ``value`` None: quality is BAD.

    ``seen_us``, when given, is the newest good sample before this one: the uninteresting ones between are left out.
    """

    time_us: int
    symbol: str
    value: float | str | None
    seen_us: int = 0


class Derivation:
    """Sequential derivation of one unit; feed it events in time order, in batches of any size.

    Attributes
    ----------
    changes
        Every change since the derivation began, or since `trim`; the last one holds now.
    newest_us
        Time of the newest event; an earlier one is *late* and must be derived anew, from storage.
    seen_us
        Time of the newest good sample; 0 when there is none.
    """

    __slots__ = ("changes", "newest_us", "rules", "seen_us", "timeout_us", "values")

    def __init__(self, rules: RuleSet, timeout_us: int) -> None:
        self.rules = rules
        self.timeout_us = timeout_us
        self.values: dict[str, float | str | None] = {}
        self.changes: list[Change] = []
        self.newest_us = 0
        self.seen_us = 0

    @property
    def state(self) -> int:
        """The state now."""
        return self.changes[-1].state if self.changes else UnitState.NO_DATA

    def advance(self, events: Sequence[Event]) -> None:
        """Take events in time order, none before `newest_us`."""
        for index, event in enumerate(events):
            time_us = event.time_us
            self.seen_us = max(self.seen_us, event.seen_us)
            self._before(time_us)
            if event.symbol:
                self.values[event.symbol] = event.value
            if event.value is not None:
                self.seen_us = max(self.seen_us, time_us)
            self.newest_us = max(self.newest_us, time_us)
            if index + 1 == len(events) or events[index + 1].time_us != time_us:
                self._set(time_us, *self._state_at(time_us))

    def tick(self, now_us: int) -> None:
        """Say NO_DATA when nothing was heard until ``now_us``. A slow but timely event takes it back."""
        if self.seen_us and now_us >= self.seen_us + self.timeout_us and self.state != UnitState.NO_DATA:
            self._set(self.seen_us + self.timeout_us, UnitState.NO_DATA, "")

    def reevaluate(self) -> None:
        """Apply the rules to the values as they are: after rules or values were exchanged."""
        if self.newest_us:
            self._set(self.newest_us, *self._state_at(self.newest_us))

    def trim(self, keep: int) -> None:
        """Forget all but the newest changes."""
        if len(self.changes) > keep:
            del self.changes[:-keep]

    def _before(self, time_us: int) -> None:
        """Go on to ``time_us``: take back a premature NO_DATA, or put in the one that a gap made."""
        while self.changes and self.changes[-1].start_us > time_us:
            self.changes.pop()
        if self.seen_us and time_us > self.seen_us + self.timeout_us:
            self._set(self.seen_us + self.timeout_us, UnitState.NO_DATA, "")

    def _state_at(self, time_us: int) -> tuple[int, str]:
        is_silent = not self.seen_us or time_us >= self.seen_us + self.timeout_us
        if is_silent or (self.values and all(value is None for value in self.values.values())):
            return UnitState.NO_DATA, ""
        return self.rules.evaluate(self.values)

    def _set(self, start_us: int, state: int, cause: str) -> None:
        changes = self.changes
        while changes and changes[-1].start_us >= start_us:
            changes.pop()
        if changes and changes[-1].state == state and changes[-1].cause == cause:
            return
        changes.append(Change(start_us, int(state), cause))


def derive(rules: RuleSet, timeout_us: int, events: Iterable[Event], *, until_us: int | None = None) -> list[Change]:
    """Return all changes of sorted events; with ``until_us``, silence until then is NO_DATA too."""
    derivation = Derivation(rules, timeout_us)
    derivation.advance(list(events))
    if until_us is not None:
        derivation.tick(until_us)
    return derivation.changes


def events_of(
    times_us: npt.NDArray[np.int64],
    symbols: npt.NDArray[np.int64],
    values: npt.NDArray[np.float64],
    is_bad: npt.NDArray[np.bool_],
    names: Sequence[str],
    *,
    timeout_us: int,
) -> list[Event]:
    """Return the few events of sorted samples that can change anything.

    Kept are samples that differ from the one before of the same symbol, both ends of each gap longer than the
    timeout, and the newest good sample; a day of three symbols at 1 Hz becomes some hundreds of events.

    Parameters
    ----------
    times_us, symbols, values, is_bad
        Shape ``(n,)``, ascending times; ``symbols`` index ``names``. A symbol that no rule names may have an empty
        name: it is a sign of life only.
    """
    count = len(times_us)
    if not count:
        return []
    keep = changed_within(symbols, values, is_bad)
    good = np.flatnonzero(~is_bad)
    if len(good):
        long = np.flatnonzero(np.diff(times_us[good]) > timeout_us)
        keep[good[long]] = True
        keep[good[long + 1]] = True
        keep[good[-1]] = True
    found = np.flatnonzero(keep)
    columns = (times_us, symbols, values, is_bad, seen_before(times_us, ~is_bad))
    return [
        Event(time_us, names[symbol], None if bad else value, seen_us)
        for time_us, symbol, value, bad, seen_us in zip(*(column[found].tolist() for column in columns), strict=True)
    ]


def seen_before(times_us: npt.NDArray[np.int64], is_good: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
    """Return, for each of sorted samples, the time of the newest good one before it; 0 when there is none."""
    seen = np.zeros(len(times_us), np.int64)
    np.maximum.accumulate(np.where(is_good, times_us, 0)[:-1], out=seen[1:])
    return seen


def changed_within(
    symbols: npt.NDArray[np.int64], values: npt.NDArray[np.float64], is_bad: npt.NDArray[np.bool_]
) -> npt.NDArray[np.bool_]:
    """Mark samples that differ from the one before of the same symbol, in value or in being bad; the first differs."""
    order = np.argsort(symbols, kind="stable")
    s, v, b = symbols[order], values[order], is_bad[order]
    differs = np.ones(len(s), np.bool_)
    same_symbol = s[1:] == s[:-1]
    same_value = (v[1:] == v[:-1]) | (b[1:] & b[:-1])
    differs[1:] = ~(same_symbol & same_value & (b[1:] == b[:-1]))
    marked = np.empty(len(s), np.bool_)
    marked[order] = differs
    return marked


def merged(changes: Iterable[Change]) -> list[Change]:
    """Return changes without neighbours that are equal."""
    found: list[Change] = []
    for change in changes:
        if not found or (found[-1].state, found[-1].cause) != (change.state, change.cause):
            found.append(change)
    return found
