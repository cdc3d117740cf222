"""Which machines stand where and what flows between them: the description of a demo plant, and its plant file.

A `PlantSpec` is all that makes one demo plant differ from another. ``describe`` turns it into the plant file format:
that is all the rest of Yuheng ever learns about it, and from there on it is a plant like any other.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from yuheng.simulation.catalogue import COMMON_TAGS, STANDSTILLS, MachineClass, state_rules
from yuheng.simulation.engine import chance
from yuheng.simulation.reasons import reason_tree

MQTT_JSON, SPARKPLUG, OPC_UA, MODBUS = "mqtt_json", "sparkplug_b", "opcua", "modbus"

SERVED = frozenset({OPC_UA, MODBUS})
"""Protocols in which the machine is a server that Yuheng connects to; in the others it connects to our broker."""

TILE_WIDTH, TILE_HEIGHT = 58, 44  # so that the map has the shape of what a wall display leaves for it

Clock = str  # HH:MM


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
    """An area: one edge device, or one server, speaks for its machines."""

    code: str
    letter: str
    name_zh: str
    name_en: str
    speaks: str  # MQTT_JSON | SPARKPLUG | OPC_UA | MODBUS
    x: int
    y: int
    columns: int
    work_centers: tuple[WorkCenterSpec, ...]
    width: int = 0  # on the map; 0: as wide as its tiles

    @property
    def size(self) -> int:
        """How many work units it has."""
        return sum(len(center.numbers) for center in self.work_centers)


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

    @property
    def number(self) -> int:
        """Its number within the area, from 1; of a Modbus area also its unit identifier."""
        return int(self.code[1:])


@dataclass(frozen=True, slots=True)
class CalendarSpec:
    """A shift calendar: ``breaks`` are those of the day shift and then of the night shift, all local time."""

    code: str
    name_zh: str
    name_en: str
    breaks: tuple[tuple[Clock, Clock], ...] = ()


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


def no_difference(kind: MachineClass, from_family: str, to_family: str) -> float:
    """Every change of family takes the class's own time."""
    return 1.0


@dataclass(frozen=True, slots=True)
class PlantSpec:
    """One demo plant.

    Attributes
    ----------
    name
        Short name, as ``yuheng up --demo NAME`` takes it.
    routes
        Product family -> work centers. All routes go the same way through the plant, so full buffers never lock.
    mix
        Product family -> share of the lots.
    pieces_per_hour
        Orders for which the line is balanced; see ``cycle_s`` in its catalogue.
    lot_pieces
        Smallest and largest lot.
    setup_factor
        (kind, from family, to family) -> factor on the kind's set-up time; families that are alike are quick.
    calendars
        Shift calendars; the first is that of the site as a whole.
    alarms
        Class code -> its alarms, in the plant file's format.
    device_prefix
        Of the names of its edge devices, so that two plants can share one installation.
    """

    name: str
    organisation: tuple[str, str, str]
    site: tuple[str, str, str]
    sparkplug_group: str
    time_zone: str
    areas: tuple[AreaSpec, ...]
    classes: Mapping[str, MachineClass]
    routes: Mapping[str, tuple[str, ...]]
    mix: Mapping[str, float]
    pieces_per_hour: float
    lot_pieces: tuple[int, int]
    calendars: tuple[CalendarSpec, ...]
    targets: tuple[tuple[str, float, str], ...]
    alarms: Callable[[str], list[dict[str, Any]]]
    device_prefix: str = "edge"
    setup_factor: Callable[[MachineClass, str, str], float] = no_difference

    @property
    def site_code(self) -> str:
        """Code of the site."""
        return self.site[0]

    def units(self) -> list[UnitSpec]:
        """Return every work unit of the plant."""
        return [unit for area in self.areas for unit in units_of(area)]

    def edge_areas(self) -> list[AreaSpec]:
        """Return the areas whose machines connect to our broker."""
        return [area for area in self.areas if area.speaks not in SERVED]

    def served_areas(self) -> list[AreaSpec]:
        """Return the areas whose machines are servers."""
        return [area for area in self.areas if area.speaks in SERVED]

    def edge_username(self, area: AreaSpec) -> str:
        """Name of the edge device that speaks for an area."""
        return f"{self.device_prefix}-{area.code}"

    def publish_topics(self, area: AreaSpec) -> list[str]:
        """MQTT filters that cover everything the area's edge device says."""
        if area.speaks == MQTT_JSON:
            return [f"{self.site_code}/{area.code}/#"]
        if area.speaks == SPARKPLUG:
            return [f"spBv1.0/{self.sparkplug_group}/+/{area.code}/#"]
        return []

    def subscribe_topics(self, area: AreaSpec) -> list[str]:
        """MQTT filters an edge device listens to: the commands of Sparkplug."""
        if area.speaks != SPARKPLUG:
            return []
        return [f"spBv1.0/{self.sparkplug_group}/{kind}/{area.code}/#" for kind in ("NCMD", "DCMD")]

    @property
    def opcua_uri(self) -> str:
        """Namespace of its OPC UA servers."""
        return f"urn:{self.organisation[0]}:{self.site_code}"


