"""An installation for one bench: ``yuheng up`` as a child, in a temporary directory, on free ports; gone afterwards."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil

from yuheng.bench.broker import stop
from yuheng.bench.historian import Bus
from yuheng.bench.report import Reporter
from yuheng.bench.waiting import wait_until
from yuheng.bus.wire import WireError

START_DEADLINE_S = 900.0
"""A machine full of others' work starts slowly; one that cannot start ends by itself long before."""
TELL_EVERY_S = 20.0
STOP_DEADLINE_S = 20.0
SMALL_DISK_BYTES = 3_000_000_000
FULL_DISK_LEAVES_BYTES = 20_000_000
CONFIGURED_DEADLINE_S = 60.0
COMMAND = (sys.executable, "-m", "yuheng.config.cli")

ADMINISTRATOR = re.compile(r"Admin\s+(?P<username>\S+) / (?P<password>\S+)")

FORBIDDEN_VARIABLES = ("DATABASE_URL", "NATS_URL", "YUHENG_STORE_URL", "YUHENG_DATA_DIR", "YUHENG_DEMO")
"""They would lead the bench to somebody's running installation."""


class Stack:
    """A running installation of our own."""

    def __init__(self, data_dir: Path, process: subprocess.Popen[bytes]) -> None:
        self.data_dir = data_dir
        self._process = process
        self._bus: Bus | None = None

    def status(self) -> dict[str, Any]:
        """Return what ``yuheng status --json`` says; empty while it says nothing.

        The supervisor's own file is read: a process of Python a look would take the time from those that start.
        """
        if self._process.poll() is not None:
            return {}
        try:
            answer = json.loads((self.data_dir / "run" / "status.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return answer if isinstance(answer, dict) else {}

    def waits_for(self) -> str:
        """Return which services are not ready yet, each with what it last said."""
        services = self.status().get("services", {})
        late = [
            f"{name} ({service.get('state', 'not begun')}, {service.get('restarts') or 0} restarts)"
            for name, service in services.items()
            if not is_serving(service)
        ]
        return ", ".join(late) or ("the first look of the supervisor" if not services else "the last step of the start")

    def wait_until_ready(self, reporter: Reporter, deadline_s: float = START_DEADLINE_S) -> None:
        """Wait until every service runs; say now and then what is waited for.

        Raises
        ------
        RuntimeError
            ``yuheng up`` has ended.
        TimeoutError
            It is not ready in time; the sentence names what is not, and the last words of ``yuheng up``.
        """
        began = told = time.monotonic()
        while not self.is_ready():
            now = time.monotonic()
            if now - began > deadline_s:
                raise TimeoutError(
                    f"`yuheng up` did not serve within {deadline_s:.0f} s (load {os.getloadavg()[0]:.0f}): "
                    f"it waits for {self.waits_for()}. Its last words: {self.log_tail()[-800:]}"
                )
            if now - told > TELL_EVERY_S:
                told = now
                reporter.step(f"still starting (load {os.getloadavg()[0]:.0f}): waits for {self.waits_for()}")
            time.sleep(0.1)

    def pids(self) -> dict[str, int]:
        """Return service -> pid of what runs now, the supervisor among them."""
        services = self.status().get("services", {})
        found = {name: int(service["pid"]) for name, service in services.items() if service.get("pid")}
        return {"supervisor": self._process.pid, **found}

    @property
    def url(self) -> str:
        """Address of the pages and the API, without a slash at the end."""
        return str(self.status()["url"]).rstrip("/")

    @property
    def mqtt_port(self) -> int:
        """Port of the MQTT door on loopback."""
        return int(self.status()["mqtt"]["port"])

    @property
    def gateway_url(self) -> str:
        """Address of the HTTP door for devices."""
        return str(self.status()["gateway_url"]).rstrip("/")

    @property
    def nats_url(self) -> str:
        """Address of the bus with its internal user; never printed."""
        password = json.loads((self.data_dir / "secrets.json").read_text())["nats"]
        return f"nats://yuheng:{password}@127.0.0.1:{self.status()['nats']['port']}"

    @property
    def bus(self) -> Bus:
        """A connection to the bus, made when first asked for."""
        if self._bus is None:
            self._bus = Bus(self.nats_url)
        return self._bus

    def import_plant(self, plant: dict[str, Any]) -> None:
        """Import a plant file and wait until the configuration document has its tags.

        Raises
        ------
        RuntimeError
            ``yuheng import`` refused it.
        """
        path = self.data_dir / "bench-plant.json"
        path.write_text(json.dumps(plant, ensure_ascii=False), encoding="utf-8")
        done = run_command(["import", str(path), "--data-dir", str(self.data_dir)])
        path.unlink()  # it holds device passwords
        if done.returncode != 0:
            raise RuntimeError(f"yuheng import refused the plant: {(done.stderr or done.stdout).strip()[-2000:]}")
        codes = {source["code"] for source in plant["sources"]}
        wait_until(
            lambda: self._knows(codes, len(plant["tags"])),
            what="the configuration document to hold the imported tags",
            deadline_s=CONFIGURED_DEADLINE_S,
        )

    def _knows(self, source_codes: set[str], tag_count: int) -> bool:
        try:
            plant = self.bus.plant()
        except WireError:  # while the broker takes in new devices it may refuse whoever comes: ask again
            return False
        if plant is None:
            return False
        sources = {source.id for source in plant.sources if source.code in source_codes}
        return sum(tag.source_id in sources for tag in plant.tags) >= tag_count

    def administrator(self) -> tuple[str, str]:
        """Return user name and password of the first administrator, as ``yuheng up`` printed them once.

        Raises
        ------
        LookupError
            It printed none.
        """
        for line in (self.data_dir / "up.log").read_text(errors="replace").splitlines():
            if found := ADMINISTRATOR.search(line):
                return found["username"], found["password"]
        raise LookupError(f"yuheng up printed no administrator: {self.log_tail()}")

    def fill_disk(self, filler: Path) -> None:
        """Take what the disk has left but a little; only ever on the small disk of our own."""
        if not os.path.ismount(self.data_dir):
            raise RuntimeError("This would fill a disk that is not ours.")
        with filler.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, max(shutil.disk_usage(self.data_dir).free - FULL_DISK_LEAVES_BYTES, 1))

    def is_ready(self) -> bool:
        """Return whether every service runs.

        Raises
        ------
        RuntimeError
            ``yuheng up`` has ended.
        """
        if self._process.poll() is not None:
            raise RuntimeError(f"yuheng up ended with {self._process.returncode}: {self.log_tail()}")
        return bool(self.status().get("is_ready"))

    def log_tail(self) -> str:
        """Return the end of what ``yuheng up`` printed."""
        return (self.data_dir / "up.log").read_text(errors="replace")[-3000:]

    def close(self) -> None:
        """Stop everything, and see to it that nothing stays."""
        if self._bus is not None:
            self._bus.close()
        with suppress(OSError, ValueError, KeyError):
            children = (
                psutil.Process(self._process.pid).children(recursive=True) if self._process.poll() is None else []
            )
            stop(self._process, STOP_DEADLINE_S)
            for child in children:
                with suppress(psutil.NoSuchProcess):
                    child.kill()


def is_serving(service: dict[str, Any]) -> bool:
    """Return whether a service of ``yuheng status --json`` runs and is ready."""
    return bool(service.get("pid")) and str(service.get("state", "")) in {"ready", "external"}


def run_command(words: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """Run ``yuheng WORDS`` and return its outcome."""
    return subprocess.run([*COMMAND, *words], capture_output=True, text=True, check=False, env=clean_environment())


def clean_environment() -> dict[str, str]:
    """Return our environment without what would point at another installation."""
    return {name: value for name, value in os.environ.items() if name not in FORBIDDEN_VARIABLES}


@contextmanager
def _place(*, small_disk: bool) -> Iterator[Path]:
    """Hand out an empty directory of our own; with ``small_disk`` on a small file system of its own (tmpfs).

    Raises
    ------
    PermissionError
        A small disk was asked for, and this user may not mount one.
    """
    with tempfile.TemporaryDirectory(prefix="yuheng-bench-", ignore_cleanup_errors=True) as name:
        if not small_disk:
            yield Path(name)
            return
        options = f"size={SMALL_DISK_BYTES},mode=755"
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", name], capture_output=True, text=True)
        if mounted.returncode != 0:
            raise PermissionError(
                f"A full disk can only be tried as root (it mounts a tmpfs): {mounted.stderr.strip()}"
            )
        try:
            yield Path(name)
        finally:
            subprocess.run(["umount", "--lazy", name], check=False)


def _interrupt(_signal: int, _frame: object) -> None:
    raise KeyboardInterrupt


@contextmanager
def running_stack(reporter: Reporter, *, is_demo: bool = False, small_disk: bool = False) -> Iterator[Stack]:
    """Start an installation, hand it out when it serves, and clean up whatever happens (Ctrl-C and SIGTERM too)."""
    previous = signal.signal(signal.SIGTERM, _interrupt)
    try:
        with _place(small_disk=small_disk) as data_dir:
            reporter.step("starting an installation of our own in a temporary directory")
            began = time.monotonic()
            words = ["up", "--data-dir", str(data_dir), "--no-browser"]
            words += ["--web-port", "0", "--gateway-port", "0", "--mqtt-port", "0"]
            with (data_dir / "up.log").open("wb") as log:
                process = subprocess.Popen(
                    [*COMMAND, *words, *(["--demo"] if is_demo else [])],
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                    env=clean_environment(),
                )
            stack = Stack(data_dir, process)
            try:
                stack.wait_until_ready(reporter)
                reporter.step(f"it serves after {time.monotonic() - began:.1f} s")
                yield stack
            finally:
                stack.close()
    finally:
        signal.signal(signal.SIGTERM, previous)
