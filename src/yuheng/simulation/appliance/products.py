"""The hoods, hobs and dishwashers that the appliance plant makes, for whom, and what holds at its classes of machines.

A piece takes its machine the class' own time (`appliance.catalogue`), which balances the line. One material is one row.
"""

# ruff: noqa: E501

from __future__ import annotations

from yuheng.simulation.appliance.catalogue import CLASSES
from yuheng.simulation.appliance.plant import APPLIANCE
from yuheng.simulation.products import (
    CONFIRM,
    LOT,
    MEASURED,
    VISUAL,
    Bought,
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

_NAMES = {
    "blanking-line": ("开卷落料", "Blanking"),
    "press": ("冲压成形", "Pressing"),
    "spot-welder": ("点焊", "Spot welding"),
    "laser-welder": ("激光焊", "Laser welding"),
    "degreasing-line": ("脱脂磷化", "Degreasing"),
    "powder-booth": ("喷粉搪瓷", "Powder and enamel"),
    "baking-oven": ("固化烧成", "Curing and firing"),
    "moulding-machine": ("注塑", "Moulding"),
    "hood-station": ("油烟机装配", "Hood assembly"),
    "hob-station": ("灶具装配", "Hob assembly"),
    "dw-station": ("洗碗机装配", "Dishwasher assembly"),
    "hood-test": ("油烟机检测", "Hood test"),
    "hob-test": ("灶具检测", "Hob test"),
    "dw-test": ("洗碗机检测", "Dishwasher test"),
    "packing-cell": ("包装", "Packing"),
}


def _way(*machines: str) -> tuple[Step, ...]:
    return tuple(
        Step(str(10 * place), *_NAMES[machine], machine, f"{CLASSES[machine].cycle_s:g}")
        for place, machine in enumerate(machines, start=1)
    )


def _finish(assembly: str, test: str) -> tuple[Step, ...]:
    """Return the routing of a product: assembly, test, packing; and the way of rework."""
    again = Step("90", "返修", "Rework after test", assembly, f"{CLASSES[assembly].cycle_s * 1.5:g}", rework_of="20")
    return (*_way(assembly, test, "packing-cell"), again)


_SHEET = ("blanking-line", "press")
_COATING = ("degreasing-line", "powder-booth", "baking-oven")

BOUGHT: tuple[Bought, ...] = (
    Bought("K-430-0.6", "不锈钢卷 430 0.6 mm", "Stainless coil 430 0.6 mm", "kg", LOT, pack=1000),
    Bought("K-SPCC-0.8", "冷轧卷 SPCC 0.8 mm", "Cold-rolled coil SPCC 0.8 mm", "kg", LOT, pack=2000),
    Bought("K-ENAMEL-0.7", "搪瓷钢卷 DC04EK 0.7 mm", "Enamelling coil DC04EK 0.7 mm", "kg", LOT, pack=1500),
    Bought("K-304-0.5", "不锈钢卷 304 0.5 mm", "Stainless coil 304 0.5 mm", "kg", LOT, is_scarce=True, pack=800),
    Bought("K-POWDER-BK", "粉末涂料 哑黑", "Powder, matt black", "kg", LOT, life_days=180, pack=50),
    Bought("K-POWDER-WH", "粉末涂料 白", "Powder, white", "kg", LOT, life_days=180, pack=50),
    Bought("K-FRIT", "搪瓷釉料", "Enamel frit", "kg", LOT, life_days=240, pack=50),
    Bought("K-PHOSPHATE", "磷化液", "Phosphating agent", "kg", LOT, life_days=180, pack=200),
    Bought("K-PP-BK", "聚丙烯 黑", "Polypropylene, black", "kg", LOT, pack=500),
    Bought("K-ABS-GF", "ABS+GF20", "ABS+GF20", "kg", LOT, life_days=365, pack=500),
    Bought("K-MOTOR-DC", "直流变频电机", "DC fan motor", tracking=LOT, is_scarce=True, pack=120),
    Bought("K-MOTOR-AC", "电容电机", "Capacitor motor", tracking=LOT, pack=120),
    Bought("K-IMPELLER", "离心叶轮", "Centrifugal impeller", pack=200),
    Bought("K-FILTER", "油网", "Grease filter", pack=200),
    Bought("K-OILCUP", "油杯", "Oil cup", pack=300),
    Bought("K-PCB-HOOD", "油烟机主控板", "Hood control board", tracking=LOT, pack=150),
    Bought("K-TOUCH", "触控面板", "Touch panel", tracking=LOT, is_scarce=True, pack=120),
    Bought("K-LED", "照明灯", "Lamp", pack=400),
    Bought("K-DAMPER", "止回阀", "Non-return damper", pack=200),
    Bought("K-CORD", "电源线", "Mains lead", pack=400),
    Bought("K-GLASS-HOB", "钢化玻璃面板 8 mm", "Tempered glass top 8 mm", tracking=LOT, is_scarce=True, pack=100),
    Bought("K-BURNER-L", "左炉头 5.0 kW", "Left burner 5.0 kW", tracking=LOT, pack=150),
    Bought("K-BURNER-R", "右炉头 4.5 kW", "Right burner 4.5 kW", tracking=LOT, pack=150),
    Bought("K-CAP", "火盖 铜", "Burner cap, brass", pack=400),
    Bought("K-VALVE", "旋塞阀", "Gas valve", tracking=LOT, pack=300),
    Bought("K-NOZZLE", "喷嘴", "Nozzle", pack=600),
    Bought("K-THERMO", "热电偶", "Thermocouple", pack=300),
    Bought("K-IGNITER", "脉冲点火器", "Pulse igniter", pack=200),
    Bought("K-KNOB", "旋钮", "Knob", pack=400),
    Bought("K-PAN", "锅支架", "Pan support", pack=300),
    Bought("K-PIPE-AL", "铝管", "Aluminium pipe", "m", pack=300),
    Bought("K-SEALANT", "密封胶", "Sealant", "kg", LOT, life_days=120, pack=40),
    Bought("K-PUMP-CIRC", "循环泵", "Circulation pump", tracking=LOT, is_scarce=True, pack=80),
    Bought("K-PUMP-DRAIN", "排水泵", "Drain pump", tracking=LOT, pack=100),
    Bought("K-HEATER", "加热管", "Heater", pack=100),
    Bought("K-SOFTENER", "软水器", "Water softener", pack=100),
    Bought("K-DOSER", "分配器", "Dispenser", pack=100),
    Bought("K-SPRAYARM", "喷臂", "Spray arm", pack=200),
    Bought("K-RACK", "碗篮", "Rack", pack=160),
    Bought("K-PCB-DW", "洗碗机主控板", "Dishwasher control board", tracking=LOT, pack=100),
    Bought("K-GASKET-DW", "门封条", "Door gasket", "m", LOT, life_days=400, pack=200),
    Bought("K-HINGE", "门铰链", "Door hinge", pack=200),
    Bought("K-HARNESS", "线束", "Wiring harness", pack=200),
    Bought("K-SCREW-ST4", "自攻螺钉 ST4×12", "Tapping screw ST4×12", pack=5000),
    Bought("K-SCREW-M5", "组合螺钉 M5×12", "Screw and washer M5×12", pack=5000),
    Bought("K-CLIP", "卡扣", "Clip", pack=3000),
    Bought("K-LABEL", "能效标识", "Energy label", pack=1000),
    Bought("K-PLATE", "铭牌", "Name plate", pack=1000),
    Bought("K-MANUAL", "说明书", "Manual", pack=500),
    Bought("K-CARTON", "纸箱", "Carton", pack=300),
    Bought("K-FOAM", "缓冲泡沫", "Foam cushion", pack=600),
    Bought("K-BAG", "塑料袋", "Plastic bag", pack=1000),
)

_PACK = (
    Line("K-CARTON", "1", "30"), Line("K-FOAM", "2", "30"), Line("K-BAG", "1", "30"), Line("K-MANUAL", "1", "30"),
    Line("K-LABEL", "1", "30"), Line("K-PLATE", "1", "30"),
)  # fmt: skip

PARTS: tuple[Made, ...] = (
    Made("KP-HOODBODY", "油烟机箱体", "Hood body", "hood-side",
         (Line("K-SPCC-0.8", "4.2"), Line("K-PHOSPHATE", "0.05", "40"), Line("K-POWDER-BK", "0.18", "50"), Line("K-CLIP", "8", "30")),
         _way(*_SHEET, "spot-welder", *_COATING), tracking=LOT),
    Made("KP-HOODTOP", "油烟机不锈钢罩", "Stainless hood canopy", "hood-top",
         (Line("K-430-0.6", "3.6"), Line("K-PHOSPHATE", "0.04", "40"), Line("K-POWDER-WH", "0.05", "50")),
         _way(*_SHEET, "spot-welder", *_COATING), tracking=LOT),
    Made("KP-VOLUTE", "蜗壳", "Fan volute", "hood-compact", (Line("K-ABS-GF", "0.9"), Line("K-CLIP", "4")), _way("moulding-machine")),
    Made("KP-TRAY", "灶具底盘", "Hob tray", "hob-glass",
         (Line("K-ENAMEL-0.7", "2.8"), Line("K-PHOSPHATE", "0.03", "30"), Line("K-FRIT", "0.22", "40")), _way(*_SHEET, *_COATING), tracking=LOT),
    Made("KP-TOPSTEEL", "不锈钢面板", "Stainless hob top", "hob-steel",
         (Line("K-430-0.6", "2.1"), Line("K-PHOSPHATE", "0.03", "30"), Line("K-POWDER-BK", "0.02", "40")), _way(*_SHEET, *_COATING), tracking=LOT),
    Made("KP-TUB", "洗碗机内胆", "Dishwasher tub", "dw-built-in",
         (Line("K-304-0.5", "6.4"), Line("K-PHOSPHATE", "0.06", "40"), Line("K-POWDER-WH", "0.2", "50"), Line("K-CLIP", "6", "30")),
         _way(*_SHEET, "laser-welder", *_COATING), tracking=LOT),
    Made("KP-BASE", "洗碗机底座", "Dishwasher base", "dw-compact", (Line("K-PP-BK", "1.8"), Line("K-CLIP", "6")), _way("moulding-machine")),
    Made("KP-FILTERBOX", "滤油盒", "Filter box", "filter-kit", (Line("K-PP-BK", "0.4"),), _way("moulding-machine")),
)  # fmt: skip

_COLOUR = Option("voltage", "电压", "Voltage", "220", choices=("220", "110"))

_HOOD = (
    Line("KP-VOLUTE", "1", scrap="0.02"), Line("KP-FILTERBOX", "1", scrap="0.02"), Line("K-IMPELLER"), Line("K-FILTER", "2"),
    Line("K-OILCUP"), Line("K-PCB-HOOD"), Line("K-LED", "2"), Line("K-DAMPER"), Line("K-CORD"), Line("K-HARNESS"),
    Line("K-SCREW-ST4", "26"), Line("K-SCREW-M5", "14"), Line("K-CLIP", "10"), Line("K-SEALANT", "0.03"), *_PACK,
)  # fmt: skip
_HOB = (
    Line("KP-TRAY", "1", scrap="0.02"), Line("K-BURNER-L"), Line("K-BURNER-R"), Line("K-CAP", "4"), Line("K-VALVE", "2"),
    Line("K-NOZZLE", "6"), Line("K-THERMO", "2"), Line("K-IGNITER"), Line("K-KNOB", "2"), Line("K-PAN", "2"),
    Line("K-PIPE-AL", "1.2"), Line("K-HARNESS"), Line("K-SCREW-ST4", "18"), Line("K-SCREW-M5", "10"),
    Line("K-SEALANT", "0.05"), *_PACK,
)  # fmt: skip

PRODUCTS: tuple[Made, ...] = (
    Made("YT-80", "顶吸油烟机 YT-80", "Chimney hood YT-80", "hood-top",
         (Line("KP-HOODTOP", "1", scrap="0.03"), Line("K-MOTOR-AC"), *_HOOD), _finish("hood-station", "hood-test"), (_COLOUR,), LOT, is_product=True),
    Made("YC-90", "侧吸油烟机 YC-90", "Side-draught hood YC-90", "hood-side",
         (Line("KP-HOODBODY", "1", scrap="0.03"), Line("K-MOTOR-DC"), Line("K-TOUCH"), *_HOOD), _finish("hood-station", "hood-test"), (_COLOUR,), LOT, is_product=True),
    Made("ZB-2G", "玻璃嵌入灶 ZB-2G", "Glass gas hob ZB-2G", "hob-glass",
         (Line("K-GLASS-HOB"), *_HOB), _finish("hob-station", "hob-test"), (), LOT, is_product=True),
    Made("ZS-2S", "不锈钢灶 ZS-2S", "Steel gas hob ZS-2S", "hob-steel",
         (Line("KP-TOPSTEEL", "1", scrap="0.03"), *_HOB), _finish("hob-station", "hob-test"), (), LOT, is_product=True),
    Made("XW-13", "嵌入式洗碗机 XW-13", "Built-in dishwasher XW-13", "dw-built-in",
         (Line("KP-TUB", "1", scrap="0.03"), Line("KP-BASE", "1", scrap="0.02"), Line("K-PUMP-CIRC"), Line("K-PUMP-DRAIN"), Line("K-HEATER"),
          Line("K-SOFTENER"), Line("K-DOSER"), Line("K-SPRAYARM", "2"), Line("K-RACK", "2"), Line("K-PCB-DW"), Line("K-GASKET-DW", "2.6"),
          Line("K-HINGE", "2"), Line("K-CORD"), Line("K-HARNESS"), Line("K-SCREW-ST4", "34"), Line("K-SCREW-M5", "22"), *_PACK),
         _finish("dw-station", "dw-test"), (_COLOUR,), LOT, is_product=True),
)  # fmt: skip


def _first(zh: str, en: str, unit: str, low: float, target: float, high: float) -> tuple[Check, ...]:
    return (Check("first-piece", MEASURED, zh, en, unit, low, target, high),)


_LOOK = (Check("look", VISUAL, "外观", "Looks right"),)

TRADES: tuple[Trade, ...] = (
    Trade("blanking-line", ("press-shop", "冲压操作", "Press shop"), True, _first("料片尺寸偏差", "Blank, deviation", "mm", -0.3, 0, 0.3), (), "换卷后量首件。", "Measure the first piece after each coil."),
    Trade("press", ("press-shop", "冲压操作", "Press shop"), True, _first("拉深高度偏差", "Drawing depth, deviation", "mm", -0.5, 0, 0.5),
          (Setting("force", "冲压力", "Press force", "kN", 3200, 4200, 5200, "press_force_kn"),), "换模后试压,首件检验。", "After a die change: trial, first piece approved."),
    Trade("spot-welder", ("welding", "焊接", "Welding"), True, _LOOK, (Setting("current", "焊接电流", "Weld current", "kA", 8.5, 9.4, 10.3, "weld_current_ka"),), "每班做剥离试验。", "Peel test once a shift."),
    Trade("laser-welder", ("welding", "焊接", "Welding"), True, _LOOK, (), "焊缝须连续无气孔。", "Seams without gaps and pores."),
    Trade("degreasing-line", ("coating", "涂装", "Coating"), True, (), (), "槽液温度和浓度按表。", "Bath temperature and strength to the table."),
    Trade("powder-booth", ("coating", "涂装", "Coating"), True, _first("膜厚", "Film thickness", "um", 60, 80, 120), (), "换色时清枪。", "Clean the guns at a change of colour."),
    Trade("baking-oven", ("coating", "涂装", "Coating"), True, (), (), "炉温到后进件。", "Load when the oven is hot."),
    Trade("moulding-machine", ("moulding", "注塑", "Moulding"), True, _first("重量偏差", "Weight deviation", "g", -8, 0, 8), (), "首件称重。", "Weigh the first piece."),
    Trade("hood-station", ("hood", "油烟机装配", "Hood assembly"), False, (Check("complete", CONFIRM, "零件齐套", "All parts are in"),), (), "按图装配,扫描电机批次。", "Assemble to the drawing; scan the motor's lot."),
    Trade("hob-station", ("hob", "灶具装配", "Hob assembly"), False, (Check("leak", MEASURED, "气密泄漏", "Gas leak", "mL/h", 0, 8, 40),), (), "阀体先试漏再上面板。", "Leak test before the top goes on."),
    Trade("dw-station", ("dishwasher", "洗碗机装配", "Dishwasher assembly"), False, (Check("complete", CONFIRM, "零件齐套", "All parts are in"),), (), "管路卡箍逐个确认。", "Check every hose clamp."),
    Trade("hood-test", ("tester", "检测员", "Tester"), False, (Check("noise", MEASURED, "噪声", "Noise", "dB", 0, 62, 72), Check("safety", CONFIRM, "耐压接地", "High voltage and earth")), (), "按检验规程。", "To the test instruction."),
    Trade("hob-test", ("tester", "检测员", "Tester"), False, (Check("leak", MEASURED, "整机泄漏", "Leak, whole hob", "mL/h", 0, 8, 70), Check("flame", CONFIRM, "点火与熄火保护", "Ignition and flame failure")), (), "按检验规程。", "To the test instruction."),
    Trade("dw-test", ("tester", "检测员", "Tester"), False, (Check("leak", MEASURED, "漏水量", "Leakage", "mL", 0, 0.4, 2), Check("safety", CONFIRM, "耐压接地", "High voltage and earth")), (), "按检验规程。", "To the test instruction."),
    Trade("packing-cell", ("packing", "包装", "Packing"), True, (Check("documents", CONFIRM, "随机文件齐全", "Documents are in"),), (), "称重、贴标。", "Weigh and label."),
)  # fmt: skip

CUSTOMERS: tuple[Customer, ...] = (
    Customer("C-3001", "万家电器连锁", "Wanjia Electrical Stores"),
    Customer("C-3002", "东方优选电商", "Dongfang Online"),
    Customer("C-3003", "碧城地产精装", "Bicheng Furnished Homes"),
    Customer("C-3004", "云厨集采", "Yunchu Procurement"),
    Customer("C-3005", "Casa Cucina S.p.A.", "Casa Cucina S.p.A."),
    Customer("C-3006", "北方厨电经销", "Beifang Kitchen Trade"),
)

SUPPLIERS: tuple[Customer, ...] = (
    Customer("V-4001", "宝岳钢铁", "Baoyue Steel"),
    Customer("V-4002", "星海电机", "Xinghai Motors"),
    Customer("V-4003", "明焰燃具配件", "Mingyan Burners"),
)

WISHES: tuple[Wish, ...] = (
    Wish("YT-80", 0.24, (24, 60)),
    Wish("YC-90", 0.20, (24, 60), (("voltage", ("220", "220", "110")),)),
    Wish("ZB-2G", 0.24, (24, 60)),
    Wish("ZS-2S", 0.14, (24, 60)),
    Wish("XW-13", 0.18, (16, 36)),
)

APPLIANCE_PRODUCTS = Catalogue(
    plant=APPLIANCE,
    bought=BOUGHT,
    made=(*PRODUCTS, *PARTS),
    trades=TRADES,
    customers=CUSTOMERS,
    suppliers=SUPPLIERS,
    wishes=WISHES,
    order_prefix="LW",
    orders_per_hour=8.0,
    lead_hours=8.0,
    past_hours=4.0,
    most_open=30,
)
