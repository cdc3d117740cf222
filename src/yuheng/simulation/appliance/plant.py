"""Which machines stand where in the appliance plant, what flows through them, and how long a change of family takes."""

from __future__ import annotations

from yuheng.simulation.appliance.alarms import alarms_of
from yuheng.simulation.appliance.catalogue import CLASSES
from yuheng.simulation.catalogue import MachineClass
from yuheng.simulation.layout import (
    MODBUS,
    MQTT_JSON,
    OPC_UA,
    SPARKPLUG,
    AreaSpec,
    CalendarSpec,
    PlantSpec,
    WorkCenterSpec,
)

PIECES_PER_HOUR = 600
"""Orders for which the line is balanced; see ``cycle_s`` in the catalogue. The coating shop is the bottleneck."""

_SHEET = ("blanking", "pressing")
_COATING = ("degreasing", "coating", "baking")

ROUTES: dict[str, tuple[str, ...]] = {
    "hood-top": (*_SHEET, "spot-weld", *_COATING, "moulding", "hood-line", "hood-test", "packing"),
    "hood-side": (*_SHEET, "spot-weld", *_COATING, "moulding", "hood-line", "hood-test", "packing"),
    "hood-compact": ("moulding", "hood-line", "hood-test", "packing"),
    "hob-glass": (*_SHEET, *_COATING, "hob-line", "hob-test", "packing"),
    "hob-steel": (*_SHEET, *_COATING, "hob-line", "hob-test", "packing"),
    "dw-compact": (*_SHEET, "laser-weld", *_COATING, "moulding", "dw-line", "dw-test", "packing"),
    "dw-built-in": (*_SHEET, "laser-weld", *_COATING, "moulding", "dw-line", "dw-test", "packing"),
    "filter-kit": ("moulding", "packing"),
}
"""Product family -> work centers. All routes go the same way through the plant, so full buffers never lock."""

MIX: dict[str, float] = {
    "hood-top": 0.18, "hood-side": 0.14, "hood-compact": 0.06, "hob-glass": 0.20, "hob-steel": 0.14,
    "dw-compact": 0.10, "dw-built-in": 0.12, "filter-kit": 0.06,
}  # fmt: skip

COLOURS = {
    "hood-top": "silver", "hood-side": "black", "hob-glass": "black", "hob-steel": "silver",
    "dw-compact": "white", "dw-built-in": "white",
}  # fmt: skip
"""What the coating shop puts on: a change within a colour is quick, to another colour the booth is cleaned."""

_QUICK = 0.3


def setup_factor(kind: MachineClass, from_family: str, to_family: str) -> float:
    """Return how much of a kind's set-up time a change of family takes.

    Where much is prepared while the machine runs (SMED), families that are alike take three tenths: the same product
    in press, mould and line, the same colour in the booth. From nothing, and from black to white, it takes all.
    """
    if kind.code == "powder-booth":
        before, after = COLOURS.get(from_family, ""), COLOURS.get(to_family, "")
        if before == after:
            return _QUICK
        return 1.4 if (before, after) == ("black", "white") else 1.0
    return _QUICK if from_family.split("-")[0] == to_family.split("-")[0] else 1.0


def _centre(
    code: str, zh: str, en: str, kind: str, first: int, last: int, calendar: str, buffer_lots: int
) -> WorkCenterSpec:
    return WorkCenterSpec(code, zh, en, CLASSES[kind], range(first, last + 1), calendar, buffer_lots)


