"""Whether a work unit is planned to work at a moment, asked for many at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime

from yuheng.alarms.models import AlarmDefinition
from yuheng.equipment import selectors as equipment
from yuheng.kernel.actor import system_actor
from yuheng.kernel.calendars import Calendar, shift_at

ACTOR = system_actor("alarms")


def is_outside_shifts(
    asked: Iterable[tuple[int, int, datetime]],
) -> Callable[[AlarmDefinition, int, datetime], bool]:
    """Return a function that says whether a definition is suppressed by plan, for the (site, unit, moment) given.

    A unit without a calendar is always planned to work. At most five queries a site, none when nothing is asked.
    """
    units: dict[int, set[int]] = {}
    for site_id, unit_id, _at in asked:
        units.setdefault(site_id, set()).add(unit_id)
    calendars: dict[int, Calendar | None] = {}
    for site_id, unit_ids in units.items():
        found = equipment.calendars_for(actor=ACTOR, site_id=site_id, work_unit_ids=sorted(unit_ids))
        calendars.update({unit_id: calendar for unit_id, calendar in found.items() if unit_id is not None})

    def is_outside(definition: AlarmDefinition, work_unit_id: int, at: datetime) -> bool:
        calendar = calendars.get(work_unit_id)
        if not definition.suppress_outside_shifts or calendar is None:
            return False
        return is_outside_calendar(calendar, at)

    return is_outside


def is_outside_calendar(calendar: Calendar, at: datetime) -> bool:
    """Return whether no shift runs at a moment, or a break does."""
    shift = shift_at(calendar, at)
    return shift is None or any(start <= at < end for start, end in shift.breaks)
