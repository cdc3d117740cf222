"""What the appliance plant's engineers want to be called for; see `elevator.alarms` for the principle.

One alarm is one row here, however wide: the file is a table.
"""

# ruff: noqa: E501

from __future__ import annotations

from typing import Any

from yuheng.simulation.alarms import alarm, of_every_machine

_LOW_AIR = alarm(
    "low-air", "air_bar < least", "气压低", "Air pressure low",
    "检查空压站和本工位减压阀。", "Check the compressors and the pressure regulator of the station.",
    parameters={"least": 5.0}, deadband=0.2, on_delay_s=10, priority="high", category="utility",
    message_zh="气压 {value} bar,下限 {least}", message_en="Air pressure {value} bar, at least {least}",
)  # fmt: skip

_OF_CLASS: dict[str, list[dict[str, Any]]] = {
    "press": [
        alarm(
            "frame-vibration", "vibration_mm_s > limit", "机架振动偏高", "Frame vibration raised",
            "本班内检查模具紧固和导轨间隙。", "Have die clamping and guide clearance checked during this shift.",
            parameters={"limit": 5.4}, deadband=0.4, on_delay_s=60, priority="medium", category="equipment",
            message_zh="机架振动 {value} mm/s,上限 {limit}", message_en="Frame vibration {value} mm/s, limit {limit}",
            suppress_states=["setup", "planned_stop"],
        ),
        alarm(
            "tonnage", "press_force_kn > limit", "吨位超限", "Press force too high",
            "停机检查模具是否叠料。", "Stop and look for a double blank in the die.",
            parameters={"limit": 5750.0}, deadband=80.0, on_delay_s=2, priority="critical", response_time_s=120, category="equipment",
            message_zh="冲压力 {value} kN,上限 {limit}", message_en="Press force {value} kN, limit {limit}",
            consequence_zh="模具损坏。", consequence_en="The die is damaged.",
        ),
    ],
    "spot-welder": [
        alarm(
            "tip-worn", "tip_wear_mm > limit", "电极帽磨损", "Electrode tip worn",
            "下一批前更换电极帽。", "Replace the tip before the next lot.",
            parameters={"limit": 1.85}, deadband=0.1, on_delay_s=30, priority="low", category="quality",
            message_zh="电极磨损 {value} mm,上限 {limit}", message_en="Tip wear {value} mm, limit {limit}",
        ),
        alarm(
            "cooling-low", "cooling_l_min < least", "冷却水不足", "Cooling water low",
            "检查冷却水阀和过滤器。", "Check valve and filter of the cooling water.",
            parameters={"least": 6.5}, deadband=0.3, on_delay_s=10, priority="high", category="utility",
            message_zh="冷却水 {value} L/min,下限 {least}", message_en="Cooling water {value} L/min, at least {least}",
        ),
    ],
    "laser-welder": [
        alarm(
            "optics-hot", "optics_temp_c > limit", "镜头温度高", "Optics hot",
            "下一批前清洁保护镜。", "Clean the cover slide before the next lot.",
            parameters={"limit": 44.5}, deadband=1.0, on_delay_s=30, priority="medium", category="equipment",
            message_zh="镜头 {value} °C,上限 {limit}", message_en="Optics {value} °C, limit {limit}",
            suppress_states=["planned_stop"],
        ),
    ],
    "degreasing-line": [
        alarm(
            "rinse-dirty", "rinse_us_cm > limit", "纯水电导高", "Rinse water conductivity high",
            "加大补水，检查纯水机；连续超限的件待判。", "Add fresh water, check the water plant; hold pieces rinsed meanwhile.",
            parameters={"limit": 27.0}, deadband=1.0, on_delay_s=60, priority="high", response_time_s=900, category="quality",
            message_zh="纯水电导 {value} µS/cm,上限 {limit}", message_en="Rinse water {value} µS/cm, limit {limit}",
            consequence_zh="涂层附着力下降。", consequence_en="The coating does not hold.",
        ),
    ],
    "powder-booth": [
        alarm(
            "gun-current", "gun_current_ua > limit", "喷枪电流高", "Gun current high",
            "检查枪针和接地。", "Check needle and earthing of the guns.",
            parameters={"limit": 50.0}, deadband=2.0, on_delay_s=30, priority="medium", category="quality",
            message_zh="喷枪电流 {value} µA,上限 {limit}", message_en="Gun current {value} µA, limit {limit}",
        ),
    ],
    "baking-oven": [
        alarm(
            "oven-hot", "zone2_temp_c > limit or zone3_temp_c > limit", "炉温超限", "Oven too hot",
            "关闭燃烧器，链条继续走空。", "Shut the burner; let the chain run empty.",
            parameters={"limit": 222.0}, value_symbol="zone2_temp_c", deadband=4.0, on_delay_s=5, priority="critical", response_time_s=60,
            category="safety", is_latching=True, message_zh="炉温超过 {limit} °C(2 区 {zone2_temp_c}，3 区 {zone3_temp_c})",
            message_en="Oven above {limit} °C (zone 2 {zone2_temp_c}, zone 3 {zone3_temp_c})",
        ),
    ],
    "hood-station": [_LOW_AIR],
    "hob-station": [_LOW_AIR],
    "dw-station": [_LOW_AIR],
    "hob-test": [
        alarm(
            "co-high", "co_ppm > limit", "一氧化碳超限", "Carbon monoxide high",
            "关闭气源，开启排风，本件待判。", "Shut the gas, start the extraction, hold this piece.",
            parameters={"limit": 210.0}, deadband=10.0, on_delay_s=3, priority="critical", response_time_s=60, category="safety",
            is_latching=True, message_zh="一氧化碳 {value} ppm,上限 {limit}", message_en="Carbon monoxide {value} ppm, limit {limit}",
        ),
    ],
    "packing-cell": [
        alarm(
            "film-low", "film_left_m < least", "余膜不足", "Film runs out",
            "准备新膜卷。", "Have a new roll of film ready.",
            parameters={"least": 205.0}, deadband=10.0, on_delay_s=60, priority="low", category="process",
            message_zh="余膜 {value} m", message_en="{value} m of film left",
        ),
    ],
}  # fmt: skip


def alarms_of(class_code: str) -> list[dict[str, Any]]:
    """Return the alarms of a class in the plant file's format."""
    return [*of_every_machine(), *_OF_CLASS.get(class_code, [])]
