"""Which machines stand where in the elevator plant, and what flows through them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from yuheng.simulation.elevator.alarms import alarms_of
from yuheng.simulation.elevator.catalogue import CLASSES
from yuheng.simulation.layout import AreaSpec, CalendarSpec, PlantSpec, WorkCenterSpec, describe

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
    ("producing_ratio", 0.65, "1"),
    ("reject_ratio", 0.012, "1"),
    ("power_kw", 1400.0, "kW"),
    ("quality_ratio", 0.98, "1"),
    ("down_ratio", 0.05, "1"),
)
"""What the plant is meant to reach. No output: the past that is told first ships random lots of parts, the shifts after
it whole elevators and escalators, and one number would be wrong for both."""

CALENDARS = (
    CalendarSpec("continuous", "两班连续", "Two shifts, relieved at breaks"),  # relief operators: machines run through
    CalendarSpec(
        "two-shift", "两班", "Two shifts",
        (("12:00", "12:30"), ("17:30", "17:50"), ("00:00", "00:30"), ("04:30", "04:50")),
    ),
    CalendarSpec(
        "two-shift-late-break", "两班(晚休)", "Two shifts, late breaks",
        (("12:30", "13:00"), ("17:50", "18:10"), ("00:30", "01:00"), ("04:50", "05:10")),
    ),
)  # fmt: skip

ELEVATOR = PlantSpec(
    name="elevator",
    organisation=("fute", "福特扶梯", "Fute Escalators"),
    site=("elevator1", "扶梯一厂", "Escalator Plant 1"),
    sparkplug_group="Elevator1",
    time_zone="Asia/Shanghai",
    areas=AREAS,
    classes=CLASSES,
    routes=ROUTES,
    mix=MIX,
    pieces_per_hour=PIECES_PER_HOUR,
    lot_pieces=(4, 16),
    calendars=CALENDARS,
    targets=TARGETS,
    alarms=alarms_of,
)


def plant_description(seed: int, passwords: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Describe the plant in the plant file format; see `layout.describe`."""
    return describe(ELEVATOR, seed, passwords)
