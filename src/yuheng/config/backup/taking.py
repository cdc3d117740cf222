"""Takes a backup of a running installation, beside the last place and renamed when it is whole.

The order is what makes four stores one. A fact moves only forwards: log -> columns -> events -> PostgreSQL, and is
forgotten behind only when it is safe in front. So the copy begins behind: what the first copy no longer holds is in
the next one, and what is in both is the same row or the same revision, written twice without harm.
"""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from yuheng import __version__
from yuheng.bus import subjects
from yuheng.bus.stream_copy import save_stream, stream_bytes, stream_names
from yuheng.bus.wire import Connection, WireError, connect, header_value
from yuheng.config.backup import keys, manifest, relational
from yuheng.config.backup.manifest import BackupRefused, Manifest
from yuheng.historian.column_files import TABLES_FILE, rows_in_parts
from yuheng.historian.freezing import Frozen

RESERVE_BYTES = 500_000_000
"""Must stay free on the backup's disk afterwards: the plant's own reserves may lie on it."""
SOURCE_STREAMS = (subjects.MQTT_STREAM, subjects.INGEST_STREAM)
COLUMNS, STREAMS = "columns", "streams"
ANSWER_WITHIN_S = 120.0


def take(
    *,
    data_dir: Path,
    database_url: str,
    nats_url: str,
    store_url: str,
    place: Path,
    keep: int = 0,
    passphrase: str = "",
    say: Callable[[str], None] = lambda _line: None,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
    free_bytes: Callable[[Path], int] = lambda path: shutil.disk_usage(path).free,
) -> Path:
    """Take one backup into ``place`` and return its directory; ``keep`` > 0 deletes older ones afterwards.

    Raises
    ------
    BackupRefused
        No room, another backup is being taken there, or a part could not be copied. Nothing is left behind.
    """
    place.mkdir(parents=True, exist_ok=True, mode=0o700)
    with _alone(place):
        made_at = now()
        final = place / f"yuheng-{made_at:%Y%m%dT%H%M%SZ}"
        fresh = place / f".{final.name}.part"
        for left in place.glob(".yuheng-*.part"):
            shutil.rmtree(left)
        fresh.mkdir(mode=0o700)
        try:
            session = _Session(data_dir, database_url, nats_url, store_url, fresh, passphrase, say)
            asyncio.run(session.copy(made_at, room=free_bytes(place)))
            _make_durable(fresh)
            fresh.rename(final)
            _make_durable(place)
        except (OSError, WireError, TimeoutError) as error:
            raise BackupRefused(f"The backup could not be taken: {error or type(error).__name__}.") from error
        finally:
            shutil.rmtree(fresh, ignore_errors=True)
        for gone in manifest.prune(place, keep=keep):
            say(f"deleted    {gone.name} (the newest {keep} are kept)")
        return final


