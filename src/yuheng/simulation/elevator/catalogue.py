"""What kinds of machine the plant has: how they work, how they fail, and what their sensors can say.

Numbers are typical of the trade, chosen so that the line is balanced at `plant.PIECES_PER_HOUR`; they claim no
particular maker. One signal is one row here, however wide: the file is a table.
"""

# ruff: noqa: E501

from __future__ import annotations

from yuheng.simulation.catalogue import Cause, Channel, MachineClass
from yuheng.simulation.catalogue import power_meter as _power

_MINOR_JAM = 120.0  # seconds: what an operator clears alone

LASER_CUTTER = MachineClass(
    "laser-cutter", "激光切割机", "Laser cutter", "Tianshu", 107, 0.25, 0.85, 300, 4.5 * 3600, 0.008,
    (
        _power(38, 6.5, handling=9),
        Channel("laser_power_kw", "激光功率", "Laser power", "kW", 6.0, 0, 0, noise=0.05, lag_s=0.8, resolution=0.05, varies=0.25),
        Channel("cutting_speed", "切割速度", "Cutting speed", "m/min", 8.0, 0, 0, noise=0.6, lag_s=0.8, varies=0.3),
        Channel("assist_gas_bar", "辅助气压", "Assist gas pressure", "bar", 12.0, 7.5, 7.5, noise=0.1, lag_s=3, varies=0.1),
        Channel("lens_temp_c", "镜片温度", "Lens temperature", "Cel", 41, 24, 34, noise=0.4, lag_s=90, wear=0.25),
        Channel("chiller_temp_c", "水冷机温度", "Chiller temperature", "Cel", 22.5, 21.0, noise=0.15, lag_s=180),
        Channel("head_height_mm", "切割头高度", "Head height", "mm", 0.8, 25, 25, noise=0.02, lag_s=0.5, resolution=0.05),
    ),
    (
        Cause(11, "镜片污染", "Lens contaminated", 3, 1200), Cause(12, "辅助气压低", "Assist gas low", 2, 600),
        Cause(13, "切割头碰撞", "Head collision", 2, 900), Cause(14, "水冷机报警", "Chiller alarm", 1, 1800),
        Cause(15, "板料上料失败", "Sheet loading failed", 5, _MINOR_JAM),
    ),
)  # fmt: skip

PRESS_BRAKE = MachineClass(
    "press-brake", "数控折弯机", "Press brake", "Kaiyang", 95, 0.30, 0.45, 420, 6 * 3600, 0.010,
    (
        _power(11, 1.8, handling=2.5),
        Channel("bending_force_kn", "折弯力", "Bending force", "kN", 620, 0, 0, noise=12, lag_s=1, resolution=1, varies=0.35),
        Channel("bending_angle_deg", "折弯角度", "Bending angle", "deg", 90, 0, 0, noise=0.15, lag_s=1, resolution=0.05),
        Channel("oil_temp_c", "油温", "Oil temperature", "Cel", 46, 30, 44, noise=0.3, lag_s=400, wear=0.15),
        Channel("crowning_mm", "挠度补偿", "Crowning", "mm", 0.6, 0, noise=0.05, lag_s=2, resolution=0.05, varies=0.4),
        Channel("ram_position_mm", "滑块位置", "Ram position", "mm", 12, 180, 180, noise=0.5, lag_s=1, resolution=0.5),
    ),
    (
        Cause(21, "油温高", "Oil temperature high", 2, 1500), Cause(22, "后挡料伺服故障", "Back-gauge servo fault", 2, 1200),
        Cause(23, "光幕触发", "Light curtain tripped", 5, _MINOR_JAM), Cause(24, "模具夹紧故障", "Tool clamping fault", 1, 900),
    ),
)  # fmt: skip

