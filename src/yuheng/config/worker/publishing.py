"""Publishing the configuration: the document to the bucket, the devices to the broker's file."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

import msgspec
from django.db import connection, transaction

from yuheng.alarms.services.configuration import alarm_rules
from yuheng.bus import documents
from yuheng.bus.subjects import CONFIG_BUCKET, CONFIG_KEY
from yuheng.bus.wire import Connection
from yuheng.config.worker import jetstream
from yuheng.config.worker.database import Database
from yuheng.engineering.selectors import listened_symbols
from yuheng.telemetry.services.configuration import build_plant, render_devices

_SUBJECT = f"$KV.{CONFIG_BUCKET}.{CONFIG_KEY}"


@dataclass(frozen=True, slots=True)
class Published:
    """The version in force, and what was new about it."""

    version: int
    is_new_document: bool
    is_new_device_list: bool


async def publish_configuration(wire: Connection, database: Database, data_dir: Path) -> Published:
    """Build the document and the device list, and publish what differs from what is in force.

    The version rises even over a database that was made anew: it is at least one above the one in the bucket, and at
    least the time in milliseconds. Raises `WireError`, `TimeoutError`, `DatabaseAway`; then ask again.
    """
    devices = await database.run(render_devices)
    is_new_list = write_devices(data_dir / "nats" / "devices.conf", devices)
    plant = await database.run(_whole_plant)
    current = await _in_force(wire)
    if current is not None and msgspec.structs.replace(current, version=0) == plant:
        return Published(current.version, is_new_document=False, is_new_device_list=is_new_list)
    version = max(int(time.time() * 1000), 0 if current is None else current.version + 1)
    document = documents.encode(msgspec.structs.replace(plant, version=version))
    await jetstream.publish(wire, _SUBJECT, document)
    return Published(version, is_new_document=True, is_new_device_list=is_new_list)


def _whole_plant() -> documents.Plant:
    """Return what every context has to say, as one document, read at one moment.

    Each statement of its own would see what others commit in between: a tag whose class is not among the classes.
    """
    with transaction.atomic():
        if len(connection.savepoint_ids) == 0:  # inside another transaction the moment is that one's
            connection.cursor().execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        symbols = tuple(documents.JobSymbol(*one) for one in listened_symbols())
        return msgspec.structs.replace(build_plant(0), alarm_rules=alarm_rules(), job_symbols=symbols)


def write_devices(path: Path, text: str) -> bool:
    """Replace the file at once, readable by its owner only; return whether it changed."""
    if path.exists() and path.read_text() == text:
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(".new")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
    return True


async def _in_force(wire: Connection) -> documents.Plant | None:
    stored = await jetstream.newest_message(wire, f"KV_{CONFIG_BUCKET}", _SUBJECT)
    if stored is None:
        return None
    try:
        return documents.decode(stored.payload)
    except msgspec.DecodeError:  # of another release: publish ours
        return None
