"""The recorded machines as equipment: one work unit for each kind of recording, in the plant file format."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from yuheng.simulation.recorded import readers

AREA = "recorded"
SOURCE = "recordings"
DEVICE = "recordings"
TOPIC = "recordings"
TAG_CLASS = "recorded"


@dataclass(frozen=True, slots=True)
class Signal:
    """One tag of a recorded machine."""

    symbol: str
    name_zh: str
    name_en: str
    unit: str = "1"
    data_type: str = "float"


@dataclass(frozen=True, slots=True)
class RecordedMachine:
    """What a kind of recording is shown as.

    Attributes
    ----------
    states
        (state, condition) in the language of the state rules.
    speed
        At which a visitor sees it move, when nobody asked for another.
    no_data_after_s
        Longest silence between two records at that speed, with room.
    """

    kind: str
    work_unit: str
    name_zh: str
    name_en: str
    maker: str
    signals: tuple[Signal, ...]
    states: tuple[tuple[str, str], ...]
    speed: float
    no_data_after_s: float = 60.0


_CURVE_SIGNALS = (
    Signal("torque_nm", "扭矩", "Torque", "N.m"),
    Signal("angle_deg", "角度", "Angle", "deg"),
    Signal("is_running", "拧紧中", "Screwing", data_type="bool"),
    Signal("run_id", "工件码", "Run identifier", data_type="text"),
    Signal("step", "步骤", "Step", data_type="text"),
    Signal("cycle", "循环号", "Cycle number", data_type="int"),
    Signal("result_ok", "结果合格", "Result OK", data_type="bool"),
    Signal("peak_torque_nm", "峰值扭矩", "Peak torque", "N.m"),
    Signal("final_angle_deg", "最终角度", "Final angle", "deg"),
)
_CURVE_STATES = (("producing", "is_running"), ("idle", "not is_running"))

MACHINES: dict[str, RecordedMachine] = {
    machine.kind: machine
    for machine in (
        RecordedMachine(
            readers.WATER_RIG,
            "R01",
            "水循环试验台 (SKAB 实测)",
            "Water-circulation rig (SKAB recording)",
            "SKAB v0.9",
            (
                Signal("vibration1_g", "振动 1 有效值", "Vibration 1 RMS", "[g]"),
                Signal("vibration2_g", "振动 2 有效值", "Vibration 2 RMS", "[g]"),
                Signal("current_a", "电机电流", "Motor current", "A"),
                Signal("pressure_bar", "压力", "Pressure", "bar"),
                Signal("motor_temp_c", "电机温度", "Motor temperature", "Cel"),
                Signal("fluid_temp_c", "液体温度", "Fluid temperature", "Cel"),
                Signal("voltage_v", "电压", "Voltage", "V"),
                Signal("flow_l_min", "流量", "Flow", "L/min"),
                Signal("anomaly_label", "异常标注", "Anomaly label of the data set", data_type="bool"),
                Signal("changepoint_label", "突变标注", "Change-point label of the data set", data_type="bool"),
            ),
            (("producing", "flow_l_min > 1 and voltage_v > 50"), ("idle", "flow_l_min <= 1 or voltage_v <= 50")),
            speed=5,
        ),
        RecordedMachine(
            readers.MACHINE_TEMPERATURE,
            "R02",
            "工业机器部件温度 (NAB 实测)",
            "Industrial machine, temperature of a part (NAB recording)",
            "NAB v1",
            (Signal("temperature_f", "温度", "Temperature", "[degF]"),),
            # Cold is off: the recording has planned shutdowns and failures, and no other signal to tell them apart.
            (("producing", "temperature_f >= 60"), ("idle", "temperature_f < 60")),
            speed=600,
            no_data_after_s=900,
        ),
        RecordedMachine(
            readers.SCREW_STATION,
            "R03",
            "螺丝拧紧工位 (pyscrew 实测)",
            "Screw-driving station (pyscrew recording)",
            "pyscrew",
            _CURVE_SIGNALS,
            _CURVE_STATES,
            speed=1,
        ),
        RecordedMachine(
            readers.NUT_RUNNER,
            "R04",
            "无线拧紧枪 (IPA 实测)",
            "Cordless nut-runner (Fraunhofer IPA recording)",
            "Fraunhofer IPA",
            _CURVE_SIGNALS,
            _CURVE_STATES,
            speed=1,
        ),
        RecordedMachine(
            readers.SERIES,
            "R05",
            "其他时间序列 (NAB)",
            "Another time series (NAB)",
            "NAB v1",
            (Signal("value", "数值", "Value"),),
            (("producing", "value == value"),),
            speed=600,
            no_data_after_s=900,
        ),
    )
}


def recorded_plant(kinds: Collection[str]) -> dict[str, Any]:
    """Describe the machines of these kinds of recordings as part of a site, in the plant file format.

    Their raw values are kept for ever: with their original stamps they are older than any retention.
    """
    machines = [MACHINES[kind] for kind in MACHINES if kind in kinds]
    return {
        "format": "yuheng/plant-1",
        "tag_classes": [
            {"code": TAG_CLASS, "raw_days": 0, "minute_days": 0, "hour_days": 0, "is_time_weighted": False}
        ],
        "classes": [_class(machine) for machine in machines],
        "areas": [
            {
                "code": AREA,
                "name_zh": "实测回放",
                "name_en": "Recorded machines",
                "work_centers": [
                    {
                        "code": AREA,
                        "name_zh": "实测回放",
                        "name_en": "Recorded machines",
                        "work_units": [_work_unit(machine) for machine in machines],
                    }
                ],
            }
        ],
        "sources": [
            {
                "code": SOURCE,
                "connector": "mqtt_json",
                "topics": [f"{TOPIC}/#"],
                "settings": {"time_format": "us"},
                "is_enabled": True,
            }
        ],
        "tags": [_tag(machine, signal) for machine in machines for signal in machine.signals],
    }


def _class(machine: RecordedMachine) -> dict[str, Any]:
    return {
        "code": f"recorded-{machine.kind}",
        "name_zh": machine.name_zh,
        "name_en": machine.name_en,
        "no_data_after_s": machine.no_data_after_s,
        "states": [{"state": state, "when": when, "cause": ""} for state, when in machine.states],
        "causes": [],
    }


def _work_unit(machine: RecordedMachine) -> dict[str, Any]:
    return {
        "code": machine.work_unit,
        "name_zh": machine.name_zh,
        "name_en": machine.name_en,
        "class": f"recorded-{machine.kind}",
        "asset": {"serial": f"recorded-{machine.work_unit}", "maker": machine.maker, "model": machine.kind},
    }


def _tag(machine: RecordedMachine, signal: Signal) -> dict[str, Any]:
    return {
        "source": SOURCE,
        "address": f"{machine.work_unit}/{signal.symbol}",
        "work_unit": machine.work_unit,
        "symbol": signal.symbol,
        "role": "",
        "data_type": signal.data_type,
        "unit": signal.unit,
        "name_zh": signal.name_zh,
        "name_en": signal.name_en,
        "tag_class": TAG_CLASS,
        "stale_after_s": machine.no_data_after_s,
    }
