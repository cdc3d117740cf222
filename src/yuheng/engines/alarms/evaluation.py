"""The alarms of one work unit, judged together in event time: live, after a restart and on history alike. Pure."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from yuheng.engines.alarms.conditions import (
    CAUSE_SYMBOLS,
    NEVER_US,
    OF_THE_UNIT,
    STATE_SYMBOLS,
    Compiled,
    Fact,
    Signal,
    Timing,
    compile_alarm,
    constants,
    known_names,
)
from yuheng.engines.alarms.vocabulary import FactKind
from yuheng.engines.states.rules import Condition, compile_condition
from yuheng.engines.states.vocabulary import UnitState

type_value = float | str | None


@dataclass(frozen=True, slots=True)
class Judgement:
    """How one alarm is judged on one work unit. Raises `RuleError` when it is made from what is no condition."""

    definition_id: int
    compiled: Compiled
    constants: Mapping[str, type_value]
    timing: Timing
    suppress_states: frozenset[int]
    suppress_when: Condition | None
    value_symbol: str

    @classmethod
    def make(
        cls,
        *,
        definition_id: int,
        when: str,
        symbols: Collection[str],
        parameters: Mapping[str, float | str],
        deadband: float = 0.0,
        timing: Timing = Timing(),
        suppress_states: Iterable[int] = (),
        suppress_when: str = "",
        value_symbol: str = "",
    ) -> Judgement:
        """Compile everything. Raises `RuleError`."""
        names = known_names(symbols, parameters)
        return cls(
            definition_id,
            compile_alarm(when, symbols, parameters, deadband),
            constants(symbols, parameters),
            timing,
            frozenset(suppress_states),
            compile_condition(suppress_when, names, place="Suppression") if suppress_when.strip() else None,
            value_symbol,
        )

    def is_met(self, values: Mapping[str, type_value]) -> bool:
        """Return whether the condition holds, or stays held, with what was told of a unit."""
        of_unit = {
            **dict.fromkeys(STATE_SYMBOLS, values.get("state")),
            **dict.fromkeys(CAUSE_SYMBOLS, values.get("cause")),
        }
        return bool(self.compiled.hold_when.holds({**of_unit, **self.constants, **values}))

    @property
    def symbols(self) -> frozenset[str]:
        """Symbols of tags that it reads."""
        suppressing = self.suppress_when.symbols if self.suppress_when is not None else frozenset()
        return (self.compiled.symbols | suppressing) - OF_THE_UNIT - frozenset(self.constants)


@dataclass(frozen=True, slots=True)
class Heard:
    """Something a unit's alarms are judged by: a value of a symbol (None: no good one), or a new state."""

    time_us: int
    symbol: str = ""
    value: type_value = None
    state: int | None = None
    cause: str = ""


@dataclass(frozen=True, slots=True)
class Told:
    """A fact with whose it is."""

    judgement: Judgement
    kind: FactKind
    time_us: int
    episode_us: int
    count: int
    is_suppressed: bool
    values: dict[str, type_value]  # of its symbols as they were judged, and the unit's state and cause


class JudgedAlarm:
    """One alarm of one unit: how it is judged, and how it stands."""

    __slots__ = ("is_suppressed", "judgement", "met_by", "signal")

    def __init__(self, judgement: Judgement) -> None:
        self.judgement = judgement
        self.signal = Signal(judgement.timing)
        self.is_suppressed = False
        self.met_by: dict[str, type_value] = {}  # what its condition held with last; empty after a start

    def adopt(self, judgement: Judgement) -> None:
        """Be judged otherwise from now on."""
        self.judgement = judgement
        self.signal.timing = judgement.timing


