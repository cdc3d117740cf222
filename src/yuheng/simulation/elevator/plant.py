"""Which machines stand where, what flows between them, and the whole of it in the plant file format.

``plant_description`` is all that the rest of Yuheng ever learns about the demo plant: from there on it is a plant like
any other.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from yuheng.simulation.elevator.alarms import alarms_of
from yuheng.simulation.elevator.catalogue import CLASSES, COMMON_TAGS, STANDSTILLS, MachineClass, state_rules
from yuheng.simulation.engine import chance
from yuheng.simulation.reasons import reason_tree

SITE_CODE = "elevator1"
SPARKPLUG_GROUP = "Elevator1"
TIME_ZONE = "Asia/Shanghai"
PIECES_PER_HOUR = 420
"""Orders for which the line is balanced; see ``cycle_s`` in the catalogue."""

ROUTES: dict[str, tuple[str, ...]] = {
    "door-panel": ("laser", "bending", "spraying", "curing", "assembly", "final", "elevator-test", "packing"),
    "cabin-wall": (
        "laser", "bending", "robot-weld", "spraying", "curing", "assembly", "final", "elevator-test", "packing",
    ),
    "truss": ("laser", "robot-weld", "spraying", "curing", "final", "escalator-test", "packing"),
    "step": (
        "laser", "bending", "milling", "manual-weld", "spraying", "curing", "assembly", "final", "escalator-test",
        "packing",
    ),
    "drive-shaft": ("turning", "milling", "robot-weld", "assembly", "final", "escalator-test", "packing"),
    "sheave": ("turning", "milling", "spraying", "curing", "assembly", "elevator-test", "packing"),
    "bracket": ("laser", "bending", "packing"),
}  # fmt: skip
"""Product family -> work centers. All routes go the same way through the plant, so full buffers never lock."""

MIX: dict[str, float] = {
    "door-panel": 0.25, "cabin-wall": 0.15, "truss": 0.10, "step": 0.15,
    "drive-shaft": 0.15, "sheave": 0.10, "bracket": 0.10,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class WorkCenterSpec:
    """A group of interchangeable work units with one queue in front of it."""

    code: str
    name_zh: str
    name_en: str
    kind: MachineClass
    numbers: range  # of its work units within the area
    calendar: str
    buffer_lots: int  # how many lots may wait in front of it


@dataclass(frozen=True, slots=True)
class AreaSpec:
    """An area: one edge device collects its machines and speaks for them."""

    code: str
    letter: str
    name_zh: str
    name_en: str
    speaks: str  # mqtt_json | sparkplug_b
    x: int
    y: int
    columns: int
    work_centers: tuple[WorkCenterSpec, ...]

    @property
    def size(self) -> int:
        """How many work units it has."""
        return sum(len(center.numbers) for center in self.work_centers)


def _centre(
    code: str, zh: str, en: str, kind: str, first: int, last: int, calendar: str, buffer_lots: int
) -> WorkCenterSpec:
    return WorkCenterSpec(code, zh, en, CLASSES[kind], range(first, last + 1), calendar, buffer_lots)


AREAS: tuple[AreaSpec, ...] = (
    AreaSpec("laser", "L", "激光下料", "Laser cutting", "mqtt_json", 8, 8, 6, (
        _centre("laser", "激光切割", "Laser cutting", "laser-cutter", 1, 12, "continuous", 16),)),
    AreaSpec("bending", "Z", "折弯", "Bending", "mqtt_json", 392, 8, 5, (
        _centre("bending", "折弯", "Bending", "press-brake", 1, 10, "two-shift-late-break", 16),)),
    AreaSpec("welding", "H", "焊接", "Welding", "mqtt_json", 712, 8, 7, (
        _centre("robot-weld", "机器人焊接", "Robot welding", "welding-robot", 1, 16, "continuous", 20),
        _centre("manual-weld", "手工焊接", "Manual welding", "manual-welding", 17, 24, "two-shift", 14),)),
    AreaSpec("machining", "J", "机加工", "Machining", "sparkplug_b", 8, 238, 7, (
        _centre("turning", "车削", "Turning", "cnc-lathe", 1, 8, "continuous", 12),
        _centre("milling", "铣削", "Milling", "machining-centre", 9, 20, "continuous", 18),)),
    AreaSpec("painting", "P", "喷涂", "Painting", "sparkplug_b", 476, 238, 4, (
        _centre("spraying", "喷粉", "Powder spraying", "spray-booth", 1, 4, "continuous", 20),
        _centre("curing", "固化", "Curing", "curing-oven", 5, 8, "continuous", 12),)),
    AreaSpec("assembly", "B", "部件装配", "Component assembly", "mqtt_json", 748, 238, 6, (
        _centre("assembly", "部件装配", "Component assembly", "assembly-station", 1, 20, "two-shift-late-break", 24),)),
    AreaSpec("final", "A", "整机装配", "Final assembly", "mqtt_json", 8, 468, 7, (
        _centre("final", "整机装配", "Final assembly", "final-assembly", 1, 14, "two-shift", 20),)),
    AreaSpec("testing", "T", "检测", "Testing", "sparkplug_b", 476, 468, 4, (
        _centre("elevator-test", "电梯试验", "Elevator testing", "elevator-test", 1, 6, "continuous", 16),
        _centre("escalator-test", "扶梯试验", "Escalator testing", "escalator-test", 7, 12, "continuous", 16),)),
    AreaSpec("packing", "K", "打包发运", "Packing and shipping", "mqtt_json", 748, 468, 5, (
        _centre("packing", "打包发运", "Packing", "packing-station", 1, 10, "two-shift", 30),)),
)  # fmt: skip

TARGETS: tuple[tuple[str, float, str], ...] = (
    ("producing_ratio", 0.75, "1"),
    ("output_per_shift", 4600.0, "{piece}"),
    ("reject_ratio", 0.012, "1"),
    ("power_kw", 1400.0, "kW"),
    ("quality_ratio", 0.98, "1"),
    ("down_ratio", 0.05, "1"),
)
"""What the plant is meant to reach. Over 60 h of the model: 74–78 % producing, 4,320–4,800 pieces leaving packing a
shift, 1.0–1.2 % rejected, 1,375 kW on average (980–1,740), 1.8–2.5 % down."""

CALENDAR_BREAKS: dict[str, tuple[tuple[str, str], ...]] = {
    "continuous": (),  # relief operators: the machines run through
    "two-shift": (("12:00", "12:30"), ("17:30", "17:50"), ("00:00", "00:30"), ("04:30", "04:50")),
    "two-shift-late-break": (("12:30", "13:00"), ("17:50", "18:10"), ("00:30", "01:00"), ("04:50", "05:10")),
}
SITE_CALENDAR = "continuous"
"""The calendar by which the site as a whole is measured."""
_CALENDAR_NAMES = {
    "continuous": ("两班连续", "Two shifts, relieved at breaks"),
    "two-shift": ("两班", "Two shifts"),
    "two-shift-late-break": ("两班(晚休)", "Two shifts, late breaks"),
}

TILE_WIDTH, TILE_HEIGHT = 58, 44  # so that the map has the shape of what a wall display leaves for it


@dataclass(frozen=True, slots=True)
class UnitSpec:
    """One work unit: its place and its kind."""

    code: str
    area: AreaSpec
    work_center: WorkCenterSpec
    x: int
    y: int

    @property
    def kind(self) -> MachineClass:
        """What sort of machine it is."""
        return self.work_center.kind


def units_of(area: AreaSpec) -> Iterator[UnitSpec]:
    """Yield the work units of an area, in the order of their tiles on the map."""
    for work_center in area.work_centers:
        for number in work_center.numbers:
            row, column = divmod(number - 1, area.columns)
            yield UnitSpec(
                code=f"{area.letter}{number:02d}",
                area=area,
                work_center=work_center,
                x=area.x + 8 + column * (TILE_WIDTH + 3),
                y=area.y + 26 + row * (TILE_HEIGHT + 4),
            )


def all_units() -> list[UnitSpec]:
    """Return every work unit of the plant."""
    return [unit for area in AREAS for unit in units_of(area)]


def edge_username(area: AreaSpec) -> str:
    """Name of the edge device that speaks for an area."""
    return f"edge-{area.code}"


def source_code(area: AreaSpec) -> str:
    """Code of the data source that an area's edge device feeds."""
    return f"{area.code}-{'json' if area.speaks == 'mqtt_json' else 'sparkplug'}"