_WORDS = {MQTT_JSON: "json", SPARKPLUG: "sparkplug", OPC_UA: "opcua", MODBUS: "modbus"}


def source_code(area: AreaSpec) -> str:
    """Code of the data source that an area feeds."""
    return f"{area.code}-{_WORDS[area.speaks]}"


def address(plant: PlantSpec, unit: UnitSpec, symbol: str) -> str:
    """Address of a signal within its source: how the source's protocol names it."""
    if unit.area.speaks == MQTT_JSON:
        return f"{unit.code}/{symbol}"
    if unit.area.speaks == SPARKPLUG:
        return f"{unit.area.code}/{unit.code}/{symbol}"
    if unit.area.speaks == OPC_UA:
        return f"nsu={plant.opcua_uri};s={unit.code}.{symbol}"
    return f"{unit.number}:{register_of(unit.kind, symbol)}"


# ---- the registers of a machine that speaks Modbus ---------------------------------------------------------------

FIRST_CHANNEL = 40
_REGISTERS = {
    "run": "discrete:0",
    "mode": "input:0:uint16",
    "fault_code": "input:1:uint16",
    "wait_code": "input:2:uint16",
    "good_count": "input:10:uint32",
    "reject_count": "input:12:uint32",
    "cycle_time_s": "input:14:float32:cdab",
    "energy_kwh": "input:16:float32:cdab",
    "program": "input:20:string20",
    "run_id": "input:60:string40",
}


def register_of(kind: MachineClass, symbol: str) -> str:
    """Return where a signal stands in every machine of a kind: table, register, type and order.

    Status and counters below register 40, then one float (low word first) for each channel; the run from 60 on.
    """
    if symbol in _REGISTERS:
        return _REGISTERS[symbol]
    place = [channel.symbol for channel in kind.channels].index(symbol)
    return f"input:{FIRST_CHANNEL + 2 * place}:float32:cdab"


# ---- the plant file ----------------------------------------------------------------------------------------------


def describe(
    plant: PlantSpec, seed: int, passwords: Mapping[str, str] | None = None, ports: Mapping[str, int] | None = None
) -> dict[str, Any]:
    """Describe a plant in the plant file format, version 1 (JSON values only).

    Parameters
    ----------
    seed
        Decides what chance decides here: years of construction and serial numbers.
    passwords
        User name -> password of the edge devices; a device that is missing gets a generated one on import.
    ports
        Area code -> port, of the areas whose machines are servers on this computer.
    """
    firm, site = plant.organisation, plant.site
    return {
        "format": "yuheng/plant-1",
        "organisation": {"code": firm[0], "name_zh": firm[1], "name_en": firm[2]},
        "site": {"code": site[0], "name_zh": site[1], "name_en": site[2], "time_zone": plant.time_zone},
        "calendars": [_calendar(calendar, is_first=not place) for place, calendar in enumerate(plant.calendars)],
        "classes": [_class(plant, kind) for kind in plant.classes.values()],
        "areas": [_area(area, seed) for area in plant.areas],
        "tag_classes": [
            {"code": "standard", "raw_days": 730, "minute_days": 3650, "hour_days": 0, "is_time_weighted": False}
        ],
        "sources": [_source(plant, area, ports or {}) for area in plant.areas],
        "tags": [tag for unit in plant.units() for tag in _tags(plant, unit)],
        "devices": [_device(plant, area, passwords or {}) for area in plant.edge_areas()],
        "targets": [{"indicator": indicator, "value": value, "unit": unit} for indicator, value, unit in plant.targets],
        "reasons": reason_tree(),
    }


