"""Forms of alarm pages: what was posted, read into specs; what cannot be read is named by field."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, fields
from typing import Any

from django.http import QueryDict
from django.utils.translation import gettext as _

from yuheng.alarms.selectors.definitions import DefinitionRow, EffectiveRow
from yuheng.alarms.services.checks import DefinitionSpec, OverrideSpec
from yuheng.engines.alarms.vocabulary import Priority
from yuheng.kernel.errors import InvalidInput

BLANK_PARAMETERS = 3
TEXTS = ("name", "message", "guidance", "consequence")
NUMBERS = ("deadband", "on_delay_s", "off_delay_s", "chatter_window_s")
SWITCHES = (
    "is_latching",
    "acknowledge_required",
    "confirm_required",
    "suppress_outside_shifts",
    "is_enabled",
)
WORDS = ("code", "when", "value_symbol", "category", "suppress_when", "parent_code")


@dataclass(frozen=True, slots=True)
class DefinitionForm:
    """A definition as a page shows it: texts as they were typed, so that nothing typed is lost by a refusal."""

    values: dict[str, Any]
    parameters: list[tuple[str, str]]

    @property
    def lines(self) -> list[tuple[str, str]]:
        """The parameters and some empty lines for more."""
        return [*self.parameters, *[("", "")] * BLANK_PARAMETERS]


def blank_form() -> DefinitionForm:
    """Return the form of a new alarm."""
    return form_of(DefinitionSpec(code="", when="", name_zh="", name_en=""))


def form_of(spec: DefinitionSpec | DefinitionRow) -> DefinitionForm:
    """Return the form of a definition as it is."""
    values = {one.name: getattr(spec, one.name) for one in fields(DefinitionSpec)}
    values["priority"] = int(spec.priority)
    values["suppress_states"] = list(spec.suppress_states)
    for name in NUMBERS:
        values[name] = f"{values[name]:g}"
    values["response_time_s"] = "" if spec.response_time_s is None else spec.response_time_s
    return DefinitionForm(values, [(name, written(value)) for name, value in spec.parameters.items()])


def written(value: Any) -> str:
    """Write a parameter as somebody would type it."""
    return f"{value:.12g}" if isinstance(value, float) else str(value)


def posted_form(post: QueryDict) -> DefinitionForm:
    """Return what was typed."""
    values: dict[str, Any] = {name: post.get(name, "") for name in (*WORDS, *NUMBERS, "response_time_s")}
    values |= {f"{text}_{language}": post.get(f"{text}_{language}", "") for text in TEXTS for language in ("zh", "en")}
    values |= {name: name in post for name in SWITCHES}
    values["suppress_states"] = post.getlist("suppress_states")
    values["parent_work_unit_id"] = _whole(post.get("parent_work_unit_id", ""))
    values["priority"] = _whole(post.get("priority", "")) or int(Priority.MEDIUM)
    typed = zip(post.getlist("parameter_name"), post.getlist("parameter_value"), strict=False)
    return DefinitionForm(
        values, [(name.strip(), text.strip()) for name, text in typed if name.strip() or text.strip()]
    )


def _whole(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None


def spec_of(form: DefinitionForm) -> DefinitionSpec:
    """Return what a form says.

    Raises
    ------
    InvalidInput
        ``fields`` names what is no number.
    """
    wrong: dict[str, str] = {}
    given = {**form.values, "parameters": _parameters(form.parameters, wrong)}
    for name in NUMBERS:
        given[name] = _number(name, str(form.values[name]), wrong) or 0.0
    response = _number("response_time_s", str(form.values["response_time_s"]), wrong)
    given["response_time_s"] = None if response is None else int(response)
    known = {int(one) for one in Priority}
    if given["priority"] not in known:
        wrong["priority"] = _("Choose a priority.")
        given["priority"] = int(Priority.MEDIUM)
    if wrong:
        raise InvalidInput(_("The alarm cannot be accepted as it is."), wrong)
    given["priority"] = Priority(given["priority"])
    given["suppress_states"] = tuple(given["suppress_states"])
    for name in ("code", "when", "value_symbol", "suppress_when", "parent_code", "name_zh", "name_en"):
        given[name] = given[name].strip()
    return DefinitionSpec(**given)


def _parameters(lines: list[tuple[str, str]], wrong: dict[str, str]) -> dict[str, float | str]:
    found: dict[str, float | str] = {}
    for name, text in lines:
        if not name:
            wrong["parameters"] = _("Each parameter needs a name.")
        elif name in found:
            wrong["parameters"] = _("The parameter %(name)s is there twice.") % {"name": name}
        else:
            found[name] = typed(text)
    return found


def typed(text: str) -> float | str:
    """Return a parameter's value: a number when it is one, else a text; quotes around a text are left out.

    Examples
    --------
    >>> typed("80"), typed("E7"), typed("'80'"), typed("nan")
    (80.0, 'E7', '80', 'nan')
    """
    if len(text) >= 2 and text[0] == text[-1] == "'":
        return text[1:-1]
    try:
        value = float(text)
    except ValueError:
        return text
    return value if value - value == 0.0 else text  # neither infinite nor no number


def _number(name: str, text: str, wrong: dict[str, str]) -> float | None:
    if not text.strip():
        return None
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if value - value != 0.0:
        wrong[name] = _("This is not a number.")
        return None
    return value


def digest(spec: DefinitionSpec) -> str:
    """Return a mark of a definition: what is applied must be what was previewed."""
    return hashlib.sha256(repr(spec).encode()).hexdigest()[:24]


# ---- overrides ----------------------------------------------------------------------------------------------------


def override_values(row: EffectiveRow) -> dict[str, Any]:
    """Return what a unit does otherwise as a page shows it; empty: as its class."""
    own = row.overridden
    values: dict[str, Any] = {
        name: f"{getattr(row, name):g}" if name in own else "" for name in ("deadband", "on_delay_s", "off_delay_s")
    }
    values["priority"] = int(row.priority) if "priority" in own else ""
    values["is_enabled"] = ("1" if row.is_enabled else "0") if "is_enabled" in own else ""
    values["parameters"] = [
        (name, written(row.definition.parameters[name]), written(value) if f"parameters.{name}" in own else "")
        for name, value in row.parameters.items()
        if name in row.definition.parameters
    ]
    return values


def posted_override(post: QueryDict) -> OverrideSpec:
    """Return what was posted. Raises `InvalidInput` naming what is no number."""
    wrong: dict[str, str] = {}
    parameters = {
        name: typed(text.strip())
        for name, text in zip(post.getlist("parameter_name"), post.getlist("parameter_value"), strict=False)
        if text.strip()
    }
    numbers = {name: _number(name, post.get(name, ""), wrong) for name in ("deadband", "on_delay_s", "off_delay_s")}
    priority = _whole(post.get("priority", ""))
    if priority is not None and priority not in {int(one) for one in Priority}:
        wrong["priority"] = _("Choose a priority.")
    if wrong:
        raise InvalidInput(_("The override cannot be accepted as it is."), wrong)
    return OverrideSpec(
        parameters=parameters,
        priority=None if priority is None else Priority(priority),
        is_enabled={"1": True, "0": False}.get(post.get("is_enabled", "")),
        reason=post.get("reason", "").strip(),
        **numbers,
    )
