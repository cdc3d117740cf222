"""A historian process for tests: started, killed, asked."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse

import pyarrow as pa

from yuheng.bus import documents, subjects
from yuheng.bus.setup import ensure_streams
from yuheng.bus.wire import Connection, connect
from yuheng.testing.engines import RunningBroker


class HistorianProcess:
    """``python -m yuheng.historian`` on a store below ``directory``."""

    def __init__(self, url: str, directory: Path) -> None:
        self.ready_file = directory / "historian.ready"
        self.log = directory / "historian.log"
        self._environment = os.environ | {
            "NATS_URL": url,
            "YUHENG_STORE_URL": f"chdb://{directory / 'columns'}",
            "YUHENG_READY_FILE": str(self.ready_file),
        }
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self.ready_file.unlink(missing_ok=True)
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "yuheng.historian"], env=self._environment, stdout=log, stderr=log
            )

    def wait_ready(self) -> None:
        wait_until(lambda: self.ready_file.exists() or not self.is_alive(), "the historian to be ready")
        assert self.is_alive(), self.log.read_text()[-3000:]

    def is_alive(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait(60)

    def stop(self) -> None:
        """Ask it to stop, and wait."""
        assert self.process is not None
        self.process.terminate()
        self.process.wait(60)


def wait_until(condition: Callable[[], bool], what: str, timeout_s: float = 30.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"Waited {timeout_s:.0f} s for {what}.")
        time.sleep(0.02)


def credentials(broker: RunningBroker) -> tuple[str, str]:
    parts = urlparse(broker.url)
    return unquote(parts.username or ""), unquote(parts.password or "")


async def prepare(broker: RunningBroker, plant: documents.Plant) -> None:
    user, password = credentials(broker)
    await ensure_streams(broker.url, broker.host, broker.mqtt_port, user, password)
    await publish_plant(broker, plant)


async def publish_plant(broker: RunningBroker, plant: documents.Plant) -> None:
    connection = await connect(broker.url)
    subject = f"$KV.{subjects.CONFIG_BUCKET}.{subjects.CONFIG_KEY}"
    _, answer = await connection.request(subject, documents.encode(plant))
    assert b"error" not in answer, answer
    connection.close()


async def ask(connection: Connection, operation: str, **question: Any) -> Any:
    """Return a table for Arrow answers, a dict for JSON ones."""
    header, body = await connection.request(subjects.question(operation), json.dumps(question).encode(), timeout_s=20.0)
    assert body, "Nobody answers."
    assert b"Yh-Error" not in header, body
    return json.loads(body) if body[:1] == b"{" else pa.ipc.open_stream(body).read_all()


def a_plant(units: int = 2, *, version: int = 1) -> documents.Plant:
    """Units U0, U1, ... with the tags run, fault, count, program (text); topics ``p/<unit>``."""
    tags, work_units = [], []
    for unit in range(units):
        symbols = {}
        for name, kind in (("run", "bool"), ("fault", "int"), ("count", "float"), ("program", "text")):
            tag = documents.Tag(
                id=len(tags) + 1,
                source_id=1,
                address=f"U{unit}/{name}",
                data_type=kind,
                work_unit_id=unit + 1,
                symbol=name,
            )
            tags.append(tag)
            symbols[name] = tag.id
        work_units.append(documents.WorkUnit(unit + 1, 1, f"U{unit}", "cutter", symbols, no_data_after_s=30.0))
    rules = (
        documents.StateRule(5, "fault != 0", "fault"),
        documents.StateRule(2, "run"),
        documents.StateRule(3, "not run"),
    )
    return documents.Plant(
        version=version,
        sources=(documents.Source(1, 1, "plc", "mqtt_json", topics=("p/#",)),),
        tags=tuple(tags),
        work_units=tuple(work_units),
        rule_sets={"cutter": rules},
    )
