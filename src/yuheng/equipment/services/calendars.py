"""Shift calendars, their exceptions, whose they are; targets of a site."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time

from django.db import transaction
from django.utils.translation import gettext as _

from yuheng.equipment.models import (
    CalendarException,
    Shift,
    ShiftBreak,
    ShiftCalendar,
    SiteTarget,
    WorkCenter,
    WorkUnit,
)
from yuheng.equipment.rules import is_code
from yuheng.equipment.services.access import (
    check_named,
    lock_site,
    of_site,
    tell,
    unique,
)
from yuheng.kernel import calendars as pure_calendars
from yuheng.kernel import units
from yuheng.kernel.actor import Actor
from yuheng.kernel.errors import InvalidInput

MOST_EXCEPTIONS = 400
LONGEST_EXCEPTION_DAYS = 366


@transaction.atomic
def assign_calendar(
    *,
    actor: Actor,
    site_id: int,
    calendar_code: str | None,
    work_center_id: int | None = None,
    work_unit_id: int | None = None,
    at: datetime,
) -> None:
    """Use a calendar for a work unit, else for a work center, else for the site; None: the next wider one holds."""
    lock_site(actor, site_id)
    calendar = None
    if calendar_code is not None:
        calendar = ShiftCalendar.objects.filter(site_id=site_id, code=calendar_code).first()
        if calendar is None:
            raise InvalidInput(_("There is no such shift calendar."), {"calendar": calendar_code})
    if work_unit_id is not None:
        WorkUnit.objects.filter(pk=of_site(WorkUnit, work_unit_id, site_id).pk).update(calendar=calendar)
    elif work_center_id is not None:
        WorkCenter.objects.filter(pk=of_site(WorkCenter, work_center_id, site_id).pk).update(calendar=calendar)
    else:
        ShiftCalendar.objects.filter(site_id=site_id).update(is_site_default=False)
        if calendar is not None:
            ShiftCalendar.objects.filter(pk=calendar.pk).update(is_site_default=True)
    detail = {"calendar": calendar_code, "work_center": work_center_id, "work_unit": work_unit_id}
    tell(actor, site_id, "calendar", calendar.pk if calendar else 0, "assigned", at, **detail)


@transaction.atomic
def set_site_target(
    *, actor: Actor, site_id: int, indicator: str, value: float, unit: str = "1", at: datetime
) -> SiteTarget:
    """Say what the site aims at for an indicator."""
    lock_site(actor, site_id)
    if not is_code(indicator):
        raise InvalidInput(_("An indicator has a code such as producing_ratio."), {"indicator": indicator})
    units.parse(unit)
    target, _made = SiteTarget.objects.update_or_create(
        site_id=site_id, indicator=indicator, defaults={"value": value, "unit": unit}
    )
    tell(actor, site_id, "target", target.pk, "set", at, indicator=indicator, value=value, unit=unit)
    return target


@dataclass(frozen=True, slots=True)
class ShiftSpec:
    """A shift as a form gives it; times of the site's clock, ISO weekdays, ``(start, end)`` of its breaks."""

    code: str
    name_zh: str
    name_en: str
    start: time
    end: time
    weekdays: tuple[int, ...]
    breaks: tuple[tuple[time, time], ...] = ()


@dataclass(frozen=True, slots=True)
class ExceptionSpec:
    """Days that differ; ``works_as`` None: nobody works."""

    first: date
    last: date
    name_zh: str
    name_en: str
    works_as: int | None = None
    shift_codes: tuple[str, ...] = ()


@transaction.atomic
def save_calendar(
    *,
    actor: Actor,
    site_id: int,
    code: str,
    name_zh: str,
    name_en: str,
    shifts: Sequence[ShiftSpec],
    exceptions: Sequence[ExceptionSpec] = (),
    calendar_id: int | None = None,
    at: datetime,
) -> ShiftCalendar:
    """Write a shift calendar whole: a new one, or (``calendar_id``) in place of what it was.

    Raises
    ------
    PermissionRefused, NotVisible
    InvalidInput
        ``fields`` maps ``code``, ``shifts.<row>`` and ``exceptions.<row>`` to what is wrong.
    """
    lock_site(actor, site_id)
    check_named(code, name_zh, name_en)
    check_calendar(shifts, exceptions)
    names = {"code": code, "name_zh": name_zh.strip(), "name_en": name_en.strip()}
    if calendar_id is None:
        row = unique(lambda: ShiftCalendar.objects.create(site_id=site_id, **names))
    else:
        row = of_site(ShiftCalendar, calendar_id, site_id)
        row.code, row.name_zh, row.name_en = code, names["name_zh"], names["name_en"]
        unique(lambda: row.save(update_fields=["code", "name_zh", "name_en"]))
    replace_shifts(row, shifts)
    replace_exceptions(row, exceptions)
    change = "created" if calendar_id is None else "changed"
    tell(
        actor,
        site_id,
        "calendar",
        row.pk,
        change,
        at,
        code=code,
        shifts=[f"{one.code} {one.start:%H:%M}-{one.end:%H:%M}" for one in shifts],
        exceptions=[f"{one.first} {one.last} {one.works_as or 0}" for one in exceptions][:100],
    )
    return row


