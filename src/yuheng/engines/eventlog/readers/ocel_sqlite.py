"""OCEL 2.0 in SQLite. Opened for reading only; names of tables come from the file and are quoted."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from itertools import groupby
from operator import itemgetter
from pathlib import Path

from yuheng.engines.eventlog.faults import LogError, gettext_noop
from yuheng.engines.eventlog.readers.bytes import opened
from yuheng.engines.eventlog.readers.ocel import EventRow, ObjectRow, Ocel, as_source
from yuheng.engines.eventlog.readers.source import Source

NEEDED = ("event", "object", "event_object", "event_map_type", "object_map_type")
_OWN = ("ocel_id", "ocel_time", "ocel_changed_field")


def read_ocel_sqlite(path: Path, scratch: Path, order_type: str) -> Source:
    """Read an object-centric log. Raises `LogError`."""
    with path.open("rb") as plain:
        is_packed = plain.read(2) in (b"\x1f\x8b", b"PK")
    if is_packed:
        unpacked = scratch / "unpacked.sqlite"
        with opened(path) as source, unpacked.open("wb") as target:
            shutil.copyfileobj(source, target)
        path = unpacked
    try:
        with closing(_open(path)) as store:
            there = {row[0].lower() for row in store.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
            if missing := [name for name in NEEDED if name not in there]:
                raise LogError(
                    gettext_noop("This database is no OCEL 2.0 log: it has no table %(names)s."),
                    {"names": ", ".join(missing)},
                )
        return as_source(Ocel(lambda: _objects(path), lambda: _events(path)), "ocel-sqlite", scratch, order_type)
    except sqlite3.DatabaseError as error:
        raise LogError(
            gettext_noop("The database cannot be read as an OCEL 2.0 log: %(why)s."), {"why": str(error)[:200]}
        ) from error


def _open(path: Path) -> sqlite3.Connection:
    store = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro&immutable=1", uri=True)
    store.execute("PRAGMA trusted_schema = OFF")
    store.text_factory = lambda data: data.decode("utf-8", errors="replace")
    return store


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _tables(store: sqlite3.Connection, kind: str) -> list[tuple[str, str, list[str]]]:
    """Return each type with its table and that table's columns."""
    found = []
    for name, mapped in store.execute(f"SELECT ocel_type, ocel_type_map FROM {kind}_map_type").fetchall():
        table = f"{kind}_{mapped}"
        columns = [row[1] for row in store.execute(f"PRAGMA table_info({_quoted(table)})")]
        if columns:
            found.append((str(name), table, columns))
    return found


def _objects(path: Path) -> Iterator[ObjectRow]:
    with closing(_open(path)) as store:
        related: dict[str, list[str]] = {}
        names = {row[0] for row in store.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        if "object_object" in names:
            for source, target in store.execute("SELECT ocel_source_id, ocel_target_id FROM object_object"):
                related.setdefault(str(source), []).append(str(target))
        values: dict[str, dict[str, object]] = {}
        for _type, table, columns in _tables(store, "object"):
            own = [name for name in columns if name.lower() not in _OWN]
            if not own:
                continue
            in_time = " ORDER BY ocel_time" if "ocel_time" in [name.lower() for name in columns] else ""
            picked = ", ".join(_quoted(name) for name in ("ocel_id", *own))
            for row in store.execute(f"SELECT {picked} FROM {_quoted(table)}{in_time}"):
                known = values.setdefault(str(row[0]), {})
                known.update({name: value for name, value in zip(own, row[1:], strict=True) if value is not None})
        for one, kind in store.execute("SELECT ocel_id, ocel_type FROM object"):
            yield ObjectRow(str(one), str(kind), values.get(str(one), {}), related.get(str(one), []))


def _events(path: Path) -> Iterator[EventRow]:
    with closing(_open(path)) as store:
        store.execute("PRAGMA temp_store = FILE")
        for kind, table, columns in _tables(store, "event"):
            own = [name for name in columns if name.lower() not in _OWN]
            picked = ", ".join("e." + _quoted(name) for name in ("ocel_id", "ocel_time", *own))
            rows = store.execute(
                f"SELECT e.rowid, r.ocel_object_id, {picked} FROM {_quoted(table)} e "
                "LEFT JOIN event_object r ON r.ocel_event_id = e.ocel_id ORDER BY e.rowid"
            )
            for _rowid, group in groupby(rows, key=itemgetter(0)):
                together = list(group)
                first = together[0]
                cells = {name: value for name, value in zip(own, first[4:], strict=True) if value is not None}
                objects = [str(row[1]) for row in together if row[1] is not None]
                yield EventRow(str(first[2]), kind, first[3], cells, objects)
