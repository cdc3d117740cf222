"""Bands behind and above the curves: states, reasons, alarms, shifts and capsules of the work units shown."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.utils.translation import get_language

from yuheng.alarms.selectors import episodes
from yuheng.analysis.selectors import capsules, stops
from yuheng.analysis.trend_query import TrendQuery
from yuheng.analysis.words import state_word
from yuheng.equipment import selectors as equipment
from yuheng.kernel import calendars
from yuheng.kernel.actor import Actor
from yuheng.kernel.names import local_name
from yuheng.telemetry.rules import microseconds, moment
from yuheng.telemetry.selectors import states

ALARMS = "alarms.view"
MAX_UNITS = 12
MAX_SHIFTS = 400


def bands(
    *, actor: Actor, units: Sequence[equipment.WorkUnitRow], query: TrendQuery, now: datetime
) -> list[dict[str, Any]]:
    """Rows of intervals, as ``bands.js`` draws them.

    Returns
    -------
    list
        ``{"kind", "name", "unit", "intervals": [[state or None, text, start_us, end_us or None], …]}``, by time; not
        cut at the range's ends.
    """
    rows: list[dict[str, Any]] = []
    start, end = moment(query.start_us), moment(query.end_us)
    units = units[:MAX_UNITS]
    if "shifts" in query.bands and units:
        rows += _shifts(actor, units, start, end)
    if "states" in query.bands:
        rows += _states(actor, units, start, end)
    if "reasons" in query.bands:
        for unit in units:
            found = stops.pieces_of_unit(actor=actor, unit=unit, start=start, end=end, now=now)
            listed = [[None, local_name(p.reason), microseconds(p.start), microseconds(p.end)] for p in found]
            rows.append(_row("reasons", unit, listed))
    if "alarms" in query.bands and actor.may(ALARMS):
        rows += _alarms(actor, units, start, end)
    if "capsules" in query.bands:
        chosen = next((unit for unit in units if unit.id == query.unit_id), units[0] if units else None)
        if chosen is not None and (query.kind != "where" or query.where):
            slices = capsules.capsules(
                actor=actor, unit=chosen, query=query, now=now, start_us=query.start_us, end_us=query.end_us
            )
            rows.append(
                _row(
                    "capsules",
                    chosen,
                    [[c.state, c.label, c.start_us, None if c.is_lasting else c.end_us] for c in slices],
                )
            )
    return rows


def _row(kind: str, unit: equipment.WorkUnitRow, intervals: list[list[Any]]) -> dict[str, Any]:
    return {"kind": kind, "name": unit.code, "unit": unit.id, "intervals": intervals}


def _states(
    actor: Actor, units: Sequence[equipment.WorkUnitRow], start: datetime, end: datetime
) -> list[dict[str, Any]]:
    found = states.states_between(actor=actor, start=start, end=end, work_unit_ids=[unit.id for unit in units])
    by_unit: dict[int, list[states.StateRow]] = {}
    for row in found:
        by_unit.setdefault(row.work_unit_id, []).append(row)
    causes = {site: stops.cause_texts(actor=actor, site_id=site) for site in {unit.site_id for unit in units}}
    rows = []
    for unit in units:
        named = causes[unit.site_id]
        listed = []
        for one in by_unit.get(unit.id, []):
            cause = named.get((unit.class_id or 0, one.cause), one.cause)
            text = " · ".join(word for word in (state_word(one.state), cause) if word)
            until = None if one.ended_at is None else microseconds(one.ended_at)
            listed.append([one.state, text, microseconds(one.started_at), until])
        rows.append(_row("states", unit, listed))
    return rows


def _alarms(
    actor: Actor, units: Sequence[equipment.WorkUnitRow], start: datetime, end: datetime
) -> list[dict[str, Any]]:
    """One row a unit; alarms that are active side by side lie over each other, the later one on top."""
    found = episodes.episodes_between(actor=actor, work_unit_ids=[unit.id for unit in units], start=start, end=end)
    is_english = (get_language() or "").startswith("en")
    rows = []
    for unit in units:
        listed = []
        for one in found:
            if one.work_unit_id == unit.id:
                said = (one.message_en, one.message_zh) if is_english else (one.message_zh, one.message_en)
                text = f"{one.priority} · {said[0] or said[1] or one.code}"
                until = None if one.end is None else microseconds(one.end)
                listed.append([None, text, microseconds(one.start), until])
        rows.append(_row("alarms", unit, listed))
    return rows


def _shifts(
    actor: Actor, units: Sequence[equipment.WorkUnitRow], start: datetime, end: datetime
) -> list[dict[str, Any]]:
    """One row for each calendar that the units follow."""
    rows = []
    for site_id in dict.fromkeys(unit.site_id for unit in units):
        mine = [unit.id for unit in units if unit.site_id == site_id]
        found = equipment.calendars_for(actor=actor, site_id=site_id, work_unit_ids=mine)
        followed = {calendar.code: calendar for key, calendar in found.items() if key in mine and calendar is not None}
        for calendar in followed.values():
            listed = []
            for shift in calendars.occurrences(calendar, start, end):
                name = local_name(shift.shift)
                listed.append([None, name, microseconds(shift.start), microseconds(shift.end)])
                if len(listed) >= MAX_SHIFTS:
                    break
            rows.append({"kind": "shifts", "name": calendar.code, "unit": None, "intervals": listed})
    return rows