class UnitAlarms:
    """The alarms of one work unit. What is heard comes in the order of time; earlier things count as of now.

    Attributes
    ----------
    floor_us
        No fact is told of a time before this one.
    due_us
        When `advance` must be called at the latest.
    """

    def __init__(self, work_unit_id: int) -> None:
        self.work_unit_id = work_unit_id
        self.alarms: dict[int, JudgedAlarm] = {}
        self.values: dict[str, type_value] = {}
        self.state = int(UnitState.NO_DATA)
        self.cause = ""
        self.floor_us = 0
        self.due_us = NEVER_US
        self._by_symbol: dict[str, list[JudgedAlarm]] = {}

    def judge_by(self, judgements: Iterable[Judgement]) -> set[int]:
        """Take over how the alarms are judged; return the definitions that are new or judged otherwise now."""
        wanted = {judgement.definition_id: judgement for judgement in judgements}
        changed: set[int] = set()
        for gone in self.alarms.keys() - wanted.keys():
            del self.alarms[gone]
        for definition_id, judgement in wanted.items():
            known = self.alarms.get(definition_id)
            if known is None:
                self.alarms[definition_id] = JudgedAlarm(judgement)
                changed.add(definition_id)
            elif known.judgement != judgement:
                known.adopt(judgement)
                changed.add(definition_id)
        self._by_symbol = {}
        for alarm in self.alarms.values():
            for symbol in alarm.judgement.symbols:
                self._by_symbol.setdefault(symbol, []).append(alarm)
        self.plan()
        return changed

    @property
    def symbols(self) -> Collection[str]:
        """Symbols that any alarm reads."""
        return self._by_symbol.keys()

    def hear(self, heard: Sequence[Heard]) -> list[Told]:
        """Take in what was heard, in the order of time; return what is to be told."""
        told: list[Told] = []
        index = 0
        while index < len(heard):
            at_us = max(heard[index].time_us, self.floor_us)
            concerned: dict[int, JudgedAlarm] = {}
            while index < len(heard) and max(heard[index].time_us, self.floor_us) == at_us:
                one = heard[index]
                if one.state is not None:
                    self.state, self.cause = one.state, one.cause
                    concerned.update(self.alarms)
                else:
                    self.values[one.symbol] = one.value
                    concerned.update({a.judgement.definition_id: a for a in self._by_symbol.get(one.symbol, ())})
                index += 1
            self._judge(concerned.values(), at_us, told)
        self.plan()
        return told

    def look_again(self, definitions: Collection[int], at_us: int) -> list[Told]:
        """Judge some alarms by what is known: after they were defined otherwise, or after a start."""
        told: list[Told] = []
        at_us = max(at_us, self.floor_us)
        self._judge([alarm for key, alarm in self.alarms.items() if key in definitions], at_us, told)
        self.plan()
        return told

    def advance(self, to_us: int) -> list[Told]:
        """Let the time pass: what is due by then happens."""
        told: list[Told] = []
        if to_us < self.due_us:
            return told
        for alarm in self.alarms.values():
            if alarm.signal.due_us <= to_us:
                facts: list[Fact] = []
                alarm.signal.advance(to_us, facts)
                told += self._told(alarm, facts)
        self.plan()
        return told

    def plan(self) -> None:
        """Find out when something is due; call it after signals were restored."""
        self.due_us = min((alarm.signal.due_us for alarm in self.alarms.values()), default=NEVER_US)

    def _judge(self, alarms: Iterable[JudgedAlarm], at_us: int, told: list[Told]) -> None:
        self.floor_us = max(self.floor_us, at_us)
        word = UnitState(self.state).name.lower()
        of_unit = {**dict.fromkeys(STATE_SYMBOLS, word), **dict.fromkeys(CAUSE_SYMBOLS, self.cause)}
        for alarm in alarms:
            judgement, signal = alarm.judgement, alarm.signal
            values = {**of_unit, **judgement.constants, **self.values}
            facts: list[Fact] = []
            signal.advance(at_us, facts)
            was_suppressed = alarm.is_suppressed
            alarm.is_suppressed = self._is_suppressed(judgement, values)
            if facts:  # due before this moment: told with what was known then
                told += self._told(alarm, facts)
                facts = []
            is_met = self._holds(alarm, values)
            if is_met:
                alarm.met_by = self._read(judgement)
            signal.take(at_us, is_met, facts)
            is_told = any(fact.kind is FactKind.ACTIVATED for fact in facts)
            if was_suppressed is not alarm.is_suppressed and signal.is_active and not is_told:
                kind = FactKind.SUPPRESSED if alarm.is_suppressed else FactKind.UNSUPPRESSED
                facts.append(Fact(kind, at_us, signal.episode_us, signal.count))
            told += self._told(alarm, facts)

    def _holds(self, alarm: JudgedAlarm, values: Mapping[str, type_value]) -> bool | None:
        compiled = alarm.judgement.compiled
        if self.state == UnitState.NO_DATA and compiled.symbols - OF_THE_UNIT:
            return None
        return (compiled.hold_when if alarm.signal.is_on else compiled.raise_when).holds(values)

    def _is_suppressed(self, judgement: Judgement, values: Mapping[str, type_value]) -> bool:
        if self.state in judgement.suppress_states:
            return True
        return judgement.suppress_when is not None and bool(judgement.suppress_when.holds(values))

    def _told(self, alarm: JudgedAlarm, facts: Iterable[Fact]) -> list[Told]:
        judgement = alarm.judgement
        now = self._read(judgement)
        told = [
            Told(
                judgement,
                fact.kind,
                fact.time_us,
                fact.episode_us,
                fact.count,
                alarm.is_suppressed,
                (alarm.met_by or now) if fact.kind is FactKind.ACTIVATED else now,
            )
            for fact in facts
        ]
        self.floor_us = max([self.floor_us, *(one.time_us for one in told)])
        return told

    def _read(self, judgement: Judgement) -> dict[str, type_value]:
        return {
            "state": UnitState(self.state).name.lower(),
            "cause": self.cause,
            **{symbol: self.values.get(symbol) for symbol in judgement.symbols},
        }