WELDING_ROBOT = MachineClass(
    "welding-robot", "焊接机器人", "Welding robot", "Yaoguang", 265, 0.15, 0.75, 480, 4 * 3600, 0.012,
    (
        _power(14, 1.6, handling=3),
        Channel("weld_current_a", "焊接电流", "Weld current", "A", 240, 0, 0, noise=6, lag_s=0.5, resolution=1, varies=0.2),
        Channel("weld_voltage_v", "焊接电压", "Weld voltage", "V", 26.5, 0, 0, noise=0.4, lag_s=0.5, varies=0.1),
        Channel("wire_feed_m_min", "送丝速度", "Wire feed speed", "m/min", 9.2, 0, 0, noise=0.2, lag_s=0.5, varies=0.2),
        Channel("gas_flow_l_min", "保护气流量", "Shielding gas flow", "L/min", 16, 0, 0, noise=0.3, lag_s=1),
        Channel("torch_temp_c", "焊枪温度", "Torch temperature", "Cel", 165, 32, 90, noise=3, lag_s=45, resolution=1, wear=0.2),
        Channel("axis_load_ratio", "轴负载率", "Axis load ratio", "1", 0.46, 0.05, 0.3, noise=0.05, lag_s=1, resolution=0.01),
        Channel("seam_offset_mm", "焊缝偏差", "Seam offset", "mm", 0.2, 0, 0, noise=0.1, lag_s=2, resolution=0.05, wear=1.0),
    ),
    (
        Cause(31, "送丝故障", "Wire feed fault", 5, 420), Cause(32, "焊枪碰撞", "Torch collision", 2, 900),
        Cause(33, "保护气不足", "Shielding gas low", 2, 480), Cause(34, "导电嘴磨损", "Contact tip worn", 3, 300),
        Cause(35, "变位机伺服报警", "Positioner servo alarm", 1, 2400),
    ),
)  # fmt: skip

MANUAL_WELDING = MachineClass(
    "manual-welding", "手工焊接工位", "Manual welding station", "Yaoguang", 345, 0.35, 0.55, 300, 10 * 3600, 0.015,
    (
        _power(7, 0.4, handling=0.6),
        Channel("weld_current_a", "焊接电流", "Weld current", "A", 180, 0, 0, noise=14, lag_s=0.5, resolution=1, varies=0.2),
        Channel("weld_voltage_v", "焊接电压", "Weld voltage", "V", 23, 0, 0, noise=0.8, lag_s=0.5),
        Channel("fume_flow_m3_h", "除尘风量", "Fume extraction flow", "m3/h", 950, 0, 950, noise=15, lag_s=5, resolution=5),
    ),
    (
        Cause(41, "焊机过热", "Welder overheated", 3, 600), Cause(42, "工装夹具松动", "Fixture loose", 3, 480),
        Cause(43, "除尘报警", "Fume extraction alarm", 1, 900),
    ),
)  # fmt: skip

CNC_LATHE = MachineClass(
    "cnc-lathe", "数控车床", "CNC lathe", "Tianxuan", 212, 0.12, 0.82, 600, 5 * 3600, 0.010,
    (
        _power(16, 2.4, handling=4),
        Channel("spindle_speed", "主轴转速", "Spindle speed", "/min", 1400, 0, 0, noise=6, lag_s=1.5, resolution=5, varies=0.3),
        Channel("spindle_load_ratio", "主轴负载率", "Spindle load ratio", "1", 0.58, 0, 0, noise=0.05, lag_s=1, resolution=0.01, wear=0.25),
        Channel("feed_mm_min", "进给速度", "Feed rate", "mm/min", 260, 0, 0, noise=8, lag_s=1, resolution=1, varies=0.2),
        Channel("vibration_mm_s", "主轴振动", "Spindle vibration", "mm/s", 1.8, 0.2, 0.4, noise=0.15, lag_s=1, resolution=0.05, wear=1.8),
        Channel("coolant_temp_c", "切削液温度", "Coolant temperature", "Cel", 28, 22, 26, noise=0.2, lag_s=300),
    ),
    (
        Cause(51, "刀具破损", "Tool broken", 4, 420), Cause(52, "主轴轴承", "Spindle bearing", 1, 5400),
        Cause(53, "切削液位低", "Coolant level low", 3, 300), Cause(54, "卡盘夹紧失败", "Chuck clamping failed", 3, 360),
    ),
)  # fmt: skip

