"""What kinds of machine the plant has: how they work, how they fail, and what their sensors can say.

Numbers are typical of the trade, chosen so that the line is balanced at `plant.PIECES_PER_HOUR` with the coating shop as
its bottleneck; they claim no particular maker. One signal is one row here, however wide: the file is a table.
"""

# ruff: noqa: E501

from __future__ import annotations

from yuheng.simulation.catalogue import Cause, Channel, MachineClass
from yuheng.simulation.catalogue import power_meter as _power

_MINOR = 120.0  # seconds: what an operator clears alone

BLANKING_LINE = MachineClass(
    "blanking-line", "开卷落料线", "Blanking line", "Tianji", 13.6, 0.10, 0.85, 120, 5 * 3600, 0.004,
    (
        _power(85, 14, handling=30),
        Channel("strip_speed_m_min", "带材速度", "Strip speed", "m/min", 32, 0, 0, noise=0.6, lag_s=1.5, varies=0.2),
        Channel("strip_tension_kn", "带材张力", "Strip tension", "kN", 6.4, 0.8, 4, noise=0.15, lag_s=2, varies=0.2),
        Channel("sheet_thickness_mm", "板厚", "Sheet thickness", "mm", 0.6, 0, 0.6, noise=0.004, lag_s=1, resolution=0.005, varies=0.2),
        Channel("blanking_force_kn", "落料力", "Blanking force", "kN", 640, 0, 0, noise=14, lag_s=0.6, resolution=1, varies=0.25, wear=0.15),
        Channel("oil_film_g_m2", "涂油量", "Oil film", "g/m2", 1.2, 0, 0, noise=0.06, lag_s=4, resolution=0.05),
        Channel("coil_left_kg", "余卷重量", "Coil left", "kg", 3600, 3600, noise=60, lag_s=30, resolution=5),
    ),
    (
        Cause(11, "卷料用尽", "Coil used up", 5, 360), Cause(12, "矫平机堵料", "Leveller jammed", 3, 480),
        Cause(13, "送料伺服故障", "Feeder servo fault", 2, 1200), Cause(14, "落料模崩刃", "Blanking die chipped", 1, 2700),
    ),
)  # fmt: skip

PRESS = MachineClass(
    "press", "多工位压力机", "Transfer press", "Tianji", 41, 0.08, 0.60, 270, 6 * 3600, 0.008,
    (
        _power(120, 22, handling=45),
        Channel("press_force_kn", "冲压力", "Press force", "kN", 4200, 0, 0, noise=60, lag_s=0.6, resolution=5, varies=0.25, wear=0.12),
        Channel("strokes_min", "行程次数", "Strokes", "/min", 14, 0, 0, noise=0.1, lag_s=1, varies=0.1),
        Channel("die_temp_c", "模具温度", "Die temperature", "Cel", 58, 26, 40, noise=0.6, lag_s=240, wear=0.1),
        Channel("cushion_bar", "气垫压力", "Cushion pressure", "bar", 11.5, 11, noise=0.12, lag_s=5, varies=0.1),
        Channel("oil_temp_c", "油温", "Oil temperature", "Cel", 48, 34, 45, noise=0.3, lag_s=500, wear=0.12),
        Channel("vibration_mm_s", "机架振动", "Frame vibration", "mm/s", 3.8, 0.3, 1.2, noise=0.25, lag_s=1, resolution=0.05, wear=0.6),
        Channel("tonnage_balance", "吨位偏差", "Tonnage imbalance", "%", 4, 0, 0, noise=0.6, lag_s=2, varies=0.3),
    ),
    (
        Cause(21, "模具卡料", "Part stuck in the die", 5, _MINOR), Cause(22, "吨位超限", "Tonnage limit exceeded", 2, 900),
        Cause(23, "离合器温度高", "Clutch too hot", 1, 1800), Cause(24, "传送爪掉件", "Gripper lost a part", 4, 240),
        Cause(25, "润滑压力低", "Lubrication pressure low", 1, 900),
    ),
)  # fmt: skip