def replace_shifts(row: ShiftCalendar, shifts: Sequence[ShiftSpec]) -> None:
    """Write the shifts of a calendar in place of those it had."""
    row.shifts.all().delete()
    for one in shifts:
        shift = Shift.objects.create(
            calendar=row,
            code=one.code,
            name_zh=one.name_zh.strip(),
            name_en=one.name_en.strip(),
            start=one.start,
            end=one.end,
            weekdays=sorted(set(one.weekdays)),
        )
        ShiftBreak.objects.bulk_create([ShiftBreak(shift=shift, start=start, end=end) for start, end in one.breaks])


def replace_exceptions(row: ShiftCalendar, exceptions: Sequence[ExceptionSpec]) -> None:
    """Write the exceptions of a calendar in place of those it had."""
    row.exceptions.all().delete()
    CalendarException.objects.bulk_create(
        CalendarException(
            calendar=row,
            first=one.first,
            last=one.last,
            name_zh=one.name_zh.strip(),
            name_en=one.name_en.strip(),
            works_as=one.works_as,
            shift_codes=list(one.shift_codes),
        )
        for one in exceptions
    )


def check_calendar(shifts: Sequence[ShiftSpec], exceptions: Sequence[ExceptionSpec]) -> None:
    """Raise `InvalidInput` naming each row of a calendar that cannot be."""
    wrong: dict[str, str] = {}
    if not shifts:
        wrong["shifts"] = _("A calendar has at least one shift.")
    codes: set[str] = set()
    for index, shift in enumerate(shifts):
        if sentence := _wrong_shift(shift, codes):
            wrong[f"shifts.{index}"] = sentence
        codes.add(shift.code)
    pure = tuple(pure_calendars.Shift(s.code, s.start, s.end, frozenset(s.weekdays)) for s in shifts)
    if not wrong and (clash := pure_calendars.overlapping_shifts(pure)):
        wrong["shifts"] = _("The shifts %(one)s and %(other)s overlap.") % {"one": clash[0], "other": clash[1]}
    if len(exceptions) > MOST_EXCEPTIONS:
        wrong["exceptions"] = _("A calendar has at most %(count)d exceptions.") % {"count": MOST_EXCEPTIONS}
    begun: set[date] = set()
    for index, one in enumerate(exceptions):
        if sentence := what_is_wrong_with_exception(one, codes, begun):
            wrong[f"exceptions.{index}"] = sentence
        begun.add(one.first)
    if wrong:
        raise InvalidInput(_("The calendar cannot be accepted as it is."), wrong)


def what_is_wrong_with_exception(one: ExceptionSpec, shift_codes: Collection[str], begun: Collection[date]) -> str:
    """Return why an exception cannot be, or ""."""
    if one.last < one.first:
        return _("The last day is before the first.")
    if (one.last - one.first).days > LONGEST_EXCEPTION_DAYS:
        return _("An exception lasts at most a year.")
    if one.first in begun:
        return _("Another exception begins on the same day.")
    if not one.name_zh.strip() or not one.name_en.strip():
        return _("Give the name in both languages.")
    if one.works_as is not None and not 1 <= one.works_as <= 7:
        return _("A weekday is a number from 1 (Monday) to 7.")
    strange = sorted(set(one.shift_codes) - set(shift_codes))
    return _("The calendar has no shift called %(code)s.") % {"code": strange[0]} if strange else ""


def _wrong_shift(shift: ShiftSpec, codes: Collection[str]) -> str:
    if not is_code(shift.code):
        return _("A code has letters, digits and . _ - only, at most 40.")
    if shift.code in codes:
        return _("The shift %(code)s stands twice.") % {"code": shift.code}
    if not shift.name_zh.strip() or not shift.name_en.strip():
        return _("Give the name in both languages.")
    if not shift.weekdays or not all(1 <= day <= 7 for day in shift.weekdays):
        return _("A shift starts on at least one weekday.")
    return ""
