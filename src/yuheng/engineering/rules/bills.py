"""What a bill of material must be: findable lines, known parts, formulas that fit."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from yuheng.engineering.rules import measures
from yuheng.engineering.rules.faults import Fault, Faulty, _
from yuheng.engineering.rules.options import as_parameters, check_parameters
from yuheng.engineering.rules.specs import BomSpec, LineSpec, ParameterSpec
from yuheng.engineering.rules.words import Source, Tracking
from yuheng.engines.formulas.expressions import (
    CannotBeCalculated,
    Expression,
    Parameter,
    compile_condition,
    compile_expression,
    evaluate,
    holds,
    witnesses,
)
from yuheng.engines.formulas.language import FormulaError
from yuheng.kernel.units import parse as parse_unit

MOST_LINES = 5_000
_FIND_NUMBER = re.compile(r"[A-Za-z0-9\u3400-\u9fff][A-Za-z0-9\u3400-\u9fff._-]{0,19}")
_DIGITS = re.compile(r"(\d+)")


@dataclass(frozen=True, slots=True)
class Part:
    """What must be known of a material to put it into a bill."""

    id: int
    code: str
    unit: str = "{piece}"
    source: Source = Source.BUY
    tracking: Tracking = Tracking.NONE
    conversions: Mapping[str, Decimal] = field(default_factory=dict)
    name_zh: str = ""
    name_en: str = ""
    revision: str = ""
    is_retired: bool = False


def natural_key(text: str) -> tuple[tuple[int, int, str], ...]:
    """Return a key that sorts ``2`` before ``10`` and ``A9`` before ``A10``."""
    return tuple((0, int(part), "") if part.isdigit() else (1, 0, part) for part in _DIGITS.split(text) if part)


def unit_of(line: LineSpec, part: Part) -> str:
    """Return the unit that the line's quantity is in."""
    return line.unit or part.unit


def check_bom(spec: BomSpec, material_id: int, parts: Mapping[int, Part]) -> list[Fault]:
    """Return what is wrong with a draft as it is written; an unfinished one may be kept, a wrong one not.

    Parameters
    ----------
    parts
        Every material that the lines name, as far as it exists at the plant.
    """
    faults = check_parameters(spec.parameters)
    if spec.base_quantity <= 0:
        faults.append(Fault(_("A bill of material is for more than nothing.")))
    if len(spec.lines) > MOST_LINES:
        faults.append(Fault(_("A bill of material has at most %(most)s lines."), "", {"most": MOST_LINES}))
    if faults:
        return faults
    parameters = as_parameters(spec.parameters)
    seen: set[str] = set()
    for line in spec.lines:
        if not _FIND_NUMBER.fullmatch(line.find_number):
            values = {"number": line.find_number}
            faults.append(Fault(_("'%(number)s' is not a find number such as 10 or A-12."), line.find_number, values))
        elif line.find_number in seen:
            faults.append(Fault(_("This find number stands twice."), line.find_number))
        else:
            faults += _check_line(line, material_id, parts, parameters)
        seen.add(line.find_number)
    return faults


def _check_line(
    line: LineSpec, material_id: int, parts: Mapping[int, Part], parameters: Mapping[str, Parameter]
) -> list[Fault]:
    where = line.find_number
    part = parts.get(line.material_id)
    if part is None:
        return [Fault(_("There is no such material at this plant."), where)]
    faults: list[Fault] = []
    if line.material_id == material_id:
        faults.append(Fault(_("%(code)s cannot be part of itself."), where, {"code": part.code}))
    if part.is_retired:
        faults.append(Fault(_("%(code)s is retired."), where, {"code": part.code}))
    if not 0 <= line.scrap_ratio < 1:
        faults.append(Fault(_("Scrap is a share from 0 to less than 1."), where))
    if measures.factor(unit_of(line, part), part.unit, part.conversions) is None:
        values = {"code": part.code, "base": part.unit, "unit": line.unit}
        faults.append(Fault(_("%(code)s is kept in '%(base)s', which '%(unit)s' is not."), where, values))
        return faults
    faults += _check_alternates(line, material_id, parts)
    for text, unit in ((line.quantity, unit_of(line, part)), (line.condition, "")):
        if text.strip() or unit:
            faults += formula_faults(text, parameters, unit, where)
    for name, text in line.bindings.items():
        try:
            compile_condition_or_any(text, parameters)
        except FormulaError as error:
            values = {"why": str(error), "name": name}
            faults.append(Fault(_("Option %(name)s: %(why)s"), where, values))
    return faults


def _check_alternates(line: LineSpec, material_id: int, parts: Mapping[int, Part]) -> list[Fault]:
    faults: list[Fault] = []
    for alternate in line.alternates:
        if alternate.material_id not in parts or alternate.material_id in (line.material_id, material_id):
            faults.append(Fault(_("An alternate is another material of this plant."), line.find_number))
        elif alternate.ratio <= 0:
            faults.append(Fault(_("An alternate stands in for more than nothing."), line.find_number))
    return faults


