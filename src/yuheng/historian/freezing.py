"""A frozen picture of the columns for a backup: hard links to the parts, made between two commits.

``yh.q.freeze`` ``{"name": ...}`` -> `Frozen`; ``yh.q.unfreeze`` ``{"name": ...}`` takes the links away. Parts are never
changed once they are written, so a link costs nothing and the plant goes on at once.
"""

from __future__ import annotations

import asyncio
import re
import shutil
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec

from yuheng.bus import subjects
from yuheng.bus.messages import Failure
from yuheng.bus.wire import Connection, encode_header, type_raw
from yuheng.historian.store import Store, StoreFailure

_NAME = re.compile(r"[a-z0-9_]{1,60}")  # the engine spells other characters differently in file names


class FrozenTable(msgspec.Struct, frozen=True):
    """One table: ``create`` makes it anew; ``parts`` is where its frozen parts lie; empty: none on disk."""

    name: str
    create: str
    parts: str = ""


class Frozen(msgspec.Struct, frozen=True):
    """Reply to ``yh.q.freeze``. ``tables`` are in the order in which they are to be made."""

    engine: str
    version: int
    at_us: int
    tables: list[FrozenTable]


class Freezer:
    """Freezes and lets go. ``turn`` is held meanwhile: no commit is half done in the picture."""

    def __init__(self, store: Store, turn: asyncio.Lock) -> None:
        self._store = store
        self._turn = turn
        self._tasks: set[asyncio.Task[None]] = set()

    def subscribe(self, connection: Connection) -> None:
        """Listen on a connection."""
        for operation, work in (("freeze", self._freeze), ("unfreeze", self._unfreeze)):
            connection.subscribe(subjects.question(operation), self._handler(connection, work))

    def _handler(
        self, connection: Connection, work: Callable[[str], Awaitable[bytes]]
    ) -> Callable[[list[type_raw]], None]:
        def take(items: list[type_raw]) -> None:
            for _subject, reply, _header, payload in items:
                task = asyncio.get_running_loop().create_task(_answer(connection, reply.decode(), payload, work))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

        return take

    async def _freeze(self, name: str) -> bytes:
        async with self._turn:
            frozen = await asyncio.to_thread(freeze, self._store, name)
        return msgspec.json.encode(frozen)

    async def _unfreeze(self, name: str) -> bytes:
        await asyncio.to_thread(unfreeze, self._store, name)
        return b"{}"


async def _answer(connection: Connection, reply: str, payload: bytes, work: Callable[[str], Awaitable[bytes]]) -> None:
    header, answer = b"", b""
    try:
        question: dict[str, Any] = msgspec.json.decode(payload, type=dict[str, Any])
        name = str(question.get("name", ""))
        if not _NAME.fullmatch(name):
            raise StoreFailure("A picture needs a name of small letters, digits and underscores.")
        answer = await work(name)
    except (StoreFailure, OSError, msgspec.MsgspecError) as error:
        header = encode_header({"Yh-Error": "1"})
        answer = msgspec.json.encode(Failure(str(error)))
    if reply:
        connection.publish(reply, answer, header=header)


def freeze(store: Store, name: str) -> Frozen:
    """Link every part of every table under ``shadow/<name>``.

    Raises
    ------
    StoreFailure
        The store is a server: its parts are on another machine; `historian.column_files` copies rows instead.
    """
    if store.directory is None:
        raise StoreFailure("The columns are kept by a server; they are read, not frozen.")
    for left in (store.directory / "shadow").glob("backup_*"):
        shutil.rmtree(left, ignore_errors=True)  # of a backup that was killed
    tables = [table for table, _ in described(store)]
    found = []
    for table in tables:
        if not table.parts:
            found.append(FrozenTable(table.name, table.create))
            continue
        store.command(f"ALTER TABLE `{table.name}` FREEZE WITH NAME '{name}'")
        parts = store.directory / "shadow" / name / Path(table.parts).relative_to(store.directory)
        if not parts.is_dir() and _has_parts(store, table.name):
            raise StoreFailure(f"The engine froze {table.name} where it was not looked for.")
        found.append(FrozenTable(table.name, table.create, str(parts)))
    version = int(store.rows("SELECT max(number) FROM migrations")[0][0])
    engine = str(store.rows("SELECT version()")[0][0])
    return Frozen(engine, version, time.time_ns() // 1000, found)


def _has_parts(store: Store, table: str) -> bool:
    question = f"SELECT count() FROM system.parts WHERE active AND table = '{table}' AND database = currentDatabase()"
    return bool(store.rows(question)[0][0])


def unfreeze(store: Store, name: str) -> None:
    """Take the links away; nothing happens when there are none."""
    if store.directory is not None:
        shutil.rmtree(Path(store.directory) / "shadow" / name, ignore_errors=True)


def described(store: Store) -> list[tuple[FrozenTable, str]]:
    """Return every table (``parts`` is its directory when it keeps parts here) with its engine.

    The statements name no database: they are run in whichever the copy is put into.
    """
    rows = store.rows(
        "SELECT name, replaceOne(create_table_query, concat(' ', database, '.'), ' '), "
        "if(engine LIKE '%MergeTree', data_paths[1], ''), engine "
        "FROM system.tables WHERE database = currentDatabase() AND NOT is_temporary ORDER BY engine LIKE '%View', name"
    )
    return [(FrozenTable(str(name), str(create), str(parts)), str(engine)) for name, create, parts, engine in rows]
