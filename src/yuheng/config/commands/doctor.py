"""``yuheng doctor``: check this machine, one line each, and say what to do."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from yuheng.bus.messages import Health
from yuheng.bus.subjects import live_health
from yuheng.bus.wire import WireError, connect, type_raw
from yuheng.config.running import NothingRuns, find_running
from yuheng.config.supervisor import broker, postgres
from yuheng.config.supervisor.errors import CannotStart
from yuheng.config.supervisor.places import Places, default_data_dir, supervisor_of
from yuheng.config.supervisor.plant import Choices
from yuheng.config.supervisor.ports import is_free, listener
from yuheng.config.supervisor.postgres import Postgres
from yuheng.people import oidc
from yuheng.upkeep import checks
from yuheng.upkeep.picture import gather

HELP = "Check this machine: one line each, OK, warn or FAIL, and what to do. Exit code 1 when something fails."
HEARD_WITHIN_S = 2.5


@dataclass(frozen=True, slots=True)
class Finding:
    """One line: ``level`` is ok, warn or fail; ``advice`` says what to do."""

    level: str
    subject: str
    text: str
    advice: str = ""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Offer the place to look at, and JSON."""
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--data-dir", type=Path, default=None, metavar="DIR", help="the data directory of `yuheng up`")


def run(args: argparse.Namespace) -> int:
    """Check everything."""
    places = Places(args.data_dir.expanduser().absolute() if args.data_dir else default_data_dir())
    findings = list(examine(places))
    if args.json:
        sys.stdout.write(json.dumps({"findings": [asdict(finding) for finding in findings]}, ensure_ascii=False) + "\n")
    else:
        for finding in findings:
            sys.stdout.write(_line(finding))
    return 1 if any(finding.level == "fail" for finding in findings) else 0


def examine(places: Places) -> Iterator[Finding]:
    """Yield one finding a check, in the order a person would look."""
    yield _python()
    yield _program("postgres", lambda: postgres.binaries() / "postgres")
    yield _program("nats-server", broker.binary)
    yield _data_dir(places)
    yield _time_zones()
    yield from _running(places) if supervisor_of(places) else _ports()
    yield from _shared(places)
    yield _chinese_font()
    yield _chromium()


def _python() -> Finding:
    version = ".".join(str(part) for part in sys.version_info[:3])
    if sys.prefix == sys.base_prefix:
        return Finding("warn", "python", version, "This is the system's Python, not .venv; run make setup.")
    return Finding("ok", "python", version)


def _program(name: str, find: Callable[[], Path]) -> Finding:
    try:
        path = find()
        done = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=20, check=True)
    except CannotStart as error:
        return Finding("fail", name, str(error))
    except (OSError, subprocess.SubprocessError) as error:
        return Finding(
            "fail",
            name,
            f"does not run: {error}",
            "This machine may lack a system library; set its address to use one of yours.",
        )
    return Finding("ok", name, done.stdout.strip())


def _data_dir(places: Places) -> Finding:
    folder = places.data_dir
    existing = next(step for step in (folder, *folder.parents) if step.exists())
    try:
        probe = existing / ".yuheng-doctor"
        probe.touch()
        probe.unlink()
    except OSError as error:
        return Finding(
            "fail", "data", f"{folder} cannot be written ({error.strerror})", "Choose another with --data-dir."
        )
    return Finding("ok", "data", f"{folder} can be written")


def _time_zones() -> Finding:
    try:
        offset = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime())
        ZoneInfo("Asia/Shanghai")
    except ZoneInfoNotFoundError:
        return Finding("fail", "clock", "time zone data are missing", "Install the package tzdata: pip install tzdata.")
    if time.time() < 1_735_689_600:  # 2025-01-01: a machine without a clock battery starts in 1970
        return Finding(
            "fail", "clock", f"it is {offset} UTC here", "Set the clock: readings would be stored in the past."
        )
    return Finding("ok", "clock", f"{offset} UTC; time zones known")


def _ports() -> Iterator[Finding]:
    usual = Choices(data_dir=Path())
    for name, port, option in (
        ("web port", usual.web_port, "--web-port"),
        ("HTTP port", usual.gateway_port, "--gateway-port"),
        ("MQTT port", usual.mqtt_port, "--mqtt-port"),
    ):
        if is_free(usual.host, port):
            yield Finding("ok", name, f"{port} is free")
        else:
            yield Finding(
                "warn", name, f"{port} is taken {listener(port)}".rstrip(), f"Start with {option} 0 or another."
            )