def _calendar(calendar: CalendarSpec, *, is_first: bool) -> dict[str, Any]:
    every_day = [1, 2, 3, 4, 5, 6, 7]

    def shift(name: str, zh: str, en: str, start: str, end: str, is_mine: slice) -> dict[str, Any]:
        breaks = [{"start": begin, "end": finish} for begin, finish in calendar.breaks[is_mine]]
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
        "code": calendar.code,
        "name_zh": calendar.name_zh,
        "name_en": calendar.name_en,
        "is_site_default": is_first,
        "shifts": [
            shift("day", "白班", "Day shift", "08:00", "20:00", slice(0, 2)),
            shift("night", "夜班", "Night shift", "20:00", "08:00", slice(2, 4)),
        ],
    }


def _class(plant: PlantSpec, kind: MachineClass) -> dict[str, Any]:
    causes = [{"code": str(cause.code), "name_zh": cause.name_zh, "name_en": cause.name_en} for cause in kind.causes]
    causes += [{"code": str(code), "name_zh": zh, "name_en": en} for code, zh, en in STANDSTILLS]
    return {
        "code": kind.code,
        "name_zh": kind.name_zh,
        "name_en": kind.name_en,
        "no_data_after_s": 60,
        "states": state_rules(kind),
        "alarms": plant.alarms(kind.code),
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
            "w": area.width or area.columns * (TILE_WIDTH + 3) + 13,
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
    return {
        "code": unit.code,
        "name_zh": f"{unit.kind.name_zh} {unit.number} 号",
        "name_en": f"{unit.kind.name_en} {unit.number}",
        "class": unit.kind.code,
        "map": {"x": unit.x, "y": unit.y, "w": TILE_WIDTH, "h": TILE_HEIGHT},
        "asset": {
            "serial": f"{unit.area.letter}{stream.randint(100000, 999999)}",
            "maker": unit.kind.maker,
            "model": f"{unit.kind.code.upper()}-{stream.choice((200, 300, 500))}",
            "built": stream.randint(2014, 2025),
        },
    }


def _source(plant: PlantSpec, area: AreaSpec, ports: Mapping[str, int]) -> dict[str, Any]:
    return {
        "code": source_code(area),
        "connector": area.speaks,
        "topics": plant.publish_topics(area),
        "settings": _settings(area, ports.get(area.code, 0)),
        "is_enabled": True,
    }


def _settings(area: AreaSpec, port: int) -> dict[str, Any]:
    if area.speaks == OPC_UA:
        return {"url": f"opc.tcp://127.0.0.1:{port or 4840}", "publishing_interval_ms": 1000}
    if area.speaks == MODBUS:
        return {"host": "127.0.0.1", "port": port or 502, "every_s": 1, "gap_registers": 24}
    return {}


def _tags(plant: PlantSpec, unit: UnitSpec) -> Iterator[dict[str, Any]]:
    def tag(symbol: str, zh: str, en: str, ucum: str, data_type: str, role: str) -> dict[str, Any]:
        return {
            "source": source_code(unit.area),
            "address": address(plant, unit, symbol),
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


def _device(plant: PlantSpec, area: AreaSpec, passwords: Mapping[str, str]) -> dict[str, Any]:
    username = plant.edge_username(area)
    device = {
        "username": username,
        "publish_topics": plant.publish_topics(area),
        "subscribe_topics": plant.subscribe_topics(area),
        "sources": [source_code(area)],
    }
    if username in passwords:
        device["password"] = passwords[username]
    return device