def publish_topics(area: AreaSpec) -> list[str]:
    """MQTT filters that cover everything the area's edge device says."""
    if area.speaks == "mqtt_json":
        return [f"{SITE_CODE}/{area.code}/#"]
    return [f"spBv1.0/{SPARKPLUG_GROUP}/+/{area.code}/#"]


def subscribe_topics(area: AreaSpec) -> list[str]:
    """MQTT filters an edge device listens to: the commands of Sparkplug."""
    if area.speaks == "mqtt_json":
        return []
    return [f"spBv1.0/{SPARKPLUG_GROUP}/{kind}/{area.code}/#" for kind in ("NCMD", "DCMD")]


def address(unit: UnitSpec, symbol: str) -> str:
    """Address of a signal within its source: how the source's codec names it."""
    if unit.area.speaks == "mqtt_json":
        return f"{unit.code}/{symbol}"
    return f"{unit.area.code}/{unit.code}/{symbol}"


def plant_description(seed: int, passwords: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Describe the plant in the plant file format, version 1 (JSON values only).

    Parameters
    ----------
    seed
        Decides what chance decides here: years of construction and serial numbers.
    passwords
        User name -> password of the edge devices; a device that is missing gets a generated one on import.
    """
    return {
        "format": "yuheng/plant-1",
        "organisation": {"code": "fute", "name_zh": "福特扶梯", "name_en": "Fute Escalators"},
        "site": {"code": SITE_CODE, "name_zh": "扶梯一厂", "name_en": "Escalator Plant 1", "time_zone": TIME_ZONE},
        "calendars": [_calendar(code) for code in CALENDAR_BREAKS],
        "classes": [_class(kind) for kind in CLASSES.values()],
        "areas": [_area(area, seed) for area in AREAS],
        "tag_classes": [
            {"code": "standard", "raw_days": 730, "minute_days": 3650, "hour_days": 0, "is_time_weighted": False}
        ],
        "sources": [_source(area) for area in AREAS],
        "tags": [tag for unit in all_units() for tag in _tags(unit)],
        "devices": [_device(area, passwords or {}) for area in AREAS],
        "targets": [{"indicator": indicator, "value": value, "unit": unit} for indicator, value, unit in TARGETS],
        "reasons": reason_tree(),
    }


def _calendar(code: str) -> dict[str, Any]:
    every_day = [1, 2, 3, 4, 5, 6, 7]

    def shift(name: str, zh: str, en: str, start: str, end: str, is_mine: slice) -> dict[str, Any]:
        breaks = [{"start": begin, "end": finish} for begin, finish in CALENDAR_BREAKS[code][is_mine]]
        return {
            "code": name,
            "name_zh": zh,
            "name_en": en,
            "start": start,
            "end": end,
            "weekdays": every_day,
            "breaks": breaks,
        }

    return {
        "code": code,
        "name_zh": _CALENDAR_NAMES[code][0],
        "name_en": _CALENDAR_NAMES[code][1],
        "is_site_default": code == SITE_CALENDAR,
        "shifts": [
            shift("day", "白班", "Day shift", "08:00", "20:00", slice(0, 2)),
            shift("night", "夜班", "Night shift", "20:00", "08:00", slice(2, 4)),
        ],
    }


def _class(kind: MachineClass) -> dict[str, Any]:
    causes = [{"code": str(cause.code), "name_zh": cause.name_zh, "name_en": cause.name_en} for cause in kind.causes]
    causes += [{"code": str(code), "name_zh": zh, "name_en": en} for code, zh, en in STANDSTILLS]
    return {
        "code": kind.code,
        "name_zh": kind.name_zh,
        "name_en": kind.name_en,
        "no_data_after_s": 60,
        "states": state_rules(kind),
        "alarms": alarms_of(kind.code),
        "causes": causes,
    }


def _area(area: AreaSpec, seed: int) -> dict[str, Any]:
    rows = math.ceil(area.size / area.columns)
    return {
        "code": area.code,
        "name_zh": area.name_zh,
        "name_en": area.name_en,
        "map": {
            "x": area.x,
            "y": area.y,
            "w": area.columns * (TILE_WIDTH + 3) + 13,
            "h": max(rows * (TILE_HEIGHT + 4) + 30, 150),
        },
        "work_centers": [_work_center(area, center, seed) for center in area.work_centers],
    }


def _work_center(area: AreaSpec, center: WorkCenterSpec, seed: int) -> dict[str, Any]:
    units = [unit for unit in units_of(area) if unit.work_center is center]
    return {
        "code": center.code,
        "name_zh": center.name_zh,
        "name_en": center.name_en,
        "calendar": center.calendar,
        "work_units": [_work_unit(unit, seed) for unit in units],
    }


def _work_unit(unit: UnitSpec, seed: int) -> dict[str, Any]:
    stream = chance(seed, f"asset/{unit.code}")
    number = int(unit.code[1:])
    return {
        "code": unit.code,
        "name_zh": f"{unit.kind.name_zh} {number} 号",
        "name_en": f"{unit.kind.name_en} {number}",
        "class": unit.kind.code,
        "map": {"x": unit.x, "y": unit.y, "w": TILE_WIDTH, "h": TILE_HEIGHT},
        "asset": {
            "serial": f"{unit.area.letter}{stream.randint(100000, 999999)}",
            "maker": unit.kind.maker,
            "model": f"{unit.kind.code.upper()}-{stream.choice((200, 300, 500))}",
            "built": stream.randint(2014, 2025),
        },
    }


def _source(area: AreaSpec) -> dict[str, Any]:
    return {
        "code": source_code(area),
        "connector": area.speaks,
        "topics": publish_topics(area),
        "settings": {},
        "is_enabled": True,
    }


def _tags(unit: UnitSpec) -> Iterator[dict[str, Any]]:
    def tag(symbol: str, zh: str, en: str, ucum: str, data_type: str, role: str) -> dict[str, Any]:
        return {
            "source": source_code(unit.area),
            "address": address(unit, symbol),
            "work_unit": unit.code,
            "symbol": symbol,
            "role": role,
            "data_type": data_type,
            "unit": ucum,
            "name_zh": zh,
            "name_en": en,
            "tag_class": "standard",
            "stale_after_s": 60,
        }

    for common in COMMON_TAGS:
        yield tag(common.symbol, common.name_zh, common.name_en, common.unit, common.data_type, common.role)
    for channel in unit.kind.channels:
        role = channel.symbol if channel.symbol == "power_kw" else ""
        yield tag(channel.symbol, channel.name_zh, channel.name_en, channel.unit, "float", role)


def _device(area: AreaSpec, passwords: Mapping[str, str]) -> dict[str, Any]:
    username = edge_username(area)
    device = {
        "username": username,
        "publish_topics": publish_topics(area),
        "subscribe_topics": subscribe_topics(area),
        "sources": [source_code(area)],
    }
    if username in passwords:
        device["password"] = passwords[username]
    return device
