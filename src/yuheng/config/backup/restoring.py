"""Puts a backup into an empty place: built beside it, compared with the manifest, and renamed when it is whole."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from yuheng import __version__
from yuheng.bus.stream_copy import load_stream, stream_names
from yuheng.bus.wire import WireError, connect
from yuheng.config.backup import keys, manifest, relational
from yuheng.config.backup.manifest import BackupRefused, Manifest
from yuheng.config.backup.taking import COLUMNS, RESERVE_BYTES, STREAMS, run_column_files
from yuheng.config.supervisor import broker as brokers
from yuheng.config.supervisor import postgres as databases
from yuheng.config.supervisor.broker import Broker
from yuheng.config.supervisor.errors import CannotStart, StartFailed
from yuheng.config.supervisor.places import Places, passwords, supervisor_of
from yuheng.config.supervisor.ports import free_port
from yuheng.config.supervisor.postgres import Postgres, wait_until_ready
from yuheng.config.supervisor.privileges import child_setup

ENGINE_STARTS_WITHIN_S = 60.0
ENGINE_STOPS_WITHIN_S = 60.0


@dataclass(frozen=True, slots=True)
class Targets:
    """Engines of others to restore into; empty: embedded, in the data directory."""

    database_url: str = ""
    nats_url: str = ""
    store_url: str = ""


def verify(source: Path) -> Manifest:
    """Check a backup without restoring it; return what it says. Raises `BackupRefused`."""
    about = manifest.read(source)
    manifest.check_files(source, about)
    return about


def restore(
    *,
    source: Path,
    data_dir: Path,
    targets: Targets = Targets(),
    passphrase: str = "",
    say: Callable[[str], None] = lambda _line: None,
    free_bytes: Callable[[Path], int] = lambda path: shutil.disk_usage(path).free,
) -> Manifest:
    """Put a backup into an empty data directory.

    Raises
    ------
    BackupRefused
        The place is not empty, the backup is damaged or of a newer version, there is no room, or what was restored is
        not what was backed up. The data directory is then as it was.
    """
    _require_empty(data_dir)
    about = manifest.read(source)
    require_known_version(about)
    say(f"backup     {source.name}: {len(about.files):,} files, {about.size // 1_000_000:,} MB, made {about.made_at}")
    manifest.check_files(source, about)
    say("checksums  every file is what was written")
    kept = keys.read(source, passphrase)
    data_dir.parent.mkdir(parents=True, exist_ok=True)
    need, room = 2 * about.size + RESERVE_BYTES, free_bytes(data_dir.parent)
    if room < need:
        raise BackupRefused(
            f"There is no room to restore on {data_dir.parent}: about {need // 1_000_000:,} MB are needed, "
            f"{room // 1_000_000:,} MB are free."
        )
    if targets.database_url and not relational.is_empty(targets.database_url):
        raise BackupRefused("The database named by DATABASE_URL has tables already. Name an empty one.")
    fresh = data_dir.with_name(f".{data_dir.name}.restoring")
    shutil.rmtree(fresh, ignore_errors=True)
    places = Places(fresh)
    try:
        places.make()
        keys.place(fresh, kept)
        _restore_columns(fresh, source, about, targets, say)
        made_at = _restore_streams(places, source, about, targets, say)
        _restore_relational(places, source, about, targets, made_at, say)
        shutil.rmtree(places.logs)
        if data_dir.exists():
            shutil.rmtree(data_dir) if not any(data_dir.iterdir()) else _require_empty(data_dir)
        fresh.rename(data_dir)
    except (OSError, CannotStart, StartFailed, WireError, TimeoutError) as error:
        raise BackupRefused(f"The backup could not be restored: {error or type(error).__name__}") from error
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return about


def require_known_version(about: Manifest, *, version: str = __version__) -> None:
    """Raise `BackupRefused` for a backup that a newer program made: its tables are not known here."""
    if manifest.newest_of(about.version) > manifest.newest_of(version):
        raise BackupRefused(
            f"The backup was made by Yuheng {about.version}; this is {version}, which is older. "
            f"Install {about.version} or newer and restore with that."
        )


def _require_empty(data_dir: Path) -> None:
    if (pid := supervisor_of(Places(data_dir))) is not None:
        raise BackupRefused(f"An installation runs on {data_dir} (pid {pid}). Stop it, or restore into another place.")
    if data_dir.exists() and (not data_dir.is_dir() or any(data_dir.iterdir())):
        raise BackupRefused(f"{data_dir} is not empty. Move it away first, or restore into another place.")


# ---- relational -----------------------------------------------------------------------------------------------------


def _restore_relational(
    places: Places,
    source: Path,
    about: Manifest,
    targets: Targets,
    made_at: Mapping[str, str],
    say: Callable[[str], None],
) -> None:
    if targets.database_url:
        _fill(targets.database_url, source, about, made_at, say)
        return
    secret = passwords(places).postgres
    postgres = Postgres(places.data_dir / "postgres", port=free_port(), password=secret)
    with _running_postgres(postgres, places.logs / "postgres.log"):
        _fill(postgres.url(), source, about, made_at, say)


def _fill(url: str, source: Path, about: Manifest, made_at: Mapping[str, str], say: Callable[[str], None]) -> None:
    relational.restore(url, source / relational.DUMP)
    if different := relational.differences(url, about.relational):
        raise BackupRefused(f"The restored database is not what was backed up: {'; '.join(different[:5])}.")
    rows = sum(int(table["rows"]) for table in about.relational.values())
    relational.adopt_streams(url, {name: (about.streams[name]["created"], made) for name, made in made_at.items()})
    say(f"database   {len(about.relational)} tables, {rows:,} rows, counts and digests agree")


@contextmanager
def _running_postgres(postgres: Postgres, log: Path) -> Iterator[None]:
    postgres.prepare()
    with log.open("ab") as output:
        process = subprocess.Popen(
            postgres.command(),
            preexec_fn=postgres.child_setup(),
            stdout=output,
            stderr=output,
            cwd="/",
            start_new_session=True,
        )
    try:
        wait_until_ready(postgres, is_alive=lambda: process.poll() is None, timeout_s=ENGINE_STARTS_WITHIN_S)
        postgres.ensure_database()
        yield
    finally:
        process.send_signal(databases.STOP_SIGNAL)
        _wait(process)


# ---- columns and log ------------------------------------------------------------------------------------------------


def _restore_columns(fresh: Path, source: Path, about: Manifest, targets: Targets, say: Callable[[str], None]) -> None:
    url = targets.store_url or f"chdb://{fresh / 'columns'}"
    rows = run_column_files("load", url, source / COLUMNS)
    if rows != about.columns:
        wrong = sorted(name for name in about.columns.keys() | rows.keys() if rows.get(name) != about.columns.get(name))
        raise BackupRefused(f"The restored columns have not the rows that were backed up: {', '.join(wrong)}.")
    say(f"columns    {len(rows)} tables, {sum(rows.values()):,} rows, counts agree")


def _restore_streams(
    places: Places, source: Path, about: Manifest, targets: Targets, say: Callable[[str], None]
) -> dict[str, str]:
    """Return stream -> when it counts as made now."""
    if targets.nats_url:
        return asyncio.run(_load_streams(targets.nats_url, source, about, say))
    broker = Broker(
        places.data_dir / "nats",
        port=free_port(),
        mqtt_port=free_port(),
        monitor_port=free_port(),
        password=passwords(places).nats,
        max_store_bytes=_reserved(about) or 0,
    )
    with _running_broker(broker, places.logs / "nats.log"):
        return asyncio.run(_load_streams(broker.url, source, about, say))


def _reserved(about: Manifest) -> int:
    """Return the store that the streams were promised: the broker refuses them when it may store less."""
    promised = sum(max(int(stream["config"].get("max_bytes", 0)), 0) for stream in about.streams.values())
    held = sum(int(stream["state"]["bytes"]) for stream in about.streams.values())
    return promised + held + 2**30


async def _load_streams(url: str, source: Path, about: Manifest, say: Callable[[str], None]) -> dict[str, str]:
    bus = await connect(url, name="yuheng-restore")
    made_at = {}
    try:
        there = set(await stream_names(bus)) & about.streams.keys()
        if there:
            raise BackupRefused(f"The broker has these streams already: {', '.join(sorted(there))}. Name an empty one.")
        for name, stream in about.streams.items():
            state = await load_stream(bus, name, source / STREAMS / f"{name}.snapshot", stream)
            if (state["messages"], state["last_seq"]) != (stream["state"]["messages"], stream["state"]["last_seq"]):
                raise BackupRefused(f"The restored stream {name} has not the messages that were backed up.")
            made_at[name] = str(state["created"])
        messages = sum(int(stream["state"]["messages"]) for stream in about.streams.values())
        say(f"log        {len(about.streams)} streams, {messages:,} messages, counts agree")
        return made_at
    finally:
        bus.close()


@contextmanager
def _running_broker(broker: Broker, log: Path) -> Iterator[None]:
    broker.write_configuration(with_devices=False)
    with log.open("ab") as output:
        process = subprocess.Popen(
            broker.command(), preexec_fn=child_setup(), stdout=output, stderr=output, start_new_session=True
        )
    try:
        deadline = time.monotonic() + ENGINE_STARTS_WITHIN_S
        while not broker.answers():
            if process.poll() is not None or time.monotonic() > deadline:
                raise StartFailed(f"nats-server does not start: {log.read_text(errors='replace')[-400:]}")
            time.sleep(0.05)
        yield
    finally:
        process.send_signal(brokers.STOP_SIGNAL)
        _wait(process)


def _wait(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError):
        try:
            process.wait(ENGINE_STOPS_WITHIN_S)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, 9)
            process.wait(10)
