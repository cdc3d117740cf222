"""The command centre's questions put together: equipment, live states, indicators; cached for seconds.

Nothing here fails because something behind it does: what could not be had is named, the rest is shown.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TypeVar
from zoneinfo import ZoneInfo

from django.core.cache import cache
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from yuheng.alarms.selectors.alarms import alarm_list
from yuheng.alarms.selectors.replay import active_at
from yuheng.alarms.shown import in_language
from yuheng.bus.messages import LiveSnapshot, PastBoard, UnitLive
from yuheng.engines.alarms.vocabulary import Category
from yuheng.engines.states.vocabulary import UnitState
from yuheng.equipment import selectors as equipment
from yuheng.equipment.rules import Rect
from yuheng.kernel import calendars
from yuheng.kernel.actor import Actor
from yuheng.kernel.moments import EPOCH, Moment
from yuheng.web import plant_data
from yuheng.web.indicators import (
    AlarmOfUnit,
    AttentionRow,
    Bullet,
    Measures,
    SourceNow,
    UnitNow,
    attention,
    bullets,
    history_row,
)
from yuheng.web.map_drawing import AreaDrawing, Box
from yuheng.web.names import local_name
from yuheng.web.plant_data import Unavailable

MAX_ALARMS = 1_000
CACHE_S = 4
"""Figures and lists are made at most this often for a site and language, however many people look."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ShiftNow:
    """The shift that runs now, in the reader's language."""

    name: str
    start: datetime
    end: datetime
    now: datetime

    @property
    def end_ms(self) -> int:
        """End, milliseconds since 1970."""
        return int(self.end.timestamp() * 1000)

    @property
    def left_s(self) -> float:
        """Seconds until the end."""
        return max(0.0, (self.end - self.now).total_seconds())


@dataclass(frozen=True, slots=True)
class PlantNow:
    """A site with the states of its units, as of ``now_us``: now, or the past ``moment`` that was asked for.

    ``data_us`` is the newest source time received, 0 when nobody knows; ``failed`` is a sentence when the states could
    not be had: then every unit shows "no data".
    """

    site: equipment.SiteRow
    areas: tuple[AreaDrawing, ...]
    places: dict[int, Box]
    width: float
    height: float
    units: tuple[UnitNow, ...]
    causes: dict[str, dict[str, str]]
    shift: ShiftNow | None
    now_us: int
    data_us: int
    failed: str
    moment: Moment | None = None
    alarms: tuple[AlarmOfUnit, ...] = ()

    @property
    def now(self) -> datetime:
        """The moment that is shown."""
        return EPOCH + timedelta(microseconds=self.now_us)

    @property
    def online(self) -> int:
        """How many units have data."""
        return sum(unit.state != UnitState.NO_DATA for unit in self.units)


@dataclass(frozen=True, slots=True)
class Figures:
    """Bullets and the attention list, with a sentence when the latter is incomplete."""

    bullets: list[Bullet]
    attention: list[AttentionRow]
    attention_failed: str


@dataclass(frozen=True, slots=True)
class _Gathered:
    """What is kept for `CACHE_S` seconds: everything but the states, which the page has anew anyway."""

    bullets: list[Bullet]
    sources: list[SourceNow]
    dead_letters: int
    troubles: list[str]


def plant_now(*, actor: Actor, site_id: int, moment: Moment | None = None) -> PlantNow:
    """The plant as it is now, or was at a moment. Equipment's queries, one question to the historian."""
    drawn = equipment.plant_map(actor=actor, site_id=site_id)
    causes = cause_texts(actor, site_id)
    failed, live, data_us = "", dict[int, UnitLive](), 0
    try:
        snapshot: LiveSnapshot | PastBoard
        if moment is None:
            snapshot = plant_data.live_units(actor=actor, site_id=site_id)
        else:
            snapshot = plant_data.past_units(actor=actor, site_id=site_id, moment=moment)
            moment = Moment(moment.at_us, snapshot.known_as)
        live = {unit.work_unit_id: unit for unit in snapshot.units}
        data_us = snapshot.data_time_us
    except Unavailable as error:
        failed = str(error)
    names = {area.id: local_name(area) for area in drawn.areas}
    alarms = alarms_now(actor=actor, site_id=site_id, moment=moment)
    marks = marks_of(alarms)
    peers = Counter(unit.work_center_id for unit in drawn.units)
    units = tuple(
        _unit_now(unit, names[unit.area_id], peers[unit.work_center_id], live.get(unit.id), causes, marks)
        for unit in drawn.units
    )
    areas = tuple(
        AreaDrawing(area.id, names[area.id], _box(area.rect), [unit for unit in units if unit.area_id == area.id])
        for area in drawn.areas
    )
    return PlantNow(
        site=drawn.site,
        areas=areas,
        places={unit.id: _box(unit.rect) for unit in drawn.units},
        width=drawn.width,
        height=drawn.height,
        units=units,
        causes=causes,
        shift=shift_now(actor=actor, site_id=site_id, at=moment.at if moment else None),
        now_us=moment.at_us if moment else time.time_ns() // 1000,
        data_us=data_us,
        failed=failed,
        moment=moment,
        alarms=tuple(alarms),
    )


