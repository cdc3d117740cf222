"""Whether the units of a formula fit, which unit it gives, and the conversions that it needs.

Values are calculated in the units in which they come; where two must be the same (sums, comparisons, alternatives) the
second is converted to the first. Temperatures in degrees have no fixed zero: they are *points*, of which differences,
averages and comparisons make sense, products do not.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from math import isclose
from typing import Protocol

from yuheng.engines.formulas.language import (
    BARE,
    GATHERED,
    SAME_UNIT,
    Bare,
    Call,
    Formula,
    FormulaError,
    Linear,
    Measured,
    Name,
    Node,
    Number,
    Past,
    Power,
    Window,
)

MAX_CODE = 24
"""Longest code of a derived unit."""


class UnitLike(Protocol):
    """What is needed of a parsed unit; `kernel.units.Unit` has it."""

    @property
    def dimension(self) -> tuple[tuple[str, int], ...]:
        """Base quantities with their exponents."""

    @property
    def factor(self) -> float:
        """Size in base units."""

    @property
    def offset(self) -> float:
        """Zero in base units."""


ParseUnit = Callable[[str], UnitLike]

type_atoms = tuple[tuple[str, int], ...]
type_dimension = tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class _Unit:
    """The unit of a part of a formula. ``is_open``: a bare number, which takes any."""

    atoms: type_atoms
    dimension: type_dimension
    factor: float
    offset: float = 0.0
    is_point: bool = False
    is_difference: bool = False  # of two points
    is_open: bool = False


_OPEN = _Unit((), (), 1.0, is_open=True)
_ONE = _Unit((), (), 1.0)


@dataclass(frozen=True, slots=True)
class Checked:
    """A formula whose units fit: ``tree`` has the conversions in it and gives values in ``unit``."""

    tree: Node
    unit: str


def check(formula: Formula, units: Mapping[str, str], parse_unit: ParseUnit, *, wanted: str = "") -> Checked:
    """Return the formula with conversions, and its unit.

    Parameters
    ----------
    units
        UCUM code of each name.
    wanted
        Unit to convert the result to; empty: the one that the formula gives.

    Raises
    ------
    FormulaError
        Units that do not fit, with both of them.
    """
    checker = _Checker(units, parse_unit)
    tree, unit = checker.node(formula.tree)
    if not wanted:
        return Checked(*checker.spelled(tree, unit))
    target = checker.of_code(wanted)
    if unit.is_open:
        return Checked(tree, wanted)
    if unit.dimension != target.dimension:
        raise FormulaError(f"The formula gives {_shown(unit)}, which cannot be converted to '{wanted}'.")
    return Checked(_converted(tree, unit, target), wanted)


class _Checker:
    def __init__(self, units: Mapping[str, str], parse_unit: ParseUnit) -> None:
        self.units = units
        self.parse_unit = parse_unit

    def of_code(self, code: str) -> _Unit:
        try:
            parsed = self.parse_unit(code)
        except Exception as error:  # the kernel's errors are not known here; whatever it is, the code is no unit
            raise FormulaError(str(error)) from error
        return _Unit(
            _atoms_of(code), tuple(parsed.dimension), parsed.factor, parsed.offset, is_point=parsed.offset != 0.0
        )

    def node(self, node: Node) -> tuple[Node, _Unit]:
        """Return a node with conversions, and its unit."""
        match node:
            case Number():
                return node, _OPEN
            case Name(name):
                if name not in self.units:
                    raise FormulaError(f"There is no tag '{name}'.")
                return node, self.of_code(self.units[name])
            case Measured(operand, code):
                inner, unit = self.node(operand)
                if not unit.is_open:
                    raise FormulaError("quantity() gives a unit to a bare number only.")
                return inner, self.of_code(code)
            case Bare(operand, code):
                inner, unit = self.node(operand)
                return self.same(inner, unit, self.of_code(code), "converted to"), _OPEN
            case Power(operand, exponent):
                inner, unit = self.node(operand)
                return Power(inner, exponent), self.power(unit, exponent)
            case Past():
                return self.past(node)
            case Window(name, operand, span_us):
                inner, unit = self.node(operand)
                return Window(name, inner, span_us), unit
            case Call():
                return self.call(node)
            case Linear():
                raise FormulaError("This formula was checked already.")

    def past(self, node: Past) -> tuple[Node, _Unit]:
        inner, unit = self.node(node.operand)
        if node.name == "prev":
            return Past("prev", inner), unit
        growth = _difference(unit)
        if node.name == "delta":
            return Past("delta", inner), growth
        code, seconds = _per(node.span_us)
        per = _Unit(((code, 1),), (("s", 1),), seconds)
        tree: Node = Past("rate", inner, node.span_us)
        if node.span_us != round(seconds * 1e6):  # '10m' is told per minute
            tree = Linear(tree, seconds * 1e6 / node.span_us)
        return tree, self.product(replace(growth, is_open=False), per, -1)

    def call(self, node: Call) -> tuple[Node, _Unit]:
        parts = [self.node(inner) for inner in node.operands]
        trees, units = [tree for tree, _ in parts], [unit for _, unit in parts]
        name = node.name
        if name in ("*", "/"):
            return Call(name, tuple(trees)), self.product(units[0], units[1], 1 if name == "*" else -1)
        if name in ("+", "-"):
            return self.sum(name, trees, units)
        if name in ("<", "<=", ">", ">=", "==", "!="):
            right = self.aligned(trees[:2], units[:2], "compared with")
            return Call(name, tuple(right[0])), _ONE
        if name in ("and", "or", "not"):
            return Call(name, tuple(self.plain(tree, unit, name) for tree, unit in parts)), _ONE
        if name == "if":
            chosen, unit = self.aligned(trees[1:], units[1:], "an alternative to")
            return Call(name, (self.plain(trees[0], units[0], "if"), *chosen)), unit
        if name in (*GATHERED, "clip"):
            aligned, unit = self.aligned(trees, units, "compared with")
            return Call(name, tuple(aligned)), unit
        if name in (*SAME_UNIT, "neg"):
            return Call(name, tuple(trees)), units[0]
        if name in BARE:
            return Call(name, (self.plain(trees[0], units[0], f"{name}()"),)), _ONE
        if name == "sqrt":
            return Call(name, tuple(trees)), self.root(units[0])
        raise FormulaError(f"'{name}' is not known.")

    def sum(self, name: str, trees: list[Node], units: list[_Unit]) -> tuple[Node, _Unit]:
        left, right = units
        if left.is_open or right.is_open:
            return Call(name, tuple(trees)), right if left.is_open else left
        word = "added to" if name == "+" else "subtracted from"
        self.check_same(right, left, word)
        if left.is_point and right.is_point:
            second = _converted(trees[1], right, left)
            unit = _difference(left) if name == "-" else left
            return Call(name, (trees[0], second)), unit
        if right.is_point and name == "-":
            raise FormulaError(f"{_shown(right)} has no fixed zero: it cannot be subtracted from {_shown(left)}.")
        unit = left if left.is_point else right if right.is_point else left
        # a difference is converted by its size, without the zero
        plain = [_difference(one) for one in units]
        aim = _difference(unit)
        return Call(name, tuple(_converted(t, u, aim) for t, u in zip(trees, plain, strict=True))), unit

    def aligned(self, trees: list[Node], units: list[_Unit], word: str) -> tuple[list[Node], _Unit]:
        """Convert all to the unit of the first that has one."""
        unit = next((one for one in units if not one.is_open), _OPEN)
        return [self.same(tree, own, unit, word) for tree, own in zip(trees, units, strict=True)], unit

    def same(self, tree: Node, unit: _Unit, wanted: _Unit, word: str) -> Node:
        if unit.is_open or wanted.is_open:
            return tree
        self.check_same(unit, wanted, word)
        if (unit.is_point and wanted.is_difference) or (unit.is_difference and wanted.is_point):
            raise FormulaError(
                f"{_shown(unit)} cannot be {word} {_shown(wanted)}: one is a temperature, the other a difference."
            )
        return _converted(tree, unit, wanted)

    @staticmethod
    def check_same(unit: _Unit, wanted: _Unit, word: str) -> None:
        if unit.dimension != wanted.dimension:
            raise FormulaError(f"{_shown(unit)} cannot be {word} {_shown(wanted)}: they measure different things.")

    def plain(self, tree: Node, unit: _Unit, word: str) -> Node:
        if unit.is_open:
            return tree
        if unit.dimension:
            raise FormulaError(f"{word} needs a value without a unit, not {_shown(unit)}.")
        return _converted(tree, unit, _ONE)

    def product(self, left: _Unit, right: _Unit, sign: int) -> _Unit:
        if left.is_open and right.is_open:
            return _OPEN
        for one, other, is_divisor in ((left, right, False), (right, left, sign < 0)):
            if one.is_point:
                if other.is_open and not is_divisor:
                    return one
                raise FormulaError(
                    f"{_shown(one)} has no fixed zero: it cannot be multiplied or divided. Use a difference, or K."
                )
        return _Unit(
            _summed(left.atoms, right.atoms, sign),
            _summed(left.dimension, right.dimension, sign),
            left.factor * right.factor**sign,
        )

    def power(self, unit: _Unit, exponent: int) -> _Unit:
        found = _ONE if not unit.is_open else _OPEN
        for _ in range(abs(exponent)):
            found = self.product(found, unit, 1 if exponent > 0 else -1)
        return found

    @staticmethod
    def root(unit: _Unit) -> _Unit:
        if unit.is_open:
            return unit
        if unit.is_point or any(power % 2 for _, power in (*unit.atoms, *unit.dimension)):
            raise FormulaError(f"{_shown(unit)} has no square root.")
        halved = tuple((atom, power // 2) for atom, power in unit.atoms)
        return _Unit(halved, tuple((base, power // 2) for base, power in unit.dimension), unit.factor**0.5)

    def spelled(self, tree: Node, unit: _Unit) -> tuple[Node, str]:
        """Return the result with a code of its own; what has no dimension becomes 1."""
        if unit.is_open or not unit.atoms:
            return _converted(tree, unit, _ONE) if not unit.is_open else tree, "1"
        code = _code(unit.atoms)
        if not unit.dimension and len(unit.atoms) > 1 and not any("{" in atom for atom, _ in unit.atoms):
            return _converted(tree, unit, _ONE), "1"
        if len(code) > MAX_CODE:
            raise FormulaError(f"The unit of the formula, '{code}', is too long; name the unit that you want.")
        spelled = self.of_code(code)  # also proves that the code can be read
        if not isclose(spelled.factor, unit.factor, rel_tol=1e-9):
            tree = Linear(tree, unit.factor / spelled.factor)
        return tree, code


def _converted(tree: Node, unit: _Unit, wanted: _Unit) -> Node:
    factor = unit.factor / wanted.factor
    is_place = (unit.is_point or wanted.is_point) and not (unit.is_difference or wanted.is_difference)
    shift = (unit.offset - wanted.offset) / wanted.factor if is_place else 0.0
    if isclose(factor, 1.0, rel_tol=1e-12) and abs(shift) < 1e-9:
        return tree
    return Linear(tree, factor, shift)


def _difference(unit: _Unit) -> _Unit:
    """Return the unit of a difference: a temperature's size without its zero."""
    return replace(unit, is_point=False, offset=0.0, is_difference=not unit.is_open)


