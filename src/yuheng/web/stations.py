"""The station page's questions put together. What cannot be had is named; the rest is shown."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from yuheng.alarms.selectors.alarms import alarms_of_unit
from yuheng.alarms.selectors.replay import active_at
from yuheng.alarms.shown import AlarmLine, lines_of
from yuheng.bus.messages import Interval, LiveSnapshot, PastBoard, UnitLive
from yuheng.engines.states.vocabulary import UnitState
from yuheng.equipment import selectors as equipment
from yuheng.kernel.actor import Actor
from yuheng.kernel.moments import Moment
from yuheng.web import plant_data
from yuheng.web.centre import cause_texts, local_clock, shift_now
from yuheng.web.indicators import SourceNow
from yuheng.web.names import local_name
from yuheng.web.plant_data import EPOCH, DeadLetterLine, SignalNow, Unavailable

PLOTTED = 2
"""Signals whose trend is shown before the reader chooses."""
TABLE_INTERVALS = 200

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class StateRow:
    """One interval of the table under the timeline; ``end`` None while it lasts."""

    state: int
    cause: str
    start: datetime
    end: datetime | None
    lasting_s: float

    @property
    def start_us(self) -> int:
        """When it began, in microseconds."""
        return _us(self.start)


@dataclass(frozen=True, slots=True)
class StationNow:
    """A work unit as its page shows it; ``troubles`` are sentences about what could not be had."""

    unit: equipment.WorkUnitRow
    name: str
    site: equipment.SiteRow
    site_name: str
    area_name: str
    center_name: str
    class_name: str
    live: UnitLive
    cause_text: str
    causes: dict[str, str]
    data_us: int
    data_age_s: float | None
    signals: list[SignalNow]
    plotted: list[SignalNow]
    assets: list[equipment.AssetRow]
    sources: list[SourceNow]
    dead_letters: list[DeadLetterLine]
    rows: list[StateRow]
    shift: Any
    clock: str
    lasting_s: float
    troubles: list[str]

    @property
    def title(self) -> str:
        """Code and name; the code once, when the name begins with it."""
        return self.name if self.name.startswith(self.unit.code) else f"{self.unit.code} {self.name}"


def station_now(*, actor: Actor, unit: equipment.WorkUnitRow, moment: Moment | None = None) -> StationNow:
    """Everything the page shows at first: of now, or of a past moment."""
    troubles: list[str] = []

    def ask(question: Callable[[], T], otherwise: T) -> T:
        try:
            return question()
        except Unavailable as error:
            if str(error) not in troubles:
                troubles.append(str(error))
            return otherwise

    now = moment.at if moment else datetime.now(UTC)
    snapshot: LiveSnapshot | PastBoard | None
    if moment is None:
        snapshot = ask(lambda: plant_data.live_units(actor=actor, site_id=unit.site_id), None)
    else:
        snapshot = ask(lambda: plant_data.past_units(actor=actor, site_id=unit.site_id, moment=moment), None)
    live = next((one for one in snapshot.units if one.work_unit_id == unit.id), None) if snapshot else None
    live = live or UnitLive(unit.id, UnitState.NO_DATA, "", 0, 0)
    site = equipment.site(actor=actor, site_id=unit.site_id)
    causes = cause_texts(actor, unit.site_id).get(unit.class_code, {})
    signals = ask(
        lambda: plant_data.signals_of(actor=actor, site_id=unit.site_id, work_unit_id=unit.id, moment=moment),
        list[SignalNow](),
    )
    past = ask(lambda: _intervals(actor, unit.id, now - timedelta(hours=24), now), list[Interval]())
    sources = ask(
        lambda: plant_data.sources_of(actor=actor, site_id=unit.site_id, work_unit_id=unit.id), list[SourceNow]()
    )
    data_us = snapshot.data_time_us if snapshot else 0
    return StationNow(
        unit=unit,
        name=local_name(unit),
        site=site,
        site_name=local_name(site),
        area_name=_name(unit, "area"),
        center_name=_name(unit, "work_center"),
        class_name=_name(unit, "class"),
        live=live,
        cause_text=causes.get(live.cause, live.cause),
        causes=causes,
        data_us=data_us,
        data_age_s=max(0.0, now.timestamp() - data_us / 1e6) if data_us else None,
        signals=signals,
        plotted=_worth_a_look(signals),
        assets=equipment.assets_of(actor=actor, work_unit_id=unit.id),
        sources=sources,
        dead_letters=plant_data.dead_letters_of(actor=actor, source_ids=[source.id for source in sources]),
        rows=[_row(interval, causes, now) for interval in reversed(past)][:TABLE_INTERVALS],
        shift=shift_now(actor=actor, site_id=unit.site_id, at=moment.at if moment else None),
        clock=local_clock(site.time_zone, moment.at if moment else None),
        lasting_s=max(0.0, now.timestamp() - live.since_us / 1e6) if live.since_us else 0.0,
        troubles=troubles,
    )


def _worth_a_look(signals: list[SignalNow]) -> list[SignalNow]:
    """Choose the first trends: power and other measured values; counters only when there is nothing else."""
    order = {"power_kw": 0, "": 1}
    numbers = [signal for signal in signals if signal.data_type == "float"]
    numbers = numbers or [signal for signal in signals if signal.data_type == "int"]
    return sorted(numbers, key=lambda signal: order.get(signal.role, 2))[:PLOTTED]


def lanes(*, actor: Actor, unit: equipment.WorkUnitRow, hours: int, moment: Moment | None = None) -> dict[str, Any]:
    """The states of a unit over the last hours, or the hours before a moment, as ``y-lanes`` reads them.

    Causes are in the reader's language.
    ``shift_us`` is when the shift that runs now began, None outside all shifts.
    """
    now = moment.at if moment else datetime.now(UTC)
    shift = shift_now(actor=actor, site_id=unit.site_id, at=now)
    start = now - timedelta(hours=hours)
    causes = cause_texts(actor, unit.site_id).get(unit.class_code, {})
    found = _intervals(actor, unit.id, start, now)
    return {
        "zone": equipment.site(actor=actor, site_id=unit.site_id).time_zone,
        "start_us": _us(start),
        "end_us": _us(now),
        "shift_us": _us(shift.start) if shift else None,
        "lanes": [
            {
                "name": unit.code,
                "intervals": with_reasons(
                    [[one.state, causes.get(one.cause, one.cause), one.start_us, one.end_us] for one in found],
                    plant_data.reasons_of(actor=actor, unit=unit, start=start, end=now),
                ),
            }
        ],
    }


def with_reasons(intervals: list[list[Any]], said: list[tuple[int, int, str]]) -> list[list[Any]]:
    """Cut stops where one reason ends and another begins, and let each part say its reason.

    Examples
    --------
    >>> with_reasons([[5, "12", 0, 100], [2, "", 100, None]], [(0, 60, "Wire feed")])
    [[5, 'Wire feed · 12', 0, 60], [5, '12', 60, 100], [2, '', 100, None]]
    """
    found: list[list[Any]] = []
    for state, cause, start_us, end_us in intervals:
        at = start_us
        for low, high, reason in said:
            if low < start_us or (end_us is not None and high > end_us):
                continue
            if low > at:
                found.append([state, cause, at, low])
            is_last = end_us is None and (low, high, reason) == said[-1]
            found.append([state, f"{reason} · {cause}" if cause else reason, low, None if is_last else high])
            at = high
        if at == start_us or (end_us is not None and at < end_us):
            found.append([state, cause, at, end_us])
    return found


def _intervals(actor: Actor, work_unit_id: int, start: datetime, end: datetime) -> list[Interval]:
    """Intervals of a time; one that ended after it still lasts, as seen from its end."""
    found = plant_data.intervals(actor=actor, work_unit_id=work_unit_id, start=start, end=end)
    end_us = _us(end)
    return [
        Interval(one.state, one.cause, one.start_us, None if one.end_us is None or one.end_us > end_us else one.end_us)
        for one in found
    ]


def _row(interval: Interval, causes: dict[str, str], now: datetime) -> StateRow:
    start = datetime.fromtimestamp(interval.start_us / 1e6, UTC)
    end = datetime.fromtimestamp(interval.end_us / 1e6, UTC) if interval.end_us is not None else None
    cause = causes.get(interval.cause, interval.cause)
    return StateRow(interval.state, cause, start, end, ((end or now) - start).total_seconds())


@dataclass(frozen=True, slots=True)
class _Named:
    name_zh: str
    name_en: str
    code: str


def _name(unit: equipment.WorkUnitRow, part: str) -> str:
    """Return the name of the unit's area, work center or class in the reader's language."""
    names = (getattr(unit, f"{part}_{field}") for field in ("name_zh", "name_en", "code"))
    return local_name(_Named(*names))


def _us(at: datetime) -> int:
    return (at - EPOCH) // timedelta(microseconds=1)


def alarm_lines(*, actor: Actor, unit: equipment.WorkUnitRow, moment: Moment | None) -> list[AlarmLine] | None:
    """The alarms of a work unit that need somebody, now or as shown at a moment; None: not for this reader."""
    if not actor.may("alarms.view", site_id=unit.site_id):
        return None
    if moment is None:
        return lines_of(alarms_of_unit(actor=actor, work_unit_id=unit.id))
    past = active_at(
        actor=actor, site_id=unit.site_id, at=EPOCH + timedelta(microseconds=moment.at_us), with_hidden=True
    )
    return lines_of([row for row in past if row.work_unit_id == unit.id])