def _running(places: Places) -> Iterator[Finding]:
    """Look at the engines of a running installation."""
    try:
        status: dict[str, Any] = json.loads(places.status_file.read_text(encoding="utf-8"))
        secrets: dict[str, str] = json.loads((places.data_dir / "secrets.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        yield Finding(
            "warn", "running", "the supervisor runs but has not written its status yet", "Look again in a second."
        )
        return
    if port := status["ports"]["pg"]:
        answers = Postgres(places.data_dir / "postgres", port=port, password=secrets["postgres"]).accepts_connections()
        yield Finding(
            "ok" if answers else "fail",
            "database",
            "answers" if answers else "does not answer",
            "" if answers else f"See {places.logs / 'postgres.log'}.",
        )
    for name, host, port in (
        ("nats", status["nats"]["host"], status["nats"]["port"]),
        ("mqtt", status["mqtt"]["host"], status["mqtt"]["port"]),
    ):
        reached = _reaches(host, port)
        yield Finding(
            "ok" if reached else "fail",
            f"{name} door",
            f"{host}:{port} {'answers' if reached else 'does not answer'}",
            "" if reached else f"See {places.logs / 'nats.log'}.",
        )


def _shared(places: Places) -> Iterator[Finding]:
    """Look at what the administrators' page looks at: the very same checks."""
    database_url, health = "", {}
    with suppress(NothingRuns):
        running = find_running(places.data_dir)
        environment = os.environ | running.environment
        database_url = environment["DATABASE_URL"]
        with suppress(OSError, WireError, TimeoutError):
            health = asyncio.run(_hear(environment["NATS_URL"]))
    place = os.environ.get("YUHENG_BACKUP_DIR", "")
    picture = gather(
        data_dir=places.data_dir,
        database_url=database_url,
        health=health,
        backup_place=place,
        sign_on=oidc.state_of(places.data_dir),
    )
    for one in checks.findings(picture):
        text, advice = one.say()
        yield Finding(one.level, one.subject, text, advice)


async def _hear(nats_url: str) -> dict[str, dict[str, Any]]:
    """Listen until each process has said how it is; they do once a second."""
    heard: dict[str, dict[str, Any]] = {}
    everybody = asyncio.Event()

    def take(items: list[type_raw]) -> None:
        for item in items:
            with suppress(msgspec.DecodeError):
                line = msgspec.json.decode(item[3], type=Health)
                heard[line.process] = line.facts
        if heard.keys() >= {"historian", "gateway", "worker"}:
            everybody.set()

    connection = await connect(nats_url, name="yuheng-doctor")
    try:
        connection.subscribe(live_health("*"), take)
        with suppress(TimeoutError):
            async with asyncio.timeout(HEARD_WITHIN_S):
                await everybody.wait()
    finally:
        connection.close()
    return heard


def _reaches(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port), timeout=2).close()
    except OSError:
        return False
    return True


def _chinese_font() -> Finding:
    lister = shutil.which("fc-list")
    if lister is None:
        return Finding("ok", "font", "not looked at: fontconfig is not installed (needed for pictures and PDF only)")
    done = subprocess.run([lister, ":lang=zh", "family"], capture_output=True, text=True, check=False, timeout=20)
    if not done.stdout.strip():
        return Finding(
            "warn",
            "font",
            "no Chinese font on this machine",
            "Only for pictures and PDF made here: install fonts-noto-cjk.",
        )
    return Finding("ok", "font", done.stdout.splitlines()[0].split(",")[0])


def _chromium() -> Finding:
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if path := shutil.which(name):
            return Finding("ok", "chromium", path)
    return Finding("ok", "chromium", "not installed (needed for browser tests only; make test installs it)")


def _line(finding: Finding) -> str:
    mark = {"ok": "OK  ", "warn": "warn", "fail": "FAIL"}[finding.level]
    advice = f"  -> {finding.advice}" if finding.advice else ""
    return f"{mark} {finding.subject:<12} {finding.text}{advice}\n"
