"""Shift calendars."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db.models import Prefetch
from django.utils.translation import gettext as _

from yuheng.equipment.models import (
    Shift,
    ShiftCalendar,
    WorkUnit,
)
from yuheng.equipment.selectors.access import VIEW
from yuheng.equipment.selectors.sites import site
from yuheng.kernel import calendars
from yuheng.kernel.actor import Actor
from yuheng.kernel.errors import NotVisible


def calendars_of_site(*, actor: Actor, site_id: int) -> list[calendars.Calendar]:
    """The site's shift calendars, by code. Five queries."""
    actor.require(VIEW, site_id=site_id)
    of = site(actor=actor, site_id=site_id)
    rows = _with_shifts(ShiftCalendar.objects.filter(site_id=site_id))
    return [_calendar(row, of.time_zone) for row in rows]


def calendar_for(*, actor: Actor, site_id: int, work_unit_id: int | None = None) -> calendars.Calendar | None:
    """The calendar that holds for a work unit, or for the site: unit, then center, then site; None without one.

    At most six queries. Raises `NotVisible`.
    """
    return calendars_for(actor=actor, site_id=site_id, work_unit_ids=[work_unit_id])[work_unit_id]


def calendars_for(
    *, actor: Actor, site_id: int, work_unit_ids: Sequence[int | None]
) -> dict[int | None, calendars.Calendar | None]:
    """The nearest calendar of many work units of a site at once (None: of the site). At most six queries."""
    actor.require(VIEW, site_id=site_id)
    of = site(actor=actor, site_id=site_id)
    rows = list(_with_shifts(ShiftCalendar.objects.filter(site_id=site_id)))
    known = {row.pk: _calendar(row, of.time_zone) for row in rows}
    usual = next((known[row.pk] for row in rows if row.is_site_default), None)
    wanted = [unit_id for unit_id in work_unit_ids if unit_id is not None]
    found: dict[int | None, calendars.Calendar | None] = {None: usual}
    for pk, own, centers in WorkUnit.objects.filter(pk__in=wanted, site_id=site_id).values_list(
        "pk", "calendar_id", "work_center__calendar_id"
    ):
        found[pk] = known.get(own) or known.get(centers) or usual
    if any(unit_id not in found for unit_id in wanted):
        raise NotVisible(_("There is no such work unit here."))
    return found


def _with_shifts(rows: Any) -> Any:
    return rows.order_by("code").prefetch_related(
        Prefetch("shifts", Shift.objects.prefetch_related("breaks")), "exceptions"
    )


def _calendar(row: ShiftCalendar, time_zone: str) -> calendars.Calendar:
    shifts = tuple(
        calendars.Shift(
            code=shift.code,
            start=shift.start,
            end=shift.end,
            weekdays=frozenset(shift.weekdays),
            breaks=tuple(calendars.Break(pause.start, pause.end) for pause in shift.breaks.all()),
            name_zh=shift.name_zh,
            name_en=shift.name_en,
        )
        for shift in row.shifts.all()
    )
    exceptions = tuple(
        calendars.DayException(
            first=one.first,
            last=one.last,
            works_as=one.works_as,
            shift_codes=frozenset(one.shift_codes),
            name_zh=one.name_zh,
            name_en=one.name_en,
        )
        for one in row.exceptions.all()
    )
    return calendars.Calendar(row.code, time_zone, shifts, exceptions)


def calendar_ids(*, actor: Actor, site_id: int) -> dict[str, int]:
    """Code -> id of a site's shift calendars. One query."""
    actor.require(VIEW, site_id=site_id)
    return dict(ShiftCalendar.objects.filter(site_id=site_id).values_list("code", "pk"))


def site_default_calendar(*, actor: Actor, site_id: int) -> str:
    """Code of the site's own calendar; "" without one. One query."""
    actor.require(VIEW, site_id=site_id)
    rows = ShiftCalendar.objects.filter(site_id=site_id, is_site_default=True).values_list("code", flat=True)
    return rows.first() or ""


def calendar_by_id(*, actor: Actor, calendar_id: int) -> tuple[int, calendars.Calendar, str, str]:
    """One calendar: (site id, calendar, Chinese name, English name). Six queries. Raises `NotVisible`."""
    row = _with_shifts(ShiftCalendar.objects.visible_to(actor).filter(pk=calendar_id)).first()
    if row is None:
        raise NotVisible(_("There is no such shift calendar here."))
    actor.require(VIEW, site_id=row.site_id)
    of = site(actor=actor, site_id=row.site_id)
    return row.site_id, _calendar(row, of.time_zone), row.name_zh, row.name_en
