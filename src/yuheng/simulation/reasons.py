"""Why machines of a discrete plant stand: the reason tree of the demo plants, in the plant file format."""

from __future__ import annotations

from typing import Any

_TREE: tuple[tuple[str, str, str, str, str], ...] = (
    # code, parent, Chinese, English, kind of loss ("": that of the parent)
    ("machine", "", "设备故障", "Machine failure", "breakdown"),
    ("mechanical", "machine", "机械", "Mechanical", ""),
    ("electrical", "machine", "电气", "Electrical", ""),
    ("control", "machine", "控制与程序", "Control and program", ""),
    ("sensor", "machine", "传感器", "Sensor", ""),
    ("hydraulic-pneumatic", "machine", "液压与气动", "Hydraulics and pneumatics", ""),
    ("tooling", "machine", "刀具与模具损坏", "Broken tool or die", ""),
    ("utilities", "machine", "水电气供应", "Power, air, water", ""),
    ("setup", "", "换型与调整", "Set-up and adjustment", "setup"),
    ("changeover", "setup", "换产品", "Product change", ""),
    ("tool-change", "setup", "换刀换模", "Tool or die change", ""),
    ("adjustment", "setup", "调整", "Adjustment", ""),
    ("first-piece", "setup", "首件检验", "First-piece inspection", ""),
    ("waiting", "", "等待", "Waiting", "waiting"),
    ("no-material", "waiting", "缺料", "No material", ""),
    ("blocked", "waiting", "下道工序堵塞", "Blocked by the next step", ""),
    ("no-operator", "waiting", "缺人", "No operator", ""),
    ("no-order", "waiting", "无订单", "No order", ""),
    ("no-tool", "waiting", "等刀具夹具", "Waiting for tool or fixture", ""),
    ("no-crane", "waiting", "等吊运", "Waiting for crane or transport", ""),
    ("no-information", "waiting", "等图纸或程序", "Waiting for drawing or program", ""),
    ("maintenance-wait", "waiting", "等维修", "Waiting for maintenance", ""),
    ("quality", "", "质量", "Quality", "waiting"),
    ("inspection", "quality", "等检验", "Waiting for inspection", ""),
    ("bad-material", "quality", "来料不良", "Bad material", ""),
    ("rework", "quality", "返工", "Rework", ""),
    ("minor", "", "短暂停机", "Minor stop", "minor"),
    ("jam", "minor", "卡料", "Jam", ""),
    ("cleaning", "minor", "清理", "Cleaning", ""),
    ("reset", "minor", "复位", "Reset", ""),
    ("planned", "", "计划停机", "Planned stop", "planned"),
    ("break", "planned", "休息", "Break", ""),
    ("maintenance", "planned", "计划保养", "Planned maintenance", ""),
    ("meeting", "planned", "会议培训", "Meeting or training", ""),
    ("trial", "planned", "试制", "Trial run", ""),
)


def reason_tree() -> list[dict[str, Any]]:
    """Return the tree as the section ``reasons`` of a plant file."""
    return [
        {
            "code": code,
            "name_zh": zh,
            "name_en": en,
            **({"parent": parent} if parent else {}),
            **({"loss": loss} if loss else {}),
        }
        for code, parent, zh, en, loss in _TREE
    ]
