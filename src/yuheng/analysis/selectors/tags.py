"""The tags of a trend page: found by words, named, with the units in which they can be shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.utils.translation import gettext as _

from yuheng.kernel import units
from yuheng.kernel.actor import Actor
from yuheng.kernel.errors import InvalidInput, NotVisible
from yuheng.kernel.names import local_name
from yuheng.kernel.unit_symbols import shown, symbol_of
from yuheng.telemetry.selectors import signals
from yuheng.telemetry.selectors.signals import TagRow

USUAL_UNITS = (
    *("W", "kW", "MW", "J", "kJ", "MJ", "W.h", "kW.h", "MW.h", "Cel", "K", "[degF]", "Pa", "kPa", "MPa", "bar", "mbar"),
    *("[psi]", "m3/h", "m3/s", "L/min", "L/s", "um", "mm", "cm", "m", "[in_i]", "[ft_i]", "s", "min", "h", "d", "Hz"),
    *("/min", "/s", "N", "kN", "N.m", "g", "kg", "t", "mm/s", "m/s", "m/min", "km/h", "mA", "A", "mV", "V", "kV"),
    *("deg", "rad", "%", "1", "L", "m3", "mL"),
)
PICKED_AT_ONCE = 60


@dataclass(frozen=True, slots=True)
class TrendTag:
    """A tag as the page shows it: ``value shown = value stored * factor + offset``, in ``unit_code`` (UCUM).

    ``unit`` is how people write it; ``units`` are the codes in which it can be shown, its own first.
    """

    id: int
    site_id: int
    work_unit_id: int | None
    work_unit: str
    name: str
    symbol: str
    address: str
    data_type: str
    role: str
    own_unit: str
    unit_code: str
    unit: str
    factor: float
    offset: float
    units: tuple[tuple[str, str], ...]
    stale_after_s: float
    name_zh: str
    name_en: str

    @property
    def label(self) -> str:
        """Work unit and name, as legends show it."""
        return f"{self.work_unit} {self.name}".strip()

    @property
    def is_number(self) -> bool:
        """Whether it has a curve."""
        return self.data_type != "text"

    def back(self, value: float | None) -> float | None:
        """Return a shown value as it is stored."""
        return None if value is None else (value - self.offset) / self.factor

    def show(self, value: float) -> float:
        """Return a stored value as it is shown."""
        return value * self.factor + self.offset


def trend_tags(
    *,
    actor: Actor,
    tag_ids: Sequence[int],
    in_units: Mapping[int, str] | None = None,
    as_stored: bool = False,
) -> list[TrendTag]:
    """The tags in the order asked for. Three queries. Raises `NotVisible` when one is not visible, `InvalidInput`.

    ``as_stored``: in the unit in which they are stored, for programs; people read a ratio in percent.
    """
    if not tag_ids:
        return []
    page = signals.tags(actor=actor, wanted=signals.TagFilter(tag_ids=tuple(tag_ids)), limit=len(tag_ids))
    found = {row.id: row for row in page.tags}
    if len(found) < len(tag_ids):  # what is not read any more has its past still
        wanted = signals.TagFilter(tag_ids=tuple(tag_ids), is_retired=True)
        found |= {row.id: row for row in signals.tags(actor=actor, wanted=wanted, limit=len(tag_ids)).tags}
    if missing := [tag_id for tag_id in tag_ids if tag_id not in found]:
        raise NotVisible(_("There is no signal %(id)d here.") % {"id": missing[0]})
    chosen = {tag_id: found[tag_id].unit for tag_id in tag_ids} if as_stored else (in_units or {})
    return [trend_tag(found[tag_id], chosen.get(tag_id, "")) for tag_id in tag_ids]


def find_tags(
    *,
    actor: Actor,
    site_id: int,
    text: str = "",
    area_id: int | None = None,
    work_unit_id: int | None = None,
    limit: int = PICKED_AT_ONCE,
) -> tuple[list[TrendTag], int]:
    """The tags of a site that have all the words, and how many there are. Two queries."""
    wanted = signals.TagFilter(site_id=site_id, text=text, area_id=area_id, work_unit_id=work_unit_id)
    page = signals.tags(actor=actor, wanted=wanted, limit=limit)
    return [trend_tag(row) for row in page.tags], page.total


def trend_tag(row: TagRow, in_unit: str = "") -> TrendTag:
    """Return a tag as it is shown. Raises `InvalidInput` when it cannot be shown in that unit."""
    symbol, factor = shown(row.unit, row.data_type, row.symbol)
    code, offset = ("%" if factor != 1.0 else row.unit), 0.0
    if in_unit and in_unit != code:
        zero, many = (units.convert(value, row.unit, in_unit) for value in (0.0, 1e6))
        code, symbol = in_unit, symbol_of(in_unit)
        factor, offset = (float(f"{number:.10g}") for number in ((many - zero) / 1e6, zero))
    return TrendTag(
        id=row.id,
        site_id=row.site_id,
        work_unit_id=row.work_unit_id,
        work_unit=row.work_unit,
        name=local_name(row) or row.symbol or row.address,
        symbol=row.symbol,
        address=row.address,
        data_type=row.data_type,
        role=row.role,
        own_unit=row.unit,
        unit_code=code,
        unit=symbol,
        factor=factor,
        offset=offset,
        units=_units_for(row, code),
        stale_after_s=row.stale_after_s,
        name_zh=row.name_zh,
        name_en=row.name_en,
    )


def _units_for(row: TagRow, code: str) -> tuple[tuple[str, str], ...]:
    if row.data_type in {"bool", "text"} or "{" in row.unit:
        return ((code, symbol_of(code)),)
    try:
        usual = [one for one in USUAL_UNITS if units.are_commensurable(one, row.unit)]
    except InvalidInput:  # a unit of before units were checked
        usual = []
    if row.unit == "1" and code == "1":
        usual = []  # a plain number: nobody reads it in percent unless it is a ratio
    return tuple((one, symbol_of(one) or "1") for one in dict.fromkeys([code, row.unit, *usual]))
