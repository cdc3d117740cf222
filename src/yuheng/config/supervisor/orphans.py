"""Children that outlived a killed supervisor: remembered in ``run/children.json``, stopped at the next start."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import psutil

from yuheng.config.supervisor.places import Places, identity, same_process, write_private


def remember(places: Places, children: Mapping[str, tuple[int, int]]) -> None:
    """Write down who runs: name -> (pid, stop signal)."""
    known: dict[str, Any] = {}
    for name, (pid, stop_signal) in children.items():
        with suppress(psutil.Error):
            known[name] = identity(pid) | {"stop_signal": stop_signal}
    write_private(places.children_file, json.dumps(known))


def stop_orphans(places: Places, *, patience_s: float = 5.0) -> list[str]:
    """Stop what an earlier supervisor left running; return one sentence each.

    Only a process whose pid *and* start time are the remembered ones is touched.
    """
    try:
        known = json.loads(places.children_file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return []
    living = {name: process for name, entry in known.items() if (process := same_process(entry))}
    for name, process in living.items():
        with suppress(psutil.Error):
            process.send_signal(known[name].get("stop_signal", signal.SIGTERM))
    _, stubborn = psutil.wait_procs(list(living.values()), timeout=patience_s)
    for process in stubborn:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)  # each child leads its own group
    psutil.wait_procs(stubborn, timeout=patience_s)
    places.children_file.unlink(missing_ok=True)
    return [
        f"{name:<11} was left running (pid {process.pid}) by a supervisor that was killed; it is stopped"
        for name, process in living.items()
    ]