def alarms_now(*, actor: Actor, site_id: int, moment: Moment | None = None) -> list[AlarmOfUnit]:
    """The alarms that head the list of a site, now or as they were shown at a moment; in the reader's language.

    None for who may not see alarms.
    """
    if not actor.may("alarms.view", site_id=site_id):
        return []
    if moment is None:
        rows = alarm_list(actor=actor, site_id=site_id, limit=MAX_ALARMS)
    else:
        at = EPOCH + timedelta(microseconds=moment.at_us)
        rows = [row for row in active_at(actor=actor, site_id=site_id, at=at) if row.root_id is None]
    return [
        AlarmOfUnit(
            id=row.id,
            unit_id=row.work_unit_id,
            unit_code=row.unit_code,
            area=in_language(row.area_name_zh, row.area_name_en),
            priority=int(row.priority),
            message=in_language(row.message_zh, row.message_en),
            since_us=int(row.activated_at.timestamp() * 1e6) if row.activated_at else 0,
            below=row.child_count,
            is_active=row.is_active,
            is_acked=row.is_acked,
            is_about_silence=row.category == Category.COMMUNICATION.value,
        )
        for row in rows
    ]


def marks_of(alarms: Iterable[AlarmOfUnit]) -> dict[int, tuple[int, int]]:
    """Return work unit -> (most urgent priority, how many), for the marks on the tiles."""
    found: dict[int, tuple[int, int]] = {}
    for alarm in alarms:
        if not alarm.marks:
            continue
        worst, count = found.get(alarm.unit_id, (alarm.priority, 0))
        found[alarm.unit_id] = (min(worst, alarm.priority), count + 1)
    return found


def _unit_now(
    unit: equipment.UnitOnMap,
    area: str,
    peers: int,
    live: UnitLive | None,
    causes: dict[str, dict[str, str]],
    marks: dict[int, tuple[int, int]],
) -> UnitNow:
    priority, count = marks.get(unit.id, (0, 0))
    live = live or UnitLive(unit.id, UnitState.NO_DATA, "", 0, 0)
    return UnitNow(
        id=unit.id,
        code=unit.code,
        name=local_name(unit),
        area=area,
        area_id=unit.area_id,
        class_code=unit.class_code,
        state=live.state,
        cause=live.cause,
        cause_text=causes.get(unit.class_code, {}).get(live.cause, live.cause),
        since_us=live.since_us,
        seen_us=live.seen_us,
        peers=peers,
        work_center_id=unit.work_center_id,
        alarm_priority=priority,
        alarm_count=count,
    )


def _box(rect: Rect) -> Box:
    return Box(rect.x, rect.y, rect.w, rect.h)


def cause_texts(actor: Actor, site_id: int) -> dict[str, dict[str, str]]:
    """Return class code -> cause -> what it means, in the reader's language."""
    codes = {row.id: row.code for row in equipment.equipment_classes(actor=actor, site_id=site_id)}
    is_english = (get_language() or "").startswith("en")
    found: dict[str, dict[str, str]] = {code: {} for code in codes.values()}
    for (class_id, cause), name in equipment.cause_names(actor=actor, site_id=site_id).items():
        if class_id in codes:
            found[codes[class_id]][cause] = (name.en or name.zh) if is_english else (name.zh or name.en)
    return found


def shift_now(*, actor: Actor, site_id: int, at: datetime | None = None) -> ShiftNow | None:
    """The site's shift that runs now, or ran at a moment; None outside all shifts and without a calendar.

    A site without a default calendar is measured by its first one: one calendar is what most plants have.
    """
    calendar = equipment.calendar_for(actor=actor, site_id=site_id)
    if calendar is None:
        calendar = next(iter(equipment.calendars_of_site(actor=actor, site_id=site_id)), None)
    now = at or datetime.now(UTC)
    running = calendars.shift_at(calendar, now) if calendar else None
    return ShiftNow(local_name(running.shift), running.start, running.end, now) if running else None


def local_clock(time_zone: str, at: datetime | None = None) -> str:
    """The wall time of a site, as the page first shows it; with the year when it is a past one."""
    if at is not None:
        return at.astimezone(ZoneInfo(time_zone)).strftime("%Y-%m-%d %H:%M:%S")
    return datetime.now(ZoneInfo(time_zone)).strftime("%m-%d %H:%M:%S")


# ---- figures ------------------------------------------------------------------------------------------------------


