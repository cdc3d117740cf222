"""The columns as files, for backups: frozen parts put back in place, or rows in Parquet where a server keeps them.

``python -m yuheng.historian.column_files load|save STORE_URL DIRECTORY``: in a process of its own, because the embedded
engine lives as long as the process that opened it. ``load`` prints one JSON object: rows of each table.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from yuheng.historian.freezing import Frozen, FrozenTable, described
from yuheng.historian.store import Store

TABLES_FILE = "tables.json"
_ROWS_AT_ONCE = 200_000
_TOLD_LAST = ("samples", "text_samples")
"""Read last from a server that goes on: what other tables say about samples must be true of those in the copy."""


def save(store: Store, directory: Path) -> dict[str, int]:
    """Write every table's rows as Parquet; return how many of each. For a store that is a server."""
    rows: dict[str, int] = {}
    found = sorted(described(store), key=lambda item: item[0].name in _TOLD_LAST)
    tables = []
    for table, engine in found:
        tables.append(FrozenTable(table.name, table.create))
        if "MergeTree" in engine:
            rows[table.name] = _save_rows(store, table.name, directory / f"{table.name}.parquet")
    version = int(store.rows("SELECT max(number) FROM migrations")[0][0])
    frozen = Frozen(str(store.rows("SELECT version()")[0][0]), version, 0, tables)
    (directory / TABLES_FILE).write_bytes(msgspec.json.encode(frozen))
    return rows


def _save_rows(store: Store, table: str, path: Path) -> int:
    rows = 0
    writer: pq.ParquetWriter | None = None
    with store.client.query_arrow_stream(f"SELECT * FROM `{table}`") as pieces:
        for piece in pieces:
            batch = pa.table(piece) if not isinstance(piece, pa.Table) else piece
            writer = writer or pq.ParquetWriter(path, batch.schema, compression="zstd")
            writer.write_table(batch)
            rows += batch.num_rows
    if writer is not None:
        writer.close()
    return rows


def load(store: Store, directory: Path) -> dict[str, int]:
    """Make the tables and fill them from frozen parts or Parquet; return rows of each table.

    Raises
    ------
    StoreFailure
        A table exists already, or the engine refuses a part.
    """
    frozen = msgspec.json.decode((directory / TABLES_FILE).read_bytes(), type=Frozen)
    rows: dict[str, int] = {}
    for table in frozen.tables:
        store.command(table.create)
        store_rows = directory / f"{table.name}.parquet"
        if store_rows.exists():
            rows[table.name] = _load_rows(store, table.name, store_rows)
        elif (directory / table.name).is_dir():
            rows[table.name] = _load_parts(store, table.name, directory / table.name)
        elif "MergeTree" in table.create:
            rows[table.name] = 0
    return rows


def _load_rows(store: Store, table: str, path: Path) -> int:
    rows = 0
    for batch in pq.ParquetFile(path).iter_batches(_ROWS_AT_ONCE):
        piece = pa.Table.from_batches([batch])
        store.insert(table, piece)
        rows += piece.num_rows
    return rows


def _load_parts(store: Store, table: str, directory: Path) -> int:
    """Attach parts oldest first: of rows with one key and version, the later written one counts."""
    place = Path(store.rows(f"SELECT data_paths[1] FROM system.tables WHERE name = '{table}'")[0][0])
    if not place.is_absolute() and store.directory is not None:
        place = store.directory / place
    store.command(f"SYSTEM STOP MERGES `{table}`")
    parts = sorted((part for part in directory.iterdir() if part.is_dir()), key=part_order)
    for part in parts:
        shutil.copytree(part, place / "detached" / part.name)
        store.command(f"ALTER TABLE `{table}` ATTACH PART '{part.name}'")
    return int(
        store.rows(
            f"SELECT sum(rows) FROM system.parts WHERE active AND table = '{table}' AND database = currentDatabase()"
        )[0][0]
        or 0
    )


def rows_in_parts(directory: Path) -> int:
    """Return how many rows the parts below a directory hold, from the counts the engine keeps in them."""
    return sum(int(count.read_text()) for count in directory.glob("*/count.txt"))


def part_order(part: Path) -> tuple[int, int, str]:
    """Order of writing, from a part's name ``<partition>_<first block>_<last block>_<level>[_<mutation>]``.

    Examples
    --------
    >>> sorted([Path("202611_10_10_0"), Path("202611_2_9_1")], key=part_order)[0].name
    '202611_2_9_1'
    """
    words = part.name.split("_")
    return (int(words[1]), int(words[2]), part.name)


def main(arguments: list[str]) -> int:
    """Run one of the two."""
    verb, url, directory = arguments
    store = Store(url)
    work: dict[str, Any] = {"load": load, "save": save}
    sys.stdout.write(json.dumps(work[verb](store, Path(directory))) + "\n")
    sys.stdout.flush()
    store.close()
    return 0


if __name__ == "__main__":
    status = main(sys.argv[1:])
    os._exit(status)  # the engine's threads do not end by themselves
