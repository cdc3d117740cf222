"""Parts that the elevator plant makes for elevators and escalators, with their bills and routings.

Times are those of one piece, in seconds; together they load every work center alike (`test_products` says how far).
"""

# ruff: noqa: E501

from __future__ import annotations

from yuheng.simulation.products import LOT, Line, Made, Step

LASER, BEND, ROBOT, HAND = "laser-cutter", "press-brake", "welding-robot", "manual-welding"
LATHE, MILL, SPRAY, OVEN = "cnc-lathe", "machining-centre", "spray-booth", "curing-oven"
ASSEMBLE, FINAL, PACK = "assembly-station", "final-assembly", "packing-station"
COOLING_S = 600.0

_NAMES = {
    LASER: ("激光切割", "Laser cutting"),
    BEND: ("折弯", "Bending"),
    ROBOT: ("机器人焊接", "Robot welding"),
    HAND: ("手工补焊", "Manual welding"),
    LATHE: ("车削", "Turning"),
    MILL: ("铣削", "Milling"),
    SPRAY: ("喷粉", "Powder spraying"),
    OVEN: ("固化", "Curing"),
    ASSEMBLE: ("装配", "Assembly"),
    FINAL: ("总装", "Final assembly"),
    PACK: ("打包", "Packing"),
}


def way(*steps: tuple[str, float], transfer: int = 0) -> tuple[Step, ...]:
    """Return a routing of steps 10, 20, 30… on these classes, with the time of a piece on each."""
    return tuple(
        Step(
            str(10 * place), *_NAMES[machine], machine, f"{run_s:g}",
            wait_s=COOLING_S if machine == OVEN else 0.0, transfer=transfer,
        )
        for place, (machine, run_s) in enumerate(steps, start=1)
    )  # fmt: skip


def screws(size: int, count: int, step: str = "") -> tuple[Line, ...]:
    """Return bolts with nuts and washers."""
    kinds = ("B", "N", "W", "S") if size <= 16 else ("B", "N", "W")
    return tuple(Line(f"F-M{size}-{kind}", str(count), step, scrap="0.02") for kind in kinds)