def figures(*, actor: Actor, plant: PlantNow) -> Figures:
    """Bullets and attention list of a site.

    What is costly is made anew at most every `CACHE_S` seconds for each language; the list speaks of the same states
    as the tiles beside it, or after a backfill it would tell other durations than they do.
    """
    if plant.moment is not None:
        return _past_figures(actor, plant)
    key = f"web.figures.{plant.site.id}.{get_language()}"
    found: _Gathered | None = cache.get(key)
    if found is None:
        found = _gathered(actor, plant)
        cache.set(key, found, CACHE_S)
    # When no state can be had, 130 lines saying so would hide the one that matters: the sentence above them.
    units = () if plant.failed else plant.units
    address = plant_data.dead_letters_address()
    rows = attention(units, found.sources, found.dead_letters, address, plant.now_us, plant.alarms)
    if reason := plant_data.hold_reason():
        rows.insert(0, history_row(reason))
    troubles = [plant.failed, *found.troubles] if plant.failed else found.troubles
    return Figures(found.bullets, rows, " ".join(dict.fromkeys(troubles)))


def _past_figures(actor: Actor, plant: PlantNow) -> Figures:
    """Figures of a past moment. Who needed a person then is told by the states; sources and letters speak of now."""
    units = () if plant.failed else plant.units
    rows = attention(units, [], 0, "", plant.now_us)
    return Figures(bullets(measures(actor=actor, plant=plant)), rows, plant.failed)


def _gathered(actor: Actor, plant: PlantNow) -> _Gathered:
    site_id = plant.site.id
    troubles: list[str] = []
    sources: list[SourceNow] = _or(
        troubles, lambda: plant_data.sources(actor=actor, site_id=site_id), list[SourceNow]()
    )
    dead = _or(troubles, lambda: plant_data.open_dead_letters(actor=actor, site_id=site_id), 0)
    return _Gathered(bullets(measures(actor=actor, plant=plant)), sources, dead, troubles)


def _or(troubles: list[str], ask: Callable[[], T], otherwise: T) -> T:
    try:
        return ask()
    except Unavailable as error:
        troubles.append(str(error))
        return otherwise


def measures(*, actor: Actor, plant: PlantNow) -> Measures:
    """What the bullets are made of; an indicator whose data is not to be had is named in ``failed``."""
    site_id, shift, now = plant.site.id, plant.shift, plant.now if plant.moment else datetime.now(UTC)
    targets = {name: row.value for name, row in equipment.site_targets(actor=actor, site_id=site_id).items()}
    base = Measures(units=plant.units, targets=targets)
    failed: set[str] = set()

    def ask(name: str, question: Callable[[], dict[int, T]]) -> dict[int, T]:
        try:
            return question()
        except Unavailable:
            failed.add(name)
            return {}

    power = ask(
        "power",
        lambda: plant_data.latest_by_unit(actor=actor, site_id=site_id, role="power_kw", moment=plant.moment),
    )
    if shift is not None:
        state_s = ask(
            "producing", lambda: plant_data.state_seconds(actor=actor, site_id=site_id, start=shift.start, end=now)
        )

        def growth(role: str) -> dict[int, float]:
            start = shift.start
            return plant_data.growth_by_unit(actor=actor, site_id=site_id, role=role, start=start, end=now)

        good = ask("output", lambda: growth("good_count"))
        rejects = ask("rejects", lambda: growth("reject_count"))
        last = _output_units(plant, good)
        base = replace(
            base,
            state_s=state_s,
            good=good,
            rejects=rejects,
            good_last_area={unit: value for unit, value in good.items() if unit in last},
            shift_s=(now - shift.start).total_seconds(),
            shift_total_s=(shift.end - shift.start).total_seconds(),
        )
    else:
        failed.discard("producing")
    return replace(base, power_kw=power, failed=frozenset(failed))


def _output_units(plant: PlantNow, good: Mapping[int, float]) -> set[int]:
    """Return the units whose good pieces leave the plant: those of the last area that counts any."""
    for area in reversed(plant.areas):
        if any(unit.id in good for unit in area.units):
            return {unit.id for unit in area.units}
    return set()


def explanation(name: str) -> str:
    """How a figure is made: shown wherever the rows behind it are."""
    return {
        "producing": _(
            "Time in the state 'producing' divided by time with a known state, all units together, since the shift "
            "began. Planned stops, and time without data, count neither for nor against."
        ),
        "online": _("Units from which data arrives, of all units."),
        "down": _("Units whose state rule says 'down', the longest first."),
        "output": _("Growth of the good-piece counters of the last area that counts any, since the shift began."),
        "rejects": _("Rejected pieces divided by all pieces counted, since the shift began."),
        "power": _("Sum of the latest power of all units that report one."),
    }[name]
