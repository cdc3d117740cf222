"""Minutes and hours: which buckets must be computed anew, and how. Too often is harmless: it is idempotent."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from yuheng.historian.store import Store

MINUTE_US = 60_000_000
HOUR_US = 3_600_000_000
CHUNK = 20_000
POINTS_AT_ONCE = 2_000_000

type_keys = npt.NDArray[np.int64]
"""Sorted unique ``bucket number * 2**32 + tag``: by time first, so that chunks are narrow in time."""


class DirtyMinutes:
    """The debts: (tag, minute) pairs that received samples since their roll-up was computed.

    Rebuilt after a crash from samples that arrived since the last snapshot.
    """

    COMPACT_AT = 1_000_000

    def __init__(self) -> None:
        self.marked_points = 0  # since the last `take`
        self._parts: list[type_keys] = []
        self._size = 0
        self._merged: type_keys = np.empty(0, np.int64)
        self.hours: type_keys = np.empty(0, np.int64)
        self.working: type_keys = np.empty(0, np.int64)  # being computed now: still debts to a question

    def mark(self, tags: npt.NDArray[np.uint32], times_us: npt.NDArray[np.int64]) -> None:
        """Note samples; cheap when neighbours share tag and minute."""
        if not len(tags):
            return
        self.marked_points += len(tags)
        keys = (times_us // MINUTE_US << 32) | tags
        fresh = np.ones(len(keys), np.bool_)
        np.not_equal(keys[1:], keys[:-1], out=fresh[1:])
        self._parts.append(keys[fresh])
        self._size += len(self._parts[-1])
        if self._size > self.COMPACT_AT or len(self._parts) > 500:
            self.minutes()

    def minutes(self) -> type_keys:
        """Return all debts, sorted."""
        if self._parts:
            self._merged = np.unique(np.concatenate([self._merged, *self._parts]))
            self._parts, self._size = [], 0
        return self._merged

    def take(self, before_us: int) -> type_keys:
        """Take the minutes that ended before; they stay debts to questions until `done`."""
        keys = self.minutes()
        cut = int(np.searchsorted(keys, (before_us // MINUTE_US) << 32))
        self.working, self._merged = keys[:cut], keys[cut:]
        return self.working

    def give_back(self) -> None:
        """Computing failed: owe them again."""
        self._parts.append(self.working)
        self._size += len(self.working)
        self.working = np.empty(0, np.int64)

    def done(self) -> None:
        """The minutes taken are computed; their hours are owed."""
        hours = hours_of(self.working)
        self.hours = np.union1d(self.hours, hours)
        self.working = np.empty(0, np.int64)

    def take_hours(self, before_us: int) -> type_keys:
        """Take the hours that ended before and have no minutes owed."""
        cut = int(np.searchsorted(self.hours, (before_us // HOUR_US) << 32))
        ready, self.hours = self.hours[:cut], self.hours[cut:]
        return ready

    def owe_hours(self, hours: type_keys) -> None:
        """Computing hours failed: owe them again."""
        self.hours = np.union1d(self.hours, hours)

    def oldest_owed_us(self, tags: npt.NDArray[np.uint32], start_us: int, end_us: int) -> tuple[int, int]:
        """Return the first (minute, hour) of these tags in a span that roll-ups do not answer; else ``end_us``."""
        minute = end_us
        for keys in (self.minutes(), self.working):
            minute = min(minute, _first_owed(keys, tags, start_us, end_us, MINUTE_US))
        hour = min(_first_owed(self.hours, tags, start_us, end_us, HOUR_US), minute)
        return minute, hour


def hours_of(minutes: type_keys) -> type_keys:
    """Return the hours of minutes, both as keys."""
    return np.unique((((minutes >> 32) // 60) << 32) | (minutes & 0xFFFFFFFF))


def _first_owed(keys: type_keys, tags: npt.NDArray[np.uint32], start_us: int, end_us: int, width_us: int) -> int:
    low = np.searchsorted(keys, (start_us // width_us) << 32)
    high = np.searchsorted(keys, (-(-end_us // width_us)) << 32)
    part = keys[low:high]
    if not len(part):
        return end_us
    owed = part[np.isin(part & 0xFFFFFFFF, tags)]
    return int(owed[0] >> 32) * width_us if len(owed) else end_us


PLACE = "toUnixTimestamp64Micro(time) * 2048 + least(seq, 2047)"
"""Order of samples of a tag as one integer: several times faster to compare than the pair (time, seq)."""

_LIST = "(SELECT tag, bucket FROM dirty WHERE job = {job:UInt64})"

# Consecutive samples of a tag in its bucket: each good value holds until the next sample, the last until the end.
MINUTES_SQL = (
    """
INSERT INTO minutes
SELECT tag, bucket, minIf(value, good), maxIf(value, good), sumIf(value, good), count(), countIf(good),
    argMinIf(value, place, good), argMaxIf(value, place, good), min(time), max(time),
    argMax(if(good, value, nan), place),
    sumIf(value * held, good), sumIf(held, good), now64(6)
FROM (
    SELECT tag, time, """
    + PLACE
    + """ AS place, value, quality < 128 AS good, toStartOfMinute(time) AS bucket,
        (toUnixTimestamp64Micro(leadInFrame(time, 1, toDateTime64(bucket + 60, 6, 'UTC')) OVER (
            PARTITION BY tag, toStartOfMinute(time) ORDER BY time, seq
            ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING)) - toUnixTimestamp64Micro(time)) / 1e6 AS held
    FROM samples FINAL
    WHERE tag IN (SELECT tag FROM dirty WHERE job = {job:UInt64})
        AND time >= fromUnixTimestamp64Micro({start:Int64}, 'UTC')
        AND time < fromUnixTimestamp64Micro({end:Int64}, 'UTC')
        AND (tag, toStartOfMinute(time)) IN """
    + _LIST
    + """
)
GROUP BY tag, bucket SETTINGS max_threads = 1
"""
)

# An hour is made of its minutes: what each holds itself, and what the one before it carries over missing minutes.
HOURS_SQL = (
    """
INSERT INTO hours
SELECT tag, hour, if(sum(good_count) = 0, 0, minIf(min, good_count > 0)), maxIf(max, good_count > 0),
    sum(sum), sum(count), sum(good_count),
    argMinIf(first, bucket, good_count > 0), argMaxIf(last, bucket, good_count > 0),
    min(first_time), max(last_time), argMax(carry, bucket),
    sum(integral) + sum(if(isNaN(carry), 0, carry * gap)), sum(covered) + sum(if(isNaN(carry), 0, gap)), now64(6)
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
    chunk: int = CHUNK,
    should_stop: Callable[[], bool] = lambda: False,
) -> bool:
    """Compute buckets anew, in chunks; return False when told to stop before the end.

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
            store.command(sql, {"job": job, **span})
        finally:
            store.command("TRUNCATE TABLE dirty")
    return True
