"""A fake broker and historian for pages: what they would say, on command."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

import msgspec

from yuheng.bus.documents import Plant, Source, Tag, WorkUnit
from yuheng.bus.messages import (
    AlarmCountsLive,
    AlarmLive,
    BoardChanges,
    BoardFrame,
    DispatchLive,
    Interval,
    LiveAlarms,
    LiveSnapshot,
    LiveStates,
    LiveValues,
    PastBoard,
    UnitLive,
    ValueLive,
)
from yuheng.bus.subjects import question
from yuheng.engines.states.vocabulary import UnitState
from yuheng.equipment.models import CauseName, MapPlacement, Shift, ShiftCalendar, SiteTarget
from yuheng.equipment.models import WorkUnit as WorkUnitRow
from yuheng.testing import builders
from yuheng.web.indicators import SourceNow

AREAS = (  # code, Chinese, English, first letter, units, x, y, columns: the plant of the design's picture
    ("laser", "激光下料", "Laser cutting", "L", 12, 8, 8, 6),
    ("bending", "折弯", "Bending", "Z", 10, 392, 8, 5),
    ("welding", "焊接", "Welding", "H", 24, 712, 8, 7),
    ("machining", "机加工", "Machining", "J", 20, 8, 206, 7),
    ("painting", "喷涂", "Painting", "P", 8, 476, 206, 4),
    ("component", "部件装配", "Component assembly", "B", 20, 748, 206, 6),
    ("final", "整机装配", "Final assembly", "A", 14, 8, 404, 7),
    ("testing", "检测", "Testing", "T", 12, 476, 404, 4),
    ("packing", "打包发运", "Packing", "K", 10, 748, 404, 5),
)
CAUSES = {"12": ("送丝故障", "Wire feed fault"), "7": ("缺料", "No material"), "21": ("炉温高", "Oven too hot")}
TAGS = (
    ("run", "bool", "1", "运行", "Running"),
    ("power", "float", "kW", "功率", "Power"),
    ("temp", "float", "Cel", "温度", "Temperature"),
    ("program", "text", "1", "程序", "Program"),
)


def now_us() -> int:
    return time.time_ns() // 1000


def a_plant() -> list[WorkUnitRow]:
    """Make 130 work units in nine areas, placed as in the design; return them."""
    site = builders.a_site()
    type(site).objects.filter(pk=site.pk).update(name_zh="扶梯一厂", name_en="Escalator Plant 1")
    kind = builders.an_equipment_class("station", site=site)
    for code, (zh, en) in CAUSES.items():
        CauseName.objects.create(equipment_class=kind, code=code, name_zh=zh, name_en=en)
    units = []
    for position, (code, zh, en, letter, count, x, y, columns) in enumerate(AREAS):
        area = builders.an_area(code, site=site)
        type(area).objects.filter(pk=area.pk).update(name_zh=zh, name_en=en, position=position)
        rows = -(-count // columns)
        MapPlacement.objects.create(area=area, x=x, y=y, w=columns * 61 + 13, h=max(rows * 40 + 30, 150))
        center = builders.a_work_center(code, site=site, area=area)
        for i in range(count):
            unit = builders.a_work_unit(f"{letter}{i + 1:02d}", site=site, work_center=center, equipment_class=kind)
            MapPlacement.objects.create(
                work_unit=unit, x=x + 8 + i % columns * 61, y=y + 26 + i // columns * 40, w=58, h=36
            )
            units.append(unit)
    calendar = ShiftCalendar.objects.create(
        site=site, code="two", name_zh="两班", name_en="Two shifts", is_site_default=True
    )
    for shift, zh, en, start, end in (
        ("day", "白班", "Day shift", "08:00", "20:00"),
        ("night", "夜班", "Night shift", "20:00", "08:00"),
    ):
        Shift.objects.create(
            calendar=calendar, code=shift, name_zh=zh, name_en=en, start=start, end=end, weekdays=[1, 2, 3, 4, 5, 6, 7]
        )
    for indicator, value in (
        ("producing_ratio", 0.75),
        ("output_per_shift", 46),
        ("reject_ratio", 0.02),
        ("power_kw", 1900),
    ):
        SiteTarget.objects.create(site=site, indicator=indicator, value=value)
    return units


class Feed:
    """Speaks as broker, historian and worker. Commands may come from any thread."""

    def __init__(self, units: list[WorkUnitRow]) -> None:
        self.loop: asyncio.AbstractEventLoop | None = None
        self.is_connected = True
        self.epoch = "feed"
        self.seq = 0
        self.alarms: LiveAlarms | None = None
        self.site_id = units[0].site_id if units else 1
        self.by_code = {unit.code: unit.pk for unit in units}
        start = now_us()
        self.units: dict[int, UnitLive] = {}
        self.values: dict[int, ValueLive] = {}
        self.watched: list[list[int]] = []
        self._handlers: dict[str, Callable[[str, bytes], None]] = {}
        self._losses: list[Callable[[], None]] = []
        for i, unit in enumerate(units):
            r = (i * 7919 + 13) % 100
            state = UnitState.IDLE if r < 12 else UnitState.SETUP if r > 90 else UnitState.PRODUCING
            self.units[unit.pk] = UnitLive(unit.pk, state, "", start - (r * 97 % 3600) * 1_000_000, start)
        for code, state, cause, minutes in (
            ("H07", UnitState.DOWN, "12", 12),
            ("P02", UnitState.DOWN, "21", 3),
            ("H08", UnitState.IDLE, "7", 41),
            ("J11", UnitState.NO_DATA, "", 2),
            ("T05", UnitState.UNKNOWN, "", 8),
            ("A03", UnitState.PLANNED_STOP, "", 90),
        ):
            if code in self.by_code:
                key = self.by_code[code]
                self.units[key] = UnitLive(key, state, cause, start - minutes * 60_000_000, start)
        self.data_time_us = start
        self.plant = self._plant(units)
        self.told: list[tuple[int, UnitLive]] = [(start, unit) for unit in self.units.values()]  # what was shown, when

    def _plant(self, units: list[WorkUnitRow]) -> Plant:
        tags = []
        for unit in units:
            for k, (symbol, kind, ucum, zh, en) in enumerate(TAGS):
                tags.append(Tag(unit.pk * 10 + k, 1, f"{unit.code}/{symbol}", kind, unit.pk, symbol, "", zh, en, ucum))
        works = tuple(
            WorkUnit(u.pk, u.site_id, u.code, "station", {s[0]: u.pk * 10 + k for k, s in enumerate(TAGS)})
            for u in units
        )
        return Plant(1, (Source(1, self.site_id, "edge", "mqtt_json"),), tuple(tags), work_units=works)

    # ---- commands of a test ------------------------------------------------------------------------------------

    def change(self, *changes: tuple[str | int, UnitState, str]) -> None:
        """Say that units changed state now."""
        at = now_us()
        units = []
        for code, state, cause in changes:
            key = self.by_code[code] if isinstance(code, str) else code
            self.units[key] = UnitLive(key, state, cause, at, at)
            self.told.append((at, self.units[key]))
            units.append(self.units[key])
        self.seq += 1
        message = LiveStates(self.epoch, self.seq, at, units)
        self._send(f"yh.live.state.{self.site_id}", msgspec.json.encode(message))

    def say_values(self, values: list[ValueLive]) -> None:
        """Say new values; they are now."""
        self.data_time_us = at = now_us()
        self.values.update({value.tag_id: value for value in values})
        message = LiveValues(at, values, at, [])
        self._send(f"yh.live.values.{self.site_id}", msgspec.json.encode(message))

    def say_alarms(self, message: LiveAlarms, gone: Sequence[AlarmLive] = ()) -> None:
        """Say the headline list as the worker does: all its lines, and those that left it."""
        self.alarms = message
        told = msgspec.structs.replace(message, alarms=[*message.alarms, *gone])
        self._send(f"yh.live.alarms.{self.site_id}", msgspec.json.encode(told))

    def say_dispatch(self, plan_id: int, site_id: int) -> None:
        """Say that something of dispatching changed, and which plan holds, as the planner does."""
        message = DispatchLive(site_id, now_us(), plan_id)
        self._send(f"yh.live.dispatch.{site_id}", msgspec.json.encode(message))

    def _send(self, subject: str, body: bytes) -> None:
        handler = self._handlers.get(subject.rsplit(".", 1)[0] + ".*")
        if self.loop is not None and handler is not None:
            self.loop.call_soon_threadsafe(handler, subject, body)

    # ---- LiveBus -----------------------------------------------------------------------------------------------

    async def listen(self, subject: str, handler: Callable[[str, bytes], None]) -> None:
        self._handlers[subject] = handler

    async def ask(self, subject: str, body: bytes, timeout_s: float) -> bytes:
        if subject == question("alarms"):
            empty = LiveAlarms(self.epoch, 0, now_us(), AlarmCountsLive(), [])
            return msgspec.json.encode(self.alarms or empty)
        return msgspec.json.encode(self.snapshot())

    async def tell(self, subject: str, body: bytes) -> None:
        self.watched.append(msgspec.json.decode(body)["tags"])

    async def follow_plant(self, handler: Callable[[Plant], None]) -> None:
        handler(self.plant)
        await asyncio.Event().wait()

    def on_loss(self, handler: Callable[[], None]) -> None:
        self._losses.append(handler)

    def snapshot(self) -> LiveSnapshot:
        return LiveSnapshot(
            self.epoch, self.seq, now_us(), list(self.units.values()), list(self.values.values()), self.data_time_us
        )

    def board(self, at_us: int) -> PastBoard:
        """What had been told by a moment."""
        shown = {unit.work_unit_id: unit for told_us, unit in self.told if told_us <= at_us}
        return PastBoard(self.epoch, self.seq, at_us, list(shown.values()), [], at_us, "shown", "", self.told[0][0])

    def changes(self, from_us: int, to_us: int) -> BoardChanges:
        frames = [BoardFrame(told_us, [unit], []) for told_us, unit in self.told if from_us < told_us <= to_us]
        return BoardChanges(frames, to_us)

    def past(self, work_unit_id: int, start: datetime, end: datetime) -> list[Interval]:
        """Make up the states of the range: the same for the same unit and minute."""
        at, stop = int(start.timestamp()), int(end.timestamp())
        found = []
        step = work_unit_id
        while at < stop:
            step = (step * 1103515245 + 12345) % 2**31
            state, cause = (
                (UnitState.PRODUCING, ""),
                (UnitState.IDLE, ""),
                (UnitState.SETUP, ""),
                (UnitState.PRODUCING, ""),
                (UnitState.DOWN, "12"),
            )[step % 5]
            until = at + 600 + step % 5400
            found.append(Interval(state, cause, at * 1_000_000, min(until, stop) * 1_000_000 if until < stop else None))
            at = until
        return found

    def curve(self, tag_id: int, start_us: int, end_us: int, width: int) -> dict[str, Any]:
        """A slow wave with one peak of a single sample in the middle, a hole, and a span of bad quality."""
        step = max(1, (end_us - start_us) // width)
        columns: dict[str, list[Any]] = {name: [] for name in ("time_us", "min", "max", "first", "last", "count")}
        for i in range(width):
            at = start_us + i * step
            if 0.70 < i / width < 0.78:
                continue
            y = 40 + 10 * math.sin(i / width * 20 + tag_id)
            columns["time_us"].append(at)
            columns["min"].append(y - 0.5)
            columns["max"].append(95.0 if i == width // 2 else y + 0.5)
            columns["first"].append(y)
            columns["last"].append(y + 0.2)
            columns["count"].append(60)
        bad = [[start_us + int(0.2 * width) * step, start_us + int(0.22 * width) * step]]
        return {"tag": tag_id, **columns, "bad": bad}

    # ---- plant_data --------------------------------------------------------------------------------------------

    def stand_in_for(self, monkeypatch: Any, plant_data: Any) -> None:
        """Answer the pages' questions in place of telemetry and historian."""
        shares = {UnitState.PRODUCING: 0.76, UnitState.IDLE: 0.12, UnitState.SETUP: 0.08, UnitState.DOWN: 0.04}

        def state_seconds(*, actor: Any, site_id: int, start: datetime, end: datetime) -> dict[int, dict[int, float]]:
            span = (end - start).total_seconds()
            return {key: {int(s): span * share for s, share in shares.items()} for key in self.units}

        def growth(*, actor: Any, site_id: int, role: str, start: datetime, end: datetime) -> dict[int, float]:
            per_unit = 4.1 if role == "good_count" else 0.05
            return dict.fromkeys(self.units, per_unit)

        def signals_of(*, actor: Any, site_id: int, work_unit_id: int, moment: Any = None) -> list[Any]:
            found = []
            for tag in self.plant.tags:
                if tag.work_unit_id == work_unit_id:
                    value = self.values.get(tag.id, ValueLive(tag.id, 0, None, 0))
                    found.append(
                        plant_data.SignalNow(
                            tag.id,
                            tag.symbol,
                            tag.address,
                            tag.name_zh,
                            tag.unit,
                            tag.data_type,
                            60.0,
                            "edge",
                            value.value,
                            value.quality,
                            value.time_us,
                        )
                    )
            return found

        def intervals(*, actor: Any, work_unit_id: int, start: datetime, end: datetime) -> list[Interval]:
            return self.past(work_unit_id, start, end)

        def trend(*, actor: Any, tag_ids: list[int], start_us: int, end_us: int, width: int) -> list[dict[str, Any]]:
            return [self.curve(tag_id, start_us, end_us, width) for tag_id in tag_ids]

        monkeypatch.setattr(plant_data, "trend", trend)
        source = SourceNow(1, "edge", "", True, 0.4, 130)
        monkeypatch.setattr(plant_data, "signals_of", signals_of)
        monkeypatch.setattr(plant_data, "intervals", intervals)
        monkeypatch.setattr(plant_data, "sources_of", lambda *, actor, site_id, work_unit_id: [source])
        monkeypatch.setattr(plant_data, "dead_letters_of", lambda *, actor, source_ids, limit=10: [])
        monkeypatch.setattr(plant_data, "live_units", lambda *, actor, site_id: self.snapshot())
        monkeypatch.setattr(plant_data, "sources", lambda *, actor, site_id: [])
        monkeypatch.setattr(plant_data, "open_dead_letters", lambda *, actor, site_id: 3)
        monkeypatch.setattr(plant_data, "state_seconds", state_seconds)
        monkeypatch.setattr(plant_data, "growth_by_unit", growth)
        monkeypatch.setattr(
            plant_data, "latest_by_unit", lambda *, actor, site_id, role, moment=None: dict.fromkeys(self.units, 14.3)
        )
        monkeypatch.setattr(
            plant_data, "past_units", lambda *, actor, site_id, moment, tag_ids=(): self.board(moment.at_us)
        )
        monkeypatch.setattr(
            plant_data, "past_changes", lambda *, actor, site_id, from_us, to_us: self.changes(from_us, to_us)
        )
        monkeypatch.setattr(
            plant_data, "activity", lambda *, actor, site_id, start, end, bins: [(at % 7, at % 3) for at in range(bins)]
        )
