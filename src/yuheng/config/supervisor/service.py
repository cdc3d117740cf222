"""What one supervised process is, and what can be said about it."""

from __future__ import annotations

import signal
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any


class ServiceState(StrEnum):
    """State of a process; the value is shown by ``yuheng status``."""

    STARTING = "starting"  # runs, does not serve yet
    READY = "ready"
    WAITING = "waiting"  # ended by itself; starts again after a pause
    STOPPED = "stopped"
    EXTERNAL = "external"  # somebody else runs it


@dataclass(frozen=True, slots=True)
class Service:
    """One process to keep alive.

    Attributes
    ----------
    is_ready
        Asked with the pid, again and again while starting; may block for some milliseconds (it runs in a thread).
    prepare
        Called in a thread before every start, e.g. to make a new cluster.
    child_setup
        Runs in the child between fork and exec.
    on_line
        Shown each line that the process writes.
    """

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    is_ready: Callable[[int], bool]
    child_setup: Callable[[], Callable[[], None]]
    prepare: Callable[[], None] | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    on_line: Callable[[str], None] | None = None
    start_timeout_s: float = 300.0  # generous: recovery after a power cut takes as long as it takes


@dataclass(slots=True)
class ServiceStatus:
    """What ``status.json`` says of a service. Times are Unix seconds."""

    state: ServiceState = ServiceState.STOPPED
    pid: int | None = None
    since: float | None = None
    restarts: int = 0
    last_exit: str | None = None
    reason: str | None = None
    facts: dict[str, Any] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """Return it as plain data."""
        return asdict(self)


def describe_exit(code: int) -> str:
    """Say how a process ended, from asyncio's return code.

    Examples
    --------
    >>> describe_exit(1), describe_exit(-9)
    ('exit code 1', 'signal 9 (SIGKILL)')
    """
    if code >= 0:
        return f"exit code {code}"
    try:
        return f"signal {-code} ({signal.Signals(-code).name})"
    except ValueError:
        return f"signal {-code}"
