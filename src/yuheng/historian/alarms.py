"""Alarms, judged live: a prefilter in NumPy, then the same `UnitAlarms` as everywhere else.

Every value is judged, also one that a deadband keeps from the store. Of the samples of a tag only those matter that
cross one of its limits; the others are not looked at one by one. A sample older than its tag's newest says nothing
about now: alarms are for people, and history has the states.

Facts are published as soon as they are known (`take`), before the samples they come from are committed: told again
after a crash they change nothing. What is told late is never lost, because the commit waits for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from yuheng.bus.documents import AlarmRule, AlarmVariant, Plant, WorkUnit
from yuheng.bus.messages import AlarmsActive, AlarmTransition
from yuheng.engines.alarms.conditions import NEVER_US, Timing, relaxed
from yuheng.engines.alarms.evaluation import Heard, Judgement, Told, UnitAlarms, limits_of
from yuheng.engines.alarms.vocabulary import FactKind
from yuheng.engines.points import PointBlock, Quality, TextPoint
from yuheng.engines.states.intervals import Change
from yuheng.engines.states.rules import RuleError
from yuheng.engines.states.vocabulary import UnitState
from yuheng.historian.latest import Latest, group_ends
from yuheng.historian.routing import TagTable
from yuheng.historian.units import Units

NO_BIN = -1
"""Of a value that is bad, or was never heard."""
MAX_COMPLAINTS = 20


class _Watched(NamedTuple):
    """A tag that alarms read: its unit, and the symbol by which they know it."""

    work_unit_id: int
    symbol: str


def judgement_of(rule: AlarmRule, unit: WorkUnit, variant: AlarmVariant | None) -> Judgement:
    """Return how a rule is judged on a unit. Raises `RuleError`."""
    own = variant or AlarmVariant(unit.id)

    def chosen(name: str) -> float:
        value = getattr(own, name)
        return float(getattr(rule, name) if value is None else value)

    return Judgement.make(
        definition_id=rule.id,
        when=rule.when,
        symbols=unit.symbols.keys(),
        parameters={**rule.parameters, **own.parameters},
        deadband=chosen("deadband"),
        timing=Timing(
            int(chosen("on_delay_s") * 1e6), int(chosen("off_delay_s") * 1e6), int(rule.chatter_window_s * 1e6)
        ),
        suppress_states=rule.suppress_states,
        suppress_when=rule.suppress_when,
        value_symbol=rule.value_symbol,
    )


def texts_of(rule: AlarmRule, variant: AlarmVariant | None) -> list[str]:
    """Return every condition of a rule as it is judged on a unit."""
    deadband = rule.deadband if variant is None or variant.deadband is None else variant.deadband
    texts = [rule.when, rule.suppress_when, relaxed(rule.when, deadband) if deadband else ""]
    return [text for text in texts if text.strip()]


class Alarms:
    """The alarms of all work units."""

    def __init__(self, tags: TagTable, latest: Latest, units: Units) -> None:
        self.by_unit: dict[int, UnitAlarms] = {}
        self.complaints: list[str] = []
        self.is_looking = False  # False while history is caught up: the clock then says nothing
        self._tags = tags
        self._latest = latest
        self._units = units
        self._facts: list[AlarmTransition] = []
        self._said: dict[int, Change | None] = {}
        self._looked_us: dict[int, int] = {}  # silent unit -> its own clock when the time was last looked at
        self._slot_of: dict[tuple[int, str], int] = {}
        self._watched: list[_Watched] = []
        self._rows: npt.NDArray[np.int32] = np.empty(
            0, np.int32
        )  # slot -> row in the arrays below; -1: nobody reads it
        self._limits: npt.NDArray[np.float64] = np.empty((0, 1), np.float64)
        self._is_any: npt.NDArray[np.bool_] = np.empty(0, np.bool_)
        self._own: npt.NDArray[np.int64] = np.empty(0, np.int64)  # row -> slot
        self._bins: npt.NDArray[np.int32] = np.empty(0, np.int32)
        self._values: npt.NDArray[np.float64] = np.empty(0, np.float64)
        self._times: npt.NDArray[np.int64] = np.empty(0, np.int64)

    # ---- configuration ------------------------------------------------------------------------------------------

    def load(self, plant: Plant, now_us: int) -> None:
        """Take over the rules. An alarm that stays keeps how it stands; one that is judged otherwise is judged anew."""
        self.complaints = []
        units = {unit.id: unit for unit in plant.work_units}
        judged: dict[int, list[Judgement]] = {}
        limits: dict[tuple[int, str], set[float] | None] = {}
        for rule in plant.alarm_rules:
            variants = {variant.work_unit_id: variant for variant in rule.variants}
            for unit_id in rule.work_unit_ids:
                unit = units.get(unit_id)
                if unit is not None:
                    self._judge_on(rule, unit, variants.get(unit_id), judged, limits)
        for gone in self.by_unit.keys() - judged.keys():
            del self.by_unit[gone]
            self._said.pop(gone, None)
        self._index(units, judged, limits)
        for unit_id, judgements in judged.items():
            alarms = self.by_unit.setdefault(unit_id, UnitAlarms(unit_id))
            changed = alarms.judge_by(judgements)
            self._read_values(alarms)
            newest_us = self._unit_newest(unit_id)
            if changed and newest_us and self.is_looking:
                self._take_state(alarms)
                self._tell(alarms, alarms.look_again(changed, newest_us), now_us)

    def _judge_on(
        self,
        rule: AlarmRule,
        unit: WorkUnit,
        variant: AlarmVariant | None,
        judged: dict[int, list[Judgement]],
        limits: dict[tuple[int, str], set[float] | None],
    ) -> None:
        try:
            judgement = judgement_of(rule, unit, variant)
            found = limits_of(judgement, texts_of(rule, variant))
        except (RuleError, ValueError) as error:
            if len(self.complaints) < MAX_COMPLAINTS:
                self.complaints.append(f"Alarm {rule.id} on {unit.code}: {error}")
            return
        judged.setdefault(unit.id, []).append(judgement)
        for symbol, numbers in found.items():
            known = limits.setdefault((unit.id, symbol), set())
            limits[unit.id, symbol] = None if known is None or numbers is None else known | numbers

    def _index(
        self,
        units: dict[int, WorkUnit],
        judged: dict[int, list[Judgement]],
        limits: dict[tuple[int, str], set[float] | None],
    ) -> None:
        """Rebuild the arrays; what was heard of a tag is read from the newest values."""
        shown = {(unit_id, j.value_symbol) for unit_id, js in judged.items() for j in js if j.value_symbol}
        slots: dict[tuple[int, str], int] = {}
        for unit_id, symbol in {*limits, *shown}:
            tag = units[unit_id].symbols.get(symbol)
            slot = -1 if tag is None else self._tags.slot(tag)
            if slot >= 0:
                slots[unit_id, symbol] = slot
        self._slot_of = slots
        keys = [key for key in limits if key in slots]
        self._watched = [_Watched(*key) for key in keys]
        widest = max([1, *(len(limits[key] or ()) for key in keys)])
        self._rows = np.full(len(self._tags), -1, np.int32)
        self._limits = np.full((len(keys), widest), np.inf)
        self._is_any = np.zeros(len(keys), np.bool_)
        own = np.array([slots[key] for key in keys], np.int64)
        for row, key in enumerate(keys):
            self._rows[own[row]] = row
            numbers = limits[key]
            self._is_any[row] = numbers is None
            if numbers:
                self._limits[row, : len(numbers)] = sorted(numbers)
        self._own = own
        self._read_newest()

    def _read_newest(self) -> None:
        """Take what was heard of every tag from the newest values."""
        self._values = self._latest.value[self._own].copy()
        self._times = self._latest.time_us[self._own].copy()
        is_bad = (self._latest.quality[self._own] >= Quality.BAD) | (self._times == 0)
        self._bins = self._bins_of(np.arange(len(self._own)), self._values, is_bad)

    def _bins_of(
        self, rows: npt.NDArray[np.int64], values: npt.NDArray[np.float64], is_bad: npt.NDArray[np.bool_]
    ) -> npt.NDArray[np.int32]:
        """Return where values lie among the limits of their rows: below, on, between or above them."""
        limits = self._limits[rows]
        column = values[:, None]
        bins: npt.NDArray[np.int32] = ((column > limits).sum(axis=1) + (column >= limits).sum(axis=1)).astype(np.int32)
        bins[is_bad] = NO_BIN
        return bins

    def _read_values(self, alarms: UnitAlarms) -> None:
        """Take the newest values of the symbols that the unit's alarms read."""
        for symbol in alarms.symbols:
            slot = self._slot_of.get((alarms.work_unit_id, symbol), -1)
            alarms.values[symbol] = self._value_at(slot) if slot >= 0 else None

    def _value_at(self, slot: int) -> float | str | None:
        if not self._latest.time_us[slot] or self._latest.quality[slot] >= Quality.BAD:
            return None
        return self._latest.texts.get(slot, float(self._latest.value[slot]))

    # ---- samples ------------------------------------------------------------------------------------------------

    def absorb(self, block: PointBlock, slots: npt.NDArray[np.int32], texts: Sequence[TextPoint], now_us: int) -> None:
        """Take numeric points (in `latest.time_order`) and texts. Call *after* units and latest values took them."""
        if not self.by_unit:
            return
        heard: dict[int, list[Heard]] = {}
        if len(slots):
            self._absorb_points(block, slots, heard)
        for point in texts:
            slot = self._tags.slot(point.tag)
            row = int(self._rows[slot]) if 0 <= slot < len(self._rows) else -1
            if row >= 0 and point.time_us >= int(self._times[row]):
                watched = self._watched[row]
                self._times[row] = point.time_us
                value = None if point.quality >= Quality.BAD else point.text
                heard.setdefault(watched.work_unit_id, []).append(Heard(point.time_us, watched.symbol, value))
        self._hear_states(heard)
        for unit_id, found in heard.items():
            found.sort(key=lambda one: one.time_us)
            alarms = self.by_unit[unit_id]
            self._tell(alarms, alarms.hear(found), now_us)

    def _absorb_points(self, block: PointBlock, slots: npt.NDArray[np.int32], heard: dict[int, list[Heard]]) -> None:
        rows = self._rows[slots]
        chosen = np.flatnonzero(rows >= 0)
        chosen = chosen[block.time_us[chosen] >= self._times[rows[chosen]]]
        if not len(chosen):
            return
        row = rows[chosen].astype(np.int64)
        time_us, value = block.time_us[chosen], block.value[chosen]
        bins = self._bins_of(row, value, block.quality[chosen] >= Quality.BAD)
        starts = np.ones(len(row), np.bool_)
        starts[1:] = row[1:] != row[:-1]
        bin_before, value_before = np.empty_like(bins), np.empty_like(value)
        bin_before[1:], value_before[1:] = bins[:-1], value[:-1]
        bin_before[starts], value_before[starts] = self._bins[row[starts]], self._values[row[starts]]
        matters = (bins != bin_before) | (self._is_any[row] & (value != value_before) & (bins != NO_BIN))
        matters[starts] |= self._times[row[starts]] == 0
        ends = group_ends(row.astype(np.int32))
        last = row[ends]
        self._bins[last], self._values[last], self._times[last] = bins[ends], value[ends], time_us[ends]
        for at in np.flatnonzero(matters).tolist():
            watched = self._watched[int(row[at])]
            one = Heard(int(time_us[at]), watched.symbol, None if bins[at] == NO_BIN else float(value[at]))
            heard.setdefault(watched.work_unit_id, []).append(one)

    def _hear_states(self, heard: dict[int, list[Heard]]) -> None:
        """Add the states that changed since they were last looked at."""
        for unit_id in self._units.touched:
            alarms = self.by_unit.get(unit_id)
            unit = self._units.by_id.get(unit_id)
            if alarms is None or unit is None or not unit.derivation.changes:
                continue
            changes = unit.derivation.changes
            said = self._said.get(unit_id)
            if said == changes[-1]:
                continue
            since_us = 0 if said is None else said.start_us
            fresh = [change for change in changes if change.start_us > since_us] or [changes[-1]]
            # A silence that is over when it is heard of is history: nobody can act on it any more.
            fresh = [change for change in fresh if change.state != UnitState.NO_DATA or change is changes[-1]]
            self._said[unit_id] = changes[-1]
            found = [Heard(c.start_us, state=c.state, cause=c.cause) for c in fresh]
            if said is not None and said.state == UnitState.NO_DATA and alarms.due_us <= fresh[0].start_us:
                # Something is due before: but readings that a device kept may jump over an hour in an instant, and
                # nobody waited for them that long. So the silence ended where our own clock last saw it.
                found[0] = replace(found[0], time_us=min(found[0].time_us, self._looked_us.get(unit_id, NEVER_US)))
            heard.setdefault(unit_id, []).extend(found)

    def _take_state(self, alarms: UnitAlarms) -> None:
        unit = self._units.by_id.get(alarms.work_unit_id)
        if unit is not None and unit.derivation.changes:
            last = unit.derivation.changes[-1]
            alarms.state, alarms.cause = last.state, last.cause
            self._said[alarms.work_unit_id] = last

    # ---- time ---------------------------------------------------------------------------------------------------

    def tick(self, now_us: int) -> None:
        """Let the time pass for alarms whose delays run: by the source's clock, as far as ours went on since."""
        if not self.is_looking:
            return
        heard: dict[int, list[Heard]] = {}
        self._hear_states(heard)
        for unit_id, found in heard.items():
            alarms = self.by_unit[unit_id]
            self._tell(alarms, alarms.hear(found), now_us)
        silent = (unit_id for unit_id, said in self._said.items() if said and said.state == UnitState.NO_DATA)
        self._looked_us = {key: self._unit_now(self.by_unit[key], now_us) for key in silent if key in self.by_unit}
        for alarms in self.by_unit.values():
            if alarms.due_us <= now_us + 86_400_000_000 and alarms.due_us <= self._unit_now(alarms, now_us):
                self._tell(alarms, alarms.advance(self._unit_now(alarms, now_us)), now_us)

    def _unit_newest(self, unit_id: int) -> int:
        unit = self._units.by_id.get(unit_id)
        return 0 if unit is None else self._units.newest_us(unit)

    def _unit_now(self, alarms: UnitAlarms, now_us: int) -> int:
        unit = self._units.by_id.get(alarms.work_unit_id)
        if unit is None or not unit.heard_us:
            return alarms.floor_us
        return self._units.newest_us(unit) + max(0, now_us - unit.heard_us)

    # ---- what to tell ---------------------------------------------------------------------------------------------

    def _tell(self, alarms: UnitAlarms, told: Iterable[Told], now_us: int) -> None:
        for one in told:
            judgement = one.judgement
            values = one.values
            if judgement.timing.on_delay_us:  # since it was judged, values went on that crossed no limit
                newest = {**values, **{symbol: self._newest(alarms, symbol) for symbol in judgement.symbols}}
                if one.kind is not FactKind.ACTIVATED or judgement.is_met(newest):
                    values = newest  # else it is over already: the message says what raised it, not what came after
            symbol = judgement.value_symbol
            value = values[symbol] if symbol in values else self._newest(alarms, symbol)
            self._facts.append(
                AlarmTransition(
                    definition_id=judgement.definition_id,
                    work_unit_id=alarms.work_unit_id,
                    kind=one.kind.value,
                    time_us=one.time_us,
                    known_us=now_us,
                    episode_us=one.episode_us,
                    count=one.count,
                    value=value,
                    values=values,
                    is_suppressed=one.is_suppressed,
                )
            )

    def _newest(self, alarms: UnitAlarms, symbol: str) -> float | str | None:
        """Return the newest value."""
        slot = self._slot_of.get((alarms.work_unit_id, symbol), -1)
        return self._value_at(slot) if slot >= 0 else alarms.values.get(symbol)

    def take(self) -> list[AlarmTransition]:
        """Return the facts since the last call, in their order."""
        facts, self._facts = self._facts, []
        return facts

    def active(self, now_us: int) -> AlarmsActive:
        """Return which alarms are active: the truth as of here."""
        return AlarmsActive(
            now_us,
            [
                (definition_id, alarms.work_unit_id, alarm.signal.episode_us)
                for alarms in self.by_unit.values()
                for definition_id, alarm in alarms.alarms.items()
                if alarm.signal.is_active
            ],
        )

    @property
    def active_count(self) -> int:
        """How many alarms are active."""
        return sum(alarm.signal.is_active for unit in self.by_unit.values() for alarm in unit.alarms.values())

    # ---- restart ------------------------------------------------------------------------------------------------

    def marks(self) -> list[list[int]]:
        """Return how each remarkable alarm stands: [definition, unit, the unit's floor, suppressed, ...signal]."""
        return [
            [definition_id, alarms.work_unit_id, alarms.floor_us, int(alarm.is_suppressed), *alarm.signal.marks()]
            for alarms in self.by_unit.values()
            for definition_id, alarm in alarms.alarms.items()
            if alarm.signal.is_remarkable
        ]

    def restore(self, marks: Iterable[Sequence[int]]) -> None:
        """Go on from the marks of an earlier run; units and newest values were restored before."""
        for definition_id, unit_id, floor_us, is_suppressed, *signal in marks:
            alarms = self.by_unit.get(unit_id)
            alarm = alarms.alarms.get(definition_id) if alarms is not None else None
            if alarms is None or alarm is None:
                continue
            alarm.signal.restore(signal)
            alarm.is_suppressed = bool(is_suppressed)
            alarms.floor_us = max(alarms.floor_us, floor_us)
            alarms.plan()
        self._read_newest()
        for alarms in self.by_unit.values():
            self._read_values(alarms)
            self._take_state(alarms)

    def begin(self, now_us: int) -> None:
        """Everything stored is caught up: judge all by what is known, and let the clock count from now on."""
        self.is_looking = True
        for alarms in self.by_unit.values():
            self._take_state(alarms)
            newest_us = self._unit_newest(alarms.work_unit_id)
            if newest_us:  # a unit that was never heard is not judged
                self._tell(alarms, alarms.look_again(list(alarms.alarms), newest_us), now_us)
