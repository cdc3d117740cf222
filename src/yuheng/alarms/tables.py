"""The alarms of a class as a table: what a cell means, and how a definition is written into cells.

A table travels between this program and spreadsheets, so a cell may be written as people write it: a priority as its
number or its word in either language, limits as ``high = 80; low = 5``, yes and no in both languages. No writing here.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from django.utils import translation
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from yuheng.alarms.forms import typed, written
from yuheng.alarms.labels import CATEGORY_LABELS, PRIORITY_LABELS
from yuheng.alarms.services.checks import DefinitionSpec, check_definition
from yuheng.alarms.shown import FIELD_LABELS
from yuheng.engines.alarms.vocabulary import Category, Priority
from yuheng.kernel.errors import InvalidInput

NAMES = ("zh-hans", "en")
TEXTS = (
    "code",
    "when",
    "name_zh",
    "name_en",
    "message_zh",
    "message_en",
    "guidance_zh",
    "guidance_en",
    "consequence_zh",
    "consequence_en",
    "suppress_when",
    "value_symbol",
    "parent_code",
)
NUMBERS = ("deadband", "on_delay_s", "off_delay_s", "chatter_window_s")
SWITCHES = ("is_latching", "acknowledge_required", "confirm_required", "suppress_outside_shifts", "is_enabled")
COLUMNS = (
    "code",
    "when",
    "parameters",
    "priority",
    "name_zh",
    "name_en",
    "deadband",
    "on_delay_s",
    "off_delay_s",
    "message_zh",
    "message_en",
    "guidance_zh",
    "guidance_en",
    "category",
    "suppress_states",
    "suppress_when",
    "chatter_window_s",
    "response_time_s",
    "consequence_zh",
    "consequence_en",
    "value_symbol",
    "is_latching",
    "acknowledge_required",
    "confirm_required",
    "suppress_outside_shifts",
    "parent_code",
    "parent_work_unit_id",
    "is_enabled",
)
WIDE = frozenset({"when", "message_zh", "message_en", "guidance_zh", "guidance_en"})
SHORT: dict[str, Promise] = {
    "is_latching": gettext_lazy("Latching"),
    "acknowledge_required": gettext_lazy("To acknowledge"),
    "confirm_required": gettext_lazy("To confirm"),
    "parent_code": gettext_lazy("Grouped under"),
    "parent_work_unit_id": gettext_lazy("of the work unit"),
    "is_enabled": gettext_lazy("Judged"),
    "chatter_window_s": gettext_lazy("Same again within, s"),
    "value_symbol": gettext_lazy("Shown as the value"),
}
"""Heads of columns where the form's sentence is too long."""
YES, NO = gettext_lazy("yes"), gettext_lazy("no")
_PIECES = re.compile(r"[;；\n]")
_BLANK = DefinitionSpec(code="", when="", name_zh="", name_en="")


@dataclass(frozen=True, slots=True)
class Table:
    """What was read: specs in the order of their rows, and sentences by ``row.column`` (rows from 0)."""

    specs: list[DefinitionSpec]
    errors: dict[str, str]


def columns() -> list[dict[str, Any]]:
    """Columns for ``<y-grid>``, in the reader's language; a new row begins with what a new alarm would have."""
    blank = cells_of(_BLANK, {})
    found = []
    for name in COLUMNS:
        column: dict[str, Any] = {"name": name, "label": str(SHORT.get(name) or FIELD_LABELS[name]), "kind": "text"}
        if name in NUMBERS or name == "response_time_s":
            column["kind"] = "number"
        elif name == "priority":
            column |= {"kind": "choice", "choices": [str(word) for word in PRIORITY_LABELS.values()]}
        elif name == "category":
            column |= {"kind": "choice", "choices": [str(word) for word in CATEGORY_LABELS.values()]}
        elif name in SWITCHES:
            column |= {"kind": "choice", "choices": [str(YES), str(NO)]}
        if name in WIDE:
            column["wide"] = True
        if blank[name]:
            column["default"] = blank[name]
        found.append(column)
    return found


