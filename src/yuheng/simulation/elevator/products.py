"""The elevators and escalators that the elevator plant makes, for whom, and what holds at its classes of machines."""

# ruff: noqa: E501

from __future__ import annotations

from yuheng.simulation.elevator.bought import BOUGHT
from yuheng.simulation.elevator.parts import FINAL, PACK, PARTS, screws
from yuheng.simulation.elevator.plant import ELEVATOR
from yuheng.simulation.products import (
    CONFIRM,
    MEASURED,
    SERIAL,
    VISUAL,
    Catalogue,
    Check,
    Customer,
    Line,
    Made,
    Option,
    Setting,
    Step,
    Trade,
    Wish,
)

_STEPS = "ceil((4 * rise + quantity(10, 'm')) / quantity(0.4, 'm'))"

_FINISH_CHECKS = (
    Check("torque", MEASURED, "主连接扭矩", "Torque of main joints", "N.m", 110, 125, 140),
    Check("wiring", CONFIRM, "接线按图核对", "Wiring compared with the diagram"),
)


def _finish(assembly: tuple[float, float], test: str, test_s: float, pack_s: float) -> tuple[Step, ...]:
    """Return the routing of a product: two steps of final assembly, the test, packing; and the way of rework."""
    return (
        Step("10", "总装(机械)", "Final assembly, mechanical", FINAL, f"{assembly[0]:g}", crew=2),
        Step("20", "总装(电气)", "Final assembly, electrical", FINAL, f"{assembly[1]:g}", checks=_FINISH_CHECKS),
        Step("30", "整机试验", "Type test", test, f"{test_s:g}"),
        Step("40", "打包发运", "Packing", PACK, f"{pack_s:g}"),
        Step("90", "返修", "Rework after test", FINAL, "900", rework_of="30"),
    )


_PACKING = (
    Line("V-CRATE-L", "2", "40"), Line("V-CRATE-S", "3", "40"), Line("V-FILM", "60", "40"), Line("V-STRAP", "80", "40"),
    Line("V-DESICCANT", "30", "40"), Line("V-MANUAL", "1", "40"), Line("V-NAMEPLATE", "1", "40"),
)  # fmt: skip

_ESCALATOR_LINES = (
    Line("PT-TRUSS", "3"),
    Line("PT-DRIVEUNIT"), Line("PT-DSHAFT"), Line("PT-TSHAFT"), Line("PT-SPROCKET", "4"), Line("PT-STEPCHAIN", "2"),
    Line("PT-STEP", _STEPS, scrap="0.03"), Line("PT-HRDRIVE", "2"), Line("PT-SKIRT", "20", scrap="0.04"),
    Line("PT-COMB", "2"), Line("PT-BRACKET", "24", scrap="0.04"), Line("PT-ESC-CTRL", "1", "20"),
    Line("D-BRAKE-AUX", "1", condition="is_public"),
    Line("E-HANDRAIL-BK", "8 * rise + quantity(28, 'm')", "10"),
    Line("E-HR-GUIDE", "4 * rise + quantity(12, 'm')"),
    Line("E-GLASS-10", "ceil(2 * rise / quantity(1, 'm') + 6)", condition="balustrade == 'glass'"),
    Line("S-304-1.2", "140", condition="balustrade == 'steel'"), Line("E-FLOORPLATE", "2"), Line("E-TRACK-R", "4"),
    Line("E-TRACK-S", "ceil(8 * rise / quantity(3, 'm')) + 8"), Line("E-BRUSH", "4 * rise + quantity(12, 'm')"),
    Line("E-LED-SKIRT", "4 * rise + quantity(8, 'm')", condition="has_lights"), Line("E-DRIPTRAY", "4"),
    Line("E-DECK-IN", "8"), Line("E-DECK-OUT", "8"), Line("E-BALU-CLAMP", "40"), Line("E-BALU-GASKET", "30"), Line("E-HR-CURVE", "4"), Line("E-HR-ROLLER", "4"), Line("E-UPTHRUST", "6"), Line("E-TRACK-JOINT", "24"), Line("E-COVER-UP", "2"), Line("E-COVER-LOW", "2"), Line("E-SKIRT-ANGLE", "20"), Line("E-LUBE-UNIT", "1"), Line("E-LUBE-BRUSH", "6"), Line("E-LUBE-TUBE", "2"), Line("E-EARTH-BRUSH", "2", "20"), Line("E-RETURN-GUARD", "3"), Line("E-INLET-BOX", "4"), Line("E-SUPPORT-ANGLE", "2"), Line("E-SHIM", "4"), Line("E-RUBBER-PAD", "8"), Line("E-WARN-SIGN", "2", "20"), Line("E-LAMP-STEP", "4", "20"), Line("E-DRAIN", "2"), Line("E-CABLE-TRAY", "6", "20"),
    Line("D-GREASE", "2"), Line("D-BRG-22220", "4"), *screws(24, 16), *screws(20, 40), *screws(16, 80),
    *screws(12, 160), *screws(10, 120),
    Line("X-SWITCH-COMB", "4", "20"), Line("X-SWITCH-HR", "4", "20"), Line("X-SWITCH-STEP", "2", "20"),
    Line("X-SENSOR-STEP", "2", "20"), Line("X-SENSOR-SPEED", "3", "20"), Line("X-ESTOP", "3", "20"),
    Line("X-KEYSWITCH", "2", "20"), Line("X-BUZZER", "2", "20"), Line("X-TRAFFIC-LED", "2", "20"),
    Line("X-RADAR", "4", "20", condition="has_radar"), Line("X-CABLE-4G6", "4 * rise + quantity(10, 'm')", "20"),
    Line("X-CABLE-CTRL", "12 * rise + quantity(40, 'm')", "20"), Line("F-GLAND-M25", "24", "20"),
    Line("F-LUG", "120", "20"), Line("F-TIE", "300", "20"), Line("F-LABEL", "80", "20"), *screws(8, 90, "20"),
    *screws(6, 60, "20"), *_PACKING,
)  # fmt: skip

