"""Units of measure: the part of UCUM that plants use, checked and convertible.

`parse` reads a code such as ``m3/h``, ``kW.h``, ``Cel``, ``{piece}/min`` into its dimension and factor.

References
----------
The Unified Code for Units of Measure, https://ucum.org/ucum, sections 2 (grammar) and 4 (tables), case sensitive.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache
from math import pi

from yuheng.kernel.errors import InvalidInput

Dimension = tuple[tuple[str, int], ...]
"""Base quantity -> exponent, sorted, without zeros: ``(("m", 1), ("s", -1))``."""


class UnknownUnit(InvalidInput):
    """The code is not a unit that this system knows."""


class NotCommensurable(InvalidInput):
    """The two units measure different things."""


@dataclass(frozen=True, slots=True)
class Unit:
    """A parsed unit: ``value in base units = value * factor + offset``."""

    code: str
    dimension: Dimension
    factor: float
    offset: float = 0.0


_PREFIXES = {
    "Y": 1e24, "Z": 1e21, "E": 1e18, "P": 1e15, "T": 1e12, "G": 1e9, "M": 1e6, "k": 1e3, "h": 1e2, "da": 1e1,
    "d": 1e-1, "c": 1e-2, "m": 1e-3, "u": 1e-6, "n": 1e-9, "p": 1e-12, "f": 1e-15, "a": 1e-18,
}  # fmt: skip
_BINARY_PREFIXES = {"Ki": 2.0**10, "Mi": 2.0**20, "Gi": 2.0**30, "Ti": 2.0**40}

# atom: (definition in terms of base units, takes prefixes). Base: m s g rad K C cd, plus bit (kept apart).
_BASE = ("m", "s", "g", "rad", "K", "C", "cd", "bit")
_METRIC: dict[str, tuple[float, str]] = {
    "mol": (6.02214076e23, "1"), "sr": (1.0, "rad2"), "Hz": (1.0, "s-1"), "N": (1e3, "g.m.s-2"),
    "Pa": (1e3, "g.m-1.s-2"), "J": (1e3, "g.m2.s-2"), "W": (1e3, "g.m2.s-3"), "A": (1.0, "C.s-1"),
    "V": (1e3, "g.m2.s-2.C-1"), "F": (1e-3, "g-1.m-2.s2.C2"), "Ohm": (1e3, "g.m2.s-1.C-2"),
    "S": (1e-3, "g-1.m-2.s.C2"), "Wb": (1e3, "g.m2.s-1.C-1"), "T": (1e3, "g.s-1.C-1"), "H": (1e3, "g.m2.C-2"),
    "lm": (1.0, "cd.rad2"), "lx": (1.0, "cd.rad2.m-2"), "Bq": (1.0, "s-1"), "Gy": (1.0, "m2.s-2"),
    "Sv": (1.0, "m2.s-2"), "kat": (6.02214076e23, "s-1"), "l": (1e-3, "m3"), "L": (1e-3, "m3"), "ar": (100.0, "m2"),
    "t": (1e6, "g"), "bar": (1e8, "g.m-1.s-2"), "u": (1.66053906660e-24, "g"), "eV": (1.602176634e-16, "g.m2.s-2"),
    "cal": (4184.0, "g.m2.s-2"), "G": (0.1, "g.s-1.C-1"), "P": (100.0, "g.m-1.s-1"), "St": (1e-4, "m2.s-1"),
    "dyn": (1e-2, "g.m.s-2"), "erg": (1e-4, "g.m2.s-2"), "gf": (9.80665, "g.m.s-2"), "By": (8.0, "bit"),
    "Bd": (1.0, "s-1"), "m[H2O]": (9.80665e6, "g.m-1.s-2"), "m[Hg]": (1.333220e8, "g.m-1.s-2"),
}  # fmt: skip
_PLAIN: dict[str, tuple[float, str]] = {
    "%": (1e-2, "1"), "[ppth]": (1e-3, "1"), "[ppm]": (1e-6, "1"), "[ppb]": (1e-9, "1"), "[pi]": (pi, "1"),
    "min": (60.0, "s"), "h": (3600.0, "s"), "d": (86400.0, "s"), "wk": (604800.0, "s"), "mo": (2629800.0, "s"),
    "a": (31557600.0, "s"), "deg": (pi / 180, "rad"), "'": (pi / 10800, "rad"), "''": (pi / 648000, "rad"),
    "gon": (pi / 200, "rad"), "circ": (2 * pi, "rad"), "atm": (1.01325e8, "g.m-1.s-2"), "att": (9.80665e7, "g.m-1.s-2"),
    "[in_i]": (0.0254, "m"), "[ft_i]": (0.3048, "m"), "[yd_i]": (0.9144, "m"), "[mi_i]": (1609.344, "m"),
    "[mil_i]": (2.54e-5, "m"), "[sin_i]": (6.4516e-4, "m2"), "[sft_i]": (0.09290304, "m2"),
    "[cin_i]": (1.6387064e-5, "m3"), "[cft_i]": (0.028316846592, "m3"), "[lb_av]": (453.59237, "g"),
    "[oz_av]": (28.349523125, "g"), "[lbf_av]": (4448.2216152605, "g.m.s-2"), "[psi]": (6.894757293168e6, "g.m-1.s-2"),
    "[gal_us]": (3.785411784e-3, "m3"), "[HP]": (7.4569987158227022e5, "g.m2.s-3"),
    "[Btu_IT]": (1.05505585262e6, "g.m2.s-2"),
    "10*": (10.0, "1"), "10^": (10.0, "1"), "[g]": (9.80665, "m.s-2"), "[c]": (299792458.0, "m.s-1"),
}  # fmt: skip
# Arbitrary or logarithmic units: each is a dimension of its own, convertible only to itself.
_APART = ("[pH]", "B", "B[SPL]", "B[W]", "B[kW]", "B[V]", "B[mV]", "B[uV]", "Np", "[IU]", "[arb'U]", "[NTU]", "[HRC]")
_APART_METRIC = frozenset({"B", "B[SPL]", "B[W]", "B[kW]", "B[V]", "B[mV]", "B[uV]", "Np", "[IU]"})
_TEMPERATURES = {"Cel": (1.0, 273.15), "[degF]": (5 / 9, 459.67 * 5 / 9), "[degRe]": (1.25, 273.15)}
_HINTS = {
    "°C": "Cel", "℃": "Cel", "C°": "Cel", "degC": "Cel", "°F": "[degF]", "°": "deg", "rpm": "{rpm} or /min",
    "RPM": "{rpm} or /min", "r/min": "/min", "kWh": "kW.h", "Wh": "W.h", "MWh": "MW.h", "Ah": "A.h", "Nm": "N.m",
    "pcs": "{piece}", "pc": "{piece}", "psi": "[psi]", "ppm": "[ppm]", "sec": "s", "hour": "h", "hr": "h", "m³": "m3",
    "m²": "m2", "m³/h": "m3/h", "Ω": "Ohm", "ohm": "Ohm", "µm": "um", "μm": "um", "inch": "[in_i]", "in": "[in_i]",
    "VA": "V.A", "kVA": "kV.A", "var": "V.A{reactive}", "kvar": "kV.A{reactive}", "件": "{piece}", "秒": "s",
    "mmHg": "mm[Hg]", "l/min": "L/min", "": "1",
}  # fmt: skip
_USUAL = "kPa MPa Pa bar mbar kW W MW kV V mA A Hz kHz kg g mm cm m kN N J kJ L mL Cel K Ohm lx min h s ms mol By"
_BY_LOWER_CASE = {usual.lower(): usual for usual in _USUAL.split()}
_SHOWN = {
    "1": "", "Cel": "°C", "[degF]": "°F", "deg": "°", "Ohm": "Ω", "[psi]": "psi", "[ppm]": "ppm", "[in_i]": "in",
    "[ft_i]": "ft", "[pH]": "pH", "[HP]": "hp",
}  # fmt: skip

_TOKEN = re.compile(
    r"(?P<atom>10[*^]|[^\d./(){}+\-\s\[\]][^./(){}+\-\s\d\[\]]*(?:\[[^\[\]\s]*\])?|\[[^\[\]\s]*\])(?P<exponent>[+-]?\d+)?"
)
_ANNOTATION = re.compile(r"\{[\x20-\x7e\u00a0-\uffff]*?\}")

_NUMBER = re.compile(r"(?!10[*^])\d+")
_SUPERSCRIPT = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")
MAX_LENGTH = 40


@lru_cache(maxsize=4096)
def parse(code: str) -> Unit:
    """Read a UCUM code.

    Raises
    ------
    UnknownUnit
        With the nearest thing that would be accepted, where there is one.

    Examples
    --------
    >>> parse("m3/h").dimension
    (('m', 3), ('s', -1))
    >>> round(parse("km/h").factor, 6)
    0.277778
    """
    if not code or len(code) > MAX_LENGTH or code != code.strip():
        raise _unknown(code)
    if code in _TEMPERATURES or (code[:1] in {"m", "k"} and code[1:] == "Cel"):
        return _temperature(code)
    return _Parser(code).unit()


def is_unit(code: str) -> bool:
    """Return whether `parse` accepts the code."""
    try:
        parse(code)
    except UnknownUnit:
        return False
    return True


def meant(text: str) -> str:
    """Return the code that a person meant who wrote ``°C`` or ``m³/h``; anything else as it is.

    Examples
    --------
    >>> meant("°C"), meant("kWh"), meant("bar"), meant("furlong")
    ('Cel', 'kW.h', 'bar', 'furlong')
    """
    hint = "" if is_unit(text) else _HINTS.get(text, "")
    return hint if hint and is_unit(hint) else text


def are_commensurable(one: str, other: str) -> bool:
    """Return whether values can be converted between the two units."""
    return parse(one).dimension == parse(other).dimension


def convert(value: float, from_code: str, to_code: str) -> float:
    """Convert a value between commensurable units.

    Raises
    ------
    UnknownUnit, NotCommensurable

    Examples
    --------
    >>> convert(36, "km/h", "m/s")
    10.0
    >>> round(convert(68, "[degF]", "Cel"), 9)
    20.0
    """
    source, target = parse(from_code), parse(to_code)
    if source.dimension != target.dimension:
        raise NotCommensurable(f"'{from_code}' and '{to_code}' measure different things; no conversion exists.")
    if source.code == target.code:
        return value
    return (value * source.factor + source.offset - target.offset) / target.factor


def shown(code: str) -> str:
    """Return how people write the unit: ``Cel`` as °C, ``m3/h`` as m³/h, ``{piece}`` as piece, ``1`` as nothing.

    Examples
    --------
    >>> shown("m3/h"), shown("kW.h"), shown("{piece}/min"), shown("s-1"), shown("Cel/s")
    ('m³/h', 'kW·h', 'piece/min', 's⁻¹', '°C/s')
    """
    if code in _SHOWN:
        return _SHOWN[code]
    return "/".join("·".join(_shown_component(part) for part in side.split(".")) for side in code.split("/"))


def _shown_component(part: str) -> str:
    if part.startswith("{"):
        return part[1:-1]
    match = _TOKEN.fullmatch(_ANNOTATION.sub("", part))
    if match is None:
        return part
    atom = match["atom"]
    exponent = (match["exponent"] or "").translate(_SUPERSCRIPT)
    return _SHOWN.get(atom, atom.replace("u", "µ", 1) if atom.startswith("u") and len(atom) > 1 else atom) + exponent


def _temperature(code: str) -> Unit:
    prefix, name = ("", code) if code in _TEMPERATURES else (code[0], code[1:])
    factor, offset = _TEMPERATURES[name]
    return Unit(code, (("K", 1),), factor * _PREFIXES.get(prefix, 1.0), offset)


def _unknown(code: str) -> UnknownUnit:
    hint = _HINTS.get(code) or _BY_LOWER_CASE.get(code.lower())
    if hint is None:
        near = get_close_matches(code, [*_METRIC, *_PLAIN, *_BASE, *_TEMPERATURES], n=1, cutoff=0.6)
        hint = near[0] if near else None
    advice = f" Did you mean '{hint}'?" if hint else " See https://ucum.org, e.g. 'Cel', 'kW.h', 'm3/h', '{piece}'."
    return UnknownUnit(f"'{code}' is not a UCUM unit.{advice}", {"unit": code})


class _Parser:
    """Recursive descent over ``term = component { ('.' | '/') component }``; a leading ``/`` is allowed."""

    def __init__(self, code: str) -> None:
        self.code = code
        self.position = 0
        self.depth = 0

    def unit(self) -> Unit:
        factor, dimension = self._term()
        if self.position != len(self.code):
            raise _unknown(self.code)
        kept = tuple(sorted((base, exponent) for base, exponent in dimension.items() if exponent))
        return Unit(self.code, kept, factor)

    def _term(self) -> tuple[float, dict[str, int]]:
        factor, dimension = 1.0, dict[str, int]()
        sign = 1
        if self._peek() == "/":
            self.position, sign = self.position + 1, -1
        while True:
            part_factor, part = self._component()
            factor *= part_factor**sign
            for base, exponent in part.items():
                dimension[base] = dimension.get(base, 0) + sign * exponent
            if self._peek() not in {".", "/"}:
                return factor, dimension
            sign = 1 if self._peek() == "." else -1
            self.position += 1

    def _component(self) -> tuple[float, dict[str, int]]:
        if self._peek() == "(":
            return self._group()
        if annotation := _ANNOTATION.match(self.code, self.position):
            self.position = annotation.end()
            return 1.0, {}
        if number := _NUMBER.match(self.code, self.position):
            self.position = number.end()
            self._skip_annotation()
            if int(number[0]) == 0:
                raise _unknown(self.code)
            return float(number[0]), {}
        token = _TOKEN.match(self.code, self.position)
        if token is None:
            raise _unknown(self.code)
        self.position = token.end()
        self._skip_annotation()
        return _power(_atom(token["atom"], self.code), int(token["exponent"] or 1), self.code)

    def _group(self) -> tuple[float, dict[str, int]]:
        self.position += 1
        self.depth += 1
        if self.depth > 4:
            raise _unknown(self.code)
        inner = self._term()
        if self._peek() != ")":
            raise _unknown(self.code)
        self.position += 1
        self.depth -= 1
        return inner

    def _skip_annotation(self) -> None:
        if annotation := _ANNOTATION.match(self.code, self.position):
            self.position = annotation.end()

    def _peek(self) -> str:
        return self.code[self.position : self.position + 1]


def _power(atom: tuple[float, dict[str, int]], exponent: int, code: str) -> tuple[float, dict[str, int]]:
    if exponent == 0 or abs(exponent) > 9:
        raise _unknown(code)
    factor, dimension = atom
    return factor**exponent, {base: power * exponent for base, power in dimension.items()}


def _atom(symbol: str, code: str) -> tuple[float, dict[str, int]]:
    """Resolve an atom: first as it stands, then as prefix and metric atom (the longest prefix last)."""
    if (whole := _without_prefix(symbol)) is not None:
        return whole
    for prefix, scale in (_PREFIXES | _BINARY_PREFIXES).items():
        rest = symbol.removeprefix(prefix)
        takes_it = rest in _BASE or rest in _METRIC or rest in _APART_METRIC
        if rest != symbol and takes_it and (prefix not in _BINARY_PREFIXES or rest in {"bit", "By"}):
            metric = _without_prefix(rest)
            if metric is not None:
                return metric[0] * scale, metric[1]
    raise _unknown(code)


def _without_prefix(symbol: str) -> tuple[float, dict[str, int]] | None:
    if symbol in _BASE or symbol in _APART:
        return 1.0, {symbol: 1}
    if symbol in _TEMPERATURES:  # inside a product it is a difference: Cel/min heats as K/min does
        return _TEMPERATURES[symbol][0], {"K": 1}
    known = _METRIC.get(symbol) or _PLAIN.get(symbol)
    if known is None:
        return None
    return known[0], _base_dimension(known[1])


def _base_dimension(definition: str) -> dict[str, int]:
    dimension: dict[str, int] = {}
    for part in definition.split("."):
        if part != "1":
            base = part.rstrip("-0123456789")
            dimension[base] = dimension.get(base, 0) + int(part[len(base) :] or 1)
    return dimension
