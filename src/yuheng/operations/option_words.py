"""Options of products in the reader's language: ``has_radar = False`` is "Passenger radar: no"."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.utils.translation import get_language
from django.utils.translation import gettext as _

from yuheng.engineering import selectors as engineering
from yuheng.engineering.rules.specs import ParameterSpec
from yuheng.kernel.unit_symbols import symbol_of


@dataclass(frozen=True, slots=True)
class Said:
    """One chosen option; ``name`` is how formulas call it."""

    name: str
    words: str
    value: str


def options_said(
    material_id: int, options: Mapping[str, Any], known: Mapping[int, Iterable[ParameterSpec]]
) -> list[Said]:
    """Return the chosen options of a product in words; one that nobody knows keeps its name.

    Parameters
    ----------
    known
        Material -> its options: `engineering.selectors.options_of`.
    """
    specs = {one.name: one for one in known.get(material_id, ())}
    return [
        Said(name, words_of(specs.get(name), name), value_of(specs.get(name), value)) for name, value in options.items()
    ]


def words_of(option: ParameterSpec | None, name: str) -> str:
    """Return an option's name in the reader's language, else the name that formulas use."""
    if option is None:
        return name
    is_english = (get_language() or "").startswith("en")
    first, second = (option.name_en, option.name_zh) if is_english else (option.name_zh, option.name_en)
    return first or second or name


def value_of(option: ParameterSpec | None, value: Any) -> str:
    """Return a value as a person says it: yes or no, a number with its unit, a word."""
    unit = option.unit if option is not None else ""
    if isinstance(value, Mapping) and "value" in value:
        value, unit = value["value"], str(value.get("unit", "")) or unit
    if isinstance(value, str) and option is not None and option.kind == "boolean":
        value = {"true": True, "false": False}.get(value.strip().lower(), value)
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if isinstance(value, int | float | Decimal):
        text = f"{value:f}" if isinstance(value, Decimal) else f"{value:g}" if abs(value) < 1e6 else str(value)
        return f"{text} {_unit(unit)}".rstrip()
    return str(value)


def choices_for_form(*, material_codes: Mapping[int, str]) -> dict[str, list[dict[str, str]]]:
    """Return code of a product -> what may be chosen of it, as the form of a new order shows it. Two queries."""
    return {
        material_codes[material_id]: [
            {"name": one.name, "words": words_of(one, one.name), "default": one.default, "limits": _limits(one)}
            for one in options
        ]
        for material_id, options in engineering.options_of(material_ids=list(material_codes)).items()
    }


def _limits(option: ParameterSpec) -> str:
    """Return what a value may be: its choices, yes or no, or from where to where with the unit."""
    if option.kind == "boolean":
        return "true / false"
    if option.choices:
        return " / ".join(option.choices)
    low, high = (None if one is None else f"{one.normalize():f}" for one in (option.low, option.high))
    text = f"{low} … {high}" if low and high else f"≥ {low}" if low else f"≤ {high}" if high else ""
    return f"{text} {_unit(option.unit)}".strip()


def _unit(code: str) -> str:
    return "" if code in {"", "1", "{piece}"} else symbol_of(code)