MACHINING_CENTRE = MachineClass(
    "machining-centre", "加工中心", "Machining centre", "Tianxuan", 200, 0.12, 0.85, 720, 5 * 3600, 0.010,
    (
        _power(22, 3.2, handling=5),
        Channel("spindle_speed", "主轴转速", "Spindle speed", "/min", 4200, 0, 0, noise=12, lag_s=2, resolution=10, varies=0.3),
        Channel("spindle_load_ratio", "主轴负载率", "Spindle load ratio", "1", 0.52, 0, 0, noise=0.06, lag_s=1, resolution=0.01, wear=0.2),
        Channel("feed_mm_min", "进给速度", "Feed rate", "mm/min", 900, 0, 0, noise=40, lag_s=1, resolution=5, varies=0.25),
        Channel("vibration_mm_s", "主轴振动", "Spindle vibration", "mm/s", 2.1, 0.2, 0.4, noise=0.2, lag_s=1, resolution=0.05, wear=1.6),
        Channel("spindle_temp_c", "主轴温度", "Spindle temperature", "Cel", 48, 25, 44, noise=0.3, lag_s=240, wear=0.2),
        Channel("coolant_temp_c", "切削液温度", "Coolant temperature", "Cel", 27, 22, 26, noise=0.2, lag_s=300),
        Channel("air_pressure_bar", "气源压力", "Air pressure", "bar", 6.1, 6.2, noise=0.05, lag_s=4, resolution=0.05),
    ),
    (
        Cause(61, "刀具寿命到", "Tool life reached", 4, 300), Cause(62, "主轴过载", "Spindle overload", 2, 900),
        Cause(63, "换刀臂故障", "Tool changer fault", 2, 1500), Cause(64, "排屑器堵塞", "Chip conveyor blocked", 3, 480),
        Cause(65, "主轴轴承", "Spindle bearing", 0.5, 7200),
    ),
)  # fmt: skip

SPRAY_BOOTH = MachineClass(
    "spray-booth", "喷涂室", "Spray booth", "Yuheng Demo", 37, 0.10, 0.90, 240, 6 * 3600, 0.010,
    (
        _power(27, 5, handling=20),
        Channel("booth_temp_c", "室温", "Booth temperature", "Cel", 24.5, 22, 24, noise=0.2, lag_s=240),
        Channel("booth_humidity_ratio", "相对湿度", "Relative humidity", "1", 0.55, 0.5, noise=0.01, lag_s=300, resolution=0.005),
        Channel("air_velocity_m_s", "风速", "Air velocity", "m/s", 0.45, 0.1, 0.45, noise=0.02, lag_s=10, resolution=0.01),
        Channel("powder_flow_g_min", "出粉量", "Powder flow", "g/min", 180, 0, 0, noise=5, lag_s=2, resolution=1, varies=0.2),
        Channel("gun_voltage_kv", "喷枪电压", "Gun voltage", "kV", 72, 0, 0, noise=0.8, lag_s=1, resolution=0.5),
        Channel("filter_drop_pa", "滤芯压差", "Filter pressure drop", "Pa", 640, 120, 620, noise=8, lag_s=15, resolution=5, wear=0.5),
    ),
    (
        Cause(71, "滤芯堵塞", "Filter blocked", 3, 900), Cause(72, "喷枪堵塞", "Gun blocked", 4, 360),
        Cause(73, "悬挂链急停", "Conveyor emergency stop", 2, 300),
    ),
)  # fmt: skip

