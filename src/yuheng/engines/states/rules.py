"""The rules that name a work unit's state: a small, safe expression language over the unit's symbols.

Language
--------
``and  or  not  ==  !=  <  <=  >  >=  in ( , )  +  -  *  /``, numbers, 'text', ``true``, ``false``, symbols and
parentheses.

The first rule whose condition holds names the state; when none holds the state is UNKNOWN. A condition in which any
symbol has no good value is false. So is one that cannot be calculated (division by zero, text compared with a
number by ``<``): a rule never raises while the plant runs.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from yuheng.engines.states.vocabulary import UnitState

MAX_LENGTH = 1000
MAX_DEPTH = 40
MAX_CAUSE_LENGTH = 200

type_value = float | str | bool
Values = Mapping[str, float | str | None]
Calculate = Callable[[Values], Any]


class RuleError(ValueError):
    """A rule cannot be understood; the sentence says which, where and why."""


class Rule(Protocol):
    """What a rule must have; `bus.documents.StateRule` has it."""

    @property
    def state(self) -> int:
        """A `UnitState`."""

    @property
    def when(self) -> str:
        """The condition."""

    @property
    def cause(self) -> str:
        """Expression whose value becomes the interval's cause; empty: no cause."""


class _CannotCalculate(Exception):
    """The operands do not allow the operation."""


@dataclass(frozen=True, slots=True)
class _Compiled:
    state: UnitState
    condition: Calculate
    needs: frozenset[str]
    cause: Calculate | None
    cause_needs: frozenset[str]


class RuleSet:
    """Compiled rules; make one with `compile_rules`."""

    __slots__ = ("_rules", "symbols")

    def __init__(self, rules: tuple[_Compiled, ...]) -> None:
        self._rules = rules
        self.symbols: frozenset[str] = frozenset().union(*(r.needs | r.cause_needs for r in rules))

    def __len__(self) -> int:
        return len(self._rules)

    def evaluate(self, values: Values) -> tuple[UnitState, str]:
        """Return the state and its cause for the symbols' values; None or absent is *no good value*. Never raises."""
        for rule in self._rules:
            if _holds(rule, values):
                return rule.state, _cause(rule, values)
        return UnitState.UNKNOWN, ""


def compile_rules(rules: Sequence[Rule], symbols: Collection[str]) -> RuleSet:
    """Compile rules, in the order in which they are tried.

    Parameters
    ----------
    symbols
        What the expressions may name.

    Raises
    ------
    RuleError
        The first mistake, as ``Rule 2, character 7: ...``.

    Examples
    --------
    >>> from collections import namedtuple
    >>> R = namedtuple("R", "state when cause")
    >>> compile_rules([R(5, "fault != 0", "fault")], ["fault"]).evaluate({"fault": 12.0})
    (<UnitState.DOWN: 5>, '12')
    """
    return RuleSet(tuple(_compile_rule(rule, number, frozenset(symbols)) for number, rule in enumerate(rules, 1)))


@dataclass(frozen=True, slots=True)
class Condition:
    """One compiled condition; make it with `compile_condition`."""

    symbols: frozenset[str]
    _calculate: Calculate

    def holds(self, values: Values) -> bool | None:
        """Return whether it holds; None when a symbol that it names has no good value. Never raises."""
        if any(values.get(symbol) is None for symbol in self.symbols):
            return None
        return bool(_calculated(self._calculate, values))


def compile_condition(text: str, symbols: Collection[str], *, place: str = "Condition") -> Condition:
    """Compile one condition. Raises `RuleError`, whose sentence begins with ``place``.

    Examples
    --------
    >>> warm = compile_condition("temperature > high", ["temperature", "high"])
    >>> warm.holds({"temperature": 81.0, "high": 80.0}), warm.holds({"temperature": None, "high": 80.0})
    (True, None)
    """
    calculate, needs = _Compiler(place, text, frozenset(symbols)).compile()
    return Condition(needs, calculate)


def _compile_rule(rule: Rule, number: int, symbols: frozenset[str]) -> _Compiled:
    try:
        state = UnitState(rule.state)
    except ValueError as error:
        raise RuleError(f"Rule {number}: {rule.state!r} is not a state.") from error
    condition, needs = _Compiler(f"Rule {number}", rule.when, symbols).compile()
    if not rule.cause.strip():
        return _Compiled(state, condition, needs, None, frozenset())
    cause, cause_needs = _Compiler(f"Rule {number}, cause", rule.cause, symbols).compile()
    return _Compiled(state, condition, needs, cause, cause_needs)


def _calculated(calculate: Calculate, values: Values) -> Any:
    try:
        return calculate(values)
    except (_CannotCalculate, ZeroDivisionError, OverflowError):
        return None


def _holds(rule: _Compiled, values: Values) -> bool:
    if any(values.get(symbol) is None for symbol in rule.needs):
        return False
    return bool(_calculated(rule.condition, values))


def _cause(rule: _Compiled, values: Values) -> str:
    if rule.cause is None or any(values.get(symbol) is None for symbol in rule.cause_needs):
        return ""
    return text_of(_calculated(rule.cause, values))


def text_of(value: Any) -> str:
    """Write a value as the text of a cause: whole numbers without a fraction, long texts cut and marked.

    A machine may send a text of megabytes; the cause is copied into every event and row of the state.

    Examples
    --------
    >>> text_of(12.0), text_of(1.5), text_of(True), text_of("E7"), text_of(None)
    ('12', '1.5', 'true', 'E7', '')
    """
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    text = str(value)
    return text if len(text) <= MAX_CAUSE_LENGTH else text[: MAX_CAUSE_LENGTH - 1] + "…"