SPOT_WELDER = MachineClass(
    "spot-welder", "点焊工作站", "Spot-welding station", "Yaoguang", 110, 0.12, 0.70, 300, 5 * 3600, 0.010,
    (
        _power(46, 2.4, handling=6, lag_s=1),
        Channel("weld_current_ka", "焊接电流", "Weld current", "kA", 9.4, 0, 0, noise=0.12, lag_s=0.5, resolution=0.05, varies=0.2),
        Channel("electrode_force_kn", "电极压力", "Electrode force", "kN", 2.6, 0, 0, noise=0.05, lag_s=0.5, resolution=0.05, varies=0.15),
        Channel("weld_time_ms", "焊接时间", "Weld time", "ms", 180, 0, 0, noise=3, lag_s=0.5, resolution=1, varies=0.2),
        Channel("resistance_uohm", "动态电阻", "Dynamic resistance", "uOhm", 118, 0, 0, noise=3, lag_s=0.6, resolution=1, wear=0.35),
        Channel("cooling_l_min", "冷却水流量", "Cooling water flow", "L/min", 7.8, 7.6, noise=0.1, lag_s=4),
        Channel("tip_wear_mm", "电极磨损", "Tip wear", "mm", 1.1, 1.1, noise=0.05, lag_s=30, resolution=0.05, wear=0.8),
    ),
    (
        Cause(31, "电极粘连", "Electrode stuck", 4, 300), Cause(32, "电极帽更换", "Tip change", 5, 240),
        Cause(33, "冷却水不足", "Cooling water low", 2, 720), Cause(34, "夹具未到位", "Fixture not in place", 3, 180),
    ),
)  # fmt: skip

LASER_WELDER = MachineClass(
    "laser-welder", "激光焊接站", "Laser-welding station", "Yaoguang", 73, 0.10, 0.75, 360, 5 * 3600, 0.009,
    (
        _power(28, 4, handling=7, lag_s=1),
        Channel("laser_power_kw", "激光功率", "Laser power", "kW", 3.2, 0, 0, noise=0.03, lag_s=0.6, resolution=0.05, varies=0.15),
        Channel("weld_speed_m_min", "焊接速度", "Weld speed", "m/min", 2.8, 0, 0, noise=0.05, lag_s=0.6, resolution=0.05, varies=0.2),
        Channel("seam_gap_mm", "焊缝间隙", "Seam gap", "mm", 0.08, 0, 0, noise=0.015, lag_s=0.6, resolution=0.01, varies=0.3),
        Channel("shield_gas_l_min", "保护气流量", "Shielding gas flow", "L/min", 18, 0, 2, noise=0.3, lag_s=1),
        Channel("optics_temp_c", "镜头温度", "Optics temperature", "Cel", 36, 23, 29, noise=0.3, lag_s=120, wear=0.3),
        Channel("leak_rate", "内胆检漏", "Tub leak rate", "Pa.m3/s", 0.02, 0, noise=0.004, lag_s=4, resolution=0.001),
    ),
    (
        Cause(41, "保护镜污染", "Cover slide dirty", 4, 420), Cause(42, "焊缝跟踪丢失", "Seam tracking lost", 3, 240),
        Cause(43, "冷水机报警", "Chiller alarm", 1, 1500), Cause(44, "安全门打开", "Safety door opened", 4, _MINOR),
    ),
)  # fmt: skip

DEGREASING_LINE = MachineClass(
    "degreasing-line", "脱脂磷化线", "Degreasing line", "Tianquan", 9.6, 0.05, 0.90, 36, 9 * 3600, 0.002,
    (
        _power(64, 30, handling=55),
        Channel("bath_temp_c", "槽液温度", "Bath temperature", "Cel", 52, 50, noise=0.3, lag_s=600),
        Channel("bath_ph", "槽液 pH", "Bath pH", "[pH]", 10.8, 10.8, noise=0.03, lag_s=600, resolution=0.05, wear=-0.04),
        Channel("conductivity_ms_cm", "电导率", "Conductivity", "mS/cm", 42, 42, noise=0.4, lag_s=600),
        Channel("spray_bar", "喷淋压力", "Spray pressure", "bar", 1.8, 0.2, 1.6, noise=0.04, lag_s=4, resolution=0.05, wear=-0.15),
        Channel("rinse_us_cm", "纯水电导", "Rinse water conductivity", "uS/cm", 18, 12, noise=1, lag_s=300, resolution=0.5, wear=0.6),
        Channel("conveyor_m_min", "输送速度", "Conveyor speed", "m/min", 4.2, 0, 4.2, noise=0.02, lag_s=0, resolution=0.05),
    ),
    (
        Cause(51, "喷嘴堵塞", "Nozzles blocked", 3, 900), Cause(52, "槽液浓度低", "Bath too weak", 3, 600),
        Cause(53, "循环泵故障", "Pump fault", 1, 2400), Cause(54, "挂具脱落", "Hanger lost", 2, 300),
    ),
    producing_when="conveyor_m_min > 0.5",
)  # fmt: skip