CURING_OVEN = MachineClass(
    "curing-oven", "固化炉", "Curing oven", "Yuheng Demo", 36, 0.05, 1.0, 240, 8 * 3600, 0.004,
    (
        _power(95, 48, lag_s=30),
        Channel("zone1_temp_c", "1 区温度", "Zone 1 temperature", "Cel", 182, 165, noise=0.8, lag_s=300),
        Channel("zone2_temp_c", "2 区温度", "Zone 2 temperature", "Cel", 196, 175, noise=0.8, lag_s=300),
        Channel("zone3_temp_c", "3 区温度", "Zone 3 temperature", "Cel", 198, 175, noise=0.8, lag_s=300),
        Channel("zone4_temp_c", "4 区温度", "Zone 4 temperature", "Cel", 185, 165, noise=0.8, lag_s=300),
        Channel("conveyor_m_min", "链速", "Conveyor speed", "m/min", 2.4, 0, 2.4, noise=0.02, lag_s=0, resolution=0.05),
        Channel("fan_load_ratio", "循环风机负载率", "Fan load ratio", "1", 0.71, 0.4, noise=0.01, lag_s=20, resolution=0.01, wear=0.2),
        Channel("gas_flow_m3_h", "燃气流量", "Gas flow", "m3/h", 38, 14, noise=0.8, lag_s=20, resolution=0.5),
    ),
    (
        Cause(81, "炉温高", "Oven temperature high", 3, 600), Cause(82, "燃烧器点火失败", "Burner ignition failed", 2, 900),
        Cause(83, "循环风机故障", "Circulation fan fault", 1, 3600), Cause(84, "链条卡滞", "Chain jammed", 2, 480),
    ),
    producing_when="conveyor_m_min > 0.5",
)  # fmt: skip

ASSEMBLY_STATION = MachineClass(
    "assembly-station", "部件装配工位", "Component assembly station", "Kaiyang", 166, 0.30, 0.60, 240, 9 * 3600, 0.012,
    (
        _power(1.4, 0.25, handling=0.5),
        Channel("torque_nm", "拧紧扭矩", "Tightening torque", "N.m", 42, 0, 0, noise=1.2, lag_s=0.6, resolution=0.5, varies=0.3),
        Channel("angle_deg", "拧紧角度", "Tightening angle", "deg", 118, 0, 0, noise=5, lag_s=0.6, resolution=1, varies=0.2),
        Channel("press_force_kn", "压装力", "Press-fit force", "kN", 18, 0, 0, noise=0.5, lag_s=0.8, varies=0.3),
        Channel("air_pressure_bar", "气源压力", "Air pressure", "bar", 5.9, 6.2, noise=0.05, lag_s=4, resolution=0.05),
        Channel("illuminance_lx", "照度", "Illuminance", "lx", 540, 500, noise=6, lag_s=20, resolution=5),
    ),
    (
        Cause(101, "拧紧枪报警", "Nut-runner alarm", 4, 360), Cause(102, "零件不配套", "Kit incomplete", 4, 600),
        Cause(103, "扫码器故障", "Scanner fault", 2, 240), Cause(104, "呼叫班长", "Team leader called", 3, 240),
    ),
)  # fmt: skip

FINAL_ASSEMBLY = MachineClass(
    "final-assembly", "整机装配工位", "Final assembly station", "Kaiyang", 120, 0.35, 0.70, 180, 9 * 3600, 0.006,
    (
        _power(2.6, 0.4, handling=0.9),
        Channel("torque_nm", "拧紧扭矩", "Tightening torque", "N.m", 125, 0, 0, noise=3, lag_s=0.6, resolution=0.5, varies=0.2),
        Channel("hoist_load_kg", "吊装载荷", "Hoist load", "kg", 860, 0, 420, noise=6, lag_s=3, resolution=5, varies=0.4),
        Channel("truss_level_mm", "桁架水平度", "Truss level", "mm", 0.6, 0, 0.6, noise=0.1, lag_s=8, resolution=0.05),
        Channel("illuminance_lx", "照度", "Illuminance", "lx", 520, 480, noise=6, lag_s=20, resolution=5),
    ),
    (
        Cause(111, "行车故障", "Crane fault", 2, 1500), Cause(112, "缺件", "Parts missing", 5, 720),
        Cause(113, "返修", "Rework", 3, 900), Cause(114, "呼叫班长", "Team leader called", 3, 240),
    ),
)  # fmt: skip

