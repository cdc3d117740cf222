"""The column store through `clickhouse-connect`: ``chdb:///directory`` in this process, or a server by address."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse

import clickhouse_connect
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from yuheng.engines.points import PointBlock, TextPoint
from yuheng.historian import schema
from yuheng.historian.calculations import Calculations

# The engine shares two cores with everything else: few merge threads, small caches, bounded queries.
_ENGINE_OPTIONS = {
    "background_pool_size": "1",
    "background_merges_mutations_concurrency_ratio": "2",
    "background_schedule_pool_size": "2",
    "background_common_pool_size": "2",
    "background_fetches_pool_size": "1",
    "mark_cache_size": "33554432",
    "index_mark_cache_size": "8388608",
    "query_condition_cache_size": "8388608",
    "compiled_expression_cache_size": "16777216",
    "max_server_memory_usage": "1500000000",  # the engine's own; beyond it a question fails and a commit waits
}
_SESSION = {
    "max_partitions_per_insert_block": "0",  # a backfill over decades is one block of many months
    "throw_on_max_partitions_per_insert_block": "0",
    "do_not_merge_across_partitions_select_final": "1",  # a key never lies in two partitions
    "max_threads": "2",
    "max_insert_threads": "1",
    "max_memory_usage": "700000000",
    "max_bytes_before_external_group_by": "250000000",  # to disk rather than refused
    "max_bytes_before_external_sort": "250000000",
    "optimize_move_to_prewhere_if_final": "1",
    "session_timezone": "UTC",
}


class StoreFailure(Exception):
    """The store cannot take or give; the message says why."""


class Store:
    """One database. Every thread that asks gets a client of its own: they run side by side.

    Parameters
    ----------
    url
        ``chdb:///path``, ``clickhouse://user:password@host:port/database`` (also ``clickhouses://`` for TLS).
    free_bytes
        Free disk where the engine writes; None asks the operating system (or the server).
    """

    def __init__(self, url: str, *, free_bytes: Callable[[], int] | None = None) -> None:
        self.url = url
        parts = urlparse(url)
        self._is_embedded = parts.scheme == "chdb"
        self._path = Path(unquote(parts.path)) if self._is_embedded else None
        self._free_bytes = free_bytes
        self.calculations = Calculations()  # of the newest configuration; swapped whole
        self._local = threading.local()
        self._clients: list[Any] = []
        self._lock = threading.Lock()
        if self._path is not None:
            self._path.mkdir(parents=True, exist_ok=True)
        self._keeper = self._new_client()  # the embedded engine lives as long as its first client

    def _new_client(self) -> Any:
        if self._is_embedded:
            client = clickhouse_connect.get_client(
                interface="chdb", path=str(self._path), chdb_options=dict(_ENGINE_OPTIONS)
            )
        else:
            parts = urlparse(self.url)
            client = clickhouse_connect.get_client(
                host=parts.hostname or "127.0.0.1",
                port=parts.port or 8123,
                username=unquote(parts.username or "default"),
                password=unquote(parts.password or ""),
                database=parts.path.strip("/") or "default",
                secure=parts.scheme == "clickhouses",
                autogenerate_session_id=False,
            )
        for name, value in _SESSION.items():
            client.set_client_setting(name, value)
        with self._lock:
            self._clients.append(client)
        return client

    @property
    def directory(self) -> Path | None:
        """Where the embedded engine keeps its files; None when a server keeps them."""
        return self._path

    @property
    def client(self) -> Any:
        """The client of this thread."""
        found = getattr(self._local, "client", None)
        if found is None:
            found = self._local.client = self._new_client()
        return found

    def migrate(self) -> None:
        """Bring the tables to the newest version.

        Raises
        ------
        StoreFailure
            They were made by a newer version of this program, which must not be undone by an older one.
        """
        self.command(schema.VERSIONS)
        done = {row[0] for row in self.rows("SELECT number FROM migrations")}
        newest = max((number for number, _ in schema.MIGRATIONS), default=0)
        if done and max(done) > newest:
            raise StoreFailure(
                f"The columns were made by a newer Yuheng (schema {max(done)}, this one knows {newest}). "
                "Start the newer version, or restore a backup made by this one."
            )
        for number, statements in schema.MIGRATIONS:
            if number in done:
                continue
            for statement in statements:
                self.command(statement)
            self.command(f"INSERT INTO migrations VALUES ({number}, now())")
        self._merge_less()

    def _merge_less(self) -> None:
        """Set how eagerly small parts are merged, where it is not set so."""
        names = ", ".join(f"'{name}'" for name in schema.MERGING)
        known = {row[0] for row in self.rows(f"SELECT name FROM system.merge_tree_settings WHERE name IN ({names})")}
        tables = "SELECT name, engine_full FROM system.tables WHERE database = currentDatabase()"
        for table, engine in self.rows(tables):
            wanted = [f"{name} = {value}" for name, value in schema.MERGING.items() if name in known]
            missing = [setting for setting in wanted if setting not in engine]
            if table in schema.MERGED_LESS and missing:
                self.command(f"ALTER TABLE {table} MODIFY SETTING {', '.join(missing)}")

    def command(self, sql: str, parameters: dict[str, Any] | None = None) -> Any:
        """Run a statement that returns nothing or one value."""
        return self._guarded(lambda: self.client.command(sql, parameters=parameters))

    def rows(self, sql: str, parameters: dict[str, Any] | None = None) -> Sequence[Sequence[Any]]:
        """Run a small query; return its rows as Python values."""
        found: Sequence[Sequence[Any]] = self._guarded(
            lambda: self.client.query(sql, parameters=parameters)
        ).result_rows
        return found

    def arrow(self, sql: str, parameters: dict[str, Any] | None = None) -> pa.Table:
        """Run a query; return its columns."""
        return self._guarded(lambda: self.client.query_arrow(sql, parameters=parameters))

    def insert(self, table: str, columns: pa.Table) -> None:
        """Append columns; when it returns, they are on disk."""
        if columns.num_rows:
            self._guarded(lambda: self.client.insert_arrow(table, columns))

    def _guarded(self, work: Callable[[], Any]) -> Any:
        try:
            return work()
        except Exception as error:
            # One door for every way the engine, the driver or the network fails; the caller holds the log and retries.
            raise StoreFailure(_first_line(error)) from error

    def free_bytes(self) -> int:
        """Return the free disk space where the engine writes."""
        if self._free_bytes is not None:
            return self._free_bytes()
        if self._path is not None:
            return shutil.disk_usage(self._path).free
        return int(self.rows("SELECT min(free_space) FROM system.disks")[0][0])

    def statistics(self) -> dict[str, float]:
        """Return rows, bytes and parts of the samples, and bytes of everything (``yh.q.stats``)."""
        rows, size, parts = self.rows(
            "SELECT sum(rows), sum(bytes_on_disk), count() FROM system.parts "
            "WHERE active AND table = 'samples' AND database = currentDatabase()"
        )[0]
        total = self.rows("SELECT sum(bytes_on_disk) FROM system.parts WHERE active AND database = currentDatabase()")[
            0
        ][0]
        return {
            "rows": int(rows or 0),
            "bytes": int(size or 0),
            "parts": int(parts or 0),
            "total_bytes": int(total or 0),
            "bytes_per_point": float(size or 0) / float(rows) if rows else 0.0,
        }

    def close(self) -> None:
        """Close every client; the embedded engine stops with the last one."""
        with self._lock:
            clients, self._clients = self._clients, []
        for client in clients:
            with suppress(Exception):  # closing is the last thing that happens; nobody could act on a failure
                client.close()


def _first_line(error: Exception) -> str:
    text = str(error).strip().splitlines()
    return (text[0] if text else type(error).__name__)[:400]


def _moment(column: npt.NDArray[np.int64]) -> pa.Array:
    return pa.array(column.view("datetime64[us]"), pa.timestamp("us", "UTC"))


def _millis(times_us: npt.NDArray[np.int64]) -> pa.Array:
    return pa.array((times_us // 1000).view("datetime64[ms]"), pa.timestamp("ms", "UTC"))


def sample_columns(block: PointBlock) -> pa.Table:
    """Return points as columns of the table ``samples``."""
    return pa.table(
        {
            "tag": block.tag,
            "time": _moment(np.ascontiguousarray(block.time_us)),
            "seq": block.seq,
            "value": block.value,
            "quality": block.quality,
            "arrived": _millis(block.arrived_us),
        }
    )


def text_columns(texts: Sequence[TextPoint]) -> pa.Table:
    """Return texts as columns of the table ``text_samples``."""
    return pa.table(
        {
            "tag": np.array([t.tag for t in texts], np.uint32),
            "time": _moment(np.array([t.time_us for t in texts], np.int64)),
            "seq": np.array([t.seq for t in texts], np.uint64),
            "text": pa.array([t.text for t in texts], pa.string()),
            "quality": np.array([t.quality for t in texts], np.uint8),
            "arrived": _millis(np.array([t.arrived_us for t in texts], np.int64)),
        }
    )


def state_change_columns(changes: Sequence[tuple[int, int, int, str, int, int]]) -> pa.Table:
    """Return (unit, start_us, state, cause, version, is_deleted) as columns of ``state_changes``."""
    return pa.table(
        {
            "unit": np.array([c[0] for c in changes], np.uint32),
            "start": _moment(np.array([c[1] for c in changes], np.int64)),
            "state": np.array([c[2] for c in changes], np.uint8),
            "cause": pa.array([c[3] for c in changes], pa.string()),
            "version": np.array([c[4] for c in changes], np.uint64),
            "is_deleted": np.array([c[5] for c in changes], np.uint8),
        }
    )


def empty_block() -> PointBlock:
    """Return a block of no points."""
    return PointBlock(
        np.empty(0, np.uint32),
        np.empty(0, np.int64),
        np.empty(0, np.float64),
        np.empty(0, np.uint8),
        np.empty(0, np.uint64),
        np.empty(0, np.int64),
    )


def concatenated(blocks: Sequence[PointBlock]) -> PointBlock:
    """Return blocks one after another as one."""
    if len(blocks) == 1:
        return blocks[0]
    if not blocks:
        return empty_block()
    return PointBlock(
        np.concatenate([b.tag for b in blocks]),
        np.concatenate([b.time_us for b in blocks]),
        np.concatenate([b.value for b in blocks]),
        np.concatenate([b.quality for b in blocks]),
        np.concatenate([b.seq for b in blocks]),
        np.concatenate([b.arrived_us for b in blocks]),
    )


def chosen(block: PointBlock, which: Any) -> PointBlock:
    """Return the points at an index or mask, in its order."""
    return PointBlock(
        block.tag[which],
        block.time_us[which],
        block.value[which],
        block.quality[which],
        block.seq[which],
        block.arrived_us[which],
    )
