"""The condition of an alarm, judged in event time: deadband, delays, chatter, doubt. Pure.

A condition is an expression of the rules' language (`engines.states.rules`) over

* the work unit's symbols, each the newest value of a tag,
* ``state`` and ``cause``, the unit's state as a word and its cause (``unit_state`` and ``unit_cause`` are the same, for
  a unit that has tags of those names), compared with the words ``down``, ``idle``, ``no_data``, ...,
* parameters: named limits that may differ between units.

Definitions
-----------
1. An inactive alarm becomes active once its condition has held for the *on-delay*; an active one becomes inactive once
   its *hold condition* has not held for the *off-delay*. The hold condition is the same one with every limit moved by
   the deadband in favour of staying: ``temperature > 80`` with a deadband of 2 holds on until 78.
2. While a symbol it names has no good value, or the unit has no data at all, a condition is *in doubt*: it keeps what
   it was, a delay that runs begins anew afterwards, and an active alarm says that it is uncertain.
3. Becoming active again within the *chatter window* after it became inactive continues the same episode. After
   ``CHATTER_AFTER`` of these the input chatters: the alarm then stays active until the input has been quiet for a whole
   window, and only its count is told, at most every ``CHATTER_TELL_US``.

So the number of facts of a chattering input does not grow with its speed.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from yuheng.engines.alarms.vocabulary import FactKind
from yuheng.engines.states.rules import Condition, RuleError, compile_condition
from yuheng.engines.states.vocabulary import UnitState

CHATTER_AFTER = 3
CHATTER_TELL_US = 10_000_000
NEVER_US = 2**62

STATE_WORDS: dict[str, str] = {state.name.lower(): state.name.lower() for state in UnitState}
STATE_SYMBOLS = ("state", "unit_state")
CAUSE_SYMBOLS = ("cause", "unit_cause")
OF_THE_UNIT = frozenset((*STATE_SYMBOLS, *CAUSE_SYMBOLS))
"""Symbols that have a value whether or not any tag speaks."""

type_values = Mapping[str, float | str | None]


class Compiled(NamedTuple):
    """A condition, the one that keeps it active, and the tags' symbols that both need."""

    raise_when: Condition
    hold_when: Condition
    symbols: frozenset[str]


def known_names(symbols: Collection[str], parameters: Mapping[str, float | str]) -> frozenset[str]:
    """Return everything that a condition of a unit with these symbols may name."""
    return frozenset((*symbols, *parameters, *STATE_WORDS, *OF_THE_UNIT))


def constants(symbols: Collection[str], parameters: Mapping[str, float | str]) -> dict[str, float | str | None]:
    """Return the values that never change: state words and parameters. A tag of the same name hides a state word."""
    words = {name: word for name, word in STATE_WORDS.items() if name not in symbols}
    return {**words, **{name: value for name, value in parameters.items() if name not in symbols}}


def compile_alarm(
    when: str, symbols: Collection[str], parameters: Mapping[str, float | str], deadband: float = 0.0
) -> Compiled:
    """Compile an alarm's condition. Raises `RuleError`.

    Examples
    --------
    >>> hot = compile_alarm("temperature > high", ["temperature"], {"high": 80.0}, 2.0)
    >>> values = {**constants(["temperature"], {"high": 80.0}), "temperature": 79.0}
    >>> hot.raise_when.holds(values), hot.hold_when.holds(values), sorted(hot.symbols)
    (False, True, ['temperature'])
    """
    names = known_names(symbols, parameters)
    raise_when = compile_condition(when, names)
    hold_when = compile_condition(relaxed(when, deadband), names) if deadband else raise_when
    given = frozenset(symbols)
    return Compiled(raise_when, hold_when, raise_when.symbols & (given | OF_THE_UNIT))


