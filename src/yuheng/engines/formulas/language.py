"""The language of calculated tags: text to a tree that can only calculate.

Language
--------
``+ - * / **`` (whole exponents), comparisons, ``and or not``, ``A if CONDITION else B``, numbers, parentheses;
``min max abs round floor ceil sqrt exp log log10 clip(x, low, high)``; ``prev(x) delta(x) rate(x, '1s')``;
over a time ``avg(x, '10m') min(x, '10m') max(x, '10m')``; ``quantity(5, 'kW')`` is a number with a unit and
``number(x, 'kW')`` the bare number of a value in that unit.

A tag is named by its symbol (of the same work unit), as ``UNIT.symbol``, or as ``tag('any name')``.

What cannot be calculated (division by zero, an input without a good value, a root of a negative number) is *no value*,
never an error: a formula that compiles runs for ever.

`parse_expression` reads the same language for values that do not move: parameters of a product (`expressions`). There a
text in quotes is a word to compare with, ``in`` asks for one of several, and nothing looks back in time.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

MAX_LENGTH = 1000
MAX_DEPTH = 40
MAX_NODES = 400
MAX_WINDOW_US = 24 * 3_600_000_000
MAX_EXPONENT = 4

_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
_SPAN = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(ms|s|min|m|h|d)\s*")
SAME_UNIT = ("abs", "round", "floor", "ceil")
BARE = ("exp", "log", "log10")
GATHERED = ("min", "max")
WINDOWS = ("avg", "min", "max")


class FormulaError(ValueError):
    """A formula cannot be understood; the sentence says where and why."""


@dataclass(frozen=True, slots=True)
class Number:
    """A number as written: it takes the unit of what it is added to or compared with."""

    value: float


@dataclass(frozen=True, slots=True)
class Name:
    """The value of another tag."""

    name: str


@dataclass(frozen=True, slots=True)
class Call:
    """An operation on its operands: ``+ - * / < <= > >= == != and or not neg if`` and the functions by name."""

    name: str
    operands: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Power:
    """A whole power."""

    operand: Node
    exponent: int


@dataclass(frozen=True, slots=True)
class Past:
    """``prev``, ``delta`` or ``rate`` (growth in ``span_us``) of an operand, between its neighbouring samples."""

    name: str
    operand: Node
    span_us: int = 0


@dataclass(frozen=True, slots=True)
class Window:
    """``avg``, ``min`` or ``max`` of an operand over the last ``span_us``."""

    name: str
    operand: Node
    span_us: int


@dataclass(frozen=True, slots=True)
class Measured:
    """``quantity``: a number that has a unit."""

    operand: Node
    unit: str


@dataclass(frozen=True, slots=True)
class Bare:
    """``number``: what remains of a value without its unit."""

    operand: Node
    unit: str


@dataclass(frozen=True, slots=True)
class Linear:
    """``operand * factor + shift``: conversions that the check of the units puts in."""

    operand: Node
    factor: float
    shift: float = 0.0


Node = Number | Name | Call | Power | Past | Window | Measured | Bare | Linear


@dataclass(frozen=True, slots=True)
class Formula:
    """A formula that was understood.

    ``reach_us`` is how far back it looks with its windows; ``has_memory``: earlier samples matter, not only the newest.
    """

    tree: Node
    names: tuple[str, ...]
    reach_us: int
    has_memory: bool


@lru_cache(maxsize=4096)
def parse(text: str) -> Formula:
    """Read a formula.

    Raises
    ------
    FormulaError
        The first mistake, with its place.

    Examples
    --------
    >>> parse("power_kw * 2 if L01.run else 0").names
    ('L01.run', 'power_kw')
    """
    tree = _Reader().node(_parsed(text.strip()), 0)
    nodes = list(walk(tree))
    names = tuple(sorted({node.name for node in nodes if isinstance(node, Name)}))
    if not names:
        raise FormulaError("The formula names no tag: it would always be the same.")
    has_memory = any(isinstance(node, Past | Window) for node in nodes)
    return Formula(tree, names, _reach_us(tree), has_memory)


@lru_cache(maxsize=16384)
def parse_expression(text: str) -> Formula:
    """Read an expression over parameters; words keep their quotes among the names: ``'glass'``.

    Raises
    ------
    FormulaError
        The first mistake, with its place.

    Examples
    --------
    >>> parse_expression("4 if cladding in ('glass', 'steel') else 2").names
    ("'glass'", "'steel'", 'cladding')
    """
    text = text.strip()
    tree = _Reader(has_words=True).node(_parsed(text), 0)
    names = {node.name for node in walk(tree) if isinstance(node, Name)}
    return Formula(tree, tuple(sorted(names)), 0, has_memory=False)


def _parsed(text: str) -> ast.expr:
    if not text:
        raise FormulaError("The formula is empty.")
    if len(text) > MAX_LENGTH:
        raise FormulaError(f"The formula is longer than {MAX_LENGTH} characters.")
    try:
        return ast.parse(text, mode="eval").body
    except SyntaxError as error:
        raise FormulaError(f"Character {error.offset or 1}: this is not a formula.") from error
    except (ValueError, RecursionError, MemoryError) as error:
        raise FormulaError("This is not a formula.") from error


def operands(node: Node) -> tuple[Node, ...]:
    """Return what a node is calculated from."""
    match node:
        case Number() | Name():
            return ()
        case Call(_, inner):
            return inner
        case _:
            return (node.operand,)


def walk(node: Node) -> Iterator[Node]:
    """Yield a node and all below it."""
    yield node
    for inner in operands(node):
        yield from walk(inner)


def _reach_us(node: Node) -> int:
    own = node.span_us if isinstance(node, Window) else 0
    return own + max((_reach_us(inner) for inner in operands(node)), default=0)


def span_us(text: str) -> int:
    """Read a length of time such as ``10m``. Raises `FormulaError`."""
    found = _SPAN.fullmatch(text)
    if found is None:
        raise FormulaError(f"'{text[:40]}' is not a length of time; write '30s', '10m' or '1h'.")
    span = round(float(found[1]) * _SECONDS[found[2]] * 1e6)
    if not 0 < span <= MAX_WINDOW_US:
        raise FormulaError("A length of time is more than nothing and at most 24h.")
    return span


_ARITHMETIC: dict[type[ast.operator], str] = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/"}
_COMPARE: dict[type[ast.cmpop], str] = {
    ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Eq: "==", ast.NotEq: "!=",
}  # fmt: skip
_TRUE_FALSE = {"true": 1.0, "false": 0.0}
_KNOWN = (*SAME_UNIT, *BARE, "sqrt", "clip", "min", "max", "avg", "prev", "delta", "rate", "tag", "quantity", "number")
_TIMELESS = tuple(name for name in _KNOWN if name not in ("avg", "prev", "delta", "rate", "tag"))


class _Reader:
    """Python's tree to ours, through a list of what is allowed."""

    def __init__(self, *, has_words: bool = False) -> None:
        self.count = 0
        self.has_words = has_words

    def fail(self, node: ast.AST, why: str) -> FormulaError:
        return FormulaError(f"Character {getattr(node, 'col_offset', 0) + 1}: {why}")

    def node(self, node: ast.expr, depth: int) -> Node:
        self.count += 1
        if depth > MAX_DEPTH or self.count > MAX_NODES:
            raise self.fail(node, "the formula is too long or nested too deeply.")
        match node:
            case ast.Constant():
                return self.constant(node)
            case ast.Name(id=name):
                return Number(_TRUE_FALSE[name]) if name in _TRUE_FALSE else Name(name)
            case ast.Attribute(value=ast.Name(id=unit), attr=symbol):
                return Name(f"{unit}.{symbol}")
            case ast.BinOp():
                return self.binary(node, depth)
            case ast.UnaryOp():
                return self.unary(node, depth)
            case ast.BoolOp(op=op, values=values):
                return Call("and" if isinstance(op, ast.And) else "or", self.all(values, depth))
            case ast.Compare():
                return self.comparison(node, depth)
            case ast.IfExp(test=test, body=body, orelse=other):
                return Call("if", self.all([test, body, other], depth))
            case ast.Call():
                return self.call(node, depth)
            case _:
                raise self.fail(node, "this cannot be used in a formula.")

    def unary(self, node: ast.UnaryOp, depth: int) -> Node:
        if isinstance(node.op, ast.Invert):
            raise self.fail(node, "'~' cannot be used in a formula.")
        inner = self.node(node.operand, depth + 1)
        if isinstance(node.op, ast.UAdd):
            return inner
        return Call("neg" if isinstance(node.op, ast.USub) else "not", (inner,))

    def all(self, nodes: list[ast.expr], depth: int) -> tuple[Node, ...]:
        return tuple(self.node(inner, depth + 1) for inner in nodes)

    def constant(self, node: ast.Constant) -> Node:
        if self.has_words and isinstance(node.value, str) and len(node.value) <= 400:
            return Name(f"'{node.value}'")
        if isinstance(node.value, bool | int | float):
            try:
                number = float(node.value)
            except OverflowError as error:
                raise self.fail(node, "this number is too large.") from error
            if abs(number) <= 1e300:
                return Number(number)
            raise self.fail(node, "this number is too large.")
        raise self.fail(node, "only numbers are values here; text belongs to tag(), avg() and the like.")

    def binary(self, node: ast.BinOp, depth: int) -> Node:
        left = self.node(node.left, depth + 1)
        if isinstance(node.op, ast.Pow):
            sign, power = 1, node.right
            if isinstance(power, ast.UnaryOp) and isinstance(power.op, ast.USub):
                sign, power = -1, power.operand
            if not isinstance(power, ast.Constant) or not isinstance(power.value, int):
                raise self.fail(node.right, "an exponent is a whole number such as 2.")
            if not 0 < power.value <= MAX_EXPONENT:
                raise self.fail(node.right, f"an exponent is between 1 and {MAX_EXPONENT}.")
            return Power(left, sign * int(power.value))
        operation = _ARITHMETIC.get(type(node.op))
        if operation is None:
            raise self.fail(node, "of the calculations only + - * / and ** can be used.")
        return Call(operation, (left, self.node(node.right, depth + 1)))

    def among(self, node: ast.Compare, depth: int) -> Node:
        """``name in ('one', 'other')``: one of them is equal."""
        several = node.comparators[0]
        if len(node.ops) != 1 or not isinstance(several, ast.Tuple | ast.List | ast.Set) or not several.elts:
            raise self.fail(node, "'in' is written like this: cladding in ('glass', 'steel').")
        left = self.node(node.left, depth + 1)
        equal = tuple(Call("==", (left, self.node(one, depth + 1))) for one in several.elts)
        found = equal[0] if len(equal) == 1 else Call("or", equal)
        return found if isinstance(node.ops[0], ast.In) else Call("not", (found,))

    def comparison(self, node: ast.Compare, depth: int) -> Node:
        if self.has_words and any(isinstance(op, ast.In | ast.NotIn) for op in node.ops):
            return self.among(node, depth)
        inner = self.all([node.left, *node.comparators], depth)
        steps: list[Node] = []
        for at, op in enumerate(node.ops):
            name = _COMPARE.get(type(op))
            if name is None:
                raise self.fail(node, "only < <= > >= == and != compare here.")
            steps.append(Call(name, (inner[at], inner[at + 1])))
        return steps[0] if len(steps) == 1 else Call("and", tuple(steps))

    def call(self, node: ast.Call, depth: int) -> Node:
        if not isinstance(node.func, ast.Name) or node.keywords or any(isinstance(a, ast.Starred) for a in node.args):
            raise self.fail(node, "this cannot be used in a formula.")
        name, given = node.func.id, node.args
        known = _TIMELESS if self.has_words else _KNOWN
        if name not in known:
            raise self.fail(node, f"'{name}' is not a function here. There are: {', '.join(known)}.")
        if name == "tag":
            return Name(self.text(node, given, 0, 1))
        if name in ("quantity", "number"):
            inner = self.node(given[0], depth + 1) if given else Number(0.0)
            unit = self.text(node, given, 1, 2)
            return Measured(inner, unit) if name == "quantity" else Bare(inner, unit)
        if name in WINDOWS and len(given) == 2 and _is_text(given[1]) and not self.has_words:
            return Window(name, self.node(given[0], depth + 1), self.span(node, given))
        if name == "rate":
            return Past("rate", self.node(given[0], depth + 1) if given else Number(0.0), self.span(node, given))
        self.check_count(node, name, len(given))
        values = self.all(given, depth)
        return Past(name, values[0]) if name in ("prev", "delta") else Call(name, values)

    def check_count(self, node: ast.Call, name: str, count: int) -> None:
        if name == "avg":
            raise self.fail(node, "avg() needs a tag and a length of time: avg(power, '10m').")
        wanted = 3 if name == "clip" else 1
        if name in GATHERED:
            if not 2 <= count <= 20:
                raise self.fail(node, f"{name}() needs two values or more, or one and a length of time.")
        elif count != wanted:
            raise self.fail(node, f"{name}() needs {wanted} value{'s' if wanted > 1 else ''}.")

    def span(self, node: ast.Call, given: list[ast.expr]) -> int:
        text = self.text(node, given, 1, 2)
        try:
            return span_us(text)
        except FormulaError as error:
            raise self.fail(node, str(error)) from error

    def text(self, node: ast.Call, given: list[ast.expr], at: int, count: int) -> str:
        if len(given) == count and _is_text(given[at]):
            value = getattr(given[at], "value", "")
            if 0 < len(value) <= 400:
                return str(value)
        name = getattr(node.func, "id", "")
        raise self.fail(node, f"{name}() is written like this: {_like(name)}.")


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def _like(name: str) -> str:
    return {
        "tag": "tag('L01.power')",
        "rate": "rate(energy, '1h')",
        "quantity": "quantity(5, 'kW')",
        "number": "number(power, 'kW')",
    }.get(name, name)