_ESCALATOR_OPTIONS = (
    Option("rise", "提升高度", "Rise", "4.5", "m", low="2", high="12"),
    Option("step_width", "梯级宽度", "Step width", "1000", choices=("600", "800", "1000")),
    Option("incline", "倾角", "Incline", "30", choices=("27.3", "30", "35")),
    Option("balustrade", "护壁板", "Balustrade", "glass", choices=("glass", "steel")),
    Option("has_radar", "乘客感应", "Passenger radar", "true"),
    Option("has_lights", "围裙灯", "Skirt lights", "false"),
    Option("is_public", "公共交通型", "Public transport", "false"),
)

_ELEVATOR_LINES = (
    Line("PL-CABIN"), Line("PL-CARFRAME"), Line("PL-MACHINE"), Line("PL-CWFRAME"),
    Line("PL-DOOR", "2 * stops + 2", scrap="0.05"), Line("PL-SHOE", "8", scrap="0.05"),
    Line("PL-RAILBRACKET", "2 * stops + 4", scrap="0.05"), Line("PL-CTRL", "1", "20"),
    Line("D-GUIDE-T89", "4 * ceil(stops * 3 / 5)"), Line("D-CWBLOCK", "ceil(load / quantity(25, 'kg') * 1.4)"),
    Line("D-ROPE-10", "quantity(16, 'm') * stops + quantity(60, 'm')"), Line("D-BUFFER", "2"), Line("D-DOOR-OP", "1"),
    Line("D-DOOR-LOCK", "stops"), Line("D-DOOR-HANGER", "2 * stops"), *screws(20, 24), *screws(16, 60),
    *screws(12, 120), *screws(10, 60), Line("F-ANCHOR-M16", "4 * stops"), Line("D-GREASE", "1"),
    Line("X-LOP", "stops", "20"), Line("X-LIGHTCURTAIN", "1", "20"), Line("X-CABLE-TRAVEL", "quantity(2.2, 'm') * stops + quantity(14, 'm')", "20"),
    Line("X-CABLE-CTRL", "quantity(9, 'm') * stops + quantity(20, 'm')", "20"), Line("X-CABLE-4G6", "quantity(3, 'm') * stops + quantity(10, 'm')", "20"),
    Line("X-ESTOP", "2", "20"), Line("X-KEYSWITCH", "1", "20"), Line("F-GLAND-M25", "stops + 8", "20"),
    Line("F-LUG", "80", "20"), Line("F-TIE", "200", "20"), Line("F-LABEL", "3 * stops", "20"), *screws(8, 40, "20"),
    *_PACKING,
)  # fmt: skip

_STOPS = Option("stops", "层站数", "Stops", "8", low="2", high="40")
_CAR_FINISH = Option("finish", "轿厢装饰", "Car finish", "hairline", choices=("hairline", "mirror", "painted"))

