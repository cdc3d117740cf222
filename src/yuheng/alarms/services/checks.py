"""What a definition or an override must be; sentences for people, no writing."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.utils.translation import gettext as _

from yuheng.engines.alarms.conditions import OF_THE_UNIT, STATE_WORDS, compile_alarm
from yuheng.engines.alarms.vocabulary import Category, Priority
from yuheng.engines.states.rules import RuleError
from yuheng.equipment.rules import is_code
from yuheng.kernel.errors import InvalidInput

_NAMES = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_TEXTS = re.compile(r"'[^']*'|\"[^\"]*\"")
_WORDS = frozenset({"and", "or", "not", "in", "true", "false"})
LONGEST_DELAY_S = 7 * 86400.0
MAX_PARAMETERS = 20
MAX_DEFINITIONS = 500


@dataclass(frozen=True, slots=True)
class DefinitionSpec:
    """An alarm as somebody wrote it; see `models.AlarmDefinition`."""

    code: str
    when: str
    name_zh: str
    name_en: str
    priority: Priority = Priority.MEDIUM
    parameters: Mapping[str, float | str] = field(default_factory=dict)
    value_symbol: str = ""
    deadband: float = 0.0
    on_delay_s: float = 0.0
    off_delay_s: float = 0.0
    chatter_window_s: float = 60.0
    category: str = Category.EQUIPMENT.value
    is_latching: bool = False
    acknowledge_required: bool = True
    confirm_required: bool = False
    message_zh: str = ""
    message_en: str = ""
    guidance_zh: str = ""
    guidance_en: str = ""
    consequence_zh: str = ""
    consequence_en: str = ""
    response_time_s: int | None = None
    suppress_states: Sequence[str] = ()
    suppress_when: str = ""
    suppress_outside_shifts: bool = False
    parent_code: str = ""
    parent_work_unit_id: int | None = None
    is_enabled: bool = True


@dataclass(frozen=True, slots=True)
class OverrideSpec:
    """What one work unit does otherwise; None and absent parameters: as its class."""

    parameters: Mapping[str, float | str] = field(default_factory=dict)
    deadband: float | None = None
    on_delay_s: float | None = None
    off_delay_s: float | None = None
    priority: Priority | None = None
    is_enabled: bool | None = None
    reason: str = ""


def names_in(text: str) -> set[str]:
    """Return the names that an expression mentions, without words of the language.

    Examples
    --------
    >>> sorted(names_in("program == 'abc' and temperature > high"))
    ['high', 'program', 'temperature']
    """
    return set(_NAMES.findall(_TEXTS.sub("", text))) - _WORDS


def symbols_in(when: str, parameters: Mapping[str, Any]) -> list[str]:
    """Return the names in a condition that must be symbols of the work unit, sorted."""
    return sorted(names_in(when) - set(parameters) - set(STATE_WORDS) - OF_THE_UNIT)


def check_definition(spec: DefinitionSpec) -> None:
    """Raise `InvalidInput` naming each field that cannot be accepted.

    Any name is accepted as a symbol: tags may come after the definition. The preview shows which units lack it.
    """
    wrong: dict[str, str] = {}
    if not is_code(spec.code):
        wrong["code"] = _("A code has letters, digits and . _ - only, at most 40.")
    for name in ("name_zh", "name_en"):
        if not getattr(spec, name).strip() or len(getattr(spec, name)) > 120:
            wrong[name] = _("A name is needed in both languages, at most 120 characters.")
    wrong.update(_wrong_condition("when", spec.when, spec.parameters, spec.deadband))
    if spec.suppress_when.strip():
        wrong.update(_wrong_condition("suppress_when", spec.suppress_when, spec.parameters, 0.0))
    wrong.update(_wrong_parameters(spec.parameters))
    wrong.update(_wrong_numbers(spec))
    if spec.category not in {category.value for category in Category}:
        wrong["category"] = _("There is no such category of alarms.")
    unknown = sorted(set(spec.suppress_states) - set(STATE_WORDS))
    if unknown:
        wrong["suppress_states"] = _("There is no state %(state)s.") % {"state": ", ".join(unknown)}
    if spec.parent_code and not is_code(spec.parent_code):
        wrong["parent_code"] = _("A code has letters, digits and . _ - only, at most 40.")
    if spec.parent_code == spec.code and spec.parent_work_unit_id is None:
        wrong["parent_code"] = _("An alarm cannot be its own root.")
    if spec.parent_work_unit_id is not None and not spec.parent_code:
        wrong["parent_code"] = _("Name the alarm of the other work unit, too.")
    wrong.update(_too_long(spec))
    if wrong:
        raise InvalidInput(_("The alarm cannot be accepted as it is."), wrong)


def check_override(of: DefinitionSpec, spec: OverrideSpec) -> None:
    """Raise `InvalidInput` naming each field that cannot be accepted."""
    wrong = _wrong_parameters(spec.parameters)
    for name in sorted(set(spec.parameters) - set(of.parameters)):
        wrong[f"parameters.{name}"] = _("The alarm has no parameter %(name)s.") % {"name": name}
    wrong.update(_wrong_numbers(spec))
    if len(spec.reason) > 400:
        wrong["reason"] = _("This is too long.")
    if not wrong:
        deadband = of.deadband if spec.deadband is None else spec.deadband
        wrong.update(_wrong_condition("when", of.when, {**of.parameters, **spec.parameters}, deadband))
    if wrong:
        raise InvalidInput(_("The override cannot be accepted as it is."), wrong)


def _wrong_condition(place: str, when: str, parameters: Mapping[str, Any], deadband: float) -> dict[str, str]:
    if len(when) > 500:
        return {place: _("This is too long.")}
    try:
        compile_alarm(when, symbols_in(when, parameters), parameters, deadband if math.isfinite(deadband) else 0.0)
    except RuleError as error:
        return {place: str(error)}
    return {}


def _wrong_parameters(parameters: Mapping[str, Any]) -> dict[str, str]:
    wrong: dict[str, str] = {}
    if len(parameters) > MAX_PARAMETERS:
        wrong["parameters"] = _("An alarm has at most %(count)s parameters.") % {"count": MAX_PARAMETERS}
    for name, value in parameters.items():
        is_number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
        if not _NAMES.fullmatch(name) or name in _WORDS or len(name) > 60:
            wrong[f"parameters.{name[:60]}"] = _("A parameter's name has letters, digits and _ only.")
        elif not is_number and not (isinstance(value, str) and len(value) <= 120):
            wrong[f"parameters.{name}"] = _("A parameter is a number or a short text.")
    return wrong


def _wrong_numbers(spec: DefinitionSpec | OverrideSpec) -> dict[str, str]:
    wrong: dict[str, str] = {}
    for name in ("on_delay_s", "off_delay_s", "chatter_window_s"):
        value = getattr(spec, name, None)
        if value is not None and not 0.0 <= value <= LONGEST_DELAY_S:
            wrong[name] = _("A time is between 0 and 7 days, in seconds.")
    if spec.deadband is not None and not (math.isfinite(spec.deadband) and spec.deadband >= 0.0):
        wrong["deadband"] = _("A deadband is zero or more.")
    response = getattr(spec, "response_time_s", None)
    if response is not None and not 0 <= response <= 86400 * 30:
        wrong["response_time_s"] = _("A time is between 0 and 30 days, in seconds.")
    return wrong


def _too_long(spec: DefinitionSpec) -> dict[str, str]:
    longest = {"message": 1000, "guidance": 4000, "consequence": 4000}
    return {
        f"{name}_{language}": _("This is too long.")
        for name, limit in longest.items()
        for language in ("zh", "en")
        if len(getattr(spec, f"{name}_{language}")) > limit
    }
