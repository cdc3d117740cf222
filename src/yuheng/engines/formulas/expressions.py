"""Expressions over parameters that do not move: quantities, times and conditions of products.

The language and the check of units are those of calculated tags; the values are exact decimals, and what cannot be
calculated is refused instead of being *no value*: a bill of material has no use for an unknown quantity.

Examples
--------
>>> from yuheng.kernel.units import parse as parse_unit
>>> rise = Parameter("rise", Kind.NUMBER, "mm")
>>> steps = compile_expression("ceil(rise / quantity(200, 'mm')) + 1", {"rise": rise}, parse_unit, wanted="{piece}")
>>> evaluate(steps, {"rise": Decimal(4500)})
Decimal('24')
"""

from __future__ import annotations

import decimal
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from itertools import islice, product

from yuheng.engines.formulas.language import (
    Bare,
    Call,
    Formula,
    FormulaError,
    Linear,
    Measured,
    Name,
    Node,
    Number,
    Power,
    operands,
    parse_expression,
    walk,
)
from yuheng.engines.formulas.measuring import ParseUnit, check

Value = Decimal | str | bool
CONTEXT = decimal.Context(
    prec=28, rounding=decimal.ROUND_HALF_EVEN, Emax=300, Emin=-300,
    traps=[decimal.DivisionByZero, decimal.InvalidOperation, decimal.Overflow],
)  # fmt: skip
PLACES = 12
"""Significant digits of a result: what calculation adds beyond them is noise."""
MOST_WITNESSES = 4096


class Kind(StrEnum):
    """What values a parameter has."""

    NUMBER = "number"
    CHOICE = "choice"
    BOOLEAN = "boolean"


@dataclass(frozen=True, slots=True)
class Parameter:
    """A name that an expression may use. ``low`` and ``high`` (in ``unit``) bound a number where they are given."""

    name: str
    kind: Kind = Kind.NUMBER
    unit: str = "1"
    choices: tuple[str, ...] = ()
    default: Value | None = None
    low: Decimal | None = None
    high: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Expression:
    """An expression whose names and units fit; it gives values in ``unit``."""

    text: str
    tree: Node
    names: tuple[str, ...]
    unit: str


class CannotBeCalculated(ArithmeticError):
    """An expression has no value for these parameters; the sentence says why."""


def compile_expression(
    text: str, parameters: Mapping[str, Parameter], parse_unit: ParseUnit, *, wanted: str
) -> Expression:
    """Understand an expression that gives values in the unit ``wanted``.

    Raises
    ------
    FormulaError
        It is not the language, uses a name that is no parameter, or its units do not fit.
    """
    formula = parse_expression(text)
    names = _check_names(formula, parameters)
    _check_words(formula.tree, parameters)
    units = {name: parameters[name].unit if name in parameters else "1" for name in formula.names}
    checked = check(formula, units, parse_unit, wanted=wanted)
    return Expression(text.strip(), checked.tree, names, wanted)


def compile_condition(text: str, parameters: Mapping[str, Parameter], parse_unit: ParseUnit) -> Expression:
    """Understand an expression that is true (not 0) or false. Raises `FormulaError`."""
    return compile_expression(text, parameters, parse_unit, wanted="1")


def evaluate(expression: Expression, values: Mapping[str, Value]) -> Decimal:
    """Return the value, to `PLACES` significant digits.

    Raises
    ------
    CannotBeCalculated
        A division by zero, a root of a negative number, a logarithm of what has none, or a number beyond all measure.
    """
    with decimal.localcontext(CONTEXT):
        try:
            found = _number(_Evaluator(values).of(expression.tree))
            return _plain(Decimal(f"{found:.{PLACES}g}"))
        except decimal.Overflow as error:
            raise CannotBeCalculated("The result is too large a number.") from error
        except (decimal.DivisionByZero, decimal.InvalidOperation) as error:
            raise CannotBeCalculated("This divides by zero.") from error


