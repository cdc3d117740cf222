"""States of the work units, live: prefilter in NumPy, then the same `Derivation` as everywhere else.

A sample older than its unit's newest one is *late*. When it can change anything, the unit is derived anew from the
store once the sample is committed (`take_late`, `Rederived`); until then the newest values speak.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from yuheng.bus.documents import Plant, WorkUnit
from yuheng.bus.messages import Interval, StateRevision, UnitLive
from yuheng.engines.points import PointBlock, Quality, TextPoint
from yuheng.engines.states.intervals import Change, Derivation, Event, merged
from yuheng.engines.states.rules import RuleError, RuleSet, compile_rules
from yuheng.historian.latest import Latest, group_ends
from yuheng.historian.routing import TagTable

KEPT_CHANGES = 200
"""Changes of a unit kept in memory; older ones are in the store."""

type_change_row = tuple[int, int, int, str, int, int]
"""unit, start_us, state, cause, version, is_deleted: a row of ``state_changes``."""


@dataclass(slots=True)
class Emission:
    """What must be durable about states before the log may be acknowledged."""

    rows: list[type_change_row] = field(default_factory=list)
    revisions: list[StateRevision] = field(default_factory=list)


class Unit:
    """One work unit: its derivation, and what was said about it already."""

    __slots__ = ("derivation", "heard_us", "id", "index", "key", "last_live", "said", "site_id", "symbol_of")

    def __init__(self, unit: WorkUnit, index: int, rules: RuleSet) -> None:
        self.id = unit.id
        self.index = index
        self.said: list[Change] = []  # as in the store, newest ones
        self.key: object = None
        self.heard_us = 0  # our clock when anything of the unit was heard
        self.last_live: tuple[int, str, int] | None = None
        self.derivation = Derivation(rules, int(unit.no_data_after_s * 1e6))
        self.adopt(unit, rules)

    def adopt(self, unit: WorkUnit, rules: RuleSet) -> None:
        """Take over symbols and rules."""
        self.site_id = unit.site_id
        self.symbol_of = {tag: symbol if symbol in rules.symbols else "" for symbol, tag in unit.symbols.items()}
        self.derivation.rules = rules
        self.derivation.timeout_us = int(unit.no_data_after_s * 1e6)


def compiled_rules(plant: Plant, unit: WorkUnit) -> tuple[RuleSet, str]:
    """Return the unit's rules, and the complaint when they cannot be used (then nothing but UNKNOWN is derived)."""
    try:
        return compile_rules(plant.rule_sets.get(unit.rule_set, ()), unit.symbols), ""
    except RuleError as error:
        return compile_rules((), ()), f"{unit.code}: {error}"