def cells_of(spec: Any, unit_codes: Mapping[int, str]) -> dict[str, str]:
    """Write a definition (a spec or a row of it) into cells, in the reader's language."""
    cells = {name: str(getattr(spec, name)) for name in TEXTS}
    cells |= {name: f"{getattr(spec, name):.12g}" for name in NUMBERS}
    cells |= {name: str(YES if getattr(spec, name) else NO) for name in SWITCHES}
    cells["parameters"] = limits_text(spec.parameters)
    cells["priority"] = str(PRIORITY_LABELS[Priority(spec.priority)])
    cells["category"] = str(CATEGORY_LABELS[Category(spec.category)])
    cells["suppress_states"] = ", ".join(spec.suppress_states)
    cells["response_time_s"] = "" if spec.response_time_s is None else str(spec.response_time_s)
    cells["parent_work_unit_id"] = unit_codes.get(spec.parent_work_unit_id, "")
    return cells


def limits_text(parameters: Mapping[str, Any]) -> str:
    """Write limits as somebody would type them; as JSON where a text has signs that separate.

    Examples
    --------
    >>> limits_text({"high": 80.0, "program": "E7"}), limits_text({"program": "80"})
    ('high = 80; program = E7', "program = '80'")
    """
    words = {name: written(value) for name, value in parameters.items()}
    if any(not word or re.search(r"[;；\n=,，']", word) or word != word.strip() for word in words.values()):
        return json.dumps(dict(parameters), ensure_ascii=False)
    quoted = {
        name: f"'{word}'" if isinstance(parameters[name], str) and typed(word) != word else word
        for name, word in words.items()
    }
    return "; ".join(f"{name} = {word}" for name, word in quoted.items())


def limits_of(text: str) -> dict[str, float | str]:
    """Read limits. Raises `ValueError` with a sentence.

    Examples
    --------
    >>> limits_of("high=80; low = 5"), limits_of("high=80，low=5"), limits_of('{"high": 80}')
    ({'high': 80.0, 'low': 5.0}, {'high': 80.0, 'low': 5.0}, {'high': 80.0})
    """
    if text.lstrip().startswith("{"):
        return _limits_of_json(text)
    pieces = [piece for piece in _PIECES.split(text) if piece.strip()]
    apart = [part for piece in pieces for part in re.split(r"[,，]", piece)]
    if all("=" in part for part in apart):
        pieces = apart
    found: dict[str, float | str] = {}
    for piece in pieces:
        name, sign, value = (part.strip() for part in piece.partition("="))
        if not sign or not name or not value:
            raise ValueError(_("Write limits as: high = 80; low = 5"))
        if name in found:
            raise ValueError(_("The parameter %(name)s is there twice.") % {"name": name})
        found[name] = typed(value)
    return found


def _limits_of_json(text: str) -> dict[str, float | str]:
    try:
        given = json.loads(text)
    except (ValueError, RecursionError):
        given = None
    if not isinstance(given, dict):
        raise ValueError(_("Write limits as: high = 80; low = 5"))
    return {
        name: float(value) if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 1e15 else value
        for name, value in given.items()
    }


