"""Minutes and hours: which buckets must be computed anew, and how. Too often is harmless: it is idempotent."""

from __future__ import annotations

import threading
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from yuheng.historian.spans import HOUR_US, MINUTE_US, Owed
from yuheng.historian.store import Store

CHUNK = 20_000
POINTS_AT_ONCE = 2_000_000

type_keys = npt.NDArray[np.int64]
"""Sorted unique ``bucket number * 2**32 + tag``: by time first, so that chunks are narrow in time."""


class DirtyMinutes:
    """The debts: (tag, minute) pairs that received samples since their roll-up was computed.

    Rebuilt after a crash from samples that arrived since the last snapshot. Written on the loop, asked by the threads
    that answer.
    """

    COMPACT_AT = 1_000_000

    def __init__(self) -> None:
        self.marked_points = 0  # since the last `take`
        self._lock = threading.Lock()
        self._parts: list[type_keys] = []
        self._size = 0
        self._merged: type_keys = np.empty(0, np.int64)
        self._working: type_keys = np.empty(0, np.int64)  # being computed now: still debts to a question
        self._hours: type_keys = np.empty(0, np.int64)
        self._working_hours: type_keys = np.empty(0, np.int64)

    def mark(self, tags: npt.NDArray[np.uint32], times_us: npt.NDArray[np.int64]) -> None:
        """Note samples; cheap when neighbours share tag and minute."""
        if not len(tags):
            return
        keys = (times_us // MINUTE_US << 32) | tags
        fresh = np.ones(len(keys), np.bool_)
        np.not_equal(keys[1:], keys[:-1], out=fresh[1:])
        with self._lock:
            self.marked_points += len(tags)
            self._parts.append(keys[fresh])
            self._size += len(self._parts[-1])
            if self._size > self.COMPACT_AT or len(self._parts) > 500:
                self._minutes()

    def _minutes(self) -> type_keys:
        """Return all debts but those being computed, sorted. The lock is held."""
        if self._parts:
            self._merged = np.unique(np.concatenate([self._merged, *self._parts]))
            self._parts, self._size = [], 0
        return self._merged

    def take(self, before_us: int) -> type_keys:
        """Take the minutes that ended before; they stay debts to questions until `done`."""
        with self._lock:
            keys = self._minutes()
            cut = int(np.searchsorted(keys, (before_us // MINUTE_US) << 32))
            self._working, self._merged = keys[:cut], keys[cut:]
            return self._working

    def give_back(self) -> None:
        """Computing failed: owe them again."""
        with self._lock:
            self._parts.append(self._working)
            self._size += len(self._working)
            self._working = np.empty(0, np.int64)

    def done(self) -> None:
        """The minutes taken are computed; their hours are owed."""
        with self._lock:
            self._hours = np.union1d(self._hours, hours_of(self._working))
            self._working = np.empty(0, np.int64)

    def take_hours(self, before_us: int) -> type_keys:
        """Take the hours that ended before; they stay debts to questions until `done_hours`."""
        with self._lock:
            cut = int(np.searchsorted(self._hours, (before_us // HOUR_US) << 32))
            self._working_hours, self._hours = self._hours[:cut], self._hours[cut:]
            return self._working_hours

    def give_back_hours(self) -> None:
        """Computing hours failed: owe them again."""
        with self._lock:
            self._hours = np.union1d(self._hours, self._working_hours)
            self._working_hours = np.empty(0, np.int64)

    def done_hours(self) -> None:
        """The hours taken are computed."""
        with self._lock:
            self._working_hours = np.empty(0, np.int64)

    @property
    def hours(self) -> type_keys:
        """All hours owed, also those being computed: what a snapshot keeps."""
        with self._lock:
            return np.union1d(self._hours, self._working_hours)

    @property
    def minutes(self) -> type_keys:
        """All minutes owed, also those being computed: what a snapshot keeps."""
        with self._lock:
            return np.union1d(self._minutes(), self._working)

    def owe_minutes(self, minutes: type_keys) -> None:
        """Owe minutes: an earlier run did."""
        with self._lock:
            self._parts.append(minutes)
            self._size += len(minutes)

    def owe_hours(self, hours: type_keys) -> None:
        """Owe hours: an earlier run did."""
        with self._lock:
            self._hours = np.union1d(self._hours, hours)

    def owed(self, tags: npt.NDArray[np.uint32], start_us: int, end_us: int) -> Owed:
        """Return which minutes and hours of these tags in a span roll-ups cannot answer now."""
        with self._lock:
            minutes, working = self._minutes(), self._working
            hours, working_hours = self._hours, self._working_hours
        return Owed(
            _buckets((minutes, working), tags, start_us // MINUTE_US, -(-end_us // MINUTE_US)),
            _buckets((hours, working_hours), tags, start_us // HOUR_US, -(-end_us // HOUR_US)),
        )


def hours_of(minutes: type_keys) -> type_keys:
    """Return the hours of minutes, both as keys."""
    return np.unique((((minutes >> 32) // 60) << 32) | (minutes & 0xFFFFFFFF))


def _buckets(debts: tuple[type_keys, ...], tags: npt.NDArray[np.uint32], first: int, last: int) -> type_keys:
    """Return the numbers of the buckets in ``[first, last)`` that some of the tags are owed, sorted."""
    parts = [keys[np.searchsorted(keys, first << 32) : np.searchsorted(keys, last << 32)] for keys in debts]
    keys = np.concatenate(parts)
    return np.unique(keys[np.isin(keys & 0xFFFFFFFF, tags)] >> 32)


PLACE = "toUnixTimestamp64Micro(time) * 2048 + least(seq, 2047)"
"""Order of samples of a tag as one integer: several times faster to compare than the pair (time, seq)."""

_LIST = "(SELECT tag, bucket FROM dirty WHERE job = {job:UInt64})"

# The samples of a bucket as arrays in order: in one thread, and the table is read in its own order, so that nothing is
# sorted. Several times faster than window functions, and groups are finished one after another: little memory.
ARRAYS = """
    SELECT tag, {slot} AS slot, groupArray(toUnixTimestamp64Micro(time)) AS ts, groupArray(value) AS vs,
        groupArray(quality < 128) AS gs, arrayFilter((v, g) -> g, vs, gs) AS good
    FROM (SELECT tag, time, value, quality FROM samples FINAL WHERE {condition} ORDER BY tag, time, seq)
    GROUP BY tag, slot
"""
IN_ORDER = "SETTINGS max_threads = 1, optimize_aggregation_in_order = 1, optimize_read_in_order = 1"

_PAIRS = f"""tag IN (SELECT tag FROM dirty WHERE job = {{job:UInt64}})
        AND time >= fromUnixTimestamp64Micro({{start:Int64}}, 'UTC')
        AND time < fromUnixTimestamp64Micro({{end:Int64}}, 'UTC') AND (tag, toStartOfMinute(time)) IN {_LIST}"""

# Each good value holds until the next sample, the last one until the end of the minute.
MINUTES_SQL = f"""
INSERT INTO minutes
SELECT tag, slot, arrayMin(good), arrayMax(good), arraySum(good), length(ts), length(good), good[1], good[-1],
    fromUnixTimestamp64Micro(ts[1], 'UTC'), fromUnixTimestamp64Micro(ts[-1], 'UTC'), if(gs[-1], vs[-1], nan),
    arraySum((v, h, g) -> if(g, v * h, 0), vs, held, gs), arraySum((h, g) -> if(g, h, 0), held, gs),
    fromUnixTimestamp64Micro({{version:Int64}}, 'UTC')
FROM (
    SELECT *, arrayMap((t, after) -> (after - t) / 1e6, ts,
        arrayPushBack(arrayPopFront(ts), (toInt64(toUnixTimestamp(slot)) + 60) * 1000000)) AS held
    FROM ({ARRAYS.format(slot="toStartOfMinute(time)", condition=_PAIRS)})
) {IN_ORDER}
"""

# An hour is made of its minutes: what each holds itself, and what the one before it carries over missing minutes.
HOURS_SQL = (
    """
INSERT INTO hours
SELECT tag, hour, if(sum(good_count) = 0, 0, minIf(min, good_count > 0)), maxIf(max, good_count > 0),
    sum(sum), sum(count), sum(good_count),
    argMinIf(first, bucket, good_count > 0), argMaxIf(last, bucket, good_count > 0),
    min(first_time), max(last_time), argMax(carry, bucket),
    sum(integral) + sum(if(isNaN(carry), 0, carry * gap)), sum(covered) + sum(if(isNaN(carry), 0, gap)),
    fromUnixTimestamp64Micro({version:Int64}, 'UTC')
FROM (
    SELECT *, toStartOfHour(bucket) AS hour,
        toDateTime64(hour + 3600, 6, 'UTC') AS hour_end,
        greatest(0, toUnixTimestamp64Micro(leadInFrame(first_time, 1, hour_end) OVER (
            PARTITION BY tag, toStartOfHour(bucket) ORDER BY bucket
            ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING)) / 1e6 - toUnixTimestamp(bucket + 60)) AS gap
    FROM minutes FINAL
    WHERE tag IN (SELECT tag FROM dirty WHERE job = {job:UInt64})
        AND bucket >= toDateTime({start_s:Int64}, 'UTC') AND bucket < toDateTime({end_s:Int64}, 'UTC')
        AND (tag, toStartOfHour(bucket)) IN """
    + _LIST
    + """
)
GROUP BY tag, hour SETTINGS max_threads = 1
"""
)


def chunk_of(pairs: int, points: int) -> int:
    """Return how many buckets to compute at a time, so that about two million samples are in memory at once.

    Examples
    --------
    >>> chunk_of(1000, 60_000), chunk_of(1000, 30_000_000), chunk_of(1, 0)
    (20000, 66, 20000)
    """
    return max(1, min(CHUNK, POINTS_AT_ONCE * max(pairs, 1) // max(points, 1)))


def compute(
    store: Store,
    keys: type_keys,
    *,
    width_us: int,
    job: int,
    version: int,
    chunk: int = CHUNK,
    should_stop: Callable[[], bool] = lambda: False,
) -> bool:
    """Compute buckets anew, in chunks; return False when told to stop before the end.

    Of a bucket computed twice the higher ``version`` counts (see `Units.next_version`; microseconds since 1970).
    Runs in a thread; raises `StoreFailure`.
    """
    sql = MINUTES_SQL if width_us == MINUTE_US else HOURS_SQL
    for start in range(0, len(keys), chunk):
        if should_stop():
            return False
        part = keys[start : start + chunk]
        buckets = part >> 32
        store.insert(
            "dirty",
            pa.table(
                {
                    "job": np.full(len(part), job, np.uint64),
                    "tag": (part & 0xFFFFFFFF).astype(np.uint32),
                    "bucket": (buckets * (width_us // 1_000_000)).astype(np.uint32),
                }
            ),
        )
        try:
            first, last = int(buckets[0]) * width_us, (int(buckets[-1]) + 1) * width_us
            span = {"start": first, "end": last, "start_s": first // 1_000_000, "end_s": last // 1_000_000}
            store.command(sql, {"job": job, "version": version, **span})
        finally:
            store.command("TRUNCATE TABLE dirty")
    return True
