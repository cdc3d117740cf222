"""What can be known about an installation, gathered in one picture: from its files, its database and its processes.

Shared by the administrators' page, ``/metrics``, the API and ``yuheng doctor``, so that they never disagree.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import shutil
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil
import psycopg

from yuheng import __version__
from yuheng.upkeep import backups, forgetting, growth
from yuheng.upkeep.backups import Attempt
from yuheng.upkeep.certificates import Certificate, TlsPlaces, TlsRefused, describe

FULL_AT_BYTES = 500_000_000
"""Below this the historian holds the log."""
_TIME_ERROR, _STA_UNSYNC = 5, 0x0040


@dataclass(frozen=True, slots=True)
class Service:
    """One process; ``rss_bytes`` 0 when it does not run. Times are seconds since 1970."""

    name: str
    state: str
    since: float | None
    restarts: int
    last_exit: str
    reason: str
    rss_bytes: int


@dataclass(frozen=True, slots=True)
class SourceAge:
    """How old the newest reading of an enabled source is, seconds; None when none came since the historian started."""

    id: int
    code: str
    site: str
    age_s: float | None


@dataclass(slots=True)
class Picture:
    """Everything at one moment; None and empty say: not known."""

    at: datetime
    version: str = __version__
    running_version: str = ""
    is_running: bool = False
    url: str = ""
    services: list[Service] = field(default_factory=list)
    complaint: str = ""
    health: dict[str, dict[str, Any]] = field(default_factory=dict)
    sources: list[SourceAge] = field(default_factory=list)
    outbox_waiting: int | None = None
    outbox_oldest_s: float | None = None
    outbox_poisoned: int | None = None
    dead_letters_open: int | None = None
    database_version: str = ""
    database_bytes: int | None = None
    database_skew_s: float | None = None
    database_error: str = ""
    migrations: dict[str, str] = field(default_factory=dict)
    disk_free: int = 0
    disk_total: int = 0
    disk_days_left: float | None = None
    memory_available: int = 0
    memory_total: int = 0
    is_clock_synchronised: bool | None = None
    certificates: dict[str, Certificate] = field(default_factory=dict)
    certificate_errors: dict[str, str] = field(default_factory=dict)
    backup_place: str = ""
    last_backup: Attempt | None = None
    last_attempt: Attempt | None = None
    log_bytes: int = 0
    forgotten: list[forgetting.Run] = field(default_factory=list)
    sign_on_issuer: str = ""
    sign_on_error: str = ""


def gather(
    *,
    data_dir: Path,
    database_url: str,
    health: Mapping[str, dict[str, Any]],
    backup_place: str = "",
    sign_on: tuple[str, str] = ("", ""),
    at: datetime | None = None,
) -> Picture:
    """Look at everything; what cannot be looked at is left unknown. Some 20 ms.

    ``sign_on``: issuer of single sign-on, and what is wrong with its settings; both empty without one.
    """
    now = at or datetime.now(UTC)
    picture = Picture(at=now, health=dict(health), backup_place=backup_place)
    picture.sign_on_issuer, picture.sign_on_error = sign_on
    _look_at_status(picture, data_dir)
    _look_at_machine(picture, data_dir)
    _look_at_files(picture, data_dir)
    if database_url:
        _ask_database(picture, database_url)
    return picture


def _look_at_status(picture: Picture, data_dir: Path) -> None:
    try:
        status = json.loads((data_dir / "run" / "status.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return
    picture.is_running = bool(status.get("is_ready"))
    picture.running_version = str(status.get("version", ""))
    picture.url = str(status.get("url", ""))
    picture.complaint = str(status.get("devices_complaint") or "")
    for name, one in status.get("services", {}).items():
        picture.services.append(
            Service(
                name,
                str(one.get("state", "")),
                one.get("since"),
                int(one.get("restarts", 0)),
                str(one.get("last_exit") or ""),
                str(one.get("reason") or ""),
                _memory_of(one.get("pid")),
            )
        )
    if tls := status.get("tls"):
        _look_at_certificate(picture, "server", Path(tls["certificate"]))
        if (authority := TlsPlaces(data_dir / "tls")).server.certificate == Path(tls["certificate"]):
            _look_at_certificate(picture, "authority", authority.ca)


def _look_at_certificate(picture: Picture, name: str, path: Path) -> None:
    try:
        picture.certificates[name] = describe(path)
    except TlsRefused as error:
        picture.certificate_errors[name] = str(error)


def _memory_of(pid: int | None) -> int:
    if pid is None:
        return 0
    try:
        return int(psutil.Process(pid).memory_info().rss)
    except psutil.Error:
        return 0


def _look_at_machine(picture: Picture, data_dir: Path) -> None:
    existing = next(step for step in (data_dir, *data_dir.parents) if step.exists())
    disk, memory = shutil.disk_usage(existing), psutil.virtual_memory()
    picture.disk_free, picture.disk_total = disk.free, disk.total
    picture.memory_available, picture.memory_total = int(memory.available), int(memory.total)
    picture.disk_days_left = growth.days_until_full(
        growth.samples(data_dir), at=picture.at.timestamp(), reserve=FULL_AT_BYTES
    )
    picture.is_clock_synchronised = clock_is_synchronised()


def _look_at_files(picture: Picture, data_dir: Path) -> None:
    attempts = backups.attempts(data_dir)
    picture.last_attempt = attempts[-1] if attempts else None
    picture.last_backup = backups.newest_good(data_dir)
    picture.forgotten = forgetting.newest(data_dir)
    with contextlib.suppress(OSError):
        picture.log_bytes = sum(path.stat().st_size for path in (data_dir / "logs").glob("*.log*"))


_QUESTIONS = {
    "outbox": "SELECT count(*), extract(epoch FROM now() - min(at))::float8 FROM kernel_outboxevent "
    "WHERE delivered_at IS NULL AND poisoned_at IS NULL",
    "poisoned": "SELECT count(*) FROM kernel_outboxevent WHERE poisoned_at IS NOT NULL AND delivered_at IS NULL",
    "dead": "SELECT count(*) FROM telemetry_deadlettergroup WHERE state = 'open'",
    "sources": "SELECT s.id, s.code, k.code FROM telemetry_datasource s JOIN kernel_site k ON k.id = s.site_id "
    "WHERE s.is_enabled ORDER BY k.code, s.code",
    "migrations": "SELECT app, max(name) FROM django_migrations GROUP BY app ORDER BY app",
}


def _ask_database(picture: Picture, url: str) -> None:
    try:
        with psycopg.connect(url, connect_timeout=3, options="-c statement_timeout=5000") as session:
            before = time.time()
            row = session.execute(
                "SELECT extract(epoch FROM clock_timestamp())::float8, pg_database_size(current_database()), "
                "current_setting('server_version')"
            ).fetchone()
            if row is not None:
                picture.database_skew_s = float(row[0]) - (before + time.time()) / 2
                picture.database_bytes, picture.database_version = int(row[1]), str(row[2])
            answers = {name: session.execute(question).fetchall() for name, question in _QUESTIONS.items()}
    except psycopg.Error as error:
        picture.database_error = " ".join(str(error).split())[:300]
        return
    picture.outbox_waiting, picture.outbox_oldest_s = answers["outbox"][0]
    picture.outbox_poisoned = answers["poisoned"][0][0]
    picture.dead_letters_open = answers["dead"][0][0]
    picture.migrations = dict(answers["migrations"])
    heard = picture.health.get("historian", {}).get("data_time_us", {})
    now_us = picture.at.timestamp() * 1e6
    for source_id, code, site in answers["sources"]:
        newest = heard.get(str(source_id))
        age = max((now_us - newest) / 1e6, 0.0) if newest else None
        picture.sources.append(SourceAge(source_id, code, site, age))


class _Timex(ctypes.Structure):
    _fields_ = [  # linux/timex.h, as far as the status; the rest is room
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("room", ctypes.c_char * 256),
    ]


def clock_is_synchronised() -> bool | None:
    """Return whether a time service steers this machine's clock, as the kernel knows it; None where it cannot tell.

    References
    ----------
    adjtimex(2): ``STA_UNSYNC``, and ``TIME_ERROR`` as the result.
    """
    if not sys.platform.startswith("linux"):
        return None
    try:
        state = _Timex()
        result = ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.byref(state))
    except (OSError, AttributeError):
        return None
    return None if result < 0 else result != _TIME_ERROR and not state.status & _STA_UNSYNC