class Units:
    """All work units."""

    def __init__(self, tags: TagTable, latest: Latest) -> None:
        self.by_id: dict[int, Unit] = {}
        self.complaints: list[str] = []
        self.late: dict[int, int] = {}  # unit id -> oldest late time
        self.touched: set[int] = set()  # units whose changes may differ from what was said
        self._tags = tags
        self._latest = latest
        self._list: list[Unit] = []
        self._unit_of_slot: npt.NDArray[np.int32] = np.empty(0, np.int32)
        self._is_ruled: npt.NDArray[np.bool_] = np.empty(0, np.bool_)
        self._newest_us: npt.NDArray[np.int64] = np.empty(0, np.int64)
        self._seen_us: npt.NDArray[np.int64] = np.empty(0, np.int64)
        self._steady_us: npt.NDArray[np.int64] = np.empty(0, np.int64)
        self._timeout_us: npt.NDArray[np.int64] = np.empty(0, np.int64)
        self._version = 0

    # ---- configuration ------------------------------------------------------------------------------------------

    def load(self, plant: Plant) -> None:
        """Take over units and rules; a unit whose rules or symbols changed goes on with the newest values."""
        self.complaints = []
        wanted = {unit.id: unit for unit in plant.work_units}
        for gone in self.by_id.keys() - wanted.keys():
            del self.by_id[gone]
        for unit in plant.work_units:
            key = (unit, plant.rule_sets.get(unit.rule_set, ()))
            known = self.by_id.get(unit.id)
            if known is not None and known.key == key:
                continue
            rules, complaint = compiled_rules(plant, unit)
            if complaint:
                self.complaints.append(complaint)
            if known is None:
                known = self.by_id[unit.id] = Unit(unit, -1, rules)
            else:
                known.adopt(unit, rules)
                self._read_values(known)
                known.derivation.reevaluate()
                self.touched.add(unit.id)
            known.key = key
        self._index()

    def _index(self) -> None:
        """Rebuild the arrays; a unit keeps what is known of it."""
        before = {
            unit.id: (unit.derivation.newest_us, unit.derivation.seen_us, unit.index) for unit in self.by_id.values()
        }
        steady = self._steady_us
        self._list = list(self.by_id.values())
        size = len(self._list)
        self._newest_us, self._seen_us = np.zeros(size, np.int64), np.zeros(size, np.int64)
        self._steady_us, self._timeout_us = np.zeros(size, np.int64), np.zeros(size, np.int64)
        self._unit_of_slot = np.full(len(self._tags), -1, np.int32)
        self._is_ruled = np.zeros(len(self._tags), np.bool_)
        for index, unit in enumerate(self._list):
            newest, seen, old = before[unit.id]
            self._newest_us[index], self._seen_us[index] = newest, seen
            self._steady_us[index] = steady[old] if old >= 0 else 0
            self._timeout_us[index] = unit.derivation.timeout_us
            unit.index = index
            for tag, symbol in unit.symbol_of.items():
                slot = self._tags.slot(tag)
                if slot >= 0:
                    self._unit_of_slot[slot] = index
                    self._is_ruled[slot] = bool(symbol)

    def _read_values(self, unit: Unit) -> None:
        """Take the newest values of the rules' symbols."""
        values: dict[str, float | str | None] = {}
        for tag, symbol in unit.symbol_of.items():
            slot = self._tags.slot(tag)
            if symbol and slot >= 0 and self._latest.time_us[slot]:
                values[symbol] = self._value_at(slot)
        unit.derivation.values = values

    def _value_at(self, slot: int) -> float | str | None:
        if self._latest.quality[slot] >= Quality.BAD:
            return None
        return self._latest.texts.get(slot, float(self._latest.value[slot]))

    # ---- samples ------------------------------------------------------------------------------------------------

    def absorb(self, block: PointBlock, slots: npt.NDArray[np.int32], texts: Sequence[TextPoint], now_us: int) -> None:
        """Take numeric points (in `latest.time_order`) and texts. Call *before* the latest values absorb them."""
        events: dict[int, list[Event]] = {}
        if len(slots):
            self._absorb_points(block, slots, now_us, events)
        for point in texts:
            self._absorb_text(point, now_us, events)
        for index, found in events.items():
            unit = self._list[index]
            found.sort(key=lambda event: event.time_us)
            self._feed(unit, found)

    def _absorb_points(
        self, block: PointBlock, slots: npt.NDArray[np.int32], now_us: int, events: dict[int, list[Event]]
    ) -> None:
        rows = np.flatnonzero(self._unit_of_slot[slots] >= 0)
        if not len(rows):
            return
        slot = slots[rows]
        time_us, value = block.time_us[rows], block.value[rows]
        is_bad = block.quality[rows] >= Quality.BAD
        changed = self._changed(slot, time_us, value, is_bad)
        index = self._unit_of_slot[slot]
        order = np.lexsort((time_us, index))
        slot, time_us, value, is_bad = slot[order], time_us[order], value[order], is_bad[order]
        changed, index = changed[order], index[order]
        newest = self._newest_us[index]
        is_late = time_us < newest
        if is_late.any():
            self._note_late(slot[is_late], time_us[is_late], changed[is_late], index[is_late])
        seen = self._seen_before(time_us, index, ~is_bad)
        interesting = changed & self._is_ruled[slot]
        interesting |= self._around_gaps(time_us, index, is_bad, is_late)
        for at in np.flatnonzero(interesting).tolist():
            unit_index = int(index[at])
            unit = self._list[unit_index]
            when = max(int(time_us[at]), unit.derivation.newest_us)  # late: speaks now, exact after commit
            if is_late[at] and int(time_us[at]) < int(self._latest.time_us[slot[at]]):
                continue  # late even for its own tag: it says nothing about now
            symbol = unit.symbol_of.get(int(self._tags.tag_ids[slot[at]]), "")
            self._add(events, unit, Event(when, symbol, None if is_bad[at] else float(value[at]), int(seen[at])))
        self._note_seen(time_us, index, is_bad, now_us)

    def _seen_before(
        self, time_us: npt.NDArray[np.int64], index: npt.NDArray[np.int32], is_good: npt.NDArray[np.bool_]
    ) -> npt.NDArray[np.int64]:
        """Return, for rows by (unit, time), the newest good sample of the unit before each, in or before the batch."""
        starts = np.ones(len(index), np.bool_)
        starts[1:] = index[1:] != index[:-1]
        # one rising line for all units: each unit's times are lifted above those of the units before it
        span = int(time_us.max()) - int(time_us.min()) + 1
        lift = np.cumsum(starts) * span - int(time_us.min())
        lifted = np.maximum.accumulate(np.where(is_good, time_us + lift, 0))
        before = np.empty_like(lifted)
        before[0], before[1:] = 0, lifted[:-1]
        known = self._seen_us[index]
        return np.where(before - lift >= int(time_us.min()), np.maximum(before - lift, known), known)

    def _changed(
        self,
        slot: npt.NDArray[np.int32],
        time_us: npt.NDArray[np.int64],
        value: npt.NDArray[np.float64],
        is_bad: npt.NDArray[np.bool_],
    ) -> npt.NDArray[np.bool_]:
        """Mark samples that differ from the one before of the same tag, in this batch or the newest known."""
        starts = np.ones(len(slot), np.bool_)
        starts[1:] = slot[1:] != slot[:-1]
        first = slot[starts]
        before, before_bad = np.empty_like(value), np.empty_like(is_bad)
        before[1:], before_bad[1:] = value[:-1], is_bad[:-1]
        before[starts] = self._latest.value[first]
        before_bad[starts] = self._latest.quality[first] >= Quality.BAD
        changed: npt.NDArray[np.bool_] = (before_bad != is_bad) | ((before != value) & ~is_bad)
        known = self._latest.time_us[first]
        changed[starts] |= (known == 0) | (time_us[starts] < known)
        return changed

    def _around_gaps(
        self,
        time_us: npt.NDArray[np.int64],
        index: npt.NDArray[np.int32],
        is_bad: npt.NDArray[np.bool_],
        is_late: npt.NDArray[np.bool_],
    ) -> npt.NDArray[np.bool_]:
        """Mark both ends of gaps longer than the unit's timeout; also the first sample after NO_DATA was said."""
        marked = np.zeros(len(time_us), np.bool_)
        good = np.flatnonzero(~is_bad & ~is_late)
        if not len(good):
            return marked
        t, u = time_us[good], index[good]
        starts = np.ones(len(good), np.bool_)
        starts[1:] = u[1:] != u[:-1]
        before = np.empty_like(t)
        before[1:] = t[:-1]
        before[starts] = self._seen_us[u[starts]]
        is_gap = t - before > self._timeout_us[u]
        marked[good[is_gap]] = True
        ends = np.flatnonzero(is_gap & ~starts)
        marked[good[ends - 1]] = True
        self._steady_us[u[is_gap]] = t[is_gap]
        for at in np.flatnonzero(starts).tolist():
            derivation = self._list[int(u[at])].derivation
            if derivation.changes and derivation.changes[-1].start_us > derivation.newest_us:
                marked[good[at]] = True  # NO_DATA was said by the clock: this sample takes it back
            elif not derivation.changes:
                marked[good[at]] = True
        return marked

    def _note_late(
        self,
        slot: npt.NDArray[np.int32],
        time_us: npt.NDArray[np.int64],
        changed: npt.NDArray[np.bool_],
        index: npt.NDArray[np.int32],
    ) -> None:
        """Remember units that late samples may change.

        A late sample without a change, inside the time in which the unit was heard without a gap, changes nothing.
        """
        matters = (changed & self._is_ruled[slot]) | (time_us < self._steady_us[index])
        for at in np.flatnonzero(matters).tolist():
            self.mark_late(self._list[int(index[at])].id, int(time_us[at]))

    def mark_late(self, unit_id: int, time_us: int) -> None:
        """Owe a derivation of the unit from this time on."""
        self.late[unit_id] = min(time_us, self.late.get(unit_id, time_us))

    def _note_seen(
        self, time_us: npt.NDArray[np.int64], index: npt.NDArray[np.int32], is_bad: npt.NDArray[np.bool_], now_us: int
    ) -> None:
        """Move the units' newest and seen times on, also for those of which nothing was interesting."""
        ends = group_ends(index)
        self._newest_us[index[ends]] = np.maximum(self._newest_us[index[ends]], time_us[ends])
        for at in index[ends].tolist():
            self._list[at].heard_us = now_us
        if is_bad.any():
            index, time_us = index[~is_bad], time_us[~is_bad]
            ends = group_ends(index)
        self._seen_us[index[ends]] = np.maximum(self._seen_us[index[ends]], time_us[ends])

    def _absorb_text(self, point: TextPoint, now_us: int, events: dict[int, list[Event]]) -> None:
        slot = self._tags.slot(point.tag)
        index = int(self._unit_of_slot[slot]) if 0 <= slot < len(self._unit_of_slot) else -1
        if index < 0:
            return
        unit = self._list[index]
        is_bad = point.quality >= Quality.BAD
        newest = max(unit.derivation.newest_us, int(self._newest_us[index]))
        if point.time_us < newest:
            self.mark_late(unit.id, point.time_us)
        if point.time_us >= int(self._latest.time_us[slot]):
            event = Event(max(point.time_us, newest), unit.symbol_of.get(point.tag, ""), None if is_bad else point.text)
            self._add(events, unit, event)
        unit.heard_us = now_us
        self._newest_us[index] = max(newest, point.time_us)
        if not is_bad:
            self._seen_us[index] = max(int(self._seen_us[index]), point.time_us)

    def _add(self, events: dict[int, list[Event]], unit: Unit, event: Event) -> None:
        """Collect an event; the first of a unit tells the derivation how far the samples before this batch went."""
        found = events.get(unit.index)
        if found is None:
            self._sync(unit)
            found = events[unit.index] = []
        found.append(event)

    def _feed(self, unit: Unit, events: list[Event]) -> None:
        unit.derivation.advance(events)
        self._sync(unit)
        self.touched.add(unit.id)

    def _sync(self, unit: Unit) -> None:
        """Tell the derivation how far the uninteresting samples went."""
        derivation = unit.derivation
        derivation.seen_us = max(derivation.seen_us, int(self._seen_us[unit.index]))
        derivation.newest_us = max(derivation.newest_us, int(self._newest_us[unit.index]))

    def tick(self, now_us: int) -> None:
        """Say NO_DATA of units of which nothing was heard, by our own clock, for longer than their timeout."""
        for unit in self._list:
            derivation = unit.derivation
            self._sync(unit)
            if derivation.state and unit.heard_us and now_us - unit.heard_us > derivation.timeout_us:
                # by the source's clock, or a device whose clock is wrong would never fall silent
                derivation.tick(max(now_us, derivation.seen_us + derivation.timeout_us))
                self.touched.add(unit.id)

    # ---- what to say --------------------------------------------------------------------------------------------

    def live_changes(self, unit_ids: Iterable[int]) -> dict[int, list[UnitLive]]:
        """Return units whose state, cause or beginning differs from what was last published, by site."""
        found: dict[int, list[UnitLive]] = {}
        for unit_id in unit_ids:
            unit = self.by_id.get(unit_id)
            if unit is None or not unit.derivation.changes:
                continue
            last = unit.derivation.changes[-1]
            now = (last.state, last.cause, last.start_us)
            if now != unit.last_live:
                unit.last_live = now
                found.setdefault(unit.site_id, []).append(self.live(unit))
        return found

    def live(self, unit: Unit) -> UnitLive:
        """Return the unit as it is now."""
        seen = int(self._seen_us[unit.index])
        if not unit.derivation.changes:
            return UnitLive(unit.id, 0, "", 0, seen)
        last = unit.derivation.changes[-1]
        return UnitLive(unit.id, last.state, last.cause, last.start_us, seen)

    def seen(self) -> npt.NDArray[np.int64]:
        """Return the newest good source time of each unit, in the order of `in_order`."""
        return self._seen_us

    def newest_us(self, unit: Unit) -> int:
        """Return the newest source time of a unit, good or not; 0 when it was never heard."""
        return int(self._newest_us[unit.index])

    def in_order(self) -> Sequence[Unit]:
        """Return the units by index."""
        return self._list

    def go_on_after(self, version: int) -> None:
        """Give higher versions than an earlier run: the clock may have been set back since."""
        self._version = max(self._version, version)

    def next_version(self, at_us: int) -> int:
        """Return a number that only rises, also over restarts; the time of day unless the clock was set back."""
        self._version = max(self._version + 1, at_us)
        return self._version

    def emit(self, at_us: int) -> Emission:
        """Return what changed since the last call, as rows and revisions."""
        emission = Emission()
        touched, self.touched = self.touched, set()
        for unit_id in touched:
            unit = self.by_id.get(unit_id)
            if unit is None:
                continue
            changes = unit.derivation.changes
            add_difference(emission, unit_id, unit.said, changes, self.next_version(at_us))
            unit.derivation.trim(KEPT_CHANGES)
            unit.said = list(changes)
        return emission

    def take_late(self) -> dict[int, tuple[int, int]]:
        """Return unit id -> (oldest late time, newest time) and forget them."""
        late, self.late = self.late, {}
        found = {}
        for unit_id, since_us in late.items():
            unit = self.by_id.get(unit_id)
            if unit is not None:
                found[unit_id] = (since_us, int(self._newest_us[unit.index]))
        return found

    def replace(self, unit_id: int, anew: Sequence[Change], until_us: int) -> None:
        """Put in what was derived anew up to ``until_us``; what happened since is kept."""
        unit = self.by_id.get(unit_id)
        if unit is None:
            return
        since = [change for change in unit.derivation.changes if change.start_us > until_us]
        unit.said = list(anew[-KEPT_CHANGES:])
        unit.derivation.changes = merged([*unit.said, *since])
        self.touched.add(unit_id)

    # ---- restart ------------------------------------------------------------------------------------------------

    def marks(self) -> dict[str, list[int]]:
        """Return how far each unit is derived: id -> [newest, seen, steady since]."""
        return {
            str(u.id): [int(self._newest_us[u.index]), int(self._seen_us[u.index]), int(self._steady_us[u.index])]
            for u in self._list
        }

    def restore(self, marks: dict[str, list[int]], said: dict[int, list[Change]], now_us: int) -> None:
        """Go on from the marks of an earlier run and the changes in the store."""
        for unit in self._list:
            mark = marks.get(str(unit.id))
            if mark is None:
                continue
            self._newest_us[unit.index], self._seen_us[unit.index], self._steady_us[unit.index] = mark
            unit.derivation.newest_us, unit.derivation.seen_us = mark[0], mark[1]
            unit.said = list(said.get(unit.id, []))
            unit.derivation.changes = list(unit.said)
            unit.heard_us = now_us
            self._read_values(unit)


