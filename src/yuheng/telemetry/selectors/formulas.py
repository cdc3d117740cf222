"""Formulas of calculated tags: what their names mean, whether they can be used, and how they look on the last hour."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import pyarrow as pa
from django.utils.translation import gettext as _

from yuheng.bus import messages
from yuheng.engines.formulas.language import FormulaError, parse
from yuheng.engines.formulas.measuring import check
from yuheng.equipment import selectors as equipment
from yuheng.kernel import units
from yuheng.kernel.actor import Actor
from yuheng.kernel.errors import InvalidInput
from yuheng.telemetry.models import Tag
from yuheng.telemetry.selectors.history import ANSWER_WITHIN_S, asked, table_of
from yuheng.telemetry.selectors.visible import VIEW
from yuheng.telemetry.spoken import in_readers_words

DERIVED = ("", "1")
"""Units of a calculated tag that mean: the one that the formula gives."""
_COLUMNS = (
    "pk",
    "work_unit_id",
    "work_unit__code",
    "symbol",
    "source__code",
    "address",
    "data_type",
    "unit",
    "formula",
    "name_zh",
    "name_en",
)


@dataclass(frozen=True, slots=True)
class NamedTag:
    """A tag as formulas know it."""

    id: int
    work_unit_id: int | None
    work_unit: str
    symbol: str
    source: str
    address: str
    data_type: str
    unit: str
    formula: str
    name_zh: str = ""
    name_en: str = ""

    @property
    def label(self) -> str:
        """The name by which every formula of the site can call it."""
        return f"{self.work_unit}.{self.symbol}" if self.symbol else f"{self.source}:{self.address}"


@dataclass(slots=True)
class Names:
    """What names mean at one site: symbols of the own work unit, ``UNIT.symbol``, ``SOURCE:ADDRESS``."""

    by_id: dict[int, NamedTag] = field(default_factory=dict)
    _own: dict[tuple[int | None, str], NamedTag] = field(default_factory=dict)
    _labels: dict[str, NamedTag] = field(default_factory=dict)

    @classmethod
    def of(cls, tags: Iterable[NamedTag]) -> Names:
        """Index tags by the names that formulas may call them."""
        names = cls()
        for tag in tags:
            names.by_id[tag.id] = tag
            names._labels[f"{tag.source}:{tag.address}"] = tag
            if tag.symbol:
                names._labels[f"{tag.work_unit}.{tag.symbol}"] = tag
                names._own[tag.work_unit_id, tag.symbol] = tag
        return names

    def find(self, name: str, work_unit_id: int | None) -> NamedTag | None:
        """Return what a name means in a formula of a work unit."""
        return self._own.get((work_unit_id, name)) or self._labels.get(name)

    def inputs(self, formula: str, work_unit_id: int | None) -> dict[str, int]:
        """Return name -> tag id; names that mean nothing, and formulas that cannot be read, are left out."""
        try:
            names = parse(formula).names
        except FormulaError:
            return {}
        found = {name: self.find(name, work_unit_id) for name in names}
        return {name: tag.id for name, tag in found.items() if tag is not None}


@dataclass(frozen=True, slots=True)
class CheckedFormula:
    """A formula that can be used: its unit, and its tags by the names in it."""

    unit: str
    inputs: Mapping[str, NamedTag]


def names_of_site(site_id: int) -> Names:
    """Return what names mean at a site. One query."""
    rows = Tag.objects.filter(site_id=site_id, retired_at__isnull=True).values_list(*_COLUMNS)
    return Names.of(NamedTag(pk, unit_id, unit_code or "", *rest) for pk, unit_id, unit_code, *rest in rows)


def calculated_tags(*, actor: Actor, site_id: int) -> list[NamedTag]:
    """Return the calculated tags of a site, by label."""
    actor.require(VIEW, site_id=site_id)
    found = (tag for tag in names_of_site(site_id).by_id.values() if tag.formula)
    return sorted(found, key=lambda tag: tag.label)


def checked(
    *,
    names: Names,
    formula: str,
    work_unit_id: int | None,
    unit: str = "",
    tag_id: int | None = None,
) -> CheckedFormula:
    """Return what a formula gives. Raises `InvalidInput`: not the language, unknown names, units that do not fit.

    ``tag_id`` names the tag whose formula it is to be: it must not need its own value, on whatever way.
    """
    try:
        understood = parse(formula)
        inputs: dict[str, NamedTag] = {}
        for name in understood.names:
            tag = names.find(name, work_unit_id)
            if tag is None:
                raise FormulaError(_("There is no tag called %(name)s here.") % {"name": name})
            if tag.data_type == "text":
                raise FormulaError(_("%(name)s is a text; formulas calculate with numbers.") % {"name": name})
            inputs[name] = tag
        codes = {name: tag.unit for name, tag in inputs.items()}
        wanted = "" if unit in DERIVED else unit
        result = check(understood, codes, units.parse, wanted=wanted)
    except FormulaError as error:
        sentence = in_readers_words(str(error))
        raise InvalidInput(sentence, {"formula": sentence}) from error
    circle = _circle(names, tag_id, inputs)
    if circle:
        sentence = _("The formula needs its own value: %(circle)s.") % {"circle": " → ".join(circle)}
        raise InvalidInput(sentence, {"formula": sentence})
    return CheckedFormula(result.unit, inputs)


def _circle(names: Names, tag_id: int | None, inputs: Mapping[str, NamedTag]) -> list[str]:
    """Return the labels of a way from a tag back to itself; empty when there is none."""
    if tag_id is None:
        return []
    start = names.by_id[tag_id].label if tag_id in names.by_id else "?"
    ways: list[list[NamedTag]] = [[tag] for tag in inputs.values()]
    met: set[int] = set()
    while ways:
        way = ways.pop()
        last = way[-1]
        if last.id == tag_id:
            return [start, *(tag.label for tag in way)]
        if last.id in met or not last.formula:
            continue
        met.add(last.id)
        for inner in names.inputs(last.formula, last.work_unit_id).values():
            ways.append([*way, names.by_id[inner]])
    return []


def preview(
    *, actor: Actor, site_id: int, formula: str, work_unit_id: int | None, unit: str, start_us: int, end_us: int
) -> tuple[CheckedFormula, pa.Table]:
    """Try a formula on history: what it gives, and tag, time, min, max, first, last, count. Nothing is stored."""
    actor.require(VIEW, site_id=site_id)
    if work_unit_id is not None and equipment.site_of_work_units([work_unit_id]).get(work_unit_id) != site_id:
        raise InvalidInput(_("There is no such work unit at this site."), {"work_unit": str(work_unit_id)})
    found = checked(names=names_of_site(site_id), formula=formula, work_unit_id=work_unit_id, unit=unit)
    question = messages.FormulaQuestion(
        formula, {name: tag.id for name, tag in found.inputs.items()}, found.unit, start_us, end_us, PREVIEW_WIDTH
    )
    return found, table_of(asked("formula_preview", question, ANSWER_WITHIN_S))


PREVIEW_WIDTH = 240


def check_written(site_id: int, tags: Sequence[Tag]) -> dict[int, str]:
    """Return tag id -> unit of the formulas that were just written. Raises `InvalidInput` by address."""
    names = names_of_site(site_id)
    wrong: dict[str, str] = {}
    found: dict[int, str] = {}
    for tag in tags:
        try:
            result = checked(
                names=names, formula=tag.formula, work_unit_id=tag.work_unit_id, unit=tag.unit, tag_id=tag.pk
            )
        except InvalidInput as error:
            wrong[tag.address] = str(error)
        else:
            found[tag.pk] = result.unit
    if wrong:
        raise InvalidInput("; ".join(f"{address}: {why}" for address, why in list(wrong.items())[:3]), wrong)
    return found
