"""Forgetting, by tag class, once a day: whole months at once where every class agrees, else row by row."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from yuheng.bus.documents import Plant
from yuheng.historian.routing import DAY_US
from yuheng.historian.store import Store

TABLES: Mapping[str, tuple[str, str]] = {
    # table -> (column of time, field of the tag class)
    "samples": ("time", "raw_days"),
    "text_samples": ("time", "raw_days"),
    "minutes": ("bucket", "minute_days"),
    "hours": ("bucket", "hour_days"),
}


def forget(store: Store, plant: Plant, now_us: int) -> dict[str, int]:
    """Delete what is older than its tag class keeps; 0 days keeps for ever. In a thread; may raise `StoreFailure`.

    Returns the rows removed of each table, as stored: a sample that came twice counts twice until parts are merged.
    """
    removed: Counter[str] = Counter()
    for table, (column, field) in TABLES.items():
        days = {c.code: int(getattr(c, field)) for c in plant.tag_classes}
        removed[table] += _drop_whole_partitions(store, table, column, list(days.values()), now_us)
        for code, keep_days in days.items():
            tags = [tag.id for tag in plant.tags if tag.tag_class == code]
            if keep_days > 0 and tags:
                removed[table] += _delete_rows(store, table, column, tags, now_us - keep_days * DAY_US)
    removed.update(_forget_what_was_shown(store, plant, now_us))
    return dict(removed)


def _forget_what_was_shown(store: Store, plant: Plant, now_us: int) -> dict[str, int]:
    """What the screens said is kept as long as the raw values of the class that is kept longest."""
    days = [c.raw_days for c in plant.tag_classes]
    if not days or 0 in days:
        return {}
    removed = {}
    cutoff_us = now_us - max(days) * DAY_US
    condition = "at < fromUnixTimestamp64Micro({cutoff:Int64}, 'UTC')"
    for table in ("shown", "boards"):
        removed[table] = _drop_whole_partitions(store, table, "at", days, now_us)
        removed[table] += _delete(store, table, condition, {"cutoff": cutoff_us})
    return removed


def _drop_whole_partitions(store: Store, table: str, column: str, days: list[int], now_us: int) -> int:
    """Return the rows of dropped partitions: those older than every class keeps. Instant, nothing is rewritten."""
    if not days or 0 in days:
        return 0
    cutoff = now_us - max(days) * DAY_US
    rows = store.rows(
        f"SELECT partition, sum(rows) FROM system.parts WHERE active AND table = '{table}' "
        "AND database = currentDatabase() GROUP BY partition"
    )
    removed = 0
    for partition, held in rows:
        if _end_us(partition) <= cutoff:
            store.command(f"ALTER TABLE {table} DROP PARTITION {int(partition)}")
            removed += int(held)
    return removed


def _end_us(partition: str) -> int:
    """Return the end of a partition named ``YYYYMM`` or ``YYYY``.

    Examples
    --------
    >>> _end_us("202612") == _end_us("2026")
    True
    """
    year, month = int(partition[:4]), int(partition[4:] or 12)
    following = datetime(year + month // 12, month % 12 + 1, 1, tzinfo=UTC)
    return int(following.timestamp()) * 1_000_000


def _delete_rows(store: Store, table: str, column: str, tags: list[int], cutoff_us: int) -> int:
    """Delete rows of some tags; return how many."""
    condition = f"tag IN {{tags:Array(UInt32)}} AND {column} < fromUnixTimestamp64Micro({{cutoff:Int64}}, 'UTC')"
    return _delete(store, table, condition, {"tags": tags, "cutoff": cutoff_us})


def _delete(store: Store, table: str, condition: str, parameters: dict[str, Any]) -> int:
    """Delete rows; asks first, because a deletion costs even when nothing is old."""
    ((found,),) = store.rows(f"SELECT count() FROM {table} WHERE {condition}", parameters)
    if found:
        store.command(f"DELETE FROM {table} WHERE {condition}", parameters)
    return int(found)