ELEVATOR_TEST = MachineClass(
    "elevator-test", "电梯试验台", "Elevator test bench", "Tianquan", 82, 0.15, 0.90, 240, 8 * 3600, 0.020,
    (
        _power(18, 2, handling=3),
        Channel("car_speed_m_s", "轿厢速度", "Car speed", "m/s", 1.75, 0, 0, noise=0.02, lag_s=2, resolution=0.01, varies=0.3),
        Channel("motor_current_a", "主机电流", "Motor current", "A", 34, 0, 0, noise=1.2, lag_s=1, resolution=0.5, varies=0.2),
        Channel("vibration_mm_s", "振动", "Vibration", "mm/s", 1.1, 0.1, 0.1, noise=0.1, lag_s=1, resolution=0.05),
        Channel("noise_db", "噪声", "Noise level", "dB", 58, 41, 44, noise=1.0, lag_s=2, resolution=0.5),
        Channel("door_force_n", "关门力", "Door closing force", "N", 128, 0, 0, noise=4, lag_s=1, resolution=1),
        Channel("levelling_mm", "平层误差", "Levelling error", "mm", 3.0, 0, 0, noise=0.6, lag_s=2, resolution=0.5),
    ),
    (
        Cause(121, "限速器动作", "Overspeed governor tripped", 2, 900), Cause(122, "编码器故障", "Encoder fault", 2, 1200),
        Cause(123, "待判定", "Result awaits decision", 4, 420),
    ),
)  # fmt: skip

ESCALATOR_TEST = MachineClass(
    "escalator-test", "扶梯试验台", "Escalator test bench", "Tianquan", 100, 0.15, 0.90, 240, 8 * 3600, 0.020,
    (
        _power(13, 1.5, handling=2),
        Channel("step_speed_m_s", "梯级速度", "Step speed", "m/s", 0.5, 0, 0, noise=0.004, lag_s=2, resolution=0.005),
        Channel("handrail_speed_m_s", "扶手带速度", "Handrail speed", "m/s", 0.505, 0, 0, noise=0.005, lag_s=2, resolution=0.005),
        Channel("brake_distance_mm", "制停距离", "Brake distance", "mm", 480, 0, 0, noise=22, lag_s=4, resolution=5, varies=0.1),
        Channel("motor_current_a", "主机电流", "Motor current", "A", 21, 0, 0, noise=0.8, lag_s=1, resolution=0.5),
        Channel("vibration_mm_s", "振动", "Vibration", "mm/s", 1.4, 0.1, 0.1, noise=0.1, lag_s=1, resolution=0.05),
        Channel("noise_db", "噪声", "Noise level", "dB", 61, 42, 45, noise=0.8, lag_s=2, resolution=0.5),
    ),
    (
        Cause(131, "梯级缺失检测", "Missing step detected", 1, 900), Cause(132, "制动器间隙", "Brake gap out of range", 3, 1200),
        Cause(133, "扶手带速度偏差", "Handrail speed deviation", 3, 720), Cause(134, "待判定", "Result awaits decision", 3, 420),
    ),
)  # fmt: skip

PACKING_STATION = MachineClass(
    "packing-station", "打包工位", "Packing station", "Kaiyang", 60, 0.30, 0.65, 90, 10 * 3600, 0.002,
    (
        _power(1.8, 0.3, handling=0.6),
        Channel("strap_tension_n", "捆扎张力", "Strap tension", "N", 1850, 0, 0, noise=40, lag_s=0.8, resolution=10),
        Channel("weight_kg", "称重", "Weight", "kg", 640, 0, 640, noise=0.4, lag_s=1.5, resolution=0.5, varies=0.5),
        Channel("air_pressure_bar", "气源压力", "Air pressure", "bar", 5.9, 6.2, noise=0.05, lag_s=4, resolution=0.05),
        Channel("film_left_m", "余膜", "Film left", "m", 210, 210, noise=12, lag_s=30, resolution=1),
    ),
    (
        Cause(141, "捆扎机卡带", "Strapping machine jammed", 4, 240), Cause(142, "标签打印机故障", "Label printer fault", 3, 300),
        Cause(143, "叉车等待", "Waiting for the fork-lift", 3, 420),
    ),
)  # fmt: skip

CLASSES: dict[str, MachineClass] = {
    kind.code: kind
    for kind in (
        LASER_CUTTER, PRESS_BRAKE, WELDING_ROBOT, MANUAL_WELDING, CNC_LATHE, MACHINING_CENTRE, SPRAY_BOOTH, CURING_OVEN,
        ASSEMBLY_STATION, FINAL_ASSEMBLY, ELEVATOR_TEST, ESCALATOR_TEST, PACKING_STATION,
    )
}  # fmt: skip