def compile_condition_or_any(text: str, parameters: Mapping[str, Parameter]) -> None:
    """Check a formula whose unit is not known yet. Raises `FormulaError`."""
    if is_word(text) or text.strip() in parameters:
        return
    compile_expression(text, parameters, parse_unit, wanted="")


def is_word(text: str) -> bool:
    """Return whether a formula is nothing but a word in quotes."""
    text = text.strip()
    return len(text) > 2 and text[0] == text[-1] == "'" and "'" not in text[1:-1]


def formula_faults(text: str, parameters: Mapping[str, Parameter], unit: str, where: str) -> list[Fault]:
    """Return why a formula cannot be understood; ``unit`` "" asks for a condition."""
    try:
        if unit:
            compile_expression(text, parameters, parse_unit, wanted=unit)
        else:
            compile_condition(text, parameters, parse_unit)
    except FormulaError as error:
        return [Fault("%(why)s", where, {"why": str(error)})]
    return []


def check_bom_for_release(spec: BomSpec, parts: Mapping[int, Part]) -> list[Fault]:
    """Return why a bill that `check_bom` accepts must not be released.

    Every formula is calculated for the corners of what its options may be: a division by zero that options allow is
    found here, not on the floor.
    """
    if not spec.lines:
        return [Fault(_("The bill of material has no lines."))]
    parameters = as_parameters(spec.parameters)
    faults: list[Fault] = []
    for line in spec.lines:
        unit = unit_of(line, parts[line.material_id])
        faults += tried_faults(line.quantity, unit, line.condition, parameters, line.find_number, must_be_some=True)
        for name, text in line.bindings.items():
            if not is_word(text) and text.strip() not in parameters:
                found = tried_faults(text, "", line.condition, parameters, line.find_number, must_be_some=False)
                faults += [Fault(one.sentence, one.where, {**one.values, "name": name}) for one in found]
    return faults


def tried_faults(
    text: str, unit: str, condition: str, parameters: Mapping[str, Parameter], where: str, *, must_be_some: bool
) -> list[Fault]:
    """Return the first case in which a formula has no value, as a list of one or none; ``unit`` "" takes any."""
    try:
        formula = compile_expression(text, parameters, parse_unit, wanted=unit)
        guard = compile_condition(condition, parameters, parse_unit) if condition.strip() else None
    except FormulaError as error:
        return [Fault("%(why)s", where, {"why": str(error)})]
    names = sorted({*formula.names, *(guard.names if guard else ())})
    cases = witnesses([parameters[name] for name in names])
    for case in cases:
        try:
            if guard is not None and not holds(guard, case):
                continue
            found = evaluate(formula, case)
        except CannotBeCalculated as error:
            options = ", ".join(f"{name} = {value}" for name, value in case.items())
            values = {"why": str(error), "formula": text, "options": options}
            if options:
                return [Fault(_("'%(formula)s' cannot be calculated for %(options)s: %(why)s"), where, values)]
            return [Fault(_("'%(formula)s' cannot be calculated: %(why)s"), where, values)]
        if must_be_some and not names and found <= 0:
            return [Fault(_("The quantity must be more than nothing."), where)]
    return []


@dataclass(frozen=True, slots=True)
class CompiledLine:
    """A line whose formulas are understood; ``factor``: base units of the component in one of the line's."""

    spec: LineSpec
    quantity: Expression
    condition: Expression | None
    factor: Decimal


@dataclass(frozen=True, slots=True)
class CompiledBom:
    """A version of a bill, ready to be exploded."""

    version_id: int
    number: int
    base_quantity: Decimal
    parameters: tuple[ParameterSpec, ...]
    lines: tuple[CompiledLine, ...]


def compile_bom(version_id: int, number: int, spec: BomSpec, parts: Mapping[int, Part]) -> CompiledBom:
    """Understand every formula of a bill. Raises `Faulty`."""
    parameters = as_parameters(spec.parameters)
    lines = tuple(_compiled(line, parameters, parts) for line in sorted_lines(spec.lines))
    return CompiledBom(version_id, number, spec.base_quantity, spec.parameters, lines)


def _compiled(line: LineSpec, parameters: Mapping[str, Parameter], parts: Mapping[int, Part]) -> CompiledLine:
    part = parts[line.material_id]
    unit = unit_of(line, part)
    try:
        quantity = compile_expression(line.quantity, parameters, parse_unit, wanted=unit)
        condition = compile_condition(line.condition, parameters, parse_unit) if line.condition.strip() else None
    except FormulaError as error:
        raise Faulty(Fault("%(why)s", line.find_number, {"why": str(error)})) from error
    size = measures.factor(unit, part.unit, part.conversions)
    if size is None:
        values = {"code": part.code, "base": part.unit, "unit": unit}
        raise Faulty(Fault(_("%(code)s is kept in '%(base)s', which '%(unit)s' is not."), line.find_number, values))
    return CompiledLine(line, quantity, condition, size)


def sorted_lines(lines: Iterable[LineSpec]) -> Sequence[LineSpec]:
    """Return the lines in the order of their find numbers as people count."""
    return sorted(lines, key=lambda line: natural_key(line.find_number))
