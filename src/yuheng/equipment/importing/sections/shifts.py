"""Shift calendars."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, datetime, time
from typing import Any, cast

from django.utils.translation import gettext as _

from yuheng.equipment.importing import fields as read
from yuheng.equipment.importing.fields import Field, Unreadable
from yuheng.equipment.importing.section import Action, PlannedRow, RawRow, Section, Values
from yuheng.equipment.importing.sections.shared import CODE, NAMES, named
from yuheng.equipment.models import (
    CalendarException,
    Shift,
    ShiftBreak,
    ShiftCalendar,
)
from yuheng.kernel import calendars
from yuheng.kernel.actor import Actor

_OWN = ("code", "name_zh", "name_en", "is_site_default")
_WEEK = [1, 2, 3, 4, 5, 6, 7]


def _breaks(value: Any) -> list[dict[str, str]]:
    """Read breaks: ``[{start, end}]``, or ``12:00-12:30 17:30-17:50`` in CSV."""
    if isinstance(value, str):
        parts = [part.split("-") for part in value.split()]
        if any(len(part) != 2 for part in parts):
            raise Unreadable(_("must be breaks such as 12:00-12:30 17:30-17:50"))
        value = [{"start": start, "end": end} for start, end in parts]
    if not isinstance(value, list) or not all(isinstance(one, dict) and set(one) == {"start", "end"} for one in value):
        raise Unreadable(_("must be a list of breaks with start and end"))
    return [{"start": read.time_of_day(one["start"]), "end": read.time_of_day(one["end"])} for one in value]


def _weekdays(value: Any) -> list[int]:
    """Read ISO weekdays: ``[1, 2]``, or ``1-5 7`` in CSV."""
    if isinstance(value, str):
        found: list[int] = []
        for part in re.split(r"[\s;]+", value.strip()):
            first, _dash, last = part.partition("-")
            if not first.isdecimal() or not (last or first).isdecimal():
                raise Unreadable(_("must be weekdays such as 1-5 (1 is Monday)"))
            found.extend(range(int(first), int(last or first) + 1))
        value = found
    if not isinstance(value, list) or not value or not all(isinstance(day, int) and 1 <= day <= 7 for day in value):
        raise Unreadable(_("must be weekdays such as 1-5 (1 is Monday)"))
    return sorted(set(value))


_SHIFT_FIELDS: dict[str, Callable[[Any], Any]] = {
    "code": read.code,
    "name_zh": read.filled_text(),
    "name_en": read.filled_text(),
    "start": read.time_of_day,
    "end": read.time_of_day,
    "weekdays": _weekdays,
    "breaks": _breaks,
}


def _shifts(value: Any) -> list[Values]:
    """Read the shifts of a calendar, each complete, by start time."""
    if not isinstance(value, list):
        raise Unreadable(_("must be a list of shifts"))
    found = sorted((_shift(one) for one in value), key=lambda shift: (shift["start"], shift["code"]))
    codes = [shift["code"] for shift in found]
    if len(set(codes)) < len(codes):
        raise Unreadable(_("has a shift code twice"))
    if clash := calendars.overlapping_shifts(tuple(_pure_shift(shift) for shift in found)):
        raise Unreadable(_("has overlapping shifts: %(one)s and %(other)s") % {"one": clash[0], "other": clash[1]})
    return found


def _shift(value: Any) -> Values:
    if not isinstance(value, dict):
        raise Unreadable(_("must be a list of shifts"))
    if unknown := set(value) - set(_SHIFT_FIELDS):
        raise Unreadable(
            _("has unknown fields in a shift: %(names)s") % {"names": ", ".join(sorted(map(str, unknown)))}
        )
    whole = {"weekdays": _WEEK, "breaks": [], **value}
    if missing := set(_SHIFT_FIELDS) - set(whole):
        raise Unreadable(_("has a shift without %(names)s") % {"names": ", ".join(sorted(missing))})
    return {name: reader(whole[name]) for name, reader in _SHIFT_FIELDS.items()}


def _pure_shift(shift: Values) -> calendars.Shift:
    start, end = time.fromisoformat(shift["start"]), time.fromisoformat(shift["end"])
    return calendars.Shift(shift["code"], start, end, frozenset(shift["weekdays"]))


def _day(value: Any) -> str:
    """Read a local date, ``2026-10-01``."""
    try:
        return date.fromisoformat(str(value).strip().replace("/", "-")).isoformat()
    except ValueError:
        raise Unreadable(_("must be a date such as 2026-10-01")) from None


_EXCEPTION_FIELDS: dict[str, Callable[[Any], Any]] = {
    "first": _day,
    "last": _day,
    "name_zh": read.filled_text(),
    "name_en": read.filled_text(),
    "works_as": read.optional(read.whole_number(least=1, most=7)),
    "shifts": read.texts(40),
}


def _exceptions(value: Any) -> list[Values]:
    """Read the exceptions of a calendar, by their first day."""
    if not isinstance(value, list):
        raise Unreadable(_("must be a list of exceptions"))
    found = sorted((_exception(one) for one in value), key=lambda one: str(one["first"]))
    firsts = [one["first"] for one in found]
    if len(set(firsts)) < len(firsts):
        raise Unreadable(_("has two exceptions that begin on the same day"))
    return found


def _exception(value: Any) -> Values:
    if not isinstance(value, dict):
        raise Unreadable(_("must be a list of exceptions"))
    if unknown := set(value) - set(_EXCEPTION_FIELDS):
        raise Unreadable(
            _("has unknown fields in an exception: %(names)s") % {"names": ", ".join(sorted(map(str, unknown)))}
        )
    whole = {"last": value.get("first"), "works_as": None, "shifts": [], **value}
    if missing := set(_EXCEPTION_FIELDS) - set(whole):
        raise Unreadable(_("has an exception without %(names)s") % {"names": ", ".join(sorted(missing))})
    read_ = {name: reader(whole[name]) for name, reader in _EXCEPTION_FIELDS.items()}
    if read_["last"] < read_["first"]:
        raise Unreadable(_("has an exception whose last day is before its first"))
    return read_


class CalendarSection(Section):
    """Shift calendars. In CSV one line a shift or an exception; the lines of a calendar share its code."""

    name = "calendars"
    fields = (
        CODE,
        *NAMES,
        Field("is_site_default", read.boolean, default=False),
        Field("shifts", _shifts),
        Field("exceptions", _exceptions, default=[]),
    )

    @property
    def columns(self) -> tuple[str, ...]:
        """The calendar's columns, then those of a shift (``shift_``) and of an exception (``exception_``)."""
        shift = (f"shift_{name}" for name in _SHIFT_FIELDS)
        return (*_OWN, *shift, *(f"exception_{name}" for name in _EXCEPTION_FIELDS))

    def from_csv(self, rows: Sequence[RawRow]) -> Sequence[RawRow]:
        """Gather the lines of each calendar; the first says its names."""
        found: dict[str, RawRow] = {}
        for row in rows:
            code = str(row.values.get("code", "")).strip()
            own = {name: value for name, value in row.values.items() if not name.startswith(("shift_", "exception_"))}
            one = found.setdefault(code, RawRow(row.where, {**own, "shifts": []}))
            shift = {name[6:]: value for name, value in row.values.items() if name.startswith("shift_")}
            exception = {name[10:]: value for name, value in row.values.items() if name.startswith("exception_")}
            if shift:
                one.values["shifts"].append(shift)
            if exception:
                cast("dict[str, Any]", one.values).setdefault("exceptions", []).append(exception)
        return list(found.values())

    def to_csv(self, values: Values) -> Iterator[dict[str, str]]:
        """One line a shift, then one an exception."""
        own = {name: read.as_cell(value) for name, value in values.items() if name in _OWN}
        for shift in values["shifts"] or [{}]:
            cells = {f"shift_{name}": read.as_cell(value) for name, value in shift.items()}
            if shift:
                cells["shift_weekdays"] = " ".join(str(day) for day in shift["weekdays"])
                cells["shift_breaks"] = " ".join(f"{one['start']}-{one['end']}" for one in shift["breaks"])
            yield {**own, **cells}
        for exception in values["exceptions"]:
            yield {"code": own["code"], **{f"exception_{name}": read.as_cell(v) for name, v in exception.items()}}

    def existing(self, site_id: int) -> dict[str, Values]:
        """Four queries."""
        rows = ShiftCalendar.objects.filter(site_id=site_id).prefetch_related("shifts__breaks", "exceptions")
        return {
            row.code: {
                **named(row),
                "is_site_default": row.is_site_default,
                "shifts": [_shift_values(shift) for shift in row.shifts.all()],
                "exceptions": [_exception_values(one) for one in row.exceptions.all()],
            }
            for row in rows
        }

    def check(self, values: Values, known: Mapping[str, frozenset[str]]) -> str:
        """A calendar has at least one shift, and its exceptions name shifts that it has."""
        if not values["shifts"]:
            return _("A calendar has at least one shift.")
        codes = {shift["code"] for shift in values["shifts"]}
        strange = sorted({code for one in values["exceptions"] for code in one["shifts"]} - codes)
        return _("The calendar has no shift called %(code)s.") % {"code": strange[0]} if strange else ""

    def apply(self, *, actor: Actor, site_id: int, rows: Sequence[PlannedRow], at: datetime) -> None:
        """Write; a calendar's shifts are replaced whole. The last one marked becomes the site's."""
        if any(row.values.get("is_site_default") for row in rows):
            ShiftCalendar.objects.filter(site_id=site_id).update(is_site_default=False)
        chosen = [row.key for row in rows if row.values.get("is_site_default")][-1:]
        for row in rows:
            own: Values = {
                name: row.values[name] for name in ("name_zh", "name_en", "is_site_default") if name in row.values
            }
            if own.get("is_site_default"):
                own["is_site_default"] = row.key in chosen
            calendar, _made = ShiftCalendar.objects.update_or_create(site_id=site_id, code=row.key, defaults=own)
            if row.action is Action.ADD or "shifts" in row.changes:
                _replace_shifts(calendar, row.values["shifts"])
            if "exceptions" in row.values:
                _replace_exceptions(calendar, row.values["exceptions"])


