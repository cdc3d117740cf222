"""Where things of one installation lie, and who holds it."""

from __future__ import annotations

import fcntl
import json
import os
import secrets
from dataclasses import dataclass, field
from io import TextIOWrapper
from pathlib import Path
from typing import Any

import psutil

from yuheng.config.supervisor.errors import CannotStart


def default_data_dir() -> Path:
    """Return ``YUHENG_DATA_DIR``, else ``./var`` in a checkout, else the person's own data folder."""
    if named := os.environ.get("YUHENG_DATA_DIR"):
        return Path(named).expanduser().absolute()
    if Path("pyproject.toml").exists() and Path("src/yuheng").is_dir():
        return Path("var").absolute()
    return Path.home() / ".local" / "share" / "yuheng"


@dataclass(frozen=True, slots=True)
class Places:
    """The data directory, by name."""

    data_dir: Path

    @property
    def run(self) -> Path:
        """What is true only while we run: status, lock, children, readiness."""
        return self.data_dir / "run"

    @property
    def status_file(self) -> Path:
        """What ``yuheng status`` reads."""
        return self.run / "status.json"

    @property
    def children_file(self) -> Path:
        """Our children, for a supervisor that comes after a killed one."""
        return self.run / "children.json"

    @property
    def demo_file(self) -> Path:
        """Written by the demo's installer: people and device to show."""
        return self.run / "demo.json"

    @property
    def logs(self) -> Path:
        """One rotated log a process."""
        return self.data_dir / "logs"

    def ready_file(self, name: str) -> Path:
        """Where a process writes its pid once it serves."""
        return self.run / "ready" / name

    def make(self) -> None:
        """Create the folders; nobody else may look into the data.

        Raises
        ------
        CannotStart
            The directory cannot be written.
        """
        try:
            for folder in (self.data_dir, self.run, self.run / "ready", self.logs):
                folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            probe = self.run / ".writable"
            probe.touch()
            probe.unlink()
        except OSError as error:
            raise CannotStart(
                f"The data directory {self.data_dir} cannot be written ({error.strerror}). "
                "Choose another with --data-dir."
            ) from error


@dataclass(slots=True)
class Lock:
    """Holds a data directory for one supervisor; the kernel lets go of it when we die, however we die."""

    places: Places
    _file: TextIOWrapper | None = field(default=None, init=False)

    def take(self) -> None:
        """Take it.

        Raises
        ------
        CannotStart
            A living supervisor has it; the sentence names its pid.
        """
        file = (self.places.run / "supervisor.lock").open("a+", encoding="utf-8")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = supervisor_of(self.places)
            file.close()
            raise CannotStart(
                f"The data directory {self.places.data_dir} is in use by pid {holder or 'unknown'} (yuheng up). "
                "Stop it first, or choose another with --data-dir."
            ) from None
        file.truncate(0)
        file.write(json.dumps(identity(os.getpid())))
        file.flush()
        self._file = file

    def release(self) -> None:
        """Let go."""
        if self._file is not None:
            self._file.close()
            self._file = None


def identity(pid: int) -> dict[str, Any]:
    """Return pid and start time: together they name a process even after its pid is used again."""
    return {"pid": pid, "created": psutil.Process(pid).create_time()}


def same_process(known: dict[str, Any]) -> psutil.Process | None:
    """Return the living process that `identity` once described, or None."""
    try:
        process = psutil.Process(int(known["pid"]))
        is_same = abs(process.create_time() - float(known["created"])) < 1.0
        return process if is_same and process.status() != psutil.STATUS_ZOMBIE else None
    except (psutil.Error, KeyError, ValueError, TypeError):
        return None


def supervisor_of(places: Places) -> int | None:
    """Return the pid of the living supervisor of a data directory, or None."""
    try:
        known = json.loads((places.run / "supervisor.lock").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    process = same_process(known) if isinstance(known, dict) else None
    return process.pid if process else None


@dataclass(frozen=True, slots=True)
class Passwords:
    """Generated secrets of our own engines."""

    postgres: str
    nats: str


def passwords(places: Places) -> Passwords:
    """Read ``secrets.json``, made on first use and readable by its owner only."""
    path = places.data_dir / "secrets.json"
    if not path.exists():
        # A letter first: nats-server would read a word of digits as a number.
        fresh = {"postgres": "p" + secrets.token_hex(20), "nats": "n" + secrets.token_hex(20)}
        write_private(path, json.dumps(fresh))
    known = json.loads(path.read_text(encoding="utf-8"))
    return Passwords(postgres=known["postgres"], nats=known["nats"])


def write_private(path: Path, text: str) -> None:
    """Replace a file at once; readable by its owner only from its first byte."""
    fresh = path.with_name(path.name + ".new")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    fresh.replace(path)