ESCALATOR_PARTS: tuple[Made, ...] = (
    Made(
        "PT-TRUSS", "桁架段", "Truss section", "truss",
        (
            Line("P-RHS120", "38"), Line("P-L100", "22"), Line("S-Q235-8", "160"), Line("P-U160", "6"),
            Line("W-ER50-1.2", "9", "20"), Line("Q-POWDER-7016", "6", "40"), *screws(20, 24, "20"),
            Line("F-PIN-10", "8", "20"),
        ),
        way((LASER, 900), (ROBOT, 2000), (HAND, 900), (SPRAY, 250), (OVEN, 250)), tracking=LOT,
    ),
    Made(
        "PT-STEP", "梯级", "Step", "step",
        (
            Line("C-ADC12", "1", scrap="0.01"), Line("S-SPCC-1.5", "2.4"), Line("E-INSERT-Y", "3", "70"),
            Line("E-ROLLER-75", "2", "70"), Line("Q-POWDER-9006", "0.12", "50"), Line("D-BRG-6205", "2", "70"),
            Line("W-ER50-1.2", "0.03", "40"), *screws(8, 4, "70"),
        ),
        way((LASER, 25), (BEND, 25), (MILL, 30), (HAND, 25), (SPRAY, 8), (OVEN, 8), (ASSEMBLE, 30), transfer=24),
        tracking=LOT,
    ),
    Made(
        "PT-DSHAFT", "主驱动轴", "Main drive shaft", "drive-shaft",
        (
            Line("R-42CR-90", "1.9"), Line("S-Q345-10", "48", "30"), Line("W-ER50-1.2", "1.6", "30"),
            Line("D-KEY-20", "2", "30"), Line("F-CIRCLIP-60", "2", "30"),
        ),
        way((LATHE, 1200), (MILL, 1200), (ROBOT, 1300)), tracking=LOT,
    ),
    Made(
        "PT-TSHAFT", "张紧轴", "Tension shaft", "drive-shaft",
        (
            Line("R-42CR-90", "1.7"), Line("S-Q345-10", "36", "30"), Line("D-BRG-6218", "2", "30"),
            Line("E-TENSION-SPRING", "2", "30"), Line("W-ER50-1.2", "1.2", "30"), *screws(16, 8, "30"),
        ),
        way((LATHE, 1000), (MILL, 700), (ROBOT, 900)),
    ),
    Made(
        "PT-SPROCKET", "梯级链轮", "Step chain sprocket", "drive-shaft",
        (Line("S-Q345-10", "34"), Line("R-45-60", "0.2"), Line("D-KEY-20", "1", "20"), *screws(12, 6, "20")),
        way((LATHE, 250), (MILL, 300)), tracking=LOT,
    ),
    Made(
        "PT-HRDRIVE", "扶手驱动装置", "Handrail drive", "drive-shaft",
        (
            Line("R-45-60", "0.6"), Line("E-FRICTION-WHEEL", "1", "20"), Line("E-PRESS-ROLLER", "1", "20"),
            Line("D-BRG-6205", "4", "20"), Line("D-CHAIN-20A", "2.2", "20"), Line("D-GREASE", "0.2", "20"),
            *screws(12, 12, "20"), *screws(10, 8, "20"),
        ),
        way((LATHE, 300), (ASSEMBLE, 800)),
    ),
    Made(
        "PT-SKIRT", "围裙板", "Skirt panel", "cabin-wall",
        (
            Line("S-304-1.2", "9.5", alternates=("S-304-1.2M",)), Line("Q-POWDER-9006", "0.15", "30"),
            Line("F-ST4.8", "12", "20"), Line("F-LABEL", "1", "40"),
        ),
        way((LASER, 40), (BEND, 60), (SPRAY, 20), (OVEN, 20), transfer=8),
    ),
    Made(
        "PT-COMB", "梳齿板", "Comb plate", "step",
        (Line("C-COMB", "1"), Line("E-COMBPLATE-SEG", "5"), *screws(6, 20)),
        way((MILL, 400)),
    ),
    Made(
        "PT-ESC-CTRL", "扶梯控制柜", "Escalator controller", "cabin-wall",
        (
            Line("S-GALV-2", "32"), Line("Q-POWDER-7016", "0.8", "30"), Line("X-PLC-ESC", "1", "50", position="A1"),
            Line("X-INV-11", "1", "50", position="U1"), Line("X-SAFETY-PCB", "1", "50", position="A2"),
            Line("X-BREAKER-3P", "4", "50", position="Q1–Q4"), Line("X-CONTACTOR", "6", "50", position="K1–K6"),
            Line("X-PHASE", "1", "50"), Line("X-PSU-24", "2", "50"), Line("X-TERMINAL", "120", "50"),
            Line("X-DUCT", "6", "50"), Line("X-KEYSWITCH", "1", "50"), Line("F-GLAND-M25", "14", "50"),
            Line("F-LUG", "90", "50"), Line("F-TIE", "80", "50"), Line("F-LABEL", "60", "50"), *screws(6, 36, "50"),
            *screws(8, 12, "50"),
        ),
        way((LASER, 350), (BEND, 500), (SPRAY, 240), (OVEN, 240), (ASSEMBLE, 1800)), tracking=LOT,
    ),
    Made(
        "PT-BRACKET", "支架", "Bracket", "bracket",
        (Line("S-Q235-3", "1.6"), *screws(10, 2)),
        way((LASER, 17), (BEND, 30)),
    ),
    Made(
        "PT-DRIVEUNIT", "驱动主机总成", "Drive unit", "drive-shaft",
        (
            Line("D-GEAR-11", "1"), Line("D-MOTOR-11", "1"), Line("D-BRAKE-ESC", "1"), Line("D-CHAIN-20A", "3.2"),
            Line("D-OIL-220", "7"), Line("D-SEAL-90", "2"), Line("X-SENSOR-SPEED", "2"), Line("D-KEY-20", "2"),
            Line("S-Q345-10", "45"), *screws(20, 8), *screws(16, 12), *screws(12, 8),
        ),
        way((ASSEMBLE, 2200)), tracking=LOT,
    ),
    Made(
        "PT-STEPCHAIN", "梯级链总成", "Step chain set", "drive-shaft",
        (
            Line("D-STEPCHAIN", "29"), Line("D-GREASE", "0.6"), Line("X-SWITCH-CHAIN", "1"), Line("F-PIN-10", "4"),
            *screws(12, 8),
        ),
        way((ASSEMBLE, 700)), tracking=LOT,
    ),
)  # fmt: skip