POWDER_BOOTH = MachineClass(
    "powder-booth", "静电喷粉/搪瓷房", "Powder and enamel booth", "Tianquan", 19.6, 0.12, 0.85, 310, 6 * 3600, 0.014,
    (
        _power(22, 6, handling=15),
        Channel("gun_voltage_kv", "喷枪电压", "Gun voltage", "kV", 72, 0, 0, noise=1.2, lag_s=0.8, resolution=0.5, varies=0.15),
        Channel("gun_current_ua", "喷枪电流", "Gun current", "uA", 34, 0, 0, noise=1.5, lag_s=0.8, resolution=0.5, varies=0.2, wear=0.4),
        Channel("powder_g_min", "出粉量", "Powder flow", "g/min", 165, 0, 0, noise=6, lag_s=1.5, resolution=1, varies=0.25),
        Channel("film_um", "膜厚", "Film thickness", "um", 78, 0, 0, noise=3, lag_s=4, resolution=1, varies=0.2),
        Channel("booth_air_m_s", "房内风速", "Booth air speed", "m/s", 0.55, 0.45, noise=0.02, lag_s=10, resolution=0.01, wear=-0.2),
        Channel("humidity_ratio", "房内湿度", "Booth humidity", "%", 48, 50, noise=0.8, lag_s=400, resolution=0.5),
    ),
    (
        Cause(61, "喷枪堵塞", "Gun blocked", 4, 420), Cause(62, "回收滤芯堵", "Recovery filter blocked", 2, 1500),
        Cause(63, "火焰探测报警", "Flame detector alarm", 1, 1200), Cause(64, "换色清理未净", "Colour change not clean", 3, 600),
    ),
)  # fmt: skip

BAKING_OVEN = MachineClass(
    "baking-oven", "固化/烧成炉", "Curing and firing oven", "Tianquan", 13.2, 0.05, 0.95, 100, 10 * 3600, 0.003,
    (
        _power(44, 28, handling=42),
        Channel("zone1_temp_c", "一区温度", "Zone 1 temperature", "Cel", 182, 150, noise=1.0, lag_s=400, resolution=0.5, varies=0.05),
        Channel("zone2_temp_c", "二区温度", "Zone 2 temperature", "Cel", 204, 168, noise=1.0, lag_s=400, resolution=0.5, varies=0.05),
        Channel("zone3_temp_c", "三区温度", "Zone 3 temperature", "Cel", 198, 165, noise=1.0, lag_s=400, resolution=0.5, varies=0.05),
        Channel("conveyor_m_min", "链速", "Conveyor speed", "m/min", 3.6, 0, 3.6, noise=0.02, lag_s=0, resolution=0.05),
        Channel("gas_flow_m3_h", "燃气流量", "Gas flow", "m3/h", 52, 22, noise=1, lag_s=20, resolution=0.5),
        Channel("oxygen_ratio", "炉内含氧", "Oxygen", "%", 17.5, 19.5, noise=0.1, lag_s=60, wear=-0.06),
    ),
    (
        Cause(71, "炉温超差", "Temperature out of tolerance", 3, 900), Cause(72, "燃烧器熄火", "Burner went out", 2, 1200),
        Cause(73, "循环风机故障", "Circulation fan fault", 1, 3000), Cause(74, "链条卡滞", "Chain jammed", 2, 480),
    ),
    producing_when="conveyor_m_min > 0.5",
)  # fmt: skip