_COMPARE: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
_ARITHMETIC: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}
_CONSTANT_NAMES = {"true": True, "false": False}


class _Compiler:
    """Turns one expression into nested closures; everything outside the language is refused by position."""

    def __init__(self, place: str, text: str, symbols: frozenset[str]) -> None:
        self.place = place
        self.text = text
        self.symbols = symbols
        self.used: set[str] = set()

    def compile(self) -> tuple[Calculate, frozenset[str]]:
        """Return the calculation and the symbols it needs."""
        text = self.text.strip()
        if not text:
            raise RuleError(f"{self.place}: the expression is empty.")
        if len(text) > MAX_LENGTH:
            raise RuleError(f"{self.place}: the expression is longer than {MAX_LENGTH} characters.")
        try:
            tree = ast.parse(text, mode="eval")
        except SyntaxError as error:
            raise RuleError(f"{self.place}, character {error.offset or 1}: this is not an expression.") from error
        except (ValueError, RecursionError, MemoryError) as error:
            raise RuleError(f"{self.place}: this is not an expression.") from error
        return self._node(tree.body, 0), frozenset(self.used)

    def _fail(self, node: ast.AST, why: str) -> RuleError:
        return RuleError(f"{self.place}, character {getattr(node, 'col_offset', 0) + 1}: {why}")

    def _node(self, node: ast.expr, depth: int) -> Calculate:
        if depth > MAX_DEPTH:
            raise self._fail(node, "the expression is nested too deeply.")
        match node:
            case ast.Constant():
                return self._constant(node)
            case ast.Name():
                return self._name(node)
            case ast.BoolOp(op=op, values=parts):
                return self._all_or_any(isinstance(op, ast.And), [self._node(part, depth + 1) for part in parts])
            case ast.UnaryOp():
                return self._unary(node, depth)
            case ast.BinOp():
                return self._arithmetic(node, depth)
            case ast.Compare():
                return self._comparison(node, depth)
            case _:
                raise self._fail(node, "only comparisons, and/or/not, + - * / and values can be used here.")

    def _constant(self, node: ast.Constant) -> Calculate:
        value = node.value
        if isinstance(value, bool | str):
            return lambda values: value
        if isinstance(value, int | float):
            try:
                number = float(value)
            except OverflowError as error:
                raise self._fail(node, "this number is too large.") from error
            return lambda values: number
        raise self._fail(node, "only numbers, 'text', true and false are values.")

    def _name(self, node: ast.Name) -> Calculate:
        name = node.id
        if name in self.symbols:
            self.used.add(name)
            return lambda values: values[name]
        if name in _CONSTANT_NAMES:
            constant = _CONSTANT_NAMES[name]
            return lambda values: constant
        known = ", ".join(sorted(self.symbols)) or "none"
        raise self._fail(node, f"'{name}' is not a symbol of this class. Its symbols: {known}.")

    @staticmethod
    def _all_or_any(is_and: bool, parts: list[Calculate]) -> Calculate:
        if is_and:
            return lambda values: all(part(values) for part in parts)
        return lambda values: any(part(values) for part in parts)

    def _unary(self, node: ast.UnaryOp, depth: int) -> Calculate:
        operand = self._node(node.operand, depth + 1)
        match node.op:
            case ast.Not():
                return lambda values: not operand(values)
            case ast.USub():
                return lambda values: -_number(operand(values))
            case ast.UAdd():
                return lambda values: _number(operand(values))
            case _:
                raise self._fail(node, "'~' cannot be used here.")

    def _arithmetic(self, node: ast.BinOp, depth: int) -> Calculate:
        operation = _ARITHMETIC.get(type(node.op))
        if operation is None:
            raise self._fail(node, "of the calculations only + - * / can be used.")
        left, right = self._node(node.left, depth + 1), self._node(node.right, depth + 1)
        return lambda values: operation(_number(left(values)), _number(right(values)))

    def _comparison(self, node: ast.Compare, depth: int) -> Calculate:
        operands = [node.left, *node.comparators]
        steps = [
            self._step(node, op, left, right, depth)
            for op, left, right in zip(node.ops, operands[:-1], operands[1:], strict=True)
        ]
        return steps[0] if len(steps) == 1 else self._all_or_any(True, steps)

    def _step(self, node: ast.Compare, op: ast.cmpop, left: ast.expr, right: ast.expr, depth: int) -> Calculate:
        one = self._node(left, depth + 1)
        if isinstance(op, ast.In | ast.NotIn):
            if not isinstance(right, ast.Tuple | ast.List | ast.Set):
                # ('text') is no tuple in Python, but everybody means it as one
                items = [self._node(right, depth + 1)]
            else:
                items = [self._node(item, depth + 1) for item in right.elts]
            is_in = isinstance(op, ast.In)
            return lambda values: any(one(values) == item(values) for item in items) is is_in
        compare = _COMPARE.get(type(op))
        if compare is None:
            raise self._fail(node, "'is' cannot be used here; write ==.")
        other = self._node(right, depth + 1)
        if isinstance(op, ast.Eq | ast.NotEq):
            return lambda values: compare(one(values), other(values))
        return lambda values: _ordered(compare, one(values), other(values))


def _number(value: Any) -> float:
    if isinstance(value, str):
        raise _CannotCalculate
    return float(value)


def _ordered(compare: Callable[[Any, Any], Any], one: Any, other: Any) -> Any:
    if isinstance(one, str) is not isinstance(other, str):
        raise _CannotCalculate
    return compare(one, other)