PRODUCTS: tuple[Made, ...] = (
    Made(
        "FT-35", "商用自动扶梯 FT-35", "Commercial escalator FT-35", "step", _ESCALATOR_LINES,
        _finish((3600, 2900), "escalator-test", 5600, 4500), _ESCALATOR_OPTIONS, SERIAL, is_product=True,
    ),
    Made(
        "FT-50H", "重载自动扶梯 FT-50H", "Heavy-duty escalator FT-50H", "step",
        (*_ESCALATOR_LINES, Line("X-SAFETY-PCB", "1", "20"), Line("D-BRG-6218", "8")),
        _finish((4200, 3200), "escalator-test", 6200, 4800), _ESCALATOR_OPTIONS, SERIAL, is_product=True,
    ),
    Made(
        "TE-100", "乘客电梯 TE-100", "Passenger elevator TE-100", "cabin-wall", _ELEVATOR_LINES,
        _finish((2500, 2000), "elevator-test", 3800, 3200),
        (_STOPS, Option("load", "额定载重", "Rated load", "1000", "kg", low="450", high="1600"), _CAR_FINISH),
        SERIAL, is_product=True,
    ),
    Made(
        "TE-300", "载货电梯 TE-300", "Freight elevator TE-300", "truss",
        (*_ELEVATOR_LINES, Line("S-Q235-3", "120"), Line("P-L100", "12")),
        _finish((2800, 1800), "elevator-test", 3600, 3400),
        (_STOPS, Option("load", "额定载重", "Rated load", "2000", "kg", low="1000", high="5000"), _CAR_FINISH),
        SERIAL, is_product=True,
    ),
)  # fmt: skip

TRADES: tuple[Trade, ...] = (
    Trade(
        "laser-cutter", ("laser", "激光切割操作", "Laser cutting"), True,
        (Check("first-piece", MEASURED, "首件尺寸偏差", "First piece, deviation", "mm", -0.3, 0, 0.3),),
        (Setting("power", "激光功率", "Laser power", "kW", 4.5, 6, 7.5, "laser_power_kw"),
         Setting("gas", "辅助气压", "Assist gas", "bar", 10, 12, 14, "assist_gas_bar")),
        "按套料图切割。首件量后再批量。", "Cut to the nesting plan. Measure the first piece before the lot.",
    ),
    Trade(
        "press-brake", ("bending", "折弯操作", "Bending"), False,
        (Check("angle", MEASURED, "折弯角度", "Bending angle", "deg", 89.5, 90, 90.5),),
        (Setting("force", "折弯力", "Bending force", "kN", 380, 620, 860, "bending_force_kn"),),
        "先对刀,试折一件,量角度。", "Set the tools, bend one piece, measure the angle.",
    ),
    Trade(
        "welding-robot", ("robot-weld", "焊接机器人操作", "Robot welding"), True,
        (Check("seam", VISUAL, "焊缝外观", "Seam looks right"),),
        (Setting("current", "焊接电流", "Weld current", "A", 210, 240, 270, "weld_current_a"),),
        "装夹到位后启动程序,焊后看焊缝。", "Clamp, start the program, look at the seams.",
    ),
    Trade(
        "manual-welding", ("welder", "焊工证(二保焊)", "Welder, MAG"), False,
        (Check("seam", VISUAL, "焊缝外观", "Seam looks right"), Check("distortion", MEASURED, "变形量", "Distortion", "mm", 0, 1, 3)),
        (), "补焊并校正变形。", "Finish the seams and straighten.",
    ),
    Trade(
        "cnc-lathe", ("turning", "数控车操作", "CNC turning"), True,
        (Check("diameter", MEASURED, "直径偏差", "Diameter deviation", "um", -25, 0, 25),),
        (), "首件送检合格后批量。", "First piece approved, then the lot.",
    ),
    Trade(
        "machining-centre", ("milling", "加工中心操作", "Machining centre"), True,
        (Check("position", MEASURED, "孔位置度", "Position of holes", "mm", 0, 0.05, 0.15),),
        (), "找正后加工,量孔位。", "Align, machine, measure the holes.",
    ),
    Trade(
        "spray-booth", ("painting", "喷涂操作", "Powder coating"), True,
        (Check("film", MEASURED, "膜厚", "Film thickness", "um", 60, 80, 120),),
        (), "挂件间距不小于 10 厘米。换色时清枪。", "Hang pieces 10 cm apart. Clean the guns at a change of colour.",
    ),
    Trade(
        "curing-oven", ("painting", "喷涂操作", "Powder coating"), True,
        (), (Setting("temperature", "固化温度", "Curing temperature", "Cel", 185, 195, 205),),
        "炉温到后进件。", "Load when the oven is hot.",
    ),
    Trade(
        "assembly-station", ("assembly", "装配", "Assembly"), False,
        (Check("complete", CONFIRM, "零件齐套", "All parts are in"), Check("torque", MEASURED, "拧紧扭矩", "Torque", "N.m", 38, 42, 46)),
        (), "按图装配,扫描批次和序列号。", "Assemble to the drawing; scan lots and serial numbers.",
    ),
    Trade(
        "final-assembly", ("final", "总装", "Final assembly"), False,
        (Check("torque", MEASURED, "主连接扭矩", "Torque of main joints", "N.m", 110, 125, 140),
         Check("level", MEASURED, "桁架水平度", "Truss level", "mm", 0, 0.6, 1)),
        (), "吊装前检查吊具。主连接按扭矩表拧紧并画线。", "Check the slings first. Tighten main joints to the table and mark them.",
    ),
    Trade(
        "elevator-test", ("tester", "试验员", "Tester"), False,
        (Check("levelling", MEASURED, "平层误差", "Levelling error", "mm", -5, 0, 5),
         Check("noise", MEASURED, "轿内噪声", "Noise in the car", "dB", 0, 52, 60),
         Check("governor", CONFIRM, "限速器安全钳联动", "Governor and safety gear trip")),
        (), "按 GB/T 7588 试验大纲。", "Test programme after GB/T 7588.",
    ),
    Trade(
        "escalator-test", ("tester", "试验员", "Tester"), False,
        (Check("brake", MEASURED, "制停距离", "Braking distance", "mm", 200, 480, 1000),
         Check("handrail", MEASURED, "扶手带速差", "Handrail speed difference", "%", 0, 1, 2),
         Check("missing-step", CONFIRM, "梯级缺失保护", "Missing-step protection trips")),
        (), "按 GB 16899 试验大纲。", "Test programme after GB 16899.",
    ),
    Trade(
        "packing-station", ("packing", "打包", "Packing"), False,
        (Check("documents", CONFIRM, "随机文件齐全", "Documents are in"),),
        (), "称重、防潮、加固,贴唛头。", "Weigh, seal against moisture, brace, mark the crates.",
    ),
)  # fmt: skip