def holds(expression: Expression, values: Mapping[str, Value]) -> bool:
    """Return whether a condition is true. Raises `CannotBeCalculated`."""
    return evaluate(expression, values) != 0


def witnesses(parameters: Sequence[Parameter]) -> list[dict[str, Value]]:
    """Return values to try an expression with: the corners of what the parameters may be, each with each.

    A number is tried at its limits, its default and, where the limits admit them, at 0 and 1; a choice at each of its
    choices. At most `MOST_WITNESSES` combinations; those of the first parameters' first values come first.
    """
    names = [parameter.name for parameter in parameters]
    every = product(*(_corners(parameter) for parameter in parameters))
    return [dict(zip(names, values, strict=True)) for values in islice(every, MOST_WITNESSES)]


def _corners(parameter: Parameter) -> list[Value]:
    if parameter.kind is Kind.BOOLEAN:
        return [True, False]
    if parameter.kind is Kind.CHOICE:
        return list(parameter.choices)
    low, high = parameter.low, parameter.high
    tried: list[Value] = []
    for value in (parameter.default, low, high, Decimal(0), Decimal(1)):
        if not isinstance(value, Decimal) or value in tried:
            continue
        if (low is None or value >= low) and (high is None or value <= high):
            tried.append(value)
    return tried


# ---- names and words ----------------------------------------------------------------------------------------------


def _is_word(node: Node) -> bool:
    return isinstance(node, Name) and node.name.startswith("'")


def _check_names(formula: Formula, parameters: Mapping[str, Parameter]) -> tuple[str, ...]:
    names = tuple(name for name in formula.names if not name.startswith("'"))
    for name in names:
        if name not in parameters:
            known = ", ".join(sorted(parameters)) or "-"
            raise FormulaError(f"There is no parameter '{name}'. There are: {known}.")
    return names


def _check_words(tree: Node, parameters: Mapping[str, Parameter]) -> None:
    """Refuse words and choices that stand elsewhere than in ``choice == 'word'``."""
    compared: set[int] = set()
    for node in walk(tree):
        if not isinstance(node, Call) or node.name not in ("==", "!="):
            continue
        left, right = node.operands
        word, other = (left, right) if _is_word(left) else (right, left)
        if not _is_word(word) or not isinstance(other, Name) or other.name not in parameters:
            continue
        parameter, text = parameters[other.name], getattr(word, "name", "")[1:-1]
        if parameter.kind is not Kind.CHOICE:
            raise FormulaError(f"'{parameter.name}' is not a choice; it cannot be compared with a word.")
        if text not in parameter.choices:
            known = ", ".join(parameter.choices)
            raise FormulaError(f"'{text}' is not a choice of {parameter.name}. There are: {known}.")
        compared.update((id(word), id(other)))
    for node in _places(tree):
        if id(node) in compared or not isinstance(node, Name):
            continue
        if _is_word(node):
            raise FormulaError(f"{node.name} is a word: compare a choice with it, as in cladding == 'glass'.")
        if parameters[node.name].kind is Kind.CHOICE:
            raise FormulaError(f"'{node.name}' is a choice: compare it, as in {node.name} == 'glass'.")


def _places(node: Node) -> list[Node]:
    return [node, *(inner for operand in operands(node) for inner in _places(operand))]


# ---- calculating --------------------------------------------------------------------------------------------------


