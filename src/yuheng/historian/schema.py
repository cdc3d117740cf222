"""Tables of the column store, as numbered migrations. A migration is never changed after it was released."""

from __future__ import annotations

# Codecs by measurement (docs/decisions/012-historian.md): plain Delta beats DoubleDelta and Gorilla once ZSTD follows,
# because stamps of real devices jitter and values are rounded. `arrived` is the version: of two rows with one key the
# one that came later stays, of two in one millisecond the one written later (a redelivered one is the same row).
SAMPLES = """
CREATE TABLE IF NOT EXISTS samples (
    tag UInt32 CODEC(Delta, ZSTD(1)),
    time DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)),
    seq UInt64 CODEC(Delta, ZSTD(1)),
    value Float64 CODEC(Delta, ZSTD(1)),
    quality UInt8 CODEC(ZSTD(1)),
    arrived DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    INDEX arrived_range arrived TYPE minmax GRANULARITY 8
) ENGINE = ReplacingMergeTree(arrived)
PARTITION BY toYYYYMM(time) ORDER BY (tag, time, seq)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_bytes_for_wide_part = 20000000,
         max_bytes_to_merge_at_max_space_in_pool = 5000000000, index_granularity = 2048
"""

TEXT_SAMPLES = """
CREATE TABLE IF NOT EXISTS text_samples (
    tag UInt32 CODEC(Delta, ZSTD(1)),
    time DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)),
    seq UInt64 CODEC(Delta, ZSTD(1)),
    text String CODEC(ZSTD(3)),
    quality UInt8 CODEC(ZSTD(1)),
    arrived DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    INDEX arrived_range arrived TYPE minmax GRANULARITY 8
) ENGINE = ReplacingMergeTree(arrived)
PARTITION BY toYYYYMM(time) ORDER BY (tag, time, seq)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_bytes_for_wide_part = 20000000
"""

# A roll-up row depends on the samples inside its own bucket only, so that recomputing one bucket is always enough:
# `integral` and `covered` begin at the first sample; what was carried in from before is added when asked.
_ROLLUP = """
CREATE TABLE IF NOT EXISTS {name} (
    tag UInt32 CODEC(Delta, ZSTD(1)),
    bucket DateTime('UTC') CODEC(DoubleDelta, ZSTD(1)),
    min Float64 CODEC(Gorilla, ZSTD(1)),
    max Float64 CODEC(Gorilla, ZSTD(1)),
    sum Float64 CODEC(Gorilla, ZSTD(1)),
    count UInt32 CODEC(T64, ZSTD(1)),
    good_count UInt32 CODEC(T64, ZSTD(1)),
    first Float64 CODEC(Gorilla, ZSTD(1)),
    last Float64 CODEC(Gorilla, ZSTD(1)),
    first_time DateTime64(6, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
    last_time DateTime64(6, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
    carry Float64 CODEC(Gorilla, ZSTD(1)),
    integral Float64 CODEC(Gorilla, ZSTD(1)),
    covered Float64 CODEC(Gorilla, ZSTD(1)),
    computed_at DateTime64(6, 'UTC') CODEC(DoubleDelta, ZSTD(1))
) ENGINE = ReplacingMergeTree(computed_at)
PARTITION BY {partition} ORDER BY (tag, bucket)
SETTINGS index_granularity = 256, min_compress_block_size = 8192, max_compress_block_size = 16384,
    min_bytes_for_wide_part = 20000000
"""

LATEST = """
CREATE TABLE IF NOT EXISTS latest (
    tag UInt32, time DateTime64(6, 'UTC'), seq UInt64, value Float64, text Nullable(String), quality UInt8,
    arrived DateTime64(6, 'UTC'), version UInt64
) ENGINE = ReplacingMergeTree(version) ORDER BY tag SETTINGS fsync_after_insert = 1
"""

