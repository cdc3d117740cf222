"""The installation that runs on a data directory, as a command from another shell sees it."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import django

from yuheng.config.supervisor.broker import USER as NATS_USER
from yuheng.config.supervisor.places import Places, default_data_dir, passwords, supervisor_of
from yuheng.config.supervisor.postgres import Postgres


class NothingRuns(Exception):
    """There is no running installation on the data directory; the sentence says how to start one."""


@dataclass(frozen=True, slots=True)
class Running:
    """Where a running installation is reached.

    Attributes
    ----------
    status
        What ``yuheng status --json`` says.
    environment
        What its own processes are told: addresses with secrets. Never print it.
    """

    places: Places
    status: dict[str, Any]
    environment: dict[str, str]

    @property
    def mqtt(self) -> tuple[str, int]:
        """Host and port of the door for devices."""
        return str(self.status["mqtt"]["host"]), int(self.status["mqtt"]["port"])

    def set_up_django(self) -> None:
        """Let this process use the installation's database and bus."""
        os.environ.update(self.environment)
        django.setup()


def find_running(data_dir: Path | None) -> Running:
    """Return the installation that runs on a data directory (default: the one `yuheng up` uses).

    Raises
    ------
    NothingRuns
        Nothing runs there, or it is not ready yet.
    """
    places = Places(data_dir.expanduser().absolute() if data_dir else default_data_dir())
    if supervisor_of(places) is None:
        raise NothingRuns(f"Nothing runs on {places.data_dir}. Start it with: yuheng up")
    try:
        status = json.loads(places.status_file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        status = {}
    if not status.get("is_ready"):
        raise NothingRuns(f"The installation on {places.data_dir} is still starting. Try again in a few seconds.")
    return Running(places, status, _environment(places, status))


def _environment(places: Places, status: dict[str, Any]) -> dict[str, str]:
    secrets = passwords(places)
    ports = status["ports"]
    told = {
        "YUHENG_DATA_DIR": str(places.data_dir),
        "YUHENG_MQTT_PORT": str(status["mqtt"]["port"]),
        "YUHENG_DEMO": "1" if status.get("is_demo") else "",
        "DJANGO_SETTINGS_MODULE": "yuheng.config.settings",
        "YUHENG_TLS_CERT": (status.get("tls") or {}).get("certificate", ""),
        "YUHENG_TLS_KEY": (status.get("tls") or {}).get("key", ""),
        "YUHENG_MQTT_TLS": "1" if status["mqtt"].get("tls") else "",
    }
    if ports["pg"] is not None:  # else DATABASE_URL is set for us as it was for `yuheng up`
        postgres = Postgres(places.data_dir / "postgres", port=ports["pg"], password=secrets.postgres)
        told["DATABASE_URL"] = postgres.url()
    if ports["nats"] is not None:
        told["NATS_URL"] = f"nats://{NATS_USER}:{secrets.nats}@{status['nats']['host']}:{status['nats']['port']}"
    missing = [name for name in ("DATABASE_URL", "NATS_URL") if name not in told and not os.environ.get(name)]
    if missing:
        raise NothingRuns(f"Set {' and '.join(missing)} as for `yuheng up`: this installation uses an engine of yours.")
    return told