def add_difference(
    emission: Emission, unit_id: int, said: Sequence[Change], changes: Sequence[Change], version: int
) -> None:
    """Add rows and the revision that turn ``said`` into ``changes``; nothing when they are equal.

    The revision begins with the interval before the first difference, so that its new end is told too.
    """
    same = 0
    while same < len(said) and same < len(changes) and said[same] == changes[same]:
        same += 1
    if same == len(said) == len(changes):
        return
    kept = {change.start_us for change in changes[same:]}
    emission.rows.extend(
        (unit_id, c.start_us, c.state, c.cause, version, 1) for c in said[same:] if c.start_us not in kept
    )
    emission.rows.extend((unit_id, c.start_us, c.state, c.cause, version, 0) for c in changes[same:])
    told = list(changes[max(0, same - 1) :])
    from_us = min([c.start_us for c in told] + [c.start_us for c in said[same:]])
    emission.revisions.append(StateRevision(unit_id, from_us, intervals_of(told)))


def intervals_of(changes: Sequence[Change], until_us: int | None = None) -> list[Interval]:
    """Return changes as intervals; the last one ends at ``until_us`` (None: it lasts)."""
    ends = [*(change.start_us for change in changes[1:]), until_us]
    return [Interval(c.state, c.cause, c.start_us, end) for c, end in zip(changes, ends, strict=True)]
