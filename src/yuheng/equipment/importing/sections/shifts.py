"""Shift calendars."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, time
from typing import Any

from django.utils.translation import gettext as _

from yuheng.equipment.importing import fields as read
from yuheng.equipment.importing.fields import Field, Unreadable
from yuheng.equipment.importing.section import Action, PlannedRow, RawRow, Section, Values
from yuheng.equipment.importing.sections.shared import CODE, NAMES, named
from yuheng.equipment.models import (
    Shift,
    ShiftBreak,
    ShiftCalendar,
)
from yuheng.kernel import calendars
from yuheng.kernel.actor import Actor

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


class CalendarSection(Section):
    """Shift calendars. In CSV one line a shift; the lines of a calendar share its code."""

    name = "calendars"
    fields = (
        CODE,
        *NAMES,
        Field("is_site_default", read.boolean, default=False),
        Field("shifts", _shifts),
    )

    @property
    def columns(self) -> tuple[str, ...]:
        """The calendar's columns, then the shift's with ``shift_`` before them."""
        return ("code", "name_zh", "name_en", "is_site_default", *(f"shift_{name}" for name in _SHIFT_FIELDS))

    def from_csv(self, rows: Sequence[RawRow]) -> Sequence[RawRow]:
        """Gather the lines of each calendar; the first says its names."""
        found: dict[str, RawRow] = {}
        for row in rows:
            code = str(row.values.get("code", "")).strip()
            own = {name: value for name, value in row.values.items() if not name.startswith("shift_")}
            one = found.setdefault(code, RawRow(row.where, {**own, "shifts": []}))
            shift = {name[6:]: value for name, value in row.values.items() if name.startswith("shift_")}
            if shift:
                one.values["shifts"].append(shift)
        return list(found.values())

    def to_csv(self, values: Values) -> Iterator[dict[str, str]]:
        """One line a shift."""
        own = {name: read.as_cell(value) for name, value in values.items() if name != "shifts"}
        for shift in values["shifts"] or [{}]:
            cells = {f"shift_{name}": read.as_cell(value) for name, value in shift.items()}
            if shift:
                cells["shift_weekdays"] = " ".join(str(day) for day in shift["weekdays"])
                cells["shift_breaks"] = " ".join(f"{one['start']}-{one['end']}" for one in shift["breaks"])
            yield {**own, **cells}

    def existing(self, site_id: int) -> dict[str, Values]:
        """Three queries."""
        rows = ShiftCalendar.objects.filter(site_id=site_id).prefetch_related("shifts__breaks")
        return {
            row.code: {
                **named(row),
                "is_site_default": row.is_site_default,
                "shifts": [_shift_values(shift) for shift in row.shifts.all()],
            }
            for row in rows
        }

    def check(self, values: Values, known: Mapping[str, frozenset[str]]) -> str:
        """A calendar has at least one shift."""
        return "" if values["shifts"] else _("A calendar has at least one shift.")

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


def _replace_shifts(calendar: ShiftCalendar, shifts: Sequence[Values]) -> None:
    calendar.shifts.all().delete()
    for shift in shifts:
        own = {name: value for name, value in shift.items() if name != "breaks"}
        row = Shift.objects.create(calendar=calendar, **own)
        ShiftBreak.objects.bulk_create([ShiftBreak(shift=row, **one) for one in shift["breaks"]])


def _shift_values(shift: Shift) -> Values:
    return {
        **named(shift),
        "start": f"{shift.start:%H:%M}",
        "end": f"{shift.end:%H:%M}",
        "weekdays": shift.weekdays,
        "breaks": [{"start": f"{one.start:%H:%M}", "end": f"{one.end:%H:%M}"} for one in shift.breaks.all()],
    }
