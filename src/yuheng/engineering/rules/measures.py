"""Whether a quantity in one unit is one in another, for a material. Counts of different things are never mixed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal

from yuheng.kernel import units

_COUNT = re.compile(r"\{([^{}]*)\}")
_PIECES = frozenset({"piece", "pieces", "pcs", "pc", "ea", "each"})
ONE = Decimal(1)


def is_count(unit: str) -> bool:
    """Return whether a unit counts things that cannot be divided: ``{piece}``, ``{box}``.

    Examples
    --------
    >>> is_count("{piece}"), is_count("kg"), is_count("1")
    (True, False, False)
    """
    return _COUNT.fullmatch(unit) is not None


def factor(unit: str, base: str, conversions: Mapping[str, Decimal]) -> Decimal | None:
    """How many ``base`` one ``unit`` is; None when they measure different things.

    Parameters
    ----------
    conversions
        What the material itself says: unit -> so many ``base``.

    Examples
    --------
    >>> factor("m", "mm", {}), factor("{box}", "{piece}", {"{box}": Decimal(100)}), factor("{box}", "{piece}", {})
    (Decimal('1000'), Decimal('100'), None)
    >>> factor("g", "m", {"kg": Decimal("2.5")}), factor("kg", "m", {})
    (Decimal('0.0025'), None)
    """
    if (direct := _plain_factor(unit, base)) is not None:
        return direct
    for other, size in conversions.items():
        if (step := _plain_factor(unit, other)) is not None:
            return step * size
    return None


def _plain_factor(unit: str, base: str) -> Decimal | None:
    if unit == base:
        return ONE
    one, other = _thing(unit), _thing(base)
    if one is not None and other is not None:
        return ONE if one == other else None
    if one is not None or other is not None:
        return ONE if "1" in (unit, base) else None
    if not (units.is_unit(unit) and units.is_unit(base)):
        return None
    here, there = units.parse(unit), units.parse(base)
    if here.dimension != there.dimension or here.offset != there.offset:
        return None
    return Decimal(f"{here.factor / there.factor:.15g}")


def _thing(unit: str) -> str | None:
    """What is counted, or None when the unit measures."""
    found = _COUNT.fullmatch(unit)
    if found is None:
        return None
    return "piece" if found[1] in _PIECES else found[1]