ELEVATOR_PARTS: tuple[Made, ...] = (
    Made(
        "PL-WALL", "轿壁板", "Cabin wall panel", "cabin-wall",
        (
            Line("S-304-1.2", "14", alternates=("S-304-1.2M",)), Line("S-GALV-2", "3"), Line("W-ER50-1.2", "0.1", "30"),
            Line("Q-POWDER-9006", "0.3", "40"), Line("F-ST4.8", "10", "30"),
        ),
        way((LASER, 120), (BEND, 150), (ROBOT, 200), (SPRAY, 60), (OVEN, 60), transfer=6),
    ),
    Made(
        "PL-CABIN", "轿厢总成", "Cabin", "cabin-wall",
        (
            Line("PL-WALL", "9", scrap="0.05"), Line("X-COP", "1"), Line("X-LED-CAR", "4"), Line("X-FAN", "1"),
            Line("X-INTERCOM", "1"), Line("X-LOADCELL", "1"), Line("X-CABLE-CTRL", "18"), *screws(8, 60), *screws(6, 24),
            Line("F-ST4.8", "40"), Line("F-TIE", "30"),
        ),
        way((ASSEMBLE, 2000)), tracking=LOT,
    ),
    Made(
        "PL-DOOR", "门板", "Door panel", "door-panel",
        (
            Line("S-SPCC-1.5", "16"), Line("S-GALV-2", "2"), Line("Q-POWDER-7016", "0.35", "30"),
            Line("D-DOOR-HANGER", "1", "50"), *screws(8, 6, "50"), Line("F-ST4.8", "8", "50"),
        ),
        way((LASER, 50), (BEND, 65), (SPRAY, 30), (OVEN, 30), (ASSEMBLE, 110), transfer=8),
    ),
    Made(
        "PL-CARFRAME", "轿架", "Car frame", "truss",
        (
            Line("P-U160", "14"), Line("P-RHS120", "8"), Line("S-Q345-10", "70"), Line("W-ER50-1.2", "4", "20"),
            Line("D-SAFETY", "1", "40"), *screws(20, 16, "40"), *screws(16, 20, "40"),
        ),
        way((LASER, 700), (ROBOT, 1700), (HAND, 900), (MILL, 900)), tracking=LOT,
    ),
    Made(
        "PL-SHEAVE", "曳引轮 / 导向轮", "Traction and deflector sheave", "sheave",
        (Line("C-QT600", "1", scrap="0.01"), Line("D-BRG-22220", "2", "20"), Line("F-CIRCLIP-60", "2", "20")),
        way((LATHE, 700), (MILL, 800)), tracking=LOT,
    ),
    Made(
        "PL-MACHINE", "主机总成", "Machine assembly", "sheave",
        (
            Line("D-PM-1.75", "1"), Line("PL-SHEAVE", "2"), Line("X-ENCODER", "1"), Line("D-GOV", "1"),
            Line("S-Q345-10", "60"), Line("D-GREASE", "0.4"), *screws(24, 8), *screws(16, 12),
        ),
        way((ASSEMBLE, 1100)), tracking=LOT,
    ),
    Made(
        "PL-CWFRAME", "对重架", "Counterweight frame", "truss",
        (
            Line("P-U160", "9"), Line("S-Q235-8", "55"), Line("W-ER50-1.2", "2.5", "20"),
            Line("Q-POWDER-7016", "1.4", "40"), *screws(16, 12, "30"),
        ),
        way((LASER, 400), (ROBOT, 1000), (HAND, 1100), (SPRAY, 120), (OVEN, 120)),
    ),
    Made(
        "PL-SHOE", "导靴", "Guide shoe", "sheave",
        (Line("R-45-60", "0.15"), Line("D-BRG-6205", "3"), *screws(12, 4)),
        way((LATHE, 110), (MILL, 120)),
    ),
    Made(
        "PL-RAILBRACKET", "导轨支架", "Rail bracket", "bracket",
        (Line("S-Q235-3", "3.2"), Line("F-ANCHOR-M16", "2"), *screws(12, 2)),
        way((LASER, 15), (BEND, 30)),
    ),
    Made(
        "PL-CTRL", "电梯控制柜", "Elevator controller", "cabin-wall",
        (
            Line("S-GALV-2", "26"), Line("X-PLC-EL", "1", "30", position="A1"), Line("X-INV-11", "1", "30", position="U1"),
            Line("X-SAFETY-PCB", "1", "30", position="A2"), Line("X-BREAKER-3P", "3", "30"),
            Line("X-CONTACTOR", "4", "30"), Line("X-PHASE", "1", "30"), Line("X-PSU-24", "1", "30"),
            Line("X-ARD", "1", "30"), Line("X-TERMINAL", "90", "30"), Line("X-DUCT", "5", "30"),
            Line("F-GLAND-M25", "10", "30"), Line("F-LUG", "70", "30"), Line("F-TIE", "60", "30"),
            *screws(6, 30, "30"),
        ),
        way((LASER, 200), (BEND, 400), (ASSEMBLE, 1400)), tracking=LOT,
    ),
)  # fmt: skip

PARTS: tuple[Made, ...] = (*ESCALATOR_PARTS, *ELEVATOR_PARTS)
