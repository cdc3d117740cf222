"""A template as somebody wrote it: read from cells, checked whole, with an error for each cell."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from yuheng.bus.documents import CALCULATED
from yuheng.engines.formulas.language import FormulaError, parse
from yuheng.engines.patterns import PatternError, names_in
from yuheng.equipment.importing import REQUIRED
from yuheng.kernel.errors import InvalidInput
from yuheng.kernel.units import is_unit
from yuheng.telemetry.models import DataSource, TagClass
from yuheng.telemetry.rules import is_symbol
from yuheng.telemetry.selectors.templates import LoadedTemplate, Variable
from yuheng.telemetry.spoken_plans import pattern_sentence
from yuheng.telemetry.tag_fields import STANDARD, TEMPLATE_FIELDS, read_cells
from yuheng.telemetry.template_plans import BUILT_IN, WantedTag, unknown_names

MOST_TAGS = 1000
"""Tags of one class."""
MOST_VARIABLES = 30
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,39}\Z")


@dataclass(frozen=True, slots=True)
class TagRow:
    """A row of a template as it was typed; ``id`` None: matched by its symbol, else new."""

    cells: Mapping[str, Any]
    id: int | None = None


@dataclass(frozen=True, slots=True)
class TemplateSpec:
    """What a template is to be."""

    variables: tuple[Variable, ...] = ()
    tags: tuple[TagRow, ...] = ()


def read_template(*, known: KnownCodes, spec: TemplateSpec, present: LoadedTemplate) -> tuple[WantedTag, ...]:
    """Read a template; a tag it has already keeps its key, a new one gets a negative number.

    Raises
    ------
    InvalidInput
        ``fields`` maps ``tags.<row>.<field>`` and ``variables.<row>`` to what is wrong.
    """
    wrong = _check_variables(spec.variables)
    if len(spec.tags) > MOST_TAGS:
        raise InvalidInput(_("A class has at most %(count)d tags.") % {"count": MOST_TAGS})
    wanted: list[WantedTag] = []
    keys = _keys(spec.tags, present)
    names = [one.name for one in spec.variables]
    symbols: dict[str, int] = {}
    for row, (tag, key) in enumerate(zip(spec.tags, keys, strict=True)):
        values, bad = read_cells(TEMPLATE_FIELDS, tag.cells)
        for field in TEMPLATE_FIELDS:
            if field.name not in values and field.name not in bad:
                if field.default is REQUIRED:
                    bad[field.name] = _("must not be empty") + "."
                else:
                    values[field.name] = field.default
        if not bad:
            if values["formula"] and not values["source"]:
                values["source"] = known.calculated
            one = WantedTag(key, values)
            bad = _check_tag(one, names, known)
            if not bad and values["symbol"] in symbols:
                bad["symbol"] = _("Row %(row)d has this symbol already.") % {"row": symbols[values["symbol"]] + 1}
            symbols.setdefault(values["symbol"], row)
            wanted.append(one)
        wrong.update({f"tags.{row}.{name}": sentence for name, sentence in bad.items()})
    if wrong:
        raise InvalidInput(_("%(count)d cells cannot be accepted as they are.") % {"count": len(wrong)}, wrong)
    return tuple(wanted)


@dataclass(frozen=True, slots=True)
class KnownCodes:
    """Codes of a site's sources and tag classes."""

    sources: frozenset[str]
    tag_classes: frozenset[str]
    calculated: str = CALCULATED  # code of the source of calculated tags


def known_codes(site_id: int) -> KnownCodes:
    """What a template of the site may name. Two queries."""
    sources = dict(DataSource.objects.filter(site_id=site_id).order_by("-pk").values_list("code", "connector"))
    calculated = [code for code, connector in sources.items() if connector == CALCULATED]
    return KnownCodes(
        frozenset(sources),
        frozenset({STANDARD, *TagClass.objects.filter(site_id=site_id).values_list("code", flat=True)}),
        calculated[-1] if calculated else CALCULATED,
    )


def _check_tag(one: WantedTag, variables: Sequence[str], known: KnownCodes) -> dict[str, str]:
    values = one.values
    wrong = {name: pattern_sentence(error) for name, error in unknown_names(one, variables).items()}
    if not is_symbol(values["symbol"]):
        wrong["symbol"] = _("A symbol is a name: letters, digits and underscores.")
    is_calculated = values["source"] == known.calculated
    if bool(values["formula"]) is not is_calculated:
        wrong["formula"] = _("A tag with a formula belongs to the source of calculated tags, and only such tags do.")
    if values["formula"]:
        wrong |= _check_formula(str(values["formula"]))
    if values["source"] and values["source"] not in known.sources and not is_calculated:
        wrong["source"] = _("There is no data source called %(one)s at this site.") % {"one": values["source"]}
    if values["tag_class"] not in known.tag_classes:
        wrong["tag_class"] = _("The site has no tag class called %(code)s.") % {"code": values["tag_class"]}
    if not is_unit(values["unit"]):
        wrong["unit"] = _("%(unit)s is not a UCUM unit.") % {"unit": values["unit"]}
    if values["scale"] == 0.0:
        wrong["scale"] = _("The scale must not be zero.")
    return wrong


def _check_formula(text: str) -> dict[str, str]:
    try:
        parse(text)
    except FormulaError as error:
        return {"formula": str(error)}
    return {}


def _keys(rows: Sequence[TagRow], present: LoadedTemplate) -> list[int]:
    """Which template tag each row is: by its id, else by its symbol, else a new one."""
    known = {tag.key for tag in present.tags}
    claimed = {row.id for row in rows if row.id in known}
    by_symbol = {tag.values["symbol"]: tag.key for tag in present.tags if tag.key not in claimed}
    keys: list[int] = []
    for index, row in enumerate(rows):
        if row.id in known and row.id not in keys:
            keys.append(int(row.id or 0))
        else:
            keys.append(by_symbol.pop(str(row.cells.get("symbol", "")).strip(), -index - 1))
    return keys


def _check_variables(variables: Sequence[Variable]) -> dict[str, str]:
    wrong: dict[str, str] = {}
    if len(variables) > MOST_VARIABLES:
        wrong["variables"] = _("A class has at most %(count)d variables.") % {"count": MOST_VARIABLES}
    seen: set[str] = set()
    for row, one in enumerate(variables):
        if not _VARIABLE.match(one.name):
            wrong[f"variables.{row}"] = _("A variable is a name: letters, digits and underscores.")
        elif one.name in BUILT_IN:
            wrong[f"variables.{row}"] = _("%(name)s stands for something else already.") % {"name": one.name}
        elif one.name in seen:
            wrong[f"variables.{row}"] = _("The variable %(name)s stands twice.") % {"name": one.name}
        elif len(one.default) > 400 or len(one.note) > 200:
            wrong[f"variables.{row}"] = _("The default has at most 400 characters, the note 200.")
        else:
            wrong.update(_check_default(row, one))
        seen.add(one.name)
    return wrong


def _check_default(row: int, one: Variable) -> dict[str, str]:
    try:
        strange = sorted(names_in(one.default) - (set(BUILT_IN) - {"symbol"}))
    except PatternError as error:
        return {f"variables.{row}": pattern_sentence(error)}
    return {f"variables.{row}": pattern_sentence(PatternError("unknown", strange[0]))} if strange else {}