MOULDING_MACHINE = MachineClass(
    "moulding-machine", "注塑机", "Injection-moulding machine", "Kaiyang", 50, 0.05, 0.85, 520, 8 * 3600, 0.010,
    (
        _power(38, 9, handling=18, lag_s=1),
        Channel("melt_temp_c", "熔体温度", "Melt temperature", "Cel", 232, 200, 225, noise=0.8, lag_s=300, resolution=0.5, varies=0.04),
        Channel("injection_bar", "注射压力", "Injection pressure", "bar", 920, 0, 0, noise=14, lag_s=0.6, resolution=1, varies=0.15, wear=0.1),
        Channel("holding_bar", "保压压力", "Holding pressure", "bar", 480, 0, 0, noise=8, lag_s=0.6, resolution=1, varies=0.15),
        Channel("mould_temp_c", "模温", "Mould temperature", "Cel", 62, 40, 55, noise=0.4, lag_s=200),
        Channel("clamp_force_kn", "锁模力", "Clamping force", "kN", 2800, 0, 0, noise=20, lag_s=0.6, resolution=5, varies=0.1),
        Channel("cushion_mm", "料垫", "Cushion", "mm", 6.2, 0, 0, noise=0.25, lag_s=1, resolution=0.05, wear=0.3),
    ),
    (
        Cause(81, "粘模", "Part sticks in the mould", 4, 240), Cause(82, "料温异常", "Melt temperature out of range", 2, 900),
        Cause(83, "机械手掉件", "Robot lost a part", 4, _MINOR), Cause(84, "液压油温高", "Hydraulic oil hot", 1, 1800),
    ),
)  # fmt: skip

HOOD_STATION = MachineClass(
    "hood-station", "油烟机装配工位", "Range-hood assembly station", "Kaiyang", 120, 0.25, 0.65, 150, 9 * 3600, 0.008,
    (
        _power(1.2, 0.2, handling=0.5),
        Channel("torque_nm", "拧紧扭矩", "Tightening torque", "N.m", 2.4, 0, 0, noise=0.08, lag_s=0.6, resolution=0.05, varies=0.2),
        Channel("angle_deg", "拧紧角度", "Tightening angle", "deg", 410, 0, 0, noise=12, lag_s=0.6, resolution=1, varies=0.2),
        Channel("rivet_force_kn", "铆接力", "Riveting force", "kN", 6.2, 0, 0, noise=0.2, lag_s=0.6, resolution=0.05, varies=0.15),
        Channel("glue_g", "打胶量", "Sealant", "g", 11, 0, 0, noise=0.4, lag_s=1, varies=0.15),
        Channel("air_bar", "气源压力", "Air pressure", "bar", 5.9, 6.2, noise=0.05, lag_s=4, resolution=0.05),
    ),
    (
        Cause(101, "拧紧枪报警", "Nut-runner alarm", 4, 300), Cause(102, "缺件", "Parts missing", 5, 480),
        Cause(103, "扫码失败", "Scan failed", 3, _MINOR), Cause(104, "呼叫班长", "Team leader called", 3, 240),
    ),
)  # fmt: skip

HOB_STATION = MachineClass(
    "hob-station", "灶具装配工位", "Gas-hob assembly station", "Kaiyang", 109, 0.25, 0.65, 150, 9 * 3600, 0.007,
    (
        _power(1.1, 0.2, handling=0.4),
        Channel("torque_nm", "拧紧扭矩", "Tightening torque", "N.m", 4.5, 0, 0, noise=0.12, lag_s=0.6, resolution=0.05, varies=0.2),
        Channel("valve_fit_n", "阀体压装力", "Valve press-fit force", "N", 320, 0, 0, noise=9, lag_s=0.6, resolution=1, varies=0.2),
        Channel("nozzle_torque_nm", "喷嘴扭矩", "Nozzle torque", "N.m", 3.2, 0, 0, noise=0.1, lag_s=0.6, resolution=0.05),
        Channel("glass_vacuum_kpa", "玻璃吸盘真空", "Glass gripper vacuum", "kPa", -72, -5, -70, noise=0.8, lag_s=1, resolution=0.5, wear=-0.2),
        Channel("air_bar", "气源压力", "Air pressure", "bar", 5.9, 6.2, noise=0.05, lag_s=4, resolution=0.05),
    ),
    (
        Cause(111, "玻璃面板破损", "Glass panel broken", 2, 420), Cause(112, "缺件", "Parts missing", 5, 480),
        Cause(113, "拧紧枪报警", "Nut-runner alarm", 4, 300), Cause(114, "呼叫班长", "Team leader called", 3, 240),
    ),
)  # fmt: skip

