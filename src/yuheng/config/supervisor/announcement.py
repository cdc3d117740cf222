"""The last lines of a start: addresses and people, in both languages."""

from __future__ import annotations

import os
import sys
from typing import Any


def lines(status: dict[str, Any], administrator: dict[str, str] | None, *, seconds: float) -> list[str]:
    """Return what the console says once everything serves.

    Parameters
    ----------
    administrator
        Username and password when the first administrator was made just now; shown here and never again.
    """
    mqtt = status["mqtt"]
    said = [
        "",
        f"玉衡 Yuheng {status['version']} 已就绪 is ready ({seconds:.1f} s)",
        f"  网页 Web          {status['url']}",
        f"  MQTT              {mqtt['host']}:{mqtt['port']}",
        f"  HTTP 推送 push    {status['gateway_url']}",
        f"  数据 Data         {status['data_dir']}",
    ]
    if administrator is not None:
        said.append(
            f"  管理员 Admin      {administrator['username']} / {administrator['password']}   (只显示一次 shown once)"
        )
    said += _demo(status.get("demo"))
    said.append("  停止 Stop         Ctrl-C")
    return said


def has_screen() -> bool:
    """Return whether a browser could be shown: a person at a terminal of a machine with a screen."""
    is_attended = sys.stdout is not None and sys.stdout.isatty()
    return is_attended and (
        sys.platform == "darwin" or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
    )


def _demo(demo: dict[str, Any] | None) -> list[str]:
    if not demo:
        return []
    said = ["  演示人员 People   登录页一键进入 one click on the sign-in page:"]
    said += [f"                    {_person(person)}" for person in demo.get("people", [])]
    if device := demo.get("device"):
        said.append(
            f"  演示设备 Device   {device.get('username')} / {device.get('password')}   topic {device.get('topic')}"
        )
    return said


def _person(person: Any) -> str:
    if not isinstance(person, dict):
        return str(person)
    names = [str(person[key]) for key in ("username", "name", "name_zh", "name_en", "role") if person.get(key)]
    return " · ".join(dict.fromkeys(names))
