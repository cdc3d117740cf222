"""``yuheng status``: what runs, where, and since when."""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

from yuheng.config.supervisor.places import Places, default_data_dir, supervisor_of

HELP = "Say what runs, where, and since when. Exit code 3 when nothing runs."
NOT_RUNNING = 3
LONGEST_WORDS = 200


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Offer the place to look at, and JSON."""
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--data-dir", type=Path, default=None, metavar="DIR", help="the data directory of `yuheng up`")


def run(args: argparse.Namespace) -> int:
    """Read what the supervisor wrote, and check that it lives."""
    places = Places(args.data_dir.expanduser().absolute() if args.data_dir else default_data_dir())
    pid = supervisor_of(places)
    status = _read(places) if pid is not None else None
    if status is None:
        return _say_nothing_runs(places, as_json=args.json)
    status["supervisor"] = {"pid": pid}
    sys.stdout.write(json.dumps(status, ensure_ascii=False, indent=2) + "\n" if args.json else _table(status))
    return 0


def _read(places: Places) -> dict[str, Any] | None:
    """Return the status; None while the supervisor has not written one of its own."""
    try:
        if places.status_file.stat().st_mtime < (places.run / "supervisor.lock").stat().st_mtime:
            return None
        found = json.loads(places.status_file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def _say_nothing_runs(places: Places, *, as_json: bool) -> int:
    if as_json:
        sys.stdout.write(json.dumps({"running": False, "data_dir": str(places.data_dir), "services": {}}) + "\n")
    else:
        sys.stdout.write(f"Nothing runs on {places.data_dir}. Start it with: yuheng up\n")
    return NOT_RUNNING


def _table(status: dict[str, Any]) -> str:
    lines = [f"Yuheng {status['version']}   {status['url']}   data {status['data_dir']}", ""]
    for name, service in status["services"].items():
        since = f"for {_duration(time.time() - service['since'])}" if service["since"] else ""
        pid = f"pid {service['pid']}" if service["pid"] else ""
        lines.append(f"{name:<11} {service['state']:<9} {pid:<12} {since:<12} restarts {service['restarts']}")
        if service["last_exit"]:
            lines.append(f"{'':<11} last end: {service['last_exit']}. {_brief(service['reason'] or '')}".rstrip())
    mqtt = status["mqtt"]
    lines += ["", f"MQTT {mqtt['host']}:{mqtt['port']}   HTTP push {status['gateway_url']}"]
    if status.get("devices_complaint"):
        lines.append(status["devices_complaint"])
    return "\n".join(lines) + "\n"


def _brief(words: str) -> str:
    """Return the end of a process's last words: the reason comes last, and a statement of SQL fills no screen.

    Examples
    --------
    >>> _brief("short"), len(_brief("x" * 999)) <= LONGEST_WORDS
    ('short', True)
    """
    return words if len(words) <= LONGEST_WORDS else f"… {words[2 - LONGEST_WORDS :]}"


def _duration(seconds: float) -> str:
    """Say a duration in its largest unit.

    Examples
    --------
    >>> _duration(59), _duration(7300), _duration(200000)
    ('59 s', '2.0 h', '2.3 d')
    """
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.0f} s"