DISHWASHER_STATION = MachineClass(
    "dw-station", "洗碗机装配工位", "Dishwasher assembly station", "Kaiyang", 208, 0.22, 0.70, 180, 9 * 3600, 0.009,
    (
        _power(1.8, 0.3, handling=0.8),
        Channel("torque_nm", "拧紧扭矩", "Tightening torque", "N.m", 3.6, 0, 0, noise=0.1, lag_s=0.6, resolution=0.05, varies=0.2),
        Channel("hose_pull_n", "卡箍拉力", "Hose clamp pull", "N", 92, 0, 0, noise=4, lag_s=0.6, resolution=1, varies=0.1),
        Channel("door_spring_n", "门弹簧力", "Door spring force", "N", 46, 0, 0, noise=1.5, lag_s=0.8, resolution=0.5, varies=0.15),
        Channel("lift_height_mm", "升降高度", "Lift height", "mm", 860, 720, 800, noise=3, lag_s=3, resolution=1, varies=0.1),
        Channel("air_bar", "气源压力", "Air pressure", "bar", 5.9, 6.2, noise=0.05, lag_s=4, resolution=0.05),
    ),
    (
        Cause(121, "管路装配返修", "Hose rework", 3, 420), Cause(122, "缺件", "Parts missing", 5, 480),
        Cause(123, "举升机故障", "Lift fault", 1, 1200), Cause(124, "呼叫班长", "Team leader called", 3, 240),
    ),
)  # fmt: skip

HOOD_TEST = MachineClass(
    "hood-test", "油烟机检测台", "Range-hood test bench", "Yuheng", 46, 0.10, 0.85, 90, 9 * 3600, 0.016,
    (
        _power(3.4, 0.4, handling=0.6),
        Channel("air_flow_m3_min", "风量", "Air flow", "m3/min", 21, 0, 0, noise=0.3, lag_s=2, varies=0.15),
        Channel("static_pa", "静压", "Static pressure", "Pa", 620, 0, 0, noise=10, lag_s=2, resolution=1, varies=0.2),
        Channel("noise_db", "噪声", "Noise level", "dB", 54, 38, 40, noise=0.6, lag_s=2, resolution=0.5),
        Channel("motor_a", "电机电流", "Motor current", "A", 1.2, 0, 0, noise=0.03, lag_s=1, resolution=0.01, varies=0.15),
        Channel("insulation_mohm", "绝缘电阻", "Insulation resistance", "MOhm", 210, 0, 0, noise=12, lag_s=1, resolution=1),
        Channel("vibration_mm_s", "振动", "Vibration", "mm/s", 1.6, 0.1, 0.1, noise=0.12, lag_s=1, resolution=0.05, wear=0.2),
    ),
    (
        Cause(131, "待判定", "Result awaits decision", 4, 300), Cause(132, "风道漏气", "Air duct leaks", 2, 720),
        Cause(133, "耐压击穿报警", "Hipot breakdown alarm", 2, 360),
    ),
)  # fmt: skip

HOB_TEST = MachineClass(
    "hob-test", "灶具检测台", "Gas-hob test bench", "Yuheng", 52, 0.10, 0.85, 90, 9 * 3600, 0.014,
    (
        _power(2.1, 0.3, handling=0.5),
        Channel("leak_ml_h", "气密泄漏", "Gas leak", "mL/h", 8, 0, 0, noise=1.5, lag_s=2, resolution=0.5, varies=0.2),
        Channel("gas_kpa", "试验气压", "Test gas pressure", "kPa", 4.2, 0.1, 1, noise=0.02, lag_s=1, resolution=0.05),
        Channel("flame_temp_c", "火焰温度", "Flame temperature", "Cel", 940, 30, 60, noise=14, lag_s=4, resolution=1, varies=0.05),
        Channel("heat_kw", "热负荷", "Heat input", "kW", 5.0, 0, 0, noise=0.06, lag_s=3, resolution=0.05, varies=0.06),
        Channel("co_ppm", "一氧化碳", "Carbon monoxide", "[ppm]", 140, 4, 6, noise=9, lag_s=4, resolution=1, varies=0.15),
        Channel("ignition_s", "点火时间", "Ignition time", "s", 0.8, 0, 0, noise=0.08, lag_s=1, resolution=0.05),
    ),
    (
        Cause(141, "待判定", "Result awaits decision", 4, 300), Cause(142, "试验气压低", "Test gas pressure low", 2, 600),
        Cause(143, "可燃气报警", "Combustible gas alarm", 1, 1500),
    ),
)  # fmt: skip