CUSTOMERS: tuple[Customer, ...] = (
    Customer("C-1001", "江城地铁集团", "Jiangcheng Metro"),
    Customer("C-1002", "云港国际机场", "Yungang International Airport"),
    Customer("C-1003", "华悦商业广场", "Huayue Plaza"),
    Customer("C-1004", "青禾置业", "Qinghe Estates"),
    Customer("C-1005", "北岭人民医院", "Beiling People's Hospital"),
    Customer("C-1006", "锦程高铁站", "Jincheng High-Speed Station"),
    Customer("C-1007", "Harbour Mall Ltd", "Harbour Mall Ltd"),
    Customer("C-1008", "蓝湾科技园", "Lanwan Science Park"),
    Customer("C-1009", "Nordlift A/S", "Nordlift A/S"),
    Customer("C-1010", "南湖大学", "Nanhu University"),
)

SUPPLIERS: tuple[Customer, ...] = (
    Customer("V-2001", "宝岳钢铁", "Baoyue Steel"),
    Customer("V-2002", "恒驱传动", "Hengqu Drives"),
    Customer("V-2003", "迅电控制", "Xundian Controls"),
    Customer("V-2004", "坚固紧固件", "Jiangu Fasteners"),
)

WISHES: tuple[Wish, ...] = (
    Wish("FT-35", 0.28, (1, 2), (("rise", ("3.6", "4.5", "5.4")), ("balustrade", ("glass", "glass", "steel")),
                                 ("has_radar", ("true", "false")), ("step_width", ("800", "1000")))),
    Wish("FT-50H", 0.12, (1, 1), (("rise", ("6", "7.5")), ("is_public", ("true",)), ("balustrade", ("steel",)))),
    Wish("TE-100", 0.44, (1, 2), (("stops", ("5", "6", "8", "11")), ("load", ("800", "1000", "1250")),
                                  ("finish", ("hairline", "mirror", "painted")))),
    Wish("TE-300", 0.16, (1, 2), (("stops", ("3", "4", "5")), ("load", ("2000", "3000")))),
)  # fmt: skip

ELEVATOR_PRODUCTS = Catalogue(
    plant=ELEVATOR,
    bought=BOUGHT,
    made=(*PRODUCTS, *PARTS),
    trades=TRADES,
    customers=CUSTOMERS,
    suppliers=SUPPLIERS,
    wishes=WISHES,
    order_prefix="FT",
    orders_per_hour=5.0,
    lead_hours=9.0,
    past_hours=6.0,
    most_open=34,
)