AREAS: tuple[AreaSpec, ...] = (
    AreaSpec("stamping", "S", "冲压", "Stamping", OPC_UA, 8, 8, 5, (
        _centre("blanking", "开卷落料", "Blanking", "blanking-line", 1, 3, "continuous", 14),
        _centre("pressing", "冲压成形", "Pressing", "press", 4, 12, "continuous", 16),)),
    AreaSpec("welding", "W", "焊接", "Welding", MODBUS, 334, 8, 5, (
        _centre("spot-weld", "点焊", "Spot welding", "spot-welder", 1, 8, "two-shift", 14),
        _centre("laser-weld", "激光焊", "Laser welding", "laser-welder", 9, 12, "continuous", 12),)),
    AreaSpec("coating", "C", "前处理与涂装", "Pretreatment and coating", OPC_UA, 660, 8, 4, (
        _centre("degreasing", "脱脂磷化", "Degreasing", "degreasing-line", 1, 2, "continuous", 14),
        _centre("coating", "喷粉搪瓷", "Powder and enamel", "powder-booth", 3, 6, "continuous", 20),
        _centre("baking", "固化烧成", "Curing and firing", "baking-oven", 7, 9, "continuous", 12),), 278),
    AreaSpec("moulding", "M", "注塑", "Injection moulding", SPARKPLUG, 8, 190, 3, (
        _centre("moulding", "注塑", "Moulding", "moulding-machine", 1, 8, "continuous", 18),)),
    AreaSpec("hood", "Y", "油烟机总装", "Range-hood assembly", MQTT_JSON, 212, 190, 4, (
        _centre("hood-line", "油烟机装配", "Range-hood line", "hood-station", 1, 10, "two-shift", 16),)),
    AreaSpec("hob", "G", "灶具总装", "Gas-hob assembly", MQTT_JSON, 477, 190, 3, (
        _centre("hob-line", "灶具装配", "Gas-hob line", "hob-station", 1, 8, "two-shift-late-break", 16),)),
    AreaSpec("dishwasher", "D", "洗碗机总装", "Dishwasher assembly", MQTT_JSON, 681, 190, 4, (
        _centre("dw-line", "洗碗机装配", "Dishwasher line", "dw-station", 1, 10, "two-shift", 16),)),
    AreaSpec("testing", "T", "检测", "Testing", MODBUS, 8, 372, 8, (
        _centre("hood-test", "油烟机检测", "Range-hood test", "hood-test", 1, 4, "continuous", 14),
        _centre("hob-test", "灶具检测", "Gas-hob test", "hob-test", 5, 8, "continuous", 14),
        _centre("dw-test", "洗碗机检测", "Dishwasher test", "dw-test", 9, 12, "continuous", 14),), 520),
    AreaSpec("packing", "P", "包装入库", "Packing and warehouse", SPARKPLUG, 536, 372, 6, (
        _centre("packing", "包装", "Packing", "packing-cell", 1, 9, "two-shift-late-break", 30),), 402),
)  # fmt: skip

TARGETS: tuple[tuple[str, float, str], ...] = (
    ("producing_ratio", 0.70, "1"),
    ("output_per_shift", 6500.0, "{piece}"),
    ("reject_ratio", 0.010, "1"),
    ("power_kw", 1900.0, "kW"),
    ("quality_ratio", 0.98, "1"),
    ("down_ratio", 0.05, "1"),
)

CALENDARS = (
    CalendarSpec("continuous", "两班连续", "Two shifts, relieved at breaks"),
    CalendarSpec(
        "two-shift", "两班", "Two shifts",
        (("11:30", "12:00"), ("17:00", "17:20"), ("23:30", "00:00"), ("04:00", "04:20")),
    ),
    CalendarSpec(
        "two-shift-late-break", "两班(晚休)", "Two shifts, late breaks",
        (("12:00", "12:30"), ("17:20", "17:40"), ("00:00", "00:30"), ("04:20", "04:40")),
    ),
)  # fmt: skip

APPLIANCE = PlantSpec(
    name="appliance",
    organisation=("luwei", "炉味厨电", "Luwei Kitchen Appliances"),
    site=("appliance1", "厨电一厂", "Appliance Plant 1"),
    sparkplug_group="Appliance1",
    time_zone="Asia/Shanghai",
    areas=AREAS,
    classes=CLASSES,
    routes=ROUTES,
    mix=MIX,
    pieces_per_hour=PIECES_PER_HOUR,
    lot_pieces=(12, 36),
    calendars=CALENDARS,
    targets=TARGETS,
    alarms=alarms_of,
    device_prefix="kitchen",
    setup_factor=setup_factor,
)
