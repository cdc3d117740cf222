"""Periods that people speak of: this shift, the last one, a day, a week, a month."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from yuheng.equipment import selectors as equipment
from yuheng.kernel import calendars
from yuheng.kernel.actor import Actor
from yuheng.kernel.errors import InvalidInput
from yuheng.kernel.names import local_name

PERIODS: dict[str, Promise] = {
    "shift": gettext_lazy("This shift"),
    "last-shift": gettext_lazy("Last shift"),
    "24h": gettext_lazy("24 h"),
    "7d": gettext_lazy("7 days"),
    "30d": gettext_lazy("30 days"),
}
LENGTHS = {"24h": timedelta(hours=24), "7d": timedelta(days=7), "30d": timedelta(days=30)}
LONGEST = timedelta(days=93)


@dataclass(frozen=True, slots=True)
class Period:
    """``[start, end)``; ``key`` is one of `PERIODS`, or "" for two given moments; ``name`` says which shift."""

    start: datetime
    end: datetime
    key: str
    name: str


def read_period(given: Mapping[str, str], *, actor: Actor, site_id: int, now: datetime) -> Period:
    """Read ``?period=shift`` or ``?from=…&to=…`` (ISO 8601 with a zone). Without either, this shift.

    A site without a calendar, and a time between shifts, has the last 24 hours instead. Raises `InvalidInput`.
    """
    if given.get("from") and given.get("to"):
        start, end = _moment(given, "from"), _moment(given, "to")
        if not timedelta(0) < end - start <= LONGEST:
            raise InvalidInput(_("A period ends after its start and is at most 93 days long."), {"to": given["to"]})
        return Period(start, end, "", "")
    key = given.get("period", "shift")
    if key in LENGTHS:
        return Period(now - LENGTHS[key], now, key, "")
    shifts = _shifts(actor, site_id, now)
    running = next((one for one in shifts if one.start <= now < one.end), None)
    if key == "last-shift":
        ended = [one for one in shifts if one.end <= now]
        if ended:
            return Period(ended[-1].start, ended[-1].end, key, local_name(ended[-1].shift))
    elif running is not None:
        return Period(running.start, now, "shift", local_name(running.shift))
    return Period(now - LENGTHS["24h"], now, "24h", "")


def _shifts(actor: Actor, site_id: int, now: datetime) -> list[calendars.ShiftOccurrence]:
    calendar = equipment.calendar_for(actor=actor, site_id=site_id)
    if calendar is None:
        calendar = next(iter(equipment.calendars_of_site(actor=actor, site_id=site_id)), None)
    return list(calendars.occurrences(calendar, now - timedelta(days=4), now)) if calendar is not None else []


def _moment(given: Mapping[str, str], name: str) -> datetime:
    try:
        found = datetime.fromisoformat(given[name].replace(" ", "+"))
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        sentence = _("A moment is written as 2026-11-23T08:00:00+08:00.")
        raise InvalidInput(sentence, {name: given[name][:80]})
    return found