class _Session:
    def __init__(
        self,
        data_dir: Path,
        database_url: str,
        nats_url: str,
        store_url: str,
        fresh: Path,
        passphrase: str,
        say: Callable[[str], None],
    ) -> None:
        self._data_dir, self._database_url, self._store_url = data_dir, database_url, store_url
        self._nats_url, self._fresh, self._passphrase, self._say = nats_url, fresh, passphrase, say
        self._known: dict[str, dict[str, Any]] = {}

    async def copy(self, made_at: datetime, *, room: int) -> None:
        """Copy everything, in the order of the module's docstring."""
        about = Manifest(version=__version__, made_at=made_at.isoformat())
        bus = await connect(self._nats_url, name="yuheng-backup")
        try:
            await self._check_room(bus, room)
            about.keys = keys.write(self._fresh, keys.kept_files(self._data_dir), self._passphrase)
            names = await stream_names(bus)
            (self._fresh / STREAMS).mkdir()
            first = [name for name in names if name in SOURCE_STREAMS]
            await self._copy_streams(bus, first, about)
            await self._copy_columns(bus, made_at, about)
            await self._copy_streams(bus, [name for name in names if name not in first], about)
        finally:
            bus.close()
        await asyncio.to_thread(self._copy_relational, about)
        about.files = await asyncio.to_thread(manifest.list_files, self._fresh, known=self._known)
        manifest.write(self._fresh, about)

    async def _check_room(self, bus: Connection, room: int) -> None:
        _, answer = await bus.request(subjects.question("stats"), b"{}", timeout_s=ANSWER_WITHIN_S)
        columns = int(json.loads(answer or b"{}").get("total_bytes", 0))
        database = await asyncio.to_thread(relational.size_of, self._database_url)
        need = columns + database + await stream_bytes(bus) + RESERVE_BYTES
        if room < need:
            raise BackupRefused(
                f"There is no room for a backup in {self._fresh.parent}: about {need // 1_000_000:,} MB are needed, "
                f"{room // 1_000_000:,} MB are free. Free some space, or name another place."
            )

    async def _copy_streams(self, bus: Connection, names: list[str], about: Manifest) -> None:
        for name in names:
            found = await save_stream(bus, name, self._fresh / STREAMS / f"{name}.snapshot")
            about.streams[name] = found
            self._say(f"log        {name}: {found['state']['messages']:,} messages")

    async def _copy_columns(self, bus: Connection, made_at: datetime, about: Manifest) -> None:
        target = self._fresh / COLUMNS
        target.mkdir()
        if not self._store_url.startswith("chdb:"):
            about.columns = await asyncio.to_thread(self._read_server, target)
            frozen = msgspec.json.decode((target / TABLES_FILE).read_bytes(), type=Frozen)
        else:
            question = json.dumps({"name": f"backup_{made_at:%Y%m%dt%H%M%S}"}).encode()
            try:
                frozen = msgspec.json.decode(await _ask(bus, "freeze", question), type=Frozen)
                await asyncio.to_thread(self._copy_parts, frozen, target, about)
            finally:
                await _ask(bus, "unfreeze", question)
        about.engines["columns"] = frozen.engine
        about.schema["columns"] = frozen.version
        for table, rows in sorted(about.columns.items()):
            self._say(f"columns    {table}: {rows:,} rows")

    def _copy_parts(self, frozen: Frozen, target: Path, about: Manifest) -> None:
        for table in frozen.tables:
            parts = Path(table.parts)
            if not table.parts or not parts.is_dir():
                about.columns.update({table.name: 0} if table.parts else {})
                continue
            about.columns[table.name] = rows_in_parts(parts)
            for file in sorted(parts.rglob("*")):
                if file.is_file():
                    name = f"{COLUMNS}/{table.name}/{file.relative_to(parts).as_posix()}"
                    self._known[name] = manifest.copied(file, self._fresh / name)
        (target / TABLES_FILE).write_bytes(msgspec.json.encode(frozen))

    def _read_server(self, target: Path) -> dict[str, int]:
        return run_column_files("save", self._store_url, target)

    def _copy_relational(self, about: Manifest) -> None:
        path = self._fresh / relational.DUMP
        about.relational, about.schema["relational"], about.engines["postgres"] = relational.dump(
            self._database_url, path
        )
        rows = sum(int(table["rows"]) for table in about.relational.values())
        self._say(f"database   {len(about.relational)} tables, {rows:,} rows")


def run_column_files(verb: str, store_url: str, directory: Path) -> dict[str, int]:
    """Run `historian.column_files` in a process of its own; return rows of each table. Raises `BackupRefused`."""
    command = [sys.executable, "-m", "yuheng.historian.column_files", verb, store_url, str(directory)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    if done.returncode != 0:
        words = done.stderr.strip().splitlines()
        raise BackupRefused(f"The columns could not be copied: {words[-1] if words else 'no reason given'}")
    rows: dict[str, int] = json.loads(done.stdout.strip().splitlines()[-1])
    return rows


async def _ask(bus: Connection, operation: str, question: bytes) -> bytes:
    header, answer = await bus.request(subjects.question(operation), question, timeout_s=ANSWER_WITHIN_S)
    if header_value(header, "Yh-Error"):
        raise BackupRefused(f"The historian cannot freeze the columns: {json.loads(answer).get('error', answer)}")
    if not answer:
        raise BackupRefused("The historian does not answer: the columns cannot be copied. Look at `yuheng status`.")
    return answer


@contextmanager
def _alone(place: Path) -> Iterator[None]:
    with (place / ".backup.lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BackupRefused(f"Another backup into {place} is being taken just now.") from None
        yield


def _make_durable(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