def _replace_shifts(calendar: ShiftCalendar, shifts: Sequence[Values]) -> None:
    calendar.shifts.all().delete()
    for shift in shifts:
        own = {name: value for name, value in shift.items() if name != "breaks"}
        row = Shift.objects.create(calendar=calendar, **own)
        ShiftBreak.objects.bulk_create([ShiftBreak(shift=row, **one) for one in shift["breaks"]])


def _replace_exceptions(calendar: ShiftCalendar, exceptions: Sequence[Values]) -> None:
    calendar.exceptions.all().delete()
    CalendarException.objects.bulk_create(
        CalendarException(
            calendar=calendar,
            first=date.fromisoformat(one["first"]),
            last=date.fromisoformat(one["last"]),
            name_zh=one["name_zh"],
            name_en=one["name_en"],
            works_as=one["works_as"],
            shift_codes=one["shifts"],
        )
        for one in exceptions
    )


def _exception_values(row: CalendarException) -> Values:
    return {
        "first": row.first.isoformat(),
        "last": row.last.isoformat(),
        "name_zh": row.name_zh,
        "name_en": row.name_en,
        "works_as": row.works_as,
        "shifts": list(row.shift_codes),
    }


def _shift_values(shift: Shift) -> Values:
    return {
        **named(shift),
        "start": f"{shift.start:%H:%M}",
        "end": f"{shift.end:%H:%M}",
        "weekdays": shift.weekdays,
        "breaks": [{"start": f"{one.start:%H:%M}", "end": f"{one.end:%H:%M}"} for one in shift.breaks.all()],
    }