def read_table(
    rows: Sequence[Mapping[str, str]], known: Mapping[str, DefinitionSpec], unit_ids: Mapping[str, int]
) -> Table:
    """Read rows of cells.

    Parameters
    ----------
    rows
        Cells by column; a column that is not there keeps what the alarm of that code has, or a new alarm's value.
    known
        The definitions of now, by code.
    unit_ids
        Work units of the site: code -> id.
    """
    read = _readers(unit_ids)
    specs: list[DefinitionSpec] = []
    errors: dict[str, str] = {}
    first: dict[str, int] = {}
    for at, cells in enumerate(rows):
        code = cells.get("code", "").strip()
        values: dict[str, Any] = {}
        for name in COLUMNS:
            if name not in cells:
                continue
            try:
                values[name] = read[name](cells[name].strip())
            except ValueError as refusal:
                errors[f"{at}.{name}"] = str(refusal)
        spec = replace(known.get(code, _BLANK), **values)
        try:
            check_definition(spec)
        except InvalidInput as refusal:
            for name, sentence in (refusal.fields or {}).items():
                errors.setdefault(f"{at}.{name.partition('.')[0]}", sentence)
        if code in first:
            errors[f"{at}.code"] = _("Row %(row)s has this code already.") % {"row": first[code] + 1}
        first.setdefault(code, at)
        specs.append(spec)
    return Table(specs, errors)


def digest(specs: Sequence[DefinitionSpec], known: Mapping[str, DefinitionSpec]) -> str:
    """Return a mark of a table and of what it was compared with: applied is what was previewed, or nothing."""
    return hashlib.sha256(repr((list(specs), sorted(known.items()))).encode()).hexdigest()[:32]


def _readers(unit_ids: Mapping[str, int]) -> dict[str, Callable[[str], Any]]:
    readers: dict[str, Callable[[str], Any]] = dict.fromkeys(TEXTS, str)
    readers |= {name: _number_or(getattr(_BLANK, name)) for name in NUMBERS}
    readers |= {name: _switch(getattr(_BLANK, name)) for name in SWITCHES}
    readers["parameters"] = limits_of
    readers["priority"] = _word(
        {**_words(PRIORITY_LABELS), **{p.name.lower(): p for p in Priority}, **{str(int(p)): p for p in Priority}},
        Priority.MEDIUM,
    )
    categories = {**_words(CATEGORY_LABELS), **{c.value: c for c in Category}}
    readers["category"] = lambda text: str(_word(categories, Category.EQUIPMENT)(text).value)
    readers["suppress_states"] = lambda text: tuple(word.lower() for word in re.split(r"[\s,;，；、]+", text) if word)
    readers["response_time_s"] = lambda text: _whole(text) if text else None
    readers["parent_work_unit_id"] = lambda text: _unit(text, unit_ids)
    return readers


def _words(labels: Mapping[Any, Promise]) -> dict[str, Any]:
    """Return what each label is called, in both languages, in small letters."""
    found: dict[str, Any] = {}
    for language in NAMES:
        with translation.override(language):
            found |= {str(word).casefold(): key for key, word in labels.items()}
    return found


def _word(choices: Mapping[str, Any], otherwise: Any) -> Callable[[str], Any]:
    def read(text: str) -> Any:
        if not text:
            return otherwise
        if text.casefold() not in choices:
            raise ValueError(_("There is no %(word)s here; choose one of the list.") % {"word": text[:40]})
        return choices[text.casefold()]

    return read


def _switch(otherwise: bool) -> Callable[[str], bool]:
    choices = {**dict.fromkeys(("yes", "true", "1", "是"), True), **dict.fromkeys(("no", "false", "0", "否"), False)}
    for value, word in ((True, YES), (False, NO)):
        choices[str(word).casefold()] = value
    return _word(choices, otherwise)


def _number_or(otherwise: float) -> Callable[[str], float]:
    def read(text: str) -> float:
        if not text:
            return otherwise
        try:
            value = float(text)
        except ValueError:
            value = float("nan")
        if value - value != 0.0:
            raise ValueError(_("This is not a number."))
        return value

    return read


def _whole(text: str) -> int:
    value = _number_or(0.0)(text)
    if value != int(value):
        raise ValueError(_("Whole seconds only."))
    return int(value)


def _unit(code: str, unit_ids: Mapping[str, int]) -> int | None:
    if code and code not in unit_ids:
        raise ValueError(_("There is no such work unit here."))
    return unit_ids.get(code)
