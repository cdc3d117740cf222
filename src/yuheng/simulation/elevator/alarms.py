"""What the demo plant's engineers want to be called for: a handful an hour, each with something to do about it.

The limits lie where the sensors of `catalogue` go when a machine wears out, a little before it breaks down. One alarm is
one row here, however wide: the file is a table.
"""

# ruff: noqa: E501

from __future__ import annotations

from typing import Any

from yuheng.simulation.alarms import alarm as _alarm
from yuheng.simulation.alarms import of_every_machine


def _vibration(warn: float, stop: float) -> list[dict[str, Any]]:
    return [
        _alarm(
            "vibration-high", "vibration_mm_s > stop", "主轴振动过高", "Spindle vibration too high",
            "加工完当前件后停机，检查刀具和主轴轴承。", "Stop after this piece; check the tool and the spindle bearing.",
            parameters={"stop": stop}, deadband=0.4, on_delay_s=20, priority="high", response_time_s=900, category="equipment",
            message_zh="主轴振动 {value} mm/s,停机限 {stop}", message_en="Spindle vibration {value} mm/s, stop at {stop}",
            consequence_zh="主轴损坏，停机数小时。", consequence_en="The spindle is damaged: hours of downtime.",
        ),
        _alarm(
            "vibration", "vibration_mm_s > warn", "主轴振动偏高", "Spindle vibration raised",
            "换班前安排检查刀具磨损。", "Have the tool's wear checked before the shift ends.",
            parameters={"warn": warn}, deadband=0.4, on_delay_s=60, priority="medium", category="equipment",
            parent="vibration-high", suppress_states=["setup", "planned_stop"],
            message_zh="主轴振动 {value} mm/s,预警 {warn}", message_en="Spindle vibration {value} mm/s, warning at {warn}",
        ),
    ]  # fmt: skip


def _low_air(least: float) -> dict[str, Any]:
    return _alarm(
        "low-air", "air_pressure_bar < least", "气压低", "Air pressure low",
        "检查空压站和本工位减压阀。", "Check the compressors and the pressure regulator of the station.",
        parameters={"least": least}, deadband=0.2, on_delay_s=10, priority="high", category="utility",
        message_zh="气压 {value} bar,下限 {least}", message_en="Air pressure {value} bar, at least {least}",
    )  # fmt: skip


_OF_CLASS: dict[str, list[dict[str, Any]]] = {
    "cnc-lathe": _vibration(3.4, 4.4),
    "machining-centre": [*_vibration(3.8, 4.9), _low_air(5.2)],
    "laser-cutter": [
        _alarm(
            "lens-hot", "lens_temp_c > limit", "镜片温度高", "Lens hot",
            "下一张板前清洁或更换保护镜片。", "Clean or replace the protective lens before the next sheet.",
            parameters={"limit": 50.0}, deadband=1.5, on_delay_s=30, priority="medium", category="equipment",
            message_zh="镜片温度 {value} °C,上限 {limit}", message_en="Lens {value} °C, limit {limit}",
            suppress_states=["planned_stop"],
        ),
        _alarm(
            "chiller-hot", "chiller_temp_c > limit", "水冷机温度高", "Chiller hot",
            "检查水冷机流量和滤网，必要时停机。", "Check flow and filter of the chiller; stop when needed.",
            parameters={"limit": 27.0}, deadband=1.0, on_delay_s=60, priority="high", category="utility",
            message_zh="水冷机 {value} °C,上限 {limit}", message_en="Chiller {value} °C, limit {limit}",
        ),
    ],
    "welding-robot": [
        _alarm(
            "no-gas", "gas_flow_l_min < least and weld_current_a > 50", "焊接中保护气不足", "Welding without enough gas",
            "停止焊接，检查气瓶和气路；本件待判。", "Stop welding, check bottle and hose; hold this piece.",
            parameters={"least": 11.0}, deadband=1.0, on_delay_s=3, priority="critical", response_time_s=120, category="quality",
            confirm_required=True, message_zh="保护气 {value} L/min,下限 {least}", message_en="Shielding gas {value} L/min, at least {least}",
            consequence_zh="焊缝气孔，件报废。", consequence_en="Pores in the seam; the piece is scrap.",
        ),
    ],
    "spray-booth": [
        _alarm(
            "filter-blocked", "filter_drop_pa > limit", "滤芯将堵塞", "Filter nearly blocked",
            "本班内更换滤芯。", "Replace the filter during this shift.",
            parameters={"limit": 860.0}, deadband=60.0, on_delay_s=60, priority="medium", category="utility",
            message_zh="滤芯压差 {value} Pa,上限 {limit}", message_en="Filter pressure drop {value} Pa, limit {limit}",
        ),
    ],
    "curing-oven": [
        _alarm(
            "zone-hot", "zone2_temp_c > limit or zone3_temp_c > limit", "炉温超限", "Oven too hot",
            "关闭燃烧器，链条继续走空。", "Shut the burner; let the chain run empty.",
            parameters={"limit": 215.0}, value_symbol="zone2_temp_c", deadband=5.0, on_delay_s=5, priority="critical", response_time_s=60, category="safety",
            is_latching=True, message_zh="炉温超过 {limit} °C(2 区 {zone2_temp_c}，3 区 {zone3_temp_c})",
            message_en="Oven above {limit} °C (zone 2 {zone2_temp_c}, zone 3 {zone3_temp_c})",
        ),
    ],
    "assembly-station": [_low_air(5.0)],
    "packing-station": [
        _alarm(
            "film-low", "film_left_m < least", "余膜不足", "Film runs out",
            "准备新膜卷。", "Have a new roll of film ready.",
            parameters={"least": 40.0}, deadband=10.0, on_delay_s=30, priority="low", category="process",
            message_zh="余膜 {value} m", message_en="{value} m of film left",
        ),
    ],
    "escalator-test": [
        _alarm(
            "brake-long", "brake_distance_mm > limit", "制停距离超限", "Stopping distance too long",
            "停止试验，检查制动器间隙；该梯待判。", "Stop the test, check the brake's gap; hold this escalator.",
            parameters={"limit": 640.0}, deadband=10.0, priority="critical", response_time_s=120, category="safety", is_latching=True,
            message_zh="制停距离 {value} mm,上限 {limit}", message_en="Stopping distance {value} mm, limit {limit}",
        ),
    ],
}  # fmt: skip


def alarms_of(class_code: str) -> list[dict[str, Any]]:
    """Return the alarms of a class in the plant file's format."""
    return [*of_every_machine(), *_OF_CLASS.get(class_code, [])]
