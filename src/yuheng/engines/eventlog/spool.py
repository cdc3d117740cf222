"""A log on disk while it is looked at: sorted as often as needed, in memory that does not grow with it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

BATCH = 5_000

_TABLES = """
CREATE TABLE event (
  line INTEGER, ord TEXT, op TEXT, step TEXT, mach TEXT, oper TEXT, t0 INTEGER, t1 INTEGER, kind INTEGER, inst TEXT,
  qty REAL, good REAL, scrap REAL, rework REAL, mat TEXT, matname TEXT, cust TEXT, due INTEGER, ident TEXT);
CREATE TABLE refused (line INTEGER PRIMARY KEY, code TEXT);
CREATE TABLE run (
  id INTEGER PRIMARY KEY, ord INTEGER, op TEXT, step TEXT, mach TEXT, oper TEXT, t0 INTEGER, t1 INTEGER,
  guessed INTEGER, qty REAL, good REAL, scrap REAL, rework REAL, line INTEGER);
CREATE TABLE made (
  id INTEGER PRIMARY KEY, code TEXT, mat TEXT, matname TEXT, cust TEXT, due INTEGER, qty REAL, is_steady INTEGER,
  path TEXT, t0 INTEGER, t1 INTEGER);
CREATE TABLE job (
  id INTEGER PRIMARY KEY, ord INTEGER, op TEXT, step TEXT, visit INTEGER, mach TEXT, t0 INTEGER, t1 INTEGER,
  worked REAL, pieces REAL, good REAL, scrap REAL, rework REAL, guessed INTEGER, runs INTEGER, line INTEGER);
CREATE TABLE of_job (job INTEGER, run INTEGER);
CREATE TABLE known (ord INTEGER PRIMARY KEY, qty REAL);
"""


class Spool:
    """The tables of one log in a file of their own. Close it; its folder is the caller's to remove."""

    def __init__(self, folder: Path) -> None:
        self.store = sqlite3.connect(folder / "log.sqlite", isolation_level=None)
        for pragma in ("journal_mode=OFF", "synchronous=OFF", "temp_store=FILE", "cache_size=-65536"):
            self.store.execute(f"PRAGMA {pragma}")
        self.store.executescript(_TABLES)
        self.store.execute("BEGIN")
        self._waiting: dict[str, list[tuple[Any, ...]]] = {}

    def put(self, table: str, row: tuple[Any, ...]) -> None:
        """Append a row."""
        waiting = self._waiting.setdefault(table, [])
        waiting.append(row)
        if len(waiting) >= BATCH:
            self._write(table)

    def refuse(self, line: int, code: str) -> bool:
        """Note that a row is left out, and why; return whether it was not left out before."""
        return self.store.execute("INSERT OR IGNORE INTO refused VALUES (?, ?)", (line, code)).rowcount > 0

    def flush(self) -> None:
        """Write what waits."""
        for table in list(self._waiting):
            self._write(table)

    def _write(self, table: str) -> None:
        rows = self._waiting.pop(table, [])
        if rows:
            marks = ", ".join("?" * len(rows[0]))
            self.store.executemany(f"INSERT INTO {table} VALUES ({marks})", rows)

    def rows(self, sql: str, told: Iterable[Any] = ()) -> Iterator[tuple[Any, ...]]:
        """Yield the answer to a question, a piece at a time."""
        self.flush()
        cursor = self.store.execute(sql, tuple(told))
        while piece := cursor.fetchmany(BATCH):
            yield from piece

    def one(self, sql: str, told: Iterable[Any] = ()) -> tuple[Any, ...]:
        """Return the one row that answers."""
        self.flush()
        row: tuple[Any, ...] = self.store.execute(sql, tuple(told)).fetchone()
        return row

    def do(self, sql: str, told: Iterable[Any] = ()) -> None:
        """Change something."""
        self.flush()
        self.store.execute(sql, tuple(told))

    def do_each(self, sql: str, rows: Iterable[tuple[Any, ...]]) -> None:
        """Change something for each row."""
        self.flush()
        self.store.executemany(sql, rows)

    def close(self) -> None:
        """Let the file go."""
        with suppress(sqlite3.Error):
            self.store.rollback()
        self.store.close()