class _Evaluator:
    def __init__(self, values: Mapping[str, Value]) -> None:
        self.values = values

    def of(self, node: Node) -> Value:
        match node:
            case Number(value):
                return Decimal(repr(value))
            case Name(name):
                return name[1:-1] if name.startswith("'") else self.values[name]
            case Linear(operand, factor, shift):
                return self.number(operand) * _factor(factor) + _factor(shift)
            case Measured(operand) | Bare(operand):
                return self.of(operand)
            case Power(operand, exponent):
                return self.power(self.number(operand), exponent)
            case Call():
                return self.call(node)
            case _:
                raise CannotBeCalculated("This looks back in time; a parameter has none.")

    def number(self, node: Node) -> Decimal:
        return _number(self.of(node))

    def power(self, base: Decimal, exponent: int) -> Decimal:
        if exponent < 0 and not base:
            raise CannotBeCalculated("This divides by zero.")
        return base**exponent

    def call(self, node: Call) -> Value:
        name, inner = node.name, node.operands
        if name == "if":
            return self.of(inner[1] if self.number(inner[0]) else inner[2])
        if name == "and":
            return Decimal(all(self.number(one) for one in inner))
        if name == "or":
            return Decimal(any(self.number(one) for one in inner))
        if name in _COMPARED:
            return Decimal(_COMPARED[name](self.of(inner[0]), self.of(inner[1])))
        return _CALLS[name]([self.number(one) for one in inner])


def _number(value: Value) -> Decimal:
    if isinstance(value, bool):
        return Decimal(value)
    if isinstance(value, str):
        raise CannotBeCalculated("A word is not a number.")
    return value


def _factor(value: float) -> Decimal:
    return Decimal(f"{value:.15g}")


def _plain(value: Decimal) -> Decimal:
    """Return the number without trailing zeros and without an exponent that would be written."""
    value = value.normalize()
    exponent = value.as_tuple().exponent
    return value.quantize(Decimal(1)) if isinstance(exponent, int) and 0 < exponent <= PLACES else value


def _settled(value: Decimal) -> Decimal:
    """Return the number without the noise of a division: a third times three is one."""
    return Decimal(f"{value:.20g}")


def _divided(parts: Sequence[Decimal]) -> Decimal:
    if not parts[1]:
        raise CannotBeCalculated("This divides by zero.")
    return parts[0] / parts[1]


def _root(parts: Sequence[Decimal]) -> Decimal:
    if parts[0] < 0:
        raise CannotBeCalculated("This is the root of a negative number.")
    return parts[0].sqrt()


def _logarithm(base_10: bool) -> Callable[[Sequence[Decimal]], Decimal]:
    def work(parts: Sequence[Decimal]) -> Decimal:
        if parts[0] <= 0:
            raise CannotBeCalculated("Only a number above zero has a logarithm.")
        return parts[0].log10() if base_10 else parts[0].ln()

    return work


def _whole(rounding: str) -> Callable[[Sequence[Decimal]], Decimal]:
    return lambda parts: _settled(parts[0]).to_integral_value(rounding=rounding)


def _same(one: Value, other: Value) -> bool:
    if isinstance(one, str) or isinstance(other, str):
        return one == other
    return _settled(_number(one)) == _settled(_number(other))


_COMPARED: Mapping[str, Callable[[Value, Value], bool]] = {
    "==": _same,
    "!=": lambda one, other: not _same(one, other),
    "<": lambda one, other: _settled(_number(one)) < _settled(_number(other)),
    "<=": lambda one, other: _settled(_number(one)) <= _settled(_number(other)),
    ">": lambda one, other: _settled(_number(one)) > _settled(_number(other)),
    ">=": lambda one, other: _settled(_number(one)) >= _settled(_number(other)),
}
_CALLS: Mapping[str, Callable[[Sequence[Decimal]], Decimal]] = {
    "+": lambda p: p[0] + p[1],
    "-": lambda p: p[0] - p[1],
    "*": lambda p: p[0] * p[1],
    "/": _divided,
    "neg": lambda p: -p[0],
    "not": lambda p: Decimal(not p[0]),
    "min": min,
    "max": max,
    "abs": lambda p: abs(p[0]),
    "round": _whole(decimal.ROUND_HALF_EVEN),
    "floor": _whole(decimal.ROUND_FLOOR),
    "ceil": _whole(decimal.ROUND_CEILING),
    "sqrt": _root,
    "exp": lambda p: p[0].exp(),
    "log": _logarithm(base_10=False),
    "log10": _logarithm(base_10=True),
    "clip": lambda p: min(max(p[0], p[1]), p[2]),
}