# ---- which values cannot change anything ----------------------------------------------------------------------------


def limits_of(judgement: Judgement, texts: Iterable[str]) -> dict[str, set[float] | None]:
    """Return, for each symbol of the conditions, the numbers it is compared with; None: any change may matter.

    A value that stays on the same side of all its limits leaves the condition as it was, so it need not be judged.
    ``texts`` are the conditions as written (`conditions.relaxed` ones, too).
    """
    found: dict[str, set[float] | None] = {}
    for text in texts:
        tree = ast.parse(text.strip(), mode="eval")
        _Limits(judgement.constants, found).look(tree.body)
    return {symbol: found.get(symbol) for symbol in judgement.symbols}


class _Limits:
    """Walks through a condition."""

    def __init__(self, known: Mapping[str, type_value], found: dict[str, set[float] | None]) -> None:
        self._known = known
        self._found = found

    def look(self, node: ast.expr) -> None:
        """Look at something that is true or false."""
        match node:
            case ast.BoolOp(values=parts):
                for part in parts:
                    self.look(part)
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                self.look(operand)
            case ast.Compare(left=left, comparators=comparators):
                operands = [left, *comparators]
                for one, other in pairwise(operands):
                    self._pair(one, other)
            case ast.Name(id=name):
                self._add(name, {0.0})
            case _:
                self._any(node)

    def _pair(self, one: ast.expr, other: ast.expr) -> None:
        for symbol, limit in ((one, other), (other, one)):
            if isinstance(symbol, ast.Name) and symbol.id not in self._known:
                numbers = self._numbers(limit)
                self._add(symbol.id, numbers) if numbers is not None else self._any(symbol)
            elif self._numbers(symbol) is None:
                self._any(symbol)

    def _numbers(self, node: ast.expr) -> set[float] | None:
        """Return the numbers that an expression without symbols stands for; None when it has symbols."""
        match node:
            case ast.Constant(value=value):
                return {float(value)} if isinstance(value, int | float) else set()
            case ast.Name(id=name) if name in self._known:
                value = self._known[name]
                return {value} if isinstance(value, float) else {float(value)} if isinstance(value, int) else set()
            case ast.Tuple(elts=items) | ast.List(elts=items) | ast.Set(elts=items):
                found = [self._numbers(item) for item in items]
                return None if any(one is None for one in found) else set().union(*(one or set() for one in found))
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                inner = self._numbers(operand)
                return None if inner is None else {-number for number in inner}
            case ast.BinOp(left=left, op=ast.Add() | ast.Sub() as op, right=right):
                one, other = self._numbers(left), self._numbers(right)
                if one is None or other is None:
                    return None
                sign = 1.0 if isinstance(op, ast.Add) else -1.0
                return {a + sign * b for a in one for b in other}
            case _:
                return None

    def _add(self, symbol: str, numbers: set[float]) -> None:
        if symbol in self._known:
            return
        known = self._found.setdefault(symbol, set())
        if known is not None:
            known.update(numbers)

    def _any(self, node: ast.expr) -> None:
        for part in ast.walk(node):
            if isinstance(part, ast.Name) and part.id not in self._known:
                self._found[part.id] = None
