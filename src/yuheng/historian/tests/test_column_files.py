"""Columns as files: frozen parts and Parquet both come back row by row. In processes of their own: one engine each."""

import json
import subprocess
import sys

import pytest

MAKE = """
import json, os, sys
from pathlib import Path
import numpy as np
from yuheng.engines.points import PointBlock, TextPoint
from yuheng.historian import column_files, freezing
from yuheng.historian.store import Store, sample_columns, text_columns
url, out, kind = sys.argv[1:]
store = Store(url)
store.migrate()
n = 5000
for turn in range(3):  # the same keys again: the later written one counts
    times = np.arange(n, dtype=np.int64) * 700_000_000 + 1_700_000_000_000_000
    block = PointBlock(np.full(n, 7, np.uint32), times, np.full(n, float(turn)), np.zeros(n, np.uint8),
                       np.zeros(n, np.uint64), np.full(n, 1_800_000_000_000_000, np.int64))
    store.insert("samples", sample_columns(block))
if kind == "parts":
    import shutil, msgspec
    frozen = freezing.freeze(store, "backup_test")
    for table in frozen.tables:
        if table.parts and Path(table.parts).is_dir():
            shutil.copytree(table.parts, Path(out) / table.name)
    Path(out, column_files.TABLES_FILE).write_bytes(msgspec.json.encode(frozen))
    freezing.unfreeze(store, "backup_test")
    assert not (store.directory / "shadow" / "backup_test").exists()
    rows = {t.name: column_files.rows_in_parts(Path(out) / t.name) for t in frozen.tables if t.parts}
else:
    rows = column_files.save(store, Path(out))
print(json.dumps(rows), flush=True)
os._exit(0)
"""

LOOK = """
import os, sys
from yuheng.historian.store import Store
store = Store(sys.argv[1])
store.migrate()
print(*store.rows("SELECT count(), min(value), max(value) FROM samples FINAL")[0], flush=True)
os._exit(0)
"""


def run(*words):
    done = subprocess.run([sys.executable, *map(str, words)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout.strip().splitlines()[-1]


@pytest.mark.parametrize("kind", ["parts", "rows"])
def test_rows_come_back_and_of_one_key_the_later_written_one(tmp_path, kind):
    files = tmp_path / "files"
    files.mkdir()
    made = json.loads(run("-c", MAKE, f"chdb://{tmp_path / 'first'}", files, kind))
    assert made["samples"] >= 5_000
    loaded = json.loads(run("-m", "yuheng.historian.column_files", "load", f"chdb://{tmp_path / 'second'}", files))
    assert loaded == made
    assert run("-c", LOOK, f"chdb://{tmp_path / 'second'}") == "5000 2.0 2.0"


def test_columns_of_a_newer_program_are_not_opened(tmp_path):
    newer = (
        "import os, sys; from yuheng.historian.store import Store; store = Store(sys.argv[1]); store.migrate();"
        "store.command('INSERT INTO migrations VALUES (9999, now())')\n"
        "try:\n    store.migrate()\nexcept Exception as error:\n    print(type(error).__name__, error, flush=True)\n"
        "os._exit(0)"
    )
    said = run("-c", newer, f"chdb://{tmp_path / 'columns'}")
    assert said.startswith("StoreFailure The columns were made by a newer Yuheng (schema 9999")