def relaxed(when: str, deadband: float) -> str:
    """Return the condition with every limit moved by the deadband, so that it holds longer.

    Examples
    --------
    >>> relaxed("temperature > high and not level >= 5", 2)
    'temperature > high - 2 and (not level >= 5 + 2)'
    >>> relaxed("low < pressure < 9", 0.5)
    'low < pressure + 0.5 < 9 + 0.5 + 0.5'
    """
    try:
        tree = ast.parse(when.strip(), mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise RuleError("Condition: this is not an expression.") from error
    return ast.unparse(_Relaxing(deadband).visit(tree))


class _Relaxing(ast.NodeTransformer):
    """Moves what is compared by the deadband; below a ``not`` the other way round."""

    def __init__(self, deadband: float) -> None:
        self._deadband = deadband
        self._sign = 1

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.AST:
        if not isinstance(node.op, ast.Not):
            return node
        self._sign = -self._sign
        found = self.generic_visit(node)
        self._sign = -self._sign
        return found

    def visit_Compare(self, node: ast.Compare) -> ast.AST:
        """Each further operand of a chain is moved by what the one before was, and by its own."""
        moved = 0
        comparators: list[ast.expr] = []
        for op, operand in zip(node.ops, node.comparators, strict=True):
            if isinstance(op, ast.Gt | ast.GtE):
                moved -= self._sign
            elif isinstance(op, ast.Lt | ast.LtE):
                moved += self._sign
            comparators.append(self._by(operand, moved))
        return ast.Compare(node.left, node.ops, comparators)

    def _by(self, operand: ast.expr, times: int) -> ast.expr:
        for _ in range(abs(times)):
            operand = ast.BinOp(operand, ast.Add() if times > 0 else ast.Sub(), ast.Constant(self._deadband))
        return operand


@dataclass(frozen=True, slots=True)
class Fact:
    """Something to tell about an alarm."""

    kind: FactKind
    time_us: int
    episode_us: int
    count: int


class Timing(NamedTuple):
    """Delays and the chatter window, in microseconds."""

    on_delay_us: int = 0
    off_delay_us: int = 0
    chatter_us: int = 60_000_000


class Signal:
    """Follows one condition in event time and says what it becomes. Feed it in time order.

    Attributes
    ----------
    is_active
        What was told last. While the input chatters the alarm is told as active though ``is_on`` goes up and down.
    is_on
        Whether the condition is active after delays.
    episode_us, count
        The episode that runs or ran last, and how often the condition became active in it.
    due_us
        When `advance` must be called at the latest; `NEVER_US` when nothing waits.
    """

    __slots__ = (
        "count",
        "episode_us",
        "is_active",
        "is_chattering",
        "is_on",
        "is_uncertain",
        "off_us",
        "pending_us",
        "repeats",
        "timing",
        "told_count",
        "told_us",
    )

    def __init__(self, timing: Timing) -> None:
        self.timing = timing
        self.is_active = False
        self.is_on = False
        self.is_uncertain = False
        self.is_chattering = False
        self.episode_us = 0
        self.count = 0
        self.repeats = 0
        self.off_us = 0  # when the condition last became inactive
        self.pending_us = NEVER_US  # since when the condition differs from `is_on`
        self.told_us = 0
        self.told_count = 0

    @property
    def due_us(self) -> int:
        """See the class."""
        due = NEVER_US
        if self.pending_us != NEVER_US and not self.is_uncertain:
            due = self.pending_us + (self.timing.off_delay_us if self.is_on else self.timing.on_delay_us)
        if self.is_chattering and not self.is_uncertain:
            if not self.is_on:
                due = min(due, self.off_us + self.timing.chatter_us)
            if self.count > self.told_count:
                due = min(due, self.told_us + CHATTER_TELL_US)
        return due

    def advance(self, to_us: int, facts: list[Fact]) -> None:
        """Let the time pass to ``to_us``: what was due by then happens, at its own moment."""
        while (due_us := self.due_us) <= to_us:
            is_pending_due = self.pending_us != NEVER_US and due_us == self.pending_us + (
                self.timing.off_delay_us if self.is_on else self.timing.on_delay_us
            )
            if is_pending_due:
                self.pending_us = NEVER_US
                self._switch(due_us, facts)
            elif not self.is_on and due_us == self.off_us + self.timing.chatter_us:
                self.is_chattering = False
                self._clear(due_us, facts)
            else:
                self._tell_count(due_us, facts)

    def take(self, at_us: int, holds: bool | None, facts: list[Fact]) -> None:
        """Take in how the condition is at ``at_us``: None when it is in doubt. Call `advance` to ``at_us`` before."""
        if holds is None:
            if not self.is_uncertain:
                self.is_uncertain = True
                if self.is_active:
                    facts.append(Fact(FactKind.UNCERTAIN, at_us, self.episode_us, self.count))
            return
        if self.is_uncertain:
            self.is_uncertain = False
            if self.pending_us != NEVER_US:
                self.pending_us = at_us
            if self.is_active:
                facts.append(Fact(FactKind.CERTAIN, at_us, self.episode_us, self.count))
        if holds is self.is_on:
            self.pending_us = NEVER_US
        elif self.pending_us == NEVER_US:
            self.pending_us = at_us
        self.advance(at_us, facts)

    def _switch(self, at_us: int, facts: list[Fact]) -> None:
        self.is_on = not self.is_on
        if self.is_on:
            self._on(at_us, facts)
        else:
            self.off_us = at_us
            if not self.is_chattering:
                self._clear(at_us, facts)

    def _on(self, at_us: int, facts: list[Fact]) -> None:
        is_again = self.episode_us and self.off_us and at_us - self.off_us < self.timing.chatter_us
        if not is_again:
            self.episode_us, self.count, self.repeats = at_us, 1, 0
            self._tell(FactKind.ACTIVATED, at_us, facts)
            return
        self.count += 1
        self.repeats += 1
        if self.is_chattering:
            return
        self._tell(FactKind.REPEATED, at_us, facts)
        self.is_chattering = self.repeats >= CHATTER_AFTER

    def _clear(self, at_us: int, facts: list[Fact]) -> None:
        self.is_active = False
        self.told_count = self.count
        facts.append(Fact(FactKind.CLEARED, at_us, self.episode_us, self.count))

    def _tell(self, kind: FactKind, at_us: int, facts: list[Fact]) -> None:
        self.is_active = True
        self.told_us, self.told_count = at_us, self.count
        facts.append(Fact(kind, at_us, self.episode_us, self.count))

    def _tell_count(self, at_us: int, facts: list[Fact]) -> None:
        if self.count > self.told_count:
            self.told_us, self.told_count = at_us, self.count
            facts.append(Fact(FactKind.CHATTERING, at_us, self.episode_us, self.count))

    # ---- restart ------------------------------------------------------------------------------------------------

    def marks(self) -> list[int]:
        """Return everything that a restart must know, as numbers."""
        flags = self.is_active | self.is_on << 1 | self.is_uncertain << 2 | self.is_chattering << 3
        return [
            flags,
            self.episode_us,
            self.count,
            self.repeats,
            self.off_us,
            self.pending_us,
            self.told_us,
            self.told_count,
        ]

    def restore(self, marks: list[int]) -> None:
        """Go on from `marks`."""
        flags = marks[0]
        self.is_active, self.is_on = bool(flags & 1), bool(flags & 2)
        self.is_uncertain, self.is_chattering = bool(flags & 4), bool(flags & 8)
        self.episode_us, self.count, self.repeats, self.off_us = marks[1:5]
        self.pending_us, self.told_us, self.told_count = marks[5:8]

    @property
    def is_remarkable(self) -> bool:
        """Whether it differs from a signal that never heard anything."""
        return bool(self.episode_us) or self.pending_us != NEVER_US or self.is_uncertain
