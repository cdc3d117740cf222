"""Which version holds: exactly one for a day, a serial number and an order, or a sentence that says why not."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date

from yuheng.engineering.rules.faults import Fault, NothingEffective, _
from yuheng.engineering.rules.specs import EffectivitySpec
from yuheng.engineering.rules.words import Basis

LARGEST_SERIAL = 10**15
_SERIAL = re.compile(r"(.*?)(\d{1,15})")
_SPECIAL = (Basis.ORDER, Basis.SERIAL, Basis.DATE)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A version with one thing that it holds for."""

    version_id: int
    number: int
    effectivity: EffectivitySpec


def split_serial(serial: str) -> tuple[str, int] | None:
    """Return what stands before the last digits of a serial number, and those; None when it ends in none.

    Examples
    --------
    >>> split_serial("FT-2026-000123"), split_serial("A")
    (('FT-2026-', 123), None)
    """
    found = _SERIAL.fullmatch(serial)
    return (found[1], int(found[2])) if found else None


def covers(one: EffectivitySpec, *, on: date, serial: str, order_code: str) -> bool:
    """Return whether it says that the version holds for this."""
    if one.basis is Basis.ORDER:
        return bool(order_code) and one.order_code == order_code
    if one.basis is Basis.DATE:
        return one.valid_from is not None and one.valid_from <= on and (one.valid_to is None or on < one.valid_to)
    parts = split_serial(serial)
    if parts is None or one.serial_first is None or parts[0] != one.serial_prefix:
        return False
    return one.serial_first <= parts[1] and (one.serial_last is None or parts[1] <= one.serial_last)


def choose(candidates: Sequence[Candidate], *, on: date, serial: str = "", order_code: str = "") -> Candidate:
    """Return the version that holds: one for the order before one for the serial number before one for the day.

    Raises
    ------
    NothingEffective
        None holds, or several do.
    """
    for basis in _SPECIAL:
        found = [
            one
            for one in candidates
            if one.effectivity.basis is basis and covers(one.effectivity, on=on, serial=serial, order_code=order_code)
        ]
        if len({one.version_id for one in found}) > 1:
            numbers = ", ".join(str(number) for number in sorted({one.number for one in found}))
            raise NothingEffective(Fault(_("More than one version holds: %(numbers)s."), "", {"numbers": numbers}))
        if found:
            return found[0]
    if not candidates:
        raise NothingEffective(Fault(_("No version is released.")))
    known = "; ".join(f"{one.number}: {spoken(one.effectivity)}" for one in candidates[:5])
    values = {"on": on.isoformat(), "known": known}
    raise NothingEffective(Fault(_("No released version holds on %(on)s (%(known)s)."), "", values))


def spoken(one: EffectivitySpec) -> str:
    """Return it in signs that need no language: ``2026-01-01 …``, ``#FT-100 … 199``, ``@SO-12``."""
    if one.basis is Basis.ORDER:
        return f"@{one.order_code}"
    if one.basis is Basis.SERIAL:
        last = "" if one.serial_last is None else str(one.serial_last)
        return f"#{one.serial_prefix}{one.serial_first} … {last}".rstrip()
    last = "" if one.valid_to is None else one.valid_to.isoformat()
    return f"{one.valid_from} … {last}".rstrip()


def overlap(one: EffectivitySpec, other: EffectivitySpec) -> bool:
    """Return whether both hold for something."""
    if one.basis is not other.basis:
        return False
    if one.basis is Basis.ORDER:
        return one.order_code == other.order_code
    if one.basis is Basis.SERIAL:
        return one.serial_prefix == other.serial_prefix and _meet(
            one.serial_first or 0, _after(one), other.serial_first or 0, _after(other)
        )
    return _meet(
        one.valid_from or date.min, one.valid_to or date.max, other.valid_from or date.min, other.valid_to or date.max
    )


def _after(one: EffectivitySpec) -> int:
    return LARGEST_SERIAL + 1 if one.serial_last is None else one.serial_last + 1


def _meet(first: date | int, end: date | int, other_first: date | int, other_end: date | int) -> bool:
    return first < other_end and other_first < end  # type: ignore[operator]  # both are dates, or both numbers


def without(old: EffectivitySpec, new: EffectivitySpec) -> tuple[EffectivitySpec, ...]:
    """Return what is left of the old one when the new one takes its part: none, one or two.

    Examples
    --------
    >>> day = date.fromisoformat
    >>> old = EffectivitySpec(valid_from=day("2026-01-01"))
    >>> [spoken(one) for one in without(old, EffectivitySpec(valid_from=day("2026-06-01")))]
    ['2026-01-01 … 2026-06-01']
    """
    if not overlap(old, new):
        return (old,)
    if old.basis is Basis.ORDER:
        return ()
    left: list[EffectivitySpec] = []
    if old.basis is Basis.DATE:
        if old.valid_from is not None and new.valid_from is not None and old.valid_from < new.valid_from:
            left.append(replace(old, valid_to=new.valid_from))
        if new.valid_to is not None and (old.valid_to is None or new.valid_to < old.valid_to):
            left.append(replace(old, valid_from=new.valid_to))
        return tuple(left)
    first, new_first = old.serial_first or 0, new.serial_first or 0
    if first < new_first:
        left.append(replace(old, serial_last=new_first - 1))
    if new.serial_last is not None and (old.serial_last is None or new.serial_last < old.serial_last):
        left.append(replace(old, serial_first=new.serial_last + 1))
    return tuple(left)


def check_effectivity(one: EffectivitySpec) -> Fault | None:
    """Return what is wrong with it, or None."""
    if one.basis is Basis.DATE:
        if one.valid_from is None:
            return Fault(_("Say from which day it holds."))
        if one.valid_to is not None and one.valid_to <= one.valid_from:
            return Fault(_("It must end after it begins."))
    elif one.basis is Basis.SERIAL:
        if one.serial_first is None or not 0 <= one.serial_first <= LARGEST_SERIAL:
            return Fault(_("Say from which serial number it holds."))
        if one.serial_last is not None and not one.serial_first <= one.serial_last <= LARGEST_SERIAL:
            return Fault(_("The last serial number must not be before the first."))
    elif not one.order_code.strip():
        return Fault(_("Say for which order it holds."))
    return None
