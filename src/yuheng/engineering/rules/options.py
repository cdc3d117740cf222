"""Options: what a customer chose, bound to the parameters of a bill of material or work master."""

from __future__ import annotations

import keyword
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from yuheng.engineering.rules.faults import Fault, Faulty, _
from yuheng.engineering.rules.measures import factor
from yuheng.engineering.rules.specs import ParameterSpec
from yuheng.engines.formulas.expressions import Kind, Parameter, Value
from yuheng.kernel import units

MOST_PARAMETERS = 60
MOST_CHOICES = 200
_NAME = re.compile(r"[A-Za-z\u3400-\u9fff][A-Za-z0-9_\u3400-\u9fff]{0,39}")
_TRUE, _FALSE = frozenset({"true", "yes", "1", "是"}), frozenset({"false", "no", "0", "否"})
_TAKEN = frozenset(
    [
        "abs",
        "round",
        "floor",
        "ceil",
        "exp",
        "log",
        "log10",
        "sqrt",
        "clip",
        "min",
        "max",
        "avg",
        "prev",
        "delta",
        "rate",
        "tag",
        "quantity",
        "number",
        "true",
        "false",
    ]
)


@dataclass(frozen=True, slots=True)
class Given:
    """A value that was chosen, with the unit it is in ("" that of whoever takes it)."""

    value: Value
    unit: str = ""


def read_options(options: Mapping[str, Any]) -> dict[str, Given]:
    """Read chosen options: text, truth, numbers, or ``{"value": 12, "unit": "m"}``.

    Raises
    ------
    Faulty
        A value is none of these.
    """
    return {str(name): _given(str(name), value) for name, value in options.items()}


def _given(name: str, value: Any) -> Given:
    if isinstance(value, Given):
        return value
    if isinstance(value, Mapping) and set(value) <= {"value", "unit"} and "value" in value:
        return Given(_given(name, value["value"]).value, str(value.get("unit", "")))
    if isinstance(value, bool | str):
        return Given(value)
    if isinstance(value, int | float | Decimal):
        number = Decimal(str(value))
        if number.is_finite():
            return Given(number)
    raise Faulty(Fault(_("The option %(name)s has no value that can be used."), "", {"name": name}))


def as_parameters(specs: Sequence[ParameterSpec]) -> dict[str, Parameter]:
    """Return the parameters that formulas may use, by name."""
    return {
        one.name: Parameter(one.name, one.kind, one.unit, one.choices, default_of(one), one.low, one.high)
        for one in specs
    }


def default_of(spec: ParameterSpec) -> Value | None:
    """Return the value without a choice, or None. Raises `Faulty` when it cannot be one."""
    return None if spec.default == "" else _read(spec, Given(spec.default))


def bind(specs: Sequence[ParameterSpec], given: Mapping[str, Given], where: str = "") -> dict[str, Value]:
    """Return a value for each parameter: the chosen one in its unit, else the default.

    Raises
    ------
    Faulty
        A value is missing, is no choice, lies outside the limits, or measures something else.
    """
    values: dict[str, Value] = {}
    for spec in specs:
        if spec.name in given:
            try:
                values[spec.name] = _read(spec, given[spec.name])
            except Faulty as error:
                raise Faulty(*(Fault(one.sentence, where, one.values) for one in error.faults)) from error
        elif (default := default_of(spec)) is not None:
            values[spec.name] = default
        else:
            raise Faulty(Fault(_("Choose a value for the option %(name)s."), where, {"name": spec.name}))
    return values


def _read(spec: ParameterSpec, given: Given) -> Value:
    if spec.kind is Kind.CHOICE:
        if str(given.value) not in spec.choices:
            known = ", ".join(spec.choices)
            values = {"name": spec.name, "value": given.value, "known": known}
            raise Faulty(Fault(_("%(name)s cannot be '%(value)s'. There are: %(known)s."), "", values))
        return str(given.value)
    if spec.kind is Kind.BOOLEAN:
        return _truth(spec, given.value)
    return _number(spec, given)


def _truth(spec: ParameterSpec, value: Value) -> bool:
    word = str(value).strip().lower()
    if word in _TRUE:
        return True
    if word in _FALSE:
        return False
    raise Faulty(Fault(_("%(name)s is yes or no."), "", {"name": spec.name}))


def _number(spec: ParameterSpec, given: Given) -> Decimal:
    try:
        number = Decimal(str(given.value).strip()) if not isinstance(given.value, bool) else None
    except InvalidOperation:
        number = None
    if number is None or not number.is_finite():
        raise Faulty(Fault(_("%(name)s is a number."), "", {"name": spec.name}))
    if given.unit and given.unit != spec.unit:
        size = factor(given.unit, spec.unit, {})
        if size is None:
            values = {"name": spec.name, "unit": spec.unit, "given": given.unit}
            raise Faulty(Fault(_("%(name)s is in '%(unit)s'; '%(given)s' measures something else."), "", values))
        number *= size
    if (spec.low is not None and number < spec.low) or (spec.high is not None and number > spec.high):
        low = "" if spec.low is None else spec.low
        high = "" if spec.high is None else spec.high
        values = {"name": spec.name, "value": str(number), "low": str(low), "high": str(high)}
        raise Faulty(Fault(_("%(name)s is %(value)s, outside of %(low)s … %(high)s."), "", values))
    return number


def check_parameters(specs: Sequence[ParameterSpec]) -> list[Fault]:
    """Return what is wrong with the parameters of a version."""
    faults: list[Fault] = []
    if len(specs) > MOST_PARAMETERS:
        faults.append(Fault(_("There are more than %(most)s options."), "", {"most": MOST_PARAMETERS}))
    seen: set[str] = set()
    for spec in specs:
        fault = _check_parameter(spec)
        if fault is None and spec.name in seen:
            fault = Fault(_("The option %(name)s stands twice."), spec.name, {"name": spec.name})
        seen.add(spec.name)
        if fault is not None:
            faults.append(fault)
    return faults


def _check_parameter(spec: ParameterSpec) -> Fault | None:
    values: dict[str, Any] = {"name": spec.name}
    is_reserved = spec.name in _TAKEN or keyword.iskeyword(spec.name)
    if not _NAME.fullmatch(spec.name) or is_reserved:
        return Fault(_("'%(name)s' cannot name an option: a letter first, then letters, digits and _."), "", values)
    if not units.is_unit(spec.unit):
        return Fault(_("'%(unit)s' is not a UCUM unit."), spec.name, {"unit": spec.unit})
    if spec.kind is Kind.CHOICE and (not spec.choices or len(set(spec.choices)) != len(spec.choices)):
        return Fault(_("The option %(name)s needs its choices, each once."), spec.name, values)
    if len(spec.choices) > MOST_CHOICES or any(not one or len(one) > 60 or "'" in one for one in spec.choices):
        return Fault(_("A choice is a short word without quotes."), spec.name, values)
    if spec.low is not None and spec.high is not None and spec.high < spec.low:
        return Fault(_("The limits of the option %(name)s are the wrong way round."), spec.name, values)
    try:
        default_of(spec)
    except Faulty as error:
        return Fault(error.faults[0].sentence, spec.name, error.faults[0].values)
    return None