DISHWASHER_TEST = MachineClass(
    "dw-test", "洗碗机检测台", "Dishwasher test bench", "Yuheng", 81, 0.10, 0.88, 120, 9 * 3600, 0.018,
    (
        _power(9.5, 0.6, handling=1.2),
        Channel("inlet_bar", "进水压力", "Inlet pressure", "bar", 2.4, 2.6, noise=0.04, lag_s=2, resolution=0.05),
        Channel("water_temp_c", "水温", "Water temperature", "Cel", 58, 24, 30, noise=0.5, lag_s=40, varies=0.05),
        Channel("pump_a", "循环泵电流", "Pump current", "A", 0.62, 0, 0, noise=0.02, lag_s=1, resolution=0.01, varies=0.1),
        Channel("drain_l_min", "排水流量", "Drain flow", "L/min", 11, 0, 0, noise=0.3, lag_s=1, varies=0.1),
        Channel("leak_ml", "泄漏量", "Leakage", "mL", 0.4, 0, 0, noise=0.15, lag_s=3, resolution=0.05),
        Channel("noise_db", "噪声", "Noise level", "dB", 44, 36, 37, noise=0.5, lag_s=2, resolution=0.5),
    ),
    (
        Cause(151, "待判定", "Result awaits decision", 4, 300), Cause(152, "快接头漏水", "Quick coupling leaks", 3, 420),
        Cause(153, "纯水供应中断", "Water supply lost", 1, 1200),
    ),
)  # fmt: skip

PACKING_CELL = MachineClass(
    "packing-cell", "包装单元", "Packing cell", "Kaiyang", 40.5, 0.15, 0.70, 60, 9 * 3600, 0.002,
    (
        _power(4.2, 0.8, handling=2.2),
        Channel("strap_n", "捆扎张力", "Strap tension", "N", 320, 0, 0, noise=9, lag_s=0.8, resolution=1, varies=0.1),
        Channel("weight_kg", "称重", "Weight", "kg", 26, 0, 26, noise=0.05, lag_s=1.5, resolution=0.05, varies=0.5),
        Channel("film_left_m", "余膜", "Film left", "m", 240, 240, noise=10, lag_s=30, resolution=1),
        Channel("hotmelt_temp_c", "热熔胶温度", "Hot-melt temperature", "Cel", 172, 165, noise=0.8, lag_s=200, resolution=0.5),
        Channel("air_bar", "气源压力", "Air pressure", "bar", 5.9, 6.2, noise=0.05, lag_s=4, resolution=0.05),
        Channel("cartons_left", "余箱数", "Cartons left", "{piece}", 160, 160, noise=12, lag_s=30, resolution=1),
    ),
    (
        Cause(161, "纸箱卡住", "Carton jammed", 5, _MINOR), Cause(162, "标签打印机故障", "Label printer fault", 3, 300),
        Cause(163, "码垛机故障", "Palletizer fault", 1, 1200), Cause(164, "等待托盘", "Waiting for pallets", 3, 360),
    ),
)  # fmt: skip

CLASSES: dict[str, MachineClass] = {
    kind.code: kind
    for kind in (
        BLANKING_LINE, PRESS, SPOT_WELDER, LASER_WELDER, DEGREASING_LINE, POWDER_BOOTH, BAKING_OVEN, MOULDING_MACHINE,
        HOOD_STATION, HOB_STATION, DISHWASHER_STATION, HOOD_TEST, HOB_TEST, DISHWASHER_TEST, PACKING_CELL,
    )
}  # fmt: skip