def _summed(one: type_atoms, other: type_atoms, sign: int) -> type_atoms:
    found = dict(one)
    for key, power in other:
        found[key] = found.get(key, 0) + sign * power
    return tuple(sorted((key, power) for key, power in found.items() if power))


_SIMPLE = re.compile(r"([A-Za-z%]+)([+-]?\d)?")


def _atoms_of(code: str) -> type_atoms:
    """Return the parts of a code with their exponents; what is not simple stays one part."""
    if "(" in code or "{" in code[1:-1].replace("}", ""):
        return ((code if "(" not in code else f"({code})", 1),)
    found: type_atoms = ()
    for place, side in enumerate(code.split("/")):
        for part in side.split("."):
            if part in ("", "1"):
                continue
            simple = _SIMPLE.fullmatch(part)
            atom, power = (simple[1], int(simple[2] or 1)) if simple else (part, 1)
            found = _summed(found, ((atom, power),), 1 if place == 0 else -1)
    return found


def _code(atoms: type_atoms) -> str:
    def spelled(atom: str, power: int) -> str:
        if power == 1:
            return atom
        return f"{atom}{power}" if _SIMPLE.fullmatch(atom) else ".".join([atom] * power)

    above = ".".join(spelled(atom, power) for atom, power in _by_size(atoms) if power > 0)
    below = "".join(f"/{spelled(atom, -power)}" for atom, power in _by_size(atoms) if power < 0)
    return above + below if above or below else "1"


def _by_size(atoms: type_atoms) -> list[tuple[str, int]]:
    """Return atoms as people write them: times last, kW.h and not h.kW."""
    times = ("ms", "s", "min", "h", "d")
    return sorted(atoms, key=lambda atom: (times.index(atom[0]) + 1 if atom[0] in times else 0, atom[0]))


def _shown(unit: _Unit) -> str:
    return f"'{_code(unit.atoms)}'"


def _per(span_us: int) -> tuple[str, float]:
    """Return the unit of time that a rate is told in, and its seconds: the largest that fits the span."""
    for code, seconds in (("d", 86400.0), ("h", 3600.0), ("min", 60.0)):
        if span_us >= seconds * 1e6 and span_us % round(seconds * 1e6) == 0:
            return code, seconds
    return "s", 1.0
