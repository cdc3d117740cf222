"""What every machine of the demo plants is watched for, and how an alarm is written down."""

# ruff: noqa: E501

from __future__ import annotations

from typing import Any

STOPPED_S = 900


def alarm(code: str, when: str, zh: str, en: str, todo_zh: str, todo_en: str, **more: Any) -> dict[str, Any]:
    """Return an alarm of a class in the plant file's format."""
    return {
        "code": code,
        "when": when,
        "name_zh": zh,
        "name_en": en,
        "guidance_zh": todo_zh,
        "guidance_en": todo_en,
        **more,
    }


def of_every_machine() -> list[dict[str, Any]]:
    """Return what every machine of a demo plant is watched for."""
    return [
        alarm(
            "stopped", "state == down", "停机过久", "Down for long",
            "到现场确认故障，按故障代码处理；预计超过 30 分钟时通知调度改派。",
            "Go there, act on the fault code; when it will take more than 30 min, tell the dispatcher to move the orders.",
            priority="high", on_delay_s=STOPPED_S, response_time_s=600, category="equipment",
            message_zh="{unit_name} 停机超过 15 分钟，故障代码 {cause}", message_en="{unit} down for more than 15 min, fault {cause}",
            consequence_zh="后工序缺料，订单延误。", consequence_en="The next step runs out of material; orders are late.",
        ),
        alarm(
            "no-signal", "state == no_data", "设备无信号", "No signal",
            "检查设备电源和网络；数据恢复前按现场情况调度。",
            "Check power and network of the machine; until data comes back, dispatch by what is seen on the floor.",
            priority="medium", on_delay_s=120, category="communication", acknowledge_required=True,
            message_zh="{unit_name} 超过 3 分钟没有数据", message_en="{unit} has sent nothing for more than 3 min",
        ),
    ]  # fmt: skip