STATE_CHANGES = """
CREATE TABLE IF NOT EXISTS state_changes (
    unit UInt32, start DateTime64(6, 'UTC'), state UInt8, cause String, version UInt64, is_deleted UInt8
) ENGINE = ReplacingMergeTree(version, is_deleted) ORDER BY (unit, start) SETTINGS fsync_after_insert = 1
"""

PROGRESS = """
CREATE TABLE IF NOT EXISTS progress (
    name String, at DateTime64(6, 'UTC'), detail String, version UInt64
) ENGINE = ReplacingMergeTree(version) ORDER BY name SETTINGS fsync_after_insert = 1
"""

# The pairs to recompute, while they are being recomputed. Nothing is lost with it: see `rollups`.
DIRTY = "CREATE TABLE IF NOT EXISTS dirty (job UInt64, tag UInt32, bucket DateTime('UTC')) ENGINE = Memory"

# What was said live, so that any moment can be shown again as it was. Times of values are whole microseconds, 0: never.
SHOWN = """
CREATE TABLE IF NOT EXISTS shown (
    site UInt32 CODEC(Delta, ZSTD(1)),
    at DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)),
    unit UInt32 CODEC(ZSTD(1)),
    run UInt64 CODEC(Delta, ZSTD(1)),
    state UInt8 CODEC(ZSTD(1)),
    cause String CODEC(ZSTD(1)),
    since_us Int64 CODEC(Delta, ZSTD(1)),
    seen_us Int64 CODEC(Delta, ZSTD(1)),
    data_time_us Int64 CODEC(Delta, ZSTD(1))
) ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(at) ORDER BY (site, at, unit)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_bytes_for_wide_part = 20000000, index_granularity = 2048
"""

# One row is the whole board of a site: neighbouring rows are almost equal, which ZSTD finds by itself.
BOARDS = """
CREATE TABLE IF NOT EXISTS boards (
    site UInt32, at DateTime64(6, 'UTC'), run UInt64, reason UInt8, data_time_us Int64,
    units Array(UInt32) CODEC(ZSTD(1)), states Array(UInt8) CODEC(ZSTD(1)), causes Array(String) CODEC(ZSTD(1)),
    since_us Array(Int64) CODEC(ZSTD(1)), seen_us Array(Int64) CODEC(ZSTD(1))
) ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(at) ORDER BY (site, at)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_bytes_for_wide_part = 20000000, index_granularity = 8
"""

# Roll-ups are made durable like samples: once they are computed nobody owes them, so that a power cut would leave them
# behind for ever. And a part is only there when its directory is: that was missing of what a start reads.
_FSYNC = "ALTER TABLE {name} MODIFY SETTING fsync_after_insert = 1, fsync_part_directory = 1"

MIGRATIONS: tuple[tuple[int, tuple[str, ...]], ...] = (
    (
        1,
        (
            SAMPLES,
            TEXT_SAMPLES,
            _ROLLUP.format(name="minutes", partition="toYYYYMM(bucket)"),
            _ROLLUP.format(name="hours", partition="toYear(bucket)"),
            LATEST,
            STATE_CHANGES,
            PROGRESS,
            DIRTY,
        ),
    ),
    (2, (SHOWN, BOARDS)),
    (3, tuple(_FSYNC.format(name=name) for name in ("minutes", "hours", "latest", "state_changes", "progress"))),
)

# A commit every second makes a part of a few kB. By default any five are merged with everything that is still small
# (below 5 MB), so that the same rows are written again every few seconds: 7 ms of CPU a commit, against 3 with these
# (1,400 rows a second, 1.9 million there, 26.9). An engine that does not know a setting goes without it.
MERGING = {"merge_selector_base": "12", "min_parts_to_merge_at_once": "12"}
MERGED_LESS = ("samples", "text_samples", "minutes", "hours", "state_changes", "shown", "boards")

VERSIONS = """
CREATE TABLE IF NOT EXISTS migrations (number UInt32, applied DateTime('UTC')) ENGINE = MergeTree ORDER BY number
"""
